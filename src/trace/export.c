/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Readings as a file for other programs. The blocks are those of the archive's own segments; what differs is that bytes of one
 * TCP connection follow each other without a gap, since a reader puts streams together before it looks at them. */
#include "trace/trace_int.h"

#include <netinet/in.h>

#define FLOWS_FIRST 64
#define HEAD_MAX 1024
#define COMMENT_MAX 2048
#define PCAPNG_COMMENT 1

/* ---- the head ----------------------------------------------------------------------------------- */

/* The archive's section header has no comment: ours goes before its options. `head` is the header's block. */
static void add_section(struct buf *out, const unsigned char *head, uint32_t len,
			struct span comment)
{
	static const char padding[4] = { 0 };
	const size_t fixed = 24; /* type, length, magic, version, section length */
	uint16_t option[2] = { PCAPNG_COMMENT, (uint16_t)comment.len };
	uint32_t total = len + (uint32_t)(sizeof(option) + ((comment.len + 3) & ~(size_t)3));

	buf_add(out, head, 4);
	buf_add(out, &total, sizeof(total));
	buf_add(out, head + 8, fixed - 8);
	buf_add(out, option, sizeof(option));
	buf_add_span(out, comment);
	buf_add(out, padding, -comment.len & 3);
	buf_add(out, head + fixed, len - fixed - 4);
	buf_add(out, &total, sizeof(total));
}

void trace_export_begin(struct buf *out, const char *product, struct span comment)
{
	unsigned char head[HEAD_MAX];
	size_t len = block_write_head(head, sizeof(head), product);
	uint32_t section;

	assert(len); /* product is ours and short */
	memcpy(&section, head + 4, sizeof(section));
	if (comment.len)
		add_section(out, head, section, span_head(comment, COMMENT_MAX));
	else
		buf_add(out, head, section);
	buf_add(out, head + section, len - section);
}

/* ---- streams -------------------------------------------------------------------------------------- */

/* One direction of a connection. */
struct flow {
	struct hash_node node;
	unsigned char key[38];
	uint32_t sequence;
};
struct flows {
	struct hash_table table;
	struct arena *arena;
};

static void key_of_address(const struct sockaddr_storage *address, unsigned char key[19])
{
	const struct sockaddr_in *ip4 = (const void *)address;
	const struct sockaddr_in6 *ip6 = (const void *)address;

	key[0] = (unsigned char)address->ss_family;
	if (address->ss_family == AF_INET6) {
		memcpy(key + 1, &ip6->sin6_port, 2);
		memcpy(key + 3, &ip6->sin6_addr, 16);
	} else {
		memcpy(key + 1, &ip4->sin_port, 2);
		memcpy(key + 3, &ip4->sin_addr, 4);
	}
}

/* NULL: no memory. */
static struct flow *flow_of(struct flows *flows, const struct trace_entry *entry)
{
	unsigned char key[38] = { 0 };
	struct flow *flow;
	uint64_t hash;

	key_of_address(&entry->from, key);
	key_of_address(&entry->to, key + 19);
	hash = hash_spread((struct span){ (const char *)key, sizeof(key) });
	for (struct hash_node *n = hash_table_find(&flows->table, hash); n; n = hash_next(n)) {
		flow = container_of(n, struct flow, node);
		if (memcmp(flow->key, key, sizeof(key)) == 0)
			return flow;
	}
	flow = arena_alloc(flows->arena, sizeof(*flow));
	if (!flow)
		return NULL;
	memcpy(flow->key, key, sizeof(key));
	flow->sequence = 1;
	hash_table_add(&flows->table, &flow->node, hash);
	return flow;
}

/* ---- entries --------------------------------------------------------------------------------------- */

static void add_message(struct buf *out, const struct trace_entry *entry, struct span text,
			uint32_t *sequence)
{
	struct trace_wire wire = { entry->utc_us, entry->sent, entry->proto,
				   (const void *)&entry->from, (const void *)&entry->to };
	char *at = buf_reserve(out, block_message_room(&wire, text.len));
	size_t len;

	if (!at)
		return;
	len = block_write_message(at, &wire, text, sequence);
	block_stamp_message(at, len, entry->call, entry->leg, entry->attempt);
	out->len += len;
}

static void add_note(struct buf *out, const struct trace_entry *entry)
{
	struct trace_note note = { .kind = entry->kind,
				   .leg = entry->leg,
				   .attempt = entry->attempt,
				   .call = entry->call,
				   .utc_us = entry->utc_us,
				   .sip_call_id = entry->sip_call_id,
				   .object = entry->object,
				   .text = entry->text,
				   .fields = entry->fields,
				   .n_fields = entry->n_fields };
	char *at = buf_reserve(out, block_note_room(&note));

	if (at)
		out->len += block_write_note(at, &note);
}

static void add_entry(struct buf *out, struct flows *flows, const struct trace_entry *entry,
		      struct buf *masked)
{
	struct flow *flow;

	if (entry->kind != TRACE_MESSAGE) {
		add_note(out, entry);
		return;
	}
	flow = flow_of(flows, entry);
	if (masked) {
		buf_reset(masked);
		buf_add_span(masked, entry->text);
	}
	if (!flow || (masked && masked->failed)) {
		out->failed = true;
		return;
	}
	if (masked)
		trace_mask(masked->p, masked->len);
	add_message(out, entry, masked ? buf_span(masked) : entry->text, &flow->sequence);
}

void trace_export(struct buf *out, const struct trace_entry *const *entries, unsigned n, bool mask)
{
	struct flows flows = { .arena = arena_new(4096) };
	struct buf masked = BUF_INIT(1u << 20);

	if (!flows.arena || hash_table_init(&flows.table, FLOWS_FIRST) != 0)
		out->failed = true;
	for (unsigned i = 0; i < n && !out->failed; i++)
		add_entry(out, &flows, entries[i], mask ? &masked : NULL);
	buf_free(&masked);
	hash_table_free(&flows.table);
	arena_free(&flows.arena);
}
