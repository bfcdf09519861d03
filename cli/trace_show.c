/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages and decisions in the order of time, as text. */
#include "trace.h"

#include <stdlib.h>

#define TEXT_MAX (4u << 20)

/* ---- entries ------------------------------------------------------------------------------------------ */

static bool is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && value[0])
			return strcasestr(value, "UTF-8") || strcasestr(value, "UTF8");
	}
	return false;
}

const struct glyphs *trace_glyphs(void)
{
	static const struct glyphs utf8 = { "─", "▶", "◀", "│", "◆", "×", "→" };
	static const struct glyphs ascii = { "-", ">", "<", "|", "*", "x", "->" };

	return is_utf8() ? &utf8 : &ascii;
}

const char *entry_text(const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));

	return text ? text : "";
}

unsigned entry_number(const json_t *entry, const char *key)
{
	return (unsigned)json_integer_value(json_object_get(entry, key));
}

bool entry_is_message(const json_t *entry)
{
	return strcmp(entry_text(entry, "kind"), "message") == 0;
}

/* "2026-11-22T10:45:30.123456Z" */
uint64_t entry_time(const json_t *entry)
{
	const char *text = entry_text(entry, "time");
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	uint32_t us = 0;

	if (!rest)
		return 0;
	if (*rest == '.' && strlen(rest) >= 7)
		span_to_u32((struct span){ rest + 1, 6 }, &us);
	return (uint64_t)timegm(&tm) * SEC + us;
}

const char *entry_clock(uint64_t utc_us, bool date, char *dst, size_t size)
{
	time_t t = (time_t)(utc_us / SEC);
	unsigned us = (unsigned)(utc_us % SEC);
	struct tm tm;
	char day[32], zone[32];

	localtime_r(&t, &tm);
	strftime(day, sizeof(day), date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), " %Z", &tm);
	if (date)
		snprintf(dst, size, "%s.%06u%s", day, us, zone);
	else
		snprintf(dst, size, "%s.%03u", day, us / 1000);
	return dst;
}

static void add_call(struct buf *out, const json_t *fields)
{
	const char *from = entry_text(fields, "mapping_gateway"),
		   *to = entry_text(fields, "routing_gateway");

	show_clean(out, entry_text(fields, "caller"));
	buf_addf(out, " %s ", trace_glyphs()->to);
	show_clean(out, entry_text(fields, "callee"));
	buf_add_str(out, from[0] ? ", from " : "");
	show_clean(out, from);
	buf_add_str(out, to[0] ? ", by " : "");
	show_clean(out, to);
}

void entry_note(struct buf *out, const json_t *entry)
{
	const json_t *fields = json_object_get(entry, "fields");
	const char *text = entry_text(entry, "text"), *code = entry_text(fields, "end_code");
	const char *object = entry_text(entry, "object"),
		   *status = entry_text(fields, "sip_status");

	if (object[0] && !strstr(text, object)) {
		show_clean(out, object);
		buf_add_str(out, text[0] ? ": " : "");
	}
	if (code[0] && !strstr(text, code)) {
		show_clean(out, code);
		buf_add_str(out, status[0] ? " " : "");
		show_clean(out, status);
		buf_add_str(out, text[0] ? ": " : "");
	}
	if (text[0])
		show_clean_lines(out, text);
	else if (!code[0] && entry_text(fields, "callee")[0])
		add_call(out, fields);
}

/* "leg b, attempt 2" */
static void add_leg(struct buf *out, const json_t *entry)
{
	const char *leg = entry_text(entry, "leg");
	unsigned attempt = entry_number(entry, "attempt");

	if (leg[0])
		buf_addf(out, "  leg %c", ascii_lower(leg[0]));
	if (attempt)
		buf_addf(out, "%s attempt %u", leg[0] ? "," : " ", attempt);
}

/* ---- whole --------------------------------------------------------------------------------------------- */

static void add_message_head(struct buf *out, const json_t *entry)
{
	buf_addf(out, "  %s  ", entry_text(entry, "direction"));
	show_clean(out, entry_text(entry, "source"));
	buf_addf(out, " %s ", trace_glyphs()->to);
	show_clean(out, entry_text(entry, "destination"));
	buf_add_str(out, "  ");
	show_clean(out, entry_text(entry, "transport"));
	add_leg(out, entry);
	if (entry_number(entry, "repeat_of"))
		buf_addf(out, "  repeat of #%u", entry_number(entry, "repeat_of"));
}

/* The lines of a text, each behind `indent` blanks; empty ones at its end are left out. */
static void add_indented(struct buf *out, struct span text, unsigned indent)
{
	struct span line;
	bool more = true;

	while (text.len && text.p[text.len - 1] == '\n')
		text.len--;
	while (text.len && more) {
		more = span_cut(text, '\n', &line, &text);
		buf_addf(out, "%*s", (int)indent, "");
		buf_add_span(out, line);
		buf_add_char(out, '\n');
	}
}

void trace_show_entry(const json_t *entry)
{
	struct buf out = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);
	char time[64];

	buf_addf(&out, "#%-3u %s", entry_number(entry, "n"),
		 entry_clock(entry_time(entry), true, time, sizeof(time)));
	if (entry_is_message(entry)) {
		add_message_head(&out, entry);
		show_clean_lines(&text, entry_text(entry, "text"));
	} else {
		buf_addf(&out, "  %s ", trace_glyphs()->note);
		show_clean(&out, entry_text(entry, "kind"));
		add_leg(&out, entry);
		entry_note(&text, entry);
	}
	buf_add_char(&out, '\n');
	add_indented(&out, buf_span(&text), entry_is_message(entry) ? 0 : 5);
	puts(buf_cstr(&out));
	buf_free(&out);
	buf_free(&text);
}

void trace_show_entries(const json_t *entries)
{
	size_t i;
	json_t *entry;

	json_array_foreach(entries, i, entry) trace_show_entry(entry);
}

/* ---- in a line ------------------------------------------------------------------------------------------ */

void trace_show_line(const json_t *entry)
{
	struct buf out = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);
	const char *call = entry_text(entry, "call_id");
	struct span line, rest;
	char time[64];

	buf_addf(&out, "%s %-16s ", entry_clock(entry_time(entry), false, time, sizeof(time)),
		 call[0] ? call : "-");
	if (entry_is_message(entry)) {
		show_clean(&out, entry_text(entry, "source"));
		buf_addf(&out, " %s ", trace_glyphs()->to);
		show_clean(&out, entry_text(entry, "destination"));
		buf_addf(&out, " %s  ", entry_text(entry, "transport"));
		show_clean(&out, entry_text(entry, "what"));
		buf_add_str(&out, json_is_true(json_object_get(entry, "sdp")) ? " SDP  " : "  ");
		show_clean(&out, entry_text(entry, "cseq"));
	} else {
		buf_addf(&out, "%s ", trace_glyphs()->note);
		show_clean(&out, entry_text(entry, "kind"));
		buf_add_str(&out, ": ");
		entry_note(&text, entry);
		span_cut(buf_span(&text), '\n', &line, &rest);
		buf_add_span(&out, line);
	}
	add_leg(&out, entry);
	puts(buf_cstr(&out));
	buf_free(&out);
	buf_free(&text);
}
