/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of fields: one setter per type, with the words for what is wrong. What a setter is given comes
 * from a file or from the API and may be anything. */
#include "model/model_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* All that a setter may need. */
struct setting {
	struct build *b;
	enum kind kind;
	unsigned index;
	char *object;
	const struct model_field_info *f;
	const struct item *items;
	unsigned n;
	struct fault *fault;
};

static bool fault(const struct setting *s, unsigned item, const char *remedy, const char *format,
		  ...) __attribute__((format(printf, 4, 5)));

static bool fault(const struct setting *s, unsigned item, const char *remedy, const char *format,
		  ...)
{
	int len = snprintf(s->fault->text, sizeof(s->fault->text), "%s: ", s->f->name);
	va_list ap;

	va_start(ap, format);
	vsnprintf(s->fault->text + len, sizeof(s->fault->text) - (size_t)len, format, ap);
	va_end(ap);
	snprintf(s->fault->remedy, sizeof(s->fault->remedy), "%s", remedy);
	s->fault->item = item;
	return false;
}

static bool no_memory(const struct setting *s)
{
	s->b->no_memory = true;
	return fault(s, 0, "give the process more memory", "not enough memory");
}

#define SHOWN(s) SPAN_ARG(span_head((s), 60))

/* ---- text ------------------------------------------------------------------------------ */

static bool store_text(const struct setting *s, struct span text)
{
	const char *copy = arena_dup(s->b->m->arena, text);

	if (!copy)
		return no_memory(s);
	memcpy(s->object + s->f->offset, &copy, sizeof(copy));
	return true;
}

static bool length_fits(const struct setting *s, struct span text)
{
	char remedy[80];

	snprintf(remedy, sizeof(remedy), "write %" PRId64 " to %" PRId64 " bytes", s->f->least,
		 s->f->most);
	if ((int64_t)text.len < s->f->least)
		return fault(s, 0, remedy, "is empty");
	if ((int64_t)text.len > s->f->most)
		return fault(s, 0, remedy, "`%.*s...` has %zu bytes, the limit is %" PRId64,
			     SPAN_ARG(span_head(text, 24)), text.len, s->f->most);
	return true;
}

static bool set_name(const struct setting *s)
{
	struct span text = s->items[0].text;

	if (!length_fits(s, text))
		return false;
	if (!text_of(text, "._-@", true))
		return fault(s, 0, "use letters, digits, . _ - @ only",
			     "`%.*s` has a blank or another character not permitted in names",
			     SHOWN(text));
	return store_text(s, text);
}

static bool set_number(const struct setting *s)
{
	struct span text = s->items[0].text;

	if (!length_fits(s, text))
		return false;
	if (!text_of(text, "*#+._-", false))
		return fault(s, 0, "use digits, letters, * # + . _ - only", "`%.*s` is no number",
			     SHOWN(text));
	return store_text(s, text);
}

static bool set_text(const struct setting *s)
{
	struct span text = s->items[0].text;

	if (text.len == 0)
		return true;
	if (!length_fits(s, text))
		return false;
	if (!text_is_clean(text, s->f->type == FIELD_MEMO))
		return fault(s, 0, "write plain text in UTF-8",
			     "has a control character or is not UTF-8");
	return store_text(s, text);
}

static bool set_secret(const struct setting *s)
{
	if (span_eq(s->items[0].text, SPAN("***")))
		return fault(
			s, 0,
			"write the secret itself; exports show *** unless secrets were asked for",
			"`***` stands for a secret that was left out");
	return set_text(s);
}

/* ---- numbers ----------------------------------------------------------------------------- */

static bool set_bool(const struct setting *s)
{
	bool on;

	if (!bool_parse(s->items[0].text, &on))
		return fault(s, 0, "write true or false", "`%.*s` is neither true nor false",
			     SHOWN(s->items[0].text));
	memcpy(s->object + s->f->offset, &on, sizeof(on));
	return true;
}

