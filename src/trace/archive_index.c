/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Indices: in memory while their segment grows, then as a file of sorted entries with little of it left in memory. */
#include "trace/archive_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define INDEX_VERSION 1
#define BLOOM_BITS_PER_KEY 10
#define BLOOM_PROBES 5

static const char magic[8] = { 'C', 'W', 'T', 'R', 'A', 'C', 'E', 'X' };

/* ---- growing ---------------------------------------------------------------------------------- */

static int reserve(void **items, size_t size, size_t *room, size_t count, size_t more)
{
	size_t want = *room ? *room : 256;
	void *p;

	if (count + more <= *room)
		return 0;
	while (want < count + more)
		want *= 2;
	p = realloc(*items, want * size);
	if (!p)
		return -ENOMEM;
	*items = p;
	*room = want;
	return 0;
}

static bool has_row(const struct archive_block *block)
{
	return block->kind == TRACE_CALL || block->kind == TRACE_END;
}

int index_reserve(struct index *index, const struct archive_block *blocks, unsigned n)
{
	const struct index_head *h = &index->head;
	size_t rows = 0, strings = 0;
	int err;

	for (unsigned i = 0; i < n; i++)
		if (has_row(&blocks[i])) {
			rows++;
			strings += blocks[i].len + ROW_STRINGS;
		}
	/* A row names its strings by 32 bits. */
	if (h->strings_len + strings > UINT32_MAX)
		return -EFBIG;
	err = reserve((void **)&index->entries, sizeof(*index->entries), &index->entries_room,
		      h->n_entries, 2 * (size_t)n);
	if (!err)
		err = reserve((void **)&index->rows, sizeof(*index->rows), &index->rows_room,
			      h->n_rows, rows);
	if (!err)
		err = reserve((void **)&index->strings, 1, &index->strings_room, h->strings_len,
			      strings);
	return err;
}

static void head_add_row(struct index_head *h, const struct call_row *row)
{
	if (!h->n_rows || row->call < h->first_call)
		h->first_call = row->call;
	if (!h->n_rows || row->call > h->last_call)
		h->last_call = row->call;
	if (!h->n_rows || row->started_us < h->started_us)
		h->started_us = row->started_us;
	if (row->ended_us > h->ended_us)
		h->ended_us = row->ended_us;
	h->n_rows++;
}

static void add_row(struct index *index, const struct trace_entry *entry)
{
	struct index_head *h = &index->head;
	struct call_row *row = &index->rows[h->n_rows];

	row_of_entry(row, entry, index->strings + h->strings_len);
	row->strings = (uint32_t)h->strings_len;
	h->strings_len += row->strings_len;
	head_add_row(h, row);
}

void index_add(struct index *index, uint32_t offset, const struct archive_block *block,
	       const struct trace_entry *entry)
{
	struct index_head *h = &index->head;
	uint32_t what = block->len / 4 << 8 | block->kind;

	if (has_row(block) && entry->call)
		add_row(index, entry);
	if (block->kind == TRACE_END && end_code_failed(trace_entry_field(entry, "end_code")))
		what |= ENTRY_FAILED << 4;
	index->entries[h->n_entries++] = (struct index_entry){ block->key, offset, what };
	if (block->key2)
		index->entries[h->n_entries++] =
			(struct index_entry){ block->key2, offset, what | ENTRY_BINDS << 4 };
	if (!h->oldest_us || block->utc_us < h->oldest_us)
		h->oldest_us = block->utc_us;
	if (block->utc_us > h->newest_us)
		h->newest_us = block->utc_us;
	h->covered = offset + (uint64_t)block->len;
}

void index_free(struct index *index)
{
	free(index->entries);
	free(index->rows);
	free(index->strings);
	free(index->numbers);
	*index = (struct index){ 0 };
}

int index_copy(struct index *copy_out, const struct index *index)
{
	struct index copy = *index;
	size_t entries = copy.head.n_entries * sizeof(*copy.entries);
	size_t rows = copy.head.n_rows * sizeof(*copy.rows);

	copy.entries = malloc(entries + 1);
	copy.rows = malloc(rows + 1);
	if (!copy.entries || !copy.rows) {
		index_free_copy(&copy);
		return -ENOMEM;
	}
	if (entries)
		memcpy(copy.entries, index->entries, entries);
	if (rows)
		memcpy(copy.rows, index->rows, rows);
	*copy_out = copy;
	return 0;
}

void index_free_copy(struct index *copy)
{
	free(copy->entries);
	free(copy->rows);
	free(copy->numbers);
	*copy = (struct index){ 0 };
}

/* ---- sorting ---------------------------------------------------------------------------------- */

