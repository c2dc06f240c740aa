/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plugin fork-exec: which requests it takes, what it runs for them, and what it says of others.
 */
#include "fork_exec.h"

#include <limits.h>

static struct fx fx; /* each test has a process of its own */

static void setup(void)
{
	(void)setenv("PATH", "/bin:/usr/bin", 1);
	(void)setenv("HOME", "/home/wq", 1);
	(void)setenv("WQ_TEST_SECRET", "s", 1);
	(void)unsetenv("LC_ALL");
}

static const struct wq_limit *limit_of(const struct fake_child *c, int resource)
{
	for (uint32_t i = 0; i < c->what.n_limits; i++)
		if (c->what.limits[i].resource == resource)
			return &c->what.limits[i];
	return NULL;
}

static int n_words(const char *const *words)
{
	int n = 0;
	while (words[n])
		n++;
	return n;
}

/* ---- what it runs ---------------------------------------------------------------------------- */

START_TEST(argv_is_run_as_it_is_without_a_shell)
{
	fx_open(&fx, NULL);

	const struct fake_child *c = fx_start(&fx, "{'argv': ['echo', '', '$HOME *']}");

	ck_assert_int_eq(n_words(c->what.argv), 3);
	ck_assert_str_eq(c->what.argv[0], "echo");
	ck_assert_str_eq(c->what.argv[1], "");
	ck_assert_str_eq(c->what.argv[2], "$HOME *");
	ck_assert_str_eq(c->what.label, "");
	ck_assert_ptr_null(c->what.dir);
	ck_assert_ptr_null(c->what.dirs_allowed);
	ck_assert_uint_eq(c->what.input.len, 0);
	ck_assert_uint_eq(c->what.flags, 0);
	ck_assert_uint_eq(c->what.umask, 022);
	ck_assert_int_eq(c->what.nice, 0);
	ck_assert_uint_eq(c->what.n_limits, 0);
	ck_assert_uint_eq(c->what.processes, 0);
	ck_assert_uint_eq(c->what.grace_ms, 10000);
	ck_assert_uint_eq(c->what.out_limit, 16 << 20);
	ck_assert_uint_eq(c->what.err_limit, 16 << 20);
	fx_close(&fx);
}
END_TEST

START_TEST(shell_is_run_by_the_shell_with_c)
{
	fx_open(&fx, NULL);
	const struct fake_child *c = fx_start(&fx, "{'shell': 'echo a | wc'}");
	ck_assert_int_eq(n_words(c->what.argv), 3);
	ck_assert_str_eq(c->what.argv[0], "/bin/sh");
	ck_assert_str_eq(c->what.argv[1], "-c");
	ck_assert_str_eq(c->what.argv[2], "echo a | wc");
	fx_close(&fx);

	fx_open(&fx, "shell=/bin/bash", NULL);
	ck_assert_str_eq(fx_start(&fx, "{'shell': ''}")->what.argv[0], "/bin/bash");
	fx_close(&fx);
}
END_TEST

START_TEST(words_may_be_bytes_that_are_no_utf8)
{
	fx_open(&fx, NULL);

	const struct fake_child *c = fx_start(&fx,
		"{'argv': [h'6c73', h'ff20fe'], 'dir': h'2fff', 'env': {h'41ff': h'fe', 'B': "
		"h'c3a9'}}");

	ck_assert_str_eq(c->what.argv[0], "ls");
	ck_assert_str_eq(c->what.argv[1], "\xff \xfe");
	ck_assert_str_eq(c->what.dir, "/\xff");
	ck_assert_str_eq(fake_env(c, "A\xff"), "\xfe");
	ck_assert_str_eq(fake_env(c, "B"), "\xc3\xa9");
	fx_close(&fx);
}
END_TEST

START_TEST(each_key_reaches_the_child)
{
	fx_open(&fx, NULL);

	const struct fake_child *c = fx_start(&fx,
		"{'argv': ['cat'], 'dir': '/tmp', 'umask': 63, 'nice': 19, 'stdin': h'610062', "
		"'x-note': {'anything': [1, null]}}");

	ck_assert_str_eq(c->what.dir, "/tmp");
	ck_assert_uint_eq(c->what.umask, 077);
	ck_assert_int_eq(c->what.nice, 19);
	ck_assert_uint_eq(c->what.input.len, 3);
	ck_assert_mem_eq(c->what.input.ptr, "a\0b", 3);
	c = fx_start(&fx, "{'stdin': 'text', 'shell': 'cat'}");
	ck_assert_mem_eq(c->what.input.ptr, "text", 4);
	fx_close(&fx);
}
END_TEST

