/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/children.h"

#include "base/time.h"
#include "support/link/fake_link.h"
#include "support/link/probe.h"
#include "support/plugin/parent.h"
#include "support/plugin/rig.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- down and up again -------------------------------------------------------------------------- */

START_TEST(what_the_next_shepherd_lists_goes_on_and_its_end_order_is_told_again)
{
	wq_tid tid = start_up();
	uint64_t a = spawn_one(tid, "a");
	(void)spawn_one(tid, "b");
	ck_assert_int_eq(end_now(a, WQ_TERM_GRACEFUL, 900), 0);
	(void)fake_link_orders();

	fake_link_down();
	rig_assert_line("the connection to wq-shepherd is lost");
	ck_assert(!children_is_up(rig_children));
	ck_assert_int_eq(spawn_now(tid, "c"), WQ_BUSY);
	fake_link_known(PARENT_NAME ".a");
	fake_link_known(PARENT_NAME ".b");
	fake_link_up(true);
	assert_orders("end " PARENT_NAME ".a graceful 900, ");
	ck_assert_int_eq(probe.n_ends, 0);
	ck_assert_uint_eq(children_running(rig_children), 2);

	fake_link_exited(PARENT_NAME ".a", 0);
	assert_ended(1, a, WQ_CHILD_EXITED);
}
END_TEST

START_TEST(an_end_order_while_it_is_down_is_told_when_it_is_up)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	fake_link_down();
	(void)fake_link_orders();
	ck_assert_int_eq(end_now(number, WQ_TERM_NOW, 0), 0);
	assert_orders("");
	fake_link_known(PARENT_NAME);
	fake_link_up(true);
	assert_orders("end " PARENT_NAME " now 0, ");
}
END_TEST

START_TEST(an_order_that_never_arrived_ends_as_not_started)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	fake_link_down();
	ck_assert_int_eq(probe.n_ends, 0);
	fake_link_up(true);
	assert_ended(1, number, WQ_CHILD_NOT_STARTED);
	ck_assert_str_eq(probe.end_error, "shepherd-lost");
	ck_assert_uint_gt(strlen(probe.end_text), 0);
	ck_assert_uint_eq(children_running(rig_children), 0);
}
END_TEST

START_TEST(where_records_may_have_been_lost_its_end_is_unknown)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	fake_link_down();
	fake_link_up(false);
	assert_ended(1, number, WQ_CHILD_UNKNOWN);
	ck_assert_str_eq(probe.end_error, "lost");
}
END_TEST

START_TEST(what_has_been_listed_once_and_is_gone_is_unknown)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	fake_link_down();
	fake_link_known(PARENT_NAME);
	fake_link_up(true);
	fake_link_down();
	fake_link_up(true);
	assert_ended(1, number, WQ_CHILD_UNKNOWN);
}
END_TEST

START_TEST(a_listing_that_broke_off_counts_for_nothing)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	fake_link_down();
	fake_link_known(PARENT_NAME);
	fake_link_down();
	fake_link_up(true);
	assert_ended(1, number, WQ_CHILD_UNKNOWN);
}
END_TEST

START_TEST(an_end_in_the_listing_is_told_once)
{
	wq_tid tid = start_up();
	uint64_t number = spawn_one(tid, NULL);
	fake_link_down();
	fake_link_known(PARENT_NAME);
	fake_link_exited(PARENT_NAME, 6);
	fake_link_up(true);
	assert_ended(1, number, WQ_CHILD_EXITED);
	ck_assert_int_eq(probe.end.code, 6);
}
END_TEST

