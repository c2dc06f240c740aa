/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/read.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

enum {
	LIMIT = 20,
	NOBODY = 65534
};

static struct buf got;
static struct wq_err err;
static uid_t uid;

static void start(void)
{
	tmpspool_open();
	uid = (uid_t)-1;
}

static void end(void)
{
	buf_fini(&got);
	tmpspool_close();
}

static int read_head(size_t head)
{
	return read_request(&tmpspool, SPOOL_PENDING, tmpspool_id, LIMIT, head, &got, &uid, &err);
}

static void check_got(const char *text)
{
	ck_assert_uint_eq(got.len, strlen(text));
	ck_assert_int_eq(memcmp(got.data, text, got.len), 0);
}

static void check_refused(int code, const char *word)
{
	int fds = tmpspool_open_fds();
	ck_assert_int_eq(buf_add(&got, "before", 6), 0);
	ck_assert_int_eq(read_head(0), code);
	ck_assert_str_eq(err.name, word);
	ck_assert_ptr_nonnull(strstr(err.text, ID_TEXT));
	check_got("before");
	ck_assert_uint_eq(uid, (uid_t)-1);
	ck_assert_int_eq(tmpspool_open_fds(), fds);
}

START_TEST(a_request_is_read_whole_with_its_owner)
{
	tmpspool_put("2-pending", ID_TEXT, "the request");
	fault_max_bytes = 4;
	fault_on("pread", EINTR, 1);

	ck_assert_int_eq(read_head(0), 0);

	check_got("the request");
	ck_assert_uint_eq(uid, geteuid());
}
END_TEST

START_TEST(the_bytes_are_added_to_those_that_are_there)
{
	tmpspool_put("2-pending", ID_TEXT, "request");
	ck_assert_int_eq(buf_add(&got, "the ", 4), 0);

	ck_assert_int_eq(read_head(0), 0);
	check_got("the request");
}
END_TEST

static const struct {
	size_t head;
	const char *text;
} heads[] = { { 1, "t" }, { 3, "the" }, { 10, "the reques" }, { 11, "the request" },
	{ 12, "the request" }, { 4096, "the request" } };

START_TEST(the_head_of_a_request_can_be_read_alone)
{
	tmpspool_put("2-pending", ID_TEXT, "the request");

	ck_assert_int_eq(read_head(heads[_i].head), 0);
	check_got(heads[_i].text);
}
END_TEST

START_TEST(a_request_of_just_the_limit_is_read)
{
	tmpspool_put("2-pending", ID_TEXT, "12345678901234567890");

	ck_assert_int_eq(read_head(0), 0);
	check_got("12345678901234567890");
}
END_TEST

START_TEST(one_byte_more_is_too_big)
{
	tmpspool_put("2-pending", ID_TEXT, "123456789012345678901");
	check_refused(-WQ_E_LIMIT, "too-big");
}
END_TEST

START_TEST(a_sparse_file_of_a_tebibyte_is_too_big)
{
	tmpspool_put("2-pending", ID_TEXT, "x");
	ck_assert_int_eq(truncate(tmpspool_at("2-pending", ID_TEXT), (off_t)1 << 40), 0);
	check_refused(-WQ_E_LIMIT, "too-big");
}
END_TEST

START_TEST(nothing_there_is_enoent)
{
	ck_assert_int_eq(read_head(0), -ENOENT);
}
END_TEST

START_TEST(an_empty_file_is_refused)
{
	tmpspool_put("2-pending", ID_TEXT, "");
	check_refused(-WQ_E_FORMAT, "empty");
}
END_TEST

static void put_thing(int kind)
{
	const char *path = tmpspool_at("2-pending", ID_TEXT);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	if (kind == 0) {
		ck_assert_int_eq(mkdir(path, 0700), 0);
	} else if (kind == 1) {
		ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	} else if (kind == 2) {
		ck_assert_int_eq(symlink(ID_TEXT, path), 0);
	} else if (kind == 3) {
		ck_assert_int_eq(symlink("nowhere", path), 0);
	} else if (kind == 4) {
		ck_assert_int_eq(mkfifo(path, 0600), 0);
	} else {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
		close(fd);
	}
}

