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

	/* Called inside the operation named. */
	void (*in_start)(void);
	void (*in_create)(void);
	void (*in_on_ready)(void);
	void (*in_destroy)(void);
};
extern struct probe probe;

/* Forget all; answers are WQ_OK, 1 for reap, and room for 8. */
void probe_reset(void);
/* How often an operation was called. */
int probe_calls(const char *op);
