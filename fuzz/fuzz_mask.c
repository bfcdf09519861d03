/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whatever comes: a byte stays as it is or becomes '*', line ends stay, and what came before does not hide a secret that follows. */
#include "trace/trace.h"

#include <stdlib.h>

static void must(bool yes)
{
	if (!yes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char secret[] = "\r\nAuthorization: Digest response=\"0123456789\"\r\n";
	struct buf before = BUF_INIT(1 << 24), after = BUF_INIT(1 << 24);

	buf_add(&before, data, size);
	buf_add_str(&before, secret);
	buf_add_span(&after, buf_span(&before));
	must(!after.failed);
	trace_mask(after.p, after.len);
	for (size_t i = 0; i < before.len; i++) {
		must(after.p[i] == before.p[i] || after.p[i] == '*');
		must(before.p[i] != '\n' || after.p[i] == '\n');
	}
	must(memcmp(after.p + after.len - 13, "**********", 10) == 0);
	buf_free(&before);
	buf_free(&after);
	return 0;
}
