/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/spool/fault.h"

#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

int fault_calls;
uint64_t fault_clock;
uint64_t fault_suffix;
int fault_max_bytes;
int fault_flags;
const struct statvfs *fault_space;

static struct {
	int at, at_error, kill_at;
	const char *name;
	int error, times;
	const char *flags_name;
	unsigned flags;
	int flags_error;
	const char *after_name;
	int after, after_error;
} plan;

void fault_reset(void)
{
	memset(&plan, 0, sizeof plan);
	fault_calls = 0;
	fault_clock = 0;
	fault_suffix = 0;
	fault_max_bytes = 0;
	fault_flags = 0;
	fault_space = NULL;
}

void fault_at(int k, int error)
{
	fault_calls = 0;
	plan.at = k;
	plan.at_error = error;
}

void fault_kill_at(int k)
{
	fault_calls = 0;
	plan.kill_at = k;
}

void fault_on(const char *name, int error, int times)
{
	plan.name = name;
	plan.error = error;
	plan.times = times;
}

void fault_after(const char *name, int error, int calls)
{
	plan.after_name = name;
	plan.after_error = error;
	plan.after = calls;
}

void fault_on_flags(const char *name, unsigned flags, int error)
{
	plan.flags_name = name;
	plan.flags = flags;
	plan.flags_error = error;
}

/* 0: go on, else -errno. */
static int hit(const char *name, unsigned flags)
{
	fault_calls++;
	if (fault_calls == plan.kill_at)
		_exit(1);
	if (fault_calls == plan.at)
		return -plan.at_error;
	if (plan.after_name && strcmp(plan.after_name, name) == 0 && plan.after-- == 0)
		return -plan.after_error;
	if (plan.name && strcmp(plan.name, name) == 0 && plan.times > 0) {
		plan.times--;
		return -plan.error;
	}
	if (plan.flags_name && strcmp(plan.flags_name, name) == 0 &&
		(flags & plan.flags) == plan.flags)
		return -plan.flags_error;
	return 0;
}

static size_t cut(size_t len)
{
	return fault_max_bytes && len > (size_t)fault_max_bytes ? (size_t)fault_max_bytes : len;
}

static int fault_openat(int dir, const char *name, int flags, mode_t mode)
{
	int rc = hit("openat", (unsigned)flags);
	return rc ? rc : spool_io_real.openat(dir, name, flags, mode);
}

static int fault_mkdirat(int dir, const char *name, mode_t mode)
{
	int rc = hit("mkdirat", 0);
	return rc ? rc : spool_io_real.mkdirat(dir, name, mode);
}

static int fault_fstat(int fd, struct stat *ret)
{
	int rc = hit("fstat", 0);
	return rc ? rc : spool_io_real.fstat(fd, ret);
}

static int fault_fstatat(int dir, const char *name, struct stat *ret, int flags)
{
	int rc = hit("fstatat", (unsigned)flags);
	return rc ? rc : spool_io_real.fstatat(dir, name, ret, flags);
}

static int fault_fchmod(int fd, mode_t mode)
{
	int rc = hit("fchmod", 0);
	return rc ? rc : spool_io_real.fchmod(fd, mode);
}

static int fault_chmod(const char *path, mode_t mode)
{
	int rc = hit("chmod", 0);
	return rc ? rc : spool_io_real.chmod(path, mode);
}

static int fault_fchown(int fd, uid_t uid, gid_t gid)
{
	int rc = hit("fchown", 0);
	return rc ? rc : spool_io_real.fchown(fd, uid, gid);
}

static int fault_utimensat(int dir, const char *name, const struct timespec times[2], int flags)
{
	int rc = hit("utimensat", (unsigned)flags);
	return rc ? rc : spool_io_real.utimensat(dir, name, times, flags);
}

static ssize_t fault_write(int fd, const void *bytes, size_t len)
{
	int rc = hit("write", 0);
	return rc ? rc : spool_io_real.write(fd, bytes, cut(len));
}

static ssize_t fault_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	int rc = hit("pwrite", 0);
	return rc ? rc : spool_io_real.pwrite(fd, bytes, cut(len), at);
}

