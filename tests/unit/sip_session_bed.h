/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the tests of sessions: two sides, each a stack on a net of its own, on one loop; and raw
 * sockets for peers that misbehave. Each side writes down what it is told, as words in `log`:
 *
 *   invite trying progress:183+1 answer:200+1 failed:486 cancel ack ack+2 offer+2 offer- result:200+2
 *   request:INFO reqresult:200 bye ended:1
 *
 * where +N is the o= version of the SDP that came along. `hook`, if set, is called after the
 * word was written, and may do anything. */
#ifndef CAUSEWAY_SIP_SESSION_BED_H
#define CAUSEWAY_SIP_SESSION_BED_H

#include "sip/sip.h"
#include "sip/sip_session_int.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define BED_PORT 25070
#define BED_T1_MS 20

struct side {
	struct bed *bed;
	char host[32];
	struct net_config net_config;
	struct net *net;
	struct net_dns *dns;
	struct sip_stack *stack;
	struct sip_session *s;
	struct sip_session_config config;
	char log[4096];
	void (*hook)(struct side *side, const char *word, const struct sip_event *ev);
	struct sip_stx *tx;		/* of the last on_request */
	const char *release_at;		/* release the session when this word is told */
	int incoming_status;		/* of a refused sip_session_incoming */
	char wire[65536];		/* all that was sent or received, each with its direction before it */
	size_t wire_len;
};

struct bed {
	struct loop loop;
	struct sip_timers timers;
	struct side a, b;
};

static struct bed bed;

/* ---- SDP ------------------------------------------------------------------------------- */

static inline const char *sdp_text(int version)
{
	static char text[8][256];
	static unsigned at;
	char *t = text[at++ % 8];

	snprintf(t, sizeof(text[0]), "v=0\r\no=- 7 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
		 "m=audio 4000 RTP/AVP 0\r\n", version);
	return t;
}

static inline struct span sdp(int version)
{
	return span_of(sdp_text(version));
}

static inline int sdp_version(struct span s)
{
	const char *o = s.len ? memmem(s.p, s.len, "o=- 7 ", 6) : NULL;

	return o ? (int)strtol(o + 6, NULL, 10) : 0;
}

/* ---- upcalls --------------------------------------------------------------------------- */

static inline void told(struct side *side, struct sip_session *s, const struct sip_event *ev, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static inline void told(struct side *side, struct sip_session *s, const struct sip_event *ev, const char *format, ...)
{
	size_t at = strlen(side->log);
	char word[64];
	va_list args;
	size_t n;

	va_start(args, format);
	vsnprintf(word, sizeof(word), format, args);
	va_end(args);
	n = strlen(word);
	if (ev && ev->sdp.len)
		snprintf(word + n, sizeof(word) - n, "+%d", sdp_version(ev->sdp));
	snprintf(side->log + at, sizeof(side->log) - at, "%s ", word);
	assert_true(s == side->s || !side->s);
	if (side->hook)
		side->hook(side, word, ev);
	if (side->release_at && strcmp(word, side->release_at) == 0)
		sip_session_release(&side->s);
}

static inline void up_trying(void *arg, struct sip_session *s)
{
	told(arg, s, NULL, "trying");
}
static inline void up_progress(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, s, ev, "%s:%d", ev->early_dialog_changed ? "progress-other" : "progress", ev->status);
}
static inline void up_answer(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, s, ev, "answer:%d", ev->status);
}
static inline void up_failed(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, s, ev, "failed:%d", ev->status ? ev->status : ev->err);
}
static inline void up_cancel(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, s, ev, "cancel");
}
static inline void up_ack(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, s, ev, "ack");
}
static inline void up_offer(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, s, ev, ev->sdp.len ? "offer" : "offer-");
}
static inline void up_result(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, s, ev, "result:%d", ev->status ? ev->status : ev->err);
}
static inline void up_request(void *arg, struct sip_session *s, struct sip_stx *tx, const struct sip_event *ev)
{
	((struct side *)arg)->tx = tx;
	told(arg, s, ev, "request:%.*s", SPAN_ARG(sip_str(ev->msg, ev->msg->method_name)));
}
static inline void up_request_result(void *arg, struct sip_session *s, void *cookie, const struct sip_event *ev)
{
	assert_ptr_equal(cookie, arg);
	told(arg, s, ev, "reqresult:%d", ev->status ? ev->status : ev->err);
}
static inline void up_bye(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, s, ev, "bye");
}
static inline void up_ended(void *arg, struct sip_session *s, const struct sip_event *ev)
{
	told(arg, s, NULL, "ended:%d", ev->end);
}

