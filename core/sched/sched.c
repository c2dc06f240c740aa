/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/sched.h"

#include "base/time.h"
#include "sched/sched_priv.h"

#include <errno.h>
#include <stdlib.h>

/* After this many accepts in a row a start that is possible goes first. */
enum {
	ACCEPTS_IN_A_ROW = 256,
	EXPIRE_AT_ONCE = 256 /* while there are more, each call brings as many again */
};

struct sched *sched_new(uint32_t n_tms, const struct sched_limits *limits, int64_t sample_ns,
	const uint64_t hash_key[2])
{
	struct sched *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->tms = calloc(n_tms, sizeof *s->tms);
	if (!s->tms || !table_init(&s->table, hash_key) ||
		!deadline_init(&s->run_limits, hash_key) ||
		!deadline_init(&s->start_by, hash_key)) {
		sched_free(s);
		return NULL;
	}
	s->n_tms = n_tms;
	s->queue_limit = UINT32_MAX;
	s->sample_ns = sample_ns;
	for (uint32_t i = 0; i < n_tms; i++)
		s->tms[i].limits = limits[i];
	return s;
}

void sched_free(struct sched *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n_tms; i++)
		fifo_fini(&s->tms[i].queue);
	free(s->tms);
	fifo_fini(&s->seen);
	fifo_fini(&s->unsorted);
	fifo_fini(&s->errands);
	later_fini(&s->unmovable);
	later_fini(&s->undone);
	deadline_fini(&s->run_limits);
	deadline_fini(&s->start_by);
	table_fini(&s->table);
	free(s);
}

/* ---- entries ------------------------------------------------------------------------------------
 */

static void forget(struct sched *s, struct entry *e)
{
	uint32_t h = handle_of(s, e);
	table_unlink(&s->table, h);
	table_release(&s->table, h);
}

static struct fifo *fifo_of(struct sched *s, const struct entry *e)
{
	switch (e->state) {
	case SEEN:
		return &s->seen;
	case UNSORTED:
		return &s->unsorted;
	case WAITING:
		return &s->tms[e->tm].queue;
	default:
		return NULL;
	}
}

/*
 * A fifo's ring and the heap of late ones can each need memory just when a file has moved.  There
 * is no way back then, so being out of memory here means to restart and recover from the spool.
 */
static void enter(struct sched *s, struct entry *e, enum entry_state state)
{
	e->state = (uint8_t)state;
	wq_check(fifo_push(fifo_of(s, e), &s->table, handle_of(s, e)));
}

/* It will not be started from where it waits. */
static void forget_start_by(struct sched *s, struct reqid id)
{
	if (s->start_by.n > 0)
		deadline_drop(&s->start_by, id);
}

/* One leaves its queue from wherever it is in it: the queue keeps the dead entry, a fresh one, which
 * is answered, runs the errand.  NULL when memory is short. */
static struct entry *take_out(struct sched *s, struct entry *e)
{
	struct entry old = *e;
	uint32_t h = handle_of(s, e);
	struct fifo *queue = fifo_of(s, e);
	table_unlink(&s->table, h);
	uint32_t fresh = table_add(&s->table, old.id);
	if (fresh == TABLE_NONE) {
		table_relink(&s->table, h);
		return NULL;
	}
	fifo_kill(queue, &s->table, h);
	e = table_at(&s->table, fresh);
	e->since_ns = old.since_ns;
	e->tm = old.tm;
	return e;
}

static int remove_queued(struct sched *s, struct entry *e)
{
	e = take_out(s, e);
	if (!e)
		return -ENOMEM;
	forget_start_by(s, e->id);
	e->flags = MARKED;
	remove_from(s, e, SCHED_IN_PENDING);
	return 0;
}

/* ---- events -------------------------------------------------------------------------------------
 */

int sched_seen(struct sched *s, struct reqid id, int64_t now_ns)
{
	struct entry *e = find(s, id);
	/* One that a probe did not find yet is news; all others are known. */
	if (e && (e->state != UNMARKING || e->flags & PARKED))
		return 0; /* a parked one is looked for again when its marker is about to go */
	if (!fifo_reserve(&s->seen))
		return -ENOMEM;
	if (!e)
		e = add(s, id, now_ns);
	if (!e)
		return -ENOMEM;
	e->since_ns = now_ns;
	enter(s, e, SEEN);
	return 0;
}

