/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing messages. A writer fills one net_buf front to back; overflow sets `failed` and
 * writes nothing more, so a whole message is written without checking and looked at once:
 * sip_finish returns NULL then. */
#ifndef CAUSEWAY_SIP_WRITE_H
#define CAUSEWAY_SIP_WRITE_H

#include "sip/sip_msg.h"

struct sip_writer {
	struct net_buf *buf;
	char *p, *end;
	bool failed;
};

/* Start a message in a buffer of about `size` bytes (it does not grow: 2048 suits most;
 * with a body add its length). Without memory the writer is `failed` from the start. */
void sip_write_begin(struct sip_writer *w, size_t size);
static inline void sip_put(struct sip_writer *w, struct span s)
{
	if (w->failed || s.len > (size_t)(w->end - w->p)) {
		w->failed = true;
		return;
	}
	if (s.len)
		memcpy(w->p, s.p, s.len);
	w->p += s.len;
}
void sip_puts(struct sip_writer *w, const char *cstr);
void sip_putu(struct sip_writer *w, uint64_t number);
void sip_putf(struct sip_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "192.0.2.1", of an IPv4 address. */
void sip_put_ip4(struct sip_writer *w, const union net_addr *addr);
#define SIP_PUT(w, literal) sip_put((w), SPAN(literal))

/* "INVITE sip:1@h SIP/2.0\r\n" */
void sip_write_request_line(struct sip_writer *w, struct span method, struct span uri);
/* "Name: value\r\n" */
void sip_write_header(struct sip_writer *w, enum sip_header id, struct span value);
/* "CSeq: 1 INVITE\r\n" */
void sip_write_cseq(struct sip_writer *w, uint32_t cseq, struct span method);
void sip_write_headerf(struct sip_writer *w, enum sip_header id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Status line and what RFC 3261 8.2.6.2 copies from the request: all Via (the top one with
 * received and rport as 18.2.1 and RFC 3581 4 demand, from `flow`), From, To (with `to_tag`
 * added when it has none and status > 100), Call-ID, CSeq, Timestamp for 100. `reason` NULL
 * = the standard phrase. */
void sip_write_response_head(struct sip_writer *w, const struct sip_msg *req, const struct net_flow *flow,
			     int status, const char *reason, struct span to_tag);
/* Record-Route lines of the request, for responses that make a dialog (12.1.1). */
void sip_write_record_routes(struct sip_writer *w, const struct sip_msg *req);
const char *sip_reason_phrase(int status);

/* Content-Type (when body.len > 0), Content-Length, the empty line and the body; then the
 * finished buffer (one reference, now the caller's), or NULL if the writer had failed. */
struct net_buf *sip_finish(struct sip_writer *w, const char *content_type, struct span body);

#endif
