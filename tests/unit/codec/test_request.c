/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/request.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <wq/cbor.h>

#include "support/codec/bytes.h"

/* Keys as bytes of CBOR, so that the cases below can be read. */
#define TAG     "d9d9f7"
#define VERSION " 6a'wq-request' 01"
#define TM      " 6c'task-manager' "
#define KEY     " 63'key' "
#define LABEL   " 65'label' "
#define LIMIT   " 6c'run-limit-ns' "
#define WITHIN  " 6f'start-within-ns' "
#define KEEP    " 6b'keep-for-ns' "
#define CRASH   " 68'on-crash' "
#define MINIMAL TAG "a1" VERSION
#define S10     "'aaaaaaaaaa'"
#define S100    S10 S10 S10 S10 S10 S10 S10 S10 S10 S10

/* ---- what is accepted ------------------------------------------------------------------------ */

static const struct {
	const char *what, *envelope, *payload;
	const char *task_manager, *key, *label;
} good[] = {
	{ "nothing but the version", MINIMAL, "f6", "", "", "" },
	{ "all keys", TAG "a4" KEY "62'ky'" LABEL "64'name'" VERSION TM "63'lab'", "00", "lab",
		"ky", "name" },
	{ "keys in another order", TAG "a4" TM "63'lab'" VERSION LABEL "64'name'" KEY "62'ky'",
		"00", "lab", "ky", "name" },
	{ "longer heads than needed", "da0000d9f7 b802 780a'wq-request' 190001 7805'label' 7801'x'",
		"1900ff", "", "", "x" },
	{ "keys of one's own", TAG "a3" VERSION " 63'x-a' a10102 64'x-no' fb7ff8000000000001", "f6",
		"", "", "" },
	{ "a key of one's own that is only 'x-'", TAG "a2" VERSION " 62'x-' f93c00", "f6", "", "",
		"" },
	{ "a task manager of 32 bytes", TAG "a2" VERSION TM "7820'a'" S10 S10 S10 "'1'", "f6",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1", "", "" },
	{ "a task manager of one letter", TAG "a2" VERSION TM "61'z'", "f6", "z", "", "" },
	{ "a label that is not ASCII", TAG "a2" VERSION LABEL "67 c3a9 20 f09f9a80", "f6", "", "",
		"\xc3\xa9 \xf0\x9f\x9a\x80" },
	{ "a text as payload", MINIMAL, "6161", "", "", "" },
	{ "an array as payload", MINIMAL, "83010203", "", "", "" },
	{ "an empty byte string as payload", MINIMAL, "40", "", "", "" },
	{ "4 bytes as payload", MINIMAL, "44deadbeef", "", "", "" },
	{ "-2^64 as payload", MINIMAL, "3bffffffffffffffff", "", "", "" },
	{ "keys of the payload are no concern", MINIMAL,
		"a3 fb7ff8000000000001 01 f93c00 02 c24101 03", "", "", "" },
	{ "nor are repeated ones", MINIMAL, "a2 0101 0102", "", "", "" },
	{ "a simple value without meaning in the payload", MINIMAL, "f8ff", "", "", "" },
};
enum {
	N_GOOD = sizeof good / sizeof *good
};

static void check_good(int i, const struct buf *file, bool sealed, size_t envelope_len)
{
	struct request req;
	struct wq_err err = { 0 };
	struct buf payload = bytes_of(good[i].payload);
	int rc = request_decode(file->data, file->len, &req, &err);

	ck_assert_msg(rc == 0, "%s: %s", good[i].what, err.text);
	ck_assert_str_eq(req.task_manager, good[i].task_manager);
	ck_assert_str_eq(req.key, good[i].key);
	ck_assert_str_eq(req.label, good[i].label);
	ck_assert_int_eq(req.run_limit_ns, 0);
	ck_assert(req.has_check == sealed);
	ck_assert_ptr_eq(req.envelope.ptr, file->data);
	ck_assert_uint_eq(req.envelope.len, envelope_len);
	ck_assert_ptr_eq(req.payload.ptr, file->data + envelope_len);
	ck_assert_uint_eq(req.payload.len, payload.len);
	buf_fini(&payload);
}

START_TEST(a_good_request_is_read_with_and_without_its_check_item)
{
	char spec[1024];
	snprintf(spec, sizeof spec, "%s %s", good[_i].envelope, good[_i].payload);
	struct buf envelope = bytes_of(good[_i].envelope);
	struct buf plain = bytes_of(spec), sealed = bytes_sealed(spec);

	check_good(_i, &plain, false, envelope.len);
	check_good(_i, &sealed, true, envelope.len);
	buf_fini(&plain);
	buf_fini(&sealed);
	buf_fini(&envelope);
}
END_TEST

START_TEST(a_run_limit_is_read_from_the_smallest_to_the_largest)
{
	static const struct {
		const char *spec;
		int64_t ns;
	} limits[] = {
		{ TAG "a2" VERSION LIMIT "01 f6", 1 },
		{ TAG "a2" VERSION LIMIT "1a3b9aca00 f6", 1000000000 },
		{ TAG "a2" LIMIT "190001" VERSION "f6", 1 },
		{ TAG "a2" VERSION LIMIT "1b7fffffffffffffff f6", INT64_MAX },
	};
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct buf file = bytes_sealed(limits[i].spec);
		struct request req;
		struct wq_err err = { 0 };
		ck_assert_msg(request_decode(file.data, file.len, &req, &err) == 0, "%s", err.text);
		ck_assert_int_eq(req.run_limit_ns, limits[i].ns);
		buf_fini(&file);
	}
}
END_TEST

