/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/herd.h"

#include "base/time.h"
#include "shepherd/record.h"
#include "support/shepherd/flock.h"
#include "support/shepherd/place.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TIME_LIMIT_S = 30,
	MANY_TIME_LIMIT_S = 120,
	MANY = 2000,
	AT_ONCE = 40
};

/* ---- ends ------------------------------------------------------------------------------------ */

START_TEST(the_exit_status_is_told)
{
	flock_begin(_i);
	int64_t before = time_wall_us();
	flock_spawn("a", "exit 7");

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.how, WQ_CHILD_EXITED);
	ck_assert_int_eq(t->end.code, 7);
	ck_assert_uint_eq(t->end.flags, 0);
	ck_assert_uint_eq(t->end.rest, 0);
	ck_assert_int_ge(t->end.began_us, before);
	ck_assert_int_ge(t->end.ended_us, t->end.began_us);
	ck_assert_int_gt(t->end.ran_ns, 0);
	ck_assert_uint_gt(t->end.max_rss_kib, 0);
	ck_assert_uint_gt(t->end.minor_faults, 0);
	ck_assert_uint_eq(flock_n_told, 1);
	flock_no_child_is_left();
}
END_TEST

START_TEST(the_signal_that_ended_it_is_told)
{
	flock_begin(_i);
	flock_spawn("a", "kill -USR1 $$");

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.how, WQ_CHILD_SIGNALLED);
	ck_assert_int_eq(t->end.signal, SIGUSR1);
	ck_assert_uint_eq(t->end.flags & WQ_CHILD_WAS_TOLD, 0);
}
END_TEST

START_TEST(output_goes_to_the_files)
{
	flock_begin(_i);
	flock_spawn("a", "echo out; echo error >&2");

	const struct told *t = flock_wait("a");

	ck_assert_str_eq(place_text("work/stdout"), "out\n");
	ck_assert_str_eq(place_text("work/stderr"), "error\n");
	ck_assert_uint_eq(t->end.out_bytes, 4);
	ck_assert_uint_eq(t->end.out_kept, 4);
	ck_assert_uint_eq(t->end.err_bytes, 6);
	ck_assert_uint_eq(t->end.err_kept, 6);
}
END_TEST

START_TEST(output_is_kept_up_to_its_limit_and_counted_beyond)
{
	flock_begin(_i);
	struct frame_spawn s = flock_sh("a", "head -c 3000000 /dev/zero; printf 123456 >&2");
	s.what.out_limit = 1000;
	s.what.err_limit = 0;
	herd_spawn(flock_herd, &s);

	const struct told *t = flock_wait("a");

	struct stat st;
	ck_assert_int_eq(t->end.code, 0);
	ck_assert_uint_eq(t->end.out_bytes, 3000000);
	ck_assert_uint_eq(t->end.out_kept, 1000);
	ck_assert_uint_eq(t->end.err_bytes, 6);
	ck_assert_uint_eq(t->end.err_kept, 0);
	ck_assert_int_eq(stat(place_at("work/stdout"), &st), 0);
	ck_assert_int_eq(st.st_size, 1000);
}
END_TEST

START_TEST(output_can_be_joined)
{
	flock_begin(_i);
	struct frame_spawn s = flock_sh("a", "echo 1; echo 2 >&2; echo 3");
	s.what.flags = WQ_SPAWN_JOIN_OUTPUT;
	herd_spawn(flock_herd, &s);

	flock_wait("a");

	ck_assert_str_eq(place_text("work/stdout"), "1\n2\n3\n");
	ck_assert_ptr_null(place_text("work/stderr"));
}
END_TEST

START_TEST(input_is_given_and_else_empty)
{
	flock_begin(_i);
	struct frame_spawn s = flock_sh("a", "cat; cat");
	s.what.input = (struct wq_bytes){ .ptr = (const uint8_t *)"all of it", .len = 9 };
	herd_spawn(flock_herd, &s);
	flock_wait("a");
	ck_assert_str_eq(place_text("work/stdout"), "all of it");

	s.what.input.len = 0;
	s.name[0] = 'b';
	herd_spawn(flock_herd, &s);
	ck_assert_int_eq(flock_wait("b")->end.code, 0);
	ck_assert_str_eq(place_text("work/stdout"), "");
}
END_TEST

