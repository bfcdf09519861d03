/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole route plan on random configurations against one that is as naive as can be: every gateway is
 * looked at, every prefix compared, all sorted by what the documents say. */
#include "route/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define CONFIGS 3000
#define CALLS_EACH 12
#define GATEWAYS_MOST 100
#define NOW (5000 * SEC)

static unsigned one_in(unsigned n)
{
	return rng_below(n) == 0;
}

/* Few digits, so that prefixes meet. */
static const char *digits(char *dst, unsigned most)
{
	unsigned len = rng_below(most + 1);

	for (unsigned i = 0; i < len; i++)
		dst[i] = (char)('1' + rng_below(3));
	dst[len] = '\0';
	return dst;
}

/* ---- a random configuration ------------------------------------------------------------------ */

static void write_list(struct buf *out, const char *key, unsigned n, void (*item)(struct buf *out))
{
	buf_addf(out, ", %s: [", key);
	for (unsigned i = 0; i < n; i++) {
		buf_add_str(out, i ? ", " : " ");
		item(out);
	}
	buf_add_str(out, " ]");
}

static void add_prefix(struct buf *out)
{
	char text[16];

	buf_addf(out, "\"%s\"", digits(text, 4));
}

static void add_pair(struct buf *out)
{
	char caller[8], callee[8];

	do {
		digits(caller, 1);
		digits(callee, 2);
	} while (!caller[0] && !callee[0]);
	buf_addf(out, "\"%s:%s\"", caller, callee);
}

static void add_hours(struct buf *out)
{
	buf_addf(out, "from: \"%02u:00\", to: \"%02u:00\"", rng_below(24), rng_below(25));
}

static void add_prefix_window(struct buf *out)
{
	buf_add_str(out, "{ ");
	add_hours(out);
	buf_addf(out, ", action: %s, of: %s", one_in(2) ? "allow" : "forbid",
		 one_in(2) ? "caller" : "callee");
	write_list(out, "prefixes", 1 + rng_below(2), add_prefix);
	buf_add_str(out, " }");
}

static void add_priority_window(struct buf *out)
{
	buf_add_str(out, "{ ");
	add_hours(out);
	buf_addf(out, ", priority: %u }", rng_below(3));
}

/* Each once, hence in rising order. */
static void write_groups(struct buf *out, const char *key)
{
	unsigned members = rng_below(8);

	buf_addf(out, ", %s: [", key);
	for (unsigned i = 0, n = 0; i < 3; i++)
		if (members >> i & 1)
			buf_addf(out, "%s group%u", n++ ? "," : "", i);
	buf_add_str(out, " ]");
}

/* `open`: for many numbers and callers, so that there are more candidates than a plan holds. */
static void write_gateway(struct buf *out, unsigned i, bool open)
{
	/* The name must not follow the order in the file. */
	buf_addf(out, "  - { name: g%u, address: h, priority: %u", i * 37 % 101, rng_below(3));
	if (open)
		buf_addf(out, ", prefixes: [ \"\", \"%u\" ]", 1 + rng_below(3));
	else
		write_list(out, "prefixes", 1 + rng_below(4), add_prefix);
	if (one_in(6))
		buf_add_str(out, ", protect: true");
	if (open) {
		buf_add_str(out, " }\n");
		return;
	}
	if (one_in(6))
		buf_add_str(out, ", prefix_style: terminate");
	if (one_in(10))
		buf_add_str(out, ", locked: true");
	if (one_in(10))
		buf_add_str(out, ", account: broke");
	else if (one_in(6))
		buf_add_str(out, ", account: small");
	if (one_in(4))
		buf_addf(out, ", reserved_lines: %u", rng_below(4));
	if (one_in(8))
		buf_addf(out, ", node: n%u", rng_below(2));
	if (one_in(2))
		write_groups(out, "groups");
	if (one_in(6)) {
		write_list(out, "pairs", 1 + rng_below(3), add_pair);
		buf_addf(out, ", pairs_allow: %s", one_in(2) ? "true" : "false");
	}
	if (one_in(5))
		write_list(out, "scheduled_prefixes", 1 + rng_below(3), add_prefix_window);
	if (one_in(5))
		write_list(out, "scheduled_priorities", 1 + rng_below(2), add_priority_window);
	if (one_in(2))
		buf_addf(out, ", line_limit: %u", 1 + rng_below(4));
	if (one_in(6))
		buf_addf(out, ", rate_limit: 1, rate_period: %u", 1 + rng_below(3));
	if (one_in(6))
		buf_add_str(out, ", quality: off");
	buf_add_str(out, " }\n");
}

