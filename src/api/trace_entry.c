/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was traced, as JSON. Of a message it says besides its text what a ladder shows: method or status, CSeq, whether it carries
 * a description, and of which earlier one it is a repeat. Texts of peers are any bytes: nothing here trusts them. */
#include "api/api_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define WHAT_MAX 80

static const char *const protos[] = { "udp", "tcp", "tls" };

/* ---- a message in short ----------------------------------------------------------------------------- */

/* "INVITE" or "180 Ringing"; "?" of what is no SIP. */
static struct span what_of(struct span text)
{
	struct span line, word, rest;

	span_cut(text, '\n', &line, &rest);
	line = span_trim(line);
	if (span_istarts(line, SPAN("SIP/2.0 ")))
		return span_head(span_trim(span_skip(line, 8)), WHAT_MAX);
	if (!span_cut(line, ' ', &word, &rest) || !word.len || word.len > 32)
		return SPAN("?");
	return word;
}

struct heads {
	struct span cseq, content_type;
};

static void read_heads(struct span text, struct heads *out)
{
	struct span line, name, value;
	bool more = true;

	*out = (struct heads){ 0 };
	while (more) {
		more = span_cut(text, '\n', &line, &text);
		if (!span_trim(line).len)
			return;
		if (!span_cut(line, ':', &name, &value))
			continue;
		name = span_trim(name);
		if (span_ieq(name, SPAN("CSeq")))
			out->cseq = span_trim(value);
		else if (span_ieq(name, SPAN("Content-Type")) || span_ieq(name, SPAN("c")))
			out->content_type = span_trim(value);
	}
}

bool api_is_method(struct span message, struct span method)
{
	struct heads heads;
	struct span number, name;

	read_heads(message, &heads);
	span_cut(heads.cseq, ' ', &number, &name);
	return span_ieq(span_trim(name), method);
}

/* ---- repeats ------------------------------------------------------------------------------------------ */

struct seen {
	struct hash_node node;
	unsigned index;
};

static bool same_place(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return a6->sin6_port == b6->sin6_port &&
		       memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0;
	return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

static bool is_repeat(const struct trace_entry *a, const struct trace_entry *b)
{
	return a->sent == b->sent && a->proto == b->proto && span_eq(a->text, b->text) &&
	       same_place(&a->from, &b->from) && same_place(&a->to, &b->to);
}

struct repeats {
	struct hash_table table;
	struct arena *arena;
};

/* Index of the first message of which this is a repeat; its own when it is none. */
static unsigned first_of(struct repeats *r, const struct trace_reading *reading, unsigned i)
{
	const struct trace_entry *entry = &reading->entries[i];
	uint64_t hash = hash_spread(entry->text);
	struct seen *seen;

	for (struct hash_node *n = hash_table_find(&r->table, hash); n; n = hash_next(n)) {
		seen = container_of(n, struct seen, node);
		if (is_repeat(&reading->entries[seen->index], entry))
			return seen->index;
	}
	seen = arena_alloc(r->arena, sizeof(*seen));
	if (seen) {
		seen->index = i;
		hash_table_add(&r->table, &seen->node, hash);
	}
	return i;
}

/* ---- members -------------------------------------------------------------------------------------------- */

const char *api_format_address(const struct sockaddr_storage *address, char dst[API_ADDRESS_TEXT])
{
	const struct sockaddr_in *ip4 = (const void *)address;
	const struct sockaddr_in6 *ip6 = (const void *)address;
	char host[INET6_ADDRSTRLEN] = "";

	if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &ip6->sin6_addr, host, sizeof(host));
		snprintf(dst, API_ADDRESS_TEXT, "[%s]:%u", host, ntohs(ip6->sin6_port));
	} else {
		inet_ntop(AF_INET, &ip4->sin_addr, host, sizeof(host));
		snprintf(dst, API_ADDRESS_TEXT, "%s:%u", host, ntohs(ip4->sin_port));
	}
	return dst;
}

