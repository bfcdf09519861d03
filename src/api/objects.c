/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameters, gateways, phones, accounts: read from one snapshot each time. */
#include "api/api_int.h"

#include <stdio.h>

/* Does `text` contain `part`, ASCII case aside? NULL contains nothing; "" is in everything. */
static bool contains(const char *text, const char *part)
{
	struct span s = span_of(text), p = span_of(part);

	if (!text)
		return false;
	for (size_t i = 0; i + p.len <= s.len; i++)
		if (span_istarts(span_skip(s, i), p))
			return true;
	return p.len == 0;
}

/* ---- parameters ------------------------------------------------------------------------- */

static const char *type_name(enum param_type type)
{
	static const char *const names[] = { "duration", "count",  "bool",      "text",
					     "codes",    "names",  "intervals", "level",
					     "moment",   "secret", "collectors" };

	return names[type];
}

/* As values are written: "2h" where the table says "7200s". */
static const char *default_of(const struct param_info *info, char *dst, size_t size)
{
	uint64_t us;

	if (info->type == PARAM_TYPE_DURATION && duration_parse(span_of(info->def), &us) == 0)
		return duration_format(us, dst, size);
	return info->def;
}

static void write_parameter(struct buf *out, const struct model *m, const struct param_info *info)
{
	char value[PARAM_TEXT_MAX + 1], scratch[64];
	const char *def = default_of(info, scratch, sizeof(scratch));

	param_show(&m->params, info, value, sizeof(value));
	api_json_open(out, NULL, '{');
	api_json_text(out, "name", info->name);
	api_json_text(out, "value", value);
	api_json_text(out, "default", def);
	api_json_bool(out, "changed", strcmp(value, def) != 0);
	api_json_text(out, "type", type_name(info->type));
	api_json_text(out, "least", info->least[0] ? info->least : NULL);
	api_json_text(out, "most", info->most[0] ? info->most : NULL);
	api_json_text(out, "vos3000_name", info->vos[0] ? info->vos : NULL);
	api_json_text(out, "help", info->help);
	api_json_close(out, '}');
}

void api_get_parameters(struct api_request *req)
{
	const char *q = api_text(req, "q");
	struct model *m = model_hub_get(req->sw->hub);

	api_json_open(&req->out, NULL, '{');
	api_json_open(&req->out, "parameters", '[');
	for (size_t i = 0; i < param_count; i++) {
		const struct param_info *info = &param_table[i];

		if (!q || contains(info->name, q) || contains(info->vos, q) ||
		    contains(info->help, q))
			write_parameter(&req->out, m, info);
	}
	api_json_close(&req->out, ']');
	api_json_close(&req->out, '}');
	model_unref(&m);
}

/* ---- gateways ----------------------------------------------------------------------------- */

static const char *account_name(const struct model_account *account)
{
	return account ? account->name : NULL;
}

static bool mapping_fits(const struct model_mapping *gw, const char *q)
{
	if (!q || contains(gw->name, q) || contains(account_name(gw->account), q))
		return true;
	for (unsigned i = 0; i < gw->n_addresses; i++)
		if (contains(gw->addresses[i].text, q))
			return true;
	return false;
}

static bool routing_fits(const struct model_routing *gw, const char *q)
{
	return !q || contains(gw->name, q) || contains(account_name(gw->account), q) ||
	       contains(gw->host, q);
}

static void write_object(struct buf *out, const char *key, const struct model *m, const char *kind,
			 const void *object)
{
	api_json_key(out, key);
	model_write_json(out, m, kind, object, true);
}

