/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is left: how the call ended, and whether the file shows enough of it. */
#include "diag/diag_int.h"

static bool with_cause(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct message *bye = leg->bye ? leg->bye->requests[0] : NULL;
	struct span reason = bye ? sip_header(bye->sip, SIP_H_REASON) : SPAN_NONE;
	int q850 = bye ? sip_q850(bye->sip) : -1;

	if (!leg->answer || q850 <= 0 || q850 == 16 || q850 == 31)
		return false;
	v->code = VERDICT_PEER_HANGUP_WITH_CAUSE;
	v->confidence = 0.75;
	v->side = leg->bye_by_caller ? DIAG_CALLER : DIAG_CALLEE;
	v->sentence = say(d, "%s ended the call with a cause of its own: %.*s.",
			  say_addr(d, &bye->where.src), SPAN_ARG(span_head(reason, 160)));
	evidence(d, v, bye, "BYE; Reason: %.*s", SPAN_ARG(span_head(reason, 160)));
	return true;
}

/* No end in the file, and the file does not go on long enough for anybody's timer. */
static bool incomplete(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct tx *tx = leg->txs;
	bool call = leg->invite != NULL;

	for (; tx && !call; tx = tx->next)
		call = tx->method == SIP_INVITE || tx->method == SIP_BYE ||
		       tx->method == SIP_CANCEL || tx->method == SIP_REGISTER;
	if (d->live || !call || leg->view.outcome != DIAG_INCOMPLETE)
		return false;
	v->code = VERDICT_CAPTURE_INCOMPLETE;
	v->confidence = 0.85;
	v->sentence =
		leg->invite || leg->registration
			? say(d,
			      "The file ends %s after the last message, before this was decided.",
			      say_time(d, d->report.last_us > leg->last_us
						  ? d->report.last_us - leg->last_us
						  : 0))
			: "The request that this belongs to is not in the file.";
	evidence(d, v, leg->messages[leg->n_messages - 1], "the last message of it");
	return true;
}

diag_rule *const rules_outcome[] = { with_cause, incomplete, NULL };
