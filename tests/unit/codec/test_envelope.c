/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/envelope.h"

#include <check.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <wq/err.h>

#include "support/codec/bytes.h"

/* A format with one field of each kind, as small as can be. */
struct thing {
	char name[8];
	int color;
	bool on;
	int32_t i32;
	uint32_t u32;
	int64_t i64;
	uint64_t u64;
};

static const char *const colors[] = { "red", "green" };

#define AT(member) .offset = offsetof(struct thing, member)
static const struct field fields[] = {
	{ .key = "n", .type = FIELD_TEXT, AT(name), .size = 8 },
	{ .key = "v", .type = FIELD_VERSION },
	{ .key = "on", .type = FIELD_BOOL, AT(on) },
	{ .key = "i32", .type = FIELD_INT32, AT(i32) },
	{ .key = "i64", .type = FIELD_INT64, AT(i64) },
	{ .key = "u32", .type = FIELD_UINT32, AT(u32) },
	{ .key = "u64", .type = FIELD_UINT64, AT(u64) },
	{ .key = "color",
		.type = FIELD_WORD,
		.required = true,
		AT(color),
		.size = 2,
		.words = colors },
};
static const struct format strict = {
	.marker = "v",
	.strict = true,
	.fields = fields,
	.n_fields = sizeof fields / sizeof *fields,
};

START_TEST(what_is_zero_is_left_out_unless_it_is_required)
{
	struct thing thing = { .on = false };
	struct buf want = bytes_of("d9d9f7 a2 61'v'01 65'color'63'red'"), got = { 0 };

	ck_assert_int_eq(envelope_encode(&strict, &thing, &got), 0);

	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);
	buf_fini(&want);
	buf_fini(&got);
}
END_TEST

START_TEST(every_kind_is_written_in_order_and_comes_back)
{
	const struct thing thing = {
		.name = "seven b",
		.color = 1,
		.on = true,
		.i32 = INT32_MIN,
		.u32 = UINT32_MAX,
		.i64 = INT64_MIN,
		.u64 = UINT64_MAX,
	};
	struct buf want = bytes_of("d9d9f7 a8 61'n'67'seven b' 61'v'01 62'on'f5"
				   "63'i32'3a7fffffff 63'i64'3b7fffffffffffffff"
				   "63'u32'1affffffff 63'u64'1bffffffffffffffff"
				   "65'color'65'green'");
	struct buf got = { 0 };
	struct thing back = { .color = 0 };
	size_t used = 0;

	ck_assert_int_eq(envelope_encode(&strict, &thing, &got), 0);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);

	ck_assert_int_eq(envelope_decode(&strict, got.data, got.len, &back, &used, NULL), 0);
	ck_assert_uint_eq(used, got.len);
	ck_assert_str_eq(back.name, thing.name);
	ck_assert_int_eq(back.color, thing.color);
	ck_assert(back.on);
	ck_assert_int_eq(back.i32, thing.i32);
	ck_assert_uint_eq(back.u32, thing.u32);
	ck_assert_int_eq(back.i64, thing.i64);
	ck_assert_uint_eq(back.u64, thing.u64);
	buf_fini(&want);
	buf_fini(&got);
}
END_TEST

START_TEST(an_unknown_key_is_refused_or_passed_over_as_the_format_says)
{
	struct buf b = bytes_of("d9d9f7 a3 61'v'01 65'color'63'red' 66'colour'00");
	struct format lenient = strict;
	struct thing thing = { .color = 1 };
	struct wq_err err = { 0 };
	size_t used;
	lenient.strict = false;

	ck_assert_int_eq(
		envelope_decode(&strict, b.data, b.len, &thing, &used, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, "unknown-key");
	ck_assert_str_eq(err.text, "'colour' is not known; is 'color' meant?");
	ck_assert_int_eq(envelope_decode(&lenient, b.data, b.len, &thing, &used, NULL), 0);
	ck_assert_int_eq(thing.color, 0);
	buf_fini(&b);
}
END_TEST

START_TEST(the_seal_holds_what_is_before_it)
{
	struct buf b = bytes_of("ffff'123456789'");
	struct wq_err err = { 0 };
	size_t used = 0;

	ck_assert_int_eq(envelope_seal(&b, 2), 0);

	/* The check value of CRC-32C, of the text "123456789". */
	ck_assert_mem_eq(b.data + 11, "\x44\xe3\x06\x92\x83", CHECK_SIZE);
	ck_assert_int_eq(envelope_check_seal(b.data + 2, b.len - 2, 9, &used, &err), 0);
	ck_assert_uint_eq(used, CHECK_SIZE);
	b.data[5] ^= 0x10;
	ck_assert_int_eq(envelope_check_seal(b.data + 2, b.len - 2, 9, &used, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, "bad-checksum");
	buf_fini(&b);
}
END_TEST

START_TEST(names_of_task_managers_are_told_from_others)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "a", true },
		{ "lab-7", true },
		{ "a--", true },
		{ "", false },
		{ "7a", false },
		{ "-a", false },
		{ "Lab", false },
		{ "laB", false },
		{ "a b", false },
		{ "a.b", false },
		{ "a/b", false },
		{ "a_b", false },
		{ "\xc3\xa9", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(envelope_is_task_manager(cases[i].text, strlen(cases[i].text)) ==
				      cases[i].good,
			"'%s'", cases[i].text);
}
END_TEST

START_TEST(lines_have_no_control_characters)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "a line", true },
		{ "caf\xc3\xa9", true },
		{ "\xc2\xa0", true },
		{ "\xf0\x9f\x9a\x80", true },
		{ "a\tb", false },
		{ "a\n", false },
		{ "\x1b[J", false },
		{ "\x7f", false },
		{ "\xc2\x80", false },
		{ "\xc2\x9f", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(
			envelope_is_line(cases[i].text, strlen(cases[i].text)) == cases[i].good,
			"case %zu", i);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec/envelope");
	TCase *tc = tcase_create("envelope");
	tcase_add_test(tc, what_is_zero_is_left_out_unless_it_is_required);
	tcase_add_test(tc, every_kind_is_written_in_order_and_comes_back);
	tcase_add_test(tc, an_unknown_key_is_refused_or_passed_over_as_the_format_says);
	tcase_add_test(tc, the_seal_holds_what_is_before_it);
	tcase_add_test(tc, names_of_task_managers_are_told_from_others);
	tcase_add_test(tc, lines_have_no_control_characters);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
