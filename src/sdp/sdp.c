/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One pass, no allocation: each line is cut, its letter decides, and what is kept borrows
 * from the text. The struct is large, so nothing of it is cleared but what is counted.
 *
 * Leniency, and where it ends. CRLF, LF and a lone CR all end a line: a value never holds
 * either, so it can be written to the other side without opening a line there. Lines of
 * unknown letter, lines without "=" and empty lines are passed over, and order matters
 * only in that what follows an m= belongs to it. Ports, counts and addresses must be what
 * RFC 8866 says; a NUL byte anywhere ends the reading. */
#include "sdp/sdp.h"

#define HOST_MAX 255

static const char no_description[] =
	"neither a v= nor an m= line: this is not a session description";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next word between blanks, which *rest then begins after; empty at the end. */
static struct span next_word(struct span *rest)
{
	size_t from = 0, to;
	struct span word;

	while (from < rest->len && is_blank(rest->p[from]))
		from++;
	for (to = from; to < rest->len && !is_blank(rest->p[to]);)
		to++;
	word = (struct span){ rest->p + from, to - from };
	*rest = span_skip(*rest, to);
	return word;
}

/* Visible ASCII. RFC 8866's token is narrower, but formats with a "/" exist (its 5.14). */
static bool is_visible(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	return s.len > 0;
}

bool sdp_is_host(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !ascii_digit(c) && !memchr(".:-_", c, 4))
			return false;
	}
	return s.len > 0 && s.len <= HOST_MAX;
}

/* The origin's numbers only tell one version from another (RFC 3264 8). Devices send them
 * negative, longer than 64 bits, or as words: a hash tells those apart as well. */
static uint64_t origin_number(struct span s)
{
	uint64_t value;

	return span_to_u64(s, &value) ? hash_spread(s) : value;
}

static const char *read_origin(struct sdp *out, struct span value)
{
	out->origin_user = next_word(&value);
	out->session_id = origin_number(next_word(&value));
	out->version = origin_number(next_word(&value));
	next_word(&value); /* IN */
	next_word(&value); /* IP4, IP6 */
	out->origin_host = next_word(&value);
	return NULL;
}

/* RFC 8866 5.7. TTL and number of addresses speak of multicast, which calls do not use. */
static const char *read_connection(struct sdp_conn *conn, struct span value)
{
	struct span nettype = next_word(&value), addrtype = next_word(&value);
	struct span address = next_word(&value), host, rest;
	bool ip6 = span_ieq(addrtype, SPAN("IP6"));

	/* Several in one media section are layered multicast: the base layer comes first. */
	if (conn->set)
		return NULL;
	if (!span_ieq(nettype, SPAN("IN")) || (!ip6 && !span_ieq(addrtype, SPAN("IP4"))))
		return "connection is neither IN IP4 nor IN IP6";
	span_cut(address, '/', &host, &rest);
	if (!sdp_is_host(host))
		return "connection has no usable address";
	*conn = (struct sdp_conn){ .set = true, .ip6 = ip6, .host = host };
	return NULL;
}

/* Only AS is kept; an unreadable figure is taken as not said. */
static const char *read_bandwidth(uint32_t *as_out, struct span value)
{
	struct span type, figure;

	if (span_cut(value, ':', &type, &figure) && span_ieq(span_trim(type), SPAN("AS")))
		span_to_u32(span_trim(figure), as_out);
	return NULL;
}

static const char *read_port(struct sdp_media *media, struct span word)
{
	struct span port, count;
	uint32_t first, n = 1;
	bool counted = span_cut(word, '/', &port, &count);

	if (span_to_u32(port, &first) || first > UINT16_MAX)
		return "port is not a number from 0 to 65535";
	if (counted &&
	    (span_to_u32(count, &n) || n == 0 || n > UINT16_MAX || first + n - 1 > UINT16_MAX))
		return "number of ports is not a number that fits";
	media->port = (uint16_t)first;
	media->n_ports = (uint16_t)n;
	return NULL;
}

static const char *read_formats(struct sdp_media *media, struct span rest)
{
	struct span word;

	for (word = next_word(&rest); word.len; word = next_word(&rest)) {
		if (media->n_formats == SDP_FORMATS_MAX)
			return "more than 48 formats in one m= line";
		if (!is_visible(word))
			return "format is not a word";
		media->formats[media->n_formats++] = word;
	}
	/* A refused stream is often written without any. */
	return media->n_formats || media->port == 0 ? NULL : "m= line without a format";
}

