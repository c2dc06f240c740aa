/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/sched/rig.h"

#include "base/time.h"
#include "support/sched/quick.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_US UINT64_C(1500000000000000)

static const char *const kind_word[SCHED_KIND_MAX] = {
	[SCHED_LOOK] = "look",
	[SCHED_ACCEPT] = "accept",
	[SCHED_PROBE] = "probe",
	[SCHED_REMOVE] = "remove",
	[SCHED_UNMARK] = "unmark",
	[SCHED_SORT] = "sort",
	[SCHED_ASK] = "ask",
	[SCHED_START] = "start",
	[SCHED_EXPIRE] = "expire",
	[SCHED_PUT_BACK] = "put-back",
	[SCHED_TERMINATE] = "terminate",
	[SCHED_REAP] = "reap",
	[SCHED_COMPLETE] = "complete",
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void list_add(struct rig_list *l, uint32_t x)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->v = must(realloc(l->v, l->cap * sizeof *l->v));
	}
	l->v[l->n++] = x;
}

static uint32_t list_shift(struct rig_list *l)
{
	uint32_t first = l->v[0];

	memmove(l->v, l->v + 1, --l->n * sizeof *l->v);
	return first;
}

/* Two ids in each microsecond, so that the suffix decides as often as the time. */
struct reqid rig_id(uint32_t n)
{
	return (struct reqid){ FIRST_US + n / 2, n % 2 ? UINT64_MAX - 5 : 7 };
}

static uint32_t number_of(struct rig *r, struct reqid id)
{
	uint64_t n = (id.us - FIRST_US) * 2 + (id.suffix != 7);

	if (n >= r->n_requests || !reqid_is(rig_id((uint32_t)n), id))
		rig_fail(r, "a decision about an id that was never told: %" PRIu64, n);
	return (uint32_t)n;
}

struct rig *rig_new(uint32_t n_requests, uint32_t n_tms, const struct sched_limits *limits)
{
	struct rig *r = must(calloc(1, sizeof *r));

	r->request = must(calloc(n_requests, sizeof *r->request));
	r->n_requests = n_requests;
	r->n_tms = n_tms;
	r->s = sched_new(n_tms, limits, RIG_SAMPLE_NS, (uint64_t[]){ 0x0706050403020100, 42 });
	ck_assert_ptr_nonnull(r->s);
	for (uint32_t i = 0; i < n_requests; i++) {
		r->request[i].told_tm = SCHED_NO_TM;
		r->request[i].limit_ns = TIME_NEVER;
		r->request[i].start_by_ns = TIME_NEVER;
	}
	r->queue_limit = UINT32_MAX;
	for (uint32_t i = 0; i < n_tms; i++)
		r->tm[i] = (struct rig_tm){
			.limits = limits[i],
			.cap = INT32_MAX,
			.at_most = INT32_MAX,
			.reap_bound = 64,
		};
	return r;
}

void rig_free(struct rig *r)
{
	sched_free(r->s);
	for (uint32_t i = 0; i < r->n_tms; i++)
		free(r->tm[i].ready.v);
	free(r->untold.v);
	free(r->request);
	free(r->line);
	free(r);
}

/* ---- the story ---- */

void rig_log(struct rig *r, const char *word, int kind, int64_t arg)
{
	if (r->n_lines == r->cap_lines) {
		r->cap_lines = r->cap_lines ? 2 * r->cap_lines : 256;
		r->line = must(realloc(r->line, r->cap_lines * sizeof *r->line));
	}
	r->line[r->n_lines++] = (struct rig_line){ word, r->now_ns, arg, kind };
}

static size_t line_format(const struct rig_line *l, char *ret, size_t size)
{
	int n = l->arg < 0 ? snprintf(ret, size, "%s", l->word)
			   : snprintf(ret, size, "%s %" PRId64, l->word, l->arg);

	return (size_t)n < size ? (size_t)n : size - 1;
}

const char *rig_said(struct rig *r, unsigned kinds)
{
	size_t at = 0;

	r->said[0] = '\0';
	for (size_t i = r->run_from; i < r->n_lines && at + 64 < sizeof r->said; i++) {
		const struct rig_line *l = &r->line[i];
		if (l->kind < 0 || !(kinds & 1u << l->kind))
			continue;
		if (at > 0)
			at += (size_t)snprintf(r->said + at, sizeof r->said - at, ", ");
		at += line_format(l, r->said + at, sizeof r->said - at);
	}
	return r->said;
}

