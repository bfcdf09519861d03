/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of the index. They are stored: this may never change. The hash is SipHash with keys that are no secret; who makes
 * two Call-IDs collide finds both in his trace. */
#include "trace/trace_int.h"

#define KEY_TAG 0x6361757365776179ull

enum key_of { KEY_SIP_CALL_ID = 1, KEY_CALL, KEY_OBJECT };

/* Never 0: that is "none". */
static uint64_t key_make(enum key_of of, const void *data, size_t len)
{
	const struct hash_key key = { of, KEY_TAG };
	uint64_t hash = hash_bytes(&key, data, len);

	return hash ? hash : 1;
}

uint64_t key_of_sip_call_id(struct span sip_call_id)
{
	return key_make(KEY_SIP_CALL_ID, sip_call_id.p, sip_call_id.len);
}

uint64_t key_of_call(uint64_t call)
{
	return key_make(KEY_CALL, &call, sizeof(call));
}

uint64_t key_of_object(struct span object)
{
	return key_make(KEY_OBJECT, object.p, object.len);
}