static const struct sip_session_ops side_ops = {
	up_trying, up_progress, up_answer, up_failed, up_cancel, up_ack, up_offer, up_result,
	up_request, up_request_result, up_bye, up_ended
};

static inline void side_on_invite(void *arg, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow)
{
	struct side *side = arg;
	struct sip_event ev = sip_ses_event(msg, flow);

	side->incoming_status = 0;
	if (side->s)
		sip_stx_reply(tx, msg, 486, NULL, NULL);
	else if (sip_session_incoming(&side->s, side->stack, tx, msg, flow, &side->config, &side_ops, side,
				      &side->incoming_status) == 0)
		told(side, side->s, &ev, "invite");
}

static inline void side_on_request(void *arg, struct sip_stx *tx, const struct sip_msg *msg, const struct net_flow *flow)
{
	sip_stx_reply(tx, msg, 481, NULL, NULL);
}

static inline void side_on_refused(void *arg, const struct sip_msg *msg, const struct net_flow *flow, int status,
				   const char *why)
{
}

static inline void side_on_wire(void *arg, bool sent, struct span m, const struct net_flow *flow)
{
	struct side *side = arg;
	size_t room = sizeof(side->wire) - side->wire_len;
	int n = snprintf(side->wire + side->wire_len, room, "%s%.*s\n", sent ? "\n>>" : "\n<<", SPAN_ARG(m));

	side->wire_len += (size_t)n < room ? (size_t)n : 0;
}

static const struct sip_stack_ops side_stack_ops = { side_on_invite, side_on_request, side_on_refused, side_on_wire };

/* ---- sides ------------------------------------------------------------------------------- */

static inline void side_message(void *arg, struct net_buf *msg, const struct net_flow *flow)
{
	sip_stack_on_message(((struct side *)arg)->stack, msg, flow);
}
static inline void side_undelivered(void *arg, struct span message, const struct net_flow *flow, int err, const char *text)
{
	sip_stack_on_undelivered(((struct side *)arg)->stack, message, flow, err, text);
}
static const struct net_ops side_net_ops = { sip_frame, sip_classify, side_message, side_undelivered };

static inline void bed_host(char dst[32], unsigned last)
{
	unsigned pid = (unsigned)getpid();

	snprintf(dst, 32, "127.%u.%u.%u", 128 + (pid >> 8) % 64, pid & 0xff, last);
}

static inline void side_open(struct side *side, unsigned last, const char *product)
{
	struct sip_stack_config config = { .workers = 1, .loop = &bed.loop, .timers = &bed.timers, .product = product,
					   .max_transactions = 100, .max_sessions = 16, .ops = &side_stack_ops,
					   .arg = side };
	char why[200] = "";

	side->bed = &bed;
	side->config = (struct sip_session_config){ .rel100 = SIP_100REL_SUPPORTED, .update = true, .timer = true,
						    .session_expires_s = 1800, .min_se_s = 90, .refresh_segment = 2,
						    .request_address = 2, .challenges_max = 3 };
	bed_host(side->host, last);
	side->net_config = (struct net_config){ .workers = 1, .n_listen = 2, .max_connections = 16,
						.connect_timeout_us = SEC };
	for (int i = 0; i < 2; i++) {
		side->net_config.listen[i].proto = i ? NET_TCP : NET_UDP;
		assert_int_equal(net_addr_parse(&side->net_config.listen[i].addr, span_of(side->host), BED_PORT), 0);
	}
	if (net_open(&side->net, &bed.loop, &side->net_config, 0, &side_net_ops, side, why, sizeof(why)))
		fail_msg("net_open: %s", why);
	net_link(&side->net, 1);
	config.net = side->net;
	config.dns = side->dns;
	assert_int_equal(sip_stack_new(&side->stack, &config), 0);
}

/* dns: "host:port" of a name server for side a, or NULL. */
static inline void bed_open(const char *dns)
{
	memset(&bed, 0, sizeof(bed));
	sip_ses_min_se_floor = 90;
	sip_ses_glare_unit_us = 10 * MSEC;
	bed.timers = (struct sip_timers){ BED_T1_MS * MSEC, 8 * BED_T1_MS * MSEC, 5 * BED_T1_MS * MSEC };
	assert_int_equal(loop_init(&bed.loop), 0);
	if (dns)
		assert_int_equal(net_dns_open(&bed.a.dns, &bed.loop, dns), 0);
	side_open(&bed.a, 11, "alice");
	side_open(&bed.b, 12, "bob");
}

