/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls by what they were: random questions, and the answers beside those of a plain list. */
#include "trace_bed.h"

#define CALLS 1500

/* As bed_note writes them. */
struct plain {
	uint64_t id, started_us, ended_us; /* 0 = it has not */
	char caller[24], callee[24], account[24];
	const char *end_code; /* "" = it has not ended */
};

static struct plain plains[CALLS];

static void learn(struct bed *bed, unsigned call)
{
	struct plain *p = &plains[call];

	*p = (struct plain){ .id = bed->calls[call].id };
	p->started_us = 1790000000000000ull + call * SEC;
	snprintf(p->caller, sizeof(p->caller), "4930%07u", call);
	snprintf(p->callee, sizeof(p->callee), "33170%06u", call);
	snprintf(p->account, sizeof(p->account), "acct-%u", call % 5);
	p->end_code = "";
}

static void learn_end(struct bed *bed, unsigned call)
{
	plains[call].ended_us = bed->now;
	plains[call].end_code = bed->calls[call].failed ? "NO_ROUTE" : "NORMAL";
	bed_note(bed, call, TRACE_END, "over");
}

/* Most calls end, some much later, and so in other segments; some never. */
static void make_calls(struct bed *bed)
{
	for (unsigned i = 0; i < CALLS; i++) {
		unsigned call = bed_call(bed, bed_random(bed, 4) == 0);

		learn(bed, call);
		bed_message(bed, call, 'a', 300, false);
		bed_note(bed, call, TRACE_CALL, "from customer-7");
		bed_note(bed, call, TRACE_DIAL, "gateway v-1");
		/* The clock goes by as the starts say. */
		bed->now = plains[call].started_us + SEC / 2;
		if (bed_random(bed, 3))
			learn_end(bed, call);
		for (unsigned k = 0; k < 2; k++) {
			unsigned other = bed_random(bed, bed->n_calls);

			if (!bed->calls[other].ended && bed_random(bed, 3))
				learn_end(bed, other);
		}
		if (bed_random(bed, 10) == 0)
			assert_int_equal(bed_write(bed, SERIES_CALLS), 0);
		if (bed_random(bed, 150) == 0)
			assert_int_equal(archive_finish(bed->archive, SERIES_CALLS), 0);
	}
	assert_int_equal(bed_write(bed, SERIES_CALLS), 0);
}

static bool ends_or_begins(const char *have, const char *wanted)
{
	size_t h = strlen(have), w = strlen(wanted);

	return strncmp(have, wanted, w) == 0 || (h >= w && strcmp(have + h - w, wanted) == 0);
}

struct question {
	struct trace_query query;
	char number[24], account[24], end_code[24], address[32], gateway[24];
	int sip; /* the call whose leg it names; -1 = none */
};

static bool plain_matches(const struct plain *p, const struct question *q)
{
	const struct trace_query *t = &q->query;

	if (t->from_us && p->ended_us && p->ended_us < t->from_us)
		return false;
	if (t->to_us && p->started_us > t->to_us)
		return false;
	if (t->call && t->call != p->id)
		return false;
	if (q->sip >= 0 && plains[q->sip].id != p->id)
		return false;
	if (t->before_call && p->id >= t->before_call)
		return false;
	if (t->failed_only && strcmp(p->end_code, "NO_ROUTE") != 0)
		return false;
	if (q->end_code[0] && strcmp(p->end_code, q->end_code) != 0)
		return false;
	if (q->account[0] && strcmp(p->account, q->account) != 0)
		return false;
	if (q->gateway[0] && strcmp("customer-7", q->gateway) != 0)
		return false;
	if (q->address[0] && strcmp(q->address, "203.0.113.5") != 0 &&
	    strcmp(q->address, "203.0.113.5:5060") != 0)
		return false;
	return !q->number[0] || ends_or_begins(p->caller, q->number + (q->number[0] == '+')) ||
	       ends_or_begins(p->callee, q->number + (q->number[0] == '+'));
}

static void pick(struct bed *bed, char *dst, size_t size, const char *const *from, unsigned n)
{
	if (bed_random(bed, 4) == 0)
		snprintf(dst, size, "%s", from[bed_random(bed, n)]);
}

