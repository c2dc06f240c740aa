/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/attempt.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

#define ATTEMPTS ".wq/attempts"

/* "ID.N ", sorted by N; with a '?' behind the doubted ones. */
static char listed[1024];

static int note(void *arg, struct reqid id, uint32_t attempt, bool doubted)
{
	char text[REQID_SIZE], entry[REQID_SIZE + 16], old[sizeof listed];
	(void)arg;
	snprintf(entry, sizeof entry, "%s.%u%s ", reqid_format(id, text), attempt,
		doubted ? "?" : "");
	memcpy(old, listed, sizeof old);
	if (strcmp(entry, old) < 0)
		snprintf(listed, sizeof listed, "%s%s", entry, old);
	else
		snprintf(listed, sizeof listed, "%s%s", old, entry);
	return 0;
}

static const char *list(void)
{
	listed[0] = '\0';
	ck_assert_int_eq(attempt_each(&tmpspool, note, NULL), 0);
	return listed;
}

START_TEST(the_next_attempt_takes_the_place_of_the_last_one)
{
	ck_assert_str_eq(list(), "");
	ck_assert_int_eq(attempt_put(&tmpspool, tmpspool_id, 2), 0);
	ck_assert(tmpspool_holds(ATTEMPTS, ID_TEXT ".2", ""));
	ck_assert_int_eq(attempt_put(&tmpspool, tmpspool_id, 3), 0);
	ck_assert_int_eq(attempt_put(&tmpspool, tmpspool_id, 3), 0);
	ck_assert_str_eq(list(), ID_TEXT ".3 ");
	ck_assert_int_eq(tmpspool_count(ATTEMPTS), 1);

	ck_assert_int_eq(attempt_drop(&tmpspool, tmpspool_id, 3), 0);
	ck_assert_int_eq(attempt_drop(&tmpspool, tmpspool_id, 3), 0);
	ck_assert_int_eq(tmpspool_count(ATTEMPTS), 0);
}
END_TEST

START_TEST(a_doubt_goes_with_its_attempt)
{
	ck_assert_int_eq(attempt_doubt(&tmpspool, tmpspool_id, 1), 0);
	ck_assert_int_eq(attempt_doubt(&tmpspool, tmpspool_id, 1), 0);
	ck_assert_str_eq(list(), ID_TEXT ".1? ");
	ck_assert_int_eq(attempt_put(&tmpspool, tmpspool_id, 2), 0);
	ck_assert_str_eq(list(), ID_TEXT ".2 ");
	ck_assert_int_eq(attempt_doubt(&tmpspool, tmpspool_id, 2), 0);
	ck_assert_int_eq(attempt_drop(&tmpspool, tmpspool_id, 2), 0);
	ck_assert_int_eq(tmpspool_count(ATTEMPTS), 0);
}
END_TEST

START_TEST(what_is_no_attempt_is_passed_over)
{
	static const char *const others[] = { ID_TEXT, ID_TEXT ".", ID_TEXT ".02", ID_TEXT ".x",
		".doubted", ID_TEXT ".doubted", ID_TEXT ".2.doubted.doubted", "notes" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		tmpspool_put(ATTEMPTS, others[i], "");
	ck_assert_int_eq(attempt_put(&tmpspool, tmpspool_nth(4), 4294967295U), 0);
	char want[64], text[REQID_SIZE];
	snprintf(want, sizeof want, "%s.4294967295 ", reqid_format(tmpspool_nth(4), text));
	ck_assert_str_eq(list(), want);
}
END_TEST

/* At each instant one file says an attempt that has not begun, or one that has. */
START_TEST(a_failure_at_any_call_leaves_the_last_one_or_the_next)
{
	int fds = tmpspool_open_fds(), k = 0, rc;
	ck_assert_int_eq(attempt_put(&tmpspool, tmpspool_id, 2), 0);
	ck_assert_int_eq(attempt_doubt(&tmpspool, tmpspool_id, 2), 0);
	do {
		fault_at(++k, ENOSPC);
		rc = attempt_put(&tmpspool, tmpspool_id, 3);
		fault_reset();
		ck_assert(rc == 0 || rc == -ENOSPC);
		ck_assert(tmpspool_has(ATTEMPTS, ID_TEXT ".2") ||
			  tmpspool_has(ATTEMPTS, ID_TEXT ".3"));
		ck_assert_int_eq(tmpspool_open_fds(), fds);
	} while (rc < 0);
	ck_assert_int_gt(k, 3);
	ck_assert_str_eq(list(), ID_TEXT ".3 ");
}
END_TEST

static int stop(void *arg, struct reqid id, uint32_t attempt, bool doubted)
{
	(void)arg, (void)id, (void)doubted;
	return -(int)attempt;
}

START_TEST(who_lists_may_end_it)
{
	ck_assert_int_eq(attempt_put(&tmpspool, tmpspool_id, 7), 0);
	ck_assert_int_eq(attempt_each(&tmpspool, stop, NULL), -7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spool/attempt");
	TCase *tc = tcase_create("attempt");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, the_next_attempt_takes_the_place_of_the_last_one);
	tcase_add_test(tc, a_doubt_goes_with_its_attempt);
	tcase_add_test(tc, what_is_no_attempt_is_passed_over);
	tcase_add_test(tc, a_failure_at_any_call_leaves_the_last_one_or_the_next);
	tcase_add_test(tc, who_lists_may_end_it);
	suite_add_tcase(suite, tc);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
