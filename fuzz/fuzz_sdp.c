/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read -> write -> read must give the same description, whatever came in. */
#include "edge/edge_sdp.h"
#include "sdp/sdp.h"

#include <stdlib.h>

static void same(bool yes)
{
	if (!yes)
		abort();
}

static void same_text(const char *a, const char *b)
{
	same(!a == !b);
	same(!a || strcmp(a, b) == 0);
}

static void same_extra(const struct media_extra *a, const struct media_extra *b)
{
	for (; a && b; a = a->next, b = b->next)
		same_text(a->line, b->line);
	same(!a && !b);
}

static void same_stream(const struct media_stream *a, const struct media_stream *b)
{
	same(a->kind == b->kind && a->port == b->port && a->n_ports == b->n_ports);
	same_text(a->kind_name, b->kind_name);
	same_text(a->transport, b->transport);
	same_text(a->host, b->host);
	same_text(a->rtcp_host, b->rtcp_host);
	same(a->host_is_ip6_name == b->host_is_ip6_name);
	same(a->rtcp_port == b->rtcp_port && a->rtcp_mux == b->rtcp_mux);
	same(a->direction == b->direction && a->bandwidth_as == b->bandwidth_as);
	same(a->ptime_ms == b->ptime_ms && a->maxptime_ms == b->maxptime_ms);
	same(a->n_formats == b->n_formats && a->n_formats > 0);
	for (unsigned i = 0; i < a->n_formats; i++) {
		const struct media_format *f = &a->formats[i], *g = &b->formats[i];

		same(f->pt == g->pt && f->channels == g->channels && f->clock == g->clock);
		same((f->pt == EDGE_PT_NONE) == (f->clock == 0));
		same_text(f->name, g->name);
		same_text(f->fmtp, g->fmtp);
	}
	same_extra(a->extra, b->extra);
}

static void same_desc(const struct media_desc *a, const struct media_desc *b)
{
	same(a->n_streams == b->n_streams && a->bandwidth_as == b->bandwidth_as);
	for (unsigned i = 0; i < a->n_streams; i++)
		same_stream(&a->streams[i], &b->streams[i]);
	same_extra(a->extra, b->extra);
	same(media_desc_is_hold(a) == media_desc_is_hold(b));
}

/* rtpmap lines that the input did not need can carry the output past our own ceilings. */
static bool is_beyond_ceilings(struct span text)
{
	unsigned attrs = 0;

	for (size_t i = 2; i < text.len; i++)
		attrs += text.p[i] == '=' && text.p[i - 1] == 'a' && text.p[i - 2] == '\n';
	return attrs > SDP_ATTRS_MAX || text.len > SDP_MAX_SIZE;
}

static void restrict_and_ask(struct media_desc *desc)
{
	char codecs[64];

	same(media_desc_codecs(desc, codecs, sizeof(codecs)) == strlen(codecs));
	media_desc_restrict(desc, "PCMA,G729,opus/48000");
	media_desc_restrict(desc, "PCMU");
	media_desc_codec(desc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct edge_sdp_origin origin = { 1, 2, "2001:db8::1" };
	struct arena *arena = arena_new(8192);
	struct media_desc *first, *second, *copy;
	struct buf out = BUF_INIT(1 << 20);
	char why[100];

	if (edge_desc_read(arena, (struct span){ (const char *)data, size }, &first, why,
			   sizeof(why)))
		goto out;
	copy = media_desc_dup(arena, first);
	same_desc(first, copy);
	edge_desc_write(&out, first, &origin);
	same(!out.failed);
	if (is_beyond_ceilings(buf_span(&out)))
		goto out;
	same(edge_desc_read(arena, buf_span(&out), &second, why, sizeof(why)) == 0);
	same_desc(first, second);
	restrict_and_ask(copy);
	buf_reset(&out);
	edge_desc_write(&out, copy, &origin);
	same(edge_desc_read(arena, buf_span(&out), &second, why, sizeof(why)) == 0);
out:
	buf_free(&out);
	arena_free(&arena);
	return 0;
}
