/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/output: from a pipe of a child to a file of bounded size.  What comes after the bound is
 * read, counted and dropped, so the child never notices.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct output {
	int read_fd; /* of the pipe, non-blocking; -1: at its end */
	int file_fd; /* -1: it cannot be written any more, or was never there */
	uint64_t limit, written, kept;
	bool spliced; /* splice(2) works here */
};

/* A pipe, and the file `name` in the directory `dir_fd`, made anew (0600).  The end for the child goes
 * to `ret_write_fd`.  0 or -errno. */
int output_open(struct output *o, int dir_fd, const char *name, uint64_t limit, int *ret_write_fd);

/* Move at most `budget` bytes, so that others get their turn.  1: more may come (and may be there
 * already); 0: that was its end, or there is nobody to write any more.  Never blocks on the pipe.  A
 * file that cannot be written (ENOSPC) is as one that is full: what follows is counted. */
int output_pump(struct output *o, uint64_t budget);

void output_close(struct output *o);