START_TEST(the_other_durations_are_read_as_the_run_limit_is)
{
	struct buf file =
		bytes_sealed(TAG "a4" KEEP "01" VERSION LIMIT "02" WITHIN "1b7fffffffffffffff f6");
	struct request req;
	struct wq_err err = { 0 };

	ck_assert_msg(request_decode(file.data, file.len, &req, &err) == 0, "%s", err.text);
	ck_assert_int_eq(req.keep_for_ns, 1);
	ck_assert_int_eq(req.run_limit_ns, 2);
	ck_assert_int_eq(req.start_within_ns, INT64_MAX);
	buf_fini(&file);
}
END_TEST

START_TEST(what_a_crash_may_do_is_read)
{
	static const struct {
		const char *spec;
		enum on_crash on_crash;
	} words[] = {
		{ MINIMAL "f6", ON_CRASH_UNSAID },
		{ TAG "a2" VERSION CRASH "64'fail' f6", ON_CRASH_FAIL },
		{ TAG "a2" VERSION CRASH "65'adopt' f6", ON_CRASH_ADOPT },
		{ TAG "a2" CRASH "67'requeue'" VERSION "f6", ON_CRASH_REQUEUE },
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct buf file = bytes_sealed(words[i].spec);
		struct request req;
		struct wq_err err = { 0 };
		ck_assert_msg(request_decode(file.data, file.len, &req, &err) == 0, "%s", err.text);
		ck_assert_int_eq(req.on_crash, words[i].on_crash);
		buf_fini(&file);
	}
}
END_TEST

START_TEST(the_words_for_a_crash_have_names)
{
	for (int i = ON_CRASH_FAIL; i < ON_CRASH_MAX; i++)
		ck_assert_int_eq(on_crash_parse(on_crash_name((enum on_crash)i)), i);
	ck_assert_str_eq(on_crash_name(ON_CRASH_UNSAID), "");
	ck_assert_int_eq(on_crash_parse(""), -1);
	ck_assert_int_eq(on_crash_parse("retry"), -1);
}
END_TEST

