/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/instance.h"

#include "base/time.h"
#include "support/link/probe.h"
#include "support/plugin/rig.h"

#include <check.h>
#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wq_err err;

static void setup(void)
{
	probe_reset();
	memset(&err, 0, sizeof err);
}

/* Let the probe give `tid` back with `how`. */
static void probe_ends(wq_tid tid, int32_t how)
{
	probe.outcomes[probe.n_outcomes++] = (struct wq_outcome){ .tid = tid, .how = how };
}

/* ---- life cycle ------------------------------------------------------------------------------ */

START_TEST(an_instance_lives_from_create_to_destroy)
{
	rig_start(&probe_plugin, NULL);
	rig_run();
	ck_assert_int_eq(instance_stop(rig_instance, WQ_STOP_KILL), 0);
	rig_free();

	ck_assert_str_eq(probe.calls, "create start tick stop destroy ");
	ck_assert_uint_eq(probe.how, WQ_STOP_KILL);
}
END_TEST

START_TEST(the_state_of_an_instance_is_zeroed_and_aligned)
{
	static const uint8_t zeros[48];
	rig_start(&probe_plugin, NULL);

	ck_assert_mem_eq(probe.self, zeros, sizeof zeros);
	ck_assert_uint_eq((uintptr_t)probe.self % alignof(max_align_t), 0);

	rig_free();
}
END_TEST

START_TEST(a_create_that_fails_is_told_with_its_sentence_and_not_destroyed)
{
	probe.create = -WQ_E_CONFIG;
	snprintf(probe.err.name, sizeof probe.err.name, "probe.sad");
	snprintf(probe.err.text, sizeof probe.err.text, "no\tsuch \x1b[31mthing");

	ck_assert_int_eq(rig_make(&probe_plugin, NULL, &err), -WQ_E_CONFIG);

	ck_assert_int_eq(err.code, -WQ_E_CONFIG);
	ck_assert_str_eq(err.name, "probe.sad");
	ck_assert_str_eq(err.text, "plugin 'probe': no such  [31mthing");
	ck_assert_int_eq(probe_calls("destroy"), 0);
	rig_free();
}
END_TEST

static uint64_t told_limit;

static int32_t see_limit(
	wq_self *me, const struct wq_host *host, const struct wq_config *config, struct wq_err *e)
{
	(void)me, (void)host, (void)e;
	ck_assert_uint_eq(config->struct_size, sizeof(struct wq_config));
	told_limit = config->result_limit;
	return WQ_OK;
}

START_TEST(create_is_told_how_large_a_result_may_be)
{
	probe_plugin.desc.create = see_limit;

	ck_assert_int_eq(rig_make(&probe_plugin, NULL, &err), 0);

	ck_assert_uint_eq(told_limit, RIG_RESULT_LIMIT);
	rig_free();
}
END_TEST

START_TEST(a_start_that_fails_is_followed_by_destroy)
{
	probe.start = -ECONNREFUSED;
	ck_assert_int_eq(rig_make(&probe_plugin, NULL, &err), 0);

	ck_assert_int_eq(instance_start(rig_instance, &err), -ECONNREFUSED);
	rig_assert_text(err.text, "task manager 'lab' (plugin 'probe'): start: answered");
	rig_assert_text(err.text, "ECONNREFUSED");
	rig_free();

	ck_assert_str_eq(probe.calls, "create start destroy ");
}
END_TEST

START_TEST(without_a_loop_an_instance_is_made_and_freed_only)
{
	static const struct instance_host none = { .result_limit = 1024 };
	struct instance *i;

	ck_assert_int_eq(instance_new(&i, &probe_plugin, "lab", NULL, &none, &err), 0);
	probe.host->wakeup(probe.host->ctx);
	instance_free(i);

	ck_assert_str_eq(probe.calls, "create destroy ");
}
END_TEST

