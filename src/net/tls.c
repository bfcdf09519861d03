/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS by OpenSSL over non-blocking sockets. At least version 1.2 (RFC 8996), no
 * renegotiation, no compression.
 *
 * As a client: server name indication (RFC 6066 3; never an IP literal); with a CA file
 * the chain must be good and, when the caller gave a name, the certificate must be for it
 * as RFC 5922 7.2 says: a URI "sip:name" or a DNS name in subjectAltName, without
 * wildcards. As a server: a client certificate is demanded when `verify_peer` is set.
 *
 * Every failure ends in a sentence with OpenSSL's reason or the peer's alert: "TLS:
 * certificate has expired" is worth more to an operator than "handshake failed". */
#include "net/net_int.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <signal.h>

/* ---- words ------------------------------------------------------------------------------- */

static void fail_text(struct conn *c, char *text, size_t size)
{
	unsigned long e = ERR_peek_last_error();
	long verify = SSL_get_verify_result(c->ssl);
	int reason = ERR_GET_REASON(e);
	const char *words = ERR_reason_error_string(e);

	if (reason >= SSL_AD_REASON_OFFSET && ERR_GET_LIB(e) == ERR_LIB_SSL)
		snprintf(text, size, "TLS: the peer refused: %s",
			 SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	else if (verify != X509_V_OK)
		snprintf(text, size, "TLS: %s", X509_verify_cert_error_string(verify));
	else
		snprintf(text, size, "TLS: %s", words ? words : "failed");
	ERR_clear_error();
}

/* What an OpenSSL call that did not succeed means: 0 = end of stream. */
static int outcome(struct conn *c, int ret, char *text, size_t size)
{
	int err = errno;

	switch (SSL_get_error(c->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		c->want_out = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		snprintf(text, size, "%s", strerror(err));
		return err ? -err : 0;
	default:
		fail_text(c, text, size);
		return -EPROTO;
	}
}

/* ---- whose certificate? --------------------------------------------------------------------- */

static bool is_literal(const char *name)
{
	union net_addr a;

	return net_addr_parse(&a, span_of(name), 0) == 0;
}

/* RFC 5922 7.1: the host of a "sip:" URI that names a domain, not a user. */
static bool uri_names(const ASN1_IA5STRING *uri, const char *name)
{
	struct span s = { (const char *)ASN1_STRING_get0_data(uri),
			  (size_t)ASN1_STRING_length(uri) };

	return span_istarts(s, SPAN("sip:")) && span_ieq(span_skip(s, 4), span_of(name));
}

static bool some_uri_names(X509 *cert, const char *name)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		found = n->type == GEN_URI && uri_names(n->d.uniformResourceIdentifier, name);
	}
	GENERAL_NAMES_free(names);
	return found;
}

