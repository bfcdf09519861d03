/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who calls, as SIP says it in half a dozen places (RFC 3323, 3325, 5806): read here once, kept as plain numbers
 * and words, and written anew for the other side. Nothing of the bytes received goes on but what survives this:
 * numbers unescaped and escaped again, tokens of a known set, our own host.
 *
 * What a side may hear follows from two things: whether the caller asked for privacy, and whether the side is
 * trusted (trust_identity) to keep it. To one that is not, a caller with privacy is Anonymous, whatever is set. */
#include "edge/edge_int.h"

#include <stdio.h>

#define NUMBER_MAX 128
#define DIVERSIONS_MAX 5
#define DIVERSION_LINE_MAX 320

/* ---- privacy (RFC 3323 4.2, RFC 3325 9.3, RFC 7044 10.1) ------------------------------------------ */

enum {
	PRIV_HEADER = 1,
	PRIV_SESSION = 2,
	PRIV_USER = 4,
	PRIV_ID = 8,
	PRIV_HISTORY = 16,
	PRIV_CRITICAL = 32,
	PRIV_NONE = 64,
};
static const char *const privacy_words[] = { "header",  "session",  "user", "id",
					     "history", "critical", "none" };

static unsigned privacy_parse(struct span value)
{
	unsigned privacy = 0;
	struct span word;
	bool more = value.len != 0;

	while (more) {
		size_t end = 0;

		while (end < value.len && value.p[end] != ';' && value.p[end] != ',')
			end++;
		more = end < value.len;
		word = span_trim(span_head(value, end));
		value = span_skip(value, end + 1);
		for (unsigned i = 0; i < ARRAY_SIZE(privacy_words); i++)
			if (span_ieq(word, span_of(privacy_words[i])))
				privacy |= 1u << i;
	}
	return privacy & PRIV_NONE ? PRIV_NONE : privacy; /* none stands alone */
}

static void privacy_add(struct buf *out, unsigned privacy)
{
	const char *before = "";

	for (unsigned i = 0; i < ARRAY_SIZE(privacy_words); i++) {
		if (!(privacy >> i & 1))
			continue;
		buf_addf(out, "%s%s", before, privacy_words[i]);
		before = ";";
	}
}

/* ---- reading ------------------------------------------------------------------------------------------ */

struct span edge_number_of(struct span uri_text, char *dst, size_t size)
{
	struct sip_uri uri;
	ssize_t len;

	if (sip_uri_decode(&uri, uri_text))
		return SPAN_NONE;
	/* Parameters may hide in the user part ("123;phone-context=..."): they are not digits to route by. */
	len = sip_unescape(span_head(uri.user, span_find(uri.user, ';')), dst, size - 1);
	if (len <= 0 || memchr(dst, '\0', (size_t)len))
		return SPAN_NONE;
	return (struct span){ dst, (size_t)len };
}

/* The first number of a header that lists name-addrs (a sip and a tel URI, RFC 3325 9.1), in the arena. */
static struct span number_in(struct arena *arena, const struct sip_msg *msg, enum sip_header id)
{
	struct sip_values it = { 0 };
	struct sip_name_addr addr;
	struct span number = SPAN_NONE;
	char text[NUMBER_MAX];

	while (!number.len && sip_next_value(msg, id, &it))
		if (sip_name_addr_decode(&addr, it.value) == 0)
			number = edge_number_of(addr.uri, text, sizeof(text));
	if (number.len)
		number.p = arena_dup(arena, number);
	return number.p ? number : SPAN_NONE;
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_digit(s.p[i]) &&
		    (ascii_lower(s.p[i]) < 'a' || ascii_lower(s.p[i]) > 'z') && s.p[i] != '-')
			return false;
	return s.len > 0 && s.len <= 32;
}

/* RFC 5806 4: what is not a word or a number of these goes no further. */
static void add_diversion_params(struct buf *out, struct span params)
{
	static const char *const names[] = { "reason", "counter", "limit", "privacy", "screen" };
	struct span value;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (sip_param(params, names[i], &value) && is_token(value))
			buf_addf(out, ";%s=%.*s", names[i], SPAN_ARG(value));
}

/* "user;reason=...\n" for each, the user escaped. */
static struct span read_diversions(struct arena *arena, const struct sip_msg *msg)
{
	struct buf lines = BUF_INIT(DIVERSIONS_MAX * DIVERSION_LINE_MAX);
	struct sip_values it = { 0 };
	struct sip_name_addr addr;
	struct span out = SPAN_NONE;
	char number[NUMBER_MAX], user[3 * NUMBER_MAX];