START_TEST(the_environment_is_what_was_given_and_the_task)
{
	static const char *const argv[] = { "/usr/bin/env", NULL };
	flock_begin(_i);
	struct frame_spawn s = flock_order("a", argv);
	herd_spawn(flock_herd, &s);

	flock_wait("a");

	char want[FRAME_NAME_MAX + 64];
	snprintf(want, sizeof want, "PATH=/usr/bin:/bin\nA=b\nWQ_TASK=%s\n", flock_tag);
	ck_assert_str_eq(place_text("work/stdout"), want);
}
END_TEST

START_TEST(it_runs_in_its_work_directory_or_where_it_was_told)
{
	static const char *const argv[] = { "pwd", NULL };
	flock_begin(_i);
	struct frame_spawn s = flock_order("a", argv);
	herd_spawn(flock_herd, &s);
	flock_wait("a");
	ck_assert_int_eq(
		strncmp(place_text("work/stdout"), place_at("work"), strlen(place_at("work"))), 0);

	s.name[0] = 'b';
	s.what.dir = "/";
	herd_spawn(flock_herd, &s);
	flock_wait("b");
	ck_assert_str_eq(place_text("work/stdout"), "/\n");
}
END_TEST

START_TEST(what_cannot_be_started_says_why)
{
	static const char *const argv[] = { "/no/such/program", NULL };
	flock_begin(_i);
	struct frame_spawn s = flock_order("a", argv);
	herd_spawn(flock_herd, &s);
	ck_assert_uint_eq(flock_n_told, 0); /* not from inside */

	const struct told *t = flock_wait("a");
	ck_assert_int_eq(t->end.how, WQ_CHILD_NOT_STARTED);
	ck_assert_str_eq(t->error, "not-found");
	ck_assert_ptr_nonnull(strstr(t->text, "/no/such/program"));

	s = flock_sh("b", "true");
	s.work_dir = place_at("elsewhere");
	herd_spawn(flock_herd, &s);
	t = flock_wait("b");
	ck_assert_int_eq(t->end.how, WQ_CHILD_NOT_STARTED);
	ck_assert_str_eq(t->error, "no-resources");
	ck_assert_ptr_nonnull(strstr(t->text, "elsewhere"));
	ck_assert_int_eq(flock_cgroups(), 0);
	flock_no_child_is_left();
}
END_TEST

START_TEST(a_work_directory_is_no_symbolic_link)
{
	flock_begin(_i);
	ck_assert_int_eq(symlinkat("work", place_fd, "link"), 0);
	struct frame_spawn s = flock_sh("a", "true");
	s.work_dir = place_at("link");
	herd_spawn(flock_herd, &s);

	ck_assert_str_eq(flock_wait("a")->error, "no-resources");
}
END_TEST

/* ---- what is left behind --------------------------------------------------------------------- */

START_TEST(what_is_left_behind_is_ended)
{
	flock_begin(_i);
	flock_spawn("a", "sleep 1000 & echo left $! ; exit 3");

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.how, WQ_CHILD_EXITED);
	ck_assert_int_eq(t->end.code, 3);
	ck_assert_uint_eq(t->end.rest, 1);
	ck_assert_uint_eq(t->end.flags & WQ_CHILD_WAS_TOLD, 0);
	ck_assert(!flock_is_running(flock_pid(place_text("work/stdout"), "left ")));
	ck_assert_int_eq(flock_cgroups(), 0);
	flock_no_child_is_left();
}
END_TEST

START_TEST(what_is_left_behind_and_ignores_sigterm_is_killed)
{
	flock_begin(_i);
	/* It ignores the signal before its parent ends: so does its parent. */
	struct frame_spawn s = flock_sh("a", "trap '' TERM; setsid sleep 1000 & echo left $!");
	s.what.grace_ms = 50;
	herd_spawn(flock_herd, &s);

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.how, WQ_CHILD_EXITED);
	ck_assert_uint_ge(t->end.rest, 1);
	ck_assert(!flock_is_running(flock_pid(place_text("work/stdout"), "left ")));
	flock_no_child_is_left();
}
END_TEST

