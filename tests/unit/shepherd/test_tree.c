/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/tree.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/shepherd/kin.h"

/* No execve(2) follows: while it is under way nobody can tell the tag. */
#define SLEEP "echo ready; read -r nothing"

enum {
	BOMB_UID = 54321, /* nobody's, so that its limit of processes is its own */
	BOMB_SIZE = 150,
	BOMB_SECONDS = 20,
	ROUNDS = 20
};

/* One a test, for others may run at the same time. */
static char tag[128];
static const struct tree_mark tagged = { .tag = tag };

static void setup(void)
{
	snprintf(tag, sizeof tag, "0b0f6c52-6d5e-4c5e-9d0a-%012d.%s.1", getpid(),
		"1511472984.123456-0k3v9q2m7t1dh");
	kin_setup();
}

/* Two texts as one; the last eight stay valid. */
static const char *join(const char *a, const char *b)
{
	static char text[8][256];
	static unsigned turn;
	char *ret = text[turn++ % 8];
	snprintf(ret, sizeof text[0], "%s%s", a, b);
	return ret;
}

static int count(const struct tree_mark *mark)
{
	struct tree_look look = { .mark = *mark };
	ck_assert_int_eq(tree_look(&look, 1), 0);
	ck_assert_uint_eq(look.n_signalled, 0);
	return (int)look.n;
}

static int signal_each(const struct tree_mark *mark, int signo)
{
	struct tree_look look = { .mark = *mark, .signo = signo };
	ck_assert_int_eq(tree_look(&look, 1), 0);
	return (int)look.n_signalled;
}

/* Processes take their time to end, and to begin. */
static void wait_count(const struct tree_mark *mark, int n)
{
	while (count(mark) != n) {
		kin_reap();
		(void)sched_yield();
	}
}

/* Without who only seems to belong because he is in execve. */
static int lowest_count(const struct tree_mark *mark)
{
	int lowest = INT_MAX;
	for (int i = 0; i < 50 && lowest > 0; i++) {
		int n = count(mark);
		lowest = n < lowest ? n : lowest;
	}
	return lowest;
}

static void kill_all(const struct tree_mark *mark)
{
	while (tree_kill(mark, 1, ROUNDS) != 0)
		kin_reap();
	wait_count(mark, 0);
}

/* ---- who belongs --------------------------------------------------------------------------------- */

START_TEST(a_process_with_the_tag_belongs)
{
	wait_count(&tagged, 0);
	(void)kin_sh(tag, SLEEP);
	ck_assert_int_eq(count(&tagged), 1);
	(void)kin_sh(join(tag, ".copy"), SLEEP);
	ck_assert_int_eq(count(&tagged), 2);
	ck_assert_int_eq(count(&(struct tree_mark){ .tag = join(tag, ".copy") }), 1);
}
END_TEST

START_TEST(a_process_with_another_tag_does_not)
{
	(void)kin_sh(NULL, SLEEP);
	(void)kin_sh(join(tag, "0"), SLEEP);
	(void)kin_sh(join("x", tag), SLEEP);
	(void)kin_sh("0b0f6c52-6d5e", SLEEP);
	wait_count(&tagged, 0);
	wait_count(&(struct tree_mark){ .tag = "" }, 0);
}
END_TEST

START_TEST(the_tag_is_a_word_of_its_own)
{
	static const char *const argv[] = { "/bin/sh", "-c", SLEEP, NULL };
	const char *const env[] = { join("A=WQ_TASK=", tag), join("XWQ_TASK=", tag), "WQ_TASK",
		NULL };
	(void)kin_exec(argv, env);
	wait_count(&tagged, 0);
}
END_TEST

