/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"
#include "sched/sched.h"
#include "support/sched/rig.h"

#include <check.h>

#define STORY (~(SAY(LOOK) | SAY(REAP)))

static struct rig *r;

static void setup(void)
{
	static const struct sched_limits limits[2] = {
		{ .max_running = 2 },
		{ .max_running = 1 },
	};

	r = rig_new(32, 2, limits);
}

static void teardown(void)
{
	rig_free(r);
}

static void says(unsigned kinds, const char *text)
{
	ck_assert_str_eq(rig_said(r, kinds), text);
}

static struct sched_tm_state state(uint32_t tm)
{
	struct sched_tm_state st;

	sched_tm_state(r->s, tm, r->now_ns, &st);
	return st;
}

/* Request n runs in task manager 0. */
static void run_one(uint32_t n)
{
	rig_add(r, n, 0);
	rig_run(r);
	ck_assert_int_eq(r->request[n].state, RIG_RUNNING);
}

/* The next decision but LOOK and REAP is this one.  Taken by hand, so nothing judges it. */
static struct sched_decision next_decision(void)
{
	struct sched_decision d;

	for (;;) {
		ck_assert(sched_next(r->s, r->now_ns, &d));
		if (d.kind == SCHED_LOOK)
			sched_looked(r->s);
		else if (d.kind == SCHED_REAP)
			sched_reaped(r->s, d.tm, false, r->now_ns);
		else
			return d;
	}
}

/* ---- run limits ---- */

START_TEST(one_is_told_to_end_at_its_limit_and_then_completed)
{
	run_one(1);
	rig_limit(r, 1, 100);
	rig_run(r);
	says(STORY, "");
	ck_assert_int_eq(sched_due(r->s), 100);

	rig_run_at(r, 99);
	says(STORY, "");
	rig_run_at(r, 100);
	says(STORY, "terminate 1");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
	ck_assert_uint_eq(state(0).running, 1);

	rig_finish(r, 1);
	rig_run_at(r, 120);
	says(STORY, "complete 1");
}
END_TEST

START_TEST(each_reason_to_end_is_named)
{
	struct sched_decision d;

	run_one(1);
	rig_limit(r, 1, 100);
	r->now_ns = 100;
	d = next_decision();
	ck_assert_int_eq(d.kind, SCHED_TERMINATE);
	ck_assert_int_eq(d.end, SCHED_END_LIMIT);
	ck_assert_uint_eq(d.ref, RIG_REF_STARTED + 1);

	sched_terminate_all(r->s);
	d = next_decision();
	ck_assert_int_eq(d.kind, SCHED_TERMINATE);
	ck_assert_int_eq(d.end, SCHED_END_NOW);
}
END_TEST

START_TEST(an_abort_that_comes_before_the_limit_is_carried_out_is_the_reason)
{
	run_one(1);
	rig_limit(r, 1, 100);
	r->now_ns = 100;
	sched_marked(r->s, rig_id(1), 100);
	struct sched_decision d = next_decision();
	ck_assert_int_eq(d.kind, SCHED_TERMINATE);
	ck_assert_int_eq(d.end, SCHED_END_ABORT);
}
END_TEST

START_TEST(one_that_was_told_to_end_at_its_limit_is_not_told_again)
{
	run_one(1);
	rig_limit(r, 1, 100);
	rig_run_at(r, 100);
	says(STORY, "terminate 1");

	rig_limit(r, 1, 200);
	rig_run_at(r, 200);
	says(STORY, "");
	rig_mark(r, 1);
	rig_run(r);
	says(STORY, "");
}
END_TEST

START_TEST(one_that_ends_at_its_limit_but_is_aborted_is_removed)
{
	run_one(1);
	rig_limit(r, 1, 100);
	rig_run_at(r, 100);
	rig_mark(r, 1);
	rig_finish(r, 1);
	rig_run_at(r, 110);
	says(STORY, "remove 1");
	ck_assert_uint_eq(r->request[1].n_completed, 0);
}
END_TEST

