/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam: what the server and libwq call as spool_io_real.  It counts, kills, fails and cuts where
 * the scene says, tells the disk what happened, and does what a planted fault makes of a call.
 */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The linker gives us these names for the real ones, and ours to all others (--wrap). */
extern const struct spool_io __real_spool_io_real;
extern const struct spool_io __wrap_spool_io_real;

enum {
	FDS_MAX = 1024
};

enum role role;
unsigned progress;

static const struct spool_io *const real = &__real_spool_io_real;
static struct open_file {
	node file;
	node dir; /* where it was opened */
	size_t at;
} files[FDS_MAX];

/* ---- planted faults ------------------------------------------------------------------------------ */

enum plant {
	NOTHING,
	START_BEFORE_RENAME,
	PUBLISH_BEFORE_UNLINK,
	MARKER_BEFORE_SUBJECT,
	COMPLETE_BY_UNLINK,
	NAME_BEFORE_BYTES,
	NO_DIRECTORY_SYNC,
	NO_FILE_SYNC,
	PUBLISH_BEFORE_SYNC,
	CLIENT_DOES_NOT_SYNC,
	MARKER_STAYS,
	REQUEST_STAYS,
	RESULT_IS_LOST,
	BAD_IS_NOT_KEPT,
	PLANTS
};

static const char *const plants[PLANTS] = {
	[START_BEFORE_RENAME] = "start-before-rename",
	[PUBLISH_BEFORE_UNLINK] = "publish-before-unlink",
	[MARKER_BEFORE_SUBJECT] = "marker-before-subject",
	[COMPLETE_BY_UNLINK] = "complete-by-unlink",
	[NAME_BEFORE_BYTES] = "name-before-bytes",
	[NO_DIRECTORY_SYNC] = "no-directory-sync",
	[NO_FILE_SYNC] = "no-file-sync",
	[PUBLISH_BEFORE_SYNC] = "publish-before-sync",
	[CLIENT_DOES_NOT_SYNC] = "client-does-not-sync",
	[MARKER_STAYS] = "marker-stays",
	[REQUEST_STAYS] = "request-stays",
	[RESULT_IS_LOST] = "result-is-lost",
	[BAD_IS_NOT_KEPT] = "bad-is-not-kept",
};

const char *plant_name(int plant)
{
	return plant > 0 && plant < PLANTS ? plants[plant] : NULL;
}

int plant_find(const char *name)
{
	for (int i = 1; i < PLANTS; i++)
		if (strcmp(name, plants[i]) == 0)
			return i;
	return NOTHING;
}

static bool releasing; /* what was put off is being done */

static bool is_planted(enum plant plant)
{
	return !releasing && stage->scene->plant == (int)plant;
}

/* Calls that a planted fault puts off. */
enum held_kind {
	HELD_RENAME,
	HELD_UNLINK,
	HELD_WRITE,
	HELD_FSYNC
};

static struct held {
	enum held_kind kind;
	int fd, to;
	char name[64];
	uint8_t bytes[4096];
	size_t len;
} held[8];
static size_t n_held;
static bool client_came, marker_went; /* since the first of them */

static struct held *hold(enum held_kind kind, int fd, const char *name)
{
	if (n_held == 0)
		client_came = marker_went = false;
	struct held *h = &held[n_held++];
	*h = (struct held){ .kind = kind, .fd = fd };
	snprintf(h->name, sizeof h->name, "%s", name);
	return h;
}

static void release(void);

/* ---- points ------------------------------------------------------------------------------------- */

static jmp_buf client_ends;

bool as_client(void (*fn)(void *arg), void *arg)
{
	volatile bool is_alive = true;
	enum role before = role;
	role = ROLE_CLIENT;
	if (setjmp(client_ends) == 0)
		fn(arg);
	else
		is_alive = false;
	role = before;
	return is_alive;
}

static _Noreturn void die(bool all)
{
	if (role == ROLE_CLIENT)
		event("killed client");
	if (role == ROLE_SERVER || all) {
		event("killed server");
		_exit(EXIT_KILLED);
	}
	longjmp(client_ends, 1);
}

static const struct ending *ending(void)
{
	static const struct ending rest;
	return stage->run < RUNS_MAX ? &stage->scene->runs[stage->run] : &rest;
}