static bool set_count(const struct setting *s)
{
	struct span text = s->items[0].text;
	char remedy[100];
	uint64_t value = 0;
	uint32_t stored;
	int err = span_to_u64(text, &value);

	snprintf(remedy, sizeof(remedy), "write a whole number from %" PRId64 " to %" PRId64,
		 s->f->least, s->f->most);
	if (err == -EINVAL)
		return fault(s, 0, remedy, "`%.*s` is no whole number", SHOWN(text));
	if (err || value > (uint64_t)s->f->most)
		return fault(s, 0, remedy, "%.*s is above the limit, %" PRId64, SHOWN(text),
			     s->f->most);
	if (value < (uint64_t)s->f->least)
		return fault(s, 0, remedy, "%.*s is below the limit, %" PRId64, SHOWN(text),
			     s->f->least);
	stored = (uint32_t)value;
	memcpy(s->object + s->f->offset, &stored, sizeof(stored));
	return true;
}

static bool set_duration(const struct setting *s)
{
	struct span text = s->items[0].text;
	char remedy[160], least[32], most[32];
	uint64_t value = 0;
	int err = duration_parse(text, &value);

	duration_format((uint64_t)s->f->least, least, sizeof(least));
	duration_format((uint64_t)s->f->most, most, sizeof(most));
	snprintf(remedy, sizeof(remedy), "write a duration from %s to %s, such as 10s, 500ms or 2m",
		 least, most);
	if (err == -EINVAL)
		return fault(s, 0, remedy, "`%.*s` is no duration", SHOWN(text));
	if (err || value > (uint64_t)s->f->most)
		return fault(s, 0, remedy, "%.*s is above the limit, %s", SHOWN(text), most);
	if (value < (uint64_t)s->f->least)
		return fault(s, 0, remedy, "%.*s is below the limit, %s", SHOWN(text), least);
	memcpy(s->object + s->f->offset, &value, sizeof(value));
	return true;
}

static bool set_money(const struct setting *s)
{
	struct span text = s->items[0].text;
	int64_t value;
	int err = money_parse(text, &value);

	if (err)
		return fault(s, 0, "write decimal money with at most 8 places, such as \"0.0120\"",
			     err == -ERANGE ? "`%.*s` is too large"
					    : "`%.*s` is no amount of money",
			     SHOWN(text));
	if (value < s->f->least)
		return fault(s, 0, "write 0 or more", "`%.*s` is below zero", SHOWN(text));
	memcpy(s->object + s->f->offset, &value, sizeof(value));
	return true;
}

bool clock_parse(struct span text, uint32_t *out)
{
	struct span parts[3] = { { 0 } };
	uint32_t value[3] = { 0 };
	unsigned n = 0;
	bool more = true;

	while (more && n < 3) {
		more = span_cut(text, ':', &parts[n], &text);
		if (parts[n].len != 2 || span_to_u32(parts[n], &value[n]))
			return false;
		n++;
	}
	*out = value[0] * 3600 + value[1] * 60 + value[2];
	return !more && n >= 2 && value[1] < 60 && value[2] < 60 && *out <= 86400;
}

static bool set_clock(const struct setting *s)
{
	uint32_t value;

	if (!clock_parse(s->items[0].text, &value))
		return fault(s, 0, "write 00:00 to 24:00, quoted, such as \"08:30\"",
			     "`%.*s` is no time of day", SHOWN(s->items[0].text));
	memcpy(s->object + s->f->offset, &value, sizeof(value));
	return true;
}

const char *const day_words[DAY_WORDS] = { "sun", "mon", "tue",  "wed",    "thu",
					   "fri", "sat", "work", "holiday" };

static unsigned day_find(struct span word)
{
	unsigned i = 0;

	while (i < DAY_WORDS && !span_ieq(word, span_of(day_words[i])))
		i++;
	return i;
}

/* "mon", "mon-fri", "fri-mon", "work". */
static bool days_parse(struct span text, uint32_t *out)
{
	struct span first, last;
	bool range = span_cut(text, '-', &first, &last);
	unsigned from = day_find(first), to = range ? day_find(last) : from;

	if (from == DAY_WORDS || to == DAY_WORDS || (range && (from > 6 || to > 6)))
		return false;
	for (unsigned day = from; day != to; day = (day + 1) % 7)
		*out |= 1u << day;
	*out |= 1u << to;
	return true;
}

