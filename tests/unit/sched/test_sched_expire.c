/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that have to be started by a time, and reading ahead, which finds them. */
#include "base/time.h"
#include "sched/sched.h"
#include "support/sched/rig.h"

#include <check.h>

/* Looking and reaping without need is no harm. */
#define STORY (~(SAY(LOOK) | SAY(REAP)))

enum {
	MANY = 20000
};

static struct rig *r;

static void make(uint32_t n_requests)
{
	struct sched_limits limits[RIG_TMS];

	for (int i = 0; i < RIG_TMS; i++)
		limits[i] = (struct sched_limits){ .max_running = 1 };
	r = rig_new(n_requests, 2, limits);
	r->ahead = true;
}

static void setup(void)
{
	make(64);
}

static void teardown(void)
{
	rig_free(r);
}

static void says(unsigned kinds, const char *text)
{
	ck_assert_str_eq(rig_said(r, kinds), text);
}

static void add_by(uint32_t n, uint32_t tm, int64_t start_by_ns)
{
	r->request[n].start_by_ns = start_by_ns;
	rig_add(r, n, tm);
}

/* Number 1 runs and takes the only slot. */
static void occupy(void)
{
	rig_add(r, 1, 0);
	rig_run(r);
	says(SAY(START), "start 1");
}

/* ---- by a time ---- */

START_TEST(one_that_is_started_in_time_never_expires)
{
	add_by(1, 0, 100);
	rig_run_at(r, 99);
	says(SAY(START), "start 1");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_run_at(r, 101);
	rig_finish(r, 1);
	rig_run(r);
	says(STORY, "complete 1");
}
END_TEST

