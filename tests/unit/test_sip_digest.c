/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digest authentication: the vectors of RFC 7616 3.9.1, both sides against each other, and
 * everything that must not be accepted. */
#include "sip_help.h"

#define REALM "pbx \"one\""
#define START (1000 * SEC)
#define LIFE (60 * SEC)

static struct sip_msg msg;
static const char *why;
static const unsigned char key[32] = { 1, 2, 3 };

#define CORE                                                                                       \
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\n" \
	"Call-ID: x\r\nCSeq: 1 %s\r\n"

/* A request with the given header lines, parsed into `msg`. */
static struct net_buf *request(const char *method, const char *uri, const char *lines)
{
	struct buf text = BUF_INIT(8192);
	struct net_buf *buf;

	buf_addf(&text, "%s %s SIP/2.0\r\n" CORE "%s\r\n", method, uri, method, lines);
	buf = buf_of(text.p, text.len);
	buf_free(&text);
	sip_msg_parse(&msg, buf, false, &why);
	return buf;
}

static struct net_buf *challenge(int status, const char *lines)
{
	struct buf text = BUF_INIT(8192);
	struct net_buf *buf;

	buf_addf(&text, "SIP/2.0 %d x\r\n" CORE "%s\r\n", status, "REGISTER", lines);
	buf = buf_of(text.p, text.len);
	buf_free(&text);
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	return buf;
}

static enum sip_digest_verdict check(struct sip_digest_server *server, const char *uri,
				     const char *lines, const char *password, uint64_t now_us)
{
	struct net_buf *buf = request("REGISTER", uri, lines);
	enum sip_digest_verdict verdict =
		sip_digest_check(server, &msg, REALM, false, "al\"ice", password, now_us);

	net_buf_unref(&buf);
	return verdict;
}

/* The server's challenge, the client's answer to it. */
static void log_in(struct sip_digest_server *server, uint64_t now_us, uint32_t nc,
		   struct buf *asked, struct buf *answer)
{
	struct net_buf *buf;

	if (!asked->len)
		sip_digest_challenge(server, asked, REALM, false, false, now_us);
	buf = challenge(401, buf_cstr(asked));
	buf_reset(answer);
	assert_int_equal(sip_digest_answer(&msg, SPAN("REGISTER"), SPAN("sip:h"), "al\"ice",
					   "secret", nc, answer),
			 0);
	net_buf_unref(&buf);
}

#define RFC7616(alg, response)                                                                     \
	"Authorization: Digest username=\"Mufasa\",\r\n realm=\"http-auth@example.org\",\r\n"      \
	" uri=\"/dir/index.html\",\r\n algorithm=" alg ",\r\n"                                     \
	" nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\",\r\n nc=00000001,\r\n"            \
	" cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\",\r\n qop=auth,\r\n"              \
	" response=\"" response                                                                    \
	"\",\r\n opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n"

/* A right answer to a nonce that is not ours is stale, a wrong one is wrong. */
static void test_rfc7616(void **state)
{
	static const struct {
		const char *lines;
		enum sip_digest_verdict verdict;
	} cases[] = {
		{ RFC7616("MD5", "8ca523f5e9506fed4657c9700eebdbec"), SIP_DIGEST_STALE },
		{ RFC7616("MD5", "8CA523F5E9506FED4657C9700EEBDBEC"), SIP_DIGEST_STALE },
		{ RFC7616("MD5", "8ca523f5e9506fed4657c9700eebdbed"), SIP_DIGEST_WRONG },
		{ RFC7616("MD5", "8ca523f5e9506fed4657c9700eebdbe"), SIP_DIGEST_WRONG },
		{ RFC7616("SHA-256",
			  "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
		  SIP_DIGEST_STALE },
		{ RFC7616("SHA-256",
			  "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c0"),
		  SIP_DIGEST_WRONG },
		{ RFC7616("SHA-256", "8ca523f5e9506fed4657c9700eebdbec"), SIP_DIGEST_WRONG },
		{ RFC7616("MD5-sess", "8ca523f5e9506fed4657c9700eebdbec"), SIP_DIGEST_NONE },
	};
	struct sip_digest_server *server = sip_digest_server_new(key, LIFE, 10);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_buf *buf = request("GET", "/dir/index.html", cases[i].lines);
		struct span user;

		assert_true(sip_digest_user(&msg, "http-auth@example.org", false, &user));
		assert_span(user, "Mufasa");
		assert_false(sip_digest_user(&msg, "http-auth@example.org", true, &user));
		assert_false(sip_digest_user(&msg, "other", false, &user));
		assert_int_equal(sip_digest_check(server, &msg, "http-auth@example.org", false,
						  "Mufasa", "Circle of Life", START),
				 cases[i].verdict);
		net_buf_unref(&buf);
	}
	sip_digest_server_free(&server);
	assert_null(server);
}

