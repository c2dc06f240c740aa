/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which results stay: those that nobody has collected, in 4-complete, and the history, each within
 * its bounds.  A round goes through all of them, a little in each pass; it begins after many
 * results, when the oldest has to go, and each safety-interval.
 */
#include "server/server.h"

#include "base/log.h"
#include "base/time.h"
#include "codec/result.h"
#include "spool/finished.h"

#include <string.h>

enum {
	ROUND_EVERY = 256, /* results at least, before the history is looked at again */
	SLACK_PART = 16,   /* of a number to be kept: what may be more, so that rounds are rare */
	BATCH = 256,       /* results to be removed that are looked for at once */
	WORK_MAX = 256,    /* work directories that belong to nobody, removed in one round */
	FOR_EACH_MS = 1    /* and each result puts the next round off by this */
};

#define STEP_NS (2 * NS_PER_MS) /* of a pass, unless a single file operation takes longer */

static struct results_limits limits_of_complete(const struct server *s)
{
	return (struct results_limits){ .keep = (size_t)s->config.keep_results,
		.keep_us = s->config.keep_results_for_ns / NS_PER_US };
}

static struct results_limits limits_of_finished(const struct server *s)
{
	return (struct results_limits){ .keep = (size_t)s->config.keep_finished,
		.keep_us = s->config.keep_finished_for_ns / NS_PER_US,
		.bytes = (uint64_t)s->config.keep_finished_bytes,
		.by_id = true };
}

static bool read_about(const void *bytes, size_t len, struct results_about *ret)
{
	struct result res;
	if (result_decode_envelope(bytes, len, &res, NULL) < 0)
		return false;
	*ret = (struct results_about){ .attempt = res.attempt };
	if (res.keep_for_ns > 0)
		ret->keep_us = res.keep_for_ns < NS_PER_US ? 1 : res.keep_for_ns / NS_PER_US;
	return true;
}

void retain_begin(struct server *s)
{
	struct retain *r = &s->retain;
	if (r->stage != RETAIN_IDLE)
		return;
	r->stage = RETAIN_COMPLETE;
	r->completed = 0;
	r->due_us = INT64_MAX;
	results_again(&r->complete);
	results_again(&r->finished);
}

/* A part of it: as many have come since that the history may be too long. */
static void begin_with_history(struct retain *r)
{
	if (r->stage != RETAIN_IDLE)
		return;
	r->stage = RETAIN_FINISHED;
	r->completed = 0;
	results_again(&r->finished);
}

/* ---- when the next round is due ----------------------------------------------------------------
 */

static void is_due(struct retain *r, int64_t at_us)
{
	if (at_us < r->due_us)
		r->due_us = at_us;
}

static void set_timer(struct server *s, int64_t not_before_ns)
{
	struct retain *r = &s->retain;
	if (r->due_us == INT64_MAX) {
		loop_set_timer(s->loop, r->timer, TIME_NEVER);
		return;
	}
	int64_t left_us = r->due_us - keep_now_us(s);
	int64_t left_ns = left_us < 0                       ? 0
			  : left_us > INT64_MAX / NS_PER_US ? INT64_MAX
							    : left_us * NS_PER_US;
	loop_set_timer(s->loop, r->timer,
		time_after(time_mono_ns(), left_ns > not_before_ns ? left_ns : not_before_ns));
}

static void end_round(struct server *s)
{
	struct retain *r = &s->retain;
	struct results_limits complete = limits_of_complete(s), finished = limits_of_finished(s);
	int64_t of_complete_us = results_due_us(&r->complete, &complete);
	int64_t of_finished_us = results_due_us(&r->finished, &finished);
	r->stage = RETAIN_IDLE;
	is_due(r, of_complete_us);
	is_due(r, of_finished_us);
	set_timer(s, NS_PER_S + (int64_t)(r->complete.n + r->finished.n) * FOR_EACH_MS * NS_PER_MS);
}

