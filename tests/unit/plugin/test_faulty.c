/* SPDX-License-Identifier: BSD-2-Clause */
/* What the server does about each fault of plugins/faulty. */
#include "plugin/instance.h"

#include "support/plugin/rig.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct wq_err err;

static void faulty(const char *fault)
{
	rig_start(rig_load("WQ_PLUGINS", "faulty"), fault);
}

START_TEST(faulty_without_a_fault_gets_no_strike)
{
	faulty("none");
	wq_tid tid = rig_start_one();
	ck_assert_uint_eq(rig_reap_one().tid, tid);
	rig_assert_no_more();
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_FAULT), 0);
	ck_assert_int_eq(rig_lines("misbehaving"), 0);
	rig_free();
}
END_TEST

START_TEST(a_fault_of_start_task_is_a_strike_and_begins_nothing)
{
	wq_tid tid;
	faulty("start-fault");

	ck_assert_int_eq(rig_start_task(&tid, &err), -WQ_E_FAULT);

	rig_assert_text(err.text, "start_task: start_task fails because it was told to");
	rig_assert_line("plugin 'faulty' is misbehaving (fault): start_task: "
			"start_task fails because it was told to");
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_FAULT), 1);
	ck_assert_uint_eq(instance_running(rig_instance), 0);
	rig_free();
}
END_TEST

START_TEST(an_unknown_answer_of_start_task_is_a_fault)
{
	wq_tid tid;
	faulty("start-unknown-answer");

	ck_assert_int_eq(rig_start_task(&tid, &err), -WQ_E_FAULT);

	rig_assert_line("start_task: answered 42, which means nothing");
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_UNKNOWN_ANSWER), 1);
	ck_assert_uint_eq(instance_running(rig_instance), 0);
	rig_free();
}
END_TEST

START_TEST(busy_within_a_promise_is_counted_and_not_punished)
{
	wq_tid tid;
	faulty("busy-after-capacity");
	for (int i = 0; i < 2 * INSTANCE_MAX_STRIKES; i++) {
		ck_assert_int_eq(instance_has_capacity(rig_instance), 64);
		ck_assert_int_eq(rig_start_task(&tid, &err), WQ_BUSY);
		ck_assert_int_eq(rig_start_task(&tid, &err), WQ_BUSY); /* the promise is used up */
	}
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_OVERPROMISE), 2 * INSTANCE_MAX_STRIKES);
	ck_assert(!instance_is_quarantined(rig_instance));
	rig_free();
}
END_TEST

START_TEST(a_task_that_never_was_is_not_given_back)
{
	faulty("reap-unknown");
	wq_tid tid = rig_start_one();

	ck_assert_uint_eq(rig_reap_one().tid, tid);

	rig_assert_no_more();
	rig_assert_line("reap: gave back task 18446744073709551615, which is not its own");
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_UNKNOWN_TASK), 1);
	rig_free();
}
END_TEST

START_TEST(a_task_given_back_twice_counts_once)
{
	char line[64];
	faulty("reap-twice");
	wq_tid tid = rig_start_one();

	ck_assert_uint_eq(rig_reap_one().tid, tid);
	rig_assert_no_more();

	snprintf(line, sizeof line, "reap: gave back task %llu twice", (unsigned long long)tid);
	rig_assert_line(line);
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_TWICE), 1);
	rig_free();
}
END_TEST

START_TEST(the_task_of_another_instance_is_not_given_back)
{
	const struct plugin *p = rig_load("WQ_PLUGINS", "faulty");
	rig_start(p, "none");
	struct instance *victim = rig_instance;
	wq_tid theirs = rig_start_one();
	rig_instance = rig_another(p, "thief", "reap-other");
	wq_tid mine = rig_start_one();
	ck_assert_uint_eq(mine, theirs + 1); /* what faulty counts on */

	ck_assert_uint_eq(rig_reap_one().tid, mine);

	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_UNKNOWN_TASK), 1);
	rig_assert_line("plugin 'faulty' is misbehaving (unknown-task): reap: gave back task");
	rig_instance = victim;
	ck_assert_uint_eq(instance_running(victim), 1);
	ck_assert_uint_eq(rig_reap_one().tid, theirs);
	rig_free();
}
END_TEST