void api_get_gateways(struct api_request *req)
{
	enum { MAPPING, ROUTING };
	const char *q = api_text(req, "q");
	bool all = !api_given(req, "kind");
	uint64_t kind = api_number(req, "kind");
	struct model *m = model_hub_get(req->sw->hub);

	api_json_open(&req->out, NULL, '{');
	api_json_open(&req->out, "mapping_gateways", '[');
	for (unsigned i = 0; (all || kind == MAPPING) && i < m->n_mappings; i++)
		if (mapping_fits(&m->mappings[i], q))
			write_object(&req->out, NULL, m, "mapping_gateway", &m->mappings[i]);
	api_json_close(&req->out, ']');
	api_json_open(&req->out, "routing_gateways", '[');
	for (unsigned i = 0; (all || kind == ROUTING) && i < m->n_routings; i++)
		if (routing_fits(&m->routings[i], q))
			write_object(&req->out, NULL, m, "routing_gateway", &m->routings[i]);
	api_json_close(&req->out, ']');
	api_json_close(&req->out, '}');
	model_unref(&m);
}

void api_fail_no_gateway(struct api_request *req, const struct model *m, const char *name)
{
	struct near near;

	near_start(&near, span_of(name));
	for (unsigned i = 0; i < m->n_mappings; i++)
		near_offer(&near, span_of(m->mappings[i].name));
	for (unsigned i = 0; i < m->n_routings; i++)
		near_offer(&near, span_of(m->routings[i].name));
	api_fail(req, 404,
		 &(struct api_problem){ .field = "name",
					.value = name,
					.near = &near,
					.remedy = "causeway gateway list shows all" },
		 "no mapping or routing gateway has this name");
}

static bool registers(const struct model_mapping *mapping, const struct model_routing *routing)
{
	return (mapping && mapping->reg.type != REGISTER_STATIC) ||
	       (routing && routing->reg.type != REGISTER_STATIC);
}

void api_get_gateway(struct api_request *req)
{
	const char *name = api_text(req, "name");
	struct model *m = model_hub_get(req->sw->hub);
	const struct model_mapping *mapping = model_mapping(m, span_of(name));
	const struct model_routing *routing = model_routing(m, span_of(name));

	if (mapping || routing) {
		api_json_open(&req->out, NULL, '{');
		if (mapping)
			write_object(&req->out, "mapping_gateway", m, "mapping_gateway", mapping);
		if (routing)
			write_object(&req->out, "routing_gateway", m, "routing_gateway", routing);
		if (registers(mapping, routing)) {
			api_json_key(&req->out, "registration");
			req->sw->list_registrations(req->sw->arg, name, &req->out);
		}
		api_json_close(&req->out, '}');
	} else {
		api_fail_no_gateway(req, m, name);
	}
	model_unref(&m);
}

/* ---- groups, phones, accounts and numbers -------------------------------------------------------------------- */

/* An array of the snapshot, page by page. */
struct listing {
	const char *key, *kind;
	const char *(*name)(const struct model *m, unsigned i);
	const void *(*object)(const struct model *m, unsigned i);
	unsigned n;
	const void *after; /* the object named by `after`; NULL = none is */
	void (*write)(struct buf *out, const void *object); /* NULL = whole */
};

static const char *group_name(const struct model *m, unsigned i)
{
	return m->groups[i].name;
}

static const void *group_object(const struct model *m, unsigned i)
{
	return &m->groups[i];
}

static const char *phone_name(const struct model *m, unsigned i)
{
	return m->phones[i].number;
}

static const void *phone_object(const struct model *m, unsigned i)
{
	return &m->phones[i];
}

static const char *account_name_at(const struct model *m, unsigned i)
{
	return m->accounts[i].name;
}

static const void *account_object(const struct model *m, unsigned i)
{
	return &m->accounts[i];
}

