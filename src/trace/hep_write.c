/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One entry as a HEP3 message: "HEP3", the length of all, then chunks of vendor, type, length and value, all big-endian
 * ("The HEP/EEP encapsulation protocol", revision 12). */
#include "trace/hep_int.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>

enum chunk {
	CHUNK_FAMILY = 1,
	CHUNK_PROTOCOL = 2,
	CHUNK_IP4_FROM = 3,
	CHUNK_IP4_TO = 4,
	CHUNK_IP6_FROM = 5,
	CHUNK_IP6_TO = 6,
	CHUNK_PORT_FROM = 7,
	CHUNK_PORT_TO = 8,
	CHUNK_SECONDS = 9,
	CHUNK_MICROSECONDS = 10,
	CHUNK_TYPE = 11,
	CHUNK_AGENT = 12,
	CHUNK_KEY = 14,
	CHUNK_PAYLOAD = 15,
	CHUNK_CORRELATION = 17,
};

enum { TYPE_SIP = 1, TYPE_LOG = 100 };
enum { FAMILY_IP4 = 2, FAMILY_IP6 = 10 };

#define CHUNK_BYTES 6
#define TEXT_BYTES (1u << 20) /* of a note's JSON before it is cut */

/* Vendor 0 is the generic one. */
static void add_chunk(struct buf *out, enum chunk type, const void *value, size_t len)
{
	uint16_t head[CHUNK_BYTES / 2] = { 0, htons((uint16_t)type),
					   htons((uint16_t)(CHUNK_BYTES + len)) };

	buf_add(out, head, sizeof(head));
	buf_add(out, value, len);
}

static void add_u8_chunk(struct buf *out, enum chunk type, uint8_t value)
{
	add_chunk(out, type, &value, 1);
}

static void add_u32_chunk(struct buf *out, enum chunk type, uint32_t value)
{
	value = htonl(value);
	add_chunk(out, type, &value, sizeof(value));
}

/* ---- addresses ----------------------------------------------------------------------------- */

struct end {
	bool ip6;
	uint16_t port; /* network order */
	uint8_t bytes[16];
};

/* A note has no addresses: it is of this host. */
static struct end end_of(const struct sockaddr_storage *from)
{
	struct end e = { .bytes = { 127, 0, 0, 1 } };

	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;

		memcpy(e.bytes, &in->sin_addr, 4);
		e.port = in->sin_port;
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;

		e.ip6 = !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
		memcpy(e.bytes, in6->sin6_addr.s6_addr + (e.ip6 ? 0 : 12), e.ip6 ? 16 : 4);
		e.port = in6->sin6_port;
	}
	return e;
}

static void add_addresses(struct buf *out, const struct trace_entry *entry)
{
	struct end from = end_of(&entry->from), to = end_of(&entry->to);

	add_u8_chunk(out, CHUNK_FAMILY, from.ip6 ? FAMILY_IP6 : FAMILY_IP4);
	add_u8_chunk(out, CHUNK_PROTOCOL, entry->proto == TRACE_UDP ? IPPROTO_UDP : IPPROTO_TCP);
	add_chunk(out, from.ip6 ? CHUNK_IP6_FROM : CHUNK_IP4_FROM, from.bytes, from.ip6 ? 16 : 4);
	add_chunk(out, to.ip6 ? CHUNK_IP6_TO : CHUNK_IP4_TO, to.bytes, to.ip6 ? 16 : 4);
	add_chunk(out, CHUNK_PORT_FROM, &from.port, sizeof(from.port));
	add_chunk(out, CHUNK_PORT_TO, &to.port, sizeof(to.port));
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void add_member(struct buf *out, const char *name, struct span value)
{
	if (!value.len)
		return;
	buf_add_str(out, ",\"");
	buf_add_str(out, name);
	buf_add_str(out, "\":");
	buf_add_json(out, value);
}

static void write_note(struct buf *out, const struct trace_entry *entry)
{
	buf_addf(out, "{\"kind\":\"%s\"", trace_kind_name(entry->kind));
	if (entry->call)
		buf_addf(out, ",\"call\":\"%016" PRIx64 "\"", entry->call);
	if (entry->leg)
		buf_addf(out, ",\"leg\":\"%c\"", entry->leg);
	if (entry->attempt)
		buf_addf(out, ",\"attempt\":%u", entry->attempt);
	add_member(out, "object", entry->object);
	add_member(out, "sip_call_id", entry->sip_call_id);
	add_member(out, "text", entry->text);
	for (unsigned i = 0; i < entry->n_fields; i++)
		add_member(out, entry->fields[i].name, entry->fields[i].value);
	buf_add_char(out, '}');
}

/* Of a call its id; else the Call-ID, by which a note finds its messages. */
static void add_correlation(struct buf *out, const struct trace_entry *entry)
{
	char id[17];

	if (entry->call) {
		fmt_print(id, sizeof(id), "%016llx", (unsigned long long)entry->call);
		add_chunk(out, CHUNK_CORRELATION, id, 16);
	} else if (entry->sip_call_id.len && entry->sip_call_id.len <= 1024) {
		add_chunk(out, CHUNK_CORRELATION, entry->sip_call_id.p, entry->sip_call_id.len);
	}
}

/* The payload comes last: then it may be as long as there is room. */
static bool write_chunks(struct buf *out, const struct trace_entry *entry,
			 const struct hep_stamp *stamp, struct span payload)
{
	size_t start = out->len, room;
	bool cut;

	buf_add(out, "HEP3\0\0", 6); /* and the length, later */
	add_addresses(out, entry);
	add_u32_chunk(out, CHUNK_SECONDS, (uint32_t)(entry->utc_us / SEC));
	add_u32_chunk(out, CHUNK_MICROSECONDS, (uint32_t)(entry->utc_us % SEC));
	add_u8_chunk(out, CHUNK_TYPE, entry->kind == TRACE_MESSAGE ? TYPE_SIP : TYPE_LOG);
	add_u32_chunk(out, CHUNK_AGENT, stamp->id);
	if (stamp->key[0])
		add_chunk(out, CHUNK_KEY, stamp->key, strlen(stamp->key));
	add_correlation(out, entry);
	room = HEP_MESSAGE_MAX - CHUNK_BYTES - (out->len - start);
	cut = payload.len > room;
	payload = span_head(payload, room);
	add_chunk(out, CHUNK_PAYLOAD, payload.p, payload.len);
	return cut;
}

bool hep_write(struct buf *out, const struct trace_entry *entry, const struct hep_stamp *stamp,
	       bool *cut_out)
{
	struct buf json = BUF_INIT(TEXT_BYTES);
	size_t start = out->len;
	uint16_t length;
	bool cut, good;

	if (entry->kind == TRACE_MESSAGE) {
		cut = write_chunks(out, entry, stamp, entry->text);
	} else {
		write_note(&json, entry);
		cut = write_chunks(out, entry, stamp, buf_span(&json));
	}
	good = !out->failed && !json.failed;
	buf_free(&json);
	if (!good) {
		out->failed = false;
		out->len = start;
		return false;
	}
	length = htons((uint16_t)(out->len - start));
	memcpy(out->p + start + 4, &length, sizeof(length));
	*cut_out = cut;
	return true;
}

size_t hep_length(const char *p)
{
	uint16_t length;

	memcpy(&length, p + 4, sizeof(length));
	return ntohs(length);
}