int sched_marked(struct sched *s, struct reqid id, int64_t now_ns)
{
	struct entry *e = find(s, id);
	if (e && (e->flags & MARKED))
		return 0;
	if (!fifo_reserve(&s->errands))
		return -ENOMEM;
	if (!e) {
		e = add(s, id, now_ns);
		if (!e)
			return -ENOMEM;
		e->flags |= MARKED;
		send_on_errand(s, e, PROBING);
		return 0;
	}
	if (e->state == UNSORTED || e->state == WAITING)
		return remove_queued(s, e);
	e->flags |= MARKED;
	if (e->state == RUNNING)
		sched_tell_to_end(s, e);
	else if (e->state == EXPIRING)
		remove_from(s, e, SCHED_IN_PENDING);
	else if (e->state == RETURNING || (e->state == ENDED && !(e->flags & PARKED)))
		remove_from(s, e, SCHED_IN_RUNNING);
	return 0; /* SEEN: once accepted; TERMINATING: once ended */
}

void sched_wakeup(struct sched *s, uint32_t tm)
{
	s->tms[tm].dry = false;
	s->tms[tm].touched = true;
}

int sched_found_pending(struct sched *s, struct reqid id, int64_t now_ns)
{
	struct entry *e = fifo_reserve(&s->unsorted) ? add(s, id, now_ns) : NULL;
	if (!e)
		return -ENOMEM;
	enter(s, e, UNSORTED);
	return 0;
}

int sched_found_lost(struct sched *s, struct reqid id, uint32_t ref, int64_t now_ns)
{
	struct entry *e = fifo_reserve(&s->errands) ? add(s, id, now_ns) : NULL;
	if (!e)
		return -ENOMEM;
	e->ref = ref;
	send_on_errand(s, e, ENDED);
	return 0;
}

void sched_stop(struct sched *s)
{
	s->stopping = true;
}

/* ---- answers ------------------------------------------------------------------------------------
 */

void sched_looked(struct sched *s)
{
	s->looked = true;
	s->accepts = 0;
}

/* A queued one that an answer is about leaves the front of its queue. */
static struct entry *leave(struct sched *s, struct reqid id)
{
	struct entry *e = find(s, id);
	wq_check(e);
	struct fifo *queue = fifo_of(s, e);
	wq_check(queue);
	wq_check(fifo_pop(queue, &s->table) == handle_of(s, e));
	if (e->state == WAITING)
		forget_start_by(s, id);
	return e;
}

/* The same of one that may have left it already, to expire. */
static struct entry *leave_or_expire(struct sched *s, struct reqid id)
{
	struct entry *e = find(s, id);
	return e && e->state == EXPIRING ? e : leave(s, id);
}

void sched_accepted(struct sched *s, struct reqid id, int64_t now_ns)
{
	expect(s, id, SEEN);
	struct entry *e = leave(s, id);
	e->since_ns = now_ns;
	e->ref = 0;
	if (e->flags & MARKED)
		remove_from(s, e, SCHED_IN_PENDING);
	else
		enter(s, e, UNSORTED);
}

void sched_dropped(struct sched *s, struct reqid id)
{
	struct entry *e = leave_or_expire(s, id);
	/* The marker of one that vanished still has to go. */
	if (e->flags & MARKED)
		send_on_errand(s, e, UNMARKING);
	else
		forget(s, e);
}

void sched_probed(struct sched *s, struct reqid id, enum sched_place place, int64_t now_ns)
{
	struct entry *e = find(s, id);
	wq_check(e && (e->state == PROBING || e->state == UNMARKING));
	e->since_ns = now_ns;
	if (place == SCHED_NOWHERE)
		send_on_errand(s, e, UNMARKING);
	else if (place == SCHED_IN_REQUESTED)
		enter(s, e, SEEN);
	else
		remove_from(s, e, place);
}

void sched_removed(struct sched *s, struct reqid id)
{
	forget(s, expect(s, id, REMOVING));
}

void sched_sorted(struct sched *s, struct reqid id, uint32_t tm)
{
	expect(s, id, UNSORTED);
	struct entry *e = leave(s, id);
	e->tm = (uint16_t)tm;
	e->ref = 0;
	enter(s, e, WAITING);
}