START_TEST(the_envelope_is_read_from_a_file_cut_anywhere_behind_it)
{
	struct buf file = bytes_golden("request-full.cbor");
	struct request whole, req;
	ck_assert_int_eq(request_decode(file.data, file.len, &whole, NULL), 0);

	for (size_t n = 0; n <= file.len; n++) {
		struct wq_err err = { 0 };
		int rc = request_decode_envelope(file.data, n, &req, &err);
		if (n < whole.envelope.len) {
			ck_assert_int_eq(rc, -WQ_E_FORMAT);
			ck_assert_str_eq(err.name, "truncated");
			continue;
		}
		ck_assert_int_eq(rc, 0);
		ck_assert_str_eq(req.label, whole.label);
		ck_assert_uint_eq(req.envelope.len, whole.envelope.len);
		ck_assert_uint_eq(req.payload.len, 0);
	}
	buf_fini(&file);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_never_taken_for_a_whole_one)
{
	struct buf file = bytes_golden("request-full.cbor");
	struct request whole, req;
	ck_assert_int_eq(request_decode(file.data, file.len, &whole, NULL), 0);
	ck_assert(whole.has_check);

	for (size_t n = 0; n < file.len; n++) {
		struct wq_err err = { 0 };
		int rc = request_decode(file.data, n, &req, &err);
		if (n == file.len - 5) { /* just the check item is gone: it may be left out */
			ck_assert_int_eq(rc, 0);
			ck_assert(!req.has_check);
			continue;
		}
		ck_assert_int_eq(rc, -WQ_E_FORMAT);
		ck_assert_str_eq(
			err.name, n == whole.envelope.len ? "missing-payload" : "truncated");
	}
	buf_fini(&file);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------- */

static const struct {
	const char *name, *spec;
	const char *says; /* a part of the text, or NULL */
} bad[] = {
	/* Not ours at all. */
	{ "truncated", "", NULL },
	{ "not-wq", "ff", NULL },
	{ "not-wq", "1c", NULL },
	{ "not-wq", "9b0000000040000000", NULL },
	{ "not-wq", "'{\"wq-request\":1}'", "JSON" },
	{ "not-wq", "'[1]'", "JSON" },
	{ "not-wq", "8004952a00000000000000", "pickle" },
	{ "not-wq", "7f'ELF'020101", "ELF" },
	{ "not-wq", "1f8b0800", "gzip" },
	{ "not-wq", "fffe7b00", "UTF-16" },
	{ "not-wq", "efbbbf'{}'", "byte order mark" },
	{ "not-wq", "00000000 00000000", "zeros" },
	{ "not-wq", "ffffffffffffffff", NULL },
	{ "not-wq", "a1" VERSION "f6", "tag 55799" },
	{ "not-wq", "d9d9f8 a1" VERSION "f6", "another tag" },
	{ "not-wq", TAG TAG "a1" VERSION "f6", "no map" },
	{ "not-wq", TAG "81" VERSION, "no map" },
	{ "not-wq", TAG "01", "no map" },
	{ "not-wq", TAG "a0 f6", "'wq-request'" },
	{ "not-wq", TAG "a1 65'label' 61'x' f6", "'wq-request'" },
	{ "not-wq", TAG "a1 69'wq-result' 01 f6", "wq-result" },
	/* Not well-formed. */
	{ "truncated", TAG, NULL },
	{ "truncated", TAG "a1", NULL },
	{ "truncated", TAG "bb8000000000000000", NULL },
	{ "truncated", TAG "a2" VERSION " 63'x-a' 9b0000000040000000", NULL },
	{ "truncated", TAG "a2" VERSION " 63'x-a' 5b0000008000000000", NULL },
	{ "truncated", TAG "a2" VERSION " 63'x-a'", NULL }, /* an odd number of items */
	{ "bad-cbor", TAG "a1 6a'wq-request' 1c", "byte 15" },
	{ "bad-cbor", TAG "a1 6a'wq-request' 1d", NULL },
	{ "bad-cbor", TAG "a1 6a'wq-request' 1e", NULL },
	{ "bad-cbor", TAG "a2" VERSION " ff f6 f6", NULL },
	{ "bad-cbor", TAG "a2" VERSION " 63'x-a' f818", NULL },
	{ "bad-cbor", TAG "a2" VERSION " 63'x-a' f8ff f6", "simple value" },
	{ "bad-cbor", TAG "a2" VERSION " 63'x-a' d000 f6", "tags 6 to 20" },
	{ "bad-cbor", TAG "a2" VERSION " 63'x-a' 61ff f6", "UTF-8" },
	{ "bad-cbor", TAG "a2" VERSION LABEL "61ff f6", "UTF-8" },
	{ "indefinite", TAG "bf" VERSION "ff f6", NULL },
	{ "indefinite", TAG "a2" VERSION " 63'x-a' 9fff f6", NULL },
	{ "indefinite", TAG "a2" VERSION LABEL "7f61'a'ff f6", NULL },
	{ "too-deep", TAG "a2" VERSION " 63'x-a' 81818181818181 00 f6", NULL },
	/* Version. */
	{ "unsupported-version", TAG "a1 6a'wq-request' 00 f6", "only 1" },
	{ "unsupported-version", TAG "a1 6a'wq-request' 02 f6", "is 2; only 1" },
	{ "unsupported-version", TAG "a1 6a'wq-request' 20 f6", "only 1" },
	{ "unsupported-version", TAG "a1 6a'wq-request' 1b8000000000000000 f6", NULL },
	{ "unsupported-version", TAG "a2 6a'wq-request' 02 63'new' 00 f6", NULL },
	{ "bad-type", TAG "a1 6a'wq-request' 61'1' f6", "a text" },
	{ "bad-type", TAG "a1 6a'wq-request' f93c00 f6", "floating" },
	/* Keys. */
	{ "duplicate-key", TAG "a2" VERSION VERSION "f6", "'wq-request'" },
	{ "duplicate-key", TAG "a3" VERSION LABEL "61'a'" LABEL "61'b' f6", "'label'" },
	{ "duplicate-key", TAG "a3" VERSION " 63'x-a' 00 63'x-a' 00 f6", "'x-a'" },
	{ "duplicate-key", TAG "a3" VERSION " 63'x-a' 00 7803'x-a' 00 f6", "'x-a'" },
	{ "unknown-key", TAG "a2" VERSION " 64'labl' 61'a' f6", "'label'" },
	{ "unknown-key", TAG "a2" VERSION " 6c'task_manager' 61'a' f6", "'task-manager'" },
	{ "unknown-key", TAG "a2" VERSION " 65'Label' 61'a' f6", "'label'" },
	{ "unknown-key", TAG "a2" VERSION " 68'whatever' 61'a' f6", "'whatever'" },
	{ "unknown-key", TAG "a2" VERSION " 63 1b'[J' 61'a' f6", "\\x1b[J" },
	{ "unknown-key", TAG "a2" VERSION " 60 00 f6", NULL },
	{ "unknown-key", TAG "a2" VERSION " 61'x' 00 f6", NULL },
	{ "unknown-key", TAG "a2" VERSION " 66'label'00 61'a' f6", "label\\x00" },
	{ "unknown-key", TAG "a2" VERSION " 79012c" S100 S100 S100 "00 f6", "aaaa" },
	{ "bad-type", TAG "a2" VERSION " 01 00 f6", "key number 2 is a number" },
	{ "bad-type", TAG "a2" VERSION " 20 00 f6", "key number 2 is a negative number" },
	{ "bad-type", TAG "a2" VERSION " f5 00 f6", "true or false" },
	{ "bad-type", TAG "a2" VERSION " f97e00 00 f6", "floating" },
	{ "bad-type", TAG "a2" VERSION " c24101 00 f6", "tagged" },
	{ "bad-type", TAG "a2" VERSION " 45'label' 00 f6", "byte string" },
	/* Values. */
	{ "bad-type", TAG "a2" VERSION TM "43'lab' f6", "'task-manager' is a byte string" },
	{ "bad-type", TAG "a2" VERSION KEY "01 f6", "'key'" },
	{ "bad-type", TAG "a2" VERSION LABEL "f6 f6", "null" },
	{ "bad-type", TAG "a2" VERSION LABEL "f7 f6", "undefined" },
	{ "bad-type", TAG "a2" VERSION LABEL "80 f6", "array" },
	{ "bad-type", TAG "a2" VERSION LABEL "a0 f6", "map" },
	{ "bad-value", TAG "a2" VERSION TM "64'../x' f6", "'../x'" },
	{ "bad-value", TAG "a2" VERSION TM "60 f6", "empty" },
	{ "bad-value", TAG "a2" VERSION TM "63'Lab' f6", "small letter" },
	{ "bad-value", TAG "a2" VERSION TM "63'1ab' f6", NULL },
	{ "bad-value", TAG "a2" VERSION TM "63'-ab' f6", NULL },
	{ "bad-value", TAG "a2" VERSION TM "63'a_b' f6", NULL },
	{ "bad-value", TAG "a2" VERSION TM "7821" S10 S10 S10 "'abc' f6", "33 bytes" },
	{ "bad-value", TAG "a2" VERSION KEY "60 f6", NULL },
	{ "bad-value", TAG "a2" VERSION KEY "63'a'00'b' f6", "NUL" },
	{ "bad-value", TAG "a2" VERSION KEY "790101" S100 S100 S10 S10 S10 S10 S10 "'abcdefg' f6",
		"at most 256" },
	{ "bad-value", TAG "a2" VERSION LABEL "63'a'0a'b' f6", "control" },
	{ "bad-value", TAG "a2" VERSION LABEL "637f'ab' f6", "control" },
	{ "bad-value", TAG "a2" VERSION LABEL "63'a'c285 f6", "control" },
	{ "bad-value", TAG "a2" VERSION LABEL "7881" S100 S10 S10 "'abcdefghi' f6", "at most 128" },
	{ "bad-value", TAG "a2" VERSION LIMIT "00 f6", "'run-limit-ns' must be a number of 1 to" },
	{ "bad-value", TAG "a2" VERSION WITHIN "00 f6", "'start-within-ns' must be a number of 1" },
	{ "bad-value", TAG "a2" VERSION WITHIN "20 f6", "'start-within-ns'" },
	{ "bad-value", TAG "a2" VERSION WITHIN "1b8000000000000000 f6", "'start-within-ns'" },
	{ "bad-type", TAG "a2" VERSION WITHIN "f93c00 f6", "'start-within-ns'" },
	{ "bad-type", TAG "a2" VERSION WITHIN "62'5s' f6", "'start-within-ns'" },
	{ "bad-value", TAG "a2" VERSION KEEP "00 f6", "'keep-for-ns' must be a number of 1" },
	{ "bad-type", TAG "a2" VERSION KEEP "f6 f6", "'keep-for-ns'" },
	{ "bad-value", TAG "a2" VERSION LIMIT "20 f6", "9223372036854775807" },
	{ "bad-value", TAG "a2" VERSION LIMIT "1b8000000000000000 f6", "9223372036854775807" },
	{ "bad-value", TAG "a2" VERSION LIMIT "3bffffffffffffffff f6", NULL },
	{ "bad-value", TAG "a2" VERSION CRASH "65'retry' f6", "'fail', 'adopt' or 'requeue'" },
	{ "bad-value", TAG "a2" VERSION CRASH "60 f6", "'on-crash' is ''" },
	{ "bad-value", TAG "a2" VERSION CRASH "64'Fail' f6", "'on-crash'" },
	{ "bad-type", TAG "a2" VERSION CRASH "01 f6", "'on-crash'" },
	{ "duplicate-key", TAG "a3" VERSION CRASH "64'fail'" CRASH "64'fail' f6", "'on-crash'" },
	{ "unknown-key", TAG "a2" VERSION " 68'on_crash' 64'fail' f6", "'on-crash'" },
	{ "bad-type", TAG "a2" VERSION LIMIT "62'1s' f6", NULL },
	{ "bad-type", TAG "a2" VERSION LIMIT "f6 f6", "null" },
	{ "bad-type", TAG "a2" VERSION LIMIT "fb3ff0000000000000 f6", "floating" },
	{ "duplicate-key", TAG "a3" VERSION LIMIT "01" LIMIT "01 f6", "'run-limit-ns'" },
	{ "unknown-key", TAG "a2" VERSION " 69'run-limit' 01 f6", "'run-limit-ns'" },
	/* What follows. */
	{ "missing-payload", MINIMAL, NULL },
	{ "truncated", MINIMAL "8201", "payload" },
	{ "bad-cbor", MINIMAL "1c", "payload, which begins at byte 16" },
	{ "bad-cbor", MINIMAL "ff", "payload" },
	{ "indefinite", MINIMAL "5f4101ff", "payload" },
	{ "truncated", MINIMAL "9b0000000040000000", "payload" },
	{ "truncated", MINIMAL "5bffffffffffffffff", "payload" },
	{ "bad-checksum", MINIMAL "f6 44deadbeef", "deadbeef" },
	{ "bad-checksum", MINIMAL "f6 43010203", NULL },
	{ "bad-checksum", MINIMAL "f6 64'abcd'", NULL },
	{ "bad-checksum", MINIMAL "f6 f6", NULL }, /* two payloads */
	{ "bad-checksum", MINIMAL "f6 0000000000", NULL },
	{ "truncated", MINIMAL "f6 44de", NULL },
	{ "bad-checksum", MINIMAL "f6" MINIMAL "f6", NULL },
};
enum {
	N_BAD = sizeof bad / sizeof *bad
};

static void expect_bad(const struct buf *file, int code, const char *name, const char *says)
{
	struct wq_err err = { 0 };
	struct request req;
	memset(&req, 0x55, sizeof req);
	int rc = request_decode(file->data, file->len, &req, &err);

	ck_assert_msg(rc == code, "answers %d (%s: %s), not %s", rc, err.name, err.text, name);
	ck_assert_str_eq(err.name, name);
	ck_assert_int_eq(err.code, code);
	if (says)
		ck_assert_msg(strstr(err.text, says), "'%s' does not say '%s'", err.text, says);
	for (const char *p = err.text; *p; p++)
		ck_assert((unsigned char)*p >= 0x20 && *p != 0x7f);
	for (size_t i = 0; i < sizeof req; i++) /* written on success only */
		ck_assert_uint_eq(((unsigned char *)&req)[i], 0x55);
	ck_assert_int_eq(request_decode(file->data, file->len, &req, NULL), code);
}

START_TEST(a_bad_request_is_refused_by_its_name)
{
	struct buf file = bytes_of(bad[_i].spec);
	bool deep = strcmp(bad[_i].name, "too-deep") == 0;
	expect_bad(&file, deep ? -WQ_E_LIMIT : -WQ_E_FORMAT, bad[_i].name, bad[_i].says);
	buf_fini(&file);
}
END_TEST

START_TEST(nothing_may_follow_the_check_item)
{
	static const char *const more[] = { "00", "44deadbeef", "0000000000000000", "ff" };
	struct buf file = bytes_sealed(MINIMAL "f6");
	size_t len = file.len;
	for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
		bytes_add(&file, more[i]);
		expect_bad(&file, -WQ_E_FORMAT, "trailing-bytes", NULL);
		file.len = len;
	}
	buf_fini(&file);
}
END_TEST

