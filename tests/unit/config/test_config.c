/* SPDX-License-Identifier: BSD-2-Clause */
/* Good configurations, and files that cannot be read.  Defaults are those of wq.conf(5). */
#include "support/config/conf.h"

#include "base/err.h"
#include "config/schema.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define SMALL  "spool = /s\ntask-manager a { plugin = null }\n"

START_TEST(what_is_not_written_has_the_default_of_the_manual)
{
	struct config c;

	conf_must_read(SMALL, &c);

	ck_assert_str_eq(c.file, "wq.conf");
	ck_assert_str_eq(c.base_dir, "/etc/wq");
	ck_assert_str_eq(c.spool, "/s");
	ck_assert_str_eq(c.default_task_manager, "a");
	ck_assert_ptr_null(c.plugin_path[0]);
	ck_assert_str_eq(c.on_start, "recover");
	ck_assert_str_eq(c.durability, "batch");
	ck_assert_str_eq(c.log_level, "info");
	ck_assert_int_eq(c.heartbeat_interval_ns, 600 * SECOND);
	ck_assert_int_eq(c.sample_interval_ns, SECOND);
	ck_assert_int_eq(c.safety_interval_ns, 60 * SECOND);
	ck_assert_int_eq(c.drain_limit_ns, 30 * SECOND);
	ck_assert_int_eq(c.request_limit, 1048576);
	ck_assert_int_eq(c.result_limit, 1048576);
	ck_assert_int_eq(c.queue_limit, 100000);
	ck_assert_int_eq(c.min_free_percent, 5);
	ck_assert_int_eq(c.min_free_bytes, 1 << 30);
	ck_assert_int_eq(c.keep_results, 100000);
	ck_assert_int_eq(c.keep_results_for_ns, 7 * 86400 * SECOND);
	ck_assert_int_eq(c.keep_finished_bytes, 1 << 30);
	ck_assert_int_eq(c.keep_finished, 1000);
	ck_assert_int_eq(c.keep_finished_for_ns, 7 * 86400 * SECOND);
	ck_assert_int_eq(c.shepherd_linger_ns, 60 * SECOND);
	ck_assert_uint_eq(c.n_tms, 1);
	ck_assert_str_eq(c.tms[0].name, "a");
	ck_assert_str_eq(c.tms[0].plugin, "null");
	ck_assert_int_eq(c.tms[0].max_running, 1);
	ck_assert_int_eq(c.tms[0].run_limit_ns, 0);
	ck_assert_str_eq(c.tms[0].keep_work, "finished");
	ck_assert_uint_eq(c.tms[0].n_options, 0);
	ck_assert_int_eq(c.tms[0].line, 2);
	config_fini(&c);
}
END_TEST

#define FULL                                                                                       \
	"# comment with ' and \" and {\n"                                                          \
	"spool = 'spool' // a comment\n"                                                           \
	"default-task-manager = \"lab-2\" /* more\n over lines */\n"                               \
	"plugin-path = \"plugins, /opt/a b ,./c\"\n"                                               \
	"on-start=wipe durability=none log-level=debug\n"                                          \
	"heartbeat-interval = 1.5h\nsample-interval = 10ms\nsafety-interval = 1s\n"                \
	"drain-limit = 0s\nrequest-limit = 1K\nresult-limit = 16M "                                \
	"keep-finished = 1000000 keep-finished-for = 0s shepherd-linger = 1d\n"                    \
	"queue-limit = 1000000 keep-results = 1 keep-results-for = 0s keep-finished-bytes = 0 "    \
	"min-free = 20G\n"                                                                         \
	"task-manager lab {\n\tplugin = ./lab.so\n\tmax-running = 100000 run-limit = 1.5h\n"       \
	"\toptions { host = lab1 # no comment } here\n\t copy-limit=2\n\n"                         \
	"\t env = \"A=1, B=$2\" Empty = '' }\n"                                                    \
	"}\n"                                                                                      \
	"task-manager \"lab-2\" { plugin = '/x/y.so' keep-work = never options { } }\n"

