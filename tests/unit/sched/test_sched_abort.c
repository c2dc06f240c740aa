/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"
#include "sched/sched.h"
#include "support/sched/rig.h"

#include <check.h>

#define STORY (~(SAY(LOOK) | SAY(REAP)))

enum {
	MANY = 100000
};

static struct rig *r;

static void setup(void)
{
	static const struct sched_limits limits[2] = {
		{ .max_running = 1 },
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

/* The request and its marker are gone, by one REMOVE (the rig holds its place against its own). */
static void is_removed(uint32_t n)
{
	ck_assert_uint_eq(r->request[n].n_removed, 1);
	ck_assert_uint_eq(r->request[n].n_completed, 0);
	ck_assert(!r->request[n].marker);
	ck_assert(!sched_is_known(r->s, rig_id(n)));
}

/* ---- in each state ---- */

START_TEST(one_that_is_seen_is_removed_and_never_sorted)
{
	rig_add(r, 1, 0);
	rig_mark(r, 1);
	rig_run(r);

	is_removed(1);
	says(SAY(SORT) | SAY(START), "");
}
END_TEST

START_TEST(one_that_cannot_be_read_yet_is_removed_and_lets_the_others_pass)
{
	rig_add_range(r, 1, 2, 0);
	rig_answer_next(r, SCHED_SORT, 1, RIG_DEFER, 100);
	rig_run(r);
	says(SAY(START), "");

	rig_mark(r, 1);
	rig_run(r);
	is_removed(1);
	says(SAY(REMOVE) | SAY(SORT), "remove 1, sort 2");
	says(SAY(START), "start 2");
}
END_TEST

START_TEST(one_that_waits_is_removed)
{
	rig_add_range(r, 1, 4, 0);
	rig_run(r);

	rig_mark(r, 2);
	rig_mark(r, 4);
	rig_run(r);
	is_removed(2);
	is_removed(4);

	rig_finish(r, 1);
	rig_run(r);
	says(SAY(START), "start 3");
}
END_TEST

START_TEST(one_that_waits_for_a_held_task_manager_is_removed)
{
	rig_add_range(r, 1, 2, 0);
	rig_answer_next(r, SCHED_START, 1, RIG_BUSY, 100);
	rig_run(r);

	rig_mark(r, 1);
	rig_run(r);
	is_removed(1);

	rig_run_at(r, 100);
	says(SAY(START), "start 2");
}
END_TEST

START_TEST(one_that_runs_is_terminated_and_keeps_its_slot_until_its_end)
{
	rig_add_range(r, 1, 2, 0);
	rig_run(r);

	rig_mark(r, 1);
	rig_run(r);
	says(STORY, "terminate 1");
	rig_wake(r, 0);
	rig_run_at(r, 1000000);
	says(STORY, "");
	ck_assert_uint_eq(sched_counts(r->s).running, 1);

	rig_finish(r, 1);
	rig_run(r);
	is_removed(1);
	says(SAY(COMPLETE), "");
	says(SAY(START), "start 2");
}
END_TEST

START_TEST(one_that_runs_is_terminated_once)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_mark(r, 1);
	rig_mark(r, 1);
	rig_run(r);
	says(STORY, "terminate 1");

	rig_mark(r, 1);
	rig_run(r);
	says(STORY, "");
}
END_TEST

START_TEST(one_that_ends_before_it_is_terminated_is_removed)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_mark(r, 1);
	rig_tell_ended(r, 1);
	rig_run(r);

	is_removed(1);
	says(STORY, "remove 1");
}
END_TEST

START_TEST(one_that_never_began_is_removed_after_its_termination)
{
	rig_add_range(r, 1, 2, 0);
	rig_run(r);
	rig_mark(r, 1);
	rig_run(r);

	rig_end_unbegun(r, 1, 0);
	rig_wake(r, 0);
	rig_run(r);

	is_removed(1);
	says(SAY(START), "start 2");
}
END_TEST

