/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sentences and evidence, in the arena of the engine. */
#include "diag/diag_int.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE_MAX 1024

static const char *say_list(struct diag *d, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static const char *say_list(struct diag *d, const char *format, va_list args)
{
	char text[SENTENCE_MAX];
	const char *kept;

	vsnprintf(text, sizeof(text), format, args);
	kept = arena_dup(d->arena, span_of(text));
	return kept ? kept : "";
}

const char *say(struct diag *d, const char *format, ...)
{
	const char *text;
	va_list args;

	va_start(args, format);
	text = say_list(d, format, args);
	va_end(args);
	return text;
}

void evidence(struct diag *d, struct diag_verdict *v, const struct message *m, const char *format,
	      ...)
{
	struct diag_evidence *e;
	va_list args;

	if (v->n_evidence == DIAG_EVIDENCE_MAX)
		return;
	e = &v->evidence[v->n_evidence++];
	e->frame = m ? m->where.frame : 0;
	va_start(args, format);
	e->text = say_list(d, format, args);
	va_end(args);
}

const char *say_addr(struct diag *d, const union net_addr *a)
{
	char text[NET_ADDR_TEXT];

	return say(d, "%s", net_addr_format(a, text));
}

const char *say_host(struct diag *d, const union net_addr *a)
{
	char text[NET_ADDR_TEXT];

	return say(d, "%s", net_addr_format_host(a, text));
}

const char *say_time(struct diag *d, uint64_t us)
{
	if (us < 2 * SEC)
		return say(d, "%u ms", (unsigned)((us + 500) / 1000));
	return say(d, "%u.%u s", (unsigned)(us / SEC), (unsigned)(us % SEC / 100000));
}
