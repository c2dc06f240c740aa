/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/server_start.h"

#include "base/err.h"
#include "base/fdio.h"
#include "base/time.h"
#include "cli/choice.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/exit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	READY_FD = 3, /* in the server */
	LOG_MODE = 0600,
	DIR_MODE = 0700,
	OPEN_LOG = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
};

/* A server that somebody else has just started has taken the lock, and answers soon. */
#define OTHER_NS   (1 * NS_PER_S)
#define ASK_MIN_NS (5 * NS_PER_MS)
#define ASK_MAX_NS (1 * NS_PER_S)
#define LIMIT_NS   (SERVER_START_LIMIT_S * NS_PER_S)

/* How wq-server says that it found the lock held. */
#define LOCKED_WORDS "another wq-server "

/* ---- the log --------------------------------------------------------------------------------- */

int server_start_log_path(char ret[PATH_MAX], struct wq_err *err)
{
	const char *dir = getenv("XDG_STATE_HOME"), *between = "";
	if (!dir || dir[0] != '/') {
		dir = getenv("HOME");
		between = "/.local/state";
	}
	if (!dir || dir[0] != '/')
		return err_set(err, -WQ_E_UNKNOWN,
			"there is no place for the server's log: neither XDG_STATE_HOME nor HOME "
			"is an absolute path");
	int n = snprintf(ret, PATH_MAX, "%s%s/wq/server.log", dir, between);
	if (n < 0 || n >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "cannot name the server's log");
	return 0;
}

static void make_parents(const char *path)
{
	char part[PATH_MAX];
	snprintf(part, sizeof part, "%s", path);
	for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(part, DIR_MODE); /* opening the file reports what is missing */
		*slash = '/';
	}
}

