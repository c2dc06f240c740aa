/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/stream: what a task writes, on its way to where we write.
 */
#pragma once

#include <stddef.h>

enum {
	STREAM_CHUNK = 64 * 1024 /* bytes at a time */
};

/* The writing was held up, perhaps by a signal, and now goes on. */
typedef void stream_held_fn(void *arg);

/*
 * Write all, also where it does not block: then this waits.  `held` (NULL: none) is called before
 * each further try, so that no reader who is slow keeps a signal from being heard.  0 or -errno,
 * -EPIPE: nobody reads.
 */
int stream_write(int fd, const void *bytes, size_t len, stream_held_fn *held, void *arg);
