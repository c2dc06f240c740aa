/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "spool/layout.h"
#include "spool/probe.h"
#include "spool/scan.h"
#include "spool/space.h"
#include "spool/work.h"

static const char hwm_name[] = "hwm";

/* Where the mark ends: a clock that once had come to the last id that can be written, and was set right,
 * leaves ids for long. */
#define HWM_MAX (REQID_US_MAX - UINT64_C(1000000000000))

enum {
	OPEN_PATH = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
};

const char *spool_state_name(enum spool_state state)
{
	static const char *const names[SPOOL_STATE_MAX] = {
		[SPOOL_REQUESTED] = "1-requested",
		[SPOOL_PENDING] = "2-pending",
		[SPOOL_RUNNING] = "3-running",
		[SPOOL_COMPLETE] = "4-complete",
		[SPOOL_ABORTING] = "5-aborting",
	};
	return state < SPOOL_STATE_MAX ? names[state] : "nowhere";
}

static void reset(struct spool *sp, const struct spool_io *io)
{
	*sp = (struct spool){
		.io = io,
		.root_fd = -1,
		.work_fd = -1,
		.finished_fd = -1,
		.own_fd = -1,
		.run_fd = -1,
		.handles_fd = -1,
		.attempts_fd = -1,
		.tmp_fd = -1,
		.quarantine_fd = -1,
		.lock_fd = -1,
		.status_fd = -1,
		.owner = geteuid(),
		.as_root = geteuid() == 0,
	};
	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++)
		sp->dir_fd[s] = -1;
}

static void close_one(const struct spool *sp, int *fd)
{
	if (*fd >= 0)
		(void)sp->io->close(*fd);
	*fd = -1;
}

void spool_close(struct spool *sp)
{
	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++)
		close_one(sp, &sp->dir_fd[s]);
	close_one(sp, &sp->work_fd);
	close_one(sp, &sp->finished_fd);
	close_one(sp, &sp->run_fd);
	close_one(sp, &sp->handles_fd);
	close_one(sp, &sp->attempts_fd);
	close_one(sp, &sp->tmp_fd);
	close_one(sp, &sp->quarantine_fd);
	close_one(sp, &sp->status_fd);
	close_one(sp, &sp->lock_fd);
	close_one(sp, &sp->own_fd);
	close_one(sp, &sp->root_fd);
}

/* ---- server ----------------------------------------------------------------------------------- */

static int open_root(struct spool *sp, const char *path, struct wq_err *err)
{
	enum {
		OPEN_ROOT = O_RDONLY | O_DIRECTORY | O_CLOEXEC
	};
	int fd = sp->io->openat(AT_FDCWD, path, OPEN_ROOT, 0);
	if (fd == -ENOENT) {
		int rc = sp->io->mkdirat(AT_FDCWD, path, 0700);
		if (rc == -ENOENT)
			return err_set(err, rc,
				"cannot make the spool '%s', its parent directory is not there",
				path);
		if (rc < 0 && rc != -EEXIST)
			return err_set(err, rc, "cannot make the spool '%s'", path);
		fd = sp->io->openat(AT_FDCWD, path, OPEN_ROOT, 0);
	}
	if (fd == -ENOTDIR)
		return err_set(err, -WQ_E_NOT_A_SPOOL, "'%s' is not a directory", path);
	if (fd < 0)
		return err_set(err, fd, "cannot open the spool '%s'", path);
	sp->root_fd = fd;
	struct stat st;
	int rc = sp->io->fstat(fd, &st);
	if (rc < 0)
		return err_set(err, rc, "cannot look at the spool '%s'", path);
	if (st.st_uid != sp->owner && st.st_uid != 0)
		return err_set(err, -EPERM,
			"the spool '%s' belongs to uid %u, and uid %u runs the server: run it as "
			"that user, or chown the spool",
			path, (unsigned)st.st_uid, (unsigned)sp->owner);
	return 0;
}

/* The mark is a help against clock steps, so a file that cannot be read is the same as none. */
static uint64_t load_hwm(const struct spool *sp)
{
	char text[32];
	int fd = sp->io->openat(sp->own_fd, hwm_name, SPOOL_IO_READ, 0);
	if (fd < 0)
		return 0;
	ssize_t n = spool_io_pread_all(sp->io, fd, text, sizeof text - 1, 0);
	(void)sp->io->close(fd);
	if (n <= 0 || text[n - 1] != '\n')
		return 0;
	text[n] = '\0';
	char *end;
	uint64_t us = strtoull(text, &end, 10);
	if (*end != '\n' || us > REQID_US_MAX)
		return 0;
	return us < HWM_MAX ? us : HWM_MAX;
}

