/* SPDX-License-Identifier: BSD-2-Clause */
/* Wrong configurations and, to the letter, what wq.conf(5), DIAGNOSTICS, says of them. */
#include "support/config/conf.h"

#include "base/err.h"

#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define SPOOL "spool = \"/s\"\n"
#define GOOD  "task-manager \"a\" { plugin = null }\n"

#define NUMBER   "must be a number of 1 to 100000"
#define MILLION  "must be a number of 0 to 1000000"
#define FROM_ONE "must be a number of 1 to 1000000"
#define FREE     "must be a percentage of 0% to 50%, a size, or one of each, \"5%, 1G\""
#define SECOND   "must be a duration of 1s or more"
#define UNITS    ", with its unit (ns us ms s m h d)"
#define KILO     "must be a size of 1K to 16M"
#define WORDS    "must be one of 'finished', 'failed', 'never'"
#define BYTES    ", in bytes or with K, M, G or T"
#define NAMED                                                                                      \
	"must be named by a lower-case letter, then lower-case letters, digits or '-', at most "   \
	"32 in all"
#define A        "task-manager 'a'"
#define TM(body) SPOOL "task-manager \"a\" {\nplugin = null\n" body "\n}\n"

static const struct wrong {
	const char *text;
	const char *lines[6]; /* all of them, in any order */
} wrong[] = {
	/* names */
	{ SPOOL "color = red\n" GOOD, { "wq.conf:2: color = 'red': unknown key" } },
	{ "spol = /s\n" GOOD, { "wq.conf:1: spol = '/s': unknown key; did you mean 'spool'?",
				      "wq.conf: spool: is required" } },
	{ SPOOL "log-levle = debug\n" GOOD,
		{ "wq.conf:2: log-levle = 'debug': unknown key; did you mean 'log-level'?" } },
	{ TM("max-runing = 2"),
		{ "wq.conf:4: " A
		  ": max-runing = '2': unknown key; did you mean 'max-running'?" } },
	{ TM("order = per-key"), { "wq.conf:4: " A ": order = 'per-key': unknown key" } },
	{ SPOOL "Spool = /t\n" GOOD,
		{ "wq.conf:2: Spool = '/t': unknown key; did you mean 'spool'?" } },
	{ SPOOL "colors = { red, blue }\n" GOOD, { "wq.conf:2: colors = 'red': unknown key" } },
	{ SPOOL "colors = {}\n" GOOD, { "wq.conf:2: colors: unknown key" } },
	{ SPOOL "colors += red\n" GOOD, { "wq.conf:2: colors = 'red': unknown key" } },
	{ SPOOL "limits {\n a = 1\n b = 2 }\n" GOOD, { "wq.conf:2: limits: unknown section" } },
	{ SPOOL "task-managr \"b\" {\n plugin = null }\n" GOOD,
		{ "wq.conf:2: task-managr: unknown section; did you mean 'task-manager'?" } },
	{ SPOOL "\ntask-managers \"b\" { plugin = null }\n",
		{ "wq.conf:3: task-managers: unknown section; did you mean 'task-manager'?" } },
	{ TM("option { a = 1 }"),
		{ "wq.conf:4: " A ": option: unknown section; did you mean 'options'?" } },
	{ TM("throttle { load-average = 8.0 }"),
		{ "wq.conf:4: " A ": throttle: unknown section" } },
	{ SPOOL "options { a = 1 }\n" GOOD, { "wq.conf:2: options: unknown section" } },
	{ SPOOL "include(\"/etc/passwd\")\n" GOOD, { "wq.conf:2: include: unknown section" } },
	{ SPOOL "\"a|b\" = 1\n" GOOD, { "wq.conf:2: no sub-section title/index for 'a'" } },
	{ SPOOL "\"\" = 1\n" GOOD, { "wq.conf:2: syntax error" } },
	/* the top level */
	{ GOOD, { "wq.conf: spool: is required" } },
	{ "spool = \"\"\n" GOOD, { "wq.conf:1: spool = '': must be a path and not empty" } },
	{ SPOOL SPOOL GOOD, { "wq.conf:2: spool = '/s': given twice, first in line 1" } },
	{ SPOOL "log-level = loud\n" GOOD,
		{ "wq.conf:2: log-level = 'loud': must be one of 'err', 'warn', 'notice', 'info', "
		  "'debug'" } },
	{ SPOOL "log-level = debgu\n" GOOD,
		{ "wq.conf:2: log-level = 'debgu': must be one of 'err', 'warn', 'notice', 'info', "
		  "'debug'; did you mean 'debug'?" } },
	{ SPOOL "on-start = Wipe\n" GOOD,
		{ "wq.conf:2: on-start = 'Wipe': must be one of 'recover', 'wipe'; did you mean "
		  "'wipe'?" } },
	{ SPOOL "durability = full\n" GOOD,
		{ "wq.conf:2: durability = 'full': must be one of 'none', 'batch', 'strict'" } },
	{ SPOOL "heartbeat-interval = 10\n" GOOD,
		{ "wq.conf:2: heartbeat-interval = '10': " SECOND UNITS } },
	{ SPOOL "heartbeat-interval = -1s\n" GOOD,
		{ "wq.conf:2: heartbeat-interval = '-1s': " SECOND UNITS } },
	{ SPOOL "safety-interval = \"1 s\"\n" GOOD,
		{ "wq.conf:2: safety-interval = '1 s': " SECOND UNITS } },
	{ SPOOL "safety-interval = 999ms\n" GOOD,
		{ "wq.conf:2: safety-interval = '999ms': " SECOND } },
	{ SPOOL "sample-interval = 9ms\n" GOOD,
		{ "wq.conf:2: sample-interval = '9ms': must be a duration of 10ms or more" } },
	{ SPOOL "drain-limit = 1y\n" GOOD,
		{ "wq.conf:2: drain-limit = '1y': must be a duration" UNITS } },
	{ SPOOL "drain-limit = 200000d\n" GOOD,
		{ "wq.conf:2: drain-limit = '200000d': must be a duration" } },
	{ SPOOL "request-limit = 1023\n" GOOD, { "wq.conf:2: request-limit = '1023': " KILO } },
	{ SPOOL "request-limit = 17M\n" GOOD, { "wq.conf:2: request-limit = '17M': " KILO } },
	{ SPOOL "result-limit = 1MB\n" GOOD, { "wq.conf:2: result-limit = '1MB': " KILO BYTES } },
	{ SPOOL "queue-limit = 0\n" GOOD, { "wq.conf:2: queue-limit = '0': " FROM_ONE } },
	{ SPOOL "queue-limit = 1000001\n" GOOD,
		{ "wq.conf:2: queue-limit = '1000001': " FROM_ONE } },
	{ SPOOL "keep-results = 0\n" GOOD, { "wq.conf:2: keep-results = '0': " FROM_ONE } },
	{ SPOOL "keep-results = 1000001\n" GOOD,
		{ "wq.conf:2: keep-results = '1000001': " FROM_ONE } },
	{ SPOOL "keep-results-for = 7\n" GOOD,
		{ "wq.conf:2: keep-results-for = '7': must be a duration" UNITS } },
	{ SPOOL "keep-finished-bytes = 1Gi\n" GOOD,
		{ "wq.conf:2: keep-finished-bytes = '1Gi': must be a size" BYTES } },
	{ SPOOL "min-free = ''\n" GOOD, { "wq.conf:2: min-free = '': " FREE } },
	{ SPOOL "min-free = 51%\n" GOOD, { "wq.conf:2: min-free = '51%': " FREE } },
	{ SPOOL "min-free = 100%\n" GOOD, { "wq.conf:2: min-free = '100%': " FREE } },
	{ SPOOL "min-free = 5\\%\n" GOOD, { "wq.conf:2: min-free = '5\\%': " FREE } },
	{ SPOOL "min-free = %\n" GOOD, { "wq.conf:2: min-free = '%': " FREE } },
	{ SPOOL "min-free = '5 %'\n" GOOD, { "wq.conf:2: min-free = '5 %': " FREE } },
	{ SPOOL "min-free = '1.5%'\n" GOOD, { "wq.conf:2: min-free = '1.5%': " FREE } },
	{ SPOOL "min-free = -1%\n" GOOD, { "wq.conf:2: min-free = '-1%': " FREE } },
	{ SPOOL "min-free = much\n" GOOD, { "wq.conf:2: min-free = 'much': " FREE } },
	{ SPOOL "min-free = '5%,6%'\n" GOOD, { "wq.conf:2: min-free = '5%,6%': " FREE } },
	{ SPOOL "min-free = '1G, 2G'\n" GOOD, { "wq.conf:2: min-free = '1G, 2G': " FREE } },
	{ SPOOL "keep-finished = -1\n" GOOD, { "wq.conf:2: keep-finished = '-1': " MILLION } },
	{ SPOOL "keep-finished = 1000001\n" GOOD,
		{ "wq.conf:2: keep-finished = '1000001': " MILLION } },
	{ SPOOL "keep-finished = 7d\n" GOOD, { "wq.conf:2: keep-finished = '7d': " MILLION } },
	{ SPOOL "keep-finished-for = 7\n" GOOD,
		{ "wq.conf:2: keep-finished-for = '7': must be a duration" UNITS } },
	{ SPOOL "keep-finished-for = 0\n" GOOD,
		{ "wq.conf:2: keep-finished-for = '0': must be a duration" UNITS } },
	{ SPOOL "shepherd-linger = -1s\n" GOOD,
		{ "wq.conf:2: shepherd-linger = '-1s': must be a duration" UNITS } },
	{ SPOOL "keep-work = never\n" GOOD, { "wq.conf:2: keep-work = 'never': unknown key" } },
	{ SPOOL "plugin-path = \"/a,,/b\"\n" GOOD,
		{ "wq.conf:2: plugin-path = '/a,,/b': must be a list, \"a, b, c\", without empty "
		  "entries" } },
	/* task managers */
	{ SPOOL, { "wq.conf: task-manager: at least one such section is required" } },
	{ "", { "wq.conf: spool: is required",
		      "wq.conf: task-manager: at least one such section is required" } },
	{ SPOOL "\ntask-manager \"a\" { }\n", { "wq.conf:3: " A ": plugin: is required" } },
	{ SPOOL "task-manager \"a\" {\n plugin = \"\" }\n",
		{ "wq.conf:3: " A
		  ": plugin = '': must be the name of a plugin, or a path with a '/' to "
		  "its .so" } },
	{ SPOOL "task-manager \"a\" { plugin = null.so }\n",
		{ "wq.conf:2: " A
		  ": plugin = 'null.so': must be the name of a plugin, or a path with "
		  "a '/' to its .so" } },
	{ TM("max-running = 0"), { "wq.conf:4: " A ": max-running = '0': " NUMBER } },
	{ TM("max-running = -1"), { "wq.conf:4: " A ": max-running = '-1': " NUMBER } },
	{ TM("max-running = many"), { "wq.conf:4: " A ": max-running = 'many': " NUMBER } },
	{ TM("max-running = 100001"), { "wq.conf:4: " A ": max-running = '100001': " NUMBER } },
	{ TM("max-running = 99999999999999999999"),
		{ "wq.conf:4: " A ": max-running = '99999999999999999999': " NUMBER } },
	{ TM("max-running = 1.5"), { "wq.conf:4: " A ": max-running = '1.5': " NUMBER } },
	{ TM("max-running = 0x10"), { "wq.conf:4: " A ": max-running = '0x10': " NUMBER } },
	{ TM("max-running = ''"), { "wq.conf:4: " A ": max-running = '': " NUMBER } },
	{ TM("max-running = 1\n\nmax-running = 2"),
		{ "wq.conf:6: " A ": max-running = '2': given twice, first in line 4" } },
	{ TM("run-limit = 10"),
		{ "wq.conf:4: " A ": run-limit = '10': must be a duration" UNITS } },
	{ TM("run-limit = none"),
		{ "wq.conf:4: " A ": run-limit = 'none': must be a duration" UNITS } },
	{ TM("runlimit = 1s"),
		{ "wq.conf:4: " A ": runlimit = '1s': unknown key; did you mean 'run-limit'?" } },
	{ TM("keep-work = fail"), { "wq.conf:4: " A ": keep-work = 'fail': " WORDS } },
	{ TM("keep-work = Never"),
		{ "wq.conf:4: " A ": keep-work = 'Never': " WORDS "; did you mean 'never'?" } },
	{ TM("keep-finished = 5"), { "wq.conf:4: " A ": keep-finished = '5': unknown key" } },
	{ SPOOL "default-task-manager = a\n" GOOD GOOD,
		{ "wq.conf:4: " A ": is there twice, first in line 3" } },
	{ SPOOL "task-manager \"Lab\" { plugin = null }\n",
		{ "wq.conf:2: task-manager 'Lab': " NAMED } },
	{ SPOOL "task-manager \"a/b\" { plugin = null }\n",
		{ "wq.conf:2: task-manager 'a/b': " NAMED } },
	{ SPOOL "task-manager \"\" { plugin = null }\n", { "wq.conf:2: task-manager '': " NAMED } },
	{ SPOOL "task-manager \"1a\" { plugin = null }\n",
		{ "wq.conf:2: task-manager '1a': " NAMED } },
	{ SPOOL "task-manager \"a23456789-123456789-123456789-123\" { plugin = null }\n",
		{ "wq.conf:2: task-manager 'a23456789-123456789-123456789-123': " NAMED } },
	{ SPOOL "default-task-manager = buidl\ntask-manager \"build\" { plugin = null }\n",
		{ "wq.conf:2: default-task-manager = 'buidl': must be the name of a task manager "
		  "in "
		  "this file; did you mean 'build'?" } },
	{ SPOOL "default-task-manager = zzz\n" GOOD, { "wq.conf:2: default-task-manager = 'zzz': "
						       "must be the name of a task manager in this "
						       "file" } },
	{ SPOOL GOOD "task-manager b { plugin = null }\n",
		{ "wq.conf: default-task-manager: is required where there are several task "
		  "managers" } },
	/* syntax */
	{ SPOOL "log-level = \"info\n" GOOD,
		{ "wq.conf:3: the text that begins here has no closing quote" } },
	{ "# a\nspool = \"/s\n", { "wq.conf:2: the text that begins here has no closing quote" } },
	{ "spool = '/s\n", { "wq.conf:1: the text that begins here has no closing quote" } },
	{ SPOOL "/* a\n" GOOD, { "wq.conf:2: the comment that begins here has no end" } },
	{ SPOOL "\ntask-manager \"a\" {\n plugin = null\n",
		{ "wq.conf:3: the brace that opens here is not closed" } },
	{ SPOOL GOOD "}\n", { "wq.conf:3: unexpected closing brace" } },
	{ SPOOL "task-manager { plugin = null }\n",
		{ "wq.conf:2: missing title for section 'task-manager'" } },
	{ SPOOL "task-manager = x\n", { "wq.conf:2: missing title for section 'task-manager'" } },
	{ TM("options = 1"), { "wq.conf:4: " A ": missing opening brace for section 'options'" } },
	{ "spool \"/s\"\n" GOOD, { "wq.conf:1: missing equal sign after option 'spool'" } },
	{ "spool = { /s }\n" GOOD,
		{ "wq.conf:1: unexpected token '{'; a list is one text, \"a, b, c\"" } },
	{ "spool += /s\n" GOOD, { "wq.conf:1: attempt to append to non-list option 'spool'" } },
	{ TM("options {\n a = { 1, 2 } }"),
		{ "wq.conf:5: " A
		  " options: unexpected token '{'; a list is one text, \"a, b, c\"" } },
	{ TM("options { a { b = 1 } }"),
		{ "wq.conf:4: " A " options: missing equal sign after option 'a'" } },
	{ TM("max-running = *4"), { "wq.conf:4: a text with '*' in it must stand in quotes" } },
	{ TM("max-running = +4"), { "wq.conf:4: a text with '+' in it must stand in quotes" } },
	{ "spool = ${HOME}/s\n" GOOD,
		{ "wq.conf:1: a text with a variable in it must stand in double quotes" } },
	{ "spool = /x${HOME}\n" GOOD,
		{ "wq.conf:1: a text with a variable in it must stand in double quotes" } },
	{ "spool = \"${WQ_TEST_UNSET}/s\"\n" GOOD,
		{ "wq.conf:1: the variable 'WQ_TEST_UNSET' is not set; '${WQ_TEST_UNSET:-}' is "
		  "empty where it is not" } },
	{ "spool = \"${HOME\"\n" GOOD, { "wq.conf:1: '${' begins a variable, '${NAME}' or "
					 "'${NAME:-text}'; write '\\${' in "
					 "double quotes for the text" } },
	{ "spool = \"/a\\0b\"\n" GOOD, { "wq.conf:1: a text cannot hold a NUL byte" } },
	{ "spool = \"/a\\x00b\"\n" GOOD, { "wq.conf:1: a text cannot hold a NUL byte" } },
	{ "\nspool = \"/a\\777\"\n" GOOD, { "wq.conf:2: invalid octal number '\\777'" } },
	{ "spool = \"/a\\999\"\n" GOOD, { "wq.conf:1: bad escape sequence '\\999'" } },
	/* several at once, and lines that comments do not shift */
	{ "# one\n/* two\n three */\nspol = /s // four\ntask-manager \"a\" {\n max-running = 0 # "
	  "six\n"
	  " plugn = null\n}\ntask-manager \"B\" { plugin = null }\ndurability = fast\n",
		{ "wq.conf:4: spol = '/s': unknown key; did you mean 'spool'?",
			"wq.conf: spool: is required",
			"wq.conf:10: durability = 'fast': must be one of 'none', 'batch', 'strict'",
			"wq.conf:6: " A ": max-running = '0': " NUMBER,
			"wq.conf:7: " A ": plugn = 'null': unknown key; did you mean 'plugin'?" } },
	{ "a = 1\nb = 2\nc {}\nd x {}\ntask-manager a { e = 5\nf {} plugin = null }",
		{ "wq.conf:1: a = '1': unknown key", "wq.conf:2: b = '2': unknown key",
			"wq.conf:3: c: unknown section", "wq.conf:4: d: unknown section",
			"wq.conf:5: " A ": e = '5': unknown key",
			"wq.conf:6: " A ": f: unknown section" } },
	{ "spool = \"/a\\x1b[31m\nb\\\"\"\nspool = 1\n" GOOD,
		{ "wq.conf:3: spool = '1': given twice, first in line 2" } },
	{ SPOOL "log-level = \"\\x1b[2J\"\n" GOOD, { "wq.conf:2: log-level = '\\x1b[2J': must be "
						     "one of 'err', 'warn', 'notice', 'info', "
						     "'debug'" } },
};
enum {
	N_WRONG = sizeof wrong / sizeof *wrong
};

