/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The API as a client meets it: bytes into the socket, bytes out, each route's good and bad cases. */
#include "api/api_int.h"

#include "fake_switch.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <cmocka.h>

#define TCP_ADDRESS "127.0.0.77:18471"

static struct fake_switch fake;
static struct api *api;
static char path[160];
static struct buf reply = { .max = 64u << 20 };

static int setup(void **state)
{
	struct api_config config = { .socket = path, .listen = TCP_ADDRESS, .version = "test" };
	char why[512];

	log_set_level(LOG_ERROR);
	fake_open(&fake);
	snprintf(path, sizeof(path), "%s/run/api.sock", fake.folder);
	if (api_open(&api, &config, &fake.sw, why, sizeof(why)) == 0)
		return 0;
	print_error("%s\n", why);
	return -1;
}

static int teardown(void **state)
{
	struct stat stat;

	api_close(&api);
	assert_int_equal(lstat(path, &stat), -1);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	fake_close(&fake);
	buf_free(&reply);
	return 0;
}

/* ---- a client ----------------------------------------------------------------------------------- */

static int dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct timeval patience = { 10, 0 };

	span_copy(span_of(path), to.sun_path, sizeof(to.sun_path));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int dial_tcp(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(18471) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, "127.0.0.77", &to.sin_addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void put(int fd, const void *bytes, size_t len)
{
	for (const char *p = bytes; len;) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the server may refuse to hear more */
		p += n;
		len -= (size_t)n;
	}
}

/* Reads to the end, closes; the status. `reply` has it all, NUL-terminated. */
static int finish(int fd)
{
	char piece[65536];
	uint32_t status;
	ssize_t n;

	buf_reset(&reply);
	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
		buf_add(&reply, piece, (size_t)n);
	close(fd);
	buf_cstr(&reply);
	if (reply.len < 12 || span_to_u32((struct span){ reply.p + 9, 3 }, &status))
		return 0;
	return (int)status;
}

static const char *body(void)
{
	const char *at = reply.p ? strstr(reply.p, "\r\n\r\n") : NULL;

	return at ? at + 4 : "";
}

static int ask_with(int fd, const char *method, const char *target, const char *headers,
		    const char *content, size_t len)
{
	struct buf head = BUF_INIT(65536);

	buf_addf(&head, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s", method,
		 target, headers);
	if (content)
		buf_addf(&head, "Content-Length: %zu\r\n", len);
	buf_add_str(&head, "\r\n");
	put(fd, head.p, head.len);
	put(fd, content, len);
	buf_free(&head);
	return finish(fd);
}

static int ask(const char *method, const char *target)
{
	return ask_with(dial(), method, target, "", NULL, 0);
}

static int send_config(const char *target, const char *headers, const char *yaml)
{
	return ask_with(dial(), strstr(target, "check") ? "POST" : "PUT", target, headers, yaml,
			strlen(yaml));
}

static json_t *parse_body(void)
{
	json_error_t error;
	json_t *json = json_loads(body(), JSON_REJECT_DUPLICATES, &error);

	if (!json)
		fail_msg("%s in %s", error.text, body());
	return json;
}

static void assert_has(const char *text)
{
	if (!strstr(reply.p, text))
		fail_msg("no %s in %s", text, reply.p);
}

static void assert_lacks(const char *text)
{
	if (strstr(reply.p, text))
		fail_msg("%s in %s", text, reply.p);
}

/* ---- tables --------------------------------------------------------------------------------------- */