static void make_question(struct bed *bed, struct question *q)
{
	static const char *const accounts[] = { "acct-0", "acct-3", "nobody" };
	static const char *const end_codes[] = { "NORMAL", "NO_ROUTE", "BUSY" };
	static const char *const addresses[] = { "203.0.113.5", "203.0.113.5:5060", "203.0.113.50",
						 "203.0.113.5:5061" };
	static const char *const gateways[] = { "customer-7", "customer-8" };
	const struct plain *some = &plains[bed_random(bed, CALLS)];
	unsigned call = bed_random(bed, CALLS);

	*q = (struct question){ .sip = -1 };
	if (bed_random(bed, 3) == 0)
		snprintf(q->number, sizeof(q->number), "%s",
			 some->caller + bed_random(bed, 11)); /* an end of it, or all */
	else if (bed_random(bed, 4) == 0)
		snprintf(q->number, sizeof(q->number), "+%.*s", 4 + (int)bed_random(bed, 8),
			 some->callee);
	pick(bed, q->account, sizeof(q->account), accounts, ARRAY_SIZE(accounts));
	pick(bed, q->end_code, sizeof(q->end_code), end_codes, ARRAY_SIZE(end_codes));
	pick(bed, q->address, sizeof(q->address), addresses, ARRAY_SIZE(addresses));
	pick(bed, q->gateway, sizeof(q->gateway), gateways, ARRAY_SIZE(gateways));
	q->query.number = span_of(q->number);
	q->query.account = span_of(q->account);
	q->query.end_code = span_of(q->end_code);
	q->query.address = span_of(q->address);
	q->query.gateway = span_of(q->gateway);
	q->query.failed_only = bed_random(bed, 5) == 0;
	q->query.limit = 1 + bed_random(bed, bed_random(bed, 2) ? 10 : 2 * CALLS);
	if (bed_random(bed, 3) == 0)
		q->query.from_us = some->started_us + bed_random(bed, 3) * SEC;
	if (bed_random(bed, 3) == 0)
		q->query.to_us = some->started_us + bed_random(bed, 300) * SEC;
	if (bed_random(bed, 4) == 0)
		q->query.before_call = plains[bed_random(bed, CALLS)].id;
	if (bed_random(bed, 8) == 0)
		q->query.call = some->id;
	if (bed_random(bed, 8) == 0) {
		q->sip = (int)call;
		q->query.sip_call_id = span_of(bed_random(bed, 2) ? bed->calls[call].leg_a
								  : bed->calls[call].leg_b);
	}
}

struct answer {
	uint64_t ids[CALLS + 1];
	unsigned n;
};

static void take(void *arg, const struct trace_call *call)
{
	struct answer *answer = arg;
	const struct plain *p = NULL;

	assert_true(answer->n < CALLS);
	answer->ids[answer->n++] = call->call;
	for (unsigned i = 0; i < CALLS && !p; i++)
		p = plains[i].id == call->call ? &plains[i] : NULL;
	assert_non_null(p);
	assert_int_equal(call->started_us, p->started_us);
	assert_string_equal(call->end_code, p->end_code);
	assert_string_equal(call->caller, p->caller);
	assert_string_equal(call->account, p->account);
	assert_string_equal(call->text, p->ended_us ? "over" : "from customer-7");
	assert_string_equal(call->caller_out, "");
	assert_true(p->ended_us ? call->ended_us == p->ended_us : !call->ended_us);
}

static void ask(struct bed *bed, unsigned questions)
{
	static struct answer answer;
	unsigned with_some = 0;

	for (unsigned i = 0; i < questions; i++) {
		struct question q;
		unsigned n = 0;
		int rc;

		make_question(bed, &q);
		answer.n = 0;
		rc = archive_find(bed->archive, &q.query, take, &answer);
		assert_int_equal(rc, answer.n);
		for (unsigned call = CALLS; call > 0 && n < q.query.limit; call--)
			if (plain_matches(&plains[call - 1], &q)) {
				assert_true(n < answer.n);
				assert_int_equal(answer.ids[n++], plains[call - 1].id);
			}
		assert_int_equal(n, answer.n);
		with_some += n > 0;
	}
	assert_true(with_some > questions / 10);
}

static void test_random_questions(void **state)
{
	struct bed bed;

	bed_begin(&bed, 31);
	make_calls(&bed);
	ask(&bed, 400);
	archive_close(&bed.archive);
	bed_open(&bed);
	ask(&bed, 400);
	bed_end(&bed);
}

/* Page by page, nothing twice and nothing left out. */
static void test_pages(void **state)
{
	static struct answer answer;
	struct trace_query query = { .limit = 37 };
	struct bed bed;
	int n;

	bed_begin(&bed, 32);
	make_calls(&bed);
	answer.n = 0;
	while ((n = archive_find(bed.archive, &query, take, &answer)) > 0)
		query.before_call = answer.ids[answer.n - 1];
	assert_int_equal(n, 0);
	assert_int_equal(answer.n, CALLS);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(answer.ids[i], plains[CALLS - 1 - i].id);
	bed_end(&bed);
}

