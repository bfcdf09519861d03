/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trace/trace_write.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#define SMALL 4096
#define MESSAGES 200000

static struct trace_lane *lane;
static atomic_uint mode;
static int wake_fd;

static int set_up(void **state)
{
	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	lane = aligned_alloc(64, sizeof(*lane));
	if (wake_fd < 0 || !lane || trace_lane_open(lane, SMALL, wake_fd, &mode))
		return -1;
	atomic_store(&mode, TRACE_ON);
	return 0;
}

static int tear_down(void **state)
{
	trace_lane_close(lane);
	free(lane);
	close(wake_fd);
	return 0;
}

/* Which one it is says what its bytes are. False: there is no room. */
static bool try_put(uint64_t number, size_t len, size_t room)
{
	struct lane_entry *entry = trace_lane_claim(lane, room);

	if (!entry)
		return false;
	entry->len = (uint32_t)len;
	entry->utc_us = number;
	memset(lane_room(lane), (int)(number & 0xff), len);
	trace_lane_publish(lane, entry);
	return true;
}

static void put(uint64_t number, size_t len)
{
	assert_true(try_put(number, len, len + 100));
}

static bool good(const struct lane_entry *entry, uint64_t number)
{
	const unsigned char *p = lane_blocks(lane, entry);

	for (uint32_t i = 0; i < entry->len; i++)
		if (p[i] != (unsigned char)number)
			return false;
	return entry->utc_us == number && entry->room >= entry->len && entry->room % 8 == 0;
}

static void give_back(const struct lane_entry *entry)
{
	lane->next++;
	lane->next_at = entry->at + entry->room;
	trace_lane_release(lane);
}

/* The next entry, checked and given back; false: none. */
static bool get(uint64_t number)
{
	const struct lane_entry *entry = lane_entry_at(lane, lane->next);

	if (lane->next == atomic_load_explicit(&lane->head, memory_order_acquire))
		return false;
	if (!good(entry, number))
		fail_msg("entry %llu is damaged", (unsigned long long)number);
	give_back(entry);
	return true;
}

/* Entries of all lengths pass the end of the ring at every place. */
static void test_wrap(void **state)
{
	for (uint64_t i = 0; i < 5000; i++) {
		put(i, i % 1500);
		assert_true(get(i));
		assert_false(get(i + 1));
	}
	assert_true(lane->at > 100 * SMALL && lane->entry > 100 * lane->n_entries);
}

static void test_full(void **state)
{
	uint64_t n = 0, taken = 0;

	while (try_put(n, 600, 700))
		n++;
	assert_int_equal(n, (SMALL - 700) / 600 + 1);
	assert_int_equal(atomic_load(&lane->dropped), 1);
	assert_false(try_put(n, 0, SMALL + 1)); /* never fits */
	assert_int_equal(atomic_load(&lane->dropped), 2);
	while (get(taken))
		taken++;
	assert_int_equal(taken, n); /* what was refused left no trace */
	put(n, 200);
	assert_true(get(n));
}

/* Of small ones, there may be as many as there are entries. */
static void test_full_of_small_ones(void **state)
{
	uint64_t n = 0, taken = 0;

	while (try_put(n, 8, 8))
		n++;
	assert_int_equal(n, lane->n_entries);
	assert_true(get(taken++));
	put(n, 8);
	while (get(taken))
		taken++;
	assert_int_equal(taken, n + 1);
}

static bool woken(void)
{
	struct pollfd fd = { .fd = wake_fd, .events = POLLIN };
	uint64_t count;

	return poll(&fd, 1, 0) > 0 && read(wake_fd, &count, sizeof(count)) > 0;
}

/* Once when it passes the half, again only after it has been below. */
static void test_wakes(void **state)
{
	uint64_t n = 0, taken = 0;

	while (lane->at <= SMALL / 2) {
		assert_false(woken());
		put(n++, 400);
	}
	assert_true(woken());
	put(n++, 400);
	assert_false(woken());
	assert_int_equal(lane_waiting(lane), n * 400);
	while (get(taken))
		taken++;
	assert_int_equal(lane_waiting(lane), 0);
	put(n++, 400);
	while (lane_waiting(lane) <= SMALL / 2)
		put(n++, 400);
	assert_true(woken());
}

static void test_off(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct trace_wire wire = { .from = (void *)&a, .to = (void *)&a };

	assert_false(trace_wants(NULL));
	trace_message(NULL, &wire, SPAN("x"));
	trace_note(NULL, &(struct trace_note){ .kind = TRACE_CALL });
	trace_select(NULL, 1);
	atomic_store(&mode, TRACE_OFF);
	assert_false(trace_wants(lane));
	trace_message(lane, &wire, SPAN("x"));
	trace_note(lane, &(struct trace_note){ .kind = TRACE_CALL });
	trace_select(lane, 1);
	assert_int_equal(lane->at, 0);
	atomic_store(&mode, TRACE_ON);
	trace_select(lane, 1); /* all is kept anyway */
	assert_int_equal(lane->at, 0);
	assert_true(trace_wants(lane));
}

