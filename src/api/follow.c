/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The trace as it passes, as server-sent events: one `data:` line of JSON for each entry. The trace's writer fills a queue of
 * each client, which takes what it can and counts the rest; nobody waits for a client. While a queue is empty its connection is
 * suspended. A comment line every few seconds shows whether the client is still there.
 *
 * A number, a gateway, an address or a Call-ID choose calls: what is still remembered of such a call and all that follows is
 * shown, since a gateway is known only when it is dialled. Method and kind choose among the entries of those. */
#include "api/api_int.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>

#define FOLLOWS_MAX 16
#define QUEUE_BYTES (1u << 20)
#define PIECE_BYTES 32768
#define BEAT_S 5
#define CALLS 256 /* chosen ones that are remembered */
#define PAST 512 /* entries of calls not chosen (yet) that are remembered */
#define PAST_BYTES 4096 /* the longest of them */

struct follow_filter {
	char number[65], gateway[64], address[64], sip_call_id[256], method[33];
	uint64_t call;
	enum trace_kind kind; /* TRACE_KINDS: any */
	bool chooses; /* any of those that choose calls is given */
	bool mask;
};

struct follow {
	struct trace_tap tap;
	struct list node; /* of api->follows */
	struct api *api;
	struct MHD_Connection *connection;
	struct follow_filter filter;
	uint64_t calls[CALLS]; /* the writer's: those chosen, in turn */
	unsigned n_calls;
	struct past {
		uint64_t call;
		char *event; /* NULL = taken, or too long */
		size_t len;
	} past[PAST]; /* likewise, where calls are chosen */
	unsigned n_past;
	pthread_mutex_t lock; /* over what is below */
	struct buf queue;
	uint64_t dropped;
	bool suspended, ending;
};

/* ---- what is wanted ------------------------------------------------------------------------------------ */

static bool contains(struct span s, const char *word)
{
	return s.len && memmem(s.p, s.len, word, strlen(word));
}

