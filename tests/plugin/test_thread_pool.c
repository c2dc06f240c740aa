/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plugin thread-pool through the public ABI: tasks, capacity, cancelling and the end.
 */
#include "fake_host.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <wq/plugin-util.h>

static struct fake fake;                 /* each test has a process of its own */
static char probe_option[PATH_MAX + 16]; /* the probe handlers */

static void find_probe(void)
{
	char path[PATH_MAX];
	(void)snprintf(probe_option, sizeof(probe_option), "handlers=%s",
		fake_beside("probe_handlers.so", path, sizeof(path)));
}

static void open_probe(const char *threads)
{
	find_probe();
	fake_open(&fake, "thread-pool", (const char *[]){ threads, probe_option, NULL });
}

static struct wq_cbor_out *request(const char *handler)
{
	static struct wq_cbor_out o;
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, 1);
	wq_cbor_put_text(&o, "handler");
	wq_cbor_put_text(&o, handler);
	return &o;
}

struct gate {
	int began[2], gate[2];
};

static void gate_open(struct gate *g)
{
	ck_assert_int_eq(pipe2(g->began, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(g->gate, O_CLOEXEC), 0);
}

static void gate_close(struct gate *g)
{
	for (int i = 0; i < 2; i++) {
		(void)close(g->began[i]);
		(void)close(g->gate[i]);
	}
}

static void gate_await(struct gate *g)
{
	char byte;
	ck_assert_int_eq(read(g->began[0], &byte, 1), 1);
}

static void gate_pass(struct gate *g)
{
	ck_assert_int_eq(write(g->gate[1], "g", 1), 1);
}

static wq_tid start_gated(const char *handler, const struct gate *g)
{
	struct wq_cbor_out o;
	struct wq_err err = { 0 };
	wq_tid tid;
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, 3);
	wq_cbor_put_text(&o, "handler");
	wq_cbor_put_text(&o, handler);
	wq_cbor_put_text(&o, "began");
	wq_cbor_put_int(&o, g->began[1]);
	wq_cbor_put_text(&o, "gate");
	wq_cbor_put_int(&o, g->gate[0]);
	ck_assert_msg(fake_start(&fake, &o, &tid, &err) == WQ_OK, "%s", err.text);
	return tid;
}

static int32_t capacity(void)
{
	return fake.plugin->has_capacity(fake.self);
}

