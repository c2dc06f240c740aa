/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of what an earlier server had started: by policy, by what can be proved, in time. */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/time.h"
#include "support/link/fake_link.h"
#include "support/link/probe.h"

enum {
	OLD = 1,
	NEXT = 2
};
#define ATTEMPTS ".wq/attempts"

/* A server made the spool, started OLD and ended; NEXT waits. */
static void make_spool(void)
{
	struct spool sp;
	rig_setup_spool();
	ck_assert_int_eq(spool_open_server(&sp, tmpspool_path, &spool_io_real, NULL), 0);
	spool_close(&sp);
}

static void plant_old(void)
{
	rig_plant_request(OLD, "3-running", "");
}

static void setup(void)
{
	make_spool();
	plant_old();
	rig_plant_request(NEXT, "2-pending", "");
}

static void teardown(void)
{
	if (rig.loop)
		rig_close();
	rig_teardown();
}

/* The shepherd knows all of this boot, and nothing runs. */
static void start(enum on_crash on_crash, int32_t recover)
{
	rig_open_probe(on_crash, RIG_QUICK);
	probe.recover = recover;
	ck_assert_int_eq(rig_recover(), 0);
	look_list(&rig);
	fake_link_up(true);
	rig_run();
}

static bool has_attempt(const char *suffix)
{
	char name[64];
	snprintf(name, sizeof name, "%s.%s", rig_name(OLD), suffix);
	return tmpspool_has(ATTEMPTS, name);
}

static void end_with(int32_t how)
{
	probe.outcomes[probe.n_outcomes++] =
		(struct wq_outcome){ .tid = probe.task.tid, .how = how };
	probe.host->wakeup(probe.host->ctx);
	rig_run();
}

/* ---- by policy ---------------------------------------------------------------------------------- */

enum fate {
	ADOPTED, /* it runs, as the first attempt */
	FIRST,   /* it was started again as the first attempt */
	SECOND,  /* as the second */
	LOST,
	UNKNOWN, /* it keeps its slot, and no result is there */
};

static const struct {
	enum on_crash on_crash;
	int32_t answer;
	enum fate fate;
} policies[] = {
	{ ON_CRASH_FAIL, WQ_ADOPTED, ADOPTED },
	{ ON_CRASH_FAIL, WQ_NEVER_BEGAN, LOST },
	{ ON_CRASH_FAIL, WQ_ENDED, LOST },
	{ ON_CRASH_FAIL, -WQ_E_UNKNOWN, UNKNOWN },
	{ ON_CRASH_ADOPT, WQ_ADOPTED, ADOPTED },
	{ ON_CRASH_ADOPT, WQ_NEVER_BEGAN, FIRST },
	{ ON_CRASH_ADOPT, WQ_ENDED, LOST },
	{ ON_CRASH_ADOPT, -WQ_E_UNKNOWN, UNKNOWN },
	{ ON_CRASH_REQUEUE, WQ_ADOPTED, ADOPTED },
	{ ON_CRASH_REQUEUE, WQ_NEVER_BEGAN, FIRST },
	{ ON_CRASH_REQUEUE, WQ_ENDED, SECOND },
	{ ON_CRASH_REQUEUE, -WQ_E_UNKNOWN, UNKNOWN },
	{ ON_CRASH_REQUEUE, -WQ_E_FAULT, UNKNOWN },
	{ ON_CRASH_REQUEUE, 77, UNKNOWN },
};
enum {
	N_POLICIES = sizeof policies / sizeof *policies
};

/* Its place among those that went from 2 to 3, or -1. */
static int move_of(unsigned n)
{
	for (int i = 0; i < rig_n_moves; i++)
		if (reqid_is(rig_moves[i], tmpspool_nth(n)))
			return i;
	return -1;
}

