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

/* Nothing is left to do: it has been told to quit, or nobody has come for the time that the last
 * server named. */
bool serve_is_done(const struct serve *s);

/* End all children, SIGKILL after `grace_ms`; then it is done.  What has ended is told to a server that
 * is there. */
void serve_stop(struct serve *s, uint32_t grace_ms);
