/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cdr/cdr_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct cdr sample = {
	.call_id = 0x0123456789abcdefull,
	.attempt = 3,
	.node = "n1",
	.caller = "4930123",
	.callee = "880171\"2\n",
	.routing_gateway = "a-1",
	.started = 1700000000123456ull,
	.answered = 1700000005000000ull,
	.ended = 1700000017345678ull,
	.talk_us = 12345678,
	.pdd_us = 5,
	.end_code = "NORMAL",
	.end_side = "caller",
	.sip_status = 200,
	.q850 = -1,
	.attempts = 2,
	.candidates = "a-1 taken\nb-1 protect",
};

static void assert_same_text(const char *a, const char *b)
{
	if (!a || !b)
		assert_ptr_equal(a, b);
	else
		assert_string_equal(a, b);
}

static void test_round_trip(void **state)
{
	static const enum cdr_kind kinds[] = { CDR_ANSWER, CDR_ATTEMPT, CDR_END };
	struct arena *arena = arena_new(1024);

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct cdr_entry *entry = cdr_encode(kinds[k], &sample);
		struct cdr back;

		assert_int_equal(cdr_decode(&back, arena, entry->data, entry->len), 0);
		assert_int_equal(back.call_id, sample.call_id);
		assert_int_equal(cdr_data_call_id(entry->data, entry->len), sample.call_id);
		assert_int_equal(back.attempt, kinds[k] == CDR_ATTEMPT ? 3 : 0);
		assert_int_equal(back.attempts, kinds[k] == CDR_ATTEMPT ? 0 : 2);
		assert_int_equal(back.q850, -1);
		assert_int_equal(back.started, sample.started);
		assert_int_equal(back.talk_us, kinds[k] == CDR_ATTEMPT ? 0 : 12345678);
		assert_same_text(back.routing_gateway, "a-1");
		assert_same_text(back.callee, kinds[k] == CDR_ATTEMPT ? NULL : sample.callee);
		assert_same_text(back.account, NULL);
		/* Cut anywhere: refused or fewer fields, never read beyond. */
		for (uint32_t len = 0; len < entry->len; len++) {
			unsigned char *copy = malloc(len ? len : 1);

			memcpy(copy, entry->data, len);
			(void)cdr_decode(&back, arena, copy, len);
			free(copy);
		}
		free(entry);
	}
	arena_free(&arena);
}

static void test_every_field_survives(void **state)
{
	struct arena *arena = arena_new(4096);
	struct cdr in = { 0 }, call, attempt;
	struct cdr_entry *c, *a;

	for (size_t i = 0; i < cdr_field_count; i++) {
		const char *text = cdr_fields[i].name;
		uint64_t number = 0xfedcba9876543210ull >> (i % 50);

		if (cdr_fields[i].type == CDR_TYPE_TEXT)
			memcpy((char *)&in + cdr_fields[i].offset, &text, sizeof(text));
		else
			memcpy((char *)&in + cdr_fields[i].offset, &number, sizeof(number));
	}
	c = cdr_encode(CDR_END, &in);
	a = cdr_encode(CDR_ATTEMPT, &in);
	assert_int_equal(cdr_decode(&call, arena, c->data, c->len), 0);
	assert_int_equal(cdr_decode(&attempt, arena, a->data, a->len), 0);
	for (size_t i = 0; i < cdr_field_count; i++) {
		const struct cdr *from = cdr_fields[i].where == 'A' ? &attempt : &call;
		uint64_t want, got;

		if (cdr_fields[i].type == CDR_TYPE_TEXT) {
			assert_string_equal(
				*(const char *const *)(const void *)((const char *)from +
								     cdr_fields[i].offset),
				cdr_fields[i].name);
			continue;
		}
		memcpy(&want, (const char *)&in + cdr_fields[i].offset, 8);
		memcpy(&got, (const char *)from + cdr_fields[i].offset, 8);
		assert_int_equal(want, got);
	}
	free(c);
	free(a);
	arena_free(&arena);
}

