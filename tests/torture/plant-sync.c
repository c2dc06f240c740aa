/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plant-sync.so: syncs that are not made, or too late, put by LD_PRELOAD between a real wq-server and
 * libc, for power cuts to find.  PLANT says which:
 *
 *	no-directory-sync    Directories are not synced, nor are file systems.
 *	no-file-sync         Files are not synced, nor are file systems.
 *	publish-before-sync  What is to be synced is synced when the next result has come to 4.
 *
 * It works in the program wq-server alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum {
	OWED_MAX = 1024
};

enum fault {
	NO_FAULT,
	NO_DIRECTORY_SYNC,
	NO_FILE_SYNC,
	PUBLISH_BEFORE_SYNC,
	FAULT_MAX
};

typedef int (*sync_fn)(int fd);

static enum fault fault;
static int (*real_renameat2)(int, const char *, int, const char *, unsigned);
static int (*real_sync_file_range)(int, off_t, off_t, unsigned);
static sync_fn real_fsync, real_fdatasync, real_syncfs;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	sync_fn call;
	int fd;
} owed[OWED_MAX];
static int n_owed;

static void find(void *ret, const char *name)
{
	void *at = dlsym(RTLD_NEXT, name);
	if (!at)
		abort();
	memcpy(ret, &at, sizeof at);
}

__attribute__((constructor)) static void begin(void)
{
	static const char *const names[FAULT_MAX] = { "", "no-directory-sync", "no-file-sync",
		"publish-before-sync" };
	find(&real_renameat2, "renameat2");
	find(&real_sync_file_range, "sync_file_range");
	find(&real_fsync, "fsync");
	find(&real_fdatasync, "fdatasync");
	find(&real_syncfs, "syncfs");
	const char *which = getenv("PLANT");
	if (!which || strcmp(program_invocation_short_name, "wq-server") != 0)
		return;
	for (int i = 1; i < FAULT_MAX; i++)
		if (strcmp(which, names[i]) == 0)
			fault = (enum fault)i;
	/* A test that plants nothing and does not know it would prove nothing. */
	if (fault == NO_FAULT) {
		fprintf(stderr, "plant-sync: no fault is called '%s'\n", which);
		_exit(2);
	}
}

static bool is_directory(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static void settle(void)
{
	for (int i = 0; i < n_owed; i++) {
		(void)owed[i].call(owed[i].fd);
		(void)close(owed[i].fd);
	}
	n_owed = 0;
}

static int owe(sync_fn call, int fd)
{
	pthread_mutex_lock(&lock);
	if (n_owed == OWED_MAX)
		settle();
	owed[n_owed].call = call;
	owed[n_owed++].fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int sync_one(sync_fn call, int fd)
{
	bool all = call == real_syncfs;
	if (fault == NO_DIRECTORY_SYNC && (all || is_directory(fd)))
		return 0;
	if (fault == NO_FILE_SYNC && (all || !is_directory(fd)))
		return 0;
	if (fault == PUBLISH_BEFORE_SYNC)
		return owe(call, fd);
	return call(fd);
}

static bool is_complete(int dir)
{
	char link[64], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	ssize_t n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	const char *name = strrchr(path, '/');
	return name && strcmp(name, "/4-complete") == 0;
}

EXPORT int fsync(int fd)
{
	return sync_one(real_fsync, fd);
}

EXPORT int fdatasync(int fd)
{
	return sync_one(real_fdatasync, fd);
}

EXPORT int syncfs(int fd)
{
	return sync_one(real_syncfs, fd);
}

EXPORT int sync_file_range(int fd, off_t offset, off_t count, unsigned flags)
{
	return fault == NO_FILE_SYNC ? 0 : real_sync_file_range(fd, offset, count, flags);
}

EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	int ret = real_renameat2(from_dir, from, to_dir, to, flags);
	if (ret == 0 && fault == PUBLISH_BEFORE_SYNC && is_complete(to_dir)) {
		pthread_mutex_lock(&lock);
		settle();
		pthread_mutex_unlock(&lock);
	}
	return ret;
}
