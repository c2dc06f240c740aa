/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/problems.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void assert_line(const struct problem_at *at, const char *want)
{
	struct problems p = { 0 };
	problems_add(&p, at, "must be %s", "right");
	ck_assert_uint_eq(p.n, 1);
	ck_assert_str_eq(p.lines[0], want);
	problems_fini(&p);
	ck_assert_uint_eq(p.n, 0);
}

START_TEST(all_parts_make_one_sentence)
{
	assert_line(&(struct problem_at){ .file = "wq.conf",
			    .line = 12,
			    .section = "task-manager 'lab'",
			    .key = "k",
			    .value = "v",
			    .near = "n" },
		"wq.conf:12: task-manager 'lab': k = 'v': must be right; did you mean 'n'?");
}
END_TEST

START_TEST(parts_that_are_not_known_are_left_out)
{
	assert_line(&(struct problem_at){ 0 }, "must be right");
	assert_line(&(struct problem_at){ .file = "f" }, "f: must be right");
	assert_line(&(struct problem_at){ .line = 3, .key = "k" }, "k: must be right");
	assert_line(&(struct problem_at){ .file = "", .line = 3 },
		"the built-in configuration:3: must be right");
	assert_line(&(struct problem_at){ .key = "", .value = "" }, "'' = '': must be right");
	assert_line(&(struct problem_at){ .value = "v" }, "'v': must be right");
}
END_TEST

START_TEST(a_long_value_is_cut)
{
	char value[200] = { 0 }, want[300];
	memset(value, 'x', 121);
	snprintf(want, sizeof want, "'%.120s...': must be right", value);
	assert_line(&(struct problem_at){ .value = value }, want);
	value[120] = '\0';
	snprintf(want, sizeof want, "'%s': must be right", value);
	assert_line(&(struct problem_at){ .value = value }, want);
}
END_TEST

START_TEST(a_terminal_is_safe)
{
	assert_line(&(struct problem_at){ .key = "a\nb", .value = "\x1b[2J\xff" },
		"a\\x0ab = '\\x1b[2J\\xff': must be right");
}
END_TEST

START_TEST(errno_is_kept)
{
	struct problems p = { 0 };
	errno = EXDEV;
	problems_add(&p, &(struct problem_at){ .file = "f" }, "r");
	ck_assert_int_eq(errno, EXDEV);
	problems_fini(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config/problems");
	TCase *tc = tcase_create("problems_add");
	tcase_add_test(tc, all_parts_make_one_sentence);
	tcase_add_test(tc, parts_that_are_not_known_are_left_out);
	tcase_add_test(tc, a_long_value_is_cut);
	tcase_add_test(tc, a_terminal_is_safe);
	tcase_add_test(tc, errno_is_kept);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
