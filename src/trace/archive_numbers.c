/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which numbers a segment's rows may have: people ask for the end of a number or for its beginning, often without knowing when, and
 * reading all rows of all segments would take too long. A Bloom filter in the index, of each number's last NUMBER_LEAST
 * digits and of its beginnings of some lengths; all bits of one are in one line of 64 bytes, so a segment is asked with two
 * small reads. Shorter questions are not helped. */
#include "trace/archive_int.h"

#include <stdlib.h>
#include <unistd.h>

#define NUMBER_LEAST 7
#define STEP 2 /* between the lengths of beginnings */
#define MOST 15 /* E.164; of longer ones the beginning counts */
#define LINE 64
#define BITS_PER_KEY 12
#define PROBES 4

static uint64_t number_key(bool end, struct span digits)
{
	const struct hash_key key = { 0x6361757365776179ull, end };

	return hash_bytes(&key, digits.p, digits.len);
}

static struct span digits_of(struct span number)
{
	return span_starts(number, SPAN("+")) ? span_skip(number, 1) : number;
}

static uint64_t key_of_end(struct span digits)
{
	return number_key(true, span_skip(digits, digits.len - NUMBER_LEAST));
}

/* The longest beginning that is in the filter. */
static size_t beginning(size_t len)
{
	len = len < MOST ? len : MOST;
	return len - (len - NUMBER_LEAST) % STEP;
}

static size_t line_of(uint64_t key, size_t lines)
{
	return (size_t)((key >> 40) * lines >> 24);
}

static unsigned bit_of(uint64_t key, unsigned probe)
{
	return key >> probe * 9 & (LINE * 8 - 1);
}

static bool line_has(const uint8_t *line, uint64_t key)
{
	for (unsigned probe = 0; probe < PROBES; probe++) {
		unsigned bit = bit_of(key, probe);

		if (!(line[bit / 8] & 1u << bit % 8))
			return false;
	}
	return true;
}

/* ---- making it ----------------------------------------------------------------------------------- */

static void add_key(struct index *index, uint64_t key)
{
	uint8_t *line = index->numbers + LINE * line_of(key, index->head.numbers_len / LINE);

	for (unsigned probe = 0; probe < PROBES; probe++) {
		unsigned bit = bit_of(key, probe);

		line[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

/* Adds the keys of a number, if there is a filter yet. How many they are. */
static size_t add_number(struct index *index, struct span digits)
{
	size_t n = 1;

	if (digits.len < NUMBER_LEAST)
		return 0;
	if (index->numbers)
		add_key(index, key_of_end(digits));
	for (size_t len = beginning(digits.len); len >= NUMBER_LEAST; len -= STEP, n++)
		if (index->numbers)
			add_key(index, number_key(false, span_head(digits, len)));
	return n;
}

/* Most of a call's numbers are the same. */
static size_t add_row(struct index *index, const struct call_row *row)
{
	struct span rest = { index->strings + row->strings, row->strings_len };
	struct span numbers[ROW_NUMBERS];
	size_t count = 0;

	for (unsigned i = 0; i < ROW_NUMBERS; i++) {
		bool again = false;

		span_cut(rest, '\0', &numbers[i], &rest);
		numbers[i] = digits_of(numbers[i]);
		for (unsigned k = 0; k < i; k++)
			again = again || span_eq(numbers[k], numbers[i]);
		if (!again)
			count += add_number(index, numbers[i]);
	}
	return count;
}

int numbers_make(struct index *index)
{
	size_t keys = 0;

	for (size_t i = 0; i < index->head.n_rows; i++)
		keys += add_row(index, &index->rows[i]);
	index->head.numbers_len = (keys * BITS_PER_KEY / (LINE * 8) + 1) * LINE;
	index->numbers = calloc(index->head.numbers_len, 1);
	if (!index->numbers)
		return -ENOMEM;
	for (size_t i = 0; i < index->head.n_rows; i++)
		add_row(index, &index->rows[i]);
	return 0;
}

/* ---- asking ---------------------------------------------------------------------------------------- */

static bool file_has(const struct index_guide *guide, int fd, uint64_t key)
{
	const struct index_head *h = &guide->head;
	uint64_t at = index_size(h) - h->numbers_len + LINE * line_of(key, h->numbers_len / LINE);
	uint8_t line[LINE];

	/* What cannot be read is said by reading the rows. */
	return pread(fd, line, LINE, (off_t)at) != LINE || line_has(line, key);
}

bool numbers_may_have(const struct index_guide *guide, int fd, struct span number)
{
	struct span digits = digits_of(number);

	if (digits.len < NUMBER_LEAST || !guide->head.numbers_len)
		return true;
	return file_has(guide, fd, key_of_end(digits)) ||
	       file_has(guide, fd, number_key(false, span_head(digits, beginning(digits.len))));
}
