/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net_peer.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#define DAY 86400L

static char dir[] = "/tmp/causeway-test-tls-XXXXXX";
static EVP_PKEY *key, *ca_key;
static X509 *ca;

static const char *path(const char *name)
{
	static char text[8][100];
	static unsigned next;
	char *p = text[next++ % 8];

	snprintf(p, sizeof(text[0]), "%s/%s", dir, name);
	return p;
}

static void add_ext(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

/* A certificate valid from `from` to `to` seconds from now; signed by the CA unless it is one. */
static X509 *make_cert(const char *cn, const char *san, long from, long to, bool is_ca)
{
	static long serial = 1;
	X509 *cert = X509_new();
	EVP_PKEY *own = is_ca ? ca_key : key;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), from);
	X509_gmtime_adj(X509_getm_notAfter(cert), to);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(is_ca ? cert : ca));
	X509_set_pubkey(cert, own);
	if (is_ca)
		add_ext(cert, NID_basic_constraints, "critical,CA:TRUE");
	if (san)
		add_ext(cert, NID_subject_alt_name, san);
	assert_true(X509_sign(cert, ca_key, EVP_sha256()) > 0);
	return cert;
}

static void write_cert(const char *name, X509 *cert)
{
	FILE *f = fopen(path(name), "w");

	assert_non_null(f);
	PEM_write_X509(f, cert);
	fclose(f);
	X509_free(cert);
}

static int make_files(void **state)
{
	FILE *f;
	X509 *other;

	(void)state;
	assert_non_null(mkdtemp(dir));
	key = EVP_EC_gen("P-256");
	ca_key = EVP_EC_gen("P-256");
	ca = make_cert("test ca", NULL, -DAY, DAY, true);
	write_cert("good.pem",
		   make_cert("good", "DNS:sip.example.com,IP:127.0.0.1", -DAY, DAY, false));
	write_cert("uri.pem", make_cert("uri", "URI:sip:example.com", -DAY, DAY, false));
	write_cert("wild.pem", make_cert("wild", "DNS:*.example.com", -DAY, DAY, false));
	write_cert("expired.pem",
		   make_cert("expired", "DNS:sip.example.com", -2 * DAY, -DAY, false));
	other = make_cert("other ca", NULL, -DAY, DAY, true);
	write_cert("other-ca.pem", other);
	X509_up_ref(ca);
	write_cert("ca.pem", ca);
	f = fopen(path("key.pem"), "w");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	return 0;
}

