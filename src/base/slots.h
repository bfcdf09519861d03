/* SPDX-License-Identifier: GPL-3.0-or-later */
/* slots: objects of one size under a small index and a generation that changes with each
 * reuse, so that an identifier can carry (index, generation) over the wire and be looked
 * up without a hash. Memory comes in chunks and never moves. One thread. */
#ifndef CAUSEWAY_SLOTS_H
#define CAUSEWAY_SLOTS_H

#include <stddef.h>
#include <stdint.h>

struct slots {
	size_t size;		/* bytes an object */
	uint32_t count;		/* in use */
	uint32_t limit;		/* most at once; at most 1 << 24 */
	uint32_t used;		/* indexes ever handed out */
	uint32_t free_head;	/* + 1; 0 = none */
	uint32_t n_chunks;
	char **chunks;
};

void slots_init(struct slots *s, size_t size, uint32_t limit);
/* All objects must have been freed or be abandoned knowingly. */
void slots_close(struct slots *s);
/* A zeroed object, its index and generation (1..65535), or NULL at the limit or without memory. */
void *slots_alloc(struct slots *s, uint32_t *index_out, uint16_t *generation_out);
void slots_free(struct slots *s, uint32_t index);
/* The live object with this index and generation, or NULL. */
void *slots_get(const struct slots *s, uint32_t index, uint16_t generation);
/* The next live object with index >= *index (which is moved past it), or NULL. For lists
 * made for people; start with *index = 0. */
void *slots_next(const struct slots *s, uint32_t *index);

#endif
