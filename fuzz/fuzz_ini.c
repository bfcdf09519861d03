/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was read and printed again reads as the same entries in the same order. */
#include "base/base.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(bool yes)
{
	if (!yes)
		abort();
}

static const char *print_entry(void *arg, struct span section, struct span key, struct span value,
			       unsigned line)
{
	struct buf *out = arg;

	same(line > 0 && key.len > 0);
	if (section.len)
		buf_addf(out, "[%.*s]\n", SPAN_ARG(section));
	buf_addf(out, "%.*s=%.*s\n", SPAN_ARG(key), SPAN_ARG(value));
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf first = BUF_INIT(INI_MAX_SIZE), second = BUF_INIT(INI_MAX_SIZE);
	struct span text = { (const char *)data, size };
	unsigned line, lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (ini_parse(text, print_entry, &first, &line)) {
		same(line <= lines);
	} else if (!first.failed) {
		same(ini_parse(buf_span(&first), print_entry, &second, &line) == NULL);
		same(line == 0 && span_eq(buf_span(&first), buf_span(&second)));
	}
	buf_free(&first);
	buf_free(&second);
	return 0;
}
