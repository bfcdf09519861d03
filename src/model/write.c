/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing objects as YAML and JSON from the same tables that read them. YAML leaves out what is as it
 * would be anyway; JSON is complete. Texts are written as JSON strings in both: YAML reads them alike. */
#include "model/model_int.h"

#include <inttypes.h>
#include <stdio.h>

struct writing {
	struct buf *out;
	bool secrets;
	struct editing *edit; /* NULL = none */
};

static const char *text_at(const void *object, const struct model_field_info *f)
{
	const char *text;

	memcpy(&text, (const char *)object + f->offset, sizeof(text));
	return text;
}

static void write_text(struct writing *w, const struct model_field_info *f, const void *object)
{
	buf_add_json(w->out, span_of(text_at(object, f)));
}

static void write_secret(struct writing *w, const struct model_field_info *f, const void *object)
{
	buf_add_json(w->out, w->secrets ? span_of(text_at(object, f)) : SPAN("***"));
}

static void write_bool(struct writing *w, const struct model_field_info *f, const void *object)
{
	bool on;

	memcpy(&on, (const char *)object + f->offset, sizeof(on));
	buf_add_str(w->out, on ? "true" : "false");
}

static int number_at(const void *object, const struct model_field_info *f)
{
	int number;

	memcpy(&number, (const char *)object + f->offset, sizeof(number));
	return number;
}

static void write_count(struct writing *w, const struct model_field_info *f, const void *object)
{
	buf_addf(w->out, "%d", number_at(object, f));
}

static void write_duration(struct writing *w, const struct model_field_info *f, const void *object)
{
	uint64_t us;
	char text[32];

	memcpy(&us, (const char *)object + f->offset, sizeof(us));
	buf_addf(w->out, "\"%s\"", duration_format(us, text, sizeof(text)));
}

static void write_money(struct writing *w, const struct model_field_info *f, const void *object)
{
	int64_t amount;
	char text[40];

	memcpy(&amount, (const char *)object + f->offset, sizeof(amount));
	buf_addf(w->out, "\"%s\"", money_format(amount, text, sizeof(text)));
}

static void write_clock(struct writing *w, const struct model_field_info *f, const void *object)
{
	int clock = number_at(object, f), rest = clock % 60;

	buf_addf(w->out, rest ? "\"%02d:%02d:%02d\"" : "\"%02d:%02d\"", clock / 3600,
		 clock / 60 % 60, rest);
}

static void write_days(struct writing *w, const struct model_field_info *f, const void *object)
{
	int days = number_at(object, f);
	const char *before = "";

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < DAY_WORDS; i++) {
		if (!(days >> i & 1))
			continue;
		buf_addf(w->out, "%s\"%s\"", before, day_words[i]);
		before = ", ";
	}
	buf_add_char(w->out, ']');
}

static void write_choice(struct writing *w, const struct model_field_info *f, const void *object)
{
	struct span rest = span_of(f->choices), word = SPAN_NONE;
	int place = number_at(object, f) - (int)f->least;

	assert(place >= 0); /* a transport left to DNS is unset, hence not written */
	for (int i = 0; i <= place; i++)
		span_cut(rest, '|', &word, &rest);
	buf_add_json(w->out, word);
}

static void write_flags(struct writing *w, const struct model_field_info *f, const void *object)
{
	struct span rest = span_of(f->choices), word;
	const char *before = "";

	buf_add_char(w->out, '[');
	for (int flags = number_at(object, f); flags; flags >>= 1) {
		span_cut(rest, '|', &word, &rest);
		if (!(flags & 1))
			continue;
		buf_add_str(w->out, before);
		buf_add_json(w->out, word);
		before = ", ";
	}
	buf_add_char(w->out, ']');
}

static void write_reference(struct writing *w, const struct model_field_info *f, const void *object)
{
	const void *to;

	memcpy(&to, (const char *)object + f->offset, sizeof(to));
	buf_add_json(w->out, span_of(object_name(to)));
}

static unsigned count_at(const void *object, const struct model_field_info *f)
{
	unsigned n;

	memcpy(&n, (const char *)object + f->count, sizeof(n));
	return n;
}

static const void *list_at(const void *object, const struct model_field_info *f)
{
	const void *list;

	memcpy(&list, (const char *)object + f->offset, sizeof(list));
	return list;
}

