/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is calling, in this order:
 *   1. proven credentials: the gateway or phone that they belong to;
 *   2. the address, by the most specific gateway that lists it and wants no credentials. A locked one
 *      refuses: a wider network of somebody else must not take its calls; then by a static phone there;
 *   3. credentials offered, or a digest gateway or phone that this could be: a challenge;
 *   4. nobody: refused with the nearest miss, or dropped.
 * Then locks, the numbers, and the limits. */
#include "admit/admit_int.h"

#include <stdarg.h>
#include <stdio.h>

#define SOURCES_MAX 16

const char *admit_shown(struct span s, char *dst, size_t size)
{
	size_t n = s.len < size - 1 ? s.len : size - 1;

	for (size_t i = 0; i < n; i++)
		dst[i] = s.p[i] > 0x20 && s.p[i] < 0x7f ? s.p[i] : '?';
	dst[n] = '\0';
	return dst;
}

static void refuse(struct admit_result *out, enum end_code end, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct admit_result *out, enum end_code end, const char *format, ...)
{
	va_list ap;

	out->verdict = ADMIT_REFUSED;
	out->end = end;
	va_start(ap, format);
	vsnprintf(out->text, sizeof(out->text), format, ap);
	va_end(ap);
}

/* ---- who ------------------------------------------------------------------------------- */

/* What is known of the source; looked up once. */
struct asking {
	const struct model *m;
	const struct call_request *req;
	struct admit_result *out;
	struct reasons *why;
	const struct model_mapping *at[SOURCES_MAX];
	unsigned n_at;
};

/* The longest talk time is the smallest of all that hold; 0 = none. */
static void bound_talk(struct admit_result *out, uint64_t most)
{
	if (most && (!out->max_duration_us || most < out->max_duration_us))
		out->max_duration_us = most;
}

/* It may be a phone of ours that calls by the gateway. */
static void look_behind(struct asking *a, const struct model_mapping *gw)
{
	const struct model_phone *phone = model_phone_called(a->m, a->req->caller);

	if (!phone)
		return;
	if (gw->phone_billing && phone->account)
		a->out->account = phone->account;
	if (!gw->phone_settings)
		return;
	a->out->behind = phone;
	bound_talk(a->out, model_max_duration(&phone->max_duration, a->req->random));
}

static void is_mapping(struct asking *a, const struct model_mapping *gw)
{
	a->out->verdict = ADMIT_OK;
	a->out->mapping = gw;
	a->out->account = gw->account;
	a->out->max_duration_us = model_max_duration(&gw->max_duration, a->req->random);
	if (gw->phone_billing || gw->phone_settings)
		look_behind(a, gw);
	reasons_add(a->why, REASON_MATCHED, gw->name, 0, 0);
}

static void is_phone(struct asking *a, const struct model_phone *phone)
{
	a->out->verdict = ADMIT_OK;
	a->out->phone = phone;
	a->out->account = phone->account;
	a->out->max_duration_us = model_max_duration(&phone->max_duration, a->req->random);
	reasons_add(a->why, REASON_MATCHED, phone->number, 0, 0);
}

static void challenge(struct asking *a, const struct model_mapping *gw,
		      const struct model_phone *phone)
{
	const char *name = gw ? gw->name : phone ? phone->number : NULL;

	a->out->verdict = ADMIT_CHALLENGE;
	a->out->end = END_NO_CREDENTIALS;
	a->out->mapping = gw;
	a->out->phone = phone;
	a->out->account = gw ? gw->account : phone ? phone->account : NULL;
	snprintf(a->out->text, sizeof(a->out->text), "%s%scredentials are needed", name ? name : "",
		 name ? ": " : "");
	reasons_add(a->why, REASON_NEEDS_DIGEST, name, 0, 0);
}

/* A digest gateway without addresses may call from anywhere. */
static bool source_allowed(const struct asking *a, const struct model_mapping *gw)
{
	for (unsigned i = 0; i < a->n_at; i++)
		if (a->at[i] == gw)
			return true;
	return gw->n_addresses == 0;
}

