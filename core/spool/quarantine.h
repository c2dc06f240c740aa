/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/quarantine: .wq/quarantine, where what cannot be used is kept for a person to see: its
 * bytes untouched, and <name>.why beside it.  Bounded: the oldest goes first.
 */
#pragma once

#include <stddef.h>

#include "spool/spool.h"

enum {
	QUARANTINE_MAX_FILES = 1000
};

/*
 * Move a name from a state directory, or from `dir_fd`, into quarantine.  `name` may be any one
 * component; where quarantine has that name already, or it is very long, a changed one is chosen.
 * `why` is CBOR for people and tools, or NULL.  A waiter that watches the file is woken.
 * 0; -errno with the file where it was (-ENOENT: gone already; -ENOSPC: quarantine is full of what
 * may not be removed).  That the reason cannot be written is no failure.
 */
int quarantine_put(struct spool *sp, int dir_fd, const char *name, const void *why, size_t why_len);