void sched_defer(struct sched *s, struct reqid id, int64_t until_ns)
{
	struct entry *e = find(s, id);
	wq_check(e);
	if (e->state == SEEN || e->state == UNSORTED) {
		e->ref++;
		wq_check(later_put(&s->unmovable, id, until_ns));
		return;
	}
	wq_check(e->state >= PROBING);
	if (e->state == RETURNING) /* those behind it would overtake it */
		hold(&s->tms[e->tm], until_ns);
	e->flags |= ON_ERRAND; /* so that an abort in between does not send it twice */
	wq_check(later_put(&s->undone, id, until_ns));
}

void sched_park(struct sched *s, struct reqid id)
{
	struct entry *e = find(s, id);
	wq_check(e && (e->state == ENDED || e->state == REMOVING || e->state == UNMARKING));
	e->flags |= ON_ERRAND | PARKED;
	e->flags &= (uint8_t)~RESUMED;
	s->n_parked++;
}

/* NULL: it is not parked; or its abort takes over. */
static struct entry *unpark(struct sched *s, struct reqid id)
{
	struct entry *e = find(s, id);
	if (!e || !(e->flags & PARKED))
		return NULL;
	e->flags &= (uint8_t) ~(PARKED | ON_ERRAND);
	s->n_parked--;
	if (e->state != ENDED || !(e->flags & MARKED))
		return e;
	remove_from(s, e, SCHED_IN_RUNNING);
	return NULL;
}

void sched_resume(struct sched *s, struct reqid id)
{
	struct entry *e = unpark(s, id);
	if (!e)
		return;
	send_on_errand(s, e, (enum entry_state)e->state);
	e->flags |= RESUMED;
}

void sched_redo(struct sched *s, struct reqid id, int64_t until_ns)
{
	if (unpark(s, id))
		sched_defer(s, id, until_ns);
}

void sched_unmarked(struct sched *s, struct reqid id)
{
	forget(s, expect(s, id, UNMARKING));
}

void sched_suspend(struct sched *s, bool suspended)
{
	s->suspended = suspended;
}

void sched_begun(struct sched *s, uint32_t tm)
{
	s->tms[tm].touch_later = true;
	s->tms[tm].dry = false; /* what it answered was without them */
}

void sched_room(struct sched *s, uint32_t tm, int32_t room, int64_t now_ns)
{
	struct tm_queue *t = &s->tms[tm];
	t->room = room > 0 ? room : 0;
	s->looked = false;
	if (room <= 0) {
		t->dry = true;
		t->ask_at_ns = time_after(now_ns, s->sample_ns);
	}
}

void sched_reaped(struct sched *s, uint32_t tm, bool more, int64_t now_ns)
{
	s->tms[tm].touched = more;
	s->tms[tm].reap_at_ns = time_after(now_ns, s->sample_ns);
}

void sched_started(struct sched *s, struct reqid id, uint32_t ref, int64_t now_ns)
{
	expect(s, id, WAITING);
	struct entry *e = leave(s, id);
	struct tm_queue *t = &s->tms[e->tm];
	sched_take_slot(s, e, ref, now_ns);
	t->touch_later = true;
	t->room--;
}

void sched_busy(struct sched *s, struct reqid id, int64_t until_ns)
{
	struct tm_queue *t = &s->tms[expect(s, id, WAITING)->tm];
	t->room = 0;
	hold(t, until_ns);
	if (until_ns == 0)
		sched_no_room(t);
}

void sched_reject(struct sched *s, struct reqid id, uint32_t ref, int64_t now_ns)
{
	struct entry *e = leave_or_expire(s, id);
	wq_check(!(e->flags & MARKED));
	e->ref = ref;
	e->since_ns = now_ns;
	send_on_errand(s, e, ENDED);
}

void sched_put_back(struct sched *s, struct reqid id)
{
	struct entry *e = expect(s, id, RETURNING);
	e->ref = 0;
	enter(s, e, WAITING);
}

void sched_completed(struct sched *s, struct reqid id)
{
	forget(s, expect(s, id, ENDED));
}

/* ---- limits -------------------------------------------------------------------------------------
 */

bool sched_start_by(struct sched *s, struct reqid id, int64_t at_ns)
{
	expect(s, id, WAITING);
	if (at_ns != TIME_NEVER)
		return deadline_set(&s->start_by, id, at_ns);
	forget_start_by(s, id);
	return true;
}

