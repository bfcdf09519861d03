/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model: the configuration as an immutable snapshot, the load that lives beside it, and the
 * names of how calls end.
 *
 * A snapshot is built whole from the objects (YAML file, database or API, all through
 * model_load), indexed, and swapped in; readers count references. Strings and pointers in it
 * live as long as the snapshot. Load (lines in use, rates, health, bindings of phones) outlives snapshots: an object
 * keeps its load for as long as an object of its kind and name exists. */
#ifndef CAUSEWAY_MODEL_H
#define CAUSEWAY_MODEL_H

#include "base/base.h"
#include "model/health.h"
#include "number/number.h"

#include <netinet/in.h>
#include <stdatomic.h>

/* ---- end codes -------------------------------------------------------------------- */

enum end_side { SIDE_CALLER, SIDE_CALLEE, SIDE_SWITCH, SIDE_NETWORK };
enum end_code {
	END_NONE,
#define END_CODE(name, side, sip, q850, sentence) END_##name,
#include "model/endcodes.def"
#undef END_CODE
	END_CODES
};
struct end_code_info {
	const char *name;
	enum end_side side;
	uint16_t sip;
	uint8_t q850;
	const char *sentence;
};
const struct end_code_info *end_code_info(enum end_code code);
/* END_NONE when unknown. */
enum end_code end_code_find(struct span name);
const char *end_side_name(enum end_side side);	/* "caller", "callee", "switch", "network" */
/* RFC 3398 7.2.4.1 and 8.2.6.1: Q.850 to SIP status and back (failures.md's table). */
int q850_to_sip(int cause);
int sip_to_q850(int status);

/* ---- load ------------------------------------------------------------------------- */

/* Any thread; no locks. */
struct load {
	atomic_int lines;		/* calls in use now */
	atomic_int peak_lines;
	_Atomic uint64_t calls;		/* taken since start */
	_Atomic uint64_t answered, failed, refused_lines, refused_rate;
	_Atomic uint64_t last_call_us;	/* UTC */
	_Atomic uint64_t rate_state;	/* token bucket: see load_take_rate */
};
/* Take one line unless `limit` (0 = none) lines are in use. */
bool load_take_line(struct load *load, int limit);
void load_give_line(struct load *load);
/* Token bucket: `calls` (0 = no limit) a period, `burst` of them at once (0 = a period's worth). */
struct call_rate {
	uint32_t calls, burst, period_s;	/* at most 10^6, 10^6, and 1..86400 */
};
bool load_take_rate(struct load *load, const struct call_rate *rate, uint64_t now_us);
/* How long until load_take_rate would succeed; 0 = it would now. Takes and counts nothing. */
uint64_t load_rate_wait(const struct load *load, const struct call_rate *rate, uint64_t now_us);
/* How often it would succeed now. calls > 0. */
uint32_t load_rate_left(const struct load *load, const struct call_rate *rate, uint64_t now_us);
/* Undo a load_take_rate of this moment, when something else that the call needs was refused. */
void load_give_rate(struct load *load, const struct call_rate *rate);
/* Count a call that was taken (load_take_* do not: they may be undone). utc_us 0 = unknown. */
void load_count_call(struct load *load, uint64_t utc_us);

/* What became of a routing gateway's attempts over the last quality_window, in quality_buckets stretches. Any thread;
 * no locks. Times are monotonic. */
#define QUALITY_BUCKETS_MAX 12
struct load_quality {
	struct quality_bucket {
		_Atomic uint32_t stretch;	/* which one it counts */
		_Atomic uint32_t attempts, responded, connected, answered, talks;
		_Atomic uint64_t pdd_us, talk_us;
	} buckets[QUALITY_BUCKETS_MAX];
};
struct quality_attempt {
	bool responded;			/* the gateway sent anything at all */
	bool connected;			/* ringing or better */
	bool answered;
	uint64_t pdd_us;		/* when connected: start to first ringing, early media or answer */
};
struct quality {			/* sums */
	uint32_t attempts, responded, connected, answered, talks;
	uint64_t pdd_us, talk_us;
};
struct model_params;
void quality_count_attempt(struct load_quality *q, const struct model_params *p, uint64_t mono_us,
			   const struct quality_attempt *attempt);
/* An answered call ended. */
void quality_count_talk(struct load_quality *q, const struct model_params *p, uint64_t mono_us, uint64_t talk_us);
void quality_read(const struct load_quality *q, const struct model_params *p, uint64_t mono_us, struct quality *out);

/* ---- registrations ------------------------------------------------------------------ */

/* Where a registered device (phone, dynamic gateway) can be reached: one contact of it (RFC 3261 10.3). */
struct binding {
	char contact[192];		/* URI as registered */
	char path[256];			/* Path (RFC 3327) as it stands in a Route header; "" = none */
	char user_agent[64];
	char call_id[128];
	uint32_t cseq;
	uint32_t q;			/* thousandths, 0..1000 */
	uint8_t flow[96];		/* struct net_flow, opaque here */
	uint64_t natted;		/* 1: the Contact is not where the REGISTER came from */
	uint64_t expires_us;		/* monotonic */
	uint64_t registered_utc_us;
	uint64_t answers;		/* 1: it has answered an OPTIONS of ours */
	uint64_t unreachable_utc_us;	/* since when it does not any more; 0 = it does, or was never asked */
};
#define BINDINGS_MAX 8
struct bindings {
	unsigned n;
	struct binding binding[BINDINGS_MAX];	/* best first: by q, then newest */
};

/* The contacts of one device: written by whichever worker took its REGISTER, read by any. A sequence lock;
 * readers never wait, they retry while a write of a few hundred bytes is under way. For a gateway that we register at
 * (RFC 3261 10.2) only the end of the registration stands here. Lives as long as the object's load. */
struct registration;
struct registration *load_registration(struct load *load);
void registration_read(struct registration *r, struct bindings *out);
/* Is anything bound? */
bool registration_is_live(const struct registration *r, uint64_t mono_us);
/* Is anything bound that is not unreachable, or are we registered there? What a plan asks; costs one load. */
bool registration_is_reachable(const struct registration *r, uint64_t mono_us);
/* Is one bound that is unreachable? May be a little late. */
bool registration_is_silent(const struct registration *r);
/* Is one bound that is behind a NAT? May be a little late. */
bool registration_is_natted(const struct registration *r);
/* Registered at a vendor until then; 0 = not. `route`: its Service-Route (RFC 3608), the path of the one binding then; "" =
 * none, and no binding. 0, or -ENOMEM and nothing is written. */