START_TEST(each_wrong_configuration_is_told_exactly)
{
	const struct wrong *w = &wrong[_i];
	struct problems p = { 0 };
	struct config c;

	int rc = conf_read(w->text, &c, &p);
	config_fini(&c);

	ck_assert_msg(rc == -WQ_E_CONFIG, "%d: accepted:\n%s", rc, w->text);
	for (int i = 0; i < 6 && w->lines[i]; i++)
		ck_assert_msg(conf_has(&p, w->lines[i]), "not told: %s\nbut %s\nof:\n%s",
			w->lines[i], conf_lines(&p), w->text);
	problems_fini(&p);
}
END_TEST

/* One problem leads to no others, save where the table says so. */
START_TEST(nothing_else_is_told)
{
	const struct wrong *w = &wrong[_i];
	struct problems p = { 0 };
	struct config c;
	size_t n = 0;
	while (n < 6 && w->lines[n])
		n++;
	if (n >= 5)
		return; /* more than the table holds */

	conf_read(w->text, &c, &p);
	config_fini(&c);

	ck_assert_msg(p.n == n, "%s\nof:\n%s", conf_lines(&p), w->text);
	problems_fini(&p);
}
END_TEST

START_TEST(a_failure_inside_a_text_does_not_spoil_the_next_file)
{
	static const char *const bad[] = { "spool = \"/a\\777", "spool = \"/a\\777\"\n",
		"spool = '", "/* x", "spool = \"\\999 ' */" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct problems p = { 0 };
		struct config c;
		ck_assert_int_eq(conf_read(bad[i], &c, &p), -WQ_E_CONFIG);
		config_fini(&c);
		problems_fini(&p);

		conf_must_read(SPOOL GOOD, &c);
		ck_assert_str_eq(c.spool, "/s");
		config_fini(&c);
	}
}
END_TEST

