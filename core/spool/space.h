/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/space: how much is left on the spool's file system, and the two means against too little.
 *
 * The ballast, .wq/ballast, takes space that the server can give up when a write of its own finds
 * none, so that results can be written all the same.  The gate is the write bit of 1-requested:
 * without it nobody can publish there, not even with a file that was opened before.  Nor could the
 * server take anything out of it, unless it is root: so each of its steps in 1 lifts the gate for
 * that instant.
 */
#pragma once

#include <stdint.h>

#include "spool/spool.h"

enum {
	SPACE_BALLAST = 1 << 20 /* bytes */
};

struct space_left {
	uint64_t bytes, free_bytes;   /* free to others than root */
	uint64_t inodes, free_inodes; /* 0 and 0 where the file system does not count them */
};

/* [blocks: one statvfs(2)] */
int space_look(const struct spool *sp, struct space_left *ret);

/* Is this what a full file system, or a quota that is used up, answers? */
bool space_is_short(int rc);

/* Make the ballast, where it is not there already as a whole.  0 or -errno, and then there is
 * none. */
int space_make_ballast(struct spool *sp);
/* 0; -ENOENT: it was not there. */
int space_drop_ballast(struct spool *sp);

/* Each 0 or -errno, and may be repeated.  Open it also where it was closed by a server that was
 * killed: 1 then. */
int space_close_gate(struct spool *sp);
int space_open_gate(struct spool *sp);

/* Around a step that takes a name out of this directory; does something only where that is 1 and the
 * gate is closed. */
void space_lift_gate(struct spool *sp, int dir_fd);
void space_lower_gate(struct spool *sp, int dir_fd);
