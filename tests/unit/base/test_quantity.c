/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/quantity.h"

#include <check.h>
#include <errno.h>

struct row {
	const char *text;
	int64_t value;
	int rc;
};

static const struct row durations[] = {
	{ "0s", 0, 0 },
	{ "1ns", 1, 0 },
	{ "1us", 1000, 0 },
	{ "250ms", 250000000, 0 },
	{ "10s", INT64_C(10000000000), 0 },
	{ "5m", INT64_C(300000000000), 0 },
	{ "2h", INT64_C(7200000000000), 0 },
	{ "7d", INT64_C(604800000000000), 0 },
	{ "1.5h", INT64_C(5400000000000), 0 },
	{ "0.1s", 100000000, 0 },
	{ "0.000000001s", 1, 0 },
	{ "0.0000000019s", 1, 0 },
	{ "9223372036854775807ns", INT64_MAX, 0 },
	{ "106751d", INT64_C(9223286400000000000), 0 },
	{ "9223372036854775808ns", 0, -ERANGE },
	{ "106752d", 0, -ERANGE },
	{ "99999999999999999999d", 0, -ERANGE },
	{ "", 0, -EINVAL },
	{ "s", 0, -EINVAL },
	{ "10", 0, -EINVAL },
	{ "10 s", 0, -EINVAL },
	{ " 10s", 0, -EINVAL },
	{ "10s ", 0, -EINVAL },
	{ "-1s", 0, -EINVAL },
	{ "+1s", 0, -EINVAL },
	{ "1.s", 0, -EINVAL },
	{ ".5s", 0, -EINVAL },
	{ "1,5s", 0, -EINVAL },
	{ "1e3s", 0, -EINVAL },
	{ "0x1s", 0, -EINVAL },
	{ "1M", 0, -EINVAL },
	{ "1S", 0, -EINVAL },
	{ "1m30s", 0, -EINVAL },
	{ "1y", 0, -EINVAL },
};

static const struct row sizes[] = {
	{ "0", 0, 0 },
	{ "1023", 1023, 0 },
	{ "1K", 1024, 0 },
	{ "64M", 67108864, 0 },
	{ "2G", INT64_C(2147483648), 0 },
	{ "1T", INT64_C(1099511627776), 0 },
	{ "1.5K", 1536, 0 },
	{ "9223372036854775807", INT64_MAX, 0 },
	{ "8388607T", INT64_C(9223370937343148032), 0 },
	{ "9223372036854775808", 0, -ERANGE },
	{ "8388608T", 0, -ERANGE },
	{ "", 0, -EINVAL },
	{ "K", 0, -EINVAL },
	{ "1k", 0, -EINVAL },
	{ "1KB", 0, -EINVAL },
	{ "1KiB", 0, -EINVAL },
	{ "1B", 0, -EINVAL },
	{ "-1", 0, -EINVAL },
	{ "1 K", 0, -EINVAL },
	{ "1\n", 0, -EINVAL },
	{ "1s", 0, -EINVAL },
};

static void assert_row(const struct row *row, int (*parse)(const char *, int64_t *))
{
	int64_t value = -42;
	int rc = parse(row->text, &value);
	ck_assert_msg(rc == row->rc, "'%s': %d", row->text, rc);
	/* Written on success only. */
	ck_assert_msg(
		value == (rc == 0 ? row->value : -42), "'%s': %lld", row->text, (long long)value);
}

START_TEST(a_duration_is_a_number_with_a_unit)
{
	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
		assert_row(&durations[i], quantity_parse_duration);
}
END_TEST

START_TEST(a_size_is_a_number_of_bytes_or_with_a_unit)
{
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		assert_row(&sizes[i], quantity_parse_size);
}
END_TEST

START_TEST(the_shortest_exact_form_is_printed)
{
	char text[32];
	ck_assert_str_eq(quantity_format_duration(0, text), "0s");
	ck_assert_str_eq(quantity_format_duration(1, text), "1ns");
	ck_assert_str_eq(quantity_format_duration(1500000000, text), "1500ms");
	ck_assert_str_eq(quantity_format_duration(INT64_C(90000000000), text), "90s");
	ck_assert_str_eq(quantity_format_duration(INT64_C(60000000000), text), "1m");
	ck_assert_str_eq(quantity_format_duration(INT64_C(86400000000000), text), "1d");
	ck_assert_str_eq(quantity_format_duration(INT64_MAX, text), "9223372036854775807ns");
	ck_assert_str_eq(quantity_format_size(0, text), "0");
	ck_assert_str_eq(quantity_format_size(1025, text), "1025");
	ck_assert_str_eq(quantity_format_size(1024, text), "1K");
	ck_assert_str_eq(quantity_format_size(16777216, text), "16M");
	ck_assert_str_eq(quantity_format_size(INT64_C(3) << 40, text), "3T");
}
END_TEST

START_TEST(what_is_printed_reads_back)
{
	char text[32];
	int64_t back;
	for (int64_t v = 1; v > 0 && v < INT64_MAX / 3; v = v * 3 + v % 7) {
		ck_assert_int_eq(
			quantity_parse_duration(quantity_format_duration(v, text), &back), 0);
		ck_assert_int_eq(back, v);
		ck_assert_int_eq(quantity_parse_size(quantity_format_size(v, text), &back), 0);
		ck_assert_int_eq(back, v);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/quantity");
	TCase *tc = tcase_create("quantity");
	tcase_add_test(tc, a_duration_is_a_number_with_a_unit);
	tcase_add_test(tc, a_size_is_a_number_of_bytes_or_with_a_unit);
	tcase_add_test(tc, the_shortest_exact_form_is_printed);
	tcase_add_test(tc, what_is_printed_reads_back);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
