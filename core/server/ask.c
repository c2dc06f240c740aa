/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ASK: ask a task manager how many more tasks it may start now.
 */
#include "server/server.h"

#include "base/time.h"

void ask_carry_out(struct server *s, const struct sched_decision *d)
{
	/* It does not know yet of those that wait for their commit. */
	const struct task_manager *tm = &s->tms[d->tm];
	int32_t room = instance_has_capacity(tm->instance) - tm->committing;
	sched_room(s->sched, d->tm, room, time_mono_ns());
}