void rig_fail(struct rig *r, const char *fmt, ...)
{
	char why[256], story[4096];
	size_t at = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);

	story[0] = '\0';
	for (size_t i = r->n_lines > 120 ? r->n_lines - 120 : 0; i < r->n_lines; i++) {
		const struct rig_line *l = &r->line[i];
		if (at + 80 > sizeof story)
			break;
		if (i == 0 || l->now_ns != r->line[i - 1].now_ns)
			at += (size_t)snprintf(
				story + at, sizeof story - at, "\n  %" PRId64 ":", l->now_ns);
		at += (size_t)snprintf(story + at, sizeof story - at, l->kind < 0 ? " [" : " ");
		at += line_format(l, story + at, sizeof story - at);
		at += (size_t)snprintf(story + at, sizeof story - at, l->kind < 0 ? "]" : "");
	}
	ck_abort_msg("at %" PRId64 ": %s; [events] and decisions:%s", r->now_ns, why, story);
	abort();
}

/* ---- events ---- */

void rig_put(struct rig *r, uint32_t n, uint32_t tm)
{
	r->request[n].place = SCHED_IN_REQUESTED;
	r->request[n].tm = tm;
	list_add(&r->untold, 2 * n);
}

void rig_put_marker(struct rig *r, uint32_t n)
{
	r->request[n].marker = true;
	list_add(&r->untold, 2 * n + 1);
}

void rig_tell_seen(struct rig *r, uint32_t n)
{
	struct rig_request *q = &r->request[n];

	rig_log(r, "seen", -1, n);
	quick_assert(sched_seen(r->s, rig_id(n), r->now_ns) == 0);
	if (q->state == RIG_UNKNOWN && q->probed == SCHED_NOWHERE) {
		q->state = RIG_SEEN;
		q->since_ns = r->now_ns;
		q->probing = false;
	}
}

void rig_tell_marked(struct rig *r, uint32_t n)
{
	struct rig_request *q = &r->request[n];

	rig_log(r, "marked", -1, n);
	quick_assert(sched_marked(r->s, rig_id(n), r->now_ns) == 0);
	if (q->told_marker)
		return;
	q->told_marker = true;
	q->probing = q->state == RIG_UNKNOWN;
	if (q->state == RIG_UNSORTED)
		q->defer_until_ns = 0;
}

static void tell_untold(struct rig *r)
{
	for (size_t i = 0; i < r->untold.n; i++) {
		uint32_t x = r->untold.v[i];
		if (x % 2)
			rig_tell_marked(r, x / 2);
		else
			rig_tell_seen(r, x / 2);
	}
	r->untold.n = 0;
}

void rig_add(struct rig *r, uint32_t n, uint32_t tm)
{
	rig_put(r, n, tm);
	r->untold.n--;
	rig_tell_seen(r, n);
}

void rig_add_range(struct rig *r, uint32_t first, uint32_t last, uint32_t tm)
{
	for (uint32_t n = first; n <= last; n++)
		rig_add(r, n, tm);
}

void rig_mark(struct rig *r, uint32_t n)
{
	r->request[n].marker = true;
	rig_tell_marked(r, n);
}

void rig_found_pending(struct rig *r, uint32_t n, uint32_t tm)
{
	struct rig_request *q = &r->request[n];

	rig_log(r, "found-pending", -1, n);
	ck_assert_int_eq(sched_found_pending(r->s, rig_id(n), r->now_ns), 0);
	q->place = SCHED_IN_PENDING;
	q->tm = tm;
	q->state = RIG_UNSORTED;
	q->since_ns = r->now_ns;
}

void rig_found_lost(struct rig *r, uint32_t n)
{
	struct rig_request *q = &r->request[n];

	rig_log(r, "found-lost", -1, n);
	q->ref = RIG_REF_REJECTED + n;
	ck_assert_int_eq(sched_found_lost(r->s, rig_id(n), q->ref, r->now_ns), 0);
	q->place = SCHED_IN_RUNNING;
	q->state = RIG_ENDED;
	q->since_ns = r->now_ns;
}

void rig_found_running(struct rig *r, uint32_t n, uint32_t tm)
{
	struct rig_request *q = &r->request[n];

	rig_log(r, "found-running", -1, n);
	q->ref = RIG_REF_STARTED + n;
	ck_assert_int_eq(sched_found_running(r->s, rig_id(n), tm, q->ref, r->now_ns), 0);
	q->place = SCHED_IN_RUNNING;
	q->state = RIG_RUNNING;
	q->tm = q->told_tm = tm;
	q->n_started++;
	q->since_ns = r->now_ns;
	if (r->tm[tm].running++ == 0)
		r->tm[tm].reaped_ns = r->now_ns;
}

