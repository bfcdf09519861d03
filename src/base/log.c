/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"
#include "base/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define LINES_WAITING_MAX 1024
#define STOP_SECONDS 2

static atomic_int log_max = LOG_INFO;
static atomic_int target = STDERR_FILENO;

/* What the thread shall write to; it takes it over before the next line. */
static struct {
	pthread_mutex_t lock;
	int target; /* -1 = as it is */
	bool keep;
	char path[LOG_PATH_MAX];
	uint64_t limit;
} wanted = { .lock = PTHREAD_MUTEX_INITIALIZER, .target = -1 };

/* The ring outlives the thread: whoever logs while it stops may still hold it. */
static struct {
	atomic_bool running, stopping;
	pthread_t thread;
	struct ring *ring;
	_Atomic uint64_t dropped;
	struct log_file file; /* the thread's own */
} writer = { .file.fd = -1 };

struct log_text {
	size_t len;
	char bytes[];
};

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

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_max, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_max, memory_order_relaxed);
}

/* ---- places ---------------------------------------------------------------------------- */

static void close_target(int fd)
{
	if (fd >= 0 && fd != STDERR_FILENO)
		close(fd);
}

static void take_wanted(void)
{
	pthread_mutex_lock(&wanted.lock);
	if (wanted.target >= 0)
		close_target(atomic_exchange(&target, wanted.target));
	wanted.target = -1;
	if (wanted.keep)
		log_file_set(&writer.file, wanted.path[0] ? wanted.path : NULL, wanted.limit);
	wanted.keep = false;
	pthread_mutex_unlock(&wanted.lock);
}

int log_open(const char *to, enum log_level level)
{
	int fd = STDERR_FILENO;

	if (strcmp(to, "stderr") != 0) {
		fd = open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (fd < 0)
			return -errno;
	}
	pthread_mutex_lock(&wanted.lock);
	close_target(wanted.target);
	wanted.target = fd;
	pthread_mutex_unlock(&wanted.lock);
	if (!atomic_load(&writer.running))
		take_wanted();
	log_set_level(level);
	return 0;
}

void log_keep(const char *path, uint64_t limit_bytes)
{
	pthread_mutex_lock(&wanted.lock);
	span_copy(span_of(path), wanted.path, sizeof(wanted.path));
	wanted.limit = limit_bytes;
	wanted.keep = true;
	pthread_mutex_unlock(&wanted.lock);
}

/* ---- lines ----------------------------------------------------------------------------- */

/* The line with its end, cut where it is too long. */
__attribute__((format(printf, 3, 0))) static struct span
compose(char line[LINE_MAX_BYTES], enum log_level level, const char *format, va_list ap)
{
	size_t n, room;
	int more;

	clock_format(clock_utc_us(), line, LINE_MAX_BYTES);
	n = strlen(line);
	n += (size_t)snprintf(line + n, LINE_MAX_BYTES - n, " %-5s ", level_names[level]);
	room = LINE_MAX_BYTES - n - 1;
	more = vsnprintf(line + n, room, format, ap);
	if (more > 0)
		n += (size_t)more < room ? (size_t)more : room - 1;
	line[n++] = '\n';
	return (struct span){ line, n };
}

static void write_target(struct span line)
{
	if (write(atomic_load(&target), line.p, line.len) < 0)
		return; /* nowhere left to say it */
}

/* A line of the log about itself. */
__attribute__((format(printf, 3, 4))) static void say(void (*to)(struct span line),
						      enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, format);
	to(compose(line, level, format, ap));
	va_end(ap);
}

static void write_file(struct span line)
{
	log_file_write(&writer.file, line);
}

static void write_both(struct span line)
{
	struct log_file *file = &writer.file;
	uint64_t lost = file->lost;
	int before = file->error;
	int err = log_file_write(file, line);

	write_target(line);
	if (err && !lost)
		say(write_target, LOG_ERROR, "log file %s: %s; its lines are lost", file->path,
		    strerror(-err));
	if (!err && lost)
		say(write_file, LOG_WARN, "%llu lines before the last are missing: %s",
		    (unsigned long long)lost, strerror(before));
}

static void write_waiting(void)
{
	uint64_t dropped;
	void *item;
	int tag;

	while (ring_pop(writer.ring, &tag, &item)) {
		struct log_text *text = item;

		take_wanted();
		if (text)
			write_both((struct span){ text->bytes, text->len });
		free(text);
	}
	dropped = atomic_exchange(&writer.dropped, 0);
	if (dropped)
		say(write_both, LOG_WARN, "%llu lines were dropped: the log is slow",
		    (unsigned long long)dropped);
}

static void *write_lines(void *arg)
{
	struct pollfd wait = { .fd = ring_fd(writer.ring), .events = POLLIN };

	while (!atomic_load(&writer.stopping)) {
		poll(&wait, 1, -1);
		ring_woken(writer.ring);
		write_waiting();
	}
	write_waiting();
	return NULL;
}

int log_start(void)
{
	int err;

	if (!writer.ring)
		writer.ring = ring_new(LINES_WAITING_MAX);
	if (!writer.ring)
		return -ENOMEM;
	atomic_store(&writer.stopping, false);
	err = pthread_create(&writer.thread, NULL, write_lines, NULL);
	if (err)
		return -err;
	pthread_setname_np(writer.thread, "log");
	atomic_store(&writer.running, true);
	return 0;
}

void log_stop(void)
{
	struct timespec until;

	if (!atomic_exchange(&writer.running, false))
		return;
	atomic_store(&writer.stopping, true);
	ring_push(writer.ring, 0, NULL); /* where it is full the thread is awake anyway */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_SECONDS;
	if (pthread_timedjoin_np(writer.thread, NULL, &until))
		return; /* it waits for a place; its file is left to the process's end */
	take_wanted();
	log_file_set(&writer.file, NULL, 0);
}

static void hand_over(struct span line)
{
	struct log_text *text = malloc(sizeof(*text) + line.len);

	if (text) {
		text->len = line.len;
		memcpy(text->bytes, line.p, line.len);
		if (ring_push(writer.ring, 0, text))
			return;
	}
	free(text);
	atomic_fetch_add(&writer.dropped, 1);
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	struct span whole;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, format);
	whole = compose(line, level, format, ap);
	va_end(ap);
	if (atomic_load(&writer.running))
		hand_over(whole);
	else
		write_target(whole);
}
