/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/move.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

static const struct {
	int (*move)(struct spool *sp, struct reqid id);
	const char *from, *to;
} moves[] = {
	{ move_accept, "1-requested", "2-pending" },
	{ move_start, "2-pending", "3-running" },
	{ move_put_back, "3-running", "2-pending" },
	{ move_take_back, "4-complete", "3-running" },
};
enum {
	N_MOVES = sizeof moves / sizeof *moves
};

START_TEST(a_move_takes_the_file_from_one_state_to_the_next)
{
	tmpspool_put(moves[_i].from, ID_TEXT, "bytes");

	ck_assert_int_eq(moves[_i].move(&tmpspool, tmpspool_id), 0);

	ck_assert(!tmpspool_has(moves[_i].from, ID_TEXT));
	ck_assert(tmpspool_holds(moves[_i].to, ID_TEXT, "bytes"));
}
END_TEST

START_TEST(a_move_of_nothing_is_enoent)
{
	ck_assert_int_eq(moves[_i].move(&tmpspool, tmpspool_id), -ENOENT);
}
END_TEST

START_TEST(a_move_onto_another_leaves_both_files)
{
	tmpspool_put(moves[_i].from, ID_TEXT, "mine");
	tmpspool_put(moves[_i].to, ID_TEXT, "other");

	ck_assert_int_eq(moves[_i].move(&tmpspool, tmpspool_id), -EEXIST);

	ck_assert(tmpspool_holds(moves[_i].from, ID_TEXT, "mine"));
	ck_assert(tmpspool_holds(moves[_i].to, ID_TEXT, "other"));
}
END_TEST

START_TEST(an_id_that_runs_or_is_complete_is_not_accepted_again)
{
	static const char *const later[] = { "3-running", "4-complete" };
	tmpspool_put(later[_i], ID_TEXT, "first");

	ck_assert_int_eq(move_accept(&tmpspool, tmpspool_id), -ENOENT);
	tmpspool_put("1-requested", ID_TEXT, "second");
	ck_assert_int_eq(move_accept(&tmpspool, tmpspool_id), -EEXIST);

	ck_assert(tmpspool_holds(later[_i], ID_TEXT, "first"));
	ck_assert(tmpspool_holds("1-requested", ID_TEXT, "second"));
	ck_assert(!tmpspool_has("2-pending", ID_TEXT));
}
END_TEST

START_TEST(a_move_that_fails_says_why_and_moves_nothing)
{
	tmpspool_put("2-pending", ID_TEXT, "bytes");
	fault_on("renameat2", EROFS, 1);

	ck_assert_int_eq(move_start(&tmpspool, tmpspool_id), -EROFS);
	ck_assert(tmpspool_has("2-pending", ID_TEXT));
	ck_assert_int_eq(move_start(&tmpspool, tmpspool_id), 0);
}
END_TEST

START_TEST(the_subject_of_an_abort_is_unlinked)
{
	for (enum spool_state s = SPOOL_REQUESTED; s <= SPOOL_COMPLETE; s++) {
		tmpspool_put(spool_state_name(s), ID_TEXT, "bytes");
		ck_assert_int_eq(move_remove(&tmpspool, tmpspool_id, s), 0);
		ck_assert(!tmpspool_has(spool_state_name(s), ID_TEXT));
		ck_assert_int_eq(move_remove(&tmpspool, tmpspool_id, s), -ENOENT);
	}
	ck_assert_int_eq(move_remove(&tmpspool, tmpspool_id, SPOOL_STATE_MAX), -ENOENT);
}
END_TEST

START_TEST(with_a_running_one_goes_what_tmp_keeps_of_it)
{
	tmpspool_put("3-running", ID_TEXT, "result");
	tmpspool_put(".wq/tmp", ID_TEXT, "request");

	ck_assert_int_eq(move_remove(&tmpspool, tmpspool_id, SPOOL_RUNNING), 0);

	ck_assert(!tmpspool_has("3-running", ID_TEXT));
	ck_assert(!tmpspool_has(".wq/tmp", ID_TEXT));
}
END_TEST

