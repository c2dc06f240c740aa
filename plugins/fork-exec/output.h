/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output: what a child has written, read back from the files of its work directory.
 *
 * The task could do there what it liked: a file may be missing, shorter than it was, a link, a
 * FIFO.  Only regular files are read, no link is followed, and nothing blocks.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct wq_err;

struct output {
	int fd;        /* -1: there is none that could be read */
	uint64_t size; /* of the file */
};

void output_open(struct output *ret, const char *work_dir, const char *name);
void output_close(struct output *o);

/* At most `size` bytes from `offset` on.  How many there were: less at the end of the file, or where
 * it cannot be read. */
size_t output_read(const struct output *o, uint64_t offset, void *ret, size_t size);
