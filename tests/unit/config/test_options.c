/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of a made-up plugin, as wq/plugin.h describes each type. */
#include "config/options.h"

#include "base/err.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOST,
	LIMIT,
	RATIO,
	DEEP,
	MODE,
	DIR,
	TIMEOUT,
	SPACE,
	NAMES,
	TOKEN,
	OFFSET,
	N_OPTIONS
};

static const struct wq_option table[N_OPTIONS] = {
	[HOST] = { .name = "host", .help = "h", .type = WQ_T_STRING, .flags = WQ_OPT_REQUIRED },
	[LIMIT] = { .name = "copy-limit",
		.help = "h",
		.def = "2",
		.type = WQ_T_INT,
		.min = 1,
		.max = 8 },
	[RATIO] = { .name = "ratio", .help = "h", .type = WQ_T_FLOAT },
	[DEEP] = { .name = "deep", .help = "h", .def = "no", .type = WQ_T_BOOL },
	[MODE] = { .name = "mode", .help = "h", .choices = "copy|move|link", .type = WQ_T_CHOICE },
	[DIR] = { .name = "dir", .help = "h", .def = "payloads", .type = WQ_T_PATH },
	[TIMEOUT] = { .name = "timeout",
		.help = "h",
		.type = WQ_T_DURATION,
		.min = INT64_C(1000000000),
		.max = INT64_C(86400000000000) },
	[SPACE] = { .name = "space", .help = "h", .def = "64K", .type = WQ_T_SIZE },
	[NAMES] = { .name = "names", .help = "h", .type = WQ_T_LIST },
	[TOKEN] = { .name = "token",
		.help = "h",
		.type = WQ_T_INT,
		.min = 100,
		.max = 999,
		.flags = WQ_OPT_SECRET },
	[OFFSET] = { .name = "offset", .help = "h", .type = WQ_T_INT },
};

static const struct problem_at at = { .file = "wq.conf", .line = 3, .section = "S" };
#define SETTING(k, v, l)                                                                           \
	{                                                                                          \
		.key = (char *)(uintptr_t)(k), .value = (char *)(uintptr_t)(v), .line = (l)        \
	}

static int check(
	const struct setting *settings, size_t n, struct option_values *ret, struct problems *p)
{
	return options_check(table, N_OPTIONS, settings, n, "/etc/wq", &at, p, ret);
}

/* Check host and one more setting. */
static int check_one(
	const char *key, const char *value, struct option_values *ret, struct problems *p)
{
	struct setting s[] = { SETTING("host", "h", 4), SETTING(key, value, 7) };
	return check(s, 2, ret, p);
}

START_TEST(each_type_arrives_as_plugin_h_says)
{
	struct setting s[] = { SETTING("names", " a , b c,d", 1), SETTING("host", "lab 1", 1),
		SETTING("copy-limit", "8", 1), SETTING("ratio", "-2.5e1", 1),
		SETTING("deep", "on", 1), SETTING("mode", "link", 1), SETTING("dir", "./x/../y", 1),
		SETTING("timeout", "1.5h", 1), SETTING("space", "3M", 1),
		SETTING("offset", "-7", 1), SETTING("token", "123", 1) };
	struct option_values v;
	struct problems p = { 0 };

	ck_assert_int_eq(check(s, sizeof s / sizeof *s, &v, &p), 0);

	ck_assert_uint_eq(p.n, 0);
	ck_assert_uint_eq(v.n, N_OPTIONS);
	for (int i = 0; i < N_OPTIONS; i++) {
		ck_assert_uint_eq(v.values[i].type, table[i].type);
		ck_assert_uint_eq(v.values[i].is_set, 1);
	}
	ck_assert_str_eq(v.values[HOST].u.s, "lab 1");
	ck_assert_uint_eq(v.values[HOST].n, 5);
	ck_assert_int_eq(v.values[LIMIT].u.i, 8);
	ck_assert_double_eq(v.values[RATIO].u.f, -25.0);
	ck_assert_int_eq(v.values[DEEP].u.i, 1);
	ck_assert_str_eq(v.values[MODE].u.s, "link");
	ck_assert_uint_eq(v.values[MODE].n, 2);
	ck_assert_str_eq(v.values[DIR].u.s, "/etc/wq/x/../y");
	ck_assert_int_eq(v.values[TIMEOUT].u.i, INT64_C(5400000000000));
	ck_assert_int_eq(v.values[SPACE].u.i, 3 * 1048576);
	ck_assert_uint_eq(v.values[NAMES].n, 3);
	ck_assert_str_eq(v.values[NAMES].u.list[0], "a");
	ck_assert_str_eq(v.values[NAMES].u.list[1], "b c");
	ck_assert_str_eq(v.values[NAMES].u.list[2], "d");
	ck_assert_int_eq(v.values[OFFSET].u.i, -7);
	options_fini(&v);
}
END_TEST

