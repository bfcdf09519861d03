/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every key of every object, once. Reading and writing YAML and JSON, the API's schemas and the manual
 * all walk these tables. */
/* clang-format off */
#include "model/model_int.h"

#define AT(type, member) offsetof(struct type, member)
#define LIST(owner, member) .offset = AT(owner, member), .count = AT(owner, n_##member)
#define LINES_MOST 10000000
#define DAY_US ((int64_t)(86400 * SEC))
#define TIMEOUT(owner, key, member, text) \
	{ .name = key, .type = FIELD_DURATION, .offset = AT(owner, member), .most = (int64_t)(600 * SEC), .help = text }

#define SWITCH_AFTER(key, member, text) \
	{ .name = key, .type = FIELD_CHOICE, .offset = AT(model_routing, failover.member), .choices = "system|off|on", \
	  .least = -1, .most = 1, .unset = -1, .help = text }

#define SIP_FIELDS(owner) \
	{ .name = "codecs", .type = FIELD_CODECS, .offset = AT(owner, sip.codecs), \
	  .help = "Codecs permitted, in order of preference; absent = as offered." }, \
	{ .name = "session_timer", .type = FIELD_CHOICE, .offset = AT(owner, sip.timer), .choices = "system|off|on", \
	  .least = -1, .most = 1, .unset = -1, .help = "RFC 4028 session timers with this peer." }, \
	{ .name = "rel100", .type = FIELD_CHOICE, .offset = AT(owner, sip.rel100), .choices = "off|supported|required", \
	  .most = 2, .unset = 0, .help = "RFC 3262 reliable provisional responses with this peer." }, \
	{ .name = "update", .type = FIELD_BOOL, .offset = AT(owner, sip.update), .unset = 1, \
	  .help = "UPDATE (RFC 3311) may be used with this peer." }, \
	{ .name = "info", .type = FIELD_BOOL, .offset = AT(owner, sip.info), .unset = 1, \
	  .help = "INFO (RFC 6086) may be used with this peer." }, \
	{ .name = "request_address", .type = FIELD_CHOICE, .offset = AT(owner, sip.request_address), \
	  .choices = "source|source_contact_port|contact", .most = 2, .unset = 2, \
	  .help = "Where requests within a call go: the socket it came from, that host with the Contact's port, or the Contact." }, \
	{ .name = "response_address", .type = FIELD_CHOICE, .offset = AT(owner, sip.response_address), \
	  .choices = "source|source_via_port|via", .most = 2, .unset = 0, \
	  .help = "Where responses go: the socket the request came from, that host with the Via's port, or the Via." }, \
	{ .name = "keep_udp", .type = FIELD_BOOL, .offset = AT(owner, sip.keep_udp), \
	  .help = "Send large requests by UDP too instead of changing to TCP." }, \
	{ .name = "trust_identity", .type = FIELD_BOOL, .offset = AT(owner, sip.trust_identity), \
	  .help = "This peer keeps identities to itself: P-Asserted-Identity and Privacy pass to and from it (RFC 3325)." }, \
	{ .name = "pass_headers", .type = FIELD_HEADERS, .offset = AT(owner, sip.pass_headers), \
	  .help = "Headers of the INVITE, such as User-to-User or X-*, that pass when both sides of the call list them." }

#define DURATION_FIELDS(owner) \
	{ .name = "max_duration", .type = FIELD_DURATION, .offset = AT(owner, max_duration.most_us), .most = 7 * DAY_US, \
	  .help = "Longest talk time; 0s = the system's." }, \
	{ .name = "max_duration_least", .type = FIELD_DURATION, .offset = AT(owner, max_duration.least_us), .most = 7 * DAY_US, \
	  .help = "The longest talk time is drawn for each call between this and max_duration; 0s = always max_duration." }

#define WINDOW_FIELDS(owner, member) \
	{ .name = "days", .type = FIELD_DAYS, .offset = AT(owner, member.days), .unset = 0x7f, \
	  .help = "mon..sun, ranges such as mon-fri, work or holiday (as the calendar has them); absent = every day." }, \
	{ .name = "from", .type = FIELD_CLOCK, .offset = AT(owner, member.from), .unset = 0, \
	  .help = "Time of day at which it opens." }, \
	{ .name = "to", .type = FIELD_CLOCK, .offset = AT(owner, member.to), .unset = 86400, \
	  .help = "Time of day at which it closes; not after `from` = on the next day." }, \
	{ .name = "calendar", .type = FIELD_REFERENCE, .of = KIND_CALENDAR, .offset = AT(owner, member.calendar), \
	  .help = "Work calendar that says which dates are work days and holidays; absent = Monday to Friday are work days." }

#define RATE_FIELDS(owner, member, must) \
	{ .name = "rate_limit", .type = FIELD_COUNT, .offset = AT(owner, member.calls), .required = must, .most = 1000000, \
	  .help = "Most new calls in rate_period; 0 = no limit." }, \
	{ .name = "rate_burst", .type = FIELD_COUNT, .offset = AT(owner, member.burst), .most = 1000000, \
	  .help = "Most new calls at once, after a pause; 0 = as many as rate_limit." }, \
	{ .name = "rate_period", .type = FIELD_COUNT, .offset = AT(owner, member.period_s), .least = 1, .most = 86400, \
	  .unset = 1, .help = "Seconds that rate_limit is for." }
#define LIMIT_FIELDS(owner) \
	{ .name = "line_limit", .type = FIELD_COUNT, .offset = AT(owner, limits.line_limit), .most = LINES_MOST, \
	  .help = "Most simultaneous calls; 0 = no limit." }, \
	{ .name = "scheduled_line_limits", .type = FIELD_OBJECTS, .of = KIND_LIMIT_WINDOW, \
	  .offset = AT(owner, limits.scheduled), .count = AT(owner, limits.n_scheduled), \
	  .help = "Line limits at certain times: the first whose window is open replaces line_limit." }, \
	RATE_FIELDS(owner, limits.rate, false), \
	{ .name = "scheduled_rate_limits", .type = FIELD_OBJECTS, .of = KIND_RATE_WINDOW, \
	  .offset = AT(owner, limits.scheduled_rates), .count = AT(owner, limits.n_scheduled_rates), \
	  .help = "Rate limits at certain times: the first whose window is open replaces rate_limit, rate_burst and rate_period." }

static const struct model_field_info limit_window_fields[] = {
	WINDOW_FIELDS(model_limit_window, when),
	{ .name = "line_limit", .type = FIELD_COUNT, .offset = AT(model_limit_window, line_limit), .required = true,
	  .most = LINES_MOST, .help = "Most simultaneous calls while the window is open; 0 = no limit." },
};

static const struct model_field_info rate_window_fields[] = {
	WINDOW_FIELDS(model_rate_window, when),
	RATE_FIELDS(model_rate_window, rate, true),
};

