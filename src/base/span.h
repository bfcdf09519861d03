/* SPDX-License-Identifier: GPL-3.0-or-later */
/* span: a borrowed piece of memory, not NUL-terminated. Parsers hand these out into
 * the received buffer; whoever keeps one past the buffer's life copies it first. */
#ifndef CAUSEWAY_SPAN_H
#define CAUSEWAY_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t len;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })
#define SPAN_NONE ((struct span){ NULL, 0 })
/* For printf: "%.*s", SPAN_ARG(s). */
#define SPAN_ARG(s) (int)(s).len, (s).p ? (s).p : ""

static inline struct span span_of(const char *cstr)
{
	return (struct span){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* The i-variants ignore the case of ASCII letters, never the locale's. */
bool span_ieq_bytes(const char *a, const char *b, size_t len);
static inline bool span_ieq(struct span a, struct span b)
{
	return a.len == b.len && span_ieq_bytes(a.p, b.p, a.len);
}
static inline bool span_starts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}
static inline bool span_istarts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_ieq_bytes(s.p, prefix.p, prefix.len);
}

/* Index of the first `c`, or s.len. */
size_t span_find(struct span s, char c);

/* From byte `from` (clamped to s.len) to the end. */
static inline struct span span_skip(struct span s, size_t from)
{
	if (from >= s.len)
		return (struct span){ s.len ? s.p + s.len : s.p, 0 };	/* never NULL + 0 */
	return (struct span){ s.p + from, s.len - from };
}
/* The first `len` bytes (clamped). */
static inline struct span span_head(struct span s, size_t len)
{
	return (struct span){ s.p, len < s.len ? len : s.len };
}
/* Without leading and trailing SP, HTAB, CR and LF. */
struct span span_trim(struct span s);
/* Cut at the first `sep`: *head gets what is before it (all if absent); true if found,
 * then *rest is what follows, else *rest is empty. `head` and `rest` may alias s's owner. */
bool span_cut(struct span s, char sep, struct span *head, struct span *rest);

/* Decimal digits only (hex: hex digits only), the whole span, no sign, no overflow:
 * 0, or -EINVAL / -ERANGE with *out untouched. */
int span_to_u64(struct span s, uint64_t *out);
int span_to_u32(struct span s, uint32_t *out);
int span_hex_to_u64(struct span s, uint64_t *out);

/* Copy into dst[size], cut if too long, always terminated. Returns s.len (so a result
 * >= size tells that it was cut). */
size_t span_copy(struct span s, char *dst, size_t size);

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
static inline bool ascii_digit(char c)
{
	return c >= '0' && c <= '9';
}

#endif
