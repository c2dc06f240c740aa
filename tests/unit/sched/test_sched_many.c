/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cost of one decision does not depend on how many wait: with a hundred thousand each of these
 * is done long before its time limit, and takes no more decisions than it has to.
 */
#include "base/time.h"
#include "sched/sched.h"
#include "support/sched/rig.h"

#include <check.h>

enum {
	MANY = 100000
};

static struct rig *r;

static void make(uint32_t n_requests, uint32_t n_tms, uint32_t max_running)
{
	struct sched_limits limits[RIG_TMS];

	for (int i = 0; i < RIG_TMS; i++)
		limits[i] = (struct sched_limits){ .max_running = max_running };
	r = rig_new(n_requests, n_tms, limits);
	r->light = true;
}

static void teardown(void)
{
	rig_free(r);
}

static void says(unsigned kinds, const char *text)
{
	ck_assert_str_eq(rig_said(r, kinds), text);
}

START_TEST(a_hundred_thousand_for_a_full_task_manager_do_not_hold_up_one_for_a_free_one)
{
	make(MANY + 2, 2, 1);
	rig_add_range(r, 0, MANY - 1, 0);
	rig_add(r, MANY, 1);
	rig_run(r);

	ck_assert_uint_eq(r->request[0].n_started, 1);
	ck_assert_uint_eq(r->request[MANY].n_started, 1);
	ck_assert_uint_eq(r->n_decided[SCHED_START], 2);
	ck_assert_uint_eq(r->n_decided[SCHED_ACCEPT], MANY + 1);
	ck_assert_uint_eq(r->n_decided[SCHED_SORT], MANY + 1);
	ck_assert_uint_le(r->n_decided[SCHED_ASK], 4);
	ck_assert_uint_le(r->n_decided[SCHED_LOOK], 4);

	/* One more for the free one costs what it costs with nothing waiting. */
	rig_finish(r, MANY);
	rig_add(r, MANY + 1, 1);
	rig_run(r);
	says(SAY(ACCEPT) | SAY(SORT) | SAY(START), "accept 100001, sort 100001, start 100001");
	ck_assert_uint_le(r->n_lines - r->run_from, 16);
}
END_TEST

START_TEST(a_hundred_thousand_run_in_order_one_after_the_other)
{
	make(MANY, 1, 1);
	rig_add_range(r, 0, MANY - 1, 0);

	for (uint32_t i = 0; i < MANY; i++) {
		rig_run(r);
		ck_assert_uint_eq(r->n_decided[SCHED_START], 1);
		ck_assert_uint_eq(r->request[i].n_started, 1);
		ck_assert(i == 0 || r->n_lines - r->run_from <= 16);
		rig_finish(r, i);
	}
	rig_run(r);
	ck_assert_uint_eq(sched_counts(r->s).waiting, 0);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(a_hundred_thousand_in_falling_order_are_no_harm)
{
	make(MANY, 1, 1);
	for (uint32_t i = MANY; i-- > 0;)
		rig_add(r, i, 0);

	for (uint32_t i = 0; i < MANY; i++) {
		rig_run(r);
		ck_assert_uint_eq(r->request[i].n_started, 1);
		rig_finish(r, i);
	}
}
END_TEST

START_TEST(a_hundred_thousand_that_each_come_late_are_no_harm)
{
	make(MANY, 2, 1); /* the second, which is free, might want any of them */
	r->tm[0].cap = 0;
	for (uint32_t i = MANY; i-- > 0;) {
		rig_add(r, i, 0);
		while (rig_step(r))
			;
	}
	ck_assert_uint_eq(sched_counts(r->s).waiting, MANY);

	r->tm[0].cap = 1;
	rig_wake(r, 0);
	rig_run(r);
	says(SAY(START), "start 0");
}
END_TEST

START_TEST(a_hundred_thousand_aborts_cost_one_decision_each)
{
	make(MANY, 2, 1);
	rig_add_range(r, 0, MANY - 1, 0);
	rig_run(r);
	for (uint32_t i = MANY - 1; i > 0; i--)
		rig_mark(r, i);
	rig_run(r);

	ck_assert_uint_eq(r->n_decided[SCHED_REMOVE], MANY - 1);
	ck_assert_uint_eq(r->n_decided[SCHED_START], 0);
	ck_assert_uint_le(r->n_lines - r->run_from, MANY + 8);
	struct sched_counts c = sched_counts(r->s);
	ck_assert_uint_eq(c.seen + c.unsorted + c.waiting, 0);
}
END_TEST

static struct rig_answer disk_is_full(struct rig *rig, enum sched_kind kind, uint32_t n)
{
	(void)n;
	if (kind == SCHED_SORT)
		return (struct rig_answer){ RIG_REJECT, 0 };
	if (kind == SCHED_COMPLETE && rig->now_ns < 1000)
		return (struct rig_answer){ RIG_DEFER, 1000 };
	return (struct rig_answer){ RIG_YES, 0 };
}

START_TEST(a_hundred_thousand_results_that_cannot_be_published_are_no_harm)
{
	make(MANY, 1, 1);
	r->answer = disk_is_full;
	rig_add_range(r, 0, MANY - 1, 0);
	rig_run(r);
	ck_assert_uint_eq(r->n_decided[SCHED_COMPLETE], MANY);
	ck_assert_int_eq(sched_due(r->s), 1000);

	rig_run_at(r, 1000);

	ck_assert_uint_eq(r->n_decided[SCHED_COMPLETE], MANY);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

static Suite *many_suite(void)
{
	Suite *s = suite_create("sched/sched_many");
	TCase *many = tcase_create("many");

	tcase_add_checked_fixture(many, NULL, teardown);
	tcase_add_test(
		many, a_hundred_thousand_for_a_full_task_manager_do_not_hold_up_one_for_a_free_one);
	tcase_add_test(many, a_hundred_thousand_run_in_order_one_after_the_other);
	tcase_add_test(many, a_hundred_thousand_in_falling_order_are_no_harm);
	tcase_add_test(many, a_hundred_thousand_that_each_come_late_are_no_harm);
	tcase_add_test(many, a_hundred_thousand_aborts_cost_one_decision_each);
	tcase_add_test(many, a_hundred_thousand_results_that_cannot_be_published_are_no_harm);
	suite_add_tcase(s, many);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(many_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
