/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the journal is for: processes killed at any moment and files torn at any byte. */
#include "cdr/cdr_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define ROUNDS 100
#define CALLS 400

/* The sink of these tests survives the process as a database would: one byte a record in a file, whose bytes count how
 * often the record was given; written before 0 is returned. Being given twice is allowed, so it keeps 1. */
static char folder[64], sink_file[96], why[256];
static unsigned char had[CALLS][2];

static int file_sink(void *arg, struct cdr_entry *entries, unsigned n)
{
	int fd = open(sink_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct arena *arena = arena_new(1024);
	unsigned char one = 1;
	struct cdr cdr;

	for (struct cdr_entry *e = entries; e; e = e->next)
		if (cdr_decode(&cdr, arena, e->data, e->len) || cdr.call_id >= CALLS ||
		    cdr.attempt > 1 ||
		    pwrite(fd, &one, 1, (off_t)(cdr.call_id * 2 + cdr.attempt)) != 1)
			abort();
	arena_free(&arena);
	close(fd);
	return 0;
}

static struct journal *open_journal(unsigned *settled)
{
	struct journal_config config = { .folder = folder,
					 .segment_bytes = 8192,
					 .sync_us = 200,
					 .lane_bytes = 65536,
					 .sink = file_sink };
	struct journal *j = NULL;

	if (journal_open(&j, &config, settled, why, sizeof(why)) != 0)
		print_error("%s\n", why);
	return j;
}

static void add(struct journal *j, enum cdr_kind kind, uint64_t id, unsigned attempt)
{
	struct cdr cdr = { .call_id = id,
			   .attempt = attempt,
			   .attempts = 1,
			   .answered = clock_utc_us(),
			   .caller = "4930123456" };

	journal_add(j, 0, cdr_encode(kind, &cdr));
}

/* Calls are answered, three later they end; every tenth flush is acknowledged through the pipe. */
static void child(int pipe_fd)
{
	struct journal *j = open_journal(NULL);
	uint32_t ack;

	if (!j)
		_exit(1);
	for (uint32_t i = 0; i < CALLS; i++) {
		add(j, CDR_ANSWER, i, 0);
		if (i >= 3) {
			add(j, CDR_ATTEMPT, i - 3, 1);
			add(j, CDR_END, i - 3, 0);
		}
		if (i % 10 == 9) {
			journal_flush(j, 5 * SEC);
			ack = i;
			if (write(pipe_fd, &ack, sizeof(ack)) != sizeof(ack))
				_exit(1);
		}
	}
	pause();
	_exit(0);
}

static void clear_folder(void)
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
	unlink(sink_file);
}

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/causeway-crash-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(sink_file, sizeof(sink_file), "%s.sink", folder);
	log_set_level(LOG_ERROR);
	return 0;
}

static int teardown(void **state)
{
	clear_folder();
	return rmdir(folder);
}

/* Runs a child, kills it after `us`; returns the last call acknowledged, -1 = none. */
static int run_and_kill(unsigned us)
{
	int ends[2], last = -1;
	uint32_t ack;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		child(ends[1]);
	}
	close(ends[1]);
	usleep(us);
	kill(pid, SIGKILL);
	while (read(ends[0], &ack, sizeof(ack)) == sizeof(ack))
		last = (int)ack;
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return last;
}

static void read_sink(void)
{
	int fd = open(sink_file, O_RDONLY);

	memset(had, 0, sizeof(had));
	if (fd >= 0) {
		assert_true(read(fd, had, sizeof(had)) >= 0);
		close(fd);
	}
}

static void test_killed_anywhere(void **state)
{
	unsigned with_acks = 0, with_settled = 0;

	for (int round = 0; round < ROUNDS; round++) {
		int last = run_and_kill(500 + rng_below(25000));
		unsigned settled = 0, again = 1;
		struct journal *j = open_journal(&settled);

		assert_non_null(j);
		assert_true(journal_flush(j, 5 * SEC));
		journal_close(&j);
		read_sink();
		/* Acknowledged: on disk. All that were answered by then have their END now, by themselves or settled. */
		for (int i = 0; i <= last; i++)
			assert_int_equal(had[i][0], 1);
		for (int i = 0; i <= last; i++) /* and the attempt that was answered */
			assert_int_equal(had[i][1], 1);
		with_acks += last >= 0;
		with_settled += settled > 0;
		j = open_journal(&again);
		assert_non_null(j);
		assert_int_equal(again, 0);
		journal_close(&j);
		clear_folder();
	}
	assert_true(with_acks > ROUNDS / 10); /* or the test tests nothing */
	assert_true(with_settled > ROUNDS / 10);
}

