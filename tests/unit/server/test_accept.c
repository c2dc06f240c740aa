/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "base/time.h"

/* What a disk or a process may run out of, and how often in a row. */
static const struct {
	int error, times;
} troubles[] = { { ENOSPC, 1 }, { EIO, 1 }, { EDQUOT, 3 }, { EROFS, 4 }, { ENOMEM, 2 } };
enum {
	N_TROUBLES = sizeof troubles / sizeof *troubles
};

START_TEST(a_request_that_cannot_be_moved_stays_and_runs_when_it_can)
{
	rig_fail("renameat2", SPOOL_REQUESTED, SPOOL_PENDING, troubles[_i].error,
		troubles[_i].times);
	rig_request(1, "quick");

	for (int i = 0; i < troubles[_i].times; i++) {
		i == 0 ? rig_run() : rig_run_later();
		ck_assert_int_eq(rig_failed(), i + 1);
		ck_assert(rig_stands(1, "1-requested"));
		ck_assert(sched_is_known(rig.sched, tmpspool_nth(1)));
		rig_assert_quarantine(0);
	}
	rig_run_later();

	rig_assert_result(1, RESULT_OK);
	ck_assert_int_eq(rig_n_started(), 1);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(one_that_cannot_be_moved_is_tried_again_by_itself)
{
	rig_fail("renameat2", SPOOL_REQUESTED, SPOOL_PENDING, ENOSPC, 1);
	rig_request(1, "quick");
	rig_run();

	ck_assert_int_ne(sched_due(rig.sched), TIME_NEVER);
	rig_run();
	ck_assert_int_eq(rig_n_started(), 0);
}
END_TEST

START_TEST(larger_ids_do_not_overtake_one_that_cannot_be_moved)
{
	rig_fail("renameat2", SPOOL_REQUESTED, SPOOL_PENDING, ENOSPC, 1);
	rig_request(1, "quick");
	rig_run();
	rig_request(2, "quick");
	rig_run();

	ck_assert_int_eq(rig_n_started(), 0);
	rig_run_later();
	ck_assert_int_eq(rig_n_started(), 2);
	ck_assert(reqid_is(rig_moves[0], tmpspool_nth(1)));
	ck_assert(reqid_is(rig_moves[1], tmpspool_nth(2)));
}
END_TEST

START_TEST(one_that_cannot_be_moved_can_still_be_aborted)
{
	rig_fail("renameat2", SPOOL_REQUESTED, SPOOL_PENDING, troubles[_i].error,
		troubles[_i].times);
	rig_request(1, "quick");
	rig_abort(1);

	rig_run();
	ck_assert(rig_stands(1, "1-requested"));
	ck_assert(rig_stands(1, "5-aborting"));
	for (int i = 0; i < troubles[_i].times; i++)
		rig_run_later();

	ck_assert_int_eq(rig_failed(), troubles[_i].times);
	ck_assert_int_eq(rig_n_started(), 0);
	ck_assert(!rig_stands(1, "4-complete"));
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(an_abort_that_comes_while_it_cannot_be_moved_is_carried_out)
{
	rig_fail("renameat2", SPOOL_REQUESTED, SPOOL_PENDING, ENOSPC, 2);
	rig_request(1, "quick");
	rig_run();
	rig_abort(1);
	rig_run_later();
	ck_assert(rig_stands(1, "1-requested"));
	rig_run_later();

	ck_assert_int_eq(rig_n_started(), 0);
	ck_assert(!rig_stands(1, "4-complete"));
	rig_assert_idle();
}
END_TEST

START_TEST(one_that_its_client_withdraws_meanwhile_is_forgotten)
{
	rig_fail("renameat2", SPOOL_REQUESTED, SPOOL_PENDING, ENOSPC, 1);
	rig_request(1, "quick");
	rig_run();
	ck_assert_int_eq(unlink(tmpspool_at("1-requested", rig_name(1))), 0);
	rig_run_later();

	ck_assert(!sched_is_known(rig.sched, tmpspool_nth(1)));
	rig_assert_idle();
}
END_TEST

/* The id stands already in one of these. */
static const char *const later[] = { "3-running", "4-complete", "2-pending" };
static const int later_states[] = { SPOOL_RUNNING, SPOOL_COMPLETE };
enum {
	N_LATER = sizeof later / sizeof *later
};

START_TEST(a_second_request_with_its_id_goes_to_quarantine_and_the_first_is_unharmed)
{
	rig_plant_request(1, later[_i], "quick");
	rig_request(1, "quick");
	rig_run();

	ck_assert(rig_stands(1, later[_i]));
	ck_assert(!rig_stands(1, "1-requested"));
	rig_assert_quarantine(2); /* and its reason */
	ck_assert_int_eq(rig_n_started(), 0);
}
END_TEST

START_TEST(a_second_one_that_quarantine_cannot_take_is_not_forgotten)
{
	rig_plant_request(1, later[_i], "quick");
	rig_fail("renameat2", SPOOL_REQUESTED, RIG_QUARANTINE, EIO, 2);
	rig_request(1, "quick");
	rig_run();
	ck_assert(rig_stands(1, "1-requested"));
	rig_run_later();
	rig_run_later();

	ck_assert_int_eq(rig_failed(), 2);
	ck_assert(rig_stands(1, later[_i]));
	ck_assert(!rig_stands(1, "1-requested"));
	rig_assert_quarantine(2);
}
END_TEST

START_TEST(a_first_one_that_cannot_be_looked_for_is_not_taken_for_none)
{
	rig_plant_request(1, later[_i], "quick");
	rig_fail("fstatat", later_states[_i], RIG_ANY, EIO, 2);
	rig_request(1, "quick");
	rig_run();
	for (int i = 0; i < 2; i++) {
		ck_assert(rig_stands(1, later[_i]));
		rig_assert_quarantine(0);
		rig_run_later();
	}

	ck_assert_int_eq(rig_failed(), 2);
	ck_assert(rig_stands(1, later[_i]));
	ck_assert(!rig_stands(1, "1-requested"));
	ck_assert_int_eq(rig_n_started(), 0);
	rig_assert_quarantine(2);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/accept");
	TCase *tc = tcase_create("accept");
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_loop_test(
		tc, a_request_that_cannot_be_moved_stays_and_runs_when_it_can, 0, N_TROUBLES);
	tcase_add_test(tc, one_that_cannot_be_moved_is_tried_again_by_itself);
	tcase_add_test(tc, larger_ids_do_not_overtake_one_that_cannot_be_moved);
	tcase_add_loop_test(tc, one_that_cannot_be_moved_can_still_be_aborted, 0, N_TROUBLES);
	tcase_add_test(tc, an_abort_that_comes_while_it_cannot_be_moved_is_carried_out);
	tcase_add_test(tc, one_that_its_client_withdraws_meanwhile_is_forgotten);
	tcase_add_loop_test(tc,
		a_second_request_with_its_id_goes_to_quarantine_and_the_first_is_unharmed, 0,
		N_LATER);
	tcase_add_loop_test(
		tc, a_second_one_that_quarantine_cannot_take_is_not_forgotten, 0, N_LATER);
	tcase_add_loop_test(tc, a_first_one_that_cannot_be_looked_for_is_not_taken_for_none, 0, 2);
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
