/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrets out of a message, byte for byte, so that lengths and what a reader makes of it stay. What is masked:
 *
 *   credentials		Authorization other than Digest (RFC 7617, 6750), cookies, headers whose name says that they are secret
 *   digest		response, nonces and opaque (RFC 8760, 7616), wherever they stand; who, where and which algorithm stay
 *   passwords		of a URI (RFC 3261 19.1.1), and parameters of such a name
 *   media keys		inline keys of a=crypto (RFC 4568), k= (RFC 8866 5.12), a=key-mgmt (RFC 4567), a=ice-pwd (RFC 8839)
 *   digits		of DTMF in a body: they may be somebody's PIN
 *
 * Bytes are hostile: where it is not clear whether something is secret, it is taken for one. One pass; line ends and blanks stay,
 * so folded headers stay folded. */
#include "trace/trace.h"

struct masking {
	bool digits; /* the Content-Type read last is one of DTMF */
	bool body; /* and its body has begun */
};

/* The first of these bytes at or after `at`, else the end. */
static size_t find_any(const char *p, size_t len, size_t at, const char *stops)
{
	while (at < len && !(p[at] && strchr(stops, p[at])))
		at++;
	return at;
}

static void hide(char *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (!strchr(" \t\r\n", p[i]) || !p[i])
			p[i] = '*';
}

/* A header with the lines that continue it (RFC 3261 7.3.1). */
static size_t line_length(const char *p, size_t len)
{
	size_t end = find_any(p, len, 0, "\n");
	bool empty = end == 0 || (end == 1 && p[0] == '\r');

	while (!empty && end + 1 < len && (p[end + 1] == ' ' || p[end + 1] == '\t'))
		end = find_any(p, len, end + 1, "\n");
	return end < len ? end + 1 : len;
}

static bool contains(struct span s, struct span word)
{
	for (size_t i = 0; i + word.len <= s.len; i++)
		if (span_istarts(span_skip(s, i), word))
			return true;
	return false;
}

static bool is_secret_name(struct span name)
{
	static const char *const words[] = { "password", "passwd", "secret",    "token",
					     "api-key",  "apikey", "credential" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (contains(name, span_of(words[i])))
			return true;
	return false;
}

static bool is_secret_param(struct span name)
{
	static const char *const names[] = { "response",    "nonce",  "cnonce", "nextnonce",
					     "rspauth",     "opaque", "auts",   "pwd",
					     "gssapi-data", "apikey" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_ieq(name, span_of(names[i])))
			return true;
	return is_secret_name(name);
}

/* The word that ends before `end`. */
static struct span word_before(const char *p, size_t end)
{
	size_t begin;

	while (end && strchr(" \t\r\n", p[end - 1]) && p[end - 1])
		end--;
	begin = end;
	while (begin &&
	       (ascii_digit(p[begin - 1]) || strchr("-_", p[begin - 1]) ||
		(ascii_lower(p[begin - 1]) >= 'a' && ascii_lower(p[begin - 1]) <= 'z')) &&
	       p[begin - 1])
		begin--;
	return (struct span){ p + begin, end - begin };
}

/* name=value and name="value". */
static void hide_params(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t from, to;

		if (p[i] != '=' || !is_secret_param(word_before(p, i)))
			continue;
		from = i + 1;
		while (from < len && strchr(" \t\r\n", p[from]) && p[from])
			from++;
		if (from < len && p[from] == '"') {
			to = ++from;
			while (to < len && p[to] != '"')
				to += p[to] == '\\' ? 2 : 1;
			to = to < len ? to : len;
		} else {
			to = find_any(p, len, from, ",;&>?\" \t\r\n");
		}
		hide(p, from, to);
		i = to > i ? to - 1 : i;
	}
}

/* sip:user:password@host */
static void hide_uri_passwords(char *p, size_t len)
{
	for (size_t i = 0; i + 4 < len; i++) {
		struct span rest = { p + i, len - i };
		size_t begin, colon, at;

		if (span_istarts(rest, SPAN("sip:")))
			begin = i + 4;
		else if (span_istarts(rest, SPAN("sips:")))
			begin = i + 5;
		else
			continue;
		at = find_any(p, len, begin, "@<>\" \t\r\n");
		colon = find_any(p, at, begin, ":");
		if (at < len && p[at] == '@' && colon < at)
			hide(p, colon + 1, at);
		i = at - 1;
	}
}

/* a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4;inline:... */
static void hide_inline_keys(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!span_istarts((struct span){ p + i, len - i }, SPAN("inline:")))
			continue;
		i += sizeof("inline:") - 1;
		hide(p, i, find_any(p, len, i, "|; \t\r\n"));
	}
}

/* Whatever is no digest: what follows the scheme, or all where nothing looks like one. */
static void hide_credentials(char *p, size_t len)
{
	size_t begin = 0, end;

	while (begin < len && strchr(" \t\r\n", p[begin]) && p[begin])
		begin++;
	end = find_any(p, len, begin, " \t\r\n");
	if (span_ieq((struct span){ p + begin, end - begin }, SPAN("Digest")))
		return;
	if (!span_trim((struct span){ p + end, len - end }).len)
		end = begin;
	hide(p, end, len);
}

static bool is_name(struct span name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_ieq(name, span_of(names[i])))
			return true;
	return false;
}

static void hide_by_name(struct span name, char *value, size_t len)
{
	static const char *const credentials[] = { "Authorization", "Proxy-Authorization" };
	static const char *const secrets[] = { "Cookie", "Set-Cookie", "a=ice-pwd", "a=key-mgmt" };

	if (is_name(name, credentials, ARRAY_SIZE(credentials)))
		hide_credentials(value, len);
	else if (is_name(name, secrets, ARRAY_SIZE(secrets)) || span_istarts(name, SPAN("k=")) ||
		 is_secret_name(name))
		hide(value, 0, len);
	else if (span_ieq(name, SPAN("a=crypto")))
		hide_inline_keys(value, len);
}

/* "Signal=5", "d=5", or nothing but digits (RFC 6086, and what vendors made of it). */
static void hide_digits(char *p, size_t len)
{
	size_t sign = find_any(p, len, 0, "=");
	struct span name = span_trim((struct span){ p, sign });

	if (sign == len)
		hide(p, 0, len);
	else if (!span_istarts(name, SPAN("Duration")))
		hide(p, sign + 1, len);
}

static void mask_line(struct masking *m, char *p, size_t len)
{
	size_t colon = find_any(p, len, 0, ":");
	struct span name = span_trim((struct span){ p, colon }), value;

	if (!span_trim((struct span){ p, len }).len) {
		m->body = true;
		return;
	}
	if (span_starts((struct span){ p, len }, SPAN("--"))) /* the next part of several */
		*m = (struct masking){ 0 };
	if (m->body && m->digits) {
		hide_digits(p, len);
		return;
	}
	if (colon < len) {
		value = span_skip((struct span){ p, len }, colon + 1);
		if (span_ieq(name, SPAN("Content-Type")) || span_ieq(name, SPAN("c")))
			*m = (struct masking){ .digits = contains(value, SPAN("dtmf")) ||
							 contains(value, SPAN("digits")) };
		hide_by_name(name, p + colon + 1, value.len);
	}
	hide_params(p, len);
	hide_uri_passwords(p, len);
}

void trace_mask(char *message, size_t len)
{
	struct masking m = { 0 };

	while (len) {
		size_t n = line_length(message, len);

		mask_line(&m, message, n);
		message += n;
		len -= n;
	}
}
