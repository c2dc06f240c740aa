/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/cli/command.h"

#include "cli/exit.h"

#include <argp.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ARGS_MAX = 16
};

static void take(int fd, char *ret, size_t size)
{
	ssize_t n = pread(fd, ret, size - 1, 0);
	ck_assert_int_ge(n, 0);
	ret[n] = '\0';
	close(fd);
}

static int temporary(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void child(const char *spool, cli_fn *fn, const char *const *argv, int out, int err)
{
	char *copies[ARGS_MAX] = { NULL };
	int argc = 0;
	for (; argv[argc] && argc < ARGS_MAX - 1; argc++)
		copies[argc] = strdup(argv[argc]);
	struct cli cli = { .given = spool };
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	argp_err_exit_status = EXIT_WQ;
	int status = fn(&cli, argc, copies);
	cli_close(&cli);
	for (int i = 0; i < argc; i++)
		free(copies[i]);
	exit(status);
}

void command_run(struct said *ret, const char *spool, cli_fn *fn, const char *const *argv,
	const char *stdout_to)
{
	int err = temporary(), status;
	int out = stdout_to ? open(stdout_to, O_WRONLY | O_CLOEXEC) : temporary();
	ck_assert_int_ge(out, 0);
	fflush(NULL);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		child(spool, fn, argv, out, err);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	ret->out[0] = '\0';
	if (stdout_to)
		close(out);
	else
		take(out, ret->out, sizeof ret->out);
	take(err, ret->err, sizeof ret->err);
}
