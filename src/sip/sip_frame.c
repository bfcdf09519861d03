/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Raw bytes before parsing: where a message ends in a stream, and which worker owns it.
 *
 * Lines end here exactly as in sip_msg.c, so that framing and parsing cannot disagree about
 * where the headers stop. Both functions read each byte once and keep nothing. A stream is
 * looked at anew with each piece that arrives: the limit on lines keeps that cheap when the
 * pieces are single bytes. */
#include "sip/sip_int.h"

#include <pthread.h>

#define LINES_MAX (4 * SIP_MAX_HEADERS) /* before the empty one, folded ones counted */

/* Cut the first line: false when its end has not come yet. */
static bool cut_line(struct sip_cursor *c, struct span *line)
{
	const char *lf = c->p < c->end ? memchr(c->p, '\n', (size_t)(c->end - c->p)) : NULL;

	if (!lf)
		return false;
	line->p = c->p;
	line->len = (size_t)(lf - c->p);
	if (line->len && lf[-1] == '\r')
		line->len--;
	c->p = lf + 1;
	return true;
}

/* As cut_line, with continuation lines: the span then holds their line ends too. Each line is
 * taken from the budget; without any left it is false. */
static bool cut_header(struct sip_cursor *c, struct span *line, unsigned *budget)
{
	struct span more;

	if (!*budget || !cut_line(c, line))
		return false;
	--*budget;
	while (line->len && c->p < c->end && sip_is(*c->p, SIP_C_BLANK)) {
		if (!*budget || !cut_line(c, &more))
			return false;
		--*budget;
		line->len = (size_t)(more.p + more.len - line->p);
	}
	return true;
}

/* Is this header line `id`? Then *value is what follows the colon. */
static enum sip_header header_of(struct span line, struct span *value)
{
	struct sip_cursor c = sip_cursor_of(line);
	struct span name = sip_take(&c, SIP_C_TOKEN);

	sip_skip_blank(&c);
	if (!sip_at(&c, ':'))
		return SIP_H_OTHER;
	*value = span_trim((struct span){ c.p + 1, (size_t)(c.end - c.p - 1) });
	return sip_header_find(name);
}

/* Empty lines before a message. Two in a row and nothing after them are a ping (RFC 5626
 * 4.4.1); less than two are held back until it is known what they become. */
static size_t skip_empty_lines(struct span stream, bool *pong)
{
	size_t n = 0;

	while (n < stream.len && (stream.p[n] == '\r' || stream.p[n] == '\n'))
		n++;
	*pong = n >= 4 && memcmp(stream.p, "\r\n\r\n", 4) == 0;
	return n == stream.len && n < 4 ? 0 : n;
}

static ssize_t whole_length(size_t headers, struct span value, bool seen)
{
	uint32_t body;

	if (!seen || span_to_u32(value, &body) || headers + body > NET_MSG_MAX)
		return -EBADMSG;
	return (ssize_t)(headers + body);
}

ssize_t sip_frame(struct span stream, size_t *skip_out, bool *pong_out)
{
	size_t skip = skip_empty_lines(stream, pong_out);
	struct span message = span_skip(stream, skip), line, value, length = SPAN_NONE;
	struct sip_cursor c = sip_cursor_of(message);
	unsigned budget = LINES_MAX;
	bool seen = false;
	ssize_t whole;

	*skip_out = skip;
	if (message.len && (*message.p == '\r' || *message.p == '\n'))
		return 0;
	while (cut_header(&c, &line, &budget)) {
		if (line.len) {
			if (header_of(line, &value) != SIP_H_CONTENT_LENGTH)
				continue;
			if (seen)
				return -EBADMSG;
			length = value;
			seen = true;
			continue;
		}
		whole = whole_length((size_t)(c.p - message.p), length, seen);
		return whole > (ssize_t)message.len ? 0 : whole;
	}
	return message.len > NET_MSG_MAX || !budget ? -EBADMSG : 0;
}

/* ---- whose message is it ------------------------------------------------------------------ */

#define BRANCH_COOKIE "z9hG4bKq"

static int worker_digits(const char *p, unsigned workers)
{
	uint64_t worker;

	if (span_hex_to_u64((struct span){ p, 2 }, &worker) || worker >= workers)
		return -1;
	return (int)worker;
}

/* The value of a parameter in raw header text, by plain search: it may be folded, and what
 * is found in a quoted string by somebody's design only sends his message astray. */
static struct span raw_param(struct span text, struct span name)
{
	struct sip_cursor c = sip_cursor_of(text);