static void expect_fate(enum fate fate)
{
	bool again = fate == FIRST || fate == SECOND;
	ck_assert_int_eq(rig_stands(OLD, "4-complete"), fate == LOST);
	ck_assert_int_eq(rig_stands(OLD, "3-running"), fate != LOST);
	ck_assert_int_eq(move_of(OLD) >= 0, again);
	ck_assert_int_eq(has_attempt("2"), fate == SECOND);
	/* With two slots there is room for the next one in any case; and it overtakes nothing. */
	ck_assert(rig_stands(NEXT, "3-running"));
	ck_assert_int_lt(move_of(OLD), move_of(NEXT));
	ck_assert_uint_eq(sched_counts(rig.sched).running, fate == LOST ? 1 : 2);
	ck_assert_uint_eq(lost_count(&rig, 0), fate == UNKNOWN);
	if (fate == LOST)
		rig_assert_outcome(OLD, RESULT_LOST, "server-restart", "", 1);
}

START_TEST(what_becomes_of_it_is_said_by_policy_and_proof)
{
	start(policies[_i].on_crash, policies[_i].answer);
	expect_fate(policies[_i].fate);
	ck_assert_int_eq(probe_calls("recover"), 1);
	ck_assert_int_eq(probe_calls("recover_end"), 1);
}
END_TEST

START_TEST(a_request_narrows_what_its_task_manager_allows)
{
	static const struct {
		enum on_crash of_request;
		int32_t answer;
		enum fate fate;
	} cases[] = {
		{ ON_CRASH_FAIL, WQ_NEVER_BEGAN, LOST },
		{ ON_CRASH_FAIL, WQ_ENDED, LOST },
		{ ON_CRASH_ADOPT, WQ_NEVER_BEGAN, FIRST },
		{ ON_CRASH_ADOPT, WQ_ENDED, LOST },
		{ ON_CRASH_REQUEUE, WQ_ENDED, SECOND },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		make_spool();
		rig_on_crash = cases[i].of_request;
		plant_old();
		rig_plant_request(NEXT, "2-pending", "");
		start(ON_CRASH_REQUEUE, cases[i].answer);
		expect_fate(cases[i].fate);
		rig_teardown();
	}
}
END_TEST

/* wq.conf allows less than when it was taken. */
START_TEST(what_a_request_asks_for_beyond_its_task_manager_it_does_not_get)
{
	make_spool();
	rig_on_crash = ON_CRASH_REQUEUE;
	plant_old();
	start(ON_CRASH_FAIL, WQ_ENDED);
	rig_assert_outcome(OLD, RESULT_LOST, "server-restart", "", 1);
	ck_assert_int_eq(rig_n_started(), 0);
	rig_teardown();
}
END_TEST

START_TEST(the_next_attempt_has_its_number_and_its_result_says_so)
{
	start(ON_CRASH_REQUEUE, WQ_ENDED);
	ck_assert_int_eq(rig_n_started(), 2);
	/* The probe saw the other one last. */
	ck_assert_str_eq(probe.task_id, rig_name(NEXT));
	end_with(WQ_DONE_OK);
	struct task *t = tasks_next(&rig.tasks, 0);
	ck_assert_ptr_nonnull(t);
	ck_assert(reqid_is(t->id, tmpspool_nth(OLD)));
	ck_assert_uint_eq(t->attempt, 2);
	probe.task.tid = t->tid;
	end_with(WQ_DONE_OK);
	rig_assert_outcome(OLD, RESULT_OK, "", "", 2);
	ck_assert_int_eq(tmpspool_count(ATTEMPTS), 0);
	rig_assert_idle();
}
END_TEST

static void to_requeue_only_old(void)
{
	make_spool();
	plant_old();
	start(ON_CRASH_REQUEUE, WQ_ENDED);
	ck_assert_uint_eq(probe.task.attempt, 2);
}

START_TEST(what_is_lost_at_run_time_is_started_again_too_and_at_its_old_place)
{
	rig_teardown();
	to_requeue_only_old();
	sched_set_max_running(rig.sched, 0, 1);
	rig_plant_request(NEXT, "1-requested", "");
	end_with(WQ_DONE_LOST);
	ck_assert_uint_eq(probe.task.attempt, 3);
	ck_assert_str_eq(probe.task_id, rig_name(OLD));
	ck_assert(has_attempt("3"));
	ck_assert(!has_attempt("2"));
	ck_assert(!rig_stands(OLD, "4-complete"));
	ck_assert(rig_stands(NEXT, "2-pending"));
}
END_TEST

