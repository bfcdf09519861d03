/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dial rules: the manual's examples, what is refused, and random rules against a matcher that reads
 * each rule's text anew and knows no index. */
#include "number/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct dial_rules *compile(struct arena *arena, const char *text)
{
	struct span one = span_of(text);
	struct dial_rules *rules = NULL;
	struct dial_fault fault;

	if (dial_compile(&rules, arena, &one, 1, &fault))
		fail_msg("%s (%s)", fault.what, fault.remedy);
	return rules;
}

static const char *apply(const struct dial_rules *rules, const char *number, char dst[NUMBER_TEXT])
{
	const struct dial_rule *rule = dial_find(rules, span_of(number));

	if (!rule)
		return number;
	return dial_apply(rule, span_of(number), 1, dst) < 0 ? "too long" : dst;
}

/* The table of docs/dial-rules.md. */
static void test_examples(void **state)
{
	static const struct {
		const char *rules, *number, *result;
	} cases[] = {
		{ "*:a*", "4930123", "a4930123" },
		{ "0134:$$$", "0134131", "013131" },
		{ "0:49", "030123", "4930123" },
		{ "0:49", "4930123", "4930123" },
		{ "00:,0:49", "00441234", "441234" },
		{ "00:,0:49", "030123", "4930123" },
		{ "*:4930555000", "017212345", "4930555000" },
		{ "0*:49*", "030123", "4930123" },
		{ "0*:49", "030123", "49" },
		{ "0:*#", "030123", "30123#" },
		{ "025E11:0*", "02512345678", "012345678" },
		{ "025E11:0*", "0251234567", "0251234567" },
		{ "1G4:0*,1E4:9*", "1234", "9234" },
		{ "1G4:0*,1E4:9*", "12345", "02345" },
		{ "1L4:8,1F3:7", "123", "823" },
		{ "1L4:8,1F3:7", "12", "82" },
		{ "1L4:8,1F3:7", "12345", "72345" },
		{ "*99:*", "12399", "123" },
		{ "1?3:x", "1234", "x4" },
		{ "1?3:x,12:y", "1234", "x4" },
		{ "1?3:x,123:y", "1234", "y4" },
		{ "*:$$$", "12345", "123" },
		{ "*:00$$", "12345", "0034" },
		{ "*:$$$$$$$$", "123", "123" },
		{ "\\*21:\\*31", "*21100", "*31100" },
		{ "\\E1:e", "E123", "e23" },
		{ ":00", "49", "0049" },
		{ "1:2,1:3", "15", "25" },
		{ "0134:", "0134", "" },
		{ " 1:2 ,\n 3:4\n", "35", "45" },
		{ "*:7-7", "1", "7" },
		{ "*:a010-010b*", "1", "a010b1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new(1024);
		char dst[NUMBER_TEXT];
		const char *got = apply(compile(arena, cases[i].rules), cases[i].number, dst);

		if (strcmp(got, cases[i].result) != 0)
			fail_msg("%s of %s: %s, not %s", cases[i].rules, cases[i].number, got,
				 cases[i].result);
		arena_free(&arena);
	}
}

static void test_faults(void **state)
{
	static const struct {
		const char *rules, *what;
	} cases[] = {
		{ "1:2,34", "rule 2 `34`, at character 1: it has no `:`" },
		{ "1*2*:3", "rule 1 `1*2*:3`, at character 4: the source has two `*`" },
		{ "1E:3",
		  "rule 1 `1E:3`, at character 2: `E` begins a condition on the length, and no "
		  "length follows" },
		{ "1E63:3", "rule 1 `1E63:3`, at character 2: 63 is no length of numbers" },
		{ "E1E2:3",
		  "rule 1 `E1E2:3`, at character 1: no number fulfils all conditions on its "
		  "length" },
		{ "E12:1,E3x:3",
		  "rule 2 `E3x:3`, at character 3: `x` stands behind a condition on the "
		  "length" },
		{ "1:9-3", "rule 1 `1:9-3`, at character 3: the range 9-3 runs backwards" },
		{ "1:3-", "rule 1 `1:3-`, at character 4: the range has no end" },
		{ "1:1234567890123456789-2",
		  "rule 1 `1:1234567890123456789-2`, at character 3: a range "
		  "may have 18 digits" },
		{ "1:-3", "rule 1 `1:-3`, at character 3: `-` has no meaning here" },
		{ "1:2 3", "rule 1 `1:2 3`, at character 4: byte 32 cannot stand in a number" },
		{ "1:2:3", "rule 1 `1:2:3`, at character 4: `:` has no meaning here" },
		{ "1:2\\", "rule 1 `1:2\\`, at character 4: nothing follows the backslash" },
		{ "1;2:3", "rule 1 `1;2:3`, at character 2: `;` has no meaning here" },
		{ "123456789012345678901234567890123:1",
		  "rule 1 `123456789012345678901234567890123:1`, at character 33: more than 32 "
		  "characters before the `*`" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new(1024);
		struct span text = span_of(cases[i].rules);
		struct dial_rules *rules = NULL;
		struct dial_fault fault = { .what = "" };

		assert_int_equal(dial_compile(&rules, arena, &text, 1, &fault), -EINVAL);
		assert_string_equal(fault.what, cases[i].what);
		assert_true(fault.remedy[0] != '\0');
		assert_null(rules);
		arena_free(&arena);
	}
}

static void test_limits(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	struct arena *arena = arena_new(1024);
	struct dial_rules *rules = NULL;
	struct dial_fault fault;
	struct span span;

	for (unsigned i = 0; i <= DIAL_SAME_MAX; i++)
		buf_addf(&text, "12:%u,", i);
	span = buf_span(&text);
	assert_int_equal(dial_compile(&rules, arena, &span, 1, &fault), -EINVAL);
	assert_string_equal(fault.what, "rule 65 `12:64`: more than 64 rules have this source");
	buf_reset(&text);
	for (unsigned i = 0; i <= DIAL_FORMS_MAX; i++) {
		for (unsigned bit = 0; bit < 8; bit++)
			buf_add_char(&text, i >> bit & 1 ? '?' : '1');
		buf_add_str(&text, ":2\n");
	}
	span = buf_span(&text);
	assert_int_equal(dial_compile(&rules, arena, &span, 1, &fault), -EINVAL);
	assert_string_equal(fault.what,
			    "rule 129 `1111111?:2`: more than 128 different forms of sources");
	buf_free(&text);
	arena_free(&arena);
}

static void test_too_long(void **state)
{
	struct arena *arena = arena_new(1024);
	char number[NUMBER_TEXT], dst[NUMBER_TEXT];
	const struct dial_rules *rules = compile(arena, "*:1*");
	const struct dial_rule *rule;

	memset(number, '5', sizeof(number));
	number[NUMBER_TEXT - 1] = '\0';
	rule = dial_find(rules, span_of(number));
	assert_int_equal(dial_apply(rule, span_of(number), 0, dst), -EMSGSIZE);
	assert_string_equal(dst, "");
	number[NUMBER_TEXT - 2] = '\0';
	assert_int_equal(dial_apply(rule, span_of(number), 0, dst), NUMBER_TEXT - 1);
	arena_free(&arena);
}

/* Every choice is made, none beyond, and the same randomness makes the same one. */
static void test_chance(void **state)
{
	struct arena *arena = arena_new(1024);
	const struct dial_rules *rules = compile(arena, "*:a;b;1?;098-103");
	unsigned seen[200] = { 0 }, letters[2] = { 0 };
	char dst[NUMBER_TEXT], again[NUMBER_TEXT];
	const struct dial_rule *rule = dial_find(rules, SPAN("5"));

	for (uint64_t i = 0; i < 4000; i++) {
		uint32_t value;

		assert_true(dial_apply(rule, SPAN("5"), i, dst) > 0);
		dial_apply(rule, SPAN("5"), i, again);
		assert_string_equal(dst, again);
		if (dst[0] == 'a' || dst[0] == 'b')
			letters[dst[0] - 'a']++;
		else if (span_to_u32(span_of(dst), &value) == 0 && value < ARRAY_SIZE(seen))
			seen[value]++;
		else
			fail_msg("%s", dst);
		assert_true(dst[0] != '0' || strlen(dst) == 3); /* as wide as the range's first */
	}
	assert_true(letters[0] > 800 && letters[1] > 800);
	for (unsigned i = 0; i < ARRAY_SIZE(seen); i++)
		assert_int_equal(seen[i] != 0, (i >= 10 && i <= 19) || (i >= 98 && i <= 103));
	arena_free(&arena);
}

/* ---- against a naive matcher ---------------------------------------------------------------- */

struct naive {
	char head[80], tail[80]; /* '?' stays */
	bool star;
	unsigned n_lengths;
	bool lengths[64];
	const char *target;
};

static struct naive naive_read(const char *text)
{
	struct naive n = { .n_lengths = 0 };
	char *part = n.head;

	for (unsigned i = 0; i < 64; i++)
		n.lengths[i] = true;
	for (; *text != ':'; text++) {
		if (*text == '*') {
			n.star = true;
			part = n.tail;
		} else if (strchr("LEGF", *text)) {
			char kind = *text;
			unsigned len = (unsigned)(*++text - '0');

			for (unsigned i = 0; i < 64; i++)
				n.lengths[i] &= kind == 'L'   ? i < len
						: kind == 'E' ? i == len
						: kind == 'G' ? i > len
							      : i != len;
		} else {
			part[strlen(part)] = *text;
		}
	}
	for (unsigned i = 0; i < 64; i++)
		n.n_lengths += n.lengths[i];
	n.target = text + 1;
	return n;
}

static bool naive_part(const char *part, const char *number)
{
	for (; *part; part++, number++)
		if (*part != '?' && *part != *number)
			return false;
	return true;
}

static bool naive_matches(const struct naive *n, const char *number)
{
	size_t len = strlen(number);

	return n->lengths[len] && len >= strlen(n->head) + strlen(n->tail) &&
	       naive_part(n->head, number) && naive_part(n->tail, number + len - strlen(n->tail));
}

static unsigned count_any(const struct naive *n)
{
	unsigned any = 0;

	for (const char *p = n->head; *p; p++)
		any += *p == '?';
	for (const char *p = n->tail; *p; p++)
		any += *p == '?';
	return any;
}

/* As docs/dial-rules.md tells it; `a` was written before `b`. */
static bool naive_beats(const struct naive *b, const struct naive *a)
{
	size_t len_a = strlen(a->head) + strlen(a->tail), len_b = strlen(b->head) + strlen(b->tail);

	if (len_a != len_b)
		return len_b > len_a;
	if (count_any(a) != count_any(b))
		return count_any(b) < count_any(a);
	if (strlen(a->head) != strlen(b->head))
		return strlen(b->head) > strlen(a->head);
	for (size_t i = 0; i < strlen(a->head); i++)
		if ((a->head[i] == '?') != (b->head[i] == '?'))
			return a->head[i] == '?';
	for (size_t i = 0; i < strlen(a->tail); i++)
		if ((a->tail[i] == '?') != (b->tail[i] == '?'))
			return a->tail[i] == '?';
	return b->n_lengths < a->n_lengths;
}

static void naive_apply(const struct naive *n, const char *number, char *dst)
{
	size_t len = 0, rest = strlen(number) - strlen(n->head) - strlen(n->tail);
	bool used = false;

	for (const char *p = n->target; *p; p++) {
		if (*p == '*') {
			memcpy(dst + len, number + strlen(n->head), rest);
			len += rest;
			used = true;
		} else if (*p != '$') {
			dst[len++] = *p;
		} else if (len < strlen(number)) {
			dst[len] = number[len];
			len++;
		}
	}
	if (!n->star && !used) {
		memcpy(dst + len, number + strlen(n->head), rest);
		len += rest;
	}
	dst[len] = '\0';
}

static void random_text(char *dst, unsigned most, const char *alphabet)
{
	unsigned len = rng_below(most + 1);

	for (unsigned i = 0; i < len; i++)
		dst[i] = alphabet[rng_below((uint32_t)strlen(alphabet))];
	dst[len] = '\0';
}

static void random_rule(char *dst, size_t size)
{
	char head[8], tail[8], target[8], condition[8] = "";

	random_text(head, 4, "01?");
	random_text(tail, 2, "01?");
	random_text(target, 5, "01$*a");
	if (rng_below(3) == 0)
		snprintf(condition, sizeof(condition), "%c%u", "LEGF"[rng_below(4)],
			 1 + rng_below(8));
	snprintf(dst, size, "%s%s%s:%s", head, rng_below(2) ? "" : "*", condition, target);
	if (rng_below(4) == 0)
		snprintf(dst, size, "%s*%s%s:%s", head, tail, condition, target);
}

#define RULES 40
#define ROUNDS 300
#define NUMBERS 60

static void test_naive(void **state)
{
	static char texts[RULES][64];
	struct span spans[RULES];
	struct naive naive[RULES];

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct arena *arena = arena_new(4096);
		unsigned n = 1 + rng_below(RULES);
		struct dial_rules *rules = NULL;
		struct dial_fault fault;

		for (unsigned i = 0; i < n; i++) {
			random_rule(texts[i], sizeof(texts[i]));
			spans[i] = span_of(texts[i]);
			naive[i] = naive_read(texts[i]);
		}
		if (dial_compile(&rules, arena, spans, n, &fault))
			fail_msg("%s", fault.what);
		assert_int_equal(dial_count(rules), n);
		for (unsigned j = 0; j < NUMBERS; j++) {
			char number[16], want[NUMBER_TEXT], got[NUMBER_TEXT];
			const struct dial_rule *found;
			int best = -1;

			random_text(number, 9, "012");
			for (unsigned i = 0; i < n; i++)
				if (naive_matches(&naive[i], number) &&
				    (best < 0 || naive_beats(&naive[i], &naive[best])))
					best = (int)i;
			found = dial_find(rules, span_of(number));
			if (best < 0) {
				assert_null(found);
				continue;
			}
			assert_non_null(found);
			assert_string_equal(dial_text(found), texts[best]);
			assert_ptr_equal(found, dial_at(rules, (unsigned)best));
			naive_apply(&naive[best], number, want);
			assert_int_equal(dial_apply(found, span_of(number), 0, got), strlen(want));
			assert_string_equal(got, want);
		}
		arena_free(&arena);
	}
}

/* ---- sets ------------------------------------------------------------------------------------- */

static void test_set(void **state)
{
	static char texts[400][8];
	struct span spans[400];

	for (unsigned round = 0; round < 50; round++) {
		struct arena *arena = arena_new(4096);
		unsigned n = rng_below(400);
		struct number_set *set = NULL;

		for (unsigned i = 0; i < n; i++) {
			random_text(texts[i], 5, "012");
			spans[i] = span_of(texts[i]);
		}
		assert_int_equal(number_set_build(&set, arena, spans, n), 0);
		for (unsigned j = 0; j < 200; j++) {
			char number[12];
			int64_t found, longest = -1;
			bool listed = false;

			random_text(number, 8, "012");
			for (unsigned i = 0; i < n; i++) {
				listed |= strcmp(texts[i], number) == 0;
				if (strncmp(texts[i], number, strlen(texts[i])) == 0 &&
				    (int64_t)strlen(texts[i]) > longest)
					longest = (int64_t)strlen(texts[i]);
			}
			found = number_set_find(set, span_of(number));
			assert_int_equal(found >= 0, listed);
			if (listed)
				assert_string_equal(number_set_at(set, (unsigned)found).p, number);
			found = number_set_find_prefix(set, span_of(number));
			assert_int_equal(
				found < 0 ? -1 : (int64_t)number_set_at(set, (unsigned)found).len,
				longest);
		}
		arena_free(&arena);
	}
}

static void test_set_order(void **state)
{
	struct arena *arena = arena_new(1024);
	const struct span texts[] = { SPAN("3"), SPAN("1"), SPAN("3"), SPAN("22") };
	struct number_set *set = NULL;
	char longer[NUMBER_TEXT];

	assert_int_equal(number_set_build(&set, arena, texts, 4), 0);
	assert_int_equal(number_set_count(set), 3);
	assert_string_equal(number_set_at(set, 0).p, "3");
	assert_string_equal(number_set_at(set, 2).p, "22");
	memset(longer, '2', sizeof(longer));
	assert_int_equal(number_set_find(set, (struct span){ longer, 100 }), -1);
	assert_int_equal(number_set_find_prefix(set, (struct span){ longer, 100 }), 2);
	assert_int_equal(number_set_find(set, SPAN_NONE), -1);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples), cmocka_unit_test(test_faults),
		cmocka_unit_test(test_limits),   cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_chance),   cmocka_unit_test(test_naive),
		cmocka_unit_test(test_set),      cmocka_unit_test(test_set_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
