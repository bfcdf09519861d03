/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Trace on and off: parameters and gateways' trace_until, changed as if somebody had edited the configuration. */
#include "api/api_int.h"

#include <stdio.h>

/* "2026-11-26T03:45:00Z", that many minutes from now. */
static const char *format_until(uint64_t minutes, char dst[32])
{
	clock_format(clock_utc_us() + minutes * 60 * SEC, dst, 32);
	memcpy(dst + 19, "Z", 2);
	return dst;
}

static bool set_param(struct api_request *req, struct model *m, const char *name, const char *value)
{
	char why[256];

	if (param_set(&m->params, param_find(span_of(name)), m->arena, span_of(value), why,
		      sizeof(why)) == 0)
		return true;
	api_fail(req, 503, NULL, "%s could not be set: %s", name, why);
	return false;
}

static bool change_trace(struct api_request *req, struct model *m)
{
	char until[32] = "";

	if (api_given(req, "minutes"))
		format_until(api_number(req, "minutes"), until);
	return set_param(req, m, "trace", api_number(req, "on") ? "on" : "off") &&
	       set_param(req, m, "trace_until", until);
}

void api_switch_trace(struct api_request *req)
{
	if (!api_number(req, "on") && api_given(req, "minutes"))
		api_fail(req, 400,
			 &(struct api_problem){
				 .field = "minutes",
				 .remedy = "leave it out: the trace is off until it is on" },
			 "off is for good");
	else if (api_change_config(req, change_trace))
		api_get_trace_status(req);
}

/* ---- a gateway's ------------------------------------------------------------------------------------------ */

/* Of the mapping and of the routing gateway of this name, whichever there are; NULL = nobody's. */
struct untils {
	struct model_moment *mapping, *routing;
};

static struct untils untils_of(const struct model *m, const char *name)
{
	struct untils found = { 0 };

	for (unsigned i = 0; i < m->n_mappings; i++)
		if (strcmp(m->mappings[i].name, name) == 0)
			found.mapping = &m->mappings[i].trace_until;
	for (unsigned i = 0; i < m->n_routings; i++)
		if (strcmp(m->routings[i].name, name) == 0)
			found.routing = &m->routings[i].trace_until;
	return found;
}

static bool change_gateway(struct api_request *req, struct model *m)
{
	struct untils untils = untils_of(m, api_text(req, "name"));
	struct model_moment until = { .text = NULL };
	char text[32];

	if (!untils.mapping && !untils.routing) {
		api_fail_no_gateway(req, m, api_text(req, "name"));
		return false;
	}
	if (api_number(req, "minutes"))
		until.text = arena_dup(m->arena,
				       span_of(format_until(api_number(req, "minutes"), text)));
	if (api_number(req, "minutes") && !until.text) {
		api_fail(req, 503, NULL, "no memory to change the configuration");
		return false;
	}
	if (untils.mapping)
		*untils.mapping = until;
	if (untils.routing)
		*untils.routing = until;
	return true;
}

void api_trace_gateway(struct api_request *req)
{
	struct untils untils;
	struct model *m;
	char text[32];

	if (!api_change_config(req, change_gateway))
		return;
	m = model_hub_get(req->sw->hub);
	untils = untils_of(m, api_text(req, "name"));
	api_json_open(&req->out, NULL, '{');
	api_json_text(&req->out, "name", api_text(req, "name"));
	if (untils.mapping && untils.mapping->utc_us)
		api_json_text(&req->out, "trace_until",
			      clock_format(untils.mapping->utc_us, text, sizeof(text)));
	else if (untils.routing && untils.routing->utc_us)
		api_json_text(&req->out, "trace_until",
			      clock_format(untils.routing->utc_us, text, sizeof(text)));
	api_json_close(&req->out, '}');
	model_unref(&m);
}