/* Threads of this process that have the name of a worker thread; a sanitizer has others. */
static int n_workers(void)
{
	int n = 0;
	DIR *dir = opendir("/proc/self/task");
	ck_assert_ptr_nonnull(dir);
	for (const struct dirent *d; (d = readdir(dir));) {
		char path[NAME_MAX + 8], name[32] = "";
		(void)snprintf(path, sizeof(path), "%s/comm", d->d_name);
		int fd = openat(dirfd(dir), path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;                               /* it has ended */
		ssize_t len = read(fd, name, sizeof(name) - 1); /* ESRCH: the same */
		(void)close(fd);
		n += len > 0 && strncmp(name, "wq-pool-", 8) == 0;
	}
	(void)closedir(dir);
	return n;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

START_TEST(it_never_needs_to_be_asked)
{
	open_probe("threads=1");

	ck_assert_uint_eq(fake.plugin->caps & WQ_CAP_WAKES, WQ_CAP_WAKES);

	fake_close(&fake);
}
END_TEST

START_TEST(a_thousand_tasks_on_four_threads_are_each_given_back_once_with_their_result)
{
	enum {
		N = 1000
	};
	static int given[N + 1];
	int n_started = 0, n_given = 0;
	fake_open(&fake, "thread-pool", (const char *[]){ "threads=4", "handler=echo", NULL });

	while (n_given < N) {
		struct fake_outcome outcome;
		int64_t value;
		for (; n_started < N && capacity() > 0; n_started++) {
			struct wq_cbor_out o;
			wq_cbor_out_init(&o);
			wq_cbor_put_map(&o, 1);
			wq_cbor_put_text(&o, "n");
			wq_cbor_put_int(&o, n_started + 1);
			ck_assert_int_eq(fake_start(&fake, &o, NULL, NULL), WQ_OK);
			ck_assert_int_ge(capacity(), 0);
			ck_assert_int_eq(capacity(), 4 - (n_started + 1 - n_given));
		}
		fake_wait(&fake, &outcome);
		ck_assert_int_eq(outcome.how, WQ_DONE_OK);
		ck_assert_int_eq(outcome.code, 0);
		ck_assert_int_eq(wq_cbor_find_int(outcome.result, outcome.len, "n", &value), 1);
		ck_assert_int_eq(value, (int64_t)outcome.tid);
		ck_assert_int_eq(given[value]++, 0);
		n_given++;
	}

	ck_assert_int_eq(capacity(), 4);
	fake_close(&fake);
}
END_TEST

START_TEST(a_full_pool_has_no_capacity_and_says_busy)
{
	struct gate g;
	struct fake_outcome outcome;
	gate_open(&g);
	open_probe("threads=2");
	ck_assert_int_eq(capacity(), 2);
	(void)start_gated("gate", &g);
	ck_assert_int_eq(capacity(), 1);
	(void)start_gated("gate", &g);
	ck_assert_int_eq(capacity(), 0);

	ck_assert_int_eq(fake_start(&fake, request("who"), NULL, NULL), WQ_BUSY);

	ck_assert_int_eq(capacity(), 0);
	gate_pass(&g);
	fake_wait(&fake, &outcome);
	ck_assert_int_eq(outcome.how, WQ_DONE_OK);
	ck_assert_int_eq(capacity(), 1);
	gate_pass(&g);
	fake_wait(&fake, &outcome);
	ck_assert_int_eq(capacity(), 2);
	fake_close(&fake);
	gate_close(&g);
}
END_TEST

START_TEST(tasks_run_at_the_same_time_on_their_own_threads)
{
	struct gate g;
	struct fake_outcome outcome;
	gate_open(&g);
	open_probe("threads=3");
	for (int i = 0; i < 3; i++)
		(void)start_gated("gate", &g);

	for (int i = 0; i < 3; i++)
		gate_await(&g); /* all three are inside, none was let through */

	for (int i = 0; i < 3; i++) {
		gate_pass(&g);
		fake_wait(&fake, &outcome);
	}
	fake_close(&fake);
	gate_close(&g);
}
END_TEST

START_TEST(a_handler_knows_its_request_and_runs_with_all_signals_blocked)
{
	/* ["1700000000.000001-1", "spool.1700000000.000001-1.1", "key", "label", 1, true] */
	static const char want[] = "\x86"
				   "\x73"
				   "1700000000.000001-1"
				   "\x78\x1b"
				   "spool.1700000000.000001-1.1"
				   "\x63"
				   "key"
				   "\x65"
				   "label"
				   "\x01\xf5";
	struct fake_outcome outcome;
	open_probe("threads=1");

	fake_run(&fake, request("who"), &outcome);

	ck_assert_int_eq(outcome.how, WQ_DONE_OK);
	ck_assert_uint_eq(outcome.len, sizeof(want) - 1);
	ck_assert_mem_eq(outcome.result, want, outcome.len);
	fake_close(&fake);
}
END_TEST

START_TEST(progress_and_log_lines_reach_the_host_with_their_task)
{
	struct fake_outcome outcome;
	open_probe("threads=1");

	fake_run(&fake, request("talkative"), &outcome);

	ck_assert_int_eq(fake.permille, 500);
	ck_assert_uint_eq(fake.progress_tid, outcome.tid);
	ck_assert_str_eq(fake.log, "half way there");
	ck_assert_uint_eq(fake.log_tid, outcome.tid);
	fake_close(&fake);
}
END_TEST

START_TEST(two_instances_do_not_know_of_each_other)
{
	static struct fake other;
	struct gate g;
	struct fake_outcome outcome;
	gate_open(&g);
	open_probe("threads=1");
	fake_open(&other, "thread-pool", (const char *[]){ "threads=1", "handler=echo", NULL });
	(void)start_gated("gate", &g);

	ck_assert_int_eq(capacity(), 0);
	ck_assert_int_eq(other.plugin->has_capacity(other.self), 1);
	fake_run(&other, request("anything"), &outcome);
	ck_assert_int_eq(outcome.how, WQ_DONE_OK);

	gate_pass(&g);
	fake_wait(&fake, &outcome);
	fake_close(&other);
	fake_close(&fake);
	gate_close(&g);
}
END_TEST

static const struct {
	const char *handler;
	int32_t how, code;
	const char *error, *text;
} failures[] = {
	{ "failing", WQ_DONE_FAILED, 7, "broken-thing", "the thing is broken" },
	{ "silent", WQ_DONE_FAILED, 1, "failed", "handler 'silent' failed" },
	{ "system-error", WQ_DONE_FAILED, 1, "system-error",
		"handler 'system-error': Input/output error" },
	{ "rejecting", WQ_DONE_REJECTED, 0, "never", "not here" },
	{ "garbage", WQ_DONE_FAILED, 1, "handler-bad-result", NULL },
	{ "odd", WQ_DONE_FAILED, 1, "handler-fault", NULL },
	{ "liar", WQ_DONE_FAILED, 1, "handler-fault", NULL },
};

START_TEST(a_failure_is_told_with_name_text_and_code_and_without_a_result)
{
	struct fake_outcome outcome;
	open_probe("threads=1");

	fake_run(&fake, request(failures[_i].handler), &outcome);

	ck_assert_int_eq(outcome.how, failures[_i].how);
	ck_assert_int_eq(outcome.code, failures[_i].code);
	ck_assert_str_eq(outcome.error, failures[_i].error);
	if (failures[_i].text)
		ck_assert_str_eq(outcome.text, failures[_i].text);
	ck_assert_str_ne(outcome.text, "");
	ck_assert_uint_eq(outcome.len, 0);
	fake_close(&fake);
}
END_TEST

/* ---- cancelling ------------------------------------------------------------------------------ */

START_TEST(a_handler_that_rests_is_woken_by_terminate_and_ends_aborted)
{
	struct gate g;
	struct fake_outcome outcome;
	gate_open(&g);
	open_probe("threads=1");
	wq_tid tid = start_gated("patient", &g);
	gate_await(&g);

	fake_terminate(&fake, tid);
	fake_terminate(&fake, tid);

	fake_wait(&fake, &outcome);
	ck_assert_uint_eq(outcome.tid, tid);
	ck_assert_int_eq(outcome.how, WQ_DONE_ABORTED);
	ck_assert_int_eq(capacity(), 1);
	fake_close(&fake);
	gate_close(&g);
}
END_TEST

START_TEST(a_task_that_no_thread_has_picked_up_is_aborted_at_once)
{
	struct fake_outcome outcome;
	wq_tid first, second;
	find_probe();
	/* Created but not started: there are no threads yet that could pick anything up. */
	ck_assert_int_eq(fake_create(&fake, "thread-pool",
				 (const char *[]){ "threads=2", probe_option, NULL }, NULL),
		0);
	ck_assert_int_eq(fake_start(&fake, request("who"), &first, NULL), WQ_OK);
	ck_assert_int_eq(fake_start(&fake, request("who"), &second, NULL), WQ_OK);
	ck_assert_int_eq(capacity(), 0);

	fake_terminate(&fake, second);

	ck_assert(fake_reap(&fake, &outcome));
	ck_assert_uint_eq(outcome.tid, second);
	ck_assert_int_eq(outcome.how, WQ_DONE_ABORTED);
	ck_assert(!fake_reap(&fake, &outcome));
	ck_assert_int_eq(capacity(), 1);

	/* The other is untouched by it. */
	ck_assert_int_eq(fake.plugin->start(fake.self, NULL), 0);
	fake_wait(&fake, &outcome);
	ck_assert_uint_eq(outcome.tid, first);
	ck_assert_int_eq(outcome.how, WQ_DONE_OK);
	fake_close(&fake);
}
END_TEST

START_TEST(a_handler_that_ignores_cancel_keeps_its_slot_and_is_done_when_it_returns)
{
	struct gate g;
	struct fake_outcome outcome;
	gate_open(&g);
	open_probe("threads=1");
	wq_tid tid = start_gated("gate", &g);
	gate_await(&g);

	fake_terminate(&fake, tid);

	ck_assert(!fake_reap(&fake, &outcome));
	ck_assert_int_eq(capacity(), 0);
	ck_assert_int_eq(fake_start(&fake, request("who"), NULL, NULL), WQ_BUSY);
	gate_pass(&g);
	fake_wait(&fake, &outcome);
	ck_assert_uint_eq(outcome.tid, tid);
	ck_assert_int_eq(outcome.how, WQ_DONE_OK);
	ck_assert_int_eq(capacity(), 1);
	fake_close(&fake);
	gate_close(&g);
}
END_TEST

START_TEST(a_handler_that_finishes_although_it_was_cancelled_is_done)
{
	struct gate g;
	struct fake_outcome outcome;
	gate_open(&g);
	open_probe("threads=1");
	wq_tid tid = start_gated("late", &g);
	gate_await(&g);

	fake_terminate(&fake, tid);

	fake_wait(&fake, &outcome);
	ck_assert_int_eq(outcome.how, WQ_DONE_OK);
	ck_assert_uint_eq(outcome.len, 1);
	ck_assert_uint_eq(outcome.result[0], 0x01);
	fake_close(&fake);
	gate_close(&g);
}
END_TEST

START_TEST(terminate_of_a_task_that_has_ended_changes_nothing)
{
	struct gate g;
	struct fake_outcome outcome;
	gate_open(&g);
	open_probe("threads=1");
	wq_tid tid = start_gated("gate", &g);
	gate_await(&g);
	pthread_mutex_lock(&fake.lock);
	unsigned before = fake.wakeups;
	pthread_mutex_unlock(&fake.lock);
	gate_pass(&g);
	pthread_mutex_lock(&fake.lock);
	while (fake.wakeups == before) /* it is in the done queue then */
		pthread_cond_wait(&fake.woken, &fake.lock);
	pthread_mutex_unlock(&fake.lock);

	fake_terminate(&fake, tid);

	ck_assert(fake_reap(&fake, &outcome));
	ck_assert_int_eq(outcome.how, WQ_DONE_OK);
	ck_assert(!fake_reap(&fake, &outcome));
	fake_close(&fake);
	gate_close(&g);
}
END_TEST

/* ---- the end --------------------------------------------------------------------------------- */

START_TEST(stop_with_kill_ends_what_runs_as_killed_and_takes_nothing_new)
{
	struct gate g;
	struct fake_outcome outcome;
	gate_open(&g);
	open_probe("threads=2");
	wq_tid tid = start_gated("patient", &g);
	gate_await(&g);

	ck_assert_int_eq(fake.plugin->stop(fake.self, WQ_STOP_KILL), WQ_OK);

	ck_assert_int_eq(capacity(), 0);
	ck_assert_int_eq(fake_start(&fake, request("who"), NULL, NULL), WQ_BUSY);
	fake_wait(&fake, &outcome);
	ck_assert_uint_eq(outcome.tid, tid);
	ck_assert_int_eq(outcome.how, WQ_DONE_KILLED);
	ck_assert_str_eq(outcome.error, "shutdown");
	fake_close(&fake);
	gate_close(&g);
}
END_TEST

START_TEST(stop_with_kill_gives_back_what_never_began_as_not_started)
{
	struct fake_outcome outcome;
	find_probe();
	ck_assert_int_eq(fake_create(&fake, "thread-pool",
				 (const char *[]){ "threads=1", probe_option, NULL }, NULL),
		0);
	ck_assert_int_eq(fake_start(&fake, request("who"), NULL, NULL), WQ_OK);

	ck_assert_int_eq(fake.plugin->stop(fake.self, WQ_STOP_KILL), WQ_OK);

	ck_assert(fake_reap(&fake, &outcome));
	ck_assert_int_eq(outcome.how, WQ_DONE_NOT_STARTED);
	fake_close(&fake);
}
END_TEST

START_TEST(stop_with_detach_leaves_what_runs_alone)
{
	struct gate g;
	struct fake_outcome outcome;
	gate_open(&g);
	open_probe("threads=1");
	(void)start_gated("gate", &g);
	gate_await(&g);

	ck_assert_int_eq(fake.plugin->stop(fake.self, WQ_STOP_DETACH), WQ_OK);

	ck_assert(!fake_reap(&fake, &outcome));
	gate_pass(&g);
	fake_wait(&fake, &outcome);
	ck_assert_int_eq(outcome.how, WQ_DONE_OK);
	fake_close(&fake);
	gate_close(&g);
}
END_TEST

START_TEST(destroy_cancels_what_runs_and_leaves_no_thread_behind)
{
	struct gate g;
	gate_open(&g);
	open_probe("threads=4");
	ck_assert_int_eq(n_workers(), 4);
	for (int i = 0; i < 3; i++)
		(void)start_gated("patient", &g);
	for (int i = 0; i < 3; i++)
		gate_await(&g);

	fake_close(&fake);

	/* pthread_join answers a moment before /proc has forgotten the thread. */
	while (n_workers() > 0)
		(void)sched_yield();
	gate_close(&g);
}
END_TEST

/* ---- requests and options -------------------------------------------------------------------- */

static void put_no_map(struct wq_cbor_out *o)
{
	wq_cbor_put_uint(o, 1);
}

static void put_no_handler(struct wq_cbor_out *o)
{
	wq_cbor_put_map(o, 0);
}

static void put_number_as_handler(struct wq_cbor_out *o)
{
	wq_cbor_put_map(o, 1);
	wq_cbor_put_text(o, "handler");
	wq_cbor_put_uint(o, 1);
}

static void put_unknown_handler(struct wq_cbor_out *o)
{
	wq_cbor_put_map(o, 1);
	wq_cbor_put_text(o, "handler");
	wq_cbor_put_text(o, "ech\no");
}

static void put_nothing(struct wq_cbor_out *o)
{
	(void)o;
}

static const struct {
	void (*put)(struct wq_cbor_out *o);
	const char *error, *part;
} bad_requests[] = {
	{ put_no_map, "bad-request", "copy, digest, echo, sleep" },
	{ put_no_handler, "bad-request", "copy, digest, echo, sleep" },
	{ put_number_as_handler, "bad-request", "copy, digest, echo, sleep" },
	{ put_nothing, "bad-request", "copy, digest, echo, sleep" },
	{ put_unknown_handler, "unknown-handler", "no handler 'ech?o'; there are: copy, digest" },
};

START_TEST(a_request_for_no_handler_is_refused_with_the_names_of_those_that_there_are)
{
	struct wq_cbor_out o;
	struct wq_err err = { 0 };
	fake_open(&fake, "thread-pool", (const char *[]){ "threads=1", NULL });

	wq_cbor_out_init(&o);
	bad_requests[_i].put(&o);
	ck_assert_int_eq(fake_validate(&fake, &o, &err), WQ_REJECT);
	ck_assert_str_eq(err.name, bad_requests[_i].error);
	ck_assert_msg(strstr(err.text, bad_requests[_i].part) != NULL, "%s", err.text);

	bad_requests[_i].put(&o);
	ck_assert_int_eq(fake_start(&fake, &o, NULL, &err), WQ_REJECT);
	ck_assert_str_eq(err.name, bad_requests[_i].error);
	ck_assert_int_eq(capacity(), 1);
	fake_close(&fake);
}
END_TEST

START_TEST(a_handler_may_refuse_a_request_before_its_turn)
{
	struct wq_err err = { 0 };
	open_probe("threads=1");

	ck_assert_int_eq(fake_validate(&fake, request("rejecting"), &err), WQ_REJECT);
	ck_assert_str_eq(err.name, "never");
	ck_assert_int_eq(fake_validate(&fake, request("who"), &err), WQ_OK);

	fake_close(&fake);
}
END_TEST

START_TEST(with_the_option_handler_the_whole_payload_is_its_argument)
{
	struct wq_cbor_out o;
	struct fake_outcome outcome;
	fake_open(&fake, "thread-pool", (const char *[]){ "threads=1", "handler=echo", NULL });

	wq_cbor_out_init(&o);
	wq_cbor_put_array(&o, 2);
	wq_cbor_put_text(&o, "handler");
	wq_cbor_put_null(&o);
	fake_run(&fake, &o, &outcome);

	ck_assert_int_eq(outcome.how, WQ_DONE_OK);
	ck_assert_uint_eq(outcome.len, 10);
	ck_assert_mem_eq(outcome.result, "\x82\x67handler\xf6", 10);
	fake_close(&fake);
}
END_TEST

START_TEST(an_unknown_name_in_the_option_handler_is_an_error_of_the_configuration)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(fake_create(&fake, "thread-pool",
				 (const char *[]){ "handler=nothing", NULL }, &err),
		-WQ_E_CONFIG);

	ck_assert_str_eq(err.text, "option 'handler': there is no handler 'nothing'; there are: "
				   "copy, digest, echo, sleep");
}
END_TEST

START_TEST(without_the_option_threads_there_are_as_many_as_processors)
{
	cpu_set_t set;
	ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	fake_open(&fake, "thread-pool", (const char *[]){ NULL });

	ck_assert_int_eq(capacity(), CPU_COUNT(&set));

	fake_close(&fake);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plugin/thread-pool");

	TCase *tc = tcase_create("tasks");
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, it_never_needs_to_be_asked);
	tcase_add_test(
		tc, a_thousand_tasks_on_four_threads_are_each_given_back_once_with_their_result);
	tcase_add_test(tc, a_full_pool_has_no_capacity_and_says_busy);
	tcase_add_test(tc, tasks_run_at_the_same_time_on_their_own_threads);
	tcase_add_test(tc, a_handler_knows_its_request_and_runs_with_all_signals_blocked);
	tcase_add_test(tc, progress_and_log_lines_reach_the_host_with_their_task);
	tcase_add_test(tc, two_instances_do_not_know_of_each_other);
	tcase_add_loop_test(tc, a_failure_is_told_with_name_text_and_code_and_without_a_result, 0,
		sizeof(failures) / sizeof(failures[0]));
	suite_add_tcase(s, tc);

	tc = tcase_create("cancelling");
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, a_handler_that_rests_is_woken_by_terminate_and_ends_aborted);
	tcase_add_test(tc, a_task_that_no_thread_has_picked_up_is_aborted_at_once);
	tcase_add_test(
		tc, a_handler_that_ignores_cancel_keeps_its_slot_and_is_done_when_it_returns);
	tcase_add_test(tc, a_handler_that_finishes_although_it_was_cancelled_is_done);
	tcase_add_test(tc, terminate_of_a_task_that_has_ended_changes_nothing);
	suite_add_tcase(s, tc);

	tc = tcase_create("the end");
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, stop_with_kill_ends_what_runs_as_killed_and_takes_nothing_new);
	tcase_add_test(tc, stop_with_kill_gives_back_what_never_began_as_not_started);
	tcase_add_test(tc, stop_with_detach_leaves_what_runs_alone);
	tcase_add_test(tc, destroy_cancels_what_runs_and_leaves_no_thread_behind);
	suite_add_tcase(s, tc);

	tc = tcase_create("requests and options");
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc,
		a_request_for_no_handler_is_refused_with_the_names_of_those_that_there_are, 0,
		sizeof(bad_requests) / sizeof(bad_requests[0]));
	tcase_add_test(tc, a_handler_may_refuse_a_request_before_its_turn);
	tcase_add_test(tc, with_the_option_handler_the_whole_payload_is_its_argument);
	tcase_add_test(tc, an_unknown_name_in_the_option_handler_is_an_error_of_the_configuration);
	tcase_add_test(tc, without_the_option_threads_there_are_as_many_as_processors);
	suite_add_tcase(s, tc);

	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_ENV);
	int n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
