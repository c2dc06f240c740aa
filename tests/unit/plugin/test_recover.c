/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/instance.h"

#include "support/link/fake_link.h"
#include "support/link/probe.h"
#include "support/plugin/rig.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ID   "1700000000.000001-0123456789abc"
#define NAME "spool." ID ".1"

static struct wq_err err;

static void setup(void)
{
	probe_reset();
	probe_can_recover();
	memset(&err, 0, sizeof err);
	rig_add_children();
}

static void teardown(void)
{
	rig_free();
}

static wq_tid adopt(void)
{
	wq_tid tid = 0;
	ck_assert_msg(rig_recover(&tid, &err) == WQ_ADOPTED, "%s", err.text);
	ck_assert_uint_ne(tid, 0);
	return tid;
}

START_TEST(a_task_is_adopted_as_if_it_had_been_started)
{
	static const uint8_t zeros[40];
	fake_link_known(NAME);
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	ck_assert(instance_can_recover(rig_instance));
	rig_task.handle = (struct wq_bytes){ "tape 7", 6 };
	rig_task.ref = 5;
	wq_tid tid = adopt();

	ck_assert_uint_eq(probe.task.tid, tid);
	ck_assert_str_eq(probe.task_id, ID);
	ck_assert_uint_eq(probe.task.uid, 1234);
	ck_assert_mem_eq(probe.task.state, zeros, sizeof zeros);
	ck_assert_str_eq(probe.handle, "tape 7");
	ck_assert_uint_eq(probe.task.request.len, 1);
	ck_assert_uint_eq(probe.task.n_children, 1);
	ck_assert_str_eq(probe.labels[0], "");
	ck_assert_uint_eq(instance_running(rig_instance), 1);
	instance_recover_end(rig_instance);

	/* Its child and its end are its own again. */
	ck_assert_int_eq(
		probe.host->end_child(probe.host->ctx, probe.children[0].child, WQ_TERM_NOW, 0), 0);
	fake_link_exited(NAME, 9);
	ck_assert_int_eq(probe.n_ends, 1);
	ck_assert_uint_eq(probe.ended_child, probe.children[0].child);
	ck_assert_uint_eq(probe.ended_tid, tid);
	ck_assert_int_eq(instance_terminate(rig_instance, tid, WQ_TERM_NOW), 0);
	probe.outcomes[probe.n_outcomes++] = (struct wq_outcome){ .tid = tid, .how = WQ_DONE_OK };
	ck_assert_uint_eq(rig_reap_one().tid, tid);
	ck_assert_uint_eq(instance_reaped_ref(rig_instance), 5);
	/* What was lent to recover is gone. */
	ck_assert_ptr_null(probe.task.children);
	ck_assert_uint_eq(probe.task.handle.len, 0);
}
END_TEST

START_TEST(an_end_that_was_known_before_is_told_in_a_later_round)
{
	fake_link_known(NAME ".a");
	fake_link_exited(NAME ".a", 2);
	fake_link_known(NAME ".b");
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	wq_tid tid = adopt();
	ck_assert_uint_eq(probe.task.n_children, 2);
	instance_recover_end(rig_instance);
	ck_assert_int_eq(probe.n_ends, 0);

	rig_run();
	ck_assert_int_eq(probe.n_ends, 1);
	ck_assert_uint_eq(probe.ended_tid, tid);
	ck_assert_int_eq(probe.end.code, 2);
	rig_run();
	ck_assert_int_eq(probe.n_ends, 1);
	fake_link_exited(NAME ".b", 3);
	ck_assert_int_eq(probe.n_ends, 2);
}
END_TEST

START_TEST(nothing_starts_before_recovery_is_over)
{
	wq_tid tid;
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	rig_run();
	ck_assert_int_eq(instance_has_capacity(rig_instance), 0);
	ck_assert_int_eq(rig_start_task(&tid, &err), -WQ_E_STATE);
	rig_assert_text(err.text, "has not recovered yet");

	int touched = rig_touched();
	instance_recover_end(rig_instance);
	instance_recover_end(rig_instance);
	ck_assert_int_eq(probe_calls("recover_end"), 1);
	ck_assert_int_eq(rig_touched(), touched + 1);
	ck_assert_int_eq(instance_has_capacity(rig_instance), 8);
	(void)rig_start_one();
	ck_assert_int_eq(rig_recover(&tid, &err), -WQ_E_STATE);
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
}
END_TEST

START_TEST(without_recover_there_is_nothing_to_wait_for)
{
	wq_tid tid;
	probe_reset();
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	ck_assert(!instance_can_recover(rig_instance));
	ck_assert_int_eq(rig_recover(&tid, &err), -WQ_E_UNSUPPORTED);
	ck_assert_int_eq(instance_has_capacity(rig_instance), 8);
	instance_recover_end(rig_instance);
	(void)rig_start_one();
}
END_TEST