START_TEST(a_self_described_map_is_a_request_too)
{
	struct wq_cbor_out o;
	struct wq_err err = { 0 };
	fx_open(&fx, NULL);
	wq_cbor_out_init(&o);
	wq_cbor_put_tag(&o, 55799);
	(void)fx_put(&o, "{'shell': 'true'}");

	ck_assert_int_eq(fake_start(&fx.fake, &o, NULL, &err), WQ_OK);

	fx_close(&fx);
}
END_TEST

/* ---- environment ----------------------------------------------------------------------------- */

START_TEST(the_environment_has_what_is_passed_and_nothing_else)
{
	fx_open(&fx, NULL);
	const struct fake_child *c = fx_start(&fx, "{'shell': 'env'}");
	ck_assert_str_eq(fake_env(c, "PATH"), "/bin:/usr/bin");
	ck_assert_str_eq(fake_env(c, "HOME"), "/home/wq");
	ck_assert_ptr_null(fake_env(c, "LC_ALL"));
	ck_assert_ptr_null(fake_env(c, "WQ_TEST_SECRET"));
	fx_close(&fx);

	fx_open(&fx, "pass-environment=WQ_TEST_SECRET, LC_ALL", NULL);
	c = fx_start(&fx, "{'shell': 'env'}");
	ck_assert_int_eq(n_words(c->what.env), 1);
	ck_assert_str_eq(c->what.env[0], "WQ_TEST_SECRET=s");
	fx_close(&fx);

	fx_open(&fx, "pass-environment=", NULL);
	ck_assert_int_eq(n_words(fx_start(&fx, "{'shell': 'env'}")->what.env), 0);
	fx_close(&fx);
}
END_TEST

START_TEST(the_environment_of_a_request_wins)
{
	fx_open(&fx, "pass-environment=PATH, HOME", NULL);

	const struct fake_child *c = fx_start(&fx,
		"{'shell': 'env', 'env': {'PATHS': 'x=y', 'PATH': '/opt', 'P': '', 'A': 'b'}}");

	ck_assert_int_eq(n_words(c->what.env), 5);
	ck_assert_str_eq(fake_env(c, "PATH"), "/opt");
	ck_assert_str_eq(fake_env(c, "PATHS"), "x=y");
	ck_assert_str_eq(fake_env(c, "P"), "");
	ck_assert_str_eq(fake_env(c, "A"), "b");
	ck_assert_str_eq(fake_env(c, "HOME"), "/home/wq");
	/* It is not remembered. */
	ck_assert_str_eq(fake_env(fx_start(&fx, "{'shell': ''}"), "PATH"), "/bin:/usr/bin");
	fx_close(&fx);
}
END_TEST

