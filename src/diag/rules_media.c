/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Media of an answered call: was it agreed, sent, did it arrive, could it be played, and how well. Nothing is missing where the
 * capture has no media at all, or ends at once. */
#include "diag/diag_int.h"

#include <math.h>

#define TALK_MIN (3 * SEC) /* shorter calls prove nothing about what is missing */

static const char *side_word(bool caller)
{
	return caller ? "the caller" : "the called side";
}

static enum diag_side side_of(bool caller)
{
	return caller ? DIAG_CALLER : DIAG_CALLEE;
}

static uint64_t end_of(const struct diag *d, const struct leg *leg)
{
	return leg->bye ? leg->bye->first_us : d->report.last_us;
}

static uint64_t talk(const struct diag *d, const struct leg *leg)
{
	uint64_t end = end_of(d, leg);

	return leg->answer && end > leg->answer->where.utc_us ? end - leg->answer->where.utc_us : 0;
}

/* Is media to be expected toward this side from the answer on? */
static bool expected(const struct leg *leg, bool to_caller)
{
	const struct media_line *to = answer_line(leg, to_caller),
				*from = answer_line(leg, !to_caller);

	return to && from && to->media->port && from->media->port &&
	       media_way_of(to) & WAY_RECEIVE && media_way_of(from) & WAY_SEND;
}

static void evidence_stream(struct diag *d, struct diag_verdict *v, const struct stream *s,
			    const char *what)
{
	if (v->n_evidence == DIAG_EVIDENCE_MAX)
		return;
	v->evidence[v->n_evidence].frame = s->first_frame;
	v->evidence[v->n_evidence++].text =
		say(d, "RTP %s -> %s, %llu packets%s%s", say_addr(d, &s->src), say_addr(d, &s->dst),
		    (unsigned long long)s->packets, what ? ": " : "", what ? what : "");
}

/* ---- offer and answer ------------------------------------------------------------------------------- */

/* RFC 3264 6.1: what the answer names must have been offered; by name and clock, numbers are each side's own. */
static bool answer_not_in_offer(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	const struct media_line *theirs = leg->answer ? answer_line(leg, false) : NULL,
				*mine = leg->answer ? answer_line(leg, true) : NULL;
	uint32_t pt;

	if (!theirs || !mine || !theirs->media->port || !theirs->message->sdp->answer ||
	    mine->message->sdp->answer || !theirs->media->n_formats ||
	    span_to_u32(theirs->media->formats[0], &pt) || pt >= 96 || line_lists(mine, pt))
		return false;
	v->code = VERDICT_ANSWER_NOT_IN_OFFER;
	v->confidence = 0.85;
	v->side = DIAG_CALLEE;
	v->sentence = say(d, "The answer of %s names payload type %u, which was not offered.",
			  say_addr(d, &theirs->message->where.src), pt);
	evidence(d, v, mine->message, "the offer");
	evidence(d, v, theirs->message, "the answer");
	return true;
}

/* ---- to where nobody is ---------------------------------------------------------------------------------- */

/* Behind a proxy the packet's source is the proxy's: only who sent the message himself can be held to his address. */
static bool came_over_proxy(const struct message *m)
{
	unsigned vias = 0;

	for (unsigned i = m->sip->first[SIP_H_VIA]; i != 0xff; i = m->sip->headers[i].next)
		vias++;
	return m->sip->request ? vias > 1 : sip_header(m->sip, SIP_H_RECORD_ROUTE).len > 0;
}

