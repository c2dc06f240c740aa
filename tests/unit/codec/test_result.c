/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/envelope.h"
#include "codec/result.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <wq/cbor.h>

#include "support/codec/bytes.h"

#define TAG     "d9d9f7"
#define VERSION " 69'wq-result' 01"
#define ID      " 62'id' 63'1-a'"
#define STATUS  " 66'status' 62'ok'"
#define UID     " 63'uid' 1903e8"
#define MINIMAL TAG "a4" VERSION ID STATUS UID

static const struct result full = {
	.id = "1790000000.000001-fvvvvvvvvvvvv",
	.status = RESULT_KILLED,
	.task_manager = "lab",
	.plugin = "ssh-provision 1.0",
	.key = "host-17",
	.label = "nightly",
	.attempt = UINT32_MAX,
	.code = 255,
	.signal = 9,
	.error = "run-limit",
	.text = "ended after 10 min: \xc2\xbbrun-limit\xc2\xab of task manager 'lab'",
	.accepted_us = 1790000000000001,
	.started_us = 1790000000250000,
	.ended_us = 1790000600250000,
	.waiting_ns = 249999123,
	.running_ns = 600000000000,
	.uid = UINT32_MAX,
};

static void assert_same(const struct result *a, const struct result *b)
{
	ck_assert_str_eq(a->id, b->id);
	ck_assert_int_eq(a->status, b->status);
	ck_assert_str_eq(a->task_manager, b->task_manager);
	ck_assert_str_eq(a->plugin, b->plugin);
	ck_assert_str_eq(a->key, b->key);
	ck_assert_str_eq(a->label, b->label);
	ck_assert_uint_eq(a->attempt, b->attempt);
	ck_assert_int_eq(a->code, b->code);
	ck_assert_int_eq(a->signal, b->signal);
	ck_assert_str_eq(a->error, b->error);
	ck_assert_str_eq(a->text, b->text);
	ck_assert_int_eq(a->accepted_us, b->accepted_us);
	ck_assert_int_eq(a->started_us, b->started_us);
	ck_assert_int_eq(a->ended_us, b->ended_us);
	ck_assert_int_eq(a->waiting_ns, b->waiting_ns);
	ck_assert_int_eq(a->running_ns, b->running_ns);
	ck_assert_int_eq(a->keep_for_ns, b->keep_for_ns);
	ck_assert_uint_eq(a->uid, b->uid);
	ck_assert_uint_eq(a->payload.len, b->payload.len);
	if (a->payload.len)
		ck_assert_mem_eq(a->payload.ptr, b->payload.ptr, a->payload.len);
}

static void expect_bytes(const struct result *res, const char *golden)
{
	struct buf want = bytes_golden(golden), got = { 0 };
	struct result back;
	struct wq_err err = { 0 };

	ck_assert_int_eq(result_encode(res, &got), 0);
	bytes_export(golden, &got);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);

	ck_assert_msg(result_decode(want.data, want.len, &back, &err) == 0, "%s", err.text);
	assert_same(&back, res);
	buf_fini(&want);
	buf_fini(&got);
}

START_TEST(the_smallest_result_is_written_and_read_as_another_implementation_does)
{
	struct result res = { .id = "1790000000.000001-0123456789abc" };
	expect_bytes(&res, "result-minimal.cbor");
}
END_TEST

START_TEST(a_full_result_is_written_and_read_as_another_implementation_does)
{
	static const int64_t lines[] = { 1, 23, 24, 255, 256, 65535, 65536, -1, -24, -25,
		4294967296 };
	struct wq_cbor_out o;
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, 2);
	wq_cbor_put_text(&o, "lines");
	wq_cbor_put_array(&o, sizeof lines / sizeof *lines);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		wq_cbor_put_int(&o, lines[i]);
	wq_cbor_put_text(&o, "stdout");
	wq_cbor_put_text(&o, "\xe2\x80\xa6");
	struct result res = full;
	res.payload = (struct wq_bytes){ .ptr = o.buf, .len = o.len };

	expect_bytes(&res, "result-full.cbor");
	wq_cbor_out_free(&o);
}
END_TEST

START_TEST(an_expired_result_is_written_and_read_as_another_implementation_does)
{
	const struct result res = {
		.id = "1790000000.000001-0123456789abc",
		.status = RESULT_EXPIRED,
		.task_manager = "lab",
		.error = "start-within",
		.text = "it was not started within 5s",
		.accepted_us = 1790000000000001,
		.ended_us = 1790000005000001,
		.waiting_ns = 5000000000,
		.keep_for_ns = 3600000000000,
		.uid = 1000,
	};
	expect_bytes(&res, "result-expired.cbor");
}
END_TEST

