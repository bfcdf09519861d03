/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the archive of traces costs: writing, per block; and finding and reading one call among gigabytes, by its id, by a SIP
 * Call-ID, by number and time, with the page cache warm and dropped.
 *   bench_trace_archive FOLDER [GIGABYTES [CALLS_PER_SECOND]]
 * The folder is made, filled (10 GB unless told) and removed. */
#include "cdr/cdr.h"
#include "trace/archive_int.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LONGEST 300 /* seconds of a call */
#define SAMPLES 2000
#define ASKED 200
#define BATCH 256

struct call {
	uint64_t id;
	unsigned number;
	uint64_t started_us;
};

/* Calls that end in one second. */
struct second {
	struct call *calls;
	unsigned n, room;
};

static struct archive *archive;
static struct archive_budget budget;
static struct second seconds[LONGEST + 1];
static struct call samples[SAMPLES];
static uint64_t n_seen, now_us, n_blocks, bytes_written, append_cpu_us, tend_max_us, tend_cpu_us,
	tend_cpu_max_us;
static struct archive_block batch[BATCH];
static char room[BATCH * 4096];
static size_t room_used;
static unsigned n_batch;
static uint32_t sequence;

static uint64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec / 1000;
}

static void die(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

/* ---- calls ------------------------------------------------------------------------------------ */

static void flush(void)
{
	uint64_t begun = cpu_us();
	int err = archive_append(archive, SERIES_CALLS, batch, n_batch);

	append_cpu_us += cpu_us() - begun;
	if (err)
		die("append", err);
	n_blocks += n_batch;
	bytes_written += room_used;
	n_batch = 0;
	room_used = 0;
}

static void add(enum trace_kind kind, size_t len, uint64_t key, uint64_t key2)
{
	batch[n_batch++] = (struct archive_block){ .bytes = room + room_used,
						   .len = (uint32_t)len,
						   .kind = (uint8_t)kind,
						   .key = key,
						   .key2 = key2,
						   .utc_us = now_us };
	room_used += len;
	now_us += 3;
	if (n_batch == BATCH)
		flush();
}

static void leg_name(char *dst, size_t size, const struct call *c, char leg)
{
	snprintf(dst, size, "%016llx%c@198.51.100.7",
		 (unsigned long long)c->id * 0x9e3779b97f4a7c15, leg);
}

static struct sockaddr_in address(unsigned host)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(5060),
				     .sin_addr.s_addr = htonl(0xc6336400u + host) };
}

static void message(const struct call *c, char leg, bool sent, const char *first_line, bool body)
{
	static const char sdp[] =
		"v=0\r\no=- 3846352 1 IN IP4 198.51.100.17\r\ns=-\r\nc=IN IP4 198.51.100.17\r\n"
		"t=0 0\r\nm=audio 24682 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\n"
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 "
		"0-15\r\na=ptime:20\r\na=sendrecv\r\n";
	struct sockaddr_in us = address(7), them = address(leg == 'a' ? 17 : 40);
	struct trace_wire wire = { .utc_us = now_us,
				   .sent = sent,
				   .proto = TRACE_UDP,
				   .from = (void *)(sent ? &us : &them),
				   .to = (void *)(sent ? &them : &us) };
	char text[2048], name[64];
	int len;

	leg_name(name, sizeof(name), c, leg);
	len = snprintf(
		text, sizeof(text),
		"%s\r\nVia: SIP/2.0/UDP 198.51.100.17:5060;branch=z9hG4bK%08x%08x;rport\r\n"
		"Max-Forwards: 69\r\nFrom: \"4930%08u\" <sip:4930%08u@198.51.100.17>;tag=%08x\r\n"
		"To: <sip:33170%06u@198.51.100.7>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n"
		"Contact: <sip:4930%08u@198.51.100.17:5060>\r\nUser-Agent: Some PBX 13.27\r\n"
		"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO\r\n"
		"Supported: 100rel, timer, replaces\r\nContent-Length: %zu\r\n\r\n%s",
		first_line, rng_u32(), rng_u32(), c->number, c->number, c->number,
		c->number % 1000000, name, c->number, body ? sizeof(sdp) - 1 : 0, body ? sdp : "");
	len = (int)block_write_message(room + room_used, &wire, (struct span){ text, (size_t)len },
				       &sequence);
	block_stamp_message(room + room_used, (size_t)len, c->id, leg, leg == 'b');
	add(TRACE_MESSAGE, (size_t)len, key_of_sip_call_id(span_of(name)), 0);
}