/* The lines of a message that name people. */
static bool is_number_line(struct span line, bool first)
{
	static const char *const names[] = { "From:",
					     "To:",
					     "f:",
					     "t:",
					     "P-Asserted-Identity:",
					     "P-Preferred-Identity:",
					     "Remote-Party-ID:",
					     "Diversion:",
					     "Contact:",
					     "m:" };

	if (first)
		return !span_istarts(line, SPAN("SIP/2.0"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_istarts(line, span_of(names[i])))
			return true;
	return false;
}

static bool message_has_number(struct span text, const char *number)
{
	struct span line;
	bool more = true;

	for (bool first = true; more; first = false) {
		more = span_cut(text, '\n', &line, &text);
		if (!span_trim(line).len)
			return false;
		if (is_number_line(line, first) && contains(line, number))
			return true;
	}
	return false;
}

static bool note_has_number(const struct trace_entry *entry, const char *number)
{
	static const char *const fields[] = { "caller",    "callee",     "caller_in",
					      "callee_in", "caller_out", "callee_out" };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (contains(trace_entry_field(entry, fields[i]), number))
			return true;
	return contains(entry->object, number);
}

static bool has_number(const struct trace_entry *entry, const char *number)
{
	return entry->kind == TRACE_MESSAGE ? message_has_number(entry->text, number)
					    : note_has_number(entry, number);
}

static bool has_gateway(const struct trace_entry *entry, const char *gateway)
{
	struct span name = span_of(gateway);

	return span_eq(entry->object, name) ||
	       span_eq(trace_entry_field(entry, "mapping_gateway"), name) ||
	       span_eq(trace_entry_field(entry, "routing_gateway"), name);
}

static bool is_place(struct span place, const char *address)
{
	struct span wanted = span_of(address);

	return span_starts(place, wanted) &&
	       (place.len == wanted.len || place.p[wanted.len] == ':');
}

static bool has_address(const struct trace_entry *entry, const char *address)
{
	char from[API_ADDRESS_TEXT], to[API_ADDRESS_TEXT];

	if (entry->kind == TRACE_MESSAGE)
		return is_place(span_of(api_format_address(&entry->from, from)), address) ||
		       is_place(span_of(api_format_address(&entry->to, to)), address);
	return is_place(trace_entry_field(entry, "caller_addr"), address) ||
	       is_place(trace_entry_field(entry, "callee_addr"), address);
}

static bool is_chosen(const struct follow_filter *f, const struct trace_entry *entry)
{
	return (!f->call || entry->call == f->call) &&
	       (!f->sip_call_id[0] || span_eq(entry->sip_call_id, span_of(f->sip_call_id))) &&
	       (!f->number[0] || has_number(entry, f->number)) &&
	       (!f->gateway[0] || has_gateway(entry, f->gateway)) &&
	       (!f->address[0] || has_address(entry, f->address));
}

static bool is_chosen_call(const struct follow *follow, uint64_t call)
{
	unsigned n = follow->n_calls < CALLS ? follow->n_calls : CALLS;

	for (unsigned i = 0; call && i < n; i++)
		if (follow->calls[i] == call)
			return true;
	return false;
}

/* Of the calls that are chosen; *now_out: this entry chose its call. */
static bool is_of_chosen(struct follow *follow, const struct trace_entry *entry, bool *now_out)
{
	*now_out = false;
	if (!follow->filter.chooses || is_chosen_call(follow, entry->call))
		return true;
	if (!is_chosen(&follow->filter, entry))
		return false;
	if (entry->call)
		follow->calls[follow->n_calls++ % CALLS] = entry->call;
	*now_out = entry->call != 0;
	return true;
}

static bool is_wanted_kind(const struct follow_filter *f, const struct trace_entry *entry)
{
	if (f->kind != TRACE_KINDS && entry->kind != f->kind)
		return false;
	return !f->method[0] ||
	       (entry->kind == TRACE_MESSAGE && api_is_method(entry->text, span_of(f->method)));
}

/* ---- the queue -------------------------------------------------------------------------------------------- */

/* Under its lock. */
static void wake(struct follow *follow)
{
	if (!follow->suspended)
		return;
	follow->suspended = false;
	MHD_resume_connection(follow->connection);
}

/* Under its lock: whole events only, so that a client never sees half of one. */
static void enqueue(struct follow *follow, struct span event)
{
	char lost[96];
	size_t n = 0;

	if (follow->dropped)
		n = fmt_print(lost, sizeof(lost), "event: dropped\ndata: {\"dropped\":%llu}\n\n",
			      (unsigned long long)follow->dropped);
	if (follow->queue.len + n + event.len > QUEUE_BYTES) {
		follow->dropped++;
		return;
	}
	follow->dropped = 0;
	buf_add(&follow->queue, lost, n);
	buf_add_span(&follow->queue, event);
	if (follow->queue.failed) { /* no memory */
		buf_reset(&follow->queue);
		follow->dropped++;
	}
	wake(follow);
}

static void put(struct follow *follow, struct span event, bool failed)
{
	pthread_mutex_lock(&follow->lock);
	if (failed)
		follow->dropped++;
	else
		enqueue(follow, event);
	pthread_mutex_unlock(&follow->lock);
}

/* ---- the past -------------------------------------------------------------------------------- */

/* Its call may be chosen later. */
static void remember(struct follow *follow, uint64_t call, const struct buf *event)
{
	struct past *past = &follow->past[follow->n_past++ % PAST];

	free(past->event);
	*past = (struct past){ .call = call, .len = event->len };
	if (!event->failed && event->len <= PAST_BYTES)
		past->event = malloc(event->len);
	if (past->event)
		memcpy(past->event, event->p, event->len);
}

/* The call has been chosen: what came before, in its order. */
static void recall(struct follow *follow, uint64_t call)
{
	for (unsigned i = 0; i < PAST; i++) {
		struct past *past = &follow->past[(follow->n_past + i) % PAST];

		if (past->call != call || !past->event)
			continue;
		put(follow, (struct span){ past->event, past->len }, false);
		free(past->event);
		past->event = NULL;
	}
}

/* On the trace's writer's thread. */
static void on_entry(struct trace_tap *tap, const struct trace_entry *entry)
{
	struct follow *follow = container_of(tap, struct follow, tap);
	struct buf json = BUF_INIT(QUEUE_BYTES), event = BUF_INIT(QUEUE_BYTES);
	bool chosen_now, chosen = is_of_chosen(follow, entry, &chosen_now);

	if (chosen_now)
		recall(follow, entry->call);
	if (!is_wanted_kind(&follow->filter, entry) || (!chosen && !entry->call))
		return;
	api_write_trace_entry(&json, entry, 0, 0, follow->filter.mask);
	buf_add_str(&event, "data: ");
	buf_add_span(&event, buf_span(&json));
	buf_add_str(&event, "\n\n");
	event.failed |= json.failed;
	if (chosen)
		put(follow, buf_span(&event), event.failed);
	else
		remember(follow, entry->call, &event);
	buf_free(&json);
	buf_free(&event);
}

/* The server wants bytes to send. */
static ssize_t on_read(void *arg, uint64_t at, char *dst, size_t size)
{
	struct follow *follow = arg;
	struct buf *queue = &follow->queue;
	size_t n;
	bool over;

	pthread_mutex_lock(&follow->lock);
	n = queue->len < size ? queue->len : size;
	over = !n && follow->ending;
	if (n) {
		memcpy(dst, queue->p, n);
		queue->len -= n;
		memmove(queue->p, queue->p + n, queue->len);
	} else if (!over) {
		follow->suspended = true;
		MHD_suspend_connection(follow->connection);
	}
	pthread_mutex_unlock(&follow->lock);
	return over ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)n;
}

static void follow_free(struct follow *follow)
{
	for (unsigned i = 0; i < PAST; i++)
		free(follow->past[i].event);
	pthread_mutex_destroy(&follow->lock);
	buf_free(&follow->queue);
	free(follow);
}

