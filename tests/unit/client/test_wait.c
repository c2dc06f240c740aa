/* SPDX-License-Identifier: BSD-2-Clause */
#include <wq/client.h>

#include "base/time.h"
#include "spool/complete.h"
#include "spool/move.h"
#include "support/client/hand.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY "1511472984.123456-0k3v9q2m7t1dh"

enum {
	MANY = 2000
};

static struct hand hand;
static wq_client *client;
static struct wq_err err;

static void setup(void)
{
	hand_open(&hand);
	memset(&err, 0, sizeof err);
	ck_assert_int_eq(wq_open(&client, hand.path, &err), 0);
}

static void teardown(void)
{
	wq_close(client);
	hand_close(&hand);
}

static void enqueue(char ret_id[WQ_ID_SIZE])
{
	struct wq_request request = { .struct_size = sizeof request };
	int rc = wq_enqueue(client, &request, ret_id, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

/* ---- a server in a thread -------------------------------------------------------------------- */

struct server {
	pthread_t thread;
	const char *const *ids;
	size_t n;
	void (*act)(struct hand *h, const char *id, uint8_t payload);
};

/* It begins once the main thread is asleep, which is when a missed event would show. */
static void wait_for_sleep(pid_t tid)
{
	char path[64], text[512], state = 'R';
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
	while (state != 'S') {
		FILE *f = fopen(path, "re");
		ck_assert_ptr_nonnull(f);
		ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
		fclose(f);
		state = strrchr(text, ')')[2];
		sched_yield();
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	wait_for_sleep(getpid());
	for (size_t i = 0; i < s->n; i++)
		s->act(&hand, s->ids[i], (uint8_t)(i & 0x17));
	return NULL;
}

static void server_start(struct server *s)
{
	ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void withdraw(struct hand *h, const char *id, uint8_t payload)
{
	(void)payload;
	hand_accept(h, id);
	hand_withdraw(h, id);
}

static void put_back_and_run(struct hand *h, const char *id, uint8_t payload)
{
	hand_accept(h, id);
	for (int i = 0; i < 100; i++) {
		hand_start(h, id);
		ck_assert_int_eq(move_put_back(&h->spool, hand_id(id)), 0);
	}
	hand_start(h, id);
	hand_complete(h, id, payload);
}

/* ---- one ------------------------------------------------------------------------------------- */

START_TEST(a_wait_ends_when_the_result_is_published)
{
	char id[WQ_ID_SIZE];
	const char *ids[] = { id };
	wq_result *result = NULL;
	struct wq_result_info info = { .struct_size = sizeof info };
	struct server s = { .ids = ids, .n = 1, .act = hand_run };
	enqueue(id);
	server_start(&s);
	int64_t start = time_mono_ns();

	ck_assert_int_eq(wq_wait(client, id, WQ_FOREVER, 0, &result, &err), 0);

	/* By an event: not by the safety look after 30 s. */
	ck_assert_int_lt(time_mono_ns() - start, 2 * NS_PER_S);
	wq_result_info(result, &info);
	ck_assert_str_eq(info.id, id);
	ck_assert_str_eq(info.status, "failed");
	ck_assert_int_eq(info.code, 7);
	ck_assert_int_eq(info.signal, 0);
	ck_assert_uint_eq(info.attempt, 1);
	ck_assert_str_eq(info.error, "exit-status");
	ck_assert_str_eq(info.text, "it said no");
	ck_assert_str_eq(info.task_manager, "build");
	ck_assert_str_eq(info.plugin, "fork-exec 1.0");
	ck_assert_str_eq(info.key, "a key");
	ck_assert_str_eq(info.label, "a label");
	ck_assert_int_eq(info.accepted_us, 1000000);
	ck_assert_int_eq(info.started_us, 2000000);
	ck_assert_int_eq(info.ended_us, 3000000);
	ck_assert_int_eq(info.waiting_ns, 4);
	ck_assert_int_eq(info.running_ns, 5);
	ck_assert_uint_eq(info.payload_len, 1);
	wq_result_free(result);
	pthread_join(s.thread, NULL);
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(a_request_that_is_put_back_again_and_again_is_not_called_gone)
{
	char id[WQ_ID_SIZE];
	const char *ids[] = { id };
	wq_result *result = NULL;
	struct server s = { .ids = ids, .n = 1, .act = put_back_and_run };
	enqueue(id);
	server_start(&s);
	int rc = wq_wait(client, id, WQ_FOREVER, 0, &result, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	wq_result_free(result);
	pthread_join(s.thread, NULL);
}
END_TEST

START_TEST(a_result_that_is_there_already_is_taken_at_once)
{
	char id[WQ_ID_SIZE];
	wq_result *result = NULL;
	enqueue(id);
	hand_run(&hand, id, 0x01);
	ck_assert_int_eq(wq_wait(client, id, 0, 0, &result, &err), 0);
	wq_result_free(result);
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(a_kept_result_can_be_read_again)
{
	char id[WQ_ID_SIZE];
	wq_result *result = NULL;
	enqueue(id);
	hand_run(&hand, id, 0x01);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(wq_wait(client, id, 0, WQ_WAIT_KEEP, &result, &err), 0);
		wq_result_free(result);
	}
	ck_assert(hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(a_kept_result_is_taken_away_by_collect_once)
{
	char id[WQ_ID_SIZE];
	wq_result *result = NULL;
	enqueue(id);
	hand_run(&hand, id, 0x01);
	ck_assert_int_eq(wq_wait(client, id, WQ_FOREVER, WQ_WAIT_KEEP, &result, &err), 0);
	wq_result_free(result);
	ck_assert(hand_has(&hand, SPOOL_COMPLETE, id));
	ck_assert_int_eq(wq_collect(client, id, &err), 0);
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, id));
	ck_assert_int_eq(wq_collect(client, id, &err), -WQ_E_GONE);
}
END_TEST

START_TEST(an_id_that_is_nowhere_is_gone_at_once)
{
	wq_result *result = NULL;
	ck_assert_int_eq(wq_wait(client, NOBODY, WQ_FOREVER, 0, &result, &err), -WQ_E_GONE);
	ck_assert_int_eq(wq_wait(client, NOBODY, 0, 0, &result, &err), -WQ_E_GONE);
	/* Somebody has asked for its abort, and that does not bring it back. */
	ck_assert_int_eq(wq_abort(client, NOBODY, &err), 0);
	ck_assert_int_eq(wq_wait(client, NOBODY, WQ_FOREVER, 0, &result, &err), -WQ_E_GONE);
	ck_assert_ptr_null(result);
}
END_TEST

START_TEST(a_request_that_is_aborted_while_we_wait_is_gone)
{
	char id[WQ_ID_SIZE];
	const char *ids[] = { id };
	wq_result *result = NULL;
	struct server s = { .ids = ids, .n = 1, .act = withdraw };
	enqueue(id);
	server_start(&s);
	int64_t start = time_mono_ns();
	ck_assert_int_eq(wq_wait(client, id, WQ_FOREVER, 0, &result, &err), -WQ_E_GONE);
	ck_assert_int_lt(time_mono_ns() - start, 2 * NS_PER_S);
	pthread_join(s.thread, NULL);
}
END_TEST

START_TEST(a_time_out_aborts)
{
	char id[WQ_ID_SIZE];
	wq_result *result = NULL;
	enqueue(id);
	int64_t start = time_mono_ns();
	ck_assert_int_eq(wq_wait(client, id, 20 * NS_PER_MS, 0, &result, &err), -WQ_E_TIMEOUT);
	ck_assert_int_ge(time_mono_ns() - start, 20 * NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(err.text, "20ms"));
	ck_assert_ptr_nonnull(strstr(err.text, "aborted"));
	ck_assert(hand_has(&hand, SPOOL_ABORTING, id));
}
END_TEST

START_TEST(a_time_out_leaves_it_alone_where_that_is_wanted)
{
	char id[WQ_ID_SIZE];
	wq_result *result = NULL;
	enqueue(id);
	ck_assert_int_eq(
		wq_wait(client, id, 5 * NS_PER_MS, WQ_WAIT_NO_ABORT, &result, &err), -WQ_E_TIMEOUT);
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, id));
	/* A look is not a wait, so it aborts nothing. */
	ck_assert_int_eq(wq_wait(client, id, 0, 0, &result, &err), -WQ_E_TIMEOUT);
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, id));
}
END_TEST

START_TEST(what_is_no_result_is_reported_and_left)
{
	char id[WQ_ID_SIZE];
	wq_result *result = NULL;
	enqueue(id);
	ck_assert_int_eq(unlinkat(hand.spool.dir_fd[SPOOL_REQUESTED], id, 0), 0);
	hand_put_complete(&hand, id, "rubbish", 7);
	ck_assert_int_eq(wq_wait(client, id, WQ_FOREVER, 0, &result, &err), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, id));
	ck_assert(hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(a_result_of_another_id_is_refused)
{
	char id[WQ_ID_SIZE];
	wq_result *result = NULL;
	enqueue(id);
	hand_run(&hand, id, 0x01);
	int dir = hand.spool.dir_fd[SPOOL_COMPLETE];
	ck_assert_int_eq(renameat(dir, id, dir, NOBODY), 0);
	ck_assert_int_eq(wq_wait(client, NOBODY, 0, 0, &result, &err), -WQ_E_FORMAT);
}
END_TEST

static void *wait_forever(void *arg)
{
	wq_client *c = NULL;
	wq_result *result = NULL;
	ck_assert_int_eq(wq_open(&c, hand.path, NULL), 0);
	int rc = wq_wait(c, arg, WQ_FOREVER, 0, &result, NULL);
	wq_result_free(result);
	wq_close(c);
	return (void *)(intptr_t)rc;
}

START_TEST(of_two_who_wait_one_gets_the_result_and_the_other_hears_gone)
{
	for (int i = 0; i < 50; i++) {
		char id[WQ_ID_SIZE];
		pthread_t threads[2];
		void *rcs[2];
		enqueue(id);
		for (int k = 0; k < 2; k++)
			ck_assert_int_eq(pthread_create(&threads[k], NULL, wait_forever, id), 0);
		hand_run(&hand, id, 0x01);
		for (int k = 0; k < 2; k++)
			pthread_join(threads[k], &rcs[k]);
		int a = (int)(intptr_t)rcs[0], b = (int)(intptr_t)rcs[1];
		ck_assert_msg(
			(a == 0 && b == -WQ_E_GONE) || (a == -WQ_E_GONE && b == 0), "%d %d", a, b);
	}
}
END_TEST

static void on_signal(int signo)
{
	(void)signo;
}

static void *interrupt(void *arg)
{
	wait_for_sleep(getpid());
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

START_TEST(a_signal_ends_the_wait_and_leaves_the_request_alone)
{
	char id[WQ_ID_SIZE];
	wq_result *result = NULL;
	pthread_t main_thread = pthread_self(), thread;
	struct sigaction act = { .sa_handler = on_signal };
	enqueue(id);
	sigaction(SIGUSR1, &act, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt, &main_thread), 0);
	ck_assert_int_eq(wq_wait(client, id, WQ_FOREVER, 0, &result, &err), -EINTR);
	pthread_join(thread, NULL);
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, id));
}
END_TEST

/* ---- without inotify ------------------------------------------------------------------------- */

/* In place of the C library's: fails as it does when a user has too many instances. */
static bool no_inotify;

int inotify_init1(int flags)
{
	if (no_inotify) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_inotify_init1, flags);
}

