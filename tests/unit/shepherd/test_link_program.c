/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The link and the program that it starts: first this one under another name, which does what a test
 * wants; then wq-shepherd itself, of the same build, found from the place of this one.
 */
#include "shepherd/link.h"

#include "base/err.h"
#include "base/time.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATIENCE_S = 30
};

static char self[4096], shepherd[4096 + 32], dir[256], work_dir[512];
static int own_fd = -1;
static struct loop *loop;
static struct link *l;

static struct {
	uint32_t n_up, n_down, n_known, n_ended;
	struct frame_hello hello;
	char known[FRAME_NAME_MAX + 1], ended[FRAME_NAME_MAX + 1];
	int64_t known_pid;
	struct wq_child_end end;
	char why[WQ_ERR_TEXT_SIZE];
} news;

static void on_known(void *arg, const struct frame_child *child)
{
	(void)arg;
	news.n_known++;
	news.known_pid = child->pid;
	strcpy(news.known, child->name);
}

static void on_up(void *arg, const struct frame_hello *hello)
{
	(void)arg;
	news.n_up++;
	news.hello = *hello;
}

static void on_down(void *arg, const char *why)
{
	(void)arg;
	news.n_down++;
	snprintf(news.why, sizeof news.why, "%s", why);
}

static void on_ended(void *arg, const char *name, const struct wq_child_end *end)
{
	(void)arg;
	news.n_ended++;
	news.end = *end;
	strcpy(news.ended, name);
}

static void on_room(void *arg)
{
	(void)arg;
}