START_TEST(extreme_numbers_come_back)
{
	struct result res = { .id = "x", .code = INT32_MIN, .signal = INT32_MAX };
	res.accepted_us = INT64_MIN;
	res.ended_us = INT64_MAX;
	res.running_ns = -1;
	struct buf b = { 0 };
	struct result back;

	ck_assert_int_eq(result_encode(&res, &b), 0);
	bytes_export("result-extreme.cbor", &b);
	ck_assert_int_eq(result_decode(b.data, b.len, &back, NULL), 0);

	assert_same(&back, &res);
	buf_fini(&b);
}
END_TEST

START_TEST(a_result_whose_texts_are_all_full_fits_the_envelope)
{
	struct result res = full, back;
	struct buf b = { 0 };
	res.keep_for_ns = INT64_MAX;
	memset(res.id, 'i', sizeof res.id - 1);
	memset(res.task_manager, 't', sizeof res.task_manager - 1);
	memset(res.plugin, 'p', sizeof res.plugin - 1);
	memset(res.key, 'k', sizeof res.key - 1);
	memset(res.label, 'l', sizeof res.label - 1);
	memset(res.error, 'e', sizeof res.error - 1);
	memset(res.text, 0xff, sizeof res.text - 1);

	ck_assert_int_eq(result_encode(&res, &b), 0);
	bytes_export("result-long.cbor", &b);
	ck_assert_int_eq(result_decode(b.data, b.len, &back, NULL), 0);

	memset(res.text, '?', sizeof res.text - 1);
	assert_same(&back, &res);
	buf_fini(&b);
}
END_TEST

START_TEST(a_text_that_was_cut_inside_a_character_can_still_be_read)
{
	struct result res = { .id = "x", .text = "caf\xc3", .label = "a\xff\xfez" }, back;
	struct buf b = { 0 };

	ck_assert_int_eq(result_encode(&res, &b), 0);
	bytes_export("result-cut.cbor", &b);
	ck_assert_int_eq(result_decode(b.data, b.len, &back, NULL), 0);

	ck_assert_str_eq(back.text, "caf?");
	ck_assert_str_eq(back.label, "a??z");
	buf_fini(&b);
}
END_TEST

/* ---- what is accepted ------------------------------------------------------------------------ */

static const struct {
	const char *what, *spec;
	size_t payload_len;
} good[] = {
	{ "no payload", MINIMAL, 0 },
	{ "a payload", MINIMAL "f6", 1 },
	{ "a payload that looks like a check item", MINIMAL "44deadbeef", 5 },
	{ "keys in another order", TAG "a4" UID STATUS ID VERSION, 0 },
	{ "keys that a later server adds",
		TAG "a6" VERSION ID STATUS UID " 63'new' 820102 65'other' f5", 0 },
};
enum {
	N_GOOD = sizeof good / sizeof *good
};