START_TEST(the_environment_of_a_request_may_be_all_of_it)
{
	fx_open(&fx, "pass-environment=PATH, HOME", NULL);

	const struct fake_child *c =
		fx_start(&fx, "{'shell': 'env', 'env': {'A': 'b'}, 'pass-environment': false}");
	ck_assert_int_eq(n_words(c->what.env), 1);
	ck_assert_str_eq(fake_env(c, "A"), "b");

	c = fx_start(&fx, "{'shell': 'env', 'pass-environment': false}");
	ck_assert_int_eq(n_words(c->what.env), 0);
	c = fx_start(&fx, "{'shell': 'env', 'pass-environment': true}");
	ck_assert_int_eq(n_words(c->what.env), 2);
	fx_close(&fx);
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

static const struct {
	const char *key, *option;
	int resource;
	uint64_t of_option;
} limits[] = {
	{ "cpu", "limit-cpu=100s", RLIMIT_CPU, 100 },
	{ "memory", "limit-memory=64M", RLIMIT_AS, 64 << 20 },
	{ "file-size", "limit-file-size=1M", RLIMIT_FSIZE, 1 << 20 },
	{ "open-files", "limit-open-files=64", RLIMIT_NOFILE, 64 },
	{ "processes", "limit-processes=50", RLIMIT_NPROC, 50 },
	{ "core", "limit-core=4K", RLIMIT_CORE, 4096 },
};

START_TEST(a_request_may_set_each_limit_and_lower_that_of_the_task_manager)
{
	char request[128], text[160];
	fx_open(&fx, NULL);
	(void)snprintf(
		request, sizeof(request), "{'shell': '', 'limits': {'%s': 40}}", limits[_i].key);
	const struct fake_child *c = fx_start(&fx, request);
	ck_assert_uint_eq(c->what.n_limits, 1);
	ck_assert_int_eq(c->what.limits[0].resource, limits[_i].resource);
	ck_assert_uint_eq(c->what.limits[0].value, 40);
	ck_assert_uint_eq(c->what.processes, limits[_i].resource == RLIMIT_NPROC ? 40 : 0);
	fx_close(&fx);

	fx_open(&fx, limits[_i].option, NULL);
	c = fx_start(&fx, "{'shell': ''}");
	ck_assert_uint_eq(c->what.n_limits, 1);
	ck_assert_int_eq(c->what.limits[0].resource, limits[_i].resource);
	ck_assert_uint_eq(c->what.limits[0].value, limits[_i].of_option);
	c = fx_start(&fx, request);
	ck_assert_uint_eq(c->what.n_limits, 1);
	ck_assert_uint_eq(c->what.limits[0].value, 40);
	(void)snprintf(request, sizeof(request), "{'shell': '', 'limits': {'%s': %llu}}",
		limits[_i].key, (unsigned long long)limits[_i].of_option + 1);
	(void)snprintf(text, sizeof(text), "this task manager allows at most %llu ",
		(unsigned long long)limits[_i].of_option);
	struct wq_err err = { 0 };
	ck_assert_int_eq(fake_validate(&fx.fake, fx_cbor(request), &err), WQ_REJECT);
	ck_assert_str_eq(err.name, "not-allowed");
	ck_assert_ptr_nonnull(strstr(err.text, text));
	fx_close(&fx);
}
END_TEST

START_TEST(all_limits_together)
{
	fx_open(&fx, "limit-cpu=1500ms", "limit-core=0", "limit-memory=0", NULL);

	const struct fake_child *c = fx_start(&fx,
		"{'shell': '', 'limits': {'memory': 1000000000, 'open-files': 20, 'processes': 7, "
		"'file-size': 0}}");

	ck_assert_uint_eq(c->what.n_limits, 6);
	ck_assert_uint_eq(limit_of(c, RLIMIT_CPU)->value, 2);
	ck_assert_uint_eq(limit_of(c, RLIMIT_CORE)->value, 0);
	ck_assert_uint_eq(limit_of(c, RLIMIT_AS)->value, 1000000000);
	ck_assert_uint_eq(limit_of(c, RLIMIT_NOFILE)->value, 20);
	ck_assert_uint_eq(limit_of(c, RLIMIT_FSIZE)->value, 0);
	ck_assert_uint_eq(c->what.processes, 7);
	fx_refused(&fx, "{'shell': '', 'limits': {'core': 1}}", "not-allowed",
		"'limits': 'core' is 1; this task manager allows at most 0 bytes");
	fx_close(&fx);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------- */

#define KNOWN "known are: argv, shell, dir, env, pass-environment, umask, stdin, nice, limits"
#define WORD  "a text, or a byte string, without NUL"

static const struct {
	const char *request, *text;
} refused[] = {
	{ "null", "the payload is null; it must be a map with the key 'argv' or 'shell'" },
	{ "['ls']", "the payload is an array; it must be a map with the key 'argv' or 'shell'" },
	{ "'ls'", "the payload is 'ls'; it must be a map with the key 'argv' or 'shell'" },
	{ "{}", "the command has neither 'argv' nor 'shell'; it must have one of them" },
	{ "{'argv': ['a'], 'shell': 'a'}",
		"the command has both 'argv' and 'shell'; it must have one of them" },
	{ "{'shell': 'a', 'argv': ['a']}",
		"the command has both 'argv' and 'shell'; it must have one of them" },
	{ "{'agrv': ['a']}", "the command has the unknown key 'agrv'; " KNOWN },
	{ "{'shell': 'a', 1: 2}", "the command has the unknown key 1; " KNOWN },
	{ "{'shell': 'a', {'b': 1}: 2}", "the command has the unknown key a map; " KNOWN },
	{ "{'shell': 'a', h'646972': '/'}", "the command has the unknown key 'dir'; " KNOWN },
	{ "{'shell': 'a', 'shell': 'b'}", "the command has the key 'shell' twice" },
	{ "{'argv': []}",
		"'argv' is an empty array; it must be an array that has the program and its "
		"arguments" },
	{ "{'argv': 'ls'}",
		"'argv' is 'ls'; it must be an array that has the program and its arguments" },
	{ "{'argv': ['']}", "'argv', word 0, is ''; it must be a program" },
	{ "{'argv': ['ls', 5]}", "'argv', word 1, is 5; it must be " WORD },
	{ "{'argv': ['ls', ['a']]}", "'argv', word 1, is an array; it must be " WORD },
	{ "{'argv': ['ls', h'610062']}", "'argv', word 1, is 'a?b'; it must be " WORD },
	{ "{'shell': true}", "'shell' is true; it must be " WORD },
	{ "{'shell': h'00'}", "'shell' is '?'; it must be " WORD },
	{ "{'shell': '', 'dir': 'tmp'}", "'dir' is 'tmp'; it must be an absolute path" },
	{ "{'shell': '', 'dir': ''}", "'dir' is ''; it must be an absolute path" },
	{ "{'shell': '', 'dir': h'2f00'}", "'dir' is '/?'; it must be " WORD },
	{ "{'shell': '', 'dir': null}", "'dir' is null; it must be " WORD },
	{ "{'shell': '', 'env': ['A=b']}",
		"'env' is an array; it must be a map of names to values" },
	{ "{'shell': '', 'env': {'A=B': 'c'}}",
		"'env': the variable 'A=B' must have a name, without '='" },
	{ "{'shell': '', 'env': {'': 'c'}}",
		"'env': the variable '' must have a name, without '='" },
	{ "{'shell': '', 'env': {7: 'c'}}", "'env', name 0, is 7; it must be " WORD },
	{ "{'shell': '', 'env': {'A': 1}}",
		"'env': the variable 'A' must have as its value " WORD },
	{ "{'shell': '', 'env': {'A': h'736563726574003a'}}",
		"'env': the variable 'A' must have as its value " WORD },
	{ "{'shell': '', 'env': {'A': '1', 'B': '2', h'41': '3'}}",
		"'env': the variable 'A' is there twice" },
	{ "{'shell': '', 'pass-environment': 1}",
		"'pass-environment' is 1; it must be true or false" },
	{ "{'shell': '', 'umask': 512}",
		"'umask' is 512; it must be a number from 0 to 511 (0777)" },
	{ "{'shell': '', 'umask': '022'}",
		"'umask' is '022'; it must be a number from 0 to 511 (0777)" },
	{ "{'shell': '', 'nice': -1}", "'nice' is -1; it must be a number from 0 to 19" },
	{ "{'shell': '', 'nice': 20}", "'nice' is 20; it must be a number from 0 to 19" },
	{ "{'shell': '', 'stdin': 5}", "'stdin' is 5; it must be a text or a byte string" },
	{ "{'shell': '', 'limits': 5}", "'limits' is 5; it must be a map of limits" },
	{ "{'shell': '', 'limits': {'cpus': 5}}", "'limits' has the unknown key 'cpus'; known are: "
						  "cpu, memory, file-size, open-files, "
						  "processes, core" },
	{ "{'shell': '', 'limits': {'cpu': 5, 'cpu': 6}}", "'limits' has the key 'cpu' twice" },
	{ "{'shell': '', 'limits': {'cpu': 0}}",
		"'limits': 'cpu' is 0; it must be a number of seconds from 1" },
	{ "{'shell': '', 'limits': {'memory': '1G'}}",
		"'limits': 'memory' is '1G'; it must be a number of bytes from 1" },
	{ "{'shell': '', 'limits': {'open-files': 2}}",
		"'limits': 'open-files' is 2; it must be a number of descriptors from 3" },
	{ "{'shell': '', 'limits': {'core': -1}}",
		"'limits': 'core' is -1; it must be a number of bytes from 0" },
	{ "{'shell': '', 'dir': h'1b5b6dff'}", "'dir' is '?[m?'; it must be an absolute path" },
};

START_TEST(a_wrong_request_is_refused_and_told_why)
{
	fx_open(&fx, NULL);
	fx_refused(&fx, refused[_i].request, "bad-request", refused[_i].text);
	fx_close(&fx);
}
END_TEST

START_TEST(a_directory_is_no_longer_than_a_path)
{
	struct wq_cbor_out o;
	char path[PATH_MAX + 1];
	memset(path, 'd', sizeof path);
	path[0] = '/';
	path[PATH_MAX] = '\0';
	fx_open(&fx, NULL);
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, 2);
	wq_cbor_put_pair(&o, "shell", "");
	wq_cbor_put_pair(&o, "dir", path);
	struct wq_err err = { 0 };
	ck_assert_int_eq(fake_start(&fx.fake, &o, NULL, &err), WQ_REJECT);
	ck_assert_str_eq(err.text, "'dir' has 4096 bytes; a path has at most 4095");
	fx_close(&fx);
}
END_TEST

START_TEST(a_number_beyond_64_bits_is_no_limit)
{
	struct wq_cbor_out o;
	struct wq_err err = { 0 };
	fx_open(&fx, NULL);
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, 2);
	wq_cbor_put_pair(&o, "shell", "");
	wq_cbor_put_text(&o, "limits");
	wq_cbor_put_map(&o, 1);
	wq_cbor_put_text(&o, "memory");
	wq_cbor_put_uint(&o, UINT64_MAX);

	ck_assert_int_eq(fake_start(&fx.fake, &o, NULL, &err), WQ_REJECT);

	ck_assert_str_eq(err.text,
		"'limits': 'memory' is 18446744073709551615; it must be a number of bytes from 1");
	fx_close(&fx);
}
END_TEST

