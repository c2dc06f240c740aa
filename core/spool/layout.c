/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/utf8.h"
#include "spool/complete.h"
#include "spool/probe.h"
#include "spool/scan.h"

static const char own_name[] = ".wq";
const char layout_marker_name[] = "spool";
const char layout_status_name[] = "wq.status";
const char layout_named_tmp_name[] = "wq.named-tmp";

static const char lock_name[] = "lock";
static const char marker_head[] = "wq-spool ";
static const char uuid_head[] = "uuid ";

enum {
	OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	OTHERS_WRITE = S_IWGRP | S_IWOTH,
	MARKER_MAX = 512,
	UUID_LEN = 36,
	PID_FIELD = 12,
	ALL_STATES = (1 << SPOOL_STATE_MAX) - 1
};

/* Beside the states: what stays of a request when it is over. */
static const char *const kept_names[] = { "work", "finished" };
enum {
	N_KEPT = sizeof kept_names / sizeof *kept_names
};

/* What stands in a root, by name only. */
struct sight {
	bool own;
	unsigned states;
	unsigned kept;              /* which of kept_names */
	bool page;                  /* wq.status */
	char first[NAME_MAX + 1];   /* any entry */
	char foreign[NAME_MAX + 1]; /* one that is never ours */
};

/* Keep the first name, fit to stand in a message. */
static void keep(char ret[NAME_MAX + 1], const char *name)
{
	if (ret[0])
		return;
	snprintf(ret, NAME_MAX + 1, "%s", name);
	utf8_clean(ret);
}

static int see(void *arg, struct reqid id, const char *name)
{
	struct sight *sight = arg;
	char text[REQID_SIZE];
	if (!name)
		name = reqid_format(id, text);
	/* A file system that is a spool's own brings its lost+found. */
	if (strcmp(name, "lost+found") == 0)
		return 0;
	keep(sight->first, name);
	if (strcmp(name, own_name) == 0) {
		sight->own = true;
		return 0;
	}
	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++) {
		if (strcmp(name, spool_state_name(s)) == 0) {
			sight->states |= 1u << s;
			return 0;
		}
	}
	for (unsigned i = 0; i < N_KEPT; i++) {
		if (strcmp(name, kept_names[i]) == 0) {
			sight->kept |= 1u << i;
			return 0;
		}
	}
	if (strcmp(name, layout_status_name) == 0)
		sight->page = true;
	else if (strcmp(name, "wq.sock") != 0 && strcmp(name, layout_named_tmp_name) != 0)
		keep(sight->foreign, name);
	return 0;
}

static int take_first(void *arg, struct reqid id, const char *name)
{
	char text[REQID_SIZE];
	if (!name)
		name = reqid_format(id, text);
	/* The marker is written after the trial of the file system. */
	if (strcmp(name, probe_name) != 0)
		keep(arg, name);
	return 0;
}

int layout_read_marker(const struct spool *sp, int dir_fd, const char *name, const char *path,
	char uuid[37], struct wq_err *err)
{
	char text[MARKER_MAX + 1];
	int fd = sp->io->openat(dir_fd, name, SPOOL_IO_READ, 0);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return err_set(err, fd, "cannot open the marker '%s/.wq/spool'", path);
	ssize_t n = spool_io_pread_all(sp->io, fd, text, MARKER_MAX, 0);
	(void)sp->io->close(fd);
	if (n < 0)
		return err_set(err, (int)n, "cannot read the marker '%s/.wq/spool'", path);
	text[n] = '\0';

	char *p = text;
	unsigned long version = 0;
	if (strncmp(p, marker_head, strlen(marker_head)) == 0)
		version = strtoul(p + strlen(marker_head), &p, 10);
	if (version > LAYOUT_VERSION)
		return err_set(err, -WQ_E_UNSUPPORTED,
			"the spool '%s' has format %lu, made by a newer wq; this one knows format "
			"%d",
			path, version, LAYOUT_VERSION);
	size_t uuid_at = 1 + strlen(uuid_head);
	if (version != LAYOUT_VERSION || *p != '\n' ||
		strncmp(p + 1, uuid_head, strlen(uuid_head)) != 0 ||
		strspn(p + uuid_at, "0123456789abcdef-") != UUID_LEN ||
		p[uuid_at + UUID_LEN] != '\n')
		return err_set(err, -WQ_E_NOT_A_SPOOL,
			"the marker '%s/.wq/spool' is damaged; wq-spool(7) says what stands in it",
			path);
	memcpy(uuid, p + uuid_at, UUID_LEN);
	uuid[UUID_LEN] = '\0';
	return 1;
}

