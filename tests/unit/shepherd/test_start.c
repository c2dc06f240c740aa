/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/start.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/shepherd/kin.h"
#include "support/shepherd/place.h"

static struct wq_spawn what;
static struct start_order order;
static struct started started;
static struct wq_err err;
static const char *env[8];
static int null_fd, out_fd;

static void setup(void)
{
	place_open();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	out_fd = openat(place_fd, "out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	env[0] = "PATH=/usr/bin:/bin";
	env[1] = NULL;
	what = (struct wq_spawn){ .struct_size = sizeof what, .umask = 022 };
	order = (struct start_order){
		.what = &what,
		.env = env,
		.dir = place_dir,
		.in_fd = null_fd,
		.out_fd = out_fd,
		.err_fd = null_fd,
		.cgroup_fd = -1,
	};
	started = (struct started){ .pid = 0, .pidfd = -1 };
}

static void teardown(void)
{
	if (started.pidfd >= 0)
		(void)close(started.pidfd);
	(void)close(out_fd);
	(void)close(null_fd);
	place_close();
}

static int start(const char *const *argv)
{
	what.argv = argv;
	err = (struct wq_err){ 0 };
	return start_child(&order, &started, &err);
}
#define START(...) start((const char *const[]){ __VA_ARGS__, NULL })

/* It ran, ended with 0, and printed this. */
static void printed(int rc, const char *text)
{
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(kin_wait(started.pid), 0);
	ck_assert_str_eq(place_text("out"), text);
}
#define PRINTED(text, ...)       printed(START(__VA_ARGS__), text)
#define SH_PRINTED(text, script) PRINTED(text, "/bin/sh", "-c", script)

/* It did not, no process is left, and this is why. */
static void refused(int rc, int code, const char *name, const char *text)
{
	ck_assert_int_eq(rc, code);
	ck_assert_str_eq(err.name, name);
	ck_assert_str_eq(err.text, text);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_int_eq(started.pid, 0);
}

static const char *text_of(const char *before, const char *name, const char *after)
{
	static char text[WQ_ERR_TEXT_SIZE];
	snprintf(text, sizeof text, "%s%s%s", before, place_at(name), after);
	return text;
}

/* ---- what it runs with --------------------------------------------------------------------------- */

START_TEST(a_command_gets_its_words_and_its_environment_and_nothing_else)
{
	env[0] = "A=1";
	env[1] = "B=two words";
	env[2] = NULL;
	PRINTED("A=1\nB=two words\n", "/usr/bin/env");
}
END_TEST

START_TEST(a_command_reads_its_input_and_writes_its_two_outputs)
{
	place_put("in", "given\n", 0600);
	order.in_fd = openat(place_fd, "in", O_RDONLY | O_CLOEXEC);
	order.err_fd = openat(place_fd, "err", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	SH_PRINTED("given\n", "cat; echo wrong >&2");

	ck_assert_str_eq(place_text("err"), "wrong\n");
}
END_TEST

START_TEST(descriptors_that_stand_in_each_others_place_are_sorted_out)
{
	place_put("in", "given\n", 0600);
	place_put("err", "", 0600);
	ck_assert_int_eq(dup2(out_fd, 0), 0);
	ck_assert_int_eq(dup2(openat(place_fd, "err", O_WRONLY | O_CLOEXEC), 1), 1);
	ck_assert_int_eq(dup2(openat(place_fd, "in", O_RDONLY | O_CLOEXEC), 2), 2);
	order.in_fd = 2;
	order.out_fd = 0;
	order.err_fd = 1;

	SH_PRINTED("given\n", "cat; echo wrong >&2");

	ck_assert_str_eq(place_text("err"), "wrong\n");
}
END_TEST

START_TEST(one_descriptor_may_be_both_outputs)
{
	order.err_fd = out_fd;
	SH_PRINTED("a\nb\n", "echo a; echo b >&2");
}
END_TEST

START_TEST(no_other_descriptor_is_open)
{
	ck_assert_int_eq(dup2(null_fd, 3), 3);
	ck_assert_int_eq(dup2(null_fd, 77), 77);
	SH_PRINTED("none\n", "[ -e /proc/self/fd/77 ] || [ -e /proc/$$/fd/3 ] || echo none");
}
END_TEST

START_TEST(it_leads_a_session_of_its_own)
{
	SH_PRINTED("yes\n", "read -r p c s pp g sid rest </proc/$$/stat; "
			    "[ $sid = $$ ] && [ $g = $$ ] && echo yes");
}
END_TEST

static void nothing(int signo)
{
	(void)signo;
}

START_TEST(signals_are_as_in_a_new_process_there_and_as_before_here)
{
	sigset_t blocked, now;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaddset(&blocked, SIGCHLD);
	ck_assert_int_eq(sigprocmask(SIG_SETMASK, &blocked, NULL), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGRTMIN, SIG_IGN);
	(void)signal(SIGUSR2, nothing);

	PRINTED("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", "grep", "-E",
		"^Sig(Blk|Ign)", "/proc/self/status");

	ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &now), 0);
	ck_assert_int_eq(sigismember(&now, SIGUSR1), 1);
	ck_assert_int_eq(sigismember(&now, SIGTERM), 0);
	ck_assert(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
	ck_assert(signal(SIGUSR2, SIG_DFL) == nothing);
}
END_TEST

START_TEST(umask_niceness_and_limits_are_as_asked_for)
{
	const struct wq_limit limits[] = {
		{ .resource = RLIMIT_NOFILE, .value = 50 },
		{ .resource = RLIMIT_CORE, .value = 0 },
		{ .resource = RLIMIT_CPU, .value = RLIM_INFINITY },
	};
	what.limits = limits;
	what.n_limits = 3;
	what.umask = 027;
	what.nice = 7;
	SH_PRINTED("0027\n7\n50\n50\n0\nunlimited\n",
		"umask; nice; ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -t");
}
END_TEST

START_TEST(it_runs_where_it_is_told_to)
{
	place_mkdir("sub", 0700);
	order.dir = place_at("sub");
	PRINTED(text_of("", "sub", "\n"), "pwd", "-P");
}
END_TEST

START_TEST(the_pidfd_is_that_of_the_child)
{
	ck_assert_int_eq(START("true"), 0);
	ck_assert_int_ge(started.pidfd, 0);
	ck_assert_int_eq(fcntl(started.pidfd, F_GETFD), FD_CLOEXEC);

	struct pollfd p = { .fd = started.pidfd, .events = POLLIN };
	siginfo_t info = { 0 };
	ck_assert_int_eq(poll(&p, 1, -1), 1);
	ck_assert_int_eq(waitid(P_PIDFD, (id_t)started.pidfd, &info, WEXITED), 0);
	ck_assert_int_eq(info.si_pid, started.pid);
}
END_TEST

/* ---- where the program is found ------------------------------------------------------------------ */

START_TEST(a_word_is_looked_for_in_the_path_of_its_environment)
{
	char path[PATH_MAX * 4];
	place_mkdir("a", 0700);
	place_mkdir("b", 0700);
	place_mkdir("c", 0700);
	place_put("a/prog", "#!/bin/sh\necho a\n", 0600);
	place_put("b/prog", "#!/nowhere/sh\n", 0700);
	place_put("c/prog", "#!/bin/sh\necho c $0\n", 0700);
	snprintf(path, sizeof path, "PATH=/nowhere:%s:%s:%s:%s", place_at("out"), place_at("a"),
		place_at("b"), place_at("c"));
	env[0] = path;
	/* No directory, not executable, no interpreter: it goes on, as execvp(3) does. */
	PRINTED(text_of("c ", "c/prog", "\n"), "prog");
}
END_TEST

START_TEST(an_empty_place_in_path_is_the_directory_it_runs_in)
{
	place_put("prog", "#!/bin/sh\necho here\n", 0700);
	env[0] = "PATH=/nowhere::/usr/bin";
	PRINTED("here\n", "prog");
}
END_TEST

START_TEST(without_path_it_is_looked_for_in_the_usual_places)
{
	env[0] = NULL;
	PRINTED("x\n", "echo", "x");
}
END_TEST

START_TEST(a_word_with_a_slash_is_a_path_from_where_it_runs)
{
	place_mkdir("d", 0700);
	place_put("d/prog", "#!/bin/sh\necho d\n", 0700);
	PRINTED("d\n", "d/prog");
}
END_TEST

/* ---- why it cannot be started --------------------------------------------------------------------- */

START_TEST(what_is_not_there_is_not_found)
{
	refused(START(place_at("none")), -ENOENT, "not-found",
		text_of("cannot run '", "none", "': No such file or directory"));
	refused(START("none-such"), -ENOENT, "not-found",
		"cannot find 'none-such' in PATH=/usr/bin:/bin: No such file or directory");
	refused(START(place_at("out/x")), -ENOTDIR, "not-found",
		text_of("cannot run '", "out/x", "': Not a directory"));
	refused(START(""), -ENOENT, "not-found", "no program is named: No such file or directory");
}
END_TEST

START_TEST(a_file_and_a_directory_are_told_apart_when_they_may_not_be_run)
{
	place_put("file", "#!/bin/sh\n", 0600);
	place_mkdir("dir", 0700);
	refused(START(place_at("file")), -EACCES, "no-permission",
		text_of("cannot run '", "file",
			"': the file may not be executed: Permission denied"));
	refused(START(place_at("dir")), -EACCES, "no-permission",
		text_of("cannot run '", "dir", "': it is a directory: Permission denied"));
}
END_TEST

START_TEST(a_refusal_in_path_is_remembered_when_nothing_better_comes)
{
	char path[PATH_MAX * 2];
	place_mkdir("a", 0700);
	place_put("a/prog", "#!/bin/sh\n", 0600);
	snprintf(path, sizeof path, "PATH=%s:/nowhere", place_at("a"));
	env[0] = path;
	refused(START("prog"), -EACCES, "no-permission",
		text_of("cannot run '", "a/prog",
			"': the file may not be executed: Permission denied"));
}
END_TEST

START_TEST(a_directory_that_may_not_be_searched_is_named)
{
	char text[PATH_MAX * 3];
	ck_assert(place_drop_root());
	place_mkdir("shut", 0);
	snprintf(text, sizeof text,
		"cannot run '%s': the directory '%s' may not be searched: Permission denied",
		place_at("shut/prog"), place_at("shut"));
	refused(START(place_at("shut/prog")), -EACCES, "no-permission", text);

	order.dir = place_at("shut");
	refused(START("true"), -EACCES, "no-permission",
		text_of("cannot enter the directory '", "shut", "': Permission denied"));
}
END_TEST

START_TEST(an_interpreter_that_is_missing_is_named)
{
	place_put("one", "#! /nowhere/sh -e\n", 0700);
	refused(START(place_at("one")), -ENOENT, "bad-interpreter",
		text_of("cannot run '", "one",
			"': its interpreter '/nowhere/sh' is missing: No such file or directory"));

	place_put("cr", "#!/bin/sh\r\n", 0700);
	refused(START(place_at("cr")), -ENOENT, "bad-interpreter",
		text_of("cannot run '", "cr",
			"': its interpreter '/bin/sh\\r' is missing: No such file or directory"));

	char line[PATH_MAX + 8];
	snprintf(line, sizeof line, "#!%s\n", place_at("one"));
	place_put("two", line, 0700);
	refused(START("./two"), -ENOENT, "bad-interpreter",
		"cannot run './two': its interpreter '/nowhere/sh' is missing: "
		"No such file or directory");
}
END_TEST

START_TEST(an_interpreter_in_path_that_is_missing_is_named)
{
	char path[PATH_MAX + 8];
	place_put("prog", "#!/nowhere/sh\n", 0700);
	snprintf(path, sizeof path, "PATH=/nowhere:%s", place_dir);
	env[0] = path;
	refused(START("prog"), -ENOENT, "bad-interpreter",
		text_of("cannot run '", "prog",
			"': its interpreter '/nowhere/sh' is missing: No such file or directory"));
}
END_TEST

START_TEST(an_interpreter_that_may_not_be_run_is_named)
{
	char line[PATH_MAX + 8], text[PATH_MAX * 3];
	place_put("plain", "", 0600);
	snprintf(line, sizeof line, "#!%s\n", place_at("plain"));
	place_put("prog", line, 0700);
	snprintf(text, sizeof text,
		"cannot run '%s': its interpreter '%s' may not be executed: Permission denied",
		place_at("prog"), place_at("plain"));
	refused(START(place_at("prog")), -EACCES, "no-permission", text);
}
END_TEST

/* A program of ours for which the name of its loader is wrong. */
START_TEST(a_loader_that_is_missing_is_named)
{
	static char bytes[1 << 20];
	int from = open("/bin/true", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(from, bytes, sizeof bytes);
	(void)close(from);
	ck_assert_int_gt(n, 0);
	char *loader = memmem(bytes, (size_t)n, "/ld-linux", 9);
	ck_assert_ptr_nonnull(loader);
	memcpy(loader, "/no-linux", 9);
	int to = openat(place_fd, "prog", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	ck_assert_int_eq(write(to, bytes, (size_t)n), n);
	(void)close(to);

	ck_assert_int_eq(START(place_at("prog")), -ENOENT);
	ck_assert_str_eq(err.name, "bad-interpreter");
	ck_assert_ptr_nonnull(strstr(err.text, "/no-linux"));
}
END_TEST

START_TEST(a_text_that_names_no_interpreter_is_not_guessed_to_be_a_script)
{
	place_put("prog", "echo guessed\n", 0700);
	refused(START(place_at("prog")), -ENOEXEC, "bad-format",
		text_of("cannot run '", "prog",
			"': it is no program and names no interpreter: Exec format error"));
	ck_assert_str_eq(place_text("out"), "");
}
END_TEST

START_TEST(too_many_words_are_too_large)
{
	size_t size = 256 * 1024; /* one word may have 128 KiB, execve(2) */
	char *word = malloc(size);
	ck_assert_ptr_nonnull(word);
	memset(word, 'x', size);
	word[size - 1] = '\0';
	refused(START("/bin/true", word), -E2BIG, "too-large",
		"cannot run '/bin/true': arguments and environment are too large: "
		"Argument list too long");
	free(word);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_no_directory)
{
	order.dir = place_at("none");
	refused(START("true"), -ENOENT, "no-directory",
		text_of("cannot enter the directory '", "none", "': No such file or directory"));
	order.dir = place_at("out");
	refused(START("true"), -ENOTDIR, "no-directory",
		text_of("cannot enter the directory '", "out", "': Not a directory"));
}
END_TEST

START_TEST(a_limit_that_may_not_be_raised_is_told)
{
	struct rlimit low = { .rlim_cur = 100, .rlim_max = 100 };
	const struct wq_limit limit = { .resource = RLIMIT_NOFILE, .value = 200 };
	ck_assert(place_drop_root());
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	what.limits = &limit;
	what.n_limits = 1;
	ck_assert_int_eq(START("true"), -EPERM);
	ck_assert_str_eq(err.name, "no-permission");
}
END_TEST

/* The soft limit; answers what it was. */
static rlim_t lower(int resource, rlim_t to)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(resource, &limit), 0);
	rlim_t before = limit.rlim_cur;
	limit.rlim_cur = to;
	ck_assert_int_eq(setrlimit(resource, &limit), 0);
	return before;
}

START_TEST(who_may_have_no_more_processes_is_told_of_resources)
{
	ck_assert(place_drop_root());
	rlim_t before = lower(RLIMIT_NPROC, 0);
	refused(START("true"), -EAGAIN, "no-resources",
		"cannot start a process: Resource temporarily unavailable");
	(void)lower(RLIMIT_NPROC, before);
}
END_TEST

START_TEST(who_may_have_no_more_descriptors_is_told_of_resources)
{
	rlim_t before = lower(RLIMIT_NOFILE, 3);
	refused(START("true"), -EMFILE, "no-resources",
		"cannot start a process: Too many open files");
	(void)lower(RLIMIT_NOFILE, before);
}
END_TEST

START_TEST(failures_leave_nothing_behind)
{
	int before = place_open_fds();
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(START("/nowhere/prog"), -ENOENT);
	ck_assert_int_eq(place_open_fds(), before);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

/* ---- directories that are allowed ----------------------------------------------------------------- */

static const char *allowed[3];

static void allow(const char *one, const char *two)
{
	allowed[0] = one;
	allowed[1] = two;
	allowed[2] = NULL;
	what.dirs_allowed = allowed;
}

static void not_allowed(int rc)
{
	ck_assert_int_eq(rc, -EACCES);
	ck_assert_str_eq(err.name, "directory-not-allowed");
}

START_TEST(it_may_run_in_an_allowed_directory_and_below)
{
	place_mkdir("a", 0700);
	place_mkdir("a/b", 0700);
	order.dir = place_at("a/b");
	allow("/nowhere", place_at("a"));
	SH_PRINTED("ok\n", "echo ok");
	allow(place_at("a/b/"), NULL);
	SH_PRINTED("ok\nok\n", "echo ok");
	allow("/", NULL);
	SH_PRINTED("ok\nok\nok\n", "echo ok");
}
END_TEST

START_TEST(it_may_run_nowhere_else)
{
	place_mkdir("a", 0700);
	place_mkdir("ab", 0700);
	order.dir = place_at("ab");
	allow(place_at("a"), "/nowhere");
	not_allowed(START("true"));
	order.dir = place_dir;
	not_allowed(START("true"));
	order.dir = place_at("a/../ab");
	not_allowed(START("true"));
	allow(NULL, NULL);
	not_allowed(START("true"));
}
END_TEST

START_TEST(a_link_does_not_lead_out_of_them)
{
	char text[PATH_MAX * 3];
	place_mkdir("a", 0700);
	place_mkdir("out-there", 0700);
	ck_assert_int_eq(symlink("../out-there", place_at("a/link")), 0);
	order.dir = place_at("a/link");
	allow(place_at("a"), NULL);
	snprintf(text, sizeof text,
		"commands may not run in '%s', which is '%s': Permission denied", order.dir,
		place_at("out-there"));
	refused(START("true"), -EACCES, "directory-not-allowed", text);
}
END_TEST

START_TEST(a_link_that_is_allowed_stands_for_where_it_leads)
{
	place_mkdir("real", 0700);
	ck_assert_int_eq(symlink("real", place_at("link")), 0);
	order.dir = place_at("link");
	allow(place_at("link"), NULL);
	SH_PRINTED("ok\n", "echo ok");
}
END_TEST

/* ---- older kernels --------------------------------------------------------------------------------- */

START_TEST(without_clone3_it_runs_all_the_same)
{
	ck_assert(kin_deny(SYS_clone3, ENOSYS));
	SH_PRINTED("ok\n", "echo ok");
	ck_assert_int_ge(started.pidfd, 0);
	started.pid = 0;
	refused(START(place_at("none")), -ENOENT, "not-found",
		text_of("cannot run '", "none", "': No such file or directory"));
}
END_TEST

START_TEST(where_a_filter_forbids_clone3_it_runs_all_the_same)
{
	ck_assert(kin_deny(SYS_clone3, EPERM));
	SH_PRINTED("ok\n", "echo ok");
}
END_TEST

START_TEST(without_pidfds_there_is_none)
{
	ck_assert(kin_deny(SYS_clone3, ENOSYS));
	ck_assert(kin_deny(SYS_pidfd_open, ENOSYS));
	SH_PRINTED("ok\n", "echo ok");
	ck_assert_int_eq(started.pidfd, -1);
}
END_TEST

START_TEST(without_close_range_no_other_descriptor_is_open_either)
{
	ck_assert(kin_deny(SYS_close_range, ENOSYS));
	ck_assert_int_eq(dup2(null_fd, 77), 77);
	SH_PRINTED("none\n", "[ -e /proc/self/fd/77 ] || echo none");
}
END_TEST

static TCase *make_case(const char *name)
{
	TCase *tc = tcase_create(name);
	tcase_add_checked_fixture(tc, setup, teardown);
	return tc;
}

static void add_refusals(Suite *suite)
{
	TCase *tc = make_case("refusals");
	tcase_add_test(tc, what_is_not_there_is_not_found);
	tcase_add_test(tc, a_file_and_a_directory_are_told_apart_when_they_may_not_be_run);
	tcase_add_test(tc, a_refusal_in_path_is_remembered_when_nothing_better_comes);
	tcase_add_test(tc, a_directory_that_may_not_be_searched_is_named);
	tcase_add_test(tc, an_interpreter_that_is_missing_is_named);
	tcase_add_test(tc, an_interpreter_in_path_that_is_missing_is_named);
	tcase_add_test(tc, an_interpreter_that_may_not_be_run_is_named);
	tcase_add_test(tc, a_loader_that_is_missing_is_named);
	tcase_add_test(tc, a_text_that_names_no_interpreter_is_not_guessed_to_be_a_script);
	tcase_add_test(tc, too_many_words_are_too_large);
	tcase_add_test(tc, a_directory_that_is_not_there_is_no_directory);
	tcase_add_test(tc, a_limit_that_may_not_be_raised_is_told);
	tcase_add_test(tc, who_may_have_no_more_processes_is_told_of_resources);
	tcase_add_test(tc, who_may_have_no_more_descriptors_is_told_of_resources);
	tcase_add_test(tc, failures_leave_nothing_behind);
	suite_add_tcase(suite, tc);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("shepherd/start");
	TCase *tc = make_case("runs");
	tcase_add_test(tc, a_command_gets_its_words_and_its_environment_and_nothing_else);
	tcase_add_test(tc, a_command_reads_its_input_and_writes_its_two_outputs);
	tcase_add_test(tc, descriptors_that_stand_in_each_others_place_are_sorted_out);
	tcase_add_test(tc, one_descriptor_may_be_both_outputs);
	tcase_add_test(tc, no_other_descriptor_is_open);
	tcase_add_test(tc, it_leads_a_session_of_its_own);
	tcase_add_test(tc, signals_are_as_in_a_new_process_there_and_as_before_here);
	tcase_add_test(tc, umask_niceness_and_limits_are_as_asked_for);
	tcase_add_test(tc, it_runs_where_it_is_told_to);
	tcase_add_test(tc, the_pidfd_is_that_of_the_child);
	tcase_add_test(tc, a_word_is_looked_for_in_the_path_of_its_environment);
	tcase_add_test(tc, an_empty_place_in_path_is_the_directory_it_runs_in);
	tcase_add_test(tc, without_path_it_is_looked_for_in_the_usual_places);
	tcase_add_test(tc, a_word_with_a_slash_is_a_path_from_where_it_runs);
	suite_add_tcase(suite, tc);
	add_refusals(suite);
	tc = make_case("allowed");
	tcase_add_test(tc, it_may_run_in_an_allowed_directory_and_below);
	tcase_add_test(tc, it_may_run_nowhere_else);
	tcase_add_test(tc, a_link_does_not_lead_out_of_them);
	tcase_add_test(tc, a_link_that_is_allowed_stands_for_where_it_leads);
	suite_add_tcase(suite, tc);
	tc = make_case("older kernels");
	tcase_add_test(tc, without_clone3_it_runs_all_the_same);
	tcase_add_test(tc, where_a_filter_forbids_clone3_it_runs_all_the_same);
	tcase_add_test(tc, without_pidfds_there_is_none);
	tcase_add_test(tc, without_close_range_no_other_descriptor_is_open_either);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *sr = srunner_create(make_suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