static void write_references(struct writing *w, const struct model_field_info *f,
			     const void *object)
{
	const void *const *list = list_at(object, f);

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < count_at(object, f); i++) {
		buf_add_str(w->out, i ? ", " : "");
		buf_add_json(w->out, span_of(object_name(list[i])));
	}
	buf_add_char(w->out, ']');
}

static void write_zone(struct writing *w, const struct model_field_info *f, const void *object)
{
	const struct zone *zone;

	memcpy(&zone, (const char *)object + f->offset, sizeof(zone));
	buf_add_json(w->out, span_of(zone_name(zone)));
}

static void write_dates(struct writing *w, const struct model_field_info *f, const void *object)
{
	const int32_t *dates = list_at(object, f);
	int year, month, day;

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < count_at(object, f); i++) {
		civil_date(dates[i], &year, &month, &day);
		buf_addf(w->out, "%s\"%04d-%02d-%02d\"", i ? ", " : "", year, month, day);
	}
	buf_add_char(w->out, ']');
}

static void write_prefixes(struct writing *w, const struct model_field_info *f, const void *object)
{
	const char *const *prefixes = list_at(object, f);

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < count_at(object, f); i++) {
		buf_add_str(w->out, i ? ", " : "");
		buf_add_json(w->out, span_of(prefixes[i]));
	}
	buf_add_char(w->out, ']');
}

static void write_pairs(struct writing *w, const struct model_field_info *f, const void *object)
{
	const struct model_routing *gw = object;

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < gw->n_pairs; i++)
		buf_addf(w->out, "%s\"%s:%s\"", i ? ", " : "", gw->pairs[i].caller,
			 gw->pairs[i].callee);
	buf_add_char(w->out, ']');
}

static void write_addresses(struct writing *w, const struct model_field_info *f, const void *object)
{
	const struct model_address *addresses = list_at(object, f);

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < count_at(object, f); i++) {
		buf_add_str(w->out, i ? ", " : "");
		buf_add_json(w->out, span_of(addresses[i].text));
	}
	buf_add_char(w->out, ']');
}

static void write_ranges(struct writing *w, const struct model_field_info *f, const void *object)
{
	const struct model_range *ranges = list_at(object, f);

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < count_at(object, f); i++) {
		buf_add_str(w->out, i ? ", " : "");
		buf_add_json(w->out, span_of(ranges[i].text));
	}
	buf_add_char(w->out, ']');
}

static void write_numbers(struct writing *w, const struct model_field_info *f, const void *object)
{
	const struct number_set *set = list_at(object, f);

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < number_set_count(set); i++) {
		buf_add_str(w->out, i ? ", " : "");
		buf_add_json(w->out, number_set_at(set, i));
	}
	buf_add_char(w->out, ']');
}

static void write_rules(struct writing *w, const struct model_field_info *f, const void *object)
{
	const struct dial_rules *rules = list_at(object, f);

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < dial_count(rules); i++) {
		buf_add_str(w->out, i ? ", " : "");
		buf_add_json(w->out, span_of(dial_text(dial_at(rules, i))));
	}
	buf_add_char(w->out, ']');
}

/* Runs of set bits: ["7", "10-12"]. */
static void write_lengths(struct writing *w, const struct model_field_info *f, const void *object)
{
	const char *before = "[";
	uint64_t mask;

	memcpy(&mask, (const char *)object + f->offset, sizeof(mask));
	for (unsigned from = 0, to; from < 63; from = to + 1) {
		for (to = from; to < 63 && mask >> to & 1; to++)
			;
		if (to == from)
			continue;
		buf_addf(w->out, to == from + 1 ? "%s\"%u\"" : "%s\"%u-%u\"", before, from, to - 1);
		before = ", ";
	}
	buf_add_char(w->out, ']');
}

/* Codecs and headers: kept as one text. */
static void write_names(struct writing *w, const struct model_field_info *f, const void *object)
{
	struct span rest = span_of(text_at(object, f)), one;
	bool more = rest.len != 0;
	const char *before = "";

	buf_add_char(w->out, '[');
	while (more) {
		more = span_cut(rest, ',', &one, &rest);
		buf_add_str(w->out, before);
		buf_add_json(w->out, one);
		before = ", ";
	}
	buf_add_char(w->out, ']');
}

