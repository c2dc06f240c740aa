/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/start: make one child.  clone3(2) with CLONE_VM and CLONE_VFORK on a stack that is kept:
 * its cost does not grow with the memory of the caller, and a failed execve is known when it
 * returns.  Where clone3 is not to be had (old kernels, valgrind), vfork-like by clone(2) without a
 * pidfd.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <wq/plugin.h>

/* All that stands ready when the child begins; argv and env are used as they are. */
struct start_order {
	const struct wq_spawn *what; /* argv, dir, dirs_allowed, limits, umask, nice */
	const char *const *env;      /* the whole environment, WQ_... included */
	const char *dir;             /* where to run, absolute */
	int in_fd, out_fd, err_fd;   /* become 0, 1, 2 */
	int cgroup_fd;               /* -1: none */
};

struct started {
	pid_t pid;
	int pidfd; /* -1: not to be had here */
};

/*
 * 0: it runs (its session is its pid).  Else nothing runs, and `err` says why: err->name is one of
 * those of WQ_CHILD_NOT_STARTED in wq/plugin.h, err->text names the program, the directory or the
 * interpreter.  -errno.  Blocks until execve has been tried.
 *
 * argv[0] without a '/' is looked for in the PATH of `env` (/usr/bin:/bin where there is none), as
 * execvp(3) does; a file without "#!" that is no program is "bad-format", no shell is guessed.
 */
int start_child(const struct start_order *order, struct started *ret, struct wq_err *err);
