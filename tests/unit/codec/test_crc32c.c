/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/crc32c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/codec/bytes.h"

/* RFC 3720 appendix B.4, which prints the checksum in the order of the wire, low byte first. */
static const struct {
	const char *what, *hex;
	uint32_t crc;
} vectors[] = {
	{ "32 bytes of zeros", "0000000000000000000000000000000000000000000000000000000000000000",
		0x8a9136aa },
	{ "32 bytes of ones", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		0x62a8ab43 },
	{ "32 bytes incrementing",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd794e },
	{ "32 bytes decrementing",
		"1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113fdb5c },
	{ "an iSCSI SCSI Read (10) command PDU",
		"01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018"
		"28000000 00000000 02000000 00000000",
		0xd9963a56 },
	{ "nothing", "", 0 },
};
enum {
	N_VECTORS = sizeof vectors / sizeof *vectors
};

START_TEST(the_vectors_of_the_rfc_come_out)
{
	struct buf b = bytes_of(vectors[_i].hex);
	ck_assert_uint_eq(crc32c(b.data, b.len), vectors[_i].crc);
	ck_assert_uint_eq(crc32c_portable(b.data, b.len), vectors[_i].crc);
	buf_fini(&b);
}
END_TEST

START_TEST(both_ways_agree_at_every_length_and_alignment)
{
	uint8_t bytes[96];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 37 + 11);

	for (size_t at = 0; at < 9; at++) {
		for (size_t len = 0; at + len <= sizeof bytes; len++) {
			uint32_t want = bytes_crc32c(bytes + at, len);
			ck_assert_uint_eq(crc32c(bytes + at, len), want);
			ck_assert_uint_eq(crc32c_portable(bytes + at, len), want);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec/crc32c");
	TCase *tc = tcase_create("crc32c");
	tcase_add_loop_test(tc, the_vectors_of_the_rfc_come_out, 0, N_VECTORS);
	tcase_add_test(tc, both_ways_agree_at_every_length_and_alignment);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
