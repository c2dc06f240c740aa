/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/finished.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "spool/work.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

enum {
	MANY = 1000, /* removals that no test reaches */
};

static const char *text_of(unsigned n)
{
	static char text[REQID_SIZE];
	return reqid_format(tmpspool_nth(n), text);
}

static const char *work_of(unsigned n)
{
	static char name[WORK_NAME_SIZE];
	return work_name(tmpspool_nth(n), 1, name);
}

static void put_finished(unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		tmpspool_put("finished", text_of(i), "result");
}

static void put_work(unsigned n)
{
	ck_assert_int_eq(work_make(&tmpspool, tmpspool_nth(n), 1), 0);
}

static int prune(int64_t now_us, int max)
{
	return finished_prune(&tmpspool, now_us, max);
}

/* ---- collect ---------------------------------------------------------------------------------- */

static struct spool client;

static void open_client(void)
{
	struct wq_err err = { 0 };
	ck_assert_msg(
		spool_open_client(&client, tmpspool_path, &fault_io, &err) == 0, "%s", err.text);
	fault_reset();
}

START_TEST(a_collected_result_is_in_the_history_by_one_call)
{
	open_client();
	tmpspool_put("4-complete", ID_TEXT, "result");

	ck_assert_int_eq(finished_collect(&client, tmpspool_id), 0);

	ck_assert_int_eq(fault_calls, 1);
	ck_assert(!tmpspool_has("4-complete", ID_TEXT));
	ck_assert(tmpspool_holds("finished", ID_TEXT, "result"));
	spool_close(&client);
}
END_TEST

START_TEST(who_comes_second_is_told)
{
	open_client();
	tmpspool_put("4-complete", ID_TEXT, "result");
	ck_assert_int_eq(finished_collect(&client, tmpspool_id), 0);
	ck_assert_int_eq(finished_collect(&client, tmpspool_id), -ENOENT);
	ck_assert(tmpspool_holds("finished", ID_TEXT, "result"));
	spool_close(&client);
}
END_TEST

/* A power cut may bring a result back that was collected. */
START_TEST(a_result_that_is_in_the_history_already_is_replaced)
{
	open_client();
	tmpspool_put("finished", ID_TEXT, "older");
	tmpspool_put("4-complete", ID_TEXT, "result");
	ck_assert_int_eq(finished_collect(&client, tmpspool_id), 0);
	ck_assert(!tmpspool_has("4-complete", ID_TEXT));
	ck_assert(tmpspool_holds("finished", ID_TEXT, "result"));
	spool_close(&client);
}
END_TEST

START_TEST(without_a_history_a_result_is_collected_all_the_same)
{
	ck_assert_int_eq(rmdir(tmpspool_at(".", "finished")), 0);
	open_client();
	ck_assert_int_eq(client.finished_fd, -1);
	tmpspool_put("4-complete", ID_TEXT, "result");
	ck_assert_int_eq(finished_collect(&client, tmpspool_id), 0);
	ck_assert(!tmpspool_has("4-complete", ID_TEXT));
	ck_assert_int_eq(finished_collect(&client, tmpspool_id), -ENOENT);
	spool_close(&client);
}
END_TEST

START_TEST(a_history_that_takes_nothing_does_not_keep_a_result)
{
	static const int errors[] = { ENOSPC, EDQUOT, EXDEV, EACCES, EROFS, ENOENT };
	open_client();
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		tmpspool_put("4-complete", ID_TEXT, "result");
		fault_on("renameat2", errors[i], 1);
		ck_assert_int_eq(finished_collect(&client, tmpspool_id), 0);
		ck_assert(!tmpspool_has("4-complete", ID_TEXT));
		ck_assert(!tmpspool_has("finished", ID_TEXT));
	}
	/* The directory has gone since it was opened. */
	ck_assert_int_eq(rmdir(tmpspool_at(".", "finished")), 0);
	tmpspool_put("4-complete", ID_TEXT, "result");
	ck_assert_int_eq(finished_collect(&client, tmpspool_id), 0);
	ck_assert(!tmpspool_has("4-complete", ID_TEXT));
	spool_close(&client);
}
END_TEST

