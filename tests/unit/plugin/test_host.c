/* SPDX-License-Identifier: BSD-2-Clause */
/* The services that a plugin gets. */
#include "plugin/instance.h"

#include "base/time.h"
#include "support/link/probe.h"
#include "support/plugin/rig.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct wq_err err;
static int fds[2];
static uint64_t watch;

static void setup(void)
{
	probe_reset();
	memset(&err, 0, sizeof err);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void teardown(void)
{
	rig_free();
	close(fds[0]);
	close(fds[1]);
}

/* Calls of services, as the plugin makes them. */
static void wakeup(void)
{
	probe.host->wakeup(probe.host->ctx);
}

static void watch_pipe(void)
{
	watch = probe.host->watch(probe.host->ctx, fds[0], WQ_READABLE);
}

static void unwatch_pipe(void)
{
	probe.host->unwatch(probe.host->ctx, watch);
	watch = 0;
}

static uint64_t strikes(enum instance_strike kind)
{
	return instance_strikes_of(rig_instance, kind);
}

START_TEST(the_table_says_its_size_and_version)
{
	rig_start(&probe_plugin, NULL);

	ck_assert_uint_eq(probe.host->struct_size, sizeof(struct wq_host));
	ck_assert_uint_eq(probe.host->abi_major, WQ_ABI_MAJOR);
	ck_assert_uint_eq(probe.host->abi_minor, WQ_ABI_MINOR);
	ck_assert_str_eq(probe.host->server_version, WQ_VERSION);
	ck_assert(WQ_HAS(probe.host, unwatch));
}
END_TEST

START_TEST(the_clock_is_the_one_of_waiting)
{
	rig_start(&probe_plugin, NULL);

	int64_t before = time_mono_ns();
	int64_t now = probe.host->clock_ns(probe.host->ctx);

	ck_assert_int_ge(now, before);
	ck_assert_int_le(now, time_mono_ns());
}
END_TEST

/* ---- wake-up --------------------------------------------------------------------------------- */

START_TEST(wakeups_merge_into_one_touch)
{
	rig_start(&probe_plugin, NULL);
	rig_run();
	int before = rig_touched();

	for (int i = 0; i < 1000; i++)
		wakeup();
	rig_run();
	rig_run();

	ck_assert_int_eq(rig_touched(), before + 1);
	wakeup();
	rig_run();
	ck_assert_int_eq(rig_touched(), before + 2);
}
END_TEST

START_TEST(a_wakeup_before_start_touches_nothing_and_one_in_start_is_kept)
{
	ck_assert_int_eq(rig_make(&probe_plugin, NULL, &err), 0);
	wakeup();
	rig_run();
	ck_assert_int_eq(rig_touched(), 0);

	probe.in_start = wakeup;
	ck_assert_int_eq(instance_start(rig_instance, &err), 0);
	ck_assert_int_eq(rig_touched(), 0); /* not from inside of a call */
	rig_run();

	ck_assert_int_ge(rig_touched(), 1);
}
END_TEST

enum {
	THREADS = 8,
	EACH = 100000
};
static atomic_int produced;

/* Makes something ready, then says so: as a plugin's thread does. */
static void *produce(void *arg)
{
	(void)arg;
	for (int i = 0; i < EACH; i++) {
		atomic_fetch_add(&produced, 1);
		wakeup();
	}
	return NULL;
}

START_TEST(a_wakeup_from_eight_threads_is_never_lost)
{
	pthread_t threads[THREADS];
	rig_start(&probe_plugin, NULL);
	rig_run();
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, NULL), 0);

	/* Waits without end where a wakeup is lost: Check's time limit ends it then. */
	int touches = 0;
	while (atomic_load(&produced) < THREADS * EACH) {
		rig_run_until_touched();
		touches++;
	}

	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	rig_run();
	ck_assert_int_le(touches, THREADS * EACH + 1);
}
END_TEST

static void on_signal(int signo)
{
	(void)signo;
	wakeup();
}

