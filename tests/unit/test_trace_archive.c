/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The archive gives back what was written: across batches, segments, restarts, torn and damaged files, and a disk that is
 * full; beside it the plain list of trace_bed.h. */
#include "trace_bed.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Some blocks of a few calls at a time. */
static void write_some(struct bed *bed, unsigned blocks)
{
	for (unsigned i = 0; i < blocks; i++) {
		unsigned call = bed->n_calls ? bed->n_calls - 1 : 0;

		if (!bed->n_calls || bed_random(bed, 6) == 0) {
			call = bed_call(bed, bed_random(bed, 2));
			bed_message(bed, call, 'a', 300, false);
			bed_note(bed, call, TRACE_CALL, "from customer-7");
			continue;
		}
		call -= bed_random(bed, call < 8 ? call + 1 : 8);
		switch (bed_random(bed, 8)) {
		case 0:
			bed_note(bed, call, TRACE_DIAL, "gateway v-1\nand a second line");
			break;
		case 1:
			bed_note(bed, call, TRACE_END, "the caller hung up");
			break;
		case 2:
			bed_message(bed, call, 'b', bed_random(bed, 100) ? 900 : 150000, true);
			break;
		default:
			bed_message(bed, call, bed_random(bed, 2) ? 'a' : 'b', 600, true);
		}
	}
}

static void test_batches(void **state)
{
	struct bed bed;

	bed_begin(&bed, 1);
	for (unsigned round = 0; round < 40; round++) {
		write_some(&bed, 1 + bed_random(&bed, 600));
		assert_int_equal(
			bed_write(&bed, bed_random(&bed, 8) ? SERIES_CALLS : SERIES_REGISTRATIONS),
			0);
		if (round % 7 == 3)
			assert_int_equal(archive_finish(bed.archive, SERIES_CALLS), 0);
		if (round % 11 == 5) {
			archive_close(&bed.archive);
			bed_open(&bed);
		}
	}
	assert_true(bed.n_blocks > 8000);
	bed_check_all(&bed);
	bed_end(&bed);
}

static void test_unknown(void **state)
{
	struct bed bed;
	uint64_t keys[] = { key_of_call(77), key_of_sip_call_id(SPAN("nobody")) };
	struct trace_reading *reading;

	bed_begin(&bed, 2);
	write_some(&bed, 300);
	assert_int_equal(bed_write(&bed, SERIES_CALLS), 0);
	reading = bed_read(&bed, keys, 2);
	assert_int_equal(reading->n, 0);
	bed_reading_free(reading);
	bed_end(&bed);
}

/* ---- files that are not as they were ------------------------------------------------------------- */

/* The only segment of calls; the caller frees. Its path, or that of its index. */
static char *segment_path(const struct bed *bed, const char *ending)
{
	DIR *dir = opendir(bed->folder);
	struct dirent *item;
	char *path = NULL;

	while ((item = readdir(dir))) {
		size_t len = strlen(item->d_name), end = strlen(ending);

		if (strncmp(item->d_name, "calls-", 6) != 0 || len < end ||
		    strcmp(item->d_name + len - end, ending) != 0)
			continue;
		assert_null(path);
		assert_true(asprintf(&path, "%s/%s", bed->folder, item->d_name) > 0);
	}
	closedir(dir);
	return path;
}

static char *load(const char *path, size_t *len_out)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	char *bytes;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_int_equal(fread(bytes, 1, (size_t)st.st_size, file), st.st_size);
	fclose(file);
	*len_out = (size_t)st.st_size;
	return bytes;
}

