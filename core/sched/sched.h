/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched: what happens next.
 *
 * All conditions on order, capacity, limits and the life of a request are here and nowhere else.
 * Events go in, decisions come out: the server tells what it saw, asks sched_next for one decision
 * after the other, carries each out and answers with the event named at the decision.  Nothing
 * here reads a clock, touches a file or calls a plugin; the time is an argument.
 *
 * The life of one request, seen from here:
 *
 *	seen --ACCEPT--> unsorted --SORT--> waiting --START--> running --ended--> COMPLETE --> gone
 *	                                       ^                  |
 *	                                       +----PUT_BACK------+
 *
 * An abort marker takes it out of any of these: REMOVE at once, or TERMINATE first when it runs.
 * One that waits and was not started in time goes by EXPIRE to COMPLETE, and one that is too many
 * by ACCEPT.
 *
 * The promises, each held by tests/unit/sched:
 *   - First in, first out in each task manager: START(x) comes only when no smaller id of that
 *     task manager is known and every smaller id, of whatever task manager, has been sorted.
 *     An id that arrives late goes before all that still wait.
 *   - START comes only after a LOOK that was answered since the last ASK and the last START, of
 *     whatever task manager: what could be seen before it is not overtaken.
 *   - At most max_running are started, running or terminating, and at most as many are started as
 *     has_capacity answered, until it is asked again.
 *   - A slot is free only when the end of its task was reported.
 *   - The marker goes after its subject; a request with a marker is not started and not completed.
 *   - What has to be started by a time is not started after it, and does not wait any longer
 *     either, whatever waits before it.
 *   - Each decision is given once, and the cost of one does not depend on how many wait.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spool/reqid.h"

struct sched;

enum sched_kind {
	SCHED_LOOK,   /* read all that is visible in 1 and 5 now; answer: sched_looked */
	SCHED_ACCEPT, /* 1 -> 2; answer: sched_accepted, sched_dropped when it is not there or was
		       * set aside, or sched_defer; where it is `too_many` also 2 -> 3 and
		       * sched_reject */
	SCHED_PROBE,  /* find an unknown id that has a marker; answer: sched_probed
		       * or sched_defer */
	SCHED_REMOVE, /* an abort: unlink it in `place`, then the marker; answer: sched_removed,
		       * sched_park, or sched_defer when it could not be done */
	SCHED_UNMARK, /* unlink a marker whose subject is nowhere; answer: sched_unmarked, sched_park,
		       * sched_defer, or sched_probed when it is somewhere after all */
	SCHED_SORT,   /* read the envelope in 2; answer: sched_sorted, sched_reject, sched_dropped
		       * or sched_defer */
	SCHED_ASK,    /* call has_capacity; answer: sched_room */
	SCHED_START,    /* 2 -> 3, then start_task; answer: sched_started, sched_busy, sched_reject
		       * or sched_dropped */
	SCHED_EXPIRE,   /* it waits and has not been started in time: 2 -> 3; answer: sched_reject,
		       * sched_dropped or sched_defer */
	SCHED_PUT_BACK, /* 3 -> 2; answer: sched_put_back, or sched_defer: then its task manager is
			 * held as long, for it is first */
	SCHED_TERMINATE, /* call terminate; no answer, its end comes by sched_ended; or sched_defer.  Not
			  * given for a task that waits for recovery: sched_hold */
	SCHED_REAP,      /* call reap until it answers 0, within a bound; tell sched_ended or
			  * sched_not_begun for each; answer: sched_reaped */
	SCHED_COMPLETE, /* publish its result; answer: sched_completed, sched_park or sched_defer */
	SCHED_KIND_MAX
};

/* Where a request's file is.  The order is that of its life. */
enum sched_place {
	SCHED_NOWHERE,
	SCHED_IN_REQUESTED,
	SCHED_IN_PENDING,
	SCHED_IN_RUNNING,
	SCHED_IN_COMPLETE
};

/* Why a task is told to end. */
enum sched_end {
	SCHED_END_ABORT, /* its client wants it */
	SCHED_END_LIMIT, /* its run limit has passed; once it has ended: COMPLETE */
	SCHED_END_NOW    /* the server cannot wait; also for those that were told before */
};

