/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/choice.h"

#include <wq/err.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text, *spool;
} configs[] = {
	{ "spool = \"/var/spool/wq\"\n", "/var/spool/wq" },
	{ "log = \"info\"\nspool = \"/a b\"\ndurability = \"none\"\n", "/a b" },
	{ "spool = \"/with \\\"quotes\\\" and \\\\\"\n", "/with \"quotes\" and \\" },
	/* not the option of that name in a section */
	{ "task-manager \"a\" {\n    spool = \"/wrong\"\n}\nspool = \"/right\"\n", "/right" },
	{ "", NULL },
	{ "spool = \"/never closed\n", NULL },
	{ "spool = bare\n", NULL },
};

START_TEST(the_spool_of_a_printed_configuration_is_found)
{
	char *spool = choice_read_config(configs[_i].text);
	if (configs[_i].spool)
		ck_assert_str_eq(spool, configs[_i].spool);
	else
		ck_assert_ptr_null(spool);
	free(spool);
}
END_TEST

START_TEST(the_option_wins_then_the_environment)
{
	char *spool = NULL;
	const char *rule = NULL;
	setenv("WQ_SPOOL", "/from/environment", 1);
	ck_assert_int_eq(choice_find("/given", &spool, &rule, NULL), 0);
	ck_assert_str_eq(spool, "/given");
	ck_assert_ptr_nonnull(strstr(rule, "-S"));
	free(spool);
	ck_assert_int_eq(choice_find(NULL, &spool, &rule, NULL), 0);
	ck_assert_str_eq(spool, "/from/environment");
	ck_assert_ptr_nonnull(strstr(rule, "WQ_SPOOL"));
	free(spool);
}
END_TEST

START_TEST(an_empty_name_is_refused_not_passed_over)
{
	char *spool = NULL;
	const char *rule = NULL;
	struct wq_err err = { 0 };
	setenv("WQ_SPOOL", "/from/environment", 1);
	ck_assert_int_eq(choice_find("", &spool, &rule, &err), -WQ_E_UNKNOWN);
	ck_assert_str_eq(err.text, "-S: the spool's name is empty");
}
END_TEST

START_TEST(without_any_the_sentence_says_the_three_ways)
{
	char *spool = NULL;
	const char *rule = NULL;
	struct wq_err err = { 0 };
	unsetenv("WQ_SPOOL");
	setenv("PATH", "/nonexistent", 1);
	ck_assert_int_eq(choice_find(NULL, &spool, &rule, &err), -WQ_E_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(err.text, "-S"));
	ck_assert_ptr_nonnull(strstr(err.text, "WQ_SPOOL"));
	ck_assert_ptr_nonnull(strstr(err.text, "configuration"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/choice");
	TCase *t = tcase_create("choice");
	tcase_add_loop_test(t, the_spool_of_a_printed_configuration_is_found, 0,
		(int)(sizeof configs / sizeof *configs));
	tcase_add_test(t, the_option_wins_then_the_environment);
	tcase_add_test(t, an_empty_name_is_refused_not_passed_over);
	tcase_add_test(t, without_any_the_sentence_says_the_three_ways);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
