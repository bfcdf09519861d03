/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buf: a growing byte buffer with a ceiling stated at creation. A write that would pass
 * the ceiling (or finds no memory) writes nothing and sets `failed`, which stays set:
 * build a whole message without checking, then look once. Not thread-safe. */
#ifndef CAUSEWAY_BUF_H
#define CAUSEWAY_BUF_H

#include "base/span.h"

struct buf {
	char *p;
	size_t len;
	size_t size;
	size_t max;
	bool failed;
};

#define BUF_INIT(ceiling) ((struct buf){ .max = (ceiling) })
/* Over an array, which is its ceiling: asks for no memory, and is not to be freed. */
#define BUF_OVER(array) ((struct buf){ .p = (array), .size = sizeof(array), .max = sizeof(array) })

/* Frees the memory; the buffer is empty and usable again. */
void buf_free(struct buf *b);
/* Empty, memory kept, `failed` cleared. */
void buf_reset(struct buf *b);
void buf_add_more(struct buf *b, const void *data, size_t len);	/* where buf_add finds no room */
static inline void buf_add(struct buf *b, const void *data, size_t len)
{
	if (b->failed || len == 0 || len > b->size - b->len) {
		buf_add_more(b, data, len);
		return;
	}
	memcpy(b->p + b->len, data, len);
	b->len += len;
}
static inline void buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.len);
}
static inline void buf_add_str(struct buf *b, const char *cstr)
{
	buf_add(b, cstr, strlen(cstr));
}
static inline void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void buf_add_json(struct buf *b, struct span s);
/* Room for `len` more bytes, to be written at the returned place and then counted with
 * b->len += n. NULL (and failed) when the ceiling is passed. */
char *buf_reserve(struct buf *b, size_t len);
/* Terminated with NUL (not counted in len); "" when failed before anything was written. */
const char *buf_cstr(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->p, b->len };
}

#endif
