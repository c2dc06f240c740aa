/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/census.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

#define TMP ".wq/tmp"

enum {
	IN_1 = 1 << SPOOL_REQUESTED,
	IN_2 = 1 << SPOOL_PENDING,
	IN_3 = 1 << SPOOL_RUNNING,
	IN_4 = 1 << SPOOL_COMPLETE,
	IN_5 = 1 << SPOOL_ABORTING,
	IN_TMP = 1 << CENSUS_TMP
};

static const int all[] = { SPOOL_REQUESTED, SPOOL_PENDING, SPOOL_RUNNING, SPOOL_COMPLETE,
	CENSUS_TMP, SPOOL_ABORTING };
enum {
	N_ALL = sizeof all / sizeof *all
};

static struct census census;

static void put(unsigned n, const char *place)
{
	char name[REQID_SIZE];
	tmpspool_put(place, reqid_format(tmpspool_nth(n), name), "bytes");
}

static void take_all(void)
{
	ck_assert_int_eq(census_take(&census, &tmpspool, all, N_ALL), 0);
}

static void expect(unsigned n, unsigned in)
{
	struct reqid id;
	unsigned places;
	ck_assert(census_next(&census, &id, &places));
	ck_assert(reqid_is(id, tmpspool_nth(n)));
	ck_assert_uint_eq(places, in);
}

static void expect_end(void)
{
	struct reqid id;
	unsigned places;
	ck_assert(!census_next(&census, &id, &places));
	census_fini(&census);
}

START_TEST(an_empty_spool_has_no_ids)
{
	take_all();
	expect_end();
}
END_TEST

START_TEST(ids_come_in_order_wherever_they_stand)
{
	put(3, "1-requested");
	put(1, "4-complete");
	put(5, "2-pending");
	put(2, "5-aborting");
	put(4, TMP);
	put(6, "3-running");

	take_all();

	expect(1, IN_4);
	expect(2, IN_5);
	expect(3, IN_1);
	expect(4, IN_TMP);
	expect(5, IN_2);
	expect(6, IN_3);
	expect_end();
}
END_TEST

START_TEST(an_id_in_several_places_comes_once_with_all_of_them)
{
	put(1, "2-pending");
	put(2, "1-requested");
	put(2, "2-pending");
	put(2, "3-running");
	put(2, "4-complete");
	put(2, "5-aborting");
	put(2, TMP);
	put(3, "3-running");
	put(3, TMP);

	take_all();

	expect(1, IN_2);
	expect(2, IN_1 | IN_2 | IN_3 | IN_4 | IN_5 | IN_TMP);
	expect(3, IN_3 | IN_TMP);
	expect_end();
}
END_TEST

START_TEST(ids_of_one_microsecond_are_ordered_by_their_suffix)
{
	struct reqid id, larger = tmpspool_nth(1);
	char name[REQID_SIZE];
	unsigned places;
	larger.suffix++;
	tmpspool_put("1-requested", reqid_format(larger, name), "");
	put(1, "4-complete");

	take_all();

	expect(1, IN_4);
	ck_assert(census_next(&census, &id, &places));
	ck_assert(reqid_is(id, larger));
	expect_end();
}
END_TEST

START_TEST(only_the_places_asked_for_are_listed)
{
	static const int some[] = { SPOOL_PENDING, CENSUS_TMP };
	put(1, "1-requested");
	put(1, "2-pending");
	put(2, "3-running");
	put(3, TMP);

	ck_assert_int_eq(census_take(&census, &tmpspool, some, 2), 0);

	expect(1, IN_2);
	expect(3, IN_TMP);
	expect_end();
}
END_TEST

START_TEST(names_that_are_no_ids_are_passed_over)
{
	put(1, "1-requested");
	tmpspool_put("1-requested", ".t0123456789abc", "");
	tmpspool_put("2-pending", "README", "");
	tmpspool_put(TMP, ID_TEXT ".aside", "");

	take_all();

	expect(1, IN_1);
	expect_end();
}
END_TEST

START_TEST(a_thousand_ids_are_all_there)
{
	for (unsigned n = 1000; n > 0; n--)
		put(n, n % 2 ? "2-pending" : "4-complete");

	take_all();

	for (unsigned n = 1; n <= 1000; n++)
		expect(n, n % 2 ? IN_2 : IN_4);
	expect_end();
}
END_TEST

/* ---- while they are listed ----------------------------------------------------------------------
 */

static void (*meanwhile)(void);
static int before_place;

