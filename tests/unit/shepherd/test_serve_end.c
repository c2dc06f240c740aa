/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/serve.h"

#include "base/err.h"
#include "base/time.h"
#include "support/shepherd/caller.h"
#include "support/shepherd/place.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TIME_LIMIT_S = 30
};

static struct wq_err err = { .struct_size = sizeof err };

static void run_for(int64_t ms)
{
	int64_t end = time_after(time_mono_ns(), ms * NS_PER_MS);
	while (time_mono_ns() < end)
		ck_assert_int_eq(loop_run_once(caller_loop, CALLER_ROUND_NS), 0);
}

/* ---- its own end ----------------------------------------------------------------------------- */

START_TEST(it_quits_when_it_knows_no_child)
{
	caller_greet(60000);
	caller_spawn("a", "true");
	caller_expect(FRAME_ENDED);
	caller_order(FRAME_QUIT);
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	ck_assert(!serve_is_done(caller_serve));

	caller_ack("a");
	caller_order(FRAME_QUIT);

	caller_run_until_done();
}
END_TEST

START_TEST(it_stays_while_an_end_is_not_acknowledged)
{
	caller_greet(0);
	caller_spawn("a", "true");
	caller_expect(FRAME_ENDED);
	caller_disconnect();
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(loop_run_once(caller_loop, CALLER_ROUND_NS), 0);
	ck_assert(!serve_is_done(caller_serve));

	caller_greet(0);
	caller_ack("a");
	caller_disconnect();

	caller_run_until_done();
}
END_TEST

/* ---- a server of another major ---------------------------------------------------------------- */

static void greet_as_another_major(void)
{
	struct buf b = { 0 };
	caller_fd = caller_connect();
	caller_put_hello(&b, FRAME_MAJOR + 1, 60000);
	ck_assert_int_eq(frame_put_simple(&b, FRAME_QUIT), 0);
	caller_send(caller_fd, &b);
	caller_expect(FRAME_HELLO);
	ck_assert_int_eq(caller_next(caller_fd, -1), 0);
	caller_disconnect();
}

START_TEST(it_makes_way_for_a_server_of_another_major)
{
	caller_greet(60000);
	caller_disconnect();

	greet_as_another_major();

	caller_run_until_done();
}
END_TEST

