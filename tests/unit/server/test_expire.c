/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that have to be started by a time, and those that are one too many. */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/time.h"
#include "spool/census.h"

#define SLOW "task-manager slow { plugin = faulty options { fault = never-reaps } }\n"

static void setup(void)
{
	rig_setup_spool();
	rig_start(SLOW);
}

static void restart(const char *task_managers)
{
	rig_close();
	rig_start(task_managers);
}

/* The ids of the rig are of a time long past, and `start-within` counts from there. */
static int64_t age_ns(unsigned n)
{
	return (time_wall_us() - (int64_t)tmpspool_nth(n).us) * NS_PER_US;
}

/* It has this long from now on. */
static void request_within(unsigned n, int64_t ns)
{
	rig_like.start_within_ns = age_ns(n) + ns;
	rig_request(n, "");
	rig_like.start_within_ns = 0;
}

static void occupy(void)
{
	rig_request(1, "");
	rig_run();
	ck_assert_int_eq(rig_n_started(), 1);
}

/* ---- start-within ------------------------------------------------------------------------------ */

START_TEST(one_that_waits_too_long_is_answered_while_another_runs)
{
	occupy();
	rig_request(2, "");
	request_within(3, 60 * NS_PER_S);
	rig_run();
	rig_forward(59 * NS_PER_S);
	rig_run();
	ck_assert(rig_stands(3, "2-pending"));

	rig_forward(2 * NS_PER_S);
	rig_run();
	rig_assert_error(3, RESULT_EXPIRED, "start-within");
	ck_assert_int_eq(rig_n_started(), 1);
	ck_assert(rig_stands(2, "2-pending"));
	ck_assert_uint_eq(rig.metrics.tms[0].counters[METRICS_EXPIRED], 1);
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(the_server_wakes_for_it_by_itself)
{
	occupy();
	request_within(2, 60 * NS_PER_S);
	rig_run();
	int64_t left = sched_due(rig.sched) - time_mono_ns();
	ck_assert_int_gt(left, 59 * NS_PER_S);
	ck_assert_int_le(left, 60 * NS_PER_S);
}
END_TEST

START_TEST(one_that_is_started_in_time_runs_to_its_end)
{
	restart(RIG_QUICK);
	request_within(1, 60 * NS_PER_S);
	rig_run();
	rig_assert_result(1, RESULT_OK);
}
END_TEST

START_TEST(one_that_is_late_already_is_answered_at_once_and_the_next_starts)
{
	request_within(1, -NS_PER_S);
	rig_request(2, "");
	rig_run();

	rig_assert_error(1, RESULT_EXPIRED, "start-within");
	ck_assert(rig_stands(2, "3-running"));
	ck_assert_int_eq(rig_n_started(), 1);
}
END_TEST

START_TEST(the_time_goes_on_while_no_server_runs)
{
	rig_close();
	rig_like.start_within_ns = age_ns(1) - NS_PER_S;
	rig_plant_request(1, "2-pending", "");
	rig_like.start_within_ns = age_ns(2) + 60 * NS_PER_S;
	rig_plant_request(2, "2-pending", "");
	rig_start(RIG_QUICK);
	rig_run();

	rig_assert_error(1, RESULT_EXPIRED, "start-within");
	rig_assert_result(2, RESULT_OK);
	rig_assert_idle();
}
END_TEST

/* Its clock was ahead, or ours has been set back: it waits as long as it said, not longer. */
START_TEST(an_id_from_the_future_has_its_time_from_now_on)
{
	int64_t now = 5 * NS_PER_S;
	struct reqid tomorrow = { (uint64_t)time_wall_us() + 86400 * UINT64_C(1000000), 7 };
	ck_assert_int_eq(expire_at(&rig, tomorrow, 60 * NS_PER_S, now), now + 60 * NS_PER_S);
	ck_assert_int_eq(expire_at(&rig, tomorrow, INT64_MAX, now), TIME_NEVER);
	ck_assert_int_eq(expire_at(&rig, tomorrow, 0, now), TIME_NEVER);
}
END_TEST

START_TEST(one_that_never_began_still_has_its_time)
{
	restart(RIG_FAULTY("busy-after-capacity"));
	request_within(2, 60 * NS_PER_S);
	rig_run();
	ck_assert(rig_stands(2, "2-pending"));

	rig_forward(61 * NS_PER_S);
	rig_run();
	rig_assert_error(2, RESULT_EXPIRED, "start-within");
}
END_TEST

/* It was started in time once, and may have run: "expired" would deny that. */
START_TEST(one_that_is_to_be_started_again_does_not_expire)
{
	char name[64];
	rig_close();
	snprintf(name, sizeof name, "%s.2", rig_name(1));
	tmpspool_put(".wq/attempts", name, "");
	rig_like.start_within_ns = age_ns(1) - NS_PER_S;
	rig_plant_request(1, "2-pending", "");
	rig_start(RIG_QUICK);
	rig_run();
	rig_assert_outcome(1, RESULT_OK, "", "", 2);
}
END_TEST

START_TEST(one_that_cannot_be_moved_is_answered_when_it_can)
{
	occupy();
	request_within(2, 60 * NS_PER_S);
	rig_run();
	rig_fail("renameat2", SPOOL_PENDING, SPOOL_RUNNING, EIO, 2);
	rig_forward(61 * NS_PER_S);
	rig_run();
	ck_assert(rig_stands(2, "2-pending"));
	rig_run_later();
	rig_run_later();
	rig_assert_error(2, RESULT_EXPIRED, "start-within");
}
END_TEST

START_TEST(one_that_cannot_be_read_any_more_is_answered_all_the_same)
{
	occupy();
	request_within(2, 60 * NS_PER_S);
	rig_run();
	ck_assert_int_eq(truncate(tmpspool_at("2-pending", rig_name(2)), 3), 0);
	rig_forward(61 * NS_PER_S);
	rig_run();
	rig_assert_error(2, RESULT_EXPIRED, "start-within");
}
END_TEST

START_TEST(while_the_system_cannot_read_it_it_waits)
{
	occupy();
	request_within(2, 60 * NS_PER_S);
	rig_run();
	rig_fail("open", SPOOL_PENDING, RIG_ANY, EMFILE, 1);
	rig_forward(61 * NS_PER_S);
	rig_run();
	ck_assert(rig_stands(2, "2-pending"));
	rig_run_later();
	rig_assert_error(2, RESULT_EXPIRED, "start-within");
}
END_TEST

START_TEST(one_that_was_taken_away_meanwhile_is_forgotten)
{
	occupy();
	request_within(2, 60 * NS_PER_S);
	rig_run();
	ck_assert_int_eq(unlink(tmpspool_at("2-pending", rig_name(2))), 0);
	rig_forward(61 * NS_PER_S);
	rig_run();
	ck_assert(!sched_is_known(rig.sched, tmpspool_nth(2)));
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
}
END_TEST

START_TEST(what_is_unusable_is_answered_though_nothing_can_be_started)
{
	occupy();
	rig_request(2, "");
	rig_bad_request(3);
	rig_run();
	rig_assert_error(3, RESULT_REJECTED, "not-wq");
}
END_TEST

/* ---- queue-limit ------------------------------------------------------------------------------- */

START_TEST(up_to_the_limit_they_wait_and_one_more_is_answered)
{
	restart("queue-limit = 2\n" SLOW);
	occupy();
	rig_request(2, "");
	rig_request(3, "");
	rig_run();
	ck_assert_int_eq(tmpspool_count("2-pending"), 2);
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	ck_assert_str_eq(page_why(&rig), "queue-full");

	rig_request(4, "");
	rig_run();
	rig_assert_error(4, RESULT_REJECTED, "queue-full");
	ck_assert_int_eq(tmpspool_count("2-pending"), 2);
	ck_assert_int_eq(rig_n_started(), 1);
	ck_assert_uint_eq(rig.metrics.plain[METRICS_TOO_MANY], 1);
	/* There is nothing wrong with it. */
	rig_assert_quarantine(0);
	/* What runs, and what has been answered, leaves nothing behind. */
	ck_assert_int_eq(tmpspool_count("3-running"), 1);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
}
END_TEST

START_TEST(an_abort_makes_room_for_the_next)
{
	restart("queue-limit = 1\n" SLOW);
	occupy();
	rig_request(2, "");
	rig_run();
	rig_abort(2);
	rig_run();
	ck_assert_str_eq(page_why(&rig), "");
	rig_request(3, "");
	rig_run();
	ck_assert(rig_stands(3, "2-pending"));
}
END_TEST

START_TEST(one_that_cannot_be_answered_waits_like_the_others)
{
	restart("queue-limit = 1\n" SLOW);
	occupy();
	rig_request(2, "");
	rig_run();
	rig_fail("renameat2", SPOOL_PENDING, SPOOL_RUNNING, ENOSPC, 1);
	rig_request(3, "");
	rig_run();
	ck_assert_int_eq(rig_failed(), 1);
	ck_assert(rig_stands(3, "2-pending"));
	ck_assert_uint_eq(sched_counts(rig.sched).pending, 2);
}
END_TEST

START_TEST(what_an_earlier_server_took_is_not_refused)
{
	rig_close();
	for (unsigned n = 1; n <= 4; n++)
		rig_plant_request(n, "2-pending", "");
	rig_start("queue-limit = 1\n" RIG_QUICK);
	rig_run();
	for (unsigned n = 1; n <= 4; n++)
		rig_assert_result(n, RESULT_OK);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/expire");
	TCase *tc = tcase_create("start-within");
	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_test(tc, one_that_waits_too_long_is_answered_while_another_runs);
	tcase_add_test(tc, the_server_wakes_for_it_by_itself);
	tcase_add_test(tc, one_that_is_started_in_time_runs_to_its_end);
	tcase_add_test(tc, one_that_is_late_already_is_answered_at_once_and_the_next_starts);
	tcase_add_test(tc, the_time_goes_on_while_no_server_runs);
	tcase_add_test(tc, an_id_from_the_future_has_its_time_from_now_on);
	tcase_add_test(tc, one_that_never_began_still_has_its_time);
	tcase_add_test(tc, one_that_is_to_be_started_again_does_not_expire);
	tcase_add_test(tc, one_that_cannot_be_moved_is_answered_when_it_can);
	tcase_add_test(tc, one_that_cannot_be_read_any_more_is_answered_all_the_same);
	tcase_add_test(tc, while_the_system_cannot_read_it_it_waits);
	tcase_add_test(tc, one_that_was_taken_away_meanwhile_is_forgotten);
	tcase_add_test(tc, what_is_unusable_is_answered_though_nothing_can_be_started);
	suite_add_tcase(suite, tc);
	tc = tcase_create("queue-limit");
	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_test(tc, up_to_the_limit_they_wait_and_one_more_is_answered);
	tcase_add_test(tc, an_abort_makes_room_for_the_next);
	tcase_add_test(tc, one_that_cannot_be_answered_waits_like_the_others);
	tcase_add_test(tc, what_an_earlier_server_took_is_not_refused);
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