START_TEST(an_attempt_too_many_is_poison)
{
	rig_teardown();
	to_requeue_only_old();
	end_with(WQ_DONE_LOST);
	ck_assert_uint_eq(probe.task.attempt, 3);
	end_with(WQ_DONE_LOST);
	rig_assert_outcome(OLD, RESULT_LOST, "poison", "attempt 3", 3);
	ck_assert_int_eq(rig_n_started(), 2);
	ck_assert_int_eq(tmpspool_count(ATTEMPTS), 0);
	rig_assert_idle();
}
END_TEST

/* It was started in time, as far as its start-within goes. */
START_TEST(what_is_started_again_does_not_expire)
{
	rig_teardown();
	make_spool();
	rig_like.start_within_ns = NS_PER_S;
	plant_old();
	start(ON_CRASH_REQUEUE, WQ_ENDED);
	ck_assert_uint_eq(probe.task.attempt, 2);
	end_with(WQ_DONE_OK);
	rig_assert_outcome(OLD, RESULT_OK, "", "", 2);
}
END_TEST

static const int32_t given_back[] = { WQ_BUSY, WQ_RETRY };

START_TEST(an_attempt_that_was_given_back_does_not_count)
{
	rig_teardown();
	make_spool();
	plant_old();
	probe.start_task = given_back[_i];
	probe.err.code = 100;
	start(ON_CRASH_REQUEUE, WQ_ENDED);
	for (int i = 0; i < 5; i++) {
		probe.host->wakeup(probe.host->ctx);
		rig_run_later();
	}
	ck_assert_int_ge(probe_calls("start_task"), 5);
	ck_assert_uint_eq(probe.task.attempt, 2);
	probe.start_task = WQ_OK;
	probe.host->wakeup(probe.host->ctx);
	rig_run_later();
	ck_assert_uint_eq(probe.task.attempt, 2);
	for (int i = 0; i < 5; i++) {
		end_with(WQ_DONE_NOT_STARTED);
		rig_run_later();
		ck_assert_uint_eq(probe.task.attempt, 2);
	}
	ck_assert(has_attempt("2"));
}
END_TEST

/* What never began of attempt 2 does not begin as attempt 1 or 3. */
START_TEST(an_attempt_that_was_written_down_and_never_began_is_the_next_one)
{
	tmpspool_put(ATTEMPTS, strcat(strcpy((char[64]){ 0 }, rig_name(OLD)), ".2"), "");
	start(ON_CRASH_REQUEUE, WQ_NEVER_BEGAN);
	expect_fate(SECOND);
	struct task *t = tasks_next(&rig.tasks, 0);
	while (t && !reqid_is(t->id, tmpspool_nth(OLD)))
		t = tasks_next(&rig.tasks, t->ref);
	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(t->attempt, 2);
}
END_TEST

/* ---- written down before it starts -------------------------------------------------------------- */

static void expect_written(void)
{
	ck_assert(has_attempt("2"));
}

START_TEST(an_attempt_is_written_down_before_its_request_is_pending)
{
	rig_when_renamed(SPOOL_RUNNING, SPOOL_PENDING, expect_written);
	start(ON_CRASH_REQUEUE, WQ_ENDED);
	ck_assert_int_eq(rig_n_started(), 2);
}
END_TEST

