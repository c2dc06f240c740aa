/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <wq/cbor.h>

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "support/link/fake_link.h"
#include "support/link/probe.h"

enum {
	OLD = 1,
	NEXT = 2,
	UID = 1234
};

static struct wq_err err;

static int ask_with(const void *args, size_t len)
{
	struct buf answer = { 0 };
	err = (struct wq_err){ 0 };
	int rc =
		answer_question(&rig, UID, "forget", (struct wq_bytes){ args, len }, &answer, &err);
	if (rc == 0) {
		const char *text;
		size_t text_len;
		ck_assert_int_eq(
			wq_cbor_find_text(answer.data, answer.len, "forgotten", &text, &text_len),
			1);
	}
	buf_fini(&answer);
	return rc;
}

static int forget(unsigned n)
{
	struct wq_cbor_out out;
	wq_cbor_out_init(&out);
	wq_cbor_put_map(&out, 1);
	wq_cbor_put_pair(&out, "id", rig_name(n));
	int rc = ask_with(out.buf, out.len);
	wq_cbor_out_free(&out);
	return rc;
}

static void setup(void)
{
	struct spool sp;
	rig_setup_spool();
	ck_assert_int_eq(spool_open_server(&sp, tmpspool_path, &spool_io_real, NULL), 0);
	spool_close(&sp);
	rig_plant_request(OLD, "3-running", "");
	rig_plant_request(NEXT, "2-pending", "");
	rig_open_probe(ON_CRASH_REQUEUE, "");
	sched_set_max_running(rig.sched, 0, 1);
}

static void start(int32_t recover, bool has_child)
{
	probe.recover = recover;
	ck_assert_int_eq(rig_recover(), 0);
	look_list(&rig);
	if (has_child)
		fake_link_known(rig_task_name(OLD, 1));
	fake_link_up(true);
	rig_run();
}

static void expect_forgotten(void)
{
	ck_assert_msg(forget(OLD) == 0, "%s", err.text);
	rig_run();
	rig_assert_outcome(OLD, RESULT_LOST, "forgotten", "uid 1234", 1);
	/* Its slot is free, and it is started no more, whatever on-crash says. */
	ck_assert(rig_stands(NEXT, "3-running"));
	ck_assert_str_eq(probe.task_id, rig_name(NEXT));
	ck_assert_uint_eq(lost_count(&rig, 0), 0);
	ck_assert_int_eq(tmpspool_count(".wq/attempts"), 0);
	/* Once. */
	ck_assert_int_lt(forget(OLD), 0);
	ck_assert_str_eq(err.name, "not-lost");
}

START_TEST(one_that_is_unknown_is_lost_and_its_slot_is_free)
{
	probe.err.code = -WQ_E_UNKNOWN;
	snprintf(probe.err.text, sizeof probe.err.text, "the engine has burnt down");
	start(-WQ_E_UNKNOWN, false);
	ck_assert_uint_eq(lost_count(&rig, 0), 1);
	ck_assert(rig_stands(NEXT, "2-pending"));
	expect_forgotten();
	rig_assert_outcome(OLD, RESULT_LOST, "forgotten", "the engine has burnt down", 1);
}
END_TEST

START_TEST(so_is_one_whose_children_do_not_end)
{
	start(WQ_ENDED, true);
	ck_assert_uint_eq(lost_count(&rig, 0), 1);
	expect_forgotten();
	/* They are ended all the same, some day. */
	fake_link_exited(rig_task_name(OLD, 1), 0);
	rig_run();
	rig_assert_outcome(OLD, RESULT_LOST, "forgotten", "uid 1234", 1);
}
END_TEST

START_TEST(so_is_one_whose_task_manager_did_not_say_in_time)
{
	start(WQ_RETRY, true);
	ck_assert_int_lt(forget(OLD), 0);
	ck_assert_str_eq(err.name, "recovering");
	for (int i = 0; i < 12; i++)
		rig_run_later();
	(void)fake_link_orders();
	expect_forgotten();
	/* Now nobody can want its children any more. */
	ck_assert_ptr_nonnull(strstr(fake_link_orders(), "end "));
}
END_TEST

START_TEST(one_that_is_to_be_aborted_leaves_no_result)
{
	start(-WQ_E_UNKNOWN, false);
	rig_abort(OLD);
	look_list(&rig);
	rig_run();
	ck_assert(rig_stands(OLD, "3-running"));
	ck_assert(rig_stands(OLD, "5-aborting"));
	ck_assert_int_eq(forget(OLD), 0);
	rig_run();
	ck_assert(!rig_stands(OLD, "3-running"));
	ck_assert(!rig_stands(OLD, "4-complete"));
	ck_assert(!rig_stands(OLD, "5-aborting"));
	ck_assert(rig_stands(NEXT, "3-running"));
}
END_TEST