START_TEST(one_that_is_on_its_way_back_is_removed)
{
	rig_add_range(r, 1, 2, 0);
	rig_run(r);

	rig_tell_not_begun(r, 1, 50);
	rig_mark(r, 1);
	rig_run(r);

	is_removed(1);
	rig_run_at(r, 50);
	says(SAY(START), "start 2");
}
END_TEST

START_TEST(one_that_was_put_back_is_removed)
{
	rig_add_range(r, 1, 2, 0);
	rig_run(r);
	rig_tell_not_begun(r, 1, 50);
	rig_run(r);
	says(STORY, "put-back 1");

	rig_mark(r, 1);
	rig_run(r);
	is_removed(1);
}
END_TEST

START_TEST(one_that_has_ended_is_not_completed_any_more)
{
	rig_add(r, 1, 0);
	rig_run(r);

	rig_tell_ended(r, 1);
	rig_mark(r, 1);
	rig_run(r);

	is_removed(1);
	says(STORY, "remove 1");
}
END_TEST

START_TEST(one_whose_result_cannot_be_published_is_not_completed_any_more)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_finish(r, 1);
	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 50);
	rig_run(r);

	rig_mark(r, 1);
	rig_run(r);
	rig_run_at(r, 50);

	is_removed(1);
}
END_TEST

START_TEST(one_that_was_rejected_is_not_completed_any_more)
{
	rig_add(r, 1, 0);
	rig_answer_next(r, SCHED_SORT, 1, RIG_REJECT, 0);
	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 50);
	rig_run(r);

	rig_mark(r, 1);
	rig_run(r);
	rig_run_at(r, 50);

	is_removed(1);
}
END_TEST

START_TEST(one_that_cannot_be_removed_is_tried_again_and_holds_nobody_up)
{
	rig_add_range(r, 1, 3, 0);
	rig_run(r);
	rig_mark(r, 2);
	rig_answer_next(r, SCHED_REMOVE, 2, RIG_DEFER, 50);
	rig_run(r);
	says(STORY, "remove 2");
	ck_assert(r->request[2].marker);
	ck_assert_int_eq(sched_due(r->s), 50);

	rig_finish(r, 1);
	rig_run_at(r, 49);
	says(SAY(START) | SAY(REMOVE), "start 3");

	rig_run_at(r, 50);
	says(STORY, "remove 2");
	is_removed(2);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

/* ---- markers of ids that are not known ---- */

START_TEST(a_marker_whose_subject_is_nowhere_is_unmarked)
{
	rig_mark(r, 1);
	rig_run(r);

	says(STORY, "probe 1, unmark 1");
	ck_assert(!sched_is_known(r->s, rig_id(1)));

	rig_add(r, 1, 0); /* the marker is gone, and said nothing of what comes after it */
	rig_run(r);
	says(SAY(START), "start 1");
}
END_TEST

START_TEST(a_marker_that_is_told_twice_is_looked_after_once)
{
	rig_mark(r, 1);
	rig_mark(r, 1);
	rig_run(r);

	says(STORY, "probe 1, unmark 1");
}
END_TEST

START_TEST(a_marker_whose_subject_was_not_seen_yet_finds_it)
{
	rig_put(r, 1, 0);
	rig_mark(r, 1);
	rig_run(r);

	says(STORY, "probe 1, accept 1, remove 1");
	is_removed(1);
}
END_TEST

START_TEST(a_marker_whose_subject_vanishes_after_the_probe_is_unmarked)
{
	rig_put(r, 1, 0);
	rig_mark(r, 1);
	rig_answer_next(r, SCHED_ACCEPT, 1, RIG_DROP, 0);
	rig_run(r);

	says(STORY, "probe 1, accept 1, unmark 1");
	ck_assert(!r->request[1].marker);
	ck_assert(!sched_is_known(r->s, rig_id(1)));
}
END_TEST

START_TEST(a_marker_that_is_told_before_its_request_removes_it)
{
	rig_mark(r, 1);
	rig_add(r, 1, 0);
	rig_run(r);

	is_removed(1);
	says(SAY(SORT) | SAY(START), "");
}
END_TEST

START_TEST(a_request_that_is_seen_after_its_marker_found_nothing_is_not_lost)
{
	rig_mark(r, 1);
	ck_assert(rig_step(r)); /* the probe, which finds nothing */
	r->now_ns = 20;
	rig_add(r, 1, 0);
	rig_run(r);

	ck_assert(!r->request[1].marker);
	ck_assert_uint_eq(r->request[1].n_removed + r->request[1].n_started, 1);
}
END_TEST

START_TEST(a_marker_of_a_complete_one_removes_its_result)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_finish(r, 1);
	rig_run(r);

	rig_mark(r, 1);
	rig_run(r);

	says(STORY, "probe 1, remove 1");
	ck_assert_uint_eq(r->request[1].n_removed, 1);
	ck_assert(!sched_is_known(r->s, rig_id(1)));
}
END_TEST