START_TEST(too_many_words_are_refused_before_memory_is_taken_for_them)
{
	struct wq_cbor_out o;
	struct wq_err err = { 0 };
	fx_open(&fx, NULL);
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, 2);
	wq_cbor_put_text(&o, "argv");
	wq_cbor_put_array(&o, 59999);
	for (int i = 0; i < 59999; i++)
		wq_cbor_put_text(&o, "a");
	wq_cbor_put_text(&o, "env");
	wq_cbor_put_map(&o, 2);
	for (int i = 0; i < 4; i++)
		wq_cbor_put_text(&o, i < 2 ? "a" : "b");

	ck_assert_int_eq(fake_validate(&fx.fake, &o, &err), WQ_REJECT);

	ck_assert_str_eq(err.text, "'env' has 2 entries; 'argv' and 'env' may have 60000 together");
	fx_close(&fx);
}
END_TEST

START_TEST(as_many_words_as_are_allowed_are_run)
{
	struct wq_cbor_out o;
	struct wq_err err = { 0 };
	fx_open(&fx, "pass-environment=", NULL);
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, 2);
	wq_cbor_put_text(&o, "argv");
	wq_cbor_put_array(&o, 30000);
	for (int i = 0; i < 30000; i++)
		wq_cbor_put_text(&o, i == 0 ? "a" : "");
	wq_cbor_put_text(&o, "env");
	wq_cbor_put_map(&o, 30000);
	for (int i = 30000; i > 0; i--) {
		char name[16];
		(void)snprintf(name, sizeof(name), "%x", (unsigned)i);
		wq_cbor_put_text(&o, name);
		wq_cbor_put_text(&o, "");
	}

	ck_assert_int_eq(fake_start(&fx.fake, &o, NULL, &err), WQ_OK);

	ck_assert_int_eq(n_words(fake_last_spawn(&fx.fake)->what.argv), 30000);
	ck_assert_int_eq(n_words(fake_last_spawn(&fx.fake)->what.env), 30000);
	fx_close(&fx);
}
END_TEST