struct sched_decision {
	enum sched_kind kind;
	struct reqid id; /* not for LOOK, ASK */
	uint32_t tm;     /* SCHED_NO_TM where it is not known yet */
	uint32_t ref;    /* what the server gave with sched_started or sched_reject, else 0 */
	uint32_t tries;  /* SORT: how often it was deferred */
	bool resumed;    /* REMOVE, UNMARK, COMPLETE: what it was parked for has come about */
	bool too_many;   /* ACCEPT: the queue is full */
	enum sched_place place; /* REMOVE */
	enum sched_end end;     /* TERMINATE: why */
	int64_t since_ns;       /* when it entered the state that it is in now */
};
#define SCHED_NO_TM UINT32_MAX

struct sched_limits {
	uint32_t max_running; /* at least 1 */
	bool polls;           /* its plugin must be asked (WQ_CAP_WAKES is not set) */
};

/* Why a task manager starts nothing now, for people: sched_tm_state.why. */
enum sched_why {
	SCHED_WHY_READY,       /* it would, but nothing waits for it */
	SCHED_WHY_MAX_RUNNING, /* max-running are running */
	SCHED_WHY_NO_CAPACITY, /* has_capacity answered 0 */
	SCHED_WHY_HELD,        /* until held_until_ns, after BUSY or RETRY or a fault */
	SCHED_WHY_STOPPING,
	SCHED_WHY_NO_SPACE,   /* sched_set_no_space */
	SCHED_WHY_RECOVERING, /* sched_hold */
	SCHED_WHY_SUSPENDED,  /* sched_suspend */
};

struct sched_tm_state {
	uint32_t waiting; /* sorted, not started */
	uint32_t running; /* started, running, terminating */
	enum sched_why why;
	int64_t held_until_ns;
};

struct sched_counts {
	uint32_t seen;     /* in 1, not accepted yet */
	uint32_t unsorted; /* in 2, envelope not read yet */
	uint32_t waiting;  /* sorted, not started */
	uint32_t pending;  /* unsorted and waiting: all that is in 2 */
	uint32_t running;
};

/*
 * A scheduler for `n_tms` task managers, numbered from 0.  `hash_key` is random: clients choose
 * ids.  `sample_ns` is how often a task manager that must be asked is asked while it has something
 * to do.  NULL when memory is short.
 */
struct sched *sched_new(uint32_t n_tms, const struct sched_limits *limits, int64_t sample_ns,
	const uint64_t hash_key[2]);
void sched_free(struct sched *s);

/*
 * The next thing to do, or false when there is nothing until the next event or sched_due.  A
 * decision must be answered before the next call.
 */
bool sched_next(struct sched *s, int64_t now_ns, struct sched_decision *ret);

/*
 * When there is no next thing: the next envelope to read though nobody needs it yet, a SORT, because
 * only the envelope says by when it has to be started.  False when there is none, or not now.  To be
 * called a bounded number of times, and then sched_next again.
 */
bool sched_look_ahead(struct sched *s, int64_t now_ns, struct sched_decision *ret);

/* When to call sched_next again though no event came; TIME_NEVER for not at all. */
int64_t sched_due(struct sched *s);

/* Events that come by themselves.  -ENOMEM: not taken, tell it again; else 0. */
int sched_seen(struct sched *s, struct reqid id, int64_t now_ns);   /* a name in 1 */
int sched_marked(struct sched *s, struct reqid id, int64_t now_ns); /* a marker in 5 */
void sched_wakeup(struct sched *s, uint32_t tm); /* it may have ended tasks, or room again */
/* A task of it that was started has begun: it may have ended, and what it had room for when it was asked
 * was without that one. */
void sched_begun(struct sched *s, uint32_t tm);
/* A task has ended and its outcome is known; or it never began, and its task manager is held until
 * `until_ns`; or the same, and 0 stands for until it has room again, as if it had answered 0 when
 * asked. */
void sched_ended(struct sched *s, struct reqid id, int64_t now_ns);
void sched_not_begun(struct sched *s, struct reqid id, int64_t until_ns);
void sched_turned_away(struct sched *s, struct reqid id, int64_t until_ns);

/*
 * What recovery found, before the first sched_next: each is the state that run time would have
 * reached.  One that is lost is at its end: COMPLETE follows, with `ref`, as with sched_reject.  One
 * that may still run takes its slot: sched_ended or sched_not_begun tells what became of it.
 * -ENOMEM.
 */
int sched_found_pending(struct sched *s, struct reqid id, int64_t now_ns);
int sched_found_lost(struct sched *s, struct reqid id, uint32_t ref, int64_t now_ns);
int sched_found_running(
	struct sched *s, struct reqid id, uint32_t tm, uint32_t ref, int64_t now_ns);

