/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_free(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT(b->max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

char *buf_reserve(struct buf *b, size_t len)
{
	size_t size = b->size ? b->size : 256;
	char *p;

	if (b->failed || len > b->max || b->len > b->max - len) {
		b->failed = true;
		return NULL;
	}
	if (b->p && b->len + len <= b->size)
		return b->p + b->len;
	while (size < b->len + len)
		size *= 2;
	if (size > b->max)
		size = b->max;
	p = realloc(b->p, size);
	if (!p) {
		b->failed = true;
		return NULL;
	}
	b->p = p;
	b->size = size;
	return b->p + b->len;
}

void buf_add_more(struct buf *b, const void *data, size_t len)
{
	char *to = buf_reserve(b, len);

	if (!to || !len)
		return;
	memcpy(to, data, len);
	b->len += len;
}

/* It did not fit where it was to go: once more, by way of the stack where that is large enough, so that no
 * byte is needed for a NUL. */
static void add_again(struct buf *b, size_t len, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void add_again(struct buf *b, size_t len, const char *format, va_list args)
{
	char stack[512];

	if (len < sizeof(stack)) {
		fmt_vprint(stack, sizeof(stack), format, args);
		buf_add(b, stack, len);
	} else if (buf_reserve(b, len + 1)) {
		fmt_vprint(b->p + b->len, len + 1, format, args);
		b->len += len;
	}
}

void buf_addf(struct buf *b, const char *format, ...)
{
	size_t room = b->size - b->len, n;
	va_list args;

	if (b->failed)
		return;
	va_start(args, format);
	n = fmt_vprint(room ? b->p + b->len : NULL, room, format, args);
	va_end(args);
	if (n < room) {
		b->len += n;
		return;
	}
	va_start(args, format);
	add_again(b, n, format, args);
	va_end(args);
}

/* Length of the valid UTF-8 sequence at p (1..4), or 0. */
static size_t utf8_length(const unsigned char *p, size_t len)
{
	size_t n = p[0] < 0x80                   ? 1
		   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		   : (p[0] & 0xf0) == 0xe0       ? 3
		   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						 : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if (n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)))
		return 0; /* overlong, or a surrogate */
	if (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)))
		return 0;
	return n;
}

/* How far it is ASCII that JSON writes as it stands: most of what there is. */
static size_t plain_length(struct span s)
{
	size_t i = 0;

	while (i < s.len && s.p[i] >= ' ' && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '\\')
		i++;
	return i;
}

void buf_add_json(struct buf *b, struct span s)
{
	buf_add_char(b, '"');
	for (size_t i = 0; i < s.len;) {
		size_t n = plain_length(span_skip(s, i));
		unsigned char c;

		buf_add(b, s.p + i, n);
		i += n;
		if (i == s.len)
			break;
		c = (unsigned char)s.p[i];
		n = utf8_length((const unsigned char *)s.p + i, s.len - i);
		if (n == 0) {
			buf_add_str(b, "\\ufffd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			buf_addf(b, "\\%c", c);
		} else if (c < 0x20 || c == 0x7f) {
			buf_addf(b, "\\u%04x", c);
		} else {
			buf_add(b, s.p + i, n);
		}
		i += n;
	}
	buf_add_char(b, '"');
}

const char *buf_cstr(struct buf *b)
{
	char *end = buf_reserve(b, 1);

	if (!end)
		return "";
	*end = '\0';
	return b->p;
}
