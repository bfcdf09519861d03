/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The REGISTER requests that a worker remembers: the last of those that failed and, apart from them because phones that work
 * come thousandfold, the last of the others. A failure that repeats itself soon is counted, not written anew, so a
 * few devices that cannot stop push nobody else out. */
#include "edge/edge_register.h"

#include <stdlib.h>

#define FAILED_KEPT 2048
#define GOOD_KEPT 8192
#define REPEATS_WITHIN 16 /* failures looked back at */

static const struct {
	const char *name, *sentence;
	bool failed;
	enum end_code end;
} reasons[REGISTER_REASONS] = {
#define REGISTER_REASON(name, failed, end, sentence, fix)                                          \
	[REGISTER_##name] = { #name, sentence, failed, END_##end },
#include "edge/edge_register.def"
#undef REGISTER_REASON
};

const char *edge_register_reason_name(enum register_reason reason)
{
	return reasons[reason].name;
}

bool edge_register_reason_failed(enum register_reason reason)
{
	return reasons[reason].failed;
}

struct ring {
	unsigned n, next, size;
	struct register_event *event;
};
struct register_log {
	struct ring failed, good;
};

int edge_register_log_new(struct register_log **out)
{
	struct register_log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->failed.size = FAILED_KEPT;
	log->good.size = GOOD_KEPT;
	log->failed.event = calloc(FAILED_KEPT, sizeof(*log->failed.event));
	log->good.event = calloc(GOOD_KEPT, sizeof(*log->good.event));
	*out = log;
	if (log->failed.event && log->good.event)
		return 0;
	edge_register_log_free(out);
	return -ENOMEM;
}

void edge_register_log_free(struct register_log **log)
{
	if (!*log)
		return;
	free((*log)->failed.event);
	free((*log)->good.event);
	free(*log);
	*log = NULL;
}

static struct register_event *take(struct ring *ring)
{
	struct register_event *event = &ring->event[ring->next];

	ring->next = (ring->next + 1) % ring->size;
	ring->n += ring->n < ring->size;
	return event;
}

static bool is_same(const struct register_event *a, const struct register_event *b)
{
	return a->reason == b->reason && strcmp(a->user, b->user) == 0 &&
	       net_addr_eq_host(&a->flow.peer, &b->flow.peer);
}

/* The same among the last failures, or NULL. */
static struct register_event *repeated(struct ring *ring, const struct register_event *event)
{
	for (unsigned back = 1; back <= ring->n && back <= REPEATS_WITHIN; back++) {
		struct register_event *e =
			&ring->event[(ring->next + ring->size - back) % ring->size];

		if (is_same(e, event))
			return e;
	}
	return NULL;
}

static void note_user(struct register_event *event, const struct sip_msg *msg, struct span user)
{
	struct sip_name_addr to;
	struct sip_uri aor;

	if (!user.len && sip_name_addr_decode(&to, sip_header(msg, SIP_H_TO)) == 0 &&
	    sip_uri_decode(&aor, to.uri) == 0)
		user = aor.user;
	span_copy(user, event->user, sizeof(event->user));
}

void edge_register_log(struct edge *edge, const struct sip_msg *msg, const struct net_flow *flow,
		       struct span user, int status, enum register_reason reason,
		       const char *detail)
{
	struct register_event event = { .utc_us = edge->config.loop->utc_us,
					.flow = *flow,
					.cseq = msg->cseq,
					.times = 1,
					.status = (uint16_t)status,
					.reason = (uint8_t)reason };
	bool failed = edge_register_reason_failed(reason);
	struct ring *ring = failed ? &edge->register_log->failed : &edge->register_log->good;
	struct register_event *before;

	note_user(&event, msg, user);
	span_copy(sip_header(msg, SIP_H_CONTACT), event.contact, sizeof(event.contact));
	span_copy(sip_header(msg, SIP_H_USER_AGENT), event.user_agent, sizeof(event.user_agent));
	span_copy(msg->call_id, event.call_id, sizeof(event.call_id));
	span_copy(span_of(detail), event.detail, sizeof(event.detail));
	if (reasons[reason].end)
		edge_source_refused(edge, msg, flow, reasons[reason].end, status,
				    detail[0] ? detail : reasons[reason].sentence);
	edge_trace_register(edge, &event, reasons[reason].sentence);
	before = failed ? repeated(ring, &event) : NULL;
	if (before)
		event.times += before->times;
	*(before ? before : take(ring)) = event;
}

static void copy_ring(const struct ring *ring, struct span user, struct buf *out)
{
	for (unsigned i = 0; i < ring->n; i++)
		if (!user.len || span_eq(user, span_of(ring->event[i].user)))
			buf_add(out, &ring->event[i], sizeof(ring->event[i]));
}

void edge_copy_register_events(const struct edge *edge, const char *user, struct buf *out)
{
	copy_ring(&edge->register_log->failed, span_of(user), out);
	copy_ring(&edge->register_log->good, span_of(user), out);
}
