/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Edits of lists: a few numbers in or out of a group of a million. A snapshot never changes, so the edited configuration
 * is written and read as a whole, by the same code as any other: nothing else decides what is valid. */
#include "model/model_int.h"

#include <stdio.h>

#define TEXT_MOST (256u << 20)

struct placed {
	const char *to;
	uint32_t entry;
};

struct editing {
	enum kind kind;
	const struct model_field_info *field;
	const char *only;
	const struct number_set *all; /* texts that are edited, each once */
	const char **to; /* of each: the object that lists it; NULL = none */
	struct placed *placed; /* those with an object, by its name */
	unsigned n_placed;
	struct model_edited counts;
};

/* ---- writing ------------------------------------------------------------------------------- */

bool edit_is_of(const struct editing *edit, enum kind kind, const void *object,
		const struct model_field_info *f)
{
	return kind == edit->kind && f == edit->field &&
	       (!edit->only || strcmp(edit->only, object_name(object)) == 0);
}

/* The first that is placed at or behind this name. */
static unsigned find_placed(const struct editing *edit, const char *name)
{
	unsigned low = 0, high = edit->n_placed;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (strcmp(edit->placed[middle].to, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void write_item(struct buf *out, struct span text, const char **before)
{
	buf_add_str(out, *before);
	buf_add_json(out, text);
	*before = ", ";
}

/* What goes is left out; what the object lists already stays where it is. */
static void write_kept(struct editing *edit, struct buf *out, const struct number_set *old,
		       const char *name, const char **before)
{
	for (unsigned i = 0; old && i < number_set_count(old); i++) {
		struct span text = number_set_at(old, i);
		int64_t entry = number_set_find(edit->all, text);

		if (entry < 0 || (edit->to[entry] && strcmp(edit->to[entry], name) == 0))
			write_item(out, text, before);
		else
			edit->counts.removed++;
	}
}

/* From place `i` on, as long as they are this object's. */
static unsigned write_placed(struct editing *edit, struct buf *out, const struct number_set *old,
			     unsigned i, const char **before)
{
	const char *name = edit->placed[i].to;

	for (; i < edit->n_placed && strcmp(edit->placed[i].to, name) == 0; i++) {
		struct span text = number_set_at(edit->all, edit->placed[i].entry);

		if (old && number_set_find(old, text) >= 0)
			continue;
		write_item(out, text, before);
		edit->counts.added++;
	}
	return i;
}

void edit_write_list(struct editing *edit, struct buf *out, const void *object)
{
	const struct number_set *old;
	const char *name = object_name(object), *before = "";
	unsigned at = find_placed(edit, name);

	memcpy(&old, (const char *)object + edit->field->offset, sizeof(old));
	buf_add_char(out, '[');
	write_kept(edit, out, old, name, &before);
	if (at < edit->n_placed && strcmp(edit->placed[at].to, name) == 0)
		write_placed(edit, out, old, at, &before);
	buf_add_char(out, ']');
}

void edit_write_new(struct editing *edit, struct buf *out, const struct model *m, enum kind kind,
		    bool first)
{
	const struct name_index *names = &m->index->names[kind];

	for (unsigned i = 0; kind == edit->kind && i < edit->n_placed;) {
		const char *name = edit->placed[i].to, *before = "";

		if (name_index_find(names, span_of(name))) {
			while (i < edit->n_placed && strcmp(edit->placed[i].to, name) == 0)
				i++;
			continue;
		}
		if (first)
			buf_addf(out, "%s:\n", kinds[kind].section);
		first = false;
		buf_addf(out, "  - %s: ", kinds[kind].fields[0].name);
		buf_add_json(out, span_of(name));
		buf_addf(out, "\n    %s: [", edit->field->name);
		i = write_placed(edit, out, NULL, i, &before);
		buf_add_str(out, "]\n");
	}
}

/* ---- what is to be edited -------------------------------------------------------------------- */

static int compare_placed(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int order = strcmp(x->to, y->to);

	return order ? order : (x->entry > y->entry) - (x->entry < y->entry);
}

/* The first text that cannot stand in the list, if there is one. */
static bool check_texts(const struct model_edits *edits, const struct model_field_info *field,
			struct model_error *error)
{
	struct fault fault;

	for (size_t i = 0; i < edits->n; i++) {
		if (item_is_good(field, edits->edits[i].text, &fault))
			continue;
		*error = (struct model_error){ .line = edits->edits[i].line };
		snprintf(error->object, sizeof(error->object), "%s",
			 edits->only ? edits->only : "");
		snprintf(error->text, sizeof(error->text), "%s", fault.text);
		snprintf(error->remedy, sizeof(error->remedy), "%s", fault.remedy);
		return false;
	}
	return true;
}

static int index_texts(struct editing *edit, const struct model_edits *edits, struct arena *arena)
{
	struct span *texts = calloc(edits->n + 1, sizeof(*texts));
	struct number_set *all = NULL;
	int err = texts ? 0 : -ENOMEM;

	for (size_t i = 0; i < edits->n && texts; i++)
		texts[i] = edits->edits[i].text;
	if (!err)
		err = number_set_build(&all, arena, texts, (unsigned)edits->n);
	free(texts);
	edit->all = all;
	return err;
}

static int place_texts(struct editing *edit, const struct model_edits *edits, struct arena *arena)
{
	unsigned n = number_set_count(edit->all);

	edit->to = arena_alloc(arena, (n + 1) * sizeof(*edit->to));
	edit->placed = arena_alloc(arena, (n + 1) * sizeof(*edit->placed));
	if (!edit->to || !edit->placed)
		return -ENOMEM;
	for (size_t i = 0; i < edits->n; i++)
		edit->to[number_set_find(edit->all, edits->edits[i].text)] = edits->edits[i].to;
	for (unsigned i = 0; i < n; i++)
		if (edit->to[i])
			edit->placed[edit->n_placed++] = (struct placed){ edit->to[i], i };
	qsort(edit->placed, edit->n_placed, sizeof(*edit->placed), compare_placed);
	return 0;
}

static void find_field(struct editing *edit, const struct model_edits *edits)
{
	while (strcmp(kinds[edit->kind].name, edits->kind) != 0)
		edit->kind++;
	edit->field = kinds[edit->kind].fields;
	while (strcmp(edit->field->name, edits->key) != 0)
		edit->field++;
}

/* Lines of the text that was read in between say nothing to anybody. */
static unsigned read_edited(struct model **model_out, const struct model *m, struct editing *edit,
			    struct model_error *errors, unsigned max_errors)
{
	struct buf yaml = BUF_INIT(TEXT_MOST);
	unsigned n;

	write_yaml_edited(&yaml, m, edit);
	n = model_read_yaml(model_out, buf_span(&yaml), errors, max_errors);
	buf_free(&yaml);
	for (unsigned i = 0; i < n && i < max_errors; i++)
		errors[i].line = errors[i].column = 0;
	return n;
}

unsigned model_edit(struct model **model_out, const struct model *m,
		    const struct model_edits *edits, struct model_edited *edited_out,
		    struct model_error *errors, unsigned max_errors)
{
	struct editing edit = { .only = edits->only };
	struct arena *arena = arena_new(65536);
	unsigned n = 1;

	assert(max_errors > 0);
	find_field(&edit, edits);
	if (!arena || (check_texts(edits, edit.field, errors) &&
		       (index_texts(&edit, edits, arena) || place_texts(&edit, edits, arena))))
		errors[0] = (struct model_error){ .text = "not enough memory for this change",
						  .remedy = "give the process more memory" };
	else if (edit.to)
		n = read_edited(model_out, m, &edit, errors, max_errors);
	if (!n)
		*edited_out = edit.counts;
	arena_free(&arena);
	return n;
}

/* ---- what people send ------------------------------------------------------------------------- */

/* Up to the next of `ends`; *rest is what follows it. */
static struct span cut_at(struct span *rest, const char *ends)
{
	size_t len = 0;
	struct span word;

	while (len < rest->len && !memchr(ends, rest->p[len], strlen(ends)))
		len++;
	word = span_head(*rest, len);
	*rest = span_skip(*rest, len < rest->len ? len + 1 : len);
	return word;
}

static struct model_edit *add_edit(struct model_edit **edits, size_t *n, size_t *size)
{
	if (*n == *size) {
		size_t more = *size ? *size * 2 : 64;
		struct model_edit *grown = realloc(*edits, more * sizeof(*grown));

		if (!grown)
			return NULL;
		*edits = grown;
		*size = more;
	}
	return &(*edits)[(*n)++];
}

int model_edits_of_numbers(struct model_edit **edits_out, size_t *n_out, struct span text,
			   const char *to)
{
	struct model_edit *edits = NULL, *edit;
	size_t n = 0, size = 0;
	unsigned line = 1;

	while (text.len) {
		struct span rest = text, word = cut_at(&rest, " \t\r\n,;");
		bool ends = word.len < text.len && text.p[word.len] == '\n';

		if (word.len) {
			edit = add_edit(&edits, &n, &size);
			if (!edit) {
				free(edits);
				return -ENOMEM;
			}
			*edit = (struct model_edit){ word, to, line };
		}
		line += ends;
		text = rest;
	}
	*edits_out = edits;
	*n_out = n;
	return 0;
}

static struct span unquoted(struct span cell)
{
	cell = span_trim(cell);
	if (cell.len >= 2 && cell.p[0] == '"' && cell.p[cell.len - 1] == '"')
		cell = span_trim(span_head(span_skip(cell, 1), cell.len - 2));
	return cell;
}

static bool is_heading(struct span mobile)
{
	for (size_t i = 0; i < mobile.len; i++)
		if (ascii_digit(mobile.p[i]))
			return false;
	return mobile.len > 0;
}

/* One line; `edit` untouched when it says nothing. 0, -ENOMEM or -EINVAL. */
static int read_area_line(struct model_edit *edit, struct span line, const char *last,
			  struct arena *arena)
{
	struct span mobile = unquoted(cut_at(&line, ",;\t")), code = unquoted(line);

	if (!mobile.len && !code.len)
		return 0;
	if (!mobile.len || mobile.len > NUMBER_SET_LEN_MAX || code.len > NAME_LEN_MAX ||
	    !text_of(code, "*#+._-", false))
		return -EINVAL;
	edit->text = mobile;
	edit->to = NULL;
	if (code.len) /* lines of one area stand together: one copy of its code will do */
		edit->to = last && span_eq(span_of(last), code) ? last : arena_dup(arena, code);
	return code.len && !edit->to ? -ENOMEM : 0;
}

int model_edits_of_areas(struct model_edit **edits_out, size_t *n_out, struct arena *arena,
			 struct span text, unsigned *line_out)
{
	struct model_edit *edits = NULL, *edit;
	size_t n = 0, size = 0;
	const char *last = NULL;
	int err = 0;

	for (unsigned number = 1; text.len && !err; number++) {
		struct span line = cut_at(&text, "\n"), rest = line;

		if (number == 1 && is_heading(unquoted(cut_at(&rest, ",;\t"))))
			continue;
		*line_out = number;
		edit = add_edit(&edits, &n, &size);
		if (!edit) {
			err = -ENOMEM;
			break;
		}
		*edit = (struct model_edit){ .line = number };
		err = read_area_line(edit, line, last, arena);
		last = edit->to ? edit->to : last;
		n -= !edit->text.len;
	}
	if (err) {
		free(edits);
		return err;
	}
	*edits_out = edits;
	*n_out = n;
	return 0;
}
