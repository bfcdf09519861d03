/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parsing a message: one walk over its lines, then the few fields that every message needs.
 *
 * A request that must be refused still has to be answered, and the answer copies Via, From,
 * To, Call-ID and CSeq. So an error does not stop the walk: the first one is kept and the
 * rest of the message is read as well as it goes. What the walk leaves behind is clean in one
 * respect whatever the peer sent: no name, value or start line holds a CR or LF, so that
 * copying a value can never forge a line.
 *
 * A line ends at LF; a CR before it belongs to the end. RFC 3261 demands CRLF, but what
 * others would take for a line end must be one here too. */
#include "sip/sip_int.h"

#include <endian.h>

struct parse {
	struct sip_msg *msg;
	/* What is not yet read. */
	char *p, *end;
	/* Of the first error; 0 = none. */
	int status;
	const char *why;
	/* The last header of each id that occurred. */
	uint8_t last[SIP_HEADERS];
};

struct line {
	char *p;
	size_t len;
};

enum next { LINE_HEADER, LINE_EMPTY, LINE_MISSING };

static void fail(struct parse *ps, int status, const char *why)
{
	if (ps->status)
		return;
	ps->status = status;
	ps->why = why;
}

static void bad(struct parse *ps, const char *why)
{
	fail(ps, 400, why);
}

static struct sip_slice slice_of(const struct sip_msg *msg, struct span s)
{
	return (struct sip_slice){ (uint16_t)(s.p - msg->base), (uint16_t)s.len };
}

/* ---- lines ------------------------------------------------------------------------- */

/* A CR without LF: not a line end to us, but perhaps to the next one to read it. */
static void scrub(struct parse *ps, struct line line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] == '\r')
			line.p[i] = ' ';
	bad(ps, "CR without LF");
}

/* The first byte that is CR or LF, or `end`. Eight at a time: among bytes below 0x0e there is little else, and
 * the lowest that the subtraction marks is one of them. */
static char *find_line_end(char *p, char *end)
{
	uint64_t word, low;

	while (end - p >= 8) {
		memcpy(&word, p, 8);
		word = le64toh(word);
		low = (word - 0x0e0e0e0e0e0e0e0eull) & ~word & 0x8080808080808080ull;
		if (!low) {
			p += 8;
			continue;
		}
		p += __builtin_ctzll(low) / 8;
		if (*p == '\n' || *p == '\r')
			return p;
		p++;
	}
	while (p < end && *p != '\n' && *p != '\r')
		p++;
	return p;
}

/* A line that is not ended by its first CR or LF as it should be. */
static bool cut_odd_line(struct parse *ps, struct line *line)
{
	char *lf = ps->p < ps->end ? memchr(ps->p, '\n', (size_t)(ps->end - ps->p)) : NULL;

	line->p = ps->p;
	if (!lf) {
		line->len = (size_t)(ps->end - ps->p);
		ps->p = ps->end;
		return false;
	}
	ps->p = lf + 1;
	if (lf > line->p && lf[-1] == '\r')
		lf--;
	line->len = (size_t)(lf - line->p);
	if (line->len && memchr(line->p, '\r', line->len))
		scrub(ps, *line);
	return true;
}

/* Cut one line, not looking at continuations. `line->p + line->len` is its CR or LF. */
static bool cut_line(struct parse *ps, struct line *line)
{
	char *at = find_line_end(ps->p, ps->end);
	size_t ending = ps->end - at >= 2 && at[0] == '\r' && at[1] == '\n'
				? 2
				: ps->end > at && *at == '\n';

	if (!ending)
		return cut_odd_line(ps, line);
	line->p = ps->p;
	line->len = (size_t)(at - ps->p);
	ps->p = at + ending;
	return true;
}

/* The next header with its continuation lines, unfolded in place (RFC 3261 7.3.1). */
static enum next next_header(struct parse *ps, struct line *line)
{
	struct line more;

	if (!cut_line(ps, line)) {
		bad(ps, "no empty line after the headers");
		if (line->len)
			scrub(ps, *line);
		return line->len ? LINE_HEADER : LINE_MISSING;
	}
	if (!line->len)
		return LINE_EMPTY;
	while (ps->p < ps->end && sip_is(*ps->p, SIP_C_BLANK)) {
		char *gap = line->p + line->len;

		memset(gap, ' ', (size_t)(ps->p - gap));
		if (!cut_line(ps, &more)) {
			bad(ps, "no empty line after the headers");
			scrub(ps, more);
		}
		line->len = (size_t)(more.p + more.len - line->p);
	}
	return LINE_HEADER;
}