static const char *random_policy(void)
{
	static const char *const words[] = { "none", "asr", "acd", "pdd", "cost" };

	return words[rng_below(ARRAY_SIZE(words))];
}

static void write_config(struct buf *out, unsigned n)
{
	buf_addf(out,
		 "version: 1\nparameters: { sort_by_asr: %u, sort_by_acd: %u, sort_by_pdd: %u, "
		 "sort_by_cost: %u, sort_cost_first: %s, quality_min_calls: %u, time_zone: UTC }\n",
		 rng_below(4), rng_below(4), rng_below(4), rng_below(4),
		 one_in(2) ? "true" : "false", rng_below(3));
	buf_add_str(out,
		    "accounts: [ { name: broke, kind: vendor, locked: true }, { name: small, "
		    "kind: vendor, line_limit: 3 } ]\n"
		    "gateway_groups: [ { name: group0 }, { name: group1, line_limit: 2 }, { name: "
		    "group2, line_limit: 4 } ]\n");
	buf_addf(out,
		 "mapping_gateways:\n  - { name: in, addresses: 192.0.2.1, first_policy: %s, "
		 "second_policy: %s, routing_groups_allow: %s",
		 random_policy(), random_policy(), one_in(3) ? "false" : "true");
	if (one_in(2))
		write_groups(out, "routing_groups");
	buf_add_str(out, " }\nrouting_gateways:\n");
	for (unsigned i = 0; i < n; i++)
		write_gateway(out, i, n == GATEWAYS_MOST);
}

static void random_lines(struct load *load)
{
	for (unsigned j = rng_below(5); j > 0; j--)
		load_take_line(load, 0);
}

static void random_load(const struct model *m)
{
	for (unsigned i = 0; i < m->n_groups; i++)
		random_lines(m->groups[i].load);
	for (unsigned i = 0; i < m->n_accounts; i++)
		random_lines(m->accounts[i].load);
	for (unsigned i = 0; i < m->n_routings; i++) {
		const struct model_routing *gw = &m->routings[i];

		random_lines(gw->load);
		if (one_in(2))
			load_take_rate(gw->load, &gw->limits.rate, NOW);
		for (unsigned j = rng_below(5); j > 0; j--) {
			struct quality_attempt a = { .connected = one_in(2),
						     .answered = one_in(2),
						     .pdd_us = rng_below(4) * SEC };

			quality_count_attempt(gw->quality, &m->params, NOW, &a);
			if (a.answered)
				quality_count_talk(gw->quality, &m->params, NOW,
						   rng_below(3) * 60 * SEC);
		}
	}
}

/* ---- the naive plan --------------------------------------------------------------------------- */

struct seen {
	const struct model_routing *gw;
	int matched; /* -1 = no prefix */
	enum reason_code why;
	struct quality q;
};
struct naive {
	const struct model *m;
	const struct call_request *req;
	const struct model_mapping *in;
	struct seen seen[GATEWAYS_MOST];
	unsigned n, n_chosen;
};

static bool begins(struct span number, const char *prefix)
{
	return number.len >= strlen(prefix) && memcmp(number.p, prefix, strlen(prefix)) == 0;
}

