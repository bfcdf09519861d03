/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digest authentication, asking for credentials and checking them (RFC 7616, RFC 8760).
 *
 * A nonce is  time (8 bytes), salt (4), HMAC-SHA256 of both and the realm (first 16), in hex:
 * nothing is stored when a challenge goes out, so unanswered challenges cost no memory.
 * Only after a right answer is the nonce remembered with its highest nc; nobody without a
 * password can fill that table. It is a ring: a new nonce takes the place of the one that
 * came into use first, and `floor_us` then moves up to that one's issue time. Nonces issued
 * up to the floor that the table does not know are stale, never "unused": forgetting makes
 * clients ask again, it does not open a way to replay.
 *
 * A request without qop (RFC 2069, some old phones) is accepted, but has no count to tell a
 * replay by: it uses its nonce up. */
#include "sip/sip_digest_int.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <stdlib.h>

#define MAC_LEN 16
#define SALT_LEN 4
#define NONCE_LEN (8 + SALT_LEN + MAC_LEN)
#define NONCE_HEX (2 * NONCE_LEN + 1)
#define CLOCK_SLACK_US (2 * SEC) /* between the workers' ideas of now */

struct nonce_use {
	struct hash_node node;
	unsigned char nonce[NONCE_LEN];
	uint64_t issued_us;
	uint32_t nc;
};

struct sip_digest_server {
	uint64_t life_us, floor_us;
	EVP_MAC_CTX *mac;
	EVP_MD_CTX *ctx;
	struct hash_table table;
	struct nonce_use *ring;
	unsigned ring_size, ring_used, ring_next;
	bool offer_md5, offer_sha256;
};

static EVP_MAC_CTX *mac_new(const unsigned char key[32])
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
				OSSL_PARAM_construct_end() };

	EVP_MAC_free(hmac);
	if (ctx && !EVP_MAC_init(ctx, key, 32, params)) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

struct sip_digest_server *sip_digest_server_new(const unsigned char key[32], uint64_t nonce_life_us,
						unsigned max_nonces)
{
	struct sip_digest_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->life_us = nonce_life_us;
	server->offer_md5 = server->offer_sha256 = true;
	server->ring_size = max_nonces ? max_nonces : 1;
	server->ring = calloc(server->ring_size, sizeof(*server->ring));
	server->mac = mac_new(key);
	server->ctx = EVP_MD_CTX_new();
	if (!server->ring || !server->mac || !server->ctx ||
	    hash_table_init(&server->table, server->ring_size))
		sip_digest_server_free(&server);
	return server;
}

void sip_digest_server_free(struct sip_digest_server **server)
{
	struct sip_digest_server *s = *server;

	*server = NULL;
	if (!s)
		return;
	EVP_MAC_CTX_free(s->mac);
	EVP_MD_CTX_free(s->ctx);
	hash_table_free(&s->table);
	free(s->ring);
	free(s);
}

/* ---- nonces -------------------------------------------------------------------------------- */

/* Fill in the MAC behind time and salt. */
static bool sign(struct sip_digest_server *server, unsigned char nonce[NONCE_LEN],
		 struct span realm)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	size_t len = 0;

	if (!EVP_MAC_init(server->mac, NULL, 0, NULL) ||
	    !EVP_MAC_update(server->mac, nonce, 8 + SALT_LEN) ||
	    !EVP_MAC_update(server->mac, (const unsigned char *)realm.p, realm.len) ||
	    !EVP_MAC_final(server->mac, mac, &len, sizeof(mac)) || len < MAC_LEN)
		return false;
	memcpy(nonce + 8 + SALT_LEN, mac, MAC_LEN);
	return true;
}

static bool nonce_make(struct sip_digest_server *server, struct span realm, uint64_t now_us,
		       char hex[NONCE_HEX])
{
	unsigned char nonce[NONCE_LEN];

	for (int i = 0; i < 8; i++)
		nonce[i] = (unsigned char)(now_us >> (56 - 8 * i));
	rng_bytes(nonce + 8, SALT_LEN);
	if (!sign(server, nonce, realm))
		return false;
	sip_hex(nonce, NONCE_LEN, hex);
	return true;
}

/* Ours, and when it was issued? */
static bool nonce_read(struct sip_digest_server *server, struct span hex, struct span realm,
		       unsigned char nonce[NONCE_LEN], uint64_t *issued_us)
{
	unsigned char wanted[NONCE_LEN];
	uint64_t byte, time = 0;

	if (hex.len != NONCE_HEX - 1)
		return false;
	for (size_t i = 0; i < NONCE_LEN; i++) {
		if (span_hex_to_u64((struct span){ hex.p + 2 * i, 2 }, &byte))
			return false;
		nonce[i] = (unsigned char)byte;
	}
	memcpy(wanted, nonce, 8 + SALT_LEN);
	if (!sign(server, wanted, realm) || CRYPTO_memcmp(wanted, nonce, NONCE_LEN))
		return false;
	for (int i = 0; i < 8; i++)
		time = time << 8 | nonce[i];
	*issued_us = time;
	return true;
}

