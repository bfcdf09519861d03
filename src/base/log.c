/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int log_fd = STDERR_FILENO;
static atomic_int log_max = LOG_INFO;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

int log_level_parse(struct span name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (span_ieq(name, span_of(level_names[i]))) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

int log_open(const char *target, enum log_level level)
{
	int fd = STDERR_FILENO, old;

	if (strcmp(target, "stderr") != 0) {
		fd = open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (fd < 0)
			return -errno;
	}
	old = atomic_exchange(&log_fd, fd);
	if (old != STDERR_FILENO)
		close(old);
	log_set_level(level);
	return 0;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_max, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_max, memory_order_relaxed);
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list ap;
	size_t n;
	int more;

	if (!log_enabled(level))
		return;
	clock_format(clock_utc_us(), line, sizeof(line));
	n = strlen(line);
	n += (size_t)snprintf(line + n, sizeof(line) - n, " %-5s ", level_names[level]);
	va_start(ap, format);
	more = vsnprintf(line + n, sizeof(line) - n - 1, format, ap);
	va_end(ap);
	if (more > 0)
		n += (size_t)more < sizeof(line) - n - 1 ? (size_t)more : sizeof(line) - n - 2;
	line[n++] = '\n';
	if (write(atomic_load(&log_fd), line, n) < 0)
		return; /* nowhere left to say it */
}
