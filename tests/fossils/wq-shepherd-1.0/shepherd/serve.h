/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/serve: the socket of a shepherd, and what its server orders through it.
 *
 * One connection is served at a time, and read to its very end before the next is looked at: an
 * order of a server that was killed, which still sits in the socket, is carried out before its
 * successor is told what there is.  So nothing that was ordered is missing from what is told.
 *
 * Nothing blocks.  What a server does not read waits in memory, and beyond a bound no more of its
 * orders are read.
 */
#pragma once

#include "shepherd/herd.h"

enum {
	SERVE_STOP_GRACE_MS = 10 * 1000 /* of a stop that nobody has named one for */
};

struct serve;

/*
 * Take the lock in .wq (`own_fd`, which stays open), take up what an earlier shepherd has left in
 * run/, and listen on the socket.  0, -WQ_E_LOCKED (another one serves this spool), or -errno.
 */
int serve_new(
	struct serve **ret, struct loop *loop, int own_fd, const char *uuid, struct wq_err *err);

/* Removes the socket, then gives the lock back. */
void serve_free(struct serve *s);

struct herd *serve_herd(struct serve *s);

/*
 * Nothing is left to do: it has been told to quit; nobody has come for the time that the last server
 * named; a server that speaks another version waits, and no child runs; or .wq has been removed, so
 * that nobody can come, and all have been ended.
 */
bool serve_is_done(const struct serve *s);

/* End all children, SIGKILL after `grace_ms`; then it is done.  What has ended is told to a server that
 * is there. */
void serve_stop(struct serve *s, uint32_t grace_ms);
