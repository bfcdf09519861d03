/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From lanes to segments: what is stamped with which call, in which order it stands, what is left out, and what a killed
 * process leaves. */
#include "trace/trace_write.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define LANES 2
#define FOREVER (30 * SEC)
#define READ_MAX 300000

static char folder[64], why[256];
static struct trace *trace;
static const struct trace_settings on = {
	.on = true,
	.call_bytes = 1ull << 30,
	.register_bytes = 1ull << 30,
};

/* ---- set-up ---------------------------------------------------------------------------------------- */

static void open_trace(const struct trace_settings *settings)
{
	struct trace_config config = {
		.folder = folder, .lanes = LANES, .product = "test", .settings = *settings
	};

	if (trace_open(&trace, &config, why, sizeof(why)))
		fail_msg("%s", why);
}

static int set_up(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/trace-writer-XXXXXX");
	trace = NULL;
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct dirent **names;
	char path[512];
	int n;

	trace_close(&trace);
	n = scandir(folder, &names, NULL, NULL);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		unlink(path);
		free(names[i]);
	}
	free(names);
	return rmdir(folder);
}

/* ---- what goes in ----------------------------------------------------------------------------------- */

static void message(unsigned lane, uint64_t utc_us, const char *method, const char *call_id,
		    unsigned number)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(5060) };
	struct trace_wire wire = { .utc_us = utc_us, .from = (void *)&a, .to = (void *)&a };
	char text[256];
	int len = snprintf(text, sizeof(text),
			   "%s sip:a SIP/2.0\r\nCall-ID: %s\r\nNumber: %u\r\n\r\n", method, call_id,
			   number);

	trace_message(trace_lane(trace, lane), &wire, (struct span){ text, (size_t)len });
}

static void note(unsigned lane, enum trace_kind kind, uint64_t call, char leg, uint8_t attempt,
		 const char *call_id)
{
	struct trace_note n = { .kind = kind,
				.call = call,
				.leg = leg,
				.attempt = attempt,
				.sip_call_id = span_of(call_id),
				.text = SPAN("said") };

	trace_note(trace_lane(trace, lane), &n);
}

static void flush(void)
{
	assert_true(trace_flush(trace, FOREVER));
}

/* ---- what came out ------------------------------------------------------------------------------------ */

struct seen {
	enum trace_kind kind;
	uint64_t utc_us, call;
	char leg;
	uint8_t attempt;
	unsigned number; /* of a message */
	char text[200]; /* of a note */
};
static struct seen seen[READ_MAX];
static unsigned n_seen;

static unsigned number_of(struct span text)
{
	const char *at = memmem(text.p, text.len, "Number: ", 8);

	return at ? (unsigned)strtoul(at + 8, NULL, 10) : 0;
}

static void read_segment(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct trace_entry entry;
	enum block_is is;
	struct stat st;
	char *bytes;
	size_t len;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	for (size_t at = 0; at < (size_t)st.st_size; at += len) {
		len = block_read(bytes + at, (size_t)st.st_size - at, &entry, &is);
		if (!len)
			fail_msg("%s is damaged at %zu", path, at);
		if (is == BLOCK_ALIEN)
			continue;
		assert_true(n_seen < READ_MAX);
		seen[n_seen] = (struct seen){ .kind = entry.kind,
					      .utc_us = entry.utc_us,
					      .call = entry.call,
					      .leg = entry.leg,
					      .attempt = entry.attempt };
		if (entry.kind == TRACE_MESSAGE)
			seen[n_seen].number = number_of(entry.text);
		else
			span_copy(entry.text, seen[n_seen].text, sizeof(seen[n_seen].text));
		n_seen++;
	}
	free(bytes);
}

static int is_segment(const struct dirent *entry)
{
	return strstr(entry->d_name, ".pcapng") != NULL;
}

/* Everything of a series, in the order of its segments. */
static void read_series(const char *series)
{
	struct dirent **names;
	char path[512];
	int n = scandir(folder, &names, is_segment, alphasort);

	n_seen = 0;
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (strncmp(names[i]->d_name, series, strlen(series)) == 0)
			read_segment(path);
		free(names[i]);
	}
	free(names);
}

static void expect(unsigned at, unsigned number, uint64_t call, char leg, unsigned attempt)
{
	assert_true(at < n_seen);
	if (seen[at].number != number || seen[at].call != call || seen[at].leg != leg ||
	    seen[at].attempt != attempt)
		fail_msg("entry %u: message %u call %llu leg %c attempt %u", at, seen[at].number,
			 (unsigned long long)seen[at].call, seen[at].leg ? seen[at].leg : '-',
			 seen[at].attempt);
}

/* ---- tests ----------------------------------------------------------------------------------------------- */

