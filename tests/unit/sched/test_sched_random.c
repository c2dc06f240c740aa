/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chance drives the scheduler; the rig holds each decision and each silence against the promises.
 * A failure names its seed: CK_RUN_CASE and the loop number give the same run again.
 */
#include "base/time.h"
#include "sched/sched.h"
#include "support/sched/rig.h"
#include "support/sched/rng.h"

#include <check.h>
#include <string.h>

enum {
	REQUESTS = 36,
	STEPS = 260,
	GROUPS = 12,
	RUNS = 180
};

static uint64_t rng;
static struct rig *r;
static bool quiet_down; /* no more trouble: all that is left comes to its end */
static uint32_t next_id, n_used;
static bool used[REQUESTS];
static uint32_t n_expired; /* over all runs of a test: it must not be none */
static uint32_t trouble;   /* percent of the answers that are not a plain yes */

static uint32_t below(uint32_t n)
{
	return rng_below(&rng, n);
}

static bool percent(uint32_t p)
{
	return rng_percent(&rng, p);
}

/* ---- answers ---- */

static int64_t soon(void)
{
	return r->now_ns + 1 + below(percent(20) ? 3 * RIG_SAMPLE_NS : 20);
}

static struct rig_answer answer(struct rig *rig, enum sched_kind kind, uint32_t n)
{
	static const struct {
		enum rig_how how[4];
		uint32_t n;
	} may[SCHED_KIND_MAX] = {
		[SCHED_ACCEPT] = { { RIG_DROP }, 1 },
		[SCHED_REMOVE] = { { RIG_DEFER }, 1 },
		[SCHED_SORT] = { { RIG_DEFER, RIG_DEFER, RIG_REJECT, RIG_DROP }, 4 },
		[SCHED_START] = { { RIG_BUSY, RIG_BUSY, RIG_REJECT, RIG_DROP }, 4 },
		[SCHED_TERMINATE] = { { RIG_DEFER }, 1 },
		[SCHED_COMPLETE] = { { RIG_DEFER }, 1 },
		[SCHED_EXPIRE] = { { RIG_DEFER, RIG_DROP }, 2 },
	};
	struct rig_answer a = { RIG_YES, 0 };

	(void)rig, (void)n;
	if (quiet_down || may[kind].n == 0 || !percent(trouble))
		return a;
	a.how = may[kind].how[below(may[kind].n)];
	a.until_ns = a.how == RIG_BUSY && percent(40) ? 0 : soon();
	return a;
}

static int32_t room(struct rig *rig, uint32_t tm)
{
	if (quiet_down)
		return 1;
	switch (below(6)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return INT32_MAX;
	case 3:
		return (int32_t)(rig->tm[tm].limits.max_running - rig->tm[tm].running);
	default:
		return 1 + (int32_t)below(3);
	}
}

/* ---- what clients and tasks do ---- */

/* Mostly the next id; sometimes one that was left out before, so that it comes late. */
static bool pick_new(uint32_t *ret)
{
	if (n_used == REQUESTS)
		return false;
	if (percent(20))
		next_id += below(4);
	uint32_t n = next_id < REQUESTS && percent(80) ? next_id : below(REQUESTS);
	while (used[n])
		n = (n + 1) % REQUESTS;
	used[n] = true;
	n_used++;
	next_id = n + 1 > next_id ? n + 1 : next_id;
	*ret = n;
	return true;
}

static uint32_t pick_tm(void)
{
	return below(r->n_tms);
}

static void publish(void)
{
	uint32_t n;

	if (!pick_new(&n))
		return;
	bool marked_first = percent(5), told = percent(60);
	if (percent(20))
		r->request[n].start_by_ns = soon() + below(percent(50) ? 10 : RIG_SAMPLE_NS);
	if (marked_first)
		rig_mark(r, n);
	if (told)
		rig_add(r, n, pick_tm());
	else
		rig_put(r, n, pick_tm());
	if (!marked_first && percent(5))
		rig_put_marker(r, n);
}

static void look_finds_more(struct rig *rig)
{
	(void)rig;
	if (!quiet_down && percent(25))
		publish();
}

static void abort_one(void)
{
	uint32_t n = below(REQUESTS);

	if (percent(50))
		rig_mark(r, n);
	else
		rig_put_marker(r, n);
}

/* A file in 1, 2 or 4 is removed by someone else. */
static void vanish(void)
{
	struct rig_request *q = &r->request[below(REQUESTS)];

	if (q->place == SCHED_IN_RUNNING || q->place == SCHED_NOWHERE)
		return;
	q->place = SCHED_NOWHERE;
}

