/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UNMARK: take away an abort marker whose subject does not exist.
 */
#include "server/server.h"

#include "base/log.h"
#include "spool/move.h"
#include "spool/sync.h"

#include <errno.h>
#include <string.h>

static void remove_marker(struct server *s, const struct sched_decision *d)
{
	int rc = move_unmark(&s->spool, d->id);
	if (rc < 0 && rc != -ENOENT && !is_forbidden(rc)) {
		log_err("%s: abort of an unknown id; its marker cannot be removed, trying again: "
			"%s",
			ID_TEXT(d->id), strerror(-rc));
		pass_defer(s, d);
		return;
	}
	if (rc != -ENOENT)
		metrics_count(&s->metrics, METRICS_UNKNOWN_ABORTS);
	if (rc < 0 && rc != -ENOENT)
		log_warn("%s: abort of an unknown id; its marker cannot be removed, leaving it: %s",
			ID_TEXT(d->id), strerror(-rc));
	else if (rc == 0)
		log_info("%s: abort of an unknown id, ignored", ID_TEXT(d->id));
	sched_unmarked(s->sched, d->id);
}

void unmark_carry_out(struct server *s, const struct sched_decision *d)
{
	if (commit_refuses(s, d->id))
		return;
	/* That it is nowhere may not be on disk: a client has just collected it, say. */
	if (!d->resumed)
		commit_errand(s, d->id, 0, SYNC_SUBJECTS, -1);
	/* It may have been seen meanwhile. */
	else if (probe_again(s, d))
		remove_marker(s, d);
}
