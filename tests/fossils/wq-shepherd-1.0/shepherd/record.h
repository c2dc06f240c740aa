/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/record: one small file a child in .wq/run, so that a shepherd that was killed is
 * survived by what it knew: written before the child is made, removed when its end is acknowledged.
 * Names are those of children; "boot" holds the boot id (/proc/sys/kernel/random/boot_id).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shepherd/frame.h"

struct record {
	char name[FRAME_NAME_MAX + 1];
	char tag[FRAME_NAME_MAX + 1];
	char boot[40];        /* boot id of the machine when it was made */
	pid_t pid;            /* 0: it had not begun, as far as the record knows */
	uint64_t start_ticks; /* see shepherd/tree.h */
	int64_t began_us;
};

/* Before the child is made: with pid 0.  0 or -errno. */
int record_make(int run_fd, const struct record *r);
/* Once it runs. */
int record_update(int run_fd, const struct record *r);
int record_remove(int run_fd, const char *name); /* -ENOENT is 0 */

/* Call `fn` for each; files that are no whole record are handed over with what their name says and
 * pid 0, boot "".  0, -errno, or what `fn` answered where that is not 0. */
int record_each(int run_fd, int (*fn)(void *arg, const struct record *r), void *arg);

/* Is there any in `own_fd`, which is .wq?  Children of an earlier server may run then. */
bool record_any(int own_fd);

/* The boot id of now to `ret`, and whether "boot" holds the same (false where there is none).  0 or
 * -errno. */
int record_boot(int run_fd, char ret[40], bool *ret_same);
/* Write "boot": from now on no record means that nothing was begun.  0 or -errno. */
int record_mark_boot(int run_fd, const char *boot);