START_TEST(every_beginning_of_a_request_is_refused)
{
	struct wq_cbor_out whole =
		*fx_cbor("{'argv': ['ls', h'ff'], 'env': {'A': 'b'}, 'umask': 18, 'stdin': 'abc', "
			 "'limits': {'cpu': 300}, 'dir': '/tmp'}");
	fx_open(&fx, NULL);
	for (size_t n = 0; n < whole.len; n++) {
		struct wq_cbor_out part;
		struct wq_err err = { 0 };
		wq_cbor_out_init(&part);
		wq_cbor_put_raw(&part, whole.buf, n);
		ck_assert_int_eq(fake_validate(&fx.fake, &part, &err), WQ_REJECT);
		ck_assert_str_eq(err.name, "bad-request");
	}
	wq_cbor_out_free(&whole);
	fx_close(&fx);
}
END_TEST

START_TEST(the_task_manager_says_which_form_of_command_it_allows)
{
	fx_open(&fx, "allow=argv", NULL);
	(void)fx_start(&fx, "{'argv': ['ls']}");
	fx_refused(&fx, "{'shell': 'ls'}", "not-allowed",
		"'shell' is not allowed by this task manager; give the command as 'argv'");
	fx_close(&fx);

	fx_open(&fx, "allow=shell", NULL);
	(void)fx_start(&fx, "{'shell': 'ls'}");
	fx_refused(&fx, "{'argv': ['ls']}", "not-allowed",
		"'argv' is not allowed by this task manager; give the command as 'shell'");
	fx_close(&fx);
}
END_TEST

