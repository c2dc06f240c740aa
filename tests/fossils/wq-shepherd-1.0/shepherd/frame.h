/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/frame: what a server and its shepherd say to each other, as bytes.  Touches no
 * descriptor.  docs/wq-shepherd.cddl is the format, for both ends and for ever.
 *
 * A frame is its length (4 bytes, big-endian) and one CBOR map with short text keys, over a stream
 * socket.  "frame" names its kind.  Each end passes over keys and kinds that it does not know, so
 * either may be the newer one; a new server uses what "minor" of the hello says that the shepherd
 * can do.  A change that an old end would misread is a new major: then the server waits until the
 * old shepherd has nothing left and has gone.
 *
 *	server -> shepherd	hello  spawn  end  ack  list  quit
 *	shepherd -> server	hello  child  listed  ended
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wq/plugin.h>

#include "base/buf.h"

struct wq_err;

#ifndef WQ_FRAME_MINOR /* a test builds a server of a later one */
#	define WQ_FRAME_MINOR 0
#endif

enum {
	FRAME_MAJOR = 1,
	FRAME_MINOR = WQ_FRAME_MINOR,
	FRAME_MAX = 4 * 1024 * 1024, /* bytes of the map; the stdin of a child is in it */
	FRAME_HEAD = 4,
	FRAME_STRINGS_MAX = 65536, /* words of argv, env and dirs_allowed together */
	FRAME_LIMITS_MAX = 32,
	FRAME_NAME_MAX =
		159, /* of a child: the task name, and "." and the label where it has one */
	FRAME_LABEL_MAX = 31
};

enum frame_kind {
	FRAME_UNKNOWN, /* of a newer version: pass over it */
	FRAME_HELLO,   /* both: the first frame of each end */
	FRAME_SPAWN,   /* run a child, unless one of this name is known; no answer but its end */
	FRAME_END,     /* end one; for one that is not known: nothing */
	FRAME_ACK,     /* its end has been taken note of: forget it */
	FRAME_LIST, /* tell all that are known: `child` each, then `listed`, then the ends so far */
	FRAME_QUIT, /* end yourself, if no child is left */
	FRAME_CHILD, /* one that is known, running or ended */
	FRAME_LISTED,
	FRAME_ENDED /* one has ended, and nothing of it is left */
};

struct frame_hello {
	uint32_t major, minor;
	int64_t pid;
	/* From the shepherd: */
	char containment[16]; /* "cgroup" or "best effort" */
	char version[32];     /* of wq */
	/* Is what it knows complete since the machine was started?  No: children of before may have
	 * been forgotten with what a power cut took. */
	bool same_boot;
	/* From the server: how long to stay without one and with nothing to do, in ms. */
	int64_t linger_ms;
};

/* What to run.  `what` has the meaning of the ABI; tid and label are not in the frame, for `name`
 * says both. */
struct frame_spawn {
	char name[FRAME_NAME_MAX + 1];
	char tag[FRAME_NAME_MAX + 1]; /* WQ_TASK: the task name; all children of a task bear it */
	const char *work_dir; /* absolute; the output goes there, and it is the default dir */
	const char *out_name, *err_name; /* files in it */
	struct wq_spawn what;
	/* Of a decoded one: the arrays that `what` points at; strings are NUL-terminated copies. */
	void *memory;
};

struct frame_child {
	char name[FRAME_NAME_MAX + 1];
	int64_t pid; /* 0: it has ended, or never began */
	int64_t began_us;
};

struct frame {
	enum frame_kind kind;
	char name[FRAME_NAME_MAX + 1]; /* SPAWN, END, ACK, CHILD, ENDED */
	struct frame_hello hello;
	struct frame_spawn spawn; /* frame_spawn_fini it */
	struct {
		uint32_t how; /* WQ_TERM_... */
		uint32_t grace_ms;
	} end;
	struct frame_child child;
	struct wq_child_end ended; /* texts borrowed from the frame struct below */
	char error[WQ_ERR_NAME_SIZE];
	char text[WQ_ERR_TEXT_SIZE];
};

/* Append one frame, its length first.  0, -ENOMEM, or -WQ_E_LIMIT (above FRAME_MAX) with `ret` as it
 * was. */
int frame_put_hello(struct buf *ret, const struct frame_hello *hello);
int frame_put_spawn(struct buf *ret, const struct frame_spawn *spawn);
int frame_put_end(struct buf *ret, const char *name, uint32_t how, uint32_t grace_ms);
int frame_put_ack(struct buf *ret, const char *name);
int frame_put_simple(struct buf *ret, enum frame_kind kind); /* LIST, QUIT, LISTED */
int frame_put_child(struct buf *ret, const struct frame_child *child);
int frame_put_ended(struct buf *ret, const char *name, const struct wq_child_end *end);

/*
 * The frame at the start of `bytes`.  Above 0: its size, length included; 0: not all of it is
 * there; -WQ_E_FORMAT or -WQ_E_LIMIT with the sentence: what comes is no frame, and the connection
 * is of no more use; -ENOMEM.
 */
int64_t frame_take(const void *bytes, size_t len, struct frame *ret, struct wq_err *err);
void frame_spawn_fini(struct frame_spawn *spawn);
