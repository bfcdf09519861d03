/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dynamic blacklist: numbers that call too much, too often at once, or never answer, and those that an operator
 * listed. One table for all workers, in sets of eight, each with a flag.
 *
 * Who asks whether a number is listed takes no flag and waits for nobody. Who counts a call takes the set's flag if it is
 * free and otherwise leaves the call uncounted (`missed` tells how many): a set is held for a few dozen instructions
 * and there are thousands. Calls up at once are given back without the flag, which is why a number with calls up keeps
 * its place. Operators' threads may wait for a flag.
 *
 * A number is its keyed hash, and its text is kept to be shown. In a full set that number makes room which was quiet for
 * longest, then that whose listing ends first; what an operator listed stays. Windows are fixed: one begins with the
 * first call after the last one's end. */
#include "model/model_int.h"

#include <sched.h>
#include <stdio.h>

#define WAYS 8
#define SETS 8192
#define FOR_EVER UINT64_MAX

struct tally {
	_Atomic uint64_t key; /* 0 = free */
	_Atomic uint64_t until_us; /* listed until then; 0 = not listed */
	_Atomic uint64_t since_us;
	_Atomic uint32_t rule, count, limit; /* what listed it */
	atomic_int lines;
	/* Under the set's flag: */
	uint64_t window_us, used_us;
	uint32_t seen; /* in this window */
	bool callee;
	char number[BLACKLIST_NUMBER_MAX + 1];
};
struct set {
	_Alignas(CACHE_LINE) atomic_flag busy;
	struct tally ways[WAYS];
};
struct blacklist {
	struct hash_key key;
	atomic_uint listed; /* expired ones too, until their place is looked at again */
	_Atomic uint64_t missed;
	struct set *sets; /* pages that nobody touches cost nothing */
	void *memory;
};

static const struct {
	const char *name;
	bool callee, operator;
} rules[BLACKLIST_RULES] = {
	[BLACKLIST_CALLS] = { "calls", false, false },
	[BLACKLIST_LINES] = { "lines", false, false },
	[BLACKLIST_NO_ANSWER] = { "no_answer", true, false },
	[BLACKLIST_CALLER] = { "operator", false, true },
	[BLACKLIST_CALLEE] = { "operator", true, true },
};

struct blacklist *blacklist_new(void)
{
	struct blacklist *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	/* calloc for its untouched zero pages: a clear flag and an empty way are all zeros. */
	b->memory = calloc(1, SETS * sizeof(struct set) + CACHE_LINE);
	if (!b->memory) {
		free(b);
		return NULL;
	}
	b->sets = (struct set *)(((uintptr_t)b->memory + CACHE_LINE - 1) &
				 ~(uintptr_t)(CACHE_LINE - 1));
	rng_bytes(&b->key, sizeof(b->key));
	return b;
}

void blacklist_free(struct blacklist **b)
{
	if (!*b)
		return;
	free((*b)->memory);
	free(*b);
	*b = NULL;
}

/* ---- places ---------------------------------------------------------------------------------- */

static uint64_t key_of(const struct blacklist *b, bool callee, struct span number)
{
	uint64_t key = hash_bytes(&b->key, number.p, number.len);

	return (callee ? ~key : key) | 1;
}

static struct set *set_of(const struct blacklist *b, uint64_t key)
{
	return &b->sets[key >> 32 & (SETS - 1)];
}

static bool try_hold(struct blacklist *b, struct set *set)
{
	if (!atomic_flag_test_and_set_explicit(&set->busy, memory_order_acquire))
		return true;
	atomic_fetch_add_explicit(&b->missed, 1, memory_order_relaxed);
	return false;
}

static void hold(struct set *set)
{
	while (atomic_flag_test_and_set_explicit(&set->busy, memory_order_acquire))
		sched_yield();
}

static void let_go(struct set *set)
{
	atomic_flag_clear_explicit(&set->busy, memory_order_release);
}

static bool is_listed(const struct tally *t, uint64_t now_us)
{
	return atomic_load_explicit(&t->until_us, memory_order_relaxed) > now_us;
}

static void unlist(struct blacklist *b, struct tally *t)
{
	if (atomic_exchange_explicit(&t->until_us, 0, memory_order_relaxed))
		atomic_fetch_sub_explicit(&b->listed, 1, memory_order_relaxed);
}