/* ---- work directories and handles ------------------------------------------------------------- */

START_TEST(the_work_directory_of_a_request_that_stands_somewhere_stays)
{
	static const char *const places[] = { "1-requested", "2-pending", "3-running", "4-complete",
		"finished" };
	for (unsigned i = 0; i < 5; i++) {
		tmpspool_put(places[i], text_of(i), "bytes");
		put_work(i);
		ck_assert_int_eq(work_put_handle(&tmpspool, tmpspool_nth(i), 1, "h", 1), 0);
	}
	ck_assert_int_eq(work_make(&tmpspool, tmpspool_nth(2), 2), 0);

	ck_assert_int_eq(prune(0, MANY), 0);

	ck_assert_int_eq(tmpspool_count("work"), 6);
	ck_assert_int_eq(tmpspool_count(".wq/handles"), 5);
}
END_TEST

START_TEST(that_of_one_that_stands_nowhere_goes_with_all_attempts)
{
	put_work(0);
	tmpspool_put("work", ID_TEXT ".1/stdout", "bytes");
	ck_assert_int_eq(work_make(&tmpspool, tmpspool_id, 2), 0);
	ck_assert_int_eq(work_put_handle(&tmpspool, tmpspool_id, 2, "h", 1), 0);
	/* A marker alone is no request. */
	tmpspool_put("5-aborting", ID_TEXT, "");
	tmpspool_put("work", "notes.txt", "bytes");
	ck_assert_int_eq(mkdir(tmpspool_at("work", ID_TEXT), 0700), 0);

	ck_assert_int_eq(prune(0, MANY), 3);

	ck_assert_int_eq(tmpspool_count("work"), 2);
	ck_assert(tmpspool_has("work", "notes.txt"));
	ck_assert(tmpspool_has("work", ID_TEXT));
	ck_assert_int_eq(tmpspool_count(".wq/handles"), 0);
}
END_TEST

START_TEST(of_work_directories_at_most_so_many_go_at_once)
{
	for (unsigned i = 0; i < 10; i++)
		put_work(i);
	ck_assert_int_eq(prune(0, 4), 4);
	ck_assert_int_eq(tmpspool_count("work"), 6);
	ck_assert_int_eq(prune(0, 4), 4);
	ck_assert_int_eq(prune(0, 4), 2);
	ck_assert_int_eq(tmpspool_count("work"), 0);
}
END_TEST

/* What a client does between two looks of the server. */
static int looks, collect_at;

static int racing_fstatat(int dir, const char *name, struct stat *ret, int flags)
{
	if (looks++ == collect_at)
		ck_assert_int_eq(finished_collect(&client, tmpspool_id), 0);
	return spool_io_real.fstatat(dir, name, ret, flags);
}

START_TEST(a_result_that_is_collected_meanwhile_keeps_its_work_directory)
{
	struct spool_io racing = spool_io_real;
	racing.fstatat = racing_fstatat;
	open_client();
	client.io = &spool_io_real;
	put_work(0);
	for (collect_at = 0; collect_at < 10; collect_at++) {
		(void)unlink(tmpspool_at("finished", ID_TEXT));
		(void)unlink(tmpspool_at("4-complete", ID_TEXT));
		tmpspool_put("4-complete", ID_TEXT, "result");
		looks = 0;
		tmpspool.io = &racing;
		ck_assert_int_eq(prune(0, MANY), 0);
		tmpspool.io = &fault_io;
		ck_assert_msg(tmpspool_has("work", work_of(0)), "after look %d", collect_at);
	}
	spool_close(&client);
}
END_TEST

START_TEST(with_nothing_to_do_it_costs_a_listing_and_a_look_each)
{
	put_finished(0, 100);
	for (unsigned i = 0; i < 100; i++)
		put_work(i);
	fault_reset();

	ck_assert_int_eq(prune(0, MANY), 0);

	/* A listing is an open, a few reads and a close; there are two. */
	ck_assert_int_le(fault_calls, 100 + 2 * 5);
}
END_TEST

