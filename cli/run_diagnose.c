/* SPDX-License-Identifier: GPL-3.0-or-later */
/* diagnose: a capture of any system, read and judged by this program itself; no daemon is needed. */
#include "cli.h"

#include "diag/diag.h"

#include <unistd.h>

#define OUTPUT_MAX (1u << 30)
#define LARGE (16u << 20) /* from this size on, progress is shown */

static void show_progress(void *arg, uint64_t bytes, uint64_t of_bytes)
{
	static unsigned shown = 101;
	unsigned percent = (unsigned)(bytes * 100 / of_bytes);

	if (of_bytes < LARGE || percent == shown)
		return;
	shown = percent;
	fprintf(stderr, "\r%u %% read%s", percent, percent == 100 ? "\n" : "");
	fflush(stderr);
}

static int judge(struct cli *cli, struct diag *diag, const char *file)
{
	struct capture_sink sink = diag_sink(diag);
	struct capture_report report;
	struct buf out = BUF_INIT(OUTPUT_MAX);
	const char *language = cli_value(cli, "language");
	char why[320];

	if (isatty(STDERR_FILENO))
		sink.progress = show_progress;
	if (capture_read(file, &sink, &report, why, sizeof(why))) {
		cli_error("%s", why);
		return EXIT_REFUSED;
	}
	diag_finish(diag, &report);
	if (cli->json)
		diag_write_json(diag, file, &out);
	else
		diag_write_text(diag, language ? language : "en", cli_value(cli, "all") != NULL,
				&out);
	if (out.failed)
		cli_error("%s: more than %u MiB of output", file, OUTPUT_MAX >> 20);
	else
		fwrite(out.p, 1, out.len, stdout);
	buf_free(&out);
	return out.failed ? EXIT_REFUSED : EXIT_DONE;
}

int run_diagnose(struct cli *cli)
{
	struct diag *diag;
	int code;

	if (diag_new(&diag)) {
		cli_error("no memory");
		return EXIT_REFUSED;
	}
	code = judge(cli, diag, cli->args[0]);
	diag_free(&diag);
	return code;
}