static uint16_t kind_of(const char *call, const char *from, const char *to)
{
	char name[sizeof stage->kinds[0].name];
	unsigned i = 0;
	snprintf(name, sizeof name, "%s %s%s%s", call, from, *to ? " " : "", to);
	while (i < stage->n_kinds && strcmp(stage->kinds[i].name, name) != 0)
		i++;
	if (i == stage->n_kinds && i < KINDS_MAX - 1)
		snprintf(stage->kinds[stage->n_kinds++].name, sizeof name, "%s", name);
	return (uint16_t)i;
}

/* Can this call fail in this way? */
bool seam_may_fail(const char *kind, int error)
{
	bool makes = strncmp(kind, "create", 6) == 0 || strncmp(kind, "mkdirat", 7) == 0;
	bool opens = makes || strncmp(kind, "open", 4) == 0;
	bool names = makes || strncmp(kind, "linkat", 6) == 0 || strncmp(kind, "renameat2", 9) == 0;
	bool writes = strncmp(kind, "write", 5) == 0 || strncmp(kind, "pwrite", 6) == 0;
	bool reads = strncmp(kind, "pread", 5) == 0;
	bool syncs = strncmp(kind, "fsync", 5) == 0 || strncmp(kind, "syncfs", 6) == 0;
	bool closes = strncmp(kind, "close", 5) == 0;
	bool changes = names || writes || strncmp(kind, "unlinkat", 8) == 0;
	switch (error) {
	case EIO:
		return true;
	case ENOSPC:
		return names || writes || syncs || closes;
	case EROFS:
		return changes;
	case EMFILE:
	case ENOMEM:
		return opens;
	case EINTR:
		return opens || writes || reads || closes || syncs;
	case SHORT:
		return writes || reads;
	default:
		return false;
	}
}

/* Before a call: 0: make it; SHORT: make less of it; else it has failed with this. */
static int enter(const char *call, const char *from, const char *to, bool changes)
{
	const struct ending *end = ending();
	if (releasing)
		return 0;
	if (role == ROLE_SERVER)
		progress++;
	unsigned k = ++stage->n_calls;
	if (k < CALLS_MAX)
		stage->calls[k] = (struct call){
			.kind = kind_of(call, from, to), .role = (uint8_t)role, .changes = changes
		};
	if (verbose)
		fprintf(stderr, "%s %u: %s %s %s\n", role == ROLE_CLIENT ? "client" : "server", k,
			call, from, to);
	if (end->how == HOW_BEFORE && end->at == k)
		die(false);
	client_came |= role == ROLE_CLIENT;
	if (changes)
		release();
	bool fails = end->fault_n && k >= end->fault_at && k < end->fault_at + end->fault_n &&
		     !stage->is_repaired && seam_may_fail(call, end->error);
	return !fails ? 0 : end->error == SHORT ? SHORT : -end->error;
}

static void cut(void)
{
	event("cut");
	int rc = disk_cut(stage->image);
	if (rc < 0) {
		fprintf(stderr, "engine: %s: %s\n", stage->image, strerror(-rc));
		_exit(2);
	}
	_exit(EXIT_CUT);
}

/* After it. */
static void leave(void)
{
	const struct ending *end = ending();
	if (releasing)
		return;
	unsigned k = stage->n_calls;
	if (k < CALLS_MAX) {
		stage->calls[k].moments = (uint16_t)disk_moments();
		stage->calls[k].dirty = disk_is_dirty();
	}
	if (end->at == k && (end->how == HOW_AFTER || end->how == HOW_ALL))
		die(end->how == HOW_ALL);
	if (end->at == k && end->how == HOW_CUT)
		cut();
	if (stage->scene->race_at == k && stage->scene->race_run == stage->run &&
		role == ROLE_SERVER)
		play_race();
}

/* ---- what stands where --------------------------------------------------------------------------- */

static node node_of(int fd)
{
	return fd >= 0 && fd < FDS_MAX ? files[fd].file : 0;
}

/* "3-running" of a directory, and of a file in it "3-running/..." */
static const char *place_of(int fd)
{
	static char place[2][48];
	static int turn;
	char *ret = place[turn = !turn];
	node n = node_of(fd);
	if (n && disk_is_dir(n))
		return disk_path(n);
	snprintf(ret, sizeof place[0], "%s/...", n ? disk_path(files[fd].dir) : "?");
	return ret;
}

