/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of SIP statuses as people write them, kept as text and read when a call fails: that is seldom, and
 * the lists are short. "503,480-489" names statuses; "404:503,0:480" replaces them. */
#include "model/model_int.h"

#define STATUS_LEAST 300
#define STATUS_MOST 699

static bool status_parse(struct span text, uint32_t *out)
{
	return text.len == 3 && span_to_u32(text, out) == 0 && *out >= STATUS_LEAST &&
	       *out <= STATUS_MOST;
}

bool code_range_parse(struct span text, uint32_t *first_out, uint32_t *last_out)
{
	struct span first, last;
	bool range = span_cut(text, '-', &first, &last);

	if (!status_parse(first, first_out) || !status_parse(range ? last : first, last_out))
		return false;
	return *first_out <= *last_out;
}

/* 0 as the original means all others, as the replacement: leave it. A caller's INVITE is refused with 400 or above. */
bool code_pair_parse(struct span text, uint32_t *from_out, uint32_t *to_out)
{
	struct span from, to;

	if (!span_cut(text, ':', &from, &to))
		return false;
	*from_out = *to_out = 0;
	return (span_eq(from, SPAN("0")) || status_parse(from, from_out)) &&
	       (span_eq(to, SPAN("0")) || (status_parse(to, to_out) && *to_out >= 400));
}

bool code_list_is_good(struct span list)
{
	uint32_t first, last;
	struct span one;
	bool more = list.len != 0;

	while (more) {
		more = span_cut(list, ',', &one, &list);
		if (!code_range_parse(span_trim(one), &first, &last))
			return false;
	}
	return true;
}

bool model_code_listed(const char *list, int status)
{
	struct span rest = span_of(list), one;
	bool more = rest.len != 0;
	uint32_t first, last;

	while (more) {
		more = span_cut(rest, ',', &one, &rest);
		if (code_range_parse(span_trim(one), &first, &last) && (int)first <= status &&
		    status <= (int)last)
			return true;
	}
	return false;
}

int model_code_replaced(const char *map, int status)
{
	struct span rest = span_of(map), one;
	bool more = rest.len != 0;
	uint32_t from, to, others = 0;

	while (more) {
		more = span_cut(rest, ',', &one, &rest);
		if (!code_pair_parse(one, &from, &to))
			continue;
		if ((int)from == status)
			return to ? (int)to : status;
		if (from == 0)
			others = to;
	}
	return others ? (int)others : status;
}
