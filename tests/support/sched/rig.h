/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched/rig: a server made of memory, to drive a scheduler and to judge what it decides.
 *
 * It has a spool (of each request: where its file stands, and whether a marker does), task managers
 * that do what a test tells them, and a clock that a test sets.  rig_run carries out decisions
 * until there are none.  Each decision is held against the promises of sched/sched.h, and so is
 * the silence after the last; a broken one fails the test with the story that led to it.
 *
 * Requests are small numbers from 0, in the order of their ids.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/sched.h"

enum {
	RIG_TMS = 4,
	RIG_SAMPLE_NS = 1000,
	RIG_REF_STARTED = 1000000,
	RIG_REF_REJECTED = 2000000
};

/* What the scheduler was told of a request, so what it has to believe. */
enum rig_state {
	RIG_UNKNOWN,
	RIG_SEEN,
	RIG_UNSORTED,
	RIG_WAITING,
	RIG_RUNNING,
	RIG_RETURNING, /* it never began; its file is still in 3 */
	RIG_ENDED      /* it has an outcome, its result is not published */
};

struct rig_request {
	enum rig_state state;
	enum sched_place place;  /* where its file stands */
	enum sched_place probed; /* state RIG_UNKNOWN: where a PROBE found it */
	uint32_t tm;             /* which one its envelope names */
	uint32_t told_tm;        /* SCHED_NO_TM before the scheduler was told */
	uint32_t ref, tries;
	int64_t since_ns, defer_until_ns, not_begun_until_ns;
	int64_t limit_ns;    /* RIG_RUNNING: its run limit */
	int64_t start_by_ns; /* what its envelope says, TIME_NEVER where it says nothing */
	bool marker;         /* stands in 5 */
	bool told_marker;    /* and the scheduler knows */
	bool probing;        /* a PROBE has to come */
	bool ending;         /* it ran when all were to be terminated */
	bool terminated, terminated_now, returned, remove_deferred;
	uint8_t n_started, n_completed, n_removed, n_dropped, n_unmarked, n_expired;
};

struct rig_list {
	uint32_t *v;
	size_t n, cap;
};

struct rig_tm {
	struct sched_limits limits;

	int32_t cap;     /* how many tasks it can run at once */
	int32_t at_most; /* the most that it answers when asked */
	uint32_t reap_bound;
	struct rig_list ready; /* ended, or never begun, and not reaped */

	uint32_t waiting, running;
	int64_t room; /* what is left of what it answered last */
	bool looked;  /* since it was asked */
	bool dry;     /* nothing new has happened since it answered 0 */
	bool woken, more;
	bool recovering, detached;
	bool refused; /* BUSY, in this round: the time of that is not told */
	int64_t held_until_ns, asked_ns, reaped_ns;
};

enum rig_how {
	RIG_YES,
	RIG_DEFER,
	RIG_DROP,
	RIG_REJECT,
	RIG_BUSY
};

struct rig_answer {
	enum rig_how how;
	int64_t until_ns; /* RIG_DEFER, RIG_BUSY */
};

struct rig_script {
	enum sched_kind kind;
	uint32_t n;
	struct rig_answer answer;
};

struct rig_line {
	const char *word;
	int64_t now_ns, arg;
	int kind; /* a decision's, else -1 */
};

struct rig {
	struct sched *s;
	int64_t now_ns, last_deferral_ns; /* the latest time that anything was deferred to */
	uint32_t n_tms, n_requests;
	struct rig_tm tm[RIG_TMS];
	struct rig_request *request;
	struct rig_list untold; /* 2n: the file of n in 1; 2n + 1: its marker */
	bool stopped, ending, no_space;
	bool too_many; /* what the decision to accept says that is being carried out */
	uint32_t queue_limit;
	bool ahead; /* rig_run looks ahead when there is nothing else to do */
	bool light; /* leave out the checks that look at every request */

