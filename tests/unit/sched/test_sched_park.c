/* SPDX-License-Identifier: BSD-2-Clause */
/* What is half done waits for a sync: park, resume, redo; and a start that waits for its own. */
#include "sched/sched.h"

#include <check.h>
#include <stdlib.h>

#include "base/time.h"

static struct sched *s;
static struct sched_decision d;
static int64_t now;

static struct reqid nth(uint64_t n)
{
	return (struct reqid){ .us = n, .suffix = n };
}

static void setup(void)
{
	static const uint64_t key[2] = { 1, 2 };
	static const struct sched_limits limits[] = { { .max_running = 4 } };
	now = NS_PER_S;
	s = sched_new(1, limits, NS_PER_S, key);
	ck_assert_ptr_nonnull(s);
}

static void teardown(void)
{
	sched_free(s);
}

/* The next decision that is of interest; LOOK, REAP, ACCEPT and SORT are answered as ever. */
static bool next(void)
{
	while (sched_next(s, now, &d)) {
		switch (d.kind) {
		case SCHED_LOOK:
			sched_looked(s);
			break;
		case SCHED_REAP:
			sched_reaped(s, d.tm, false, now);
			break;
		case SCHED_ACCEPT:
			sched_accepted(s, d.id, now);
			break;
		case SCHED_SORT:
			sched_sorted(s, d.id, 0);
			break;
		default:
			return true;
		}
	}
	return false;
}

static void expect(enum sched_kind kind, uint64_t n, bool resumed)
{
	ck_assert(next());
	ck_assert_int_eq(d.kind, kind);
	ck_assert(reqid_is(d.id, nth(n)));
	ck_assert_int_eq(d.resumed, resumed);
}

static void expect_rest(void)
{
	if (next())
		ck_abort_msg("a decision of kind %d", (int)d.kind);
}

/* With one that runs, and its slot. */
static void start(uint64_t n)
{
	ck_assert_int_eq(sched_seen(s, nth(n), now), 0);
	ck_assert(next());
	ck_assert_int_eq(d.kind, SCHED_ASK);
	sched_room(s, 0, 1, now);
	expect(SCHED_START, n, false);
	sched_started(s, d.id, (uint32_t)n, now);
	while (next()) {
		ck_assert_int_eq(d.kind, SCHED_ASK);
		sched_room(s, 0, 0, now);
	}
}

static void park(enum sched_kind kind, uint64_t n)
{
	expect(kind, n, false);
	sched_park(s, d.id);
	expect_rest();
	ck_assert(!sched_is_drained(s));
}

static void end_and_park(uint64_t n)
{
	start(n);
	sched_ended(s, nth(n), now);
	park(SCHED_COMPLETE, n);
}

START_TEST(a_completion_comes_again_when_it_is_resumed)
{
	end_and_park(1);

	sched_resume(s, nth(1));
	expect(SCHED_COMPLETE, 1, true);
	ck_assert_uint_eq(d.ref, 1);
	sched_completed(s, nth(1));

	expect_rest();
	ck_assert(sched_is_drained(s));
	ck_assert(!sched_is_known(s, nth(1)));
}
END_TEST

START_TEST(one_that_was_resumed_and_deferred_is_still_resumed)
{
	end_and_park(1);
	sched_resume(s, nth(1));
	expect(SCHED_COMPLETE, 1, true);
	sched_defer(s, nth(1), now + 1);
	expect_rest();

	now++;
	expect(SCHED_COMPLETE, 1, true);
}
END_TEST

START_TEST(one_that_has_to_be_redone_comes_in_its_time_from_its_beginning)
{
	end_and_park(1);

	sched_redo(s, nth(1), now + 10);
	expect_rest();
	ck_assert_int_eq(sched_due(s), now + 10);

	now += 10;
	park(SCHED_COMPLETE, 1);
	sched_resume(s, nth(1));
	expect(SCHED_COMPLETE, 1, true);
}
END_TEST

START_TEST(an_abort_that_comes_meanwhile_waits_and_then_takes_over)
{
	end_and_park(1);

	ck_assert_int_eq(sched_marked(s, nth(1), now), 0);
	expect_rest();
	if (_i)
		sched_redo(s, nth(1), now + 10);
	else
		sched_resume(s, nth(1));

	expect(SCHED_REMOVE, 1, false);
	ck_assert_int_eq(d.place, SCHED_IN_RUNNING);
	ck_assert_uint_eq(d.ref, 1);
	sched_park(s, nth(1));
	sched_resume(s, nth(1));
	expect(SCHED_REMOVE, 1, true);
	ck_assert_int_eq(d.place, SCHED_IN_RUNNING);
	sched_removed(s, nth(1));
	expect_rest();
	ck_assert(sched_is_drained(s));
}
END_TEST

