/* SPDX-License-Identifier: BSD-2-Clause */
/* A file system that gets full, and what is done about it until it is not. */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/time.h"
#include "spool/census.h"
#include "support/spool/fault.h"

enum {
	BLOCK = 4096,
	BLOCKS = 100 << 8, /* 100 MiB, so a percent is a MiB */
	MIB = 1 << 8       /* in blocks */
};

static struct statvfs fs; /* what the server is told */

static void setup(void)
{
	rig_setup_spool();
	fs = (struct statvfs){ .f_bsize = BLOCK,
		.f_frsize = BLOCK,
		.f_blocks = BLOCKS,
		.f_bavail = BLOCKS / 2,
		.f_files = 1000,
		.f_favail = 500 };
}

static void start(const char *conf)
{
	rig_start(conf);
	fault_space = &fs;
	rig.space.no_ballast = false;
	space_check(&rig);
}

static bool is_closed(void)
{
	struct stat st;
	ck_assert_int_eq(stat(tmpspool_at(".", "1-requested"), &st), 0);
	ck_assert((st.st_mode & 0200) == 0 || rig.spool.gate_closed == false);
	return (st.st_mode & 0200) == 0;
}

static bool has_ballast(void)
{
	return tmpspool_has(".wq", "ballast");
}

static enum sched_why why(void)
{
	struct sched_tm_state st;
	sched_tm_state(rig.sched, 0, time_mono_ns(), &st);
	return st.why;
}

static void is_free(unsigned blocks)
{
	fs.f_bavail = blocks;
	rig_run_later();
}

/* ---- min-free ---------------------------------------------------------------------------------- */

START_TEST(with_enough_free_nothing_happens_and_nobody_looks_again)
{
	start(RIG_QUICK);
	ck_assert(!is_closed());
	ck_assert(has_ballast());
	ck_assert_str_eq(page_why(&rig), "");
	rig_run();

	int before = fault_calls;
	rig_forward(3600 * NS_PER_S);
	rig_run();
	ck_assert_int_eq(fault_calls, before);
}
END_TEST

START_TEST(below_five_percent_no_more_is_taken_until_there_are_six)
{
	start(RIG_QUICK);
	fs.f_bavail = 5 * MIB - 1;
	rig_request(1, "quick");
	rig_run();
	/* What was there goes its way. */
	rig_assert_result(1, RESULT_OK);
	ck_assert(is_closed());
	ck_assert_str_eq(page_why(&rig), "no-space");
	ck_assert_uint_eq(rig.metrics.plain[METRICS_CLOSED], 1);

	is_free(5 * MIB);
	ck_assert(is_closed());
	is_free(6 * MIB - 1);
	ck_assert(is_closed());
	is_free(6 * MIB);
	ck_assert(!is_closed());
	ck_assert_str_eq(page_why(&rig), "");

	is_free(5 * MIB);
	rig_request(2, "quick");
	rig_run();
	ck_assert(!is_closed());
}
END_TEST

START_TEST(of_a_percentage_and_a_size_the_smaller_one_counts)
{
	start("min-free = '5%, 2M'\n" RIG_QUICK);
	fs.f_bavail = 2 * MIB;
	space_check(&rig);
	ck_assert(!is_closed());
	fs.f_bavail = 2 * MIB - 1;
	space_check(&rig);
	ck_assert(is_closed());
}
END_TEST

START_TEST(the_reason_says_how_much_is_free_and_how_much_has_to_be)
{
	char text[128];
	start(RIG_QUICK);
	fs.f_bavail = 3 * MIB;
	space_check(&rig);
	page_reason(&rig, text, sizeof text);
	ck_assert_str_eq(text, "only 3M are free on the file system, and min-free is 5M");
}
END_TEST

START_TEST(inodes_count_like_space_where_there_is_a_percentage)
{
	char text[128];
	start(RIG_QUICK);
	fs.f_favail = 49;
	space_check(&rig);
	ck_assert(is_closed());
	page_reason(&rig, text, sizeof text);
	ck_assert_str_eq(
		text, "only 49 inodes are free on the file system, and min-free is 5% of 1000");
	fs.f_favail = 59;
	rig_run_later();
	ck_assert(is_closed());
	fs.f_favail = 60;
	rig_run_later();
	ck_assert(!is_closed());

	rig_close();
	start("min-free = 1M\n" RIG_QUICK);
	fs.f_favail = 0;
	space_check(&rig);
	ck_assert(!is_closed());
}
END_TEST

START_TEST(a_file_system_that_counts_no_inodes_is_never_short_of_them)
{
	start(RIG_QUICK);
	fs.f_files = fs.f_favail = 0;
	space_check(&rig);
	ck_assert(!is_closed());
}
END_TEST

START_TEST(with_nothing_to_be_kept_free_the_gate_stays_open)
{
	start("min-free = 0\n" RIG_QUICK);
	fs.f_bavail = 0;
	space_check(&rig);
	ck_assert(!is_closed());
}
END_TEST

