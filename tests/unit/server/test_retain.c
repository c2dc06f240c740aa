/* SPDX-License-Identifier: BSD-2-Clause */
/* Which results stay, those that nobody has collected and those in the history. */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "spool/census.h"
#include "spool/work.h"
#include "support/spool/fault.h"

static void restart(const char *conf)
{
	rig_close();
	rig_start(conf);
}

/* Its result was written so long ago. */
static void is_old(unsigned n, const char *place, int64_t seconds)
{
	int64_t at = time_wall_us() / 1000000 - seconds;
	const struct timespec times[2] = { { at, 0 }, { at, 0 } };
	ck_assert_int_eq(utimensat(AT_FDCWD, tmpspool_at(place, rig_name(n)), times, 0), 0);
}

static void collect(unsigned n)
{
	char from[8192];
	snprintf(from, sizeof from, "%s", tmpspool_at("4-complete", rig_name(n)));
	ck_assert_int_eq(rename(from, tmpspool_at("finished", rig_name(n))), 0);
}

static void one_round(void)
{
	retain_begin(&rig);
	for (int i = 0; i < 1000 && rig.retain.stage != RETAIN_IDLE; i++)
		rig_run();
	ck_assert_int_eq(rig.retain.stage, RETAIN_IDLE);
}

/* ---- nobody has collected it ------------------------------------------------------------------- */

START_TEST(results_above_the_number_push_out_those_written_first)
{
	restart("keep-results = 3\n" RIG_QUICK);
	for (unsigned n = 1; n <= 5; n++) {
		rig_request(6 - n, "quick");
		rig_run();
		is_old(6 - n, "4-complete", 100 - n);
	}
	one_round();
	for (unsigned n = 1; n <= 5; n++)
		ck_assert_int_eq(rig_stands(n, "4-complete"), n <= 3);
	ck_assert_uint_eq(rig.metrics.plain[METRICS_DROPPED], 2);
}
END_TEST

START_TEST(that_is_noticed_without_waiting_for_anything)
{
	restart("keep-results = 3\n" RIG_QUICK);
	for (unsigned n = 1; n <= 5; n++)
		rig_request(n, "quick");
	for (int i = 0; i < 20; i++)
		rig_run();
	ck_assert_int_eq(tmpspool_count("4-complete"), 3);
}
END_TEST

START_TEST(results_that_were_collected_do_not_count)
{
	restart("keep-results = 2\nkeep-finished-for = 0s\n" RIG_QUICK);
	for (unsigned n = 1; n <= 6; n++) {
		rig_request(n, "quick");
		rig_run();
		if (n % 2)
			collect(n);
	}
	one_round();
	ck_assert(!rig_stands(2, "4-complete"));
	ck_assert(rig_stands(4, "4-complete"));
	ck_assert(rig_stands(6, "4-complete"));
	ck_assert_int_eq(tmpspool_count("finished"), 3);
}
END_TEST

START_TEST(what_has_waited_too_long_goes_when_the_server_starts)
{
	rig_close();
	rig_plant_result(1, "4-complete");
	rig_plant_result(2, "4-complete");
	is_old(1, "4-complete", 8 * 86400);
	is_old(2, "4-complete", 6 * 86400);
	rig_start(RIG_QUICK);
	one_round();
	ck_assert(!rig_stands(1, "4-complete"));
	ck_assert(rig_stands(2, "4-complete"));
}
END_TEST

START_TEST(a_round_comes_by_itself_when_the_first_of_them_has_to_go)
{
	rig_close();
	rig_plant_result(1, "4-complete");
	is_old(1, "4-complete", 100);
	rig_start("keep-results-for = 1h\n" RIG_QUICK);
	one_round();
	ck_assert(rig_stands(1, "4-complete"));
	rig_forward(3499 * NS_PER_S);
	rig_run();
	ck_assert_int_eq(rig.retain.stage, RETAIN_IDLE);

	rig_forward(2 * NS_PER_S);
	ck_assert_int_eq(loop_run_once(rig.loop, 0), 0);
	ck_assert_int_ne(rig.retain.stage, RETAIN_IDLE);
}
END_TEST

/* The wall clock of the rig stands still while the other one is put forward. */
START_TEST(a_request_may_ask_for_less)
{
	restart("keep-results-for = 1h\n" RIG_QUICK);
	rig_like.keep_for_ns = 60 * NS_PER_S;
	rig_request(1, "quick");
	rig_like.keep_for_ns = 0;
	rig_request(2, "quick");
	rig_run();
	rig_assert_result(1, RESULT_OK);
	is_old(1, "4-complete", 61);
	is_old(2, "4-complete", 61);

	rig_forward(61 * NS_PER_S);
	for (int i = 0; i < 20; i++)
		rig_run();
	ck_assert(!rig_stands(1, "4-complete"));
	ck_assert(rig_stands(2, "4-complete"));
}
END_TEST

START_TEST(it_is_remembered_across_a_restart)
{
	restart(RIG_QUICK);
	rig_like.keep_for_ns = 60 * NS_PER_S;
	rig_request(1, "quick");
	rig_request(2, "quick");
	rig_run();
	collect(2);
	rig_close();
	is_old(1, "4-complete", 61);
	is_old(2, "finished", 61);
	rig_start("keep-finished-for = 0s\n" RIG_QUICK);
	one_round();
	ck_assert(!rig_stands(1, "4-complete"));
	ck_assert(!rig_stands(2, "finished"));
	ck_assert_uint_eq(rig.metrics.plain[METRICS_DROPPED], 1);
	ck_assert_uint_eq(rig.metrics.plain[METRICS_FORGOTTEN], 1);
}
END_TEST

