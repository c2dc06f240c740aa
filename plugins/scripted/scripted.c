/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scripted: a task manager that a test plays by hand, through files.  Not installed.
 *
 * It runs nothing.  Without WQ_CAP_WAKES it is one of those that can only be asked, every
 * `sample-interval`.  Options:
 *
 *	dir              the directory of the play, made by the test; required
 *	yes-no           has_capacity answers 1 or 0 only
 *	wakes            look at `dir` by inotify and wake the host at each change; it is still
 *	                 asked
 *	slow-terminate   a terminated task ends only when dir/let-die exists, else at the next
 *	                 reap
 *
 * What the test writes; a file that is read must get its content in one write or by rename:
 *
 *	dir/capacity     a number: how many tasks may be here at a time.  None while it is missing.
 *	dir/done/<id>    the task of request <id> ends: a line of one word and, if wanted, a text
 *	                 for people: "ok", "failed disk full", "not-started".  Ignored until it has
 *	                 its newline; removed once it has been used.
 *	dir/done/all     the same for every task; stays, so it holds for those that start later too.
 *	dir/let-die      see slow-terminate; its content does not matter.
 *
 * What it writes: a line in dir/log for each operation,
 *
 *	start <id> <CLOCK_BOOTTIME in nanoseconds>
 *	terminate <id>
 *	reap <id>        when the task is given back
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <wq/plugin-util.h>
#include <wq/plugin.h>

enum {
	OPT_DIR,
	OPT_YES_NO,
	OPT_WAKES,
	OPT_SLOW_TERMINATE,
	N_OPTIONS
};

enum {
	TASKS_MAX = 1024,
	ID_SIZE = 64,
	TEXT_SIZE = 256
};

static const struct wq_option options[N_OPTIONS] = {
	[OPT_DIR] = { .name = "dir",
		.help = "the directory through which it is played",
		.type = WQ_T_PATH,
		.flags = WQ_OPT_REQUIRED },
	[OPT_YES_NO] = { .name = "yes-no",
		.help = "answer has_capacity with 1 or 0 only",
		.def = "false",
		.type = WQ_T_BOOL },
	[OPT_WAKES] = { .name = "wakes",
		.help = "wake the host when something changes in dir",
		.def = "false",
		.type = WQ_T_BOOL },
	[OPT_SLOW_TERMINATE] = { .name = "slow-terminate",
		.help = "terminated tasks end only when dir/let-die exists",
		.def = "false",
		.type = WQ_T_BOOL },
};

struct played {
	wq_tid tid;
	char id[ID_SIZE];
	bool terminated;
};

struct wq_self {
	const struct wq_host *host;
	char *dir;
	bool yes_no, wakes, slow_terminate;
	int dirfd, log, inotify; /* open from start to destroy; 0: not open */
	uint64_t watch;
	struct played tasks[TASKS_MAX]; /* in the order of their start */
	int32_t n;
	char text[TEXT_SIZE]; /* of the last outcome */
};

static int32_t create(
	wq_self *me, const struct wq_host *host, const struct wq_config *config, struct wq_err *err)
{
	const char *dir = wq_option_text(config, OPT_DIR);
	me->host = host;
	me->yes_no = wq_option_int(config, OPT_YES_NO, 0) != 0;
	me->wakes = wq_option_int(config, OPT_WAKES, 0) != 0;
	me->slow_terminate = wq_option_int(config, OPT_SLOW_TERMINATE, 0) != 0;
	me->dir = dir ? strdup(dir) : NULL;
	return me->dir ? 0 : wq_fail(err, -ENOMEM, NULL, "option 'dir'");
}

static void destroy(wq_self *me)
{
	if (me->watch)
		me->host->unwatch(me->host->ctx, me->watch);
	if (me->inotify > 0)
		(void)close(me->inotify);
	if (me->log > 0)
		(void)close(me->log);
	if (me->dirfd > 0)
		(void)close(me->dirfd);
	free(me->dir);
}

/* Our own lines in `log` do not count: nothing opens or closes it between start and destroy. */
static int32_t start_watching(wq_self *me, struct wq_err *err)
{
	const uint32_t what = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;
	char path[4096];
	me->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (me->inotify < 0 || inotify_add_watch(me->inotify, me->dir, what) < 0)
		return wq_fail(err, -errno, NULL, "cannot watch '%s'", me->dir);
	(void)snprintf(path, sizeof(path), "%s/done", me->dir);
	if (inotify_add_watch(me->inotify, path, what) < 0)
		return wq_fail(err, -errno, NULL, "cannot watch '%s'", path);
	me->watch = me->host->watch(me->host->ctx, me->inotify, WQ_READABLE);
	return me->watch ? 0 : wq_fail(err, -ENOMEM, NULL, "cannot watch a descriptor");
}

