/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SDP (RFC 8866) and struct media_desc.
 *
 * Reading goes through the attributes of a stream once; a map from payload type to its
 * place makes each rtpmap and fmtp line cost the same however many formats there are.
 * edge_sdp_write.c is the inverse. */
#include "edge/edge_sdp.h"

#include "sdp/sdp.h"

#include <stdarg.h>
#include <stdio.h>

#define PT_MAX 127

/* ---- what becomes of an a= line --------------------------------------------------- */

enum attr_use {
	USE_RTPMAP,
	USE_FMTP,
	USE_PTIME,
	USE_MAXPTIME,
	USE_DIRECTION,
	USE_RTCP,
	USE_RTCP_MUX,
	USE_PASS, /* means the same to the other side: handed over as it is */
	USE_PASS_SSRC, /* handed over, but not the CNAME, which names a host (RFC 5576 6.1) */
	USE_DROP,
};

struct attr_rule {
	struct span name; /* without regard to case; a trailing "*" stands for any ending */
	enum attr_use use;
	uint8_t arg;
};

#define RULE(name, ...)                                                                            \
	{                                                                                          \
		{ (name), sizeof(name) - 1 }, __VA_ARGS__                                          \
	}

/* An attribute that is not in here is dropped. Among those left out on purpose:
 *   candidate, remote-candidates, ice-*, end-of-candidates, altc, source-filter, path:
 *     addresses of the sender's inside; without candidates the peer falls back to c= and m=
 *   tool, cat, keywds, charset, msid, cname, X-*, nortpproxy: the sender's software and network
 *   acap, tcap, pcfg, acfg, ccap, csup, creq: may carry addresses (RFC 7006), and offer what
 *     the description on the other leg could not be changed for; the actual one stands. */
/* clang-format off */
static const struct attr_rule attr_rules[] = {
	RULE("rtpmap", USE_RTPMAP),
	RULE("fmtp", USE_FMTP),
	RULE("ptime", USE_PTIME),
	RULE("maxptime", USE_MAXPTIME),
	RULE("sendrecv", USE_DIRECTION, MEDIA_SENDRECV),
	RULE("sendonly", USE_DIRECTION, MEDIA_SENDONLY),
	RULE("recvonly", USE_DIRECTION, MEDIA_RECVONLY),
	RULE("inactive", USE_DIRECTION, MEDIA_INACTIVE),
	RULE("rtcp", USE_RTCP),				/* RFC 3605 */
	RULE("rtcp-mux", USE_RTCP_MUX),			/* RFC 5761 */
	RULE("T38*", USE_PASS),				/* T.38 D.2.3 */
	RULE("silenceSupp", USE_PASS),			/* RFC 3108 */
	RULE("ecan", USE_PASS),
	RULE("gpmd", USE_PASS),				/* V.152 */
	RULE("pmft", USE_PASS),
	RULE("crypto", USE_PASS),			/* RFC 4568 */
	RULE("key-mgmt", USE_PASS),			/* RFC 4567 */
	RULE("zrtp-hash", USE_PASS),
	RULE("fingerprint", USE_PASS),			/* RFC 8122 */
	RULE("setup", USE_PASS),			/* RFC 4145 */
	RULE("connection", USE_PASS),
	RULE("direction", USE_PASS),			/* its draft's name, T.38 over TCP */
	RULE("tls-id", USE_PASS),
	RULE("rtcp-fb", USE_PASS),			/* RFC 4585 */
	RULE("rtcp-rsize", USE_PASS),			/* RFC 5506 */
	RULE("rtcp-xr", USE_PASS),			/* RFC 3611 */
	RULE("extmap", USE_PASS),			/* RFC 8285 */
	RULE("extmap-allow-mixed", USE_PASS),
	RULE("ssrc", USE_PASS_SSRC),			/* RFC 5576 */
	RULE("ssrc-group", USE_PASS),
	RULE("curr", USE_PASS),				/* RFC 3312 */
	RULE("des", USE_PASS),
	RULE("conf", USE_PASS),
	RULE("sqn", USE_PASS),				/* RFC 3407 */
	RULE("cdsc", USE_PASS),
	RULE("cpar", USE_PASS),
	RULE("cparmin", USE_PASS),
	RULE("cparmax", USE_PASS),
	RULE("group", USE_PASS),			/* RFC 5888; streams keep their places */
	RULE("mid", USE_PASS),
	RULE("bundle-only", USE_PASS),
	RULE("rid", USE_PASS),
	RULE("simulcast", USE_PASS),
	RULE("label", USE_PASS),			/* RFC 4574 */
	RULE("content", USE_PASS),			/* RFC 4796 */
	RULE("lang", USE_PASS),
	RULE("hlang-send", USE_PASS),			/* RFC 8373 */
	RULE("hlang-recv", USE_PASS),
	RULE("sdplang", USE_PASS),
	RULE("type", USE_PASS),
	RULE("quality", USE_PASS),
	RULE("framerate", USE_PASS),
	RULE("framesize", USE_PASS),
	RULE("imageattr", USE_PASS),			/* RFC 6236 */
	RULE("orient", USE_PASS),
	RULE("maxprate", USE_PASS),			/* RFC 3890 */
	RULE("mptime", USE_PASS),
	RULE("record", USE_PASS),			/* RFC 7866 */
	RULE("recordpref", USE_PASS),
	RULE("floorctrl", USE_PASS),			/* RFC 8856 */
	RULE("confid", USE_PASS),
	RULE("userid", USE_PASS),
	RULE("floorid", USE_PASS),
	RULE("sctp-port", USE_PASS),			/* RFC 8841 */
	RULE("sctpmap", USE_PASS),
	RULE("max-message-size", USE_PASS),
	RULE("accept-types", USE_PASS),			/* RFC 4975; its path is an address */
	RULE("accept-wrapped-types", USE_PASS),
	RULE("max-size", USE_PASS),
};
/* clang-format on */

