/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/pidfd: pidfd_open(2) and pidfd_send_signal(2), which older libraries lack.  -errno.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline int pidfd_of(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : (int)fd;
}

static inline int pidfd_signal(int pidfd, int signo)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}