START_TEST(a_wakeup_from_a_signal_handler_counts)
{
	struct sigaction sa = { .sa_handler = on_signal };
	rig_start(&probe_plugin, NULL);
	rig_run();
	int before = rig_touched();
	ck_assert_int_eq(sigaction(SIGUSR1, &sa, NULL), 0);

	errno = 42;
	ck_assert_int_eq(raise(SIGUSR1), 0);
	ck_assert_int_eq(errno, 42);
	rig_run();

	ck_assert_int_eq(rig_touched(), before + 1);
}
END_TEST

/* ---- watch ----------------------------------------------------------------------------------- */

START_TEST(a_watched_descriptor_calls_on_ready_and_touches)
{
	probe.in_start = watch_pipe;
	rig_start(&probe_plugin, NULL);
	rig_run();
	ck_assert_uint_ne(watch, 0);
	ck_assert_int_eq(probe_calls("on_ready"), 0);
	int before = rig_touched();

	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	rig_run();

	ck_assert_int_eq(probe_calls("on_ready"), 1);
	ck_assert_uint_eq(probe.ready_watch, watch);
	ck_assert_uint_eq(probe.ready_events, WQ_READABLE);
	ck_assert_int_eq(rig_touched(), before + 1);
	probe.in_destroy = unwatch_pipe;
}
END_TEST

START_TEST(rewatch_changes_the_events)
{
	probe.in_start = watch_pipe;
	rig_start(&probe_plugin, NULL);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);

	ck_assert_int_eq(probe.host->rewatch(probe.host->ctx, watch, 0), 0);
	rig_run();
	ck_assert_int_eq(probe_calls("on_ready"), 0);
	ck_assert_int_eq(probe.host->rewatch(probe.host->ctx, watch, WQ_READABLE), 0);
	rig_run();

	ck_assert_int_eq(probe_calls("on_ready"), 1);
	probe.in_destroy = unwatch_pipe;
}
END_TEST

START_TEST(on_ready_may_unwatch)
{
	probe.in_start = watch_pipe;
	probe.in_on_ready = unwatch_pipe;
	rig_start(&probe_plugin, NULL);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);

	rig_run();
	rig_run();

	ck_assert_int_eq(probe_calls("on_ready"), 1);
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
}
END_TEST

START_TEST(a_watch_is_never_used_again)
{
	probe.in_start = watch_pipe;
	rig_start(&probe_plugin, NULL);
	uint64_t first = watch;

	unwatch_pipe();
	watch_pipe();

	ck_assert_uint_gt(watch, first);
	ck_assert_int_eq(probe.host->rewatch(probe.host->ctx, first, WQ_READABLE), -WQ_E_UNKNOWN);
	ck_assert_uint_eq(strikes(INSTANCE_STRIKE_WATCH), 1);
	ck_assert_int_eq(rig_lines("rewatch: there is no watch 1"), 1);
	probe.in_destroy = unwatch_pipe;
}
END_TEST

START_TEST(a_descriptor_that_cannot_be_watched_is_answered_with_0)
{
	rig_start(&probe_plugin, NULL);

	ck_assert_uint_eq(probe.host->watch(probe.host->ctx, -1, WQ_READABLE), 0);

	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
}
END_TEST

START_TEST(a_watch_in_create_or_without_on_ready_is_a_strike)
{
	watch = 7;
	probe.in_create = watch_pipe;
	ck_assert_int_eq(rig_make(&probe_plugin, NULL, &err), 0);
	ck_assert_uint_eq(watch, 0);
	ck_assert_int_eq(rig_lines("watch: called before start"), 1);
	rig_free();

	static struct plugin deaf; /* still there when the fixture is torn down */
	deaf = probe_plugin;
	deaf.desc.on_ready = NULL;
	probe_reset();
	rig_start(&deaf, NULL);
	watch_pipe();
	ck_assert_uint_eq(watch, 0);
	ck_assert_int_eq(rig_lines("watch: called without an operation on_ready"), 1);
}
END_TEST

static void *all_loop_services(void *arg)
{
	int32_t *ret = arg;
	watch_pipe();
	*ret = probe.host->rewatch(probe.host->ctx, 1, WQ_READABLE);
	probe.host->unwatch(probe.host->ctx, 1);
	return NULL;
}