static const struct attr_rule drop_rule = RULE("", USE_DROP);

static const struct attr_rule *rule_of(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(attr_rules); i++) {
		struct span known = attr_rules[i].name;
		bool open_ended;

		if (!name.len || ascii_lower(name.p[0]) != ascii_lower(known.p[0]))
			continue;
		open_ended = known.p[known.len - 1] == '*';
		if (open_ended ? span_istarts(name, span_head(known, known.len - 1))
			       : span_ieq(name, known))
			return &attr_rules[i];
	}
	return &drop_rule;
}

/* Lines that show as text only are handed over. */
static bool is_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

/* ---- payload types that need no rtpmap: RFC 3551 6 -------------------------------- */

/* clang-format off */
static const struct {
	const char *name;
	uint32_t clock;
	uint8_t channels;
} static_types[] = {
	[0] = { "PCMU", 8000, 1 },
	[2] = { "G726-32", 8000, 1 },	/* reserved by RFC 3551, still sent as RFC 1890 had it */
	[3] = { "GSM", 8000, 1 },
	[4] = { "G723", 8000, 1 },
	[5] = { "DVI4", 8000, 1 },
	[6] = { "DVI4", 16000, 1 },
	[7] = { "LPC", 8000, 1 },
	[8] = { "PCMA", 8000, 1 },
	[9] = { "G722", 8000, 1 },	/* 8000 by an old mistake that RFC 3551 4.5.2 keeps */
	[10] = { "L16", 44100, 2 },
	[11] = { "L16", 44100, 1 },
	[12] = { "QCELP", 8000, 1 },
	[13] = { "CN", 8000, 1 },
	[14] = { "MPA", 90000, 1 },
	[15] = { "G728", 8000, 1 },
	[16] = { "DVI4", 11025, 1 },
	[17] = { "DVI4", 22050, 1 },
	[18] = { "G729", 8000, 1 },
	[25] = { "CelB", 90000, 1 },
	[26] = { "JPEG", 90000, 1 },
	[28] = { "nv", 90000, 1 },
	[31] = { "H261", 90000, 1 },
	[32] = { "MPV", 90000, 1 },
	[33] = { "MP2T", 90000, 1 },
	[34] = { "H263", 90000, 1 },
};
/* clang-format on */

static void format_fill_static(struct media_format *format, enum media_kind kind)
{
	bool known = format->pt < ARRAY_SIZE(static_types) && static_types[format->pt].name;

	format->name = known ? static_types[format->pt].name : "";
	format->clock = known ? static_types[format->pt].clock : kind == MEDIA_VIDEO ? 90000 : 8000;
	format->channels = known ? static_types[format->pt].channels : 1;
}

