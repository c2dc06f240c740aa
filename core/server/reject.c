/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A refusal is a result like any other, so that the client learns at once why; the request's bytes
 * go to quarantine when it is published.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "spool/move.h"

#include <errno.h>
#include <string.h>

bool reject_move(struct server *s, const struct sched_decision *d)
{
	int rc = move_start(&s->spool, d->id);
	if (rc == 0)
		return true;
	if (rc == -EEXIST)
		rc = set_aside(s, s->spool.dir_fd[SPOOL_PENDING], ID_TEXT(d->id), "duplicate-id",
			"another request has this id");
	if (rc == 0 || rc == -ENOENT) {
		sched_dropped(s->sched, d->id);
		return false;
	}
	(void)space_failed(s, rc);
	log_err("%s: cannot be answered, trying again: %s", ID_TEXT(d->id), strerror(-rc));
	pass_defer(s, d);
	return false;
}

static void set_rejected(struct task *task, const struct wq_err *err)
{
	task_set_outcome(task, RESULT_REJECTED, err->name[0] ? err->name : "refused", err->text);
	task->set_aside = true;
	log_info("%s: rejected: %s: %s", ID_TEXT(task->id), task->error, task->text);
}

void reject_started(struct server *s, struct task *task, const struct wq_err *err)
{
	task->attempt = 0;
	set_rejected(task, err);
	sched_ended(s->sched, task->id, time_mono_ns());
}

struct task *reject_task(struct server *s, const struct sched_decision *d, int tm,
	const struct request *req, uid_t uid)
{
	struct task *task = tasks_add(&s->tasks, d->id, tm);
	wq_check(task); /* out of memory with the file moved: restart and recover */
	task_describe(task, req);
	task->uid = uid;
	task->accepted_ns = d->since_ns;
	return task;
}

void reject_request(struct server *s, const struct sched_decision *d, const struct request *req,
	uid_t uid, const struct wq_err *err)
{
	if (!reject_move(s, d))
		return;
	int tm = req->envelope.len > 0 ? task_managers_find(s, req->task_manager) : TASK_NO_TM;
	struct task *task = reject_task(s, d, tm, req, uid);
	set_rejected(task, err);
	sched_reject(s->sched, d->id, task->ref, time_mono_ns());
}
