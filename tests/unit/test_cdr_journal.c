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
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define MOST 20000
#define LANES 4

/* A sink that counts how often it was given each (call id, attempt). */
struct sink {
	pthread_mutex_t lock;
	unsigned times[MOST][4];
	unsigned total, largest;
	uint64_t last_sequence, talk_us;
	uint64_t ends[MOST / 1000]; /* last call of each thousand that ended */
	bool in_order;
	atomic_int fail;
};

static struct sink sink = { .lock = PTHREAD_MUTEX_INITIALIZER };
static char folder[64], why[256];
static uint64_t lane_bytes;

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
		if (!cdr.attempt) {
			s->in_order = s->in_order && cdr.call_id >= s->ends[cdr.call_id / 1000];
			s->ends[cdr.call_id / 1000] = cdr.call_id;
		}
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
	memset(sink.ends, 0, sizeof(sink.ends));
	sink.in_order = true;
	atomic_store(&sink.fail, 0);
}

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/causeway-journal-XXXXXX");
	sink_reset();
	lane_bytes = 1 << 20;
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
					 .lanes = LANES,
					 .lane_bytes = lane_bytes,
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

	journal_add(j, (unsigned)(id / 1000 % LANES), cdr_encode(kind, &cdr));
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

/* A thousand calls from each of as many threads as there are lanes. */
static void work_all(struct journal *j)
{
	struct worker workers[LANES];

	for (unsigned i = 0; i < LANES; i++) {
		workers[i] = (struct worker){ .journal = j, .first = i * 1000, .count = 1000 };
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < LANES; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < LANES * 1000; i++) {
		assert_int_equal(sink.times[i][0], 1);
		assert_int_equal(sink.times[i][1], 1);
	}
	assert_true(sink.in_order);
	assert_true(sink.largest <= FEED_MAX);
}

static void test_threads_and_segments(void **state)
{
	struct journal *j = open_with(65536, NULL);
	struct journal_stats stats;

	work_all(j);
	journal_stats(j, &stats);
	assert_int_equal(stats.entries, 3 * LANES * 1000);
	assert_int_equal(stats.intake_bytes, LANES << 20);
	assert_int_equal(stats.overflowed, 0);
	assert_true(stats.syncs < 6000); /* many records a commit */
	for (int i = 0; i < 40 && count_segments() > 2; i++)
		usleep(100000);
	assert_true(count_segments() <= 2); /* what is settled is removed */
	journal_close(&j);
}

/* Lanes that are full now and then: what goes past them stays in its place. */
static void test_small_lanes(void **state)
{
	struct journal_stats stats;
	struct journal *j;

	for (lane_bytes = 4096; lane_bytes <= 65536; lane_bytes *= 4) {
		sink_reset();
		j = open_with(1 << 20, NULL);
		work_all(j);
		journal_stats(j, &stats);
		assert_int_equal(stats.waiting, 0);
		assert_true(stats.overflowed > 0 || lane_bytes > 4096);
		journal_close(&j);
		assert_int_equal(teardown(NULL), 0);
		assert_int_equal(mkdir(folder, 0700), 0);
	}
}

/* An entry longer than a lane goes past it. */
static void test_entry_too_long(void **state)
{
	char text[8000];
	struct cdr cdr = { .call_id = 1, .end_text = text };
	struct journal_stats stats;
	struct journal *j;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	lane_bytes = 4096;
	j = open_with(1 << 20, NULL);
	journal_add(j, 0, cdr_encode(CDR_END, &cdr));
	assert_true(journal_flush(j, 5 * SEC));
	add(j, CDR_END, 2, 0);
	assert_true(journal_flush(j, 5 * SEC));
	journal_stats(j, &stats);
	assert_int_equal(stats.overflowed, 1);
	assert_int_equal(sink.total, 2);
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

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
}

