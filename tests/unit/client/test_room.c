/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client makes of a server that takes nothing now. */
#include <wq/client.h>

#include "base/buf.h"
#include "base/time.h"
#include "codec/request.h"
#include "codec/status.h"
#include "spool/read.h"
#include "spool/space.h"
#include "support/client/hand.h"

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	NOBODY = 65534
};

static struct hand hand;
static wq_client *client;
static struct wq_err err;
static struct status_page page;

static void open_all(void)
{
	hand_open(&hand);
	memset(&err, 0, sizeof err);
	int rc = wq_open(&client, hand.path, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	page = (struct status_page){
		.accepting = true, .pid = getpid(), .queue_limit = 1000, .durability = "none"
	};
}

/* Root may write anywhere, so a gate is seen by another user only. */
static void open_unprivileged(void)
{
	if (geteuid() == 0)
		ck_assert(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
			  setresuid(NOBODY, NOBODY, NOBODY) == 0);
	open_all();
}

static void close_all(void)
{
	wq_close(client);
	hand_close(&hand);
}

static char last_id[WQ_ID_SIZE];

static int enqueue_one(void)
{
	struct wq_request request = { .struct_size = sizeof request };
	hand_page(&hand, &page);
	return wq_enqueue(client, &request, last_id, &err);
}

/* The server has accepted what was enqueued before. */
static int enqueue(void)
{
	if (last_id[0])
		page.hwm_us = hand_id(last_id).us;
	return enqueue_one();
}

/* ---- the queue is full ------------------------------------------------------------------------- */

START_TEST(up_to_95_percent_of_the_limit_it_is_taken_and_above_it_is_not)
{
	static const struct {
		uint64_t limit, most;
	} cases[] = { { 1000, 950 }, { 100000, 95000 }, { 20, 19 }, { 10, 10 }, { 1, 1 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		page.queue_limit = cases[i].limit;
		page.depth = cases[i].most;
		ck_assert_int_eq(enqueue(), 0);
		page.depth++;
		ck_assert_int_eq(enqueue(), -EAGAIN);
		ck_assert_str_eq(err.name, "queue-full");
	}
}
END_TEST

START_TEST(the_sentence_says_how_many_wait_and_how_many_may)
{
	page.depth = 951;
	ck_assert_int_eq(enqueue(), -EAGAIN);
	ck_assert_str_eq(err.text,
		"the queue is full: 951 requests wait, and queue-limit is 1000; try again when "
		"some of them have been started");
}
END_TEST

START_TEST(a_server_that_says_full_is_believed)
{
	page.accepting = false;
	strcpy(page.why, "queue-full");
	page.depth = page.queue_limit = 2;
	ck_assert_int_eq(enqueue(), -EAGAIN);
	ck_assert_str_eq(err.name, "queue-full");
}
END_TEST

/* Nothing but a server makes it shorter. */
START_TEST(it_is_full_while_no_server_runs_too)
{
	page.depth = 951;
	page.pid = 0;
	ck_assert_int_eq(enqueue(), -EAGAIN);
	page.depth = 950;
	ck_assert_int_eq(enqueue(), 0);
}
END_TEST

/* The server counts them when it gets to it, and says so by its mark. */
START_TEST(ones_own_count_as_long_as_the_server_has_not_accepted_them)
{
	uint64_t eighth_us = 0;
	page.queue_limit = 20;
	page.depth = 10;
	for (int i = 1; i <= 10; i++) {
		ck_assert_int_eq(enqueue_one(), 0);
		if (i == 8)
			eighth_us = hand_id(last_id).us;
	}
	ck_assert_int_eq(enqueue_one(), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(err.text, "20 requests wait"));
	ck_assert_int_eq(wq_wait_room(client, 0, &err), -WQ_E_TIMEOUT);

	/* Two are not accepted yet. */
	page.hwm_us = eighth_us;
	page.depth = 17;
	ck_assert_int_eq(enqueue_one(), 0);
	ck_assert_int_eq(enqueue_one(), -EAGAIN);
	page.depth = 0;
	for (int i = 0; i < 17; i++)
		ck_assert_int_eq(enqueue_one(), 0);
	ck_assert_int_eq(enqueue_one(), -EAGAIN);
}
END_TEST

START_TEST(of_a_server_that_knows_no_limit_none_is_known)
{
	page.queue_limit = 0;
	page.depth = UINT64_MAX;
	ck_assert_int_eq(enqueue(), 0);
}
END_TEST

/* ---- no space ---------------------------------------------------------------------------------- */

START_TEST(a_server_without_space_says_so)
{
	page.accepting = false;
	strcpy(page.why, "no-space");
	strcpy(page.reason, "only 3M are free");
	ck_assert_int_eq(enqueue(), -EAGAIN);
	ck_assert_str_eq(err.name, "no-space");
	ck_assert_ptr_nonnull(strstr(err.text, "only 3M are free"));
}
END_TEST

START_TEST(any_other_reason_is_not_accepting)
{
	page.accepting = false;
	strcpy(page.why, "storage-error");
	ck_assert_int_eq(enqueue(), -EAGAIN);
	ck_assert_str_eq(err.name, "not-accepting");
}
END_TEST

START_TEST(a_closed_gate_is_no_lack_of_permission)
{
	ck_assert_int_eq(enqueue(), 0);
	ck_assert_int_eq(space_close_gate(&hand.spool), 0);
	ck_assert_int_eq(enqueue(), -EAGAIN);
	ck_assert_str_eq(err.name, "no-space");
	ck_assert_ptr_nonnull(strstr(err.text, "1-requested"));
	ck_assert_int_eq(wq_wait_room(client, 0, &err), -WQ_E_TIMEOUT);

	ck_assert_int_eq(space_open_gate(&hand.spool), 1);
	ck_assert_int_eq(wq_wait_room(client, 0, &err), 0);
	ck_assert_int_eq(enqueue(), 0);
}
END_TEST

/* ---- waiting ----------------------------------------------------------------------------------- */

START_TEST(with_room_there_is_nothing_to_wait_for)
{
	hand_page(&hand, &page);
	ck_assert_int_eq(wq_wait_room(client, WQ_FOREVER, &err), 0);
	page.accepting = false;
	page.pid = 0;
	hand_page(&hand, &page);
	ck_assert_int_eq(wq_wait_room(client, WQ_FOREVER, &err), 0);
}
END_TEST

START_TEST(who_waits_in_vain_is_told_why)
{
	page.depth = 999;
	hand_page(&hand, &page);
	int64_t begin = time_mono_ns();
	ck_assert_int_eq(wq_wait_room(client, 50 * NS_PER_MS, &err), -WQ_E_TIMEOUT);
	ck_assert_int_ge(time_mono_ns() - begin, 50 * NS_PER_MS);
	ck_assert_str_eq(err.name, "queue-full");
	ck_assert_ptr_nonnull(strstr(err.text, "999"));
	ck_assert_int_eq(wq_wait_room(client, 0, &err), -WQ_E_TIMEOUT);
}
END_TEST

static void *make_room_later(void *arg)
{
	(void)arg;
	usleep(100000); /* so that it is waited for */
	page.depth = 0;
	hand_page(&hand, &page);
	return NULL;
}

START_TEST(room_that_comes_ends_the_wait)
{
	pthread_t other;
	page.depth = 999;
	hand_page(&hand, &page);
	int64_t begin = time_mono_ns();
	ck_assert_int_eq(pthread_create(&other, NULL, make_room_later, NULL), 0);
	ck_assert_int_eq(wq_wait_room(client, WQ_FOREVER, &err), 0);
	ck_assert_int_lt(time_mono_ns() - begin, 3 * NS_PER_S);
	pthread_join(other, NULL);
}
END_TEST

static void on_alarm(int signo)
{
	(void)signo;
}

START_TEST(a_signal_ends_the_wait)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value = { .tv_usec = 50000 },
		.it_interval = { .tv_usec = 50000 } };
	page.depth = 999;
	hand_page(&hand, &page);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	ck_assert_int_eq(wq_wait_room(client, WQ_FOREVER, &err), -EINTR);
}
END_TEST

