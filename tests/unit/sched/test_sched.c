/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"
#include "sched/sched.h"
#include "support/sched/rig.h"

#include <check.h>

/* Looking and reaping without need is no harm. */
#define STORY (~(SAY(LOOK) | SAY(REAP)))

enum {
	MANY = 100000
};

static struct rig *r;

static void make(uint32_t n_requests, uint32_t n_tms, uint32_t max_running)
{
	struct sched_limits limits[RIG_TMS];

	for (int i = 0; i < RIG_TMS; i++)
		limits[i] = (struct sched_limits){ .max_running = max_running };
	r = rig_new(n_requests, n_tms, limits);
}

static void setup(void)
{
	make(64, 2, 8);
}

static void setup_one_slot(void)
{
	make(64, 2, 1);
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

/* ---- the life of a request ---- */

START_TEST(nothing_happens_while_there_is_nothing_to_do)
{
	struct sched_decision d;

	ck_assert(!sched_next(r->s, 0, &d));
	ck_assert(!sched_next(r->s, 1000000, &d));
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(a_request_is_accepted_sorted_started_and_completed)
{
	rig_add(r, 1, 0);
	rig_run(r);
	says(STORY, "accept 1, sort 1, ask 0, start 1");
	ck_assert(sched_is_known(r->s, rig_id(1)));

	rig_finish(r, 1);
	rig_run(r);

	says(STORY, "complete 1");
	ck_assert(!sched_is_known(r->s, rig_id(1)));
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(a_name_that_is_seen_again_is_the_same_request)
{
	rig_add(r, 1, 0);
	rig_tell_seen(r, 1);
	rig_run(r);
	says(SAY(ACCEPT) | SAY(SORT) | SAY(START), "accept 1, sort 1, start 1");

	rig_tell_seen(r, 1);
	rig_run(r);
	says(STORY, "");

	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 10);
	rig_finish(r, 1);
	rig_run(r);
	rig_tell_seen(r, 1);
	rig_run(r);
	says(STORY, "");

	rig_run_at(r, 10);
	says(STORY, "complete 1");
}
END_TEST

START_TEST(a_name_that_is_seen_after_its_end_is_accepted_anew)
{
	rig_add(r, 1, 0);
	rig_run(r);
	rig_finish(r, 1);
	rig_run(r);

	rig_tell_seen(r, 1); /* an old event: there is no such file any more */
	rig_run(r);

	says(STORY, "accept 1");
	ck_assert(!sched_is_known(r->s, rig_id(1)));
}
END_TEST

START_TEST(one_that_is_gone_at_its_accept_is_forgotten)
{
	rig_add_range(r, 1, 3, 0);
	rig_answer_next(r, SCHED_ACCEPT, 2, RIG_DROP, 0);
	rig_run(r);

	says(SAY(SORT), "sort 1, sort 3");
	says(SAY(START), "start 1, start 3");
	ck_assert(!sched_is_known(r->s, rig_id(2)));
}
END_TEST

START_TEST(one_that_is_gone_at_its_sort_is_forgotten)
{
	rig_add_range(r, 1, 3, 0);
	rig_answer_next(r, SCHED_SORT, 1, RIG_DROP, 0);
	rig_run(r);

	says(SAY(START) | SAY(COMPLETE), "start 2, start 3");
	ck_assert(!sched_is_known(r->s, rig_id(1)));
}
END_TEST

START_TEST(one_that_is_gone_at_its_start_is_forgotten_and_takes_no_slot)
{
	rig_add_range(r, 1, 3, 0);
	rig_answer_next(r, SCHED_START, 1, RIG_DROP, 0);
	rig_run(r);

	says(SAY(START) | SAY(COMPLETE), "start 1, start 2");
	ck_assert(!sched_is_known(r->s, rig_id(1)));
}
END_TEST

START_TEST(one_that_is_rejected_at_its_sort_is_completed)
{
	rig_add_range(r, 1, 3, 0);
	rig_answer_next(r, SCHED_SORT, 1, RIG_REJECT, 0);
	rig_run(r);

	says(SAY(START), "start 2");
	says(SAY(COMPLETE), "complete 1");
	ck_assert(!sched_is_known(r->s, rig_id(1)));
}
END_TEST

START_TEST(one_that_is_rejected_at_its_start_is_completed_and_takes_no_slot)
{
	rig_add_range(r, 1, 3, 0);
	rig_answer_next(r, SCHED_START, 1, RIG_REJECT, 0);
	rig_run(r);

	says(SAY(START), "start 1, start 2");
	says(SAY(COMPLETE), "complete 1");
	ck_assert_uint_eq(r->tm[0].running, 1);
}
END_TEST

START_TEST(a_result_that_cannot_be_published_is_tried_again_and_its_slot_is_free)
{
	rig_add_range(r, 1, 2, 0);
	rig_run(r);
	rig_finish(r, 1);
	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 50);
	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 70);
	rig_run(r);
	says(SAY(COMPLETE), "complete 1");
	says(SAY(START), "start 2");
	ck_assert(sched_is_known(r->s, rig_id(1)));
	ck_assert_int_eq(sched_due(r->s), 50);

	rig_run_at(r, 49);
	says(STORY, "");
	rig_run_at(r, 50);
	says(STORY, "complete 1");
	ck_assert_int_eq(sched_due(r->s), 70);
	rig_run_at(r, 75);
	says(STORY, "complete 1");
	ck_assert(!sched_is_known(r->s, rig_id(1)));
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(several_deferred_ones_come_each_at_its_time)
{
	rig_add_range(r, 1, 3, 0);
	rig_run(r);
	rig_answer_next(r, SCHED_COMPLETE, 1, RIG_DEFER, 30);
	rig_answer_next(r, SCHED_COMPLETE, 2, RIG_DEFER, 10);
	rig_answer_next(r, SCHED_COMPLETE, 3, RIG_DEFER, 20);
	for (uint32_t i = 1; i <= 3; i++)
		rig_finish(r, i);
	rig_run(r);
	says(SAY(COMPLETE), "complete 1, complete 2, complete 3");

	rig_run_at(r, 10);
	says(STORY, "complete 2");
	rig_run_at(r, 20);
	says(STORY, "complete 3");
	rig_run_at(r, 30);
	says(STORY, "complete 1");
}
END_TEST

/* ---- order ---- */

START_TEST(requests_start_in_the_order_of_their_ids_not_of_their_arrival)
{
	static const uint32_t n[] = { 9, 3, 7, 1, 8, 2 };

	for (int i = 0; i < 6; i++)
		rig_add(r, n[i], 0);
	rig_run(r);

	says(SAY(START), "start 1, start 2, start 3, start 7, start 8, start 9");
}
END_TEST

START_TEST(a_late_one_goes_before_all_that_wait)
{
	rig_add_range(r, 10, 13, 0);
	rig_run(r);
	says(SAY(START), "start 10");

	rig_add(r, 5, 0);
	rig_add(r, 11 + 20, 0);
	rig_finish(r, 10);
	rig_run(r);
	says(SAY(START), "start 5");

	rig_finish(r, 5);
	rig_run(r);
	says(SAY(START), "start 11");
}
END_TEST

static void put_5(struct rig *rig)
{
	if (rig->request[5].place == SCHED_NOWHERE && rig->request[5].n_started == 0)
		rig_put(rig, 5, 0);
}

START_TEST(what_is_visible_before_a_start_is_not_overtaken)
{
	rig_add_range(r, 10, 12, 0);
	r->on_look = put_5;
	rig_run(r);

	says(SAY(START), "start 5");
}
END_TEST

static int32_t room_while_5_comes(struct rig *rig, uint32_t tm)
{
	(void)tm;
	put_5(rig);
	return 1;
}

START_TEST(what_is_visible_when_room_is_answered_is_not_overtaken)
{
	rig_add_range(r, 10, 12, 0);
	r->room = room_while_5_comes;
	rig_run(r);

	says(SAY(START), "start 5");
}
END_TEST

START_TEST(what_is_found_by_a_look_of_another_task_manager_is_not_overtaken)
{
	rig_add_range(r, 10, 11, 1);
	r->on_look = put_5;
	rig_run(r);

	says(SAY(START), "start 5, start 10");
}
END_TEST

static void put_many(struct rig *rig)
{
	for (uint32_t i = 0; i < 600; i++) {
		if (rig->request[300 + i].place == SCHED_NOWHERE)
			rig_put(rig, 300 + i, 0);
	}
}

START_TEST(a_late_one_is_not_overtaken_while_a_long_row_is_accepted)
{
	static const uint32_t accepted[] = { 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256,
		257, 511, 512, 513 };

	rig_free(r);
	make(1000, 1, 1);
	rig_add(r, 200, 0);
	r->on_look = put_many;
	while (r->n_decided[SCHED_ASK] == 0 || r->n_decided[SCHED_LOOK] == 0)
		ck_assert(rig_step(r));
	for (uint32_t i = 0; i < accepted[_i] && r->request[200].n_started == 0; i++)
		ck_assert(rig_step(r));

	bool is_late = r->request[200].n_started > 0;
	rig_add(r, 5, 0);
	rig_run(r);

	says(SAY(START), is_late ? "" : "start 5");
}
END_TEST

START_TEST(nothing_overtakes_one_whose_envelope_cannot_be_read_yet)
{
	rig_add(r, 1, 0);
	rig_add(r, 2, 0);
	rig_add(r, 3, 1);
	rig_answer_next(r, SCHED_SORT, 1, RIG_DEFER, 100);
	rig_answer_next(r, SCHED_SORT, 1, RIG_DEFER, 200);
	rig_run(r);
	says(SAY(START), "");
	ck_assert_int_eq(sched_due(r->s), 100);

	rig_run_at(r, 99);
	says(STORY, "");
	rig_run_at(r, 100); /* the rig holds the number of tries against its own */
	says(SAY(SORT), "sort 1");
	says(SAY(START), "");
	rig_run_at(r, 200);

	says(SAY(START), "start 1, start 3");
}
END_TEST

START_TEST(one_that_cannot_be_read_yet_holds_up_only_bigger_ones)
{
	rig_add_range(r, 1, 5, 0);
	rig_answer_next(r, SCHED_SORT, 3, RIG_DEFER, 100);
	r->tm[0].limits.max_running = 1;
	rig_run(r);
	says(SAY(START), "start 1");

	rig_finish(r, 1);
	rig_run(r);
	says(SAY(START), "start 2");

	rig_finish(r, 2);
	rig_run(r);
	says(SAY(START), "");

	rig_run_at(r, 100);
	says(SAY(START), "start 3");
}
END_TEST

START_TEST(a_late_one_is_sorted_before_anything_starts_though_others_were_sorted_long_ago)
{
	r->tm[0].cap = 0;
	rig_add_range(r, 10, 12, 0);
	rig_run(r);

	r->tm[0].cap = 1;
	rig_add(r, 4, 0);
	rig_answer_next(r, SCHED_SORT, 4, RIG_DEFER, 30);
	rig_wake(r, 0);
	rig_run(r);
	says(SAY(START), "");

	rig_run_at(r, 30);
	says(SAY(START), "start 4");
}
END_TEST

START_TEST(each_task_manager_has_its_own_order)
{
	for (uint32_t i = 1; i <= 12; i++)
		rig_add(r, i, i % 2);
	rig_run(r);
	ck_assert_uint_eq(r->n_decided[SCHED_START], 2);
	ck_assert_uint_eq(r->request[1].n_started, 1);
	ck_assert_uint_eq(r->request[2].n_started, 1);

	rig_finish(r, 1);
	rig_run(r);
	says(SAY(START), "start 3");

	rig_finish(r, 3);
	rig_run(r);
	says(SAY(START), "start 5");

	rig_finish(r, 2);
	rig_run(r);
	says(SAY(START), "start 4");
}
END_TEST

/* ---- capacity ---- */

START_TEST(room_for_all_is_filled_at_once)
{
	rig_add_range(r, 1, 10, 0);
	r->tm[0].cap = 8;
	rig_run(r);

	says(SAY(START), "start 1, start 2, start 3, start 4, start 5, start 6, start 7, start 8");
	ck_assert_uint_eq(r->n_decided[SCHED_ASK], 1);
	ck_assert_int_eq(why(0), SCHED_WHY_MAX_RUNNING);
}
END_TEST

START_TEST(one_that_answers_1_each_time_is_filled_in_one_round)
{
	rig_add_range(r, 1, 10, 0);
	r->tm[0].at_most = 1;
	rig_run(r);

	says(SAY(START), "start 1, start 2, start 3, start 4, start 5, start 6, start 7, start 8");
	ck_assert_uint_le(r->n_decided[SCHED_ASK], 9);
	ck_assert_int_eq(why(0), SCHED_WHY_MAX_RUNNING);
}
END_TEST

START_TEST(one_that_answers_yes_or_no_is_filled_in_one_round)
{
	rig_add_range(r, 1, 10, 0);
	r->tm[0].at_most = 1;
	r->tm[0].cap = 8;
	rig_run(r);
	ck_assert_uint_eq(r->n_decided[SCHED_START], 8);

	for (uint32_t i = 1; i <= 8; i++)
		rig_finish(r, i);
	rig_run(r);
	says(SAY(START), "start 9, start 10");
}
END_TEST

START_TEST(not_more_start_than_it_has_room_for)
{
	rig_add_range(r, 1, 10, 0);
	r->tm[0].cap = 5;
	r->tm[0].at_most = 1;
	rig_run(r);

	says(SAY(START), "start 1, start 2, start 3, start 4, start 5");
	ck_assert_uint_eq(r->n_decided[SCHED_ASK], 6);
	ck_assert_int_eq(why(0), SCHED_WHY_NO_CAPACITY);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(not_more_start_than_max_running)
{
	rig_add_range(r, 1, 3, 0);
	rig_run(r);
	says(SAY(START), "start 1");
	ck_assert_int_eq(why(0), SCHED_WHY_MAX_RUNNING);

	rig_wake(r, 0);
	rig_run(r);
	says(SAY(START), "");

	rig_finish(r, 1);
	rig_run(r);
	says(SAY(START), "start 2");
}
END_TEST

START_TEST(room_that_comes_later_is_used_when_it_comes)
{
	rig_add_range(r, 1, 10, 0);
	r->tm[0].cap = 0;
	rig_run(r);
	says(SAY(ASK) | SAY(START), "ask 0");

	rig_wake(r, 0);
	rig_run(r);
	says(SAY(REAP) | SAY(ASK) | SAY(START), "reap 0, ask 0");

	r->tm[0].cap = 3;
	rig_wake(r, 0);
	rig_run(r);
	says(SAY(START), "start 1, start 2, start 3");

	r->tm[0].cap = 5;
	rig_wake(r, 0);
	rig_run(r);
	says(SAY(START), "start 4, start 5");

	r->tm[0].cap = 100;
	rig_wake(r, 0);
	rig_run(r);
	says(SAY(START), "start 6, start 7, start 8");
}
END_TEST

static int32_t room_of_a_fault(struct rig *rig, uint32_t tm)
{
	(void)rig, (void)tm;
	return -5;
}

START_TEST(an_answer_below_0_is_no_room)
{
	rig_add_range(r, 1, 2, 0);
	r->room = room_of_a_fault;
	rig_run(r);
	says(SAY(START), "");

	r->room = NULL;
	rig_wake(r, 0);
	rig_run(r);
	says(SAY(START), "start 1, start 2");
}
END_TEST

START_TEST(a_task_manager_is_not_asked_while_nothing_waits_for_it)
{
	rig_add(r, 1, 0);
	rig_run(r);
	says(SAY(ASK), "ask 0");

	rig_wake(r, 0);
	rig_wake(r, 1);
	rig_run(r);
	says(SAY(ASK), "");
	ck_assert_int_eq(why(0), SCHED_WHY_READY);
	ck_assert_int_eq(why(1), SCHED_WHY_READY);
}
END_TEST

START_TEST(a_new_request_for_one_without_room_does_not_ask_again)
{
	rig_add(r, 1, 0);
	r->tm[0].cap = 0;
	rig_run(r);

	rig_add(r, 2, 0);
	rig_run(r);

	says(SAY(ACCEPT) | SAY(SORT) | SAY(ASK) | SAY(START), "accept 2, sort 2");
}
END_TEST

START_TEST(an_end_makes_room)
{
	r->tm[0].cap = 2;
	rig_add_range(r, 1, 4, 0);
	rig_run(r);
	says(SAY(START), "start 1, start 2");

	rig_finish(r, 2);
	rig_run(r);

	says(SAY(ASK) | SAY(START), "ask 0, start 3, ask 0");
}
END_TEST

START_TEST(a_reap_that_reached_its_bound_is_followed_by_another)
{
	rig_add_range(r, 1, 8, 0);
	rig_run(r);
	for (uint32_t i = 1; i <= 8; i++)
		rig_end(r, i);
	r->tm[0].reap_bound = 3;
	rig_wake(r, 0);
	rig_run(r);

	says(SAY(REAP), "reap 0, reap 0, reap 0");
	ck_assert_uint_eq(r->n_decided[SCHED_COMPLETE], 8);
}
END_TEST

/* ---- not now ---- */

START_TEST(busy_waits_until_there_is_room_again)
{
	rig_add_range(r, 1, 3, 0);
	rig_answer_next(r, SCHED_START, 2, RIG_BUSY, 0);
	rig_run(r);
	says(SAY(START), "start 1, start 2");
	ck_assert_int_eq(why(0), SCHED_WHY_NO_CAPACITY);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_add(r, 9, 0);
	rig_run_at(r, 1000000);
	says(SAY(START), "");

	rig_wake(r, 0);
	rig_run(r);
	says(SAY(ASK) | SAY(START), "ask 0, start 2, start 3, start 9");
}
END_TEST

START_TEST(a_held_task_manager_starts_nothing_before_the_time)
{
	rig_add_range(r, 1, 2, 0);
	rig_add(r, 3, 1);
	rig_answer_next(r, SCHED_START, 1, RIG_BUSY, 500);
	rig_run(r);
	says(SAY(START), "start 1, start 3");
	ck_assert_int_eq(why(0), SCHED_WHY_HELD);
	ck_assert_int_eq(why(1), SCHED_WHY_READY);
	ck_assert_int_eq(sched_due(r->s), 500);

	rig_wake(r, 0);
	rig_run_at(r, 499);
	says(SAY(START), "");
	ck_assert_int_eq(sched_due(r->s), 500);

	rig_run_at(r, 500);
	says(SAY(START), "start 1, start 2");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(a_late_one_goes_first_after_a_hold)
{
	rig_add(r, 10, 0);
	rig_answer_next(r, SCHED_START, 10, RIG_BUSY, 500);
	rig_run(r);
	rig_add(r, 4, 0);
	rig_run(r);
	says(SAY(START), "");

	rig_run_at(r, 500);
	says(SAY(START), "start 4, start 10");
}
END_TEST

START_TEST(a_task_that_never_began_is_put_back_to_its_place)
{
	rig_add_range(r, 1, 4, 0);
	rig_run(r);
	says(SAY(START), "start 1");

	rig_end_unbegun(r, 1, 300);
	rig_wake(r, 0);
	rig_run(r);
	says(SAY(PUT_BACK) | SAY(START) | SAY(COMPLETE), "put-back 1");
	ck_assert_int_eq(why(0), SCHED_WHY_HELD);
	ck_assert_int_eq(sched_due(r->s), 300);
	ck_assert(sched_is_known(r->s, rig_id(1)));

	rig_run_at(r, 300);
	says(SAY(START), "start 1");
	rig_finish(r, 1);
	rig_run(r);
	says(SAY(COMPLETE), "complete 1");
	says(SAY(START), "start 2");
}
END_TEST

START_TEST(one_that_is_put_back_without_a_delay_is_the_next_to_start)
{
	rig_add_range(r, 1, 4, 0);
	rig_run(r);

	rig_end_unbegun(r, 1, 0);
	rig_wake(r, 0);
	rig_run(r);

	says(SAY(PUT_BACK) | SAY(START), "put-back 1, start 1");
}
END_TEST

START_TEST(all_that_are_put_back_keep_their_order)
{
	rig_add_range(r, 1, 10, 0);
	rig_run(r);
	for (uint32_t i = 8; i >= 1; i--)
		rig_end_unbegun(r, i, 20);
	rig_wake(r, 0);
	rig_run(r);
	ck_assert_uint_eq(r->n_decided[SCHED_PUT_BACK], 8);

	rig_run_at(r, 20);
	says(SAY(START), "start 1, start 2, start 3, start 4, start 5, start 6, start 7, start 8");
}
END_TEST

START_TEST(a_task_that_never_began_may_be_told_outside_of_a_reap)
{
	rig_add_range(r, 1, 2, 0);
	rig_run(r);

	rig_tell_not_begun(r, 1, 40);
	rig_run(r);
	says(STORY, "put-back 1");

	rig_run_at(r, 40);
	says(SAY(START), "start 1");
	rig_tell_ended(r, 1);
	rig_run(r);
	says(SAY(COMPLETE), "complete 1");
}
END_TEST

/*
 * One that cannot be moved out of 1 for the moment, a full disk perhaps.  Played by hand: the rig
 * takes every answer for final.
 */
START_TEST(one_that_cannot_be_accepted_yet_holds_back_larger_ones_and_keeps_its_marker)
{
	const uint64_t key[2] = { 1, 2 };
	const struct sched_limits limits = { .max_running = 4 };
	struct sched *s = sched_new(1, &limits, RIG_SAMPLE_NS, key);
	struct sched_decision d;
	struct reqid one = rig_id(1), two = rig_id(2);

	ck_assert_int_eq(sched_seen(s, two, 0), 0);
	ck_assert(sched_next(s, 0, &d) && d.kind == SCHED_ACCEPT);
	sched_accepted(s, two, 0);
	ck_assert(sched_next(s, 0, &d) && d.kind == SCHED_SORT);
	sched_sorted(s, two, 0);
	ck_assert_int_eq(sched_seen(s, one, 0), 0);
	ck_assert(sched_next(s, 0, &d) && d.kind == SCHED_ACCEPT && reqid_is(d.id, one));
	ck_assert_uint_eq(d.tries, 0);
	sched_defer(s, one, 100);

	ck_assert(!sched_next(s, 99, &d)); /* two may not overtake it */
	ck_assert_int_eq(sched_due(s), 100);
	ck_assert_int_eq(sched_marked(s, one, 99), 0);
	ck_assert(!sched_next(s, 99, &d)); /* and its marker is not taken away */

	ck_assert(sched_next(s, 100, &d) && d.kind == SCHED_ACCEPT && reqid_is(d.id, one));
	ck_assert_uint_eq(d.tries, 1);
	ck_assert_uint_eq(d.ref, 0);
	sched_accepted(s, one, 100);
	ck_assert(sched_next(s, 100, &d) && d.kind == SCHED_REMOVE && reqid_is(d.id, one));
	sched_removed(s, one);
	ck_assert(sched_next(s, 100, &d) && d.kind == SCHED_ASK);
	sched_room(s, 0, 1, 100);
	ck_assert(sched_next(s, 100, &d) && d.kind == SCHED_LOOK);
	sched_looked(s);
	ck_assert(sched_next(s, 100, &d) && d.kind == SCHED_START && reqid_is(d.id, two));
	sched_started(s, two, 1, 100);
	sched_free(s);
}
END_TEST

static Suite *sched_suite(void)
{
	Suite *s = suite_create("sched/sched");
	TCase *life = tcase_create("life"), *one = tcase_create("one slot");
	TCase *order = tcase_create("order");
	TCase *room = tcase_create("capacity"), *hold = tcase_create("hold");

	tcase_add_checked_fixture(life, setup, teardown);
	tcase_add_test(life, nothing_happens_while_there_is_nothing_to_do);
	tcase_add_test(life, a_request_is_accepted_sorted_started_and_completed);
	tcase_add_test(life, a_name_that_is_seen_again_is_the_same_request);
	tcase_add_test(life, a_name_that_is_seen_after_its_end_is_accepted_anew);
	tcase_add_test(life, one_that_is_gone_at_its_accept_is_forgotten);
	tcase_add_test(life, one_that_is_gone_at_its_sort_is_forgotten);
	tcase_add_test(life, several_deferred_ones_come_each_at_its_time);
	tcase_add_test(life, requests_start_in_the_order_of_their_ids_not_of_their_arrival);
	suite_add_tcase(s, life);

	tcase_add_checked_fixture(one, setup_one_slot, teardown);
	tcase_add_test(one, one_that_is_gone_at_its_start_is_forgotten_and_takes_no_slot);
	tcase_add_test(one, one_that_is_rejected_at_its_sort_is_completed);
	tcase_add_test(one, one_that_is_rejected_at_its_start_is_completed_and_takes_no_slot);
	tcase_add_test(one, a_result_that_cannot_be_published_is_tried_again_and_its_slot_is_free);
	suite_add_tcase(s, one);

	tcase_add_checked_fixture(order, setup_one_slot, teardown);
	tcase_add_test(order, a_late_one_goes_before_all_that_wait);
	tcase_add_test(order, what_is_visible_before_a_start_is_not_overtaken);
	tcase_add_test(order, what_is_visible_when_room_is_answered_is_not_overtaken);
	tcase_add_test(order, what_is_found_by_a_look_of_another_task_manager_is_not_overtaken);
	tcase_add_loop_test(order, a_late_one_is_not_overtaken_while_a_long_row_is_accepted, 0, 16);
	tcase_add_test(order, nothing_overtakes_one_whose_envelope_cannot_be_read_yet);
	tcase_add_test(order, one_that_cannot_be_read_yet_holds_up_only_bigger_ones);
	tcase_add_test(order,
		a_late_one_is_sorted_before_anything_starts_though_others_were_sorted_long_ago);
	tcase_add_test(order, each_task_manager_has_its_own_order);
	tcase_add_test(order, a_task_that_never_began_is_put_back_to_its_place);
	tcase_add_test(order, one_that_is_put_back_without_a_delay_is_the_next_to_start);
	tcase_add_test(order, a_task_that_never_began_may_be_told_outside_of_a_reap);
	tcase_add_test(order, not_more_start_than_max_running);
	tcase_add_test(
		order, one_that_cannot_be_accepted_yet_holds_back_larger_ones_and_keeps_its_marker);
	suite_add_tcase(s, order);

	tcase_add_checked_fixture(room, setup, teardown);
	tcase_add_test(room, room_for_all_is_filled_at_once);
	tcase_add_test(room, one_that_answers_1_each_time_is_filled_in_one_round);
	tcase_add_test(room, one_that_answers_yes_or_no_is_filled_in_one_round);
	tcase_add_test(room, not_more_start_than_it_has_room_for);
	tcase_add_test(room, room_that_comes_later_is_used_when_it_comes);
	tcase_add_test(room, an_answer_below_0_is_no_room);
	tcase_add_test(room, a_task_manager_is_not_asked_while_nothing_waits_for_it);
	tcase_add_test(room, a_new_request_for_one_without_room_does_not_ask_again);
	tcase_add_test(room, an_end_makes_room);
	tcase_add_test(room, a_reap_that_reached_its_bound_is_followed_by_another);
	suite_add_tcase(s, room);

	tcase_add_checked_fixture(hold, setup, teardown);
	tcase_add_test(hold, busy_waits_until_there_is_room_again);
	tcase_add_test(hold, a_held_task_manager_starts_nothing_before_the_time);
	tcase_add_test(hold, a_late_one_goes_first_after_a_hold);
	tcase_add_test(hold, all_that_are_put_back_keep_their_order);
	suite_add_tcase(s, hold);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(sched_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