START_TEST(a_result_that_cannot_be_removed_is_tried_again)
{
	r->request[1].place = SCHED_IN_COMPLETE;
	rig_mark(r, 1);
	rig_answer_next(r, SCHED_REMOVE, 1, RIG_DEFER, 50);
	rig_run(r);
	says(STORY, "probe 1, remove 1");

	rig_run_at(r, 50);
	says(STORY, "remove 1");
	ck_assert(!r->request[1].marker);
}
END_TEST

START_TEST(a_marker_finds_its_subject_wherever_it_is)
{
	r->request[1].place = SCHED_IN_PENDING;
	r->request[2].place = SCHED_IN_RUNNING;
	rig_mark(r, 1);
	rig_mark(r, 2);
	rig_run(r);

	says(SAY(REMOVE), "remove 1, remove 2");
	ck_assert(!r->request[1].marker && !r->request[2].marker);
}
END_TEST

START_TEST(a_marker_goes_when_its_request_vanishes)
{
	rig_add(r, 1, 0);
	rig_mark(r, 1);
	rig_answer_next(r, SCHED_ACCEPT, 1, RIG_DROP, 0);
	rig_run(r);

	ck_assert(!r->request[1].marker);
	ck_assert(!sched_is_known(r->s, rig_id(1)));
	says(SAY(SORT) | SAY(START), "");
}
END_TEST

static void put_marker_of_1(struct rig *rig)
{
	if (!rig->request[1].marker && rig->request[1].state == RIG_WAITING)
		rig_put_marker(rig, 1);
}

START_TEST(a_marker_that_is_visible_before_a_start_prevents_it)
{
	rig_add_range(r, 1, 2, 0);
	r->on_look = put_marker_of_1;
	rig_run(r);

	is_removed(1);
	says(SAY(START), "start 2");
}
END_TEST

/* ---- the end of all ---- */