static void test_unknown_tags_and_garbage(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int result;
	} cases[] = {
		{ "", 0, 0 },
		{ "\xfa\x02\x00xy\x01\x01\x00\x07", 9, 0 },
		{ "\x01\x00\x00", 3, -EBADMSG }, /* a number without bytes */
		{ "\x01\x09\x00"
		  "123456789",
		  12, -EBADMSG }, /* too many */
		{ "\x24\x01\x00\x01", 4, -EBADMSG }, /* signed is eight bytes */
		{ "\x03\x03\x00"
		  "a\0b",
		  6, -EBADMSG }, /* NUL within a text */
		{ "\x03\xff\xff"
		  "a",
		  4, -EBADMSG }, /* longer than there is */
		{ "\x03", 1, -EBADMSG },
	};
	struct arena *arena = arena_new(1024);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cdr out = { .call_id = 42 };

		assert_int_equal(cdr_decode(&out, arena, (const unsigned char *)cases[i].bytes,
					    cases[i].len),
				 cases[i].result);
		assert_int_equal(out.call_id, cases[i].result ? 42 : cases[i].len ? 7 : 0);
	}
	arena_free(&arena);
}

static void test_long_text_is_cut(void **state)
{
	struct arena *arena = arena_new(1024);
	char *text = malloc(CDR_TEXT_MAX + 100);
	struct cdr_entry *entry;
	struct cdr back;

	memset(text, 'x', CDR_TEXT_MAX + 99);
	text[CDR_TEXT_MAX + 99] = '\0';
	memcpy(text + CDR_TEXT_MAX - 1, "\xc3\xa4", 2); /* the limit falls into a character */
	entry = cdr_encode(CDR_END, &(struct cdr){ .call_id = 1, .end_text = text });
	assert_int_equal(cdr_decode(&back, arena, entry->data, entry->len), 0);
	assert_int_equal(strlen(back.end_text), CDR_TEXT_MAX - 1);
	free(entry);
	free(text);
	arena_free(&arena);
}

static void test_json(void **state)
{
	struct buf out = BUF_INIT(65536);

	cdr_write_json(&out, CDR_END, &sample);
	assert_non_null(
		strstr(buf_cstr(&out), "{\"call_id\":\"0123456789abcdef\",\"node\":\"n1\","));
	assert_non_null(strstr(buf_cstr(&out), "\"callee\":\"880171\\\"2\\u000a\""));
	assert_non_null(strstr(buf_cstr(&out), "\"started\":\"2023-11-14T22:13:20.123456Z\""));
	assert_non_null(strstr(buf_cstr(&out), "\"ringing\":null"));
	assert_non_null(strstr(buf_cstr(&out), "\"talk_s\":12.345678,\"pdd_s\":0.000005,"));
	assert_non_null(strstr(buf_cstr(&out), "\"q850\":-1"));
	assert_non_null(strstr(buf_cstr(&out), "\"account\":null"));
	assert_null(strstr(buf_cstr(&out), "\"attempt\":"));
	buf_reset(&out);
	cdr_write_json(&out, CDR_ATTEMPT, &sample);
	assert_non_null(strstr(buf_cstr(&out), "\"attempt\":3"));
	assert_null(strstr(buf_cstr(&out), "talk_s"));
	buf_free(&out);
}

static void test_crc(void **state)
{
	unsigned char bytes[300];

	assert_int_equal(crc32c("123456789", 9), 0xe3069283u); /* the check value everyone gives */
	assert_int_equal(crc32c_table("123456789", 9), 0xe3069283u);
	rng_bytes(bytes, sizeof(bytes));
	for (size_t len = 0; len < sizeof(bytes); len++)
		assert_int_equal(crc32c(bytes, len), crc32c_table(bytes, len));
}

static void test_call_ids(void **state)
{
	uint64_t now = 1700000000000000ull, last = 0;

	for (int i = 0; i < 100000; i++) {
		uint64_t id;

		now += i % 1000 == 0 ? MSEC : 0;
		if (i == 50000)
			now -= 3600 * SEC; /* the clock steps back */
		id = call_id_next(7, now);
		assert_true(id > last);
		assert_true(id >> 63 == 0);
		assert_int_equal((id >> 14) & 0xff, 7);
		last = id;
	}
	assert_int_not_equal(call_id_next(8, now) >> 14 & 0xff, 7);
	call_id_floor(last + (1000ull << 22));
	assert_true(call_id_next(9, now) > last + (1000ull << 22));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_field_survives),
		cmocka_unit_test(test_unknown_tags_and_garbage),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_call_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
