/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Health in words and in JSON. */
#include "model/model_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const char *health_state_name(enum health_state state)
{
	static const char *const names[HEALTH_STATES] = { "up", "trying", "down", "resting",
							  "full" };

	return (unsigned)state < HEALTH_STATES ? names[state] : "unknown";
}

static const char *cause_text(enum health_cause cause)
{
	static const char *const texts[HEALTH_CAUSES] = {
		[HEALTH_SILENCE] = "no response",
		[HEALTH_ICMP] = "ICMP unreachable",
		[HEALTH_TCP_REFUSED] = "connection refused",
		[HEALTH_TCP_TIMEOUT] = "connection not taken",
		[HEALTH_TCP_LOST] = "connection lost",
		[HEALTH_TLS] = "TLS handshake failed",
		[HEALTH_DNS] = "name not resolved",
		[HEALTH_STATUS] = "a bad answer",
		[HEALTH_LOCAL] = "could not be sent",
	};

	return (unsigned)cause < HEALTH_CAUSES ? texts[cause] : "";
}

static const char *failure_text(const struct health_change *change, const char *one,
				const char *many, char *dst, size_t size)
{
	const struct health_news *news = &change->news;
	const char *what = change->count == 1 ? one : many;

	if (news->status)
		snprintf(dst, size, "%u %s answered %u%s", change->count, what, news->status,
			 change->count == 1 ? "" : " at last");
	else if (news->cause == HEALTH_SILENCE)
		snprintf(dst, size, "%u %s unanswered", change->count, what);
	else
		snprintf(dst, size, "%u %s failed: %s", change->count, what,
			 cause_text(news->cause));
	return dst;
}

static const char *rest_text(const struct health_change *change, const char *of, char *dst,
			     size_t size)
{
	uint64_t granted = 0;
	size_t n;

	if (change->until_utc_us > change->at_utc_us)
		granted = (change->until_utc_us - change->at_utc_us + SEC - 1) / SEC;
	n = (size_t)snprintf(dst, size, "503 with Retry-After %u%s", change->news.rest_s, of);
	if (granted < change->news.rest_s && n < size)
		snprintf(dst + n, size - n, ", rests %" PRIu64 " s at most", granted);
	return dst;
}

const char *health_change_text(const struct health_change *change, char *dst, size_t size)
{
	switch (change->news.event) {
	case HEALTH_TIME:
		snprintf(dst, size, "%s",
			 change->to == HEALTH_TRYING ? "the wait is over, the next call tries it"
						     : "the rest is over");
		break;
	case HEALTH_CALL_ANSWERED:
		snprintf(dst, size, "it answered a call");
		break;
	case HEALTH_CALL_FAILED:
		return failure_text(change, "call", "calls", dst, size);
	case HEALTH_PROBE_FAILED:
		return failure_text(change, "OPTIONS", "OPTIONS", dst, size);
	case HEALTH_PROBE_ANSWERED:
		snprintf(dst, size, "%u OPTIONS answered, %u", change->count, change->news.status);
		break;
	case HEALTH_CALL_REST:
		return rest_text(change, "", dst, size);
	case HEALTH_PROBE_REST:
		if (change->to == HEALTH_DOWN)
			return failure_text(change, "OPTIONS", "OPTIONS", dst, size);
		return rest_text(change, " to OPTIONS", dst, size);
	}
	return dst;
}

/* "12:03:11Z", with its date when that is not today's. */
static void format_moment(uint64_t at_utc_us, uint64_t utc_us, char *dst, size_t size)
{
	bool today = at_utc_us / (86400 * SEC) == utc_us / (86400 * SEC);
	time_t seconds = (time_t)(at_utc_us / SEC);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(dst, size, today ? "%H:%M:%SZ" : "%Y-%m-%d %H:%M:%SZ", &tm);
}

static bool latest_change(const struct health *health, struct health_change *out)
{
	struct health_change changes[HEALTH_CHANGES];

	if (!health_changes(health, changes))
		return false;
	*out = changes[0];
	return true;
}

const char *health_change_sentence(const struct health_change *change, uint64_t utc_us, char *dst,
				   size_t size)
{
	bool rests = change->to == HEALTH_RESTING;
	char when[32], why[160];

	format_moment(rests ? change->until_utc_us : change->at_utc_us, utc_us, when, sizeof(when));
	snprintf(dst, size, "%s %s %s: %s", health_state_name(change->to),
		 rests ? "until" : "since", when, health_change_text(change, why, sizeof(why)));
	return dst;
}

