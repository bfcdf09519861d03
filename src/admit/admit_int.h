/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of admit: what its files call of one another. */
#ifndef CAUSEWAY_ADMIT_INT_H
#define CAUSEWAY_ADMIT_INT_H

#include "admit/admit.h"

/* The host of a source, for people. */
const char *admit_source_text(const struct sockaddr_storage *source, char *dst, size_t size);
/* What came from the peer, made fit for a log line. */
const char *admit_shown(struct span s, char *dst, size_t size);

/* Refuses a call for one of its numbers; the reason's text begins with "caller" or "callee". */
void admit_refuse_number(struct admit_result *out, enum end_code end, const struct reason *reason, struct span number,
			 struct reasons *why);
/* False: there is no room. */
bool rewrite_put_before(struct rewritten *out, struct span prefix);
/* Refuses an admitted call whose numbers the gateway, the phone or the system does not permit. */
void admit_check_numbers(const struct model *m, const struct call_request *req, struct admit_result *out,
			 struct reasons *why);

/* Refuses an admitted call whose caller or callee is on the dynamic blacklist. */
void admit_check_blacklist(const struct model *m, const struct call_request *req, struct admit_result *out,
			   struct reasons *why);

#endif