/* The connection has ended. */
static void on_end(void *arg)
{
	struct follow *follow = arg;
	struct api *api = follow->api;

	trace_untap(api->sw.trace, &follow->tap);
	pthread_mutex_lock(&api->follow_lock);
	list_del(&follow->node);
	api->n_follows--;
	pthread_mutex_unlock(&api->follow_lock);
	follow_free(follow);
}

/* ---- the beat ----------------------------------------------------------------------------------------------- */

/* Everybody: a line that says nothing, or the end. */
static void beat(struct api *api, bool ending)
{
	list_for_each (node, &api->follows) {
		struct follow *follow = list_entry(node, struct follow, node);

		pthread_mutex_lock(&follow->lock);
		follow->ending |= ending;
		if (!follow->queue.len)
			buf_add_str(&follow->queue, ":\n\n");
		wake(follow);
		pthread_mutex_unlock(&follow->lock);
	}
}

static void *run_beat(void *arg)
{
	struct api *api = arg;
	struct timespec until;

	pthread_mutex_lock(&api->follow_lock);
	clock_gettime(CLOCK_REALTIME, &until);
	while (!api->follow_ending) {
		until.tv_sec += BEAT_S;
		while (!api->follow_ending &&
		       pthread_cond_timedwait(&api->follow_wake, &api->follow_lock, &until) == 0)
			;
		beat(api, api->follow_ending);
	}
	pthread_mutex_unlock(&api->follow_lock);
	return NULL;
}

static bool is_followed(struct api *api)
{
	bool yes;

	pthread_mutex_lock(&api->follow_lock);
	yes = api->n_follows > 0;
	pthread_mutex_unlock(&api->follow_lock);
	return yes;
}

void api_finish_follows(struct api *api)
{
	static const struct timespec moment = { .tv_nsec = 10000000 };

	pthread_mutex_lock(&api->follow_lock);
	api->follow_ending = true;
	beat(api, true);
	pthread_cond_signal(&api->follow_wake);
	pthread_mutex_unlock(&api->follow_lock);
	if (api->beating)
		pthread_join(api->beat, NULL);
	/* Whoever reads hears that this is the end; nobody else is waited for. */
	for (unsigned i = 0; i < 100 && is_followed(api); i++)
		nanosleep(&moment, NULL);
}

/* ---- the request ---------------------------------------------------------------------------------------------- */

static void take(const struct api_request *req, const char *name, char *dst, size_t size, bool *any)
{
	const char *text = api_text(req, name);

	span_copy(span_of(text), dst, size);
	*any |= text != NULL;
}

static void read_filter(const struct api_request *req, struct follow_filter *f)
{
	bool ignored = false;

	f->call = api_number(req, "call");
	f->chooses = f->call != 0;
	take(req, "number", f->number, sizeof(f->number), &f->chooses);
	if (f->number[0] == '+')
		memmove(f->number, f->number + 1, strlen(f->number));
	take(req, "gateway", f->gateway, sizeof(f->gateway), &f->chooses);
	take(req, "address", f->address, sizeof(f->address), &f->chooses);
	take(req, "sip_call_id", f->sip_call_id, sizeof(f->sip_call_id), &f->chooses);
	take(req, "method", f->method, sizeof(f->method), &ignored);
	f->kind = api_given(req, "kind") ? (enum trace_kind)api_number(req, "kind") : TRACE_KINDS;
	f->mask = api_number(req, "mask");
}

/* Room for another, counted. False: there is none. */
static bool enter(struct api *api, struct follow *follow)
{
	bool good;

	pthread_mutex_lock(&api->follow_lock);
	if (!api->beating && !api->follow_ending)
		api->beating = pthread_create(&api->beat, NULL, run_beat, api) == 0;
	good = api->beating && !api->follow_ending && api->n_follows < FOLLOWS_MAX;
	if (good) {
		api->n_follows++;
		list_add_tail(&api->follows, &follow->node);
	}
	pthread_mutex_unlock(&api->follow_lock);
	return good;
}

void api_follow_trace(struct api_request *req)
{
	struct follow *follow;

	if (!req->sw->trace) {
		api_fail_no_trace(req);
		return;
	}
	follow = calloc(1, sizeof(*follow));
	if (!follow) {
		api_fail(req, 503, NULL, "no memory to follow the trace");
		return;
	}
	follow->api = req->api;
	follow->connection = req->connection;
	follow->queue = BUF_INIT(2 * QUEUE_BYTES);
	follow->tap.entry = on_entry;
	pthread_mutex_init(&follow->lock, NULL);
	read_filter(req, &follow->filter);
	buf_add_str(&follow->queue, ":\n\n"); /* the client's headers go at once */
	if (!enter(req->api, follow)) {
		api_fail(req, 503, &(struct api_problem){ .remedy = "end one of them" },
			 "%d clients follow the trace already", FOLLOWS_MAX);
		follow_free(follow);
		return;
	}
	trace_tap(req->sw->trace, &follow->tap);
	req->stream = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, on_read,
							follow, on_end);
	if (!req->stream) {
		on_end(follow);
		api_fail(req, 503, NULL, "no memory to follow the trace");
	}
}
