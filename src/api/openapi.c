/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The OpenAPI 3.1 document: paths from the route table, objects from the tables that they are read and
 * written by (model_fields, cdr_fields, param_table). Only small replies are described by hand. */
#include "api/api_int.h"

#include <inttypes.h>
#include <stdio.h>

#ifndef CAUSEWAY_VERSION
#define CAUSEWAY_VERSION "0"
#endif

#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define LIST_OF(key, name)                                                                         \
	"{\"type\":\"object\",\"required\":[\"" key "\"],\"properties\":{\"" key                   \
	"\":{\"type\":\"array\",\"items\":" REF(name) "}}}"
#define NEXT_ID                                                                                    \
	"\"next\":{\"type\":[\"string\",\"null\"],\"description\":\"`before` of the next page; "   \
	"null: this is the last.\"}"
#define NEXT_NAME                                                                                  \
	"\"next\":{\"type\":[\"string\",\"null\"],\"description\":\"`after` of the next page; "    \
	"null: this is the last.\"}"
#define PAGE_OF(key, name, next)                                                                   \
	"{\"type\":\"object\",\"required\":[\"" key "\",\"next\"],\"properties\":{\"" key          \
	"\":{\"type\":\"array\",\"items\":" REF(name) "}," next "}}"
#define TEXTS_OF(key)                                                                              \
	"{\"type\":\"object\",\"required\":[\"total\",\"" key                                      \
	"\",\"next\"],\"properties\":{\"total\":{\"type\":\"integer\"},\"" key                     \
	"\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}," NEXT_NAME "}}"
#define OPEN_OBJECT(text)                                                                          \
	"{\"type\":\"object\",\"description\":\"" text "\",\"additionalProperties\":true}"
#define STRING "{\"type\":\"string\"}"
#define INTEGER "{\"type\":\"integer\"}"
#define FIGURE "{\"type\":[\"number\",\"null\"]}"
#define TIME "{\"type\":\"string\",\"format\":\"date-time\"}"
#define BOOLEAN "{\"type\":\"boolean\"}"
#define NUMBERS_PART                                                                               \
	"\"caller\":" STRING ",\"caller_by\":" STRING ",\"callee\":" STRING ",\"callee_"           \
	"by\":" STRING
#define REASONS_PART                                                                               \
	"\"reasons\":{\"type\":\"array\",\"items\":" REF(                                          \
		"Reason") "},\"considered\":{\"type\":\"integer\",\"description\":\"Reasons in "   \
			  "all; the first 64 are listed.\"}"

