/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Contacts of registered devices. They lie beside the device's load, for they outlive snapshots as it does. A device
 * has as many slots as it ever had contacts: most have one. */
#include "model/model_int.h"

#include <sched.h>

static_assert(sizeof(struct binding) % sizeof(uint64_t) == 0, "copied in words");
static_assert(_Alignof(struct binding) >= _Alignof(uint64_t), "copied in words");
#define BINDING_WORDS (sizeof(struct binding) / sizeof(uint64_t))

struct registration *load_registration(struct load *load)
{
	return &load_box_of(load)->registration;
}

void registration_free(struct registration *r)
{
	for (unsigned i = 0; i < BINDINGS_MAX; i++)
		free(atomic_load_explicit(&r->slots[i], memory_order_relaxed));
}

/* ---- reading ----------------------------------------------------------------------------- */

/* The words are stored with release after the odd number and loaded with acquire before the
 * second look, so no fence is needed: whoever sees a new word sees the odd number too. */
static void slot_read(const struct binding *slot, struct binding *out)
{
	const uint64_t *from = (const uint64_t *)(const void *)slot;
	char *to = (char *)out;

	for (size_t i = 0; i < BINDING_WORDS; i++) {
		uint64_t word = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);

		memcpy(to + i * sizeof(word), &word, sizeof(word));
	}
}

void registration_read(struct registration *r, struct bindings *out)
{
	uint32_t before;

	do {
		before = atomic_load_explicit(&r->sequence, memory_order_acquire);
		out->n = atomic_load_explicit(&r->n, memory_order_acquire);
		for (unsigned i = 0; i < out->n; i++)
			slot_read(atomic_load_explicit(&r->slots[i], memory_order_acquire),
				  &out->binding[i]);
	} while ((before & 1) ||
		 atomic_load_explicit(&r->sequence, memory_order_relaxed) != before);
}

bool registration_is_live(const struct registration *r, uint64_t mono_us)
{
	return atomic_load_explicit(&r->expires_us, memory_order_relaxed) > mono_us;
}

bool registration_is_reachable(const struct registration *r, uint64_t mono_us)
{
	return atomic_load_explicit(&r->reachable_us, memory_order_relaxed) > mono_us;
}

bool registration_is_silent(const struct registration *r)
{
	return atomic_load_explicit(&r->silent, memory_order_relaxed);
}

bool registration_is_natted(const struct registration *r)
{
	return atomic_load_explicit(&r->natted, memory_order_relaxed);
}

/* ---- writing ------------------------------------------------------------------------------ */

static void slot_write(struct binding *slot, const struct binding *binding)
{
	uint64_t *to = (uint64_t *)(void *)slot;
	const char *from = (const char *)binding;

	for (size_t i = 0; i < BINDING_WORDS; i++) {
		uint64_t word;

		memcpy(&word, from + i * sizeof(word), sizeof(word));
		__atomic_store_n(&to[i], word, __ATOMIC_RELEASE);
	}
}

static bool have_slots(struct registration *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct binding *slot = atomic_load_explicit(&r->slots[i], memory_order_relaxed);

		if (slot)
			continue;
		slot = calloc(1, sizeof(*slot));
		if (!slot)
			return false;
		atomic_store_explicit(&r->slots[i], slot, memory_order_release);
	}
	return true;
}

static void write_all(struct registration *r, const struct bindings *all)
{
	uint32_t sequence = atomic_load_explicit(&r->sequence, memory_order_relaxed);
	uint64_t last = 0, reachable = 0;
	bool natted = false, silent = false;

	atomic_store_explicit(&r->sequence, sequence + 1, memory_order_relaxed);
	atomic_store_explicit(&r->n, all->n, memory_order_release);
	for (unsigned i = 0; i < all->n; i++) {
		const struct binding *b = &all->binding[i];

		slot_write(atomic_load_explicit(&r->slots[i], memory_order_relaxed), b);
		last = b->expires_us > last ? b->expires_us : last;
		natted |= b->natted != 0;
		if (b->unreachable_utc_us)
			silent = true;
		else if (b->expires_us > reachable)
			reachable = b->expires_us;
	}
	atomic_store_explicit(&r->sequence, sequence + 2, memory_order_release);
	atomic_store_explicit(&r->expires_us, last, memory_order_relaxed);
	atomic_store_explicit(&r->reachable_us, reachable, memory_order_relaxed);
	atomic_store_explicit(&r->natted, natted, memory_order_relaxed);
	atomic_store_explicit(&r->silent, silent, memory_order_relaxed);
}

static void lock(struct registration *r)
{
	while (atomic_flag_test_and_set_explicit(&r->writing, memory_order_acquire))
		sched_yield();
}

static void unlock(struct registration *r)
{
	atomic_flag_clear_explicit(&r->writing, memory_order_release);
}

int registration_update(struct registration *r, int (*change)(void *arg, struct bindings *all),
			void *arg)
{
	struct bindings all;
	int err;

	lock(r);
	registration_read(r, &all);
	err = change(arg, &all);
	assert(err || all.n <= BINDINGS_MAX);
	if (!err && !have_slots(r, all.n))
		err = -ENOMEM;
	if (!err) {
		write_all(r, &all);
		registration_set_changed(r);
	}
	unlock(r);
	return err;
}

/* Not for the disk: after a restart we register again. */
int registration_set_outbound(struct registration *r, uint64_t until_us, const char *route)
{
	struct bindings all = { .n = route[0] != '\0' };
	int err = 0;

	all.binding[0].expires_us = until_us;
	span_copy(span_of(route), all.binding[0].path, sizeof(all.binding[0].path));
	lock(r);
	if (!have_slots(r, all.n))
		err = -ENOMEM;
	else
		write_all(r, &all);
	if (!err) {
		atomic_store_explicit(&r->expires_us, until_us, memory_order_relaxed);
		atomic_store_explicit(&r->reachable_us, until_us, memory_order_relaxed);
	}
	unlock(r);
	return err;
}

bool registration_take_changed(struct registration *r)
{
	return atomic_load_explicit(&r->changed, memory_order_relaxed) &&
	       atomic_exchange_explicit(&r->changed, false, memory_order_acq_rel);
}

void registration_set_changed(struct registration *r)
{
	atomic_store_explicit(&r->changed, true, memory_order_release);
}

void bindings_prune(struct bindings *all, uint64_t mono_us)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < all->n; i++)
		if (all->binding[i].expires_us > mono_us)
			all->binding[kept++] = all->binding[i];
	all->n = kept;
}

void bindings_drop_silent(struct bindings *all)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < all->n; i++)
		if (!all->binding[i].unreachable_utc_us)
			all->binding[kept++] = all->binding[i];
	all->n = kept;
}
