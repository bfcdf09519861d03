/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams belong to the call whose SDP asked for them, while that SDP held: ports are used again by later calls. Legs belong together
 * when what came to a host left it again at once for the same number. */
#include "diag/diag_int.h"

#include <stdlib.h>

#define EARLY_BY SEC /* media may overtake its SDP */
#define LATE_BY (2 * SEC) /* and goes on a little after the end */
#define LEGS_WITHIN (3 * SEC)
#define RELATED_MAX 8
#define DIGITS_COMPARED 6

/* ---- codecs ------------------------------------------------------------------------------------ */

static const struct {
	uint8_t pt;
	const char *name;
	uint32_t clock;
} static_types[] = { { 0, "PCMU", 8000 },   { 3, "GSM", 8000 },    { 4, "G723", 8000 },
		     { 5, "DVI4", 8000 },   { 6, "DVI4", 16000 },  { 7, "LPC", 8000 },
		     { 8, "PCMA", 8000 },   { 9, "G722", 8000 },   { 10, "L16", 44100 },
		     { 11, "L16", 44100 },  { 12, "QCELP", 8000 }, { 13, "CN", 8000 },
		     { 15, "G728", 8000 },  { 18, "G729", 8000 },  { 26, "JPEG", 90000 },
		     { 31, "H261", 90000 }, { 32, "MPV", 90000 },  { 34, "H263", 90000 } };

/* What this line's rtpmap says of a payload type: "PCMA/8000". */
static struct span mapped(const struct media_line *line, unsigned pt)
{
	const struct sdp *sdp = line->sdp;

	for (unsigned i = 0; i < line->media->n_attrs; i++) {
		const struct sdp_attr *a = &sdp->attrs[line->media->first_attr + i];
		struct span number, rest;
		uint32_t value;

		if (span_eq(a->name, SPAN("rtpmap")) && span_cut(a->value, ' ', &number, &rest) &&
		    !span_to_u32(number, &value) && value == pt)
			return span_trim(rest);
	}
	return SPAN_NONE;
}

static unsigned main_pt(const struct stream *s)
{
	unsigned best = 0;

	for (unsigned pt = 1; pt < 128; pt++)
		if (s->by_pt[pt] > s->by_pt[best])
			best = pt;
	return best;
}

static const struct media_line *line_mapping(const struct stream *s, unsigned pt)
{
	const struct leg *leg = s->leg;

	if (s->line && mapped(s->line, pt).len)
		return s->line;
	for (unsigned i = 0; leg && i < leg->n_lines; i++)
		if (mapped(&leg->lines[i], pt).len)
			return &leg->lines[i];
	return NULL;
}

static const char *codec_of(struct diag *d, struct stream *s)
{
	unsigned pt = main_pt(s);
	const struct media_line *line = line_mapping(s, pt);
	struct span name, rest, clock;
	uint32_t rate = 0;

	if (line) {
		span_cut(mapped(line, pt), '/', &name, &rest);
		span_cut(rest, '/', &clock, &rest);
		if (!span_to_u32(clock, &rate))
			s->clock = rate;
		return say(d, "%.*s/%u", SPAN_ARG(name), rate);
	}
	for (size_t i = 0; i < ARRAY_SIZE(static_types); i++)
		if (static_types[i].pt == pt) {
			s->clock = static_types[i].clock;
			return say(d, "%s/%u", static_types[i].name, s->clock);
		}
	return "unknown";
}

/* ---- streams to legs ------------------------------------------------------------------------------ */

struct line_node {
	struct hash_node node;
	struct media_line *line;
};

static uint64_t hash_addr(const struct diag *d, const union net_addr *a)
{
	unsigned char key[18] = { 0 };
	uint16_t port = net_addr_port(a);

	if (a->sa.sa_family == AF_INET6)
		memcpy(key, &a->in6.sin6_addr, 16);
	else
		memcpy(key, &a->in4.sin_addr, 4);
	memcpy(key + 16, &port, 2);
	return hash_bytes(&d->key, key, sizeof(key));
}

static void list_lines(struct diag *d, struct hash_table *table)
{
	for (struct leg *leg = d->legs; leg; leg = leg->next)
		for (unsigned i = 0; i < leg->n_lines; i++) {
			struct line_node *n;

			if (!leg->lines[i].rtp.sa.sa_family)
				continue;
			n = arena_alloc(d->arena, sizeof(*n));
			if (!n)
				return;
			n->line = &leg->lines[i];
			hash_table_add(table, &n->node, hash_addr(d, &n->line->rtp));
		}
}

/* How much of the stream lies within the time of the line; the answerer's media may come before his answer. */
static uint64_t overlap(const struct stream *s, const struct media_line *line)
{
	uint64_t from = line->from_us > EARLY_BY ? line->from_us - EARLY_BY : 0;
	uint64_t to = line->to_us > UINT64_MAX - LATE_BY ? UINT64_MAX : line->to_us + LATE_BY;

	from = from > s->first_us ? from : s->first_us;
	to = to < s->last_us ? to : s->last_us;
	return to >= from ? to - from + 1 : 0;
}

static struct media_line *line_at(const struct diag *d, const struct hash_table *table,
				  const union net_addr *addr, const struct stream *s)
{
	struct media_line *best = NULL;
	uint64_t most = 0;

	for (struct hash_node *n = hash_table_find(table, hash_addr(d, addr)); n;
	     n = hash_next(n)) {
		struct media_line *line = container_of(n, struct line_node, node)->line;
		uint64_t common;

		if (!net_addr_eq(&line->rtp, addr))
			continue;
		common = overlap(s, line);
		if (common > most) {
			most = common;
			best = line;
		}
	}
	return best;
}