START_TEST(nothing_starts_before_start_and_after_stop)
{
	wq_tid tid;
	ck_assert_int_eq(rig_make(&probe_plugin, NULL, &err), 0);

	ck_assert_int_eq(instance_has_capacity(rig_instance), 0);
	ck_assert_int_eq(rig_start_task(&tid, &err), -WQ_E_STATE);
	ck_assert_int_eq(instance_start(rig_instance, &err), 0);
	ck_assert_int_eq(instance_has_capacity(rig_instance), 8);
	tid = rig_start_one();
	ck_assert_int_eq(instance_stop(rig_instance, WQ_STOP_KILL), 0);
	ck_assert_int_eq(instance_has_capacity(rig_instance), 0);
	ck_assert_int_eq(rig_start_task(&tid, &err), -WQ_E_STATE);

	/* What ran is still given back. */
	struct wq_outcome o;
	probe_ends(tid, WQ_DONE_KILLED);
	ck_assert_int_eq(instance_reap(rig_instance, &o), 1);
	rig_free();
}
END_TEST

START_TEST(two_instances_of_one_plugin_have_their_own_state)
{
	const struct plugin *p = rig_load("WQ_PLUGINS", "faulty");
	rig_start(p, "none");
	struct instance *other = rig_another(p, "other", "capacity-negative");

	wq_tid tid = rig_start_one();

	ck_assert_int_eq(instance_has_capacity(rig_instance), 63);
	ck_assert_int_eq(instance_has_capacity(other), 0);
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
	ck_assert_uint_eq(instance_strikes(other), 1);
	ck_assert_int_eq(instance_terminate(other, tid, WQ_TERM_NOW), -WQ_E_UNKNOWN);
	ck_assert_uint_eq(instance_running(rig_instance), 1);
	ck_assert_uint_eq(instance_running(other), 0);
	rig_free();
}
END_TEST

/* ---- tasks ----------------------------------------------------------------------------------- */

START_TEST(a_task_reaches_its_plugin_with_all_that_is_known)
{
	rig_start(&probe_plugin, NULL);

	wq_tid tid = rig_start_one();

	ck_assert_uint_ne(tid, 0);
	ck_assert_uint_eq(probe.task.tid, tid);
	ck_assert_str_eq(probe.task_id, "1700000000.000001-0123456789abc");
	ck_assert_uint_eq(probe.task.attempt, 1);
	ck_assert_uint_eq(probe.task.struct_size, sizeof(struct wq_task));
	ck_assert_uint_eq(probe.request[0], 0xa0);
	ck_assert_uint_eq(instance_running(rig_instance), 1);
	rig_free();
}
END_TEST

START_TEST(the_state_of_a_task_is_zeroed_kept_and_aligned)
{
	static const uint8_t zeros[40];
	rig_start(&probe_plugin, NULL);

	for (int i = 0; i < 3; i++) {
		wq_tid tid = rig_start_one();
		void *state = probe.task.state;
		ck_assert_mem_eq(state, zeros, sizeof zeros);
		ck_assert_uint_eq((uintptr_t)state % alignof(max_align_t), 0);
		memset(state, 0x5a, sizeof zeros);
		ck_assert_int_eq(instance_terminate(rig_instance, tid, WQ_TERM_GRACEFUL), 0);
		ck_assert_ptr_eq(probe.task.state, state);
		ck_assert_uint_eq(probe.task.request.len, 0);

		struct wq_outcome o;
		probe_ends(tid, WQ_DONE_OK);
		ck_assert_int_eq(instance_reap(rig_instance, &o), 1);
	}
	rig_free();
}
END_TEST

START_TEST(a_result_may_lie_in_the_state_of_its_task)
{
	rig_start(&probe_plugin, NULL);
	wq_tid tid = rig_start_one();
	memcpy(probe.task.state, "\x18\x2a", 2); /* 42 */
	probe_ends(tid, WQ_DONE_OK);
	probe.outcomes[0].result = (struct wq_bytes){ probe.task.state, 2 };

	struct wq_outcome o;
	ck_assert_int_eq(instance_reap(rig_instance, &o), 1);

	ck_assert_mem_eq(o.result.ptr, "\x18\x2a", 2);
	rig_free();
}
END_TEST