START_TEST(one_that_cannot_be_written_down_is_not_started_until_it_can)
{
	rig_fail("create", RIG_ATTEMPTS, RIG_ANY, ENOSPC, 3);
	start(ON_CRASH_REQUEUE, WQ_ENDED);
	for (int i = 1; i < 3; i++) {
		ck_assert_int_eq(rig_failed(), i);
		ck_assert(rig_stands(OLD, "3-running"));
		/* Nor does what is behind it overtake it. */
		ck_assert_int_eq(rig_n_started(), 0);
		rig_run_later();
	}
	rig_run_later();
	ck_assert_int_eq(rig_n_started(), 2);
	ck_assert_int_eq(move_of(OLD), 0);
}
END_TEST

START_TEST(one_that_is_aborted_meanwhile_is_gone_and_leaves_nothing)
{
	rig_fail("create", RIG_ATTEMPTS, RIG_ANY, ENOSPC, 1);
	start(ON_CRASH_REQUEUE, WQ_ENDED);
	rig_abort(OLD);
	look_list(&rig);
	rig_run();
	rig_run_later();
	for (enum spool_state s = SPOOL_REQUESTED; s <= SPOOL_ABORTING; s++)
		ck_assert(!rig_stands(OLD, spool_state_name(s)));
	ck_assert_int_eq(tmpspool_count(ATTEMPTS), 0);
}
END_TEST

START_TEST(a_number_goes_with_its_request_when_that_is_aborted)
{
	rig_teardown();
	make_spool();
	plant_old();
	probe.capacity = 0;
	start(ON_CRASH_REQUEUE, WQ_ENDED);
	ck_assert(rig_stands(OLD, "2-pending"));
	ck_assert(has_attempt("2"));
	rig_abort(OLD);
	look_list(&rig);
	rig_run();
	ck_assert_int_eq(tmpspool_count(ATTEMPTS), 0);
	rig_assert_idle();
}
END_TEST

START_TEST(numbers_of_requests_that_are_no_more_go_at_a_start)
{
	char name[64];
	snprintf(name, sizeof name, "%s.2", rig_name(7));
	tmpspool_put(ATTEMPTS, name, "");
	snprintf(name, sizeof name, "%s.5.doubted", rig_name(8));
	tmpspool_put(ATTEMPTS, name, "");
	snprintf(name, sizeof name, "%s.2", rig_name(NEXT));
	tmpspool_put(ATTEMPTS, name, "");
	start(ON_CRASH_REQUEUE, WQ_ADOPTED);
	ck_assert_int_eq(tmpspool_count(ATTEMPTS), 1);
	ck_assert_str_eq(probe.task_id, rig_name(NEXT));
	ck_assert_uint_eq(probe.task.attempt, 2);
}
END_TEST

/* ---- children ----------------------------------------------------------------------------------- */

START_TEST(it_is_started_again_only_when_its_children_have_ended)
{
	rig_open_probe(ON_CRASH_REQUEUE, RIG_QUICK);
	probe.recover = WQ_ENDED;
	ck_assert_int_eq(rig_recover(), 0);
	char child[TASK_NAME_MAX];
	snprintf(child, sizeof child, "%s", rig_task_name(OLD, 1));
	fake_link_known(child);
	fake_link_up(true);
	rig_run();
	rig_run_later();
	ck_assert(rig_stands(OLD, "3-running"));
	ck_assert(!has_attempt("2"));
	ck_assert_uint_eq(lost_count(&rig, 0), 1);
	ck_assert_ptr_nonnull(strstr(fake_link_orders(), "end "));

	fake_link_exited(child, 0);
	rig_run();
	ck_assert_uint_eq(lost_count(&rig, 0), 0);
	ck_assert(has_attempt("2"));
	ck_assert_int_eq(rig_n_started(), 2);
	/* And its end is acknowledged, for its name is never used again. */
	ck_assert_ptr_nonnull(strstr(fake_link_orders(), "ack "));
}
END_TEST

/* ---- time --------------------------------------------------------------------------------------- */

static void start_stuck(void)
{
	rig_plant_request(3, "2-pending", "quick");
	probe.err = (struct wq_err){ .code = 200, .text = "the engine does not answer" };
	start(ON_CRASH_REQUEUE, WQ_RETRY);
}