START_TEST(what_is_no_plain_file_is_refused_at_once)
{
	put_thing(_i);
	check_refused(-WQ_E_FORMAT, "not-regular");
}
END_TEST

START_TEST(a_device_is_refused)
{
	/* 1, 3 is /dev/null; who may not make one has nothing to fear. */
	if (mknod(tmpspool_at("2-pending", ID_TEXT), S_IFCHR | 0600, 0x103) < 0)
		return;
	check_refused(-WQ_E_FORMAT, "not-regular");
}
END_TEST

START_TEST(a_file_with_a_second_name_is_refused)
{
	tmpspool_put("2-pending", ID_TEXT, "the request");
	ck_assert_int_eq(
		linkat(tmpspool.dir_fd[SPOOL_PENDING], ID_TEXT, tmpspool.root_fd, "other", 0), 0);
	check_refused(-WQ_E_FORMAT, "linked");
}
END_TEST

static const unsigned bad_modes[] = { 0620, 0602, 0666, 0777 };

START_TEST(a_file_that_others_may_write_is_refused)
{
	tmpspool_put_mode("2-pending", ID_TEXT, "the request", bad_modes[_i]);
	check_refused(-WQ_E_FORMAT, "bad-mode");
}
END_TEST

START_TEST(a_file_that_others_may_only_read_is_not)
{
	tmpspool_put_mode("2-pending", ID_TEXT, "the request", 04644);
	ck_assert_int_eq(read_head(0), 0);
}
END_TEST

START_TEST(a_file_of_another_user_is_refused)
{
	tmpspool_put("2-pending", ID_TEXT, "the request");
	ck_assert_int_eq(chown(tmpspool_at("2-pending", ID_TEXT), NOBODY, NOBODY), 0);
	check_refused(-WQ_E_FORMAT, "bad-owner");
}
END_TEST

START_TEST(a_file_that_the_server_may_not_read_is_unreadable)
{
	fault_on("openat", EACCES, 1);
	tmpspool_put("2-pending", ID_TEXT, "the request");
	check_refused(-WQ_E_FORMAT, "unreadable");
}
END_TEST

START_TEST(a_file_under_a_lease_is_refused_without_delay)
{
	tmpspool_put("2-pending", ID_TEXT, "the request");
	int fd = open(tmpspool_at("2-pending", ID_TEXT), O_RDWR | O_CLOEXEC);
	/* The signal that breaks the lease goes to its holder, us. */
	signal(SIGIO, SIG_IGN);
	ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);

	ck_assert_int_eq(read_head(0), -EAGAIN);
	ck_assert_str_eq(err.name, "leased");

	ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	close(fd);
	ck_assert_int_eq(read_head(0), 0);
}
END_TEST

/* ---- a file that changes ---------------------------------------------------------------------- */

static off_t change_to;

static ssize_t changing_pread(int fd, void *bytes, size_t len, off_t at)
{
	ck_assert_int_eq(truncate(tmpspool_at("2-pending", ID_TEXT), change_to), 0);
	return spool_io_real.pread(fd, bytes, len, at);
}

START_TEST(a_file_that_grows_or_shrinks_while_it_is_read_is_refused)
{
	static const off_t sizes[] = { 0, 5, 12, 1000000 };
	static struct spool_io io;
	io = fault_io;
	io.pread = changing_pread;
	tmpspool.io = &io;
	change_to = sizes[_i];
	tmpspool_put("2-pending", ID_TEXT, "the request");

	check_refused(-WQ_E_FORMAT, "changed");
}
END_TEST

