/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/cgroup: one cgroup v2 directory a child, below one of the shepherd's own, where the
 * system lets us (cgroups(7), Documentation/admin-guide/cgroup-v2.rst).  No controller is needed:
 * cgroup.procs, cgroup.kill and cgroup.events are always there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Find the cgroup2 mount (/proc/self/mountinfo; it need not be at /sys/fs/cgroup) and this
 * process's place in it (/proc/self/cgroup), make `name` below that, try with a child of our own
 * that a process can be put there, and open it: a descriptor, or -errno where it cannot be done.
 * One that is there already, of an earlier shepherd, is opened.
 */
int cgroup_open_base(const char *name);

/* Make the directory of a child and open it.  `processes` above 0 goes to pids.max where that file
 * is; *ret_limited says whether it is.  A descriptor or -errno; -EEXIST: what is left of an earlier
 * one, open it by cgroup_open_child. */
int cgroup_make_child(int base_fd, const char *name, uint64_t processes, bool *ret_limited);
int cgroup_open_child(int base_fd, const char *name); /* -ENOENT */

/* Is anything alive in it or below?  `fd` is its directory, or what cgroup_watch gave.  1, 0 (also
 * when it has been removed) or -errno. */
int cgroup_is_populated(int fd);

/* A descriptor that is ready for EPOLLPRI when that has changed (cgroup.events), until it is handed to
 * cgroup_is_populated.  -errno. */
int cgroup_watch(int fd);

int cgroup_kill(int fd); /* SIGKILL to all, cgroup.kill; -ENOENT before Linux 5.14 */

/* SIGNAL to each process in it and below, through a pidfd whose process is still in it.  The count
 * signalled, or -errno. */
int cgroup_signal(int fd, int signo);

/* rmdir, what is below it too.  0, -EBUSY (something is in it), -errno; -ENOENT is 0. */
int cgroup_remove(int base_fd, const char *name);
