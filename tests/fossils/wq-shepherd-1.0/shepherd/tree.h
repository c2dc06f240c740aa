/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/tree: the processes of a child, found through /proc: best effort, for machines where
 * no cgroup may be made.
 *
 * A process belongs to a child when it bears its tag in the environment with which it was started
 * (WQ_TASK=...), is in the session that the child was given, or descends from one that does.  Who
 * cleans its environment, makes a session of its own and outlives its parent is not found.  Zombies
 * do not count.
 *
 * Nothing is signalled but through a pidfd whose process has been looked at again after the pidfd
 * was opened (pidfd_open(2)): a recycled pid is never signalled.  Where pidfd_open is not to be had,
 * only children of this process itself are signalled, by pid: nobody else can reap them, so their
 * pids cannot be recycled; as the shepherd is a subreaper (prctl(2)) all others become its children
 * when their parents end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tree_mark {
	/* WQ_TASK; a process whose tag is this, or this and "." and more, belongs.  "": tags say
	 * nothing, as where other children share it. */
	const char *tag;
	pid_t session; /* 0: none */
	pid_t pid;     /* of the child itself; 0: gone */
	uint64_t
		start_ticks; /* of `pid` (field 22 of /proc/PID/stat); 0: not known, then we are its
			       * parent and it has not been reaped */
};

/* What is asked of one, and the answer. */
struct tree_look {
	struct tree_mark mark;
	int signo; /* sent to each; 0: none */
	int then;  /* sent after it: SIGCONT, so that one that is stopped sees the first; 0: none */
	/*
	 * How many belong to it.  While a process is in execve(2) its environment cannot be read, for
	 * milliseconds at most: where none is found, those that may belong are counted instead.
	 */
	uint32_t n;
	uint32_t n_signalled; /* without those that have just ended */
};

/* One walk through all processes, whatever the number of looks.  0, or -errno where /proc cannot be
 * read: then nothing is answered, nor signalled. */
int tree_look(struct tree_look *looks, size_t n);

/*
 * Kill all of them, also what forks faster than it is killed: stop all first (SIGSTOP), until no new
 * one is found or `rounds` are over, then SIGKILL.  How many are left, not zombies; call it again
 * until it answers 0.
 */
int tree_kill(const struct tree_mark *marks, size_t n, int rounds);

/* Which children has this process that `is_known` does not know: what tasks have left behind.  Calls
 * `fn` with the pid and the tag ("" where it has none to be read).  Zombies do not count.  The count,
 * or -errno. */
int tree_strays(bool (*is_known)(void *arg, pid_t pid),
	void (*fn)(void *arg, pid_t pid, const char *tag), void *arg);

/* Field 22 of /proc/PID/stat: with the boot id it names a process for ever.  0: no such process. */
uint64_t tree_start_ticks(pid_t pid);