static void test_requests(void **state)
{
	static const struct {
		const char *method, *target;
		int status;
		const char *has;
	} cases[] = {
		{ "GET", "/api/v1/status", 200, "\"uptime_s\":75" },
		{ "HEAD", "/api/v1/status", 200, "application/json" },
		{ "GET", "/api/v1/parameters", 200, "\"name\":\"invite_timeout\"" },
		{ "GET", "/api/v1/parameters?q=SS_SIP_TIMEOUT_RINGING", 200,
		  "\"default\":\"2m\",\"changed\":true" },
		{ "GET", "/api/v1/parameters?q=no_timer_max", 200,
		  "\"value\":\"2h\",\"default\":\"2h\",\"changed\":false" },
		{ "GET", "/api/v1/parameters?q=nothing-like-it", 200, "{\"parameters\":[]}" },
		{ "GET", "/api/v1/parameters?x=1", 400, "no such parameter" },
		{ "GET", "/api/v1/parameters?q=a&q=b", 400, "twice" },
		{ "GET", "/api/v1/parameters?q=a%00b", 400, "NUL" },
		{ "GET", "/api/v1/parameters?q=a%0ab", 400, "control characters" },
		{ "GET", "/api/v1/gateways", 200, "\"load\"" },
		{ "GET", "/api/v1/gateways?kind=mapping", 200, "\"routing_gateways\":[]" },
		{ "GET", "/api/v1/gateways?kind=routing", 200, "\"mapping_gateways\":[]" },
		{ "GET", "/api/v1/gateways?kind=other", 400, "one of mapping|routing" },
		{ "GET", "/api/v1/gateways/acme-in", 200, "\"mapping_gateway\"" },
		{ "GET", "/api/v1/gateways/a%2D1", 200, "\"routing_gateway\"" },
		{ "GET", "/api/v1/gateways/acmein", 404, "\"near\":[\"acme-in\"]" },
		{ "GET", "/api/v1/gateways/a-1/", 404, "there is no such path" },
		{ "GET", "/api/v1/phones?limit=2", 200, "\"next\":\"1002\"" },
		{ "GET", "/api/v1/phones?after=1002", 200, "\"next\":null" },
		{ "GET", "/api/v1/phones?after=9", 400, "does not exist any more" },
		{ "GET", "/api/v1/phones?limit=0", 400, "a number from 1 to 1000" },
		{ "GET", "/api/v1/phones?limit=1001", 400,
		  "\"field\":\"limit\",\"value\":\"1001\"" },
		{ "GET", "/api/v1/phones?limit=99999999999999999999", 400, "limit" },
		{ "GET", "/api/v1/accounts?q=ACM", 200, "\"acme\"" },
		{ "GET", "/api/v1/calls", 200, "06a1f3c2d4000002" },
		{ "GET", "/api/v1/calls?limit=1", 200, "\"next\":\"06a1f3c2d4000002\"" },
		{ "GET", "/api/v1/calls?before=06a1f3c2d4000002", 200, "06a1f3c2d4000001" },
		{ "GET", "/api/v1/calls?filter=elsewhere", 200, "{\"calls\":[]" },
		{ "GET", "/api/v1/calls?before=xyz", 400, "hex digits" },
		{ "GET", "/api/v1/calls/06a1f3c2d4000001", 200, "acme-in" },
		{ "GET", "/api/v1/calls/06a1f3c2d4000009", 404, "causeway cdr show" },
		{ "GET", "/api/v1/calls/0", 400, "not 0" },
		{ "DELETE", "/api/v1/calls/06a1f3c2d4000009", 404, "no live call" },
		{ "GET", "/api/v1/cdrs", 200, "\"cdrs\":[" },
		{ "GET", "/api/v1/cdrs?limit=1", 200, "\"next\":\"06a1f3c2d3000002\"" },
		{ "GET", "/api/v1/cdrs?answered=1", 200, "06a1f3c2d3000001" },
		{ "GET", "/api/v1/cdrs?code=NO_ANSWER&gateway=a-1&account=acme", 200,
		  "06a1f3c2d3000002" },
		{ "GET", "/api/v1/cdrs?code=NO_ANSWR", 400, "\"near\":[\"NO_ANSWER\"" },
		{ "GET", "/api/v1/cdrs?since=2030-01-01T00:00:00Z", 200,
		  "{\"cdrs\":[],\"next\":null}" },
		{ "GET",
		  "/api/v1/cdrs?since=2025-11-22T09:26:40%2B01:00&until=2025-11-22T08:27:00Z", 200,
		  "06a1f3c2d3000001" },
		{ "GET", "/api/v1/cdrs?since=yesterday", 400, "a time such as" },
		{ "GET", "/api/v1/cdrs?since=2026-01-02&until=2026-01-01", 400,
		  "span of time is empty" },
		{ "GET", "/api/v1/cdrs?sip_call_id=two@127.0.0.2", 200, "06a1f3c2d3000002" },
		{ "GET", "/api/v1/cdrs/06A1F3C2D3000001", 200, "\"attempts\":[{" },
		{ "GET", "/api/v1/cdrs/1", 404, "\"value\":\"0000000000000001\"" },
		{ "GET", "/api/v1/trace/calls", 200, "\"end_code\":\"NO_ROUTE\"" },
		{ "GET", "/api/v1/trace/calls?limit=1", 200, "\"next\":\"06a1f3c2d3000002\"" },
		{ "GET", "/api/v1/trace/calls?before=06a1f3c2d3000002", 200, "\"next\":null" },
		{ "GET", "/api/v1/trace/calls?number=88017&until=2025-11-22T08:27:00Z", 200,
		  "\"answered\":\"2025-11-22T08:26:45.000000Z\"" },
		{ "GET", "/api/v1/trace/calls?number=777", 200, "{\"calls\":[],\"next\":null}" },
		{ "GET", "/api/v1/trace/calls?failed=1", 200, "\"callee\":\"999\"" },
		{ "GET", "/api/v1/trace/calls?since=soon", 400, "a time such as" },
		{ "GET", "/api/v1/trace/calls/1", 404, "nothing of it is left" },
		{ "GET", "/api/v1/trace/calls/xyz", 400, "hex digits" },
		{ "GET", "/api/v1/trace/calls/1/pcapng", 404, "nothing of it is left" },
		{ "GET", "/api/v1/trace/pcapng?number=777", 404, "nothing of it is left" },
		{ "GET", "/api/v1/trace/pcapng?limit=5001", 400, "a number from 1 to 5000" },
		{ "GET", "/api/v1/trace/sip/two-06a1f3c2d3000002@127.0.0.2?mask=1", 200,
		  "\"what\":\"404 Not Found\"" },
		{ "GET", "/api/v1/trace/sip/nobody", 404, "nothing of it is left" },
		{ "GET", "/api/v1/trace/sip/a%2Fb/c@d", 404, "\"value\":\"a/b/c@d\"" },
		{ "GET", "/api/v1/trace/sip/", 404, "there is no such path" },
		{ "GET", "/api/v1/trace/objects/1002", 200, "\"what\":\"403 Forbidden\"" },
		{ "GET", "/api/v1/trace/objects/1009", 404, "nothing of it is left" },
		{ "PUT", "/api/v1/trace/calls/1/pin", 404, "nothing of it is left" },
		{ "PUT", "/api/v1/trace/calls/06a1f3c2d3000001/pin", 200, "\"pinned\":true" },
		{ "GET", "/api/v1/trace/calls?number=88017", 200, "\"pinned\":true" },
		{ "DELETE", "/api/v1/trace/calls/06a1f3c2d3000001/pin", 200, "\"pinned\":false" },
		{ "GET", "/api/v1/trace/status", 200, "\"on\":true" },
		{ "GET", "/api/v1/trace/follow?kind=nothing", 400, "one of message|call" },
		{ "GET", "/api/v1/registrations", 200, "\"1001\"" },
		{ "PUT", "/api/v1/blacklist/caller/4930?for=2h", 200, "\"rule\":\"operator\"" },
		{ "PUT", "/api/v1/blacklist/callee/%2B4930", 200, "\"number\":\"+4930\"" },
		{ "PUT", "/api/v1/blacklist/callee/1?for=tomorrow", 400, "this is no duration" },
		{ "PUT", "/api/v1/blacklist/neither/1", 400, "one of caller|callee" },
		{ "GET", "/api/v1/blacklist", 200, "\"total\":2" },
		{ "GET", "/api/v1/blacklist?q=%2B49", 200,
		  "\"entries\":[{\"side\":\"callee\",\"number\":\"+4930\"" },
		{ "DELETE", "/api/v1/blacklist/caller/%2B4930", 404, "no such caller" },
		{ "DELETE", "/api/v1/blacklist/callee/%2B4930", 200, "\"side\":\"callee\"" },
		{ "DELETE", "/api/v1/blacklist/caller/4930", 200, "\"until\":\"20" },
		{ "GET", "/api/v1/sources", 200, "\"nearest\":\"acme-in lists 203.0.113.8\"" },
		{ "GET", "/api/v1/sources?q=198.51.100.", 200, "\"sources\":[]" },
		{ "GET", "/api/v1/sources?limit=0", 400, "limit" },
		{ "DELETE", "/api/v1/sources", 200, "{\"cleared\":3}" },
		{ "DELETE", "/api/v1/sources?address=203.0.113.9", 200, "{\"cleared\":1}" },
		{ "DELETE", "/api/v1/sources?address=nonsense", 400, "this is no address" },
		{ "GET", "/api/v1/registrations/1001", 200, "\"1001\"" },
		{ "GET", "/api/v1/registrations/1009", 200, "[]" },
		{ "GET", "/api/v1/registration-analysis?user=1002", 200, "WRONG_PASSWORD" },
		{ "GET", "/api/v1/suspensions", 200, "\"left_s\":170" },
		{ "DELETE", "/api/v1/suspensions", 200, "{\"lifted\":1}" },
		{ "DELETE", "/api/v1/suspensions?user=1009", 200, "{\"lifted\":0}" },
		{ "GET", "/api/v1/registration-analysis", 200, "\"fix\"" },
		{ "GET", "/api/v1/route-test?from=acme-in&caller=3161&callee=8801712345678", 200,
		  "\"routing_gateway\":\"a-1\"" },
		{ "GET",
		  "/api/v1/route-test?from=127.0.0.2&callee=8801712345678&at=2026-11-22T03:00:00Z",
		  200, "\"at\":\"2026-11-22T03:00:00" },
		{ "GET", "/api/v1/route-test?from=127.0.0.5:5060&callee=88017", 200,
		  "SOURCE_NOT_AUTHORISED" },
		{ "GET", "/api/v1/route-test?from=acme-im&callee=88017", 404,
		  "\"near\":[\"acme-in\"]" },
		{ "GET", "/api/v1/cdrs/06a1f3c2d3000002/route-test", 200,
		  "\"end_code\":\"NO_ANSWER\"" },
		{ "GET", "/api/v1/cdrs/06a1f3c2d3000002/route-test", 200,
		  "\"now\":{\"from\":\"acme-in\",\"caller\":\"3161\"" },
		{ "GET", "/api/v1/cdrs/06a1f3c2d3000009/route-test", 404, "no record" },
		{ "GET", "/api/v1/route-test?from=acme-in", 400, "a parameter is missing: callee" },
		{ "GET", "/api/v1/route-test?from=acme-in&callee=8801712345678", 200,
		  "{\"of\": \"group\", \"object\": \"eu\", \"lines\": 0, \"line_limit\": 20}" },
		{ "GET", "/api/v1/route-test?from=acme-in&callee=4917&at=2026-11-22T03:59:59Z", 200,
		  "\"object\": \"b-1\", \"lines\": 0, \"line_limit\": 7}" },
		{ "GET", "/api/v1/route-test?from=acme-in&callee=4917&at=2026-11-22T04:00:00Z", 200,
		  "\"object\": \"b-1\", \"lines\": 0, \"line_limit\": 9}" },
		{ "GET", "/api/v1/gateway-groups", 200, "{\"gateway_groups\":[{\"name\": \"eu\"" },
		{ "GET", "/api/v1/gateways/a-1", 200, "\"limits\": [{\"of\": \"gateway\"" },
		{ "GET", "/api/v1/audit", 200, "{\"audit\":[" },
		{ "GET", "/api/v1/config?secrets=maybe", 400, "0 or 1" },
		{ "GET", "/api/v1/statsu", 404, "\"near\":[\"/status\"]" },
		{ "GET", "/", 404, "openapi.json" },
		{ "GET", "/api/v1", 404, "there is no such path" },
		{ "GET", "/api/v1/../../etc/passwd", 404, "there is no such path" },
		{ "POST", "/api/v1/status", 405, "Allow: GET, HEAD\r\n" },
		{ "POST", "/api/v1/config", 405, "Allow: GET, HEAD, PUT\r\n" },
		{ "BREW", "/api/v1/calls/1", 405, "Allow: GET, HEAD, DELETE\r\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int status = ask(cases[i].method, cases[i].target);

		if (status != cases[i].status || !strstr(reply.p, cases[i].has))
			fail_msg("%s %s: %d, wanted %d with %s: %s", cases[i].method,
				 cases[i].target, status, cases[i].status, cases[i].has, reply.p);
		assert_lacks("hidden-");
		if (strcmp(cases[i].method, "HEAD") == 0)
			continue;
		json_decref(parse_body());
		if (status >= 400)
			assert_has("Content-Type: application/problem+json");
	}
}

static void test_times(void **state)
{
	static const char *const bad[] = { "",
					   "2026",
					   "2026-13-01",
					   "2026-01-00",
					   "2026-01-01T",
					   "2026-01-01T25:00",
					   "2026-01-01T10:00:00+1",
					   "2026-01-01T10:00:00X",
					   "2026-01-01T10:00:00.",
					   "2026-01-01T10:00:00.0000000000000000000Z",
					   "1969-12-31T23:59:59Z",
					   "123456789012" };
	static const char *const same[] = { "1767261600",
					    "2026-01-01T10:00:00Z",
					    "2026-01-01T10:00Z",
					    "2026-01-01%2010:00:00",
					    "2026-01-01T12:30:00.000%2B02:30",
					    "2026-01-01t07:00:00.0-0300" };
	char target[160];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(target, sizeof(target), "/api/v1/route-test?from=acme-in&callee=1&at=%s",
			 bad[i]);
		if (ask("GET", target) != 400)
			fail_msg("%s was taken", bad[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		snprintf(target, sizeof(target), "/api/v1/route-test?from=acme-in&callee=1&at=%s",
			 same[i]);
		assert_int_equal(ask("GET", target), 200);
		assert_has("\"at\":\"2026-01-01T10:00:00");
	}
}

/* ---- configuration ------------------------------------------------------------------------------------ */

static void copy_etag(char *dst, size_t size)
{
	const char *at = strstr(reply.p, "ETag: ");

	assert_non_null(at);
	snprintf(dst, size, "%.*s", (int)strcspn(at + 6, "\r"), at + 6);
}

static void test_config_read(void **state)
{
	char etag[64], header[128];

	assert_int_equal(ask("GET", "/api/v1/config"), 200);
	assert_has("Content-Type: application/yaml");
	assert_has("***");
	assert_lacks("hidden-");
	copy_etag(etag, sizeof(etag));
	snprintf(header, sizeof(header), "If-None-Match: %s\r\n", etag);
	assert_int_equal(ask_with(dial(), "GET", "/api/v1/config", header, NULL, 0), 304);
	assert_int_equal(ask("GET", "/api/v1/config?secrets=1"), 200);
	assert_has("hidden-a");
	/* What comes out goes in again. */
	char *copy = strdup(body());

	assert_int_equal(send_config("/api/v1/config/check", "", copy), 200);
	assert_has("\"mapping_gateways\":2,\"routing_gateways\":2,\"phones\":3");
	free(copy);
	assert_int_equal(ask_with(dial_tcp(), "GET", "/api/v1/config?secrets=1", "", NULL, 0), 403);
	assert_lacks("hidden-");
}

static void test_config_errors(void **state)
{
	json_t *json, *error;
	uint64_t version = model_hub_version(fake.hub);

	assert_int_equal(
		send_config("/api/v1/config", "",
			    "version: 1\nmapping_gateways:\n  - { name: x, acount: acme }\n"),
		422);
	assert_has("application/problem+json");
	json = parse_body();
	error = json_array_get(json_object_get(json, "errors"), 0);
	assert_int_equal(json_integer_value(json_object_get(error, "line")), 3);
	assert_true(json_string_length(json_object_get(error, "text")) > 0);
	json_decref(json);
	assert_int_equal(send_config("/api/v1/config/check", "", ""), 422);
	assert_int_equal(send_config("/api/v1/config", "", "{[}"), 422);
	assert_int_equal(send_config("/api/v1/config", "", "a: &a [*a, *a]\n"), 422);
	assert_int_equal(ask_with(dial(), "PUT", "/api/v1/config", "", "\0\377\376", 3), 422);
	assert_int_equal(ask("PUT", "/api/v1/config"), 422); /* no body at all */
	assert_int_equal(model_hub_version(fake.hub), version);
	assert_int_equal(fake.applied, 0);
}

static void test_config_change(void **state)
{
	char etag[64], header[128];
	uint64_t version = model_hub_version(fake.hub);

	assert_int_equal(send_config("/api/v1/config?dry_run=1", "", fake_yaml), 200);
	assert_has("\"valid\":true,\"applied\":false");
	assert_int_equal(model_hub_version(fake.hub), version);
	ask("GET", "/api/v1/config");
	copy_etag(etag, sizeof(etag));
	snprintf(header, sizeof(header), "If-Match: \"other\", %s\r\n", etag);
	assert_int_equal(send_config("/api/v1/config", header, fake_yaml), 200);
	assert_has("\"applied\":true");
	assert_int_equal(fake.applied, 1);
	assert_true(model_hub_version(fake.hub) > version);
	/* That version is gone now. */
	assert_int_equal(send_config("/api/v1/config", header, fake_yaml), 412);
	assert_int_equal(fake.applied, 1);
	assert_int_equal(send_config("/api/v1/config", "If-Match: *\r\n", fake_yaml), 200);
	assert_int_equal(ask("GET", "/api/v1/audit"), 200);
	assert_has("\"cli:");
	assert_int_equal(
		ask_with(dial_tcp(), "PUT", "/api/v1/config", "", fake_yaml, strlen(fake_yaml)),
		200);
	fake.applied = 0;
}

static int post(const char *target, const char *headers, const char *text)
{
	return ask_with(dial(), "POST", target, headers, text, strlen(text));
}

static void test_numbers(void **state)
{
	char etag[64], header[128];

	assert_int_equal(
		send_config("/api/v1/config", "",
			    "version: 1\nnumber_groups: [ { name: vip, numbers: [ \"3\", "
			    "\"1\" ], memo: m }, { name: pre, prefixes: \"9\" } ]\n"
			    "areas: [ { code: \"010\", place: B, mobiles: [ \"138\" ] } ]\n"),
		200);
	assert_int_equal(ask("GET", "/api/v1/number-groups"), 200);
	assert_has("{\"name\":\"vip\",\"numbers\":2,\"prefixes\":0,\"memo\":\"m\"},{\"name\":"
		   "\"pre\",\"numbers\":0,\"prefixes\":1}");
	fake.applied = 0;
	assert_int_equal(post("/api/v1/number-groups/vip/add", "", "5 3\n4"), 200);
	assert_has("\"added\":2,\"removed\":0");
	assert_int_equal(fake.applied, 1);
	assert_int_equal(ask("GET", "/api/v1/number-groups/vip/numbers?limit=3"), 200);
	assert_has("{\"total\":4,\"numbers\":[\"3\",\"1\",\"5\"],\"next\":\"5\"}");
	assert_int_equal(ask("GET", "/api/v1/number-groups/vip/numbers?limit=3&after=5"), 200);
	assert_has("\"numbers\":[\"4\"],\"next\":null");
	assert_int_equal(ask("GET", "/api/v1/number-groups/vip/numbers?after=77"), 400);
	assert_int_equal(ask("GET", "/api/v1/number-groups/pre/numbers?q=1"), 200);
	assert_has("{\"total\":0,\"numbers\":[],\"next\":null}");
	assert_int_equal(post("/api/v1/number-groups/vip/remove", "", "1,77"), 200);
	assert_has("\"added\":0,\"removed\":1");
	/* Nothing to do: no new version. */
	assert_int_equal(post("/api/v1/number-groups/vip/remove", "", "1"), 200);
	assert_int_equal(post("/api/v1/number-groups/vip/add", "", ""), 200);
	assert_int_equal(fake.applied, 2);
	assert_int_equal(post("/api/v1/number-groups/vap/add", "", "1"), 404);
	assert_has("vip");
	assert_int_equal(post("/api/v1/number-groups/vip/add", "", "1\n(2)"), 422);
	assert_has("\"line\":2");
	assert_has("`(2)` is no number");
	assert_int_equal(post("/api/v1/number-groups/vip/add", "If-Match: \"other\"\r\n", "9"),
			 412);
	ask("GET", "/api/v1/config");
	copy_etag(etag, sizeof(etag));
	snprintf(header, sizeof(header), "If-Match: %s\r\n", etag);
	assert_int_equal(post("/api/v1/number-groups/vip/add", header, "9"), 200);
	assert_int_equal(ask("GET", "/api/v1/audit?limit=1"), 200);
	assert_has("\"what\":\"number-group add\",\"detail\":{\"name\":\"vip\",\"added\":1,"
		   "\"removed\":0,\"numbers\":[\"9\"]}");

	assert_int_equal(post("/api/v1/areas/import", "", "mobile,code\n138,021\n139,010\n"), 200);
	assert_has("\"added\":2,\"removed\":1");
	assert_int_equal(ask("GET", "/api/v1/areas"), 200);
	assert_has("{\"code\":\"010\",\"place\":\"B\",\"mobiles\":1},{\"code\":\"021\","
		   "\"mobiles\":1}");
	assert_int_equal(ask("GET", "/api/v1/areas/021/mobiles"), 200);
	assert_has("\"mobiles\":[\"138\"]");
	assert_int_equal(ask("GET", "/api/v1/areas/022/mobiles"), 404);
	assert_int_equal(ask("GET", "/api/v1/places/0139001"), 200);
	assert_has("{\"number\":\"0139001\",\"kind\":\"mobile\",\"area\":\"010\",\"place\":\"B\"}");
	assert_int_equal(ask("GET", "/api/v1/places/77"), 200);
	assert_has("{\"number\":\"77\",\"kind\":\"other\"}");
	assert_int_equal(post("/api/v1/areas/import", "", "138,010\n139\n,5\n"), 422);
	assert_has("\"line\":3");
	assert_int_equal(send_config("/api/v1/config", "", fake_yaml), 200);
	fake.applied = 0;
}

static void test_hangup(void **state)
{
	assert_int_equal(ask("DELETE", "/api/v1/calls/06a1f3c2d4000001"), 202);
	assert_int_equal(fake.hung_up, LIVE_A);
	assert_memory_equal(fake.who, "cli:", 4);
	assert_int_equal(
		ask_with(dial_tcp(), "DELETE", "/api/v1/calls/06a1f3c2d4000002", "", NULL, 0), 202);
	assert_string_equal(fake.who, "api");
}

/* Four tests that last do not keep anybody else waiting; a fifth is refused. */
static void test_gateway_tests(void **state)
{
	static const char request[] =
		"POST /api/v1/gateways/a-1/test HTTP/1.1\r\nHost: localhost\r\n"
		"Connection: close\r\n\r\n";
	int fds[4];

	assert_int_equal(ask("POST", "/api/v1/gateways/a-2/test"), 404);
	assert_has("a-1"); /* the nearest */
	assert_int_equal(ask("POST", "/api/v1/gateways/acme-in/test"), 409);
	assert_int_equal(ask("GET", "/api/v1/gateways/a-1/test"), 405);
	atomic_store(&fake.held, true);
	for (int i = 0; i < 4; i++) {
		fds[i] = dial();
		put(fds[i], request, sizeof(request) - 1);
	}
	while (atomic_load(&fake.testing) < 4)
		usleep(1000);
	for (int i = 0; i < 12; i++)
		assert_int_equal(ask("GET", "/api/v1/status"), 200);
	assert_int_equal(ask("POST", "/api/v1/gateways/a-1/test"), 503);
	assert_has("4 gateways are being tested already");
	close(fds[0]); /* one asker loses patience */
	atomic_store(&fake.held, false);
	for (int i = 1; i < 4; i++) {
		assert_int_equal(finish(fds[i]), 200);
		assert_has("a-1 answers in 12 ms");
	}
	while (atomic_load(&fake.testing))
		usleep(1000);
	assert_int_equal(ask("POST", "/api/v1/gateways/a-1/test"), 200);
}

/* ---- hostile clients -------------------------------------------------------------------------------------- */

static void test_large_bodies(void **state)
{
	static const char head[] = "PUT /api/v1/config HTTP/1.1\r\nHost: x\r\nConnection: "
				   "close\r\nTransfer-Encoding: chunked\r\n\r\n";
	static char block[1 << 20];
	char chunk[32];
	int fd;

	memset(block, '#', sizeof(block));
	assert_int_equal(
		ask_with(dial(), "PUT", "/api/v1/config", "Content-Length: 67108865\r\n", NULL, 0),
		413);
	assert_has("67108864 bytes");
	assert_int_equal(ask_with(dial(), "GET", "/api/v1/status", "", block, sizeof(block)), 413);
	/* Nothing announced: measured as it comes. */
	fd = dial();
	put(fd, head, sizeof(head) - 1);
	snprintf(chunk, sizeof(chunk), "%zx\r\n", sizeof(block));
	for (int i = 0; i < 65; i++) {
		put(fd, chunk, strlen(chunk));
		put(fd, block, sizeof(block));
		put(fd, "\r\n", 2);
	}
	put(fd, "0\r\n\r\n", 5);
	assert_int_equal(finish(fd), 413);
	assert_int_equal(send_config("/api/v1/config/check", "", fake_yaml),
			 200); /* and the place is free again */
}

static void test_large_head(void **state)
{
	static char target[60000];
	int status;

	memset(target, 'a', sizeof(target) - 1);
	memcpy(target, "/api/v1/", 8);
	status = ask("GET", target);
	assert_true(status == 414 || status == 431 || status == 0);
	target[2000] = '\0';
	assert_int_equal(ask("GET", target), 414);
	target[500] = '\0';
	assert_int_equal(ask("GET", target), 404);
}

/* Some who send half a request and then nothing keep nobody else waiting. */
static void test_slow_clients(void **state)
{
	static const char half[] = "PUT /api/v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: "
				   "1000\r\n\r\nversion: 1\n";
	uint64_t began = clock_mono_us();
	int slow[2], idle[16];

	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		put(slow[i] = dial(), half, sizeof(half) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
		put(idle[i] = dial(), half, i);
	for (int i = 0; i < 20; i++)
		assert_int_equal(ask("GET", "/api/v1/status"), 200);
	/* Both places for configurations are taken. */
	assert_int_equal(send_config("/api/v1/config/check", "", fake_yaml), 503);
	assert_has("Retry-After: ");
	assert_true(clock_mono_us() - began < 3 * SEC);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		close(slow[i]);
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
		close(idle[i]);
	for (int i = 0; i < 100 && send_config("/api/v1/config/check", "", fake_yaml) == 503; i++)
		usleep(10000);
	assert_int_equal(send_config("/api/v1/config/check", "", fake_yaml), 200);
}

static void test_garbage(void **state)
{
	static const char *const garbage[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n",
		"\1\2\3\4\r\n\r\n",
		"PUT /api/v1/config HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"PUT /api/v1/config HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"
	};

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		int fd = dial();

		put(fd, garbage[i], strlen(garbage[i]));
		shutdown(fd, SHUT_WR);
		assert_int_not_equal(finish(fd), 200);
	}
	assert_int_equal(ask("GET", "/api/v1/status"), 200);
}

static int ask_tcp_as(const char *host, const char *headers)
{
	struct buf head = BUF_INIT(4096);
	int fd = dial_tcp();

	buf_addf(&head, "GET /api/v1/status HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n",
		 host, headers);
	put(fd, head.p, head.len);
	buf_free(&head);
	return finish(fd);
}

/* A browser on this host, led here by a foreign page. */
static void test_foreign_pages(void **state)
{
	assert_int_equal(ask_tcp_as("127.0.0.77:18471", ""), 200);
	assert_int_equal(ask_tcp_as("localhost", "Origin: http://localhost\r\n"), 200);
	assert_int_equal(ask_tcp_as("evil.example:18471", ""), 403);
	assert_int_equal(ask_tcp_as("127.0.0.1.evil.example", ""), 403);
	assert_int_equal(ask_tcp_as("localhost", "Origin: https://evil.example\r\n"), 403);
	assert_int_equal(ask_tcp_as("localhost", "Origin: null\r\n"), 403);
}

/* ---- the document and the sockets ---------------------------------------------------------------------- */

static void assert_refs_resolve(const json_t *value, const json_t *schemas)
{
	static const char prefix[] = "#/components/schemas/";
	const char *key, *ref;
	json_t *member;
	size_t i;

	json_array_foreach(value, i, member) assert_refs_resolve(member, schemas);
	json_object_foreach((json_t *)value, key, member)
	{
		ref = strcmp(key, "$ref") == 0 ? json_string_value(member) : NULL;
		if (ref && (strncmp(ref, prefix, sizeof(prefix) - 1) != 0 ||
			    !json_object_get(schemas, ref + sizeof(prefix) - 1)))
			fail_msg("%s leads nowhere", ref);
		assert_refs_resolve(member, schemas);
	}
}

static const json_t *entry_at(const json_t *json, size_t i)
{
	const json_t *entry = json_array_get(json_object_get(json, "entries"), i);

	assert_non_null(entry);
	return entry;
}

static const char *text_at(const json_t *json, size_t i, const char *key)
{
	const char *text = json_string_value(json_object_get(entry_at(json, i), key));

	return text ? text : "";
}

static void test_trace(void **state)
{
	json_t *json;

	assert_int_equal(ask("GET", "/api/v1/trace/calls/06a1f3c2d3000001"), 200);
	json = parse_body();
	assert_int_equal(json_array_size(json_object_get(json, "entries")), 17);
	assert_string_equal(text_at(json, 0, "time"), "2025-11-22T08:26:40.000000Z");
	assert_string_equal(text_at(json, 0, "direction"), "received");
	assert_string_equal(text_at(json, 0, "transport"), "tcp");
	assert_string_equal(text_at(json, 0, "source"), "127.0.0.2:5060");
	assert_string_equal(text_at(json, 0, "what"), "INVITE");
	assert_string_equal(text_at(json, 0, "cseq"), "1 INVITE");
	assert_string_equal(text_at(json, 0, "sip_call_id"), "one-06a1f3c2d3000001@127.0.0.2");
	assert_string_equal(text_at(json, 0, "leg"),
			    "a"); /* though it came before it was known whose it is */
	assert_true(json_is_true(json_object_get(entry_at(json, 0), "sdp")));
	assert_string_equal(text_at(json, 1, "kind"), "call");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(entry_at(json, 1), "fields"),
						  "mapping_gateway")),
		"acme-in");
	/* The INVITE that was sent twice. */
	assert_string_equal(text_at(json, 7, "source"), "127.0.0.1:5060");
	assert_int_equal(json_integer_value(json_object_get(entry_at(json, 7), "repeat_of")), 7);
	assert_null(json_object_get(entry_at(json, 6), "repeat_of"));
	assert_int_equal(json_integer_value(json_object_get(entry_at(json, 7), "attempt")), 1);
	assert_string_equal(text_at(json, 16, "kind"), "end");
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(entry_at(json, 16), "fields"), "ended")),
			    "2025-11-22T08:28:00.000000Z");
	json_decref(json);
	assert_has("secret-key");
	assert_int_equal(ask("GET", "/api/v1/trace/calls/06a1f3c2d3000001?mask=1"), 200);
	assert_lacks("secret-key");
	assert_has("inline:**********");
}