/* Between a moment that changes a state by itself and its being written down the latest change tells of the state
 * before: then the state stands alone. A rest may have been prolonged since it began. */
const char *health_sentence(const struct model_routing *gw, uint64_t mono_us, uint64_t utc_us,
			    char *dst, size_t size)
{
	struct health_view view = health_at(gw, mono_us);
	struct health_change change;

	if (!latest_change(gw->health, &change) || change.to != view.state) {
		snprintf(dst, size, "%s", health_state_name(view.state));
		return dst;
	}
	if (view.state == HEALTH_RESTING)
		change.until_utc_us = utc_us + (view.until_us - mono_us);
	return health_change_sentence(&change, utc_us, dst, size);
}

static void add_time(struct buf *out, const char *key, uint64_t utc_us)
{
	char text[32];

	if (utc_us)
		buf_addf(out, ", \"%s\": \"%s\"", key, clock_format(utc_us, text, sizeof(text)));
}

static void add_text(struct buf *out, const char *key, const char *text)
{
	buf_addf(out, ", \"%s\": ", key);
	buf_add_json(out, span_of(text));
}

static void add_changes(struct buf *out, const struct health_change *changes, unsigned n)
{
	char text[160];

	buf_add_str(out, ", \"changes\": [");
	for (unsigned i = 0; i < n; i++) {
		buf_addf(out, "%s{\"from\": \"%s\", \"to\": \"%s\"", i ? ", " : "",
			 health_state_name(changes[i].from), health_state_name(changes[i].to));
		add_time(out, "at", changes[i].at_utc_us);
		add_text(out, "why", health_change_text(&changes[i], text, sizeof(text)));
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
}

/* Of the last 64 OPTIONS. */
static void add_probes(struct buf *out, const struct health *health)
{
	uint64_t probes = atomic_load_explicit(&health->probes, memory_order_relaxed);
	uint64_t lost = atomic_load_explicit(&health->lost, memory_order_relaxed);
	uint32_t rtt = atomic_load_explicit(&health->rtt_us, memory_order_relaxed);
	unsigned n = probes < 64 ? (unsigned)probes : 64;

	if (!n)
		return;
	buf_addf(out, ", \"options\": {\"sent\": %" PRIu64 ", \"loss_percent\": %u", probes,
		 (unsigned)__builtin_popcountll(lost) * 100 / n);
	if (rtt)
		buf_addf(out, ", \"rtt_ms\": %u.%03u", rtt / 1000, rtt % 1000);
	add_time(out, "last", atomic_load_explicit(&health->probed_utc_us, memory_order_relaxed));
	buf_add_char(out, '}');
}

static bool is_full(const struct model_routing *gw)
{
	return gw->limits.line_limit &&
	       atomic_load_explicit(&gw->load->lines, memory_order_relaxed) >=
		       gw->limits.line_limit;
}

void health_write_json(struct buf *out, const struct model_routing *gw, uint64_t mono_us,
		       uint64_t utc_us)
{
	const struct health *health = gw->health;
	struct health_view view = health_at(gw, mono_us);
	struct health_change changes[HEALTH_CHANGES];
	unsigned n = health_changes(health, changes);
	char text[256];

	if (view.state == HEALTH_UP && is_full(gw)) {
		buf_addf(out, "{\"state\": \"%s\", \"why\": \"all %d lines are in use\"",
			 health_state_name(HEALTH_FULL), gw->limits.line_limit);
	} else {
		buf_addf(out, "{\"state\": \"%s\"", health_state_name(view.state));
		if (n && changes[0].to == view.state) {
			add_time(out, "since", changes[0].at_utc_us);
			add_text(out, "why", health_change_text(&changes[0], text, sizeof(text)));
		}
	}
	if (view.until_us > mono_us)
		add_time(out, "until", utc_us + (view.until_us - mono_us));
	if (view.failures)
		buf_addf(out, ", \"failures_in_a_row\": %u", view.failures);
	add_text(out, "text", health_sentence(gw, mono_us, utc_us, text, sizeof(text)));
	add_probes(out, health);
	if (n)
		add_changes(out, changes, n);
	buf_add_char(out, '}');
}
