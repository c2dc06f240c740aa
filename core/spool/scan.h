/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/scan: list a state directory, names only; nothing is opened and nothing stat'ed, so a
 * million names take well under a second.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "spool/spool.h"

/* What is called for each name: an id, or `name` that is none (ids have name NULL).  A name that
 * begins with a dot belongs to somebody who is at work and is never junk.  A negative answer ends
 * the listing and becomes its result. */
typedef int scan_fn(void *arg, struct reqid id, const char *name);

/* List one directory, in no order.  0, what `fn` answered, or -errno. */
int scan_state(const struct spool *sp, enum spool_state state, scan_fn *fn, void *arg);
int scan_io(const struct spool_io *io, int dir_fd, scan_fn *fn, void *arg);
