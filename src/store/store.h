/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store: the only module that speaks to a database. SQLite (WAL) here; the same interface serves
 * PostgreSQL later. Its own threads call it: a slow or dead database never stops calls. */
#ifndef CAUSEWAY_STORE_H
#define CAUSEWAY_STORE_H

#include "cdr/cdr.h"

struct store;

/* `url`: "sqlite:PATH" (relative paths under `data_folder`). Creates and migrates the schema (versioned, each migration in
 * one transaction). 0 or -errno with `why` (which names the file and the remedy). Thread-safe: an inner lock, a
 * connection for writing and one for reading. */
int store_open(struct store **store_out, const char *url, const char *data_folder, char *why, size_t why_size);
void store_close(struct store **store);

/* The configuration, kept as its objects (one row each) and readable as one snapshot. store_save replaces all in one
 * transaction with an audit row (who, when, how many of what changed). */
int store_load_model(struct store *store, struct model **model_out, char *why, size_t why_size);
int store_save_model(struct store *store, const struct model *m, const char *who, char *why, size_t why_size);

/* The objects of this kind (see model_kind) become those of `m`, which has lost none of them; all in one transaction
 * with an audit row of `what` and `detail` (JSON). Only what differs is written. */
int store_save_kind(struct store *store, const struct model *m, unsigned kind, const char *who, const char *what,
		    const char *detail, char *why, size_t why_size);

/* Contacts of registered devices. Texts are lent; "" = none. */
struct store_contact {
	const char *contact, *path, *transport, *source, *local, *user_agent, *call_id;
	uint32_t cseq, q;
	bool natted;
	uint64_t registered_utc_us, expires_utc_us;
};
struct store_device {
	const char *kind, *name;	/* "phone", "1001" */
	unsigned n;			/* 0 = nothing is kept of it any more */
	const struct store_contact *contact;
};
/* What is kept of each of these becomes this, all in one transaction. 0 or -errno. */
int store_save_contacts(struct store *store, const struct store_device *devices, unsigned n);
/* Each contact that has not expired, with its device (n 1), best first within it. Expired ones are removed. */
int store_load_contacts(struct store *store, uint64_t utc_us, void (*found)(void *arg, const struct store_device *device),
			void *arg);

/* Journal sink: all in one transaction, idempotent by (call id, attempt). 0 or -errno. */
int store_sink(void *store, struct cdr_entry *entries, unsigned n);

struct cdr_filter {
	uint64_t since_us, until_us;	/* of `started`; 0 = open */
	const char *number;		/* caller or callee, any form, prefix match; NULL = all */
	const char *gateway;		/* mapping or routing */
	const char *account;
	const char *code;		/* end code */
	const char *sip_call_id;	/* either leg, exact */
	int answered;			/* -1 all, 0 only failed, 1 only answered */
	uint64_t before_id;		/* cursor: call ids below this; 0 = from the newest */
	unsigned limit;			/* 1..1000 */
};
/* Newest first; writes a JSON array of calls into `out`; *next_out gets the cursor for the next page (0 = last). */
int store_list_cdrs(struct store *store, const struct cdr_filter *filter, struct buf *out, uint64_t *next_out);
/* One JSON object: the call with "attempts":[...]. -ENOENT if there is none. */
int store_show_cdr(struct store *store, uint64_t call_id, struct buf *out);
/* Remove records older than `before_us`, at most `limit` a call; returns how many or -errno. */
int store_clean(struct store *store, uint64_t before_us, unsigned limit);
/* From now on until store_close a thread removes, in such steps, what is older than the parameter cdr_keep_days says. 0 or
 * -errno. `hub` outlives the store. */
int store_keep(struct store *store, struct model_hub *hub);
/* Numbers that operators put on the dynamic blacklist (`until_us` 0 = for good) or took off it, with an audit row. 0 or
 * -errno; nothing has changed then. */
int store_put_blacklist(struct store *store, bool callee, const char *number, uint64_t since_us, uint64_t until_us,
			const char *who);
int store_drop_blacklist(struct store *store, bool callee, const char *number, const char *who);
/* Those that are listed still come back onto it. 0 or -errno. */
int store_load_blacklist(struct store *store, struct blacklist *b, uint64_t utc_us);
/* JSON array of the audit rows, newest first. */
int store_list_audit(struct store *store, unsigned limit, struct buf *out);

#endif