static void test_trace_kinds(void **state)
{
	struct span rest = SPAN(API_TRACE_KINDS), name;

	for (unsigned kind = 0; kind < TRACE_KINDS; kind++) {
		span_cut(rest, '|', &name, &rest);
		assert_true(span_eq(name, span_of(trace_kind_name(kind))));
	}
	assert_int_equal(rest.len, 0);
}

/* How many blocks of this type the file in the reply has. */
static unsigned count_blocks(uint32_t type)
{
	const char *at = body(), *end = reply.p + reply.len;
	uint32_t head[2];
	unsigned n = 0;

	for (; at < end; at += head[1]) {
		memcpy(head, at, sizeof(head));
		assert_true(head[1] >= 12 && head[1] <= (size_t)(end - at));
		n += head[0] == type;
	}
	return n;
}

static void test_trace_files(void **state)
{
	assert_int_equal(ask("GET", "/api/v1/trace/calls/06a1f3c2d3000002/pcapng"), 200);
	assert_has("application/x-pcapng");
	assert_int_equal(count_blocks(6), 2);
	assert_int_equal(count_blocks(9), 2);
	assert_non_null(
		memmem(body(), 400, "3161 to 999: NO_ROUTE 404: no gateway serves 999", 48));
	assert_non_null(memmem(reply.p, reply.len, "secret-response", 15));
	assert_int_equal(ask("GET", "/api/v1/trace/calls/06a1f3c2d3000002/pcapng?mask=1"), 200);
	assert_int_equal(count_blocks(6), 2);
	assert_null(memmem(reply.p, reply.len, "secret-response", 15));
	assert_int_equal(ask("GET", "/api/v1/trace/pcapng"), 200);
	assert_int_equal(count_blocks(6), 12);
	assert_int_equal(count_blocks(9), 9);
	assert_int_equal(ask("GET", "/api/v1/trace/pcapng?limit=1"), 200);
	assert_int_equal(count_blocks(6), 2);
}

