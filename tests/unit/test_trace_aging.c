/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What goes when there is too much: good calls first, failed ones and those without an end later, pinned ones last. */
#include "trace_bed.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#define BUDGET (1u << 20)
#define MOST 1000 /* calls */
#define PINNED 60

static const struct archive_budget budget = { .calls = BUDGET, .registrations = BUDGET };

static void tend(struct bed *bed, const struct archive_budget *b)
{
	unsigned times = 0;

	while (archive_tend(bed->archive, b))
		assert_true(++times < 1000);
}

/* A whole call at once, or without its end. */
static unsigned whole_call(struct bed *bed, bool failed, bool end)
{
	unsigned call = bed_call(bed, failed);

	bed_message(bed, call, 'a', 700, false);
	bed_note(bed, call, TRACE_CALL, "from customer-7");
	bed_note(bed, call, TRACE_DIAL, "gateway v-1");
	for (unsigned i = 0; i < 6; i++)
		bed_message(bed, call, i % 2 ? 'a' : 'b', 700, true);
	if (end)
		bed_note(bed, call, TRACE_END, "it is over");
	assert_int_equal(bed_write(bed, SERIES_CALLS), 0);
	return call;
}

static unsigned blocks_of(const struct bed *bed, unsigned call)
{
	return bed->calls[call].n_blocks;
}

static void pin(struct bed *bed, unsigned call)
{
	assert_int_equal(archive_pin(bed->archive, bed->calls[call].id, true), 0);
	bed->calls[call].pinned = true;
}

static bool whole(struct bed *bed, unsigned call)
{
	return bed_count_call(bed, call) == blocks_of(bed, call);
}

/* The first call from which on all of this sort are whole. */
static unsigned first_whole(const struct bed *bed, const unsigned *left, bool failed)
{
	unsigned call = bed->n_calls;

	while (call > 0 && (bed->calls[call - 1].failed != failed || bed->calls[call - 1].pinned ||
			    left[call - 1] == blocks_of(bed, call - 1)))
		call--;
	return call;
}

static void check_ages(struct bed *bed)
{
	unsigned left[MOST], good, failed, n = bed->n_calls;
	struct trace_status status;

	for (unsigned call = 0; call < n; call++)
		left[call] = bed_count_call(bed, call);
	good = first_whole(bed, left, false);
	failed = first_whole(bed, left, true);
	/* The same bytes hold many more failed calls than good ones have room beside them. */
	assert_true(good > n / 2 && good < n);
	assert_true(failed < good && good - failed > 2 * (n - good));
	for (unsigned call = 0; call < n; call++) {
		const struct bed_call *c = &bed->calls[call];

		if (c->pinned)
			assert_int_equal(left[call], blocks_of(bed, call));
		/* But for one that stands on the border of two segments. */
		else if (!c->failed && call + 8 < good)
			assert_int_equal(left[call], 0);
	}
	archive_usage(bed->archive, &status);
	assert_true(status.calls.bytes + status.kept.bytes <= BUDGET + BUDGET / 8);
	assert_true(status.kept.bytes <= BUDGET / 4 + BUDGET / 16);
	assert_true(status.calls.bytes + status.kept.bytes >= BUDGET / 4 * 3);
}

static void test_good_calls_first(void **state)
{
	struct trace_status status;
	struct bed bed;

	bed_begin(&bed, 21);
	for (unsigned i = 0; i < MOST; i++) {
		unsigned call = whole_call(&bed, i % 20 == 7, i % 40 != 7);

		if (i % 200 == 50)
			pin(&bed, call);
		if (i % 10 == 0)
			tend(&bed, &budget);
	}
	tend(&bed, &budget);
	check_ages(&bed);
	archive_usage(bed.archive, &status);
	assert_true(status.aged_calls > 500);
	assert_true(status.kept_calls > 20);
	archive_close(&bed.archive);
	bed_open(&bed);
	check_ages(&bed);
	bed_end(&bed);
}

/* Its END stands segments later, or nowhere. */
static void test_end_in_a_later_segment(void **state)
{
	struct bed bed;
	unsigned good, failed, running, lost;

	bed_begin(&bed, 22);
	good = whole_call(&bed, false, false);
	failed = whole_call(&bed, true, false);
	running = whole_call(&bed, false, false);
	lost = whole_call(&bed, false, false);
	for (unsigned segment = 0; segment < 4; segment++) {
		for (unsigned i = 0; i < 20; i++)
			whole_call(&bed, false, true);
		assert_int_equal(archive_finish(bed.archive, SERIES_CALLS), 0);
		if (segment == 2) {
			bed_note(&bed, good, TRACE_END, "hung up");
			bed_note(&bed, failed, TRACE_END, "busy");
		}
	}
	bed_note(&bed, lost, TRACE_END, "hung up, in the current segment");
	assert_int_equal(bed_write(&bed, SERIES_CALLS), 0);
	assert_int_equal(
		aging_begin(bed.archive, list_entry(bed.archive->finished[SERIES_CALLS].next,
						    struct segment, node)),
		0);
	while (aging_go_on(bed.archive, 0) == 1)
		;
	assert_int_equal(bed_count_call(&bed, good), 1);
	assert_int_equal(bed_count_call(&bed, lost), 1);
	assert_true(whole(&bed, failed));
	assert_true(whole(&bed, running));
	bed_end(&bed);
}