START_TEST(everything_that_is_written_arrives)
{
	struct config c;

	conf_must_read(FULL, &c);

	ck_assert_str_eq(c.spool, "/etc/wq/spool");
	ck_assert_str_eq(c.default_task_manager, "lab-2");
	ck_assert_str_eq(c.plugin_path[0], "/etc/wq/plugins");
	ck_assert_str_eq(c.plugin_path[1], "/opt/a b");
	ck_assert_str_eq(c.plugin_path[2], "/etc/wq/c");
	ck_assert_ptr_null(c.plugin_path[3]);
	ck_assert_str_eq(c.on_start, "wipe");
	ck_assert_str_eq(c.log_level, "debug");
	ck_assert_int_eq(c.heartbeat_interval_ns, 5400 * SECOND);
	ck_assert_int_eq(c.sample_interval_ns, 10000000);
	ck_assert_int_eq(c.safety_interval_ns, SECOND);
	ck_assert_int_eq(c.drain_limit_ns, 0);
	ck_assert_int_eq(c.request_limit, 1024);
	ck_assert_int_eq(c.result_limit, 16777216);
	ck_assert_int_eq(c.queue_limit, 1000000);
	ck_assert_int_eq(c.min_free_percent, -1);
	ck_assert_int_eq(c.min_free_bytes, INT64_C(20) << 30);
	ck_assert_int_eq(c.keep_results, 1);
	ck_assert_int_eq(c.keep_results_for_ns, 0);
	ck_assert_int_eq(c.keep_finished_bytes, 0);
	ck_assert_int_eq(c.keep_finished, 1000000);
	ck_assert_int_eq(c.keep_finished_for_ns, 0);
	ck_assert_int_eq(c.shepherd_linger_ns, 86400 * SECOND);
	ck_assert_uint_eq(c.n_tms, 2);
	ck_assert_str_eq(c.tms[0].name, "lab");
	ck_assert_str_eq(c.tms[0].plugin, "/etc/wq/lab.so");
	ck_assert_int_eq(c.tms[0].max_running, 100000);
	ck_assert_int_eq(c.tms[0].run_limit_ns, 5400 * SECOND);
	ck_assert_str_eq(c.tms[0].keep_work, "finished");
	ck_assert_int_eq(c.tms[1].run_limit_ns, 0);
	ck_assert_str_eq(c.tms[1].keep_work, "never");
	ck_assert_str_eq(c.tms[1].plugin, "/x/y.so");
	ck_assert_int_eq(c.tms[1].line, 22);
	config_fini(&c);
}
END_TEST

START_TEST(options_of_plugins_keep_their_order_and_lines)
{
	struct config c;

	conf_must_read(FULL, &c);

	const struct setting *s = c.tms[0].options;
	static const struct setting want[] = { { (char *)(uintptr_t) "host",
						       (char *)(uintptr_t) "lab1", 17, false },
		{ (char *)(uintptr_t) "copy-limit", (char *)(uintptr_t) "2", 18, false },
		{ (char *)(uintptr_t) "env", (char *)(uintptr_t) "A=1, B=$2", 20, false },
		{ (char *)(uintptr_t) "Empty", (char *)(uintptr_t) "", 20, false } };
	ck_assert_uint_eq(c.tms[0].n_options, 4);
	for (int i = 0; i < 4; i++) {
		ck_assert_str_eq(s[i].key, want[i].key);
		ck_assert_str_eq(s[i].value, want[i].value);
		ck_assert_int_eq(s[i].line, want[i].line);
	}
	ck_assert_uint_eq(c.tms[1].n_options, 0);
	config_fini(&c);
}
END_TEST

START_TEST(an_option_given_twice_is_kept_twice_for_the_check)
{
	struct config c;

	conf_must_read(
		"spool = /s\ntask-manager a {\nplugin = null\noptions {\nk = 1\nj = 2\nk = 3 }\n"
		"options { j = 4 } }",
		&c);

	static const char *const want[] = { "k1", "j2", "k3", "j4" };
	static const int lines[] = { 5, 6, 7, 8 };
	ck_assert_uint_eq(c.tms[0].n_options, 4);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(c.tms[0].options[i].key[0], want[i][0]);
		ck_assert_int_eq(c.tms[0].options[i].value[0], want[i][1]);
		ck_assert_int_eq(c.tms[0].options[i].line, lines[i]);
	}
	config_fini(&c);
}
END_TEST

START_TEST(the_same_key_may_stand_in_several_task_managers)
{
	struct config c;

	conf_must_read(
		"spool = /s default-task-manager = a task-manager a { plugin = null options { k = "
		"1 } } task-manager b { options { k = 2 j = 3 } plugin = null }",
		&c);

	ck_assert_uint_eq(c.tms[0].n_options, 1);
	ck_assert_str_eq(c.tms[0].options[0].value, "1");
	ck_assert_uint_eq(c.tms[1].n_options, 2);
	ck_assert_str_eq(c.tms[1].options[0].value, "2");
	config_fini(&c);
}
END_TEST

