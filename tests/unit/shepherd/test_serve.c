/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/serve.h"

#include "base/address.h"
#include "base/log.h"
#include "support/shepherd/place.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TIME_LIMIT_S = 30,
	ROUND_NS = 1000000 /* of a wait for nothing to happen */
};

static struct loop *loop;
static struct serve *serve;
static struct wq_err err;
static int client = -1;
static struct buf in;
static size_t in_at;
static struct frame frame;

static void setup(void)
{
	log_set_level(LOG_LEVEL_ERR);
	place_open();
	place_mkdir("run", 0700);
	place_mkdir("work", 0700);
	err = (struct wq_err){ .struct_size = sizeof err };
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	ck_assert_msg(serve_new(&serve, loop, place_fd, "testserve", &err) == 0, "%s", err.text);
}

static void teardown(void)
{
	serve_free(serve);
	loop_free(loop);
	buf_fini(&in);
	if (client >= 0)
		(void)close(client);
	place_close();
}

/* ---- a server -------------------------------------------------------------------------------- */

static int connect_one(void)
{
	struct sockaddr_un address;
	ck_assert_int_eq(address_make(&address, place_fd, "shepherd.sock"), 0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void send_all(int fd, struct buf *b)
{
	ck_assert_int_eq(send(fd, b->data, b->len, MSG_NOSIGNAL), (ssize_t)b->len);
	buf_fini(b);
}

static void put_hello(struct buf *b, uint32_t major, int64_t linger_ms)
{
	struct frame_hello hello = { .major = major, .pid = getpid(), .linger_ms = linger_ms };
	ck_assert_int_eq(frame_put_hello(b, &hello), 0);
}

static void put_spawn(struct buf *b, const char *name, const char *script)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct frame_spawn s = { .tag = "u.1",
		.work_dir = place_at("work"),
		.out_name = "stdout",
		.err_name = "stderr",
		.what = { .argv = argv, .out_limit = 1000, .err_limit = 1000, .grace_ms = 1000 } };
	snprintf(s.name, sizeof s.name, "%s", name);
	ck_assert_int_eq(frame_put_spawn(b, &s), 0);
}

/* The next frame of the shepherd: 1; 0: it has closed; -1: nothing, after many rounds. */
static int next_frame(int fd, int rounds)
{
	while (rounds-- != 0) {
		int64_t n = frame_take(in.data + in_at, in.len - in_at, &frame, &err);
		ck_assert_int_ge(n, 0);
		if (n > 0) {
			in_at += (size_t)n;
			return 1;
		}
		char bytes[65536];
		ssize_t got = recv(fd, bytes, sizeof bytes, 0);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return 0;
		if (got > 0)
			ck_assert_int_eq(buf_add(&in, bytes, (size_t)got), 0);
		else
			ck_assert_int_eq(loop_run_once(loop, ROUND_NS), 0);
	}
	return -1;
}

static void expect(enum frame_kind kind)
{
	ck_assert_int_eq(next_frame(client, -1), 1);
	ck_assert_int_eq(frame.kind, kind);
}

static void greet(int64_t linger_ms)
{
	struct buf b = { 0 };
	client = connect_one();
	put_hello(&b, FRAME_MAJOR, linger_ms);
	send_all(client, &b);
	expect(FRAME_HELLO);
}

static void order(enum frame_kind kind)
{
	struct buf b = { 0 };
	ck_assert_int_eq(frame_put_simple(&b, kind), 0);
	send_all(client, &b);
}

static void order_spawn(const char *name, const char *script)
{
	struct buf b = { 0 };
	put_spawn(&b, name, script);
	send_all(client, &b);
}

static void order_ack(const char *name)
{
	struct buf b = { 0 };
	ck_assert_int_eq(frame_put_ack(&b, name), 0);
	send_all(client, &b);
}

static void run_until_done(void)
{
	while (!serve_is_done(serve))
		ck_assert_int_eq(loop_run_once(loop, -1), 0);
}

/* ---- hello ----------------------------------------------------------------------------------- */

START_TEST(a_hello_is_answered_with_a_hello)
{
	greet(60000);

	ck_assert_uint_eq(frame.hello.major, 1);
	ck_assert_int_eq(frame.hello.pid, getpid());
	ck_assert_str_eq(frame.hello.version, WQ_VERSION);
	ck_assert_str_eq(frame.hello.containment, herd_containment(serve_herd(serve)));
	ck_assert(!frame.hello.same_boot);
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
	client = connect_one();
	put_hello(&b, FRAME_MAJOR + 1, 0);
	put_spawn(&b, "a", "true");
	send_all(client, &b);

	expect(FRAME_HELLO);
	ck_assert_uint_eq(frame.hello.major, FRAME_MAJOR);
	ck_assert_int_eq(next_frame(client, -1), 0);
	ck_assert_uint_eq(herd_size(serve_herd(serve)), 0);
}
END_TEST

START_TEST(an_order_before_a_hello_closes_the_connection)
{
	struct buf b = { 0 };
	client = connect_one();
	put_spawn(&b, "a", "true");
	send_all(client, &b);

	ck_assert_int_eq(next_frame(client, -1), 0);
	ck_assert_uint_eq(herd_size(serve_herd(serve)), 0);
}
END_TEST

START_TEST(what_makes_no_sense_closes_the_connection_and_the_next_is_served)
{
	greet(60000);
	ck_assert_int_eq(send(client, "\xff\xff\xff\xff hello", 10, 0), 10);
	ck_assert_int_eq(next_frame(client, -1), 0);
	(void)close(client);

	greet(60000);
}
END_TEST

/* ---- orders ---------------------------------------------------------------------------------- */

START_TEST(what_is_known_is_told_and_then_what_has_ended)
{
	greet(60000);
	order_spawn("a", "exit 3");
	expect(FRAME_ENDED);
	order_spawn("b", "sleep 1000");
	for (int i = 0; i < 2; i++) {
		order(FRAME_LIST);
		expect(FRAME_CHILD);
		ck_assert_str_eq(frame.child.name, "a");
		ck_assert_int_eq(frame.child.pid, 0);
		expect(FRAME_CHILD);
		ck_assert_str_eq(frame.child.name, "b");
		ck_assert_int_gt(frame.child.pid, 0);
		expect(FRAME_LISTED);
		expect(FRAME_ENDED);
		ck_assert_str_eq(frame.name, "a");
		ck_assert_int_eq(frame.ended.code, 3);
	}

	order_ack("a");
	order(FRAME_LIST);
	expect(FRAME_CHILD);
	ck_assert_str_eq(frame.child.name, "b");
	expect(FRAME_LISTED);

	struct buf b = { 0 };
	ck_assert_int_eq(frame_put_end(&b, "b", WQ_TERM_NOW, 0), 0);
	send_all(client, &b);
	expect(FRAME_ENDED);
	ck_assert_str_eq(frame.name, "b");
	ck_assert_int_eq(frame.ended.signal, SIGKILL);
}
END_TEST

START_TEST(a_kind_that_is_not_known_is_passed_over)
{
	static const char freeze[] = "\0\0\0\x0e\xa1\x65"
				     "frame\x66"
				     "freeze";
	greet(60000);
	ck_assert_int_eq(send(client, freeze, sizeof freeze - 1, 0), sizeof freeze - 1);
	order(FRAME_LIST);

	expect(FRAME_LISTED);
}
END_TEST

/* Byte by byte, with rounds between. */
START_TEST(a_frame_may_come_in_pieces)
{
	struct buf b = { 0 };
	greet(60000);
	put_spawn(&b, "a", "exit 4");
	for (size_t i = 0; i < b.len; i++) {
		ck_assert_int_eq(send(client, b.data + i, 1, 0), 1);
		ck_assert_int_eq(loop_run_once(loop, ROUND_NS), 0);
	}
	buf_fini(&b);

	expect(FRAME_ENDED);
	ck_assert_int_eq(frame.ended.code, 4);
}
END_TEST

/* ---- one after the other --------------------------------------------------------------------- */

/* What a server that was killed had written is carried out before the next is told what there is. */
START_TEST(orders_of_a_server_that_is_gone_are_carried_out_before_the_next_is_answered)
{
	greet(60000);
	int next = connect_one();
	struct buf b = { 0 };
	put_hello(&b, FRAME_MAJOR, 60000);
	ck_assert_int_eq(frame_put_simple(&b, FRAME_LIST), 0);
	send_all(next, &b);
	for (int i = 0; i < 100; i++) {
		char name[8];
		snprintf(name, sizeof name, "c%d", i);
		put_spawn(&b, name, "exit 0");
	}
	order(FRAME_LIST); /* its answer stays unread, so its end is a reset */
	send_all(client, &b);
	(void)close(client);
	client = next;
	in_at = in.len = 0;

	expect(FRAME_HELLO);
	for (int i = 0; i < 100; i++)
		expect(FRAME_CHILD);
	expect(FRAME_LISTED);
	for (int i = 0; i < 100; i++)
		expect(FRAME_ENDED);
}
END_TEST

START_TEST(a_second_connection_waits_for_the_end_of_the_first)
{
	greet(60000);
	int first = client;
	int next = connect_one();
	struct buf b = { 0 };
	put_hello(&b, FRAME_MAJOR, 60000);
	send_all(next, &b);
	ck_assert_int_eq(next_frame(next, 50), -1);
	(void)close(first);
	client = next;

	expect(FRAME_HELLO);
}
END_TEST

START_TEST(a_server_that_does_not_read_is_not_read_either)
{
	struct buf b = { 0 };
	size_t sent = 0;
	int idle = 0;
	greet(60000);
	order_spawn("a", "exit 0");
	expect(FRAME_ENDED);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(frame_put_simple(&b, FRAME_LIST), 0);
	/* Each is answered by many times its size. */
	for (size_t at = 0; idle < 20;) {
		ssize_t n = send(client, b.data + at, b.len - at, MSG_NOSIGNAL);
		idle = n > 0 ? 0 : idle + 1;
		at = (at + (n > 0 ? (size_t)n : 0)) % b.len;
		sent += n > 0 ? (size_t)n : 0;
		ck_assert_int_eq(loop_run_once(loop, 0), 0);
	}
	ck_assert_uint_lt(sent, 32u << 20);
	buf_fini(&b);

	/* And all of it is answered once it reads: as many as it has asked for. */
	size_t asked = sent / 16, listed = 0;
	while (listed < asked) {
		ck_assert_int_eq(next_frame(client, -1), 1);
		listed += frame.kind == FRAME_LISTED;
		if (in_at > 1 << 20) {
			memmove(in.data, in.data + in_at, in.len - in_at);
			in.len -= in_at;
			in_at = 0;
		}
	}
}
END_TEST

/* ---- its own end ----------------------------------------------------------------------------- */

START_TEST(it_quits_when_it_knows_no_child)
{
	greet(60000);
	order_spawn("a", "true");
	expect(FRAME_ENDED);
	order(FRAME_QUIT);
	order(FRAME_LIST);
	expect(FRAME_CHILD);
	ck_assert(!serve_is_done(serve));

	order_ack("a");
	order(FRAME_QUIT);

	run_until_done();
}
END_TEST

START_TEST(it_stays_while_an_end_is_not_acknowledged)
{
	greet(0);
	order_spawn("a", "true");
	expect(FRAME_ENDED);
	(void)close(client);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(loop_run_once(loop, ROUND_NS), 0);
	ck_assert(!serve_is_done(serve));

	greet(0);
	order_ack("a");
	(void)close(client);
	client = -1;

	run_until_done();
}
END_TEST

START_TEST(a_stop_ends_all_children_and_waits_for_the_server_to_take_note)
{
	greet(60000);
	order_spawn("a", "sleep 1000");
	order(FRAME_LIST);
	expect(FRAME_CHILD);
	expect(FRAME_LISTED);

	serve_stop(serve, 60000);

	expect(FRAME_ENDED);
	ck_assert_int_eq(frame.ended.signal, SIGTERM);
	ck_assert(!serve_is_done(serve));
	order_spawn("b", "true");
	expect(FRAME_ENDED);
	ck_assert_str_eq(frame.name, "b");
	ck_assert_int_eq(frame.ended.how, WQ_CHILD_NOT_STARTED);
	order_ack("a");
	run_until_done();
}
END_TEST

START_TEST(there_is_one_for_a_spool)
{
	struct serve *second = NULL;
	struct loop *other = loop_new();

	ck_assert_int_eq(serve_new(&second, other, place_fd, "testserve", &err), -WQ_E_LOCKED);

	ck_assert_str_eq(err.text, "another wq-shepherd serves this spool");
	loop_free(other);
	greet(60000); /* the first has lost nothing by it */
}
END_TEST

START_TEST(it_leaves_no_socket_and_no_descriptor)
{
	struct serve *second = NULL;
	serve_free(serve);
	loop_free(loop);
	serve = NULL;
	struct stat st;
	ck_assert_int_lt(fstatat(place_fd, "shepherd.sock", &st, 0), 0);
	int fds = place_open_fds();

	loop = loop_new();
	ck_assert_int_eq(serve_new(&second, loop, place_fd, "testserve", &err), 0);
	serve_free(second);
	loop_free(loop);

	ck_assert_int_eq(place_open_fds(), fds);
	loop = NULL;
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("shepherd/serve");
	TCase *tc = tcase_create("serve");
	tcase_set_timeout(tc, TIME_LIMIT_S);
	tcase_add_checked_fixture(tc, setup, teardown);
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
	tcase_add_test(tc, a_second_connection_waits_for_the_end_of_the_first);
	tcase_add_test(tc, a_server_that_does_not_read_is_not_read_either);
	tcase_add_test(tc, it_quits_when_it_knows_no_child);
	tcase_add_test(tc, it_stays_while_an_end_is_not_acknowledged);
	tcase_add_test(tc, a_stop_ends_all_children_and_waits_for_the_server_to_take_note);
	tcase_add_test(tc, there_is_one_for_a_spool);
	tcase_add_test(tc, it_leaves_no_socket_and_no_descriptor);
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