/* While it is held a task manager is not asked and starts nothing; reaps and aborts go on. */
void sched_hold(struct sched *s, uint32_t tm, bool held);

/* Nothing is started, in no task manager, nor sorted, nor does anything expire, as that writes results,
 * until it is over: the storage fails, or there is no space on it. */
void sched_suspend(struct sched *s, bool suspended);
void sched_set_no_space(struct sched *s, bool no_space);

/* When a running task is to be ended, TIME_NEVER for never: TERMINATE with SCHED_END_LIMIT comes
 * once.  False when memory is short. */
bool sched_limit(struct sched *s, struct reqid id, int64_t at_ns);

/* By when one that waits has to be started, else EXPIRE.  To be told after sched_sorted and, again,
 * after sched_put_back.  False when memory is short. */
bool sched_start_by(struct sched *s, struct reqid id, int64_t at_ns);

/* With so many pending the next one that is accepted is too many.  UINT32_MAX at first. */
void sched_set_queue_limit(struct sched *s, uint32_t n);

/* The operator has changed it.  With fewer than run nothing is ended, and nothing started. */
void sched_set_max_running(struct sched *s, uint32_t tm, uint32_t max_running);
uint32_t sched_max_running(const struct sched *s, uint32_t tm);

/* Answers.  Each belongs to the decision that names it. */
void sched_looked(struct sched *s);
void sched_accepted(struct sched *s, struct reqid id, int64_t now_ns);
void sched_dropped(struct sched *s, struct reqid id); /* the file is gone or was set aside */
void sched_probed(struct sched *s, struct reqid id, enum sched_place place, int64_t now_ns);
void sched_removed(struct sched *s, struct reqid id);
void sched_sorted(struct sched *s, struct reqid id, uint32_t tm);
void sched_reaped(
	struct sched *s, uint32_t tm, bool more, int64_t now_ns); /* more: bound reached */
/* It cannot be done just now: the same decision comes again, not before then (a SORT only when a
 * task manager that may start something still wants it).  Order holds: nothing overtakes it. */
void sched_defer(struct sched *s, struct reqid id, int64_t until_ns);
/*
 * It is half done and waits for something, a sync: the same decision comes again, `resumed`, after
 * sched_resume.
 * sched_redo: it has to be done from its beginning, not before `until_ns`.  An abort that comes meanwhile
 * waits as long, and is carried out instead.  For one that is not parked both do nothing.
 */
void sched_park(struct sched *s, struct reqid id);
void sched_resume(struct sched *s, struct reqid id);
void sched_redo(struct sched *s, struct reqid id, int64_t until_ns);
void sched_unmarked(struct sched *s, struct reqid id);
void sched_room(struct sched *s, uint32_t tm, int32_t room, int64_t now_ns);
void sched_started(struct sched *s, struct reqid id, uint32_t ref, int64_t now_ns);
/* Nothing began, the file is back in 2.  The task manager is held until `until_ns`; 0: until it has
 * room again, as if it had answered 0 when asked. */
void sched_busy(struct sched *s, struct reqid id, int64_t until_ns);
/* It can never run and stands in 3 by now: COMPLETE follows, with `ref`. */
void sched_reject(struct sched *s, struct reqid id, uint32_t ref, int64_t now_ns);
void sched_put_back(struct sched *s, struct reqid id);
void sched_completed(struct sched *s, struct reqid id);

/* Start nothing more.  Running tasks go on; accepting and aborting too. */
void sched_stop(struct sched *s);
/* Terminate all that run, also those that were told before: a TERMINATE with SCHED_END_NOW each; but
 * those of task managers that sched_detach named. */
void sched_terminate_all(struct sched *s);
/* The tasks of this one outlive the server: they no longer keep it from being drained. */
void sched_detach(struct sched *s, uint32_t tm);

/* Has this running one been told to end, or is it about to be? */
bool sched_is_ending(const struct sched *s, struct reqid id);

/* Is this id known, that is between `seen` and `completed`?  For tests. */
bool sched_is_known(const struct sched *s, struct reqid id);

/* Nothing runs, and nothing that is known waits to be carried out: the server may end. */
bool sched_is_drained(const struct sched *s);
void sched_tm_state(const struct sched *s, uint32_t tm, int64_t now_ns, struct sched_tm_state *ret);
struct sched_counts sched_counts(const struct sched *s);