/* ---- nothing that was added is lost ---------------------------------------------------------- */

#define THREADS 3
#define KILLS 4 /* of one journal, before it is looked at */
#define CHAINS 30
#define STEPS 12000
#define CALLS_EACH (STEPS / 3)
#define LAG 3

/* What the child has done, in memory that outlives it: how often journal_add has returned to each thread. */
struct done {
	_Atomic uint32_t adds[KILLS][THREADS];
	atomic_bool open[KILLS];
};
static struct done *done;
static unsigned run;
static uint64_t lane_bytes = 1 << 20;

static uint64_t call_of(unsigned of_run, unsigned thread, unsigned call)
{
	return 1 + (of_run * THREADS + thread) * CALLS_EACH + call;
}

/* A thread's step k: call k/3 is answered, one before it has its attempt and then its end. Its call, kind in `kind`. */
static uint64_t step(unsigned of_run, unsigned thread, unsigned k, enum cdr_kind *kind)
{
	static const enum cdr_kind kinds[] = { CDR_ANSWER, CDR_ATTEMPT, CDR_END };

	*kind = kinds[k % 3];
	return call_of(of_run, thread, k / 3 - (k % 3 ? LAG : 0));
}

static int no_sink(void *arg, struct cdr_entry *entries, unsigned n)
{
	return -EBUSY; /* so all segments stay */
}

/* As the daemon's: it commits long after most of these children are dead. */
static struct journal *open_slow(unsigned *settled)
{
	struct journal_config config = { .folder = folder,
					 .segment_bytes = 64 << 20,
					 .sync_us = 40000,
					 .lanes = THREADS,
					 .lane_bytes = lane_bytes,
					 .sink = no_sink };
	struct journal *j = NULL;

	if (journal_open(&j, &config, settled, why, sizeof(why)) != 0)
		print_error("%s\n", why);
	return j;
}

struct adder {
	pthread_t thread;
	struct journal *journal;
	unsigned number;
};

static void *add_steps(void *arg)
{
	struct adder *a = arg;

	for (unsigned k = 0; k < STEPS; k++) {
		enum cdr_kind kind;
		uint64_t id = step(run, a->number, k, &kind);
		struct cdr cdr = { .call_id = id,
				   .attempt = kind == CDR_ATTEMPT,
				   .attempts = 1,
				   .answered = clock_utc_us(),
				   .caller = "4930123456" };

		if (k % 3 == 0 || k / 3 >= LAG)
			journal_add(a->journal, a->number, cdr_encode(kind, &cdr));
		atomic_store(&done->adds[run][a->number], k + 1);
		if (k % 8 == 7)
			usleep(100);
	}
	return NULL;
}

static void add_until_killed(void)
{
	struct adder adders[THREADS];
	struct journal *j = open_slow(NULL);

	atomic_store(&done->open[run], true);
	for (unsigned i = 0; j && i < THREADS; i++) {
		adders[i] = (struct adder){ .journal = j, .number = i };
		pthread_create(&adders[i].thread, NULL, add_steps, &adders[i]);
	}
	pause();
	_exit(0);
}

/* A record that the sink never takes: from its segment on none is removed. */
static void add_first(void)
{
	struct journal *j = open_slow(NULL);

	assert_non_null(j);
	add(j, CDR_END, 0, 0);
	journal_close(&j);
}