int spool_save_hwm(struct spool *sp)
{
	char text[32];
	snprintf(text, sizeof text, "%llu\n", (unsigned long long)sp->hwm_us);
	return layout_put_own(sp, hwm_name, text, 0);
}

void spool_note_id(struct spool *sp, struct reqid id)
{
	uint64_t now = sp->io->wall_us();
	uint64_t limit = now > sp->hwm_us ? now : sp->hwm_us + 1;
	if (limit > HWM_MAX)
		limit = HWM_MAX;
	uint64_t us = id.us < limit ? id.us : limit;
	if (us > sp->hwm_us)
		sp->hwm_us = us;
}

/* The gate may be closed and the disk full, as a server that was killed has left them. */
static int make_usable(struct spool *sp, const char *path, struct wq_err *err)
{
	int rc = space_open_gate(sp);
	if (rc < 0)
		return err_set(err, rc, "cannot make '%s/%s' writable", path,
			spool_state_name(SPOOL_REQUESTED));
	rc = probe_file_system(sp, path, err);
	if (space_is_short(rc) && space_drop_ballast(sp) == 0)
		rc = probe_file_system(sp, path, err);
	return rc;
}

int spool_open_server(
	struct spool *sp, const char *path, const struct spool_io *io, struct wq_err *err)
{
	reset(sp, io);
	int rc = open_root(sp, path, err);
	if (rc == 0)
		rc = layout_look(sp, path, err);
	if (rc == 0)
		rc = layout_make(sp, path, err);
	if (rc == 0)
		rc = make_usable(sp, path, err);
	if (rc == 0)
		rc = layout_mark(sp, path, err);
	if (rc < 0) {
		spool_close(sp);
		return rc;
	}
	sp->hwm_us = load_hwm(sp);
	return 0;
}

/* ---- wipe ------------------------------------------------------------------------------------- */

struct wipe {
	struct spool *sp;
	int dir_fd;
	bool all; /* whatever stands here is ours */
	int removed;
	int rc; /* the first failure */
};

static int wipe_one(void *arg, struct reqid id, const char *name)
{
	struct wipe *wipe = arg;
	char text[REQID_SIZE];
	/* Beside ids, ".t..." is the name of a request that was never published. */
	if (name && !wipe->all && strncmp(name, ".t", 2) != 0)
		return 0;
	int rc = wipe->sp->io->unlinkat(wipe->dir_fd, name ? name : reqid_format(id, text), 0);
	if (rc == 0)
		wipe->removed++;
	/* A directory is not ours, whatever its name. */
	else if (rc != -ENOENT && rc != -EISDIR && wipe->rc == 0)
		wipe->rc = rc;
	return 0;
}

/* The directory of a task, with all in it; no other name in work/ is ours. */
static int wipe_work(void *arg, struct reqid none, const char *name)
{
	struct wipe *wipe = arg;
	struct reqid id;
	uint32_t attempt;
	(void)none;
	if (!name || !work_parse(name, &id, &attempt))
		return 0;
	int rc = work_remove(wipe->sp, id, attempt);
	if (rc == 0)
		wipe->removed++;
	else if (wipe->rc == 0)
		wipe->rc = rc;
	return 0;
}

int spool_wipe(struct spool *sp, struct wq_err *err)
{
	struct wipe wipe = { .sp = sp };
	/* Markers last: until then they tell what their clients want. */
	const struct {
		int fd;
		bool all;
		scan_fn *fn;
		const char *name;
	} places[] = {
		{ sp->dir_fd[SPOOL_REQUESTED], false, wipe_one, spool_state_name(SPOOL_REQUESTED) },
		{ sp->dir_fd[SPOOL_PENDING], false, wipe_one, spool_state_name(SPOOL_PENDING) },
		{ sp->tmp_fd, true, wipe_one, ".wq/tmp" },
		{ sp->dir_fd[SPOOL_RUNNING], false, wipe_one, spool_state_name(SPOOL_RUNNING) },
		{ sp->dir_fd[SPOOL_COMPLETE], false, wipe_one, spool_state_name(SPOOL_COMPLETE) },
		{ sp->finished_fd, false, wipe_one, "finished" },
		{ sp->work_fd, false, wipe_work, "work" },
		{ sp->handles_fd, true, wipe_one, ".wq/handles" },
		{ sp->attempts_fd, true, wipe_one, ".wq/attempts" },
		{ sp->quarantine_fd, true, wipe_one, ".wq/quarantine" },
		{ sp->dir_fd[SPOOL_ABORTING], false, wipe_one, spool_state_name(SPOOL_ABORTING) },
	};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		wipe.dir_fd = places[i].fd;
		wipe.all = places[i].all;
		int rc = scan_io(sp->io, wipe.dir_fd, places[i].fn, &wipe);
		if (rc == 0)
			rc = wipe.rc;
		if (rc < 0)
			return err_set(err, rc, "cannot wipe '%s'", places[i].name);
	}
	return wipe.removed;
}

