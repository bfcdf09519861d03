/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registrations at vendors: which there are to be, when each is asked for again, and how they stand.
 *
 *   refresh      at three quarters of what was granted, so that a lost answer or a short outage fits into the rest
 *   failure      outbound_retry_delay later, or when the server says (Retry-After); what was granted before stays
 *                until it ends
 *   another configuration   what changed un-registers with the old identity and registers with the new one
 *   stop         all un-register; the daemon waits for that, but not for long */
#include "edge/edge_outbound.h"

#include <stdarg.h>
#include <stdlib.h>

#define FIRST_DELAY (20 * MSEC) /* apart from one another: a hundred registrations are no storm */
#define LEAVE_TIME (2 * SEC) /* an un-register without an answer is forgotten */

const struct model_params *outbound_params(const struct outbound *o)
{
	return &o->owner->edge->config.host->model->params;
}

static struct loop *loop_of(const struct outbound *o)
{
	return o->owner->edge->config.loop;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void identity_free(struct outbound_identity *id)
{
	free(id->user);
	free(id->password);
	free(id->domain);
	free(id->host);
	free(id->local_address);
	free(id->public_user);
	free(id->access_network);
}

static const char *domain_of(const struct model_routing *gw)
{
	return gw->from_host ? gw->from_host : gw->registrar_host ? gw->registrar_host : gw->host;
}

/* True unless there is no memory. */
static bool copy_if_given(char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return *out || !text;
}

static bool identity_read(struct outbound_identity *out, const struct model_routing *gw)
{
	*out = (struct outbound_identity){
		.user = strdup(gw->user),
		.password = strdup(gw->password),
		.domain = strdup(domain_of(gw)),
		.host = strdup(gw->registrar_host ? gw->registrar_host : gw->host),
		.ims = gw->ims,
		.port = gw->registrar_host ? gw->registrar_port : gw->port,
		.proto = gw->proto,
	};
	return out->user && out->password && out->domain && out->host &&
	       copy_if_given(&out->local_address, gw->local_address) &&
	       copy_if_given(&out->public_user, gw->public_user) &&
	       copy_if_given(&out->access_network, gw->access_network);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_identity(const struct outbound_identity *a, const struct outbound_identity *b)
{
	return same_text(a->user, b->user) && same_text(a->password, b->password) &&
	       same_text(a->domain, b->domain) && same_text(a->host, b->host) &&
	       same_text(a->local_address, b->local_address) &&
	       same_text(a->public_user, b->public_user) &&
	       same_text(a->access_network, b->access_network) && a->ims == b->ims &&
	       a->port == b->port && a->proto == b->proto;
}

static void outbound_free(struct outbound *o)
{
	loop_timer_stop(loop_of(o), &o->timer);
	sip_resolve_cancel(&o->resolve);
	if (o->ctx)
		sip_ctx_abandon(o->ctx);
	list_del(&o->node);
	identity_free(&o->id);
	free(o->gateway);
	free(o);
}

static void start_after(struct outbound *o, uint64_t delay_us)
{
	o->next_try_us = loop_of(o)->now_us + delay_us;
	loop_timer(loop_of(o), &o->timer, delay_us);
}

static void on_timer(struct timer *timer)
{
	struct outbound *o = container_of(timer, struct outbound, timer);

	if (o->leaving) {
		outbound_free(o);
		return;
	}
	o->next_try_us = 0;
	o->challenges = o->briefs = 0;
	o->challenged = false;
	o->next_target = o->targets.n = 0;
	outbound_ask(o);
}

static void random_hex(char *dst, unsigned words)
{
	for (unsigned i = 0; i < words; i++)
		fmt_print(dst + 8 * i, 9, "%08x", rng_u32());
}

static void outbound_add(struct outbounds *all, const struct model_routing *gw, uint64_t delay_us)
{
	struct outbound *o = calloc(1, sizeof(*o));

	if (o)
		o->gateway = strdup(gw->name);
	if (!o || !o->gateway || !identity_read(&o->id, gw)) {
		log_error("%s: no memory to register at it", gw->name);
		if (o) {
			identity_free(&o->id);
			free(o->gateway);
		}
		free(o);
		return;
	}
	o->owner = all;
	o->cseq = 1;
	random_hex(o->call_id, 4);
	random_hex(o->tag, 2);
	timer_init(&o->timer, on_timer);
	list_add_tail(&all->all, &o->node);
	start_after(o, delay_us);
}

/* ---- how it went ----------------------------------------------------------------------------- */

/* Where the route plan looks. The gateway may be of another kind by now, or gone. */
static void publish(const struct outbound *o)
{
	const struct model *m = o->owner->edge->config.host->model;
	const struct model_routing *gw = model_routing(m, span_of(o->gateway));

	if (gw && (gw->reg.type == REGISTER_OUTBOUND || o->leaving) &&
	    registration_set_outbound(load_registration(gw->load), o->registered_until_us,
				      o->registered_until_us ? o->service_route : ""))
		log_error("%s: no memory for its Service-Route", o->gateway);
}

void outbound_granted(struct outbound *o, uint32_t seconds)
{
	struct loop *loop = loop_of(o);
	char text[160];

	if (o->leaving) {
		outbound_free(o);
		return;
	}
	if (o->registered_until_us <= loop->now_us) {
		o->since_utc_us = loop->utc_us;
		log_info("%s: registered as %s for %u s", o->gateway, o->id.user, seconds);
	}
	o->registered_until_us = loop->now_us + seconds * SEC;
	o->granted_s = seconds;
	o->failed_utc_us = 0;
	publish(o);
	fmt_print(text, sizeof(text), "registered as %s for %u s", o->id.user, seconds);
	edge_trace_outbound(o, 200, text);
	start_after(o, seconds * SEC / 4 * 3);
}

void outbound_failed(struct outbound *o, int status, uint32_t retry_after_s, const char *format,
		     ...)
{
	uint64_t delay = outbound_params(o)->outbound_retry_delay;
	va_list ap;

	if (o->leaving) {
		outbound_free(o);
		return;
	}
	va_start(ap, format);
	fmt_vprint(o->failed_text, sizeof(o->failed_text), format, ap);
	va_end(ap);
	o->failed_status = status;
	o->failed_utc_us = loop_of(o)->utc_us;
	log_warn("%s: cannot register as %s: %s", o->gateway, o->id.user, o->failed_text);
	edge_trace_outbound(o, status, o->failed_text);
	start_after(o, retry_after_s * SEC > delay ? retry_after_s * SEC : delay);
}

/* ---- which there are to be --------------------------------------------------------------------- */

/* Un-register, if need be, and go. */
static void leave(struct outbound *o)
{
	bool bound = o->registered_until_us > loop_of(o)->now_us;

	loop_timer_stop(loop_of(o), &o->timer);
	sip_resolve_cancel(&o->resolve);
	if (o->ctx) {
		sip_ctx_abandon(o->ctx);
		o->ctx = NULL;
	}
	o->leaving = true;
	o->registered_until_us = 0;
	publish(o);
	if (!bound || !outbound_params(o)->outbound_unregister) {
		outbound_free(o);
		return;
	}
	loop_timer(loop_of(o), &o->timer, LEAVE_TIME);
	o->challenges = o->briefs = 0;
	o->challenged = false;
	outbound_ask(o);
}

static struct outbound *find(const struct outbounds *all, const char *gateway, bool leaving)
{
	for (struct list *at = all->all.next; at != &all->all; at = at->next) {
		struct outbound *o = list_entry(at, struct outbound, node);

		if (o->leaving == leaving && strcmp(o->gateway, gateway) == 0)
			return o;
	}
	return NULL;
}

static bool is_wanted(const struct model_routing *gw)
{
	return gw && gw->reg.type == REGISTER_OUTBOUND && !gw->locked;
}

static void leave_unwanted(struct outbounds *all, const struct model *m)
{
	struct list *next;

	for (struct list *at = all->all.next; at != &all->all; at = next) {
		struct outbound *o = list_entry(at, struct outbound, node);
		const struct model_routing *gw = model_routing(m, span_of(o->gateway));
		struct outbound_identity now = { 0 };

		next = at->next;
		if (o->leaving)
			continue;
		if (!is_wanted(gw) || !identity_read(&now, gw) || !same_identity(&now, &o->id))
			leave(o);
		identity_free(&now);
	}
}

void edge_outbound_sync(struct outbounds *all)
{
	const struct model *m = all->edge->config.host->model;
	uint64_t delay = 0;

	leave_unwanted(all, m);
	for (unsigned i = 0; i < m->n_routings; i++) {
		const struct model_routing *gw = &m->routings[i];

		if (!is_wanted(gw) || find(all, gw->name, false))
			continue;
		/* Its un-register, which may be challenged first, must not overtake the new registration. */
		delay += FIRST_DELAY;
		outbound_add(all, gw, find(all, gw->name, true) ? LEAVE_TIME + delay : delay);
	}
}

int edge_outbounds_new(struct outbounds **out, struct edge *edge)
{
	struct outbounds *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all->edge = edge;
	list_init(&all->all);
	*out = all;
	return 0;
}

void edge_outbounds_free(struct outbounds **outbounds)
{
	struct outbounds *all = *outbounds;

	*outbounds = NULL;
	if (!all)
		return;
	while (!list_empty(&all->all))
		outbound_free(list_entry(all->all.next, struct outbound, node));
	free(all);
}

bool edge_outbound_leave(struct edge *edge)
{
	struct outbounds *all = edge->outbounds;
	struct list *next;

	for (struct list *at = all ? all->all.next : NULL; all && at != &all->all; at = next) {
		struct outbound *o = list_entry(at, struct outbound, node);

		next = at->next;
		if (!o->leaving)
			leave(o);
	}
	return !all || list_empty(&all->all);
}

/* ---- for people ----------------------------------------------------------------------------------- */

static void add_text(struct buf *out, const char *key, const char *value)
{
	buf_addf(out, ",\"%s\":", key);
	buf_add_json(out, span_of(value));
}

static void write_one(const struct outbound *o, struct buf *out)
{
	uint64_t now = loop_of(o)->now_us;
	bool registered = o->registered_until_us > now;
	char when[32];

	buf_add_str(out, "{\"name\":");
	buf_add_json(out, span_of(o->gateway));
	add_text(out, "state",
		 o->leaving         ? "leaving"
		 : registered       ? "registered"
		 : o->failed_utc_us ? "failed"
				    : "trying");
	add_text(out, "user", o->id.user);
	add_text(out, "registrar", o->id.host);
	add_text(out, "domain", o->id.domain);
	if (registered)
		buf_addf(out, ",\"since\":\"%s\",\"expires_s\":%llu",
			 clock_format(o->since_utc_us, when, sizeof(when)),
			 (unsigned long long)((o->registered_until_us - now) / SEC));
	if (registered && o->service_route[0])
		add_text(out, "service_route", o->service_route);
	if (registered && o->associated[0])
		add_text(out, "associated", o->associated);
	if (o->next_try_us > now)
		buf_addf(out, ",\"next_try_s\":%llu",
			 (unsigned long long)((o->next_try_us - now + SEC - 1) / SEC));
	if (o->failed_utc_us) {
		buf_addf(out, ",\"failed\":\"%s\",\"failed_status\":%d",
			 clock_format(o->failed_utc_us, when, sizeof(when)), o->failed_status);
		add_text(out, "failed_reason", o->failed_text);
	}
	buf_add_char(out, '}');
}

void edge_write_outbound(const struct edge *edge, const char *name, struct buf *out)
{
	const struct outbounds *all = edge->outbounds;
	bool begun = false;

	buf_add_char(out, '[');
	for (struct list *at = all ? all->all.next : NULL; all && at != &all->all; at = at->next) {
		const struct outbound *o = list_entry(at, struct outbound, node);

		if (name && strcmp(name, o->gateway) != 0)
			continue;
		buf_add_str(out, begun ? "," : "");
		write_one(o, out);
		begun = true;
	}
	buf_add_char(out, ']');
}
