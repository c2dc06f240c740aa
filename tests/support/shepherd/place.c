/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/shepherd/place.h"

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

enum {
	NOBODY = 65534,
	TEXT_MAX = 256 * 1024
};

char place_dir[PATH_MAX];
int place_fd = -1;

void place_open(void)
{
	const char *base = getenv("TMPDIR");
	char path[PATH_MAX / 2];
	snprintf(path, sizeof path, "%s/wq-shepherd-XXXXXX", base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_ptr_nonnull(realpath(path, place_dir));
	place_fd = open(place_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(place_fd, 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	(void)remove(path);
	return 0;
}

void place_close(void)
{
	(void)close(place_fd);
	place_fd = -1;
	(void)nftw(place_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *place_at(const char *name)
{
	static char path[8][PATH_MAX + NAME_MAX];
	static unsigned turn;
	char *ret = path[turn++ % 8];
	snprintf(ret, sizeof path[0], "%s/%s", place_dir, name);
	return ret;
}

void place_put(const char *name, const char *text, unsigned mode)
{
	int fd = openat(place_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	ck_assert_int_eq(close(fd), 0);
}

void place_mkdir(const char *name, unsigned mode)
{
	ck_assert_int_eq(mkdirat(place_fd, name, 0700), 0);
	ck_assert_int_eq(fchmodat(place_fd, name, mode, 0), 0);
}

const char *place_text(const char *name)
{
	static char text[TEXT_MAX + 1];
	int fd = openat(place_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	size_t len = 0;
	for (ssize_t n = 1; n > 0 && len<TEXT_MAX; len += n> 0 ? (size_t)n : 0)
		n = read(fd, text + len, TEXT_MAX - len);
	text[len] = '\0';
	(void)close(fd);
	return text;
}

int place_open_fds(void)
{
	int count = 0;
	DIR *d = opendir("/proc/self/fd");
	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		count++;
	(void)closedir(d);
	return count;
}

bool place_drop_root(void)
{
	if (geteuid() != 0)
		return true;
	return fchown(place_fd, NOBODY, NOBODY) == 0 && setgroups(0, NULL) == 0 &&
	       setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
}