START_TEST(what_is_left_behind_may_be_left_alone)
{
	flock_begin(_i);
	struct frame_spawn s = flock_sh("a", "sleep 1000 & echo left $!");
	s.what.flags = WQ_SPAWN_LEAVE_REST;
	herd_spawn(flock_herd, &s);

	const struct told *t = flock_wait("a");

	pid_t pid = flock_pid(place_text("work/stdout"), "left ");
	ck_assert_uint_eq(t->end.rest, 0);
	ck_assert(flock_is_running(pid));
	herd_ack(flock_herd, "a");
	ck_assert_uint_eq(herd_size(flock_herd), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	while (flock_is_running(pid) || flock_cgroups() > 0 || kill(pid, 0) == 0)
		flock_round();
	flock_no_child_is_left();
}
END_TEST

/* More than a pipe holds, so it must be read; and nothing of it is told any more. */
START_TEST(what_is_left_alone_may_go_on_writing)
{
	flock_begin(_i);
	ck_assert_int_eq(mkfifoat(place_fd, "work/gate", 0666), 0);
	struct frame_spawn s = flock_sh("a",
		"echo out; { read x; head -c 300000 /dev/zero; echo more >&2; echo wrote >wrote; "
		"echo again; sleep 1000; } <>gate & echo left $! >&2");
	s.what.flags = WQ_SPAWN_LEAVE_REST;
	herd_spawn(flock_herd, &s);
	int fds = place_open_fds();
	const struct told *t = flock_wait("a");
	ck_assert_uint_eq(t->end.out_bytes, 4);
	herd_ack(flock_herd, "a");
	ck_assert_uint_eq(herd_size(flock_herd), 0);
	ck_assert(!herd_is_idle(flock_herd));

	int gate = openat(place_fd, "work/gate", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(write(gate, "\n", 1), 1);
	(void)flock_output("work/wrote", "wrote");
	(void)close(gate);

	ck_assert_str_eq(place_text("work/stdout"), "out\n");
	ck_assert_ptr_null(strstr(place_text("work/stderr"), "more"));
	/* Until there is nobody who could write. */
	pid_t pid = flock_pid(place_text("work/stderr"), "left ");
	ck_assert(!herd_is_idle(flock_herd));
	ck_assert_int_eq(kill(-getsid(pid), SIGKILL), 0);
	while (!herd_is_idle(flock_herd))
		flock_round();
	flock_no_child_is_left();
	ck_assert_int_lt(place_open_fds(), fds);
}
END_TEST

START_TEST(who_leaves_nothing_is_not_left_alone)
{
	flock_begin(_i);
	struct frame_spawn s = flock_sh("a", "echo out");
	s.what.flags = WQ_SPAWN_LEAVE_REST;
	herd_spawn(flock_herd, &s);
	flock_wait("a");
	herd_ack(flock_herd, "a");

	ck_assert(herd_is_idle(flock_herd));
	ck_assert_str_eq(place_text("work/stdout"), "out\n");
}
END_TEST

/* ---- ending ---------------------------------------------------------------------------------- */

START_TEST(an_end_is_sigterm_first)
{
	flock_begin(_i);
	/* A fork of the shell that has not become sleep(1) yet may take the signal for its parent's. */
	flock_spawn(
		"a", "trap 'echo ending; exit 5' TERM; echo ready; while :; do sleep 0.05; done");
	flock_output("work/stdout", "ready");
	herd_end(flock_herd, "a", WQ_TERM_GRACEFUL, 60000);

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.how, WQ_CHILD_EXITED);
	ck_assert_int_eq(t->end.code, 5);
	ck_assert_uint_eq(t->end.flags, WQ_CHILD_WAS_TOLD);
	ck_assert_str_eq(place_text("work/stdout"), "ready\nending\n");
	flock_no_child_is_left();
}
END_TEST

START_TEST(an_end_is_sigkill_after_the_grace)
{
	flock_begin(_i);
	flock_spawn("a", "trap '' TERM; echo ready; while :; do sleep 1000; done");
	flock_output("work/stdout", "ready");
	herd_end(flock_herd, "a", WQ_TERM_GRACEFUL, 60000);
	herd_end(flock_herd, "a", WQ_TERM_GRACEFUL, 50); /* the shorter one counts */

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.how, WQ_CHILD_SIGNALLED);
	ck_assert_int_eq(t->end.signal, SIGKILL);
	ck_assert_uint_eq(t->end.flags, WQ_CHILD_WAS_TOLD);
	flock_no_child_is_left();
}
END_TEST

START_TEST(one_that_is_stopped_is_ended)
{
	flock_begin(_i);
	flock_spawn("a", "echo ready; kill -STOP $$; sleep 1000");
	flock_output("work/stdout", "ready");
	herd_end(flock_herd, "a", WQ_TERM_GRACEFUL, 60000);

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.signal, SIGTERM);
}
END_TEST

