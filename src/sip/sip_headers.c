/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of headers and methods, and walking over a message's header lines.
 *
 * A header name is found by its first letter, then length, then eight bytes at a time with
 * the case bit set. Only names of token characters are ever looked up; among those the bit
 * makes nothing equal but the two cases of a letter. */
#include "sip/sip_int.h"

#define VIS (SIP_C_URI | SIP_C_VALUE | SIP_C_SPEC)
#define TOK (SIP_C_TOKEN | SIP_C_DISPLAY | VIS)
#define ALN (TOK | SIP_C_HOST)

/* clang-format off */
const uint8_t sip_class[256] = {
	['\t'] = SIP_C_BLANK | SIP_C_DISPLAY,
	[' '] = SIP_C_BLANK | SIP_C_DISPLAY,
	['!'] = TOK,
	['"'] = SIP_C_DISPLAY,
	['#' ... '$'] = SIP_C_DISPLAY | VIS,
	['%'] = TOK,
	['&'] = SIP_C_DISPLAY | VIS,
	['\''] = TOK,
	['(' ... ')'] = SIP_C_DISPLAY | VIS,
	['*' ... '+'] = TOK,
	[','] = SIP_C_URI,
	['-' ... '.'] = ALN,
	['/'] = SIP_C_DISPLAY | VIS,
	['0' ... '9'] = ALN,
	[':'] = VIS,
	[';'] = SIP_C_URI,
	['<'] = SIP_C_VALUE,
	['='] = SIP_C_DISPLAY | VIS,
	['>'] = SIP_C_VALUE,
	['?'] = SIP_C_URI | SIP_C_VALUE | SIP_C_DISPLAY,
	['@'] = SIP_C_DISPLAY | VIS,
	['A' ... 'Z'] = ALN,
	['[' ... ']'] = SIP_C_DISPLAY | VIS,
	['^'] = SIP_C_DISPLAY | VIS,
	['_'] = ALN,
	['`'] = TOK,
	['a' ... 'z'] = ALN,
	['{' ... '}'] = SIP_C_DISPLAY | VIS,
	['~'] = TOK,
	[0x80 ... 0xff] = SIP_C_DISPLAY | VIS,
};

#define NAME(text) { text, text ": ", sizeof(text) - 1 }

