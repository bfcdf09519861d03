/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A received message as an index into its buffer. sip_msg_parse walks the bytes once,
 * unfolds continuation lines in place (RFC 3261 7.3.1; trace has its copy by then), notes
 * every header's place and decodes the few fields that every message needs. All else is
 * decoded when asked for. Nothing is copied or allocated. */
#ifndef CAUSEWAY_SIP_MSG_H
#define CAUSEWAY_SIP_MSG_H

#include "base/base.h"
#include "net/net.h"

#define SIP_MAX_HEADERS 128

enum sip_method {
	SIP_METHOD_OTHER, SIP_INVITE, SIP_ACK, SIP_BYE, SIP_CANCEL, SIP_OPTIONS, SIP_REGISTER, SIP_PRACK,
	SIP_UPDATE, SIP_INFO, SIP_REFER, SIP_NOTIFY, SIP_SUBSCRIBE, SIP_MESSAGE, SIP_PUBLISH, SIP_METHODS
};
/* "INVITE"; "" for SIP_METHOD_OTHER. */
const char *sip_method_name(enum sip_method method);
/* Case-sensitive (RFC 3261 7.1). */
enum sip_method sip_method_find(struct span name);

enum sip_header {
	SIP_H_OTHER, SIP_H_VIA, SIP_H_FROM, SIP_H_TO, SIP_H_CALL_ID, SIP_H_CSEQ, SIP_H_CONTACT,
	SIP_H_MAX_FORWARDS, SIP_H_CONTENT_LENGTH, SIP_H_CONTENT_TYPE, SIP_H_CONTENT_ENCODING,
	SIP_H_CONTENT_DISPOSITION, SIP_H_ROUTE, SIP_H_RECORD_ROUTE, SIP_H_REQUIRE, SIP_H_PROXY_REQUIRE,
	SIP_H_SUPPORTED, SIP_H_UNSUPPORTED, SIP_H_ALLOW, SIP_H_ACCEPT, SIP_H_AUTHORIZATION,
	SIP_H_PROXY_AUTHORIZATION, SIP_H_WWW_AUTHENTICATE, SIP_H_PROXY_AUTHENTICATE, SIP_H_EXPIRES,
	SIP_H_MIN_EXPIRES, SIP_H_SESSION_EXPIRES, SIP_H_MIN_SE, SIP_H_RSEQ, SIP_H_RACK, SIP_H_REASON,
	SIP_H_RETRY_AFTER, SIP_H_WARNING, SIP_H_USER_AGENT, SIP_H_SERVER, SIP_H_PRIVACY,
	SIP_H_P_ASSERTED_IDENTITY, SIP_H_P_PREFERRED_IDENTITY, SIP_H_REMOTE_PARTY_ID, SIP_H_DIVERSION,
	SIP_H_HISTORY_INFO, SIP_H_REFER_TO, SIP_H_REFERRED_BY, SIP_H_REPLACES, SIP_H_EVENT, SIP_H_DATE,
	SIP_H_TIMESTAMP, SIP_H_PATH, SIP_H_SERVICE_ROUTE, SIP_H_MIME_VERSION, SIP_H_SUBJECT, SIP_H_IDENTITY,
	SIP_H_INFO_PACKAGE, SIP_H_ORGANIZATION, SIP_H_P_ASSOCIATED_URI, SIP_HEADERS
};

struct sip_slice {
	uint16_t off, len;
};

struct sip_hdr {
	struct sip_slice name, value;	/* value trimmed and unfolded */
	uint8_t id;			/* enum sip_header */
	uint8_t next;			/* next header of the same id, 0xff = last */
};

/* The topmost Via value, decoded. */
struct sip_via {
	struct span transport;		/* "UDP" */
	struct span host;		/* without brackets */
	uint16_t port;			/* 0 = none given */
	struct span branch;		/* with its cookie; len 0 = none */
	bool rport;			/* parameter present */
	struct span received;
	struct span maddr;
};

struct sip_msg {
	struct net_buf *buf;		/* lent for the length of the upcall */
	const char *base;
	uint32_t len;			/* start line, headers and body; bytes after Content-Length on UDP are not counted */
	bool request;
	uint8_t method;			/* request: start line's; response: CSeq's */
	uint16_t status;		/* response: 100..699 */
	struct sip_slice method_name, uri, reason;
	struct sip_slice body;

	struct sip_via via;
	struct span call_id, from_tag, to_tag;	/* len 0 = no tag */
	uint32_t cseq;			/* < 2^31 */
	int max_forwards;		/* -1 = none */

	uint8_t n_headers;
	uint8_t first[SIP_HEADERS];	/* index of the first header of an id, 0xff = none */
	struct sip_hdr headers[SIP_MAX_HEADERS];
};

/* Parse the buffer's bytes (changing them: unfolding). `stream` = the transport framed it by
 * Content-Length, so that must be present and exact. Returns
 *   0          usable
 *   400, 505   a request to be refused with that status; enough is decoded to answer (Via,
 *              and what of From, To, Call-ID, CSeq is there)
 *   -EBADMSG   drop: a response, an ACK, or nothing to answer to
 * and for both kinds of failure a static text in *why_out ("CSeq: number over 2^31-1").
 * Checked here: start line, version, header grammar, mandatory headers once (RFC 3261 8.1.1),
 * numbers in range, Content-Length against the datagram, From/To/Contact name-addr grammar,
 * CSeq method against start line. */
