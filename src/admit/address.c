/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a source may be: address lists of the whole switch, of a gateway and of a phone. A forbidden range goes
 * before an allowed one; where lists of allowed ranges are named, the source must be in one of them. */
#include "admit/admit_int.h"

#include <arpa/inet.h>
#include <stdio.h>

const char *admit_source_text(const struct sockaddr_storage *source, char *dst, size_t size)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)source;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)source;
	bool mapped = source->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);

	snprintf(dst, size, "the source");
	if (source->ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, dst, (socklen_t)size);
	else if (mapped)
		inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, dst, (socklen_t)size);
	else if (source->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, dst, (socklen_t)size);
	return dst;
}

static const char *names_of(const struct model_fence *fence, char *dst, size_t size)
{
	size_t used = 0;

	dst[0] = '\0';
	for (unsigned i = 0; i < fence->n_allow && used < size; i++)
		used += fmt_print(dst + used, size - used, "%s%s", i ? ", " : "",
				  fence->allow[i]->name);
	return dst;
}

static bool forbidden(struct admit_result *out)
{
	out->verdict = ADMIT_REFUSED;
	out->end = END_ADDRESS_FORBIDDEN;
	return false;
}

bool admit_address(const struct model_fence *fence, const char *who,
		   const struct sockaddr_storage *source, struct admit_result *out)
{
	const struct sockaddr *addr = (const struct sockaddr *)(const void *)source;
	char text[64], names[80];

	if ((!fence->n_allow && !fence->n_forbid) || source->ss_family == AF_UNSPEC)
		return true;
	for (unsigned i = 0; i < fence->n_forbid; i++) {
		const char *range = model_list_range(fence->forbid[i], addr);

		if (!range)
			continue;
		snprintf(out->text, sizeof(out->text),
			 "%s: %s is in %s of address list %s, which is forbidden", who,
			 admit_source_text(source, text, sizeof(text)), range,
			 fence->forbid[i]->name);
		return forbidden(out);
	}
	for (unsigned i = 0; i < fence->n_allow; i++)
		if (model_list_range(fence->allow[i], addr))
			return true;
	if (!fence->n_allow)
		return true;
	snprintf(out->text, sizeof(out->text),
		 "%s: %s is in none of the allowed address lists (%s)", who,
		 admit_source_text(source, text, sizeof(text)),
		 names_of(fence, names, sizeof(names)));
	return forbidden(out);
}
