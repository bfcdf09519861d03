/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a description says, asked and changed without knowing which protocol brought it.
 *
 * A description lives in its call's arena for as long as the call, so it should be small:
 * the few words that nearly all of them consist of are static and shared, and a copy
 * allocates only the rest. */
#include "media/media.h"

#include <stdio.h>

#define WORD(literal)                                                                              \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

static const struct span common_words[] = {
	WORD("PCMA"),      WORD("PCMU"),       WORD("telephone-event"),
	WORD("G729"),      WORD("GSM"),        WORD("G722"),
	WORD("G723"),      WORD("CN"),         WORD("opus"),
	WORD("iLBC"),      WORD("G726-32"),    WORD("speex"),
	WORD("AMR"),       WORD("AMR-WB"),     WORD("H264"),
	WORD("VP8"),       WORD("H263"),       WORD("H261"),
	WORD("t38"),       WORD("RTP/AVP"),    WORD("RTP/SAVP"),
	WORD("RTP/AVPF"),  WORD("RTP/SAVPF"),  WORD("UDP/TLS/RTP/SAVPF"),
	WORD("udptl"),     WORD("0-15"),       WORD("0-16"),
	WORD("annexb=no"), WORD("annexb=yes"), WORD("0.0.0.0"),
};

const char *media_word(struct arena *arena, struct span text)
{
	for (size_t i = 0; i < ARRAY_SIZE(common_words); i++)
		if (span_eq(text, common_words[i]))
			return common_words[i].p;
	return arena_dup(arena, text);
}

/* ---- copying -------------------------------------------------------------------- */

/* False only without memory; a missing string stays missing. */
static bool word_dup(struct arena *arena, const char **dst, const char *src)
{
	*dst = src ? media_word(arena, span_of(src)) : NULL;
	return *dst || !src;
}

static bool extra_dup(struct arena *arena, struct media_extra **dst, const struct media_extra *src)
{
	for (; src; src = src->next) {
		struct media_extra *extra = arena_alloc(arena, sizeof(*extra));

		if (!extra || !word_dup(arena, &extra->line, src->line))
			return false;
		*dst = extra;
		dst = &extra->next;
	}
	return true;
}

static bool formats_dup(struct arena *arena, struct media_stream *to,
			const struct media_stream *from)
{
	if (from->n_formats == 0)
		return true;
	to->formats = arena_alloc(arena, from->n_formats * sizeof(*to->formats));
	if (!to->formats)
		return false;
	for (unsigned i = 0; i < from->n_formats; i++) {
		to->formats[i] = from->formats[i];
		if (!word_dup(arena, &to->formats[i].name, from->formats[i].name) ||
		    !word_dup(arena, &to->formats[i].fmtp, from->formats[i].fmtp))
			return false;
	}
	return true;
}

static bool stream_dup(struct arena *arena, struct media_stream *to,
		       const struct media_stream *from)
{
	*to = *from;
	to->formats = NULL;
	to->extra = NULL;
	return word_dup(arena, &to->kind_name, from->kind_name) &&
	       word_dup(arena, &to->transport, from->transport) &&
	       word_dup(arena, &to->host, from->host) &&
	       word_dup(arena, &to->rtcp_host, from->rtcp_host) && formats_dup(arena, to, from) &&
	       extra_dup(arena, &to->extra, from->extra);
}

struct media_desc *media_desc_dup(struct arena *arena, const struct media_desc *desc)
{
	struct media_desc *copy = arena_alloc(arena, sizeof(*copy));

	assert(desc->n_streams <= MEDIA_STREAMS_MAX);
	if (!copy)
		return NULL;
	copy->n_streams = desc->n_streams;
	copy->bandwidth_as = desc->bandwidth_as;
	for (unsigned i = 0; i < desc->n_streams; i++)
		if (!stream_dup(arena, &copy->streams[i], &desc->streams[i]))
			return NULL;
	return extra_dup(arena, &copy->extra, desc->extra) ? copy : NULL;
}

/* ---- asking --------------------------------------------------------------------- */