START_TEST(an_acknowledgement_that_was_lost_is_told_again)
{
	wq_tid tid = start_up();
	children_end_strays(rig_children);
	(void)spawn_one(tid, NULL);
	fake_link_exited(PARENT_NAME, 0);
	give_back(tid);
	fake_link_down();
	(void)fake_link_orders();
	children_ack(rig_children, PARENT_NAME);
	assert_orders("");
	/* Once the ends come before `up`, once after it. */
	fake_link_known(PARENT_NAME);
	fake_link_exited(PARENT_NAME, 0);
	fake_link_up(true);
	assert_orders("ack " PARENT_NAME ", ");
	fake_link_down();
	fake_link_known(PARENT_NAME);
	fake_link_up(true);
	(void)fake_link_orders();
	fake_link_exited(PARENT_NAME, 0);
	assert_orders("ack " PARENT_NAME ", ");
	ck_assert_uint_eq(children_running(rig_children), 0);
}
END_TEST

START_TEST(a_child_that_was_ended_with_its_task_is_ended_again_after_up)
{
	wq_tid tid = start_up();
	(void)spawn_one(tid, NULL);
	fake_link_down();
	give_back(tid);
	children_ack(rig_children, PARENT_NAME);
	(void)fake_link_orders();
	fake_link_known(PARENT_NAME);
	fake_link_up(true);
	assert_orders("end " PARENT_NAME " graceful 700, ");
	fake_link_exited(PARENT_NAME, 0);
	assert_orders("ack " PARENT_NAME ", ");
}
END_TEST

START_TEST(a_child_that_the_plugin_cannot_know_is_ended_in_silence)
{
	wq_tid tid = start_up();
	(void)spawn_one(tid, "a");
	fake_link_down();
	(void)fake_link_orders();
	fake_link_known(PARENT_NAME ".a");
	fake_link_known(PARENT_NAME ".z");
	fake_link_up(true);
	assert_orders("end " PARENT_NAME ".z now 0, ");
	fake_link_exited(PARENT_NAME ".z", 0);
	ck_assert_int_eq(probe.n_ends, 0);
	give_back(tid);
	fake_link_exited(PARENT_NAME ".a", 0);
	(void)fake_link_orders();
	children_ack(rig_children, PARENT_NAME);
	const char *orders = fake_link_orders();
	rig_assert_text(orders, "ack " PARENT_NAME ".a, ");
	rig_assert_text(orders, "ack " PARENT_NAME ".z, ");
}
END_TEST

/* ---- strays ------------------------------------------------------------------------------------- */

START_TEST(what_belongs_to_nobody_is_ended_and_acknowledged_as_soon_as_it_has_ended)
{
	fake_link_known(PARENT_NAME);
	fake_link_known("spool.1700000000.000002-0123456789abc.1.b");
	fake_link_exited("spool.1700000000.000002-0123456789abc.1.b", 0);
	fake_link_up(true);
	assert_orders("");
	ck_assert_uint_eq(children_end_strays(rig_children), 2);
	assert_orders("end " PARENT_NAME " graceful 5000, "
		      "ack spool.1700000000.000002-0123456789abc.1.b, ");
	fake_link_exited(PARENT_NAME, 0);
	assert_orders("ack " PARENT_NAME ", ");
	ck_assert_uint_eq(children_end_strays(rig_children), 0);
}
END_TEST

START_TEST(names_that_are_not_of_this_spool_are_left_alone)
{
	fake_link_known("spooler.1700000000.000002-0123456789abc.1");
	fake_link_known("other." PARENT_ID ".1");
	fake_link_up(true);
	ck_assert_uint_eq(children_end_strays(rig_children), 0);
	fake_link_exited("other." PARENT_ID ".1", 0);
	assert_orders("");
	ck_assert_uint_eq(children_running(rig_children), 0);
}
END_TEST

START_TEST(a_stray_of_a_later_listing_is_ended_too)
{
	fake_link_up(true);
	children_end_strays(rig_children);
	fake_link_down();
	fake_link_known(PARENT_NAME);
	fake_link_up(true);
	assert_orders("end " PARENT_NAME " graceful 5000, ");
	fake_link_exited(PARENT_NAME, 0);
	assert_orders("ack " PARENT_NAME ", ");
	fake_link_exited(PARENT_NAME ".late", 0); /* of which nothing had been told */
	assert_orders("ack " PARENT_NAME ".late, ");
}
END_TEST