static void note(const struct call *c, enum trace_kind kind, char leg, const char *text,
		 bool failed)
{
	char caller[24], callee[24], started[24], ended[24], name[64] = "";
	struct trace_field fields[12];
	struct trace_note n = {
		.kind = kind, .leg = leg, .call = c->id, .utc_us = now_us, .text = span_of(text)
	};
	size_t len;

	snprintf(caller, sizeof(caller), "4930%08u", c->number);
	snprintf(callee, sizeof(callee), "33170%06u", c->number % 1000000);
	snprintf(started, sizeof(started), "%llu", (unsigned long long)c->started_us);
	snprintf(ended, sizeof(ended), "%llu", (unsigned long long)now_us);
	memcpy(fields,
	       (struct trace_field[]){
		       { "started", span_of(started) },
		       { "ended", kind == TRACE_END ? span_of(ended) : SPAN_NONE },
		       { "caller", span_of(caller) },
		       { "callee", span_of(callee) },
		       { "caller_in", span_of(caller) },
		       { "callee_in", span_of(callee) },
		       { "mapping_gateway", SPAN("customer-17") },
		       { "routing_gateway", SPAN("carrier-40") },
		       { "account", SPAN("customer") },
		       { "caller_addr", SPAN("198.51.100.17:5060") },
		       { "callee_addr", SPAN("198.51.100.40:5060") },
		       { "end_code", kind != TRACE_END ? SPAN_NONE
				     : failed          ? SPAN("NO_ANSWER")
						       : SPAN("NORMAL") },
	       },
	       sizeof(fields));
	if (kind == TRACE_CALL || kind == TRACE_END) {
		n.fields = fields;
		n.n_fields = ARRAY_SIZE(fields);
	}
	if (kind == TRACE_CALL || kind == TRACE_DIAL) {
		leg_name(name, sizeof(name), c, leg);
		n.sip_call_id = span_of(name);
	}
	len = block_write_note(room + room_used, &n);
	add(kind, len, key_of_call(c->id), *name ? key_of_sip_call_id(span_of(name)) : 0);
}

static void end_later(const struct call *c, unsigned second)
{
	struct second *s = &seconds[second];

	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 64;
		s->calls = realloc(s->calls, s->room * sizeof(*s->calls));
	}
	s->calls[s->n++] = *c;
}

static void begin_call(unsigned second)
{
	struct call c = { .id = call_id_next(0, now_us),
			  .number = rng_below(100000000),
			  .started_us = now_us };
	uint64_t place = n_seen < SAMPLES ? n_seen : rng_u64() % (n_seen + 1);
	bool failed = rng_below(20) == 0;

	n_seen++;
	if (place < SAMPLES)
		samples[place] = c;
	message(&c, 'a', false, "INVITE sip:33170000000@198.51.100.7 SIP/2.0", true);
	message(&c, 'a', true, "SIP/2.0 100 Trying", false);
	note(&c, TRACE_CALL, 'a', "customer-17, by address", false);
	note(&c, TRACE_ADMIT, 0, "admitted: account customer, 17 of 100 lines", false);
	note(&c, TRACE_ROUTE, 0,
	     "carrier-40: prefix 33, first by priority\ncarrier-41: prefix 33, second by priority\n"
	     "carrier-42: no, all 30 lines are taken",
	     false);
	note(&c, TRACE_DIAL, 'b', "carrier-40 at 198.51.100.40:5060", false);
	message(&c, 'b', true, "INVITE sip:33170000000@198.51.100.40 SIP/2.0", true);
	message(&c, 'b', false, "SIP/2.0 100 Trying", false);
	message(&c, 'b', false, "SIP/2.0 180 Ringing", false);
	message(&c, 'a', true, "SIP/2.0 180 Ringing", false);
	if (failed) {
		note(&c, TRACE_TIMER, 'b', "no answer for 60 s", false);
		message(&c, 'b', true, "CANCEL sip:33170000000@198.51.100.40 SIP/2.0", false);
		message(&c, 'a', true, "SIP/2.0 480 Temporarily Unavailable", false);
		note(&c, TRACE_END, 0, "nobody answered", true);
		return;
	}
	message(&c, 'b', false, "SIP/2.0 200 OK", true);
	note(&c, TRACE_ANSWER, 0, "answered after 4.1 s", false);
	message(&c, 'b', true, "ACK sip:33170000000@198.51.100.40 SIP/2.0", false);
	message(&c, 'a', true, "SIP/2.0 200 OK", true);
	message(&c, 'a', false, "ACK sip:33170000000@198.51.100.7 SIP/2.0", false);
	end_later(&c, (second + 3 + rng_below(LONGEST - 3)) % (LONGEST + 1));
}

