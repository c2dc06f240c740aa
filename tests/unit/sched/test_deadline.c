/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"
#include "sched/deadline.h"
#include "support/sched/quick.h"
#include "support/sched/rng.h"

#include <check.h>

enum {
	MANY = 500
};

static struct deadlines d;

static void setup(void)
{
	ck_assert(deadline_init(&d, (const uint64_t[]){ 3, 4 }));
}

static void teardown(void)
{
	deadline_fini(&d);
}

static struct reqid id_of(uint32_t n)
{
	return (struct reqid){ 1500000000000000 + n / 2, n };
}

static void takes(int64_t now_ns, uint32_t n)
{
	struct reqid id;

	ck_assert(deadline_take(&d, now_ns, &id));
	ck_assert(reqid_is(id, id_of(n)));
}

START_TEST(none_is_due_never)
{
	struct reqid id;

	ck_assert_int_eq(deadline_first(&d), TIME_NEVER);
	ck_assert(!deadline_take(&d, INT64_MAX, &id));
	deadline_drop(&d, id_of(1));
}
END_TEST

START_TEST(they_are_taken_when_their_time_has_come_the_earliest_first)
{
	struct reqid id;

	ck_assert(deadline_set(&d, id_of(1), 30));
	ck_assert(deadline_set(&d, id_of(2), 10));
	ck_assert(deadline_set(&d, id_of(3), 20));
	ck_assert_int_eq(deadline_first(&d), 10);
	ck_assert(!deadline_take(&d, 9, &id));
	takes(20, 2);
	takes(20, 3);
	ck_assert(!deadline_take(&d, 20, &id));
	ck_assert_int_eq(deadline_first(&d), 30);
}
END_TEST

START_TEST(one_can_be_moved_and_dropped)
{
	ck_assert(deadline_set(&d, id_of(1), 30));
	ck_assert(deadline_set(&d, id_of(2), 20));
	ck_assert(deadline_set(&d, id_of(1), 10));
	ck_assert_int_eq(deadline_first(&d), 10);
	ck_assert(deadline_set(&d, id_of(1), 40));
	ck_assert_int_eq(deadline_first(&d), 20);
	deadline_drop(&d, id_of(2));
	ck_assert_int_eq(deadline_first(&d), 40);
	deadline_drop(&d, id_of(1));
	ck_assert_int_eq(deadline_first(&d), TIME_NEVER);
}
END_TEST

/* Held against a plain array, looked through. */
START_TEST(any_mixture_of_them_is_kept_in_order)
{
	int64_t at[MANY];
	uint64_t rng = (uint64_t)_i;
	uint32_t n = 0;

	for (uint32_t i = 0; i < MANY; i++)
		at[i] = TIME_NEVER;
	for (int step = 0; step < 20000; step++) {
		uint32_t x = rng_below(&rng, MANY), op = rng_below(&rng, 10);
		struct reqid id;
		if (op < 5) {
			n += at[x] == TIME_NEVER;
			at[x] = rng_below(&rng, 1000);
			quick_assert(deadline_set(&d, id_of(x), at[x]));
		} else if (op < 7) {
			n -= at[x] != TIME_NEVER;
			at[x] = TIME_NEVER;
			deadline_drop(&d, id_of(x));
		} else if (deadline_take(&d, 1000, &id)) {
			uint32_t y = (uint32_t)id.suffix;
			for (uint32_t i = 0; i < MANY; i++)
				quick_assert(at[y] <= at[i]);
			at[y] = TIME_NEVER;
			n--;
		}
		quick_assert_uint_eq(d.n, n);
	}
}
END_TEST

START_TEST(what_comes_and_goes_leaves_nothing_behind)
{
	struct reqid id;

	for (uint32_t i = 0; i < 100000; i++) {
		quick_assert(deadline_set(&d, id_of(i), i));
		if (i % 2)
			deadline_drop(&d, id_of(i));
		else
			quick_assert(deadline_take(&d, i, &id));
	}
	ck_assert_uint_eq(d.n, 0);
	ck_assert_uint_le(d.cap, 16);
	ck_assert_uint_le(d.table.n, 1);
}
END_TEST

static Suite *deadline_suite(void)
{
	Suite *s = suite_create("sched/deadline");
	TCase *any = tcase_create("deadline");

	tcase_add_checked_fixture(any, setup, teardown);
	tcase_add_test(any, none_is_due_never);
	tcase_add_test(any, they_are_taken_when_their_time_has_come_the_earliest_first);
	tcase_add_test(any, one_can_be_moved_and_dropped);
	tcase_add_loop_test(any, any_mixture_of_them_is_kept_in_order, 0, 4);
	tcase_add_test(any, what_comes_and_goes_leaves_nothing_behind);
	suite_add_tcase(s, any);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(deadline_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
