/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROBE: find the subject of a marker that sched does not know, so that an abort which overtook the
 * sight of its request is not taken for one of nothing.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "spool/move.h"

#include <string.h>

void probe_carry_out(struct server *s, const struct sched_decision *d)
{
	static const enum sched_place places[SPOOL_STATE_MAX + 1] = {
		[SPOOL_REQUESTED] = SCHED_IN_REQUESTED,
		[SPOOL_PENDING] = SCHED_IN_PENDING,
		[SPOOL_RUNNING] = SCHED_IN_RUNNING,
		[SPOOL_COMPLETE] = SCHED_IN_COMPLETE,
	};
	int state = move_find(&s->spool, d->id);
	if (state < 0) {
		log_err("%s: abort: cannot look for it, trying again: %s", ID_TEXT(d->id),
			strerror(-state));
		pass_defer(s, d);
		return;
	}
	sched_probed(s->sched, d->id, places[state], time_mono_ns());
}
