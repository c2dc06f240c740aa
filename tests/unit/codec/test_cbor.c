/* SPDX-License-Identifier: BSD-2-Clause */
#include <wq/cbor.h>

#include <check.h>
#include <math.h>

#include "support/codec/bytes.h"

/* ---- RFC 8949 appendix A --------------------------------------------------------------------- */

static const struct {
	uint64_t u;
	int type;
	const char *hex;
} integers[] = {
	{ 0, WQ_CBOR_UINT, "00" },
	{ 1, WQ_CBOR_UINT, "01" },
	{ 10, WQ_CBOR_UINT, "0a" },
	{ 23, WQ_CBOR_UINT, "17" },
	{ 24, WQ_CBOR_UINT, "1818" },
	{ 25, WQ_CBOR_UINT, "1819" },
	{ 100, WQ_CBOR_UINT, "1864" },
	{ 1000, WQ_CBOR_UINT, "1903e8" },
	{ 1000000, WQ_CBOR_UINT, "1a000f4240" },
	{ 1000000000000, WQ_CBOR_UINT, "1b000000e8d4a51000" },
	{ UINT64_MAX, WQ_CBOR_UINT, "1bffffffffffffffff" },
	{ 0, WQ_CBOR_NINT, "20" },
	{ 9, WQ_CBOR_NINT, "29" },
	{ 99, WQ_CBOR_NINT, "3863" },
	{ 999, WQ_CBOR_NINT, "3903e7" },
	{ UINT64_MAX, WQ_CBOR_NINT, "3bffffffffffffffff" },
};
enum {
	N_INTEGERS = sizeof integers / sizeof *integers
};

static const struct {
	double value;
	const char *hex;
	int is_shortest;
} floats[] = {
	{ 0.0, "f90000", 1 },
	{ -0.0, "f98000", 1 },
	{ 1.0, "f93c00", 1 },
	{ 1.1, "fb3ff199999999999a", 1 },
	{ 1.5, "f93e00", 1 },
	{ 65504.0, "f97bff", 1 },
	{ 100000.0, "fa47c35000", 1 },
	{ 3.4028234663852886e+38, "fa7f7fffff", 1 },
	{ 1.0e+300, "fb7e37e43c8800759c", 1 },
	{ 5.960464477539063e-8, "f90001", 1 },
	{ 0.00006103515625, "f90400", 1 },
	{ -4.0, "f9c400", 1 },
	{ -4.1, "fbc010666666666666", 1 },
	{ (double)INFINITY, "f97c00", 1 },
	{ (double)NAN, "f97e00", 1 },
	{ -(double)INFINITY, "f9fc00", 1 },
	{ (double)INFINITY, "fa7f800000", 0 },
	{ (double)NAN, "fa7fc00000", 0 },
	{ -(double)INFINITY, "faff800000", 0 },
	{ (double)INFINITY, "fb7ff0000000000000", 0 },
	{ (double)NAN, "fb7ff8000000000000", 0 },
	{ -(double)INFINITY, "fbfff0000000000000", 0 },
	/* Beyond the appendix: the edges of the formats, as IEEE 754 defines them. */
	{ 0x1.ff8p-15, "f903ff", 1 },          /* largest subnormal half */
	{ 0x1p-25, "fa33000000", 1 },          /* half of the smallest half */
	{ 0x1p-149, "fa00000001", 1 },         /* smallest single */
	{ 0x1p-150, "fb3690000000000000", 1 }, /* too small for a single */
	{ 65536.0, "fa47800000", 1 },          /* too large for a half */
	{ 0x1p128, "fb47f0000000000000", 1 },  /* too large for a single */
	{ 0x1p-1074, "fb0000000000000001", 1 },
};
enum {
	N_FLOATS = sizeof floats / sizeof *floats
};