static int32_t start(wq_self *me, struct wq_err *err)
{
	me->dirfd = open(me->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (me->dirfd < 0)
		return wq_fail(err, -errno, NULL, "cannot open '%s'", me->dir);
	if (mkdirat(me->dirfd, "done", 0777) < 0 && errno != EEXIST)
		return wq_fail(err, -errno, NULL, "cannot make '%s/done'", me->dir);
	me->log = openat(me->dirfd, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (me->log < 0)
		return wq_fail(err, -errno, NULL, "cannot open '%s/log'", me->dir);
	return me->wakes ? start_watching(me, err) : 0;
}

static void on_ready(wq_self *me, uint64_t watch, uint32_t events)
{
	char buf[4096] __attribute__((aligned(8)));
	(void)watch, (void)events;
	while (read(me->inotify, buf, sizeof(buf)) > 0)
		;
	me->host->wakeup(me->host->ctx);
}

static void note(const wq_self *me, const char *line)
{
	size_t len = strlen(line);
	if (write(me->log, line, len) != (ssize_t)len)
		wq_logf(me->host, WQ_LOG_ERR, 0, "cannot write to '%s/log'", me->dir);
}

/* The file's content with its NUL, cut at `size`; false: not there. */
static bool slurp(const wq_self *me, const char *name, char *ret, size_t size)
{
	int fd = openat(me->dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, ret, size - 1);
	(void)close(fd);
	ret[n > 0 ? n : 0] = '\0';
	return n >= 0;
}

static int32_t capacity(const wq_self *me)
{
	char text[32];
	if (!slurp(me, "capacity", text, sizeof(text)))
		return 0;
	long n = strtol(text, NULL, 10);
	int32_t all = n < 0 ? 0 : n > TASKS_MAX ? TASKS_MAX : (int32_t)n;
	return all > me->n ? all - me->n : 0;
}

static int32_t has_capacity(wq_self *me)
{
	int32_t n = capacity(me);
	return me->yes_no && n > 0 ? 1 : n;
}

static int32_t start_task(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	char line[ID_SIZE + 64];
	if (me->n == TASKS_MAX)
		return WQ_BUSY;
	if (strlen(task->id) >= ID_SIZE || strchr(task->id, '/'))
		return wq_fail(err, WQ_REJECT, "bad-id", "an id that is no file name");
	struct played *p = &me->tasks[me->n++];
	*p = (struct played){ .tid = task->tid };
	(void)strcpy(p->id, task->id); /* its length was looked at above */
	(void)snprintf(line, sizeof(line), "start %s %lld\n", p->id,
		(long long)me->host->clock_ns(me->host->ctx));
	note(me, line);
	return WQ_OK;
}

static int32_t terminate(wq_self *me, const struct wq_task *task, uint32_t how)
{
	char line[ID_SIZE + 64];
	(void)how;
	for (int32_t i = 0; i < me->n; i++)
		if (me->tasks[i].tid == task->tid)
			me->tasks[i].terminated = true;
	(void)snprintf(line, sizeof(line), "terminate %.*s\n", ID_SIZE - 1, task->id);
	note(me, line);
	return WQ_OK;
}

/* A line of a file in done/: false while it is not whole. */
static bool read_outcome(wq_self *me, const char *name, struct wq_outcome *ret)
{
	static const struct {
		const char *word;
		int32_t how;
	} words[] = {
		{ "ok", WQ_DONE_OK },
		{ "failed", WQ_DONE_FAILED },
		{ "not-started", WQ_DONE_NOT_STARTED },
	};
	if (!slurp(me, name, me->text, sizeof(me->text)))
		return false;
	char *end = strchr(me->text, '\n');
	if (!end)
		return false;
	*end = '\0';
	size_t len = strcspn(me->text, " ");
	char *text = me->text + len + strspn(me->text + len, " ");
	ret->how = WQ_DONE_FAILED; /* any other word fails with the whole line as its text */
	ret->text = me->text;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].word) == len && strncmp(words[i].word, me->text, len) == 0) {
			ret->how = words[i].how;
			ret->text = text;
		}
	}
	if (ret->how == WQ_DONE_FAILED) {
		ret->error = "scripted";
		ret->code = 1;
	}
	if (ret->how == WQ_DONE_OK)
		ret->text = NULL;
	return true;
}

static bool has_ended(wq_self *me, const struct played *p, struct wq_outcome *ret)
{
	char name[ID_SIZE + 8];
	if (p->terminated &&
		(!me->slow_terminate || faccessat(me->dirfd, "let-die", F_OK, 0) == 0)) {
		ret->how = WQ_DONE_ABORTED;
		ret->error = "aborted";
		ret->text = "terminated";
		return true;
	}
	(void)snprintf(name, sizeof(name), "done/%s", p->id);
	if (read_outcome(me, name, ret)) {
		(void)unlinkat(me->dirfd, name, 0);
		return true;
	}
	return read_outcome(me, "done/all", ret);
}

static int32_t reap(wq_self *me, struct wq_outcome *ret)
{
	char line[ID_SIZE + 64];
	for (int32_t i = 0; i < me->n; i++) {
		struct played *p = &me->tasks[i];
		if (!has_ended(me, p, ret))
			continue;
		ret->tid = p->tid;
		(void)snprintf(line, sizeof(line), "reap %s\n", p->id);
		memmove(p, p + 1, (size_t)(me->n - i - 1) * sizeof(*p));
		me->n--;
		note(me, line);
		return 1;
	}
	return 0;
}

WQ_PLUGIN("scripted", WQ_VERSION, "is played by a test through files", .self_size = sizeof(wq_self),
	.options = options, .n_options = N_OPTIONS, .start_task = start_task, .reap = reap,
	.terminate = terminate, .has_capacity = has_capacity, .create = create, .destroy = destroy,
	.start = start, .on_ready = on_ready);