/* ---- client ----------------------------------------------------------------------------------- */

static int open_states(struct spool *sp, const char *path, struct wq_err *err)
{
	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++) {
		int fd = sp->io->openat(sp->root_fd, spool_state_name(s), OPEN_PATH, 0);
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			return err_set(err, -WQ_E_NOT_A_SPOOL,
				"'%s' is not a spool of wq: '%s' is no directory", path,
				spool_state_name(s));
		if (fd < 0)
			return err_set(err, fd, "cannot open '%s/%s'", path, spool_state_name(s));
		sp->dir_fd[s] = fd;
	}
	return 0;
}

/* What stays when a request is over; an older server made no finished/. */
static int open_kept(struct spool *sp, const char *path, struct wq_err *err)
{
	const struct {
		const char *name;
		int *fd;
	} kept[] = { { "work", &sp->work_fd }, { "finished", &sp->finished_fd } };
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		int fd = sp->io->openat(sp->root_fd, kept[i].name, OPEN_PATH, 0);
		if (fd == -ENOENT)
			continue;
		if (fd == -ENOTDIR || fd == -ELOOP)
			return err_set(err, -WQ_E_NOT_A_SPOOL,
				"'%s' is not a spool of wq: '%s' is no directory", path,
				kept[i].name);
		if (fd < 0)
			return err_set(err, fd, "cannot open '%s/%s'", path, kept[i].name);
		*kept[i].fd = fd;
	}
	return 0;
}

static int open_client(struct spool *sp, const char *path, struct wq_err *err)
{
	struct stat st;
	int fd = sp->io->openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd == -ENOENT)
		return err_set(err, -ENOENT,
			"there is no spool '%s'; wq-server makes it when it is started once", path);
	if (fd == -ENOTDIR)
		return err_set(err, -WQ_E_NOT_A_SPOOL, "'%s' is not a directory", path);
	if (fd < 0)
		return err_set(err, fd, "cannot open the spool '%s'", path);
	sp->root_fd = fd;

	/* A spool of the Python original has the five directories, but no marker. */
	char uuid[37];
	int rc = layout_read_marker(sp, fd, ".wq/spool", path, uuid, err);
	if (rc == -EACCES && sp->io->fstat(fd, &st) == 0 && st.st_uid != sp->owner)
		return err_set(err, rc,
			"the spool '%s' belongs to uid %u and is private to that user and root",
			path, (unsigned)st.st_uid);
	if (rc == 0)
		return err_set(err, -WQ_E_NOT_A_SPOOL,
			"'%s' is not a spool of wq; wq-server makes one when it is started once",
			path);
	if (rc < 0)
		return rc;
	rc = open_states(sp, path, err);
	if (rc == 0)
		rc = open_kept(sp, path, err);
	if (rc < 0)
		return rc;
	rc = sp->io->fstat(sp->dir_fd[SPOOL_COMPLETE], &st);
	if (rc < 0)
		return err_set(err, rc, "cannot look into the spool '%s'", path);
	sp->owner = st.st_uid;
	sp->named_tmp = sp->io->fstatat(fd, layout_named_tmp_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	/* Absent until a server has run, and status_read looks again. */
	fd = sp->io->openat(fd, layout_status_name, SPOOL_IO_READ, 0);
	sp->status_fd = fd < 0 ? -1 : fd;
	return 0;
}

int spool_open_client(
	struct spool *sp, const char *path, const struct spool_io *io, struct wq_err *err)
{
	reset(sp, io);
	int rc = open_client(sp, path, err);
	if (rc < 0)
		spool_close(sp);
	return rc;
}
