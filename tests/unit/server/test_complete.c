/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>

#include "spool/census.h"
#include "spool/read.h"

/* Where publishing can fail, and how. */
static const struct {
	const char *call;
	int from, to, error, times;
} troubles[] = {
	{ "create", CENSUS_TMP, RIG_ANY, ENOSPC, 1 },
	{ "create", CENSUS_TMP, RIG_ANY, EMFILE, 3 },
	{ "write", RIG_ANY, RIG_ANY, ENOSPC, 2 },
	{ "write", RIG_ANY, RIG_ANY, EIO, 1 },
	{ "renameat2", CENSUS_TMP, SPOOL_RUNNING, EIO, 2 },
	{ "renameat2", SPOOL_RUNNING, SPOOL_COMPLETE, ENOSPC, 1 },
	{ "renameat2", SPOOL_RUNNING, SPOOL_COMPLETE, ENOSPC, 4 },
};
enum {
	N_TROUBLES = sizeof troubles / sizeof *troubles
};

static void break_it(void)
{
	rig_fail(troubles[rig_case].call, troubles[rig_case].from, troubles[rig_case].to,
		troubles[rig_case].error, troubles[rig_case].times);
}

/* Only when the task has been started: some calls are made before as well. */
static void start_and_break(int which)
{
	rig_case = which;
	rig_request(1, "quick");
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, break_it);
	rig_run();
}

START_TEST(a_result_that_cannot_be_published_is_kept_until_it_can)
{
	start_and_break(_i);
	for (int i = 0; i < troubles[_i].times; i++) {
		ck_assert_int_eq(rig_failed(), i + 1);
		ck_assert(rig_stands(1, "3-running"));
		ck_assert_int_eq(tmpspool_count("4-complete"), 0);
		rig_run_later();
	}

	rig_assert_result(1, RESULT_OK);
	ck_assert_int_eq(rig_n_started(), 1);
	ck_assert_int_eq(tmpspool_count("4-complete"), 1);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(a_result_is_the_same_whenever_it_is_published)
{
	struct buf bytes = { 0 };
	start_and_break(_i);
	const struct task *task = tasks_next(&rig.tasks, 0);
	ck_assert_ptr_nonnull(task);
	ck_assert_int_eq(buf_add(&bytes, task->result.data, task->result.len), 0);
	for (int i = 0; i < troubles[_i].times; i++)
		rig_run_later();

	struct buf shown = { 0 };
	ck_assert_int_eq(read_result(&rig.spool, tmpspool_nth(1), 1 << 20, &shown, NULL), 0);
	ck_assert_uint_eq(shown.len, bytes.len);
	ck_assert_mem_eq(shown.data, bytes.data, bytes.len);
	buf_fini(&shown);
	buf_fini(&bytes);
}
END_TEST

START_TEST(a_rejection_is_kept_as_well)
{
	rig_case = _i;
	rig_bad_request(1);
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, break_it);
	rig_run();
	for (int i = 0; i < troubles[_i].times; i++) {
		ck_assert_int_eq(tmpspool_count("4-complete"), 0);
		rig_run_later();
	}

	rig_assert_result(1, RESULT_REJECTED);
	rig_assert_idle();
	rig_assert_quarantine(2);
}
END_TEST

