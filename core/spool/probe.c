/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fdio.h"
#include "spool/layout.h"
#include "spool/sync.h"

const char probe_name[] = ".probe";
static const char other_name[] = ".probe2";

enum {
	OPTIONS_MAX = 16384
};

static int make_empty(const struct spool *sp, int dir, const char *name)
{
	int fd = sp->io->openat(
		dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	return fd < 0 ? fd : sp->io->close(fd);
}

/*
 * Take a file through all directories that share renames.  Equal device numbers would not do: a
 * rename between two mounts of one file system fails too.
 */
static int probe_renames(struct spool *sp, const char *path, struct wq_err *err)
{
	const struct {
		int fd;
		const char *name;
	} round[] = {
		{ sp->tmp_fd, ".wq/tmp" },
		{ sp->dir_fd[SPOOL_REQUESTED], spool_state_name(SPOOL_REQUESTED) },
		{ sp->dir_fd[SPOOL_PENDING], spool_state_name(SPOOL_PENDING) },
		{ sp->dir_fd[SPOOL_RUNNING], spool_state_name(SPOOL_RUNNING) },
		{ sp->dir_fd[SPOOL_COMPLETE], spool_state_name(SPOOL_COMPLETE) },
		{ sp->finished_fd, "finished" },
		{ sp->dir_fd[SPOOL_ABORTING], spool_state_name(SPOOL_ABORTING) },
		{ sp->handles_fd, ".wq/handles" },
		{ sp->attempts_fd, ".wq/attempts" },
		{ sp->quarantine_fd, ".wq/quarantine" },
		{ sp->tmp_fd, ".wq/tmp" },
	};
	for (size_t i = 0; i + 1 < sizeof round / sizeof *round; i++) {
		/* A server killed in this loop has left one. */
		(void)sp->io->unlinkat(round[i + 1].fd, probe_name, 0);
		int rc = sp->io->renameat2(
			round[i].fd, probe_name, round[i + 1].fd, probe_name, RENAME_NOREPLACE);
		if (rc == 0)
			continue;
		(void)sp->io->unlinkat(round[i].fd, probe_name, 0);
		if (rc == -EXDEV)
			return err_set(err, -WQ_E_UNSUPPORTED,
				"'%s' and '%s' of the spool '%s' are on different mounts; all of "
				"it must be on one",
				round[i].name, round[i + 1].name, path);
		if (rc == -EINVAL || rc == -ENOSYS)
			return err_set(err, -WQ_E_UNSUPPORTED,
				"the file system of '%s' cannot rename without replacing "
				"(RENAME_NOREPLACE); use ext4, xfs, btrfs or tmpfs",
				path);
		return err_set(err, rc, "cannot move a file from '%s/%s' to '%s'", path,
			round[i].name, round[i + 1].name);
	}
	return 0;
}

static bool can_exchange(const struct spool *sp)
{
	return make_empty(sp, sp->tmp_fd, other_name) == 0 &&
	       sp->io->renameat2(sp->tmp_fd, probe_name, sp->tmp_fd, other_name, RENAME_EXCHANGE) ==
		       0;
}

static bool can_link_tmpfile(const struct spool *sp)
{
	char proc[40];
	int fd = sp->io->openat(sp->tmp_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	(void)sp->io->unlinkat(sp->tmp_fd, other_name, 0);
	int rc = sp->io->linkat(
		AT_FDCWD, fdio_proc_path(fd, proc), sp->tmp_fd, other_name, AT_SYMLINK_FOLLOW);
	(void)sp->io->close(fd);
	return rc == 0;
}

/* The options that ext4 is mounted with, those by default too: only here does the kernel tell of fast
 * commits, and of a journal.  "" where it does not say. */
static void read_ext4_options(const struct spool *sp, char *ret, size_t size)
{
	struct stat st;
	char link[64], target[PATH_MAX], file[PATH_MAX];
	ret[0] = '\0';
	if (sp->io->fstat(sp->root_fd, &st) < 0)
		return;
	snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	ssize_t n = readlink(link, target, sizeof target - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	const char *slash = strrchr(target, '/');
	snprintf(file, sizeof file, "/proc/fs/ext4/%s/options", slash ? slash + 1 : target);
	auto_close int fd = open(file, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fdio_pread(fd, ret, size - 1, 0);
	ret[n < 0 ? 0 : n] = '\0';
}

/*
 * ext4 with fast commits: an unnamed file that is linked shortly before a power cut can leave a
 * journal that does not replay and a file system that does not mount.  With a named file that is
 * rarer, and was seen too.  "data=" stands only where there is a journal.
 */
static void probe_ext4(struct spool *sp)
{
	char options[OPTIONS_MAX + 1];
	read_ext4_options(sp, options, sizeof options);
	bool fast = strstr(options, "fast_commit") || strstr(options, "fc_debug_force");
	if (fast)
		sp->named_tmp = true;
	sp->has_journal = strstr(options, "data=") != NULL;
	if (options[0] && !sp->has_journal)
		sp->weakness = "ext4 without a journal";
	else if (fast)
		sp->weakness = "ext4 with fast_commit, which may not mount after a power cut";
}

/* A subvolume of btrfs has a device number of its own, too, but is not mounted. */
static bool is_mount(const struct spool *sp)
{
	struct statx here;
	struct stat root, above;
	return statx(sp->root_fd, "", AT_EMPTY_PATH, 0, &here) == 0 &&
	       (here.stx_attributes & STATX_ATTR_MOUNT_ROOT) &&
	       sp->io->fstat(sp->root_fd, &root) == 0 &&
	       sp->io->fstatat(sp->root_fd, "..", &above, 0) == 0 && root.st_dev != above.st_dev;
}

/* What a sync is worth here, and which it takes. */
static void probe_kind(struct spool *sp)
{
	struct statfs fs;
	if (fstatfs(sp->root_fd, &fs) == 0) {
		if (fs.f_type == EXT4_SUPER_MAGIC)
			probe_ext4(sp);
		else if (fs.f_type == XFS_SUPER_MAGIC)
			sp->has_journal = true;
		else if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
			sp->weakness = "a file system in memory";
	}
	sp->sync_whole = sync_must_be_whole(sp->root_fd) || is_mount(sp);
}

int probe_file_system(struct spool *sp, const char *path, struct wq_err *err)
{
	int rc = make_empty(sp, sp->tmp_fd, probe_name);
	if (rc < 0)
		return err_set(err, rc, "cannot make a file in '%s/.wq/tmp'", path);
	rc = probe_renames(sp, path, err);
	if (rc == 0) {
		sp->no_exchange = !can_exchange(sp);
		sp->named_tmp = !can_link_tmpfile(sp);
		probe_kind(sp);
	}
	(void)sp->io->unlinkat(sp->tmp_fd, probe_name, 0);
	(void)sp->io->unlinkat(sp->tmp_fd, other_name, 0);
	if (rc == 0 && sp->named_tmp) {
		/* Clients cannot find out by themselves. */
		rc = make_empty(sp, sp->root_fd, layout_named_tmp_name);
		if (rc < 0)
			return err_set(err, rc, "cannot make '%s/%s'", path, layout_named_tmp_name);
	}
	return rc;
}
