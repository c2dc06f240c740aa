/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/stream.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

int stream_write(int fd, const void *bytes, size_t len, stream_held_fn *held, void *arg)
{
	const char *p = bytes;
	for (;;) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EAGAIN) {
			/* A terminal or pipe that another of its users made non-blocking. */
			struct pollfd ready = { .fd = fd, .events = POLLOUT };
			if (poll(&ready, 1, -1) < 0 && errno != EINTR)
				return -errno;
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		}
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
		if (len == 0)
			return 0;
		if (held)
			held(arg);
	}
}
