/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal while it lives: threads, flush, a failing sink, a full disk, rolling and removal of segments. */
#include "cdr/cdr_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define MOST 20000

/* A sink that counts how often it was given each (call id, attempt). */
struct sink {
	pthread_mutex_t lock;
	unsigned times[MOST][4];
	unsigned total, largest;
	uint64_t last_sequence, talk_us;
	bool in_order;
	atomic_int fail;
};

static struct sink sink = { .lock = PTHREAD_MUTEX_INITIALIZER };
static char folder[64], why[256];

static int take(void *arg, struct cdr_entry *entries, unsigned n)
{
	struct sink *s = arg;
	struct arena *arena;
	unsigned count = 0;
	struct cdr cdr;

	if (atomic_load(&s->fail))
		return -EBUSY;
	arena = arena_new(1024);
	pthread_mutex_lock(&s->lock);
	for (struct cdr_entry *e = entries; e; e = e->next, count++) {
		assert_int_equal(cdr_decode(&cdr, arena, e->data, e->len), 0);
		assert_true(cdr.call_id < MOST && cdr.attempt < 4);
		s->times[cdr.call_id][cdr.attempt]++;
		s->in_order = s->in_order && e->sequence > s->last_sequence;
		s->last_sequence = e->sequence;
		s->talk_us = cdr.talk_us;
	}
	s->total += count;
	s->largest = n > s->largest ? n : s->largest;
	pthread_mutex_unlock(&s->lock);
	assert_int_equal(count, n);
	arena_free(&arena);
	return 0;
}

static void sink_reset(void)
{
	memset(sink.times, 0, sizeof(sink.times));
	sink.total = sink.largest = 0;
	sink.last_sequence = 0;
	sink.in_order = true;
	atomic_store(&sink.fail, 0);
}

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/causeway-journal-XXXXXX");
	sink_reset();
	return mkdtemp(folder) ? 0 : -1;
}

static unsigned count_segments(void)
{
	uint32_t *numbers = NULL;
	unsigned count = 0;
	int fd = open(folder, O_RDONLY | O_DIRECTORY);

	segment_list(fd, &numbers, &count);
	free(numbers);
	close(fd);
	return count;
}

static int teardown(void **state)
{
	char path[400];
	DIR *dir = opendir(folder);
	struct dirent *item;

	while (dir && (item = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, item->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
	return rmdir(folder);
}

static struct journal *open_with(uint64_t segment_bytes, unsigned *settled)
{
	struct journal_config config = { .folder = folder,
					 .segment_bytes = segment_bytes,
					 .sync_us = 1000,
					 .sink = take,
					 .arg = &sink };
	struct journal *j = NULL;

	if (journal_open(&j, &config, settled, why, sizeof(why)) != 0)
		print_error("%s\n", why);
	return j;
}

static void add(struct journal *j, enum cdr_kind kind, uint64_t id, unsigned attempt)
{
	struct cdr cdr = { .call_id = id,
			   .attempt = attempt,
			   .answered = clock_utc_us(),
			   .caller = "4930123456",
			   .end_text = "something of ordinary length that happened" };

	journal_add(j, cdr_encode(kind, &cdr));
}

static void test_one_record(void **state)
{
	struct journal *j = open_with(1 << 20, NULL);
	struct journal_stats stats;

	assert_non_null(j);
	assert_true(journal_flush(j, SEC));
	add(j, CDR_ATTEMPT, 1, 1);
	add(j, CDR_END, 1, 0);
	assert_true(journal_flush(j, 5 * SEC));
	assert_int_equal(sink.times[1][1], 1);
	assert_int_equal(sink.times[1][0], 1);
	journal_stats(j, &stats);
	assert_int_equal(stats.entries, 2);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(stats.unsettled, 0);
	journal_close(&j);
	assert_null(j);
	j = open_with(1 << 20, NULL);
	assert_true(journal_flush(j, SEC));
	journal_close(&j);
	assert_int_equal(sink.total, 2); /* not given again */
	assert_true(sink.in_order);
}

static void test_locked(void **state)
{
	struct journal *j = open_with(1 << 20, NULL);
	struct journal_config config = { .folder = folder, .sink = take, .arg = &sink };
	struct journal *other = NULL;

	assert_int_equal(journal_open(&other, &config, NULL, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, folder));
	journal_close(&j);
}

struct worker {
	pthread_t thread;
	struct journal *journal;
	unsigned first, count;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = w->first; i < w->first + w->count; i++) {
		add(w->journal, CDR_ANSWER, i, 0);
		add(w->journal, CDR_ATTEMPT, i, 1);
		add(w->journal, CDR_END, i, 0);
	}
	assert_true(journal_flush(w->journal, 20 * SEC));
	return NULL;
}

static void test_threads_and_segments(void **state)
{
	struct journal *j = open_with(65536, NULL);
	struct worker workers[4];
	struct journal_stats stats;

	for (unsigned i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .journal = j, .first = i * 1000, .count = 1000 };
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < 4000; i++) {
		assert_int_equal(sink.times[i][0], 1);
		assert_int_equal(sink.times[i][1], 1);
	}
	assert_true(sink.in_order);
	assert_true(sink.largest <= FEED_MAX);
	journal_stats(j, &stats);
	assert_int_equal(stats.entries, 12000);
	assert_true(stats.syncs < 6000); /* many records a commit */
	for (int i = 0; i < 40 && count_segments() > 2; i++)
		usleep(100000);
	assert_true(count_segments() <= 2); /* what is settled is removed */
	journal_close(&j);
}

