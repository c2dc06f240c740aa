/* SPDX-License-Identifier: BSD-2-Clause */
/* From durability `batch` on: what has to be on disk before the next step. */
#include "server/commit.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/server/rig.h"

#define RIG_TWO(fault)                                                                             \
	"task-manager faulty { plugin = faulty max-running = 2 options { fault = " fault " } }\n"

static int n_hooks;

static void setup(void)
{
	rig_setup_spool();
	n_hooks = 0;
	rig_durability = "batch";
	rig_start(RIG_QUICK);
}

static void restart(const char *task_managers)
{
	rig_close();
	rig_start(task_managers);
}

/* ---- what is synced before what ---------------------------------------------------------------- */

static void nothing_has_begun(int fd)
{
	(void)fd;
	n_hooks++;
	ck_assert(rig_stands(1, "3-running"));
	ck_assert_int_eq(rig_n_started(), 0);
}

START_TEST(a_task_begins_when_its_place_in_3_is_on_disk)
{
	rig_when_synced(SPOOL_RUNNING, nothing_has_begun);
	rig_request(1, "quick");

	rig_run();

	ck_assert_int_eq(n_hooks, 1);
	ck_assert_int_eq(rig_n_started(), 1);
	rig_assert_result(1, RESULT_OK);
	rig_assert_idle();
}
END_TEST

static void nothing_is_shown(int fd)
{
	(void)fd;
	n_hooks++;
	ck_assert(rig_stands(1, "3-running"));
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
}

static void nothing_is_shown_yet(int fd)
{
	nothing_is_shown(fd);
	rig_when_synced(SPOOL_RUNNING, nothing_is_shown);
}

START_TEST(a_result_is_seen_when_its_bytes_and_then_its_name_are_on_disk)
{
	rig_when_synced(RIG_FILE, nothing_is_shown_yet);
	rig_request(1, "quick");

	rig_run();

	ck_assert_int_eq(n_hooks, 2);
	rig_assert_result(1, RESULT_OK);
	rig_assert_idle();
}
END_TEST

static void the_marker_stands_alone(int fd)
{
	(void)fd;
	n_hooks++;
	ck_assert(rig_stands(1, "5-aborting"));
	ck_assert(!rig_stands(1, "2-pending"));
}

START_TEST(a_marker_goes_when_the_end_of_its_subject_is_on_disk)
{
	rig_request(1, "quick");
	rig_abort(1);
	rig_when_synced(SPOOL_PENDING, the_marker_stands_alone);

	rig_run();

	ck_assert_int_eq(n_hooks, 1);
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	rig_assert_idle();
}
END_TEST

START_TEST(a_marker_of_nothing_goes_when_that_is_on_disk)
{
	static const int places[] = { SPOOL_REQUESTED, SPOOL_PENDING, SPOOL_RUNNING,
		SPOOL_COMPLETE };
	rig_abort(1);
	rig_when_synced(places[_i], the_marker_stands_alone);

	rig_run();

	ck_assert_int_eq(n_hooks, 1);
	rig_assert_idle();
}
END_TEST

START_TEST(a_result_that_recovery_finds_is_seen_when_it_is_on_disk)
{
	rig_close();
	rig_plant_result(1, "3-running");
	rig_plant_request(1, ".wq/tmp", "quick");
	rig_open(RIG_QUICK);
	rig_when_synced(RIG_FILE, nothing_is_shown_yet);

	ck_assert_int_eq(rig_recover(), 0);

	ck_assert_int_eq(n_hooks, 2);
	ck_assert(rig_stands(1, "4-complete"));
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
}
END_TEST

/* What is found is brought to disk, and then what was done about it. */
static void all_is_as_it_was(int fd)
{
	(void)fd;
	n_hooks++;
	ck_assert(rig_stands(1, "2-pending"));
	rig_when_synced(SPOOL_PENDING, the_marker_stands_alone);
}

START_TEST(a_marker_that_recovery_finds_goes_when_its_subject_is_gone_from_disk)
{
	rig_close();
	rig_plant_request(1, "2-pending", "quick");
	rig_abort(1);
	rig_open(RIG_QUICK);
	rig_when_synced(SPOOL_PENDING, all_is_as_it_was);

	ck_assert_int_eq(rig_recover(), 0);

	ck_assert_int_eq(n_hooks, 2);
	ck_assert(!rig_stands(1, "5-aborting"));
	ck_assert(!rig_stands(1, "2-pending"));
}
END_TEST

START_TEST(recovery_does_not_go_on_when_what_it_found_cannot_be_brought_to_disk)
{
	rig_close();
	rig_plant_result(1, "3-running");
	rig_plant_request(2, "2-pending", "quick");
	rig_abort(2);
	rig_open(RIG_QUICK);
	rig_fail("fsync", _i, RIG_ANY, EIO, 1);

	ck_assert_int_lt(rig_recover(), 0);

	ck_assert_int_eq(rig_failed(), 1);
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	ck_assert(rig_stands(2, "5-aborting"));
}
END_TEST

