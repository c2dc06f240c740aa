/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tasks that an earlier server started: their task managers say what became of them.  Each has
 * kept its slot since recovery, and nothing new starts in its task manager before all have been asked
 * for, or recovery-limit has passed.  Task managers do not wait for each other, with one exception:
 * adopt_release.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/quantity.h"
#include "base/time.h"
#include "spool/examine.h"
#include "spool/read.h"
#include "spool/work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const int64_t PAUSE_MIN_NS = NS_PER_S; /* after a failure of the system, doubled each time */
static const int64_t PAUSE_MAX_NS = 8 * NS_PER_S;

static const char may_have_run[] =
	"the server ended while it ran; it may or may not have run to its end";

/* The rename to 3 was the last change of its inode, so its ctime says when it started, where no process
 * of it does. */
static int64_t started_at(const struct server *s, const struct task *task)
{
	char name[TASK_NAME_MAX];
	struct stat st;
	int64_t now = time_mono_ns();
	int64_t began =
		s->children ? children_began_ns(s->children, task_name(task, s->spool.uuid, name))
			    : 0;
	if (began > 0)
		return began;
	if (s->spool.io->fstatat(s->spool.dir_fd[SPOOL_RUNNING], ID_TEXT(task->id), &st,
		    AT_SYMLINK_NOFOLLOW) < 0)
		return now;
	int64_t ago =
		time_wall_us() - (st.st_ctim.tv_sec * INT64_C(1000000) + st.st_ctim.tv_nsec / 1000);
	/* The clock may have been set, or the machine started since. */
	return ago > 0 && ago < now / 1000 ? now - ago * 1000 : now;
}

static bool has_children(const struct task_manager *tm)
{
	return (tm->plugin->desc.caps & WQ_CAP_CHILDREN) != 0;
}

static bool can_recover(const struct server *s, const struct task *task)
{
	return task->tm >= 0 && instance_can_recover(s->tms[task->tm].instance);
}

bool adopt_may_run(const struct server *s, const struct task *task)
{
	return can_recover(s, task) || lost_may_have_children(s, task);
}

void adopt_found(struct server *s, struct task *task)
{
	task->found = true;
	if (!adopt_may_run(s, task)) {
		lost_lose(s, task, true, "server-restart", may_have_run);
		return;
	}
	task->adopting = true;
	task->started_ns = started_at(s, task);
}

/* ---- asking for one ----------------------------------------------------------------------------- */

/* What its request says, where that can be read still: its task is found by its name. */
static int read_again(struct server *s, const struct task *task, struct buf *bytes,
	struct request *ret, struct wq_err *err)
{
	int rc = read_request(
		&s->spool, SPOOL_RUNNING, task->id, EXAMINE_MAX_BYTES, 0, bytes, NULL, err);
	if (rc == 0)
		rc = request_decode(bytes->data, bytes->len, ret, err);
	return err_is_system(rc) && rc != -EAGAIN && rc != -ENOENT ? rc : 0;
}

static int ask(struct server *s, struct task *task, struct wq_err *err)
{
	struct buf bytes = { 0 }, handle = { 0 };
	struct request req = { 0 };
	char name[TASK_NAME_MAX], id[REQID_SIZE], work[PATH_MAX];
	const struct task_manager *tm = &s->tms[task->tm];
	int rc = read_again(s, task, &bytes, &req, err);
	if (rc == 0) {
		task->has_handle =
			work_get_handle(&s->spool, task->id, task->attempt, &handle) == 0;
		task->has_work = (tm->plugin->desc.caps & WQ_CAP_WORK_DIR) != 0;
		keep_find_work(s, task, work, sizeof work);
		struct instance_task t = { .id = reqid_format(task->id, id),
			.name = task_name(task, s->spool.uuid, name),
			.key = task->key,
			.label = task->label,
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

static void wake_at(struct server *s, int64_t at_ns)
{
	if (at_ns < s->adopt_at_ns)
		s->adopt_at_ns = at_ns;
}

/* It is not to be told yet, or the system has failed, which says nothing of the task. */
static bool asks_again(struct task *task, int answer, const struct wq_err *err, int64_t now)
{
	if (answer == WQ_RETRY) {
		task->ask_at_ns = time_after(now, err->code * NS_PER_MS);
		log_debug("%s: to be asked for again in %d ms: %s", ID_TEXT(task->id), err->code,
			err->text);
		return true;
	}
	if (!err_is_system(answer))
		return false;
	task->ask_pause_ns = task->ask_pause_ns ? 2 * task->ask_pause_ns : PAUSE_MIN_NS;
	if (task->ask_pause_ns > PAUSE_MAX_NS)
		task->ask_pause_ns = PAUSE_MAX_NS;
	task->ask_at_ns = time_after(now, task->ask_pause_ns);
	log_err("%s: its task manager cannot be asked, trying again: %s", ID_TEXT(task->id),
		err->text);
	return true;
}

static void put_back(struct server *s, struct task *task)
{
	if (attempt_is_doubted(s, task)) {
		lost_lose(s, task, false, "server-restart",
			"what would tell whether it began was lost with the power");
		return;
	}
	if (task->on_crash == ON_CRASH_FAIL) {
		lost_lose(s, task, true, "server-restart",
			"it never began, but is not to be started a second time");
		return;
	}
	log_info("%s: it never began", ID_TEXT(task->id));
	keep_nothing(s, task);
	sched_not_begun(s->sched, task->id, time_mono_ns());
}

/* False: to be asked for again. */
static bool adopt(struct server *s, struct task *task, int64_t now)
{
	struct wq_err err = { 0 };
	if (now < task->ask_at_ns)
		return false;
	int answer = ask(s, task, &err);
	if (asks_again(task, answer, &err, now))
		return false;
	task->adopting = false;
	task->started_ns = started_at(s, task); /* its children, if any, are known by now */
	switch (answer) {
	case WQ_ADOPTED:
		log_info("%s: adopted by '%s'", ID_TEXT(task->id), s->tms[task->tm].config->name);
		if (task->run_limit_ns)
			wq_check(sched_limit(s->sched, task->id,
				time_after(task->started_ns, task->run_limit_ns)));
		break;
	case WQ_NEVER_BEGAN:
		put_back(s, task);
		break;
	case WQ_ENDED:
		lost_lose(s, task, true, "server-restart",
			"it ended while no server ran, and how cannot be known");
		break;
	default:
		lost_lose(s, task, false, "server-restart", err.text[0] ? err.text : may_have_run);
	}
	return true;
}

/* ---- asking for all ----------------------------------------------------------------------------- */

static bool can_be_asked(const struct server *s, const struct task_manager *tm)
{
	return !has_children(tm) || children_is_up(s->children);
}

/* Ask for all tasks of one task manager.  False: some are to be asked for again. */
static bool adopt_all(struct server *s, uint32_t tm, int64_t now)
{
	bool all = true;
	struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref)) {
		if (!t->adopting || t->tm != (int)tm || !can_recover(s, t) || adopt(s, t, now))
			continue;
		wake_at(s, t->ask_at_ns);
		all = false;
	}
	return all;
}

/* Its time is over: what it could not say stays unknown. */
static void give_up(struct server *s, uint32_t tm)
{
	char limit[32], text[128];
	snprintf(text, sizeof text,
		"its task manager could not say within its recovery-limit of %s what became of it",
		quantity_format_duration(s->tms[tm].config->recovery_limit_ns, limit));
	struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref)) {
		if (!t->adopting || t->tm != (int)tm || !can_recover(s, t))
			continue;
		t->adopting = false;
		lost_unanswered(s, t, text);
	}
}

