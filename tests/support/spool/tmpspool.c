/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/spool/tmpspool.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "support/spool/fault.h"

enum {
	NOBODY = 65534
};

/* The suffix, digit by digit: n = n * 32 + its place in "0123456789abcdefghijklmnopqrstuv". */
const struct reqid tmpspool_id = { UINT64_C(1511472984123456), UINT64_C(725055147486381489) };

struct spool tmpspool;
char tmpspool_dir[PATH_MAX / 2];
char tmpspool_path[PATH_MAX];

void tmpspool_make_dir(void)
{
	const char *base = getenv("TMPDIR");
	snprintf(tmpspool_dir, sizeof tmpspool_dir, "%s/wq-spool-XXXXXX", base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(tmpspool_dir));
	snprintf(tmpspool_path, sizeof tmpspool_path, "%s/spool", tmpspool_dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	(void)remove(path);
	return 0;
}

void tmpspool_remove_dir(void)
{
	nftw(tmpspool_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void tmpspool_open(void)
{
	struct wq_err err = { 0 };
	tmpspool_make_dir();
	fault_reset();
	int rc = spool_open_server(&tmpspool, tmpspool_path, &fault_io, &err);
	ck_assert_msg(rc == 0, "spool_open_server: %s", err.text);
	fault_reset();
}

void tmpspool_close(void)
{
	fault_reset();
	spool_close(&tmpspool);
	tmpspool_remove_dir();
}

bool tmpspool_drop_root(void)
{
	if (geteuid() != 0)
		return true;
	return chown(tmpspool_dir, NOBODY, NOBODY) == 0 && setgroups(0, NULL) == 0 &&
	       setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

struct reqid tmpspool_nth(unsigned n)
{
	return (struct reqid){ tmpspool_id.us + n, tmpspool_id.suffix };
}

const char *tmpspool_at(const char *place, const char *name)
{
	static char path[2 * PATH_MAX];
	snprintf(path, sizeof path, "%s/%s/%s", tmpspool_path, place, name);
	return path;
}

void tmpspool_put_mode(const char *place, const char *name, const char *text, unsigned mode)
{
	int fd = open(tmpspool_at(place, name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

void tmpspool_put(const char *place, const char *name, const char *text)
{
	tmpspool_put_mode(place, name, text, 0600);
}

bool tmpspool_has(const char *place, const char *name)
{
	struct stat st;
	return lstat(tmpspool_at(place, name), &st) == 0;
}

bool tmpspool_holds(const char *place, const char *name, const char *text)
{
	char bytes[4096];
	int fd = open(tmpspool_at(place, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, bytes, sizeof bytes);
	close(fd);
	return n == (ssize_t)strlen(text) && memcmp(bytes, text, (size_t)n) == 0;
}

static int count_in(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(dir);
	return n;
}

int tmpspool_count(const char *place)
{
	return count_in(tmpspool_at(place, ""));
}

int tmpspool_open_fds(void)
{
	return count_in("/proc/self/fd");
}
