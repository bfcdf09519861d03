/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks of a segment, read back. The bytes may be anything: a disk rots, a write is torn, somebody edits a file. */
#include "trace/trace_int.h"

#include <netinet/in.h>

#define TYPE_EPB 6u
#define TYPE_JOURNAL 9u
#define BLOCK_FRAME 12 /* type, length, length again */
#define EPB_HEAD 20 /* interface, time in two halves, captured and original length */
#define OPTION_COMMENT 1
#define OPTION_FLAGS 2
#define TCP_PSH 0x08

static uint32_t word_at(const char *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static uint16_t half_at(const char *p)
{
	uint16_t half;

	memcpy(&half, p, sizeof(half));
	return half;
}

static uint16_t net_half_at(const char *p)
{
	return ntohs(half_at(p));
}

/* ---- messages --------------------------------------------------------------------------------- */

static bool read_ports(struct trace_entry *e, struct span rest)
{
	in_port_t from, to;

	if (rest.len < 4)
		return false;
	memcpy(&from, rest.p, 2);
	memcpy(&to, rest.p + 2, 2);
	/* sin_port and sin6_port stand at the same place. */
	((struct sockaddr_in *)&e->from)->sin_port = from;
	((struct sockaddr_in *)&e->to)->sin_port = to;
	return true;
}

static bool read_transport(struct trace_entry *e, int proto, struct span rest, bool *more_out)
{
	size_t head;

	*more_out = false;
	if (!read_ports(e, rest))
		return false;
	if (proto == IPPROTO_UDP) {
		if (rest.len < 8)
			return false;
		e->proto = TRACE_UDP;
		e->text = span_skip(rest, 8);
		return true;
	}
	if (proto != IPPROTO_TCP || rest.len < 20)
		return false;
	head = (size_t)((unsigned char)rest.p[12] >> 4) * 4;
	if (head < 20 || head > rest.len)
		return false;
	e->proto = TRACE_TCP;
	*more_out = !(rest.p[13] & TCP_PSH);
	e->text = span_skip(rest, head);
	return true;
}

static bool read_ip4(struct trace_entry *e, struct span packet, bool *more_out)
{
	struct sockaddr_in *from = (struct sockaddr_in *)&e->from;
	struct sockaddr_in *to = (struct sockaddr_in *)&e->to;
	size_t head, total;

	if (packet.len < 20)
		return false;
	head = (size_t)(packet.p[0] & 0x0f) * 4;
	total = net_half_at(packet.p + 2);
	if (head < 20 || total < head || total > packet.len)
		return false;
	from->sin_family = to->sin_family = AF_INET;
	memcpy(&from->sin_addr, packet.p + 12, 4);
	memcpy(&to->sin_addr, packet.p + 16, 4);
	return read_transport(e, (unsigned char)packet.p[9],
			      span_skip(span_head(packet, total), head), more_out);
}

static bool read_ip6(struct trace_entry *e, struct span packet, bool *more_out)
{
	struct sockaddr_in6 *from = (struct sockaddr_in6 *)&e->from;
	struct sockaddr_in6 *to = (struct sockaddr_in6 *)&e->to;
	size_t len;

	if (packet.len < 40)
		return false;
	len = net_half_at(packet.p + 4);
	if (len > packet.len - 40)
		return false;
	from->sin6_family = to->sin6_family = AF_INET6;
	memcpy(&from->sin6_addr, packet.p + 8, 16);
	memcpy(&to->sin6_addr, packet.p + 24, 16);
	return read_transport(e, (unsigned char)packet.p[6], span_head(span_skip(packet, 40), len),
			      more_out);
}

/* Two decimal digits or fewer; anything else leaves it. */
static void read_attempt(struct trace_entry *e, struct span value)
{
	uint32_t attempt;

	if (span_to_u32(value, &attempt) == 0 && attempt <= UINT8_MAX)
		e->attempt = (uint8_t)attempt;
}

static void read_leg(struct trace_entry *e, struct span value)
{
	if (value.len == 1 && (value.p[0] == 'a' || value.p[0] == 'b'))
		e->leg = value.p[0];
}

/* "call=0123456789abcdef leg=a attempt=01 proto=udp" */
static void read_comment(struct trace_entry *e, struct span comment)
{
	struct span word, name, value;

	while (comment.len) {
		span_cut(comment, ' ', &word, &comment);
		if (!span_cut(word, '=', &name, &value))
			continue;
		if (span_eq(name, SPAN("call")))
			span_hex_to_u64(value, &e->call);
		else if (span_eq(name, SPAN("leg")))
			read_leg(e, value);
		else if (span_eq(name, SPAN("attempt")))
			read_attempt(e, value);
		else if (span_eq(name, SPAN("proto")) && span_eq(value, SPAN("tls")))
			e->proto = TRACE_TLS;
	}
}

static void read_options(struct trace_entry *e, struct span options)
{
	while (options.len >= 4) {
		uint16_t code = half_at(options.p), len = half_at(options.p + 2);
		struct span value = span_head(span_skip(options, 4), len);

		if (code == 0 || value.len < len)
			return;
		if (code == OPTION_FLAGS && len == 4)
			e->sent = (word_at(value.p) & 3) == 2;
		else if (code == OPTION_COMMENT)
			read_comment(e, value);
		options = span_skip(options, 4 + ((size_t)len + 3) / 4 * 4);
	}
}

static enum block_is read_message(struct trace_entry *e, struct span body)
{
	struct span packet;
	struct sip_scan scan;
	uint32_t captured;
	bool sound, more;

	if (body.len < EPB_HEAD)
		return BLOCK_ALIEN;
	captured = word_at(body.p + 12);
	packet = span_head(span_skip(body, EPB_HEAD), captured);
	if (packet.len < captured || !packet.len)
		return BLOCK_ALIEN;
	*e = (struct trace_entry){ .kind = TRACE_MESSAGE };
	e->utc_us = (uint64_t)word_at(body.p + 4) << 32 | word_at(body.p + 8);
	sound = (packet.p[0] & 0xf0) == 0x40   ? read_ip4(e, packet, &more)
		: (packet.p[0] & 0xf0) == 0x60 ? read_ip6(e, packet, &more)
					       : false;
	if (!sound)
		return BLOCK_ALIEN;
	read_options(e, span_skip(body, EPB_HEAD + ((size_t)captured + 3) / 4 * 4));
	sip_scan(e->text, &scan);
	e->sip_call_id = scan.call_id;
	return more ? BLOCK_ENTRY_MORE : BLOCK_ENTRY;
}

/* ---- notes ------------------------------------------------------------------------------------ */

/* As they are written and as they are told. */
#define FIELD(capitals, name)                                                                      \
	{                                                                                          \
		{ capitals, sizeof(capitals) - 1 }, name                                           \
	}

static const struct {
	struct span written;
	const char *name;
} field_names[] = {
	FIELD("STARTED", "started"),
	FIELD("ANSWERED", "answered"),
	FIELD("ENDED", "ended"),
	FIELD("CALLER", "caller"),
	FIELD("CALLEE", "callee"),
	FIELD("CALLER_IN", "caller_in"),
	FIELD("CALLEE_IN", "callee_in"),
	FIELD("CALLER_OUT", "caller_out"),
	FIELD("CALLEE_OUT", "callee_out"),
	FIELD("MAPPING_GATEWAY", "mapping_gateway"),
	FIELD("ROUTING_GATEWAY", "routing_gateway"),
	FIELD("ACCOUNT", "account"),
	FIELD("VENDOR_ACCOUNT", "vendor_account"),
	FIELD("CALLER_ADDR", "caller_addr"),
	FIELD("CALLEE_ADDR", "callee_addr"),
	FIELD("END_CODE", "end_code"),
	FIELD("END_SIDE", "end_side"),
	FIELD("SIP_STATUS", "sip_status"),
};

static void read_field(struct trace_entry *e, struct span name, struct span value)
{
	if (e->n_fields == TRACE_FIELDS_MAX)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(field_names); i++)
		if (span_eq(name, field_names[i].written)) {
			e->fields[e->n_fields++] =
				(struct trace_field){ field_names[i].name, value };
			return;
		}
}