START_TEST(a_malformed_result_becomes_an_error_for_the_client)
{
	faulty("bad-cbor");
	wq_tid tid = rig_start_one();

	struct wq_outcome o = rig_reap_one();

	ck_assert_uint_eq(o.tid, tid);
	ck_assert_int_eq(o.how, WQ_DONE_FAILED);
	ck_assert_str_eq(o.error, "plugin-bad-result");
	rig_assert_text(o.text, "CBOR: at byte");
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_BAD_RESULT), 1);
	rig_free();
}
END_TEST

START_TEST(a_result_above_the_limit_becomes_an_error_for_the_client)
{
	faulty("huge-result");
	(void)rig_start_one();

	struct wq_outcome o = rig_reap_one();

	ck_assert_int_eq(o.how, WQ_DONE_FAILED);
	ck_assert_str_eq(o.error, "result-too-large");
	ck_assert_str_eq(
		o.text, "its result of 67108864 bytes is above the result-limit of 1048576");
	ck_assert_uint_eq(o.result.len, 0);
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_LARGE_RESULT), 1);
	rig_assert_line("plugin 'faulty' is misbehaving (large-result): reap: gave back task");
	rig_free();
}
END_TEST

START_TEST(an_unknown_outcome_becomes_an_error_for_the_client)
{
	faulty("bad-outcome");
	(void)rig_start_one();

	struct wq_outcome o = rig_reap_one();

	ck_assert_int_eq(o.how, WQ_DONE_FAILED);
	ck_assert_str_eq(o.error, "plugin-bad-result");
	rig_assert_text(o.text, "the unknown outcome 99");
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_BAD_OUTCOME), 1);
	rig_free();
}
END_TEST

START_TEST(a_negative_capacity_is_none)
{
	faulty("capacity-negative");

	ck_assert_int_eq(instance_has_capacity(rig_instance), 0);

	rig_assert_line("has_capacity: answered -5; taken as 0");
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_FAULT), 1);
	rig_free();
}
END_TEST

START_TEST(an_operation_that_blocks_is_named_with_its_time)
{
	faulty("block");
	(void)rig_start_one();

	ck_assert_uint_ge(rig_strikes(INSTANCE_STRIKE_SLOW), 1);
	rig_assert_line("plugin 'faulty' is misbehaving (slow): start_task: took 2");
	rig_assert_line("at most 50 ms is right");
	ck_assert(!instance_is_quarantined(rig_instance));
	rig_free();
}
END_TEST

START_TEST(faulty_refuses_to_be_made_or_started_when_told_to)
{
	const struct plugin *p = rig_load("WQ_PLUGINS", "faulty");
	ck_assert_int_eq(rig_make(p, "create-fails", &err), -WQ_E_CONFIG);
	ck_assert_str_eq(err.name, "faulty.create");
	rig_assert_text(err.text, "create fails because it was told to");

	ck_assert_int_eq(rig_make(p, "start-fails", &err), 0);
	ck_assert_int_eq(instance_start(rig_instance, &err), -WQ_E_FAULT);
	rig_assert_text(err.text, "start fails because it was told to");
	rig_free();
}
END_TEST

START_TEST(a_service_of_the_loop_is_refused_to_a_thread)
{
	faulty("thread-watch");

	rig_assert_line("watch: called from a thread of the plugin; it is for the loop only");
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_THREAD), 1);
	rig_free();
}
END_TEST

START_TEST(a_watch_that_is_left_behind_is_named)
{
	faulty("linger-watch");
	struct instance *lingers = rig_instance;
	rig_instance = NULL;

	instance_free(lingers);

	rig_assert_line("destroy: left 1 watches behind");
	rig_run(); /* nothing of it is left in the loop */
	rig_free();
}
END_TEST