static bool set_days(const struct setting *s)
{
	uint32_t days = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (!days_parse(s->items[i].text, &days))
			return fault(s, i, "write mon, tue ... sun, mon-fri, work or holiday",
				     "`%.*s` is no day", SHOWN(s->items[i].text));
	if (!days)
		return fault(s, 0, "name a day, or leave the key out for every day",
			     "no day is listed");
	memcpy(s->object + s->f->offset, &days, sizeof(days));
	return true;
}

/* ---- choices ------------------------------------------------------------------------------- */

/* What YAML and JSON call true and false are on and off, or all and none. */
static bool choice_is(struct span word, struct span text)
{
	bool on;

	if (span_ieq(word, text))
		return true;
	if (!bool_parse(text, &on))
		return false;
	return span_eq(word, on ? SPAN("on") : SPAN("off")) ||
	       span_eq(word, on ? SPAN("all") : SPAN("none"));
}

/* Which of "a|b|c" it is, or -1. */
static int choice_find(const char *choices, struct span text, const char **word_out)
{
	struct span rest = span_of(choices), word;
	bool more = true;

	for (int i = 0; more; i++) {
		more = span_cut(rest, '|', &word, &rest);
		if (choice_is(word, text)) {
			*word_out = word.p;
			return i;
		}
	}
	return -1;
}

static bool choice_fault(const struct setting *s, unsigned item)
{
	char remedy[120] = "write one of ";
	size_t len = strlen(remedy);

	for (const char *p = s->f->choices; *p && len + 3 < sizeof(remedy); p++) {
		if (*p == '|')
			remedy[len++] = ',';
		remedy[len++] = *p == '|' ? ' ' : *p;
	}
	remedy[len] = '\0';
	return fault(s, item, remedy, "`%.*s` is not known", SHOWN(s->items[item].text));
}

static bool set_choice(const struct setting *s)
{
	const char *word;
	int found = choice_find(s->f->choices, s->items[0].text, &word);

	if (found < 0)
		return choice_fault(s, 0);
	found += (int)s->f->least;
	memcpy(s->object + s->f->offset, &found, sizeof(found));
	return true;
}

/* A bit for each word. */
static bool set_flags(const struct setting *s)
{
	const char *word;
	int flags = 0;

	for (unsigned i = 0; i < s->n; i++) {
		int found = choice_find(s->f->choices, s->items[i].text, &word);

		if (found < 0)
			return choice_fault(s, i);
		flags |= 1 << found;
	}
	if (!flags)
		return fault(s, 0, "name one, or leave the key out", "none is listed");
	memcpy(s->object + s->f->offset, &flags, sizeof(flags));
	return true;
}

static bool set_word(const struct setting *s)
{
	const char *word;

	if (choice_find(s->f->choices, s->items[0].text, &word) < 0)
		return choice_fault(s, 0);
	return store_text(s, (struct span){ word, strcspn(word, "|") });
}

/* The address may name the transport too. */
static bool transport_agrees(const struct setting *s, int proto)
{
	struct model_routing *gw = (struct model_routing *)(void *)s->object;

	if (gw->proto >= 0 && gw->proto != proto)
		return fault(s, 0, "name the transport once",
			     "`address` and `transport` name different transports");
	gw->proto = proto;
	return true;
}

static bool set_transport(const struct setting *s)
{
	const char *word;
	int found = choice_find(s->f->choices, s->items[0].text, &word);

	return found < 0 ? choice_fault(s, 0) : transport_agrees(s, found);
}

/* ---- references ------------------------------------------------------------------------------ */

/* Item `i` names the object that the pointer is to be set to: the field's own, or the one at `at`. */
static bool refer(const struct setting *s, unsigned i, const void **at)
{
	const struct item *item = &s->items[i];
	struct reference ref = {
		.kind = s->kind,
		.to = (enum kind)s->f->of,
		.index = s->index,
		.line = item->line,
		.column = item->column,
		.offset = s->f->offset,
		.at = at,
		.name = arena_dup(s->b->m->arena, item->text),
		.field = s->f->name,
	};

	if (item->text.len == 0 || item->text.len > NAME_LEN_MAX ||
	    !text_is_clean(item->text, false))
		return fault(s, i, "name an object of this file", "`%.*s` cannot be a name",
			     SHOWN(item->text));
	if (!ref.name || !build_refer(s->b, &ref))
		return no_memory(s);
	return true;
}