#define RUN_UNTIL(cond)                                                                            \
	do {                                                                                       \
		for (int64_t end_ = time_mono_ns() + PATIENCE_S * NS_PER_S; !(cond);) {            \
			ck_assert_msg(                                                             \
				time_mono_ns() < end_, "'%s' does not come; %s", #cond, news.why); \
			ck_assert_int_eq(loop_run_once(loop, 20 * NS_PER_MS), 0);                  \
		}                                                                                  \
	} while (0)

static bool is_alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

static void begin(const char *program, const char *root)
{
	const struct link_place place = {
		.own_fd = own_fd,
		.root = root,
		.uuid = "7d9c2c1e-4a6f-4f0e-9c55-0d5c1a2b3c4d",
		.program = program,
		.linger_ns = 60 * NS_PER_S,
	};
	const struct link_events events = { NULL, on_known, on_up, on_down, on_ended, on_room };
	struct wq_err err = { 0 };

	ck_assert_int_eq(link_new(&l, loop, &place, &events, &err), 0);
}

static void begin_real(void)
{
	uint32_t n_up = news.n_up;

	begin(shepherd, dir);
	RUN_UNTIL(news.n_up > n_up);
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%s/wq-link.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(work_dir, sizeof work_dir, "%s/work", dir);
	ck_assert_int_eq(mkdir(work_dir, 0700), 0);
	own_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(own_fd, 0);
	ck_assert_int_eq(mkdirat(own_fd, "run", 0700), 0);
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
}

static void setup_real(void)
{
	setup();
	begin_real();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void clean_up(void)
{
	loop_free(loop);
	close(own_fd);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void teardown(void)
{
	link_free(l, false); /* the program goes with the connection */
	clean_up();
}

static void teardown_real(void)
{
	pid_t pid = (pid_t)news.hello.pid;

	link_free(l, true);
	/* It goes when it has nothing left; it is our child, so that is told. */
	for (int64_t end = time_mono_ns() + PATIENCE_S * NS_PER_S; is_alive(pid);) {
		ck_assert_msg(time_mono_ns() < end, "wq-shepherd does not quit");
		while (waitpid(-1, NULL, WNOHANG) > 0) {
			/* Also those that it has left to us. */
		}
	}
	clean_up();
}

static bool has_zombie(void)
{
	siginfo_t info = { 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

static int listen_in(int at_fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof addr.sun_path, "/proc/self/fd/%d/shepherd.sock", at_fd);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 4) < 0)
		return -1;
	return fd;
}

static const struct frame_hello shepherds_hello = {
	.major = FRAME_MAJOR,
	.minor = FRAME_MINOR,
	.containment = "best effort",
};

/* ---- a program that does what the test wants ---- */

/* What this program does when the link starts it; `root` says which. */
static int act(char **argv)
{
	struct frame_hello hello = shepherds_hello;
	struct buf b = { 0 };
	sigset_t mask;
	char text[512];
	int n_ignored = 0, n_blocked = 0;

	alarm(PATIENCE_S);
	if (strcmp(argv[3], "/exit") == 0)
		return 3;
	if (strcmp(argv[3], "/kill") == 0)
		raise(SIGKILL);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < NSIG; i++) {
		struct sigaction sa = { 0 };
		n_blocked += sigismember(&mask, i) == 1;
		n_ignored += sigaction(i, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
	}
	int n = snprintf(text, sizeof text, "%s %s %s %s blocked=%d ignored=%d cloexec=%d", argv[0],
		argv[1], argv[2], argv[3], n_blocked, n_ignored, fcntl(3, F_GETFD) & FD_CLOEXEC);
	int fd = openat(3, "report", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return 4;
	close(fd);
	unlinkat(3, "shepherd.sock", 0);
	fd = listen_in(3);
	int conn = accept(fd, NULL, NULL);
	hello.pid = getpid();
	frame_put_hello(&b, &hello);
	frame_put_simple(&b, FRAME_LISTED);
	if (conn < 0 || write(conn, b.data, b.len) != (ssize_t)b.len)
		return 5;
	buf_fini(&b);
	while (read(conn, text, sizeof text) > 0) {
		/* Until the link goes. */
	}
	return 0;
}

static void read_report(char *ret, size_t size)
{
	int fd = openat(own_fd, "report", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, ret, size - 1);

	ck_assert_int_gt(n, 0);
	ret[n] = '\0';
	close(fd);
}

START_TEST(where_nobody_listens_the_program_is_started)
{
	char report[512];
	sigset_t some;

	sigemptyset(&some);
	sigaddset(&some, SIGTERM);
	sigaddset(&some, SIGUSR1);
	sigprocmask(SIG_BLOCK, &some, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	begin(self, "/spool of mine");
	RUN_UNTIL(news.n_up == 1);
	ck_assert_uint_eq(news.n_down, 0);
	read_report(report, sizeof report);
	ck_assert_str_eq(report, "wq-shepherd 3 7d9c2c1e-4a6f-4f0e-9c55-0d5c1a2b3c4d /spool of "
				 "mine blocked=0 ignored=0 cloexec=0");
}
END_TEST

START_TEST(the_program_finds_the_directory_though_its_number_is_taken)
{
	/* .wq itself is descriptor 3, or something else is. */
	ck_assert_int_ge(fcntl(own_fd, F_DUPFD_CLOEXEC, 20), 20);
	if (_i == 1 && own_fd != 3) {
		ck_assert_int_eq(dup3(own_fd, 3, O_CLOEXEC), 3);
		close(own_fd);
		own_fd = 3;
	}
	begin(self, "/spool");
	RUN_UNTIL(news.n_up == 1);
	ck_assert_int_eq(fcntl(own_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
END_TEST

START_TEST(a_dead_socket_is_no_obstacle)
{
	int fd = listen_in(own_fd);
	ck_assert_int_ge(fd, 0);
	close(fd);
	begin(self, "/spool");
	RUN_UNTIL(news.n_up == 1);
}
END_TEST

START_TEST(a_program_that_cannot_be_run_is_reported_and_tried_again)
{
	char path[512];

	snprintf(path, sizeof path, "%s/program", dir);
	begin(path, "/spool");
	RUN_UNTIL(news.n_down == 1);
	ck_assert_ptr_nonnull(strstr(news.why, path));
	ck_assert_ptr_nonnull(strstr(news.why, strerror(ENOENT)));

	ck_assert_int_eq(symlink(self, path), 0);
	RUN_UNTIL(news.n_up == 1);
	ck_assert_uint_eq(news.n_down, 1);
}
END_TEST

static void ends_at_once(const char *root, const char *words)
{
	begin(self, root);
	RUN_UNTIL(news.n_down == 1);
	ck_assert_msg(strstr(news.why, words), "'%s' is not in '%s'", words, news.why);
	ck_assert_ptr_nonnull(strstr(news.why, self));

	/* It is tried again; nothing of the last try is left when the next one begins. */
	for (int64_t until = time_mono_ns() + 400 * NS_PER_MS; time_mono_ns() < until;)
		ck_assert_int_eq(loop_run_once(loop, 20 * NS_PER_MS), 0);
	RUN_UNTIL(!has_zombie());
	ck_assert_uint_eq(news.n_down, 1);
	ck_assert_uint_eq(news.n_up, 0);
}

START_TEST(a_program_that_ends_at_once_is_reported_and_reaped)
{
	ends_at_once("/exit", "status 3");
}
END_TEST

START_TEST(a_program_that_is_killed_at_once_is_reported_and_reaped)
{
	ends_at_once("/kill", "signal 9");
}
END_TEST

/* As on Linux before 5.3. */
static void take_pidfds_away(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof code / sizeof *code, code };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
	ck_assert_int_eq(syscall(SYS_pidfd_open, getpid(), 0), -1);
}

START_TEST(it_is_reaped_where_there_are_no_pidfds)
{
	take_pidfds_away();
	ends_at_once("/exit", "status 3");
}
END_TEST

START_TEST(when_it_is_killed_another_is_started)
{
	if (_i == 1)
		take_pidfds_away();
	begin(self, "/spool");
	RUN_UNTIL(news.n_up == 1);
	pid_t first = (pid_t)news.hello.pid;
	ck_assert_int_eq(kill(first, SIGKILL), 0);
	RUN_UNTIL(news.n_up == 2);
	ck_assert_int_ne(news.hello.pid, first);
	ck_assert_msg(news.n_down == 1, "'%s' was told besides", news.why);
	RUN_UNTIL(!has_zombie());
	ck_assert_int_eq(kill(first, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
}
END_TEST

/* ---- wq-shepherd ---- */

static void spawn(const char *name, const char *const *argv)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	struct frame_spawn s = {
		.work_dir = work_dir,
		.out_name = "stdout",
		.err_name = "stderr",
		.what = { .struct_size = sizeof s.what,
			.argv = argv,
			.env = env,
			.out_limit = 1000,
			.err_limit = 1000,
			.grace_ms = 100 },
	};
	struct wq_err err = { 0 };

	strcpy(s.name, name);
	strcpy(s.tag, name);
	ck_assert_int_eq(link_spawn(l, &s, &err), WQ_OK);
}

static const char *const true_argv[] = { "true", NULL };
static const char *const sleep_argv[] = { "sleep", "100", NULL };

START_TEST(a_child_is_run_and_its_end_is_told)
{
	ck_assert_uint_eq(news.n_down, 0);
	ck_assert(strcmp(link_containment(l), "cgroup") == 0 ||
		  strcmp(link_containment(l), "best effort") == 0);
	spawn("u.1.1", true_argv);
	RUN_UNTIL(news.n_ended == 1);
	ck_assert_str_eq(news.ended, "u.1.1");
	ck_assert_int_eq(news.end.how, WQ_CHILD_EXITED);
	ck_assert_int_eq(news.end.code, 0);
	ck_assert_int_eq(link_ack(l, "u.1.1"), 0);
}
END_TEST

START_TEST(a_child_is_ended)
{
	spawn("u.1.1", sleep_argv);
	ck_assert_int_eq(link_end(l, "u.1.1", WQ_TERM_NOW, 0), 0);
	RUN_UNTIL(news.n_ended == 1);
	ck_assert_int_eq(news.end.how, WQ_CHILD_SIGNALLED);
	ck_assert_int_eq(news.end.signal, SIGKILL);
	ck_assert(news.end.flags & WQ_CHILD_WAS_TOLD);
	ck_assert_int_eq(link_ack(l, "u.1.1"), 0);
}
END_TEST

START_TEST(the_next_server_finds_what_runs_and_what_has_ended)
{
	pid_t first = (pid_t)news.hello.pid;

	spawn("u.1.1", sleep_argv);
	link_free(l, false);
	begin_real();
	ck_assert_int_eq(news.hello.pid, first);
	ck_assert_uint_eq(news.n_known, 1);
	ck_assert_str_eq(news.known, "u.1.1");
	ck_assert(is_alive((pid_t)news.known_pid));

	ck_assert_int_eq(link_end(l, "u.1.1", WQ_TERM_GRACEFUL, 1000), 0);
	RUN_UNTIL(news.n_ended == 1);
	ck_assert_int_eq(news.end.signal, SIGTERM);

	/* It is told until it is acknowledged. */
	link_free(l, true);
	begin_real();
	ck_assert_int_eq(news.hello.pid, first);
	RUN_UNTIL(news.n_ended == 2);
	ck_assert_uint_eq(news.n_known, 2);
	ck_assert_int_eq(link_ack(l, "u.1.1"), 0);
	link_free(l, false);
	begin_real();
	ck_assert_uint_eq(news.n_known, 2);
}
END_TEST

START_TEST(when_it_is_killed_the_next_tells_that_the_end_is_not_known)
{
	pid_t first = (pid_t)news.hello.pid;

	spawn("u.1.1", sleep_argv);
	link_free(l, false);
	begin_real();
	ck_assert_uint_eq(news.n_known, 1);
	pid_t child = (pid_t)news.known_pid;

	ck_assert_int_eq(kill(first, SIGKILL), 0);
	RUN_UNTIL(news.n_up == 3);
	ck_assert_uint_eq(news.n_down, 1);
	ck_assert_int_ne(news.hello.pid, first);
	ck_assert_uint_eq(news.n_known, 2);
	ck_assert_str_eq(news.known, "u.1.1");
	RUN_UNTIL(news.n_ended == 1);
	ck_assert_int_eq(news.end.how, WQ_CHILD_UNKNOWN);
	RUN_UNTIL(!is_alive(child) || waitpid(child, NULL, WNOHANG) == child);
	ck_assert_int_eq(link_ack(l, "u.1.1"), 0);
}
END_TEST

static Suite *program_suite(void)
{
	Suite *s = suite_create("shepherd/link_program");
	TCase *program = tcase_create("program");

	tcase_add_checked_fixture(program, setup, teardown);
	tcase_set_timeout(program, 2 * PATIENCE_S);
	tcase_add_test(program, where_nobody_listens_the_program_is_started);
	tcase_add_loop_test(
		program, the_program_finds_the_directory_though_its_number_is_taken, 0, 2);
	tcase_add_test(program, a_dead_socket_is_no_obstacle);
	tcase_add_test(program, a_program_that_cannot_be_run_is_reported_and_tried_again);
	tcase_add_test(program, a_program_that_ends_at_once_is_reported_and_reaped);
	tcase_add_test(program, a_program_that_is_killed_at_once_is_reported_and_reaped);
	tcase_add_test(program, it_is_reaped_where_there_are_no_pidfds);
	tcase_add_loop_test(program, when_it_is_killed_another_is_started, 0, 2);
	suite_add_tcase(s, program);
	return s;
}

static Suite *shepherd_suite(void)
{
	Suite *s = suite_create("shepherd/link_shepherd");
	TCase *any = tcase_create("wq-shepherd");

	tcase_add_checked_fixture(any, setup_real, teardown_real);
	tcase_set_timeout(any, 3 * PATIENCE_S);
	tcase_add_test(any, a_child_is_run_and_its_end_is_told);
	tcase_add_test(any, a_child_is_ended);
	tcase_add_test(any, the_next_server_finds_what_runs_and_what_has_ended);
	tcase_add_test(any, when_it_is_killed_the_next_tells_that_the_end_is_not_known);
	suite_add_tcase(s, any);
	return s;
}

int main(int argc, char **argv)
{
	static const char below[] = "/tests/unit/shepherd/test_link_program";
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (argc == 4 && strcmp(argv[0], "wq-shepherd") == 0)
		return act(argv);
	if (n < (ssize_t)sizeof below)
		return 1;
	snprintf(shepherd, sizeof shepherd, "%.*s/bin/wq-shepherd",
		(int)(n - (ssize_t)strlen(below)), self);

	SRunner *sr = srunner_create(program_suite());
	if (access(shepherd, X_OK) == 0) /* it may not be built: `make` of this test alone */
		srunner_add_suite(sr, shepherd_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
