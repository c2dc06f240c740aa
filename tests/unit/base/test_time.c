/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/time.h"

#include <check.h>
#include <time.h>

START_TEST(a_deadline_beyond_the_end_of_time_is_never)
{
	ck_assert_int_eq(time_after(5, 7), 12);
	ck_assert_int_eq(time_after(5, 0), 5);
	ck_assert_int_eq(time_after(0, TIME_NEVER), TIME_NEVER);
	ck_assert_int_eq(time_after(1, TIME_NEVER), TIME_NEVER);
	ck_assert_int_eq(time_after(INT64_MAX - 1, 2), TIME_NEVER);
	ck_assert_int_eq(time_after(TIME_NEVER, 1), TIME_NEVER);
}
END_TEST

START_TEST(mono_is_the_boot_clock_and_does_not_go_back)
{
	struct timespec before, after;
	clock_gettime(CLOCK_BOOTTIME, &before);
	int64_t first = time_mono_ns(), second = time_mono_ns();
	clock_gettime(CLOCK_BOOTTIME, &after);

	ck_assert_int_ge(first, before.tv_sec * NS_PER_S + before.tv_nsec);
	ck_assert_int_ge(second, first);
	ck_assert_int_le(second, after.tv_sec * NS_PER_S + after.tv_nsec);
}
END_TEST

START_TEST(wall_is_microseconds_since_1970)
{
	time_t before = time(NULL);
	int64_t now = time_wall_us();
	time_t after = time(NULL);

	/* time(2) may lag by a tick of the coarse clock. */
	ck_assert_int_ge(now / 1000000, before);
	ck_assert_int_le(now / 1000000, after + 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/time");
	TCase *tc = tcase_create("time");
	tcase_add_test(tc, a_deadline_beyond_the_end_of_time_is_never);
	tcase_add_test(tc, mono_is_the_boot_clock_and_does_not_go_back);
	tcase_add_test(tc, wall_is_microseconds_since_1970);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