/* clang-format off */
static const struct {
	const char *name, *json;
} written[] = {
	{ "Anything", OPEN_OBJECT("An object.") },
	{ "Status", OPEN_OBJECT("version, uptime_s, workers, calls, draining and more.") },
	{ "Call", OPEN_OBJECT("A live call.") },
	{ "CallList", PAGE_OF("calls", "Call", NEXT_ID) },
	{ "Registration", OPEN_OBJECT("A contact of a phone or gateway; unreachable_since: it does not answer OPTIONS any more.") },
	{ "OutboundRegistration", OPEN_OBJECT("Our registration at a vendor: state, user, registrar, since, expires_s, next_try_s, last failure.") },
	{ "RegistrationList", "{\"type\":\"object\",\"required\":[\"registrations\"],\"properties\":{\"registrations\":{\"type\":"
			      "\"array\",\"items\":" REF("Registration") "},\"outbound\":{\"type\":\"array\",\"items\":"
			      REF("OutboundRegistration") "}}}" },
	{ "Source", OPEN_OBJECT("A refused or unknown source: address, transport, count, first, last and what its newest request said.") },
	{ "SourceList", "{\"type\":\"object\",\"required\":[\"total\",\"forgotten\",\"sources\"],\"properties\":{\"total\":" INTEGER
			",\"forgotten\":" INTEGER ",\"sources\":{\"type\":\"array\",\"items\":" REF("Source") "}}}" },
	{ "Cleared", "{\"type\":\"object\",\"required\":[\"cleared\"],\"properties\":{\"cleared\":" INTEGER "}}" },
	{ "RegistrationVerdict", OPEN_OBJECT("How a device stands: user, reason, failed, sentence, fix, failures, exchanges.") },
	{ "Suspension", OPEN_OBJECT("user, source, kind (registrations or calls), failures, left_s.") },
	{ "SuspensionList", LIST_OF("suspensions", "Suspension") },
	{ "Lifted", "{\"type\":\"object\",\"required\":[\"lifted\"],\"properties\":{\"lifted\":" INTEGER "}}" },
	{ "RegistrationAnalysis", "{\"type\":\"object\",\"required\":[\"devices\"],\"properties\":{\"devices\":{\"type\":\"array\",\"items\":"
				  REF("RegistrationVerdict") "},\"trace\":{\"type\":\"array\",\"description\":\"Of one user: what was traced of its "
				  "registrations.\",\"items\":" REF("TraceEntry") "}}}" },
	{ "BlacklistEntry", "{\"type\":\"object\",\"required\":[\"side\",\"number\",\"rule\",\"since\"],\"properties\":{\"side\":"
			    "{\"enum\":[\"caller\",\"callee\"]},\"number\":" STRING
			    ",\"rule\":{\"enum\":[\"calls\",\"lines\",\"no_answer\",\"operator\"]},\"count\":" INTEGER ",\"limit\":" INTEGER
			    ",\"since\":" STRING ",\"until\":" STRING "}}" },
	{ "Blacklist", "{\"type\":\"object\",\"required\":[\"total\",\"missed\",\"entries\"],\"properties\":{\"total\":" INTEGER
		       ",\"missed\":" INTEGER ",\"entries\":{\"type\":\"array\",\"items\":" REF("BlacklistEntry") "}}}" },
	{ "NumberGroupSummary", OPEN_OBJECT("name, memo, and how many numbers and prefixes it lists.") },
	{ "NumberGroupList", PAGE_OF("number_groups", "NumberGroupSummary", NEXT_NAME) },
	{ "NumberList", TEXTS_OF("numbers") },
	{ "AreaSummary", OPEN_OBJECT("code, place, memo, and how many mobile numbers' beginnings it lists.") },
	{ "AreaList", PAGE_OF("areas", "AreaSummary", NEXT_NAME) },
	{ "MobileList", TEXTS_OF("mobiles") },
	{ "Place", "{\"type\":\"object\",\"required\":[\"number\",\"kind\"],\"properties\":{\"number\":" STRING
		   ",\"kind\":{\"enum\":[\"fixed\",\"mobile\",\"other\"]},\"area\":" STRING ",\"place\":" STRING "}}" },
	{ "Edited", "{\"type\":\"object\",\"required\":[\"added\",\"removed\",\"version\"],\"properties\":{\"added\":" INTEGER
		    ",\"removed\":" INTEGER ",\"version\":" INTEGER "}}" },
	{ "AuditRow", OPEN_OBJECT("Who changed what, and when.") },
	{ "AuditList", LIST_OF("audit", "AuditRow") },
	{ "Hangup", "{\"type\":\"object\",\"required\":[\"call_id\",\"hanging_up\"],\"properties\":{\"call_id\":" REF("CallId")
		    ",\"hanging_up\":" BOOLEAN "}}" },
	{ "CallId", "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{16}$\"}" },
	{ "Counts", "{\"type\":\"object\",\"additionalProperties\":" INTEGER "}" },
	{ "ConfigResult", "{\"type\":\"object\",\"required\":[\"valid\",\"applied\",\"counts\"],\"properties\":{\"valid\":" BOOLEAN
			  ",\"applied\":" BOOLEAN ",\"version\":" INTEGER ",\"counts\":" REF("Counts") "}}" },
	{ "Parameter", "{\"type\":\"object\",\"required\":[\"name\",\"value\",\"default\",\"changed\",\"type\",\"help\"],\"properties\":{"
		       "\"name\":" STRING ",\"value\":" STRING ",\"default\":" STRING ",\"changed\":" BOOLEAN
		       ",\"type\":{\"enum\":[\"duration\",\"count\",\"bool\",\"text\",\"codes\",\"names\"]},\"least\":" STRING ",\"most\":" STRING
		       ",\"vos3000_name\":" STRING ",\"help\":" STRING "}}" },
	{ "ParameterList", LIST_OF("parameters", "Parameter") },
	{ "GatewayList", "{\"type\":\"object\",\"required\":[\"mapping_gateways\",\"routing_gateways\"],\"properties\":{"
			 "\"mapping_gateways\":{\"type\":\"array\",\"items\":" REF("MappingGateway")
			 "},\"routing_gateways\":{\"type\":\"array\",\"items\":" REF("RoutingGateway") "}}}" },
	{ "Gateway", "{\"type\":\"object\",\"properties\":{\"mapping_gateway\":" REF("MappingGateway")
		     ",\"routing_gateway\":" REF("RoutingGateway")
		     ",\"registration\":" REF("RegistrationList") "}}" },
	{ "GroupList", PAGE_OF("gateway_groups", "GatewayGroup", NEXT_NAME) },
	{ "PhoneList", PAGE_OF("phones", "Phone", NEXT_NAME) },
	{ "AccountList", PAGE_OF("accounts", "Account", NEXT_NAME) },
	{ "CdrList", PAGE_OF("cdrs", "Cdr", NEXT_ID) },
	{ "CdrWithAttempts", "{\"allOf\":[" REF("Cdr") ",{\"type\":\"object\",\"properties\":{\"attempts\":{\"type\":\"array\",\"items\":"
			     REF("CdrAttempt") "}}}]}" },
	{ "Load", "{\"type\":\"object\",\"properties\":{\"lines\":" INTEGER ",\"peak_lines\":" INTEGER ",\"calls\":" INTEGER
		  ",\"answered\":" INTEGER ",\"failed\":" INTEGER ",\"refused_lines\":" INTEGER ",\"refused_rate\":" INTEGER
		  ",\"line_limit\":" INTEGER ",\"rate_limit\":" INTEGER ",\"rate_burst\":" INTEGER ",\"rate_period\":" INTEGER ",\"rate_left\":" INTEGER ",\"last_call\":{\"type\":\"string\",\"format\":\"date-time\"}}}" },
	{ "Quality", "{\"type\":\"object\",\"required\":[\"window_s\",\"attempts\"],\"properties\":{\"window_s\":" INTEGER
		     ",\"attempts\":" INTEGER ",\"asr_percent\":" FIGURE ",\"acd_s\":" FIGURE ",\"pdd_s\":" FIGURE
		     ",\"response_percent\":" FIGURE ",\"connected_percent\":" FIGURE "}}" },
	{ "Limit", "{\"type\":\"object\",\"required\":[\"of\",\"object\",\"lines\",\"line_limit\"],\"properties\":{\"of\":{\"enum\":["
		   "\"system\",\"account\",\"gateway\",\"group\",\"phone\",\"phone_in\",\"phone_out\"]},\"object\":" STRING
		   ",\"lines\":" INTEGER ",\"line_limit\":" INTEGER ",\"reserved_lines\":" INTEGER ",\"rate_limit\":" INTEGER
		   ",\"rate_burst\":" INTEGER ",\"rate_period\":" INTEGER ",\"rate_left\":" INTEGER ",\"refuses\":{\"enum\":[\"lines\",\"reserved_lines\",\"rate\"]}}}" },
	{ "HealthChange", "{\"type\":\"object\",\"properties\":{\"from\":" STRING ",\"to\":" STRING ",\"at\":" TIME ",\"why\":" STRING "}}" },
	{ "Health", "{\"type\":\"object\",\"required\":[\"state\",\"text\"],\"properties\":{"
		    "\"state\":{\"enum\":[\"up\",\"trying\",\"down\",\"resting\",\"full\"]},\"since\":" TIME ",\"why\":" STRING
		    ",\"until\":" TIME ",\"failures_in_a_row\":" INTEGER ",\"text\":" STRING
		    ",\"options\":{\"type\":\"object\",\"description\":\"sent, loss_percent and rtt_ms of the last 64, last.\"}"
		    ",\"changes\":{\"type\":\"array\",\"items\":" REF("HealthChange") "}}}" },
	{ "GatewayTest", "{\"type\":\"object\",\"required\":[\"gateway\",\"alive\",\"sentence\"],\"properties\":{\"gateway\":" STRING
			 ",\"alive\":" BOOLEAN ",\"health\":" REF("Health") ",\"dns\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}"
			 ",\"peer\":" STRING ",\"transport\":" STRING ",\"local\":" STRING ",\"product\":" STRING
			 ",\"options\":{\"type\":\"object\"},\"ping\":{\"type\":\"object\"},\"connect\":{\"type\":\"object\"}"
			 ",\"certificate\":{\"type\":\"object\"},\"clock\":{\"type\":\"object\"},\"sentence\":" STRING "}}" },
	{ "Reason", "{\"type\":\"object\",\"required\":[\"code\",\"text\"],\"properties\":{\"code\":" STRING ",\"object\":" STRING
		    ",\"value\":" INTEGER ",\"limit\":" INTEGER ",\"detail\":" STRING ",\"wait_s\":" INTEGER ",\"text\":" STRING "}}" },
	{ "RouteTest", "{\"type\":\"object\",\"required\":[\"from\",\"caller\",\"callee\",\"at\",\"admit\"],\"properties\":{"
		       "\"from\":" STRING ",\"caller\":" STRING ",\"callee\":" STRING ",\"at\":{\"type\":\"string\",\"format\":\"date-time\"}"
		       ",\"config_version\":" INTEGER
		       ",\"admit\":{\"type\":\"object\",\"properties\":{\"verdict\":{\"enum\":[\"ok\",\"challenge\",\"refused\",\"drop\"]},"
		       "\"end_code\":" STRING ",\"text\":" STRING ",\"mapping_gateway\":" STRING ",\"phone\":" STRING ",\"account\":" STRING
		       ",\"max_duration\":" STRING ",\"limits\":{\"type\":\"array\",\"items\":" REF("Limit") "}," REASONS_PART "}},"
		       "\"routed\":{\"type\":\"object\",\"properties\":{" NUMBERS_PART ",\"lrn\":{\"type\":\"object\",\"properties\":{\"asked\":" STRING ",\"answer\":" STRING ",\"routed_by\":" STRING "}}}},"
		       "\"route\":{\"type\":\"object\",\"properties\":{\"verdict\":{\"enum\":[\"ok\",\"none\",\"all_busy\",\"not_registered\",\"gateways_not_registered\",\"all_down\",\"phone_locked\",\"do_not_disturb\",\"unreachable\"]},"
		       "\"candidates\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"routing_gateway\":" STRING ",\"phone\":" STRING
		       ",\"not_sent\":" STRING "," NUMBERS_PART "}}},\"order\":{\"type\":\"array\",\"items\":" STRING "}," REASONS_PART "}}}}" },
	{ "RouteTestOfCall", "{\"type\":\"object\",\"required\":[\"then\",\"now\"],\"properties\":{\"then\":" REF("CdrWithAttempts")
			     ",\"now\":" REF("RouteTest") "}}" },
	{ "TraceCall", OPEN_OBJECT("A call of which there is a trace: call_id, started, answered, ended, numbers, gateways, accounts, addresses, sip_status, end_code, text, pinned.") },
	{ "TraceCallList", PAGE_OF("calls", "TraceCall", NEXT_ID) },
	{ "TraceEntry", "{\"type\":\"object\",\"required\":[\"time\",\"kind\",\"text\"],\"properties\":{\"n\":" INTEGER ",\"time\":" TIME
			",\"kind\":{\"type\":\"string\",\"description\":\"message, or what was decided.\"},\"call_id\":" REF("CallId")
			",\"leg\":{\"enum\":[\"a\",\"b\"]},\"attempt\":" INTEGER ",\"direction\":{\"enum\":[\"received\",\"sent\"]}"
			",\"transport\":{\"enum\":[\"udp\",\"tcp\",\"tls\"]},\"source\":" STRING ",\"destination\":" STRING
			",\"what\":{\"type\":\"string\",\"description\":\"Method, or status and phrase.\"},\"cseq\":" STRING ",\"sdp\":" BOOLEAN
			",\"object\":" STRING ",\"sip_call_id\":" STRING
			",\"repeat_of\":{\"type\":\"integer\",\"description\":\"`n` of the first message that was just this.\"}"
			",\"fields\":{\"type\":\"object\",\"additionalProperties\":" STRING "},\"text\":" STRING "}}" },
	{ "Trace", "{\"type\":\"object\",\"required\":[\"entries\"],\"properties\":{\"entries\":{\"type\":\"array\",\"items\":"
		   REF("TraceEntry") "},\"bytes_read\":" INTEGER "}}" },
	{ "Verdict", "{\"type\":\"object\",\"required\":[\"code\",\"side\",\"confidence\",\"sentence\",\"evidence\",\"fix\"],"
		     "\"properties\":{\"code\":" STRING ",\"side\":" STRING ",\"category\":" STRING ",\"confidence\":{\"type\":\"number\"}"
		     ",\"sentence\":" STRING ",\"sentence_zh\":" STRING ",\"counted\":{\"type\":[\"string\",\"null\"]}"
		     ",\"excluded\":{\"type\":[\"string\",\"null\"]},\"evidence\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
		     "\"properties\":{\"frame\":" INTEGER ",\"text\":" STRING "}}},\"fix\":" STRING ",\"fix_zh\":" STRING
		     ",\"ask\":{\"type\":[\"string\",\"null\"]}}}" },
	{ "Explanation", "{\"type\":\"object\",\"required\":[\"call_id\",\"outcome\",\"verdicts\",\"attempts\",\"candidates\"],"
			 "\"properties\":{\"call_id\":" REF("CallId") ",\"record\":{\"type\":[\"object\",\"null\"]},\"outcome\":" STRING
			 ",\"end_code\":{\"type\":[\"string\",\"null\"]},\"verdicts\":{\"type\":\"array\",\"items\":" REF("Verdict") "}"
			 ",\"attempts\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"candidates\":{\"type\":\"array\",\"items\":"
			 STRING "}}}" },
	{ "TracePin", "{\"type\":\"object\",\"required\":[\"call_id\",\"pinned\"],\"properties\":{\"call_id\":" REF("CallId")
		      ",\"pinned\":" BOOLEAN "}}" },
	{ "TraceGateway", "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":" STRING ",\"trace_until\":" TIME "}}" },
	{ "TraceUsage", "{\"type\":\"object\",\"properties\":{\"bytes\":" INTEGER ",\"budget_bytes\":" INTEGER ",\"segments\":" INTEGER
			",\"oldest\":" TIME ",\"newest\":" TIME "}}" },
	{ "TraceStatus", "{\"type\":\"object\",\"required\":[\"on\"],\"properties\":{\"on\":" BOOLEAN ",\"until\":" TIME
			 ",\"messages\":" INTEGER ",\"notes\":" INTEGER ",\"bytes\":" INTEGER ",\"waiting_bytes\":" INTEGER
			 ",\"dropped_full\":" INTEGER ",\"dropped_disk\":" INTEGER ",\"disk_error\":" STRING ",\"calls\":" REF("TraceUsage")
			 ",\"registrations\":" REF("TraceUsage") ",\"kept\":" REF("TraceUsage") ",\"aged_calls\":" INTEGER
			 ",\"kept_calls\":" INTEGER "}}" },
	{ "ConfigError", "{\"type\":\"object\",\"properties\":{\"line\":" INTEGER ",\"column\":" INTEGER ",\"object\":" STRING ",\"text\":"
			 STRING ",\"remedy\":" STRING "}}" },
	{ "Problem", "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\"],\"properties\":{\"type\":" STRING
		     ",\"title\":" STRING ",\"status\":" INTEGER ",\"detail\":" STRING ",\"object\":" STRING ",\"field\":" STRING
		     ",\"value\":" STRING ",\"limit\":" STRING ",\"remedy\":" STRING
		     ",\"near\":{\"type\":\"array\",\"items\":" STRING "},\"errors\":{\"type\":\"array\",\"items\":" REF("ConfigError") "}}}" },
};
/* clang-format on */

