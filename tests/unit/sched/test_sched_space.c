/* SPDX-License-Identifier: BSD-2-Clause */
/* The bound on what waits, and what goes on while there is no space. */
#include "base/time.h"
#include "sched/sched.h"
#include "support/sched/rig.h"

#include <check.h>

/* Looking and reaping without need is no harm. */
#define STORY (~(SAY(LOOK) | SAY(REAP)))

static struct rig *r;

static void setup(void)
{
	struct sched_limits limits[2] = { { .max_running = 1 },
		{ .max_running = 1, .polls = true } };

	r = rig_new(64, 2, limits);
	r->ahead = true;
}

static void teardown(void)
{
	rig_free(r);
}

static void says(unsigned kinds, const char *text)
{
	ck_assert_str_eq(rig_said(r, kinds), text);
}

static enum sched_why why(uint32_t tm)
{
	struct sched_tm_state st;

	sched_tm_state(r->s, tm, r->now_ns, &st);
	return st.why;
}

/* ---- the queue's limit: what is too many is completed in the same breath ---- */

START_TEST(up_to_the_limit_all_wait_and_one_more_is_refused)
{
	rig_set_queue_limit(r, 3);
	rig_add(r, 1, 0);
	rig_run(r);
	rig_add_range(r, 2, 4, 0);
	rig_run(r);
	says(SAY(ACCEPT) | SAY(COMPLETE), "accept 2, accept 3, accept 4");
	ck_assert_uint_eq(sched_counts(r->s).pending, 3);

	rig_add(r, 5, 0);
	rig_run(r);
	says(STORY, "accept 5, complete 5");
	ck_assert_uint_eq(sched_counts(r->s).pending, 3);
	ck_assert(!sched_is_known(r->s, rig_id(5)));
}
END_TEST

START_TEST(what_runs_does_not_count_and_a_start_makes_room)
{
	rig_set_queue_limit(r, 1);
	rig_add(r, 1, 0);
	rig_run(r);
	rig_add(r, 2, 0);
	rig_run(r);
	says(SAY(COMPLETE), "");
	rig_finish(r, 1);
	rig_run(r);
	says(SAY(START), "start 2");

	rig_add(r, 3, 0);
	rig_run(r);
	says(SAY(COMPLETE), "");
	ck_assert_uint_eq(sched_counts(r->s).pending, 1);
}
END_TEST

START_TEST(all_task_managers_count_together_sorted_or_not)
{
	rig_set_queue_limit(r, 3);
	rig_add(r, 1, 0);
	rig_add(r, 2, 1);
	rig_run(r);
	rig_add(r, 3, 0);
	rig_add(r, 4, 1);
	rig_run(r);
	r->ahead = false;
	rig_add(r, 5, 0);
	rig_run(r);
	ck_assert_uint_eq(sched_counts(r->s).unsorted, 1);

	rig_add(r, 6, 0);
	rig_run(r);
	says(STORY, "accept 6, complete 6");
}
END_TEST

START_TEST(a_late_one_is_refused_like_any_other_and_the_order_of_the_rest_stays)
{
	rig_set_queue_limit(r, 2);
	rig_add(r, 1, 0);
	rig_run(r);
	rig_add(r, 5, 0);
	rig_add(r, 6, 0);
	rig_run(r);
	rig_add(r, 3, 0);
	rig_run(r);
	says(STORY, "accept 3, complete 3");

	rig_finish(r, 1);
	rig_run(r);
	says(SAY(START), "start 5");
}
END_TEST

START_TEST(one_with_a_marker_is_removed_and_not_refused)
{
	rig_set_queue_limit(r, 1);
	rig_add_range(r, 1, 2, 0);
	rig_run(r);
	rig_mark(r, 3);
	rig_add(r, 3, 0);
	rig_run(r);
	says(SAY(ACCEPT) | SAY(REMOVE) | SAY(COMPLETE), "accept 3, remove 3");
}
END_TEST

