/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/work.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fdio.h"
#include "spool/scan.h"

enum {
	DEPTH_MAX = 64,      /* directories in each other, the work directory the first */
	PASSES_MAX = 16,     /* listings of one directory: some miss names while others go */
	PERMISSIONS = 07777, /* of a mode */
	BLOCK = 512,         /* the unit of st_blocks */
	MEASURED_MAX = 16384 /* names; so that a look is short whatever a task has left */
};

/* ---- names ------------------------------------------------------------------------------------ */

char *work_name(struct reqid id, uint32_t attempt, char ret[WORK_NAME_SIZE])
{
	reqid_format(id, ret);
	snprintf(ret + REQID_LEN, WORK_NAME_SIZE - REQID_LEN, ".%" PRIu32, attempt);
	return ret;
}

bool work_parse(const char *name, struct reqid *ret_id, uint32_t *ret_attempt)
{
	char again[WORK_NAME_SIZE];
	struct reqid id;
	size_t len = strlen(name);
	if (len < REQID_LEN + 2 || len >= WORK_NAME_SIZE || name[REQID_LEN] != '.' ||
		!reqid_parse(name, REQID_LEN, &id))
		return false;
	uint32_t attempt = (uint32_t)strtoul(name + REQID_LEN + 1, NULL, 10);
	/* There is one way to write it: no signs, no leading zeros, nothing that does not fit. */
	if (strcmp(work_name(id, attempt, again), name) != 0)
		return false;
	*ret_id = id;
	*ret_attempt = attempt;
	return true;
}

/* ---- removal ---------------------------------------------------------------------------------- */

/* One directory that is being emptied. */
struct level {
	const struct spool *sp;
	dev_t dev; /* of all that may be removed */
	int depth;
	int fd;
	int removed; /* in this pass */
	int rc;      /* the first failure */
};

static int remove_entry(const struct level *in, const char *name);

static int on_entry(void *arg, struct reqid id, const char *name)
{
	struct level *level = arg;
	char text[REQID_SIZE];
	int rc = remove_entry(level, name ? name : reqid_format(id, text));
	level->removed += rc == 0;
	if (rc < 0 && level->rc == 0)
		level->rc = rc;
	return 0; /* the rest goes all the same */
}

/* The owner of a directory may have taken away his own right to list it. */
static int allow(const struct spool *sp, int dir_fd, const char *name)
{
	char proc[40];
	struct stat st;
	int fd = sp->io->openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	int rc = sp->io->fstat(fd, &st);
	if (rc == 0)
		rc = st.st_uid == sp->owner ? sp->io->chmod(fdio_proc_path(fd, proc),
						      (st.st_mode & PERMISSIONS) | S_IRWXU)
					    : -EACCES;
	(void)sp->io->close(fd);
	return rc;
}

/* Open a directory to list it and to remove from it. */
static int open_level(const struct level *in, const char *name, struct level *ret)
{
	enum {
		HOW = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
	};
	const struct spool *sp = in->sp;
	struct stat st;
	int fd = sp->io->openat(in->fd, name, HOW, 0);
	if (fd == -EACCES) {
		int rc = allow(sp, in->fd, name);
		if (rc < 0)
			return rc;
		fd = sp->io->openat(in->fd, name, HOW, 0);
	}
	if (fd < 0)
		return fd;
	int rc = sp->io->fstat(fd, &st);
	if (rc == 0 && st.st_dev != in->dev)
		rc = -EXDEV;
	if (rc == 0 && st.st_uid == sp->owner && (st.st_mode & S_IRWXU) != S_IRWXU)
		rc = sp->io->fchmod(fd, (st.st_mode & PERMISSIONS) | S_IRWXU);
	if (rc < 0) {
		(void)sp->io->close(fd);
		return rc;
	}
	*ret = (struct level){ .sp = sp, .dev = in->dev, .depth = in->depth + 1, .fd = fd };
	return 0;
}

/* A directory with something in it. */
static int remove_full(const struct level *in, const char *name)
{
	struct level level;
	/* As with a path that is too long: deeper than the walk goes. */
	if (in->depth == DEPTH_MAX)
		return -ENAMETOOLONG;
	int rc = open_level(in, name, &level);
	if (rc < 0)
		return rc;
	for (int pass = 0; pass < PASSES_MAX; pass++) {
		level.removed = 0;
		rc = scan_io(in->sp->io, level.fd, on_entry, &level);
		if (rc == 0)
			rc = level.rc;
		if (rc == 0)
			rc = in->sp->io->unlinkat(in->fd, name, AT_REMOVEDIR);
		/* Not all file systems list each name while others are removed. */
		if ((rc != -ENOTEMPTY && rc != -EEXIST) || level.removed == 0)
			break;
	}
	(void)in->sp->io->close(level.fd);
	return rc;
}

/*
 * Remove one name, whatever it is.  rmdir(2) comes before any look into a directory, and not only
 * for speed: it refuses a mount point with EBUSY, also one of the same file system, whose device
 * number tells nothing.
 */
static int remove_entry(const struct level *in, const char *name)
{
	const struct spool_io *io = in->sp->io;
	int rc = io->unlinkat(in->fd, name, 0);
	if (rc == -EISDIR) {
		rc = io->unlinkat(in->fd, name, AT_REMOVEDIR);
		if (rc == -ENOTEMPTY || rc == -EEXIST)
			rc = remove_full(in, name);
	}
	return rc == -ENOENT ? 0 : rc;
}

static int remove_tree(const struct spool *sp, const char *name)
{
	struct stat st;
	int rc = sp->io->fstat(sp->work_fd, &st);
	if (rc < 0)
		return rc;
	const struct level top = { .sp = sp, .dev = st.st_dev, .fd = sp->work_fd };
	return remove_entry(&top, name);
}

