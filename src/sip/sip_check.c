/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which requests are refused before anybody looks at them, in the order of RFC 3261 8.2 and
 * (because a B2BUA passes calls on: RFC 7332) 16.3: Request-URI scheme, Max-Forwards, merged and
 * looped requests, Require, body. Methods are the user's: it knows what it can do.
 *
 * What is not refused, and why:
 * - Max-Forwards 0 in a dialog, OPTIONS and REGISTER: they have arrived (11, 16.3).
 * - Proxy-Require: a user agent is not its addressee.
 * - A body in BYE, INFO, MESSAGE...: nothing of ours depends on understanding it, or the user
 *   of the stack decides.
 * - OPTIONS whose Accept we cannot serve: our answer has no body, which suits any Accept. */
#include "sip/sip_tx_int.h"

/* Option tags that the sessions understand; whether a call may use them is decided there. Path is the registrar's. */
static const struct {
	const char *tag;
	enum sip_method method; /* SIP_METHOD_OTHER = any */
} extensions[] = {
	{ "100rel", SIP_METHOD_OTHER },
	{ "timer", SIP_METHOD_OTHER },
	{ "path", SIP_REGISTER },
};

static bool scheme_is_known(const struct sip_msg *msg, const char **why_out, int *status_out)
{
	struct sip_uri uri;

	if (sip_uri_decode(&uri, sip_str(msg, msg->uri))) {
		*status_out = 400;
		*why_out = "Request-URI: cannot be read";
		return false;
	}
	if (span_ieq(uri.scheme, SPAN("sip")) || span_ieq(uri.scheme, SPAN("sips")) ||
	    span_ieq(uri.scheme, SPAN("tel")))
		return true;
	*status_out = 416;
	*why_out = "Request-URI: unknown scheme";
	return false;
}

static bool hops_are_left(const struct sip_msg *msg)
{
	if (msg->to_tag.len || msg->method == SIP_OPTIONS || msg->method == SIP_REGISTER)
		return true;
	return msg->max_forwards != 0;
}

static bool names_us(const struct sip_msg *msg)
{
	for (uint8_t i = msg->first[SIP_H_VIA]; i != 0xff; i = msg->headers[i].next) {
		struct span line = sip_str(msg, msg->headers[i].value);

		if (memmem(line.p, line.len, "z9hG4bKq", 8))
			return true;
	}
	return false;
}

static bool is_looped(struct sip_stack *stack, const struct sip_msg *msg)
{
	struct sip_values it = { 0 };

	if (!names_us(msg))
		return false;
	/* A request that left from here under our Call-ID comes back to this worker (sip_classify). */
	while (sip_next_value(msg, SIP_H_VIA, &it)) {
		struct sip_via via;
		struct sip_ctx *ctx;

		if (sip_via_decode(&via, it.value))
			continue;
		ctx = ctx_of_branch(stack, via.branch);
		if (ctx && ctx_is_loop(ctx, msg))
			return true;
	}
	return false;
}

static bool extension_is_known(struct span tag, uint8_t method)
{
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (span_ieq(tag, span_of(extensions[i].tag)) &&
		    (!extensions[i].method || extensions[i].method == method))
			return true;
	return false;
}

/* 8.2.2.3: all that we do not understand, named in Unsupported. */
static bool extensions_are_known(const struct sip_msg *msg, struct buf *extra)
{
	struct sip_values it = { 0 };
	bool known = true;

	while (sip_next_value(msg, SIP_H_REQUIRE, &it)) {
		if (it.value.len == 0 || extension_is_known(it.value, msg->method))
			continue;
		buf_add_str(extra, known ? "Unsupported: " : ", ");
		buf_add_span(extra, it.value);
		known = false;
	}
	if (!known)
		buf_add_str(extra, "\r\n");
	return known;
}

/* "application/SDP ; charset=x" -> "application/SDP" */
static struct span media_type(struct span value)
{
	struct span rest;

	if (value.len)
		span_cut(value, ';', &value, &rest);
	return span_trim(value);
}

static bool carries_session(const struct sip_msg *msg)
{
	return msg->method == SIP_INVITE || msg->method == SIP_UPDATE || msg->method == SIP_PRACK;
}

static bool body_is_optional(const struct sip_msg *msg)
{
	struct span value = sip_header(msg, SIP_H_CONTENT_DISPOSITION), type, params, handling;

	if (!value.p)
		return false;
	span_cut(value, ';', &type, &params);
	return sip_param(params, "handling", &handling) && span_ieq(handling, SPAN("optional"));
}

/* 8.2.3. Multipart is taken apart by the session, which looks for SDP within. */
static bool body_is_readable(const struct sip_msg *msg, const char **why_out, struct buf *extra)
{
	struct span type = media_type(sip_header(msg, SIP_H_CONTENT_TYPE));
	struct sip_values it = { 0 };

	if (!carries_session(msg) || msg->body.len == 0 || body_is_optional(msg))
		return true;
	if (!span_ieq(type, SPAN("application/sdp")) && !span_istarts(type, SPAN("multipart/"))) {
		*why_out = type.len ? "Content-Type: not a session description"
				    : "Content-Type: missing";
		buf_add_str(extra, "Accept: application/sdp, multipart/mixed\r\n");
		return false;
	}
	while (sip_next_value(msg, SIP_H_CONTENT_ENCODING, &it)) {
		if (it.value.len == 0 || span_ieq(it.value, SPAN("identity")))
			continue;
		*why_out = "Content-Encoding: not understood";
		buf_add_str(extra, "Accept-Encoding: identity\r\n");
		return false;
	}
	return true;
}

/* Our 2xx to INVITE carries SDP; the caller must be willing to take it (20.1: no Accept
 * means SDP, an empty one means nothing). */
static bool answer_is_welcome(const struct sip_msg *msg)
{
	struct sip_values it = { 0 };

	if (msg->method != SIP_INVITE || !sip_header(msg, SIP_H_ACCEPT).p)
		return true;
	while (sip_next_value(msg, SIP_H_ACCEPT, &it)) {
		struct span type = media_type(it.value);

		if (span_ieq(type, SPAN("application/sdp")) ||
		    span_ieq(type, SPAN("application/*")) || span_ieq(type, SPAN("*/*")))
			return true;
	}
	return false;
}

int sip_check_request(struct sip_stack *stack, const struct sip_msg *msg, const char **why_out,
		      struct buf *extra)
{
	int status = 0;

	if (!scheme_is_known(msg, why_out, &status))
		return status;
	if (!hops_are_left(msg)) {
		*why_out = "Max-Forwards: 0";
		return 483;
	}
	if (stx_is_merged(stack, msg)) {
		stack->stats.merged++;
		*why_out = "merged: this request already came another way";
		return 482;
	}
	if (is_looped(stack, msg)) {
		stack->stats.loops++;
		*why_out = "loop: this request left from here with the same Request-URI";
		return 482;
	}
	if (!extensions_are_known(msg, extra)) {
		*why_out = "Require: extension not supported";
		return 420;
	}
	if (!body_is_readable(msg, why_out, extra))
		return 415;
	if (!answer_is_welcome(msg)) {
		*why_out = "Accept: lists nothing we can answer with";
		buf_add_str(extra, "Accept: application/sdp\r\n");
		return 406;
	}
	return 0;
}
