/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digest authentication, the part common to both sides (RFC 7616 3.4).
 *
 * The algorithms are fetched from OpenSSL once per process: the fetch takes locks, hashing
 * with what it returned does not. */
#include "sip/sip_digest_int.h"

#include <pthread.h>

static const char *const alg_names[SIP_DIGEST_ALGS] = {
	[SIP_MD5] = "MD5",
	[SIP_SHA256] = "SHA-256",
	[SIP_SHA512_256] = "SHA-512-256",
};

static EVP_MD *mds[SIP_DIGEST_ALGS];

static void fetch_mds(void)
{
	mds[SIP_MD5] = EVP_MD_fetch(NULL, "MD5", NULL);
	mds[SIP_SHA256] = EVP_MD_fetch(NULL, "SHA256", NULL);
	mds[SIP_SHA512_256] = EVP_MD_fetch(NULL, "SHA512-256", NULL);
}

static const EVP_MD *md_of(enum sip_digest_alg alg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch_mds);
	return mds[alg];
}

const char *sip_digest_alg_name(enum sip_digest_alg alg)
{
	return alg_names[alg];
}

bool sip_digest_alg(struct span name, enum sip_digest_alg *out)
{
	if (!name.p) {
		*out = SIP_MD5;
		return true;
	}
	for (int alg = 0; alg < SIP_DIGEST_ALGS; alg++) {
		if (!span_ieq(name, span_of(alg_names[alg])))
			continue;
		*out = (enum sip_digest_alg)alg;
		return md_of(*out) != NULL;
	}
	return false;
}

/* ---- reading --------------------------------------------------------------------------- */

static struct span *place_of(struct sip_digest_line *line, struct span name)
{
	const struct {
		const char *name;
		struct span *place;
	} known[] = {
		{ "realm", &line->realm },
		{ "nonce", &line->nonce },
		{ "opaque", &line->opaque },
		{ "algorithm", &line->algorithm },
		{ "qop", &line->qop },
		{ "stale", &line->stale },
		{ "username", &line->username },
		{ "uri", &line->uri },
		{ "response", &line->response },
		{ "cnonce", &line->cnonce },
		{ "nc", &line->nc },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (span_ieq(name, span_of(known[i].name)))
			return known[i].place;
	return NULL;
}

/* A parameter that is there twice would let two readers see two different things. */
static bool note_param(struct sip_digest_line *line, struct span name, struct span value)
{
	struct span *place = place_of(line, name);

	if (!place)
		return true;
	if (place->p || !value.p)
		return false;
	*place = value;
	return true;
}

bool sip_digest_read(struct sip_digest_line *out, struct span value)
{
	struct sip_cursor c = sip_cursor_of(value);
	struct sip_digest_line line = { 0 };
	struct span name, text;

	if (!span_ieq(sip_take(&c, SIP_C_TOKEN), SPAN("Digest")))
		return false;
	for (;;) {
		while (c.p < c.end && (*c.p == ',' || sip_is(*c.p, SIP_C_BLANK)))
			c.p++;
		if (c.p == c.end)
			break;
		if (!sip_take_param(&c, &name, &text) || !note_param(&line, name, text))
			return false;
		sip_skip_blank(&c);
		if (c.p < c.end && *c.p != ',')
			return false;
	}
	*out = line;
	return true;
}

bool sip_quoted_is(struct span escaped, struct span plain)
{
	size_t at = 0;

	for (size_t i = 0; i < escaped.len; i++, at++) {
		if (escaped.p[i] == '\\' && i + 1 < escaped.len)
			i++;
		if (at == plain.len || escaped.p[i] != plain.p[at])
			return false;
	}
	return at == plain.len;
}

/* ---- hashing --------------------------------------------------------------------------- */

void sip_hex(const unsigned char *bytes, size_t len, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[2 * len] = '\0';
}

/* The parts with colons between them. */
static bool hash_parts(EVP_MD_CTX *ctx, enum sip_digest_alg alg, const struct span *parts, size_t n,
		       char hex[SIP_DIGEST_HEX])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!EVP_DigestInit_ex(ctx, md_of(alg), NULL))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((i && !EVP_DigestUpdate(ctx, ":", 1)) ||
		    (parts[i].len && !EVP_DigestUpdate(ctx, parts[i].p, parts[i].len)))
			return false;
	if (!EVP_DigestFinal_ex(ctx, bytes, &len) || 2 * len >= SIP_DIGEST_HEX)
		return false;
	sip_hex(bytes, len, hex);
	return true;
}

/* unq(realm): with its escapes resolved. A realm longer than anybody's is cut, and then wrong. */
static struct span unescape_realm(struct span realm, char *dst, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < realm.len && n < size; i++) {
		if (realm.p[i] == '\\' && i + 1 < realm.len)
			i++;
		dst[n++] = realm.p[i];
	}
	return (struct span){ dst, n };
}

bool sip_digest_compute(EVP_MD_CTX *ctx, const struct sip_digest_input *in,
			char hex[SIP_DIGEST_HEX])
{
	char plain[256], ha1[SIP_DIGEST_HEX], ha2[SIP_DIGEST_HEX];
	struct span a1[] = { in->user, unescape_realm(in->realm, plain, sizeof(plain)),
			     in->password };
	struct span a2[] = { in->method, in->uri };

	if (!md_of(in->alg) || !hash_parts(ctx, in->alg, a1, ARRAY_SIZE(a1), ha1) ||
	    !hash_parts(ctx, in->alg, a2, ARRAY_SIZE(a2), ha2))
		return false;
	if (in->qop) {
		struct span all[] = { span_of(ha1), in->nonce,    in->nc,
				      in->cnonce,   SPAN("auth"), span_of(ha2) };

		return hash_parts(ctx, in->alg, all, ARRAY_SIZE(all), hex);
	}
	/* RFC 7616 3.4.1 after RFC 2069. */
	struct span all[] = { span_of(ha1), in->nonce, span_of(ha2) };

	return hash_parts(ctx, in->alg, all, ARRAY_SIZE(all), hex);
}

void sip_digest_quote(struct buf *out, const char *text)
{
	buf_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '"');
}