/* ---- the trace as it passes ----------------------------------------------------------------- */

/* Reads on until the stream has this, 10 s at most. */
static void await_event(int fd, const char *text)
{
	char piece[4096];
	ssize_t n;

	while (!reply.p || !strstr(buf_cstr(&reply), text)) {
		n = recv(fd, piece, sizeof(piece), 0);
		if (n <= 0)
			fail_msg("no %s in %s", text, buf_cstr(&reply));
		buf_add(&reply, piece, (size_t)n);
	}
}

static int follow(const char *filters)
{
	char head[256];
	int fd = dial();

	snprintf(head, sizeof(head),
		 "GET /api/v1/trace/follow%s HTTP/1.1\r\nHost: localhost\r\n\r\n", filters);
	put(fd, head, strlen(head));
	buf_reset(&reply);
	await_event(fd, ":\n\n"); /* from here on it hears everything */
	return fd;
}

static void test_follow(void **state)
{
	struct trace_lane *lane = trace_lane(fake.trace, 0);
	int fd = follow("");

	assert_has("text/event-stream");
	fake_trace_bad(lane, 0x06a1f3c2d3000010, STARTED);
	await_event(fd, "\"end_code\":\"NO_ROUTE\"");
	assert_has("data: {\"time\":\"2025-11-22T08:26:40.000000Z\",\"kind\":\"message\"");
	assert_has("secret-response");
	close(fd);
	fd = follow("?number=880171&mask=1");
	fake_trace_bad(lane, 0x06a1f3c2d3000011, STARTED);
	fake_trace_good(lane, 0x06a1f3c2d3000012, STARTED);
	await_event(fd, "\"end_code\":\"NORMAL\"");
	assert_has("503 Service Unavailable"); /* of the call, though the number is not in it */
	assert_lacks("06a1f3c2d3000011");
	assert_lacks("secret-");
	close(fd);
	fd = follow("?method=BYE");
	fake_trace_good(lane, 0x06a1f3c2d3000013, STARTED);
	await_event(fd, "\"what\":\"BYE\"");
	assert_lacks("INVITE");
	close(fd);
	fd = follow("?gateway=b-1");
	fake_trace_bad(lane, 0x06a1f3c2d3000014, STARTED);
	fake_trace_good(lane, 0x06a1f3c2d3000015, STARTED);
	await_event(fd, "\"kind\":\"end\",\"call_id\":\"06a1f3c2d3000015\"");
	assert_has("\"kind\":\"admit\""); /* before anybody knew that it would go there */
	assert_lacks("06a1f3c2d3000014");
	assert_true(strstr(reply.p, "\"kind\":\"admit\"") <
		    strstr(reply.p, "503 Service Unavailable"));
	close(fd);
}