static bool is_by_operator(const struct tally *t)
{
	return rules[atomic_load_explicit(&t->rule, memory_order_relaxed)].operator;
}

/* What an operator has just listed no rule overrides. */
static void enlist(struct blacklist *b, struct tally *t, const struct blacklist_entry *entry)
{
	if (!rules[entry->rule].operator&& is_by_operator(t) && is_listed(t, entry->since_us))
		return;
	atomic_store_explicit(&t->rule, entry->rule, memory_order_relaxed);
	atomic_store_explicit(&t->count, entry->count, memory_order_relaxed);
	atomic_store_explicit(&t->limit, entry->limit, memory_order_relaxed);
	atomic_store_explicit(&t->since_us, entry->since_us, memory_order_relaxed);
	if (!atomic_exchange_explicit(&t->until_us, entry->until_us ? entry->until_us : FOR_EVER,
				      memory_order_release))
		atomic_fetch_add_explicit(&b->listed, 1, memory_order_relaxed);
}

static struct tally *find_way(struct set *set, uint64_t key)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (atomic_load_explicit(&set->ways[i].key, memory_order_relaxed) == key)
			return &set->ways[i];
	return NULL;
}

/* How dear a place is: 0 = free, UINT64_MAX = not to be had. */
static uint64_t worth(const struct tally *t, uint64_t now_us)
{
	uint64_t until = atomic_load_explicit(&t->until_us, memory_order_relaxed);

	if (!atomic_load_explicit(&t->key, memory_order_relaxed))
		return 0;
	if (atomic_load_explicit(&t->lines, memory_order_acquire) > 0)
		return UINT64_MAX;
	if (!is_listed(t, now_us))
		return 1 + t->used_us / 2;
	return is_by_operator(t) ? UINT64_MAX : INT64_MAX / 2 + until / 2;
}

static struct tally *cheapest_way(struct set *set, uint64_t now_us)
{
	uint64_t least = UINT64_MAX;
	struct tally *cheapest = NULL;

	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t price = worth(&set->ways[i], now_us);

		if (price >= least)
			continue;
		least = price;
		cheapest = &set->ways[i];
	}
	return cheapest;
}

/* The number's place, its own or a new one; NULL when none is to be had. The set is held. */
static struct tally *take_way(struct blacklist *b, struct set *set, uint64_t key, bool callee,
			      struct span number, uint64_t now_us)
{
	struct tally *t = find_way(set, key);

	if (!t)
		t = cheapest_way(set, now_us);
	if (!t) {
		atomic_fetch_add_explicit(&b->missed, 1, memory_order_relaxed);
		return NULL;
	}
	if (!is_listed(t, now_us))
		unlist(b, t);
	if (atomic_load_explicit(&t->key, memory_order_relaxed) != key) {
		unlist(b, t);
		t->seen = 0;
		t->window_us = 0;
		t->callee = callee;
		span_copy(number, t->number, sizeof(t->number));
		atomic_store_explicit(&t->key, key, memory_order_release);
	}
	t->used_us = now_us;
	return t;
}

/* ---- asking ---------------------------------------------------------------------------------- */

bool blacklist_find(const struct blacklist *b, bool callee, struct span number, uint64_t utc_us,
		    struct blacklist_entry *out)
{
	uint64_t key, until;
	const struct tally *t;

	if (!b || !atomic_load_explicit(&b->listed, memory_order_relaxed) || !number.len)
		return false;
	number = span_head(number, BLACKLIST_NUMBER_MAX);
	key = key_of(b, callee, number);
	t = find_way(set_of(b, key), key);
	until = t ? atomic_load_explicit(&t->until_us, memory_order_acquire) : 0;
	if (until <= utc_us)
		return false;
	out->rule = (enum blacklist_rule)atomic_load_explicit(&t->rule, memory_order_relaxed);
	out->count = atomic_load_explicit(&t->count, memory_order_relaxed);
	out->limit = atomic_load_explicit(&t->limit, memory_order_relaxed);
	out->since_us = atomic_load_explicit(&t->since_us, memory_order_relaxed);
	out->until_us = until == FOR_EVER ? 0 : until;
	span_copy(number, out->number, sizeof(out->number));
	/* Another number may have come into the place meanwhile. */
	return atomic_load_explicit(&t->key, memory_order_acquire) == key;
}

/* ---- counting -------------------------------------------------------------------------------- */

