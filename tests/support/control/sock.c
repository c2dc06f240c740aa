/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/control/sock.h"

#include "base/err.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* With what stands before it, too long for a sockaddr_un. */
static const char deep[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
			   "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee";

static void *run(void *arg)
{
	struct sock_server *s = arg;
	while (!s->stop)
		ck_assert_int_eq(loop_run_once(s->loop, -1), 0);
	return NULL;
}

/* It only ends the wait. */
static void on_wake(void *arg, uint32_t events)
{
	(void)arg, (void)events;
}

void sock_server_init(struct sock_server *s)
{
	char path[512];
	const char *tmp = getenv("TMPDIR");
	memset(s, 0, sizeof *s);
	snprintf(s->top, sizeof s->top, "%s/wq-control-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(s->top));
	ck_assert_int_eq(chmod(s->top, 0755), 0);
	snprintf(path, sizeof path, "%s/%s", s->top, deep);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	s->dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(s->dir_fd, 0);
}

void sock_server_fini(struct sock_server *s)
{
	char path[512];
	unlinkat(s->dir_fd, "wq.sock", 0);
	close(s->dir_fd);
	snprintf(path, sizeof path, "%s/%s", s->top, deep);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(rmdir(s->top), 0);
}

void sock_server_start(struct sock_server *s, control_fn *fn)
{
	struct wq_err err = { 0 };
	s->stop = false;
	s->loop = loop_new();
	ck_assert_ptr_nonnull(s->loop);
	int rc = control_open(&s->control, s->loop, s->dir_fd, fn, s, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	s->wake_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_ge(s->wake_fd, 0);
	ck_assert_ptr_nonnull(loop_add_fd(s->loop, s->wake_fd, EPOLLIN, on_wake, s));
	ck_assert_int_eq(pthread_create(&s->thread, NULL, run, s), 0);
}

void sock_server_stop(struct sock_server *s)
{
	if (!s->loop)
		return;
	s->stop = true;
	ck_assert_int_eq(eventfd_write(s->wake_fd, 1), 0);
	pthread_join(s->thread, NULL);
	control_close(s->control);
	loop_free(s->loop);
	close(s->wake_fd);
	s->loop = NULL;
}

static struct sockaddr_un address(const struct sock_server *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/wq.sock", s->dir_fd);
	return sa;
}

int sock_connect(const struct sock_server *s)
{
	struct sockaddr_un sa = address(s);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

void sock_leave_dead(const struct sock_server *s)
{
	struct sockaddr_un sa = address(s);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
	close(fd);
}

void sock_listen_as(const struct sock_server *s, uid_t uid)
{
	struct sockaddr_un sa = address(s);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
	/* The credentials that a peer sees are those of the time of listen. */
	ck_assert_int_eq(seteuid(uid), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(seteuid(0), 0);
}

int sock_ask_as(const struct sock_server *s, uid_t uid, struct wq_err *err)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct buf answer = { 0 };
		struct wq_err why = { 0 };
		int dir = dup(s->dir_fd);
		if (dir < 0 || setresuid(uid, uid, uid) < 0)
			_exit(1);
		control_ask(dir, "status", (struct wq_bytes){ 0 }, &answer, &why);
		if (write(ends[1], &why, sizeof why) != (ssize_t)sizeof why)
			_exit(1);
		_exit(0);
	}
	int status;
	ck_assert_int_eq(read(ends[0], err, sizeof *err), (ssize_t)sizeof *err);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(ends[0]);
	close(ends[1]);
	return err->code;
}