void retain_completed(struct server *s, int64_t keep_for_ns)
{
	struct retain *r = &s->retain;
	int64_t keep_ns = s->config.keep_results_for_ns;
	size_t keep = (size_t)s->config.keep_results;
	if (keep_for_ns > 0 && (keep_ns == 0 || keep_for_ns < keep_ns))
		keep_ns = keep_for_ns;
	int64_t end_us = keep_now_us(s) + keep_ns / NS_PER_US;
	if (keep_ns > 0 && end_us < r->due_us) {
		r->due_us = end_us;
		if (r->stage == RETAIN_IDLE)
			set_timer(s, NS_PER_S);
	}
	r->n_complete++;
	r->completed++;
	if (r->n_complete > keep + keep / SLACK_PART)
		retain_begin(s);
	else if (r->completed >= ROUND_EVERY &&
		 r->completed >= s->config.keep_finished / SLACK_PART)
		begin_with_history(r);
}

/* ---- a round ----------------------------------------------------------------------------------
 */

static void remove_one(struct server *s, struct results *r, int dir_fd, struct reqid id)
{
	bool history = r == &s->retain.finished;
	int rc = results_remove(r, &s->spool, dir_fd, id);
	if (rc < 0)
		log_warn("%s: it has been kept long enough, but not all of it can be removed: %s",
			ID_TEXT(id), strerror(-rc));
	if (rc != 1)
		return;
	metrics_count(&s->metrics, history ? METRICS_FORGOTTEN : METRICS_DROPPED);
	if (history)
		log_debug("%s: removed from the history", ID_TEXT(id));
	else
		log_info("%s: its result is removed, nobody has collected it", ID_TEXT(id));
}

/* False: all of this directory is within its limits, or cannot be looked at. */
static bool step_through(struct server *s, struct results *r, int dir_fd,
	const struct results_limits *limits, int64_t end_ns)
{
	bool history = r == &s->retain.finished;
	struct reqid ids[BATCH];
	int rc = results_step(r, &s->spool, dir_fd, history, read_about);
	if (rc < 0)
		log_warn("the %s cannot be kept within bounds: %s",
			history ? "history" : "results that nobody has collected", strerror(-rc));
	if (rc != 0)
		return rc > 0;
	size_t n = results_excess(r, limits, keep_now_us(s), ids, BATCH);
	for (size_t i = 0; i < n && (i == 0 || time_mono_ns() < end_ns); i++)
		remove_one(s, r, dir_fd, ids[i]);
	return n > 0;
}

static void prune_work(struct server *s)
{
	int rc = finished_prune(&s->spool, keep_now_us(s), WORK_MAX);
	if (rc < 0)
		log_warn("work directories that belong to nobody cannot be removed: %s",
			strerror(-rc));
	else if (rc > 0)
		log_debug("%d work directories and handles belonged to nobody", rc);
}

static void step(struct server *s, int64_t end_ns)
{
	struct retain *r = &s->retain;
	struct results_limits complete = limits_of_complete(s), finished = limits_of_finished(s);
	switch (r->stage) {
	case RETAIN_COMPLETE:
		if (step_through(
			    s, &r->complete, s->spool.dir_fd[SPOOL_COMPLETE], &complete, end_ns))
			break;
		r->stage = RETAIN_FINISHED;
		/* Those that came meanwhile may have been missed. */
		r->n_complete = results_count(&r->complete) + (size_t)r->completed;
		break;
	case RETAIN_FINISHED:
		if (!step_through(s, &r->finished, s->spool.finished_fd, &finished, end_ns))
			r->stage = RETAIN_WORK;
		break;
	case RETAIN_WORK:
		prune_work(s);
		end_round(s);
		break;
	case RETAIN_IDLE:
		break;
	}
}

bool retain_step(struct server *s)
{
	int64_t end_ns = time_mono_ns() + STEP_NS;
	do
		step(s, end_ns);
	while (s->retain.stage != RETAIN_IDLE && time_mono_ns() < end_ns);
	return s->retain.stage != RETAIN_IDLE;
}

void retain_end(struct server *s)
{
	results_fini(&s->retain.complete, &s->spool);
	results_fini(&s->retain.finished, &s->spool);
}