/* Every other run lives at least until its journal is open, however slow the disk is. */
static void kill_soon(void)
{
	pid_t pid = fork();

	if (pid == 0)
		add_until_killed();
	for (int i = 0; i < 5000 && run % 2 && !atomic_load(&done->open[run]); i++)
		usleep(1000);
	usleep(rng_below(40000));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* KILLS runs of one journal, each killed at any moment, also while it takes over what the last one left. */
static void run_and_kill_all(void)
{
	memset(done, 0, sizeof(*done));
	add_first();
	for (run = 0; run < KILLS; run++)
		kill_soon();
}

/* How often each entry stands in the segments, and whether a call's entries come in order. */
struct found {
	uint8_t times[CDR_ALIVE + 1][1 + KILLS * THREADS * CALLS_EACH];
	uint64_t last_sequence;
	unsigned out_of_order;
};

static void find(void *arg, enum cdr_kind kind, uint64_t sequence, const unsigned char *data,
		 size_t len)
{
	struct found *f = arg;
	uint64_t id = cdr_data_call_id(data, len);

	assert_true(id < ARRAY_SIZE(f->times[0]));
	if (sequence <= f->last_sequence)
		return;
	f->last_sequence = sequence;
	f->times[kind][id]++;
	if (id && kind == CDR_END && !f->times[CDR_ATTEMPT][id])
		f->out_of_order++;
	if (id && kind != CDR_ANSWER && !f->times[CDR_ANSWER][id])
		f->out_of_order++;
}

static void find_all(struct found *f)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	unsigned char *bytes;
	uint32_t *numbers;
	unsigned count;
	size_t len;

	memset(f, 0, sizeof(*f));
	assert_int_equal(segment_list(fd, &numbers, &count), 0);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(segment_load(fd, numbers[i], &bytes, &len), 0);
		assert_int_equal(journal_scan(bytes, len, find, f), len);
		free(bytes);
	}
	free(numbers);
	close(fd);
}

/* What was added is there once; what was perhaps being added, at most once; who was answered has ended. */
static unsigned check_run(const struct found *f, unsigned of_run, unsigned thread)
{
	unsigned adds = done->adds[of_run][thread];

	for (unsigned k = 0; k < STEPS; k++) {
		enum cdr_kind kind;
		uint64_t id = step(of_run, thread, k, &kind);

		if (k % 3 && k / 3 < LAG)
			continue;
		assert_true(f->times[kind][id] <= 1);
		if (k < adds)
			assert_int_equal(f->times[kind][id], 1);
	}
	for (unsigned i = 0; i < CALLS_EACH; i++) {
		uint64_t id = call_of(of_run, thread, i);

		assert_int_equal(f->times[CDR_END][id], f->times[CDR_ANSWER][id]);
		assert_int_equal(f->times[CDR_ATTEMPT][id], f->times[CDR_ANSWER][id]);
	}
	return adds;
}

static void test_nothing_added_is_lost(void **state)
{
	struct found *found = malloc(sizeof(*found));
	unsigned with_adds = 0, with_settled = 0;

	done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned chain = 0; chain < CHAINS; chain++) {
		unsigned settled = 0;
		struct journal *j;

		run_and_kill_all();
		j = open_slow(&settled);
		assert_non_null(j);
		journal_close(&j);
		find_all(found);
		assert_int_equal(found->out_of_order, 0);
		for (unsigned i = 0; i < KILLS * THREADS; i++)
			with_adds += check_run(found, i / THREADS, i % THREADS) > 0;
		with_settled += settled > 0;
		clear_folder();
	}
	munmap(done, sizeof(*done));
	free(found);
	assert_true(with_adds > CHAINS); /* or the test tests nothing */
	assert_true(with_settled > CHAINS / 10);
}

/* With lanes that are always full what waits in memory may be lost; but nothing is twice, and nothing out of order. */
static void test_full_lanes(void **state)
{
	struct found *found = malloc(sizeof(*found));
	unsigned ended = 0;

	lane_bytes = 4096;
	done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned chain = 0; chain < CHAINS / 3; chain++) {
		struct journal *j;

		run_and_kill_all();
		j = open_slow(NULL);
		assert_non_null(j);
		journal_close(&j);
		find_all(found);
		for (size_t id = 1; id < ARRAY_SIZE(found->times[0]); id++) {
			assert_true(found->times[CDR_ANSWER][id] <= 1);
			assert_true(found->times[CDR_ATTEMPT][id] <= 1);
			assert_true(found->times[CDR_END][id] <= 1);
			assert_true(found->times[CDR_END][id] || !found->times[CDR_ANSWER][id]);
			ended += found->times[CDR_END][id];
		}
		clear_folder();
	}
	munmap(done, sizeof(*done));
	lane_bytes = 1 << 20;
	free(found);
	assert_true(ended > 0);
}

/* ---- torn and damaged files -------------------------------------------------------------------- */

/* One segment with three entries, as bytes. */
static size_t make_segment(unsigned char *bytes, size_t *starts)
{
	size_t at = SEGMENT_HEADER;

	segment_header_write(bytes, 1, 1);
	for (uint64_t i = 0; i < 3; i++) {
		struct cdr_entry *entry = cdr_encode(
			CDR_END, &(struct cdr){ .call_id = i + 1, .caller = "4930123456" });

		starts[i] = at;
		entry->sequence = i + 1;
		frame_write(bytes + at, entry, 1700000000000000ull);
		at += FRAME_HEADER + entry->len;
		free(entry);
	}
	starts[3] = at;
	return at;
}