static inline int bed_setup(void **state)
{
	bed_open(NULL);
	return 0;
}

static inline void run_ms(unsigned ms)
{
	uint64_t end = clock_mono_us() + ms * MSEC;

	while (clock_mono_us() < end)
		loop_turn(&bed.loop, 5 * MSEC);
}

static inline bool all_gone(void)
{
	return !sip_stack_stats(bed.a.stack)->sessions_now && !sip_stack_stats(bed.b.stack)->sessions_now;
}

/* Let what is under way settle, then pretend that all the timers of RFC 3261 have run out. The clock must
 * not be used again after that. */
static inline bool run_until_gone(void)
{
	run_ms(20);
	for (int i = 0; i < 60 && !all_gone(); i++) {
		bed.loop.now_us += 100 * MSEC;
		wheel_run(&bed.loop.wheel, bed.loop.now_us);
	}
	return all_gone();
}

static inline int bed_teardown(void **state)
{
	sip_session_release(&bed.a.s);
	sip_session_release(&bed.b.s);
	/* Everything ends by itself, or something leaks. */
	assert_true(run_until_gone());
	for (int i = 0; i < 2; i++) {
		struct side *side = i ? &bed.b : &bed.a;

		sip_stack_free(&side->stack);
		net_dns_close(&side->dns);
		net_close(&side->net);
	}
	loop_close(&bed.loop);
	return 0;
}

/* The log consists of these words, in this order, within two seconds. */
static inline void expect(struct side *side, const char *words)
{
	uint64_t end = clock_mono_us() + 2 * SEC;
	size_t n = strlen(words);

	while (clock_mono_us() < end && strlen(side->log) < n)
		loop_turn(&bed.loop, 5 * MSEC);
	if (strncmp(side->log, words, n) || strlen(side->log) > n + 1) {
		fprintf(stderr, "%s\n", side->wire);
		fail_msg("told \"%s\", wanted \"%s\"", side->log, words);
	}
	side->log[0] = '\0';
}

/* Nothing is told for some time. */
static inline void expect_quiet(struct side *side, unsigned ms)
{
	run_ms(ms);
	if (side->log[0])
		fail_msg("told \"%s\", wanted nothing", side->log);
}

/* How often `text` stands in what passed since the last bed_forget. */
static inline int wired(const struct side *side, const char *text)
{
	int n = 0;

	for (const char *p = side->wire; (p = strstr(p, text)) != NULL; p++)
		n++;
	return n;
}

static inline void wire_forget(struct side *side)
{
	side->wire_len = 0;
	side->wire[0] = '\0';
}

/* From a's session to `host`; offer version 0 = late offer. */
static inline int dial(enum net_proto proto, const char *host, int offer)
{
	char uri[80], from[80], to[80];
	struct sip_dial d = { .sdp = offer ? sdp(offer) : SPAN_NONE, .max_forwards = 69 };
	union net_addr peer;

	assert_int_equal(net_addr_parse(&peer, span_of(host), BED_PORT), 0);
	assert_int_equal(net_flow_to(bed.a.net, &d.flow, proto, &peer, NULL, NULL), 0);
	snprintf(uri, sizeof(uri), "sip:bob@%s:%d", host, BED_PORT);
	snprintf(from, sizeof(from), "\"Alice\" <sip:alice@%s>", bed.a.host);
	snprintf(to, sizeof(to), "<sip:bob@%s>", host);
	d.uri = span_of(uri);
	d.from = span_of(from);
	d.to = span_of(to);
	return sip_session_dial(&bed.a.s, bed.a.stack, &d, &bed.a.config, &side_ops, &bed.a);
}

/* a calls b, b answers. */
static inline void talk(enum net_proto proto)
{
	assert_int_equal(dial(proto, bed.b.host, 1), 0);
	expect(&bed.b, "invite+1");
	assert_int_equal(sip_session_answer(bed.b.s, sdp(101), SPAN_NONE), 0);
	expect(&bed.a, "trying answer:200+101");
	expect(&bed.b, "ack");
}

