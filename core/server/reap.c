/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * REAP: take the ended tasks of a task manager and tell sched of each.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"

#include <stdio.h>

enum {
	REAPS_IN_A_ROW = 64,
	NEVER_BEGAN_DELAY_MS = 100 /* where the plugin names none: or it would go round and round */
};

static const struct {
	enum result_status status;
	const char *error; /* where the plugin names none */
} outcomes[] = {
	[WQ_DONE_OK] = { RESULT_OK, "" },
	[WQ_DONE_FAILED] = { RESULT_FAILED, "failed" },
	[WQ_DONE_ABORTED] = { RESULT_KILLED, "killed" }, /* by us: an aborted one has no result */
	[WQ_DONE_LOST] = { RESULT_LOST, "lost" },
	[WQ_DONE_REJECTED] = { RESULT_REJECTED, "refused" },
	[WQ_DONE_KILLED] = { RESULT_KILLED, "killed" },
};

static void take(struct server *s, struct task *task, const struct wq_outcome *o, int64_t now)
{
	const char *error = o->error && o->error[0] ? o->error : outcomes[o->how].error;
	task->ended_ns = now;
	task->code = o->code;
	task->signal = o->signal;
	task_refuse(task, outcomes[o->how].status, error, o->text ? o->text : "");
	/* Without memory for the payload the status is still worth telling. */
	if (buf_add(&task->payload, o->result.ptr, o->result.len) < 0)
		task_refuse(task, RESULT_FAILED, "out-of-memory", "no memory for the result");
	metrics_observe(&s->metrics, task->tm, METRICS_RUNNING, now - task->started_ns);
	log_info("%s: reaped: %s, code %d, %zu bytes", ID_TEXT(task->id),
		result_status_name(task->status), task->code, o->result.len);
	sched_ended(s->sched, task->id, now);
}

static void take_back(struct server *s, struct task *task, const struct wq_outcome *o, int64_t now)
{
	log_info("%s: reaped: never began", ID_TEXT(task->id));
	int64_t delay_ms = o->retry_after_ms ? o->retry_after_ms : NEVER_BEGAN_DELAY_MS;
	sched_not_begun(s->sched, task->id, time_after(now, delay_ms * NS_PER_MS));
}

void reap_carry_out(struct server *s, const struct sched_decision *d)
{
	struct instance *i = s->tms[d->tm].instance;
	int n = 0;
	struct wq_outcome o;
	while (n < REAPS_IN_A_ROW && instance_reap(i, &o) == 1) {
		struct task *task = tasks_get(&s->tasks, instance_reaped_ref(i));
		if (o.how == WQ_DONE_NOT_STARTED)
			take_back(s, task, &o, time_mono_ns());
		else
			take(s, task, &o, time_mono_ns());
		n++;
	}
	sched_reaped(s->sched, d->tm, n == REAPS_IN_A_ROW, time_mono_ns());
}
