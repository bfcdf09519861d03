/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first line is a number, what follows are dial rules. Rules that are taken have texts that are taken again as the
 * same rules; whatever rule is found makes a number of bounded length. */
#include "number/number.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dial_rules *rules, struct arena *arena, struct span number)
{
	unsigned n = dial_count(rules);
	struct span *texts = arena_alloc(arena, (n + 1) * sizeof(*texts));
	const struct dial_rule *found = dial_find(rules, number), *again;
	char dst[NUMBER_TEXT], dst_again[NUMBER_TEXT];
	struct dial_rules *reread = NULL;
	struct dial_fault fault;

	for (unsigned i = 0; i < n; i++)
		texts[i] = span_of(dial_text(dial_at(rules, i)));
	if (dial_compile(&reread, arena, texts, n, &fault) || dial_count(reread) != n)
		abort();
	again = dial_find(reread, number);
	if (!found != !again)
		abort();
	if (!found)
		return;
	if (strcmp(dial_text(found), dial_text(again)) != 0)
		abort();
	if (dial_apply(found, number, 7, dst) != dial_apply(again, number, 7, dst_again) ||
	    strcmp(dst, dst_again) != 0 || strlen(dst) >= NUMBER_TEXT)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span number, text = { (const char *)data, size };
	struct arena *arena = arena_new(4096);
	struct dial_rules *rules = NULL;
	struct dial_fault fault = { .what = "" };
	int err;

	span_cut(text, '\n', &number, &text);
	err = dial_compile(&rules, arena, &text, 1, &fault);
	if (err == -EINVAL && (!fault.what[0] || !fault.remedy[0]))
		abort();
	if (!err)
		check(rules, arena, span_head(number, NUMBER_TEXT - 1));
	arena_free(&arena);
	return 0;
}
