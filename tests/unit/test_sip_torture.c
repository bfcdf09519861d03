/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The torture messages of RFC 4475 and RFC 5118, and the PROTOS c07-sip corpus. The files are
 * not ours to copy: they are read from $CAUSEWAY_CAPTURES or ../shared/captures, and without
 * them the tests are skipped. What is decided above the parser (416, 420, 415, 406, 483,
 * unknown methods) must get through it here. */
#include "sip_help.h"

#include <dirent.h>
#include <sys/stat.h>

static struct sip_msg msg;

#define DROP (-EBADMSG)

struct torture {
	const char *file;
	int verdict;
	const char *why; /* of the refusal */
};

/* Where the RFC leaves the choice (marked *), this is why we refuse:
 * badinv01	the empty parameters stand in Via: what cannot be split safely is not copied
 * quotbal	where the display name ends, two readers may disagree, and with it who is called
 * ltgtruri	<> around a Request-URI is a peer that confuses grammar; the URI is not ours to repair
 * lwsstart	split at the wrong blank the URI changes
 * trws		same line, same rule
 * escruri	headers smuggled in through the Request-URI
 * badaspec	blanks inside <>: some cut there, some do not
 * and this is tolerated: baddate (nothing is decided by it). */
static const struct torture rfc4475[] = {
	{ "wsinv.dat", 0, NULL },
	{ "intmeth.dat", 0, NULL },
	{ "esc01.dat", 0, NULL },
	{ "escnull.dat", 0, NULL },
	{ "esc02.dat", 0, NULL },
	{ "lwsdisp.dat", 0, NULL },
	{ "longreq.dat", 0, NULL },
	{ "dblreq.dat", 0, NULL },
	{ "semiuri.dat", 0, NULL },
	{ "transports.dat", 0, NULL },
	{ "mpart01.dat", 0, NULL },
	{ "unreason.dat", 0, NULL },
	{ "noreason.dat", 0, NULL },
	{ "badinv01.dat", 400, "Via: cannot be read" }, /* * */
	{ "clerr.dat", 400, "Content-Length: more than arrived" },
	{ "ncl.dat", 400, "Content-Length: not a number" },
	{ "scalar02.dat", 400, "CSeq: number over 2^31-1" },
	{ "scalarlg.dat", DROP, "CSeq: number over 2^31-1" },
	{ "quotbal.dat", 400, "To: cannot be read" }, /* * */
	{ "ltgtruri.dat", 400, "Request-URI: cannot be read" }, /* * */
	{ "lwsruri.dat", 400, "start line: stray blanks" },
	{ "lwsstart.dat", 400, "start line: stray blanks" }, /* * */
	{ "trws.dat", 400, "start line: stray blanks" }, /* * */
	{ "escruri.dat", 400, "Request-URI: header part not allowed" }, /* * */
	{ "baddate.dat", 0, NULL },
	{ "regbadct.dat", 400, "Contact: cannot be read" },
	{ "badaspec.dat", 400, "To: cannot be read" }, /* * */
	{ "baddn.dat", 400, "no empty line after the headers" },
	{ "badvers.dat", 505, "start line: not SIP/2.0" },
	{ "mismatch01.dat", 400, "CSeq: other method than the start line" },
	{ "mismatch02.dat", 400, "CSeq: other method than the start line" },
	{ "bigcode.dat", DROP, "start line: status not 100 to 699" },
	{ "badbranch.dat", 0, NULL },
	{ "insuf.dat", 400, "From: missing" },
	{ "unkscm.dat", 0, NULL },
	{ "novelsc.dat", 0, NULL },
	{ "unksm2.dat", 0, NULL },
	{ "bext01.dat", 0, NULL },
	{ "invut.dat", 0, NULL },
	{ "regaut01.dat", 0, NULL },
	{ "multi01.dat", 400, "From: twice" },
	{ "mcl01.dat", 400, "Content-Length: twice" },
	{ "bcast.dat", 0, NULL },
	{ "zeromf.dat", 0, NULL },
	{ "cparam01.dat", 0, NULL },
	{ "cparam02.dat", 0, NULL },
	{ "regescrt.dat", 0, NULL },
	{ "sdp01.dat", 0, NULL },
	{ "inv2543.dat", 0, NULL },
	{ "test.dat", DROP, NULL },
};

