/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"
#include "sched/sched.h"
#include "support/sched/rig.h"

#include <check.h>

#define STORY (~(SAY(LOOK) | SAY(REAP)))

/* Task manager 0 calls wakeup by itself; 1 has to be asked. */
enum {
	WAKES,
	POLLED,
	SAMPLE = RIG_SAMPLE_NS
};

static struct rig *r;

static void setup(void)
{
	struct sched_limits limits[2] = {
		[WAKES] = { .max_running = 2 },
		[POLLED] = { .max_running = 2, .polls = true },
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

/* ---- when to come back ---- */

START_TEST(one_that_wakes_by_itself_is_left_alone_while_its_tasks_run)
{
	rig_add_range(r, 1, 2, WAKES);
	rig_run_at(r, 5);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_run_at(r, 5 + 100 * SAMPLE);
	says(~0u, "");
}
END_TEST

START_TEST(one_that_wakes_by_itself_is_left_alone_while_it_has_no_room)
{
	rig_add(r, 1, WAKES);
	r->tm[WAKES].cap = 0;
	rig_run_at(r, 5);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_run_at(r, 5 + 100 * SAMPLE);
	says(~0u, "");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(one_that_must_be_asked_is_left_alone_while_it_has_nothing_to_do)
{
	rig_add(r, 1, POLLED);
	rig_run(r);
	rig_finish(r, 1);
	rig_run(r);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_run_at(r, 100 * SAMPLE);
	says(~0u, "");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(one_that_must_be_asked_is_reaped_each_sample_while_its_tasks_run)
{
	rig_add(r, 1, POLLED);
	rig_run_at(r, 5);
	int64_t due = sched_due(r->s);
	ck_assert_int_gt(due, 5);
	ck_assert_int_le(due, 5 + SAMPLE);

	for (int i = 0; i < 5; i++) {
		rig_run_at(r, due - 1);
		says(~0u, "");
		rig_run_at(r, due);
		says(~0u, "reap 1");
		ck_assert_int_eq(sched_due(r->s), due + SAMPLE);
		due += SAMPLE;
	}

	rig_end(r, 1);
	rig_run_at(r, due);
	says(STORY, "complete 1");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(one_that_must_be_asked_is_asked_each_sample_while_it_has_no_room)
{
	rig_add(r, 1, POLLED);
	r->tm[POLLED].cap = 0;
	rig_run_at(r, 5);
	says(SAY(ASK), "ask 1");

	for (int64_t due = 5 + SAMPLE; due <= 5 + 5 * SAMPLE; due += SAMPLE) {
		ck_assert_int_eq(sched_due(r->s), due);
		rig_run_at(r, due - 1);
		says(~0u, "");
		rig_run_at(r, due);
		says(SAY(ASK) | SAY(START), "ask 1");
	}

	r->tm[POLLED].cap = 1;
	rig_run_at(r, 5 + 6 * SAMPLE);
	says(SAY(ASK) | SAY(START), "ask 1, start 1");
}
END_TEST

START_TEST(a_busy_one_that_must_be_asked_is_asked_a_sample_later)
{
	rig_add(r, 1, POLLED);
	rig_answer_next(r, SCHED_START, 1, RIG_BUSY, 0);
	rig_run_at(r, 5);
	int64_t due = sched_due(r->s);
	ck_assert_int_gt(due, 5);
	ck_assert_int_le(due, 5 + SAMPLE);

	rig_run_at(r, due - 1);
	says(~0u, "");
	rig_run_at(r, due);
	says(SAY(ASK) | SAY(START), "ask 1, start 1");
}
END_TEST

START_TEST(one_that_must_be_asked_listens_to_a_wakeup_too)
{
	rig_add(r, 1, POLLED);
	r->tm[POLLED].cap = 0;
	rig_run(r);

	r->tm[POLLED].cap = 1;
	rig_wake(r, POLLED);
	rig_run_at(r, 7);

	says(SAY(START), "start 1");
}
END_TEST

START_TEST(many_samples_that_were_missed_make_one_round)
{
	rig_add_range(r, 1, 2, POLLED);
	r->tm[POLLED].cap = 1;
	rig_run(r);
	ck_assert_uint_eq(r->tm[POLLED].running, 1);

	rig_run_at(r, 1000 * SAMPLE);
	says(SAY(REAP) | SAY(ASK), "reap 1, ask 1");
	ck_assert_int_eq(sched_due(r->s), 1001 * SAMPLE);
}
END_TEST

START_TEST(a_wakeup_is_answered_with_a_reap_and_then_an_ask)
{
	rig_add_range(r, 1, 2, WAKES);
	r->tm[WAKES].cap = 1;
	rig_run(r);

	rig_wake(r, WAKES);
	rig_wake(r, WAKES);
	rig_run(r);

	says(SAY(REAP) | SAY(ASK), "reap 0, ask 0");
}
END_TEST

START_TEST(a_wakeup_of_one_that_has_nothing_to_do_is_answered_with_a_reap)
{
	rig_wake(r, WAKES);
	rig_run(r);

	says(SAY(REAP) | SAY(ASK), "reap 0");
}
END_TEST

/* wq/plugin.h, WQ_CAP_WAKES: it need not wake for what it has to say when it was just called. */
START_TEST(one_that_was_just_called_is_reaped)
{
	rig_add(r, 1, WAKES);
	rig_run(r);
	says(SAY(START) | SAY(REAP), "start 1, reap 0");

	rig_mark(r, 1);
	rig_run(r);
	says(SAY(TERMINATE) | SAY(REAP), "terminate 1, reap 0");
}
END_TEST

START_TEST(the_earliest_of_all_times_is_due)
{
	rig_add(r, 1, WAKES);
	rig_add(r, 2, POLLED);
	rig_run(r);
	ck_assert_int_eq(sched_due(r->s), SAMPLE);

	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 600);
	rig_finish(r, 1);
	rig_run(r);
	ck_assert_int_eq(sched_due(r->s), 600);

	rig_add(r, 3, WAKES);
	rig_answer_next(r, SCHED_START, 3, RIG_BUSY, 400);
	rig_run(r);
	ck_assert_int_eq(sched_due(r->s), 400);

	rig_run_at(r, 400);
	says(STORY & ~SAY(ASK), "start 3");
	rig_run_at(r, 600);
	says(STORY, "complete 1");
	ck_assert_int_gt(sched_due(r->s), 600);
	ck_assert_int_le(sched_due(r->s), 600 + SAMPLE);
}
END_TEST

START_TEST(a_hold_does_not_wait_for_a_bigger_one_that_cannot_be_read_yet)
{
	rig_add(r, 1, WAKES);
	rig_answer_next(r, SCHED_START, 1, RIG_BUSY, 50);
	rig_run(r);
	rig_add(r, 2, POLLED);
	rig_answer_next(r, SCHED_SORT, 2, RIG_DEFER, 100);
	rig_run(r);
	ck_assert_int_eq(sched_due(r->s), 50);

	rig_run_at(r, 50);
	says(SAY(START), "start 1");
	ck_assert_int_eq(sched_due(r->s), 100);
}
END_TEST

START_TEST(a_late_one_is_sorted_though_a_bigger_one_cannot_be_read_yet)
{
	rig_add(r, 5, WAKES);
	rig_answer_next(r, SCHED_SORT, 5, RIG_DEFER, 100);
	rig_run(r);

	rig_add(r, 2, WAKES);
	rig_run(r);

	says(SAY(SORT) | SAY(START), "sort 2, start 2");
}
END_TEST

START_TEST(a_shorter_hold_does_not_end_a_longer_one)
{
	rig_add_range(r, 1, 3, WAKES);
	rig_answer_next(r, SCHED_START, 2, RIG_BUSY, 500);
	rig_run(r);
	says(SAY(START), "start 1, start 2");

	rig_end_unbegun(r, 1, 100);
	rig_wake(r, WAKES);
	rig_run(r);
	rig_run_at(r, 499);
	says(SAY(START), "");

	rig_run_at(r, 500);
	says(SAY(START), "start 1, start 2");
}
END_TEST

/* ---- for people ---- */

START_TEST(each_reason_to_start_nothing_has_its_name)
{
	ck_assert_int_eq(state(WAKES).why, SCHED_WHY_READY);

	rig_add_range(r, 1, 4, WAKES);
	rig_add_range(r, 5, 7, POLLED);
	r->tm[POLLED].cap = 1;
	rig_run(r);
	ck_assert_int_eq(state(WAKES).why, SCHED_WHY_MAX_RUNNING);
	ck_assert_int_eq(state(POLLED).why, SCHED_WHY_NO_CAPACITY);

	r->tm[POLLED].cap = 2;
	rig_answer_next(r, SCHED_START, 6, RIG_BUSY, 900);
	rig_wake(r, POLLED);
	rig_run_at(r, 100);
	ck_assert_int_eq(state(POLLED).why, SCHED_WHY_HELD);
	ck_assert_int_eq(state(POLLED).held_until_ns, 900);

	rig_stop(r);
	rig_run(r);
	ck_assert_int_eq(state(WAKES).why, SCHED_WHY_STOPPING);
	ck_assert_int_eq(state(POLLED).why, SCHED_WHY_STOPPING);
}
END_TEST

START_TEST(each_request_is_counted_where_it_is)
{
	rig_add_range(r, 1, 5, WAKES);
	rig_answer_next(r, SCHED_SORT, 5, RIG_DEFER, 100);
	ck_assert_uint_eq(sched_counts(r->s).seen, 5);
	rig_add(r, 6, POLLED);
	rig_run(r);

	struct sched_counts c = sched_counts(r->s);
	ck_assert_uint_eq(c.seen, 0);
	ck_assert_uint_eq(c.running, 2);
	ck_assert_uint_eq(c.unsorted + c.waiting, 4);
	ck_assert_uint_eq(state(WAKES).running, 2);
	ck_assert_uint_eq(state(POLLED).running, 0);

	rig_mark(r, 1);
	rig_run(r);
	ck_assert_uint_eq(state(WAKES).running, 2); /* terminating */
	rig_finish(r, 1);
	rig_finish(r, 2);
	rig_run(r);
	rig_run_at(r, 100);

	c = sched_counts(r->s);
	ck_assert_uint_eq(c.seen + c.unsorted, 0);
	ck_assert_uint_eq(c.waiting, 1);
	ck_assert_uint_eq(state(WAKES).waiting, 1);
	ck_assert_uint_eq(state(WAKES).running, 2);
	ck_assert_uint_eq(state(POLLED).running, 1);
	ck_assert_uint_eq(c.running, 3);
}
END_TEST

START_TEST(a_decision_says_since_when_its_request_is_in_its_state)
{
	/* The rig holds since_ns of ACCEPT, SORT and COMPLETE against its own. */
	r->now_ns = 10;
	rig_add(r, 1, WAKES);
	rig_answer_next(r, SCHED_SORT, 1, RIG_DEFER, 40);
	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 90);
	rig_run_at(r, 20);
	rig_run_at(r, 40);
	ck_assert_uint_eq(r->request[1].n_started, 1);

	rig_finish(r, 1);
	rig_run_at(r, 60);
	rig_run_at(r, 90);
	ck_assert_uint_eq(r->request[1].n_completed, 1);
}
END_TEST

static Suite *time_suite(void)
{
	Suite *s = suite_create("sched/sched_time");
	TCase *due = tcase_create("due"), *people = tcase_create("state");

	tcase_add_checked_fixture(due, setup, teardown);
	tcase_add_test(due, one_that_wakes_by_itself_is_left_alone_while_its_tasks_run);
	tcase_add_test(due, one_that_wakes_by_itself_is_left_alone_while_it_has_no_room);
	tcase_add_test(due, one_that_must_be_asked_is_left_alone_while_it_has_nothing_to_do);
	tcase_add_test(due, one_that_must_be_asked_is_reaped_each_sample_while_its_tasks_run);
	tcase_add_test(due, one_that_must_be_asked_is_asked_each_sample_while_it_has_no_room);
	tcase_add_test(due, a_busy_one_that_must_be_asked_is_asked_a_sample_later);
	tcase_add_test(due, one_that_must_be_asked_listens_to_a_wakeup_too);
	tcase_add_test(due, many_samples_that_were_missed_make_one_round);
	tcase_add_test(due, a_wakeup_is_answered_with_a_reap_and_then_an_ask);
	tcase_add_test(due, a_wakeup_of_one_that_has_nothing_to_do_is_answered_with_a_reap);
	tcase_add_test(due, one_that_was_just_called_is_reaped);
	tcase_add_test(due, the_earliest_of_all_times_is_due);
	tcase_add_test(due, a_hold_does_not_wait_for_a_bigger_one_that_cannot_be_read_yet);
	tcase_add_test(due, a_late_one_is_sorted_though_a_bigger_one_cannot_be_read_yet);
	tcase_add_test(due, a_shorter_hold_does_not_end_a_longer_one);
	suite_add_tcase(s, due);

	tcase_add_checked_fixture(people, setup, teardown);
	tcase_add_test(people, each_reason_to_start_nothing_has_its_name);
	tcase_add_test(people, each_request_is_counted_where_it_is);
	tcase_add_test(people, a_decision_says_since_when_its_request_is_in_its_state);
	suite_add_tcase(s, people);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(time_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
