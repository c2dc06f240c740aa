/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/move: the server's renames and unlinks, one function a transition.  The rename is the
 * commit point; nothing is replaced.  Start-up and run time use the same functions.
 *
 * All answer 0 or -errno.  -ENOENT and -EEXIST are news (another party was first), not faults, and
 * each is documented where it can happen.  [loop]
 */
#pragma once

#include "spool/spool.h"

/* 1 -> 2.  ENOENT: withdrawn; EEXIST: a collision with an id in 2, 3 or 4; EACCES: a directory of
 * another user, which a rename cannot take. */
int move_accept(struct spool *sp, struct reqid id);

int move_start(struct spool *sp, struct reqid id);    /* 2 -> 3 */
int move_put_back(struct spool *sp, struct reqid id); /* 3 -> 2 */

/* 4 -> 3: a result that cannot be read, so that complete_publish can replace it. */
int move_take_back(struct spool *sp, struct reqid id);

/*
 * Unlink a subject of an abort from the state where it stands, and from 3 also what .wq/tmp keeps
 * of it.  That has to be synced before its marker goes.  ENOENT: gone already.  What cannot be unlinked, a directory, is set aside into
 * quarantine.
 */
int move_remove(struct spool *sp, struct reqid id, enum spool_state from);

/* The same in 1, 2, 3 and 4, wherever it stands.  0 also when it stands nowhere. */
int move_remove_all(struct spool *sp, struct reqid id);

/* Unlink an abort marker.  A marker that is not a plain file is set aside into quarantine. */
int move_unmark(struct spool *sp, struct reqid id);

/* In which state does it stand?  Requests move while we look, so SPOOL_STATE_MAX, nowhere, is said
 * only after some looks.  -errno where the system failed and it was not found elsewhere. */
int move_find(const struct spool *sp, struct reqid id);