START_TEST(one_that_was_aborted_is_not_told_again_at_its_limit)
{
	run_one(1);
	rig_limit(r, 1, 100);
	rig_mark(r, 1);
	rig_run(r);
	says(STORY, "terminate 1");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_limit(r, 1, 150);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
	rig_run_at(r, 200);
	says(STORY, "");
}
END_TEST

START_TEST(a_limit_can_be_moved_and_taken_back)
{
	run_one(1);
	rig_limit(r, 1, 100);
	rig_limit(r, 1, 50);
	ck_assert_int_eq(sched_due(r->s), 50);
	rig_limit(r, 1, 300);
	ck_assert_int_eq(sched_due(r->s), 300);
	rig_run_at(r, 299);
	says(STORY, "");

	rig_limit(r, 1, TIME_NEVER);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
	rig_run_at(r, 1000);
	says(STORY, "");
}
END_TEST

START_TEST(a_limit_that_has_passed_already_holds_at_once)
{
	run_one(1);
	r->now_ns = 100;
	rig_limit(r, 1, 40);
	rig_run(r);
	says(STORY, "terminate 1");
}
END_TEST

START_TEST(the_limit_of_one_that_has_ended_is_forgotten)
{
	run_one(1);
	rig_limit(r, 1, 100);
	rig_finish(r, 1);
	rig_run(r);
	says(STORY, "complete 1");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	/* The same id once more: a limit of before must not end it. */
	run_one(1);
	rig_run_at(r, 200);
	says(STORY, "");
}
END_TEST

START_TEST(the_limit_of_one_that_never_began_is_forgotten)
{
	run_one(1);
	rig_limit(r, 1, 100);
	rig_end_unbegun(r, 1, 0);
	rig_wake(r, 0);
	rig_run(r);
	says(STORY, "put-back 1, ask 0, start 1");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_run_at(r, 200);
	says(STORY, "");
}
END_TEST

START_TEST(one_that_never_began_though_its_limit_passed_starts_with_a_clean_sheet)
{
	run_one(1);
	rig_limit(r, 1, 100);
	rig_run_at(r, 100);
	rig_end_unbegun(r, 1, 0);
	rig_wake(r, 0);
	rig_run(r);
	says(STORY, "put-back 1, ask 0, start 1");

	rig_limit(r, 1, 200);
	rig_run_at(r, 200);
	says(STORY, "terminate 1");
}
END_TEST

START_TEST(nothing_overtakes_one_that_never_began_and_whose_end_was_put_off)
{
	rig_add_range(r, 1, 3, 1);
	rig_run(r);
	says(SAY(START), "start 1");
	rig_limit(r, 1, 10);
	rig_answer_next(r, SCHED_TERMINATE, 1, RIG_DEFER, 50);
	rig_run_at(r, 10);
	rig_end_unbegun(r, 1, 0);
	rig_wake(r, 1);
	rig_run_at(r, 20);
	says(SAY(START), "");
	ck_assert_int_eq(sched_due(r->s), 50);

	rig_run_at(r, 50);
	says(STORY & ~SAY(ASK), "put-back 1, start 1");
}
END_TEST

START_TEST(limits_are_kept_in_the_order_of_their_times)
{
	rig_set_max_running(r, 0, 4);
	rig_add_range(r, 1, 4, 0);
	rig_run(r);
	rig_limit(r, 1, 40);
	rig_limit(r, 2, 10);
	rig_limit(r, 3, 30);
	rig_limit(r, 4, 20);
	rig_finish(r, 3);
	rig_run(r);
	rig_run_at(r, 40);
	says(SAY(TERMINATE), "terminate 2, terminate 4, terminate 1");
}
END_TEST

START_TEST(limits_hold_while_the_server_stops)
{
	run_one(1);
	rig_limit(r, 1, 100);
	rig_stop(r);
	rig_run(r);
	ck_assert_int_eq(sched_due(r->s), 100);
	rig_run_at(r, 100);
	says(STORY, "terminate 1");
}
END_TEST

/* ---- found running ---- */

