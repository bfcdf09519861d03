/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The trace in this process: where it lies, what the configuration says of it, how it is. */
#include "daemon/daemon_int.h"

#define MB (1ull << 20)

static struct trace_settings settings_of(const struct model *m)
{
	const struct model_params *params = &m->params;

	return (struct trace_settings){
		.on = params->trace,
		.until_us = params->trace_until.utc_us,
		.gateways_until_us = m->traced_until_us,
		.call_bytes = params->trace_call_file_size * MB,
		.register_bytes = params->trace_register_file_size * MB,
		.disk_free_bytes = params->trace_disk_free * MB,
	};
}

/* On whatever thread learnt of it. */
static void tell_gateway(void *arg, const struct model_routing *gw, enum health_state state,
			 const char *why)
{
	struct process *p = arg;
	char text[224];
	struct trace_note note = { .kind = TRACE_GATEWAY, .object = span_of(gw->name) };

	fmt_print(text, sizeof(text), "%s: %s", health_state_name(state), why);
	note.text = span_of(text);
	trace_note_from_outside(p->trace, &note);
}

int tracing_open(struct process *p, const char *folder, char *why, size_t why_size)
{
	struct model *m = model_hub_get(p->hub);
	struct trace_config config = {
		.folder = folder,
		.lanes = workers_count(&p->boot),
		.product = PRODUCT,
		.settings = settings_of(m),
	};
	int err;

	model_unref(&m);
	err = trace_open(&p->trace, &config, why, why_size);
	if (!err)
		health_listen(tell_gateway, p);
	return err;
}

void tracing_set(struct process *p, const struct model *m)
{
	struct trace_settings settings = settings_of(m);

	trace_set(p->trace, &settings);
}

static void write_usage(const char *name, const struct trace_usage *usage, struct buf *out)
{
	buf_addf(out, ",\"%s\":{\"bytes\":%llu,\"budget_bytes\":%llu,\"segments\":%u", name,
		 (unsigned long long)usage->bytes, (unsigned long long)usage->budget_bytes,
		 usage->segments);
	if (usage->oldest_us) {
		char oldest[28], newest[28];

		buf_addf(out, ",\"oldest\":\"%s\",\"newest\":\"%s\"",
			 clock_format(usage->oldest_us, oldest, sizeof(oldest)),
			 clock_format(usage->newest_us, newest, sizeof(newest)));
	}
	buf_add_char(out, '}');
}

void tracing_write_status(struct process *p, struct buf *out)
{
	struct trace_status s;
	char until[28];

	trace_status(p->trace, &s);
	buf_addf(out, ",\"trace\":{\"on\":%s", s.on ? "true" : "false");
	if (s.until_us)
		buf_addf(out, ",\"until\":\"%s\"", clock_format(s.until_us, until, sizeof(until)));
	buf_addf(out,
		 ",\"messages\":%llu,\"notes\":%llu,\"bytes\":%llu,\"waiting_bytes\":%llu,"
		 "\"dropped_full\":%llu,"
		 "\"dropped_disk\":%llu,\"disk_error\":%d,\"aged_calls\":%llu,\"kept_calls\":%llu",
		 (unsigned long long)s.messages, (unsigned long long)s.notes,
		 (unsigned long long)s.bytes, (unsigned long long)s.waiting_bytes,
		 (unsigned long long)s.dropped_full, (unsigned long long)s.dropped_disk,
		 s.disk_error, (unsigned long long)s.aged_calls, (unsigned long long)s.kept_calls);
	write_usage("calls", &s.calls, out);
	write_usage("registrations", &s.registrations, out);
	write_usage("kept", &s.kept, out);
	buf_add_char(out, '}');
}
