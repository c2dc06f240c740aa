/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/watch: the server's eyes on 1-requested and 5-aborting.
 *
 * Events are hints, the directories are the truth.  watch_look is the barrier: all that was visible
 * when it was called has been told when it returns, because it first asks how much is queued
 * (FIONREAD) and reads that much.
 */
#pragma once

#include <stdbool.h>

#include "spool/scan.h"

struct watch;

/* -errno where inotify is not to be had: the caller then looks by listing. */
int watch_open(struct watch **ret, const struct spool *sp);
void watch_close(struct watch *w);
int watch_fd(const struct watch *w);

/* Told for each name seen; `state` is SPOOL_REQUESTED or SPOOL_ABORTING. */
typedef void watch_fn(void *arg, enum spool_state state, struct reqid id, const char *name);

enum {
	/* Events were lost: list 5, then 1. */
	WATCH_OVERFLOW = 1,
	/* A state directory, .wq or work was renamed, removed, replaced or unmounted: start nothing
	 * more.  watch_moved says which. */
	WATCH_MOVED = 2,
	/* The spool was renamed as a whole: its path may lead elsewhere. */
	WATCH_ROOT = 4,
	/* Somebody has removed or replaced wq.sock or wq.status; or that was us. */
	WATCH_FILES = 8
};

/* Read up to the barrier.  A mask of the above, or -errno. */
int watch_look(struct watch *w, watch_fn *fn, void *arg);

/* The name of what was last told as WATCH_MOVED, a literal; NULL: nothing was. */
const char *watch_moved(const struct watch *w);

/*
 * The safety look, one fstat a directory: has a directory changed since the last call, or since
 * watch_open?  A mask of 1 << state; each is then listed by the caller, after this call.  Our own
 * renames out of 1 count too, so while the spool is busy the answer is yes, and when it has been
 * idle once between two calls it is no.
 */
unsigned watch_changed(struct watch *w);