START_TEST(numbers_of_tasks_are_never_used_again)
{
	enum {
		MANY = 300
	};
	static wq_tid seen[MANY];
	rig_start(&probe_plugin, NULL);
	struct instance *mine = rig_instance, *other = rig_another(&probe_plugin, "other", NULL);

	for (int n = 0; n < MANY; n++) {
		rig_instance = n % 3 ? mine : other;
		seen[n] = rig_start_one();
		for (int k = 0; k < n; k++)
			ck_assert_uint_ne(seen[n], seen[k]);
	}

	ck_assert_uint_eq(instance_running(mine) + instance_running(other), MANY);
	/* All are found again, whatever the order. */
	for (int n = MANY - 1; n >= 0; n--) {
		struct wq_outcome o;
		probe_ends(seen[n], WQ_DONE_OK);
		ck_assert_int_eq(instance_reap(n % 3 ? mine : other, &o), 1);
	}
	ck_assert_uint_eq(instance_running(mine) + instance_running(other), 0);
	rig_instance = mine;
	rig_free();
}
END_TEST

START_TEST(busy_and_retry_begin_nothing)
{
	static const struct instance_task task = { .id = "i", .name = "n", .key = "", .label = "" };
	int64_t delay = 0;
	wq_tid tid = 77;
	rig_start(&probe_plugin, NULL);

	probe.start_task = WQ_BUSY;
	ck_assert_int_eq(instance_start_task(rig_instance, &task, &tid, &delay, &err), WQ_BUSY);
	probe.start_task = WQ_RETRY;
	ck_assert_int_eq(instance_start_task(rig_instance, &task, &tid, &delay, &err), WQ_RETRY);
	ck_assert_int_eq(delay, 1000);
	probe.err.code = 250;
	ck_assert_int_eq(instance_start_task(rig_instance, &task, &tid, &delay, &err), WQ_RETRY);

	ck_assert_int_eq(delay, 250);
	ck_assert_uint_eq(tid, 77);
	ck_assert_uint_eq(instance_running(rig_instance), 0);
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
	rig_free();
}
END_TEST

START_TEST(a_rejection_carries_the_plugins_name_and_sentence)
{
	wq_tid tid;
	rig_start(&probe_plugin, NULL);
	probe.start_task = WQ_REJECT;

	snprintf(probe.err.name, sizeof probe.err.name, "probe.no-such-host");
	snprintf(probe.err.text, sizeof probe.err.text, "host 'x' is not in the list");
	ck_assert_int_eq(rig_start_task(&tid, &err), WQ_REJECT);
	ck_assert_str_eq(err.name, "probe.no-such-host");
	ck_assert_str_eq(err.text, "host 'x' is not in the list");

	/* Names that break the rule, texts without end, and none at all. */
	memset(probe.err.name, 'N', sizeof probe.err.name);
	memset(probe.err.text, 't', sizeof probe.err.text);
	ck_assert_int_eq(rig_start_task(&tid, &err), WQ_REJECT);
	ck_assert_str_eq(err.name, "plugin-error");
	ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
	memset(&probe.err, 0, sizeof probe.err);
	ck_assert_int_eq(rig_start_task(&tid, &err), WQ_REJECT);
	ck_assert_str_eq(err.name, "rejected");
	ck_assert_str_eq(err.text, "the plugin 'probe' cannot run this request");
	rig_free();
}
END_TEST

