/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/finished: the history.  Who collects a result moves it from 4-complete to finished/ instead
 * of unlinking it, which costs the same one call; the server keeps that directory, and work/,
 * within bounds.  A client that unlinks leaves no history, and nobody minds.
 */
#pragma once

#include "spool/spool.h"

/* 4 -> finished, for a client.  Where there is no finished/ (an older server), or the move fails,
 * it is unlinked.  0, -ENOENT: somebody else was first; -errno.  [any-thread] */
int finished_collect(struct spool *sp, struct reqid id);

struct finished_limits {
	uint32_t keep;   /* results at most; 0: none */
	int64_t keep_us; /* and none that is older, by the time of its id; 0: no bound by age */
};

/*
 * Remove the oldest results beyond the limits, and the work directories and handles of every id
 * that is in none of 1 to 4 and not in finished/ any more.  How many results were removed, or the
 * first -errno, after all else was done.  Bounded by `max` removals of each kind: at that count
 * there may be more to do.  Of very many work directories some are looked at, by chance, others the
 * next time.
 * [loop] [blocks: a listing each of finished/, work/ and .wq/handles, and what is removed]
 */
int finished_prune(struct spool *sp, const struct finished_limits *limits, int64_t now_us, int max);
