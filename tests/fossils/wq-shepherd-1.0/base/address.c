/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/address.h"

#include <errno.h>
#include <stdio.h>

int address_make(struct sockaddr_un *ret, int dir_fd, const char *name)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", dir_fd, name);
	return n < 0 || (size_t)n >= sizeof ret->sun_path ? -ENAMETOOLONG : 0;
}
