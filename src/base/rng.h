/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rng: unpredictable bytes. Each thread keeps a ChaCha20 pool keyed by getrandom(2) and
 * rekeyed as it runs dry, so an identifier costs no system call. Any thread. */
#ifndef CAUSEWAY_RNG_H
#define CAUSEWAY_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_bytes(void *dst, size_t len);
uint32_t rng_u32(void);
uint64_t rng_u64(void);
/* Uniform in 0..bound-1; bound > 0. */
uint32_t rng_below(uint32_t bound);

#endif