START_TEST(validate_sees_the_request_but_no_task)
{
	static const struct instance_task task = { .id = "i",
		.name = "n",
		.key = "k",
		.label = "",
		.request = { "\xa0", 1 },
		.attempt = 1 };
	rig_start(&probe_plugin, NULL);
	probe.validate = WQ_REJECT;
	snprintf(probe.err.text, sizeof probe.err.text, "no argv");

	ck_assert_int_eq(instance_validate(rig_instance, &task, &err), WQ_REJECT);

	ck_assert_str_eq(err.text, "no argv");
	ck_assert_uint_eq(probe.task.tid, 0);
	ck_assert_ptr_null(probe.task.state);
	ck_assert_uint_eq(probe.request[0], 0xa0);
	probe.validate = WQ_BUSY; /* means nothing here */
	ck_assert_int_eq(instance_validate(rig_instance, &task, &err), -WQ_E_FAULT);
	rig_free();
}
END_TEST

START_TEST(a_plugin_without_validate_takes_all)
{
	static const struct instance_task task = { .id = "i", .name = "n", .key = "", .label = "" };
	rig_start(rig_load("WQ_PLUGINS", "null"), NULL);

	ck_assert_int_eq(instance_validate(rig_instance, &task, &err), WQ_OK);
	instance_ack(rig_instance, 1);

	rig_free();
}
END_TEST

START_TEST(ack_and_terminate_reach_the_plugin)
{
	rig_start(&probe_plugin, NULL);
	wq_tid tid = rig_start_one();

	ck_assert_int_eq(instance_terminate(rig_instance, tid, WQ_TERM_NOW), 0);
	ck_assert_uint_eq(probe.how, WQ_TERM_NOW);
	instance_ack(rig_instance, tid);

	ck_assert_uint_eq(probe.acked, tid);
	ck_assert_int_eq(instance_terminate(rig_instance, tid + 1, WQ_TERM_NOW), -WQ_E_UNKNOWN);
	ck_assert_int_eq(probe_calls("terminate"), 1);
	rig_free();
}
END_TEST

START_TEST(every_request_of_null_is_done_at_once)
{
	struct wq_outcome o;
	rig_start(rig_load("WQ_PLUGINS", "null"), NULL);

	ck_assert_int_eq(instance_has_capacity(rig_instance), 64);
	wq_tid tid = rig_start_one();
	ck_assert_int_eq(instance_reap(rig_instance, &o), 1);

	ck_assert_uint_eq(o.tid, tid);
	ck_assert_int_eq(o.how, WQ_DONE_OK);
	ck_assert_ptr_null(o.error);
	ck_assert_ptr_null(o.text);
	ck_assert_int_eq(instance_reap(rig_instance, &o), 0);
	rig_free();
}
END_TEST

/* ---- outcomes -------------------------------------------------------------------------------- */

static struct wq_outcome reap_with(int32_t how, const char *error, const char *text, int32_t code)
{
	struct wq_outcome o;
	probe_ends(rig_start_one(), how);
	probe.outcomes[0].error = error;
	probe.outcomes[0].text = text;
	probe.outcomes[0].code = code;
	ck_assert_int_eq(instance_reap(rig_instance, &o), 1);
	return o;
}

START_TEST(the_texts_of_an_outcome_are_made_safe)
{
	char long_text[2000];
	rig_start(&probe_plugin, NULL);

	struct wq_outcome o = reap_with(WQ_DONE_FAILED, "exit-status", "status 3\nand\x1b[2J", 3);
	ck_assert_str_eq(o.error, "exit-status");
	ck_assert_str_eq(o.text, "status 3 and [2J");
	ck_assert_int_eq(o.code, 3);

	o = reap_with(WQ_DONE_FAILED, "Not A Name", "\xff\xc3\xa9", 900);
	ck_assert_str_eq(o.error, "plugin-error");
	ck_assert_str_eq(o.text, "?\xc3\xa9");
	ck_assert_int_eq(o.code, 255);

	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	o = reap_with(WQ_DONE_FAILED, long_text, long_text, -1);
	ck_assert_str_eq(o.error, "plugin-error");
	ck_assert_uint_eq(strlen(o.text), 447);

	o = reap_with(WQ_DONE_OK, "not-wanted", "not wanted", 0);
	ck_assert_ptr_null(o.error);
	ck_assert_ptr_null(o.text);
	rig_free();
}
END_TEST

