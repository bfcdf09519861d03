/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything that reads SIP from outside. The input is framed and classified raw, parsed as a
 * datagram and as a framed message, and every header of it goes through every decoder. What a
 * request that parsed is answered with must parse again and say the same. */
#include "base/base.h"
#include "sip/sip_digest.h"
#include "sip/sip_msg.h"
#include "sip/sip_write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sip_msg msg, again;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static void inside(const struct sip_msg *m, struct span s)
{
	CHECK(!s.len || (s.p >= m->base && s.p + s.len <= m->buf->data + m->buf->len));
}

static void decode_value(struct span value)
{
	struct sip_uri uri;
	struct sip_name_addr addr;
	struct sip_via via;
	struct sip_reason reason;
	struct span found;
	enum sip_method method;
	uint32_t a, b;
	char role, text[256];

	inside(&msg, value);
	sip_uri_decode(&uri, value);
	if (!sip_name_addr_decode(&addr, value)) {
		inside(&msg, addr.uri);
		inside(&msg, addr.display);
		inside(&msg, addr.params);
		if (!sip_uri_decode(&uri, addr.uri)) {
			inside(&msg, uri.host);
			sip_unescape(uri.user, text, sizeof(text));
			sip_param(uri.params, "transport", &found);
		}
		if (sip_param(addr.params, "tag", &found))
			inside(&msg, found);
	}
	if (!sip_via_decode(&via, value)) {
		inside(&msg, via.host);
		inside(&msg, via.branch);
	}
	if (!sip_reason_decode(&reason, value))
		inside(&msg, reason.text);
	sip_session_expires_decode(value, &a, &role);
	sip_rack_decode(value, &a, &b, &method);
	sip_unescape(value, text, sizeof(text));
}

static void decode_all(void)
{
	for (int id = 0; id < SIP_HEADERS; id++) {
		struct sip_values it = { 0 };
		unsigned n = 0;

		for (; sip_next_value(&msg, (enum sip_header)id, &it); n++)
			decode_value(it.value);
		CHECK(n <= msg.buf->len);
		sip_lists(&msg, (enum sip_header)id, "timer");
	}
	for (unsigned i = 0; i < msg.n_headers; i++) {
		struct span value = sip_str(&msg, msg.headers[i].value);

		decode_value(value);
		CHECK(!value.len ||
		      (!memchr(value.p, '\n', value.len) && !memchr(value.p, '\r', value.len)));
	}
	sip_q850(&msg);
	sip_retry_after(&msg);
	sip_header_named(&msg, "X-Unknown");
}

static void authenticate(void)
{
	static struct sip_digest_server *server;
	static const unsigned char key[32] = { 1 };
	struct buf out = BUF_INIT(65536);
	struct span user;

	if (!server)
		server = sip_digest_server_new(key, SEC, 4);
	sip_digest_user(&msg, "r", false, &user);
	sip_digest_check(server, &msg, "r", false, "u", "p", 1);
	sip_digest_check(server, &msg, "r", true, "u", "p", 1);
	sip_digest_is_stale(&msg);
	sip_digest_realm(&msg);
	if (!sip_digest_answer(&msg, SPAN("INVITE"), SPAN("sip:h"), "u\"", "p", 1, &out))
		CHECK(!memchr(out.p, '\r', out.len - 2));
	buf_free(&out);
}

/* Print, then parse. Part of an answer to a refused request may be missing; it must not crash. */
static void answer(int verdict)
{
	struct net_flow flow = { .proto = NET_UDP };
	struct sip_writer w;
	struct net_buf *buf;
	const char *why;

	CHECK(!net_addr_parse(&flow.peer, SPAN("192.0.2.1:5060"), 0));
	sip_write_begin(&w, msg.buf->len + 1024);
	sip_write_response_head(&w, &msg, &flow, 200, NULL, SPAN("t"));
	sip_write_record_routes(&w, &msg);
	buf = sip_finish(&w, "text/plain", SPAN("x"));
	if (!buf)
		return;
	if (verdict == 0) {
		CHECK(sip_msg_parse(&again, buf, true, &why) == 0);
		CHECK(again.status == 200 && again.cseq == msg.cseq && again.method == msg.method);
		CHECK(span_eq(again.call_id, msg.call_id) && span_eq(again.from_tag, msg.from_tag));
		CHECK(span_eq(again.via.branch, msg.via.branch) &&
		      span_eq(again.via.host, msg.via.host));
		CHECK(msg.to_tag.len ? span_eq(again.to_tag, msg.to_tag) : true);
		CHECK(again.body.len == 1);
	}
	net_buf_unref(&buf);
}

static void parse(const uint8_t *data, size_t size, bool stream)
{
	struct net_buf *buf = net_buf_copy(data, size);
	const char *why = NULL;
	int verdict;

	if (!buf)
		return;
	verdict = sip_msg_parse(&msg, buf, stream, &why);
	CHECK(verdict == 0 || verdict == 400 || verdict == 505 || verdict == -EBADMSG);
	CHECK((verdict == 0) == (why == NULL));
	CHECK(msg.base + msg.len <= buf->data + buf->len);
	inside(&msg, sip_str(&msg, msg.body));
	decode_all();
	authenticate();
	if (msg.request && verdict >= 0)
		answer(verdict);
	net_buf_unref(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span raw = { (const char *)data, size };
	size_t skip;
	bool pong;
	ssize_t length;

	if (size > 8192)
		return 0;
	CHECK(sip_classify(raw, 4) >= 0 && sip_classify(raw, 4) < 4);
	length = sip_frame(raw, &skip, &pong);
	CHECK(skip <= size && length <= (ssize_t)(size - skip));
	if (length > 0)
		parse(data + skip, (size_t)length, true);
	parse(data, size, false);
	return 0;
}
