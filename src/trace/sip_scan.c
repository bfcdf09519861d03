/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What trace needs of a SIP message: its Call-ID, and whether it belongs to calls at all. Stops as soon as it knows both,
 * and in any case after SCAN_MAX bytes or at the end of the headers. It judges nothing: what the stack refuses is traced
 * too. */
#include "trace/trace_int.h"

#define SCAN_MAX 8192

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cut the first line with its continuations (RFC 3261 7.3.1), without the last line end; false: no whole one is left. */
static bool cut_line(struct span *rest, struct span *line)
{
	size_t at = 0, end;

	do {
		const char *lf = at < rest->len ? memchr(rest->p + at, '\n', rest->len - at) : NULL;

		if (!lf)
			return false;
		end = (size_t)(lf - rest->p);
		at = end + 1;
	} while (end > 1 && at < rest->len && is_blank(rest->p[at]));
	*line = (struct span){ rest->p, end };
	*rest = span_skip(*rest, at);
	return true;
}

/* Is the line this header, by its long name or (lower case) its letter, 0 = none? Then *value is what it says. */
static bool header_is(struct span line, struct span name, char letter, struct span *value)
{
	size_t len = line.len > 1 && letter && ascii_lower(line.p[0]) == letter &&
				     (is_blank(line.p[1]) || line.p[1] == ':')
			     ? 1
			     : name.len;

	if (len > 1 && !span_istarts(line, name))
		return false;
	line = span_skip(line, len);
	while (line.len && is_blank(*line.p))
		line = span_skip(line, 1);
	if (!line.len || *line.p != ':')
		return false;
	*value = span_trim(span_skip(line, 1));
	return true;
}

static bool is_registration(struct span method)
{
	return span_eq(method, SPAN("REGISTER")) || span_eq(method, SPAN("OPTIONS")) ||
	       span_eq(method, SPAN("PUBLISH"));
}

static void last_word(struct span value, struct span *word)
{
	size_t at = value.len;

	while (at && !is_blank(value.p[at - 1]) && value.p[at - 1] != '\n')
		at--;
	*word = span_skip(value, at);
}

void sip_scan(struct span message, struct sip_scan *out)
{
	struct span rest = span_head(message, SCAN_MAX), line, value, method;
	bool method_known;

	*out = (struct sip_scan){ 0 };
	while (rest.len && (*rest.p == '\r' || *rest.p == '\n'))
		rest = span_skip(rest, 1);
	if (!cut_line(&rest, &line))
		return;
	span_cut(line, ' ', &method, &value);
	method_known = !span_eq(method, SPAN("SIP/2.0"));
	if (method_known)
		out->registration = is_registration(method);
	while (!(method_known && out->call_id.len) && cut_line(&rest, &line)) {
		if (!line.len || *line.p == '\r')
			return;
		if (ascii_lower(*line.p) != 'c' && ascii_lower(*line.p) != 'i')
			continue;
		if (!out->call_id.len && header_is(line, SPAN("Call-ID"), 'i', &value)) {
			out->call_id = value;
		} else if (!method_known && header_is(line, SPAN("CSeq"), 0, &value)) {
			last_word(value, &method);
			out->registration = is_registration(method);
			method_known = true;
		}
	}
}
