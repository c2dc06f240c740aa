/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched/oracle: the promises of sched/sched.h, looked up the slow way in what the rig remembers.
 */
#include "base/time.h"
#include "support/sched/rig.h"

#define MUST(cond, ...)                                                                            \
	do {                                                                                       \
		if (!(cond))                                                                       \
			rig_fail(r, __VA_ARGS__);                                                  \
	} while (0)

static enum sched_place believed_place(const struct rig_request *q)
{
	switch (q->state) {
	case RIG_SEEN:
		return SCHED_IN_REQUESTED;
	case RIG_UNSORTED:
	case RIG_WAITING:
		return SCHED_IN_PENDING;
	case RIG_RUNNING:
	case RIG_RETURNING:
	case RIG_ENDED:
		return SCHED_IN_RUNNING;
	case RIG_UNKNOWN:
		break;
	}
	return q->probed;
}

/* Has it waited too long? */
static bool is_overdue(const struct rig *r, const struct rig_request *q)
{
	return q->state == RIG_WAITING && q->start_by_ns <= r->now_ns;
}

/* May the bigger id `n` of the task manager start, as far as this smaller one is concerned? */
static bool lets_pass(const struct rig *r, const struct rig_request *q, uint32_t tm)
{
	if (q->told_marker || is_overdue(r, q))
		return true;
	if (q->state == RIG_SEEN || q->state == RIG_UNSORTED)
		return false;
	return q->told_tm != tm || (q->state != RIG_WAITING && q->state != RIG_RETURNING);
}

static void judge_start(struct rig *r, uint32_t n)
{
	const struct rig_request *q = &r->request[n];
	const struct rig_tm *tm = &r->tm[q->tm];

	MUST(q->state == RIG_WAITING, "start of %u, which does not wait", n);
	MUST(!q->told_marker, "start of %u, which has a marker", n);
	MUST(!r->stopped, "start of %u after the stop", n);
	MUST(!r->no_space, "start of %u while there is no space", n);
	MUST(!is_overdue(r, q), "start of %u, which had to start by %lld", n,
		(long long)q->start_by_ns);
	MUST(!tm->recovering, "start of %u while its task manager recovers", n);
	MUST(tm->running < tm->limits.max_running, "start of %u above max-running", n);
	MUST(tm->room > 0 && !tm->dry, "start of %u without room", n);
	MUST(tm->looked, "start of %u without a look since the last ask and the last start", n);
	MUST(r->now_ns >= tm->held_until_ns, "start of %u while its task manager is held", n);
	if (r->light)
		return;
	for (uint32_t i = 0; i < n; i++)
		MUST(lets_pass(r, &r->request[i], q->tm), "start of %u overtakes %u", n, i);
}

static void judge_remove(struct rig *r, const struct sched_decision *d, uint32_t n)
{
	const struct rig_request *q = &r->request[n];

	MUST(q->told_marker, "remove of %u, which has no marker", n);
	MUST(q->state != RIG_RUNNING, "remove of %u, whose end was not reported", n);
	MUST(believed_place(q) != SCHED_NOWHERE, "remove of %u, which is nowhere", n);
	MUST(d->place == believed_place(q), "remove of %u from place %d, it is in %d", n,
		(int)d->place, (int)believed_place(q));
	MUST(!q->remove_deferred || r->now_ns >= q->defer_until_ns, "remove of %u before its time",
		n);
}

static void judge_ask(struct rig *r, uint32_t n)
{
	const struct rig_tm *tm = &r->tm[n];

	MUST(!tm->woken, "ask %u before it was reaped, though it was woken", n);
	MUST(tm->waiting > 0, "ask %u though nothing waits for it", n);
	MUST(!tm->recovering, "ask %u while it recovers", n);
	MUST(!r->no_space, "ask %u while there is no space", n);
}

