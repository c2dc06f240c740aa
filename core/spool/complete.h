/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/complete: publish a result so that nobody sees half of one, and none is seen that a crash
 * could take back (from durability `batch` on).
 *
 *	write     the result in .wq/tmp
 *	exchange  it with the request in 3; where the file system cannot, rename over it
 *	commit    the result and 3: sync_now, which is the caller's
 *	publish   3 -> 4: visible
 *	retire    unlink the request, which wakes its waiter; or keep it in quarantine
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "spool/spool.h"

/* What is behind the id of a request in tmp while its result takes its place, on a file system without
 * exchange. */
extern const char complete_aside[];

/*
 * Write and exchange: 3 then holds the result and tmp the request; what stood in 3 may be of any
 * type.  The result belongs to the owner of the request file.  `fresh`: an earlier one could not be
 * brought to disk; what is left of it goes, and these bytes get a file of their own.
 *
 * 0, and from durability `batch` on in `ret_fd` the descriptor of the result, the caller's to sync
 * and to close; -1 where there is nothing to sync.  COMPLETE_BESIDE: the same, but what stands in 3
 * could not be exchanged (a directory, or a file that may not be linked, on a file system without
 * exchange), so the result is in tmp still.  -errno (-ENOENT: nothing stands in 3): nothing is
 * lost and nothing to be seen; call again with the same arguments.
 */
enum {
	COMPLETE_BESIDE = 1,
	COMPLETE_LEFT /* of complete_show */
};
int complete_write(struct spool *sp, struct reqid id, const void *result, size_t len, bool fresh,
	int *ret_fd, struct wq_err *err);

/*
 * Publish and retire, when what complete_write and sync_now did is on disk.  `reason` NULL: the
 * request is unlinked; else it goes to quarantine with that text (CBOR, see docs) beside it.
 * `beside` as complete_write said; then the id stands in 3 and 4 for an instant, and recovery takes the
 * later one.
 *
 * 0.  COMPLETE_LEFT: the result can be seen, but the request stands still where it stood: nobody was
 * woken, and complete_retire is to be called.  -EEXIST: 4 holds that id already; the result went to quarantine and 3 is empty.  Else -errno:
 * the id is still in 3, call again.  (-ENOENT: nothing stands in 3.)
 */
int complete_show(struct spool *sp, struct reqid id, bool beside, const void *reason,
	size_t reason_len, struct wq_err *err);

/*
 * Retire alone.  `last`: a refused request that cannot come to quarantine is unlinked.  0 or -errno: call
 * again, or leave it to recovery.
 */
int complete_retire(struct spool *sp, struct reqid id, bool beside, const void *reason,
	size_t reason_len, bool last);

/* For recovery: a descriptor of what stands in 3, to be synced; the caller's to close.  -errno. */
int complete_open(const struct spool *sp, struct reqid id);

/* For recovery: tmp and 3 change places; or unlink what stands in tmp.  0 or -errno. */
int complete_exchange(struct spool *sp, struct reqid id);
int complete_drop_tmp(struct spool *sp, struct reqid id);
