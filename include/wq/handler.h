/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq/handler.h: write a handler for the plugin thread-pool.
 *
 * A handler is a C function that does one task on a worker thread of wq-server.  A handler file is
 * a shared object with one exported function, made by the macro WQ_HANDLERS, that names one or more
 * of them.  The whole of one:
 *
 *	#include <wq/handler.h>
 *
 *	static int32_t nap(const struct wq_call *call, struct wq_reply *reply)
 *	{
 *		if (wq_call_pause(call, INT64_C(5000000000)))
 *			return WQ_CALL_CANCELLED;
 *		wq_cbor_put_text(reply->result, "rested");
 *		return WQ_OK;
 *	}
 *	static const struct wq_handler handlers[] = {
 *		{ "nap", "five seconds of rest", nap, NULL },
 *	};
 *	WQ_HANDLERS("1.0", handlers);
 *
 *	cc -shared -fPIC -fvisibility=hidden -o nap.so nap.c
 *
 * The rules, all of them:
 *   - run may block for as long as it likes, and several threads may be inside it at once: keep no
 *     mutable globals.
 *   - Cancelling is a wish: look at wq_call_cancelled between pieces of work, rest with
 *     wq_call_pause.  Until run returns its slot is taken: one that never looks cannot be stopped.
 *   - Leave nothing behind: free, close and join what the call has opened, whatever it returns.
 *   - Leave the process alone: no fork, no signal handlers, no chdir, umask, setlocale or exit.  A
 *     crash is a crash of the server.
 *
 * Growth is that of wq/plugin.h: structs grow at their end and carry their size.
 */
#ifndef WQ_HANDLER_H
#define WQ_HANDLER_H

#include <stddef.h>
#include <stdint.h>

#include <wq/cbor.h>
#include <wq/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WQ_HANDLER_ABI_MAJOR 0u
#define WQ_HANDLER_ABI_MINOR 1u
#define WQ_HANDLER_MAGIC     0x31485157u /* the bytes "WQH1" */

/* What run answers.  WQ_OK: done.  Below 0 (-errno): failed, for that reason. */
enum {
	WQ_CALL_CANCELLED = 1, /* stopped as wq_call_cancelled said so; nothing is left behind */
	WQ_CALL_FAILED = 2,    /* the task failed: reply->error says why */
	WQ_CALL_REJECTED = 3   /* this request can never work; nothing was done: reply->error */
};

/* One call of a handler; valid until run returns.  Strings are UTF-8. */
struct wq_call {
	uint32_t struct_size;
	uint32_t attempt;        /* from 1 */
	const char *id;          /* the request's id, as its client knows it */
	const char *name;        /* the task name, the same for nobody else, ever */
	const char *key;         /* of the request, "" for none; the server does not look at it */
	const char *label;       /* for people, "" for none */
	struct wq_bytes request; /* the payload: one well-formed CBOR item */

	/* The services, by the functions below. */
	int32_t (*cancelled)(const struct wq_call *call);
	int32_t (*pause)(const struct wq_call *call, int64_t ns);
	void (*progress)(const struct wq_call *call, int32_t permille, const char *text);
	void (*log)(const struct wq_call *call, int32_t level, const char *text);
};

/* What becomes of it.  The pool has made `result` and frees it. */
struct wq_reply {
	uint32_t struct_size;
	/* The task's exit status, 0 to 255; clients exit with it.  0 in a failure becomes 1. */
	int32_t code;
	struct wq_cbor_out *result; /* put one CBOR item, or nothing; counts with WQ_OK only */
	/* Name and text, with WQ_CALL_FAILED and WQ_CALL_REJECTED; wq_fail of wq/plugin-util.h
	 * fills it. */
	struct wq_err error;
};

struct wq_handler {
	const char *name;    /* [a-z][a-z0-9-]*, at most 63 bytes */
	const char *summary; /* one sentence for people */

	/* Do the task.  [a worker thread] */
	int32_t (*run)(const struct wq_call *call, struct wq_reply *reply);

	/* Could this request work, ever?  WQ_OK, or WQ_CALL_REJECTED with `err` filled: the client
	 * is told when the server reads the request.  Looks at the request only, as it must not
	 * block; run is still to believe nothing.  NULL: yes.  [the loop thread] */
	int32_t (*check)(struct wq_bytes request, struct wq_err *err);
};

/* ---- services, for run only ------------------------------------------------------------------ */

/* Has the end of this task been asked for?  Costs a load.  [any-thread] */
static inline int32_t wq_call_cancelled(const struct wq_call *call)
{
	return call->cancelled(call);
}

/* Rest for `ns` (CLOCK_MONOTONIC).  0: the time has passed; 1: cancelled, at once. */
static inline int32_t wq_call_pause(const struct wq_call *call, int64_t ns)
{
	return call->pause(call, ns);
}

/* How far it is: permille 0 to 1000, -1 for not known; `text` may be NULL.  [any-thread] */
static inline void wq_call_progress(const struct wq_call *call, int32_t permille, const char *text)
{
	call->progress(call, permille, text);
}

/* One line for the server's log, WQ_LOG_...  [any-thread] */
static inline void wq_call_log(const struct wq_call *call, int32_t level, const char *text)
{
	call->log(call, level, text);
}

/* ---- the handler file ------------------------------------------------------------------------ */

struct wq_handlers {
	uint32_t magic;
	uint32_t struct_size;
	uint16_t abi_major, abi_minor;
	uint32_t handler_size; /* sizeof(struct wq_handler) as you compiled it */
	uint32_t out_size;     /* sizeof(struct wq_cbor_out): both sides write to it */
	uint32_t n_handlers;
	const struct wq_handler *handlers;
	const char *version; /* yours, free text */
};

#define WQ_HANDLERS_SYMBOL "wq_handlers_v1"
typedef const struct wq_handlers *wq_handlers_fn(void);

/* WQ_HANDLERS("version", table): the whole of a handler file's outside; `table` is an array. */
#define WQ_HANDLERS(version_, table_)                                                              \
	__attribute__((visibility("default"))) const struct wq_handlers *wq_handlers_v1(void);     \
	const struct wq_handlers *wq_handlers_v1(void)                                             \
	{                                                                                          \
		static const struct wq_handlers file = { WQ_HANDLER_MAGIC,                         \
			(uint32_t)sizeof(struct wq_handlers), WQ_HANDLER_ABI_MAJOR,                \
			WQ_HANDLER_ABI_MINOR, (uint32_t)sizeof(struct wq_handler),                 \
			(uint32_t)sizeof(struct wq_cbor_out),                                      \
			(uint32_t)(sizeof(table_) / sizeof((table_)[0])), (table_), version_ };    \
		return &file;                                                                      \
	}                                                                                          \
	struct wq_handlers /* takes the semicolon that follows the macro */

/* ABI of LP64 Linux, held so that a change by accident does not compile. */
#if defined(__LP64__) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(struct wq_call) == 88 && sizeof(struct wq_reply) == 528, "calls");
_Static_assert(sizeof(struct wq_handler) == 32 && sizeof(struct wq_handlers) == 40, "handlers");
#endif

#ifdef __cplusplus
}
#endif
#endif