static bool set_reference(const struct setting *s)
{
	return s->items[0].text.len == 0 || refer(s, 0, NULL);
}

static bool set_zone(const struct setting *s)
{
	const struct zone *zone;
	char why[160];

	if (s->items[0].text.len == 0)
		return true;
	zone = build_zone(s->b, s->items[0].text, why, sizeof(why));
	if (!zone)
		return fault(s, 0, "write a name such as Europe/Berlin or UTC", "%s", why);
	memcpy(s->object + s->f->offset, &zone, sizeof(zone));
	return true;
}

static bool set_moment(const struct setting *s)
{
	struct model_moment moment = { 0 };
	struct span text = s->items[0].text;

	if (text.len == 0)
		return true;
	if (!moment_parse(text, &moment))
		return fault(
			s, 0,
			"write 2026-12-31, \"2026-12-31 18:00\" or \"2026-12-31T18:00:00+01:00\"",
			"`%.*s` is no moment from 1970-01-02 on", SHOWN(text));
	moment.text = arena_dup(s->b->m->arena, text);
	if (!moment.text)
		return no_memory(s);
	memcpy(s->object + s->f->offset, &moment, sizeof(moment));
	return true;
}

/* ---- lists ------------------------------------------------------------------------------------- */

static bool prefix_is_good(const struct setting *s, unsigned i)
{
	struct span text = s->items[i].text;

	if (text.len > PREFIX_LEN_MAX)
		return fault(s, i, "write at most 32 characters",
			     "`%.*s` has %zu characters, the limit is %d", SHOWN(text), text.len,
			     PREFIX_LEN_MAX);
	if (!text_of(text, "*#+", false))
		return fault(s, i, "use digits, letters, * # + only; \"\" matches every number",
			     "`%.*s` is no prefix", SHOWN(text));
	return true;
}

static bool set_prefix(const struct setting *s)
{
	return prefix_is_good(s, 0) && store_text(s, s->items[0].text);
}

/* The field's array and its length. */
static bool store_list(const struct setting *s, const void *list, unsigned n)
{
	memcpy(s->object + s->f->offset, &list, sizeof(list));
	memcpy(s->object + s->f->count, &n, sizeof(n));
	return true;
}

static bool item_is_new(const struct setting *s, unsigned item)
{
	for (unsigned j = 0; j < item; j++)
		if (span_ieq(s->items[item].text, s->items[j].text))
			return fault(s, item, "name each once", "`%.*s` is listed twice",
				     SHOWN(s->items[item].text));
	return true;
}

static bool set_references(const struct setting *s)
{
	const void **list = arena_alloc(s->b->m->arena, sizeof(*list) * (s->n + 1));
	char remedy[60];

	snprintf(remedy, sizeof(remedy), "list %" PRId64 " at most", s->f->most);
	if (s->n > s->f->most)
		return fault(s, (unsigned)s->f->most, remedy,
			     "%u are listed, the limit is %" PRId64, s->n, s->f->most);
	if (!list)
		return no_memory(s);
	for (unsigned i = 0; i < s->n; i++)
		if (!item_is_new(s, i) || !refer(s, i, &list[i]))
			return false;
	return store_list(s, list, s->n);
}

bool date_parse(struct span text, int32_t *out)
{
	struct span year, month, day;
	uint32_t y, m, d;

	if (!span_cut(text, '-', &year, &text) || !span_cut(text, '-', &month, &day) ||
	    year.len != 4 || month.len != 2 || day.len != 2 || span_to_u32(year, &y) ||
	    span_to_u32(month, &m) || span_to_u32(day, &d) ||
	    !civil_is_date((int)y, (int)m, (int)d))
		return false;
	*out = civil_day((int)y, (int)m, (int)d);
	return true;
}

