/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>

static const char good[] =
	"version: 1\n"
	"parameters: { SS_SIP_TIMEOUT_INVITE: 8s, ringing_timeout: 90s, max_cps: 50, "
	"stop_after_busy: off, auth_realm: example, time_zone: Europe/Berlin, "
	"forbid_address_lists: \"attackers, home\" }\n"
	"accounts:\n"
	"  - { name: acme, kind: customer, balance: \"100.00\", overdraft: \"5.5\", rate_group: "
	"retail }\n"
	"  - { name: 广州联通, kind: vendor, time_zone: Asia/Shanghai, locked: true, "
	"valid_until: 2026-12-31, memo: "
	"\"two\\nlines\" }\n"
	"rate_groups:\n"
	"  - { name: retail, rates: [ { prefix: \"880\", price: \"0.0200\", period: 1 }, { prefix: "
	"\"\", price: \"0.0120\" } ] }\n"
	"work_calendars:\n"
	"  - { name: de, holidays: [ 2026-12-25, 2026-05-01, 2026-12-25 ], work_days: 2026-12-19 "
	"}\n"
	"gateway_groups:\n"
	"  - { name: eu, line_limit: 300, memo: trunk }\n"
	"  - name: all\n"
	"    line_limit: 500\n"
	"    scheduled_line_limits:\n"
	"      - { days: [ work ], calendar: de, from: \"08:30\", to: \"17:00:30\", line_limit: 50 "
	"}\n"
	"      - { days: [ fri-mon ], from: 22:00, to: 06:00, line_limit: 0 }\n"
	"      - { to: 24:00, line_limit: 70 }\n"
	"address_lists:\n"
	"  - { name: home, ranges: [ 192.0.2.0/24, 198.51.100.1-198.51.100.9, \"2001:db8::/32\" ] "
	"}\n"
	"  - { name: attackers, memo: none yet }\n"
	"mapping_gateways:\n"
	"  - { name: acme-in, account: acme, addresses: [ \"127.0.0.2\", \"10.0.0.0/8\", "
	"\"[2001:db8::8]:5060\" ], line_limit: 100, rate_limit: 20, groups: [ all, eu ], "
	"reserved_lines: 10, allow_address_lists: [ home ], forbid_address_lists: [ attackers ] }\n"
	"  - name: pbx\n"
	"    auth: digest\n"
	"    user: pbx\n"
	"    password: \"se: cret\"\n"
	"    codecs: PCMA, PCMU\n"
	"    session_timer: off\n"
	"    rel100: required\n"
	"    update: false\n"
	"    max_duration: 1h\n"
	"    trust_identity: yes\n"
	"    pass_headers: User-to-User, X-*\n"
	"    failed_codes: [ \"404:503\", \"0:480\" ]\n"
	"routing_gateways:\n"
	"  - { name: a-1, account: 广州联通, address: \"127.0.0.3:5060;transport=tcp\", prefixes: "
	"[ \"880\", 44 ], priority: 1, invite_timeout: 3s }\n"
	"  - { name: b-1, address: \"[2001:db8::9]:5080\", protect: true, follow_redirects: on, "
	"request_address: source }\n"
	"  - { name: c-1, address: carrier.example, prefixes: \"1,2\", codecs: [ G729 ], "
	"response_address: via, extra_headers: [ \"X-Trunk:42\", \"X-Time: 08:30 \" ] }\n"
	"phones:\n"
	"  - { number: \"1001\", account: acme, password: pw, display: \"4420\", line_limit: 2, "
	"locked: yes, dids: [ \"4421\", \"4422\" ], max_duration_least: 1m, max_duration: 2m }\n";

static struct model *read_good(const char *text)
{
	struct model_error errors[4];
	struct model *m = NULL;
	unsigned n = model_read_yaml(&m, span_of(text), errors, 4);

	for (unsigned i = 0; i < n && i < 4; i++)
		print_error("line %u:%u %s: %s (%s)\n", errors[i].line, errors[i].column,
			    errors[i].object, errors[i].text, errors[i].remedy);
	assert_int_equal(n, 0);
	assert_non_null(m);
	return m;
}

static void check_schedule(const struct model *m)
{
	const struct model_limits *limits = &model_group(m, SPAN("all"))->limits;
	const struct model_limit_window *w = limits->scheduled;
	const struct model_calendar *de = model_calendar(m, SPAN("de"));

	assert_int_equal(de->n_holidays, 2);
	assert_int_equal(de->holidays[0], civil_day(2026, 5, 1));
	assert_int_equal(de->n_work_days, 1);
	assert_int_equal(limits->n_scheduled, 3);
	assert_ptr_equal(w[0].when.calendar, de);
	assert_int_equal(w[0].when.days, 1 << MODEL_WORK_DAY);
	assert_int_equal(w[0].when.from, 30600);
	assert_int_equal(w[0].when.to, 61230);
	assert_int_equal(w[0].line_limit, 50);
	assert_int_equal(w[1].when.days, 0x63);
	assert_int_equal(w[1].when.to, 6 * 3600);
	assert_null(w[1].when.calendar);
	assert_int_equal(w[2].when.days, 0x7f);
	assert_int_equal(w[2].when.from, 0);
	assert_int_equal(w[2].when.to, 86400);
}