START_TEST(one_that_is_not_lost_is_refused_with_the_reason)
{
	start(WQ_ADOPTED, true);
	ck_assert_int_lt(forget(OLD), 0);
	ck_assert_str_eq(err.name, "not-lost");
	ck_assert_ptr_nonnull(strstr(err.text, "it runs"));
	ck_assert_int_lt(forget(NEXT), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "2-pending"));
	ck_assert_int_lt(forget(77), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "gone"));

	rig_fail("renameat2", SPOOL_RUNNING, SPOOL_COMPLETE, ENOSPC, 1000);
	probe.outcomes[probe.n_outcomes++] =
		(struct wq_outcome){ .tid = tasks_next(&rig.tasks, 0)->tid, .how = WQ_DONE_OK };
	probe.host->wakeup(probe.host->ctx);
	rig_run();
	ck_assert_int_lt(forget(OLD), 0);
	ck_assert_msg(strstr(err.text, "about to come") != NULL, "%s", err.text);
	rig_repair();
	rig_run_later();
	ck_assert_int_lt(forget(OLD), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "4-complete"));
	rig_assert_result(OLD, RESULT_OK);
}
END_TEST

START_TEST(a_question_that_is_none_is_refused)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "", 0 },
		{ "\xa0", 1 },
		{ "\xa1\x62id\x01", 5 },
		{ "\xa1\x62id\x61x", 6 },
		{ "\xa1\x62no\x61x", 6 },
		{ "\xa2\x62id\x61x\x62no\x61x", 11 },
	};
	start(-WQ_E_UNKNOWN, false);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_int_eq(ask_with(bad[i].bytes, bad[i].len), -WQ_E_FORMAT);
		ck_assert_str_eq(err.name, "bad-value");
	}
	ck_assert_uint_eq(lost_count(&rig, 0), 1);
}
END_TEST

static void expect_shown(const char *as)
{
	struct buf answer = { 0 };
	struct wq_cbor_in in;
	struct wq_cbor_item list;
	const char *fate;
	size_t len;
	ck_assert_int_eq(
		answer_question(&rig, UID, "status", (struct wq_bytes){ 0 }, &answer, &err), 0);
	ck_assert_int_eq(wq_cbor_map_find(answer.data, answer.len, "running", &in), 1);
	ck_assert_int_eq(wq_cbor_next(&in, &list), 1);
	ck_assert_uint_eq(list.u, 1);
	ck_assert_int_eq(wq_cbor_find_text(in.p, (size_t)(in.end - in.p), "fate", &fate, &len), 1);
	ck_assert_msg(len == strlen(as) && memcmp(fate, as, len) == 0, "'%.*s' is not '%s'",
		(int)len, fate, as);
	buf_fini(&answer);
}

START_TEST(what_is_known_of_it_is_shown)
{
	probe.recover = WQ_RETRY;
	ck_assert_int_eq(rig_recover(), 0);
	rig_run();
	expect_shown("recovering");
	fake_link_known(rig_task_name(OLD, 1));
	fake_link_up(true);
	rig_run();
	expect_shown("recovering");
	probe.recover = WQ_ENDED;
	rig_run_later();
	expect_shown("clearing");
}
END_TEST

START_TEST(so_is_one_that_nobody_knows_of)
{
	start(-WQ_E_UNKNOWN, false);
	expect_shown("unknown");
}
END_TEST

START_TEST(so_is_one_whose_task_manager_is_no_more)
{
	char path[2 * PATH_MAX];
	unlink(tmpspool_at("3-running", rig_name(OLD)));
	rig_plant_request(OLD, "3-running", "other");
	snprintf(path, sizeof path, "%s.1", tmpspool_at("work", rig_name(OLD)));
	ck_assert_int_eq(mkdir(path, 0700), 0);
	start(WQ_ADOPTED, true);
	expect_shown("clearing");
	fake_link_down();
	fake_link_known(rig_task_name(OLD, 1));
	ck_assert_int_eq(forget(OLD), 0);
	rig_run();
	rig_assert_outcome(OLD, RESULT_LOST, "forgotten", "uid 1234", 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server/forget");
	TCase *tc = tcase_create("forget");
	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_test(tc, one_that_is_unknown_is_lost_and_its_slot_is_free);
	tcase_add_test(tc, so_is_one_whose_children_do_not_end);
	tcase_add_test(tc, so_is_one_whose_task_manager_did_not_say_in_time);
	tcase_add_test(tc, one_that_is_to_be_aborted_leaves_no_result);
	tcase_add_test(tc, one_that_is_not_lost_is_refused_with_the_reason);
	tcase_add_test(tc, a_question_that_is_none_is_refused);
	tcase_add_test(tc, what_is_known_of_it_is_shown);
	tcase_add_test(tc, so_is_one_that_nobody_knows_of);
	tcase_add_test(tc, so_is_one_whose_task_manager_is_no_more);
	suite_add_tcase(suite, tc);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