static void end_call(const struct call *c)
{
	message(c, 'a', false, "BYE sip:33170000000@198.51.100.7 SIP/2.0", false);
	message(c, 'a', true, "SIP/2.0 200 OK", false);
	message(c, 'b', true, "BYE sip:33170000000@198.51.100.40 SIP/2.0", false);
	message(c, 'b', false, "SIP/2.0 200 OK", false);
	note(c, TRACE_END, 0, "the caller hung up", false);
}

static void tend(void)
{
	uint64_t begun = clock_mono_us(), begun_cpu = cpu_us(), took;

	archive_tend(archive, &budget);
	took = clock_mono_us() - begun;
	tend_max_us = took > tend_max_us ? took : tend_max_us;
	took = cpu_us() - begun_cpu;
	tend_cpu_us += took;
	tend_cpu_max_us = took > tend_cpu_max_us ? took : tend_cpu_max_us;
}

static void fill(uint64_t bytes, unsigned rate)
{
	for (unsigned second = 0; bytes_written < bytes; second = (second + 1) % (LONGEST + 1)) {
		uint64_t begun_us = now_us;
		struct second *s = &seconds[second];

		for (unsigned i = 0; i < s->n; i++)
			end_call(&s->calls[i]);
		s->n = 0;
		for (unsigned i = 0; i < rate; i++) {
			if (now_us < begun_us + i * (SEC / rate))
				now_us = begun_us + i * (SEC / rate);
			begin_call(second);
		}
		if (n_batch)
			flush();
		now_us = now_us < begun_us + SEC ? begun_us + SEC : now_us;
		tend();
	}
}

/* ---- asking ----------------------------------------------------------------------------------- */

static void each_file(const char *folder, void (*each)(const char *path))
{
	DIR *dir = opendir(folder);
	struct dirent *item;
	char path[4096];

	while (dir && (item = readdir(dir)))
		if (item->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", folder, item->d_name);
			each(path);
		}
	if (dir)
		closedir(dir);
}

static void forget_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

static void remove_file(const char *path)
{
	unlink(path);
}

struct io {
	uint64_t asked, disk; /* bytes: by system calls, from the disk */
};

static struct io io_now(void)
{
	unsigned long long asked = 0, disk = 0;
	char line[128];
	FILE *file = fopen("/proc/self/io", "r");

	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "rchar: %llu", &asked);
		sscanf(line, "read_bytes: %llu", &disk);
	}
	if (file)
		fclose(file);
	return (struct io){ asked, disk };
}

static void take_id(void *arg, const struct trace_call *call)
{
	*(uint64_t *)arg = call->call;
}

static unsigned read_id(const struct call *c)
{
	struct trace_reading *reading = NULL;
	unsigned n;

	if (archive_read_call(archive, c->id, &reading) != 0)
		return 0;
	n = reading->n;
	trace_reading_free(&reading);
	return n;
}

static unsigned find(const struct trace_query *query)
{
	struct call c = { 0 };

	return archive_find(archive, query, take_id, &c.id) == 1 ? read_id(&c) : 0;
}

static unsigned read_sip(const struct call *c)
{
	char name[64];
	struct trace_query query = { .limit = 1 };

	leg_name(name, sizeof(name), c, 'b');
	query.sip_call_id = span_of(name);
	return find(&query);
}