START_TEST(one_that_is_to_be_asked_again_holds_up_nobody_else)
{
	start_stuck();
	ck_assert_int_eq(probe_calls("recover"), 1);
	ck_assert_int_eq(probe_calls("recover_end"), 0);
	rig_assert_result(3, RESULT_OK);
	ck_assert(rig_stands(NEXT, "2-pending"));

	rig_forward(200 * NS_PER_MS);
	rig_run();
	ck_assert_int_eq(probe_calls("recover"), 2);
	probe.recover = WQ_ENDED;
	rig_forward(200 * NS_PER_MS);
	rig_run();
	expect_fate(SECOND);
}
END_TEST

START_TEST(what_is_not_said_within_the_limit_stays_unknown_and_the_others_start)
{
	start_stuck();
	char child[TASK_NAME_MAX];
	snprintf(child, sizeof child, "%s", rig_task_name(OLD, 1));
	for (int i = 0; i < 9; i++)
		rig_run_later();
	ck_assert_int_ge(probe_calls("recover"), 9);
	ck_assert_int_eq(probe_calls("recover_end"), 0);
	ck_assert_int_eq(rig_n_started(), 1);
	rig_run_later();
	rig_run_later();
	ck_assert_int_eq(probe_calls("recover_end"), 1);
	expect_fate(UNKNOWN);

	/* Its slot is taken for as long as nobody says more. */
	int asked = probe_calls("recover");
	rig_plant_request(4, "1-requested", "");
	rig_forward(86400 * NS_PER_S);
	look_list(&rig);
	rig_run();
	ck_assert_int_eq(probe_calls("recover"), asked);
	ck_assert(rig_stands(4, "2-pending"));
	ck_assert(rig_stands(OLD, "3-running"));
}
END_TEST

START_TEST(no_time_ends_the_children_of_what_could_not_be_asked_for)
{
	rig_open_probe(ON_CRASH_REQUEUE, RIG_QUICK);
	probe.err = (struct wq_err){ .code = 200, .text = "the engine does not answer" };
	probe.recover = WQ_RETRY;
	ck_assert_int_eq(rig_recover(), 0);
	char child[TASK_NAME_MAX];
	snprintf(child, sizeof child, "%s", rig_task_name(OLD, 1));
	fake_link_known(child);
	fake_link_up(true);
	for (int i = 0; i < 12; i++)
		rig_run_later();
	ck_assert_int_eq(probe_calls("recover_end"), 1);
	ck_assert_uint_eq(lost_count(&rig, 0), 1);
	ck_assert_ptr_null(strstr(fake_link_orders(), "end "));
}
END_TEST

START_TEST(a_missing_shepherd_holds_up_only_who_needs_it)
{
	rig_plant_request(3, "2-pending", "quick");
	rig_open_probe(ON_CRASH_REQUEUE, RIG_QUICK);
	ck_assert_int_eq(rig_recover(), 0);
	look_list(&rig);
	rig_run();
	rig_assert_result(3, RESULT_OK);
	for (int i = 0; i < 12; i++)
		rig_run_later();
	/* It is told, and that is all. */
	ck_assert(rig.tms[0].is_late);
	ck_assert_int_eq(probe_calls("recover"), 0);
	ck_assert(rig_stands(NEXT, "2-pending"));

	probe.recover = WQ_ADOPTED;
	fake_link_up(true);
	rig_run();
	ck_assert(!rig.tms[0].is_late);
	expect_fate(ADOPTED);
}
END_TEST

/* The time that it is given begins when it can be asked. */
START_TEST(a_late_shepherd_takes_no_time_from_the_plugin)
{
	rig_open_probe(ON_CRASH_REQUEUE, RIG_QUICK);
	ck_assert_int_eq(rig_recover(), 0);
	rig_forward(20 * NS_PER_S);
	rig_run();
	probe.recover = WQ_RETRY;
	fake_link_up(true);
	rig_run();
	ck_assert_uint_eq(lost_count(&rig, 0), 0);
	ck_assert_int_eq(probe_calls("recover_end"), 0);
	probe.recover = WQ_ADOPTED;
	rig_run_later();
	expect_fate(ADOPTED);
}
END_TEST