/* The rest of the appendix with definite lengths, and how many heads each has. */
static const struct {
	const char *hex;
	int heads;
} others[] = {
	{ "c249010000000000000000", 2 },
	{ "c349010000000000000000", 2 },
	{ "f4", 1 },
	{ "f5", 1 },
	{ "f6", 1 },
	{ "f7", 1 },
	{ "f0", 1 },
	{ "f8ff", 1 },
	{ "c074'2013-03-21T20:04:00Z'", 2 },
	{ "c11a514b67b0", 2 },
	{ "c1fb41d452d9e2000000", 2 },
	{ "d74401020304", 2 },
	{ "d818456449455446", 2 },
	{ "d82076'http://www.example.com'", 2 },
	{ "40", 1 },
	{ "4401020304", 1 },
	{ "60", 1 },
	{ "6161", 1 },
	{ "6449455446", 1 },
	{ "62225c", 1 },
	{ "62c3bc", 1 },
	{ "63e6b0b4", 1 },
	{ "64f0908591", 1 },
	{ "80", 1 },
	{ "83010203", 4 },
	{ "8301820203820405", 8 },
	{ "98190102030405060708090a0b0c0d0e0f101112131415161718181819", 26 },
	{ "a0", 1 },
	{ "a201020304", 5 },
	{ "a26161016162820203", 7 },
	{ "826161a161626163", 5 },
	{ "a56161614161626142616361436164614461656145", 11 },
};
enum {
	N_OTHERS = sizeof others / sizeof *others
};

/* Its examples of indefinite length, which wq does not take. */
static const char *const indefinite[] = { "5f42010243030405ff", "7f657374726561646d696e67ff",
	"9fff", "9f018202039f0405ffff", "9f01820203820405ff", "83018202039f0405ff",
	"83019f0203ff820405", "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
	"bf61610161629f0203ffff", "826161bf61626163ff", "bf6346756ef563416d7421ff" };
enum {
	N_INDEFINITE = sizeof indefinite / sizeof *indefinite
};

START_TEST(integers_are_read_and_written_as_in_the_appendix)
{
	struct buf want = bytes_of(integers[_i].hex);
	uint64_t u = integers[_i].u;

	struct wq_cbor_in in;
	struct wq_cbor_item item;
	wq_cbor_in_init(&in, want.data, want.len);
	ck_assert_int_eq(wq_cbor_next(&in, &item), 1);
	ck_assert_int_eq(item.type, integers[_i].type);
	ck_assert_uint_eq(item.u, u);
	ck_assert_int_eq(wq_cbor_next(&in, &item), 0);

	struct wq_cbor_out o;
	wq_cbor_out_init(&o);
	if (item.type == WQ_CBOR_UINT)
		wq_cbor_put_uint(&o, u);
	else if (u <= INT64_MAX)
		wq_cbor_put_int(&o, -1 - (int64_t)u);
	else
		wq_cbor_put_raw(&o, want.data, want.len);
	ck_assert_int_eq(o.err, 0);
	ck_assert_mem_eq(o.buf, want.data, want.len);
	ck_assert_uint_eq(o.len, want.len);
	wq_cbor_out_free(&o);
	buf_fini(&want);
}
END_TEST

START_TEST(floats_are_read_and_written_as_in_the_appendix)
{
	struct buf want = bytes_of(floats[_i].hex);
	double value = floats[_i].value;

	struct wq_cbor_in in;
	struct wq_cbor_item item;
	wq_cbor_in_init(&in, want.data, want.len);
	ck_assert_int_eq(wq_cbor_next(&in, &item), 1);
	ck_assert_int_eq(item.type, WQ_CBOR_FLOAT);
	if (isnan(value))
		ck_assert(isnan(item.f));
	else
		ck_assert(item.f == value && !signbit(item.f) == !signbit(value));

	if (floats[_i].is_shortest) {
		struct wq_cbor_out o;
		wq_cbor_out_init(&o);
		wq_cbor_put_double(&o, value);
		ck_assert_uint_eq(o.len, want.len);
		ck_assert_mem_eq(o.buf, want.data, want.len);
		wq_cbor_out_free(&o);
	}
	buf_fini(&want);
}
END_TEST

