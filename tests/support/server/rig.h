/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rig: a server without its socket, one a test, on a spool of its own.  Any call that it makes on
 * the spool can be made to fail, by what the call does; and its clock can be put forward, so that
 * nothing waits for the second after which it tries again.
 */
#pragma once

#include "support/spool/tmpspool.h"
#undef ID_TEXT /* server.h has one for all ids */
#include "server/server.h"

extern struct server rig;

/* Where a call works: a state, CENSUS_TMP, or these. */
enum {
	RIG_ANY = -1,
	RIG_QUARANTINE = 100,
	RIG_STATUS,
	RIG_ATTEMPTS,
	RIG_FILE /* of a sync: no directory */
};

/* For wq.conf: task managers that end each task at once; one a time, and the second has a fault. */
#define RIG_QUICK         "task-manager quick { plugin = null }\n"
#define RIG_FAULTY(fault) "task-manager faulty { plugin = faulty options { fault = " fault " } }\n"

/*
 * rig_open with the probe as the first and default task manager "probe", of two slots, three attempts,
 * and a recovery-limit of 10 s; it can recover.  fake_link is its shepherd, played by the test.
 */
void rig_open_probe(enum on_crash on_crash, const char *more_task_managers);
const char *rig_task_name(unsigned n, unsigned attempt); /* one at a time */

/* Fixtures: an empty spool; and a server on it that has recovered, with RIG_QUICK. */
void rig_setup_spool(void);
void rig_setup(void);
void rig_teardown(void);

/*
 * Start a server with these task managers: all that goes before recovery, but without inotify, whose
 * closing takes the kernel some milliseconds; that; recovery; or all of these, which must succeed.
 */
void rig_open(const char *task_managers);
void rig_watch(void);
int rig_recover(void);
void rig_start(const char *task_managers);
void rig_close(void); /* the spool stays */

/*
 * The next `times` calls fail: "open", "create" (open to write a new file), "list" (open a directory
 * to list it), or the name of a member of struct spool_io.  `to` is for renames and links.  One plan
 * at a time; rig_repair ends it.  rig_failed counts the calls that failed.
 */
void rig_fail(const char *call, int from, int to, int error, int times);
void rig_repair(void);
int rig_failed(void);

extern const char *rig_durability; /* of the next rig_open; "none" at first */
extern int rig_case;               /* for such a `fn`: which case of a table */
/* Call `fn` once, when a rename of this kind has just been made. */
void rig_when_renamed(int from, int to, void (*fn)(void));
/* The same, when this directory is just about to be listed. */
void rig_when_listed(int place, void (*fn)(void));

/* The same, when this directory, or RIG_FILE, is just about to be synced: in the sync thread, while
 * rig_run waits for it. */
void rig_when_synced(int place, void (*fn)(int fd));

/* Renames and unlinks since rig_open, each as "[from>to]" or "[from]". */
const char *rig_changes(void);

/* The ids that went from 2 to 3, in order. */
enum {
	RIG_MOVES_MAX = 1024
};
extern struct reqid rig_moves[RIG_MOVES_MAX];
extern int rig_n_moves;
int rig_n_started(void); /* tasks that plugins took */

extern enum on_crash rig_on_crash; /* of the requests that are made; UNSAID at first */

/* A request for this task manager, with tmpspool_nth(n) as its id, as a client makes it; it says of
 * itself what rig_like does. */
extern struct request rig_like;
void rig_request(unsigned n, const char *task_manager);
void rig_bad_request(unsigned n); /* published, but no request */
void rig_abort(unsigned n);
/* The same file anywhere, which no client could do. */
void rig_plant_request(unsigned n, const char *place, const char *task_manager);
void rig_plant_result(unsigned n, const char *place);

const char *rig_name(unsigned n); /* of tmpspool_nth(n); one at a time */
bool rig_stands(unsigned n, const char *place);

/* Rounds of the loop and passes until nothing more happens now; the same a second later. */
void rig_run(void);
void rig_run_later(void);
void rig_forward(int64_t ns); /* put the clock forward */

/* What a client would read: its result is there and has this status, and this error. */
void rig_assert_result(unsigned n, enum result_status status);
void rig_assert_error(unsigned n, enum result_status status, const char *error);
/* The same, with this error, whose text contains `part`, of this attempt. */
void rig_assert_outcome(unsigned n, enum result_status status, const char *error, const char *part,
	unsigned attempt);
/* Nothing stands in 1, 2, 3, 5 and tmp, and the server remembers nothing. */
void rig_assert_idle(void);
void rig_assert_quarantine(int n_files);