static bool is_in(int fd, const char *path)
{
	node n = node_of(fd);
	return n && disk_is_dir(n) && strcmp(disk_path(n), path) == 0;
}

static bool is_pair(int from, const char *a, int to, const char *b)
{
	return is_in(from, a) && is_in(to, b);
}

static void opened(int fd, int dir, const char *name, int flags)
{
	if (fd < 0 || fd >= FDS_MAX)
		return;
	files[fd] = (struct open_file){ 0 };
	node at = dir == AT_FDCWD ? 0 : node_of(dir);
	if (dir == AT_FDCWD) {
		files[fd].file = strcmp(name, stage->spool) == 0 ? 1 : 0;
		return;
	}
	if (!at)
		return;
	/* ".wq/spool" */
	for (const char *slash; (slash = strchr(name, '/')); name = slash + 1) {
		char part[32];
		snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
		at = disk_find(at, part);
	}
	files[fd].dir = at;
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		files[fd].file = disk_create(false);
		return;
	}
	files[fd].file = strcmp(name, ".") == 0 ? at : disk_find(at, name);
	if (!files[fd].file && (flags & O_CREAT)) {
		files[fd].file = disk_create(false);
		disk_set(at, name, files[fd].file, true);
		if (is_in(dir, "1-requested"))
			play_notice(SPOOL_REQUESTED, name);
		if (is_in(dir, "5-aborting"))
			play_notice(SPOOL_ABORTING, name);
	}
	if (files[fd].file && (flags & O_TRUNC))
		disk_truncate(files[fd].file);
}

static void renamed(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	node a = node_of(from_dir), b = node_of(to_dir);
	if (!a || !b)
		return;
	node file = disk_find(a, from), other = disk_find(b, to);
	disk_set(b, to, file, true);
	disk_set(a, from, flags & RENAME_EXCHANGE ? other : 0, false);
	if (is_in(to_dir, "1-requested"))
		play_notice(SPOOL_REQUESTED, to);
	if (is_in(to_dir, "5-aborting"))
		play_notice(SPOOL_ABORTING, to);
}

static void linked(int from_dir, const char *from, int to_dir, const char *to)
{
	int fd;
	node b = node_of(to_dir);
	node file = sscanf(from, "/proc/self/fd/%d", &fd) == 1 ? node_of(fd)
							       : disk_find(node_of(from_dir), from);
	if (!b || !file)
		return;
	disk_set(b, to, file, true);
	if (is_in(to_dir, "1-requested"))
		play_notice(SPOOL_REQUESTED, to);
}

static void wrote(int fd, const void *bytes, size_t len, size_t at)
{
	if (node_of(fd))
		disk_write(node_of(fd), bytes, len, at);
}

/* ---- the calls ---------------------------------------------------------------------------------- */

/* A held rename is there for who looks. */
static int seen_in(int dir, const char *name)
{
	for (size_t i = 0; i < n_held; i++)
		if (held[i].kind == HELD_RENAME && held[i].to == dir &&
			strcmp(held[i].name, name) == 0)
			return held[i].fd;
	return dir;
}

static int seam_openat(int dir, const char *name, int flags, mode_t mode)
{
	bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
	const char *call = creates ? "create" : strcmp(name, ".") == 0 ? "open-list" : "open";
	int rc = enter(call, dir == AT_FDCWD ? "spool" : place_of(dir), "", creates);
	if (rc == SHORT)
		rc = 0;
	if (rc == 0 && (flags & O_TMPFILE) == O_TMPFILE && stage->scene->fs == FS_POOR)
		rc = -EOPNOTSUPP;
	if (rc == 0) {
		rc = real->openat(seen_in(dir, name), name, flags, mode);
		opened(rc, seen_in(dir, name), name, flags);
	}
	leave();
	return rc;
}

static int seam_mkdirat(int dir, const char *name, mode_t mode)
{
	int rc = enter("mkdirat", dir == AT_FDCWD ? "spool" : place_of(dir), "", true);
	if (rc == 0 || rc == SHORT) {
		rc = real->mkdirat(dir, name, mode);
		if (rc == 0 && dir != AT_FDCWD && node_of(dir))
			disk_set(node_of(dir), name, disk_create(true), true);
	}
	leave();
	return rc;
}

static int seam_fstat(int fd, struct stat *ret)
{
	int rc = enter("fstat", place_of(fd), "", false);
	if (rc == 0 || rc == SHORT)
		rc = real->fstat(fd, ret);
	leave();
	return rc;
}

