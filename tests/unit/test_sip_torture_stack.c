/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RFC 4475 and RFC 5118 through the whole stack: what a peer that sends such a message gets back.
 * The messages are read from the captures folder; without it the test is skipped. */
#include "sip_bed.h"

static struct bed bed;
static struct peer peer;

#define DROPPED -1

/* 200 = handed to the user, who answers everything so. 481 where a valid request names a dialog that is not
 * ours. A hundred comes first for each INVITE that gets that far. */
static const struct torture {
	const char *file;
	int status;
	const char *line;
} rows[] = {
	/* 3.1.1: valid */
	{ "rfc4475/wsinv.dat", 481, NULL },
	{ "rfc4475/intmeth.dat", 200, NULL },
	{ "rfc4475/esc01.dat", 200, NULL },
	{ "rfc4475/escnull.dat", 200, NULL },
	{ "rfc4475/esc02.dat", 200, NULL },
	{ "rfc4475/lwsdisp.dat", 200, NULL },
	{ "rfc4475/longreq.dat", 200, NULL },
	{ "rfc4475/dblreq.dat", 200, NULL },
	{ "rfc4475/semiuri.dat", 200, NULL },
	{ "rfc4475/transports.dat", 200, NULL },
	{ "rfc4475/mpart01.dat", 200, NULL },
	{ "rfc4475/unreason.dat", DROPPED, NULL }, /* responses to nothing of ours */
	{ "rfc4475/noreason.dat", DROPPED, NULL },
	/* 3.1.2: invalid */
	{ "rfc4475/badinv01.dat", 400, NULL },
	{ "rfc4475/clerr.dat", 400, NULL },
	{ "rfc4475/ncl.dat", 400, NULL },
	{ "rfc4475/scalar02.dat", 400, NULL },
	{ "rfc4475/scalarlg.dat", DROPPED, NULL },
	{ "rfc4475/quotbal.dat", 400, NULL },
	{ "rfc4475/ltgtruri.dat", 400, NULL },
	{ "rfc4475/lwsruri.dat", 400, NULL },
	{ "rfc4475/lwsstart.dat", 400, NULL },
	{ "rfc4475/trws.dat", 400, NULL },
	{ "rfc4475/escruri.dat", 400, NULL },
	{ "rfc4475/baddate.dat", 200, NULL }, /* tolerated */
	{ "rfc4475/regbadct.dat", 400, NULL },
	{ "rfc4475/badaspec.dat", 400, NULL },
	{ "rfc4475/baddn.dat", 400, NULL },
	{ "rfc4475/badvers.dat", 505, NULL },
	{ "rfc4475/mismatch01.dat", 400, NULL },
	{ "rfc4475/mismatch02.dat", 400, NULL },
	{ "rfc4475/bigcode.dat", DROPPED, NULL },
	/* 3.2, 3.3, 3.4: transactions, applications, old */
	{ "rfc4475/badbranch.dat", 200, NULL },
	{ "rfc4475/insuf.dat", 400, NULL },
	{ "rfc4475/unkscm.dat", 416, NULL },
	{ "rfc4475/novelsc.dat", 416, NULL },
	{ "rfc4475/unksm2.dat", 200, NULL },
	{ "rfc4475/bext01.dat", 420,
	  "Unsupported: nothingSupportsThis, nothingSupportsThisEither\r\n" },
	{ "rfc4475/invut.dat", 415, "Accept: application/sdp" },
	{ "rfc4475/regaut01.dat", 200, NULL },
	{ "rfc4475/multi01.dat", 400, NULL },
	{ "rfc4475/mcl01.dat", 400, NULL },
	{ "rfc4475/bcast.dat", DROPPED, NULL },
	{ "rfc4475/zeromf.dat", 200, NULL }, /* OPTIONS: we are its target */
	{ "rfc4475/cparam01.dat", 200, NULL },
	{ "rfc4475/cparam02.dat", 200, NULL },
	{ "rfc4475/regescrt.dat", 200, NULL },
	{ "rfc4475/sdp01.dat", 406, "Accept: application/sdp" },
	{ "rfc4475/inv2543.dat", 200, NULL },
	{ "rfc5118/ipv6-good.dat", 200, NULL },
	{ "rfc5118/ipv6-bad.dat", 400, NULL },
	{ "rfc5118/port-ambiguous.dat", 200, NULL },
	{ "rfc5118/port-unambiguous.dat", 200, NULL },
	{ "rfc5118/ipv6-in-sdp.dat", 200, NULL },
	{ "rfc5118/mult-ip-in-header.dat", 481, NULL },
	{ "rfc5118/mult-ip-in-sdp.dat", 200, NULL },
	{ "rfc5118/ipv4-mapped-ipv6.dat", 200, NULL },
};

static bool load(const char *file, char *dst, size_t size, size_t *len)
{
	const char *folder = getenv("CAUSEWAY_CAPTURES");
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/captures", file);
	f = fopen(path, "rb");
	if (!f)
		return false;
	*len = fread(dst, 1, size, f);
	fclose(f);
	return true;
}

/* The first answer that is not 100; DROPPED when there is none. */
static int outcome(const char *data, size_t len)
{
	int status;

	peer_send_bytes(&peer, &bed, data, len);
	do
		status = peer_status(&peer, &bed, 50);
	while (status == 100);
	return status;
}

static void test_torture(void **state)
{
	static char data[BED_MAX];
	int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len;
		int status;

		if (!load(rows[i].file, data, sizeof(data), &len)) {
			print_message("%s: captures not present\n", rows[i].file);
			skip();
		}
		bed_open(&bed, 20, 100);
		peer_open(&peer, &bed, 26060);
		bed.answer = 200;
		bed.done = true;
		status = outcome(data, len);
		if (status != rows[i].status || (rows[i].line && !peer_got(&peer, rows[i].line))) {
			print_error("%s: %d, wanted %d (%s)\n%s\n", rows[i].file, status,
				    rows[i].status, bed.refused_why, peer.text);
			wrong++;
		}
		peer_close(&peer);
		bed_close(&bed);
	}
	assert_int_equal(wrong, 0);
}

/* RFC 4475 3.2.1: a branch that is nothing but the cookie must never match another's. */
static void test_badbranch_is_nobodys(void **state)
{
	static char data[BED_MAX];
	size_t len;

	if (!load("rfc4475/badbranch.dat", data, sizeof(data), &len))
		skip();
	bed_open(&bed, 20, 100);
	peer_open(&peer, &bed, 26060);
	bed.answer = 200;
	assert_int_equal(outcome(data, len), 200);
	REQUEST(&peer, &bed, .method = "OPTIONS", .branch = "z9hG4bK", .cseq = 8);
	assert_int_equal(peer_status(&peer, &bed, 100), 200);
	assert_int_equal(bed.requests, 2);
	assert_int_equal(outcome(data, len), 200);
	assert_int_equal(bed.requests, 2);
	peer_close(&peer);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torture),
		cmocka_unit_test(test_badbranch_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
