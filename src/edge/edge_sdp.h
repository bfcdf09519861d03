/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge_sdp: session descriptions to struct media_desc and back.
 *
 * What travels from one side to the other is what the two ends need to send each other
 * media: addresses and ports of media, codecs, directions, keys. What tells of the sender's
 * network or person stays: its o=, s=, i=, u=, e=, p= lines, ICE candidates, and every a=
 * line that the table in edge_sdp.c does not name. */
#ifndef CAUSEWAY_EDGE_SDP_H
#define CAUSEWAY_EDGE_SDP_H

#include "base/base.h"
#include "media/media.h"

#define EDGE_PT_NONE 255	/* media_format.pt of a format that is not RTP */

struct edge_sdp_origin {
	uint64_t session_id, version;
	const char *host;		/* our signalling address, a literal */
};

/* Reads `sdp` into a description that lives in `arena` and borrows nothing from the text.
 * 0; -EBADMSG with a text of what is wrong in `why` ("line 7: port is not a number from 0
 * to 65535"); -ENOMEM. Every m= line becomes a stream at the same place, refused and unknown
 * ones too, so that an answer has the offer's count (RFC 3264 6). Not for two threads with
 * one arena; otherwise any thread. */
int edge_desc_read(struct arena *arena, struct span sdp, struct media_desc **desc_out, char *why,
		   size_t why_size);

/* Appends the description under our own origin. A stream without formats is written as
 * refused (port 0). The strings of `desc` must not hold CR or LF; those that came from
 * edge_desc_read never do. Look at out->failed afterwards. */
void edge_desc_write(struct buf *out, const struct media_desc *desc,
		     const struct edge_sdp_origin *origin);

#endif
