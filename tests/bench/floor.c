/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor: the file operations of one request's life, client's and server's, in one process and one
 * thread, with nothing between them: no wake-ups, no CBOR, no scheduling.  No queue that keeps this
 * protocol can be faster on this file system.  Arguments: a directory, a count; then how many requests
 * go side by side and share their syncs (1), and the level of durability (none).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	REQUESTED,
	PENDING,
	RUNNING,
	COMPLETE,
	TMP,
	N_DIRS,
	WINDOW_MAX = 256
};

static int dirs[N_DIRS];

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static int is_batch, is_strict;

/* The descriptor, still open: it may have to be synced. */
static int put(int dir, const char *name, int unnamed)
{
	char body[200], link[64];
	memset(body, 'x', sizeof body);
	int fd = unnamed ? openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)
			 : openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	must(fd >= 0, "create");
	must(write(fd, body, sizeof body) == (ssize_t)sizeof body, "write");
	if (!unnamed)
		return fd;
	must(!is_strict || fsync(fd) == 0, "fsync");
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	must(linkat(AT_FDCWD, link, dir, name, AT_SYMLINK_FOLLOW) == 0, "linkat");
	must(!is_strict || fsync(fd) == 0, "fsync");
	return fd;
}

static void get(int dir, const char *name)
{
	char body[4096];
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	must(fd >= 0 && fstat(fd, &st) == 0, "open");
	must(pread(fd, body, sizeof body, 0) > 0, "read");
	close(fd);
}

static void step(int from, int to, const char *name, unsigned flags)
{
	must(renameat2(dirs[from], name, dirs[to], name, flags) == 0, "rename");
}

static void sync_running(const int *fds, int n)
{
	for (int i = 0; is_batch && i < n; i++)
		sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
	for (int i = 0; is_batch && i < n; i++)
		must(fsync(fds[i]) == 0, "fsync");
	must(!is_batch || fsync(dirs[RUNNING]) == 0, "fsync");
}

static void live(long first, int n)
{
	char names[WINDOW_MAX][64];
	int fds[WINDOW_MAX];
	for (int i = 0; i < n; i++) {
		snprintf(names[i], sizeof names[i], "%010ld.000000-0000000000000", first + i);
		close(put(dirs[REQUESTED], names[i], 1));
		step(REQUESTED, PENDING, names[i], RENAME_NOREPLACE);
		get(dirs[PENDING], names[i]);
		step(PENDING, RUNNING, names[i], RENAME_NOREPLACE);
	}
	sync_running(NULL, 0);
	for (int i = 0; i < n; i++) {
		get(dirs[RUNNING], names[i]);
		fds[i] = put(dirs[TMP], names[i], 0);
		step(TMP, RUNNING, names[i], RENAME_EXCHANGE);
	}
	sync_running(fds, n);
	for (int i = 0; i < n; i++) {
		close(fds[i]);
		step(RUNNING, COMPLETE, names[i], RENAME_NOREPLACE);
		must(unlinkat(dirs[TMP], names[i], 0) == 0, "unlink");
		get(dirs[COMPLETE], names[i]);
		must(unlinkat(dirs[COMPLETE], names[i], 0) == 0, "unlink");
	}
}

int main(int argc, char **argv)
{
	must((argc == 3 || argc == 5) && chdir(argv[1]) == 0, "directory");
	long count = atol(argv[2]), window = argc == 5 ? atol(argv[3]) : 1;
	must(window > 0 && window <= WINDOW_MAX, "window");
	is_strict = argc == 5 && strcmp(argv[4], "strict") == 0;
	is_batch = is_strict || (argc == 5 && strcmp(argv[4], "batch") == 0);
	for (int i = 0; i < N_DIRS; i++) {
		char name[2] = { (char)('a' + i), 0 };
		must(mkdir(name, 0700) == 0, "mkdir");
		dirs[i] = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(dirs[i] >= 0, "open");
	}
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long n = 0; n < count; n += window)
		live(n, (int)(count - n < window ? count - n : window));
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.0f\n", (double)count / ((double)(b.tv_sec - a.tv_sec) +
						 (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	for (int i = 0; i < N_DIRS; i++) {
		char name[2] = { (char)('a' + i), 0 };
		rmdir(name);
	}
	return 0;
}