/* RFC 3264 8.4 keeps the meaning RFC 2543 gave to 0.0.0.0; "::" is its twin. */
static bool host_is_nowhere(const char *host)
{
	return !host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

bool media_desc_is_hold(const struct media_desc *desc)
{
	for (unsigned i = 0; i < desc->n_streams; i++) {
		const struct media_stream *s = &desc->streams[i];
		bool receives = s->direction == MEDIA_SENDRECV || s->direction == MEDIA_RECVONLY;

		if (s->port != 0 && receives && !host_is_nowhere(s->host))
			return false;
	}
	return true;
}

const struct media_stream *media_desc_audio(const struct media_desc *desc)
{
	const struct media_stream *refused = NULL;

	for (unsigned i = 0; i < desc->n_streams; i++) {
		const struct media_stream *s = &desc->streams[i];

		if (s->kind == MEDIA_AUDIO && s->port != 0)
			return s;
		if (s->kind == MEDIA_AUDIO && !refused)
			refused = s;
	}
	return refused;
}

static bool name_is(const struct media_format *format, const char *name)
{
	return span_ieq(span_of(format->name), span_of(name));
}

bool media_format_is_helper(const struct media_format *format)
{
	return name_is(format, "telephone-event") || name_is(format, "CN") ||
	       name_is(format, "red");
}

const struct media_format *media_desc_codec(const struct media_desc *desc)
{
	const struct media_stream *s = media_desc_audio(desc);

	for (unsigned i = 0; s && i < s->n_formats; i++)
		if (!media_format_is_helper(&s->formats[i]))
			return &s->formats[i];
	return NULL;
}

static int format_print(const struct media_format *format, char *dst, size_t size)
{
	if (format->clock == 0)
		return snprintf(dst, size, "%s", format->name);
	if (format->name[0] == '\0')
		return snprintf(dst, size, "pt%u", format->pt);
	if (format->channels > 1)
		return snprintf(dst, size, "%s/%u/%u", format->name, format->clock,
				format->channels);
	return snprintf(dst, size, "%s/%u", format->name, format->clock);
}

size_t media_desc_codecs(const struct media_desc *desc, char *dst, size_t size)
{
	const struct media_stream *s = media_desc_audio(desc);
	size_t len = 0;

	assert(size > 0);
	dst[0] = '\0';
	for (unsigned i = 0; s && i < s->n_formats; i++) {
		size_t gap = len ? 1 : 0;
		int n;

		if (size - len <= gap)
			break;
		n = format_print(&s->formats[i], dst + len + gap, size - len - gap);
		if (n < 0 || (size_t)n >= size - len - gap)
			break;
		if (gap)
			dst[len] = ' ';
		len += gap + (size_t)n;
	}
	dst[len] = '\0';
	return len;
}

/* ---- restricting ---------------------------------------------------------------- */

/* "PCMA", or "L16/16000" where the clock matters. */
static bool format_matches(const struct media_format *format, struct span wanted)
{
	struct span name, clock_text;
	uint32_t clock;

	if (!span_cut(wanted, '/', &name, &clock_text))
		return span_ieq(span_of(format->name), name);
	return span_ieq(span_of(format->name), name) && span_to_u32(clock_text, &clock) == 0 &&
	       format->clock == clock;
}

/* What stays without being named: events and comfort noise belong to whichever codec wins. */
static bool format_stays(const struct media_format *format)
{
	return format->clock == 0 || name_is(format, "telephone-event") || name_is(format, "CN");
}

/* A kept line that speaks of one payload type ("rtcp-fb:96 nack") goes with it. */
static bool extra_is_orphan(const struct media_stream *s, const char *line)
{
	struct span name, value, pt_text, rest;
	uint32_t pt;

	span_cut(span_of(line), ':', &name, &value);
	span_cut(value, ' ', &pt_text, &rest);
	if (!span_ieq(name, SPAN("rtcp-fb")) && !span_ieq(name, SPAN("gpmd")))
		return false;
	if (span_to_u32(pt_text, &pt))
		return false; /* "*": all of them */
	for (unsigned i = 0; i < s->n_formats; i++)
		if (s->formats[i].pt == pt)
			return false;
	return true;
}

static void stream_restrict(struct media_stream *s, struct span names)
{
	struct media_format kept[MEDIA_FORMATS_MAX];
	bool taken[MEDIA_FORMATS_MAX] = { false };
	unsigned n = 0;
	struct span wanted;

	assert(s->n_formats <= MEDIA_FORMATS_MAX);
	while (names.len) {
		span_cut(names, ',', &wanted, &names);
		wanted = span_trim(wanted);
		for (unsigned i = 0; i < s->n_formats; i++) {
			if (wanted.len == 0 || taken[i] || !format_matches(&s->formats[i], wanted))
				continue;
			taken[i] = true;
			kept[n++] = s->formats[i];
		}
	}
	for (unsigned i = 0; i < s->n_formats; i++)
		if (!taken[i] && format_stays(&s->formats[i]))
			kept[n++] = s->formats[i];
	if (n)
		memcpy(s->formats, kept, n * sizeof(kept[0]));
	s->n_formats = (uint8_t)n;
	for (struct media_extra **at = &s->extra; *at;) {
		if (extra_is_orphan(s, (*at)->line))
			*at = (*at)->next;
		else
			at = &(*at)->next;
	}
}

unsigned media_desc_restrict(struct media_desc *desc, const char *names)
{
	struct span wanted = span_trim(names ? span_of(names) : SPAN(""));
	const struct media_stream *audio = media_desc_audio(desc);
	unsigned left = 0;

	for (unsigned i = 0; wanted.len && i < desc->n_streams; i++)
		if (desc->streams[i].kind == MEDIA_AUDIO && desc->streams[i].port != 0)
			stream_restrict(&desc->streams[i], wanted);
	for (unsigned i = 0; audio && i < audio->n_formats; i++)
		left += !media_format_is_helper(&audio->formats[i]);
	return left;
}