START_TEST(services_of_the_loop_answer_a_thread_with_an_error)
{
	pthread_t thread;
	int32_t rewatched = 0;
	watch = 7;
	rig_start(&probe_plugin, NULL);

	ck_assert_int_eq(pthread_create(&thread, NULL, all_loop_services, &rewatched), 0);
	pthread_join(thread, NULL);

	ck_assert_uint_eq(watch, 0);
	ck_assert_int_eq(rewatched, -WQ_E_THREAD);
	ck_assert_uint_eq(strikes(INSTANCE_STRIKE_THREAD), 3);
	ck_assert_int_eq(rig_lines("unwatch: called from a thread"), 1);
}
END_TEST

/* ---- tick ------------------------------------------------------------------------------------ */

START_TEST(tick_is_called_at_start_and_at_the_time_that_it_answered)
{
	int64_t due = time_mono_ns() + 20 * NS_PER_MS;
	probe.next_tick = due;
	rig_start(&probe_plugin, NULL);
	rig_run();
	ck_assert_int_eq(probe_calls("tick"), 1);

	probe.next_tick = INT64_MAX;
	rig_run_until_touched();
	ck_assert_int_eq(probe_calls("tick"), 2);
	ck_assert_int_ge(probe.now_ns, due);
	rig_run();

	ck_assert_int_eq(probe_calls("tick"), 2);
}
END_TEST

/* Deadlines arise in start_task, terminate and in threads: one that answered "never" is asked again. */
START_TEST(tick_is_asked_again_after_a_start_a_terminate_and_a_wakeup)
{
	rig_start(&probe_plugin, NULL);
	rig_run();
	ck_assert_int_eq(probe_calls("tick"), 1);

	wq_tid tid = rig_start_one();
	rig_run();
	ck_assert_int_eq(probe_calls("tick"), 2);
	ck_assert_int_eq(instance_terminate(rig_instance, tid, WQ_TERM_GRACEFUL), 0);
	rig_run();
	ck_assert_int_eq(probe_calls("tick"), 3);
	probe.host->wakeup(probe.host->ctx);
	rig_run();
	ck_assert_int_eq(probe_calls("tick"), 4);
	rig_run();
	ck_assert_int_eq(probe_calls("tick"), 4);
}
END_TEST

START_TEST(a_tick_that_is_always_due_does_not_keep_the_loop_from_sleeping)
{
	probe.next_tick = INT64_MIN;
	rig_start(&probe_plugin, NULL);
	rig_run();

	int64_t before = time_mono_ns();
	for (int i = 0; i < 10; i++)
		rig_run_until_touched();

	ck_assert_int_ge(time_mono_ns() - before, 9 * NS_PER_MS);
}
END_TEST

/* ---- log and progress ------------------------------------------------------------------------ */

START_TEST(a_log_line_is_made_safe_and_comes_with_the_id_of_its_request)
{
	wq_tid tid;
	rig_start(&probe_plugin, NULL);
	ck_assert_int_eq(rig_start_task(&tid, &err), WQ_OK);

	probe.host->log(probe.host->ctx, WQ_LOG_INFO, 0, "two\nlines \x1b[1m \xff");
	ck_assert_str_eq(rig_last_line(), "two lines  [1m ?");
	ck_assert_str_eq(rig_last_line_id(), "");
	probe.host->log(probe.host->ctx, 99, tid, "about it");
	ck_assert_str_eq(rig_last_line(), "about it");
	ck_assert_str_eq(rig_last_line_id(), "1700000000.000001-0123456789abc");
	probe.host->log(probe.host->ctx, WQ_LOG_INFO, 0, NULL); /* nothing to say is no crash */

	char big[4000];
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	probe.host->log(probe.host->ctx, WQ_LOG_INFO, 0, big);
	ck_assert_uint_ge(strlen(rig_last_line()), 500);
}
END_TEST

