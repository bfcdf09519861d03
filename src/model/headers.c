/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which headers of a caller's INVITE may be passed on at all. Headers that say where a message goes, who sent it,
 * what the transaction and the session agreed on or what its body is belong to each side alone: passed on they
 * would break the other side's call or tell it of this one. */
/* clang-format off */
#include "model/model_int.h"

/* Beside each, its compact form (RFC 3261 7.3.3 and the headers' own RFCs). */
static const struct {
	const char *name;
	char compact;
} never[] = {
	{ "Via", 'v' },		{ "From", 'f' },	      { "To", 't' },		    { "Call-ID", 'i' },
	{ "CSeq", 0 },		{ "Contact", 'm' },	      { "Max-Forwards", 0 },	    { "Max-Breadth", 0 },
	{ "Route", 0 },		{ "Record-Route", 0 },	      { "Path", 0 },		    { "Service-Route", 0 },
	{ "Require", 0 },	{ "Proxy-Require", 0 },	      { "Supported", 'k' },	    { "Unsupported", 0 },
	{ "Allow", 0 },		{ "Allow-Events", 'u' },      { "Accept", 0 },		    { "Accept-Encoding", 0 },
	{ "Accept-Language", 0 }, { "Accept-Contact", 'a' },  { "Reject-Contact", 'j' },    { "Request-Disposition", 'd' },
	{ "Authorization", 0 }, { "Proxy-Authorization", 0 }, { "WWW-Authenticate", 0 },    { "Proxy-Authenticate", 0 },
	{ "Authentication-Info", 0 }, { "Proxy-Authentication-Info", 0 }, { "Security-Client", 0 }, { "Security-Server", 0 },
	{ "Security-Verify", 0 }, { "Session-Expires", 'x' }, { "Min-SE", 0 },		    { "Expires", 0 },
	{ "Min-Expires", 0 },	{ "RSeq", 0 },		      { "RAck", 0 },		    { "Recv-Info", 0 },
	{ "Info-Package", 0 },	{ "Event", 'o' },	      { "Subscription-State", 0 },  { "Refer-To", 'r' },
	{ "Refer-Sub", 0 },	{ "Replaces", 0 },	      { "Join", 0 },		    { "Target-Dialog", 0 },
	{ "Content-Length", 'l' }, { "Content-Type", 'c' },   { "Content-Encoding", 'e' },  { "Content-Disposition", 0 },
	{ "Content-Language", 0 }, { "Content-ID", 0 },	      { "MIME-Version", 0 },	    { "Timestamp", 0 },
	{ "Retry-After", 0 },	{ "Warning", 0 },	      { "User-Agent", 0 },	    { "Server", 0 },
	{ "Flow-Timer", 0 },	{ "SIP-ETag", 0 },	      { "SIP-If-Match", 0 },	    { "Reply-To", 0 },
};

/* The business of trust_identity. A wildcard may reach them and yet passes none of them. */
static const char *const identity[] = { "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Privacy" };

const char *model_header_refused(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (span_ieq(name, span_of(never[i].name)) ||
		    (never[i].compact && name.len == 1 && ascii_lower(name.p[0]) == never[i].compact))
			return never[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(identity); i++)
		if (span_ieq(name, span_of(identity[i])))
			return identity[i];
	return NULL;
}

static bool is_wild(struct span entry)
{
	return entry.len > 0 && entry.p[entry.len - 1] == '*';
}

const char *pass_entry_refused(struct span entry)
{
	struct span head = span_head(entry, entry.len - 1);

	if (!is_wild(entry))
		return model_header_refused(entry);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (span_istarts(span_of(never[i].name), head))
			return never[i].name;
	return NULL;
}

bool model_header_listed(const char *list, struct span name)
{
	struct span rest = span_of(list), entry;
	bool more = rest.len != 0;

	while (more) {
		more = span_cut(rest, ',', &entry, &rest);
		if (is_wild(entry) ? span_istarts(name, span_head(entry, entry.len - 1)) : span_ieq(name, entry))
			return true;
	}
	return false;
}