START_TEST(odd_keys_in_options_are_kept_for_the_check)
{
	struct config c;

	conf_must_read(
		"spool = /s\ntask-manager a { plugin = null options { \"a|b\" = 1 \"\" = 2 } }",
		&c);

	ck_assert_uint_eq(c.tms[0].n_options, 2);
	ck_assert_str_eq(c.tms[0].options[0].key, "a|b");
	ck_assert_str_eq(c.tms[0].options[1].key, "");
	config_fini(&c);
}
END_TEST

START_TEST(variables_are_expanded_in_double_quotes_only)
{
	struct config c;
	setenv("WQ_TEST_DIR", "/from env", 1);
	unsetenv("WQ_TEST_NONE");

	conf_must_read("spool = \"${WQ_TEST_DIR}/x${WQ_TEST_NONE:-}\"\n"
		       "plugin-path = '${WQ_TEST_DIR}'\n"
		       "task-manager a { plugin = \"${WQ_TEST_NONE:-null}\"\n"
		       "options { a = ${WQ_TEST_DIR} b = \"\\${WQ_TEST_DIR}\" c = \"$x}\" } }\n",
		&c);

	ck_assert_str_eq(c.spool, "/from env/x");
	ck_assert_str_eq(c.plugin_path[0], "/etc/wq/${WQ_TEST_DIR}");
	ck_assert_str_eq(c.tms[0].plugin, "null");
	ck_assert_str_eq(c.tms[0].options[0].value, "/from env");
	ck_assert_str_eq(c.tms[0].options[1].value, "${WQ_TEST_DIR}");
	ck_assert_str_eq(c.tms[0].options[2].value, "$x}");
	config_fini(&c);
}
END_TEST

START_TEST(line_ends_of_other_systems_and_a_byte_order_mark_are_fine)
{
	struct config c;

	conf_must_read(
		"\xef\xbb\xbfspool = /s\r\n# x\r\ntask-manager a {\r\n plugin = null\r\n}\r\n", &c);

	ck_assert_str_eq(c.spool, "/s");
	ck_assert_int_eq(c.tms[0].line, 3);
	config_fini(&c);
}
END_TEST

static char *print(const struct config *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	config_print(c, f);
	fclose(f);
	return text;
}

static void assert_same(const struct config *a, const struct config *b)
{
	ck_assert_str_eq(a->spool, b->spool);
	ck_assert_str_eq(a->default_task_manager, b->default_task_manager);
	for (size_t i = 0; a->plugin_path[i] || b->plugin_path[i]; i++)
		ck_assert_str_eq(a->plugin_path[i], b->plugin_path[i]);
	ck_assert_str_eq(a->on_start, b->on_start);
	ck_assert_str_eq(a->durability, b->durability);
	ck_assert_str_eq(a->log_level, b->log_level);
	ck_assert_int_eq(a->heartbeat_interval_ns, b->heartbeat_interval_ns);
	ck_assert_int_eq(a->sample_interval_ns, b->sample_interval_ns);
	ck_assert_int_eq(a->safety_interval_ns, b->safety_interval_ns);
	ck_assert_int_eq(a->drain_limit_ns, b->drain_limit_ns);
	ck_assert_int_eq(a->request_limit, b->request_limit);
	ck_assert_int_eq(a->result_limit, b->result_limit);
	ck_assert_int_eq(a->queue_limit, b->queue_limit);
	ck_assert_int_eq(a->min_free_percent, b->min_free_percent);
	ck_assert_int_eq(a->min_free_bytes, b->min_free_bytes);
	ck_assert_int_eq(a->keep_results, b->keep_results);
	ck_assert_int_eq(a->keep_results_for_ns, b->keep_results_for_ns);
	ck_assert_int_eq(a->keep_finished_bytes, b->keep_finished_bytes);
	ck_assert_int_eq(a->keep_finished, b->keep_finished);
	ck_assert_int_eq(a->keep_finished_for_ns, b->keep_finished_for_ns);
	ck_assert_int_eq(a->shepherd_linger_ns, b->shepherd_linger_ns);
	ck_assert_uint_eq(a->n_tms, b->n_tms);
	for (size_t i = 0; i < a->n_tms; i++) {
		ck_assert_str_eq(a->tms[i].name, b->tms[i].name);
		ck_assert_str_eq(a->tms[i].plugin, b->tms[i].plugin);
		ck_assert_int_eq(a->tms[i].max_running, b->tms[i].max_running);
		ck_assert_int_eq(a->tms[i].run_limit_ns, b->tms[i].run_limit_ns);
		ck_assert_str_eq(a->tms[i].keep_work, b->tms[i].keep_work);
		ck_assert_uint_eq(a->tms[i].n_options, b->tms[i].n_options);
		for (size_t k = 0; k < a->tms[i].n_options; k++) {
			ck_assert_str_eq(a->tms[i].options[k].key, b->tms[i].options[k].key);
			ck_assert_str_eq(a->tms[i].options[k].value, b->tms[i].options[k].value);
		}
	}
}

