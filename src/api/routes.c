/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every route, once: the dispatcher, the check of parameters and the OpenAPI document follow. */
/* clang-format off */
#include "api/api_int.h"

#define END { .name = NULL }
#define PAGE(word, least_one, most_one, usual) \
	{ .name = "limit", .type = API_COUNT, .least = least_one, .most = most_one, .unset = usual, \
	  .help = "Most " word " in one reply." }
#define SEARCH(word) \
	{ .name = "q", .type = API_TEXT, .least = 0, .most = 128, .help = "Only " word " that contain this text." }

static const struct api_param no_params[] = { END };
static const struct api_param config_get_params[] = {
	{ .name = "secrets", .type = API_BOOL, .help = "With passwords; only over the Unix socket." },
	END,
};
static const struct api_param config_put_params[] = {
	{ .name = "dry_run", .type = API_BOOL, .help = "Check and count, change nothing." },
	END,
};
static const struct api_param parameter_params[] = { SEARCH("parameters whose name, VOS3000 name or help"), END };
static const struct api_param gateway_list_params[] = {
	{ .name = "kind", .type = API_CHOICE, .choices = "mapping|routing", .help = "Only this kind." },
	SEARCH("gateways whose name, account or address"),
	END,
};
static const struct api_param gateway_params[] = {
	{ .name = "name", .type = API_TEXT, .required = true, .least = 1, .most = 63, .help = "Name of the gateway." },
	END,
};
static const struct api_param object_list_params[] = {
	SEARCH("those whose name"),
	PAGE("objects", 1, 1000, 100),
	{ .name = "after", .type = API_TEXT, .least = 1, .most = 63, .help = "Begin after this one: `next` of the page before." },
	END,
};
#define GROUP_NAME { .name = "name", .type = API_TEXT, .required = true, .least = 1, .most = 63, .help = "Name of the number group." }
#define NUMBER_PAGE \
	SEARCH("numbers"), PAGE("numbers", 1, 100000, 1000), \
	{ .name = "after", .type = API_TEXT, .least = 1, .most = 63, .help = "Begin after this one: `next` of the page before." }
static const struct api_param number_group_params[] = { GROUP_NAME, END };
static const struct api_param number_list_params[] = { GROUP_NAME, NUMBER_PAGE, END };
static const struct api_param mobile_list_params[] = {
	{ .name = "code", .type = API_TEXT, .required = true, .least = 1, .most = 63, .help = "Code of the area." },
	NUMBER_PAGE,
	END,
};
static const struct api_param place_params[] = {
	{ .name = "number", .type = API_TEXT, .required = true, .least = 1, .most = 64, .help = "A number as calls bring it." },
	END,
};
static const struct api_param call_list_params[] = {
	{ .name = "filter", .type = API_TEXT, .least = 0, .most = 128,
	  .help = "Only calls with this in a number, a gateway's name or an id." },
	PAGE("calls", 1, 1000, 100),
	{ .name = "before", .type = API_CALL_ID, .help = "Calls below this id: `next` of the page before." },
	END,
};
static const struct api_param call_params[] = {
	{ .name = "id", .type = API_CALL_ID, .required = true, .help = "Call id: 16 hex digits." },
	END,
};
static const struct api_param cdr_list_params[] = {
	{ .name = "since", .type = API_TIME, .help = "Calls that arrived at this time or later (RFC 3339)." },
	{ .name = "until", .type = API_TIME, .help = "Calls that arrived before this time." },
	{ .name = "number", .type = API_TEXT, .least = 1, .most = 64, .help = "Caller or called number begins so, in any form." },
	{ .name = "gateway", .type = API_TEXT, .least = 1, .most = 63, .help = "Mapping or routing gateway, or phone." },
	{ .name = "account", .type = API_TEXT, .least = 1, .most = 63, .help = "Account of the caller's side." },
	{ .name = "code", .type = API_TEXT, .least = 1, .most = 63, .help = "End code: NO_ANSWER." },
	{ .name = "sip_call_id", .type = API_TEXT, .least = 1, .most = 255, .help = "SIP Call-ID of either leg, exact." },
	{ .name = "answered", .type = API_BOOL, .help = "1 only answered calls, 0 only failed ones." },
	PAGE("records", 1, 1000, 100),
	{ .name = "before", .type = API_CALL_ID, .help = "Records below this call id: `next` of the page before." },
	END,
};
static const struct api_param registration_params[] = {
	{ .name = "name", .type = API_TEXT, .required = true, .least = 1, .most = 63, .help = "Number of the phone or name of the gateway." },
	END,
};
static const struct api_param suspension_params[] = {
	{ .name = "user", .type = API_TEXT, .least = 1, .most = 63, .help = "Only those of this user; absent = all." },
	END,
};
static const struct api_param registration_analysis_params[] = {
	{ .name = "user", .type = API_TEXT, .least = 1, .most = 63, .help = "Number or user that registers; absent = all that fail." },
	END,
};
static const struct api_param source_params[] = {
	SEARCH("sources whose address, user, number, product or reason"),
	PAGE("sources", 1, 20000, 100),
	END,
};
static const struct api_param source_clear_params[] = {
	{ .name = "address", .type = API_TEXT, .least = 1, .most = 63, .help = "Only those of this address; absent = all." },
	END,
};
static const struct api_param blacklist_params[] = {
	SEARCH("numbers"),
	PAGE("entries", 1, 70000, 100),
	END,
};
#define BLACKLIST_PLACE \
	{ .name = "side", .type = API_CHOICE, .required = true, .choices = "caller|callee", .help = "Whether it calls or is called." }, \
	{ .name = "number", .type = API_TEXT, .required = true, .least = 1, .most = BLACKLIST_NUMBER_MAX, .help = "The number." }
