/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logdisk IMAGE LOG DIR: a disk that keeps a diary.
 *
 * Mounts on DIR a file system of two files.  DIR/disk holds the bytes of IMAGE, in memory; a loop
 * device on it is a disk.  Each write to it and each flush (fsync) is appended to LOG when it comes,
 * and so is each write to DIR/mark, which is how a test notes what has happened by then.  One thread
 * serves all, so the order of LOG is the order of events.
 *
 * It speaks the kernel's FUSE protocol itself, no library is needed.  Prints "ready" when DIR is
 * mounted and ends when it is unmounted; if it is killed all I/O of the disk fails at once.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	PAGES = 256, /* of one write */
	MAX_WRITE = PAGES * 4096,
	REQUEST_MAX = MAX_WRITE + 4096,
	FOREVER_S = 86400
};

enum node {
	ROOT = FUSE_ROOT_ID,
	DISK,
	MARK
};

/* An entry of LOG, followed by `len` bytes. */
struct entry {
	uint32_t type; /* enum entry_type */
	uint32_t len;
	uint64_t offset;
};

enum entry_type {
	ENTRY_WRITE = 1,
	ENTRY_FLUSH,
	ENTRY_MARK
};

struct logdisk {
	char *bytes;
	uint64_t size;
	int log_fd;
	int fuse_fd;
};

/* What cannot be logged did not happen: a log with a gap would accuse the innocent. */
static void note(
	const struct logdisk *d, uint32_t type, uint64_t offset, const void *bytes, uint32_t len)
{
	struct entry entry = { .type = type, .len = len, .offset = offset };
	struct iovec parts[] = {
		{ .iov_base = &entry, .iov_len = sizeof entry },
		{ .iov_base = (void *)(uintptr_t)bytes, .iov_len = len },
	};
	if (writev(d->log_fd, parts, 2) != (ssize_t)(sizeof entry + len))
		err(1, "cannot write the log");
}

static void reply(const struct logdisk *d, uint64_t unique, int error, const void *body, size_t len)
{
	struct fuse_out_header head = {
		.len = (uint32_t)(sizeof head + len),
		.error = error,
		.unique = unique,
	};
	struct iovec parts[] = {
		{ .iov_base = &head, .iov_len = sizeof head },
		{ .iov_base = (void *)(uintptr_t)body, .iov_len = len },
	};
	/* ENOENT: it was interrupted, nobody waits for this any more. */
	if (writev(d->fuse_fd, parts, 2) < 0 && errno != ENOENT)
		err(1, "cannot answer the kernel");
}

static struct fuse_attr attributes(const struct logdisk *d, uint64_t node)
{
	struct fuse_attr attr = {
		.ino = node,
		.nlink = 1,
		.blksize = 4096,
		.mode = node == ROOT ? S_IFDIR | 0755 : S_IFREG | 0600,
		.size = node == DISK ? d->size : 0,
	};
	return attr;
}

static void answer_init(const struct logdisk *d, uint64_t unique, const struct fuse_init_in *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.flags = in->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_ASYNC_READ),
		.max_write = MAX_WRITE,
		.max_pages = PAGES,
		.time_gran = 1,
	};
	reply(d, unique, 0, &out, sizeof out);
}

static void answer_lookup(const struct logdisk *d, uint64_t unique, const char *name)
{
	enum node node = strcmp(name, "disk") == 0 ? DISK : strcmp(name, "mark") == 0 ? MARK : 0;
	struct fuse_entry_out out = {
		.nodeid = node,
		.entry_valid = FOREVER_S,
		.attr_valid = FOREVER_S,
		.attr = attributes(d, node),
	};
	reply(d, unique, node ? 0 : -ENOENT, &out, node ? sizeof out : 0);
}

static void answer_attributes(const struct logdisk *d, const struct fuse_in_header *head)
{
	struct fuse_attr_out out = {
		.attr_valid = FOREVER_S,
		.attr = attributes(d, head->nodeid),
	};
	reply(d, head->unique, 0, &out, sizeof out);
}

