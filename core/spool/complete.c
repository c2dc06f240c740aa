/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/complete.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "spool/quarantine.h"

const char complete_aside[] = ".aside";

enum {
	COMPARE_SIZE = 16384,
	ASIDE_SIZE = REQID_SIZE + 8
};

/* A result belongs to who asked for it.  Only root can arrange that, and only root needs to. */
static int give_to_requester(struct spool *sp, int fd, const char *name)
{
	struct stat st;
	int rc = sp->io->fstatat(sp->dir_fd[SPOOL_RUNNING], name, &st, AT_SYMLINK_NOFOLLOW);
	if (rc < 0 || st.st_uid == sp->owner)
		return rc;
	return sp->io->fchown(fd, st.st_uid, (gid_t)-1);
}

static bool is_synced(const struct spool *sp)
{
	return sp->durability != SPOOL_DURABILITY_NONE;
}

static int write_result(
	struct spool *sp, const char *name, const void *bytes, size_t len, int *ret_fd)
{
	int fd = sp->io->openat(
		sp->tmp_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd;
	int rc = spool_io_write_all(sp->io, fd, bytes, len);
	if (rc == 0 && sp->as_root)
		rc = give_to_requester(sp, fd, name);
	if (rc < 0 || !is_synced(sp))
		return spool_io_put_end(sp->io, sp->tmp_fd, name, fd, rc);
	*ret_fd = fd;
	return 0;
}

/* Does 3 hold these very bytes: has an earlier try come as far as the exchange?  1, 0, -errno. */
static int is_in_place(const struct spool *sp, const char *name, const void *bytes, size_t len)
{
	char chunk[COMPARE_SIZE];
	struct stat st;
	int fd = sp->io->openat(sp->dir_fd[SPOOL_RUNNING], name, SPOOL_IO_READ, 0);
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -EIO)
		return fd;
	if (fd < 0) /* no file, or one that is no result of ours */
		return 0;
	int rc = sp->io->fstat(fd, &st);
	if (rc == 0)
		rc = S_ISREG(st.st_mode) && (size_t)st.st_size == len;
	for (size_t at = 0; rc == 1 && at < len;) {
		size_t want = len - at < sizeof chunk ? len - at : sizeof chunk;
		ssize_t n = spool_io_pread_all(sp->io, fd, chunk, want, (off_t)at);
		rc = n < 0 ? (int)n
			   : n == (ssize_t)want &&
				     memcmp(chunk, (const char *)bytes + at, want) == 0;
		at += want;
	}
	(void)sp->io->close(fd);
	return rc;
}

/*
 * Where the file system cannot exchange: a second name keeps the request while the result is
 * renamed over it, so 3 holds the one or the other at every instant.  Each step may be repeated.
 */
static int exchange_by_link(struct spool *sp, const char *name)
{
	int running_fd = sp->dir_fd[SPOOL_RUNNING];
	char aside[ASIDE_SIZE];
	snprintf(aside, sizeof aside, "%s%s", name, complete_aside);
	int rc = sp->io->linkat(running_fd, name, sp->tmp_fd, aside, 0);
	if (rc < 0 && rc != -EEXIST)
		return rc;
	rc = sp->io->renameat2(sp->tmp_fd, name, running_fd, name, 0);
	if (rc < 0) {
		/* A request with two names would be refused when it is read again. */
		(void)sp->io->unlinkat(sp->tmp_fd, aside, 0);
		return rc;
	}
	return sp->io->renameat2(sp->tmp_fd, aside, sp->tmp_fd, name, 0);
}

static int exchange(struct spool *sp, const char *name)
{
	if (sp->no_exchange)
		return exchange_by_link(sp, name);
	return sp->io->renameat2(
		sp->tmp_fd, name, sp->dir_fd[SPOOL_RUNNING], name, RENAME_EXCHANGE);
}

/* What the result has replaced goes last: that wakes its waiter. */
static int retire(
	struct spool *sp, bool beside, const char *name, const void *reason, size_t len, bool last)
{
	int dir_fd = beside ? sp->dir_fd[SPOOL_RUNNING] : sp->tmp_fd;
	int rc = reason ? quarantine_put(sp, dir_fd, name, reason, len) : -ENOTSUP;
	if (rc < 0 && (!reason || last)) {
		rc = sp->io->unlinkat(dir_fd, name, 0);
		if (rc == -EISDIR)
			rc = quarantine_put(sp, dir_fd, name, reason, len);
	}
	/* Another user's, or gone: no use in more tries.  A left-over is recovery's to remove. */
	return rc == -ENOENT || rc == -EPERM || rc == -EACCES ? 0 : rc;
}

