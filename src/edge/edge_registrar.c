/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The registrar (RFC 3261 10.3) for phones and for gateways that register: who asks, may they, what they are
 * granted, and the answer. What becomes of the contacts stands in edge_bindings.c. */
#include "edge/edge_register.h"

#include <time.h>

#define USER_MAX 128
#define REPLY_MAX 8192

struct registering {
	struct edge *edge;
	struct sip_stx *tx;
	const struct sip_msg *msg;
	const struct net_flow *flow;
	struct edge_proof proof;
	struct registrant who;
	struct register_policy policy;
	struct contacts_wish wish;
	struct bindings all;
	char detail[REGISTER_DETAIL_MAX]; /* of a refusal */
};

/* ---- who ------------------------------------------------------------------------------------ */

bool edge_registrant_find(const struct model *m, struct span user, struct registrant *out)
{
	*out = (struct registrant){ .phone = model_phone(m, user) };
	if (!out->phone) {
		out->mapping = model_mapping_by_user(m, user);
		if (out->mapping && out->mapping->reg.type != REGISTER_DYNAMIC)
			out->mapping = NULL;
		out->routing = model_routing_by_user(m, user);
	}
	return out->phone || out->mapping || out->routing;
}

struct load *edge_registrant_load(const struct registrant *who)
{
	return who->phone     ? who->phone->load
	       : who->mapping ? who->mapping->load
			      : who->routing->load;
}

static bool is_locked(const struct registrant *who)
{
	return who->phone     ? who->phone->locked == PHONE_LOCK_ALL
	       : who->mapping ? who->mapping->locked
			      : who->routing->locked;
}

/* The device's own bounds stand above the system's, also where that makes the least the most. */
static void set_policy(struct registering *reg)
{
	const struct model_params *params = &reg->edge->config.host->model->params;
	const struct registrant *who = &reg->who;
	const struct model_register *own = who->phone     ? &who->phone->reg
					   : who->mapping ? &who->mapping->reg
							  : &who->routing->reg;
	struct register_policy *policy = &reg->policy;

	policy->max_expiry_us = own->max_expiry_us ? own->max_expiry_us : params->endpoint_expire;
	policy->min_expiry_us =
		own->min_expiry_us ? own->min_expiry_us : params->endpoint_min_expire;
	if (own->min_expiry_us > policy->max_expiry_us)
		policy->max_expiry_us = own->min_expiry_us;
	if (policy->min_expiry_us > policy->max_expiry_us)
		policy->min_expiry_us = policy->max_expiry_us;
	policy->max_contacts = own->max_contacts ? (unsigned)own->max_contacts
						 : (unsigned)params->register_max_contacts;
	policy->replace = params->register_replace;
}

/* ---- the answer ------------------------------------------------------------------------------- */

static int status_of(enum register_reason reason)
{
	switch (reason) {
	case REGISTER_BAD_REQUEST:
		return 400;
	case REGISTER_INTERVAL_TOO_BRIEF:
		return 423;
	case REGISTER_OUT_OF_ORDER:
		return 500;
	case REGISTER_NO_MEMORY:
		return 503;
	default:
		return 403;
	}
}

static void refuse(struct registering *reg, enum register_reason reason)
{
	unsigned long long least = reg->policy.min_expiry_us / SEC;
	unsigned long long suspended = (reg->proof.suspended_us + SEC - 1) / SEC;
	int status = status_of(reason);
	char extra[64] = "";

	if (reason == REGISTER_INTERVAL_TOO_BRIEF) {
		fmt_print(extra, sizeof(extra), "Min-Expires: %llu\r\n", least);
		fmt_print(reg->detail, sizeof(reg->detail), "%llu s is the least granted", least);
	} else if (reason == REGISTER_SUSPENDED) {
		fmt_print(extra, sizeof(extra), "Retry-After: %llu\r\n", suspended);
		fmt_print(reg->detail, sizeof(reg->detail), "for another %llu s", suspended);
	} else if (reason == REGISTER_TOO_MANY_CONTACTS) {
		fmt_print(reg->detail, sizeof(reg->detail), "%u contacts are permitted",
			  reg->policy.max_contacts);
	}
	edge_register_log(reg->edge, reg->msg, reg->flow, reg->proof.claim, status, reason,
			  reg->detail);
	sip_stx_reply(reg->tx, reg->msg, status, NULL, extra);
}

