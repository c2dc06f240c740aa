/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine: the server's and the clients' own code in one process, under a seam (spool/io.h) that kills
 * it, fails a call or cuts the power at any call.  A worker forks a child for each run of a scene; the
 * first ends as the scene says, the next begins on what that left, and the last one comes to rest; then
 * the oracle judges.  Clock, random numbers, inotify and the sync thread are the engine's, so the same
 * scene always makes the same calls.
 *
 * This header: what its files share, most of it in memory that outlives the runs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/loop.h"
#include "server/server.h"
#include "spool/io.h"

enum {
	JOBS_MAX = 6,
	RACE_JOB = JOBS_MAX - 1,
	RUNS_MAX = 3,
	CALLS_MAX = 8192,
	KINDS_MAX = 512,
	PATH_SIZE = 96
};

/* ---- a scene ------------------------------------------------------------------------------------ */

enum policy {
	POLICY_FAIL,
	POLICY_REQUEUE,
	POLICY_ADOPT,
	POLICY_MAX
};

/* What the file system can do, and what a power cut may do to it (tests/model/README). */
enum fs {
	FS_JOURNAL,
	FS_PARTS,
	FS_MOUNT, /* as JOURNAL, and the spool is its root */
	FS_POOR,  /* as JOURNAL, but no unnamed files and no exchange */
	FS_MAX
};

enum how {
	HOW_REST, /* the run comes to rest by itself */
	HOW_BEFORE,
	HOW_AFTER, /* killed: who makes the call, client or server */
	HOW_ALL,   /* killed after it, and both of them */
	HOW_CUT,   /* a power cut after it */
	HOW_MAX
};

/* A fault that is not an error but less bytes than were asked for. */
enum {
	SHORT = 4095
};

struct ending {
	enum how how;
	unsigned at; /* the call, from 1 */
	/* HOW_CUT: which of the moments since the last sync, and what became of bytes that were not
	 * synced; or, with FS_PARTS, what all of that is drawn from. */
	unsigned moment, bytes;
	/* Calls that fail: so many from this one on, 0: none. */
	unsigned fault_at, fault_n;
	int error;
};

enum race {
	RACE_ABORT,     /* abort job 0 */
	RACE_NEW,       /* enqueue another one */
	RACE_NEW_ABORT, /* ... and abort it at once */
	RACE_MAX
};

struct scene {
	const struct life *life;
	enum spool_durability level;
	enum policy policy;
	enum fs fs;
	struct ending runs[RUNS_MAX]; /* what comes after the last one that ends comes to rest */
	/* What a client does besides, just after this call of the server in this run; 0: nothing. */
	unsigned race_at;
	int race_run;
	enum race race;
	int plant; /* 0: none */
};

/* ---- lives -------------------------------------------------------------------------------------- */

enum what {
	DO_ENQUEUE,
	DO_BAD, /* publish bytes that are no request */
	DO_JUNK,
	DO_ABORT,
	DO_ABORT_NOBODY,
	DO_WAIT, /* and take it away */
	DO_SEE,  /* and leave it */
	DO_COLLECT,
	DO_END, /* its task ends well */
	DO_LATER
};

struct step {
	enum what what;
	int job;          /* DO_LATER: seconds */
	const char *task; /* what its task does, see play.c */
	bool at_once;     /* the server has not moved since the step before */
};

struct life {
	const char *name;
	const struct step *steps;
	size_t n_steps;
	size_t n_down;  /* the first so many happen while no server runs */
	int capacity;   /* 0: 1 */
	bool no_spool;  /* the server makes it */
	bool blind;     /* no inotify */
	bool overflow;  /* inotify loses events */
	bool slow_disk; /* a sync takes as long as the next step */
};

extern const struct life lives[];
extern const size_t n_lives;
const struct life *life_find(const char *name);

/* ---- what outlives a run ------------------------------------------------------------------------ */

enum role {
	ROLE_SERVER,
	ROLE_CLIENT
};

struct call {
	uint16_t kind;
	uint8_t role;
	bool changes;     /* it may change the spool */
	uint16_t moments; /* that a power cut just after it may choose from */
	bool dirty;       /* there are bytes that are not synced */
};