/* ---- objects from their tables --------------------------------------------------------------- */

static void open_schema(struct buf *out, const char *key, const char *type)
{
	api_json_open(out, key, '{');
	api_json_text(out, "type", type);
}

static void write_enum(struct buf *out, const char *choices)
{
	struct span rest = span_of(choices), word;
	bool more = true;

	api_json_open(out, "enum", '[');
	while (more) {
		more = span_cut(rest, '|', &word, &rest);
		api_json_span(out, NULL, word);
	}
	api_json_close(out, ']');
}

static void write_items(struct buf *out, const char *items)
{
	api_json_key(out, "items");
	buf_add_str(out, items);
}

/* "mapping_gateway" becomes "MappingGateway". */
static const char *schema_name(const char *kind, char *dst, size_t size)
{
	bool upper = true;
	size_t n = 0;

	for (; *kind && n + 1 < size; kind++) {
		if (*kind != '_')
			dst[n++] = upper ? (char)(*kind - 'a' + 'A') : *kind;
		upper = *kind == '_';
	}
	dst[n] = '\0';
	return dst;
}

static void write_field(struct buf *out, const struct model_field_info *field)
{
	char name[64], items[128];

	switch (field->type) {
	case FIELD_BOOL:
		open_schema(out, field->name, "boolean");
		break;
	case FIELD_COUNT:
		open_schema(out, field->name, "integer");
		api_json_number(out, "minimum", field->least);
		api_json_number(out, "maximum", field->most);
		break;
	case FIELD_PREFIXES:
	case FIELD_PAIRS:
	case FIELD_CODECS:
	case FIELD_HEADERS:
	case FIELD_LINES:
	case FIELD_CODES:
	case FIELD_NUMBERS:
	case FIELD_BEGINNINGS:
	case FIELD_LENGTHS:
	case FIELD_RULES:
	case FIELD_CODE_MAP:
	case FIELD_ADDRESSES:
	case FIELD_RANGES:
	case FIELD_REFERENCES:
	case FIELD_DAYS:
	case FIELD_DATES:
	case FIELD_FLAGS:
		open_schema(out, field->name, "array");
		write_items(out, STRING);
		break;
	case FIELD_OBJECTS:
		open_schema(out, field->name, "array");
		schema_name(model_kind(field->of).name, name, sizeof(name));
		snprintf(items, sizeof(items), REF("%s"), name);
		write_items(out, items);
		break;
	default:
		open_schema(out, field->name, "string");
		if (field->choices)
			write_enum(out, field->choices);
		break;
	}
	if (field->type == FIELD_SECRET)
		api_json_bool(out, "writeOnly", true);
	if (field->type == FIELD_DURATION)
		api_json_text(out, "pattern", "^[0-9]+(us|ms|s|m|h|d)?$");
	if (field->type == FIELD_MONEY)
		api_json_text(out, "pattern", "^-?[0-9]+(\\.[0-9]{1,8})?$");
	api_json_text(out, "description", field->help);
	api_json_close(out, '}');
}

