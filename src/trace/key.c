/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of the index. They are stored: this may never change. A hash without a secret: who makes two Call-IDs collide finds
 * both in his trace. */
#include "trace/trace_int.h"

enum key_of { KEY_SIP_CALL_ID = 1, KEY_CALL, KEY_OBJECT };

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9E3779B97F4A7C15ull;
	return hash ^ hash >> 32;
}

/* Eight bytes at a time, in this machine's order as all of the index; the last ones may be read twice. Never 0: that is
 * "none". */
static uint64_t key_make(enum key_of of, const char *p, size_t len)
{
	uint64_t hash = mix(of, len), word = 0;
	size_t at = 0;

	for (; at + 8 < len; at += 8) {
		memcpy(&word, p + at, 8);
		hash = mix(hash, word);
	}
	if (len >= 8)
		memcpy(&word, p + len - 8, 8);
	else
		for (word = 0; at < len; at++)
			word = word << 8 | (unsigned char)p[at];
	hash = mix(hash, word);
	hash = mix(hash, hash >> 29);
	return hash ? hash : 1;
}

uint64_t key_of_sip_call_id(struct span sip_call_id)
{
	return key_make(KEY_SIP_CALL_ID, sip_call_id.p, sip_call_id.len);
}

uint64_t key_of_call(uint64_t call)
{
	return key_make(KEY_CALL, (const char *)&call, sizeof(call));
}

uint64_t key_of_object(struct span object)
{
	return key_make(KEY_OBJECT, object.p, object.len);
}
