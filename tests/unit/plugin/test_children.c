/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/children.h"

#include "support/link/fake_link.h"
#include "support/link/probe.h"
#include "support/plugin/parent.h"
#include "support/plugin/rig.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int spawned; /* what the last spawn inside an operation answered */
static const char *const argv[] = { "true", "now", NULL };

/* ---- spawn ------------------------------------------------------------------------------------- */

START_TEST(a_child_is_named_after_its_task_and_its_end_is_told)
{
	wq_tid tid = start_up();
	parent_spawn.flags = WQ_SPAWN_LEAVE_REST;
	parent_spawn.out_limit = 10;
	uint64_t number = spawn_one(tid, NULL);

	assert_orders("spawn " PARENT_NAME ", ");
	ck_assert_str_eq(fake_link.tag, PARENT_NAME);
	ck_assert_str_eq(fake_link.work_dir, PARENT_DIR);
	ck_assert_str_eq(fake_link.out_name, "stdout");
	ck_assert_str_eq(fake_link.err_name, "stderr");
	ck_assert_str_eq(fake_link.argv, "true\nnow\n");
	ck_assert_uint_eq(fake_link.what.umask, 022);
	ck_assert_uint_eq(fake_link.what.grace_ms, 700);
	ck_assert_uint_eq(fake_link.what.out_limit, 10);
	ck_assert_uint_eq(fake_link.what.flags, WQ_SPAWN_LEAVE_REST);
	ck_assert_uint_eq(children_running(rig_children), 1);

	int touched = rig_touched();
	fake_link_ended(PARENT_NAME, &(struct wq_child_end){ .how = WQ_CHILD_NOT_STARTED,
					     .error = "not-found",
					     .text = "there is no 'true'",
					     .max_rss_kib = 17 });
	assert_ended(1, number, WQ_CHILD_NOT_STARTED);
	ck_assert_uint_eq(probe.ended_tid, tid);
	ck_assert_uint_eq(probe.end.struct_size, sizeof probe.end);
	ck_assert_uint_eq(probe.end.max_rss_kib, 17);
	ck_assert_str_eq(probe.end_error, "not-found");
	ck_assert_str_eq(probe.end_text, "there is no 'true'");
	ck_assert_int_eq(rig_touched(), touched + 1);
	ck_assert_uint_eq(children_running(rig_children), 0);
}
END_TEST

START_TEST(a_label_is_in_the_name_and_in_the_files)
{
	wq_tid tid = start_up();
	uint64_t one = spawn_one(tid, "step-1");
	ck_assert_str_eq(fake_link.name, PARENT_NAME ".step-1");
	ck_assert_str_eq(fake_link.tag, PARENT_NAME);
	ck_assert_str_eq(fake_link.out_name, "step-1.stdout");
	ck_assert_str_eq(fake_link.err_name, "step-1.stderr");
	uint64_t two = spawn_one(tid, "2");

	ck_assert_uint_ne(one, two);
	fake_link_exited(PARENT_NAME ".2", 3);
	assert_ended(1, two, WQ_CHILD_EXITED);
	fake_link_exited(PARENT_NAME ".step-1", 0);
	assert_ended(2, one, WQ_CHILD_EXITED);
}
END_TEST

START_TEST(the_environment_says_which_task_it_is_in_the_place_of_what_was_there)
{
	static const char *const env[] = { "PATH=/bin", "WQ_ID=lie", "WQ_IDENTITY=mine",
		"WQ_TASK=lie", "WQ_ATTEMPT=9", "WQ_ID=again", "WQ_TASK_MANAGER=lie",
		"WQ_WORK_DIR=/", "LAST=", NULL };
	wq_tid tid = start_up();
	parent_spawn.env = env;
	(void)spawn_one(tid, NULL);

	ck_assert_str_eq(fake_link.env,
		"PATH=/bin\nWQ_IDENTITY=mine\nLAST=\nWQ_ID=" PARENT_ID
		"\nWQ_ATTEMPT=1\nWQ_TASK_MANAGER=lab\nWQ_WORK_DIR=" PARENT_DIR "\n");

	parent_spawn.env = NULL;
	(void)spawn_one(tid, "bare");
	ck_assert_str_eq(fake_link.env,
		"WQ_ID=" PARENT_ID "\nWQ_ATTEMPT=1\nWQ_TASK_MANAGER=lab\nWQ_WORK_DIR=" PARENT_DIR
		"\n");
}
END_TEST

static const char *const labels[] = { "", "A", "a.b", "a_b", "a/b",
	"a-label-of-thirty-two-characters" };

