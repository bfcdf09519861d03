/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The session timer, RFC 4028.
 *
 * Every 2xx to INVITE or UPDATE agrees anew on an interval and on who refreshes. If that is us, we
 * refresh every interval/segment, by UPDATE without SDP when the peer allows it, else by a
 * re-INVITE that repeats our SDP. If it is the peer and it does not, we hang up
 * min(32 s, interval/3) before the interval ends (section 10), earlier still by the configured
 * margin. A peer that knows no session timer is refreshed by us (sections 7.2 and 9 allow that): an
 * answer to the refresh shows that it lives. A refresh that is merely refused (say, 500) is tried
 * again until the same moment. */
#include "sip/sip_session_int.h"

#include <stdio.h>

#define DEFAULT_EXPIRES_S 1800 /* RFC 4028 4 recommends */
#define EXPIRES_MAX_S (24u * 3600)
#define BUSY_RETRY_US (1 * SEC)

uint32_t sip_ses_min_se_floor = 90;

static uint32_t at_least(uint32_t value, uint32_t floor)
{
	return value > floor ? value : floor;
}

uint32_t sip_ses_timer_min(const struct sip_session_config *config)
{
	return at_least(config->min_se_s, sip_ses_min_se_floor);
}

/* ---- in requests ----------------------------------------------------------------------- */

/* As UAC each INVITE and UPDATE asks again (7.4); the refresher stays who it was. */
void sip_ses_timer_write_request(struct sip_writer *w, const struct sip_session *s, bool initial)
{
	if (!s->config.timer)
		return;
	if (initial)
		sip_write_headerf(w, SIP_H_SESSION_EXPIRES, "%u", s->ask_expires_s);
	else if (s->expires_s)
		sip_write_headerf(w, SIP_H_SESSION_EXPIRES, "%u;refresher=%s",
				  at_least(s->expires_s, s->ask_min_se_s),
				  s->we_refresh ? "uac" : "uas");
	else
		return;
	sip_write_headerf(w, SIP_H_MIN_SE, "%u", s->ask_min_se_s);
}

int sip_ses_timer_ask(const struct sip_session_config *config, const struct sip_msg *msg,
		      struct sip_timer_ask *ask)
{
	struct span expires = sip_header(msg, SIP_H_SESSION_EXPIRES);
	struct span min_se = sip_header(msg, SIP_H_MIN_SE);
	char none;

	*ask = (struct sip_timer_ask){ .supported = sip_lists(msg, SIP_H_SUPPORTED, "timer") ||
						    sip_lists(msg, SIP_H_REQUIRE, "timer") };
	if (expires.p && sip_session_expires_decode(expires, &ask->expires, &ask->refresher))
		return 400;
	if (min_se.p && sip_session_expires_decode(min_se, &ask->min_se, &none))
		return 400;
	if (!config->timer)
		return 0;
	return ask->expires && ask->expires < sip_ses_timer_min(config) ? 422 : 0;
}

/* ---- running ---------------------------------------------------------------------------- */

/* Section 10: hang up so long before the end. */
static uint64_t life_us(const struct sip_session *s)
{
	uint64_t all = s->expires_s * SEC;
	uint64_t margin = all / 3 < 32 * SEC ? all / 3 : 32 * SEC;
	uint64_t early = s->config.early_hangup_s * SEC;

	/* However large the configured margin, a third of the interval is left to live. */
	return margin + early < all - all / 3 ? all - margin - early : all / 3;
}

static uint64_t refresh_us(const struct sip_session *s)
{
	uint32_t segment = s->config.refresh_segment;

	segment = segment < 2 ? 2 : segment > 10 ? 10 : segment;
	return s->expires_s * SEC / segment;
}

static void arm(struct sip_session *s, uint64_t after_us)
{
	uint64_t now = sip_ses_loop(s)->now_us;
	uint64_t left = s->expires_at_us > now ? s->expires_at_us - now : 0;

	loop_timer(sip_ses_loop(s), &s->timer, after_us < left ? after_us : left);
}