static const int32_t proofs[] = { WQ_NEVER_BEGAN, WQ_ENDED };

START_TEST(what_is_not_adopted_leaves_no_task_and_its_children_are_strays)
{
	wq_tid tid = 0;
	fake_link_known(NAME);
	fake_link_exited(NAME, 0);
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	probe.recover = proofs[_i];
	ck_assert_int_eq(rig_recover(&tid, &err), proofs[_i]);
	ck_assert_uint_eq(instance_running(rig_instance), 0);
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
	instance_recover_end(rig_instance);
	rig_run();
	ck_assert_int_eq(probe.n_ends, 0);
	ck_assert_uint_eq(children_end_strays(rig_children), 1);
	ck_assert_str_eq(fake_link_orders(), "ack " NAME ", ");
}
END_TEST

START_TEST(that_it_cannot_be_known_is_an_answer_and_no_fault)
{
	wq_tid tid;
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	probe.recover = -WQ_E_UNKNOWN;
	snprintf(probe.err.name, sizeof probe.err.name, "probe.gone");
	snprintf(probe.err.text, sizeof probe.err.text, "the robot has no log");
	ck_assert_int_eq(rig_recover(&tid, &err), -WQ_E_UNKNOWN);
	ck_assert_str_eq(err.name, "probe.gone");
	ck_assert_str_eq(err.text, "the robot has no log");
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
}
END_TEST

START_TEST(a_fault_and_an_unknown_answer_are_strikes)
{
	wq_tid tid;
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	probe.recover = -EIO;
	ck_assert_int_eq(rig_recover(&tid, &err), -EIO);
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_FAULT), 1);
	probe.recover = WQ_OK;
	ck_assert_int_eq(rig_recover(&tid, &err), -WQ_E_FAULT);
	ck_assert_uint_eq(instance_strikes_of(rig_instance, INSTANCE_STRIKE_UNKNOWN_ANSWER), 1);
	ck_assert_uint_eq(instance_running(rig_instance), 0);
}
END_TEST

START_TEST(a_task_without_children_has_none_where_all_is_known)
{
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	(void)adopt();
	ck_assert_uint_eq(probe.task.n_children, 0);
	ck_assert_ptr_null(probe.task.children);
}
END_TEST

START_TEST(a_task_without_children_has_one_that_is_unknown_where_the_machine_was_started)
{
	wq_tid tid;
	fake_link_up(false);
	rig_start(&probe_plugin, NULL);
	(void)adopt();
	ck_assert_uint_eq(probe.task.n_children, 1);
	ck_assert_str_eq(probe.labels[0], "");
	rig_run();
	ck_assert_int_eq(probe.n_ends, 1);
	ck_assert_uint_eq(probe.ended_child, probe.children[0].child);
	ck_assert_int_eq(probe.end.how, WQ_CHILD_UNKNOWN);
	ck_assert_str_eq(probe.end_error, "lost");

	/* One that is not adopted leaves none behind, and there is nothing to acknowledge. */
	rig_task.name = "spool.1700000000.000002-0123456789abc.1";
	probe.recover = WQ_ENDED;
	ck_assert_int_eq(rig_recover(&tid, &err), WQ_ENDED);
	ck_assert_uint_eq(probe.task.n_children, 1);
	ck_assert_uint_eq(children_end_strays(rig_children), 0);
	ck_assert_str_eq(fake_link_orders(), "");
}
END_TEST

START_TEST(a_second_shepherd_does_not_make_what_was_forgotten_known)
{
	fake_link_up(false);
	fake_link_down();
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	(void)adopt();
	ck_assert_uint_eq(probe.task.n_children, 1);
}
END_TEST

START_TEST(a_listed_child_is_itself_where_the_machine_was_started)
{
	fake_link_known(NAME ".a");
	fake_link_up(false);
	rig_start(&probe_plugin, NULL);
	(void)adopt();
	ck_assert_uint_eq(probe.task.n_children, 1);
	ck_assert_str_eq(probe.labels[0], "a");
	rig_run();
	ck_assert_int_eq(probe.n_ends, 0);
}
END_TEST

START_TEST(before_the_shepherd_has_told_nobody_is_asked)
{
	wq_tid tid;
	rig_start(&probe_plugin, NULL);
	ck_assert_int_eq(rig_recover(&tid, &err), -WQ_E_STATE);
	ck_assert_int_eq(probe_calls("recover"), 0);
	ck_assert_uint_eq(instance_running(rig_instance), 0);
}
END_TEST