START_TEST(one_that_waits_expires_at_its_time_while_another_still_runs)
{
	occupy();
	add_by(2, 0, 100);
	rig_run(r);
	ck_assert_int_eq(sched_due(r->s), 100);

	rig_run_at(r, 99);
	says(~0u, "");
	rig_run_at(r, 100);
	says(STORY, "expire 2, complete 2");
	ck_assert(!sched_is_known(r->s, rig_id(2)));
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

START_TEST(one_expires_whatever_waits_before_it_and_the_others_keep_their_places)
{
	occupy();
	rig_add_range(r, 2, 4, 0);
	add_by(5, 0, 100);
	rig_add(r, 6, 0);
	rig_run(r);

	rig_run_at(r, 100);
	says(STORY, "expire 5, complete 5");
	rig_finish(r, 1);
	for (uint32_t n = 2; n <= 4; n++) {
		rig_run(r);
		rig_finish(r, n);
	}
	rig_run(r);
	says(SAY(START) | SAY(COMPLETE), "complete 4, start 6");
}
END_TEST

START_TEST(those_of_one_time_expire_together_the_earliest_first)
{
	occupy();
	add_by(2, 0, 120);
	add_by(3, 1, 100);
	add_by(4, 0, 110);
	rig_run(r); /* 3 starts: nobody is before it at task manager 1 */
	add_by(5, 1, 100);
	rig_run(r);
	ck_assert_int_eq(sched_due(r->s), 100);

	rig_run_at(r, 115);
	says(SAY(EXPIRE), "expire 5, expire 4");
	ck_assert_int_eq(sched_due(r->s), 120);
}
END_TEST

START_TEST(one_whose_time_has_come_is_not_started_though_there_is_room)
{
	occupy();
	add_by(2, 0, 100);
	rig_add(r, 3, 0);
	rig_run(r);
	rig_finish(r, 1);

	rig_run_at(r, 100);
	says(SAY(EXPIRE) | SAY(START), "expire 2, start 3");
}
END_TEST

/* Its envelope was read too late; those behind it do not wait for anything. */
START_TEST(one_that_is_late_when_it_is_sorted_is_refused_and_the_frontier_goes_on)
{
	rig_found_pending(r, 1, 0);
	rig_found_pending(r, 2, 0);
	r->request[1].start_by_ns = 50;
	rig_run_at(r, 100);

	says(SAY(SORT) | SAY(COMPLETE) | SAY(START), "sort 1, complete 1, sort 2, start 2");
}
END_TEST

START_TEST(many_that_waited_in_vain_hold_nobody_up)
{
	teardown();
	make(MANY);
	r->light = true;
	occupy();
	for (uint32_t n = 2; n < MANY; n++)
		add_by(n, 0, 100 + n % 7);
	rig_run(r);

	rig_finish(r, 1);
	rig_add(r, 0, 0);
	rig_run_at(r, 200);
	ck_assert_uint_eq(r->n_decided[SCHED_EXPIRE], MANY - 2);
	ck_assert_uint_eq(r->n_decided[SCHED_START], 1);
	ck_assert_uint_eq(sched_counts(r->s).pending, 0);
}
END_TEST

START_TEST(busy_does_not_stop_its_clock)
{
	add_by(1, 0, 100);
	rig_answer_next(r, SCHED_START, 1, RIG_BUSY, 0);
	rig_run(r);
	ck_assert_int_eq(sched_due(r->s), 100);

	rig_run_at(r, 100);
	says(STORY, "expire 1, complete 1");
}
END_TEST

START_TEST(one_that_never_began_still_has_its_time)
{
	add_by(1, 0, 100);
	rig_run_at(r, 10);
	says(SAY(START), "start 1");
	rig_end_unbegun(r, 1, 200);
	rig_wake(r, 0);
	rig_run_at(r, 20);
	says(SAY(PUT_BACK), "put-back 1");
	ck_assert_int_eq(sched_due(r->s), 100);

	rig_run_at(r, 100);
	says(STORY, "expire 1, complete 1");
}
END_TEST

START_TEST(one_that_cannot_be_moved_yet_is_tried_again_and_is_not_started_meanwhile)
{
	occupy();
	add_by(2, 0, 100);
	rig_add(r, 3, 0);
	rig_run(r);
	rig_answer_next(r, SCHED_EXPIRE, 2, RIG_DEFER, 150);
	rig_run_at(r, 100);
	says(SAY(EXPIRE) | SAY(COMPLETE), "expire 2");
	ck_assert_int_eq(sched_due(r->s), 150);

	rig_finish(r, 1);
	rig_run_at(r, 120);
	says(SAY(EXPIRE) | SAY(START), "start 3");
	rig_run_at(r, 150);
	says(SAY(EXPIRE) | SAY(COMPLETE), "expire 2, complete 2");
}
END_TEST

START_TEST(one_that_is_gone_when_it_expires_is_forgotten)
{
	occupy();
	add_by(2, 0, 100);
	rig_run(r);
	r->request[2].place = SCHED_NOWHERE;

	rig_run_at(r, 100);
	says(STORY, "expire 2");
	ck_assert(!sched_is_known(r->s, rig_id(2)));
}
END_TEST

START_TEST(an_abort_before_its_time_is_all_that_happens_to_it)
{
	occupy();
	add_by(2, 0, 100);
	rig_run(r);
	rig_mark(r, 2);
	rig_run(r);
	says(STORY, "remove 2");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	rig_run_at(r, 100);
	says(~0u, "");
}
END_TEST

START_TEST(an_abort_while_it_cannot_be_moved_removes_it)
{
	occupy();
	add_by(2, 0, 100);
	rig_run(r);
	rig_answer_next(r, SCHED_EXPIRE, 2, RIG_DEFER, 150);
	rig_run_at(r, 100);
	rig_mark(r, 2);

	rig_run_at(r, 150);
	says(STORY, "remove 2");
}
END_TEST

START_TEST(an_abort_of_an_expired_one_takes_its_result_away_unseen)
{
	occupy();
	add_by(2, 0, 100);
	rig_run(r);
	rig_answer_next(r, SCHED_COMPLETE, 2, RIG_DEFER, 150);
	rig_run_at(r, 100);
	says(STORY, "expire 2, complete 2");
	rig_mark(r, 2);

	rig_run_at(r, 150);
	says(STORY, "remove 2");
}
END_TEST

START_TEST(it_expires_while_the_server_stops_too)
{
	occupy();
	add_by(2, 0, 100);
	rig_run(r);
	rig_stop(r);

	rig_run_at(r, 100);
	says(STORY, "expire 2, complete 2");
}
END_TEST

START_TEST(nothing_expires_while_there_is_no_space_and_then_it_does)
{
	occupy();
	add_by(2, 0, 100);
	rig_run(r);
	rig_set_no_space(r, true);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
	rig_run_at(r, 150);
	says(~0u, "");

	rig_set_no_space(r, false);
	rig_run_at(r, 160);
	says(STORY, "expire 2, complete 2");
}
END_TEST

START_TEST(nor_does_it_while_the_storage_fails)
{
	struct sched_decision d;
	occupy();
	add_by(2, 0, 100);
	rig_add(r, 3, 0);
	rig_run(r);
	rig_add(r, 4, 0);
	rig_step(r);
	sched_suspend(r->s, true);
	r->now_ns = 150;
	ck_assert(!sched_next(r->s, 150, &d));
	ck_assert(!sched_look_ahead(r->s, 150, &d));
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);

	sched_suspend(r->s, false);
	rig_run(r);
	says(SAY(EXPIRE) | SAY(SORT), "expire 2, sort 4");
}
END_TEST

START_TEST(a_time_can_be_moved_and_taken_back)
{
	occupy();
	add_by(2, 0, 100);
	add_by(3, 0, 100);
	rig_run(r);
	r->request[2].start_by_ns = 200;
	ck_assert(sched_start_by(r->s, rig_id(2), 200));
	r->request[3].start_by_ns = TIME_NEVER;
	ck_assert(sched_start_by(r->s, rig_id(3), TIME_NEVER));

	rig_run_at(r, 150);
	says(~0u, "");
	rig_run_at(r, 200);
	says(SAY(EXPIRE), "expire 2");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}
