/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/output.h"

#include "base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	CHUNK = 64 * 1024, /* what a pipe holds */
	OPEN_TRIES = 8     /* against one who puts the name back */
};

/* Whatever stands there, a link too, is replaced and never written to. */
static int make_file(int dir_fd, const char *name)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
		if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return -EEXIST;
}

int output_open(struct output *o, int dir_fd, const char *name, uint64_t limit, int *ret_write_fd)
{
	*o = (struct output){ .read_fd = -1, .file_fd = -1, .limit = limit, .spliced = true };
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	o->read_fd = ends[0];
	/* The child's end stays a blocking one. */
	int rc = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : make_file(dir_fd, name);
	if (rc < 0) {
		output_close(o);
		(void)close(ends[1]);
		return rc;
	}
	o->file_fd = rc;
	*ret_write_fd = ends[1];
	return 0;
}

/* One step: the bytes that have left the pipe, 0 at its end, or -errno. */
static ssize_t splice_some(struct output *o, size_t want)
{
	ssize_t n = splice(o->read_fd, NULL, o->file_fd, NULL, want, SPLICE_F_NONBLOCK);
	if (n < 0)
		return -errno;
	o->kept += (uint64_t)n;
	return n;
}

static ssize_t copy_some(struct output *o, size_t want)
{
	char bytes[CHUNK];
	ssize_t n = read(o->read_fd, bytes, want < sizeof bytes ? want : sizeof bytes);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	uint64_t room = o->file_fd < 0 ? 0 : o->limit - o->kept;
	size_t keep = (uint64_t)n < room ? (size_t)n : (size_t)room;
	size_t done = 0;
	while (done < keep) {
		ssize_t w = write(o->file_fd, bytes + done, keep - done);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			fdio_close(&o->file_fd);
			break;
		}
		done += (size_t)w;
	}
	o->kept += done;
	return n;
}

static ssize_t move_some(struct output *o, uint64_t budget)
{
	size_t want = budget < CHUNK ? (size_t)budget : CHUNK;
	uint64_t room = o->limit - o->kept;
	if (!o->spliced || o->file_fd < 0 || room == 0)
		return copy_some(o, want);
	ssize_t n = splice_some(o, room < want ? (size_t)room : want);
	if (n >= 0 || n == -EAGAIN || n == -EINTR)
		return n;
	/* EINVAL: not with this file system.  Else it is the file that failed: a write will tell. */
	o->spliced = false;
	return -EINTR;
}

int output_pump(struct output *o, uint64_t budget)
{
	while (o->read_fd >= 0 && budget > 0) {
		ssize_t n = move_some(o, budget);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return 1;
		if (n <= 0) {
			fdio_close(&o->read_fd);
			break;
		}
		o->written += (uint64_t)n;
		budget -= (uint64_t)n;
	}
	return o->read_fd >= 0;
}

void output_close(struct output *o)
{
	fdio_close(&o->read_fd);
	fdio_close(&o->file_fd);
}
