/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RTP found by what it looks like (RFC 3550 A.1): some packets of one SSRC between two addresses, numbered in sequence. Calls
 * come in later (join.c), so streams without signalling are found as well. The tap's duplicates are left out. */
#include "diag/diag_int.h"

#include <stdlib.h>

#define STREAMS_MAX 200000
#define LOOKED_AT 8192 /* bytes of payload whose values are noted */
#define DUPLICATE_WITHIN (5 * MSEC)
#define GAP (200 * MSEC)
#define MIN_PACKETS 4
#define QUIET (40 * MSEC) /* without a datagram of anybody's, while streams run */
#define BUFFER_US 60000 /* what a playout buffer usually holds */

static const double clocks[STREAM_CLOCKS] = { 8000, 16000, 48000, 90000 };

struct stream_node {
	struct hash_node node;
	struct stream stream;
};
struct rtcp_node {
	struct hash_node node;
	struct rtcp_view view;
};
struct other_node {
	struct hash_node node;
	struct other_flow flow;
};
struct quiet {
	uint64_t from_us, to_us, last_us; /* the last time without a datagram; the last datagram */
};
struct rtp_streams {
	struct arena *arena;
	struct hash_key key;
	struct hash_table by_ssrc, reports, others;
	struct stream *first, *last;
	bool sifted;
	struct quiet quiet;
	struct rtcp_view *rtcp;
	struct other_flow *first_other;
};

int rtp_streams_new(struct rtp_streams **out)
{
	struct rtp_streams *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	rng_bytes(&all->key, sizeof(all->key));
	all->arena = arena_new(65536);
	if (!all->arena || hash_table_init(&all->by_ssrc, 256) ||
	    hash_table_init(&all->others, 256) || hash_table_init(&all->reports, 256)) {
		rtp_streams_free(&all);
		return -ENOMEM;
	}
	*out = all;
	return 0;
}

void rtp_streams_free(struct rtp_streams **streams)
{
	struct rtp_streams *all = *streams;

	if (!all)
		return;
	hash_table_free(&all->by_ssrc);
	hash_table_free(&all->others);
	hash_table_free(&all->reports);
	arena_free(&all->arena);
	free(all);
	*streams = NULL;
}

/* ---- bytes ------------------------------------------------------------------------------------- */

static unsigned u16_at(struct span s, size_t at)
{
	return (unsigned)(unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1];
}

static uint32_t u32_at(struct span s, size_t at)
{
	return (uint32_t)u16_at(s, at) << 16 | u16_at(s, at + 2);
}

/* The addresses and a number, without what is undefined in them. */
static uint64_t hash_of(const struct rtp_streams *all, const struct capture_where *w,
			uint32_t number)
{
	struct {
		struct in6_addr src, dst;
		uint32_t number, ports;
	} key = { .number = number,
		  .ports = (uint32_t)net_addr_port(&w->src) << 16 | net_addr_port(&w->dst) };

	if (w->src.sa.sa_family == AF_INET6) {
		key.src = w->src.in6.sin6_addr;
		key.dst = w->dst.in6.sin6_addr;
	} else {
		memcpy(&key.src, &w->src.in4.sin_addr, 4);
		memcpy(&key.dst, &w->dst.in4.sin_addr, 4);
	}
	return hash_bytes(&all->key, &key, sizeof(key));
}

/* ---- one packet after another --------------------------------------------------------------------- */

struct rtp {
	bool marker;
	uint8_t pt;
	uint16_t sequence;
	uint32_t timestamp, ssrc;
	struct span payload;
};