static void test_binding(void **state)
{
	open_trace(&on);
	message(0, clock_utc_us(), "INVITE", "a", 1); /* before anybody said whose it is */
	note(0, TRACE_CALL, 7, 'a', 0, "a");
	message(0, clock_utc_us(), "INVITE", "b", 2);
	note(0, TRACE_DIAL, 7, 'b', 3, "b");
	message(0, clock_utc_us(), "INVITE", "b", 3); /* repeated */
	message(0, clock_utc_us(), "BYE", "c", 4); /* nobody's */
	flush();
	note(0, TRACE_END, 7, 0, 0, "");
	flush();
	message(0, clock_utc_us(), "BYE", "a", 5); /* repeated after the end */
	flush();
	read_series("calls");
	assert_int_equal(n_seen, 8);
	expect(0, 1, 7, 'a', 0);
	assert_int_equal(seen[1].kind, TRACE_CALL);
	expect(2, 2, 7, 'b', 3);
	expect(4, 3, 7, 'b', 3);
	expect(5, 4, 0, 0, 0);
	assert_int_equal(seen[6].kind, TRACE_END);
	expect(7, 5, 7, 'a', 0);
}

static void test_series(void **state)
{
	struct trace_note gateway = { .kind = TRACE_GATEWAY,
				      .object = SPAN("gw"),
				      .text = SPAN("down") };

	open_trace(&on);
	message(0, clock_utc_us(), "REGISTER", "r", 1);
	note(0, TRACE_REGISTER, 0, 0, 0, "r");
	message(0, clock_utc_us(), "OPTIONS", "o", 2);
	trace_note_from_outside(trace, &gateway);
	note(0, TRACE_CALL, 7, 'a', 0, "a");
	message(0, clock_utc_us(), "OPTIONS", "a", 3); /* within a call */
	flush();
	read_series("registrations");
	assert_int_equal(n_seen, 4);
	expect(0, 1, 0, 0, 0);
	assert_int_equal(seen[1].kind, TRACE_REGISTER);
	expect(2, 2, 0, 0, 0);
	assert_int_equal(seen[3].kind, TRACE_GATEWAY);
	read_series("calls");
	assert_int_equal(n_seen, 2);
	expect(1, 3, 7, 'a', 0);
}

/* Two lanes, more than a batch: what stands in the segment is in order of time. */
static void test_merge(void **state)
{
	uint64_t start = clock_utc_us();

	open_trace(&on);
	for (unsigned i = 0; i < 2000; i++)
		message(i % 7 % 2, start + i, "INVITE", "a", i + 1);
	flush();
	read_series("calls");
	assert_int_equal(n_seen, 2000);
	for (unsigned i = 0; i < 2000; i++) {
		assert_int_equal(seen[i].number, i + 1);
		assert_int_equal(seen[i].utc_us, start + i);
	}
}

/* Without being asked, and within a second. */
static void test_by_itself(void **state)
{
	struct trace_status status;
	uint64_t until = clock_mono_us() + FOREVER;

	open_trace(&on);
	message(0, clock_utc_us(), "INVITE", "a", 1);
	do
		trace_status(trace, &status);
	while (!status.messages && clock_mono_us() < until);
	read_series("calls");
	assert_int_equal(n_seen, 1);
	assert_int_equal(status.messages, 1);
	assert_int_equal(status.waiting_bytes, 0);
	assert_true(status.on && status.bytes > 100);
}

/* While off: only selected calls, but those from their first message on. */
static void test_selected(void **state)
{
	struct trace_settings settings = on;

	settings.on = false;
	settings.gateways_until_us = clock_utc_us() + 3600 * SEC;
	open_trace(&settings);
	assert_true(trace_wants(trace_lane(trace, 0)));
	for (unsigned call = 1; call <= 2; call++) {
		const char *call_id = call == 1 ? "a" : "b";

		message(0, clock_utc_us(), "INVITE", call_id, call * 10 + 1);
		note(0, TRACE_CALL, call, 'a', 0, call_id);
		if (call == 2)
			trace_select(trace_lane(trace, 0), call);
		note(0, TRACE_END, call, 0, 0, "");
		message(0, clock_utc_us(), "BYE", call_id, call * 10 + 2);
	}
	message(0, clock_utc_us(), "REGISTER", "r", 3);
	flush();
	read_series("calls");
	assert_int_equal(n_seen, 4);
	expect(0, 21, 2, 'a', 0);
	assert_int_equal(seen[2].kind, TRACE_END);
	expect(3, 22, 2, 'a', 0);
	read_series("registrations");
	assert_int_equal(n_seen, 0);
}

