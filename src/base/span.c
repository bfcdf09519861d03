/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

bool span_ieq_bytes(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

size_t span_find(struct span s, char c)
{
	const char *hit = s.len ? memchr(s.p, c, s.len) : NULL;

	return hit ? (size_t)(hit - s.p) : s.len;
}

static bool is_blank(char c)
{
	return c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

struct span span_trim(struct span s)
{
	while (s.len && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

bool span_cut(struct span s, char sep, struct span *head, struct span *rest)
{
	size_t at = span_find(s, sep);

	*head = span_head(s, at);
	*rest = span_skip(s, at + 1);
	return at < s.len;
}

int span_to_u64(struct span s, uint64_t *out)
{
	uint64_t value = 0;

	if (s.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_digit(s.p[i]))
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value))
			return -ERANGE;
	}
	*out = value;
	return 0;
}

int span_to_u32(struct span s, uint32_t *out)
{
	uint64_t value;
	int err = span_to_u64(s, &value);

	if (err)
		return err;
	if (value > UINT32_MAX)
		return -ERANGE;
	*out = (uint32_t)value;
	return 0;
}

int span_hex_to_u64(struct span s, uint64_t *out)
{
	uint64_t value = 0;

	if (s.len == 0)
		return -EINVAL;
	if (s.len > 16)
		return -ERANGE;
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.p[i]);

		if (ascii_digit(c))
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return -EINVAL;
	}
	*out = value;
	return 0;
}

size_t span_copy(struct span s, char *dst, size_t size)
{
	size_t n = s.len < size ? s.len : size - 1;

	assert(size > 0);
	if (n)
		memcpy(dst, s.p, n);
	dst[n] = '\0';
	return s.len;
}