static ssize_t fault_pread(int fd, void *bytes, size_t len, off_t at)
{
	int rc = hit("pread", 0);
	return rc ? rc : spool_io_real.pread(fd, bytes, cut(len), at);
}

static ssize_t fault_getdents(int fd, void *bytes, size_t len)
{
	int rc = hit("getdents", 0);
	return rc ? rc : spool_io_real.getdents(fd, bytes, len);
}

static int fault_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	int rc = hit("linkat", (unsigned)flags);
	return rc ? rc : spool_io_real.linkat(from_dir, from, to_dir, to, flags);
}

static int fault_renameat2(
	int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	int rc = hit("renameat2", flags);
	return rc ? rc : spool_io_real.renameat2(from_dir, from, to_dir, to, flags);
}

static int fault_unlinkat(int dir, const char *name, int flags)
{
	int rc = hit("unlinkat", (unsigned)flags);
	return rc ? rc : spool_io_real.unlinkat(dir, name, flags);
}

static int fault_fsync(int fd)
{
	int rc = hit("fsync", 0);
	return rc ? rc : spool_io_real.fsync(fd);
}

static int fault_syncfs(int fd)
{
	int rc = hit("syncfs", 0);
	return rc ? rc : spool_io_real.syncfs(fd);
}

static int fault_start_writeback(int fd)
{
	int rc = hit("start_writeback", 0);
	return rc ? rc : spool_io_real.start_writeback(fd);
}

static int fault_close(int fd)
{
	int rc = hit("close", 0);
	int closed = spool_io_real.close(fd);
	return rc ? rc : closed;
}

static int fault_fallocate(int fd, off_t at, off_t len)
{
	int rc = hit("fallocate", 0);
	return rc ? rc : spool_io_real.fallocate(fd, at, len);
}

static int fault_fstatvfs(int fd, struct statvfs *ret)
{
	int rc = hit("fstatvfs", 0);
	rc = rc ? rc : spool_io_real.fstatvfs(fd, ret);
	if (rc == 0 && fault_space)
		*ret = *fault_space;
	return rc;
}

static int fault_lock_dir(int fd)
{
	int rc = hit("lock_dir", 0);
	return rc ? rc : spool_io_real.lock_dir(fd);
}

static int fault_lock(int fd)
{
	int rc = hit("lock", 0);
	return rc ? rc : spool_io_real.lock(fd);
}

static int fault_getflags(int fd, int *ret)
{
	int rc = hit("getflags", 0);
	if (rc == 0 && fault_flags) {
		*ret = fault_flags;
		return 0;
	}
	return rc ? rc : spool_io_real.getflags(fd, ret);
}

static uint64_t fault_wall_us(void)
{
	return fault_clock ? fault_clock : spool_io_real.wall_us();
}

static int fault_random(void *bytes, size_t len)
{
	int rc = hit("random", 0);
	if (rc)
		return rc;
	if (!fault_suffix || len != sizeof fault_suffix)
		return spool_io_real.random(bytes, len);
	memcpy(bytes, &fault_suffix, len);
	return 0;
}

const struct spool_io fault_io = {
	.openat = fault_openat,
	.mkdirat = fault_mkdirat,
	.fstat = fault_fstat,
	.fstatat = fault_fstatat,
	.fchmod = fault_fchmod,
	.chmod = fault_chmod,
	.fchown = fault_fchown,
	.utimensat = fault_utimensat,
	.write = fault_write,
	.pwrite = fault_pwrite,
	.pread = fault_pread,
	.getdents = fault_getdents,
	.linkat = fault_linkat,
	.renameat2 = fault_renameat2,
	.unlinkat = fault_unlinkat,
	.fsync = fault_fsync,
	.syncfs = fault_syncfs,
	.start_writeback = fault_start_writeback,
	.close = fault_close,
	.fallocate = fault_fallocate,
	.fstatvfs = fault_fstatvfs,
	.lock = fault_lock,
	.lock_dir = fault_lock_dir,
	.getflags = fault_getflags,
	.wall_us = fault_wall_us,
	.random = fault_random,
};