static void read_note_value(struct trace_entry *e, struct span name, struct span value)
{
	if (span_eq(name, SPAN("__REALTIME_TIMESTAMP")))
		span_to_u64(value, &e->utc_us);
	else if (span_eq(name, SPAN("MESSAGE")))
		e->text = value;
	else if (span_eq(name, SPAN("CAUSEWAY_KIND")))
		e->kind = trace_kind_of(value);
	else if (span_eq(name, SPAN("CAUSEWAY_CALL")))
		span_hex_to_u64(value, &e->call);
	else if (span_eq(name, SPAN("CAUSEWAY_LEG")))
		read_leg(e, value);
	else if (span_eq(name, SPAN("CAUSEWAY_ATTEMPT")))
		read_attempt(e, value);
	else if (span_eq(name, SPAN("CAUSEWAY_OBJECT")))
		e->object = value;
	else if (span_eq(name, SPAN("CAUSEWAY_SIP_CALL_ID")))
		e->sip_call_id = value;
	else if (span_starts(name, SPAN("CAUSEWAY_F_")))
		read_field(e, span_skip(name, 11), value);
}

/* One "NAME=value\n", or "NAME\n", 64 bits of length, the value and "\n". False: there is none. */
static bool next_value(struct span *rest, struct span *name, struct span *value)
{
	size_t line = span_find(*rest, '\n'), equals = span_find(span_head(*rest, line), '=');
	uint64_t len;

	if (line == rest->len)
		return false;
	*name = span_head(*rest, equals);
	if (equals < line) {
		*value = span_skip(span_head(*rest, line), equals + 1);
		*rest = span_skip(*rest, line + 1);
		return true;
	}
	*rest = span_skip(*rest, line + 1);
	if (rest->len < sizeof(len) + 1)
		return false;
	memcpy(&len, rest->p, sizeof(len));
	*rest = span_skip(*rest, sizeof(len));
	if (len >= rest->len || rest->p[len] != '\n')
		return false;
	*value = span_head(*rest, (size_t)len);
	*rest = span_skip(*rest, (size_t)len + 1);
	return true;
}