START_TEST(an_instance_that_goes_leaves_its_children_to_themselves)
{
	wq_tid tid = start_up();
	(void)spawn_one(tid, NULL);
	(void)fake_link_orders();
	ck_assert_int_eq(instance_stop(rig_instance, WQ_STOP_DETACH), 0);
	instance_free(rig_instance);
	rig_instance = NULL;
	fake_link_exited(PARENT_NAME, 0);
	ck_assert_uint_eq(children_end_strays(rig_children), 0);
	assert_orders("");
	ck_assert_int_eq(probe.n_ends, 0);
}
END_TEST

START_TEST(an_instance_that_waits_for_room_may_go)
{
	wq_tid tid = start_up();
	fake_link_down();
	ck_assert_int_eq(spawn_now(tid, NULL), WQ_BUSY);
	instance_free(rig_instance);
	rig_instance = NULL;
	fake_link_up(true);
}
END_TEST

START_TEST(many_children_are_told_apart)
{
	enum {
		MANY = 500
	};
	static uint64_t numbers[MANY];
	char label[16], name[200];
	wq_tid tid = start_up();
	for (int k = 0; k < MANY; k++) {
		snprintf(label, sizeof label, "c%d", k);
		numbers[k] = spawn_one(tid, label);
		fake_link.calls[0] = '\0';
	}
	ck_assert_uint_eq(children_running(rig_children), MANY);
	for (int k = MANY - 1; k >= 0; k--) {
		probe.calls[0] = '\0';
		snprintf(name, sizeof name, PARENT_NAME ".c%d", k);
		fake_link_exited(name, k % 256);
		assert_ended(MANY - k, numbers[k], WQ_CHILD_EXITED);
	}
	ck_assert_uint_eq(children_running(rig_children), 0);
}
END_TEST

/* ---- memory -------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define HAS_OWN_CALLOC 0
#elif defined(__has_feature)
#	if __has_feature(address_sanitizer)
#		define HAS_OWN_CALLOC 0
#	endif
#endif
#ifndef HAS_OWN_CALLOC
#	define HAS_OWN_CALLOC 1
#endif

#if HAS_OWN_CALLOC
static int fails_at; /* the call of calloc from now on that finds no memory; 0: none */

void *__libc_calloc(size_t n, size_t size);

