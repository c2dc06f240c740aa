/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/json.h"

#include "base/err.h"

#include <wq/cbor.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* CBOR in hexadecimal and its JSON: the examples of RFC 8949 appendix A, by the rules of 6.1. */
static const struct {
	const char *hex, *json;
} to_json[] = {
	{ "00", "0" },
	{ "17", "23" },
	{ "1818", "24" },
	{ "1b000000e8d4a51000", "1000000000000" },
	{ "20", "-1" },
	{ "3903e7", "-1000" },
	/* 2^64 - 1 and -2^64: as near as a double is */
	{ "1bffffffffffffffff", "1.8446744073709552e+19" },
	{ "3bffffffffffffffff", "-1.8446744073709552e+19" },
	{ "f90000", "0.0" },
	{ "f93c00", "1.0" },
	{ "fb3ff199999999999a", "1.1" },
	{ "f93e00", "1.5" },
	{ "fbc010666666666666", "-4.1" },
	{ "fb7e37e43c8800759c", "1e+300" },
	/* Infinity, NaN, -Infinity */
	{ "f97c00", "null" },
	{ "f97e00", "null" },
	{ "f9fc00", "null" },
	{ "f4", "false" },
	{ "f5", "true" },
	{ "f6", "null" },
	/* undefined, simple(16), simple(255) */
	{ "f7", "null" },
	{ "f0", "null" },
	{ "f8ff", "null" },
	{ "c11a514b67b0", "1363896240" },
	/* bytes: base64url without padding; 23: base16, 22: base64 */
	{ "40", "\"\"" },
	{ "4401020304", "\"AQIDBA\"" },
	{ "43fbffbf", "\"-_-_\"" },
	{ "d74401020304", "\"01020304\"" },
	{ "d643fbffbf", "\"+/+/\"" },
	{ "d64401020304", "\"AQIDBA==\"" },
	/* the hint holds for what is in an array too */
	{ "d7824101420203", "[\"01\",\"0203\"]" },
	/* 18446744073709551616 and -18446744073709551617 as bignums */
	{ "c249010000000000000000", "\"AQAAAAAAAAAA\"" },
	{ "c349010000000000000000", "\"~AQAAAAAAAAAA\"" },
	{ "60", "\"\"" },
	{ "6161", "\"a\"" },
	{ "62225c", "\"\\\"\\\\\"" },
	{ "62c3bc", "\"\xc3\xbc\"" },
	{ "63e6b0b4", "\"\xe6\xb0\xb4\"" },
	{ "80", "[]" },
	{ "83010203", "[1,2,3]" },
	{ "8301820203820405", "[1,[2,3],[4,5]]" },
	{ "a0", "{}" },
	{ "a26161016162820203", "{\"a\":1,\"b\":[2,3]}" },
	/* keys that are no text */
	{ "a201020304", "{\"1\":2,\"3\":4}" },
	{ "826161a161626163", "[\"a\",{\"b\":\"c\"}]" },
};

/* JSON and its CBOR: appendix A backwards, by the rules of 6.2, maps sorted as 4.2.1 says. */
static const struct {
	const char *json, *hex;
} to_cbor[] = {
	{ "0", "00" },
	{ "24", "1818" },
	{ "-1", "20" },
	{ "1000000000000", "1b000000e8d4a51000" },
	{ "9223372036854775807", "1b7fffffffffffffff" },
	{ "-9223372036854775808", "3b7fffffffffffffff" },
	/* no fraction: an integer */
	{ "1.0", "01" },
	{ "1e3", "1903e8" },
	{ "1.5", "f93e00" },
	{ "1.1", "fb3ff199999999999a" },
	{ "1e300", "fb7e37e43c8800759c" },
	{ "-4.1", "fbc010666666666666" },
	{ "true", "f5" },
	{ "false", "f4" },
	{ "null", "f6" },
	{ "\"\"", "60" },
	{ "\"\\u00fc\"", "62c3bc" },
	{ "\"\\ud800\\udd51\"", "64f0908591" },
	{ "\"a\\u0000b\"", "63610062" },
	{ "[]", "80" },
	{ "[1,[2,3],[4,5]]", "8301820203820405" },
	{ "{}", "a0" },
	{ "{\"b\":[2,3],\"a\":1}", "a26161016162820203" },
	/* the shorter key first, whatever its letters */
	{ "{\"aa\":1,\"b\":2}", "a261620262616101" },
};

static size_t unhex(const char *hex, uint8_t *ret)
{
	size_t n = strlen(hex) / 2;
	for (size_t i = 0; i < n; i++) {
		unsigned byte;
		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		ret[i] = (uint8_t)byte;
	}
	return n;
}

static char *print(const json_t *value)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	ck_assert_ptr_nonnull(out);
	cli_json_print(value, out);
	fclose(out);
	return text;
}

static json_t *from_hex(const char *hex)
{
	uint8_t bytes[512];
	struct wq_err err = { 0 };
	json_t *value = NULL;
	int rc = cli_json_from_cbor(bytes, unhex(hex, bytes), &value, &err);
	ck_assert_msg(rc == 0, "%s: %s", hex, err.text);
	return value;
}

static json_t *from_text(const char *text)
{
	struct wq_err err = { 0 };
	json_t *value = NULL;
	int rc = cli_json_read(text, strlen(text), &value, &err);
	ck_assert_msg(rc == 0, "%s: %s", text, err.text);
	return value;
}

static void assert_cbor(const char *json, const char *hex)
{
	uint8_t want[512];
	size_t n = unhex(hex, want);
	struct wq_cbor_out out;
	wq_cbor_out_init(&out);
	json_t *value = from_text(json);
	ck_assert_int_eq(cli_json_to_cbor(value, &out, NULL), 0);
	ck_assert_msg(out.len == n && memcmp(out.buf, want, n) == 0, "%s", json);
	json_decref(value);
	wq_cbor_out_free(&out);
}

