/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/read: read a file that somebody else wrote, safely: O_NOFOLLOW, O_NONBLOCK, a regular file
 * of a sane owner and mode and of bounded size, one bounded read into memory, never mmap.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "spool/spool.h"

/*
 * Append the file's bytes to `ret`; `limit` bounds the size, `head` (0: all) how much is read.
 * The owner's uid goes to `ret_uid` where not NULL.  On failure both are as they were.
 *   -ENOENT                     not there
 *   -EAGAIN   "leased"          somebody holds a lease; try later
 *   -WQ_E_FORMAT "not-regular" "empty" "bad-owner" "linked" "bad-mode" "unreadable" "changed"
 *   -WQ_E_LIMIT  "too-big"
 *   -errno                      the system failed, not the file
 * The words in err->name are stable, a client gets them (docs/wq-spool.7).
 */
int read_request(struct spool *sp, enum spool_state state, struct reqid id, size_t limit,
	size_t head, struct buf *ret, uid_t *ret_uid, struct wq_err *err);

/* A client reads a result in 4, which must be the server's, or the caller's own as root's server
 * makes it.  -ENOENT: not yet, or gone; -EACCES: another's; else as above. */
int read_result(
	struct spool *sp, struct reqid id, size_t limit, struct buf *ret, struct wq_err *err);

/* A client takes a result away: unlink in 4.  0, -ENOENT, -errno. */
int read_collect(struct spool *sp, struct reqid id);