START_TEST(an_abort_of_one_that_cannot_be_published_takes_all_of_it_away)
{
	start_and_break(_i);
	rig_abort(1);
	for (int i = 0; i < troubles[_i].times; i++)
		rig_run_later();

	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

static void break_way_out_and_reading(void)
{
	rig_fail("renameat2", SPOOL_RUNNING, SPOOL_COMPLETE, ENOSPC, 1);
}

START_TEST(a_table_of_descriptors_that_is_full_at_the_second_try_leaves_nothing_in_quarantine)
{
	rig_request(1, "quick");
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, break_way_out_and_reading);
	rig_run();
	rig_fail("open", SPOOL_RUNNING, RIG_ANY, EMFILE, 1);
	rig_run_later();
	rig_run_later();

	rig_assert_result(1, RESULT_OK);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(a_server_told_to_stop_ends_only_when_the_result_is_out)
{
	start_and_break(_i);
	server_drain(&rig, "a test");
	ck_assert(!sched_is_drained(rig.sched));
	for (int i = 0; i < troubles[_i].times; i++) {
		rig_run();
		ck_assert(!sched_is_drained(rig.sched));
		rig_run_later();
	}

	ck_assert(sched_is_drained(rig.sched));
	rig_assert_result(1, RESULT_OK);
	rig_assert_idle();
}
END_TEST

START_TEST(others_are_started_and_answered_meanwhile)
{
	start_and_break(0);
	rig_request(2, "quick");
	rig_run();

	rig_assert_result(2, RESULT_OK);
	rig_run_later();
	rig_assert_result(1, RESULT_OK);
}
END_TEST

/* ---- many of them ----------------------------------------------------------------------------- */

enum {
	MANY = 400,
	MANY_KEPT = 64
};

static void fill(void)
{
	for (unsigned i = 0; i < MANY; i++)
		rig_request(i, "quick");
	rig_fail("create", CENSUS_TMP, RIG_ANY, EIO, 1000000);
	rig_run();
	rig_run_later();
}

START_TEST(with_many_results_in_memory_nothing_more_is_started_until_they_are_out)
{
	rig_close();
	rig_start("task-manager quick { plugin = null max-running = 16 }\n");
	fill();
	ck_assert_int_ge(rig_n_started(), MANY_KEPT);
	ck_assert_int_le(rig_n_started(), MANY_KEPT + 16);
	ck_assert(rig.many_kept);

	rig_repair();
	for (int i = 0; i < 3; i++)
		rig_run_later();
	ck_assert_int_eq(rig_n_started(), MANY);
	ck_assert_int_eq(tmpspool_count("4-complete"), MANY);
	ck_assert(!rig.many_kept);
	rig_assert_idle();
}
END_TEST

START_TEST(aborts_make_room_for_others)
{
	rig_close();
	rig_start("task-manager quick { plugin = null max-running = 16 }\n");
	fill();
	int n = rig_n_started();
	for (unsigned i = 0; i < 20; i++)
		rig_abort(i);
	rig_run();
	rig_run_later();
	ck_assert_int_gt(rig_n_started(), n);
	ck_assert_int_le(rig_n_started(), n + 20 + 16);
	rig_repair();
	for (int i = 0; i < 3; i++)
		rig_run_later();
	ck_assert_int_eq(tmpspool_count("4-complete"), MANY - 20);
	rig_assert_idle();
}
END_TEST

/* ---- what the result has replaced ------------------------------------------------------------- */

/* How the request's going can fail: of a good one, and of a refused one. */
static const struct {
	const char *call;
	int from, to, error, times;
	bool refused;
} stays[] = {
	{ "unlinkat", CENSUS_TMP, RIG_ANY, EIO, 1, false },
	{ "unlinkat", CENSUS_TMP, RIG_ANY, EIO, 3, false },
	{ "list", RIG_QUARANTINE, RIG_ANY, EMFILE, 1, true },
	{ "list", RIG_QUARANTINE, RIG_ANY, EIO, 2, true },
};
enum {
	N_STAYS = sizeof stays / sizeof *stays
};

static void keep_from_going(void)
{
	rig_fail(stays[rig_case].call, stays[rig_case].from, stays[rig_case].to,
		stays[rig_case].error, stays[rig_case].times);
}

static void show_and_keep_from_going(int which)
{
	rig_case = which;
	if (stays[which].refused)
		rig_bad_request(1);
	else
		rig_request(1, "quick");
	rig_when_renamed(SPOOL_RUNNING, SPOOL_COMPLETE, keep_from_going);
	rig_run();
	ck_assert_int_eq(rig_failed(), 1);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 1);
	rig_assert_result(1, stays[which].refused ? RESULT_REJECTED : RESULT_OK);
}

START_TEST(a_request_that_cannot_be_taken_away_is_when_it_can)
{
	show_and_keep_from_going(_i);
	for (int i = 0; i < stays[_i].times; i++) {
		ck_assert_int_eq(rig_failed(), i + 1);
		ck_assert_int_eq(tmpspool_count(".wq/tmp"), 1);
		rig_run_later();
	}

	rig_assert_idle();
	rig_assert_quarantine(stays[_i].refused ? 2 : 0);
}
END_TEST

START_TEST(a_result_can_be_aborted_though_its_request_stays)
{
	show_and_keep_from_going(_i);
	rig_abort(1);
	rig_run();
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	ck_assert_int_eq(tmpspool_count("5-aborting"), 0);
	for (int i = 0; i < stays[_i].times; i++)
		rig_run_later();

	rig_assert_idle();
}
END_TEST

START_TEST(a_refused_request_that_never_comes_to_quarantine_goes_at_last)
{
	rig_case = 2;
	rig_bad_request(1);
	rig_when_renamed(SPOOL_RUNNING, SPOOL_COMPLETE, keep_from_going);
	rig_run();
	rig_fail("renameat2", CENSUS_TMP, RIG_QUARANTINE, EIO, 1000);
	for (int i = 0; i < 59; i++)
		rig_run_later();
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 1);
	rig_run_later();

	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/complete");
	TCase *tc = tcase_create("complete");
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_loop_test(
		tc, a_result_that_cannot_be_published_is_kept_until_it_can, 0, N_TROUBLES);
	tcase_add_loop_test(tc, a_result_is_the_same_whenever_it_is_published, 0, N_TROUBLES);
	tcase_add_loop_test(tc, a_rejection_is_kept_as_well, 0, N_TROUBLES);
	tcase_add_loop_test(
		tc, an_abort_of_one_that_cannot_be_published_takes_all_of_it_away, 0, N_TROUBLES);
	tcase_add_test(tc,
		a_table_of_descriptors_that_is_full_at_the_second_try_leaves_nothing_in_quarantine);
	tcase_add_loop_test(
		tc, a_server_told_to_stop_ends_only_when_the_result_is_out, 0, N_TROUBLES);
	tcase_add_test(tc, others_are_started_and_answered_meanwhile);
	tcase_add_test(tc, with_many_results_in_memory_nothing_more_is_started_until_they_are_out);
	tcase_add_test(tc, aborts_make_room_for_others);
	tcase_add_loop_test(tc, a_request_that_cannot_be_taken_away_is_when_it_can, 0, N_STAYS);
	tcase_add_loop_test(tc, a_result_can_be_aborted_though_its_request_stays, 0, N_STAYS);
	tcase_add_test(tc, a_refused_request_that_never_comes_to_quarantine_goes_at_last);
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
