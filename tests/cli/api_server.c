/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The API on the socket named by the argument, over a fake switch, until standard input ends. A line there is a call that the
 * trace sees. */
#include "../unit/fake_switch.h"

int main(int argc, char **argv)
{
	struct fake_switch fake;
	struct api_config config = { .socket = argc > 1 ? argv[1] : NULL };
	struct api *api;
	char why[512];
	int c;

	fake_open(&fake);
	if (api_open(&api, &config, &fake.sw, why, sizeof(why)) != 0) {
		fprintf(stderr, "%s\n", why);
		fake_close(&fake);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while ((c = getchar()) != EOF)
		if (c == '\n')
			fake_trace_good(trace_lane(fake.trace, 0), LIVE_A, STARTED);
	api_close(&api);
	fake_close(&fake);
	return 0;
}
