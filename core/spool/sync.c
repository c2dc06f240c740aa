/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/sync.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>

bool sync_must_be_whole(int fd)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC;
}

unsigned sync_dirs(const struct spool *sp, unsigned changed, unsigned all)
{
	return sp->has_journal ? changed : all;
}

/* Started all before any is waited for, so that the device sees them together. */
static void sync_files(const struct spool *sp, struct sync_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)sp->io->start_writeback(files[i].fd); /* the sync itself tells what fails */
	for (size_t i = 0; i < n; i++)
		files[i].rc = sp->io->fsync(files[i].fd);
}

static int sync_each(const struct spool *sp, unsigned dirs)
{
	int rc = 0;
	for (unsigned d = 0; 1u << d <= SYNC_TMP; d++) {
		if (!(dirs & 1u << d))
			continue;
		int one = sp->io->fsync(1u << d == SYNC_TMP ? sp->tmp_fd : sp->dir_fd[d]);
		rc = rc < 0 ? rc : one;
	}
	return rc;
}

int sync_now(const struct spool *sp, unsigned dirs, struct sync_file *files, size_t n_files)
{
	for (size_t i = 0; i < n_files; i++)
		files[i].rc = 0;
	if (sp->durability == SPOOL_DURABILITY_NONE)
		return 0;
	if (!sp->sync_whole) {
		sync_files(sp, files, n_files);
		return sync_each(sp, dirs);
	}
	int rc = sp->io->syncfs(sp->root_fd);
	for (size_t i = 0; i < n_files; i++)
		files[i].rc = rc;
	return rc;
}
