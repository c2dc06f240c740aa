/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/cgroup.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shepherd/start.h"
#include "support/shepherd/kin.h"
#include "support/shepherd/place.h"

static char base_name[64];
static int base, child;

static void setup(void)
{
	bool limited;
	kin_setup();
	place_open();
	snprintf(base_name, sizeof base_name, "wq-test-%d", getpid());
	base = cgroup_open_base(base_name);
	ck_assert_int_ge(base, 0);
	child = cgroup_make_child(base, "child", 0, &limited);
	ck_assert_int_ge(child, 0);
}

/* By the path that the kernel's own link has. */
static int remove_base(void)
{
	char path[512], link[40];
	snprintf(link, sizeof link, "/proc/self/fd/%d", base);
	ssize_t n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	return rmdir(path);
}

static void teardown(void)
{
	(void)cgroup_kill(child);
	kin_teardown();
	(void)cgroup_remove(base, "child");
	ck_assert_int_eq(remove_base(), 0);
	(void)close(child);
	(void)close(base);
	place_close();
}

/* Run a shell in the cgroup; what it prints goes to "out". */
static pid_t run(const char *script)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	const struct wq_spawn what = { .struct_size = sizeof what, .argv = argv, .umask = 022 };
	struct started started = { 0 };
	struct wq_err err = { 0 };
	int out[2];
	char word[8] = "";
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct start_order order = { &what, env, "/", null_fd, out[1], null_fd, child };
	ck_assert_msg(start_child(&order, &started, &err) == 0, "%s", err.text);
	(void)close(null_fd);
	(void)close(out[1]);
	(void)close(started.pidfd);
	ck_assert_int_eq(read(out[0], word, sizeof word), 6);
	ck_assert_str_eq(word, "ready\n");
	(void)close(out[0]);
	return started.pid;
}

/* The line of the unified hierarchy, without "0::". */
static const char *cgroup_of(pid_t pid)
{
	static char line[512];
	char path[32];
	snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
	FILE *f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) && strncmp(line, "0::", 3) != 0)
		;
	(void)fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return line + 3;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && strcmp(s + n - m, end) == 0;
}

static void wait_until_empty(void)
{
	int fd = cgroup_watch(child);
	ck_assert_int_ge(fd, 0);
	while (cgroup_is_populated(fd) != 0) {
		struct pollfd p = { .fd = fd, .events = POLLPRI };
		ck_assert_int_eq(poll(&p, 1, -1), 1);
	}
	(void)close(fd);
}

START_TEST(a_base_that_is_there_is_opened_again)
{
	int again = cgroup_open_base(base_name);
	struct stat a, b;
	ck_assert_int_ge(again, 0);
	ck_assert_int_eq(fstat(base, &a), 0);
	ck_assert_int_eq(fstat(again, &b), 0);
	ck_assert_uint_eq(a.st_ino, b.st_ino);
	ck_assert_int_eq(fcntl(again, F_GETFD), FD_CLOEXEC);
	(void)close(again);
}
END_TEST

START_TEST(names_that_lead_elsewhere_are_refused)
{
	bool limited;
	ck_assert_int_eq(cgroup_open_base("../x"), -EINVAL);
	ck_assert_int_eq(cgroup_open_base(""), -EINVAL);
	ck_assert_int_eq(cgroup_make_child(base, "..", 0, &limited), -EINVAL);
	ck_assert_int_eq(cgroup_open_child(base, "a/b"), -EINVAL);
	ck_assert_int_eq(cgroup_remove(base, ".."), -EINVAL);
}
END_TEST

START_TEST(a_child_is_made_once_and_can_be_opened_again)
{
	bool limited;
	ck_assert_int_eq(cgroup_make_child(base, "child", 0, &limited), -EEXIST);
	int again = cgroup_open_child(base, "child");
	ck_assert_int_ge(again, 0);
	(void)close(again);
	ck_assert_int_eq(cgroup_open_child(base, "none"), -ENOENT);
}
END_TEST

