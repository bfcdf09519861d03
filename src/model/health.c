/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machine, and the word that it is kept in. A reader that finds the word of a moment ago decides as it would
 * have then; an event that loses the exchange is applied again to what the winner left. */
#include "model/model_int.h"

/* ---- the machine ------------------------------------------------------------------------- */

#define COUNT_MOST 31u
#define WAITS_MOST 15u

static void enter(struct health_mark *mark, enum health_state state)
{
	mark->state = state;
	mark->call_failures = mark->probe_failures = mark->successes = 0;
	mark->until_us = 0;
	if (state == HEALTH_UP || state == HEALTH_RESTING)
		mark->waits = 0;
}

/* Up to a quarter less, so that gateways that failed together are not asked together. The low digits of the moment
 * are as good as chance here and keep the machine pure. */
static uint64_t jittered(uint64_t us, uint64_t mono_us)
{
	return us - (mono_us * 0x9e3779b97f4a7c15ull >> 32) % (us / 4 + 1);
}

static void go_down(struct health_mark *mark, const struct health_rules *rules, uint64_t mono_us)
{
	uint64_t wait = rules->retry_us << mark->waits;
	bool grows = wait < rules->retry_max_us;

	enter(mark, HEALTH_DOWN);
	mark->until_us = mono_us + jittered(grows ? wait : rules->retry_max_us, mono_us);
	mark->until_us -= mark->until_us % MSEC;
	if (grows && mark->waits < WAITS_MOST)
		mark->waits++;
}

static void pass_time(struct health_mark *mark, const struct health_rules *rules, uint64_t mono_us)
{
	if (mark->until_us > mono_us)
		return;
	if (mark->state == HEALTH_RESTING)
		enter(mark, HEALTH_UP);
	else if (mark->state == HEALTH_DOWN && !rules->probed)
		enter(mark, HEALTH_TRYING);
}

static bool enough(unsigned *count, unsigned limit)
{
	if (*count < COUNT_MOST)
		++*count;
	return limit && *count >= limit;
}

/* Calls that were under way when the gateway went down say nothing new. */
static void fail(struct health_mark *mark, const struct health_news *news,
		 const struct health_rules *rules, uint64_t mono_us)
{
	bool probe = news->event != HEALTH_CALL_FAILED;
	bool down = false;

	if (mark->state == HEALTH_UP)
		down = probe ? enough(&mark->probe_failures, rules->probe_failures)
			     : enough(&mark->call_failures, rules->call_failures);
	else if (mark->state != HEALTH_RESTING)
		down = probe || news->trial;
	if (down)
		go_down(mark, rules, mono_us);
}

/* Only time ends a rest: answers to other calls were on their way before. */
static void answer(struct health_mark *mark, bool probe, const struct health_rules *rules)
{
	if (mark->state == HEALTH_RESTING)
		return;
	if (mark->state == HEALTH_UP || !probe) {
		enter(mark, HEALTH_UP);
		return;
	}
	if (enough(&mark->successes, rules->probe_successes)) {
		enter(mark, HEALTH_UP);
	} else {
		mark->state = HEALTH_TRYING;
		mark->until_us = 0;
	}
}

static void rest(struct health_mark *mark, uint32_t seconds, const struct health_rules *rules,
		 uint64_t mono_us)
{
	uint64_t us = seconds * SEC, until;

	until = mono_us + (us < rules->rest_max_us ? us : rules->rest_max_us);
	if (mark->state == HEALTH_RESTING && mark->until_us > until)
		return;
	enter(mark, HEALTH_RESTING);
	mark->until_us = until - until % MSEC;
}

void health_step(struct health_mark *mark, const struct health_news *news,
		 const struct health_rules *rules, uint64_t mono_us)
{
	bool rests = news->rest_s && rules->rest_max_us;

	pass_time(mark, rules, mono_us);
	switch (news->event) {
	case HEALTH_TIME:
		break;
	case HEALTH_CALL_FAILED:
	case HEALTH_PROBE_FAILED:
		fail(mark, news, rules, mono_us);
		break;
	case HEALTH_CALL_ANSWERED:
	case HEALTH_PROBE_ANSWERED:
		answer(mark, news->event == HEALTH_PROBE_ANSWERED, rules);
		break;
	case HEALTH_CALL_REST:
	case HEALTH_PROBE_REST:
		if (rests)
			rest(mark, news->rest_s, rules, mono_us);
		else if (news->event == HEALTH_CALL_REST)
			answer(mark, false, rules);
		else
			fail(mark, news, rules, mono_us);
		break;
	}
}

/* ---- the word ---------------------------------------------------------------------------- */

static uint64_t pack(const struct health_mark *mark)
{
	return (uint64_t)mark->state | (uint64_t)mark->call_failures << 2 |
	       (uint64_t)mark->probe_failures << 7 | (uint64_t)mark->successes << 12 |
	       (uint64_t)mark->waits << 17 | mark->until_us / MSEC << 21;
}

