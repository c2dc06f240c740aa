/* SPDX-License-Identifier: BSD-2-Clause */
/* Which file rules: wq.conf(5), FILES. */
#include "support/config/conf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;
static char path[4096];

static void setup(void)
{
	dir = conf_mkdir();
	unsetenv("WQ_CONFIG");
	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", dir, 1);
}

static void teardown(void)
{
	conf_rmdir(dir);
}

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void make_dir(const char *name)
{
	ck_assert_int_eq(mkdir(in_dir(name), 0755), 0);
}

static void put(const char *name, const char *text)
{
	free(conf_write(dir, name, text, strlen(text)));
}

/* What is found, with `system` below dir in the place of the system's file. */
static void assert_found(const char *given, const char *want, const char *want_rule)
{
	char system[8192], *found = NULL;
	const char *rule = NULL;
	snprintf(system, sizeof system, "%s/system.conf", dir);

	ck_assert_int_eq(config_find_with(given, system, &found, &rule), 0);

	if (want)
		ck_assert_str_eq(found, want);
	else
		ck_assert_ptr_null(found);
	ck_assert_str_eq(rule, want_rule);
	free(found);
}

static void put_system(const char *spool)
{
	char text[8192];
	snprintf(text, sizeof text, "spool = \"%s\" task-manager a { plugin = null }\n", spool);
	put("system.conf", text);
}

START_TEST(what_is_given_rules_even_if_it_is_absent)
{
	setenv("WQ_CONFIG", "/absent/env", 1);
	assert_found("/absent/given", "/absent/given", "-c");
	assert_found("", "", "-c");
	assert_found(NULL, "/absent/env", "WQ_CONFIG");
	setenv("WQ_CONFIG", "", 1);
	assert_found(NULL, NULL, "built-in");
}
END_TEST

START_TEST(the_users_file_rules_if_it_is_there)
{
	char want[4096];
	make_dir(".config");
	make_dir(".config/wq");
	assert_found(NULL, NULL, "built-in");
	put(".config/wq/wq.conf", "nothing good");
	snprintf(want, sizeof want, "%s", in_dir(".config/wq/wq.conf"));
	assert_found(NULL, want, "HOME");

	make_dir("xdg");
	setenv("XDG_CONFIG_HOME", in_dir("xdg"), 1);
	assert_found(NULL, NULL, "built-in");
	make_dir("xdg/wq");
	put("xdg/wq/wq.conf", "");
	snprintf(want, sizeof want, "%s", in_dir("xdg/wq/wq.conf"));
	assert_found(NULL, want, "XDG_CONFIG_HOME");
}
END_TEST

START_TEST(a_relative_xdg_config_home_is_ignored)
{
	char want[4096];
	make_dir(".config");
	make_dir(".config/wq");
	put(".config/wq/wq.conf", "");
	snprintf(want, sizeof want, "%s", in_dir(".config/wq/wq.conf"));

	setenv("XDG_CONFIG_HOME", "xdg", 1);
	assert_found(NULL, want, "HOME");
	setenv("XDG_CONFIG_HOME", "", 1);
	assert_found(NULL, want, "HOME");
	unsetenv("HOME");
	assert_found(NULL, NULL, "built-in");
}
END_TEST

START_TEST(the_systems_file_rules_who_may_publish_in_its_spool)
{
	char want[4096];
	make_dir("spool");
	make_dir("spool/1-requested");
	put_system(in_dir("spool"));
	snprintf(want, sizeof want, "%s", in_dir("system.conf"));

	assert_found(NULL, want, "system");
}
END_TEST

START_TEST(the_systems_file_rules_who_could_make_its_spool)
{
	char want[4096];
	put_system(in_dir("spool-to-come"));
	snprintf(want, sizeof want, "%s", in_dir("system.conf"));

	assert_found(NULL, want, "system");

	put_system(in_dir("no/such/place"));
	assert_found(NULL, NULL, "built-in");
}
END_TEST

START_TEST(the_systems_file_does_not_rule_who_may_not_publish)
{
	bool root = geteuid() == 0;
	make_dir("spool");
	make_dir("spool/1-requested");
	put_system(in_dir("spool"));
	ck_assert_int_eq(chmod(in_dir("system.conf"), 0644), 0);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(chmod(in_dir("spool/1-requested"), root ? 0755 : 0555), 0);

	ck_assert(!root || seteuid(65534) == 0);
	assert_found(NULL, NULL, "built-in");
	ck_assert(!root || seteuid(0) == 0);
	ck_assert_int_eq(chmod(in_dir("spool/1-requested"), 0755), 0);
}
END_TEST

START_TEST(a_wrong_system_file_rules_so_that_it_is_told)
{
	char want[4096];
	put("system.conf", "spol = /s\n");
	snprintf(want, sizeof want, "%s", in_dir("system.conf"));

	assert_found(NULL, want, "system");
}
END_TEST

START_TEST(the_users_file_comes_before_the_systems)
{
	char want[4096];
	make_dir(".config");
	make_dir(".config/wq");
	put(".config/wq/wq.conf", "");
	put_system(in_dir("spool"));
	snprintf(want, sizeof want, "%s", in_dir(".config/wq/wq.conf"));

	assert_found(NULL, want, "HOME");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config/find");
	TCase *tc = tcase_create("config_find");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_given_rules_even_if_it_is_absent);
	tcase_add_test(tc, the_users_file_rules_if_it_is_there);
	tcase_add_test(tc, a_relative_xdg_config_home_is_ignored);
	tcase_add_test(tc, the_systems_file_rules_who_may_publish_in_its_spool);
	tcase_add_test(tc, the_systems_file_rules_who_could_make_its_spool);
	tcase_add_test(tc, the_systems_file_does_not_rule_who_may_not_publish);
	tcase_add_test(tc, a_wrong_system_file_rules_so_that_it_is_told);
	tcase_add_test(tc, the_users_file_comes_before_the_systems);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
