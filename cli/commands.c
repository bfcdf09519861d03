/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every command, once: dispatch and help follow. */
/* clang-format off */
#include "cli.h"

#define END { .name = NULL }

static const struct cli_option doctor_options[] = {
	{ "root", "DIR", NULL, "look below this folder, such as a copy of another host's /proc and /sys; then without clock and daemon" },
	END,
};
static const struct cli_option explain_options[] = {
	{ "number", "N", NULL, "instead of an ID: the newest traced call of which a number begins or ends so" },
	{ "at", "TIME", NULL, "with --number: the one that was up at this time" },
	{ "language", "en|zh", NULL, "of the sentences; usually en" },
	END,
};
static const struct cli_option diagnose_options[] = {
	{ "all", NULL, NULL, "calls that are as they should be, too" },
	{ "language", "en|zh", NULL, "of the sentences; usually en" },
	END,
};
static const struct cli_option import_options[] = {
	{ "dry-run", NULL, NULL, "check and count, change nothing" },
	END,
};
static const struct cli_option export_options[] = {
	{ "secrets", NULL, NULL, "with passwords, such that the file can be imported again" },
	END,
};
static const struct cli_option gateway_options[] = {
	{ "kind", "mapping|routing", "kind", "only this kind" },
	{ "search", "TEXT", "q", "only those with this in name, account or address" },
	END,
};
static const struct cli_option object_options[] = {
	{ "search", "TEXT", "q", "only those whose name contains this" },
	{ "limit", "N", "limit", "most to show at a time, 1 to 1000; usually 100" },
	{ "after", "NAME", "after", "begin after this one" },
	{ "all", NULL, NULL, "all of them, page by page" },
	END,
};
static const struct cli_option call_options[] = {
	{ "filter", "TEXT", "filter", "only calls with this in a number, gateway or id" },
	{ "limit", "N", "limit", "most to show at a time, 1 to 1000; usually 100" },
	{ "before", "ID", "before", "begin below this call id" },
	{ "all", NULL, NULL, "all of them, page by page" },
	END,
};
static const struct cli_option cdr_options[] = {
	{ "since", "TIME", "since", "arrived at this time or later: \"2h\" (ago), \"2026-11-22 10:00\" (local), or RFC 3339" },
	{ "until", "TIME", "until", "arrived before this time" },
	{ "number", "N", "number", "caller or called number begins so, in any form" },
	{ "gateway", "NAME", "gateway", "came in or went out by this gateway or phone" },
	{ "account", "NAME", "account", "of this account" },
	{ "code", "CODE", "code", "ended with this code: NO_ANSWER" },
	{ "call-id", "ID", "sip_call_id", "SIP Call-ID of either leg" },
	{ "answered", NULL, NULL, "only answered calls" },
	{ "failed", NULL, NULL, "only calls never answered" },
	{ "limit", "N", "limit", "most to show at a time, 1 to 1000; usually 100" },
	{ "before", "ID", "before", "begin below this call id" },
	{ "all", NULL, NULL, "all of them, page by page; with --json one page a line" },
	END,
};
static const struct cli_option route_options[] = {
	{ "from", "GATEWAY|PHONE|ADDRESS", "from", "where the call comes from (required)" },
	{ "caller", "N", "caller", "caller number" },
	{ "callee", "N", "callee", "called number (required)" },
	{ "at", "TIME", "at", "as if it came at this time" },
	{ "lrn", "N", "lrn", "as if the LRN server named this routing number" },
	{ "call", "ID", NULL, "instead of all these: a call that has ended, what became of it beside what would now" },
	END,
};
static const struct cli_option source_options[] = {
	{ "search", "TEXT", "q", "only those with this in address, user, number, product or reason" },
	{ "limit", "N", "limit", "most to show, 1 to 20000; usually 100" },
	END,
};
static const struct cli_option blacklist_options[] = {
	{ "search", "TEXT", "q", "only numbers that contain this" },
	{ "limit", "N", "limit", "most to show, 1 to 70000; usually 100" },
	END,
};
static const struct cli_option blacklist_add_options[] = {
	{ "for", "DURATION", "for", "how long: 30m, 2h, 7d; without it for good" },
	END,
};
static const struct cli_option number_edit_options[] = {
	{ "file", "FILE|-", NULL, "numbers in this file too, separated by blanks, line ends or commas" },
	END,
};
static const struct cli_option audit_options[] = {
	{ "limit", "N", "limit", "most to show, 1 to 1000; usually 100" },
	END,
};
#define TRACE_FILTERS \
	{ "since", "TIME", "since", "up at this time or later: \"2h\" (ago), \"2026-11-22 10:00\" (local), or RFC 3339" }, \
	{ "until", "TIME", "until", "came before this time" }, \
	{ "number", "N", "number", "any of its numbers begins or ends so" }, \
	{ "gateway", "NAME", "gateway", "came in or went out by this gateway or phone" }, \
	{ "account", "NAME", "account", "of this account" }, \
	{ "code", "CODE", "code", "ended with this code: NO_ANSWER" }, \
	{ "address", "ADDRESS", "address", "address of either side, with or without port" }, \
	{ "call-id", "ID", "sip_call_id", "SIP Call-ID of either leg" }, \
	{ "failed", NULL, "failed", "only calls never answered" }, \
	{ "before", "ID", "before", "begin below this call id" }
