/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of sip share. */
#ifndef CAUSEWAY_TEST_SIP_HELP_H
#define CAUSEWAY_TEST_SIP_HELP_H

#include "base/base.h"
#include "sip/sip_digest.h"
#include "sip/sip_msg.h"
#include "sip/sip_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static inline void assert_span(struct span got, const char *wanted)
{
	if (!span_eq(got, span_of(wanted)))
		fail_msg("got \"%.*s\", wanted \"%s\"", SPAN_ARG(got), wanted);
}

/* A buffer of exactly the size of its content, so that reading past the end shows. */
static inline struct net_buf *buf_of(const char *text, size_t len)
{
	struct net_buf *buf = net_buf_copy(text, len);

	assert_non_null(buf);
	return buf;
}

static inline struct net_buf *buf_of_str(const char *text)
{
	return buf_of(text, strlen(text));
}

static inline struct net_flow flow_from(const char *peer)
{
	struct net_flow flow = { .proto = NET_UDP };

	assert_int_equal(net_addr_parse(&flow.peer, span_of(peer), 5060), 0);
	return flow;
}

#endif