static const struct api_param blacklist_put_params[] = {
	BLACKLIST_PLACE,
	{ .name = "for", .type = API_TEXT, .least = 1, .most = 32, .help = "How long: 2h, 7d; absent = for good." },
	END,
};
static const struct api_param blacklist_delete_params[] = { BLACKLIST_PLACE, END };
static const struct api_param audit_params[] = { PAGE("rows", 1, 1000, 100), END };
static const struct api_param route_test_params[] = {
	{ .name = "from", .type = API_TEXT, .required = true, .least = 1, .most = 63,
	  .help = "Mapping gateway, phone, or source address (host or host:port)." },
	{ .name = "caller", .type = API_TEXT, .least = 0, .most = 64, .help = "Caller number." },
	{ .name = "callee", .type = API_TEXT, .required = true, .least = 1, .most = 64, .help = "Called number." },
	{ .name = "lrn", .type = API_TEXT, .least = 1, .most = 39, .help = "As if the LRN server named this routing number." },
	{ .name = "at", .type = API_TIME, .help = "As if the call came at this time; absent = now." },
	END,
};
#define TRACE_FILTERS \
	{ .name = "since", .type = API_TIME, .help = "Calls that were up at this time or later (RFC 3339)." }, \
	{ .name = "until", .type = API_TIME, .help = "Calls that came before this time." }, \
	{ .name = "number", .type = API_TEXT, .least = 1, .most = 64, .help = "Any of its numbers begins or ends so." }, \
	{ .name = "gateway", .type = API_TEXT, .least = 1, .most = 63, .help = "Mapping or routing gateway, or phone." }, \
	{ .name = "account", .type = API_TEXT, .least = 1, .most = 63, .help = "Account of either side." }, \
	{ .name = "code", .type = API_TEXT, .least = 1, .most = 63, .help = "End code: NO_ANSWER." }, \
	{ .name = "address", .type = API_TEXT, .least = 1, .most = 63, .help = "Address of either side, with or without port." }, \
	{ .name = "sip_call_id", .type = API_TEXT, .least = 1, .most = 255, .help = "SIP Call-ID of either leg, exact." }, \
	{ .name = "failed", .type = API_BOOL, .help = "1: only calls never answered." }, \
	{ .name = "before", .type = API_CALL_ID, .help = "Calls below this id: `next` of the page before." }