#define TRACE_PLACE \
	{ "number", "N", NULL, "instead of an ID: the newest call of which a number begins or ends so" }, \
	{ "at", "TIME", NULL, "with --number: the call nearest to this time" }, \
	{ "object", "NAME", NULL, "instead of an ID: what is known of a gateway's state or a user's registrations" }
#define MASK { "mask", NULL, "mask", "without credentials, digest responses, media keys and DTMF" }
static const struct cli_option trace_find_options[] = {
	TRACE_FILTERS,
	{ "limit", "N", "limit", "most to show at a time, 1 to 1000; usually 100" },
	{ "all", NULL, NULL, "all of them, page by page" },
	END,
};
static const struct cli_option trace_show_options[] = { TRACE_PLACE, MASK, END };
static const struct cli_option trace_ladder_options[] = {
	TRACE_PLACE,
	{ "raw", "N", NULL, "instead of the ladder: the message with this number, whole" },
	MASK,
	END,
};
static const struct cli_option trace_export_options[] = {
	{ "output", "FILE", NULL, "the file to write; - = standard output (required)", 'o' },
	TRACE_FILTERS,
	{ "limit", "N", "limit", "the newest so many, 1 to 5000" },
	MASK,
	END,
};
static const struct cli_option trace_follow_options[] = {
	{ "number", "N", "number", "only calls of which a number contains this" },
	{ "gateway", "NAME", "gateway", "only calls of this gateway, and what is noted of it" },
	{ "address", "ADDRESS", "address", "only calls with this address, with or without port" },
	{ "call", "ID", "call", "only this call" },
	{ "call-id", "ID", "sip_call_id", "only the call with this SIP Call-ID" },
	{ "method", "METHOD", "method", "only messages of this method, with their answers" },
	{ "kind", "KIND", "kind", "only these: message, call, admit, route, dial, attempt, answer, timer, end, gateway, register, event" },
	{ "full", NULL, NULL, "messages with their whole text" },
	MASK,
	END,
};
static const struct cli_option trace_on_options[] = {
	{ "minutes", "N", "minutes", "off again after so long; without it it stays on" },
	END,
};
static const struct cli_option trace_gateway_options[] = {
	{ "minutes", "N", "minutes", "for so long; 0 = no longer (required)" },
	END,
};

