/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What trace needs of a SIP message: its Call-ID, and whether it belongs to calls at all. Stops as soon as it knows both,
 * and in any case after SCAN_MAX bytes or at the end of the headers. It judges nothing: what the stack refuses is traced
 * too. Runs for each message: a line that does not begin with one of two letters costs one memchr. */
#include "trace/trace_int.h"

#include <endian.h>

#define SCAN_MAX 8192

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Behind the header's name: what follows the colon, with continuation lines (RFC 3261 7.3.1); len 0 = nothing, or no colon,
 * or no end within sight. */
static struct span value_at(const char *p, const char *end)
{
	const char *start, *lf;

	while (p < end && is_blank(*p))
		p++;
	if (p == end || *p != ':')
		return SPAN_NONE;
	start = lf = p + 1;
	do {
		lf = lf < end ? memchr(lf, '\n', (size_t)(end - lf)) : NULL;
		if (!lf)
			return SPAN_NONE;
		lf++;
	} while (lf < end && is_blank(*lf));
	return span_trim((struct span){ start, (size_t)(lf - start) });
}

#define WORD(a, b, c, d, e, f, g, h)                                                               \
	((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |          \
	 (uint64_t)(e) << 32 | (uint64_t)(f) << 40 | (uint64_t)(g) << 48 | (uint64_t)(h) << 56)
#define LOWER 0x2020202020202020ull

/* Eight bytes in lower case; 0 where there are fewer. */
static uint64_t word_at(const char *p, const char *end)
{
	uint64_t word;

	if (end - p < 8)
		return 0;
	memcpy(&word, p, 8);
	return le64toh(word) | LOWER;
}

static bool is_registration(struct span method)
{
	return span_eq(method, SPAN("REGISTER")) || span_eq(method, SPAN("OPTIONS")) ||
	       span_eq(method, SPAN("PUBLISH"));
}

static struct span last_word(struct span value)
{
	size_t at = value.len;

	while (at && !is_blank(value.p[at - 1]) && value.p[at - 1] != '\n')
		at--;
	return span_skip(value, at);
}

/* The line's Call-ID, or SPAN_NONE. */
static struct span call_id_at(const char *p, const char *end)
{
	if ((word_at(p, end) & UINT64_MAX >> 8) == WORD('c', 'a', 'l', 'l', '-', 'i', 'd', 0) &&
	    p[4] == '-')
		return value_at(p + 7, end);
	if (*p == 'i' || *p == 'I')
		return value_at(p + 1, end);
	return SPAN_NONE;
}

void sip_scan(struct span message, struct sip_scan *out)
{
	const char *p = message.p, *end, *lf;
	struct span method, rest;
	bool method_known;

	*out = (struct sip_scan){ 0 };
	end = p + (message.len < SCAN_MAX ? message.len : SCAN_MAX);
	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	if (p == end)
		return;
	method_known = !span_starts((struct span){ p, (size_t)(end - p) }, SPAN("SIP/2.0 "));
	if (method_known) {
		span_cut((struct span){ p, (size_t)(end - p) }, ' ', &method, &rest);
		out->registration = is_registration(method);
	}
	while (!(method_known && out->call_id.len)) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (!lf || lf + 1 == end)
			return;
		p = lf + 1;
		if ((*p | 0x20) != 'c' && (*p | 0x20) != 'i') {
			if (*p == '\r' || *p == '\n')
				return;
			continue;
		}
		if (!out->call_id.len)
			out->call_id = call_id_at(p, end);
		if (!method_known &&
		    (word_at(p, end) & UINT32_MAX) == WORD('c', 's', 'e', 'q', 0, 0, 0, 0)) {
			struct span value = value_at(p + 4, end);

			out->registration = is_registration(last_word(value));
			method_known = value.len != 0;
		}
	}
}