START_TEST(a_wait_without_watches_ends_too)
{
	char id[WQ_ID_SIZE];
	const char *ids[] = { id };
	wq_result *result = NULL;
	struct server s = { .ids = ids, .n = 1, .act = hand_run };
	no_inotify = true;
	enqueue(id);
	server_start(&s);
	int rc = wq_wait(client, id, WQ_FOREVER, 0, &result, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	wq_result_free(result);
	pthread_join(s.thread, NULL);
}
END_TEST

START_TEST(watches_are_used_again_once_they_are_to_be_had)
{
	char id[WQ_ID_SIZE];
	const char *ids[] = { id };
	wq_result *result = NULL;
	struct server s = { .ids = ids, .n = 1, .act = hand_run };
	no_inotify = true;
	enqueue(id);
	/* Long enough for the pauses between looks to grow. */
	ck_assert_int_eq(wq_wait(client, id, 20 * NS_PER_MS, WQ_WAIT_NO_ABORT, &result, &err),
		-WQ_E_TIMEOUT);
	no_inotify = false;
	server_start(&s);
	ck_assert_int_eq(wq_wait(client, id, WQ_FOREVER, 0, &result, &err), 0);
	wq_result_free(result);
	pthread_join(s.thread, NULL);
}
END_TEST

/* ---- many ------------------------------------------------------------------------------------ */

static char many_ids[MANY][WQ_ID_SIZE];
static const char *many[MANY];

static void wait_for_all(size_t n)
{
	static uint8_t done[MANY];
	memset(done, 0, sizeof done);
	for (size_t left = n; left > 0; left--) {
		size_t i = n;
		wq_result *result = NULL;
		struct wq_result_info info = { .struct_size = sizeof info };
		int rc = wq_wait_any(client, many, done, n, WQ_FOREVER, 0, &i, &result, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_uint_lt(i, n);
		ck_assert(!done[i]);
		wq_result_info(result, &info);
		ck_assert_str_eq(info.id, many[i]);
		done[i] = 1;
		wq_result_free(result);
	}
}

START_TEST(thousands_are_waited_for_at_once)
{
	struct server s = { .ids = many, .n = MANY, .act = hand_run };
	for (size_t i = 0; i < MANY; i++) {
		enqueue(many_ids[i]);
		many[i] = many_ids[i];
	}
	server_start(&s);
	int64_t start = time_mono_ns();
	wait_for_all(MANY);
	/* Looks at all of them for each of them would take minutes. */
	ck_assert_int_lt(time_mono_ns() - start, 15 * NS_PER_S);
	pthread_join(s.thread, NULL);
}
END_TEST

START_TEST(of_many_the_one_that_is_gone_is_named)
{
	uint8_t done[3] = { 0 };
	size_t i = 99;
	wq_result *result = NULL;
	for (int k = 0; k < 3; k++) {
		enqueue(many_ids[k]);
		many[k] = many_ids[k];
	}
	hand_accept(&hand, many[1]);
	hand_withdraw(&hand, many[1]);
	ck_assert_int_eq(
		wq_wait_any(client, many, done, 3, WQ_FOREVER, 0, &i, &result, &err), -WQ_E_GONE);
	ck_assert_uint_eq(i, 1);
	done[1] = 1;
	ck_assert_int_eq(
		wq_wait_any(client, many, done, 3, NS_PER_MS, 0, &i, &result, &err), -WQ_E_TIMEOUT);
	/* At the time-out of many nothing is aborted. */
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, many[0]));
	hand_run(&hand, many[2], 0x01);
	ck_assert_int_eq(wq_wait_any(client, many, done, 3, WQ_FOREVER, 0, &i, &result, &err), 0);
	ck_assert_uint_eq(i, 2);
	wq_result_free(result);
}
END_TEST

