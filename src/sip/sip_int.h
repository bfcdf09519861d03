/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parsing files of this module share: character classes and a cursor. Every step
 * looks at `end` before it looks at a byte. */
#ifndef CAUSEWAY_SIP_INT_H
#define CAUSEWAY_SIP_INT_H

#include "sip/sip_msg.h"

#define SIP_C_TOKEN 0x01   /* RFC 3261 25.1 token */
#define SIP_C_BLANK 0x02   /* SP, HTAB */
#define SIP_C_HOST 0x04	   /* names and IPv4, with the underscore that people use */
#define SIP_C_URI 0x08	   /* whatever may stand inside <...>: visible, not < > " */
#define SIP_C_DISPLAY 0x10 /* tolerated in an unquoted display name (see sip_uri.c) */
#define SIP_C_VALUE 0x20   /* an unquoted parameter value: visible, not ; , " */
#define SIP_C_SPEC 0x40	   /* a URI without brackets: as SIP_C_URI, not ; , ? */

extern const uint8_t sip_class[256];

static inline bool sip_is(char c, uint8_t classes)
{
	return sip_class[(unsigned char)c] & classes;
}

/* The last eight digits of a Call-ID of ours: a keyed hash of the first twenty, the key drawn once a process.
 * With it any worker knows a call of ours that comes back (a loop) and whose it is, while other people's
 * Call-IDs of that shape are spread like any. Any thread. */
uint32_t sip_call_id_seal(struct span first20);

struct sip_cursor {
	const char *p, *end;
};

static inline struct sip_cursor sip_cursor_of(struct span s)
{
	return (struct sip_cursor){ s.p, s.len ? s.p + s.len : s.p };
}
static inline bool sip_at(const struct sip_cursor *c, char ch)
{
	return c->p < c->end && *c->p == ch;
}
static inline void sip_skip_blank(struct sip_cursor *c)
{
	while (c->p < c->end && sip_is(*c->p, SIP_C_BLANK))
		c->p++;
}
/* The longest run of one class; may be empty. Most of a message is read here: four bytes at a time. */
static inline struct span sip_take(struct sip_cursor *c, uint8_t class)
{
	const char *from = c->p, *p = from;

	while (c->end - p >= 4 && sip_class[(unsigned char)p[0]] & sip_class[(unsigned char)p[1]] &
					  sip_class[(unsigned char)p[2]] & sip_class[(unsigned char)p[3]] & class)
		p += 4;
	while (p < c->end && sip_is(*p, class))
		p++;
	c->p = p;
	return (struct span){ from, (size_t)(p - from) };
}

/* At a '"': past its closing one; *out is what stands between, still escaped. False: not closed,
 * and then nothing further on is worth a second look (it would make the whole quadratic). */
bool sip_take_quoted(struct sip_cursor *c, struct span *out);
/* "name", "name=value" or name="quoted" with blanks allowed around; *value.p NULL without "=". */
bool sip_take_param(struct sip_cursor *c, struct span *name, struct span *value);
/* Host with optional ":port", blanks allowed around the colon when `blanks`. */
bool sip_take_hostport(struct sip_cursor *c, bool blanks, struct span *host, bool *ip6, uint16_t *port);
/* One element of a comma-separated list of addresses; the cursor stops at the comma or the end. */
int sip_take_name_addr(struct sip_cursor *c, struct sip_name_addr *out);
/* One Via value likewise. 0; -EBADMSG: parameters in disorder, but *out names a place to
 * answer to; -EINVAL: not even that (*out untouched). */
int sip_take_via(struct sip_cursor *c, struct sip_via *out);
/* From somewhere in a list element to its comma or the end. */
void sip_skip_element(struct sip_cursor *c);

/* "Call-ID: " */
struct span sip_header_label(enum sip_header id);
/* Long or compact name, any case. */
enum sip_header sip_header_find(struct span name);

#endif
