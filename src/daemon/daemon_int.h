/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of daemon: wiring. */
#ifndef CAUSEWAY_DAEMON_INT_H
#define CAUSEWAY_DAEMON_INT_H

#include "api/api.h"
#include "edge/edge.h"

#include <pthread.h>

#define WORKERS_MAX 64
#define PRODUCT "Causeway/" CAUSEWAY_VERSION

/* The boot file, read. */
struct boot {
	struct net_config net;
	char *certificate, *key, *ca;
	char *store_url, *data_folder;
	char *api_listen, *api_socket;
	char *node, *user, *log_target;
	char *dns_servers;
	enum log_level log_level;
	uint64_t workers;		/* 0 = one per core */
	uint64_t max_calls;		/* per worker */
};
/* Defaults, the file, conf.d beside it, then `sets` ("section.key=value"). On failure false and `why` says file, line, key,
 * value and what is allowed. `path` NULL: defaults and sets only. */
bool boot_read(struct boot *boot, const char *path, const char *const *sets, unsigned n_sets, char *why, size_t why_size);
void boot_free(struct boot *boot);

struct worker {
	struct process *process;
	unsigned index;
	pthread_t thread;
	struct loop loop;
	struct net *net;
	struct net_dns *dns;
	struct call_host host;
	struct edge *edge;
	struct loop_hook hook;
	uint64_t adopted;		/* model version that the edge has adopted */
};

struct process {
	struct boot boot;
	struct store *store;
	struct journal *journal;
	struct trace *trace;
	struct hep *hep;
	bool hep_tapped;		/* settings.c's */
	struct model_hub *hub;
	struct api *api;
	struct api_switch api_switch;
	unsigned n_workers;
	struct worker workers[WORKERS_MAX];
	unsigned char digest_key[32];
	struct suspensions *suspensions;
	struct contacts *contacts;
	atomic_bool draining;
	_Atomic enum log_level log_level;	/* the boot file's */
	atomic_bool settled;		/* settings_begin was called */
	uint64_t started_us;
};

/* worker.c */
unsigned workers_count(const struct boot *boot);
int workers_open(struct process *p, char *why, size_t why_size);
int workers_start(struct process *p);
/* End every live call with `end`, then stop and join. */
void workers_stop(struct process *p, const struct call_end *end);
uint32_t workers_live_calls(struct process *p);
/* Make every worker take the hub's snapshot now. */
void workers_nudge(struct process *p);
/* Run `fn` on each worker's thread in turn and wait, at most a second each. False if one did not answer. */
struct ask {
	void (*fn)(struct worker *w, struct ask *ask);
	const void *in;			/* lent; valid while the asker waits */
	struct buf out;
	uint64_t number;
	bool found;
};
bool worker_ask(struct worker *w, struct ask *ask);

/* settings.c */
/* Once, when the process has become the user that it runs as: what is made on disk is that user's. */
void settings_begin(struct process *p);
/* Follow the hub's parameters; nothing before settings_begin. Any thread. */
void settings_apply(struct process *p);

/* tracing.c */
/* The trace of this process, in `folder`. 0, or -errno and `why`. */
int tracing_open(struct process *p, const char *folder, char *why, size_t why_size);
/* What the configuration says of it is in force from now on. */
void tracing_set(struct process *p, const struct model *m);
void tracing_write_status(struct process *p, struct buf *out);

/* collectors.c */
/* What the configuration says of HEP collectors is in force from now on. */
void collectors_set(struct process *p, const struct model *m);
void collectors_write_status(struct process *p, struct buf *out);

/* contacts.c */
/* Bring back the registrations of before; workers are open and not yet started. */
void contacts_restore(struct process *p);
/* 0 or -errno. */
int contacts_start(struct contacts **out, struct process *p);
/* Writes what is yet to be written. Harmless for NULL. */
void contacts_stop(struct contacts **contacts);

/* gateway_test.c: for api_switch */
bool test_gateway(void *arg, const char *name, struct buf *out);

/* control.c */
void control_init(struct process *p);

#endif
