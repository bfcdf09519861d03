/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing messages: bounds-checked copying, front to back, no formatting on the way of a call.
 *
 * A header value from elsewhere must not bring a line of its own. Values of received messages
 * cannot (sip_msg.c); whatever else is written by sip_write_header is looked at, and a CR or
 * LF in it fails the writer. */
#include "sip/sip_write.h"
#include "sip/sip_int.h"

#include <stdarg.h>

void sip_write_begin(struct sip_writer *w, size_t size)
{
	*w = (struct sip_writer){ .buf = size <= NET_MSG_MAX ? net_buf_new(size) : NULL };
	if (!w->buf) {
		w->failed = true;
		return;
	}
	w->p = w->buf->data;
	w->end = w->p + (w->buf->size < NET_MSG_MAX ? w->buf->size : NET_MSG_MAX);
}

void sip_puts(struct sip_writer *w, const char *cstr)
{
	sip_put(w, span_of(cstr));
}

void sip_putu(struct sip_writer *w, uint64_t number)
{
	char digits[20];

	sip_put(w, (struct span){ digits, fmt_u64(digits, number) });
}

void sip_put_ip4(struct sip_writer *w, const union net_addr *addr)
{
	char text[16];

	sip_put(w, (struct span){ text, fmt_ip4(text, &addr->in4.sin_addr) });
}

