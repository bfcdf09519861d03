/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log: its file of two in turn, its thread, and what it does when a place refuses. */
#include "base/base.h"
#include "base/log_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define TEXT_MAX (8u << 20)

static char folder[64];

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/cwlog.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static const char *path_of(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *out = path[turn++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", folder, name);
	return out;
}

static int teardown(void **state)
{
	static const char *const names[] = { "log", "log.1", "target", "fifo", "other" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(path_of(names[i]));
	return rmdir(folder);
}

/* The file's text, "" when there is none; free it. */
static char *text_of(const char *name)
{
	char *text = calloc(1, TEXT_MAX + 1);
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, TEXT_MAX);

	assert_true(n >= 0 && n < TEXT_MAX);
	if (fd >= 0)
		close(fd);
	return text;
}

static uint64_t size_of(const char *name)
{
	struct stat st;

	return stat(path_of(name), &st) ? 0 : (uint64_t)st.st_size;
}

static void write_number(struct log_file *file, unsigned number, int err)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "line %05u\n", number);

	assert_int_equal(log_file_write(file, (struct span){ line, (size_t)n }), err);
}

/* The lines of a file are numbers in a row, whole, beginning with *next; all of `name`'s are taken. */
static void expect_row(const char *name, unsigned *next)
{
	char *text = text_of(name), *at = text;
	unsigned number;

	for (; *at; at += 11, (*next)++) {
		assert_int_equal(sscanf(at, "line %05u\n", &number), 1);
		assert_int_equal(at[10], '\n');
		assert_int_equal(number, *next);
	}
	free(text);
}

#define LIMIT 1000
#define PER_FILE (LIMIT / 11)

/* At every moment the newest lines stand in the two files, in a row, and neither passes the limit. */
static void test_in_turn(void **state)
{
	struct log_file file = LOG_FILE_NONE;

	log_file_set(&file, path_of("log"), LIMIT);
	for (unsigned i = 0; i < 5 * PER_FILE + 7; i++) {
		unsigned next;

		write_number(&file, i, 0);
		assert_true(size_of("log") <= LIMIT && size_of("log.1") <= LIMIT);
		next = i < PER_FILE ? 0 : (i / PER_FILE - 1) * PER_FILE;
		expect_row("log.1", &next);
		expect_row("log", &next);
		assert_int_equal(next, i + 1);
	}
	log_file_set(&file, NULL, 0);
	write_number(&file, 9, 0); /* no file: no error */
}

static void test_goes_on_after_restart(void **state)
{
	unsigned next = 0;

	for (unsigned i = 0; i < PER_FILE + 10; i++) {
		struct log_file file = LOG_FILE_NONE;

		log_file_set(&file, path_of("log"), LIMIT);
		write_number(&file, i, 0);
		log_file_set(&file, NULL, 0);
	}
	expect_row("log.1", &next);
	expect_row("log", &next);
	assert_int_equal(next, PER_FILE + 10);
}

static void test_smaller_limit(void **state)
{
	struct log_file file = LOG_FILE_NONE;

	log_file_set(&file, path_of("log"), LIMIT);
	for (unsigned i = 0; i < 50; i++)
		write_number(&file, i, 0);
	log_file_set(&file, path_of("log"), 100);
	write_number(&file, 50, 0);
	assert_int_equal(size_of("log"), 11);
	log_file_set(&file, path_of("log"), 5); /* smaller than a line: then one line each */
	write_number(&file, 51, 0);
	assert_int_equal(size_of("log"), 11);
	assert_int_equal(size_of("log.1"), 11);
	log_file_set(&file, NULL, 0);
}