START_TEST(what_stands_in_1_all_the_same_is_served_behind_the_gate)
{
	start(RIG_QUICK);
	is_free(3 * MIB);
	space_check(&rig);
	rig_request(1, "quick"); /* by root */
	rig_request(2, "quick");
	rig_abort(2);
	rig_run();
	rig_assert_result(1, RESULT_OK);
	rig_assert_idle();
	ck_assert(is_closed());
}
END_TEST

START_TEST(a_gate_that_cannot_be_closed_is_tried_again)
{
	start(RIG_QUICK);
	fault_on("fchmod", EIO, 1);
	is_free(3 * MIB);
	space_check(&rig);
	ck_assert(!is_closed());
	ck_assert_str_eq(page_why(&rig), "no-space");
	rig_run_later();
	ck_assert(is_closed());
}
END_TEST

START_TEST(a_gate_that_cannot_be_opened_is_tried_again)
{
	start(RIG_QUICK);
	fs.f_bavail = 3 * MIB;
	space_check(&rig);
	fault_on("fchmod", EIO, 1);
	is_free(50 * MIB);
	ck_assert(is_closed());
	rig_run_later();
	ck_assert(!is_closed());
	ck_assert_str_eq(page_why(&rig), "");
}
END_TEST

START_TEST(a_file_system_that_cannot_be_looked_at_changes_nothing)
{
	start(RIG_QUICK);
	fs.f_bavail = 3 * MIB;
	space_check(&rig);
	fault_on("fstatvfs", EIO, 1);
	is_free(50 * MIB);
	ck_assert(is_closed());
	rig_run_later();
	ck_assert(!is_closed());
}
END_TEST

START_TEST(a_server_that_ends_leaves_the_gate_open)
{
	start(RIG_QUICK);
	fs.f_bavail = 3 * MIB;
	space_check(&rig);
	ck_assert(is_closed());
	space_end(&rig);
	ck_assert(!is_closed());
}
END_TEST

START_TEST(the_next_server_finds_it_closed_and_opens_it_or_closes_it_again)
{
	start(RIG_QUICK);
	fs.f_bavail = 3 * MIB;
	space_check(&rig);
	rig_close(); /* without space_end, as when it is killed */
	ck_assert(is_closed());
	start(RIG_QUICK);
	ck_assert(is_closed());
	rig_close();
	fs.f_bavail = 50 * MIB;
	start(RIG_QUICK);
	ck_assert(!is_closed());
}
END_TEST

/* ---- ballast ----------------------------------------------------------------------------------- */

static const int shortages[] = { ENOSPC, EDQUOT };

static void no_space_for_result(void)
{
	rig_fail("write", RIG_ANY, RIG_ANY, shortages[rig_case], 1);
}

/* The file system is full when the first request is about to be answered. */
static void fill_up(int which)
{
	rig_case = which;
	start(RIG_QUICK);
	fs.f_bavail = 0;
	rig_request(1, "quick");
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, no_space_for_result);
	rig_run();
}

START_TEST(ballast_is_dropped_for_a_result_and_nothing_more_is_started)
{
	fill_up(_i);
	rig_assert_result(1, RESULT_OK);
	ck_assert(!has_ballast());
	ck_assert(is_closed());
	ck_assert_int_eq(why(), SCHED_WHY_NO_SPACE);
	ck_assert_uint_eq(rig.metrics.plain[METRICS_NO_SPACE], 1);

	rig_request(2, "quick");
	for (int i = 0; i < 3; i++)
		rig_run_later();
	ck_assert(rig_stands(2, "2-pending"));
	ck_assert_int_eq(rig_n_started(), 1);
}
END_TEST

START_TEST(it_goes_on_by_itself_when_there_is_space_for_the_ballast_and_as_much_again)
{
	fill_up(_i);
	rig_request(2, "quick");
	is_free(2 * MIB - 1);
	ck_assert(rig_stands(2, "2-pending"));
	ck_assert(!has_ballast());

	is_free(2 * MIB);
	ck_assert(has_ballast());
	rig_assert_result(2, RESULT_OK);
	/* But no more are taken before min-free has been reached. */
	ck_assert(is_closed());
	is_free(7 * MIB);
	ck_assert(!is_closed());
}
END_TEST

START_TEST(it_does_not_go_on_before_there_are_some_inodes)
{
	fill_up(_i);
	fs.f_favail = 15;
	is_free(50 * MIB);
	ck_assert(!has_ballast());
	ck_assert_int_eq(why(), SCHED_WHY_NO_SPACE);
	fs.f_favail = 16;
	rig_run_later();
	ck_assert(has_ballast());
	ck_assert_int_eq(why(), SCHED_WHY_READY);
}
END_TEST

static void no_space_four_times(void)
{
	rig_fail("write", RIG_ANY, RIG_ANY, ENOSPC, 4);
}