/* In sessions of their own, their parents gone, and deaf. */
START_TEST(an_end_now_ends_also_who_has_run_away)
{
	flock_begin(_i);
	flock_spawn("a",
		"trap '' TERM HUP INT;"
		"(setsid sh -c 'echo one $$ ; while :; do sleep 1000; done' & );"
		"(setsid sh -c '(setsid sh -c \"echo two \\$\\$ ; sleep 1000; :\" & )' & );"
		"while :; do sleep 1000; done");
	flock_output("work/stdout", "one ");
	const char *text = flock_output("work/stdout", "two ");
	pid_t one = flock_pid(text, "one "), two = flock_pid(text, "two ");
	ck_assert(flock_is_running(one) && flock_is_running(two));
	herd_end(flock_herd, "a", WQ_TERM_NOW, 0);

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.signal, SIGKILL);
	ck_assert_uint_eq(t->end.flags, WQ_CHILD_WAS_TOLD);
	ck_assert(!flock_is_running(one));
	ck_assert(!flock_is_running(two));
	flock_no_child_is_left();
	ck_assert_int_eq(flock_cgroups(), 0);
}
END_TEST

START_TEST(an_end_of_one_that_is_not_known_is_nothing)
{
	flock_begin(_i);
	herd_end(flock_herd, "a", WQ_TERM_NOW, 0);
	herd_ack(flock_herd, "a");

	ck_assert_uint_eq(herd_size(flock_herd), 0);
}
END_TEST

START_TEST(the_end_of_one_leaves_the_others_of_its_task_alone)
{
	flock_begin(_i);
	struct frame_spawn s = flock_sh(TASK ".b", "echo ready; exec sleep 1000");
	s.out_name = "b.stdout";
	herd_spawn(flock_herd, &s);
	flock_output("work/b.stdout", "ready");
	flock_spawn(TASK ".a", "echo ready; sleep 1000");
	flock_output("work/stdout", "ready");
	herd_end(flock_herd, TASK ".a", WQ_TERM_NOW, 0);
	flock_wait(TASK ".a");

	ck_assert_ptr_null(flock_find(TASK ".b"));
	ck_assert_uint_eq(herd_alive(flock_herd), 1);
	herd_end(flock_herd, TASK ".b", WQ_TERM_GRACEFUL, 60000);
	ck_assert_int_eq(flock_wait(TASK ".b")->end.signal, SIGTERM);
	flock_no_child_is_left();
}
END_TEST

START_TEST(what_one_leaves_behind_is_ended_while_another_of_its_task_runs)
{
	flock_begin(_i);
	struct frame_spawn s = flock_sh(TASK ".b", "echo ready; exec sleep 1000");
	s.out_name = "b.stdout";
	herd_spawn(flock_herd, &s);
	flock_output("work/b.stdout", "ready");
	flock_spawn(TASK ".a", "sleep 1000 & echo left $!");

	const struct told *t = flock_wait(TASK ".a");

	ck_assert_uint_eq(t->end.rest, 1);
	ck_assert(!flock_is_running(flock_pid(place_text("work/stdout"), "left ")));
	ck_assert_ptr_null(flock_find(TASK ".b"));
	herd_end(flock_herd, TASK ".b", WQ_TERM_GRACEFUL, 60000);
	ck_assert_int_eq(flock_wait(TASK ".b")->end.signal, SIGTERM);
	flock_no_child_is_left();
}
END_TEST

/* ---- names ----------------------------------------------------------------------------------- */

START_TEST(a_name_that_is_known_is_not_run_again)
{
	flock_begin(_i);
	flock_spawn("a", "echo once; exit 0");
	flock_spawn("a", "echo twice");
	flock_wait("a");
	flock_spawn("a", "echo thrice");

	flock_spawn("b", "exit 0");
	flock_wait("b");
	ck_assert_uint_eq(flock_n_told, 2);
	ck_assert_uint_eq(herd_size(flock_herd), 2);
}
END_TEST