static const struct {
	const char *text, *label;
	uint8_t len;
} names[SIP_HEADERS] = {
	[SIP_H_OTHER] = NAME(""),
	[SIP_H_VIA] = NAME("Via"),
	[SIP_H_FROM] = NAME("From"),
	[SIP_H_TO] = NAME("To"),
	[SIP_H_CALL_ID] = NAME("Call-ID"),
	[SIP_H_CSEQ] = NAME("CSeq"),
	[SIP_H_CONTACT] = NAME("Contact"),
	[SIP_H_MAX_FORWARDS] = NAME("Max-Forwards"),
	[SIP_H_CONTENT_LENGTH] = NAME("Content-Length"),
	[SIP_H_CONTENT_TYPE] = NAME("Content-Type"),
	[SIP_H_CONTENT_ENCODING] = NAME("Content-Encoding"),
	[SIP_H_CONTENT_DISPOSITION] = NAME("Content-Disposition"),
	[SIP_H_ROUTE] = NAME("Route"),
	[SIP_H_RECORD_ROUTE] = NAME("Record-Route"),
	[SIP_H_REQUIRE] = NAME("Require"),
	[SIP_H_PROXY_REQUIRE] = NAME("Proxy-Require"),
	[SIP_H_SUPPORTED] = NAME("Supported"),
	[SIP_H_UNSUPPORTED] = NAME("Unsupported"),
	[SIP_H_ALLOW] = NAME("Allow"),
	[SIP_H_ACCEPT] = NAME("Accept"),
	[SIP_H_AUTHORIZATION] = NAME("Authorization"),
	[SIP_H_PROXY_AUTHORIZATION] = NAME("Proxy-Authorization"),
	[SIP_H_WWW_AUTHENTICATE] = NAME("WWW-Authenticate"),
	[SIP_H_PROXY_AUTHENTICATE] = NAME("Proxy-Authenticate"),
	[SIP_H_EXPIRES] = NAME("Expires"),
	[SIP_H_MIN_EXPIRES] = NAME("Min-Expires"),
	[SIP_H_SESSION_EXPIRES] = NAME("Session-Expires"),
	[SIP_H_MIN_SE] = NAME("Min-SE"),
	[SIP_H_RSEQ] = NAME("RSeq"),
	[SIP_H_RACK] = NAME("RAck"),
	[SIP_H_REASON] = NAME("Reason"),
	[SIP_H_RETRY_AFTER] = NAME("Retry-After"),
	[SIP_H_WARNING] = NAME("Warning"),
	[SIP_H_USER_AGENT] = NAME("User-Agent"),
	[SIP_H_SERVER] = NAME("Server"),
	[SIP_H_PRIVACY] = NAME("Privacy"),
	[SIP_H_P_ASSERTED_IDENTITY] = NAME("P-Asserted-Identity"),
	[SIP_H_P_PREFERRED_IDENTITY] = NAME("P-Preferred-Identity"),
	[SIP_H_REMOTE_PARTY_ID] = NAME("Remote-Party-ID"),
	[SIP_H_DIVERSION] = NAME("Diversion"),
	[SIP_H_HISTORY_INFO] = NAME("History-Info"),
	[SIP_H_REFER_TO] = NAME("Refer-To"),
	[SIP_H_REFERRED_BY] = NAME("Referred-By"),
	[SIP_H_REPLACES] = NAME("Replaces"),
	[SIP_H_EVENT] = NAME("Event"),
	[SIP_H_DATE] = NAME("Date"),
	[SIP_H_TIMESTAMP] = NAME("Timestamp"),
	[SIP_H_PATH] = NAME("Path"),
	[SIP_H_SERVICE_ROUTE] = NAME("Service-Route"),
	[SIP_H_MIME_VERSION] = NAME("MIME-Version"),
	[SIP_H_SUBJECT] = NAME("Subject"),
	[SIP_H_IDENTITY] = NAME("Identity"),
	[SIP_H_INFO_PACKAGE] = NAME("Info-Package"),
	[SIP_H_ORGANIZATION] = NAME("Organization"),
	[SIP_H_P_ASSOCIATED_URI] = NAME("P-Associated-URI"),
};

/* By first letter, the frequent ones first; ended by SIP_H_OTHER. */
static const uint8_t by_letter[26][12] = {
	['a' - 'a'] = { SIP_H_ALLOW, SIP_H_ACCEPT, SIP_H_AUTHORIZATION },
	['c' - 'a'] = { SIP_H_CALL_ID, SIP_H_CSEQ, SIP_H_CONTACT, SIP_H_CONTENT_LENGTH, SIP_H_CONTENT_TYPE,
			SIP_H_CONTENT_DISPOSITION, SIP_H_CONTENT_ENCODING },
	['d' - 'a'] = { SIP_H_DATE, SIP_H_DIVERSION },
	['e' - 'a'] = { SIP_H_EXPIRES, SIP_H_EVENT },
	['f' - 'a'] = { SIP_H_FROM },
	['h' - 'a'] = { SIP_H_HISTORY_INFO },
	['i' - 'a'] = { SIP_H_IDENTITY, SIP_H_INFO_PACKAGE },
	['m' - 'a'] = { SIP_H_MAX_FORWARDS, SIP_H_MIN_SE, SIP_H_MIN_EXPIRES, SIP_H_MIME_VERSION },
	['o' - 'a'] = { SIP_H_ORGANIZATION },
	['p' - 'a'] = { SIP_H_P_ASSERTED_IDENTITY, SIP_H_PRIVACY, SIP_H_PROXY_AUTHORIZATION,
			SIP_H_PROXY_AUTHENTICATE, SIP_H_P_PREFERRED_IDENTITY, SIP_H_PROXY_REQUIRE, SIP_H_PATH,
			SIP_H_P_ASSOCIATED_URI },
	['r' - 'a'] = { SIP_H_ROUTE, SIP_H_RECORD_ROUTE, SIP_H_REQUIRE, SIP_H_REASON, SIP_H_RSEQ, SIP_H_RACK,
			SIP_H_RETRY_AFTER, SIP_H_REMOTE_PARTY_ID, SIP_H_REFER_TO, SIP_H_REFERRED_BY,
			SIP_H_REPLACES },
	['s' - 'a'] = { SIP_H_SUPPORTED, SIP_H_SESSION_EXPIRES, SIP_H_SERVER, SIP_H_SUBJECT,
			SIP_H_SERVICE_ROUTE },
	['t' - 'a'] = { SIP_H_TO, SIP_H_TIMESTAMP },
	['u' - 'a'] = { SIP_H_USER_AGENT, SIP_H_UNSUPPORTED },
	['v' - 'a'] = { SIP_H_VIA },
	['w' - 'a'] = { SIP_H_WARNING, SIP_H_WWW_AUTHENTICATE },
};

