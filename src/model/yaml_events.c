/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/yaml_events.h"

#include <stdarg.h>
#include <stdio.h>

#define DEPTH_MOST 16

/* ---- errors ---------------------------------------------------------------------------- */

void reader_complain(struct reader *r, unsigned line, unsigned column, const char *remedy,
		     const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (!build_error(&r->b, line, column, r->object, text, remedy))
		r->stop = true;
}

unsigned reader_line(const struct reader *r)
{
	return (unsigned)r->event.start_mark.line + 1;
}

unsigned reader_column(const struct reader *r)
{
	return (unsigned)r->event.start_mark.column + 1;
}

static void complain_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	unsigned line = (unsigned)p->problem_mark.line + 1,
		 column = (unsigned)p->problem_mark.column + 1;

	if (p->error == YAML_READER_ERROR) {
		const unsigned char *text = p->input.string.start;
		size_t most = (size_t)(p->input.string.end - text);

		line = 1;
		for (size_t i = 0; i < p->problem_offset && i < most; i++)
			line += text[i] == '\n';
		column = 0;
	}
	reader_complain(
		r, line, column,
		"correct the YAML; quote texts that hold : # { } [ ] , or begin with * & ! | > % @",
		"not YAML: %s%s%s", p->problem ? p->problem : "cannot be read",
		p->context ? " " : "", p->context ? p->context : "");
	r->stop = true;
}

/* ---- events ----------------------------------------------------------------------------- */

static const char *event_refused(const struct reader *r)
{
	const yaml_event_t *e = &r->event;

	if (e->type == YAML_ALIAS_EVENT ||
	    (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
	    (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor) ||
	    (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor))
		return "anchors and aliases are not permitted";
	if ((e->type == YAML_SCALAR_EVENT && e->data.scalar.tag) ||
	    (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.tag) ||
	    (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.tag))
		return "tags are not permitted";
	if (r->depth > DEPTH_MOST)
		return "nested too deep, the limit is 16";
	return NULL;
}

yaml_event_type_t reader_next(struct reader *r)
{
	const char *refused;

	if (r->have_event)
		yaml_event_delete(&r->event);
	r->have_event = false;
	if (r->stop)
		return YAML_NO_EVENT;
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		complain_syntax(r);
		return YAML_NO_EVENT;
	}
	r->have_event = true;
	if (r->event.type == YAML_SEQUENCE_START_EVENT || r->event.type == YAML_MAPPING_START_EVENT)
		r->depth++;
	if (r->event.type == YAML_SEQUENCE_END_EVENT || r->event.type == YAML_MAPPING_END_EVENT)
		r->depth--;
	refused = event_refused(r);
	if (refused) {
		complain(r, "write the values out", "%s", refused);
		r->stop = true;
		return YAML_NO_EVENT;
	}
	return r->event.type;
}

yaml_event_type_t reader_type(const struct reader *r)
{
	return r->stop || !r->have_event ? YAML_NO_EVENT : r->event.type;
}

struct span reader_scalar(const struct reader *r)
{
	return (struct span){ (const char *)r->event.data.scalar.value,
			      r->event.data.scalar.length };
}

bool reader_is_null(const struct reader *r)
{
	struct span s;

	if (reader_type(r) != YAML_SCALAR_EVENT ||
	    r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	s = reader_scalar(r);
	return s.len == 0 || span_eq(s, SPAN("~")) || span_eq(s, SPAN("null"));
}

void reader_skip(struct reader *r)
{
	unsigned depth = r->depth;

	if (reader_type(r) != YAML_SEQUENCE_START_EVENT &&
	    reader_type(r) != YAML_MAPPING_START_EVENT)
		return;
	while (r->depth >= depth && reader_next(r) != YAML_NO_EVENT)
		;
}

bool reader_next_key(struct reader *r, char *key, size_t size)
{
	for (;;) {
		yaml_event_type_t type = reader_next(r);

		if (type == YAML_NO_EVENT || type == YAML_MAPPING_END_EVENT)
			return false;
		if (type == YAML_SCALAR_EVENT && span_copy(reader_scalar(r), key, size) < size)
			return true;
		complain(r, "write short plain keys",
			 type == YAML_SCALAR_EVENT ? "the key is too long"
						   : "a key must be plain text");
		reader_skip(r);
		reader_next(r);
		reader_skip(r);
	}
}
