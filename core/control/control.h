/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: the questions that only a running server can answer, over wq.sock.
 *
 * SOCK_SEQPACKET, one CBOR map a message.  Ask: { "wq-control": 1, "ask": "set", "args": {...} },
 * where args may be absent.  Answer: { "wq-control": 1, "answer": { ... } } or
 * { "wq-control": 1, "error": name, "text": sentence }.
 * Both ends check the peer's credentials: the server answers its own uid and root.  It decides
 * nothing: what an answer holds is the handler's matter.  docs/wq-control.cddl.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include <wq/plugin.h> /* struct wq_bytes */

#include "base/buf.h"
#include "loop/loop.h"

struct wq_err;
struct control;

/* The socket, in the root of the spool. */
#define CONTROL_NAME "wq.sock"

enum {
	CONTROL_VERSION = 1,
	CONTROL_ASK_MAX = 4096,
	CONTROL_ANSWER_MAX = 180 * 1024, /* a message must fit in the kernel's default buffer */
	CONTROL_CONNECTIONS_MAX = 64,
	CONTROL_TIMEOUT_S = 5
};

/*
 * Append the answer, one CBOR item of at most CONTROL_ANSWER_MAX bytes, to `ret`.  `uid` is who asks.  A failure
 * becomes an error answer: err->name, or where that is empty the name of the code, and err->text.
 * `args`: the arguments, one well-formed CBOR map; len 0 where there are none.  Borrowed.
 */
typedef int control_fn(void *arg, uid_t uid, const char *what, struct wq_bytes args,
	struct buf *ret, struct wq_err *err);

/*
 * Serve in the directory `dir_fd`, replacing a dead socket (the caller holds the lock).
 * 0; -WQ_E_LOCKED: somebody answers there; -EEXIST: what stands there is no socket; -errno.
 *
 * No client can hold the server up: nothing blocks, an answer that its client does not take closes
 * the connection, and at CONTROL_CONNECTIONS_MAX the one that was silent longest is closed.
 */
int control_open(struct control **ret, struct loop *loop, int dir_fd, control_fn *fn, void *arg,
	struct wq_err *err);

/*
 * Where the socket was removed or replaced, make it anew; who is connected stays so.  0: it is there;
 * 1: made; else as control_open, and the old one is served as before.
 */
int control_renew(struct control *c, struct wq_err *err);

/* Close all connections and remove the socket, if it is still ours.  NULL is fine. */
void control_close(struct control *c);

/*
 * The client's end: ask one question, append the answer item to `ret`.  `dir_fd` may be O_PATH.
 * `args` is one CBOR map, or len 0 for none.
 *   -WQ_E_GONE      nobody listens
 *   -WQ_E_REFUSED   the server's own name and sentence
 *   -WQ_E_TIMEOUT   after CONTROL_TIMEOUT_S
 *   -WQ_E_FORMAT, -WQ_E_UNSUPPORTED  what came back is no answer, or of another version; or
 *                   `args` is no map
 *   -EPERM          the listener is neither root nor the owner of the directory
 *   -EINTR, -errno
 */
int control_ask(
	int dir_fd, const char *what, struct wq_bytes args, struct buf *ret, struct wq_err *err);