START_TEST(an_array_that_is_used_for_other_ids_is_read_again)
{
	char id[WQ_ID_SIZE];
	const char *ids[] = { id };
	size_t i = 99;
	wq_result *result = NULL;
	enqueue(id);
	ck_assert_int_eq(
		wq_wait_any(client, ids, NULL, 1, NS_PER_MS, 0, &i, &result, &err), -WQ_E_TIMEOUT);
	enqueue(id);
	hand_run(&hand, id, 0x01);
	ck_assert_int_eq(wq_wait_any(client, ids, NULL, 1, WQ_FOREVER, 0, &i, &result, &err), 0);
	wq_result_free(result);
}
END_TEST

START_TEST(waiting_for_nothing_is_refused)
{
	uint8_t done[1] = { 1 };
	size_t i = 0;
	wq_result *result = NULL;
	many[0] = NOBODY;
	ck_assert_int_eq(
		wq_wait_any(client, many, done, 1, WQ_FOREVER, 0, &i, &result, &err), -EINVAL);
	ck_assert_int_eq(
		wq_wait_any(client, many, NULL, 0, WQ_FOREVER, 0, &i, &result, &err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client/wait");
	TCase *t = tcase_create("one");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_wait_ends_when_the_result_is_published);
	tcase_add_test(t, a_request_that_is_put_back_again_and_again_is_not_called_gone);
	tcase_add_test(t, a_result_that_is_there_already_is_taken_at_once);
	tcase_add_test(t, a_kept_result_can_be_read_again);
	tcase_add_test(t, a_kept_result_is_taken_away_by_collect_once);
	tcase_add_test(t, an_id_that_is_nowhere_is_gone_at_once);
	tcase_add_test(t, a_request_that_is_aborted_while_we_wait_is_gone);
	tcase_add_test(t, a_time_out_aborts);
	tcase_add_test(t, a_time_out_leaves_it_alone_where_that_is_wanted);
	tcase_add_test(t, what_is_no_result_is_reported_and_left);
	tcase_add_test(t, a_result_of_another_id_is_refused);
	tcase_add_test(t, of_two_who_wait_one_gets_the_result_and_the_other_hears_gone);
	tcase_add_test(t, a_signal_ends_the_wait_and_leaves_the_request_alone);
	tcase_add_test(t, a_wait_without_watches_ends_too);
	tcase_add_test(t, watches_are_used_again_once_they_are_to_be_had);
	suite_add_tcase(s, t);
	t = tcase_create("many");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, thousands_are_waited_for_at_once);
	tcase_add_test(t, of_many_the_one_that_is_gone_is_named);
	tcase_add_test(t, an_array_that_is_used_for_other_ids_is_read_again);
	tcase_add_test(t, waiting_for_nothing_is_refused);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