START_TEST(without_children_here_a_plugin_that_has_some_is_not_asked)
{
	wq_tid tid;
	children_free(rig_children, false);
	rig_children = NULL;
	rig_start(&probe_plugin, NULL);
	ck_assert_int_eq(rig_recover(&tid, &err), -WQ_E_STATE);
	ck_assert_int_eq(probe_calls("recover"), 0);
}
END_TEST

START_TEST(a_plugin_without_children_recovers_without_a_shepherd)
{
	probe_plugin.desc.caps = WQ_CAP_WAKES;
	rig_start(&probe_plugin, NULL);
	rig_task.work_dir = NULL;
	(void)adopt();
	ck_assert_ptr_null(probe.task.work_dir);
	ck_assert_uint_eq(probe.task.n_children, 0);
}
END_TEST

static int spawned;

static void spawn_in_recover(void)
{
	static const char *const argv[] = { "true", NULL };
	struct wq_spawn spawn = {
		.struct_size = sizeof spawn, .tid = probe.task.tid, .argv = argv
	};
	spawned = probe.host->spawn(probe.host->ctx, &spawn, NULL, NULL);
}

START_TEST(a_spawn_in_recover_is_a_strike)
{
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	probe.in_recover = spawn_in_recover;
	(void)adopt();
	ck_assert_int_eq(spawned, -WQ_E_STATE);
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_CHILD), 1);
	ck_assert_str_eq(fake_link_orders(), "");
}
END_TEST

START_TEST(a_label_of_before_is_used)
{
	static const char *const argv[] = { "true", NULL };
	fake_link_known(NAME ".a");
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	wq_tid tid = adopt();
	instance_recover_end(rig_instance);
	struct wq_spawn spawn = {
		.struct_size = sizeof spawn, .tid = tid, .argv = argv, .label = "a"
	};
	ck_assert_int_eq(probe.host->spawn(probe.host->ctx, &spawn, NULL, NULL), -WQ_E_DUPLICATE);
	spawn.label = "b";
	ck_assert_int_eq(probe.host->spawn(probe.host->ctx, &spawn, NULL, NULL), WQ_OK);
}
END_TEST

/* ---- save_handle --------------------------------------------------------------------------------- */

START_TEST(a_handle_is_kept_with_its_task)
{
	static const char big[4097];
	const struct wq_host *host;
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	instance_recover_end(rig_instance);
	rig_task.attempt = 3;
	wq_tid tid = rig_start_one();
	host = probe.host;
	ck_assert_int_eq(host->save_handle(host->ctx, tid, "slot 4", 6), 0);
	ck_assert_str_eq(rig_handle(), ID " 3 slot 4");

	ck_assert_int_eq(host->save_handle(host->ctx, tid + 1, "x", 1), -WQ_E_UNKNOWN);
	ck_assert_int_eq(host->save_handle(host->ctx, tid, big, sizeof big), -WQ_E_LIMIT);
	ck_assert_int_eq(host->save_handle(host->ctx, tid, NULL, 1), -EINVAL);
	ck_assert_str_eq(rig_handle(), ID " 3 slot 4");
	ck_assert_int_eq(host->save_handle(host->ctx, tid, big, sizeof big - 1), 0);
	rig_handle_answer = -ENOSPC;
	ck_assert_int_eq(host->save_handle(host->ctx, tid, "x", 1), -ENOSPC);
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin/recover");
	TCase *tc = tcase_create("recover");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_task_is_adopted_as_if_it_had_been_started);
	tcase_add_test(tc, an_end_that_was_known_before_is_told_in_a_later_round);
	tcase_add_test(tc, nothing_starts_before_recovery_is_over);
	tcase_add_test(tc, without_recover_there_is_nothing_to_wait_for);
	tcase_add_loop_test(
		tc, what_is_not_adopted_leaves_no_task_and_its_children_are_strays, 0, 2);
	tcase_add_test(tc, that_it_cannot_be_known_is_an_answer_and_no_fault);
	tcase_add_test(tc, a_fault_and_an_unknown_answer_are_strikes);
	tcase_add_test(tc, a_task_without_children_has_none_where_all_is_known);
	tcase_add_test(
		tc, a_task_without_children_has_one_that_is_unknown_where_the_machine_was_started);
	tcase_add_test(tc, a_second_shepherd_does_not_make_what_was_forgotten_known);
	tcase_add_test(tc, a_listed_child_is_itself_where_the_machine_was_started);
	tcase_add_test(tc, before_the_shepherd_has_told_nobody_is_asked);
	tcase_add_test(tc, without_children_here_a_plugin_that_has_some_is_not_asked);
	tcase_add_test(tc, a_plugin_without_children_recovers_without_a_shepherd);
	tcase_add_test(tc, a_spawn_in_recover_is_a_strike);
	tcase_add_test(tc, a_label_of_before_is_used);
	tcase_add_test(tc, a_handle_is_kept_with_its_task);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
