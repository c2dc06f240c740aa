/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/address: a socket by its directory's descriptor.  unix(7) leaves 108 bytes for a path, so it
 * goes through /proc/self/fd, and the directory's path may be as long as the system allows.
 */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

/* The socket `name` in the directory `dir_fd`.  0, or -ENAMETOOLONG. */
int address_make(struct sockaddr_un *ret, int dir_fd, const char *name);