static void test_sink_down(void **state)
{
	struct journal *j = open_with(65536, NULL);
	struct journal_stats stats;

	atomic_store(&sink.fail, 1);
	for (unsigned i = 0; i < 2000; i++)
		add(j, CDR_END, i, 0);
	assert_false(journal_flush(j, 5 * SEC));
	journal_stats(j, &stats);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(stats.unsettled, 2000);
	atomic_store(&sink.fail, 0);
	for (int i = 0; i < 20 && !journal_flush(j, SEC); i++)
		;
	assert_int_equal(sink.total, 2000);
	atomic_store(&sink.fail, 1);
	for (unsigned i = 2000; i < 3000; i++)
		add(j, CDR_END, i, 0);
	journal_close(&j); /* while it is down */
	assert_int_equal(sink.total, 2000);

	j = open_with(65536, NULL); /* the database is down at start: no reason not to start */
	assert_non_null(j);
	atomic_store(&sink.fail, 0);
	for (int i = 0; i < 20 && !journal_flush(j, SEC); i++)
		;
	assert_int_equal(sink.total, 3000);
	for (unsigned i = 0; i < 3000; i++)
		assert_int_equal(sink.times[i][0], 1);
	assert_true(sink.in_order);
	journal_close(&j);
}

/* A call that is up longer than its segment lives keeps its ANSWER. */
static void test_long_call(void **state)
{
	struct journal *j = open_with(8192, NULL);
	unsigned settled = 0;

	add(j, CDR_ANSWER, 9999, 0);
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 300; i++)
			add(j, CDR_END, (unsigned)round * 300 + i, 0);
		assert_true(journal_flush(j, 5 * SEC));
		for (int i = 0; i < 30 && count_segments() > 3; i++)
			usleep(100000);
		assert_true(count_segments() <= 3);
	}
	usleep(1200000); /* long enough for ALIVE */
	journal_close(&j);
	assert_int_equal(sink.times[9999][0], 0);

	j = open_with(8192, &settled);
	assert_int_equal(settled, 1);
	assert_true(journal_flush(j, 5 * SEC));
	assert_int_equal(sink.times[9999][0], 1);
	assert_true(sink.talk_us >= SEC && sink.talk_us < 60 * SEC);
	journal_close(&j);
	j = open_with(8192, &settled);
	assert_int_equal(settled, 0);
	journal_close(&j);
	assert_int_equal(sink.times[9999][0], 1);
}

/* RLIMIT_FSIZE makes writes fail with EFBIG: as good as a full disk. In a child, because hard to undo elsewhere. */
static int full_disk_child(void)
{
	struct journal *j = open_with(1 << 20, NULL);
	struct rlimit limit;
	struct journal_stats stats = { 0 };

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 20000;
	if (!j || setrlimit(RLIMIT_FSIZE, &limit))
		return 10;
	for (unsigned i = 0; i < 1000; i++)
		add(j, CDR_END, i, 0);
	if (journal_flush(j, SEC))
		return 11;
	journal_stats(j, &stats);
	if (stats.disk_error != EFBIG || stats.waiting == 0)
		return 12;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	if (!journal_flush(j, 5 * SEC))
		return 13;
	journal_stats(j, &stats);
	if (stats.disk_error || stats.waiting || sink.total != 1000 || !sink.in_order)
		return 14;
	journal_close(&j);
	return 0;
}

static void test_full_disk(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(full_disk_child());
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	struct journal *j = open_with(1 << 20, NULL);
	struct journal_stats stats;

	assert_true(journal_flush(j, SEC));
	journal_stats(j, &stats);
	assert_int_equal(stats.repaired_bytes, 0);
	assert_int_equal(sink.total, 0); /* the child's sink had them all */
	journal_close(&j);
}

static void test_bad_position(void **state)
{
	struct journal *j = open_with(1 << 20, NULL);
	char path[128];
	FILE *file;

	for (unsigned i = 0; i < 10; i++)
		add(j, CDR_END, i, 0);
	journal_close(&j);
	assert_int_equal(sink.total, 10);
	snprintf(path, sizeof(path), "%s/sink.position", folder);
	file = fopen(path, "r+");
	fseek(file, 9, SEEK_SET);
	fputc(0x55, file);
	fclose(file);
	j = open_with(1 << 20, NULL);
	assert_true(journal_flush(j, SEC));
	assert_int_equal(sink.total, 20); /* everything again: the sink is idempotent */
	add(j, CDR_END, 11, 0);
	assert_true(journal_flush(j, SEC));
	assert_int_equal(sink.last_sequence, 11);
	journal_close(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads_and_segments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_position, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
