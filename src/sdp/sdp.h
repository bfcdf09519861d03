/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sdp: read and write session descriptions (RFC 8866, offer/answer as RFC 3264). Reading is
 * lenient where the field is (bare LF, missing s=, spaces at line ends), strict where harm
 * could follow (numbers, counts). Everything read borrows from the text. */
#ifndef CAUSEWAY_SDP_H
#define CAUSEWAY_SDP_H

#include "base/base.h"

#define SDP_MAX_SIZE 32768
#define SDP_MEDIA_MAX 8
#define SDP_FORMATS_MAX 48
#define SDP_ATTRS_MAX 256	/* a= lines, all told */

struct sdp_attr {
	struct span name, value;	/* value.p NULL for a flag; rtpmap, fmtp, ptime... included */
};

struct sdp_conn {
	bool set;
	bool ip6;
	struct span host;
};

struct sdp_media {
	struct span kind, transport;
	uint16_t port, n_ports;
	struct sdp_conn conn;		/* its own c=, else the session's */
	uint32_t bandwidth_as;		/* 0 = none */
	unsigned n_formats;
	struct span formats[SDP_FORMATS_MAX];
	unsigned first_attr, n_attrs;	/* into sdp.attrs */
};

struct sdp {
	struct span origin_user, origin_host;
	uint64_t session_id, version;
	struct sdp_conn conn;
	uint32_t bandwidth_as;
	unsigned n_media;
	struct sdp_media media[SDP_MEDIA_MAX];
	unsigned n_session_attrs;	/* attrs[0 .. n_session_attrs) */
	unsigned n_attrs;
	struct sdp_attr attrs[SDP_ATTRS_MAX];
};

/* NULL, or a static text of what is wrong, with the line in *line_out. */
const char *sdp_parse(struct sdp *out, struct span text, unsigned *line_out);
/* First attribute of that name in a media section (m >= 0) or the session (m = -1); NULL. */
const struct sdp_attr *sdp_attr(const struct sdp *sdp, int m, const char *name);
/* What a c= line may name: letters, digits and ".:-_", at most 255 of them. */
bool sdp_is_host(struct span s);

#endif
