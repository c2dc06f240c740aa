/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/link: the server's end.  Finds the shepherd of a spool by its socket, or starts one;
 * carries orders to it and news from it; and when it dies, starts the next.
 *
 * Nothing blocks: what does not go into the socket at once waits here, and while it does
 * link_spawn answers WQ_BUSY.  The shepherd remembers every end until it is acknowledged, so a
 * connection that breaks loses nothing.
 */
#pragma once

#include "loop/loop.h"
#include "shepherd/frame.h"

struct link;

/* All from the loop, none from inside a function below. */
struct link_events {
	void *arg;
	/* The shepherd has told all it knows: first `known` for each child, then `up`, then the
	 * end of each that has ended.  Once for each shepherd or connection. */
	void (*known)(void *arg, const struct frame_child *child);
	void (*up)(void *arg, const struct frame_hello *hello);
	/* The connection is gone.  Another shepherd is looked for, or started, at once and then with growing
	 * pauses up to 5 s; it takes up what is left, and `known` and `up` come again. */
	void (*down)(void *arg, const char *why);
	void (*ended)(void *arg, const char *name, const struct wq_child_end *end);
	/* There is room again after WQ_BUSY. */
	void (*room)(void *arg);
};

struct link_place {
	int own_fd;       /* .wq, where the socket "shepherd.sock" and the directory "run" are */
	const char *root; /* of the spool, absolute */
	const char *uuid;
	const char *program; /* path of wq-shepherd */
	int64_t linger_ns;   /* how long a shepherd stays with nothing to do and no server */
};

/*
 * Begin.  Connects, or starts a shepherd, in the background: the first news is `up`.  `place` is
 * copied but for own_fd, which must stay open.  0 or -errno.
 */
int link_new(struct link **ret, struct loop *loop, const struct link_place *place,
	const struct link_events *events, struct wq_err *err);
/* `quit`: tell a shepherd that has nothing left to end itself. */
void link_free(struct link *l, bool quit);

bool link_is_up(const struct link *l);
const char *link_containment(const struct link *l); /* "" until it is up */

/* WQ_OK: it will be told that it has ended.  WQ_BUSY: not now, `room` or `up` follows.  -WQ_E_LIMIT:
 * too much for a frame.  -ENOMEM. */
int link_spawn(struct link *l, const struct frame_spawn *spawn, struct wq_err *err);
/* These are kept until they have been sent; what a broken connection has swallowed the caller tells
 * again when `up` comes. */
int link_end(struct link *l, const char *name, uint32_t how, uint32_t grace_ms);
int link_ack(struct link *l, const char *name);