	struct rig_script script[16];
	size_t n_script;
	/* Instead of the script, and of cap and at_most, where set. */
	struct rig_answer (*answer)(struct rig *r, enum sched_kind kind, uint32_t n);
	int32_t (*room)(struct rig *r, uint32_t tm);
	/* Before a LOOK is carried out. */
	void (*on_look)(struct rig *r);
	void *arg;

	struct rig_line *line; /* all that happened */
	size_t n_lines, cap_lines, run_from;
	size_t n_decided[SCHED_KIND_MAX]; /* in the last rig_run */
	char said[8192];
};

/* A task manager of the rig can run any number of tasks and says so, until a test changes that. */
struct rig *rig_new(uint32_t n_requests, uint32_t n_tms, const struct sched_limits *limits);
void rig_free(struct rig *r);

struct reqid rig_id(uint32_t n);

/* Publish the request; `add` also tells the scheduler, which else learns of it at the next LOOK. */
void rig_put(struct rig *r, uint32_t n, uint32_t tm);
void rig_add(struct rig *r, uint32_t n, uint32_t tm);
void rig_add_range(struct rig *r, uint32_t first, uint32_t last, uint32_t tm);
/* Set its marker, the same way. */
void rig_put_marker(struct rig *r, uint32_t n);
void rig_mark(struct rig *r, uint32_t n);
/* The name of a request in 1 is told (again), whether there is one or not. */
void rig_tell_seen(struct rig *r, uint32_t n);
void rig_tell_marked(struct rig *r, uint32_t n);

/* What recovery finds. */
void rig_found_pending(struct rig *r, uint32_t n, uint32_t tm);
void rig_found_lost(struct rig *r, uint32_t n);
void rig_found_running(struct rig *r, uint32_t n, uint32_t tm);

/* A task has ended, or never began: the next REAP says so.  `finish` wakes its task manager too. */
void rig_end(struct rig *r, uint32_t n);
void rig_finish(struct rig *r, uint32_t n);
void rig_end_unbegun(struct rig *r, uint32_t n, int64_t until_ns);
/* The same told at once, outside of a REAP. */
void rig_tell_ended(struct rig *r, uint32_t n);
void rig_tell_not_begun(struct rig *r, uint32_t n, int64_t until_ns);
void rig_wake(struct rig *r, uint32_t tm);
void rig_limit(struct rig *r, uint32_t n, int64_t at_ns);
void rig_hold(struct rig *r, uint32_t tm, bool held);
void rig_set_max_running(struct rig *r, uint32_t tm, uint32_t max_running);
void rig_detach(struct rig *r, uint32_t tm);
void rig_set_no_space(struct rig *r, bool no_space);
void rig_set_queue_limit(struct rig *r, uint32_t n);
void rig_stop(struct rig *r);
void rig_terminate_all(struct rig *r);

/* The next decision of this kind about request n is answered so. */
void rig_answer_next(
	struct rig *r, enum sched_kind kind, uint32_t n, enum rig_how how, int64_t until_ns);

/* Take one decision, judge it, carry it out and answer.  False when there was none. */
bool rig_step(struct rig *r);
/* The same of what is read ahead. */
bool rig_look_ahead(struct rig *r);
/* All of them, and judge the silence. */
void rig_run(struct rig *r);
void rig_run_at(struct rig *r, int64_t now_ns);

/* The decisions of these kinds since rig_run began: "start 3, ask 0, look". */
#define SAY(kind) (1u << SCHED_##kind)
const char *rig_said(struct rig *r, unsigned kinds);

void rig_log(struct rig *r, const char *word, int kind, int64_t arg);
/* Fail the test, with the story so far. */
__attribute__((format(printf, 2, 3), noreturn)) void rig_fail(struct rig *r, const char *fmt, ...);

/* oracle.c: hold a decision, or the silence after the last, against the promises. */
void oracle_judge(struct rig *r, const struct sched_decision *d, uint32_t n);
void oracle_judge_ahead(struct rig *r, const struct sched_decision *d, uint32_t n);
void oracle_judge_silence(struct rig *r);
void oracle_judge_counts(struct rig *r);
