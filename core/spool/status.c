/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "spool/layout.h"

int status_write(struct spool *sp, const void *bytes, size_t len)
{
	char page[STATUS_SIZE] = { 0 };
	if (len > sizeof page)
		return -EMSGSIZE;
	memcpy(page, bytes, len);
	ssize_t n = sp->io->pwrite(sp->status_fd, page, sizeof page, 0);
	if (n < 0)
		return (int)n;
	return n == STATUS_SIZE ? 0 : -EIO;
}

int status_renew(struct spool *sp, const char *path, struct wq_err *err)
{
	struct stat ours, there;
	int fd = -1, rc = sp->io->fstat(sp->status_fd, &ours);
	if (rc == 0 &&
		sp->io->fstatat(sp->root_fd, layout_status_name, &there, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		there.st_dev == ours.st_dev && there.st_ino == ours.st_ino)
		return ours.st_size == STATUS_SIZE ? 0 : 1;
	rc = layout_open_status(sp, path, &fd, err);
	if (rc < 0) {
		if (fd >= 0)
			(void)sp->io->close(fd);
		return rc;
	}
	(void)sp->io->close(sp->status_fd);
	sp->status_fd = fd;
	return 1;
}

static int read_page(const struct spool *sp, int fd, struct buf *ret)
{
	struct stat st;
	int rc = sp->io->fstat(fd, &st);
	if (rc < 0)
		return rc;
	if (!S_ISREG(st.st_mode) || st.st_uid != sp->owner)
		return -WQ_E_FORMAT;
	if (st.st_nlink == 0)
		return -ESTALE;
	rc = buf_reserve(ret, STATUS_SIZE);
	if (rc < 0)
		return rc;
	ssize_t n = spool_io_pread_all(sp->io, fd, ret->data + ret->len, STATUS_SIZE, 0);
	if (n <= 0)
		return n < 0 ? (int)n : -ENOENT;
	ret->len += (size_t)n;
	return 0;
}

int status_read(const struct spool *sp, struct buf *ret)
{
	int rc = sp->status_fd >= 0 ? read_page(sp, sp->status_fd, ret) : -ESTALE;
	if (rc != -ESTALE)
		return rc;
	/* It was not there, or not fit, when the spool was opened; or it was removed since. */
	int fd = sp->io->openat(sp->root_fd, layout_status_name, SPOOL_IO_READ, 0);
	if (fd == -ELOOP || fd == -ENXIO)
		return -WQ_E_FORMAT;
	if (fd < 0)
		return fd;
	rc = read_page(sp, fd, ret);
	(void)sp->io->close(fd);
	return rc;
}
