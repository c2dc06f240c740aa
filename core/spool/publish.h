/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/publish: the client's side of putting something into the spool.  A name that can be seen is
 * always a complete file; nothing is ever replaced; a failure leaves nothing behind.
 */
#pragma once

#include <stddef.h>

#include "spool/spool.h"

/*
 * Publish a request of `len` bytes.  The id is made as late as possible, after the bytes are
 * written: time is max(now, hwm_us + 1, last_us + 1), and a collision draws again.
 *
 * At durability strict it is on disk when this returns, under whatever name it has by then.
 *
 * 0 or -errno; err->name "not-durable": it is published, but may not be on disk.
 * [any-thread, one spool each] [blocks: a few file operations, and at strict two syncs]
 */
int publish_request(
	struct spool *sp, const void *bytes, size_t len, struct reqid *ret, struct wq_err *err);

/* Ask that `id` be aborted; at durability strict that is on disk when this returns.  0 also when
 * somebody has asked already; else -errno. */
int publish_abort(struct spool *sp, struct reqid id, struct wq_err *err);