static uint64_t nonce_hash(const unsigned char nonce[NONCE_LEN])
{
	uint64_t hash;

	memcpy(&hash, nonce + 8 + SALT_LEN, sizeof(hash)); /* a MAC is spread well enough */
	return hash;
}

static struct nonce_use *use_find(struct sip_digest_server *server,
				  const unsigned char nonce[NONCE_LEN])
{
	struct hash_node *node = hash_table_find(&server->table, nonce_hash(nonce));

	for (; node; node = hash_next(node)) {
		struct nonce_use *use = container_of(node, struct nonce_use, node);

		if (!memcmp(use->nonce, nonce, NONCE_LEN))
			return use;
	}
	return NULL;
}

static struct nonce_use *use_add(struct sip_digest_server *server,
				 const unsigned char nonce[NONCE_LEN], uint64_t issued_us)
{
	struct nonce_use *use = &server->ring[server->ring_next];

	if (server->ring_used == server->ring_size) {
		hash_table_del(&server->table, &use->node);
		if (use->issued_us > server->floor_us)
			server->floor_us = use->issued_us;
	} else {
		server->ring_used++;
	}
	server->ring_next = (server->ring_next + 1) % server->ring_size;
	memcpy(use->nonce, nonce, NONCE_LEN);
	use->issued_us = issued_us;
	use->nc = 0;
	hash_table_add(&server->table, &use->node, nonce_hash(nonce));
	return use;
}

static bool nonce_is_alive(const struct sip_digest_server *server, uint64_t issued_us,
			   uint64_t now_us)
{
	return issued_us <= now_us + CLOCK_SLACK_US &&
	       (now_us <= issued_us || now_us - issued_us <= server->life_us);
}

/* The answer is right; is the nonce still good for it? `nc` 0 = request without qop. */
static enum sip_digest_verdict nonce_spend(struct sip_digest_server *server, struct span hex,
					   struct span realm, uint32_t nc, uint64_t now_us)
{
	unsigned char nonce[NONCE_LEN];
	struct nonce_use *use;
	uint64_t issued_us;

	if (!nonce_read(server, hex, realm, nonce, &issued_us) ||
	    !nonce_is_alive(server, issued_us, now_us))
		return SIP_DIGEST_STALE;
	use = use_find(server, nonce);
	if (!use && issued_us <= server->floor_us)
		return SIP_DIGEST_STALE;
	if (use && (!nc || nc <= use->nc))
		return SIP_DIGEST_REPLAY;
	if (!use)
		use = use_add(server, nonce, issued_us);
	use->nc = nc ? nc : UINT32_MAX;
	return SIP_DIGEST_OK;
}

/* ---- challenge ------------------------------------------------------------------------------ */

void sip_digest_server_offer(struct sip_digest_server *server, bool md5, bool sha256)
{
	assert(md5 || sha256);
	server->offer_md5 = md5;
	server->offer_sha256 = sha256;
}

void sip_digest_challenge(struct sip_digest_server *server, struct buf *out, const char *realm,
			  bool proxy, bool stale, uint64_t now_us)
{
	static const enum sip_digest_alg offered[] = { SIP_SHA256, SIP_MD5 };
	char nonce[NONCE_HEX];

	if (!nonce_make(server, span_of(realm), now_us, nonce)) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(offered); i++) {
		const char *name = sip_digest_alg_name(offered[i]);
		enum sip_digest_alg alg;

		if (!(offered[i] == SIP_MD5 ? server->offer_md5 : server->offer_sha256) ||
		    !sip_digest_alg(span_of(name), &alg))
			continue;
		buf_add_str(out, sip_header_name(proxy ? SIP_H_PROXY_AUTHENTICATE
						       : SIP_H_WWW_AUTHENTICATE));
		buf_add_str(out, ": Digest realm=");
		sip_digest_quote(out, realm);
		buf_add_str(out, ", nonce=\"");
		buf_add_str(out, nonce);
		buf_add_str(out, "\", algorithm=");
		buf_add_str(out, name);
		buf_add_str(out, ", qop=\"auth\"");
		buf_add_str(out, stale ? ", stale=true\r\n" : "\r\n");
	}
}

/* ---- check ---------------------------------------------------------------------------------- */

enum found { FOUND_NONE, FOUND_UNREADABLE, FOUND_LINE };

