/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A test of a gateway takes seconds: its connection is suspended and a thread of its own waits for the outcome,
 * so the server's few threads go on for everybody else. */
#include "api/api_int.h"

#include <microhttpd.h>
#include <time.h>

static void *run(void *arg)
{
	struct api_request *req = arg;
	struct api *api = req->api;
	const char *name = api_text(req, "name");

	if (!req->sw->test_gateway(req->sw->arg, name, &req->out))
		api_fail(req, 404, &(struct api_problem){ .field = "name", .value = name },
			 "no routing gateway has this name any more");
	MHD_resume_connection(req->connection); /* from here on the request is the server's again */
	atomic_fetch_sub(&api->tests, 1);
	return NULL;
}

static bool start(struct api_request *req)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	req->waiting = true;
	MHD_suspend_connection(req->connection);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, run, req);
	pthread_attr_destroy(&attr);
	return !err;
}

void api_test_gateway(struct api_request *req)
{
	const char *name = api_text(req, "name");
	struct model *m = model_hub_get(req->sw->hub);
	bool known = model_routing(m, span_of(name)) != NULL;
	bool mapping = model_mapping(m, span_of(name)) != NULL;

	if (!known && mapping)
		api_fail(req, 409,
			 &(struct api_problem){ .field = "name",
						.value = name,
						.remedy = "causeway source list shows what came "
							  "from it and was refused" },
			 "it is a mapping gateway: calls come from it, and none are sent there");
	else if (!known)
		api_fail_no_gateway(req, m, name);
	model_unref(&m);
	if (!known)
		return;
	if (atomic_fetch_add(&req->api->tests, 1) >= API_TESTS_MAX) {
		atomic_fetch_sub(&req->api->tests, 1);
		api_fail(req, 503, &(struct api_problem){ .remedy = "try again in a few seconds" },
			 "%d gateways are being tested already", API_TESTS_MAX);
	} else if (!start(req)) {
		api_fail(req, 503, &(struct api_problem){ 0 }, "no thread can be started for it");
		MHD_resume_connection(req->connection);
		atomic_fetch_sub(&req->api->tests, 1);
	}
}

void api_finish_tests(struct api *api)
{
	static const struct timespec moment = { .tv_nsec = 20000000 };

	/* As many again: none begins any more, for the server may not stop while one is suspended. */
	atomic_fetch_add(&api->tests, API_TESTS_MAX);
	while (atomic_load(&api->tests) > API_TESTS_MAX)
		nanosleep(&moment, NULL);
}