/* ---- reading ---------------------------------------------------------------------- */

struct reader {
	struct arena *arena;
	const struct sdp *sdp;
	unsigned number; /* of the m= line, from 1 */
	struct media_stream *stream;
	bool rtp;
	uint8_t place[PT_MAX + 1]; /* format of a payload type, + 1 */
	struct media_extra **extra_end;
	char *why;
	size_t why_size;
};

static int refuse(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct reader *r, const char *format, ...)
{
	va_list ap;

	if (r->why && r->why_size) {
		va_start(ap, format);
		vsnprintf(r->why, r->why_size, format, ap);
		va_end(ap);
	}
	return -EBADMSG;
}

static int keep(struct reader *r, const char **dst, struct span text)
{
	*dst = media_word(r->arena, text);
	return *dst ? 0 : -ENOMEM;
}

/* Cut at the first blanks, of either kind and however many. */
static struct span cut_word(struct span s, struct span *rest)
{
	size_t at = 0;

	while (at < s.len && s.p[at] != ' ' && s.p[at] != '\t')
		at++;
	*rest = span_trim(span_skip(s, at));
	return span_head(s, at);
}

/* RTP/AVP, UDP/TLS/RTP/SAVPF, TCP/RTP/AVP ... */
static bool transport_is_rtp(struct span transport)
{
	struct span part;

	do {
		struct span rest;
		bool more = span_cut(transport, '/', &part, &rest);

		if (span_ieq(part, SPAN("RTP")))
			return more;
		transport = rest;
	} while (transport.len);
	return false;
}

static struct media_format *format_of(const struct reader *r, struct span word)
{
	struct media_stream *s = r->stream;
	uint32_t pt;

	if (r->rtp) {
		if (span_to_u32(word, &pt) || pt > PT_MAX || r->place[pt] == 0)
			return NULL;
		return &s->formats[r->place[pt] - 1];
	}
	for (unsigned i = 0; i < s->n_formats; i++)
		if (span_eq(span_of(s->formats[i].name), word))
			return &s->formats[i];
	return NULL;
}

/* "96 opus/48000/2" (RFC 8866 6.6). The clock is missing where a device takes its type for
 * known: what is known of the payload type stays then. */
static int read_rtpmap(struct reader *r, struct span value)
{
	struct span rest, pt = cut_word(value, &rest), name, clock, channels;
	struct media_format *format;
	uint32_t rate = 0, n = 1;

	format = r->rtp ? format_of(r, pt) : NULL;
	span_cut(cut_word(rest, &rest), '/', &name, &clock);
	span_cut(clock, '/', &clock, &channels);
	if (span_to_u32(channels, &n) || n > UINT8_MAX || n == 0)
		n = 1;
	if (!format || name.len == 0 || !is_text(name))
		return 0;
	if (clock.len && (span_to_u32(clock, &rate) || rate == 0))
		return refuse(r, "m= line %u: rtpmap of %u: clock rate is not a number", r->number,
			      format->pt);
	if (rate) {
		format->clock = rate;
		format->channels = (uint8_t)n;
	}
	return keep(r, &format->name, name);
}

static int read_fmtp(struct reader *r, struct span value)
{
	struct span rest, word = cut_word(value, &rest);
	struct media_format *format = format_of(r, word);

	/* RFC 8866 6.15: at most one for each format. */
	if (!format || format->fmtp || rest.len == 0 || !is_text(rest))
		return 0;
	return keep(r, &format->fmtp, rest);
}

/* "20", and "20.0" as some write it; anything else is taken as not said. */
static void read_ptime(uint16_t *dst, struct span value)
{
	struct span whole, rest;
	uint32_t ms;

	span_cut(value, '.', &whole, &rest);
	if (span_to_u32(whole, &ms) == 0 && ms <= UINT16_MAX)
		*dst = (uint16_t)ms;
}

