/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * COMPLETE: publish the result of a task that has ended, or of a request that was refused or lost.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "spool/complete.h"
#include "spool/move.h"
#include "spool/sync.h"

#include <wq/cbor.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	KEPT_MAX = 64 /* results in memory, before nothing more is started */
};

static int encode(const struct server *s, const struct task *task, struct buf *ret)
{
	struct result r = { .status = task->status,
		.attempt = task->attempt,
		.code = task->code,
		.signal = task->signal,
		.uid = task->uid,
		.keep_for_ns = task->keep_for_ns,
		.payload = { task->payload.data, task->payload.len } };
	int64_t ended_ns = task->ended_ns ? task->ended_ns : time_mono_ns();
	reqid_format(task->id, r.id);
	if (task->tm >= 0) {
		const struct wq_plugin *desc = &s->tms[task->tm].plugin->desc;
		snprintf(
			r.task_manager, sizeof r.task_manager, "%s", s->tms[task->tm].config->name);
		snprintf(r.plugin, sizeof r.plugin, "%s %s", desc->name, desc->version);
	}
	snprintf(r.key, sizeof r.key, "%s", task->key);
	snprintf(r.label, sizeof r.label, "%s", task->label);
	snprintf(r.error, sizeof r.error, "%s", task->error);
	snprintf(r.text, sizeof r.text, "%s", task->text);
	r.accepted_us = time_wall_us_at(task->accepted_ns);
	r.started_us = time_wall_us_at(task->started_ns);
	r.ended_us = time_wall_us_at(ended_ns);
	if (task->accepted_ns)
		r.waiting_ns = (task->started_ns ? task->started_ns : ended_ns) - task->accepted_ns;
	if (task->started_ns)
		r.running_ns = ended_ns - task->started_ns;
	return result_encode(&r, ret);
}

static void count(struct server *s, const struct task *task)
{
	metrics_count_tm(&s->metrics, task->tm, METRICS_COMPLETED);
	if (task->status == RESULT_REJECTED)
		metrics_count_tm(&s->metrics, task->tm, METRICS_REJECTED);
	if (task->status == RESULT_EXPIRED)
		metrics_count_tm(&s->metrics, task->tm, METRICS_EXPIRED);
	if (task->status == RESULT_LOST)
		metrics_count_tm(&s->metrics, task->tm, METRICS_LOST);
	if (task->set_aside)
		metrics_count(&s->metrics, METRICS_QUARANTINED);
	s->changes.completed++;
}

/* It is in 3 no more, which is nobody's right but the server's. */
static bool is_gone(const struct server *s, struct reqid id, int rc)
{
	int state = rc == -ENOENT ? move_find(&s->spool, id) : SPOOL_RUNNING;
	return state >= 0 && state != SPOOL_RUNNING;
}

/* Write and exchange; it comes again when that is on disk. */
static int write_down(struct server *s, struct task *task, struct wq_err *err)
{
	int fd = -1;
	int rc = task->result.len > 0 ? 0 : encode(s, task, &task->result);
	if (rc == 0)
		rc = complete_write(&s->spool, task->id, task->result.data, task->result.len,
			task->sync_failures > 0, &fd, err);
	if (rc < 0)
		return rc;
	task->beside = rc == COMPLETE_BESIDE;
	/* One that was never started was not committed when it left 1 and 2. */
	unsigned running = 1u << SPOOL_RUNNING;
	unsigned dirs = task->attempt ? running : sync_dirs(&s->spool, running, SYNC_STARTED);
	commit_errand(s, task->id, task->ref, dirs, fd);
	return 0;
}

static int show(struct server *s, const struct task *task, struct wq_err *err)
{
	uint8_t why[ASIDE_WHY_SIZE];
	struct wq_cbor_out out;
	wq_cbor_out_fixed(&out, why, sizeof why);
	if (task->set_aside)
		aside_explain(&out, task->uid, task->error, task->text);
	int rc = complete_show(
		&s->spool, task->id, task->beside, task->set_aside ? why : NULL, out.len, err);
	if (rc == COMPLETE_LEFT) {
		log_err("%s: its request cannot be taken away, trying again", ID_TEXT(task->id));
		left_add(s, task->id, task->beside, why, out.len);
	}
	return rc == COMPLETE_LEFT ? 0 : rc;
}

void complete_bound(struct server *s)
{
	bool many = s->tasks.n_kept >= KEPT_MAX;
	if (many == s->many_kept)
		return;
	s->many_kept = many;
	if (s->commits.error[0])
		return; /* that holds all starts, for good */
	sched_suspend(s->sched, many);
	if (many)
		log_err("%d results are kept in memory; starting nothing more until one is "
			"published",
			KEPT_MAX);
}

static void finish(struct server *s, struct task *task)
{
	struct reqid id = task->id;
	count(s, task);
	keep_after(s, task);
	attempt_over(s, id);
	retain_completed(s, task->keep_for_ns);
	tasks_drop(&s->tasks, task->ref);
	sched_completed(s->sched, id);
	complete_bound(s);
}

void complete_carry_out(struct server *s, const struct sched_decision *d)
{
	struct task *task = tasks_get(&s->tasks, d->ref);
	struct wq_err err = { 0 };
	if (commit_refuses(s, d->id))
		return;
	int rc = d->resumed ? show(s, task, &err) : write_down(s, task, &err);
	if (rc == 0 && !d->resumed)
		return;
	if (rc < 0 && rc != -EEXIST && !is_gone(s, d->id, rc)) {
		log_err("%s: cannot publish its result, keeping it and trying again: %s",
			ID_TEXT(d->id), err.text);
		tasks_keep(&s->tasks, task);
		complete_bound(s);
		if (space_failed(s, rc))
			sched_defer(s->sched, d->id, time_mono_ns());
		else
			pass_defer(s, d);
		return;
	}
	if (rc < 0)
		log_err("%s: its result cannot be published: %s", ID_TEXT(d->id), err.text);
	else
		log_info("%s: complete: %s", ID_TEXT(d->id), result_status_name(task->status));
	finish(s, task);
}