START_TEST(what_is_not_given_has_its_default_or_is_not_set)
{
	struct setting s[] = { SETTING("host", "", 1) };
	struct option_values v;
	struct problems p = { 0 };

	ck_assert_int_eq(check(s, 1, &v, &p), 0);

	ck_assert_uint_eq(v.values[HOST].is_set, 1);
	ck_assert_str_eq(v.values[HOST].u.s, "");
	for (int i = HOST + 1; i < N_OPTIONS; i++) {
		ck_assert_uint_eq(v.values[i].type, table[i].type);
		ck_assert_uint_eq(v.values[i].is_set, 0);
	}
	ck_assert_int_eq(v.values[LIMIT].u.i, 2);
	ck_assert_int_eq(v.values[DEEP].u.i, 0);
	ck_assert_str_eq(v.values[DIR].u.s, "/etc/wq/payloads");
	ck_assert_int_eq(v.values[SPACE].u.i, 65536);
	ck_assert_ptr_null(v.values[MODE].u.s);
	ck_assert_ptr_null(v.values[NAMES].u.list);
	options_fini(&v);
}
END_TEST

static const struct {
	const char *key, *value, *line;
} wrong[] = {
	{ "copy-limt", "1",
		"wq.conf:7: S: copy-limt = '***': unknown key; did you mean 'copy-limit'?" },
	{ "whatever", "1", "wq.conf:7: S: whatever = '***': unknown key" },
	{ "host", "x", "wq.conf:7: S: host = 'x': given twice, first in line 4" },
	{ "copy-limit", "9", "wq.conf:7: S: copy-limit = '9': must be a number of 1 to 8" },
	{ "copy-limit", "2 ", "wq.conf:7: S: copy-limit = '2 ': must be a number of 1 to 8" },
	{ "offset", "x", "wq.conf:7: S: offset = 'x': must be a number" },
	{ "offset", "9223372036854775808",
		"wq.conf:7: S: offset = '9223372036854775808': must be a number" },
	{ "offset", "--1", "wq.conf:7: S: offset = '--1': must be a number" },
	{ "ratio", "1,5", "wq.conf:7: S: ratio = '1,5': must be a decimal number" },
	{ "ratio", "1e999", "wq.conf:7: S: ratio = '1e999': must be a decimal number" },
	{ "ratio", "nan", "wq.conf:7: S: ratio = 'nan': must be a decimal number" },
	{ "ratio", "", "wq.conf:7: S: ratio = '': must be a decimal number" },
	{ "deep", "maybe",
		"wq.conf:7: S: deep = 'maybe': must be true or false (or yes, no, on, off)" },
	{ "mode", "mov",
		"wq.conf:7: S: mode = 'mov': must be one of 'copy', 'move', 'link'; did you mean "
		"'move'?" },
	{ "mode", "", "wq.conf:7: S: mode = '': must be one of 'copy', 'move', 'link'" },
	{ "dir", "", "wq.conf:7: S: dir = '': must be a path and not empty" },
	{ "timeout", "10",
		"wq.conf:7: S: timeout = '10': must be a duration of 1s to 1d, with its unit (ns "
		"us ms "
		"s m h d)" },
	{ "timeout", "25h", "wq.conf:7: S: timeout = '25h': must be a duration of 1s to 1d" },
	{ "space", "1KB",
		"wq.conf:7: S: space = '1KB': must be a size, in bytes or with K, M, G or T" },
	{ "names", "a,",
		"wq.conf:7: S: names = 'a,': must be a list, \"a, b, c\", without empty entries" },
	{ "token", "hush", "wq.conf:7: S: token = '***': must be a number of 100 to 999" },
};
enum {
	N_WRONG = sizeof wrong / sizeof *wrong
};

