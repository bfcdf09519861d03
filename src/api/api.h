/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api: /api/v1 over HTTP, on a Unix socket and on a TCP address. One route table makes the dispatcher and
 * the OpenAPI document. Reads copies, sends commands, never touches a call: what it needs of the running switch it asks
 * of `struct api_switch`, whose functions the daemon provides. Its own threads. */
#ifndef CAUSEWAY_API_H
#define CAUSEWAY_API_H

#include "route/route.h"
#include "store/store.h"
#include "trace/trace.h"

/* Functions of the running switch; any thread may call them, they may wait up to a second for workers. Each writes JSON. */
struct api_switch {
	void *arg;
	const char *node;		/* the boot file's name of this one */
	struct model_hub *hub;
	struct store *store;
	struct journal *journal;
	struct trace *trace;		/* NULL = there is none */
	/* {"version":..., "uptime_s":..., "workers":[...], "calls":..., "draining":..., ...} */
	void (*status)(void *arg, struct buf *out);
	/* {"calls":[...],"next":...}: live calls by id descending; `filter` matches numbers, gateways or ids ("" = all). */
	void (*list_calls)(void *arg, const char *filter, uint64_t before_id, unsigned limit, struct buf *out);
	/* False: no live call of that id. */
	bool (*show_call)(void *arg, uint64_t call_id, struct buf *out);
	bool (*hangup_call)(void *arg, uint64_t call_id, const char *who);
	/* {"registrations":[...]} of the device of this name; NULL = all. */
	void (*list_registrations)(void *arg, const char *name, struct buf *out);
	/* {"devices":[...]}: why this user is not registered; "" = all that fail. */
	void (*analyse_registrations)(void *arg, const char *user, struct buf *out);
	/* {"suspensions":[...]}: users who failed to prove themselves too often. */
	void (*list_suspensions)(void *arg, struct buf *out);
	/* Lift those of a user, NULL = all; how many were in force. `who` for the log. */
	unsigned (*lift_suspensions)(void *arg, const char *user, const char *who);
	/* {"total":..., "forgotten":..., "sources":[...]}: refused and unknown sources, newest first. */
	void (*list_sources)(void *arg, const char *q, unsigned limit, struct buf *out);
	/* Forget them, or those of one address (NULL = all): how many tables' entries went, or -EINVAL: no address. */
	int (*clear_sources)(void *arg, const char *address);
	/* Everything that can be seen of a routing gateway from here; takes up to ten seconds. False: there is none of
	 * this name. */
	bool (*test_gateway)(void *arg, const char *name, struct buf *out);
	/* A new configuration was stored: swap it in. */
	void (*apply_model)(void *arg, struct model *m);
};

struct api;
struct api_config {
	const char *socket;		/* path; mode 0660; NULL = none */
	const char *listen;		/* "127.0.0.1:8080"; NULL = none. Only a loopback address is taken until users exist */
	const char *version;
};
int api_open(struct api **api_out, const struct api_config *config, const struct api_switch *sw, char *why, size_t why_size);
void api_close(struct api **api);
/* The OpenAPI 3.1 document, from the route table; needs no open api. */
void api_write_openapi(struct buf *out);

#endif