static void check_objects(const struct model *m)
{
	const struct model_mapping *pbx = model_mapping(m, SPAN("pbx")),
				   *in = model_mapping(m, SPAN("acme-in"));
	const struct model_routing *a = model_routing(m, SPAN("a-1")),
				   *b = model_routing(m, SPAN("b-1"));
	const struct model_account *acme = model_account(m, SPAN("acme"));

	const struct model_phone *phone = model_phone_called(m, SPAN("4422"));

	assert_int_equal(phone->locked, PHONE_LOCK_ALL);
	assert_int_equal(phone->max_duration.least_us, 60 * SEC);
	assert_ptr_equal(phone, model_phone(m, SPAN("1001")));
	assert_true(model_account_expired(a->account, 1798732800 * SEC)); /* 2027 in Shanghai */
	assert_false(model_account_expired(a->account, 1798732799 * SEC));
	assert_string_equal(model_routing(m, SPAN("c-1"))->extra_headers,
			    "X-Trunk: 42\r\nX-Time: 08:30\r\n");
	assert_int_equal(acme->overdraft, 550000000);
	assert_ptr_equal(acme->rate_group, model_rate_group(m, SPAN("retail")));
	assert_ptr_equal(model_routing(m, SPAN("a-1"))->account,
			 model_account(m, SPAN("广州联通")));
	assert_string_equal(model_account(m, SPAN("广州联通"))->memo, "two\nlines");
	assert_ptr_equal(in->account, acme);
	assert_int_equal(in->n_addresses, 3);
	assert_true(in->addresses[2].ip6);
	assert_int_equal(in->addresses[2].port, 5060);
	assert_int_equal(in->addresses[1].prefix_len, 8);
	assert_int_equal(pbx->auth, AUTH_DIGEST);
	assert_string_equal(pbx->sip.codecs, "PCMA,PCMU");
	assert_int_equal(pbx->sip.timer, 0);
	assert_int_equal(in->sip.timer, -1);
	assert_int_equal(pbx->sip.rel100, 2);
	assert_false(pbx->sip.update);
	assert_true(pbx->sip.info);
	assert_true(pbx->sip.trust_identity);
	assert_string_equal(pbx->sip.pass_headers, "User-to-User,X-*");
	assert_null(in->sip.pass_headers);
	assert_string_equal(pbx->failed_codes, "404:503,0:480");
	assert_int_equal(pbx->max_duration.most_us, 3600 * SEC);
	assert_string_equal(a->host, "127.0.0.3");
	assert_int_equal(a->port, 5060);
	assert_int_equal(a->proto, PROTO_TCP);
	assert_int_equal(a->n_prefixes, 2);
	assert_string_equal(a->prefixes[1], "44");
	assert_int_equal(a->timeouts.invite_us, 3 * SEC);
	assert_int_equal(a->sip.request_address, 2);
	assert_string_equal(b->host, "2001:db8::9");
	assert_int_equal(b->proto, -1);
	assert_int_equal(b->n_prefixes, 1);
	assert_string_equal(b->prefixes[0], "");
	assert_int_equal(b->follow_redirects, 1);
	check_schedule(m);
	assert_string_equal(zone_name(m->zone), "Europe/Berlin");
	assert_string_equal(zone_name(model_account(m, SPAN("广州联通"))->zone), "Asia/Shanghai");
	assert_null(acme->zone);
	assert_ptr_equal(model_zone(m, acme), m->zone);
	assert_int_equal(in->n_groups, 2);
	assert_ptr_equal(in->groups[0], model_group(m, SPAN("all")));
	assert_ptr_equal(in->groups[1], model_group(m, SPAN("eu")));
	assert_int_equal(in->groups[1]->limits.line_limit, 300);
	assert_int_equal(in->reserved_lines, 10);
	assert_int_equal(in->fence.n_allow, 1);
	assert_ptr_equal(in->fence.allow[0], model_address_list(m, SPAN("home")));
	assert_ptr_equal(in->fence.forbid[0], model_address_list(m, SPAN("attackers")));
	assert_int_equal(in->fence.allow[0]->n_ranges, 3);
	assert_int_equal(m->fence.n_allow, 0);
	assert_int_equal(m->fence.n_forbid, 2);
	assert_ptr_equal(m->fence.forbid[1], in->fence.allow[0]);
	assert_int_equal(a->follow_redirects, -1);
	assert_int_equal(b->sip.request_address, 0);
	assert_int_equal(model_routing(m, SPAN("c-1"))->n_prefixes, 2);
	assert_int_equal(model_phone(m, SPAN("1001"))->limits.line_limit, 2);
}

static void test_good(void **state)
{
	struct model *m = read_good(good);
	const struct model_rate_group *retail = model_rate_group(m, SPAN("retail"));

	check_objects(m);
	assert_int_equal(m->params.invite_timeout, 8 * SEC);
	assert_int_equal(m->params.ringing_timeout, 90 * SEC);
	assert_int_equal(m->params.max_cps, 50);
	assert_false(m->params.stop_after_busy);
	assert_string_equal(m->params.auth_realm, "example");
	assert_int_equal(retail->n_rates, 2);
	assert_string_equal(retail->rates[0].prefix, "");
	assert_int_equal(retail->rates[0].period, 60);
	assert_int_equal(retail->rates[1].price, 2000000);
	assert_ptr_equal(model_mapping_by_user(m, SPAN("pbx")), model_mapping(m, SPAN("pbx")));
	assert_null(model_mapping(m, SPAN("a-1")));
	assert_null(model_phone(m, SPAN("")));
	model_unref(&m);
	assert_null(m);
}

static void test_write_and_read(void **state)
{
	struct model *m = read_good(good), *again;
	struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);

	model_write_yaml(&first, m, true);
	again = read_good(buf_cstr(&first));
	check_objects(again);
	model_write_yaml(&second, again, true);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	model_unref(&m);
	model_unref(&again);
	buf_free(&first);
	buf_free(&second);
}

static void test_secrets(void **state)
{
	struct model *m = read_good(good), *none = NULL;
	struct model_error errors[8];
	struct buf out = BUF_INIT(1 << 20);

	model_write_yaml(&out, m, false);
	assert_null(strstr(buf_cstr(&out), "se: cret"));
	assert_non_null(strstr(buf_cstr(&out), "***"));
	assert_int_equal(model_read_yaml(&none, buf_span(&out), errors, 8), 2);
	assert_null(none);
	assert_non_null(strstr(errors[0].text, "***"));
	buf_reset(&out);
	model_write_json(&out, m, "phone", model_phone(m, SPAN("1001")), true);
	assert_null(strstr(buf_cstr(&out), "\"pw\""));
	assert_non_null(strstr(buf_cstr(&out), "\"registered\": false"));
	assert_non_null(strstr(buf_cstr(&out), "\"lines\": 0"));
	buf_reset(&out);
	model_write_json_flags(&out, m, "phone", model_phone(m, SPAN("1001")), MODEL_JSON_SECRETS);
	assert_non_null(strstr(buf_cstr(&out), "\"pw\""));
	buf_free(&out);
	model_unref(&m);
}

