/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/stream.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

int stream_write(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;
	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EAGAIN) {
			/* A terminal or pipe that another of its users made non-blocking. */
			struct pollfd ready = { .fd = fd, .events = POLLOUT };
			if (poll(&ready, 1, -1) < 0 && errno != EINTR)
				return -errno;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