int registration_set_outbound(struct registration *r, uint64_t until_us, const char *route);
/* `change` gets the present contacts and makes of them those to be; it is called once, with other writers kept waiting,
 * so it must be quick. When it returns anything but 0, nothing is written and that is returned. -ENOMEM. */
int registration_update(struct registration *r, int (*change)(void *arg, struct bindings *all), void *arg);
/* Drop what has expired; what is unreachable. */
void bindings_prune(struct bindings *all, uint64_t mono_us);
void bindings_drop_silent(struct bindings *all);
/* For whoever keeps them on disk: true once after each change. */
bool registration_take_changed(struct registration *r);
void registration_set_changed(struct registration *r);

/* ---- pools of caller numbers ------------------------------------------------------- */

/* How many calls use each number of a number group, by its place in the group. Any thread; no locks. What is taken
 * stays counted while configurations change: a number keeps its count for as long as a caller pool of that name lists it. */
struct number_pool;
/* One more call uses the first number at or behind place `start` (any value; wraps around) that fewer than `reuse` calls
 * use, 0 = no limit. Its place, or -1: there is none. Walks at most once over the group. */
int64_t pool_take(struct number_pool *pool, uint64_t start, unsigned reuse);
/* The same, but nothing is taken: for whoever only asks. */
int64_t pool_look(const struct number_pool *pool, uint64_t start, unsigned reuse);
void pool_give(struct number_pool *pool, int64_t place);
/* Where to start when numbers are used in turn. */
uint64_t pool_turn(struct number_pool *pool);

/* ---- objects ---------------------------------------------------------------------- */

/* Dates that are not what their weekday says. Without one, Monday to Friday are work days. */
struct model_calendar {
	const char *name;
	unsigned n_holidays, n_work_days;
	int32_t *holidays, *work_days;	/* days since 1970-01-01, rising */
	const char *memo;
};

/* Hours of some days. `to` before `from` is on the day after; the day is the one on which the window opened. */
#define MODEL_WORK_DAY 7		/* bit of `days` after those of Sunday (0) to Saturday (6) */
#define MODEL_HOLIDAY 8
struct model_window {
	uint32_t days;			/* bit per weekday; work days and holidays as `calendar` has them */
	uint32_t from, to;		/* seconds of the day; to: up to 86400 */
	const struct model_calendar *calendar;	/* NULL = none */
};
/* Is the window open at that moment, by that zone's clocks? Pure. */
bool model_window_holds(const struct model_window *window, const struct zone *zone, uint64_t utc_us);

struct model_limit_window {
	struct model_window when;
	int line_limit;
};
struct model_rate_window {
	struct model_window when;
	struct call_rate rate;
};
struct model_limits {
	int line_limit;			/* most simultaneous calls; 0 = none */
	struct call_rate rate;
	unsigned n_scheduled, n_scheduled_rates;
	struct model_limit_window *scheduled;	/* the first that holds replaces line_limit */
	struct model_rate_window *scheduled_rates;	/* the first that holds replaces rate */
};
/* The limits in force at that moment. */
int model_line_limit(const struct model_limits *limits, const struct zone *zone, uint64_t utc_us);
struct call_rate model_call_rate(const struct model_limits *limits, const struct zone *zone, uint64_t utc_us);

/* A moment as written: "2026-12-31", "2026-12-31 18:00", or RFC 3339. */
struct model_moment {
	const char *text;		/* NULL or "" = none is given */
	int64_t second;			/* since 1970, of UTC or of the clocks on the wall; 0 = none is given */
	bool local;
	uint64_t utc_us;		/* derived; 0 = none */
};

struct model_account {
	const char *name;
	const char *kind;		/* "customer", "agent", "vendor" */
	bool locked;
	int64_t balance, overdraft;	/* 10^-8 units */
	const struct model_rate_group *rate_group;	/* NULL = none */
	struct model_moment valid_until;	/* from then on it has no calls */
	const struct zone *zone;	/* NULL = the system's */
	struct model_limits limits;	/* of the calls it makes, or of those to its routing gateways */
	const char *memo;
	struct load *load;
};

/* Is its time over at that moment? NULL: no. Pure. */
bool model_account_expired(const struct model_account *account, uint64_t utc_us);

struct model_group {			/* gateways that share one limit */
	const char *name;
	struct model_limits limits;
	const char *memo;
	struct load *load;
};

struct model_number_group {		/* a list of numbers, for whoever names it */
	const char *name;
	const struct number_set *numbers;	/* whole ones; NULL = none */
	const struct number_set *prefixes;	/* beginnings; NULL = none */
	const char *memo;
	struct number_pool *pool;	/* NULL: no gateway takes callers from it */
};
/* Is the number in the group, by itself or by its beginning? */
bool model_number_in(const struct model_number_group *group, struct span number);

/* A city or district: the area code that its numbers begin with, and the mobile numbers that belong to it. */
struct model_area {
	const char *code;
	const char *place;		/* its name; NULL = none given */
	const struct number_set *mobiles;	/* how they begin; NULL = none */
	const char *memo;
};
/* What a number is by the areas: it begins with an area code, or as a mobile number, which may have a 0 before it. The
 * longest beginning counts. */
enum number_kind { NUMBER_FIXED = 1, NUMBER_MOBILE = 2, NUMBER_OTHER = 4 };	/* bits */
struct model_place {
	enum number_kind kind;
	const struct model_area *area;	/* NULL: other */
	unsigned skip;			/* of a mobile number: 1 = a 0 stands before it */
};
struct model;
struct model_place model_place(const struct model *m, struct span number);
const char *number_kind_name(enum number_kind kind);	/* "fixed", "mobile", "other" */
/* Areas, by how their codes begin: if `only` is given one of those, and none of `not_of`. */
struct model_area_choice {
	const struct number_set *only, *not_of;	/* NULL = not given */
};

struct model_number_list {
	unsigned n;
	const struct model_number_group **groups;
};
/* The first of the groups that the number is in, or NULL. */
const struct model_number_group *model_number_listed(const struct model_number_list *list, struct span number);

