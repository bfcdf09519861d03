/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which call the Call-IDs that pass belong to. Notes say it; a call is forgotten some time after its end, when nobody
 * repeats anything any more. Calls whose end was lost go when there are too many, oldest first: those that ended, then
 * those that began first. */
#include "trace/trace_write.h"

#define ENDED_KEEP (60 * SEC)

struct live_call {
	struct hash_node node; /* by call */
	struct list age; /* in `up` or `ended` */
	struct list binds;
	uint64_t call, ended_us;
	uint32_t slot;
	bool selected;
};

struct live_bind {
	struct hash_node node; /* by Call-ID's key */
	struct list of_call;
	struct live_call *call;
	uint32_t slot;
	char leg;
	uint8_t attempt;
};

int live_init(struct live *live, uint32_t calls_max)
{
	*live = (struct live){ 0 };
	list_init(&live->up);
	list_init(&live->ended);
	slots_init(&live->call_slots, sizeof(struct live_call), calls_max);
	slots_init(&live->bind_slots, sizeof(struct live_bind), calls_max * 2);
	if (hash_table_init(&live->calls, 1024) || hash_table_init(&live->binds, 1024))
		return -ENOMEM;
	return 0;
}

void live_free(struct live *live)
{
	slots_close(&live->call_slots);
	slots_close(&live->bind_slots);
	hash_table_free(&live->calls);
	hash_table_free(&live->binds);
}

/* Call ids count upwards, and peers choose keys: both are spread. One to one, so that what hashes alike is alike. */
static uint64_t spread(uint64_t value)
{
	value ^= value >> 32;
	value *= 0x9E3779B97F4A7C15ull;
	return value ^ value >> 29;
}

static struct live_call *find_call(const struct live *live, uint64_t call)
{
	struct hash_node *node = hash_table_find(&live->calls, spread(call));

	return node ? container_of(node, struct live_call, node) : NULL;
}

static struct live_bind *find_bind(const struct live *live, uint64_t key)
{
	struct hash_node *node = hash_table_find(&live->binds, spread(key));

	return node ? container_of(node, struct live_bind, node) : NULL;
}

static void bind_drop(struct live *live, struct live_bind *bind)
{
	hash_table_del(&live->binds, &bind->node);
	list_del(&bind->of_call);
	slots_free(&live->bind_slots, bind->slot);
}

static void call_drop(struct live *live, struct live_call *call)
{
	while (!list_empty(&call->binds))
		bind_drop(live, list_entry(call->binds.next, struct live_bind, of_call));
	hash_table_del(&live->calls, &call->node);
	list_del(&call->age);
	slots_free(&live->call_slots, call->slot);
}

/* Never `but`. False: there is none. */
static bool drop_oldest(struct live *live, const struct live_call *but)
{
	struct list *lists[] = { &live->ended, &live->up };

	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		struct list *oldest = lists[i]->next;

		if (oldest != lists[i] && but && oldest == &but->age)
			oldest = oldest->next;
		if (oldest == lists[i])
			continue;
		call_drop(live, list_entry(oldest, struct live_call, age));
		return true;
	}
	return false;
}

static struct live_call *call_of(struct live *live, uint64_t id)
{
	struct live_call *call = find_call(live, id);
	uint16_t generation;
	uint32_t slot;

	if (call)
		return call;
	do
		call = slots_alloc(&live->call_slots, &slot, &generation);
	while (!call && drop_oldest(live, NULL));
	if (!call)
		return NULL;
	call->call = id;
	call->slot = slot;
	list_init(&call->binds);
	list_add_tail(&live->up, &call->age);
	hash_table_add(&live->calls, &call->node, spread(id));
	return call;
}

void live_bind(struct live *live, uint64_t key, uint64_t id, char leg, uint8_t attempt)
{
	struct live_call *call = call_of(live, id);
	struct live_bind *bind = find_bind(live, key);
	uint16_t generation;
	uint32_t slot;

	if (!call)
		return;
	if (bind) {
		list_del(&bind->of_call);
	} else {
		do
			bind = slots_alloc(&live->bind_slots, &slot, &generation);
		while (!bind && drop_oldest(live, call));
		if (!bind)
			return;
		bind->slot = slot;
		hash_table_add(&live->binds, &bind->node, spread(key));
	}
	list_add_tail(&call->binds, &bind->of_call);
	bind->call = call;
	bind->leg = leg;
	bind->attempt = attempt;
}

void live_prefetch(const struct live *live, uint64_t key)
{
	__builtin_prefetch(&live->binds.buckets[spread(key) & (live->binds.size - 1)]);
}

bool live_find(const struct live *live, uint64_t key, struct live_found *out)
{
	const struct live_bind *bind = find_bind(live, key);

	if (!bind)
		return false;
	*out = (struct live_found){ .call = bind->call->call,
				    .leg = bind->leg,
				    .attempt = bind->attempt,
				    .selected = bind->call->selected };
	return true;
}

void live_select(struct live *live, uint64_t id)
{
	struct live_call *call = call_of(live, id);

	if (call)
		call->selected = true;
}

bool live_selected(const struct live *live, uint64_t id)
{
	const struct live_call *call = find_call(live, id);

	return call && call->selected;
}

void live_end(struct live *live, uint64_t id, uint64_t now_us)
{
	struct live_call *call = find_call(live, id);

	if (!call || call->ended_us)
		return;
	call->ended_us = now_us;
	list_del(&call->age);
	list_add_tail(&live->ended, &call->age);
}

void live_age(struct live *live, uint64_t now_us)
{
	while (!list_empty(&live->ended)) {
		struct live_call *call = list_entry(live->ended.next, struct live_call, age);

		if (now_us < call->ended_us + ENDED_KEEP)
			return;
		call_drop(live, call);
	}
}
