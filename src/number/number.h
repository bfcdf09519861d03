/* SPDX-License-Identifier: GPL-3.0-or-later */
/* number: what can be said of telephone numbers without knowing whose they are: sets of numbers, and the dial
 * rules that rewrite them (docs/dial-rules.md is their manual). A module of its own above model, because both are
 * built with a snapshot, from texts that people write, and asked by everything that decides about a call; neither
 * knows gateways. Pure: no I/O, no clock, and where chance decides it comes as an argument.
 *
 * What is built lives in the arena given and does not change any more: any thread may ask it. */
#ifndef CAUSEWAY_NUMBER_H
#define CAUSEWAY_NUMBER_H

#include "base/base.h"

#define NUMBER_TEXT 128		/* room for any number and its NUL */

/* ---- sets ------------------------------------------------------------------------- */

#define NUMBER_SET_LEN_MAX 63	/* of an entry */
struct number_set;

/* The texts (each of at most NUMBER_SET_LEN_MAX bytes; copied) as a set, each once, in the order given. About 30
 * bytes an entry. 0 or -ENOMEM. */
int number_set_build(struct number_set **set_out, struct arena *arena, const struct span *texts, unsigned n);
unsigned number_set_count(const struct number_set *set);
/* Terminated as well. */
struct span number_set_at(const struct number_set *set, unsigned i);
/* Which entry is this number, or -1. One look-up, whatever the size. */
int64_t number_set_find(const struct number_set *set, struct span number);
/* Which is the longest entry that begins this number, or -1: one look-up for each length in use. */
int64_t number_set_find_prefix(const struct number_set *set, struct span number);

/* ---- dial rules --------------------------------------------------------------------- */

#define DIAL_SOURCE_MAX 32	/* characters before, and as many after the star */
#define DIAL_TARGET_MAX 127	/* characters of one target */
#define DIAL_RULES_MAX 1000000	/* in a set */
#define DIAL_FORMS_MAX 128	/* forms of sources: see dial.c */
#define DIAL_SAME_MAX 64	/* rules with one source, for different lengths of numbers */

struct dial_rules;
struct dial_rule;

/* What is wrong with a rule, in words. */
struct dial_fault {
	unsigned text;			/* which of the texts */
	char what[200];			/* "rule 3 `01:9-3`, at character 4: the range ..." */
	char remedy[160];
};

/* Compile the rules in `texts`, each holding one or several, separated by commas. 0; -EINVAL with `fault`; -ENOMEM. */
int dial_compile(struct dial_rules **rules_out, struct arena *arena, const struct span *texts, unsigned n,
		 struct dial_fault *fault);
unsigned dial_count(const struct dial_rules *rules);
const struct dial_rule *dial_at(const struct dial_rules *rules, unsigned i);	/* in the order written */
const char *dial_text(const struct dial_rule *rule);				/* as written */
/* The rule for this number, or NULL: at most DIAL_FORMS_MAX look-ups, commonly some five. `rules` may be NULL. */
const struct dial_rule *dial_find(const struct dial_rules *rules, struct span number);
/* What the rule makes of a number that it was found for, terminated, into dst. Returns the length; -EMSGSIZE when the
 * result does not fit (dst is then ""). The same `random` gives the same result. */
int dial_apply(const struct dial_rule *rule, struct span number, uint64_t random, char dst[NUMBER_TEXT]);

/* The next of a row of random numbers that `state` begins. */
uint64_t number_random(uint64_t *state);
/* 0..bound-1. */
uint64_t number_below(uint64_t *state, uint64_t bound);

#endif
