/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

#include <sys/random.h>

#define POOL_BLOCKS 8

struct rng {
	uint32_t state[16];
	unsigned char pool[64 * POOL_BLOCKS];
	size_t left;
};

static _Thread_local struct rng rng;

#define ROTL32(x, n) (((x) << (n)) | ((x) >> (32 - (n))))
#define QUARTER(a, b, c, d)                                                                        \
	do {                                                                                       \
		a += b;                                                                            \
		d ^= a;                                                                            \
		d = ROTL32(d, 16);                                                                 \
		c += d;                                                                            \
		b ^= c;                                                                            \
		b = ROTL32(b, 12);                                                                 \
		a += b;                                                                            \
		d ^= a;                                                                            \
		d = ROTL32(d, 8);                                                                  \
		c += d;                                                                            \
		b ^= c;                                                                            \
		b = ROTL32(b, 7);                                                                  \
	} while (0)

/* RFC 8439 2.3, 20 rounds. */
static void chacha_block(const uint32_t in[16], unsigned char out[64])
{
	uint32_t x[16];

	memcpy(x, in, sizeof(x));
	for (int i = 0; i < 10; i++) {
		QUARTER(x[0], x[4], x[8], x[12]);
		QUARTER(x[1], x[5], x[9], x[13]);
		QUARTER(x[2], x[6], x[10], x[14]);
		QUARTER(x[3], x[7], x[11], x[15]);
		QUARTER(x[0], x[5], x[10], x[15]);
		QUARTER(x[1], x[6], x[11], x[12]);
		QUARTER(x[2], x[7], x[8], x[13]);
		QUARTER(x[3], x[4], x[9], x[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += in[i];
	memcpy(out, x, 64);
}

static void rng_seed(void)
{
	static const uint32_t sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(rng.state, sigma, sizeof(sigma));
	while (getrandom(rng.state + 4, 48, 0) != 48)
		; /* interrupted before the kernel's pool was ready */
}

/* The first 32 bytes of each fill become the next key: what was handed out cannot be
 * recomputed from a later state. */
static void rng_fill(void)
{
	if (rng.state[0] == 0)
		rng_seed();
	for (int i = 0; i < POOL_BLOCKS; i++) {
		chacha_block(rng.state, rng.pool + 64 * i);
		rng.state[12]++;
	}
	memcpy(rng.state + 4, rng.pool, 32);
	memset(rng.pool, 0, 32);
	rng.left = sizeof(rng.pool) - 32;
}

void rng_bytes(void *dst, size_t len)
{
	unsigned char *to = dst;

	while (len) {
		size_t n;

		if (rng.left == 0)
			rng_fill();
		n = len < rng.left ? len : rng.left;
		memcpy(to, rng.pool + sizeof(rng.pool) - rng.left, n);
		rng.left -= n;
		to += n;
		len -= n;
	}
}

uint32_t rng_u32(void)
{
	uint32_t value;

	rng_bytes(&value, sizeof(value));
	return value;
}

uint64_t rng_u64(void)
{
	uint64_t value;

	rng_bytes(&value, sizeof(value));
	return value;
}

uint32_t rng_below(uint32_t bound)
{
	uint32_t reject = (uint32_t)-bound % bound, value;

	do
		value = rng_u32();
	while (value < reject);
	return value % bound;
}