static void putv(struct sip_writer *w, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void putv(struct sip_writer *w, const char *format, va_list args)
{
	size_t room = w->failed ? 0 : (size_t)(w->end - w->p);
	size_t n = room ? fmt_vprint(w->p, room, format, args) : 0;

	if (n >= room)
		w->failed = true;
	else
		w->p += n;
}

void sip_putf(struct sip_writer *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	putv(w, format, args);
	va_end(args);
}

static void refuse_lines(struct sip_writer *w, struct span s)
{
	if (s.len && (memchr(s.p, '\n', s.len) || memchr(s.p, '\r', s.len)))
		w->failed = true;
}

void sip_write_request_line(struct sip_writer *w, struct span method, struct span uri)
{
	refuse_lines(w, uri);
	sip_put(w, method);
	SIP_PUT(w, " ");
	sip_put(w, uri);
	SIP_PUT(w, " SIP/2.0\r\n");
}

static void put_name(struct sip_writer *w, enum sip_header id)
{
	sip_put(w, sip_header_label(id));
}

void sip_write_header(struct sip_writer *w, enum sip_header id, struct span value)
{
	refuse_lines(w, value);
	put_name(w, id);
	sip_put(w, value);
	SIP_PUT(w, "\r\n");
}

void sip_write_cseq(struct sip_writer *w, uint32_t cseq, struct span method)
{
	SIP_PUT(w, "CSeq: ");
	sip_putu(w, cseq);
	SIP_PUT(w, " ");
	sip_put(w, method);
	SIP_PUT(w, "\r\n");
}

void sip_write_headerf(struct sip_writer *w, enum sip_header id, const char *format, ...)
{
	va_list args;
	char *from;

	put_name(w, id);
	from = w->p;
	va_start(args, format);
	putv(w, format, args);
	va_end(args);
	if (!w->failed)
		refuse_lines(w, (struct span){ from, (size_t)(w->p - from) });
	SIP_PUT(w, "\r\n");
}

/* ---- responses ------------------------------------------------------------------------- */

/* From a ';' to the next, or to the end of the first list element. */
static struct span via_param(struct sip_cursor *c)
{
	struct sip_cursor next = { c->p + 1, c->end };
	struct span quoted, param;

	while (next.p < next.end && *next.p != ';' && *next.p != ',') {
		if (*next.p != '"')
			next.p++;
		else if (!sip_take_quoted(&next, &quoted))
			next.p = next.end;
	}
	param = (struct span){ c->p, (size_t)(next.p - c->p) };
	c->p = next.p;
	return param;
}

static bool is_ours(struct span param)
{
	struct sip_cursor c = sip_cursor_of(span_skip(param, 1));
	struct span name;

	sip_skip_blank(&c);
	name = sip_take(&c, SIP_C_TOKEN);
	return span_ieq(name, SPAN("rport")) || span_ieq(name, SPAN("received"));
}

/* RFC 3261 18.2.1: when the sent-by is not the address it came from. */
static bool sent_by_differs(const struct sip_msg *req, const struct net_flow *flow)
{
	union net_addr addr;
	char text[NET_ADDR_TEXT];

	if (span_eq(req->via.host, span_of(net_addr_format_host(&flow->peer, text))))
		return false;
	return net_addr_parse(&addr, req->via.host, 0) || !net_addr_eq_host(&addr, &flow->peer);
}

/* As net_addr_format_host; IPv4, which is nearly always, without formatting. */
static void put_host(struct sip_writer *w, const union net_addr *addr)
{
	char text[NET_ADDR_TEXT];

	if (addr->sa.sa_family != AF_INET) {
		sip_puts(w, net_addr_format_host(addr, text));
		return;
	}
	sip_put_ip4(w, addr);
}

/* The topmost Via with what we learned of its sender: received always when rport was asked
 * for (RFC 3581 4), and never what the sender itself claims about either. */
static void write_top_via(struct sip_writer *w, const struct sip_msg *req,
			  const struct net_flow *flow, struct span value)
{
	struct sip_cursor c = sip_cursor_of(value);
	size_t plain;

	put_name(w, SIP_H_VIA);
	if (!req->via.rport && !sent_by_differs(req, flow)) {
		sip_put(w, value);
		SIP_PUT(w, "\r\n");
		return;
	}
	while (c.p < c.end && *c.p != ';' && *c.p != ',')
		c.p++;
	plain = (size_t)(c.p - value.p);
	sip_put(w, span_trim(span_head(value, plain)));
	while (sip_at(&c, ';')) {
		struct span param = via_param(&c);

		if (!is_ours(param))
			sip_put(w, span_trim(param));
	}
	SIP_PUT(w, ";received=");
	put_host(w, &flow->peer);
	if (req->via.rport) {
		SIP_PUT(w, ";rport=");
		sip_putu(w, net_addr_port(&flow->peer));
	}
	sip_put(w, (struct span){ c.p, (size_t)(c.end - c.p) });
	SIP_PUT(w, "\r\n");
}

static void write_vias(struct sip_writer *w, const struct sip_msg *req, const struct net_flow *flow)
{
	uint8_t at = req->first[SIP_H_VIA];

	if (at == 0xff)
		return;
	write_top_via(w, req, flow, sip_str(req, req->headers[at].value));
	while ((at = req->headers[at].next) != 0xff) {
		put_name(w, SIP_H_VIA);
		sip_put(w, sip_str(req, req->headers[at].value));
		SIP_PUT(w, "\r\n");
	}
}

static void copy_header(struct sip_writer *w, const struct sip_msg *req, enum sip_header id)
{
	struct span value = sip_header(req, id);

	if (!value.p)
		return;
	put_name(w, id);
	sip_put(w, value);
	SIP_PUT(w, "\r\n");
}

static void write_to(struct sip_writer *w, const struct sip_msg *req, int status,
		     struct span to_tag)
{
	struct span value = sip_header(req, SIP_H_TO);

	if (!value.p)
		return;
	put_name(w, SIP_H_TO);
	sip_put(w, value);
	if (!req->to_tag.len && status > 100 && to_tag.len) {
		SIP_PUT(w, ";tag=");
		sip_put(w, to_tag);
	}
	SIP_PUT(w, "\r\n");
}

void sip_write_response_head(struct sip_writer *w, const struct sip_msg *req,
			     const struct net_flow *flow, int status, const char *reason,
			     struct span to_tag)
{
	struct span phrase = span_of(reason ? reason : sip_reason_phrase(status));

	refuse_lines(w, phrase);
	SIP_PUT(w, "SIP/2.0 ");
	sip_putu(w, (unsigned)status);
	SIP_PUT(w, " ");
	sip_put(w, phrase);
	SIP_PUT(w, "\r\n");
	write_vias(w, req, flow);
	copy_header(w, req, SIP_H_FROM);
	write_to(w, req, status, to_tag);
	copy_header(w, req, SIP_H_CALL_ID);
	copy_header(w, req, SIP_H_CSEQ);
	if (status == 100)
		copy_header(w, req, SIP_H_TIMESTAMP);
}

void sip_write_record_routes(struct sip_writer *w, const struct sip_msg *req)
{
	for (uint8_t at = req->first[SIP_H_RECORD_ROUTE]; at != 0xff; at = req->headers[at].next) {
		put_name(w, SIP_H_RECORD_ROUTE);
		sip_put(w, sip_str(req, req->headers[at].value));
		SIP_PUT(w, "\r\n");
	}
}

struct net_buf *sip_finish(struct sip_writer *w, const char *content_type, struct span body)
{
	struct net_buf *buf = w->buf;

	if (body.len) {
		assert(content_type);
		sip_write_header(w, SIP_H_CONTENT_TYPE, span_of(content_type));
	}
	put_name(w, SIP_H_CONTENT_LENGTH);
	sip_putu(w, body.len);
	SIP_PUT(w, "\r\n\r\n");
	sip_put(w, body);
	w->buf = NULL;
	if (w->failed) {
		if (buf)
			net_buf_unref(&buf);
		return NULL;
	}
	buf->len = (uint32_t)(w->p - buf->data);
	return buf;
}

/* RFC 3261 21 and the IANA registry of response codes. */
static const struct {
	int status;
	const char *phrase;
} phrases[] = {
	{ 100, "Trying" },
	{ 180, "Ringing" },
	{ 181, "Call Is Being Forwarded" },
	{ 182, "Queued" },
	{ 183, "Session Progress" },
	{ 199, "Early Dialog Terminated" },
	{ 200, "OK" },
	{ 202, "Accepted" },
	{ 204, "No Notification" },
	{ 300, "Multiple Choices" },
	{ 301, "Moved Permanently" },
	{ 302, "Moved Temporarily" },
	{ 305, "Use Proxy" },
	{ 380, "Alternative Service" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 407, "Proxy Authentication Required" },
	{ 408, "Request Timeout" },
	{ 410, "Gone" },
	{ 412, "Conditional Request Failed" },
	{ 413, "Request Entity Too Large" },
	{ 414, "Request-URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Unsupported URI Scheme" },
	{ 417, "Unknown Resource-Priority" },
	{ 420, "Bad Extension" },
	{ 421, "Extension Required" },
	{ 422, "Session Interval Too Small" },
	{ 423, "Interval Too Brief" },
	{ 424, "Bad Location Information" },
	{ 425, "Bad Alert Message" },
	{ 428, "Use Identity Header" },
	{ 429, "Provide Referrer Identity" },
	{ 430, "Flow Failed" },
	{ 433, "Anonymity Disallowed" },
	{ 436, "Bad Identity Info" },
	{ 437, "Unsupported Credential" },
	{ 438, "Invalid Identity Header" },
	{ 439, "First Hop Lacks Outbound Support" },
	{ 440, "Max-Breadth Exceeded" },
	{ 469, "Bad Info Package" },
	{ 470, "Consent Needed" },
	{ 480, "Temporarily Unavailable" },
	{ 481, "Call/Transaction Does Not Exist" },
	{ 482, "Loop Detected" },
	{ 483, "Too Many Hops" },
	{ 484, "Address Incomplete" },
	{ 485, "Ambiguous" },
	{ 486, "Busy Here" },
	{ 487, "Request Terminated" },
	{ 488, "Not Acceptable Here" },
	{ 489, "Bad Event" },
	{ 491, "Request Pending" },
	{ 493, "Undecipherable" },
	{ 494, "Security Agreement Required" },
	{ 500, "Server Internal Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Server Time-out" },
	{ 505, "Version Not Supported" },
	{ 513, "Message Too Large" },
	{ 555, "Push Notification Service Not Supported" },
	{ 580, "Precondition Failure" },
	{ 600, "Busy Everywhere" },
	{ 603, "Decline" },
	{ 604, "Does Not Exist Anywhere" },
	{ 606, "Not Acceptable" },
	{ 607, "Unwanted" },
	{ 608, "Rejected" },
};

const char *sip_reason_phrase(int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}