static const struct torture rfc5118[] = {
	{ "ipv6-good.dat", 0, NULL },
	{ "ipv6-bad.dat", 400, "Request-URI: cannot be read" },
	{ "port-ambiguous.dat", 0, NULL },
	{ "port-unambiguous.dat", 0, NULL },
	{ "via-received-param-with-delim.dat", 0, NULL },
	{ "via-received-param-no-delim.dat", 0, NULL },
	{ "ipv6-in-sdp.dat", 0, NULL },
	{ "mult-ip-in-header.dat", 0, NULL },
	{ "mult-ip-in-sdp.dat", 0, NULL },
	{ "ipv4-mapped-ipv6.dat", 0, NULL },
	{ "ipv6-bug-abnf-3-colons.dat", 0, NULL },
	{ "ipv6-correct-abnf-2-colons.dat", 0, NULL },
	/* As in the RFC's archive: LF alone, and some lengths counted as if with CR. */
	{ "archive-lf/ipv6-good", 0, NULL },
	{ "archive-lf/ipv6-bad", 400, "Request-URI: cannot be read" },
	{ "archive-lf/port-ambiguous", 0, NULL },
	{ "archive-lf/port-unambiguous", 0, NULL },
	{ "archive-lf/via-received-param-with-delim", 0, NULL },
	{ "archive-lf/via-received-param-no-delim", 0, NULL },
	{ "archive-lf/ipv6-in-sdp", 400, "Content-Length: more than arrived" },
	{ "archive-lf/mult-ip-in-header", 0, NULL },
	{ "archive-lf/mult-ip-in-sdp", 400, "Content-Length: more than arrived" },
	{ "archive-lf/ipv4-mapped-ipv6", 0, NULL },
	{ "archive-lf/ipv6-bug-abnf-3-colons", 400, "no empty line after the headers" },
	{ "archive-lf/ipv6-correct-abnf-2-colons", 400, "no empty line after the headers" },
};

static const char *captures(void)
{
	const char *folder = getenv("CAUSEWAY_CAPTURES");

	return folder ? folder : "../shared/captures";
}

static struct net_buf *load(const char *folder, const char *file)
{
	static char data[NET_MSG_MAX];
	char path[512];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", captures(), folder, file);
	f = fopen(path, "rb");
	if (!f)
		return NULL;
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	return buf_of(data, len);
}

/* Every file of the folder must be in the table. */
static void check_complete(const char *folder, const struct torture *table, size_t n)
{
	char path[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", captures(), folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		bool known = entry->d_name[0] == '.' || !strcmp(entry->d_name, "archive-lf");

		for (size_t i = 0; i < n; i++)
			known |= !strcmp(entry->d_name, table[i].file);
		if (!known)
			fail_msg("%s/%s is not in the table", folder, entry->d_name);
	}
	closedir(dir);
}

static void run_table(const char *folder, const struct torture *table, size_t n)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct net_buf *buf = load(folder, table[i].file);
		const char *why = NULL;
		int verdict;

		if (!buf && i == 0)
			skip();
		if (!buf)
			fail_msg("%s/%s: missing", folder, table[i].file);
		verdict = sip_msg_parse(&msg, buf, false, &why);
		if (verdict != table[i].verdict ||
		    (table[i].why && (!why || strcmp(why, table[i].why)))) {
			print_error("%s/%s: %d \"%s\"\n", folder, table[i].file, verdict,
				    why ? why : "");
			wrong++;
		}
		net_buf_unref(&buf);
	}
	check_complete(folder, table, n);
	assert_int_equal(wrong, 0);
}

static void test_rfc4475(void **state)
{
	(void)state;
	run_table("rfc4475", rfc4475, ARRAY_SIZE(rfc4475));
}

static void test_rfc5118(void **state)
{
	(void)state;
	run_table("rfc5118", rfc5118, ARRAY_SIZE(rfc5118));
}

static struct net_buf *load_valid(const char *folder, const char *file)
{
	struct net_buf *buf = load(folder, file);
	const char *why = "";

	if (!buf)
		skip();
	assert_int_equal(sip_msg_parse(&msg, buf, false, &why), 0);
	return buf;
}

/* RFC 4475 3.1.1.1: not only accepted, but understood. */
static void test_wsinv(void **state)
{
	struct net_buf *buf = load_valid("rfc4475", "wsinv.dat");
	struct sip_values it = { 0 };
	struct sip_name_addr addr;
	struct span value;
	unsigned vias = 0;

	(void)state;
	assert_int_equal(msg.method, SIP_INVITE);
	assert_span(msg.to_tag, "1918181833n");
	assert_span(msg.from_tag, "98asjd8");
	assert_int_equal(msg.max_forwards, 68);
	assert_int_equal(msg.cseq, 9);
	assert_int_equal(msg.body.len, 150);
	assert_span(msg.via.transport, "UDP");
	assert_span(msg.via.host, "192.0.2.2");
	assert_span(msg.via.branch, "390skdjuw");
	while (sip_next_value(&msg, SIP_H_VIA, &it)) {
		struct sip_via via;

		assert_int_equal(sip_via_decode(&via, it.value), 0);
		vias++;
	}
	assert_int_equal(vias, 3);
	assert_int_equal(sip_name_addr_decode(&addr, sip_header(&msg, SIP_H_CONTACT)), 0);
	assert_span(addr.display, "Quoted string \\\"\\\"");
	assert_true(sip_param(addr.params, "newparam", &value));
	assert_span(value, "newvalue");
	assert_true(sip_param(addr.params, "q", &value));
	assert_span(value, "0.33");
	assert_span(sip_header(&msg, SIP_H_SUBJECT), "");
	net_buf_unref(&buf);
}