static unsigned read_number(const struct call *c)
{
	char number[24];
	struct trace_query query = { .limit = 1,
				     .from_us = c->started_us - 30 * SEC,
				     .to_us = c->started_us + 30 * SEC };

	snprintf(number, sizeof(number), "4930%08u", c->number);
	query.number = span_of(number);
	return find(&query);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void measure(const char *what, const char *folder, bool cold,
		    unsigned (*ask)(const struct call *c))
{
	/* Medians of CPU time tell what it costs, those of time what else the machine does. */
	uint64_t times[ASKED], cpu[ASKED], asked[ASKED], disk[ASKED], entries = 0, missing = 0;

	for (unsigned i = 0; i < ASKED; i++) {
		const struct call *c = &samples[rng_below(SAMPLES)];
		struct io before, after;
		uint64_t begun, begun_cpu;
		unsigned n;

		if (cold)
			each_file(folder, forget_file);
		before = io_now();
		begun = clock_mono_us();
		begun_cpu = cpu_us();
		n = ask(c);
		times[i] = clock_mono_us() - begun;
		cpu[i] = cpu_us() - begun_cpu;
		after = io_now();
		asked[i] = after.asked - before.asked;
		disk[i] = after.disk - before.disk;
		entries += n;
		missing += n < 14; /* so many has one that failed */
	}
	qsort(times, ASKED, sizeof(*times), by_size);
	qsort(cpu, ASKED, sizeof(*cpu), by_size);
	qsort(asked, ASKED, sizeof(*asked), by_size);
	qsort(disk, ASKED, sizeof(*disk), by_size);
	printf("%-16s %-5s %9.2f %9.2f %9.2f %9.2f %9llu %9llu %9llu %8.1f %8llu\n", what,
	       cold ? "cold" : "warm", (double)times[ASKED / 2] / 1000,
	       (double)times[ASKED - 1] / 1000, (double)cpu[ASKED / 2] / 1000,
	       (double)cpu[ASKED - 1] / 1000, (unsigned long long)asked[ASKED / 2] / 1024,
	       (unsigned long long)asked[ASKED - 1] / 1024,
	       (unsigned long long)disk[ASKED / 2] / 1024, (double)entries / ASKED,
	       (unsigned long long)missing);
}

static void open_archive(const char *folder, const char *what)
{
	uint64_t begun = clock_mono_us(), begun_cpu = cpu_us();
	char why[256];
	int err = archive_open(&archive, folder, "bench", why, sizeof(why));

	if (err)
		die(why, err);
	printf("opened, %s: %.1f ms, %.1f ms of CPU\n", what,
	       (double)(clock_mono_us() - begun) / 1000, (double)(cpu_us() - begun_cpu) / 1000);
}

int main(int argc, char **argv)
{
	uint64_t bytes = (uint64_t)((argc > 2 ? strtod(argv[2], NULL) : 10) * 1e9), begun;
	unsigned rate = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 500;

	if (argc < 2 || !bytes || !rate) {
		fprintf(stderr,
			"usage: bench_trace_archive FOLDER [GIGABYTES [CALLS_PER_SECOND]]\n");
		return 2;
	}
	setlinebuf(stdout);
	budget = (struct archive_budget){ .calls = 2 * bytes, .registrations = 1u << 30 };
	now_us = clock_utc_us();
	open_archive(argv[1], "empty");
	begun = clock_mono_us();
	fill(bytes, rate);
	printf("wrote %.2f GB, %llu calls, %llu blocks in %.1f s (%.0f s of calls)\n",
	       (double)bytes_written / 1e9, (unsigned long long)n_seen,
	       (unsigned long long)n_blocks, (double)(clock_mono_us() - begun) / SEC,
	       (double)(now_us - clock_utc_us()) / SEC);
	printf("CPU a block: append %.3f us, tending %.3f us; tending once: at most %.1f ms of "
	       "CPU, %.1f "
	       "ms\n",
	       (double)append_cpu_us / (double)n_blocks, (double)tend_cpu_us / (double)n_blocks,
	       (double)tend_cpu_max_us / 1000, (double)tend_max_us / 1000);
	archive_close(&archive);
	open_archive(argv[1], "warm");
	archive_close(&archive);
	sync();
	each_file(argv[1], forget_file);
	open_archive(argv[1], "cold");
	printf("%-16s %-5s %9s %9s %9s %9s %9s %9s %9s %8s %8s\n", "one call by", "cache",
	       "median ms", "worst ms", "CPU ms", "worst CPU", "read kB", "worst kB", "disk kB",
	       "entries", "missing");
	for (int cold = 0; cold < 2; cold++) {
		measure("id", argv[1], cold, read_id);
		measure("SIP Call-ID", argv[1], cold, read_sip);
		measure("number and time", argv[1], cold, read_number);
	}
	archive_close(&archive);
	each_file(argv[1], remove_file);
	rmdir(argv[1]);
	return 0;
}