static const struct model_field_info prefix_window_fields[] = {
	WINDOW_FIELDS(model_prefix_window, when),
	{ .name = "action", .type = FIELD_CHOICE, .offset = AT(model_prefix_window, allow), .required = true,
	  .choices = "forbid|allow", .most = 1,
	  .help = "forbid: while the window is open it takes no call whose number one of the prefixes begins; allow: only those." },
	{ .name = "of", .type = FIELD_CHOICE, .offset = AT(model_prefix_window, of_caller), .choices = "callee|caller",
	  .most = 1, .help = "Whose number: the called one or the caller's." },
	{ .name = "prefixes", .type = FIELD_PREFIXES, LIST(model_prefix_window, prefixes), .required = true,
	  .help = "Beginnings of numbers; \"\" = all." },
};

static const struct model_field_info priority_window_fields[] = {
	WINDOW_FIELDS(model_priority_window, when),
	{ .name = "priority", .type = FIELD_COUNT, .offset = AT(model_priority_window, priority), .required = true,
	  .most = 1000000, .help = "Its priority while the window is open." },
};

static const struct model_field_info calendar_fields[] = {
	{ .name = "name", .type = FIELD_NAME, .offset = AT(model_calendar, name), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "Unique name." },
	{ .name = "holidays", .type = FIELD_DATES, LIST(model_calendar, holidays),
	  .help = "Dates that are no work days, whatever their weekday." },
	{ .name = "work_days", .type = FIELD_DATES, LIST(model_calendar, work_days),
	  .help = "Dates that are work days though they fall on a Saturday or Sunday." },
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_calendar, memo), .most = 4096, .help = "Free text." },
};
#define REGISTER_FIELDS(owner) \
	{ .name = "max_contacts", .type = FIELD_COUNT, .offset = AT(owner, reg.max_contacts), .most = BINDINGS_MAX, \
	  .help = "Most contacts registered at the same time; 0 = the system's." }, \
	{ .name = "min_expiry", .type = FIELD_DURATION, .offset = AT(owner, reg.min_expiry_us), .most = DAY_US, \
	  .help = "Shortest registration granted; 0s = the system's." }, \
	{ .name = "max_expiry", .type = FIELD_DURATION, .offset = AT(owner, reg.max_expiry_us), .most = DAY_US, \
	  .help = "Longest registration granted; 0s = the system's." }

#define POLICY_FIELD(owner, key, place, text) \
	{ .name = key, .type = FIELD_CHOICE, .offset = AT(owner, routes.policy) + (place) * sizeof(int), \
	  .choices = "none|asr|acd|pdd|cost", .most = POLICY_COST, .help = text }
#define ROUTES_FIELDS(owner) \
	{ .name = "routing_groups", .type = FIELD_REFERENCES, .of = KIND_GROUP, .offset = AT(owner, routes.groups), \
	  .count = AT(owner, routes.n_groups), .most = MODEL_GROUPS_MAX, \
	  .help = "Its calls go to routing gateways in one of these groups; absent = to any." }, \
	{ .name = "routing_groups_allow", .type = FIELD_BOOL, .offset = AT(owner, routes.allow), .unset = 1, \
	  .help = "false: its calls go to all routing gateways but those in routing_groups." }, \
	POLICY_FIELD(owner, "first_policy", 0, "Among equal prefixes its calls prefer the gateway that answers most, keeps calls longest, rings soonest or costs least."), \
	POLICY_FIELD(owner, "second_policy", 1, "The same among those that first_policy finds equal.")

#define LRN_FIELDS(owner) \
	{ .name = "lrn", .type = FIELD_BOOL, .offset = AT(owner, lrn.on), \
	  .help = "Before its calls are routed, lrn_server is asked for the number to route by." }, \
	{ .name = "lrn_strip", .type = FIELD_COUNT, .offset = AT(owner, lrn.strip), .most = PREFIX_LEN_MAX, \
	  .help = "So many characters at the beginning of the called number the server is not told." }, \
	{ .name = "lrn_failure", .type = FIELD_CHOICE, .offset = AT(owner, lrn.failure), .choices = "reject|continue", \
	  .most = LRN_CONTINUE, .help = "When the server does not answer: the call ends, or is routed by the called number." }

/* What a called side is shown of the caller. One who asked for privacy stays hidden from a side that is not trusted. */
#define SHOWN_FIELDS(owner) \
	{ .name = "send_display", .type = FIELD_BOOL, .offset = AT(owner, sip.shown.display), .unset = 1, \
	  .help = "The caller's display name is sent to it." }, \
	{ .name = "send_remote_party_id", .type = FIELD_BOOL, .offset = AT(owner, sip.shown.remote_party_id), \
	  .help = "Remote-Party-ID with the caller's number is sent to it." }, \
	{ .name = "send_privacy", .type = FIELD_CHOICE, .offset = AT(owner, sip.shown.privacy), \
	  .choices = "auto|off|pass|id|none", .most = 4, \
	  .help = "Privacy (RFC 3323) sent to it: auto = passed if it is trusted, never, passed, always id, always none." }, \
	{ .name = "send_asserted_identity", .type = FIELD_CHOICE, .offset = AT(owner, sip.shown.asserted), \
	  .choices = "auto|off|pass|caller", .most = 3, \
	  .help = "P-Asserted-Identity sent to it: auto = passed if it is trusted, never, passed, the caller's number." }, \
	{ .name = "send_preferred_identity", .type = FIELD_CHOICE, .offset = AT(owner, sip.shown.preferred), \
	  .choices = "off|pass|caller", .least = 1, .most = 3, .unset = 1, \
	  .help = "P-Preferred-Identity sent to it: never, passed, the caller's number." }, \
	{ .name = "send_diversion", .type = FIELD_CHOICE, .offset = AT(owner, sip.shown.diversion), \
	  .choices = "auto|off|pass", .most = 2, \
	  .help = "Diversion (RFC 5806) sent to it: auto = by pass_headers, never, passed with our host." }, \
	{ .name = "from_host", .type = FIELD_TEXT, .offset = AT(owner, from_host), .most = 253, \
	  .help = "Host that the caller's number stands at, in From and the others; absent = our address." }

static const struct model_field_info account_fields[] = {
	{ .name = "name", .type = FIELD_NAME, .offset = AT(model_account, name), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "Unique name." },
	{ .name = "kind", .type = FIELD_WORD, .offset = AT(model_account, kind), .choices = "customer|agent|vendor",
	  .help = "customer pays, agent resells, vendor is paid." },
	{ .name = "locked", .type = FIELD_BOOL, .offset = AT(model_account, locked), .help = "No calls for this account." },
	{ .name = "balance", .type = FIELD_MONEY, .offset = AT(model_account, balance), .least = INT64_MIN,
	  .most = INT64_MAX, .help = "Money in the account." },
	{ .name = "overdraft", .type = FIELD_MONEY, .offset = AT(model_account, overdraft), .most = INT64_MAX,
	  .help = "How far the balance may fall below zero." },
	{ .name = "rate_group", .type = FIELD_REFERENCE, .of = KIND_RATE_GROUP, .offset = AT(model_account, rate_group),
	  .help = "Rates that its calls are charged by." },
	{ .name = "valid_until", .type = FIELD_MOMENT, .offset = AT(model_account, valid_until),
	  .help = "It has no calls from then on: a date (to its end), \"2026-12-31 18:00\" by its time_zone, or RFC 3339." },
	{ .name = "time_zone", .type = FIELD_ZONE, .offset = AT(model_account, zone),
	  .help = "Whose clocks its time windows go by, such as Europe/Berlin; absent = the parameter time_zone." },
	LIMIT_FIELDS(model_account),
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_account, memo), .most = 4096, .help = "Free text." },
};