/* At each place around the bound of a piece that is read. */
START_TEST(the_tag_is_found_behind_much_else)
{
	static const char *const argv[] = { "/bin/sh", "-c", SLEEP, NULL };
	static char before[100 * 1024];
	size_t len = (size_t)(16 * 1024 * (1 + _i % 2 * 4) - 90 + _i * 7);
	const char *const env[] = { before, join("WQ_TASK=", tag), "Z=z", NULL };
	memset(before, 'b', len);
	before[1] = '=';
	before[len] = '\0';
	(void)kin_exec(argv, env);
	ck_assert_int_eq(count(&tagged), 1);
}
END_TEST

START_TEST(the_session_belongs_while_its_child_leads_it)
{
	pid_t pid = kin_sh(NULL, "env -i sleep 60 >&2 & " SLEEP);
	uint64_t ticks = tree_start_ticks(pid);
	ck_assert_uint_gt(ticks, 0);
	struct tree_mark mark = { .tag = tag, .session = pid, .pid = pid };
	wait_count(&mark, 2);
	mark.start_ticks = ticks;
	ck_assert_int_eq(count(&mark), 2);
}
END_TEST

START_TEST(what_a_child_leaves_behind_belongs_to_its_session)
{
	pid_t pid = kin_sh(NULL, "env -i sleep 60 >&2 & echo ready");
	(void)kin_wait(pid);
	const struct tree_mark mark = { .tag = tag, .session = pid };
	wait_count(&mark, 1);
	kill_all(&mark);
}
END_TEST

START_TEST(without_a_tag_to_look_for_the_session_says_who_belongs)
{
	pid_t pid = kin_sh(tag, "sleep 60 >&2 & echo ready");
	(void)kin_sh(tag, SLEEP);
	(void)kin_wait(pid);
	wait_count(&(struct tree_mark){ .tag = "", .session = pid }, 1);
	wait_count(&(struct tree_mark){ .tag = "x", .session = pid }, 0);
	kill_all(&(struct tree_mark){ .tag = "", .session = pid });
	wait_count(&tagged, 1);
}
END_TEST

/* The number of a session is used again once it is free. */
START_TEST(a_session_that_others_may_have_got_does_not_belong)
{
	pid_t pid = kin_sh(join("another-", tag), "(sleep 60 >&2 &); " SLEEP);
	struct tree_mark mark = { .tag = tag, .session = pid, .pid = pid, .start_ticks = 1 };
	wait_count(&(struct tree_mark){ .tag = join("another-", tag) }, 2);
	wait_count(&mark, 0);
	kill_all(&mark);
	mark.pid = 0;
	wait_count(&mark, 0);
}
END_TEST

/* Not a child of ours, as after a shepherd has been killed: a fork of ours is its parent. */
START_TEST(a_session_whose_child_is_gone_does_not_belong_to_a_stranger)
{
	int ends[2];
	pid_t session = 0;
	ck_assert_int_eq(pipe(ends), 0);
	pid_t other = fork();
	if (other == 0) {
		kin_setup();
		session = kin_sh(NULL, "env -i sleep 60 >&2 & echo ready");
		(void)kin_wait(session);
		(void)!write(ends[1], &session, sizeof session);
		for (;;)
			(void)pause();
	}
	ck_assert_int_eq(read(ends[0], &session, sizeof session), sizeof session);
	/* To be seen as a stranger another fork looks, which nothing descends from. */
	pid_t look = fork();
	if (look == 0)
		_exit(lowest_count(&(struct tree_mark){ .tag = tag, .session = session }));
	ck_assert_int_eq(WEXITSTATUS(kin_wait(look)), 0);
	wait_count(&(struct tree_mark){ .tag = tag, .session = session }, 1);
}
END_TEST

START_TEST(a_daemon_belongs_by_its_tag)
{
	pid_t pid = kin_sh(tag, "(setsid sh -c 'sleep 60 & sleep 60' >&2 &); echo ready");
	(void)kin_wait(pid);
	wait_count(&tagged, 3);
	kill_all(&tagged);
}
END_TEST

START_TEST(what_has_cleaned_its_environment_belongs_by_its_parent)
{
	(void)kin_sh(tag, "setsid env -i sh -c 'setsid sleep 60 & sleep 60' >&2 & " SLEEP);
	wait_count(&tagged, 4);
	kill_all(&tagged);
}
END_TEST

