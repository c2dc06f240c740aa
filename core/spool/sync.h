/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/sync: bring what was done to disk.
 *
 * A sync of a file need not cover its name (fsync(2)), so directories are synced by themselves.  A
 * file whose sync has failed must never be synced again and believed: the kernel has marked its
 * pages clean (https://wiki.postgresql.org/wiki/Fsync_Errors); it is written anew.
 */
#pragma once

#include <stddef.h>

#include "spool/spool.h"

/* Directories are a mask of 1 << enum spool_state; and .wq/tmp. */
enum {
	SYNC_TMP = 1 << SPOOL_STATE_MAX,
	SYNC_ALL = (SYNC_TMP << 1) - 1,
	SYNC_STARTED = 1 << SPOOL_REQUESTED | 1 << SPOOL_PENDING | 1 << SPOOL_RUNNING,
	SYNC_SUBJECTS = SYNC_STARTED | 1 << SPOOL_COMPLETE
};

struct sync_file {
	int fd;
	int rc; /* what became of it: 0 or -errno */
};

/*
 * Has the file system of `fd` to be synced as a whole?  btrfs has: fsync(2) there writes names into
 * a log, each for itself, and a power cut was seen to leave half an exchange of that log, and names
 * that had been renamed away and whose directory had been synced since.  syncfs(2) leaves nothing in
 * the log.
 */
bool sync_must_be_whole(int fd);

/*
 * What has to be synced so that the names in `all` do not come back as they were, when the last
 * change was one in `changed`.  Where a journal keeps names in order, to sync the directory that
 * was changed last brings all earlier changes of others with it; elsewhere (btrfs) each directory
 * comes back for itself.  tests/model, START_SYNCS_3 and ABORT_SYNCS_ONE.
 */
unsigned sync_dirs(const struct spool *sp, unsigned changed, unsigned all);

/*
 * Sync these files, then these directories; at durability `none` nothing.  0, or the first -errno of
 * a directory; each file's own is in its rc.  At `sync_whole` one syncfs(2) stands for all, and
 * its failure is everybody's.
 * [any-thread] [blocks: until the device has it]
 */
int sync_now(const struct spool *sp, unsigned dirs, struct sync_file *files, size_t n_files);
