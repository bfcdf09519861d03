/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people read: aligned tables and cards. Texts in replies come from peers too (numbers, product names), so
 * nothing is printed before control characters are taken out. Times are local here and carry their zone;
 * the JSON has them in UTC. */
#define _XOPEN_SOURCE_EXTENDED 1
#include "cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <wchar.h>

#define TEXT_MAX (1u << 20)
#define COLUMNS_MAX 24
#define CELL_WIDTH_MAX 60

/* ---- text ------------------------------------------------------------------------------------ */

/* Controls (C0, C1) and the marks that turn the direction of writing, which could disguise a number. */
static bool is_safe(wchar_t c)
{
	return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && !(c >= 0x200b && c <= 0x200f) &&
	       !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x2069) && c != 0xfeff;
}

unsigned show_clean(struct buf *out, const char *text)
{
	size_t left = strlen(text);
	mbstate_t state = { 0 };
	unsigned width = 0;

	while (left) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, left, &state);
		int columns;

		if (n == 0 || n > left) { /* not UTF-8 here */
			state = (mbstate_t){ 0 };
			n = 1;
			c = 0;
		}
		columns = is_safe(c) ? wcwidth(c) : -1;
		if (columns < 0) {
			buf_add_char(out, '?');
			columns = 1;
		} else {
			buf_add(out, text, n);
		}
		width += (unsigned)columns;
		text += n;
		left -= n;
	}
	return width;
}

void show_clean_lines(struct buf *out, const char *text)
{
	struct span line, rest = span_of(text);
	bool more = true;
	char *copy;

	while (more) {
		more = span_cut(rest, '\n', &line, &rest);
		if (more && line.len && line.p[line.len - 1] == '\r')
			line.len--;
		copy = strndup(line.p ? line.p : "", line.len);
		if (!copy)
			abort();
		show_clean(out, copy);
		free(copy);
		if (more)
			buf_add_char(out, '\n');
	}
}

void show_json(const struct reply *reply)
{
	if (reply->body.len)
		fwrite(reply->body.p, 1, reply->body.len, stdout);
	if (!reply->body.len || reply->body.p[reply->body.len - 1] != '\n')
		putchar('\n');
}

/* ---- times -------------------------------------------------------------------------------------- */

/* "2026-11-22T10:45:30.123456Z" */
static bool parse_utc(const char *text, time_t *out)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!rest)
		return false;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (strcmp(rest, "Z") != 0)
		return false;
	*out = timegm(&tm);
	return true;
}

const char *local_time(const char *utc, char *dst, size_t size)
{
	struct tm tm;
	time_t t;

	if (!parse_utc(utc, &t) || !localtime_r(&t, &tm) ||
	    !strftime(dst, size, "%Y-%m-%d %H:%M:%S %Z", &tm))
		return utc;
	return dst;
}

static bool parse_ago(const char *text, time_t *out)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	size_t len = strlen(text);
	uint32_t n;

	if (len < 2 || span_to_u32((struct span){ text, len - 1 }, &n))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (text[len - 1] == units[i].unit) {
			*out = (time_t)(clock_utc_us() / SEC) - (time_t)(n * units[i].seconds);
			return *out >= 0;
		}
	return false;
}

static bool parse_local(const char *text, time_t *out)
{
	static const char *const forms[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
					     "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct tm tm = { 0 };
		const char *rest = strptime(text, forms[i], &tm);

		tm.tm_isdst = -1;
		if (rest && !*rest) {
			*out = mktime(&tm);
			return *out >= 0;
		}
	}
	return false;
}