static void write_kind(struct buf *out, const struct model_kind *kind)
{
	size_t n = 0;
	const struct model_field_info *fields = model_fields(kind->name, &n);
	char name[64];

	open_schema(out, schema_name(kind->name, name, sizeof(name)), "object");
	api_json_open(out, "required", '[');
	for (size_t i = 0; i < n; i++)
		if (fields[i].required)
			api_json_text(out, NULL, fields[i].name);
	api_json_close(out, ']');
	api_json_open(out, "properties", '{');
	for (size_t i = 0; i < n; i++)
		write_field(out, &fields[i]);
	if (strcmp(kind->name, "mapping_gateway") == 0 ||
	    strcmp(kind->name, "routing_gateway") == 0) {
		api_json_key(out, "limits");
		buf_add_str(
			out,
			"{\"type\":\"array\",\"readOnly\":true,\"description\":\"All that a call "
			"of it takes, and what is in use.\",\"items\":" REF("Limit") "}");
	}
	if (kind->load) {
		api_json_key(out, "load");
		buf_add_str(out, "{\"readOnly\":true,\"allOf\":[" REF("Load") "]}");
	}
	if (strcmp(kind->name, "routing_gateway") == 0) {
		api_json_key(out, "quality_now");
		buf_add_str(out, "{\"readOnly\":true,\"allOf\":[" REF("Quality") "]}");
		api_json_key(out, "health");
		buf_add_str(out, "{\"readOnly\":true,\"allOf\":[" REF("Health") "]}");
	}
	if (strcmp(kind->name, "phone") == 0) {
		api_json_key(out, "registered");
		buf_add_str(out, "{\"type\":\"boolean\",\"readOnly\":true,\"description\":\"Then "
				 "contact, user_agent, expires_in_s and "
				 "registered_at are there too.\"}");
	}
	api_json_close(out, '}');
	api_json_close(out, '}');
}

