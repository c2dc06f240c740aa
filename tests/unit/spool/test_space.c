/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/space.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "spool/move.h"
#include "spool/publish.h"
#include "spool/quarantine.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

static mode_t mode_of_1(void)
{
	struct stat st;
	ck_assert_int_eq(stat(tmpspool_at(".", "1-requested"), &st), 0);
	return st.st_mode & 07777;
}

/* Root may write anywhere, so what the gate is for is seen by another user only. */
static void open_unprivileged(void)
{
	struct wq_err err = { 0 };
	tmpspool_make_dir();
	ck_assert(tmpspool_drop_root());
	int rc = spool_open_server(&tmpspool, tmpspool_path, &fault_io, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	fault_reset();
}

/* ---- how much is left ------------------------------------------------------------------------- */

START_TEST(it_is_what_the_file_system_says)
{
	struct statvfs fs;
	struct space_left left;
	ck_assert_int_eq(space_look(&tmpspool, &left), 0);
	ck_assert_int_eq(statvfs(tmpspool_path, &fs), 0);
	ck_assert_uint_eq(left.bytes, (uint64_t)fs.f_blocks * fs.f_frsize);
	ck_assert_uint_eq(left.inodes, fs.f_files);
	ck_assert_uint_le(left.free_bytes, left.bytes);
}
END_TEST

START_TEST(root_s_reserve_is_not_free)
{
	static const struct statvfs fs = { .f_bsize = 1 << 20,
		.f_frsize = 4096,
		.f_blocks = 1000,
		.f_bfree = 50,
		.f_bavail = 20,
		.f_files = 100,
		.f_ffree = 9,
		.f_favail = 7 };
	struct space_left left;
	fault_space = &fs;
	ck_assert_int_eq(space_look(&tmpspool, &left), 0);
	ck_assert_uint_eq(left.bytes, 4096 * 1000);
	ck_assert_uint_eq(left.free_bytes, 4096 * 20);
	ck_assert_uint_eq(left.inodes, 100);
	ck_assert_uint_eq(left.free_inodes, 7);
}
END_TEST

START_TEST(a_look_that_fails_is_told)
{
	struct space_left left;
	fault_on("fstatvfs", EIO, 1);
	ck_assert_int_eq(space_look(&tmpspool, &left), -EIO);
}
END_TEST

/* ---- ballast ---------------------------------------------------------------------------------- */

static void assert_ballast(void)
{
	struct stat st;
	ck_assert_int_eq(stat(tmpspool_at(".wq", "ballast"), &st), 0);
	ck_assert_int_eq(st.st_size, SPACE_BALLAST);
	ck_assert_int_ge(st.st_blocks * 512, SPACE_BALLAST);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}

START_TEST(ballast_takes_its_space_until_it_is_dropped)
{
	int fds = tmpspool_open_fds();
	ck_assert_int_eq(space_make_ballast(&tmpspool), 0);
	assert_ballast();
	ck_assert_int_eq(space_make_ballast(&tmpspool), 0);
	assert_ballast();

	ck_assert_int_eq(space_drop_ballast(&tmpspool), 0);
	ck_assert(!tmpspool_has(".wq", "ballast"));
	ck_assert_int_eq(space_drop_ballast(&tmpspool), -ENOENT);
	ck_assert_int_eq(tmpspool_open_fds(), fds);
}
END_TEST

START_TEST(a_part_of_it_is_made_whole)
{
	tmpspool_put(".wq", "ballast", "half");
	ck_assert_int_eq(space_make_ballast(&tmpspool), 0);
	assert_ballast();
	/* Its size alone takes no space. */
	ck_assert_int_eq(truncate(tmpspool_at(".wq", "ballast"), 0), 0);
	ck_assert_int_eq(truncate(tmpspool_at(".wq", "ballast"), SPACE_BALLAST), 0);
	ck_assert_int_eq(space_make_ballast(&tmpspool), 0);
	assert_ballast();
}
END_TEST

START_TEST(where_it_cannot_be_reserved_it_is_written)
{
	fault_on("fallocate", EOPNOTSUPP, 1);
	ck_assert_int_eq(space_make_ballast(&tmpspool), 0);
	assert_ballast();
}
END_TEST

START_TEST(without_space_for_it_nothing_of_it_stays)
{
	static const struct {
		const char *call;
		int error;
	} cases[] = { { "openat", ENOSPC }, { "fallocate", ENOSPC }, { "fallocate", EDQUOT },
		{ "fstat", EIO } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		fault_on(cases[i].call, cases[i].error, 1);
		ck_assert_int_eq(space_make_ballast(&tmpspool), -cases[i].error);
		ck_assert(!tmpspool_has(".wq", "ballast"));
	}
}
END_TEST

START_TEST(a_full_disk_and_a_quota_are_short_of_space_and_nothing_else_is)
{
	ck_assert(space_is_short(-ENOSPC));
	ck_assert(space_is_short(-EDQUOT));
	ck_assert(!space_is_short(0));
	ck_assert(!space_is_short(-EIO));
	ck_assert(!space_is_short(ENOSPC));
}
END_TEST

/* Once is what its ballast may help against. */
START_TEST(a_server_that_finds_no_room_for_its_probes_starts_by_dropping_it)
{
	struct wq_err err = { 0 };
	int n_dropped = 0, calls;
	spool_close(&tmpspool);
	for (int k = 1;; k++) {
		ck_assert_int_eq(
			spool_open_server(&tmpspool, tmpspool_path, &spool_io_real, &err), 0);
		ck_assert_int_eq(space_make_ballast(&tmpspool), 0);
		spool_close(&tmpspool);

		fault_at(k, ENOSPC);
		int rc = spool_open_server(&tmpspool, tmpspool_path, &fault_io, &err);
		calls = fault_calls;
		fault_reset();
		n_dropped += rc == 0 && !tmpspool_has(".wq", "ballast");
		if (rc == 0)
			spool_close(&tmpspool);
		else
			ck_assert_int_eq(rc, -ENOSPC);
		if (calls < k)
			break;
	}
	ck_assert_int_gt(n_dropped, 0);
}
END_TEST

/* ---- gate ------------------------------------------------------------------------------------- */

START_TEST(closed_it_has_no_write_bit_and_open_it_is_as_it_was)
{
	ck_assert_uint_eq(mode_of_1(), 0700);
	ck_assert_int_eq(space_close_gate(&tmpspool), 0);
	ck_assert_uint_eq(mode_of_1(), 0500);
	ck_assert(tmpspool.gate_closed);
	ck_assert_int_eq(space_close_gate(&tmpspool), 0);
	ck_assert_uint_eq(mode_of_1(), 0500);

	ck_assert_int_eq(space_open_gate(&tmpspool), 1);
	ck_assert_uint_eq(mode_of_1(), 0700);
	ck_assert(!tmpspool.gate_closed);
	ck_assert_int_eq(space_open_gate(&tmpspool), 0);
}
END_TEST

START_TEST(the_other_bits_of_its_mode_stay)
{
	ck_assert_int_eq(chmod(tmpspool_at(".", "1-requested"), 0750), 0);
	ck_assert_int_eq(space_close_gate(&tmpspool), 0);
	ck_assert_uint_eq(mode_of_1(), 0550);
	ck_assert_int_eq(space_open_gate(&tmpspool), 1);
	ck_assert_uint_eq(mode_of_1(), 0750);
}
END_TEST

START_TEST(one_that_cannot_be_closed_is_not_said_to_be)
{
	fault_on("fchmod", EROFS, 1);
	ck_assert_int_eq(space_close_gate(&tmpspool), -EROFS);
	ck_assert(!tmpspool.gate_closed);
}
END_TEST

START_TEST(nobody_can_publish_while_it_is_closed)
{
	struct spool client;
	struct reqid id;
	struct wq_err err = { 0 };
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &spool_io_real, &err), 0);
	int fd =
		openat(client.dir_fd[SPOOL_REQUESTED], ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(space_close_gate(&tmpspool), 0);

	ck_assert_int_eq(publish_request(&client, "x", 1, &id, &err), -EACCES);
	client.named_tmp = true;
	ck_assert_int_eq(publish_request(&client, "x", 1, &id, &err), -EACCES);
	/* Nor what was begun before. */
	char proc[40];
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	ck_assert_int_lt(
		linkat(AT_FDCWD, proc, client.dir_fd[SPOOL_REQUESTED], ID_TEXT, AT_SYMLINK_FOLLOW),
		0);
	ck_assert_int_eq(errno, EACCES);
	close(fd);

	ck_assert_int_eq(space_open_gate(&tmpspool), 1);
	ck_assert_int_eq(publish_request(&client, "x", 1, &id, &err), 0);
	spool_close(&client);
}
END_TEST