static int longest(const struct model_routing *gw, struct span number)
{
	int best = -1;

	for (unsigned i = 0; i < gw->n_prefixes; i++)
		if (begins(number, gw->prefixes[i]) && (int)strlen(gw->prefixes[i]) > best)
			best = (int)strlen(gw->prefixes[i]);
	return best;
}

static bool open_at(const struct model_window *w, uint64_t utc_us)
{
	uint64_t second = utc_us / SEC % 86400;

	if (w->from < w->to)
		return w->from <= second && second < w->to;
	return w->from <= second || second < w->to;
}

static bool at_this_time(const struct naive *t, const struct model_routing *gw)
{
	int said[2] = { -1, -1 }; /* nothing, no, yes */

	for (unsigned i = 0; i < gw->n_scheduled_prefixes; i++) {
		const struct model_prefix_window *w = &gw->scheduled_prefixes[i];
		bool fits = false;

		if (!open_at(&w->when, t->req->utc_us))
			continue;
		for (unsigned j = 0; j < w->n_prefixes; j++)
			fits = fits || begins(w->of_caller ? t->req->caller : t->req->callee,
					      w->prefixes[j]);
		if (!w->allow && fits)
			return false;
		if (w->allow && said[w->of_caller] < 1)
			said[w->of_caller] = fits;
	}
	return said[0] != 0 && said[1] != 0;
}

static int priority_at(const struct model_routing *gw, uint64_t utc_us)
{
	int priority = gw->priority;

	for (unsigned i = gw->n_scheduled_priorities; i > 0; i--)
		if (open_at(&gw->scheduled_priorities[i - 1].when, utc_us))
			priority = gw->scheduled_priorities[i - 1].priority;
	return priority;
}

static enum reason_code serves(const struct naive *t, const struct model_routing *gw)
{
	bool member = false, pair = false;

	for (unsigned i = 0; i < gw->n_groups; i++)
		for (unsigned j = 0; j < t->in->routes.n_groups; j++)
			member = member ||
				 strcmp(gw->groups[i]->name, t->in->routes.groups[j]->name) == 0;
	for (unsigned i = 0; i < gw->n_pairs; i++)
		pair = pair || (begins(t->req->caller, gw->pairs[i].caller) &&
				begins(t->req->callee, gw->pairs[i].callee));
	if (t->in->routes.n_groups && t->in->routes.allow && !member)
		return REASON_GROUP;
	if (t->in->routes.n_groups && !t->in->routes.allow && member)
		return REASON_GROUP;
	if (gw->node && strcmp(gw->node, "n0") != 0)
		return REASON_NODE;
	if (gw->n_pairs && gw->pairs_allow && !pair)
		return REASON_PAIR;
	if (gw->n_pairs && !gw->pairs_allow && pair)
		return REASON_PAIR;
	if (!at_this_time(t, gw))
		return REASON_TIME;
	return REASON_CHOSEN;
}

static bool is_full(const struct model_routing *gw)
{
	const struct model_account *account = gw->account;

	if (gw->limits.line_limit && gw->load->lines >= gw->limits.line_limit)
		return true;
	if (load_rate_wait(gw->load, &gw->limits.rate, NOW))
		return true;
	if (account && account->limits.line_limit &&
	    account->load->lines >= account->limits.line_limit)
		return true;
	for (unsigned i = 0; i < gw->n_groups; i++) {
		int limit = gw->groups[i]->limits.line_limit;
		int left = limit - gw->groups[i]->load->lines;

		if (limit && (left <= 0 || left < gw->reserved_lines))
			return true;
	}
	return false;
}

/* Which of several limits is named is no business of the plan: LINE_LIMIT stands for all. */
static enum reason_code now(const struct model_routing *gw)
{
	if (gw->locked)
		return REASON_LOCKED;
	if (gw->account && gw->account->locked)
		return REASON_ACCOUNT_LOCKED;
	if (is_full(gw))
		return REASON_LINE_LIMIT;
	return REASON_CHOSEN;
}