/* ---- reading calls, Call-IDs and objects ------------------------------------------------------------ */

/* A Call-ID that is used again for another call: each has its own messages. */
static void test_call_id_used_again(void **state)
{
	struct trace_reading *reading;
	struct bed bed;
	unsigned first, second;

	bed_begin(&bed, 33);
	first = bed_call(&bed, false);
	second = bed_call(&bed, false);
	memcpy(bed.calls[second].leg_a, bed.calls[first].leg_a, sizeof(bed.calls[0].leg_a));
	for (unsigned i = 0; i < 2; i++) {
		unsigned call = i ? second : first;

		bed_message(&bed, call, 'a', 300, false); /* not known yet whose it is */
		bed_note(&bed, call, TRACE_CALL, "from customer-7");
		bed_message(&bed, call, 'a', 300, true);
		bed_note(&bed, call, TRACE_END, "over");
		bed.now += 3600 * SEC;
	}
	assert_int_equal(bed_write(&bed, SERIES_CALLS), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
			archive_read_call(bed.archive, bed.calls[i ? second : first].id, &reading),
			0);
		assert_int_equal(reading->n, 4);
		assert_true(reading->bytes_read > 0);
		for (unsigned k = 0; k < 4; k++)
			assert_true(bed_same(&bed, 4 * i + k, &reading->entries[k]));
		trace_reading_free(&reading);
	}
	assert_int_equal(archive_read_sip(bed.archive, span_of(bed.calls[first].leg_a), &reading),
			 0);
	assert_int_equal(reading->n, 6); /* without the notes that bind nothing */
	trace_reading_free(&reading);
	assert_int_equal(archive_read_call(bed.archive, 1, &reading), -ENOENT);
	assert_int_equal(archive_read_sip(bed.archive, SPAN("nobody"), &reading), -ENOENT);
	bed_end(&bed);
}

static void object_note(struct bed *bed, const char *object, const char *sip_call_id)
{
	char bytes[2048];
	struct trace_note note = { .kind = TRACE_REGISTER,
				   .utc_us = bed->now += SEC,
				   .object = span_of(object),
				   .sip_call_id = span_of(sip_call_id),
				   .text = SPAN("registered for 60 s") };
	struct archive_block block = { .bytes = bytes,
				       .len = (uint32_t)block_write_note(bytes, &note),
				       .kind = TRACE_REGISTER,
				       .key = key_of_object(note.object),
				       .key2 = key_of_sip_call_id(note.sip_call_id),
				       .utc_us = note.utc_us };

	assert_int_equal(archive_append(bed->archive, SERIES_REGISTRATIONS, &block, 1), 0);
}

static void test_objects(void **state)
{
	struct trace_reading *reading;
	struct bed bed;
	unsigned call;

	bed_begin(&bed, 34);
	call = bed_call(&bed, false); /* only for its Call-ID */
	bed.calls[call].id = 0;
	for (unsigned i = 0; i < 10; i++) {
		bed_message(&bed, call, 'a', 200, false);
		assert_int_equal(bed_write(&bed, SERIES_REGISTRATIONS), 0);
		object_note(&bed, "alice", bed.calls[call].leg_a);
		object_note(&bed, "bob", "another");
		bed.now += 60 * SEC;
	}
	assert_int_equal(archive_read_object(bed.archive, SPAN("alice"), 0, 100, &reading), 0);
	assert_int_equal(reading->n, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(reading->entries[i].kind, i % 2 ? TRACE_REGISTER : TRACE_MESSAGE);
	trace_reading_free(&reading);
	/* The newest three, and the message before the first of them. */
	assert_int_equal(archive_read_object(bed.archive, SPAN("alice"), 0, 3, &reading), 0);
	assert_in_range(reading->n, 6, 7);
	assert_int_equal(reading->entries[reading->n - 1].kind, TRACE_REGISTER);
	trace_reading_free(&reading);
	assert_int_equal(archive_read_object(bed.archive, SPAN("alice"), bed.now, 3, &reading),
			 -ENOENT);
	assert_int_equal(archive_read_object(bed.archive, SPAN("carol"), 0, 3, &reading), -ENOENT);
	bed_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_questions),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_call_id_used_again),
		cmocka_unit_test(test_objects),
	};

	log_open("/dev/null", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
