/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trace/hep_int.h"

#include <pthread.h>
#include <stdlib.h>

#define CLOSE_US SEC

struct hep {
	struct trace_tap tap;
	pthread_mutex_t lock; /* of what follows; held for moments */
	struct hep_settings settings;
	struct hep_sender *senders[HEP_COLLECTORS_MAX];
	unsigned n_senders;
	uint64_t cut;
	struct buf message; /* the tap's */
};

const char *hep_collector_name(const struct hep_collector *collector, char *dst)
{
	bool ip6 = strchr(collector->host, ':') != NULL;

	fmt_print(dst, HEP_NAME_MAX, "%s:%s%s%s:%u", collector->tcp ? "tcp" : "udp", ip6 ? "[" : "",
		  collector->host, ip6 ? "]" : "", collector->port);
	return dst;
}

/* On the writer's thread. */
static void take_entry(struct trace_tap *tap, const struct trace_entry *entry)
{
	struct hep *hep = container_of(tap, struct hep, tap);
	struct hep_stamp stamp;
	bool cut = false;

	pthread_mutex_lock(&hep->lock);
	if (hep->n_senders && (entry->kind == TRACE_MESSAGE || hep->settings.notes)) {
		stamp = (struct hep_stamp){ hep->settings.id, hep->settings.key };
		buf_reset(&hep->message);
		if (hep_write(&hep->message, entry, &stamp, &cut))
			for (unsigned i = 0; i < hep->n_senders; i++)
				hep_sender_put(hep->senders[i], buf_span(&hep->message));
		hep->cut += cut;
	}
	pthread_mutex_unlock(&hep->lock);
}

int hep_new(struct hep **out)
{
	struct hep *hep = calloc(1, sizeof(*hep));

	if (!hep)
		return -ENOMEM;
	hep->tap.entry = take_entry;
	hep->message = BUF_INIT(HEP_MESSAGE_MAX);
	pthread_mutex_init(&hep->lock, NULL);
	*out = hep;
	return 0;
}

struct trace_tap *hep_tap(struct hep *hep)
{
	return &hep->tap;
}

void hep_free(struct hep **hep)
{
	struct hep *dead = *hep;

	*hep = NULL;
	if (!dead)
		return;
	for (unsigned i = 0; i < dead->n_senders; i++)
		hep_sender_stop(&dead->senders[i], CLOSE_US);
	pthread_mutex_destroy(&dead->lock);
	buf_free(&dead->message);
	free(dead);
}

static struct hep_sender *take_over(struct hep_sender **old, unsigned n,
				    const struct hep_collector *to)
{
	for (unsigned i = 0; i < n; i++) {
		struct hep_sender *s = old[i];

		if (!s || !hep_sender_is(s, to))
			continue;
		old[i] = NULL;
		return s;
	}
	return NULL;
}

int hep_set(struct hep *hep, const struct hep_settings *settings)
{
	struct hep_sender *old[HEP_COLLECTORS_MAX];
	unsigned n_old, n = 0;
	int err = 0;

	pthread_mutex_lock(&hep->lock);
	n_old = hep->n_senders;
	memcpy(old, hep->senders, sizeof(old));
	for (unsigned i = 0; i < settings->n_collectors; i++) {
		const struct hep_collector *to = &settings->collectors[i];
		struct hep_sender *s = take_over(old, n_old, to);
		int failed = s ? 0 : hep_sender_start(&s, to);

		if (failed)
			err = failed;
		else
			hep->senders[n++] = s;
	}
	hep->n_senders = n;
	hep->settings = *settings;
	pthread_mutex_unlock(&hep->lock);
	for (unsigned i = 0; i < n_old; i++)
		hep_sender_stop(&old[i], 0);
	return err;
}

void hep_status(struct hep *hep, struct hep_status *out)
{
	pthread_mutex_lock(&hep->lock);
	out->n = hep->n_senders;
	for (unsigned i = 0; i < hep->n_senders; i++)
		hep_sender_status(hep->senders[i], &out->collectors[i]);
	out->cut = hep->cut;
	pthread_mutex_unlock(&hep->lock);
}