/* Whoever publishes the private address is the one who hears nothing. A stream to where his packets come from heals it. */
static bool private_address(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (int caller = 1; caller >= 0; caller--) {
		const struct media_line *line = leg->answer ? answer_line(leg, caller) : NULL;
		const struct stream *lost = NULL;
		bool latched = false, sends = false, alg;

		if (!line || !line->rtp.sa.sa_family || !is_private(&line->rtp) ||
		    net_addr_eq_host(&line->rtp, &line->message->where.src) ||
		    is_private(&line->message->where.src))
			continue;
		for (const struct stream *s = rtp_streams_first(d->streams); s; s = s->next) {
			if (net_addr_eq(&s->dst, &line->rtp) && s->leg == leg)
				lost = s;
			latched |= net_addr_eq_host(&s->dst, &line->message->where.src) &&
				   s->last_us > leg->answer->where.utc_us &&
				   (s->leg == leg || !s->leg);
			/* It sends from there: at this place the address can be reached. */
			latched |= s->leg == leg && net_addr_eq_host(&s->src, &line->rtp);
			sends |= s->leg == leg && s->to_caller != line->of_caller;
		}
		if (!lost || latched || (!sends && came_over_proxy(line->message)))
			continue;
		alg = line->message->sip->request &&
		      net_addr_eq_host(&line->message->where.src, &leg->invite->client) &&
		      !is_private(&line->message->where.src) &&
		      says_word(sip_header(line->message->sip, SIP_H_CONTACT),
				say_host(d, &line->message->where.src));
		v->code = alg ? VERDICT_ALG_PARTIAL_REWRITE : VERDICT_PRIVATE_MEDIA_ADDRESS;
		v->confidence = 0.85;
		v->side = side_of(caller);
		v->sentence = say(d,
				  "%s asks for its audio at %s, an address that cannot be reached "
				  "from there: its packets come from %s, and it hears nothing.",
				  caller ? "The caller" : "The called side",
				  say_addr(d, &line->rtp), say_host(d, &line->message->where.src));
		v->counted = say(d, "%llu packets were sent to that address; none to %s.",
				 (unsigned long long)lost->packets,
				 say_host(d, &line->message->where.src));
		v->excluded = alg ? "a plain NAT: Contact carries the public address already, only "
				    "the SDP does not"
				  : "a firewall: the address itself leads nowhere";
		evidence(d, v, line->message, "SDP with c= %s, sent from %s",
			 say_host(d, &line->rtp), say_addr(d, &line->message->where.src));
		evidence_stream(d, v, lost, "into the void");
		return true;
	}
	return false;
}

/* ---- direction ---------------------------------------------------------------------------------------------- */

/* After a hold: both want audio again in the offer, and the answer still says no. */
static bool direction_stuck(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (unsigned i = 0; leg->answer && i < leg->n_lines; i++) {
		const struct media_line *line = &leg->lines[i], *offer;

		if (!is_audio(line) || !line->message->sdp->answer || !line->media->port ||
		    line->from_us <= leg->answer->where.utc_us ||
		    (media_way_of(line) != WAY_RECEIVE && media_way_of(line) != WAY_NONE))
			continue;
		offer = line_of(leg, !line->of_caller, line->from_us);
		if (!offer || media_way_of(offer) != WAY_BOTH ||
		    line->to_us < line->from_us + TALK_MIN ||
		    !capture_covers(d, line->from_us, TALK_MIN))
			continue;
		v->code = VERDICT_MEDIA_DIRECTION_STUCK;
		v->confidence = 0.85;
		v->side = side_of(line->of_caller);
		v->sentence = say(d,
				  "After the hold %s asked for audio both ways again, and %s still "
				  "answered %s.",
				  side_word(!line->of_caller), side_word(line->of_caller),
				  media_way_of(line) == WAY_NONE ? "inactive" : "recvonly");
		v->excluded = "an address or a firewall: the direction was agreed so";
		evidence(d, v, offer->message, "the offer: sendrecv");
		evidence(d, v, line->message, "the answer: %s",
			 media_way_of(line) == WAY_NONE ? "inactive" : "recvonly");
		return true;
	}
	return false;
}

/* ---- what stopped, came late or never --------------------------------------------------------------------------- */

static const char *const timeout_words[] = { "rtp timeout", "media timeout",    "no rtp",
					     "rtp time",    "media inactivity", "no media",
					     NULL };

static bool was_changed_after(const struct leg *leg, uint64_t at_us)
{
	for (unsigned i = 0; i < leg->n_lines; i++)
		if (leg->lines[i].from_us + SEC >= at_us &&
		    leg->lines[i].from_us > leg->answer->where.utc_us + SEC)
			return true;
	return false;
}

