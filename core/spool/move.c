/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/move.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "spool/quarantine.h"
#include "spool/space.h"

/* All moves go forward but one: a start that found no room puts the request back.  One that was
 * missed by that is seen the next time. */
enum {
	LOOKS = 3
};

/* 1, 0 or -errno. */
static int stands_in(const struct spool *sp, const char *name, enum spool_state state)
{
	struct stat st;
	int rc = sp->io->fstatat(sp->dir_fd[state], name, &st, AT_SYMLINK_NOFOLLOW);
	return rc == 0 ? 1 : rc == -ENOENT ? 0 : rc;
}

static int move(struct spool *sp, const char *name, enum spool_state from, enum spool_state to)
{
	space_lift_gate(sp, sp->dir_fd[from]);
	int rc = sp->io->renameat2(sp->dir_fd[from], name, sp->dir_fd[to], name, RENAME_NOREPLACE);
	space_lower_gate(sp, sp->dir_fd[from]);
	return rc;
}

int move_accept(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	reqid_format(id, name);
	/* Only this process moves files beyond 1, so what is not there now will not be then. */
	int rc = stands_in(sp, name, SPOOL_RUNNING);
	if (rc == 0)
		rc = stands_in(sp, name, SPOOL_COMPLETE);
	if (rc == 0)
		return move(sp, name, SPOOL_REQUESTED, SPOOL_PENDING);
	if (rc == 1)
		rc = stands_in(sp, name, SPOOL_REQUESTED);
	return rc == 1 ? -EEXIST : rc == 0 ? -ENOENT : rc;
}

int move_start(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	return move(sp, reqid_format(id, name), SPOOL_PENDING, SPOOL_RUNNING);
}

int move_put_back(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	return move(sp, reqid_format(id, name), SPOOL_RUNNING, SPOOL_PENDING);
}

int move_take_back(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	return move(sp, reqid_format(id, name), SPOOL_COMPLETE, SPOOL_RUNNING);
}

static int remove_from(struct spool *sp, const char *name, int dir_fd)
{
	space_lift_gate(sp, dir_fd);
	int rc = sp->io->unlinkat(dir_fd, name, 0);
	space_lower_gate(sp, dir_fd);
	return rc == -EISDIR ? quarantine_put(sp, dir_fd, name, NULL, 0) : rc;
}

static int remove_state(struct spool *sp, const char *name, enum spool_state from)
{
	/* tmp first: what is left there alone must not look like a request that lost its place. */
	if (from == SPOOL_RUNNING) {
		int rc = remove_from(sp, name, sp->tmp_fd);
		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	return remove_from(sp, name, sp->dir_fd[from]);
}

int move_remove(struct spool *sp, struct reqid id, enum spool_state from)
{
	char name[REQID_SIZE];
	if (from >= SPOOL_STATE_MAX)
		return -ENOENT; /* as move_find says */
	return remove_state(sp, reqid_format(id, name), from);
}

int move_remove_all(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	reqid_format(id, name);
	for (enum spool_state s = SPOOL_REQUESTED; s <= SPOOL_COMPLETE; s++) {
		int rc = remove_state(sp, name, s);
		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	return 0;
}

int move_unmark(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	struct stat st;
	int dir_fd = sp->dir_fd[SPOOL_ABORTING];
	int rc = sp->io->fstatat(dir_fd, reqid_format(id, name), &st, AT_SYMLINK_NOFOLLOW);
	if (rc < 0)
		return rc;
	if (!S_ISREG(st.st_mode))
		return quarantine_put(sp, dir_fd, name, NULL, 0);
	return sp->io->unlinkat(dir_fd, name, 0);
}

int move_find(const struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	int failure = 0;
	reqid_format(id, name);
	/* Looking forward meets a request that moves forward. */
	for (int look = 0; look < LOOKS; look++)
		for (enum spool_state s = SPOOL_REQUESTED; s <= SPOOL_COMPLETE; s++) {
			int rc = stands_in(sp, name, s);
			if (rc == 1)
				return (int)s;
			failure = rc < 0 ? rc : failure;
		}
	return failure < 0 ? failure : SPOOL_STATE_MAX;
}
