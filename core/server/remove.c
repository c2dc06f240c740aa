/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * REMOVE: carry out an abort.  The subject goes first, and when that is on disk the marker: a crash in
 * between leaves the marker, and recovery does the same again.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "spool/move.h"
#include "spool/sync.h"

#include <errno.h>
#include <string.h>

static const enum spool_state states[] = {
	[SCHED_IN_REQUESTED] = SPOOL_REQUESTED,
	[SCHED_IN_PENDING] = SPOOL_PENDING,
	[SCHED_IN_RUNNING] = SPOOL_RUNNING,
	[SCHED_IN_COMPLETE] = SPOOL_COMPLETE,
};

static void remove_subject(struct server *s, const struct sched_decision *d)
{
	enum spool_state state = states[d->place];
	int rc = move_remove(&s->spool, d->id, state);
	if (rc < 0 && rc != -ENOENT) {
		log_err("%s: abort: cannot remove it from %s, trying again: %s", ID_TEXT(d->id),
			spool_state_name(state), strerror(-rc));
		pass_defer(s, d);
		return;
	}
	/* That it is nowhere may not be on disk, whoever unlinked it. */
	unsigned dirs =
		rc == -ENOENT ? SYNC_SUBJECTS : sync_dirs(&s->spool, 1u << state, SYNC_SUBJECTS);
	commit_errand(s, d->id, 0, dirs, -1);
}

static void tell(struct server *s, const struct sched_decision *d)
{
	if (d->place == SCHED_IN_COMPLETE) {
		metrics_count(&s->metrics, METRICS_COLLECTED);
		log_info("%s: result removed by abort", ID_TEXT(d->id));
	} else {
		metrics_count_tm(&s->metrics, (int)d->tm, METRICS_ABORTED);
		metrics_observe(
			&s->metrics, (int)d->tm, METRICS_TO_ABORT, time_mono_ns() - d->since_ns);
		log_info("%s: aborted, removed from %s", ID_TEXT(d->id),
			spool_state_name(states[d->place]));
	}
	s->changes.aborted++;
}

static void remove_marker(struct server *s, const struct sched_decision *d)
{
	int rc = move_unmark(&s->spool, d->id);
	if (rc < 0 && rc != -ENOENT && !is_forbidden(rc)) {
		log_err("%s: abort: cannot remove its marker, trying again: %s", ID_TEXT(d->id),
			strerror(-rc));
		pass_defer(s, d);
		return;
	}
	if (rc < 0 && rc != -ENOENT)
		log_warn("%s: aborted, but its marker stays: %s", ID_TEXT(d->id), strerror(-rc));
	tell(s, d);
	if (d->ref)
		keep_nothing(s, tasks_get(&s->tasks, d->ref));
	if (d->place == SCHED_IN_COMPLETE || attempt_of(s, d->id) > 1)
		keep_no_work(s, d->id);
	attempt_over(s, d->id);
	tasks_drop(&s->tasks, d->ref);
	sched_removed(s->sched, d->id);
	complete_bound(s);
}

void remove_carry_out(struct server *s, const struct sched_decision *d)
{
	if (commit_refuses(s, d->id))
		return;
	if (d->resumed)
		remove_marker(s, d);
	else
		remove_subject(s, d);
}
