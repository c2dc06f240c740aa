/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server/attempt: which attempt at a request is the one to be started or running, where it is not the
 * first: what .wq/attempts says (spool/attempt.h), in memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "spool/reqid.h"

struct server;
struct task;
struct wq_err;

struct attempts {
	struct attempt {
		struct reqid id;
		uint32_t attempt;
		bool doubted;
	} * items; /* in order of id; few, for most requests are started once */
	size_t n, cap;
};

/* Before anything is started, for all that an earlier server has left; and behind recovery, for what
 * belongs to no request any more.  0 or -errno. */
int attempts_load(struct server *s, struct wq_err *err);
void attempts_tidy(struct server *s);
void attempts_fini(struct attempts *a);

uint32_t attempt_of(const struct server *s, struct reqid id); /* 1 or more */

/* The task is over and is to be started again: on disk before it answers 0; -errno.  May be repeated. */
int attempt_next(struct server *s, const struct task *task);

/* That it never began is not to be believed of this attempt, whoever says it. */
int attempt_doubt_it(struct server *s, const struct task *task); /* 0 or -errno */
bool attempt_is_doubted(const struct server *s, const struct task *task);

/* The request is over. */
void attempt_over(struct server *s, struct reqid id);
