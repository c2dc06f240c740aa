/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool/scan.h"
#include "spool/space.h"

enum {
	A_PUT = 2, /* a thing and its reason */
	/* Made at once, so that a flood does not list each time. */
	SLACK = QUARANTINE_MAX_FILES / 8,
	LIST_MAX = 8 * QUARANTINE_MAX_FILES,
	BASE_MAX = NAME_MAX - 15, /* room for ".99" and ".why" */
	SUFFIXES = 100,
	WHY_MAX = 2048 /* more than any reason */
};

static const char reason_name[] = "why"; /* in tmp; swept when a server starts */

struct entry {
	struct timespec since; /* ctime: when it was moved here */
	char name[NAME_MAX + 1];
};

struct listing {
	const struct spool *sp;
	struct entry *entries; /* NULL: only count */
	size_t n, cap;
};

static int count_one(void *arg, struct reqid id, const char *name)
{
	struct listing *list = arg;
	struct stat st;
	if (!list->entries) {
		list->n++;
		return 0;
	}
	if (list->n == list->cap)
		return 0;
	struct entry *entry = &list->entries[list->n];
	if (name)
		snprintf(entry->name, sizeof entry->name, "%s", name);
	else
		reqid_format(id, entry->name);
	if (list->sp->io->fstatat(list->sp->quarantine_fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) <
		0)
		return 0;
	entry->since = st.st_ctim;
	list->n++;
	return 0;
}

static int older(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	if (x->since.tv_sec != y->since.tv_sec)
		return x->since.tv_sec < y->since.tv_sec ? -1 : 1;
	if (x->since.tv_nsec != y->since.tv_nsec)
		return x->since.tv_nsec < y->since.tv_nsec ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int make_room(struct spool *sp)
{
	struct listing list = { .sp = sp };
	int rc = scan_io(sp->io, sp->quarantine_fd, count_one, &list);
	if (rc < 0 || list.n + A_PUT <= QUARANTINE_MAX_FILES)
		return rc;

	size_t n = list.n;
	list.n = 0;
	list.cap = n < LIST_MAX ? n : LIST_MAX;
	list.entries = calloc(list.cap, sizeof *list.entries);
	if (!list.entries)
		return -ENOMEM;
	rc = scan_io(sp->io, sp->quarantine_fd, count_one, &list);
	if (rc == 0)
		qsort(list.entries, list.n, sizeof *list.entries, older);
	for (size_t i = 0; i < list.n && rc == 0 && n + SLACK > QUARANTINE_MAX_FILES; i++) {
		const char *name = list.entries[i].name;
		int gone = sp->io->unlinkat(sp->quarantine_fd, name, 0);
		if (gone == -EISDIR)
			gone = sp->io->unlinkat(sp->quarantine_fd, name, AT_REMOVEDIR);
		if (gone == 0 || gone == -ENOENT)
			n--;
	}
	free(list.entries);
	if (rc == 0 && n + A_PUT > QUARANTINE_MAX_FILES)
		rc = -ENOSPC;
	return rc;
}

/* Change an attribute, and so wake who watches the inode; the file's own time stays. */
static void touch(struct spool *sp, const char *name)
{
	struct stat st;
	if (sp->io->fstatat(sp->quarantine_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, st.st_mtim };
	(void)sp->io->utimensat(sp->quarantine_fd, name, times, AT_SYMLINK_NOFOLLOW);
}

/* Does quarantine hold these very bytes under that name? */
static bool holds(const struct spool *sp, const char *name, const void *bytes, size_t len)
{
	char there[WHY_MAX];
	int fd = sp->io->openat(sp->quarantine_fd, name, SPOOL_IO_READ, 0);
	if (fd < 0)
		return false;
	ssize_t n = spool_io_pread_all(sp->io, fd, there, sizeof there, 0);
	(void)sp->io->close(fd);
	return n == (ssize_t)len && memcmp(there, bytes, len) == 0;
}

/*
 * The reason stands there, whole, before its thing: one that was killed in between is followed by one
 * that puts the same thing with the same reason.  -EEXIST: the name is taken by something else; other
 * failures are none, a thing may be without a reason.
 */
static int explain(
	struct spool *sp, const char *beside, const void *why, size_t len, bool *ret_made)
{
	int rc = spool_io_put(sp->io, sp->tmp_fd, reason_name, O_TRUNC, why, len);
	if (rc == 0)
		rc = sp->io->renameat2(
			sp->tmp_fd, reason_name, sp->quarantine_fd, beside, RENAME_NOREPLACE);
	*ret_made = rc == 0;
	if (rc < 0)
		(void)sp->io->unlinkat(sp->tmp_fd, reason_name, 0);
	return rc == -EEXIST && !holds(sp, beside, why, len) ? -EEXIST : 0;
}

static int put_as(struct spool *sp, int dir_fd, const char *name, const char *to, const void *why,
	size_t why_len)
{
	char beside[NAME_MAX + 1];
	bool made = false;
	snprintf(beside, sizeof beside, "%s.why", to);
	if (why && explain(sp, beside, why, why_len, &made) < 0)
		return -EEXIST;
	int rc = sp->io->renameat2(dir_fd, name, sp->quarantine_fd, to, RENAME_NOREPLACE);
	if (rc < 0 && made)
		(void)sp->io->unlinkat(sp->quarantine_fd, beside, 0);
	return rc;
}

int quarantine_put(struct spool *sp, int dir_fd, const char *name, const void *why, size_t why_len)
{
	char to[NAME_MAX + 1];
	int rc = make_room(sp);
	if (rc < 0)
		return rc;
	space_lift_gate(sp, dir_fd);
	rc = -EEXIST;
	for (int i = 0; i < SUFFIXES && rc == -EEXIST; i++) {
		if (i == 0)
			snprintf(to, sizeof to, "%.*s", BASE_MAX, name);
		else
			snprintf(to, sizeof to, "%.*s.%d", BASE_MAX, name, i);
		rc = put_as(sp, dir_fd, name, to, why, why_len);
	}
	space_lower_gate(sp, dir_fd);
	if (rc == 0)
		touch(sp, to);
	return rc;
}