enum callee_phones { CALLEE_ANY, CALLEE_PHONES_ONLY, CALLEE_NO_PHONES };

/* Which callers, or which callees, a gateway or phone permits. What is empty permits all. */
struct model_permitted {
	const struct number_set *allowed, *forbidden;	/* beginnings */
	uint64_t lengths;		/* bit n: n characters, bit 63: 63 and more; 0 = any */
	int kinds;			/* enum number_kind; 0 = any */
	struct model_number_list groups_allowed, groups_forbidden;
};
struct model_numbers {
	struct model_permitted caller, callee;
	struct model_area_choice same_city;	/* where caller and callee may both be */
	struct model_area_choice mobile_areas;	/* where a callee may be that is a mobile number */
	struct model_area_choice add_area_code;	/* mobile callees that get it, after the rules; none when nothing is given */
	int callee_phones;		/* enum: of a caller's side, the called number as routed */
	bool transform;			/* whole numbers by the number transform table, before the rules */
	const struct dial_rules *caller_rules, *callee_rules;	/* NULL = none */
	unsigned n_scheduled;
	struct model_rule_window *scheduled;	/* the first that is open replaces those of the two that it has */
};
struct model_rule_window {
	struct model_window when;
	const struct dial_rules *caller_rules, *callee_rules;
};
struct model_rules {
	const struct dial_rules *caller, *callee;
};
/* The dial rules in force at that moment. */
struct model_rules model_rules(const struct model_numbers *numbers, const struct zone *zone, uint64_t utc_us);
/* Those of calls to this phone. */
struct model_phone;
struct model_rules model_rules_to(const struct model_phone *phone, const struct zone *zone, uint64_t utc_us);

/* Whole numbers that stand for one another: one of ours, the caller by which a mapping gateway knows it, the callee by
 * which a routing gateway does. */
struct model_transform {
	const char *number;
	const char *mapping_caller, *routing_callee;	/* NULL = none */
};

/* So many of a hundred callees get this prefix. */
struct model_share {
	uint32_t percent;
	const char *prefix;
};

struct model_rate {
	const char *prefix;
	int64_t price;			/* 10^-8 units per minute */
	uint32_t period;		/* seconds */
};
struct model_rate_group {
	const char *name;
	unsigned n_rates;
	struct model_rate *rates;	/* sorted by prefix */
	const char *memo;
};

enum model_proto { PROTO_UDP, PROTO_TCP, PROTO_TLS };	/* as enum net_proto */

/* An address of a mapping gateway: a host or a network, optionally one port, which must then be
 * the source's, whatever the way of authentication. AUTH_ADDRESS_PORT demands one in each address. */
struct model_address {
	bool ip6;
	uint8_t bytes[16];
	uint8_t prefix_len;		/* 32 or 128 for a host */
	uint16_t port;			/* 0 = any */
	const char *text;
};

/* A range of addresses: its ends as family and bytes, so that they compare as they stand. */
#define RANGE_END 17
struct model_range {
	uint8_t first[RANGE_END], last[RANGE_END];
	const char *text;		/* as written: "203.0.113.0/24", "192.0.2.1-192.0.2.9" */
};
struct model_address_list {		/* a place on the map, a customer's networks, known attackers */
	const char *name;
	unsigned n_ranges;
	struct model_range *ranges;	/* as written */
	const uint32_t *order, *reach;	/* see ranges.c */
	const char *memo;
};
/* The range of the list that the source is in, as written, or NULL. O(log n). */
const char *model_list_range(const struct model_address_list *list, const struct sockaddr *source);
/* Where a source may be: in none of `forbid`, and if there are any in one of `allow`. */
struct model_fence {
	unsigned n_allow, n_forbid;
	const struct model_address_list **allow, **forbid;
};

struct model_timeouts {			/* 0 = the system's */
	uint64_t invite_us, trying_us, progress_us, progress_sdp_us, ringing_us;
};

/* What a side is shown of the caller: by trust_identity, not at all, as received, or his number. */
enum send_identity { SEND_AUTO, SEND_OFF, SEND_PASS, SEND_CALLER };
enum send_privacy { SEND_PRIVACY_AUTO, SEND_PRIVACY_OFF, SEND_PRIVACY_PASS, SEND_PRIVACY_ID, SEND_PRIVACY_NONE };
struct model_shown {
	bool display, remote_party_id;
	int privacy;			/* enum send_privacy */
	int asserted, preferred;	/* enum send_identity */
	int diversion;			/* SEND_AUTO = by pass_headers, SEND_OFF, SEND_PASS */
};
/* Where a mapping gateway's numbers are read from. */
enum caller_from {
	CALLER_FROM_FROM, CALLER_FROM_REMOTE_PARTY_ID, CALLER_FROM_DISPLAY, CALLER_FROM_ASSERTED, CALLER_FROM_PREFERRED
};
enum callee_from { CALLEE_FROM_REQUEST_URI, CALLEE_FROM_TO, CALLEE_FROM_DIVERSION };

/* What both gateway kinds (and phones) say about SIP toward that peer. */
struct model_sip {
	const char *codecs;		/* "PCMA,PCMU" in order; NULL = all as offered */
	int timer;			/* -1 = system's, 0 off, 1 on */
	int rel100;			/* enum: 0 off, 1 supported, 2 required */
	bool update, info;		/* may be used toward and taken from this peer */
	int request_address, response_address;	/* 0 source socket, 1 source host + given port, 2 as written */
	bool keep_udp;			/* never switch a large request to TCP */
	bool trust_identity;		/* P-Asserted-Identity, Privacy pass to and from this side; it keeps them to itself */
	struct model_shown shown;	/* routing gateways and phones */
	const char *pass_headers;	/* "User-to-User,X-*": those both sides list pass; NULL = none */
};

/* The header (a static text) if one of this name never passes from one side of a call to the other, else NULL. */
const char *model_header_refused(struct span name);
/* Is the header named by `list` (a pass_headers)? */
bool model_header_listed(const char *list, struct span name);

/* Is this SIP status in a list such as "503,480-489" (NULL = none)? */
bool model_code_listed(const char *list, int status);
/* What stands for this status in a map such as "404:503,0:480": 0 before the colon = all others, behind it = as it
 * is (NULL = all are). */
