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

/* A listing in parts: begin it, take some until there is no more, end it. */
struct scan {
	int fd;
	char *buffer;
};
int scan_begin(struct scan *s, const struct spool_io *io, int dir_fd);
/* 1: there may be more; 0: that was all; what `fn` answered, or -errno.  [blocks: one getdents(2)] */
int scan_some(struct scan *s, const struct spool_io *io, scan_fn *fn, void *arg);
void scan_end(struct scan *s, const struct spool_io *io);

/* List one directory, in no order.  0, what `fn` answered, or -errno. */
int scan_state(const struct spool *sp, enum spool_state state, scan_fn *fn, void *arg);
int scan_io(const struct spool_io *io, int dir_fd, scan_fn *fn, void *arg);
