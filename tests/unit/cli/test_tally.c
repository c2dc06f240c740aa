/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/tally.h"

#include "base/time.h"

#include <check.h>
#include <string.h>

static char line[TALLY_LINE_MAX];

START_TEST(a_status_is_counted_as_what_it_is)
{
	ck_assert_int_eq(tally_kind_of("ok"), TALLY_OK);
	ck_assert_int_eq(tally_kind_of("failed"), TALLY_FAILED);
	ck_assert_int_eq(tally_kind_of("rejected"), TALLY_REJECTED);
	ck_assert_int_eq(tally_kind_of("lost"), TALLY_LOST);
	ck_assert_int_eq(tally_kind_of("expired"), TALLY_EXPIRED);
	ck_assert_int_eq(tally_kind_of("killed"), TALLY_KILLED);
	ck_assert_int_eq(tally_kind_of("of a later version"), TALLY_FAILED);
	ck_assert_int_eq(tally_kind_of("gone"), TALLY_FAILED);
}
END_TEST

START_TEST(the_summary_names_ok_and_failed_always_and_others_where_there_are_any)
{
	struct tally t = { .total = 0 };
	ck_assert_str_eq(tally_summary(&t, line), "0 ok, 0 failed");
	t.count[TALLY_OK] = 117;
	t.count[TALLY_GONE] = 2;
	ck_assert_str_eq(tally_summary(&t, line), "117 ok, 0 failed, 2 gone");
	t.count[TALLY_FAILED] = 3;
	t.count[TALLY_REJECTED] = 1;
	ck_assert_str_eq(tally_summary(&t, line), "117 ok, 3 failed, 1 rejected, 2 gone");
}
END_TEST

START_TEST(the_longest_summary_fits)
{
	struct tally t = { .total = SIZE_MAX };
	for (enum tally_kind k = 0; k < TALLY_MAX; k++)
		t.count[k] = SIZE_MAX;
	ck_assert_ptr_nonnull(strstr(tally_summary(&t, line), "not finished in time"));
	ck_assert_str_eq(line + strlen(line) - strlen("unreadable"), "unreadable");
}
END_TEST

START_TEST(the_bar_shows_done_failed_rate_and_time_left)
{
	struct tally t = { .total = 240, .began_ns = 5 * NS_PER_S };
	t.count[TALLY_OK] = 117;
	t.count[TALLY_FAILED] = 2;
	t.count[TALLY_KILLED] = 1;
	/* 120 in 12 s are 10/s, so the other 120 take 12 s. */
	ck_assert_str_eq(tally_bar(&t, 17 * NS_PER_S, 200, line),
		"[###############...............] 120/240, 3 failed, 10.0/s, 12s left");
	t.total = 36120;
	tally_bar(&t, 17 * NS_PER_S, 200, line);
	ck_assert_ptr_nonnull(strstr(line, ", 1h00m left"));
	t.total = 120;
	ck_assert_str_eq(tally_bar(&t, 17 * NS_PER_S, 200, line),
		"[##############################] 120/120, 3 failed, 10.0/s");
}
END_TEST

START_TEST(before_there_is_a_rate_there_is_no_guess)
{
	struct tally t = { .total = 10, .began_ns = NS_PER_S };
	ck_assert_str_eq(
		tally_bar(&t, 9 * NS_PER_S, 200, line), "[..............................] 0/10");
	t.count[TALLY_OK] = 1;
	ck_assert_str_eq(
		tally_bar(&t, NS_PER_S, 200, line), "[###...........................] 1/10");
}
END_TEST

START_TEST(the_bar_is_never_wider_than_the_terminal)
{
	struct tally t = { .total = SIZE_MAX, .began_ns = 0 };
	for (enum tally_kind k = 0; k < TALLY_MAX; k++)
		t.count[k] = SIZE_MAX / TALLY_MAX / 2;
	for (int width = 0; width < 200; width++)
		ck_assert_uint_le(strlen(tally_bar(&t, NS_PER_S, width, line)), (size_t)width);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/tally");
	TCase *t = tcase_create("tally");
	tcase_add_test(t, a_status_is_counted_as_what_it_is);
	tcase_add_test(t, the_summary_names_ok_and_failed_always_and_others_where_there_are_any);
	tcase_add_test(t, the_longest_summary_fits);
	tcase_add_test(t, the_bar_shows_done_failed_rate_and_time_left);
	tcase_add_test(t, before_there_is_a_rate_there_is_no_guess);
	tcase_add_test(t, the_bar_is_never_wider_than_the_terminal);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
