/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a configuration: libyaml's events are walked once, without a tree in between, so a file of a
 * million phones needs little more than its snapshot. Everything is bounded: size, depth, errors; anchors and
 * aliases are refused, for with them a small file can describe an enormous one. JSON is read as well,
 * being YAML.
 *
 * Each function below is entered with the first event of its node already in r->event and leaves with the last. */
#include "model/yaml_events.h"

#include <stdio.h>

#define SIZE_MOST (64u << 20)
#define FIELDS_MOST 128
#define VERSION SPAN("1")

/* ---- unknown keys -------------------------------------------------------------------------- */

struct field_walk {
	const struct kind_info *kind;
	size_t i;
};

static const char *next_field(void *arg)
{
	struct field_walk *walk = arg;

	return walk->i < walk->kind->n_fields ? walk->kind->fields[walk->i++].name : NULL;
}

static const char *next_param(void *arg)
{
	size_t *i = arg;

	return *i < param_count ? param_table[(*i)++].name : NULL;
}

static const char *next_section(void *arg)
{
	static const char *const own[] = { "version", "parameters" };
	size_t *i = arg;

	if (*i >= KINDS + ARRAY_SIZE(own))
		return NULL;
	(*i)++;
	return *i <= KINDS ? kinds[*i - 1].section : own[*i - 1 - KINDS];
}

static void complain_key(struct reader *r, const char *key, const char *nearest, const char *remedy)
{
	char text[160];

	if (!text_is_clean(span_of(key), false))
		key = "?";
	if (nearest) {
		snprintf(text, sizeof(text), "write `%s` instead", nearest);
		complain(r, text, "unknown key `%s`; did you mean `%s`?", key, nearest);
	} else {
		complain(r, remedy, "unknown key `%s`", key);
	}
}

static const struct model_field_info *find_field(const struct kind_info *kind, const char *key)
{
	for (size_t i = 0; i < kind->n_fields; i++)
		if (span_eq(span_of(kind->fields[i].name), span_of(key)))
			return &kind->fields[i];
	return NULL;
}

static const struct model_field_info *find_numbered(enum kind kind, const char *key,
						    const char **values_out)
{
	const char *ours = numbered_key(kind, span_of(key), values_out);

	return ours ? find_field(&kinds[kind], ours) : NULL;
}