static void save(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

/* Closes the archive, gives the segment these bytes, removes the index and opens again. */
static void reopen_with(struct bed *bed, const char *path, const char *bytes, size_t len)
{
	char *index;

	archive_close(&bed->archive);
	index = segment_path(bed, ".idx");
	if (index)
		unlink(index);
	free(index);
	save(path, bytes, len);
	bed_open(bed);
}

/* All blocks but number `missing` (n_blocks = none) and those from `end` on. */
static void check_blocks(struct bed *bed, unsigned missing, unsigned end)
{
	for (unsigned call = 0; call < bed->n_calls; call++) {
		const struct bed_call *c = &bed->calls[call];
		unsigned expected = 0;

		for (unsigned i = 0; i < c->n_blocks; i++)
			expected += c->blocks[i] != missing && c->blocks[i] < end;
		assert_int_equal(bed_count_call(bed, call), expected);
	}
}

static void write_small(struct bed *bed, unsigned calls)
{
	for (unsigned i = 0; i < calls; i++) {
		unsigned call = bed_call(bed, false);

		bed_message(bed, call, 'a', 200 + bed_random(bed, 50), true);
		bed_note(bed, call, TRACE_CALL, "a call");
		bed_message(bed, call, 'b', 200 + bed_random(bed, 50), true);
		bed_note(bed, call, TRACE_END, "it is over");
	}
	assert_int_equal(bed_write(bed, SERIES_CALLS), 0);
}

static void test_torn_at_every_byte(void **state)
{
	struct bed bed;
	size_t len, end, from;
	unsigned whole;
	char *path, *bytes;

	bed_begin(&bed, 3);
	write_small(&bed, 3);
	archive_close(&bed.archive);
	path = segment_path(&bed, ".pcapng");
	bytes = load(path, &len);
	bed_open(&bed);
	whole = bed.n_blocks;
	end = len;
	from = len;
	for (unsigned i = 1; i <= 6; i++)
		from -= bed.blocks[bed.n_blocks - i].block.len;
	for (size_t cut = len; cut >= from; cut--) {
		if (cut < end)
			end -= bed.blocks[--whole].block.len;
		reopen_with(&bed, path, bytes, cut);
		check_blocks(&bed, bed.n_blocks, whole);
	}
	free(bytes);
	free(path);
	bed_end(&bed);
}

/* A message of several blocks is there as a whole or not at all. */
static void test_torn_long_message(void **state)
{
	struct bed bed;
	size_t len, from;
	unsigned call;
	char *path, *bytes;

	bed_begin(&bed, 12);
	write_small(&bed, 2);
	call = bed_call(&bed, false);
	bed_message(&bed, call, 'a', 150000, true);
	assert_int_equal(bed_write(&bed, SERIES_CALLS), 0);
	archive_close(&bed.archive);
	path = segment_path(&bed, ".pcapng");
	bytes = load(path, &len);
	bed_open(&bed);
	from = len - bed.blocks[bed.n_blocks - 1].block.len;
	for (size_t cut = len; cut >= from; cut -= 1 + bed_random(&bed, 2000)) {
		reopen_with(&bed, path, bytes, cut);
		check_blocks(&bed, bed.n_blocks, bed.n_blocks - (cut < len));
	}
	free(bytes);
	free(path);
	bed_end(&bed);
}

/* Torn within the head of a segment: nothing of it is left, and nothing in the way of the next. */
static void test_torn_head(void **state)
{
	struct bed bed;
	size_t len;
	char *path, *bytes, *left;

	bed_begin(&bed, 4);
	write_small(&bed, 1);
	archive_close(&bed.archive);
	path = segment_path(&bed, ".pcapng");
	bytes = load(path, &len);
	bed_open(&bed);
	for (size_t cut = 0; cut <= bed.archive->head_len; cut += 4) {
		reopen_with(&bed, path, bytes, cut);
		check_blocks(&bed, 0, 0);
		left = segment_path(&bed, ".pcapng");
		assert_null(left);
	}
	free(bytes);
	free(path);
	bed_end(&bed);
}

/* Can a reader of pcapng pass through all of it? */
static bool is_pcapng(const char *bytes, size_t len)
{
	uint32_t total;

	for (size_t at = 0; at < len; at += total) {
		memcpy(&total, bytes + at + 4, 4);
		if (total < 12 || total > len - at ||
		    memcmp(bytes + at + total - 4, &total, 4) != 0)
			return false;
	}
	return true;
}

static void test_damaged_block(void **state)
{
	struct bed bed;
	size_t len, at, new_len;
	char *path, *bytes, *again;

	bed_begin(&bed, 5);
	write_small(&bed, 10);
	archive_close(&bed.archive);
	path = segment_path(&bed, ".pcapng");
	bytes = load(path, &len);
	bed_open(&bed);
	at = bed.archive->head_len;
	for (unsigned i = 0; i < bed.n_blocks - 1; at += bed.blocks[i++].block.len) {
		unsigned byte = bed_random(&bed, 2) ? 4 : bed.blocks[i].block.len - 4;

		bytes[at + byte] ^= 0x40;
		reopen_with(&bed, path, bytes, len);
		check_blocks(&bed, i, bed.n_blocks);
		bytes[at + byte] ^= 0x40;
		again = load(path, &new_len);
		assert_int_equal(new_len, len);
		assert_true(is_pcapng(again, new_len));
		free(again);
	}
	free(bytes);
	free(path);
	bed_end(&bed);
}

static void test_damaged_end_is_set_aside(void **state)
{
	struct bed bed;
	size_t len, aside_len, more = 3u << 20;
	char *path, *bytes, *aside;

	bed_begin(&bed, 6);
	write_small(&bed, 5);
	archive_close(&bed.archive);
	path = segment_path(&bed, ".pcapng");
	bytes = load(path, &len);
	bytes = realloc(bytes, len + more);
	for (size_t i = 0; i < more; i++)
		bytes[len + i] = (char)('a' + i % 26);
	bed_open(&bed);
	reopen_with(&bed, path, bytes, len + more);
	bed_check_all(&bed);
	free(path);
	path = segment_path(&bed, ".damaged");
	assert_non_null(path);
	aside = load(path, &aside_len);
	assert_int_equal(aside_len, more);
	assert_memory_equal(aside, bytes + len, more);
	free(aside);
	free(bytes);
	free(path);
	bed_end(&bed);
}

static void test_zeros_after_power_loss(void **state)
{
	struct bed bed;
	size_t len, more = 5u << 20;
	char *path, *bytes, *aside;

	bed_begin(&bed, 7);
	write_small(&bed, 5);
	archive_close(&bed.archive);
	path = segment_path(&bed, ".pcapng");
	bytes = load(path, &len);
	bytes = realloc(bytes, len + more);
	memset(bytes + len, 0, more);
	bed_open(&bed);
	reopen_with(&bed, path, bytes, len + more);
	bed_check_all(&bed);
	aside = segment_path(&bed, ".damaged");
	assert_null(aside);
	free(bytes);
	free(path);
	bed_end(&bed);
}

static void test_index_damaged(void **state)
{
	struct bed bed;
	size_t len;
	char *path, *bytes;

	bed_begin(&bed, 8);
	write_small(&bed, 10);
	archive_close(&bed.archive);
	path = segment_path(&bed, ".idx");
	bytes = load(path, &len);
	for (unsigned i = 0; i < 40; i++) {
		size_t at = bed_random(&bed, (uint32_t)len);

		bytes[at] ^= 1;
		save(path, bytes, len);
		bytes[at] ^= 1;
		bed_open(&bed);
		bed_check_all(&bed);
		archive_close(&bed.archive);
		save(path, bytes, bed_random(&bed, (uint32_t)len));
		bed_open(&bed);
		bed_check_all(&bed);
		archive_close(&bed.archive);
	}
	bed_open(&bed);
	free(bytes);
	free(path);
	bed_end(&bed);
}

static void test_foreign_file(void **state)
{
	struct bed bed;
	char path[128], *aside;

	bed_begin(&bed, 9);
	archive_close(&bed.archive);
	snprintf(path, sizeof(path), "%s/calls-0006000000000000.pcapng", bed.folder);
	save(path, "this is a letter to my aunt", 27);
	bed_open(&bed);
	aside = segment_path(&bed, ".damaged");
	assert_non_null(aside);
	assert_int_not_equal(access(path, F_OK), 0);
	free(aside);
	bed_end(&bed);
}

/* ---- a disk that refuses --------------------------------------------------------------------------- */

static void test_disk_full(void **state)
{
	struct rlimit before, small;
	struct bed bed;
	unsigned full = 0;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	bed_begin(&bed, 10);
	for (unsigned round = 0; round < 60; round++) {
		write_some(&bed, 20 + bed_random(&bed, 200));
		small.rlim_cur = 20000 + bed_random(&bed, 400000);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		full += bed_write(&bed, SERIES_CALLS) != 0;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		bed_check_all(&bed);
		if (round % 9 == 2) {
			archive_close(&bed.archive);
			bed_open(&bed);
			bed_check_all(&bed);
		}
	}
	assert_true(full > 5);
	assert_int_equal(bed_write(&bed, SERIES_CALLS), 0);
	bed_check_all(&bed);
	bed_end(&bed);
}

/* ---- a process that is killed ----------------------------------------------------------------------- */

#ifdef CAUSEWAY_SANITIZED
#define KILLS 20 /* each fork copies the shadow's pages */
#else
#define KILLS 100
#endif

struct shared {
	_Atomic unsigned acknowledged; /* blocks */
};

/* The child writes the blocks that the parent has made, from `written` on. */
static void write_until_killed(struct bed *bed, struct shared *shared)
{
	bed_open(bed);
	while (bed->written < bed->n_blocks) {
		struct archive_block blocks[64];
		unsigned n = 1 + bed_random(bed, 63);

		n = n < bed->n_blocks - bed->written ? n : bed->n_blocks - bed->written;
		for (unsigned i = 0; i < n; i++)
			blocks[i] = bed->blocks[bed->written + i].block;
		if (archive_append(bed->archive, SERIES_CALLS, blocks, n) != 0)
			_exit(1);
		bed->written += n;
		atomic_store(&shared->acknowledged, bed->written);
		if (bed_random(bed, 16) == 0)
			archive_finish(bed->archive, SERIES_CALLS);
	}
	for (;;)
		pause();
}

static void test_killed(void **state)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct bed bed;
	unsigned amid = 0, first;
	int status;
	pid_t pid;

	bed_begin(&bed, 11);
	for (unsigned round = 0; round < KILLS; round++) {
		archive_close(&bed.archive);
		first = bed.n_calls > 8 ? bed.n_calls - 8 : 0;
		write_some(&bed, 200);
		atomic_store(&shared->acknowledged, bed.written);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			write_until_killed(&bed, shared);
		usleep(bed_random(&bed, 3000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		bed_open(&bed);
		/* More may be there than was acknowledged, but not less; what is not there is written again. */
		amid += atomic_load(&shared->acknowledged) > bed.written &&
			atomic_load(&shared->acknowledged) < bed.n_blocks;
		bed.written = atomic_load(&shared->acknowledged);
		for (unsigned call = first; call < bed.n_calls; call++)
			assert_true(bed_count_call(&bed, call) >= bed_written_of(&bed, call));
	}
	for (unsigned call = 0; call < bed.n_calls; call++)
		assert_true(bed_count_call(&bed, call) >= bed_written_of(&bed, call));

	assert_true(amid > 0);
	bed_end(&bed);
	munmap(shared, sizeof(*shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_torn_at_every_byte),
		cmocka_unit_test(test_torn_long_message),
		cmocka_unit_test(test_torn_head),
		cmocka_unit_test(test_damaged_block),
		cmocka_unit_test(test_damaged_end_is_set_aside),
		cmocka_unit_test(test_zeros_after_power_loss),
		cmocka_unit_test(test_index_damaged),
		cmocka_unit_test(test_foreign_file),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_killed),
	};

	log_open("/dev/null", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