/* A client that does not read makes nobody wait, and hears how much it missed. */
static void test_follow_slowly(void **state)
{
	struct trace_lane *lane = trace_lane(fake.trace, 0);
	int fd = follow("");

	for (unsigned i = 0; i < 600; i++)
		fake_trace_good(lane, 0x06a1f3c2d3001000 + i, STARTED);
	trace_flush(fake.trace, 10 * SEC);
	fake_trace_bad(lane, 0x06a1f3c2d3000015, STARTED);
	reply.len = 0;
	for (unsigned i = 0; i < 1000 && !strstr(buf_cstr(&reply), "event: dropped"); i++) {
		char piece[65536];
		ssize_t n = recv(fd, piece, sizeof(piece), 0);

		assert_true(n > 0);
		buf_add(&reply, piece, (size_t)n);
		fake_note(lane, 0, TRACE_EVENT, 0, 0, 0, NULL, NULL, "there is room again");
		trace_flush(fake.trace, SEC);
	}
	assert_has("event: dropped\ndata: {\"dropped\":");
	close(fd);
}

static unsigned followers(void)
{
	unsigned n;

	pthread_mutex_lock(&api->follow_lock);
	n = api->n_follows;
	pthread_mutex_unlock(&api->follow_lock);
	return n;
}

/* Until so many follow or fewer: whoever has gone is noticed when there is something to send. */
static void await_followers(unsigned most)
{
	for (unsigned i = 0; i < 400 && followers() > most; i++) {
		fake_note(trace_lane(fake.trace, 0), 0, TRACE_EVENT, 0, 0, 0, NULL, NULL, "x");
		trace_flush(fake.trace, SEC);
		usleep(50000);
	}
	assert_true(followers() <= most);
}

