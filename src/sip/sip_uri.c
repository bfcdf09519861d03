/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URIs, addresses, Via values and parameters.
 *
 * Liberal where it harms nobody: hosts with underscores, a '#' in the user part (short codes
 * of phones), any visible or 8-bit character in an unquoted display name except the ones that
 * make its end doubtful (, ; : < > and a quote that is not escaped), empty parameters after an
 * address. Strict where two readers could disagree about what is meant: blanks inside <...>,
 * '?' or ',' in a URI without brackets (RFC 3261 20.10), an IPv6 address without brackets
 * (RFC 5118 4.2), quotes that do not close, anything in a Via that is not a parameter. */
#include "sip/sip_int.h"

bool sip_take_quoted(struct sip_cursor *c, struct span *out)
{
	const char *p = c->p + 1;

	assert(sip_at(c, '"'));
	while (p < c->end && *p != '"')
		p += *p == '\\' && c->end - p > 1 ? 2 : 1;
	if (p >= c->end)
		return false;
	*out = (struct span){ c->p + 1, (size_t)(p - c->p - 1) };
	c->p = p + 1;
	return true;
}

void sip_skip_element(struct sip_cursor *c)
{
	bool angle = false;
	struct span quoted;

	while (c->p < c->end && (angle || *c->p != ',')) {
		/* Letters, digits and the like mean nothing here. */
		if (sip_is(*c->p, SIP_C_TOKEN | SIP_C_BLANK)) {
			c->p++;
			continue;
		}
		if (*c->p == '"' && !angle) {
			if (!sip_take_quoted(c, &quoted))
				c->p = c->end;
			continue;
		}
		if (*c->p == '<')
			angle = true;
		else if (*c->p == '>')
			angle = false;
		c->p++;
	}
}

bool sip_take_param(struct sip_cursor *c, struct span *name, struct span *value)
{
	*value = SPAN_NONE;
	*name = sip_take(c, SIP_C_TOKEN);
	if (!name->len)
		return false;
	sip_skip_blank(c);
	if (!sip_at(c, '='))
		return true;
	c->p++;
	sip_skip_blank(c);
	if (sip_at(c, '"'))
		return sip_take_quoted(c, value);
	*value = sip_take(c, SIP_C_VALUE);
	return true;
}

bool sip_param(struct span params, const char *name, struct span *out)
{
	struct sip_cursor c = sip_cursor_of(params);
	struct span wanted = span_of(name), found, value;

	while (c.p < c.end) {
		if (*c.p == ';' || sip_is(*c.p, SIP_C_BLANK)) {
			c.p++;
			continue;
		}
		if (sip_take_param(&c, &found, &value) && span_ieq(found, wanted)) {
			if (out)
				*out = value.p ? value : (struct span){ c.p, 0 };
			return true;
		}
		/* To the next parameter, over whatever else stands here. */
		while (c.p < c.end && *c.p != ';') {
			if (*c.p != '"')
				c.p++;
			else if (!sip_take_quoted(&c, &value))
				c.p = c.end;
		}
	}
	return false;
}

static bool take_port(struct sip_cursor *c, uint16_t *port)
{
	uint32_t number = 0;
	const char *from = c->p;

	for (; c->p < c->end && ascii_digit(*c->p); c->p++) {
		number = number * 10 + (uint32_t)(*c->p - '0');
		if (number > UINT16_MAX)
			return false;
	}
	*port = (uint16_t)number;
	return c->p > from;
}

/* Between brackets. Only the alphabet is checked: RFC 5118 4.10 wants "[2001:db8:::192.0.2.1]"
 * tolerated. */
static bool take_ip6(struct sip_cursor *c, struct span *host)
{
	const char *from = ++c->p;

	while (c->p < c->end && (ascii_digit(*c->p) || *c->p == ':' || *c->p == '.' ||
				 (ascii_lower(*c->p) >= 'a' && ascii_lower(*c->p) <= 'f')))
		c->p++;
	*host = (struct span){ from, (size_t)(c->p - from) };
	if (!sip_at(c, ']') || host->len < 2)
		return false;
	c->p++;
	return true;
}

bool sip_take_hostport(struct sip_cursor *c, bool blanks, struct span *host, bool *ip6,
		       uint16_t *port)
{
	struct sip_cursor after;

	*port = 0;
	*ip6 = sip_at(c, '[');
	if (*ip6) {
		if (!take_ip6(c, host))
			return false;
	} else {
		*host = sip_take(c, SIP_C_HOST);
		if (!host->len)
			return false;
	}
	after = *c;
	if (blanks)
		sip_skip_blank(&after);
	if (!sip_at(&after, ':'))
		return true;
	after.p++;
	if (blanks)
		sip_skip_blank(&after);
	*c = after;
	return take_port(c, port);
}