static bool lost_midcall(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	struct heard to_caller, to_callee;
	uint64_t end = end_of(d, leg), stopped, first;
	bool caller_first, said;

	if (!leg->answer || !leg->bye || talk(d, leg) < 10 * SEC)
		return false;
	media_look(leg, true, &to_caller);
	media_look(leg, false, &to_callee);
	if (to_caller.packets < 50 || to_callee.packets < 50)
		return false;
	caller_first = to_callee.last_us < to_caller.last_us;
	first = caller_first ? to_callee.last_us : to_caller.last_us;
	stopped = caller_first ? to_caller.last_us : to_callee.last_us;
	said = says(leg->bye->requests[0], timeout_words);
	if (end < first + 10 * SEC || (!said && end < stopped + 10 * SEC) ||
	    was_changed_after(leg, first))
		return false;
	v->code = VERDICT_MEDIA_LOST_MIDCALL;
	v->confidence = 0.85;
	v->side = DIAG_NETWORK;
	v->sentence = say(d, "Audio stopped %s after the answer, and the call was ended %s later.",
			  say_time(d, first - leg->answer->where.utc_us), say_time(d, end - first));
	v->counted = say(
		d,
		"The last packet from the caller came %s, from the called side %s before the BYE.",
		say_time(d, end > to_callee.last_us ? end - to_callee.last_us : 0),
		say_time(d, end > to_caller.last_us ? end - to_caller.last_us : 0));
	v->excluded = "a missing ACK: it is there; a hold: nothing was changed at that time";
	evidence_stream(d, v, to_callee.main, "from the caller");
	evidence_stream(d, v, to_caller.main, "from the called side");
	evidence(d, v, leg->bye->requests[0], "BYE");
	return true;
}

/* Media between the same two hosts the other way, joined to the call or not. */
static bool flows_back(const struct diag *d, const struct stream *s)
{
	for (const struct stream *o = rtp_streams_first(d->streams); o; o = o->next)
		if (net_addr_eq_host(&o->src, &s->dst) && net_addr_eq_host(&o->dst, &s->src) &&
		    o->first_us < s->last_us && o->last_us > s->first_us)
			return true;
	return false;
}

/* One direction is there and the other is not. That alone shows nothing: a tap may see one side, a peer may be mute. The sender's
 * own count, or a side that hung up because it heard nothing, makes it a fault. */
static bool never_came(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	struct heard to_caller, to_callee;
	const struct media_line *caller, *callee;
	const struct stream *other;
	bool deaf_caller, missed;
	uint32_t claimed;

	if (!leg->answer || talk(d, leg) < TALK_MIN || !media_was_captured(d))
		return false;
	media_look(leg, true, &to_caller);
	media_look(leg, false, &to_callee);
	if ((to_caller.packets > 0) == (to_callee.packets > 0))
		return false;
	deaf_caller = to_caller.packets == 0;
	other = deaf_caller ? to_callee.main : to_caller.main;
	if (!expected(leg, deaf_caller) || flows_back(d, other) ||
	    other->event_packets == other->packets ||
	    was_changed_after(leg, leg->answer->where.utc_us + SEC))
		return false;
	caller = answer_line(leg, true);
	callee = answer_line(leg, false);
	claimed = deaf_caller ? media_claimed(d, callee, caller) : media_claimed(d, caller, callee);
	missed = leg->bye && says(leg->bye->requests[0], timeout_words);
	v->code = claimed > 20 ? VERDICT_MEDIA_INBOUND_BLOCKED : VERDICT_NO_INBOUND_MEDIA;
	v->confidence = claimed > 20 ? 0.85 : missed ? 0.7 : 0.3;
	v->side = DIAG_NETWORK;
	v->sentence = claimed > 20 ? say(d,
					 "%s sent %u packets of audio, says its RTCP, and none of "
					 "them came this far.",
					 deaf_caller ? "The called side" : "The caller", claimed)
				   : say(d,
					 "No audio of %s came this far; whether it was sent cannot "
					 "be seen from here.",
					 side_word(!deaf_caller));
	v->counted = say(d, "%llu packets went the other way.", (unsigned long long)other->packets);
	v->excluded = claimed > 20 ? "a silent sender: it counts its packets; a private address: "
				     "both are public"
				   : NULL;
	v->ask = "does your side send RTP for this call, from which address to which, and how many "
		 "packets?";
	evidence(d, v, leg->answer, "the answer");
	evidence_stream(d, v, other, "the other direction");
	return true;
}

