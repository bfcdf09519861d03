/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The registrar (RFC 3261 10.3) for phones: one binding a phone, the newest wins. The binding stands
 * in the phone's state, which every worker reads without waiting. */
#include "edge/edge_int.h"

#include <stdio.h>

_Static_assert(sizeof(struct net_flow) <= sizeof(((struct binding *)NULL)->flow),
	       "a flow fits a binding");

struct registration {
	struct edge *edge;
	struct sip_stx *tx;
	const struct sip_msg *msg;
	const struct net_flow *flow;
	const struct model_phone *phone;
	struct binding now;
};

static void reply(const struct registration *reg, int status, const char *extra)
{
	sip_stx_reply(reg->tx, reg->msg, status, NULL, extra);
}

/* With 403, and noted: who tries numbers or secrets shows. */
static void refuse(const struct registration *reg, enum end_code code, const char *text)
{
	edge_source_refused(reg->edge, reg->msg, reg->flow, code, 403, text);
	reply(reg, 403, NULL);
}

static bool is_live(const struct binding *binding, uint64_t now_us)
{
	return binding->contact[0] && binding->expires_us > now_us;
}

/* 200 lists the binding with what is left of it (10.3 item 8). */
static void reply_ok(const struct registration *reg)
{
	uint64_t now = reg->edge->config.loop->now_us;
	char extra[512] = "";

	if (is_live(&reg->now, now))
		snprintf(extra, sizeof(extra), "Contact: <%s>;expires=%llu\r\n", reg->now.contact,
			 (unsigned long long)((reg->now.expires_us - now + SEC - 1) / SEC));
	reply(reg, 200, extra);
}

/* Order of one client's requests (10.3 item 7): same Call-ID needs a higher CSeq. */
static bool is_out_of_order(const struct registration *reg)
{
	return span_eq(reg->msg->call_id, span_of(reg->now.call_id)) &&
	       reg->msg->cseq <= reg->now.cseq;
}

static uint64_t asked_expiry(const struct registration *reg, struct span contact_params)
{
	const struct model_params *params = &reg->edge->config.host->model->params;
	struct span text = sip_header(reg->msg, SIP_H_EXPIRES);
	uint32_t seconds;

	sip_param(contact_params, "expires", &text);
	if (span_to_u32(span_trim(text), &seconds))
		return params->endpoint_expire;
	return seconds * SEC;
}

static void binding_remove(struct registration *reg)
{
	reg->now = (struct binding){ .contact = "" };
	phone_state_write(reg->phone->state, &reg->now);
	reply(reg, 200, NULL);
}

static void binding_store(struct registration *reg, struct span uri, uint64_t expiry_us)
{
	struct binding fresh = { .cseq = reg->msg->cseq };
	const struct loop *loop = reg->edge->config.loop;

	if (uri.len >= sizeof(fresh.contact) || reg->msg->call_id.len >= sizeof(fresh.call_id)) {
		reply(reg, 400, NULL);
		return;
	}
	span_copy(uri, fresh.contact, sizeof(fresh.contact));
	span_copy(reg->msg->call_id, fresh.call_id, sizeof(fresh.call_id));
	span_copy(sip_header(reg->msg, SIP_H_USER_AGENT), fresh.user_agent,
		  sizeof(fresh.user_agent));
	memcpy(fresh.flow, reg->flow, sizeof(*reg->flow));
	fresh.expires_us = loop->now_us + expiry_us;
	fresh.registered_utc_us = loop->utc_us;
	phone_state_write(reg->phone->state, &fresh);
	reg->now = fresh;
	reply_ok(reg);
}

static void take_contact(struct registration *reg, struct span value)
{
	const struct model_params *params = &reg->edge->config.host->model->params;
	struct sip_name_addr contact;
	struct sip_uri uri;
	uint64_t expiry;
	char extra[64];

	if (span_eq(span_trim(value), SPAN("*"))) {
		uint32_t zero = 1;

		/* 10.3 item 6: the wildcard goes with Expires: 0 only. */
		if (span_to_u32(span_trim(sip_header(reg->msg, SIP_H_EXPIRES)), &zero) || zero != 0)
			reply(reg, 400, NULL);
		else
			binding_remove(reg);
		return;
	}
	if (sip_name_addr_decode(&contact, value) || sip_uri_decode(&uri, contact.uri)) {
		reply(reg, 400, NULL);
		return;
	}
	expiry = asked_expiry(reg, contact.params);
	if (expiry == 0) {
		binding_remove(reg);
	} else if (expiry < params->endpoint_min_expire) {
		snprintf(extra, sizeof(extra), "Min-Expires: %llu\r\n",
			 (unsigned long long)(params->endpoint_min_expire / SEC));
		reply(reg, 423, extra);
	} else {
		binding_store(reg, contact.uri,
			      expiry > params->endpoint_expire ? params->endpoint_expire : expiry);
	}
}

