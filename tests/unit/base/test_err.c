/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

START_TEST(a_code_of_the_system_appends_its_text)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(err_set(&err, -ENOENT, "cannot open '%s'", "x"), -ENOENT);

	ck_assert_str_eq(err.text, "cannot open 'x': No such file or directory");
	ck_assert_int_eq(err.code, -ENOENT);
	ck_assert_int_eq(err.sys_errno, ENOENT);
	ck_assert_str_eq(err.name, "");
}
END_TEST

START_TEST(the_size_and_what_is_reserved_stay_their_owners)
{
	struct wq_err err = { .struct_size = 4096, .reserved = 7 };

	err_set_name(&err, -ENOENT, "no-file", "cannot open '%s'", "x");

	ck_assert_uint_eq(err.struct_size, 4096);
	ck_assert_uint_eq(err.reserved, 7);
}
END_TEST

START_TEST(a_code_of_ours_stands_alone)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(err_set_name(&err, -WQ_E_FORMAT, "bad-cbor", "item %d", 3), -WQ_E_FORMAT);

	ck_assert_str_eq(err.text, "item 3");
	ck_assert_str_eq(err.name, "bad-cbor");
	ck_assert_int_eq(err.sys_errno, 0);
	ck_assert_int_eq(err_set(&err, -WQ_E_GONE, "y"), -WQ_E_GONE);
	ck_assert_str_eq(err.name, "");
}
END_TEST

START_TEST(without_an_err_the_code_is_all)
{
	ck_assert_int_eq(err_set(NULL, -EIO, "x"), -EIO);
	ck_assert_int_eq(err_set_name(NULL, -EIO, "n", "x"), -EIO);
	ck_assert_int_eq(err_prefix(NULL, "x"), 0);
}
END_TEST

START_TEST(context_goes_in_front_and_keeps_the_code)
{
	struct wq_err err = { 0 };
	err_set_name(&err, -WQ_E_LIMIT, "too-large", "too large");

	ck_assert_int_eq(err_prefix(&err, "task manager '%s'", "lab"), -WQ_E_LIMIT);

	ck_assert_str_eq(err.text, "task manager 'lab': too large");
	ck_assert_str_eq(err.name, "too-large");
}
END_TEST

START_TEST(a_text_that_is_too_long_is_cut)
{
	struct wq_err err = { 0 };
	char text[1000] = { 0 };
	memset(text, 'x', sizeof text - 1);

	err_set_name(&err, -EIO, text, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
	ck_assert_uint_eq(strlen(err.name), sizeof err.name - 1);
	err_prefix(&err, "%s", "short");
	ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
	ck_assert_int_eq(strncmp(err.text, "short: xxx", 10), 0);
	err_prefix(&err, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

START_TEST(codes_have_names)
{
	ck_assert_str_eq(err_code_name(-ENOENT), "ENOENT");
	ck_assert_str_eq(err_code_name(-WQ_E_CONFIG), "WQ_E_CONFIG");
	ck_assert_str_eq(err_code_name(-WQ_E_FORMAT), "WQ_E_FORMAT");
	ck_assert_str_eq(err_code_name(-WQ_E_LIMIT), "WQ_E_LIMIT");
	ck_assert_str_eq(err_code_name(-WQ_E_STATE), "WQ_E_STATE");
	ck_assert_str_eq(err_code_name(-WQ_E_UNKNOWN), "WQ_E_UNKNOWN");
	ck_assert_str_eq(err_code_name(-WQ_E_DUPLICATE), "WQ_E_DUPLICATE");
	ck_assert_str_eq(err_code_name(-WQ_E_THREAD), "WQ_E_THREAD");
	ck_assert_str_eq(err_code_name(-WQ_E_UNSUPPORTED), "WQ_E_UNSUPPORTED");
	ck_assert_str_eq(err_code_name(-WQ_E_TIMEOUT), "WQ_E_TIMEOUT");
	ck_assert_str_eq(err_code_name(-WQ_E_GONE), "WQ_E_GONE");
	ck_assert_str_eq(err_code_name(-WQ_E_NOT_A_SPOOL), "WQ_E_NOT_A_SPOOL");
	ck_assert_str_eq(err_code_name(-WQ_E_LOCKED), "WQ_E_LOCKED");
	ck_assert_str_eq(err_code_name(-WQ_E_REFUSED), "WQ_E_REFUSED");
	ck_assert_str_eq(err_code_name(-WQ_E_FAULT), "WQ_E_FAULT");
}
END_TEST

START_TEST(other_codes_have_none)
{
	static const int codes[] = { 0, 1, -4000, -5000, -5015, INT32_MIN, INT32_MAX };
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		ck_assert_str_eq(err_code_name(codes[i]), "unknown code");
}
END_TEST

START_TEST(a_broken_invariant_aborts)
{
	wq_check(1 + 1 == 2);
	wq_check(1 + 1 == 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/err");
	TCase *tc = tcase_create("err");
	tcase_add_test(tc, a_code_of_the_system_appends_its_text);
	tcase_add_test(tc, the_size_and_what_is_reserved_stay_their_owners);
	tcase_add_test(tc, a_code_of_ours_stands_alone);
	tcase_add_test(tc, without_an_err_the_code_is_all);
	tcase_add_test(tc, context_goes_in_front_and_keeps_the_code);
	tcase_add_test(tc, a_text_that_is_too_long_is_cut);
	tcase_add_test(tc, codes_have_names);
	tcase_add_test(tc, other_codes_have_none);
	tcase_add_test_raise_signal(tc, a_broken_invariant_aborts, SIGABRT);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