START_TEST(one_that_was_found_running_has_its_slot)
{
	rig_found_running(r, 1, 1);
	rig_add(r, 2, 1);
	rig_run(r);
	says(SAY(START), "");
	ck_assert_uint_eq(state(1).running, 1);
	ck_assert_int_eq(state(1).why, SCHED_WHY_MAX_RUNNING);

	rig_finish(r, 1);
	rig_run(r);
	says(STORY & ~SAY(ASK), "complete 1, start 2");
}
END_TEST

START_TEST(more_may_be_found_running_than_may_run)
{
	rig_found_running(r, 1, 1);
	rig_found_running(r, 2, 1);
	rig_found_pending(r, 3, 1);
	rig_run(r);
	ck_assert_uint_eq(state(1).running, 2);

	rig_finish(r, 2);
	rig_run(r);
	says(STORY, "complete 2");
	rig_finish(r, 1);
	rig_run(r);
	says(SAY(COMPLETE) | SAY(START), "complete 1, start 3");
}
END_TEST

START_TEST(one_that_was_found_running_is_aborted_like_any_other)
{
	rig_found_running(r, 1, 0);
	rig_mark(r, 1);
	rig_run(r);
	says(STORY, "terminate 1");
	rig_finish(r, 1);
	rig_run(r);
	says(STORY, "remove 1");
}
END_TEST

START_TEST(one_that_was_found_but_had_never_begun_goes_first_again)
{
	rig_found_running(r, 1, 1);
	rig_found_pending(r, 2, 1);
	rig_hold(r, 1, true);
	rig_run(r);
	rig_tell_not_begun(r, 1, 0);
	rig_run(r);
	says(STORY, "put-back 1");

	rig_hold(r, 1, false);
	rig_run(r);
	says(SAY(START), "start 1");
}
END_TEST

/* ---- hold ---- */

START_TEST(one_that_is_held_is_not_asked_and_starts_nothing)
{
	rig_hold(r, 0, true);
	rig_add(r, 1, 0);
	rig_add(r, 2, 1);
	rig_run(r);
	says(SAY(ASK) | SAY(START), "ask 1, start 2");
	ck_assert_int_eq(state(0).why, SCHED_WHY_RECOVERING);
	ck_assert_int_eq(state(1).why, SCHED_WHY_MAX_RUNNING);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_hold(r, 0, false);
	rig_run(r);
	says(SAY(ASK) | SAY(START), "ask 0, start 1");
	rig_finish(r, 1);
	rig_run(r);
	ck_assert_int_eq(state(0).why, SCHED_WHY_READY);
}
END_TEST

START_TEST(an_abort_while_it_is_held_is_carried_out_when_it_is_released)
{
	rig_found_running(r, 1, 0);
	rig_hold(r, 0, true);
	rig_mark(r, 1);
	rig_run_at(r, 100);
	says(STORY, "");

	rig_hold(r, 0, false);
	rig_run(r);
	says(STORY, "terminate 1");
	rig_hold(r, 0, true);
	rig_hold(r, 0, false);
	rig_run(r);
	says(STORY, "");
}
END_TEST

START_TEST(a_limit_that_passes_while_it_is_held_is_carried_out_when_it_is_released)
{
	rig_found_running(r, 1, 0);
	rig_hold(r, 0, true);
	rig_limit(r, 1, 50);
	rig_run_at(r, 100);
	says(STORY, "");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_hold(r, 0, false);
	rig_run(r);
	says(STORY, "terminate 1");
}
END_TEST

START_TEST(an_abort_that_was_told_before_the_hold_waits_for_the_release_too)
{
	run_one(1);
	rig_mark(r, 1);
	rig_hold(r, 0, true);
	rig_run(r);
	says(STORY, "");
	rig_hold(r, 0, false);
	rig_run(r);
	says(STORY, "terminate 1");
}
END_TEST

START_TEST(the_end_of_all_waits_for_the_release_too)
{
	rig_found_running(r, 1, 0);
	rig_found_running(r, 2, 1);
	rig_hold(r, 0, true);
	rig_terminate_all(r);
	rig_run(r);
	says(STORY, "terminate 2");
	ck_assert(!sched_is_drained(r->s));

	rig_hold(r, 0, false);
	rig_run(r);
	says(STORY, "terminate 1");
}
END_TEST

