/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * REAP: take the ended tasks of a task manager and tell sched of each.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/quantity.h"
#include "base/time.h"

#include <stdio.h>
#include <string.h>

enum {
	REAPS_IN_A_ROW = 64,
	DELAY_MAX_MS = 3600 * 1000,
	NEVER_BEGAN_DELAY_MS = 100 /* where the plugin names none: or it would go round and round */
};

static const enum result_status statuses[] = {
	[WQ_DONE_OK] = RESULT_OK,
	[WQ_DONE_FAILED] = RESULT_FAILED,
	[WQ_DONE_ABORTED] = RESULT_KILLED, /* by us: one that its client aborted has no result */
	[WQ_DONE_LOST] = RESULT_LOST,
	[WQ_DONE_REJECTED] = RESULT_REJECTED,
	[WQ_DONE_KILLED] = RESULT_KILLED,
};

/* Ended, but not because its client wanted it: the result says why. */
static void explain_end(const struct server *s, struct task *task)
{
	char limit[32], text[96];
	if (task->over_limit) {
		snprintf(text, sizeof text, "it ran longer than its limit of %s",
			quantity_format_duration(task->run_limit_ns, limit));
		task_set_outcome(task, RESULT_KILLED, "run-limit", text);
	} else if (s->ending) {
		task_set_outcome(task, RESULT_KILLED, "shutdown", "the server was told to stop");
	}
}

static void take(struct server *s, struct task *task, const struct wq_outcome *o, int64_t now)
{
	task->ended_ns = now;
	task->code = o->code;
	task->signal = o->signal;
	task_set_outcome(task, statuses[o->how], o->error ? o->error : "", o->text ? o->text : "");
	if (o->how == WQ_DONE_ABORTED)
		explain_end(s, task);
	/* Without memory for the payload the status is still worth telling. */
	if (buf_add(&task->payload, o->result.ptr, o->result.len) < 0)
		task_set_outcome(task, RESULT_FAILED, "out-of-memory", "no memory for the result");
	metrics_observe(&s->metrics, task->tm, METRICS_RUNNING, now - task->started_ns);
	log_info("%s: reaped: %s, code %d, %zu bytes", ID_TEXT(task->id),
		result_status_name(task->status), task->code, o->result.len);
	if (o->how == WQ_DONE_LOST)
		lost_reaped(s, task);
	else
		sched_ended(s->sched, task->id, now);
}

static void take_back(struct server *s, struct task *task, const struct wq_outcome *o, int64_t now)
{
	/* With a word of its own it is no matter of course. */
	if (o->error && strcmp(o->error, "not-started") != 0 && !s->stopping)
		log_err("%s: never began, trying again: %s", ID_TEXT(task->id), o->text);
	else
		log_info("%s: reaped: never began", ID_TEXT(task->id));
	keep_nothing(s, task);
	int64_t delay_ms = o->retry_after_ms ? o->retry_after_ms : NEVER_BEGAN_DELAY_MS;
	if (delay_ms > DELAY_MAX_MS)
		delay_ms = DELAY_MAX_MS;
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
