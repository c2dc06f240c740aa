/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor: the file operations of one request's life, client's and server's, in one process and one
 * thread, with nothing between them: no wake-ups, no CBOR, no scheduling.  No queue that keeps this
 * protocol can be faster on this file system.  Argument: a directory, a count.
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
	N_DIRS
};

static int dirs[N_DIRS];

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void put(int dir, const char *name, int unnamed)
{
	char body[200], link[64];
	memset(body, 'x', sizeof body);
	int fd = unnamed ? openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)
			 : openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	must(fd >= 0, "create");
	must(write(fd, body, sizeof body) == (ssize_t)sizeof body, "write");
	if (unnamed) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		must(linkat(AT_FDCWD, link, dir, name, AT_SYMLINK_FOLLOW) == 0, "linkat");
	}
	close(fd);
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

static void live(long n)
{
	char name[64];
	snprintf(name, sizeof name, "%010ld.000000-0000000000000", n);
	put(dirs[REQUESTED], name, 1);
	step(REQUESTED, PENDING, name, RENAME_NOREPLACE);
	get(dirs[PENDING], name);
	step(PENDING, RUNNING, name, RENAME_NOREPLACE);
	get(dirs[RUNNING], name);
	put(dirs[TMP], name, 0);
	step(TMP, RUNNING, name, RENAME_EXCHANGE);
	step(RUNNING, COMPLETE, name, RENAME_NOREPLACE);
	must(unlinkat(dirs[TMP], name, 0) == 0, "unlink");
	get(dirs[COMPLETE], name);
	must(unlinkat(dirs[COMPLETE], name, 0) == 0, "unlink");
}

int main(int argc, char **argv)
{
	must(argc == 3 && chdir(argv[1]) == 0, "directory");
	long count = atol(argv[2]);
	for (int i = 0; i < N_DIRS; i++) {
		char name[2] = { (char)('a' + i), 0 };
		must(mkdir(name, 0700) == 0, "mkdir");
		dirs[i] = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(dirs[i] >= 0, "open");
	}
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long n = 0; n < count; n++)
		live(n);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.0f\n", (double)count / ((double)(b.tv_sec - a.tv_sec) +
						 (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	for (int i = 0; i < N_DIRS; i++) {
		char name[2] = { (char)('a' + i), 0 };
		rmdir(name);
	}
	return 0;
}