static bool came_late(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	struct heard to_caller, to_callee;
	uint64_t late;

	if (!leg->answer || talk(d, leg) < TALK_MIN || !expected(leg, true))
		return false;
	media_look(leg, true, &to_caller);
	media_look(leg, false, &to_callee);
	/* Who leaves silence out may have had nothing to say. */
	if (!to_caller.packets || to_caller.main->pauses ||
	    to_caller.first_us <= leg->answer->where.utc_us ||
	    (to_callee.packets && to_callee.first_us > leg->answer->where.utc_us + 10 * SEC))
		return false;
	late = to_caller.first_us - leg->answer->where.utc_us;
	/* When both begin so late, the media was captured later than the signalling. */
	if (late < 800 * MSEC || late > 15 * SEC ||
	    (to_callee.packets && to_callee.first_us + SEC > to_caller.first_us))
		return false;
	v->code = VERDICT_MEDIA_LATE;
	v->confidence = 0.8;
	v->side = DIAG_CALLEE;
	v->sentence = say(
		d,
		"The called side's first audio came %s after its answer: the greeting is cut off.",
		say_time(d, late));
	evidence(d, v, leg->answer, "the answer");
	evidence_stream(d, v, to_caller.main, "the first audio");
	return true;
}

/* ---- what cannot be played -------------------------------------------------------------------------------------------- */

/* RFC 3711: a tag of 10 or 4 bytes behind the payload; G.711 in clear has few values and lengths of whole 10 ms. */
static bool looks_plain(const struct stream *s)
{
	unsigned values = 0;

	for (int i = 0; i < 8; i++)
		values += (unsigned)__builtin_popcount(s->distinct[i]);
	return s->length % 80 == 0 && s->same_length * 10 > s->packets * 9 &&
	       (s->n_bytes_seen < 2000 || values < 250 || s->length % 80 == 0);
}

static bool is_secure(const struct media_line *line)
{
	return line && span_istarts(line->media->transport, SPAN("RTP/SAVP"));
}

static bool srtp_not_applied(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	if (!leg->answer || !is_secure(answer_line(leg, true)) ||
	    !is_secure(answer_line(leg, false)))
		return false;
	for (const struct stream *s = leg->streams; s; s = s->leg_next) {
		if (s->packets < 20 || (!s->by_pt[0] && !s->by_pt[8]) || !looks_plain(s))
			continue;
		v->code = VERDICT_SRTP_NOT_APPLIED;
		v->confidence = 0.85;
		v->side = side_of(!s->to_caller);
		v->sentence = say(d,
				  "SRTP was agreed, and %s sends plain RTP: the other side cannot "
				  "authenticate it and hears nothing.",
				  side_word(!s->to_caller));
		v->counted = say(d, "%llu packets of %u bytes of payload: no authentication tag.",
				 (unsigned long long)s->packets, s->length);
		evidence(d, v, leg->answer, "RTP/SAVP agreed");
		evidence_stream(d, v, s, "plain");
		return true;
	}
	return false;
}

static bool known_to(const struct media_line *line, const struct leg *leg, unsigned pt)
{
	if (pt == 13 || pt == 19 || (line && line_lists(line, pt)))
		return true;
	for (unsigned i = 0; i < leg->n_lines; i++) /* or of another description of this call */
		if (line_lists(&leg->lines[i], pt))
			return true;
	return false;
}

static bool pt_not_negotiated(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct stream *s = leg->answer ? leg->streams : NULL; s; s = s->leg_next) {
		/* Sent to where the receiver's packets come from: it wants what its SDP says. */
		const struct media_line *line =
			s->line ? s->line : line_of(leg, s->to_caller, s->last_us);

		for (unsigned pt = 0; line && pt < 128; pt++) {
			if (!is_audio(line) || s->by_pt[pt] <= 5 ||
			    s->event_packets >= s->by_pt[pt] || known_to(line, leg, pt) ||
			    s->first_us_by_pt[pt] < leg->answer->where.utc_us || pt >= 96)
				continue;
			v->code = VERDICT_MEDIA_PT_NOT_NEGOTIATED;
			v->confidence = 0.85;
			v->side = side_of(!s->to_caller);
			v->sentence = say(d,
					  "%s sends payload type %u, which the other side never "
					  "listed: it is thrown away there.",
					  s->to_caller ? "The called side" : "The caller", pt);
			v->counted = say(d, "%llu packets.", (unsigned long long)s->by_pt[pt]);
			evidence(d, v, line->message, "the list of the receiver");
			evidence_stream(d, v, s, NULL);
			return true;
		}
	}
	return false;
}