/* ---- directories ----------------------------------------------------------------------------- */

START_TEST(directories_bind_what_a_request_names_and_not_the_work_directory)
{
	fx_open(&fx, "directories=/srv, /home", NULL);

	const struct fake_child *c = fx_start(&fx, "{'shell': '', 'dir': '/etc'}");
	ck_assert_str_eq(c->what.dir, "/etc");
	ck_assert_int_eq(n_words(c->what.dirs_allowed), 2);
	ck_assert_str_eq(c->what.dirs_allowed[0], "/srv");
	ck_assert_str_eq(c->what.dirs_allowed[1], "/home");
	c = fx_start(&fx, "{'shell': ''}");
	ck_assert_ptr_null(c->what.dir);
	ck_assert_ptr_null(c->what.dirs_allowed);
	fx_close(&fx);
}
END_TEST

START_TEST(a_default_directory_is_for_requests_that_name_none)
{
	fx_open(&fx, "default-directory=/srv", NULL);

	ck_assert_str_eq(fx_start(&fx, "{'shell': ''}")->what.dir, "/srv");
	ck_assert_str_eq(fx_start(&fx, "{'shell': '', 'dir': '/tmp'}")->what.dir, "/tmp");

	fx_close(&fx);
}
END_TEST

START_TEST(niceness_and_umask_of_the_task_manager_are_for_requests_without)
{
	fx_open(&fx, "nice=10", "umask=077", NULL);

	const struct fake_child *c = fx_start(&fx, "{'shell': ''}");
	ck_assert_int_eq(c->what.nice, 10);
	ck_assert_uint_eq(c->what.umask, 077);
	c = fx_start(&fx, "{'shell': '', 'nice': 0, 'umask': 0}");
	ck_assert_int_eq(c->what.nice, 0);
	ck_assert_uint_eq(c->what.umask, 0);
	fx_close(&fx);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin/fork-exec/request");
	TCase *runs = tcase_create("what it runs"), *refuses = tcase_create("what it refuses");
	suite_add_tcase(s, runs);
	suite_add_tcase(s, refuses);
	tcase_add_checked_fixture(runs, setup, NULL);
	tcase_add_test(runs, argv_is_run_as_it_is_without_a_shell);
	tcase_add_test(runs, shell_is_run_by_the_shell_with_c);
	tcase_add_test(runs, words_may_be_bytes_that_are_no_utf8);
	tcase_add_test(runs, each_key_reaches_the_child);
	tcase_add_test(runs, a_self_described_map_is_a_request_too);
	tcase_add_test(runs, the_environment_has_what_is_passed_and_nothing_else);
	tcase_add_test(runs, the_environment_of_a_request_wins);
	tcase_add_test(runs, the_environment_of_a_request_may_be_all_of_it);
	tcase_add_loop_test(runs, a_request_may_set_each_limit_and_lower_that_of_the_task_manager,
		0, sizeof(limits) / sizeof(*limits));
	tcase_add_test(runs, all_limits_together);
	tcase_add_test(runs, as_many_words_as_are_allowed_are_run);
	tcase_add_test(runs, directories_bind_what_a_request_names_and_not_the_work_directory);
	tcase_add_test(runs, a_default_directory_is_for_requests_that_name_none);
	tcase_add_test(runs, niceness_and_umask_of_the_task_manager_are_for_requests_without);
	tcase_add_loop_test(refuses, a_wrong_request_is_refused_and_told_why, 0,
		sizeof(refused) / sizeof(*refused));
	tcase_add_test(refuses, a_number_beyond_64_bits_is_no_limit);
	tcase_add_test(refuses, a_directory_is_no_longer_than_a_path);
	tcase_add_test(refuses, too_many_words_are_refused_before_memory_is_taken_for_them);
	tcase_add_test(refuses, every_beginning_of_a_request_is_refused);
	tcase_add_test(refuses, the_task_manager_says_which_form_of_command_it_allows);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
