/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which numbers a gateway or phone, and the system, permit. In this order: what is forbidden by its
 * beginning, what is not among the beginnings allowed, lengths, kinds, groups forbidden, groups allowed; then both
 * numbers together, by their areas; then the gateway's schedule. */
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
	return !p->forbidden && !p->allowed && !p->lengths && !p->kinds && !p->groups_forbidden.n &&
	       !p->groups_allowed.n;
}

static bool kind_permitted(const struct model *m, int kinds, struct span number,
			   enum number_kind *kind_out)
{
	*kind_out = model_place(m, number).kind;
	return kinds & (int)*kind_out;
}

static struct reason check(const struct model *m, const struct model_permitted *p,
			   struct span number, bool callee)
{
	const struct model_number_group *group;
	enum number_kind kind;
	int64_t entry;

	if (p->forbidden && (entry = number_set_find_prefix(p->forbidden, number)) >= 0)
		return (struct reason){ .code = of(REASON_CALLER_FORBIDDEN, callee),
					.detail = number_set_at(p->forbidden, (unsigned)entry).p };
	if (p->allowed && number_set_find_prefix(p->allowed, number) < 0)
		return (struct reason){ .code = of(REASON_CALLER_NOT_ALLOWED, callee) };
	if (!length_permitted(p->lengths, number.len))
		return (struct reason){ .code = of(REASON_CALLER_LENGTH, callee),
					.value = (int64_t)number.len };
	if (p->kinds && !kind_permitted(m, p->kinds, number, &kind))
		return (struct reason){ .code = of(REASON_CALLER_KIND, callee),
					.detail = number_kind_name(kind) };
	group = model_number_listed(&p->groups_forbidden, number);
	if (group)
		return (struct reason){ .code = of(REASON_CALLER_GROUP, callee),
					.detail = group->name };
	if (p->groups_allowed.n && !model_number_listed(&p->groups_allowed, number))
		return (struct reason){ .code = of(REASON_CALLER_NO_GROUP, callee) };
	return (struct reason){ .code = REASON_CHOSEN };
}

static bool is_given(const struct model_area_choice *choice)
{
	return choice->only || choice->not_of;
}

static bool listed(const struct number_set *list, const struct model_area *area)
{
	return number_set_find_prefix(list, span_of(area->code)) >= 0;
}

/* One of the two reasons if the area is not chosen. */
static struct reason check_choice(const struct model_area_choice *choice,
				  const struct model_area *area, enum reason_code forbidden,
				  enum reason_code not_allowed)
{
	if (choice->not_of && listed(choice->not_of, area))
		return (struct reason){ .code = forbidden, .detail = area->code };
	if (choice->only && !listed(choice->only, area))
		return (struct reason){ .code = not_allowed, .detail = area->code };
	return (struct reason){ .code = REASON_CHOSEN };
}

static struct reason check_areas(const struct model *m, const struct model_numbers *numbers,
				 struct span caller, struct span callee)
{
	struct reason reason = { .code = REASON_CHOSEN };
	struct model_place to = model_place(m, callee);

	if (to.kind == NUMBER_MOBILE)
		reason = check_choice(&numbers->mobile_areas, to.area, REASON_MOBILE_AREA,
				      REASON_MOBILE_AREA_NOT_ALLOWED);
	if (reason.code == REASON_CHOSEN && to.area && is_given(&numbers->same_city) &&
	    model_place(m, caller).area == to.area)
		reason = check_choice(&numbers->same_city, to.area, REASON_SAME_CITY,
				      REASON_SAME_CITY_NOT_ALLOWED);
	return reason;
}

struct reason admit_numbers(const struct model *m, const struct model_numbers *numbers,
			    struct span caller, struct span callee)
{
	struct reason reason = { .code = REASON_CHOSEN };

	if (!permits_all(&numbers->caller))
		reason = check(m, &numbers->caller, caller, false);
	if (reason.code == REASON_CHOSEN && !permits_all(&numbers->callee))
		reason = check(m, &numbers->callee, callee, true);
	if (reason.code == REASON_CHOSEN &&
	    (is_given(&numbers->same_city) || is_given(&numbers->mobile_areas)))
		reason = check_areas(m, numbers, caller, callee);
	return reason;
}