/* Credentials for our realm; those for other realms and schemes are others' (22.3). */
static enum found find_line(const struct sip_msg *msg, const char *realm, bool proxy,
			    struct sip_digest_line *out)
{
	uint8_t at = msg->first[proxy ? SIP_H_PROXY_AUTHORIZATION : SIP_H_AUTHORIZATION];
	enum found found = FOUND_NONE;

	for (; at != 0xff; at = msg->headers[at].next) {
		struct span value = sip_str(msg, msg->headers[at].value);

		if (!span_istarts(value, SPAN("Digest ")) && !span_istarts(value, SPAN("Digest\t")))
			continue;
		if (!sip_digest_read(out, value))
			found = FOUND_UNREADABLE;
		else if (out->realm.p && sip_quoted_is(out->realm, span_of(realm)))
			return FOUND_LINE;
	}
	return found;
}

bool sip_digest_user(const struct sip_msg *msg, const char *realm, bool proxy,
		     struct span *user_out)
{
	struct sip_digest_line line;

	if (find_line(msg, realm, proxy, &line) != FOUND_LINE || !line.username.p)
		return false;
	*user_out = line.username;
	return true;
}

/* RFC 3261 22.4 point 4, RFC 7616 3.4.6: the credentials must be for this request. Ports and
 * parameters may differ: phones and middle boxes rewrite them. */
static bool same_uri(struct span a, struct span b)
{
	struct sip_uri one, two;

	if (span_eq(a, b))
		return true;
	return !sip_uri_decode(&one, a) && !sip_uri_decode(&two, b) && one.host.len &&
	       span_eq(one.user, two.user) && span_ieq(one.host, two.host);
}

/* Length and case are no secret, the digits are. */
static bool same_response(struct span got, const char *wanted)
{
	char lower[SIP_DIGEST_HEX];
	size_t len = strlen(wanted);

	if (got.len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		lower[i] = ascii_lower(got.p[i]);
	return CRYPTO_memcmp(lower, wanted, len) == 0;
}

/* Is everything there that the algorithm needs? *nc 0 without qop. */
static bool complete(const struct sip_digest_line *line, uint32_t *nc)
{
	uint64_t count = 0;

	if (!line->username.p || !line->nonce.p || !line->uri.p || !line->response.p)
		return false;
	if (line->qop.p) {
		if (!span_ieq(line->qop, SPAN("auth")) || !line->cnonce.p || line->nc.len != 8 ||
		    span_hex_to_u64(line->nc, &count) || !count)
			return false;
	}
	*nc = (uint32_t)count;
	return true;
}

enum sip_digest_verdict sip_digest_check(struct sip_digest_server *server,
					 const struct sip_msg *msg, const char *realm, bool proxy,
					 const char *user, const char *password, uint64_t now_us)
{
	struct sip_digest_line line;
	struct sip_digest_input in = { 0 };
	char wanted[SIP_DIGEST_HEX];
	enum found found = find_line(msg, realm, proxy, &line);
	uint32_t nc;

	if (found != FOUND_LINE)
		return found == FOUND_NONE ? SIP_DIGEST_NONE : SIP_DIGEST_MALFORMED;
	if (!complete(&line, &nc) || !same_uri(line.uri, sip_str(msg, msg->uri)))
		return SIP_DIGEST_MALFORMED;
	if (!sip_digest_alg(line.algorithm, &in.alg) || (in.alg == SIP_MD5 && !server->offer_md5))
		return SIP_DIGEST_NONE;
	if (!sip_quoted_is(line.username, span_of(user)) && !span_eq(line.username, span_of(user)))
		return SIP_DIGEST_WRONG;
	in.user = span_of(user);
	in.password = span_of(password);
	in.realm = line.realm;
	in.method = sip_str(msg, msg->method_name);
	in.uri = line.uri;
	in.nonce = line.nonce;
	in.qop = line.qop.p != NULL;
	in.nc = line.nc;
	in.cnonce = line.cnonce;
	if (!sip_digest_compute(server->ctx, &in, wanted) || !same_response(line.response, wanted))
		return SIP_DIGEST_WRONG;
	return nonce_spend(server, line.nonce, span_of(realm), nc, now_us);
}

bool sip_digest_is_fresh(struct sip_digest_server *server, const struct sip_msg *msg,
			 const char *realm, bool proxy, uint64_t now_us)
{
	unsigned char nonce[NONCE_LEN];
	struct sip_digest_line line;
	uint64_t issued_us;

	return find_line(msg, realm, proxy, &line) == FOUND_LINE && line.nonce.p &&
	       nonce_read(server, line.nonce, span_of(realm), nonce, &issued_us) &&
	       nonce_is_alive(server, issued_us, now_us);
}