static void add_contact(struct buf *out, const struct binding *b, uint64_t now_us)
{
	buf_addf(out, "Contact: <%s>;expires=%llu", b->contact,
		 (unsigned long long)((b->expires_us - now_us + SEC - 1) / SEC));
	if (b->q < 1000)
		buf_addf(out, ";q=0.%03u", b->q);
	buf_add_str(out, "\r\n");
}

static void add_date(struct buf *out, uint64_t utc_us)
{
	time_t seconds = (time_t)(utc_us / SEC);
	struct tm tm;
	char text[48];

	if (strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n",
		     gmtime_r(&seconds, &tm)))
		buf_add_str(out, text);
}

/* 10.3 item 8: all that is bound, with what is left of it. RFC 3327 5.3: the Path back to those who know it. */
static void accept_all(const struct registering *reg)
{
	const struct loop *loop = reg->edge->config.loop;
	struct buf lines = BUF_INIT(REPLY_MAX);
	struct sip_values it = { 0 };

	for (unsigned i = 0; i < reg->all.n; i++)
		add_contact(&lines, &reg->all.binding[i], loop->now_us);
	while (sip_lists(reg->msg, SIP_H_SUPPORTED, "path") &&
	       sip_next_value(reg->msg, SIP_H_PATH, &it)) {
		buf_add_str(&lines, "Path: ");
		buf_add_span(&lines, it.value);
		buf_add_str(&lines, "\r\n");
	}
	add_date(&lines, loop->utc_us);
	sip_stx_reply(reg->tx, reg->msg, lines.failed ? 500 : 200, NULL,
		      lines.failed ? NULL : buf_cstr(&lines));
	buf_free(&lines);
}

/* ---- the way of a REGISTER ---------------------------------------------------------------------- */

/* One device registers itself, never another (10.3 items 4 and 5). */
static bool registers_itself(const struct registering *reg, struct span user)
{
	struct sip_name_addr to;
	struct sip_uri aor;
	char name[USER_MAX];
	ssize_t len;

	if (sip_name_addr_decode(&to, sip_header(reg->msg, SIP_H_TO)) ||
	    sip_uri_decode(&aor, to.uri))
		return false;
	len = sip_unescape(aor.user, name, sizeof(name));
	return len >= 0 && span_eq((struct span){ name, (size_t)len }, user);
}

static int take_over(void *arg, struct bindings *all)
{
	*all = *(const struct bindings *)arg;
	return 0;
}

/* A box that is a mapping and a routing gateway is bound as both: the second gets what the first has. */
static enum register_reason bind_contacts(struct registering *reg)
{
	const struct registrant *who = &reg->who;
	enum register_reason reason =
		edge_contacts_apply(load_registration(edge_registrant_load(who)), &reg->wish,
				    &reg->policy, reg->edge->config.loop->now_us, &reg->all);

	if (reason == REGISTER_REGISTERED && !reg->wish.query && who->mapping && who->routing &&
	    registration_update(load_registration(who->routing->load), take_over, &reg->all))
		return REGISTER_NO_MEMORY;
	return reason;
}

/* May it register from where it is? */
static bool is_allowed(struct registering *reg, const struct model_fence *fence, const char *who)
{
	struct sockaddr_storage source = { 0 };
	struct admit_result result;

	memcpy(&source, &reg->flow->peer, sizeof(reg->flow->peer));
	if (admit_address(fence, who, &source, &result))
		return true;
	fmt_print(reg->detail, sizeof(reg->detail), "%s", result.text);
	return false;
}