	while (c.p < c.end) {
		const char *semi = memchr(c.p, ';', (size_t)(c.end - c.p));

		if (!semi)
			break;
		c.p = semi + 1;
		while (c.p < c.end && (unsigned char)*c.p <= ' ')
			c.p++;
		if (!span_ieq(sip_take(&c, SIP_C_TOKEN), name))
			continue;
		while (c.p < c.end && (unsigned char)*c.p <= ' ')
			c.p++;
		if (!sip_at(&c, '='))
			continue;
		c.p++;
		while (c.p < c.end && (unsigned char)*c.p <= ' ')
			c.p++;
		return sip_take(&c, SIP_C_TOKEN);
	}
	return SPAN_NONE;
}

static int worker_of_branch(struct span via, unsigned workers)
{
	struct span top, rest, branch;

	span_cut(via, ',', &top, &rest);
	branch = raw_param(top, SPAN("branch"));
	if (branch.len != sizeof(BRANCH_COOKIE) - 1 + 20 ||
	    !span_starts(branch, SPAN(BRANCH_COOKIE)))
		return -1;
	return worker_digits(branch.p + sizeof(BRANCH_COOKIE) - 1, workers);
}

/* "w" and 20 hex digits: a tag of ours. */
static int worker_of_tag(struct span to, unsigned workers)
{
	const char *bracket = to.len ? memrchr(to.p, '>', to.len) : NULL;
	struct span params = span_skip(to, bracket ? (size_t)(bracket - to.p) : 0);
	struct span tag = raw_param(params, SPAN("tag"));
	uint64_t ignored;

	if (tag.len != 21 || tag.p[0] != 'w' ||
	    span_hex_to_u64((struct span){ tag.p + 3, 10 }, &ignored) ||
	    span_hex_to_u64((struct span){ tag.p + 13, 8 }, &ignored))
		return -1;
	return worker_digits(tag.p + 1, workers);
}

static struct hash_key seal_key;
static pthread_once_t seal_once = PTHREAD_ONCE_INIT;

static void draw_seal_key(void)
{
	rng_bytes(&seal_key, sizeof(seal_key));
}

uint32_t sip_call_id_seal(struct span first20)
{
	pthread_once(&seal_once, draw_seal_key);
	return (uint32_t)hash_bytes(&seal_key, first20.p, first20.len);
}

static int worker_of_call_id(struct span call_id, unsigned workers)
{
	uint64_t seal;

	if (call_id.len != 28 || span_hex_to_u64(span_skip(call_id, 20), &seal) ||
	    seal != sip_call_id_seal(span_head(call_id, 20)))
		return (int)(hash_spread(call_id) % workers);
	return worker_digits(call_id.p, workers);
}

static int classify_response(struct sip_cursor *c, unsigned workers)
{
	unsigned budget = LINES_MAX;
	struct span line, value;

	while (cut_header(c, &line, &budget) && line.len) {
		if (header_of(line, &value) == SIP_H_VIA) {
			int worker = worker_of_branch(value, workers);

			return worker < 0 ? 0 : worker;
		}
	}
	return 0;
}

static int classify_request(struct sip_cursor *c, unsigned workers)
{
	struct span line, value, call_id = SPAN_NONE;
	unsigned budget = LINES_MAX;
	bool to_seen = false;

	while (!(to_seen && call_id.p) && cut_header(c, &line, &budget) && line.len) {
		enum sip_header id = header_of(line, &value);

		if (id == SIP_H_TO && !to_seen) {
			int worker = worker_of_tag(value, workers);

			if (worker >= 0)
				return worker;
			to_seen = true;
		} else if (id == SIP_H_CALL_ID && !call_id.p) {
			call_id = value;
		}
	}
	return call_id.len ? worker_of_call_id(call_id, workers) : 0;
}

static int by_start_line(struct span message, unsigned workers,
			 int (*request)(struct sip_cursor *c, unsigned workers),
			 int (*response)(struct sip_cursor *c, unsigned workers))
{
	struct sip_cursor c = sip_cursor_of(message);
	struct span start;

	if (workers <= 1)
		return 0;
	while (c.p < c.end && (*c.p == '\r' || *c.p == '\n'))
		c.p++;
	if (!cut_line(&c, &start))
		return 0;
	return span_istarts(start, SPAN("SIP/")) ? response(&c, workers) : request(&c, workers);
}

int sip_classify(struct span message, unsigned workers)
{
	return by_start_line(message, workers, classify_request, classify_response);
}

/* What we send is read the other way round: our branch is in our requests, our tag in our responses. */
int sip_sender(struct span message, unsigned workers)
{
	return by_start_line(message, workers, classify_response, classify_request);
}