static void count_entry(void *arg, enum cdr_kind kind, uint64_t sequence, const unsigned char *data,
			size_t len)
{
	unsigned *count = arg;

	assert_int_equal(kind, CDR_END);
	assert_int_equal(sequence, ++*count);
	assert_int_equal(cdr_data_call_id(data, len), sequence);
}

/* Entries that are whole before byte `at`. */
static unsigned whole_before(const size_t *starts, size_t at)
{
	unsigned n = 0;

	while (n < 3 && starts[n + 1] <= at)
		n++;
	return n;
}

static void test_torn_at_every_byte(void **state)
{
	unsigned char bytes[1024];
	size_t starts[4], len = make_segment(bytes, starts);

	for (size_t cut = 0; cut <= len; cut++) {
		unsigned count = 0, want = whole_before(starts, cut);
		unsigned char *copy = malloc(cut ? cut : 1);

		memcpy(copy, bytes, cut);
		assert_int_equal(journal_scan(copy, cut, count_entry, &count),
				 cut < SEGMENT_HEADER ? 0 : starts[want]);
		assert_int_equal(count, cut < SEGMENT_HEADER ? 0 : want);
		free(copy);
	}
	for (size_t bad = 0; bad < len; bad++) {
		unsigned count = 0, want = whole_before(starts, bad);

		bytes[bad] ^= (unsigned char)(1u << (bad % 8));
		assert_int_equal(journal_scan(bytes, len, count_entry, &count),
				 bad < SEGMENT_HEADER ? 0 : starts[want]);
		assert_int_equal(count, bad < SEGMENT_HEADER ? 0 : want);
		bytes[bad] ^= (unsigned char)(1u << (bad % 8));
	}
}

static void write_segment(const unsigned char *bytes, size_t len)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/journal-00000001.cwj", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* The same through journal_open: what is whole reaches the sink, the rest is cut and counted. */
static void test_open_cuts(void **state)
{
	unsigned char bytes[1024];
	size_t starts[4], len = make_segment(bytes, starts);

	for (size_t cut = 0; cut <= len; cut += 7) {
		unsigned want = cut < SEGMENT_HEADER ? 0 : whole_before(starts, cut);
		struct journal_stats stats;
		struct journal *j;

		write_segment(bytes, cut);
		j = open_journal(NULL);
		assert_non_null(j);
		assert_true(journal_flush(j, SEC));
		journal_stats(j, &stats);
		assert_int_equal(stats.repaired_bytes,
				 cut < SEGMENT_HEADER ? cut : cut - starts[want]);
		journal_close(&j);
		read_sink();
		for (unsigned i = 1; i <= 3; i++)
			assert_int_equal(had[i][0], i <= want);
		clear_folder();
	}
}

static void test_damage_is_kept_aside(void **state)
{
	unsigned char bytes[1024];
	size_t starts[4], len = make_segment(bytes, starts);
	char path[128];
	struct journal *j;

	bytes[starts[1] + FRAME_HEADER] ^= 1;
	write_segment(bytes, len);
	j = open_journal(NULL);
	assert_true(journal_flush(j, SEC));
	journal_close(&j);
	read_sink();
	assert_int_equal(had[1][0], 1);
	assert_int_equal(had[2][0], 0);
	assert_int_equal(had[3][0], 0);
	snprintf(path, sizeof(path), "%s/journal-00000001.cwj.damaged", folder);
	assert_int_equal(access(path, F_OK), 0);
	clear_folder();
}

static void test_newer_version_is_refused(void **state)
{
	unsigned char bytes[1024];
	size_t starts[4], len = make_segment(bytes, starts);

	put_le(bytes + 8, 2, 4);
	put_le(bytes + SEGMENT_HEADER - 4, crc32c(bytes, SEGMENT_HEADER - 4), 4);
	write_segment(bytes, len);
	assert_null(open_journal(NULL));
	assert_non_null(strstr(why, "version"));
	clear_folder();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_anywhere),
		cmocka_unit_test(test_nothing_added_is_lost),
		cmocka_unit_test(test_full_lanes),
		cmocka_unit_test(test_torn_at_every_byte),
		cmocka_unit_test(test_open_cuts),
		cmocka_unit_test(test_damage_is_kept_aside),
		cmocka_unit_test(test_newer_version_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
