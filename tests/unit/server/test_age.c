/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/age.h"

#include "base/time.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define S      INT64_C(1000000) /* of a wall clock */
#define H      (3600 * S)
#define Y      (365 * 24 * H)
#define TODAY  (56 * Y)
#define MONO_S NS_PER_S

/* A ceiling at TODAY, at second 0 of the other clock. */
static struct age a;

static void start(void)
{
	tmpspool_open();
	a = (struct age){ .ceiling_us = TODAY };
}

START_TEST(a_clock_that_runs_is_believed)
{
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(age_now_us(&a, TODAY + i * S, i * MONO_S), TODAY + i * S);
}
END_TEST

START_TEST(a_clock_that_is_set_forward_is_followed_at_twice_the_speed_of_time)
{
	ck_assert_int_eq(age_now_us(&a, TODAY + 10 * Y, 0), TODAY);
	ck_assert_int_eq(age_now_us(&a, TODAY + 10 * Y + H, 3600 * MONO_S), TODAY + 2 * H);
	/* And is set right again, after an hour: no harm was done. */
	ck_assert_int_eq(age_now_us(&a, TODAY + H, 3600 * MONO_S), TODAY + H);
	ck_assert_int_eq(age_now_us(&a, TODAY + 2 * H, 7200 * MONO_S), TODAY + 2 * H);
}
END_TEST

START_TEST(it_catches_up_after_a_time_without_a_server)
{
	/* An hour was missed, and an hour later it is made good. */
	ck_assert_int_eq(age_now_us(&a, TODAY + H + H / 2, 1800 * MONO_S), TODAY + H);
	ck_assert_int_eq(age_now_us(&a, TODAY + 2 * H, 3600 * MONO_S), TODAY + 2 * H);
	ck_assert_int_eq(age_now_us(&a, TODAY + 3 * H, 7200 * MONO_S), TODAY + 3 * H);
}
END_TEST

START_TEST(a_clock_that_is_set_back_is_believed_and_may_come_back_to_where_it_was)
{
	ck_assert_int_eq(age_now_us(&a, 0, 0), 0);
	ck_assert_int_eq(age_now_us(&a, 60 * S, 60 * MONO_S), 60 * S);
	/* A board without a battery hears what time it is. */
	ck_assert_int_eq(age_now_us(&a, TODAY - H, 60 * MONO_S), TODAY - H);
	ck_assert_int_eq(age_now_us(&a, TODAY + 60 * S, 120 * MONO_S), TODAY + 60 * S);
}
END_TEST

START_TEST(a_moment_that_is_asked_for_twice_is_one)
{
	ck_assert_int_eq(age_now_us(&a, TODAY + Y, 10 * MONO_S), TODAY + 20 * S);
	ck_assert_int_eq(age_now_us(&a, TODAY + Y, 10 * MONO_S), TODAY + 20 * S);
}
END_TEST

START_TEST(the_ceiling_is_kept_over_a_restart)
{
	struct age b;
	ck_assert_int_eq(age_save(&a, &tmpspool), 0);
	age_load(&b, &tmpspool, TODAY + 10 * Y, 5 * MONO_S);
	ck_assert_int_eq(age_now_us(&b, TODAY + 10 * Y, 5 * MONO_S), TODAY);
	ck_assert_int_eq(age_now_us(&b, TODAY + 10 * Y, 6 * MONO_S), TODAY + 2 * S);
}
END_TEST

static const char *const no_ages[] = { NULL, "", "x\n", "12", "0\n", "-5\n",
	"99999999999999999999999\n", "99999999999999999\n" };

START_TEST(where_none_was_kept_the_clock_is_believed_as_it_is)
{
	struct age b;
	if (no_ages[_i])
		tmpspool_put(".wq", "age", no_ages[_i]);
	age_load(&b, &tmpspool, TODAY + Y, 0);
	ck_assert_int_eq(age_now_us(&b, TODAY + Y, 0), TODAY + Y);
}
END_TEST

START_TEST(one_that_cannot_be_saved_leaves_the_old_one)
{
	ck_assert_int_eq(age_save(&a, &tmpspool), 0);
	struct age b = { .ceiling_us = TODAY + Y };
	fault_on("write", ENOSPC, 1);
	ck_assert_int_eq(age_save(&b, &tmpspool), -ENOSPC);
	age_load(&b, &tmpspool, TODAY + 2 * Y, 0);
	ck_assert_int_eq(b.ceiling_us, TODAY);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/age");
	TCase *tc = tcase_create("age");
	tcase_add_checked_fixture(tc, start, tmpspool_close);
	tcase_add_test(tc, a_clock_that_runs_is_believed);
	tcase_add_test(tc, a_clock_that_is_set_forward_is_followed_at_twice_the_speed_of_time);
	tcase_add_test(tc, it_catches_up_after_a_time_without_a_server);
	tcase_add_test(tc, a_clock_that_is_set_back_is_believed_and_may_come_back_to_where_it_was);
	tcase_add_test(tc, a_moment_that_is_asked_for_twice_is_one);
	tcase_add_test(tc, the_ceiling_is_kept_over_a_restart);
	tcase_add_loop_test(tc, where_none_was_kept_the_clock_is_believed_as_it_is, 0,
		sizeof no_ages / sizeof *no_ages);
	tcase_add_test(tc, one_that_cannot_be_saved_leaves_the_old_one);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *sr = srunner_create(make_suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
