/* SPDX-License-Identifier: GPL-3.0-or-later */
/* First byte: the type asked for; the rest: an answer from the wire. */
#include "net/net.h"

#include <stdlib.h>

static void check_text(const char *text, size_t size)
{
	if (!memchr(text, '\0', size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_dns_answer a;
	enum net_rr type;

	if (size == 0)
		return 0;
	type = (enum net_rr)(data[0] % 4);
	if (net_dns_parse(&a, type, (struct span){ (const char *)data + 1, size - 1 }))
		return 0;
	if (a.n > NET_DNS_ANSWERS || a.type != type || (a.n == 0) != (a.err == ENOENT))
		abort();
	for (unsigned i = 0; i < a.n; i++) {
		if (type == NET_RR_SRV)
			check_text(a.srv[i].target, sizeof(a.srv[i].target));
		if (type != NET_RR_NAPTR)
			continue;
		check_text(a.naptr[i].flags, sizeof(a.naptr[i].flags));
		check_text(a.naptr[i].service, sizeof(a.naptr[i].service));
		check_text(a.naptr[i].replacement, sizeof(a.naptr[i].replacement));
	}
	return 0;
}
