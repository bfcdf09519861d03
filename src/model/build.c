/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Building a snapshot: objects grow in arrays, references wait as names; at the end the arrays move
 * into the snapshot's arena, names become pointers and everything is indexed. */
#include "model/model_int.h"

#include <stdio.h>

int build_init(struct build *b, struct model_error *errors, unsigned max_errors)
{
	char why[160];

	*b = (struct build){ .errors = errors, .max_errors = max_errors };
	b->m = calloc(1, sizeof(*b->m));
	if (!b->m)
		return -ENOMEM;
	b->m->arena = arena_new(4096);
	if (!b->m->arena)
		return -ENOMEM;
	atomic_init(&b->m->refs, 1);
	params_default(&b->m->params, b->m->arena);
	b->m->zone = build_zone(b, span_of(b->m->params.time_zone), why, sizeof(why));
	return b->m->zone ? 0 : -ENOMEM;
}

void build_free(struct build *b)
{
	for (unsigned i = 0; i < KINDS_ALL; i++) {
		free(b->objects[i].items);
		free(b->objects[i].lines);
	}
	free(b->refs);
	model_unref(&b->m);
}

bool build_error(struct build *b, unsigned line, unsigned column, const char *object,
		 const char *text, const char *remedy)
{
	struct model_error *e;

	if (b->n_errors >= b->max_errors)
		return false;
	e = &b->errors[b->n_errors++];
	e->line = line;
	e->column = column;
	snprintf(e->object, sizeof(e->object), "%s", object);
	snprintf(e->text, sizeof(e->text), "%s", text);
	for (char *p = e->text; *p; p++) /* it quotes the file and will be shown on a terminal */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	snprintf(e->remedy, sizeof(e->remedy), "%s", remedy);
	return b->n_errors < b->max_errors;
}

void *build_add(struct build *b, enum kind kind, unsigned line)
{
	struct objects *o = &b->objects[kind];
	size_t each = kinds[kind].size;
	void *object;

	if (o->n == o->size) {
		unsigned size = o->size ? o->size * 2 : 16;
		char *items = realloc(o->items, size * each);
		unsigned *lines = items ? realloc(o->lines, size * sizeof(*lines)) : NULL;

		if (items)
			o->items = items;
		if (lines)
			o->lines = lines;
		if (!items || !lines) {
			b->no_memory = true;
			return NULL;
		}
		o->size = size;
	}
	object = o->items + o->n * each;
	memset(object, 0, each);
	fields_default(b, kind, object);
	o->lines[o->n++] = line;
	return object;
}

bool build_refer(struct build *b, const struct reference *ref)
{
	if (b->n_refs == b->refs_size) {
		size_t size = b->refs_size ? b->refs_size * 2 : 64;
		struct reference *refs = realloc(b->refs, size * sizeof(*refs));

		if (!refs)
			return false;
		b->refs = refs;
		b->refs_size = size;
	}
	b->refs[b->n_refs++] = *ref;
	return true;
}

/* ---- zones ------------------------------------------------------------------------------ */

const struct zone *build_zone(struct build *b, struct span name, char *why, size_t size)
{
	struct zone_link *link = b->zones;
	struct zone *zone = NULL;
	int err;

	while (link && !span_eq(name, span_of(zone_name(link->zone))))
		link = link->next;
	if (link)
		return link->zone;
	link = arena_alloc(b->m->arena, sizeof(*link));
	err = link ? zone_read(&zone, b->m->arena, name) : -ENOMEM;
	if (err == -ENOENT || err == -EINVAL || err == -EISDIR || err == -ENOTDIR)
		snprintf(why, size, "`%.*s` is no time zone of this system",
			 SPAN_ARG(span_head(name, 60)));
	else if (err)
		snprintf(why, size, "the file of time zone `%.*s` cannot be used: %s",
			 SPAN_ARG(span_head(name, 60)),
			 err == -EOPNOTSUPP ? "it counts leap seconds" : strerror(-err));
	if (err)
		return NULL;
	*link = (struct zone_link){ zone, b->zones };
	b->zones = link;
	return zone;
}

/* ---- rates ------------------------------------------------------------------------------ */

struct rate_line {
	struct model_rate rate;
	unsigned line;
};

