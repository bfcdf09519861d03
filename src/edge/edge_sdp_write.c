/* SPDX-License-Identifier: GPL-3.0-or-later */
/* struct media_desc to SDP, in the order of RFC 8866 5. read(write(d)) equals d for every d
 * that reading can give (the fuzzer's check), so a description may cross any number of
 * switches and come out the same. */
#include "edge/edge_sdp.h"

static const char *const direction_names[] = {
	[MEDIA_SENDRECV] = "sendrecv",
	[MEDIA_SENDONLY] = "sendonly",
	[MEDIA_RECVONLY] = "recvonly",
	[MEDIA_INACTIVE] = "inactive",
};

/* A literal, and a number: what a description is made of, without a format to be read each time. */
#define PUT(out, literal) buf_add((out), (literal), sizeof(literal) - 1)

static void put_number(struct buf *out, uint64_t number)
{
	char digits[20];

	buf_add(out, digits, fmt_u64(digits, number));
}

/* "a=ptime:20" */
static void put_figure(struct buf *out, const char *name, uint64_t number)
{
	buf_add_str(out, name);
	put_number(out, number);
	PUT(out, "\r\n");
}

static void write_address(struct buf *out, const char *host, bool ip6_name)
{
	if (ip6_name || strchr(host, ':'))
		PUT(out, "IN IP6 ");
	else
		PUT(out, "IN IP4 ");
	buf_add_str(out, host);
}

static void write_extra(struct buf *out, const struct media_extra *extra)
{
	for (; extra; extra = extra->next) {
		PUT(out, "a=");
		buf_add_str(out, extra->line);
		PUT(out, "\r\n");
	}
}

static const char *kind_name(const struct media_stream *s)
{
	switch (s->kind) {
	case MEDIA_AUDIO:
		return "audio";
	case MEDIA_VIDEO:
		return "video";
	case MEDIA_IMAGE:
		return "image";
	case MEDIA_OTHER:
		break;
	}
	return s->kind_name ? s->kind_name : "application";
}

static void write_m_line(struct buf *out, const struct media_stream *s)
{
	PUT(out, "m=");
	buf_add_str(out, kind_name(s));
	buf_add_char(out, ' ');
	put_number(out, s->n_formats ? s->port : 0);
	if (s->n_ports > 1) {
		buf_add_char(out, '/');
		put_number(out, s->n_ports);
	}
	buf_add_char(out, ' ');
	buf_add_str(out, s->transport);
	for (unsigned i = 0; i < s->n_formats; i++) {
		buf_add_char(out, ' ');
		if (s->formats[i].pt == EDGE_PT_NONE)
			buf_add_str(out, s->formats[i].name);
		else
			put_number(out, s->formats[i].pt);
	}
	/* RFC 3264 6: a refused stream still lists one. */
	buf_add_str(out, s->n_formats ? "\r\n" : " 0\r\n");
}

/* An rtpmap for static types as well: some devices look for nothing else. */
static void write_format(struct buf *out, const struct media_format *f)
{
	bool rtp = f->pt != EDGE_PT_NONE;

	if (rtp && f->name[0]) {
		PUT(out, "a=rtpmap:");
		put_number(out, f->pt);
		buf_add_char(out, ' ');
		buf_add_str(out, f->name);
		buf_add_char(out, '/');
		put_number(out, f->clock);
		if (f->channels > 1) {
			buf_add_char(out, '/');
			put_number(out, f->channels);
		}
		PUT(out, "\r\n");
	}
	if (!f->fmtp)
		return;
	PUT(out, "a=fmtp:");
	if (rtp)
		put_number(out, f->pt);
	else
		buf_add_str(out, f->name);
	buf_add_char(out, ' ');
	buf_add_str(out, f->fmtp);
	PUT(out, "\r\n");
}

static void write_rtcp(struct buf *out, const struct media_stream *s)
{
	unsigned port = s->rtcp_port ? s->rtcp_port : s->port + 1u;

	if (s->rtcp_mux)
		buf_add_str(out, "a=rtcp-mux\r\n");
	if (!s->rtcp_port && !s->rtcp_host)
		return;
	buf_addf(out, "a=rtcp:%u", port);
	if (s->rtcp_host) {
		buf_add_char(out, ' ');
		write_address(out, s->rtcp_host, false);
	}
	buf_add_str(out, "\r\n");
}

/* The session's c= is that of the first stream in use: some devices read no other. */
static const struct media_stream *session_stream(const struct media_desc *desc)
{
	for (unsigned i = 0; i < desc->n_streams; i++)
		if (desc->streams[i].port != 0)
			return &desc->streams[i];
	return &desc->streams[0];
}

static void write_stream(struct buf *out, const struct media_stream *s,
			 const struct media_stream *session)
{
	write_m_line(out, s);
	if (strcmp(s->host, session->host) != 0 ||
	    s->host_is_ip6_name != session->host_is_ip6_name) {
		buf_add_str(out, "c=");
		write_address(out, s->host, s->host_is_ip6_name);
		buf_add_str(out, "\r\n");
	}
	if (s->bandwidth_as)
		put_figure(out, "b=AS:", s->bandwidth_as);
	for (unsigned i = 0; i < s->n_formats; i++)
		write_format(out, &s->formats[i]);
	if (s->ptime_ms)
		put_figure(out, "a=ptime:", s->ptime_ms);
	if (s->maxptime_ms)
		put_figure(out, "a=maxptime:", s->maxptime_ms);
	write_rtcp(out, s);
	write_extra(out, s->extra);
	PUT(out, "a=");
	buf_add_str(out, direction_names[s->direction]);
	PUT(out, "\r\n");
}

void edge_desc_write(struct buf *out, const struct media_desc *desc,
		     const struct edge_sdp_origin *origin)
{
	const struct media_stream *session = session_stream(desc);

	PUT(out, "v=0\r\no=causeway ");
	put_number(out, origin->session_id);
	buf_add_char(out, ' ');
	put_number(out, origin->version);
	buf_add_char(out, ' ');
	write_address(out, origin->host, false);
	buf_add_str(out, "\r\ns=-\r\n");
	if (desc->n_streams) {
		buf_add_str(out, "c=");
		write_address(out, session->host, session->host_is_ip6_name);
		buf_add_str(out, "\r\n");
	}
	if (desc->bandwidth_as)
		put_figure(out, "b=AS:", desc->bandwidth_as);
	buf_add_str(out, "t=0 0\r\n");
	write_extra(out, desc->extra);
	for (unsigned i = 0; i < desc->n_streams; i++)
		write_stream(out, &desc->streams[i], session);
}