START_TEST(a_label_that_is_none_is_refused)
{
	wq_tid tid = start_up();
	ck_assert_int_eq(spawn_now(tid, labels[_i]), -EINVAL);
	rig_assert_text(parent_err.text, "the label is not [a-z0-9-]{1,31}");
	ck_assert_int_eq(spawn_now(tid, "a-label-of-thirty-one-character"), WQ_OK);
}
END_TEST

START_TEST(a_label_that_is_used_is_refused_also_after_its_child_has_ended)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, "a");
	ck_assert_int_eq(spawn_now(tid, "a"), -WQ_E_DUPLICATE);
	fake_link_exited(PARENT_NAME ".a", 0);
	ck_assert_int_eq(spawn_now(tid, "a"), -WQ_E_DUPLICATE);

	(void)spawn_one(tid, NULL);
	ck_assert_int_eq(spawn_now(tid, NULL), -WQ_E_DUPLICATE);
	assert_ended(1, number, WQ_CHILD_EXITED);
}
END_TEST

static const char *const nothing[] = { NULL };
static const char *const empty[] = { "", NULL };
static const char *const no_env[] = { "PATH=/bin", "NAME", NULL };
static const char *const odd_env[] = { "=C:", NULL };
static const char *const relative[] = { "/a", "b", NULL };
static const struct wq_limit no_limit = { .resource = 99 };

#define GOOD .struct_size = sizeof(struct wq_spawn), .argv = argv
static const struct {
	struct wq_spawn spawn;
	const char *says;
} wrongs[] = {
	{ { .struct_size = sizeof(struct wq_spawn) }, "argv has no program" },
	{ { .struct_size = sizeof(struct wq_spawn), .argv = nothing }, "argv has no program" },
	{ { .struct_size = sizeof(struct wq_spawn), .argv = empty }, "argv has no program" },
	{ { .struct_size = 40, .argv = argv }, "struct_size is 40" },
	{ { GOOD, .env = no_env }, "NAME=value" },
	{ { GOOD, .env = odd_env }, "NAME=value" },
	{ { GOOD, .dir = "here" }, "dir is not an absolute path" },
	{ { GOOD, .dirs_allowed = relative }, "dirs_allowed has a path that is not absolute" },
	{ { GOOD, .input = { NULL, 1 } }, "the input is at NULL" },
	{ { GOOD, .n_limits = 1 }, "limits has a resource" },
	{ { GOOD, .n_limits = 1, .limits = &no_limit }, "limits has a resource" },
	{ { GOOD, .umask = 01000 }, "umask is above 0777" },
	{ { GOOD, .nice = 20 }, "nice is not 0 to 19" },
	{ { GOOD, .nice = -1 }, "nice is not 0 to 19" },
	{ { GOOD, .flags = 1u << 31 }, "flags has a bit that means nothing" },
};

START_TEST(what_cannot_be_run_is_refused_with_the_reason)
{
	wq_tid tid = start_up();
	parent_spawn = wrongs[_i].spawn;
	ck_assert_int_eq(spawn_now(tid, NULL), -EINVAL);
	rig_assert_text(parent_err.text, wrongs[_i].says);
	assert_orders("");
	ck_assert_uint_eq(children_running(rig_children), 0);
}
END_TEST

/* What the shepherd would not take for an order must not be sent to it. */
START_TEST(a_directory_is_no_longer_than_a_path)
{
	char path[PATH_MAX + 1];
	wq_tid tid = start_up();
	memset(path, 'd', sizeof path);
	path[0] = '/';
	path[PATH_MAX] = '\0';
	parent_spawn.dir = path;
	ck_assert_int_eq(spawn_now(tid, NULL), -EINVAL);
	rig_assert_text(parent_err.text, "dir is longer than any path may be");
	assert_orders("");
	path[PATH_MAX - 1] = '\0';
	ck_assert_int_eq(spawn_now(tid, NULL), WQ_OK);
}
END_TEST

START_TEST(what_is_too_large_for_a_frame_is_refused)
{
	static const char *many[FRAME_STRINGS_MAX + 1];
	wq_tid tid = start_up();
	for (size_t k = 0; k < FRAME_STRINGS_MAX; k++)
		many[k] = "word";
	parent_spawn.argv = many;
	ck_assert_int_eq(spawn_now(tid, NULL), -WQ_E_LIMIT);
	parent_spawn.argv = argv;
	parent_spawn.input = (struct wq_bytes){ many, FRAME_MAX + 1u };
	ck_assert_int_eq(spawn_now(tid, NULL), -WQ_E_LIMIT);
	parent_spawn.input.len = 1;
	fake_link.spawn_answer = -WQ_E_LIMIT;
	ck_assert_int_eq(spawn_now(tid, NULL), -WQ_E_LIMIT);
	/* Nothing is left of them: the name is free. */
	fake_link.spawn_answer = WQ_OK;
	(void)spawn_one(tid, NULL);
}
END_TEST

