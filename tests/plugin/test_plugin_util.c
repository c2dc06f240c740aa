/* SPDX-License-Identifier: BSD-2-Clause */
/* What wq/plugin-util.h promises to those who write a plugin. */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <wq/cbor.h>
#include <wq/plugin-util.h>

/* ---- failures -------------------------------------------------------------------------------- */

/* The reader of CBOR refuses a text that is not UTF-8. */
static bool is_utf8(const char *text)
{
	struct wq_cbor_out o;
	wq_cbor_out_init(&o);
	wq_cbor_put_text(&o, text);
	bool good = wq_cbor_check(o.buf, o.len, NULL, NULL, NULL) == 0;
	wq_cbor_out_free(&o);
	return good;
}

START_TEST(a_sentence_that_is_too_long_ends_with_a_whole_character)
{
	/* One to four bytes each; `_i` moves the cut through them. */
	static const char characters[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	char text[1024];
	struct wq_err err = { 0 };
	memset(text, 'x', (size_t)_i);
	text[_i] = '\0';
	while (strlen(text) < sizeof(err.text) + 10)
		(void)strcat(text, characters);

	ck_assert_int_eq(wq_fail(&err, WQ_REJECT, "long", "%s", text), WQ_REJECT);

	ck_assert(is_utf8(err.text));
	ck_assert_uint_ge(strlen(err.text), sizeof(err.text) - 4);
	ck_assert_int_eq(strncmp(err.text, text, strlen(err.text)), 0);
}
END_TEST

START_TEST(an_errno_is_added_to_the_sentence)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(wq_fail(&err, -ENOENT, "no-file", "cannot open '%s'", "/a"), -ENOENT);

	ck_assert_str_eq(err.text, "cannot open '/a': No such file or directory");
	ck_assert_str_eq(err.name, "no-file");
	ck_assert_int_eq(err.code, -ENOENT);
	ck_assert_int_eq(err.sys_errno, ENOENT);
	ck_assert_int_eq(wq_fail(NULL, -WQ_E_LIMIT, NULL, "too large"), -WQ_E_LIMIT);
}
END_TEST

START_TEST(an_answer_leaves_the_code_alone_so_that_it_is_no_delay)
{
	struct wq_err err = { .code = 7 };

	ck_assert_int_eq(wq_fail(&err, WQ_RETRY, "later", "not now"), WQ_RETRY);

	ck_assert_int_eq(err.code, 0);
	ck_assert_int_eq(err.sys_errno, 0);
	ck_assert_str_eq(err.name, "later");
	ck_assert_str_eq(err.text, "not now");
}
END_TEST

START_TEST(retry_carries_its_delay_and_its_sentence)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(wq_retry(&err, 250, "host '%s' is down", "a"), WQ_RETRY);

	ck_assert_int_eq(err.code, 250);
	ck_assert_int_eq(err.sys_errno, 0);
	ck_assert_str_eq(err.name, "");
	ck_assert_str_eq(err.text, "host 'a' is down");
	ck_assert_int_eq(wq_retry(NULL, 250, "no reason"), WQ_RETRY);
}
END_TEST

/* ---- options --------------------------------------------------------------------------------- */

static const char *const words[] = { "a", "b", "c" };

/* As the host fills them: docs/wq-plugin.3, "struct wq_value". */
static const struct wq_value values[] = {
	{ .type = WQ_T_BOOL, .is_set = 1, .u.i = 1 },
	{ .type = WQ_T_INT, .u.i = -3 },
	{ .type = WQ_T_FLOAT, .u.f = 0.5 },
	{ .type = WQ_T_STRING, .u.s = "text", .n = 4 },
	{ .type = WQ_T_CHOICE, .u.s = "fast", .n = 2 },
	{ .type = WQ_T_PATH, .u.s = "/a", .n = 2 },
	{ .type = WQ_T_DURATION, .u.i = 10000000000 },
	{ .type = WQ_T_SIZE, .u.i = 65536 },
	{ .type = WQ_T_LIST, .u.list = words, .n = 3 },
};
static const struct wq_config config = {
	.struct_size = sizeof(config),
	.n_values = sizeof(values) / sizeof(values[0]),
	.values = values,
};
enum {
	BOOL,
	INT,
	FLOAT,
	STRING,
	CHOICE,
	PATH,
	DURATION,
	SIZE,
	LIST,
	NOWHERE
};

START_TEST(numbers_are_read_as_such_and_a_choice_by_its_place)
{
	ck_assert_int_eq(wq_option_int(&config, BOOL, 9), 1);
	ck_assert_int_eq(wq_option_int(&config, INT, 9), -3);
	ck_assert_int_eq(wq_option_int(&config, CHOICE, 9), 2);
	ck_assert_int_eq(wq_option_int(&config, DURATION, 9), 10000000000);
	ck_assert_int_eq(wq_option_int(&config, SIZE, 9), 65536);
	ck_assert_double_eq(wq_option_float(&config, FLOAT, 9), 0.5);
}
END_TEST

START_TEST(texts_are_read_as_such_and_a_choice_by_its_word)
{
	ck_assert_str_eq(wq_option_text(&config, STRING), "text");
	ck_assert_str_eq(wq_option_text(&config, CHOICE), "fast");
	ck_assert_str_eq(wq_option_text(&config, PATH), "/a");
}
END_TEST

START_TEST(a_list_is_read_with_the_number_of_its_entries)
{
	size_t n = 9;

	const char *const *list = wq_option_list(&config, LIST, &n);

	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(list[2], "c");
}
END_TEST

START_TEST(an_option_of_another_type_or_none_is_the_default)
{
	size_t n = 9;

	ck_assert_int_eq(wq_option_int(&config, STRING, 9), 9);
	ck_assert_int_eq(wq_option_int(&config, NOWHERE, 9), 9);
	ck_assert_int_eq(wq_option_int(NULL, INT, 9), 9);
	ck_assert_double_eq(wq_option_float(&config, INT, 1.5), 1.5);
	ck_assert_ptr_null(wq_option_text(&config, LIST));
	ck_assert_ptr_null(wq_option_list(&config, STRING, &n));
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(set_says_whether_the_user_wrote_it)
{
	ck_assert(wq_option_is_set(&config, BOOL));
	ck_assert(!wq_option_is_set(&config, INT));
	ck_assert(!wq_option_is_set(&config, NOWHERE));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plugin/plugin-util");

	TCase *tc = tcase_create("failures");
	tcase_add_loop_test(tc, a_sentence_that_is_too_long_ends_with_a_whole_character, 0, 10);
	tcase_add_test(tc, an_errno_is_added_to_the_sentence);
	tcase_add_test(tc, an_answer_leaves_the_code_alone_so_that_it_is_no_delay);
	tcase_add_test(tc, retry_carries_its_delay_and_its_sentence);
	suite_add_tcase(s, tc);

	tc = tcase_create("options");
	tcase_add_test(tc, numbers_are_read_as_such_and_a_choice_by_its_place);
	tcase_add_test(tc, texts_are_read_as_such_and_a_choice_by_its_word);
	tcase_add_test(tc, a_list_is_read_with_the_number_of_its_entries);
	tcase_add_test(tc, an_option_of_another_type_or_none_is_the_default);
	tcase_add_test(tc, set_says_whether_the_user_wrote_it);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_ENV);
	int n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
