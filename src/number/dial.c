/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Applying dial rules. However many rules there are, their sources have few forms: so many characters at the
 * beginning, so many at the end, and the places where any character will do. A number is looked up once for each
 * form, the longest first, in one hash of all sources; the first that is there, and whose condition on the length
 * of the number holds, wins. Thousands of rules that rewrite one number each are one form. */
#include "number/number_int.h"

#include <stdio.h>

/* ---- chance --------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
uint64_t number_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t number_below(uint64_t *state, uint64_t bound)
{
	return (uint64_t)((unsigned __int128)number_random(state) * bound >> 64);
}

/* ---- finding ---------------------------------------------------------------------------- */

static uint64_t hash_part(uint64_t h, const char *part, unsigned len, uint32_t any)
{
	for (unsigned i = 0; i < len; i++)
		h = number_hash_step(h, any >> i & 1 ? '\0' : part[i]);
	return h;
}

static bool part_equal(const char *source, const char *part, unsigned len, uint32_t any)
{
	if (!any)
		return len == 0 || memcmp(source, part, len) == 0;
	for (unsigned i = 0; i < len; i++)
		if (!(any >> i & 1) && source[i] != part[i])
			return false;
	return true;
}

static bool form_equal(const struct dial_form *a, const struct dial_form *b)
{
	return a->head == b->head && a->tail == b->tail && a->head_any == b->head_any &&
	       a->tail_any == b->tail_any;
}

uint32_t *dial_slot(const struct dial_rules *rules, const struct dial_form *form, const char *head,
		    const char *tail)
{
	uint64_t h = hash_part(NUMBER_HASH_START ^ form->head, head, form->head, form->head_any);
	uint32_t at;

	if (form->tail)
		h = hash_part(h, tail, form->tail, form->tail_any);
	for (at = number_hash_finish(h) & rules->mask; rules->slots[at];
	     at = (at + 1) & rules->mask) {
		const struct dial_rule *rule = &rules->rules[rules->slots[at] - 1];

		if (form_equal(&rule->form, form) &&
		    part_equal(rule->source, head, form->head, form->head_any) &&
		    part_equal(rule->source + form->head, tail, form->tail, form->tail_any))
			break;
	}
	return &rules->slots[at];
}

/* Of two masks of equal length the one that knows the earlier character. */
static int compare_any(uint32_t a, uint32_t b)
{
	uint32_t differ = a ^ b;

	return differ == 0 ? 0 : b & (differ & -differ) ? -1 : 1;
}

int dial_form_compare(const struct dial_form *a, const struct dial_form *b)
{
	int any = (__builtin_popcount(a->head_any) + __builtin_popcount(a->tail_any)) -
		  (__builtin_popcount(b->head_any) + __builtin_popcount(b->tail_any));

	if (a->head + a->tail != b->head + b->tail)
		return (b->head + b->tail) - (a->head + a->tail);
	if (any)
		return any;
	if (a->head != b->head)
		return b->head - a->head;
	any = compare_any(a->head_any, b->head_any);
	return any ? any : compare_any(a->tail_any, b->tail_any);
}

const struct dial_rule *dial_find(const struct dial_rules *rules, struct span number)
{
	uint64_t bit = dial_length_bit(number.len);

	for (unsigned i = 0; rules && i < rules->n_forms; i++) {
		const struct dial_form *form = &rules->forms[i];
		uint32_t at;

		if (number.len < (size_t)form->head + form->tail)
			continue;
		at = *dial_slot(rules, form, number.p,
				form->tail ? number.p + number.len - form->tail : NULL);
		for (; at; at = rules->rules[at - 1].next)
			if (rules->rules[at - 1].lengths & bit)
				return &rules->rules[at - 1];
	}
	return NULL;
}

/* ---- rewriting --------------------------------------------------------------------------- */

struct rewriting {
	struct span number, rest; /* rest: what the star stands for */
	uint64_t random;
	bool rest_used;
	char *dst;
	size_t len;
	bool too_long;
};

static void put(struct rewriting *r, struct span s)
{
	if (r->len + s.len >= NUMBER_TEXT) {
		r->too_long = true;
		return;
	}
	if (s.len)
		memcpy(r->dst + r->len, s.p, s.len);
	r->len += s.len;
}

static void put_char(struct rewriting *r, char c)
{
	put(r, (struct span){ &c, 1 });
}

/* A number of the range from..to, as wide as the first. */
static void put_range(struct rewriting *r, struct span from, struct span to)
{
	uint64_t least = 0, most = 0;
	char text[24];

	span_to_u64(from, &least);
	span_to_u64(to, &most);
	snprintf(text, sizeof(text), "%0*llu", (int)from.len,
		 (unsigned long long)(least + number_below(&r->random, most - least + 1)));
	put(r, span_of(text));
}

static size_t digits_at(const char *p)
{
	size_t n = 0;

	while (ascii_digit(p[n]))
		n++;
	return n;
}

/* A run of digits, or a range of two of them. Returns what follows. */
static const char *put_digits(struct rewriting *r, const char *p)
{
	struct span from = { p, digits_at(p) }, to;

	p += from.len;
	if (*p != '-') {
		put(r, from);
		return p;
	}
	to = (struct span){ p + 1, digits_at(p + 1) };
	put_range(r, from, to);
	return to.p + to.len;
}

static void put_rest(struct rewriting *r)
{
	r->rest_used = true;
	put(r, r->rest);
}

/* One target; that it makes sense was seen when it was compiled. */
static void put_target(struct rewriting *r, const char *p)
{
	while (*p && *p != ';') {
		if (ascii_digit(*p)) {
			p = put_digits(r, p);
			continue;
		}
		if (*p == '\\')
			put_char(r, *++p);
		else if (*p == '?')
			put_char(r, (char)('0' + number_below(&r->random, 10)));
		else if (*p == '*')
			put_rest(r);
		else if (*p != '$')
			put_char(r, *p);
		else if (r->len < r->number.len)
			put_char(r, r->number.p[r->len]);
		p++;
	}
}

int dial_apply(const struct dial_rule *rule, struct span number, uint64_t random,
	       char dst[NUMBER_TEXT])
{
	size_t fixed = (size_t)rule->form.head + rule->form.tail;
	struct rewriting r = { .number = number, .random = random, .dst = dst };
	uint64_t which;

	assert(number.len >= fixed);
	r.rest = (struct span){ number.p ? number.p + rule->form.head : NULL, number.len - fixed };
	which = rule->n_targets > 1 ? number_below(&r.random, rule->n_targets) : 0;
	put_target(&r, rule->text + rule->targets[which]);
	if (!rule->star && !r.rest_used)
		put_rest(&r);
	if (r.too_long)
		r.len = 0;
	dst[r.len] = '\0';
	return r.too_long ? -EMSGSIZE : (int)r.len;
}