START_TEST(nothing_starts_after_the_stop)
{
	rig_add_range(r, 1, 3, 0);
	rig_run(r);
	rig_stop(r);
	rig_finish(r, 1);
	rig_add(r, 4, 1);
	rig_mark(r, 3);
	rig_run(r);

	says(SAY(START), "");
	says(SAY(ACCEPT), "accept 4");
	says(SAY(COMPLETE), "complete 1");
	is_removed(3);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(running_tasks_go_on_after_the_stop_and_can_be_aborted)
{
	rig_add(r, 1, 0);
	rig_add(r, 2, 1);
	rig_run(r);
	rig_stop(r);
	rig_run(r);
	says(STORY, "");

	rig_mark(r, 1);
	rig_run(r);
	says(STORY, "terminate 1");
	rig_finish(r, 1);
	rig_finish(r, 2);
	rig_run(r);
	is_removed(1);
	says(SAY(COMPLETE), "complete 2");
}
END_TEST

START_TEST(a_task_that_never_began_is_put_back_after_the_stop)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_stop(r);
	rig_end_unbegun(r, 1, 0);
	rig_wake(r, 0);
	rig_run(r);

	says(STORY, "put-back 1");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(all_that_run_can_be_terminated)
{
	rig_add_range(r, 1, 2, 0);
	rig_add_range(r, 3, 4, 1);
	rig_run(r);
	rig_stop(r);
	rig_terminate_all(r);
	rig_run(r);
	ck_assert_uint_eq(r->n_decided[SCHED_TERMINATE], 2);
	ck_assert(r->request[1].terminated && r->request[3].terminated);

	rig_finish(r, 1);
	rig_finish(r, 3);
	rig_run(r);

	/* Nobody wanted them removed, so they have a result. */
	says(SAY(START) | SAY(REMOVE), "");
	ck_assert_uint_eq(r->n_decided[SCHED_COMPLETE], 2);
}
END_TEST

START_TEST(one_that_was_told_before_is_told_again_when_all_must_end_now)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_mark(r, 1);
	rig_run(r);
	ck_assert(!r->request[1].terminated_now);
	rig_terminate_all(r);
	rig_run(r);
	ck_assert_uint_eq(r->n_decided[SCHED_TERMINATE], 1);
	ck_assert(!sched_is_drained(r->s));

	rig_finish(r, 1);
	rig_run(r);
	is_removed(1);
	ck_assert(sched_is_drained(r->s));
}
END_TEST

/* A result that could not be published yet must not be forgotten. */
START_TEST(one_whose_result_is_not_out_is_not_drained)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_stop(r);
	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 100);
	rig_finish(r, 1);
	rig_run(r);
	ck_assert(!sched_is_drained(r->s));

	rig_run_at(r, 100);
	rig_run(r);
	ck_assert(sched_is_drained(r->s));
}
END_TEST

START_TEST(one_that_is_terminated_with_all_can_still_be_aborted)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_terminate_all(r);
	rig_run(r);
	rig_mark(r, 1);
	rig_run(r);
	says(STORY, "");

	rig_finish(r, 1);
	rig_run(r);
	is_removed(1);
}
END_TEST

START_TEST(terminating_all_when_nothing_runs_does_nothing)
{
	rig_terminate_all(r);
	rig_run(r);
	says(STORY, "");
}
END_TEST

/* ---- recovery ---- */

START_TEST(what_was_pending_is_sorted_and_started_in_order)
{
	rig_found_pending(r, 5, 0);
	rig_found_pending(r, 3, 0);
	rig_found_pending(r, 4, 1);
	rig_add(r, 2, 0);
	ck_assert(sched_is_known(r->s, rig_id(5)));
	rig_run(r);

	says(SAY(ACCEPT), "accept 2");
	ck_assert_uint_eq(r->request[2].n_started, 1);
	ck_assert_uint_eq(r->request[4].n_started, 1);
	ck_assert_uint_eq(r->n_decided[SCHED_START], 2);
}
END_TEST

START_TEST(what_was_running_ends_and_takes_no_slot)
{
	rig_found_lost(r, 5);
	rig_found_pending(r, 6, 0);
	ck_assert(sched_is_known(r->s, rig_id(5)));
	rig_run(r);

	says(SAY(COMPLETE) | SAY(TERMINATE), "complete 5");
	says(SAY(START), "start 6");
}
END_TEST

START_TEST(what_was_found_can_be_aborted)
{
	rig_found_lost(r, 5);
	rig_found_pending(r, 6, 0);
	rig_mark(r, 5);
	rig_mark(r, 6);
	rig_mark(r, 7);
	rig_run(r);

	is_removed(5);
	is_removed(6);
	says(SAY(PROBE) | SAY(UNMARK), "probe 7, unmark 7");
	says(SAY(START) | SAY(COMPLETE), "");
}
END_TEST