static void write_cdr_field(struct buf *out, const struct cdr_field_info *field)
{
	size_t len = strlen(field->name);
	char name[64];

	if (field->type == CDR_TYPE_U64 && len > 3 && strcmp(field->name + len - 3, "_us") == 0) {
		snprintf(name, sizeof(name), "%.*s_s", (int)len - 3, field->name);
		open_schema(out, name, "number");
	} else if (strcmp(field->name, "call_id") == 0) {
		open_schema(out, field->name, "string");
	} else if (field->type == CDR_TYPE_U64 || field->type == CDR_TYPE_I64) {
		open_schema(out, field->name, "integer");
	} else {
		api_json_open(out, field->name, '{');
		api_json_key(out, "type");
		buf_add_str(out, "[\"string\",\"null\"]");
		api_json_text(out, "format", field->type == CDR_TYPE_TIME ? "date-time" : NULL);
	}
	api_json_text(out, "description", field->meaning);
	api_json_text(out, "x-vos3000-name", field->vos[0] ? field->vos : NULL);
	api_json_close(out, '}');
}

static void write_cdr(struct buf *out, const char *schema, char where)
{
	open_schema(out, schema, "object");
	api_json_open(out, "properties", '{');
	for (size_t i = 0; i < cdr_field_count; i++)
		if (cdr_fields[i].where == where || cdr_fields[i].where == 'B')
			write_cdr_field(out, &cdr_fields[i]);
	api_json_close(out, '}');
	api_json_close(out, '}');
}

