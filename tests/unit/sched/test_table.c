/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/table.h"
#include "support/sched/quick.h"
#include "support/sched/rng.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum {
	MANY = 100000
};

static struct table t;

static void setup(void)
{
	quick_assert(table_init(&t, (uint64_t[]){ 1, 2 }));
}

static void teardown(void)
{
	table_fini(&t);
}

static struct reqid id_of(uint32_t n)
{
	return (struct reqid){ 1500000000000000 + n / 3, n % 3 };
}

static uint32_t add(uint32_t n)
{
	uint32_t handle = table_add(&t, id_of(n));

	quick_assert(handle != TABLE_NONE);
	return handle;
}

START_TEST(an_id_that_was_not_added_is_not_found)
{
	quick_assert_uint_eq(table_find(&t, id_of(1)), TABLE_NONE);

	add(1);

	quick_assert_uint_eq(table_find(&t, id_of(2)), TABLE_NONE);
	quick_assert_uint_eq(table_find(&t, id_of(4)), TABLE_NONE);
}
END_TEST

START_TEST(an_entry_is_found_by_its_id_and_is_zeroed)
{
	uint32_t handle = add(5);
	struct entry zero = { .id = id_of(5) };

	quick_assert_uint_eq(table_find(&t, id_of(5)), handle);
	quick_assert(reqid_is(table_at(&t, handle)->id, id_of(5)));
	ck_assert_int_eq(table_at(&t, handle)->since_ns, zero.since_ns);
	quick_assert_uint_eq(table_at(&t, handle)->ref, 0);
	quick_assert_uint_eq(table_at(&t, handle)->tm, 0);
	quick_assert_uint_eq(table_at(&t, handle)->state, 0);
	quick_assert_uint_eq(table_at(&t, handle)->flags, 0);
}
END_TEST

START_TEST(an_entry_that_is_used_again_is_zeroed_again)
{
	for (int i = 0; i < 3; i++) {
		uint32_t handle = add(5);
		struct entry *e = table_at(&t, handle);
		ck_assert_int_eq(e->since_ns, 0);
		quick_assert_uint_eq(e->ref, 0);
		quick_assert_uint_eq(e->tm, 0);
		quick_assert_uint_eq(e->state, 0);
		quick_assert_uint_eq(e->flags, 0);
		e->since_ns = INT64_MAX;
		e->ref = UINT32_MAX;
		e->tm = UINT16_MAX;
		e->state = e->flags = UINT8_MAX;
		table_unlink(&t, handle);
		table_release(&t, handle);
	}
}
END_TEST

START_TEST(an_unlinked_id_is_unknown_while_its_entry_stays)
{
	uint32_t handle = add(1), other = add(2);

	table_at(&t, handle)->ref = 77;
	table_unlink(&t, handle);

	quick_assert_uint_eq(table_find(&t, id_of(1)), TABLE_NONE);
	quick_assert_uint_eq(table_find(&t, id_of(2)), other);
	quick_assert_uint_eq(table_at(&t, handle)->ref, 77);
	quick_assert(reqid_is(table_at(&t, handle)->id, id_of(1)));
}
END_TEST

START_TEST(a_relinked_id_is_found_again)
{
	uint32_t handle = add(1);

	table_unlink(&t, handle);
	table_relink(&t, handle);

	quick_assert_uint_eq(table_find(&t, id_of(1)), handle);
}
END_TEST

START_TEST(an_id_can_be_added_again_while_its_old_entry_is_not_released)
{
	uint32_t old = add(1);

	table_at(&t, old)->ref = 1;
	table_unlink(&t, old);
	uint32_t new = add(1);
	table_at(&t, new)->ref = 2;

	quick_assert(new != old);
	quick_assert_uint_eq(table_find(&t, id_of(1)), new);
	table_release(&t, old);
	quick_assert_uint_eq(table_find(&t, id_of(1)), new);
	quick_assert_uint_eq(table_at(&t, new)->ref, 2);
}
END_TEST

START_TEST(released_handles_are_used_again)
{
	for (uint32_t i = 0; i < 100; i++)
		add(i);
	uint32_t used = t.n;

	for (uint32_t i = 0; i < 50 * 1000; i++) {
		uint32_t handle = table_find(&t, id_of(i));
		table_unlink(&t, handle);
		table_release(&t, handle);
		add(i + 100);
	}

	quick_assert_uint_eq(t.n, used);
	quick_assert_uint_eq(t.n_linked, 100);
}
END_TEST