static int seam_fstatat(int dir, const char *name, struct stat *ret, int flags)
{
	int rc = enter("fstatat", place_of(dir), "", false);
	if (rc == 0 || rc == SHORT)
		rc = real->fstatat(seen_in(dir, name), name, ret, flags);
	leave();
	return rc;
}

static int seam_fchmod(int fd, mode_t mode)
{
	int rc = enter("fchmod", place_of(fd), "", true);
	if (rc == 0 || rc == SHORT)
		rc = real->fchmod(fd, mode);
	leave();
	return rc;
}

static int seam_chmod(const char *path, mode_t mode)
{
	int rc = enter("chmod", "?", "", true);
	if (rc == 0 || rc == SHORT)
		rc = real->chmod(path, mode);
	leave();
	return rc;
}

static int seam_fchown(int fd, uid_t uid, gid_t gid)
{
	int rc = enter("fchown", place_of(fd), "", true);
	if (rc == 0 || rc == SHORT)
		rc = real->fchown(fd, uid, gid);
	leave();
	return rc;
}

static int seam_utimensat(int dir, const char *name, const struct timespec times[2], int flags)
{
	int rc = enter("utimensat", place_of(dir), "", true);
	if (rc == 0 || rc == SHORT)
		rc = real->utimensat(dir, name, times, flags);
	leave();
	return rc;
}

static size_t some(int rc, size_t len)
{
	return rc == SHORT && len > 1 ? len / 2 : len;
}

static ssize_t seam_write(int fd, const void *bytes, size_t len)
{
	ssize_t rc = enter("write", place_of(fd), "", true);
	if (rc == 0 && is_planted(NAME_BEFORE_BYTES) && role == ROLE_CLIENT) {
		struct held *h = hold(HELD_WRITE, dup(fd), "");
		h->len = len;
		memcpy(h->bytes, bytes, len);
		files[h->fd] = files[fd];
		rc = (ssize_t)len;
	} else if (rc == 0 || rc == SHORT) {
		rc = real->write(fd, bytes, some((int)rc, len));
		if (rc > 0 && fd < FDS_MAX) {
			wrote(fd, bytes, (size_t)rc, files[fd].at);
			files[fd].at += (size_t)rc;
		}
	}
	leave();
	return rc;
}

static ssize_t seam_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	ssize_t rc = enter("pwrite", place_of(fd), "", true);
	if (rc == 0 || rc == SHORT) {
		rc = real->pwrite(fd, bytes, some((int)rc, len), at);
		if (rc > 0)
			wrote(fd, bytes, (size_t)rc, (size_t)at);
	}
	leave();
	return rc;
}

static ssize_t seam_pread(int fd, void *bytes, size_t len, off_t at)
{
	ssize_t rc = enter("pread", place_of(fd), "", false);
	if (rc == 0 || rc == SHORT)
		rc = real->pread(fd, bytes, some((int)rc, len), at);
	leave();
	return rc;
}

static ssize_t seam_getdents(int fd, void *bytes, size_t len)
{
	ssize_t rc = enter("getdents", place_of(fd), "", false);
	if (rc == 0 || rc == SHORT)
		rc = real->getdents(fd, bytes, len);
	leave();
	return rc;
}

static int seam_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	int fd;
	bool is_unnamed = sscanf(from, "/proc/self/fd/%d", &fd) == 1;
	int rc = enter(
		"linkat", is_unnamed ? place_of(fd) : place_of(from_dir), place_of(to_dir), true);
	if (rc == 0 || rc == SHORT) {
		rc = real->linkat(from_dir, from, to_dir, to, flags);
		if (rc == 0)
			linked(from_dir, from, to_dir, to);
	}
	leave();
	return rc;
}

