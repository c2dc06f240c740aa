/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TERMINATE: tell a task manager to end a task.  The slot stays taken until reap says it has ended.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/quantity.h"

static void say_why(const struct sched_decision *d, struct task *task)
{
	char limit[32];
	switch (d->end) {
	case SCHED_END_NOW:
		log_notice("%s: still running, ending it", ID_TEXT(d->id));
		break;
	case SCHED_END_LIMIT:
		task->over_limit = true;
		log_info("%s: its run limit of %s has passed, ending it", ID_TEXT(d->id),
			quantity_format_duration(task->run_limit_ns, limit));
		break;
	default:
		log_info("%s: abort requested, ending its task", ID_TEXT(d->id));
	}
}

void terminate_carry_out(struct server *s, const struct sched_decision *d)
{
	struct task *task = tasks_get(&s->tasks, d->ref);
	say_why(d, task);
	if (task->committing) {
		task->turned_away = true;
		return;
	}
	if (task->lost || task->tm < 0)
		return; /* nobody has it, and what is left of it is being ended, where that is possible */
	int rc = instance_terminate(s->tms[d->tm].instance, task->tid,
		d->end == SCHED_END_NOW ? WQ_TERM_NOW : WQ_TERM_GRACEFUL);
	/* Unknown there: it has just ended, and reap is on its way. */
	if (rc < 0 && rc != -WQ_E_UNKNOWN) {
		log_warn("%s: its task manager cannot end it, trying again", ID_TEXT(d->id));
		pass_defer(s, d);
	}
}