START_TEST(it_makes_way_when_its_children_have_ended)
{
	caller_greet(60000);
	ck_assert_int_eq(mkfifoat(place_fd, "work/gate", 0600), 0);
	caller_spawn("a", "read x <gate");
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	caller_disconnect();
	for (int i = 0; i < 3; i++) {
		greet_as_another_major();
		ck_assert(!serve_is_done(caller_serve));
	}
	int gate = openat(place_fd, "work/gate", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(write(gate, "\n", 1), 1);

	caller_run_until_done();

	ck_assert_uint_eq(herd_size(serve_herd(caller_serve)), 1);
	(void)close(gate);
}
END_TEST

/* Its end was never taken note of, so nobody can know that it may run again. */
START_TEST(what_it_knew_when_it_made_way_is_lost_and_does_not_run_again)
{
	caller_greet(60000);
	caller_spawn("a", "echo ran >>ran");
	caller_expect(FRAME_ENDED);
	caller_disconnect();
	greet_as_another_major();
	caller_run_until_done();
	serve_free(caller_serve);
	ck_assert_int_eq(serve_new(&caller_serve, caller_loop, place_fd, caller_uuid, &err), 0);

	caller_greet(60000);
	ck_assert(caller_frame.hello.same_boot);
	caller_spawn("a", "echo ran >>ran");
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	caller_expect(FRAME_LISTED);
	caller_expect(FRAME_ENDED);
	ck_assert_str_eq(caller_frame.name, "a");
	ck_assert_int_eq(caller_frame.ended.how, WQ_CHILD_UNKNOWN);
	ck_assert_str_eq(caller_frame.ended.error, "lost");
	ck_assert_str_eq(place_text("work/ran"), "ran\n");
}
END_TEST

START_TEST(a_server_of_its_own_major_makes_it_stay)
{
	caller_greet(60000);
	caller_spawn("a", "sleep 1000");
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	caller_disconnect();
	greet_as_another_major();

	caller_greet(60000);
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	caller_expect(FRAME_LISTED);
	struct buf b = { 0 };
	ck_assert_int_eq(frame_put_end(&b, "a", WQ_TERM_NOW, 0), 0);
	caller_send(caller_fd, &b);
	caller_expect(FRAME_ENDED);
	caller_disconnect();
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(loop_run_once(caller_loop, CALLER_ROUND_NS), 0);
	ck_assert(!serve_is_done(caller_serve));
}
END_TEST

START_TEST(who_says_nothing_does_not_make_it_stay)
{
	caller_greet(300);
	caller_disconnect();
	while (!serve_is_done(caller_serve)) {
		caller_fd = caller_connect();
		ck_assert_int_eq(loop_run_once(caller_loop, CALLER_ROUND_NS), 0);
		caller_disconnect();
		ck_assert_int_eq(loop_run_once(caller_loop, CALLER_ROUND_NS), 0);
	}
}
END_TEST

/* ---- what was left alone ---------------------------------------------------------------------- */

START_TEST(it_stays_while_what_was_left_alone_writes)
{
	struct buf b = { 0 };
	caller_greet(100);
	ck_assert_int_eq(mkfifoat(place_fd, "work/gate", 0600), 0);
	caller_put_spawn_with(&b, "a", "{ read x; echo x; echo x; echo wrote >wrote; } <>gate &",
		WQ_SPAWN_LEAVE_REST, 0);
	caller_send(caller_fd, &b);
	caller_expect(FRAME_ENDED);
	caller_ack("a");
	caller_order(FRAME_QUIT);
	caller_order(FRAME_LIST);
	caller_expect(FRAME_LISTED);
	ck_assert_uint_eq(herd_size(serve_herd(caller_serve)), 0);
	caller_disconnect();
	run_for(300);
	ck_assert(!serve_is_done(caller_serve));
	int gate = openat(place_fd, "work/gate", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(write(gate, "\n", 1), 1);

	caller_run_until_done();

	ck_assert_str_eq(place_text("work/wrote"), "wrote\n");
	(void)close(gate);
}
END_TEST

/* ---- a spool that has gone -------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remove_spool(void)
{
	ck_assert_int_eq(nftw(place_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

START_TEST(it_goes_when_its_spool_has_been_removed_and_nobody_can_take_note)
{
	caller_greet(0);
	caller_spawn("a", "exit 0");
	caller_expect(FRAME_ENDED);
	caller_disconnect();
	remove_spool();

	caller_run_until_done();
}
END_TEST

START_TEST(it_ends_its_children_when_its_spool_has_been_removed)
{
	caller_greet(0);
	caller_spawn("a", "sleep 1000");
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	pid_t pid = (pid_t)caller_frame.child.pid;
	caller_disconnect();
	remove_spool();

	caller_run_until_done();

	ck_assert_uint_eq(herd_alive(serve_herd(caller_serve)), 0);
	ck_assert_int_lt(kill(pid, 0), 0);
}
END_TEST

START_TEST(it_stays_while_its_spool_is_there)
{
	caller_greet(0);
	caller_spawn("a", "sleep 1000");
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	caller_disconnect();
	run_for(2500); /* more than one look */

	ck_assert(!serve_is_done(caller_serve));
	ck_assert_uint_eq(herd_alive(serve_herd(caller_serve)), 1);
	caller_greet(0);
	struct buf b = { 0 };
	ck_assert_int_eq(frame_put_end(&b, "a", WQ_TERM_NOW, 0), 0);
	caller_send(caller_fd, &b);
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	caller_expect(FRAME_LISTED);
	caller_expect(FRAME_ENDED);
}
END_TEST

START_TEST(a_stop_ends_all_children_and_waits_for_the_server_to_take_note)
{
	caller_greet(60000);
	caller_spawn("a", "sleep 1000");
	caller_order(FRAME_LIST);
	caller_expect(FRAME_CHILD);
	caller_expect(FRAME_LISTED);

	serve_stop(caller_serve, 60000);

	caller_expect(FRAME_ENDED);
	ck_assert_int_eq(caller_frame.ended.signal, SIGTERM);
	ck_assert(!serve_is_done(caller_serve));
	caller_spawn("b", "true");
	caller_expect(FRAME_ENDED);
	ck_assert_str_eq(caller_frame.name, "b");
	ck_assert_int_eq(caller_frame.ended.how, WQ_CHILD_NOT_STARTED);
	caller_ack("a");
	caller_run_until_done();
}
END_TEST

START_TEST(there_is_one_for_a_spool)
{
	struct serve *second = NULL;
	struct loop *other = loop_new();

	ck_assert_int_eq(serve_new(&second, other, place_fd, caller_uuid, &err), -WQ_E_LOCKED);

	ck_assert_str_eq(err.text, "another wq-shepherd serves this spool");
	loop_free(other);
	caller_greet(60000); /* the first has lost nothing by it */
}
END_TEST

START_TEST(it_leaves_no_socket_and_no_descriptor)
{
	struct serve *second = NULL;
	serve_free(caller_serve);
	loop_free(caller_loop);
	caller_serve = NULL;
	struct stat st;
	ck_assert_int_lt(fstatat(place_fd, "shepherd.sock", &st, 0), 0);
	int fds = place_open_fds();

	caller_loop = loop_new();
	ck_assert_int_eq(serve_new(&second, caller_loop, place_fd, caller_uuid, &err), 0);
	serve_free(second);
	loop_free(caller_loop);

	ck_assert_int_eq(place_open_fds(), fds);
	caller_loop = NULL;
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("shepherd/serve_end");
	TCase *tc = tcase_create("end");
	tcase_set_timeout(tc, TIME_LIMIT_S);
	tcase_add_checked_fixture(tc, caller_setup, caller_teardown);
	tcase_add_test(tc, it_quits_when_it_knows_no_child);
	tcase_add_test(tc, it_stays_while_an_end_is_not_acknowledged);
	tcase_add_test(tc, it_makes_way_for_a_server_of_another_major);
	tcase_add_test(tc, it_makes_way_when_its_children_have_ended);
	tcase_add_test(tc, what_it_knew_when_it_made_way_is_lost_and_does_not_run_again);
	tcase_add_test(tc, a_server_of_its_own_major_makes_it_stay);
	tcase_add_test(tc, who_says_nothing_does_not_make_it_stay);
	tcase_add_test(tc, it_stays_while_what_was_left_alone_writes);
	tcase_add_test(tc, it_goes_when_its_spool_has_been_removed_and_nobody_can_take_note);
	tcase_add_test(tc, it_ends_its_children_when_its_spool_has_been_removed);
	tcase_add_test(tc, it_stays_while_its_spool_is_there);
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
