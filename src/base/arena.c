/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

#define CHUNK_MAX 65536

struct chunk {
	struct chunk *next;
	size_t size;
	size_t used;
	max_align_t data[];
};

struct arena {
	struct chunk *chunks;
	size_t next_size;
	size_t total;
};

/* Chunks of the size that scratch arenas begin with, a few for each thread: malloc has no quick way for that
 * size, and the same memory is still in the cache. Gone with its thread. */
#define SPARE_SIZE 4096
#define SPARE_MAX 4
#ifdef CAUSEWAY_SANITIZED
#define SPARING false /* a use after free must show */
#else
#define SPARING true
#endif

struct spare {
	struct chunk *chunks;
	unsigned count;
};

static _Thread_local struct spare spare;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_exit;

static void spare_empty(void *arg)
{
	struct spare *s = arg;

	while (s->chunks) {
		struct chunk *chunk = s->chunks;

		s->chunks = chunk->next;
		free(chunk);
	}
	s->count = 0;
}

static void spare_make_key(void)
{
	pthread_key_create(&at_exit, spare_empty);
}

static struct chunk *chunk_get(size_t size)
{
	struct chunk *chunk = spare.chunks;

	if (size != SPARE_SIZE || !chunk)
		return malloc(sizeof(*chunk) + size);
	spare.chunks = chunk->next;
	spare.count--;
	return chunk;
}

static void chunk_put(struct chunk *chunk)
{
	if (!SPARING || chunk->size != SPARE_SIZE || spare.count >= SPARE_MAX) {
		free(chunk);
		return;
	}
	if (spare.count == 0) {
		pthread_once(&once, spare_make_key);
		pthread_setspecific(at_exit, &spare);
	}
	chunk->next = spare.chunks;
	spare.chunks = chunk;
	spare.count++;
}

static struct chunk *chunk_add(struct arena *arena, size_t size)
{
	struct chunk *chunk = chunk_get(size);

	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->used = 0;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->total += sizeof(*chunk) + size;
	return chunk;
}

struct arena *arena_new(size_t first)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (!arena)
		return NULL;
	arena->next_size = first < 64 ? 64 : first;
	arena->total = sizeof(*arena);
	return arena;
}

void arena_free(struct arena **arena)
{
	struct chunk *chunk, *next;

	if (!*arena)
		return;
	for (chunk = (*arena)->chunks; chunk; chunk = next) {
		next = chunk->next;
		chunk_put(chunk);
	}
	free(*arena);
	*arena = NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t need = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	struct chunk *chunk = arena->chunks;
	void *p;

	if (need < size)
		return NULL;
#ifdef CAUSEWAY_SANITIZED
	chunk = chunk_add(arena, size);
	need = size;
#else
	if (!chunk || chunk->size - chunk->used < need) {
		size_t chunk_size = arena->next_size < need ? need : arena->next_size;

		chunk = chunk_add(arena, chunk_size);
		if (arena->next_size < CHUNK_MAX)
			arena->next_size *= 2;
	}
#endif
	if (!chunk)
		return NULL;
	p = (char *)chunk->data + chunk->used;
	chunk->used += need;
	memset(p, 0, size);
	return p;
}

char *arena_dup(struct arena *arena, struct span s)
{
	char *p = arena_alloc(arena, s.len + 1);

	if (p && s.len)
		memcpy(p, s.p, s.len);
	return p;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list ap, again;
	char *p;
	size_t n;

	va_start(ap, format);
	va_copy(again, ap);
	n = fmt_vprint(NULL, 0, format, ap);
	va_end(ap);
	p = arena_alloc(arena, n + 1);
	if (p)
		fmt_vprint(p, n + 1, format, again);
	va_end(again);
	return p;
}

size_t arena_size(const struct arena *arena)
{
	return arena->total;
}