/* ---- start line ---------------------------------------------------------------------- */

/* "SIP/2.0", in any case. Another version is 505 (21.5.6), anything else is no version. */
static void check_version(struct parse *ps, struct span version)
{
	struct span major, minor;
	uint64_t number;

	if (span_eq(version, SPAN("SIP/2.0")) || span_ieq(version, SPAN("SIP/2.0")))
		return;
	if (span_istarts(version, SPAN("SIP/")) &&
	    span_cut(span_skip(version, 4), '.', &major, &minor) &&
	    span_to_u64(major, &number) != -EINVAL && span_to_u64(minor, &number) != -EINVAL)
		fail(ps, 505, "start line: not SIP/2.0");
	else
		bad(ps, "start line: no SIP version");
}

static void check_request_uri(struct parse *ps, struct span text)
{
	struct sip_uri uri;

	if (sip_uri_decode(&uri, text))
		bad(ps, "Request-URI: cannot be read");
	else if (uri.headers.p && uri.host.len)
		bad(ps, "Request-URI: header part not allowed"); /* 19.1.1 */
}

/* Method SP Request-URI SP SIP-Version, single spaces (7.1). */
static void parse_request_line(struct parse *ps, struct span line)
{
	struct sip_msg *msg = ps->msg;
	struct sip_cursor c = sip_cursor_of(line);
	struct span method = sip_take(&c, SIP_C_TOKEN), uri, version;

	msg->request = true;
	msg->method_name = slice_of(msg, method);
	msg->method = (uint8_t)sip_method_find(method);
	if (!method.len || !sip_at(&c, ' ')) {
		bad(ps, "start line: no method");
		return;
	}
	if (!span_cut((struct span){ c.p + 1, (size_t)(c.end - c.p - 1) }, ' ', &uri, &version)) {
		bad(ps, "start line: no SIP version");
		return;
	}
	msg->uri = slice_of(msg, uri);
	if (span_find(version, ' ') < version.len || !uri.len)
		bad(ps, "start line: stray blanks");
	check_version(ps, version);
	check_request_uri(ps, uri);
}

/* SIP-Version SP Status-Code SP Reason-Phrase (7.2). The last SP is missed by some. */
static void parse_status_line(struct parse *ps, struct span line)
{
	struct sip_msg *msg = ps->msg;
	struct span version, rest, code, reason;
	uint32_t status;

	span_cut(line, ' ', &version, &rest);
	check_version(ps, version);
	span_cut(rest, ' ', &code, &reason);
	msg->reason = slice_of(msg, reason);
	if (code.len != 3 || span_to_u32(code, &status) || status < 100 || status > 699) {
		bad(ps, "start line: status not 100 to 699");
		return;
	}
	msg->status = (uint16_t)status;
}

static void parse_start_line(struct parse *ps)
{
	struct line line;
	struct span text;

	if (!cut_line(ps, &line)) {
		bad(ps, "no end of start line");
		scrub(ps, line);
	}
	text = (struct span){ line.p, line.len };
	if (span_istarts(text, SPAN("SIP/")))
		parse_status_line(ps, text);
	else
		parse_request_line(ps, text);
}

/* ---- headers --------------------------------------------------------------------------- */

static void add_header(struct parse *ps, struct span name, struct span value)
{
	struct sip_msg *msg = ps->msg;
	enum sip_header id = sip_header_find(name);
	uint8_t at = msg->n_headers;

	if (at == SIP_MAX_HEADERS) {
		bad(ps, "more than 128 headers");
		return;
	}
	msg->headers[at].name = slice_of(msg, name);
	msg->headers[at].value = slice_of(msg, value);
	msg->headers[at].id = (uint8_t)id;
	msg->headers[at].next = 0xff;
	if (msg->first[id] == 0xff)
		msg->first[id] = at;
	else
		msg->headers[ps->last[id]].next = at;
	ps->last[id] = at;
	msg->n_headers++;
}

