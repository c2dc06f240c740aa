/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buf.h"

#include <check.h>
#include <errno.h>
#include <string.h>

START_TEST(bytes_are_appended_in_order)
{
	struct buf b = { 0 };

	ck_assert_int_eq(buf_add(&b, "ab\0", 3), 0);
	ck_assert_int_eq(buf_add(&b, NULL, 0), 0);
	ck_assert_int_eq(buf_addf(&b, "%d-%s", 42, "x"), 0);
	ck_assert_int_eq(buf_addf(&b, "%s", ""), 0);

	ck_assert_uint_eq(b.len, 7);
	ck_assert_mem_eq(b.data,
		"ab\0"
		"42-x",
		7);
	buf_fini(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_eq(b.cap, 0);
}
END_TEST

START_TEST(it_grows_and_keeps_what_it_holds)
{
	struct buf b = { 0 };
	for (unsigned i = 0; i < 100000; i++) {
		uint8_t byte = (uint8_t)(i * 7);
		ck_assert_int_eq(buf_add(&b, &byte, 1), 0);
	}
	ck_assert_uint_eq(b.len, 100000);
	for (unsigned i = 0; i < 100000; i++)
		ck_assert_uint_eq(b.data[i], (uint8_t)(i * 7));
	buf_fini(&b);
}
END_TEST

START_TEST(reserved_room_is_there_without_growing_again)
{
	struct buf b = { 0 };
	ck_assert_int_eq(buf_reserve(&b, 1000), 0);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_ge(b.cap, 1000);
	const uint8_t *before = b.data;
	char zeros[1000] = { 0 };

	ck_assert_int_eq(buf_add(&b, zeros, 1000), 0);

	ck_assert_ptr_eq(b.data, before);
	buf_clear(&b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_eq(b.data, before);
	buf_fini(&b);
}
END_TEST

START_TEST(what_cannot_fit_changes_nothing)
{
	struct buf b = { 0 };
	buf_add(&b, "x", 1);

	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX - 1), -ENOMEM);

	ck_assert_uint_eq(b.len, 1);
	ck_assert_int_eq(b.data[0], 'x');
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/buf");
	TCase *tc = tcase_create("buf");
	tcase_add_test(tc, bytes_are_appended_in_order);
	tcase_add_test(tc, it_grows_and_keeps_what_it_holds);
	tcase_add_test(tc, reserved_room_is_there_without_growing_again);
	tcase_add_test(tc, what_cannot_fit_changes_nothing);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