START_TEST(a_good_result_is_read)
{
	struct buf b = bytes_sealed(good[_i].spec);
	struct result res;
	struct wq_err err = { 0 };

	int rc = result_decode(b.data, b.len, &res, &err);

	ck_assert_msg(rc == 0, "%s: %s", good[_i].what, err.text);
	ck_assert_str_eq(res.id, "1-a");
	ck_assert_int_eq(res.status, RESULT_OK);
	ck_assert_uint_eq(res.uid, 1000);
	ck_assert_str_eq(res.text, "");
	ck_assert_int_eq(res.started_us, 0);
	ck_assert_uint_eq(res.payload.len, good[_i].payload_len);
	buf_fini(&b);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------- */

/* With the check item behind it that agrees. */
static const struct {
	const char *name, *spec;
} bad[] = {
	{ "not-wq", "'{}'" },
	{ "not-wq", TAG "a1 6a'wq-request' 01 f6" },
	{ "unsupported-version", TAG "a4 69'wq-result' 02" ID STATUS UID },
	{ "missing-key", TAG "a3" VERSION STATUS UID },
	{ "missing-key", TAG "a3" VERSION ID UID },
	{ "missing-key", TAG "a3" VERSION ID STATUS },
	{ "duplicate-key", TAG "a5" VERSION ID ID STATUS UID },
	{ "duplicate-key", TAG "a6" VERSION ID STATUS UID " 63'new' 01 63'new' 01" },
	{ "bad-type", TAG "a5" VERSION ID STATUS UID " 01 01" },
	{ "bad-type", TAG "a5" VERSION ID STATUS UID " 64'code' f93c00" },
	{ "bad-type", TAG "a5" VERSION ID STATUS UID " 64'code' c24101" },
	{ "bad-type", TAG "a4" VERSION ID UID " 66'status' 00" },
	{ "bad-type", TAG "a4" VERSION ID STATUS " 63'uid' f4" },
	{ "bad-value", TAG "a4" VERSION ID UID " 66'status' 64'okay'" },
	{ "bad-value", TAG "a4" VERSION STATUS UID " 62'id' 60" },
	{ "bad-value",
		TAG "a4" VERSION STATUS UID " 62'id' 7820'01234567890123456789012345678901'" },
	{ "bad-value", TAG "a4" VERSION ID STATUS " 63'uid' 20" },
	{ "bad-value", TAG "a4" VERSION ID STATUS " 63'uid' 1b0000000100000000" },
	{ "bad-value", TAG "a5" VERSION ID STATUS UID " 64'code' 1a80000000" },
	{ "bad-value", TAG "a5" VERSION ID STATUS UID " 64'code' 3a80000000" },
	{ "bad-value", TAG "a5" VERSION ID STATUS UID " 68'ended-us' 1b8000000000000000" },
	{ "bad-value", TAG "a5" VERSION ID STATUS UID " 64'text' 63'a'00'b'" },
	{ "bad-value", TAG "a5" VERSION ID STATUS UID " 6b'keep-for-ns' 00" },
	{ "bad-checksum", MINIMAL "f6 f6" },
	{ "indefinite", MINIMAL "5fff" },
	{ "bad-cbor", MINIMAL "1c" },
};
enum {
	N_BAD = sizeof bad / sizeof *bad
};

static void expect_bad(const void *bytes, size_t len, const char *name)
{
	struct result res;
	struct wq_err err = { 0 };
	ck_assert_int_eq(result_decode(bytes, len, &res, &err), -WQ_E_FORMAT);
	ck_assert_msg(strcmp(err.name, name) == 0, "%s (%s), not %s", err.name, err.text, name);
}

START_TEST(a_bad_result_is_refused_by_its_name)
{
	struct buf b = bytes_sealed(bad[_i].spec);
	expect_bad(b.data, b.len, bad[_i].name);
	buf_fini(&b);
}
END_TEST

START_TEST(the_check_item_is_required_and_is_the_last)
{
	struct buf b = bytes_of(MINIMAL);
	expect_bad(b.data, b.len, "truncated");
	bytes_add(&b, "f6");
	expect_bad(b.data, b.len, "truncated");
	bytes_add(&b, "44deadbeef");
	expect_bad(b.data, b.len, "bad-checksum");
	b.len -= 5;
	bytes_add(&b, "43deadbe");
	expect_bad(b.data, b.len, "bad-checksum");
	buf_fini(&b);

	b = bytes_of(MINIMAL "44deadbeef");
	expect_bad(b.data, b.len, "bad-checksum");
	buf_fini(&b);
	b = bytes_sealed(MINIMAL "f6");
	bytes_add(&b, "00");
	expect_bad(b.data, b.len, "trailing-bytes");
	buf_fini(&b);
}
END_TEST

static const char *const golden[] = { "result-full.cbor", "result-minimal.cbor" };

START_TEST(a_result_cut_anywhere_is_truncated)
{
	struct buf b = bytes_golden(golden[_i]);
	for (size_t n = 0; n < b.len; n++)
		expect_bad(b.data, n, "truncated");
	buf_fini(&b);
}
END_TEST

START_TEST(the_envelope_is_read_from_a_file_cut_anywhere_behind_it)
{
	struct buf b = bytes_golden(golden[_i]);
	struct result whole, res;
	size_t envelope;
	ck_assert_int_eq(result_decode(b.data, b.len, &whole, NULL), 0);
	ck_assert_int_eq(wq_cbor_check(b.data, b.len, NULL, &envelope, NULL), 0);

	for (size_t n = 0; n <= b.len; n++) {
		struct wq_err err = { 0 };
		int rc = result_decode_envelope(b.data, n, &res, &err);
		if (n < envelope) {
			ck_assert_int_eq(rc, -WQ_E_FORMAT);
			ck_assert_str_eq(err.name, "truncated");
			continue;
		}
		ck_assert_int_eq(rc, 0);
		ck_assert_str_eq(res.id, whole.id);
		ck_assert_uint_eq(res.attempt, whole.attempt);
		ck_assert_uint_eq(res.payload.len, 0);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(no_flipped_bit_goes_unseen)
{
	struct buf b = bytes_golden(golden[_i]);
	struct result res;
	for (size_t bit = 0; bit < b.len * 8; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_lt(result_decode(b.data, b.len, &res, NULL), 0);
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	buf_fini(&b);
}
END_TEST

/* ---- names and kinds ------------------------------------------------------------------------- */

START_TEST(each_status_has_its_name)
{
	static const char *const names[] = { "ok", "failed", "rejected", "expired", "lost",
		"killed" };
	ck_assert_int_eq(RESULT_STATUS_MAX, sizeof names / sizeof *names);
	for (int i = 0; i < RESULT_STATUS_MAX; i++) {
		ck_assert_str_eq(result_status_name((enum result_status)i), names[i]);
		ck_assert_int_eq(result_status_parse(names[i]), i);
	}
	ck_assert_int_eq(result_status_parse(""), -1);
	ck_assert_int_eq(result_status_parse("OK"), -1);
	ck_assert_int_eq(result_status_parse("okay"), -1);
}
END_TEST

/* Reserved from version 1 on: the request's items before those of the result. */
START_TEST(a_result_behind_its_request_is_found)
{
	struct buf both = bytes_golden(_i & 1 ? "request-full.cbor" : "request-minimal.cbor");
	struct buf result = bytes_golden("result-full.cbor");
	struct result alone, res;
	ck_assert_int_eq(result_decode(result.data, result.len, &alone, NULL), 0);
	if (_i & 2) /* a request made by hand, without check item */
		both.len -= CHECK_SIZE;
	ck_assert_int_eq(buf_add(&both, result.data, result.len - CHECK_SIZE), 0);
	ck_assert_int_eq(envelope_seal(&both, 0), 0);

	ck_assert_int_eq(result_decode(both.data, both.len, &res, NULL), 0);
	ck_assert_str_eq(res.id, alone.id);
	ck_assert_int_eq(res.status, alone.status);
	ck_assert_uint_eq(res.payload.len, alone.payload.len);
	ck_assert_int_eq(codec_kind(both.data, both.len), 1);

	both.data[10] ^= 1; /* in the request: the check item covers it too */
	ck_assert_int_lt(result_decode(both.data, both.len, &res, NULL), 0);
	buf_fini(&both);
	buf_fini(&result);
}
END_TEST

/* A task may echo what its client gave it. */
START_TEST(a_payload_that_looks_like_a_result_is_a_payload)
{
	struct buf inner = bytes_golden("result-full.cbor"), outer = { 0 };
	size_t used;
	ck_assert_int_eq(wq_cbor_check(inner.data, inner.len, NULL, &used, NULL), 0);
	struct result res = { .id = "x", .payload = { inner.data, used } };
	ck_assert_int_eq(result_encode(&res, &outer), 0);

	ck_assert_int_eq(result_decode(outer.data, outer.len, &res, NULL), 0);
	ck_assert_str_eq(res.id, "x");
	ck_assert_uint_eq(res.payload.len, used);
	buf_fini(&inner);
	buf_fini(&outer);
}
END_TEST

START_TEST(requests_and_results_are_told_apart)
{
	static const struct {
		const char *name;
		int kind;
	} cases[] = {
		{ "request-minimal.cbor", 0 },
		{ "request-full.cbor", 0 },
		{ "result-minimal.cbor", 1 },
		{ "result-full.cbor", 1 },
		{ "status-serving.cbor", -1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = bytes_golden(cases[i].name);
		ck_assert_int_eq(codec_kind(b.data, b.len), cases[i].kind);
		b.data[b.len - 1] ^= 1; /* damaged: neither */
		ck_assert_int_eq(codec_kind(b.data, b.len), -1);
		ck_assert_int_eq(codec_kind(b.data, b.len / 2), -1);
		buf_fini(&b);
	}
	ck_assert_int_eq(codec_kind(NULL, 0), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec/result");
	TCase *tc = tcase_create("encode");
	tcase_add_test(tc, the_smallest_result_is_written_and_read_as_another_implementation_does);
	tcase_add_test(tc, a_full_result_is_written_and_read_as_another_implementation_does);
	tcase_add_test(tc, an_expired_result_is_written_and_read_as_another_implementation_does);
	tcase_add_test(tc, extreme_numbers_come_back);
	tcase_add_test(tc, a_result_whose_texts_are_all_full_fits_the_envelope);
	tcase_add_test(tc, a_text_that_was_cut_inside_a_character_can_still_be_read);
	suite_add_tcase(s, tc);

	tc = tcase_create("decode");
	tcase_add_loop_test(tc, a_good_result_is_read, 0, N_GOOD);
	tcase_add_loop_test(tc, a_bad_result_is_refused_by_its_name, 0, N_BAD);
	tcase_add_test(tc, the_check_item_is_required_and_is_the_last);
	tcase_add_loop_test(tc, a_result_behind_its_request_is_found, 0, 4);
	tcase_add_test(tc, a_payload_that_looks_like_a_result_is_a_payload);
	tcase_add_loop_test(tc, a_result_cut_anywhere_is_truncated, 0, 2);
	tcase_add_loop_test(tc, the_envelope_is_read_from_a_file_cut_anywhere_behind_it, 0, 2);
	tcase_add_loop_test(tc, no_flipped_bit_goes_unseen, 0, 2);
	suite_add_tcase(s, tc);

	tc = tcase_create("kinds");
	tcase_add_test(tc, each_status_has_its_name);
	tcase_add_test(tc, requests_and_results_are_told_apart);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