static void parse_header(struct parse *ps, struct line line)
{
	struct sip_cursor c = { line.p, line.p + line.len };
	struct span name = sip_take(&c, SIP_C_TOKEN);

	sip_skip_blank(&c);
	if (!name.len || !sip_at(&c, ':')) {
		bad(ps, "header line without a name");
		return;
	}
	c.p++;
	sip_skip_blank(&c);
	while (c.end > c.p && sip_is(c.end[-1], SIP_C_BLANK))
		c.end--;
	add_header(ps, name, (struct span){ c.p, (size_t)(c.end - c.p) });
}

static void parse_headers(struct parse *ps)
{
	enum next next;
	struct line line;

	while ((next = next_header(ps, &line)) == LINE_HEADER)
		parse_header(ps, line);
}

/* ---- the fields that every message needs -------------------------------------------------- */

/* The header's value; complains when it is missing or there twice (RFC 3261 7.3.1, 8.1.1). */
static struct span single(struct parse *ps, enum sip_header id, const char *missing,
			  const char *twice)
{
	const struct sip_msg *msg = ps->msg;

	if (msg->first[id] == 0xff) {
		if (missing)
			bad(ps, missing);
		return SPAN_NONE;
	}
	if (msg->headers[msg->first[id]].next != 0xff)
		bad(ps, twice);
	return sip_header(msg, id);
}

static void decode_via(struct parse *ps)
{
	struct span value = sip_header(ps->msg, SIP_H_VIA);
	struct sip_cursor c = sip_cursor_of(value);

	if (!value.p)
		bad(ps, "Via: missing");
	else if (sip_take_via(&c, &ps->msg->via))
		bad(ps, "Via: cannot be read");
}

static void decode_party(struct parse *ps, struct span value, struct span *tag,
			 const char *unreadable)
{
	struct sip_name_addr addr;
	struct sip_cursor c;

	if (!value.p)
		return;
	if (sip_name_addr_decode(&addr, value)) {
		bad(ps, unreadable);
		return;
	}
	/* Most often the tag is the first parameter, and the only one. */
	c = sip_cursor_of(span_skip(addr.params, 4));
	if (span_starts(addr.params, SPAN("tag=")) && c.p < c.end && sip_is(*c.p, SIP_C_TOKEN))
		*tag = sip_take(&c, SIP_C_VALUE);
	else if (addr.params.len)
		sip_param(addr.params, "tag", tag);
}

static void decode_call_id(struct parse *ps)
{
	struct span value = single(ps, SIP_H_CALL_ID, "Call-ID: missing", "Call-ID: twice");
	struct sip_cursor c;

	if (!value.p)
		return;
	c = sip_cursor_of(value);
	sip_take(&c, SIP_C_URI);
	for (; c.p < c.end; c.p++)
		if ((unsigned char)*c.p <= ' ')
			bad(ps, "Call-ID: blank inside");
	if (!value.len)
		bad(ps, "Call-ID: empty");
	ps->msg->call_id = value;
}

static void decode_cseq(struct parse *ps)
{
	struct sip_msg *msg = ps->msg;
	struct span value = single(ps, SIP_H_CSEQ, "CSeq: missing", "CSeq: twice");
	struct span number, method;
	uint32_t cseq;
	size_t digits = 0;

	if (!value.p)
		return;
	while (digits < value.len && ascii_digit(value.p[digits]))
		digits++;
	number = span_head(value, digits);
	method = span_trim(span_skip(value, digits));
	if (span_to_u32(number, &cseq) || cseq > INT32_MAX) {
		bad(ps, digits ? "CSeq: number over 2^31-1" : "CSeq: no number");
		return;
	}
	msg->cseq = cseq;
	if (!method.len || method.p == value.p + digits) {
		bad(ps, "CSeq: no method");
	} else if (!msg->request) {
		msg->method = (uint8_t)sip_method_find(method);
		msg->method_name = slice_of(msg, method);
	} else if (!span_eq(method, sip_str(msg, msg->method_name))) {
		bad(ps, "CSeq: other method than the start line");
	}
}

static void decode_max_forwards(struct parse *ps)
{
	struct span value = single(ps, SIP_H_MAX_FORWARDS, NULL, "Max-Forwards: twice");
	uint32_t number;

	if (!value.p)
		return;
	if (span_to_u32(value, &number) || number > 255)
		bad(ps, "Max-Forwards: not 0 to 255"); /* 20.22 */
	else
		ps->msg->max_forwards = (int)number;
}