static void write_lines(struct writing *w, const struct model_field_info *f, const void *object)
{
	struct span rest = span_of(text_at(object, f)), line;
	const char *before = "";

	buf_add_char(w->out, '[');
	while (rest.len) {
		span_cut(rest, '\n', &line, &rest);
		buf_add_str(w->out, before);
		buf_add_json(w->out, span_head(line, line.len - 1));
		before = ", ";
	}
	buf_add_char(w->out, ']');
}

static void write_peer(struct writing *w, const struct model_field_info *f, const void *object)
{
	const struct model_routing *gw = object;
	const char *bracket = strchr(gw->host, ':') ? "[" : "";
	char text[300];
	int len = snprintf(text, sizeof(text), "%s%s%s", bracket, gw->host, *bracket ? "]" : "");

	if (gw->port)
		snprintf(text + len, sizeof(text) - (size_t)len, ":%u", gw->port);
	buf_add_json(w->out, span_of(text));
}

static void write_fields(struct writing *w, enum kind kind, const void *object, bool all);

/* One a line, for people's editors: a tariff may have a hundred thousand. */
static void write_objects(struct writing *w, const struct model_field_info *f, const void *object)
{
	const char *list = list_at(object, f);

	buf_add_char(w->out, '[');
	for (unsigned i = 0; i < count_at(object, f); i++) {
		buf_add_str(w->out, i ? ",\n      {" : "\n      {");
		write_fields(w, (enum kind)f->of, list + i * kinds[f->of].size, true);
		buf_add_char(w->out, '}');
	}
	buf_add_char(w->out, ']');
}

static void (*const writers[FIELD_TYPES])(struct writing *, const struct model_field_info *,
					  const void *) = {
	[FIELD_NAME] = write_text,           [FIELD_NUMBER] = write_text,
	[FIELD_TEXT] = write_text,           [FIELD_MEMO] = write_text,
	[FIELD_SECRET] = write_secret,       [FIELD_BOOL] = write_bool,
	[FIELD_COUNT] = write_count,         [FIELD_DURATION] = write_duration,
	[FIELD_MONEY] = write_money,         [FIELD_CHOICE] = write_choice,
	[FIELD_WORD] = write_text,           [FIELD_TRANSPORT] = write_choice,
	[FIELD_REFERENCE] = write_reference, [FIELD_REFERENCES] = write_references,
	[FIELD_CLOCK] = write_clock,         [FIELD_DAYS] = write_days,
	[FIELD_MOMENT] = write_text,         [FIELD_LINES] = write_lines,
	[FIELD_ZONE] = write_zone,           [FIELD_DATES] = write_dates,
	[FIELD_PREFIX] = write_text,         [FIELD_PREFIXES] = write_prefixes,
	[FIELD_CODECS] = write_names,        [FIELD_ADDRESSES] = write_addresses,
	[FIELD_RANGES] = write_ranges,       [FIELD_PEER] = write_peer,
	[FIELD_OBJECTS] = write_objects,     [FIELD_HEADERS] = write_names,
	[FIELD_NUMBERS] = write_numbers,     [FIELD_BEGINNINGS] = write_numbers,
	[FIELD_LENGTHS] = write_lengths,     [FIELD_RULES] = write_rules,
	[FIELD_CODES] = write_names,         [FIELD_CODE_MAP] = write_names,
	[FIELD_PAIRS] = write_pairs,         [FIELD_FLAGS] = write_flags,
};

/* JSON members, and YAML's as well within braces. What has no value at all is left out in any case. */
static void write_fields(struct writing *w, enum kind kind, const void *object, bool all)
{
	const char *before = "";

	for (size_t i = 0; i < kinds[kind].n_fields; i++) {
		const struct model_field_info *f = &kinds[kind].fields[i];
		bool plain =
			f->type <= FIELD_WORD && f->type >= FIELD_BOOL && f->type != FIELD_WORD;

		if (field_is_unset(f, object) && !f->required && !(all && plain))
			continue;
		buf_addf(w->out, "%s\"%s\": ", before, f->name);
		writers[f->type](w, f, object);
		before = ", ";
	}
}

/* ---- YAML ------------------------------------------------------------------------------------ */

static void write_yaml_object(struct writing *w, enum kind kind, const void *object)
{
	const char *before = "  - ";

	for (size_t i = 0; i < kinds[kind].n_fields; i++) {
		const struct model_field_info *f = &kinds[kind].fields[i];

		bool edited = w->edit && edit_is_of(w->edit, kind, object, f);

		if (!edited && field_is_unset(f, object) && !f->required)
			continue;
		buf_addf(w->out, "%s%s: ", before, f->name);
		if (edited)
			edit_write_list(w->edit, w->out, object);
		else
			writers[f->type](w, f, object);
		buf_add_char(w->out, '\n');
		before = "    ";
	}
}

