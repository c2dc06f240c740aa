/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/work: one directory a task in work/, "<id>.<attempt>", mode 0700: its output, and whatever
 * it makes there.  It stays as long as the result is to be seen, in 4-complete or in finished/.
 *
 * It is the only place of a spool where anything is removed with all that is in it.  The walk goes
 * by descriptor, follows no link, leaves the file system of the spool never, and is bounded in
 * depth.
 */
#pragma once

#include "base/buf.h"
#include "spool/spool.h"

enum {
	WORK_NAME_SIZE = REQID_SIZE + 12,
	WORK_HANDLE_MAX = 4096 /* bytes; <wq/plugin.h> promises as much */
};

char *work_name(struct reqid id, uint32_t attempt, char ret[WORK_NAME_SIZE]);

/* Read such a name, exactly as work_name writes it.  False, and nothing written, for any other. */
bool work_parse(const char *name, struct reqid *ret_id, uint32_t *ret_attempt);

/* Make it; one that is there already is emptied first.  0 or -errno. */
int work_make(struct spool *sp, struct reqid id, uint32_t attempt);

/* Is it there?  1, 0 or -errno. */
int work_exists(const struct spool *sp, struct reqid id, uint32_t attempt);

/*
 * Remove it and all in it.  0 (also where there is none), or the first -errno for what could not be
 * removed; the rest has gone all the same.  -EBUSY: something is mounted in it; -EXDEV: another
 * file system; -ENAMETOOLONG: nested deeper than 64; -ENOTEMPTY: somebody still writes there.
 */
int work_remove(struct spool *sp, struct reqid id, uint32_t attempt);

/* Remove the directories of all attempts of an id. */
int work_remove_all(struct spool *sp, struct reqid id);

/* How many bytes it takes, as du(1) counts, itself and all in it; 0 where it is not there.  What
 * cannot be looked into, is of another file system or beyond some ten thousand names does not
 * count. */
uint64_t work_measure(const struct spool *sp, struct reqid id, uint32_t attempt);

/* Save and read the handle of a task: a file in .wq/handles of the same name.  0 or -errno; reading
 * one that is not there is -ENOENT; more than WORK_HANDLE_MAX is -EFBIG.  To drop none is no
 * failure. */
int work_put_handle(
	struct spool *sp, struct reqid id, uint32_t attempt, const void *bytes, size_t len);
int work_get_handle(struct spool *sp, struct reqid id, uint32_t attempt, struct buf *ret);
int work_drop_handle(struct spool *sp, struct reqid id, uint32_t attempt);
