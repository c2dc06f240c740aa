/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A shepherd in a place of its own (support/shepherd/place.h), and a server that calls it: both in
 * this process, in turns.
 */
#pragma once

#include "shepherd/serve.h"

enum {
	CALLER_ROUND_NS = 1000000, /* of a wait for nothing to happen */
	CALLER_INPUT_MAX = 16 * 1024
};

extern struct loop *caller_loop;
extern struct serve *caller_serve;
extern char caller_uuid
	[32]; /* one a test: it names a cgroup and tags, and others may run at the same time */

/* Fixtures. */
void caller_setup(void);
void caller_teardown(void);

/* ---- the connection -------------------------------------------------------------------------- */

extern int caller_fd; /* -1: none */

int caller_connect(void);   /* another one */
void caller_become(int fd); /* go on with that one, after the end of this one */
void caller_disconnect(void);

/* Say hello, and read the answer. */
void caller_greet(int64_t linger_ms);

/* ---- what is said ---------------------------------------------------------------------------- */

void caller_put_hello(struct buf *b, uint32_t major, int64_t linger_ms);
void caller_put_spawn(struct buf *b, const char *name, const char *script);
void caller_put_spawn_with(
	struct buf *b, const char *name, const char *script, uint32_t flags, size_t input_len);
void caller_send(int fd, struct buf *b); /* and free it */

void caller_order(enum frame_kind kind);
void caller_spawn(const char *name, const char *script);
void caller_ack(const char *name);

/* ---- what is answered ------------------------------------------------------------------------ */

extern struct frame caller_frame; /* the last one */

/* The next frame of the shepherd, while that runs: 1; 0: it has closed; -1: nothing, after many
 * rounds. */
int caller_next(int fd, int rounds);
void caller_expect(enum frame_kind kind);

void caller_run_until_done(void);