static void write_yaml_params(struct buf *out, const struct model *m, bool secrets)
{
	const char *before = "parameters:\n";

	for (size_t i = 0; i < param_count; i++) {
		const struct param_info *info = &param_table[i];
		char text[PARAM_TEXT_MAX + 1];

		if (secrets)
			param_format(&m->params, info, text, sizeof(text));
		else
			param_show(&m->params, info, text, sizeof(text));
		if (span_eq(span_of(text), span_of(info->def)))
			continue;
		buf_addf(out, "%s  %s: ", before, info->name);
		buf_add_json(out, span_of(text));
		buf_add_char(out, '\n');
		before = "";
	}
}

static void write_yaml(struct writing *w, const struct model *m)
{
	buf_add_str(w->out, "version: 1\n");
	write_yaml_params(w->out, m, w->secrets);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		unsigned n;

		kind_objects(m, (enum kind)kind, &n);
		if (n)
			buf_addf(w->out, "%s:\n", kinds[kind].section);
		for (unsigned i = 0; i < n; i++)
			write_yaml_object(w, (enum kind)kind, kind_object(m, (enum kind)kind, i));
		if (w->edit)
			edit_write_new(w->edit, w->out, m, (enum kind)kind, n == 0);
	}
}

void model_write_yaml(struct buf *out, const struct model *m, bool secrets)
{
	struct writing w = { .out = out, .secrets = secrets };

	write_yaml(&w, m);
}

