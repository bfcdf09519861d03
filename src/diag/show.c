/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cases as JSON, whose shape scripts rely on, and as text for people. */
#include "diag/diag_int.h"

/* ---- JSON --------------------------------------------------------------------------------------- */

static void add_text(struct buf *out, const char *key, const char *value)
{
	buf_addf(out, ",\"%s\":", key);
	if (value)
		buf_add_json(out, span_of(value));
	else
		buf_add_str(out, "null");
}

static void add_time(struct buf *out, const char *key, uint64_t utc_us)
{
	char text[32];

	add_text(out, key, utc_us ? clock_format(utc_us, text, sizeof(text)) : NULL);
}

void show_verdict(const struct diag_verdict *v, struct buf *out)
{
	const struct diag_code_info *info = diag_code_info(v->code);

	buf_addf(out, "{\"code\":\"%s\",\"side\":\"%s\",\"category\":\"%s\",\"confidence\":%.2f",
		 info->name, diag_side_name(v->side), info->category, v->confidence);
	add_text(out, "sentence", v->sentence);
	add_text(out, "sentence_zh", info->sentence_zh);
	add_text(out, "counted", v->counted);
	add_text(out, "excluded", v->excluded);
	buf_add_str(out, ",\"evidence\":[");
	for (unsigned i = 0; i < v->n_evidence; i++) {
		buf_addf(out, "%s{\"frame\":%llu", i ? "," : "",
			 (unsigned long long)v->evidence[i].frame);
		add_text(out, "text", v->evidence[i].text);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
	add_text(out, "fix", v->fix);
	add_text(out, "fix_zh", info->fix_zh);
	add_text(out, "ask", v->ask);
	buf_add_char(out, '}');
}

static void write_case(const struct diag_case *c, struct buf *out)
{
	buf_add_str(out, "{\"sip_call_ids\":[");
	buf_add_json(out, span_of(c->call_id));
	buf_add_str(out, "],\"related\":[");
	for (unsigned i = 0; i < c->n_related; i++) {
		buf_add_str(out, i ? "," : "");
		buf_add_json(out, span_of(c->related[i]->call_id));
	}
	buf_add_char(out, ']');
	add_text(out, "from", c->from);
	add_text(out, "to", c->to);
	add_time(out, "start", c->start_us);
	add_time(out, "answer", c->answer_us);
	add_time(out, "end", c->end_us);
	add_text(out, "outcome", diag_outcome_name(c->outcome));
	buf_add_str(out, ",\"verdicts\":[");
	for (unsigned i = 0; i < c->n_verdicts; i++) {
		buf_add_str(out, i ? "," : "");
		show_verdict(&c->verdicts[i], out);
	}
	buf_add_str(out, "]}");
}

static void write_cases(const struct diag *d, bool registrations, struct buf *out)
{
	bool begun = false;

	for (unsigned i = 0; i < d->n_cases; i++) {
		if (d->cases[i]->registration != registrations)
			continue;
		buf_add_str(out, begun ? "," : "");
		write_case(d->cases[i], out);
		begun = true;
	}
}

static void write_stream(const struct diag_stream_view *s, struct buf *out)
{
	char text[NET_ADDR_TEXT];

	buf_addf(out, "{\"ssrc\":\"%08x\"", s->ssrc);
	add_text(out, "src", net_addr_format(&s->src, text));
	add_text(out, "dst", net_addr_format(&s->dst, text));
	add_text(out, "codec", s->codec);
	add_text(out, "sip_call_id", s->call_id);
	add_time(out, "start", s->first_us);
	add_time(out, "end", s->last_us);
	buf_addf(out, ",\"packets\":%llu,\"lost\":%llu,\"jitter_ms\":%.1f",
		 (unsigned long long)s->packets, (unsigned long long)s->lost, s->jitter_ms);
	if (s->mos > 0)
		buf_addf(out, ",\"mos\":%.2f}", s->mos);
	else
		buf_add_str(out, ",\"mos\":null}");
}

static void write_capture(const struct diag *d, struct buf *out)
{
	const struct capture_report *r = &d->report;

	buf_addf(out,
		 "\"capture\":{\"packets\":%llu,\"sip\":%llu,\"snapped\":%llu,\"fragments_lost\":%"
		 "llu",
		 (unsigned long long)r->packets, (unsigned long long)r->sip,
		 (unsigned long long)r->snapped, (unsigned long long)r->fragments_lost);
	buf_addf(out, ",\"malformed\":%llu,\"truncated\":%s", (unsigned long long)r->malformed,
		 r->truncated ? "true" : "false");
	add_text(out, "trouble", r->trouble[0] ? r->trouble : NULL);
	add_time(out, "start", r->first_us);
	add_time(out, "end", r->last_us);
	buf_add_char(out, '}');
}

/* Where there is nothing to judge: why. */
static enum diag_code of_file(const struct diag *d)
{
	return d->report.tls_bytes && !d->report.sip ? VERDICT_CAPTURE_ENCRYPTED : VERDICT_NO_CALLS;
}

void diag_write_json(const struct diag *d, const char *file, struct buf *out)
{
	buf_add_str(out, "{\"file\":");
	buf_add_json(out, span_of(file));
	buf_add_char(out, ',');
	write_capture(d, out);
	if (!d->n_cases) {
		struct diag_verdict v = { .code = of_file(d), .confidence = 0.9 };

		v.sentence = diag_code_info(v.code)->sentence;
		v.fix = diag_code_info(v.code)->fix;
		buf_add_str(out, ",\"verdict\":");
		show_verdict(&v, out);
	}
	buf_add_str(out, ",\"calls\":[");
	write_cases(d, false, out);
	buf_add_str(out, "],\"registrations\":[");
	write_cases(d, true, out);
	buf_add_str(out, "],\"streams\":[");
	for (unsigned i = 0; i < d->n_stream_views; i++) {
		buf_add_str(out, i ? "," : "");
		write_stream(&d->stream_views[i], out);
	}
	buf_add_str(out, "]}\n");
}

/* ---- text ------------------------------------------------------------------------------------------ */

static const char *how_sure(double confidence)
{
	return confidence >= 0.95  ? "certain"
	       : confidence >= 0.8 ? "sure"
	       : confidence >= 0.6 ? "likely"
	       : confidence >= 0.5 ? "one of two"
				   : "a guess";
}

static void text_verdict(const struct diag_verdict *v, bool chinese, bool first, struct buf *out)
{
	const struct diag_code_info *info = diag_code_info(v->code);

	buf_addf(out, "  %s%s", first ? "" : "also: ", info->name);
	if (v->side)
		buf_addf(out, " · side %s", diag_side_name(v->side));
	buf_addf(out, " · %s\n", how_sure(v->confidence));
	buf_addf(out, "    %s\n", chinese ? info->sentence_zh : v->sentence);
	if (chinese)
		buf_addf(out, "    %s\n", v->sentence);
	if (v->counted)
		buf_addf(out, "    %s\n", v->counted);
	if (v->excluded)
		buf_addf(out, "    Not: %s\n", v->excluded);
	for (unsigned i = 0; first && i < v->n_evidence; i++)
		if (v->evidence[i].frame)
			buf_addf(out, "    frame %llu: %s\n",
				 (unsigned long long)v->evidence[i].frame, v->evidence[i].text);
		else
			buf_addf(out, "    %s\n", v->evidence[i].text);
	if (v->fix && v->fix[0])
		buf_addf(out, "    Do: %s\n", chinese ? info->fix_zh : v->fix);
	if (v->ask)
		buf_addf(out, "    Ask: %s\n", v->ask);
}

static void text_case(const struct diag_case *c, bool chinese, struct buf *out)
{
	char when[32];

	buf_addf(out, "%s %s -> %s  %s  %s  Call-ID %s\n",
		 c->registration ? "registration" : "call", c->from, c->to,
		 clock_format(c->start_us, when, sizeof(when)), diag_outcome_name(c->outcome),
		 c->call_id);
	for (unsigned i = 0; i < c->n_verdicts; i++)
		text_verdict(&c->verdicts[i], chinese, i == 0, out);
	buf_add_char(out, '\n');
}

void diag_write_text(const struct diag *d, const char *language, bool all, struct buf *out)
{
	bool chinese = strncmp(language, "zh", 2) == 0;
	unsigned well = 0;

	for (unsigned i = 0; i < d->n_cases; i++) {
		const struct diag_case *c = d->cases[i];

		if (!all && c->n_verdicts == 1 && c->verdicts[0].code == VERDICT_NORMAL)
			well++;
		else
			text_case(c, chinese, out);
	}
	buf_addf(out, "%u calls and registrations, %u of them as they should be; %u streams\n",
		 d->n_cases, well, d->n_stream_views);
	if (!d->n_cases)
		buf_addf(out, "%s: %s %s\n", diag_code_info(of_file(d))->name,
			 chinese ? diag_code_info(of_file(d))->sentence_zh
				 : diag_code_info(of_file(d))->sentence,
			 chinese ? diag_code_info(of_file(d))->fix_zh
				 : diag_code_info(of_file(d))->fix);
	if (d->report.trouble[0])
		buf_addf(out, "The file is damaged %s.\n", d->report.trouble);
}