/* "53020", "53020 IN IP4 192.0.2.1" (RFC 3605 2.1). */
static int read_rtcp(struct reader *r, struct span value)
{
	struct span rest, port_text = cut_word(value, &rest), host;
	uint32_t port;

	if (span_to_u32(port_text, &port) || port == 0 || port > UINT16_MAX)
		return 0;
	r->stream->rtcp_port = (uint16_t)port;
	r->stream->rtcp_host = NULL;
	if (!span_istarts(rest, SPAN("IN IP4 ")) && !span_istarts(rest, SPAN("IN IP6 ")))
		return 0;
	host = span_trim(span_skip(rest, 7));
	if (!sdp_is_host(host) || span_eq(host, span_of(r->stream->host)))
		return 0;
	return keep(r, &r->stream->rtcp_host, host);
}

static bool ssrc_names_host(struct span value)
{
	struct span rest;

	cut_word(value, &rest);
	return span_istarts(rest, SPAN("cname"));
}

static int read_extra(struct reader *r, const struct sdp_attr *attr)
{
	struct media_extra *extra;
	size_t colon = attr->value.p ? 1 : 0;
	char *line;

	if (!is_text(attr->value))
		return 0;
	extra = arena_alloc(r->arena,
			    sizeof(*extra) + attr->name.len + colon + attr->value.len + 1);
	if (!extra)
		return -ENOMEM;
	line = (char *)(extra + 1);
	memcpy(line, attr->name.p, attr->name.len);
	if (colon) {
		line[attr->name.len] = ':';
		memcpy(line + attr->name.len + 1, attr->value.p, attr->value.len);
	}
	extra->line = line;
	*r->extra_end = extra;
	r->extra_end = &extra->next;
	return 0;
}

static int read_attr(struct reader *r, const struct sdp_attr *attr, bool *directed)
{
	const struct attr_rule *rule = rule_of(attr->name);
	struct span value = attr->value.p ? attr->value : SPAN("");

	switch (rule->use) {
	case USE_RTPMAP:
		return read_rtpmap(r, value);
	case USE_FMTP:
		return read_fmtp(r, value);
	case USE_PTIME:
		read_ptime(&r->stream->ptime_ms, value);
		return 0;
	case USE_MAXPTIME:
		read_ptime(&r->stream->maxptime_ms, value);
		return 0;
	case USE_DIRECTION:
		if (!*directed)
			r->stream->direction = (enum media_direction)rule->arg;
		*directed = true;
		return 0;
	case USE_RTCP:
		return read_rtcp(r, value);
	case USE_RTCP_MUX:
		r->stream->rtcp_mux = true;
		return 0;
	case USE_PASS_SSRC:
		return ssrc_names_host(value) ? 0 : read_extra(r, attr);
	case USE_PASS:
		return read_extra(r, attr);
	case USE_DROP:
		return 0;
	}
	return 0;
}

static int read_attrs(struct reader *r, unsigned from, unsigned n)
{
	bool directed = false;
	int err = 0;

	for (unsigned i = from; i < from + n && !err; i++)
		err = read_attr(r, &r->sdp->attrs[i], &directed);
	return err;
}

static int read_rtp_format(struct reader *r, struct span word)
{
	struct media_stream *s = r->stream;
	uint32_t pt;

	if (span_to_u32(word, &pt) || pt > PT_MAX) {
		if (s->port != 0)
			return refuse(r, "m= line %u: payload type is not a number from 0 to 127",
				      r->number);
		pt = EDGE_PT_NONE; /* nobody will use it */
	} else if (r->place[pt]) {
		return 0; /* named twice */
	}
	s->formats[s->n_formats].pt = (uint8_t)pt;
	if (pt == EDGE_PT_NONE)
		return keep(r, &s->formats[s->n_formats++].name, word);
	format_fill_static(&s->formats[s->n_formats], s->kind);
	r->place[pt] = ++s->n_formats;
	return 0;
}

static int read_formats(struct reader *r, const struct sdp_media *media)
{
	static const struct span none = { "0", 1 };
	const struct span *words = media->n_formats ? media->formats : &none;
	unsigned n = media->n_formats ? media->n_formats : 1;
	struct media_stream *s = r->stream;
	int err = 0;

	static_assert(SDP_FORMATS_MAX <= MEDIA_FORMATS_MAX, "every format read has its place");
	s->formats = arena_alloc(r->arena, n * sizeof(*s->formats));
	if (!s->formats)
		return -ENOMEM;
	for (unsigned i = 0; i < n && !err; i++) {
		if (r->rtp) {
			err = read_rtp_format(r, words[i]);
			continue;
		}
		s->formats[s->n_formats].pt = EDGE_PT_NONE;
		s->formats[s->n_formats].channels = 1;
		err = keep(r, &s->formats[s->n_formats++].name, words[i]);
	}
	return err;
}