static void test_others_understood(void **state)
{
	struct net_buf *buf = load_valid("rfc4475", "semiuri.dat");
	struct sip_uri uri;

	(void)state;
	assert_int_equal(sip_uri_decode(&uri, sip_str(&msg, msg.uri)), 0);
	assert_span(uri.user, "user;par=u%40example.net");
	assert_span(uri.host, "example.com");
	net_buf_unref(&buf);
	buf = load_valid("rfc4475", "dblreq.dat");
	assert_int_equal(msg.method, SIP_REGISTER);
	assert_int_equal(msg.body.len, 0);
	assert_true(msg.len < buf->len);
	net_buf_unref(&buf);
	buf = load_valid("rfc4475", "inv2543.dat");
	assert_int_equal(msg.from_tag.len, 0);
	assert_int_equal(msg.max_forwards, -1);
	net_buf_unref(&buf);
	buf = load_valid("rfc5118", "port-ambiguous.dat");
	assert_int_equal(sip_uri_decode(&uri, sip_str(&msg, msg.uri)), 0);
	assert_span(uri.host, "2001:db8::10:5070");
	assert_int_equal(uri.port, 0);
	net_buf_unref(&buf);
	buf = load_valid("rfc5118", "via-received-param-with-delim.dat");
	assert_span(msg.via.received, "2001:db8::9:255");
	net_buf_unref(&buf);
}

/* On a stream, dblreq is two messages, and a negative length closes it. */
static void test_streams(void **state)
{
	struct net_buf *buf = load("rfc4475", "dblreq.dat");
	size_t skipped;
	ssize_t first;
	bool pong;

	(void)state;
	if (!buf)
		skip();
	first = sip_frame((struct span){ buf->data, buf->len }, &skipped, &pong);
	assert_true(first > 0);
	assert_true(sip_frame((struct span){ buf->data + first, buf->len - (size_t)first },
			      &skipped, &pong) > 0);
	assert_int_equal(skipped, 2);
	net_buf_unref(&buf);
	buf = load("rfc4475", "ncl.dat");
	assert_non_null(buf);
	assert_int_equal(sip_frame((struct span){ buf->data, buf->len }, &skipped, &pong),
			 -EBADMSG);
	net_buf_unref(&buf);
	buf = load("rfc4475", "clerr.dat");
	assert_non_null(buf);
	assert_int_equal(sip_frame((struct span){ buf->data, buf->len }, &skipped, &pong), 0);
	net_buf_unref(&buf);
}

/* ---- PROTOS ----------------------------------------------------------------------------- */

static void decode_every_header(void)
{
	for (unsigned i = 0; i < msg.n_headers; i++) {
		struct span value = sip_str(&msg, msg.headers[i].value);
		struct sip_name_addr addr;
		struct sip_uri uri;
		struct sip_via via;

		if (!sip_name_addr_decode(&addr, value))
			sip_uri_decode(&uri, addr.uri);
		sip_via_decode(&via, value);
	}
}

/* One case: whatever it is, the verdict is one of the four, and it can be answered. */
static void run_case(const char *data, size_t len, unsigned verdicts[3])
{
	struct net_flow flow = flow_from("192.0.2.1:5060");
	struct net_buf *buf = buf_of(data, len), *answer;
	const char *why = NULL;
	int verdict = sip_msg_parse(&msg, buf, false, &why);
	struct sip_writer w;
	static struct sip_msg again;

	assert_true(verdict == 0 || verdict == 400 || verdict == 505 || (verdict == DROP && why));
	verdicts[verdict == 0 ? 0 : verdict > 0 ? 1 : 2]++;
	assert_true(sip_classify((struct span){ buf->data, buf->len }, 4) < 4);
	decode_every_header();
	if (verdict >= 0) {
		sip_write_begin(&w, NET_MSG_MAX);
		sip_write_response_head(&w, &msg, &flow, verdict ? verdict : 200, NULL, SPAN("t"));
		answer = sip_finish(&w, NULL, SPAN_NONE);
		if (answer && !verdict)
			assert_int_equal(sip_msg_parse(&again, answer, true, &why), 0);
		if (answer)
			net_buf_unref(&answer);
	}
	net_buf_unref(&buf);
}