START_TEST(every_example_of_the_appendix_is_well_formed_to_its_last_byte)
{
	struct buf b = bytes_of(others[_i].hex);
	struct wq_err err = { 0 };
	size_t used = 0;

	ck_assert_msg(wq_cbor_check(b.data, b.len, NULL, &used, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(used, b.len);

	struct wq_cbor_in in;
	struct wq_cbor_item item;
	int heads = 0;
	wq_cbor_in_init(&in, b.data, b.len);
	while (wq_cbor_next(&in, &item) == 1)
		heads++;
	ck_assert_ptr_eq(in.p, in.end);
	ck_assert_int_eq(heads, others[_i].heads);

	wq_cbor_in_init(&in, b.data, b.len);
	ck_assert_int_eq(wq_cbor_skip(&in), 1);
	ck_assert_ptr_eq(in.p, in.end);
	buf_fini(&b);
}
END_TEST

START_TEST(an_item_that_is_cut_anywhere_is_truncated)
{
	struct buf b = bytes_of(others[_i].hex);
	struct wq_cbor_in in;

	for (size_t n = 0; n < b.len; n++) {
		struct wq_err err = { 0 };
		ck_assert_int_eq(wq_cbor_check(b.data, n, NULL, NULL, &err), -WQ_E_FORMAT);
		ck_assert_str_eq(err.name, "truncated");
		wq_cbor_in_init(&in, b.data, n);
		ck_assert_int_eq(wq_cbor_skip(&in), n ? -WQ_E_FORMAT : 0);
		ck_assert_ptr_eq(in.p, b.data);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(indefinite_lengths_are_refused)
{
	struct buf b = bytes_of(indefinite[_i]);
	struct wq_err err = { 0 };
	struct wq_cbor_in in;

	ck_assert_int_eq(wq_cbor_check(b.data, b.len, NULL, NULL, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, "indefinite");
	wq_cbor_in_init(&in, b.data, b.len);
	ck_assert_int_eq(wq_cbor_skip(&in), -WQ_E_FORMAT);
	buf_fini(&b);
}
END_TEST

/* ---- RFC 8949 appendix F, and worse ---------------------------------------------------------- */

static const struct {
	const char *name, *hex;
} malformed[] = {
	/* End of input in a head. */
	{ "truncated", "18" },
	{ "truncated", "19" },
	{ "truncated", "1a" },
	{ "truncated", "1b" },
	{ "truncated", "1901" },
	{ "truncated", "1a0102" },
	{ "truncated", "1b01020304050607" },
	{ "truncated", "38" },
	{ "truncated", "58" },
	{ "truncated", "78" },
	{ "truncated", "98" },
	{ "truncated", "9a01ff00" },
	{ "truncated", "b8" },
	{ "truncated", "d8" },
	{ "truncated", "f8" },
	{ "truncated", "f900" },
	{ "truncated", "fa0000" },
	{ "truncated", "fb000000" },
	/* Strings with short data. */
	{ "truncated", "41" },
	{ "truncated", "61" },
	{ "truncated", "5affffffff00" },
	{ "truncated", "5bffffffffffffffff010203" },
	{ "truncated", "7affffffff00" },
	{ "truncated", "7b7fffffffffffffff010203" },
	/* Containers not closed with enough items; tags without content. */
	{ "truncated", "81" },
	{ "truncated", "818181818181818181" },
	{ "truncated", "8200" },
	{ "truncated", "a1" },
	{ "truncated", "a20102" },
	{ "truncated", "a100" },
	{ "truncated", "a2000000" },
	{ "truncated", "c0" },
	/* Indefinite lengths, closed or not. */
	{ "indefinite", "5f4100" },
	{ "indefinite", "7f6100" },
	{ "indefinite", "9f" },
	{ "indefinite", "9f0102" },
	{ "indefinite", "bf" },
	{ "indefinite", "bf01020102" },
	{ "indefinite", "819f" },
	{ "indefinite", "9f8000" },
	{ "indefinite", "5f00ff" },
	{ "indefinite", "7f4100ff" },
	{ "indefinite", "7f61c361bcff" }, /* split inside a character */
	{ "indefinite", "bf00ff" },
	/* Reserved additional information. */
	{ "bad-cbor", "1c" },
	{ "bad-cbor", "1d" },
	{ "bad-cbor", "1e" },
	{ "bad-cbor", "3c" },
	{ "bad-cbor", "3d" },
	{ "bad-cbor", "3e" },
	{ "bad-cbor", "5c" },
	{ "bad-cbor", "5d" },
	{ "bad-cbor", "5e" },
	{ "bad-cbor", "7c" },
	{ "bad-cbor", "7d" },
	{ "bad-cbor", "7e" },
	{ "bad-cbor", "9c" },
	{ "bad-cbor", "9d" },
	{ "bad-cbor", "9e" },
	{ "bad-cbor", "bc" },
	{ "bad-cbor", "bd" },
	{ "bad-cbor", "be" },
	{ "bad-cbor", "dc" },
	{ "bad-cbor", "dd" },
	{ "bad-cbor", "de" },
	{ "bad-cbor", "fc" },
	{ "bad-cbor", "fd" },
	{ "bad-cbor", "fe" },
	{ "bad-cbor", "1f" },
	{ "bad-cbor", "3f" },
	{ "bad-cbor", "df" },
	/* Simple values in two bytes that belong in one. */
	{ "bad-cbor", "f800" },
	{ "bad-cbor", "f801" },
	{ "bad-cbor", "f818" },
	{ "bad-cbor", "f81f" },
	/* Breaks. */
	{ "bad-cbor", "ff" },
	{ "bad-cbor", "81ff" },
	{ "bad-cbor", "8200ff" },
	{ "truncated", "a1ff" },
	{ "bad-cbor", "a1ff00" },
	{ "bad-cbor", "a100ff" },
	{ "truncated", "a20000ff" },
	/* Counts that no input could hold. */
	{ "truncated", "9affffffff" },
	{ "truncated", "9bffffffffffffffff" },
	{ "truncated", "9b0000000040000000" },
	{ "truncated", "ba10000000" },
	{ "truncated", "bb8000000000000000" },
	{ "truncated", "bb7fffffffffffffff" },
	{ "truncated", "5b0000008000000000" },
	{ "truncated", "bbffffffffffffffff" },
	/* Text that is not UTF-8: RFC 3629. */
	{ "bad-cbor", "61ff" },
	{ "bad-cbor", "62c080" },     /* overlong */
	{ "bad-cbor", "63e08080" },   /* overlong */
	{ "bad-cbor", "64f0808080" }, /* overlong */
	{ "bad-cbor", "63eda080" },   /* surrogate */
	{ "bad-cbor", "64f4908080" }, /* above U+10FFFF */
	{ "bad-cbor", "64f5808080" },
	{ "bad-cbor", "61c3" },
	{ "bad-cbor", "62e6b0" },
	{ "bad-cbor", "63f09085" },
	{ "bad-cbor", "6180" },
	{ "bad-cbor", "62c341" },
	{ "bad-cbor", "8161c3" },
};
enum {
	N_MALFORMED = sizeof malformed / sizeof *malformed
};

START_TEST(what_is_malformed_is_refused_by_its_name)
{
	struct buf b = bytes_of(malformed[_i].hex);
	struct wq_err err = { 0 };

	ck_assert_int_eq(wq_cbor_check(b.data, b.len, NULL, NULL, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, malformed[_i].name);
	ck_assert_int_eq(err.code, -WQ_E_FORMAT);
	buf_fini(&b);
}
END_TEST

START_TEST(the_text_names_the_byte)
{
	struct buf b = bytes_of("8301021c");
	struct wq_err err = { 0 };

	ck_assert_int_eq(wq_cbor_check(b.data, b.len, NULL, NULL, &err), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "byte 3 (0x1c)"));
	ck_assert_int_eq(wq_cbor_check(b.data, b.len, NULL, NULL, NULL), -WQ_E_FORMAT);
	buf_fini(&b);
}
END_TEST

START_TEST(longer_heads_than_needed_are_well_formed)
{
	struct buf b = bytes_of("9b0000000000000002 1900ff 78016f");
	size_t used = 0;

	ck_assert_int_eq(wq_cbor_check(b.data, b.len, NULL, &used, NULL), 0);
	ck_assert_uint_eq(used, b.len);
	buf_fini(&b);
}
END_TEST

START_TEST(what_follows_the_item_is_not_looked_at)
{
	struct buf b = bytes_of("820102 ff");
	size_t used = 0;

	ck_assert_int_eq(wq_cbor_check(b.data, b.len, NULL, &used, NULL), 0);
	ck_assert_uint_eq(used, 3);
	buf_fini(&b);
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

static struct buf repeat(const char *hex, size_t n, const char *then)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < n; i++)
		bytes_add(&b, hex);
	bytes_add(&b, then);
	return b;
}

static void expect(
	const struct buf *b, const struct wq_cbor_limits *lim, int code, const char *name)
{
	struct wq_err err = { 0 };
	ck_assert_int_eq(wq_cbor_check(b->data, b->len, lim, NULL, &err), code);
	ck_assert_str_eq(err.name, name);
}

START_TEST(nesting_goes_to_the_limit_and_no_further)
{
	static const char *const heads[] = { "81", "c1", "a100" };
	struct wq_cbor_limits eight = { .max_depth = 8 };
	struct wq_cbor_limits thousand = { .max_depth = 1000 };
	struct buf b;

	b = repeat(heads[_i], 8, "00");
	expect(&b, &eight, 0, "");
	buf_fini(&b);
	b = repeat(heads[_i], 9, "00");
	expect(&b, &eight, -WQ_E_LIMIT, "too-deep");
	buf_fini(&b);
	b = repeat(heads[_i], 7, "80");
	expect(&b, &eight, 0, "");
	buf_fini(&b);
	b = repeat(heads[_i], 8, "80");
	expect(&b, &eight, -WQ_E_LIMIT, "too-deep");
	buf_fini(&b);
	b = repeat(heads[_i], 64, "00");
	expect(&b, NULL, 0, "");
	buf_fini(&b);
	b = repeat(heads[_i], 65, "00");
	expect(&b, NULL, -WQ_E_LIMIT, "too-deep");
	expect(&b, &thousand, -WQ_E_LIMIT, "too-deep");
	buf_fini(&b);
	b = repeat(heads[_i], 100000, "00");
	expect(&b, NULL, -WQ_E_LIMIT, "too-deep");
	buf_fini(&b);
}
END_TEST

START_TEST(containers_that_are_closed_do_not_count_as_depth)
{
	struct wq_cbor_limits two = { .max_depth = 2 };
	struct buf b = bytes_of("84 8100 8100 a10000 c100");
	expect(&b, &two, 0, "");
	buf_fini(&b);
}
END_TEST

START_TEST(items_go_to_the_limit_and_no_further)
{
	struct wq_cbor_limits four = { .max_items = 4 };
	struct buf b;

	b = bytes_of("83 01 02 03");
	expect(&b, &four, 0, "");
	buf_fini(&b);
	b = bytes_of("84 01 02 03 04");
	expect(&b, &four, -WQ_E_LIMIT, "too-many-items");
	buf_fini(&b);
	b = bytes_of("82 82 01 02 03");
	expect(&b, &four, -WQ_E_LIMIT, "too-many-items");
	buf_fini(&b);
}
END_TEST

START_TEST(an_item_that_does_not_end_within_the_limit_is_too_big)
{
	struct wq_cbor_limits eight = { .max_bytes = 8 };
	struct buf b = bytes_of("46 010203040506 00"), cut;

	ck_assert_int_eq(wq_cbor_check(b.data, b.len, &eight, NULL, NULL), 0);
	buf_fini(&b);
	b = bytes_of("48 0102030405060708");
	expect(&b, &eight, -WQ_E_LIMIT, "too-big");
	/* A reader that stops at the limit gets the same answer. */
	cut = b;
	cut.len = 8;
	expect(&cut, &eight, -WQ_E_LIMIT, "too-big");
	cut.len = 7;
	expect(&cut, &eight, -WQ_E_FORMAT, "truncated");
	buf_fini(&b);
}
END_TEST

START_TEST(nested_heads_cannot_each_claim_the_same_bytes)
{
	/* 3 bytes of head, each array declares all that is left of 40 KB. */
	struct buf b = { 0 };
	size_t size = 40000;
	char head[16];
	while (b.len + 3 < size) {
		snprintf(head, sizeof head, "99%04x", (unsigned int)(size - b.len - 3));
		bytes_add(&b, head);
	}
	while (b.len < size)
		bytes_add(&b, "00");

	expect(&b, NULL, -WQ_E_FORMAT, "truncated");
	struct wq_err err = { 0 };
	wq_cbor_check(b.data, b.len, NULL, NULL, &err);
	ck_assert_ptr_nonnull(strstr(err.text, "byte 3 ")); /* at the second head already */
	buf_fini(&b);
}
END_TEST

/* ---- reader ---------------------------------------------------------------------------------- */

START_TEST(integers_that_fit_are_answered_and_others_say_so)
{
	static const struct {
		const char *hex;
		int rc;
		int64_t value;
	} cases[] = {
		{ "00", 0, 0 },
		{ "20", 0, -1 },
		{ "1b7fffffffffffffff", 0, INT64_MAX },
		{ "3b7fffffffffffffff", 0, INT64_MIN },
		{ "1b8000000000000000", -ERANGE, 7 },
		{ "3b8000000000000000", -ERANGE, 7 },
		{ "f93c00", -WQ_E_FORMAT, 7 },
		{ "6131", -WQ_E_FORMAT, 7 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = bytes_of(cases[i].hex);
		struct wq_cbor_in in;
		struct wq_cbor_item item;
		int64_t value = 7;
		wq_cbor_in_init(&in, b.data, b.len);
		ck_assert_int_eq(wq_cbor_next(&in, &item), 1);
		ck_assert_int_eq(wq_cbor_int(&item, &value), cases[i].rc);
		ck_assert_int_eq(value, cases[i].value);
		buf_fini(&b);
	}
}
END_TEST

#define MAP                                                                                        \
	"d9d9f7 a9 61'i' 3863 61't' 63'abc' 61'b' 43010203 61'f' f5 61'd' f93e00 61'n' f6"         \
	" 61'l' 82a061'i'00 01 02 61'z' 1bffffffffffffffff"

START_TEST(values_are_found_by_key)
{
	struct buf b = bytes_of(MAP);
	int64_t i = 0;
	const char *text = NULL;
	const void *bytes = NULL;
	size_t len = 0;
	int flag = 0;
	double d = 0;
	struct wq_cbor_in in;

	ck_assert_int_eq(wq_cbor_find_int(b.data, b.len, "i", &i), 1);
	ck_assert_int_eq(i, -100);
	ck_assert_int_eq(wq_cbor_find_text(b.data, b.len, "t", &text, &len), 1);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(text, "abc", 3);
	ck_assert_int_eq(wq_cbor_find_bytes(b.data, b.len, "b", &bytes, &len), 1);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(bytes, "\1\2\3", 3);
	ck_assert_int_eq(wq_cbor_find_bool(b.data, b.len, "f", &flag), 1);
	ck_assert_int_eq(flag, 1);
	ck_assert_int_eq(wq_cbor_find_double(b.data, b.len, "d", &d), 1);
	ck_assert(d == 1.5);
	ck_assert_int_eq(wq_cbor_find_double(b.data, b.len, "i", &d), 1);
	ck_assert(d == -100.0);
	ck_assert_int_eq(wq_cbor_map_find(b.data, b.len, "l", &in), 1);
	ck_assert_int_eq(in.end - in.p, 4);
	buf_fini(&b);
}
END_TEST

START_TEST(a_key_that_is_not_there_is_no_error_and_a_wrong_type_is)
{
	struct buf b = bytes_of("a3 61'i' 01 61't' 60 61'z' 1bffffffffffffffff");
	int64_t i = 5;
	const char *text = NULL;
	size_t len = 0;
	int flag = 0;
	double d = 0;

	ck_assert_int_eq(wq_cbor_find_int(b.data, b.len, "none", &i), 0);
	ck_assert_int_eq(wq_cbor_find_int(b.data, b.len, "t", &i), -WQ_E_FORMAT);
	ck_assert_int_eq(wq_cbor_find_int(b.data, b.len, "z", &i), -ERANGE);
	ck_assert_int_eq(i, 5);
	ck_assert_int_eq(wq_cbor_find_text(b.data, b.len, "i", &text, &len), -WQ_E_FORMAT);
	ck_assert_int_eq(wq_cbor_find_bool(b.data, b.len, "i", &flag), -WQ_E_FORMAT);
	ck_assert_int_eq(wq_cbor_find_double(b.data, b.len, "t", &d), -WQ_E_FORMAT);
	ck_assert_int_eq(wq_cbor_find_text(b.data, b.len, "t", &text, &len), 1);
	ck_assert_uint_eq(len, 0);
	/* Not a map; cut; nothing. */
	ck_assert_int_eq(wq_cbor_find_int("\x01", 1, "i", &i), -WQ_E_FORMAT);
	ck_assert_int_eq(wq_cbor_find_int(b.data, b.len - 1, "none", &i), -WQ_E_FORMAT);
	ck_assert_int_eq(wq_cbor_find_int(NULL, 0, "i", &i), -WQ_E_FORMAT);
	buf_fini(&b);
}
END_TEST

/* ---- writer ---------------------------------------------------------------------------------- */

static void put_all(struct wq_cbor_out *o)
{
	wq_cbor_put_tag(o, 55799);
	wq_cbor_put_map(o, 5);
	wq_cbor_put_text(o, "a");
	wq_cbor_put_array(o, 3);
	wq_cbor_put_bool(o, 0);
	wq_cbor_put_bool(o, 1);
	wq_cbor_put_null(o);
	wq_cbor_put_text_n(o, "bcd", 1);
	wq_cbor_put_bytes(o, "\xff\0", 2);
	wq_cbor_put_text(o, "");
	wq_cbor_put_int(o, INT64_MIN);
	wq_cbor_put_text(o, "r");
	wq_cbor_put_raw(o, "\x82\x01\x02", 3);
	wq_cbor_put_pair(o, "k", "v");
}
#define ALL "d9d9f7 a5 6161 83 f4f5f6 6162 42ff00 60 3b7fffffffffffffff 6172 820102 616b 6176"

START_TEST(a_growing_writer_writes_all_kinds)
{
	struct buf want = bytes_of(ALL);
	struct wq_cbor_out o;

	wq_cbor_out_init(&o);
	put_all(&o);

	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.len, want.len);
	ck_assert_mem_eq(o.buf, want.data, want.len);
	wq_cbor_out_free(&o);
	ck_assert_uint_eq(o.len, 0);

	for (uint64_t i = 0; i < 100000; i++)
		wq_cbor_put_uint(&o, 1000);
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.len, 300000);
	wq_cbor_out_free(&o);
	buf_fini(&want);
}
END_TEST

START_TEST(a_fixed_writer_that_is_full_says_so_and_writes_nothing_beyond)
{
	struct buf want = bytes_of(ALL);
	uint8_t room[128];

	for (size_t cap = 0; cap < want.len; cap++) {
		struct wq_cbor_out o;
		memset(room, 0xaa, sizeof room);
		wq_cbor_out_fixed(&o, room, cap);
		put_all(&o);
		ck_assert_int_eq(o.err, -ENOBUFS);
		ck_assert_uint_eq(room[cap], 0xaa);
		wq_cbor_out_free(&o);
	}
	struct wq_cbor_out o;
	wq_cbor_out_fixed(&o, room, want.len);
	put_all(&o);
	ck_assert_int_eq(o.err, 0);
	ck_assert_mem_eq(room, want.data, want.len);
	buf_fini(&want);
}
END_TEST

START_TEST(every_half_survives_a_round_trip)
{
	for (unsigned int bits = 0; bits < 0x10000; bits++) {
		uint8_t bytes[3] = { 0xf9, (uint8_t)(bits >> 8), (uint8_t)bits }, out[9];
		struct wq_cbor_in in;
		struct wq_cbor_item item;
		struct wq_cbor_out o;
		wq_cbor_in_init(&in, bytes, 3);
		ck_assert_int_eq(wq_cbor_next(&in, &item), 1);
		wq_cbor_out_fixed(&o, out, sizeof out);
		wq_cbor_put_double(&o, item.f);
		if (isnan(item.f))
			ck_assert_mem_eq(out, "\xf9\x7e\x00", 3);
		else
			ck_assert_mem_eq(out, bytes, 3);
		ck_assert_uint_eq(o.len, 3);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec/cbor");
	TCase *tc = tcase_create("vectors");
	tcase_add_loop_test(tc, integers_are_read_and_written_as_in_the_appendix, 0, N_INTEGERS);
	tcase_add_loop_test(tc, floats_are_read_and_written_as_in_the_appendix, 0, N_FLOATS);
	tcase_add_loop_test(
		tc, every_example_of_the_appendix_is_well_formed_to_its_last_byte, 0, N_OTHERS);
	tcase_add_loop_test(tc, an_item_that_is_cut_anywhere_is_truncated, 0, N_OTHERS);
	tcase_add_loop_test(tc, indefinite_lengths_are_refused, 0, N_INDEFINITE);
	suite_add_tcase(s, tc);

	tc = tcase_create("check");
	tcase_add_loop_test(tc, what_is_malformed_is_refused_by_its_name, 0, N_MALFORMED);
	tcase_add_test(tc, the_text_names_the_byte);
	tcase_add_test(tc, longer_heads_than_needed_are_well_formed);
	tcase_add_test(tc, what_follows_the_item_is_not_looked_at);
	tcase_add_loop_test(tc, nesting_goes_to_the_limit_and_no_further, 0, 3);
	tcase_add_test(tc, containers_that_are_closed_do_not_count_as_depth);
	tcase_add_test(tc, items_go_to_the_limit_and_no_further);
	tcase_add_test(tc, an_item_that_does_not_end_within_the_limit_is_too_big);
	tcase_add_test(tc, nested_heads_cannot_each_claim_the_same_bytes);
	suite_add_tcase(s, tc);

	tc = tcase_create("reader");
	tcase_add_test(tc, integers_that_fit_are_answered_and_others_say_so);
	tcase_add_test(tc, values_are_found_by_key);
	tcase_add_test(tc, a_key_that_is_not_there_is_no_error_and_a_wrong_type_is);
	suite_add_tcase(s, tc);

	tc = tcase_create("writer");
	tcase_add_test(tc, a_growing_writer_writes_all_kinds);
	tcase_add_test(tc, a_fixed_writer_that_is_full_says_so_and_writes_nothing_beyond);
	tcase_add_test(tc, every_half_survives_a_round_trip);
	suite_add_tcase(s, tc);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
