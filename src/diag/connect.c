/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections that failed before a word of SIP was said: nothing else shows that a call was tried. Only those to ports of SIP
 * count. */
#include "diag/diag_int.h"

#define PORT_SIP 5060
#define PORT_SIPS 5061
#define FATAL 2

/* RFC 8446 6.2, 5246 7.2. */
static const char *alert_word(int description)
{
	switch (description) {
	case 40:
		return "no version or cipher in common";
	case 42:
	case 43:
	case 44:
	case 46:
		return "the certificate is not accepted";
	case 45:
		return "the certificate has expired";
	case 48:
		return "the certificate's authority is not known";
	case 70:
		return "the protocol version is not supported";
	case 112:
		return "the server name is not known";
	case 116:
		return "a client certificate is wanted";
	default:
		return "refused";
	}
}

static bool is_sip(const union net_addr *a)
{
	return net_addr_port(a) == PORT_SIP || net_addr_port(a) == PORT_SIPS;
}

static bool carried_sip(const struct diag *d, const struct tcp_note *syn)
{
	for (const struct leg *leg = d->legs; leg; leg = leg->next)
		for (unsigned i = 0; i < leg->n_messages; i++)
			if (net_addr_eq(&leg->messages[i]->where.src, &syn->where.src) ||
			    net_addr_eq(&leg->messages[i]->where.dst, &syn->where.src))
				return true;
	return false;
}

static bool is_same_way(const struct tcp_note *a, const struct tcp_note *b)
{
	return net_addr_eq(&a->where.src, &b->where.src) &&
	       net_addr_eq(&a->where.dst, &b->where.dst);
}

static bool is_reverse(const struct tcp_note *a, const struct tcp_note *b)
{
	return net_addr_eq(&a->where.src, &b->where.dst) &&
	       net_addr_eq(&a->where.dst, &b->where.src);
}

/* What became of the connection that this SYN asked for; VERDICTS = it came about, or cannot be told. */
static enum diag_code outcome(const struct tcp_note *syn, const struct tcp_note **why)
{
	unsigned syns = 1;
	bool taken = false;

	for (const struct tcp_note *n = syn->next; n; n = n->next) {
		if (!is_same_way(n, syn) && !is_reverse(n, syn))
			continue;
		*why = n;
		taken |= n->kind == CAPTURE_SYN_ACK;
		syns += n->kind == CAPTURE_SYN && is_same_way(n, syn);
		if (n->kind == CAPTURE_RST && !taken)
			return VERDICT_TCP_REFUSED;
		if (n->kind == CAPTURE_TLS_RECORD && n->detail >> 8 == FATAL)
			return VERDICT_TLS_HANDSHAKE_FAILED;
	}
	*why = syn;
	return !taken && syns >= 3 ? VERDICT_TCP_CONNECT_TIMEOUT : VERDICTS;
}

static bool is_repeat(const struct diag *d, const struct tcp_note *syn)
{
	for (const struct tcp_note *n = d->tcps; n != syn; n = n->next)
		if (n->kind == CAPTURE_SYN && is_same_way(n, syn))
			return true;
	return false;
}

static const char *sentence(struct diag *d, enum diag_code code, const struct tcp_note *syn,
			    const struct tcp_note *why)
{
	if (code == VERDICT_TLS_HANDSHAKE_FAILED)
		return say(d, "%s ended the TLS handshake with alert %d: %s.",
			   say_addr(d, &why->where.src), why->detail & 255,
			   alert_word(why->detail & 255));
	if (code == VERDICT_TCP_REFUSED)
		return say(d, "%s refused the connection: nobody listens there.",
			   say_addr(d, &syn->where.dst));
	return say(d, "%s did not take the connection.", say_addr(d, &syn->where.dst));
}

static const struct diag_case *make_case(struct diag *d, const struct tcp_note *syn,
					 const struct tcp_note *why, enum diag_code code)
{
	struct diag_case *view = arena_alloc(d->arena, sizeof(*view));
	struct diag_verdict *v = arena_alloc(d->arena, sizeof(*v));
	const struct diag_code_info *info = diag_code_info(code);

	if (!view || !v)
		return NULL;
	*v = (struct diag_verdict){ .code = code,
				    .side = info->side,
				    .confidence = 0.85,
				    .sentence = sentence(d, code, syn, why),
				    .fix = info->fix,
				    .n_evidence = 2 };
	v->evidence[0] = (struct diag_evidence){ syn->where.frame, "SYN" };
	v->evidence[1] = (struct diag_evidence){ why->where.frame, "the last of it" };
	*view = (struct diag_case){ .call_id = say(d, "tcp:%s", say_addr(d, &syn->where.src)),
				    .from = "",
				    .to = "",
				    .start_us = syn->where.utc_us,
				    .outcome = DIAG_FAILED,
				    .n_verdicts = 1,
				    .verdicts = v };
	return view;
}

unsigned connect_finish(struct diag *d, const struct diag_case **cases)
{
	unsigned n = 0;

	for (const struct tcp_note *syn = d->tcps; syn; syn = syn->next) {
		const struct tcp_note *why;
		enum diag_code code;

		if (syn->kind != CAPTURE_SYN || !is_sip(&syn->where.dst) || is_repeat(d, syn) ||
		    carried_sip(d, syn))
			continue;
		code = outcome(syn, &why);
		if (code == VERDICTS)
			continue;
		if (cases)
			cases[n] = make_case(d, syn, why, code);
		if (cases && !cases[n])
			break;
		n++;
	}
	return n;
}