/* An old event. */
static void see_again(void)
{
	uint32_t n = below(REQUESTS);

	if (used[n] && !(r->request[n].state == RIG_UNKNOWN && r->request[n].told_marker))
		rig_tell_seen(r, n);
}

static bool is_ready(const struct rig *rig, uint32_t n)
{
	const struct rig_list *l = &rig->tm[rig->request[n].tm].ready;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i] == n)
			return true;
	}
	return false;
}

static void end_of(uint32_t n)
{
	const struct rig_request *q = &r->request[n];
	bool never_began = !quiet_down && percent(15);
	int64_t until = percent(30) ? r->now_ns : soon();

	if (q->state != RIG_RUNNING || is_ready(r, n))
		return;
	if (percent(15)) {
		if (never_began)
			rig_tell_not_begun(r, n, until);
		else
			rig_tell_ended(r, n);
		return;
	}
	if (never_began)
		rig_end_unbegun(r, n, until);
	else
		rig_end(r, n);
	/* One that promised to wake keeps its word; the other may. */
	if (!r->tm[q->tm].limits.polls || percent(20))
		rig_wake(r, q->tm);
}

static void end_some(void)
{
	for (uint32_t n = 0; n < REQUESTS; n++) {
		if (r->request[n].state == RIG_RUNNING && percent(40))
			end_of(n);
	}
}

/* ---- what the server and its operator do ---- */

/* Most will end before; some have passed already. */
static void limit_some(void)
{
	for (uint32_t n = 0; n < REQUESTS; n++) {
		const struct rig_request *q = &r->request[n];
		if (q->state != RIG_RUNNING || q->limit_ns <= r->now_ns || !percent(40))
			continue;
		rig_limit(r, n,
			percent(20)   ? TIME_NEVER
			: percent(20) ? r->now_ns - below(2)
				      : soon());
	}
}

static void hold_or_release(void)
{
	uint32_t tm = pick_tm();

	rig_hold(r, tm, !r->tm[tm].recovering && percent(70));
}

static void step(void)
{
	uint32_t op = below(1000);

	if (op < 300)
		publish();
	else if (op < 600)
		end_some();
	else if (op < 660)
		abort_one();
	else if (op < 680)
		vanish();
	else if (op < 720)
		see_again();
	else if (op < 800)
		rig_wake(r, pick_tm());
	else if (op < 850)
		limit_some();
	else if (op < 870)
		hold_or_release();
	else if (op < 885)
		rig_set_max_running(r, pick_tm(), 1 + below(5));
	else if (op < 895)
		rig_set_no_space(r, !r->no_space && percent(70));
	else if (op < 900 && r->queue_limit != UINT32_MAX)
		rig_set_queue_limit(r, 1 + below(10));
	else if (op < 990)
		r->now_ns += 1 + below(percent(20) ? 2 * RIG_SAMPLE_NS : 10);
	else if (op < 993 && n_used > REQUESTS / 2)
		rig_terminate_all(r);

	/* Not always to the end: a pass is bounded, and events come in between. */
	if (percent(70)) {
		rig_run(r);
	} else {
		for (uint32_t i = below(6); i > 0 && rig_step(r); i--)
			;
	}
}

/* ---- the end ---- */

static bool all_gone(void)
{
	for (uint32_t n = 0; n < REQUESTS; n++) {
		const struct rig_request *q = &r->request[n];
		if (q->state != RIG_UNKNOWN || q->told_marker)
			return false;
	}
	return true;
}

static void run_down(void)
{
	quiet_down = true;
	for (uint32_t t = 0; t < r->n_tms; t++)
		rig_hold(r, t, false);
	rig_set_no_space(r, false);
	rig_run(r);
	for (int i = 0; i < (r->stopped ? 40 : 20 * REQUESTS) && !all_gone(); i++) {
		if (r->untold.n > 0)
			r->on_look(r);
		for (uint32_t n = 0; n < REQUESTS; n++)
			end_of(n);
		for (uint32_t t = 0; t < r->n_tms; t++)
			if (!r->tm[t].limits.polls)
				rig_wake(r, t);
		if (sched_due(r->s) != TIME_NEVER && sched_due(r->s) > r->now_ns)
			r->now_ns = sched_due(r->s);
		rig_run(r);
	}
}