#define SIP_CREDS                                                                                  \
	"Proxy-Authorization: Digest username=\"bob\", realm=\"biloxi.example.com\", "             \
	"nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"sip:bob@biloxi.example.com\", "
#define SIP_QOP "qop=auth, nc=00000001, cnonce=\"0a4f113b\", "

/* RFC 8760: each algorithm, with and without qop; computed by another implementation. */
static void test_rfc8760(void **state)
{
	static const char *const good[] = {
		SIP_CREDS SIP_QOP "response=\"d842aeb901c6e474dad4af7f84c64e56\"\r\n",
		SIP_CREDS "response=\"92799a6353125e154102392085633253\", algorithm=MD5\r\n",
		SIP_CREDS SIP_QOP
		"algorithm=SHA-256, "
		"response=\"6beb7b2bfe7a50d425314e7961c7f01bcd8afed8bf5c87c2f5479d1dca2d498f\"\r\n",
		SIP_CREDS
		"algorithm=\"SHA-256\", "
		"response=\"bae2a0dec552792ac0c8a0ac00c7b84f993beeb29e3efa35a55716b853cac050\"\r\n",
		SIP_CREDS SIP_QOP
		"algorithm=SHA-512-256, "
		"response=\"ff36f0111fa81b909a997021f3a040d2f75674daead33f422a33dbdc6966897e\"\r\n",
		SIP_CREDS
		"algorithm=SHA-512-256, "
		"response=\"9c4e7f3ce9226bcea3a8328521254bc22259144dc10a09857ef7f4ecbe424375\"\r\n",
	};
	struct sip_digest_server *server = sip_digest_server_new(key, LIFE, 10);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct net_buf *buf = request("INVITE", "sip:bob@biloxi.example.com", good[i]);

		if (sip_digest_check(server, &msg, "biloxi.example.com", true, "bob", "zanzibar",
				     START) != SIP_DIGEST_STALE)
			fail_msg("case %zu", i);
		assert_int_equal(sip_digest_check(server, &msg, "biloxi.example.com", true, "bob",
						  "zanzibaR", START),
				 SIP_DIGEST_WRONG);
		assert_int_equal(sip_digest_check(server, &msg, "biloxi.example.com", true, "Bob",
						  "zanzibar", START),
				 SIP_DIGEST_WRONG);
		net_buf_unref(&buf);
	}
	sip_digest_server_free(&server);
}

static void test_challenge(void **state)
{
	struct sip_digest_server *server = sip_digest_server_new(key, LIFE, 10);
	struct buf out = BUF_INIT(4096);
	const char *second;

	(void)state;
	sip_digest_challenge(server, &out, REALM, true, true, START);
	assert_true(span_starts(
		buf_span(&out),
		SPAN("Proxy-Authenticate: Digest realm=\"pbx \\\"one\\\"\", nonce=\"")));
	second = strstr(buf_cstr(&out), "\r\n") + 2;
	assert_non_null(strstr(buf_cstr(&out), "algorithm=SHA-256, qop=\"auth\", stale=true\r\n"));
	assert_non_null(strstr(second, "algorithm=MD5, qop=\"auth\", stale=true\r\n"));
	assert_null(strstr(second, "SHA-256"));
	buf_free(&out);
	sip_digest_server_free(&server);
}

