/* SPDX-License-Identifier: BSD-2-Clause */
/* Tasks from their start to their end: slots, run limits, and why and when they are told to end. */
#include "base/time.h"
#include "sched/sched_priv.h"

#include <errno.h>

/* ---- slots --------------------------------------------------------------------------------------
 */

void sched_take_slot(struct sched *s, struct entry *e, uint32_t ref, int64_t now_ns)
{
	struct tm_queue *t = &s->tms[e->tm];
	e->state = RUNNING;
	e->ref = ref;
	e->since_ns = now_ns;
	if (t->running++ == 0)
		t->reap_at_ns = time_after(now_ns, s->sample_ns);
}

int sched_found_running(struct sched *s, struct reqid id, uint32_t tm, uint32_t ref, int64_t now_ns)
{
	wq_check(tm < s->n_tms);
	struct entry *e = fifo_reserve(&s->errands) ? add(s, id, now_ns) : NULL;
	if (!e)
		return -ENOMEM;
	e->tm = (uint16_t)tm;
	sched_take_slot(s, e, ref, now_ns);
	return 0;
}

static void forget_withheld(struct sched *s, struct entry *e)
{
	if (!(e->flags & WITHHELD))
		return;
	e->flags &= (uint8_t)~WITHHELD;
	s->tms[e->tm].withheld--;
}

/* A running one has come to its end, whichever. */
static struct entry *leave_running(struct sched *s, struct reqid id)
{
	struct entry *e = find(s, id);
	wq_check(e && (e->state == RUNNING || e->state == TERMINATING));
	deadline_drop(&s->run_limits, id);
	forget_withheld(s, e);
	struct tm_queue *t = &s->tms[e->tm];
	t->running--;
	t->dry = false;
	return e;
}

void sched_ended(struct sched *s, struct reqid id, int64_t now_ns)
{
	struct entry *e = leave_running(s, id);
	if (e->flags & MARKED) {
		remove_from(s, e, SCHED_IN_RUNNING);
		return;
	}
	e->since_ns = now_ns;
	send_on_errand(s, e, ENDED);
}

void sched_not_begun(struct sched *s, struct reqid id, int64_t until_ns)
{
	struct entry *e = leave_running(s, id);
	hold(&s->tms[e->tm], until_ns);
	if (e->flags & MARKED) {
		remove_from(s, e, SCHED_IN_RUNNING);
		return;
	}
	/* When to end it was put off, its errand waits as long; those behind it would overtake it. */
	if (e->flags & ON_ERRAND)
		hold(&s->tms[e->tm], later_until(&s->undone, id));
	send_on_errand(s, e, RETURNING);
}

void sched_turned_away(struct sched *s, struct reqid id, int64_t until_ns)
{
	struct tm_queue *t = &s->tms[find(s, id)->tm];
	sched_not_begun(s, id, until_ns);
	if (until_ns == 0)
		sched_no_room(t);
}

/* ---- limits -------------------------------------------------------------------------------------
 */

void sched_set_max_running(struct sched *s, uint32_t tm, uint32_t max_running)
{
	s->tms[tm].limits.max_running = max_running;
}

uint32_t sched_max_running(const struct sched *s, uint32_t tm)
{
	return s->tms[tm].limits.max_running;
}

bool sched_limit(struct sched *s, struct reqid id, int64_t at_ns)
{
	struct entry *e = find(s, id);
	wq_check(e && (e->state == RUNNING || e->state == TERMINATING));
	if (e->state == TERMINATING)
		return true; /* it is on its way out already */
	if (at_ns != TIME_NEVER)
		return deadline_set(&s->run_limits, id, at_ns);
	deadline_drop(&s->run_limits, id);
	return true;
}

void sched_end_overdue(struct sched *s, int64_t now_ns)
{
	struct reqid id;
	while (deadline_take(&s->run_limits, now_ns, &id)) {
		send_on_errand(s, expect(s, id, RUNNING), TERMINATING);
	}
}

/* ---- telling them to end ------------------------------------------------------------------------
 */

void sched_tell_to_end(struct sched *s, struct entry *e)
{
	deadline_drop(&s->run_limits, e->id);
	forget_withheld(s, e);
	send_on_errand(s, e, TERMINATING);
}

void sched_terminate_all(struct sched *s)
{
	s->terminate_now = true;
	for (uint32_t i = 0; i < s->table.n; i++) {
		struct entry *e = &s->table.slab[i];
		if ((e->state == RUNNING || e->state == TERMINATING) && !s->tms[e->tm].detached)
			sched_tell_to_end(s, e);
	}
}

enum sched_end sched_why_ended(const struct sched *s, const struct entry *e)
{
	if (s->terminate_now && !s->tms[e->tm].detached)
		return SCHED_END_NOW;
	return e->flags & MARKED ? SCHED_END_ABORT : SCHED_END_LIMIT;
}

bool sched_withhold(struct sched *s, struct entry *e)
{
	struct tm_queue *t = &s->tms[e->tm];
	if (!t->recovering)
		return false;
	e->flags |= WITHHELD;
	t->withheld++;
	return true;
}

void sched_hold(struct sched *s, uint32_t tm, bool held)
{
	struct tm_queue *t = &s->tms[tm];
	if (t->recovering && !held)
		t->touched = true; /* what it was asked about may have ended */
	t->recovering = held;
	for (uint32_t i = 0; !held && t->withheld > 0 && i < s->table.n; i++) {
		struct entry *e = &s->table.slab[i];
		if (e->state == TERMINATING && e->tm == tm && (e->flags & WITHHELD))
			sched_tell_to_end(s, e);
	}
}

void sched_detach(struct sched *s, uint32_t tm)
{
	s->tms[tm].detached = true;
}