void write_yaml_edited(struct buf *out, const struct model *m, struct editing *edit)
{
	struct writing w = { .out = out, .secrets = true, .edit = edit };

	write_yaml(&w, m);
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static uint64_t counted(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void write_load(struct buf *out, const struct model *m, enum kind kind, const void *object)
{
	const struct load *load = object_load(kind, object);
	char time[32];
	uint64_t last = counted(&load->last_call_us);

	buf_addf(out,
		 ", \"load\": {\"lines\": %d, \"peak_lines\": %d, \"calls\": %" PRIu64
		 ", \"answered\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"refused_lines\": %" PRIu64
		 ", \"refused_rate\": %" PRIu64,
		 atomic_load(&load->lines), atomic_load(&load->peak_lines), counted(&load->calls),
		 counted(&load->answered), counted(&load->failed), counted(&load->refused_lines),
		 counted(&load->refused_rate));
	if (last)
		buf_addf(out, ", \"last_call\": \"%s\"", clock_format(last, time, sizeof(time)));
	write_limits_now(out, m, kind, object);
	buf_add_char(out, '}');
	write_claims_now(out, m, kind, object);
}

static double ratio(uint64_t part, uint64_t whole, double scale)
{
	return whole ? (double)part * scale / (double)whole : 0;
}

/* Percent and seconds; what there is no figure for is null. */
static void write_figure(struct buf *out, const char *key, uint64_t part, uint64_t whole,
			 double scale)
{
	buf_addf(out, whole ? ", \"%s\": %.1f" : ", \"%s\": null", key, ratio(part, whole, scale));
}

static void write_quality(struct buf *out, const struct model *m, const struct model_routing *gw)
{
	struct quality q;

	if (!model_quality_counts(m, gw))
		return;
	quality_read(gw->quality, &m->params, clock_mono_us(), &q);
	buf_addf(out, ", \"quality_now\": {\"window_s\": %" PRIu64 ", \"attempts\": %u",
		 (uint64_t)(m->params.quality_window / SEC), q.attempts);
	write_figure(out, "asr_percent", q.answered, q.attempts, 100);
	write_figure(out, "acd_s", q.talk_us, q.talks, 1e-6);
	write_figure(out, "pdd_s", q.pdd_us, q.connected, 1e-6);
	write_figure(out, "response_percent", q.responded, q.attempts, 100);
	write_figure(out, "connected_percent", q.connected, q.attempts, 100);
	buf_add_char(out, '}');
}

/* The best contact: those who want all of them ask for the registration. */
static void write_registration(struct buf *out, const struct load *load)
{
	struct bindings all;
	const struct binding *best = all.binding;
	uint64_t now = clock_mono_us();
	char time[32];

	registration_read(load_registration((struct load *)(uintptr_t)load), &all);
	bindings_prune(&all, now);
	if (!all.n) {
		buf_add_str(out, ", \"registered\": false");
		return;
	}
	buf_addf(out, ", \"registered\": true, \"contacts\": %u, \"contact\": ", all.n);
	buf_add_json(out, span_of(best->contact));
	buf_add_str(out, ", \"user_agent\": ");
	buf_add_json(out, span_of(best->user_agent));
	buf_addf(out, ", \"expires_in_s\": %" PRIu64 ", \"registered_at\": \"%s\"",
		 (uint64_t)((best->expires_us - now) / SEC),
		 clock_format(best->registered_utc_us, time, sizeof(time)));
}

static bool registers_here(enum kind kind, const void *object)
{
	const struct model_register *reg =
		kind == KIND_PHONE     ? &((const struct model_phone *)object)->reg
		: kind == KIND_MAPPING ? &((const struct model_mapping *)object)->reg
		: kind == KIND_ROUTING ? &((const struct model_routing *)object)->reg
				       : NULL;

	return reg && reg->type == REGISTER_DYNAMIC;
}

static void write_health(struct buf *out, const struct model *m, const struct model_routing *gw)
{
	uint64_t mono_us = clock_mono_us(), utc_us = clock_utc_us();

	health_settle(gw, &m->params, mono_us, utc_us);
	buf_add_str(out, ", \"health\": ");
	health_write_json(out, gw, mono_us, utc_us);
}

/* The blanks between JSON's words go. */
static void add_dense(struct buf *out, struct span json)
{
	bool text = false;

	for (size_t i = 0; i < json.len; i++) {
		if (json.p[i] == '"')
			text = !text;
		if (text || (json.p[i] != ' ' && json.p[i] != '\n'))
			buf_add_char(out, json.p[i]);
		if (text && json.p[i] == '\\')
			buf_add_char(out, json.p[++i]);
	}
}

void model_write_row(struct buf *out, const struct model *m, unsigned kind, unsigned i)
{
	struct buf json = BUF_INIT(out->max);
	struct writing w = { .out = &json, .secrets = true };

	buf_add_char(&json, '{');
	write_fields(&w, (enum kind)kind, kind_object(m, (enum kind)kind, i), false);
	buf_add_char(&json, '}');
	if (json.failed)
		out->failed = true;
	else
		add_dense(out, buf_span(&json));
	buf_free(&json);
}

void model_write_json_flags(struct buf *out, const struct model *m, const char *kind,
			    const void *object, unsigned flags)
{
	struct writing w = { .out = out, .secrets = flags & MODEL_JSON_SECRETS };

	for (unsigned i = 0; i < KINDS_ALL; i++) {
		if (!span_eq(span_of(kind), span_of(kinds[i].name)))
			continue;
		buf_add_char(out, '{');
		write_fields(&w, (enum kind)i, object, true);
		if ((flags & MODEL_JSON_LOAD) && kinds[i].load != NO_LOAD)
			write_load(out, m, (enum kind)i, object);
		if ((flags & MODEL_JSON_LOAD) && registers_here((enum kind)i, object))
			write_registration(out, object_load((enum kind)i, object));
		if ((flags & MODEL_JSON_LOAD) && i == KIND_ROUTING) {
			write_quality(out, m, object);
			write_health(out, m, object);
		}
		buf_add_char(out, '}');
	}
}

void model_write_json(struct buf *out, const struct model *m, const char *kind, const void *object,
		      bool load)
{
	model_write_json_flags(out, m, kind, object, load ? MODEL_JSON_LOAD : 0);
}

void model_write_params_json(struct buf *out, const struct model *m)
{
	buf_add_char(out, '{');
	for (size_t i = 0; i < param_count; i++) {
		const struct param_info *info = &param_table[i];
		char text[PARAM_TEXT_MAX + 1];

		param_show(&m->params, info, text, sizeof(text));
		buf_addf(out, "%s\"%s\": ", i ? ", " : "", info->name);
		if (info->type == PARAM_TYPE_COUNT)
			buf_add_str(out, text);
		else if (info->type == PARAM_TYPE_BOOL)
			buf_add_str(out, span_eq(span_of(text), SPAN("on")) ? "true" : "false");
		else
			buf_add_json(out, span_of(text));
	}
	buf_add_char(out, '}');
}
