/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/fdio: read and write whole things.  The one place where EINTR and short transfers are
 * handled.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* Write all.  0 or -errno; on failure an unknown part has been written. */
int fdio_write_all(int fd, const void *bytes, size_t len);

/*
 * Append what `fd` holds from its current place to `b`, at most `limit` bytes.
 * 0, -errno, or -EFBIG when there is more than `limit`.
 */
int fdio_read_all(int fd, size_t limit, struct buf *b);

/* Read up to `len` bytes at `offset`.  The count (short only at end of file) or -errno. */
ssize_t fdio_pread(int fd, void *bytes, size_t len, off_t offset);

/* The path of an open file, for calls that want one: "/proc/self/fd/<fd>".  Returns `ret`. */
char *fdio_proc_path(int fd, char ret[40]);

/* Close and set to -1; -1 is fine. */
void fdio_close(int *fd);
#define auto_close __attribute__((cleanup(fdio_close)))
