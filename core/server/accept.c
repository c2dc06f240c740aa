/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACCEPT: move a request from 1-requested to 2-pending.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "spool/move.h"

#include <errno.h>
#include <string.h>

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
		log_err("%s: cannot be accepted, trying again: %s", ID_TEXT(d->id), strerror(-rc));
		pass_defer(s, d);
		return;
	}
	sched_dropped(s->sched, d->id);
}
