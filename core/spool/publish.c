/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fdio.h"
#include "spool/sync.h"

enum {
	DRAWS = 9, /* the first and eight more */
	DRAFT_NAME_SIZE = 16,
	MODE = 0600
};

/* A request on its way: an open file without a name, or with one that starts with ".t". */
struct draft {
	int fd;
	char name[DRAFT_NAME_SIZE]; /* "" for an unnamed file */
};

static int draw_id(struct spool *sp, struct reqid *ret)
{
	uint64_t us = sp->io->wall_us();
	if (us <= sp->hwm_us)
		us = sp->hwm_us + 1;
	if (us <= sp->last_us)
		us = sp->last_us + 1;
	if (us > REQID_US_MAX)
		return -EOVERFLOW;
	int rc = sp->io->random(&ret->suffix, sizeof ret->suffix);
	if (rc < 0)
		return rc;
	ret->us = us;
	/* Moved on even if this id is not to be had: so a collision makes progress. */
	sp->last_us = us;
	return 0;
}

static int open_named(struct spool *sp, struct draft *ret)
{
	int dir = sp->dir_fd[SPOOL_REQUESTED];
	int fd = -EEXIST;
	for (int i = 0; i < DRAWS && fd == -EEXIST; i++) {
		struct reqid id = { 0 };
		char text[REQID_SIZE];
		int rc = sp->io->random(&id.suffix, sizeof id.suffix);
		if (rc < 0)
			return rc;
		snprintf(ret->name, sizeof ret->name, ".t%s",
			strrchr(reqid_format(id, text), '-') + 1);
		fd = sp->io->openat(
			dir, ret->name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, MODE);
	}
	ret->fd = fd;
	if (fd < 0)
		ret->name[0] = '\0';
	return fd < 0 ? fd : 0;
}

static int open_unnamed(struct spool *sp, struct draft *ret)
{
	ret->fd = sp->io->openat(
		sp->dir_fd[SPOOL_REQUESTED], ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, MODE);
	return ret->fd < 0 ? ret->fd : 0;
}

static bool is_strict(const struct spool *sp)
{
	return sp->durability == SPOOL_DURABILITY_STRICT;
}

/* Closed when it has a name already, so that a write the system had put off fails here. */
static int write_draft(struct spool *sp, struct draft *draft, const void *bytes, size_t len)
{
	int rc = sp->io->fchmod(draft->fd, MODE); /* the umask may have taken bits away */
	if (rc == 0)
		rc = spool_io_write_all(sp->io, draft->fd, bytes, len);
	/* Root publishes in its user's spool: a server without privilege must be able to read it. */
	if (rc == 0 && sp->as_root && sp->owner != 0)
		(void)sp->io->fchown(draft->fd, sp->owner, (gid_t)-1);
	if (rc == 0 && is_strict(sp))
		rc = sp->io->fsync(draft->fd);
	if (rc == 0 && draft->name[0] && !is_strict(sp)) {
		rc = sp->io->close(draft->fd);
		draft->fd = -1;
	}
	return rc;
}

static int give_name(struct spool *sp, const struct draft *draft, struct reqid *ret)
{
	int dir = sp->dir_fd[SPOOL_REQUESTED];
	int rc = -EEXIST;
	for (int i = 0; i < DRAWS && rc == -EEXIST; i++) {
		char text[REQID_SIZE], proc[40];
		rc = draw_id(sp, ret);
		if (rc < 0)
			return rc;
		reqid_format(*ret, text);
		rc = draft->name[0]
			     ? sp->io->renameat2(dir, draft->name, dir, text, RENAME_NOREPLACE)
			     : sp->io->linkat(AT_FDCWD, fdio_proc_path(draft->fd, proc), dir, text,
				       AT_SYMLINK_FOLLOW);
	}
	return rc;
}

/*
 * Its name, too: by syncing the file once more and not the directory, for by now the server may have
 * moved it to 2, and then neither directory would tell of it (tests/model, CLIENT_SYNCS_1).  1: that
 * fails, and it cannot be taken back.
 */
static int sync_name(struct spool *sp, const struct draft *draft, struct reqid id)
{
	char text[REQID_SIZE];
	bool whole = sync_must_be_whole(draft->fd);
	int rc = whole ? sp->io->syncfs(draft->fd) : sp->io->fsync(draft->fd);
	if (rc == 0)
		return 0;
	int gone = sp->io->unlinkat(sp->dir_fd[SPOOL_REQUESTED], reqid_format(id, text), 0);
	return gone == 0 ? rc : 1;
}

/* 1: as sync_name says. */
static int publish(struct spool *sp, bool named, const void *bytes, size_t len, struct reqid *ret)
{
	struct draft draft = { .fd = -1 };
	struct reqid id;
	int rc = named ? open_named(sp, &draft) : open_unnamed(sp, &draft);
	if (rc == 0)
		rc = write_draft(sp, &draft, bytes, len);
	if (rc == 0)
		rc = give_name(sp, &draft, &id);
	if (rc == 0) {
		*ret = id;
		draft.name[0] = '\0';
		rc = is_strict(sp) ? sync_name(sp, &draft, id) : 0;
	}
	if (rc < 0 && draft.name[0])
		(void)sp->io->unlinkat(sp->dir_fd[SPOOL_REQUESTED], draft.name, 0);
	if (draft.fd >= 0)
		(void)sp->io->close(draft.fd);
	return rc;
}

/* O_TMPFILE is unknown to the kernel or the file system, or there is no /proc to link through. */
static bool cannot_be_unnamed(int rc)
{
	return rc == -EOPNOTSUPP || rc == -EISDIR || rc == -EINVAL || rc == -ENOENT || rc == -EXDEV;
}

int publish_request(
	struct spool *sp, const void *bytes, size_t len, struct reqid *ret, struct wq_err *err)
{
	int rc = publish(sp, sp->named_tmp, bytes, len, ret);
	if (!sp->named_tmp && cannot_be_unnamed(rc)) {
		rc = publish(sp, true, bytes, len, ret);
		sp->named_tmp = rc >= 0;
	}
	if (rc == 1)
		return err_set_name(err, -EIO, "not-durable",
			"the request '%s' is published, but cannot be brought to disk",
			reqid_format(*ret, (char[REQID_SIZE]){ 0 }));
	if (rc == -EOVERFLOW)
		return err_set(err, rc,
			"cannot make an id: the clock, or the spool's high-water mark, is past the "
			"year 2286");
	if (rc < 0)
		return err_set(
			err, rc, "cannot put a request into %s", spool_state_name(SPOOL_REQUESTED));
	return 0;
}

int publish_abort(struct spool *sp, struct reqid id, struct wq_err *err)
{
	char text[REQID_SIZE];
	int dir = sp->dir_fd[SPOOL_ABORTING], rc = 0;
	int fd = sp->io->openat(dir, reqid_format(id, text),
		O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, MODE);
	if (fd == -EEXIST) {
		/* Who was first need not have synced it; and it may be done with by now. */
		fd = is_strict(sp) ? sp->io->openat(dir, text, SPOOL_IO_READ, 0) : -ENOENT;
		if (fd == -ENOENT)
			return 0;
	}
	if (fd >= 0 && is_strict(sp))
		rc = sp->io->fsync(fd); /* a new file's name comes with it */
	if (fd >= 0)
		(void)sp->io->close(fd); /* it is empty */
	if (fd < 0 || rc < 0)
		return err_set(err, fd < 0 ? fd : rc, "cannot ask for the abort of '%s' in %s",
			text, spool_state_name(SPOOL_ABORTING));
	return 0;
}