/* A task that no longer runs is told nothing. */
static void is_off(struct rig_request *q, enum rig_state state)
{
	q->state = state;
	q->limit_ns = TIME_NEVER;
	q->ending = false;
}

void rig_end(struct rig *r, uint32_t n)
{
	r->request[n].not_begun_until_ns = -1;
	list_add(&r->tm[r->request[n].tm].ready, n);
}

void rig_end_unbegun(struct rig *r, uint32_t n, int64_t until_ns)
{
	rig_end(r, n);
	r->request[n].not_begun_until_ns = until_ns;
}

void rig_finish(struct rig *r, uint32_t n)
{
	rig_end(r, n);
	rig_wake(r, r->request[n].tm);
}

void rig_tell_ended(struct rig *r, uint32_t n)
{
	struct rig_request *q = &r->request[n];

	rig_log(r, "ended", -1, n);
	is_off(q, RIG_ENDED);
	q->since_ns = r->now_ns;
	r->tm[q->tm].running--;
	r->tm[q->tm].dry = false;
	sched_ended(r->s, rig_id(n), r->now_ns);
}

void rig_tell_not_begun(struct rig *r, uint32_t n, int64_t until_ns)
{
	struct rig_request *q = &r->request[n];
	struct rig_tm *tm = &r->tm[q->tm];

	rig_log(r, "not-begun", -1, n);
	is_off(q, RIG_RETURNING);
	q->terminated = q->terminated_now = false;
	tm->running--;
	tm->dry = false;
	if (tm->held_until_ns < until_ns)
		tm->held_until_ns = until_ns;
	/* When its end could not be told, it is put back only after that time, and stays first. */
	if (!q->told_marker && tm->held_until_ns < q->defer_until_ns)
		tm->held_until_ns = q->defer_until_ns;
	sched_not_begun(r->s, rig_id(n), until_ns);
}

void rig_wake(struct rig *r, uint32_t tm)
{
	rig_log(r, "wakeup", -1, tm);
	sched_wakeup(r->s, tm);
	r->tm[tm].woken = true;
	r->tm[tm].dry = false;
}

void rig_limit(struct rig *r, uint32_t n, int64_t at_ns)
{
	rig_log(r, "limit-of", -1, n);
	rig_log(r, "is", -1, at_ns);
	quick_assert(sched_limit(r->s, rig_id(n), at_ns));
	if (r->request[n].limit_ns > r->now_ns) /* once it has passed it is too late */
		r->request[n].limit_ns = at_ns;
}

void rig_hold(struct rig *r, uint32_t tm, bool held)
{
	rig_log(r, held ? "hold" : "release", -1, tm);
	sched_hold(r->s, tm, held);
	r->tm[tm].recovering = held;
}

void rig_set_max_running(struct rig *r, uint32_t tm, uint32_t max_running)
{
	rig_log(r, "max-running-of", -1, tm);
	rig_log(r, "is", -1, max_running);
	sched_set_max_running(r->s, tm, max_running);
	r->tm[tm].limits.max_running = max_running;
}

void rig_detach(struct rig *r, uint32_t tm)
{
	rig_log(r, "detach", -1, tm);
	sched_detach(r->s, tm);
	r->tm[tm].detached = true;
}

void rig_set_no_space(struct rig *r, bool no_space)
{
	rig_log(r, no_space ? "no-space" : "space", -1, -1);
	sched_set_no_space(r->s, no_space);
	r->no_space = no_space;
}

void rig_set_queue_limit(struct rig *r, uint32_t n)
{
	rig_log(r, "queue-limit", -1, n);
	sched_set_queue_limit(r->s, n);
	r->queue_limit = n;
}

void rig_stop(struct rig *r)
{
	rig_log(r, "stop", -1, -1);
	sched_stop(r->s);
	r->stopped = true;
}

void rig_terminate_all(struct rig *r)
{
	rig_log(r, "terminate-all", -1, -1);
	sched_terminate_all(r->s);
	for (uint32_t i = 0; i < r->n_requests; i++) {
		struct rig_request *q = &r->request[i];
		if (q->state != RIG_RUNNING || r->tm[q->tm].detached)
			continue;
		q->ending = true;
		q->terminated_now = false;
	}
	r->ending = true;
}

