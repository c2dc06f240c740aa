/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * START: move a request from 2-pending to 3-running, commit, and only then hand it to its task
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
static int read_again(struct server *s, const struct sched_decision *d, struct buf *bytes,
	struct request *req, uid_t *uid, struct wq_err *err)
{
	int rc = read_request(&s->spool, SPOOL_RUNNING, d->id, (size_t)s->config.request_limit, 0,
		bytes, uid, err);
	if (rc == 0)
		rc = request_decode(bytes->data, bytes->len, req, err);
	if (rc == 0 && task_managers_find(s, req->task_manager) != (int)d->tm)
		rc = err_set_name(err, -WQ_E_REFUSED, "changed",
			"names another task manager ('%s') than when it was accepted",
			req->task_manager);
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

/* Nothing began: the request goes back to its place, now or as PUT_BACK when that is possible. */
static void give_back(struct server *s, const struct sched_decision *d, int64_t until_ns)
{
	if (move_put_back(&s->spool, d->id) == 0) {
		sched_busy(s->sched, d->id, until_ns);
		return;
	}
	sched_started(s->sched, d->id, 0, time_mono_ns());
	sched_not_begun(s->sched, d->id, until_ns);
}

static void run(
	struct server *s, const struct sched_decision *d, const struct request *req, uid_t uid)
{
	struct task *task = tasks_add(&s->tasks, d->id, (int)d->tm);
	wq_check(task);
	task_describe(task, req);
	task->uid = uid;
	task->attempt = 1;
	task->accepted_ns = d->since_ns;
	task->run_limit_ns = task_managers_run_limit(s, (int)d->tm, req);
	struct wq_err err = { 0 };
	int64_t delay_ms = 0, now = time_mono_ns();
	const char *tm = s->tms[d->tm].config->name;
	int answer = call_start_task(s, task, req, &delay_ms, &err);
	if (answer != WQ_OK) {
		keep_nothing(s, task);
		tasks_drop(&s->tasks, task->ref);
	}
	switch (answer) {
	case WQ_OK:
		task->started_ns = now;
		s->changes.started++;
		metrics_observe(&s->metrics, (int)d->tm, METRICS_WAITING, now - d->since_ns);
		log_info("%s: started by '%s'", ID_TEXT(d->id), tm);
		sched_started(s->sched, d->id, task->ref, now);
		if (task->run_limit_ns)
			wq_check(sched_limit(s->sched, d->id, time_after(now, task->run_limit_ns)));
		break;
	case WQ_BUSY:
		log_debug("%s: '%s' is busy after all", ID_TEXT(d->id), tm);
		give_back(s, d, 0);
		break;
	case WQ_RETRY:
		log_info("%s: '%s' asks to try again in %lld ms", ID_TEXT(d->id), tm,
			(long long)delay_ms);
		give_back(s, d,
			time_after(now,
				(delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS) * NS_PER_MS));
		break;
	case WQ_REJECT:
		reject_request(s, d, req, uid, &err);
		break;
	default:
		log_err("%s: '%s' could not start it, trying again: %s", ID_TEXT(d->id), tm,
			err.text);
		give_back(s, d, time_after(now, NS_PER_S));
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
	struct buf bytes = { 0 };
	struct request req = { 0 };
	struct wq_err err = { 0 };
	uid_t uid = 0;
	if (!move_to_running(s, d))
		return;
	int rc = spool_commit(&s->spool, 1u << SPOOL_RUNNING);
	if (rc < 0)
		err_set(&err, rc, "cannot be committed");
	else
		rc = read_again(s, d, &bytes, &req, &uid, &err);
	if (rc == 0) {
		run(s, d, &req, uid);
	} else if (err_is_system(rc) && rc != -EAGAIN) {
		log_err("%s: trying again: %s", ID_TEXT(d->id), err.text);
		give_back(s, d, time_after(time_mono_ns(), NS_PER_S));
	} else {
		reject_request(s, d, &req, uid, &err);
	}
	buf_fini(&bytes);
}
