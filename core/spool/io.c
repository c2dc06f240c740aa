/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/time.h"

static int code(int rc)
{
	return rc < 0 ? -errno : rc;
}

static ssize_t count(ssize_t n)
{
	return n < 0 ? -errno : n;
}

static int real_openat(int dir, const char *name, int flags, mode_t mode)
{
	return code(openat(dir, name, flags, mode));
}

static int real_mkdirat(int dir, const char *name, mode_t mode)
{
	return code(mkdirat(dir, name, mode));
}

static int real_fstat(int fd, struct stat *ret)
{
	return code(fstat(fd, ret));
}

static int real_fstatat(int dir, const char *name, struct stat *ret, int flags)
{
	return code(fstatat(dir, name, ret, flags));
}

static int real_fchmod(int fd, mode_t mode)
{
	return code(fchmod(fd, mode));
}

static int real_chmod(const char *path, mode_t mode)
{
	return code(chmod(path, mode));
}

static int real_fchown(int fd, uid_t uid, gid_t gid)
{
	return code(fchown(fd, uid, gid));
}

static int real_utimensat(int dir, const char *name, const struct timespec times[2], int flags)
{
	return code(utimensat(dir, name, times, flags));
}

static ssize_t real_write(int fd, const void *bytes, size_t len)
{
	return count(write(fd, bytes, len));
}

static ssize_t real_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return count(pwrite(fd, bytes, len, at));
}

static ssize_t real_pread(int fd, void *bytes, size_t len, off_t at)
{
	return count(pread(fd, bytes, len, at));
}

static ssize_t real_getdents(int fd, void *bytes, size_t len)
{
	return count(getdents64(fd, bytes, len));
}

static int real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return code(linkat(from_dir, from, to_dir, to, flags));
}

static int real_renameat2(
	int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return code(renameat2(from_dir, from, to_dir, to, flags));
}

static int real_unlinkat(int dir, const char *name, int flags)
{
	return code(unlinkat(dir, name, flags));
}

static int real_fsync(int fd)
{
	return code(fsync(fd));
}

static int real_syncfs(int fd)
{
	return code(syncfs(fd));
}

static int real_start_writeback(int fd)
{
	return code(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
}

static int real_close(int fd)
{
	return code(close(fd));
}

static int real_fallocate(int fd, off_t at, off_t len)
{
	return code(fallocate(fd, 0, at, len));
}

static int real_fstatvfs(int fd, struct statvfs *ret)
{
	return code(fstatvfs(fd, ret));
}

static int real_lock(int fd)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int rc = code(fcntl(fd, F_OFD_SETLK, &all));
	return rc == -EACCES ? -EAGAIN : rc;
}

static int real_lock_dir(int fd)
{
	int rc = code(flock(fd, LOCK_EX | LOCK_NB));
	return rc == -EWOULDBLOCK ? -EAGAIN : rc;
}

static int real_getflags(int fd, int *ret)
{
	return code(ioctl(fd, FS_IOC_GETFLAGS, ret));
}

static uint64_t real_wall_us(void)
{
	int64_t us = time_wall_us();
	return us > 0 ? (uint64_t)us : 0;
}

static int real_random(void *bytes, size_t len)
{
	/* Up to 256 bytes come whole once the kernel is seeded, getrandom(2). */
	ssize_t n;
	do
		n = getrandom(bytes, len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

const struct spool_io spool_io_real = {
	.openat = real_openat,
	.mkdirat = real_mkdirat,
	.fstat = real_fstat,
	.fstatat = real_fstatat,
	.fchmod = real_fchmod,
	.chmod = real_chmod,
	.fchown = real_fchown,
	.utimensat = real_utimensat,
	.write = real_write,
	.pwrite = real_pwrite,
	.pread = real_pread,
	.getdents = real_getdents,
	.linkat = real_linkat,
	.renameat2 = real_renameat2,
	.unlinkat = real_unlinkat,
	.fsync = real_fsync,
	.syncfs = real_syncfs,
	.start_writeback = real_start_writeback,
	.close = real_close,
	.fallocate = real_fallocate,
	.fstatvfs = real_fstatvfs,
	.lock = real_lock,
	.lock_dir = real_lock_dir,
	.getflags = real_getflags,
	.wall_us = real_wall_us,
	.random = real_random,
};

int spool_io_write_all(const struct spool_io *io, int fd, const void *bytes, size_t len)
{
	const char *p = bytes;
	while (len > 0) {
		ssize_t n = io->write(fd, p, len);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t spool_io_pread_all(const struct spool_io *io, int fd, void *bytes, size_t len, off_t at)
{
	size_t got = 0;
	while (got < len) {
		ssize_t n = io->pread(fd, (char *)bytes + got, len - got, at + (off_t)got);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int spool_io_put_end(const struct spool_io *io, int dir, const char *name, int fd, int rc)
{
	int closed = io->close(fd);
	if (rc == 0)
		rc = closed;
	if (rc < 0)
		(void)io->unlinkat(dir, name, 0);
	return rc;
}

int spool_io_put(const struct spool_io *io, int dir, const char *name, int how, const void *bytes,
	size_t len)
{
	int fd = io->openat(dir, name, O_CREAT | how | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd;
	return spool_io_put_end(io, dir, name, fd, spool_io_write_all(io, fd, bytes, len));
}
