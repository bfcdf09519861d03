/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "What would become of such a call?": asks the very functions that live calls ask, and takes nothing. Of a call that
 * has been, what became of it stands beside what would now. */
#include "api/api_int.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *admit_word(enum admit_verdict verdict)
{
	static const char *const words[] = { "ok", "challenge", "refused", "drop" };

	return words[verdict];
}

static const char *route_word(enum route_verdict verdict)
{
	static const char *const words[] = { "ok",
					     "none",
					     "all_busy",
					     "not_registered",
					     "gateways_not_registered",
					     "all_down",
					     "phone_locked",
					     "do_not_disturb",
					     "unreachable" };

	return words[verdict];
}

/* "127.0.0.2", "127.0.0.2:5060", "::1", "[::1]:5060". */
static bool parse_source(const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;
	struct span s = span_of(text), host = s, port = SPAN_NONE;
	uint32_t number = 5060;
	char name[64];

	memset(out, 0, sizeof(*out));
	if (s.len && s.p[0] == '[') {
		if (!span_cut(span_skip(s, 1), ']', &host, &port) || (port.len && port.p[0] != ':'))
			return false;
		port = span_skip(port, 1);
	} else if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1) {
		span_cut(s, ':', &host, &port);
	}
	if ((port.len && (span_to_u32(port, &number) || number > 65535)) ||
	    span_copy(host, name, sizeof(name)) >= sizeof(name))
		return false;
	if (inet_pton(AF_INET, name, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)number);
		return true;
	}
	if (inet_pton(AF_INET6, name, &in6->sin6_addr) != 1)
		return false;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)number);
	return true;
}

/* Whose call is it? A name stands for a caller who has proven to be that one. */
static bool set_caller(struct api_request *req, const struct model *m, const char *from,
		       struct call_request *call)
{
	struct near near;

	if (model_mapping(m, span_of(from)) || model_phone(m, span_of(from))) {
		call->from_gateway = from;
		return true;
	}
	if (parse_source(from, &call->source))
		return true;
	near_start(&near, span_of(from));
	for (unsigned i = 0; i < m->n_mappings; i++)
		near_offer(&near, span_of(m->mappings[i].name));
	for (unsigned i = 0; i < m->n_phones; i++)
		near_offer(&near, span_of(m->phones[i].number));
	api_fail(req, 404,
		 &(struct api_problem){
			 .field = "from",
			 .value = from,
			 .near = &near,
			 .remedy = "causeway gateway list shows the mapping gateways" },
		 "no mapping gateway and no phone has this name, nor is it an address");
	return false;
}

static void write_reasons(struct buf *out, const struct reasons *why)
{
	char text[256];

	api_json_open(out, "reasons", '[');
	for (unsigned i = 0; i < why->n && i < REASONS_MAX; i++) {
		const struct reason *reason = &why->reason[i];

		api_json_open(out, NULL, '{');
		api_json_text(out, "code", reason_name(reason->code));
		api_json_text(out, "object", reason->object);
		api_json_number(out, "value", reason->value);
		api_json_number(out, "limit", reason->limit);
		api_json_text(out, "detail", reason->detail);
		if (reason->wait_s)
			api_json_number(out, "wait_s", reason->wait_s);
		api_json_text(out, "text", reason_text(reason, text, sizeof(text)));
		api_json_close(out, '}');
	}
	api_json_close(out, ']');
	api_json_number(out, "considered", why->n);
}

/* What it takes, and what of it is in use. */
static void write_limits(struct buf *out, const struct claims *claims, uint64_t mono_us)
{
	api_json_key(out, "limits");
	model_write_claims_json(out, claims, mono_us);
}

static void write_admit(struct buf *out, const struct model *m, const struct call_request *call,
			const struct admit_result *result, const struct reasons *why)
{
	const struct model_phone *phone = admit_phone(result);
	struct claims claims;
	char duration[32];

	api_json_open(out, "admit", '{');
	api_json_text(out, "verdict", admit_word(result->verdict));
	if (result->end != END_NONE)
		api_json_text(out, "end_code", end_code_info(result->end)->name);
	api_json_text(out, "text", result->text[0] ? result->text : NULL);
	api_json_text(out, "mapping_gateway", result->mapping ? result->mapping->name : NULL);
	api_json_text(out, "phone", phone ? phone->number : NULL);
	api_json_text(out, "account", result->account ? result->account->name : NULL);
	if (result->max_duration_us)
		api_json_text(out, "max_duration",
			      duration_format(result->max_duration_us, duration, sizeof(duration)));
	if (result->mapping || result->phone) {
		admit_claims(m, result, call->utc_us, &claims);
		write_limits(out, &claims, call->mono_us);
	}
	write_reasons(out, why);
	api_json_close(out, '}');
}

