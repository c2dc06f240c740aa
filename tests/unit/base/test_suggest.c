/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/suggest.h"

#include <check.h>
#include <string.h>

static const char *const names[] = { "spool", "plugin-path", "max-running", "on-start", "log-level",
	"" };

static const char *nearest(const char *word)
{
	return suggest_nearest(word, names, sizeof names / sizeof *names);
}

START_TEST(one_slip_is_recognised)
{
	ck_assert_str_eq(nearest("spol"), "spool");   /* left out */
	ck_assert_str_eq(nearest("spoool"), "spool"); /* one too many */
	ck_assert_str_eq(nearest("spoon"), "spool");  /* changed */
	ck_assert_str_eq(nearest("sopol"), "spool");  /* swapped */
	ck_assert_str_eq(nearest("max_running"), "max-running");
	ck_assert_str_eq(nearest("log-levle"), "log-level");
	ck_assert_str_eq(nearest("spool"), "spool");
}
END_TEST

START_TEST(longer_words_may_have_more_slips)
{
	ck_assert_str_eq(nearest("maxruning"), "max-running");
	ck_assert_str_eq(nearest("plugnpaht"), "plugin-path");
}
END_TEST

START_TEST(at_most_one_error_for_three_letters)
{
	static const char *const three[] = { "abc", "abcdef" };
	ck_assert_str_eq(suggest_nearest("abx", three, 1), "abc");
	ck_assert_ptr_null(suggest_nearest("axx", three, 1));
	ck_assert_ptr_null(suggest_nearest("xx", three, 1));
	ck_assert_str_eq(suggest_nearest("abcxxf", three, 2), "abcdef");
	ck_assert_ptr_null(suggest_nearest("abxxxf", three + 1, 1));
}
END_TEST

START_TEST(what_is_far_has_no_suggestion)
{
	ck_assert_ptr_null(nearest("colour"));
	ck_assert_ptr_null(nearest(""));
	ck_assert_ptr_null(nearest("x"));
	ck_assert_ptr_null(suggest_nearest("spool", NULL, 0));
}
END_TEST

START_TEST(the_nearest_wins_and_the_first_of_equals)
{
	static const char *const some[] = { "threads-x", "threads", "thread" };
	ck_assert_str_eq(suggest_nearest("thread", some, 3), "thread");
	ck_assert_str_eq(suggest_nearest("threadz", some, 3), "threads");
}
END_TEST

START_TEST(words_of_any_length_are_safe)
{
	char word[64] = { 0 }, name[65] = { 0 };
	memset(word, 'a', 63);
	memset(name, 'a', 64);
	const char *const same[] = { word }, *const longer[] = { name };
	ck_assert_str_eq(suggest_nearest(word, same, 1), word);
	ck_assert_ptr_null(suggest_nearest(word, longer, 1));
	ck_assert_ptr_null(suggest_nearest(name, same, 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/suggest");
	TCase *tc = tcase_create("suggest_nearest");
	tcase_add_test(tc, one_slip_is_recognised);
	tcase_add_test(tc, longer_words_may_have_more_slips);
	tcase_add_test(tc, at_most_one_error_for_three_letters);
	tcase_add_test(tc, what_is_far_has_no_suggestion);
	tcase_add_test(tc, the_nearest_wins_and_the_first_of_equals);
	tcase_add_test(tc, words_of_any_length_are_safe);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
