/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/complete: publish a result so that nobody sees half of one, and none is seen that a crash
 * could take back (from durability `batch` on).
 *
 *	write     the result in .wq/tmp
 *	exchange  it with the request in 3; where the file system cannot, rename over it
 *	commit    3
 *	publish   3 -> 4: visible
 *	retire    unlink the request, which wakes its waiter; or keep it in quarantine
 */
#pragma once

#include <stddef.h>

#include "spool/spool.h"

/*
 * All five steps for a request in 3.  `reason` NULL: the request is unlinked; else it goes to
 * quarantine with that text (CBOR, see docs) beside it.  The result belongs to the owner of the
 * request file.  What stands in 3 may be of any type.
 *
 * 0.  -EEXIST: 4 holds that id already; the new result went to quarantine and 3 is empty.
 * Else -errno: nothing is lost and nothing to be seen, the id is still in 3; call again with the
 * same arguments.  (-ENOENT: nothing stands in 3.)
 */
int complete_publish(struct spool *sp, struct reqid id, const void *result, size_t len,
	const void *reason, size_t reason_len, struct wq_err *err);

/* The later steps alone, for recovery: what stands in 3 is the result already.  A request that tmp
 * still holds is unlinked.  Errors as above. */
int complete_resume(struct spool *sp, struct reqid id, struct wq_err *err);

/* For recovery: tmp and 3 change places; or unlink what stands in tmp.  0 or -errno. */
int complete_exchange(struct spool *sp, struct reqid id);
int complete_drop_tmp(struct spool *sp, struct reqid id);
