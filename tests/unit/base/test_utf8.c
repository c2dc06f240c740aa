/* SPDX-License-Identifier: BSD-2-Clause */
/* Well-formed and ill-formed sequences after RFC 3629 and Unicode, table 3-7. */
#include "base/utf8.h"

#include <check.h>
#include <string.h>

START_TEST(well_formed_characters_have_their_length)
{
	static const struct {
		const char *text;
		size_t len;
	} good[] = { { "a", 1 }, { "\x7f", 1 }, { "\xc2\x80", 2 }, { "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 }, { "\xe2\x82\xac", 3 }, { "\xed\x9f\xbf", 3 },
		{ "\xee\x80\x80", 3 }, { "\xef\xbf\xbf", 3 }, { "\xf0\x90\x80\x80", 4 },
		{ "\xf3\xa0\x80\x81", 4 }, { "\xf4\x8f\xbf\xbf", 4 } };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_uint_eq(utf8_char_len(good[i].text, strlen(good[i].text)), good[i].len);
		ck_assert(utf8_is_valid(good[i].text, strlen(good[i].text)));
	}
	ck_assert_uint_eq(utf8_char_len("", 1), 1); /* NUL is a character */
	ck_assert(utf8_is_valid("", 0));
	ck_assert(utf8_is_valid("a\xc3\xa4\xe2\x82\xac", 6));
}
END_TEST

START_TEST(ill_formed_ones_have_none)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf", /* continuation alone */
		"\xc0\x80",
		"\xc1\xbf", /* overlong, two bytes */
		"\xe0\x80\x80",
		"\xe0\x9f\xbf", /* overlong, three */
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf", /* overlong, four */
		"\xed\xa0\x80",
		"\xed\xbf\xbf", /* surrogates */
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff", /* above U+10FFFF */
		"\xc2",
		"\xe2\x82",
		"\xf0\x90\x80", /* cut off */
		"\xc2\x41",
		"\xe2\x41\x80",
		"\xe2\x82\x41",
		"\xf0\x90\x80\x41",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_msg(utf8_char_len(bad[i], strlen(bad[i])) == 0, "%zu", i);
		ck_assert(!utf8_is_valid(bad[i], strlen(bad[i])));
	}
	ck_assert_uint_eq(utf8_char_len("a", 0), 0);
	ck_assert(!utf8_is_valid("abc\xff", 4));
	/* The length given binds, not what stands behind it. */
	ck_assert_uint_eq(utf8_char_len("\xe2\x82\xac", 2), 0);
}
END_TEST

START_TEST(controls_and_overrides_deceive)
{
	static const char *const deceptive[] = { "\xc2\x80", "\xc2\x9b", "\xc2\x9f", /* C1 */
		"\xe2\x80\x8e", "\xe2\x80\x8f",                                      /* U+200E, F */
		"\xe2\x80\xaa", "\xe2\x80\xae",                                      /* U+202A, E */
		"\xe2\x81\xa6", "\xe2\x81\xa9" };                                    /* U+2066, 9 */
	static const char *const plain[] = { "a", "\xc2\xa0", "\xc3\xa4", "\xe2\x80\x8d",
		"\xe2\x80\x90", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\xa5", "\xe2\x81\xaa",
		"\xf0\x9f\x98\x80" };
	for (size_t i = 0; i < sizeof deceptive / sizeof *deceptive; i++)
		ck_assert_msg(utf8_is_deceptive(deceptive[i], strlen(deceptive[i])), "%zu", i);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		ck_assert_msg(!utf8_is_deceptive(plain[i], strlen(plain[i])), "%zu", i);
}
END_TEST

static void assert_escaped(const char *text, size_t len, const char *want)
{
	char out[256];
	ck_assert_str_eq(utf8_escape(text, len, out, sizeof out), want);
}

START_TEST(plain_text_stays)
{
	assert_escaped("", 0, "");
	assert_escaped("a 'b' \"c\" ~", 11, "a 'b' \"c\" ~");
	assert_escaped(
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
}
END_TEST

START_TEST(what_could_deceive_is_escaped)
{
	assert_escaped("a\nb\tc\r", 6, "a\\x0ab\\x09c\\x0d");
	assert_escaped("\x1b[2J\x7f", 5, "\\x1b[2J\\x7f");
	assert_escaped("a\0b", 3, "a\\x00b");
	assert_escaped("a\\x0ab", 6, "a\\x0ab"); /* escaped already */
	assert_escaped("\xff\xc3", 2, "\\xff\\xc3");
	assert_escaped("\xc2\x9b", 2, "\\xc2\\x9b");
	assert_escaped("\xe2\x80\xae", 3, "\\xe2\\x80\\xae");
}
END_TEST

START_TEST(a_text_is_cut_between_characters_and_ends_in_nul)
{
	char out[8];
	memset(out, 'z', sizeof out);
	ck_assert_str_eq(utf8_escape("abcdefghij", 10, out, sizeof out), "abcdefg");
	ck_assert_str_eq(utf8_escape("abcdef\xc3\xa4", 8, out, sizeof out), "abcdef");
	ck_assert_str_eq(utf8_escape("abcd\n", 5, out, sizeof out), "abcd");
	ck_assert_str_eq(utf8_escape("abc\n", 4, out, sizeof out), "abc\\x0a");
	ck_assert_str_eq(utf8_escape("abc", 3, out, 1), "");
	out[0] = 'z';
	utf8_escape("abc", 3, out, 0);
	ck_assert_int_eq(out[0], 'z');
}
END_TEST

START_TEST(clean_keeps_what_a_person_can_trust)
{
	char text[] = "a\xc3\xa4\n\x7f\xff\xc2\x9b\xe2\x80\xae~";

	utf8_clean(text);

	ck_assert_str_eq(text, "a\xc3\xa4  ??????~");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/utf8");
	TCase *tc = tcase_create("utf8");
	tcase_add_test(tc, well_formed_characters_have_their_length);
	tcase_add_test(tc, ill_formed_ones_have_none);
	tcase_add_test(tc, controls_and_overrides_deceive);
	suite_add_tcase(s, tc);
	tc = tcase_create("utf8_escape");
	tcase_add_test(tc, plain_text_stays);
	tcase_add_test(tc, what_could_deceive_is_escaped);
	tcase_add_test(tc, a_text_is_cut_between_characters_and_ends_in_nul);
	suite_add_tcase(s, tc);
	tc = tcase_create("utf8_clean");
	tcase_add_test(tc, clean_keeps_what_a_person_can_trust);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
