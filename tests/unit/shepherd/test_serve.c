/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/serve.h"

#include "support/shepherd/caller.h"
#include "support/shepherd/place.h"

#include <check.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TIME_LIMIT_S = 30,
	/* What a server had ordered when it was killed: more than is read at once, and more than the
	 * default of a socket. */
	ORDERS = 20,
	ROOM = 1024 * 1024
};

/* ---- hello ----------------------------------------------------------------------------------- */

START_TEST(a_hello_is_answered_with_a_hello)
{
	caller_greet(60000);

	ck_assert_uint_eq(caller_frame.hello.major, 1);
	ck_assert_int_eq(caller_frame.hello.pid, getpid());
	ck_assert_str_eq(caller_frame.hello.version, WQ_VERSION);
	ck_assert_str_eq(
		caller_frame.hello.containment, herd_containment(serve_herd(caller_serve)));
	ck_assert(!caller_frame.hello.same_boot);
}
END_TEST

START_TEST(the_socket_is_for_its_user_alone)
{
	struct stat st;
	ck_assert_int_eq(fstatat(place_fd, "shepherd.sock", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(a_hello_of_another_major_is_answered_and_that_is_all)
{
	struct buf b = { 0 };
	caller_fd = caller_connect();
	caller_put_hello(&b, FRAME_MAJOR + 1, 0);
	caller_put_spawn(&b, "a", "true");
	caller_send(caller_fd, &b);

	caller_expect(FRAME_HELLO);
	ck_assert_uint_eq(caller_frame.hello.major, FRAME_MAJOR);
	ck_assert_int_eq(caller_next(caller_fd, -1), 0);
	ck_assert_uint_eq(herd_size(serve_herd(caller_serve)), 0);
}
END_TEST

START_TEST(an_order_before_a_hello_closes_the_connection)
{
	struct buf b = { 0 };
	caller_fd = caller_connect();
	caller_put_spawn(&b, "a", "true");
	caller_send(caller_fd, &b);

	ck_assert_int_eq(caller_next(caller_fd, -1), 0);
	ck_assert_uint_eq(herd_size(serve_herd(caller_serve)), 0);
}
END_TEST

START_TEST(what_makes_no_sense_closes_the_connection_and_the_next_is_served)
{
	caller_greet(60000);
	ck_assert_int_eq(send(caller_fd, "\xff\xff\xff\xff hello", 10, 0), 10);
	ck_assert_int_eq(caller_next(caller_fd, -1), 0);
	caller_disconnect();

	caller_greet(60000);
}
END_TEST

/* ---- orders ---------------------------------------------------------------------------------- */

START_TEST(what_is_known_is_told_and_then_what_has_ended)
{
	caller_greet(60000);
	caller_spawn("a", "exit 3");
	caller_expect(FRAME_ENDED);
	caller_spawn("b", "sleep 1000");
	for (int i = 0; i < 2; i++) {
		caller_order(FRAME_LIST);
		caller_expect(FRAME_CHILD);
		ck_assert_str_eq(caller_frame.child.name, "a");
		ck_assert_int_eq(caller_frame.child.pid, 0);
		caller_expect(FRAME_CHILD);
		ck_assert_str_eq(caller_frame.child.name, "b");
		ck_assert_int_gt(caller_frame.child.pid, 0);
		caller_expect(FRAME_LISTED);
		caller_expect(FRAME_ENDED);
		ck_assert_str_eq(caller_frame.name, "a");
		ck_assert_int_eq(caller_frame.ended.code, 3);
	}

	caller_ack("a");
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	ck_assert_str_eq(caller_frame.child.name, "b");
	caller_expect(FRAME_LISTED);

	struct buf b = { 0 };
	ck_assert_int_eq(frame_put_end(&b, "b", WQ_TERM_NOW, 0), 0);
	caller_send(caller_fd, &b);
	caller_expect(FRAME_ENDED);
	ck_assert_str_eq(caller_frame.name, "b");
	ck_assert_int_eq(caller_frame.ended.signal, SIGKILL);
}
END_TEST

START_TEST(a_kind_that_is_not_known_is_passed_over)
{
	static const char freeze[] = "\0\0\0\x0e\xa1\x65"
				     "frame\x66"
				     "freeze";
	caller_greet(60000);
	ck_assert_int_eq(send(caller_fd, freeze, sizeof freeze - 1, 0), sizeof freeze - 1);
	caller_order(FRAME_LIST);

	caller_expect(FRAME_LISTED);
}
END_TEST

/* Byte by byte, with rounds between. */
START_TEST(a_frame_may_come_in_pieces)
{
	struct buf b = { 0 };
	caller_greet(60000);
	caller_put_spawn(&b, "a", "exit 4");
	for (size_t i = 0; i < b.len; i++) {
		ck_assert_int_eq(send(caller_fd, b.data + i, 1, 0), 1);
		ck_assert_int_eq(loop_run_once(caller_loop, CALLER_ROUND_NS), 0);
	}
	buf_fini(&b);

	caller_expect(FRAME_ENDED);
	ck_assert_int_eq(caller_frame.ended.code, 4);
}
END_TEST

/* ---- one after the other --------------------------------------------------------------------- */

/* What a server that was killed had written is carried out before the next is told what there is. */
START_TEST(orders_of_a_server_that_is_gone_are_carried_out_before_the_next_is_answered)
{
	caller_greet(60000);
	int next = caller_connect();
	struct buf b = { 0 };
	caller_put_hello(&b, FRAME_MAJOR, 60000);
	ck_assert_int_eq(frame_put_simple(&b, FRAME_LIST), 0);
	caller_send(next, &b);
	for (int i = 0; i < 100; i++) {
		char name[8];
		snprintf(name, sizeof name, "c%d", i);
		caller_put_spawn(&b, name, "exit 0");
	}
	caller_order(FRAME_LIST); /* its answer stays unread, so its end is a reset */
	caller_send(caller_fd, &b);
	caller_become(next);

	caller_expect(FRAME_HELLO);
	for (int i = 0; i < 100; i++)
		caller_expect(FRAME_CHILD);
	caller_expect(FRAME_LISTED);
	for (int i = 0; i < 100; i++)
		caller_expect(FRAME_ENDED);
}
END_TEST

/* As far as it is read. */
static void order_lists(int n)
{
	struct buf b = { 0 };
	int idle = 0;
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(frame_put_simple(&b, FRAME_LIST), 0);
	for (size_t at = 0; at < b.len && idle < 20;) {
		ssize_t sent = send(caller_fd, b.data + at, b.len - at, MSG_NOSIGNAL);
		idle = sent > 0 ? 0 : idle + 1;
		at += sent > 0 ? (size_t)sent : 0;
		ck_assert_int_eq(loop_run_once(caller_loop, 0), 0);
	}
	buf_fini(&b);
}

static void wait_until_all_is_read(void)
{
	int waiting = 1;
	while (ioctl(caller_fd, SIOCOUTQ, &waiting) == 0 && waiting > 0)
		ck_assert_int_eq(loop_run_once(caller_loop, CALLER_ROUND_NS), 0);
}

static void write_orders(void)
{
	struct buf b = { 0 };
	for (int i = 0; i < ORDERS; i++) {
		char name[8];
		snprintf(name, sizeof name, "c%d", i);
		caller_put_spawn_with(&b, name, "exit 0", 0, CALLER_INPUT_MAX);
	}
	ck_assert_int_eq(
		setsockopt(caller_fd, SOL_SOCKET, SO_SNDBUF, &(int){ ROOM }, sizeof(int)), 0);
	caller_send(caller_fd, &b);
}

/* What a server that was killed has not read decides how its end looks from here. */
enum unread {
	UNREAD_NOTHING,
	UNREAD_ANSWER,  /* in its socket */
	UNREAD_MUCH,    /* in our memory too */
	UNREAD_TOO_MUCH /* so much that its orders wait */
};

static void leave_unread(enum unread unread)
{
	static const int lists[] = { 0, 1, 4000, 100 * 1000 };
	if (unread == UNREAD_NOTHING)
		return;
	order_lists(lists[unread]);
	if (unread != UNREAD_TOO_MUCH)
		wait_until_all_is_read();
}

static void expect_all_orders(void)
{
	int begun = 0, ended = 0;
	caller_disconnect();
	caller_greet(60000);
	caller_order(FRAME_LIST);
	for (caller_expect(FRAME_CHILD); caller_frame.kind == FRAME_CHILD;) {
		begun += caller_frame.child.name[0] == 'c';
		ck_assert_int_eq(caller_next(caller_fd, -1), 1);
	}
	ck_assert_int_eq(caller_frame.kind, FRAME_LISTED);
	ck_assert_int_eq(begun, ORDERS);
	while (ended < ORDERS) {
		caller_expect(FRAME_ENDED);
		ended += caller_frame.name[0] == 'c';
	}
}

START_TEST(all_that_a_killed_server_had_written_is_read)
{
	caller_greet(60000);
	caller_spawn("a", "exit 0");
	caller_expect(FRAME_ENDED);
	leave_unread((enum unread)_i);
	write_orders();

	expect_all_orders();
}
END_TEST

/* To tell it of an end fails first, and takes the error away that a read would have met. */
START_TEST(an_end_that_cannot_be_told_leaves_the_orders_of_a_killed_server_alone)
{
	caller_greet(60000);
	ck_assert_int_eq(mkfifoat(place_fd, "work/gate", 0600), 0);
	caller_spawn("a", "read x <gate");
	leave_unread((enum unread)_i);
	int gate = openat(place_fd, "work/gate", O_RDWR | O_CLOEXEC);
	wait_until_all_is_read();
	write_orders();
	ck_assert_int_eq(write(gate, "\n", 1), 1);
	siginfo_t info;
	ck_assert_int_eq(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);

	expect_all_orders();
	(void)close(gate);
}
END_TEST

START_TEST(orders_of_a_server_that_reads_no_more_are_read)
{
	caller_greet(60000);
	ck_assert_int_eq(shutdown(caller_fd, SHUT_RD), 0);
	caller_order(FRAME_LIST);
	wait_until_all_is_read();
	write_orders();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_run_once(caller_loop, CALLER_ROUND_NS), 0);

	expect_all_orders();
}
END_TEST

START_TEST(a_second_connection_waits_for_the_end_of_the_first)
{
	caller_greet(60000);
	int next = caller_connect();
	struct buf b = { 0 };
	caller_put_hello(&b, FRAME_MAJOR, 60000);
	caller_send(next, &b);
	ck_assert_int_eq(caller_next(next, 50), -1);
	caller_become(next);

	caller_expect(FRAME_HELLO);
}
END_TEST

START_TEST(a_server_that_does_not_read_is_not_read_either)
{
	struct buf b = { 0 };
	size_t sent = 0;
	int idle = 0;
	caller_greet(60000);
	caller_spawn("a", "exit 0");
	caller_expect(FRAME_ENDED);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(frame_put_simple(&b, FRAME_LIST), 0);
	/* Each is answered by many times its size. */
	for (size_t at = 0; idle < 20;) {
		ssize_t n = send(caller_fd, b.data + at, b.len - at, MSG_NOSIGNAL);
		idle = n > 0 ? 0 : idle + 1;
		at = (at + (n > 0 ? (size_t)n : 0)) % b.len;
		sent += n > 0 ? (size_t)n : 0;
		ck_assert_int_eq(loop_run_once(caller_loop, 0), 0);
	}
	ck_assert_uint_lt(sent, 32u << 20);
	buf_fini(&b);

	/* And all of it is answered once it reads: as many as it has asked for. */
	size_t asked = sent / 16, listed = 0;
	while (listed < asked) {
		ck_assert_int_eq(caller_next(caller_fd, -1), 1);
		listed += caller_frame.kind == FRAME_LISTED;
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("shepherd/serve");
	TCase *tc = tcase_create("serve");
	tcase_set_timeout(tc, TIME_LIMIT_S);
	tcase_add_checked_fixture(tc, caller_setup, caller_teardown);
	tcase_add_test(tc, a_hello_is_answered_with_a_hello);
	tcase_add_test(tc, the_socket_is_for_its_user_alone);
	tcase_add_test(tc, a_hello_of_another_major_is_answered_and_that_is_all);
	tcase_add_test(tc, an_order_before_a_hello_closes_the_connection);
	tcase_add_test(tc, what_makes_no_sense_closes_the_connection_and_the_next_is_served);
	tcase_add_test(tc, what_is_known_is_told_and_then_what_has_ended);
	tcase_add_test(tc, a_kind_that_is_not_known_is_passed_over);
	tcase_add_test(tc, a_frame_may_come_in_pieces);
	tcase_add_test(
		tc, orders_of_a_server_that_is_gone_are_carried_out_before_the_next_is_answered);
	tcase_add_loop_test(
		tc, all_that_a_killed_server_had_written_is_read, 0, UNREAD_TOO_MUCH + 1);
	tcase_add_loop_test(tc,
		an_end_that_cannot_be_told_leaves_the_orders_of_a_killed_server_alone, 0,
		UNREAD_MUCH + 1);
	tcase_add_test(tc, orders_of_a_server_that_reads_no_more_are_read);
	tcase_add_test(tc, a_second_connection_waits_for_the_end_of_the_first);
	tcase_add_test(tc, a_server_that_does_not_read_is_not_read_either);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
