/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of the numbers of an admitted call before it is routed. The order for each of them: number
 * transform, dial rules, area code, route prefix. Then the LRN server may name a number to route by. */
#include "admit/admit_int.h"

/* Through a buffer of its own: the number may lie in out->text. */
static bool apply(struct rewritten *out, uint64_t random)
{
	char text[NUMBER_TEXT];
	int len = dial_apply(out->rule, out->number, random, text);

	if (len < 0)
		return false;
	memcpy(out->text, text, (size_t)len + 1);
	out->number = (struct span){ out->text, (size_t)len };
	return true;
}

bool rewrite_by_rules(struct rewritten *out, const struct dial_rules *rules, uint64_t random)
{
	out->rule = rules ? dial_find(rules, out->number) : NULL;
	return !out->rule || apply(out, random);
}

/* Of the percentages in a row the one that the number from 0 to 99 falls into. */
static const struct model_share *choose_share(const struct model_mapping *gw, uint64_t random)
{
	uint64_t at = number_below(&random, 100);

	for (unsigned i = 0; i < gw->n_shares; i++) {
		if (at < gw->shares[i].percent)
			return &gw->shares[i];
		at -= gw->shares[i].percent;
	}
	return NULL;
}

bool rewrite_put_before(struct rewritten *out, struct span prefix)
{
	if (prefix.len + out->number.len >= NUMBER_TEXT)
		return false;
	if (out->number.len)
		memmove(out->text + prefix.len, out->number.p, out->number.len);
	memcpy(out->text, prefix.p, prefix.len);
	out->number = (struct span){ out->text, prefix.len + out->number.len };
	out->text[out->number.len] = '\0';
	return true;
}

/* Nothing that could be called, or a caller that no message can carry. */
static bool refuse(struct admit_result *out, struct reasons *why, enum reason_code code,
		   const struct rewritten *by)
{
	struct reason reason = { .code = code,
				 .object = out->mapping ? out->mapping->name : out->phone->number,
				 .detail = by->rule    ? dial_text(by->rule)
					   : by->area  ? by->area->code
					   : by->share ? by->share->prefix
						       : "" };

	out->verdict = ADMIT_REFUSED;
	out->end = END_NUMBER_REWRITE_FAILED;
	reason_text(&reason, out->text, sizeof(out->text));
	reasons_add_reason(why, &reason);
	return false;
}

/* Whether it is one of ours may matter. */
static bool check_phone(const struct model *m, int phones, struct span callee,
			struct admit_result *out, struct reasons *why)
{
	struct reason reason = { .code = phones == CALLEE_PHONES_ONLY ? REASON_CALLEE_NO_PHONE
								      : REASON_CALLEE_PHONE };

	if (phones == CALLEE_ANY ||
	    (model_phone_called(m, callee) != NULL) == (phones == CALLEE_PHONES_ONLY))
		return true;
	reason.object = out->mapping ? out->mapping->name : out->phone->number;
	admit_refuse_number(out, END_CALLEE_PHONE_FORBIDDEN, &reason, callee, why);
	return false;
}

bool admit_rewrite(const struct model *m, const struct call_request *req, struct admit_result *out,
		   struct routed_numbers *numbers, struct reasons *why)
{
	const struct model_mapping *gw = out->mapping;
	const struct model_numbers *by = gw ? &gw->numbers : &out->phone->numbers;
	struct rewritten *caller = &numbers->caller, *callee = &numbers->callee;
	const struct zone *zone = model_zone(m, gw ? gw->account : out->account);
	struct model_rules rules = model_rules(by, zone, req->utc_us);

	caller->number = req->caller;
	callee->number = req->callee;
	caller->transform = by->transform ? model_transform_of_caller(m, req->caller) : NULL;
	if (caller->transform)
		caller->number = span_of(caller->transform->number);
	callee->transform = NULL;
	caller->share = callee->share = NULL;
	caller->pool = callee->pool = NULL;
	caller->display = callee->display = NULL;
	if (!rewrite_by_rules(caller, rules.caller, req->random))
		return refuse(out, why, REASON_CALLER_REWRITE, caller);
	if (!rewrite_by_rules(callee, rules.callee, req->random) || !callee->number.len)
		return refuse(out, why, REASON_CALLEE_REWRITE, callee);
	caller->area = NULL;
	if (!rewrite_area_code(m, &by->add_area_code, callee))
		return refuse(out, why, REASON_CALLEE_REWRITE, callee);
	callee->share = gw && gw->n_shares ? choose_share(gw, req->random) : NULL;
	if (callee->share && !rewrite_put_before(callee, span_of(callee->share->prefix)))
		return refuse(out, why, REASON_CALLEE_REWRITE, callee);
	return check_phone(m, by->callee_phones, callee->number, out, why);
}

/* ---- number portability ---------------------------------------------------------------------- */

const struct model_lrn *admit_lrn(const struct admit_result *from)
{
	return from->mapping ? &from->mapping->lrn : &from->phone->lrn;
}

bool admit_wants_lrn(const struct model *m, const struct admit_result *from, struct span callee)
{
	return admit_lrn(from)->on && !model_phone_called(m, callee);
}

struct span admit_lrn_route(const struct admit_result *from, struct span callee,
			    struct span routing_number, char dst[NUMBER_TEXT])
{
	struct span stripped = span_head(callee, admit_lrn(from)->strip);

	if (routing_number.len && routing_number.p[0] == '+')
		return span_skip(routing_number, 1);
	if (stripped.len + routing_number.len >= NUMBER_TEXT)
		return SPAN_NONE;
	fmt_print(dst, NUMBER_TEXT, "%.*s%.*s", SPAN_ARG(stripped), SPAN_ARG(routing_number));
	return span_of(dst);
}
