/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Single numbers of number groups, and mobile numbers of areas: looked at page by page, added and removed without sending
 * the rest of the configuration. A change goes as that of the whole does: read and check, keep, put in force. */
#include "api/api_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ERRORS_MAX 20
#define SHOWN_MOST 10 /* numbers that an audit row names */

static unsigned kind_of(const char *name)
{
	unsigned i = 0;

	while (strcmp(model_kind(i).name, name) != 0)
		i++;
	return i;
}

/* False: there is none of this name, and the request has failed. */
static bool must_exist(struct api_request *req, const struct model *m, const char *kind,
		       const char *name)
{
	unsigned k = kind_of(kind), n = model_count(m, k);
	struct near near;

	near_start(&near, span_of(name));
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(model_name(m, k, i), name) == 0)
			return true;
		near_offer(&near, span_of(model_name(m, k, i)));
	}
	api_fail(req, 404,
		 &(struct api_problem){ .field = strcmp(kind, "area") == 0 ? "code" : "name",
					.value = name,
					.near = &near,
					.remedy = "add it to the configuration first" },
		 "there is none of this name in %s", model_kind(k).section);
	return false;
}

/* ---- looking ------------------------------------------------------------------------------------ */

/* False: the place that the page begins after is gone, and the request has failed. */
static bool find_start(struct api_request *req, const struct number_set *set, unsigned *start_out)
{
	const char *after = api_text(req, "after");
	int64_t entry = after && set ? number_set_find(set, span_of(after)) : -1;

	*start_out = (unsigned)(entry + 1);
	if (!after || entry >= 0)
		return true;
	api_fail(req, 400,
		 &(struct api_problem){ .field = "after",
					.value = after,
					.remedy = "begin with the first page again" },
		 "it is not listed any more");
	return false;
}

static bool contains(struct span text, const char *q)
{
	return !q || memmem(text.p, text.len, q, strlen(q)) != NULL;
}

static void write_page(struct api_request *req, const char *key, const struct number_set *set)
{
	unsigned n = set ? number_set_count(set) : 0, i;
	uint64_t left = api_number(req, "limit");
	struct span last = SPAN_NONE, next = SPAN_NONE;

	if (!find_start(req, set, &i))
		return;
	api_json_open(&req->out, NULL, '{');
	api_json_number(&req->out, "total", n);
	api_json_open(&req->out, key, '[');
	for (; i < n; i++) {
		struct span text = number_set_at(set, i);

		if (!contains(text, api_text(req, "q")))
			continue;
		if (left-- == 0) {
			next = last;
			break;
		}
		api_json_span(&req->out, NULL, text);
		last = text;
	}
	api_json_close(&req->out, ']');
	api_json_key(&req->out, "next");
	if (next.len)
		buf_add_json(&req->out, next);
	else
		buf_add_str(&req->out, "null");
	api_json_close(&req->out, '}');
}

void api_get_numbers(struct api_request *req)
{
	const char *name = api_text(req, "name");
	struct model *m = model_hub_get(req->sw->hub);

	if (must_exist(req, m, "number_group", name))
		write_page(req, "numbers", model_number_group(m, span_of(name))->numbers);
	model_unref(&m);
}

void api_get_mobiles(struct api_request *req)
{
	const char *code = api_text(req, "code");
	struct model *m = model_hub_get(req->sw->hub);

	if (must_exist(req, m, "area", code))
		write_page(req, "mobiles", model_area(m, span_of(code))->mobiles);
	model_unref(&m);
}

void api_get_place(struct api_request *req)
{
	const char *number = api_text(req, "number");
	struct model *m = model_hub_get(req->sw->hub);
	struct model_place place = model_place(m, span_of(number));

	api_json_open(&req->out, NULL, '{');
	api_json_text(&req->out, "number", number);
	api_json_text(&req->out, "kind", number_kind_name(place.kind));
	api_json_text(&req->out, "area", place.area ? place.area->code : NULL);
	api_json_text(&req->out, "place", place.area ? place.area->place : NULL);
	api_json_close(&req->out, '}');
	model_unref(&m);
}

/* ---- changing ------------------------------------------------------------------------------------- */