START_TEST(one_that_ends_while_it_is_held_is_reaped_and_told_nothing_more)
{
	rig_found_running(r, 1, 0);
	rig_found_running(r, 2, 0);
	rig_hold(r, 0, true);
	rig_mark(r, 1);
	rig_run(r);
	rig_finish(r, 1);
	rig_finish(r, 2);
	rig_run(r);
	says(SAY(REAP) | SAY(COMPLETE) | SAY(REMOVE), "reap 0, remove 1, complete 2");

	rig_hold(r, 0, false);
	rig_run(r);
	says(STORY, "");
}
END_TEST

START_TEST(what_was_held_back_is_forgotten_when_it_never_began)
{
	rig_found_running(r, 1, 0);
	rig_hold(r, 0, true);
	rig_limit(r, 1, 10);
	rig_run_at(r, 10);
	rig_tell_not_begun(r, 1, 0);
	rig_hold(r, 0, false);
	rig_run(r);
	says(SAY(START) | SAY(TERMINATE), "start 1");

	rig_limit(r, 1, 20);
	rig_run_at(r, 20);
	says(STORY, "terminate 1");
	rig_hold(r, 0, true);
	rig_hold(r, 0, false);
	rig_run(r);
	says(STORY, "");
}
END_TEST

START_TEST(one_that_waits_is_removed_while_its_task_manager_is_held)
{
	rig_add_range(r, 1, 2, 1);
	rig_run(r);
	rig_hold(r, 1, true);
	rig_mark(r, 2);
	rig_run(r);
	says(STORY, "remove 2");
}
END_TEST

/* wq/plugin.h, WQ_CAP_WAKES: it need not wake for what it has to say when it was just called. */
START_TEST(one_that_is_released_is_reaped)
{
	rig_found_running(r, 1, 0);
	rig_hold(r, 0, true);
	rig_run(r);
	rig_end(r, 1);
	rig_hold(r, 0, false);
	rig_run(r);
	says(SAY(REAP) | SAY(COMPLETE), "reap 0, complete 1");
}
END_TEST

/* ---- max-running ---- */

START_TEST(more_start_at_once_when_more_may_run)
{
	rig_add_range(r, 1, 3, 1);
	rig_run(r);
	says(SAY(START), "start 1");

	rig_set_max_running(r, 1, 3);
	rig_run(r);
	says(SAY(START), "start 2, start 3");
	ck_assert_uint_eq(sched_max_running(r->s, 1), 3);
}
END_TEST

START_TEST(nothing_is_ended_when_fewer_may_run_and_nothing_started_until_there_is_room)
{
	rig_add_range(r, 1, 4, 0);
	rig_run(r);
	says(SAY(START), "start 1, start 2");

	rig_set_max_running(r, 0, 1);
	rig_run(r);
	says(STORY, "");
	rig_finish(r, 1);
	rig_run(r);
	says(STORY, "complete 1");
	rig_finish(r, 2);
	rig_run(r);
	says(SAY(START), "start 3");
}
END_TEST

/* ---- detach ---- */

START_TEST(tasks_that_outlive_the_server_do_not_keep_it)
{
	run_one(1);
	rig_add(r, 2, 1);
	rig_run(r);
	rig_stop(r);
	rig_detach(r, 0);
	rig_run(r);
	ck_assert(!sched_is_drained(r->s));

	rig_finish(r, 2);
	rig_run(r);
	ck_assert(sched_is_drained(r->s));
	ck_assert_uint_eq(sched_counts(r->s).running, 1);
}
END_TEST

START_TEST(the_end_of_all_leaves_tasks_that_outlive_the_server)
{
	run_one(1);
	rig_add(r, 2, 1);
	rig_run(r);
	rig_detach(r, 0);
	rig_terminate_all(r);
	rig_run(r);
	says(STORY, "terminate 2");
}
END_TEST