START_TEST(an_id_is_removed_wherever_it_stands)
{
	tmpspool_put("2-pending", ID_TEXT, "a");
	tmpspool_put("4-complete", ID_TEXT, "b");
	tmpspool_put(".wq/tmp", ID_TEXT, "c");

	ck_assert_int_eq(move_remove_all(&tmpspool, tmpspool_id), 0);
	ck_assert_int_eq(move_find(&tmpspool, tmpspool_id), SPOOL_STATE_MAX);
	ck_assert(!tmpspool_has(".wq/tmp", ID_TEXT));
	ck_assert_int_eq(move_remove_all(&tmpspool, tmpspool_id), 0);
}
END_TEST

START_TEST(a_directory_is_set_aside_whole_instead_of_removed)
{
	ck_assert_int_eq(mkdir(tmpspool_at("2-pending", ID_TEXT), 0700), 0);
	ck_assert_int_eq(mkdir(tmpspool_at("2-pending", ID_TEXT "/inner"), 0700), 0);

	ck_assert_int_eq(move_remove(&tmpspool, tmpspool_id, SPOOL_PENDING), 0);

	ck_assert(!tmpspool_has("2-pending", ID_TEXT));
	ck_assert(tmpspool_has(".wq/quarantine", ID_TEXT "/inner"));
}
END_TEST

START_TEST(a_marker_is_unlinked_whatever_is_in_it)
{
	tmpspool_put("5-aborting", ID_TEXT, "not empty");

	ck_assert_int_eq(move_unmark(&tmpspool, tmpspool_id), 0);
	ck_assert(!tmpspool_has("5-aborting", ID_TEXT));
	ck_assert_int_eq(move_unmark(&tmpspool, tmpspool_id), -ENOENT);
}
END_TEST

START_TEST(a_marker_that_is_no_plain_file_is_set_aside)
{
	const char *path = tmpspool_at("5-aborting", ID_TEXT);
	ck_assert_int_eq(_i ? symlink("/etc/passwd", path) : mkdir(path, 0700), 0);

	ck_assert_int_eq(move_unmark(&tmpspool, tmpspool_id), 0);

	ck_assert(!tmpspool_has("5-aborting", ID_TEXT));
	ck_assert(tmpspool_has(".wq/quarantine", ID_TEXT));
}
END_TEST

START_TEST(a_request_is_found_in_the_state_where_it_stands)
{
	ck_assert_int_eq(move_find(&tmpspool, tmpspool_id), SPOOL_STATE_MAX);
	tmpspool_put("5-aborting", ID_TEXT, "");
	ck_assert_int_eq(move_find(&tmpspool, tmpspool_id), SPOOL_STATE_MAX);
	for (enum spool_state s = SPOOL_REQUESTED; s <= SPOOL_COMPLETE; s++) {
		tmpspool_put(spool_state_name(s), ID_TEXT, "");
		ck_assert_int_eq(move_find(&tmpspool, tmpspool_id), s);
		ck_assert_int_eq(unlink(tmpspool_at(spool_state_name(s), ID_TEXT)), 0);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/move");
	TCase *tc = tcase_create("move");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_loop_test(tc, a_move_takes_the_file_from_one_state_to_the_next, 0, N_MOVES);
	tcase_add_loop_test(tc, a_move_of_nothing_is_enoent, 0, N_MOVES);
	tcase_add_loop_test(tc, a_move_onto_another_leaves_both_files, 0, N_MOVES);
	tcase_add_loop_test(tc, an_id_that_runs_or_is_complete_is_not_accepted_again, 0, 2);
	tcase_add_test(tc, a_move_that_fails_says_why_and_moves_nothing);
	tcase_add_test(tc, the_subject_of_an_abort_is_unlinked);
	tcase_add_test(tc, with_a_running_one_goes_what_tmp_keeps_of_it);
	tcase_add_test(tc, an_id_is_removed_wherever_it_stands);
	tcase_add_test(tc, a_directory_is_set_aside_whole_instead_of_removed);
	tcase_add_test(tc, a_marker_is_unlinked_whatever_is_in_it);
	tcase_add_loop_test(tc, a_marker_that_is_no_plain_file_is_set_aside, 0, 2);
	tcase_add_test(tc, a_request_is_found_in_the_state_where_it_stands);
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
