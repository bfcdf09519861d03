/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Contacts under a sequence lock: readers see one whole state or another, never a mixture; writers lose nothing of one
 * another's. */
#include "model/model_int.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct load_box *box;
static struct registration *shared;
static atomic_bool done;

/* All contacts of a state carry its number and a letter that follows from it. */
static int change(void *arg, struct bindings *all)
{
	uint32_t number = all->n ? all->binding[0].cseq + 1 : 1;

	all->n = number % BINDINGS_MAX + 1;
	for (unsigned i = 0; i < all->n; i++) {
		struct binding *b = &all->binding[i];

		memset(b, 0, sizeof(*b));
		b->cseq = number;
		b->expires_us = number;
		memset(b->contact, 'a' + (int)(number % 26), sizeof(b->contact) - 1);
		memset(b->path, 'a' + (int)(number % 26), sizeof(b->path) - 1);
	}
	return 0;
}

static void *write_states(void *arg)
{
	for (unsigned i = 0; i < 3000; i++)
		registration_update(shared, change, NULL);
	return NULL;
}

static void *read_states(void *arg)
{
	while (!atomic_load(&done)) {
		struct bindings all;

		registration_read(shared, &all);
		for (unsigned i = 0; i < all.n; i++) {
			const struct binding *b = &all.binding[i];

			assert(b->cseq == all.binding[0].cseq && b->cseq == b->expires_us);
			assert(all.n == b->cseq % BINDINGS_MAX + 1);
			for (size_t j = 0; j < sizeof(b->contact) - 1; j++)
				assert(b->contact[j] == 'a' + (char)(b->cseq % 26));
			assert(b->path[sizeof(b->path) - 2] == b->contact[0]);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t writers[2], readers[2];
	struct bindings all;

	for (int i = 0; i < 2; i++)
		pthread_create(&readers[i], NULL, read_states, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&writers[i], NULL, write_states, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	atomic_store(&done, true);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	registration_read(shared, &all);
	assert_int_equal(all.binding[0].cseq, 6000);
}

static int give_up(void *arg, struct bindings *all)
{
	all->n = 0;
	return -ECANCELED;
}

static int bind_two(void *arg, struct bindings *all)
{
	all->n = 2;
	all->binding[0] = (struct binding){ .contact = "sip:a@192.0.2.1", .expires_us = 100 };
	all->binding[1] =
		(struct binding){ .contact = "sip:b@192.0.2.2", .expires_us = 200, .natted = 1 };
	return 0;
}

static void test_states(void **state)
{
	struct bindings all;

	registration_take_changed(shared);
	assert_int_equal(registration_update(shared, bind_two, NULL), 0);
	assert_true(registration_take_changed(shared));
	assert_false(registration_take_changed(shared));
	assert_true(registration_is_natted(shared));
	assert_true(registration_is_live(shared, 199));
	assert_false(registration_is_live(shared, 200));

	/* what is given up leaves all as it was */
	assert_int_equal(registration_update(shared, give_up, NULL), -ECANCELED);
	assert_false(registration_take_changed(shared));
	registration_read(shared, &all);
	assert_int_equal(all.n, 2);
	bindings_prune(&all, 100);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.binding[0].contact, "sip:b@192.0.2.2");
}

/* At a vendor: an end, and a Service-Route or none. Nothing of it is for the disk. */
static void test_outbound(void **state)
{
	struct bindings all;

	registration_take_changed(shared);
	assert_int_equal(registration_set_outbound(shared, 50, "<sip:scscf;lr>"), 0);
	assert_true(registration_is_live(shared, 49));
	assert_false(registration_is_live(shared, 50));
	registration_read(shared, &all);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.binding[0].path, "<sip:scscf;lr>");
	assert_string_equal(all.binding[0].contact, "");
	assert_int_equal(registration_set_outbound(shared, 90, ""), 0);
	assert_true(registration_is_live(shared, 89));
	registration_read(shared, &all);
	assert_int_equal(all.n, 0);
	assert_false(registration_take_changed(shared));
	assert_int_equal(registration_set_outbound(shared, 0, ""), 0);
	assert_false(registration_is_live(shared, 1));
}

static int silence_first(void *arg, struct bindings *all)
{
	all->binding[0].unreachable_utc_us = 7;
	return 0;
}

static int silence_all(void *arg, struct bindings *all)
{
	for (unsigned i = 0; i < all->n; i++)
		all->binding[i].unreachable_utc_us = 7;
	return 0;
}

/* Registered, but some or all contacts do not answer. */
static void test_unreachable(void **state)
{
	struct bindings all;

	assert_int_equal(registration_update(shared, bind_two, NULL), 0);
	assert_true(registration_is_reachable(shared, 199));
	assert_false(registration_is_silent(shared));
	assert_int_equal(registration_update(shared, silence_first, NULL), 0);
	assert_true(registration_is_reachable(shared, 199));
	assert_true(registration_is_silent(shared));
	registration_read(shared, &all);
	bindings_drop_silent(&all);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.binding[0].contact, "sip:b@192.0.2.2");
	assert_int_equal(registration_update(shared, silence_all, NULL), 0);
	assert_true(registration_is_live(shared, 199));
	assert_false(registration_is_reachable(shared, 0));
	assert_int_equal(registration_update(shared, bind_two, NULL), 0);
	assert_true(registration_is_reachable(shared, 0));
	assert_false(registration_is_silent(shared));
	assert_int_equal(registration_set_outbound(shared, 300, ""), 0);
	assert_true(registration_is_reachable(shared, 299));
	assert_false(registration_is_reachable(shared, 300));
}

static int setup(void **state)
{
	box = load_box_new(KIND_PHONE);
	shared = box ? load_registration(&box->load) : NULL;
	return box ? 0 : -1;
}

static int teardown(void **state)
{
	load_box_unref(&box->load);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_outbound),
		cmocka_unit_test(test_unreachable),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
