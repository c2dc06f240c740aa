/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/output.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/shepherd/place.h"

enum {
	BUDGET = 1 << 20
};

static struct output o;
static int write_fd;

static void open_with(uint64_t limit)
{
	ck_assert_int_eq(output_open(&o, place_fd, "out", limit, &write_fd), 0);
}

static void say(const char *text)
{
	ck_assert_int_eq(write(write_fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void hang_up(void)
{
	ck_assert_int_eq(close(write_fd), 0);
}

/* Both ways of moving bytes. */
static void open_nth(int i, uint64_t limit)
{
	open_with(limit);
	o.spliced = i == 0;
}

START_TEST(what_a_child_writes_stands_in_the_file)
{
	open_nth(_i, 100);
	ck_assert_int_eq(output_pump(&o, BUDGET), 1);
	say("one\n");
	ck_assert_int_eq(output_pump(&o, BUDGET), 1);
	ck_assert_str_eq(place_text("out"), "one\n");
	say("two\n");
	hang_up();
	ck_assert_int_eq(output_pump(&o, BUDGET), 0);

	ck_assert_str_eq(place_text("out"), "one\ntwo\n");
	ck_assert_uint_eq(o.written, 8);
	ck_assert_uint_eq(o.kept, 8);
	ck_assert_int_eq(o.read_fd, -1);
	ck_assert_int_eq(output_pump(&o, BUDGET), 0);
	output_close(&o);
}
END_TEST

START_TEST(what_comes_after_the_limit_is_counted_and_dropped)
{
	open_nth(_i, 5);
	say("123");
	ck_assert_int_eq(output_pump(&o, BUDGET), 1);
	say("4567");
	ck_assert_int_eq(output_pump(&o, BUDGET), 1);
	say("89");
	hang_up();
	ck_assert_int_eq(output_pump(&o, BUDGET), 0);

	ck_assert_str_eq(place_text("out"), "12345");
	ck_assert_uint_eq(o.written, 9);
	ck_assert_uint_eq(o.kept, 5);
	output_close(&o);
}
END_TEST

START_TEST(a_limit_of_nothing_keeps_nothing)
{
	open_nth(_i, 0);
	say("123");
	hang_up();
	ck_assert_int_eq(output_pump(&o, BUDGET), 0);
	ck_assert_str_eq(place_text("out"), "");
	ck_assert_uint_eq(o.written, 3);
	output_close(&o);
}
END_TEST

START_TEST(much_is_moved_whole)
{
	enum {
		SIZE = 200 * 1000
	};
	static char bytes[SIZE + 1];
	size_t sent = 0;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)('a' + i * 7 % 26 + i / 1000 % 3);
	open_nth(_i, UINT64_MAX);
	ck_assert_int_eq(fcntl(write_fd, F_SETFL, O_NONBLOCK), 0);
	while (sent < SIZE) {
		ssize_t n = write(write_fd, bytes + sent, SIZE - sent);
		sent += n > 0 ? (size_t)n : 0;
		ck_assert_int_eq(output_pump(&o, BUDGET), 1);
	}
	hang_up();
	ck_assert_int_eq(output_pump(&o, BUDGET), 0);
	ck_assert(strcmp(place_text("out"), bytes) == 0);
	ck_assert_uint_eq(o.kept, SIZE);
	output_close(&o);
}
END_TEST

START_TEST(no_more_than_the_budget_is_moved)
{
	open_nth(_i, 4);
	say("123456789");
	hang_up();
	ck_assert_int_eq(output_pump(&o, 3), 1);
	ck_assert_uint_eq(o.written, 3);
	ck_assert_int_eq(output_pump(&o, 3), 1);
	ck_assert_uint_eq(o.written, 6);
	ck_assert_int_eq(output_pump(&o, 3), 1);
	ck_assert_int_eq(output_pump(&o, 3), 0);
	ck_assert_uint_eq(o.written, 9);
	ck_assert_str_eq(place_text("out"), "1234");
	output_close(&o);
}
END_TEST

/* Nothing can be spliced to /dev/full, and each write to it fails with ENOSPC (full(4)). */
START_TEST(a_full_disk_does_not_stop_the_child)
{
	open_nth(_i, 100);
	ck_assert_int_eq(close(o.file_fd), 0);
	o.file_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	say("one");
	ck_assert_int_eq(output_pump(&o, BUDGET), 1);
	ck_assert_int_eq(o.file_fd, -1);
	say("two");
	hang_up();
	ck_assert_int_eq(output_pump(&o, BUDGET), 0);
	ck_assert_uint_eq(o.written, 6);
	ck_assert_uint_eq(o.kept, 0);
	output_close(&o);
}
END_TEST

START_TEST(what_fits_into_the_file_is_kept_when_the_rest_does_not)
{
	struct rlimit size = { .rlim_cur = 4, .rlim_max = RLIM_INFINITY };
	(void)signal(SIGXFSZ, SIG_IGN);
	open_nth(_i, 100);
	say("123456");
	hang_up();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &size), 0);
	ck_assert_int_eq(output_pump(&o, BUDGET), 0);
	size.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &size), 0);
	ck_assert_str_eq(place_text("out"), "1234");
	ck_assert_uint_eq(o.written, 6);
	ck_assert_uint_eq(o.kept, 4);
	output_close(&o);
}
END_TEST