/* One that registers is called at its contacts. */
static void format_peer(const struct model_routing *gw, char *dst, size_t size)
{
	bool ip6 = gw->host && gw->host[0] != '[' && strchr(gw->host, ':');
	int n = snprintf(dst, size, ip6 ? "[%s]" : "%s", gw->host ? gw->host : "as registered");

	if (gw->port && n > 0 && (size_t)n < size)
		snprintf(dst + n, size - (size_t)n, ":%u", gw->port);
}

/* "number transform 1001, rule 0:49, area code 010, route prefix 711 (30 %)". */
static const char *rewritten_by(const struct rewritten *by, struct buf *text)
{
	buf_reset(text);
	if (by->display)
		buf_addf(text, "display of phone %s", by->display->number);
	if (by->transform)
		buf_addf(text, "%snumber transform %s", text->len ? ", " : "",
			 by->transform->number);
	if (by->rule)
		buf_addf(text, "%srule %s", text->len ? ", " : "", dial_text(by->rule));
	if (by->area)
		buf_addf(text, "%sarea code %s", text->len ? ", " : "", by->area->code);
	if (by->share)
		buf_addf(text, "%sroute prefix %s (%u %%)", text->len ? ", " : "",
			 by->share->prefix, by->share->percent);
	if (by->pool)
		buf_addf(text, "%scaller pool %s", text->len ? ", " : "", by->pool->name);
	return text->len ? buf_cstr(text) : NULL;
}

static void write_numbers(struct buf *out, const struct rewritten *caller,
			  const struct rewritten *callee)
{
	struct buf text = BUF_INIT(1 << 16);

	api_json_span(out, "caller", caller->number);
	api_json_text(out, "caller_by", rewritten_by(caller, &text));
	api_json_span(out, "callee", callee->number);
	api_json_text(out, "callee_by", rewritten_by(callee, &text));
	buf_free(&text);
}

/* What the candidate, `nth` in the row, would be sent. */
static void write_sent(struct buf *out, const struct model *m, const struct call_request *call,
		       const struct admit_result *from, const struct route_candidate *c,
		       unsigned nth)
{
	struct sent_numbers sent;
	struct reason why;
	char text[256];

	if (route_numbers(m, c, call, from, nth, false, &sent, &why))
		write_numbers(out, &sent.caller, &sent.callee);
	else
		api_json_text(out, "not_sent", reason_text(&why, text, sizeof(text)));
}

static void write_candidate(struct buf *out, const struct model *m, const struct call_request *call,
			    const struct admit_result *from, const struct route_candidate *c,
			    unsigned nth)
{
	struct claims claims;

	claims_of_callee(m, c->gateway, c->phone, call->utc_us, &claims);
	api_json_open(out, NULL, '{');
	if (c->gateway) {
		char peer[300];

		format_peer(c->gateway, peer, sizeof(peer));
		api_json_text(out, "routing_gateway", c->gateway->name);
		api_json_text(out, "address", peer);
		api_json_number(out, "priority", c->gateway->priority);
		api_json_bool(out, "protect", c->gateway->protect);
		api_json_number(out, "line_limit", claims.claim[0].line_limit);
		api_json_number(out, "lines",
				atomic_load_explicit(claims.claim[0].lines, memory_order_relaxed));
	} else {
		api_json_text(out, "phone", c->phone->number);
	}
	api_json_number(out, "matched", c->matched);
	write_sent(out, m, call, from, c, nth);
	write_limits(out, &claims, call->mono_us);
	api_json_close(out, '}');
}

/* `call` with the numbers that candidates are sent; `by` has the one that decides where to. */
static void write_route(struct buf *out, const struct model *m, const struct call_request *call,
			const struct call_request *by, const struct admit_result *from,
			struct route_plan *plan, struct reasons *why)
{
	enum route_verdict verdict;

	*why = (struct reasons){ 0 };
	verdict = route_explain(m, by, from, plan, why);
	api_json_open(out, "route", '{');
	api_json_text(out, "verdict", route_word(verdict));
	api_json_open(out, "candidates", '[');
	for (unsigned i = 0; verdict == ROUTE_OK && i < plan->n; i++)
		write_candidate(out, m, call, from, &plan->candidate[i], i + 1);
	api_json_close(out, ']');
	api_json_open(out, "order", '[');
	for (unsigned i = 0; i < plan->n_order; i++)
		api_json_text(out, NULL, plan->order[i]);
	api_json_close(out, ']');
	write_reasons(out, why);
	api_json_close(out, '}');
}

/* What the LRN server would be asked, or what it is supposed to have said: then that is routed by. */
static void write_lrn(struct buf *out, const struct admit_result *from, const char *answer,
		      struct call_request *by, char text[NUMBER_TEXT])
{
	struct span number = SPAN_NONE, asked = span_skip(by->callee, admit_lrn(from)->strip);

