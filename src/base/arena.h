/* SPDX-License-Identifier: GPL-3.0-or-later */
/* arena: what lives as long as its owner (a call, a snapshot) lives here; there is one
 * free. Built with CAUSEWAY_SANITIZED each piece is a malloc of its own, so that an
 * overrun inside the arena still shows. Not thread-safe; owned by one thread. */
#ifndef CAUSEWAY_ARENA_H
#define CAUSEWAY_ARENA_H

#include "base/span.h"

struct arena;

/* `first` is the size of the first chunk in bytes (later chunks double, up to 64 KiB).
 * NULL when there is no memory. */
struct arena *arena_new(size_t first);
void arena_free(struct arena **arena);
/* Zeroed, aligned for any type; NULL when there is no memory. */
void *arena_alloc(struct arena *arena, size_t size);
/* Terminated copies; NULL when there is no memory. A span of length 0 gives "". */
char *arena_dup(struct arena *arena, struct span s);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes taken from the system. */
size_t arena_size(const struct arena *arena);

#endif
