/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dynamic blacklist for people: who is on it and why; what they put on it themselves is kept in the database. */
#include "api/api_int.h"

#include <stdio.h>
#include <stdlib.h>

#define COPY_MAX (32u << 20)

static int newest_first(const void *a, const void *b)
{
	const struct blacklist_entry *x = a, *y = b;

	return x->since_us > y->since_us ? -1 : x->since_us < y->since_us;
}

static const char *side_of(enum blacklist_rule rule)
{
	return blacklist_rule_is_callee(rule) ? "callee" : "caller";
}

static void write_entry(struct buf *out, const struct blacklist_entry *entry)
{
	char time[40];

	api_json_open(out, NULL, '{');
	api_json_text(out, "side", side_of(entry->rule));
	api_json_text(out, "number", entry->number);
	api_json_text(out, "rule", blacklist_rule_name(entry->rule));
	if (entry->limit) {
		api_json_number(out, "count", entry->count);
		api_json_number(out, "limit", entry->limit);
	}
	api_json_text(out, "since", clock_format(entry->since_us, time, sizeof(time)));
	if (entry->until_us)
		api_json_text(out, "until", clock_format(entry->until_us, time, sizeof(time)));
	api_json_close(out, '}');
}

void api_get_blacklist(struct api_request *req)
{
	struct model *m = model_hub_get(req->sw->hub);
	struct buf copy = BUF_INIT(COPY_MAX);
	struct blacklist_entry *entries;
	const char *q = api_text(req, "q");
	uint64_t left = api_number(req, "limit");
	size_t n;

	blacklist_copy(m->blacklist, clock_utc_us(), &copy);
	entries = (struct blacklist_entry *)(void *)copy.p;
	n = copy.len / sizeof(*entries);
	if (n)
		qsort(entries, n, sizeof(*entries), newest_first);
	api_json_open(&req->out, NULL, '{');
	api_json_number(&req->out, "total", (int64_t)n);
	api_json_number(&req->out, "missed", (int64_t)blacklist_missed(m->blacklist));
	api_json_open(&req->out, "entries", '[');
	for (size_t i = 0; i < n && left; i++) {
		if (q && !strstr(entries[i].number, q))
			continue;
		write_entry(&req->out, &entries[i]);
		left--;
	}
	api_json_close(&req->out, ']');
	api_json_close(&req->out, '}');
	buf_free(&copy);
	model_unref(&m);
}

static void fail_store(struct api_request *req, int err)
{
	char text[128];

	api_fail(req, 503, &(struct api_problem){ .remedy = "mend the database, then try again" },
		 "the blacklist could not be kept and is as it was: %s",
		 strerror_r(-err, text, sizeof(text)));
}

/* Whether it is a callee, from the path. */
static bool is_callee(const struct api_request *req)
{
	return api_number(req, "side") == 1;
}

/* 0 = for good. False: the request has failed. */
static bool read_until(struct api_request *req, uint64_t now_us, uint64_t *until_out)
{
	const char *text = api_text(req, "for");
	uint64_t us = 0;

	*until_out = 0;
	if (!text)
		return true;
	if (duration_parse(span_of(text), &us) || us < SEC || us > 3650 * 86400 * SEC) {
		api_fail(req, 400,
			 &(struct api_problem){ .field = "for",
						.value = text,
						.limit = "1s to 3650d",
						.remedy = "write 2h, 7d or the like; without it: "
							  "for good" },
			 "this is no duration");
		return false;
	}
	*until_out = now_us + us;
	return true;
}

static int add(struct api_request *req, struct blacklist *b, uint64_t now_us, uint64_t until_us)
{
	const char *number = api_text(req, "number");
	int err = store_put_blacklist(req->sw->store, is_callee(req), number, now_us, until_us,
				      req->who);

	if (!err && blacklist_add(b, is_callee(req), span_of(number), now_us, until_us)) {
		store_drop_blacklist(req->sw->store, is_callee(req), number, req->who);
		return -ENOSPC;
	}
	return err;
}

void api_put_blacklist(struct api_request *req)
{
	struct blacklist_entry entry = { .rule = is_callee(req) ? BLACKLIST_CALLEE
								: BLACKLIST_CALLER,
					 .since_us = clock_utc_us() };
	struct model *m;
	int err;

	if (!read_until(req, entry.since_us, &entry.until_us))
		return;
	m = model_hub_get(req->sw->hub);
	err = add(req, m->blacklist, entry.since_us, entry.until_us);
	model_unref(&m);
	span_copy(span_of(api_text(req, "number")), entry.number, sizeof(entry.number));
	if (err == -ENOSPC)
		api_fail(req, 409,
			 &(struct api_problem){ .field = "number",
						.value = entry.number,
						.remedy = "for thousands of numbers use a number "
							  "group and blacklist_callers or "
							  "blacklist_callees" },
			 "the blacklist has no room where this number belongs");
	else if (err)
		fail_store(req, err);
	else
		write_entry(&req->out, &entry);
}

void api_delete_blacklist(struct api_request *req)
{
	const char *number = api_text(req, "number");
	struct model *m = model_hub_get(req->sw->hub);
	struct blacklist_entry entry;
	bool there = blacklist_find(m->blacklist, is_callee(req), span_of(number), clock_utc_us(),
				    &entry);
	int err =
		there ? store_drop_blacklist(req->sw->store, is_callee(req), number, req->who) : 0;

	if (!there) {
		api_fail(req, 404,
			 &(struct api_problem){ .field = "number",
						.value = number,
						.remedy = "causeway blacklist list shows all" },
			 "no such %s is blacklisted", is_callee(req) ? "callee" : "caller");
	} else if (err) {
		fail_store(req, err);
	} else {
		blacklist_remove(m->blacklist, is_callee(req), span_of(number), clock_utc_us());
		write_entry(&req->out, &entry);
	}
	model_unref(&m);
}
