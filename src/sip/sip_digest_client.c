/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Digest authentication, answering a challenge (RFC 7616 3.4, RFC 8760 2.4). */
#include "sip/sip_digest_int.h"

/* Higher is better, 0 = cannot. SHA-512-256 stands below SHA-256 only because fewer peers
 * get it right. */
static int rank(const struct sip_digest_line *line, enum sip_digest_alg *alg)
{
	static const int ranks[SIP_DIGEST_ALGS] = {
		[SIP_MD5] = 1, [SIP_SHA512_256] = 2, [SIP_SHA256] = 3
	};
	struct span part, rest = line->qop;
	bool auth = !line->qop.p;

	while (rest.len) {
		span_cut(rest, ',', &part, &rest);
		auth |= span_ieq(span_trim(part), SPAN("auth"));
	}
	if (!auth || !line->realm.p || !line->nonce.p || !sip_digest_alg(line->algorithm, alg))
		return 0;
	return ranks[*alg];
}

static enum sip_header challenge_header(const struct sip_msg *challenge)
{
	return challenge->status == 407 ? SIP_H_PROXY_AUTHENTICATE : SIP_H_WWW_AUTHENTICATE;
}

/* The best challenge of the message: its rank, 0 = none usable, -1 = none at all. */
static int choose(const struct sip_msg *challenge, struct sip_digest_line *best,
		  enum sip_digest_alg *best_alg)
{
	uint8_t at = challenge->first[challenge_header(challenge)];
	int best_rank = at == 0xff ? -1 : 0;

	for (; at != 0xff; at = challenge->headers[at].next) {
		struct sip_digest_line line;
		enum sip_digest_alg alg = SIP_MD5;
		int r;

		if (!sip_digest_read(&line, sip_str(challenge, challenge->headers[at].value)))
			continue;
		r = rank(&line, &alg);
		if (r > best_rank) {
			best_rank = r;
			*best = line;
			*best_alg = alg;
		}
	}
	return best_rank;
}

static void add_quoted(struct buf *out, const char *name, struct span escaped)
{
	buf_add_str(out, name);
	buf_add_str(out, "=\"");
	buf_add_span(out, escaped);
	buf_add_char(out, '"');
}

static void write_credentials(struct buf *out, bool proxy, const char *user,
			      const struct sip_digest_line *line, const struct sip_digest_input *in,
			      const char *response)
{
	buf_add_str(out, sip_header_name(proxy ? SIP_H_PROXY_AUTHORIZATION : SIP_H_AUTHORIZATION));
	buf_add_str(out, ": Digest username=");
	sip_digest_quote(out, user);
	add_quoted(out, ", realm", line->realm);
	add_quoted(out, ", nonce", line->nonce);
	add_quoted(out, ", uri", in->uri);
	add_quoted(out, ", response", span_of(response));
	if (line->algorithm.p) {
		buf_add_str(out, ", algorithm=");
		buf_add_str(out, sip_digest_alg_name(in->alg));
	}
	if (in->qop) {
		add_quoted(out, ", cnonce", in->cnonce);
		buf_add_str(out, ", qop=auth, nc=");
		buf_add_span(out, in->nc);
	}
	if (line->opaque.p)
		add_quoted(out, ", opaque", line->opaque);
	buf_add_str(out, "\r\n");
}

int sip_digest_answer(const struct sip_msg *challenge, struct span method, struct span uri,
		      const char *user, const char *password, uint32_t nc, struct buf *out)
{
	unsigned char random[8], count[4] = { (unsigned char)(nc >> 24), (unsigned char)(nc >> 16),
					      (unsigned char)(nc >> 8), (unsigned char)nc };
	char cnonce[17], nc_hex[9], response[SIP_DIGEST_HEX];
	struct sip_digest_line line;
	struct sip_digest_input in = { .method = method, .uri = uri };
	EVP_MD_CTX *ctx;
	int best = choose(challenge, &line, &in.alg);
	bool done;

	if (best <= 0)
		return best < 0 ? -ENOENT : -EOPNOTSUPP;
	rng_bytes(random, sizeof(random));
	sip_hex(random, sizeof(random), cnonce);
	sip_hex(count, sizeof(count), nc_hex);
	in.user = span_of(user);
	in.password = span_of(password);
	in.realm = line.realm;
	in.nonce = line.nonce;
	in.qop = line.qop.p != NULL;
	in.nc = span_of(nc_hex);
	in.cnonce = span_of(cnonce);
	ctx = EVP_MD_CTX_new();
	done = ctx && sip_digest_compute(ctx, &in, response);
	EVP_MD_CTX_free(ctx);
	if (!done)
		return -ENOMEM;
	write_credentials(out, challenge->status == 407, user, &line, &in, response);
	return 0;
}

void sip_digest_announce(const char *user, const char *realm, struct span uri, struct buf *out)
{
	buf_add_str(out, sip_header_name(SIP_H_AUTHORIZATION));
	buf_add_str(out, ": Digest username=");
	sip_digest_quote(out, user);
	buf_add_str(out, ", realm=");
	sip_digest_quote(out, realm);
	buf_add_str(out, ", nonce=\"\"");
	add_quoted(out, ", uri", uri);
	buf_add_str(out, ", response=\"\"\r\n");
}

bool sip_digest_is_stale(const struct sip_msg *challenge)
{
	struct sip_digest_line line;
	enum sip_digest_alg alg;

	return choose(challenge, &line, &alg) > 0 && line.stale.p &&
	       span_ieq(line.stale, SPAN("true"));
}

struct span sip_digest_realm(const struct sip_msg *challenge)
{
	struct sip_digest_line line;
	enum sip_digest_alg alg;

	return choose(challenge, &line, &alg) > 0 ? line.realm : SPAN_NONE;
}
