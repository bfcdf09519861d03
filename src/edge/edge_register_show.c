/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registrations for people: who is registered, and why others are not. Runs on any thread, on copies. */
#include "edge/edge_register.h"

#include <stdlib.h>

#define EXCHANGES_SHOWN 20

static const struct {
	const char *sentence, *fix;
} words[REGISTER_REASONS] = {
#define REGISTER_REASON(name, failed, end, sentence, fix) [REGISTER_##name] = { sentence, fix },
#include "edge/edge_register.def"
#undef REGISTER_REASON
};

static void add_text(struct buf *out, const char *key, const char *value)
{
	buf_addf(out, ",\"%s\":", key);
	buf_add_json(out, span_of(value));
}

static void add_source(struct buf *out, const struct net_flow *flow)
{
	char addr[NET_ADDR_TEXT];

	buf_addf(out, ",\"source\":\"%s\",\"transport\":\"%s\"", net_addr_format(&flow->peer, addr),
		 net_proto_name(flow->proto));
}

/* ---- who is registered ---------------------------------------------------------------------- */

static void write_binding(struct buf *out, const char *kind, const char *name,
			  const struct binding *b, uint64_t mono_us)
{
	struct net_flow flow;
	char when[32];

	memcpy(&flow, b->flow, sizeof(flow));
	buf_add_str(out, "{\"name\":");
	buf_add_json(out, span_of(name));
	add_text(out, "kind", kind);
	add_text(out, "contact", b->contact);
	if (b->path[0])
		add_text(out, "path", b->path);
	add_text(out, "user_agent", b->user_agent);
	add_source(out, &flow);
	if (b->unreachable_utc_us)
		add_text(out, "unreachable_since",
			 clock_format(b->unreachable_utc_us, when, sizeof(when)));
	buf_addf(out, ",\"behind_nat\":%s,\"q\":%u.%03u,\"registered\":\"%s\",\"expires_s\":%llu}",
		 b->natted ? "true" : "false", b->q / 1000, b->q % 1000,
		 clock_format(b->registered_utc_us, when, sizeof(when)),
		 (unsigned long long)((b->expires_us - mono_us) / SEC));
}

struct writing {
	const char *name; /* only this one; NULL = all */
	uint64_t mono_us;
	struct buf *out;
	bool begun;
};

static void write_device(struct writing *w, const char *kind, const char *name, struct load *load)
{
	struct registration *r = load_registration(load);
	struct bindings all;

	if ((w->name && strcmp(w->name, name) != 0) || !registration_is_live(r, w->mono_us))
		return;
	registration_read(r, &all);
	bindings_prune(&all, w->mono_us);
	for (unsigned i = 0; i < all.n; i++) {
		buf_add_str(w->out, w->begun ? "," : "");
		write_binding(w->out, kind, name, &all.binding[i], w->mono_us);
		w->begun = true;
	}
}

void edge_write_registrations(const struct model *m, const char *name, uint64_t mono_us,
			      struct buf *out)
{
	struct writing w = { name, mono_us, out, false };

	buf_add_char(out, '[');
	for (unsigned i = 0; i < m->n_phones; i++)
		write_device(&w, "phone", m->phones[i].number, m->phones[i].load);
	for (unsigned i = 0; i < m->n_mappings; i++)
		write_device(&w, "mapping_gateway", m->mappings[i].name, m->mappings[i].load);
	for (unsigned i = 0; i < m->n_routings; i++)
		if (m->routings[i].reg.type != REGISTER_OUTBOUND)
			write_device(&w, "routing_gateway", m->routings[i].name,
				     m->routings[i].load);
	buf_add_char(out, ']');
}

/* ---- why not -------------------------------------------------------------------------------- */

struct analysing {
	const struct model *m;
	uint64_t utc_us, mono_us;
	const char *user; /* "" = all that fail */
	struct buf *out;
	bool begun;
};

static int by_user_source_time(const void *a, const void *b)
{
	const struct register_event *x = a, *y = b;
	int order = strcmp(x->user, y->user);

	if (!order && !net_addr_eq_host(&x->flow.peer, &y->flow.peer)) {
		char one[NET_ADDR_TEXT], two[NET_ADDR_TEXT];

		order = strcmp(net_addr_format_host(&x->flow.peer, one),
			       net_addr_format_host(&y->flow.peer, two));
	}
	return order ? order : x->utc_us < y->utc_us ? -1 : x->utc_us > y->utc_us;
}

static bool same_device(const struct register_event *a, const struct register_event *b)
{
	return strcmp(a->user, b->user) == 0 && net_addr_eq_host(&a->flow.peer, &b->flow.peer);
}