static const struct model_field_info rate_group_fields[] = {
	{ .name = "name", .type = FIELD_NAME, .offset = AT(model_rate_group, name), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "Unique name." },
	{ .name = "rates", .type = FIELD_OBJECTS, .of = KIND_RATE, LIST(model_rate_group, rates),
	  .help = "One rate per prefix; the longest that begins the number counts." },
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_rate_group, memo), .most = 4096, .help = "Free text." },
};

static const struct model_field_info rate_fields[] = {
	{ .name = "prefix", .type = FIELD_PREFIX, .offset = AT(model_rate, prefix), .required = true,
	  .most = PREFIX_LEN_MAX, .help = "Numbers that begin so; \"\" = all." },
	{ .name = "price", .type = FIELD_MONEY, .offset = AT(model_rate, price), .required = true, .most = INT64_MAX,
	  .help = "Price of a minute." },
	{ .name = "period", .type = FIELD_COUNT, .offset = AT(model_rate, period), .least = 1, .most = 86400,
	  .unset = 60, .help = "Charged in steps of so many seconds." },
};

static const struct model_field_info group_fields[] = {
	{ .name = "name", .type = FIELD_NAME, .offset = AT(model_group, name), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "Unique name." },
	LIMIT_FIELDS(model_group),
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_group, memo), .most = 4096, .help = "Free text." },
};

#define GROUP_FIELDS(owner) \
	{ .name = "groups", .type = FIELD_REFERENCES, .of = KIND_GROUP, LIST(owner, groups), .most = MODEL_GROUPS_MAX, \
	  .help = "Gateway groups that it is in: their limits hold for it too." }, \
	{ .name = "reserved_lines", .type = FIELD_COUNT, .offset = AT(owner, reserved_lines), .most = LINES_MOST, \
	  .help = "It takes no call while fewer lines than these are free in one of its groups." }

static const struct model_field_info address_list_fields[] = {
	{ .name = "name", .type = FIELD_NAME, .offset = AT(model_address_list, name), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "Unique name." },
	{ .name = "ranges", .type = FIELD_RANGES, LIST(model_address_list, ranges),
	  .help = "Hosts, networks such as 203.0.113.0/24, and ranges such as 192.0.2.1-192.0.2.9." },
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_address_list, memo), .most = 4096, .help = "Free text." },
};

#define FENCE_FIELDS(owner) \
	{ .name = "allow_address_lists", .type = FIELD_REFERENCES, .of = KIND_ADDRESS_LIST, .offset = AT(owner, fence.allow), \
	  .count = AT(owner, fence.n_allow), .most = ADDRESS_LISTS_MOST, \
	  .help = "It may speak to us from these address lists only." }, \
	{ .name = "forbid_address_lists", .type = FIELD_REFERENCES, .of = KIND_ADDRESS_LIST, .offset = AT(owner, fence.forbid), \
	  .count = AT(owner, fence.n_forbid), .most = ADDRESS_LISTS_MOST, \
	  .help = "It may not speak to us from these address lists, whatever else is allowed." }

static const struct model_field_info number_group_fields[] = {
	{ .name = "name", .type = FIELD_NAME, .offset = AT(model_number_group, name), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "Unique name." },
	{ .name = "numbers", .type = FIELD_NUMBERS, .offset = AT(model_number_group, numbers), .help = "Whole numbers." },
	{ .name = "prefixes", .type = FIELD_BEGINNINGS, .offset = AT(model_number_group, prefixes),
	  .help = "All numbers that begin so." },
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_number_group, memo), .most = 4096, .help = "Free text." },
};

#define PERMITTED_FIELDS(owner, side, who, Who) \
	{ .name = who "s_allowed", .type = FIELD_BEGINNINGS, .offset = AT(owner, numbers.side.allowed), \
	  .help = "If given: " Who " numbers begin so." }, \
	{ .name = who "s_forbidden", .type = FIELD_BEGINNINGS, .offset = AT(owner, numbers.side.forbidden), \
	  .help = "No " Who " number begins so; goes before what is allowed." }, \
	{ .name = who "_lengths", .type = FIELD_LENGTHS, .offset = AT(owner, numbers.side.lengths), \
	  .help = "If given: " Who " numbers have so many characters, such as 7 or 10-12." }, \
	{ .name = who "_kinds", .type = FIELD_FLAGS, .offset = AT(owner, numbers.side.kinds), .choices = "fixed|mobile|other", \
	  .help = "If given: " Who " numbers are fixed, mobile or other ones, as the areas have them." }, \
	{ .name = who "_groups_allowed", .type = FIELD_REFERENCES, .of = KIND_NUMBER_GROUP, \
	  .offset = AT(owner, numbers.side.groups_allowed.groups), .count = AT(owner, numbers.side.groups_allowed.n), .most = NUMBER_GROUPS_MOST, \
	  .help = "If given: " Who " numbers stand in one of these number groups." }, \
	{ .name = who "_groups_forbidden", .type = FIELD_REFERENCES, .of = KIND_NUMBER_GROUP, \
	  .offset = AT(owner, numbers.side.groups_forbidden.groups), .count = AT(owner, numbers.side.groups_forbidden.n), .most = NUMBER_GROUPS_MOST, \
	  .help = "No " Who " number stands in these number groups; goes before what is allowed." }
#define RULE_FIELDS(owner, callers, callees, when) \
	{ .name = "caller_rules", .type = FIELD_RULES, .offset = AT(owner, callers), \
	  .help = "Dial rules for the caller's number, source:target, applied " when "." }, \
	{ .name = "callee_rules", .type = FIELD_RULES, .offset = AT(owner, callees), \
	  .help = "Dial rules for the called number, source:target, applied " when "." }
#define PHONES_FIELD(owner) \
	{ .name = "callee_phones", .type = FIELD_CHOICE, .offset = AT(owner, numbers.callee_phones), .choices = "any|only|never", \
	  .most = 2, .help = "Called numbers, after the rules, may be any, phones of this switch only, or never such phones." }
#define AREA_FIELDS(owner, when) \
	{ .name = "same_city_allowed", .type = FIELD_BEGINNINGS, .offset = AT(owner, numbers.same_city.only), \
	  .help = "If given: calls whose both numbers are in one area are permitted where its code begins so." }, \
	{ .name = "same_city_forbidden", .type = FIELD_BEGINNINGS, .offset = AT(owner, numbers.same_city.not_of), \
	  .help = "No calls whose both numbers are in one area whose code begins so; \"\" = in any." }, \
	{ .name = "mobile_areas_allowed", .type = FIELD_BEGINNINGS, .offset = AT(owner, numbers.mobile_areas.only), \
	  .help = "If given: mobile numbers are called in areas whose codes begin so." }, \
	{ .name = "mobile_areas_forbidden", .type = FIELD_BEGINNINGS, .offset = AT(owner, numbers.mobile_areas.not_of), \
	  .help = "No mobile numbers are called in areas whose codes begin so." }, \
	{ .name = "add_area_code", .type = FIELD_BEGINNINGS, .offset = AT(owner, numbers.add_area_code.only), \
	  .help = "Called mobile numbers of areas whose codes begin so get the code before them, " when ", after the dial rules; \"\" = all." }, \
	{ .name = "add_area_code_except", .type = FIELD_BEGINNINGS, .offset = AT(owner, numbers.add_area_code.not_of), \
	  .help = "The same, but for areas whose codes begin so." }
