/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/status.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <wq/err.h>

#include "support/codec/bytes.h"

static const struct status_page serving = {
	.accepting = true,
	.hwm_us = UINT64_MAX,
	.request_limit = 16777216,
	.result_limit = 1048576,
	.depth = 1000000,
	.durability = "none",
	.version = "0.1.0",
	.pid = 4711,
	.started_us = 1790000000000000,
};

static const struct status_page refusing = {
	.reason = "the server is stopping",
	.version = "0.1.0",
};

static const struct status_page full = {
	.why = "queue-full",
	.reason = "the queue is full: 1000000 of 1000000 requests wait",
	.hwm_us = 1790000000000000,
	.request_limit = 16777216,
	.result_limit = 1048576,
	.depth = 1000000,
	.queue_limit = 1000000,
	.durability = "none",
	.version = "0.1.0",
	.pid = 4711,
	.started_us = 1790000000000000,
};

static void assert_same(const struct status_page *a, const struct status_page *b)
{
	ck_assert_int_eq(a->accepting, b->accepting);
	ck_assert_str_eq(a->why, b->why);
	ck_assert_str_eq(a->reason, b->reason);
	ck_assert_uint_eq(a->hwm_us, b->hwm_us);
	ck_assert_uint_eq(a->request_limit, b->request_limit);
	ck_assert_uint_eq(a->result_limit, b->result_limit);
	ck_assert_uint_eq(a->depth, b->depth);
	ck_assert_uint_eq(a->queue_limit, b->queue_limit);
	ck_assert_str_eq(a->durability, b->durability);
	ck_assert_str_eq(a->version, b->version);
	ck_assert_int_eq(a->pid, b->pid);
	ck_assert_int_eq(a->started_us, b->started_us);
}

static const struct {
	const char *golden;
	const struct status_page *page;
} pages[] = {
	{ "status-serving.cbor", &serving },
	{ "status-refusing.cbor", &refusing },
	{ "status-full.cbor", &full },
};

START_TEST(a_page_is_written_and_read_as_another_implementation_does)
{
	struct buf want = bytes_golden(pages[_i].golden), got = { 0 };
	struct status_page back;
	struct wq_err err = { 0 };

	ck_assert_int_eq(status_page_encode(pages[_i].page, &got), 0);
	bytes_export(pages[_i].golden, &got);
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);

	int rc = status_page_decode(want.data, want.len, &back, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	assert_same(&back, pages[_i].page);
	buf_fini(&want);
	buf_fini(&got);
}
END_TEST

START_TEST(zeros_may_follow_and_nothing_else)
{
	struct buf b = bytes_golden("status-serving.cbor");
	struct status_page back;
	struct wq_err err = { 0 };
	size_t len = b.len;
	ck_assert_int_eq(buf_reserve(&b, 4096 - len), 0);
	memset(b.data + len, 0, 4096 - len);
	b.len = 4096;

	for (size_t n = len; n <= 4096; n++)
		ck_assert_int_eq(status_page_decode(b.data, n, &back, NULL), 0);

	b.data[4095] = 1;
	ck_assert_int_eq(status_page_decode(b.data, 4096, &back, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, "trailing-bytes");
	buf_fini(&b);
}
END_TEST

START_TEST(a_torn_page_is_seen)
{
	struct buf old = bytes_golden("status-serving.cbor"),
		   new = bytes_golden("status-refusing.cbor");
	struct status_page back;
	uint8_t page[4096] = { 0 };

	for (size_t n = 4; n < new.len; n++) { /* the first bytes are the same */
		memset(page, 0, sizeof page);
		memcpy(page, old.data, old.len);
		memcpy(page, new.data, n);
		ck_assert_int_lt(status_page_decode(page, sizeof page, &back, NULL), 0);
	}
	for (size_t bit = 0; bit < old.len * 8; bit++) {
		old.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_lt(status_page_decode(old.data, old.len, &back, NULL), 0);
		old.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	buf_fini(&old);
	buf_fini(&new);
}
END_TEST

START_TEST(a_page_cut_anywhere_is_truncated)
{
	struct buf b = bytes_golden("status-serving.cbor");
	struct status_page back;
	for (size_t n = 0; n < b.len; n++) {
		struct wq_err err = { 0 };
		ck_assert_int_eq(status_page_decode(b.data, n, &back, &err), -WQ_E_FORMAT);
		ck_assert_str_eq(err.name, "truncated");
	}
	buf_fini(&b);
}
END_TEST

static const struct {
	const char *name, *spec;
} bad[] = {
	{ "not-wq", "0000000000000000" },
	{ "not-wq", "d9d9f7 a1 6a'wq-request' 01" },
	{ "missing-key", "d9d9f7 a1 69'wq-status' 01" },
	{ "bad-type", "d9d9f7 a2 69'wq-status' 01 69'accepting' 01" },
	{ "bad-type", "d9d9f7 a2 69'wq-status' 01 69'accepting' f6" },
	{ "bad-type", "d9d9f7 a2 69'wq-status' 01 69'accepting' f93c00" },
	{ "bad-value", "d9d9f7 a3 69'wq-status' 01 69'accepting' f5 65'depth' 20" },
	{ "unsupported-version", "d9d9f7 a2 69'wq-status' 1818 69'accepting' f5" },
};

START_TEST(a_bad_page_is_refused_by_its_name)
{
	struct buf b = bytes_sealed(bad[_i].spec);
	struct status_page back;
	struct wq_err err = { 0 };

	ck_assert_int_eq(status_page_decode(b.data, b.len, &back, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, bad[_i].name);
	buf_fini(&b);
}
END_TEST

START_TEST(keys_that_a_later_server_adds_are_ignored)
{
	struct buf b = bytes_sealed("d9d9f7 a3 63'new' 820102 69'accepting' f5 69'wq-status' 01");
	struct status_page back;

	ck_assert_int_eq(status_page_decode(b.data, b.len, &back, NULL), 0);
	ck_assert(back.accepting);
	ck_assert_int_eq(back.pid, 0);
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec/status");
	TCase *tc = tcase_create("status");
	tcase_add_loop_test(tc, a_page_is_written_and_read_as_another_implementation_does, 0,
		(int)(sizeof pages / sizeof *pages));
	tcase_add_test(tc, zeros_may_follow_and_nothing_else);
	tcase_add_test(tc, a_torn_page_is_seen);
	tcase_add_test(tc, a_page_cut_anywhere_is_truncated);
	tcase_add_loop_test(
		tc, a_bad_page_is_refused_by_its_name, 0, (int)(sizeof bad / sizeof *bad));
	tcase_add_test(tc, keys_that_a_later_server_adds_are_ignored);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
