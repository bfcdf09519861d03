/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes what changed of registered devices to the store, every few seconds and at the end, and brings it back at the
 * start. A thread of its own: a slow database delays it and nobody else. What is lost in a crash is a few seconds' worth; those
 * devices are found again when they register. */
#include "daemon/daemon_int.h"

#include <signal.h>
#include <stdlib.h>

#define KEEP_INTERVAL_S 2
#define BATCH 500 /* devices a transaction: records wait behind it no longer than that takes */

struct kept {
	struct registration *registration;
	struct store_device device;
	struct store_contact contact[BINDINGS_MAX];
	struct bindings bindings; /* what the texts point into */
	char source[BINDINGS_MAX][NET_ADDR_TEXT], local[BINDINGS_MAX][NET_ADDR_TEXT];
};

struct contacts {
	struct process *process;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	int last_err;
	unsigned n;
	struct kept *batch;
	struct store_device *devices;
};

/* ---- writing ----------------------------------------------------------------------------------- */

/* Ends are told by the clock on the wall: the other one begins anew with the machine. */
static uint64_t to_utc(uint64_t mono_us)
{
	uint64_t now = clock_mono_us();

	return mono_us > now ? clock_utc_us() + (mono_us - now) : 0;
}

static void describe(struct kept *k, unsigned i)
{
	const struct binding *b = &k->bindings.binding[i];
	struct net_flow flow;

	memcpy(&flow, b->flow, sizeof(flow));
	k->contact[i] = (struct store_contact){
		.contact = b->contact,
		.path = b->path,
		.transport = net_proto_name((enum net_proto)flow.proto),
		.source = net_addr_format(&flow.peer, k->source[i]),
		.local = net_addr_format(&flow.local, k->local[i]),
		.user_agent = b->user_agent,
		.call_id = b->call_id,
		.cseq = b->cseq,
		.q = b->q,
		.natted = b->natted != 0,
		.registered_utc_us = b->registered_utc_us,
		.expires_utc_us = to_utc(b->expires_us),
	};
}

static void write_batch(struct contacts *k)
{
	int err;

	for (unsigned i = 0; i < k->n; i++)
		k->devices[i] = k->batch[i].device;
	err = k->n ? store_save_contacts(k->process->store, k->devices, k->n) : 0;
	for (unsigned i = 0; err && i < k->n; i++)
		registration_set_changed(k->batch[i].registration);
	if (err && err != k->last_err)
		log_warn("registrations cannot be kept in the database (%s): calls reach the "
			 "phones all the "
			 "same, but not right after a restart",
			 strerror(-err));
	k->last_err = err;
	k->n = 0;
}

static void keep(struct contacts *k, const char *kind, const char *name, struct load *load)
{
	struct registration *r = load_registration(load);
	struct kept *kept;

	if (!registration_take_changed(r))
		return;
	kept = &k->batch[k->n++];
	kept->registration = r;
	registration_read(r, &kept->bindings);
	bindings_prune(&kept->bindings, clock_mono_us());
	kept->device = (struct store_device){ kind, name, kept->bindings.n, kept->contact };
	for (unsigned i = 0; i < kept->bindings.n; i++)
		describe(kept, i);
	if (k->n == BATCH)
		write_batch(k);
}

static void keep_all(struct contacts *k)
{
	struct model *m = model_hub_get(k->process->hub);

	for (unsigned i = 0; i < m->n_phones; i++)
		keep(k, "phone", m->phones[i].number, m->phones[i].load);
	for (unsigned i = 0; i < m->n_mappings; i++)
		keep(k, "mapping_gateway", m->mappings[i].name, m->mappings[i].load);
	for (unsigned i = 0; i < m->n_routings; i++)
		keep(k, "routing_gateway", m->routings[i].name, m->routings[i].load);
	write_batch(k); /* before the names go with the snapshot */
	model_unref(&m);
}

