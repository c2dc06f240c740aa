/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "base/time.h"

static void expect_order(unsigned first, unsigned second)
{
	ck_assert_int_ge(rig_n_moves, 2);
	ck_assert(reqid_is(rig_moves[rig_n_moves - 2], tmpspool_nth(first)));
	ck_assert(reqid_is(rig_moves[rig_n_moves - 1], tmpspool_nth(second)));
}

START_TEST(a_request_that_cannot_be_moved_stays_pending_and_first)
{
	rig_fail("renameat2", SPOOL_PENDING, SPOOL_RUNNING, ENOSPC, 3);
	rig_request(1, "quick");
	rig_request(2, "quick");

	rig_run();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(rig_failed(), i + 1);
		ck_assert(rig_stands(1, "2-pending"));
		ck_assert_int_eq(rig_n_started(), 0);
		rig_run_later();
	}

	ck_assert_int_eq(rig_n_moves, 2);
	expect_order(1, 2);
	rig_assert_result(1, RESULT_OK);
	rig_assert_result(2, RESULT_OK);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(one_whose_id_runs_already_goes_to_quarantine)
{
	rig_plant_request(1, "3-running", "quick");
	rig_plant_request(1, "2-pending", "quick");
	ck_assert_int_eq(sched_found_pending(rig.sched, tmpspool_nth(1), 1), 0);
	rig_run();

	ck_assert(rig_stands(1, "3-running"));
	ck_assert(!rig_stands(1, "2-pending"));
	ck_assert_int_eq(rig_n_started(), 0);
	rig_assert_quarantine(2);
}
END_TEST

static const int errors[] = { EMFILE, EIO, ENFILE };
enum {
	N_ERRORS = sizeof errors / sizeof *errors
};

START_TEST(one_that_cannot_be_read_once_more_goes_back_and_is_first_again)
{
	rig_fail("open", SPOOL_RUNNING, RIG_ANY, errors[_i], 2);
	rig_request(1, "quick");
	rig_request(2, "quick");

	rig_run();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(rig_failed(), i + 1);
		ck_assert(rig_stands(1, "2-pending"));
		ck_assert(rig_stands(2, "2-pending"));
		rig_run_later();
	}

	expect_order(1, 2);
	ck_assert_int_eq(rig_n_started(), 2);
	rig_assert_result(1, RESULT_OK);
	rig_assert_result(2, RESULT_OK);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

enum {
	TRIES = 4
};

static void break_way_back(void)
{
	rig_fail("renameat2", SPOOL_RUNNING, SPOOL_PENDING, EIO, TRIES);
}

/* The plugin answers busy, or a failure; the way back fails too. */
static const char *const refusals[] = { RIG_FAULTY("busy-after-capacity"),
	RIG_FAULTY("start-fault"), RIG_FAULTY("start-unknown-answer") };
enum {
	N_REFUSALS = sizeof refusals / sizeof *refusals
};