START_TEST(a_limit_of_processes_is_set_where_there_is_one)
{
	bool limited = true;
	int fd = cgroup_make_child(base, "limited", 17, &limited);
	char text[16] = "";
	ck_assert_int_ge(fd, 0);
	int max = openat(fd, "pids.max", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(limited, max >= 0);
	if (max >= 0) {
		ck_assert_int_gt(read(max, text, sizeof text - 1), 0);
		ck_assert_str_eq(text, "17\n");
		(void)close(max);
	}
	(void)close(fd);
	ck_assert_int_eq(cgroup_remove(base, "limited"), 0);
}
END_TEST

START_TEST(a_process_is_started_in_it)
{
	char end[128];
	ck_assert_int_eq(cgroup_is_populated(child), 0);
	pid_t pid = run("echo ready; exec sleep 60 >&2");
	snprintf(end, sizeof end, "/%s/child", base_name);
	ck_assert(ends_with(cgroup_of(pid), end));
	ck_assert(!ends_with(cgroup_of(getpid()), end));
	ck_assert_int_eq(cgroup_is_populated(child), 1);
}
END_TEST

START_TEST(without_clone3_a_process_is_started_in_it_too)
{
	char end[128];
	ck_assert(kin_deny(SYS_clone3, ENOSYS));
	pid_t pid = run("echo ready; exec sleep 60 >&2");
	snprintf(end, sizeof end, "/%s/child", base_name);
	ck_assert(ends_with(cgroup_of(pid), end));
}
END_TEST

START_TEST(one_that_has_been_removed_takes_no_process)
{
	const char *const argv[] = { "/bin/true", NULL };
	const struct wq_spawn what = { .struct_size = sizeof what, .argv = argv };
	struct started started = { 0 };
	struct wq_err err = { 0 };
	const struct start_order order = { &what, argv + 1, "/", 0, 1, 2, child };
	ck_assert_int_eq(cgroup_remove(base, "child"), 0);
	ck_assert_int_lt(start_child(&order, &started, &err), 0);
	ck_assert_str_eq(err.name, "no-resources");
	ck_assert_int_eq(cgroup_is_populated(child), 0);
	ck_assert_int_eq(cgroup_signal(child, SIGTERM), 0);
}
END_TEST

START_TEST(a_watch_is_ready_once_for_each_change)
{
	int fd = cgroup_watch(child);
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(poll(&p, 1, 0), 0);

	pid_t pid = run("echo ready; exec sleep 60 >&2");
	ck_assert_int_eq(poll(&p, 1, -1), 1);
	ck_assert_int_eq(cgroup_is_populated(fd), 1);
	ck_assert_int_eq(poll(&p, 1, 0), 0);

	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(poll(&p, 1, -1), 1);
	ck_assert_int_eq(cgroup_is_populated(fd), 0);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	(void)close(fd);
}
END_TEST

START_TEST(kill_ends_all_that_is_in_it_daemons_too)
{
	(void)run("(setsid env -i /bin/sh -c 'sleep 60 & sleep 60' >&2 &) ; trap '' TERM; "
		  "echo ready; sleep 60 >&2; sleep 60 >&2");
	ck_assert_int_eq(cgroup_kill(child), 0);
	wait_until_empty();
	ck_assert_int_eq(cgroup_remove(base, "child"), 0);
}
END_TEST

START_TEST(a_signal_reaches_each_process_in_it_and_below)
{
	pid_t first = run("echo ready; exec sleep 60 >&2");
	pid_t second = run("echo ready; exec sleep 60 >&2");
	pid_t outside = kin_sh(NULL, "echo ready; exec sleep 60 >&2");
	ck_assert_int_eq(mkdirat(child, "below", 0755), 0);
	int procs = openat(child, "below/cgroup.procs", O_WRONLY | O_CLOEXEC);
	char text[16];
	snprintf(text, sizeof text, "%d", second);
	ck_assert_int_eq(write(procs, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(procs);

	ck_assert_int_eq(cgroup_signal(child, SIGUSR1), 2);

	ck_assert_int_eq(WTERMSIG(kin_wait(first)), SIGUSR1);
	ck_assert_int_eq(WTERMSIG(kin_wait(second)), SIGUSR1);
	ck_assert(kin_is_alive(outside));
	ck_assert_int_eq(cgroup_signal(child, SIGUSR1), 0);
	ck_assert_int_eq(cgroup_is_populated(child), 0);
	ck_assert_int_eq(cgroup_remove(base, "child"), 0);
}
END_TEST

START_TEST(more_processes_than_are_looked_at_at_once_are_signalled)
{
	(void)run("i=0; while [ $i -lt 149 ]; do sleep 60 >&2 & i=$((i + 1)); done; echo ready; "
		  "exec sleep 60 >&2");
	ck_assert_int_eq(cgroup_signal(child, SIGKILL), 150);
	wait_until_empty();
}
END_TEST

START_TEST(without_pidfds_nothing_is_signalled)
{
	pid_t pid = run("echo ready; exec sleep 60 >&2");
	ck_assert(kin_deny(SYS_pidfd_open, ENOSYS));
	ck_assert_int_eq(cgroup_signal(child, SIGKILL), -ENOSYS);
	ck_assert(kin_is_alive(pid));
}
END_TEST

START_TEST(what_is_in_use_is_not_removed)
{
	(void)run("echo ready; exec sleep 60 >&2");
	ck_assert_int_eq(cgroup_remove(base, "child"), -EBUSY);
	ck_assert_int_eq(cgroup_kill(child), 0);
	wait_until_empty();
	ck_assert_int_eq(mkdirat(child, "a", 0755), 0);
	ck_assert_int_eq(mkdirat(child, "a/b", 0755), 0);
	ck_assert_int_eq(cgroup_remove(base, "child"), 0);
	ck_assert_int_eq(cgroup_remove(base, "child"), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("shepherd/cgroup");
	TCase *tc = tcase_create("cgroup");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_base_that_is_there_is_opened_again);
	tcase_add_test(tc, names_that_lead_elsewhere_are_refused);
	tcase_add_test(tc, a_child_is_made_once_and_can_be_opened_again);
	tcase_add_test(tc, a_limit_of_processes_is_set_where_there_is_one);
	tcase_add_test(tc, a_process_is_started_in_it);
	tcase_add_test(tc, without_clone3_a_process_is_started_in_it_too);
	tcase_add_test(tc, one_that_has_been_removed_takes_no_process);
	tcase_add_test(tc, a_watch_is_ready_once_for_each_change);
	tcase_add_test(tc, kill_ends_all_that_is_in_it_daemons_too);
	tcase_add_test(tc, a_signal_reaches_each_process_in_it_and_below);
	tcase_add_test(tc, more_processes_than_are_looked_at_at_once_are_signalled);
	tcase_add_test(tc, without_pidfds_nothing_is_signalled);
	tcase_add_test(tc, what_is_in_use_is_not_removed);
	suite_add_tcase(suite, tc);
	return suite;
}

/* On a machine where no cgroup may be made there is nothing to test. */
static bool is_possible(void)
{
	char name[64];
	snprintf(name, sizeof name, "wq-test-%d", getpid());
	base = cgroup_open_base(name);
	if (base < 0)
		return false;
	(void)remove_base();
	(void)close(base);
	return true;
}

int main(void)
{
	SRunner *sr =
		srunner_create(is_possible() ? make_suite() : suite_create("shepherd/cgroup"));
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