/* Pinned while its segment is being left behind, whichever way that has got. */
static void test_pinned_meanwhile(void **state)
{
	for (unsigned slice = 0; slice < 12; slice++) {
		struct bed bed;
		unsigned calls[30];
		int rc = 1;

		bed_begin(&bed, 23);
		for (unsigned i = 0; i < 30; i++)
			calls[i] = whole_call(&bed, i % 10 == 0, true);
		assert_int_equal(archive_finish(bed.archive, SERIES_CALLS), 0);
		assert_int_equal(aging_begin(bed.archive,
					     list_entry(bed.archive->finished[SERIES_CALLS].next,
							struct segment, node)),
				 0);
		for (unsigned i = 0; i < slice && rc == 1; i++)
			rc = aging_go_on(bed.archive, 0);
		if (rc == 1) {
			pin(&bed, calls[3]);
			pin(&bed, calls[25]);
		} else {
			assert_true(slice >= 8); /* it was in the middle often enough */
		}
		while (rc == 1)
			rc = aging_go_on(bed.archive, 0);
		assert_int_equal(rc, 0);
		for (unsigned i = 0; i < 30; i++)
			assert_int_equal(bed_count_call(&bed, calls[i]),
					 bed.calls[calls[i]].failed || bed.calls[calls[i]].pinned
						 ? blocks_of(&bed, calls[i])
						 : 0);
		bed_end(&bed);
	}
}

static void test_pins(void **state)
{
	struct bed bed;
	unsigned call;

	bed_begin(&bed, 24);
	call = whole_call(&bed, false, true);
	assert_int_equal(archive_pin(bed.archive, 12345, true), -ENOENT);
	assert_int_equal(archive_pin(bed.archive, 12345, false), -ENOENT);
	assert_int_equal(bed.archive->pins.count, 0);
	pin(&bed, call);
	pin(&bed, call);
	assert_int_equal(bed.archive->pins.count, 1);
	archive_close(&bed.archive);
	bed_open(&bed);
	assert_int_equal(bed.archive->pins.count, 1);
	assert_int_equal(archive_pin(bed.archive, bed.calls[call].id, false), 0);
	archive_close(&bed.archive);
	bed_open(&bed);
	assert_int_equal(bed.archive->pins.count, 0);
	bed_end(&bed);
}

/* More is pinned than there is room for: it stays, what comes now has its room all the same, and the status tells. */
static void test_all_pinned(void **state)
{
	struct trace_status status;
	struct bed bed;

	bed_begin(&bed, 25);
	for (unsigned i = 0; i < 400; i++) {
		unsigned call = whole_call(&bed, false, true);

		if (call < PINNED)
			pin(&bed, call);
		if (i % 10 == 0)
			tend(&bed, &budget);
	}
	tend(&bed, &budget);
	for (unsigned call = 0; call < PINNED; call++)
		assert_true(whole(&bed, call));
	assert_true(whole(&bed, bed.n_calls - 1) && whole(&bed, bed.n_calls - 50));
	archive_usage(bed.archive, &status);
	assert_true(status.kept.bytes > status.kept.budget_bytes);
	/* Let go, they go. */
	for (unsigned call = 0; call < PINNED; call++)
		assert_int_equal(archive_pin(bed.archive, bed.calls[call].id, false), 0);
	tend(&bed, &budget);
	archive_usage(bed.archive, &status);
	assert_true(status.kept.bytes <= status.kept.budget_bytes);
	assert_false(whole(&bed, 0));
	bed_end(&bed);
}

/* The disk has less than is to be left free: all goes but what is pinned and what is being written. */
static void test_disk_low(void **state)
{
	const struct archive_budget low = { .calls = BUDGET,
					    .registrations = BUDGET,
					    .disk_free = UINT64_MAX };
	struct trace_status status;
	struct bed bed;
	unsigned pinned, last = 0;

	bed_begin(&bed, 26);
	pinned = whole_call(&bed, false, true);
	pin(&bed, pinned);
	for (unsigned i = 0; i < 200; i++)
		last = whole_call(&bed, i % 3 == 0, true);
	assert_int_equal(archive_finish(bed.archive, SERIES_CALLS), 0);
	last = whole_call(&bed, false, true);
	tend(&bed, &low);
	assert_true(whole(&bed, pinned));
	assert_true(whole(&bed, last));
	archive_usage(bed.archive, &status);
	assert_int_equal(status.calls.segments, 1);
	bed_end(&bed);
}

