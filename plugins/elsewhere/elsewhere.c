/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elsewhere: a task manager whose tasks outlive the server, played by a test through files.  Not
 * installed.
 *
 * Its tasks run nowhere: one is a file dir/tasks/<task name>, as it would be a job of some cluster.  So
 * it goes on whatever happens to the server, and only the plugin can say what became of it.  Options:
 *
 *	dir   the directory of the play, made by the test; required
 *
 * What the test writes; a file that is read must get its content in one write or by rename:
 *
 *	dir/ended/<task name>   the task ends: a word, "ok", "failed" or "lost", and a newline
 *	dir/answer              what recover answers: a word, "look" (as without the file: adopted where
 *	                        the task is there, else it never began), "adopted", "never-began",
 *	                        "ended", "unknown", "again", "fault", or "block" (it holds up the
 *	                        server for a while, and then looks), and a newline
 *
 * What it writes: a line in dir/log for each "start", "terminate", "recover" and "reap", with the task
 * name; and "recover-end".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <wq/plugin-util.h>
#include <wq/plugin.h>

enum {
	TASKS_MAX = 256,
	NAME_SIZE = 128,
	BLOCK_MS = 300,
	AGAIN_MS = 50
};

static const struct wq_option options[] = {
	{ .name = "dir",
		.help = "the directory through which it is played",
		.type = WQ_T_PATH,
		.flags = WQ_OPT_REQUIRED },
};

struct played {
	wq_tid tid;
	char name[NAME_SIZE];
	bool terminated;
};

struct wq_self {
	const struct wq_host *host;
	char *dir;
	int dir_fd, log; /* open from start to destroy; 0: not open */
	struct played tasks[TASKS_MAX];
	int32_t n;
};

static int32_t create(
	wq_self *me, const struct wq_host *host, const struct wq_config *config, struct wq_err *err)
{
	const char *dir = wq_option_text(config, 0);
	me->host = host;
	me->dir = dir ? strdup(dir) : NULL;
	return me->dir ? 0 : wq_fail(err, -ENOMEM, NULL, "option 'dir'");
}

static void destroy(wq_self *me)
{
	if (me->log > 0)
		(void)close(me->log);
	if (me->dir_fd > 0)
		(void)close(me->dir_fd);
	free(me->dir);
}

