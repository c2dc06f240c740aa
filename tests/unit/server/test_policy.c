/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/link/probe.h"

static const struct {
	enum on_crash most, asked;
	bool is_taken;
} requests[] = {
	{ ON_CRASH_FAIL, ON_CRASH_UNSAID, true },
	{ ON_CRASH_FAIL, ON_CRASH_FAIL, true },
	{ ON_CRASH_FAIL, ON_CRASH_ADOPT, false },
	{ ON_CRASH_FAIL, ON_CRASH_REQUEUE, false },
	{ ON_CRASH_ADOPT, ON_CRASH_FAIL, true },
	{ ON_CRASH_ADOPT, ON_CRASH_ADOPT, true },
	{ ON_CRASH_ADOPT, ON_CRASH_REQUEUE, false },
	{ ON_CRASH_REQUEUE, ON_CRASH_UNSAID, true },
	{ ON_CRASH_REQUEUE, ON_CRASH_FAIL, true },
	{ ON_CRASH_REQUEUE, ON_CRASH_ADOPT, true },
	{ ON_CRASH_REQUEUE, ON_CRASH_REQUEUE, true },
};
enum {
	N_REQUESTS = sizeof requests / sizeof *requests
};

static void start(enum on_crash most)
{
	rig_start(RIG_QUICK);
	rig.tms[0].on_crash = most;
}

START_TEST(a_request_may_ask_for_less_and_not_for_more)
{
	start(requests[_i].most);
	rig_on_crash = requests[_i].asked;
	rig_request(1, "quick");
	rig_run();
	if (requests[_i].is_taken)
		rig_assert_result(1, RESULT_OK);
	else
		rig_assert_outcome(1, RESULT_REJECTED, "on-crash-too-wide",
			on_crash_name(requests[_i].most), 0);
	rig_assert_quarantine(requests[_i].is_taken ? 0 : 2);
	rig_assert_idle();
}
END_TEST

static void widen(void)
{
	rig_on_crash = ON_CRASH_REQUEUE;
	unlink(tmpspool_at("3-running", rig_name(1)));
	rig_plant_request(1, "3-running", "quick");
}

START_TEST(what_asks_for_more_after_it_was_sorted_is_refused_too)
{
	start(ON_CRASH_ADOPT);
	rig_on_crash = ON_CRASH_FAIL;
	rig_when_renamed(SPOOL_PENDING, SPOOL_RUNNING, widen);
	rig_request(1, "quick");
	rig_run();
	rig_assert_outcome(1, RESULT_REJECTED, "on-crash-too-wide", "requeue", 0);
	ck_assert_int_eq(rig_n_started(), 0);
}
END_TEST

/* ---- wq.conf ------------------------------------------------------------------------------------ */

static struct server s;
static char *dirs[2];

static int load(const char *line, struct problems *p)
{
	char text[512];
	dirs[0] = getenv("WQ_PLUGINS");
	ck_assert_ptr_nonnull(dirs[0]);
	snprintf(text, sizeof text,
		"spool = /s\ntask-manager quick {\n\tplugin = null\n\tmax-running = 4\n\t%s\n}\n",
		line);
	s = (struct server){ .config_name = "wq.conf", .plugin_dirs = dirs };
	ck_assert_int_eq(config_read_text(text, "wq.conf", "/", &s.config, p), 0);
	return task_managers_load(&s, p);
}

static void unload(struct problems *p)
{
	problems_fini(p);
	task_managers_free(&s);
	config_fini(&s.config);
}

START_TEST(what_the_plugin_cannot_do_is_told_with_its_place)
{
	struct problems p = { 0 };
	ck_assert_int_lt(load("on-crash = adopt", &p), 0);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_str_eq(p.lines[0],
		"wq.conf:5: task-manager 'quick': on-crash = 'adopt': tasks of the plugin 'null' "
		"end "
		"with the server, so none can be adopted; it must be 'fail' or 'requeue'");
	unload(&p);
}
END_TEST

START_TEST(without_a_word_it_is_what_the_plugin_can)
{
	static const struct {
		const char *line;
		enum on_crash on_crash;
	} cases[] = {
		{ "", ON_CRASH_FAIL },
		{ "on-crash = fail", ON_CRASH_FAIL },
		{ "on-crash = requeue", ON_CRASH_REQUEUE },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct problems p = { 0 };
		ck_assert_int_eq(load(cases[i].line, &p), 0);
		ck_assert_int_eq(s.tms[0].on_crash, cases[i].on_crash);
		/* And so it is printed. */
		ck_assert_str_eq(s.config.tms[0].on_crash, on_crash_name(cases[i].on_crash));
		unload(&p);
	}
}
END_TEST

START_TEST(where_tasks_outlive_the_server_they_are_adopted)
{
	struct problems p = { 0 };
	ck_assert_int_eq(load("", &p), 0);
	free(s.config.tms[0].on_crash);
	s.config.tms[0].on_crash = NULL;
	probe_can_recover();
	s.tms[0].plugin = &probe_plugin;
	struct problem_at at = { .file = "wq.conf" };
	ck_assert_int_eq(policy_load(&s, &s.tms[0], &at, &p), 0);
	ck_assert_int_eq(s.tms[0].on_crash, ON_CRASH_ADOPT);
	unload(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server/policy");
	TCase *tc = tcase_create("narrow");
	tcase_add_checked_fixture(tc, rig_setup_spool, rig_teardown);
	tcase_add_loop_test(tc, a_request_may_ask_for_less_and_not_for_more, 0, N_REQUESTS);
	tcase_add_test(tc, what_asks_for_more_after_it_was_sorted_is_refused_too);
	suite_add_tcase(suite, tc);
	tc = tcase_create("wq.conf");
	tcase_add_test(tc, what_the_plugin_cannot_do_is_told_with_its_place);
	tcase_add_test(tc, without_a_word_it_is_what_the_plugin_can);
	tcase_add_test(tc, where_tasks_outlive_the_server_they_are_adopted);
	suite_add_tcase(suite, tc);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