START_TEST(cbor_becomes_the_json_of_rfc_8949)
{
	json_t *value = from_hex(to_json[_i].hex);
	char *text = print(value);
	ck_assert_str_eq(text, to_json[_i].json);
	free(text);
	json_decref(value);
}
END_TEST

START_TEST(json_becomes_the_cbor_of_rfc_8949)
{
	assert_cbor(to_cbor[_i].json, to_cbor[_i].hex);
}
END_TEST

START_TEST(equal_objects_in_any_order_become_equal_bytes)
{
	/* {"b": 1, "aa": 2, "ab": 3} */
	assert_cbor("{\"ab\":3,\"aa\":2,\"b\":1}", "a361620162616102"
						   "62616203");
	assert_cbor("{\"b\":1,\"ab\":3,\"aa\":2}", "a361620162616102"
						   "62616203");
}
END_TEST

START_TEST(what_could_mislead_a_terminal_is_written_as_an_escape)
{
	/* ESC, DEL, C1 CSI (U+009B), right-to-left override (U+202E), newline */
	json_t *value = json_string("\x1b[2J\x7f\xc2\x9b\xe2\x80\xae\n");
	char *text = print(value);
	ck_assert_str_eq(text, "\"\\u001b[2J\\u007f\\u009b\\u202e\\n\"");
	json_t *back = from_text(text);
	ck_assert(json_equal(value, back));
	json_decref(back);
	json_decref(value);
	free(text);
}
END_TEST

START_TEST(two_keys_that_are_one_in_json_are_refused)
{
	/* {1: 2, "1": 3} */
	uint8_t bytes[16];
	json_t *value = NULL;
	struct wq_err err = { 0 };
	size_t n = unhex("a20102613103", bytes);
	ck_assert_int_eq(cli_json_from_cbor(bytes, n, &value, &err), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "'1'"));
}
END_TEST

START_TEST(bytes_that_are_not_one_item_are_refused)
{
	static const char *const cases[] = { "", "a1", "0101", "ff", "61ff", "9f01ff" };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t bytes[16];
		json_t *value = NULL;
		size_t n = unhex(cases[i], bytes);
		ck_assert_int_eq(cli_json_from_cbor(bytes, n, &value, NULL), -WQ_E_FORMAT);
	}
}
END_TEST

START_TEST(nesting_is_bounded_both_ways)
{
	uint8_t bytes[CLI_JSON_DEPTH_MAX + 2];
	char text[2 * CLI_JSON_DEPTH_MAX + 4];
	json_t *value = NULL;
	struct wq_cbor_out out;

	/* 64 arrays are fine, 65 are not. */
	memset(bytes, 0x81, sizeof bytes);
	bytes[CLI_JSON_DEPTH_MAX] = 0;
	ck_assert_int_eq(cli_json_from_cbor(bytes, CLI_JSON_DEPTH_MAX + 1, &value, NULL), 0);
	json_decref(value);
	bytes[CLI_JSON_DEPTH_MAX] = 0x81;
	bytes[CLI_JSON_DEPTH_MAX + 1] = 0;
	ck_assert_int_eq(cli_json_from_cbor(bytes, sizeof bytes, &value, NULL), -WQ_E_LIMIT);

	size_t n = CLI_JSON_DEPTH_MAX;
	memset(text, '[', n);
	memset(text + n, ']', n);
	text[2 * n] = '\0';
	value = from_text(text);
	wq_cbor_out_init(&out);
	ck_assert_int_eq(cli_json_to_cbor(value, &out, NULL), 0);
	json_t *deeper = json_pack("[o]", value);
	ck_assert_int_eq(cli_json_to_cbor(deeper, &out, NULL), -WQ_E_LIMIT);
	json_decref(deeper);
	wq_cbor_out_free(&out);
}
END_TEST

START_TEST(broken_json_is_refused_with_its_place)
{
	struct wq_err err = { 0 };
	json_t *value = NULL;
	static const char text[] = "{\n \"a\": 1,\n \"a\": 2}";
	ck_assert_int_eq(cli_json_read(text, strlen(text), &value, &err), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "line 3"));
	ck_assert_int_eq(cli_json_read("[1,]", 4, &value, &err), -WQ_E_FORMAT);
	ck_assert_int_eq(cli_json_read("1 2", 3, &value, &err), -WQ_E_FORMAT);
	ck_assert_int_eq(cli_json_read("", 0, &value, &err), -WQ_E_FORMAT);
	/* 2^63 is one more than fits */
	ck_assert_int_eq(cli_json_read("9223372036854775808", 19, &value, &err), -WQ_E_LIMIT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/json");
	TCase *t = tcase_create("json");
	tcase_add_loop_test(
		t, cbor_becomes_the_json_of_rfc_8949, 0, (int)(sizeof to_json / sizeof *to_json));
	tcase_add_loop_test(
		t, json_becomes_the_cbor_of_rfc_8949, 0, (int)(sizeof to_cbor / sizeof *to_cbor));
	tcase_add_test(t, equal_objects_in_any_order_become_equal_bytes);
	tcase_add_test(t, what_could_mislead_a_terminal_is_written_as_an_escape);
	tcase_add_test(t, two_keys_that_are_one_in_json_are_refused);
	tcase_add_test(t, bytes_that_are_not_one_item_are_refused);
	tcase_add_test(t, nesting_is_bounded_both_ways);
	tcase_add_test(t, broken_json_is_refused_with_its_place);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