static int compare_rates(const void *a, const void *b)
{
	const struct rate_line *x = a, *y = b;
	int order = strcmp(x->rate.prefix, y->rate.prefix);

	return order ? order : x->line < y->line ? -1 : x->line > y->line;
}

static void rate_twice(struct build *b, const char *label, const struct rate_line *first,
		       const struct rate_line *second)
{
	char text[160];

	snprintf(text, sizeof(text), "prefix \"%s\" has two rates, first in line %u",
		 second->rate.prefix, first->line);
	build_error(b, second->line, 0, label, text, "keep one of them");
}

/* By prefix, each once; those without one have been complained of and go. */
static void sort_rates(struct build *b, struct objects *o, unsigned first, const char *label)
{
	struct model_rate *rates = (struct model_rate *)(void *)o->items;
	struct rate_line *sorted = calloc(o->n - first + 1, sizeof(*sorted));
	unsigned n = 0;

	if (!sorted) {
		b->no_memory = true;
		return;
	}
	for (unsigned i = first; i < o->n; i++) {
		sorted[n] = (struct rate_line){ rates[i], o->lines[i] };
		n += rates[i].prefix != NULL;
	}
	qsort(sorted, n, sizeof(*sorted), compare_rates);
	for (unsigned i = 0; i < n; i++) {
		rates[first + i] = sorted[i].rate;
		if (i && strcmp(sorted[i - 1].rate.prefix, sorted[i].rate.prefix) == 0)
			rate_twice(b, label, &sorted[i - 1], &sorted[i]);
	}
	o->n = first + n;
	free(sorted);
}

/* ---- lists within objects ------------------------------------------------------------------ */

struct list_mark build_begin_list(const struct build *b, enum kind of)
{
	return (struct list_mark){ b->objects[of].n, b->n_refs };
}

/* What the list's objects refer to is set where they lie from now on; a name that dangles is their owner's fault. */
static void settle_refs(struct build *b, const struct list_mark *mark, enum kind kind,
			unsigned index, char *list, const struct model_field_info *f)
{
	for (size_t i = mark->n_refs; i < b->n_refs; i++) {
		struct reference *ref = &b->refs[i];

		if (!ref->at)
			ref->at =
				(const void **)(void *)(list +
							(ref->index - mark->n) * kinds[f->of].size +
							ref->offset);
		ref->kind = kind;
		ref->index = index;
	}
}

void build_end_list(struct build *b, const struct list_mark *mark, enum kind kind, unsigned index,
		    void *object, const struct model_field_info *f)
{
	struct objects *o = &b->objects[f->of];
	size_t each = kinds[f->of].size;
	const char *name = kinds[kind].section ? object_name(object) : NULL;
	char label[96], *list;
	unsigned n;

	snprintf(label, sizeof(label), "%s[%u]%s%s", kinds[kind].section, index, name ? " " : "",
		 name ? name : "");
	if (f->of == KIND_RATE)
		sort_rates(b, o, mark->n, label);
	n = o->n - mark->n;
	list = arena_alloc(b->m->arena, n * each + 1);
	if (!list) {
		b->no_memory = true;
		return;
	}
	if (n)
		memcpy(list, o->items + mark->n * each, n * each);
	settle_refs(b, mark, kind, index, list, f);
	memcpy((char *)object + f->offset, &list, sizeof(list));
	memcpy((char *)object + f->count, &n, sizeof(n));
	o->n = mark->n;
}

/* ---- what lies between objects ------------------------------------------------------------- */

static void object_label(const struct build *b, enum kind kind, unsigned i, char *dst, size_t size)
{
	const char *name = object_name(kind_object(b->m, kind, i));

	snprintf(dst, size, "%s[%u]%s%s", kinds[kind].section, i, name ? " " : "",
		 name ? name : "");
}

void build_object_error(struct build *b, enum kind kind, unsigned i, unsigned line,
			const char *text, const char *remedy)
{
	char object[96];

	object_label(b, kind, i, object, sizeof(object));
	build_error(b, line ? line : b->objects[kind].lines[i], 0, object, text, remedy);
}

static bool place_objects(struct build *b, enum kind kind)
{
	struct objects *o = &b->objects[kind];
	size_t size = o->n * kinds[kind].size;
	void *placed = arena_alloc(b->m->arena, size ? size : 1);

	if (!placed)
		return false;
	if (size)
		memcpy(placed, o->items, size);
	memcpy((char *)b->m + kinds[kind].array, &placed, sizeof(placed));
	memcpy((char *)b->m + kinds[kind].count, &o->n, sizeof(o->n));
	return true;
}

