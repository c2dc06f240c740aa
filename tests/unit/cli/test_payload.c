/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/payload.h"

#include "base/err.h"

#include <wq/cbor.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct wq_cbor_out out;
static struct wq_err err;

static void setup(void)
{
	wq_cbor_out_init(&out);
	err = (struct wq_err){ 0 };
}

static void teardown(void)
{
	wq_cbor_out_free(&out);
}

static int words(size_t n, const char *const *texts)
{
	char *copies[8];
	ck_assert_uint_le(n, 8);
	for (size_t i = 0; i < n; i++)
		copies[i] = strdup(texts[i]);
	int rc = payload_from_words(copies, n, &out, &err);
	for (size_t i = 0; i < n; i++)
		free(copies[i]);
	return rc;
}
#define WORDS(...)                                                                                 \
	words(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),                            \
		(const char *[]){ __VA_ARGS__ })

static void assert_bytes(const char *bytes, size_t n)
{
	ck_assert_uint_eq(out.len, n);
	ck_assert_mem_eq(out.buf, bytes, n);
}

START_TEST(no_words_are_an_empty_map)
{
	ck_assert_int_eq(words(0, NULL), 0);
	assert_bytes("\xa0", 1);
}
END_TEST

START_TEST(words_become_a_sorted_map)
{
	ck_assert_int_eq(WORDS("size=3", "n=true"), 0);
	/* {"n": true, "size": 3} */
	assert_bytes("\xa2\x61n\xf5\x64size\x03", 10);
}
END_TEST

/* A value and the type that it has in the payload. */
static const struct {
	const char *value;
	int32_t type;
} values[] = {
	{ "1", WQ_CBOR_UINT },
	{ "-1", WQ_CBOR_NINT },
	{ "1.5", WQ_CBOR_FLOAT },
	{ "true", WQ_CBOR_BOOL },
	{ "false", WQ_CBOR_BOOL },
	{ "null", WQ_CBOR_NULL },
	{ "[1,2]", WQ_CBOR_ARRAY },
	{ "{\"a\":1}", WQ_CBOR_MAP },
	{ "\"1\"", WQ_CBOR_TEXT },
	{ "", WQ_CBOR_TEXT },
	{ "text", WQ_CBOR_TEXT },
	{ "True", WQ_CBOR_TEXT },
	{ "01", WQ_CBOR_TEXT },
	{ "1.2.3", WQ_CBOR_TEXT },
	{ "nan", WQ_CBOR_TEXT },
	{ "a=b", WQ_CBOR_TEXT },
	{ "/bin/sh -c 'x'", WQ_CBOR_TEXT },
};

START_TEST(a_value_that_is_json_is_that_and_all_else_is_text)
{
	char word[64];
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	snprintf(word, sizeof word, "k=%s", values[_i].value);
	ck_assert_int_eq(WORDS(word), 0);
	ck_assert_int_eq(wq_cbor_map_find(out.buf, out.len, "k", &in), 1);
	ck_assert_int_eq(wq_cbor_next(&in, &item), 1);
	ck_assert_msg(item.type == values[_i].type, "%s", word);
	/* Text stands as it was given, but for the quotes of a quoted string. */
	if (item.type == WQ_CBOR_TEXT && values[_i].value[0] != '"')
		ck_assert(wq_cbor_text_is(&item, values[_i].value));
}
END_TEST

static const char *const broken[] = { "[1,2", "{make}", "{\"a\":1", "\"open", "[1] 2", "[" };

START_TEST(what_begins_like_json_and_is_none_is_refused_and_told_how_to_be_text)
{
	char word[64], begins[32];
	snprintf(word, sizeof word, "argv=%s", broken[_i]);
	snprintf(begins, sizeof begins, "begins with %c", broken[_i][0]);
	ck_assert_int_eq(WORDS("a=1", word), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "'argv'"));
	ck_assert_ptr_nonnull(strstr(err.text, begins));
	ck_assert_ptr_nonnull(strstr(err.text, "column"));
	ck_assert_ptr_nonnull(strstr(err.text, "--file"));
}
END_TEST

START_TEST(the_form_that_is_told_makes_it_text)
{
	ck_assert_int_eq(WORDS("a=\"[1\"", "b=\"\\\"\""), 0);
	/* {"a": "[1", "b": "\""} */
	assert_bytes("\xa2\x61\x61\x62[1\x61\x62\x61\"", 10);
}
END_TEST

START_TEST(a_word_without_an_equals_sign_is_refused_by_name)
{
	ck_assert_int_eq(WORDS("a=1", "make"), -WQ_E_FORMAT);
	ck_assert_str_eq(err.text, "'make' is not key=value");
	ck_assert_int_eq(WORDS("=1"), -WQ_E_FORMAT);
}
END_TEST

START_TEST(a_key_given_twice_is_refused)
{
	ck_assert_int_eq(WORDS("a=1", "a=2"), -WQ_E_DUPLICATE);
}
END_TEST

START_TEST(what_is_not_utf8_is_refused)
{
	ck_assert_int_eq(WORDS("a=\xff"), -WQ_E_FORMAT);
	ck_assert_int_eq(WORDS("\xff=1"), -WQ_E_FORMAT);
}
END_TEST

START_TEST(a_number_that_does_not_fit_is_refused_not_made_text)
{
	ck_assert_int_eq(WORDS("a=99999999999999999999"), -WQ_E_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.text, "'a'"));
}
END_TEST

static int file(const char *bytes, size_t n, bool cbor)
{
	char path[] = "/tmp/wq-payload-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
	int rc = payload_from_file(path, cbor, &out, &err);
	unlink(path);
	return rc;
}

START_TEST(a_file_of_json_is_converted)
{
	ck_assert_int_eq(file("[1, 2, 3]\n", 10, false), 0);
	assert_bytes("\x83\x01\x02\x03", 4);
}
END_TEST

START_TEST(a_file_of_cbor_stays_as_it_is)
{
	/* 0 in two bytes: well-formed, though not the shortest */
	ck_assert_int_eq(file("\x18\x00", 2, true), 0);
	assert_bytes("\x18\x00", 2);
}
END_TEST

START_TEST(a_broken_file_is_refused_by_name)
{
	ck_assert_int_eq(file("{", 1, false), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "/tmp/wq-payload-"));
	ck_assert_int_eq(payload_from_file("/nonexistent/file", false, &out, &err), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/payload");
	TCase *t = tcase_create("payload");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, no_words_are_an_empty_map);
	tcase_add_test(t, words_become_a_sorted_map);
	tcase_add_loop_test(t, a_value_that_is_json_is_that_and_all_else_is_text, 0,
		(int)(sizeof values / sizeof *values));
	tcase_add_loop_test(t, what_begins_like_json_and_is_none_is_refused_and_told_how_to_be_text,
		0, (int)(sizeof broken / sizeof *broken));
	tcase_add_test(t, the_form_that_is_told_makes_it_text);
	tcase_add_test(t, a_word_without_an_equals_sign_is_refused_by_name);
	tcase_add_test(t, a_key_given_twice_is_refused);
	tcase_add_test(t, what_is_not_utf8_is_refused);
	tcase_add_test(t, a_number_that_does_not_fit_is_refused_not_made_text);
	tcase_add_test(t, a_file_of_json_is_converted);
	tcase_add_test(t, a_file_of_cbor_stays_as_it_is);
	tcase_add_test(t, a_broken_file_is_refused_by_name);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