START_TEST(a_failure_of_the_system_is_told_as_it_is)
{
	tmpspool_put("2-pending", ID_TEXT, "the request");
	for (int k = 1; k <= 3; k++) {
		int fds = tmpspool_open_fds();
		fault_at(k, EIO);
		ck_assert_int_eq(read_head(0), -EIO);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
		ck_assert_uint_eq(got.len, 0);
	}
}
END_TEST

/* ---- results ---------------------------------------------------------------------------------- */

START_TEST(a_result_is_read_and_taken_away_once)
{
	tmpspool_put("4-complete", ID_TEXT, "the result");

	ck_assert_int_eq(read_result(&tmpspool, tmpspool_id, LIMIT, &got, &err), 0);
	check_got("the result");
	ck_assert_int_eq(read_collect(&tmpspool, tmpspool_id), 0);

	ck_assert_int_eq(read_collect(&tmpspool, tmpspool_id), -ENOENT);
	ck_assert_int_eq(read_result(&tmpspool, tmpspool_id, LIMIT, &got, &err), -ENOENT);
}
END_TEST

START_TEST(a_result_that_is_not_the_servers_is_refused)
{
	tmpspool_put("4-complete", ID_TEXT, "the result");
	ck_assert_int_eq(chown(tmpspool_at("4-complete", ID_TEXT), NOBODY, NOBODY), 0);

	ck_assert_int_eq(read_result(&tmpspool, tmpspool_id, LIMIT, &got, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, "bad-owner");
}
END_TEST

START_TEST(a_link_or_a_pipe_in_the_place_of_a_result_is_refused)
{
	const char *path = tmpspool_at("4-complete", ID_TEXT);
	ck_assert_int_eq(_i ? symlink("/etc/passwd", path) : mkfifo(path, 0600), 0);

	ck_assert_int_eq(read_result(&tmpspool, tmpspool_id, LIMIT, &got, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, "not-regular");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/read");
	TCase *tc = tcase_create("read");
	tcase_add_checked_fixture(tc, start, end);
	tcase_add_test(tc, a_request_is_read_whole_with_its_owner);
	tcase_add_test(tc, the_bytes_are_added_to_those_that_are_there);
	tcase_add_loop_test(
		tc, the_head_of_a_request_can_be_read_alone, 0, sizeof heads / sizeof *heads);
	tcase_add_test(tc, a_request_of_just_the_limit_is_read);
	tcase_add_test(tc, one_byte_more_is_too_big);
	tcase_add_test(tc, a_sparse_file_of_a_tebibyte_is_too_big);
	tcase_add_test(tc, nothing_there_is_enoent);
	tcase_add_test(tc, an_empty_file_is_refused);
	tcase_add_loop_test(tc, what_is_no_plain_file_is_refused_at_once, 0, 6);
	tcase_add_test(tc, a_device_is_refused);
	tcase_add_test(tc, a_file_with_a_second_name_is_refused);
	tcase_add_loop_test(tc, a_file_that_others_may_write_is_refused, 0,
		sizeof bad_modes / sizeof *bad_modes);
	tcase_add_test(tc, a_file_that_others_may_only_read_is_not);
	if (geteuid() == 0) /* only root has a second user at hand */
		tcase_add_test(tc, a_file_of_another_user_is_refused);
	tcase_add_test(tc, a_file_that_the_server_may_not_read_is_unreadable);
	tcase_add_test(tc, a_file_under_a_lease_is_refused_without_delay);
	tcase_add_loop_test(tc, a_file_that_grows_or_shrinks_while_it_is_read_is_refused, 0, 4);
	tcase_add_test(tc, a_failure_of_the_system_is_told_as_it_is);
	tcase_add_test(tc, a_result_is_read_and_taken_away_once);
	if (geteuid() == 0) /* only root has a second user at hand */
		tcase_add_test(tc, a_result_that_is_not_the_servers_is_refused);
	tcase_add_loop_test(tc, a_link_or_a_pipe_in_the_place_of_a_result_is_refused, 0, 2);
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