START_TEST(a_wrong_setting_is_told_exactly)
{
	struct option_values v;
	struct problems p = { 0 };

	ck_assert_int_eq(check_one(wrong[_i].key, wrong[_i].value, &v, &p), -WQ_E_CONFIG);

	ck_assert_uint_eq(p.n, 1);
	ck_assert_str_eq(p.lines[0], wrong[_i].line);
	problems_fini(&p);
}
END_TEST

START_TEST(all_problems_are_told_at_once)
{
	struct setting s[] = { SETTING("deep", "x", 4), SETTING("mode", "x", 5),
		SETTING("z", "x", 0) };
	struct option_values v;
	struct problems p = { 0 };

	ck_assert_int_eq(check(s, 3, &v, &p), -WQ_E_CONFIG);

	ck_assert_uint_eq(p.n, 4);
	ck_assert_str_eq(p.lines[2], "wq.conf: S: z = '***': unknown key");
	ck_assert_str_eq(p.lines[3], "wq.conf:3: S: host: is required");
	problems_fini(&p);
}
END_TEST

START_TEST(without_a_secret_in_the_table_an_unknown_key_shows_its_value)
{
	struct setting s[] = { SETTING("hots", "x", 4) };
	struct option_values v;
	struct problems p = { 0 };

	ck_assert_int_eq(options_check(table, 2, s, 1, "/", &at, &p, &v), -WQ_E_CONFIG);

	ck_assert_str_eq(p.lines[0], "wq.conf:4: S: hots = 'x': unknown key; did you mean 'host'?");
	problems_fini(&p);
}
END_TEST

START_TEST(a_table_may_be_empty)
{
	struct option_values v;
	struct problems p = { 0 };

	ck_assert_int_eq(options_check(NULL, 0, NULL, 0, "/", &at, &p, &v), 0);

	ck_assert_uint_eq(v.n, 0);
	options_fini(&v);
	ck_assert_int_eq(options_check_table(NULL, 0, NULL), 0);
}
END_TEST

static const struct {
	struct wq_option option;
	const char *text;
} unsound[] = {
	{ { .name = NULL, .help = "h", .type = WQ_T_INT },
		"option 0: its name '' is not of the form" },
	{ { .name = "A", .help = "h", .type = WQ_T_INT },
		"option 0: its name 'A' is not of the form" },
	{ { .name = "a_b", .help = "h", .type = WQ_T_INT }, "option 0: its name 'a_b' is not" },
	{ { .name = "a", .help = "h", .type = 0 }, "option 'a' has an unknown type" },
	{ { .name = "a", .help = "h", .type = 10 }, "option 'a' has an unknown type" },
	{ { .name = "a", .help = "h", .type = WQ_T_INT, .flags = 4 },
		"option 'a' has an unknown flag" },
	{ { .name = "a", .type = WQ_T_INT }, "option 'a' has no help text" },
	{ { .name = "a", .help = "h", .type = WQ_T_CHOICE },
		"option 'a' is a choice without choices" },
	{ { .name = "a", .help = "h", .type = WQ_T_INT, .choices = "a|b" },
		"option 'a' has choices but is no choice" },
	{ { .name = "a", .help = "h", .type = WQ_T_CHOICE, .choices = "a||b" },
		"option 'a' has an empty choice" },
	{ { .name = "a", .help = "h", .type = WQ_T_CHOICE, .choices = "" },
		"option 'a' has an empty choice" },
	{ { .name = "a", .help = "h", .type = WQ_T_INT, .min = 2, .max = 1 },
		"option 'a' has a lower bound above the upper one" },
	{ { .name = "a", .help = "h", .type = WQ_T_STRING, .max = 1 },
		"option 'a' has bounds but is no" },
	{ { .name = "a", .help = "h", .type = WQ_T_INT, .def = "1", .flags = WQ_OPT_REQUIRED },
		"option 'a' is required and has a default" },
	{ { .name = "a", .help = "h", .type = WQ_T_INT, .def = "x" },
		"option 'a': its default 'x' must be a number" },
	{ { .name = "a", .help = "h", .type = WQ_T_INT, .def = "9", .min = 1, .max = 8 },
		"option 'a': its default '9' must be a number of 1 to 8" },
};
enum {
	N_UNSOUND = sizeof unsound / sizeof *unsound
};

START_TEST(an_unsound_table_is_refused)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(options_check_table(&unsound[_i].option, 1, &err), -WQ_E_FORMAT);

	ck_assert_msg(
		strncmp(err.text, unsound[_i].text, strlen(unsound[_i].text)) == 0, "%s", err.text);
}
END_TEST