int sip_msg_parse(struct sip_msg *msg, struct net_buf *buf, bool stream, const char **why_out);

/* What an index takes with no more headers than it has: enough room for a copy of it. */
size_t sip_msg_size(const struct sip_msg *msg);
/* Copy an index to one over `buf`, whose data are the `len` bytes from msg->base on, copied or the same.
 * `to` has room for sip_msg_size(from). */
void sip_msg_move(struct sip_msg *to, const struct sip_msg *from, struct net_buf *buf);

static inline struct span sip_str(const struct sip_msg *msg, struct sip_slice s)
{
	return (struct span){ msg->base + s.off, s.len };
}
/* First value line of a header, or SPAN_NONE (p == NULL) when absent. */
struct span sip_header(const struct sip_msg *msg, enum sip_header id);
/* By name, any header, for those without an id. */
struct span sip_header_named(const struct sip_msg *msg, const char *name);
/* Canonical long name: "Call-ID". */
const char *sip_header_name(enum sip_header id);

/* All comma-separated values of all lines of a header, one at a time:
 *   struct sip_values it = { 0 };
 *   while (sip_next_value(msg, SIP_H_SUPPORTED, &it)) use(it.value);
 * Commas inside quotes and angle brackets do not separate. */
struct sip_values {
	struct span value;
	struct span rest;
	uint8_t line;
	bool started;
};
bool sip_next_value(const struct sip_msg *msg, enum sip_header id, struct sip_values *it);
/* True if an option tag or method is listed in the header (ignoring case). */
bool sip_lists(const struct sip_msg *msg, enum sip_header id, const char *token);

/* ---- decoders: 0 or -EBADMSG, outputs borrow ------------------------------------- */

struct sip_uri {
	struct span scheme;		/* "sip", "sips", "tel", anything */
	struct span user, password;	/* still escaped; tel: user = the number */
	struct span host;		/* without brackets */
	bool ip6;
	uint16_t port;			/* 0 = none */
	struct span params;		/* after ';', without it */
	struct span headers;		/* after '?', without it */
};
int sip_uri_decode(struct sip_uri *out, struct span text);

struct sip_name_addr {
	struct span display;		/* without quotes, still escaped */
	struct span uri;		/* without angle brackets */
	struct span params;		/* header parameters, after ';' */
};
int sip_name_addr_decode(struct sip_name_addr *out, struct span value);
int sip_via_decode(struct sip_via *out, struct span value);

/* Look up `name` in ";a=b;c"-style parameters (leading ';' optional). True if present; *out
 * (may be NULL) gets the value, unquoted, len 0 for a flag. */
bool sip_param(struct span params, const char *name, struct span *out);

/* "%41" and the like resolved into dst; returns the length, or -EBADMSG / -ENOSPC. */
ssize_t sip_unescape(struct span s, char *dst, size_t size);

/* RFC 3326: protocol ("Q.850", "SIP"), cause (-1 = none), text (unquoted). */
struct sip_reason {
	struct span protocol, text;
	int cause;
};
int sip_reason_decode(struct sip_reason *out, struct span value);
/* First Reason of the message whose protocol is Q.850: its cause 0..127, or -1. */
int sip_q850(const struct sip_msg *msg);
/* Retry-After in seconds (RFC 3261 20.33: comment and parameters do not count), UINT32_MAX at most; 0 when absent or
 * malformed. */
uint32_t sip_retry_after(const struct sip_msg *msg);

/* RFC 4028 Session-Expires / Min-SE: seconds (delta-seconds); refresher 'a' uac, 's' uas, 0 none. */
int sip_session_expires_decode(struct span value, uint32_t *seconds, char *refresher);
/* RFC 3262 RAck: "776656 1 INVITE". */
int sip_rack_decode(struct span value, uint32_t *rseq, uint32_t *cseq, enum sip_method *method);

/* ---- before parsing --------------------------------------------------------------- */

/* RFC 3261 18.3 and 7.5: frame a stream, as net_ops.frame. Headers over 64 KiB or 512 lines
 * without an end, or a Content-Length that is negative, absent, twice or over the limit: -EBADMSG. */
ssize_t sip_frame(struct span stream, size_t *skip_out, bool *pong_out);
/* The worker of a message, as net_ops.classify: by our own branch (responses), our own To
 * tag (requests in dialogs), else by a hash of Call-ID. Bounded work, also on garbage;
 * garbage that cannot be answered goes to worker 0 so that it is counted. */
int sip_classify(struct span message, unsigned workers);
/* The worker that sent a message of ours, as net_ops.sender. */
int sip_sender(struct span message, unsigned workers);
/* A program for the kernel that finds the worker where it stands at a fixed or near place: in the branch of a response's
 * first header, in the Contact user that a request within a dialog is addressed to. As net_ops.steer. */
unsigned sip_steer(struct sock_filter *program, unsigned max);

#endif