/* Nothing may be in a directory into which only the server brings anything. */
static int look_unused(
	const struct spool *sp, const char *path, const char *dir, struct wq_err *err)
{
	char entry[NAME_MAX + 1] = "";
	int fd = sp->io->openat(sp->root_fd, dir, OPEN_DIR, 0);
	int rc = fd < 0 ? fd : scan_io(sp->io, fd, take_first, entry);
	if (fd >= 0)
		(void)sp->io->close(fd);
	if (rc < 0)
		return err_set(err, rc, "cannot list '%s/%s'", path, dir);
	if (entry[0])
		return err_set(err, -WQ_E_NOT_A_SPOOL,
			"'%s' has no marker '.wq/spool', but '%s/%s' is there: not touched", path,
			dir, entry);
	return 0;
}

/* Only clients have written into a spool that was never finished, and only into 1 and 5. */
static int look_half_made(
	const struct spool *sp, const char *path, const struct sight *sight, struct wq_err *err)
{
	if (sight->foreign[0])
		return err_set(err, -WQ_E_NOT_A_SPOOL,
			"'%s' holds '%s' and has no marker '.wq/spool': not a spool of wq", path,
			sight->foreign);
	static const enum spool_state servers[] = { SPOOL_PENDING, SPOOL_RUNNING, SPOOL_COMPLETE };
	int rc = 0;
	for (size_t i = 0; i < sizeof servers / sizeof *servers && rc == 0; i++)
		if (sight->states & 1u << servers[i])
			rc = look_unused(sp, path, spool_state_name(servers[i]), err);
	for (unsigned i = 0; i < N_KEPT && rc == 0; i++)
		if (sight->kept & 1u << i)
			rc = look_unused(sp, path, kept_names[i], err);
	return rc;
}

int layout_look(const struct spool *sp, const char *path, struct wq_err *err)
{
	struct sight sight = { 0 };
	int rc = scan_io(sp->io, sp->root_fd, see, &sight);
	if (rc < 0)
		return err_set(err, rc, "cannot list '%s'", path);
	if (!sight.own && sight.page && sight.states)
		return err_set(err, -WQ_E_NOT_A_SPOOL,
			"the spool '%s' has lost its '.wq': put it back, nothing else can take its "
			"place",
			path);
	if (!sight.own && sight.states == ALL_STATES)
		return err_set(err, -WQ_E_NOT_A_SPOOL,
			"'%s' holds a spool of the Python workqueue service: drain it there and "
			"choose a new directory",
			path);
	if (!sight.own && sight.first[0])
		return err_set(err, -WQ_E_NOT_A_SPOOL,
			"'%s' is not a spool of wq and is not empty (it holds '%s')", path,
			sight.foreign[0] ? sight.foreign : sight.first);
	if (!sight.own)
		return 0;

	int own_fd = sp->io->openat(sp->root_fd, own_name, OPEN_DIR, 0);
	if (own_fd == -ENOTDIR || own_fd == -ELOOP)
		return err_set(err, -WQ_E_NOT_A_SPOOL, "'%s/.wq' is not a directory", path);
	if (own_fd < 0)
		return err_set(err, own_fd, "cannot open '%s/.wq'", path);
	char uuid[37];
	rc = layout_read_marker(sp, own_fd, layout_marker_name, path, uuid, err);
	(void)sp->io->close(own_fd);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	return look_half_made(sp, path, &sight, err);
}

/* Is this directory fit: ours, closed to others, its names told apart by case. */
static int check_dir(
	const struct spool *sp, int fd, const char *path, const char *name, struct wq_err *err)
{
	struct stat st;
	int rc = sp->io->fstat(fd, &st);
	if (rc < 0)
		return err_set(err, rc, "cannot look at '%s/%s'", path, name);
	if (st.st_uid != sp->owner)
		return err_set(err, -EPERM,
			"'%s/%s' belongs to uid %u, and uid %u runs the server: run it as that "
			"user, or chown the spool",
			path, name, (unsigned)st.st_uid, (unsigned)sp->owner);
	if (st.st_mode & OTHERS_WRITE)
		return err_set(err, -EPERM,
			"others may write in '%s/%s' (mode %04o): chmod it to 0700", path, name,
			(unsigned)st.st_mode & 07777);
	int flags = 0;
	if (sp->io->getflags(fd, &flags) == 0 && (flags & FS_CASEFOLD_FL))
		return err_set(err, -WQ_E_UNSUPPORTED,
			"'%s/%s' folds upper and lower case together; a spool cannot live there",
			path, name);
	return 0;
}

