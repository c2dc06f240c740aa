/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe: a plugin inside the test program, which answers what the test sets and tells what it saw.
 */
#pragma once

#include "plugin/plugin.h"

extern struct plugin probe_plugin;

struct probe {
	/* Answers. */
	int32_t create, start, stop, validate, start_task, terminate, capacity;
	struct wq_err err;              /* written by those that have an err */
	struct wq_outcome outcomes[64]; /* given back by reap in this order; its answer is `reap` */
	int n_outcomes;
	int32_t reap;
	int32_t recover;
	int64_t next_tick;

	/* What was seen. */
	const struct wq_host *host;
	wq_self *self;
	char calls[2048];    /* "create start tick ..." */
	struct wq_task task; /* of the last operation that had one */
	char task_id[64];
	uint8_t request[16];
	uint64_t ready_watch;
	uint32_t ready_events, how;
	wq_tid acked;
	int64_t now_ns;
	/* The ends of children, the last one in full. */
	int n_ends;
	uint64_t ended_child;
	wq_tid ended_tid;
	struct wq_child_end end;
	char end_error[64], end_text[128];
	/* What recover was told. */
	struct wq_child children[8];
	char labels[8][32];
	char handle[32];

	/* Called inside the operation named. */
	void (*in_start)(void);
	void (*in_create)(void);
	void (*in_on_ready)(void);
	void (*in_destroy)(void);
	void (*in_start_task)(void);
	void (*in_recover)(void);
	void (*in_on_child)(void);
};
extern struct probe probe;

/* Forget all; answers are WQ_OK, 1 for reap, WQ_ADOPTED for recover, and room for 8.  It wakes, has
 * work directories and children, and cannot recover. */
void probe_reset(void);
/* From now on it can recover; before its instance is started. */
void probe_can_recover(void);
/* How often an operation was called. */
int probe_calls(const char *op);