static void test_follow_many(void **state)
{
	int fds[16];

	await_followers(0);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = follow("?kind=event");
	assert_int_equal(ask("GET", "/api/v1/trace/follow"), 503);
	assert_has("16 clients follow the trace already");
	close(fds[0]);
	await_followers(ARRAY_SIZE(fds) - 1);
	fds[0] = follow(""); /* the server's end ends it */
	for (unsigned i = 1; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void test_trace_switches(void **state)
{
	json_t *json;
	const char *until;

	assert_int_equal(ask("POST", "/api/v1/trace?on=1&minutes=60"), 200);
	json = parse_body();
	json_decref(json);
	assert_int_equal(ask("GET", "/api/v1/config"), 200);
	until = strstr(reply.p, "trace_until: ");
	assert_non_null(until);
	assert_int_equal(ask("POST", "/api/v1/trace?on=0"), 200);
	assert_int_equal(ask("GET", "/api/v1/config"), 200);
	assert_has("trace: \"off\"");
	assert_lacks("trace_until");
	assert_has("ringing_timeout: "); /* the rest is as it was */
	assert_int_equal(ask("POST", "/api/v1/trace?on=0&minutes=60"), 400);
	assert_int_equal(ask("POST", "/api/v1/trace"), 400);
	assert_int_equal(ask("PUT", "/api/v1/trace/gateways/a-1?minutes=30"), 200);
	json = parse_body();
	until = json_string_value(json_object_get(json, "trace_until"));
	assert_non_null(until);
	assert_string_equal(until + 19, ".000000Z");
	json_decref(json);
	assert_int_equal(ask("GET", "/api/v1/gateways/a-1"), 200);
	assert_has("\"trace_until\": \"20");
	assert_int_equal(ask("GET", "/api/v1/config?secrets=1"), 200);
	assert_has("hidden-a"); /* passwords are still there */
	assert_int_equal(ask("PUT", "/api/v1/trace/gateways/a-1?minutes=0"), 200);
	assert_string_equal(body(), "{\"name\":\"a-1\"}");
	assert_int_equal(ask("PUT", "/api/v1/trace/gateways/a-7?minutes=1"), 404);
	assert_has("\"near\":[\"a-1\"");
	assert_int_equal(ask("POST", "/api/v1/trace?on=1"), 200);
	assert_int_equal(ask("GET", "/api/v1/audit"), 200);
	assert_has("cli:"); /* who it was is kept */
}

static void test_openapi(void **state)
{
	static const char *const routes[][2] = {
		{ "/status", "get" },
		{ "/config", "get" },
		{ "/config", "put" },
		{ "/config/check", "post" },
		{ "/parameters", "get" },
		{ "/gateways", "get" },
		{ "/gateways/{name}", "get" },
		{ "/phones", "get" },
		{ "/accounts", "get" },
		{ "/calls", "get" },
		{ "/calls/{id}", "get" },
		{ "/calls/{id}", "delete" },
		{ "/cdrs", "get" },
		{ "/cdrs/{id}", "get" },
		{ "/registrations", "get" },
		{ "/blacklist", "get" },
		{ "/blacklist/{side}/{number}", "put" },
		{ "/blacklist/{side}/{number}", "delete" },
		{ "/sources", "get" },
		{ "/sources", "delete" },
		{ "/route-test", "get" },
		{ "/cdrs/{id}/route-test", "get" },
		{ "/number-groups", "get" },
		{ "/number-groups/{name}/numbers", "get" },
		{ "/number-groups/{name}/add", "post" },
		{ "/number-groups/{name}/remove", "post" },
		{ "/areas", "get" },
		{ "/areas/import", "post" },
		{ "/areas/{code}/mobiles", "get" },
		{ "/places/{number}", "get" },
		{ "/audit", "get" },
		{ "/openapi.json", "get" },
	};
	struct buf text = BUF_INIT(4u << 20);
	json_t *json, *paths, *schemas;

	api_write_openapi(&text);
	json = json_loads(buf_cstr(&text), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "openapi")), "3.1.0");
	paths = json_object_get(json, "paths");
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (!json_object_get(json_object_get(paths, routes[i][0]), routes[i][1]))
			fail_msg("%s %s is missing", routes[i][1], routes[i][0]);
	schemas = json_object_get(json_object_get(json, "components"), "schemas");
	assert_refs_resolve(json, schemas);
	assert_non_null(json_object_get(
		json_object_get(json_object_get(schemas, "Cdr"), "properties"), "talk_s"));
	assert_non_null(json_object_get(
		json_object_get(json_object_get(schemas, "RoutingGateway"), "properties"),
		"priority"));
	json_decref(json);
	assert_int_equal(ask("GET", "/api/v1/openapi.json"), 200);
	assert_string_equal(body(), buf_cstr(&text));
	buf_free(&text);
}