static bool silent_payload(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct stream *s = leg->answer ? leg->streams : NULL; s; s = s->leg_next) {
		if (s->packets < 100 || s->silent_packets * 100 < s->packets * 95 ||
		    !expected(leg, s->to_caller) ||
		    s->last_us < leg->answer->where.utc_us + TALK_MIN)
			continue;
		v->code = VERDICT_MEDIA_SILENT_PAYLOAD;
		v->confidence = 0.8;
		v->side = side_of(!s->to_caller);
		v->sentence = say(d,
				  "%s sends audio without a break, and all of it is silence: the "
				  "voice is missing before its RTP begins.",
				  s->to_caller ? "The called side" : "The caller");
		v->counted =
			say(d, "%llu of %llu packets hold nothing but silence.",
			    (unsigned long long)s->silent_packets, (unsigned long long)s->packets);
		v->excluded = "the network: nothing is lost";
		evidence_stream(d, v, s, "silence");
		return true;
	}
	return false;
}

/* ---- how well ------------------------------------------------------------------------------------------------------------ */

static unsigned clock_index(const struct stream *s)
{
	return s->clock == 16000   ? CLOCK_16000
	       : s->clock == 48000 ? CLOCK_48000
	       : s->clock == 90000 ? CLOCK_90000
				   : CLOCK_8000;
}

/* A stream that may be judged: audio of some length, whole in the file, of which only the network has taken. */
static bool is_judged(const struct stream *s)
{
	return s->packets >= 150 && (!s->line || is_audio(s->line)) &&
	       s->event_packets * 2 < s->packets && s->last_us > s->first_us + 3 * SEC &&
	       s->lost * 2 < s->expected;
}

/* Packets that were taken out of the file are not lost: whole runs are missing, and the time goes on. */
static bool is_filtered(const struct stream *s)
{
	return s->lost * 10 > s->expected * 3;
}

/* Streams of many calls with holes: it is the tap that loses, not the network; unless this one has far more of them. */
static bool tap_loses(const struct diag *d, const struct stream *this)
{
	unsigned judged = 0, torn = 0, touched = 0;
	uint64_t lost = 0, expected = 0;

	for (const struct stream *s = rtp_streams_first(d->streams); s; s = s->next) {
		if (s->packets < 150)
			continue;
		judged++;
		torn += s->lost * 100 >= s->expected;
		touched += s->lost > 0;
		lost += s->lost;
		expected += s->expected;
	}
	if (judged < 6)
		return false;
	return torn * 10 > judged * 7 ||
	       (touched * 10 > judged * 9 && this->lost * expected < 4 * lost * this->expected);
}

/* For a moment nothing at all came, and the other direction lacks packets as well: the tap rested. */
static bool tap_rested(const struct leg *leg, const struct stream *s)
{
	if (s->lost_with_all * 2 < s->lost)
		return false;
	for (const struct stream *o = leg->streams; o; o = o->leg_next)
		if (o->to_caller != s->to_caller && o->lost_with_all)
			return true;
	return false;
}

static bool loss(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct stream *s = leg->answer ? leg->streams : NULL; s; s = s->leg_next) {
		bool burst;

		if (!is_judged(s) || is_filtered(s) || s->lost < 6 ||
		    (s->lost * 100 < s->expected && s->lost_in_bursts < 6))
			continue;
		if (tap_loses(d, s) || tap_rested(leg, s))
			return false;
		burst = s->lost_in_bursts * 2 > s->lost;
		v->code = burst ? VERDICT_MEDIA_LOSS_BURST : VERDICT_MEDIA_LOSS;
		v->confidence = 0.8;
		v->side = DIAG_NETWORK;
		v->sentence = say(d, "%llu of %llu packets from %s were lost before this point%s.",
				  (unsigned long long)s->lost, (unsigned long long)s->expected,
				  side_word(!s->to_caller), burst ? ", most of them in a row" : "");
		v->counted = say(d, "%u.%u %%; %llu in runs of three and more%s.",
				 (unsigned)(s->lost * 100 / s->expected),
				 (unsigned)(s->lost * 1000 / s->expected % 10),
				 (unsigned long long)s->lost_in_bursts,
				 s->dscp ? "" : "; the packets carry no priority (DSCP 0)");
		v->excluded = "silence left out by the sender: the numbers themselves are missing";
		evidence_stream(d, v, s, NULL);
		return true;
	}
	return false;
}