/* The levels differ in syncs and in nothing else. */
START_TEST(the_same_is_done_in_the_same_order_as_without_syncs)
{
	char seen[2][16384];
	for (int i = 0; i < 2; i++) {
		rig_close();
		tmpspool_remove_dir();
		rig_setup_spool();
		rig_durability = i ? "batch" : "none";
		rig_start(RIG_QUICK);
		rig_request(1, "quick");
		rig_run();
		rig_bad_request(2);
		rig_run();
		rig_request(3, "quick");
		rig_abort(3);
		rig_run();
		rig_abort(1);
		rig_run();
		rig_abort(4);
		rig_run();
		rig_assert_idle();
		snprintf(seen[i], sizeof seen[i], "%s", rig_changes());
	}
	ck_assert_str_eq(seen[0], seen[1]);
	ck_assert_ptr_nonnull(strstr(seen[0], "[0>1]"));
	ck_assert_ptr_nonnull(strstr(seen[0], "[2>3]"));
}
END_TEST

/* ---- what comes meanwhile ---------------------------------------------------------------------- */

static void abort_it(int fd)
{
	(void)fd;
	n_hooks++;
	rig_abort(1);
}

START_TEST(an_abort_that_comes_while_its_start_is_synced_lets_nothing_begin)
{
	rig_when_synced(SPOOL_RUNNING, abort_it);
	rig_request(1, "quick");

	rig_run();

	ck_assert_int_eq(n_hooks, 1);
	ck_assert_int_eq(rig_n_started(), 0);
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	rig_assert_idle();
}
END_TEST

START_TEST(an_abort_that_comes_while_its_result_is_synced_lets_nothing_be_seen)
{
	rig_when_synced(RIG_FILE, abort_it);
	rig_request(1, "quick");

	rig_run();
	rig_run();

	ck_assert_int_eq(n_hooks, 1);
	ck_assert_int_eq(rig_n_started(), 1);
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	rig_assert_idle();
}
END_TEST

START_TEST(nothing_overtakes_one_that_is_turned_away_when_it_is_to_begin)
{
	static const char *const refusals[] = { RIG_TWO("busy-after-capacity"),
		RIG_TWO("start-fault") };
	restart(refusals[_i]);
	rig_request(1, "faulty");
	rig_request(2, "faulty");

	rig_run();
	for (int i = 0; i < 3; i++)
		rig_run_later();

	ck_assert_int_eq(rig_n_started(), 0);
	for (unsigned n = 1; n <= 2; n++) /* one that is busy is asked again and again */
		ck_assert(rig_stands(n, "2-pending") || rig_stands(n, "3-running"));
	ck_assert_int_gt(rig_n_moves, 2);
	/* The plugin is asked about the first alone, each time. */
	for (int i = 0; i < rig_n_moves; i += 2)
		ck_assert(reqid_is(rig_moves[i], tmpspool_nth(1)));
}
END_TEST

START_TEST(more_results_than_a_batch_holds_are_all_published)
{
	enum {
		MANY = 600
	};
	restart("task-manager quick { plugin = null max-running = 1000 }\n");
	for (unsigned i = 1; i <= MANY; i++)
		rig_request(i, "quick");

	for (int i = 0; i < 8; i++)
		rig_run();

	ck_assert_int_eq(tmpspool_count("4-complete"), MANY);
	rig_assert_idle();
}
END_TEST

/* ---- failure ----------------------------------------------------------------------------------- */

static ino_t failed_inode;

static void note_inode(int fd)
{
	struct stat st;
	n_hooks++;
	ck_assert_int_eq(fstat(fd, &st), 0);
	failed_inode = st.st_ino;
}

START_TEST(a_result_whose_sync_fails_is_written_to_another_file)
{
	static const int errors[] = { EIO, ENOSPC };
	struct stat st;
	rig_when_synced(RIG_FILE, note_inode);
	rig_fail("fsync", RIG_FILE, RIG_ANY, errors[_i], 1);
	rig_request(1, "quick");
	rig_request(2, "quick");

	rig_run();
	ck_assert_int_eq(rig_failed(), 1);
	ck_assert(!rig_stands(1, "4-complete"));
	rig_run_later();

	ck_assert_int_eq(n_hooks, 1);
	rig_assert_result(1, RESULT_OK);
	rig_assert_result(2, RESULT_OK);
	ck_assert_int_eq(rig_n_started(), 2);
	ck_assert_int_eq(stat(tmpspool_at("4-complete", rig_name(1)), &st), 0);
	ck_assert_uint_ne(st.st_ino, failed_inode);
	ck_assert_str_eq(page_reason(&rig, (char[128]){ 0 }, 128), "");
	rig_assert_idle();
}
END_TEST

