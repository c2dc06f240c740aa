/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PUT_BACK: a task that never began goes from 3-running back to its place in 2-pending; and one that is
 * lost and over, for its next attempt, which is written down before: a crash in between finds that
 * one, which never began.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "spool/move.h"

#include <errno.h>
#include <string.h>

void put_back_carry_out(struct server *s, const struct sched_decision *d)
{
	struct task *task = d->ref ? tasks_get(&s->tasks, d->ref) : NULL;
	bool again = task && task->again;
	int rc = again ? attempt_next(s, task) : 0;
	if (rc == 0)
		rc = move_put_back(&s->spool, d->id);
	if (rc == -EEXIST) /* put there behind our back */
		(void)set_aside(s, s->spool.dir_fd[SPOOL_PENDING], ID_TEXT(d->id), "duplicate-id",
			"another request has this id");
	if (rc < 0 && rc != -ENOENT) { /* ENOENT: taken away; its next start will tell so */
		(void)space_failed(s, rc);
		log_err("%s: cannot be moved back to %s, trying again: %s", ID_TEXT(d->id),
			spool_state_name(SPOOL_PENDING), strerror(-rc));
		pass_defer(s, d);
		return;
	}
	if (again)
		keep_between(s, task);
	log_info(again ? "%s: pending again" : "%s: never began, pending again", ID_TEXT(d->id));
	int64_t at = expire_at(s, d->id, expire_read_within(s, d->id), time_mono_ns());
	tasks_drop(&s->tasks, d->ref);
	sched_put_back(s->sched, d->id);
	wq_check(at == TIME_NEVER || sched_start_by(s->sched, d->id, at));
}
