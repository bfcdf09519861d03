/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where copies of the trace go: the configuration's HEP collectors. */
#include "daemon/daemon_int.h"

static void add_collector(struct hep_settings *settings, const struct collector_address *from)
{
	struct hep_collector *to = &settings->collectors[settings->n_collectors++];

	to->tcp = from->tcp;
	to->port = from->port;
	span_copy(from->host, to->host, sizeof(to->host));
}

static struct hep_settings settings_of(const struct model_params *params)
{
	struct hep_settings settings = { .id = (uint32_t)params->hep_id,
					 .notes = params->hep_notes };
	struct span list = span_of(params->hep_servers);
	struct collector_address one;

	span_copy(span_of(params->hep_key), settings.key, sizeof(settings.key));
	while (list.len && settings.n_collectors < HEP_COLLECTORS_MAX &&
	       !collector_cut(&list, &one))
		add_collector(&settings, &one);
	return settings;
}

/* Without a collector trace need not show its entries to anybody. */
void collectors_set(struct process *p, const struct model *m)
{
	struct hep_settings settings = settings_of(&m->params);
	bool wanted = settings.n_collectors > 0;
	int err;

	if (p->hep_tapped && !wanted)
		trace_untap(p->trace, hep_tap(p->hep));
	err = hep_set(p->hep, &settings);
	if (err)
		log_error("HEP collectors cannot be served: %s", strerror(-err));
	if (!p->hep_tapped && wanted)
		trace_tap(p->trace, hep_tap(p->hep));
	p->hep_tapped = wanted;
}

static void write_moment(struct buf *out, const char *name, uint64_t utc_us)
{
	char text[28];

	if (utc_us)
		buf_addf(out, ",\"%s\":\"%s\"", name, clock_format(utc_us, text, sizeof(text)));
}

static void write_collector(struct buf *out, const struct hep_collector_status *s)
{
	char name[HEP_NAME_MAX];

	buf_addf(out,
		 "{\"server\":\"%s\",\"sent\":%llu,\"dropped\":%llu,\"waiting_bytes\":%llu,"
		 "\"connected\":%s",
		 hep_collector_name(&s->collector, name), (unsigned long long)s->sent,
		 (unsigned long long)s->dropped, (unsigned long long)s->waiting_bytes,
		 s->connected_us ? "true" : "false");
	write_moment(out, "connected_since", s->connected_us);
	if (s->error_us) {
		buf_add_str(out, ",\"last_error\":");
		buf_add_json(out, span_of(s->error));
		write_moment(out, "last_error_at", s->error_us);
	}
	buf_add_char(out, '}');
}

void collectors_write_status(struct process *p, struct buf *out)
{
	struct hep_status status;

	hep_status(p->hep, &status);
	buf_addf(out, ",\"hep\":{\"cut\":%llu,\"collectors\":[", (unsigned long long)status.cut);
	for (unsigned i = 0; i < status.n; i++) {
		buf_add_str(out, i ? "," : "");
		write_collector(out, &status.collectors[i]);
	}
	buf_add_str(out, "]}");
}
