/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/name.h"

#include <check.h>
#include <string.h>

static bool is_valid(const char *s)
{
	return name_is_valid(s, strlen(s), NAME_SHORT_MAX);
}

START_TEST(a_name_is_a_small_letter_then_letters_digits_and_hyphens)
{
	static const char *const good[] = { "a", "z", "lab", "lab-7", "a--", "x0123456789" };
	static const char *const bad[] = { "", "7lab", "-lab", "Lab", "laB", "la b", "la_b", "la.b",
		"lab/", "lab\n", "l\xc3\xa4" };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(is_valid(good[i]), "'%s'", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!is_valid(bad[i]), "'%s'", bad[i]);
}
END_TEST

START_TEST(a_name_is_not_longer_than_allowed)
{
	char s[100];
	memset(s, 'a', sizeof s);
	ck_assert(name_is_valid(s, 32, NAME_SHORT_MAX));
	ck_assert(!name_is_valid(s, 33, NAME_SHORT_MAX));
	ck_assert(name_is_valid(s, 63, NAME_LONG_MAX));
	ck_assert(!name_is_valid(s, 64, NAME_LONG_MAX));
}
END_TEST

START_TEST(only_the_bytes_given_count)
{
	ck_assert(name_is_valid("lab/../x", 3, NAME_LONG_MAX));
	ck_assert(!name_is_valid("lab\0x", 5, NAME_LONG_MAX));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/name");
	TCase *tc = tcase_create("name_is_valid");
	tcase_add_test(tc, a_name_is_a_small_letter_then_letters_digits_and_hyphens);
	tcase_add_test(tc, a_name_is_not_longer_than_allowed);
	tcase_add_test(tc, only_the_bytes_given_count);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