static void start(struct sip_session *s, uint32_t expires_s, bool we_refresh)
{
	s->expires_s = expires_s > EXPIRES_MAX_S ? EXPIRES_MAX_S : expires_s;
	s->we_refresh = we_refresh;
	s->refresh_refused = false;
	if (!s->expires_s) {
		sip_ses_timer_stop(s);
		return;
	}
	s->expires_at_us = sip_ses_loop(s)->now_us + life_us(s);
	arm(s, we_refresh ? refresh_us(s) : UINT64_MAX);
}

void sip_ses_timer_stop(struct sip_session *s)
{
	loop_timer_stop(sip_ses_loop(s), &s->timer);
}

static void expired(struct sip_session *s)
{
	if (!s->we_refresh)
		sip_ses_end(s, SIP_END_TIMER_EXPIRED,
			    "the peer was to refresh the session and did not", true,
			    "SIP;cause=408;text=\"Session timer expired\"", NULL);
	else if (s->refresh_refused)
		sip_ses_end(s, SIP_END_REFRESH_REJECTED,
			    "the peer refused our refreshes until the session expired", true,
			    "SIP;cause=408;text=\"Session refresh refused\"", NULL);
	else
		sip_ses_end(s, SIP_END_REFRESH_UNANSWERED,
			    "the session expired before a refresh was answered", true,
			    "SIP;cause=408;text=\"Session refresh unanswered\"", NULL);
}

static void on_timer(struct timer *timer)
{
	struct sip_session *s = container_of(timer, struct sip_session, timer);
	uint64_t again;

	sip_ses_enter(s);
	if (s->over) {
		/* nothing */
	} else if (sip_ses_loop(s)->now_us >= s->expires_at_us) {
		expired(s);
	} else {
		again = refresh_us(s);
		if (s->we_refresh && sip_offer_refresh(s) == -EBUSY && again > BUSY_RETRY_US)
			again = BUSY_RETRY_US;
		if (!s->over)
			arm(s, again);
	}
	sip_ses_leave(s);
}

void sip_ses_timer_init(struct sip_session *s)
{
	timer_init(&s->timer, on_timer);
	s->ask_min_se_s = sip_ses_timer_min(&s->config);
	s->ask_expires_s = at_least(s->config.session_expires_s ? s->config.session_expires_s
								: DEFAULT_EXPIRES_S,
				    s->ask_min_se_s);
}

/* ---- agreeing ---------------------------------------------------------------------------- */

/* As UAS, section 9 and its table 2. */
void sip_ses_timer_grant(struct sip_session *s, const struct sip_timer_ask *ask,
			 struct sip_writer *w)
{
	uint32_t expires = s->ask_expires_s;
	bool uac_refreshes = ask->supported && ask->refresher != 's';

	if (!s->config.timer)
		return;
	if (ask->expires && ask->expires < expires)
		expires = ask->expires;
	expires = at_least(expires, ask->min_se);
	start(s, expires, !uac_refreshes);
	sip_write_headerf(w, SIP_H_SESSION_EXPIRES, "%u;refresher=%s", s->expires_s,
			  uac_refreshes ? "uac" : "uas");
	if (uac_refreshes)
		sip_write_header(w, SIP_H_REQUIRE, SPAN("timer"));
}

/* As UAC, section 7.2. */
void sip_ses_timer_granted(struct sip_session *s, const struct sip_msg *msg)
{
	struct span header = sip_header(msg, SIP_H_SESSION_EXPIRES);
	uint32_t expires = 0;
	char refresher = 0;

	if (!s->config.timer)
		return;
	if (!header.p || sip_session_expires_decode(header, &expires, &refresher) || !expires) {
		start(s, s->ask_expires_s, true);
		return;
	}
	start(s, at_least(expires, sip_ses_min_se_floor), refresher != 's');
}

/* 422, section 7.3: their Min-SE is our Session-Expires at least. */
bool sip_ses_timer_raise(struct sip_session *s, const struct sip_msg *msg)
{
	struct span header = sip_header(msg, SIP_H_MIN_SE);
	uint32_t min_se;
	char none;

	if (msg->status != 422 || !s->config.timer || !header.p ||
	    sip_session_expires_decode(header, &min_se, &none) || min_se > EXPIRES_MAX_S ||
	    min_se <= s->ask_min_se_s)
		return false;
	s->ask_min_se_s = min_se;
	s->ask_expires_s = at_least(s->ask_expires_s, min_se);
	return true;
}
