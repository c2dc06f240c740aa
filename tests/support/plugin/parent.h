/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parent: the probe with a task that has children, over the fake link.
 */
#pragma once

#include "plugin/children.h"

#define PARENT_ID   "1700000000.000001-0123456789abc"
#define PARENT_NAME "spool." PARENT_ID ".1" /* of rig_task */
#define PARENT_DIR  "/spool/work/" PARENT_ID ".1"

extern struct wq_err parent_err;
extern struct wq_spawn parent_spawn; /* what the next spawn_now asks for */
extern uint64_t parent_child;        /* which it answered */

/* Fixtures: children, no shepherd yet; a command to spawn. */
void parent_setup(void);
void parent_teardown(void);

/* A shepherd with nothing, an instance, and a task that runs. */
wq_tid start_up(void);
void give_back(wq_tid tid);

/* The services, as the probe calls them. */
int spawn_now(wq_tid tid, const char *label);
uint64_t spawn_one(wq_tid tid, const char *label); /* which must succeed */
int end_now(uint64_t number, uint32_t how, uint32_t grace_ms);

/* What the shepherd was told since the last time. */
void assert_orders(const char *what);
/* Of so many ends the probe has heard, and last of this. */
void assert_ended(int n, uint64_t number, int32_t how);