/* What a planted fault makes of a rename; 1: nothing. */
static int rename_in_another_way(
	int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	bool starts = is_pair(from_dir, "2-pending", to_dir, "3-running");
	bool shows = is_pair(from_dir, "3-running", to_dir, "4-complete");
	if (is_planted(START_BEFORE_RENAME) && starts) {
		hold(HELD_RENAME, from_dir, from)->to = to_dir;
		return 0;
	}
	if (is_planted(PUBLISH_BEFORE_UNLINK) && shows) {
		int rc = real->linkat(from_dir, from, to_dir, to, 0);
		if (rc == 0) {
			linked(from_dir, from, to_dir, to);
			hold(HELD_UNLINK, from_dir, from);
		}
		return rc;
	}
	if (is_planted(COMPLETE_BY_UNLINK) && (flags & RENAME_EXCHANGE) &&
		is_in(to_dir, "3-running")) {
		int rc = real->unlinkat(to_dir, to, 0);
		disk_set(node_of(to_dir), to, 0, true);
		hold(HELD_RENAME, from_dir, from)->to = to_dir;
		return rc;
	}
	bool is_trial = from[0] == '.';
	if (is_planted(RESULT_IS_LOST) && shows && !is_trial) {
		disk_set(node_of(from_dir), from, 0, true);
		return real->unlinkat(from_dir, from, 0);
	}
	if (is_planted(BAD_IS_NOT_KEPT) && is_in(to_dir, ".wq/quarantine") && !is_trial) {
		disk_set(node_of(from_dir), from, 0, true);
		return real->unlinkat(from_dir, from, 0);
	}
	return 1;
}

static int seam_renameat2(
	int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	int rc = enter("renameat2", place_of(from_dir), place_of(to_dir), true);
	if (rc == SHORT)
		rc = 0;
	if (rc == 0 && (flags & RENAME_EXCHANGE) && stage->scene->fs == FS_POOR)
		rc = -EINVAL;
	if (rc == 0) {
		rc = rename_in_another_way(from_dir, from, to_dir, to, flags);
		if (rc == 1) {
			rc = real->renameat2(from_dir, from, to_dir, to, flags);
			if (rc == 0)
				renamed(from_dir, from, to_dir, to, flags);
		}
	}
	leave();
	return rc;
}

static bool is_subject(int dir, const char *name)
{
	struct reqid id;
	bool is_state = is_in(dir, "1-requested") || is_in(dir, "2-pending") ||
			is_in(dir, "3-running") || is_in(dir, "4-complete");
	return role == ROLE_SERVER && is_state && reqid_parse(name, strlen(name), &id);
}

static int seam_unlinkat(int dir, const char *name, int flags)
{
	int rc = enter("unlinkat", place_of(dir), "", true);
	if (rc == SHORT)
		rc = 0;
	if (rc == 0 && is_planted(MARKER_BEFORE_SUBJECT) && is_subject(dir, name))
		hold(HELD_UNLINK, dir, name);
	else if (rc == 0 &&
		 ((is_planted(MARKER_STAYS) && is_in(dir, "5-aborting")) ||
			 (is_planted(REQUEST_STAYS) && is_in(dir, ".wq/tmp") && name[0] != '.')))
		; /* not done */
	else if (rc == 0) {
		rc = real->unlinkat(dir, name, flags);
		if (rc == 0 && node_of(dir))
			disk_set(node_of(dir), name, 0, true);
		marker_went |= is_in(dir, "5-aborting");
	}
	leave();
	return rc;
}

static bool is_dropped(int fd)
{
	node n = node_of(fd);
	return n && ((is_planted(NO_DIRECTORY_SYNC) && disk_is_dir(n)) ||
			    (is_planted(NO_FILE_SYNC) && !disk_is_dir(n)) ||
			    (is_planted(CLIENT_DOES_NOT_SYNC) && role == ROLE_CLIENT));
}

static int seam_fsync(int fd)
{
	int rc = enter("fsync", place_of(fd), "", true);
	node n = node_of(fd);
	if (rc == 0 && is_planted(PUBLISH_BEFORE_SYNC) && role == ROLE_SERVER && stage->is_ready &&
		n_held < 8) {
		int copy = dup(fd);
		files[copy] = files[fd];
		hold(HELD_FSYNC, copy, "");
	} else if (rc == 0 || rc == SHORT) {
		rc = 0;
		if (n && !is_dropped(fd))
			disk_fsync(n);
	} else {
		stage->failed_sync = true;
		if (n && rc != -EINTR)
			disk_poison(n);
	}
	leave();
	return rc;
}

static int seam_syncfs(int fd)
{
	int rc = enter("syncfs", place_of(fd), "", true);
	if (rc < 0)
		stage->failed_sync = true;
	else if (!is_planted(NO_DIRECTORY_SYNC))
		disk_syncfs();
	leave();
	return rc < 0 ? rc : 0;
}

