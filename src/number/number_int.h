/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of number: what compiling a rule and applying it share. */
#ifndef CAUSEWAY_NUMBER_INT_H
#define CAUSEWAY_NUMBER_INT_H

#include "number/number.h"

/* Hashing a number, byte by byte: the hash of each of its beginnings comes by the way. */
#define NUMBER_HASH_START 0x9e3779b97f4a7c15ull
static inline uint64_t number_hash_step(uint64_t h, char c)
{
	return (h ^ (unsigned char)c) * 0xff51afd7ed558ccdull;
}
static inline uint32_t number_hash_finish(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xc4ceb9fe1a85ec53ull;
	return (uint32_t)(h ^ h >> 29);
}

/* What sources have in common that can be looked up at once: so many characters before the star, so many after it,
 * and where among them any character will do (bit n: character n). */
struct dial_form {
	uint8_t head, tail;
	uint32_t head_any, tail_any;
};

struct dial_rule {
	const char *text;		/* as written, terminated */
	char *source;			/* head and tail side by side; NUL where any character will do */
	struct dial_form form;
	bool star;			/* written with one */
	uint64_t lengths;		/* of numbers: bit n = n characters, bit 63 = 63 and more */
	uint32_t next;			/* rule + 1 of the same source and a wider condition; 0 = none */
	uint32_t n_targets;
	uint32_t *targets;		/* where each begins in the text */
};

struct dial_rules {
	unsigned n, n_forms;
	struct dial_rule *rules;	/* as written */
	struct dial_form *forms;	/* the one that wins first */
	uint32_t *slots, mask;		/* first rule + 1 of a source */
};

static inline uint64_t dial_length_bit(size_t len)
{
	return 1ull << (len < 63 ? len : 63);
}
/* The slot of the source (head and tail, NULs where any will do) or the empty one where it belongs. */
uint32_t *dial_slot(const struct dial_rules *rules, const struct dial_form *form, const char *head, const char *tail);
/* Below zero when sources of form `a` win over those of `b`. */
int dial_form_compare(const struct dial_form *a, const struct dial_form *b);

#endif
