/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tasks that an earlier server started: their task managers say what became of them.  Each has
 * kept its slot since recovery, and nothing new starts in its task manager before.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "spool/read.h"
#include "spool/work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum {
	ASK_TRIES = 5 /* a second apart; then what cannot be asked for is lost */
};

static const char may_have_run[] =
	"the server ended while it ran; it may or may not have run to its end";

/* The rename to 3 was the last change of its inode, so its ctime says when it started. */
static int64_t started_at(const struct server *s, const struct task *task)
{
	struct stat st;
	int64_t now = time_mono_ns();
	if (s->spool.io->fstatat(s->spool.dir_fd[SPOOL_RUNNING], ID_TEXT(task->id), &st,
		    AT_SYMLINK_NOFOLLOW) < 0)
		return now;
	int64_t ago =
		time_wall_us() - (st.st_ctim.tv_sec * INT64_C(1000000) + st.st_ctim.tv_nsec / 1000);
	/* The clock may have been set, or the machine started since. */
	return ago > 0 && ago < now / 1000 ? now - ago * 1000 : now;
}

static int ask(struct server *s, struct task *task, struct wq_err *err)
{
	struct buf bytes = { 0 }, handle = { 0 };
	struct request req = { 0 };
	char name[TASK_NAME_MAX], id[REQID_SIZE], work[PATH_MAX];
	const struct task_manager *tm = &s->tms[task->tm];
	int rc = read_request(&s->spool, SPOOL_RUNNING, task->id, (size_t)s->config.request_limit,
		0, &bytes, NULL, err);
	if (rc == 0)
		rc = request_decode(bytes.data, bytes.len, &req, err);
	if (rc == 0) {
		task->has_handle =
			work_get_handle(&s->spool, task->id, task->attempt, &handle) == 0;
		task->has_work = (tm->plugin->desc.caps & WQ_CAP_WORK_DIR) != 0;
		keep_find_work(s, task, work, sizeof work);
		struct instance_task t = { .id = reqid_format(task->id, id),
			.name = task_name(task, s->spool.uuid, name),
			.key = req.key,
			.label = req.label,
			.request = req.payload,
			.attempt = task->attempt,
			.ref = task->ref,
			.uid = task->uid,
			.work_dir = task->has_work ? work : NULL,
			.handle = { handle.data, handle.len } };
		rc = instance_recover(tm->instance, &t, &task->tid, err);
	}
	buf_fini(&bytes);
	buf_fini(&handle);
	return rc;
}

/* Over when nothing of it runs. */
static void clear(struct server *s, struct task *task)
{
	char name[TASK_NAME_MAX];
	size_t left =
		s->children ? children_clear(s->children, task_name(task, s->spool.uuid, name)) : 0;
	if (left && !task->clearing)
		log_notice("%s: it is lost, but %zu children of it run; ending them",
			ID_TEXT(task->id), left);
	task->clearing = left > 0;
	if (left)
		return;
	task->ended_ns = time_mono_ns();
	log_info("%s: lost: %s", ID_TEXT(task->id), task->text);
	sched_ended(s->sched, task->id, task->ended_ns);
}

static void lose(struct server *s, struct task *task, const char *error, const char *text)
{
	task_set_outcome(task, RESULT_LOST, error, text);
	clear(s, task);
}

/* The system has failed, which says nothing of the task: ask again, for a while. */
static bool ask_again(struct server *s, struct task *task, int answer, const struct wq_err *err)
{
	if (!err_is_system(answer) || answer == -EAGAIN || ++task->asked > ASK_TRIES)
		return false;
	log_err("%s: its task manager cannot be asked, trying again: %s", ID_TEXT(task->id),
		err->text);
	s->adopt_at_ns = time_after(time_mono_ns(), NS_PER_S);
	return true;
}

/* False: to be asked again. */
static bool adopt(struct server *s, struct task *task)
{
	struct wq_err err = { 0 };
	const char *tm = s->tms[task->tm].config->name;
	int answer = ask(s, task, &err);
	if (ask_again(s, task, answer, &err))
		return false;
	task->adopting = false;
	task->started_ns = started_at(s, task);
	switch (answer) {
	case WQ_ADOPTED:
		log_info("%s: adopted by '%s'", ID_TEXT(task->id), tm);
		if (task->run_limit_ns)
			wq_check(sched_limit(s->sched, task->id,
				time_after(task->started_ns, task->run_limit_ns)));
		break;
	case WQ_NEVER_BEGAN:
		log_info("%s: it never began", ID_TEXT(task->id));
		keep_nothing(s, task);
		sched_not_begun(s->sched, task->id, time_mono_ns());
		break;
	case WQ_ENDED:
		lose(s, task, "server-restart",
			"it ended while no server ran, and how cannot be known");
		break;
	default:
		lose(s, task, "server-restart", err.text[0] ? err.text : may_have_run);
	}
	return true;
}

static bool can_recover(const struct server *s, const struct task *task)
{
	return task->tm >= 0 && instance_can_recover(s->tms[task->tm].instance);
}

bool adopt_may_run(const struct server *s, const struct task *task)
{
	return can_recover(s, task) || s->children;
}

static bool can_be_asked(const struct server *s, const struct task_manager *tm)
{
	bool has_children = (tm->plugin->desc.caps & WQ_CAP_CHILDREN) != 0;
	return !tm->recovered && (!has_children || children_is_up(s->children));
}

/* Ask for all tasks of one task manager.  False: some are to be asked for again. */
static bool adopt_all(struct server *s, uint32_t tm)
{
	bool all = true;
	struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref))
		if (t->adopting && t->tm == (int)tm && can_recover(s, t))
			all = adopt(s, t) && all;
	return all;
}

/* Those for which there is nobody to ask. */
static void lose_others(struct server *s)
{
	struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref)) {
		if (!t->adopting || can_recover(s, t))
			continue;
		t->adopting = false;
		t->started_ns = started_at(s, t);
		lose(s, t, "server-restart", may_have_run);
	}
}

void adopt_cleared(struct server *s)
{
	struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref))
		if (t->clearing)
			clear(s, t);
}

void adopt_tasks(struct server *s)
{
	bool all = true, is_up = s->children && children_is_up(s->children);
	s->adopt_at_ns = TIME_NEVER;
	for (uint32_t i = 0; i < s->n_tms; i++) {
		struct task_manager *tm = &s->tms[i];
		if (can_be_asked(s, tm) && adopt_all(s, i)) {
			instance_recover_end(tm->instance);
			tm->recovered = true;
			sched_hold(s->sched, i, false);
		}
		all = all && tm->recovered;
	}
	if (!is_up)
		return;
	lose_others(s);
	adopt_cleared(s);
	size_t strays = all ? children_end_strays(s->children) : 0;
	if (strays)
		log_notice("%zu children belong to no request; ending them", strays);
}