START_TEST(an_outcome_that_is_not_ok_always_has_an_error_and_a_text)
{
	static const struct {
		int32_t how;
		const char *error;
	} outcomes[] = { { WQ_DONE_FAILED, "failed" }, { WQ_DONE_ABORTED, "aborted" },
		{ WQ_DONE_LOST, "lost" }, { WQ_DONE_REJECTED, "rejected" },
		{ WQ_DONE_NOT_STARTED, "not-started" }, { WQ_DONE_KILLED, "killed" } };
	rig_start(&probe_plugin, NULL);
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
		struct wq_outcome o = reap_with(outcomes[i].how, NULL, NULL, 0);
		ck_assert_int_eq(o.how, outcomes[i].how);
		ck_assert_str_eq(o.error, outcomes[i].error);
		ck_assert_uint_gt(strlen(o.text), 0);
	}
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
	rig_free();
}
END_TEST

/* RFC 8949, appendix F, has most of the bad ones. */
static const struct {
	const char *bytes;
	size_t len;
	bool good;
} results[] = {
	{ "\xf6", 1, true },
	{ "\xa1\x61\x61\x01", 4, true },
	{ "\x44\x01\x02\x03\x04", 5, true },
	{ "\x18", 1, false },         /* the end of a number is missing */
	{ "\x81", 1, false },         /* an item of the array is missing */
	{ "\x62\xff\xff", 3, false }, /* not UTF-8 */
	{ "\x1c", 1, false },         /* reserved */
	{ "\xff", 1, false },         /* a break alone */
	{ "\x01\x02", 2, false },     /* two items */
	{ NULL, 3, false },
};

START_TEST(a_result_is_one_well_formed_item_or_it_is_replaced)
{
	struct wq_outcome o;
	rig_start(&probe_plugin, NULL);
	wq_tid tid = rig_start_one();
	probe_ends(tid, WQ_DONE_OK);
	probe.outcomes[0].result = (struct wq_bytes){ results[_i].bytes, results[_i].len };

	ck_assert_int_eq(instance_reap(rig_instance, &o), 1);

	ck_assert_uint_eq(o.tid, tid);
	ck_assert_uint_eq(instance_strikes_of(rig_instance, INSTANCE_STRIKE_BAD_RESULT),
		results[_i].good ? 0 : 1);
	if (results[_i].good) {
		ck_assert_int_eq(o.how, WQ_DONE_OK);
		ck_assert_mem_eq(o.result.ptr, results[_i].bytes, results[_i].len);
	} else {
		ck_assert_int_eq(o.how, WQ_DONE_FAILED);
		ck_assert_str_eq(o.error, "plugin-bad-result");
		rig_assert_text(o.text, "the plugin 'probe' gave back a bad result: ");
		ck_assert_uint_eq(o.result.len, 0);
	}
	rig_free();
}
END_TEST

START_TEST(a_result_of_exactly_the_limit_passes)
{
	static uint8_t bytes[RIG_RESULT_LIMIT] = { 0x5a, 0x00, 0x0f, 0xff, 0xfb };
	struct wq_outcome o;
	rig_start(&probe_plugin, NULL);
	probe_ends(rig_start_one(), WQ_DONE_OK);
	probe.outcomes[0].result = (struct wq_bytes){ bytes, sizeof bytes };

	ck_assert_int_eq(instance_reap(rig_instance, &o), 1);

	ck_assert_int_eq(o.how, WQ_DONE_OK);
	ck_assert_uint_eq(o.result.len, RIG_RESULT_LIMIT);
	rig_free();
}
END_TEST

