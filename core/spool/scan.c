/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A million names of an id's length are about 600 of these. */
enum {
	BUFFER_SIZE = 128 * 1024
};

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static int tell(const char *bytes, size_t len, scan_fn *fn, void *arg)
{
	for (size_t at = 0; at < len;) {
		const struct dirent64 *entry = (const void *)(bytes + at);
		struct reqid id = { 0 };
		at += entry->d_reclen;
		if (is_dots(entry->d_name))
			continue;
		bool is_id = reqid_parse(entry->d_name, strlen(entry->d_name), &id);
		int rc = fn(arg, id, is_id ? NULL : entry->d_name);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int scan_begin(struct scan *s, const struct spool_io *io, int dir_fd)
{
	/* Opened anew: a place of its own in the directory, and readable where dir_fd is O_PATH. */
	int fd = io->openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	*s = (struct scan){ .fd = fd, .buffer = malloc(BUFFER_SIZE) };
	if (s->buffer)
		return 0;
	(void)io->close(fd);
	return -ENOMEM;
}

int scan_some(struct scan *s, const struct spool_io *io, scan_fn *fn, void *arg)
{
	ssize_t n = io->getdents(s->fd, s->buffer, BUFFER_SIZE);
	if (n <= 0)
		return (int)n;
	int rc = tell(s->buffer, (size_t)n, fn, arg);
	return rc < 0 ? rc : 1;
}

void scan_end(struct scan *s, const struct spool_io *io)
{
	free(s->buffer);
	(void)io->close(s->fd);
}

int scan_io(const struct spool_io *io, int dir_fd, scan_fn *fn, void *arg)
{
	struct scan s;
	int rc = scan_begin(&s, io, dir_fd);
	if (rc < 0)
		return rc;
	do
		rc = scan_some(&s, io, fn, arg);
	while (rc > 0);
	scan_end(&s, io);
	return rc;
}

int scan_state(const struct spool *sp, enum spool_state state, scan_fn *fn, void *arg)
{
	return scan_io(sp->io, sp->dir_fd[state], fn, arg);
}