static void by_name(struct asking *a)
{
	struct span name = span_of(a->req->from_gateway);
	const struct model_mapping *gw = model_mapping(a->m, name);
	const struct model_phone *phone = gw ? NULL : model_phone(a->m, name);

	if (gw) {
		is_mapping(a, gw);
	} else if (phone) {
		is_phone(a, phone);
	} else {
		refuse(a->out, END_SOURCE_NOT_AUTHORISED,
		       "there is no mapping gateway and no phone `%s`", a->req->from_gateway);
		reasons_add(a->why, REASON_UNKNOWN_SOURCE, NULL, 0, 0);
	}
}

/* By proven credentials. False: they belong to nobody (any more). */
static bool by_proof(struct asking *a)
{
	const struct model_phone *phone = model_phone(a->m, a->req->digest_user);
	const struct model_mapping *gw = model_mapping_by_user(a->m, a->req->digest_user);
	char source[64];

	if (phone) {
		is_phone(a, phone);
		return true;
	}
	if (!gw)
		return false;
	if (source_allowed(a, gw)) {
		is_mapping(a, gw);
		return true;
	}
	refuse(a->out, END_SOURCE_NOT_AUTHORISED,
	       "%s: credentials are right, but %s is not among its addresses", gw->name,
	       admit_source_text(&a->req->source, source, sizeof(source)));
	reasons_add(a->why, REASON_WRONG_DIGEST_SOURCE, gw->name, 0, 0);
	return true;
}

static bool by_address(struct asking *a)
{
	for (unsigned i = 0; i < a->n_at; i++) {
		if (a->at[i]->auth == AUTH_DIGEST)
			continue;
		is_mapping(a, a->at[i]);
		return true;
	}
	return false;
}

/* A static phone calls from its address. */
static bool by_phone_address(struct asking *a)
{
	const struct model_phone *phone =
		model_phone_at(a->m, (const struct sockaddr *)&a->req->source, a->req->caller);

	if (phone)
		is_phone(a, phone);
	return phone != NULL;
}

/* The gateway or phone that goes by this user, if it may call from here. */
static bool challenge_user(struct asking *a, struct span user)
{
	const struct model_phone *phone = model_phone(a->m, user);
	const struct model_mapping *gw = phone ? NULL : model_mapping_by_user(a->m, user);

	if (!phone && (!gw || !source_allowed(a, gw)))
		return false;
	challenge(a, gw, phone);
	return true;
}

static bool by_challenge(struct asking *a)
{
	/* One who may be anywhere and whose From says nothing of it must be asked too. */
	const struct model_mapping *open = a->m->open_digest;

	if (a->req->digest_claim.len)
		return challenge_user(a, a->req->digest_claim);
	for (unsigned i = 0; i < a->n_at; i++) {
		if (a->at[i]->auth == AUTH_DIGEST) {
			challenge(a, a->at[i], NULL);
			return true;
		}
	}
	if (challenge_user(a, a->req->caller))
		return true;
	if (open)
		challenge(a, open, NULL);
	return open != NULL;
}

static void unknown_source(struct asking *a)
{
	char source[64], near[120], user[40];
	struct span claim = a->req->digest_user.len ? a->req->digest_user : a->req->digest_claim;

	admit_source_text(&a->req->source, source, sizeof(source));
	model_nearest_source(a->m, (const struct sockaddr *)&a->req->source, near, sizeof(near));
	if (claim.len)
		refuse(a->out, END_SOURCE_NOT_AUTHORISED,
		       "%s is not listed and user `%s` may not call from there%s%s", source,
		       admit_shown(claim, user, sizeof(user)), *near ? "; " : "", near);
	else
		refuse(a->out, END_SOURCE_NOT_AUTHORISED, "%s is not listed%s%s", source,
		       *near ? "; " : "", near);
	if (!a->m->params.reply_unauthorized)
		a->out->verdict = ADMIT_DROP;
	reasons_add(a->why, REASON_UNKNOWN_SOURCE, NULL, 0, 0);
}

