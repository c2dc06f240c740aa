/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/read.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"

enum {
	OTHERS_WRITE = S_IWGRP | S_IWOTH
};

/* What is read: names for messages, and what is asked of it. */
struct reading {
	const struct spool *sp;
	enum spool_state state;
	const char *name;
	size_t limit, head;
	bool is_result;
	struct wq_err *err;
};

static int refuse(const struct reading *r, int code, const char *word, const char *why)
{
	return err_set_name(
		r->err, code, word, "%s/%s %s", spool_state_name(r->state), r->name, why);
}

static int open_file(const struct reading *r)
{
	int fd = r->sp->io->openat(r->sp->dir_fd[r->state], r->name, SPOOL_IO_READ, 0);
	switch (fd) {
	case -ELOOP: /* a symbolic link */
	case -ENXIO: /* a socket, or a device without a driver */
	case -ENODEV:
		return refuse(r, -WQ_E_FORMAT, "not-regular", "is not a plain file");
	case -EAGAIN:
		return refuse(r, -EAGAIN, "leased", "is under a lease");
	case -EACCES:
	case -EPERM:
		if (!r->is_result)
			return refuse(
				r, -WQ_E_FORMAT, "unreadable", "may not be read by the server");
		break;
	default:
		break;
	}
	if (fd < 0)
		return err_set(
			r->err, fd, "cannot open %s/%s", spool_state_name(r->state), r->name);
	return fd;
}

static int check_request(const struct reading *r, const struct stat *st)
{
	if (st->st_uid != r->sp->owner && st->st_uid != 0)
		return refuse(r, -WQ_E_FORMAT, "bad-owner",
			"belongs to a user who may not make requests");
	/* A second name could be used to change it behind our back. */
	if (st->st_nlink != 1)
		return refuse(r, -WQ_E_FORMAT, "linked", "has more than one name");
	if (st->st_mode & OTHERS_WRITE)
		return refuse(
			r, -WQ_E_FORMAT, "bad-mode", "may be written by others than its owner");
	return 0;
}

static int check(const struct reading *r, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return refuse(r, -WQ_E_FORMAT, "not-regular", "is not a plain file");
	if (st->st_nlink == 0)
		return err_set(
			r->err, -ENOENT, "%s/%s is gone", spool_state_name(r->state), r->name);
	if (st->st_size == 0)
		return refuse(r, -WQ_E_FORMAT, "empty", "is empty");
	if ((uint64_t)st->st_size > r->limit)
		return err_set_name(r->err, -WQ_E_LIMIT, "too-big",
			"%s/%s has %lld bytes, the limit is %zu", spool_state_name(r->state),
			r->name, (long long)st->st_size, r->limit);
	if (!r->is_result)
		return check_request(r, st);
	if (st->st_uid != r->sp->owner && st->st_uid != geteuid())
		return refuse(r, -WQ_E_FORMAT, "bad-owner", "was not written by the server");
	return 0;
}

/* Read what fstat has promised, and find it no longer and no shorter. */
static int read_bytes(const struct reading *r, int fd, size_t size, struct buf *ret)
{
	size_t want = r->head && r->head < size ? r->head : size;
	size_t ask = want + (want == size);
	if (buf_reserve(ret, ask) < 0)
		return err_set(
			r->err, -ENOMEM, "cannot read %s/%s", spool_state_name(r->state), r->name);
	ssize_t n = spool_io_pread_all(r->sp->io, fd, ret->data + ret->len, ask, 0);
	if (n < 0)
		return err_set(
			r->err, (int)n, "cannot read %s/%s", spool_state_name(r->state), r->name);
	if ((size_t)n != want)
		return refuse(r, -WQ_E_FORMAT, "changed", "changed while it was read");
	ret->len += want;
	return 0;
}

static int read_file(const struct reading *r, struct buf *ret, uid_t *ret_uid)
{
	struct stat st;
	int fd = open_file(r);
	if (fd < 0)
		return fd;
	int rc = r->sp->io->fstat(fd, &st);
	if (rc < 0)
		err_set(r->err, rc, "cannot look at %s/%s", spool_state_name(r->state), r->name);
	if (rc == 0)
		rc = check(r, &st);
	if (rc == 0)
		rc = read_bytes(r, fd, (size_t)st.st_size, ret);
	if (rc == 0 && ret_uid)
		*ret_uid = st.st_uid;
	(void)r->sp->io->close(fd);
	return rc;
}

int read_request(struct spool *sp, enum spool_state state, struct reqid id, size_t limit,
	size_t head, struct buf *ret, uid_t *ret_uid, struct wq_err *err)
{
	char name[REQID_SIZE];
	struct reading r = {
		.sp = sp,
		.state = state,
		.name = reqid_format(id, name),
		.limit = limit,
		.head = head,
		.err = err,
	};
	return read_file(&r, ret, ret_uid);
}

int read_result(
	struct spool *sp, struct reqid id, size_t limit, struct buf *ret, struct wq_err *err)
{
	char name[REQID_SIZE];
	struct reading r = {
		.sp = sp,
		.state = SPOOL_COMPLETE,
		.name = reqid_format(id, name),
		.limit = limit,
		.is_result = true,
		.err = err,
	};
	return read_file(&r, ret, NULL);
}

int read_collect(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	return sp->io->unlinkat(sp->dir_fd[SPOOL_COMPLETE], reqid_format(id, name), 0);
}