START_TEST(a_pid_that_has_been_used_again_does_not_belong)
{
	pid_t pid = kin_sh(NULL, SLEEP);
	struct tree_mark mark = { .tag = tag, .pid = pid };
	mark.start_ticks = tree_start_ticks(pid);
	ck_assert_int_eq(count(&mark), 1);
	mark.start_ticks--;
	wait_count(&mark, 0);
	ck_assert_int_eq(signal_each(&mark, SIGKILL), 0);
	kill_all(&mark);
	ck_assert(kin_is_alive(pid));
}
END_TEST

START_TEST(a_pid_without_a_start_time_is_a_child_of_ours)
{
	pid_t pid = kin_sh(NULL, "sh -c 'echo ready; sleep 60 >&2; :' & wait");
	struct tree_mark mark = { .tag = tag, .pid = pid };
	wait_count(&mark, 3);
	mark.pid = 1;
	wait_count(&mark, 0);
}
END_TEST

START_TEST(we_never_belong_to_what_we_end)
{
	struct tree_mark mark = { .tag = tag, .session = getsid(0), .pid = getpid() };
	mark.start_ticks = tree_start_ticks(getpid());
	(void)signal_each(&mark, SIGKILL);
	kill_all(&mark);
}
END_TEST

START_TEST(a_zombie_does_not_count)
{
	pid_t pid = kin_sh(tag, "echo ready");
	siginfo_t info;
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	wait_count(&(struct tree_mark){ .tag = tag, .pid = pid }, 0);
}
END_TEST

static void *stay(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
	return NULL;
}

START_TEST(a_process_whose_first_thread_has_ended_counts)
{
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		(void)pthread_create(&t, NULL, stay, NULL);
		pthread_exit(NULL);
	}
	const struct tree_mark mark = { .tag = tag, .pid = pid };
	while (kin_is_alive(pid))
		(void)sched_yield();
	ck_assert_int_eq(count(&mark), 1);
	kill_all(&mark);
}
END_TEST

/* ---- signals ------------------------------------------------------------------------------------- */

START_TEST(a_signal_reaches_each)
{
	pid_t a = kin_sh(tag, SLEEP), b = kin_sh(tag, SLEEP), c = kin_sh("other", SLEEP);
	ck_assert_int_eq(signal_each(&tagged, SIGUSR1), 2);
	ck_assert_int_eq(WTERMSIG(kin_wait(a)), SIGUSR1);
	ck_assert_int_eq(WTERMSIG(kin_wait(b)), SIGUSR1);
	ck_assert(kin_is_alive(c));
	ck_assert_int_eq(signal_each(&tagged, SIGUSR1), 0);
}
END_TEST

START_TEST(one_that_is_stopped_sees_the_signal_that_the_second_lets_it_see)
{
	pid_t pid = kin_sh(tag, SLEEP);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	struct tree_look look = { .mark = tagged, .signo = SIGTERM, .then = SIGCONT };
	ck_assert_int_eq(tree_look(&look, 1), 0);
	ck_assert_uint_eq(look.n_signalled, 1);
	ck_assert_int_eq(WTERMSIG(kin_wait(pid)), SIGTERM);
}
END_TEST

/* In one walk, and each of them is answered by itself. */
START_TEST(many_are_looked_at_at_once)
{
	char tags[3][160];
	pid_t pids[3][2];
	struct tree_look looks[3] = { { .signo = SIGUSR1 }, { .signo = 0 }, { .signo = SIGUSR2 } };
	for (int i = 0; i < 3; i++) {
		snprintf(tags[i], sizeof tags[i], "%s-%d", tag, i);
		looks[i].mark.tag = tags[i];
		for (int k = 0; k < 2; k++)
			pids[i][k] = kin_sh(tags[i], SLEEP);
	}

	ck_assert_int_eq(tree_look(looks, 3), 0);

	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(looks[i].n, 2);
		ck_assert_uint_eq(looks[i].n_signalled, looks[i].signo ? 2 : 0);
		for (int k = 0; k < 2; k++)
			if (looks[i].signo)
				ck_assert_int_eq(WTERMSIG(kin_wait(pids[i][k])), looks[i].signo);
			else
				ck_assert(kin_is_alive(pids[i][k]));
	}
}
END_TEST