static int open_dir(const struct spool *sp, int at, const char *path, const char *name, int *ret,
	struct wq_err *err)
{
	int fd = sp->io->openat(at, name, OPEN_DIR, 0);
	if (fd == -ENOENT) {
		int rc = sp->io->mkdirat(at, name, 0700);
		if (rc < 0 && rc != -EEXIST)
			return err_set(err, rc, "cannot make '%s/%s'", path, name);
		fd = sp->io->openat(at, name, OPEN_DIR, 0);
	}
	if (fd == -ENOTDIR || fd == -ELOOP)
		return err_set(err, -WQ_E_NOT_A_SPOOL,
			"'%s/%s' must be a directory, not a file and not a symbolic link", path,
			name);
	if (fd < 0)
		return err_set(err, fd, "cannot open '%s/%s'", path, name);
	*ret = fd;
	return check_dir(sp, fd, path, name, err);
}

/* Open a plain file of ours for reading and writing, made when absent. */
static int open_file(const struct spool *sp, int at, const char *path, const char *name, int *ret,
	struct wq_err *err)
{
	int fd = sp->io->openat(
		at, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	struct stat st;
	if (fd == -ELOOP || fd == -EISDIR || fd == -ENXIO)
		return err_set(err, -WQ_E_NOT_A_SPOOL, "'%s/%s' must be a plain file", path, name);
	if (fd < 0)
		return err_set(err, fd, "cannot open '%s/%s'", path, name);
	*ret = fd;
	int rc = sp->io->fstat(fd, &st);
	if (rc < 0)
		return err_set(err, rc, "cannot look at '%s/%s'", path, name);
	if (!S_ISREG(st.st_mode) || st.st_uid != sp->owner)
		return err_set(err, -WQ_E_NOT_A_SPOOL,
			"'%s/%s' must be a plain file of the server's user", path, name);
	return 0;
}

static int take_lock(struct spool *sp, const char *path, struct wq_err *err)
{
	char text[32] = "";
	int rc = open_file(sp, sp->own_fd, path, lock_name, &sp->lock_fd, err);
	if (rc < 0)
		return rc;
	rc = sp->io->lock(sp->lock_fd);
	if (rc == -EAGAIN) {
		(void)sp->io->pread(sp->lock_fd, text, sizeof text - 1, 0);
		sp->lock_holder = (pid_t)strtol(text, NULL, 10);
		return err_set(err, -WQ_E_LOCKED,
			"another wq-server (pid %d) runs on the spool '%s'", sp->lock_holder, path);
	}
	if (rc < 0)
		return err_set(err, rc, "cannot lock '%s/.wq/%s'", path, lock_name);
	/* A file can be removed under its lock, and the next one to be made has none. */
	rc = sp->io->lock_dir(sp->root_fd);
	if (rc == -EAGAIN)
		return err_set(err, -WQ_E_LOCKED,
			"another wq-server runs on the spool '%s', though '.wq/%s' is not its lock "
			"any more",
			path, lock_name);
	if (rc < 0)
		return err_set(err, rc, "cannot lock '%s'", path);
	/* For that message only, so a failure is no matter.  Of one width: no old digits stay. */
	snprintf(text, sizeof text, "%-*ld\n", PID_FIELD - 1, (long)getpid());
	(void)sp->io->pwrite(sp->lock_fd, text, PID_FIELD, 0);
	return 0;
}

/* One that was moved away may come back with all that is in it, and then must not find another in
 * its place. */
static int look_for_states(const struct spool *sp, const char *path, struct wq_err *err)
{
	struct stat st;
	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++) {
		int rc =
			sp->io->fstatat(sp->root_fd, spool_state_name(s), &st, AT_SYMLINK_NOFOLLOW);
		if (rc == -ENOENT)
			return err_set(err, -WQ_E_NOT_A_SPOOL,
				"'%s/%s' is missing: put it back, or give up what is in it and "
				"make it anew ('mkdir -m 700')",
				path, spool_state_name(s));
		if (rc < 0)
			return err_set(
				err, rc, "cannot look at '%s/%s'", path, spool_state_name(s));
	}
	return 0;
}

/* The request whose result has just taken its place, where that takes three steps: the last one. */
static bool finish_exchange(const struct spool *sp, const char *name)
{
	char id[REQID_SIZE];
	struct reqid parsed;
	const char *suffix = strstr(name, complete_aside);
	if (!suffix || suffix[strlen(complete_aside)] ||
		!reqid_parse(name, (size_t)(suffix - name), &parsed))
		return false;
	/* While tmp holds the result, 3 has the request still. */
	return sp->io->renameat2(sp->tmp_fd, name, sp->tmp_fd, reqid_format(parsed, id),
		       RENAME_NOREPLACE) == 0;
}

/* What a server that was killed left in tmp.  Results and requests there bear an id: recovery's. */
static int sweep(void *arg, struct reqid id, const char *name)
{
	const struct spool *sp = arg;
	(void)id;
	if (name && !finish_exchange(sp, name))
		(void)sp->io->unlinkat(sp->tmp_fd, name, 0);
	return 0;
}