static int compare_dates(const void *a, const void *b)
{
	const int32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static bool set_dates(const struct setting *s)
{
	int32_t *dates = arena_alloc(s->b->m->arena, sizeof(*dates) * (s->n + 1));
	unsigned n = 0;

	if (!dates)
		return no_memory(s);
	for (unsigned i = 0; i < s->n; i++)
		if (!date_parse(s->items[i].text, &dates[i]))
			return fault(s, i, "write dates such as 2026-12-25", "`%.*s` is no date",
				     SHOWN(s->items[i].text));
	qsort(dates, s->n, sizeof(*dates), compare_dates);
	for (unsigned i = 0; i < s->n; i++)
		if (i == 0 || dates[i] != dates[i - 1])
			dates[n++] = dates[i];
	return store_list(s, dates, n);
}

static bool set_prefixes(const struct setting *s)
{
	const char **prefixes = arena_alloc(s->b->m->arena, sizeof(*prefixes) * (s->n + 1));

	if (!prefixes)
		return no_memory(s);
	for (unsigned i = 0; i < s->n; i++) {
		if (!prefix_is_good(s, i))
			return false;
		prefixes[i] = arena_dup(s->b->m->arena, s->items[i].text);
		if (!prefixes[i])
			return no_memory(s);
	}
	return store_list(s, prefixes, s->n);
}

/* Callers' numbers before the colon, called ones behind it. */
static bool pair_is_good(const struct setting *s, unsigned i, struct span *caller,
			 struct span *callee)
{
	struct span text = s->items[i].text;

	if (span_cut(text, ':', caller, callee) && caller->len + callee->len &&
	    caller->len <= PREFIX_LEN_MAX && callee->len <= PREFIX_LEN_MAX &&
	    text_of(*caller, "*#+", false) && text_of(*callee, "*#+", false))
		return true;
	return fault(s, i, "write caller:callee, such as 025:010, or 025: for every called number",
		     "`%.*s` is no pair of prefixes", SHOWN(text));
}

static bool set_pairs(const struct setting *s)
{
	struct model_pair *pairs = arena_alloc(s->b->m->arena, sizeof(*pairs) * (s->n + 1));
	struct span caller, callee;
	char remedy[60];

	snprintf(remedy, sizeof(remedy), "list %" PRId64 " at most", s->f->most);
	if (s->n > s->f->most)
		return fault(s, (unsigned)s->f->most, remedy,
			     "%u are listed, the limit is %" PRId64, s->n, s->f->most);
	if (!pairs)
		return no_memory(s);
	for (unsigned i = 0; i < s->n; i++) {
		if (!pair_is_good(s, i, &caller, &callee))
			return false;
		pairs[i].caller = arena_dup(s->b->m->arena, caller);
		pairs[i].callee = arena_dup(s->b->m->arena, callee);
		if (!pairs[i].caller || !pairs[i].callee)
			return no_memory(s);
	}
	return store_list(s, pairs, s->n);
}

/* A list of names that are kept as one text, "PCMA,PCMU", each once. */
static bool set_names(const struct setting *s,
		      bool (*is_good)(const struct setting *s, unsigned item))
{
	struct buf list = BUF_INIT(1024);
	bool good = true;

	for (unsigned i = 0; i < s->n && good; i++) {
		good = is_good(s, i) && item_is_new(s, i);
		if (i)
			buf_add_char(&list, ',');
		buf_add_span(&list, s->items[i].text);
	}
	if (good && list.failed)
		good = fault(s, s->n - 1, "list fewer", "the list is longer than 1024 bytes");
	if (good && s->n)
		good = store_text(s, buf_span(&list));
	buf_free(&list);
	return good;
}

static bool codec_is_good(const struct setting *s, unsigned item)
{
	struct span name = s->items[item].text;

	return (name.len > 0 && name.len <= 31 && text_of(name, ".-_", false)) ||
	       fault(s, item, "write names such as PCMA, PCMU, G729, opus",
		     "`%.*s` is no codec's name", SHOWN(name));
}

static bool set_codecs(const struct setting *s)
{
	return set_names(s, codec_is_good);
}

/* Two characters at least before the star: nobody passes everything by a slip. */
static bool header_is_good(const struct setting *s, unsigned item)
{
	struct span entry = s->items[item].text;
	bool wild = entry.len && entry.p[entry.len - 1] == '*';
	struct span name = span_head(entry, entry.len - wild);
	const char *never;

	if (!name.len || name.len > 63 || !text_of(name, "-_.", false) || (wild && name.len < 2))
		return fault(s, item,
			     "write names such as User-to-User, or X-* for all that begin with X-",
			     "`%.*s` is no header's name", SHOWN(entry));
	never = pass_entry_refused(entry);
	return !never ||
	       fault(s, item, "each side of a call has its own; identities pass by trust_identity",
		     "`%.*s` never passes (%s)", SHOWN(entry), never);
}

static bool set_headers(const struct setting *s)
{
	return set_names(s, header_is_good);
}

static bool line_is_good(const struct setting *s, unsigned item, struct span *name,
			 struct span *value)
{
	struct span line = s->items[item].text;
	const char *never;

	if (!span_cut(line, ':', name, value) || !name->len || name->len > 63 ||
	    !text_of(*name, "-_.", false) || !span_trim(*value).len ||
	    !text_is_clean(*value, false))
		return fault(s, item, "write a header and its value, such as \"X-Trunk: 42\"",
			     "`%.*s` is no header line", SHOWN(line));
	*value = span_trim(*value);
	never = model_header_refused(*name);
	return !never ||
	       fault(s, item, "the switch writes it itself, or it belongs to a side of the call",
		     "`%.*s` cannot be added (%s)", SHOWN(*name), never);
}

/* As they stand in a message. */
static bool set_lines(const struct setting *s)
{
	struct buf lines = BUF_INIT(1024);
	struct span name, value;
	bool good = true;

	for (unsigned i = 0; i < s->n && good; i++) {
		good = line_is_good(s, i, &name, &value);
		if (good)
			buf_addf(&lines, "%.*s: %.*s\r\n", SPAN_ARG(name), SPAN_ARG(value));
	}
	if (good && lines.failed)
		good = fault(s, s->n - 1, "list fewer", "the lines are longer than 1024 bytes");
	if (good && s->n)
		good = store_text(s, buf_span(&lines));
	buf_free(&lines);
	return good;
}

static bool code_is_good(const struct setting *s, unsigned item)
{
	struct span text = s->items[item].text;
	uint32_t first, last;

	return code_range_parse(text, &first, &last) ||
	       fault(s, item, "write SIP statuses from 300 to 699, such as 503 or 480-489",
		     "`%.*s` is neither a status nor a range of them", SHOWN(text));
}

static bool set_codes(const struct setting *s)
{
	return set_names(s, code_is_good);
}

static bool code_pair_is_good(const struct setting *s, unsigned item)
{
	struct span text = s->items[item].text;
	uint32_t from, to;

	return code_pair_parse(text, &from, &to) ||
	       fault(s, item,
		     "write received:sent, such as 404:503; 0 before the colon stands for all "
		     "others, 0 behind it leaves the status as it is",
		     "`%.*s` does not replace one SIP status by another of 400 or above",
		     SHOWN(text));
}

static bool set_code_map(const struct setting *s)
{
	return set_names(s, code_pair_is_good);
}

static bool set_addresses(const struct setting *s)
{
	struct model_address *list = arena_alloc(s->b->m->arena, sizeof(*list) * (s->n + 1));

	if (!list)
		return no_memory(s);
	for (unsigned i = 0; i < s->n; i++) {
		const char *wrong = address_parse(s->items[i].text, &list[i]);

		if (wrong)
			return fault(s, i,
				     "write 203.0.113.8, 203.0.113.8:5060, 203.0.113.0/24 or "
				     "[2001:db8::8]:5060",
				     "`%.*s`: %s", SHOWN(s->items[i].text), wrong);
		list[i].text = arena_dup(s->b->m->arena, s->items[i].text);
		if (!list[i].text)
			return no_memory(s);
	}
	return store_list(s, list, s->n);
}

static bool set_ranges(const struct setting *s)
{
	struct model_range *list = arena_alloc(s->b->m->arena, sizeof(*list) * (s->n + 1));

	if (!list)
		return no_memory(s);
	for (unsigned i = 0; i < s->n; i++) {
		const char *wrong = range_parse(s->items[i].text, &list[i]);

		if (wrong)
			return fault(s, i,
				     "write 203.0.113.8, 203.0.113.0/24, 192.0.2.1-192.0.2.9 or "
				     "2001:db8::/32",
				     "`%.*s`: %s", SHOWN(s->items[i].text), wrong);
		list[i].text = arena_dup(s->b->m->arena, s->items[i].text);
		if (!list[i].text)
			return no_memory(s);
	}
	return store_list(s, list, s->n);
}

static bool set_peer(const struct setting *s)
{
	struct model_routing *gw = (struct model_routing *)(void *)s->object;
	struct span host;
	uint16_t port;
	int proto;
	const char *wrong = peer_parse(s->items[0].text, &host, &port, &proto);

	if (wrong)
		return fault(s, 0,
			     "write 203.0.113.8:5060, [2001:db8::8]:5060 or a host name, with "
			     ";transport=tcp if need be",
			     "`%.*s`: %s", SHOWN(s->items[0].text), wrong);
	gw->port = port;
	return (proto < 0 || transport_agrees(s, proto)) && store_text(s, host);
}

/* ---- numbers' restrictions ---------------------------------------------------------------------- */

static bool number_is_good(const struct setting *s, unsigned i)
{
	struct span text = s->items[i].text;

	if (text.len == 0 || text.len > NUMBER_SET_LEN_MAX)
		return fault(s, i, "write 1 to 63 characters",
			     "`%.*s` has %zu characters, the limits are 1 and %d", SHOWN(text),
			     text.len, NUMBER_SET_LEN_MAX);
	return text_of(text, "*#+._-", false) ||
	       fault(s, i, "use digits, letters, * # + . _ - only", "`%.*s` is no number",
		     SHOWN(text));
}

static bool listed_is_good(const struct setting *s, unsigned i)
{
	return s->f->type == FIELD_NUMBERS ? number_is_good(s, i) : prefix_is_good(s, i);
}

bool item_is_good(const struct model_field_info *f, struct span text, struct fault *fault_out)
{
	const struct item item = { .text = text };
	const struct setting s = { .f = f, .items = &item, .n = 1, .fault = fault_out };

	return listed_is_good(&s, 0);
}

static bool set_numbers(const struct setting *s)
{
	struct span *texts = calloc(s->n + 1, sizeof(*texts));
	struct number_set *set = NULL;
	bool good = texts != NULL;

	if (!good)
		return no_memory(s);
	for (unsigned i = 0; i < s->n && good; i++) {
		good = listed_is_good(s, i);
		texts[i] = s->items[i].text;
	}
	if (good && s->n && number_set_build(&set, s->b->m->arena, texts, s->n))
		good = no_memory(s);
	free(texts);
	if (good)
		memcpy(s->object + s->f->offset, &set, sizeof(set));
	return good;
}

/* "7", "10-12". */
static bool lengths_of(struct span text, uint64_t *mask)
{
	struct span first, last;
	uint32_t from, to;

	if (!span_cut(text, '-', &first, &last))
		last = first;
	if (span_to_u32(span_trim(first), &from) || span_to_u32(span_trim(last), &to) ||
	    from > to || to > 62 || from == 0)
		return false;
	for (; from <= to; from++)
		*mask |= 1ull << from;
	return true;
}

static bool set_lengths(const struct setting *s)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (!lengths_of(s->items[i].text, &mask))
			return fault(s, i, "write lengths from 1 to 62, such as 7 or 10-12",
				     "`%.*s` is no length and no range of them",
				     SHOWN(s->items[i].text));
	memcpy(s->object + s->f->offset, &mask, sizeof(mask));
	return true;
}