static void set_disk(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that fills in mid-line leaves no half line, and takes lines again when it has room. */
static void test_full_disk(void **state)
{
	struct log_file file = LOG_FILE_NONE;
	unsigned next = 0;
	char *text;

	log_file_set(&file, path_of("log"), LIMIT);
	write_number(&file, 0, 0);
	write_number(&file, 1, 0);
	set_disk(27);
	write_number(&file, 2, -ENOSPC);
	set_disk(22);
	write_number(&file, 2, -EFBIG);
	assert_int_equal(file.lost, 2);
	assert_int_equal(file.error, EFBIG);
	set_disk(RLIM_INFINITY);
	expect_row("log", &next);
	assert_int_equal(next, 2);
	write_number(&file, 2, 0);
	assert_int_equal(file.lost, 0);
	next = 0;
	expect_row("log", &next);
	assert_int_equal(next, 3);
	text = text_of("log.1");
	assert_string_equal(text, "");
	free(text);
	log_file_set(&file, NULL, 0);
}

/* No folder: refused; soon after it is there, it is written. A symbolic link is never followed. */
static void test_refused(void **state)
{
	struct log_file file = LOG_FILE_NONE;

	log_file_set(&file, path_of("none/log"), LIMIT);
	write_number(&file, 0, -ENOENT);
	write_number(&file, 1, -ENOENT);
	assert_int_equal(file.lost, 2);
	assert_int_equal(mkdir(path_of("none"), 0700), 0);
	file.retry_us = 0;
	write_number(&file, 2, 0);
	log_file_set(&file, NULL, 0);
	assert_int_equal(size_of("none/log"), 11);
	unlink(path_of("none/log"));
	rmdir(path_of("none"));
	assert_int_equal(symlink(path_of("other"), path_of("log")), 0);
	log_file_set(&file, path_of("log"), LIMIT);
	write_number(&file, 3, -ELOOP);
	assert_int_equal(access(path_of("other"), F_OK), -1);
	log_file_set(&file, NULL, 0);
}

/* ---- the thread -------------------------------------------------------------------------- */

#define LOGGERS 8
#define EACH 2000

static void *log_numbers(void *arg)
{
	for (unsigned i = 0; i < EACH; i++)
		log_info("logger %c number %05u", *(char *)arg, i);
	return NULL;
}

/* Lines are whole, each logger's in its order; returns how many, and adds what the log says it dropped. */
static unsigned count_lines(const char *name, unsigned *dropped)
{
	unsigned found = 0, last[LOGGERS] = { 0 }, number, lost;
	char *text = text_of(name), *at = text, *end;
	char who;

	for (; (end = strchr(at, '\n')); at = end + 1) {
		const char *message = at + 28 + 6;

		assert_int_equal(at[26], 'Z');
		if (sscanf(message, "logger %c number %05u", &who, &number) == 2) {
			assert_int_equal(end - message, 21);
			assert_true(who >= 'a' && who < 'a' + LOGGERS);
			assert_true(number + 1 > last[who - 'a']);
			last[who - 'a'] = number + 1;
			found++;
		} else if (sscanf(message, "%u lines were dropped", &lost) == 1) {
			*dropped += lost;
		} else {
			assert_non_null(strstr(message, "the last line"));
		}
	}
	assert_int_equal(*at, '\0');
	free(text);
	return found;
}

static void test_many_loggers(void **state)
{
	static const char names[] = "abcdefgh";
	pthread_t threads[LOGGERS];
	unsigned dropped = 0, unused = 0, found;
	char *text;

	assert_int_equal(log_open(path_of("target"), LOG_INFO), 0);
	assert_int_equal(log_start(), 0);
	log_keep(path_of("log"), 20000);
	for (unsigned i = 0; i < LOGGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_numbers, (void *)&names[i]),
				 0);
	for (unsigned i = 0; i < 50; i++) /* whoever changes settings meanwhile disturbs nothing */
		log_keep(path_of("log"), 20000);
	for (unsigned i = 0; i < LOGGERS; i++)
		pthread_join(threads[i], NULL);
	log_stop();
	log_info("the last line");
	assert_int_equal(log_open("stderr", LOG_INFO), 0);

	found = count_lines("target", &dropped);
	assert_int_equal(found + dropped, LOGGERS * EACH);
	assert_true(found > 0);
	assert_true(size_of("log") <= 20000 && size_of("log.1") <= 20000);
	assert_true(size_of("log") + size_of("log.1") > 20000);
	assert_true(count_lines("log", &unused) + count_lines("log.1", &unused) > 0);
	text = text_of("log"); /* what is logged without the thread is the target's alone */
	assert_null(strstr(text, "the last line"));
	free(text);
}

/* Nobody reads the target: whoever logs goes on, and later the log says what is missing. */
static void test_slow_place(void **state)
{
	char *text = calloc(1, TEXT_MAX + 1);
	size_t len = 0;
	ssize_t n = 0;
	int fd;

	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	fd = open(path_of("fifo"), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(log_open(path_of("fifo"), LOG_INFO), 0);
	assert_int_equal(log_start(), 0);
	for (unsigned i = 0; i < 5000; i++)
		log_info("line %05u", i);
	while (!strstr(text, "lines were dropped: the log is slow\n") && n >= 0) {
		n = read(fd, text + len, TEXT_MAX - len);
		len += (size_t)n;
	}
	log_stop();
	assert_int_equal(log_open("stderr", LOG_INFO), 0);
	close(fd);
	free(text);
}

/* The target hears that the file refuses, once. */
static void test_refusal_is_told(void **state)
{
	char *target, *kept;

	assert_int_equal(log_open(path_of("target"), LOG_INFO), 0);
	assert_int_equal(log_start(), 0);
	log_keep(path_of("none/log"), 20000);
	log_info("two");
	log_info("three");
	log_stop();
	assert_int_equal(log_open("stderr", LOG_INFO), 0);
	target = text_of("target");
	kept = strstr(target, "none/log: No such file or directory; its lines are lost\n");
	assert_non_null(kept);
	assert_null(strstr(strchr(kept, '\n'), "its lines are lost"));
	assert_non_null(strstr(target, "three\n"));
	free(target);
}

/* The file says how many lines it misses. */
static void test_missing_lines_are_told(void **state)
{
	char *text;

	assert_int_equal(log_open("/dev/null", LOG_INFO), 0);
	assert_int_equal(log_start(), 0);
	set_disk(0);
	log_keep(path_of("log"), 20000);
	log_info("one");
	log_info("two");
	for (unsigned i = 0; i < 3000 && access(path_of("log"), F_OK); i++)
		usleep(1000);
	usleep(50000); /* both are through, or the count below is smaller: still true */
	set_disk(RLIM_INFINITY);
	log_info("three");
	log_stop();
	assert_int_equal(log_open("stderr", LOG_INFO), 0);
	text = text_of("log");
	assert_non_null(strstr(text, "three\n"));
	assert_non_null(strstr(text, " lines before the last are missing: File too large\n"));
	assert_null(strstr(text, "one\n"));
	free(text);
}

static void test_levels(void **state)
{
	char *text;
	enum log_level level;

	assert_int_equal(log_level_parse(SPAN("ERROR"), &level), 0);
	assert_int_equal(log_open(path_of("target"), level), 0);
	log_warn("unheard");
	log_error("heard");
	log_set_level(LOG_DEBUG);
	log_debug("heard too");
	assert_int_equal(log_open("stderr", LOG_INFO), 0);
	text = text_of("target");
	assert_null(strstr(text, "unheard"));
	assert_non_null(strstr(text, "Z error heard\n"));
	assert_non_null(strstr(text, "Z debug heard too\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_goes_on_after_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_smaller_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_loggers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusal_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_lines_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
