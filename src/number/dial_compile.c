/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiling dial rules: each text is read once, character by character; what is wrong is told with the rule,
 * the place and the remedy. Then the rules are chained by source and indexed (dial.c says how). */
#include "number/number_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct compiling {
	struct arena *arena;
	struct dial_rules *rules;
	struct dial_fault *fault;
	unsigned text; /* number of the text being read */
	struct span rule; /* being read */
};

/* `at`: where in the rule, from 0. */
static int wrong(struct compiling *c, size_t at, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int wrong(struct compiling *c, size_t at, const char *remedy, const char *format, ...)
{
	struct dial_fault *f = c->fault;
	int n = snprintf(f->what, sizeof(f->what),
			 "rule %u `%.*s%s`, at character %zu: ", c->rules->n + 1,
			 SPAN_ARG(span_head(c->rule, 40)), c->rule.len > 40 ? "..." : "", at + 1);
	va_list ap;

	va_start(ap, format);
	vsnprintf(f->what + n, sizeof(f->what) - (size_t)n, format, ap);
	va_end(ap);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
	f->text = c->text;
	return -EINVAL;
}

static bool is_plain(char c)
{
	return ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '#' ||
	       c == '+' || c == '.' || c == '_';
}

static int wrong_char(struct compiling *c, size_t at)
{
	unsigned char byte = (unsigned char)c->rule.p[at];

	if (byte > 0x20 && byte < 0x7f)
		return wrong(c, at, "write a backslash before it if a number holds it",
			     "`%c` has no meaning here", byte);
	return wrong(c, at, "use printable ASCII characters without blanks",
		     "byte %u cannot stand in a number", byte);
}

/* The character at `at`, which a backslash may precede, into *out; *at moves to its last byte. */
static int read_char(struct compiling *c, size_t *at, char *out)
{
	char byte = c->rule.p[*at];

	if (byte == '\\') {
		if (*at + 1 >= c->rule.len)
			return wrong(c, *at, "write two for a backslash itself",
				     "nothing follows the backslash");
		byte = c->rule.p[++*at];
		if (byte <= 0x20 || byte >= 0x7f)
			return wrong_char(c, *at);
	} else if (!is_plain(byte)) {
		return wrong_char(c, *at);
	}
	*out = byte;
	return 0;
}

/* ---- sources -------------------------------------------------------------------------------- */

/* A source while it is read. */
struct source {
	char head[DIAL_SOURCE_MAX], tail[DIAL_SOURCE_MAX];
};

static int add_source_char(struct compiling *c, struct dial_rule *rule, struct source *source,
			   size_t at, char byte, bool any)
{
	uint8_t *len = rule->star ? &rule->form.tail : &rule->form.head;

	if (*len == DIAL_SOURCE_MAX)
		return wrong(c, at, "shorten the source", "more than %d characters %s the `*`",
			     DIAL_SOURCE_MAX, rule->star ? "after" : "before");
	if (any)
		*(rule->star ? &rule->form.tail_any : &rule->form.head_any) |= 1u << *len;
	(rule->star ? source->tail : source->head)[(*len)++] = byte;
	return 0;
}

static bool is_condition(char c)
{
	return c == 'L' || c == 'E' || c == 'G' || c == 'F';
}

/* "E11": E equal, L less, G greater, F other than so many characters. *at moves to the last digit. */
static int read_condition(struct compiling *c, struct dial_rule *rule, size_t *at, size_t end)
{
	char kind = c->rule.p[*at];
	size_t start = *at, digits = start + 1;
	uint64_t n = 0, fits;

	while (digits < end && ascii_digit(c->rule.p[digits]))
		digits++;
	if (span_to_u64((struct span){ c->rule.p + start + 1, digits - start - 1 }, &n))
		return wrong(c, start,
			     "write E11 for numbers of 11 characters, a backslash before a letter "
			     "that is meant itself",
			     "`%c` begins a condition on the length, and no length follows", kind);
	if (n > 62)
		return wrong(c, start, "write a length from 0 to 62",
			     "%" PRIu64 " is no length of numbers", n);
	fits = 1ull << n;
	if (kind == 'L')
		fits -= 1;
	else if (kind == 'G')
		fits = ~((fits << 1) - 1);
	else if (kind == 'F')
		fits = ~fits;
	rule->lengths &= fits;
	*at = digits - 1;
	return 0;
}

static int read_source(struct compiling *c, struct dial_rule *rule, struct source *source,
		       size_t end)
{
	bool conditions = false;
	int err = 0;

	for (size_t at = 0; at < end && !err; at++) {
		char byte = c->rule.p[at];

		if (is_condition(byte)) {
			conditions = true;
			err = read_condition(c, rule, &at, end);
		} else if (conditions) {
			err = wrong(c, at, "write conditions on the length last",
				    "`%c` stands behind a condition on the length", byte);
		} else if (byte == '*' && rule->star) {
			err = wrong(c, at,
				    "write one `*`; a backslash before a star that is meant itself",
				    "the source has two `*`");
		} else if (byte == '*') {
			rule->star = true;
		} else if (byte == '?') {
			err = add_source_char(c, rule, source, at, '\0', true);
		} else if (byte == '-') {
			err = add_source_char(c, rule, source, at, byte, false);
		} else {
			size_t first = at;

			err = read_char(c, &at, &byte);
			if (!err)
				err = add_source_char(c, rule, source, first, byte, false);
		}
	}
	if (!err && rule->lengths == 0)
		err = wrong(c, 0, "correct the lengths",
			    "no number fulfils all conditions on its length");
	return err;
}

/* ---- targets ---------------------------------------------------------------------------------- */

/* Digits, and if a hyphen follows a second number, not below the first. *at moves to the last. */
static int read_digits(struct compiling *c, size_t *at)
{
	static const char remedy[] = "write first-last, such as 8008100-8008121";
	struct span rest = span_skip(c->rule, *at), from, to;
	uint64_t least, most;
	size_t n = 0;

	while (n < rest.len && ascii_digit(rest.p[n]))
		n++;
	from = span_head(rest, n);
	if (n == rest.len || rest.p[n] != '-') {
		*at += n - 1;
		return 0;
	}
	rest = span_skip(rest, n + 1);
	for (n = 0; n < rest.len && ascii_digit(rest.p[n]);)
		n++;
	to = span_head(rest, n);
	if (!to.len)
		return wrong(c, *at + from.len, remedy, "the range has no end");
	if (from.len > 18 || to.len > 18)
		return wrong(c, *at, "write digits that do not change before the range",
			     "a range may have 18 digits");
	if (span_to_u64(from, &least) || span_to_u64(to, &most) || most < least ||
	    to.len < from.len)
		return wrong(c, *at, remedy, "the range %.*s-%.*s runs backwards", SPAN_ARG(from),
			     SPAN_ARG(to));
	*at += from.len + to.len;
	return 0;
}

static int read_target_char(struct compiling *c, size_t *at)
{
	char byte = c->rule.p[*at];

	if (byte == '?' || byte == '$' || byte == '*')
		return 0;
	if (ascii_digit(byte))
		return read_digits(c, at);
	return read_char(c, at, &byte);
}

static int count_target(struct compiling *c, size_t start, size_t end)
{
	if (end - start > DIAL_TARGET_MAX)
		return wrong(c, start, "shorten it", "a target has more than %d characters",
			     DIAL_TARGET_MAX);
	return 0;
}

/* Where targets begin goes to `starts` if given; returns their number or what is wrong. */
static int read_targets(struct compiling *c, size_t start, uint32_t *starts)
{
	int n = 0, err;

	for (size_t at = start; at <= c->rule.len; at++) {
		bool ends = at == c->rule.len || c->rule.p[at] == ';';

		if (!ends) {
			err = read_target_char(c, &at);
			if (err)
				return err;
			continue;
		}
		err = count_target(c, start, at);
		if (err)
			return err;
		if (starts)
			starts[n] = (uint32_t)start;
		start = at + 1;
		n++;
	}
	return n;
}

/* ---- rules -------------------------------------------------------------------------------------- */

static size_t find_colon(struct span rule)
{
	for (size_t i = 0; i < rule.len; i++) {
		if (rule.p[i] == ':')
			return i;
		i += rule.p[i] == '\\';
	}
	return rule.len;
}

static int keep_rule(struct compiling *c, struct dial_rule *rule, const struct source *source,
		     size_t targets, unsigned n)
{
	rule->n_targets = n;
	rule->text = arena_dup(c->arena, c->rule);
	rule->source = arena_alloc(c->arena, (size_t)rule->form.head + rule->form.tail + 1);
	rule->targets = arena_alloc(c->arena, n * sizeof(*rule->targets));
	if (!rule->text || !rule->source || !rule->targets)
		return -ENOMEM;
	memcpy(rule->source, source->head, rule->form.head);
	memcpy(rule->source + rule->form.head, source->tail, rule->form.tail);
	read_targets(c, targets, rule->targets);
	c->rules->rules[c->rules->n++] = *rule;
	return 0;
}

static int read_rule(struct compiling *c)
{
	struct dial_rule rule = { .lengths = UINT64_MAX };
	struct source source = { .head = { 0 } };
	size_t colon = find_colon(c->rule);
	int n;

	if (colon == c->rule.len)
		return wrong(c, 0, "write source:target", "it has no `:`");
	n = read_source(c, &rule, &source, colon);
	if (n == 0)
		n = read_targets(c, colon + 1, NULL);
	return n < 0 ? n : keep_rule(c, &rule, &source, colon + 1, (unsigned)n);
}

/* Call `each` for the rules of a text; commas and line ends separate them, empty ones do not count. */
static int each_rule(struct compiling *c, struct span text, int (*each)(struct compiling *c))
{
	size_t start = 0;

	for (size_t i = 0; i <= text.len; i++) {
		int err;

		if (i < text.len && text.p[i] != ',' && text.p[i] != '\n')
			continue;
		c->rule = span_trim((struct span){ text.p + start, i - start });
		start = i + 1;
		err = c->rule.len ? each(c) : 0;
		if (err < 0)
			return err;
	}
	return 0;
}

static int count_rule(struct compiling *c)
{
	c->rules->n++;
	return 0;
}

static int each_text(struct compiling *c, const struct span *texts, unsigned n,
		     int (*each)(struct compiling *c))
{
	int err = 0;

	for (c->text = 0; c->text < n && !err; c->text++)
		err = texts[c->text].len ? each_rule(c, texts[c->text], each) : 0;
	return err;
}

/* ---- the index ---------------------------------------------------------------------------------- */

static int too_many(struct compiling *c, const struct dial_rule *rule, const char *remedy,
		    const char *what, int limit)
{
	snprintf(c->fault->what, sizeof(c->fault->what), "rule %u `%.40s`: more than %d %s",
		 (unsigned)(rule - c->rules->rules) + 1, rule->text, limit, what);
	snprintf(c->fault->remedy, sizeof(c->fault->remedy), "%s", remedy);
	c->fault->text = 0;
	return -EINVAL;
}

/* Into the chain of its source: narrower conditions first, then as written. */
static int chain(struct compiling *c, uint32_t *at, uint32_t number)
{
	struct dial_rule *rules = c->rules->rules, *rule = &rules[number - 1];
	int width = __builtin_popcountll(rule->lengths), before = 0, behind = 0;

	for (; *at; at = &rules[*at - 1].next, before++)
		if (width < __builtin_popcountll(rules[*at - 1].lengths))
			break;
	for (uint32_t next = *at; next; next = rules[next - 1].next)
		behind++;
	rule->next = *at;
	*at = number;
	if (before + behind < DIAL_SAME_MAX)
		return 0;
	return too_many(c, rule, "put the targets into one rule, separated by `;`",
			"rules have this source", DIAL_SAME_MAX);
}

static int add_form(struct compiling *c, const struct dial_rule *rule)
{
	struct dial_rules *r = c->rules;
	unsigned at;

	for (at = 0; at < r->n_forms; at++) {
		int order = dial_form_compare(&rule->form, &r->forms[at]);

		if (order == 0)
			return 0;
		if (order < 0)
			break;
	}
	if (r->n_forms == DIAL_FORMS_MAX)
		return too_many(c, rule, "use fewer combinations of `?` and `*`",
				"different forms of sources", DIAL_FORMS_MAX);
	memmove(&r->forms[at + 1], &r->forms[at], (r->n_forms - at) * sizeof(*r->forms));
	r->forms[at] = rule->form;
	r->n_forms++;
	return 0;
}

static int index_rules(struct compiling *c)
{
	struct dial_rules *r = c->rules;
	uint32_t size = 4;
	int err = 0;

	while (size < r->n * 2)
		size *= 2;
	r->mask = size - 1;
	r->slots = arena_alloc(c->arena, size * sizeof(*r->slots));
	r->forms = arena_alloc(c->arena, DIAL_FORMS_MAX * sizeof(*r->forms));
	if (!r->slots || !r->forms)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n && !err; i++) {
		struct dial_rule *rule = &r->rules[i];

		err = add_form(c, rule);
		if (!err)
			err = chain(c,
				    dial_slot(r, &rule->form, rule->source,
					      rule->source + rule->form.head),
				    i + 1);
	}
	return err;
}