int model_code_replaced(const char *map, int status);

/* What of the system's rules of failover a routing gateway overrides. -1 = the system's, 0 = stop, 1 = go on. */
struct model_failover {
	int after_ringing, after_sdp, after_busy;
	const char *stop_codes, *continue_codes;	/* "503,480-489"; NULL = none */
};

/* The longest talk time of a call, drawn between the two; least 0 = always `most`, which is 0 for the system's. */
struct model_duration {
	uint64_t least_us, most_us;
};
/* 0 = none of its own. Pure: the same `random` gives the same. */
uint64_t model_max_duration(const struct model_duration *duration, uint64_t random);

/* Number portability: an LRN server is asked for the number that a call is routed by. */
enum lrn_failure { LRN_REJECT, LRN_CONTINUE };
struct model_lrn {
	bool on;
	uint32_t strip;			/* characters of the called number that the server is not told */
	int failure;			/* enum lrn_failure: what becomes of the call when it does not answer */
};

/* Which routing gateways a caller's calls may use, and in which order. */
enum route_policy { POLICY_NONE, POLICY_ASR, POLICY_ACD, POLICY_PDD, POLICY_COST };
struct model_routes {
	unsigned n_groups;		/* 0 = any gateway */
	const struct model_group **groups;
	bool allow;			/* only those in one of the groups; false: all but those in any */
	int policy[2];			/* enum route_policy, the first before the second */
};

/* "025:010": a caller's prefix and a called number's. */
struct model_pair {
	const char *caller, *callee;
};

/* While the window is open: which callers' or called numbers a gateway takes, or does not. */
struct model_prefix_window {
	struct model_window when;
	int allow;			/* 0 = not those that one of the prefixes begins, 1 = only those */
	int of_caller;			/* 0 = of the called number, 1 = of the caller's */
	unsigned n_prefixes;
	const char **prefixes;
};
struct model_priority_window {
	struct model_window when;
	int priority;
};

enum prefix_style { PREFIX_CONTINUES, PREFIX_TERMINATES };

/* How a caller hears that it rings: as the gateway says, or always with a session description. */
enum ring_signal { RING_PASS, RING_183_SDP, RING_180_SDP };

enum register_type { REGISTER_STATIC, REGISTER_DYNAMIC, REGISTER_OUTBOUND };
/* How a device's address is known: configured, by its registration here, or we register there. */
struct model_register {
	int type;			/* enum register_type */
	int max_contacts;		/* 0 = the system's */
	uint64_t min_expiry_us, max_expiry_us;	/* of what is granted; 0 = the system's */
};

enum mapping_auth { AUTH_ADDRESS, AUTH_ADDRESS_PORT, AUTH_DIGEST };

struct model_mapping {			/* mapping gateway: where calls come in */
	const char *name;
	const struct model_account *account;	/* NULL = none */
	bool locked;
	const char *node;		/* its calls are taken by this node alone; NULL = by all */
	enum mapping_auth auth;
	unsigned n_addresses;
	struct model_address *addresses;	/* with AUTH_DIGEST: where it may come from; none = anywhere */
	const char *user, *password;
	struct model_register reg;
	struct model_limits limits;
	unsigned n_groups;
	const struct model_group **groups;
	int reserved_lines;		/* of each of its groups must be free, else it takes no call */
	struct model_fence fence;
	struct model_numbers numbers;
	unsigned n_scheduled_prefixes;
	struct model_prefix_window *scheduled_prefixes;	/* numbers permitted at certain times */
	unsigned n_shares;
	struct model_share *shares;	/* route prefixes for the callee */
	struct model_sip sip;
	int caller_from, callee_from;	/* enums */
	bool blacklist_exempt;		/* from the rules of the dynamic blacklist */
	bool recognize_privacy;		/* its callers may ask for privacy */
	struct model_duration max_duration;
	int ring_signal;		/* enum ring_signal */
	const char *failed_codes;	/* statuses of failed calls replaced: "404:503"; NULL = none */
	bool reason_text;		/* our end code in the Reason header */
	uint64_t ringing_within_us;	/* its calls ring, have early media or are answered by then; 0 = whenever */
	struct model_lrn lrn;
	bool phone_billing, phone_settings;	/* of a calling phone of ours: its account pays, its settings hold too */
	struct model_routes routes;
	struct model_moment trace_until;	/* its calls are traced until then, even while trace is off */
	const char *memo;
	struct load *load;
};

struct model_routing {			/* routing gateway: where calls go out */
	const char *name;
	const struct model_account *account;
	/* What a route plan asks of each candidate stands here, in as few cache lines as may be. */
	struct load *load;
	struct load_quality *quality;
	struct health *health;
	bool locked;
	bool protect;
	bool restricted;		/* derived: node, pairs, schedule or numbers may keep it from a call */
	bool plain;			/* derived: nothing but its own line_limit and its health may keep it from one */
	uint32_t rank;			/* derived: its place among all by name */
	int prefix_style;		/* enum prefix_style: after its failure shorter prefixes of others are (not) tried */
	int priority;			/* smaller first */
	unsigned n_scheduled_priorities, n_groups;
	struct model_priority_window *scheduled_priorities;	/* the first that holds replaces priority */
	const struct model_group **groups;
	struct model_limits limits;
	struct model_register reg;
	const char *host;		/* address literal or name; NULL when it registers here */
	uint16_t port;			/* 0 = by DNS, or the transport's default */
	int proto;			/* enum model_proto, -1 = by DNS, or UDP */
	const char *local_address;	/* listening address to send from; NULL = by route */
	unsigned n_prefixes;
	const char **prefixes;		/* "" matches every number */
	const char *node;		/* serves calls of this node alone; NULL = of all */
	unsigned n_pairs;
	struct model_pair *pairs;
	bool pairs_allow;		/* takes only calls that a pair fits; false: all but those */
	unsigned n_scheduled_prefixes;
	struct model_prefix_window *scheduled_prefixes;
	int reserved_lines;
	struct model_numbers numbers;
	const struct model_number_group *caller_pool;	/* callers are taken from here; NULL = none */
	uint32_t caller_pool_reuse;	/* calls that may use one of them at once; 0 = any number */
	const struct model_number_group *diversion_group;	/* stands for who diverted a call; NULL = nobody does */
	bool options_check;
	struct model_timeouts timeouts;
	struct model_sip sip;
	const char *user, *password;	/* digest as client; when it registers here, its own (user NULL = its name) */
	const char *registrar;		/* where we register: "host", "host:port"; NULL = at its address */
	const char *registrar_host;	/* the same, read */
	uint16_t registrar_port;	/* 0 = by DNS, or the transport's default */
	bool ims;			/* we register as 3GPP TS 24.229 has it */
	const char *public_user;	/* then: what we register, where it is not `user`; NULL = user */
	const char *access_network;	/* P-Access-Network-Info of registrations and calls; NULL = none */
	const char *from_host;		/* host of the caller's number; NULL = our address */
	const char *extra_headers;	/* lines of INVITEs to it, each with its CRLF; NULL = none */
	bool send_npdi;			/* of a dip it hears in the Request-URI (RFC 4694) */
	bool phone_display;		/* a phone's display number stands for its own */
	int follow_redirects;		/* -1 = the system's */
	struct model_failover failover;
	int quality_counts;		/* live quality: -1 = the system's route_quality, 0 off, 1 on */
	struct model_duration max_duration;
	struct model_moment trace_until;	/* as in model_mapping */
	const char *memo;
};