/* ---- carrying out ---- */

void rig_answer_next(
	struct rig *r, enum sched_kind kind, uint32_t n, enum rig_how how, int64_t until_ns)
{
	ck_assert_uint_lt(r->n_script, 16);
	r->script[r->n_script++] = (struct rig_script){ kind, n, { how, until_ns } };
}

static struct rig_answer answer_to(struct rig *r, enum sched_kind kind, uint32_t n)
{
	if (r->answer)
		return r->answer(r, kind, n);
	for (size_t i = 0; i < r->n_script; i++) {
		if (r->script[i].kind != kind || r->script[i].n != n)
			continue;
		struct rig_answer a = r->script[i].answer;
		memmove(&r->script[i], &r->script[i + 1],
			(--r->n_script - i) * sizeof r->script[0]);
		return a;
	}
	return (struct rig_answer){ RIG_YES, 0 };
}

/* It is not the scheduler's any more. */
static void forget(struct rig_request *q)
{
	q->state = RIG_UNKNOWN;
	q->told_tm = SCHED_NO_TM;
	q->probed = SCHED_NOWHERE;
	q->probing = false;
	q->ref = q->tries = 0;
	q->defer_until_ns = 0;
	q->limit_ns = TIME_NEVER;
	q->ending = false;
	q->terminated = q->terminated_now = q->returned = q->remove_deferred = false;
}

static void drop(struct rig *r, uint32_t n)
{
	struct rig_request *q = &r->request[n];

	rig_log(r, "dropped", -1, n);
	q->n_dropped++;
	q->place = SCHED_NOWHERE;
	forget(q);
	sched_dropped(r->s, rig_id(n));
}

static void defer(struct rig *r, uint32_t n, int64_t until_ns)
{
	rig_log(r, "deferred", -1, n);
	r->request[n].defer_until_ns = until_ns;
	if (r->last_deferral_ns < until_ns)
		r->last_deferral_ns = until_ns;
	sched_defer(r->s, rig_id(n), until_ns);
}

static void reject(struct rig *r, uint32_t n)
{
	struct rig_request *q = &r->request[n];

	rig_log(r, "rejected", -1, n);
	q->state = RIG_ENDED;
	q->place = SCHED_IN_RUNNING;
	q->ref = RIG_REF_REJECTED + n;
	q->since_ns = r->now_ns;
	q->defer_until_ns = 0;
	sched_reject(r->s, rig_id(n), q->ref, r->now_ns);
}

/* Whatever takes time lets more come. */
static void look_is_old(struct rig *r)
{
	for (uint32_t i = 0; i < r->n_tms; i++)
		r->tm[i].looked = false;
}

static void carry_look(struct rig *r, uint32_t n, struct rig_answer a)
{
	(void)n, (void)a;
	if (r->on_look)
		r->on_look(r);
	tell_untold(r);
	for (uint32_t i = 0; i < r->n_tms; i++)
		r->tm[i].looked = true;
	sched_looked(r->s);
}

static void carry_accept(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_request *q = &r->request[n];

	if (a.how == RIG_DROP || q->place != SCHED_IN_REQUESTED) {
		drop(r, n);
		return;
	}
	if (r->too_many) {
		reject(r, n);
		return;
	}
	q->place = SCHED_IN_PENDING;
	q->state = RIG_UNSORTED;
	q->since_ns = r->now_ns;
	sched_accepted(r->s, rig_id(n), r->now_ns);
}

static void carry_probe(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_request *q = &r->request[n];

	(void)a;
	q->probing = false;
	q->probed = q->place;
	q->state = RIG_UNKNOWN;
	if (q->place == SCHED_IN_REQUESTED) {
		q->probed = SCHED_NOWHERE;
		q->state = RIG_SEEN;
		q->since_ns = r->now_ns;
	}
	rig_log(r, "probed-in", -1, (int64_t)q->place);
	sched_probed(r->s, rig_id(n), q->place, r->now_ns);
}

static void carry_remove(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_request *q = &r->request[n];

	if (a.how == RIG_DEFER) {
		q->remove_deferred = true;
		defer(r, n, a.until_ns);
		return;
	}
	if (q->state == RIG_WAITING)
		r->tm[q->tm].waiting--;
	q->place = SCHED_NOWHERE;
	q->marker = q->told_marker = false;
	q->n_removed++;
	forget(q);
	sched_removed(r->s, rig_id(n));
}