int dial_compile(struct dial_rules **rules_out, struct arena *arena, const struct span *texts,
		 unsigned n, struct dial_fault *fault)
{
	struct dial_rules *rules = arena_alloc(arena, sizeof(*rules));
	struct compiling c = { .arena = arena, .rules = rules, .fault = fault };
	int err;

	if (!rules)
		return -ENOMEM;
	each_text(&c, texts, n, count_rule);
	if (rules->n > DIAL_RULES_MAX) {
		snprintf(fault->what, sizeof(fault->what), "%u rules, the limit is %d", rules->n,
			 DIAL_RULES_MAX);
		snprintf(fault->remedy, sizeof(fault->remedy), "keep fewer");
		fault->text = 0;
		return -EINVAL;
	}
	rules->rules = arena_alloc(arena, (rules->n + 1) * sizeof(*rules->rules));
	if (!rules->rules)
		return -ENOMEM;
	rules->n = 0;
	err = each_text(&c, texts, n, read_rule);
	if (!err)
		err = index_rules(&c);
	if (!err)
		*rules_out = rules;
	return err;
}

unsigned dial_count(const struct dial_rules *rules)
{
	return rules->n;
}

const struct dial_rule *dial_at(const struct dial_rules *rules, unsigned i)
{
	assert(i < rules->n);
	return &rules->rules[i];
}

const char *dial_text(const struct dial_rule *rule)
{
	return rule->text;
}
