/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base.h"

static struct span strip_comment(struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		bool starts = i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t';

		if (starts && (line.p[i] == ';' || line.p[i] == '#'))
			return span_head(line, i);
	}
	return line;
}

static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !ascii_digit(c) && c != '_' && c != '-' && c != '.')
			return false;
	}
	return s.len > 0;
}

static const char *ini_line(struct span line, struct span *section, ini_entry *entry, void *arg,
			    unsigned number)
{
	struct span key, value;

	if (line.p[0] == '[') {
		if (line.p[line.len - 1] != ']')
			return "section without its closing bracket";
		*section = span_trim((struct span){ line.p + 1, line.len - 2 });
		return is_name(*section)
			       ? NULL
			       : "section name may hold letters, digits, '_', '-' and '.' only";
	}
	if (!span_cut(line, '=', &key, &value))
		return "expected key = value";
	key = span_trim(key);
	if (!is_name(key))
		return "key may hold letters, digits, '_', '-' and '.' only";
	return entry(arg, *section, key, span_trim(value), number);
}

const char *ini_parse(struct span text, ini_entry *entry, void *arg, unsigned *line_out)
{
	struct span section = SPAN_NONE, line;
	unsigned number = 0;

	*line_out = 0;
	if (text.len > INI_MAX_SIZE)
		return "larger than 1 MiB";
	if (text.len && memchr(text.p, '\0', text.len))
		return "holds a NUL byte";
	while (text.len) {
		const char *error;

		span_cut(text, '\n', &line, &text);
		number++;
		line = span_trim(strip_comment(line));
		if (line.len == 0)
			continue;
		error = ini_line(line, &section, entry, arg, number);
		if (error) {
			*line_out = number;
			return error;
		}
	}
	return NULL;
}