static bool index_names(struct build *b, enum kind kind)
{
	unsigned n;
	void *objects = kind_objects(b->m, kind, &n);
	struct name_index *index = &b->m->index->names[kind];
	char text[160];

	if (name_index_init(index, b->m->arena, objects, n, kinds[kind].size, 0))
		return false;
	for (unsigned i = 0; i < n; i++) {
		const char *name = object_name(kind_object(b->m, kind, i));
		int64_t first = name ? name_index_add(index, i) : -1;

		if (first < 0)
			continue;
		snprintf(text, sizeof(text), "`%s` exists already, first in line %u", name,
			 b->objects[kind].lines[first]);
		build_object_error(b, kind, i, 0, text, "give each a name of its own");
	}
	return true;
}

struct name_walk {
	const struct model *m;
	enum kind kind;
	unsigned i;
};

/* Guessing has its price: the first ten thousand must do. */
static const char *next_name(void *arg)
{
	struct name_walk *walk = arg;
	unsigned n;

	kind_objects(walk->m, walk->kind, &n);
	while (walk->i < n && walk->i < 10000) {
		const char *name = object_name(kind_object(walk->m, walk->kind, walk->i++));

		if (name)
			return name;
	}
	return NULL;
}

static void dangling(struct build *b, const struct reference *ref)
{
	struct name_walk walk = { b->m, ref->to, 0 };
	const char *nearest = nearest_word(span_of(ref->name), next_name, &walk);
	char text[256], remedy[160];

	if (nearest) {
		snprintf(text, sizeof(text), "%s: `%s` does not exist; did you mean `%s`?",
			 ref->field, ref->name, nearest);
		snprintf(remedy, sizeof(remedy), "write `%s`, or add `%s` to %s", nearest,
			 ref->name, kinds[ref->to].section);
	} else {
		snprintf(text, sizeof(text), "%s: `%s` does not exist", ref->field, ref->name);
		snprintf(remedy, sizeof(remedy), "add `%s` to %s", ref->name,
			 kinds[ref->to].section);
	}
	build_object_error(b, ref->kind, ref->index, ref->line, text, remedy);
}

static void resolve(struct build *b, const struct reference *ref)
{
	const void *to = name_index_find(&b->m->index->names[ref->to], span_of(ref->name));

	if (!to)
		dangling(b, ref);
	else if (ref->at)
		*ref->at = to;
	else
		memcpy((char *)kind_object(b->m, ref->kind, ref->index) + ref->offset, &to,
		       sizeof(to));
}

/* A date is one of both, once. */
static void check_calendar(struct build *b, unsigned i)
{
	const struct model_calendar *c = &b->m->calendars[i];
	char text[160];
	int year, month, day;

	for (unsigned h = 0, w = 0; h < c->n_holidays && w < c->n_work_days;) {
		if (c->holidays[h] == c->work_days[w]) {
			civil_date(c->holidays[h], &year, &month, &day);
			snprintf(text, sizeof(text),
				 "%04d-%02d-%02d is both a holiday and a work day", year, month,
				 day);
			build_object_error(b, KIND_CALENDAR, i, 0, text,
					   "keep it in one of the lists");
			return;
		}
		if (c->holidays[h] < c->work_days[w])
			h++;
		else
			w++;
	}
}

static void check_mapping(struct build *b, unsigned i)
{
	const struct model_mapping *gw = &b->m->mappings[i];
	char text[256];

	b->m->reads_numbers |= gw->caller_from || gw->callee_from;
	if (gw->auth == AUTH_DIGEST && (!gw->user || !gw->password))
		build_object_error(b, KIND_MAPPING, i, 0,
				   gw->user ? "auth: digest needs a password"
					    : "auth: digest needs a user",
				   "add `user` and `password`");
	if (gw->auth != AUTH_DIGEST && gw->n_addresses == 0)
		build_object_error(
			b, KIND_MAPPING, i, 0,
			"addresses: none is listed, so no call could come from it",
			"add `addresses: [ ... ]`, or `auth: digest` with `user` and `password`");
	for (unsigned j = 0; gw->auth == AUTH_ADDRESS_PORT && j < gw->n_addresses; j++) {
		if (gw->addresses[j].port)
			continue;
		snprintf(text, sizeof(text),
			 "addresses: `%s` has no port, and auth is address_port",
			 gw->addresses[j].text);
		build_object_error(b, KIND_MAPPING, i, 0, text,
				   "write host:port, or `auth: address`");
		return;
	}
}

