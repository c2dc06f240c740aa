/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/classify: what a crash left of one id, and what to do about it.  A pure function over a
 * table, one row for each state of the disk that can arise (docs/wq-spool.7, "Recovery").  The
 * actions are the same functions that run time uses.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What stands under one id.  Files in 3, 4 and tmp have been read, those in 1 and 2 not. */
enum finding {
	FIND_NONE,
	FIND_REQUEST,
	FIND_RESULT,
	FIND_NEITHER
};

struct findings {
	bool in_1, in_2, in_5;
	bool same_1; /* 1 and the later one are the same inode */
	bool same_2; /* 2 and 3 are the same inode */
	enum finding in_3, in_4, in_tmp;
};

/*
 * What to do, in this order of execution; a mask, because several files may stand under one id.
 * The functions that do it are in move.h, complete.h and quarantine.h.
 */
enum {
	CLASSIFY_UNLINK_1 = 1 << 0,     /* move_remove: a second name of the same file */
	CLASSIFY_QUARANTINE_1 = 1 << 1, /* a collision: no result, nobody to answer to */
	CLASSIFY_UNLINK_2 = 1 << 2,     /* move_remove: what it was has gone on */
	CLASSIFY_QUARANTINE_2 = 1 << 3, /* a collision */
	CLASSIFY_EXCHANGE = 1 << 4,     /* complete_exchange: tmp and 3 change places */
	CLASSIFY_UNLINK_TMP = 1 << 5,   /* complete_drop_tmp */
	CLASSIFY_QUARANTINE_3 = 1 << 6, /* complete_publish a result `lost`, with a reason */
	/* With LOST_4: move_take_back, then the same; else quarantine_put, because 3 has better. */
	CLASSIFY_QUARANTINE_4 = 1 << 7,
	CLASSIFY_LOST_4 = 1 << 8,
	CLASSIFY_UNLINK_3 = 1 << 9,      /* move_remove: its result is out */
	CLASSIFY_PUBLISH = 1 << 10,      /* complete_resume */
	CLASSIFY_REMOVE = 1 << 11,       /* move_remove_all: an abort that was not carried out */
	CLASSIFY_UNMARK = 1 << 12,       /* move_unmark */
	CLASSIFY_IS_REQUESTED = 1 << 13, /* what it is now, for sched */
	CLASSIFY_IS_PENDING = 1 << 14,
	CLASSIFY_IS_RUNNING = 1 << 15, /* the recovery policy decides */
	CLASSIFY_IS_COMPLETE = 1 << 16
};

uint32_t classify(const struct findings *found);