START_TEST(results_wait_in_memory_until_they_can_be_written)
{
	start("task-manager quick { plugin = null max-running = 3 }\n");
	fs.f_bavail = 0;
	for (unsigned n = 1; n <= 3; n++)
		rig_request(n, "quick");
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, no_space_four_times);
	rig_run();
	for (int i = 0; i < 3; i++)
		rig_run_later();
	ck_assert_int_eq(rig_failed(), 4);
	for (unsigned n = 1; n <= (unsigned)rig_n_moves; n++)
		rig_assert_result(n, RESULT_OK);
}
END_TEST

START_TEST(a_ballast_that_is_refused_for_the_quota_is_not_there_and_not_given_up)
{
	start(RIG_QUICK);
	fs.f_bavail = 0;
	rig_request(1, "quick");
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, no_space_for_result);
	rig_run();
	fault_on("fallocate", EDQUOT, 2);
	is_free(50 * MIB);
	ck_assert(!has_ballast());
	ck_assert_int_eq(why(), SCHED_WHY_NO_SPACE);
	rig_run_later();
	rig_run_later();
	ck_assert(has_ballast());
	ck_assert_int_eq(why(), SCHED_WHY_READY);
}
END_TEST

START_TEST(a_ballast_that_cannot_be_made_at_all_is_gone_without)
{
	rig_start(RIG_QUICK);
	fault_space = &fs;
	rig.space.no_ballast = false;
	fault_on("fallocate", EIO, 1);
	space_check(&rig);
	ck_assert(!has_ballast());
	ck_assert(!is_closed());
	rig_run();
	int before = fault_calls;
	rig_forward(3600 * NS_PER_S);
	rig_run();
	ck_assert_int_eq(fault_calls, before);
}
END_TEST

START_TEST(what_the_ballast_will_take_is_not_free)
{
	start("min-free = 5%\n" RIG_QUICK);
	ck_assert_int_eq(space_drop_ballast(&rig.spool), 0);
	rig.space.has_ballast = false;
	fault_on("fallocate", ENOSPC, 1);
	fs.f_bavail = 6 * MIB - 1;
	space_check(&rig);
	ck_assert(is_closed());
}
END_TEST

START_TEST(a_request_that_cannot_be_accepted_for_want_of_space_stops_all_too)
{
	start(RIG_QUICK);
	fs.f_bavail = 0;
	rig_fail("renameat2", SPOOL_REQUESTED, SPOOL_PENDING, ENOSPC, 1);
	rig_request(1, "quick");
	rig_run();
	ck_assert(rig_stands(1, "1-requested"));
	ck_assert_int_eq(why(), SCHED_WHY_NO_SPACE);
	is_free(50 * MIB);
	rig_run_later();
	rig_assert_result(1, RESULT_OK);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/space");
	TCase *tc = tcase_create("min-free");
	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_test(tc, with_enough_free_nothing_happens_and_nobody_looks_again);
	tcase_add_test(tc, below_five_percent_no_more_is_taken_until_there_are_six);
	tcase_add_test(tc, of_a_percentage_and_a_size_the_smaller_one_counts);
	tcase_add_test(tc, the_reason_says_how_much_is_free_and_how_much_has_to_be);
	tcase_add_test(tc, inodes_count_like_space_where_there_is_a_percentage);
	tcase_add_test(tc, a_file_system_that_counts_no_inodes_is_never_short_of_them);
	tcase_add_test(tc, with_nothing_to_be_kept_free_the_gate_stays_open);
	tcase_add_test(tc, what_stands_in_1_all_the_same_is_served_behind_the_gate);
	tcase_add_test(tc, a_gate_that_cannot_be_closed_is_tried_again);
	tcase_add_test(tc, a_gate_that_cannot_be_opened_is_tried_again);
	tcase_add_test(tc, a_file_system_that_cannot_be_looked_at_changes_nothing);
	tcase_add_test(tc, a_server_that_ends_leaves_the_gate_open);
	tcase_add_test(tc, the_next_server_finds_it_closed_and_opens_it_or_closes_it_again);
	suite_add_tcase(suite, tc);
	tc = tcase_create("ballast");
	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_loop_test(tc, ballast_is_dropped_for_a_result_and_nothing_more_is_started, 0, 2);
	tcase_add_loop_test(tc,
		it_goes_on_by_itself_when_there_is_space_for_the_ballast_and_as_much_again, 0, 2);
	tcase_add_loop_test(tc, it_does_not_go_on_before_there_are_some_inodes, 0, 2);
	tcase_add_test(tc, results_wait_in_memory_until_they_can_be_written);
	tcase_add_test(tc, a_ballast_that_is_refused_for_the_quota_is_not_there_and_not_given_up);
	tcase_add_test(tc, a_ballast_that_cannot_be_made_at_all_is_gone_without);
	tcase_add_test(tc, what_the_ballast_will_take_is_not_free);
	tcase_add_test(tc, a_request_that_cannot_be_accepted_for_want_of_space_stops_all_too);
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
