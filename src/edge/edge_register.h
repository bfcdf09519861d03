/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of edge: registrations of devices here (RFC 3261 10.3), what became of each REGISTER, and why. */
#ifndef CAUSEWAY_EDGE_REGISTER_H
#define CAUSEWAY_EDGE_REGISTER_H

#include "edge/edge_int.h"

/* ---- what became of a REGISTER ------------------------------------------------------------ */

enum register_reason {
#define REGISTER_REASON(name, failed, end, sentence, fix) REGISTER_##name,
#include "edge/edge_register.def"
#undef REGISTER_REASON
	REGISTER_REASONS
};

const char *edge_register_reason_name(enum register_reason reason);
bool edge_register_reason_failed(enum register_reason reason);

#define REGISTER_DETAIL_MAX 128

/* Remember it; `user` as claimed, "" = none (then To's). */
void edge_register_log(struct edge *edge, const struct sip_msg *msg, const struct net_flow *flow, struct span user,
		       int status, enum register_reason reason, const char *detail);
/* One REGISTER and its answer, as remembered. Copied whole from the worker to whoever asks. */
struct register_event {
	uint64_t utc_us;
	struct net_flow flow;
	uint32_t cseq;
	uint32_t times;			/* the same came again and again: how often */
	uint16_t status;
	uint8_t reason;
	char user[64], contact[96], user_agent[48], call_id[64], detail[REGISTER_DETAIL_MAX];
};

/* edge_trace.c */
void edge_trace_register(const struct edge *edge, const struct register_event *event, const char *sentence);

/* ---- who ------------------------------------------------------------------------------------ */

/* All that goes by one user: a phone, or a mapping and a routing gateway, which may be the same box. */
struct registrant {
	const struct model_phone *phone;
	const struct model_mapping *mapping;
	const struct model_routing *routing;
};
/* False: nobody registers under this user. */
bool edge_registrant_find(const struct model *m, struct span user, struct registrant *out);
/* The load, and with it the contacts, of the first of them. */
struct load *edge_registrant_load(const struct registrant *who);

/* ---- contacts (edge_bindings.c) --------------------------------------------------------------- */

/* One request's wish, read but not yet done. */
struct contact_wish {
	bool remove;
	struct binding binding;
};
struct contacts_wish {
	bool query;			/* no Contact at all */
	bool remove_all;		/* Contact: * */
	unsigned n;
	struct contact_wish wish[BINDINGS_MAX];
};
/* What is granted to this device. */
struct register_policy {
	uint64_t min_expiry_us, max_expiry_us;
	unsigned max_contacts;
	bool replace;			/* a contact too many takes the place of the oldest */
};
/* Read a request's contacts; all are good, or nothing is done. REGISTER_REGISTERED, or why not. */
enum register_reason edge_contacts_read(const struct sip_msg *msg, const struct net_flow *flow,
					const struct register_policy *policy, const struct loop *loop,
					struct contacts_wish *out);
/* Do it, all or nothing (10.3 items 6 and 7); `all_out` gets what is bound then. The reason as above. */
enum register_reason edge_contacts_apply(struct registration *r, const struct contacts_wish *wish,
					 const struct register_policy *policy, uint64_t now_us, struct bindings *all_out);

#endif