static void end_with_large_result(int32_t how, const char *error, int32_t code)
{
	static uint8_t bytes[RIG_RESULT_LIMIT + 1] = { 0x5a, 0x00, 0x0f, 0xff, 0xfc };
	probe_ends(rig_start_one(), how);
	struct wq_outcome *o = &probe.outcomes[0];
	o->error = error;
	o->text = error;
	o->code = code;
	o->result = (struct wq_bytes){ bytes, sizeof bytes };
}

START_TEST(a_result_above_the_limit_makes_a_success_a_failure_and_stops_no_task_manager)
{
	struct wq_outcome o;
	rig_start(&probe_plugin, NULL);
	for (int i = 0; i < 2 * INSTANCE_MAX_STRIKES; i++) {
		end_with_large_result(WQ_DONE_OK, NULL, 0);
		ck_assert_int_eq(instance_reap(rig_instance, &o), 1);
		ck_assert_int_eq(o.how, WQ_DONE_FAILED);
		ck_assert_str_eq(o.error, "result-too-large");
		ck_assert_str_eq(
			o.text, "its result of 1048577 bytes is above the result-limit of 1048576");
		ck_assert_uint_eq(o.result.len, 0);
	}

	ck_assert(!instance_is_quarantined(rig_instance));
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_LARGE_RESULT), 2 * INSTANCE_MAX_STRIKES);
	rig_free();
}
END_TEST

START_TEST(a_failure_with_a_result_above_the_limit_stays_the_failure_that_it_was)
{
	struct wq_outcome o;
	rig_start(&probe_plugin, NULL);
	end_with_large_result(WQ_DONE_FAILED, "exit-status", 3);

	ck_assert_int_eq(instance_reap(rig_instance, &o), 1);

	ck_assert_int_eq(o.how, WQ_DONE_FAILED);
	ck_assert_int_eq(o.code, 3);
	ck_assert_str_eq(o.error, "exit-status");
	ck_assert_str_eq(o.text,
		"exit-status (its result of 1048577 bytes is above the result-limit of 1048576)");
	ck_assert_uint_eq(o.result.len, 0);
	rig_free();
}
END_TEST

/* ---- quarantine ------------------------------------------------------------------------------ */

START_TEST(after_five_faults_nothing_new_starts_but_what_runs_may_end)
{
	wq_tid running, tid;
	rig_start(&probe_plugin, NULL);
	running = rig_start_one();
	probe.start_task = -EIO;
	for (int i = 0; i < INSTANCE_MAX_STRIKES - 1; i++)
		ck_assert_int_eq(rig_start_task(&tid, &err), -EIO);
	ck_assert(!instance_is_quarantined(rig_instance));
	ck_assert_int_eq(instance_has_capacity(rig_instance), 8);
	ck_assert_int_eq(rig_start_task(&tid, &err), -EIO);

	ck_assert(instance_is_quarantined(rig_instance));
	rig_assert_line("quarantined after 5 faults of plugin 'probe'");
	ck_assert_int_eq(instance_has_capacity(rig_instance), 0);
	int calls = probe_calls("start_task");
	ck_assert_int_eq(rig_start_task(&tid, &err), -WQ_E_REFUSED);
	rig_assert_text(err.text, "task manager 'lab' is quarantined");
	ck_assert_int_eq(probe_calls("start_task"), calls);

	ck_assert_int_eq(instance_terminate(rig_instance, running, WQ_TERM_NOW), 0);
	probe_ends(running, WQ_DONE_ABORTED);
	ck_assert_uint_eq(rig_reap_one().tid, running);
	rig_free();
}
END_TEST

START_TEST(an_endless_row_of_wrong_tasks_does_not_hold_the_loop)
{
	rig_start(&probe_plugin, NULL);
	for (int i = 0; i < 64; i++)
		probe_ends(UINT64_MAX - (wq_tid)i, WQ_DONE_OK);

	rig_assert_no_more();

	ck_assert_int_eq(probe.n_outcomes, 64 - 16);
	ck_assert(instance_is_quarantined(rig_instance));
	rig_free();
}
END_TEST

