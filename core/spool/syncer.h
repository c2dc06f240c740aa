/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/syncer: a thread that syncs, so that the loop never waits for a device.  One batch at a time
 * is with it; what is to be synced meanwhile makes the next one, so that the slower the device, the
 * more transitions share a sync: group commit, without a timer.
 */
#pragma once

#include "spool/sync.h"

struct syncer;

struct sync_batch {
	unsigned dirs;
	struct sync_file *files;
	size_t n_files;
	int rc; /* the answer, as sync_now says it */
};

/* The spool must outlive it.  0 or -errno. */
int syncer_open(struct syncer **ret, const struct spool *sp);
/* Waits for the batch that it has.  NULL is fine. */
void syncer_close(struct syncer *s);

/* Readable when a batch is done. */
int syncer_fd(const struct syncer *s);

/* Give it a batch, which stays the caller's memory but is not to be touched until syncer_take has
 * given it back.  It must have none. */
void syncer_give(struct syncer *s, struct sync_batch *batch);

/* The batch when it is done, else NULL. */
struct sync_batch *syncer_take(struct syncer *s);
