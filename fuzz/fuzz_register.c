/* SPDX-License-Identifier: GPL-3.0-or-later */
/* REGISTER requests, two bytes of length before each, bound to one device: whatever they say, what is bound stays within the
 * policy, in order, each contact once, and made of text that may stand in a message. */
#include "edge/edge_register.h"
#include "model/model_int.h"

#include <stdlib.h>

#define REQUESTS_MAX 8

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_be_line(const char *text, size_t size)
{
	must(memchr(text, '\0', size) != NULL);
	for (; *text; text++)
		must((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_all(const struct bindings *all, const struct register_policy *policy,
		      const struct loop *loop)
{
	must(all->n <= policy->max_contacts);
	for (unsigned i = 0; i < all->n; i++) {
		const struct binding *b = &all->binding[i];
		struct sip_uri uri;

		must_be_line(b->contact, sizeof(b->contact));
		must_be_line(b->path, sizeof(b->path));
		must(sip_uri_decode(&uri, span_of(b->contact)) == 0 && uri.host.len);
		must(b->q <= 1000 && (i == 0 || b->q <= all->binding[i - 1].q));
		must(b->expires_us > loop->now_us &&
		     b->expires_us <= loop->now_us + policy->max_expiry_us);
		for (unsigned j = 0; j < i; j++)
			must(strcmp(b->contact, all->binding[j].contact) != 0);
	}
}

static void take(struct registration *r, struct span text, const struct register_policy *policy,
		 const struct loop *loop)
{
	struct net_buf *buf = net_buf_copy(text.p, text.len);
	struct net_flow flow = { .proto = NET_UDP };
	struct contacts_wish wish;
	struct bindings before, all;
	struct sip_msg msg;
	const char *why;

	net_addr_parse(&flow.peer, SPAN("192.0.2.1"), 5060);
	if (buf && sip_msg_parse(&msg, buf, false, &why) == 0 && msg.request &&
	    msg.method == SIP_REGISTER) {
		enum register_reason reason = edge_contacts_read(&msg, &flow, policy, loop, &wish);

		registration_read(r, &before);
		if (reason == REGISTER_REGISTERED)
			reason = edge_contacts_apply(r, &wish, policy, loop->now_us, &all);
		registration_read(r, &all);
		/* refused: all stays as it was */
		must(reason == REGISTER_REGISTERED ||
		     (before.n == all.n &&
		      memcmp(before.binding, all.binding, all.n * sizeof(all.binding[0])) == 0));
		check_all(&all, policy, loop);
	}
	net_buf_unref(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size };
	struct register_policy policy = { .min_expiry_us = 60 * SEC,
					  .max_expiry_us = 300 * SEC,
					  .max_contacts = 3 };
	struct loop loop = { .now_us = 1000 * SEC, .utc_us = 5000 * SEC };
	struct load_box *box = load_box_new(KIND_PHONE);

	if (!box)
		return 0;
	policy.replace = size & 1;
	for (unsigned i = 0; i < REQUESTS_MAX && rest.len > 2; i++) {
		size_t len = (size_t)(unsigned char)rest.p[0] << 8 | (unsigned char)rest.p[1];

		rest = span_skip(rest, 2);
		take(load_registration(&box->load), span_head(rest, len), &policy, &loop);
		rest = span_skip(rest, len < rest.len ? len : rest.len);
		loop.utc_us += SEC;
	}
	load_box_unref(&box->load);
	return 0;
}