static bool rtp_read(struct span bytes, struct rtp *out)
{
	size_t head = 12;
	unsigned first;

	if (bytes.len < 12)
		return false;
	first = (unsigned char)bytes.p[0];
	if (first >> 6 != 2)
		return false;
	head += (first & 15) * 4u;
	if (first & 0x10) {
		if (bytes.len < head + 4)
			return false;
		head += 4 + u16_at(bytes, head + 2) * 4u;
	}
	if (bytes.len < head)
		return false;
	out->marker = (unsigned char)bytes.p[1] & 0x80;
	out->pt = (unsigned char)bytes.p[1] & 0x7f;
	out->sequence = (uint16_t)u16_at(bytes, 2);
	out->timestamp = u32_at(bytes, 4);
	out->ssrc = u32_at(bytes, 8);
	out->payload = span_skip(bytes, head);
	if (first & 0x20 && out->payload.len) {
		unsigned padding = (unsigned char)out->payload.p[out->payload.len - 1];

		out->payload.len -= padding <= out->payload.len ? padding : out->payload.len;
	}
	return true;
}

/* All of one value, and one that a G.711 decoder turns into next to nothing. */
static bool is_silent(const struct rtp *rtp)
{
	unsigned char value = rtp->payload.len ? (unsigned char)rtp->payload.p[0] : 0;
	bool quiet = rtp->pt == 0   ? (value & 0x7f) >= 0x7e
		     : rtp->pt == 8 ? (value & 0x7f) == 0x55 || (value & 0x7f) == 0x54
				    : false;

	if (!quiet)
		return false;
	for (size_t i = 1; i < rtp->payload.len; i++)
		if ((unsigned char)rtp->payload.p[i] != value)
			return false;
	return true;
}

static void look_at_bytes(struct stream *s, struct span payload)
{
	for (size_t i = 0; i < payload.len && s->n_bytes_seen < LOOKED_AT; i++) {
		unsigned char b = (unsigned char)payload.p[i];

		s->distinct[b / 32] |= 1u << b % 32;
		s->n_bytes_seen++;
	}
}

/* How much later than the quickest packet? Where the timestamp does not go on with the time, counting begins anew. */
static void lateness(struct stream *s, int clock, double apart_us, double ticks_us)
{
	s->transit_us[clock] += apart_us - ticks_us;
	if (s->transit_us[clock] < s->earliest_us[clock] || apart_us > GAP)
		s->earliest_us[clock] = s->transit_us[clock];
	s->late[clock] += s->transit_us[clock] > s->earliest_us[clock] + BUFFER_US;
}

/* RFC 3550 6.4.1, in microseconds, from one arrival to the next, whatever their numbers; A.8's gain of 1/16. */
static void jitter(struct stream *s, const struct rtp *rtp, uint64_t utc_us)
{
	double ticks = (int32_t)(rtp->timestamp - s->arrival_timestamp);
	double apart_us = utc_us >= s->arrival_us ? (double)(utc_us - s->arrival_us)
						  : -(double)(s->arrival_us - utc_us);

	s->arrival_timestamp = rtp->timestamp;
	s->arrival_us = utc_us;
	if (ticks > 20 * 90000 || ticks < -20 * 90000 || rtp->payload.len == 4)
		return; /* an event keeps its timestamp */
	for (int i = 0; i < STREAM_CLOCKS; i++) {
		double d = apart_us - ticks * 1e6 / clocks[i];

		lateness(s, i, apart_us, ticks * 1e6 / clocks[i]);
		d = d < 0 ? -d : d;
		s->jitter_us[i] += (d - s->jitter_us[i]) / 16;
		if (s->packets > 32 && s->jitter_us[i] > s->jitter_max_us[i])
			s->jitter_max_us[i] = s->jitter_us[i];
	}
}

/* Longer than a second without a packet, and the number goes on by one while the timestamp jumps: silence was left out. */
static void gap(struct stream *s, const struct rtp *rtp, uint64_t utc_us)
{
	uint64_t apart = utc_us - s->last_us;
	uint32_t ticks = rtp->timestamp - s->timestamp;
	bool rested = ticks >= apart * 8 / 1000 / 2; /* at least half of the time at 8 kHz */

	if (apart < GAP)
		return;
	if ((uint16_t)(rtp->sequence - s->sequence) == 1 && rested)
		s->pauses++;
	else if (apart > s->longest_gap_us) {
		s->longest_gap_us = apart;
	}
}