/* The lists of the whole switch: who is not where he may be is a stranger, whoever he is. */
static bool by_place(struct asking *a)
{
	if (admit_address(&a->m->fence, "the switch", &a->req->source, a->out))
		return true;
	if (!a->m->params.reply_unauthorized)
		a->out->verdict = ADMIT_DROP;
	reasons_add(a->why, REASON_ADDRESS_LIST, NULL, 0, 0);
	return false;
}

static void identify(struct asking *a)
{
	if (a->req->from_gateway) {
		by_name(a);
		return;
	}
	if (!by_place(a))
		return;
	a->n_at = model_mappings_at(a->m, (const struct sockaddr *)&a->req->source, a->at,
				    SOURCES_MAX);
	if (a->n_at > SOURCES_MAX)
		a->n_at = SOURCES_MAX;
	if (a->req->digest_user.len && by_proof(a))
		return;
	if (by_address(a) || by_phone_address(a) || by_challenge(a))
		return;
	unknown_source(a);
}

/* ---- may they ----------------------------------------------------------------------------- */

static void expired(struct asking *a, const char *name)
{
	const struct model_account *account = a->out->account;
	const struct reason reason = { .code = REASON_ACCOUNT_EXPIRED,
				       .object = account->name,
				       .detail = account->valid_until.text };

	refuse(a->out, END_ACCOUNT_EXPIRED, "%s: account %s was valid until %s", name,
	       account->name, account->valid_until.text);
	reasons_add_reason(a->why, &reason);
}

static void check_locks(struct asking *a)
{
	struct admit_result *out = a->out;
	bool locked =
		out->mapping ? out->mapping->locked : out->phone->locked & PHONE_LOCK_OUTBOUND;
	const char *node = out->mapping ? out->mapping->node : NULL;
	const struct model_fence *fence = out->mapping ? &out->mapping->fence : &out->phone->fence;
	const char *name = out->mapping ? out->mapping->name : out->phone->number;

	if (locked) {
		refuse(out, out->mapping ? END_GATEWAY_LOCKED : END_PHONE_LOCKED, "%s: locked",
		       name);
		reasons_add(a->why, REASON_LOCKED, name, 0, 0);
	} else if (out->behind && out->behind->locked & PHONE_LOCK_OUTBOUND) {
		refuse(out, END_PHONE_LOCKED, "%s: phone %s is locked", name, out->behind->number);
		reasons_add(a->why, REASON_LOCKED, out->behind->number, 0, 0);
	} else if (node && (!a->req->node || strcmp(node, a->req->node) != 0)) {
		refuse(out, END_OTHER_NODE, "%s: bound to node %s", name, node);
		reasons_add(a->why, REASON_NODE, name, 0, 0);
	} else if (!admit_address(fence, name, &a->req->source, out)) {
		reasons_add(a->why, REASON_ADDRESS_LIST, name, 0, 0);
	} else if (out->account && out->account->locked) {
		refuse(out, END_ACCOUNT_LOCKED, "%s: account %s is locked", name,
		       out->account->name);
		reasons_add(a->why, REASON_ACCOUNT_LOCKED, out->account->name, 0, 0);
	} else if (model_account_expired(out->account, a->req->utc_us)) {
		expired(a, name);
	} else if (a->req->callee.len == 0) {
		refuse(out, END_NO_NUMBER, "%s: the request names no number to call", name);
		reasons_add(a->why, REASON_NO_NUMBER, name, 0, 0);
	}
}

void admit_decide(const struct model *m, const struct call_request *req, struct admit_result *out,
		  struct reasons *why)
{
	struct asking a = { .m = m, .req = req, .out = out, .why = why };

	*out = (struct admit_result){ .end = END_NONE };
	if (why)
		why->n = 0;
	identify(&a);
	if (out->verdict != ADMIT_OK)
		return;
	check_locks(&a);
	if (out->verdict == ADMIT_OK)
		admit_check_numbers(m, req, out, why);
	admit_check_blacklist(m, req, out, why);
	bound_talk(out, m->params.max_call_duration);
}
