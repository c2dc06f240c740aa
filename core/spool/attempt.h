/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/attempt: which attempt at a request is the one that may begin, where it is not the first.
 *
 * An empty file in .wq/attempts, "<id>.<attempt>", made before that attempt can begin and gone when
 * the request is over.  So no task name is ever used twice, whatever crashes in between.  There is
 * nothing in it that a power cut could tear.
 */
#pragma once

#include <stdbool.h>

#include "spool/spool.h"

/* The next attempt at `id` is `attempt`, 2 or more: makes its file in the place of the one of the
 * attempt before.  0 or -errno; may be repeated. */
int attempt_put(struct spool *sp, struct reqid id, uint32_t attempt);

/* The request is over, or `attempt` is: its file goes.  0 also where there is none, or -errno. */
int attempt_drop(struct spool *sp, struct reqid id, uint32_t attempt);

/*
 * Nothing that is said of this attempt from now on proves that it never began: what would have said so
 * may be lost, and by whom it was lost will not be seen any more.  A file "<id>.<attempt>.doubted",
 * which goes with that of the attempt.  0 or -errno.
 */
int attempt_doubt(struct spool *sp, struct reqid id, uint32_t attempt);

/* Call `fn` for each file, in no order.  A non-zero answer ends it and is returned.  Else 0, -errno. */
typedef int attempt_fn(void *arg, struct reqid id, uint32_t attempt, bool doubted);
int attempt_each(const struct spool *sp, attempt_fn *fn, void *arg);