static struct health_mark unpack(uint64_t word)
{
	return (struct health_mark){
		.state = (enum health_state)(word & 3),
		.call_failures = word >> 2 & COUNT_MOST,
		.probe_failures = word >> 7 & COUNT_MOST,
		.successes = word >> 12 & COUNT_MOST,
		.waits = word >> 17 & WAITS_MOST,
		.until_us = (word >> 21) * MSEC,
	};
}

static struct health_rules rules_of(const struct model_routing *gw,
				    const struct model_params *params)
{
	struct health_rules rules = {
		.probed = gw->options_check,
		.call_failures = (unsigned)params->gateway_failures,
		.probe_failures = (unsigned)params->options_check_failures,
		.probe_successes = (unsigned)params->options_check_successes,
		.retry_us = params->gateway_retry,
		.retry_max_us = params->gateway_retry_max,
		.rest_max_us = params->gateway_rest_max,
	};

	/* OPTIONS cost little: never rarer than while it was up. */
	if (rules.probed && rules.retry_max_us > params->options_check_period)
		rules.retry_max_us = params->options_check_period;
	return rules;
}

/* ---- changes kept -------------------------------------------------------------------------- */

/* from 0, to 3, event 6, cause 10, count 14, status 20, seconds 32 */
uint64_t health_pack(const struct health_change *change)
{
	const struct health_news *news = &change->news;

	return (uint64_t)change->from | (uint64_t)change->to << 3 | (uint64_t)news->event << 6 |
	       (uint64_t)news->cause << 10 | (uint64_t)(change->count & COUNT_MOST) << 14 |
	       (uint64_t)(news->status & 0xfff) << 20 | (uint64_t)news->rest_s << 32;
}

struct health_change health_unpack(uint64_t packed)
{
	return (struct health_change){
		.from = (enum health_state)(packed & 7),
		.to = (enum health_state)(packed >> 3 & 7),
		.count = packed >> 14 & COUNT_MOST,
		.news = { .event = (enum health_event)(packed >> 6 & 15),
			  .cause = (enum health_cause)(packed >> 10 & 15),
			  .status = packed >> 20 & 0xfff,
			  .rest_s = (uint32_t)(packed >> 32) },
	};
}

/* Two threads meet in one slot only if HEALTH_CHANGES changes happen while one is written: then a reader sees a
 * stamp that is not the one it looks for, and leaves it out. */
static void keep(struct health *health, const struct health_change *change)
{
	uint64_t n = atomic_fetch_add_explicit(&health->n_changes, 1, memory_order_relaxed);
	struct health_slot *slot = &health->slots[n % HEALTH_CHANGES];

	atomic_store_explicit(&slot->stamp, 2 * n + 1, memory_order_relaxed);
	atomic_store_explicit(&slot->at, change->at_utc_us, memory_order_release);
	atomic_store_explicit(&slot->until, change->until_utc_us, memory_order_release);
	atomic_store_explicit(&slot->packed, health_pack(change), memory_order_release);
	atomic_store_explicit(&slot->stamp, 2 * n + 2, memory_order_release);
}

unsigned health_changes(const struct health *health, struct health_change out[HEALTH_CHANGES])
{
	uint64_t n = atomic_load_explicit(&health->n_changes, memory_order_acquire);
	unsigned found = 0;

	for (uint64_t i = 0; i < n && i < HEALTH_CHANGES; i++) {
		const struct health_slot *slot = &health->slots[(n - 1 - i) % HEALTH_CHANGES];
		uint64_t whole = 2 * (n - 1 - i) + 2;
		struct health_change change;

		if (atomic_load_explicit(&slot->stamp, memory_order_acquire) != whole)
			continue;
		change = health_unpack(atomic_load_explicit(&slot->packed, memory_order_acquire));
		change.at_utc_us = atomic_load_explicit(&slot->at, memory_order_acquire);
		change.until_utc_us = atomic_load_explicit(&slot->until, memory_order_acquire);
		if (atomic_load_explicit(&slot->stamp, memory_order_relaxed) == whole)
			out[found++] = change;
	}
	return found;
}

/* ---- telling ------------------------------------------------------------------------------- */

/* So many in a row led to this. */
static unsigned count_behind(const struct health_mark *before, const struct health_news *news)
{
	switch (news->event) {
	case HEALTH_CALL_FAILED:
		return before->call_failures + 1;
	case HEALTH_PROBE_FAILED:
	case HEALTH_PROBE_REST:
		return before->probe_failures + 1;
	case HEALTH_PROBE_ANSWERED:
		return before->successes + 1;
	default:
		return 1;
	}
}

static struct {
	void (*changed)(void *arg, const struct model_routing *gw, enum health_state state,
			const char *why);
	void *arg;
} listener;

