/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answered calls that have no END yet, and the segment in which each one's ANSWER stands: while one
 * is there, its ANSWER must not be lost with the segment. */
#include "cdr/cdr_int.h"

#include <stdlib.h>

/* Ids are ours, nobody chooses collisions; but their low bits are a counter's. */
static uint64_t mix(uint64_t id)
{
	id ^= id >> 31;
	id *= 0x9e3779b97f4a7c15ull;
	return id ^ id >> 29;
}

int answered_init(struct answered *a)
{
	a->incomplete = false;
	return hash_table_init(&a->table, 1024);
}

void answered_close(struct answered *a)
{
	for (size_t i = 0; i < a->table.size; i++) {
		struct hash_node *node = a->table.buckets[i], *next;

		for (; node; node = next) {
			next = node->next;
			free(container_of(node, struct answered_call, node));
		}
	}
	hash_table_free(&a->table);
}

struct answered_call *answered_find(const struct answered *a, uint64_t call_id)
{
	struct hash_node *node = hash_table_find(&a->table, mix(call_id));

	while (node && container_of(node, struct answered_call, node)->call_id != call_id)
		node = hash_next(node);
	return node ? container_of(node, struct answered_call, node) : NULL;
}

void answered_add(struct answered *a, uint64_t call_id, uint32_t segment)
{
	struct answered_call *call = answered_find(a, call_id);

	if (!call) {
		call = calloc(1, sizeof(*call));
		if (!call) {
			a->incomplete = true;
			return;
		}
		call->call_id = call_id;
		hash_table_add(&a->table, &call->node, mix(call_id));
	}
	call->segment = segment;
}

void answered_del(struct answered *a, uint64_t call_id)
{
	struct answered_call *call = answered_find(a, call_id);

	if (!call)
		return;
	hash_table_del(&a->table, &call->node);
	free(call);
}

void answered_attempt(struct answered *a, uint64_t call_id)
{
	struct answered_call *call = answered_find(a, call_id);

	if (call)
		call->has_attempt = true;
}
