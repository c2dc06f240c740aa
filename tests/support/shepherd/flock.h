/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A herd in a place of its own (support/shepherd/place.h), and short words for its children.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "shepherd/herd.h"

/*
 * Each test runs twice: as whoever runs it, which is with cgroups for root where they may be made, and
 * as a user without privilege, who has none.
 */
enum {
	FLOCK_MODES = 2,
	ENDS_MAX = 4096
};

#define TASK "u.1511472984.123456-0k3v9q2m7t1dh.1"
extern char
	flock_tag[FRAME_NAME_MAX + 1]; /* WQ_TASK of all children: TASK, and of this test alone */

struct told {
	char name[FRAME_NAME_MAX + 1];
	struct wq_child_end end;
	char error[WQ_ERR_NAME_SIZE];
	char text[WQ_ERR_TEXT_SIZE];
};

extern struct herd *flock_herd;
extern struct told flock_told[ENDS_MAX]; /* in the order in which they came */
extern size_t flock_n_told;

/* Fixtures, and the first word of each test. */
void flock_setup(void);
void flock_teardown(void);
void flock_begin(int mode);

/* Another herd in the same place. */
void flock_open(void);
void flock_close(void);

struct frame_spawn flock_order(const char *name, const char *const *argv);
struct frame_spawn flock_sh(const char *name, const char *script);
void flock_spawn(const char *name, const char *script);

const struct told *flock_find(const char *name); /* NULL: its end has not been told */
void flock_round(void);
const struct told *flock_wait(const char *name);

/* What a child has written so far; waits until it has written `word`. */
const char *flock_output(const char *file, const char *word);

bool flock_is_running(pid_t pid);                    /* and is no zombie */
pid_t flock_pid(const char *text, const char *word); /* the number after that word */
void flock_no_child_is_left(void);
int flock_cgroups(void); /* of children */

/* A shepherd in a process of its own is killed while its children run: one of this name, which prints
 * "ready PID" first, and what `more` (or NULL) has spawned.  That pid. */
pid_t flock_leave_behind(const char *name, const char *script, void (*more)(void));