static void write_parameter_names(struct buf *out)
{
	open_schema(out, "Parameters", "object");
	api_json_open(out, "properties", '{');
	for (size_t i = 0; i < param_count; i++) {
		const struct param_info *info = &param_table[i];

		open_schema(out, info->name,
			    info->type == PARAM_TYPE_COUNT  ? "integer"
			    : info->type == PARAM_TYPE_BOOL ? "boolean"
							    : "string");
		api_json_text(out, "default",
			      info->type == PARAM_TYPE_COUNT || info->type == PARAM_TYPE_BOOL
				      ? NULL
				      : info->def);
		api_json_text(out, "description", info->help);
		api_json_text(out, "x-vos3000-name", info->vos[0] ? info->vos : NULL);
		api_json_close(out, '}');
	}
	api_json_close(out, '}');
	api_json_close(out, '}');
}

static void write_schemas(struct buf *out)
{
	api_json_open(out, "components", '{');
	api_json_open(out, "schemas", '{');
	for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
		api_json_key(out, written[i].name);
		buf_add_str(out, written[i].json);
	}
	for (unsigned i = 0; model_kind(i).name; i++) {
		struct model_kind kind = model_kind(i);

		write_kind(out, &kind);
	}
	write_parameter_names(out);
	write_cdr(out, "Cdr", 'C');
	write_cdr(out, "CdrAttempt", 'A');
	api_json_close(out, '}');
	api_json_close(out, '}');
}