struct kind {
	char name[80]; /* "renameat2 2-pending 3-running" */
	unsigned kills, faults;
};

struct job {
	char id[REQID_SIZE]; /* "": nobody was told */
	bool over;           /* its client has had its answer */
};

enum task_state {
	TASK_NONE,
	TASK_RUNS,
	TASK_ENDED
};

/* What a task is outside of the server: a child of the shepherd, say. */
struct outside {
	char id[REQID_SIZE];
	char what[16];
	enum task_state state;
	uint32_t attempt;
	unsigned tries; /* of start_task */
	int32_t how;    /* it ended: WQ_DONE_... */
	int dying;      /* terminated, so many steps ago it will be over */
	wq_tid tid;     /* in this run; 0: not known to its server */
};

struct disk;

struct stage {
	const struct scene *scene;
	int run; /* from 0 */
	char spool[PATH_SIZE], image[PATH_SIZE];

	int64_t now_ns;
	uint64_t random;

	size_t n_events;
	char events[64 * 1024];

	unsigned n_calls; /* of this run */
	/* Of these: up to the end of its recovery, until it served, until it was told to end. */
	unsigned n_recovery, n_ready, n_served;
	struct call calls[CALLS_MAX];
	struct kind kinds[KINDS_MAX];
	unsigned n_kinds;

	size_t step; /* the next one of the clients */
	struct job jobs[JOBS_MAX];
	struct outside outside[JOBS_MAX * 2];
	bool rebooted;    /* what nobody knows of a task proves nothing */
	bool failed_sync; /* a fault has hit a sync: the server may give up */
	bool is_ready;    /* the server of this run has recovered */
	bool is_repaired; /* no call fails any more */
};

extern struct stage *stage;
extern bool verbose;

__attribute__((format(printf, 1, 2))) void event(const char *format, ...);
uint64_t draw(uint64_t *state); /* a random number */

/* ---- seam.c ------------------------------------------------------------------------------------- */

enum {
	EXIT_KILLED = 77,
	EXIT_CUT,
	EXIT_STUCK /* it never comes to rest */
};

extern enum role role;
extern unsigned progress; /* moves when the server does something */

/* Can a call of this kind fail in this way? */
bool seam_may_fail(const char *kind, int error);

/* Run `fn` as a client; false: it was killed. */
bool as_client(void (*fn)(void *arg), void *arg);

const char *plant_name(int plant); /* NULL: there is none of this number */
int plant_find(const char *name);  /* 0: none */

/* ---- disk.c: what a power cut would leave -------------------------------------------------------- */

/* Nodes are files and directories; 0 is none, 1 the root. */
typedef uint16_t node;

int disk_read(const char *path); /* forget all; what stands there is on disk */
/* States to begin with. */
void disk_save(int which), disk_restore(int which);
int disk_make(const char *path);    /* make all files as they were read */
int disk_cut(const char *path);     /* make what a power cut leaves, as the scene says */
void disk_remove(const char *path); /* of the real one, all of it */

node disk_find(node dir, const char *name);
node disk_create(bool is_dir);
bool disk_is_dir(node n);
const char *disk_path(node dir); /* "3-running" */
/* One to four names change at once: the entry becomes `n`, or goes. */
void disk_set(node dir, const char *name, node n, bool is_first);
void disk_write(node n, const void *bytes, size_t len, size_t at);
void disk_truncate(node n);
size_t disk_size(node n);
void disk_fsync(node n), disk_syncfs(void);
void disk_poison(node n); /* its sync has failed: its bytes will never be on disk */
unsigned disk_moments(void);
bool disk_is_dirty(void);

/* ---- play.c: one run ----------------------------------------------------------------------------- */

_Noreturn void play(void);
void play_race(void); /* scene.race, now */
/* A name has come to 1 or 5. */
void play_notice(enum spool_state state, const char *name);

/* ---- judge.c: the oracle ------------------------------------------------------------------------ */

void judge_open(const char *program);
void judge_close(void);
/* Of what is it: what a crash has left, a rest, or one with left-overs of a call that failed. */
enum rest {
	REST_NONE,
	REST_FINAL,
	REST_LEFT
};
/* The number of promises that are broken, told to `tell` one by one. */
int judge(enum rest rest, void (*tell)(const char *broken));