static void write_listing(struct api_request *req, const struct model *m,
			  const struct listing *list)
{
	const char *q = api_text(req, "q"), *after = api_text(req, "after"), *last = NULL,
		   *next = NULL;
	uint64_t left = api_number(req, "limit");
	unsigned i = 0;

	if (after && !list->after) {
		api_fail(req, 400,
			 &(struct api_problem){ .field = "after",
						.value = after,
						.remedy = "begin with the first page again" },
			 "it does not exist any more");
		return;
	}
	while (after && list->object(m, i++) != list->after)
		;
	api_json_open(&req->out, NULL, '{');
	api_json_open(&req->out, list->key, '[');
	for (; i < list->n && !next; i++) {
		if (q && !contains(list->name(m, i), q))
			continue;
		if (left-- == 0) {
			next = last;
			break;
		}
		last = list->name(m, i);
		if (list->write)
			list->write(&req->out, list->object(m, i));
		else
			write_object(&req->out, NULL, m, list->kind, list->object(m, i));
	}
	api_json_close(&req->out, ']');
	api_json_key(&req->out, "next");
	if (next)
		buf_add_json(&req->out, span_of(next));
	else
		buf_add_str(&req->out, "null");
	api_json_close(&req->out, '}');
}

void api_get_groups(struct api_request *req)
{
	struct model *m = model_hub_get(req->sw->hub);
	const char *after = api_text(req, "after");
	struct listing list = { "gateway_groups", "gateway_group",
				group_name,       group_object,
				m->n_groups,      after ? model_group(m, span_of(after)) : NULL };

	write_listing(req, m, &list);
	model_unref(&m);
}

void api_get_phones(struct api_request *req)
{
	struct model *m = model_hub_get(req->sw->hub);
	const char *after = api_text(req, "after");
	struct listing list = { "phones",    "phone",
				phone_name,  phone_object,
				m->n_phones, after ? model_phone(m, span_of(after)) : NULL };

	write_listing(req, m, &list);
	model_unref(&m);
}

void api_get_accounts(struct api_request *req)
{
	struct model *m = model_hub_get(req->sw->hub);
	const char *after = api_text(req, "after");
	struct listing list = { "accounts",      "account",
				account_name_at, account_object,
				m->n_accounts,   after ? model_account(m, span_of(after)) : NULL };

	write_listing(req, m, &list);
	model_unref(&m);
}

static const char *number_group_name(const struct model *m, unsigned i)
{
	return m->number_groups[i].name;
}

static const void *number_group_object(const struct model *m, unsigned i)
{
	return &m->number_groups[i];
}

static int64_t count_of(const struct number_set *set)
{
	return set ? number_set_count(set) : 0;
}

/* Without what may be a million numbers. */
static void write_number_group(struct buf *out, const void *object)
{
	const struct model_number_group *group = object;

	api_json_open(out, NULL, '{');
	api_json_text(out, "name", group->name);
	api_json_number(out, "numbers", count_of(group->numbers));
	api_json_number(out, "prefixes", count_of(group->prefixes));
	api_json_text(out, "memo", group->memo);
	api_json_close(out, '}');
}

void api_get_number_groups(struct api_request *req)
{
	struct model *m = model_hub_get(req->sw->hub);
	const char *after = api_text(req, "after");
	struct listing list = { .key = "number_groups",
				.name = number_group_name,
				.object = number_group_object,
				.n = m->n_number_groups,
				.after = after ? model_number_group(m, span_of(after)) : NULL,
				.write = write_number_group };

	write_listing(req, m, &list);
	model_unref(&m);
}

static const char *area_name(const struct model *m, unsigned i)
{
	return m->areas[i].code;
}

static const void *area_object(const struct model *m, unsigned i)
{
	return &m->areas[i];
}

static void write_area(struct buf *out, const void *object)
{
	const struct model_area *area = object;

	api_json_open(out, NULL, '{');
	api_json_text(out, "code", area->code);
	api_json_text(out, "place", area->place);
	api_json_number(out, "mobiles", count_of(area->mobiles));
	api_json_text(out, "memo", area->memo);
	api_json_close(out, '}');
}

void api_get_areas(struct api_request *req)
{
	struct model *m = model_hub_get(req->sw->hub);
	const char *after = api_text(req, "after");
	struct listing list = { .key = "areas",
				.name = area_name,
				.object = area_object,
				.n = m->n_areas,
				.after = after ? model_area(m, span_of(after)) : NULL,
				.write = write_area };

	write_listing(req, m, &list);
	model_unref(&m);
}
