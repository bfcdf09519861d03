/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of `gateway test` that runs on a worker: what the name servers know of the gateway, each question
 * by itself and timed, then five OPTIONS one after the other. Ends within EDGE_TEST_TIME whatever happens. */
#include "edge/edge_ping.h"

#include <stdlib.h>

#define DNS_TIME (2 * SEC)
#define ROUND_TIME SEC
#define PAUSE (50 * MSEC)

static const struct question {
	enum net_rr type;
	const char *name, *label;
	int proto; /* asked only if this transport is possible; -1 = any */
} questions[] = {
	{ NET_RR_NAPTR, "NAPTR", "", -1 },
	{ NET_RR_SRV, "SRV", "_sip._udp.", PROTO_UDP },
	{ NET_RR_SRV, "SRV", "_sip._tcp.", PROTO_TCP },
	{ NET_RR_SRV, "SRV", "_sips._tcp.", PROTO_TLS },
	{ NET_RR_A, "A", "", -1 },
	{ NET_RR_AAAA, "AAAA", "", -1 },
};

struct testing {
	struct ping ping; /* first: a ping's owner is found by it */
	struct edge *edge;
	struct edge_test *test;
	struct timer timer; /* the name servers' time, or the pause between rounds */
	struct net_dns_query *query;
	unsigned question;
	uint64_t asked_us, deadline_us;
	char name[300];
};

static struct loop *loop_of(const struct testing *t)
{
	return t->edge->config.loop;
}

static void finish(struct testing *t)
{
	struct edge_test *test = t->test;

	loop_timer_stop(loop_of(t), &t->timer);
	free(t);
	test->done(test);
}

/* ---- OPTIONS ----------------------------------------------------------------------------- */

static void on_answer(struct ping *ping, const struct ping_result *result)
{
	struct testing *t = (struct testing *)ping;
	struct edge_test *test = t->test;
	struct edge_test_round *round = &test->round[test->n_rounds++];
	struct loop *loop = loop_of(t);

	*round = (struct edge_test_round){ .status = result->status,
					   .cause = result->cause,
					   .rtt_us = result->rtt_us };
	if (result->text)
		span_copy(span_of(result->text), round->text, sizeof(round->text));
	test->asked = result->flow != NULL;
	if (result->flow)
		test->flow = *result->flow;
	if (result->msg) {
		span_copy(sip_header(result->msg, SIP_H_DATE), test->date, sizeof(test->date));
		span_copy(sip_header(result->msg, SIP_H_SERVER), test->product,
			  sizeof(test->product));
		test->date_utc_us = loop->utc_us;
	}
	if (test->n_rounds == EDGE_TEST_ROUNDS || loop->now_us >= t->deadline_us)
		finish(t);
	else
		loop_timer(loop, &t->timer, PAUSE);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void ask_next(struct testing *t);

static void add_record(struct buf *out, const struct net_dns_answer *a, unsigned i)
{
	char addr[NET_ADDR_TEXT], text[640];

	if (a->type == NET_RR_SRV)
		snprintf(text, sizeof(text), "%u %u %u %s", a->srv[i].priority, a->srv[i].weight,
			 a->srv[i].port, a->srv[i].target);
	else if (a->type == NET_RR_NAPTR)
		snprintf(text, sizeof(text), "%u %u \"%s\" \"%s\" %s", a->naptr[i].order,
			 a->naptr[i].preference, a->naptr[i].flags, a->naptr[i].service,
			 a->naptr[i].replacement);
	else
		net_addr_format_host(&a->addr[i], addr);
	buf_add_json(out, span_of(a->type == NET_RR_SRV || a->type == NET_RR_NAPTR ? text : addr));
}

/* `answer` NULL: none came in time. */
static void note_answer(struct testing *t, const struct net_dns_answer *answer)
{
	struct buf *out = &t->test->dns;
	uint64_t us = clock_mono_us() - t->asked_us; /* finer than turns */

	buf_addf(out, "%s{\"question\":\"%s ", out->len ? "," : "", questions[t->question].name);
	buf_addf(out, "%s\",\"ms\":%u.%03u,\"records\":[", t->name, (unsigned)(us / 1000),
		 (unsigned)(us % 1000));
	for (unsigned i = 0; answer && !answer->err && i < answer->n; i++) {
		buf_add_str(out, i ? "," : "");
		add_record(out, answer, i);
	}
	buf_add_char(out, ']');
	if (!answer || answer->err) {
		buf_add_str(out, ",\"error\":");
		buf_add_json(out, span_of(answer ? answer->text : "no answer in time"));
	}
	buf_add_char(out, '}');
}

static void on_record(void *arg, const struct net_dns_answer *answer)
{
	struct testing *t = arg;

	t->query = NULL;
	note_answer(t, answer);
	t->question++;
	ask_next(t);
}

/* RFC 3263 4: a port or an address says all, a transport leaves out NAPTR. */
static bool is_asked(const struct question *q, const struct model_routing *gw)
{
	union net_addr literal;

	if (gw->reg.type == REGISTER_DYNAMIC || net_addr_parse(&literal, span_of(gw->host), 1) == 0)
		return false;
	if (q->type == NET_RR_A || q->type == NET_RR_AAAA)
		return true;
	if (gw->port)
		return false;
	return q->type == NET_RR_NAPTR ? gw->proto < 0 : gw->proto < 0 || gw->proto == q->proto;
}

static void begin_rounds(struct testing *t)
{
	ping_start(&t->ping, t->test->gateway, ROUND_TIME, on_answer);
}

static void ask_next(struct testing *t)
{
	const struct model_routing *gw = t->test->gateway;
	struct net_dns_query *query;

	while (t->question < ARRAY_SIZE(questions) && !is_asked(&questions[t->question], gw))
		t->question++;
	if (t->question == ARRAY_SIZE(questions)) {
		begin_rounds(t);
		return;
	}
	t->asked_us = clock_mono_us();
	fmt_print(t->name, sizeof(t->name), "%s%s", questions[t->question].label, gw->host);
	query = net_dns_ask(t->edge->config.dns, t->name, questions[t->question].type, on_record,
			    t);
	if (query)
		t->query = query;
}

static void on_timer(struct timer *timer)
{
	struct testing *t = container_of(timer, struct testing, timer);

	if (t->query) {
		net_dns_cancel(&t->query);
		note_answer(t, NULL);
	}
	begin_rounds(t);
}

void edge_test_start(struct edge *edge, struct edge_test *test)
{
	struct testing *t = calloc(1, sizeof(*t));

	if (!t) {
		test->done(test);
		return;
	}
	ping_init(&t->ping, edge);
	t->edge = edge;
	t->test = test;
	t->deadline_us = t->ping.deadline_us = loop_of(t)->now_us + EDGE_TEST_TIME - ROUND_TIME;
	timer_init(&t->timer, on_timer);
	loop_timer(loop_of(t), &t->timer, DNS_TIME);
	ask_next(t);
}