static void judge_expire(struct rig *r, uint32_t n)
{
	const struct rig_request *q = &r->request[n];

	MUST(q->state == RIG_WAITING, "expire of %u, which does not wait", n);
	MUST(!q->told_marker, "expire of %u, which has a marker", n);
	MUST(is_overdue(r, q), "expire of %u before its time", n);
	MUST(r->now_ns >= q->defer_until_ns, "expire of %u, which was put off", n);
}

/* Those with a marker are on their way out and may count or not; so do those that have waited too
 * long. */
static void judge_too_many(struct rig *r, const struct sched_decision *d, uint32_t n)
{
	uint32_t sure = 0, perhaps = 0;

	if (r->light)
		return;
	for (uint32_t i = 0; i < r->n_requests; i++) {
		const struct rig_request *q = &r->request[i];
		if (q->state != RIG_UNSORTED && q->state != RIG_WAITING)
			continue;
		if (q->told_marker || is_overdue(r, q))
			perhaps++;
		else
			sure++;
	}
	if (r->request[n].told_marker || sure + perhaps < r->queue_limit)
		MUST(!d->too_many, "accept of %u: too many with %u pending", n, sure + perhaps);
	else if (sure >= r->queue_limit)
		MUST(d->too_many, "accept of %u: not too many with %u pending", n, sure);
}

/* Has it to be told that it has to end, by now? */
static bool has_to_end(const struct rig *r, const struct rig_request *q)
{
	if (q->state != RIG_RUNNING)
		return false;
	if (q->ending)
		return !q->terminated_now;
	return !q->terminated && (q->told_marker || q->limit_ns <= r->now_ns);
}

static void judge_terminate(struct rig *r, const struct sched_decision *d, uint32_t n)
{
	const struct rig_request *q = &r->request[n];
	bool now = r->ending && !r->tm[q->tm].detached;

	MUST(q->state == RIG_RUNNING, "terminate of %u, which does not run", n);
	MUST(has_to_end(r, q), "terminate of %u, which nobody wanted, or again", n);
	MUST(!r->tm[q->tm].recovering, "terminate of %u while its task manager recovers", n);
	MUST(r->now_ns >= q->defer_until_ns, "terminate of %u before its time", n);
	MUST(d->end == (now                     ? SCHED_END_NOW
			       : q->told_marker ? SCHED_END_ABORT
						: SCHED_END_LIMIT),
		"terminate of %u says %d", n, (int)d->end);
	MUST(d->since_ns == q->since_ns, "terminate of %u: wrong time of its start", n);
}

static void judge_complete(struct rig *r, const struct sched_decision *d, uint32_t n)
{
	const struct rig_request *q = &r->request[n];

	MUST(q->state == RIG_ENDED, "complete of %u, which has no outcome", n);
	MUST(!q->told_marker, "complete of %u, which has a marker", n);
	MUST(r->now_ns >= q->defer_until_ns, "complete of %u before its time", n);
	MUST(d->since_ns == q->since_ns, "complete of %u: wrong time of its end", n);
}

static void judge_new(struct rig *r, const struct sched_decision *d, uint32_t n)
{
	const struct rig_request *q = &r->request[n];
	bool sort = d->kind == SCHED_SORT;

	MUST(q->state == (sort ? RIG_UNSORTED : RIG_SEEN), "%u is in state %d", n, (int)q->state);
	MUST(d->since_ns == q->since_ns, "%u: wrong time of its state", n);
	MUST(r->now_ns >= q->defer_until_ns, "sort of %u before its time", n);
	MUST(!sort || d->tries == q->tries, "sort of %u: %u tries", n, d->tries);
	MUST(!sort || !r->no_space, "sort of %u while there is no space", n);
	if (!sort)
		judge_too_many(r, d, n);
}