int layout_open_status(const struct spool *sp, const char *path, int *ret, struct wq_err *err)
{
	return open_file(sp, sp->root_fd, path, layout_status_name, ret, err);
}

int layout_make(struct spool *sp, const char *path, struct wq_err *err)
{
	int rc = open_dir(sp, sp->root_fd, path, own_name, &sp->own_fd, err);
	if (rc == 0)
		rc = take_lock(sp, path, err);
	if (rc == 0)
		rc = layout_read_marker(sp, sp->own_fd, layout_marker_name, path, sp->uuid, err);
	if (rc == 1)
		rc = look_for_states(sp, path, err);
	if (rc < 0)
		return rc;

	/* 1 comes last: a client that finds it finds all of them. */
	rc = open_dir(sp, sp->root_fd, path, "work", &sp->work_fd, err);
	if (rc == 0)
		rc = open_dir(sp, sp->root_fd, path, "finished", &sp->finished_fd, err);
	for (int s = SPOOL_STATE_MAX - 1; s >= 0 && rc == 0; s--)
		rc = open_dir(sp, sp->root_fd, path, spool_state_name((enum spool_state)s),
			&sp->dir_fd[s], err);
	if (rc == 0)
		rc = open_dir(sp, sp->own_fd, path, "run", &sp->run_fd, err);
	if (rc == 0)
		rc = open_dir(sp, sp->own_fd, path, "handles", &sp->handles_fd, err);
	if (rc == 0)
		rc = open_dir(sp, sp->own_fd, path, "attempts", &sp->attempts_fd, err);
	if (rc == 0)
		rc = open_dir(sp, sp->own_fd, path, "quarantine", &sp->quarantine_fd, err);
	if (rc == 0)
		rc = open_dir(sp, sp->own_fd, path, "tmp", &sp->tmp_fd, err);
	if (rc == 0)
		rc = layout_open_status(sp, path, &sp->status_fd, err);
	if (rc < 0)
		return rc;
	rc = scan_io(sp->io, sp->tmp_fd, sweep, sp);
	return rc < 0 ? err_set(err, rc, "cannot list '%s/.wq/tmp'", path) : 0;
}

static int sync_in_tmp(const struct spool *sp, const char *name)
{
	int fd = sp->io->openat(sp->tmp_fd, name, SPOOL_IO_READ, 0);
	if (fd < 0)
		return fd;
	int rc = sp->io->fsync(fd);
	int closed = sp->io->close(fd);
	return rc < 0 ? rc : closed;
}

static int put_own(
	struct spool *sp, const char *name, const char *text, unsigned flags, bool durable)
{
	int rc = spool_io_put(sp->io, sp->tmp_fd, name, O_TRUNC, text, strlen(text));
	if (rc < 0)
		return rc;
	if (durable)
		rc = sync_in_tmp(sp, name);
	if (rc == 0)
		rc = sp->io->renameat2(sp->tmp_fd, name, sp->own_fd, name, flags);
	if (rc < 0) {
		(void)sp->io->unlinkat(sp->tmp_fd, name, 0);
		return rc;
	}
	return durable ? sp->io->fsync(sp->own_fd) : 0;
}

int layout_put_own(struct spool *sp, const char *name, const char *text, unsigned flags)
{
	return put_own(sp, name, text, flags, false);
}

int layout_save_own(struct spool *sp, const char *name, const char *text, unsigned flags)
{
	return put_own(sp, name, text, flags, true);
}

/* A random uuid, RFC 9562 section 5.4. */
static int new_uuid(const struct spool *sp, char ret[37])
{
	uint8_t b[16];
	int rc = sp->io->random(b, sizeof b);
	if (rc < 0)
		return rc;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	char *p = ret;
	for (int i = 0; i < 16; i++)
		p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
	return 0;
}

int layout_mark(struct spool *sp, const char *path, struct wq_err *err)
{
	if (sp->uuid[0])
		return 0;
	char uuid[37], text[MARKER_MAX];
	int rc = new_uuid(sp, uuid);
	if (rc < 0)
		return err_set(err, rc, "cannot make a uuid for the spool '%s'", path);
	snprintf(text, sizeof text, "%s%d\n%s%s\n", marker_head, LAYOUT_VERSION, uuid_head, uuid);
	/* All that it vouches for comes first.  This is once in the life of a spool, so at every
	 * durability: with half a marker it would be nobody's. */
	rc = sp->io->fsync(sp->root_fd);
	if (rc == 0)
		rc = sp->io->fsync(sp->own_fd);
	if (rc == 0)
		rc = layout_save_own(sp, layout_marker_name, text, RENAME_NOREPLACE);
	if (rc < 0)
		return err_set(err, rc, "cannot write the marker '%s/.wq/spool'", path);
	memcpy(sp->uuid, uuid, sizeof sp->uuid);
	return 0;
}