#define NUMBER_FIELDS(owner, when) \
	PERMITTED_FIELDS(owner, caller, "caller", "caller"), PERMITTED_FIELDS(owner, callee, "callee", "called"), \
	AREA_FIELDS(owner, when), \
	RULE_FIELDS(owner, numbers.caller_rules, numbers.callee_rules, when), \
	{ .name = "scheduled_rules", .type = FIELD_OBJECTS, .of = KIND_RULE_WINDOW, .offset = AT(owner, numbers.scheduled), \
	  .count = AT(owner, numbers.n_scheduled), \
	  .help = "Dial rules at certain times: the first whose window is open replaces caller_rules, callee_rules or both." }

static const struct model_field_info rule_window_fields[] = {
	WINDOW_FIELDS(model_rule_window, when),
	RULE_FIELDS(model_rule_window, caller_rules, callee_rules, "while the window is open"),
};

static const struct model_field_info transform_fields[] = {
	{ .name = "number", .type = FIELD_NUMBER, .offset = AT(model_transform, number), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "A number of ours." },
	{ .name = "mapping_caller", .type = FIELD_NUMBER, .offset = AT(model_transform, mapping_caller), .least = 1,
	  .most = NAME_LEN_MAX, .help = "As a caller, a mapping gateway that transforms numbers sends this for it." },
	{ .name = "routing_callee", .type = FIELD_NUMBER, .offset = AT(model_transform, routing_callee), .least = 1,
	  .most = NAME_LEN_MAX, .help = "As a called number, a routing gateway that transforms numbers is sent this for it." },
};

static const struct model_field_info area_fields[] = {
	{ .name = "code", .type = FIELD_NUMBER, .offset = AT(model_area, code), .required = true, .least = 1,
	  .most = PREFIX_LEN_MAX, .help = "Area code as numbers begin with it, such as 010." },
	{ .name = "place", .type = FIELD_TEXT, .offset = AT(model_area, place), .most = 128, .help = "Name of the city or district." },
	{ .name = "mobiles", .type = FIELD_BEGINNINGS, .offset = AT(model_area, mobiles),
	  .help = "How mobile numbers of this area begin, such as 1380101; each in one area." },
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_area, memo), .most = 4096, .help = "Free text." },
};

static const struct model_field_info share_fields[] = {
	{ .name = "percent", .type = FIELD_COUNT, .offset = AT(model_share, percent), .required = true, .least = 1,
	  .most = 100, .help = "So many of a hundred calls." },
	{ .name = "prefix", .type = FIELD_PREFIX, .offset = AT(model_share, prefix), .required = true,
	  .most = PREFIX_LEN_MAX, .help = "Put before the called number." },
};

static const struct model_field_info mapping_fields[] = {
	{ .name = "name", .type = FIELD_NAME, .offset = AT(model_mapping, name), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "Unique name." },
	{ .name = "account", .type = FIELD_REFERENCE, .of = KIND_ACCOUNT, .offset = AT(model_mapping, account),
	  .help = "Who pays." },
	{ .name = "locked", .type = FIELD_BOOL, .offset = AT(model_mapping, locked), .help = "No calls from this gateway." },
	{ .name = "node", .type = FIELD_TEXT, .offset = AT(model_mapping, node), .most = 63,
	  .help = "Its calls are taken by this node alone (the boot file's node); absent = by all." },
	{ .name = "auth", .type = FIELD_CHOICE, .offset = AT(model_mapping, auth),
	  .choices = "address|address_port|digest", .most = 2,
	  .help = "Known by its address, by address and port (each address then names its port), or by user and password." },
	{ .name = "addresses", .type = FIELD_ADDRESSES, LIST(model_mapping, addresses),
	  .help = "Where its calls come from: hosts or networks; a port, where written, must match." },
	{ .name = "user", .type = FIELD_TEXT, .offset = AT(model_mapping, user), .most = 64, .help = "Digest user." },
	{ .name = "password", .type = FIELD_SECRET, .offset = AT(model_mapping, password), .most = 128,
	  .help = "Digest password." },
	{ .name = "register", .type = FIELD_CHOICE, .offset = AT(model_mapping, reg.type), .choices = "static|dynamic",
	  .most = 1, .help = "dynamic: it registers here under its user; its calls prove themselves by digest." },
	REGISTER_FIELDS(model_mapping),
	LIMIT_FIELDS(model_mapping),
	GROUP_FIELDS(model_mapping),
	FENCE_FIELDS(model_mapping),
	NUMBER_FIELDS(model_mapping, "when a call arrives"),
	PHONES_FIELD(model_mapping),
	{ .name = "transform_numbers", .type = FIELD_BOOL, .offset = AT(model_mapping, numbers.transform),
	  .help = "Replace callers by the number transform table." },
	{ .name = "scheduled_prefixes", .type = FIELD_OBJECTS, .of = KIND_PREFIX_WINDOW, LIST(model_mapping, scheduled_prefixes),
	  .help = "Numbers that may call or be called from here, or not, at certain times." },
	{ .name = "route_prefixes", .type = FIELD_OBJECTS, .of = KIND_SHARE, LIST(model_mapping, shares),
	  .help = "Prefixes put before the called number in proportion, to split its calls; what is left of 100 stays as it is." },
	SIP_FIELDS(model_mapping),
	{ .name = "caller_from", .type = FIELD_CHOICE, .offset = AT(model_mapping, caller_from),
	  .choices = "from|remote_party_id|display|asserted_identity|preferred_identity", .most = 4,
	  .help = "Where the caller's number is read; From where that is absent." },
	{ .name = "callee_from", .type = FIELD_CHOICE, .offset = AT(model_mapping, callee_from),
	  .choices = "request_uri|to|diversion", .most = 2,
	  .help = "Where the called number is read; the Request-URI where that is absent." },
	{ .name = "blacklist_exempt", .type = FIELD_BOOL, .offset = AT(model_mapping, blacklist_exempt),
	  .help = "The rules of the dynamic blacklist (blacklist_*_limit) neither count nor refuse its calls." },
	{ .name = "recognize_privacy", .type = FIELD_BOOL, .offset = AT(model_mapping, recognize_privacy), .unset = 1,
	  .help = "Its callers may ask for privacy (RFC 3323)." },
	{ .name = "ring_signal", .type = FIELD_CHOICE, .offset = AT(model_mapping, ring_signal),
	  .choices = "pass|183_sdp|180_sdp", .most = 2,
	  .help = "How it hears ringing: as the gateway sends it, or once there is early media always as 183 or 180 with SDP." },
	{ .name = "failed_codes", .type = FIELD_CODE_MAP, .offset = AT(model_mapping, failed_codes),
	  .help = "SIP statuses of failed calls replaced toward it, received:sent; 0 before the colon = all others, behind it = leave." },
	{ .name = "reason_text", .type = FIELD_BOOL, .offset = AT(model_mapping, reason_text),
	  .help = "Tell it our end code as text in the Reason header (RFC 3326)." },
	TIMEOUT(model_mapping, "ringing_within", ringing_within_us,
		"A call that neither rings nor has early media nor is answered by then ends, however many gateways are left; 0s = no limit."),
	{ .name = "phone_billing", .type = FIELD_BOOL, .offset = AT(model_mapping, phone_billing),
	  .help = "Where the caller's number is a phone's, that phone's account is the call's." },
	{ .name = "phone_settings", .type = FIELD_BOOL, .offset = AT(model_mapping, phone_settings),
	  .help = "Where the caller's number is a phone's, its lock, number lists, limits, max_duration and display hold too." },
	ROUTES_FIELDS(model_mapping),
	LRN_FIELDS(model_mapping),
	DURATION_FIELDS(model_mapping),
	{ .name = "trace_until", .type = FIELD_MOMENT, .offset = AT(model_mapping, trace_until),
	  .help = "Its calls are traced until then, even while the parameter trace is off." },
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_mapping, memo), .most = 4096, .help = "Free text." },
};