static void *contacts_main(void *arg)
{
	struct contacts *k = arg;
	struct timespec until;

	pthread_setname_np(pthread_self(), "contacts");
	pthread_mutex_lock(&k->lock);
	while (!k->stop) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += KEEP_INTERVAL_S;
		pthread_cond_timedwait(&k->wake, &k->lock, &until);
		pthread_mutex_unlock(&k->lock);
		keep_all(k);
		pthread_mutex_lock(&k->lock);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

int contacts_start(struct contacts **out, struct process *p)
{
	struct contacts *k = calloc(1, sizeof(*k));
	pthread_condattr_t monotonic;
	sigset_t all, before;
	int err;

	if (!k)
		return -ENOMEM;
	k->process = p;
	k->batch = malloc(BATCH * sizeof(*k->batch));
	k->devices = malloc(BATCH * sizeof(*k->devices));
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&k->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = k->batch && k->devices ? -pthread_create(&k->thread, NULL, contacts_main, k)
				     : -ENOMEM;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		k->thread = 0;
	*out = k;
	if (err)
		contacts_stop(out);
	return err;
}

void contacts_stop(struct contacts **contacts)
{
	struct contacts *k = *contacts;

	*contacts = NULL;
	if (!k)
		return;
	if (k->thread) {
		pthread_mutex_lock(&k->lock);
		k->stop = true;
		pthread_cond_signal(&k->wake);
		pthread_mutex_unlock(&k->lock);
		pthread_join(k->thread, NULL); /* it writes once more */
	}
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
	free(k->batch);
	free(k->devices);
	free(k);
}

/* ---- bringing back -------------------------------------------------------------------------------- */

struct restoring {
	struct process *process;
	struct model *m;
	uint64_t utc_us, mono_us;
	unsigned n;
};

/* The device's load if there is such a device and it registers. */
static struct load *find(const struct model *m, const struct store_device *device)
{
	struct span kind = span_of(device->kind), name = span_of(device->name);
	const struct model_phone *phone =
		span_eq(kind, SPAN("phone")) ? model_phone(m, name) : NULL;
	const struct model_mapping *mapping =
		span_eq(kind, SPAN("mapping_gateway")) ? model_mapping(m, name) : NULL;
	const struct model_routing *routing =
		span_eq(kind, SPAN("routing_gateway")) ? model_routing(m, name) : NULL;

	if (phone)
		return phone->reg.type == REGISTER_DYNAMIC ? phone->load : NULL;
	if (mapping)
		return mapping->reg.type == REGISTER_DYNAMIC ? mapping->load : NULL;
	return routing && routing->reg.type == REGISTER_DYNAMIC ? routing->load : NULL;
}

/* A connection is gone with the process: edge makes a new one when a call comes (flow.conn 0). */
static bool make_flow(struct process *p, const struct store_contact *c, struct net_flow *out)
{
	union net_addr peer, local;

	if (net_addr_parse(&peer, span_of(c->source), 0) ||
	    net_addr_parse(&local, span_of(c->local), 0))
		return false;
	if (span_ieq(span_of(c->transport), SPAN("udp")))
		return net_flow_to(p->workers[0].net, out, NET_UDP, &peer, &local, NULL) == 0 ||
		       net_flow_to(p->workers[0].net, out, NET_UDP, &peer, NULL, NULL) == 0;
	*out = (struct net_flow){
		.proto = span_ieq(span_of(c->transport), SPAN("tls")) ? NET_TLS : NET_TCP,
		.local = local,
		.peer = peer,
	};
	return true;
}

static int append(void *arg, struct bindings *all)
{
	if (all->n == BINDINGS_MAX)
		return -ENOSPC;
	all->binding[all->n++] = *(const struct binding *)arg;
	return 0;
}

static void restore(void *arg, const struct store_device *device)
{
	struct restoring *r = arg;
	const struct store_contact *c = device->contact;
	struct load *load = find(r->m, device);
	struct binding b = { .cseq = c->cseq, .q = c->q, .natted = c->natted };
	struct net_flow flow;

	if (!load || c->expires_utc_us <= r->utc_us || !make_flow(r->process, c, &flow))
		return;
	span_copy(span_of(c->contact), b.contact, sizeof(b.contact));
	span_copy(span_of(c->path), b.path, sizeof(b.path));
	span_copy(span_of(c->user_agent), b.user_agent, sizeof(b.user_agent));
	span_copy(span_of(c->call_id), b.call_id, sizeof(b.call_id));
	memcpy(b.flow, &flow, sizeof(flow));
	b.expires_us = r->mono_us + (c->expires_utc_us - r->utc_us);
	b.registered_utc_us = c->registered_utc_us;
	r->n += registration_update(load_registration(load), append, &b) == 0;
}

void contacts_restore(struct process *p)
{
	struct restoring r = { .process = p,
			       .m = model_hub_get(p->hub),
			       .utc_us = clock_utc_us(),
			       .mono_us = clock_mono_us() };
	int err = store_load_contacts(p->store, r.utc_us, restore, &r);

	if (err)
		log_warn("registrations cannot be read from the database (%s): phones are reached "
			 "when they "
			 "register again",
			 strerror(-err));
	if (r.n)
		log_info("%u registrations are still in force", r.n);
	model_unref(&r.m);
}
