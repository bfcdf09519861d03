/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whatever is read without complaint is written, read again without complaint, and written alike. */
#include "model/model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model_error errors[8];
	struct buf first = BUF_INIT(1 << 24), second = BUF_INIT(1 << 24);
	struct model *m = NULL, *again = NULL;
	unsigned n = model_read_yaml(&m, (struct span){ (const char *)data, size }, errors, 8);

	if (n)
		return 0;
	model_write_yaml(&first, m, true);
	n = model_read_yaml(&again, buf_span(&first), errors, 8);
	if (n) {
		fprintf(stderr, "%s\nline %u %s: %s\n", buf_cstr(&first), errors[0].line,
			errors[0].object, errors[0].text);
		abort();
	}
	model_write_yaml(&second, again, true);
	if (!span_eq(buf_span(&first), buf_span(&second))) {
		fprintf(stderr, "%s\n----\n%s", buf_cstr(&first), buf_cstr(&second));
		abort();
	}
	for (unsigned i = 0; i < m->n_phones; i++)
		model_write_json(&second, m, "phone", &m->phones[i], true);
	for (unsigned i = 0; i < m->n_routings; i++)
		model_write_json(&second, m, "routing_gateway", &m->routings[i], true);
	model_unref(&m);
	model_unref(&again);
	buf_free(&first);
	buf_free(&second);
	return 0;
}
