/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"
#include "sched/later.h"
#include "support/sched/quick.h"
#include "support/sched/rng.h"

#include <check.h>

static struct later l;

static void setup(void)
{
	l = (struct later){ 0 };
}

static void teardown(void)
{
	later_fini(&l);
}

static struct reqid id_of(uint32_t n)
{
	return (struct reqid){ 1500000000000000, n };
}

static uint32_t take(int64_t now_ns)
{
	struct reqid id;

	return later_take(&l, now_ns, &id) ? (uint32_t)id.suffix : UINT32_MAX;
}

START_TEST(while_nothing_waits_there_is_no_time)
{
	ck_assert_int_eq(later_first(&l), TIME_NEVER);
	ck_assert_int_eq(later_until(&l, id_of(1)), 0);
	ck_assert_uint_eq(take(INT64_MAX), UINT32_MAX);
}
END_TEST

START_TEST(one_that_waits_is_taken_at_its_time_once)
{
	ck_assert(later_put(&l, id_of(1), 50));
	ck_assert_int_eq(later_first(&l), 50);
	ck_assert_int_eq(later_until(&l, id_of(1)), 50);
	ck_assert_int_eq(later_until(&l, id_of(2)), 0);

	ck_assert_uint_eq(take(49), UINT32_MAX);
	ck_assert_uint_eq(take(50), 1);
	ck_assert_uint_eq(take(50), UINT32_MAX);

	ck_assert_int_eq(later_first(&l), TIME_NEVER);
	ck_assert_int_eq(later_until(&l, id_of(1)), 0);
}
END_TEST

START_TEST(the_first_time_is_that_of_the_earliest)
{
	ck_assert(later_put(&l, id_of(1), 30));
	ck_assert(later_put(&l, id_of(2), 10));
	ck_assert(later_put(&l, id_of(3), 20));

	ck_assert_int_eq(later_first(&l), 10);
	ck_assert_uint_eq(take(15), 2);
	ck_assert_uint_eq(take(15), UINT32_MAX);
	ck_assert_int_eq(later_first(&l), 20);
	ck_assert_uint_eq(take(25), 3);
	ck_assert_int_eq(later_first(&l), 30);
	ck_assert_uint_eq(take(100), 1);
}
END_TEST

/* ---- against a model: until[n], or 0 ---- */

enum {
	IDS = 60
};

static int64_t until[IDS];

static void check_model(int64_t now_ns, uint32_t taken)
{
	int64_t first = TIME_NEVER;

	if (taken != UINT32_MAX) {
		quick_assert(taken < IDS && until[taken] != 0 && until[taken] <= now_ns);
		until[taken] = 0;
	}
	for (uint32_t i = 0; i < IDS; i++) {
		quick_assert(later_until(&l, id_of(i)) == until[i]);
		if (until[i] != 0 && until[i] < first)
			first = until[i];
		/* When it says that there is none, there is none. */
		quick_assert(taken != UINT32_MAX || until[i] == 0 || until[i] > now_ns);
	}
	quick_assert(later_first(&l) == first);
}

START_TEST(it_agrees_with_a_model_after_each_of_many_random_steps)
{
	uint64_t rng = (uint64_t)_i;
	int64_t now_ns = 1;

	for (uint32_t step = 0; step < 20 * 1000; step++) {
		uint32_t n = rng_below(&rng, IDS);
		if (until[n] == 0 && rng_percent(&rng, 60)) {
			until[n] = now_ns + 1 + rng_below(&rng, 200);
			quick_assert(later_put(&l, id_of(n), until[n]));
		}
		now_ns += rng_below(&rng, 5);
		uint32_t taken;
		do {
			taken = take(now_ns);
			check_model(now_ns, taken);
		} while (taken != UINT32_MAX);
	}
}
END_TEST

static Suite *later_suite(void)
{
	Suite *s = suite_create("sched/later");
	TCase *later = tcase_create("later");

	tcase_add_checked_fixture(later, setup, teardown);
	tcase_add_test(later, while_nothing_waits_there_is_no_time);
	tcase_add_test(later, one_that_waits_is_taken_at_its_time_once);
	tcase_add_test(later, the_first_time_is_that_of_the_earliest);
	tcase_add_loop_test(later, it_agrees_with_a_model_after_each_of_many_random_steps, 0, 4);
	suite_add_tcase(s, later);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(later_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
