/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACCEPT: move a request from 1-requested to 2-pending.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "spool/move.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* One too many is answered at once; where it cannot be moved on, it is one more that waits.  It is not
 * read: a flood of them costs two renames and a result each. */
static bool refuse(struct server *s, const struct sched_decision *d)
{
	static const struct request unread = { .has_check = false };
	char text[128];
	struct stat st;
	int rc = move_start(&s->spool, d->id);
	if (rc < 0)
		return false;
	rc = s->spool.io->fstatat(
		s->spool.dir_fd[SPOOL_RUNNING], ID_TEXT(d->id), &st, AT_SYMLINK_NOFOLLOW);
	struct task *task =
		reject_task(s, d, TASK_NO_TM, &unread, rc < 0 ? s->spool.owner : st.st_uid);
	snprintf(text, sizeof text,
		"%" PRId64 " requests wait already (queue-limit); enqueue it again later",
		s->config.queue_limit);
	task_set_outcome(task, RESULT_REJECTED, "queue-full", text);
	metrics_count(&s->metrics, METRICS_TOO_MANY);
	log_info("%s: rejected: queue-full: %s", ID_TEXT(d->id), text);
	sched_reject(s->sched, d->id, task->ref, time_mono_ns());
	/* At once, not after the pass: there are more where it came from. */
	s->page_changed = true;
	page_update(s, true);
	return true;
}

void accept_carry_out(struct server *s, const struct sched_decision *d)
{
	int from = s->spool.dir_fd[SPOOL_REQUESTED];
	int rc = move_accept(&s->spool, d->id);
	if (rc == 0) {
		if (d->id.us < s->spool.hwm_us)
			metrics_count(&s->metrics, METRICS_LATE);
		spool_note_id(&s->spool, d->id);
		metrics_count(&s->metrics, METRICS_RECEIVED);
		s->changes.accepted++;
		log_info("%s: accepted", ID_TEXT(d->id));
		if (d->too_many && refuse(s, d))
			return;
		sched_accepted(s->sched, d->id, time_mono_ns());
		return;
	}
	switch (rc) {
	case -ENOENT: /* its client has withdrawn it */
		break;
	case -EEXIST:
		(void)set_aside(
			s, from, ID_TEXT(d->id), "duplicate-id", "another request has this id");
		break;
	case -EACCES: /* a directory of another user; it cannot be moved, and will never be */
	case -EPERM:
	case -EISDIR:
		(void)set_aside(s, from, ID_TEXT(d->id), "unmovable", strerror(-rc));
		break;
	default:
		(void)space_failed(s, rc);
		log_err("%s: cannot be accepted, trying again: %s", ID_TEXT(d->id), strerror(-rc));
		pass_defer(s, d);
		return;
	}
	sched_dropped(s->sched, d->id);
}
