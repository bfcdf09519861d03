/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list of numbers, or after a first byte 'a' a table of areas, put into a configuration: what is taken is listed, once,
 * by the object that it was meant for; what is not leaves a sentence. */
#include "model/model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] =
	"version: 1\nnumber_groups: [ { name: g, numbers: [ \"1\", \"2\" ] } ]\n"
	"areas: [ { code: \"010\", mobiles: [ \"138\" ] } ]\n";

static const struct number_set *list_of(const struct model *m, bool areas, const char *to)
{
	return areas ? model_area(m, span_of(to))->mobiles
		     : model_number_group(m, span_of(to))->numbers;
}

/* The last that is said of a text counts. */
static void check(const struct model *m, bool areas, const struct model_edits *edits)
{
	for (size_t i = 0; i < edits->n; i++) {
		const struct model_edit *edit = &edits->edits[i];
		bool last = true;

		for (size_t j = i + 1; j < edits->n && last; j++)
			last = !span_eq(edit->text, edits->edits[j].text);
		if (last && edit->to &&
		    number_set_find(list_of(m, areas, edit->to), edit->text) < 0)
			abort();
	}
}

static void edit(const struct model *m, bool areas, const struct model_edits *edits)
{
	struct model_error error = { .text = "" };
	struct model_edited counts;
	struct model *changed = NULL;

	if (model_edit(&changed, m, edits, &counts, &error, 1)) {
		if (!error.text[0])
			abort();
		return;
	}
	if (edits->n < 500)
		check(changed, areas, edits);
	model_unref(&changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool areas = size && data[0] == 'a';
	struct span text = { (const char *)data + areas, size - areas };
	struct model_edits edits = { .kind = areas ? "area" : "number_group",
				     .key = areas ? "mobiles" : "numbers",
				     .only = areas ? NULL : "g" };
	struct arena *arena = arena_new(1024);
	struct model_edit *list = NULL;
	struct model *m = NULL;
	unsigned line = 0;
	int err;

	if (model_read_yaml(&m, SPAN(config), NULL, 0))
		abort();
	err = areas ? model_edits_of_areas(&list, &edits.n, arena, text, &line)
		    : model_edits_of_numbers(&list, &edits.n, text, "g");
	if (err && !line)
		abort();
	edits.edits = list;
	if (!err)
		edit(m, areas, &edits);
	free(list);
	arena_free(&arena);
	model_unref(&m);
	return 0;
}