START_TEST(many_are_killed_at_once)
{
	const char *const tags[] = { join(tag, "-0"), join(tag, "-1") };
	const struct tree_mark marks[] = { { .tag = tags[0] }, { .tag = tags[1] } };
	for (int i = 0; i < 2; i++)
		(void)kin_sh(tags[i], "(setsid sh -c 'sleep 60 & sleep 60' >&2 &); " SLEEP);
	pid_t other = kin_sh(join(tag, "-2"), SLEEP);

	while (tree_kill(marks, 2, ROUNDS) != 0)
		kin_reap();

	wait_count(&marks[0], 0);
	wait_count(&marks[1], 0);
	ck_assert(kin_is_alive(other));
}
END_TEST

START_TEST(who_ignores_a_signal_is_killed)
{
	pid_t pid = kin_sh(tag, "trap '' TERM; " SLEEP);
	ck_assert_int_eq(signal_each(&tagged, SIGTERM), 1);
	ck_assert_int_eq(count(&tagged), 1);
	kill_all(&tagged);
	ck_assert(!kin_is_alive(pid));
}
END_TEST

START_TEST(what_is_stopped_is_killed)
{
	pid_t pid = kin_sh(tag, SLEEP);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	kill_all(&tagged);
	ck_assert(!kin_is_alive(pid));
}
END_TEST

START_TEST(without_pidfds_children_of_ours_are_signalled)
{
	pid_t pid = kin_sh(tag, "sh -c 'echo ready; sleep 60 >&2; :' & wait");
	ck_assert(kin_deny(SYS_pidfd_open, ENOSYS));
	wait_count(&tagged, 3);
	ck_assert_int_eq(signal_each(&tagged, SIGCONT), 1);
	ck_assert_int_ge(signal_each(&tagged, SIGKILL), 1);
	ck_assert_int_eq(WTERMSIG(kin_wait(pid)), SIGKILL);
	/* As a subreaper we get what it leaves behind. */
	kill_all(&tagged);
}
END_TEST

/* ---- what forks faster than it is killed ------------------------------------------------------------ */

static void limit_bomb(void)
{
	struct rlimit few = { .rlim_cur = BOMB_SIZE, .rlim_max = BOMB_SIZE };
	(void)setrlimit(RLIMIT_NPROC, &few);
	if (setresuid(BOMB_UID, BOMB_UID, BOMB_UID) < 0)
		_exit(1);
	(void)!write(1, "ready\n", 6);
}

/* Should its test have failed, it ends by itself. */
static bool has_time(void)
{
	static time_t end;
	if (!end)
		end = time(NULL) + BOMB_SECONDS;
	return time(NULL) < end;
}

/* All of it forks. */
static void wide_bomb(void)
{
	limit_bomb();
	while (has_time())
		if (fork() < 0)
			(void)sched_yield();
}

/* Each has a child, in a session of its own, and ends. */
static void moving_bomb(void)
{
	limit_bomb();
	while (has_time()) {
		if (fork() > 0)
			_exit(0);
		(void)setsid();
	}
}

static void explode(const char *kind)
{
	const char *const argv[] = { "/proc/self/exe", kind, NULL };
	const char *const env[] = { join("WQ_TASK=", tag), "ASAN_OPTIONS=detect_leaks=0", NULL };
	(void)kin_exec(argv, env);
}

START_TEST(a_fork_bomb_is_killed)
{
	explode("--wide-bomb");
	while (count(&tagged) < BOMB_SIZE / 2)
		kin_reap();
	kill_all(&tagged);
}
END_TEST