enum phone_lock { PHONE_LOCK_OUTBOUND = 1, PHONE_LOCK_INBOUND = 2, PHONE_LOCK_ALL = 3 };	/* bits */

struct model_phone {
	const char *number;
	const struct number_set *dids;	/* further numbers that it is called at; NULL = none */
	const struct model_account *account;
	int locked;			/* enum phone_lock; 0 = not */
	bool do_not_disturb;		/* calls to it are told that it is busy */
	const char *memo;
	bool offline_to_gateways;	/* while it is not registered, gateways may take calls to its number */
	const char *password;
	const char *display;
	struct model_register reg;
	const char *address;		/* of a static phone: "host", "host:port"; else NULL */
	struct model_limits limits;	/* of calls from and to it together */
	struct model_duration max_duration;	/* of calls from it and to it */
	int lines_in, lines_out;	/* of those to it, from it; 0 = no limit of its own */
	struct model_fence fence;	/* where it may register and call from */
	struct model_numbers numbers;	/* of the calls that it makes */
	const struct dial_rules *to_caller_rules, *to_callee_rules;	/* for the calls to it */
	unsigned n_to_scheduled;
	struct model_rule_window *to_scheduled;	/* as model_numbers' */
	struct model_sip sip;
	struct model_routes routes;
	struct model_lrn lrn;
	const char *from_host;		/* as in model_routing, when it is called */
	struct load *load;
};

struct model_params {
#define PARAM_DURATION uint64_t
#define PARAM_COUNT uint64_t
#define PARAM_BOOL bool
#define PARAM_TEXT const char *
#define PARAM_CODES const char *
#define PARAM_NAMES const char *
#define PARAM_INTERVALS const char *
#define PARAM_LEVEL const char *
#define PARAM_MOMENT struct model_moment
#define PARAM_SECRET const char *
#define PARAM_COLLECTORS const char *
#define PARAM(name, type, def, least, most, vos, help) PARAM_##type name;
#include "model/params.def"
#undef PARAM
};

enum param_type {
	PARAM_TYPE_DURATION,
	PARAM_TYPE_COUNT,
	PARAM_TYPE_BOOL,
	PARAM_TYPE_TEXT,
	PARAM_TYPE_CODES,
	PARAM_TYPE_NAMES,
	PARAM_TYPE_INTERVALS,
	PARAM_TYPE_LEVEL,
	PARAM_TYPE_MOMENT,
	PARAM_TYPE_SECRET,
	PARAM_TYPE_COLLECTORS
};
struct param_info {
	const char *name;
	enum param_type type;
	const char *def, *least, *most, *vos, *help;
	size_t offset;			/* in struct model_params */
};
extern const struct param_info param_table[];
extern const size_t param_count;
/* By our name or the VOS3000 name; NULL if neither. */
const struct param_info *param_find(struct span name);
/* Why VOS3000's parameter of this name has no counterpart; NULL: it has one, or there is none of this name. */
const char *param_absent(struct span name);
/* "10s", "500ms", "2m", "1h", "1d", or plain digits = seconds. 0, -EINVAL or -ERANGE. */
int duration_parse(struct span text, uint64_t *us_out);
/* "0.5,1,2" or "500ms,1s,2s": how many, INTERVALS_MAX at most, each within least_us..most_us; plain numbers are seconds.
 * -EINVAL or -ERANGE. */
#define INTERVALS_MAX 16
int intervals_parse(struct span text, uint64_t least_us, uint64_t most_us, uint64_t us_out[INTERVALS_MAX]);
/* Set or show one parameter. param_set: 0, -EINVAL, -ERANGE or -ENOMEM with `why` in words; texts are
 * copied into the arena. */
int param_set(struct model_params *params, const struct param_info *info, struct arena *arena, struct span text,
	      char *why, size_t size);
const char *param_format(const struct model_params *params, const struct param_info *info, char *dst, size_t size);
#define PARAM_TEXT_MAX 1024		/* bytes of the longest */
/* The same for whoever may see it: a secret that is set is "***". */
const char *param_show(const struct model_params *params, const struct param_info *info, char *dst, size_t size);
/* One of COLLECTORS: "udp:192.0.2.9:9060, tcp:[2001:db8::9], tcp:collector.example:9061". */
#define COLLECTORS_MAX 8
struct collector_address {
	bool tcp;
	uint16_t port;			/* 9060 where none is given */
	struct span host;		/* without brackets */
};
/* Cut the first off *list. NULL, or what is wrong with it. */
const char *collector_cut(struct span *list, struct collector_address *out);
/* Shortest exact form: "10s", "500ms". */
const char *duration_format(uint64_t us, char *dst, size_t size);
/* Decimal money, at most 8 places: "0.0120" -> 1200000. 0, -EINVAL or -ERANGE. */
int money_parse(struct span text, int64_t *out);
const char *money_format(int64_t amount, char *dst, size_t size);	/* at least 2 places */

#define MODEL_ROUTINGS_MOST 16384	/* routing gateways of a configuration */

/* ---- dynamic blacklist ------------------------------------------------------------- */