void *calloc(size_t n, size_t size)
{
	if (fails_at > 0 && --fails_at == 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_calloc(n, size);
}

START_TEST(a_spawn_that_finds_no_memory_leaves_nothing_behind)
{
	int rc = -ENOMEM, n = 0;
	wq_tid tid = start_up();
	while (rc == -ENOMEM) {
		ck_assert_int_lt(++n, 50);
		fails_at = n;
		rc = spawn_now(tid, NULL);
		if (rc == -ENOMEM)
			ck_assert_uint_eq(children_running(rig_children), 0);
	}
	fails_at = 0;
	ck_assert_int_eq(rc, WQ_OK);
	ck_assert_int_gt(n, 1);
	assert_orders("spawn " PARENT_NAME ", ");
}
END_TEST

START_TEST(a_child_that_could_not_be_taken_in_is_not_taken_for_none)
{
	struct wq_child *told;
	uint32_t n_told;
	rig_start(&probe_plugin, NULL);
	fails_at = 1;
	fake_link_known(PARENT_NAME);
	fails_at = 0;
	fake_link_up(true);
	ck_assert_int_eq(
		children_adopt(rig_children, rig_instance, 77, PARENT_NAME, &told, &n_told), 0);
	ck_assert_uint_eq(n_told, 1);
	free(told);
	rig_run();
	assert_ended(1, probe.ended_child, WQ_CHILD_UNKNOWN);
}
END_TEST

START_TEST(an_adoption_that_finds_no_memory_changes_nothing)
{
	struct wq_child *told;
	uint32_t n_told;
	rig_start(&probe_plugin, NULL);
	fake_link_up(false);
	for (int n = 1; n <= 3; n++) {
		fails_at = n;
		ck_assert_int_eq(
			children_adopt(rig_children, rig_instance, 77, PARENT_NAME, &told, &n_told),
			-ENOMEM);
		ck_assert_ptr_null(told);
	}
	fails_at = 0;
	rig_run();
	ck_assert_int_eq(probe.n_ends, 0);
	ck_assert_uint_eq(children_end_strays(rig_children), 0);
}
END_TEST
#endif

START_TEST(since_when_a_task_runs_is_asked_of_the_kernel)
{
	int64_t tick_ns = NS_PER_S / sysconf(_SC_CLK_TCK);
	int64_t before = time_mono_ns();
	fake_link.known_pid = fork();
	ck_assert_int_ge(fake_link.known_pid, 0);
	if (fake_link.known_pid == 0)
		_exit(pause());
	int64_t after = time_mono_ns();
	ck_assert_int_eq(children_began_ns(rig_children, PARENT_NAME), 0);
	fake_link_known(PARENT_NAME);
	fake_link_up(true);

	int64_t began = children_began_ns(rig_children, PARENT_NAME);
	ck_assert_int_ge(began, before - tick_ns);
	ck_assert_int_le(began, after);

	fake_link_exited(PARENT_NAME, 0);
	ck_assert_int_eq(children_began_ns(rig_children, PARENT_NAME), 0);
	ck_assert_int_eq(kill(fake_link.known_pid, SIGKILL), 0);
}
END_TEST

static void add_again(Suite *s)
{
	TCase *tc = tcase_create("down and up again");
	tcase_add_checked_fixture(tc, parent_setup, parent_teardown);
	tcase_add_test(tc, what_the_next_shepherd_lists_goes_on_and_its_end_order_is_told_again);
	tcase_add_test(tc, an_end_order_while_it_is_down_is_told_when_it_is_up);
	tcase_add_test(tc, an_order_that_never_arrived_ends_as_not_started);
	tcase_add_test(tc, where_records_may_have_been_lost_its_end_is_unknown);
	tcase_add_test(tc, what_has_been_listed_once_and_is_gone_is_unknown);
	tcase_add_test(tc, a_listing_that_broke_off_counts_for_nothing);
	tcase_add_test(tc, an_end_in_the_listing_is_told_once);
	tcase_add_test(tc, an_acknowledgement_that_was_lost_is_told_again);
	tcase_add_test(tc, since_when_a_task_runs_is_asked_of_the_kernel);
	tcase_add_test(tc, a_child_that_was_ended_with_its_task_is_ended_again_after_up);
	tcase_add_test(tc, a_child_that_the_plugin_cannot_know_is_ended_in_silence);
	suite_add_tcase(s, tc);
}

static void add_strays(Suite *s)
{
	TCase *tc = tcase_create("strays");
	tcase_add_checked_fixture(tc, parent_setup, parent_teardown);
	tcase_add_test(
		tc, what_belongs_to_nobody_is_ended_and_acknowledged_as_soon_as_it_has_ended);
	tcase_add_test(tc, names_that_are_not_of_this_spool_are_left_alone);
	tcase_add_test(tc, a_stray_of_a_later_listing_is_ended_too);
	tcase_add_test(tc, an_instance_that_goes_leaves_its_children_to_themselves);
	tcase_add_test(tc, an_instance_that_waits_for_room_may_go);
	tcase_add_test(tc, many_children_are_told_apart);
#if HAS_OWN_CALLOC
	tcase_add_test(tc, a_spawn_that_finds_no_memory_leaves_nothing_behind);
	tcase_add_test(tc, a_child_that_could_not_be_taken_in_is_not_taken_for_none);
	tcase_add_test(tc, an_adoption_that_finds_no_memory_changes_nothing);
#endif
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("plugin/children_again");
	add_again(s);
	add_strays(s);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