static bool jitter(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct stream *s = leg->answer ? leg->streams : NULL; s; s = s->leg_next) {
		double ms = s->jitter_max_us[clock_index(s)] / 1000;

		/* A buffer of usual size would have to throw packets away. */
		if (!is_judged(s) || ms < 30 || s->jitter_us[clock_index(s)] < 15000 ||
		    s->pauses > 3 || s->late[clock_index(s)] * 100 < s->packets)
			continue;
		v->code = VERDICT_MEDIA_JITTER;
		v->confidence = 0.75;
		v->side = DIAG_NETWORK;
		v->sentence = say(d, "Audio from %s comes unevenly: jitter up to %.0f ms.",
				  side_word(!s->to_caller), ms);
		v->excluded = "loss: hardly a packet is missing";
		evidence_stream(d, v, s, NULL);
		return true;
	}
	return false;
}

static bool skew(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct stream *s = leg->answer ? leg->streams : NULL; s; s = s->leg_next) {
		double clock = s->clock ? s->clock : 8000, ppm, passed;

		if (!is_judged(s) || s->last_us < s->first_us + 8 * SEC || s->longest_gap_us ||
		    s->pauses)
			continue;
		passed = (double)(s->last_us - s->first_us);
		ppm = (s->timestamps / clock * 1e6 - passed) / passed * 1e6;
		/* What the first and the last packet may have been late by explains nothing. */
		if (fabs(s->timestamps / clock * 1e6 - passed) <
		    8 * s->jitter_max_us[clock_index(s)])
			continue;
		if ((ppm < 5000 && ppm > -5000) || ppm > 200000 || ppm < -200000)
			continue;
		v->code = VERDICT_MEDIA_CLOCK_SKEW;
		v->confidence = 0.75;
		v->side = side_of(!s->to_caller);
		v->sentence = say(d,
				  "The clock of %s runs %.1f %% %s: the other side's buffer %s "
				  "again and again.",
				  side_word(!s->to_caller), (ppm < 0 ? -ppm : ppm) / 10000,
				  ppm < 0 ? "slow" : "fast", ppm < 0 ? "runs empty" : "overflows");
		v->excluded = "jitter: the packets come evenly";
		evidence_stream(d, v, s, NULL);
		return true;
	}
	return false;
}

/* ---- DTMF ------------------------------------------------------------------------------------------------------------------- */

/* RFC 6665 8.2.1: parameters may follow its name. */
static bool is_event_package(const struct message *m)
{
	struct span name, rest;

	span_cut(sip_header(m->sip, SIP_H_EVENT), ';', &name, &rest);
	return span_ieq(span_trim(name), SPAN("telephone-event"));
}

static bool events_not_negotiated(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct stream *s = leg->answer ? leg->streams : NULL; s; s = s->leg_next) {
		bool notified = false;

		if (!s->line || s->events == 0 || s->event_packets < 3 ||
		    line_maps(s->line, "telephone-event", NULL))
			continue;
		for (const struct tx *tx = leg->txs; tx; tx = tx->next)
			notified |= tx->method == SIP_NOTIFY && is_event_package(tx->requests[0]);
		v->code = notified ? VERDICT_DTMF_DOUBLED : VERDICT_DTMF_TE_NOT_NEGOTIATED;
		v->confidence = 0.8;
		v->side = side_of(!s->to_caller);
		v->sentence = notified ? say(d, "Digits go twice: as events in RTP, which were not "
						"agreed, and as NOTIFY.")
				       : say(d,
					     "%s sends digits as events in RTP, and the other side "
					     "did not list them: they are ignored.",
					     s->to_caller ? "The called side" : "The caller");
		v->counted = say(d, "%llu digits in %llu packets.", (unsigned long long)s->events,
				 (unsigned long long)s->event_packets);
		evidence(d, v, s->line->message, "no telephone-event here");
		evidence_stream(d, v, s, "with events");
		return true;
	}
	return false;
}

static bool is_digits(const struct message *m)
{
	struct span type = sip_header(m->sip, SIP_H_CONTENT_TYPE);

	return span_istarts(type, SPAN("application/dtmf"));
}

static bool info_rejected(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct tx *tx = leg->txs; leg->answer && tx; tx = tx->next) {
		const struct message *final = tx_final(tx);

		if (tx->method != SIP_INFO || !tx->n_requests || !is_digits(tx->requests[0]) ||
		    !final || final->sip->status < 400)
			continue;
		v->code = VERDICT_DTMF_INFO_REJECTED;
		v->confidence = 0.85;
		v->side = net_addr_eq_host(&tx->client, &leg->invite->client) ? DIAG_CALLEE
									      : DIAG_CALLER;
		v->sentence = say(d, "%s refuses digits in INFO: %s.", say_addr(d, &tx->server),
				  quote(d, final));
		evidence(d, v, tx->requests[0], "INFO with a digit");
		evidence(d, v, final, "%s", quote(d, final));
		return true;
	}
	return false;
}