START_TEST(one_that_its_plugin_did_not_take_is_not_rejected_when_the_way_back_fails)
{
	rig_close();
	rig_start(refusals[_i]);
	break_way_back();
	rig_request(1, "faulty");
	rig_request(2, "faulty");

	rig_run();
	for (int i = 1; i <= TRIES; i++) {
		ck_assert_int_eq(rig_failed(), i);
		ck_assert(rig_stands(1, "3-running"));
		ck_assert(rig_stands(2, "2-pending"));
		rig_run_later();
	}

	ck_assert_int_eq(rig_n_started(), 0);
	ck_assert(rig_stands(2, "2-pending"));
	ck_assert(rig_stands(1, "2-pending"));
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(one_whose_way_back_fails_can_be_aborted)
{
	rig_close();
	rig_start(RIG_FAULTY("start-fault"));
	rig_fail("renameat2", SPOOL_RUNNING, SPOOL_PENDING, EIO, 1000);
	rig_request(1, "faulty");
	rig_run();
	rig_abort(1);
	rig_run_later();

	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	rig_assert_idle();
}
END_TEST

START_TEST(one_that_never_began_waits_for_its_way_back_and_is_first_again)
{
	rig_close();
	rig_start(RIG_FAULTY("not-started"));
	break_way_back();
	rig_request(1, "faulty");
	rig_request(2, "faulty");

	rig_run();
	for (int i = 1; i <= TRIES; i++) {
		ck_assert_int_eq(rig_failed(), i);
		rig_forward(NS_PER_S / 2);
		rig_run();
		ck_assert(rig_stands(1, "3-running"));
		ck_assert(rig_stands(2, "2-pending"));
		rig_forward(NS_PER_S / 2);
		rig_run();
	}
	rig_run_later();

	ck_assert_int_eq(rig_n_moves, 3);
	expect_order(1, 2);
	rig_assert_result(1, RESULT_OK);
	rig_assert_result(2, RESULT_OK);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(one_that_somebody_took_away_while_it_should_go_back_is_forgotten)
{
	rig_close();
	rig_start(RIG_FAULTY("not-started"));
	rig_fail("renameat2", SPOOL_RUNNING, SPOOL_PENDING, EIO, 1);
	rig_request(1, "faulty");
	rig_run();
	ck_assert_int_eq(unlink(tmpspool_at("3-running", rig_name(1))), 0);
	rig_run_later();
	rig_run_later();

	ck_assert(!sched_is_known(rig.sched, tmpspool_nth(1)));
	rig_assert_idle();
}
END_TEST

static void publish_smaller(void)
{
	rig_request(1, "quick");
}

static void abort_second(void)
{
	rig_abort(3);
}

START_TEST(a_smaller_id_that_comes_during_a_start_is_the_next_one)
{
	rig_request(2, "quick");
	rig_request(3, "quick");
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, publish_smaller);
	rig_run();

	ck_assert_int_eq(rig_n_moves, 3);
	ck_assert(reqid_is(rig_moves[0], tmpspool_nth(2)));
	expect_order(1, 3);
}
END_TEST

START_TEST(one_that_is_aborted_during_the_start_before_it_never_starts)
{
	rig_request(2, "quick");
	rig_request(3, "quick");
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, abort_second);
	rig_run();

	ck_assert_int_eq(rig_n_moves, 1);
	rig_assert_result(2, RESULT_OK);
	ck_assert_int_eq(tmpspool_count("4-complete"), 1);
	rig_assert_idle();
}
END_TEST

static void publish_smaller_for_the_other(void)
{
	rig_request(1, "faulty");
}

START_TEST(between_the_starts_of_two_task_managers_there_is_a_look_as_well)
{
	rig_close();
	rig_start("default-task-manager = quick\n" RIG_QUICK RIG_FAULTY("block"));
	rig_request(2, "quick");
	rig_request(3, "faulty");
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, publish_smaller_for_the_other);
	rig_run();

	ck_assert_int_eq(rig_n_moves, 3);
	ck_assert(reqid_is(rig_moves[0], tmpspool_nth(2)));
	expect_order(1, 3);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/start");
	TCase *tc = tcase_create("start");
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_test(tc, a_request_that_cannot_be_moved_stays_pending_and_first);
	tcase_add_test(tc, one_whose_id_runs_already_goes_to_quarantine);
	tcase_add_loop_test(
		tc, one_that_cannot_be_read_once_more_goes_back_and_is_first_again, 0, N_ERRORS);
	tcase_add_loop_test(tc,
		one_that_its_plugin_did_not_take_is_not_rejected_when_the_way_back_fails, 0,
		N_REFUSALS);
	tcase_add_test(tc, one_whose_way_back_fails_can_be_aborted);
	tcase_add_test(tc, one_that_never_began_waits_for_its_way_back_and_is_first_again);
	tcase_add_test(tc, one_that_somebody_took_away_while_it_should_go_back_is_forgotten);
	tcase_add_test(tc, a_smaller_id_that_comes_during_a_start_is_the_next_one);
	tcase_add_test(tc, one_that_is_aborted_during_the_start_before_it_never_starts);
	tcase_add_test(tc, between_the_starts_of_two_task_managers_there_is_a_look_as_well);
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