static void complain_field(struct reader *r, const struct kind_info *kind, const char *key)
{
	struct field_walk walk = { kind, 0 };
	const char *nearest;
	char remedy[160] = "known keys: ";
	size_t len = strlen(remedy);
	unsigned nth = 0;

	while ((nearest = foreign_key(span_of(key), nth++)) && !find_field(kind, nearest))
		;
	if (!nearest)
		nearest = nearest_word(span_of(key), next_field, &walk);
	for (size_t i = 0; i < kind->n_fields && len < sizeof(remedy); i++)
		len += (size_t)snprintf(remedy + len, sizeof(remedy) - len, "%s%s", i ? ", " : "",
					kind->fields[i].name);
	complain_key(r, key, nearest, remedy);
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool add_item(struct reader *r, struct span text)
{
	if (r->n_items == r->items_size) {
		unsigned size = r->items_size ? r->items_size * 2 : 64;
		struct item *items = realloc(r->items, size * sizeof(*items));

		if (!items) {
			r->b.no_memory = r->stop = true;
			return false;
		}
		r->items = items;
		r->items_size = size;
	}
	r->items[r->n_items++] = (struct item){ text, reader_line(r), reader_column(r) };
	return true;
}

/* "a,b" in one text is a list too; the texts stay in the event. */
static void split_items(struct reader *r)
{
	struct span rest = reader_scalar(r), one;
	bool more = true;

	while (more) {
		more = span_cut(rest, ',', &one, &rest);
		if (!add_item(r, span_trim(one)))
			return;
	}
}

/* The items of a list: their texts are gathered in r->texts, since each event is gone with the next. */
static bool gather_items(struct reader *r, const char *key)
{
	size_t at = 0;

	buf_reset(&r->texts);
	while (reader_next(r) != YAML_SEQUENCE_END_EVENT) {
		if (reader_type(r) == YAML_NO_EVENT)
			return false;
		if (reader_type(r) != YAML_SCALAR_EVENT) {
			complain(r, "write texts only", "%s: each item must be a text", key);
			reader_skip(r);
			continue;
		}
		if (reader_scalar(r).len)
			buf_add_span(&r->texts, reader_scalar(r));
		if (r->texts.failed || !add_item(r, (struct span){ NULL, reader_scalar(r).len }))
			return false;
	}
	for (unsigned i = 0; i < r->n_items; i++) {
		r->items[i].text.p = r->texts.p ? r->texts.p + at : "";
		at += r->items[i].text.len;
	}
	return true;
}

static bool collect_items(struct reader *r, const struct model_field_info *f)
{
	r->n_items = 0;
	if (reader_type(r) == YAML_SEQUENCE_START_EVENT && field_is_list(f->type))
		return gather_items(r, f->name);
	if (reader_type(r) == YAML_SCALAR_EVENT && field_is_list(f->type)) {
		if (reader_scalar(r).len || f->type == FIELD_PREFIXES ||
		    f->type == FIELD_BEGINNINGS)
			split_items(r);
		return true;
	}
	if (reader_type(r) == YAML_SCALAR_EVENT)
		return add_item(r, reader_scalar(r));
	complain(r, field_is_list(f->type) ? "write a list such as [ a, b ]" : "write one value",
		 field_is_list(f->type) ? "%s: must be a list" : "%s: must be one value", f->name);
	reader_skip(r);
	return false;
}

/* "0|1|2" of the values of one of VOS3000's keys: 1 is the word in its place. */
static bool word_of_number(const char *values, struct span *text)
{
	struct span rest = span_of(values), word;
	uint64_t number = 0;
	bool more = span_to_u64(*text, &number) == 0;

	for (uint64_t i = 0; more; i++) {
		more = span_cut(rest, '|', &word, &rest);
		if (i < number)
			continue;
		if (word.len)
			*text = word;
		return word.len > 0;
	}
	return false;
}

/* `values`: of a key that is VOS3000's, else NULL. */
static void read_field(struct reader *r, enum kind kind, unsigned index, void *object,
		       const struct model_field_info *f, const char *values)
{
	unsigned line = reader_line(r), column = reader_column(r);
	struct fault fault = { .item = 0 };

	if (reader_is_null(r) || !collect_items(r, f))
		return;
	if (values && !word_of_number(values, &r->items[0].text)) {
		snprintf(fault.remedy, sizeof(fault.remedy), "write `%s`: %s", f->name, f->help);
		reader_complain(r, line, column, fault.remedy,
				"`%.*s` is none of VOS3000's numbers for `%s`",
				SPAN_ARG(span_head(r->items[0].text, 40)), f->name);
		return;
	}
	if (field_set(&r->b, kind, index, object, f, r->items, r->n_items, &fault))
		return;
	if (fault.item < r->n_items) {
		line = r->items[fault.item].line;
		column = r->items[fault.item].column;
	}
	reader_complain(r, line, column, fault.remedy, "%s", fault.text);
}

/* ---- objects ------------------------------------------------------------------------------------ */

static void read_list(struct reader *r, enum kind kind, const char *name);

/* A list of objects within object `index` of `kind`. */
static void read_within(struct reader *r, enum kind kind, unsigned index, void *object,
			const struct model_field_info *f)
{
	struct list_mark mark = build_begin_list(&r->b, (enum kind)f->of);

	if (reader_is_null(r))
		return;
	read_list(r, (enum kind)f->of, f->name);
	if (!r->stop)
		build_end_list(&r->b, &mark, kind, index, object, f);
}

/* Errors found before the name was known get it now: "phones[2]" becomes "phones[2] 1001". */
static void name_errors(struct reader *r, unsigned first, const char *label, const char *name)
{
	size_t len = strlen(label);
	unsigned last = r->b.n_errors < r->b.max_errors ? r->b.n_errors : r->b.max_errors;

	for (unsigned i = first; name && i < last; i++) {
		struct model_error *e = &r->b.errors[i];
		struct buf named = BUF_INIT(512);

		if (strncmp(e->object, label, len) != 0)
			continue;
		buf_addf(&named, "%s %s%s", label, name, e->object + len);
		span_copy(buf_span(&named), e->object, sizeof(e->object));
		buf_free(&named);
	}
}

static void check_required(struct reader *r, enum kind kind, unsigned line, const unsigned *seen)
{
	for (size_t i = 0; i < kinds[kind].n_fields; i++) {
		const struct model_field_info *f = &kinds[kind].fields[i];
		char remedy[160];

		if (!f->required || seen[i])
			continue;
		snprintf(remedy, sizeof(remedy), "add `%s`: %s", f->name, f->help);
		reader_complain(r, line, 0, remedy, "`%s` is missing", f->name);
	}
}

/* Weekdays are weekdays: one who names a calendar means its work days or holidays. */
static void check_window(struct reader *r, enum kind kind, unsigned line, const unsigned *seen,
			 const void *object)
{
	uint32_t days = 0;
	bool asks = false;

	for (size_t i = 0; i < kinds[kind].n_fields; i++) {
		const struct model_field_info *f = &kinds[kind].fields[i];

		if (f->type == FIELD_DAYS)
			memcpy(&days, (const char *)object + f->offset, sizeof(days));
		asks |= seen[i] && f->type == FIELD_REFERENCE && f->of == KIND_CALENDAR;
	}
	if (asks && days < 1u << MODEL_WORK_DAY)
		reader_complain(r, line, 0, "write `days: [ work ]` or `days: [ holiday ]`",
				"calendar: `days` names neither work nor holiday, so it is never "
				"asked");
}

static void read_keys(struct reader *r, enum kind kind, unsigned index, void *object,
		      unsigned *seen)
{
	char key[64];

	while (reader_next_key(r, key, sizeof(key))) {
		const struct model_field_info *f = find_field(&kinds[kind], key);
		const char *values = NULL;
		unsigned line = reader_line(r), *first;

		if (!f)
			f = find_numbered(kind, key, &values);
		first = f ? &seen[f - kinds[kind].fields] : NULL;
		if (!f) {
			complain_field(r, &kinds[kind], key);
		} else if (*first) {
			complain(r, "keep one of them", "key `%s` stands twice, first in line %u",
				 key, *first);
		}
		reader_next(r);
		if (!f || *first) {
			reader_skip(r);
			continue;
		}
		if (!reader_is_null(r))
			*first = line;
		if (f->type == FIELD_OBJECTS)
			read_within(r, kind, index, object, f);
		else
			read_field(r, kind, index, object, f, values);
	}
}

static void read_object(struct reader *r, enum kind kind)
{
	unsigned line = reader_line(r), first_error = r->b.n_errors, seen[FIELDS_MOST] = { 0 };
	void *object = build_add(&r->b, kind, line);
	char label[sizeof(r->object)];

	static_assert(FIELDS_MOST >= 128, "room for all fields of a kind");
	assert(kinds[kind].n_fields <= FIELDS_MOST);
	if (!object) {
		r->stop = true;
		return;
	}
	read_keys(r, kind, r->b.objects[kind].n - 1, object, seen);
	if (r->stop)
		return;
	check_required(r, kind, line, seen);
	if (!kinds[kind].section) {
		check_window(r, kind, line, seen, object);
		return;
	}
	snprintf(label, sizeof(label), "%s", r->object);
	name_errors(r, first_error, label, object_name(object));
}

static void read_list(struct reader *r, enum kind kind, const char *name)
{
	char outer[sizeof(r->object)];

	if (reader_is_null(r))
		return;
	if (reader_type(r) != YAML_SEQUENCE_START_EVENT) {
		complain(r, "write `- { ... }` for each", "%s: must be a list of objects", name);
		reader_skip(r);
		return;
	}
	snprintf(outer, sizeof(outer), "%s", r->object);
	for (unsigned i = 0; reader_next(r) != YAML_SEQUENCE_END_EVENT && !r->stop; i++) {
		snprintf(r->object, sizeof(r->object), "%.60s%s%.24s[%u]", outer, *outer ? " " : "",
			 name, i);
		if (reader_type(r) == YAML_MAPPING_START_EVENT) {
			read_object(r, kind);
		} else {
			complain(r, "write `{ key: value, ... }`", "must be an object");
			reader_skip(r);
		}
		snprintf(r->object, sizeof(r->object), "%s", outer);
	}
}

/* ---- the document ----------------------------------------------------------------------------------- */

static void read_param(struct reader *r, const struct param_info *info, const char *key)
{
	char why[160], remedy[160];

	if (reader_is_null(r))
		return;
	if (reader_type(r) != YAML_SCALAR_EVENT) {
		complain(r, "write one value", "%s: must be one value", key);
		reader_skip(r);
		return;
	}
	if (param_set(&r->b.m->params, info, r->b.m->arena, reader_scalar(r), why, sizeof(why)) ==
	    0)
		return;
	if (info->type == PARAM_TYPE_DURATION || info->type == PARAM_TYPE_COUNT)
		snprintf(remedy, sizeof(remedy), "write %s to %s; the default is %s", info->least,
			 info->most, info->def);
	else
		snprintf(remedy, sizeof(remedy), "the default is %s", info->def);
	complain(r, remedy, "%s: %s", key, why);
}

static void read_zone(struct reader *r, const unsigned *seen)
{
	const char *name = r->b.m->params.time_zone;
	const struct zone *zone;
	char why[160];

	zone = build_zone(&r->b, span_of(name), why, sizeof(why));
	if (zone)
		r->b.m->zone = zone;
	else
		reader_complain(r, seen[param_find(SPAN("time_zone")) - param_table], 0,
				"write a name such as Europe/Berlin or UTC", "time_zone: %s", why);
}

static void read_parameters(struct reader *r)
{
	unsigned seen[128] = { 0 };
	char key[64], why[160];

	assert(param_count <= ARRAY_SIZE(seen));
	if (reader_is_null(r))
		return;
	if (reader_type(r) != YAML_MAPPING_START_EVENT) {
		complain(r, "write `parameters: { name: value }`", "parameters: must be an object");
		reader_skip(r);
		return;
	}
	snprintf(r->object, sizeof(r->object), "parameters");
	while (reader_next_key(r, key, sizeof(key))) {
		const struct param_info *info = param_find(span_of(key));
		unsigned line = reader_line(r), *first = info ? &seen[info - param_table] : NULL;
		size_t walk = 0;

		if (!info && param_absent(span_of(key)))
			complain(r, "leave it out", "%s has no counterpart here: %s", key,
				 param_absent(span_of(key)));
		else if (!info)
			complain_key(r, key, nearest_word(span_of(key), next_param, &walk),
				     "the manual lists all parameters");
		else if (*first)
			complain(r, "keep one of them",
				 "parameter `%s` stands twice, first in line %u", info->name,
				 *first);
		reader_next(r);
		if (!info || *first) {
			reader_skip(r);
			continue;
		}
		*first = line;
		read_param(r, info, key);
	}
	if (!r->stop)
		read_zone(r, seen);
	if (!r->stop) {
		const char *at_odds = params_check(&r->b.m->params, why, sizeof(why));

		if (at_odds)
			reader_complain(r, seen[param_find(span_of(at_odds)) - param_table], 0,
					"change one of them", "%s", why);
	}
	r->object[0] = '\0';
}

static void read_version(struct reader *r)
{
	if (reader_type(r) != YAML_SCALAR_EVENT || !span_eq(reader_scalar(r), VERSION)) {
		complain(r, "write `version: 1`", "version: this program reads version 1 only");
		reader_skip(r);
	}
}

/* Which section a key names: a kind, KINDS for parameters, KINDS + 1 for version, -1 for none. */
static int find_section(const char *key)
{
	size_t walk = 0;
	const char *name;

	while ((name = next_section(&walk)))
		if (span_eq(span_of(name), span_of(key)))
			return walk <= KINDS       ? (int)walk - 1
			       : walk == KINDS + 1 ? KINDS + 1
						   : KINDS;
	return -1;
}

static void complain_section(struct reader *r, const char *key)
{
	char remedy[160] = "known keys: ";
	size_t len = strlen(remedy), walk = 0;
	const char *before = "", *name;

	while ((name = next_section(&walk)) && len < sizeof(remedy)) {
		len += (size_t)snprintf(remedy + len, sizeof(remedy) - len, "%s%s", before, name);
		before = ", ";
	}
	walk = 0;
	complain_key(r, key, nearest_word(span_of(key), next_section, &walk), remedy);
}

static void read_root(struct reader *r)
{
	unsigned seen[KINDS + 2] = { 0 };
	char key[64];

	while (reader_next_key(r, key, sizeof(key))) {
		int section = find_section(key);
		unsigned line = reader_line(r);

		if (section < 0)
			complain_section(r, key);
		else if (seen[section])
			complain(r, "put all into one", "key `%s` stands twice, first in line %u",
				 key, seen[section]);
		reader_next(r);
		if (section < 0 || seen[section])
			reader_skip(r);
		else if (section == KINDS)
			read_parameters(r);
		else if (section == KINDS + 1)
			read_version(r);
		else
			read_list(r, (enum kind)section, kinds[section].section);
		if (section >= 0 && !seen[section])
			seen[section] = line;
	}
	if (!r->stop && !seen[KINDS + 1])
		reader_complain(r, 1, 0, "begin the file with `version: 1`",
				"`version` is missing");
}

static void read_stream(struct reader *r)
{
	if (reader_next(r) != YAML_STREAM_START_EVENT)
		return;
	if (reader_next(r) != YAML_DOCUMENT_START_EVENT) {
		if (!r->stop)
			reader_complain(r, 1, 0, "begin the file with `version: 1`",
					"the configuration is empty");
		return;
	}
	if (reader_next(r) == YAML_MAPPING_START_EVENT) {
		read_root(r);
	} else if (!r->stop) {
		complain(r, "begin the file with `version: 1`",
			 "the configuration must be an object");
		reader_skip(r);
	}
	if (reader_next(r) == YAML_DOCUMENT_END_EVENT &&
	    reader_next(r) == YAML_DOCUMENT_START_EVENT)
		complain(r, "put all into one document", "a second document begins here");
}

unsigned model_read_yaml(struct model **model_out, struct span yaml, struct model_error *errors,
			 unsigned max_errors)
{
	struct reader r = { .texts = BUF_INIT(SIZE_MOST) };
	struct model *m = NULL;
	struct model_error spare;
	unsigned n;

	if (max_errors == 0) {
		errors = &spare;
		max_errors = 1;
	}
	if (build_init(&r.b, errors, max_errors) || !yaml_parser_initialize(&r.parser)) {
		build_error(&r.b, 0, 0, "", "not enough memory", "give the process more memory");
		build_free(&r.b);
		return 1;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(yaml.p ? yaml.p : ""),
				     yaml.len);
	if (yaml.len > SIZE_MOST)
		build_error(&r.b, 0, 0, "", "the configuration is larger than 64 MiB",
			    "split off what is not needed");
	else
		read_stream(&r);
	m = build_finish(&r.b);
	if (r.have_event)
		yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	buf_free(&r.texts);
	free(r.items);
	n = r.b.n_errors;
	build_free(&r.b);
	if (n)
		return n;
	*model_out = m;
	return 0;
}