static void test_log_in(void **state)
{
	struct sip_digest_server *server = sip_digest_server_new(key, LIFE, 10);
	struct sip_digest_server *other = sip_digest_server_new(key, LIFE, 10);
	struct buf asked = BUF_INIT(4096), answer = BUF_INIT(4096);

	(void)state;
	assert_int_equal(check(server, "sip:h", "", "secret", START), SIP_DIGEST_NONE);
	log_in(server, START, 1, &asked, &answer);
	assert_non_null(strstr(buf_cstr(&answer), "algorithm=SHA-256"));
	assert_non_null(strstr(buf_cstr(&answer), "username=\"al\\\"ice\""));
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "wrong", START),
			 SIP_DIGEST_WRONG);
	assert_int_equal(check(server, "sip:other", buf_cstr(&answer), "secret", START),
			 SIP_DIGEST_MALFORMED);
	assert_int_equal(check(server, "sip:H:5060;lr", buf_cstr(&answer), "secret", START),
			 SIP_DIGEST_OK);
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START),
			 SIP_DIGEST_REPLAY);
	log_in(server, START, 5, &asked, &answer);
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START), SIP_DIGEST_OK);
	log_in(server, START, 4, &asked, &answer);
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START),
			 SIP_DIGEST_REPLAY);
	log_in(server, START, 6, &asked, &answer);
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START + LIFE + 1),
			 SIP_DIGEST_STALE);
	assert_int_equal(check(other, "sip:h", buf_cstr(&answer), "secret", START + 1),
			 SIP_DIGEST_OK);
	buf_free(&asked);
	buf_free(&answer);
	sip_digest_server_free(&server);
	sip_digest_server_free(&other);
}

/* An algorithm that is not offered is not taken either: nobody talks a client down to MD5. */
static void test_offer(void **state)
{
	struct sip_digest_server *server = sip_digest_server_new(key, LIFE, 10);
	struct buf asked = BUF_INIT(4096), answer = BUF_INIT(4096);

	(void)state;
	sip_digest_server_offer(server, true, false);
	log_in(server, START, 1, &asked, &answer);
	assert_null(strstr(buf_cstr(&asked), "SHA-256"));
	assert_non_null(strstr(buf_cstr(&answer), "algorithm=MD5"));
	sip_digest_server_offer(server, false, true);
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START),
			 SIP_DIGEST_NONE);
	buf_reset(&asked);
	log_in(server, START, 1, &asked, &answer);
	assert_null(strstr(buf_cstr(&asked), "MD5"));
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START), SIP_DIGEST_OK);
	buf_free(&asked);
	buf_free(&answer);
	sip_digest_server_free(&server);
}

/* Another key or another realm makes another nonce; the answer itself is right. */
static void test_foreign_nonce(void **state)
{
	static const unsigned char other_key[32] = { 9 };
	struct sip_digest_server *server = sip_digest_server_new(key, LIFE, 10);
	struct sip_digest_server *other = sip_digest_server_new(other_key, LIFE, 10);
	struct buf asked = BUF_INIT(4096), answer = BUF_INIT(4096);

	(void)state;
	log_in(server, START, 1, &asked, &answer);
	assert_int_equal(check(other, "sip:h", buf_cstr(&answer), "secret", START),
			 SIP_DIGEST_STALE);
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START - 3 * SEC),
			 SIP_DIGEST_STALE);
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START - SEC),
			 SIP_DIGEST_OK);
	buf_free(&asked);
	buf_free(&answer);
	sip_digest_server_free(&server);
	sip_digest_server_free(&other);
}

/* A forgotten nonce is stale, it never becomes new again; newer ones go on working. */
static void test_bounded_memory(void **state)
{
	struct sip_digest_server *server = sip_digest_server_new(key, LIFE, 3);
	struct buf asked[5], answer[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		asked[i] = BUF_INIT(4096);
		answer[i] = BUF_INIT(4096);
		log_in(server, START + i, 1, &asked[i], &answer[i]);
		assert_int_equal(check(server, "sip:h", buf_cstr(&answer[i]), "secret", START + 9),
				 SIP_DIGEST_OK);
	}
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(check(server, "sip:h", buf_cstr(&answer[i]), "secret", START + 9),
				 i < 2 ? SIP_DIGEST_STALE : SIP_DIGEST_REPLAY);
	for (unsigned i = 0; i < 5; i++) {
		buf_free(&asked[i]);
		buf_free(&answer[i]);
	}
	sip_digest_server_free(&server);
}

