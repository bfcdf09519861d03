/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digest authentication (RFC 7616, RFC 8760; RFC 3261 22), as client and as server. MD5 and
 * SHA-256 (SHA-512-256 is answered when it is all a server offers), qop=auth. */
#ifndef CAUSEWAY_SIP_DIGEST_H
#define CAUSEWAY_SIP_DIGEST_H

#include "sip/sip_msg.h"
#include "sip/sip_write.h"

enum sip_digest_alg { SIP_MD5, SIP_SHA256, SIP_SHA512_256 };

/* Server. Nonces are stateless: time, salt and a keyed hash; each lives `nonce_life_us`, and the nc of each
 * nonce in use is remembered (bounded table) so that a replay is seen. Where several servers (workers) must not let
 * a replay through at one another, each gets a key of its own: a nonce of another is then stale here, and the client
 * is asked anew. Thread: its worker. */
struct sip_digest_server;
/* `key`: 32 secret bytes. `max_nonces` bounds the replay table. */
struct sip_digest_server *sip_digest_server_new(const unsigned char key[32], uint64_t nonce_life_us, unsigned max_nonces);
void sip_digest_server_free(struct sip_digest_server **server);

/* Which algorithms challenges offer; both at first. At least one must be true. MD5
 * credentials are taken only while MD5 is offered. */
void sip_digest_server_offer(struct sip_digest_server *server, bool md5, bool sha256);

/* "WWW-Authenticate: Digest realm=..., nonce=..., algorithm=..., qop=\"auth\"[, stale=true]\r\n", one
 * line for SHA-256 and one for MD5 (most preferred first, RFC 8760 2.4). `proxy` = Proxy-Authenticate. */
void sip_digest_challenge(struct sip_digest_server *server, struct buf *out, const char *realm, bool proxy,
			  bool stale, uint64_t now_us);

enum sip_digest_verdict {
	SIP_DIGEST_OK,
	SIP_DIGEST_NONE,	/* no credentials for this realm: challenge */
	SIP_DIGEST_STALE,	/* right, but the nonce is too old or unknown: challenge with stale=true */
	SIP_DIGEST_REPLAY,	/* nc not greater than before: challenge anew, count it */
	SIP_DIGEST_WRONG,	/* user or secret wrong */
	SIP_DIGEST_MALFORMED,	/* cannot be read, other uri than the request's: 400 */
};
/* The user name offered in credentials for `realm` (Authorization, or Proxy- when `proxy`); false if none.
 * Look the secret up with it, then check. A name with '"' or '\\' in it comes as written, still escaped;
 * sip_digest_check takes it either way. */
bool sip_digest_user(const struct sip_msg *msg, const char *realm, bool proxy, struct span *user_out);
enum sip_digest_verdict sip_digest_check(struct sip_digest_server *server, const struct sip_msg *msg, const char *realm,
					 bool proxy, const char *user, const char *password, uint64_t now_us);

/* Do the credentials for `realm` answer a challenge of this server's that is still good? Says nothing of user and secret: whether
 * a wrong answer came from one who can hear us. */
bool sip_digest_is_fresh(struct sip_digest_server *server, const struct sip_msg *msg, const char *realm, bool proxy,
			 uint64_t now_us);

/* Client: from the 401/407 choose the strongest offered algorithm we know and write the
 * credentials line ("Authorization: Digest ...\r\n") for `method` and `uri` into `out`. `nc` counts
 * uses of this nonce from 1. 0; -ENOENT: no challenge; -EOPNOTSUPP: only algorithms or qops we lack. */
int sip_digest_answer(const struct sip_msg *challenge, struct span method, struct span uri, const char *user,
		      const char *password, uint32_t nc, struct buf *out);
/* Client: say who will prove himself before there is a challenge (3GPP TS 24.229 5.1.1.2.2): the Authorization line with
 * empty nonce and response. */
void sip_digest_announce(const char *user, const char *realm, struct span uri, struct buf *out);
/* True if the challenge says stale=true. */
bool sip_digest_is_stale(const struct sip_msg *challenge);
/* The challenge's realm, for evidence; SPAN_NONE if none. */
struct span sip_digest_realm(const struct sip_msg *challenge);

#endif