/* What stands in each decision, whatever its kind. */
static void judge_fields(struct rig *r, const struct sched_decision *d, uint32_t n)
{
	const struct rig_request *q = &r->request[n];
	bool referred =
		q->state == RIG_RUNNING || q->state == RIG_RETURNING || q->state == RIG_ENDED;

	/* Whether a request that was put back keeps its ref is not said. */
	if (!q->returned)
		MUST(d->ref == (referred ? q->ref : 0), "%u: its ref is %u", n, d->ref);
	if (d->kind != SCHED_UNMARK)
		MUST(d->tm == q->told_tm, "%u: its task manager is %u", n, d->tm);
	MUST(d->since_ns <= r->now_ns, "%u: since a time to come", n);
}

void oracle_judge(struct rig *r, const struct sched_decision *d, uint32_t n)
{
	const struct rig_request *q = &r->request[n];

	if (d->kind == SCHED_LOOK)
		return;
	if (d->kind != SCHED_ASK && d->kind != SCHED_REAP)
		judge_fields(r, d, n);

	switch (d->kind) {
	case SCHED_ACCEPT:
	case SCHED_SORT:
		judge_new(r, d, n);
		break;
	case SCHED_PROBE:
		/* Of one that was seen after its marker it is needless, but no harm. */
		MUST(q->told_marker && (q->probing || q->state == RIG_SEEN), "probe of %u", n);
		break;
	case SCHED_UNMARK:
		MUST(q->told_marker, "unmark of %u, which has no marker", n);
		MUST(q->state == RIG_UNKNOWN && q->probed == SCHED_NOWHERE && !q->probing,
			"unmark of %u, which may be somewhere", n);
		break;
	case SCHED_EXPIRE:
		judge_expire(r, n);
		break;
	case SCHED_PUT_BACK:
		MUST(q->state == RIG_RETURNING, "put back of %u, which has begun", n);
		break;
	case SCHED_REMOVE:
		judge_remove(r, d, n);
		break;
	case SCHED_ASK:
		judge_ask(r, n);
		break;
	case SCHED_START:
		judge_start(r, n);
		break;
	case SCHED_TERMINATE:
		judge_terminate(r, d, n);
		break;
	case SCHED_COMPLETE:
		judge_complete(r, d, n);
		break;
	case SCHED_LOOK:
	case SCHED_REAP:
	case SCHED_KIND_MAX:
		break;
	}
}

/* In order too, and only while something may be written. */
void oracle_judge_ahead(struct rig *r, const struct sched_decision *d, uint32_t n)
{
	(void)d;
	MUST(!r->stopped, "sort of %u ahead, after the stop", n);
	for (uint32_t i = 0; i < n && !r->light; i++)
		MUST(r->request[i].state != RIG_UNSORTED || r->request[i].told_marker,
			"sort of %u ahead, before that of %u", n, i);
}

/* ---- counts ---- */

/* One with a marker, or that has waited too long, may count or not: it is on its way out. */
struct range {
	uint32_t sure, perhaps;
};

static bool in_range(uint32_t n, struct range a)
{
	return n >= a.sure && n <= a.sure + a.perhaps;
}

/* Does a task run that does not outlive the server? */
static bool runs_here(const struct rig *r)
{
	for (uint32_t i = 0; i < r->n_tms; i++) {
		if (r->tm[i].running > 0 && !r->tm[i].detached)
			return true;
	}
	return false;
}

