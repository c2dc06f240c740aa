/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/choice.h"

#include "base/err.h"
#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CONFIG_MAX = 1024 * 1024
};

#define WAYS "say which spool: with -S DIR, with WQ_SPOOL, or in the configuration of wq-server"

extern char **environ;

char *choice_read_config(const char *text)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		int at = 0;
		/* In column 0, so that no option of the same name inside a section is meant. */
		if (sscanf(line, "spool = \"%n", &at) < 0 || at == 0)
			continue;
		char *ret = malloc(strlen(line + at) + 1), *to = ret;
		if (!ret)
			return NULL;
		for (const char *p = line + at; *p && *p != '\n'; p++) {
			if (*p == '"') {
				*to = '\0';
				return ret;
			}
			if (*p == '\\' && p[1])
				p++;
			*to++ = *p;
		}
		free(ret);
	}
	return NULL;
}

char *choice_find_server(char ret[PATH_MAX])
{
	static const char *const places[] = { "wq-server", "../sbin/wq-server" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash = NULL;
	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
	}
	for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
		int len = snprintf(ret, PATH_MAX, "%.*s/%s", (int)(slash - self), self, places[i]);
		if (len < PATH_MAX && access(ret, X_OK) == 0)
			return ret;
	}
	snprintf(ret, PATH_MAX, "wq-server");
	return ret;
}

static int start(const char *program, int out, pid_t *ret_pid)
{
	char name[] = "wq-server", option[] = "--print-config";
	char *argv[] = { name, option, NULL };
	posix_spawn_file_actions_t actions;
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc)
		return -rc;
	rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_addopen(
			&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (!rc)
		rc = posix_spawnp(ret_pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -rc;
}

/* 0 and all that it printed, with a NUL; else why not. */
static int print_config(const char *program, struct buf *ret, struct wq_err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	auto_close int from = ends[0];
	auto_close int to = ends[1];
	pid_t pid;
	int rc = start(program, to, &pid);
	if (rc < 0)
		return err_set(err, -WQ_E_UNKNOWN, WAYS " ('%s' cannot be run: %s)", program,
			strerror(-rc));
	fdio_close(&to);
	rc = fdio_read_all(from, CONFIG_MAX, ret);
	fdio_close(&from);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot wait for '%s'", program);
	if (rc == 0)
		rc = buf_add(ret, "", 1);
	if (rc < 0)
		return err_set(err, rc, "cannot read what '%s --print-config' says", program);
	if (status != 0)
		return err_set(err, -WQ_E_UNKNOWN,
			WAYS " ('%s --print-config' failed; run it to see why)", program);
	return 0;
}

int choice_ask_server(char **ret, struct wq_err *err)
{
	char program[PATH_MAX];
	struct buf text = { 0 };
	choice_find_server(program);
	int rc = print_config(program, &text, err);
	if (rc == 0) {
		*ret = choice_read_config((const char *)text.data);
		if (!*ret)
			rc = err_set(err, -WQ_E_UNKNOWN, WAYS " ('%s --print-config' names none)",
				program);
	}
	buf_fini(&text);
	return rc;
}

int choice_find(const char *given, char **ret, const char **ret_rule, struct wq_err *err)
{
	*ret_rule = "option -S";
	if (given && !*given)
		return err_set(err, -WQ_E_UNKNOWN, "-S: the spool's name is empty");
	if (!given) {
		given = getenv("WQ_SPOOL");
		*ret_rule = "WQ_SPOOL";
	}
	if (given && *given) {
		*ret = strdup(given);
		return *ret ? 0 : err_set(err, -ENOMEM, "cannot open the spool");
	}
	*ret_rule = "the configuration of wq-server";
	return choice_ask_server(ret, err);
}