static const struct model_field_info routing_fields[] = {
	{ .name = "name", .type = FIELD_NAME, .offset = AT(model_routing, name), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "Unique name." },
	{ .name = "account", .type = FIELD_REFERENCE, .of = KIND_ACCOUNT, .offset = AT(model_routing, account),
	  .help = "Who is paid." },
	{ .name = "locked", .type = FIELD_BOOL, .offset = AT(model_routing, locked), .help = "No calls to this gateway." },
	{ .name = "address", .type = FIELD_PEER, .offset = AT(model_routing, host),
	  .help = "host, host:port or [v6]:port, where host is an address or a name to resolve." },
	{ .name = "transport", .type = FIELD_TRANSPORT, .offset = AT(model_routing, proto), .choices = "udp|tcp|tls",
	  .most = 2, .unset = -1, .help = "Absent = by DNS, or UDP." },
	{ .name = "local_address", .type = FIELD_TEXT, .offset = AT(model_routing, local_address), .most = 64,
	  .help = "Listening address to send from; absent = by route." },
	{ .name = "prefixes", .type = FIELD_PREFIXES, LIST(model_routing, prefixes),
	  .help = "Called numbers that it serves begin so; \"\" = all, as when absent." },
	{ .name = "prefix_style", .type = FIELD_CHOICE, .offset = AT(model_routing, prefix_style),
	  .choices = "continue|terminate", .most = PREFIX_TERMINATES,
	  .help = "terminate: numbers that its prefix begins never go to gateways with shorter ones." },
	{ .name = "node", .type = FIELD_TEXT, .offset = AT(model_routing, node), .most = 63,
	  .help = "Serves calls of this node alone (the boot file's node); absent = of all." },
	{ .name = "pairs", .type = FIELD_PAIRS, LIST(model_routing, pairs), .most = 1024,
	  .help = "caller:callee prefixes, such as 025:010, of calls that it does not take; either may be empty." },
	{ .name = "pairs_allow", .type = FIELD_BOOL, .offset = AT(model_routing, pairs_allow),
	  .help = "It takes only calls that one of its pairs fits." },
	{ .name = "priority", .type = FIELD_COUNT, .offset = AT(model_routing, priority), .most = 1000000,
	  .help = "Among equal prefixes the smaller one is tried first." },
	{ .name = "scheduled_priorities", .type = FIELD_OBJECTS, .of = KIND_PRIORITY_WINDOW,
	  LIST(model_routing, scheduled_priorities),
	  .help = "Priorities at certain times: the first whose window is open replaces priority." },
	{ .name = "scheduled_prefixes", .type = FIELD_OBJECTS, .of = KIND_PREFIX_WINDOW, LIST(model_routing, scheduled_prefixes),
	  .help = "Numbers that it takes, or does not, at certain times." },
	{ .name = "protect", .type = FIELD_BOOL, .offset = AT(model_routing, protect),
	  .help = "Kept for when all others have failed." },
	LIMIT_FIELDS(model_routing),
	GROUP_FIELDS(model_routing),
	NUMBER_FIELDS(model_routing, "when a call is sent"),
	{ .name = "transform_numbers", .type = FIELD_BOOL, .offset = AT(model_routing, numbers.transform),
	  .help = "Replace called numbers by the number transform table." },
	{ .name = "caller_pool", .type = FIELD_REFERENCE, .of = KIND_NUMBER_GROUP, .offset = AT(model_routing, caller_pool),
	  .help = "Number group that its calls take their caller's number from, instead of its caller_rules." },
	{ .name = "caller_pool_reuse", .type = FIELD_COUNT, .offset = AT(model_routing, caller_pool_reuse), .most = LINES_MOST,
	  .help = "Most simultaneous calls that use one number of the pool; 0 = no limit." },
	{ .name = "diversion_group", .type = FIELD_REFERENCE, .of = KIND_NUMBER_GROUP, .offset = AT(model_routing, diversion_group),
	  .help = "With send_diversion: pass a number of this group, by chance, stands for who diverted the call." },
	{ .name = "options_check", .type = FIELD_BOOL, .offset = AT(model_routing, options_check),
	  .help = "Ask it by OPTIONS whether it is alive." },
	TIMEOUT(model_routing, "invite_timeout", timeouts.invite_us, "As the parameter; 0s = the system's."),
	TIMEOUT(model_routing, "trying_timeout", timeouts.trying_us, "As the parameter; 0s = the system's."),
	TIMEOUT(model_routing, "progress_timeout", timeouts.progress_us, "As the parameter; 0s = the system's."),
	TIMEOUT(model_routing, "progress_sdp_timeout", timeouts.progress_sdp_us, "As the parameter; 0s = the system's."),
	TIMEOUT(model_routing, "ringing_timeout", timeouts.ringing_us, "As the parameter; 0s = the system's."),
	SIP_FIELDS(model_routing),
	SHOWN_FIELDS(model_routing),
	{ .name = "extra_headers", .type = FIELD_LINES, .offset = AT(model_routing, extra_headers),
	  .help = "Header lines, such as \"X-Trunk: 42\", that INVITEs to it carry." },
	{ .name = "send_npdi", .type = FIELD_BOOL, .offset = AT(model_routing, send_npdi),
	  .help = "The Request-URI says that the LRN server was asked (npdi), and the routing number (rn, RFC 4694)." },
	{ .name = "phone_display", .type = FIELD_BOOL, .offset = AT(model_routing, phone_display), .unset = 1,
	  .help = "A calling phone's display number is sent to it instead of its own." },
	{ .name = "user", .type = FIELD_TEXT, .offset = AT(model_routing, user), .most = 64,
	  .help = "Our user when it challenges us." },
	{ .name = "password", .type = FIELD_SECRET, .offset = AT(model_routing, password), .most = 128,
	  .help = "Our password when it challenges us." },
	{ .name = "register", .type = FIELD_CHOICE, .offset = AT(model_routing, reg.type), .choices = "static|dynamic|outbound",
	  .most = 2, .help = "dynamic: it registers here under its user (or name) and is called where it registered from; "
			     "outbound: we register there with user and password." },
	{ .name = "registrar", .type = FIELD_TEXT, .offset = AT(model_routing, registrar), .most = 253,
	  .help = "Where we register, when that is not its address: host or host:port." },
	{ .name = "ims", .type = FIELD_BOOL, .offset = AT(model_routing, ims),
	  .help = "We register as at an IMS core (3GPP TS 24.229): user is the private identity and stands in the first REGISTER "
		  "already; calls go by its Service-Route." },
	{ .name = "public_user", .type = FIELD_TEXT, .offset = AT(model_routing, public_user), .most = 64,
	  .help = "Public identity that we register, at from_host; absent = user." },
	{ .name = "access_network", .type = FIELD_TEXT, .offset = AT(model_routing, access_network), .most = 128,
	  .help = "P-Access-Network-Info (RFC 7315) of our registration and our calls, such as \"IEEE-802.3ah\"." },
	REGISTER_FIELDS(model_routing),
	{ .name = "follow_redirects", .type = FIELD_CHOICE, .offset = AT(model_routing, follow_redirects),
	  .choices = "system|off|on", .least = -1, .most = 1, .unset = -1, .help = "Follow its 3xx." },
	{ .name = "quality", .type = FIELD_CHOICE, .offset = AT(model_routing, quality_counts), .choices = "system|off|on",
	  .least = -1, .most = 1, .unset = -1, .help = "Count its live quality (ASR, ACD, PDD); system: route_quality." },
	SWITCH_AFTER("switch_after_ringing", after_ringing, "After it rang the search may go on; system: switch_until_connect."),
	SWITCH_AFTER("switch_after_sdp", after_sdp, "After it sent SDP the search may go on; system: not stop_after_sdp."),
	SWITCH_AFTER("switch_after_busy", after_busy, "After it said busy the search may go on; system: not stop_after_busy."),
	{ .name = "stop_codes", .type = FIELD_CODES, .offset = AT(model_routing, failover.stop_codes),
	  .help = "Its SIP statuses that end the search for a gateway; they go before the system's lists." },
	{ .name = "continue_codes", .type = FIELD_CODES, .offset = AT(model_routing, failover.continue_codes),
	  .help = "Its SIP statuses after which the search goes on, though they say busy or declined." },
	DURATION_FIELDS(model_routing),
	{ .name = "trace_until", .type = FIELD_MOMENT, .offset = AT(model_routing, trace_until),
	  .help = "Its calls are traced until then, even while the parameter trace is off." },
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_routing, memo), .most = 4096, .help = "Free text." },
};

