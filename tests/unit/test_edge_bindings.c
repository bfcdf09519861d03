/* SPDX-License-Identifier: GPL-3.0-or-later */
/* REGISTER requests in a row and what is bound after each (RFC 3261 10.3): read from text as the registrar reads them. */
#include "edge/edge_register.h"
#include "model/model_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static struct load_box *box;
static struct loop loop;
static struct register_policy policy;

/* Call-ID, CSeq and further lines; the outcome, and what is bound then as "USER q ..." in order. */
struct step {
	const char *call_id;
	unsigned cseq;
	const char *lines;
	enum register_reason reason;
	const char *bound;
};

static enum register_reason ask(const struct step *step)
{
	struct buf text = BUF_INIT(4096);
	struct net_flow flow = { .proto = NET_UDP };
	struct contacts_wish wish;
	struct bindings all;
	struct net_buf *buf;
	struct sip_msg msg;
	const char *why = "";
	enum register_reason reason;

	net_addr_parse(&flow.peer, SPAN("192.0.2.1"), 5060);
	buf_addf(&text,
		 "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP "
		 "192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
		 "From: <sip:1@h>;tag=t\r\nTo: <sip:1@h>\r\nCall-ID: %s\r\nCSeq: %u REGISTER\r\n%s"
		 "Content-Length: 0\r\n\r\n",
		 step->call_id, step->cseq, step->lines);
	buf = net_buf_copy(text.p, text.len);
	buf_free(&text);
	if (sip_msg_parse(&msg, buf, false, &why))
		fail_msg("%s: %s", step->lines, why);
	reason = edge_contacts_read(&msg, &flow, &policy, &loop, &wish);
	if (reason == REGISTER_REGISTERED)
		reason = edge_contacts_apply(load_registration(&box->load), &wish, &policy,
					     loop.now_us, &all);
	net_buf_unref(&buf);
	return reason;
}

static void check(const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf bound = BUF_INIT(1024);
		struct bindings all;

		if (ask(&steps[i]) != steps[i].reason)
			fail_msg("step %zu (%s): not %s", i, steps[i].lines,
				 edge_register_reason_name(steps[i].reason));
		registration_read(load_registration(&box->load), &all);
		for (unsigned j = 0; j < all.n; j++) {
			struct sip_uri uri;

			assert_int_equal(sip_uri_decode(&uri, span_of(all.binding[j].contact)), 0);
			buf_addf(&bound, "%s%.*s %u", j ? " " : "", SPAN_ARG(uri.user),
				 all.binding[j].q);
		}
		if (strcmp(buf_cstr(&bound), steps[i].bound) != 0)
			fail_msg("step %zu (%s): bound is \"%s\"", i, steps[i].lines,
				 buf_cstr(&bound));
		buf_free(&bound);
		loop.now_us += SEC;
		loop.utc_us += SEC;
	}
}

#define C(user) "Contact: <sip:" user "@192.0.2.1>\r\n"
#define E(seconds) "Expires: " seconds "\r\n"

static void test_order(void **state)
{
	static const struct step steps[] = {
		{ "a", 1, C("x"), REGISTER_REGISTERED, "x 1000" },
		{ "b", 1, "Contact: <sip:y@192.0.2.1>;q=0.5\r\n", REGISTER_REGISTERED,
		  "x 1000 y 500" },
		{ "c", 1, C("z"), REGISTER_REGISTERED,
		  "z 1000 x 1000 y 500" }, /* newest of a q first */
		{ "a", 2, C("x"), REGISTER_REGISTERED, "x 1000 z 1000 y 500" },
		{ "b", 2, "Contact: <sip:y@192.0.2.1>;q=1.000\r\n", REGISTER_REGISTERED,
		  "y 1000 x 1000 z 1000" },
		{ "d", 1, "", REGISTER_REGISTERED, "y 1000 x 1000 z 1000" }, /* a question */
		{ "b", 2, C("y"), REGISTER_OUT_OF_ORDER, "y 1000 x 1000 z 1000" },
		{ "b", 1, "Contact: *\r\n" E("0"), REGISTER_OUT_OF_ORDER, "y 1000 x 1000 z 1000" },
		{ "d", 2, "Contact: *\r\n" E("0"), REGISTER_REGISTERED, "" },
	};

	policy.max_contacts = 3;
	check(steps, ARRAY_SIZE(steps));
}

