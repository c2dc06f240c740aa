/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EXPIRE: a request that had to be started by a time and was not is answered, and never runs.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/quantity.h"
#include "base/time.h"
#include "spool/read.h"

#include <errno.h>
#include <stdio.h>

/* By the wall clock, which alone goes on while no server runs; an id may be ahead of it. */
int64_t expire_at(const struct server *s, struct reqid id, int64_t within_ns, int64_t now_ns)
{
	int64_t age_us = time_wall_us() - (int64_t)id.us;
	if (within_ns == 0 || attempt_of(s, id) > 1)
		return TIME_NEVER;
	return time_after(now_ns, within_ns - (age_us > 0 ? age_us * NS_PER_US : 0));
}

void expire_request(struct server *s, const struct sched_decision *d, int tm,
	const struct request *req, uid_t uid)
{
	char within[32], text[96] = "it was not started in time";
	if (!reject_move(s, d))
		return;
	if (req->start_within_ns > 0)
		snprintf(text, sizeof text, "it was not started within %s",
			quantity_format_duration(req->start_within_ns, within));
	struct task *task = reject_task(s, d, tm, req, uid);
	task_set_outcome(task, RESULT_EXPIRED, "start-within", text);
	log_info("%s: expired: %s", ID_TEXT(d->id), text);
	sched_reject(s->sched, d->id, task->ref, time_mono_ns());
}

static int read_envelope(struct server *s, struct reqid id, struct buf *bytes, struct request *req,
	uid_t *uid, struct wq_err *err)
{
	int rc = read_request(&s->spool, SPOOL_PENDING, id, (size_t)s->config.request_limit,
		REQUEST_ENVELOPE_MAX, bytes, uid, err);
	return rc < 0 ? rc : request_decode_envelope(bytes->data, bytes->len, req, err);
}

int64_t expire_read_within(struct server *s, struct reqid id)
{
	struct buf bytes = { 0 };
	struct request req = { 0 };
	(void)read_envelope(s, id, &bytes, &req, NULL, NULL);
	buf_fini(&bytes);
	return req.start_within_ns;
}

void expire_carry_out(struct server *s, const struct sched_decision *d)
{
	struct buf bytes = { 0 };
	struct request req = { 0 };
	struct wq_err err = { 0 };
	uid_t uid = 0;
	int rc = read_envelope(s, d->id, &bytes, &req, &uid, &err);
	if (rc < 0 && err_is_system(rc) && rc != -EAGAIN && rc != -ENOENT) {
		log_err("%s: cannot be read, trying again: %s", ID_TEXT(d->id), err.text);
		pass_defer(s, d);
	} else {
		/* What has become of it since it was sorted does not matter any more. */
		expire_request(s, d, (int)d->tm, &req, uid);
	}
	buf_fini(&bytes);
}