END_TEST

/* ---- ahead ---- */

START_TEST(what_nobody_needs_yet_is_read_in_order_when_there_is_nothing_else_to_do)
{
	occupy();
	rig_add(r, 4, 0);
	rig_add(r, 2, 0);
	rig_add(r, 3, 1);
	rig_run(r);
	says(STORY, "accept 2, accept 3, accept 4, sort 2, sort 3, ask 1, start 3, sort 4");

	/* And not once more when its turn comes. */
	rig_finish(r, 1);
	rig_run(r);
	says(STORY, "complete 1, ask 0, start 2");
}
END_TEST

START_TEST(nothing_is_read_ahead_before_all_else_is_done)
{
	r->ahead = false;
	rig_hold(r, 1, true); /* else it would want them read */
	occupy();
	rig_add_range(r, 2, 3, 0);
	rig_run(r);
	says(STORY, "accept 2, accept 3");
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
	ck_assert_uint_eq(sched_counts(r->s).unsorted, 2);

	ck_assert(rig_look_ahead(r));
	ck_assert(rig_look_ahead(r));
	ck_assert(!rig_look_ahead(r));
	ck_assert_uint_eq(sched_counts(r->s).unsorted, 0);
}
END_TEST

START_TEST(one_that_cannot_be_read_yet_is_read_ahead_later_and_those_behind_it_after_it)
{
	occupy();
	rig_answer_next(r, SCHED_SORT, 2, RIG_DEFER, 100);
	rig_add_range(r, 2, 3, 0);
	rig_run(r);
	says(SAY(SORT), "sort 2");
	ck_assert_int_eq(sched_due(r->s), 100);

	rig_run_at(r, 99);
	says(~0u, "");
	rig_run_at(r, 100);
	says(SAY(SORT), "sort 2, sort 3");
}
END_TEST

START_TEST(nothing_is_read_ahead_by_one_that_stops_or_has_no_space)
{
	occupy();
	rig_set_no_space(r, true);
	rig_add(r, 2, 0);
	rig_run(r);
	says(STORY, "accept 2");
	rig_set_no_space(r, false);
	rig_stop(r);
	rig_run(r);
	says(~0u, "");
	ck_assert_uint_eq(sched_counts(r->s).unsorted, 1);
}
END_TEST

static Suite *expire_suite(void)
{
	Suite *s = suite_create("sched/sched_expire");
	TCase *tc = tcase_create("by a time");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_that_is_started_in_time_never_expires);
	tcase_add_test(tc, one_that_waits_expires_at_its_time_while_another_still_runs);
	tcase_add_test(tc, one_expires_whatever_waits_before_it_and_the_others_keep_their_places);
	tcase_add_test(tc, those_of_one_time_expire_together_the_earliest_first);
	tcase_add_test(tc, one_whose_time_has_come_is_not_started_though_there_is_room);
	tcase_add_test(tc, one_that_is_late_when_it_is_sorted_is_refused_and_the_frontier_goes_on);
	tcase_add_test(tc, many_that_waited_in_vain_hold_nobody_up);
	tcase_add_test(tc, busy_does_not_stop_its_clock);
	tcase_add_test(tc, one_that_never_began_still_has_its_time);
	tcase_add_test(
		tc, one_that_cannot_be_moved_yet_is_tried_again_and_is_not_started_meanwhile);
	tcase_add_test(tc, one_that_is_gone_when_it_expires_is_forgotten);
	tcase_add_test(tc, an_abort_before_its_time_is_all_that_happens_to_it);
	tcase_add_test(tc, an_abort_while_it_cannot_be_moved_removes_it);
	tcase_add_test(tc, an_abort_of_an_expired_one_takes_its_result_away_unseen);
	tcase_add_test(tc, it_expires_while_the_server_stops_too);
	tcase_add_test(tc, nothing_expires_while_there_is_no_space_and_then_it_does);
	tcase_add_test(tc, nor_does_it_while_the_storage_fails);
	tcase_add_test(tc, a_time_can_be_moved_and_taken_back);
	suite_add_tcase(s, tc);

	tc = tcase_create("ahead");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_nobody_needs_yet_is_read_in_order_when_there_is_nothing_else_to_do);
	tcase_add_test(tc, nothing_is_read_ahead_before_all_else_is_done);
	tcase_add_test(
		tc, one_that_cannot_be_read_yet_is_read_ahead_later_and_those_behind_it_after_it);
	tcase_add_test(tc, nothing_is_read_ahead_by_one_that_stops_or_has_no_space);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(expire_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
