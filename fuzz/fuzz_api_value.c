/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of the API's parameters: the first byte chooses the type, the rest is the text. A time that was taken,
 * printed and read again is the same time. */
#include "api/api_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_time(uint64_t us)
{
	char text[40];
	uint64_t again;

	if (us >= 253402300800ull * SEC)
		return; /* the year 10000 has a form of its own */
	clock_format(us, text, sizeof(text));
	if (api_parse_time(span_of(text), &again) != 0 || again != us)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_param param = {
		.name = "x", .least = 1, .most = 40, .choices = "mapping|routing"
	};
	struct api_value value;
	char text[256], why[160];

	if (!size)
		return 0;
	param.type = (enum api_type)(data[0] % (API_CHOICE + 1));
	span_copy((struct span){ (const char *)data + 1, size - 1 }, text, sizeof(text));
	if (!api_parse_value(&value, &param, text, why, sizeof(why)))
		return 0;
	if (param.type == API_TIME)
		check_time(value.number);
	if (param.type == API_COUNT && (value.number < 1 || value.number > 40))
		abort();
	return 0;
}
