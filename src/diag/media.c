/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the rules of media ask: what was agreed for a direction at a time, and what was seen of it. */
#include "diag/diag_int.h"

bool is_audio(const struct media_line *line)
{
	return span_ieq(line->media->kind, SPAN("audio"));
}

/* A hold of RFC 2543's time. */
static bool is_nowhere(const struct sdp_media *media)
{
	return media->conn.set && (span_eq(media->conn.host, SPAN("0.0.0.0")) ||
				   span_eq(media->conn.host, SPAN("::")));
}

enum media_way media_way_of(const struct media_line *line)
{
	static const struct {
		const char *name;
		enum media_way way;
	} ways[] = { { "sendonly", WAY_SEND },
		     { "recvonly", WAY_RECEIVE },
		     { "inactive", WAY_NONE },
		     { "sendrecv", WAY_BOTH } };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (sdp_attr(line->sdp, (int)line->index, ways[i].name))
			return ways[i].way;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (sdp_attr(line->sdp, -1, ways[i].name))
			return ways[i].way;
	return is_nowhere(line->media) ? WAY_SEND : WAY_BOTH;
}

const struct media_line *line_of(const struct leg *leg, bool of_caller, uint64_t at_us)
{
	const struct media_line *found = NULL;

	for (unsigned i = 0; i < leg->n_lines; i++) {
		const struct media_line *line = &leg->lines[i];

		if (line->of_caller == of_caller && is_audio(line) && line->from_us <= at_us &&
		    line->to_us >= at_us)
			found = line;
	}
	return found;
}

const struct media_line *answer_line(const struct leg *leg, bool of_caller)
{
	uint64_t at = leg->ack && leg->ack->where.utc_us > leg->answer->where.utc_us
			      ? leg->ack->where.utc_us
			      : leg->answer->where.utc_us;

	return line_of(leg, of_caller, at);
}

bool line_maps(const struct media_line *line, const char *codec, uint8_t *pt_out)
{
	for (unsigned i = 0; i < line->media->n_attrs; i++) {
		const struct sdp_attr *a = &line->sdp->attrs[line->media->first_attr + i];
		struct span number, rest;
		uint32_t pt;

		if (span_eq(a->name, SPAN("rtpmap")) && span_cut(a->value, ' ', &number, &rest) &&
		    !span_to_u32(number, &pt) && pt < 128 &&
		    span_istarts(span_trim(rest), span_of(codec))) {
			if (pt_out)
				*pt_out = (uint8_t)pt;
			return true;
		}
	}
	return false;
}

bool line_lists(const struct media_line *line, unsigned pt)
{
	for (unsigned i = 0; i < line->media->n_formats; i++) {
		uint32_t value;

		if (!span_to_u32(line->media->formats[i], &value) && value == pt)
			return true;
	}
	return false;
}

void media_look(const struct leg *leg, bool to_caller, struct heard *out)
{
	*out = (struct heard){ .packets = 0 };
	for (const struct stream *s = leg->streams; s; s = s->leg_next) {
		if (s->to_caller != to_caller || (s->line && !is_audio(s->line)))
			continue;
		out->packets += s->packets;
		out->streams++;
		if (!out->first_us || s->first_us < out->first_us)
			out->first_us = s->first_us;
		if (s->last_us > out->last_us)
			out->last_us = s->last_us;
		if (!out->main || s->packets > out->main->packets)
			out->main = s;
	}
}

bool media_was_captured(const struct diag *d)
{
	return rtp_streams_first(d->streams) != NULL;
}

/* Packets that one side's sender reports claim. */
uint32_t media_claimed(const struct diag *d, const struct media_line *sender,
		       const struct media_line *receiver)
{
	uint32_t most = 0;

	for (const struct rtcp_view *v = rtp_streams_rtcp(d->streams); v; v = v->next)
		if ((net_addr_eq(&v->src, &sender->rtcp) ||
		     net_addr_eq(&v->dst, &receiver->rtcp)) &&
		    v->sent_packets > most)
			most = v->sent_packets;
	return most;
}