START_TEST(the_hash_is_at_most_half_full)
{
	for (uint32_t i = 0; i < MANY; i++) {
		add(i);
		quick_assert(2 * t.n_linked <= t.n_slots);
		quick_assert_uint_eq(t.n_slots & (t.n_slots - 1), 0);
	}
	quick_assert_uint_eq(t.n_linked, MANY);
}
END_TEST

START_TEST(handles_stay_valid_while_the_table_grows)
{
	uint32_t *handle = calloc(MANY, sizeof *handle);

	for (uint32_t i = 0; i < MANY; i++) {
		handle[i] = add(i);
		table_at(&t, handle[i])->ref = i;
	}

	for (uint32_t i = 0; i < MANY; i++) {
		quick_assert_uint_eq(table_find(&t, id_of(i)), handle[i]);
		quick_assert_uint_eq(table_at(&t, handle[i])->ref, i);
	}
	quick_assert_uint_eq(table_find(&t, id_of(MANY)), TABLE_NONE);
	free(handle);
}
END_TEST

START_TEST(an_entry_takes_32_bytes)
{
	quick_assert_uint_eq(sizeof(struct entry), 32);
}
END_TEST

/* ---- against a model that is an array ---- */

enum {
	IDS = 3000,
	OPS = 400 * 1000
};

static struct {
	uint32_t linked, lost[2]; /* handles: found by the id; unlinked and not released */
	uint32_t n_lost, ref;
} model[IDS];

static void random_step(uint64_t *rng)
{
	uint32_t n = rng_below(rng, IDS), op = rng_below(rng, 100);
	uint32_t handle = model[n].linked;

	quick_assert_uint_eq(table_find(&t, id_of(n)), handle);
	if (handle == TABLE_NONE && op < 60) {
		model[n].linked = add(n);
		model[n].ref = table_at(&t, model[n].linked)->ref = (uint32_t)rng_next(rng);
	} else if (handle != TABLE_NONE && op < 35) {
		quick_assert_uint_eq(table_at(&t, handle)->ref, model[n].ref);
		table_unlink(&t, handle);
		model[n].linked = TABLE_NONE;
		if (op < 5) {
			table_relink(&t, handle);
			model[n].linked = handle;
		} else if (op < 20 && model[n].n_lost < 2) {
			model[n].lost[model[n].n_lost++] = handle;
		} else {
			table_release(&t, handle);
		}
	} else if (op > 80 && model[n].n_lost > 0) {
		uint32_t lost = model[n].lost[--model[n].n_lost];
		quick_assert(reqid_is(table_at(&t, lost)->id, id_of(n)));
		table_release(&t, lost);
	}
}

START_TEST(it_agrees_with_a_model_after_each_of_many_random_steps)
{
	uint64_t rng = (uint64_t)_i;
	uint32_t linked = 0, lost = 0;

	for (uint32_t i = 0; i < IDS; i++)
		model[i].linked = TABLE_NONE;
	for (uint32_t i = 0; i < OPS; i++)
		random_step(&rng);

	for (uint32_t i = 0; i < IDS; i++) {
		quick_assert_uint_eq(table_find(&t, id_of(i)), model[i].linked);
		linked += model[i].linked != TABLE_NONE;
		lost += model[i].n_lost;
	}
	quick_assert_uint_eq(t.n_linked, linked);
	/* No entry is lost: as many as ever were in use at once. */
	quick_assert(t.n <= 3 * IDS);
	ck_assert_uint_ge(t.n, linked + lost);
}
END_TEST

static Suite *table_suite(void)
{
	Suite *s = suite_create("sched/table");
	TCase *one = tcase_create("entries"), *many = tcase_create("many");

	tcase_add_checked_fixture(one, setup, teardown);
	tcase_add_test(one, an_id_that_was_not_added_is_not_found);
	tcase_add_test(one, an_entry_is_found_by_its_id_and_is_zeroed);
	tcase_add_test(one, an_entry_that_is_used_again_is_zeroed_again);
	tcase_add_test(one, an_unlinked_id_is_unknown_while_its_entry_stays);
	tcase_add_test(one, a_relinked_id_is_found_again);
	tcase_add_test(one, an_id_can_be_added_again_while_its_old_entry_is_not_released);
	tcase_add_test(one, an_entry_takes_32_bytes);
	suite_add_tcase(s, one);

	tcase_add_checked_fixture(many, setup, teardown);
	tcase_add_test(many, released_handles_are_used_again);
	tcase_add_test(many, the_hash_is_at_most_half_full);
	tcase_add_test(many, handles_stay_valid_while_the_table_grows);
	tcase_add_loop_test(many, it_agrees_with_a_model_after_each_of_many_random_steps, 0, 4);
	suite_add_tcase(s, many);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(table_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