static const struct model_field_info phone_fields[] = {
	{ .name = "number", .type = FIELD_NUMBER, .offset = AT(model_phone, number), .required = true, .least = 1,
	  .most = NAME_LEN_MAX, .help = "Its number and digest user." },
	{ .name = "dids", .type = FIELD_NUMBERS, .offset = AT(model_phone, dids),
	  .help = "Further numbers that it is called at; each stands for one phone alone." },
	{ .name = "account", .type = FIELD_REFERENCE, .of = KIND_ACCOUNT, .offset = AT(model_phone, account),
	  .help = "Who pays." },
	{ .name = "locked", .type = FIELD_CHOICE, .offset = AT(model_phone, locked), .choices = "none|outbound|inbound|all",
	  .most = PHONE_LOCK_ALL, .help = "No calls from it, to it, or either (true); all: nor does it register." },
	{ .name = "do_not_disturb", .type = FIELD_BOOL, .offset = AT(model_phone, do_not_disturb),
	  .help = "Calls to it hear that it is busy." },
	{ .name = "memo", .type = FIELD_MEMO, .offset = AT(model_phone, memo), .most = 4096, .help = "Free text." },
	{ .name = "offline_to_gateways", .type = FIELD_BOOL, .offset = AT(model_phone, offline_to_gateways),
	  .help = "While it is not registered, calls to it go to the routing gateways that serve its number." },
	{ .name = "password", .type = FIELD_SECRET, .offset = AT(model_phone, password), .most = 128,
	  .help = "Digest password." },
	{ .name = "register", .type = FIELD_CHOICE, .offset = AT(model_phone, reg.type), .choices = "static|dynamic",
	  .most = 1, .unset = REGISTER_DYNAMIC,
	  .help = "dynamic: it registers; static: it is known by its address and called there." },
	{ .name = "address", .type = FIELD_TEXT, .offset = AT(model_phone, address), .most = 64,
	  .help = "Of a static phone: host or host:port, where host is an address." },
	REGISTER_FIELDS(model_phone),
	{ .name = "display", .type = FIELD_TEXT, .offset = AT(model_phone, display), .most = 64,
	  .help = "Number shown when it calls; absent = its own." },
	LIMIT_FIELDS(model_phone),
	DURATION_FIELDS(model_phone),
	{ .name = "lines_in", .type = FIELD_COUNT, .offset = AT(model_phone, lines_in), .most = LINES_MOST,
	  .help = "Most simultaneous calls to it; 0 = no limit but line_limit." },
	{ .name = "lines_out", .type = FIELD_COUNT, .offset = AT(model_phone, lines_out), .most = LINES_MOST,
	  .help = "Most simultaneous calls from it; 0 = no limit but line_limit." },
	FENCE_FIELDS(model_phone),
	NUMBER_FIELDS(model_phone, "to calls from it"),
	PHONES_FIELD(model_phone),
	{ .name = "to_caller_rules", .type = FIELD_RULES, .offset = AT(model_phone, to_caller_rules),
	  .help = "Dial rules for the caller's number, applied to calls to it." },
	{ .name = "to_callee_rules", .type = FIELD_RULES, .offset = AT(model_phone, to_callee_rules),
	  .help = "Dial rules for the called number, applied to calls to it." },
	{ .name = "to_scheduled_rules", .type = FIELD_OBJECTS, .of = KIND_RULE_WINDOW, LIST(model_phone, to_scheduled),
	  .help = "Dial rules at certain times: the first whose window is open replaces to_caller_rules, to_callee_rules or both." },
	SIP_FIELDS(model_phone),
	ROUTES_FIELDS(model_phone),
	LRN_FIELDS(model_phone),
	SHOWN_FIELDS(model_phone),
};