static void carry_unmark(struct rig *r, uint32_t n, struct rig_answer a)
{
	(void)a;
	r->request[n].marker = r->request[n].told_marker = false;
	r->request[n].n_unmarked++;
	sched_unmarked(r->s, rig_id(n));
}

static void tell_start_by(struct rig *r, uint32_t n)
{
	int64_t at_ns = r->request[n].start_by_ns;

	if (at_ns == TIME_NEVER)
		return;
	rig_log(r, "start-by", -1, at_ns);
	quick_assert(sched_start_by(r->s, rig_id(n), at_ns));
}

static void carry_sort(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_request *q = &r->request[n];

	if (a.how == RIG_DROP || q->place != SCHED_IN_PENDING) {
		drop(r, n);
	} else if (a.how == RIG_DEFER) {
		q->tries++;
		defer(r, n, a.until_ns);
	} else if (a.how == RIG_REJECT) {
		reject(r, n);
	} else if (q->start_by_ns <= r->now_ns) {
		q->n_expired++;
		reject(r, n);
	} else {
		q->state = RIG_WAITING;
		q->told_tm = q->tm;
		q->defer_until_ns = 0;
		r->tm[q->tm].waiting++;
		sched_sorted(r->s, rig_id(n), q->tm);
		tell_start_by(r, n);
	}
}

static void carry_expire(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_request *q = &r->request[n];

	if (a.how == RIG_DEFER) {
		defer(r, n, a.until_ns);
		return;
	}
	r->tm[q->tm].waiting--;
	if (a.how == RIG_DROP || q->place != SCHED_IN_PENDING) {
		drop(r, n);
		return;
	}
	q->n_expired++;
	reject(r, n);
}

static void carry_ask(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_tm *tm = &r->tm[n];
	int64_t room = (int64_t)tm->cap - tm->running;

	(void)a;
	if (room > tm->at_most)
		room = tm->at_most;
	if (r->room)
		room = r->room(r, n);
	tm->room = room < 0 ? 0 : room;
	tm->dry = room <= 0;
	look_is_old(r);
	tm->refused = false;
	tm->asked_ns = r->now_ns;
	rig_log(r, "room", -1, room < 0 ? 0 : room);
	sched_room(r->s, n, (int32_t)room, r->now_ns);
}

static void start_busy(struct rig *r, uint32_t n, int64_t until_ns)
{
	struct rig_tm *tm = &r->tm[r->request[n].tm];

	rig_log(r, "busy-until", -1, until_ns);
	tm->waiting++;
	if (until_ns == 0)
		tm->dry = tm->refused = true;
	else if (tm->held_until_ns < until_ns)
		tm->held_until_ns = until_ns;
	sched_busy(r->s, rig_id(n), until_ns);
}

static void carry_start(struct rig *r, uint32_t n, struct rig_answer a)
{
	look_is_old(r);
	struct rig_request *q = &r->request[n];
	struct rig_tm *tm = &r->tm[q->tm];

	tm->waiting--;
	if (a.how == RIG_DROP || q->place != SCHED_IN_PENDING) {
		drop(r, n);
	} else if (a.how == RIG_REJECT) {
		reject(r, n);
	} else if (a.how == RIG_BUSY) {
		start_busy(r, n, a.until_ns);
	} else {
		if (tm->running++ == 0)
			tm->reaped_ns = r->now_ns;
		tm->room--;
		q->state = RIG_RUNNING;
		q->place = SCHED_IN_RUNNING;
		q->ref = RIG_REF_STARTED + n;
		q->n_started++;
		q->since_ns = r->now_ns;
		sched_started(r->s, rig_id(n), q->ref, r->now_ns);
	}
}

static void carry_put_back(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_request *q = &r->request[n];

	(void)a;
	q->state = RIG_WAITING;
	q->place = SCHED_IN_PENDING;
	q->defer_until_ns = 0;
	q->returned = true;
	q->n_started--;
	r->tm[q->tm].waiting++;
	sched_put_back(r->s, rig_id(n));
	tell_start_by(r, n);
}

static void carry_terminate(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_request *q = &r->request[n];

	if (a.how == RIG_DEFER) {
		defer(r, n, a.until_ns);
		return;
	}
	q->terminated = true;
	q->terminated_now = r->ending && !r->tm[q->tm].detached;
	q->limit_ns = TIME_NEVER;
}