enum blacklist_rule {
	BLACKLIST_CALLS,		/* a caller: too many calls in a window */
	BLACKLIST_LINES,		/* a caller: too many at once */
	BLACKLIST_NO_ANSWER,		/* a callee: never answers */
	BLACKLIST_CALLER, BLACKLIST_CALLEE,	/* an operator's */
	BLACKLIST_RULES
};
#define BLACKLIST_NUMBER_MAX 63	/* of longer numbers the beginning counts */
struct blacklist_entry {
	enum blacklist_rule rule;
	uint32_t count, limit;		/* what the number did, and what it might */
	uint64_t since_us, until_us;	/* UTC; until 0 = for good */
	char number[BLACKLIST_NUMBER_MAX + 1];
};
/* One of the process, beside all its snapshots. Bounded; see blacklist.c. Any thread; what workers call never waits. */
struct blacklist;
struct blacklist *blacklist_new(void);
void blacklist_free(struct blacklist **blacklist);
/* Is the number listed at that time? `blacklist` NULL: no. */
bool blacklist_find(const struct blacklist *b, bool callee, struct span number, uint64_t utc_us,
		    struct blacklist_entry *out);
struct model_params;
/* Count a call by the rules that are on. True: it lists its caller, as `out` says. `hold_out` is for blacklist_call_ends. */
bool blacklist_call_begins(struct blacklist *b, const struct model_params *p, struct span caller, uint64_t utc_us,
			   uint32_t *hold_out, struct blacklist_entry *out);
void blacklist_call_ends(struct blacklist *b, uint32_t hold);	/* 0: nothing is held */
/* A call rang at this number, and was answered or not. */
void blacklist_call_rang(struct blacklist *b, const struct model_params *p, struct span callee, bool answered,
			 uint64_t utc_us);
/* For operators; these may wait. `number`: 1 to BLACKLIST_NUMBER_MAX bytes; until_us 0 = for good. 0 or -ENOSPC: its
 * place is full of others listed by operators or with calls up. */
int blacklist_add(struct blacklist *b, bool callee, struct span number, uint64_t since_us, uint64_t until_us);
/* Whoever listed it. False: it was not listed. */
bool blacklist_remove(struct blacklist *b, bool callee, struct span number, uint64_t utc_us);
/* All that are listed, as an array of entries, in no order. */
void blacklist_copy(struct blacklist *b, uint64_t utc_us, struct buf *out);
uint64_t blacklist_missed(const struct blacklist *b);	/* counts left out because another was at it */
const char *blacklist_rule_name(enum blacklist_rule rule);	/* "calls", "operator" */
/* "caller 4930 made 6 calls within 1m, the limit is 5; blacklisted until 2026-...", the number as `number` shows it. */
void blacklist_text(const struct blacklist_entry *entry, const struct model_params *p, const char *number, char *dst,
		    size_t size);
bool blacklist_rule_is_operator(enum blacklist_rule rule);
bool blacklist_rule_is_callee(enum blacklist_rule rule);

/* ---- snapshot --------------------------------------------------------------------- */

struct model {
	atomic_uint refs;
	struct model *next_dead;	/* while it waits to be freed */
	struct arena *arena;
	uint64_t version;		/* counts up with each swap */
	uint64_t built_utc_us;
	struct model_params params;
	const struct zone *zone;	/* the system's: params.time_zone */
	unsigned n_calendars, n_accounts, n_rate_groups, n_groups, n_number_groups, n_transforms, n_areas, n_address_lists, n_mappings, n_routings, n_phones;
	struct model_calendar *calendars;
	struct model_account *accounts;
	struct model_rate_group *rate_groups;
	struct model_group *groups;
	struct model_number_group *number_groups;
	struct model_transform *transforms;
	struct model_area *areas;
	struct model_address_list *address_lists;
	struct model_mapping *mappings;
	struct model_routing *routings;
	struct model_phone *phones;
	struct model_fence fence;	/* the whole switch's */
	struct model_address_list peers;	/* routing gateways given by address; a range's text is the gateway */
	struct load *load;		/* the whole switch's */
	struct blacklist *blacklist;	/* the hub's; NULL while it is in none */
	struct model_index *index;	/* opaque: by name, by address, by digest user, by prefix */
	uint64_t traced_until_us;	/* derived: the last trace_until of a gateway, UTC; 0 = none */
	bool reads_numbers;		/* a gateway's numbers are read elsewhere than in From and Request-URI */
	const struct model_mapping *open_digest;	/* an unlocked digest gateway that may call from anywhere, or NULL */
	/* What blacklist_callers and its fellow parameters name. */
	struct model_number_list black_callers, black_callees, white_callers, white_callees;
};

/* Is the live quality of this gateway counted? */
bool model_quality_counts(const struct model *m, const struct model_routing *gw);
/* The priority in force at that moment. */
int model_priority(const struct model *m, const struct model_routing *gw, uint64_t utc_us);
/* Whose clocks count for an account (NULL = nobody's): its own or the system's. */
const struct zone *model_zone(const struct model *m, const struct model_account *account);

/* Any thread. model_unref frees with the last reference; a large snapshot a little later, on a thread for that. */
struct model *model_ref(struct model *m);
void model_unref(struct model **m);

/* The one current snapshot of a process. */
struct model_hub;
struct model_hub *model_hub_new(void);		/* holds an empty default snapshot */
void model_hub_free(struct model_hub **hub);
/* A reference to the current snapshot. Any thread, no lock held while using it. Workers call this
 * when model_hub_version differs from what they hold. */
struct model *model_hub_get(struct model_hub *hub);
uint64_t model_hub_version(const struct model_hub *hub);
/* Make `m` (reference taken over) the current one: load of equal objects is carried over by
 * kind and name, version set. `m` is new: never swapped in before, and no other thread takes load from it yet. */
void model_hub_swap(struct model_hub *hub, struct model *m);

/* ---- what a call takes ---------------------------------------------------------------- */

