/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UNMARK: take away an abort marker whose subject does not exist.
 */
#include "server/server.h"

#include "base/log.h"
#include "spool/move.h"

#include <errno.h>
#include <string.h>

void unmark_carry_out(struct server *s, const struct sched_decision *d)
{
	int rc = move_unmark(&s->spool, d->id);
	if (rc == -ENOENT)
		return;
	if (rc < 0 && !is_forbidden(rc)) {
		log_err("%s: abort of an unknown id; its marker cannot be removed, trying again: "
			"%s",
			ID_TEXT(d->id), strerror(-rc));
		look_again_soon(s); /* sched has forgotten it, a listing finds it */
		return;
	}
	metrics_count(&s->metrics, METRICS_UNKNOWN_ABORTS);
	if (rc < 0)
		log_warn("%s: abort of an unknown id; its marker cannot be removed, leaving it: %s",
			ID_TEXT(d->id), strerror(-rc));
	else
		log_info("%s: abort of an unknown id, ignored", ID_TEXT(d->id));
}
