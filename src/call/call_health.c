/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What attempts learn of their gateway's health, and whether its health lets a call through. A response of any kind
 * shows that somebody is there; what it says is the matter of the call. */
#include "call/call_int.h"

/* Ends that mean that nobody was there; + 1, so that 0 is none. */
static const uint8_t absences[END_CODES] = {
	[END_NO_RESPONSE] = 1 + HEALTH_SILENCE,
	[END_PEER_ICMP_UNREACHABLE] = 1 + HEALTH_ICMP,
	[END_TCP_REFUSED] = 1 + HEALTH_TCP_REFUSED,
	[END_TCP_CONNECT_TIMEOUT] = 1 + HEALTH_TCP_TIMEOUT,
	[END_TCP_CONNECTION_LOST] = 1 + HEALTH_TCP_LOST,
	[END_TLS_HANDSHAKE_FAILED] = 1 + HEALTH_TLS,
	[END_DNS_FAILED] = 1 + HEALTH_DNS,
};

static void tell(struct call *call, struct health_news *news)
{
	const struct loop *loop = call->host->loop;

	news->trial = call->attempt.trial;
	call->attempt.trial = false;
	health_tell(call->current.gateway, news, &call->host->model->params, loop->now_us,
		    loop->utc_us);
}

bool call_health_allows(const struct call *call, const struct route_candidate *candidate,
			bool *trial_out)
{
	const struct model_routing *gateway = candidate->gateway;
	enum health_state state;

	*trial_out = false;
	if (!gateway)
		return true;
	state = health_at(gateway, call->host->loop->now_us).state;
	if (state == HEALTH_UP)
		return true;
	if (state == HEALTH_RESTING || (state == HEALTH_DOWN && !candidate->last_resort))
		return false;
	*trial_out = health_take_trial(gateway->health);
	return *trial_out;
}

void call_health_heard(struct call *call)
{
	struct health_news news = { .event = HEALTH_CALL_ANSWERED };

	if (call->current.gateway)
		tell(call, &news);
}

void call_health_rest(struct call *call, const struct call_end *end)
{
	struct health_news news = { .event = HEALTH_CALL_REST,
				    .status = (uint16_t)end->status,
				    .rest_s = end->rest_s };

	if (call->current.gateway && end->rest_s)
		tell(call, &news);
}

void call_health_over(struct call *call, const struct call_end *end)
{
	struct health_news news = { .event = HEALTH_CALL_FAILED };

	if (!call->current.gateway)
		return;
	if (absences[end->code] && !call->attempt.first_response_us) {
		news.cause = (enum health_cause)(absences[end->code] - 1);
		if (news.cause == HEALTH_SILENCE && end->err && end->err != ETIMEDOUT)
			news.cause = HEALTH_LOCAL;
		tell(call, &news);
	} else if (call->attempt.trial) {
		call->attempt.trial = false;
		health_give_trial(call->current.gateway->health);
	}
}
