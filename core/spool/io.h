/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/io: the seam under the spool.  Each system call that changes or reads the spool, the clock
 * and the random source go through this table, so that tests can fail, freeze or kill at any of
 * them.  Production uses spool_io_real and nothing else.  The members behave like the system calls
 * they are named after, but answer -errno instead of setting errno.
 */
#pragma once

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct statvfs;

struct spool_io {
	int (*openat)(int dir, const char *name, int flags, mode_t mode);
	int (*mkdirat)(int dir, const char *name, mode_t mode);
	int (*fstat)(int fd, struct stat *ret);
	int (*fstatat)(int dir, const char *name, struct stat *ret, int flags);
	int (*fchmod)(int fd, mode_t mode);
	int (*chmod)(
		const char *path, mode_t mode); /* of what is open O_PATH, by its path in /proc */
	int (*fchown)(int fd, uid_t uid, gid_t gid);
	int (*utimensat)(int dir, const char *name, const struct timespec times[2], int flags);
	ssize_t (*write)(int fd, const void *bytes, size_t len);
	ssize_t (*pwrite)(int fd, const void *bytes, size_t len, off_t at);
	ssize_t (*pread)(int fd, void *bytes, size_t len, off_t at);
	ssize_t (*getdents)(int fd, void *bytes, size_t len); /* getdents64(2) */
	int (*linkat)(int from_dir, const char *from, int to_dir, const char *to, int flags);
	int (*renameat2)(
		int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
	int (*unlinkat)(int dir, const char *name, int flags);
	int (*fsync)(int fd);
	int (*syncfs)(int fd);
	int (*start_writeback)(int fd); /* sync_file_range(2) of all of it, SYNC_FILE_RANGE_WRITE */
	int (*close)(int fd);
	int (*fallocate)(int fd, off_t at, off_t len);
	int (*fstatvfs)(int fd, struct statvfs *ret);
	int (*lock)(int fd);               /* F_OFD_SETLK: a write lock on all of it, or -EAGAIN */
	int (*lock_dir)(int fd);           /* flock(2), exclusive, or -EAGAIN */
	int (*getflags)(int fd, int *ret); /* FS_IOC_GETFLAGS */
	uint64_t (*wall_us)(void);         /* CLOCK_REALTIME */
	int (*random)(void *bytes, size_t len); /* getrandom(2); 0 or -errno */
};

extern const struct spool_io spool_io_real;

/* Flags to open a file of unknown kind: a link is not followed, a FIFO or lease does not hold us. */
enum {
	SPOOL_IO_READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
};

/* Write all.  0 or -errno; on failure an unknown part has been written. */
int spool_io_write_all(const struct spool_io *io, int fd, const void *bytes, size_t len);

/* Read up to `len` bytes from `at`.  The count (short only at end of file) or -errno. */
ssize_t spool_io_pread_all(const struct spool_io *io, int fd, void *bytes, size_t len, off_t at);

/*
 * Make a plain file of these bytes, mode 0600.  `how`: O_EXCL, or O_TRUNC to take the place of an
 * older one.  On failure no file is left, but for what stood in the way of O_EXCL (-EEXIST).
 */
int spool_io_put(const struct spool_io *io, int dir, const char *name, int how, const void *bytes,
	size_t len);

/* The end of such a step by hand: close, and take the name away again when `rc` or the closing says
 * failure (a full disk may say so only then).  Answers that failure, or 0. */
int spool_io_put_end(const struct spool_io *io, int dir, const char *name, int fd, int rc);