	for (unsigned n = 0; n < DIVERSIONS_MAX && sip_next_value(msg, SIP_H_DIVERSION, &it); n++) {
		size_t len = sip_name_addr_decode(&addr, it.value) == 0
				     ? edge_number_of(addr.uri, number, sizeof(number)).len
				     : 0;

		/* An escaped ';' would pass for the beginning of our parameters. */
		len = span_find((struct span){ number, len }, ';');
		if (!len)
			continue;
		number[len] = '\0';
		edge_escape_user(number, user, sizeof(user));
		buf_add_str(&lines, user);
		add_diversion_params(&lines, addr.params);
		buf_add_char(&lines, '\n');
	}
	if (lines.len && !lines.failed)
		out = (struct span){ arena_dup(arena, buf_span(&lines)), lines.len };
	buf_free(&lines);
	return out.p ? out : SPAN_NONE;
}

static struct span read_privacy(struct arena *arena, const struct sip_msg *msg)
{
	struct buf text = BUF_INIT(80);
	struct span out = SPAN_NONE;

	privacy_add(&text, privacy_parse(sip_header(msg, SIP_H_PRIVACY)));
	if (text.len && !text.failed)
		out = (struct span){ arena_dup(arena, buf_span(&text)), text.len };
	buf_free(&text);
	return out.p ? out : SPAN_NONE;
}

static bool has(const struct sip_msg *msg, enum sip_header id)
{
	return msg->first[id] != 0xff;
}

void edge_identity_read(struct arena *arena, const struct sip_msg *msg,
			struct call_arrival *arrival)
{
	if (has(msg, SIP_H_P_ASSERTED_IDENTITY))
		arrival->identity = number_in(arena, msg, SIP_H_P_ASSERTED_IDENTITY);
	if (has(msg, SIP_H_P_PREFERRED_IDENTITY))
		arrival->preferred = number_in(arena, msg, SIP_H_P_PREFERRED_IDENTITY);
	if (has(msg, SIP_H_PRIVACY))
		arrival->privacy = read_privacy(arena, msg);
	if (has(msg, SIP_H_DIVERSION))
		arrival->diversions = read_diversions(arena, msg);
}

/* ---- numbers elsewhere ---------------------------------------------------------------------------------- */

/* A display name that is a number: with its escapes resolved, without blanks around. */
static struct span number_displayed(struct arena *arena, struct span display)
{
	char text[NUMBER_MAX];
	struct span number;
	size_t n = 0;

	for (size_t i = 0; i < display.len && n < sizeof(text); i++) {
		if (display.p[i] == '\\' && i + 1 < display.len)
			i++;
		if (display.p[i])
			text[n++] = display.p[i];
	}
	number = span_trim((struct span){ text, n });
	number.p = arena_dup(arena, number);
	return number.p ? number : SPAN_NONE;
}

static struct span read_caller(struct edge *edge, const struct sip_msg *msg,
			       const struct call_arrival *arrival, int from)
{
	switch ((enum caller_from)from) {
	case CALLER_FROM_REMOTE_PARTY_ID:
		return number_in(edge->scratch, msg, SIP_H_REMOTE_PARTY_ID);
	case CALLER_FROM_DISPLAY:
		return number_displayed(edge->scratch, arrival->display);
	case CALLER_FROM_ASSERTED:
		return arrival->identity;
	case CALLER_FROM_PREFERRED:
		return arrival->preferred;
	case CALLER_FROM_FROM:
		break;
	}
	return SPAN_NONE;
}

static struct span read_callee(struct edge *edge, const struct sip_msg *msg, int from)
{
	switch ((enum callee_from)from) {
	case CALLEE_FROM_TO:
		return number_in(edge->scratch, msg, SIP_H_TO);
	case CALLEE_FROM_DIVERSION:
		return number_in(edge->scratch, msg, SIP_H_DIVERSION);
	case CALLEE_FROM_REQUEST_URI:
		break;
	}
	return SPAN_NONE;
}

