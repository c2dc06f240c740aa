/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>

static const char ballast_name[] = "ballast";

enum {
	OPEN_BALLAST = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	BLOCK = 512, /* the unit of st_blocks */
	WRITE_BITS = S_IWUSR | S_IWGRP | S_IWOTH,
	MODE_BITS = 07777
};

int space_look(const struct spool *sp, struct space_left *ret)
{
	struct statvfs fs;
	int rc = sp->io->fstatvfs(sp->root_fd, &fs);
	if (rc < 0)
		return rc;
	*ret = (struct space_left){ .bytes = (uint64_t)fs.f_blocks * fs.f_frsize,
		.free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize,
		.inodes = fs.f_files,
		.free_inodes = fs.f_favail };
	return 0;
}

bool space_is_short(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT;
}

/* ---- ballast ---------------------------------------------------------------------------------- */

static int write_zeros(const struct spool *sp, int fd)
{
	void *zeros = calloc(1, SPACE_BALLAST);
	int rc = zeros ? spool_io_write_all(sp->io, fd, zeros, SPACE_BALLAST) : -ENOMEM;
	free(zeros);
	return rc;
}

static int fill_ballast(const struct spool *sp, int fd)
{
	struct stat st;
	int rc = sp->io->fstat(fd, &st);
	if (rc < 0 || (st.st_size == SPACE_BALLAST && st.st_blocks * BLOCK >= SPACE_BALLAST))
		return rc;
	rc = sp->io->fallocate(fd, 0, SPACE_BALLAST);
	return rc == -EOPNOTSUPP || rc == -ENOSYS ? write_zeros(sp, fd) : rc;
}

int space_make_ballast(struct spool *sp)
{
	int fd = sp->io->openat(sp->own_fd, ballast_name, OPEN_BALLAST, 0600);
	if (fd < 0)
		return fd;
	return spool_io_put_end(sp->io, sp->own_fd, ballast_name, fd, fill_ballast(sp, fd));
}

int space_drop_ballast(struct spool *sp)
{
	return sp->io->unlinkat(sp->own_fd, ballast_name, 0);
}

/* ---- gate ------------------------------------------------------------------------------------- */

/* The mode of 1 without the bits, or with that of its owner; 1: it was otherwise. */
static int set_gate(struct spool *sp, bool closed)
{
	struct stat st;
	int fd = sp->dir_fd[SPOOL_REQUESTED], rc = sp->io->fstat(fd, &st);
	mode_t is = st.st_mode & MODE_BITS;
	if (rc < 0)
		return rc;
	mode_t wanted = closed ? is & ~(mode_t)WRITE_BITS : is | S_IWUSR;
	if (wanted == is)
		return 0;
	rc = sp->io->fchmod(fd, wanted);
	return rc < 0 ? rc : 1;
}

int space_close_gate(struct spool *sp)
{
	int rc = set_gate(sp, true);
	if (rc < 0)
		return rc;
	sp->gate_closed = true;
	return 0;
}

int space_open_gate(struct spool *sp)
{
	int rc = set_gate(sp, false);
	if (rc >= 0)
		sp->gate_closed = false;
	return rc;
}

static bool is_behind_gate(const struct spool *sp, int dir_fd)
{
	return sp->gate_closed && dir_fd == sp->dir_fd[SPOOL_REQUESTED];
}

/* Where this fails the step itself fails and tells so, or the gate is looked after a second later. */
void space_lift_gate(struct spool *sp, int dir_fd)
{
	if (is_behind_gate(sp, dir_fd))
		(void)set_gate(sp, false);
}

void space_lower_gate(struct spool *sp, int dir_fd)
{
	if (is_behind_gate(sp, dir_fd))
		(void)set_gate(sp, true);
}