	if (answer)
		number = admit_lrn_route(from, by->callee, span_of(answer), text);
	if (number.len)
		by->callee = number;
	api_json_open(out, "lrn", '{');
	api_json_span(out, "asked", asked);
	api_json_text(out, "answer", answer);
	if (number.len)
		api_json_span(out, "routed_by", number);
	api_json_close(out, '}');
}

static void write_routed(struct buf *out, const struct model *m, const struct call_request *routed,
			 const struct routed_numbers *numbers, const struct admit_result *result,
			 const char *lrn, struct reasons *why)
{
	struct call_request by = *routed;
	struct route_plan plan = { 0 };
	char text[NUMBER_TEXT];

	api_json_open(out, "routed", '{');
	write_numbers(out, &numbers->caller, &numbers->callee);
	if (admit_wants_lrn(m, result, routed->callee))
		write_lrn(out, result, lrn, &by, text);
	api_json_close(out, '}');
	write_route(out, m, routed, &by, result, &plan, why);
}

static void write_test(struct api_request *req, const struct model *m, const char *key,
		       const char *from, const char *lrn, const struct call_request *call)
{
	struct admit_result result = { 0 };
	struct reasons why = { 0 };
	struct call_request routed = *call;
	struct routed_numbers numbers;
	char at[32];

	admit_decide(m, call, &result, &why);
	if (result.verdict == ADMIT_OK && admit_rewrite(m, call, &result, &numbers, &why)) {
		routed.caller = numbers.caller.number;
		routed.callee = numbers.callee.number;
		admit_would_take(m, call, &result, &why);
	}
	api_json_open(&req->out, key, '{');
	api_json_text(&req->out, "from", from);
	api_json_span(&req->out, "caller", call->caller);
	api_json_span(&req->out, "callee", call->callee);
	api_json_text(&req->out, "at", clock_format(call->utc_us, at, sizeof(at)));
	api_json_number(&req->out, "config_version", (int64_t)m->version);
	write_admit(&req->out, m, call, &result, &why);
	if (result.verdict == ADMIT_OK)
		write_routed(&req->out, m, &routed, &numbers, &result, lrn, &why);
	api_json_close(&req->out, '}');
}

static struct call_request call_now(const struct api_request *req, const char *caller,
				    const char *callee)
{
	return (struct call_request){
		.caller = span_of(caller),
		.callee = span_of(callee),
		.node = req->sw->node,
		.random = rng_u64(),
		.utc_us = clock_utc_us(),
		.mono_us = clock_mono_us(),
	};
}

void api_test_route(struct api_request *req)
{
	const char *from = api_text(req, "from");
	struct call_request call = call_now(req, api_text(req, "caller"), api_text(req, "callee"));
	struct model *m = model_hub_get(req->sw->hub);

	if (api_given(req, "at"))
		call.utc_us = api_number(req, "at");
	if (set_caller(req, m, from, &call))
		write_test(req, m, NULL, from, api_text(req, "lrn"), &call);
	model_unref(&m);
}

/* ---- a call that has been -------------------------------------------------------------------- */

static const char *text_of(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? text : "";
}

/* The gateway or phone that it came in by, where there still is one of that name; else the address. */
static const char *caller_of(const struct model *m, const json_t *record)
{
	const char *name = text_of(record, "mapping_gateway");

	if (model_mapping(m, span_of(name)) || model_phone(m, span_of(name)))
		return name;
	return text_of(record, "caller_addr");
}

/* The routing number that it had. */
static const char *lrn_of(const json_t *record)
{
	const char *lrn = text_of(record, "lrn");

	return lrn[0] == '+' || ascii_digit(lrn[0]) ? lrn : NULL;
}

static void compare_with_now(struct api_request *req, struct span record_text, const json_t *record)
{
	struct call_request call =
		call_now(req, text_of(record, "caller_in"), text_of(record, "callee_in"));
	struct model *m = model_hub_get(req->sw->hub);
	const char *from = caller_of(m, record);

	api_json_open(&req->out, NULL, '{');
	api_json_key(&req->out, "then");
	buf_add_span(&req->out, record_text);
	if (set_caller(req, m, from, &call)) {
		write_test(req, m, "now", from, lrn_of(record), &call);
		api_json_close(&req->out, '}');
	}
	model_unref(&m);
}

void api_test_call(struct api_request *req)
{
	struct buf text = BUF_INIT(16 << 20);
	json_t *record = NULL;

	if (api_show_record(req, api_number(req, "id"), &text))
		record = json_loadb(text.p, text.len, 0, NULL);
	if (record)
		compare_with_now(req, buf_span(&text), record);
	json_decref(record);
	buf_free(&text);
}