static int seam_start_writeback(int fd)
{
	int rc = enter("sync_file_range", place_of(fd), "", true);
	leave();
	return rc < 0 ? rc : 0;
}

/* It is closed, whatever it answers: close(2). */
static int seam_close(int fd)
{
	int rc = enter("close", place_of(fd), "", false);
	int closed = real->close(fd);
	if (fd >= 0 && fd < FDS_MAX)
		files[fd].file = 0;
	leave();
	return rc < 0 ? rc : closed;
}

static int seam_lock(int fd)
{
	int rc = enter("lock", place_of(fd), "", false);
	if (rc == 0 || rc == SHORT)
		rc = real->lock(fd);
	leave();
	return rc;
}

static int seam_getflags(int fd, int *ret)
{
	int rc = enter("getflags", place_of(fd), "", false);
	if (rc == 0 || rc == SHORT)
		rc = real->getflags(fd, ret);
	leave();
	return rc;
}

static int seam_fallocate(int fd, off_t at, off_t len)
{
	int rc = enter("fallocate", place_of(fd), "", false);
	if (rc == 0 || rc == SHORT)
		rc = real->fallocate(fd, at, len);
	leave();
	return rc;
}

static int seam_fstatvfs(int fd, struct statvfs *ret)
{
	int rc = enter("fstatvfs", place_of(fd), "", false);
	if (rc == 0 || rc == SHORT)
		rc = real->fstatvfs(fd, ret);
	leave();
	return rc;
}

static int seam_lock_dir(int fd)
{
	int rc = enter("lock_dir", place_of(fd), "", false);
	if (rc == 0 || rc == SHORT)
		rc = real->lock_dir(fd);
	leave();
	return rc;
}

static uint64_t seam_wall_us(void)
{
	stage->now_ns += 1000;
	return (uint64_t)(INT64_C(1700000000000000) + stage->now_ns / 1000);
}

static int seam_random(void *bytes, size_t len)
{
	uint8_t *p = bytes;
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)draw(&stage->random);
	return 0;
}

const struct spool_io __wrap_spool_io_real = {
	.openat = seam_openat,
	.mkdirat = seam_mkdirat,
	.fstat = seam_fstat,
	.fstatat = seam_fstatat,
	.fchmod = seam_fchmod,
	.chmod = seam_chmod,
	.fchown = seam_fchown,
	.utimensat = seam_utimensat,
	.write = seam_write,
	.pwrite = seam_pwrite,
	.pread = seam_pread,
	.getdents = seam_getdents,
	.linkat = seam_linkat,
	.renameat2 = seam_renameat2,
	.unlinkat = seam_unlinkat,
	.fsync = seam_fsync,
	.syncfs = seam_syncfs,
	.start_writeback = seam_start_writeback,
	.close = seam_close,
	.fallocate = seam_fallocate,
	.fstatvfs = seam_fstatvfs,
	.lock = seam_lock,
	.lock_dir = seam_lock_dir,
	.getflags = seam_getflags,
	.wall_us = seam_wall_us,
	.random = seam_random,
};

/* ---- planted faults, continued ------------------------------------------------------------------- */

static void do_held(const struct held *h)
{
	switch (h->kind) {
	case HELD_RENAME:
		(void)seam_renameat2(h->fd, h->name, h->to, h->name, 0);
		break;
	case HELD_UNLINK:
		(void)seam_unlinkat(h->fd, h->name, 0);
		break;
	case HELD_WRITE:
		(void)seam_write(h->fd, h->bytes, h->len);
		(void)seam_close(h->fd);
		break;
	case HELD_FSYNC:
		if (node_of(h->fd))
			disk_fsync(node_of(h->fd));
		(void)seam_close(h->fd);
		break;
	}
}

static bool may_release(void)
{
	switch (stage->scene->plant) {
	case MARKER_BEFORE_SUBJECT:
		return marker_went;
	case PUBLISH_BEFORE_SYNC:
		return client_came && role == ROLE_SERVER;
	case NAME_BEFORE_BYTES:
		return role == ROLE_SERVER;
	default:
		return true;
	}
}

/* The next call that changes something has come: what was put off is done before it. */
static void release(void)
{
	if (releasing || n_held == 0 || !may_release())
		return;
	releasing = true;
	for (size_t i = 0; i < n_held; i++)
		do_held(&held[i]);
	n_held = 0;
	releasing = false;
}
