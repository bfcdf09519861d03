/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Live quality of a routing gateway: what became of its attempts over the last while, in buckets of equal
 * length that are used in turn. A bucket says which stretch of time it counts; whoever finds an old stretch in it claims
 * it and clears it. What another thread counts in that very moment may be lost: these are statistics, and the next
 * call is not held up for them. */
#include "model/model_int.h"

struct stretch {
	uint64_t us;
	unsigned n;
	uint32_t now; /* number of the present one */
};

static struct stretch stretch_at(const struct model_params *p, uint64_t mono_us)
{
	struct stretch s = { .n = (unsigned)p->quality_buckets };

	assert(s.n > 0 && s.n <= QUALITY_BUCKETS_MAX); /* params.def bounds it */
	s.us = p->quality_window / s.n;
	s.now = (uint32_t)(mono_us / s.us) + QUALITY_BUCKETS_MAX; /* so that 0 is always long ago */
	return s;
}

#define ADD(counter, amount) atomic_fetch_add_explicit(&(counter), amount, memory_order_relaxed)
#define CLEAR(counter) atomic_store_explicit(&(counter), 0, memory_order_relaxed)
#define LOOK(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

static struct quality_bucket *bucket_at(struct load_quality *q, const struct model_params *p,
					uint64_t mono_us)
{
	struct stretch s = stretch_at(p, mono_us);
	struct quality_bucket *b = &q->buckets[s.now % s.n];
	uint32_t was = LOOK(b->stretch);

	if (was == s.now ||
	    !atomic_compare_exchange_strong_explicit(&b->stretch, &was, s.now, memory_order_relaxed,
						     memory_order_relaxed))
		return b;
	CLEAR(b->attempts);
	CLEAR(b->responded);
	CLEAR(b->connected);
	CLEAR(b->answered);
	CLEAR(b->talks);
	CLEAR(b->pdd_us);
	CLEAR(b->talk_us);
	return b;
}

void quality_count_attempt(struct load_quality *q, const struct model_params *p, uint64_t mono_us,
			   const struct quality_attempt *attempt)
{
	struct quality_bucket *b = bucket_at(q, p, mono_us);

	ADD(b->attempts, 1);
	if (attempt->responded)
		ADD(b->responded, 1);
	if (attempt->connected) {
		ADD(b->connected, 1);
		ADD(b->pdd_us, attempt->pdd_us);
	}
	if (attempt->answered)
		ADD(b->answered, 1);
}

void quality_count_talk(struct load_quality *q, const struct model_params *p, uint64_t mono_us,
			uint64_t talk_us)
{
	struct quality_bucket *b = bucket_at(q, p, mono_us);

	ADD(b->talks, 1);
	ADD(b->talk_us, talk_us);
}

void quality_read(const struct load_quality *q, const struct model_params *p, uint64_t mono_us,
		  struct quality *out)
{
	struct stretch s = stretch_at(p, mono_us);

	*out = (struct quality){ 0 };
	for (unsigned i = 0; i < s.n; i++) {
		const struct quality_bucket *b = &q->buckets[i];
		uint32_t age = s.now - LOOK(b->stretch);

		if (age >= s.n) /* of long ago, or counted by another length */
			continue;
		out->attempts += LOOK(b->attempts);
		out->responded += LOOK(b->responded);
		out->connected += LOOK(b->connected);
		out->answered += LOOK(b->answered);
		out->talks += LOOK(b->talks);
		out->pdd_us += LOOK(b->pdd_us);
		out->talk_us += LOOK(b->talk_us);
	}
}

bool model_quality_counts(const struct model *m, const struct model_routing *gw)
{
	return gw->quality_counts < 0 ? m->params.route_quality : gw->quality_counts == 1;
}