/* The disk takes nothing at all: tending ends all the same, and no pinned call is lost. */
static void test_no_room_for_copies(void **state)
{
	struct rlimit before, small;
	struct bed bed;
	unsigned pinned;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 0;
	bed_begin(&bed, 27);
	pinned = whole_call(&bed, false, true);
	for (unsigned i = 0; i < 600; i++) {
		whole_call(&bed, i % 3 == 0, true);
		if (i % 50 == 20)
			assert_int_equal(archive_finish(bed.archive, SERIES_CALLS), 0);
	}
	pin(&bed, pinned);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned i = 0; i < 100; i++)
		archive_tend(bed.archive, &budget);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(whole(&bed, pinned));
	tend(&bed, &budget);
	assert_true(whole(&bed, pinned));
	bed_end(&bed);
}

static void count_found(void *arg, const struct trace_call *call)
{
	++*(unsigned *)arg;
}

/* An operator has removed files: the rest is found and ages. */
static void test_files_removed(void **state)
{
	struct trace_query query = { .limit = 1000 };
	struct bed bed;
	unsigned found = 0, last = 0;
	char path[128], name[SEGMENT_NAME];
	const struct segment *oldest;

	bed_begin(&bed, 29);
	for (unsigned i = 0; i < 300; i++) {
		last = whole_call(&bed, i % 3 == 0, true);
		if (i % 50 == 20)
			assert_int_equal(archive_finish(bed.archive, SERIES_CALLS), 0);
	}
	oldest = list_entry(bed.archive->finished[SERIES_CALLS].next, struct segment, node);
	for (int file = FILE_DATA; file <= FILE_INDEX; file++) {
		segment_file_name(name, SERIES_CALLS, oldest->name, (enum segment_file)file);
		snprintf(path, sizeof(path), "%s/%s", bed.folder, name);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(bed_count_call(&bed, 0), 0);
	assert_true(whole(&bed, last));
	assert_true(archive_find(bed.archive, &query, count_found, &found) > 200);
	tend(&bed, &budget);
	assert_true(whole(&bed, last));
	bed_end(&bed);
}

/* ---- readers meanwhile -------------------------------------------------------------------------------- */

struct watching {
	struct bed *bed;
	unsigned call;
	atomic_bool stop;
	_Atomic unsigned rounds, torn;
};

static void *watch(void *arg)
{
	struct watching *w = arg;

	while (!atomic_load(&w->stop)) {
		struct trace_reading *reading = NULL;

		if (archive_read_call(w->bed->archive, w->bed->calls[w->call].id, &reading) != 0 ||
		    reading->n != blocks_of(w->bed, w->call))
			atomic_fetch_add(&w->torn, 1);
		trace_reading_free(&reading);
		atomic_fetch_add(&w->rounds, 1);
		usleep(500);
	}
	return NULL;
}

static void *watch_finds(void *arg)
{
	struct watching *w = arg;
	struct trace_query query = { .call = w->bed->calls[w->call].id, .limit = 2 };

	while (!atomic_load(&w->stop)) {
		unsigned found = 0;
		int rc = archive_find(w->bed->archive, &query, count_found, &found);

		if (rc != 1 || found != 1)
			atomic_fetch_add(&w->torn, 1);
		atomic_fetch_add(&w->rounds, 1);
		usleep(500);
	}
	return NULL;
}

static void test_readers_meanwhile(void **state)
{
	struct watching w[2] = { 0 };
	struct bed bed;
	pthread_t threads[2];

	bed_begin(&bed, 28);
	w[0].call = w[1].call = whole_call(&bed, false, true);
	pin(&bed, w[0].call);
	w[0].bed = w[1].bed = &bed;
	assert_int_equal(pthread_create(&threads[0], NULL, watch, &w[0]), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, watch_finds, &w[1]), 0);
	for (unsigned i = 0; i < 600; i++) {
		whole_call(&bed, i % 4 == 0, true);
		if (i % 5 == 0)
			archive_tend(bed.archive, &budget);
	}
	for (unsigned i = 0; i < 2; i++) {
		atomic_store(&w[i].stop, true);
		pthread_join(threads[i], NULL);
		assert_int_equal(atomic_load(&w[i].torn), 0);
		assert_true(atomic_load(&w[i].rounds) > 10);
	}
	bed_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_calls_first),
		cmocka_unit_test(test_end_in_a_later_segment),
		cmocka_unit_test(test_pinned_meanwhile),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_all_pinned),
		cmocka_unit_test(test_disk_low),
		cmocka_unit_test(test_no_room_for_copies),
		cmocka_unit_test(test_files_removed),
		cmocka_unit_test(test_readers_meanwhile),
	};

	log_open("/dev/null", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
