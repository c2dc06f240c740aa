/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema, conf/wq.conf and docs/wq.conf.5 say the same. */
#include "support/config/conf.h"

#include "config/schema.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct wq_option *find(const char *name)
{
	for (size_t i = 0; i < config_n_top_options; i++)
		if (strcmp(config_top_options[i].name, name) == 0)
			return &config_top_options[i];
	for (size_t i = 0; i < config_n_tm_options; i++)
		if (strcmp(config_tm_options[i].name, name) == 0)
			return &config_tm_options[i];
	return NULL;
}

static bool is_section(const char *name)
{
	return strcmp(name, "task-manager") == 0 || strcmp(name, "options") == 0;
}

START_TEST(the_tables_are_sound)
{
	struct wq_err err = { 0 };

	ck_assert_msg(options_check_table(config_top_options, config_n_top_options, &err) == 0,
		"%s", err.text);
	ck_assert_msg(options_check_table(config_tm_options, config_n_tm_options, &err) == 0, "%s",
		err.text);
}
END_TEST

/* ---- conf/wq.conf ------------------------------------------------------------------ */

/* A line "#key ..." without the tabs and the '#', or NULL: a comment or an empty line. */
static char *setting_of(char *line)
{
	line += strspn(line, "\t");
	if (line[0] != '#' || line[1] == ' ' || line[1] == '\0')
		return NULL;
	return line + 1 + strspn(line + 1, "\t");
}

static void unquote(char *value)
{
	size_t len = strlen(value);
	if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
		value[len - 1] = '\0';
		memmove(value, value + 1, len - 1);
	}
}

START_TEST(the_reference_has_each_option_once_at_its_default)
{
	char *text = conf_source_file("conf/wq.conf");
	size_t n = 0;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		char *setting = setting_of(line);
		if (!setting || setting[0] == '}')
			continue;
		size_t len = strcspn(setting, " ");
		char *value = strstr(setting, " = ");
		setting[len] = '\0';
		if (is_section(setting))
			continue;
		const struct wq_option *o = find(setting);
		ck_assert_msg(o != NULL, "'%s' is no option", setting);
		ck_assert_msg(value != NULL, "'%s' has no value", setting);
		value += 3;
		unquote(value);
		if (o->def)
			ck_assert_str_eq(value, o->def);
		n++;
	}
	ck_assert_uint_eq(n, config_n_top_options + config_n_tm_options);
	free(text);
}
END_TEST

START_TEST(each_option_of_the_schema_is_in_the_reference_with_a_sentence)
{
	char *text = conf_source_file("conf/wq.conf");
	for (size_t i = 0; i < config_n_top_options + config_n_tm_options; i++) {
		const char *name = i < config_n_top_options
					   ? config_top_options[i].name
					   : config_tm_options[i - config_n_top_options].name;
		char line[128];
		snprintf(line, sizeof line, "#%s = ", name);
		char *at = strstr(text, line);
		ck_assert_msg(at != NULL, "%s is not there", name);
		ck_assert_msg(strstr(at + 1, line) == NULL, "%s is there twice", name);
		/* The line before is a comment that ends in a full stop. */
		while (at[-1] == '\t')
			at--;
		ck_assert_msg(at - text > 2 && at[-2] == '.', "%s has no sentence", name);
	}
	free(text);
}
END_TEST

START_TEST(the_reference_with_all_its_settings_is_good)
{
	char *text = conf_source_file("conf/wq.conf"), *all = NULL;
	size_t len;
	FILE *f = open_memstream(&all, &len);
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		char *setting = setting_of(line);
		fprintf(f, "%s\n", setting ? setting : line);
	}
	fclose(f);
	struct config c;

	conf_must_read(all, &c);

	ck_assert_str_eq(c.spool, "/var/spool/wq");
	ck_assert_str_eq(c.tms[0].plugin, "null");
	ck_assert_str_eq(c.default_task_manager, c.tms[0].name);
	config_fini(&c);
	free(all);
	free(text);
}
END_TEST

