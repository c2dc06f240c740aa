/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>

#include "spool/census.h"

static const int errors[] = { EIO, EROFS, ENOSPC };
enum {
	N_ERRORS = sizeof errors / sizeof *errors
};

/* Where the subject stands when its marker comes. */
static void place_subject(int state)
{
	rig_request(1, "quick");
	if (state == SPOOL_PENDING)
		rig_fail("open", SPOOL_PENDING, RIG_ANY, EIO, 1); /* it stays unsorted */
	if (state == SPOOL_RUNNING)
		rig_fail("create", CENSUS_TMP, RIG_ANY, ENOSPC, 1); /* it stays unpublished */
	rig_run();
	ck_assert(rig_stands(1, spool_state_name((enum spool_state)state)));
}

static const int states[] = { SPOOL_PENDING, SPOOL_RUNNING, SPOOL_COMPLETE };
enum {
	N_STATES = sizeof states / sizeof *states
};

START_TEST(a_subject_that_cannot_be_removed_keeps_its_marker_until_it_is)
{
	int state = states[_i / N_ERRORS];
	place_subject(state);
	rig_fail("unlinkat", state, RIG_ANY, errors[_i % N_ERRORS], 2);
	rig_abort(1);

	rig_run_later();
	ck_assert(rig_stands(1, spool_state_name((enum spool_state)state)));
	ck_assert(rig_stands(1, "5-aborting"));
	rig_run_later();
	ck_assert(rig_stands(1, "5-aborting"));
	rig_run_later();

	ck_assert_int_eq(rig_failed(), 2);
	ck_assert_int_eq(rig_n_started(), state == SPOOL_PENDING ? 0 : 1);
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(a_marker_that_cannot_be_removed_is_removed_later)
{
	int state = states[_i / N_ERRORS];
	place_subject(state);
	rig_fail("unlinkat", SPOOL_ABORTING, RIG_ANY, errors[_i % N_ERRORS], 2);
	rig_abort(1);
	for (int i = 0; i < 4; i++)
		rig_run_later();

	ck_assert_int_eq(rig_failed(), 2);
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	rig_assert_idle();
	ck_assert_uint_eq(rig.metrics.plain[METRICS_COLLECTED] +
				  rig.metrics.tms[0].counters[METRICS_ABORTED] +
				  rig.metrics.tms[1].counters[METRICS_ABORTED],
		1);
}
END_TEST

START_TEST(a_marker_of_nothing_that_cannot_be_removed_is_removed_later)
{
	rig_fail("unlinkat", SPOOL_ABORTING, RIG_ANY, errors[_i], 2);
	rig_abort(1);
	rig_run();
	for (int i = 0; i < 3; i++)
		rig_run_later();

	ck_assert_int_eq(rig_failed(), 2);
	rig_assert_idle();
}
END_TEST

START_TEST(a_subject_that_cannot_be_looked_for_is_not_taken_for_none)
{
	rig_plant_result(1, "4-complete"); /* of an earlier server: nothing is remembered of it */
	rig_fail("fstatat", SPOOL_COMPLETE, RIG_ANY, errors[_i], 3);
	rig_abort(1);
	rig_run();
	ck_assert(rig_stands(1, "5-aborting"));
	for (int i = 0; i < 3; i++)
		rig_run_later();

	ck_assert_int_eq(rig_failed(), 3);
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	rig_assert_idle();
}
END_TEST

START_TEST(a_subject_that_was_not_seen_is_not_taken_for_none_either)
{
	rig_plant_request(1, "2-pending", "quick");
	rig_fail("fstatat", RIG_ANY, RIG_ANY, errors[_i], 12); /* all that one search makes */
	rig_abort(1);
	rig_run();
	for (int i = 0; i < 15; i++)
		rig_run_later();

	ck_assert_int_eq(rig_failed(), 12);
	rig_assert_idle();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/remove");
	TCase *tc = tcase_create("remove");
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_loop_test(tc, a_subject_that_cannot_be_removed_keeps_its_marker_until_it_is, 0,
		N_STATES * N_ERRORS);
	tcase_add_loop_test(
		tc, a_marker_that_cannot_be_removed_is_removed_later, 0, N_STATES * N_ERRORS);
	tcase_add_loop_test(
		tc, a_marker_of_nothing_that_cannot_be_removed_is_removed_later, 0, N_ERRORS);
	tcase_add_loop_test(
		tc, a_subject_that_cannot_be_looked_for_is_not_taken_for_none, 0, N_ERRORS);
	tcase_add_loop_test(
		tc, a_subject_that_was_not_seen_is_not_taken_for_none_either, 0, N_ERRORS);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *sr = srunner_create(make_suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