static void say_late(struct task_manager *tm)
{
	char limit[32];
	if (tm->is_late)
		return;
	tm->is_late = true;
	log_warn("the recovery of '%s' takes longer than its recovery-limit of %s: there is no "
		 "wq-shepherd to say what its tasks run; it starts nothing until then",
		tm->config->name, quantity_format_duration(tm->config->recovery_limit_ns, limit));
}

static void recover_one(struct server *s, uint32_t i, int64_t now)
{
	struct task_manager *tm = &s->tms[i];
	if (tm->recovered)
		return;
	bool can = can_be_asked(s, tm);
	if (!tm->recover_until_ns || (can && !tm->is_asked))
		tm->recover_until_ns = time_after(now, tm->config->recovery_limit_ns);
	tm->is_asked = can;
	bool all = can && adopt_all(s, i, now);
	if (!all && now < tm->recover_until_ns) {
		wake_at(s, tm->recover_until_ns);
		return;
	}
	if (!can) {
		say_late(tm);
		return;
	}
	if (!all)
		give_up(s, i);
	instance_recover_end(tm->instance);
	tm->recovered = true;
	tm->is_late = false;
	s->holds_back = true;
}

/* Those for which there is nobody to ask. */
static void lose_others(struct server *s)
{
	struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref)) {
		if (!t->adopting || can_recover(s, t))
			continue;
		t->adopting = false;
		lost_lose(s, t, true, "server-restart", may_have_run);
	}
}

void adopt_tasks(struct server *s)
{
	bool all = true, is_up = s->children && children_is_up(s->children);
	int64_t now = time_mono_ns();
	s->adopt_at_ns = TIME_NEVER;
	for (uint32_t i = 0; i < s->n_tms; i++) {
		recover_one(s, i, now);
		all = all && s->tms[i].recovered;
	}
	(void)adopt_release(s);
	if (!is_up)
		return;
	lose_others(s);
	lost_look(s);
	size_t strays = all ? children_end_strays(s->children) : 0;
	if (strays)
		log_notice("%zu children belong to no request; ending them", strays);
}

/* ---- release ------------------------------------------------------------------------------------ */

/*
 * Is it found by the next recovery only as what wq-shepherd has no record of?  From the first child of
 * this boot on that is taken for the proof that it never began.
 */
static bool is_at_risk(struct server *s, struct task *task)
{
	char name[TASK_NAME_MAX];
	if (!task->found || (task->tm >= 0 && !has_children(&s->tms[task->tm])))
		return false;
	if (children_has(s->children, task_name(task, s->spool.uuid, name)) ||
		attempt_is_doubted(s, task))
		return false;
	/* Its result is not on its way. */
	return task->lost != TASK_LOST_UNKNOWN || attempt_doubt_it(s, task) < 0;
}

static bool may_spawn(struct server *s)
{
	if (!s->children || children_knows_all(s->children))
		return true;
	struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref))
		if (is_at_risk(s, t))
			return false;
	return true;
}

bool adopt_release(struct server *s)
{
	bool any = false, still = false;
	if (!s->holds_back)
		return false;
	bool spawns = may_spawn(s);
	for (uint32_t i = 0; i < s->n_tms; i++) {
		struct task_manager *tm = &s->tms[i];
		if (!tm->recovered || tm->is_released)
			continue;
		if (has_children(tm) && !spawns) {
			still = true;
			continue;
		}
		tm->is_released = any = true;
		sched_hold(s->sched, i, false);
	}
	s->holds_back = still;
	return any;
}
