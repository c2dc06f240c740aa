/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/scan.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

enum {
	MANY = 2500
}; /* more than one getdents64 gives */

struct seen {
	unsigned char ids[MANY]; /* how often each tmpspool_nth */
	int n_ids, n_names;
	char name[64];
	int answer;
};
static struct seen seen;

static int see(void *arg, struct reqid id, const char *name)
{
	struct seen *s = arg;
	if (name) {
		s->n_names++;
		strncpy(s->name, name, sizeof s->name - 1);
		return s->answer;
	}
	s->n_ids++;
	ck_assert_uint_eq(id.suffix, tmpspool_id.suffix);
	ck_assert_uint_lt(id.us - tmpspool_id.us, MANY);
	s->ids[id.us - tmpspool_id.us]++;
	return s->answer;
}

static void put_ids(int n)
{
	for (int i = 0; i < n; i++) {
		char text[REQID_SIZE];
		tmpspool_put("2-pending", reqid_format(tmpspool_nth((unsigned)i), text), "");
	}
}

START_TEST(an_empty_state_tells_nothing)
{
	ck_assert_int_eq(scan_state(&tmpspool, SPOOL_PENDING, see, &seen), 0);
	ck_assert_int_eq(seen.n_ids + seen.n_names, 0);
}
END_TEST

START_TEST(each_id_is_told_once_in_server_and_client)
{
	struct spool client;
	put_ids(MANY);
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &spool_io_real, NULL), 0);

	ck_assert_int_eq(scan_state(_i ? &client : &tmpspool, SPOOL_PENDING, see, &seen), 0);

	ck_assert_int_eq(seen.n_names, 0);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(seen.ids[i], 1);
	spool_close(&client);
}
END_TEST

START_TEST(a_second_listing_tells_it_all_again)
{
	put_ids(3);
	ck_assert_int_eq(scan_io(tmpspool.io, tmpspool.dir_fd[SPOOL_PENDING], see, &seen), 0);
	ck_assert_int_eq(scan_io(tmpspool.io, tmpspool.dir_fd[SPOOL_PENDING], see, &seen), 0);
	ck_assert_int_eq(seen.n_ids, 6);
}
END_TEST

START_TEST(a_name_that_is_no_id_is_told_as_it_is)
{
	tmpspool_put("2-pending", "no\nid", "");
	ck_assert_int_eq(scan_state(&tmpspool, SPOOL_PENDING, see, &seen), 0);
	ck_assert_int_eq(seen.n_names, 1);
	ck_assert_str_eq(seen.name, "no\nid");
}
END_TEST

START_TEST(nothing_is_opened_or_looked_at)
{
	put_ids(100);
	fault_reset();
	ck_assert_int_eq(scan_state(&tmpspool, SPOOL_PENDING, see, &seen), 0);
	/* Open, two listings (the second is empty), close. */
	ck_assert_int_eq(fault_calls, 4);
}
END_TEST

START_TEST(a_negative_answer_ends_the_listing)
{
	put_ids(3);
	seen.answer = -ECANCELED;
	ck_assert_int_eq(scan_state(&tmpspool, SPOOL_PENDING, see, &seen), -ECANCELED);
	ck_assert_int_eq(seen.n_ids, 1);
}
END_TEST

START_TEST(a_failure_is_told_and_nothing_stays_open)
{
	int fds = tmpspool_open_fds();
	for (int k = 1; k <= 2; k++) {
		fault_at(k, EIO);
		ck_assert_int_eq(scan_state(&tmpspool, SPOOL_PENDING, see, &seen), -EIO);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/scan");
	TCase *tc = tcase_create("scan");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, an_empty_state_tells_nothing);
	tcase_add_loop_test(tc, each_id_is_told_once_in_server_and_client, 0, 2);
	tcase_add_test(tc, a_second_listing_tells_it_all_again);
	tcase_add_test(tc, a_name_that_is_no_id_is_told_as_it_is);
	tcase_add_test(tc, nothing_is_opened_or_looked_at);
	tcase_add_test(tc, a_negative_answer_ends_the_listing);
	tcase_add_test(tc, a_failure_is_told_and_nothing_stays_open);
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