static void test_what_the_writer_needs(void **state)
{
	static const char text[] = "OPTIONS sip:a SIP/2.0\r\nCall-ID: x\r\n\r\n";
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct trace_wire wire = { .utc_us = 77, .from = (void *)&a, .to = (void *)&a };
	struct trace_note note = {
		.kind = TRACE_DIAL, .leg = 'b', .attempt = 2, .call = 5, .sip_call_id = SPAN("x")
	};
	const struct lane_entry *entry = lane_entry_at(lane, 0);

	trace_message(lane, &wire, SPAN(text));
	assert_int_equal(entry->kind, TRACE_MESSAGE);
	assert_true(entry->registration);
	assert_false(entry->if_selected);
	assert_int_equal(entry->utc_us, 77);
	assert_true(entry->key == key_of_sip_call_id(SPAN("x")) && entry->call == 0);
	entry = lane_entry_at(lane, lane->entry);
	atomic_store(&mode, TRACE_SELECTED);
	trace_note(lane, &note);
	assert_int_equal(entry->kind, TRACE_DIAL);
	assert_true(entry->if_selected);
	assert_true(entry->leg == 'b' && entry->attempt == 2 && entry->call == 5);
	assert_true(entry->key == key_of_call(5) && entry->key2 == key_of_sip_call_id(SPAN("x")));
	assert_true(clock_utc_us() - entry->utc_us < 60 * SEC);
	entry = lane_entry_at(lane, lane->entry);
	trace_select(lane, 5);
	assert_true(entry->kind == LANE_SELECT && entry->call == 5);
}

/* ---- two threads ----------------------------------------------------------------------------------- */

static _Atomic uint64_t published;
static atomic_bool finished;

static void *produce(void *arg)
{
	for (uint64_t i = 0; i < MESSAGES; i++) {
		size_t len = (i * 7) % 900;

		if (try_put(i, len, len))
			atomic_fetch_add(&published, 1);
	}
	atomic_store(&finished, true);
	return NULL;
}

/* What was not dropped comes whole and in order. */
static void test_threads(void **state)
{
	uint64_t taken = 0, last = 0;
	pthread_t thread;
	bool end;

	assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
	do {
		end = atomic_load(&finished);
		while (lane->next != atomic_load_explicit(&lane->head, memory_order_acquire)) {
			const struct lane_entry *entry = lane_entry_at(lane, lane->next);

			assert_true(good(entry, entry->utc_us));
			assert_true(!taken || entry->utc_us > last);
			last = entry->utc_us;
			give_back(entry);
			taken++;
		}
	} while (!end);
	pthread_join(thread, NULL);
	assert_int_equal(taken, atomic_load(&published));
	assert_int_equal(taken + atomic_load(&lane->dropped), MESSAGES);
}

/* ---- live calls --------------------------------------------------------------------------------------- */

static void test_live(void **state)
{
	struct live_found found;
	struct live live;

	assert_int_equal(live_init(&live, 4), 0);
	live_bind(&live, 100, 1, 'a', 0);
	live_bind(&live, 101, 1, 'b', 1);
	live_bind(&live, 200, 2, 'a', 0);
	assert_true(live_find(&live, 101, &found));
	assert_true(found.call == 1 && found.leg == 'b' && found.attempt == 1 && !found.selected);
	live_select(&live, 1);
	assert_true(live_find(&live, 100, &found) && found.selected && live_selected(&live, 1));
	assert_false(live_selected(&live, 2));
	live_bind(&live, 101, 2, 'b', 3); /* somebody uses a Call-ID again */
	assert_true(live_find(&live, 101, &found) && found.call == 2 && found.attempt == 3);

	live_end(&live, 1, 1000);
	live_age(&live, 1000 + 60 * SEC - 1);
	assert_true(live_find(&live, 100, &found));
	live_age(&live, 1000 + 60 * SEC);
	assert_false(live_find(&live, 100, &found));
	assert_true(live_find(&live, 101, &found)); /* the other's by now */
	live_end(&live, 1, 2000); /* gone: nothing happens */
	live_free(&live);
}

/* The bound holds: ended calls go first, then the oldest; never the one that is being bound. */
static void test_live_bound(void **state)
{
	struct live_found found;
	struct live live;

	assert_int_equal(live_init(&live, 4), 0);
	for (uint64_t call = 1; call <= 4; call++)
		live_bind(&live, call, call, 'a', 0);
	live_end(&live, 3, 1000);
	live_bind(&live, 5, 5, 'a', 0);
	assert_false(live_find(&live, 3, &found));
	live_bind(&live, 6, 6, 'a', 0);
	assert_false(live_find(&live, 1, &found));
	assert_true(live_find(&live, 2, &found));
	for (uint64_t key = 1000; key < 1100; key++)
		live_bind(&live, key, 6, 'b', 1);
	assert_true(live_find(&live, 1000, &found) && live_find(&live, 6, &found));
	assert_false(live_find(&live, 2, &found) || live_find(&live, 4, &found) ||
		     live_find(&live, 5, &found));
	assert_false(live_find(&live, 1050, &found)); /* twice as many Call-IDs as calls */
	live_free(&live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wrap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_of_small_ones, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wakes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_the_writer_needs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_live_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
