/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/stream: what a task writes, on its way to where we write.
 */
#pragma once

#include <stddef.h>

enum {
	STREAM_CHUNK = 64 * 1024 /* bytes at a time */
};

/* Write all, also where it does not block: then this waits.  0 or -errno, -EPIPE: nobody reads. */
int stream_write(int fd, const void *bytes, size_t len);