static bool window_fits(const struct model_prefix_window *window, struct span caller,
			struct span callee)
{
	for (unsigned i = 0; i < window->n_prefixes; i++)
		if (span_starts(window->of_caller ? caller : callee, span_of(window->prefixes[i])))
			return true;
	return false;
}

enum reason_code admit_schedule(const struct model_prefix_window *windows, unsigned n,
				const struct zone *zone, struct span caller, struct span callee,
				uint64_t utc_us)
{
	bool asked[2] = { false, false }, allowed[2] = { false, false };

	for (unsigned i = 0; i < n; i++) {
		const struct model_prefix_window *window = &windows[i];
		bool fits = window_fits(window, caller, callee);

		if ((!window->allow && !fits) || !model_window_holds(&window->when, zone, utc_us))
			continue;
		if (!window->allow)
			return of(REASON_CALLER_TIME, !window->of_caller);
		asked[window->of_caller] = true;
		allowed[window->of_caller] = allowed[window->of_caller] || fits;
	}
	if (asked[true] != allowed[true])
		return REASON_CALLER_TIME;
	return asked[false] == allowed[false] ? REASON_CHOSEN : REASON_CALLEE_TIME;
}

bool rewrite_area_code(const struct model *m, const struct model_area_choice *choice,
		       struct rewritten *out)
{
	struct model_place place;

	out->area = NULL;
	if (!is_given(choice))
		return true;
	place = model_place(m, out->number);
	if (place.kind != NUMBER_MOBILE ||
	    check_choice(choice, place.area, REASON_MOBILE_AREA, REASON_MOBILE_AREA).code !=
		    REASON_CHOSEN)
		return true;
	out->area = place.area;
	out->number = span_skip(out->number, place.skip);
	return rewrite_put_before(out, span_of(place.area->code));
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
	[REASON_CALLER_KIND] = END_CALLER_KIND_FORBIDDEN,
	[REASON_CALLER_GROUP] = END_CALLER_GROUP_FORBIDDEN,
	[REASON_CALLER_NO_GROUP] = END_CALLER_GROUP_FORBIDDEN,
	[REASON_CALLER_TIME] = END_CALLER_PREFIX_FORBIDDEN,
	[REASON_CALLER_BLACKLISTED] = END_CALLER_BLACKLISTED,
	[REASON_CALLEE_FORBIDDEN] = END_CALLEE_PREFIX_FORBIDDEN,
	[REASON_CALLEE_NOT_ALLOWED] = END_CALLEE_PREFIX_FORBIDDEN,
	[REASON_CALLEE_LENGTH] = END_CALLEE_LENGTH_FORBIDDEN,
	[REASON_CALLEE_KIND] = END_CALLEE_KIND_FORBIDDEN,
	[REASON_CALLEE_GROUP] = END_CALLEE_GROUP_FORBIDDEN,
	[REASON_CALLEE_NO_GROUP] = END_CALLEE_GROUP_FORBIDDEN,
	[REASON_CALLEE_TIME] = END_CALLEE_PREFIX_FORBIDDEN,
	[REASON_CALLEE_BLACKLISTED] = END_CALLEE_BLACKLISTED,
	[REASON_SAME_CITY] = END_SAME_CITY_FORBIDDEN,
	[REASON_SAME_CITY_NOT_ALLOWED] = END_SAME_CITY_FORBIDDEN,
	[REASON_MOBILE_AREA] = END_MOBILE_AREA_FORBIDDEN,
	[REASON_MOBILE_AREA_NOT_ALLOWED] = END_MOBILE_AREA_FORBIDDEN,
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
	struct reason reason = admit_numbers(m, numbers, req->caller, req->callee);
	const char *name = out->mapping ? out->mapping->name : out->phone->number;

	if (reason.code == REASON_CHOSEN && out->mapping && out->mapping->n_scheduled_prefixes)
		reason.code = admit_schedule(out->mapping->scheduled_prefixes,
					     out->mapping->n_scheduled_prefixes,
					     model_zone(m, out->mapping->account), req->caller,
					     req->callee, req->utc_us);
	if (reason.code == REASON_CHOSEN && out->behind) {
		name = out->behind->number;
		reason = admit_numbers(m, &out->behind->numbers, req->caller, req->callee);
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