/* ---- paths from the route table ---------------------------------------------------------------- */

static void write_param_schema(struct buf *out, const struct api_param *param)
{
	static const char *const types[] = {
		[API_TEXT] = "string", [API_COUNT] = "integer",  [API_BOOL] = "boolean",
		[API_TIME] = "string", [API_CALL_ID] = "string", [API_CHOICE] = "string",
	};

	open_schema(out, "schema", types[param->type]);
	if (param->type == API_TEXT) {
		api_json_number(out, "minLength", (int64_t)param->least);
		api_json_number(out, "maxLength", (int64_t)param->most);
	} else if (param->type == API_COUNT) {
		api_json_number(out, "minimum", (int64_t)param->least);
		api_json_number(out, "maximum", (int64_t)param->most);
		api_json_number(out, "default", (int64_t)param->unset);
	} else if (param->type == API_TIME) {
		api_json_text(out, "format", "date-time");
	} else if (param->type == API_CALL_ID) {
		api_json_text(out, "pattern", "^[0-9A-Fa-f]{1,16}$");
	} else if (param->type == API_CHOICE) {
		write_enum(out, param->choices);
	}
	api_json_close(out, '}');
}

static void write_params(struct buf *out, const struct api_route *route)
{
	char pattern[80];

	api_json_open(out, "parameters", '[');
	for (const struct api_param *param = route->params; param->name; param++) {
		snprintf(pattern, sizeof(pattern), "{%s}", param->name);
		api_json_open(out, NULL, '{');
		api_json_text(out, "name", param->name);
		api_json_text(out, "in", strstr(route->path, pattern) ? "path" : "query");
		api_json_bool(out, "required", param->required);
		api_json_text(out, "description", param->help);
		write_param_schema(out, param);
		api_json_close(out, '}');
	}
	api_json_close(out, ']');
}