START_TEST(one_that_is_acknowledged_is_forgotten)
{
	flock_begin(_i);
	flock_spawn("a", "read x");
	ck_assert_ptr_nonnull(place_text("run/a"));
	herd_ack(flock_herd, "a"); /* it has not ended: nothing */
	ck_assert_uint_eq(herd_size(flock_herd), 1);
	flock_wait("a");
	ck_assert_ptr_nonnull(place_text("run/a"));

	herd_ack(flock_herd, "a");

	ck_assert_uint_eq(herd_size(flock_herd), 0);
	ck_assert_ptr_null(place_text("run/a"));
}
END_TEST

static int n_listed, n_listed_ended;

static void count_listed(void *arg, const struct frame_child *child, const struct wq_child_end *end)
{
	(void)arg;
	ck_assert_int_eq(child->pid == 0, end != NULL);
	n_listed++;
	n_listed_ended += end != NULL;
}

START_TEST(all_that_are_known_are_listed)
{
	flock_begin(_i);
	flock_spawn("a", "exit 0");
	flock_spawn("b", "sleep 1000");
	flock_wait("a");

	n_listed = n_listed_ended = 0;
	herd_each(flock_herd, count_listed, NULL);

	ck_assert_int_eq(n_listed, 2);
	ck_assert_int_eq(n_listed_ended, 1);
	ck_assert_uint_eq(herd_alive(flock_herd), 1);
	herd_end(flock_herd, "b", WQ_TERM_NOW, 0);
	flock_wait("b");
}
END_TEST

/* ---- an earlier shepherd --------------------------------------------------------------------- */

START_TEST(what_an_earlier_shepherd_left_is_ended_and_told_as_unknown)
{
	flock_begin(_i);
	pid_t pid = flock_leave_behind("a", "echo ready $$; exec sleep 1000", NULL);
	flock_open();
	ck_assert(herd_same_boot(flock_herd));
	ck_assert_uint_eq(herd_size(flock_herd), 1);

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.how, WQ_CHILD_UNKNOWN);
	ck_assert_str_eq(t->error, "lost");
	ck_assert_int_gt(t->end.began_us, 0);
	ck_assert(!flock_is_running(pid));
	/* Its name is known: it is not run again. */
	flock_spawn("a", "echo again");
	herd_ack(flock_herd, "a");
	ck_assert_ptr_null(place_text("run/a"));
	ck_assert_ptr_null(strstr(place_text("work/stdout"), "again"));
}
END_TEST

START_TEST(what_an_earlier_shepherd_left_and_is_deaf_is_killed_when_it_is_told)
{
	flock_begin(_i);
	pid_t pid = flock_leave_behind(
		"a", "trap '' TERM; echo ready $$; while :; do sleep 1000; done", NULL);
	flock_open();
	herd_end(flock_herd, "a", WQ_TERM_NOW, 0);

	flock_wait("a");

	ck_assert(!flock_is_running(pid));
}
END_TEST

START_TEST(what_ran_before_the_machine_was_started_has_ended)
{
	flock_begin(_i);
	flock_close();
	struct record r = { .name = "a",
		.tag = TASK,
		.boot = "11111111-2222-3333-4444-555555555555",
		.pid = getpid(),
		.start_ticks = 1 };
	int fd = openat(place_fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(record_make(fd, &r), 0);
	ck_assert_int_eq(record_update(fd, &r), 0);
	(void)close(fd);
	place_put("run/boot", r.boot, 0600);
	flock_open();
	ck_assert(!herd_same_boot(flock_herd));

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.how, WQ_CHILD_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(t->text, "machine"));
}
END_TEST

/* Who recovers has not given an order yet, and may die before it has recovered. */
START_TEST(records_are_complete_from_the_first_order_on)
{
	flock_begin(_i);
	for (int i = 0; i < 2; i++) {
		flock_close();
		flock_open();
		ck_assert(!herd_same_boot(flock_herd));
	}
	flock_spawn("a", "exit 0");
	ck_assert(herd_same_boot(flock_herd));
	flock_wait("a");
	herd_ack(flock_herd, "a");
	flock_close();
	flock_open();
	ck_assert(herd_same_boot(flock_herd));
}
END_TEST

/* ---- many ------------------------------------------------------------------------------------ */