static const char *read_media(struct sdp *out, struct span value)
{
	struct sdp_media *media;
	const char *error;

	if (out->n_media == SDP_MEDIA_MAX)
		return "more than 8 m= lines";
	media = &out->media[out->n_media];
	media->kind = next_word(&value);
	error = read_port(media, next_word(&value));
	if (error)
		return error;
	media->transport = next_word(&value);
	if (!is_visible(media->kind) || !is_visible(media->transport))
		return "m= line without a media type or transport";
	media->conn = (struct sdp_conn){ 0 };
	media->bandwidth_as = 0;
	media->first_attr = out->n_attrs;
	media->n_attrs = 0;
	media->n_formats = 0;
	out->n_media++;
	return read_formats(media, value);
}

static const char *read_attribute(struct sdp *out, struct sdp_media *media, struct span value)
{
	struct sdp_attr *attr;
	struct span name, rest;
	bool valued = span_cut(value, ':', &name, &rest);

	name = span_trim(name);
	if (!is_visible(name))
		return NULL;
	if (out->n_attrs == SDP_ATTRS_MAX)
		return "more than 256 a= lines";
	attr = &out->attrs[out->n_attrs++];
	attr->name = name;
	attr->value = valued ? span_trim(rest) : SPAN_NONE;
	if (media)
		media->n_attrs++;
	else
		out->n_session_attrs++;
	return NULL;
}

static const char *read_line(struct sdp *out, bool *versioned, char letter, struct span value)
{
	struct sdp_media *media = out->n_media ? &out->media[out->n_media - 1] : NULL;

	switch (letter) {
	case 'v':
		if (!span_eq(value, SPAN("0")))
			return "version is not 0";
		/* RFC 3264 5: one session description, never a list of them. */
		if (*versioned)
			return "a second v= line";
		*versioned = true;
		return NULL;
	case 'o':
		return read_origin(out, value);
	case 'c':
		return read_connection(media ? &media->conn : &out->conn, value);
	case 'b':
		return read_bandwidth(media ? &media->bandwidth_as : &out->bandwidth_as, value);
	case 'm':
		return read_media(out, value);
	case 'a':
		return read_attribute(out, media, value);
	default:
		return NULL; /* s= t= i= u= e= p= k= r= z= say nothing that a call needs */
	}
}

/* Cuts the next line off *text. False when it holds a NUL. */
static bool next_line(struct span *text, struct span *line_out)
{
	size_t at = 0;

	while (at < text->len &&
	       ((unsigned char)text->p[at] > '\r' ||
		(text->p[at] != '\n' && text->p[at] != '\r' && text->p[at] != '\0')))
		at++;
	*line_out = span_head(*text, at);
	if (at < text->len && text->p[at] == '\0')
		return false;
	if (at + 1 < text->len && text->p[at] == '\r' && text->p[at + 1] == '\n')
		at++;
	*text = span_skip(*text, at + 1);
	return true;
}

static void sdp_clear(struct sdp *out)
{
	out->origin_user = out->origin_host = SPAN_NONE;
	out->session_id = out->version = 0;
	out->conn = (struct sdp_conn){ 0 };
	out->bandwidth_as = 0;
	out->n_media = out->n_session_attrs = out->n_attrs = 0;
}

const char *sdp_parse(struct sdp *out, struct span text, unsigned *line_out)
{
	bool versioned = false;
	unsigned number = 0;
	struct span line;

	*line_out = 0;
	sdp_clear(out);
	if (text.len > SDP_MAX_SIZE)
		return "larger than 32 KiB";
	while (text.len) {
		const char *error = NULL;

		number++;
		if (!next_line(&text, &line))
			error = "holds a NUL byte";
		line = span_trim(line);
		if (!error && line.len >= 2 && line.p[1] == '=')
			error = read_line(out, &versioned, line.p[0],
					  span_trim(span_skip(line, 2)));
		if (error) {
			*line_out = number;
			return error;
		}
	}
	if (!versioned && out->n_media == 0)
		return no_description;
	for (unsigned i = 0; i < out->n_media; i++)
		if (!out->media[i].conn.set)
			out->media[i].conn = out->conn;
	return NULL;
}

const struct sdp_attr *sdp_attr(const struct sdp *sdp, int m, const char *name)
{
	unsigned from = m < 0 ? 0 : sdp->media[m].first_attr;
	unsigned n = m < 0 ? sdp->n_session_attrs : sdp->media[m].n_attrs;
	struct span wanted = span_of(name);

	assert(m < (int)sdp->n_media);
	for (unsigned i = from; i < from + n; i++)
		if (span_ieq(sdp->attrs[i].name, wanted))
			return &sdp->attrs[i];
	return NULL;
}