START_TEST(an_envelope_with_its_check_item_alone_has_no_payload)
{
	struct buf file = bytes_sealed(MINIMAL);
	expect_bad(&file, -WQ_E_FORMAT, "missing-payload", NULL);
	buf_fini(&file);
}
END_TEST

/* A changed length can make the payload swallow the check item: then it does not have one. */
START_TEST(no_request_with_a_flipped_bit_passes_as_checked)
{
	struct buf file = bytes_golden("request-full.cbor");
	struct request req;
	for (size_t bit = 0; bit < file.len * 8; bit++) {
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int rc = request_decode(file.data, file.len, &req, NULL);
		ck_assert(rc < 0 || !req.has_check);
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	buf_fini(&file);
}
END_TEST

START_TEST(a_block_of_zeros_in_the_payload_is_a_bad_checksum)
{
	struct buf file = bytes_of(MINIMAL "5a00004000");
	size_t at = file.len;
	ck_assert_int_eq(buf_reserve(&file, 0x4000 + 5), 0);
	memset(file.data + at, 0xee, 0x4000);
	file.len += 0x4000;
	uint32_t crc = bytes_crc32c(file.data, file.len);
	char check[16];
	snprintf(check, sizeof check, "44%08x", crc);
	bytes_add(&file, check);
	struct request req;
	ck_assert_int_eq(request_decode(file.data, file.len, &req, NULL), 0);

	memset(file.data + 4096, 0, 4096);
	expect_bad(&file, -WQ_E_FORMAT, "bad-checksum", NULL);
	buf_fini(&file);
}
END_TEST

/* ---- size ------------------------------------------------------------------------------------ */

/* An envelope of `size` bytes: a value of one's own makes up the length. */
static struct buf envelope_of_size(size_t size)
{
	struct buf b = bytes_of(TAG "a2" VERSION " 63'x-a'");
	char head[16];
	size_t left = size - b.len - 3;
	snprintf(head, sizeof head, "59%04x", (unsigned int)left);
	bytes_add(&b, head);
	for (size_t i = 0; i < left; i++)
		bytes_add(&b, "00");
	bytes_add(&b, "f6");
	return b;
}

START_TEST(the_envelope_goes_to_its_limit_and_no_further)
{
	struct request req;
	struct buf file = envelope_of_size(REQUEST_ENVELOPE_MAX);
	ck_assert_int_eq(request_decode(file.data, file.len, &req, NULL), 0);
	/* One read of the limit holds it. */
	ck_assert_int_eq(request_decode_envelope(file.data, REQUEST_ENVELOPE_MAX, &req, NULL), 0);
	buf_fini(&file);

	file = envelope_of_size(REQUEST_ENVELOPE_MAX + 1);
	expect_bad(&file, -WQ_E_LIMIT, "too-big", NULL);
	struct wq_err err = { 0 };
	ck_assert_int_eq(
		request_decode_envelope(file.data, REQUEST_ENVELOPE_MAX, &req, &err), -WQ_E_LIMIT);
	ck_assert_str_eq(err.name, "too-big");
	buf_fini(&file);
}
END_TEST

START_TEST(hundreds_of_keys_of_ones_own_are_fine_and_more_than_fit_are_too_big)
{
	struct buf file = bytes_of(TAG "b901f5" VERSION);
	char pair[32];
	for (int i = 0; i < 500; i++) {
		snprintf(pair, sizeof pair, "65'x-%03d'00", i);
		bytes_add(&file, pair);
	}
	bytes_add(&file, "f6");
	struct request req;
	struct wq_err err = { 0 };
	ck_assert_msg(request_decode(file.data, file.len, &req, &err) == 0, "%s", err.text);
	buf_fini(&file);

	file = bytes_of(TAG "b91002" VERSION);
	for (int i = 0; i < 4097; i++) {
		snprintf(pair, sizeof pair, "66'x-%04d'00", i);
		bytes_add(&file, pair);
	}
	bytes_add(&file, "f6");
	expect_bad(&file, -WQ_E_LIMIT, "too-big", NULL);
	buf_fini(&file);
}
END_TEST

START_TEST(a_key_of_a_mebibyte_is_too_big)
{
	struct buf file = bytes_of(TAG "a2" VERSION " 7a00100000");
	ck_assert_int_eq(buf_reserve(&file, 1 << 20), 0);
	memset(file.data + file.len, 'a', 1 << 20);
	file.len += 1 << 20;
	bytes_add(&file, "00 f6");
	expect_bad(&file, -WQ_E_LIMIT, "too-big", NULL);
	buf_fini(&file);
}
END_TEST

START_TEST(the_payload_nests_to_its_limit_and_no_further)
{
	static const struct {
		const char *head;
		size_t n;
		int code;
	} cases[] = {
		{ "81", 64, 0 },
		{ "81", 65, -WQ_E_LIMIT },
		{ "81", 2047, -WQ_E_LIMIT },
		{ "81", 2049, -WQ_E_LIMIT },
		{ "81", 100000, -WQ_E_LIMIT },
		{ "c1", 100000, -WQ_E_LIMIT },
		{ "a100", 100000, -WQ_E_LIMIT },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf file = bytes_of(MINIMAL);
		struct request req;
		for (size_t k = 0; k < cases[i].n; k++)
			bytes_add(&file, cases[i].head);
		bytes_add(&file, "00");
		if (cases[i].code)
			expect_bad(&file, cases[i].code, "too-deep", "payload");
		else
			ck_assert_int_eq(request_decode(file.data, file.len, &req, NULL), 0);
		buf_fini(&file);
	}
}
END_TEST

/* A sanitizer's shadow memory does not fit under a limit on the address space. */
#if defined(__has_feature)
#	if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#		define SANITIZED 1
#	endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define SANITIZED 1
#endif

/* What made cbor_load of libcbor 0.8 allocate gigabytes or run for seconds, behind `head`. */
static void bombs(const char *head, void (*fn)(const struct buf *file))
{
	static const char *const heads[] = { "9b0000000040000000", "ba10000000", "9affffffff",
		"bb0000000010000000", "5b0000008000000000" };
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		struct buf b = bytes_of(head);
		bytes_add(&b, heads[i]);
		fn(&b);
		buf_fini(&b);
	}

	struct buf b = bytes_of(head); /* each of 13,333 arrays claims the rest of 40 KB */
	char piece[16];
	while (b.len + 3 < 40000) {
		snprintf(piece, sizeof piece, "99%04x", (unsigned int)(40000 - b.len - 3));
		bytes_add(&b, piece);
	}
	fn(&b);
	b.len = 0;
	bytes_add(&b, head);
	bytes_add(&b, "9f"); /* a mebibyte of empty texts in one indefinite array */
	ck_assert_int_eq(buf_reserve(&b, 1 << 20), 0);
	memset(b.data + b.len, 0x60, 1 << 20);
	b.len += 1 << 20;
	fn(&b);
	buf_fini(&b);
}

