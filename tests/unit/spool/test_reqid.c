/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/reqid.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text;
	uint64_t us, suffix;
} good[] = {
	{ "1511472984.123456-0k3v9q2m7t1dh", UINT64_C(1511472984123456),
		UINT64_C(725055147486381489) },
	{ "0000000000.000000-0000000000000", 0, 0 },
	{ "0000000001.000002-0000000000010", 1000002, 32 },
	{ "9999999999.999999-fvvvvvvvvvvvv", REQID_US_MAX, UINT64_MAX },
	{ "0000000000.000000-f000000000000", 0, UINT64_C(0xf000000000000000) },
	{ "0000000000.000000-000000000000v", 0, 31 },
};

START_TEST(a_well_formed_id_is_read_and_written_the_same)
{
	struct reqid id = { 7, 7 };
	char text[REQID_SIZE];

	ck_assert(reqid_parse(good[_i].text, strlen(good[_i].text), &id));

	ck_assert_uint_eq(id.us, good[_i].us);
	ck_assert_uint_eq(id.suffix, good[_i].suffix);
	ck_assert_str_eq(reqid_format(id, text), good[_i].text);
}
END_TEST

#define A16  "aaaaaaaaaaaaaaaa"
#define GOOD "1511472984.123456-0k3v9q2m7t1dh"

/* Names that somebody may drop into a spool directory, and that must never be taken for an id. */
static const char *const bad[] = {
	"",
	" ",
	".hidden",
	"..x",
	"..",
	".",
	".t0k3v9q2m7t1dh",
	"-rf",
	A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 "aaaaaaaaaaaaaaa",
	"1511472984.123456-0k3v9q2m7t1d\n",
	"\x1b[2J1472984.123456-0k3v9q2m7t1dh",
	"\xff\xfe"
	"11472984.123456-0k3v9q2m7t1dh",
	"\xc0\xb1"
	"11472984.123456-0k3v9q2m7t1dh",
	"\xe2\x80\xae"
	"1472984.123456-0k3v9q2m7t1dh",
	"1511472984.123456-0k3v9q2m7t1d\x01",
	"%n%s",
	"$(id)",
	";reboot",
	"'\"`",
	"\\",
	"*",
	"~",
	"core",
	".nfs0000000000a1b2c3d4e5f6000001",
	GOOD "~",
	"#" GOOD "#",
	GOOD " ",
	GOOD ".tmp",
	"1511472984.123456-0K3V9Q2M7T1DH",
	"1511472984.123456-0k3v9q2m7t1dw",
	"1511472984.123456-0k3v9q2m7t1d",
	"1511472984.123456-0k3v9q2m7t1dhh",
	"1511472984.123456-gk3v9q2m7t1dh",
	"1511472984.123456-vvvvvvvvvvvvv",
	"151147298.123456-0k3v9q2m7t1dhh",
	"151147298.123456-0k3v9q2m7t1dh",
	"15114729840.12345-0k3v9q2m7t1dh",
	"15114729840.123456-0k3v9q2m7t1dh",
	"1511472984.12345-0k3v9q2m7t1dhh",
	"1511472984.1234567-0k3v9q2m7t1dh",
	"1511472984.1234567-0k3v9q2m7t1d",
	"1511472984,123456-0k3v9q2m7t1dh",
	"1511472984.12.456-0k3v9q2m7t1dh",
	"+511472984.123456-0k3v9q2m7t1dh",
	"-511472984.123456-0k3v9q2m7t1dh",
	" 511472984.123456-0k3v9q2m7t1dh",
	"\xef\xbc\x91"
	"1472984.123456-0k3v9q2m7t1dh",
	"\xd9\xa1"
	"11472984.123456-0k3v9q2m7t1dh",
	"1511472984.123456",
	"1511472984.123456_0k3v9q2m7t1dh",
	"1511472984/123456-0k3v9q2m7t1dh",
	"0x11472984.123456-0k3v9q2m7t1dh",
	"151147298a.123456-0k3v9q2m7t1dh",
	"1511472984.12345a-0k3v9q2m7t1dh",
	"1511472984.123456-0k3v9q2m7t1/h",
	"1511472984.123456-0k3v9q2m7t:dh",
	"1511472984.123456-0k3v9q2m7t`dh",
	"1511472984.123456--k3v9q2m7t1dh",
};

START_TEST(anything_else_is_refused_and_leaves_the_target_alone)
{
	struct reqid id = { 7, 8 };

	ck_assert(!reqid_parse(bad[_i], strlen(bad[_i]), &id));

	ck_assert_uint_eq(id.us, 7);
	ck_assert_uint_eq(id.suffix, 8);
}
END_TEST

START_TEST(a_nul_within_the_length_is_refused)
{
	char text[REQID_SIZE] = GOOD;
	struct reqid id;
	text[5] = '\0';

	ck_assert(!reqid_parse(text, REQID_LEN, &id));
	ck_assert(!reqid_parse(GOOD "\0", REQID_LEN + 1, &id));
}
END_TEST

START_TEST(the_order_of_texts_is_the_order_of_ids)
{
	enum {
		N = 400
	};
	static const uint64_t edges[] = { 0, 1, 31, 32, UINT64_C(1) << 32, UINT64_MAX - 1,
		UINT64_MAX };
	struct reqid ids[N];
	char texts[N][REQID_SIZE];
	srand(1);
	for (int i = 0; i < N; i++) {
		ids[i].us =
			(uint64_t)(rand() % 5) * 999999 + (uint64_t)(rand() % 3) * 1000000000000;
		ids[i].suffix =
			i % 2 ? edges[rand() % 7] : (uint64_t)rand() << 33 | (uint64_t)rand();
		reqid_format(ids[i], texts[i]);
	}

	for (int i = 0; i < N; i++) {
		for (int j = 0; j < N; j++) {
			int by_text = strcmp(texts[i], texts[j]);
			ck_assert_int_eq(reqid_cmp(ids[i], ids[j]), (by_text > 0) - (by_text < 0));
			ck_assert_int_eq(reqid_is(ids[i], ids[j]), by_text == 0);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spool/reqid");
	TCase *tc = tcase_create("reqid");
	tcase_add_loop_test(
		tc, a_well_formed_id_is_read_and_written_the_same, 0, sizeof good / sizeof *good);
	tcase_add_loop_test(tc, anything_else_is_refused_and_leaves_the_target_alone, 0,
		sizeof bad / sizeof *bad);
	tcase_add_test(tc, a_nul_within_the_length_is_refused);
	tcase_add_test(tc, the_order_of_texts_is_the_order_of_ids);
	suite_add_tcase(suite, tc);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