START_TEST(an_unknown_answer_of_reap_gives_back_nothing)
{
	rig_start(&probe_plugin, NULL);
	wq_tid tid = rig_start_one();
	probe_ends(tid, WQ_DONE_OK);
	probe.reap = 2;

	rig_assert_no_more();

	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_UNKNOWN_ANSWER), 1);
	ck_assert_uint_eq(instance_running(rig_instance), 1);
	rig_free();
}
END_TEST

START_TEST(a_terminate_that_fails_is_a_strike)
{
	rig_start(&probe_plugin, NULL);
	wq_tid tid = rig_start_one();
	probe.terminate = -EPERM;

	ck_assert_int_eq(instance_terminate(rig_instance, tid, WQ_TERM_NOW), -EPERM);

	rig_assert_line("terminate: answered -1 (EPERM)");
	ck_assert_uint_eq(rig_strikes(INSTANCE_STRIKE_FAULT), 1);
	rig_free();
}
END_TEST

static TCase *group(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);
	tcase_add_checked_fixture(tc, setup, NULL);
	suite_add_tcase(s, tc);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("plugin/instance");

	TCase *life = group(s, "life cycle");
	tcase_add_test(life, an_instance_lives_from_create_to_destroy);
	tcase_add_test(life, the_state_of_an_instance_is_zeroed_and_aligned);
	tcase_add_test(life, a_create_that_fails_is_told_with_its_sentence_and_not_destroyed);
	tcase_add_test(life, create_is_told_how_large_a_result_may_be);
	tcase_add_test(life, a_start_that_fails_is_followed_by_destroy);
	tcase_add_test(life, without_a_loop_an_instance_is_made_and_freed_only);
	tcase_add_test(life, nothing_starts_before_start_and_after_stop);
	tcase_add_test(life, two_instances_of_one_plugin_have_their_own_state);

	TCase *tasks = group(s, "tasks");
	tcase_add_test(tasks, a_task_reaches_its_plugin_with_all_that_is_known);
	tcase_add_test(tasks, the_state_of_a_task_is_zeroed_kept_and_aligned);
	tcase_add_test(tasks, a_result_may_lie_in_the_state_of_its_task);
	tcase_add_test(tasks, numbers_of_tasks_are_never_used_again);
	tcase_add_test(tasks, busy_and_retry_begin_nothing);
	tcase_add_test(tasks, a_rejection_carries_the_plugins_name_and_sentence);
	tcase_add_test(tasks, validate_sees_the_request_but_no_task);
	tcase_add_test(tasks, a_plugin_without_validate_takes_all);
	tcase_add_test(tasks, ack_and_terminate_reach_the_plugin);
	tcase_add_test(tasks, every_request_of_null_is_done_at_once);

	TCase *outcomes = group(s, "outcomes");
	tcase_add_test(outcomes, the_texts_of_an_outcome_are_made_safe);
	tcase_add_test(outcomes, an_outcome_that_is_not_ok_always_has_an_error_and_a_text);
	tcase_add_loop_test(outcomes, a_result_is_one_well_formed_item_or_it_is_replaced, 0,
		(int)(sizeof results / sizeof *results));
	tcase_add_test(outcomes, a_result_of_exactly_the_limit_passes);
	tcase_add_test(outcomes,
		a_result_above_the_limit_makes_a_success_a_failure_and_stops_no_task_manager);
	tcase_add_test(
		outcomes, a_failure_with_a_result_above_the_limit_stays_the_failure_that_it_was);

	TCase *quarantine = group(s, "quarantine");
	tcase_add_test(quarantine, after_five_faults_nothing_new_starts_but_what_runs_may_end);
	tcase_add_test(quarantine, an_endless_row_of_wrong_tasks_does_not_hold_the_loop);
	tcase_add_test(quarantine, an_unknown_answer_of_reap_gives_back_nothing);
	tcase_add_test(quarantine, a_terminate_that_fails_is_a_strike);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