bool parse_time_arg(const char *text, char *dst, size_t size)
{
	struct tm tm;
	time_t t;

	if (parse_ago(text, &t) || parse_local(text, &t))
		return gmtime_r(&t, &tm) && strftime(dst, size, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0;
	/* With a zone of its own: the API reads it. */
	if (strlen(text) < 17 || strlen(text) >= size || !strptime(text, "%Y-%m-%dT%H:%M", &tm))
		return false;
	snprintf(dst, size, "%s", text);
	return true;
}

const char *format_seconds(double seconds, char *dst, size_t size)
{
	unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

	if (seconds > 0 && seconds < 10 && seconds > (double)s)
		snprintf(dst, size, "%.2fs", seconds);
	else if (s < 60)
		snprintf(dst, size, "%lus", s);
	else if (s < 3600)
		snprintf(dst, size, "%lu:%02lu", s / 60, s % 60);
	else if (s < 86400)
		snprintf(dst, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(dst, size, "%lud %lu:%02lu:%02lu", s / 86400, s / 3600 % 24, s / 60 % 60,
			 s % 60);
	return dst;
}

/* ---- values ------------------------------------------------------------------------------------- */

static void add_value(struct buf *out, const json_t *value, enum format format);

/* "phone (added 3), account (changed 1)": an object in one cell, without its zeros. */
static void add_object(struct buf *out, const json_t *object)
{
	size_t before = out->len;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		if (json_is_null(value) || (json_is_integer(value) && !json_integer_value(value)))
			continue;
		buf_add_str(out, out->len > before ? ", " : "");
		show_clean(out, key);
		buf_add_str(out, json_is_object(value) ? " (" : " ");
		add_value(out, value, AS_TEXT);
		buf_add_str(out, json_is_object(value) ? ")" : "");
	}
}

/* "a, b" of an array of plain values. */
static void add_array(struct buf *out, const json_t *array)
{
	size_t i;
	json_t *value;

	json_array_foreach(array, i, value)
	{
		buf_add_str(out, i ? ", " : "");
		if (json_is_string(value) && !json_string_length(value))
			buf_add_str(out, "\"\"");
		add_value(out, value, AS_TEXT);
	}
}

static void add_value(struct buf *out, const json_t *value, enum format format)
{
	char text[64];

	if (json_is_string(value))
		show_clean(out, format == AS_TEXT
					? json_string_value(value)
					: local_time(json_string_value(value), text, sizeof(text)));
	else if (json_is_number(value) && format == AS_SECONDS)
		buf_add_str(out, format_seconds(json_number_value(value), text, sizeof(text)));
	else if (json_is_integer(value))
		buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		buf_addf(out, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		buf_add_str(out, json_is_true(value) ? "yes" : format == AS_YES ? "" : "no");
	else if (json_is_array(value))
		add_array(out, value);
	else if (json_is_object(value))
		add_object(out, value);
}

/* "load.calls" */
static const json_t *descend(const json_t *object, struct span path)
{
	struct span key;
	bool more = true;

	while (more && object) {
		more = span_cut(path, '.', &key, &path);
		object = json_object_getn(object, key.p, key.len);
	}
	return object;
}

static void add_cell(struct buf *out, const json_t *row, const struct column *column)
{
	struct span keys = span_of(column->keys), key;
	const json_t *lines, *limit;
	bool more = true;

	if (column->format == AS_LINES) { /* in use / limit */
		lines = descend(row, SPAN("load.lines"));
		limit = descend(row, SPAN("load.line_limit")); /* the one in force */
		if (lines && json_integer_value(limit) > 0)
			buf_addf(out, "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
				 json_integer_value(lines), json_integer_value(limit));
		else if (lines)
			buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(lines));
		return;
	}
	while (more) {
		const json_t *value;

		more = span_cut(keys, '|', &key, &keys);
		value = descend(row, key);
		if (value && !json_is_null(value)) {
			add_value(out, value, column->format);
			return;
		}
	}
}

/* ---- tables --------------------------------------------------------------------------------------- */

/* Width in columns of clean text. */
static unsigned width_of(const char *text)
{
	struct buf scratch = BUF_INIT(TEXT_MAX);
	unsigned width = show_clean(&scratch, text);

	buf_free(&scratch);
	return width;
}

static void print_cell(const char *text, unsigned width, bool right, bool last)
{
	unsigned have = width_of(text);
	int pad = width > have ? (int)(width - have) : 0;

	if (right)
		printf("%*s%s", pad, "", text);
	else
		printf("%s%*s", text, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

static char *cell_text(const json_t *row, const struct column *column)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	char *text;

	add_cell(&out, row, column);
	text = strdup(buf_cstr(&out));
	buf_free(&out);
	if (!text)
		abort();
	return text;
}

static bool is_right(const struct column *column)
{
	return column->format == AS_NUMBER || column->format == AS_SECONDS ||
	       column->format == AS_LINES;
}

/* Which columns hold anything, and how wide are they? Returns the last used one. */
static size_t measure(char **cells, size_t n_rows, const struct column *columns, size_t n,
		      unsigned *widths)
{
	size_t last = 0;

	for (size_t c = 0; c < n; c++) {
		widths[c] = 0;
		for (size_t r = 0; r < n_rows; r++) {
			unsigned width = width_of(cells[r * n + c]);

			if (width > CELL_WIDTH_MAX)
				width = CELL_WIDTH_MAX; /* longer ones stick out */
			if (width > widths[c])
				widths[c] = width;
		}
		if (!widths[c])
			continue;
		last = c;
		if (widths[c] < strlen(columns[c].title))
			widths[c] = (unsigned)strlen(columns[c].title);
	}
	return last;
}

static void print_rows(char **cells, size_t n_rows, const struct column *columns, size_t n)
{
	unsigned widths[COLUMNS_MAX];
	size_t last = measure(cells, n_rows, columns, n, widths);

	for (size_t c = 0; c <= last; c++)
		if (widths[c])
			print_cell(columns[c].title, widths[c], is_right(&columns[c]), c == last);
	for (size_t r = 0; r < n_rows; r++)
		for (size_t c = 0; c <= last; c++)
			if (widths[c])
				print_cell(cells[r * n + c], widths[c], is_right(&columns[c]),
					   c == last);
}

void show_table(const json_t *rows, const struct column *columns, size_t n, const char *when_empty)
{
	size_t n_rows = json_array_size(rows);
	char **cells;

	assert(n <= COLUMNS_MAX);
	if (!n_rows) {
		puts(when_empty);
		return;
	}
	cells = calloc(n_rows * n, sizeof(*cells));
	if (!cells)
		abort();
	for (size_t i = 0; i < n_rows * n; i++)
		cells[i] = cell_text(json_array_get(rows, i / n), &columns[i % n]);
	print_rows(cells, n_rows, columns, n);
	for (size_t i = 0; i < n_rows * n; i++)
		free(cells[i]);
	free(cells);
}

/* ---- cards ---------------------------------------------------------------------------------------- */

/* "talk_s" is shown as "talk", 75 as "1:15"; "line_limit" as "line limit". */
static bool is_seconds(const char *key)
{
	size_t len = strlen(key);

	return len > 2 && strcmp(key + len - 2, "_s") == 0;
}

static void make_title(const char *key, char *dst, size_t size)
{
	size_t len = span_copy(span_of(key), dst, size);

	if (is_seconds(key) && len < size)
		dst[len - 2] = '\0';
	for (char *c = dst; *c; c++)
		if (*c == '_')
			*c = ' ';
}

static bool is_nothing(const json_t *value)
{
	return json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
	       (json_is_array(value) && !json_array_size(value));
}

static bool is_plain(const json_t *value)
{
	return !json_is_object(value) &&
	       !(json_is_array(value) && json_is_object(json_array_get(value, 0)));
}

/* Texts of several lines keep their shape under the key. */
static void print_value(const char *text, unsigned indent)
{
	struct span line, rest = span_of(text);
	bool more = true, first = true;
	struct buf out = BUF_INIT(TEXT_MAX);

	while (more) {
		more = span_cut(rest, '\n', &line, &rest);
		if (!line.len && !more)
			break;
		buf_reset(&out);
		buf_add_span(&out, line);
		printf("%*s%s\n", first ? 0 : (int)indent, "", buf_cstr(&out));
		first = false;
	}
	if (first)
		putchar('\n');
	buf_free(&out);
}

static void print_member(const char *key, const json_t *value, unsigned indent, unsigned width)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	char title[64];

	make_title(key, title, sizeof(title));
	printf("%*s%-*s  ", (int)indent, "", (int)width, title);
	if (json_is_string(value) && strchr(json_string_value(value), '\n'))
		show_clean_lines(&out, json_string_value(value));
	else
		add_value(&out, value, is_seconds(key) ? AS_SECONDS : AS_TIME);
	print_value(buf_cstr(&out), indent + width + 2);
	buf_free(&out);
}

static void print_section(const char *key, const json_t *value, unsigned indent)
{
	char title[64];
	size_t i;
	json_t *element;

	make_title(key, title, sizeof(title));
	if (json_is_object(value)) {
		printf("%*s%s\n", (int)indent, "", title);
		show_card(value, indent + 2);
		return;
	}
	json_array_foreach(value, i, element)
	{
		printf("%*s%s %zu\n", (int)indent, "", title, i + 1);
		show_card(element, indent + 2);
	}
}

void show_card(const json_t *object, unsigned indent)
{
	unsigned width = 0;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key,
			    value) if (is_plain(value) && !is_nothing(value) && strlen(key) > width)
		width = (unsigned)strlen(key);
	json_object_foreach((json_t *)object, key, value) if (is_plain(value) && !is_nothing(value))
		print_member(key, value, indent, width);
	json_object_foreach((json_t *)object, key, value) if (!is_plain(value))
		print_section(key, value, indent);
}