START_TEST(the_server_goes_through_it_and_leaves_it_closed)
{
	tmpspool_put("1-requested", ID_TEXT, "request");
	tmpspool_put("1-requested", "junk", "");
	char other[REQID_SIZE];
	tmpspool_put("1-requested", reqid_format(tmpspool_nth(1), other), "request");
	ck_assert_int_eq(space_close_gate(&tmpspool), 0);

	ck_assert_int_eq(move_accept(&tmpspool, tmpspool_id), 0);
	ck_assert(tmpspool_has("2-pending", ID_TEXT));
	ck_assert_uint_eq(mode_of_1(), 0500);
	ck_assert_int_eq(
		quarantine_put(&tmpspool, tmpspool.dir_fd[SPOOL_REQUESTED], "junk", NULL, 0), 0);
	ck_assert_uint_eq(mode_of_1(), 0500);
	ck_assert_int_eq(move_remove(&tmpspool, tmpspool_nth(1), SPOOL_REQUESTED), 0);
	ck_assert_uint_eq(mode_of_1(), 0500);
	ck_assert_int_eq(tmpspool_count("1-requested"), 0);

	/* Other directories have none. */
	fault_reset();
	ck_assert_int_eq(move_start(&tmpspool, tmpspool_id), 0);
	ck_assert_int_eq(fault_calls, 1);
}
END_TEST