static void missing(struct stream *s, unsigned n)
{
	if (n >= 3)
		s->lost_in_bursts += n;
}

static void content(struct stream *s, const struct rtp *rtp)
{
	s->payload_bytes += rtp->payload.len;
	s->same_length += rtp->payload.len == s->length;
	s->silent_packets += is_silent(rtp);
	look_at_bytes(s, rtp->payload);
	if (rtp->pt >= 96 && rtp->payload.len == 4 && (unsigned char)rtp->payload.p[0] <= 16) {
		s->event_packets++;
		s->events += !s->events || rtp->timestamp != s->event_timestamp;
		s->event_timestamp = rtp->timestamp;
	}
}

/* A number that is neither near nor a repetition: the sender began anew. */
static void restart(struct stream *s, const struct rtp *rtp)
{
	s->expected += 1;
	s->window = 1;
	s->sequence = rtp->sequence;
	s->timestamp = rtp->timestamp;
}

static bool is_tap_duplicate(const struct stream *s, const struct capture_where *w,
			     const struct rtp *rtp)
{
	return rtp->sequence == s->sequence && rtp->timestamp == s->timestamp &&
	       w->utc_us - s->last_us <= DUPLICATE_WITHIN && w->ip_id == s->last_ip_id;
}

/* An older number: late, or seen before. */
static bool late(struct stream *s, unsigned back)
{
	if (back < 64 && s->window & 1ull << back) {
		s->duplicates++;
		return false;
	}
	if (back < 64)
		s->window |= 1ull << back;
	s->out_of_order++;
	return true;
}

static bool is_repeated(const struct stream *s, const struct rtp *rtp)
{
	uint16_t back = (uint16_t)(s->sequence - rtp->sequence);

	return back < 64 && s->window & 1ull << back;
}

static bool in_sequence(struct stream *s, const struct capture_where *w, const struct rtp *rtp)
{
	uint16_t ahead = (uint16_t)(rtp->sequence - s->sequence);

	if (ahead == 0 || ahead > 65535 - 100)
		return late(s, (uint16_t)(s->sequence - rtp->sequence));
	if (ahead > 3000) {
		restart(s, rtp);
		return true;
	}
	gap(s, rtp, w->utc_us > s->last_us ? w->utc_us : s->last_us);
	if (ahead > 1)
		missing(s, ahead - 1u);
	s->expected += ahead;
	s->window = ahead < 64 ? s->window << ahead | 1 : 1;
	if (rtp->payload.len != 4) {
		s->timestamps += (int32_t)(rtp->timestamp - s->timestamp);
		s->timestamp = rtp->timestamp;
	}
	s->sequence = rtp->sequence;
	return true;
}

static void count(struct stream *s, const struct capture_where *w, const struct rtp *rtp)
{
	s->packets++;
	if (!s->by_pt[rtp->pt]++)
		s->first_us_by_pt[rtp->pt] = w->utc_us;
	content(s, rtp);
}

/* Nobody's datagram came while these were missing: it may be that the tap rested. */
static void missing_from_all(struct stream *s, const struct quiet *quiet, uint64_t utc_us,
			     unsigned n)
{
	uint64_t from = quiet->from_us > s->last_us ? quiet->from_us : s->last_us;
	uint64_t to = quiet->to_us < utc_us ? quiet->to_us : utc_us;

	if (n && n < 3000 && to > from && (to - from) * 10 > (utc_us - s->last_us) * 6)
		s->lost_with_all += n;
}

static void next_packet(struct stream *s, const struct capture_where *w, const struct rtp *rtp,
			const struct quiet *quiet)
{
	missing_from_all(s, quiet, w->utc_us, (uint16_t)(rtp->sequence - s->sequence - 1));
	if (is_tap_duplicate(s, w, rtp))
		return;
	if (!is_repeated(s, rtp))
		jitter(s, rtp, w->utc_us);
	if (in_sequence(s, w, rtp))
		count(s, w, rtp);
	if (w->utc_us > s->last_us) {
		s->last_us = w->utc_us;
		s->last_frame = w->frame;
	}
	s->last_ip_id = w->ip_id;
}

