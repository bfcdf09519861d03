/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where to send (RFC 3263): from a host, port and transport to an ordered list of targets.
 * Literals are answered at once; names go NAPTR -> SRV -> A/AAAA as 4.1 and 4.2 say. */
#ifndef CAUSEWAY_SIP_RESOLVE_H
#define CAUSEWAY_SIP_RESOLVE_H

#include "net/net.h"

#define SIP_TARGETS_MAX 16

struct sip_target {
	enum net_proto proto;
	union net_addr addr;
};

struct sip_targets {
	int err;		/* 0, or ENOENT, ETIMEDOUT, EPROTO: nothing found */
	char text[160];		/* what was asked and answered: "SRV _sip._udp.example.net: no such name" */
	unsigned n;
	struct sip_target target[SIP_TARGETS_MAX];	/* best first; SRV weights drawn by chance (RFC 2782) */
};

struct sip_resolve;

/* `proto` -1 = not given. `port` 0 = not given. `done` is called once, possibly at once (then NULL
 * is returned), with `targets` lent for the call. */
struct sip_resolve *sip_resolve_start(struct net_dns *dns, struct span host, uint16_t port, int proto,
				      bool want_ip4, bool want_ip6,
				      void (*done)(void *arg, const struct sip_targets *targets), void *arg);
/* The question under way, as "SRV _sip._udp.example.com", into dst. */
const char *sip_resolve_waiting(const struct sip_resolve *r, char *dst, size_t size);
void sip_resolve_cancel(struct sip_resolve **resolve);

#endif
