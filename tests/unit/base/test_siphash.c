/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The published test vectors of SipHash-2-4 (Aumasson and Bernstein, reference implementation,
 * vectors.h): key 00 01 .. 0f, message 00 01 .. 0f, the entry for 16 bytes.
 */
#include "base/siphash.h"

#include <check.h>

static const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };

START_TEST(the_published_vector_for_sixteen_bytes_holds)
{
	/* db 9b c2 57 7f cc 2a 3f */
	ck_assert_uint_eq(
		siphash_pair(key, UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)),
		UINT64_C(0x3f2acc7f57c29bdb));
}
END_TEST

START_TEST(key_and_both_words_matter)
{
	const uint64_t other[2] = { key[0], key[1] ^ 1 }, another[2] = { key[0] ^ 1, key[1] };
	uint64_t h = siphash_pair(key, 1, 2);
	ck_assert_uint_ne(h, siphash_pair(key, 2, 1));
	ck_assert_uint_ne(h, siphash_pair(key, 1, 3));
	ck_assert_uint_ne(h, siphash_pair(key, 0, 2));
	ck_assert_uint_ne(h, siphash_pair(other, 1, 2));
	ck_assert_uint_ne(h, siphash_pair(another, 1, 2));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/siphash");
	TCase *tc = tcase_create("siphash_pair");
	tcase_add_test(tc, the_published_vector_for_sixteen_bytes_holds);
	tcase_add_test(tc, key_and_both_words_matter);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