#define MASK { .name = "mask", .type = API_BOOL, .help = "Without credentials, digest responses, media keys and DTMF." }
static const struct api_param trace_list_params[] = { TRACE_FILTERS, PAGE("calls", 1, 1000, 100), END };
static const struct api_param trace_file_params[] = { TRACE_FILTERS, PAGE("calls", 1, 5000, 1000), MASK, END };
static const struct api_param trace_call_params[] = {
	{ .name = "id", .type = API_CALL_ID, .required = true, .help = "Call id: 16 hex digits." },
	MASK,
	END,
};
static const struct api_param trace_sip_params[] = {
	{ .name = "sip_call_id", .type = API_TEXT, .required = true, .least = 1, .most = 255, .help = "SIP Call-ID, exact." },
	MASK,
	END,
};
static const struct api_param trace_object_params[] = {
	{ .name = "name", .type = API_TEXT, .required = true, .least = 1, .most = 63, .help = "Gateway, or user that registers." },
	{ .name = "since", .type = API_TIME, .help = "What was noted at this time or later." },
	PAGE("notes", 1, 1000, 100),
	MASK,
	END,
};
static const struct api_param trace_follow_params[] = {
	{ .name = "call", .type = API_CALL_ID, .help = "Only this call." },
	{ .name = "number", .type = API_TEXT, .least = 1, .most = 64, .help = "Only calls of which a number contains this." },
	{ .name = "gateway", .type = API_TEXT, .least = 1, .most = 63, .help = "Only calls of this gateway, and what is noted of it." },
	{ .name = "address", .type = API_TEXT, .least = 1, .most = 63, .help = "Only calls with this address, with or without port." },
	{ .name = "sip_call_id", .type = API_TEXT, .least = 1, .most = 255, .help = "Only the call with this SIP Call-ID." },
	{ .name = "method", .type = API_TEXT, .least = 1, .most = 32, .help = "Only messages of this method, with their answers." },
	{ .name = "kind", .type = API_CHOICE, .choices = API_TRACE_KINDS, .help = "Only entries of this kind." },
	MASK,
	END,
};
static const struct api_param trace_switch_params[] = {
	{ .name = "on", .type = API_BOOL, .required = true, .help = "1 on, 0 off." },
	{ .name = "minutes", .type = API_COUNT, .least = 1, .most = 527040, .help = "Off again after so long; absent = it stays." },
	END,
};
static const struct api_param trace_gateway_params[] = {
	{ .name = "name", .type = API_TEXT, .required = true, .least = 1, .most = 63, .help = "Name of the gateway." },
	{ .name = "minutes", .type = API_COUNT, .required = true, .least = 0, .most = 527040,
	  .help = "For so long its calls are traced even while the trace is off; 0 = no longer." },
	END,
};

#define GET(where, function, op, text, schema, list) \
	{ .method = "GET", .path = where, .handle = function, .operation = op, .summary = text, .reply = schema, .params = list }

