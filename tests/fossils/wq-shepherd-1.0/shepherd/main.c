/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq-shepherd: the parent of the commands that a server runs; see wq-shepherd(8).
 */
#include "shepherd/serve.h"

#include "base/err.h"
#include "base/fdio.h"
#include "base/log.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	OWN_FD = 3,
	OOM_SCORE_ADJ = -500,    /* of -1000 to 1000: its end would lose what it knows */
	DESCRIPTORS_MAX = 65536, /* up to six a child */
	UUID_MAX = 36
};

struct arguments {
	int own_fd;
	const char *uuid, *root;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	int used = 0;
	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num == 0 && (sscanf(arg, "%d%n", &a->own_fd, &used) != 1 ||
						   arg[used] || a->own_fd < OWN_FD))
			argp_error(state, "FD is a descriptor of 3 or more, not '%s'", arg);
		if (state->arg_num == 1 &&
			(strlen(arg) > UUID_MAX || strspn(arg, "0123456789abcdef-") != strlen(arg)))
			argp_error(state, "UUID is that of a spool, not '%s'", arg);
		if (state->arg_num > 2)
			argp_error(state, "'%s' is too many", arg);
		*(state->arg_num == 1 ? &a->uuid : &a->root) = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < 3)
			argp_error(state, "it is started by wq-server, with FD, UUID and ROOT");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Only the directory and standard error are ours; whatever else the server had is not. */
static int set_descriptors(int own_fd, struct wq_err *err)
{
	struct stat st;
	if (fstat(own_fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "descriptor %d is not that of a directory", own_fd);
	if (own_fd != OWN_FD && dup2(own_fd, OWN_FD) < 0)
		return err_set(err, -errno, "cannot duplicate descriptor %d", own_fd);
	if (fcntl(OWN_FD, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot keep descriptor %d", OWN_FD);
	closefrom(OWN_FD + 1);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
		return err_set(err, -errno, "cannot open /dev/null");
	if (fcntl(STDERR_FILENO, F_GETFD) < 0 && dup2(null_fd, STDERR_FILENO) < 0)
		return err_set(err, -errno, "cannot open /dev/null");
	if (null_fd > OWN_FD)
		(void)close(null_fd);
	return 0;
}

static int become_own_session(struct wq_err *err)
{
	(void)setsid(); /* EPERM: it has one already */
	(void)umask(077);
	if (chdir("/") < 0)
		return err_set(err, -errno, "cannot change to '/'");
	/* It lives long and does little: memory goes back at once, and arenas are for threads. */
	(void)mallopt(M_TRIM_THRESHOLD, 64 * 1024);
	(void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	return 0;
}

/* Each child costs it descriptors; the children get the limit that we had. */
static void raise_nofile(struct herd *h)
{
	struct rlimit usual, raised;
	if (getrlimit(RLIMIT_NOFILE, &usual) < 0 || usual.rlim_cur >= DESCRIPTORS_MAX)
		return;
	raised = usual;
	raised.rlim_cur = usual.rlim_max < DESCRIPTORS_MAX ? usual.rlim_max : DESCRIPTORS_MAX;
	if (raised.rlim_cur > usual.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0)
		herd_set_nofile(h, &usual, &raised);
}

/* Only root may go below what it has. */
static void lower_oom_score(struct herd *h)
{
	char text[16], *end;
	auto_close int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t n = fdio_pread(fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	long usual = strtol(text, &end, 10);
	if (end == text || usual <= OOM_SCORE_ADJ)
		return;
	int len = snprintf(text, sizeof text, "%d", OOM_SCORE_ADJ);
	if (fdio_write_all(fd, text, (size_t)len) == 0)
		herd_set_oom_score(h, (int)usual);
}

static void on_stop(void *arg, int signo)
{
	struct serve *s = arg;
	log_notice("wq-shepherd: ending all children: %s", strsignal(signo));
	serve_stop(s, SERVE_STOP_GRACE_MS);
}

static int run(struct loop *loop, const struct arguments *a, struct wq_err *err)
{
	struct serve *s = NULL;
	sigset_t stop;
	int rc = serve_new(&s, loop, OWN_FD, a->uuid, err);
	if (rc < 0)
		return rc;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	rc = loop_catch_signals(loop, &stop, on_stop, s);
	if (rc < 0)
		(void)err_set(err, rc, "cannot catch signals");
	raise_nofile(serve_herd(s));
	lower_oom_score(serve_herd(s));
	while (rc == 0 && !serve_is_done(s)) {
		rc = loop_run_once(loop, -1);
		if (rc < 0)
			(void)err_set(err, rc, "cannot wait for events");
	}
	serve_free(s);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { NULL, parse_option, "FD UUID ROOT",
		"The parent of the commands that wq-server runs, so that they outlive it.  Started "
		"by "
		"wq-server; see wq-shepherd(8).",
		NULL, NULL, NULL };
	struct arguments a = { 0 };
	struct wq_err err = { .struct_size = sizeof err };
	argp_program_version = "wq-shepherd " WQ_VERSION;
	argp_parse(&argp, argc, argv, 0, NULL, &a);

	int rc = set_descriptors(a.own_fd, &err);
	if (rc == 0)
		rc = become_own_session(&err);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of write(2) */
	(void)signal(SIGHUP, SIG_IGN);
	struct loop *loop = rc == 0 ? loop_new() : NULL;
	if (rc == 0 && !loop)
		rc = err_set(&err, -errno, "cannot make an event loop");
	if (rc == 0)
		rc = run(loop, &a, &err);
	loop_free(loop);
	if (rc < 0)
		log_err("wq-shepherd: %s: %s", a.root, err.text);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