/* Without qop: once. */
static void test_without_qop(void **state)
{
	struct sip_digest_server *server = sip_digest_server_new(key, LIFE, 3);
	struct buf asked = BUF_INIT(4096), old = BUF_INIT(4096), answer = BUF_INIT(4096);
	const char *at;

	(void)state;
	sip_digest_challenge(server, &asked, REALM, false, false, START);
	at = strstr(buf_cstr(&asked), "\r\n") +
	     2; /* the MD5 line, as an old server would write it */
	buf_add(&old, at, (size_t)(strstr(at, ", algorithm") - at));
	buf_add_str(&old, "\r\n");
	log_in(server, START, 1, &old, &answer);
	assert_null(strstr(buf_cstr(&answer), "qop"));
	assert_null(strstr(buf_cstr(&answer), "algorithm"));
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START), SIP_DIGEST_OK);
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START),
			 SIP_DIGEST_REPLAY);
	log_in(server, START, 7, &asked, &answer);
	assert_int_equal(check(server, "sip:h", buf_cstr(&answer), "secret", START),
			 SIP_DIGEST_REPLAY);
	buf_free(&asked);
	buf_free(&old);
	buf_free(&answer);
	sip_digest_server_free(&server);
}

#define CREDS                                                                                      \
	"username=\"al\\\"ice\", realm=\"pbx \\\"one\\\"\", nonce=\"1\", uri=\"sip:h\", "          \
	"response=\"00\""

static void test_malformed(void **state)
{
	static const struct {
		const char *lines;
		enum sip_digest_verdict verdict;
	} cases[] = {
		{ "Authorization: Digest " CREDS "\r\n", SIP_DIGEST_WRONG },
		{ "authorization: digest  , " CREDS " ,\r\n", SIP_DIGEST_WRONG },
		{ "Authorization: Basic abc\r\nAuthorization: Digest " CREDS "\r\n",
		  SIP_DIGEST_WRONG },
		{ "Authorization: NoOneKnowsThisScheme opaque-data=here\r\n", SIP_DIGEST_NONE },
		{ "Authorization:\r\n", SIP_DIGEST_NONE },
		{ "Proxy-Authorization: Digest " CREDS "\r\n", SIP_DIGEST_NONE },
		{ "Authorization: Digest realm=\"other\"\r\n", SIP_DIGEST_NONE },
		{ "Authorization: Digest " CREDS ", algorithm=SHA-3\r\n", SIP_DIGEST_NONE },
		{ "Authorization: Digest " CREDS ", uri=\"sip:i\"\r\n", SIP_DIGEST_MALFORMED },
		{ "Authorization: Digest " CREDS ", qop=auth\r\n", SIP_DIGEST_MALFORMED },
		{ "Authorization: Digest " CREDS ", qop=auth, cnonce=\"1\", nc=0000001\r\n",
		  SIP_DIGEST_MALFORMED },
		{ "Authorization: Digest " CREDS ", qop=auth, cnonce=\"1\", nc=00000000\r\n",
		  SIP_DIGEST_MALFORMED },
		{ "Authorization: Digest " CREDS ", qop=auth-int, cnonce=\"1\", nc=00000001\r\n",
		  SIP_DIGEST_MALFORMED },
		{ "Authorization: Digest " CREDS " x=y\r\n", SIP_DIGEST_MALFORMED },
		{ "Authorization: Digest " CREDS ", x=\"y\r\n", SIP_DIGEST_MALFORMED },
		{ "Authorization: Digest realm=\"pbx \\\"one\\\"\", username=\"al\\\"ice\"\r\n",
		  SIP_DIGEST_MALFORMED },
	};
	struct sip_digest_server *server = sip_digest_server_new(key, LIFE, 3);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum sip_digest_verdict verdict =
			check(server, "sip:h", cases[i].lines, "secret", START);

		if (verdict != cases[i].verdict)
			fail_msg("case %zu: %d instead of %d", i, (int)verdict,
				 (int)cases[i].verdict);
	}
	sip_digest_server_free(&server);
}

