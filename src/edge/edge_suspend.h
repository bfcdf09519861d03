/* SPDX-License-Identifier: GPL-3.0-or-later */
/* edge_suspend: who fails to prove himself too often waits. One table for the process; every worker asks it, none ever waits
 * for another to do so.
 *
 * What is suspended is a user at one source address, for registrations and for calls apart. A stranger who guesses a phone's
 * password from elsewhere suspends himself: the phone goes on, from its own address. All users that do not exist count as
 * one, so a scanner fills one place. A changed password is another entry: whoever corrects it need not wait. */
#ifndef CAUSEWAY_EDGE_SUSPEND_H
#define CAUSEWAY_EDGE_SUSPEND_H

#include "base/base.h"
#include "net/net.h"

enum suspend_kind { SUSPEND_REGISTER, SUSPEND_CALL };

struct suspensions;
/* 0 or -ENOMEM. */
int suspensions_new(struct suspensions **out);
void suspensions_free(struct suspensions **suspensions);

/* Lent. */
struct suspect {
	enum suspend_kind kind;
	struct span user;		/* len 0 = one that does not exist */
	const char *secret;		/* what it was to know; "" = nothing */
	const union net_addr *source;
};
/* How long it is still suspended; 0 = it is not. No lock; next to nothing while nobody fails. */
uint64_t suspensions_left(const struct suspensions *s, const struct suspect *who, uint64_t mono_us);
/* A failure. `limit` of them in a row, none more than `for_us` after the one before, suspend for `for_us`; true: that was
 * the one. 0 never suspends. */
bool suspensions_failed(struct suspensions *s, const struct suspect *who, unsigned limit, uint64_t for_us,
			uint64_t mono_us);
/* It proved itself: its failures are forgotten. */
void suspensions_passed(struct suspensions *s, const struct suspect *who);

/* Lift those of a user (NULL = all); how many. Any thread, as what follows. */
unsigned suspensions_lift(struct suspensions *s, const char *user, uint64_t mono_us);
/* [{"user":..., "source":..., "kind":"registrations"|"calls", "failures":..., "left_s":...}]: those in force. */
void suspensions_write(struct suspensions *s, uint64_t mono_us, struct buf *out);

#endif