const struct cli_command cli_commands[] = {
	{ "status", "", 0, 0, "how the switch is doing", NULL, run_status, "causeway status\ncauseway status --json\n" },
	{ "doctor", "", 0, 0, "kernel, clock, disk, limits of this host: what to set and why; changes nothing", doctor_options,
	  run_doctor, "causeway doctor\n" },
	{ "explain", "[ID]", 0, 1, "why a call went as it did, up or over: cause, evidence, what to do, and whether it would pass now",
	  explain_options, run_explain, "causeway explain 06a1f3c2d4000001\ncauseway explain --number 88017 --at \"2026-11-22 10:00\"\n" },
	{ "diagnose", "FILE|-", 1, 1, "what went wrong with the calls in a capture (pcap, pcapng), and why; needs no daemon", diagnose_options,
	  run_diagnose, "causeway diagnose call.pcap\ncauseway --json diagnose call.pcapng\n" },
	{ "config import", "FILE|-", 1, 1, "put a whole configuration in force", import_options, run_config_import,
	  "causeway config import causeway.yaml\ncauseway config import - --dry-run < causeway.yaml\n" },
	{ "config export", "", 0, 0, "print the configuration in force", export_options, run_config_export,
	  "causeway config export > review.yaml\ncauseway config export --secrets > backup.yaml\n" },
	{ "config check", "FILE|-", 1, 1, "check a configuration; needs no daemon", NULL, run_config_check,
	  "causeway config check causeway.yaml\n" },
	{ "gateway list", "", 0, 0, "mapping and routing gateways with their load", gateway_options, run_gateway_list,
	  "causeway gateway list --kind routing\ncauseway gateway list --search acme\n" },
	{ "gateway show", "NAME", 1, 1, "everything about one gateway", NULL, run_gateway_show, "causeway gateway show acme-in\n" },
	{ "group list", "", 0, 0, "gateway groups with their load", object_options, run_group_list, "causeway group list\n" },
	{ "gateway test", "NAME", 1, 1, "names, ping, connection, certificate, OPTIONS of a routing gateway, and what they mean", NULL,
	  run_gateway_test, "causeway gateway test a-1\ncauseway gateway test a-1 --json\n" },
	{ "phone list", "", 0, 0, "phones with their load", object_options, run_phone_list, "causeway phone list --search 10\n" },
	{ "account list", "", 0, 0, "accounts", object_options, run_account_list, "causeway account list\n" },
	{ "registration list", "", 0, 0, "phones and gateways registered now", NULL, run_registration_list, "causeway registration list\n" },
	{ "registration show", "NAME", 1, 1, "the contacts of one phone or gateway", NULL, run_registration_show,
	  "causeway registration show 1001\n" },
	{ "registration analyze", "[NUMBER]", 0, 1, "why it is not registered, or all that fail, and what to do", NULL,
	  run_registration_analyze, "causeway registration analyze\ncauseway registration analyze 1001\n" },
	{ "registration suspended", "", 0, 0, "who waits after failed registrations or calls", NULL, run_registration_suspended,
	  "causeway registration suspended\n" },
	{ "registration unsuspend", "[NUMBER]", 0, 1, "let it, or all, try again at once", NULL, run_registration_unsuspend,
	  "causeway registration unsuspend 1001\n" },
	{ "source list", "", 0, 0, "refused and unknown sources, newest first, with the nearest match", source_options,
	  run_source_list, "causeway source list\ncauseway source list --search 203.0.113.\n" },
	{ "source clear", "[ADDRESS]", 0, 1, "forget refused and unknown sources", NULL, run_source_clear,
	  "causeway source clear\ncauseway source clear 203.0.113.9\n" },
	{ "blacklist list", "", 0, 0, "numbers on the dynamic blacklist, newest first", blacklist_options, run_blacklist_list,
	  "causeway blacklist list\ncauseway blacklist list --search 4930\n" },
	{ "blacklist add", "caller|callee NUMBER", 2, 2, "blacklist a number; kept over restarts", blacklist_add_options,
	  run_blacklist_add, "causeway blacklist add caller 4930123456\ncauseway blacklist add callee 88019 --for 2h\n" },
	{ "blacklist remove", "caller|callee NUMBER", 2, 2, "take a number off the dynamic blacklist", NULL,
	  run_blacklist_remove, "causeway blacklist remove caller 4930123456\n" },
	{ "number-group list", "[NAME]", 0, 1, "number groups, or the numbers of one, one a line", object_options, run_number_group_list,
	  "causeway number-group list\ncauseway number-group list vip --all > vip.txt\n" },
	{ "number-group add", "NAME [NUMBER...]", 1, ARGS_MAX, "add numbers to a group; in force at once", number_edit_options,
	  run_number_group_add, "causeway number-group add vip 4930123456 4930123457\ncauseway number-group add vip --file new.txt\n" },
	{ "number-group remove", "NAME [NUMBER...]", 1, ARGS_MAX, "take numbers out of a group", number_edit_options,
	  run_number_group_remove, "causeway number-group remove vip 4930123456\n" },
	{ "area list", "[CODE]", 0, 1, "areas, or how mobile numbers of one begin", object_options, run_area_list,
	  "causeway area list --search 07\ncauseway area list 010\n" },
	{ "area find", "NUMBER", 1, 1, "what a number is by the areas: fixed, mobile or other, and where", NULL, run_area_find,
	  "causeway area find 13801012345\n" },
	{ "area import", "FILE|-", 1, 1, "put mobile numbers' beginnings into areas, from lines such as 1380101,021", NULL, run_area_import,
	  "causeway area import areas.csv\n" },
	{ "call list", "", 0, 0, "live calls, newest first", call_options, run_call_list,
	  "causeway call list --filter 88017\ncauseway call list --all\n" },
	{ "call show", "ID", 1, 1, "one live call", NULL, run_call_show, "causeway call show 06a1f3c2d4000001\n" },
	{ "call hangup", "ID", 1, 1, "hang up a live call", NULL, run_call_hangup, "causeway call hangup 06a1f3c2d4000001\n" },
	{ "cdr list", "", 0, 0, "records of ended calls, newest first", cdr_options, run_cdr_list,
	  "causeway cdr list --since 2h --failed\ncauseway cdr list --number 88017 --gateway a-1\n"
	  "causeway cdr list --since 2026-11-22 --all --json\n" },
	{ "cdr show", "ID", 1, 1, "the record of one call with its attempts", NULL, run_cdr_show,
	  "causeway cdr show 06a1f3c2d4000001\n" },
	{ "parameter list", "[SEARCH]", 0, 1, "parameters: value, default, range, VOS3000 name", NULL, run_parameter_list,
	  "causeway parameter list ringing\ncauseway parameter list SS_SIP_TIMEOUT_INVITE\n" },
	{ "route test", "", 0, 0, "what would become of such a call, and why; makes none", route_options, run_route_test,
	  "causeway route test --from acme-in --caller 31612345678 --callee 8801712345678\n"
	  "causeway route test --from 203.0.113.8 --callee 8801712345678 --at \"2026-11-22 03:00\"\n"
	  "causeway route test --call 06a1f3c2d4000001\n" },
	{ "trace show", "[ID]", 0, 1, "every message and decision of a call, by its id or SIP Call-ID", trace_show_options, run_trace_show,
	  "causeway trace show 06a1f3c2d4000001\ncauseway trace show --number 88017 --at \"2026-11-22 10:00\"\n"
	  "causeway trace show --object 1001\n" },
	{ "trace ladder", "[ID]", 0, 1, "the same as a ladder: caller, switch, and every attempt side by side", trace_ladder_options,
	  run_trace_ladder, "causeway trace ladder 06a1f3c2d4000001\ncauseway trace ladder 06a1f3c2d4000001 --raw 7\n" },
	{ "trace find", "", 0, 0, "calls of which there is a trace, newest first", trace_find_options, run_trace_find,
	  "causeway trace find --number 88017 --since 2h\ncauseway trace find --failed --gateway a-1\n" },
	{ "trace follow", "", 0, 0, "messages and decisions as they pass", trace_follow_options, run_trace_follow,
	  "causeway trace follow --number 88017\ncauseway trace follow --gateway a-1 --method INVITE\n" },
	{ "trace export", "[ID]", 0, 1, "one call, or those that filters choose, as a file for Wireshark and sngrep", trace_export_options,
	  run_trace_export, "causeway trace export 06a1f3c2d4000001 -o call.pcapng --mask\n"
	  "causeway trace export --failed --since 1h -o - | tshark -r -\n" },
	{ "trace on", "", 0, 0, "trace, for good or for some minutes", trace_on_options, run_trace_on, "causeway trace on --minutes 60\n" },
	{ "trace off", "", 0, 0, "trace no longer; what there is stays", NULL, run_trace_off, "causeway trace off\n" },
	{ "trace status", "", 0, 0, "whether it is on, what it holds, what was dropped", NULL, run_trace_status, "causeway trace status\n" },
	{ "trace pin", "ID", 1, 1, "keep the trace of this call beyond its age", NULL, run_trace_pin, "causeway trace pin 06a1f3c2d4000001\n" },
	{ "trace unpin", "ID", 1, 1, "let it age as others do", NULL, run_trace_unpin, "causeway trace unpin 06a1f3c2d4000001\n" },
	{ "trace gateway", "NAME", 1, 1, "trace the calls of a gateway for some minutes while the trace is off", trace_gateway_options,
	  run_trace_gateway, "causeway trace gateway a-1 --minutes 30\n" },
	{ "audit list", "", 0, 0, "who changed what, newest first", audit_options, run_audit_list, "causeway audit list --limit 20\n" },
	{ "openapi", "", 0, 0, "the API's OpenAPI 3.1 document", NULL, run_openapi, "causeway openapi > openapi.json\n" },
};
const size_t cli_command_count = ARRAY_SIZE(cli_commands);
