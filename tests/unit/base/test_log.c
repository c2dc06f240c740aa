/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include "base/time.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

START_TEST(levels_have_words)
{
	ck_assert_int_eq(log_level_parse("err"), LOG_LEVEL_ERR);
	ck_assert_int_eq(log_level_parse("warn"), LOG_LEVEL_WARN);
	ck_assert_int_eq(log_level_parse("notice"), LOG_LEVEL_NOTICE);
	ck_assert_int_eq(log_level_parse("info"), LOG_LEVEL_INFO);
	ck_assert_int_eq(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	ck_assert_int_eq(log_level_parse(""), -1);
	ck_assert_int_eq(log_level_parse("Err"), -1);
	ck_assert_int_eq(log_level_parse("warning"), -1);
}
END_TEST

/* Standard error goes to a pipe while `write_lines` runs. */
static size_t capture(void (*write_lines)(void), char *ret, size_t size)
{
	int fds[2], saved = dup(STDERR_FILENO);
	ck_assert_int_eq(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	write_lines();
	dup2(saved, STDERR_FILENO);
	close(saved);
	size_t len = 0;
	ssize_t n;
	while ((n = read(fds[0], ret + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fds[0]);
	ret[len] = '\0';
	return len;
}

static void write_some(void)
{
	log_set_level(LOG_LEVEL_NOTICE);
	errno = EXDEV;
	log_err("one %d\n<0>two", 1);
	log_notice("three");
	log_info("not shown");
	ck_assert_int_eq(errno, EXDEV);
}

START_TEST(lines_carry_their_priority_and_cannot_be_forged)
{
	char text[4096];
	capture(write_some, text, sizeof text);
	ck_assert_str_eq(text, "<3>one 1\\x0a<0>two\n<5>three\n");
}
END_TEST

static void write_long(void)
{
	char text[5000] = { 0 };
	memset(text, '\n', sizeof text - 1);
	log_err("%s", text);
	memset(text, 'x', sizeof text - 1);
	log_err("%s", text);
}

START_TEST(a_long_line_is_cut_but_stays_a_line)
{
	char text[16384];
	size_t len = capture(write_long, text, sizeof text);
	char *end = strchr(text, '\n');
	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(strncmp(end + 1, "<3>xxx", 6), 0);
	ck_assert_int_eq(text[len - 1], '\n');
	ck_assert_ptr_eq(strchr(end + 1, '\n'), text + len - 1);
}
END_TEST

static void write_errors(void)
{
	char text[LOG_ERROR_MAX];
	log_last_error(INT64_MAX, text);
	ck_assert_str_eq(text, "");
	log_err("the first");
	log_err("the\nsecond");
	log_warn("no error");
	log_last_error(NS_PER_S * 60, text);
	ck_assert_str_eq(text, "the\\x0asecond");
	log_last_error(-1, text);
	ck_assert_str_eq(text, "");
	char much[5000] = { 0 };
	memset(much, 'x', sizeof much - 1);
	log_err("%s", much);
	log_last_error(NS_PER_S * 60, text);
	ck_assert_uint_eq(strlen(text), LOG_ERROR_MAX - 1);
}

START_TEST(the_last_error_is_remembered_for_who_asks_soon)
{
	char text[16384];
	capture(write_errors, text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "<3>the first\n"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/log");
	TCase *tc = tcase_create("log_line");
	tcase_add_test(tc, levels_have_words);
	tcase_add_test(tc, lines_carry_their_priority_and_cannot_be_forged);
	tcase_add_test(tc, a_long_line_is_cut_but_stays_a_line);
	tcase_add_test(tc, the_last_error_is_remembered_for_who_asks_soon);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
