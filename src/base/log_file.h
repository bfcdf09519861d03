/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_file: a file of lines within a limit. FILE and FILE.1 are used in turn: when FILE is full it becomes FILE.1 in place of
 * the older one, so that up to twice the limit is kept. What the disk refuses is lost and counted; it is tried again a second
 * later. Not thread-safe. */
#ifndef CAUSEWAY_LOG_FILE_H
#define CAUSEWAY_LOG_FILE_H

#include "base/span.h"

#define LOG_PATH_MAX 4096

struct log_file {
	char path[LOG_PATH_MAX];		/* "" = none */
	uint64_t limit;			/* bytes of each of the two */
	uint64_t size;
	int fd;				/* -1 = not open */
	int error;			/* why the last line was lost */
	uint64_t lost;			/* lines since the last one that was written */
	uint64_t retry_us;		/* not opened before (monotonic) */
};

#define LOG_FILE_NONE ((struct log_file){ .fd = -1 })

/* Closes; `path` is opened with the next line, what stands in it is kept. NULL: none. */
void log_file_set(struct log_file *file, const char *path, uint64_t limit);
/* One line with its end, in one write(2): all of it or nothing. 0 (also without a file), or -errno. */
int log_file_write(struct log_file *file, struct span line);

#endif
