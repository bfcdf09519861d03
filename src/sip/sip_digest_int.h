/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What both sides of digest authentication share: reading a line's parameters, hashing. */
#ifndef CAUSEWAY_SIP_DIGEST_INT_H
#define CAUSEWAY_SIP_DIGEST_INT_H

#include "sip/sip_digest.h"
#include "sip/sip_int.h"

#include <openssl/evp.h>

#define SIP_DIGEST_HEX 65	/* 32 bytes in hex, and the NUL */
#define SIP_DIGEST_ALGS 3

/* Parameters of a challenge or of credentials: without quotes, still escaped; p NULL = absent. */
struct sip_digest_line {
	struct span realm, nonce, opaque, algorithm, qop, stale;
	struct span username, uri, response, cnonce, nc;
};
/* False unless `value` is "Digest" and well-formed parameters. */
bool sip_digest_read(struct sip_digest_line *out, struct span value);

/* The name without any is MD5 (RFC 7616 3.3). False: one we do not know, or cannot compute. */
bool sip_digest_alg(struct span name, enum sip_digest_alg *out);
const char *sip_digest_alg_name(enum sip_digest_alg alg);

/* A quoted string's content is `plain` once its escapes are resolved. */
bool sip_quoted_is(struct span escaped, struct span plain);

struct sip_digest_input {
	enum sip_digest_alg alg;
	struct span user, password;
	struct span realm;	/* still escaped, as received */
	struct span method, uri, nonce;
	bool qop;		/* auth; then: */
	struct span nc, cnonce;
};
/* RFC 7616 3.4.1 to 3.4.3, in lower-case hex. False when the library refuses the algorithm. */
bool sip_digest_compute(EVP_MD_CTX *ctx, const struct sip_digest_input *in, char hex[SIP_DIGEST_HEX]);

void sip_hex(const unsigned char *bytes, size_t len, char *hex);
/* A quoted string with its quotes. */
void sip_digest_quote(struct buf *out, const char *text);

#endif