/* A file that is read to say more of a task is not what proves anything. */
START_TEST(one_whose_request_cannot_be_used_any_more_is_asked_for_all_the_same)
{
	rig_open_probe(ON_CRASH_ADOPT, RIG_QUICK);
	ck_assert_int_eq(rig_recover(), 0);
	ck_assert_int_eq(chmod(tmpspool_at("3-running", rig_name(OLD)), 0666), 0);
	fake_link_up(true);
	rig_run();
	ck_assert_int_eq(probe_calls("recover"), 1);
	expect_fate(ADOPTED);
}
END_TEST

/* ---- another boot ------------------------------------------------------------------------------- */

static void lose(void)
{
	probe.outcomes[probe.n_outcomes++] =
		(struct wq_outcome){ .tid = probe.ended_tid, .how = WQ_DONE_LOST };
}

/* The power was cut: the shepherd has no record of what was, and says that it cannot know. */
static void start_after_a_cut(enum on_crash on_crash, int32_t recover)
{
	rig_open_probe(on_crash, RIG_QUICK);
	probe.recover = recover;
	probe.in_on_child = lose;
	ck_assert_int_eq(rig_recover(), 0);
	look_list(&rig);
	fake_link_up(false);
	rig_run();
}

START_TEST(nothing_of_this_boot_begins_before_what_was_lost_with_the_last_one_is_told)
{
	rig_plant_request(3, "2-pending", "quick");
	rig_fail("renameat2", SPOOL_RUNNING, SPOOL_COMPLETE, ENOSPC, 1000);
	start_after_a_cut(ON_CRASH_ADOPT, WQ_ADOPTED);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(probe_calls("start_task"), 0);
		rig_run_later();
	}
	rig_repair();
	rig_run_later();
	rig_assert_result(OLD, RESULT_LOST);
	ck_assert_int_eq(probe_calls("start_task"), 1);
	/* Who has no children proves nothing by them, and goes on. */
	rig_assert_result(3, RESULT_OK);
}
END_TEST

START_TEST(nor_before_its_next_attempt_is_written_down)
{
	rig_fail("create", RIG_ATTEMPTS, RIG_ANY, ENOSPC, 3);
	start_after_a_cut(ON_CRASH_REQUEUE, WQ_ADOPTED);
	for (int i = 1; i < 3; i++) {
		ck_assert_int_eq(probe_calls("start_task"), 0);
		rig_run_later();
	}
	rig_run_later();
	expect_fate(SECOND);
}
END_TEST

START_TEST(what_runs_of_this_boot_holds_up_nothing)
{
	rig_open_probe(ON_CRASH_ADOPT, RIG_QUICK);
	ck_assert_int_eq(rig_recover(), 0);
	fake_link_known(rig_task_name(OLD, 1));
	fake_link_up(false);
	rig_run();
	expect_fate(ADOPTED);
	ck_assert_int_eq(tmpspool_count(ATTEMPTS), 0);
}
END_TEST

START_TEST(nor_does_what_is_being_ended)
{
	rig_open_probe(ON_CRASH_ADOPT, RIG_QUICK);
	probe.recover = WQ_ENDED;
	ck_assert_int_eq(rig_recover(), 0);
	fake_link_known(rig_task_name(OLD, 1));
	fake_link_up(false);
	rig_run();
	ck_assert_uint_eq(lost_count(&rig, 0), 1);
	ck_assert_int_eq(probe_calls("start_task"), 1);
}
END_TEST

static const int32_t no_answers[] = { -WQ_E_UNKNOWN, WQ_RETRY };