/* What JSON says of an object is read back as the same object. */
static void test_json_is_read(void **state)
{
	struct model *m = read_good(good), *again;
	struct buf out = BUF_INIT(1 << 20);

	buf_add_str(&out, "{\"version\": 1, \"accounts\": [{\"name\": \"acme\"}, {\"name\": "
			  "\"广州联通\"}], \"address_lists\": [{\"name\": \"home\"}, {\"name\": "
			  "\"attackers\"}], \"routing_gateways\": [");
	for (unsigned i = 0; i < m->n_routings; i++) {
		buf_add_str(&out, i ? "," : "");
		model_write_json_flags(&out, m, "routing_gateway", &m->routings[i],
				       MODEL_JSON_SECRETS);
	}
	buf_add_str(&out, "], \"parameters\": ");
	model_write_params_json(&out, m);
	buf_add_str(&out, "}");
	again = read_good(buf_cstr(&out));
	assert_int_equal(again->n_routings, 3);
	assert_int_equal(model_routing(again, SPAN("a-1"))->proto, PROTO_TCP);
	assert_int_equal(model_routing(again, SPAN("c-1"))->proto, -1);
	assert_int_equal(model_routing(again, SPAN("b-1"))->follow_redirects, 1);
	assert_int_equal(again->params.max_cps, 50);
	model_unref(&m);
	model_unref(&again);
	buf_free(&out);
}

static void check_json(const struct model *m, const char *kind, const void *object)
{
	struct buf out = BUF_INIT(1 << 20);
	json_error_t error;
	json_t *json;

	model_write_json(&out, m, kind, object, true);
	json = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s in %s", error.text, buf_cstr(&out));
	assert_true(json_is_object(json));
	json_decref(json);
	buf_free(&out);
}

/* One contact, the only one. */
static int bind_one(void *arg, struct bindings *all)
{
	all->n = 1;
	all->binding[0] = *(const struct binding *)arg;
	return 0;
}

static void test_json_is_sound(void **state)
{
	struct model *m = read_good(good);

	for (unsigned i = 0; i < m->n_accounts; i++)
		check_json(m, "account", &m->accounts[i]);
	for (unsigned i = 0; i < m->n_rate_groups; i++)
		check_json(m, "rate_group", &m->rate_groups[i]);
	for (unsigned i = 0; i < m->n_mappings; i++)
		check_json(m, "mapping_gateway", &m->mappings[i]);
	for (unsigned i = 0; i < m->n_routings; i++)
		check_json(m, "routing_gateway", &m->routings[i]);
	for (unsigned i = 0; i < m->n_phones; i++) {
		struct binding b = { .contact = "sip:x\"\\y", .expires_us = UINT64_MAX };

		check_json(m, "phone", &m->phones[i]);
		registration_update(load_registration(m->phones[i].load), bind_one, &b);
		atomic_store(&m->phones[i].load->last_call_us, 1);
		check_json(m, "phone", &m->phones[i]);
	}
	model_unref(&m);
}

/* VOS3000's numbers for locks, under its own name. */
static void test_lock_numbers(void **state)
{
	struct model *m = read_good(
		"version: 1\naccounts: [ { name: a, lockType: 1 }, { name: b, lockType: 0 } ]\n"
		"mapping_gateways:\n"
		"  - { name: in, addresses: [ 192.0.2.1 ], lockType: 3 }\n"
		"routing_gateways: [ { name: out, address: h, locktype: 0 } ]\n"
		"phones:\n"
		"  - { number: \"10\", password: x, lockType: 0 }\n"
		"  - { number: \"11\", password: x, lockType: \"1\" }\n"
		"  - { number: \"12\", password: x, lockType: 2 }\n"
		"  - { number: \"13\", password: x, lockType: 3 }\n");

	assert_true(m->accounts[0].locked);
	assert_false(m->accounts[1].locked);
	assert_true(m->mappings[0].locked);
	assert_false(m->routings[0].locked);
	for (int i = 0; i <= PHONE_LOCK_ALL; i++)
		assert_int_equal(m->phones[i].locked, i);
	model_unref(&m);
}

static void test_minimal(void **state)
{
	struct model *m = read_good("version: 1\n");

	assert_int_equal(m->n_phones, 0);
	model_unref(&m);
	m = read_good("version: 1\nphones: []\naccounts:\nrouting_gateways: ~\n");
	model_unref(&m);
	m = read_good("---\nversion: 1\nrouting_gateways: [ { name: a, address: 1.2.3.4, prefixes: "
		      "[] } ]\n...\n");
	assert_int_equal(m->routings[0].n_prefixes, 0);
	model_unref(&m);
}

/* ---- errors ---------------------------------------------------------------------------- */

#define V "version: 1\n"
#define MAP(more) V "mapping_gateways:\n  - { name: in, " more " }\n"
#define SCHEDULE(more)                                                                             \
	V "gateway_groups:\n  - name: g\n    scheduled_line_limits: [ { " more " } ]\n"
#define ROUTE(more) V "routing_gateways:\n  - { name: out, address: 192.0.2.1, " more " }\n"

