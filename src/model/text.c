/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What texts and names may hold. */
#include "model/model_int.h"

/* The code point at p and its length in bytes, 0 when it is not UTF-8. */
static size_t utf8_next(struct span s, uint32_t *out)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = p[0] < 0x80             ? 1
		   : (p[0] & 0xe0) == 0xc0 ? 2
		   : (p[0] & 0xf0) == 0xe0 ? 3
		   : (p[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c;

	if (n == 0 || n > s.len)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*out = c;
	return n;
}

/* Controls, separators and the characters that change direction or show nothing: none of them
 * belongs into what people compare by eye. */
static bool code_is_hidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c & 0xfffe) == 0xfffe || (c >= 0xfff0 && c <= 0xfffb);
}

bool text_is_clean(struct span text, bool lines)
{
	for (size_t i = 0; i < text.len;) {
		uint32_t c;
		size_t n = utf8_next(span_skip(text, i), &c);

		if (n == 0 || (code_is_hidden(c) && !(lines && (c == '\n' || c == '\t'))))
			return false;
		i += n;
	}
	return true;
}

static bool ascii_alnum(char c)
{
	return ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

bool text_of(struct span text, const char *others, bool scripts)
{
	for (size_t i = 0; i < text.len;) {
		uint32_t c;
		size_t n = utf8_next(span_skip(text, i), &c);

		if (n == 0 || code_is_hidden(c))
			return false;
		if (n == 1 && !ascii_alnum(text.p[i]) && !strchr(others, text.p[i]))
			return false;
		if (n > 1 && (!scripts || c == 0xa0 || c == 0x3000 || (c >= 0x2000 && c <= 0x200a)))
			return false;
		i += n;
	}
	return true;
}
