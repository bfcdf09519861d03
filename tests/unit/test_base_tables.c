/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* ---- hash ------------------------------------------------------------------------- */

/* Key and message bytes count up from 0, as in the reference implementation's own vectors;
 * the last two are CPython 3.11's hash() with PYTHONHASHSEED=0, a stranger's SipHash-1-3. */
static void test_siphash(void **state)
{
	static const struct hash_key counting = { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull };
	static const struct hash_key zero;
	static const struct {
		size_t len;
		uint64_t hash;
	} cases[] = {
		{ 0, 0xabac0158050fc4dcull },  { 1, 0xc9f49bf37d57ca93ull },
		{ 7, 0xd3927d989bb11140ull },  { 8, 0x369095118d299a8eull },
		{ 15, 0xd320d86d2a519956ull }, { 63, 0x9d199062b7bbb3a8ull },
	};
	unsigned char bytes[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_true(hash_bytes(&counting, bytes, cases[i].len) == cases[i].hash);
	assert_true(hash_bytes(&zero, "abcdefgh", 8) == 0x3f7b849c0b8e35eaull);
	assert_true(hash_bytes(&zero, "the quick brown fox jumps over the lazy dog", 43) ==
		    0x80a65583f613da2dull);
}

/* FNV-1a of "foobar" is 85944171f73967e8; the upper half is folded into the lower. */
static void test_spread(void **state)
{
	(void)state;
	assert_true(hash_spread(SPAN("foobar")) ==
		    (0x85944171f73967e8ull ^ 0x85944171f73967e8ull >> 32));
}

#define KEYS 512
#define ROUNDS 40000

struct item {
	struct hash_node node;
	unsigned key;
	bool in;
};

/* Few different hashes for the keys, so that chains and equal hashes are met all the time. */
static uint64_t item_hash(unsigned key)
{
	return (uint64_t)(key % 97) << 20 | key % 61;
}

static unsigned count_found(const struct hash_table *t, unsigned key)
{
	struct hash_node *node = hash_table_find(t, item_hash(key));
	unsigned n = 0;

	for (; node; node = hash_next(node)) {
		assert_true(node->hash == item_hash(key));
		n += container_of(node, struct item, node)->key == key;
	}
	return n;
}

static void test_hash_against_naive(void **state)
{
	static struct item items[KEYS];
	struct hash_table t;
	size_t count = 0;

	(void)state;
	assert_int_equal(hash_table_init(&t, 3), 0);
	assert_int_equal(t.size, 16);
	for (unsigned i = 0; i < KEYS; i++)
		items[i].key = i;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct item *item = &items[rng_below(KEYS)];

		if (item->in)
			hash_table_del(&t, &item->node);
		else
			hash_table_add(&t, &item->node, item_hash(item->key));
		item->in = !item->in;
		count += item->in ? 1 : (size_t)-1;
		assert_int_equal(t.count, count);
		assert_int_equal(count_found(&t, item->key), item->in);
		item = &items[rng_below(KEYS)];
		assert_int_equal(count_found(&t, item->key), item->in);
	}
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(count_found(&t, i), items[i].in);
	hash_table_free(&t);
	assert_null(hash_table_find(&t, 1));
}

/* ---- slots ------------------------------------------------------------------------ */

static void test_slots_generations(void **state)
{
	struct slots s;
	uint32_t index, again;
	uint16_t first, second;
	uint64_t *object;

	(void)state;
	slots_init(&s, sizeof(uint64_t), 2);
	object = slots_alloc(&s, &index, &first);
	assert_non_null(object);
	assert_true(first >= 1);
	*object = 7;
	assert_ptr_equal(slots_get(&s, index, first), object);
	assert_null(slots_get(&s, index, (uint16_t)(first + 1)));
	assert_null(slots_get(&s, index + 1, first));
	assert_null(slots_get(&s, UINT32_MAX, first));
	slots_free(&s, index);
	assert_null(slots_get(&s, index, first));
	object = slots_alloc(&s, &again, &second);
	assert_int_equal(again, index); /* the same place under another name, and zeroed */
	assert_int_not_equal(second, first);
	assert_int_equal(*object, 0);
	assert_null(slots_get(&s, index, first));
	assert_non_null(slots_alloc(&s, &again, &second));
	assert_null(slots_alloc(&s, &again, &second)); /* the limit */
	slots_close(&s);
}