static void must_fail(const struct buf *file)
{
	struct request req;
	ck_assert_int_lt(request_decode(file->data, file->len, &req, NULL), 0);
}

START_TEST(bombs_are_refused_within_a_few_mebibytes)
{
#ifndef SANITIZED
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	ck_assert(f && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	rlim_t now = (rlim_t)pages * 4096;
	struct rlimit limit = { .rlim_cur = now + (8 << 20), .rlim_max = now + (8 << 20) };
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	ck_assert_ptr_null(malloc(16 << 20)); /* the limit holds */
#endif
	bombs(MINIMAL, must_fail);
	bombs(TAG "a2" VERSION " 63'x-a'", must_fail);
}
END_TEST

START_TEST(a_mebibyte_of_small_items_in_the_payload_is_fine)
{
	static const uint8_t items[] = { 0x00, 0x60, 0x80, 0xf6 };
	for (size_t i = 0; i < sizeof items; i++) {
		struct buf file = bytes_of(MINIMAL "9a00100000");
		struct request req;
		ck_assert_int_eq(buf_reserve(&file, 1 << 20), 0);
		memset(file.data + file.len, items[i], 1 << 20);
		file.len += 1 << 20;
		ck_assert_int_eq(request_decode(file.data, file.len, &req, NULL), 0);
		buf_fini(&file);
	}
}
END_TEST

/* ---- encode ---------------------------------------------------------------------------------- */

static struct request with_payload(const void *bytes, size_t len)
{
	struct request req = { .payload = { .ptr = bytes, .len = len } };
	return req;
}

START_TEST(the_smallest_request_is_written_as_another_implementation_does)
{
	struct buf want = bytes_golden("request-minimal.cbor"), got = { 0 };
	struct request req = with_payload("\xf6", 1);
	struct wq_err err = { 0 };

	ck_assert_msg(request_encode(&req, &got, &err) == 0, "%s", err.text);

	bytes_export("request-minimal.cbor", &got);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);
	buf_fini(&want);
	buf_fini(&got);
}
END_TEST