static void check_diversion(struct build *b, unsigned i)
{
	const struct model_number_group *group = b->m->routings[i].diversion_group;
	char text[160];

	if (!group || group->numbers)
		return;
	snprintf(text, sizeof(text), "diversion_group: the number group `%.63s` lists no numbers",
		 group->name);
	build_object_error(b, KIND_ROUTING, i, 0, text, "list whole numbers in it");
}

/* A digest user stands for one gateway or one phone. */
static bool index_users(struct build *b)
{
	struct name_index *users = &b->m->index->users;
	char text[256];

	if (name_index_init(users, b->m->arena, b->m->mappings, b->m->n_mappings,
			    sizeof(struct model_mapping), offsetof(struct model_mapping, user)))
		return false;
	for (unsigned i = 0; i < b->m->n_mappings; i++) {
		const struct model_mapping *gw = &b->m->mappings[i];
		int64_t first;

		if (gw->auth != AUTH_DIGEST || !gw->user)
			continue;
		if (gw->n_addresses == 0 && !gw->locked && !b->m->open_digest)
			b->m->open_digest = gw;
		first = name_index_add(users, i);
		if (first >= 0) {
			snprintf(text, sizeof(text),
				 "user: `%s` is that of mapping gateway `%s` already (line %u)",
				 gw->user,
				 b->m->mappings[first].name ? b->m->mappings[first].name : "?",
				 b->objects[KIND_MAPPING].lines[first]);
			build_object_error(b, KIND_MAPPING, i, 0, text,
					   "give each gateway a user of its own");
		} else if (model_phone(b->m, span_of(gw->user))) {
			snprintf(text, sizeof(text), "user: `%s` is the number of a phone",
				 gw->user);
			build_object_error(b, KIND_MAPPING, i, 0, text,
					   "give the gateway a user of its own");
		}
	}
	return true;
}

/* A route plan keeps a bit for each of them. */
static void check_routings(struct build *b)
{
	char text[120];

	if (b->m->n_routings <= MODEL_ROUTINGS_MOST)
		return;
	snprintf(text, sizeof(text), "there are %u, the limit is %u", b->m->n_routings,
		 MODEL_ROUTINGS_MOST);
	build_error(b, 0, 0, kinds[KIND_ROUTING].section, text,
		    "let one gateway serve several prefixes");
}

/* Two gateways known by the same address: one of them would never get a call. */
static void check_addresses(struct build *b)
{
	const struct address_index *index = &b->m->index->addresses;
	const struct address_entry *first = NULL;
	char text[256];

	for (uint32_t i = 0; i < index->n; i++) {
		const struct address_entry *e = &index->entries[i];
		const struct model_address *x = &e->address, *y = first ? &first->address : NULL;

		if (b->m->mappings[e->mapping].auth == AUTH_DIGEST)
			continue;
		if (y && x->ip6 == y->ip6 && x->prefix_len == y->prefix_len && x->port == y->port &&
		    memcmp(x->bytes, y->bytes, sizeof(x->bytes)) == 0 &&
		    e->mapping != first->mapping) {
			snprintf(text, sizeof(text),
				 "addresses: `%s` is listed by mapping gateway `%s` already (line "
				 "%u)",
				 e->text, b->m->mappings[first->mapping].name,
				 b->objects[KIND_MAPPING].lines[first->mapping]);
			build_object_error(b, KIND_MAPPING, e->mapping, 0, text,
					   "list each address in one gateway");
			continue;
		}
		first = e;
	}
}

static bool give_loads(struct model *m)
{
	struct load_box *box = load_box_new(KINDS);
	unsigned n;

	if (!box)
		return false;
	m->load = &box->load;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		if (kinds[kind].load == NO_LOAD)
			continue;
		kind_objects(m, (enum kind)kind, &n);
		for (unsigned i = 0; i < n; i++) {
			box = load_box_new((enum kind)kind);
			if (!box)
				return false;
			object_set_load((enum kind)kind, kind_object(m, (enum kind)kind, i), box);
		}
	}
	return true;
}