#define CHAL(alg, qop) "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"" alg qop "\r\n"

/* RFC 8760 2.4: the strongest that both know. */
static void test_client_choice(void **state)
{
	static const struct {
		const char *lines;
		int err;
		const char *has, *lacks;
	} cases[] = {
		{ "", -ENOENT, NULL, NULL },
		{ CHAL("", ""), 0, "Authorization: Digest username=\"u\", realm=\"r\"", "qop" },
		{ CHAL(", algorithm=MD5", ", qop=\"auth\""), 0,
		  ", algorithm=MD5, cnonce=", "opaque" },
		{ CHAL(", algorithm=MD5", "") CHAL(", algorithm=SHA-256", ""), 0,
		  "algorithm=SHA-256", NULL },
		{ CHAL(", algorithm=SHA-256", "") CHAL(", algorithm=MD5", ""), 0,
		  "algorithm=SHA-256", NULL },
		{ CHAL(", algorithm=SHA-512-256", ", qop=\"auth-int, auth\""), 0,
		  "algorithm=SHA-512-256", NULL },
		{ CHAL(", algorithm=sha-256", ", qop=\"auth-int\"") CHAL("", ", opaque=\"o\""), 0,
		  "opaque=\"o\"", "SHA" },
		{ CHAL(", algorithm=AKAv1-MD5", ""), -EOPNOTSUPP, NULL, NULL },
		{ CHAL("", ", qop=\"auth-int\""), -EOPNOTSUPP, NULL, NULL },
		{ "WWW-Authenticate: Digest realm=\"r\"\r\n", -EOPNOTSUPP, NULL, NULL },
		{ "WWW-Authenticate: Basic realm=\"r\"\r\n", -EOPNOTSUPP, NULL, NULL },
		{ "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n", -ENOENT, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_buf *buf = challenge(401, cases[i].lines);
		struct buf out = BUF_INIT(4096);
		int err = sip_digest_answer(&msg, SPAN("INVITE"), SPAN("sip:h"), "u", "p", 1, &out);

		if (err != cases[i].err ||
		    (cases[i].has && !strstr(buf_cstr(&out), cases[i].has)) ||
		    (cases[i].lacks && strstr(buf_cstr(&out), cases[i].lacks)))
			fail_msg("case %zu: %d %s", i, err, buf_cstr(&out));
		buf_free(&out);
		net_buf_unref(&buf);
	}
}

static void test_client_facts(void **state)
{
	struct net_buf *buf = challenge(
		407, "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=TRUE\r\n");
	struct buf out = BUF_INIT(4096);

	(void)state;
	assert_true(sip_digest_is_stale(&msg));
	assert_span(sip_digest_realm(&msg), "r");
	assert_int_equal(sip_digest_answer(&msg, SPAN("INVITE"), SPAN("sip:h"), "u", "p", 1, &out),
			 0);
	assert_true(span_starts(buf_span(&out), SPAN("Proxy-Authorization: Digest ")));
	buf_free(&out);
	net_buf_unref(&buf);
	buf = challenge(401, CHAL("", ""));
	assert_false(sip_digest_is_stale(&msg));
	net_buf_unref(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc7616),        cmocka_unit_test(test_rfc8760),
		cmocka_unit_test(test_challenge),      cmocka_unit_test(test_offer),
		cmocka_unit_test(test_log_in),         cmocka_unit_test(test_foreign_nonce),
		cmocka_unit_test(test_bounded_memory), cmocka_unit_test(test_without_qop),
		cmocka_unit_test(test_malformed),      cmocka_unit_test(test_client_choice),
		cmocka_unit_test(test_client_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
