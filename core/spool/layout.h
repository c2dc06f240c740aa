/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/layout: how a spool comes to be.  `.wq` is made first and its marker last, so a root with
 * `.wq` and no marker is one whose making was cut short; any other root without a marker is
 * somebody else's and is left alone.
 */
#pragma once

#include "spool/spool.h"

enum {
	LAYOUT_VERSION = 1
};

extern const char layout_marker_name[];    /* "spool", in .wq */
extern const char layout_status_name[];    /* "wq.status" */
extern const char layout_named_tmp_name[]; /* "wq.named-tmp": O_TMPFILE is not safe here */

/*
 * Look at an open root and say whether a spool is or may be here: 0, or -WQ_E_NOT_A_SPOOL,
 * -WQ_E_UNSUPPORTED, -errno.  Changes nothing.
 */
int layout_look(const struct spool *sp, const char *path, struct wq_err *err);

/*
 * Read the marker `name` below `dir_fd`.  1: it is there and its format is ours, `uuid` is set;
 * 0: there is none; else an error.
 */
int layout_read_marker(const struct spool *sp, int dir_fd, const char *name, const char *path,
	char uuid[37], struct wq_err *err);

/* Make what is absent below the root and open all of it, the lock first.  Errors as in
 * spool_open_server; the caller closes. */
int layout_make(struct spool *sp, const char *path, struct wq_err *err);

/* Open wq.status for reading and writing, made when absent.  On failure too `ret` may be open. */
int layout_open_status(const struct spool *sp, const char *path, int *ret, struct wq_err *err);

/* Write the marker, where there is none: the spool is made. */
int layout_mark(struct spool *sp, const char *path, struct wq_err *err);

/* Write a small file of ours in tmp and rename it to `name` in .wq.  `flags` are renameat2's. */
int layout_put_own(struct spool *sp, const char *name, const char *text, unsigned flags);

/* The same for what no power cut is to take, once this has returned 0. */
int layout_save_own(struct spool *sp, const char *name, const char *text, unsigned flags);