int work_exists(const struct spool *sp, struct reqid id, uint32_t attempt)
{
	char name[WORK_NAME_SIZE];
	struct stat st;
	int rc = sp->io->fstatat(
		sp->work_fd, work_name(id, attempt, name), &st, AT_SYMLINK_NOFOLLOW);
	return rc == 0 ? 1 : rc == -ENOENT ? 0 : rc;
}

int work_remove(struct spool *sp, struct reqid id, uint32_t attempt)
{
	char name[WORK_NAME_SIZE];
	return remove_tree(sp, work_name(id, attempt, name));
}

struct removal {
	struct spool *sp;
	struct reqid id;
	int rc;
};

static int remove_attempt(void *arg, struct reqid none, const char *name)
{
	struct removal *removal = arg;
	struct reqid id;
	uint32_t attempt;
	(void)none;
	if (!name || !work_parse(name, &id, &attempt) || !reqid_is(id, removal->id))
		return 0;
	int rc = remove_tree(removal->sp, name);
	if (rc < 0 && removal->rc == 0)
		removal->rc = rc;
	return 0;
}

int work_remove_all(struct spool *sp, struct reqid id)
{
	struct removal removal = { .sp = sp, .id = id };
	int rc = scan_io(sp->io, sp->work_fd, remove_attempt, &removal);
	return rc < 0 ? rc : removal.rc;
}

int work_make(struct spool *sp, struct reqid id, uint32_t attempt)
{
	char name[WORK_NAME_SIZE];
	work_name(id, attempt, name);
	int rc = sp->io->mkdirat(sp->work_fd, name, 0700);
	if (rc != -EEXIST)
		return rc;
	rc = remove_tree(sp, name);
	return rc < 0 ? rc : sp->io->mkdirat(sp->work_fd, name, 0700);
}

/* ---- size -------------------------------------------------------------------------------------- */

struct measure {
	const struct spool *sp;
	dev_t dev;
	int fd, depth;
	int looks; /* left */
	uint64_t bytes;
};

static int measure_entry(void *arg, struct reqid id, const char *name);

static void measure_inside(struct measure *m, const char *name)
{
	int outer = m->fd;
	int fd = m->sp->io->openat(outer, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	m->fd = fd;
	m->depth++;
	(void)scan_io(m->sp->io, fd, measure_entry, m); /* what cannot be listed does not count */
	m->depth--;
	m->fd = outer;
	(void)m->sp->io->close(fd);
}

static int measure_entry(void *arg, struct reqid id, const char *name)
{
	struct measure *m = arg;
	char text[REQID_SIZE];
	struct stat st;
	if (!name)
		name = reqid_format(id, text);
	if (m->looks-- <= 0)
		return -E2BIG;
	if (m->sp->io->fstatat(m->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != m->dev)
		return 0;
	m->bytes += (uint64_t)st.st_blocks * BLOCK;
	if (S_ISDIR(st.st_mode) && m->depth < DEPTH_MAX)
		measure_inside(m, name);
	return 0;
}

uint64_t work_measure(const struct spool *sp, struct reqid id, uint32_t attempt)
{
	char name[WORK_NAME_SIZE];
	struct stat st;
	if (sp->io->fstat(sp->work_fd, &st) < 0)
		return 0;
	struct measure m = { .sp = sp, .dev = st.st_dev, .fd = sp->work_fd, .looks = MEASURED_MAX };
	(void)measure_entry(&m, id, work_name(id, attempt, name));
	return m.bytes;
}

/* ---- handles ---------------------------------------------------------------------------------- */

int work_put_handle(
	struct spool *sp, struct reqid id, uint32_t attempt, const void *bytes, size_t len)
{
	char name[WORK_NAME_SIZE];
	if (len > WORK_HANDLE_MAX)
		return -EFBIG;
	work_name(id, attempt, name);
	int rc = spool_io_put(sp->io, sp->tmp_fd, name, O_TRUNC, bytes, len);
	if (rc < 0)
		return rc;
	rc = sp->io->renameat2(sp->tmp_fd, name, sp->handles_fd, name, 0);
	if (rc < 0)
		(void)sp->io->unlinkat(sp->tmp_fd, name, 0);
	return rc;
}

static int read_handle(const struct spool *sp, int fd, struct buf *ret)
{
	struct stat st;
	int rc = sp->io->fstat(fd, &st);
	if (rc < 0)
		return rc;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* One byte more is asked for, so that "more than" is seen. */
	rc = buf_reserve(ret, WORK_HANDLE_MAX + 1);
	if (rc < 0)
		return rc;
	ssize_t n = spool_io_pread_all(sp->io, fd, ret->data + ret->len, WORK_HANDLE_MAX + 1, 0);
	if (n < 0)
		return (int)n;
	if (n > WORK_HANDLE_MAX)
		return -EFBIG;
	ret->len += (size_t)n;
	return 0;
}

int work_get_handle(struct spool *sp, struct reqid id, uint32_t attempt, struct buf *ret)
{
	char name[WORK_NAME_SIZE];
	int fd = sp->io->openat(sp->handles_fd, work_name(id, attempt, name), SPOOL_IO_READ, 0);
	if (fd < 0)
		return fd;
	int rc = read_handle(sp, fd, ret);
	(void)sp->io->close(fd);
	return rc;
}

int work_drop_handle(struct spool *sp, struct reqid id, uint32_t attempt)
{
	char name[WORK_NAME_SIZE];
	int rc = sp->io->unlinkat(sp->handles_fd, work_name(id, attempt, name), 0);
	return rc == -ENOENT ? 0 : rc;
}