START_TEST(tasks_that_outlive_the_server_are_still_aborted_and_completed_meanwhile)
{
	rig_add_range(r, 1, 2, 0);
	rig_run(r);
	rig_detach(r, 0);
	rig_terminate_all(r);
	rig_run(r);
	rig_mark(r, 1); /* the rig holds the reason: its client's wish */
	rig_finish(r, 2);
	ck_assert(!sched_is_drained(r->s)); /* a word is still to be carried out */
	rig_run(r);
	says(STORY, "terminate 1, complete 2");
	ck_assert(sched_is_drained(r->s));
}
END_TEST

static Suite *running_suite(void)
{
	Suite *s = suite_create("sched/sched_running");
	TCase *limit = tcase_create("limit"), *found = tcase_create("found"),
	      *hold = tcase_create("hold"), *max = tcase_create("max-running"),
	      *detach = tcase_create("detach");

	tcase_add_checked_fixture(limit, setup, teardown);
	tcase_add_test(limit, one_is_told_to_end_at_its_limit_and_then_completed);
	tcase_add_test(limit, each_reason_to_end_is_named);
	tcase_add_test(limit, an_abort_that_comes_before_the_limit_is_carried_out_is_the_reason);
	tcase_add_test(limit, one_that_was_told_to_end_at_its_limit_is_not_told_again);
	tcase_add_test(limit, one_that_ends_at_its_limit_but_is_aborted_is_removed);
	tcase_add_test(limit, one_that_was_aborted_is_not_told_again_at_its_limit);
	tcase_add_test(limit, a_limit_can_be_moved_and_taken_back);
	tcase_add_test(limit, a_limit_that_has_passed_already_holds_at_once);
	tcase_add_test(limit, the_limit_of_one_that_has_ended_is_forgotten);
	tcase_add_test(limit, the_limit_of_one_that_never_began_is_forgotten);
	tcase_add_test(
		limit, one_that_never_began_though_its_limit_passed_starts_with_a_clean_sheet);
	tcase_add_test(limit, nothing_overtakes_one_that_never_began_and_whose_end_was_put_off);
	tcase_add_test(limit, limits_are_kept_in_the_order_of_their_times);
	tcase_add_test(limit, limits_hold_while_the_server_stops);
	suite_add_tcase(s, limit);

	tcase_add_checked_fixture(found, setup, teardown);
	tcase_add_test(found, one_that_was_found_running_has_its_slot);
	tcase_add_test(found, more_may_be_found_running_than_may_run);
	tcase_add_test(found, one_that_was_found_running_is_aborted_like_any_other);
	tcase_add_test(found, one_that_was_found_but_had_never_begun_goes_first_again);
	suite_add_tcase(s, found);

	tcase_add_checked_fixture(hold, setup, teardown);
	tcase_add_test(hold, one_that_is_held_is_not_asked_and_starts_nothing);
	tcase_add_test(hold, an_abort_while_it_is_held_is_carried_out_when_it_is_released);
	tcase_add_test(
		hold, a_limit_that_passes_while_it_is_held_is_carried_out_when_it_is_released);
	tcase_add_test(hold, an_abort_that_was_told_before_the_hold_waits_for_the_release_too);
	tcase_add_test(hold, the_end_of_all_waits_for_the_release_too);
	tcase_add_test(hold, one_that_ends_while_it_is_held_is_reaped_and_told_nothing_more);
	tcase_add_test(hold, what_was_held_back_is_forgotten_when_it_never_began);
	tcase_add_test(hold, one_that_waits_is_removed_while_its_task_manager_is_held);
	tcase_add_test(hold, one_that_is_released_is_reaped);
	suite_add_tcase(s, hold);

	tcase_add_checked_fixture(max, setup, teardown);
	tcase_add_test(max, more_start_at_once_when_more_may_run);
	tcase_add_test(
		max, nothing_is_ended_when_fewer_may_run_and_nothing_started_until_there_is_room);
	suite_add_tcase(s, max);

	tcase_add_checked_fixture(detach, setup, teardown);
	tcase_add_test(detach, tasks_that_outlive_the_server_do_not_keep_it);
	tcase_add_test(detach, the_end_of_all_leaves_tasks_that_outlive_the_server);
	tcase_add_test(
		detach, tasks_that_outlive_the_server_are_still_aborted_and_completed_meanwhile);
	suite_add_tcase(s, detach);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(running_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
