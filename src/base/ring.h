/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ring: bounded queue of (tag, pointer) from any thread to one consumer, with an eventfd
 * that is written only when the consumer may be asleep. Never blocks, takes no lock
 * (Vyukov's bounded queue). A push that finds it full fails: the pusher counts and drops,
 * or keeps the message elsewhere. */
#ifndef CAUSEWAY_RING_H
#define CAUSEWAY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* `size` is rounded up to a power of two. NULL when there is no memory or no eventfd. */
struct ring *ring_new(size_t size);
void ring_free(struct ring **ring);
/* Any thread. False when full; ownership of `item` passes only on true. */
bool ring_push(struct ring *ring, int tag, void *item);
/* Consumer only. False when empty. */
bool ring_pop(struct ring *ring, int *tag_out, void **item_out);
/* Readable when there may be something to pop; watch it with EPOLLIN. */
int ring_fd(const struct ring *ring);
/* Consumer only: call when woken, before popping. */
void ring_woken(struct ring *ring);

#endif