/* A generation is never 0 and comes back only after all others have been. */
static void test_slots_generation_wraps(void **state)
{
	struct slots s;
	uint32_t index;
	uint16_t generation, first = 0;

	(void)state;
	slots_init(&s, 1, 1);
	for (unsigned i = 0; i < 2 * 65535; i++) {
		assert_non_null(slots_alloc(&s, &index, &generation));
		assert_int_not_equal(generation, 0);
		first = i == 0 ? generation : first;
		assert_int_equal(generation == first, i % 65535 == 0);
		slots_free(&s, index);
	}
	assert_int_equal(s.used, 1);
	slots_close(&s);
}

#define SLOTS 300

static void test_slots_against_naive(void **state)
{
	static struct {
		unsigned *object;
		uint32_t index;
		uint16_t generation;
	} live[SLOTS];
	struct slots s;
	unsigned n = 0, seen = 0;
	uint32_t at = 0;

	(void)state;
	slots_init(&s, sizeof(unsigned), SLOTS);
	for (unsigned i = 1; i < 20000; i++) {
		if (n < SLOTS && rng_below(2)) {
			live[n].object = slots_alloc(&s, &live[n].index, &live[n].generation);
			assert_non_null(live[n].object);
			*live[n].object =
				live[n].index + 1; /* would show two owners of one place */
			n++;
		} else if (n) {
			unsigned which = rng_below(n);

			assert_ptr_equal(slots_get(&s, live[which].index, live[which].generation),
					 live[which].object);
			assert_int_equal(*live[which].object, live[which].index + 1);
			slots_free(&s, live[which].index);
			assert_null(slots_get(&s, live[which].index, live[which].generation));
			live[which] = live[--n];
		}
		assert_int_equal(s.count, n);
	}
	for (unsigned *object = slots_next(&s, &at); object; object = slots_next(&s, &at)) {
		assert_int_equal(*object, at);
		seen++;
	}
	assert_int_equal(seen, n);
	slots_close(&s);
}

/* ---- arena ------------------------------------------------------------------------ */

static void test_arena(void **state)
{
	struct arena *arena = arena_new(1);
	unsigned char *pieces[200];

	(void)state;
	assert_non_null(arena);
	for (unsigned i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t size = i * 7 % 513;

		pieces[i] = arena_alloc(arena, size);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t at = 0; at < size; at++)
			assert_int_equal(pieces[i][at], 0);
		memset(pieces[i], (int)i, size);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(pieces); i++)
		for (size_t at = 0; at < i * 7 % 513; at++)
			assert_int_equal(pieces[i][at], i & 0xff);
	assert_non_null(arena_alloc(arena, 1 << 20)); /* larger than any chunk would be */
	assert_true(arena_size(arena) > 1 << 20);
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_string_equal(arena_dup(arena, SPAN("a\0b")), "a");
	assert_string_equal(arena_dup(arena, SPAN_NONE), "");
	assert_string_equal(arena_printf(arena, "%s-%04d", "x", 42), "x-0042");
	arena_free(&arena);
	assert_null(arena);
	arena_free(&arena);
}

/* ---- ring ------------------------------------------------------------------------- */

#define PRODUCERS 2
#define PUSHES 100000

struct producer {
	struct ring *ring;
	int tag;
	uintptr_t refused;
};

static void *produce(void *arg)
{
	struct producer *p = arg;

	for (uintptr_t i = 1; i <= PUSHES;) {
		if (ring_push(p->ring, p->tag, (void *)i)) {
			i++;
		} else {
			p->refused++;
			sched_yield();
		}
	}
	return NULL;
}

static unsigned drain(struct ring *ring, uintptr_t last[PRODUCERS])
{
	unsigned n = 0;
	void *item;
	int tag;

	while (ring_pop(ring, &tag, &item)) {
		assert_in_range(tag, 0, PRODUCERS - 1);
		assert_int_equal((uintptr_t)item, last[tag] + 1); /* none lost, each in order */
		last[tag]++;
		n++;
	}
	return n;
}