void oracle_judge_counts(struct rig *r)
{
	struct range of[RIG_ENDED + 1] = { 0 }, waiting[RIG_TMS] = { 0 };
	struct sched_counts c = sched_counts(r->s);
	struct sched_tm_state st;

	for (uint32_t i = 0; i < r->n_requests; i++) {
		const struct rig_request *q = &r->request[i];
		bool leaves = q->told_marker || is_overdue(r, q);
		of[q->state].sure += !leaves;
		of[q->state].perhaps += leaves;
		if (q->state == RIG_WAITING) {
			waiting[q->tm].sure += !leaves;
			waiting[q->tm].perhaps += leaves;
		}
		/* Of one that has only a marker nothing is said. */
		MUST(sched_is_known(r->s, rig_id(i)) == (q->state != RIG_UNKNOWN) ||
				(q->state == RIG_UNKNOWN && q->told_marker),
			"is %u known or not", i);
	}
	MUST(in_range(c.seen, of[RIG_SEEN]), "%u are said to be seen", c.seen);
	MUST(in_range(c.unsorted, of[RIG_UNSORTED]), "%u are said to be unsorted", c.unsorted);
	MUST(in_range(c.waiting, of[RIG_WAITING]), "%u are said to wait", c.waiting);
	MUST(!runs_here(r) || !sched_is_drained(r->s), "it is said to be drained, but some run");
	MUST(c.running == of[RIG_RUNNING].sure + of[RIG_RUNNING].perhaps, "%u are said to run",
		c.running);
	for (uint32_t i = 0; i < r->n_tms; i++) {
		sched_tm_state(r->s, i, r->now_ns, &st);
		MUST(in_range(st.waiting, waiting[i]), "%u are said to wait for %u", st.waiting, i);
		MUST(st.running == r->tm[i].running, "%u are said to run in %u", st.running, i);
	}
}

/* ---- silence ---- */

/* What the silence may last for, and has to end at. */
struct due {
	int64_t latest; /* something has to happen then */
	bool any;       /* there is a reason to wait for a time at all */
};

static void due_at(struct due *due, int64_t t)
{
	due->any = true;
	if (t < due->latest)
		due->latest = t;
}

/* Returns the smallest that has to be sorted before bigger ones start, or UINT32_MAX. */
static uint32_t judge_silent_requests(struct rig *r, struct due *due)
{
	uint32_t unsorted = UINT32_MAX;

	for (uint32_t i = 0; i < r->n_requests; i++) {
		const struct rig_request *q = &r->request[i];
		bool later = q->defer_until_ns > r->now_ns;

		MUST(!q->probing, "the marker of %u was not looked after", i);
		if (q->told_marker && q->state != RIG_RUNNING)
			MUST(later, "%u was not removed", i);
		MUST(q->state != RIG_SEEN || q->told_marker, "%u was not accepted", i);
		MUST(q->state != RIG_RETURNING || q->told_marker || later, "%u was not put back",
			i);
		MUST(q->state != RIG_ENDED || later, "%u was not completed", i);
		MUST(!has_to_end(r, q) || later || r->tm[q->tm].recovering, "%u was not terminated",
			i);
		/* When there is another reason to end it, or its time has come, that is over. */
		if (q->state == RIG_RUNNING && q->limit_ns > r->now_ns &&
			q->limit_ns != TIME_NEVER && !q->told_marker && !q->ending &&
			!q->terminated)
			due_at(due, q->limit_ns);
		if (q->state == RIG_WAITING && !q->told_marker && !r->no_space) {
			MUST(!is_overdue(r, q) || later, "%u did not expire", i);
			if (q->start_by_ns != TIME_NEVER && q->start_by_ns > r->now_ns)
				due_at(due, q->start_by_ns);
		}
		if (q->state == RIG_UNSORTED && !q->told_marker) {
			/* The first is read ahead when it can be. */
			if (unsorted == UINT32_MAX && later && !r->stopped && !r->no_space)
				due_at(due, q->defer_until_ns);
			if (unsorted == UINT32_MAX)
				unsorted = i;
		} else if (later) {
			due_at(due, q->defer_until_ns);
		}
	}
	return unsorted;
}

static uint32_t head_of(const struct rig *r, uint32_t tm)
{
	for (uint32_t i = 0; i < r->n_requests; i++) {
		const struct rig_request *q = &r->request[i];
		if (q->state == RIG_WAITING && q->told_tm == tm && !q->told_marker &&
			!is_overdue(r, q))
			return i;
	}
	return UINT32_MAX;
}