START_TEST(a_full_disk_passes)
{
	static const int places[] = { SPOOL_RUNNING, SPOOL_PENDING, RIG_FILE };
	rig_fail("fsync", places[_i], RIG_ANY, ENOSPC, 3);
	rig_request(1, "quick");
	rig_request(2, "quick");
	rig_abort(2);

	rig_run();
	for (int i = 0; i < 8; i++)
		rig_run_later();

	ck_assert_int_eq(rig_failed(), 3);
	rig_assert_result(1, RESULT_OK);
	ck_assert_int_eq(rig_n_started(), 1);
	ck_assert_int_eq(rig.exit_status, 0);
	rig_assert_idle();
}
END_TEST

static void assert_has_failed(void)
{
	ck_assert_ptr_nonnull(strstr(page_reason(&rig, (char[128]){ 0 }, 128), "storage-error"));
	ck_assert_str_eq(page_why(&rig), "storage-error");
	ck_assert_int_eq(rig.exit_status, EXIT_FAILURE);
}

START_TEST(when_a_directory_cannot_be_synced_nothing_begins_and_no_marker_goes)
{
	rig_fail("fsync", SPOOL_RUNNING, RIG_ANY, EIO, 1);
	rig_request(1, "quick");
	rig_run();
	rig_request(2, "quick");
	rig_abort(3);
	rig_request(4, "quick");
	rig_abort(4);
	for (int i = 0; i < 3; i++)
		rig_run_later();

	assert_has_failed();
	ck_assert_int_eq(rig_failed(), 1); /* it is not tried again and believed */
	ck_assert_int_eq(rig_n_started(), 0);
	ck_assert(rig_stands(1, "2-pending"));
	ck_assert(rig_stands(3, "5-aborting"));
	ck_assert(rig_stands(4, "5-aborting"));
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);

	rig_close();
	rig_start(RIG_QUICK);
	rig_run();
	rig_assert_result(1, RESULT_OK);
	rig_assert_result(2, RESULT_OK);
	ck_assert(!rig_stands(4, "4-complete"));
	rig_assert_idle();
}
END_TEST

START_TEST(a_result_that_three_files_do_not_hold_is_kept_in_memory)
{
	rig_fail("fsync", RIG_FILE, RIG_ANY, EIO, 3);
	rig_request(1, "quick");
	rig_run();
	for (int i = 0; i < 5; i++)
		rig_run_later();

	assert_has_failed();
	ck_assert_int_eq(rig_failed(), 3);
	ck_assert(rig_stands(1, "3-running"));
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	ck_assert_ptr_nonnull(tasks_next(&rig.tasks, 0));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("server/commit");
	TCase *order = tcase_create("order"), *meanwhile = tcase_create("meanwhile"),
	      *failure = tcase_create("failure");
	TCase *all[] = { order, meanwhile, failure };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		tcase_add_checked_fixture(all[i], setup, rig_teardown);
		suite_add_tcase(s, all[i]);
	}
	tcase_add_test(order, a_task_begins_when_its_place_in_3_is_on_disk);
	tcase_add_test(order, a_result_is_seen_when_its_bytes_and_then_its_name_are_on_disk);
	tcase_add_test(order, a_marker_goes_when_the_end_of_its_subject_is_on_disk);
	tcase_add_loop_test(order, a_marker_of_nothing_goes_when_that_is_on_disk, 0, 4);
	tcase_add_test(order, a_result_that_recovery_finds_is_seen_when_it_is_on_disk);
	tcase_add_test(order, a_marker_that_recovery_finds_goes_when_its_subject_is_gone_from_disk);
	tcase_add_loop_test(
		order, recovery_does_not_go_on_when_what_it_found_cannot_be_brought_to_disk, 0, 6);
	tcase_add_test(order, the_same_is_done_in_the_same_order_as_without_syncs);
	tcase_add_test(meanwhile, an_abort_that_comes_while_its_start_is_synced_lets_nothing_begin);
	tcase_add_test(
		meanwhile, an_abort_that_comes_while_its_result_is_synced_lets_nothing_be_seen);
	tcase_add_loop_test(
		meanwhile, nothing_overtakes_one_that_is_turned_away_when_it_is_to_begin, 0, 2);
	tcase_add_test(meanwhile, more_results_than_a_batch_holds_are_all_published);
	tcase_add_loop_test(failure, a_result_whose_sync_fails_is_written_to_another_file, 0, 2);
	tcase_add_loop_test(failure, a_full_disk_passes, 0, 3);
	tcase_add_test(
		failure, when_a_directory_cannot_be_synced_nothing_begins_and_no_marker_goes);
	tcase_add_test(failure, a_result_that_three_files_do_not_hold_is_kept_in_memory);
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