static int remove_files(void **state)
{
	static const char *const names[] = { "good.pem", "uri.pem",      "wild.pem", "expired.pem",
					     "ca.pem",   "other-ca.pem", "key.pem" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(path(names[i]));
	rmdir(dir);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	return 0;
}

static struct peer *tls_peer(const char *cert, const char *ca_file, bool verify)
{
	struct peer *p = peer_new();

	peer_listen(p, NET_TLS, "127.0.0.1:0");
	p->config.tls =
		(struct net_tls_files){ test_calloc(1, 100), path("key.pem"), NULL, verify };
	snprintf((char *)p->config.tls.certificate, 100, "%s", path(cert));
	if (ca_file) {
		p->config.tls.ca = test_calloc(1, 100);
		snprintf((char *)p->config.tls.ca, 100, "%s", path(ca_file));
	}
	peer_open(p);
	return p;
}

static void tls_free(struct peer *p)
{
	test_free((char *)p->config.tls.certificate);
	test_free((char *)p->config.tls.ca);
	peer_free(p);
}

static void test_table(void **state)
{
	static const struct {
		const char *title, *server, *server_ca, *client_ca, *name;
		bool mutual;
		const char *failure; /* NULL = the message comes back */
	} cases[] = {
		{ "unchecked", "good.pem", NULL, NULL, NULL, false, NULL },
		{ "unchecked, any name", "good.pem", NULL, NULL, "else.example.org", false, NULL },
		{ "checked", "good.pem", NULL, "ca.pem", "sip.example.com", false, NULL },
		{ "checked, case", "good.pem", NULL, "ca.pem", "SIP.Example.COM", false, NULL },
		{ "checked, no name", "good.pem", NULL, "ca.pem", NULL, false, NULL },
		{ "checked, address", "good.pem", NULL, "ca.pem", "127.0.0.1", false, NULL },
		{ "checked, RFC 5922 URI", "uri.pem", NULL, "ca.pem", "example.com", false, NULL },
		{ "mutual", "good.pem", "ca.pem", "ca.pem", "sip.example.com", true, NULL },
		{ "wrong name", "good.pem", NULL, "ca.pem", "else.example.org", false,
		  "TLS: the certificate is not for else.example.org" },
		{ "wildcard", "wild.pem", NULL, "ca.pem", "sip.example.com", false,
		  "TLS: the certificate is not for sip.example.com" },
		{ "expired", "expired.pem", NULL, "ca.pem", "sip.example.com", false,
		  "TLS: certificate has expired" },
		{ "unknown ca", "good.pem", NULL, "other-ca.pem", "sip.example.com", false,
		  "TLS: unable to get local issuer certificate" },
		{ "client refused", "good.pem", "other-ca.pem", "ca.pem", "sip.example.com", true,
		  "TLS: the peer refused: unknown CA" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct peer *server =
			tls_peer(cases[i].server, cases[i].server_ca, cases[i].mutual);
		struct peer *client = tls_peer("good.pem", cases[i].client_ca, false);
		union net_addr to = peer_addr(server, 0);
		struct net_flow flow;
		struct net_stats stats;

		assert_int_equal(net_flow_to(client->net, &flow, NET_TLS, &to, NULL, cases[i].name),
				 0);
		assert_int_equal(peer_send(client, &flow, "echo hello."), 0);
		if (!cases[i].failure) {
			if (!run_until(client, server, &client->messages, 1))
				fail_msg("%s: no answer: %s", cases[i].title, client->text);
			assert_string_equal(client->last, "Echo hello.");
			assert_int_equal(server->flow.proto, NET_TLS);
			tls_free(client);
			tls_free(server);
			continue;
		}
		if (!run_until(client, server, &client->undelivered, 1))
			fail_msg("%s: no failure", cases[i].title);
		assert_int_equal(client->err, EPROTO);
		assert_string_equal(client->text, cases[i].failure);
		assert_string_equal(client->lost, "echo hello.");
		assert_int_equal(server->messages, 0);
		net_stats(client->net, &stats);
		assert_int_equal(stats.tls_failed, 1);
		tls_free(client);
		tls_free(server);
	}
}

/* A connection made for one name is not used for another. */
static void test_reuse_by_name(void **state)
{
	struct peer *server = tls_peer("good.pem", NULL, false),
		    *client = tls_peer("good.pem", NULL, false);
	union net_addr to = peer_addr(server, 0);
	struct net_flow a, b, same;

	(void)state;
	assert_int_equal(net_flow_to(client->net, &a, NET_TLS, &to, NULL, "a.example.com"), 0);
	assert_int_equal(net_flow_to(client->net, &b, NET_TLS, &to, NULL, "b.example.com"), 0);
	assert_int_equal(net_flow_to(client->net, &same, NET_TLS, &to, NULL, "A.example.com"), 0);
	assert_int_not_equal(a.conn, b.conn);
	assert_int_equal(a.conn, same.conn);
	tls_free(client);
	tls_free(server);
}

/* Large messages both ways, many in flight: partial writes and pending records. */
static void test_volume(void **state)
{
	struct peer *server = tls_peer("good.pem", NULL, false),
		    *client = tls_peer("good.pem", NULL, false);
	union net_addr to = peer_addr(server, 0);
	struct net_buf *big = net_buf_new(60000);
	struct net_flow flow;

	(void)state;
	memset(big->data, 'x', 60000);
	memcpy(big->data, "echo", 4);
	big->data[59999] = '.';
	big->len = 60000;
	assert_int_equal(net_flow_to(client->net, &flow, NET_TLS, &to, NULL, NULL), 0);
	for (unsigned round = 1; round <= 10; round++) {
		for (int i = 0; i < 15; i++)
			assert_int_equal(net_send(client->net, &flow, big), 0);
		assert_true(run_until(client, server, &client->messages, round * 15));
		assert_int_equal(client->last_len, 60000);
	}
	net_buf_unref(&big);
	tls_free(client);
	tls_free(server);
}

/* Not TLS at all, either side. */
static void test_plain_peers(void **state)
{
	struct peer *tls = tls_peer("good.pem", NULL, false), *tcp = peer_new();
	int mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union net_addr to;
	socklen_t len = sizeof(to);
	struct net_flow flow;
	struct net_stats stats;

	(void)state;
	peer_listen(tcp, NET_TCP, "127.0.0.1:0");
	peer_open(tcp);
	to = peer_addr(tls, 0);
	assert_int_equal(net_flow_to(tcp->net, &flow, NET_TCP, &to, NULL, NULL), 0);
	assert_int_equal(peer_send(tcp, &flow, "OPTIONS sip:plain text."), 0);
	run_for(tcp, tls, 100 * MSEC);
	net_stats(tls->net, &stats);
	assert_int_equal(stats.tls_failed, 1);
	assert_int_equal(tls->messages, 0);
	assert_int_equal(stats.conns_now, 0);
	to = addr("127.0.0.1");
	assert_int_equal(bind(mute, &to.sa, sizeof(to.in4)), 0);
	assert_int_equal(listen(mute, 5), 0);
	getsockname(mute, &to.sa, &len);
	tls->config.connect_timeout_us = 100 * MSEC;
	assert_int_equal(net_flow_to(tls->net, &flow, NET_TLS, &to, NULL, NULL), 0);
	assert_int_equal(peer_send(tls, &flow, "secret."), 0);
	assert_true(run_until(tls, tcp, &tls->undelivered, 1));
	assert_int_equal(tls->err, ETIMEDOUT);
	assert_string_equal(tls->text, "TLS: the handshake took too long");
	close(mute);
	tls_free(tls);
	peer_free(tcp);
}

static void test_bad_files(void **state)
{
	struct peer *p = peer_new();
	char why[200];

	(void)state;
	peer_listen(p, NET_TLS, "127.0.0.1:0");
	assert_int_equal(net_open(&p->net, &p->loop, &p->config, 0, &peer_ops, p, why, sizeof(why)),
			 -EINVAL);
	assert_string_equal(why, "tls: a TLS listener needs a certificate and a key");
	p->config.tls = (struct net_tls_files){ .certificate = path("good.pem"),
						.key = path("missing.pem") };
	assert_int_equal(net_open(&p->net, &p->loop, &p->config, 0, &peer_ops, p, why, sizeof(why)),
			 -EINVAL);
	assert_non_null(strstr(why, "missing.pem"));
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),     cmocka_unit_test(test_reuse_by_name),
		cmocka_unit_test(test_volume),    cmocka_unit_test(test_plain_peers),
		cmocka_unit_test(test_bad_files),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