/* The compact forms registered with IANA whose long name has an id here; a (Accept-Contact),
 * d (Request-Disposition), j (Reject-Contact), n (Identity-Info) and u (Allow-Events) do not. */
static const uint8_t compact[26] = {
	['b' - 'a'] = SIP_H_REFERRED_BY,
	['c' - 'a'] = SIP_H_CONTENT_TYPE,
	['e' - 'a'] = SIP_H_CONTENT_ENCODING,
	['f' - 'a'] = SIP_H_FROM,
	['i' - 'a'] = SIP_H_CALL_ID,
	['k' - 'a'] = SIP_H_SUPPORTED,
	['l' - 'a'] = SIP_H_CONTENT_LENGTH,
	['m' - 'a'] = SIP_H_CONTACT,
	['o' - 'a'] = SIP_H_EVENT,
	['r' - 'a'] = SIP_H_REFER_TO,
	['s' - 'a'] = SIP_H_SUBJECT,
	['t' - 'a'] = SIP_H_TO,
	['v' - 'a'] = SIP_H_VIA,
	['x' - 'a'] = SIP_H_SESSION_EXPIRES,
	['y' - 'a'] = SIP_H_IDENTITY,
};

/* clang-format on */

static inline uint64_t folded8(const char *p)
{
	uint64_t word;

	memcpy(&word, p, 8);
	return word | 0x2020202020202020ull;
}

static inline uint32_t folded4(const char *p)
{
	uint32_t word;

	memcpy(&word, p, 4);
	return word | 0x20202020u;
}

/* Words of eight (or four) bytes, the last of them overlapping the one before. */
static bool name_eq(const char *a, const char *b, size_t len)
{
	if (len >= 8) {
		for (size_t i = 0; i + 8 < len; i += 8)
			if (folded8(a + i) != folded8(b + i))
				return false;
		return folded8(a + len - 8) == folded8(b + len - 8);
	}
	if (len >= 4)
		return folded4(a) == folded4(b) && folded4(a + len - 4) == folded4(b + len - 4);
	for (size_t i = 0; i < len; i++)
		if ((a[i] | 0x20) != (b[i] | 0x20))
			return false;
	return true;
}

enum sip_header sip_header_find(struct span name)
{
	unsigned letter = name.len ? (unsigned)(name.p[0] | 0x20) - 'a' : 26;

	if (letter >= 26)
		return SIP_H_OTHER;
	if (name.len == 1)
		return compact[letter];
	for (const uint8_t *id = by_letter[letter]; *id; id++)
		if (names[*id].len == name.len && name_eq(names[*id].text, name.p, name.len))
			return *id;
	return SIP_H_OTHER;
}

const char *sip_header_name(enum sip_header id)
{
	assert(id < SIP_HEADERS);
	return names[id].text;
}

struct span sip_header_label(enum sip_header id)
{
	assert(id < SIP_HEADERS);
	return (struct span){ names[id].label, names[id].len + 2u };
}