/* libconfuse comes with translations. */
START_TEST(messages_do_not_depend_on_the_locale)
{
	setenv("LANGUAGE", "de", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	setlocale(LC_ALL, "");
	struct problems p = { 0 };
	struct config c;

	ck_assert_int_eq(conf_read("spol = /s\n" GOOD, &c, &p), -WQ_E_CONFIG);
	config_fini(&c);

	ck_assert(conf_has(&p, "wq.conf:1: spol = '/s': unknown key; did you mean 'spool'?"));
	problems_fini(&p);
}
END_TEST

START_TEST(a_thousand_problems_are_a_bounded_list)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	fputs(SPOOL GOOD, f);
	for (int i = 0; i < 4000; i++)
		fputs("spool = /t\n", f);
	fclose(f);
	struct problems p = { 0 };
	struct config c;

	ck_assert_int_eq(conf_read(text, &c, &p), -WQ_E_CONFIG);
	config_fini(&c);

	ck_assert_uint_eq(p.n, PROBLEMS_MAX);
	ck_assert_str_eq(p.lines[PROBLEMS_MAX - 1], "there are more problems than are shown here");
	problems_fini(&p);
	free(text);
}
END_TEST

START_TEST(a_flood_of_unknown_names_ends)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	fputs(SPOOL GOOD, f);
	for (int i = 0; i < 4000; i++)
		fprintf(f, "key%d = 1\n", i);
	fclose(f);
	struct problems p = { 0 };
	struct config c;

	ck_assert_int_eq(conf_read(text, &c, &p), -WQ_E_CONFIG);
	config_fini(&c);

	ck_assert(conf_has(&p, "wq.conf:3: key0: unknown key"));
	ck_assert(conf_has(
		&p, "wq.conf: too many unknown names; the rest of the file was not looked at"));
	problems_fini(&p);
	free(text);
}
END_TEST