const struct kind_info kinds[KINDS_ALL] = {
	[KIND_CALENDAR] = { "work_calendar", "work_calendars", sizeof(struct model_calendar), calendar_fields,
			    ARRAY_SIZE(calendar_fields), AT(model, calendars), AT(model, n_calendars), NO_LOAD },
	[KIND_ACCOUNT] = { "account", "accounts", sizeof(struct model_account), account_fields,
			   ARRAY_SIZE(account_fields), AT(model, accounts), AT(model, n_accounts),
			   AT(model_account, load) },
	[KIND_RATE_GROUP] = { "rate_group", "rate_groups", sizeof(struct model_rate_group), rate_group_fields,
			      ARRAY_SIZE(rate_group_fields), AT(model, rate_groups), AT(model, n_rate_groups), NO_LOAD },
	[KIND_GROUP] = { "gateway_group", "gateway_groups", sizeof(struct model_group), group_fields,
			 ARRAY_SIZE(group_fields), AT(model, groups), AT(model, n_groups), AT(model_group, load) },
	[KIND_ADDRESS_LIST] = { "address_list", "address_lists", sizeof(struct model_address_list), address_list_fields,
				ARRAY_SIZE(address_list_fields), AT(model, address_lists), AT(model, n_address_lists), NO_LOAD },
	[KIND_NUMBER_GROUP] = { "number_group", "number_groups", sizeof(struct model_number_group), number_group_fields,
				ARRAY_SIZE(number_group_fields), AT(model, number_groups), AT(model, n_number_groups), NO_LOAD },
	[KIND_TRANSFORM] = { "number_transform", "number_transforms", sizeof(struct model_transform), transform_fields,
			     ARRAY_SIZE(transform_fields), AT(model, transforms), AT(model, n_transforms), NO_LOAD },
	[KIND_AREA] = { "area", "areas", sizeof(struct model_area), area_fields, ARRAY_SIZE(area_fields), AT(model, areas),
			AT(model, n_areas), NO_LOAD },
	[KIND_MAPPING] = { "mapping_gateway", "mapping_gateways", sizeof(struct model_mapping), mapping_fields,
			   ARRAY_SIZE(mapping_fields), AT(model, mappings), AT(model, n_mappings),
			   AT(model_mapping, load) },
	[KIND_ROUTING] = { "routing_gateway", "routing_gateways", sizeof(struct model_routing), routing_fields,
			   ARRAY_SIZE(routing_fields), AT(model, routings), AT(model, n_routings),
			   AT(model_routing, load) },
	[KIND_PHONE] = { "phone", "phones", sizeof(struct model_phone), phone_fields, ARRAY_SIZE(phone_fields),
			 AT(model, phones), AT(model, n_phones), AT(model_phone, load) },
	[KIND_RATE] = { "rate", NULL, sizeof(struct model_rate), rate_fields, ARRAY_SIZE(rate_fields), 0, 0, NO_LOAD },
	[KIND_PREFIX_WINDOW] = { "prefix_window", NULL, sizeof(struct model_prefix_window), prefix_window_fields,
				 ARRAY_SIZE(prefix_window_fields), 0, 0, NO_LOAD },
	[KIND_RULE_WINDOW] = { "rule_window", NULL, sizeof(struct model_rule_window), rule_window_fields,
			       ARRAY_SIZE(rule_window_fields), 0, 0, NO_LOAD },
	[KIND_PRIORITY_WINDOW] = { "priority_window", NULL, sizeof(struct model_priority_window), priority_window_fields,
				   ARRAY_SIZE(priority_window_fields), 0, 0, NO_LOAD },
	[KIND_SHARE] = { "route_prefix", NULL, sizeof(struct model_share), share_fields, ARRAY_SIZE(share_fields), 0, 0,
			 NO_LOAD },
	[KIND_LIMIT_WINDOW] = { "line_limit_window", NULL, sizeof(struct model_limit_window), limit_window_fields,
				ARRAY_SIZE(limit_window_fields), 0, 0, NO_LOAD },
	[KIND_RATE_WINDOW] = { "rate_limit_window", NULL, sizeof(struct model_rate_window), rate_window_fields,
			       ARRAY_SIZE(rate_window_fields), 0, 0, NO_LOAD },
};

const struct model_field_info *model_fields(const char *kind, size_t *n)
{
	for (size_t i = 0; i < KINDS_ALL; i++) {
		if (span_eq(span_of(kind), span_of(kinds[i].name))) {
			*n = kinds[i].n_fields;
			return kinds[i].fields;
		}
	}
	*n = 0;
	return NULL;
}

struct model_kind model_kind(unsigned i)
{
	if (i >= KINDS_ALL)
		return (struct model_kind){ .name = NULL };
	return (struct model_kind){ kinds[i].name, kinds[i].section, kinds[i].load != NO_LOAD };
}

unsigned model_count(const struct model *m, unsigned i)
{
	unsigned n;

	kind_objects(m, (enum kind)i, &n);
	return n;
}

const char *model_name(const struct model *m, unsigned kind, unsigned i)
{
	return object_name(kind_object(m, (enum kind)kind, i));
}

const char *model_field_type_name(enum model_field_type type)
{
	static const char *const names[FIELD_TYPES] = {
		[FIELD_NAME] = "name", [FIELD_NUMBER] = "number", [FIELD_TEXT] = "text", [FIELD_MEMO] = "memo",
		[FIELD_SECRET] = "secret", [FIELD_BOOL] = "bool", [FIELD_COUNT] = "count",
		[FIELD_DURATION] = "duration", [FIELD_MONEY] = "money", [FIELD_CHOICE] = "choice",
		[FIELD_WORD] = "choice", [FIELD_TRANSPORT] = "choice", [FIELD_REFERENCE] = "reference",
		[FIELD_REFERENCES] = "references", [FIELD_CLOCK] = "clock",
		[FIELD_DAYS] = "days", [FIELD_MOMENT] = "moment", [FIELD_ZONE] = "zone", [FIELD_DATES] = "dates", [FIELD_PREFIX] = "prefix", [FIELD_PREFIXES] = "prefixes",
		[FIELD_CODECS] = "codecs", [FIELD_ADDRESSES] = "addresses", [FIELD_PEER] = "peer",
		[FIELD_RANGES] = "ranges",
		[FIELD_OBJECTS] = "objects",	       [FIELD_HEADERS] = "headers", [FIELD_LINES] = "header_lines",
		[FIELD_NUMBERS] = "numbers", [FIELD_BEGINNINGS] = "prefixes", [FIELD_LENGTHS] = "lengths",
		[FIELD_RULES] = "dial_rules",
		[FIELD_CODES] = "codes",	       [FIELD_CODE_MAP] = "code_map",
		[FIELD_PAIRS] = "pairs",	       [FIELD_FLAGS] = "choices",
	};

	return (unsigned)type < FIELD_TYPES ? names[type] : "";
}