START_TEST(a_struct_that_is_longer_than_ours_is_taken_as_far_as_it_goes)
{
	struct {
		struct wq_spawn known;
		uint64_t more;
	} newer = { .known = { .struct_size = sizeof newer, .argv = argv }, .more = 1 };
	newer.known.tid = start_up();
	ck_assert_int_eq(
		probe.host->spawn(probe.host->ctx, &newer.known, &parent_child, &parent_err),
		WQ_OK);
}
END_TEST

START_TEST(a_task_that_is_not_there_has_no_children)
{
	wq_tid tid = start_up();
	ck_assert_int_eq(spawn_now(tid + 1, NULL), -WQ_E_UNKNOWN);
	ck_assert_int_eq(spawn_now(0, NULL), -WQ_E_UNKNOWN);
	give_back(tid);
	ck_assert_int_eq(spawn_now(tid, NULL), -WQ_E_UNKNOWN);
	assert_orders("");
}
END_TEST

START_TEST(without_the_capability_spawn_and_end_child_are_strikes)
{
	probe_plugin.desc.caps = WQ_CAP_WAKES;
	wq_tid tid = start_up();
	ck_assert_int_eq(spawn_now(tid, NULL), -WQ_E_STATE);
	rig_assert_line("(bad-child): spawn: called without the capability WQ_CAP_CHILDREN");
	ck_assert_int_eq(end_now(1, WQ_TERM_NOW, 0), -WQ_E_STATE);
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_CHILD), 2);
	assert_orders("");
}
END_TEST

START_TEST(a_server_without_children_says_so)
{
	children_free(rig_children, false);
	rig_children = NULL;
	rig_start(&probe_plugin, NULL);
	wq_tid tid = rig_start_one();
	ck_assert(WQ_HAS(probe.host, spawn));
	ck_assert_int_eq(spawn_now(tid, NULL), -WQ_E_UNSUPPORTED);
	rig_assert_text(parent_err.text, "this server runs no children");
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_CHILD), 0);
}
END_TEST

/* ---- busy -------------------------------------------------------------------------------------- */

START_TEST(before_the_shepherd_is_there_nothing_starts_and_up_touches)
{
	rig_start(&probe_plugin, NULL);
	rig_run();
	ck_assert(!children_is_up(rig_children));
	ck_assert_str_eq(children_containment(rig_children), "");
	ck_assert_int_eq(instance_has_capacity(rig_instance), 0);
	wq_tid tid = rig_start_one();
	ck_assert_int_eq(spawn_now(tid, NULL), WQ_BUSY);

	int touched = rig_touched();
	fake_link_up(true);
	ck_assert_int_eq(rig_touched(), touched + 1);
	ck_assert_int_eq(rig_ups(), 1);
	ck_assert(children_is_up(rig_children));
	ck_assert_str_eq(children_containment(rig_children), "best effort");
	rig_assert_line("containment: best effort");
	ck_assert_int_eq(instance_has_capacity(rig_instance), 8);
	(void)spawn_one(tid, NULL);
}
END_TEST

START_TEST(a_full_socket_is_busy_until_there_is_room)
{
	wq_tid tid = start_up();
	rig_run();
	fake_link.spawn_answer = WQ_BUSY;
	ck_assert_int_eq(spawn_now(tid, NULL), WQ_BUSY);
	ck_assert_uint_eq(children_running(rig_children), 0);
	ck_assert_int_eq(instance_has_capacity(rig_instance), 0);

	int touched = rig_touched();
	fake_link_room();
	ck_assert_int_eq(rig_touched(), touched + 1);
	ck_assert_int_eq(instance_has_capacity(rig_instance), 8);
	(void)spawn_one(tid, NULL);
	fake_link_room();
	ck_assert_int_eq(rig_touched(), touched + 1);
}
END_TEST

static void spawn_in_start(void)
{
	spawned = spawn_now(probe.task.tid, NULL);
	probe.start_task = spawned;
}

