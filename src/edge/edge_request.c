/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests outside calls: OPTIONS says what we are, REGISTER goes to the registrar, the rest is
 * not for a switch. */
#include "edge/edge_int.h"

#define ALLOWED "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REGISTER\r\n"

/* RFC 3261 11.2: the status an INVITE would get, and our capabilities. */
static int answer_options(struct edge *edge, struct sip_stx *tx, const struct sip_msg *msg)
{
	bool draining = atomic_load_explicit(edge->config.host->draining, memory_order_relaxed);
	int status = draining ? 503 : 200;

	sip_stx_reply(
		tx, msg, status, NULL,
		ALLOWED
		"Accept: application/sdp\r\nSupported: timer, 100rel\r\nAccept-Language: en\r\n");
	return status;
}

void edge_on_request(void *arg, struct sip_stx *tx, const struct sip_msg *msg,
		     const struct net_flow *flow)
{
	int status;

	switch (msg->method) {
	case SIP_OPTIONS:
		status = answer_options(arg, tx, msg);
		edge_source_asks(arg, msg, flow, status);
		break;
	case SIP_REGISTER:
		edge_register(arg, tx, msg, flow);
		break;
	case SIP_BYE:
	case SIP_PRACK:
	case SIP_UPDATE:
	case SIP_INFO:
		/* RFC 3261 15.1.2 and kin: these live in dialogs only. */
		sip_stx_reply(tx, msg, 481, NULL, NULL);
		break;
	default:
		status = msg->method == SIP_METHOD_OTHER ? 501 : 405;
		sip_stx_reply(tx, msg, status, NULL, ALLOWED);
		edge_source_asks(arg, msg, flow, status);
	}
}