bool tls_cert_is_for(X509 *cert, const char *name)
{
	if (is_literal(name))
		return X509_check_ip_asc(cert, name, 0) == 1;
	return X509_check_host(cert, name, 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1 ||
	       some_uri_names(cert, name);
}

static int check_name(struct conn *c, char *text, size_t size)
{
	X509 *cert;
	bool good;

	if (!c->outgoing || !c->name || !c->net->config->tls.ca)
		return 0;
	cert = SSL_get0_peer_certificate(c->ssl);
	good = cert && tls_cert_is_for(cert, c->name);
	if (!good)
		snprintf(text, size, "TLS: the certificate is not for %.100s", c->name);
	return good ? 0 : -EPROTO;
}

/* ---- a connection -------------------------------------------------------------------------- */

int tls_attach(struct conn *c)
{
	c->ssl = SSL_new(c->outgoing ? c->net->tls_client : c->net->tls_server);
	if (!c->ssl || SSL_set_fd(c->ssl, c->watch.fd) != 1)
		return -ENOMEM;
	if (!c->outgoing) {
		SSL_set_accept_state(c->ssl);
		return 0;
	}
	SSL_set_connect_state(c->ssl);
	if (c->name && !is_literal(c->name) && SSL_set_tlsext_host_name(c->ssl, c->name) != 1)
		return -ENOMEM;
	return 0;
}

int tls_handshake(struct conn *c, char *text, size_t size)
{
	int ret, err;

	ERR_clear_error();
	errno = 0;
	ret = SSL_do_handshake(c->ssl);
	if (ret == 1)
		return check_name(c, text, size);
	err = outcome(c, ret, text, size);
	if (err)
		return err == -EAGAIN || err == -EPROTO ? err : -EPROTO;
	snprintf(text, size, "TLS: the peer closed the connection in the handshake");
	return -EPROTO;
}

ssize_t tls_read(struct conn *c, void *data, size_t room, char *text, size_t size)
{
	size_t n;
	int ret;

	ERR_clear_error();
	errno = 0;
	ret = SSL_read_ex(c->ssl, data, room, &n);
	return ret == 1 ? (ssize_t)n : outcome(c, ret, text, size);
}

ssize_t tls_write(struct conn *c, const void *data, size_t len, char *text, size_t size)
{
	size_t n;
	int ret, err;

	ERR_clear_error();
	errno = 0;
	ret = SSL_write_ex(c->ssl, data, len, &n);
	if (ret == 1)
		return (ssize_t)n;
	err = outcome(c, ret, text, size);
	if (err)
		return err;
	snprintf(text, size, "the peer closed the connection");
	return -EPIPE;
}

/* ---- a worker ------------------------------------------------------------------------------ */

static int complain(char *why, size_t size, const char *what, const char *file)
{
	const char *words = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(why, size, "tls: %s %s: %s", what, file ? file : "", words ? words : "not usable");
	ERR_clear_error();
	return -EINVAL;
}

static SSL_CTX *context(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_IGNORE_UNEXPECTED_EOF |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	return ctx;
}

static int load(SSL_CTX *ctx, const struct net_tls_files *files, char *why, size_t size)
{
	if (files->certificate && SSL_CTX_use_certificate_chain_file(ctx, files->certificate) != 1)
		return complain(why, size, "certificate", files->certificate);
	if (files->key && SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1)
		return complain(why, size, "key", files->key);
	if (files->certificate && SSL_CTX_check_private_key(ctx) != 1)
		return complain(why, size, "key", files->key);
	if (files->ca && SSL_CTX_load_verify_locations(ctx, files->ca, NULL) != 1)
		return complain(why, size, "ca", files->ca);
	return 0;
}

static int open_server(struct net *net, char *why, size_t size)
{
	const struct net_tls_files *files = &net->config->tls;

	if (!files->certificate || !files->key) {
		snprintf(why, size, "tls: a TLS listener needs a certificate and a key");
		return -EINVAL;
	}
	net->tls_server = context(TLS_server_method());
	if (!net->tls_server)
		return complain(why, size, "context", NULL);
	if (!files->verify_peer)
		return load(net->tls_server, files, why, size);
	if (!files->ca) {
		snprintf(why, size, "tls: checking client certificates needs a ca");
		return -EINVAL;
	}
	SSL_CTX_set_verify(net->tls_server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
	SSL_CTX_set_client_CA_list(net->tls_server, SSL_load_client_CA_file(files->ca));
	return load(net->tls_server, files, why, size);
}

static int open_client(struct net *net, char *why, size_t size)
{
	const struct net_tls_files *files = &net->config->tls;

	net->tls_client = context(TLS_client_method());
	if (!net->tls_client)
		return complain(why, size, "context", NULL);
	if (files->ca)
		SSL_CTX_set_verify(net->tls_client, SSL_VERIFY_PEER, NULL);
	return load(net->tls_client, files, why, size);
}

int tls_open(struct net *net, char *why, size_t size)
{
	struct sigaction now;
	bool wanted = false;
	int err;

	for (unsigned i = 0; i < net->config->n_listen; i++)
		wanted |= net->config->listen[i].proto == NET_TLS;
	if (!wanted)
		return 0;
	/* OpenSSL writes with write(2), which raises SIGPIPE on a connection that is gone. */
	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
	err = open_server(net, why, size);
	return err ? err : open_client(net, why, size);
}

void tls_close(struct net *net)
{
	SSL_CTX_free(net->tls_server);
	SSL_CTX_free(net->tls_client);
	net->tls_server = net->tls_client = NULL;
}