static const struct naive *sorting;

static int order(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int known(uint32_t calls)
{
	return calls > 0 && calls >= sorting->m->params.quality_min_calls;
}

static int asr(const struct quality *q)
{
	return known(q->attempts) ? (int)(100 * q->answered / q->attempts) : 100;
}

static int64_t acd(const struct quality *q)
{
	return known(q->talks) ? (int64_t)(q->talk_us / q->talks / SEC) : INT32_MAX;
}

static int64_t pdd(const struct quality *q)
{
	return known(q->connected) ? (int64_t)(q->pdd_us / q->connected / 100000) : 0;
}

static int by_quality(const struct seen *a, const struct seen *b, int policy)
{
	switch (policy) {
	case POLICY_ASR:
		return order(asr(&b->q), asr(&a->q));
	case POLICY_ACD:
		return order(acd(&b->q), acd(&a->q));
	case POLICY_PDD:
		return order(pdd(&a->q), pdd(&b->q));
	default:
		return 0;
	}
}

static int by_place(const struct seen *a, const struct seen *b, uint64_t place)
{
	const struct model_params *p = &sorting->m->params;
	int o = p->sort_by_asr == place ? by_quality(a, b, POLICY_ASR) : 0;

	if (!o && p->sort_by_acd == place)
		o = by_quality(a, b, POLICY_ACD);
	if (!o && p->sort_by_pdd == place)
		o = by_quality(a, b, POLICY_PDD);
	return o;
}

static int by_usage(const struct model_routing *a, const struct model_routing *b)
{
	int64_t limit_a = a->limits.line_limit ? a->limits.line_limit : INT32_MAX;
	int64_t limit_b = b->limits.line_limit ? b->limits.line_limit : INT32_MAX;

	return order(a->load->lines * limit_b, b->load->lines * limit_a);
}

static int compare_seen(const void *x, const void *y)
{
	const struct seen *a = x, *b = y;
	int o = order(b->why == REASON_CHOSEN, a->why == REASON_CHOSEN);

	if (!o)
		o = order(a->gw->protect, b->gw->protect);
	if (!o)
		o = by_place(a, b, 1);
	if (!o)
		o = order(b->matched, a->matched);
	if (!o)
		o = by_quality(a, b, sorting->in->routes.policy[0]);
	if (!o)
		o = by_quality(a, b, sorting->in->routes.policy[1]);
	if (!o)
		o = by_place(a, b, 2);
	if (!o)
		o = order(priority_at(a->gw, sorting->req->utc_us),
			  priority_at(b->gw, sorting->req->utc_us));
	if (!o)
		o = by_place(a, b, 3);
	if (!o)
		o = by_usage(a->gw, b->gw);
	return o ? o : strcmp(a->gw->name, b->gw->name);
}

static void naive_plan(struct naive *t)
{
	int end = -1;

	t->n = t->n_chosen = 0;
	for (unsigned i = 0; i < t->m->n_routings; i++) {
		const struct model_routing *gw = &t->m->routings[i];
		struct seen s = { .gw = gw, .matched = longest(gw, t->req->callee) };

		if (s.matched < 0)
			continue;
		s.why = serves(t, gw);
		if (s.why == REASON_CHOSEN && gw->prefix_style == PREFIX_TERMINATES &&
		    s.matched > end)
			end = s.matched;
		if (model_quality_counts(t->m, gw))
			quality_read(gw->quality, &t->m->params, NOW, &s.q);
		t->seen[t->n++] = s;
	}
	for (unsigned i = 0; i < t->n; i++) {
		struct seen *s = &t->seen[i];

		if (s->why == REASON_CHOSEN)
			s->why = s->matched < end ? REASON_TERMINATED : now(s->gw);
		t->n_chosen += s->why == REASON_CHOSEN;
	}
	sorting = t;
	qsort(t->seen, t->n, sizeof(t->seen[0]), compare_seen);
}

/* ---- both ---------------------------------------------------------------------------------------- */

static enum reason_code reason_of(const struct reasons *why, const char *name)
{
	enum reason_code code = REASONS;

	for (unsigned i = 0; i < why->n && i < REASONS_MAX; i++) {
		if (strcmp(why->reason[i].object, name) != 0)
			continue;
		assert_int_equal(code, REASONS); /* one reason each */
		code = why->reason[i].code;
	}
	return code;
}

static void compare_reasons(const struct naive *t, const struct reasons *why)
{
	for (unsigned i = 0; i < t->n; i++) {
		enum reason_code got = reason_of(why, t->seen[i].gw->name), want = t->seen[i].why;

		if (why->n > REASONS_MAX && got == REASONS)
			continue; /* there was no room for it */
		if (i >= ROUTE_MAX && want == REASON_CHOSEN)
			want = REASON_TOO_MANY;
		else if (want == REASON_CHOSEN && t->seen[i].gw->protect)
			want = REASON_PROTECT;
		if (got == REASON_NOT_RATED && want == REASON_CHOSEN)
			continue;
		if (reason_is_limit(got) && want == REASON_LINE_LIMIT)
			continue;
		if (got != want)
			fail_msg("%s: %s, should be %s", t->seen[i].gw->name, reason_name(got),
				 reason_name(want));
	}
	assert_int_equal(why->n, t->n);
}

static void compare_call(const struct model *m, const struct call_request *req)
{
	struct naive t = { .m = m, .req = req, .in = &m->mappings[0] };
	struct admit_result from = { .mapping = &m->mappings[0] };
	struct route_plan plan;
	struct reasons why;
	enum route_verdict verdict = route_plan(m, req, &from, &plan, &why);

	naive_plan(&t);
	assert_int_equal(plan.n, t.n_chosen < ROUTE_MAX ? t.n_chosen : ROUTE_MAX);
	assert_int_equal(verdict == ROUTE_OK, plan.n > 0);
	for (unsigned i = 0; i < plan.n; i++) {
		if (plan.candidate[i].gateway != t.seen[i].gw)
			fail_msg("place %u of %.*s: %s, should be %s", i, SPAN_ARG(req->callee),
				 plan.candidate[i].gateway->name, t.seen[i].gw->name);
		assert_int_equal(plan.candidate[i].matched, t.seen[i].matched);
	}
	compare_reasons(&t, &why);
	/* Without anybody asking why the plan is the same. */
	assert_int_equal(route_plan(m, req, &from, &plan, NULL), verdict);
	for (unsigned i = 0; i < plan.n; i++)
		assert_ptr_equal(plan.candidate[i].gateway, t.seen[i].gw);
	/* Who explains names every gateway. */
	route_explain(m, req, &from, &plan, &why);
	assert_int_equal(why.n, m->n_routings);
}

static void test_plans(void **state)
{
	struct buf text = BUF_INIT(1 << 20);

	for (unsigned i = 0; i < CONFIGS; i++) {
		struct model *m = NULL;
		struct model_error e;

		buf_reset(&text);
		write_config(&text, one_in(20) ? GATEWAYS_MOST : 1 + rng_below(25));
		if (model_read_yaml(&m, buf_span(&text), &e, 1))
			fail_msg("line %u %s: %s\n%s", e.line, e.object, e.text, buf_cstr(&text));
		random_load(m);
		for (unsigned j = 0; j < CALLS_EACH; j++) {
			char caller[8], callee[16];
			struct call_request req = { .node = "n0", .mono_us = NOW };

			req.utc_us = rng_below(86400) * SEC;
			req.caller = span_of(digits(caller, 4));
			req.callee = span_of(digits(callee, 8));
			compare_call(m, &req);
		}
		model_unref(&m);
	}
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_plans) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
