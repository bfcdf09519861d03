/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trace: what came, what went and what we decided, always on.
 *
 *   worker -> lane (memory, never waits) -> writer thread -> archive: pcapng segments with an index
 *                                                         -> taps: live views, HEP
 *
 * A message is written once, as it was on the wire (TLS in the clear), with the time at which it came or went. A note is
 * one decision of ours. A note that names a SIP Call-ID binds it: messages with that Call-ID, before and after, belong to
 * the note's call, leg and attempt. Secrets that our configuration holds never get here; those that peers send are masked
 * when somebody asks for it. */
#ifndef CAUSEWAY_TRACE_H
#define CAUSEWAY_TRACE_H

#include "base/base.h"
#include "trace/hep.h"

#include <sys/socket.h>

/* Same order as enum net_proto. */
enum trace_proto { TRACE_UDP, TRACE_TCP, TRACE_TLS };

enum trace_kind {
	TRACE_MESSAGE,		/* no note */
	TRACE_CALL,		/* a call came: whose, numbers; binds leg a. Fields as TRACE_END as far as they are known */
	TRACE_ADMIT,		/* who may call, or why not */
	TRACE_ROUTE,		/* the candidates, one a line, each with its reason */
	TRACE_DIAL,		/* an attempt begins; binds leg b */
	TRACE_ATTEMPT,		/* it has failed: end code and what comes next */
	TRACE_ANSWER,
	TRACE_TIMER,		/* one of ours ran out */
	TRACE_END,		/* the call is over: fields below */
	TRACE_GATEWAY,		/* a gateway changed state; object is its name */
	TRACE_REGISTER,		/* what the registrar or our own registration decided; binds; object is the user */
	TRACE_EVENT,		/* of the trace itself: what was dropped and why */
	TRACE_KINDS
};
const char *trace_kind_name(enum trace_kind kind);	/* "route" */

/* Fields of TRACE_CALL and TRACE_END, by the names of records: started, answered, ended (decimal UTC microseconds, absent =
 * not yet), caller, callee, caller_in, callee_in, caller_out, callee_out, mapping_gateway, routing_gateway, account,
 * vendor_account, caller_addr, callee_addr, end_code, end_side, sip_status. The text is the record's end_text. */
struct trace_field {
	const char *name;		/* at most TRACE_NAME_MAX letters, the rest is cut */
	struct span value;
};

struct trace_note {
	enum trace_kind kind;
	char leg;			/* 'a', 'b'; 0 = of the whole call */
	uint8_t attempt;		/* from 1; 0 = none */
	uint64_t call;			/* call id; 0 = none */
	uint64_t utc_us;		/* 0 = now */
	struct span sip_call_id;	/* bound, if any */
	struct span object;		/* gateway, user or timer that it is about */
	struct span text;		/* for people, one line or several */
	const struct trace_field *fields;
	unsigned n_fields;		/* <= TRACE_FIELDS_MAX */
};
#define TRACE_FIELDS_MAX 24
#define TRACE_NAME_MAX 23

struct trace_wire {
	uint64_t utc_us;
	bool sent;
	enum trace_proto proto;
	const struct sockaddr *from, *to;	/* AF_INET or AF_INET6 with ports */
};

/* ---- writing -------------------------------------------------------------------------------- */

struct trace;
struct trace_lane;

/* Live parameters; all copied. */
struct trace_settings {
	bool on;
	uint64_t until_us;		/* off from then on; 0 = no end */
	uint64_t gateways_until_us;	/* while off: what the gateways under trace need is kept until then; 0 = none */
	uint64_t call_bytes;		/* file size as VOS3000 counts: twice as much is kept */
	uint64_t register_bytes;
	uint64_t disk_free_bytes;	/* left free on the disk */
};

struct trace_config {
	const char *folder;		/* made if missing */
	unsigned lanes;
	const char *product;		/* the segments' shb_userappl */
	struct trace_settings settings;
};

/* Repairs what a crash left, then starts the writer. On failure -errno and `why` names the file. */
int trace_open(struct trace **trace_out, const struct trace_config *config, char *why, size_t why_size);
/* After the lanes' threads have stopped: writes what they left. Harmless for NULL. */
void trace_close(struct trace **trace);
void trace_set(struct trace *trace, const struct trace_settings *settings);	/* any thread */

/* The lane of one thread; never NULL for lane < config.lanes. */
struct trace_lane *trace_lane(struct trace *trace, unsigned lane);
/* From the lane's own thread. Neither waits, locks nor allocates; what finds no room is counted. Nothing while off; a NULL
 * lane takes nothing. */
void trace_message(struct trace_lane *lane, const struct trace_wire *wire, struct span message);
void trace_note(struct trace_lane *lane, const struct trace_note *note);
/* Would they be taken? For sparing the work of making a note. */
bool trace_wants(const struct trace_lane *lane);
/* While trace is off: this call's gateway is under trace until later; keep what follows, and of this turn what came before. */
void trace_select(struct trace_lane *lane, uint64_t call);
/* A note from any other thread (takes a lock). */
void trace_note_from_outside(struct trace *trace, const struct trace_note *note);
/* Wait until what the lanes held is in the archive, at most `timeout_us`. False: not within that time. */
bool trace_flush(struct trace *trace, uint64_t timeout_us);

