/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SORT: read a pending request's envelope and say whose it is.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "spool/read.h"

#include <errno.h>

enum {
	LEASE_TRIES = 3,
	LEASE_WAIT_MS = 100
};

static int choose(struct server *s, const struct request *req, struct wq_err *err)
{
	int tm = task_managers_find(s, req->task_manager);
	if (tm < 0)
		return err_set_name(err, -WQ_E_UNKNOWN, "unknown-task-manager",
			"no task manager is named '%s'; there are: %s", req->task_manager,
			task_managers_names(s, (char[256]){ 0 }, 256));
	int rc = policy_check(s, tm, req, err);
	return rc < 0 ? rc : tm;
}

/* A plugin that is broken says nothing about the request: start_task will judge. */
static int validate(
	struct server *s, int tm, struct reqid id, const struct request *req, struct wq_err *err)
{
	struct instance_task task = { .id = ID_TEXT(id),
		.name = "",
		.key = req->key,
		.label = req->label,
		.request = req->payload,
		.attempt = attempt_of(s, id) };
	int rc = instance_validate(s->tms[tm].instance, &task, err);
	return rc == WQ_REJECT ? -WQ_E_REFUSED : tm;
}

/* The number of its task manager, or a failure that says why there is none. */
static int read_and_choose(struct server *s, struct reqid id, struct buf *bytes,
	struct request *req, uid_t *uid, struct wq_err *err)
{
	size_t limit = (size_t)s->config.request_limit;
	int rc = read_request(
		&s->spool, SPOOL_PENDING, id, limit, REQUEST_ENVELOPE_MAX, bytes, uid, err);
	if (rc == 0)
		rc = request_decode_envelope(bytes->data, bytes->len, req, err);
	int tm = rc < 0 ? rc : choose(s, req, err);
	if (tm < 0 || !s->tms[tm].plugin->desc.validate)
		return tm;
	/* Only a large one for a plugin that wants to see the payload early is read twice. */
	if (bytes->len == REQUEST_ENVELOPE_MAX) {
		buf_clear(bytes);
		rc = read_request(&s->spool, SPOOL_PENDING, id, limit, 0, bytes, uid, err);
	}
	if (rc == 0)
		rc = request_decode(bytes->data, bytes->len, req, err);
	return rc < 0 ? rc : validate(s, tm, id, req, err);
}

void sort_carry_out(struct server *s, const struct sched_decision *d)
{
	struct buf bytes = { 0 };
	struct request req = { 0 };
	struct wq_err err = { 0 };
	uid_t uid = 0;
	int tm = read_and_choose(s, d->id, &bytes, &req, &uid, &err);
	int64_t now = time_mono_ns(), at = expire_at(s, d->id, req.start_within_ns, now);
	if (tm >= 0 && at <= now) {
		expire_request(s, d, tm, &req, uid);
	} else if (tm >= 0) {
		sched_sorted(s->sched, d->id, (uint32_t)tm);
		wq_check(at == TIME_NEVER || sched_start_by(s->sched, d->id, at));
	} else if (tm == -ENOENT) {
		log_warn("%s: vanished from %s", ID_TEXT(d->id), spool_state_name(SPOOL_PENDING));
		sched_dropped(s->sched, d->id);
	} else if (tm == -EAGAIN && d->tries < LEASE_TRIES) {
		sched_defer(s->sched, d->id, time_after(time_mono_ns(), LEASE_WAIT_MS * NS_PER_MS));
	} else if (err_is_system(tm) && tm != -EAGAIN) {
		log_err("%s: cannot be read, trying again: %s", ID_TEXT(d->id), err.text);
		pass_defer(s, d);
	} else {
		reject_request(s, d, &req, uid, &err);
	}
	buf_fini(&bytes);
}