static bool set_rules(const struct setting *s)
{
	struct span *texts = calloc(s->n + 1, sizeof(*texts));
	struct dial_rules *rules = NULL;
	struct dial_fault wrong;
	int err = -ENOMEM;

	for (unsigned i = 0; i < s->n && texts; i++)
		texts[i] = s->items[i].text;
	if (texts)
		err = dial_compile(&rules, s->b->m->arena, texts, s->n, &wrong);
	free(texts);
	if (err)
		return err == -ENOMEM ? no_memory(s)
				      : fault(s, wrong.text, wrong.remedy, "%s", wrong.what);
	if (dial_count(rules))
		memcpy(s->object + s->f->offset, &rules, sizeof(rules));
	return true;
}

/* ---- the table ----------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	bool (*set)(const struct setting *s);
	bool list;
} types[FIELD_TYPES] = {
	[FIELD_NAME] = { set_name },
	[FIELD_NUMBER] = { set_number },
	[FIELD_TEXT] = { set_text },
	[FIELD_MEMO] = { set_text },
	[FIELD_SECRET] = { set_secret },
	[FIELD_BOOL] = { set_bool },
	[FIELD_COUNT] = { set_count },
	[FIELD_DURATION] = { set_duration },
	[FIELD_MONEY] = { set_money },
	[FIELD_CHOICE] = { set_choice },
	[FIELD_WORD] = { set_word },
	[FIELD_TRANSPORT] = { set_transport },
	[FIELD_REFERENCE] = { set_reference },
	[FIELD_REFERENCES] = { set_references, true },
	[FIELD_CLOCK] = { set_clock },
	[FIELD_DAYS] = { set_days, true },
	[FIELD_MOMENT] = { set_moment },
	[FIELD_ZONE] = { set_zone },
	[FIELD_DATES] = { set_dates, true },
	[FIELD_PREFIX] = { set_prefix },
	[FIELD_PREFIXES] = { set_prefixes, true },
	[FIELD_CODECS] = { set_codecs, true },
	[FIELD_ADDRESSES] = { set_addresses, true },
	[FIELD_RANGES] = { set_ranges, true },
	[FIELD_PEER] = { set_peer },
	[FIELD_HEADERS] = { set_headers, true },
	[FIELD_LINES] = { set_lines, true },
	[FIELD_CODES] = { set_codes, true },
	[FIELD_CODE_MAP] = { set_code_map, true },
	[FIELD_NUMBERS] = { set_numbers, true },
	[FIELD_BEGINNINGS] = { set_numbers, true },
	[FIELD_LENGTHS] = { set_lengths, true },
	[FIELD_PAIRS] = { set_pairs, true },
	[FIELD_RULES] = { set_rules, true },
	[FIELD_FLAGS] = { set_flags, true },
};
/* clang-format on */