/* ---- docs/wq.conf.5 ---------------------------------------------------------------- */

START_TEST(the_manual_names_the_options_of_the_schema_and_no_others)
{
	char *text = conf_source_file("docs/wq.conf.5");
	size_t n = 0, sections = 0;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		if (strncmp(line, ".It Cm ", 7) != 0 && strncmp(line, ".It Ic ", 7) != 0)
			continue;
		char *name = line + 7;
		name[strcspn(name, " ")] = '\0';
		if (is_section(name)) {
			sections++;
			continue;
		}
		ck_assert_msg(find(name) != NULL, "'%s' is no option", name);
		n++;
	}
	ck_assert_uint_eq(n, config_n_top_options + config_n_tm_options);
	ck_assert_uint_eq(sections, 2);
	free(text);
}
END_TEST

/* The paragraphs of one option, on one line. */
static char *paragraphs_of(const char *text, const char *name)
{
	char item[128];
	snprintf(item, sizeof item, "\n.It Cm %s ", name);
	const char *at = strstr(text, item);
	ck_assert_msg(at != NULL, "%s is not in the manual", name);
	ck_assert_msg(strstr(at + 1, item) == NULL, "%s is there twice", name);
	const char *end = at + 1;
	do
		end = strchr(end, '\n') + 1;
	while (strncmp(end, ".It ", 4) != 0 && strncmp(end, ".El", 3) != 0);
	char *all = strndup(at, (size_t)(end - at));
	for (char *p = all; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return all;
}

static void check_manual(const char *text, const struct wq_option *o)
{
	char *all = paragraphs_of(text, o->name), rule[256], want[512];
	snprintf(want, sizeof want, " Type: %s", options_rule(o, rule, sizeof rule));
	ck_assert_msg(strstr(all, want) != NULL, "%s: not \"%s\": %s", o->name, want, all);
	if (o->flags & WQ_OPT_REQUIRED)
		snprintf(want, sizeof want, " Required.");
	else
		snprintf(want, sizeof want, " Default: %s",
			!o->def     ? ""
			: o->def[0] ? o->def
				    : "\"\"");
	ck_assert_msg(strstr(all, want) != NULL, "%s: not \"%s\": %s", o->name, want, all);
	free(all);
}

START_TEST(the_manual_gives_type_range_and_default_of_each_option)
{
	char *text = conf_source_file("docs/wq.conf.5");
	for (size_t i = 0; i < config_n_top_options; i++)
		check_manual(text, &config_top_options[i]);
	for (size_t i = 0; i < config_n_tm_options; i++)
		check_manual(text, &config_tm_options[i]);
	free(text);
}
END_TEST

START_TEST(the_example_of_the_manual_is_good)
{
	char *text = conf_source_file("docs/wq.conf.5");
	char *begin = strstr(text, ".Sh EXAMPLES");
	ck_assert_ptr_nonnull(begin);
	begin = strstr(begin, "spool = ");
	*strstr(begin, ".Ed") = '\0';
	struct config c;

	conf_must_read(begin, &c);

	ck_assert_uint_eq(c.n_tms, 3);
	ck_assert_str_eq(c.default_task_manager, "quick");
	ck_assert_str_eq(c.tms[0].options[0].key, "threads");
	config_fini(&c);
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config/schema");
	TCase *tc = tcase_create("reference");
	tcase_add_test(tc, the_tables_are_sound);
	tcase_add_test(tc, the_reference_has_each_option_once_at_its_default);
	tcase_add_test(tc, each_option_of_the_schema_is_in_the_reference_with_a_sentence);
	tcase_add_test(tc, the_reference_with_all_its_settings_is_good);
	suite_add_tcase(s, tc);
	tc = tcase_create("manual");
	tcase_add_test(tc, the_manual_names_the_options_of_the_schema_and_no_others);
	tcase_add_test(tc, the_manual_gives_type_range_and_default_of_each_option);
	tcase_add_test(tc, the_example_of_the_manual_is_good);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