/* A routing gateway has no fence of its own. */
static bool is_allowed_here(struct registering *reg)
{
	const struct registrant *who = &reg->who;

	if (who->phone)
		return is_allowed(reg, &who->phone->fence, who->phone->number);
	return !who->mapping || is_allowed(reg, &who->mapping->fence, who->mapping->name);
}

static enum register_reason consider_device(struct registering *reg)
{
	enum register_reason reason;

	if (reg->who.phone && reg->who.phone->reg.type == REGISTER_STATIC)
		return REGISTER_IS_STATIC;
	if (is_locked(&reg->who))
		return REGISTER_LOCKED;
	if (!is_allowed_here(reg))
		return REGISTER_NOT_FROM_HERE;
	if (!registers_itself(reg, reg->proof.claim))
		return REGISTER_OTHER_NUMBER;
	set_policy(reg);
	reason = edge_contacts_read(reg->msg, reg->flow, &reg->policy, reg->edge->config.loop,
				    &reg->wish);
	return reason == REGISTER_REGISTERED ? bind_contacts(reg) : reason;
}

static enum register_reason consider(struct registering *reg)
{
	const struct model *m = reg->edge->config.host->model;

	if (!is_allowed(reg, &m->fence, "the switch"))
		return REGISTER_NOT_FROM_HERE;
	edge_check_credentials(reg->edge, reg->msg, reg->flow, &reg->proof);
	if (reg->proof.suspended_us)
		return REGISTER_SUSPENDED;
	if (!reg->proof.proven && !reg->proof.wrong)
		return reg->proof.stale ? REGISTER_NONCE_STALE : REGISTER_CHALLENGED;
	if (!edge_registrant_find(m, reg->proof.claim, &reg->who))
		return REGISTER_NOT_A_PHONE;
	return reg->proof.wrong ? REGISTER_WRONG_PASSWORD : consider_device(reg);
}

static enum register_reason outcome(const struct registering *reg)
{
	return reg->wish.query ? REGISTER_QUERIED
	       : reg->all.n    ? REGISTER_REGISTERED
			       : REGISTER_REMOVED;
}

bool edge_registrant_asks(const struct model *m, const struct sip_msg *msg)
{
	struct registrant who;
	struct sip_name_addr to;
	struct sip_uri aor;
	struct span user;

	if (sip_digest_user(msg, m->params.auth_realm, false, &user) &&
	    edge_registrant_find(m, user, &who))
		return true;
	return sip_name_addr_decode(&to, sip_header(msg, SIP_H_TO)) == 0 &&
	       sip_uri_decode(&aor, to.uri) == 0 && edge_registrant_find(m, aor.user, &who);
}

/* Who knows no user of ours will not answer the challenge either. */
static void note_stranger(const struct registering *reg)
{
	if (!edge_registrant_asks(reg->edge->config.host->model, reg->msg))
		edge_source_refused(reg->edge, reg->msg, reg->flow, END_SOURCE_NOT_AUTHORISED, 401,
				    "no phone has the number that it registers");
}

static void challenge(const struct registering *reg, enum register_reason reason)
{
	note_stranger(reg);
	edge_register_log(reg->edge, reg->msg, reg->flow, reg->proof.claim, 401, reason, "");
	edge_challenge(reg->edge, reg->tx, reg->msg, reg->proof.stale);
}

void edge_register(struct edge *edge, struct sip_stx *tx, const struct sip_msg *msg,
		   const struct net_flow *flow)
{
	struct registering reg = { .edge = edge, .tx = tx, .msg = msg, .flow = flow };
	enum register_reason reason = consider(&reg);

	if (reason == REGISTER_CHALLENGED || reason == REGISTER_NONCE_STALE) {
		challenge(&reg, reason);
	} else if (reason == REGISTER_REGISTERED) {
		edge_register_log(edge, msg, flow, reg.proof.claim, 200, outcome(&reg), "");
		accept_all(&reg);
	} else {
		refuse(&reg, reason);
	}
}
