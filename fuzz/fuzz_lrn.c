/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Contact of an LRN server's redirect: what is taken for a routing number is one, and is taken for the same again. */
#include "edge/edge_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char number[EDGE_LRN_TEXT] = "?", again[EDGE_LRN_TEXT] = "?", contact[128];

	if (edge_lrn_read((struct span){ (const char *)data, size }, number)) {
		if (strcmp(number, "?") != 0)
			abort();
		return 0;
	}
	if (strlen(number) >= EDGE_LRN_TEXT || strspn(number, "+0123456789") != strlen(number))
		abort();
	fmt_print(contact, sizeof(contact), "<sip:1%s%s@h>", number[0] ? ";npdi;rn=" : "", number);
	if (edge_lrn_read(span_of(contact), again) || strcmp(number, again) != 0)
		abort();
	return 0;
}