static void answer_open(const struct logdisk *d, const struct fuse_in_header *head)
{
	struct fuse_open_out out = {
		.open_flags = head->nodeid == MARK ? FOPEN_DIRECT_IO : FOPEN_KEEP_CACHE,
	};
	reply(d, head->unique, 0, &out, sizeof out);
}

static void answer_read(
	const struct logdisk *d, const struct fuse_in_header *head, const struct fuse_read_in *in)
{
	uint64_t size = head->nodeid == DISK ? d->size : 0;
	uint64_t left = in->offset < size ? size - in->offset : 0;
	reply(d, head->unique, 0, d->bytes + (left ? in->offset : 0),
		in->size < left ? in->size : (size_t)left);
}

static void answer_write(
	const struct logdisk *d, const struct fuse_in_header *head, const struct fuse_write_in *in)
{
	const char *bytes = (const char *)(in + 1);
	struct fuse_write_out out = { .size = in->size };
	bool disk = head->nodeid == DISK;
	if (disk && (in->offset > d->size || in->size > d->size - in->offset)) {
		reply(d, head->unique, -ENOSPC, NULL, 0);
		return;
	}
	note(d, disk ? ENTRY_WRITE : ENTRY_MARK, in->offset, bytes, in->size);
	if (disk)
		memcpy(d->bytes + in->offset, bytes, in->size);
	reply(d, head->unique, 0, &out, sizeof out);
}

static void answer_fsync(const struct logdisk *d, const struct fuse_in_header *head)
{
	if (head->nodeid == DISK)
		note(d, ENTRY_FLUSH, 0, NULL, 0);
	reply(d, head->unique, 0, NULL, 0);
}

static void answer(const struct logdisk *d, const struct fuse_in_header *head, const void *in)
{
	switch (head->opcode) {
	case FUSE_INIT:
		answer_init(d, head->unique, in);
		break;
	case FUSE_LOOKUP:
		answer_lookup(d, head->unique, in);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR: /* of times, which nobody reads */
		answer_attributes(d, head);
		break;
	case FUSE_OPEN:
		answer_open(d, head);
		break;
	case FUSE_READ:
		answer_read(d, head, in);
		break;
	case FUSE_WRITE:
		answer_write(d, head, in);
		break;
	case FUSE_FSYNC:
		answer_fsync(d, head);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		reply(d, head->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT: /* these three have no answer */
		break;
	default:
		reply(d, head->unique, -ENOSYS, NULL, 0);
	}
}

static void serve(const struct logdisk *d)
{
	static char request[REQUEST_MAX] __attribute__((aligned(8)));
	for (;;) {
		ssize_t n = read(d->fuse_fd, request, sizeof request);
		if (n < 0 && errno == ENODEV) /* unmounted */
			return;
		if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			err(1, "cannot hear the kernel");
		const struct fuse_in_header *head = (const struct fuse_in_header *)request;
		answer(d, head, head + 1);
	}
}

static void load(struct logdisk *d, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", path);
	d->size = (uint64_t)st.st_size;
	d->bytes = mmap(NULL, d->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (d->bytes == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
}

static void mount_on(struct logdisk *d, const char *dir)
{
	char options[80];
	d->fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (d->fuse_fd < 0)
		err(1, "/dev/fuse");
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", d->fuse_fd);
	if (mount("logdisk", dir, "fuse.logdisk", MS_NODEV | MS_NOSUID, options) < 0)
		err(1, "cannot mount on %s", dir);
}

int main(int argc, char **argv)
{
	struct logdisk d;
	if (argc != 4)
		errx(2, "usage: logdisk IMAGE LOG DIR");
	load(&d, argv[1]);
	d.log_fd = open(argv[2], O_CREAT | O_WRONLY | O_APPEND | O_TRUNC | O_CLOEXEC, 0600);
	if (d.log_fd < 0)
		err(1, "%s", argv[2]);
	mount_on(&d, argv[3]);
	puts("ready");
	fflush(stdout);
	serve(&d);
	return 0;
}