START_TEST(a_sound_table_is_accepted_and_a_name_twice_is_not)
{
	struct wq_err err = { 0 };
	struct wq_option twice[2] = { table[0], table[0] };
	char name[65] = { 0 };
	memset(name, 'a', 64);

	ck_assert_msg(options_check_table(table, N_OPTIONS, &err) == 0, "%s", err.text);
	ck_assert_int_eq(options_check_table(twice, 2, &err), -WQ_E_DUPLICATE);
	ck_assert_str_eq(err.text, "option 'host' is there twice");
	twice[0].name = name;
	ck_assert_int_eq(options_check_table(twice, 1, &err), -WQ_E_FORMAT);
	name[63] = '\0';
	ck_assert_int_eq(options_check_table(twice, 1, &err), 0);
}
END_TEST

START_TEST(rules_say_the_type_and_its_bounds)
{
	static const struct {
		struct wq_option option;
		const char *rule;
	} rules[] = {
		{ { .type = WQ_T_BOOL }, "true or false" },
		{ { .type = WQ_T_INT }, "a number" },
		{ { .type = WQ_T_INT, .min = -1, .max = 1 }, "a number of -1 to 1" },
		{ { .type = WQ_T_INT, .min = 0, .max = INT64_MAX }, "a number of 0 or more" },
		{ { .type = WQ_T_INT, .min = INT64_MIN, .max = 5 }, "a number of at most 5" },
		{ { .type = WQ_T_FLOAT }, "a decimal number" },
		{ { .type = WQ_T_STRING }, "a text" },
		{ { .type = WQ_T_CHOICE, .choices = "a" }, "'a'" },
		{ { .type = WQ_T_CHOICE, .choices = "a|b-c" }, "one of 'a', 'b-c'" },
		{ { .type = WQ_T_PATH }, "a path" },
		{ { .type = WQ_T_DURATION, .min = 1000000000, .max = INT64_C(86400000000000) },
			"a duration of 1s to 1d" },
		{ { .type = WQ_T_DURATION, .max = 1500000000 }, "a duration of at most 1500ms" },
		{ { .type = WQ_T_SIZE, .min = 1024, .max = INT64_MAX }, "a size of 1K or more" },
		{ { .type = WQ_T_LIST }, "a list, \"a, b, c\"" },
	};
	char rule[256], small[8];
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		ck_assert_str_eq(options_rule(&rules[i].option, rule, sizeof rule), rules[i].rule);
	ck_assert_str_eq(options_rule(&rules[2].option, small, sizeof small), "a numbe");
}
END_TEST

START_TEST(the_description_has_a_paragraph_for_each_option)
{
	static const struct wq_option some[] = {
		{ .name = "host",
			.help = "Where to go",
			.type = WQ_T_STRING,
			.flags = WQ_OPT_REQUIRED },
		{ .name = "limit",
			.help = "How many",
			.def = "2",
			.type = WQ_T_INT,
			.min = 1,
			.max = 8 },
		{ .name = "token",
			.help = "What to say",
			.def = "hush",
			.type = WQ_T_STRING,
			.flags = WQ_OPT_SECRET },
	};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	options_print(some, 3, f);
	fclose(f);

	ck_assert_str_eq(text, "host: a text; required\n    Where to go\n\n"
			       "limit: a number of 1 to 8; default '2'\n    How many\n\n"
			       "token: a text; default '***'; secret\n    What to say\n");
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config/options");
	TCase *tc = tcase_create("options_check");
	tcase_add_test(tc, each_type_arrives_as_plugin_h_says);
	tcase_add_test(tc, what_is_not_given_has_its_default_or_is_not_set);
	tcase_add_loop_test(tc, a_wrong_setting_is_told_exactly, 0, N_WRONG);
	tcase_add_test(tc, all_problems_are_told_at_once);
	tcase_add_test(tc, without_a_secret_in_the_table_an_unknown_key_shows_its_value);
	tcase_add_test(tc, a_table_may_be_empty);
	suite_add_tcase(s, tc);
	tc = tcase_create("table");
	tcase_add_loop_test(tc, an_unsound_table_is_refused, 0, N_UNSOUND);
	tcase_add_test(tc, a_sound_table_is_accepted_and_a_name_twice_is_not);
	tcase_add_test(tc, rules_say_the_type_and_its_bounds);
	tcase_add_test(tc, the_description_has_a_paragraph_for_each_option);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