START_TEST(an_open_one_costs_the_server_nothing)
{
	tmpspool_put("1-requested", ID_TEXT, "request");
	fault_reset();
	ck_assert_int_eq(move_remove(&tmpspool, tmpspool_id, SPOOL_REQUESTED), 0);
	ck_assert_int_eq(fault_calls, 1);
}
END_TEST

START_TEST(a_server_that_starts_opens_what_one_that_was_killed_has_closed)
{
	struct wq_err err = { 0 };
	ck_assert_int_eq(space_close_gate(&tmpspool), 0);
	spool_close(&tmpspool);

	int rc = spool_open_server(&tmpspool, tmpspool_path, &fault_io, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_uint_eq(mode_of_1(), 0700);
	ck_assert(!tmpspool.gate_closed);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/space");
	TCase *tc = tcase_create("left");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, it_is_what_the_file_system_says);
	tcase_add_test(tc, root_s_reserve_is_not_free);
	tcase_add_test(tc, a_look_that_fails_is_told);
	suite_add_tcase(suite, tc);
	tc = tcase_create("ballast");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, ballast_takes_its_space_until_it_is_dropped);
	tcase_add_test(tc, a_part_of_it_is_made_whole);
	tcase_add_test(tc, where_it_cannot_be_reserved_it_is_written);
	tcase_add_test(tc, without_space_for_it_nothing_of_it_stays);
	tcase_add_test(tc, a_full_disk_and_a_quota_are_short_of_space_and_nothing_else_is);
	tcase_add_test(tc, a_server_that_finds_no_room_for_its_probes_starts_by_dropping_it);
	suite_add_tcase(suite, tc);
	tc = tcase_create("gate");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, closed_it_has_no_write_bit_and_open_it_is_as_it_was);
	tcase_add_test(tc, the_other_bits_of_its_mode_stay);
	tcase_add_test(tc, one_that_cannot_be_closed_is_not_said_to_be);
	tcase_add_test(tc, an_open_one_costs_the_server_nothing);
	suite_add_tcase(suite, tc);
	tc = tcase_create("gate, without privilege");
	tcase_add_checked_fixture(tc, open_unprivileged, tmpspool_close);
	tcase_add_test(tc, nobody_can_publish_while_it_is_closed);
	tcase_add_test(tc, the_server_goes_through_it_and_leaves_it_closed);
	tcase_add_test(tc, a_server_that_starts_opens_what_one_that_was_killed_has_closed);
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