START_TEST(the_last_progress_of_a_task_is_kept)
{
	char text[200];
	wq_tid tid;
	rig_start(&probe_plugin, NULL);
	ck_assert_int_eq(rig_start_task(&tid, &err), WQ_OK);
	ck_assert_int_eq(instance_progress(rig_instance, tid, text, sizeof text), -1);
	ck_assert_str_eq(text, "");

	probe.host->progress(probe.host->ctx, tid, 100, "copying");
	probe.host->progress(probe.host->ctx, tid, 5000, "ver\tify");
	ck_assert_int_eq(instance_progress(rig_instance, tid, text, sizeof text), 1000);
	ck_assert_str_eq(text, "ver ify");
	probe.host->progress(probe.host->ctx, tid, -7, NULL);
	ck_assert_int_eq(instance_progress(rig_instance, tid, text, sizeof text), -1);
	probe.host->progress(probe.host->ctx, tid + 1, 1, "of nobody");

	ck_assert_int_eq(instance_progress(rig_instance, tid + 1, text, sizeof text), -1);
	ck_assert_str_eq(text, "");
	ck_assert_uint_eq(instance_strikes(rig_instance), 0);
}
END_TEST

static atomic_bool finished;

static void *report(void *arg)
{
	const wq_tid *tid = arg;
	for (int i = 0; !atomic_load(&finished); i++) {
		probe.host->progress(probe.host->ctx, *tid, i % 1000, "on its way");
		probe.host->log(probe.host->ctx, WQ_LOG_DEBUG, *tid, "still here");
		(void)probe.host->clock_ns(probe.host->ctx);
	}
	return NULL;
}

START_TEST(threads_report_while_tasks_come_and_go)
{
	pthread_t threads[4];
	static wq_tid first;
	rig_start(&probe_plugin, NULL);
	ck_assert_int_eq(rig_start_task(&first, &err), WQ_OK);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, report, &first), 0);

	for (int i = 0; i < 500; i++) {
		char text[200];
		wq_tid tid;
		struct wq_outcome o;
		probe.calls[0] = '\0';
		ck_assert_int_eq(rig_start_task(&tid, &err), WQ_OK);
		(void)instance_progress(rig_instance, first, text, sizeof text);
		probe.outcomes[probe.n_outcomes++] =
			(struct wq_outcome){ .tid = tid, .how = WQ_DONE_OK };
		ck_assert_int_eq(instance_reap(rig_instance, &o), 1);
	}

	atomic_store(&finished, true);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(instance_running(rig_instance), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin/host");
	TCase *tc = tcase_create("services");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_table_says_its_size_and_version);
	tcase_add_test(tc, the_clock_is_the_one_of_waiting);
	tcase_add_test(tc, wakeups_merge_into_one_touch);
	tcase_add_test(tc, a_wakeup_before_start_touches_nothing_and_one_in_start_is_kept);
	tcase_add_test(tc, a_wakeup_from_eight_threads_is_never_lost);
	tcase_add_test(tc, a_wakeup_from_a_signal_handler_counts);
	tcase_add_test(tc, a_watched_descriptor_calls_on_ready_and_touches);
	tcase_add_test(tc, rewatch_changes_the_events);
	tcase_add_test(tc, on_ready_may_unwatch);
	tcase_add_test(tc, a_watch_is_never_used_again);
	tcase_add_test(tc, a_descriptor_that_cannot_be_watched_is_answered_with_0);
	tcase_add_test(tc, a_watch_in_create_or_without_on_ready_is_a_strike);
	tcase_add_test(tc, services_of_the_loop_answer_a_thread_with_an_error);
	tcase_add_test(tc, tick_is_called_at_start_and_at_the_time_that_it_answered);
	tcase_add_test(tc, tick_is_asked_again_after_a_start_a_terminate_and_a_wakeup);
	tcase_add_test(tc, a_tick_that_is_always_due_does_not_keep_the_loop_from_sleeping);
	tcase_add_test(tc, a_log_line_is_made_safe_and_comes_with_the_id_of_its_request);
	tcase_add_test(tc, the_last_progress_of_a_task_is_kept);
	tcase_add_test(tc, threads_report_while_tasks_come_and_go);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
