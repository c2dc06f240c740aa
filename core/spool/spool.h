/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool: a directory with five state directories, opened.
 *
 * Every access is relative to a directory descriptor that was opened once; a name is one component
 * that reqid_parse has passed.  The spool knows files and their order of renames; it never looks
 * inside a payload, logs or sleeps.  docs/wq-spool.7 is the protocol, for strangers too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "spool/io.h"
#include "spool/reqid.h"

struct wq_err;

enum spool_state {
	SPOOL_REQUESTED,
	SPOOL_PENDING,
	SPOOL_RUNNING,
	SPOOL_COMPLETE,
	SPOOL_ABORTING,
	SPOOL_STATE_MAX
};

/* "1-requested" ... */
const char *spool_state_name(enum spool_state state);

/* What a power cut may take: wq-spool(7), DURABILITY.  The order is that of what they promise. */
enum spool_durability {
	SPOOL_DURABILITY_NONE,
	SPOOL_DURABILITY_BATCH,
	SPOOL_DURABILITY_STRICT
};

struct spool {
	const struct spool_io *io;
	int root_fd;
	int dir_fd[SPOOL_STATE_MAX]; /* in a client O_PATH: the right to list is not needed */
	int work_fd;                 /* work; client: O_PATH, or -1 */
	int finished_fd;             /* finished; client: O_PATH, or -1 where there is none */
	int own_fd;                  /* .wq; server only from here, -1 in a client */
	int run_fd;                  /* .wq/run: the shepherd's records */
	int handles_fd;              /* .wq/handles: what plugins keep with running tasks */
	int attempts_fd;             /* .wq/attempts: which attempts above the first may begin */
	int tmp_fd;                  /* .wq/tmp */
	int quarantine_fd;           /* .wq/quarantine */
	int lock_fd;
	pid_t lock_holder; /* after -WQ_E_LOCKED: who has it, as it says; 0: not known */
	int status_fd;     /* wq.status */
	enum spool_durability durability;
	uid_t owner;      /* the server's uid: of results, wq.status, and (or 0) of requests */
	bool as_root;     /* this process may give files away */
	bool named_tmp;   /* O_TMPFILE + linkat is not to be had here, or not safe */
	bool no_exchange; /* RENAME_EXCHANGE is not to be had here */
	bool gate_closed; /* server: 1 has no write bit, see spool/space.h */
	bool has_journal; /* of names: a power cut leaves all directories as they were at one moment */
	bool sync_whole;      /* by syncfs(2): the cheapest way, or the only safe one */
	const char *weakness; /* why a sync promises nothing here, or NULL */
	uint64_t hwm_us;      /* server: id high-water mark; client: the last one read */
	uint64_t last_us;     /* client: time of the last id made here */
	char uuid[37];        /* server */
};

/*
 * Open as the server: create what is absent, refuse a root that is neither empty nor ours, take the
 * lock, check that all is on one file system, probe what the file system can do.  Nothing is
 * removed but our own left-overs in .wq/tmp that bear no id.  On success `sp` is ready; on failure
 * nothing stays open, and a spool that was being made is completed by the next try:
 *   -WQ_E_NOT_A_SPOOL  the root holds something else (text says what; a spool of the Python
 *                      original gets advice of its own), or a state directory is none
 *   -WQ_E_LOCKED       another server runs here (text says its pid)
 *   -WQ_E_UNSUPPORTED  made by a newer version, case-folding, spread over file systems, or on one
 *                      that lacks what we need
 *   -EPERM             the root or a directory of it is another user's, or open to others
 *   -errno
 */
int spool_open_server(
	struct spool *sp, const char *path, const struct spool_io *io, struct wq_err *err);

/*
 * Open as a client.  -WQ_E_NOT_A_SPOOL, -WQ_E_UNSUPPORTED (made by a newer version), -ENOENT (text:
 * no spool there; start wq-server once), -errno.
 * [any-thread]
 */
int spool_open_client(
	struct spool *sp, const char *path, const struct spool_io *io, struct wq_err *err);

void spool_close(struct spool *sp);

/*
 * An id was accepted: the high-water mark moves up to it, but at most to max(now, mark + 1 us), so
 * that nobody can run it ahead, not even with a file that waits for the next start.
 */
void spool_note_id(struct spool *sp, struct reqid id);

/* `on-start = wipe`: unlink well-formed ids and our own names in the five, finished, tmp, handles,
 * attempts and quarantine, and remove the work directories of tasks.  Descends nowhere else, never follows.
 * The count removed, or -errno. */
int spool_wipe(struct spool *sp, struct wq_err *err);

/* Persist the id high-water mark in .wq/hwm (called now and then and at exit).  0 or -errno. */
int spool_save_hwm(struct spool *sp);