static enum media_kind kind_of(struct span word)
{
	if (span_ieq(word, SPAN("audio")))
		return MEDIA_AUDIO;
	if (span_ieq(word, SPAN("video")))
		return MEDIA_VIDEO;
	return span_ieq(word, SPAN("image")) ? MEDIA_IMAGE : MEDIA_OTHER;
}

/* The host of the stream before is most often this one's as well. */
static int read_host(struct reader *r, const struct sdp_conn *conn)
{
	struct media_stream *s = r->stream;

	if (!conn->set && s->port != 0)
		return refuse(r, "m= line %u: no c= line says where to send", r->number);
	if (!conn->set) {
		s->host = "0.0.0.0";
		return 0;
	}
	s->host_is_ip6_name = conn->ip6 && span_find(conn->host, ':') == conn->host.len;
	if (r->number > 1 && span_eq(conn->host, span_of(s[-1].host))) {
		s->host = s[-1].host;
		return 0;
	}
	return keep(r, &s->host, conn->host);
}

static int read_stream(struct reader *r, const struct sdp_media *media)
{
	struct media_stream *s = r->stream;
	int err;

	r->rtp = transport_is_rtp(media->transport);
	r->extra_end = &s->extra;
	memset(r->place, 0, sizeof(r->place));
	s->kind = kind_of(media->kind);
	s->port = media->port;
	s->n_ports = media->n_ports;
	s->bandwidth_as = media->bandwidth_as;
	err = read_host(r, &media->conn);
	if (!err && s->kind == MEDIA_OTHER)
		err = keep(r, &s->kind_name, media->kind);
	if (!err)
		err = keep(r, &s->transport, media->transport);
	if (!err)
		err = read_formats(r, media);
	if (!err)
		err = read_attrs(r, media->first_attr, media->n_attrs);
	return err;
}

/* What the session level says of direction and packet time holds for each stream that does
 * not say otherwise (RFC 8866 6.7); `defaults` is a stream that only collects it. */
static int read_session(struct reader *r, struct media_desc *desc, struct media_stream *defaults)
{
	r->stream = defaults;
	r->extra_end = &desc->extra;
	desc->bandwidth_as = r->sdp->bandwidth_as;
	return read_attrs(r, 0, r->sdp->n_session_attrs);
}

static int read_all(struct reader *r, struct media_desc *desc)
{
	struct media_stream defaults = { .direction = MEDIA_SENDRECV, .host = "" };
	int err = read_session(r, desc, &defaults);

	static_assert(SDP_MEDIA_MAX <= MEDIA_STREAMS_MAX, "every m= line has its stream");
	for (unsigned i = 0; i < r->sdp->n_media && !err; i++) {
		r->number = i + 1;
		r->stream = &desc->streams[i];
		r->stream->direction = defaults.direction;
		r->stream->ptime_ms = defaults.ptime_ms;
		r->stream->maxptime_ms = defaults.maxptime_ms;
		r->stream->rtcp_mux = defaults.rtcp_mux;
		err = read_stream(r, &r->sdp->media[i]);
		desc->n_streams++;
	}
	return err;
}

int edge_desc_read(struct arena *arena, struct span sdp, struct media_desc **desc_out, char *why,
		   size_t why_size)
{
	static _Thread_local struct sdp parsed; /* too large for the stack, and never kept */
	struct reader r = { .arena = arena, .sdp = &parsed, .why = why, .why_size = why_size };
	struct media_desc *desc;
	const char *error;
	unsigned line;
	int err;

	error = sdp_parse(&parsed, sdp, &line);
	if (error)
		return line ? refuse(&r, "line %u: %s", line, error) : refuse(&r, "%s", error);
	desc = arena_alloc(arena, sizeof(*desc));
	err = desc ? read_all(&r, desc) : -ENOMEM;
	if (err == -ENOMEM)
		refuse(&r, "out of memory");
	if (!err)
		*desc_out = desc;
	return err;
}