/* May it register from where it is? Else it has been refused. */
static bool is_allowed(const struct registration *reg, const struct model_fence *fence,
		       const char *who)
{
	struct sockaddr_storage source = { 0 };
	struct admit_result result;

	memcpy(&source, &reg->flow->peer, sizeof(reg->flow->peer));
	if (admit_address(fence, who, &source, &result))
		return true;
	refuse(reg, result.end, result.text);
	return false;
}

/* Who knows no number of ours will not answer the challenge either. */
static void note_stranger(const struct registration *reg)
{
	struct sip_name_addr to;
	struct sip_uri aor;

	if (sip_name_addr_decode(&to, sip_header(reg->msg, SIP_H_TO)) == 0 &&
	    sip_uri_decode(&aor, to.uri) == 0 &&
	    !model_phone(reg->edge->config.host->model, aor.user))
		edge_source_refused(reg->edge, reg->msg, reg->flow, END_SOURCE_NOT_AUTHORISED, 401,
				    "no phone has the number that it registers");
}

static void challenge(const struct registration *reg, bool stale)
{
	note_stranger(reg);
	edge_challenge(reg->edge, reg->tx, reg->msg, stale);
}

void edge_register(struct edge *edge, struct sip_stx *tx, const struct sip_msg *msg,
		   const struct net_flow *flow)
{
	struct registration reg = { .edge = edge, .tx = tx, .msg = msg, .flow = flow };
	struct sip_values contacts = { 0 };
	struct edge_proof proof;
	struct sip_name_addr to;
	struct sip_uri aor;

	if (!is_allowed(&reg, &edge->config.host->model->fence, "the switch"))
		return;
	edge_check_credentials(edge, msg, &proof);
	if (!proof.proven) {
		if (proof.wrong)
			refuse(&reg, END_WRONG_PASSWORD, "user or secret is wrong");
		else
			challenge(&reg, proof.stale);
		return;
	}
	reg.phone = model_phone(edge->config.host->model, proof.claim);
	if (!reg.phone || reg.phone->locked) {
		refuse(&reg, reg.phone ? END_GATEWAY_LOCKED : END_SOURCE_NOT_AUTHORISED,
		       reg.phone ? "the phone is locked" : "a gateway's user cannot register");
		return;
	}
	if (!is_allowed(&reg, &reg.phone->fence, reg.phone->number))
		return;
	if (sip_name_addr_decode(&to, sip_header(msg, SIP_H_TO)) || sip_uri_decode(&aor, to.uri)) {
		reply(&reg, 400, NULL);
		return;
	}
	/* One phone registers itself, never another (10.3 item 4). */
	if (!span_eq(aor.user, proof.claim)) {
		refuse(&reg, END_SOURCE_NOT_AUTHORISED, "a phone registers no other's number");
		return;
	}
	phone_state_read(reg.phone->state, &reg.now);
	if (is_out_of_order(&reg)) {
		reply(&reg, 500, NULL);
	} else if (!sip_next_value(msg, SIP_H_CONTACT, &contacts)) {
		reply_ok(&reg);
	} else {
		take_contact(&reg, contacts.value);
	}
}

void edge_write_registrations(const struct model *m, uint64_t mono_us, struct buf *out)
{
	bool first = true;

	buf_add_str(out, "{\"registrations\":[");
	for (unsigned i = 0; i < m->n_phones; i++) {
		struct net_flow flow;
		struct binding binding;
		char addr[NET_ADDR_TEXT], when[32];

		phone_state_read(m->phones[i].state, &binding);
		if (!is_live(&binding, mono_us))
			continue;
		memcpy(&flow, binding.flow, sizeof(flow));
		buf_addf(out, "%s{\"phone\":", first ? "" : ",");
		buf_add_json(out, span_of(m->phones[i].number));
		buf_add_str(out, ",\"contact\":");
		buf_add_json(out, span_of(binding.contact));
		buf_add_str(out, ",\"user_agent\":");
		buf_add_json(out, span_of(binding.user_agent));
		buf_addf(out,
			 ",\"source\":\"%s\",\"transport\":\"%s\",\"registered\":\"%s\",\"expires_"
			 "s\":%llu}",
			 net_addr_format(&flow.peer, addr), net_proto_name(flow.proto),
			 clock_format(binding.registered_utc_us, when, sizeof(when)),
			 (unsigned long long)((binding.expires_us - mono_us) / SEC));
		first = false;
	}
	buf_add_str(out, "]}");
}