static int hooked_openat(int dir, const char *name, int flags, mode_t mode)
{
	if (meanwhile && dir == tmpspool.dir_fd[before_place]) {
		meanwhile();
		meanwhile = NULL;
	}
	return spool_io_real.openat(dir, name, flags, mode);
}

static void take_while(int place, void (*fn)(void))
{
	struct spool_io io = spool_io_real;
	io.openat = hooked_openat;
	before_place = place;
	meanwhile = fn;
	tmpspool.io = &io;
	take_all();
	tmpspool.io = &fault_io;
	ck_assert(meanwhile == NULL);
}

static void go(unsigned n, const char *from, const char *to)
{
	char name[REQID_SIZE], path[2 * PATH_MAX];
	reqid_format(tmpspool_nth(n), name);
	snprintf(path, sizeof path, "%s", tmpspool_at(from, name));
	ck_assert_int_eq(rename(path, tmpspool_at(to, name)), 0);
}

static void accept_first(void)
{
	go(1, "1-requested", "2-pending");
}

static void collect_first(void)
{
	char name[REQID_SIZE];
	ck_assert_int_eq(
		unlink(tmpspool_at("1-requested", reqid_format(tmpspool_nth(1), name))), 0);
}

static void publish_second(void)
{
	put(2, "1-requested");
}

START_TEST(one_that_moves_on_meanwhile_is_seen_twice_and_not_never)
{
	put(1, "1-requested");

	take_while(SPOOL_PENDING, accept_first);

	expect(1, IN_1 | IN_2);
	expect_end();
}
END_TEST

START_TEST(one_that_goes_away_meanwhile_is_still_told_where_it_was)
{
	put(1, "1-requested");

	take_while(SPOOL_PENDING, collect_first);

	expect(1, IN_1);
	expect_end();
}
END_TEST

START_TEST(one_that_comes_behind_the_listing_is_not_seen)
{
	put(1, "1-requested");

	take_while(SPOOL_PENDING, publish_second);

	expect(1, IN_1);
	expect_end();
}
END_TEST

/* ---- failures -----------------------------------------------------------------------------------
 */

START_TEST(a_place_that_cannot_be_listed_is_a_failure)
{
	static const struct {
		const char *call;
		int error;
	} troubles[] = { { "openat", EMFILE }, { "openat", ENFILE }, { "getdents", EIO } };
	put(1, "1-requested");
	fault_on(troubles[_i].call, troubles[_i].error, 1);

	ck_assert_int_eq(census_take(&census, &tmpspool, all, N_ALL), -troubles[_i].error);
	census_fini(&census);

	take_all();
	expect(1, IN_1);
	expect_end();
}
END_TEST

START_TEST(a_failure_at_any_call_is_told_and_leaves_no_descriptor_open)
{
	int fds = tmpspool_open_fds(), failures = 0;
	put(1, "1-requested");
	put(2, TMP);
	for (int k = 1;; k++) {
		fault_at(k, EIO);
		int rc = census_take(&census, &tmpspool, all, N_ALL);
		ck_assert(rc == 0 || rc == -EIO);
		failures += rc < 0;
		bool done = fault_calls < k;
		if (rc == 0) {
			expect(1, IN_1);
			expect(2, IN_TMP);
		}
		census_fini(&census);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
		if (done)
			break;
	}
	ck_assert_int_ge(failures, 2 * N_ALL); /* an open and a read of each */
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/census");
	TCase *tc = tcase_create("census");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, an_empty_spool_has_no_ids);
	tcase_add_test(tc, ids_come_in_order_wherever_they_stand);
	tcase_add_test(tc, an_id_in_several_places_comes_once_with_all_of_them);
	tcase_add_test(tc, ids_of_one_microsecond_are_ordered_by_their_suffix);
	tcase_add_test(tc, only_the_places_asked_for_are_listed);
	tcase_add_test(tc, names_that_are_no_ids_are_passed_over);
	tcase_add_test(tc, a_thousand_ids_are_all_there);
	tcase_add_test(tc, one_that_moves_on_meanwhile_is_seen_twice_and_not_never);
	tcase_add_test(tc, one_that_goes_away_meanwhile_is_still_told_where_it_was);
	tcase_add_test(tc, one_that_comes_behind_the_listing_is_not_seen);
	tcase_add_loop_test(tc, a_place_that_cannot_be_listed_is_a_failure, 0, 3);
	tcase_add_test(tc, a_failure_at_any_call_is_told_and_leaves_no_descriptor_open);
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