bool field_is_list(enum model_field_type type)
{
	return types[type].list;
}

bool field_set(struct build *b, enum kind kind, unsigned index, void *object,
	       const struct model_field_info *f, const struct item *items, unsigned n,
	       struct fault *fault_out)
{
	struct setting s = { b, kind, index, object, f, items, n, fault_out };

	assert(types[f->type].set); /* objects are read key by key */
	return types[f->type].set(&s);
}

static const char *const every_number[] = { "" };

void fields_default(struct build *b, enum kind kind, void *object)
{
	for (size_t i = 0; i < kinds[kind].n_fields; i++) {
		const struct model_field_info *f = &kinds[kind].fields[i];
		char *to = (char *)object + f->offset;
		int number = (int)f->unset;
		bool on = f->unset;

		if (f->type == FIELD_BOOL)
			memcpy(to, &on, sizeof(on));
		else if (f->type == FIELD_CHOICE || f->type == FIELD_COUNT ||
			 f->type == FIELD_TRANSPORT || f->type == FIELD_CLOCK ||
			 f->type == FIELD_DAYS)
			memcpy(to, &number, sizeof(number));
	}
	if (kind == KIND_ACCOUNT)
		((struct model_account *)object)->kind = "customer";
	if (kind == KIND_ROUTING) {
		((struct model_routing *)object)->prefixes = (const char **)(uintptr_t)every_number;
		((struct model_routing *)object)->n_prefixes = 1;
	}
}

bool field_is_unset(const struct model_field_info *f, const void *object)
{
	const char *from = (const char *)object + f->offset;
	const void *pointer;
	int64_t wide;
	int number;
	bool on;

	switch (f->type) {
	case FIELD_BOOL:
		memcpy(&on, from, sizeof(on));
		return on == (f->unset != 0);
	case FIELD_COUNT:
	case FIELD_CLOCK:
	case FIELD_DAYS:
	case FIELD_CHOICE:
	case FIELD_FLAGS:
	case FIELD_TRANSPORT:
		memcpy(&number, from, sizeof(number));
		return number == f->unset;
	case FIELD_DURATION:
	case FIELD_MONEY:
	case FIELD_LENGTHS:
		memcpy(&wide, from, sizeof(wide));
		return wide == f->unset;
	default:
		memcpy(&pointer, from, sizeof(pointer));
		return !pointer;
	}
}