/* RFC 3986 3.1; the colon is consumed. */
static bool take_scheme(struct sip_cursor *c, struct span *scheme)
{
	const char *from = c->p;

	if (c->end - from >= 4 && memcmp(from, "sip:", 4) == 0) {
		*scheme = (struct span){ from, 3 };
		c->p += 4;
		return true;
	}
	if (c->p == c->end || !(ascii_lower(*c->p) >= 'a' && ascii_lower(*c->p) <= 'z'))
		return false;
	while (c->p < c->end && (sip_is(*c->p, SIP_C_HOST) || *c->p == '+') && *c->p != '_')
		c->p++;
	*scheme = (struct span){ from, (size_t)(c->p - from) };
	if (!sip_at(c, ':'))
		return false;
	c->p++;
	return true;
}

static void take_userinfo(struct sip_cursor *c, struct sip_uri *uri)
{
	size_t left = (size_t)(c->end - c->p);
	const char *at = left ? memchr(c->p, '@', left) : NULL;
	struct span info;

	if (!at)
		return;
	info = (struct span){ c->p, (size_t)(at - c->p) };
	if (!span_cut(info, ':', &uri->user, &uri->password))
		uri->password = SPAN_NONE;
	c->p = at + 1;
}

/* After the host: parameters, then headers. */
static bool take_uri_tail(struct sip_cursor *c, struct sip_uri *uri)
{
	struct span tail = { c->p, (size_t)(c->end - c->p) };

	if (!tail.len)
		return true;
	if (tail.p[0] != ';' && tail.p[0] != '?')
		return false;
	if (!span_cut(tail, '?', &uri->params, &uri->headers))
		uri->headers = SPAN_NONE;
	if (uri->params.len)
		uri->params = span_skip(uri->params, 1);
	return true;
}

int sip_uri_decode(struct sip_uri *out, struct span text)
{
	struct sip_cursor c = sip_cursor_of(text), rest;
	struct sip_uri uri = { 0 };

	if (!take_scheme(&c, &uri.scheme))
		return -EBADMSG;
	rest = c;
	if (!sip_take(&rest, SIP_C_URI).len || rest.p < rest.end)
		return -EBADMSG;
	if (span_ieq(uri.scheme, SPAN("sip")) || span_ieq(uri.scheme, SPAN("sips"))) {
		take_userinfo(&c, &uri);
		if (!sip_take_hostport(&c, false, &uri.host, &uri.ip6, &uri.port) ||
		    !take_uri_tail(&c, &uri))
			return -EBADMSG;
	} else if (span_ieq(uri.scheme, SPAN("tel"))) {
		span_cut((struct span){ c.p, (size_t)(c.end - c.p) }, ';', &uri.user, &uri.params);
		if (!uri.user.len)
			return -EBADMSG;
	}
	*out = uri;
	return 0;
}

/* "<uri>" at the cursor. Only the scheme is looked at here: the URI is decoded when needed. */
static bool take_bracketed(struct sip_cursor *c, struct span *uri)
{
	struct span scheme;
	const char *from = ++c->p;

	if (!take_scheme(c, &scheme) || !sip_take(c, SIP_C_URI).len || !sip_at(c, '>'))
		return false;
	*uri = (struct span){ from, (size_t)(c->p - from) };
	c->p++;
	return true;
}

/* A URI without brackets: all after a semicolon is the header's, and a question mark or
 * comma may not occur (RFC 3261 20.10). */
static bool take_addr_spec(struct sip_cursor *c, struct span *uri)
{
	struct span scheme;
	const char *from = c->p;

	if (!take_scheme(c, &scheme) || !sip_take(c, SIP_C_SPEC).len)
		return false;
	*uri = (struct span){ from, (size_t)(c->p - from) };
	return true;
}

/* Some phones escape the quotes themselves and forget to quote: \"bob\" <sip:bob@h>. What is
 * handed out as display must be fit to stand between quotes again. */
static bool display_is_escaped(struct span words)
{
	for (size_t i = 0; i < words.len; i++) {
		if (words.p[i] == '"')
			return false;
		if (words.p[i] == '\\' && ++i == words.len)
			return false;
	}
	return true;
}

static bool take_display(struct sip_cursor *c, struct span *display)
{
	struct sip_cursor ahead = *c;
	struct span words;

	if (sip_at(c, '"')) {
		if (!sip_take_quoted(c, display))
			return false;
		sip_skip_blank(c);
		return sip_at(c, '<');
	}
	words = sip_take(&ahead, SIP_C_DISPLAY);
	if (!sip_at(&ahead, '<'))
		return true;
	*display = span_trim(words);
	*c = ahead;
	return display_is_escaped(*display);
}

