/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dynamic blacklist at the door: who is on it is refused, and who calls is counted. What a gateway's callers and
 * numbers on the white lists are exempt from are the rules; what an operator listed holds for everybody. */
#include "admit/admit_int.h"

#include <stdio.h>

static const struct {
	enum end_code end;
	enum reason_code reason;
} rules[BLACKLIST_RULES] = {
	[BLACKLIST_CALLS] = { END_BLACKLIST_CALLS, REASON_BLACKLIST_CALLS },
	[BLACKLIST_LINES] = { END_BLACKLIST_LINES, REASON_BLACKLIST_LINES },
	[BLACKLIST_NO_ANSWER] = { END_BLACKLIST_NO_ANSWER, REASON_BLACKLIST_NO_ANSWER },
	[BLACKLIST_CALLER] = { END_BLACKLIST_OPERATOR, REASON_BLACKLIST_OPERATOR },
	[BLACKLIST_CALLEE] = { END_BLACKLIST_OPERATOR, REASON_BLACKLIST_OPERATOR },
};

static void refuse(const struct model *m, const struct blacklist_entry *entry,
		   struct admit_result *out, struct reasons *why)
{
	const char *name = out->mapping ? out->mapping->name : out->phone->number;
	char number[40];
	int len;

	out->verdict = ADMIT_REFUSED;
	out->end = rules[entry->rule].end;
	len = snprintf(out->text, sizeof(out->text), "%s: ", name);
	blacklist_text(entry, &m->params,
		       admit_shown(span_of(entry->number), number, sizeof(number)), out->text + len,
		       sizeof(out->text) - (size_t)len);
	reasons_add(why, rules[entry->rule].reason, name, entry->count, entry->limit);
}

static bool is_exempt(const struct model *m, const struct admit_result *from, bool callee,
		      struct span number)
{
	return (from->mapping && from->mapping->blacklist_exempt) ||
	       model_number_listed(callee ? &m->white_callees : &m->white_callers, number);
}

void admit_check_blacklist(const struct model *m, const struct call_request *req,
			   struct admit_result *out, struct reasons *why)
{
	struct blacklist_entry entry;

	for (int callee = 0; callee < 2 && out->verdict == ADMIT_OK; callee++) {
		struct span number = callee ? req->callee : req->caller;

		if (blacklist_find(m->blacklist, callee, number, req->utc_us, &entry) &&
		    (blacklist_rule_is_operator(entry.rule) || !is_exempt(m, out, callee, number)))
			refuse(m, &entry, out, why);
	}
}

bool admit_watch(const struct model *m, const struct call_request *req, struct admit_result *out,
		 struct reasons *why, uint32_t *hold_out)
{
	struct blacklist_entry entry;

	*hold_out = 0;
	if (is_exempt(m, out, false, req->caller) ||
	    !blacklist_call_begins(m->blacklist, &m->params, req->caller, req->utc_us, hold_out,
				   &entry))
		return true;
	refuse(m, &entry, out, why);
	return false;
}

void admit_unwatch(const struct model *m, uint32_t hold)
{
	blacklist_call_ends(m->blacklist, hold);
}

void admit_rang(const struct model *m, const struct admit_result *from, struct span callee,
		bool answered, uint64_t utc_us)
{
	if (!is_exempt(m, from, true, callee))
		blacklist_call_rang(m->blacklist, &m->params, callee, answered, utc_us);
}
