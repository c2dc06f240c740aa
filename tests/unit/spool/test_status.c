/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/status.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

static struct spool client;
static struct buf page;

static void start(void)
{
	tmpspool_open();
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &spool_io_real, NULL), 0);
}

static void end(void)
{
	buf_fini(&page);
	spool_close(&client);
	tmpspool_close();
}

START_TEST(before_a_server_has_written_it_there_is_no_page)
{
	ck_assert_int_eq(status_read(&client, &page), -ENOENT);
	ck_assert_uint_eq(page.len, 0);
}
END_TEST

START_TEST(a_client_reads_what_the_server_wrote_last)
{
	char long_text[STATUS_SIZE];
	memset(long_text, 'a', sizeof long_text);
	ck_assert_int_eq(status_write(&tmpspool, long_text, sizeof long_text), 0);
	ck_assert_int_eq(status_write(&tmpspool, "status", 6), 0);

	ck_assert_int_eq(status_read(&client, &page), 0);

	ck_assert_uint_eq(page.len, STATUS_SIZE);
	ck_assert_int_eq(memcmp(page.data, "status", 6), 0);
	for (size_t i = 6; i < page.len; i++)
		ck_assert_int_eq(page.data[i], 0);
}
END_TEST

START_TEST(a_page_too_long_is_refused)
{
	char text[STATUS_SIZE + 1] = { 0 };
	ck_assert_int_eq(status_write(&tmpspool, text, sizeof text), -EMSGSIZE);
	ck_assert_int_eq(status_read(&client, &page), -ENOENT);
}
END_TEST

START_TEST(a_write_that_fails_or_is_cut_says_so)
{
	fault_on("pwrite", ENOSPC, 1);
	ck_assert_int_eq(status_write(&tmpspool, "status", 6), -ENOSPC);
	fault_max_bytes = 100;
	ck_assert_int_eq(status_write(&tmpspool, "status", 6), -EIO);
}
END_TEST

START_TEST(a_page_that_came_after_the_client_is_read)
{
	spool_close(&client);
	ck_assert_int_eq(unlink(tmpspool_at(".", "wq.status")), 0);
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &spool_io_real, NULL), 0);
	ck_assert_int_eq(status_read(&client, &page), -ENOENT);

	tmpspool_put(".", "wq.status", "status");

	ck_assert_int_eq(status_read(&client, &page), 0);
	ck_assert_uint_eq(page.len, 6);
}
END_TEST

START_TEST(what_is_no_plain_file_is_no_page)
{
	spool_close(&client);
	const char *path = tmpspool_at(".", "wq.status");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(_i == 0   ? symlink("/etc/passwd", path)
			 : _i == 1 ? mkfifo(path, 0600)
				   : mkdir(path, 0700),
		0);
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &spool_io_real, NULL), 0);

	ck_assert_int_eq(status_read(&client, &page), -WQ_E_FORMAT);
}
END_TEST

START_TEST(a_page_of_another_user_is_refused)
{
	ck_assert_int_eq(status_write(&tmpspool, "status", 6), 0);
	ck_assert_int_eq(chown(tmpspool_at(".", "wq.status"), 65534, 65534), 0);

	ck_assert_int_eq(status_read(&client, &page), -WQ_E_FORMAT);
}
END_TEST

/* ---- where clients look for it ---------------------------------------------------------------- */

static void assert_read(const char *text)
{
	buf_clear(&page);
	ck_assert_int_eq(status_read(&client, &page), 0);
	ck_assert_mem_eq(page.data, text, strlen(text));
}

START_TEST(a_page_that_is_there_is_left_alone)
{
	ck_assert_int_eq(status_write(&tmpspool, "status", 6), 0);
	int fd = tmpspool.status_fd;

	ck_assert_int_eq(status_renew(&tmpspool, tmpspool_path, NULL), 0);
	ck_assert_int_eq(tmpspool.status_fd, fd);
}
END_TEST

START_TEST(a_page_that_was_removed_is_made_anew_and_read_by_clients_of_before)
{
	char away[4200];
	snprintf(away, sizeof away, "%s/away", tmpspool_dir);
	ck_assert_int_eq(status_write(&tmpspool, "old", 3), 0);
	assert_read("old");
	int fds = tmpspool_open_fds();
	ck_assert_int_eq(_i ? rename(tmpspool_at(".", "wq.status"), away)
			    : unlink(tmpspool_at(".", "wq.status")),
		0);

	ck_assert_int_eq(status_renew(&tmpspool, tmpspool_path, NULL), 1);
	ck_assert_int_eq(status_write(&tmpspool, "new", 3), 0);

	ck_assert_int_eq(tmpspool_open_fds(), fds);
	if (_i) { /* nobody but a new client can know */
		spool_close(&client);
		ck_assert_int_eq(
			spool_open_client(&client, tmpspool_path, &spool_io_real, NULL), 0);
	}
	assert_read("new");
	ck_assert_int_eq(status_renew(&tmpspool, tmpspool_path, NULL), 0);
}
END_TEST

START_TEST(a_page_that_was_cut_is_to_be_written_again)
{
	ck_assert_int_eq(status_write(&tmpspool, "status", 6), 0);
	ck_assert_int_eq(truncate(tmpspool_at(".", "wq.status"), 0), 0);

	ck_assert_int_eq(status_renew(&tmpspool, tmpspool_path, NULL), 1);
	ck_assert_int_eq(status_write(&tmpspool, "status", 6), 0);
	ck_assert_int_eq(status_renew(&tmpspool, tmpspool_path, NULL), 0);
	assert_read("status");
}
END_TEST

START_TEST(what_was_put_in_its_place_is_not_followed)
{
	struct wq_err err = { 0 };
	char victim[4200];
	snprintf(victim, sizeof victim, "%s/victim", tmpspool_dir);
	int fds = tmpspool_open_fds();
	ck_assert_int_eq(unlink(tmpspool_at(".", "wq.status")), 0);
	ck_assert_int_eq(symlink(victim, tmpspool_at(".", "wq.status")), 0);

	ck_assert_int_eq(status_renew(&tmpspool, tmpspool_path, &err), -WQ_E_NOT_A_SPOOL);
	ck_assert_ptr_nonnull(strstr(err.text, "wq.status"));

	ck_assert_int_eq(access(victim, F_OK), -1);
	ck_assert_int_eq(tmpspool_open_fds(), fds);
	ck_assert_int_eq(status_write(&tmpspool, "status", 6), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/status");
	TCase *tc = tcase_create("status");
	tcase_add_checked_fixture(tc, start, end);
	tcase_add_test(tc, before_a_server_has_written_it_there_is_no_page);
	tcase_add_test(tc, a_client_reads_what_the_server_wrote_last);
	tcase_add_test(tc, a_page_too_long_is_refused);
	tcase_add_test(tc, a_write_that_fails_or_is_cut_says_so);
	tcase_add_test(tc, a_page_that_came_after_the_client_is_read);
	tcase_add_loop_test(tc, what_is_no_plain_file_is_no_page, 0, 3);
	tcase_add_test(tc, a_page_that_is_there_is_left_alone);
	tcase_add_loop_test(
		tc, a_page_that_was_removed_is_made_anew_and_read_by_clients_of_before, 0, 2);
	tcase_add_test(tc, a_page_that_was_cut_is_to_be_written_again);
	tcase_add_test(tc, what_was_put_in_its_place_is_not_followed);
	if (geteuid() == 0) /* only root has a second user at hand */
		tcase_add_test(tc, a_page_of_another_user_is_refused);
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