START_TEST(many_work_directories_are_looked_at_in_turns_and_all_go_in_the_end)
{
	enum {
		N = 6000
	};
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(mkdir(tmpspool_at("work", work_of(i)), 0700), 0);
	/* The first 4500 are needed. */
	put_finished(0, 4500);
	for (int round = 1; round <= 200 && tmpspool_count("work") > 4500; round++) {
		fault_reset();
		ck_assert_int_ge(prune(round * 1000003, 100000), 0);
		ck_assert_int_le(fault_calls, 4096 * 9);
	}
	ck_assert_int_eq(tmpspool_count("work"), 4500);
	for (unsigned i = 0; i < 4500; i++)
		ck_assert(tmpspool_has("work", work_of(i)));
}
END_TEST

START_TEST(one_that_cannot_be_removed_is_told_and_does_not_keep_the_others)
{
	char deep[300] = "", *end = deep;
	put_work(0);
	put_work(1);
	put_work(2);
	/* Deeper than a removal goes. */
	for (int i = 0; i < 70; i++) {
		end += sprintf(end, "/d");
		char name[400];
		snprintf(name, sizeof name, "%s%s", work_of(1), deep);
		ck_assert_int_eq(mkdir(tmpspool_at("work", name), 0700), 0);
	}

	ck_assert_int_lt(prune(0, MANY), 0);

	ck_assert_int_eq(tmpspool_count("work"), 1);
}
END_TEST

START_TEST(a_failure_at_any_call_takes_nothing_that_is_needed)
{
	int fds = tmpspool_open_fds();
	for (unsigned i = 0; i < 4; i++) {
		tmpspool_put(spool_state_name((enum spool_state)i), text_of(i), "bytes");
		put_work(i);
	}
	put_finished(4, 6);
	put_work(5);
	for (int k = 1; k < 200; k++) {
		put_work(6);
		fault_at(k, EIO);
		int rc = prune(0, MANY);
		int calls = fault_calls;
		fault_reset();
		ck_assert(rc == 0 || rc == 1 || rc == -EIO);
		for (unsigned i = 0; i < 6; i++)
			ck_assert_msg(i == 4 || tmpspool_has("work", work_of(i)), "call %d", k);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
		if (calls < k) {
			ck_assert_int_eq(rc, 1);
			ck_assert(!tmpspool_has("work", work_of(6)));
			return;
		}
	}
	ck_abort_msg("it never succeeds");
}
END_TEST

static void add(Suite *suite, TCase *tc)
{
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	suite_add_tcase(suite, tc);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/finished");
	TCase *tc = tcase_create("collect");
	tcase_add_test(tc, a_collected_result_is_in_the_history_by_one_call);
	tcase_add_test(tc, who_comes_second_is_told);
	tcase_add_test(tc, a_result_that_is_in_the_history_already_is_replaced);
	tcase_add_test(tc, without_a_history_a_result_is_collected_all_the_same);
	tcase_add_test(tc, a_history_that_takes_nothing_does_not_keep_a_result);
	add(suite, tc);
	tc = tcase_create("work");
	tcase_set_timeout(tc, 60); /* thousands of directories, under a sanitizer too */
	tcase_add_test(tc, the_work_directory_of_a_request_that_stands_somewhere_stays);
	tcase_add_test(tc, that_of_one_that_stands_nowhere_goes_with_all_attempts);
	tcase_add_test(tc, of_work_directories_at_most_so_many_go_at_once);
	tcase_add_test(tc, a_result_that_is_collected_meanwhile_keeps_its_work_directory);
	tcase_add_test(tc, with_nothing_to_do_it_costs_a_listing_and_a_look_each);
	tcase_add_test(tc, many_work_directories_are_looked_at_in_turns_and_all_go_in_the_end);
	tcase_add_test(tc, one_that_cannot_be_removed_is_told_and_does_not_keep_the_others);
	tcase_add_test(tc, a_failure_at_any_call_takes_nothing_that_is_needed);
	add(suite, tc);
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