START_TEST(it_may_not_ask_for_more)
{
	restart("keep-results-for = 1h\n" RIG_QUICK);
	rig_like.keep_for_ns = 48 * 3600 * NS_PER_S;
	rig_request(1, "quick");
	rig_run();
	is_old(1, "4-complete", 3601);
	one_round();
	ck_assert(!rig_stands(1, "4-complete"));
}
END_TEST

/* ---- the history ------------------------------------------------------------------------------- */

START_TEST(the_history_keeps_the_newest_requests)
{
	restart("keep-finished = 2\nkeep-finished-for = 0s\n" RIG_QUICK);
	for (unsigned n = 1; n <= 4; n++)
		rig_plant_result(n, "finished");
	one_round();
	for (unsigned n = 1; n <= 4; n++)
		ck_assert_int_eq(rig_stands(n, "finished"), n >= 3);
	ck_assert_uint_eq(rig.metrics.plain[METRICS_FORGOTTEN], 2);
}
END_TEST

static void put_work(unsigned n, size_t len)
{
	char name[WORK_NAME_SIZE + 16];
	ck_assert_int_eq(work_make(&rig.spool, tmpspool_nth(n), 1), 0);
	char *bytes = malloc(len + 1);
	memset(bytes, 'x', len);
	bytes[len] = '\0';
	work_name(tmpspool_nth(n), 1, name);
	strcat(name, "/stdout");
	tmpspool_put("work", name, bytes);
	free(bytes);
}

START_TEST(the_history_takes_no_more_space_than_it_may)
{
	restart("keep-finished-bytes = 500K\nkeep-finished-for = 0s\n" RIG_QUICK);
	for (unsigned n = 1; n <= 4; n++) {
		rig_plant_result(n, "finished");
		put_work(n, 200000);
	}
	one_round();
	for (unsigned n = 1; n <= 4; n++)
		ck_assert_int_eq(rig_stands(n, "finished"), n >= 3);
	ck_assert_int_eq(tmpspool_count("work"), 2);
}
END_TEST

START_TEST(work_that_belongs_to_nobody_goes_with_a_round)
{
	put_work(1, 10);
	one_round();
	ck_assert_int_eq(tmpspool_count("work"), 0);
}
END_TEST

/* ---- a little at a time ------------------------------------------------------------------------ */

START_TEST(requests_are_served_in_the_midst_of_a_round)
{
	restart("keep-results = 1\n" RIG_QUICK);
	for (unsigned n = 1; n <= 3000; n++)
		rig_plant_result(n, "4-complete");
	retain_begin(&rig);
	rig_request(5000, "quick");
	int passes = 0;
	for (; !rig_stands(5000, "4-complete") && passes < 100; passes++) {
		ck_assert_int_eq(loop_run_once(rig.loop, 0), 0);
		server_pass(&rig);
	}
	ck_assert_int_lt(passes, 100);
	ck_assert_int_ne(rig.retain.stage, RETAIN_IDLE);
	for (int i = 0; i < 1000 && rig.retain.stage != RETAIN_IDLE; i++)
		rig_run();
	ck_assert_int_le(tmpspool_count("4-complete"), 2);
}
END_TEST

START_TEST(a_listing_that_fails_is_made_again_in_the_next_round)
{
	restart("keep-finished = 0\n" RIG_QUICK);
	rig_plant_result(1, "finished");
	rig_fail("list", RIG_ANY, RIG_ANY, EMFILE, 4);
	one_round();
	rig_repair();
	ck_assert(rig_stands(1, "finished"));
	one_round();
	ck_assert(!rig_stands(1, "finished"));
}
END_TEST

START_TEST(a_disk_that_fails_takes_no_results_away)
{
	restart("keep-finished = 0\n" RIG_QUICK);
	rig_plant_result(1, "finished");
	snprintf(rig.commits.error, sizeof rig.commits.error, "storage-error");
	retain_begin(&rig);
	for (int i = 0; i < 20; i++)
		rig_run();
	ck_assert(rig_stands(1, "finished"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/retain");
	TCase *tc = tcase_create("complete");
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_test(tc, results_above_the_number_push_out_those_written_first);
	tcase_add_test(tc, that_is_noticed_without_waiting_for_anything);
	tcase_add_test(tc, results_that_were_collected_do_not_count);
	tcase_add_test(tc, what_has_waited_too_long_goes_when_the_server_starts);
	tcase_add_test(tc, a_round_comes_by_itself_when_the_first_of_them_has_to_go);
	tcase_add_test(tc, a_request_may_ask_for_less);
	tcase_add_test(tc, it_is_remembered_across_a_restart);
	tcase_add_test(tc, it_may_not_ask_for_more);
	suite_add_tcase(suite, tc);
	tc = tcase_create("history");
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_test(tc, the_history_keeps_the_newest_requests);
	tcase_add_test(tc, the_history_takes_no_more_space_than_it_may);
	tcase_add_test(tc, work_that_belongs_to_nobody_goes_with_a_round);
	suite_add_tcase(suite, tc);
	tc = tcase_create("a little at a time");
	tcase_set_timeout(tc, 30); /* thousands of results, under a sanitizer too */
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_test(tc, requests_are_served_in_the_midst_of_a_round);
	tcase_add_test(tc, a_listing_that_fails_is_made_again_in_the_next_round);
	tcase_add_test(tc, a_disk_that_fails_takes_no_results_away);
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
