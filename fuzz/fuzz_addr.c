/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What net_addr_parse takes, it prints so that it reads back as the same address. */
#include "net/net.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[NET_ADDR_TEXT], again_text[NET_ADDR_TEXT];
	union net_addr a, again;

	if (net_addr_parse(&a, (struct span){ (const char *)data, size }, 5060))
		return 0;
	net_addr_format(&a, text);
	if (net_addr_parse(&again, span_of(text), 0) || !net_addr_eq(&a, &again))
		abort();
	if (strcmp(net_addr_format(&again, again_text), text) != 0)
		abort();
	net_addr_format_host(&a, text);
	if (net_addr_parse(&again, span_of(text), net_addr_port(&a)) || !net_addr_eq(&a, &again))
		abort();
	return 0;
}