static int32_t start(wq_self *me, struct wq_err *err)
{
	me->dir_fd = open(me->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (me->dir_fd < 0)
		return wq_fail(err, -errno, NULL, "cannot open '%s'", me->dir);
	if ((mkdirat(me->dir_fd, "tasks", 0777) < 0 && errno != EEXIST) ||
		(mkdirat(me->dir_fd, "ended", 0777) < 0 && errno != EEXIST))
		return wq_fail(err, -errno, NULL, "cannot make directories in '%s'", me->dir);
	me->log = openat(me->dir_fd, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	return me->log < 0 ? wq_fail(err, -errno, NULL, "cannot open '%s/log'", me->dir) : WQ_OK;
}

static void note(const wq_self *me, const char *what, const char *name)
{
	char line[NAME_SIZE + 32];
	int len = snprintf(line, sizeof line, "%s %s\n", what, name);
	if (write(me->log, line, (size_t)len) != len)
		wq_logf(me->host, WQ_LOG_ERR, 0, "cannot write to '%s/log'", me->dir);
}

/* The first word of a file that ends in a newline; false: it is not there, or not whole. */
static bool read_word(const wq_self *me, const char *file, char *ret, size_t size)
{
	int fd = openat(me->dir_fd, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, ret, size - 1);
	(void)close(fd);
	ret[n > 0 ? n : 0] = '\0';
	char *end = strchr(ret, '\n');
	if (!end)
		return false;
	*end = '\0';
	return true;
}

static void path_of(const char *where, const char *name, char ret[NAME_SIZE + 8])
{
	(void)snprintf(ret, NAME_SIZE + 8, "%s/%s", where, name);
}

static struct played *take(wq_self *me, const struct wq_task *task)
{
	if (me->n == TASKS_MAX)
		return NULL;
	struct played *p = &me->tasks[me->n++];
	*p = (struct played){ .tid = task->tid };
	(void)snprintf(p->name, sizeof p->name, "%s", task->name);
	return p;
}

static int32_t start_task(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	char path[NAME_SIZE + 8];
	if (me->n == TASKS_MAX || strlen(task->name) >= NAME_SIZE)
		return WQ_BUSY;
	path_of("tasks", task->name, path);
	/* A name that is used twice is what a test looks for. */
	int fd = openat(me->dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return wq_fail(err, WQ_REJECT, "name-used", "cannot make '%s'", path);
	(void)close(fd);
	(void)take(me, task);
	note(me, "start", task->name);
	return WQ_OK;
}

static int32_t recover(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	static const struct {
		const char *word;
		int32_t answer;
	} words[] = {
		{ "never-began", WQ_NEVER_BEGAN },
		{ "ended", WQ_ENDED },
		{ "unknown", -WQ_E_UNKNOWN },
		{ "fault", -WQ_E_FAULT },
	};
	char word[32] = "look", path[NAME_SIZE + 8];
	(void)read_word(me, "answer", word, sizeof word);
	note(me, "recover", task->name);
	if (strcmp(word, "again") == 0)
		return wq_retry(err, AGAIN_MS, "it was told to say so");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(word, words[i].word) == 0)
			return wq_fail(err, words[i].answer, NULL, "it was told to say so");
	if (strcmp(word, "block") == 0)
		(void)poll(NULL, 0, BLOCK_MS); /* what an operation must not do */
	path_of("tasks", task->name, path);
	if (strcmp(word, "adopted") != 0 && faccessat(me->dir_fd, path, F_OK, 0) < 0)
		return WQ_NEVER_BEGAN;
	return take(me, task) ? WQ_ADOPTED : -ENOMEM;
}

static void recover_end(wq_self *me)
{
	note(me, "recover-end", "");
}

static int32_t terminate(wq_self *me, const struct wq_task *task, uint32_t how)
{
	(void)how;
	for (int32_t i = 0; i < me->n; i++)
		if (me->tasks[i].tid == task->tid)
			me->tasks[i].terminated = true;
	note(me, "terminate", task->name);
	return WQ_OK;
}

/* How it has ended; 0: not yet. */
static int32_t end_of(const wq_self *me, const struct played *p)
{
	char word[32], path[NAME_SIZE + 8];
	if (p->terminated)
		return WQ_DONE_ABORTED;
	path_of("ended", p->name, path);
	if (!read_word(me, path, word, sizeof word))
		return 0;
	return strcmp(word, "ok") == 0     ? WQ_DONE_OK
	       : strcmp(word, "lost") == 0 ? WQ_DONE_LOST
					   : WQ_DONE_FAILED;
}

static int32_t reap(wq_self *me, struct wq_outcome *ret)
{
	char path[NAME_SIZE + 8];
	for (int32_t i = 0; i < me->n; i++) {
		struct played *p = &me->tasks[i];
		ret->how = end_of(me, p);
		if (ret->how == 0)
			continue;
		ret->tid = p->tid;
		path_of("ended", p->name, path);
		(void)unlinkat(me->dir_fd, path, 0);
		note(me, "reap", p->name);
		memmove(p, p + 1, (size_t)(me->n - i - 1) * sizeof *p);
		me->n--;
		return 1;
	}
	return 0;
}

static int32_t has_capacity(wq_self *me)
{
	return TASKS_MAX - me->n;
}

WQ_PLUGIN("elsewhere", WQ_VERSION, "plays an engine that outlives the server",
	.self_size = sizeof(wq_self), .options = options,
	.n_options = sizeof options / sizeof *options, .start_task = start_task, .reap = reap,
	.terminate = terminate, .has_capacity = has_capacity, .create = create, .destroy = destroy,
	.start = start, .recover = recover, .recover_end = recover_end);
