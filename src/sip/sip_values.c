/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decoders of single header values beyond addresses: Reason, Session-Expires, RAck. */
#include "sip/sip_int.h"

/* RFC 3326 2: protocol, then parameters. A cause that is no number counts as none. */
int sip_reason_decode(struct sip_reason *out, struct span value)
{
	struct sip_reason reason = { .cause = -1, .text = SPAN_NONE };
	struct span params, cause;
	uint32_t number;

	span_cut(value, ';', &reason.protocol, &params);
	reason.protocol = span_trim(reason.protocol);
	if (!reason.protocol.len)
		return -EBADMSG;
	for (size_t i = 0; i < reason.protocol.len; i++)
		if (!sip_is(reason.protocol.p[i], SIP_C_TOKEN))
			return -EBADMSG;
	if (sip_param(params, "cause", &cause) && !span_to_u32(cause, &number) &&
	    number <= INT32_MAX)
		reason.cause = (int)number;
	sip_param(params, "text", &reason.text);
	*out = reason;
	return 0;
}

int sip_q850(const struct sip_msg *msg)
{
	struct sip_values it = { 0 };
	struct sip_reason reason;

	while (sip_next_value(msg, SIP_H_REASON, &it))
		if (!sip_reason_decode(&reason, it.value) &&
		    span_ieq(reason.protocol, SPAN("Q.850")))
			return reason.cause <= 127 ? reason.cause : -1;
	return -1;
}

uint32_t sip_retry_after(const struct sip_msg *msg)
{
	struct span value = span_trim(sip_header(msg, SIP_H_RETRY_AFTER));
	uint32_t seconds = 0;
	size_t n = 0;

	while (n < value.len && ascii_digit(value.p[n]))
		n++;
	if (n == 0 || (n < value.len && !strchr(" \t;(", value.p[n])))
		return 0;
	return span_to_u32((struct span){ value.p, n }, &seconds) ? UINT32_MAX : seconds;
}

int sip_session_expires_decode(struct span value, uint32_t *seconds, char *refresher)
{
	struct span number, params, who;
	uint32_t parsed;
	char role = 0;

	span_cut(value, ';', &number, &params);
	if (span_to_u32(span_trim(number), &parsed))
		return -EBADMSG;
	if (sip_param(params, "refresher", &who)) {
		if (span_ieq(who, SPAN("uac")))
			role = 'a';
		else if (span_ieq(who, SPAN("uas")))
			role = 's';
	}
	*seconds = parsed;
	*refresher = role;
	return 0;
}

int sip_rack_decode(struct span value, uint32_t *rseq, uint32_t *cseq, enum sip_method *method)
{
	struct sip_cursor c = sip_cursor_of(value);
	struct span part[3];
	uint32_t first, second;

	for (int i = 0; i < 3; i++) {
		sip_skip_blank(&c);
		part[i] = sip_take(&c, SIP_C_TOKEN);
	}
	sip_skip_blank(&c);
	if (c.p < c.end || !part[2].len || span_to_u32(part[0], &first) ||
	    span_to_u32(part[1], &second) || second > INT32_MAX)
		return -EBADMSG;
	*rseq = first;
	*cseq = second;
	*method = sip_method_find(part[2]);
	return 0;
}