/* The first child of this boot makes "no record" a proof; not for this one. */
START_TEST(what_stays_unknown_after_a_cut_is_never_taken_for_not_begun)
{
	start_after_a_cut(ON_CRASH_ADOPT, no_answers[_i]);
	for (int i = 0; i < 12; i++)
		rig_run_later();
	ck_assert(has_attempt("1.doubted"));
	ck_assert_int_eq(probe_calls("start_task"), 1);
	ck_assert_str_eq(probe.task_id, rig_name(NEXT));
	rig_close();

	probe_reset();
	start(ON_CRASH_ADOPT, WQ_NEVER_BEGAN);
	ck_assert_int_eq(probe_calls("recover"), 2);
	ck_assert(rig_stands(OLD, "3-running"));
	ck_assert_uint_eq(lost_count(&rig, 0), 1);
}
END_TEST

START_TEST(where_a_doubt_cannot_be_written_down_nothing_begins)
{
	rig_fail("create", RIG_ATTEMPTS, RIG_ANY, ENOSPC, 1000);
	start_after_a_cut(ON_CRASH_ADOPT, -WQ_E_UNKNOWN);
	rig_run_later();
	ck_assert_int_eq(probe_calls("start_task"), 0);
	rig_repair();
	rig_run_later();
	ck_assert_int_eq(probe_calls("start_task"), 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/adopt");
	TCase *tc = tcase_create("policy");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_becomes_of_it_is_said_by_policy_and_proof, 0, N_POLICIES);
	tcase_add_test(tc, the_next_attempt_has_its_number_and_its_result_says_so);
	tcase_add_test(tc, what_is_lost_at_run_time_is_started_again_too_and_at_its_old_place);
	tcase_add_test(tc, an_attempt_too_many_is_poison);
	tcase_add_test(tc, what_is_started_again_does_not_expire);
	tcase_add_loop_test(tc, an_attempt_that_was_given_back_does_not_count, 0, 2);
	tcase_add_test(tc, an_attempt_that_was_written_down_and_never_began_is_the_next_one);
	suite_add_tcase(suite, tc);
	tc = tcase_create("narrowing");
	tcase_add_test(tc, a_request_narrows_what_its_task_manager_allows);
	tcase_add_test(tc, what_a_request_asks_for_beyond_its_task_manager_it_does_not_get);
	suite_add_tcase(suite, tc);
	tc = tcase_create("attempts");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_attempt_is_written_down_before_its_request_is_pending);
	tcase_add_test(tc, one_that_cannot_be_written_down_is_not_started_until_it_can);
	tcase_add_test(tc, one_that_is_aborted_meanwhile_is_gone_and_leaves_nothing);
	tcase_add_test(tc, a_number_goes_with_its_request_when_that_is_aborted);
	tcase_add_test(tc, numbers_of_requests_that_are_no_more_go_at_a_start);
	tcase_add_test(tc, it_is_started_again_only_when_its_children_have_ended);
	suite_add_tcase(suite, tc);
	tc = tcase_create("time");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_that_is_to_be_asked_again_holds_up_nobody_else);
	tcase_add_test(tc, what_is_not_said_within_the_limit_stays_unknown_and_the_others_start);
	tcase_add_test(tc, no_time_ends_the_children_of_what_could_not_be_asked_for);
	tcase_add_test(tc, a_missing_shepherd_holds_up_only_who_needs_it);
	tcase_add_test(tc, a_late_shepherd_takes_no_time_from_the_plugin);
	tcase_add_test(tc, one_whose_request_cannot_be_used_any_more_is_asked_for_all_the_same);
	suite_add_tcase(suite, tc);
	tc = tcase_create("boot");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(
		tc, nothing_of_this_boot_begins_before_what_was_lost_with_the_last_one_is_told);
	tcase_add_test(tc, nor_before_its_next_attempt_is_written_down);
	tcase_add_test(tc, what_runs_of_this_boot_holds_up_nothing);
	tcase_add_test(tc, nor_does_what_is_being_ended);
	tcase_add_loop_test(tc, what_stays_unknown_after_a_cut_is_never_taken_for_not_begun, 0, 2);
	tcase_add_test(tc, where_a_doubt_cannot_be_written_down_nothing_begins);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *sr = srunner_create(make_suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
