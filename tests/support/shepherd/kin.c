/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/shepherd/kin.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void kin_setup(void)
{
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

/* The state letter and the parent of a process; 0: none. */
static char state_of(pid_t pid, pid_t *ret_parent)
{
	char path[32], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *end = strrchr(text, ')');
	char state = 0;
	return end && sscanf(end + 1, " %c %d", &state, ret_parent) == 2 ? state : 0;
}

static void kill_children(void)
{
	DIR *d = opendir("/proc");
	ck_assert_ptr_nonnull(d);
	for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
		pid_t pid = (pid_t)atoi(e->d_name), parent = 0;
		if (pid > 0 && state_of(pid, &parent) && parent == getpid())
			(void)kill(pid, SIGKILL);
	}
	(void)closedir(d);
}

void kin_teardown(void)
{
	do
		kill_children();
	while (waitpid(-1, NULL, 0) > 0);
}

pid_t kin_exec(const char *const *argv, const char *const *env)
{
	int ends[2], in[2];
	char word[16] = "";
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)setsid();
		(void)dup2(in[0], 0);
		(void)dup2(ends[1], 1);
		union {
			const char *const *in;
			char *const *out;
		} a = { .in = argv }, e = { .in = env };
		(void)execve(argv[0], a.out, e.out);
		_exit(127);
	}
	(void)close(ends[1]);
	(void)close(in[0]);
	for (size_t len = 0; len < strlen("ready\n");) {
		ssize_t n = read(ends[0], word + len, sizeof word - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		ck_assert_msg(n > 0, "%s did not begin", argv[0]);
		len += (size_t)n;
	}
	ck_assert_str_eq(word, "ready\n");
	(void)close(ends[0]);
	return pid;
}

pid_t kin_sh(const char *tag, const char *script)
{
	char word[512];
	snprintf(word, sizeof word, "WQ_TASK=%s", tag ? tag : "");
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	const char *const env[] = { "PATH=/usr/bin:/bin", tag ? word : NULL, NULL };
	return kin_exec(argv, env);
}

void kin_reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

bool kin_is_alive(pid_t pid)
{
	pid_t parent;
	char state = state_of(pid, &parent);
	return state && state != 'Z' && state != 'X';
}

int kin_wait(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	return status;
}

bool kin_deny(long number, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