/* Make visible what stands in `from_fd`.  1: 4 holds that id, and the result is in quarantine. */
static int show(struct spool *sp, int from_fd, const char *name)
{
	int rc = sp->io->renameat2(
		from_fd, name, sp->dir_fd[SPOOL_COMPLETE], name, RENAME_NOREPLACE);
	if (rc != -EEXIST)
		return rc;
	rc = quarantine_put(sp, from_fd, name, NULL, 0);
	return rc < 0 ? rc : 1;
}

static int fail(struct wq_err *err, int rc, const char *name)
{
	if (rc == 1)
		return err_set(err, -EEXIST,
			"%s holds '%s' already; the new result is in quarantine",
			spool_state_name(SPOOL_COMPLETE), name);
	return rc < 0 ? err_set(err, rc, "cannot publish the result of '%s'", name) : 0;
}

int complete_open(const struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	return sp->io->openat(sp->dir_fd[SPOOL_RUNNING], reqid_format(id, name), SPOOL_IO_READ, 0);
}

/* What was written but could not be brought to disk: the request takes its place in 3 again. */
static int undo(struct spool *sp, const char *name)
{
	int rc = exchange(sp, name);
	return rc < 0 ? rc : sp->io->unlinkat(sp->tmp_fd, name, 0);
}

/* tmp holds something under the name.  1: 3 holds the result, there is nothing more to write. */
static int clear_tmp(struct spool *sp, const char *name, const void *result, size_t len, bool fresh)
{
	int in_place = is_in_place(sp, name, result, len);
	if (in_place != 0)
		return in_place == 1 && fresh ? undo(sp, name) : in_place;
	/* Most likely the half of an earlier result; but in case it is the request, kept. */
	int rc = quarantine_put(sp, sp->tmp_fd, name, NULL, 0);
	return rc == -ENOENT ? 0 : rc;
}

static int put_in_place(struct spool *sp, const char *name)
{
	int rc = exchange(sp, name);
	if (sp->no_exchange && (rc == -EPERM || rc == -EMLINK || rc == -EACCES))
		return COMPLETE_BESIDE;
	if (rc < 0)
		(void)sp->io->unlinkat(sp->tmp_fd, name, 0);
	return rc;
}

int complete_write(struct spool *sp, struct reqid id, const void *result, size_t len, bool fresh,
	int *ret_fd, struct wq_err *err)
{
	char name[REQID_SIZE];
	int fd = -1;
	int rc = write_result(sp, reqid_format(id, name), result, len, &fd);
	if (rc == -EEXIST) {
		rc = clear_tmp(sp, name, result, len, fresh);
		if (rc == 1) {
			fd = is_synced(sp) ? complete_open(sp, id) : -1;
			*ret_fd = fd;
			return is_synced(sp) && fd < 0 ? fail(err, fd, name) : 0;
		}
		if (rc == 0)
			rc = write_result(sp, name, result, len, &fd);
	}
	if (rc == 0)
		rc = put_in_place(sp, name);
	if (rc < 0 && fd >= 0)
		(void)sp->io->close(fd);
	*ret_fd = rc < 0 ? -1 : fd;
	return rc < 0 ? fail(err, rc, name) : rc;
}

int complete_show(struct spool *sp, struct reqid id, bool beside, const void *reason,
	size_t reason_len, struct wq_err *err)
{
	char name[REQID_SIZE];
	int running_fd = sp->dir_fd[SPOOL_RUNNING];
	int rc = show(sp, beside ? sp->tmp_fd : running_fd, reqid_format(id, name));
	bool is_left = rc >= 0 && retire(sp, beside, name, reason, reason_len, false) < 0;
	return rc == 0 && is_left ? COMPLETE_LEFT : fail(err, rc, name);
}

int complete_retire(struct spool *sp, struct reqid id, bool beside, const void *reason,
	size_t reason_len, bool last)
{
	char name[REQID_SIZE];
	return retire(sp, beside, reqid_format(id, name), reason, reason_len, last);
}

int complete_exchange(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	return exchange(sp, reqid_format(id, name));
}

int complete_drop_tmp(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	int rc = sp->io->unlinkat(sp->tmp_fd, reqid_format(id, name), 0);
	if (rc == -EISDIR)
		rc = quarantine_put(sp, sp->tmp_fd, name, NULL, 0);
	return rc == -ENOENT ? 0 : rc;
}
