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

/* Where it stands; SCHED_NOWHERE.  -1: it cannot be told now, and sched knows. */
static int find(struct server *s, const struct sched_decision *d)
{
	static const enum sched_place places[SPOOL_STATE_MAX + 1] = {
		[SPOOL_REQUESTED] = SCHED_IN_REQUESTED,
		[SPOOL_PENDING] = SCHED_IN_PENDING,
		[SPOOL_RUNNING] = SCHED_IN_RUNNING,
		[SPOOL_COMPLETE] = SCHED_IN_COMPLETE,
	};
	int state = move_find(&s->spool, d->id);
	if (state >= 0)
		return (int)places[state];
	log_err("%s: abort: cannot look for it, trying again: %s", ID_TEXT(d->id),
		strerror(-state));
	pass_defer(s, d);
	return -1;
}

void probe_carry_out(struct server *s, const struct sched_decision *d)
{
	int place = find(s, d);
	if (place >= 0)
		sched_probed(s->sched, d->id, (enum sched_place)place, time_mono_ns());
}

bool probe_again(struct server *s, const struct sched_decision *d)
{
	int place = find(s, d);
	if (place > SCHED_NOWHERE)
		sched_probed(s->sched, d->id, (enum sched_place)place, time_mono_ns());
	return place == SCHED_NOWHERE;
}