/* ---- fax -------------------------------------------------------------------------------------------------------------------------- */

static const struct sdp_media *image_of(const struct message *m)
{
	for (unsigned i = 0; m->sdp && m->sdp->sdp && i < m->sdp->sdp->n_media; i++)
		if (span_ieq(m->sdp->sdp->media[i].kind, SPAN("image")))
			return &m->sdp->sdp->media[i];
	return NULL;
}

static bool fax_rejected(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct tx *tx = leg->txs; leg->answer && tx; tx = tx->next) {
		const struct message *final = tx_final(tx);

		if (tx->method != SIP_INVITE || !tx->indialog || !tx->n_requests ||
		    !image_of(tx->requests[0]) || !final || final->sip->status < 400 ||
		    final->sip->status == 491 || final->sip->status == 401 ||
		    final->sip->status == 407)
			continue;
		v->code = VERDICT_FAX_T38_REJECTED;
		v->confidence = 0.8;
		v->side = net_addr_eq_host(&tx->client, &leg->invite->client) ? DIAG_CALLEE
									      : DIAG_CALLER;
		v->sentence = say(d, "%s refused to change to T.38: %s.", say_addr(d, &tx->server),
				  quote(d, final));
		v->excluded = "a codec of the voice call: the change asked for was the fax";
		evidence(d, v, tx->requests[0], "re-INVITE with m=image");
		evidence(d, v, final, "%s", quote(d, final));
		return true;
	}
	return false;
}

static bool fax_flows(const struct diag *d, const struct media_line *line)
{
	for (const struct other_flow *f = rtp_streams_others(d->streams); f; f = f->next)
		if (net_addr_eq(&f->dst, &line->rtp) && f->packets > 2)
			return true;
	return false;
}

static const struct stream *rtp_after(const struct diag *d, const union net_addr *dst,
				      uint64_t after_us)
{
	for (const struct stream *s = rtp_streams_first(d->streams); s; s = s->next)
		if (net_addr_eq(&s->dst, dst) && s->last_us > after_us)
			return s;
	return NULL;
}

static bool fax_not_applied(struct diag *d, struct leg *leg, struct diag_verdict *v)
{
	for (const struct tx *tx = leg->txs; leg->answer && tx; tx = tx->next) {
		const struct message *ok = tx_first(tx, 200, 299);
		const struct stream *still;
		bool answerer_is_caller;

		if (tx->method != SIP_INVITE || !tx->indialog || !tx->n_requests || !ok ||
		    !image_of(tx->requests[0]) || !image_of(ok) || !image_of(ok)->port ||
		    end_of(d, leg) < ok->where.utc_us + TALK_MIN)
			continue;
		answerer_is_caller = net_addr_eq_host(&tx->server, &leg->invite->client);
		for (unsigned i = 0; i < leg->n_lines; i++) {
			const struct media_line *line = &leg->lines[i];

			if (line->message != tx->requests[0] || !line->rtp.sa.sa_family ||
			    !span_ieq(line->media->kind, SPAN("image")) || fax_flows(d, line))
				continue;
			still = rtp_after(d, &line->rtp, ok->where.utc_us + SEC);
			if (!still)
				continue;
			v->code = VERDICT_FAX_T38_NOT_APPLIED;
			v->confidence = 0.85;
			v->side = side_of(answerer_is_caller);
			v->sentence = say(
				d,
				"%s agreed to T.38 and went on with RTP: no fax data came from it.",
				answerer_is_caller ? "The caller" : "The called side");
			evidence(d, v, tx->requests[0], "re-INVITE with m=image");
			evidence(d, v, ok, "accepted");
			evidence_stream(d, v, still, "still RTP");
			return true;
		}
	}
	return false;
}

diag_rule *const rules_media[] = { fax_rejected,
				   fax_not_applied,
				   srtp_not_applied,
				   private_address,
				   direction_stuck,
				   lost_midcall,
				   never_came,
				   pt_not_negotiated,
				   silent_payload,
				   came_late,
				   loss,
				   jitter,
				   skew,
				   events_not_negotiated,
				   info_rejected,
				   NULL };
diag_rule *const rules_agreement[] = { answer_not_in_offer, NULL };