static void put_full_payload(struct wq_cbor_out *o)
{
	wq_cbor_put_map(o, 9);
	wq_cbor_put_text(o, "cwd");
	wq_cbor_put_text(o, "/srv/build");
	wq_cbor_put_text(o, "env");
	wq_cbor_put_map(o, 1);
	wq_cbor_put_text(o, "LC_ALL");
	wq_cbor_put_text(o, "C.UTF-8");
	wq_cbor_put_text(o, "argv");
	wq_cbor_put_array(o, 2);
	wq_cbor_put_text(o, "make");
	wq_cbor_put_text(o, "check");
	wq_cbor_put_text(o, "nice");
	wq_cbor_put_int(o, -5);
	wq_cbor_put_text(o, "wait");
	wq_cbor_put_bool(o, 1);
	wq_cbor_put_text(o, "limit");
	wq_cbor_put_uint(o, UINT64_MAX);
	wq_cbor_put_text(o, "share");
	wq_cbor_put_double(o, 1.5);
	wq_cbor_put_text(o, "stdin");
	wq_cbor_put_bytes(o, "\0\1\xff", 3);
	wq_cbor_put_text(o, "deadline");
	wq_cbor_put_double(o, 1.1);
}

START_TEST(a_full_request_is_written_and_read_as_another_implementation_does)
{
	struct buf want = bytes_golden("request-full.cbor"), got = { 0 };
	struct wq_cbor_out o;
	struct wq_err err = { 0 };
	struct request back;
	wq_cbor_out_init(&o);
	put_full_payload(&o);
	struct request req = with_payload(o.buf, o.len);
	strcpy(req.task_manager, "lab-7777777777777777777777777777");
	strcpy(req.label, "Pr\xc3\xbc"
			  "fstand \xe6\xb0\xb4 \xf0\x9f\x9a\x80");
	strcpy(req.key, "host-17.example.net/");
	for (int i = 0; i < 118; i++)
		strcat(req.key, "\xc3\xa9");

	ck_assert_msg(request_encode(&req, &got, &err) == 0, "%s", err.text);
	bytes_export("request-full.cbor", &got);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);

	ck_assert_msg(request_decode(want.data, want.len, &back, &err) == 0, "%s", err.text);
	ck_assert_str_eq(back.task_manager, req.task_manager);
	ck_assert_str_eq(back.key, req.key);
	ck_assert_str_eq(back.label, req.label);
	ck_assert(back.has_check);
	ck_assert_uint_eq(back.payload.len, o.len);
	ck_assert_mem_eq(back.payload.ptr, o.buf, o.len);
	wq_cbor_out_free(&o);
	buf_fini(&want);
	buf_fini(&got);
}
END_TEST