/* A media type with the schema of that name, or plain text. */
static void write_content(struct buf *out, const char *media, const char *schema)
{
	api_json_open(out, "content", '{');
	api_json_open(out, media, '{');
	api_json_open(out, "schema", '{');
	if (schema)
		buf_addf(out, "\"$ref\":\"#/components/schemas/%s\"", schema);
	else
		api_json_text(out, "type", "string");
	api_json_close(out, '}');
	api_json_close(out, '}');
	api_json_close(out, '}');
}

static void write_response(struct buf *out, const char *status, const char *text, const char *media,
			   const char *schema)
{
	api_json_open(out, status, '{');
	api_json_text(out, "description", text);
	write_content(out, media, schema);
	api_json_close(out, '}');
}

static void write_route(struct buf *out, const struct api_route *route)
{
	char method[16];

	span_copy(span_of(route->method), method, sizeof(method));
	for (char *c = method; *c; c++)
		*c = ascii_lower(*c);
	api_json_open(out, method, '{');
	api_json_text(out, "operationId", route->operation);
	api_json_text(out, "summary", route->summary);
	write_params(out, route);
	if (route->body) {
		api_json_open(out, "requestBody", '{');
		api_json_bool(out, "required", true);
		write_content(out, route->body, NULL);
		api_json_close(out, '}');
	}
	api_json_open(out, "responses", '{');
	write_response(out, strcmp(route->method, "DELETE") == 0 ? "202" : "200", "Done.",
		       route->reply_type ? route->reply_type : "application/json", route->reply);
	write_response(out, "default", "What was wrong, and what to do.",
		       "application/problem+json", "Problem");
	api_json_close(out, '}');
	api_json_close(out, '}');
}

void api_write_openapi(struct buf *out)
{
	api_json_open(out, NULL, '{');
	api_json_text(out, "openapi", "3.1.0");
	api_json_key(out, "info");
	buf_add_str(out, "{\"title\":\"Causeway\",\"version\":\"" CAUSEWAY_VERSION
			 "\",\"license\":{\"name\":\"GPL-3.0-or-later\","
			 "\"identifier\":\"GPL-3.0-or-later\"}}");
	api_json_key(out, "servers");
	buf_add_str(out, "[{\"url\":\"" API_ROOT "\"}]");
	api_json_open(out, "paths", '{');
	for (size_t i = 0; i < api_route_count; i++) {
		/* Routes of one path stand together in the table. */
		if (i == 0 || strcmp(api_routes[i].path, api_routes[i - 1].path) != 0)
			api_json_open(out, api_routes[i].path, '{');
		write_route(out, &api_routes[i]);
		if (i + 1 == api_route_count ||
		    strcmp(api_routes[i].path, api_routes[i + 1].path) != 0)
			api_json_close(out, '}');
	}
	api_json_close(out, '}');
	write_schemas(out);
	api_json_close(out, '}');
}
