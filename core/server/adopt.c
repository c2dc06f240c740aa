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

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

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

static void lose(struct server *s, struct task *task, const char *error, const char *text)
{
	task->ended_ns = time_mono_ns();
	task_set_outcome(task, RESULT_LOST, error, text);
	log_info("%s: lost: %s", ID_TEXT(task->id), text);
	sched_ended(s->sched, task->id, time_mono_ns());
}

static void adopt(struct server *s, struct task *task)
{
	struct wq_err err = { 0 };
	const char *tm = s->tms[task->tm].config->name;
	int answer = ask(s, task, &err);
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
		lose(s, task, "server-restart",
			err.text[0] ? err.text
				    : "the server ended while it ran; it may or may not have run "
				      "to its end");
	}
}

static bool can_be_asked(const struct server *s, const struct task_manager *tm)
{
	bool has_children = (tm->plugin->desc.caps & WQ_CAP_CHILDREN) != 0;
	return !tm->recovered && (!has_children || children_is_up(s->children));
}

void adopt_tasks(struct server *s)
{
	bool all = true;
	for (uint32_t i = 0; i < s->n_tms; i++) {
		struct task_manager *tm = &s->tms[i];
		if (can_be_asked(s, tm)) {
			struct task *t = tasks_next(&s->tasks, 0);
			for (; t; t = tasks_next(&s->tasks, t->ref))
				if (t->adopting && t->tm == (int)i)
					adopt(s, t);
			instance_recover_end(tm->instance);
			tm->recovered = true;
			sched_hold(s->sched, i, false);
		}
		all = all && tm->recovered;
	}
	size_t strays = all && s->children && children_is_up(s->children)
				? children_end_strays(s->children)
				: 0;
	if (strays)
		log_notice("%zu children belong to no request; ending them", strays);
}
