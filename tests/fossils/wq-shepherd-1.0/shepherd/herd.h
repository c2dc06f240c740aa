/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/herd: the children that a shepherd knows, from spawn to acknowledgement.
 *
 *	spawn --> RUNNING --main process ends--> CLEARING --nothing of it is left--> ENDED --ack--> gone
 *	             |                               ^
 *	             +--end: TERM, grace, KILL-------+
 *
 * The main process is reaped as soon as it ends (SIGCHLD, waitid).  What it has left behind is ended
 * too (TERM, grace, KILL), unless it was spawned with WQ_SPAWN_LEAVE_REST; its output is read to
 * the end of what is there; its cgroup is removed.  Only then the end is told.  A name that is known
 * is never run again.
 *
 * What was left alone may write on: its output is read to its end and dropped, for a pipe that
 * nobody reads would end it (SIGPIPE).
 *
 * Children of an earlier shepherd, known by their records, begin as CLEARING: what is left of them
 * is ended, and their end is told as WQ_CHILD_UNKNOWN.
 */
#pragma once

#include <sys/resource.h>

#include "loop/loop.h"
#include "shepherd/frame.h"

struct herd;

struct herd_events {
	void *arg;
	/* It has ended and nothing of it is left: an end to be told, now or later. */
	void (*ended)(void *arg, const char *name, const struct wq_child_end *end);
	/* The last of what was left alone writes no more: herd_is_idle is true now.  May be NULL. */
	void (*idle)(void *arg);
};

/*
 * `run_fd` is .wq/run, `uuid` the spool's: the name of the cgroup is "wq-" and it.  Takes up the
 * records of an earlier shepherd, makes this process a subreaper and catches SIGCHLD.  0 or -errno.
 */
int herd_new(struct herd **ret, struct loop *loop, int run_fd, const char *uuid,
	const struct herd_events *events, struct wq_err *err);
void herd_free(struct herd *h);

/* Run it, unless its name is known.  One that cannot be started has ended at once: `ended` is called
 * from the next round of the loop, or from inside where there is no memory to know it until then. */
void herd_spawn(struct herd *h, const struct frame_spawn *spawn);
void herd_end(struct herd *h, const char *name, uint32_t how, uint32_t grace_ms);
void herd_ack(struct herd *h, const char *name);

/* Each that is known, in no order. */
void herd_each(struct herd *h,
	void (*fn)(void *arg, const struct frame_child *child,
		const struct wq_child_end *end /* NULL: not ended */),
	void *arg);

size_t herd_size(const struct herd *h);             /* known ones, acknowledged ones not */
size_t herd_alive(const struct herd *h);            /* those that have not ended */
bool herd_is_idle(const struct herd *h);            /* none is known, and none left alone writes */
const char *herd_containment(const struct herd *h); /* "cgroup" or "best effort" */
bool herd_same_boot(const struct herd *h);

/* This process has given itself more than is usual: its children get what is. */
void herd_set_nofile(struct herd *h, const struct rlimit *usual, const struct rlimit *raised);
void herd_set_oom_score(struct herd *h, int score); /* oom_score_adj, proc(5) */
