/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The catalogue of end codes as a table, and the two mappings between Q.850 causes and SIP
 * statuses that RFC 3398 recommends. */
#include "model/model.h"

static const struct end_code_info codes[END_CODES] = {
	[END_NONE] = { "NONE", SIDE_SWITCH, 0, 0, "The call has not ended." },
#define END_CODE(name, side, sip, q850, sentence)                                                  \
	[END_##name] = { #name, SIDE_##side, sip, q850, sentence },
#include "model/endcodes.def"
#undef END_CODE
};

const struct end_code_info *end_code_info(enum end_code code)
{
	return &codes[(unsigned)code < END_CODES ? code : END_NONE];
}

enum end_code end_code_find(struct span name)
{
	for (unsigned i = END_NONE + 1; i < END_CODES; i++)
		if (span_eq(name, span_of(codes[i].name)))
			return (enum end_code)i;
	return END_NONE;
}

const char *end_side_name(enum end_side side)
{
	static const char *const names[] = { "caller", "callee", "switch", "network" };

	return (unsigned)side < ARRAY_SIZE(names) ? names[side] : "switch";
}

struct code_pair {
	int from, to;
};

/* RFC 3398 7.2.4.1. The rows after the blank line are outside its table but common practice.
 * 16 has no response of its own there (it is a BYE or CANCEL): as a failure of a set-up it is the
 * caller's 487. */
static const struct code_pair sip_of_q850[] = {
	{ 1, 404 },   { 2, 404 },   { 3, 404 },  { 16, 487 }, { 17, 486 }, { 18, 408 },
	{ 19, 480 },  { 20, 480 },  { 21, 403 }, { 22, 410 }, { 23, 410 }, { 26, 404 },
	{ 27, 502 },  { 28, 484 },  { 29, 501 }, { 31, 480 }, { 34, 503 }, { 38, 503 },
	{ 41, 503 },  { 42, 503 },  { 47, 503 }, { 55, 403 }, { 57, 403 }, { 58, 503 },
	{ 65, 488 },  { 70, 488 },  { 79, 501 }, { 87, 403 }, { 88, 503 }, { 102, 504 },
	{ 111, 500 }, { 127, 500 },

	{ 44, 503 },  { 50, 403 },  { 63, 503 },
};

/* RFC 3398 8.2.6.1. 488 and 606 go by their Warning there, 31 without one; 487 has no mapping:
 * the caller gave up, which is normal clearing. */
static const struct code_pair q850_of_sip[] = {
	{ 400, 41 },  { 401, 21 },  { 402, 21 },  { 403, 21 },  { 404, 1 },   { 405, 63 },
	{ 406, 79 },  { 407, 21 },  { 408, 102 }, { 410, 22 },  { 413, 127 }, { 414, 127 },
	{ 415, 79 },  { 416, 127 }, { 420, 127 }, { 421, 127 }, { 423, 127 }, { 480, 18 },
	{ 481, 41 },  { 482, 25 },  { 483, 25 },  { 484, 28 },  { 485, 1 },   { 486, 17 },
	{ 487, 16 },  { 488, 31 },  { 500, 41 },  { 501, 79 },  { 502, 38 },  { 503, 41 },
	{ 504, 102 }, { 505, 127 }, { 513, 127 }, { 600, 17 },  { 603, 21 },  { 604, 1 },
	{ 606, 31 },
};

static int pair_find(const struct code_pair *pairs, size_t n, int from, int otherwise)
{
	for (size_t i = 0; i < n; i++)
		if (pairs[i].from == from)
			return pairs[i].to;
	return otherwise;
}

int q850_to_sip(int cause)
{
	return pair_find(sip_of_q850, ARRAY_SIZE(sip_of_q850), cause, 500);
}

int sip_to_q850(int status)
{
	if (status >= 100 && status < 300)
		return 16;
	return pair_find(q850_of_sip, ARRAY_SIZE(q850_of_sip), status, 31);
}
