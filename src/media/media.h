/* SPDX-License-Identifier: GPL-3.0-or-later */
/* media: what two sides agree to send each other, in words that know no protocol. SDP and
 * H.245 both become a struct media_desc at the edge; the call passes it between legs. */
#ifndef CAUSEWAY_MEDIA_H
#define CAUSEWAY_MEDIA_H

#include "base/base.h"

#include <netinet/in.h>

enum media_kind { MEDIA_AUDIO, MEDIA_VIDEO, MEDIA_IMAGE, MEDIA_OTHER };
enum media_direction { MEDIA_SENDRECV, MEDIA_SENDONLY, MEDIA_RECVONLY, MEDIA_INACTIVE };

#define MEDIA_STREAMS_MAX 8
#define MEDIA_FORMATS_MAX 48

/* One codec or event format, or (non-RTP transports) one opaque format. */
struct media_format {
	uint8_t pt;			/* RTP payload type 0..127; 255 = not RTP */
	uint8_t channels;		/* 1 when not said */
	uint32_t clock;			/* Hz; 0 = not RTP */
	const char *name;		/* "PCMA", "telephone-event", "t38"; as written, never NULL;
					 * "" = a payload type that was not explained */
	const char *fmtp;		/* parameters, or NULL */
};

/* A line kept for the other side without being understood: "rtcp-fb:96 nack". */
struct media_extra {
	const char *line;
	struct media_extra *next;
};

struct media_stream {
	enum media_kind kind;
	const char *kind_name;		/* for MEDIA_OTHER, as written */
	const char *transport;		/* "RTP/AVP", "RTP/SAVP", "udptl" */
	const char *host;		/* where this side wants to receive: address literal or name;
					 * never NULL ("0.0.0.0" for a refused stream without one) */
	uint16_t port;			/* 0 = refused or removed */
	uint16_t n_ports;		/* almost always 1 */
	const char *rtcp_host;		/* NULL = host */
	uint16_t rtcp_port;		/* 0 = port + 1 */
	bool rtcp_mux;
	enum media_direction direction;
	uint16_t ptime_ms, maxptime_ms;	/* 0 = not said */
	uint32_t bandwidth_as;		/* kbit/s; 0 = not said */
	uint8_t n_formats;
	struct media_format *formats;	/* in order of preference */
	struct media_extra *extra;	/* further a= lines in order, topology-free ones only */
	bool host_is_ip6_name;		/* `host` is a name and was said to be an IPv6 one */
};

struct media_desc {
	uint8_t n_streams;
	struct media_stream streams[MEDIA_STREAMS_MAX];
	uint32_t bandwidth_as;
	struct media_extra *extra;	/* session-level a= lines worth passing */
};

/* Deep copy into `arena`; NULL without memory. */
struct media_desc *media_desc_dup(struct arena *arena, const struct media_desc *desc);
/* True when no stream lets this side receive (hold as RFC 3264 8.4 and the old 0.0.0.0 mean it);
 * so also when every stream is refused or there is none. */
bool media_desc_is_hold(const struct media_desc *desc);
/* "PCMA/8000 PCMU/8000 telephone-event/8000" of the first audio stream, into dst; for records.
 * Returns the length of what stands there, cut after a whole name; always terminated. */
size_t media_desc_codecs(const struct media_desc *desc, char *dst, size_t size);
/* First real codec of the first audio stream (not telephone-event, CN, RED), or NULL. */
const struct media_format *media_desc_codec(const struct media_desc *desc);

/* Keep only the named codecs in the named order in every audio stream (telephone-event and
 * CN stay). `names` is comma separated ("PCMA,PCMU,G729"; "L16/16000" names a clock as well);
 * NULL or "" keeps all. Changes `desc` in place. Returns how many real audio codecs are left
 * in the first audio stream: 0 also when there is no audio stream (see media_desc_audio). */
unsigned media_desc_restrict(struct media_desc *desc, const char *names);

/* The first audio stream in use (port not 0), else the first audio stream, or NULL. This is
 * "the first audio stream" of all the functions above. */
const struct media_stream *media_desc_audio(const struct media_desc *desc);
/* telephone-event, CN and RED: they ride along with a codec and are none. */
bool media_format_is_helper(const struct media_format *format);
/* A terminated copy for a description; the words that nearly every description holds
 * ("PCMA", "RTP/AVP", "0-16") cost no memory. NULL without memory. */
const char *media_word(struct arena *arena, struct span text);

#endif
