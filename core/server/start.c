/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * START: move a request from 2-pending to 3-running; and when that is on disk hand it to its task
 * manager: a crash in between leaves a request that is known to have been started perhaps, never
 * one that runs without a record.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "spool/move.h"
#include "spool/read.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum {
	DELAY_MAX_MS = 3600 * 1000 /* what a plugin may hold its queue for at a time */
};

/* It was sorted by a reading that its owner may have changed since; refuse what changed. */
static int read_again(struct server *s, struct task *task, struct buf *bytes, struct request *req,
	struct wq_err *err)
{
	int rc = read_request(&s->spool, SPOOL_RUNNING, task->id, (size_t)s->config.request_limit,
		0, bytes, &task->uid, err);
	if (rc == 0)
		rc = request_decode(bytes->data, bytes->len, req, err);
	if (rc == 0 && task_managers_find(s, req->task_manager) != task->tm)
		rc = err_set_name(err, -WQ_E_REFUSED, "changed",
			"names another task manager ('%s') than when it was accepted",
			req->task_manager);
	if (rc == 0)
		rc = policy_check(s, task->tm, req, err);
	return rc;
}

static int call_start_task(struct server *s, struct task *task, const struct request *req,
	int64_t *ret_delay_ms, struct wq_err *err)
{
	char name[TASK_NAME_MAX], id[REQID_SIZE], work[PATH_MAX];
	const struct task_manager *tm = &s->tms[task->tm];
	task_name(task, s->spool.uuid, name);
	reqid_format(task->id, id);
	struct instance_task t = { .id = id,
		.name = name,
		.key = req->key,
		.label = req->label,
		.request = req->payload,
		.attempt = task->attempt,
		.uid = task->uid,
		.ref = task->ref };
	if (tm->plugin->desc.caps & WQ_CAP_WORK_DIR) {
		int rc = keep_make_work(s, task, work, sizeof work);
		if (rc < 0)
			return err_set(err, rc, "cannot make its work directory");
		t.work_dir = work;
	}
	return instance_start_task(tm->instance, &t, &task->tid, ret_delay_ms, err);
}

/* Nothing began: the request goes back to its place, and so do those behind it that wait for their
 * commit, for they would overtake it. */
static void turn_away(struct server *s, struct task *task, int64_t until_ns)
{
	keep_nothing(s, task);
	struct task *t = tasks_next(&s->tasks, 0);
	for (; t; t = tasks_next(&s->tasks, t->ref))
		if (t->committing && t->tm == task->tm)
			t->turned_away = true;
	sched_turned_away(s->sched, task->id, until_ns);
}

static void has_begun(struct server *s, struct task *task, int64_t now)
{
	task->started_ns = now;
	s->changes.started++;
	metrics_observe(&s->metrics, task->tm, METRICS_WAITING, now - task->accepted_ns);
	log_info("%s: started by '%s'", ID_TEXT(task->id), s->tms[task->tm].config->name);
	sched_begun(s->sched, (uint32_t)task->tm);
	if (task->run_limit_ns)
		wq_check(sched_limit(s->sched, task->id, time_after(now, task->run_limit_ns)));
}

static void run(struct server *s, struct task *task, const struct request *req)
{
	struct wq_err err = { 0 };
	int64_t delay_ms = 0, now = time_mono_ns();
	const char *tm = s->tms[task->tm].config->name;
	task_describe(task, req);
	task->on_crash = policy_of(s, task->tm, req);
	task->run_limit_ns = task_managers_run_limit(s, task->tm, req);
	int answer = call_start_task(s, task, req, &delay_ms, &err);
	switch (answer) {
	case WQ_OK:
		has_begun(s, task, now);
		break;
	case WQ_BUSY:
		log_debug("%s: '%s' is busy after all", ID_TEXT(task->id), tm);
		turn_away(s, task, 0);
		break;
	case WQ_RETRY:
		log_info("%s: '%s' asks to try again in %lld ms", ID_TEXT(task->id), tm,
			(long long)delay_ms);
		delay_ms = delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;
		turn_away(s, task, time_after(now, delay_ms * NS_PER_MS));
		break;
	case WQ_REJECT:
		keep_nothing(s, task);
		reject_started(s, task, &err);
		break;
	default:
		(void)space_failed(s, answer);
		log_err("%s: '%s' could not start it, trying again: %s", ID_TEXT(task->id), tm,
			err.text);
		turn_away(s, task, time_after(now, NS_PER_S));
	}
}

static void read_and_run(struct server *s, struct task *task)
{
	struct buf bytes = { 0 };
	struct request req = { 0 };
	struct wq_err err = { 0 };
	int rc = read_again(s, task, &bytes, &req, &err);
	if (rc == 0) {
		run(s, task, &req);
	} else if (err_is_system(rc) && rc != -EAGAIN) {
		log_err("%s: trying again: %s", ID_TEXT(task->id), err.text);
		turn_away(s, task, time_after(time_mono_ns(), NS_PER_S));
	} else {
		if (req.envelope.len > 0)
			task_describe(task, &req);
		reject_started(s, task, &err);
	}
	buf_fini(&bytes);
}

void start_begin(struct server *s, struct task *task, int rc)
{
	task->committing = false;
	s->tms[task->tm].committing--;
	if (rc < 0) {
		log_err("%s: its start cannot be committed: %s", ID_TEXT(task->id), strerror(-rc));
		turn_away(s, task, time_after(time_mono_ns(), NS_PER_S));
	} else if (task->turned_away || s->stopping || sched_is_ending(s->sched, task->id)) {
		sched_not_begun(s->sched, task->id, 0);
	} else {
		read_and_run(s, task);
	}
}

/* False: it did not get there, and sched knows. */
static bool move_to_running(struct server *s, const struct sched_decision *d)
{
	int rc = move_start(&s->spool, d->id);
	if (rc == 0)
		return true;
	log_err("%s: cannot be moved to %s: %s", ID_TEXT(d->id), spool_state_name(SPOOL_RUNNING),
		strerror(-rc));
	(void)space_failed(s, rc);
	if (rc == -EEXIST)
		rc = set_aside(s, s->spool.dir_fd[SPOOL_PENDING], ID_TEXT(d->id), "duplicate-id",
			"another request has this id");
	if (rc == 0 || rc == -ENOENT)
		sched_dropped(s->sched, d->id);
	else
		sched_busy(s->sched, d->id, time_after(time_mono_ns(), NS_PER_S));
	return false;
}

void start_carry_out(struct server *s, const struct sched_decision *d)
{
	if (!move_to_running(s, d))
		return;
	struct task *task = tasks_add(&s->tasks, d->id, (int)d->tm);
	wq_check(task); /* out of memory with the file moved: restart and recover */
	task->attempt = attempt_of(s, d->id);
	task->accepted_ns = d->since_ns;
	task->committing = true;
	s->tms[d->tm].committing++;
	sched_started(s->sched, d->id, task->ref, time_mono_ns());
	commit_start(s, task);
}