START_TEST(a_flood_of_log_lines_is_cut_and_counted)
{
	faulty("chatty");

	(void)rig_start_one();

	int passed = rig_lines("flood");
	/* 100 at once, and those that a slow machine's time brings. */
	ck_assert_int_ge(passed, 100);
	ck_assert_int_lt(passed, 1000);
	ck_assert_str_eq(rig_last_line(), "flood");
	ck_assert_str_eq(rig_last_line_id(), "1700000000.000001-0123456789abc");
	instance_free(rig_instance);
	rig_instance = NULL;
	char line[64];
	snprintf(line, sizeof line, "%d messages dropped", 1000 - passed);
	rig_assert_line(line);
	rig_free();
}
END_TEST

START_TEST(a_task_that_never_ends_by_itself_ends_when_it_is_terminated)
{
	faulty("never-reaps");
	wq_tid tid = rig_start_one();
	rig_assert_no_more();

	ck_assert_int_eq(instance_terminate(rig_instance, tid, WQ_TERM_GRACEFUL), 0);
	ck_assert_int_eq(instance_terminate(rig_instance, tid, WQ_TERM_NOW), 0);

	struct wq_outcome o = rig_reap_one();
	ck_assert_uint_eq(o.tid, tid);
	ck_assert_int_eq(o.how, WQ_DONE_ABORTED);
	rig_assert_no_more();
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_FAULT), 0);
	rig_free();
}
END_TEST

START_TEST(a_task_that_ignores_terminate_keeps_its_slot)
{
	faulty("terminate-ignored");
	wq_tid tid = rig_start_one();

	ck_assert_int_eq(instance_terminate(rig_instance, tid, WQ_TERM_NOW), 0);

	rig_assert_no_more();
	ck_assert_uint_eq(instance_running(rig_instance), 1);
	rig_free();
}
END_TEST

START_TEST(late_rejection_and_not_started_come_through)
{
	faulty("late-reject");
	(void)rig_start_one();
	struct wq_outcome o = rig_reap_one();
	ck_assert_int_eq(o.how, WQ_DONE_REJECTED);
	ck_assert_str_eq(o.error, "faulty.late");
	rig_free();

	faulty("not-started");
	(void)rig_start_one();
	ck_assert_int_eq(rig_reap_one().how, WQ_DONE_NOT_STARTED);
	(void)rig_start_one();
	ck_assert_int_eq(rig_reap_one().how, WQ_DONE_OK);
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
	rig_free();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin/faulty");
	TCase *faults = tcase_create("faulty");
	tcase_add_test(faults, faulty_without_a_fault_gets_no_strike);
	tcase_add_test(faults, a_fault_of_start_task_is_a_strike_and_begins_nothing);
	tcase_add_test(faults, an_unknown_answer_of_start_task_is_a_fault);
	tcase_add_test(faults, busy_within_a_promise_is_counted_and_not_punished);
	tcase_add_test(faults, a_task_that_never_was_is_not_given_back);
	tcase_add_test(faults, a_task_given_back_twice_counts_once);
	tcase_add_test(faults, the_task_of_another_instance_is_not_given_back);
	tcase_add_test(faults, a_malformed_result_becomes_an_error_for_the_client);
	tcase_add_test(faults, a_result_above_the_limit_becomes_an_error_for_the_client);
	tcase_add_test(faults, an_unknown_outcome_becomes_an_error_for_the_client);
	tcase_add_test(faults, a_negative_capacity_is_none);
	tcase_add_test(faults, an_operation_that_blocks_is_named_with_its_time);
	tcase_add_test(faults, faulty_refuses_to_be_made_or_started_when_told_to);
	tcase_add_test(faults, a_service_of_the_loop_is_refused_to_a_thread);
	tcase_add_test(faults, a_watch_that_is_left_behind_is_named);
	tcase_add_test(faults, a_flood_of_log_lines_is_cut_and_counted);
	tcase_add_test(faults, a_task_that_never_ends_by_itself_ends_when_it_is_terminated);
	tcase_add_test(faults, a_task_that_ignores_terminate_keeps_its_slot);
	tcase_add_test(faults, late_rejection_and_not_started_come_through);
	suite_add_tcase(s, faults);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
