/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/server_start.h"

#include "base/time.h"

#include <wq/err.h>

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], program[128];
static int log_fd;
static struct server_start begun;
static struct wq_err err;

/* A server that is a script; its log is what it writes. */
static void setup(void)
{
	memset(&err, 0, sizeof err);
	snprintf(dir, sizeof dir, "/tmp/wq-start-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(program, sizeof program, "%s/wq-server", dir);
	log_fd = open(dir, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(log_fd, 0);
}

static void teardown(void)
{
	close(log_fd);
	unlink(program);
	rmdir(dir);
}

static void write_program(const char *text)
{
	FILE *f = fopen(program, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "#!/bin/sh\n%s\n", text);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(program, 0700), 0);
}

static void run(const char *text)
{
	write_program(text);
	int rc = server_start_run(program, log_fd, &begun, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

static void assert_log(const char *want)
{
	char text[1024];
	ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, want);
}

static void end(void)
{
	ck_assert_int_eq(kill(begun.pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(begun.pid, NULL, 0), begun.pid);
}

START_TEST(one_that_says_it_is_ready_is_ready_and_goes_on)
{
	run("echo $1 >&2; echo >&3; exec 3>&-; exec sleep 60");
	ck_assert(begun.ready);
	ck_assert_int_eq(waitpid(begun.pid, NULL, WNOHANG), 0);
	assert_log("--ready-fd=3\n");
	end();
}
END_TEST

START_TEST(it_has_a_session_of_its_own)
{
	run("echo >&3; exec sleep 60");
	ck_assert_int_eq(getsid(begun.pid), begun.pid);
	end();
}
END_TEST

START_TEST(it_keeps_no_descriptor_and_no_directory_of_ours)
{
	int kept = dup(log_fd); /* without O_CLOEXEC, as a shell's */
	ck_assert_int_eq(dup2(kept, 9), 9);
	run("cd -P . && pwd; readlink /proc/self/fd/0; ls /proc/$$/fd | tr '\\n' ' '; echo >&3");
	/* sh may hold its script as 10 or more (POSIX, sh). */
	char text[256];
	ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	ck_assert_msg(strncmp(text, "/\n/dev/null\n0 1 10 2 3 ", 23) == 0 ||
			      strncmp(text, "/\n/dev/null\n0 1 2 255 3 ", 24) == 0,
		"%s", text);
	ck_assert_int_eq(waitpid(begun.pid, NULL, 0), begun.pid);
	close(kept);
	close(9);
}
END_TEST

START_TEST(it_is_not_taken_for_a_task_nor_for_a_service)
{
	setenv("WQ_TASK", "x", 1);
	setenv("NOTIFY_SOCKET", "@x", 1);
	setenv("WQ_CONFIG", "/c", 1);
	run("echo \"[$WQ_TASK][$NOTIFY_SOCKET][$WQ_CONFIG]\"; echo >&3");
	assert_log("[][][/c]\n");
	ck_assert_int_eq(waitpid(begun.pid, NULL, 0), begun.pid);
}
END_TEST

START_TEST(a_relative_configuration_is_found_where_we_are)
{
	char here[256];
	ck_assert_int_eq(chdir(dir), 0);
	setenv("WQ_CONFIG", "wq.conf", 1);
	run("pwd; echo >&3");
	snprintf(here, sizeof here, "%s\n", dir);
	assert_log(here);
	ck_assert_int_eq(waitpid(begun.pid, NULL, 0), begun.pid);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(signals_are_as_at_the_start_of_a_program)
{
	sigset_t all;
	signal(SIGHUP, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	run("grep -E 'Sig(Blk|Ign)' /proc/self/status; echo >&3");
	char text[256];
	unsigned long long blocked = 1, ignored = 1;
	ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	ck_assert_int_eq(sscanf(text, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
	ck_assert_uint_eq(blocked, 0);
	/* 32 and 33 are the C library's own. */
	ck_assert_uint_eq(ignored & 0x7fffffff, 0);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	ck_assert_int_eq(waitpid(begun.pid, NULL, 0), begun.pid);
}
END_TEST

START_TEST(one_that_ends_before_is_not_ready_and_its_status_is_known)
{
	run("echo why not >&2; exit 7");
	ck_assert(!begun.ready && !begun.too_slow);
	ck_assert_int_eq(WEXITSTATUS(begun.status), 7);
	assert_log("why not\n");
	run("kill -9 $$");
	ck_assert(!begun.ready && !begun.too_slow);
	ck_assert_int_eq(WTERMSIG(begun.status), SIGKILL);
}
END_TEST

START_TEST(a_program_that_cannot_be_run_is_named)
{
	ck_assert_int_eq(server_start_run("/nonexistent/wq-server", log_fd, &begun, &err), -2);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/wq-server"));
}
END_TEST

START_TEST(it_starts_also_where_our_standard_ones_are_closed)
{
	int in = dup(0), out = dup(1), errors = dup(2);
	close(0);
	close(1);
	close(2);
	write_program("echo out; echo err >&2; echo >&3");
	int rc = server_start_run(program, log_fd, &begun, &err);
	dup2(in, 0);
	dup2(out, 1);
	dup2(errors, 2);
	ck_assert_int_eq(rc, 0);
	ck_assert(begun.ready);
	assert_log("out\nerr\n");
	ck_assert_int_eq(waitpid(begun.pid, NULL, 0), begun.pid);
}
END_TEST

/* ---- the log ----------------------------------------------------------------------------------- */

static const struct {
	const char *state, *home, *want;
} places[] = {
	{ "/state", "/home/u", "/state/wq/server.log" },
	{ NULL, "/home/u", "/home/u/.local/state/wq/server.log" },
	{ "", "/home/u", "/home/u/.local/state/wq/server.log" },
	{ "relative", "/home/u", "/home/u/.local/state/wq/server.log" },
	{ NULL, NULL, NULL },
	{ "relative", "relative", NULL },
};

static void set(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

START_TEST(the_log_lies_where_the_state_of_the_user_does)
{
	char path[PATH_MAX];
	set("XDG_STATE_HOME", places[_i].state);
	set("HOME", places[_i].home);
	int rc = server_start_log_path(path, &err);
	if (places[_i].want) {
		ck_assert_int_eq(rc, 0);
		ck_assert_str_eq(path, places[_i].want);
	} else {
		ck_assert_int_eq(rc, -WQ_E_UNKNOWN);
		ck_assert_ptr_nonnull(strstr(err.text, "XDG_STATE_HOME"));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/server_start");
	TCase *t = tcase_create("run");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_that_says_it_is_ready_is_ready_and_goes_on);
	tcase_add_test(t, it_has_a_session_of_its_own);
	tcase_add_test(t, it_keeps_no_descriptor_and_no_directory_of_ours);
	tcase_add_test(t, it_is_not_taken_for_a_task_nor_for_a_service);
	tcase_add_test(t, a_relative_configuration_is_found_where_we_are);
	tcase_add_test(t, signals_are_as_at_the_start_of_a_program);
	tcase_add_test(t, one_that_ends_before_is_not_ready_and_its_status_is_known);
	tcase_add_test(t, a_program_that_cannot_be_run_is_named);
	tcase_add_test(t, it_starts_also_where_our_standard_ones_are_closed);
	suite_add_tcase(s, t);
	t = tcase_create("log");
	tcase_add_loop_test(t, the_log_lies_where_the_state_of_the_user_does, 0,
		(int)(sizeof places / sizeof *places));
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