static void check_contacts(struct parse *ps)
{
	const struct sip_msg *msg = ps->msg;
	struct sip_name_addr addr;

	for (uint8_t at = msg->first[SIP_H_CONTACT]; at != 0xff; at = msg->headers[at].next) {
		struct span value = sip_str(msg, msg->headers[at].value);
		struct sip_cursor c = sip_cursor_of(value);

		if (span_eq(value, SPAN("*")))
			continue;
		for (;;) {
			if (sip_take_name_addr(&c, &addr)) {
				bad(ps, "Contact: cannot be read");
				return;
			}
			if (c.p == c.end)
				break;
			c.p++;
		}
	}
}

/* 18.3: a datagram's body ends with the datagram or before; a stream's is counted exactly. */
static void find_body(struct parse *ps, bool stream)
{
	struct sip_msg *msg = ps->msg;
	size_t there = (size_t)(ps->end - ps->p);
	struct span value =
		single(ps, SIP_H_CONTENT_LENGTH, stream ? "Content-Length: missing" : NULL,
		       "Content-Length: twice");
	uint32_t length = (uint32_t)there;

	if (value.p && span_to_u32(value, &length))
		bad(ps, "Content-Length: not a number");
	else if (length > there)
		bad(ps, "Content-Length: more than arrived");
	else if (stream && length < there)
		bad(ps, "Content-Length: less than arrived");
	if (ps->status || length > there)
		length = 0;
	msg->body = slice_of(msg, (struct span){ ps->p, length });
	msg->len = (uint32_t)(ps->p - msg->base) + length;
}

static void decode_fields(struct parse *ps)
{
	struct sip_msg *msg = ps->msg;

	decode_via(ps);
	decode_party(ps, single(ps, SIP_H_FROM, "From: missing", "From: twice"), &msg->from_tag,
		     "From: cannot be read");
	decode_party(ps, single(ps, SIP_H_TO, "To: missing", "To: twice"), &msg->to_tag,
		     "To: cannot be read");
	decode_call_id(ps);
	decode_cseq(ps);
	decode_max_forwards(ps);
	check_contacts(ps);
}

/* The header table is left as it is: only its first n_headers entries are ever read. */
static void reset(struct sip_msg *msg, struct net_buf *buf, const char *base)
{
	memset(msg, 0, offsetof(struct sip_msg, first));
	memset(msg->first, 0xff, sizeof(msg->first));
	msg->buf = buf;
	msg->base = base;
	msg->max_forwards = -1;
}

int sip_msg_parse(struct sip_msg *msg, struct net_buf *buf, bool stream, const char **why_out)
{
	struct parse ps = { .msg = msg, .p = buf->data, .end = buf->data + buf->len };

	/* 7.5: empty lines before the start line are ignored. */
	while (ps.p < ps.end && (*ps.p == '\r' || *ps.p == '\n'))
		ps.p++;
	reset(msg, buf, ps.p);
	if (ps.p == ps.end || buf->len > NET_MSG_MAX) {
		*why_out = ps.p == ps.end ? "empty message" : "message over 64 KiB";
		return -EBADMSG;
	}
	parse_start_line(&ps);
	parse_headers(&ps);
	decode_fields(&ps);
	find_body(&ps, stream);
	if (!ps.status)
		return 0;
	*why_out = ps.why;
	if (!msg->request || msg->method == SIP_ACK || !msg->via.host.len)
		return -EBADMSG;
	return ps.status;
}

size_t sip_msg_size(const struct sip_msg *msg)
{
	return offsetof(struct sip_msg, headers) + msg->n_headers * sizeof(msg->headers[0]);
}

static struct span moved(struct span s, const char *from, const char *to)
{
	return s.p ? (struct span){ to + (s.p - from), s.len } : s;
}

void sip_msg_move(struct sip_msg *to, const struct sip_msg *from, struct net_buf *buf)
{
	const char *old = from->base, *base = buf->data;

	memcpy(to, from, sip_msg_size(from));
	to->buf = buf;
	to->base = base;
	to->via.transport = moved(from->via.transport, old, base);
	to->via.host = moved(from->via.host, old, base);
	to->via.branch = moved(from->via.branch, old, base);
	to->via.received = moved(from->via.received, old, base);
	to->via.maddr = moved(from->via.maddr, old, base);
	to->call_id = moved(from->call_id, old, base);
	to->from_tag = moved(from->from_tag, old, base);
	to->to_tag = moved(from->to_tag, old, base);
}
