/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is it SIP? Its first line says so, on whatever port it comes; a message that is wrong further on is SIP all the same. */
#include "capture/capture_int.h"

#define LINE_MAX_LOOKED 1024

static bool is_token(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || ascii_digit(c) ||
	       (c && strchr("-.!%*_+`'~", c));
}

/* " SIP/2.0" at the end, or at least " SIP/". */
static bool ends_with_version(struct span line)
{
	for (size_t i = line.len; i >= 5; i--)
		if (line.p[i - 5] == ' ' && span_istarts(span_skip(line, i - 4), SPAN("SIP/")))
			return true;
	return false;
}

bool sip_starts(struct span bytes)
{
	struct span line;
	size_t method = 0;

	while (bytes.len && (bytes.p[0] == '\r' || bytes.p[0] == '\n'))
		bytes = span_skip(bytes, 1);
	line = span_head(bytes, LINE_MAX_LOOKED);
	line = span_head(line, span_find(line, '\n'));
	if (span_istarts(line, SPAN("SIP/2.0 ")))
		return true;
	while (method < line.len && method < 32 && is_token(line.p[method]))
		method++;
	return method >= 3 && method < line.len && line.p[method] == ' ' && ends_with_version(line);
}
