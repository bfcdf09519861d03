/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Headers that pass from the caller's INVITE into the callee's: what both sides' lists name, and of that
 * only headers that belong to the call and not to one side of it (model/headers.c). Most of them this switch
 * knows nothing of; of those it knows, a few say something about the call alone. */
#include "edge/edge_int.h"

static bool may_pass(const struct sip_msg *msg, const struct sip_hdr *header)
{
	switch (header->id) {
	case SIP_H_OTHER:
		return !model_header_refused(sip_str(msg, header->name));
	case SIP_H_SUBJECT:
	case SIP_H_ORGANIZATION:
	case SIP_H_DIVERSION:
	case SIP_H_HISTORY_INFO:
	case SIP_H_IDENTITY:
	case SIP_H_DATE:
		return true;
	}
	return false;
}

/* Its long name, so that compact forms need no entry of their own in the lists. */
static struct span name_of(const struct sip_msg *msg, const struct sip_hdr *header)
{
	return header->id == SIP_H_OTHER ? sip_str(msg, header->name)
					 : span_of(sip_header_name(header->id));
}

/* What is passed on must stand in a message of ours as one line. */
static bool is_clean(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.p[i] < ' ' ? value.p[i] != '\t' : value.p[i] == 0x7f)
			return false;
	return value.len > 0;
}

struct span edge_headers_collect(struct arena *arena, const struct sip_msg *invite,
				 const char *list)
{
	struct buf lines = BUF_INIT(EDGE_HEADERS_MAX);
	struct span out = SPAN_NONE;

	for (unsigned i = 0; i < invite->n_headers; i++) {
		const struct sip_hdr *header = &invite->headers[i];
		struct span name = name_of(invite, header), value = sip_str(invite, header->value);

		if (!may_pass(invite, header) || !model_header_listed(list, name) ||
		    !is_clean(value))
			continue;
		if (lines.len + name.len + value.len + 4 > EDGE_HEADERS_MAX)
			break;
		buf_addf(&lines, "%.*s: %.*s\r\n", SPAN_ARG(name), SPAN_ARG(value));
	}
	if (lines.len && !lines.failed) {
		out.p = arena_dup(arena, buf_span(&lines));
		out.len = out.p ? lines.len : 0;
	}
	buf_free(&lines);
	return out;
}

/* What may tell who calls (RFC 3323 4.1 and 5.1, RFC 7044 10.1, the orig of RFC 8224): kept back with him. */
static bool tells_caller(struct span name)
{
	static const char *const telling[] = { "Call-Info",   "History-Info", "Identity",
					       "In-Reply-To", "Organization", "Referred-By",
					       "Subject" };

	for (size_t i = 0; i < ARRAY_SIZE(telling); i++)
		if (span_ieq(name, span_of(telling[i])))
			return true;
	return false;
}

void edge_headers_add(struct buf *out, struct span lines, const struct edge_shown *shown)
{
	const char *list = shown->sip->pass_headers;
	bool hidden = edge_caller_is_hidden(shown);
	bool diversion = shown->sip->shown.diversion == SEND_AUTO;
	struct span line, name, value;

	if (!list)
		return;
	while (lines.len) {
		span_cut(lines, '\n', &line, &lines);
		span_cut(line, ':', &name, &value);
		if (!model_header_listed(list, name) || (hidden && tells_caller(name)) ||
		    (!diversion && span_ieq(name, SPAN("Diversion"))))
			continue;
		buf_add_span(out, line);
		buf_add_char(out, '\n');
	}
}
