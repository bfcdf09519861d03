/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which numbers a gateway or phone, and the system, permit. In this order: what is forbidden by its
 * beginning, what is not among the beginnings allowed, lengths, groups forbidden, groups allowed. */
#include "admit/admit_int.h"

/* Reasons come in two rows of the same order, for callers and for callees. */
#define ROW (REASON_CALLEE_FORBIDDEN - REASON_CALLER_FORBIDDEN)

static enum reason_code of(enum reason_code code, bool callee)
{
	return callee ? (enum reason_code)(code + ROW) : code;
}

static_assert(REASON_CALLEE_BLACKLISTED - REASON_CALLEE_FORBIDDEN ==
		      REASON_CALLER_BLACKLISTED - REASON_CALLER_FORBIDDEN,
	      "the same row twice");

static bool length_permitted(uint64_t lengths, size_t len)
{
	return !lengths || (lengths >> (len < 63 ? len : 63) & 1);
}

static bool permits_all(const struct model_permitted *p)
{
	return !p->forbidden && !p->allowed && !p->lengths && !p->groups_forbidden.n &&
	       !p->groups_allowed.n;
}

static struct reason check(const struct model_permitted *p, struct span number, bool callee)
{
	const struct model_number_group *group;
	int64_t entry;

	if (p->forbidden && (entry = number_set_find_prefix(p->forbidden, number)) >= 0)
		return (struct reason){ .code = of(REASON_CALLER_FORBIDDEN, callee),
					.detail = number_set_at(p->forbidden, (unsigned)entry).p };
	if (p->allowed && number_set_find_prefix(p->allowed, number) < 0)
		return (struct reason){ .code = of(REASON_CALLER_NOT_ALLOWED, callee) };
	if (!length_permitted(p->lengths, number.len))
		return (struct reason){ .code = of(REASON_CALLER_LENGTH, callee),
					.value = (int64_t)number.len };
	group = model_number_listed(&p->groups_forbidden, number);
	if (group)
		return (struct reason){ .code = of(REASON_CALLER_GROUP, callee),
					.detail = group->name };
	if (p->groups_allowed.n && !model_number_listed(&p->groups_allowed, number))
		return (struct reason){ .code = of(REASON_CALLER_NO_GROUP, callee) };
	return (struct reason){ .code = REASON_CHOSEN };
}

struct reason admit_numbers(const struct model_numbers *numbers, struct span caller,
			    struct span callee)
{
	struct reason reason = { .code = REASON_CHOSEN };

	if (!permits_all(&numbers->caller))
		reason = check(&numbers->caller, caller, false);
	if (reason.code == REASON_CHOSEN && !permits_all(&numbers->callee))
		reason = check(&numbers->callee, callee, true);
	return reason;
}

/* The system's black and white lists. */
static struct reason check_system(const struct model *m, struct span caller, struct span callee)
{
	const struct model_number_group *group = model_number_listed(&m->black_callers, caller);

	if (group && !model_number_listed(&m->white_callers, caller))
		return (struct reason){ .code = REASON_CALLER_BLACKLISTED, .detail = group->name };
	group = model_number_listed(&m->black_callees, callee);
	if (group && !model_number_listed(&m->white_callees, callee))
		return (struct reason){ .code = REASON_CALLEE_BLACKLISTED, .detail = group->name };
	return (struct reason){ .code = REASON_CHOSEN };
}

static const enum end_code ends[REASONS] = {
	[REASON_CALLER_FORBIDDEN] = END_CALLER_PREFIX_FORBIDDEN,
	[REASON_CALLER_NOT_ALLOWED] = END_CALLER_PREFIX_FORBIDDEN,
	[REASON_CALLER_LENGTH] = END_CALLER_LENGTH_FORBIDDEN,
	[REASON_CALLER_GROUP] = END_CALLER_GROUP_FORBIDDEN,
	[REASON_CALLER_NO_GROUP] = END_CALLER_GROUP_FORBIDDEN,
	[REASON_CALLER_BLACKLISTED] = END_CALLER_BLACKLISTED,
	[REASON_CALLEE_FORBIDDEN] = END_CALLEE_PREFIX_FORBIDDEN,
	[REASON_CALLEE_NOT_ALLOWED] = END_CALLEE_PREFIX_FORBIDDEN,
	[REASON_CALLEE_LENGTH] = END_CALLEE_LENGTH_FORBIDDEN,
	[REASON_CALLEE_GROUP] = END_CALLEE_GROUP_FORBIDDEN,
	[REASON_CALLEE_NO_GROUP] = END_CALLEE_GROUP_FORBIDDEN,
	[REASON_CALLEE_BLACKLISTED] = END_CALLEE_BLACKLISTED,
};

/* "caller begins with 4930, ..." becomes "acme-in: caller 4930123 begins with 4930, ...". */
void admit_refuse_number(struct admit_result *out, enum end_code end, const struct reason *reason,
			 struct span number, struct reasons *why)
{
	struct reason bare = *reason;
	char text[160], shown[64];
	size_t side = strlen("caller");

	out->verdict = ADMIT_REFUSED;
	out->end = end;
	reasons_add_reason(why, reason);
	bare.object = NULL;
	reason_text(&bare, text, sizeof(text));
	admit_shown(number.len ? number : SPAN("(none)"), shown, sizeof(shown));
	fmt_print(out->text, sizeof(out->text), "%s: %.*s %s%s", reason->object, (int)side, text,
		  shown, text + side);
}

void admit_check_numbers(const struct model *m, const struct call_request *req,
			 struct admit_result *out, struct reasons *why)
{
	const struct model_numbers *numbers =
		out->mapping ? &out->mapping->numbers : &out->phone->numbers;
	struct reason reason = admit_numbers(numbers, req->caller, req->callee);
	const char *name = out->mapping ? out->mapping->name : out->phone->number;

	if (reason.code == REASON_CHOSEN && out->behind) {
		name = out->behind->number;
		reason = admit_numbers(&out->behind->numbers, req->caller, req->callee);
	}
	if (reason.code == REASON_CHOSEN)
		reason = check_system(m, req->caller, req->callee);
	if (reason.code == REASON_CHOSEN)
		return;
	reason.object = name;
	admit_refuse_number(out, ends[reason.code], &reason,
			    reason.code >= REASON_CALLEE_FORBIDDEN ? req->callee : req->caller,
			    why);
}