void health_listen(void (*changed)(void *arg, const struct model_routing *gw,
				   enum health_state state, const char *why),
		   void *arg)
{
	listener.changed = changed;
	listener.arg = arg;
}

static void tell_change(const struct model_routing *gw, const struct health_mark *before,
			const struct health_mark *after, const struct health_news *news,
			uint64_t mono_us, uint64_t utc_us)
{
	struct health_change change = { .at_utc_us = utc_us,
					.from = before->state,
					.to = after->state,
					.count = count_behind(before, news),
					.news = *news };
	char why[160];

	/* What time did was done at its moment, not when somebody came to look. */
	if (news->event == HEALTH_TIME)
		change.at_utc_us -= mono_us - before->until_us;
	if (after->until_us > mono_us)
		change.until_utc_us = utc_us + (after->until_us - mono_us);
	keep(gw->health, &change);
	health_change_text(&change, why, sizeof(why));
	log_info("gateway %s: %s: %s", gw->name, health_state_name(after->state), why);
	if (listener.changed)
		listener.changed(listener.arg, gw, after->state, why);
}

void health_tell(const struct model_routing *gw, const struct health_news *news,
		 const struct model_params *params, uint64_t mono_us, uint64_t utc_us)
{
	struct health *health = gw->health;
	uint64_t word = atomic_load_explicit(&health->word, memory_order_relaxed), next;
	struct health_mark before, after;
	struct health_rules rules;

	/* Written for the prober alone: the word beside it is read by every plan on every core. */
	if (news->event == HEALTH_CALL_ANSWERED && gw->options_check)
		atomic_store_explicit(&health->heard_us, mono_us, memory_order_relaxed);
	/* Up and well: what nearly all calls find, and nothing to be written. */
	if (word == 0 && news->event == HEALTH_CALL_ANSWERED && !news->trial)
		return;
	rules = rules_of(gw, params);
	do {
		before = after = unpack(word);
		health_step(&after, news, &rules, mono_us);
		next = pack(&after);
	} while (next != word && !atomic_compare_exchange_weak_explicit(&health->word, &word, next,
									memory_order_acq_rel,
									memory_order_relaxed));
	if (news->trial)
		health_give_trial(health);
	if (after.state != before.state)
		tell_change(gw, &before, &after, news, mono_us, utc_us);
}

void health_settle(const struct model_routing *gw, const struct model_params *params,
		   uint64_t mono_us, uint64_t utc_us)
{
	static const struct health_news time = { .event = HEALTH_TIME };

	if (atomic_load_explicit(&gw->health->word, memory_order_relaxed) != 0)
		health_tell(gw, &time, params, mono_us, utc_us);
}

struct health_view health_at(const struct model_routing *gw, uint64_t mono_us)
{
	const struct health *health = gw->health;
	uint64_t word = atomic_load_explicit(&health->word, memory_order_acquire);
	const struct health_rules rules = { .probed = gw->options_check };
	struct health_mark mark;

	if (word == 0)
		return (struct health_view){ .state = HEALTH_UP };
	mark = unpack(word);
	pass_time(&mark, &rules, mono_us);
	return (struct health_view){
		.state = mark.state,
		.failures = mark.call_failures + mark.probe_failures,
		.trial = mark.state != HEALTH_UP &&
			 atomic_load_explicit(&health->trial, memory_order_relaxed),
		.until_us = mark.until_us,
	};
}

bool health_take_trial(struct health *health)
{
	return !atomic_exchange_explicit(&health->trial, true, memory_order_acq_rel);
}

void health_give_trial(struct health *health)
{
	atomic_store_explicit(&health->trial, false, memory_order_release);
}

/* ---- OPTIONS --------------------------------------------------------------------------------- */

void health_note_probe(struct health *health, bool answered, uint64_t rtt_us, uint64_t utc_us)
{
	uint64_t lost = atomic_load_explicit(&health->lost, memory_order_relaxed);

	atomic_fetch_add_explicit(&health->probes, 1, memory_order_relaxed);
	atomic_store_explicit(&health->lost, lost << 1 | !answered, memory_order_relaxed);
	atomic_store_explicit(&health->probed_utc_us, utc_us, memory_order_relaxed);
	if (answered)
		atomic_store_explicit(&health->rtt_us, (uint32_t)rtt_us, memory_order_relaxed);
}

uint64_t health_probe_wait(const struct model_routing *gw, const struct model_params *params,
			   uint64_t mono_us)
{
	struct health_mark mark =
		unpack(atomic_load_explicit(&gw->health->word, memory_order_relaxed));
	uint64_t period = params->options_check_period;

	if (mark.until_us > mono_us) /* DOWN waits longer each time; a rest is a rest */
		return mark.until_us - mono_us;
	if (mark.state != HEALTH_UP || mark.probe_failures) /* in doubt: ask again soon */
		period = params->gateway_retry < period ? params->gateway_retry : period;
	return jittered(period, mono_us);
}