START_TEST(a_flood_of_options_ends)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	fputs(SPOOL "task-manager \"a\" { plugin = null options {\n", f);
	for (int i = 0; i < 2000; i++)
		fprintf(f, "key%d = 1\n", i);
	fputs("} }", f);
	fclose(f);
	struct problems p = { 0 };
	struct config c;

	ck_assert_int_eq(conf_read(text, &c, &p), -WQ_E_CONFIG);
	config_fini(&c);

	ck_assert_msg(strstr(conf_lines(&p), ": too many different keys in this file"), "%s",
		conf_lines(&p));
	problems_fini(&p);
	free(text);
}
END_TEST

START_TEST(too_many_settings_or_task_managers_are_refused)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	for (int i = 0; i < 5001; i++)
		fputs("spool = /t\n", f);
	fclose(f);
	struct problems p = { 0 };
	struct config c;
	ck_assert_int_eq(conf_read(text, &c, &p), -WQ_E_CONFIG);
	config_fini(&c);
	ck_assert(conf_has(&p, "wq.conf:5001: more than 5000 settings"));
	problems_fini(&p);
	free(text);

	f = open_memstream(&text, &len);
	fputs(SPOOL "default-task-manager = a0\n", f);
	for (int i = 0; i < 257; i++)
		fprintf(f, "task-manager a%d { plugin = null }\n", i);
	fclose(f);
	ck_assert_int_eq(conf_read(text, &c, &p), -WQ_E_CONFIG);
	config_fini(&c);
	ck_assert_msg(conf_has(&p, "wq.conf:259: too many task managers in this file"), "%s",
		conf_lines(&p));
	problems_fini(&p);
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config/wrong");
	TCase *tc = tcase_create("messages");
	tcase_add_loop_test(tc, each_wrong_configuration_is_told_exactly, 0, N_WRONG);
	tcase_add_loop_test(tc, nothing_else_is_told, 0, N_WRONG);
	tcase_add_test(tc, a_failure_inside_a_text_does_not_spoil_the_next_file);
	tcase_add_test(tc, messages_do_not_depend_on_the_locale);
	suite_add_tcase(s, tc);
	tc = tcase_create("bounds");
	tcase_add_test(tc, a_thousand_problems_are_a_bounded_list);
	tcase_add_test(tc, a_flood_of_unknown_names_ends);
	tcase_add_test(tc, a_flood_of_options_ends);
	tcase_add_test(tc, too_many_settings_or_task_managers_are_refused);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