/* Whose call it is must be known first; asking admit costs nothing but the time, and only where some gateway wants it. */
void edge_numbers_read(struct edge *edge, const struct sip_msg *msg, struct call_arrival *arrival)
{
	const struct model *m = edge->config.host->model;
	struct admit_result result;
	struct span caller, callee;

	if (!m->reads_numbers)
		return;
	admit_decide(m, &arrival->request, &result, NULL);
	if (!result.mapping || result.verdict == ADMIT_CHALLENGE)
		return;
	caller = read_caller(edge, msg, arrival, result.mapping->caller_from);
	callee = read_callee(edge, msg, result.mapping->callee_from);
	if (caller.len)
		arrival->request.caller = caller;
	if (callee.len)
		arrival->request.callee = callee;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static unsigned privacy_of(const struct edge_shown *s)
{
	return privacy_parse(span_of(s->numbers->privacy));
}

bool edge_caller_is_hidden(const struct edge_shown *s)
{
	return s->numbers->privacy && !s->sip->trust_identity &&
	       (privacy_of(s) & (PRIV_ID | PRIV_USER));
}

/* A quoted string cannot hold CR, LF or a bare quote; what came escaped stays so. */
static void add_display(struct buf *out, const char *display)
{
	buf_add_char(out, '"');
	for (const char *p = display; *p && p - display < 128; p++) {
		if (*p == '\\' && p[1] && p[1] != '\r' && p[1] != '\n') {
			buf_add(out, p, 2);
			p++;
		} else if ((unsigned char)*p >= ' ' && *p != '"' && *p != '\\') {
			buf_add_char(out, *p);
		}
	}
	buf_add_str(out, "\" ");
}

static void add_uri(struct buf *out, const struct edge_shown *s, const char *number)
{
	char user[3 * NUMBER_MAX];

	edge_escape_user(number[0] ? number : "anonymous", user, sizeof(user));
	buf_addf(out, "<sip:%s@%s>", user, s->host);
}

/* RFC 3323 4.1.1.3 for one who is hidden. */
void edge_from_write(const struct edge_shown *s, struct buf *out)
{
	if (edge_caller_is_hidden(s)) {
		buf_add_str(out, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
		return;
	}
	if (s->numbers->display && s->sip->shown.display)
		add_display(out, s->numbers->display);
	add_uri(out, s, s->caller);
}

static void write_asserted(const struct edge_shown *s, struct buf *out)
{
	const char *number = s->numbers->identity;

	switch ((enum send_identity)s->sip->shown.asserted) {
	case SEND_AUTO:
		if (!s->sip->trust_identity)
			return;
		break;
	case SEND_OFF:
		return;
	case SEND_PASS:
		break;
	case SEND_CALLER:
		number = s->caller;
		break;
	}
	if (!number || !number[0])
		return;
	buf_add_str(out, "P-Asserted-Identity: ");
	add_uri(out, s, number);
	buf_add_str(out, "\r\n");
}

static void write_preferred(const struct edge_shown *s, struct buf *out)
{
	const char *number = s->sip->shown.preferred == SEND_PASS     ? s->numbers->preferred
			     : s->sip->shown.preferred == SEND_CALLER ? s->caller
								      : NULL;

	if (!number || !number[0])
		return;
	buf_add_str(out, "P-Preferred-Identity: ");
	add_uri(out, s, number);
	buf_add_str(out, "\r\n");
}

/* draft-ietf-sip-privacy-04 5: screened when somebody trusted vouches for the number. */
static void write_remote_party(const struct edge_shown *s, struct buf *out)
{
	if (!s->sip->shown.remote_party_id || !s->caller[0])
		return;
	buf_add_str(out, "Remote-Party-ID: ");
	if (s->numbers->display && s->sip->shown.display)
		add_display(out, s->numbers->display);
	add_uri(out, s, s->caller);
	buf_addf(out, ";party=calling;screen=%s;privacy=%s\r\n", s->vouched ? "yes" : "no",
		 privacy_of(s) & (PRIV_ID | PRIV_USER) ? "full" : "off");
}

static void write_privacy(const struct edge_shown *s, struct buf *out)
{
	unsigned privacy = privacy_of(s);

	switch ((enum send_privacy)s->sip->shown.privacy) {
	case SEND_PRIVACY_AUTO:
		if (!s->sip->trust_identity)
			return;
		break;
	case SEND_PRIVACY_OFF:
		return;
	case SEND_PRIVACY_PASS:
		break;
	case SEND_PRIVACY_ID:
		privacy = (privacy & ~(unsigned)PRIV_NONE) | PRIV_ID;
		break;
	case SEND_PRIVACY_NONE:
		privacy = PRIV_NONE;
		break;
	}
	if (!privacy)
		return;
	buf_add_str(out, "Privacy: ");
	privacy_add(out, privacy);
	buf_add_str(out, "\r\n");
}

static void write_diversion(const struct edge_shown *s, struct span user, struct span params,
			    struct buf *out)
{
	buf_addf(out, "Diversion: <sip:%.*s@%s>%s%.*s\r\n", SPAN_ARG(user), s->host,
		 params.len ? ";" : "", SPAN_ARG(params));
}

/* Who diverted may want to stay unknown as well (RFC 5806 4, diversion-privacy). */
static void write_diversions(const struct edge_shown *s, struct buf *out)
{
	struct span lines = span_of(s->numbers->diversions), line, user, params, wish;
	char instead[3 * NUMBER_MAX];

	if (s->sip->shown.diversion != SEND_PASS)
		return;
	if (s->diverted) { /* the newest one stands for all */
		edge_escape_user(s->diverted, instead, sizeof(instead));
		span_cut(lines, '\n', &line, &lines);
		span_cut(line, ';', &user, &params);
		write_diversion(s, span_of(instead), params, out);
		return;
	}
	while (lines.len) {
		span_cut(lines, '\n', &line, &lines);
		span_cut(line, ';', &user, &params);
		if (!s->sip->trust_identity && sip_param(params, "privacy", &wish) &&
		    !span_ieq(wish, SPAN("off")))
			continue;
		write_diversion(s, user, params, out);
	}
}

void edge_identity_write(const struct edge_shown *s, struct buf *out)
{
	if (!edge_caller_is_hidden(s)) {
		write_asserted(s, out);
		write_preferred(s, out);
		write_remote_party(s, out);
	}
	write_privacy(s, out);
	if (s->numbers->diversions)
		write_diversions(s, out);
}