static void judge_fates(void)
{
	struct sched_counts c = sched_counts(r->s);

	if (!all_gone())
		rig_fail(r, "not all came to an end");
	for (uint32_t n = 0; n < REQUESTS; n++) {
		const struct rig_request *q = &r->request[n];
		if (sched_is_known(r->s, rig_id(n)))
			rig_fail(r, "%u is still known", n);
		if (q->n_completed > 1 || q->n_started > 1)
			rig_fail(r, "%u: %u times started, %u times completed", n, q->n_started,
				q->n_completed);
		if (q->n_expired > 1 || (q->n_expired && q->n_started))
			rig_fail(r, "%u: %u times started, %u times expired", n, q->n_started,
				q->n_expired);
		n_expired += q->n_expired;
	}
	ck_assert_uint_eq(c.seen + c.unsorted + c.waiting + c.running, 0);
	rig_run_at(r, r->now_ns + 10 * RIG_SAMPLE_NS);
	ck_assert_int_eq(sched_due(r->s), TIME_NEVER);
}

static void one_run(uint64_t seed)
{
	struct sched_limits limits[RIG_TMS];

	rng = seed;
	quiet_down = false;
	next_id = n_used = 0;
	memset(used, 0, sizeof used);
	trouble = below(3) * 10;
	for (int i = 0; i < RIG_TMS; i++)
		limits[i] = (struct sched_limits){ 1 + below(4), percent(40) };
	r = rig_new(REQUESTS, 1 + below(RIG_TMS), limits);
	for (int i = 0; i < RIG_TMS; i++)
		r->tm[i].reap_bound = 1 + below(4);
	r->answer = answer;
	r->room = room;
	r->on_look = look_finds_more;
	r->ahead = percent(50);
	rig_log(r, "seed", -1, (int64_t)seed);
	if (percent(30))
		rig_set_queue_limit(r, 1 + below(10));

	for (uint32_t i = 0; i < percent(30) * below(8); i++) {
		uint32_t n;
		if (!pick_new(&n))
			break;
		if (percent(20))
			r->request[n].start_by_ns = soon();
		if (percent(60))
			rig_found_pending(r, n, pick_tm());
		else if (percent(50))
			rig_found_running(r, n, pick_tm());
		else
			rig_found_lost(r, n);
	}
	for (uint32_t i = 0; i < r->n_tms; i++)
		rig_hold(r, i, percent(20));
	uint32_t steps = 40 + below(STEPS);
	for (uint32_t i = 0; i < steps; i++)
		step();
	run_down();
	judge_fates();
	rig_free(r);
}

START_TEST(it_keeps_its_promises_whatever_happens)
{
	for (uint64_t i = 0; i < RUNS; i++)
		one_run((uint64_t)_i * RUNS + i);
	ck_assert_uint_gt(n_expired, 0);
}
END_TEST

START_TEST(it_keeps_its_promises_while_it_stops)
{
	for (uint64_t i = 0; i < RUNS; i++) {
		struct sched_limits limits[RIG_TMS] = { { 3, false }, { 2, true } };

		rng = 1000000 + (uint64_t)_i * RUNS + i;
		quiet_down = false;
		next_id = n_used = 0;
		memset(used, 0, sizeof used);
		trouble = 10;
		r = rig_new(REQUESTS, 2, limits);
		r->answer = answer;
		r->room = room;
		r->on_look = look_finds_more;
		r->ahead = percent(50);
		rig_log(r, "seed", -1, (int64_t)rng);
		uint32_t stop_at = below(STEPS / 2);
		for (uint32_t k = 0; k < STEPS / 2; k++) {
			if (k == stop_at)
				rig_stop(r);
			if (k == stop_at && percent(40))
				rig_detach(r, pick_tm());
			step();
		}

		run_down();
		/* What did not start waits for the next server. */
		for (uint32_t n = 0; n < REQUESTS; n++) {
			const struct rig_request *q = &r->request[n];
			if (q->told_marker || q->state == RIG_RUNNING || q->state == RIG_ENDED)
				rig_fail(r, "%u did not come to its end", n);
		}
		rig_free(r);
	}
}
END_TEST

static Suite *random_suite(void)
{
	Suite *s = suite_create("sched/sched_random");
	TCase *any = tcase_create("random");

	tcase_add_loop_test(any, it_keeps_its_promises_whatever_happens, 0, GROUPS);
	tcase_add_loop_test(any, it_keeps_its_promises_while_it_stops, 0, 4);
	suite_add_tcase(s, any);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(random_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