START_TEST(many_children_leave_nothing)
{
	static const char *const argv[] = { "/bin/true", NULL };
	flock_begin(_i);
	struct frame_spawn s = flock_order("warm", argv);
	herd_spawn(flock_herd, &s);
	flock_wait("warm");
	herd_ack(flock_herd, "warm");
	int fds = place_open_fds();
	size_t acked = flock_n_told;

	for (int i = 0; i < MANY || herd_size(flock_herd) > 0;) {
		if (i < MANY && herd_size(flock_herd) < AT_ONCE) {
			snprintf(s.name, sizeof s.name, "c%d", i++);
			herd_spawn(flock_herd, &s);
			continue;
		}
		flock_round();
		for (; acked < flock_n_told; acked++) {
			ck_assert_int_eq(flock_told[acked].end.how, WQ_CHILD_EXITED);
			herd_ack(flock_herd, flock_told[acked].name);
		}
	}

	ck_assert_uint_eq(flock_n_told, MANY + 1);
	ck_assert_int_eq(place_open_fds(), fds);
	ck_assert_int_eq(flock_cgroups(), 0);
	flock_no_child_is_left();
}
END_TEST

/* More at once than the usual limit has descriptors for; and yet that is what they get. */
START_TEST(children_get_the_usual_limit_of_descriptors)
{
	static const struct rlimit usual = { 64, 2048 }, raised = { 2048, 2048 };
	flock_begin(_i);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &raised), 0);
	herd_set_nofile(flock_herd, &usual, &raised);
	for (int i = 0; i < AT_ONCE; i++) {
		char name[8];
		snprintf(name, sizeof name, "c%d", i);
		flock_spawn(name, "sleep 1000");
	}
	flock_spawn("a", "ulimit -Sn; ulimit -Hn");

	ck_assert_int_eq(flock_wait("a")->end.how, WQ_CHILD_EXITED);
	ck_assert_str_eq(place_text("work/stdout"), "64\n2048\n");
	for (int i = 0; i < AT_ONCE; i++) {
		char name[8];
		snprintf(name, sizeof name, "c%d", i);
		herd_end(flock_herd, name, WQ_TERM_NOW, 0);
		ck_assert_int_eq(flock_wait(name)->end.signal, SIGKILL);
	}
	flock_no_child_is_left();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("shepherd/herd");
	TCase *tc = tcase_create("herd");
	tcase_set_timeout(tc, TIME_LIMIT_S);
	tcase_add_checked_fixture(tc, flock_setup, flock_teardown);
	tcase_add_loop_test(tc, the_exit_status_is_told, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, the_signal_that_ended_it_is_told, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, output_goes_to_the_files, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, output_is_kept_up_to_its_limit_and_counted_beyond, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, output_can_be_joined, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, input_is_given_and_else_empty, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, the_environment_is_what_was_given_and_the_task, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, it_runs_in_its_work_directory_or_where_it_was_told, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, what_cannot_be_started_says_why, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, a_work_directory_is_no_symbolic_link, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, what_is_left_behind_is_ended, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, what_is_left_behind_and_ignores_sigterm_is_killed, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, what_is_left_behind_may_be_left_alone, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, what_is_left_alone_may_go_on_writing, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, who_leaves_nothing_is_not_left_alone, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, an_end_is_sigterm_first, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, an_end_is_sigkill_after_the_grace, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, one_that_is_stopped_is_ended, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, an_end_now_ends_also_who_has_run_away, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, an_end_of_one_that_is_not_known_is_nothing, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, the_end_of_one_leaves_the_others_of_its_task_alone, 0, FLOCK_MODES);
	tcase_add_loop_test(
		tc, what_one_leaves_behind_is_ended_while_another_of_its_task_runs, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, a_name_that_is_known_is_not_run_again, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, one_that_is_acknowledged_is_forgotten, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, all_that_are_known_are_listed, 0, FLOCK_MODES);
	tcase_add_loop_test(
		tc, what_an_earlier_shepherd_left_is_ended_and_told_as_unknown, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, what_an_earlier_shepherd_left_and_is_deaf_is_killed_when_it_is_told,
		0, FLOCK_MODES);
	tcase_add_loop_test(tc, what_ran_before_the_machine_was_started_has_ended, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, records_are_complete_from_the_first_order_on, 0, FLOCK_MODES);
	tcase_add_loop_test(tc, children_get_the_usual_limit_of_descriptors, 0, FLOCK_MODES);
	suite_add_tcase(s, tc);

	tc = tcase_create("many");
	tcase_set_timeout(tc, MANY_TIME_LIMIT_S);
	tcase_add_checked_fixture(tc, flock_setup, flock_teardown);
	tcase_add_loop_test(tc, many_children_leave_nothing, 0, FLOCK_MODES);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
