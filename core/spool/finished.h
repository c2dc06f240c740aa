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

/*
 * Remove the work directories and handles of every id that is in none of 1 to 4 and not in finished/
 * any more; which results go is spool/results' matter.  How many were removed, or the first -errno,
 * after all else was done.  Bounded by `max` removals of each kind: at that count there may be more
 * to do.  Of very many some are looked at, by chance, others the next time.
 * [loop] [blocks: a listing each of work/ and .wq/handles, and what is removed]
 */
int finished_prune(struct spool *sp, int64_t now_us, int max);