static void test_sockets(void **state)
{
	struct api_config config = { .socket = path };
	struct api *other = NULL;
	char why[512], place[200], number[32];
	struct stat stat_of;
	int fd;

	assert_int_equal(stat(path, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 07777, 0660);
	/* A live one is named. */
	assert_int_equal(api_open(&other, &config, &fake.sw, why, sizeof(why)), -EADDRINUSE);
	snprintf(number, sizeof(number), "process %ld", (long)getpid());
	assert_non_null(strstr(why, number));
	assert_int_equal(ask("GET", "/api/v1/status"), 200);
	/* A stale one is taken away. */
	snprintf(place, sizeof(place), "%s/stale.sock", fake.folder);
	struct sockaddr_un stale = { .sun_family = AF_UNIX };

	span_copy(span_of(place), stale.sun_path, sizeof(stale.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&stale, sizeof(stale)), 0);
	close(fd);
	config.socket = place;
	assert_int_equal(api_open(&other, &config, &fake.sw, why, sizeof(why)), 0);
	api_close(&other);
	/* A file is left alone. */
	fclose(fopen(place, "w"));
	assert_int_equal(api_open(&other, &config, &fake.sw, why, sizeof(why)), -EEXIST);
	assert_int_equal(unlink(place), 0);
}

static void test_listen_refusals(void **state)
{
	static const struct {
		const char *listen, *why;
	} cases[] = {
		{ "0.0.0.0:18472", "no users yet" },  { "192.0.2.1:18472", "no users yet" },
		{ "[::]:18472", "no users yet" },     { "localhost:18472", "not an address" },
		{ "127.0.0.1", "not an address" },    { "127.0.0.1:99999", "not an address" },
		{ TCP_ADDRESS, "is the port taken" },
	};
	struct api *other = NULL;
	char why[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct api_config config = { .listen = cases[i].listen };

		assert_true(api_open(&other, &config, &fake.sw, why, sizeof(why)) < 0);
		if (!strstr(why, cases[i].why) || !strstr(why, cases[i].listen))
			fail_msg("%s: %s", cases[i].listen, why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),        cmocka_unit_test(test_times),
		cmocka_unit_test(test_config_read),     cmocka_unit_test(test_config_errors),
		cmocka_unit_test(test_config_change),   cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_hangup),          cmocka_unit_test(test_gateway_tests),
		cmocka_unit_test(test_large_bodies),    cmocka_unit_test(test_large_head),
		cmocka_unit_test(test_slow_clients),    cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_foreign_pages),   cmocka_unit_test(test_trace_switches),
		cmocka_unit_test(test_openapi),         cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_listen_refusals), cmocka_unit_test(test_trace),
		cmocka_unit_test(test_trace_kinds),     cmocka_unit_test(test_trace_files),
		cmocka_unit_test(test_follow),          cmocka_unit_test(test_follow_slowly),
		cmocka_unit_test(test_follow_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