/* VOS3000's names of gateway, phone and account fields, and slips that are too far for a guess by spelling. */
static const struct {
	const char *theirs, *ours;
} foreign[] = {
	{ "capacity", "line_limit" },	   { "lineCapacity", "line_limit" },   { "channels", "line_limit" },
	{ "maxCallRate", "rate_limit" },   { "cps", "rate_limit" },	       { "remoteIps", "addresses" },
	{ "remoteIp", "address" },	   { "ip", "address" },		       { "host", "address" },
	{ "prefix", "prefixes" },	   { "e164", "number" },
	{ "clearingAccount", "account" },  { "sipTimer", "session_timer" },
	{ "sip100Rel", "rel100" },	   { "sipCodecs", "codecs" },
	{ "localIp", "local_address" },	   { "displayNumber", "display" },     { "money", "balance" },
	{ "scheduledcapacity", "scheduled_line_limits" }, { "maxCallRateUnit", "rate_period" },
	{ "lineCallIn", "lines_in" },	   { "lineCallOut", "lines_out" },
	{ "rewriteRulesOutCaller", "caller_rules" }, { "rewriteRulesOutCallee", "callee_rules" },
	/* Of a phone, into it. */
	{ "rewriteRulesInCaller", "to_caller_rules" }, { "rewriteRulesInCallee", "to_callee_rules" },
	{ "rewriteRulesInCaller", "caller_rules" }, { "rewriteRulesInCallee", "callee_rules" },
	{ "rewriteRulesInCallerUseE164Group", "caller_pool" }, { "rewriteRulesInCallerUseE164GroupLine", "caller_pool_reuse" },
	{ "scheduledrewriterulesin", "scheduled_rules" }, { "scheduledrewriterulesout", "scheduled_rules" },
	{ "calleeE164Restrict", "callee_phones" }, { "groupE164Change", "transform_numbers" }, { "proportionCalleePrefixs", "route_prefixes" },
	{ "proportion", "percent" },	   { "addPrefix", "prefix" },
	{ "calloutCallerPrefixes", "callers_forbidden" }, { "calloutCalleePrefixes", "callees_forbidden" },
	{ "callinCallerPrefixes", "callers_forbidden" }, { "callinCalleePrefixes", "callees_forbidden" },
	{ "callerAllowLength", "caller_lengths" }, { "calleeAllowLength", "callee_lengths" },
	{ "callerLimitE164Groups", "caller_groups_forbidden" }, { "calleeLimitE164Groups", "callee_groups_forbidden" },
	{ "callerE164Check", "caller_kinds" }, { "callerE164CheckEnable", "caller_kinds" },
	{ "callerE164CheckCity", "caller_kinds" }, { "callerE164CheckMobile", "caller_kinds" },
	{ "callerE164CheckOther", "caller_kinds" }, { "calleeE164Check", "callee_kinds" },
	{ "calleeE164CheckEnable", "callee_kinds" }, { "calleeE164CheckCity", "callee_kinds" },
	{ "calleeE164CheckMobile", "callee_kinds" }, { "calleeE164CheckOther", "callee_kinds" },
	{ "denySameCityCodes", "same_city_forbidden" }, { "denySameCityCodesAllow", "same_city_allowed" },
	{ "checkMobileArea", "mobile_areas_forbidden" }, { "checkMobileAreaAllow", "mobile_areas_allowed" },
	{ "rewriteRulesInMobileArea", "add_area_code" }, { "rewriteRulesInMobileAreaAllow", "add_area_code" },
	{ "areaCode", "code" }, { "lrnEnable", "lrn" }, { "lrnEatPrefixLength", "lrn_strip" }, { "lrnFailureAction", "lrn_failure" },
	{ "gatewayGroups", "groups" },	   { "reservedLine", "reserved_lines" },
	{ "limitMoney", "overdraft" },	   { "feeRateGroup", "rate_group" },   { "timeoutInvite", "invite_timeout" },
	{ "timeoutTrying", "trying_timeout" }, { "timeoutRinging", "ringing_timeout" },
	{ "timeoutSessionProgress", "progress_timeout" }, { "timeoutSessionProgressSdp", "progress_sdp_timeout" },
	{ "sipRequestAddressMethod", "request_address" }, { "sipResponseAddressMethod", "response_address" },
	{ "sipDisplay", "send_display" }, { "sipRemotePartyId", "send_remote_party_id" },
	{ "sipPrivacy", "send_privacy" }, { "sipPAssertedIdentity", "send_asserted_identity" },
	{ "sipPPreferredIdentity", "send_preferred_identity" }, { "enablePhoneDisplay", "phone_display" },
	{ "sipCallerE164Domain", "caller_from" }, { "sipCalleeE164Domain", "callee_from" },
	{ "sipPrivacySupport", "recognize_privacy" }, { "forwardSignalRewriteE164Group", "diversion_group" },
	{ "sipAuthenticationMethod", "auth" }, { "sipAuthenticationUser", "user" },
	{ "scheduledCallinPrefixes", "scheduled_prefixes" }, { "scheduledCalloutPrefixes", "scheduled_prefixes" }, { "scheduledPriority", "scheduled_priorities" },
	{ "prefixStyle", "prefix_style" }, { "softswitchName", "node" }, { "denyCallerCallee", "pairs" },
	{ "denyCallerCalleeAllow", "pairs_allow" }, { "routingGatewayGroups", "routing_groups" },
	{ "routingGatewayGroupsAllow", "routing_groups_allow" }, { "firstRoutePolicy", "first_policy" },
	{ "secondRoutePolicy", "second_policy" }, { "firstRoutingPolicy", "first_policy" },
	{ "secondRoutingPolicy", "second_policy" },
	{ "calculateRouteQuality", "quality" }, { "switchAllowRing", "switch_after_ringing" }, { "switchUntilConnect", "switch_after_ringing" },
	{ "switchAllowSdp", "switch_after_sdp" }, { "switchAllowBusy", "switch_after_busy" },
	{ "switchAllowErrorCode", "continue_codes" }, { "stopSwitchSipCodes", "stop_codes" },
	{ "callFailedSipCode", "failed_codes" }, { "sipRemoteRingSignal", "ring_signal" },
	{ "registerType", "register" },
	{ "doNotDisturb", "do_not_disturb" }, { "sipExtraHeader", "extra_headers" }, { "timeoutCallProceeding", "ringing_within" }, { "allowPhoneBilling", "phone_billing" }, { "enablePhoneSetting", "phone_settings" }, { "validTime", "valid_until" }, { "traceEndTime", "trace_until" }, { "useRoutingGatewayNotOnline", "offline_to_gateways" },
	{ "maxCallDurationUpper", "max_duration" }, { "maxCallDurationLower", "max_duration_least" },
	{ "callDurationLimit", "max_duration" },
};

const char *foreign_key(struct span key, unsigned nth)
{
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (span_ieq(key, span_of(foreign[i].theirs)) && nth-- == 0)
			return foreign[i].ours;
	return NULL;
}

/* VOS3000's keys that are read as they stand, for their values are numbers: what each number means, "" = nothing. */
static const struct {
	enum kind kind;
	const char *theirs, *ours, *values;
} numbered[] = {
	{ KIND_MAPPING, "lockType", "locked", "false|||true" },
	{ KIND_ROUTING, "lockType", "locked", "false|||true" },
	{ KIND_PHONE, "lockType", "locked", "none|outbound|inbound|all" },
	{ KIND_ACCOUNT, "lockType", "locked", "false|true" },
};

const char *numbered_key(enum kind kind, struct span key, const char **values_out)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbered); i++) {
		if (kind == numbered[i].kind && span_ieq(key, span_of(numbered[i].theirs))) {
			*values_out = numbered[i].values;
			return numbered[i].ours;
		}
	}
	return NULL;
}