static struct stream *stream_new(struct rtp_streams *all, const struct capture_where *w,
				 const struct rtp *rtp, uint64_t hash)
{
	struct stream_node *node;
	struct stream *s;

	if (all->by_ssrc.count >= STREAMS_MAX)
		return NULL;
	node = arena_alloc(all->arena, sizeof(*node));
	if (!node)
		return NULL;
	s = &node->stream;
	s->src = w->src;
	s->dst = w->dst;
	s->ssrc = rtp->ssrc;
	s->path = w->path;
	s->dscp = w->dscp;
	s->first_frame = s->last_frame = w->frame;
	s->first_us = s->last_us = w->utc_us;
	s->sequence = rtp->sequence;
	s->timestamp = s->arrival_timestamp = rtp->timestamp;
	s->arrival_us = w->utc_us;
	s->last_ip_id = w->ip_id;
	s->length = (uint16_t)rtp->payload.len;
	s->expected = s->window = 1;
	hash_table_add(&all->by_ssrc, &node->node, hash);
	if (all->last)
		all->last->next = s;
	else
		all->first = s;
	all->last = s;
	count(s, w, rtp);
	return s;
}

static void rtp_packet(struct rtp_streams *all, const struct capture_where *w, struct span bytes)
{
	struct rtp rtp;
	uint64_t hash;

	if (!rtp_read(bytes, &rtp))
		return;
	hash = hash_of(all, w, rtp.ssrc);
	for (struct hash_node *n = hash_table_find(&all->by_ssrc, hash); n; n = hash_next(n)) {
		struct stream *s = &container_of(n, struct stream_node, node)->stream;

		if (s->ssrc == rtp.ssrc && net_addr_eq(&s->src, &w->src) &&
		    net_addr_eq(&s->dst, &w->dst)) {
			next_packet(s, w, &rtp, &all->quiet);
			return;
		}
	}
	stream_new(all, w, &rtp, hash);
}

/* ---- RTCP (RFC 3550 6.4) ---------------------------------------------------------------------------- */

static struct rtcp_view *rtcp_of(struct rtp_streams *all, const struct capture_where *w,
				 uint32_t ssrc, uint32_t about)
{
	uint64_t hash = hash_of(all, w, ssrc ^ about * 2654435761u);
	struct rtcp_node *node;
	struct rtcp_view *v;

	for (struct hash_node *n = hash_table_find(&all->reports, hash); n; n = hash_next(n)) {
		v = &container_of(n, struct rtcp_node, node)->view;
		if (v->ssrc == ssrc && v->about == about && net_addr_eq(&v->src, &w->src) &&
		    net_addr_eq(&v->dst, &w->dst))
			return v;
	}
	node = all->reports.count < STREAMS_MAX ? arena_alloc(all->arena, sizeof(*node)) : NULL;
	if (!node)
		return NULL;
	hash_table_add(&all->reports, &node->node, hash);
	v = &node->view;
	v->src = w->src;
	v->dst = w->dst;
	v->ssrc = ssrc;
	v->about = about;
	v->first_us = w->utc_us;
	v->next = all->rtcp;
	all->rtcp = v;
	return v;
}

static void report_block(struct rtcp_view *v, struct span block)
{
	int32_t lost = (int32_t)(u32_at(block, 4) << 8) >> 8;
	uint32_t held = u32_at(block, 12);

	v->lost = lost;
	if ((unsigned char)block.p[4] > v->fraction_max)
		v->fraction_max = (unsigned char)block.p[4];
	if (held > v->jitter_max)
		v->jitter_max = held;
}

