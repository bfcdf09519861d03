/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dip at an LRN server: an INVITE for the number, which it answers with a redirect whose Contact says under which
 * number to route (RFC 4694: rn), or that the number has not moved. It never becomes a call. */
#include "edge/edge_int.h"

#include <stdlib.h>

#define URI_MAX 320

struct dip {
	struct edge *edge;
	struct call *call;
	struct sip_resolve *resolve;
	bool at_once; /* within dip_start: failures are returned, not told */
	int err; /* outcome of resolving at once */
	struct sip_targets targets;
	unsigned next; /* target to try next */
	struct sip_session *session;
	char user[160], caller[160]; /* escaped */
	char text[200]; /* why it failed */
};

/* ---- what it answers ------------------------------------------------------------------------- */

/* Digits behind a + or not; what only divides them for the eye goes (RFC 3966 5.1.1). */
static bool copy_number(struct span text, char dst[EDGE_LRN_TEXT])
{
	size_t n = 0, digits = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '-' || c == '.' || c == '(' || c == ')')
			continue;
		if ((!ascii_digit(c) && (c != '+' || n)) || n + 1 == EDGE_LRN_TEXT)
			return false;
		digits += c != '+';
		dst[n++] = c;
	}
	dst[n] = '\0';
	return digits > 0;
}

int edge_lrn_read(struct span contact, char dst[EDGE_LRN_TEXT])
{
	char user[256], called[EDGE_LRN_TEXT], found[EDGE_LRN_TEXT];
	struct span number, params, rn;
	struct sip_name_addr addr;
	struct sip_uri uri;
	ssize_t len;

	if (sip_name_addr_decode(&addr, contact) || sip_uri_decode(&uri, addr.uri))
		return -EBADMSG;
	len = sip_unescape(uri.user, user, sizeof(user));
	if (len <= 0)
		return -EBADMSG;
	span_cut((struct span){ user, (size_t)len }, ';', &number, &params);
	if (!copy_number(number, called))
		return -EBADMSG;
	if (!sip_param(params, "rn", &rn) && !sip_param(uri.params, "rn", &rn)) {
		dst[0] = '\0';
		return 0;
	}
	if (!copy_number(rn, found))
		return -EBADMSG;
	memcpy(dst, found, sizeof(found));
	return 0;
}

/* ---- asking ------------------------------------------------------------------------------------ */

static void tell(struct dip *dip, struct span number, const char *failed)
{
	const struct dip_answer answer = { .number = number, .failed = failed };

	call_on_dip(dip->call, &answer);
}

static int dial(struct dip *dip, const struct sip_target *target);

/* The next address that can at least be sent to; 0 or -errno of the last. */
static int dial_next(struct dip *dip)
{
	int err = -EHOSTUNREACH;

	while (err && dip->next < dip->targets.n)
		err = dial(dip, &dip->targets.target[dip->next++]);
	return err;
}

static const char *unreachable(struct dip *dip, int err)
{
	fmt_print(dip->text, sizeof(dip->text), "the LRN server cannot be asked: %s",
		  strerror(-err));
	return dip->text;
}

/* The first Contact that names a number. */
static void read_redirect(struct dip *dip, const struct sip_msg *msg)
{
	struct sip_values it = { 0 };
	char number[EDGE_LRN_TEXT];

	while (sip_next_value(msg, SIP_H_CONTACT, &it)) {
		if (edge_lrn_read(it.value, number))
			continue;
		tell(dip, span_of(number), NULL);
		return;
	}
	tell(dip, SPAN_NONE, "the LRN server's redirect names no number (RFC 4694)");
}

static void on_failed(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	struct dip *dip = arg;

	if (ev->status >= 300 && ev->status < 400 && ev->msg) {
		read_redirect(dip, ev->msg);
		return;
	}
	sip_session_release(&dip->session);
	if ((!ev->status || ev->status == 503) && dial_next(dip) == 0)
		return;
	if (ev->status)
		fmt_print(dip->text, sizeof(dip->text), "the LRN server answered %d", ev->status);
	else
		fmt_print(dip->text, sizeof(dip->text), "the LRN server did not answer: %s",
			  ev->text ? ev->text : strerror(ev->err));
	tell(dip, SPAN_NONE, dip->text);
}

