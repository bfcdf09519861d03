/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A segment of any bytes: its blocks read one by one, then mended in a folder and asked for all that the index names. The
 * bytes follow a good head. */
#include "trace/archive_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void touch(struct span s)
{
	static volatile char sink;

	for (size_t i = 0; i < s.len; i++)
		sink = s.p[i];
	(void)sink;
}

static void touch_entry(const struct trace_entry *e)
{
	touch(e->text);
	touch(e->object);
	touch(e->sip_call_id);
	for (unsigned i = 0; i < e->n_fields; i++)
		touch(e->fields[i].value);
	if (e->kind >= TRACE_KINDS || e->n_fields > TRACE_FIELDS_MAX)
		abort();
}

static void read_blocks(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size + 1);
	struct trace_entry entry;
	enum block_is is;
	size_t len;

	memcpy(bytes, data, size);
	for (size_t at = 0; (len = block_read(bytes + at, size - at, &entry, &is)); at += len) {
		if (len > size - at)
			abort();
		if (is != BLOCK_ALIEN)
			touch_entry(&entry);
	}
	if (block_join(bytes, size, &entry))
		touch_entry(&entry);
	free(bytes);
}

static int folder_fd = -1;
static char folder[] = "/dev/shm/causeway-fuzz-XXXXXX";

static void leave(void)
{
	unlinkat(folder_fd, "calls-0000000000000001.pcapng", 0);
	unlinkat(folder_fd, "calls-0000000000000001.pcapng.damaged", 0);
	rmdir(folder);
}

static void mend(const uint8_t *data, size_t size)
{
	char head[128];
	size_t head_len = block_write_head(head, sizeof(head), "fuzz");
	struct index index, again;
	int fd = openat(folder_fd, "calls-0000000000000001.pcapng", O_RDWR | O_CREAT | O_TRUNC,
			0600);

	if (write(fd, head, head_len) != (ssize_t)head_len ||
	    write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	if (segment_repair(folder_fd, SERIES_CALLS, 1, &index) != 0)
		return;
	/* What was mended once is sound. */
	if (segment_repair(folder_fd, SERIES_CALLS, 1, &again) != 0 ||
	    again.head.n_entries != index.head.n_entries || again.head.n_rows != index.head.n_rows)
		abort();
	for (size_t i = 0; i < index.head.n_rows; i++) {
		struct trace_call call;

		if (!row_to_call(&call, &index.rows[i], index.strings + index.rows[i].strings))
			abort();
	}
	index_free(&index);
	index_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (folder_fd < 0) {
		log_open("/dev/null", LOG_ERROR);
		folder_fd = mkdtemp(folder) ? open(folder, O_RDONLY | O_DIRECTORY) : -1;
		if (folder_fd < 0)
			abort();
		atexit(leave);
	}
	read_blocks(data, size);
	/* Files are slow. */
	if (crc32c(data, size) % 16 == 0)
		mend(data, size);
	return 0;
}