/* The consumer sleeps on the eventfd alone: a wakeup that is missed would hang it. */
static void test_ring_two_producers(void **state)
{
	struct ring *ring = ring_new(60);
	struct pollfd wait = { .fd = ring_fd(ring), .events = POLLIN };
	struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS];
	uintptr_t last[PRODUCERS] = { 0 };
	unsigned n = 0;

	(void)state;
	for (int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){ .ring = ring, .tag = i };
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	while (n < PRODUCERS * PUSHES) {
		if (poll(&wait, 1, 5000) != 1)
			fail_msg("not woken after %u of %d", n, PRODUCERS * PUSHES);
		ring_woken(ring);
		n += drain(ring, last);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(last[i], PUSHES);
	}
	assert_int_equal(drain(ring, last), 0);
	ring_free(&ring);
	assert_null(ring);
}

static void test_ring_full_and_empty(void **state)
{
	struct ring *ring = ring_new(3);
	void *item = &ring;
	int tag = 42;

	(void)state;
	assert_false(ring_pop(ring, &tag, &item));
	assert_int_equal(tag, 42);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++) /* rounded up to 4 */
			assert_true(ring_push(ring, i, NULL));
		assert_false(ring_push(ring, 4, NULL));
		for (int i = 0; i < 4; i++) {
			assert_true(ring_pop(ring, &tag, &item));
			assert_int_equal(tag, i);
			assert_null(item);
		}
		assert_false(ring_pop(ring, &tag, &item));
	}
	ring_free(&ring);
}

/* ---- rng -------------------------------------------------------------------------- */

/* Chi-square with bounds so wide that chance breaks them less than once in a million runs,
 * while "value % bound" of a few bits, or a stuck byte, would at once. */
static void test_rng_below(void **state)
{
	static const struct {
		uint32_t bound;
		double most;
	} cases[] = { { 2, 40 }, { 3, 40 }, { 10, 60 }, { 64, 150 }, { 100, 200 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned counts[100] = { 0 }, draws = 100000;
		double expected = (double)draws / cases[i].bound, chi = 0;

		for (unsigned d = 0; d < draws; d++) {
			uint32_t value = rng_below(cases[i].bound);

			assert_true(value < cases[i].bound);
			counts[value]++;
		}
		for (uint32_t v = 0; v < cases[i].bound; v++)
			chi += (counts[v] - expected) * (counts[v] - expected) / expected;
		assert_true(chi < cases[i].most);
	}
	assert_int_equal(rng_below(1), 0);
	for (int i = 0; i < 1000; i++)
		assert_true(rng_below(0x80000001u) <= 0x80000000u);
}

/* Every bit is set about half the time, whatever piece sizes the pool is read in. */
static void test_rng_bits(void **state)
{
	unsigned set[64] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned char piece[700];
		uint64_t value;

		rng_bytes(piece, i % sizeof(piece));
		value = rng_u64();
		for (unsigned bit = 0; bit < 64; bit++)
			set[bit] += value >> bit & 1;
	}
	for (unsigned bit = 0; bit < 64; bit++)
		assert_in_range(set[bit], 10000 - 500, 10000 + 500); /* 7 sigma */
}

static void *draw(void *arg)
{
	rng_bytes(arg, 32);
	return NULL;
}

static void test_rng_threads_differ(void **state)
{
	unsigned char mine[32], theirs[32];
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, draw, theirs), 0);
	pthread_join(thread, NULL);
	draw(mine);
	assert_memory_not_equal(mine, theirs, sizeof(mine));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_hash_against_naive),
		cmocka_unit_test(test_slots_generations),
		cmocka_unit_test(test_slots_generation_wraps),
		cmocka_unit_test(test_slots_against_naive),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_ring_full_and_empty),
		cmocka_unit_test(test_ring_two_producers),
		cmocka_unit_test(test_rng_below),
		cmocka_unit_test(test_rng_bits),
		cmocka_unit_test(test_rng_threads_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