START_TEST(the_file_is_made_anew_and_for_its_owner_alone)
{
	struct stat old, st;
	place_put("victim", "bytes", 0644);
	ck_assert_int_eq(link(place_at("victim"), place_at("out")), 0);
	ck_assert_int_eq(stat(place_at("victim"), &old), 0);
	open_with(100);
	hang_up();
	ck_assert_int_eq(stat(place_at("out"), &st), 0);
	ck_assert_uint_ne(st.st_ino, old.st_ino);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_str_eq(place_text("victim"), "bytes");
	output_close(&o);
}
END_TEST

START_TEST(a_link_is_replaced_and_never_followed)
{
	place_put("victim", "bytes", 0600);
	ck_assert_int_eq(symlink("victim", place_at("out")), 0);
	open_with(100);
	say("x");
	hang_up();
	ck_assert_int_eq(output_pump(&o, BUDGET), 0);
	ck_assert_str_eq(place_text("victim"), "bytes");
	ck_assert_str_eq(place_text("out"), "x");
	output_close(&o);
}
END_TEST

START_TEST(a_failure_leaves_nothing_open)
{
	int before = place_open_fds();
	place_mkdir("out", 0700);
	ck_assert_int_eq(output_open(&o, place_fd, "out", 100, &write_fd), -EISDIR);
	ck_assert_int_eq(place_open_fds(), before);
	ck_assert_int_eq(o.read_fd, -1);
	ck_assert_int_eq(o.file_fd, -1);
}
END_TEST

START_TEST(descriptors_are_closed_on_exec_and_only_our_end_does_not_block)
{
	open_with(100);
	ck_assert_int_eq(fcntl(o.read_fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(o.file_fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(write_fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_ne(fcntl(o.read_fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(write_fd, F_GETFL) & O_NONBLOCK, 0);
	output_close(&o);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("shepherd/output");
	TCase *tc = tcase_create("output");
	tcase_add_checked_fixture(tc, place_open, place_close);
	tcase_add_loop_test(tc, what_a_child_writes_stands_in_the_file, 0, 2);
	tcase_add_loop_test(tc, what_comes_after_the_limit_is_counted_and_dropped, 0, 2);
	tcase_add_loop_test(tc, a_limit_of_nothing_keeps_nothing, 0, 2);
	tcase_add_loop_test(tc, much_is_moved_whole, 0, 2);
	tcase_add_loop_test(tc, no_more_than_the_budget_is_moved, 0, 2);
	tcase_add_loop_test(tc, a_full_disk_does_not_stop_the_child, 0, 2);
	tcase_add_loop_test(tc, what_fits_into_the_file_is_kept_when_the_rest_does_not, 0, 2);
	tcase_add_test(tc, the_file_is_made_anew_and_for_its_owner_alone);
	tcase_add_test(tc, a_link_is_replaced_and_never_followed);
	tcase_add_test(tc, a_failure_leaves_nothing_open);
	tcase_add_test(tc, descriptors_are_closed_on_exec_and_only_our_end_does_not_block);
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
