/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rig: a loop and an instance on it, with a record of what the instance said.  One a test.
 */
#pragma once

#include "plugin/children.h"
#include "plugin/instance.h"

enum {
	RIG_RESULT_LIMIT = 1 << 20
};

extern struct loop *rig_loop;
extern struct instance *rig_instance;
/* NULL until rig_add_children: over fake_link, for a spool with the uuid "spool"; before rig_start. */
extern struct children *rig_children;
void rig_add_children(void);
int rig_ups(void); /* calls of children_events.up so far */

/* A plugin that the build made: `env` is WQ_PLUGINS or WQ_TEST_PLUGINS.  Fails the test where it
 * cannot be loaded. */
const struct plugin *rig_load(const char *env, const char *name);

/* Load into `err`, for those that must not load. */
int rig_try_load(const char *env, const char *name, struct wq_err *err);

/* Make rig_instance; with `fault`, as the value of a plugin's only option.  Answers instance_new's. */
int rig_make(const struct plugin *p, const char *fault, struct wq_err *err);
void rig_start(const struct plugin *p, const char *fault); /* and start it; fails the test if not */
void rig_free(void);

/* Another instance on the same loop; its record is the same. */
struct instance *rig_another(const struct plugin *p, const char *name, const char *fault);

/* One round of the loop that waits for nothing; or rounds until `touched` has grown. */
void rig_run(void);
void rig_run_until_touched(void);

int rig_touched(void);           /* calls of events->touched so far */
int rig_lines(const char *part); /* log lines that contain it */
const char *rig_last_line(void);
const char *rig_last_line_id(void); /* "": about no task */

/* The next task that is started or recovered: one that every plugin takes, unless the test changes
 * it.  As new after rig_free. */
extern struct instance_task rig_task;
int rig_recover(wq_tid *ret_tid, struct wq_err *err);

/* What save_handle was given: "ID ATTEMPT BYTES". */
const char *rig_handle(void);
extern int rig_handle_answer;

/* Start rig_task; answers what instance_start_task did. */
int rig_start_task(wq_tid *ret_tid, struct wq_err *err);

/* The same with one that must start; its number. */
wq_tid rig_start_one(void);

/* One task that must be given back; nothing more must be. */
struct wq_outcome rig_reap_one(void);
void rig_assert_no_more(void);

void rig_assert_text(const char *text, const char *part); /* it contains `part` */
void rig_assert_line(const char *part);                   /* exactly one log line does */

/* How many strikes of this kind, and none of another kind but those of time, which depend on the
 * load of the machine. */
uint64_t rig_strikes(enum instance_strike kind);