START_TEST(free_space_is_a_percentage_a_size_or_both)
{
	static const struct {
		const char *text;
		int64_t percent, bytes;
	} cases[] = {
		{ "5%", 5, -1 },
		{ "0%", 0, -1 },
		{ "50%", 50, -1 },
		{ "0", -1, 0 },
		{ "1.5G", -1, INT64_C(3) << 29 },
		{ "'7%, 512M'", 7, 512 << 20 },
		{ "'512M,7%'", 7, 512 << 20 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[256];
		struct config c;
		snprintf(text, sizeof text, "min-free = %s\n" SMALL, cases[i].text);
		conf_must_read(text, &c);
		ck_assert_int_eq(c.min_free_percent, cases[i].percent);
		ck_assert_int_eq(c.min_free_bytes, cases[i].bytes);
		config_fini(&c);
	}
}
END_TEST

START_TEST(what_is_printed_reads_back_the_same)
{
	static const char *const texts[] = { SMALL, FULL,
		"spool = /s min-free = 3% task-manager a { plugin = b }",
		"spool = \"/s $x \\${HOME} \\\"q\\\" \\\\ ' # // \\x07 \\n \xc3\xa4\"\n"
		"heartbeat-interval = 1500ms request-limit = 1025\n"
		"task-manager a { plugin = \"dir with/sp ace.so\" options {\n"
		"a = 'x\\y{z}' b = \"two\nlines\" c = \"\\${c:-d}\" d = '\"' e = '\\'' } }\n" };
	struct config c, again;

	conf_must_read(texts[_i], &c);
	char *text = print(&c);
	conf_must_read(text, &again);

	assert_same(&c, &again);
	config_fini(&c);
	config_fini(&again);
	free(text);
}
END_TEST

START_TEST(secrets_are_not_printed)
{
	static const struct wq_option table[] = { { .name = "user", .type = WQ_T_STRING },
		{ .name = "token", .type = WQ_T_STRING, .flags = WQ_OPT_SECRET } };
	struct config c;
	conf_must_read(
		"spool = /s task-manager a { plugin = x options { user = me token = hush } }", &c);

	options_mark_secrets(table, 2, c.tms[0].options, c.tms[0].n_options);
	char *text = print(&c);

	ck_assert_ptr_nonnull(strstr(text, "user = \"me\""));
	ck_assert_ptr_nonnull(strstr(text, "token = \"***\""));
	ck_assert_ptr_null(strstr(text, "hush"));
	free(text);
	config_fini(&c);
}
END_TEST

START_TEST(the_built_in_configuration_has_no_file)
{
	struct config c;
	struct problems p = { 0 };

	ck_assert_int_eq(config_read_text(SMALL, "", "/", &c, &p), 0);
	ck_assert_str_eq(c.file, "");
	config_fini(&c);

	ck_assert_int_eq(config_read_text("", "", "/", &c, &p), -WQ_E_CONFIG);
	config_fini(&c);
	ck_assert(conf_has(&p, "the built-in configuration: spool: is required"));
	problems_fini(&p);
}
END_TEST

/* ---- files ------------------------------------------------------------------------- */

START_TEST(a_file_is_read_and_its_directory_is_the_base)
{
	char *dir = conf_mkdir();
	const char text[] = "spool = s\ntask-manager a { plugin = ./p.so }\n";
	char *path = conf_write(dir, "wq.conf", text, strlen(text));
	char want[4096];
	struct config c;
	struct problems p = { 0 };

	ck_assert_msg(config_read(path, &c, &p) == 0, "%s", conf_lines(&p));
	ck_assert_str_eq(c.file, path);
	ck_assert_str_eq(c.base_dir, dir);
	snprintf(want, sizeof want, "%s/s", dir);
	ck_assert_str_eq(c.spool, want);
	snprintf(want, sizeof want, "%s/p.so", dir);
	ck_assert_str_eq(c.tms[0].plugin, want);
	config_fini(&c);

	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_msg(config_read("./wq.conf", &c, &p) == 0, "%s", conf_lines(&p));
	ck_assert_str_eq(c.file, path);
	ck_assert_str_eq(c.base_dir, dir);
	config_fini(&c);
	ck_assert_int_eq(chdir("/"), 0);
	free(path);
	conf_rmdir(dir);
}
END_TEST

/* Read `dir`/`name`; the only problem must be "<path>: <rule>" (or "<path>:<line>: <rule>"). */
static int read_bad(const char *dir, const char *name, const char *rule)
{
	char path[4096], want[8192];
	struct config c;
	struct problems p = { 0 };
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int rc = config_read(path, &c, &p);
	config_fini(&c);
	snprintf(want, sizeof want, "%s:%s", path, rule);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_str_eq(p.lines[0], want);
	problems_fini(&p);
	return rc;
}

START_TEST(a_file_that_cannot_be_read_is_a_problem_and_a_code)
{
	char *dir = conf_mkdir(), path[4096];

	ck_assert_int_eq(
		read_bad(dir, "none", " cannot be read: No such file or directory"), -ENOENT);
	ck_assert_int_eq(read_bad(dir, ".", " is a directory, not a file"), -EISDIR);

	snprintf(path, sizeof path, "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(read_bad(dir, "fifo", " is not a regular file"), -WQ_E_CONFIG);

	char *big = calloc(1, (1 << 20) + 1);
	memset(big, '\n', (1 << 20) + 1);
	free(conf_write(dir, "big", big, (1 << 20) + 1));
	ck_assert_int_eq(read_bad(dir, "big", " is larger than 1M"), -EFBIG);
	memcpy(big, SMALL, strlen(SMALL));
	char *fits = conf_write(dir, "fits", big, 1 << 20);
	struct config c;
	struct problems p = { 0 };
	ck_assert_int_eq(config_read(fits, &c, &p), 0);
	config_fini(&c);
	free(fits);
	free(big);

	static const char nul[] = "spool = /s\n\ntask-\0manager a { plugin = null }\n";
	free(conf_write(dir, "nul", nul, sizeof nul - 1));
	ck_assert_int_eq(read_bad(dir, "nul", "3: the file holds a NUL byte"), -WQ_E_CONFIG);
	conf_rmdir(dir);
}
END_TEST

START_TEST(a_file_without_permission_is_told)
{
	bool root = geteuid() == 0;
	ck_assert(!root || seteuid(65534) == 0);
	char *dir = conf_mkdir();
	char *path = conf_write(dir, "wq.conf", SMALL, strlen(SMALL));
	ck_assert_int_eq(chmod(path, 0), 0);

	ck_assert_int_eq(read_bad(dir, "wq.conf", " cannot be read: Permission denied"), -EACCES);
	free(path);
	conf_rmdir(dir);
	ck_assert(!root || seteuid(0) == 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config/config");
	TCase *tc = tcase_create("text");
	tcase_add_test(tc, what_is_not_written_has_the_default_of_the_manual);
	tcase_add_test(tc, everything_that_is_written_arrives);
	tcase_add_test(tc, options_of_plugins_keep_their_order_and_lines);
	tcase_add_test(tc, an_option_given_twice_is_kept_twice_for_the_check);
	tcase_add_test(tc, the_same_key_may_stand_in_several_task_managers);
	tcase_add_test(tc, odd_keys_in_options_are_kept_for_the_check);
	tcase_add_test(tc, variables_are_expanded_in_double_quotes_only);
	tcase_add_test(tc, line_ends_of_other_systems_and_a_byte_order_mark_are_fine);
	tcase_add_test(tc, the_built_in_configuration_has_no_file);
	suite_add_tcase(s, tc);
	tc = tcase_create("print");
	tcase_add_loop_test(tc, what_is_printed_reads_back_the_same, 0, 4);
	tcase_add_test(tc, free_space_is_a_percentage_a_size_or_both);
	tcase_add_test(tc, secrets_are_not_printed);
	suite_add_tcase(s, tc);
	tc = tcase_create("file");
	tcase_add_test(tc, a_file_is_read_and_its_directory_is_the_base);
	tcase_add_test(tc, a_file_that_cannot_be_read_is_a_problem_and_a_code);
	tcase_add_test(tc, a_file_without_permission_is_told);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