START_TEST(a_process_that_moves_on_by_forking_is_killed)
{
	explode("--moving-bomb");
	kill_all(&tagged);
	kin_reap();
	wait_count(&tagged, 0);
}
END_TEST

/* ---- recycled pids --------------------------------------------------------------------------------- */

/* A child with a pid of our choice: it waits for signals. */
static pid_t fork_as(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	args.set_tid = (uintptr_t)&pid;
	args.set_tid_size = 1;
	long rc = syscall(SYS_clone3, &args, sizeof args);
	if (rc == 0)
		for (;;)
			(void)pause();
	return rc < 0 ? -errno : (pid_t)rc;
}

static pid_t end_and_fork_as(pid_t pid)
{
	uint64_t ticks = tree_start_ticks(pid);
	do {
		(void)kill(pid, SIGKILL);
		(void)kin_wait(pid);
		if (fork_as(pid) != pid)
			return -1;
		/* Until it is another one by its start time too, which counts in 10 ms. */
	} while (tree_start_ticks(pid) == ticks);
	return pid;
}

static pid_t recycle; /* this one, when its pidfd is about to be opened */

/* Stands before the one of the C library; it reads more than most callers give. */
__attribute__((no_sanitize("address"))) long syscall(long number, ...)
{
	static long (*real)(long, ...);
	va_list ap;
	long a[6];
	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (!real) {
		void *found = dlsym(RTLD_NEXT, "syscall");
		memcpy(&real, &found, sizeof real);
	}
	if (number == SYS_pidfd_open && recycle && (pid_t)a[0] == recycle) {
		recycle = 0;
		if (end_and_fork_as((pid_t)a[0]) < 0)
			abort();
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The worst time: after the process was read and before its pidfd is opened. */
START_TEST(a_process_that_has_got_the_pid_of_another_is_not_signalled)
{
	pid_t pid = kin_sh(tag, SLEEP);
	recycle = pid;
	ck_assert_int_eq(signal_each(&tagged, SIGKILL), 0);
	ck_assert_int_eq(recycle, 0);
	ck_assert(kin_is_alive(pid));

	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	(void)kin_wait(pid);
	pid = kin_sh(tag, SLEEP);
	recycle = pid;
	kill_all(&tagged);
	ck_assert_int_eq(recycle, 0);
	ck_assert(kin_is_alive(pid));
}
END_TEST

static bool can_choose_pids(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	(void)kin_wait(pid);
	pid_t again = fork_as(pid);
	if (again < 0)
		return false;
	(void)kill(again, SIGKILL);
	(void)kin_wait(again);
	return true;
}

/* ---- strays --------------------------------------------------------------------------------------- */

static pid_t known;
static char stray_tags[4][200];
static pid_t stray_pids[4];
static int n_strays;

static bool is_known(void *arg, pid_t pid)
{
	ck_assert_ptr_eq(arg, &known);
	return pid == known;
}

static void note(void *arg, pid_t pid, const char *of)
{
	ck_assert_ptr_eq(arg, &known);
	ck_assert_int_lt(n_strays, 4);
	stray_pids[n_strays] = pid;
	snprintf(stray_tags[n_strays++], sizeof stray_tags[0], "%s", of);
}

START_TEST(strays_are_the_children_that_nobody_knows)
{
	char longest[161];
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	known = kin_sh(tag, SLEEP);
	ck_assert_int_eq(tree_strays(is_known, note, &known), 0);

	pid_t parent = kin_sh(join(tag, ".a"), "setsid sleep 60 >&2 & echo ready");
	siginfo_t info;
	ck_assert_int_eq(waitid(P_PID, (id_t)parent, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(tree_strays(is_known, note, &known), 1);
	ck_assert_str_eq(stray_tags[0], join(tag, ".a"));
	ck_assert_int_ne(stray_pids[0], parent);
	ck_assert(kin_is_alive(stray_pids[0]));

	ck_assert_int_eq(kill(stray_pids[0], SIGKILL), 0);
	(void)kin_wait(stray_pids[0]);
	n_strays = 0;
	(void)kin_sh(longest, SLEEP);
	(void)kin_sh(NULL, SLEEP);
	ck_assert_int_eq(tree_strays(is_known, note, &known), 2);
	ck_assert_str_eq(stray_tags[0], "");
	ck_assert_str_eq(stray_tags[1], "");
}
END_TEST

START_TEST(a_process_has_one_start_time)
{
	pid_t pid = kin_sh(NULL, SLEEP);
	uint64_t ticks = tree_start_ticks(pid);
	ck_assert_uint_gt(ticks, 0);
	ck_assert_uint_ge(ticks, tree_start_ticks(getpid()));
	ck_assert_uint_eq(tree_start_ticks(pid), ticks);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	(void)kin_wait(pid);
	ck_assert_uint_eq(tree_start_ticks(pid), 0);
}
END_TEST

static TCase *make_case(const char *name)
{
	TCase *tc = tcase_create(name);
	tcase_add_checked_fixture(tc, setup, kin_teardown);
	return tc;
}

static TCase *make_signals(void)
{
	TCase *tc = make_case("signals");
	tcase_add_test(tc, a_signal_reaches_each);
	tcase_add_test(tc, one_that_is_stopped_sees_the_signal_that_the_second_lets_it_see);
	tcase_add_test(tc, many_are_looked_at_at_once);
	tcase_add_test(tc, many_are_killed_at_once);
	tcase_add_test(tc, who_ignores_a_signal_is_killed);
	tcase_add_test(tc, what_is_stopped_is_killed);
	tcase_add_test(tc, without_pidfds_children_of_ours_are_signalled);
	/* A limit of processes binds who is not root, and only root may become another. */
	if (geteuid() == 0) {
		tcase_add_test(tc, a_fork_bomb_is_killed);
		tcase_add_test(tc, a_process_that_moves_on_by_forking_is_killed);
	}
	/* clone(2), set_tid: needs Linux 5.5 and a capability. */
	if (can_choose_pids())
		tcase_add_test(tc, a_process_that_has_got_the_pid_of_another_is_not_signalled);
	tcase_set_timeout(tc, 20);
	return tc;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("shepherd/tree");
	TCase *tc = make_case("belongs");
	tcase_add_test(tc, a_process_with_the_tag_belongs);
	tcase_add_test(tc, a_process_with_another_tag_does_not);
	tcase_add_test(tc, the_tag_is_a_word_of_its_own);
	tcase_add_loop_test(tc, the_tag_is_found_behind_much_else, 0, 14);
	tcase_add_test(tc, the_session_belongs_while_its_child_leads_it);
	tcase_add_test(tc, what_a_child_leaves_behind_belongs_to_its_session);
	tcase_add_test(tc, without_a_tag_to_look_for_the_session_says_who_belongs);
	tcase_add_test(tc, a_session_that_others_may_have_got_does_not_belong);
	tcase_add_test(tc, a_session_whose_child_is_gone_does_not_belong_to_a_stranger);
	tcase_add_test(tc, a_daemon_belongs_by_its_tag);
	tcase_add_test(tc, what_has_cleaned_its_environment_belongs_by_its_parent);
	tcase_add_test(tc, a_pid_that_has_been_used_again_does_not_belong);
	tcase_add_test(tc, a_pid_without_a_start_time_is_a_child_of_ours);
	tcase_add_test(tc, we_never_belong_to_what_we_end);
	tcase_add_test(tc, a_zombie_does_not_count);
	tcase_add_test(tc, a_process_whose_first_thread_has_ended_counts);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, make_signals());
	tc = make_case("strays");
	tcase_add_test(tc, strays_are_the_children_that_nobody_knows);
	tcase_add_test(tc, a_process_has_one_start_time);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		if (strcmp(argv[1], "--wide-bomb") == 0)
			wide_bomb();
		else
			moving_bomb();
		return 0;
	}
	SRunner *sr = srunner_create(make_suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