/* clang-format off */
static const struct span methods[SIP_METHODS] = {
	[SIP_METHOD_OTHER] = { "", 0 },
	[SIP_INVITE] = { "INVITE", sizeof("INVITE") - 1 },
	[SIP_ACK] = { "ACK", sizeof("ACK") - 1 },
	[SIP_BYE] = { "BYE", sizeof("BYE") - 1 },
	[SIP_CANCEL] = { "CANCEL", sizeof("CANCEL") - 1 },
	[SIP_OPTIONS] = { "OPTIONS", sizeof("OPTIONS") - 1 },
	[SIP_REGISTER] = { "REGISTER", sizeof("REGISTER") - 1 },
	[SIP_PRACK] = { "PRACK", sizeof("PRACK") - 1 },
	[SIP_UPDATE] = { "UPDATE", sizeof("UPDATE") - 1 },
	[SIP_INFO] = { "INFO", sizeof("INFO") - 1 },
	[SIP_REFER] = { "REFER", sizeof("REFER") - 1 },
	[SIP_NOTIFY] = { "NOTIFY", sizeof("NOTIFY") - 1 },
	[SIP_SUBSCRIBE] = { "SUBSCRIBE", sizeof("SUBSCRIBE") - 1 },
	[SIP_MESSAGE] = { "MESSAGE", sizeof("MESSAGE") - 1 },
	[SIP_PUBLISH] = { "PUBLISH", sizeof("PUBLISH") - 1 },
};

/* clang-format on */

const char *sip_method_name(enum sip_method method)
{
	assert(method < SIP_METHODS);
	return methods[method].p;
}

enum sip_method sip_method_find(struct span name)
{
	for (unsigned m = SIP_INVITE; m < SIP_METHODS; m++)
		if (methods[m].len == name.len && memcmp(methods[m].p, name.p, name.len) == 0)
			return (enum sip_method)m;
	return SIP_METHOD_OTHER;
}

struct span sip_header(const struct sip_msg *msg, enum sip_header id)
{
	uint8_t at;

	assert(id != SIP_H_OTHER && id < SIP_HEADERS);
	at = msg->first[id];
	return at == 0xff ? SPAN_NONE : sip_str(msg, msg->headers[at].value);
}

struct span sip_header_named(const struct sip_msg *msg, const char *name)
{
	struct span wanted = span_of(name);
	enum sip_header id = sip_header_find(wanted);

	if (id != SIP_H_OTHER)
		return sip_header(msg, id);
	for (uint8_t at = msg->first[SIP_H_OTHER]; at != 0xff; at = msg->headers[at].next)
		if (span_ieq(sip_str(msg, msg->headers[at].name), wanted))
			return sip_str(msg, msg->headers[at].value);
	return SPAN_NONE;
}

static bool next_line(const struct sip_msg *msg, enum sip_header id, struct sip_values *it)
{
	it->line = it->started ? msg->headers[it->line].next : msg->first[id];
	it->started = true;
	if (it->line == 0xff)
		return false;
	it->rest = sip_str(msg, msg->headers[it->line].value);
	return true;
}

bool sip_next_value(const struct sip_msg *msg, enum sip_header id, struct sip_values *it)
{
	if (it->started && it->line == 0xff)
		return false;
	for (;;) {
		while (it->rest.len) {
			struct sip_cursor c = sip_cursor_of(it->rest);
			struct span whole = it->rest;
			size_t len;

			sip_skip_element(&c);
			len = (size_t)(c.p - whole.p);
			it->value = span_trim(span_head(whole, len));
			it->rest = span_skip(whole, len + 1);
			if (it->value.len)
				return true;
		}
		if (!next_line(msg, id, it))
			return false;
	}
}

/* Privacy separates by semicolon (RFC 3323 4.2), all other lists of tokens by comma with
 * parameters after the semicolon. */
static bool value_is(struct span value, struct span token, bool all_parts)
{
	struct span part, rest = value;

	do {
		span_cut(rest, ';', &part, &rest);
		if (span_ieq(span_trim(part), token))
			return true;
	} while (all_parts && rest.len);
	return false;
}

bool sip_lists(const struct sip_msg *msg, enum sip_header id, const char *token)
{
	struct sip_values it = { 0 };

	while (sip_next_value(msg, id, &it))
		if (value_is(it.value, span_of(token), id == SIP_H_PRIVACY))
			return true;
	return false;
}
