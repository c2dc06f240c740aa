/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/sync.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "spool/syncer.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

enum {
	N_FILES = 3
};

static struct sync_file files[N_FILES];

static void setup(void)
{
	tmpspool_open();
	tmpspool.durability = SPOOL_DURABILITY_BATCH;
	tmpspool.sync_whole = false;
	for (int i = 0; i < N_FILES; i++) {
		files[i].fd = open(tmpspool_path, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
		ck_assert_int_ge(files[i].fd, 0);
	}
}

static void teardown(void)
{
	for (int i = 0; i < N_FILES; i++)
		close(files[i].fd);
	tmpspool_close();
}

START_TEST(at_none_no_call_is_made)
{
	tmpspool.durability = SPOOL_DURABILITY_NONE;
	fault_reset();

	ck_assert_int_eq(sync_now(&tmpspool, SYNC_ALL, files, N_FILES), 0);

	ck_assert_int_eq(fault_calls, 0);
}
END_TEST

START_TEST(each_file_and_each_directory_is_synced)
{
	fault_reset();

	ck_assert_int_eq(sync_now(&tmpspool, SYNC_STARTED, files, N_FILES), 0);

	/* To start writing a file, to sync it; 1, 2 and 3. */
	ck_assert_int_eq(fault_calls, 2 * N_FILES + 3);
}
END_TEST

START_TEST(a_file_that_fails_is_told_and_no_other)
{
	fault_reset();
	fault_at(N_FILES + 2, EIO);

	ck_assert_int_eq(sync_now(&tmpspool, SYNC_ALL, files, N_FILES), 0);

	ck_assert_int_eq(files[0].rc, 0);
	ck_assert_int_eq(files[1].rc, -EIO);
	ck_assert_int_eq(files[2].rc, 0);
}
END_TEST

START_TEST(a_directory_that_fails_is_told)
{
	fault_reset();
	fault_at(_i + 1, ENOSPC);

	ck_assert_int_eq(sync_now(&tmpspool, SYNC_ALL, NULL, 0), -ENOSPC);

	ck_assert_int_eq(fault_calls, SPOOL_STATE_MAX + 1);
}
END_TEST

START_TEST(on_a_file_system_of_its_own_one_call_stands_for_all)
{
	tmpspool.sync_whole = true;
	fault_reset();

	ck_assert_int_eq(sync_now(&tmpspool, SYNC_ALL, files, N_FILES), 0);
	ck_assert_int_eq(fault_calls, 1);

	fault_on("syncfs", EIO, 1);
	ck_assert_int_eq(sync_now(&tmpspool, SYNC_ALL, files, N_FILES), -EIO);
	for (int i = 0; i < N_FILES; i++)
		ck_assert_int_eq(files[i].rc, -EIO);
}
END_TEST

START_TEST(a_journal_brings_the_other_directories)
{
	unsigned three = 1u << SPOOL_RUNNING;
	tmpspool.has_journal = true;
	ck_assert_uint_eq(sync_dirs(&tmpspool, three, SYNC_STARTED), three);
	tmpspool.has_journal = false;
	ck_assert_uint_eq(sync_dirs(&tmpspool, three, SYNC_STARTED), SYNC_STARTED);
}
END_TEST

/* ---- the thread -------------------------------------------------------------------------------- */

static struct sync_batch *await(struct syncer *s)
{
	struct pollfd done = { .fd = syncer_fd(s), .events = POLLIN };
	ck_assert_int_eq(poll(&done, 1, 10000), 1);
	return syncer_take(s);
}

START_TEST(a_batch_comes_back_with_its_answers)
{
	struct syncer *s;
	struct sync_batch batch = {
		.dirs = 1u << SPOOL_RUNNING, .files = files, .n_files = N_FILES
	};
	ck_assert_int_eq(syncer_open(&s, &tmpspool), 0);
	for (int i = 0; i < 100; i++) {
		fault_reset();
		fault_on("fsync", EIO, i % 2);
		ck_assert_ptr_null(syncer_take(s));
		syncer_give(s, &batch);
		ck_assert_ptr_eq(await(s), &batch);
		ck_assert_int_eq(batch.rc, 0);
		ck_assert_int_eq(files[0].rc, i % 2 ? -EIO : 0);
		ck_assert_int_eq(files[1].rc, 0);
	}
	syncer_close(s);
}
END_TEST

START_TEST(to_close_it_waits_for_what_it_has)
{
	struct syncer *s;
	int before = tmpspool_open_fds();
	struct sync_batch batch = { .dirs = SYNC_ALL, .rc = 1 };
	ck_assert_int_eq(syncer_open(&s, &tmpspool), 0);
	fault_reset();
	syncer_give(s, &batch);

	syncer_close(s);

	ck_assert_int_eq(batch.rc, 0);
	ck_assert_int_eq(fault_calls, SPOOL_STATE_MAX + 1);
	ck_assert_int_eq(tmpspool_open_fds(), before);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("spool/sync");
	TCase *now = tcase_create("now"), *thread = tcase_create("thread");
	tcase_add_checked_fixture(now, setup, teardown);
	tcase_add_checked_fixture(thread, setup, teardown);
	tcase_add_test(now, at_none_no_call_is_made);
	tcase_add_test(now, each_file_and_each_directory_is_synced);
	tcase_add_test(now, a_file_that_fails_is_told_and_no_other);
	tcase_add_loop_test(now, a_directory_that_fails_is_told, 0, SPOOL_STATE_MAX + 1);
	tcase_add_test(now, on_a_file_system_of_its_own_one_call_stands_for_all);
	tcase_add_test(now, a_journal_brings_the_other_directories);
	tcase_add_test(thread, a_batch_comes_back_with_its_answers);
	tcase_add_test(thread, to_close_it_waits_for_what_it_has);
	suite_add_tcase(s, now);
	suite_add_tcase(s, thread);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