struct trace_status {
	bool on;			/* now */
	uint64_t until_us;
	uint64_t messages, notes, bytes;	/* written since the start */
	uint64_t dropped_full, dropped_disk;	/* entries lost: the writer fell behind; the disk refused */
	uint64_t waiting_bytes;		/* in the lanes */
	int disk_error;			/* errno of the last refused write, 0 = none since the last good one */
	struct trace_usage {
		uint64_t bytes, budget_bytes, oldest_us, newest_us;
		uint32_t segments;
	} calls, registrations, kept;
	uint64_t aged_calls, kept_calls;	/* gone for age; kept beyond it */
};
void trace_status(struct trace *trace, struct trace_status *out);

/* ---- taps: entries as they pass ------------------------------------------------------------- */

/* One message or note. Borrowed from whoever hands it out. */
struct trace_entry {
	enum trace_kind kind;
	uint64_t utc_us;
	uint64_t call;			/* 0 = not known (yet) */
	char leg;
	uint8_t attempt;
	/* a message */
	bool sent;
	enum trace_proto proto;
	struct sockaddr_storage from, to;
	/* a note */
	struct span object, sip_call_id;	/* a message's Call-ID as well */
	struct span text;		/* or the message */
	struct trace_field fields[TRACE_FIELDS_MAX];
	unsigned n_fields;
};
struct span trace_entry_field(const struct trace_entry *entry, const char *name);	/* len 0 = none */

struct trace_tap {
	struct trace_tap *next;
	/* On the writer's thread: must not wait. */
	void (*entry)(struct trace_tap *tap, const struct trace_entry *entry);
};
/* Any thread. After trace_untap returns, `entry` is not running and will not. */
void trace_tap(struct trace *trace, struct trace_tap *tap);
void trace_untap(struct trace *trace, struct trace_tap *tap);

/* ---- reading: any thread but a worker's ------------------------------------------------------ */

/* A call as the archive knows it; from TRACE_END or, before that, TRACE_CALL. Strings end with NUL, "" = none. */
struct trace_call {
	uint64_t call;
	uint64_t started_us, answered_us, ended_us;	/* 0 = not (yet) */
	bool pinned;
	uint16_t sip_status;
	const char *caller, *callee, *caller_in, *callee_in, *caller_out, *callee_out;
	const char *mapping_gateway, *routing_gateway, *account, *vendor_account, *caller_addr, *callee_addr, *end_code, *text;
};

/* All that are given must hold. */
struct trace_query {
	uint64_t from_us, to_us;	/* the call was up at some time within; 0 = open */
	uint64_t call;			/* 0 = any, so on */
	struct span sip_call_id;
	struct span number;		/* any of the numbers begins or ends with it, without a leading + */
	struct span gateway, account, end_code;
	struct span address;		/* of either side, without the port unless one is given */
	bool failed_only;
	uint64_t before_call;		/* page on: only ids below; 0 = from the newest */
	unsigned limit;			/* at least 1 */
};
/* Calls, newest first. How many, or -errno. `each` may be called with a lock held: it must not call back. */
int trace_find(struct trace *trace, const struct trace_query *query,
	       void (*each)(void *arg, const struct trace_call *call), void *arg);

struct trace_reading {
	unsigned n;
	struct trace_entry *entries;	/* in order of time */
	uint64_t bytes_read;		/* of segments and indices */
	struct arena *arena;
};
void trace_reading_free(struct trace_reading **reading);
/* Everything of a call: all its messages and notes. -ENOENT: nothing of it is left. */
int trace_read_call(struct trace *trace, uint64_t call, struct trace_reading **out);
/* Everything with this SIP Call-ID and what was noted about it (registrations, probes, calls refused before they were). */
int trace_read_sip(struct trace *trace, struct span sip_call_id, struct trace_reading **out);
/* Notes about an object (a gateway's changes, a user's registrations) since `from_us`, with the messages of the Call-IDs that
 * they bind; the newest `limit` notes. */
int trace_read_object(struct trace *trace, struct span object, uint64_t from_us, unsigned limit, struct trace_reading **out);

/* Pinned calls are the last to go. 0, -ENOENT, or -errno of the disk. */
int trace_pin(struct trace *trace, uint64_t call, bool pin);

/* ---- export --------------------------------------------------------------------------------- */

/* Append the entries as a pcapng file that Wireshark, tshark and sngrep read: messages as IP packets (TLS in the clear as
 * TCP), notes as journal entries. `comment` is shown as that of the file; len 0 = none. `mask`: see trace_mask. Entries in order
 * of time, all in one call. Without memory or past its ceiling `out` fails. */
void trace_export_begin(struct buf *out, const char *product, struct span comment);
void trace_export(struct buf *out, const struct trace_entry *const *entries, unsigned n, bool mask);
/* Secrets that a message carries become '*', in place: digest responses and nonces, credentials, passwords, media keys, digits of
 * DTMF (mask.c lists them). */
void trace_mask(char *message, size_t len);

#endif