static uint32_t count_in_window(struct tally *t, uint64_t window_us, uint64_t now_us)
{
	if (now_us - t->window_us >= window_us) { /* a clock set back begins a new one too */
		t->window_us = now_us;
		t->seen = 0;
	}
	return ++t->seen;
}

/* True: this call lists the number. */
static bool count_call(struct blacklist *b, struct tally *t, const struct model_params *p,
		       uint64_t now_us, bool *held, struct blacklist_entry *out)
{
	uint32_t calls = count_in_window(t, p->blacklist_calls_window, now_us);
	int lines;

	*held = false;
	out->since_us = now_us;
	if (p->blacklist_calls_limit && calls > p->blacklist_calls_limit) {
		out->rule = BLACKLIST_CALLS;
		out->count = calls;
		out->limit = (uint32_t)p->blacklist_calls_limit;
		out->until_us = now_us + p->blacklist_calls_expire;
		t->window_us = 0; /* once it is free again it begins anew */
		enlist(b, t, out);
		return true;
	}
	if (!p->blacklist_lines_limit)
		return false;
	lines = atomic_fetch_add_explicit(&t->lines, 1, memory_order_relaxed) + 1;
	*held = lines <= (int64_t)p->blacklist_lines_limit;
	if (*held)
		return false;
	atomic_fetch_sub_explicit(&t->lines, 1, memory_order_release);
	out->rule = BLACKLIST_LINES;
	out->count = (uint32_t)lines;
	out->limit = (uint32_t)p->blacklist_lines_limit;
	out->until_us = now_us + p->blacklist_lines_expire;
	enlist(b, t, out);
	return true;
}

bool blacklist_call_begins(struct blacklist *b, const struct model_params *p, struct span caller,
			   uint64_t utc_us, uint32_t *hold_out, struct blacklist_entry *out)
{
	bool listed = false, held = false;
	struct tally *t;
	struct set *set;
	uint64_t key;

	*hold_out = 0;
	if (!b || (!p->blacklist_calls_limit && !p->blacklist_lines_limit) || !caller.len)
		return false;
	caller = span_head(caller, BLACKLIST_NUMBER_MAX);
	key = key_of(b, false, caller);
	set = set_of(b, key);
	if (!try_hold(b, set))
		return false;
	t = take_way(b, set, key, false, caller, utc_us);
	if (t)
		listed = count_call(b, t, p, utc_us, &held, out);
	if (held)
		*hold_out = 1 + (uint32_t)((set - b->sets) * WAYS + (t - set->ways));
	let_go(set);
	if (listed)
		span_copy(caller, out->number, sizeof(out->number));
	return listed;
}

void blacklist_call_ends(struct blacklist *b, uint32_t hold)
{
	int before;

	if (!hold)
		return;
	hold--;
	before = atomic_fetch_sub_explicit(&b->sets[hold / WAYS].ways[hold % WAYS].lines, 1,
					   memory_order_release);
	assert(before > 0);
}

void blacklist_call_rang(struct blacklist *b, const struct model_params *p, struct span callee,
			 bool answered, uint64_t utc_us)
{
	struct blacklist_entry entry = { .rule = BLACKLIST_NO_ANSWER,
					 .limit = (uint32_t)p->blacklist_no_answer_limit,
					 .since_us = utc_us,
					 .until_us = utc_us + p->blacklist_no_answer_expire };
	struct tally *t;
	struct set *set;
	uint64_t key;

	if (!b || !p->blacklist_no_answer_limit || !callee.len)
		return;
	callee = span_head(callee, BLACKLIST_NUMBER_MAX);
	key = key_of(b, true, callee);
	set = set_of(b, key);
	if (!try_hold(b, set))
		return;
	if (answered) {
		t = find_way(set, key);
		if (t)
			t->seen = 0;
	} else {
		t = take_way(b, set, key, true, callee, utc_us);
		entry.count = t ? count_in_window(t, p->blacklist_no_answer_window, utc_us) : 0;
		if (t && entry.count >= entry.limit && !is_listed(t, utc_us)) {
			enlist(b, t, &entry);
			t->window_us = 0;
		}
	}
	let_go(set);
}

/* ---- operators --------------------------------------------------------------------------------- */