static void test_on_and_off(void **state)
{
	struct trace_settings settings = on;
	struct trace_status status;
	unsigned messages = 0;

	settings.on = false;
	open_trace(&settings);
	message(0, clock_utc_us(), "INVITE", "a", 1);
	assert_false(trace_wants(trace_lane(trace, 0)));
	settings.on = true;
	trace_set(trace, &settings);
	message(0, clock_utc_us(), "INVITE", "a", 2);
	settings.until_us = clock_utc_us() - 1;
	trace_set(trace, &settings);
	message(0, clock_utc_us(), "INVITE", "a", 3);
	settings.until_us = clock_utc_us() + 3600 * SEC;
	trace_set(trace, &settings);
	message(0, clock_utc_us(), "INVITE", "a", 4);
	flush();
	trace_status(trace, &status);
	assert_true(status.on && status.until_us == settings.until_us);
	read_series("calls");
	assert_true(n_seen >= 3); /* the writer may have seen it off in between */
	assert_string_equal(seen[n_seen - 1].text, "trace is on from here on");
	for (unsigned i = 0; i < n_seen; i++)
		if (seen[i].kind == TRACE_MESSAGE)
			assert_int_equal(seen[i].number, messages += 2);
	assert_int_equal(messages, 4);
}

/* The end comes by itself. */
static void test_runs_out(void **state)
{
	struct trace_settings settings = on;
	uint64_t until = clock_mono_us() + FOREVER;

	settings.until_us = clock_utc_us() + 50 * MSEC;
	open_trace(&settings);
	while (trace_wants(trace_lane(trace, 0)) && clock_mono_us() < until)
		usleep(1000);
	assert_false(trace_wants(trace_lane(trace, 0)));
	assert_true(clock_utc_us() >= settings.until_us);
}

/* More than a lane holds while the writer looks elsewhere: the rest is counted, and a note says so. */
static void test_full(void **state)
{
	struct trace_status status;

	open_trace(&on);
	pthread_mutex_lock(&trace->lock); /* the writer waits for it */
	usleep(250 * 1000);
	for (unsigned i = 0; i < 60000; i++)
		message(0, clock_utc_us(), "INVITE", "a", i + 1);
	pthread_mutex_unlock(&trace->lock);
	flush();
	trace_status(trace, &status);
	assert_true(status.dropped_full > 0);
	assert_int_equal(status.messages + status.dropped_full, 60000);
	flush(); /* the note is written after what it tells of */
	read_series("calls");
	assert_int_equal(n_seen, status.messages + 1);
	for (unsigned i = 0; i < status.messages; i++)
		expect(i, i + 1, 0, 0, 0);
	assert_int_equal(seen[n_seen - 1].kind, TRACE_EVENT);
	assert_int_equal(strtoull(seen[n_seen - 1].text, NULL, 10), status.dropped_full);
}

/* A limit of files stands for a full disk. */
static void test_disk_refuses(void **state)
{
	struct rlimit limit, small;
	struct trace_status status;

	signal(SIGXFSZ, SIG_IGN);
	open_trace(&on);
	message(0, clock_utc_us(), "INVITE", "a", 1);
	flush();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 600;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned i = 0; i < 20; i++)
		message(0, clock_utc_us(), "INVITE", "a", 2);
	flush();
	trace_status(trace, &status);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(status.disk_error, EFBIG);
	assert_int_equal(status.dropped_disk, 20);
	message(0, clock_utc_us(), "INVITE", "a", 3);
	flush();
	trace_status(trace, &status);
	assert_int_equal(status.disk_error, 0);
	assert_int_equal(status.messages, 2);
	read_series("calls");
	assert_int_equal(n_seen, 3);
	expect(1, 3, 0, 0, 0);
	assert_int_equal(seen[2].kind, TRACE_EVENT);
	assert_non_null(strstr(seen[2].text, "refused 20 entries"));
}

/* ---- taps ------------------------------------------------------------------------------------------------------ */

static struct trace_tap tap;
static unsigned tapped, tapped_long;

static void on_entry(struct trace_tap *self, const struct trace_entry *entry)
{
	assert_ptr_equal(self, &tap);
	if (entry->kind == TRACE_MESSAGE && entry->text.len > 60000)
		tapped_long = (unsigned)entry->text.len;
	else if (entry->kind == TRACE_MESSAGE)
		tapped += entry->call == 7 && entry->leg == 'a' && number_of(entry->text) == 1;
	else
		tapped += span_eq(entry->text, SPAN("said"));
}