START_TEST(a_run_limit_is_written_and_read_as_another_implementation_does)
{
	struct buf want = bytes_golden("request-limit.cbor"), got = { 0 };
	struct request req = with_payload("\xf6", 1), back;
	struct wq_err err = { 0 };
	strcpy(req.task_manager, "lab");
	strcpy(req.label, "nightly");
	req.run_limit_ns = INT64_C(600000000000);

	ck_assert_msg(request_encode(&req, &got, &err) == 0, "%s", err.text);
	bytes_export("request-limit.cbor", &got);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);

	ck_assert_msg(request_decode(want.data, want.len, &back, &err) == 0, "%s", err.text);
	ck_assert_int_eq(back.run_limit_ns, req.run_limit_ns);
	ck_assert_str_eq(back.label, req.label);
	buf_fini(&want);
	buf_fini(&got);
}
END_TEST

START_TEST(all_durations_are_written_and_read_as_another_implementation_does)
{
	struct buf want = bytes_golden("request-times.cbor"), got = { 0 };
	struct request req = with_payload("\xf6", 1), back;
	struct wq_err err = { 0 };
	strcpy(req.task_manager, "lab");
	strcpy(req.label, "x");
	req.keep_for_ns = 1;
	req.run_limit_ns = INT64_MAX;
	req.start_within_ns = INT64_C(5000000000);

	ck_assert_msg(request_encode(&req, &got, &err) == 0, "%s", err.text);
	bytes_export("request-times.cbor", &got);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);

	ck_assert_msg(request_decode(want.data, want.len, &back, &err) == 0, "%s", err.text);
	ck_assert_int_eq(back.keep_for_ns, req.keep_for_ns);
	ck_assert_int_eq(back.run_limit_ns, req.run_limit_ns);
	ck_assert_int_eq(back.start_within_ns, req.start_within_ns);
	buf_fini(&want);
	buf_fini(&got);
}
END_TEST

START_TEST(what_a_crash_may_do_is_written_and_read_as_another_implementation_does)
{
	struct buf want = bytes_golden("request-on-crash.cbor"), got = { 0 };
	struct request req = with_payload("\xf6", 1), back;
	struct wq_err err = { 0 };
	strcpy(req.task_manager, "lab");
	strcpy(req.label, "nightly");
	req.on_crash = ON_CRASH_REQUEUE;

	ck_assert_msg(request_encode(&req, &got, &err) == 0, "%s", err.text);
	bytes_export("request-on-crash.cbor", &got);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);

	ck_assert_msg(request_decode(want.data, want.len, &back, &err) == 0, "%s", err.text);
	ck_assert_int_eq(back.on_crash, ON_CRASH_REQUEUE);
	buf_fini(&want);
	buf_fini(&got);
}
END_TEST