const struct api_route api_routes[] = {
	GET("/status", api_get_status, "getStatus", "How the switch is doing.", "Status", no_params),
	{ .method = "GET", .path = "/config", .handle = api_get_config, .operation = "getConfig",
	  .summary = "The whole configuration as YAML, with its version as ETag.",
	  .reply_type = "application/yaml", .params = config_get_params },
	{ .method = "PUT", .path = "/config", .handle = api_put_config, .operation = "putConfig",
	  .summary = "Replace the whole configuration; If-Match with the ETag guards against other hands.",
	  .body = "application/yaml", .body_max = API_BODY_CONFIG, .reply = "ConfigResult", .params = config_put_params },
	{ .method = "POST", .path = "/config/check", .handle = api_check_config, .operation = "checkConfig",
	  .summary = "Check a configuration, change nothing.",
	  .body = "application/yaml", .body_max = API_BODY_CONFIG, .reply = "ConfigResult", .params = no_params },
	GET("/parameters", api_get_parameters, "listParameters", "Every parameter with value, default, range and VOS3000 name.",
	    "ParameterList", parameter_params),
	GET("/gateways", api_get_gateways, "listGateways", "Mapping and routing gateways with their load.", "GatewayList",
	    gateway_list_params),
	GET("/gateways/{name}", api_get_gateway, "getGateway", "The gateway or gateways of this name.", "Gateway", gateway_params),
	GET("/gateway-groups", api_get_groups, "listGatewayGroups", "Gateway groups with their load.", "GroupList", object_list_params),
	{ .method = "POST", .path = "/gateways/{name}/test", .handle = api_test_gateway, .operation = "testGateway",
	  .summary = "What can be seen of a routing gateway from here: names, ping, connection, certificate, five OPTIONS, clock. "
		     "Takes up to ten seconds; changes nothing.",
	  .reply = "GatewayTest", .params = gateway_params },
	GET("/phones", api_get_phones, "listPhones", "Phones with their load.", "PhoneList", object_list_params),
	GET("/accounts", api_get_accounts, "listAccounts", "Accounts.", "AccountList", object_list_params),
	GET("/number-groups", api_get_number_groups, "listNumberGroups", "Number groups, with how many numbers they list.",
	    "NumberGroupList", object_list_params),
	GET("/number-groups/{name}/numbers", api_get_numbers, "listNumbers", "The numbers of a group, in their order.", "NumberList",
	    number_list_params),
	{ .method = "POST", .path = "/number-groups/{name}/add", .handle = api_add_numbers, .operation = "addNumbers",
	  .summary = "Add numbers to a group, separated by blanks, line ends or commas; those that it lists already stay where they are.",
	  .body = "text/plain", .body_max = API_BODY_CONFIG, .reply = "Edited", .params = number_group_params },
	{ .method = "POST", .path = "/number-groups/{name}/remove", .handle = api_remove_numbers, .operation = "removeNumbers",
	  .summary = "Take numbers out of a group.", .body = "text/plain", .body_max = API_BODY_CONFIG, .reply = "Edited",
	  .params = number_group_params },
	GET("/areas", api_get_areas, "listAreas", "Areas, with how many mobile numbers' beginnings they list.", "AreaList",
	    object_list_params),
	{ .method = "POST", .path = "/areas/import", .handle = api_import_areas, .operation = "importAreas",
	  .summary = "Lines of a mobile number's beginning and the code of its area, 1380101,021: each moves there, areas that are new "
		     "are made, without a code it is in none any more.",
	  .body = "text/csv", .body_max = API_BODY_CONFIG, .reply = "Edited", .params = no_params },
	GET("/areas/{code}/mobiles", api_get_mobiles, "listMobiles", "How mobile numbers of an area begin.", "MobileList",
	    mobile_list_params),
	GET("/places/{number}", api_get_place, "getPlace", "What a number is by the areas: fixed, mobile or other, and where.", "Place",
	    place_params),
	GET("/calls", api_get_calls, "listCalls", "Live calls, newest first.", "CallList", call_list_params),
	GET("/calls/{id}", api_get_call, "getCall", "One live call.", "Call", call_params),
	{ .method = "DELETE", .path = "/calls/{id}", .handle = api_delete_call, .operation = "hangupCall",
	  .summary = "Hang up a live call.", .reply = "Hangup", .params = call_params },
	GET("/cdrs", api_get_cdrs, "listCdrs", "Records of ended calls, newest first.", "CdrList", cdr_list_params),
	GET("/calls/{id}/explain", api_explain_call, "explainCall",
	    "Why a call went as it did, up or over: cause, side, evidence, what to do.", "Explanation", call_params),
	GET("/cdrs/{id}", api_get_cdr, "getCdr", "The record of one call with its attempts.", "CdrWithAttempts", call_params),
	GET("/registrations", api_get_registrations, "listRegistrations", "Contacts of phones and gateways registered now.",
	    "RegistrationList", no_params),
	GET("/registrations/{name}", api_get_registration, "getRegistration", "Contacts of one phone or gateway.",
	    "RegistrationList", registration_params),
	GET("/registration-analysis", api_analyse_registrations, "analyseRegistrations",
	    "Why a device is not registered, or all that fail: the last exchanges, the reason in one sentence, the fix.",
	    "RegistrationAnalysis", registration_analysis_params),
	GET("/suspensions", api_get_suspensions, "listSuspensions", "Users suspended at an address after failed registrations or calls.",
	    "SuspensionList", no_params),
	{ .method = "DELETE", .path = "/suspensions", .handle = api_delete_suspensions, .operation = "liftSuspensions",
	  .summary = "Lift suspensions.", .reply = "Lifted", .params = suspension_params },
	GET("/sources", api_get_sources, "listSources",
	    "Refused and unknown sources, newest first, with the nearest that the configuration lists.", "SourceList", source_params),
	{ .method = "DELETE", .path = "/sources", .handle = api_delete_sources, .operation = "clearSources",
	  .summary = "Forget refused and unknown sources.", .reply = "Cleared", .params = source_clear_params },
	GET("/blacklist", api_get_blacklist, "listBlacklist", "Numbers on the dynamic blacklist, newest first: by which rule, until when.",
	    "Blacklist", blacklist_params),
	{ .method = "PUT", .path = "/blacklist/{side}/{number}", .handle = api_put_blacklist, .operation = "addToBlacklist",
	  .summary = "Blacklist a number; kept over restarts.", .reply = "BlacklistEntry", .params = blacklist_put_params },
	{ .method = "DELETE", .path = "/blacklist/{side}/{number}", .handle = api_delete_blacklist,
	  .operation = "removeFromBlacklist", .summary = "Take a number off the dynamic blacklist, whoever put it there.",
	  .reply = "BlacklistEntry", .params = blacklist_delete_params },
	GET("/route-test", api_test_route, "testRoute",
	    "What would become of such a call: admitted or not, which gateways in which order, and why not the others. Makes no call.",
	    "RouteTest", route_test_params),
	GET("/cdrs/{id}/route-test", api_test_call, "testRouteOfCall",
	    "What became of a call that has ended, and what would become of it now.", "RouteTestOfCall", call_params),
	{ .method = "POST", .path = "/trace", .handle = api_switch_trace, .operation = "switchTrace",
	  .summary = "Trace on or off, for good or for some minutes.", .reply = "TraceStatus", .params = trace_switch_params },
	GET("/trace/status", api_get_trace_status, "getTraceStatus", "Whether the trace is on, what it holds, what was dropped.", "TraceStatus", no_params),
	GET("/trace/calls", api_get_trace_calls, "findTraces", "Calls of which there is a trace, newest first.", "TraceCallList",
	    trace_list_params),
	GET("/trace/calls/{id}", api_get_trace_call, "getTraceOfCall",
	    "All messages and decisions of a call, also while it is up.", "Trace", trace_call_params),
	{ .method = "GET", .path = "/trace/calls/{id}/pcapng", .handle = api_get_trace_call_file, .operation = "exportTraceOfCall",
	  .summary = "The same as a file for Wireshark and sngrep.", .reply_type = "application/x-pcapng", .params = trace_call_params },
	{ .method = "PUT", .path = "/trace/calls/{id}/pin", .handle = api_pin_trace, .operation = "pinTrace",
	  .summary = "Keep the trace of this call beyond its age.", .reply = "TracePin", .params = call_params },
	{ .method = "DELETE", .path = "/trace/calls/{id}/pin", .handle = api_unpin_trace, .operation = "unpinTrace",
	  .summary = "Let the trace of this call age as others do.", .reply = "TracePin", .params = call_params },
	{ .method = "GET", .path = "/trace/pcapng", .handle = api_get_trace_file, .operation = "exportTraces",
	  .summary = "Calls as one file for Wireshark and sngrep.", .reply_type = "application/x-pcapng", .params = trace_file_params },
	{ .method = "GET", .path = "/trace/sip/{sip_call_id}", .handle = api_get_trace_sip, .operation = "getTraceOfSipCallId",
	  .summary = "All messages with this SIP Call-ID, and what was noted about it.", .reply = "Trace", .params = trace_sip_params,
	  .rest = true },
	GET("/trace/objects/{name}", api_get_trace_object, "getTraceOfObject",
	    "What was noted about a gateway or a registering user, with the messages that it was about.", "Trace", trace_object_params),
	{ .method = "PUT", .path = "/trace/gateways/{name}", .handle = api_trace_gateway, .operation = "traceGateway",
	  .summary = "Trace the calls of a gateway for some minutes even while the trace is off.", .reply = "TraceGateway",
	  .params = trace_gateway_params },
	{ .method = "GET", .path = "/trace/follow", .handle = api_follow_trace, .operation = "followTrace",
	  .summary = "Messages and decisions as they pass, as server-sent events; an event `dropped` says how many were too many.",
	  .reply_type = "text/event-stream", .params = trace_follow_params },
	GET("/audit", api_get_audit, "listAudit", "Who changed what, newest first.", "AuditList", audit_params),
	GET("/openapi.json", api_get_openapi, "getOpenapi", "This document.", "Anything", no_params),
};
const size_t api_route_count = ARRAY_SIZE(api_routes);