static void write_address(struct buf *out, const char *key, const struct sockaddr_storage *address)
{
	char text[API_ADDRESS_TEXT];

	api_json_text(out, key, api_format_address(address, text));
}

static void write_time(struct buf *out, const char *key, uint64_t utc_us)
{
	char text[32];

	api_json_text(out, key, clock_format(utc_us, text, sizeof(text)));
}

static bool is_moment(const char *name)
{
	return strcmp(name, "started") == 0 || strcmp(name, "answered") == 0 ||
	       strcmp(name, "ended") == 0;
}

static void write_fields(struct buf *out, const struct trace_entry *entry)
{
	uint64_t us;

	if (!entry->n_fields)
		return;
	api_json_open(out, "fields", '{');
	for (unsigned i = 0; i < entry->n_fields; i++) {
		const struct trace_field *field = &entry->fields[i];

		if (is_moment(field->name) && span_to_u64(field->value, &us) == 0)
			write_time(out, field->name, us);
		else
			api_json_span(out, field->name, field->value);
	}
	api_json_close(out, '}');
}

static void write_text(struct buf *out, struct span text, bool mask)
{
	struct buf masked = BUF_INIT(1u << 20);

	if (mask) {
		buf_add_span(&masked, text);
		trace_mask(masked.p, masked.len);
		text = buf_span(&masked);
		out->failed |= masked.failed;
	}
	api_json_span(out, "text", text);
	buf_free(&masked);
}

static void write_message(struct buf *out, const struct trace_entry *entry)
{
	struct heads heads;

	read_heads(entry->text, &heads);
	api_json_text(out, "direction", entry->sent ? "sent" : "received");
	api_json_text(out, "transport", protos[entry->proto]);
	write_address(out, "source", &entry->from);
	write_address(out, "destination", &entry->to);
	api_json_span(out, "what", what_of(entry->text));
	if (heads.cseq.len)
		api_json_span(out, "cseq", span_head(heads.cseq, WHAT_MAX));
	if (span_istarts(heads.content_type, SPAN("application/sdp")))
		api_json_bool(out, "sdp", true);
}

void api_write_trace_entry(struct buf *out, const struct trace_entry *entry, unsigned number,
			   unsigned repeat_of, bool mask)
{
	char leg[2] = { entry->leg };

	api_json_open(out, NULL, '{');
	if (number)
		api_json_number(out, "n", number);
	write_time(out, "time", entry->utc_us);
	api_json_text(out, "kind", trace_kind_name(entry->kind));
	if (entry->call)
		api_json_call_id(out, "call_id", entry->call);
	if (entry->leg)
		api_json_text(out, "leg", leg);
	if (entry->attempt)
		api_json_number(out, "attempt", entry->attempt);
	if (entry->kind == TRACE_MESSAGE)
		write_message(out, entry);
	if (entry->object.len)
		api_json_span(out, "object", entry->object);
	if (entry->sip_call_id.len)
		api_json_span(out, "sip_call_id", entry->sip_call_id);
	if (repeat_of)
		api_json_number(out, "repeat_of", repeat_of);
	write_fields(out, entry);
	write_text(out, entry->text, mask && entry->kind == TRACE_MESSAGE);
	api_json_close(out, '}');
}

void api_write_trace_entries(struct buf *out, const char *key, const struct trace_reading *reading,
			     bool mask)
{
	struct repeats repeats = { .arena = arena_new(1024) };

	if (!repeats.arena || hash_table_init(&repeats.table, 64) != 0)
		out->failed = true;
	api_json_open(out, key, '[');
	for (unsigned i = 0; i < reading->n && !out->failed; i++) {
		unsigned first = i;

		if (reading->entries[i].kind == TRACE_MESSAGE)
			first = first_of(&repeats, reading, i);
		api_write_trace_entry(out, &reading->entries[i], i + 1, first == i ? 0 : first + 1,
				      mask);
	}
	api_json_close(out, ']');
	hash_table_free(&repeats.table);
	arena_free(&repeats.arena);
}