void sched_set_queue_limit(struct sched *s, uint32_t n)
{
	s->queue_limit = n;
}

void sched_set_no_space(struct sched *s, bool no_space)
{
	s->no_space = no_space;
}

/* ---- decisions ----------------------------------------------------------------------------------
 */

static bool decide(enum sched_kind kind, const struct entry *e, struct sched_decision *ret)
{
	*ret = (struct sched_decision){ .kind = kind, .tm = SCHED_NO_TM };
	if (!e)
		return true;
	ret->id = e->id;
	ret->tm = e->tm == UINT16_MAX ? SCHED_NO_TM : e->tm;
	ret->since_ns = e->since_ns;
	ret->place = (enum sched_place)((e->flags & PLACE_MASK) >> PLACE_SHIFT);
	ret->resumed = (e->flags & RESUMED) != 0;
	if (e->state == SEEN || e->state == UNSORTED)
		ret->tries = e->ref;
	else
		ret->ref = e->ref;
	return true;
}

static bool decide_tm(enum sched_kind kind, uint32_t tm, struct sched_decision *ret)
{
	*ret = (struct sched_decision){ .kind = kind, .tm = tm };
	return true;
}

/* Send those on the errand to expire whose time has passed.  Nothing starts before all of them are
 * on it: errands come first. */
static void expire(struct sched *s, int64_t now_ns)
{
	struct reqid id;
	for (int n = 0; n < EXPIRE_AT_ONCE && may_write(s); n++) {
		if (!deadline_take(&s->start_by, now_ns, &id))
			break;
		struct entry *e = take_out(s, expect(s, id, WAITING));
		wq_check(e);
		send_on_errand(s, e, EXPIRING);
	}
}

static void resume_deferred(struct sched *s, int64_t now_ns)
{
	struct reqid id;
	while (later_take(&s->unmovable, now_ns, &id)) {
		/* Its time has come, nothing more. */
	}
	while (later_take(&s->undone, now_ns, &id))
		wq_check(fifo_append(&s->errands, table_find(&s->table, id)));
}

/* The next that can be done now; NULL for none. */
static struct entry *take_errand(struct sched *s)
{
	while (s->errands.len > 0) {
		struct entry *e = table_at(&s->table, fifo_shift(&s->errands));
		e->flags &= (uint8_t)~ON_ERRAND;
		if (e->state < PROBING)
			continue; /* it was seen after all, and is queued */
		if (e->state == TERMINATING && sched_withhold(s, e))
			continue;
		return e;
	}
	return NULL;
}

static bool next_errand(struct sched *s, struct sched_decision *ret)
{
	static const enum sched_kind kinds[] = {
		[PROBING] = SCHED_PROBE,
		[UNMARKING] = SCHED_UNMARK,
		[REMOVING] = SCHED_REMOVE,
		[TERMINATING] = SCHED_TERMINATE,
		[RETURNING] = SCHED_PUT_BACK,
		[EXPIRING] = SCHED_EXPIRE,
		[ENDED] = SCHED_COMPLETE,
	};
	struct entry *e = take_errand(s);
	if (!e)
		return false;
	decide(kinds[e->state], e, ret);
	if (ret->kind == SCHED_TERMINATE) {
		ret->end = sched_why_ended(s, e);
		s->tms[e->tm].touch_later = true;
	}
	return true;
}

static bool next_reap(struct sched *s, int64_t now_ns, struct sched_decision *ret)
{
	for (uint32_t i = 0; i < s->n_tms; i++) {
		struct tm_queue *t = &s->tms[i];
		if (t->limits.polls && t->running > 0 && now_ns >= t->reap_at_ns)
			t->touched = true;
		if (t->touched)
			return decide_tm(SCHED_REAP, i, ret);
	}
	return false;
}

/* When a queued one may be tried: only one that was deferred has to wait. */
static int64_t movable_at(const struct sched *s, uint32_t handle)
{
	const struct entry *e = table_at(&s->table, handle);
	return e->ref > 0 ? later_until(&s->unmovable, e->id) : 0;
}

static uint32_t count_pending(const struct sched *s)
{
	uint32_t n = fifo_count(&s->unsorted);
	for (uint32_t i = 0; i < s->n_tms; i++)
		n += fifo_count(&s->tms[i].queue);
	return n;
}