/* ---- the corpus: a tar of templates ---- */

struct place {
	const char *name, *value;
};

/* Copy `text` with the placeholders replaced; what does not fit is cut. */
static size_t fill_in(struct span text, const struct place *places, size_t n, char *out,
		      size_t size)
{
	size_t len = 0;

	while (text.len && len < size) {
		size_t i = n;

		if (*text.p == '<')
			for (i = 0; i < n && !span_starts(text, span_of(places[i].name)); i++)
				;
		if (i == n) {
			out[len++] = *text.p;
			text = span_skip(text, 1);
			continue;
		}
		len += (size_t)snprintf(out + len, size - len, "%s", places[i].value);
		text = span_skip(text, strlen(places[i].name));
	}
	return len < size ? len : size;
}

static void run_template(struct span text, unsigned verdicts[3])
{
	static char most[1 << 18], whole[1 << 18];
	char length[24] = "0";
	const struct place places[] = {
		{ "<From-Address>", "192.0.2.1" }, { "<From-IP>", "192.0.2.1" },
		{ "<Local-Port>", "5060" },        { "<Branch-ID>", "77" },
		{ "<From>", "a@192.0.2.1" },       { "<To>", "b@192.0.2.2" },
		{ "<Call-ID>", "4711" },           { "<CSeq>", "1" },
		{ "<Teardown-Method>", "CANCEL" },
	};
	const struct place last[] = { { "<Content-Length>", length } };
	size_t len = fill_in(text, places, ARRAY_SIZE(places), most, sizeof(most));
	const char *body = memmem(most, len, "\r\n\r\n", 4);

	if (body)
		snprintf(length, sizeof(length), "%zu", len - (size_t)(body + 4 - most));
	len = fill_in((struct span){ most, len }, last, 1, whole, sizeof(whole));
	run_case(whole, len < NET_MSG_MAX ? len : NET_MSG_MAX, verdicts);
}

/* "460 INVITE ...": each packet of a case after its length. */
static unsigned run_packets(struct span file, unsigned verdicts[3])
{
	struct span digits, rest;
	unsigned packets = 0;
	uint32_t len;

	for (; file.len; file = span_skip(rest, len), packets++) {
		span_cut(file, ' ', &digits, &rest);
		if (span_to_u32(digits, &len) || len > rest.len)
			fail_msg("packet %u: no length", packets);
		run_template(span_head(rest, len), verdicts);
	}
	return packets;
}

static size_t octal(const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		n = n * 8 + (size_t)(p[i] - '0');
	return n;
}

/* A tar stream: a block of 512 bytes names and sizes each file, whose blocks follow. */
static unsigned run_tar(FILE *tar, unsigned verdicts[3])
{
	static char data[1 << 20];
	char head[512];
	unsigned cases = 0;

	while (cases < 10000 && fread(head, 1, sizeof(head), tar) == sizeof(head) && head[0]) {
		size_t size = octal(head + 124, 11), blocks = (size + 511) / 512 * 512;

		if (blocks > sizeof(data) || (blocks && fread(data, 1, blocks, tar) != blocks))
			break;
		if (head[156] != '0' && head[156] != '\0')
			continue;
		run_packets((struct span){ data, size }, verdicts);
		cases++;
	}
	return cases;
}

static void test_protos(void **state)
{
	unsigned verdicts[3] = { 0 }, cases;
	char command[600], path[512];
	struct stat st;
	FILE *tar;

	(void)state;
	snprintf(path, sizeof(path), "%s/corpora/protos-c07-sip-r2.tar.xz", captures());
	if (stat(path, &st))
		skip();
	snprintf(command, sizeof(command), "xz -dc '%s' 2>/dev/null", path);
	tar = popen(command, "r");
	assert_non_null(tar);
	cases = run_tar(tar, verdicts);
	pclose(tar);
	if (!cases)
		skip();
	print_message("PROTOS: %u cases, packets: %u accepted, %u refused, %u dropped\n", cases,
		      verdicts[0], verdicts[1], verdicts[2]);
	assert_int_equal(cases, 4527);
	assert_true(verdicts[0] > cases); /* the teardown of nearly every case is sound */
	assert_true(verdicts[1] > 0 && verdicts[2] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4475), cmocka_unit_test(test_rfc5118),
		cmocka_unit_test(test_wsinv),   cmocka_unit_test(test_others_understood),
		cmocka_unit_test(test_streams), cmocka_unit_test(test_protos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