static int entry_order(const void *a, const void *b)
{
	const struct index_entry *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Of one call the END first, of several the last one written. */
static int row_order(const void *a, const void *b)
{
	const struct call_row *x = a, *y = b;

	if (x->call != y->call)
		return x->call < y->call ? -1 : 1;
	if (x->ended != y->ended)
		return x->ended ? -1 : 1;
	return x->strings > y->strings ? -1 : x->strings < y->strings;
}

int index_sort(struct index *index)
{
	struct index_head *h = &index->head;
	size_t kept = 0;

	if (h->n_entries)
		qsort(index->entries, h->n_entries, sizeof(*index->entries), entry_order);
	if (h->n_rows)
		qsort(index->rows, h->n_rows, sizeof(*index->rows), row_order);
	for (size_t i = 0; i < h->n_rows; i++)
		if (!i || index->rows[i].call != index->rows[kept - 1].call)
			index->rows[kept++] = index->rows[i];
	h->n_rows = kept;
	return numbers_make(index);
}

/* ---- the file --------------------------------------------------------------------------------- */

static uint32_t index_crc(const struct index *index)
{
	struct index_head head = index->head;
	uint32_t parts[5];

	head.crc = 0;
	parts[0] = crc32c(&head, sizeof(head));
	parts[1] = crc32c(index->entries, head.n_entries * sizeof(*index->entries));
	parts[2] = crc32c(index->rows, head.n_rows * sizeof(*index->rows));
	parts[3] = crc32c(index->strings, head.strings_len);
	parts[4] = crc32c(index->numbers, head.numbers_len);
	return crc32c(parts, sizeof(parts));
}

uint64_t index_size(const struct index_head *h)
{
	return sizeof(*h) + h->n_entries * sizeof(struct index_entry) +
	       h->n_rows * sizeof(struct call_row) + h->strings_len + h->numbers_len;
}

static int write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int index_write(struct index *index, int dir_fd, const char *name)
{
	struct index_head *h = &index->head;
	int fd, err;

	memcpy(h->magic, magic, sizeof(magic));
	h->version = INDEX_VERSION;
	h->crc = index_crc(index);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	err = write_all(fd, h, sizeof(*h));
	if (!err)
		err = write_all(fd, index->entries, h->n_entries * sizeof(*index->entries));
	if (!err)
		err = write_all(fd, index->rows, h->n_rows * sizeof(*index->rows));
	if (!err)
		err = write_all(fd, index->strings, h->strings_len);
	if (!err)
		err = write_all(fd, index->numbers, h->numbers_len);
	if (close(fd) && !err)
		err = -EIO;
	if (err)
		unlinkat(dir_fd, name, 0);
	return err;
}

static int read_at(int fd, void *bytes, size_t len, uint64_t at, uint64_t *bytes_read)
{
	char *p = bytes;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
		*bytes_read += (uint64_t)n;
	}
	return 0;
}

/* Are the counts such that the file can hold them? */
static bool head_sound(const struct index_head *h, uint64_t file_len)
{
	return memcmp(h->magic, magic, sizeof(magic)) == 0 && h->version == INDEX_VERSION &&
	       h->n_entries <= file_len / sizeof(struct index_entry) &&
	       h->n_rows <= file_len / sizeof(struct call_row) && h->strings_len <= file_len &&
	       h->numbers_len <= file_len && index_size(h) == file_len;
}

static int load_parts(struct index *index, int fd)
{
	struct index_head *h = &index->head;
	uint64_t at = sizeof(*h), bytes_read = 0;
	size_t entries = h->n_entries * sizeof(*index->entries);
	size_t rows = h->n_rows * sizeof(*index->rows);
	int err;

	/* Never malloc(0): NULL would look like no memory. */
	index->entries = malloc(entries + 1);
	index->rows = malloc(rows + 1);
	index->strings = malloc(h->strings_len + 1);
	index->numbers = malloc(h->numbers_len + 1);
	if (!index->entries || !index->rows || !index->strings || !index->numbers)
		return -ENOMEM;
	err = read_at(fd, index->entries, entries, at, &bytes_read);
	if (!err)
		err = read_at(fd, index->rows, rows, at + entries, &bytes_read);
	if (!err)
		err = read_at(fd, index->strings, h->strings_len, at + entries + rows, &bytes_read);
	if (!err)
		err = read_at(fd, index->numbers, h->numbers_len,
			      at + entries + rows + h->strings_len, &bytes_read);
	return !err && index_crc(index) != h->crc ? -EBADMSG : err;
}

int index_load(struct index *index_out, int dir_fd, const char *name)
{
	struct index index = { 0 };
	uint64_t bytes_read = 0;
	struct stat st;
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : 0;
	if (!err)
		err = read_at(fd, &index.head, sizeof(index.head), 0, &bytes_read);
	if (!err && !head_sound(&index.head, (uint64_t)st.st_size))
		err = -EBADMSG;
	if (!err)
		err = load_parts(&index, fd);
	close(fd);
	if (err)
		index_free(&index);
	else
		*index_out = index;
	return err;
}

/* ---- what stays in memory ----------------------------------------------------------------------- */

