/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages that are wrong in themselves, pointed at by our own parser. A message that the capture cut off is none of these. */
#include "diag/diag_int.h"

static bool is_length(const struct message *m)
{
	return says_word(span_of(m->malformed), "content-length");
}

static bool malformed(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (unsigned i = 0; i < leg->n_messages; i++) {
		const struct message *m = leg->messages[i];

		if (!m->malformed || m->where.snapped)
			continue;
		v->code = is_length(m) ? VERDICT_BODY_LENGTH_MISMATCH : VERDICT_MALFORMED_MESSAGE;
		v->confidence = leg->view.outcome == DIAG_ANSWERED ? 0.3 : 0.85;
		v->sentence = say(d, "%s sent a message that breaks the grammar: %s.",
				  say_addr(d, &m->where.src), m->malformed);
		evidence(d, v, m, "%s", m->malformed);
		return true;
	}
	return false;
}

diag_rule *const rules_capture[] = { malformed, NULL };