static bool next_accept(struct sched *s, int64_t now_ns, struct sched_decision *ret)
{
	uint32_t h = fifo_peek(&s->seen, &s->table);
	if (h == TABLE_NONE || now_ns < movable_at(s, h))
		return false;
	s->accepts++;
	const struct entry *e = table_at(&s->table, h);
	decide(SCHED_ACCEPT, e, ret);
	/* One with a marker is on its way out. */
	ret->too_many = !(e->flags & MARKED) && count_pending(s) >= s->queue_limit;
	return true;
}

/* May it start something at all, leaving aside whether anything waits? */
static enum sched_why why(const struct sched *s, const struct tm_queue *t, int64_t now_ns)
{
	if (s->stopping)
		return SCHED_WHY_STOPPING;
	if (s->suspended)
		return SCHED_WHY_SUSPENDED;
	if (s->no_space)
		return SCHED_WHY_NO_SPACE;
	if (t->recovering)
		return SCHED_WHY_RECOVERING;
	if (t->running >= t->limits.max_running)
		return SCHED_WHY_MAX_RUNNING;
	if (now_ns < t->held_until_ns)
		return SCHED_WHY_HELD;
	if (t->dry && !(t->limits.polls && now_ns >= t->ask_at_ns))
		return SCHED_WHY_NO_CAPACITY;
	return SCHED_WHY_READY;
}

static bool is_before(const struct sched *s, uint32_t a, uint32_t b)
{
	return a != TABLE_NONE && (b == TABLE_NONE || reqid_cmp(table_at(&s->table, a)->id,
							      table_at(&s->table, b)->id) < 0);
}

/*
 * What one task manager needs next so that its first request can start: that all smaller ids are
 * accepted and sorted, its word that it has room, a look at what has come meanwhile; then START.
 */
static bool next_for(struct sched *s, uint32_t i, int64_t now_ns, struct sched_decision *ret)
{
	struct tm_queue *t = &s->tms[i];
	if (t->dry && t->ask_at_ns == 0)
		t->ask_at_ns = time_after(now_ns, s->sample_ns);
	if (why(s, t, now_ns) != SCHED_WHY_READY)
		return false;
	uint32_t first = fifo_peek(&t->queue, &s->table);
	uint32_t unsorted = fifo_peek(&s->unsorted, &s->table);
	if (is_before(s, unsorted, first)) {
		if (now_ns < movable_at(s, unsorted))
			return false;
		return decide(SCHED_SORT, table_at(&s->table, unsorted), ret);
	}
	if (first == TABLE_NONE)
		return false;
	if (is_before(s, fifo_peek(&s->seen, &s->table), first))
		return next_accept(s, now_ns, ret);
	if (t->room <= 0)
		return decide_tm(SCHED_ASK, i, ret);
	if (!s->looked)
		return decide_tm(SCHED_LOOK, SCHED_NO_TM, ret);
	s->looked = false; /* what this start takes is time in which more may come */
	return decide(SCHED_START, table_at(&s->table, first), ret);
}

static bool next_start(struct sched *s, int64_t now_ns, struct sched_decision *ret)
{
	for (uint32_t k = 0; k < s->n_tms; k++) {
		uint32_t i = (s->turn + k) % s->n_tms;
		if (next_for(s, i, now_ns, ret)) {
			/* One start each in turn: nobody waits for another's whole backlog. */
			if (ret->kind == SCHED_START)
				s->turn = (i + 1) % s->n_tms;
			return true;
		}
	}
	return false;
}

/* Tasks that were started in this round may have ended already. */
static bool touch_started(struct sched *s)
{
	bool any = false;
	for (uint32_t i = 0; i < s->n_tms; i++) {
		struct tm_queue *t = &s->tms[i];
		any |= t->touch_later;
		t->touched |= t->touch_later;
		t->touch_later = false;
	}
	return any;
}

