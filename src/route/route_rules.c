/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When the search for a gateway stops, and what a caller hears of it. Lists of statuses decide first, the
 * gateway's before the system's; then what the status means; then what the caller has heard already. The reasons stand in
 * docs/decisions/0003-when-the-search-stops.md. */
#include "route/route.h"

enum stop { GOES_ON, STOPS, STOPS_IF_BUSY_DOES, STOPS_UNLESS_LISTED };

/* Ends that are no failure of the gateway stop the search, whatever the parameters say. */
static const uint8_t stops[END_CODES] = {
	[END_NORMAL] = STOPS,
	[END_CALLER_CANCELLED] = STOPS,
	[END_CANCEL_ANSWER_RACE] = STOPS,
	[END_NO_ACK_FOR_2XX] = STOPS,
	[END_PRACK_MISSING] = STOPS,
	[END_USER_BUSY] = STOPS_IF_BUSY_DOES,
	[END_USER_DECLINED] = STOPS_UNLESS_LISTED,
	[END_SWITCH_DRAINING] = STOPS,
	[END_SWITCH_RESTARTED] = STOPS,
	[END_OPERATOR_HANGUP] = STOPS,
	[END_MAX_DURATION] = STOPS,
	[END_ROUTING_LOOP] = STOPS,
	[END_INTERNAL_ERROR] = STOPS,
	[END_SWITCH_OVERLOAD] = STOPS,
};

/* Busy may be told by the status, or by the Q.850 cause behind another one (RFC 3326). */
static bool is_busy(const struct route_outcome *o)
{
	return stops[o->end] == STOPS_IF_BUSY_DOES || o->status == 486 || o->status == 600 ||
	       o->q850 == 17;
}

/* RFC 3261 21.6.2: the callee does not want the call. */
static bool is_declined(const struct route_outcome *o)
{
	return stops[o->end] == STOPS_UNLESS_LISTED || o->status == 603;
}

enum listed { LISTED_NOT, LISTED_STOP, LISTED_CONTINUE };

static enum listed find_listed(const char *continues, const char *ends, int status)
{
	return model_code_listed(continues, status) ? LISTED_CONTINUE
	       : model_code_listed(ends, status)    ? LISTED_STOP
						    : LISTED_NOT;
}

static enum listed listed(const struct model_params *p, const struct model_failover *own,
			  int status)
{
	enum listed said = find_listed(own->continue_codes, own->stop_codes, status);

	return said != LISTED_NOT ? said : find_listed(p->continue_codes, p->stop_codes, status);
}

static bool allowed(int own, bool system)
{
	return own < 0 ? system : own == 1;
}

bool route_may_go_on(const struct model *m, const struct route_candidate *candidate,
		     const struct route_outcome *outcome)
{
	const struct model_params *p = &m->params;
	const struct model_failover *own;
	enum listed said;

	if (candidate->phone) /* a local phone stands alone */
		return false;
	if (p->max_attempts && outcome->attempts >= p->max_attempts)
		return false;
	if (stops[outcome->end] == STOPS)
		return false;
	if (p->stop_after_registered_timeout && outcome->end == END_NO_RESPONSE &&
	    candidate->gateway->reg.type == REGISTER_OUTBOUND)
		return false;
	own = &candidate->gateway->failover;
	said = listed(p, own, outcome->status);
	if (said == LISTED_STOP)
		return false;
	if (said == LISTED_NOT && is_declined(outcome))
		return false;
	if (said == LISTED_NOT && is_busy(outcome) &&
	    !allowed(own->after_busy, !p->stop_after_busy))
		return false;
	if (outcome->had_sdp && !allowed(own->after_sdp, !p->stop_after_sdp))
		return false;
	return !outcome->rang || allowed(own->after_ringing, p->switch_until_connect);
}
