/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pools of caller numbers. A number's count is a small object of its own, shared by the pools of all snapshots that
 * list the number in a group of this name, so that a call gives back what it took whatever happened to the
 * configuration meanwhile. A pool is an array of them, by the number's place in the group. */
#include "model/model_int.h"

#include <stdio.h>

struct pool_number {
	atomic_int calls;
	atomic_uint refs;
};

struct number_pool {
	_Atomic uint64_t turn;
	unsigned n;
	struct pool_number *numbers[];
};

/* ---- in use ------------------------------------------------------------------------------- */

static bool number_take(struct pool_number *number, unsigned reuse)
{
	int calls = atomic_load_explicit(&number->calls, memory_order_relaxed);

	do {
		if (reuse && calls >= (int)reuse)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&number->calls, &calls, calls + 1, memory_order_acq_rel, memory_order_relaxed));
	return true;
}

int64_t pool_take(struct number_pool *pool, uint64_t start, unsigned reuse)
{
	unsigned place = (unsigned)(start % pool->n);

	for (unsigned i = 0; i < pool->n; i++) {
		if (number_take(pool->numbers[place], reuse))
			return place;
		place = place + 1 == pool->n ? 0 : place + 1;
	}
	return -1;
}

int64_t pool_look(const struct number_pool *pool, uint64_t start, unsigned reuse)
{
	unsigned place = (unsigned)(start % pool->n);

	for (unsigned i = 0; i < pool->n; i++) {
		int calls =
			atomic_load_explicit(&pool->numbers[place]->calls, memory_order_relaxed);

		if (!reuse || calls < (int)reuse)
			return place;
		place = place + 1 == pool->n ? 0 : place + 1;
	}
	return -1;
}

void pool_give(struct number_pool *pool, int64_t place)
{
	int before =
		atomic_fetch_sub_explicit(&pool->numbers[place]->calls, 1, memory_order_acq_rel);

	assert(before > 0); /* given back once for each take */
}

uint64_t pool_turn(struct number_pool *pool)
{
	return atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed);
}

/* ---- built with the snapshot -------------------------------------------------------------- */

static void number_unref(struct pool_number *number)
{
	if (number && atomic_fetch_sub_explicit(&number->refs, 1, memory_order_acq_rel) == 1)
		free(number);
}

static void pool_free(struct number_pool *pool)
{
	for (unsigned i = 0; pool && i < pool->n; i++)
		number_unref(pool->numbers[i]);
	free(pool);
}

static struct number_pool *pool_new(unsigned n)
{
	struct number_pool *pool = calloc(1, sizeof(*pool) + n * sizeof(pool->numbers[0]));

	for (; pool && pool->n < n; pool->n++) {
		struct pool_number *number = calloc(1, sizeof(*number));

		if (!number) {
			pool_free(pool);
			return NULL;
		}
		atomic_init(&number->refs, 1);
		pool->numbers[pool->n] = number;
	}
	return pool;
}

static void complain(struct build *b, const struct model_routing *gw)
{
	char object[96], text[200];
	unsigned i = (unsigned)(gw - b->m->routings);

	snprintf(object, sizeof(object), "routing_gateways[%u] %.63s", i, gw->name);
	snprintf(text, sizeof(text), "caller_pool: the number group `%.63s` lists no numbers",
		 gw->caller_pool->name);
	build_error(b, b->objects[KIND_ROUTING].lines[i], 0, object, text,
		    "list whole numbers in it");
}

bool pools_give(struct build *b)
{
	struct model *m = b->m;

	for (unsigned i = 0; i < m->n_routings; i++) {
		const struct model_number_group *named = m->routings[i].caller_pool;
		struct model_number_group *group =
			named ? &m->number_groups[named - m->number_groups] : NULL;

		if (!group || group->pool)
			continue;
		if (!group->numbers) {
			complain(b, &m->routings[i]);
			continue;
		}
		group->pool = pool_new(number_set_count(group->numbers));
		if (!group->pool)
			return false;
	}
	return true;
}

static void carry(struct model_number_group *to, const struct model_number_group *from)
{
	atomic_store_explicit(&to->pool->turn,
			      atomic_load_explicit(&from->pool->turn, memory_order_relaxed),
			      memory_order_relaxed);
	for (unsigned i = 0; i < to->pool->n; i++) {
		int64_t place = number_set_find(from->numbers, number_set_at(to->numbers, i));

		if (place < 0)
			continue;
		number_unref(to->pool->numbers[i]);
		to->pool->numbers[i] = from->pool->numbers[place];
		atomic_fetch_add_explicit(&to->pool->numbers[i]->refs, 1, memory_order_relaxed);
	}
}

void pools_carry(struct model *to, const struct model *from)
{
	for (unsigned i = 0; i < to->n_number_groups; i++) {
		struct model_number_group *group = &to->number_groups[i];
		const struct model_number_group *before =
			model_number_group(from, span_of(group->name));

		if (group->pool && before && before->pool)
			carry(group, before);
	}
}

void pools_drop(struct model *m)
{
	for (unsigned i = 0; i < m->n_number_groups; i++)
		pool_free(m->number_groups[i].pool);
}