static void add_to_leg(struct stream *s)
{
	struct stream **at = &s->leg->streams;

	while (*at)
		at = &(*at)->leg_next;
	*at = s;
}

static void join_stream(struct diag *d, const struct hash_table *table, struct stream *s)
{
	struct media_line *to = line_at(d, table, &s->dst, s);
	struct media_line *from = to ? NULL : line_at(d, table, &s->src, s);

	if (to) {
		s->leg = to->leg;
		s->line = to;
		s->to_caller = to->of_caller;
	} else if (
		from) { /* from where its sender wants to receive, to where nobody asked for it */
		s->leg = from->leg;
		s->to_caller = !from->of_caller;
	}
	if (s->leg)
		add_to_leg(s);
}

/* ITU-T G.107 with G.113's values: what packet loss alone leaves of a codec; delay is not known at a tap. */
static double mos_of(const struct stream *s, const char *codec)
{
	static const struct {
		const char *codec;
		double ie, bpl;
	} rows[] = { { "PCMU", 0, 25.1 }, { "PCMA", 0, 25.1 },  { "G729", 11, 19 },
		     { "GSM", 20, 43 },   { "G723", 15, 16.1 }, { "iLBC", 10, 32 } };
	double loss = s->expected ? 100.0 * (double)s->lost / (double)s->expected : 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		double r;

		if (!span_istarts(span_of(codec), span_of(rows[i].codec)))
			continue;
		r = 93.2 - (rows[i].ie + (95 - rows[i].ie) * loss / (loss + rows[i].bpl));
		return r < 0 ? 1 : 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
	}
	return 0;
}

static void view_stream(struct diag *d, struct stream *s, struct diag_stream_view *out)
{
	const char *codec = codec_of(d, s);
	unsigned clock = s->clock == 16000   ? CLOCK_16000
			 : s->clock == 48000 ? CLOCK_48000
			 : s->clock == 90000 ? CLOCK_90000
					     : CLOCK_8000;

	*out = (struct diag_stream_view){ .ssrc = s->ssrc,
					  .src = s->src,
					  .dst = s->dst,
					  .codec = codec,
					  .call_id = s->leg ? s->leg->call_id.p : NULL,
					  .first_us = s->first_us,
					  .last_us = s->last_us,
					  .packets = s->packets,
					  .lost = s->lost,
					  .jitter_ms = s->jitter_us[clock] / 1000,
					  .mos = mos_of(s, codec) };
}

void join_streams(struct diag *d)
{
	struct stream *first = rtp_streams_first(d->streams);
	struct hash_table table;
	unsigned n = 0;

	if (hash_table_init(&table, 1024))
		return;
	list_lines(d, &table);
	for (struct stream *s = first; s; s = s->next, n++)
		join_stream(d, &table, s);
	hash_table_free(&table);
	d->stream_views = n ? arena_alloc(d->arena, n * sizeof(*d->stream_views)) : NULL;
	for (struct stream *s = first; s && d->stream_views; s = s->next)
		view_stream(d, s, &d->stream_views[d->n_stream_views++]);
}

/* ---- legs to each other ------------------------------------------------------------------------------- */

static struct span last_digits(const char *number)
{
	struct span s = span_of(number);

	return s.len > DIGITS_COMPARED ? span_skip(s, s.len - DIGITS_COMPARED) : s;
}

static bool same_callee(const struct leg *a, const struct leg *b)
{
	return a->view.to[0] && span_eq(last_digits(a->view.to), last_digits(b->view.to));
}

static bool same_caller(const struct leg *a, const struct leg *b)
{
	return a->view.from[0] && span_eq(last_digits(a->view.from), last_digits(b->view.from));
}

static struct span session_id(const struct leg *leg)
{
	struct span id, rest;

	span_cut(sip_header_named(leg->invite->requests[0]->sip, "Session-ID"), ';', &id, &rest);
	return span_trim(id);
}

/* RFC 7989's Session-ID says so; else the host that got the one sent the other, for the same numbers, at once. */
static bool are_related(const struct leg *a, const struct leg *b)
{
	struct span id = session_id(a);

	if (id.len && span_eq(id, session_id(b)))
		return true;
	return net_addr_eq_host(&a->invite->server, &b->invite->client) &&
	       (same_callee(a, b) || same_caller(a, b));
}

static void relate(struct diag *d, struct leg *leg, const struct leg *other)
{
	const struct diag_case **all = (const struct diag_case **)leg->view.related;

	if (!all)
		all = arena_alloc(d->arena, RELATED_MAX * sizeof(struct diag_case *));
	if (!all || leg->view.n_related == RELATED_MAX)
		return;
	all[leg->view.n_related++] = &other->view;
	leg->view.related = all;
}

void join_legs(struct diag *d)
{
	for (struct leg *a = d->legs; a; a = a->next) {
		if (!a->invite)
			continue;
		for (struct leg *b = a->next; b; b = b->next) {
			if (b->first_us > a->first_us + LEGS_WITHIN)
				break;
			if (b->invite && are_related(a, b)) {
				relate(d, a, b);
				relate(d, b, a);
			}
		}
	}
}
