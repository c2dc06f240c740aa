/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fdio.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int fdio_write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;
	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fdio_read_all(int fd, size_t limit, struct buf *b)
{
	size_t got = 0;
	for (;;) {
		/* One byte over the limit is asked for, so that "more than" is seen. */
		size_t want = limit - got + 1 < 65536 ? limit - got + 1 : 65536;
		if (buf_reserve(b, want) < 0)
			return -ENOMEM;
		ssize_t n = read(fd, b->data + b->len, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		got += (size_t)n;
		if (got > limit)
			return -EFBIG;
		b->len += (size_t)n;
	}
}

ssize_t fdio_pread(int fd, void *bytes, size_t len, off_t offset)
{
	size_t got = 0;
	while (got < len) {
		ssize_t n = pread(fd, (char *)bytes + got, len - got, offset + (off_t)got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

char *fdio_proc_path(int fd, char ret[40])
{
	snprintf(ret, 40, "/proc/self/fd/%d", fd);
	return ret;
}

void fdio_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