/* One counter that a call needs, with the limits in force. */
enum claim_of {
	CLAIM_SYSTEM,
	CLAIM_ACCOUNT,
	CLAIM_GATEWAY,
	CLAIM_GROUP,
	CLAIM_PHONE,
	CLAIM_PHONE_IN,
	CLAIM_PHONE_OUT
};
struct claim {
	enum claim_of of;
	const char *object;		/* its name */
	struct load *load;
	atomic_int *lines;		/* a phone's calls to it or from it have no load of their own */
	int line_limit;			/* 0 = none */
	int reserved;			/* so many lines of line_limit must be free */
	struct call_rate rate;		/* calls 0 = none */
};
#define MODEL_GROUPS_MAX 8		/* that a gateway may be in */
#define CLAIMS_MAX (5 + MODEL_GROUPS_MAX)
struct claims {
	unsigned n;
	struct claim claim[CLAIMS_MAX];
};
enum claim_limit { CLAIM_LINES, CLAIM_RESERVE, CLAIM_RATE };
struct claim_refusal {
	struct claim claim;
	enum claim_limit limit;
	int lines;			/* CLAIM_LINES, CLAIM_RESERVE: in use */
	uint64_t wait_us;		/* CLAIM_RATE: until a call would be taken */
};

/* What a call needs on the caller's side: its mapping gateway, its phone, or both where a phone calls by a
 * gateway; the gateway's groups, the account, the system. The same arguments give the same counters for as long as the snapshot lives; utc_us only decides which limits hold. */
void claims_of_caller(const struct model *m, const struct model_mapping *mapping, const struct model_phone *phone,
		      const struct model_account *account, uint64_t utc_us, struct claims *out);
/* On the callee's side, one or the other: a routing gateway with its groups and account, or a phone. */
void claims_of_callee(const struct model *m, const struct model_routing *routing, const struct model_phone *phone,
		      uint64_t utc_us, struct claims *out);
/* Take a line and a token of each, or nothing at all: then false, and the first that refused. Any thread. */
bool claims_take(const struct claims *claims, uint64_t mono_us, uint64_t utc_us, struct claim_refusal *refusal_out);
/* Would it refuse? Takes and counts nothing. */
bool claims_would_refuse(const struct claims *claims, uint64_t mono_us, struct claim_refusal *refusal_out);
/* Give the lines back, once for each take. */
void claims_give(const struct claims *claims);

const struct model_calendar *model_calendar(const struct model *m, struct span name);
const struct model_account *model_account(const struct model *m, struct span name);
const struct model_rate_group *model_rate_group(const struct model *m, struct span name);
const struct model_group *model_group(const struct model *m, struct span name);
const struct model_address_list *model_address_list(const struct model *m, struct span name);
const struct model_number_group *model_number_group(const struct model *m, struct span name);
const struct model_transform *model_transform(const struct model *m, struct span number);
const struct model_area *model_area(const struct model *m, struct span code);
const struct model_transform *model_transform_of_caller(const struct model *m, struct span mapping_caller);
const struct model_mapping *model_mapping(const struct model *m, struct span name);
const struct model_routing *model_routing(const struct model *m, struct span name);
const struct model_phone *model_phone(const struct model *m, struct span number);
/* By its own number or one of its dids. */
const struct model_phone *model_phone_called(const struct model *m, struct span number);
const struct model_mapping *model_mapping_by_user(const struct model *m, struct span digest_user);
/* The routing gateway that registers here under this user. */
const struct model_routing *model_routing_by_user(const struct model *m, struct span register_user);
/* The static phone at this source; where several share an address, the one whose number is `caller`. NULL if none. */
const struct model_phone *model_phone_at(const struct model *m, const struct sockaddr *source, struct span caller);

/* All mapping gateways listing this source, most specific first (host+port, host, network by length):
 * fills out[] up to max, returns how many there are. */
unsigned model_mappings_at(const struct model *m, const struct sockaddr *source, const struct model_mapping **out, unsigned max);
/* The nearest miss for a refused source, in words, into dst: "acme-in lists 203.0.113.8", "" if nothing is near. */
void model_nearest_source(const struct model *m, const struct sockaddr *source, char *dst, size_t size);

/* A prefix that begins a number, and the routing gateways that have it, each once: their numbers in `routings`,
 * protect routes last, by priority, and as they stand there. */
struct model_match {
	unsigned len, n;
	const uint16_t *gateways;
};
#define MODEL_PREFIX_MOST 32		/* digits of a prefix */
#define MODEL_MATCHES_MOST (MODEL_PREFIX_MOST + 1)
/* The prefixes that begin `number`, longest first; returns how many. O(length), whatever the table's size. */
unsigned model_matches(const struct model *m, struct span number, struct model_match out[MODEL_MATCHES_MOST]);

/* ---- reading and writing the objects ------------------------------------------------- */

/* One problem found in a configuration. */
struct model_error {
	unsigned line, column;		/* 0 = not from a file */
	char object[96];		/* "routing_gateways[2] a-1" */
	char text[256];			/* what is wrong, the value, the limit */
	char remedy[160];
};

/* Read a whole YAML configuration (design section 7). Unknown keys, duplicate names, dangling references
 * and values out of range are errors. At most `max_errors` are reported; returns their number, 0 = good and
 * *model_out is a new snapshot with one reference. Bounded: 64 MiB, depth 16, no aliases ("billion laughs"). */
unsigned model_read_yaml(struct model **model_out, struct span yaml, struct model_error *errors, unsigned max_errors);
/* The whole configuration as YAML, such that reading it gives the same snapshot. Secrets included only when asked for,
 * else written as "***" (which model_read_yaml refuses). */
void model_write_yaml(struct buf *out, const struct model *m, bool secrets);

/* Texts that go into lists of objects of one kind, or out of them: "numbers" of a number group, "mobiles" of areas. */
struct model_edit {
	struct span text;
	const char *to;			/* the object that lists it from now on; NULL = none of them does */
	unsigned line;			/* where it was read, for errors; 0 = nowhere */
};
struct model_edits {
	const char *kind, *key;		/* "number_group", "numbers": a FIELD_NUMBERS or FIELD_BEGINNINGS */
	const char *only;		/* the one object that is changed; NULL = all, and a `to` that is new becomes one */
	const struct model_edit *edits;	/* of a text that stands there twice the last counts */
	size_t n;
};
struct model_edited {
	unsigned added, removed;	/* entries of lists; one that moves counts as both */
};
/* A new snapshot, as `m` but for the edits; everything is checked as by model_read_yaml, and returns the same. Takes as
 * long as reading the whole configuration: half a second for a million numbers. */