/* The last exchange says how it stands; a challenge that nobody answered in time is a failure of its own. */
static enum register_reason verdict_of(const struct analysing *a, const struct register_event *last)
{
	enum register_reason reason = (enum register_reason)last->reason;
	uint64_t age = a->utc_us > last->utc_us ? a->utc_us - last->utc_us : 0;

	if ((reason == REGISTER_CHALLENGED || reason == REGISTER_NONCE_STALE) &&
	    age >= a->m->params.auth_timeout)
		return REGISTER_NEVER_CAME_BACK;
	return reason;
}

static void write_exchange(struct buf *out, const struct register_event *e)
{
	char when[32];

	buf_addf(out, "{\"time\":\"%s\"", clock_format(e->utc_us, when, sizeof(when)));
	add_source(out, &e->flow);
	add_text(out, "contact", e->contact);
	add_text(out, "user_agent", e->user_agent);
	add_text(out, "call_id", e->call_id);
	buf_addf(out, ",\"cseq\":%u,\"status\":%u", e->cseq, e->status);
	add_text(out, "reason", edge_register_reason_name((enum register_reason)e->reason));
	if (e->detail[0])
		add_text(out, "detail", e->detail);
	buf_addf(out, ",\"times\":%u}", e->times);
}

static void write_verdict(struct analysing *a, const char *user, const char *source,
			  enum register_reason reason, const char *detail)
{
	struct buf sentence = BUF_INIT(1024);

	buf_addf(&sentence, "%s%s%s: %s%s%s%s", user, source[0] ? " from " : "", source,
		 words[reason].sentence, detail[0] ? " (" : "", detail, detail[0] ? ")" : "");
	buf_add_str(a->out, a->begun ? ",{\"user\":" : "{\"user\":");
	a->begun = true;
	buf_add_json(a->out, span_of(user));
	add_text(a->out, "reason", edge_register_reason_name(reason));
	buf_addf(a->out, ",\"failed\":%s", edge_register_reason_failed(reason) ? "true" : "false");
	add_text(a->out, "sentence", buf_cstr(&sentence));
	if (words[reason].fix[0])
		add_text(a->out, "fix", words[reason].fix);
	buf_free(&sentence);
}

/* The events first..end-1 are those of one user from one source, oldest first. */
static void write_group(struct analysing *a, const struct register_event *first,
			const struct register_event *end)
{
	const struct register_event *last = end - 1;
	enum register_reason reason = verdict_of(a, last);
	char source[NET_ADDR_TEXT];
	uint64_t failures = 0;

	if (!a->user[0] && !edge_register_reason_failed(reason))
		return;
	for (const struct register_event *e = first; e < end; e++)
		failures +=
			edge_register_reason_failed((enum register_reason)e->reason) ? e->times : 0;
	write_verdict(a, last->user, net_addr_format_host(&last->flow.peer, source), reason,
		      last->detail);
	buf_addf(a->out, ",\"failures\":%llu,\"exchanges\":[", (unsigned long long)failures);
	if (end - first > EXCHANGES_SHOWN)
		first = end - EXCHANGES_SHOWN;
	for (const struct register_event *e = first; e < end; e++) {
		buf_add_str(a->out, e > first ? "," : "");
		write_exchange(a->out, e);
	}
	buf_add_str(a->out, "]}");
}

/* Nothing is remembered of it: the configuration and the bindings must say. */
static void write_silent(struct analysing *a)
{
	struct registrant who;
	enum register_reason reason = REGISTER_NO_REQUEST;

	if (!edge_registrant_find(a->m, span_of(a->user), &who))
		reason = REGISTER_NOT_A_PHONE;
	else if (who.phone && who.phone->reg.type == REGISTER_STATIC)
		reason = REGISTER_IS_STATIC;
	else if (registration_is_live(load_registration(edge_registrant_load(&who)), a->mono_us))
		reason = REGISTER_REGISTERED;
	write_verdict(a, a->user, "", reason, "");
	buf_add_str(a->out, ",\"failures\":0,\"exchanges\":[]}");
}

void edge_write_register_analysis(const struct model *m, const char *user, struct buf *events,
				  uint64_t utc_us, uint64_t mono_us, struct buf *out)
{
	struct analysing a = { m, utc_us, mono_us, user, out, false };
	struct register_event *event = (struct register_event *)(void *)events->p, *first = event;
	size_t n = events->len / sizeof(*event);

	if (n)
		qsort(event, n, sizeof(*event), by_user_source_time);
	buf_add_str(out, "{\"devices\":[");
	for (size_t i = 1; i <= n; i++) {
		if (i < n && same_device(first, &event[i]))
			continue;
		write_group(&a, first, &event[i]);
		first = &event[i];
	}
	if (user[0] && !n)
		write_silent(&a);
	buf_add_str(out, "]}");
}
