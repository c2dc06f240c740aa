/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin/children: the children that plugins have, and whose they are.  One table for the server,
 * over the link to the shepherd.
 *
 * A child is known to the shepherd by its name (the task name, and "." and its label) and to its
 * plugin by a number of this server.  Its end is told to its instance once, from the loop, never
 * from inside an operation; and acknowledged to the shepherd when its task's result is safe.  What
 * belongs to no task is ended and forgotten.
 */
#pragma once

#include "plugin/instance.h"
#include "shepherd/link.h"

struct children_events {
	void *arg;
	/* The shepherd has told what it knows: recovery may begin.  Comes again with each shepherd. */
	void (*up)(void *arg);
	/* A child has ended that children_clear was asked to end. */
	void (*cleared)(void *arg);
	/* For the log: it came, it went. */
	void (*log)(void *arg, int level, const char *text);
};

int children_new(struct children **ret, struct loop *loop, const struct link_place *place,
	const struct children_events *events, struct wq_err *err);
/* `quit`: a shepherd with nothing left is told to end itself. */
void children_free(struct children *c, bool quit);

bool children_is_up(const struct children *c);
const char *children_containment(const struct children *c); /* "" until it is up */
size_t children_running(const struct children *c);

/* ---- for an instance ------------------------------------------------------------------------- */

/* The service spawn.  `task` is the one of spawn->tid.  After WQ_BUSY `i` is touched when there is
 * room. */
int children_spawn(struct children *c, struct instance *i, const char *task_manager,
	const struct wq_task *task, const struct wq_spawn *spawn, uint64_t *ret_child,
	struct wq_err *err);
/* Would it not answer WQ_BUSY?  If it would, `i` is touched when that changes. */
bool children_has_room(struct children *c, struct instance *i);
int children_end(
	struct children *c, struct instance *i, uint64_t child, uint32_t how, uint32_t grace_ms);

/*
 * The children of the task `task_name`, for recover: they belong to task `tid` of `i` from now on.
 * Where nothing of before the machine was started can be known (see frame_hello.same_boot), a task
 * without any is given one that ends as WQ_CHILD_UNKNOWN.  The array is freed by the caller; NULL and
 * 0 for none; -ENOMEM, -WQ_E_STATE: it has not been up yet.  Their ends, those that are known too, come in later rounds of the loop.
 */
int children_adopt(struct children *c, struct instance *i, wq_tid tid, const char *task_name,
	struct wq_child **ret, uint32_t *ret_n);
/* It was not adopted after all: they belong to nobody, as before. */
void children_disown(struct children *c, struct instance *i, wq_tid tid);

/* The task was given back: what still runs of it is ended.  Its instance hears no more of them. */
void children_task_over(struct children *c, struct instance *i, wq_tid tid);

/* The instance is freed: what it still has is left to itself.  Before children_free. */
void children_instance_gone(struct children *c, struct instance *i);

/* ---- for the server -------------------------------------------------------------------------- */

/*
 * End what still runs of the task `task_name`, that no instance has.  How many children do; while it is
 * not 0, `cleared` or `up` tells when to ask again.  Only while it is up: nothing is known else.
 */
size_t children_clear(struct children *c, const char *task_name);

/* Somebody who could not be asked may want them yet: they are no strays, and go on. */
void children_leave(struct children *c, const char *task_name);

/* Does the shepherd know a child of this task, running or ended? */
bool children_has(const struct children *c, const char *task_name);

/* Is what the shepherd knows all that there was, so that a task without children never had any? */
bool children_knows_all(const struct children *c);

/* When the first child that runs of this task was started, by CLOCK_BOOTTIME to a hundredth of a second;
 * 0: none runs.  The kernel says it, so no clock that was set meanwhile disturbs it. */
int64_t children_began_ns(const struct children *c, const char *task_name);

/* Its result is safe: the shepherd may forget its children.  By the task's name, for its tid is gone. */
void children_ack(struct children *c, const char *task_name);

/* Recovery is over: end and forget all children that belong to nobody.  How many. */
size_t children_end_strays(struct children *c);