/* ---- durations --------------------------------------------------------------------------------- */

START_TEST(durations_stand_in_the_request)
{
	struct wq_request request = { .struct_size = sizeof request,
		.run_limit_ns = 1,
		.start_within_ns = 2,
		.keep_for_ns = INT64_MAX };
	char id[WQ_ID_SIZE];
	struct buf bytes = { 0 };
	struct request req;
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
	ck_assert_int_eq(read_request(&hand.spool, SPOOL_REQUESTED, hand_id(id), 4096, 0, &bytes,
				 NULL, &err),
		0);
	ck_assert_int_eq(request_decode(bytes.data, bytes.len, &req, &err), 0);
	ck_assert_int_eq(req.run_limit_ns, 1);
	ck_assert_int_eq(req.start_within_ns, 2);
	ck_assert_int_eq(req.keep_for_ns, INT64_MAX);
	buf_fini(&bytes);

	request.start_within_ns = -1;
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "start within"));
	request.start_within_ns = 0;
	request.keep_for_ns = -1;
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "kept for"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("client/room");
	TCase *tc = tcase_create("room");
	tcase_add_checked_fixture(tc, open_all, close_all);
	tcase_add_test(tc, up_to_95_percent_of_the_limit_it_is_taken_and_above_it_is_not);
	tcase_add_test(tc, the_sentence_says_how_many_wait_and_how_many_may);
	tcase_add_test(tc, a_server_that_says_full_is_believed);
	tcase_add_test(tc, it_is_full_while_no_server_runs_too);
	tcase_add_test(tc, ones_own_count_as_long_as_the_server_has_not_accepted_them);
	tcase_add_test(tc, of_a_server_that_knows_no_limit_none_is_known);
	tcase_add_test(tc, a_server_without_space_says_so);
	tcase_add_test(tc, any_other_reason_is_not_accepting);
	tcase_add_test(tc, with_room_there_is_nothing_to_wait_for);
	tcase_add_test(tc, who_waits_in_vain_is_told_why);
	tcase_add_test(tc, room_that_comes_ends_the_wait);
	tcase_add_test(tc, a_signal_ends_the_wait);
	tcase_add_test(tc, durations_stand_in_the_request);
	suite_add_tcase(suite, tc);
	tc = tcase_create("gate");
	tcase_add_checked_fixture(tc, open_unprivileged, close_all);
	tcase_add_test(tc, a_closed_gate_is_no_lack_of_permission);
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