/* Keys are hashes: two halves make as many probes as wanted (Kirsch and Mitzenmacher, 2006). */
static size_t bloom_bit(const struct index_guide *g, uint64_t key, unsigned probe)
{
	uint32_t hash = (uint32_t)key + probe * (uint32_t)(key >> 32 | 1);

	return (size_t)((uint64_t)hash * g->bloom_bits >> 32);
}

static size_t count_keys(const struct index *index)
{
	size_t n = 0;

	for (size_t i = 0; i < index->head.n_entries; i++)
		n += !i || index->entries[i].key != index->entries[i - 1].key;
	return n;
}

static void bloom_fill(struct index_guide *g, const struct index *index)
{
	for (size_t i = 0; i < index->head.n_entries; i++) {
		if (i && index->entries[i].key == index->entries[i - 1].key)
			continue;
		for (unsigned probe = 0; probe < BLOOM_PROBES; probe++) {
			size_t bit = bloom_bit(g, index->entries[i].key, probe);

			g->bloom[bit / 8] |= (uint8_t)(1u << bit % 8);
		}
	}
}

int index_guide_make(struct index_guide *guide_out, const struct index *index)
{
	struct index_guide g = {
		.head = index->head,
		.n_fence = (index->head.n_entries + INDEX_PAGE - 1) / INDEX_PAGE,
		.bloom_bits = count_keys(index) * BLOOM_BITS_PER_KEY + 64,
	};

	g.fence = malloc((g.n_fence + 1) * sizeof(*g.fence));
	g.bloom = calloc(g.bloom_bits / 8 + 1, 1);
	if (!g.fence || !g.bloom) {
		index_guide_free(&g);
		return -ENOMEM;
	}
	for (size_t i = 0; i < g.n_fence; i++)
		g.fence[i] = index->entries[i * INDEX_PAGE].key;
	bloom_fill(&g, index);
	*guide_out = g;
	return 0;
}

void index_guide_free(struct index_guide *guide)
{
	free(guide->fence);
	free(guide->bloom);
	*guide = (struct index_guide){ 0 };
}

bool index_may_have(const struct index_guide *g, uint64_t key)
{
	for (unsigned probe = 0; probe < BLOOM_PROBES; probe++) {
		size_t bit = bloom_bit(g, key, probe);

		if (!(g->bloom[bit / 8] & 1u << bit % 8))
			return false;
	}
	return true;
}

/* The last page that begins below the key: its first entries may be there already. Page 0 if none does. */
static size_t first_page(const struct index_guide *g, uint64_t key)
{
	size_t low = 0, high = g->n_fence;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->fence[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

int index_lookup(const struct index_guide *g, int fd, uint64_t key,
		 void (*each)(void *arg, const struct index_entry *entry), void *arg,
		 uint64_t *bytes_read)
{
	struct index_entry page[INDEX_PAGE];

	for (size_t i = first_page(g, key); i < g->n_fence && g->fence[i] <= key; i++) {
		size_t from = i * INDEX_PAGE, n = g->head.n_entries - from;
		int err;

		n = n < INDEX_PAGE ? n : INDEX_PAGE;
		err = read_at(fd, page, n * sizeof(*page), sizeof(g->head) + from * sizeof(*page),
			      bytes_read);
		if (err)
			return err;
		for (size_t k = 0; k < n; k++)
			if (page[k].key == key)
				each(arg, &page[k]);
	}
	return 0;
}

static uint64_t rows_at(const struct index_head *h)
{
	return sizeof(*h) + h->n_entries * sizeof(struct index_entry);
}

int index_row(const struct index_guide *g, int fd, uint64_t call, struct call_row *row_out)
{
	size_t low = 0, high = g->head.n_rows;
	uint64_t bytes_read = 0;
	struct call_row row;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int err = read_at(fd, &row, sizeof(row), rows_at(&g->head) + middle * sizeof(row),
				  &bytes_read);

		if (err)
			return err;
		if (row.call == call) {
			*row_out = row;
			return 0;
		}
		if (row.call < call)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

int index_rows(const struct index_guide *g, int fd, struct call_row **rows_out)
{
	size_t len = g->head.n_rows * sizeof(struct call_row);
	struct call_row *rows = malloc(len + 1);
	uint64_t bytes_read = 0;
	int err = rows ? read_at(fd, rows, len, rows_at(&g->head), &bytes_read) : -ENOMEM;

	if (err)
		free(rows);
	else
		*rows_out = rows;
	return err;
}

int index_strings(const struct index_guide *g, int fd, uint32_t from, uint32_t to,
		  char **strings_out)
{
	uint64_t at = rows_at(&g->head) + g->head.n_rows * sizeof(struct call_row);
	char *strings = malloc((size_t)(to - from) + 1);
	uint64_t bytes_read = 0;
	int err = strings ? read_at(fd, strings, to - from, at + from, &bytes_read) : -ENOMEM;

	if (err)
		free(strings);
	else
		*strings_out = strings;
	return err;
}