static void rtcp_packet(struct rtp_streams *all, const struct capture_where *w, struct span bytes)
{
	unsigned type = (unsigned char)bytes.p[1], blocks = (unsigned char)bytes.p[0] & 31;
	size_t at = type == 200 ? 28 : 8;
	struct rtcp_view *v;
	bool more;

	if ((type != 200 && type != 201) || bytes.len < at)
		return;
	do {
		more = blocks > 0 && bytes.len >= at + 24;
		v = rtcp_of(all, w, u32_at(bytes, 4), more ? u32_at(bytes, at) : 0);
		if (!v)
			return;
		v->reports++;
		v->last_us = w->utc_us;
		if (type == 200)
			v->sent_packets = u32_at(bytes, 20);
		if (more)
			report_block(v, span_skip(bytes, at));
		at += 24;
	} while (more && --blocks > 0);
}

/* ---- the rest -------------------------------------------------------------------------------------------- */

static struct other_flow *other_of(struct rtp_streams *all, const struct capture_where *w)
{
	uint64_t hash = hash_of(all, w, 0);
	struct other_node *node;

	for (struct hash_node *n = hash_table_find(&all->others, hash); n; n = hash_next(n)) {
		struct other_flow *f = &container_of(n, struct other_node, node)->flow;

		if (net_addr_eq(&f->src, &w->src) && net_addr_eq(&f->dst, &w->dst))
			return f;
	}
	if (all->others.count >= STREAMS_MAX)
		return NULL;
	node = arena_alloc(all->arena, sizeof(*node));
	if (!node)
		return NULL;
	hash_table_add(&all->others, &node->node, hash);
	node->flow = (struct other_flow){ .src = w->src,
					  .dst = w->dst,
					  .first_frame = w->frame,
					  .first_us = w->utc_us,
					  .next = all->first_other };
	all->first_other = &node->flow;
	return &node->flow;
}

static void other_packet(struct rtp_streams *all, const struct capture_where *w, struct span bytes)
{
	struct other_flow *f = other_of(all, w);
	unsigned first = bytes.len ? (unsigned char)bytes.p[0] : 0;

	if (!f)
		return;
	f->packets++;
	f->last_us = w->utc_us;
	f->stun += bytes.len >= 20 && first < 4 && u32_at(bytes, 4) == 0x2112a442;
	f->dtls +=
		bytes.len >= 13 && first >= 20 && first <= 63 && (unsigned char)bytes.p[1] == 0xfe;
}

static void note_quiet(struct quiet *quiet, uint64_t utc_us)
{
	if (quiet->last_us && utc_us > quiet->last_us + QUIET) {
		quiet->from_us = quiet->last_us;
		quiet->to_us = utc_us;
	}
	if (utc_us > quiet->last_us)
		quiet->last_us = utc_us;
}

void rtp_streams_datagram(struct rtp_streams *all, const struct capture_where *w, struct span bytes,
			  uint32_t length)
{
	unsigned second;

	note_quiet(&all->quiet, w->utc_us);
	if (bytes.len < 12 || (unsigned char)bytes.p[0] >> 6 != 2) {
		other_packet(all, w, bytes);
		return;
	}
	second = (unsigned char)bytes.p[1];
	if (second >= 192 && second <= 223) /* RFC 5761 4 */
		rtcp_packet(all, w, bytes);
	else
		rtp_packet(all, w, bytes);
}

/* Too few, or numbers all over the place: not RTP at all. */
static bool is_stream(const struct stream *s)
{
	return s->packets >= MIN_PACKETS && s->expected < s->packets * 50;
}

struct stream *rtp_streams_first(struct rtp_streams *all)
{
	struct stream **at = &all->first;

	if (all->sifted)
		return all->first;
	all->sifted = true;
	while (*at) {
		struct stream *s = *at;

		s->lost = s->expected > s->packets ? s->expected - s->packets : 0;
		if (is_stream(s))
			at = &s->next;
		else
			*at = s->next;
	}
	return all->first;
}

const struct rtcp_view *rtp_streams_rtcp(const struct rtp_streams *all)
{
	return all->rtcp;
}

const struct other_flow *rtp_streams_others(const struct rtp_streams *all)
{
	return all->first_other;
}
