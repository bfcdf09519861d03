/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What passes through a call between its legs: offers (hold, codec changes, late offers) and messages.
 * One offer at a time in either direction: a second one meets 491 and its sender tries again
 * (RFC 3261 14.2). */
#include "call/call_int.h"

struct leg *call_other(const struct leg *leg)
{
	struct call *call = leg->call;

	if (!call)
		return NULL;
	return leg == call->a ? call->b : call->a;
}

static int offer_refusal(int err)
{
	return err == -EBUSY ? 491 : err == -EOPNOTSUPP ? 488 : 500;
}

void call_on_offer(struct leg *leg, const struct media_desc *offer)
{
	struct leg *other = call_other(leg);
	struct call *call = leg->call;
	int err = -EBUSY;

	if (!other) {
		leg->ops->reject(leg, call && call->step < STEP_TALK ? 491 : 481);
		return;
	}
	if (!call->offering.from)
		err = other->ops->offer(other, offer);
	if (err) {
		leg->ops->reject(leg, offer_refusal(err));
		return;
	}
	call->offering = (struct offer_state){ .from = leg, .asked = !offer };
}

void call_on_offer_result(struct leg *leg, int status, const struct media_desc *media)
{
	struct call *call = leg->call;
	struct leg *from = call ? call->offering.from : NULL;

	if (!from || from == leg)
		return;
	if (status < 200 || status >= 300 || !media) {
		call->offering.from = NULL;
		from->ops->reject(from, status >= 300 ? status : 488);
		return;
	}
	/* Asked for an offer: `media` is that offer, and its answer will come with the ACK. */
	if (!call->offering.asked)
		call->offering.from = NULL;
	if (from->ops->accept(from, media))
		call->offering.from = NULL;
}

void call_on_ack(struct leg *leg, const struct media_desc *answer)
{
	struct leg *other = call_other(leg);
	struct call *call = leg->call;

	if (!other)
		return;
	if (call->late_offer && leg == call->a) {
		call->late_offer = false;
		call_note_media(call, false, answer);
		other->ops->ack(other, answer);
	} else if (call->offering.asked && call->offering.from == leg) {
		call->offering = (struct offer_state){ 0 };
		other->ops->ack(other, answer);
	}
}

void call_on_message(struct leg *leg, const struct leg_message *message, void *cookie)
{
	struct leg *other = call_other(leg);
	int err = other ? other->ops->pass(other, message, cookie) : -ENOTCONN;

	if (err)
		leg->ops->pass_result(leg, cookie, err == -EOPNOTSUPP ? 405 : 480);
}

void call_on_message_result(struct leg *leg, void *cookie, int status)
{
	struct leg *other = call_other(leg);

	if (other)
		other->ops->pass_result(other, cookie, status);
}