static void carry_reap(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_tm *tm = &r->tm[n];

	(void)a;
	tm->woken = false;
	tm->reaped_ns = r->now_ns;
	for (uint32_t i = 0; i < tm->reap_bound && tm->ready.n > 0; i++) {
		uint32_t x = list_shift(&tm->ready);
		if (r->request[x].not_begun_until_ns >= 0)
			rig_tell_not_begun(r, x, r->request[x].not_begun_until_ns);
		else
			rig_tell_ended(r, x);
	}
	tm->more = tm->ready.n > 0;
	sched_reaped(r->s, n, tm->more, r->now_ns);
}

static void carry_complete(struct rig *r, uint32_t n, struct rig_answer a)
{
	struct rig_request *q = &r->request[n];

	if (a.how == RIG_DEFER) {
		defer(r, n, a.until_ns);
		return;
	}
	q->place = SCHED_IN_COMPLETE;
	q->n_completed++;
	forget(q);
	sched_completed(r->s, rig_id(n));
}

static void (*const carry_out[SCHED_KIND_MAX])(struct rig *, uint32_t, struct rig_answer) = {
	[SCHED_LOOK] = carry_look,
	[SCHED_ACCEPT] = carry_accept,
	[SCHED_PROBE] = carry_probe,
	[SCHED_REMOVE] = carry_remove,
	[SCHED_UNMARK] = carry_unmark,
	[SCHED_SORT] = carry_sort,
	[SCHED_ASK] = carry_ask,
	[SCHED_START] = carry_start,
	[SCHED_EXPIRE] = carry_expire,
	[SCHED_PUT_BACK] = carry_put_back,
	[SCHED_TERMINATE] = carry_terminate,
	[SCHED_REAP] = carry_reap,
	[SCHED_COMPLETE] = carry_complete,
};

bool rig_step(struct rig *r)
{
	struct sched_decision d;
	uint32_t n = 0;

	memset(&d, 0xa5, sizeof d);
	if (!sched_next(r->s, r->now_ns, &d))
		return false;
	if ((unsigned)d.kind >= SCHED_KIND_MAX)
		rig_fail(r, "a decision of kind %d", (int)d.kind);
	if (d.kind == SCHED_ASK || d.kind == SCHED_REAP) {
		if (d.tm >= r->n_tms)
			rig_fail(r, "%s of task manager %u", kind_word[d.kind], d.tm);
		n = d.tm;
	} else if (d.kind != SCHED_LOOK) {
		n = number_of(r, d.id);
	}
	r->n_decided[d.kind]++;
	rig_log(r, kind_word[d.kind], (int)d.kind, d.kind == SCHED_LOOK ? -1 : (int64_t)n);

	oracle_judge(r, &d, n);
	r->too_many = d.too_many;
	carry_out[d.kind](r, n, answer_to(r, d.kind, n));
	if (!r->light)
		oracle_judge_counts(r);
	return true;
}

bool rig_look_ahead(struct rig *r)
{
	struct sched_decision d;

	memset(&d, 0xa5, sizeof d);
	if (!sched_look_ahead(r->s, r->now_ns, &d))
		return false;
	if (d.kind != SCHED_SORT)
		rig_fail(r, "ahead a decision of kind %d", (int)d.kind);
	uint32_t n = number_of(r, d.id);
	r->n_decided[d.kind]++;
	rig_log(r, "sort", SCHED_SORT, n);

	oracle_judge(r, &d, n);
	oracle_judge_ahead(r, &d, n);
	carry_sort(r, n, answer_to(r, d.kind, n));
	if (!r->light)
		oracle_judge_counts(r);
	return true;
}

void rig_run(struct rig *r)
{
	size_t bound = 64 + 16 * ((size_t)r->n_requests + r->n_tms), n = 0;

	r->run_from = r->n_lines;
	memset(r->n_decided, 0, sizeof r->n_decided);
	while (rig_step(r) || (r->ahead && rig_look_ahead(r))) {
		if (++n > bound)
			rig_fail(r, "it does not come to rest");
	}
	for (uint32_t i = 0; i < r->n_tms; i++) {
		if (r->tm[i].refused)
			r->tm[i].asked_ns = r->now_ns;
		r->tm[i].refused = false;
	}
	oracle_judge_silence(r);
}

void rig_run_at(struct rig *r, int64_t now_ns)
{
	r->now_ns = now_ns;
	rig_run(r);
}
