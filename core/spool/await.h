/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/await: be told when something happens to requests, at no cost while nothing does.
 *
 * A waiter watches the inode of its own request, so a thousand waiters do not wake each other.
 * Every event only means "look": completion always ends in an attribute change or a deletion of
 * the request's inode after the result can be seen.  One inotify instance a process; where none is
 * to be had (await_fd is -1) the caller looks from time to time instead, 1 ms to 1 s.
 */
#pragma once

#include "spool/spool.h"

enum {
	AWAIT_MAX_SLOTS = 1 << 20
};

struct await;

/* NULL when memory is short. */
struct await *await_new(void);
void await_free(struct await *aw);

/* Readable when await_next may have something (call it until -EAGAIN first); -1: none to be had. */
int await_fd(const struct await *aw);

/*
 * Watch a request where it stands, and look after that: what has happened before is not told.
 * `slot` comes back; slots are small numbers of the caller's choice, below AWAIT_MAX_SLOTS, and one
 * that is watched already is dropped first.
 *   -ENOENT                  not in 1, 2 or 3: complete, or gone
 *   -ENOSPC, -EMFILE, -errno no watch is to be had: look from time to time
 */
int await_add(struct await *aw, const struct spool *sp, struct reqid id, unsigned slot);
void await_drop(struct await *aw, unsigned slot);

/*
 * For who watches by an inotify instance of his own: the request where it stands, O_PATH, and what to
 * watch it for.  -ENOENT, -errno.
 */
int await_open(const struct spool *sp, struct reqid id, uint32_t *ret_mask);

/* The next slot that something happened to; -EAGAIN: none now.  After an overflow: -EOVERFLOW
 * once, look at all.  Never blocks. */
int await_next(struct await *aw, unsigned *ret_slot);