/* Up to the comma that ends the element or the end. */
static bool take_params_raw(struct sip_cursor *c, struct span *params)
{
	const char *from = ++c->p, *end = c->end;
	struct span quoted;

	/* Nothing quoted before the comma: that is where it ends. */
	if (from < end) {
		const char *comma = memchr(from, ',', (size_t)(end - from));

		end = comma ? comma : end;
		if (!memchr(from, '"', (size_t)(end - from)))
			c->p = end;
	}
	while (c->p < c->end && *c->p != ',') {
		if (*c->p != '"')
			c->p++;
		else if (!sip_take_quoted(c, &quoted))
			return false;
	}
	*params = span_trim((struct span){ from, (size_t)(c->p - from) });
	return true;
}

int sip_take_name_addr(struct sip_cursor *c, struct sip_name_addr *out)
{
	struct sip_name_addr addr = { 0 };
	bool ok;

	sip_skip_blank(c);
	if (!take_display(c, &addr.display))
		return -EBADMSG;
	ok = sip_at(c, '<') ? take_bracketed(c, &addr.uri) : take_addr_spec(c, &addr.uri);
	if (!ok)
		return -EBADMSG;
	sip_skip_blank(c);
	if (sip_at(c, ';') && !take_params_raw(c, &addr.params))
		return -EBADMSG;
	if (c->p < c->end && *c->p != ',')
		return -EBADMSG;
	*out = addr;
	return 0;
}

int sip_name_addr_decode(struct sip_name_addr *out, struct span value)
{
	struct sip_cursor c = sip_cursor_of(value);
	struct sip_name_addr addr;

	if (sip_take_name_addr(&c, &addr) || c.p < c.end)
		return -EBADMSG;
	*out = addr;
	return 0;
}

/* "SIP / 2.0 / UDP" */
static bool take_sent_protocol(struct sip_cursor *c, struct span *transport)
{
	if (c->end - c->p >= 12 && memcmp(c->p, "SIP/2.0/UDP ", 12) == 0) {
		*transport = (struct span){ c->p + 8, 3 };
		c->p += 11;
		return true;
	}
	for (int part = 0;; part++) {
		sip_skip_blank(c);
		*transport = sip_take(c, SIP_C_TOKEN);
		if (!transport->len)
			return false;
		if (part == 2)
			break;
		sip_skip_blank(c);
		if (!sip_at(c, '/'))
			return false;
		c->p++;
	}
	return c->p < c->end && sip_is(*c->p, SIP_C_BLANK);
}

/* "received=[2001:db8::1]" and without the brackets are both in use (RFC 5118 4.5). */
static struct span unbracketed(struct span host)
{
	if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		return (struct span){ host.p + 1, host.len - 2 };
	return host;
}

static void note_via_param(struct sip_via *via, struct span name, struct span value)
{
	switch (ascii_lower(name.p[0])) {
	case 'b':
		if (span_ieq(name, SPAN("branch")) && value.p)
			via->branch = value;
		break;
	case 'm':
		if (span_ieq(name, SPAN("maddr")) && value.p)
			via->maddr = unbracketed(value);
		break;
	case 'r':
		if (span_ieq(name, SPAN("rport")))
			via->rport = true;
		else if (span_ieq(name, SPAN("received")) && value.p)
			via->received = unbracketed(value);
		break;
	}
}

static int take_via_params(struct sip_cursor *c, struct sip_via *via)
{
	struct span name, value;

	for (;;) {
		sip_skip_blank(c);
		if (c->p == c->end || *c->p == ',')
			return 0;
		if (*c->p != ';')
			return -EBADMSG;
		c->p++;
		sip_skip_blank(c);
		if (!sip_take_param(c, &name, &value))
			return -EBADMSG;
		note_via_param(via, name, value);
	}
}

int sip_take_via(struct sip_cursor *c, struct sip_via *out)
{
	struct sip_via via = { 0 };
	bool ip6;

	if (!take_sent_protocol(c, &via.transport))
		return -EINVAL;
	sip_skip_blank(c);
	if (!sip_take_hostport(c, true, &via.host, &ip6, &via.port))
		return -EINVAL;
	*out = via;
	return take_via_params(c, out);
}

int sip_via_decode(struct sip_via *out, struct span value)
{
	struct sip_cursor c = sip_cursor_of(value);
	struct sip_via via;

	if (sip_take_via(&c, &via) || c.p < c.end)
		return -EBADMSG;
	*out = via;
	return 0;
}

static int hex_digit(char c)
{
	if (ascii_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ssize_t sip_unescape(struct span s, char *dst, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++, n++) {
		char c = s.p[i];

		if (c == '%') {
			int high = s.len - i > 2 ? hex_digit(s.p[i + 1]) : -1;
			int low = s.len - i > 2 ? hex_digit(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EBADMSG;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (n == size)
			return -ENOSPC;
		dst[n] = c;
	}
	return (ssize_t)n;
}
