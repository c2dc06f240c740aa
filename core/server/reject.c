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

void reject_request(struct server *s, const struct sched_decision *d, enum spool_state from,
	const struct request *req, uid_t uid, const struct wq_err *err)
{
	if (from == SPOOL_PENDING) {
		int rc = move_start(&s->spool, d->id);
		if (rc < 0) {
			log_err("%s: cannot be moved to %s, dropping it: %s", ID_TEXT(d->id),
				spool_state_name(SPOOL_RUNNING), strerror(-rc));
			sched_dropped(s->sched, d->id);
			return;
		}
	}
	struct task *task = tasks_add(&s->tasks, d->id, (int)d->tm);
	wq_check(task); /* out of memory with the file moved: restart and recover */
	task_describe(task, req);
	task_refuse(task, RESULT_REJECTED, err->name[0] ? err->name : "refused", err->text);
	task->uid = uid;
	task->accepted_ns = d->since_ns;
	task->set_aside = true;
	log_info("%s: rejected: %s: %s", ID_TEXT(d->id), task->error, task->text);
	sched_reject(s->sched, d->id, task->ref, time_mono_ns());
}