/* RLIMIT_FSIZE makes writes fail with EFBIG: as good as a full disk. In a child, because hard to undo elsewhere. */
static void in_child(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(run());
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int full_disk_child(void)
{
	struct journal *j = open_with(1 << 20, NULL);
	struct journal_stats stats = { 0 };

	limit_files(20000);
	for (unsigned i = 0; i < 1000; i++)
		add(j, CDR_END, i, 0);
	if (journal_flush(j, SEC))
		return 11;
	journal_stats(j, &stats);
	if (stats.disk_error != EFBIG || stats.waiting == 0)
		return 12;
	limit_files(RLIM_INFINITY);
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
	struct journal_stats stats;
	struct journal *j;

	in_child(full_disk_child);
	j = open_with(1 << 20, NULL);
	assert_true(journal_flush(j, SEC));
	journal_stats(j, &stats);
	assert_int_equal(stats.repaired_bytes, 0);
	assert_int_equal(sink.total, 0); /* the child's sink had them all */
	journal_close(&j);
}

static unsigned char *map_intake(void)
{
	char path[128];
	unsigned char *bytes;
	int fd;

	snprintf(path, sizeof(path), "%s/intake", folder);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	bytes = mmap(NULL, intake_size(LANES, lane_bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	close(fd);
	return bytes;
}

/* As if the intake had been made in another boot of the machine. */
static void set_boot(const char *boot)
{
	unsigned char *bytes = map_intake();

	intake_format(bytes, LANES, lane_bytes, boot);
	munmap(bytes, intake_size(LANES, lane_bytes));
}

static int stop_on_full_disk_child(void)
{
	struct journal *j = open_with(1 << 20, NULL);

	limit_files(20000);
	for (unsigned i = 0; i < 1000; i++)
		add(j, CDR_END, i, 0);
	journal_close(&j);
	return sink.total < 1000 ? 0 : 11;
}

/* Stopped while the disk is full: the intake keeps what no segment took, whatever boots next. */
static void test_stop_on_full_disk(void **state)
{
	struct journal *j;

	in_child(stop_on_full_disk_child);
	j = open_with(1 << 20, NULL);
	assert_true(journal_flush(j, 5 * SEC));
	journal_close(&j);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(sink.times[i][0] <= 1);
	assert_int_equal(sink.times[999][0], 1);
	assert_true(sink.in_order);
}

static int no_room_child(void)
{
	struct journal_stats stats;
	struct journal *j;

	limit_files(200000);
	j = open_with(1 << 16, NULL);
	if (!j)
		return 11;
	for (unsigned i = 0; i < 1000; i++)
		add(j, CDR_END, i, 0);
	if (!journal_flush(j, 5 * SEC))
		return 12;
	journal_stats(j, &stats);
	journal_close(&j);
	return stats.intake_bytes == 0 && stats.overflowed == 1000 && sink.total == 1000 ? 0 : 13;
}

/* No room for the intake is no reason not to start. */
static void test_no_room_for_intake(void **state)
{
	in_child(no_room_child);
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

/* A run is killed when three entries stand in its intake, ids 1 to 3. */
static int killed_child(void)
{
	struct journal *j = open_with(1 << 20, NULL);

	limit_files(100); /* so that no segment takes them */
	for (uint64_t i = 1; i <= 3; i++)
		add(j, CDR_END, i, 0);
	_exit(0);
}

static void start_after(unsigned wanted)
{
	struct journal *j = open_with(1 << 20, NULL);

	assert_non_null(j);
	assert_true(journal_flush(j, 5 * SEC));
	journal_close(&j);
	assert_int_equal(sink.total, wanted);
}

static void test_killed(void **state)
{
	in_child(killed_child);
	start_after(3);
	start_after(3);
}

/* The machine died, too: what the intake says cannot be relied on. */
static void test_other_boot(void **state)
{
	in_child(killed_child);
	set_boot("another");
	start_after(0);
}

static void test_damaged_intake(void **state)
{
	char path[128];
	unsigned char *bytes;

	in_child(killed_child);
	bytes = map_intake();
	bytes[INTAKE_HEADER + INTAKE_LANE + 200] ^= 1; /* in the second entry's text */
	munmap(bytes, intake_size(LANES, lane_bytes));
	start_after(1);
	snprintf(path, sizeof(path), "%s/intake.damaged", folder);
	assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads_and_segments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_lanes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entry_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_on_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room_for_intake, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_intake, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_position, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