static void test_tap(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct trace_wire wire = {
		.utc_us = clock_utc_us(), .proto = TRACE_TCP, .from = (void *)&a, .to = (void *)&a
	};
	static char text[65535];

	open_trace(&on);
	tap.entry = on_entry;
	tapped = tapped_long = 0;
	trace_tap(trace, &tap);
	message(0, clock_utc_us(), "INVITE", "a", 1);
	note(0, TRACE_CALL, 7, 'a', 0, "a");
	memset(text, 'x', sizeof(text));
	trace_message(trace_lane(trace, 0), &wire, (struct span){ text, sizeof(text) });
	flush();
	assert_int_equal(tapped, 2);
	assert_int_equal(tapped_long, sizeof(text));
	trace_untap(trace, &tap);
	message(0, clock_utc_us(), "INVITE", "a", 1);
	flush();
	assert_int_equal(tapped, 2);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

#define EACH 20000

/* The writer of a busy machine may come late: this is not about that. */
static bool is_filling(struct trace_lane *lane)
{
	return lane_waiting(lane) > lane->size / 4 ||
	       lane->entry - atomic_load(&lane->tail) > lane->n_entries / 4;
}

static void *produce(void *arg)
{
	unsigned lane = (unsigned)(uintptr_t)arg;
	char call_id[16];

	for (unsigned i = 0; i < EACH; i++) {
		snprintf(call_id, sizeof(call_id), "%u-%u", lane, i);
		message(lane, clock_utc_us(), "INVITE", call_id, i + 1);
		note(lane, TRACE_CALL, 1 + lane * EACH + i, 'a', 0, call_id);
		note(lane, TRACE_END, 1 + lane * EACH + i, 0, 0, "");
		while (is_filling(trace_lane(trace, lane)))
			usleep(1000);
	}
	return NULL;
}

/* Each INVITE is stamped, though its note comes after it, and nothing is lost. */
static void test_threads(void **state)
{
	pthread_t threads[LANES];
	unsigned messages = 0;

	open_trace(&on);
	for (uintptr_t i = 0; i < LANES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, produce, (void *)i), 0);
	for (unsigned i = 0; i < LANES; i++)
		pthread_join(threads[i], NULL);
	flush();
	read_series("calls");
	assert_int_equal(n_seen, 3 * LANES * EACH);
	for (unsigned i = 0; i < n_seen; i++) {
		if (seen[i].kind != TRACE_MESSAGE)
			continue;
		messages++;
		assert_int_equal((seen[i].call - 1) % EACH + 1, seen[i].number);
	}
	assert_int_equal(messages, LANES * EACH);
}

/* ---- kill -9 -------------------------------------------------------------------------------------------------------- */

#define ROUNDS 5

/* What the child knows to be written, for who outlives it. */
static _Atomic uint64_t *written;

static void child(void)
{
	struct trace_status status;

	open_trace(&on);
	for (unsigned i = 0; i < READ_MAX - 1; i++) {
		message(i % LANES, clock_utc_us(), "INVITE", "a", i + 1);
		if (i % 20)
			continue;
		usleep(1000);
		trace_status(trace, &status);
		atomic_store(written, status.messages);
	}
	_exit(0);
}

/* All that was written is there, once, and the segments are whole. */
static void check_killed(uint64_t at_least)
{
	static bool found[READ_MAX];

	memset(found, 0, sizeof(found));
	open_trace(&on);
	trace_close(&trace);
	read_series("calls");
	for (unsigned i = 0; i < n_seen; i++) {
		assert_true(seen[i].number > 0 && seen[i].number < READ_MAX);
		assert_false(found[seen[i].number]);
		found[seen[i].number] = true;
	}
	assert_true(n_seen >= at_least);
}

static void test_killed(void **state)
{
	written = mmap(NULL, sizeof(*written), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	assert_true(written != MAP_FAILED);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t until = clock_mono_us() + FOREVER, at_least;
		pid_t pid;

		atomic_store(written, 0);
		pid = fork();
		if (pid == 0)
			child();
		assert_true(pid > 0);
		while (!atomic_load(written) && clock_mono_us() < until)
			usleep(1000);
		usleep((useconds_t)rng_below(400 * 1000));
		at_least = atomic_load(written);
		assert_int_equal(kill(pid, SIGKILL), 0);
		waitpid(pid, NULL, 0);
		assert_true(at_least > 0);
		check_killed(at_least);
		tear_down(NULL);
		assert_int_equal(mkdir(folder, 0700), 0);
	}
	munmap(written, sizeof(*written));
}

static void test_bad_folder(void **state)
{
	struct trace_config config = { .folder = "/proc/nothing/here",
				       .lanes = 1,
				       .product = "test" };

	assert_true(trace_open(&trace, &config, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "/proc/nothing/here"));
	assert_null(trace);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(test_binding),      WITH_FOLDER(test_series),
		WITH_FOLDER(test_merge),        WITH_FOLDER(test_by_itself),
		WITH_FOLDER(test_selected),     WITH_FOLDER(test_on_and_off),
		WITH_FOLDER(test_runs_out),     WITH_FOLDER(test_full),
		WITH_FOLDER(test_disk_refuses), WITH_FOLDER(test_tap),
		WITH_FOLDER(test_threads),      WITH_FOLDER(test_killed),
		WITH_FOLDER(test_bad_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
