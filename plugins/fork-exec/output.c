/* SPDX-License-Identifier: BSD-2-Clause */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void output_open(struct output *ret, const char *work_dir, const char *name)
{
	struct stat st;
	*ret = (struct output){ .fd = -1 };
	int dir = open(work_dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	(void)close(dir);
	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return;
	}
	ret->fd = fd;
	ret->size = (uint64_t)st.st_size;
}

void output_close(struct output *o)
{
	if (o->fd >= 0)
		(void)close(o->fd);
	*o = (struct output){ .fd = -1 };
}

size_t output_read(const struct output *o, uint64_t offset, void *ret, size_t size)
{
	size_t n = 0;
	while (o->fd >= 0 && n < size) {
		ssize_t got = pread(o->fd, (char *)ret + n, size - n, (off_t)(offset + n));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return n;
}