static void check_lrn(struct build *b, enum kind kind, unsigned i, const struct model_lrn *lrn)
{
	if (lrn->on && !b->m->params.lrn_server[0])
		build_object_error(b, kind, i, 0, "lrn: the parameter lrn_server names no server",
				   "set lrn_server");
}

static bool place_and_check(struct build *b)
{
	struct model *m = b->m;

	m->index = arena_alloc(m->arena, sizeof(*m->index));
	if (!m->index)
		return false;
	for (unsigned kind = 0; kind < KINDS; kind++)
		if (!place_objects(b, (enum kind)kind) || !index_names(b, (enum kind)kind))
			return false;
	if (!numbers_check(b) || !areas_check(b))
		return false;
	for (size_t i = 0; i < b->n_refs; i++)
		if (b->refs[i].kind < KINDS) /* else the file ended within its list */
			resolve(b, &b->refs[i]);
	/* What is missing may be missing only because it was wrong, and has been complained of. */
	for (unsigned i = 0; b->n_errors == 0 && i < m->n_mappings; i++)
		check_mapping(b, i);
	for (unsigned i = 0; b->n_errors == 0 && i < m->n_routings; i++)
		check_diversion(b, i);
	for (unsigned i = 0; i < m->n_mappings; i++)
		check_lrn(b, KIND_MAPPING, i, &m->mappings[i].lrn);
	for (unsigned i = 0; i < m->n_phones; i++)
		check_lrn(b, KIND_PHONE, i, &m->phones[i].lrn);
	check_routings(b);
	build_check_durations(b);
	for (unsigned i = 0; b->n_errors == 0 && i < m->n_calendars; i++)
		check_calendar(b, i);
	return index_users(b) && build_index_dids(b) && ranges_index_build(m) == 0 &&
	       ranges_index_peers(m) == 0 && build_check_registrations(b);
}

struct model *build_finish(struct build *b)
{
	struct model *m = b->m;
	bool good = !b->no_memory && place_and_check(b);

	if (good && b->n_errors == 0)
		good = ranges_resolve_system(b) && system_numbers_resolve(b) && pools_give(b);
	if (good && b->n_errors == 0) {
		good = address_index_build(&m->index->addresses, m) == 0;
		if (good)
			check_addresses(b);
	}
	if (good && b->n_errors == 0)
		good = routings_derive(m) == 0 && prefix_index_build(&m->index->prefixes, m) == 0 &&
		       phone_index_build(&m->index->static_phones, m) == 0 && give_loads(m);
	if (!good)
		build_error(b, 0, 0, "", "not enough memory for this configuration",
			    "give the process more memory");
	if (b->n_errors)
		return NULL;
	build_resolve_moments(b);
	m->built_utc_us = clock_utc_us();
	b->m = NULL;
	return m;
}

/* ---- near words --------------------------------------------------------------------------------- */

#define WORD_MOST 64

/* Levenshtein's distance, cut off above `most`. Case counts half-heartedly: not at all. */
static unsigned distance(struct span a, struct span b, unsigned most)
{
	unsigned row[WORD_MOST + 1];

	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0], least = i;

		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned cost =
				diagonal + (ascii_lower(a.p[i - 1]) != ascii_lower(b.p[j - 1]));

			diagonal = row[j];
			if (row[j] + 1 < cost)
				cost = row[j] + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			row[j] = cost;
			if (cost < least)
				least = cost;
		}
		if (least > most)
			return least;
	}
	return row[b.len];
}

const char *nearest_word(struct span word, const char *(*next)(void *arg), void *arg)
{
	unsigned best = (unsigned)word.len / 3 + 1;
	const char *nearest = NULL, *candidate;

	if (word.len > WORD_MOST || word.len == 0)
		return NULL;
	while ((candidate = next(arg))) {
		struct span c = span_of(candidate);
		size_t apart = c.len > word.len ? c.len - word.len : word.len - c.len;
		unsigned d;

		if (c.len > WORD_MOST || apart > best)
			continue;
		d = distance(word, c, best);
		if (d < best || (d == best && !nearest && word.len > 2)) {
			best = d;
			nearest = candidate;
		}
	}
	return nearest;
}