static void expect_no_encoding(const struct request *req, int code, const char *name)
{
	struct buf b = bytes_of("0102");
	struct wq_err err = { 0 };
	ck_assert_int_eq(request_encode(req, &b, &err), code);
	ck_assert_str_eq(err.name, name);
	ck_assert_uint_eq(b.len, 2);
	buf_fini(&b);
}

START_TEST(what_could_not_be_read_is_not_written)
{
	struct request req = with_payload("\xf6", 1);
	strcpy(req.task_manager, "Lab");
	expect_no_encoding(&req, -WQ_E_FORMAT, "bad-value");
	req = with_payload("\xf6", 1);
	strcpy(req.label, "two\nlines");
	expect_no_encoding(&req, -WQ_E_FORMAT, "bad-value");
	strcpy(req.label, "\xff");
	expect_no_encoding(&req, -WQ_E_FORMAT, "bad-value");
	req = with_payload("\xf6", 1);
	memset(req.key, 'a', sizeof req.key); /* no NUL */
	expect_no_encoding(&req, -WQ_E_FORMAT, "bad-value");

	req = with_payload("\xf6", 1);
	req.run_limit_ns = -1;
	expect_no_encoding(&req, -WQ_E_FORMAT, "bad-value");
	req = with_payload("\xf6", 1);
	req.start_within_ns = -1;
	expect_no_encoding(&req, -WQ_E_FORMAT, "bad-value");
	req = with_payload("\xf6", 1);
	req.keep_for_ns = -1;
	expect_no_encoding(&req, -WQ_E_FORMAT, "bad-value");

	req = with_payload(NULL, 0);
	expect_no_encoding(&req, -WQ_E_FORMAT, "missing-payload");
	req = with_payload("\x82\x01", 2);
	expect_no_encoding(&req, -WQ_E_FORMAT, "truncated");
	req = with_payload("\x01\x02", 2);
	expect_no_encoding(&req, -WQ_E_FORMAT, "trailing-bytes");
	uint8_t deep[66];
	memset(deep, 0x81, sizeof deep);
	deep[65] = 0;
	req = with_payload(deep, sizeof deep);
	expect_no_encoding(&req, -WQ_E_LIMIT, "too-deep");
}
END_TEST

START_TEST(a_request_is_appended_and_its_checksum_is_its_own)
{
	struct buf b = bytes_of("ffff");
	struct request req = with_payload("\xf6", 1), back;

	ck_assert_int_eq(request_encode(&req, &b, NULL), 0);

	ck_assert_int_eq(request_decode(b.data + 2, b.len - 2, &back, NULL), 0);
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec/request");
	TCase *tc = tcase_create("accept");
	tcase_add_loop_test(tc, a_good_request_is_read_with_and_without_its_check_item, 0, N_GOOD);
	tcase_add_test(tc, a_run_limit_is_read_from_the_smallest_to_the_largest);
	tcase_add_test(tc, the_other_durations_are_read_as_the_run_limit_is);
	tcase_add_test(tc, what_a_crash_may_do_is_read);
	tcase_add_test(tc, the_words_for_a_crash_have_names);
	tcase_add_test(tc, the_envelope_is_read_from_a_file_cut_anywhere_behind_it);
	suite_add_tcase(s, tc);

	tc = tcase_create("refuse");
	tcase_add_loop_test(tc, a_bad_request_is_refused_by_its_name, 0, N_BAD);
	tcase_add_test(tc, a_file_cut_anywhere_is_never_taken_for_a_whole_one);
	tcase_add_test(tc, nothing_may_follow_the_check_item);
	tcase_add_test(tc, an_envelope_with_its_check_item_alone_has_no_payload);
	tcase_add_test(tc, no_request_with_a_flipped_bit_passes_as_checked);
	tcase_add_test(tc, a_block_of_zeros_in_the_payload_is_a_bad_checksum);
	suite_add_tcase(s, tc);

	tc = tcase_create("size");
	tcase_add_test(tc, the_envelope_goes_to_its_limit_and_no_further);
	tcase_add_test(tc, hundreds_of_keys_of_ones_own_are_fine_and_more_than_fit_are_too_big);
	tcase_add_test(tc, a_key_of_a_mebibyte_is_too_big);
	tcase_add_test(tc, the_payload_nests_to_its_limit_and_no_further);
	tcase_add_test(tc, bombs_are_refused_within_a_few_mebibytes);
	tcase_add_test(tc, a_mebibyte_of_small_items_in_the_payload_is_fine);
	suite_add_tcase(s, tc);

	tc = tcase_create("encode");
	tcase_add_test(tc, the_smallest_request_is_written_as_another_implementation_does);
	tcase_add_test(tc, a_full_request_is_written_and_read_as_another_implementation_does);
	tcase_add_test(tc, a_run_limit_is_written_and_read_as_another_implementation_does);
	tcase_add_test(tc, all_durations_are_written_and_read_as_another_implementation_does);
	tcase_add_test(tc, what_a_crash_may_do_is_written_and_read_as_another_implementation_does);
	tcase_add_test(tc, what_could_not_be_read_is_not_written);
	tcase_add_test(tc, a_request_is_appended_and_its_checksum_is_its_own);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
