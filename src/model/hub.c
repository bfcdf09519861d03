/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Snapshots come and go; load stays. The hub's mutex covers no more than "read the pointer and count a
 * reference" and the exchange of pointers: building before and freeing after happen outside of it. */
#include "model/model_int.h"

#include <pthread.h>

struct model_hub {
	pthread_mutex_t lock; /* current */
	pthread_mutex_t swapping; /* one swap at a time */
	struct model *current;
	struct blacklist *blacklist;
	_Atomic uint64_t version;
};

struct load *object_load(enum kind kind, const void *object)
{
	struct load *load;

	memcpy(&load, (const char *)object + kinds[kind].load, sizeof(load));
	return load;
}

void object_set_load(enum kind kind, void *object, struct load_box *box)
{
	struct load *load = &box->load;

	memcpy((char *)object + kinds[kind].load, &load, sizeof(load));
	if (kind == KIND_ROUTING) {
		((struct model_routing *)object)->quality = &box->quality;
		((struct model_routing *)object)->health = &box->health;
	}
}

static void drop_loads(struct model *m)
{
	unsigned n;

	pools_drop(m);
	load_box_unref(m->load);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		if (kinds[kind].load == NO_LOAD)
			continue;
		kind_objects(m, (enum kind)kind, &n);
		for (unsigned i = 0; i < n; i++)
			load_box_unref(
				object_load((enum kind)kind, kind_object(m, (enum kind)kind, i)));
	}
}

struct model *model_ref(struct model *m)
{
	unsigned before = atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);

	assert(before > 0);
	return m;
}

void model_unref(struct model **m)
{
	struct model *dead = *m;

	*m = NULL;
	if (!dead || atomic_fetch_sub_explicit(&dead->refs, 1, memory_order_acq_rel) != 1)
		return;
	reaper_take(dead);
}

void model_destroy(struct model *m)
{
	drop_loads(m);
	arena_free(&m->arena);
	free(m);
}

static struct model *model_new_empty(void)
{
	struct model_error error;
	struct build b;
	struct model *m = NULL;

	if (!build_init(&b, &error, 1))
		m = build_finish(&b);
	build_free(&b);
	return m;
}

struct model_hub *model_hub_new(void)
{
	struct model_hub *hub = calloc(1, sizeof(*hub));

	if (!hub)
		return NULL;
	reaper_start();
	hub->current = model_new_empty();
	hub->blacklist = blacklist_new();
	if (!hub->current || !hub->blacklist) {
		model_unref(&hub->current);
		blacklist_free(&hub->blacklist);
		free(hub);
		return NULL;
	}
	hub->current->blacklist = hub->blacklist;
	pthread_mutex_init(&hub->lock, NULL);
	pthread_mutex_init(&hub->swapping, NULL);
	hub->current->version = 1;
	atomic_store(&hub->version, 1);
	return hub;
}

void model_hub_free(struct model_hub **hub)
{
	if (!*hub)
		return;
	model_unref(&(*hub)->current);
	blacklist_free(&(*hub)->blacklist);
	pthread_mutex_destroy(&(*hub)->lock);
	pthread_mutex_destroy(&(*hub)->swapping);
	free(*hub);
	*hub = NULL;
}

struct model *model_hub_get(struct model_hub *hub)
{
	struct model *m;

	pthread_mutex_lock(&hub->lock);
	m = model_ref(hub->current);
	pthread_mutex_unlock(&hub->lock);
	return m;
}

uint64_t model_hub_version(const struct model_hub *hub)
{
	return atomic_load_explicit(&hub->version, memory_order_acquire);
}

/* Nobody else knows `to` yet, so its pointers may be changed. */
static void carry_loads(struct model *to, const struct model *from)
{
	unsigned n;

	pools_carry(to, from);
	load_box_unref(to->load);
	to->load = &load_box_ref(from->load)->load;
	for (unsigned i = 0; i < KINDS; i++) {
		enum kind kind = (enum kind)i;

		if (kinds[kind].load == NO_LOAD)
			continue;
		kind_objects(to, kind, &n);
		for (unsigned j = 0; j < n; j++) {
			void *object = kind_object(to, kind, j);
			const void *before = name_index_find(&from->index->names[kind],
							     span_of(object_name(object)));

			if (!before)
				continue;
			load_box_unref(object_load(kind, object));
			object_set_load(kind, object, load_box_ref(object_load(kind, before)));
		}
	}
}

void model_hub_swap(struct model_hub *hub, struct model *m)
{
	struct model *old;

	assert(m->version == 0); /* new: one that was current before cannot come back */
	pthread_mutex_lock(&hub->swapping);
	old = hub->current; /* only a swap changes it */
	carry_loads(m, old);
	m->blacklist = hub->blacklist;
	m->version = old->version + 1;
	pthread_mutex_lock(&hub->lock);
	hub->current = m;
	pthread_mutex_unlock(&hub->lock);
	atomic_store_explicit(&hub->version, m->version, memory_order_release);
	pthread_mutex_unlock(&hub->swapping);
	model_unref(&old);
}