START_TEST(a_plugin_that_answers_on_the_busy_of_spawn_has_not_overpromised)
{
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	ck_assert_int_eq(instance_has_capacity(rig_instance), 8);
	probe.in_start_task = spawn_in_start;
	fake_link.spawn_answer = WQ_BUSY;
	wq_tid tid;
	ck_assert_int_eq(rig_start_task(&tid, &parent_err), WQ_BUSY);
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_OVERPROMISE), 0);

	fake_link_room();
	ck_assert_int_eq(rig_start_task(&tid, &parent_err), WQ_OK);
	assert_orders("spawn " PARENT_NAME ", ");
}
END_TEST

static void spawn_and_refuse(void)
{
	spawned = spawn_now(probe.task.tid, NULL);
	probe.start_task = WQ_RETRY;
}

START_TEST(a_start_that_fails_after_a_spawn_ends_the_child_before_the_name_is_used_again)
{
	wq_tid tid;
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	probe.in_start_task = spawn_and_refuse;
	ck_assert_int_eq(rig_start_task(&tid, &parent_err), WQ_RETRY);
	ck_assert_int_eq(spawned, WQ_OK);
	assert_orders("spawn " PARENT_NAME ", end " PARENT_NAME " graceful 700, ");

	probe.in_start_task = spawn_in_start;
	ck_assert_int_eq(rig_start_task(&tid, &parent_err), WQ_BUSY);
	ck_assert_int_eq(spawned, WQ_BUSY);
	assert_orders("");

	int touched = rig_touched();
	fake_link_ended(
		PARENT_NAME, &(struct wq_child_end){ .how = WQ_CHILD_SIGNALLED, .signal = 15 });
	assert_orders("ack " PARENT_NAME ", ");
	while (rig_touched() == touched)
		rig_run();
	ck_assert_int_eq(rig_start_task(&tid, &parent_err), WQ_OK);
	assert_orders("spawn " PARENT_NAME ", ");
	ck_assert_int_eq(probe.n_ends, 0);
}
END_TEST

/* ---- end ---------------------------------------------------------------------------------------- */

START_TEST(a_child_is_ended_as_often_as_asked_until_it_has_ended)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	(void)fake_link_orders();
	ck_assert_int_eq(end_now(number, WQ_TERM_GRACEFUL, 250), 0);
	ck_assert_int_eq(end_now(number, WQ_TERM_NOW, 0), 0);
	ck_assert_int_eq(end_now(number, 3, 0), -EINVAL);
	assert_orders("end " PARENT_NAME " graceful 250, end " PARENT_NAME " now 0, ");
	fake_link.end_answer = -ENOMEM;
	ck_assert_int_eq(end_now(number, WQ_TERM_NOW, 0), -ENOMEM);
	(void)fake_link_orders();

	fake_link_exited(PARENT_NAME, 0);
	ck_assert_int_eq(end_now(number, WQ_TERM_NOW, 0), -WQ_E_UNKNOWN);
	ck_assert_int_eq(end_now(number + 1, WQ_TERM_NOW, 0), -WQ_E_UNKNOWN);
	assert_orders("");
}
END_TEST

START_TEST(nobody_ends_the_child_of_another_instance)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	(void)fake_link_orders();
	(void)rig_another(&probe_plugin, "other", NULL); /* whose host the probe has now */
	ck_assert_int_eq(end_now(number, WQ_TERM_NOW, 0), -WQ_E_UNKNOWN);
	assert_orders("");
}
END_TEST

START_TEST(an_end_that_is_told_twice_reaches_the_plugin_once)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	fake_link_exited(PARENT_NAME, 4);
	fake_link_exited(PARENT_NAME, 5);
	assert_ended(1, number, WQ_CHILD_EXITED);
	ck_assert_int_eq(probe.end.code, 4);

	fake_link_down();
	fake_link_known(PARENT_NAME);
	fake_link_up(true);
	fake_link_exited(PARENT_NAME, 4);
	ck_assert_int_eq(probe.n_ends, 1);
}
END_TEST

START_TEST(a_task_that_is_given_back_ends_its_children_and_hears_no_more)
{
	wq_tid tid = start_up();
	(void)spawn_one(tid, "a");
	(void)spawn_one(tid, "b");
	fake_link_exited(PARENT_NAME ".b", 0);
	(void)fake_link_orders();

	give_back(tid);
	assert_orders("end " PARENT_NAME ".a graceful 700, ");
	children_ack(rig_children, PARENT_NAME);
	assert_orders("ack " PARENT_NAME ".b, "); /* the other has not ended yet */
	fake_link_exited(PARENT_NAME ".a", 0);
	assert_orders("ack " PARENT_NAME ".a, ");
	ck_assert_int_eq(probe.n_ends, 1);
	ck_assert_uint_eq(children_running(rig_children), 0);
}
END_TEST