/* Nothing is left undone for a task manager, and it says why. */
static void judge_silent_tm(struct rig *r, uint32_t i, uint32_t unsorted, struct due *due)
{
	const struct rig_tm *tm = &r->tm[i];
	bool full = tm->running >= tm->limits.max_running, held = r->now_ns < tm->held_until_ns;
	uint32_t head = head_of(r, i), first = head < unsorted ? head : unsorted;
	bool may = first != UINT32_MAX && !full && !r->stopped && !r->no_space && !tm->recovering;
	struct sched_tm_state st;

	MUST(!tm->woken && !tm->more, "%u was not reaped", i);
	if (tm->limits.polls && tm->running > 0) {
		MUST(r->now_ns < tm->reaped_ns + RIG_SAMPLE_NS, "%u was not reaped in time", i);
		due_at(due, tm->reaped_ns + RIG_SAMPLE_NS);
	}
	if (may && tm->dry && tm->limits.polls && !held && head < unsorted) {
		MUST(r->now_ns < tm->asked_ns + RIG_SAMPLE_NS, "%u was not asked", i);
		due_at(due, tm->asked_ns + RIG_SAMPLE_NS);
	} else if (may && held && !tm->dry) {
		int64_t readable = first == unsorted ? r->request[first].defer_until_ns : 0;
		due_at(due, readable > tm->held_until_ns ? readable : tm->held_until_ns);
	} else if (may && !held && !tm->dry) {
		/* It could start at once, so what is first for it cannot be read yet. */
		MUST(first == unsorted, "%u was not started though there is room", head);
		MUST(r->now_ns < r->request[first].defer_until_ns, "%u was not sorted", first);
		due_at(due, r->request[first].defer_until_ns);
	}
	/* Nor do these. */
	due->any = due->any || held ||
		   (tm->limits.polls && (tm->waiting > 0 || unsorted != UINT32_MAX));

	sched_tm_state(r->s, i, r->now_ns, &st);
	MUST((st.why == SCHED_WHY_STOPPING) == r->stopped, "%u: why is %d", i, (int)st.why);
	MUST((st.why == SCHED_WHY_NO_SPACE) == (r->no_space && !r->stopped), "%u: why is %d", i,
		(int)st.why);
	MUST((st.why == SCHED_WHY_RECOVERING) == (tm->recovering && !r->stopped && !r->no_space),
		"%u: why is %d", i, (int)st.why);
	MUST(sched_max_running(r->s, i) == tm->limits.max_running, "%u: max-running is %u", i,
		sched_max_running(r->s, i));
	MUST(st.why != SCHED_WHY_MAX_RUNNING || full, "%u has not max-running running", i);
	MUST(st.why != SCHED_WHY_HELD || held, "%u is not held", i);
	MUST(st.why != SCHED_WHY_NO_CAPACITY || tm->dry, "%u has capacity", i);
	MUST(st.why != SCHED_WHY_READY || head > unsorted || head == UINT32_MAX,
		"%u says it would start", i);
	if (st.why == SCHED_WHY_HELD)
		MUST(st.held_until_ns == tm->held_until_ns, "%u is held until another time", i);
}

void oracle_judge_silence(struct rig *r)
{
	/* Waking for a deferral of what was removed meanwhile is of no use, but does no harm. */
	struct due due = { .latest = TIME_NEVER, .any = r->now_ns < r->last_deferral_ns };
	int64_t said = sched_due(r->s);

	MUST(said > r->now_ns, "sched_due says %lld, so the server spins", (long long)said);
	if (r->light)
		return;
	uint32_t unsorted = judge_silent_requests(r, &due);
	for (uint32_t i = 0; i < r->n_tms; i++)
		judge_silent_tm(r, i, unsorted, &due);
	MUST(sched_is_drained(r->s) || runs_here(r) || r->now_ns < r->last_deferral_ns,
		"it is not said to be drained, but nothing is left");
	MUST(said <= due.latest, "sched_due says %lld, which is after %lld", (long long)said,
		(long long)due.latest);
	MUST(said == TIME_NEVER || due.any, "sched_due says %lld, for nothing", (long long)said);
	oracle_judge_counts(r);
}