static enum block_is read_note(struct trace_entry *e, struct span body)
{
	struct span name, value;

	*e = (struct trace_entry){ .kind = TRACE_KINDS };
	while (next_value(&body, &name, &value))
		read_note_value(e, name, value);
	return e->kind > TRACE_MESSAGE && e->kind < TRACE_KINDS ? BLOCK_ENTRY : BLOCK_ALIEN;
}

size_t block_read(const void *bytes, size_t len, struct trace_entry *entry, enum block_is *is_out)
{
	const char *p = bytes;
	uint32_t type, total;
	struct span body;

	if (len < BLOCK_FRAME)
		return 0;
	type = word_at(p);
	total = word_at(p + 4);
	if (total < BLOCK_FRAME || total % 4 || total > BLOCK_MAX || total > len ||
	    word_at(p + total - 4) != total)
		return 0;
	body = (struct span){ p + 8, total - BLOCK_FRAME };
	*is_out = type == TYPE_EPB       ? read_message(entry, body)
		  : type == TYPE_JOURNAL ? read_note(entry, body)
					 : BLOCK_ALIEN;
	return total;
}

bool block_join(char *bytes, size_t len, struct trace_entry *entry)
{
	enum block_is is;
	size_t at = block_read(bytes, len, entry, &is), next;
	struct trace_entry part;

	if (!at || is == BLOCK_ALIEN)
		return false;
	while (is == BLOCK_ENTRY_MORE && at < len) {
		next = block_read(bytes + at, len - at, &part, &is);
		if (!next || is == BLOCK_ALIEN)
			break;
		memmove((char *)(uintptr_t)entry->text.p + entry->text.len, part.text.p,
			part.text.len);
		entry->text.len += part.text.len;
		at += next;
	}
	return true;
}

struct span trace_entry_field(const struct trace_entry *entry, const char *name)
{
	for (unsigned i = 0; i < entry->n_fields; i++)
		if (strcmp(entry->fields[i].name, name) == 0)
			return entry->fields[i].value;
	return SPAN_NONE;
}
