/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server/commit: what was done is brought to disk before the next step.  The items of a pass make one
 * batch, which goes to the sync thread when no earlier one is there: many transitions share a sync.
 * At durability `none` each item goes on at once; nothing else differs.
 *
 * When the storage has failed (an error other than a full disk), nothing is taken for durable any
 * more: the server starts nothing, keeps its results in memory, says so, and trusts only what the next
 * one reads.  wq-spool(7), DURABILITY.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "spool/syncer.h"

struct server;
struct task;

struct commit_item {
	struct reqid id;
	uint32_t ref; /* its task, 0: none */
	bool begins;  /* its start; else it is parked */
	int file;     /* number of its file in the batch, or -1 */
	bool again;   /* there was no room for its file: it is done once more */
};

struct commit_batch {
	struct sync_batch sync;
	struct commit_item *items;
	size_t n, cap;
};

struct commits {
	struct syncer *syncer; /* NULL at durability `none` */
	struct loop_fd *source;
	struct commit_batch batches[2];
	int filling; /* the number of the one that takes items; the other may be with the syncer */
	bool is_flying;
	char error[WQ_ERR_TEXT_SIZE]; /* the storage has failed in this way, "" */
};

/* Set the spool's durability to that of wq.conf and start the thread that it takes. */
int commit_open(struct server *s, struct wq_err *err);
void commit_close(struct server *s);

/* A request was moved to 3: start_begin follows, when that is on disk. */
void commit_start(struct server *s, const struct task *task);

/*
 * What was done for `id` in these directories, and the file `fd` (-1: none; it is closed here), have
 * to be on disk: sched's decision about it is parked until then.  `ref`: the task whose result it is.
 */
void commit_errand(struct server *s, struct reqid id, uint32_t ref, unsigned dirs, int fd);

/* Hand over what there is, when the thread has nothing. */
void commit_flush(struct server *s);

bool commit_is_idle(const struct server *s);

/* Has the storage failed?  Then nothing is to be published or removed: the decision about `id` is
 * parked for good. */
bool commit_refuses(struct server *s, struct reqid id);
