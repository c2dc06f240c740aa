/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/shepherd/flock.h"

#include "shepherd/herd_priv.h"
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

static struct loop *loop;
struct herd *flock_herd;
char flock_tag[FRAME_NAME_MAX + 1];
static int run_fd = -1;
static char uuid[32]; /* one a test, also for a shepherd of its own process */
struct told flock_told[ENDS_MAX];
size_t flock_n_told;

static void on_ended(void *arg, const char *name, const struct wq_child_end *end)
{
	(void)arg;
	ck_assert_uint_lt(flock_n_told, ENDS_MAX);
	struct told *t = &flock_told[flock_n_told++];
	*t = (struct told){ .end = *end };
	snprintf(t->name, sizeof t->name, "%s", name);
	snprintf(t->error, sizeof t->error, "%s", end->error ? end->error : "");
	snprintf(t->text, sizeof t->text, "%s", end->text ? end->text : "");
}

void flock_open(void)
{
	static const struct herd_events events = { .ended = on_ended };
	struct wq_err err = { .struct_size = sizeof err };
	run_fd = openat(place_fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(run_fd, 0);
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	int rc = herd_new(&flock_herd, loop, run_fd, uuid, &events, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

void flock_close(void)
{
	herd_free(flock_herd);
	flock_herd = NULL;
	loop_free(loop);
	(void)close(run_fd);
}

void flock_setup(void)
{
	(void)umask(022);
	snprintf(uuid, sizeof uuid, "test%d", (int)getpid());
	snprintf(flock_tag, sizeof flock_tag, TASK "-%d", (int)getpid());
	place_open();
}

void flock_begin(int mode)
{
	if (mode == 1)
		ck_assert(place_drop_root());
	place_mkdir("run", 0700);
	place_mkdir("work", 0700);
	flock_n_told = 0;
	flock_open();
	if (mode == 1)
		ck_assert_str_eq(
			herd_containment(flock_herd), geteuid() ? "best effort" : "cgroup");
}

void flock_teardown(void)
{
	if (flock_herd)
		flock_close();
	place_close();
}

/* ---- children -------------------------------------------------------------------------------- */

static const char *const env[] = { "PATH=/usr/bin:/bin", "WQ_TASK=forged", "A=b", NULL };

struct frame_spawn flock_order(const char *name, const char *const *argv)
{
	struct frame_spawn s = {
		.work_dir = place_at("work"),
		.out_name = "stdout",
		.err_name = "stderr",
		.what = {
			.argv = argv,
			.env = env,
			.out_limit = 1 << 20,
			.err_limit = 1 << 20,
			.umask = 022,
			.grace_ms = 60000,
		},
	};
	snprintf(s.name, sizeof s.name, "%s", name);
	memcpy(s.tag, flock_tag, sizeof s.tag);
	return s;
}

struct frame_spawn flock_sh(const char *name, const char *script)
{
	static const char *argv[4][4];
	static unsigned int turn;
	const char **a = argv[turn++ % 4];
	a[0] = "/bin/sh", a[1] = "-c", a[2] = script, a[3] = NULL;
	return flock_order(name, a);
}

void flock_spawn(const char *name, const char *script)
{
	struct frame_spawn s = flock_sh(name, script);
	herd_spawn(flock_herd, &s);
}

const struct told *flock_find(const char *name)
{
	for (size_t i = 0; i < flock_n_told; i++)
		if (strcmp(flock_told[i].name, name) == 0)
			return &flock_told[i];
	return NULL;
}

void flock_round(void)
{
	ck_assert_int_eq(loop_run_once(loop, -1), 0);
}

const struct told *flock_wait(const char *name)
{
	const struct told *t;
	while (!(t = flock_find(name)))
		flock_round();
	return t;
}

/* What a child has written so far; waits until it has written `word`. */
const char *flock_output(const char *file, const char *word)
{
	for (;;) {
		const char *text = place_text(file);
		if (text && strstr(text, word))
			return text;
		flock_round();
	}
}

bool flock_is_running(pid_t pid)
{
	char path[40], text[512] = "";
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof text - 1);
	(void)close(fd);
	const char *state = n > 0 ? strrchr(text, ')') : NULL;
	return state && state[2] != 'Z' && state[2] != 'X';
}

/* The number after `word` in the text. */
pid_t flock_pid(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	ck_assert_ptr_nonnull(at);
	return (pid_t)strtol(at + strlen(word), NULL, 10);
}

/* What was orphaned is reaped as soon as it is heard of, which may be after the end was told. */
void flock_no_child_is_left(void)
{
	siginfo_t info;
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		flock_round();
	ck_assert_int_eq(errno, ECHILD);
}

int flock_cgroups(void)
{
	int n = 0;
	if (flock_herd->base_fd < 0)
		return 0;
	DIR *d = fdopendir(openat(flock_herd->base_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	ck_assert_ptr_nonnull(d);
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		n += e->d_type == DT_DIR && e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

/* ---- an earlier shepherd --------------------------------------------------------------------- */

pid_t flock_leave_behind(const char *name, const char *script, void (*more)(void))
{
	flock_close();
	int ends[2];
	char byte = 0;
	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		flock_open();
		if (more)
			more();
		flock_spawn(name, script);
		flock_output("work/stdout", "\n");
		ck_assert_int_eq(write(ends[1], "r", 1), 1);
		for (;;)
			flock_round();
	}
	(void)close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	(void)close(ends[0]);
	pid_t child = flock_pid(place_text("work/stdout"), "ready ");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(flock_is_running(child));
	return child;
}