static Suite *abort_suite(void)
{
	Suite *s = suite_create("sched/sched_abort");
	TCase *state = tcase_create("states"), *unknown = tcase_create("unknown");
	TCase *stop = tcase_create("stop"), *found = tcase_create("recovery");

	tcase_add_checked_fixture(state, setup, teardown);
	tcase_add_test(state, one_that_is_seen_is_removed_and_never_sorted);
	tcase_add_test(state, one_that_cannot_be_read_yet_is_removed_and_lets_the_others_pass);
	tcase_add_test(state, one_that_waits_is_removed);
	tcase_add_test(state, one_that_waits_for_a_held_task_manager_is_removed);
	tcase_add_test(state, one_that_runs_is_terminated_and_keeps_its_slot_until_its_end);
	tcase_add_test(state, one_that_runs_is_terminated_once);
	tcase_add_test(state, one_that_ends_before_it_is_terminated_is_removed);
	tcase_add_test(state, one_that_never_began_is_removed_after_its_termination);
	tcase_add_test(state, one_that_is_on_its_way_back_is_removed);
	tcase_add_test(state, one_that_was_put_back_is_removed);
	tcase_add_test(state, one_that_has_ended_is_not_completed_any_more);
	tcase_add_test(state, one_whose_result_cannot_be_published_is_not_completed_any_more);
	tcase_add_test(state, one_that_was_rejected_is_not_completed_any_more);
	tcase_add_test(state, one_that_cannot_be_removed_is_tried_again_and_holds_nobody_up);
	tcase_add_test(state, a_marker_that_is_visible_before_a_start_prevents_it);
	suite_add_tcase(s, state);

	tcase_add_checked_fixture(unknown, setup, teardown);
	tcase_add_test(unknown, a_marker_whose_subject_is_nowhere_is_unmarked);
	tcase_add_test(unknown, a_marker_that_is_told_twice_is_looked_after_once);
	tcase_add_test(unknown, a_marker_whose_subject_was_not_seen_yet_finds_it);
	tcase_add_test(unknown, a_marker_whose_subject_vanishes_after_the_probe_is_unmarked);
	tcase_add_test(unknown, a_marker_that_is_told_before_its_request_removes_it);
	tcase_add_test(unknown, a_request_that_is_seen_after_its_marker_found_nothing_is_not_lost);
	tcase_add_test(unknown, a_marker_of_a_complete_one_removes_its_result);
	tcase_add_test(unknown, a_result_that_cannot_be_removed_is_tried_again);
	tcase_add_test(unknown, a_marker_finds_its_subject_wherever_it_is);
	tcase_add_test(unknown, a_marker_goes_when_its_request_vanishes);
	suite_add_tcase(s, unknown);

	tcase_add_checked_fixture(stop, setup, teardown);
	tcase_add_test(stop, nothing_starts_after_the_stop);
	tcase_add_test(stop, running_tasks_go_on_after_the_stop_and_can_be_aborted);
	tcase_add_test(stop, a_task_that_never_began_is_put_back_after_the_stop);
	tcase_add_test(stop, all_that_run_can_be_terminated);
	tcase_add_test(stop, one_that_was_told_before_is_told_again_when_all_must_end_now);
	tcase_add_test(stop, one_whose_result_is_not_out_is_not_drained);
	tcase_add_test(stop, one_that_is_terminated_with_all_can_still_be_aborted);
	tcase_add_test(stop, terminating_all_when_nothing_runs_does_nothing);
	suite_add_tcase(s, stop);

	tcase_add_checked_fixture(found, setup, teardown);
	tcase_add_test(found, what_was_pending_is_sorted_and_started_in_order);
	tcase_add_test(found, what_was_running_ends_and_takes_no_slot);
	tcase_add_test(found, what_was_found_can_be_aborted);
	suite_add_tcase(s, found);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(abort_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