unsigned model_edit(struct model **model_out, const struct model *m, const struct model_edits *edits,
		    struct model_edited *edited_out, struct model_error *errors, unsigned max_errors);
/* Numbers, separated by blanks, line ends, commas or semicolons, all of them for `to`. The edits are the caller's to free
 * and lie in `text`. 0 or -ENOMEM. */
int model_edits_of_numbers(struct model_edit **edits_out, size_t *n_out, struct span text, const char *to);
/* Lines of mobile beginning and area code, separated by a comma, semicolon or tab and perhaps in quotes; without a code
 * the beginning is taken from its area. A first line of `mobile` and the like is a heading. The same; codes lie in the
 * arena. 0, -ENOMEM, or -EINVAL with the number of the line that is neither. */
int model_edits_of_areas(struct model_edit **edits_out, size_t *n_out, struct arena *arena, struct span text,
			 unsigned *line_out);

/* One object as JSON, keys as in the YAML (API, `gateway show`); kind as by model_kind. Load included when `load`.
 * Secrets never. */
void model_write_json(struct buf *out, const struct model *m, const char *kind, const void *object, bool load);
/* The same with secrets, as flags: what a store keeps and reads back. */
#define MODEL_JSON_LOAD 1
#define MODEL_JSON_SECRETS 2
void model_write_json_flags(struct buf *out, const struct model *m, const char *kind, const void *object,
			    unsigned flags);
/* Object `i` of kind `kind` (see model_kind) as a store keeps it: secrets included, absent keys left out, no blanks. */
void model_write_row(struct buf *out, const struct model *m, unsigned kind, unsigned i);
/* [{"of": "group", "object": "eu", "lines": 3, "line_limit": 10, "refuses": "lines"}, ...] */
void model_write_claims_json(struct buf *out, const struct claims *claims, uint64_t mono_us);
/* {"invite_timeout":"10s", ...}: every parameter with its value. */
void model_write_params_json(struct buf *out, const struct model *m);

/* ---- the objects described ------------------------------------------------------------- */

enum model_field_type {
	FIELD_NAME,		/* 1..63 bytes: letters (any script), digits, . _ - @ */
	FIELD_NUMBER,		/* 1..63: letters, digits, * # + . _ - */
	FIELD_TEXT,		/* one line; "" = none */
	FIELD_MEMO,		/* as FIELD_TEXT, lines permitted */
	FIELD_SECRET,		/* as FIELD_TEXT, shown only when asked for */
	FIELD_BOOL,
	FIELD_COUNT,		/* least..most */
	FIELD_DURATION,		/* least..most, microseconds */
	FIELD_MONEY,		/* decimal text in 10^-8 units */
	FIELD_CLOCK,		/* "HH:MM" or "HH:MM:SS" up to 24:00, seconds of the day */
	FIELD_DAYS,		/* list of mon..sun, ranges of them, work, holiday: bits as model_window's */
	FIELD_CHOICE,		/* one of `choices`; the value is the word's place + least */
	FIELD_WORD,		/* one of `choices`; the value is the word */
	FIELD_TRANSPORT,	/* as FIELD_CHOICE */
	FIELD_REFERENCE,	/* name of an object of kind `of`: a pointer to it */
	FIELD_REFERENCES,	/* list of them, each once */
	FIELD_MOMENT,		/* a date, a time of day on it, RFC 3339: a struct model_moment */
	FIELD_ZONE,		/* name of a time zone: a struct zone */
	FIELD_DATES,		/* list of "2026-12-25", days since 1970-01-01 */
	FIELD_PREFIX,		/* 0..32: digits, letters, * # + */
	FIELD_PREFIXES,		/* list of them */
	FIELD_PAIRS,		/* list of "prefix:prefix" */
	FIELD_CODECS,		/* list of names */
	FIELD_ADDRESSES,	/* list of "host", "host:port", "net/len", "[v6]:port" */
	FIELD_RANGES,		/* list of hosts, "net/len" and "first-last" */
	FIELD_PEER,		/* "host", "host:port", "[v6]:port", ";transport=" */
	FIELD_OBJECTS,		/* list of objects of kind `of`, which have no name of their own */
	FIELD_CODES,		/* list of SIP statuses and ranges of them, "480-489" */
	FIELD_CODE_MAP,		/* list of "404:503" */
	FIELD_NUMBERS,		/* list of numbers: a number_set */
	FIELD_BEGINNINGS,	/* list of prefixes, for any number of them: a number_set */
	FIELD_RULES,		/* list of dial rules: dial_rules */
	FIELD_LENGTHS,		/* list of "7" and "10-12": a mask as in struct model_permitted */
	FIELD_HEADERS,		/* list of header names, "X-*" = all that begin so */
	FIELD_LINES,		/* list of header lines, "X-Trunk: 42": one text, each with its CRLF */
	FIELD_FLAGS,		/* list of some of `choices`: a bit each, in an int; 0 = absent */
	FIELD_TYPES
};
/* One key of an object: reading, writing, the API's schema and the manual follow from it. */
struct model_field_info {
	const char *name;
	enum model_field_type type;
	size_t offset;			/* in the object's struct */
	bool required;
	int64_t least, most;		/* of the value, or of a text's length */
	int64_t unset;			/* the value of a number, bool or choice when the key is absent */
	const char *choices;		/* "address|address_port|digest" */
	const char *help;
	unsigned of;			/* kind of what a list holds or a name refers to: see model_kind */
	size_t count;			/* of a list: offset of the number of its elements, where it is kept as an array */
};
const char *model_field_type_name(enum model_field_type type);	/* "name", "count", ... */
/* By kind ("mapping_gateway", "rate"...); NULL, 0 when unknown. */
const struct model_field_info *model_fields(const char *kind, size_t *n);
/* Kind number `i`, in the order of the file; NULL name: there are no more. Those without a section stand within others. */
struct model_kind {
	const char *name, *section;	/* "phone", "phones" */
	bool load;			/* its objects have one */
};
struct model_kind model_kind(unsigned i);
unsigned model_count(const struct model *m, unsigned i);	/* objects of kind `i` */
const char *model_name(const struct model *m, unsigned kind, unsigned i);	/* of object `i` of a kind that has a section */

#endif