/* For the audit: of whom, how much, and a few numbers by name. */
static void write_detail(struct buf *out, const struct model_edits *edits,
			 const struct model_edited *edited)
{
	api_json_open(out, NULL, '{');
	api_json_text(out, "name", edits->only);
	api_json_number(out, "added", edited->added);
	api_json_number(out, "removed", edited->removed);
	if (edits->n <= SHOWN_MOST) {
		api_json_open(out, "numbers", '[');
		for (size_t i = 0; i < edits->n; i++)
			api_json_span(out, NULL, edits->edits[i].text);
		api_json_close(out, ']');
	}
	api_json_close(out, '}');
}

static void write_edited(struct api_request *req, const struct model_edited *edited)
{
	api_json_open(&req->out, NULL, '{');
	api_json_number(&req->out, "added", edited->added);
	api_json_number(&req->out, "removed", edited->removed);
	api_json_number(&req->out, "version", (int64_t)model_hub_version(req->sw->hub));
	api_json_close(&req->out, '}');
}

/* Takes over the reference to `m`. */
static void keep_edited(struct api_request *req, struct model *m, const struct model_edits *edits,
			const struct model_edited *edited, const char *what)
{
	struct buf detail = BUF_INIT(8192);
	char why[512] = "";
	int err = 0;

	write_detail(&detail, edits, edited);
	if (edited->added + edited->removed)
		err = store_save_kind(req->sw->store, m, kind_of(edits->kind), req->who, what,
				      buf_cstr(&detail), why, sizeof(why));
	buf_free(&detail);
	if (err)
		api_fail(req, 503,
			 &(struct api_problem){ .remedy = "mend the database, then try again" },
			 "the change could not be kept and is not in force: %s", why);
	if (err || edited->added + edited->removed == 0)
		model_unref(&m);
	else
		req->sw->apply_model(req->sw->arg, m);
	if (!err)
		write_edited(req, edited);
}

static void edit(struct api_request *req, const struct model *m, const struct model_edits *edits,
		 const char *what)
{
	struct model_error errors[ERRORS_MAX];
	struct model_edited edited = { 0 };
	struct model *changed = NULL;
	unsigned n = model_edit(&changed, m, edits, &edited, errors, ERRORS_MAX);

	if (n)
		api_write_errors(req, errors, n < ERRORS_MAX ? n : ERRORS_MAX);
	else
		keep_edited(req, changed, edits, &edited, what);
}

/* One after the other: each builds on what the one before it made. */
static void change(struct api_request *req, const struct model_edits *edits, const char *what)
{
	struct model *m;

	pthread_mutex_lock(&req->api->config_lock);
	m = model_hub_get(req->sw->hub);
	if ((!edits->only || must_exist(req, m, edits->kind, edits->only)) &&
	    api_still_matches(req))
		edit(req, m, edits, what);
	model_unref(&m);
	pthread_mutex_unlock(&req->api->config_lock);
}

static void change_numbers(struct api_request *req, bool add)
{
	const char *name = api_text(req, "name");
	struct model_edits edits = { .kind = "number_group", .key = "numbers", .only = name };
	struct model_edit *list = NULL;

	if (model_edits_of_numbers(&list, &edits.n, buf_span(&req->body), add ? name : NULL)) {
		api_fail(req, 503, NULL, "no memory to read the numbers");
		return;
	}
	edits.edits = list;
	change(req, &edits, add ? "number-group add" : "number-group remove");
	free(list);
}

void api_add_numbers(struct api_request *req)
{
	change_numbers(req, true);
}

void api_remove_numbers(struct api_request *req)
{
	change_numbers(req, false);
}

void api_import_areas(struct api_request *req)
{
	struct model_edits edits = { .kind = "area", .key = "mobiles" };
	struct arena *arena = arena_new(65536);
	struct model_edit *list = NULL;
	unsigned line = 0;
	int err = arena ? model_edits_of_areas(&list, &edits.n, arena, buf_span(&req->body), &line)
			: -ENOMEM;

	edits.edits = list;
	if (err == -EINVAL)
		api_write_errors(
			req,
			&(struct model_error){ .line = line,
					       .text = "is not a mobile number's beginning "
						       "and an area code",
					       .remedy = "write lines such as 1380101,021" },
			1);
	else if (err)
		api_fail(req, 503, NULL, "no memory to read the areas");
	else
		change(req, &edits, "area import");
	free(list);
	arena_free(&arena);
}