/* ---- raw peers --------------------------------------------------------------------------- */

struct raw {
	int fd;
	char host[32];
	struct sockaddr_in to;
	char text[65536];		/* the last message */
};

static inline void raw_open(struct raw *raw, unsigned last)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(BED_PORT) };

	memset(raw, 0, sizeof(*raw));
	bed_host(raw->host, last);
	inet_pton(AF_INET, raw->host, &in.sin_addr);
	raw->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(raw->fd, (struct sockaddr *)&in, sizeof(in)), 0);
	raw->to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(BED_PORT) };
	inet_pton(AF_INET, bed.a.host, &raw->to.sin_addr);
}

static inline void raw_close(struct raw *raw)
{
	close(raw->fd);
}

/* The next message that begins with `start`; others are skipped. */
static inline void raw_expect(struct raw *raw, const char *start)
{
	uint64_t end = clock_mono_us() + 2 * SEC;
	ssize_t n;

	while (clock_mono_us() < end) {
		loop_turn(&bed.loop, 2 * MSEC);
		n = recv(raw->fd, raw->text, sizeof(raw->text) - 1, 0);
		if (n < 0)
			continue;
		raw->text[n] = '\0';
		if (strncmp(raw->text, start, strlen(start)) == 0)
			return;
	}
	fail_msg("no \"%s\" came", start);
}

/* How many that begin with `start` come within the time. */
static inline int raw_count(struct raw *raw, const char *start, unsigned ms)
{
	uint64_t end = clock_mono_us() + ms * MSEC;
	int count = 0;
	ssize_t n;

	while (clock_mono_us() < end) {
		loop_turn(&bed.loop, 2 * MSEC);
		while ((n = recv(raw->fd, raw->text, sizeof(raw->text) - 1, 0)) > 0) {
			raw->text[n] = '\0';
			count += strncmp(raw->text, start, strlen(start)) == 0;
		}
	}
	return count;
}

/* A header's value in `text`, into dst. */
static inline const char *raw_header(const char *text, const char *name, char dst[512])
{
	char mark[64];
	const char *p;

	snprintf(mark, sizeof(mark), "\r\n%s: ", name);
	p = strstr(text, mark);
	dst[0] = '\0';
	if (p)
		span_copy((struct span){ p + strlen(mark), strcspn(p + strlen(mark), "\r") }, dst, 512);
	return dst;
}

static inline void raw_send(struct raw *raw, const char *text)
{
	assert_true(sendto(raw->fd, text, strlen(text), 0, (struct sockaddr *)&raw->to, sizeof(raw->to)) > 0);
}

/* Answer `request` with this status line; `tag` NULL = To as it is; `extra`: header lines. */
static inline void raw_answer(struct raw *raw, const char *request, const char *status, const char *tag, const char *extra,
			      const char *body)
{
	char via[512], from[512], to[512], call_id[512], cseq[512];
	static char out[8192];

	snprintf(out, sizeof(out),
		 "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n"
		 "Contact: <sip:raw@%s:%d>\r\n%s%sContent-Length: %zu\r\n\r\n%s",
		 status, raw_header(request, "Via", via), raw_header(request, "From", from),
		 raw_header(request, "To", to), tag ? ";tag=" : "", tag ? tag : "",
		 raw_header(request, "Call-ID", call_id), raw_header(request, "CSeq", cseq), raw->host, BED_PORT, extra,
		 *body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
	raw_send(raw, out);
}

/* A request of the raw peer's. `to_tag` "" = outside a dialog. */
static inline void raw_request(struct raw *raw, const char *method, const char *call_id, const char *from_tag,
			       const char *to_tag, unsigned cseq, const char *extra, const char *body)
{
	static unsigned branch;
	static char out[8192];

	snprintf(out, sizeof(out),
		 "%s sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;rport;branch=z9hG4bKraw%u\r\nMax-Forwards: 70\r\n"
		 "From: <sip:raw@%s>;tag=%s\r\nTo: <sip:alice@%s>%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		 "Contact: <sip:raw@%s:%d>\r\n%s%sContent-Length: %zu\r\n\r\n%s",
		 method, bed.a.host, raw->host, BED_PORT, ++branch, raw->host, from_tag, bed.a.host,
		 *to_tag ? ";tag=" : "", to_tag, call_id, cseq, method, raw->host, BED_PORT, extra,
		 *body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
	raw_send(raw, out);
}

#endif
