/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/examine: look closely at one id after a crash, so that classify can say what to do.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "spool/census.h"
#include "spool/classify.h"

/* No request and no result is larger than this, whatever today's limits are. */
enum {
	EXAMINE_MAX_BYTES = 17 * 1024 * 1024
};

/* Is this a whole request, a whole result, or neither?  The codec's matter. */
typedef enum finding examine_fn(const void *bytes, size_t len);

/* Append a file's bytes, however large.  -EMEDIUMTYPE: it can be no file of ours; else -errno. */
int examine_read(const struct spool *sp, int dir_fd, const char *name, struct buf *ret);

/*
 * What stands under `id` in these places of a census.  Files in 3 and tmp are read; one in 4 only
 * when something else has that id too, because nothing is shown there before it is whole.
 * 0, or -errno when the system failed: that says nothing of the file.
 */
int examine(const struct spool *sp, struct reqid id, unsigned places, examine_fn *kind,
	struct findings *ret);