START_TEST(an_abort_of_one_that_was_resumed_begins_anew)
{
	end_and_park(1);
	sched_resume(s, nth(1));
	ck_assert_int_eq(sched_marked(s, nth(1), now), 0);

	expect(SCHED_REMOVE, 1, false);
}
END_TEST

START_TEST(a_marker_of_nothing_can_be_parked)
{
	ck_assert_int_eq(sched_marked(s, nth(1), now), 0);
	expect(SCHED_PROBE, 1, false);
	sched_probed(s, nth(1), SCHED_NOWHERE, now);
	park(SCHED_UNMARK, 1);
	/* It is seen meanwhile: who unmarks looks once more. */
	ck_assert_int_eq(sched_seen(s, nth(1), now), 0);
	expect_rest();

	sched_resume(s, nth(1));
	expect(SCHED_UNMARK, 1, true);
	if (_i == 0) {
		sched_unmarked(s, nth(1));
	} else {
		sched_probed(s, nth(1), SCHED_IN_REQUESTED, now);
		expect(SCHED_REMOVE, 1, false);
		ck_assert_int_eq(d.place, SCHED_IN_PENDING);
		sched_removed(s, nth(1));
	}
	expect_rest();
	ck_assert(sched_is_drained(s));
}
END_TEST

START_TEST(to_resume_what_is_not_parked_does_nothing)
{
	sched_resume(s, nth(7));
	sched_redo(s, nth(7), 0);
	start(1);
	sched_resume(s, nth(1));
	expect_rest();
	sched_ended(s, nth(1), now);
	expect(SCHED_COMPLETE, 1, false);
}
END_TEST

static void answer_no_room(void)
{
	ck_assert(next());
	ck_assert_int_eq(d.kind, SCHED_ASK);
	sched_room(s, 0, 0, now);
	expect_rest();
}

/* ---- a start that waits ------------------------------------------------------------------------ */

START_TEST(when_one_has_begun_its_task_manager_is_asked_again)
{
	start(1);
	ck_assert_int_eq(sched_seen(s, nth(2), now), 0);
	answer_no_room();

	sched_begun(s, 0);

	ck_assert(next());
	ck_assert_int_eq(d.kind, SCHED_ASK);
}
END_TEST

START_TEST(one_that_is_turned_away_is_the_first_again)
{
	start(1);
	ck_assert_int_eq(sched_seen(s, nth(2), now), 0);
	answer_no_room();
	sched_turned_away(s, nth(1), _i ? now + 10 : 0);
	expect(SCHED_PUT_BACK, 1, false);
	sched_put_back(s, nth(1));
	expect_rest();

	now += 10;
	if (_i == 0)
		sched_wakeup(s, 0);
	ck_assert(next());
	ck_assert_int_eq(d.kind, SCHED_ASK);
	sched_room(s, 0, 1, now);
	expect(SCHED_START, 1, false);
}
END_TEST

START_TEST(one_that_is_told_to_end_is_known_to_be)
{
	start(1);
	ck_assert(!sched_is_ending(s, nth(1)));
	ck_assert_int_eq(sched_marked(s, nth(1), now), 0);
	ck_assert(sched_is_ending(s, nth(1)));
	ck_assert(!sched_is_ending(s, nth(2)));
}
END_TEST

START_TEST(while_it_is_suspended_nothing_starts)
{
	struct sched_tm_state state;
	sched_suspend(s, true);
	ck_assert_int_eq(sched_seen(s, nth(1), now), 0);
	expect_rest();
	ck_assert_int_eq(sched_due(s), TIME_NEVER);
	sched_tm_state(s, 0, now, &state);
	ck_assert_int_eq(state.why, SCHED_WHY_SUSPENDED);

	sched_suspend(s, false);
	start(1);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("sched/park");
	TCase *tc = tcase_create("park"), *begin = tcase_create("begin");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_checked_fixture(begin, setup, teardown);
	tcase_add_test(tc, a_completion_comes_again_when_it_is_resumed);
	tcase_add_test(tc, one_that_was_resumed_and_deferred_is_still_resumed);
	tcase_add_test(tc, one_that_has_to_be_redone_comes_in_its_time_from_its_beginning);
	tcase_add_loop_test(tc, an_abort_that_comes_meanwhile_waits_and_then_takes_over, 0, 2);
	tcase_add_test(tc, an_abort_of_one_that_was_resumed_begins_anew);
	tcase_add_loop_test(tc, a_marker_of_nothing_can_be_parked, 0, 2);
	tcase_add_test(tc, to_resume_what_is_not_parked_does_nothing);
	tcase_add_test(begin, when_one_has_begun_its_task_manager_is_asked_again);
	tcase_add_loop_test(begin, one_that_is_turned_away_is_the_first_again, 0, 2);
	tcase_add_test(begin, one_that_is_told_to_end_is_known_to_be);
	tcase_add_test(begin, while_it_is_suspended_nothing_starts);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, begin);
	return suite;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
