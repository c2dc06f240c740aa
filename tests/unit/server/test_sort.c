/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>

#include "spool/census.h"

static const int errors[] = { EMFILE, EIO, ENFILE, ENOMEM };
enum {
	N_ERRORS = sizeof errors / sizeof *errors
};

START_TEST(a_request_that_cannot_be_opened_waits_and_is_sorted_when_it_can)
{
	rig_fail("open", SPOOL_PENDING, RIG_ANY, errors[_i], 5);
	rig_request(1, "quick");

	rig_run();
	for (int i = 1; i < 5; i++) {
		ck_assert(rig_stands(1, "2-pending"));
		rig_assert_quarantine(0);
		rig_run_later();
		ck_assert_int_eq(rig_failed(), i + 1);
	}
	rig_run_later();

	rig_assert_result(1, RESULT_OK);
	ck_assert_int_eq(rig_n_started(), 1);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(one_that_cannot_be_read_to_its_end_is_no_torn_request)
{
	rig_fail("pread", RIG_ANY, RIG_ANY, EIO, 2);
	rig_request(1, "quick");
	rig_run();
	rig_run_later();
	rig_run_later();

	ck_assert_int_eq(rig_failed(), 2);
	rig_assert_result(1, RESULT_OK);
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(larger_ids_do_not_overtake_one_that_cannot_be_read)
{
	rig_fail("open", SPOOL_PENDING, RIG_ANY, EMFILE, 1);
	rig_request(1, "quick");
	rig_request(2, "quick");
	rig_run();

	ck_assert_int_eq(rig_n_started(), 0);
	rig_run_later();
	ck_assert_int_eq(rig_n_started(), 2);
	ck_assert(reqid_is(rig_moves[0], tmpspool_nth(1)));
}
END_TEST

START_TEST(one_that_cannot_be_read_can_be_aborted)
{
	rig_fail("open", SPOOL_PENDING, RIG_ANY, EIO, 1000);
	rig_request(1, "quick");
	rig_run();
	rig_abort(1);
	rig_run();

	ck_assert_int_eq(rig_n_started(), 0);
	ck_assert(!rig_stands(1, "4-complete"));
	rig_assert_idle();
}
END_TEST

START_TEST(a_bad_one_that_cannot_be_moved_is_answered_when_it_can)
{
	rig_fail("renameat2", SPOOL_PENDING, SPOOL_RUNNING, ENOSPC, 2);
	rig_bad_request(1);
	rig_run();
	ck_assert(rig_stands(1, "2-pending"));
	ck_assert(!rig_stands(1, "4-complete"));
	rig_run_later();
	rig_run_later();

	ck_assert_int_eq(rig_failed(), 2);
	rig_assert_result(1, RESULT_REJECTED);
	ck_assert_int_eq(rig_n_started(), 0);
	rig_assert_idle();
	rig_assert_quarantine(2); /* its bytes, and the reason */
}
END_TEST

START_TEST(a_bad_one_holds_up_nobody_while_its_answer_cannot_be_written)
{
	rig_fail("create", CENSUS_TMP, RIG_ANY, ENOSPC, 1);
	rig_bad_request(1);
	rig_run();
	rig_request(2, "quick");
	rig_run();
	rig_assert_result(2, RESULT_OK);
	rig_run_later();

	rig_assert_result(1, RESULT_REJECTED);
	rig_assert_idle();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/sort");
	TCase *tc = tcase_create("sort");
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_loop_test(
		tc, a_request_that_cannot_be_opened_waits_and_is_sorted_when_it_can, 0, N_ERRORS);
	tcase_add_test(tc, one_that_cannot_be_read_to_its_end_is_no_torn_request);
	tcase_add_test(tc, larger_ids_do_not_overtake_one_that_cannot_be_read);
	tcase_add_test(tc, one_that_cannot_be_read_can_be_aborted);
	tcase_add_test(tc, a_bad_one_that_cannot_be_moved_is_answered_when_it_can);
	tcase_add_test(tc, a_bad_one_holds_up_nobody_while_its_answer_cannot_be_written);
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