static void test_too_many(void **state)
{
	static const struct step replacing[] = {
		{ "a", 1, C("x"), REGISTER_REGISTERED, "x 1000" },
		{ "b", 1, C("y"), REGISTER_REGISTERED, "y 1000 x 1000" },
		{ "c", 1, C("z"), REGISTER_REGISTERED, "z 1000 y 1000" }, /* the oldest went */
		{ "b", 2, C("y"), REGISTER_REGISTERED, "y 1000 z 1000" },
		/* one request may not push out what it names itself */
		{ "d", 1, C("u") C("v") C("w"), REGISTER_TOO_MANY_CONTACTS, "y 1000 z 1000" },
		{ "d", 2, C("u") C("v"), REGISTER_REGISTERED, "u 1000 v 1000" },
	};
	static const struct step keeping[] = {
		{ "e", 1, C("w"), REGISTER_TOO_MANY_CONTACTS, "u 1000 v 1000" },
		{ "e", 2, "Contact: <sip:u@192.0.2.1>;expires=0, <sip:w@192.0.2.1>\r\n",
		  REGISTER_REGISTERED, "w 1000 v 1000" },
	};

	policy.max_contacts = 2;
	check(replacing, ARRAY_SIZE(replacing));
	policy.replace = false;
	check(keeping, ARRAY_SIZE(keeping));
}

static int mark(void *arg, struct bindings *all)
{
	all->binding[0].answers = 1;
	all->binding[0].unreachable_utc_us = 5;
	return 0;
}

/* A REGISTER says that the device is there; that it answers OPTIONS as a rule is known of it already. */
static void test_refreshed_is_reachable(void **state)
{
	static const struct step first = { "a", 1, C("x"), REGISTER_REGISTERED, "x 1000" },
				 again = { "a", 2, C("x"), REGISTER_REGISTERED, "x 1000" },
				 other = { "b", 1, C("y"), REGISTER_REGISTERED, "y 1000" };
	struct registration *r = load_registration(&box->load);
	struct bindings all;

	policy.max_contacts = 1;
	policy.replace = true;
	check(&first, 1);
	assert_int_equal(registration_update(r, mark, NULL), 0);
	check(&again, 1);
	registration_read(r, &all);
	assert_int_equal(all.binding[0].answers, 1);
	assert_int_equal(all.binding[0].unreachable_utc_us, 0);
	check(&other, 1);
	registration_read(r, &all);
	assert_int_equal(all.binding[0].answers, 0);
}

static void test_same(void **state)
{
	static const struct step steps[] = {
		{ "a", 1, C("x"), REGISTER_REGISTERED, "x 1000" },
		/* RFC 3261 19.1.4: these are the same, and these are not */
		{ "a", 2, "Contact: \"X\" <SIP:x@192.0.2.1;transport=UDP>;q=0.3\r\n",
		  REGISTER_REGISTERED, "x 300" },
		{ "a", 3, "Contact: <sip:x@192.0.2.1:5062>\r\n", REGISTER_REGISTERED,
		  "x 1000 x 300" },
		{ "a", 4, "Contact: <sip:X@192.0.2.1>\r\n", REGISTER_REGISTERED,
		  "X 1000 x 1000 x 300" },
		{ "a", 5, "Contact: <sip:x@192.0.2.1;transport=tcp>\r\n", REGISTER_REGISTERED,
		  "x 1000 X 1000 x 1000 x 300" },
	};

	policy.max_contacts = 8;
	check(steps, ARRAY_SIZE(steps));
}