static void on_answer(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	sip_session_end(s, SPAN_NONE);
	tell(arg, SPAN_NONE, "the LRN server took the call instead of redirecting it");
}

static const struct sip_session_ops session_ops = { .on_failed = on_failed,
						    .on_answer = on_answer };

static int dial(struct dip *dip, const struct sip_target *target)
{
	static const struct sip_session_config config = { .request_address = 2,
							  .session_expires_s = 600,
							  .min_se_s = 90,
							  .refresh_segment = 2,
							  .keep_udp = true };
	struct buf uri = BUF_INIT(URI_MAX), from = BUF_INIT(URI_MAX), to = BUF_INIT(URI_MAX);
	char host[NET_ADDR_TEXT], local[NET_ADDR_TEXT];
	struct sip_dial dial = { .max_forwards = 70 };
	int err = net_flow_to(dip->edge->config.net, &dial.flow, target->proto, &target->addr, NULL,
			      NULL);

	if (err)
		return err;
	net_addr_format(&target->addr, host);
	buf_addf(&uri, "sip:%s@%s", dip->user, host);
	buf_addf(&to, "<%.*s>", SPAN_ARG(buf_span(&uri)));
	buf_addf(&from, "<sip:%s@%s>", dip->caller, net_addr_format_uri(&dial.flow.local, local));
	dial.uri = buf_span(&uri);
	dial.from = buf_span(&from);
	dial.to = buf_span(&to);
	err = -ENOMEM;
	if (!uri.failed && !from.failed && !to.failed)
		err = sip_session_dial(&dip->session, dip->edge->stack, &dial, &config,
				       &session_ops, dip);
	buf_free(&uri);
	buf_free(&from);
	buf_free(&to);
	return err;
}

static void on_resolved(void *arg, const struct sip_targets *targets)
{
	struct dip *dip = arg;

	dip->resolve = NULL;
	dip->targets = *targets;
	dip->err = targets->n ? 0 : -ENOENT;
	if (dip->at_once)
		return;
	if (!targets->n) {
		tell(dip, SPAN_NONE, "the LRN server's name does not resolve");
		return;
	}
	dip->err = dial_next(dip);
	if (dip->err)
		tell(dip, SPAN_NONE, unreachable(dip, dip->err));
}

/* 0: asked, or resolving; -errno. */
static int resolve_and_dial(struct dip *dip)
{
	const struct model_params *params = &call_model(dip->call)->params;

	dip->at_once = true;
	dip->err = -EINPROGRESS;
	dip->resolve = sip_resolve_start(dip->edge->config.dns, span_of(params->lrn_server),
					 (uint16_t)params->lrn_port, NET_UDP, true, true,
					 on_resolved, dip);
	dip->at_once = false;
	if (dip->err == -EINPROGRESS)
		return dip->resolve ? 0 : -ENOMEM;
	return dip->err ? dip->err : dial_next(dip);
}

struct dip *edge_dip_start(void *arg, struct call *call, const char *number, const char **why_out)
{
	const char *caller = call_numbers(call)->caller;
	struct dip *dip = calloc(1, sizeof(*dip));
	int err = -ENOMEM;

	if (dip) {
		dip->edge = arg;
		dip->call = call;
		edge_escape_user(number, dip->user, sizeof(dip->user));
		edge_escape_user(caller && *caller ? caller : "anonymous", dip->caller,
				 sizeof(dip->caller));
		err = resolve_and_dial(dip);
	}
	if (!err)
		return dip;
	*why_out = err == -ENOENT   ? "the LRN server's name does not resolve"
		   : err == -ENOMEM ? "no memory to ask the LRN server"
				    : "the LRN server cannot be sent to";
	edge_dip_stop(&dip);
	return NULL;
}

void edge_dip_stop(struct dip **dip)
{
	struct dip *d = *dip;

	*dip = NULL;
	if (!d)
		return;
	sip_resolve_cancel(&d->resolve);
	sip_session_release(&d->session);
	free(d);
}