/* A descriptor or -errno. */
static int open_log(const char *path, struct wq_err *err)
{
	struct stat st;
	int fd = open(path, OPEN_LOG, LOG_MODE);
	if (fd < 0)
		return err_set(err, -errno, "cannot open the server's log '%s'", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(err, -WQ_E_FORMAT, "the server's log '%s' is not a plain file", path);
}

/* Without the "<3>" that a line has for the journal. */
static const char *without_level(const char *line)
{
	return line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>' ? line + 3
										    : line;
}

/* The end of what stands behind `from`; "" where nothing does. */
static void read_tail(int log_fd, off_t from, char ret[SERVER_START_TAIL + 1])
{
	off_t end = lseek(log_fd, 0, SEEK_END);
	if (end - from > SERVER_START_TAIL)
		from = end - SERVER_START_TAIL;
	ssize_t n = fdio_pread(log_fd, ret, SERVER_START_TAIL, from);
	ret[n > 0 ? n : 0] = '\0';
}

static void show_tail(int log_fd, off_t from)
{
	char text[SERVER_START_TAIL + 1];
	char *lines[SERVER_START_LINES] = { NULL };
	size_t n_lines = 0;
	read_tail(log_fd, from, text);
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (*line)
			lines[n_lines++ % SERVER_START_LINES] = line;
	size_t first = n_lines > SERVER_START_LINES ? n_lines - SERVER_START_LINES : 0;
	for (size_t i = first; i < n_lines; i++)
		cli_say("  %s", without_level(lines[i % SERVER_START_LINES]));
}

/* ---- the program ------------------------------------------------------------------------------ */

/* 0 or a number of errno.  The server keeps nothing of ours: no descriptor, terminal or directory. */
static int set_actions(posix_spawn_file_actions_t *actions, int log_fd, int ready_fd)
{
	const char *config = getenv("WQ_CONFIG");
	int rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(actions, log_fd, STDOUT_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(actions, log_fd, STDERR_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(actions, ready_fd, READY_FD);
	if (!rc)
		rc = posix_spawn_file_actions_addclosefrom_np(actions, READY_FD + 1);
	if (!rc && (!config || config[0] == '/'))
		rc = posix_spawn_file_actions_addchdir_np(actions, "/");
	return rc;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	int rc = posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	if (!rc)
		rc = posix_spawnattr_setsigmask(attributes, &none);
	return rc ? rc : posix_spawnattr_setsigdefault(attributes, &all);
}

/*
 * What a caller has set for itself alone would hold for all tasks from now on.  What may be undone
 * is: a soft limit goes up to the hard one, of those that are usually lower to what is usual.
 */
static const struct {
	int resource;
	rlim_t usual;
} limits[] = {
	{ RLIMIT_CPU, RLIM_INFINITY },
	{ RLIMIT_FSIZE, RLIM_INFINITY },
	{ RLIMIT_DATA, RLIM_INFINITY },
	{ RLIMIT_RSS, RLIM_INFINITY },
	{ RLIMIT_AS, RLIM_INFINITY },
	{ RLIMIT_NPROC, RLIM_INFINITY },
	{ RLIMIT_NOFILE, 1024 },
	{ RLIMIT_STACK, 8 * 1024 * 1024 },
};

enum {
	N_LIMITS = sizeof limits / sizeof *limits
};

struct surroundings {
	struct rlimit limits[N_LIMITS];
	int niceness;
};

/* Ours, for as long as the server is made from us. */
static void leave_surroundings(struct surroundings *ret)
{
	for (size_t i = 0; i < N_LIMITS; i++) {
		struct rlimit *was = &ret->limits[i];
		if (getrlimit(limits[i].resource, was) < 0) {
			*was = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
			continue;
		}
		struct rlimit to = *was;
		rlim_t usual = limits[i].usual < to.rlim_max ? limits[i].usual : to.rlim_max;
		to.rlim_cur = to.rlim_cur < usual ? usual : to.rlim_cur;
		(void)setrlimit(limits[i].resource, &to); /* else it stays as it is */
	}
	ret->niceness = getpriority(PRIO_PROCESS, 0);
	if (ret->niceness > 0)
		(void)setpriority(PRIO_PROCESS, 0, 0); /* few may */
}

static void restore_surroundings(const struct surroundings *was)
{
	for (size_t i = 0; i < N_LIMITS; i++)
		(void)setrlimit(limits[i].resource, &was->limits[i]);
	if (was->niceness > 0)
		(void)setpriority(PRIO_PROCESS, 0, was->niceness);
}

static int spawn_with(
	posix_spawn_file_actions_t *actions, const char *program, char **env, pid_t *ret_pid)
{
	char name[] = "wq-server", option[32];
	char *argv[] = { name, option, NULL };
	posix_spawnattr_t attributes;
	struct surroundings ours;
	snprintf(option, sizeof option, "--ready-fd=%d", READY_FD);
	int rc = posix_spawnattr_init(&attributes);
	if (rc)
		return rc;
	rc = set_attributes(&attributes);
	if (!rc) {
		leave_surroundings(&ours);
		rc = posix_spawnp(ret_pid, program, actions, &attributes, argv, env);
		restore_surroundings(&ours);
	}
	posix_spawnattr_destroy(&attributes);
	return rc;
}

static int spawn(const char *program, int log_fd, int ready_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	/* Out of the way of those that the server gets, whichever of ours are closed. */
	auto_close int log = fcntl(log_fd, F_DUPFD_CLOEXEC, READY_FD + 1);
	auto_close int ready = fcntl(ready_fd, F_DUPFD_CLOEXEC, READY_FD + 1);
	if (log < 0 || ready < 0)
		return -errno;
	/* Whoever starts us, it is not the server that is ready. */
	char **env = command_environment("NOTIFY_SOCKET");
	int rc = env ? posix_spawn_file_actions_init(&actions) : ENOMEM;
	if (!rc) {
		rc = set_actions(&actions, log, ready);
		if (!rc)
			rc = spawn_with(&actions, program, env, ret_pid);
		posix_spawn_file_actions_destroy(&actions);
	}
	free(env);
	return -rc;
}

/* 1: ready; 0: it has closed its end without a word; -WQ_E_TIMEOUT; -errno. */
static int wait_until_ready(int fd)
{
	int64_t deadline = time_after(time_mono_ns(), LIMIT_NS);
	for (;;) {
		int64_t left = deadline - time_mono_ns();
		if (left <= 0)
			return -WQ_E_TIMEOUT;
		char byte;
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int rc = poll(&p, 1, (int)(left / NS_PER_MS) + 1);
		if (rc > 0) {
			ssize_t n = read(fd, &byte, 1);
			if (n >= 0)
				return (int)n;
			rc = -1;
		}
		if (rc < 0 && errno != EINTR)
			return -errno;
	}
}

int server_start_run(const char *program, int log_fd, struct server_start *ret, struct wq_err *err)
{
	int ends[2];
	*ret = (struct server_start){ 0 };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	auto_close int from = ends[0];
	auto_close int to = ends[1];
	int rc = spawn(program, log_fd, to, &ret->pid);
	if (rc < 0)
		return err_set(err, rc, "cannot run '%s'", program);
	fdio_close(&to);
	rc = wait_until_ready(from);
	ret->ready = rc == 1;
	ret->too_slow = rc == -WQ_E_TIMEOUT;
	if (rc < 0 && !ret->too_slow)
		return err_set(err, rc, "cannot hear from wq-server");
	while (rc == 0 && waitpid(ret->pid, &ret->status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot wait for wq-server");
	return 0;
}

/* ---- is there one? ---------------------------------------------------------------------------- */

/* Open it anew: what a server has made since is seen then. */
static int reopen(struct cli *cli, struct wq_err *err)
{
	wq_close(cli->client);
	cli->client = NULL;
	return wq_open(&cli->client, cli->spool, err);
}

static bool is_none(enum served is)
{
	return is == SERVED_NO || is == SERVED_NOT_ASKED;
}

/* SERVED_NOT_ASKED: there is no spool yet. */
static enum served ask_anew(struct cli *cli)
{
	return reopen(cli, NULL) == 0 ? served_ask(cli) : SERVED_NOT_ASKED;
}

/* Sleep, longer each time but not beyond the deadline; interrupted: shorter. */
static void pause_until(int64_t *pause_ns, int64_t deadline_ns)
{
	int64_t left = deadline_ns - time_mono_ns();
	int64_t now = *pause_ns < left ? *pause_ns : left;
	if (now > 0)
		(void)poll(NULL, 0, (int)(now / NS_PER_MS) + 1);
	*pause_ns = 2 * *pause_ns < ASK_MAX_NS ? 2 * *pause_ns : ASK_MAX_NS;
}

/* One that found the spool locked has ended; the one that has the lock answers before long. */
static bool other_answers(struct cli *cli)
{
	int64_t pause = ASK_MIN_NS, deadline = time_after(time_mono_ns(), OTHER_NS);
	while (is_none(ask_anew(cli))) {
		if (time_mono_ns() >= deadline)
			return false;
		pause_until(&pause, deadline);
	}
	return true;
}

static bool is_same_spool(const char *a, const char *b)
{
	struct stat x, y;
	if (strcmp(a, b) == 0)
		return true;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_configured(const struct cli *cli)
{
	char *configured = NULL;
	if (choice_ask_server(&configured, NULL) < 0)
		return false;
	bool ret = is_same_spool(configured, cli->spool);
	free(configured);
	return ret;
}

/* ---- start ------------------------------------------------------------------------------------ */

static void say_failed(const struct server_start *s, const char *log, int log_fd, off_t from)
{
	char how[64];
	if (WIFSIGNALED(s->status))
		snprintf(how, sizeof how, "it was ended by signal %d", WTERMSIG(s->status));
	else
		snprintf(how, sizeof how, "its exit status is %d", WEXITSTATUS(s->status));
	cli_say("no server was running, and wq-server could not be started: %s; log in %s", how,
		log);
	show_tail(log_fd, from);
}

/* wq-server(8): 2 is a wrong configuration, 1 all else that it cannot start with. */
static bool was_locked(const struct server_start *s, int log_fd, off_t from)
{
	char text[SERVER_START_TAIL + 1];
	if (!WIFEXITED(s->status) || WEXITSTATUS(s->status) != EXIT_FAILURE)
		return false;
	read_tail(log_fd, from, text);
	return strstr(text, LOCKED_WORDS) != NULL;
}

/* One that makes its spool slowly: until it has there is nothing to put a request in.  False: it has
 * ended before. */
static bool await_spool(struct cli *cli, struct server_start *s)
{
	for (int64_t pause = ASK_MIN_NS; reopen(cli, NULL) < 0;) {
		if (waitpid(s->pid, &s->status, WNOHANG) == s->pid)
			return false;
		pause_until(&pause, TIME_NEVER);
	}
	return true;
}

/* It is ready, or makes itself ready. */
static int say_started(
	struct cli *cli, struct server_start *s, const char *log, int log_fd, off_t from)
{
	if (s->ready) {
		cli_say("no server was running; started wq-server (pid %d), log in %s", (int)s->pid,
			log);
		return 0;
	}
	cli_say("no server was running; started wq-server (pid %d), which is not ready after %d s "
		"and goes on, log in %s",
		(int)s->pid, SERVER_START_LIMIT_S, log);
	if (await_spool(cli, s))
		return 0;
	say_failed(s, log, log_fd, from);
	return EXIT_WQ;
}

/*
 * The log's lock is held: of two who start a server the second one waits for the first.  A server
 * that ends, or is long in starting, has the spool's lock and does not answer: then once more.
 */
static int start_locked(struct cli *cli, const char *log, int log_fd)
{
	struct server_start s;
	struct wq_err err = { 0 };
	char program[PATH_MAX];
	int64_t deadline = time_after(time_mono_ns(), LIMIT_NS);
	if (!is_none(ask_anew(cli)))
		return 0;
	choice_find_server(program);
	for (;;) {
		off_t from = lseek(log_fd, 0, SEEK_END);
		if (server_start_run(program, log_fd, &s, &err) < 0) {
			cli_say("no server was running, and none could be started: %s", err.text);
			return EXIT_WQ;
		}
		if (s.ready || s.too_slow)
			return say_started(cli, &s, log, log_fd, from);
		bool locked = was_locked(&s, log_fd, from);
		if (locked && other_answers(cli))
			return 0;
		if (!locked || time_mono_ns() >= deadline) {
			say_failed(&s, log, log_fd, from);
			return EXIT_WQ;
		}
	}
}

static int lock(int fd)
{
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int start(struct cli *cli)
{
	char path[PATH_MAX];
	struct wq_err err = { 0 };
	int rc = server_start_log_path(path, &err);
	if (rc == 0)
		make_parents(path);
	auto_close int log_fd = rc < 0 ? -1 : open_log(path, &err);
	/* Opened once more: the server keeps the other one, and a lock on it would stay as long. */
	auto_close int lock_fd = log_fd < 0 ? -1 : open_log(path, &err);
	if (log_fd >= 0 && lock_fd >= 0 && (rc = lock(lock_fd)) < 0)
		err_set(&err, rc, "cannot lock the server's log '%s'", path);
	if (rc < 0 || log_fd < 0 || lock_fd < 0) {
		cli_say("no server was running, and none could be started: %s", err.text);
		return EXIT_WQ;
	}
	return start_locked(cli, path, log_fd);
}

int server_start_open(struct cli *cli, enum served *ret)
{
	struct wq_err err = { 0 };
	int rc = choice_find(cli->given, &cli->spool, &cli->rule, &err);
	if (rc == 0)
		rc = wq_open(&cli->client, cli->spool, &err);
	*ret = rc == 0 ? served_ask(cli) : SERVED_NOT_ASKED;
	/* Of one that is no spool the server may be making one just now; or it says what is wrong. */
	bool may_become = (rc == -ENOENT || rc == -WQ_E_NOT_A_SPOOL) && cli->spool;
	bool starts = (rc == 0 ? *ret == SERVED_NO : may_become) && is_configured(cli);
	if (starts) {
		if (start(cli) != 0)
			return EXIT_WQ;
		rc = reopen(cli, &err);
		*ret = rc == 0 ? served_ask(cli) : SERVED_NOT_ASKED;
	}
	if (rc < 0)
		cli_say("%s", err.text);
	else if (!starts ||
		 *ret == SERVED_DRAINING) /* one that is long in starting has been named */
		served_say(cli, *ret);
	return rc < 0 ? EXIT_WQ : 0;
}