int blacklist_add(struct blacklist *b, bool callee, struct span number, uint64_t since_us,
		  uint64_t until_us)
{
	struct blacklist_entry entry = { .rule = callee ? BLACKLIST_CALLEE : BLACKLIST_CALLER,
					 .since_us = since_us,
					 .until_us = until_us };
	uint64_t key = key_of(b, callee, number);
	struct set *set = set_of(b, key);
	struct tally *t;

	assert(number.len && number.len <= BLACKLIST_NUMBER_MAX);
	hold(set);
	t = take_way(b, set, key, callee, number, since_us);
	if (t)
		enlist(b, t, &entry);
	let_go(set);
	return t ? 0 : -ENOSPC;
}

bool blacklist_remove(struct blacklist *b, bool callee, struct span number, uint64_t utc_us)
{
	uint64_t key = key_of(b, callee, number);
	struct set *set = set_of(b, key);
	struct tally *t;
	bool was = false;

	hold(set);
	t = find_way(set, key);
	if (t) {
		was = is_listed(t, utc_us);
		unlist(b, t);
		t->seen = 0;
	}
	let_go(set);
	return was;
}

const char *blacklist_rule_name(enum blacklist_rule rule)
{
	return rules[rule].name;
}

bool blacklist_rule_is_operator(enum blacklist_rule rule)
{
	return rules[rule].operator;
}

bool blacklist_rule_is_callee(enum blacklist_rule rule)
{
	return rules[rule].callee;
}

uint64_t blacklist_missed(const struct blacklist *b)
{
	return atomic_load_explicit(&b->missed, memory_order_relaxed);
}

static void gather(const struct tally *t, uint64_t until_us, struct buf *out)
{
	struct blacklist_entry entry = { .rule = (enum blacklist_rule)atomic_load(&t->rule),
					 .count = atomic_load(&t->count),
					 .limit = atomic_load(&t->limit),
					 .since_us = atomic_load(&t->since_us),
					 .until_us = until_us == FOR_EVER ? 0 : until_us };

	memcpy(entry.number, t->number, sizeof(entry.number));
	buf_add(out, &entry, sizeof(entry));
}

/* A place that no number has is not written to: its page may not be there yet. */
static bool is_used(const struct set *set)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (atomic_load_explicit(&set->ways[i].key, memory_order_relaxed))
			return true;
	return false;
}

static void copy_set(struct blacklist *b, struct set *set, uint64_t utc_us, struct buf *out)
{
	hold(set);
	for (unsigned i = 0; i < WAYS; i++) {
		struct tally *t = &set->ways[i];
		uint64_t until = atomic_load(&t->until_us);

		if (until > utc_us)
			gather(t, until, out);
		else
			unlist(b, t);
	}
	let_go(set);
}

void blacklist_copy(struct blacklist *b, uint64_t utc_us, struct buf *out)
{
	for (unsigned i = 0; i < SETS; i++)
		if (is_used(&b->sets[i]))
			copy_set(b, &b->sets[i], utc_us, out);
}

/* ---- for people ---------------------------------------------------------------------------------- */

static void tell_rule(const struct blacklist_entry *entry, const struct model_params *p,
		      const char *number, char *dst, size_t size)
{
	char window[32];

	switch (entry->rule) {
	case BLACKLIST_CALLS:
		snprintf(dst, size, "caller %s made %u calls within %s, the limit is %u", number,
			 entry->count,
			 duration_format(p->blacklist_calls_window, window, sizeof(window)),
			 entry->limit);
		break;
	case BLACKLIST_LINES:
		snprintf(dst, size, "caller %s had %u calls up at once, the limit is %u", number,
			 entry->count, entry->limit);
		break;
	case BLACKLIST_NO_ANSWER:
		snprintf(dst, size,
			 "callee %s rang %u times within %s and nobody answered, the limit is %u",
			 number, entry->count,
			 duration_format(p->blacklist_no_answer_window, window, sizeof(window)),
			 entry->limit);
		break;
	default:
		snprintf(dst, size, "an operator blacklisted %s %s",
			 blacklist_rule_is_callee(entry->rule) ? "callee" : "caller", number);
	}
}

void blacklist_text(const struct blacklist_entry *entry, const struct model_params *p,
		    const char *number, char *dst, size_t size)
{
	char rule[160], until[40];

	tell_rule(entry, p, number, rule, sizeof(rule));
	snprintf(dst, size, "%s; blacklisted %s%s", rule, entry->until_us ? "until " : "for good",
		 entry->until_us ? clock_format(entry->until_us, until, sizeof(until)) : "");
}
