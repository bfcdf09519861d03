/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log: few lines, for people. What happens to calls goes into records and trace; the log
 * tells of the process and its surroundings. Any thread; one write(2) per line and place.
 *
 * There are two places: the target, and beside it a file that is kept within a limit. Until log_start whoever logs writes to
 * the target himself; from then on a thread of its own writes to both, and nobody waits for a place that is full, slow or
 * refuses: lines are dropped, and the log says how many. */
#ifndef CAUSEWAY_LOG_H
#define CAUSEWAY_LOG_H

#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* `target`: "stderr" or a file's path, opened for append. 0 or -errno (then unchanged). */
int log_open(const char *target, enum log_level level);
/* From the next line on also to `path`, in turn with `path`.1 (base/log_file.h); NULL: no longer. Needs log_start. When it
 * cannot be written the target hears of it. */
void log_keep(const char *path, uint64_t limit_bytes);
/* 0 or -errno; log_stop writes what waits (within 2 s). From the main thread. */
int log_start(void);
void log_stop(void);
/* "error", "warn", "info", "debug": 0 or -EINVAL. */
int log_level_parse(struct span name, enum log_level *out);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) \
	do { \
		if (log_enabled(LOG_DEBUG)) \
			log_line(LOG_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