static const struct {
	const char *yaml;
	unsigned line;
	const char *object, *text, *remedy; /* found within */
} bad[] = {
	{ "", 1, "", "empty", "version: 1" },
	{ "accounts: []\n", 1, "", "`version` is missing", "version: 1" },
	{ "version: 2\n", 1, "", "version 1 only", "version: 1" },
	{ "- a\n", 1, "", "must be an object", "" },
	{ V "nonsense: 1\n", 2, "", "unknown key `nonsense`", "known keys" },
	{ V "account: []\n", 2, "", "did you mean `accounts`?", "accounts" },
	{ V "phones: []\nphones: []\n", 3, "", "stands twice, first in line 2", "" },
	{ V "phones: {}\n", 2, "", "phones: must be a list", "" },
	{ V "phones: [ 1 ]\n", 2, "phones[0]", "must be an object", "" },
	{ V "phones: [\n", 3, "", "not YAML", "quote" },
	{ V "}{\n", 2, "", "not YAML", "" },
	{ V "phones: [ { number: &a \"1\" } ]\n", 2, "phones[0]", "anchors and aliases", "" },
	{ V "accounts: *x\n", 2, "", "anchors and aliases", "" },
	{ V "accounts: [ !x { name: a } ]\n", 2, "", "tags", "" },
	{ V "x: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", 2, "", "unknown key", "" },
	{ V "---\nversion: 1\n", 2, "", "second document", "" },
	{ V "parameters: { invite_timout: 3s }\n", 2, "parameters",
	  "did you mean `invite_timeout`?", "invite_timeout" },
	{ V "parameters:\n  invite_timeout: 1000s\n", 3, "parameters",
	  "1000s is outside 100ms to 180s", "default is 10s" },
	{ V "parameters: { invite_timeout: soon }\n", 2, "parameters", "`soon` is no duration",
	  "" },
	{ V "parameters: { max_cps: -1 }\n", 2, "parameters", "`-1` is no whole number", "" },
	{ V "parameters: { stop_after_busy: maybe }\n", 2, "parameters", "neither on nor off", "" },
	{ V "parameters:\n  invite_timeout: 3s\n  SS_SIP_TIMEOUT_INVITE: 4s\n", 4, "parameters",
	  "first in line 3", "" },
	{ V "parameters:\n  session_expires: 90s\n  session_min_se: 100s\n", 4, "parameters",
	  "is above session_expires (90s)", "" },
	{ V "parameters: { invite_timeout: [ 1s ] }\n", 2, "parameters", "one value", "" },
	{ MAP("adresses: [ 192.0.2.1 ]"), 3, "mapping_gateways[0] in",
	  "unknown key `adresses`; did you mean `addresses`?", "" },
	{ MAP("remoteIps: [ 192.0.2.1 ]"), 3, "mapping_gateways[0] in", "did you mean `addresses`?",
	  "write `addresses` instead" },
	{ MAP("addresses: [ 192.0.2.1 ], capacity: 5"), 3, "mapping_gateways[0] in",
	  "did you mean `line_limit`?", "" },
	{ V "parameters: { max_cps: 1,\n time_zone: Europe/Atlantis }\n", 3, "parameters",
	  "time_zone: `Europe/Atlantis` is no time zone of this system", "Europe/Berlin" },
	{ V "accounts: [ { name: a, time_zone: ../x } ]\n", 2, "accounts[0] a",
	  "time_zone: `../x` is no time zone", "" },
	{ SCHEDULE("from: 8:30, line_limit: 1"), 4, "gateway_groups[0] g scheduled_line_limits[0]",
	  "from: `8:30` is no time of day", "08:30" },
	{ SCHEDULE("to: 24:01, line_limit: 1"), 4, "gateway_groups[0] g scheduled_line_limits[0]",
	  "`24:01` is no time of day", "" },
	{ SCHEDULE("days: [ monday ], line_limit: 1"), 4,
	  "gateway_groups[0] g scheduled_line_limits[0]", "`monday` is no day", "mon-fri" },
	{ SCHEDULE("days: [ sat-work ], line_limit: 1"), 4,
	  "gateway_groups[0] g scheduled_line_limits[0]", "`sat-work` is no day", "" },
	{ SCHEDULE("days: [], line_limit: 1"), 4, "gateway_groups[0] g scheduled_line_limits[0]",
	  "no day is listed", "" },
	{ SCHEDULE("days: [ mon ]"), 4, "gateway_groups[0] g scheduled_line_limits[0]",
	  "`line_limit` is missing", "" },
	{ SCHEDULE("days: [ work ], calendar: dd, line_limit: 1") "work_calendars: [ { name: d } "
								  "]\n",
	  4, "gateway_groups[0] g", "calendar: `dd` does not exist", "" },
	{ SCHEDULE("days: [ mon-fri ], calendar: d, line_limit: 1") "work_calendars: [ { name: d } "
								    "]\n",
	  4, "gateway_groups[0] g scheduled_line_limits[0]", "names neither work nor holiday",
	  "work" },
	{ V "work_calendars:\n  - { name: d, holidays: [ 2026-02-29 ] }\n", 3,
	  "work_calendars[0] d", "`2026-02-29` is no date", "2026-12-25" },
	{ V "work_calendars:\n  - { name: d, holidays: [ 2026-03-01, 2026-02-01 ], work_days: [ "
	    "2026-03-01 ] }\n",
	  3, "work_calendars[0] d", "2026-03-01 is both", "" },
	{ MAP("addresses: [ 192.0.2.1 ], groups: [ a, a ]"), 3, "mapping_gateways[0] in",
	  "groups: `a` is listed twice", "" },
	{ MAP("addresses: [ 192.0.2.1 ], groups: [ europa ]") "gateway_groups: [ { name: europe } "
							      "]\n",
	  3, "mapping_gateways[0] in", "groups: `europa` does not exist; did you mean `europe`?",
	  "" },
	{ MAP("addresses: [ 192.0.2.1 ], groups: [ a, b, c, d, e, f, g, h, i ]"), 3,
	  "mapping_gateways[0] in", "groups: 9 are listed, the limit is 8", "list 8 at most" },
	{ V "parameters: { forbid_address_lists: \"home, away\" }\naddress_lists: [ { name: home } "
	    "]\n",
	  0, "parameters", "forbid_address_lists: address list `away` does not exist",
	  "name lists of address_lists" },
	{ V "parameters: { allow_address_lists: \"a;b\" }\n", 2, "parameters",
	  "`a;b` is no list of names", "" },
	{ V "address_lists: [ { name: x, ranges: [ 192.0.2.9-192.0.2.1 ] } ]\n", 2,
	  "address_lists[0] x", "`192.0.2.9-192.0.2.1`: the range ends before it begins",
	  "203.0.113.0/24" },
	{ V "address_lists: [ { name: x, ranges: [ 192.0.2.1-2001:db8::1 ] } ]\n", 2,
	  "address_lists[0] x", "addresses of one kind", "" },
	{ V "address_lists: [ { name: x, ranges: [ 192.0.2.0/24-192.0.3.0 ] } ]\n", 2,
	  "address_lists[0] x", "addresses of one kind", "" },
	{ V "address_lists: [ { name: x, ranges: [ \"192.0.2.1:5060\" ] } ]\n", 2,
	  "address_lists[0] x", "a range has no port", "" },
	{ V "address_lists: [ { name: x, ranges: [ 192.0.2.1/24 ] } ]\n", 2, "address_lists[0] x",
	  "bits beyond the network's length", "" },
	{ MAP("addresses: [ 192.0.2.1 ], allow_address_lists: [ nowhere ]"), 3,
	  "mapping_gateways[0] in", "allow_address_lists: `nowhere` does not exist", "" },
	{ MAP("addresses: [ 192.0.2.1 ], lockType: 1"), 3, "mapping_gateways[0] in",
	  "`1` is none of VOS3000's numbers for `locked`", "" },
	{ MAP("addresses: [ 192.0.2.1 ], lockType: all"), 3, "mapping_gateways[0] in",
	  "`all` is none of VOS3000's numbers", "" },
	{ MAP("addresses: [ 192.0.2.1 ], lockType: 3, locked: true"), 3, "mapping_gateways[0] in",
	  "key `locked` stands twice", "" },
	{ V "phones: [ { number: \"1\", password: x, lockType: 4 } ]\n", 2, "phones[0] 1",
	  "`4` is none of VOS3000's numbers", "" },
	{ MAP("addresses: [ 192.0.2.1 ], maxCallRate: 3"), 3, "mapping_gateways[0] in",
	  "did you mean `rate_limit`?", "" },
	{ MAP("addresses: [ 192.0.2.1 ], rewriteRulesInCaller: []"), 3, "mapping_gateways[0] in",
	  "did you mean `caller_rules`?", "" },
	{ V "phones: [ { number: \"1\", password: x, rewriteRulesInCaller: [] } ]\n", 2,
	  "phones[0] 1", "did you mean `to_caller_rules`?", "" },
	{ V "parameters: { outbound_privacy: \"id;none\" }\n", 2, "parameters",
	  "outbound_privacy (id;none) is no list such as user;id", "" },
	{ V "parameters: { outbound_privacy: \"id\\r\\nX: y\" }\n", 2, "parameters",
	  "without control characters", "" },
	{ V "parameters: { outbound_privacy: \"id;id\" }\n", 2, "parameters", "is no list", "" },
	{ V "parameters: { SS_SIP_USER_AGENT_PRIVACY: \"ids\" }\n", 2, "parameters", "is no list",
	  "" },
	{ V "parameters: { ss_sip_publish_expire: 300 }\n", 2, "parameters",
	  "ss_sip_publish_expire has no counterpart here: switches do not tell", "leave it out" },
	{ V "parameters: { auth_status: 403 }\n", 2, "parameters", "neither 401 nor 407", "" },
	{ V "routing_gateways: [ { name: g, address: h, extra_headers: [ \"Via: SIP/2.0/UDP x\" ] "
	    "} ]\n",
	  2, "routing_gateways[0] g", "`Via` cannot be added (Via)", "" },
	{ V "routing_gateways: [ { name: g, address: h, extra_headers: [ \"f: x\" ] } ]\n", 2,
	  "routing_gateways[0] g", "`f` cannot be added (From)", "" },
	{ V "routing_gateways: [ { name: g, address: h, extra_headers: [ \"P-Asserted-Identity: "
	    "<sip:1@x>\" ] } ]\n",
	  2, "routing_gateways[0] g", "cannot be added", "" },
	{ V "routing_gateways: [ { name: g, address: h, extra_headers: [ \"X-Empty: \" ] } ]\n", 2,
	  "routing_gateways[0] g", "is no header line", "" },
	{ V "routing_gateways: [ { name: g, address: h, extra_headers: [ \"no colon\" ] } ]\n", 2,
	  "routing_gateways[0] g", "is no header line", "" },
	{ V "routing_gateways: [ { name: g, address: h, extra_headers: [ \"X Y: z\" ] } ]\n", 2,
	  "routing_gateways[0] g", "is no header line", "" },
	{ V "routing_gateways: [ { name: g, address: h, extra_headers: [ \"X-A: b\\r\\nVia: x\" ] "
	    "} ]\n",
	  2, "routing_gateways[0] g", "is no header line", "" },
	{ MAP("addresses: [ 192.0.2.1 ], max_duration: 1m, max_duration_least: 61s"), 3,
	  "mapping_gateways[0] in", "max_duration_least is above max_duration", "at least" },
	{ MAP("addresses: [ 192.0.2.1 ], max_duration_least: 61s"), 3, "mapping_gateways[0] in",
	  "max_duration_least is given without max_duration", "at least" },
	{ V "phones:\n  - { number: \"1\", password: p, dids: [ \"77\" ] }\n"
	    "  - { number: \"2\", password: p, dids: [ \"78\", \"77\" ] }\n",
	  4, "phones[1] 2", "dids: `77` is a number of phone `1` already", "one phone" },
	{ V "phones:\n  - { number: \"1\", password: p, dids: [ \"2\" ] }\n"
	    "  - { number: \"2\", password: p }\n",
	  3, "phones[0] 1", "dids: `2` is a number of phone `2` already", "one phone" },
	{ V "accounts: [ { name: x, valid_until: \"2026-02-30\" } ]\n", 2, "accounts[0] x",
	  "`2026-02-30` is no moment", "2026-12-31" },
	{ V "accounts: [ { name: x, valid_until: \"2026-12-31 25:00\" } ]\n", 2, "accounts[0] x",
	  "`2026-12-31 25:00` is no moment", "2026-12-31" },
	{ V "accounts: [ { name: x, valid_until: \"2026-12-31x18:00\" } ]\n", 2, "accounts[0] x",
	  "`2026-12-31x18:00` is no moment", "2026-12-31" },
	{ V "accounts: [ { name: x, valid_until: \"2026-12-31T18:00:00+1:00\" } ]\n", 2,
	  "accounts[0] x", "`2026-12-31T18:00:00+1:00` is no moment", "2026-12-31" },
	{ V "accounts: [ { name: x, valid_until: \"1970-01-01\" } ]\n", 2, "accounts[0] x",
	  "`1970-01-01` is no moment", "2026-12-31" },
	{ V "accounts: [ { name: x, valid_until: \"2026-12-31T\" } ]\n", 2, "accounts[0] x",
	  "`2026-12-31T` is no moment", "2026-12-31" },
	{ V "accounts: [ { name: x, valid_until: \"soon\" } ]\n", 2, "accounts[0] x",
	  "`soon` is no moment", "2026-12-31" },
	{ V "accounts: [ { name: x, valid_until: \"2026-12-31T18:00:00+25:00\" } ]\n", 2,
	  "accounts[0] x", "`2026-12-31T18:00:00+25:00` is no moment", "2026-12-31" },
	{ MAP("addresses: [ 192.0.2.1 ], line_limit: 99999999"), 3, "mapping_gateways[0] in",
	  "line_limit: 99999999 is above the limit, 10000000", "from 0 to 10000000" },
	{ MAP("addresses: [ 192.0.2.1 ], rate_limit: 1, rate_period: 0"), 3,
	  "mapping_gateways[0] in", "rate_period: 0 is below the limit, 1", "" },
	{ MAP("addresses: [ 192.0.2.1 ], rate_limit: 1, rate_period: 86401"), 3,
	  "mapping_gateways[0] in", "86401 is above the limit, 86400", "" },
	{ MAP("addresses: [ 192.0.2.1 ], scheduled_rate_limits: [ { rate_burst: 1 } ]"), 3,
	  "scheduled_rate_limits[0]", "`rate_limit` is missing", "" },
	{ MAP("addresses: [ 192.0.2.1 ], maxcallrateunit: 3"), 3, "mapping_gateways[0] in",
	  "did you mean `rate_period`?", "" },
	{ MAP("addresses: [ 192.0.2.1 ], rate_limit: many"), 3, "mapping_gateways[0] in",
	  "`many` is no whole number", "" },
	{ MAP("addresses: [ 192.0.2.1 ], auth: none"), 3, "mapping_gateways[0] in",
	  "`none` is not known", "address, address_port, digest" },
	{ MAP("addresses: [ 192.0.2.300 ]"), 3, "mapping_gateways[0] in",
	  "`192.0.2.300`: not an IPv4 or IPv6 address", "203.0.113.8" },
	{ MAP("addresses: [ \"192.0.2.1:99999\" ]"), 3, "mapping_gateways[0] in",
	  "port must be 1 to 65535", "" },
	{ MAP("addresses: [ 192.0.2.1/24 ]"), 3, "mapping_gateways[0] in",
	  "bits beyond the network's length", "" },
	{ MAP("addresses: [ 192.0.2.0/33 ]"), 3, "mapping_gateways[0] in", "0 to 32", "" },
	{ MAP("addresses: [ \"::ffff:192.0.2.1\" ]"), 3, "mapping_gateways[0] in",
	  "IPv4 address itself", "" },
	{ MAP("addresses: [ \"[192.0.2.1]:5060\" ]"), 3, "mapping_gateways[0] in",
	  "brackets hold an IPv6", "" },
	{ MAP("locked: true"), 3, "mapping_gateways[0] in", "none is listed", "addresses" },
	{ MAP("auth: digest, user: u"), 3, "mapping_gateways[0] in", "needs a password", "" },
	{ MAP("auth: address_port, addresses: [ 192.0.2.1 ]"), 3, "mapping_gateways[0] in",
	  "`192.0.2.1` has no port", "host:port" },
	{ MAP("addresses: [ 192.0.2.1 ], account: x"), 3, "mapping_gateways[0] in",
	  "account: `x` does not exist", "add `x` to accounts" },
	{ V "accounts: [ { name: acme } ]\nphones:\n  - number: \"1\"\n    account: acmee\n", 5,
	  "phones[0] 1", "did you mean `acme`?", "acme" },
	{ V "accounts:\n  - { name: a }\n  - { name: b }\n  - { name: a }\n", 5, "accounts[2] a",
	  "`a` exists already, first in line 3", "" },
	{ V "accounts:\n  - { kind: vendor }\n", 3, "accounts[0]", "`name` is missing",
	  "add `name`" },
	{ V "accounts:\n  - { kind: thief, name: a }\n", 3, "accounts[0] a", "`thief` is not known",
	  "customer, agent, vendor" },
	{ V "accounts:\n  - { name: \"a b\" }\n", 3, "accounts[0]", "blank", "letters, digits" },
	{ V "accounts:\n  - { name: \"\" }\n", 3, "accounts[0]", "name: is empty", "" },
	{ V "accounts:\n  - { name: "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }\n",
	  3, "accounts[0]", "has 64 bytes, the limit is 63", "1 to 63" },
	{ V "accounts:\n  - { name: \"a\\u202Eb\" }\n", 3, "accounts[0]", "not permitted in names",
	  "" },
	{ V "accounts:\n  - { name: a, kind: \"\\e[2J\" }\n", 3, "accounts[0] a",
	  "`?[2J` is not known", "" },
	{ V "accounts:\n  - { name: a, balance: 1.123456789 }\n", 3, "accounts[0] a",
	  "no amount of money", "8 places" },
	{ V "accounts:\n  - { name: a, overdraft: -1 }\n", 3, "accounts[0] a", "below zero", "" },
	{ V "accounts:\n  - name: a\n    memo: \"x\\u0007\"\n", 4, "accounts[0] a",
	  "control character", "" },
	{ V "accounts:\n  - name: a\n    name: b\n", 4, "accounts[0] a",
	  "stands twice, first in line 3", "" },
	{ V "accounts:\n  - name: [ a ]\n", 3, "accounts[0]", "must be one value", "" },
	{ V "rate_groups:\n  - name: r\n    rates:\n      - { prefix: 1, price: 1 }\n      - { "
	    "prefix: \"1\", price: 2 }\n",
	  6, "rate_groups[0] r", "prefix \"1\" has two rates, first in line 5", "" },
	{ V "rate_groups:\n  - name: r\n    rates: [ { prefix: 1, prise: 2, price: 3 } ]\n", 4,
	  "rate_groups[0] r rates[0]", "did you mean `price`?", "" },
	{ V "rate_groups:\n  - name: r\n    rates: [ { prefix: 1, price: 1, period: 0 } ]\n", 4,
	  "rates[0]", "0 is below the limit, 1", "" },
	{ V "rate_groups:\n  - name: r\n    rates: [ { prefix: 1 } ]\n", 4, "rates[0]",
	  "`price` is missing", "" },
	{ V "routing_gateways:\n  - { name: out }\n", 3, "routing_gateways[0] out",
	  "`address` is missing", "" },
	{ V "routing_gateways:\n  - { name: out, adress: a }\n", 3, "routing_gateways[0] out",
	  "did you mean `address`?", "" },
	{ ROUTE("register: dynamic, password: x"), 3, "routing_gateways[0] out",
	  "`192.0.2.1` is given, and the gateway registers", "register: static" },
	{ V "routing_gateways:\n  - { name: out, register: dynamic }\n", 3,
	  "routing_gateways[0] out", "needs a password", "add `password`" },
	{ V "phones: [ { number: \"1\", password: x } ]\nrouting_gateways:\n"
	    "  - { name: \"1\", register: dynamic, password: x }\n",
	  4, "routing_gateways[0] 1", "`1` is the number of a phone", "a user of its own" },
	{ V "routing_gateways:\n  - { name: a, register: dynamic, user: u, password: x }\n"
	    "  - { name: b, register: dynamic, user: u, password: x }\n",
	  4, "routing_gateways[1] b", "that of routing gateway `a` already", "" },
	{ V "routing_gateways:\n  - { name: a, register: dynamic, user: u, password: x }\n"
	    "mapping_gateways:\n  - { name: m, auth: digest, user: u, password: y }\n",
	  3, "routing_gateways[0] a", "`m` has the same user and another password", "" },
	{ ROUTE("ims: true"), 3, "routing_gateways[0] out",
	  "ims is given, and we do not register there", "" },
	{ ROUTE("public_user: x, register: static"), 3, "routing_gateways[0] out",
	  "public_user is given, and we do not register there", "" },
	{ ROUTE("register: outbound, user: u"), 3, "routing_gateways[0] out",
	  "outbound needs a password", "" },
	{ ROUTE("register: outbound, user: u, password: p, registrar: \"a b\""), 3,
	  "routing_gateways[0] out", "`a b`: ", "host or host:port" },
	{ ROUTE("registrar: reg.example"), 3, "routing_gateways[0] out",
	  "`reg.example` is given, and we do not register there", "register: outbound" },
	{ MAP("register: dynamic, addresses: [ 192.0.2.1 ]"), 3, "mapping_gateways[0] in",
	  "dynamic needs credentials", "auth: digest" },
	{ V "phones:\n  - { number: \"1\", register: static }\n", 3, "phones[0] 1",
	  "static needs an address", "" },
	{ V "phones:\n  - { number: \"1\", register: static, address: 192.0.2.0/24 }\n", 3,
	  "phones[0] 1", "is no host's address", "203.0.113.8" },
	{ V "phones:\n  - { number: \"1\", address: 192.0.2.1 }\n", 3, "phones[0] 1",
	  "`192.0.2.1` is given, and the phone registers", "static" },
	{ V "phones:\n  - { number: \"1\", min_expiry: 60s, max_expiry: 30s }\n", 3, "phones[0] 1",
	  "min_expiry (1m) is above max_expiry", "" },
	{ V "phones:\n  - { number: \"1\", max_contacts: 9 }\n", 3, "phones[0] 1",
	  "9 is above the limit, 8", "" },
	{ V "routing_gateways:\n  - { name: out, address: \"a b\" }\n", 3,
	  "routing_gateways[0] out", "neither an address nor a host name", "" },
	{ V "routing_gateways:\n  - { name: out, address: 1.2.3 }\n", 3, "routing_gateways[0] out",
	  "neither an address", "" },
	{ V "routing_gateways:\n  - { name: out, address: \"a;transport=sctp\" }\n", 3,
	  "routing_gateways[0] out", "transport=udp", "" },
	{ ROUTE("prefix: 880"), 3, "routing_gateways[0] out", "did you mean `prefixes`?", "" },
	{ ROUTE("prefixes: [ \"88 0\" ]"), 3, "routing_gateways[0] out", "`88 0` is no prefix",
	  "" },
	{ ROUTE("prefixes: [ 111111111111111111111111111111111 ]"), 3, "routing_gateways[0] out",
	  "has 33 characters, the limit is 32", "" },
	{ ROUTE("prefixes: [\n  1,\n  [ 2 ] ]"), 5, "routing_gateways[0] out",
	  "each item must be a text", "" },
	{ ROUTE("prefixes: [\n  1,\n  \"-\" ]"), 5, "routing_gateways[0] out", "`-` is no prefix",
	  "" },
	{ ROUTE("transport: sctp"), 3, "routing_gateways[0] out", "`sctp` is not known",
	  "udp, tcp, tls" },
	{ V "routing_gateways:\n  - { name: o, address: \"h;transport=tcp\", transport: udp }\n", 3,
	  "routing_gateways[0] o", "different transports", "" },
	{ ROUTE("invite_timeout: 700s"), 3, "routing_gateways[0] out",
	  "700s is above the limit, 10m", "0s to 10m" },
	{ ROUTE("codecs: [ PCMA, pcma ]"), 3, "routing_gateways[0] out", "listed twice", "" },
	{ ROUTE("codecs: [ \"P CMA\" ]"), 3, "routing_gateways[0] out", "no codec's name", "" },
	{ ROUTE("pass_headers: [ \"X A\" ]"), 3, "routing_gateways[0] out", "no header's name",
	  "X-*" },
	{ ROUTE("pass_headers: [ X-A, x-a ]"), 3, "routing_gateways[0] out", "listed twice", "" },
	{ ROUTE("pass_headers: [ \"*\" ]"), 3, "routing_gateways[0] out", "no header's name", "" },
	{ ROUTE("pass_headers: [ v ]"), 3, "routing_gateways[0] out", "`v` never passes (Via)",
	  "" },
	{ ROUTE("pass_headers: [ session-expires ]"), 3, "routing_gateways[0] out",
	  "never passes (Session-Expires)", "" },
	{ ROUTE("pass_headers: [ \"Re*\" ]"), 3, "routing_gateways[0] out",
	  "`Re*` never passes (Record-Route)", "" },
	{ ROUTE("pairs: [ \"025:010\", \":\" ]"), 3, "routing_gateways[0] out",
	  "`:` is no pair of prefixes", "" },
	{ ROUTE("scheduled_prefixes: [ { action: allow } ]"), 3, "scheduled_prefixes[0]",
	  "`prefixes` is missing", "" },
	{ ROUTE("stop_codes: [ 503, 200-299 ]"), 3, "routing_gateways[0] out",
	  "`200-299` is neither a status nor a range", "" },
	{ ROUTE("continue_codes: 599-500"), 3, "routing_gateways[0] out", "neither a status", "" },
	{ ROUTE("pass_headers: P-Asserted-Identity"), 3, "routing_gateways[0] out", "never passes",
	  "trust_identity" },
	{ ROUTE("diversion_group: none") "number_groups: [ { name: none } ]\n", 3,
	  "routing_gateways[0] out", "diversion_group: the number group `none` lists no numbers",
	  "whole numbers" },
	{ ROUTE("protect: perhaps"), 3, "routing_gateways[0] out", "neither true nor false", "" },
	{ ROUTE("password: \"***\""), 3, "routing_gateways[0] out", "left out", "" },
	{ V "phones:\n  - { number: \"10/01\" }\n", 3, "phones[0]", "`10/01` is no number", "" },
	{ V "phones: [ { number: \"7\" } ]\nmapping_gateways:\n  - { name: d, auth: digest, user: "
	    "\"7\", password: p }\n",
	  4, "mapping_gateways[0] d", "the number of a phone", "" },
	{ V "mapping_gateways:\n  - { name: a, auth: digest, user: u, password: p }\n  - { name: "
	    "b, auth: digest, user: u, password: p }\n",
	  4, "mapping_gateways[1] b", "that of mapping gateway `a` already (line 3)", "" },
	{ V "mapping_gateways:\n  - { name: a, addresses: 192.0.2.1 }\n  - { name: b, addresses: [ "
	    "192.0.2.2, 192.0.2.1 ] }\n",
	  4, "mapping_gateways[1] b",
	  "`192.0.2.1` is listed by mapping gateway `a` already (line 3)", "" },
	{ V "? [ a ]\n: 1\n", 2, "", "a key must be plain text", "" },
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct model_error errors[8];
		struct model *m = (void *)-1;
		unsigned n = model_read_yaml(&m, span_of(bad[i].yaml), errors, 8);

		if (n == 0 || errors[0].line != bad[i].line ||
		    !strstr(errors[0].object, bad[i].object) ||
		    !strstr(errors[0].text, bad[i].text) ||
		    !strstr(errors[0].remedy, bad[i].remedy) ||
		    (!*bad[i].object && *errors[0].object))
			fail_msg("case %zu:\n%s-> %u errors: line %u [%s] %s (%s)", i, bad[i].yaml,
				 n, n ? errors[0].line : 0, n ? errors[0].object : "",
				 n ? errors[0].text : "", n ? errors[0].remedy : "");
		assert_ptr_equal(m, (void *)-1);
	}
}

