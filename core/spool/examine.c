/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/examine.h"

#include <errno.h>
#include <fcntl.h>

static int dir_of(const struct spool *sp, int place)
{
	return place == CENSUS_TMP ? sp->tmp_fd : sp->dir_fd[place];
}

/* It can be no file of ours, whatever it is. */
#define NOT_OURS (-EMEDIUMTYPE)

int examine_read(const struct spool *sp, int dir_fd, const char *name, struct buf *ret)
{
	struct stat st;
	int fd = sp->io->openat(dir_fd, name, SPOOL_IO_READ, 0);
	if (fd == -ELOOP || fd == -ENXIO || fd == -EACCES)
		return NOT_OURS;
	if (fd < 0)
		return fd;
	int rc = sp->io->fstat(fd, &st);
	if (rc == 0 && (!S_ISREG(st.st_mode) || st.st_size > EXAMINE_MAX_BYTES))
		rc = NOT_OURS;
	if (rc == 0)
		rc = buf_reserve(ret, (size_t)st.st_size + 1);
	if (rc == 0) {
		ssize_t n = spool_io_pread_all(sp->io, fd, ret->data, (size_t)st.st_size, 0);
		rc = n < 0 ? (int)n : 0;
		ret->len = n < 0 ? 0 : (size_t)n;
	}
	(void)sp->io->close(fd);
	return rc;
}

static int look(
	const struct spool *sp, int place, const char *name, examine_fn *kind, enum finding *ret)
{
	struct buf bytes = { 0 };
	int rc = examine_read(sp, dir_of(sp, place), name, &bytes);
	if (rc == 0)
		*ret = kind(bytes.data, bytes.len);
	else if (rc == NOT_OURS)
		*ret = FIND_NEITHER;
	else if (rc == -ENOENT)
		*ret = FIND_NONE;
	buf_fini(&bytes);
	return rc == NOT_OURS || rc == -ENOENT ? 0 : rc;
}

/* 1: the same inode, 0: not, or -errno. */
static int is_same(const struct spool *sp, const char *name, int place_a, int place_b)
{
	struct stat a, b;
	int rc = sp->io->fstatat(dir_of(sp, place_a), name, &a, AT_SYMLINK_NOFOLLOW);
	if (rc == 0)
		rc = sp->io->fstatat(dir_of(sp, place_b), name, &b, AT_SYMLINK_NOFOLLOW);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int examine(const struct spool *sp, struct reqid id, unsigned places, examine_fn *kind,
	struct findings *ret)
{
	char name[REQID_SIZE];
	struct findings f = { .in_1 = places >> SPOOL_REQUESTED & 1,
		.in_2 = places >> SPOOL_PENDING & 1,
		.in_5 = places >> SPOOL_ABORTING & 1,
		.in_4 = places == 1u << SPOOL_COMPLETE ? FIND_RESULT : FIND_NONE };
	int rc = 0;
	reqid_format(id, name);
	if (places >> SPOOL_RUNNING & 1)
		rc = look(sp, SPOOL_RUNNING, name, kind, &f.in_3);
	if (rc == 0 && places >> CENSUS_TMP & 1)
		rc = look(sp, CENSUS_TMP, name, kind, &f.in_tmp);
	if (rc == 0 && places >> SPOOL_COMPLETE & 1 && f.in_4 == FIND_NONE)
		rc = look(sp, SPOOL_COMPLETE, name, kind, &f.in_4);
	for (int later = SPOOL_PENDING; rc == 0 && f.in_1 && later <= SPOOL_COMPLETE; later++)
		if (places >> later & 1) {
			rc = is_same(sp, name, SPOOL_REQUESTED, later);
			f.same_1 |= rc == 1;
			rc = rc < 0 ? rc : 0;
		}
	if (rc == 0 && f.in_2 && places >> SPOOL_RUNNING & 1) {
		rc = is_same(sp, name, SPOOL_PENDING, SPOOL_RUNNING);
		f.same_2 = rc == 1;
	}
	if (rc < 0)
		return rc;
	*ret = f;
	return 0;
}
