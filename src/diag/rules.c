/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of the decision (failures.md, section 6): capture, security, transport of the failing request, final response,
 * set-up without one, after the answer, dialog, media, outcome. What speaks first and surely is the cause; what speaks later
 * was seen as well. */
#include "diag/diag_int.h"

#define VERDICTS_MAX 6
#define SURE 0.5

static diag_rule *const *const of_calls[] = { rules_capture, rules_security,  rules_transport,
					      rules_setup,   rules_agreement, rules_dialog,
					      rules_media,   rules_others,    rules_outcome,
					      NULL };
static diag_rule *const *const of_registrations[] = { rules_capture,      rules_security,
						      rules_registration, rules_transport,
						      rules_outcome,      NULL };

static bool is_known(const struct diag_verdict *all, unsigned n, enum diag_code code)
{
	for (unsigned i = 0; i < n; i++)
		if (all[i].code == code)
			return true;
	return false;
}

static void finish_verdict(struct diag *d, const struct leg *leg, struct diag_verdict *v)
{
	const struct diag_code_info *info = diag_code_info(v->code);

	if (!v->side)
		v->side = info->side;
	if (!v->sentence)
		v->sentence = info->sentence;
	if (!v->fix)
		v->fix = info->fix;
	if (!d->live && v->confidence > 0.9)
		v->confidence = 0.9;
	if (!v->n_evidence && leg->n_messages)
		evidence(d, v, leg->messages[0], "the first message of it");
}

/* Once a list has found a sure cause, what later ones find is its consequence; but media may suffer from more than one thing. */
static unsigned ask(struct diag *d, struct leg *leg, diag_rule *const *const *lists,
		    struct diag_verdict *all)
{
	unsigned n = 0;
	bool sure = false;

	for (; *lists && !sure; lists++)
		for (diag_rule *const *rule = *lists; *rule && n < VERDICTS_MAX; rule++) {
			struct diag_verdict v = { .code = VERDICTS };

			if ((sure && *lists != rules_media) || !(*rule)(d, leg, &v) ||
			    is_known(all, n, v.code))
				continue;
			finish_verdict(d, leg, &v);
			sure |= v.confidence >= SURE;
			all[n++] = v;
		}
	return n;
}

/* The first that is sure goes to the front; its order is that of the lists. */
static void cause_first(struct diag_verdict *all, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (all[i].confidence >= SURE) {
			struct diag_verdict cause = all[i];

			memmove(&all[1], &all[0], i * sizeof(all[0]));
			all[0] = cause;
			return;
		}
}

static bool went_well(const struct leg *leg)
{
	return leg->view.outcome == DIAG_ANSWERED;
}

void rules_judge(struct diag *d, struct leg *leg)
{
	struct diag_verdict all[VERDICTS_MAX + 1];
	struct diag_verdict *kept;
	unsigned n = ask(d, leg, leg->registration ? of_registrations : of_calls, all);

	cause_first(all, n);
	/* What is not sure is no cause: a call that went well stays so, with a note. */
	if (n && all[0].confidence < SURE && went_well(leg)) {
		memmove(&all[1], &all[0], n * sizeof(all[0]));
		all[0] = (struct diag_verdict){ .code = VERDICT_NORMAL, .confidence = 0.7 };
		finish_verdict(d, leg, &all[0]);
		n++;
	}
	if (!n) {
		all[0] = (struct diag_verdict){ .code = went_well(leg) ? VERDICT_NORMAL
								       : VERDICT_UNKNOWN,
						.confidence = went_well(leg) ? 0.9 : 0.3 };
		finish_verdict(d, leg, &all[0]);
		n = 1;
	}
	kept = arena_alloc(d->arena, n * sizeof(*kept));
	if (!kept)
		return;
	memcpy(kept, all, n * sizeof(*kept));
	leg->view.verdicts = kept;
	leg->view.n_verdicts = n;
}
