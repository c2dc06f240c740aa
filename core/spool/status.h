/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/status: the bytes of wq.status, one small page written by one pwrite, so that a reader sees
 * the old or the new; its check item tells a torn one.  What stands in it is codec/status's matter.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "spool/spool.h"

enum {
	STATUS_SIZE = 4096
};

/* Server: write the page, at most STATUS_SIZE bytes (-EMSGSIZE); the rest is zeroed.  0 or -errno. */
int status_write(struct spool *sp, const void *bytes, size_t len);

/*
 * Server: is the page where clients look for it?  0: it is; 1: it was removed or replaced and is made
 * anew, or it was cut: write it; else -WQ_E_NOT_A_SPOOL (what stands there is no plain file of ours)
 * or -errno, and the old one is kept.
 */
int status_renew(struct spool *sp, const char *path, struct wq_err *err);

/* Client: the page as it is.  0, -ENOENT (no server ever ran), -WQ_E_FORMAT (not a plain file of
 * the spool's owner), -errno. */
int status_read(const struct spool *sp, struct buf *ret);