static void test_whole_or_not(void **state)
{
	static const struct step steps[] = {
		{ "a", 1, C("x"), REGISTER_REGISTERED, "x 1000" },
		{ "b", 1, C("y") "Contact: <sip:z@192.0.2.1>;expires=59\r\n",
		  REGISTER_INTERVAL_TOO_BRIEF, "x 1000" },
		{ "b", 1, C("y") "Contact: <tel:123>\r\n", REGISTER_BAD_REQUEST, "x 1000" },
		{ "b", 1, C("y") "Contact: <sip:z@192.0.2.1>;q=1.1\r\n", REGISTER_BAD_REQUEST,
		  "x 1000" },
		{ "b", 1, C("y") "Contact: <sip:z@192.0.2.1>;q=0.1234\r\n", REGISTER_BAD_REQUEST,
		  "x 1000" },
		{ "b", 1, C("y") "Contact: *\r\n" E("0"), REGISTER_BAD_REQUEST, "x 1000" },
		{ "b", 1, "Contact: *\r\n" E("1"), REGISTER_BAD_REQUEST, "x 1000" },
		{ "b", 1, "Contact: *\r\n", REGISTER_BAD_REQUEST, "x 1000" },
		{ "b", 1, C("y") "Path: <nonsense>\r\n", REGISTER_BAD_REQUEST, "x 1000" },
		{ "a", 1, C("y") C("x"), REGISTER_OUT_OF_ORDER, "x 1000" },
		{ "b", 2, C("x") E("0"), REGISTER_REGISTERED, "" },
		{ "b", 3, C("x") E("0"), REGISTER_REGISTERED, "" }, /* what is not there may go */
	};

	policy.max_contacts = 8;
	check(steps, ARRAY_SIZE(steps));
}

static void test_expiry(void **state)
{
	static const struct {
		const char *lines;
		unsigned seconds;
	} wanted[] = {
		{ C("x"), 300 }, /* not said: the longest */
		{ C("x") E("120"), 120 },
		{ C("x") E("60"), 60 }, /* just so */
		{ C("x") E("99999999999"), 300 },
		{ C("x") E("soon"), 300 }, /* RFC 3261 20.10 */
		{ "Contact: <sip:x@192.0.2.1>;expires=70\r\n" E("200"), 70 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct step step = { "a", i + 1, wanted[i].lines, REGISTER_REGISTERED, "" };
		struct bindings all;

		assert_int_equal(ask(&step), REGISTER_REGISTERED);
		registration_read(load_registration(&box->load), &all);
		assert_int_equal(all.n, 1);
		assert_int_equal(all.binding[0].expires_us - loop.now_us, wanted[i].seconds * SEC);
	}
	/* and then it is gone, also for the next request */
	loop.now_us += 70 * SEC;
	assert_false(registration_is_live(load_registration(&box->load), loop.now_us));
	check(&(struct step){ "b", 1, C("y"), REGISTER_REGISTERED, "y 1000" }, 1);
}

static void test_path_and_nat(void **state)
{
	static const struct {
		const char *lines, *path;
		bool natted;
	} wanted[] = {
		{ C("x"), "", false },
		{ "Contact: <sip:x@10.0.0.1>\r\n", "", true },
		{ "Contact: <sip:x@192.0.2.1:5062>\r\n", "", true },
		{ "Contact: <sip:x@10.0.0.1>\r\nPath: <sip:p;lr>, <sip:q;lr>\r\nPath: "
		  "<sip:r;lr>\r\n",
		  "<sip:p;lr>,<sip:q;lr>,<sip:r;lr>", false },
	};

	policy.max_contacts = 1;
	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct step step = { "a", i + 1, wanted[i].lines, REGISTER_REGISTERED, "" };
		struct bindings all;

		assert_int_equal(ask(&step), REGISTER_REGISTERED);
		registration_read(load_registration(&box->load), &all);
		assert_string_equal(all.binding[0].path, wanted[i].path);
		assert_int_equal(all.binding[0].natted, wanted[i].natted);
		assert_int_equal(registration_is_natted(load_registration(&box->load)),
				 wanted[i].natted);
	}
}

static int setup(void **state)
{
	box = load_box_new(KIND_PHONE);
	loop = (struct loop){ .now_us = 1000 * SEC, .utc_us = 5000 * SEC };
	policy = (struct register_policy){ 60 * SEC, 300 * SEC, 1, true };
	return box ? 0 : -1;
}

static int teardown(void **state)
{
	load_box_unref(&box->load);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refreshed_is_reachable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_or_not, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expiry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_path_and_nat, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