static void test_several_errors(void **state)
{
	const char *yaml = V "accounts:\n  - { nane: a }\n  - { name: b, kind: x, locked: 7 "
			     "}\nphones:\n  - { number: \"1\", account: zzz }\n";
	struct model_error errors[8];
	struct model *m = NULL;

	assert_int_equal(model_read_yaml(&m, span_of(yaml), errors, 8), 5);
	assert_int_equal(errors[4].line, 6);
	assert_string_equal(errors[2].object, "accounts[1] b");
	assert_int_equal(model_read_yaml(&m, span_of(yaml), errors, 2), 2);
	assert_int_equal(model_read_yaml(&m, span_of(yaml), NULL, 0), 1);
	assert_null(m);
}

static void test_deep(void **state)
{
	struct buf deep = BUF_INIT(1 << 20);
	struct model_error errors[2];
	struct model *m = NULL;

	buf_add_str(&deep, V "phones: ");
	for (int i = 0; i < 5000; i++)
		buf_add_str(&deep, "[");
	assert_int_equal(model_read_yaml(&m, buf_span(&deep), errors, 2), 2);
	assert_non_null(strstr(errors[1].text, "nested too deep"));
	buf_free(&deep);
}

/* Each of a file's beginnings is read without harm. */
static void test_cut(void **state)
{
	for (size_t len = 0; len < sizeof(good) - 1; len += 3) {
		struct model_error errors[4];
		struct model *m = NULL;

		if (model_read_yaml(&m, (struct span){ good, len }, errors, 4) == 0)
			model_unref(&m);
		assert_null(m);
	}
}

static void test_fields(void **state)
{
	static const char *const kinds[] = {
		"mapping_gateway", "routing_gateway", "phone",
		"account",         "rate_group",      "rate",
		"gateway_group",   "work_calendar",   "line_limit_window",
		"address_list"
	};
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct model_field_info *f = model_fields(kinds[i], &n);

		assert_non_null(f);
		for (size_t j = 0; j < n; j++) {
			assert_true(strlen(f[j].help) > 4);
			assert_true(strlen(model_field_type_name(f[j].type)) > 0);
			assert_true(f[j].least <= f[j].most);
			assert_true(f[j].choices ||
				    (f[j].type != FIELD_CHOICE && f[j].type != FIELD_WORD));
		}
	}
	assert_null(model_fields("gateway", &n));
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_json_is_read),
		cmocka_unit_test(test_json_is_sound),
		cmocka_unit_test(test_lock_numbers),
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_several_errors),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