START_TEST(an_abort_of_one_that_was_refused_takes_its_result_away_unseen)
{
	rig_set_queue_limit(r, 1);
	rig_add_range(r, 1, 2, 0);
	rig_run(r);
	rig_answer_next(r, SCHED_COMPLETE, 3, RIG_DEFER, 100);
	rig_add(r, 3, 0);
	rig_run(r);
	rig_mark(r, 3);

	rig_run_at(r, 100);
	says(STORY, "remove 3");
}
END_TEST

START_TEST(what_an_earlier_server_left_is_kept_though_it_is_more)
{
	rig_set_queue_limit(r, 1);
	for (uint32_t n = 1; n <= 4; n++)
		rig_found_pending(r, n, 0);
	rig_run(r);
	says(SAY(COMPLETE), "");
	ck_assert_uint_eq(sched_counts(r->s).pending, 3);
}
END_TEST

/* ---- no space ---- */

START_TEST(without_space_nothing_starts_and_nobody_is_asked)
{
	rig_set_no_space(r, true);
	rig_add(r, 1, 0);
	rig_add(r, 2, 1);
	rig_run(r);
	says(STORY, "accept 1, accept 2");
	ck_assert_int_eq(why(0), SCHED_WHY_NO_SPACE);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
	rig_wake(r, 0);
	rig_run_at(r, 100 * RIG_SAMPLE_NS);
	says(STORY, "");

	rig_set_no_space(r, false);
	rig_run(r);
	says(SAY(START), "start 1, start 2");
}
END_TEST

START_TEST(what_is_sorted_already_does_not_start_either)
{
	rig_add_range(r, 1, 2, 0);
	rig_run(r);
	rig_set_no_space(r, true);
	rig_finish(r, 1);
	rig_run(r);
	says(STORY, "complete 1");
}
END_TEST

START_TEST(without_space_what_runs_ends_and_aborts_go_on)
{
	rig_add_range(r, 1, 2, 0);
	rig_add(r, 3, 1);
	rig_run(r);
	rig_set_no_space(r, true);
	rig_mark(r, 2);
	rig_mark(r, 3);
	rig_run(r);
	says(STORY, "remove 2, terminate 3");
	rig_end(r, 3);
	rig_finish(r, 1);
	rig_run_at(r, RIG_SAMPLE_NS);
	says(SAY(COMPLETE) | SAY(REMOVE), "complete 1, remove 3");
}
END_TEST

START_TEST(results_are_tried_again_meanwhile)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 100);
	rig_finish(r, 1);
	rig_run(r);
	rig_set_no_space(r, true);
	ck_assert_int_eq(sched_due(r->s), 100);

	rig_run_at(r, 100);
	says(STORY, "complete 1");
}
END_TEST

START_TEST(one_that_stops_says_that_rather)
{
	rig_set_no_space(r, true);
	rig_stop(r);
	rig_run(r);
	ck_assert_int_eq(why(0), SCHED_WHY_STOPPING);
}
END_TEST

static Suite *space_suite(void)
{
	Suite *s = suite_create("sched/sched_space");
	TCase *tc = tcase_create("limit");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, up_to_the_limit_all_wait_and_one_more_is_refused);
	tcase_add_test(tc, what_runs_does_not_count_and_a_start_makes_room);
	tcase_add_test(tc, all_task_managers_count_together_sorted_or_not);
	tcase_add_test(tc, a_late_one_is_refused_like_any_other_and_the_order_of_the_rest_stays);
	tcase_add_test(tc, one_with_a_marker_is_removed_and_not_refused);
	tcase_add_test(tc, an_abort_of_one_that_was_refused_takes_its_result_away_unseen);
	tcase_add_test(tc, what_an_earlier_server_left_is_kept_though_it_is_more);
	suite_add_tcase(s, tc);

	tc = tcase_create("no space");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_space_nothing_starts_and_nobody_is_asked);
	tcase_add_test(tc, what_is_sorted_already_does_not_start_either);
	tcase_add_test(tc, without_space_what_runs_ends_and_aborts_go_on);
	tcase_add_test(tc, results_are_tried_again_meanwhile);
	tcase_add_test(tc, one_that_stops_says_that_rather);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(space_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