START_TEST(what_was_ended_by_force_stays_so_when_its_task_is_given_back)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	ck_assert_int_eq(end_now(number, WQ_TERM_NOW, 0), 0);
	(void)fake_link_orders();
	give_back(tid);
	assert_orders("end " PARENT_NAME " now 0, ");
}
END_TEST

START_TEST(an_end_is_acknowledged_when_the_result_is_safe_and_not_before)
{
	wq_tid tid = start_up();
	(void)spawn_one(tid, NULL);
	(void)fake_link_orders();
	fake_link_exited(PARENT_NAME, 0);
	give_back(tid);
	assert_orders("");
	children_ack(rig_children, PARENT_NAME);
	assert_orders("ack " PARENT_NAME ", ");
	children_ack(rig_children, PARENT_NAME);
	children_ack(rig_children, "spool.1700000000.000001-0123456789abc.9");
	assert_orders("");
}
END_TEST

static void spawn_the_next(void)
{
	probe.in_on_child = NULL;
	spawned = spawn_now(probe.ended_tid, "next");
}

START_TEST(on_child_may_spawn_the_next)
{
	wq_tid tid = start_up();
	(void)spawn_one(tid, "first");
	probe.in_on_child = spawn_the_next;
	fake_link_exited(PARENT_NAME ".first", 0);
	ck_assert_int_eq(spawned, WQ_OK);
	ck_assert_uint_eq(children_running(rig_children), 1);
	fake_link_exited(PARENT_NAME ".next", 0);
	assert_ended(2, parent_child, WQ_CHILD_EXITED);
}
END_TEST

static void add_spawn(Suite *s)
{
	TCase *tc = tcase_create("spawn");
	tcase_add_checked_fixture(tc, parent_setup, parent_teardown);
	tcase_add_test(tc, a_directory_is_no_longer_than_a_path);
	tcase_add_test(tc, a_child_is_named_after_its_task_and_its_end_is_told);
	tcase_add_test(tc, a_label_is_in_the_name_and_in_the_files);
	tcase_add_test(tc, the_environment_says_which_task_it_is_in_the_place_of_what_was_there);
	tcase_add_loop_test(
		tc, a_label_that_is_none_is_refused, 0, (int)(sizeof labels / sizeof *labels));
	tcase_add_test(tc, a_label_that_is_used_is_refused_also_after_its_child_has_ended);
	tcase_add_loop_test(tc, what_cannot_be_run_is_refused_with_the_reason, 0,
		(int)(sizeof wrongs / sizeof *wrongs));
	tcase_add_test(tc, what_is_too_large_for_a_frame_is_refused);
	tcase_add_test(tc, a_struct_that_is_longer_than_ours_is_taken_as_far_as_it_goes);
	tcase_add_test(tc, a_task_that_is_not_there_has_no_children);
	tcase_add_test(tc, without_the_capability_spawn_and_end_child_are_strikes);
	tcase_add_test(tc, a_server_without_children_says_so);
	tcase_add_test(tc, before_the_shepherd_is_there_nothing_starts_and_up_touches);
	tcase_add_test(tc, a_full_socket_is_busy_until_there_is_room);
	tcase_add_test(tc, a_plugin_that_answers_on_the_busy_of_spawn_has_not_overpromised);
	tcase_add_test(
		tc, a_start_that_fails_after_a_spawn_ends_the_child_before_the_name_is_used_again);
	suite_add_tcase(s, tc);
}

static void add_end(Suite *s)
{
	TCase *tc = tcase_create("end");
	tcase_add_checked_fixture(tc, parent_setup, parent_teardown);
	tcase_add_test(tc, a_child_is_ended_as_often_as_asked_until_it_has_ended);
	tcase_add_test(tc, nobody_ends_the_child_of_another_instance);
	tcase_add_test(tc, an_end_that_is_told_twice_reaches_the_plugin_once);
	tcase_add_test(tc, a_task_that_is_given_back_ends_its_children_and_hears_no_more);
	tcase_add_test(tc, what_was_ended_by_force_stays_so_when_its_task_is_given_back);
	tcase_add_test(tc, an_end_is_acknowledged_when_the_result_is_safe_and_not_before);
	tcase_add_test(tc, on_child_may_spawn_the_next);
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("plugin/children");
	add_spawn(s);
	add_end(s);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