bool sched_next(struct sched *s, int64_t now_ns, struct sched_decision *ret)
{
	resume_deferred(s, now_ns);
	sched_end_overdue(s, now_ns);
	expire(s, now_ns);
	do {
		if (next_errand(s, ret) || next_reap(s, now_ns, ret))
			return true;
		if (s->accepts < ACCEPTS_IN_A_ROW && next_accept(s, now_ns, ret))
			return true;
		if (next_start(s, now_ns, ret))
			return true;
		s->accepts = 0;
		if (next_accept(s, now_ns, ret))
			return true;
	} while (touch_started(s));

	/* A word about room holds for the round in which it was given. */
	for (uint32_t i = 0; i < s->n_tms; i++)
		s->tms[i].room = 0;
	return false;
}

/* The next to read ahead of all need, or TABLE_NONE. */
static uint32_t next_ahead(struct sched *s)
{
	return s->stopping || !may_write(s) ? TABLE_NONE : fifo_peek(&s->unsorted, &s->table);
}

bool sched_look_ahead(struct sched *s, int64_t now_ns, struct sched_decision *ret)
{
	uint32_t h = next_ahead(s);
	return h != TABLE_NONE && now_ns >= movable_at(s, h) &&
	       decide(SCHED_SORT, table_at(&s->table, h), ret);
}

/* When one task manager can go on though no event comes. */
static int64_t due_for(struct sched *s, struct tm_queue *t)
{
	uint32_t first = fifo_peek(&t->queue, &s->table);
	uint32_t unsorted = fifo_peek(&s->unsorted, &s->table);
	uint32_t seen = fifo_peek(&s->seen, &s->table);
	if (s->stopping || !may_write(s) || t->recovering || t->running >= t->limits.max_running)
		return TIME_NEVER;
	if (first == TABLE_NONE && unsorted == TABLE_NONE)
		return TIME_NEVER;
	int64_t at = t->held_until_ns;
	if (t->dry)
		at = t->limits.polls ? max_ns(at, t->ask_at_ns) : TIME_NEVER;
	if (is_before(s, unsorted, first))
		at = max_ns(at, movable_at(s, unsorted));
	else if (is_before(s, seen, first))
		at = max_ns(at, movable_at(s, seen));
	return at;
}

int64_t sched_due(struct sched *s)
{
	int64_t due = min_ns(later_first(&s->undone), deadline_first(&s->run_limits));
	if (may_write(s))
		due = min_ns(due, deadline_first(&s->start_by));
	uint32_t ahead = next_ahead(s);
	if (ahead != TABLE_NONE && movable_at(s, ahead) > 0)
		due = min_ns(due, movable_at(s, ahead));
	uint32_t seen = fifo_peek(&s->seen, &s->table);
	if (seen != TABLE_NONE && movable_at(s, seen) < due)
		due = movable_at(s, seen);
	for (uint32_t i = 0; i < s->n_tms; i++) {
		struct tm_queue *t = &s->tms[i];
		int64_t at = due_for(s, t);
		if (t->limits.polls && t->running > 0 && t->reap_at_ns < at)
			at = t->reap_at_ns;
		if (at < due)
			due = at;
	}
	return due;
}

/* ---- for people ---------------------------------------------------------------------------------
 */

bool sched_is_known(const struct sched *s, struct reqid id)
{
	return find(s, id) != NULL;
}

bool sched_is_ending(const struct sched *s, struct reqid id)
{
	const struct entry *e = find(s, id);
	return e && e->state == TERMINATING;
}

bool sched_is_drained(const struct sched *s)
{
	for (uint32_t i = 0; i < s->n_tms; i++)
		if (s->tms[i].running > 0 && !s->tms[i].detached)
			return false;
	return s->errands.len == 0 && s->undone.n == 0 && s->n_parked == 0;
}

void sched_tm_state(const struct sched *s, uint32_t tm, int64_t now_ns, struct sched_tm_state *ret)
{
	const struct tm_queue *t = &s->tms[tm];
	*ret = (struct sched_tm_state){
		.waiting = fifo_count(&t->queue),
		.running = t->running,
		.why = why(s, t, now_ns),
		.held_until_ns = t->held_until_ns,
	};
}

struct sched_counts sched_counts(const struct sched *s)
{
	struct sched_counts c = { .seen = fifo_count(&s->seen),
		.unsorted = fifo_count(&s->unsorted) };
	for (uint32_t i = 0; i < s->n_tms; i++) {
		c.waiting += fifo_count(&s->tms[i].queue);
		c.running += s->tms[i].running;
	}
	c.pending = c.unsorted + c.waiting;
	return c;
}
