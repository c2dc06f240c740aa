/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq/plugin.h: write a task manager.
 *
 * A plugin is one shared object with one exported function, made by the macro WQ_PLUGIN at the end
 * of this file.  Four operations are required: start_task, reap, terminate, has_capacity; all
 * others may be left out.  wq-server loads the plugin once and makes one instance for each
 * `task-manager` section of wq.conf that names it.  wq-plugin(3) tells the same story at length,
 * with the life cycle drawn; plugins/null is the whole of a small plugin.
 *
 * The rules, all of them:
 *   - Operations are called on one thread, the loop, one after the other, never nested.  They must
 *     not block: more than 50 ms is logged with the plugin's name.
 *   - A task that start_task accepted (WQ_OK) is given back by reap exactly once, whatever happens.
 *   - What either side hands over is borrowed for that call unless its comment says otherwise;
 *     nobody frees what the other allocated.
 *   - Keep no mutable globals: several instances share them.  Everything hangs off wq_self.
 *   - Own threads live between start and destroy, block all signals, and use only the services
 *     marked [any-thread].
 *   - Leave the process alone: no fork, no wait, no signal handlers, no chdir, umask or exit.
 *
 * Growth: structs grow only at their end and carry their size; both sides copy the smaller size and
 * take what is missing as zero.  Nothing is frozen before ABI 1.0 is declared; WQ_ABI_MAJOR is 0
 * until then, and a plugin with another major, or a newer minor than the server's, is refused.
 *
 * Tags: [loop] called on, or allowed on, the loop thread only; [any-thread]; [signal-safe];
 * [until destroy] the pointer stays valid until destroy has returned.
 */
#ifndef WQ_PLUGIN_H
#define WQ_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include <wq/err.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WQ_ABI_MAJOR    0u
#define WQ_ABI_MINOR    1u
#define WQ_PLUGIN_MAGIC 0x31505157u /* the bytes "WQP1" */

typedef struct wq_self wq_self; /* your state of one instance; you define it */
typedef uint64_t wq_tid;        /* a task's number: given by the host, never 0, never used again */

struct wq_bytes {
	const void *ptr;
	size_t len;
};

/* ---- answers --------------------------------------------------------------------------------
 * 0 and above are answers; below 0 (-errno or -WQ_E_...) is a fault of the plugin itself.  An
 * answer that the host does not know is a fault.
 */
enum {
	WQ_OK = 0,
	/* start_task: no room after all; the request goes back to its place */
	WQ_BUSY = 1,
	/* start_task: not now; back to its place, tried again after err->code milliseconds (1000
	 * where that is not positive) */
	WQ_RETRY = 2,
	/* start_task, validate: never possible here; err->name and err->text say why */
	WQ_REJECT = 3
};

/* How a task ended: wq_outcome.how. */
enum {
	WQ_DONE_OK = 1,
	WQ_DONE_FAILED = 2,      /* the task itself says that it failed */
	WQ_DONE_ABORTED = 3,     /* it ended because terminate asked for it */
	WQ_DONE_LOST = 4,        /* it may or may not have run to its end; nobody can know */
	WQ_DONE_REJECTED = 5,    /* it turned out to be impossible; nothing was done */
	WQ_DONE_NOT_STARTED = 6, /* it never began: back to its place, see retry_after_ms */
	WQ_DONE_KILLED = 7       /* it was ended, but not by its client (a limit, a shutdown) */
};

/* terminate: how */
enum {
	WQ_TERM_GRACEFUL = 1,
	WQ_TERM_NOW = 2
};

/* stop: how */
enum {
	WQ_STOP_DETACH = 1,
	WQ_STOP_KILL = 2
};

/* log: level */
enum {
	WQ_LOG_ERR = 3,
	WQ_LOG_WARN,
	WQ_LOG_NOTICE,
	WQ_LOG_INFO,
	WQ_LOG_DEBUG
};

/* What on_ready and watch say about a descriptor; the values are those of epoll(7). */
enum {
	WQ_READABLE = 0x001,
	WQ_WRITABLE = 0x004,
	WQ_FD_ERROR = 0x008,
	WQ_FD_HANGUP = 0x010
};

/* Capability bits of a plugin. */
enum {
	/*
	 * "I never need to be asked": each time that reap or has_capacity would answer something new
	 * I call wakeup, or a watched descriptor is ready, or tick is due, or I have just been called.
	 * Without it the host asks every `sample-interval` while tasks run or requests wait.
	 */
	WQ_CAP_WAKES = 1u << 0
};

/* ---- options ---------------------------------------------------------------------------------
 * What may stand in `options { ... }` of wq.conf.  The host parses and checks it, prints it with
 * `wq-server --describe`, and hands the values to create, one for each entry, in this order.
 */
enum {
	WQ_T_BOOL = 1,     /* "true" "false" "yes" "no" "on" "off"    .i = 0 or 1 */
	WQ_T_INT = 2,      /* decimal                                 .i */
	WQ_T_FLOAT = 3,    /* decimal                                 .f */
	WQ_T_STRING = 4,   /* any text                                .s */
	WQ_T_CHOICE = 5,   /* one of choices, "a|b|c"                 .s, and n = place from 0 */
	WQ_T_PATH = 6,     /* made absolute from wq.conf's directory  .s */
	WQ_T_DURATION = 7, /* "250ms" "10s" "5m" "2h" "7d"            .i in nanoseconds */
	WQ_T_SIZE = 8,     /* "64K" "1M" "2G", powers of 1024         .i in bytes */
	WQ_T_LIST = 9      /* "a, b, c"                               .list, n entries */
};
enum {
	WQ_OPT_REQUIRED = 1u << 0,
	WQ_OPT_SECRET = 1u << 1 /* never printed */
};

struct wq_option {
	const char *name; /* [a-z][a-z0-9-]*, at most 63 bytes */
	const char *help; /* one sentence, no full stop */
	const char *def;  /* the default as a user would write it; NULL: no default, is_set says */
	const char *choices; /* WQ_T_CHOICE only */
	int64_t min, max;    /* INT, DURATION (ns), SIZE (bytes); both 0: no bound */
	uint32_t type, flags;
};

struct wq_value {
	uint32_t type;
	uint32_t is_set; /* 1: the user wrote it; 0: the default, or nothing where there is none */
	union {
		int64_t i;
		double f;
		const char *s;
		const char *const *list;
	} u;
	size_t n; /* LIST: entries; CHOICE: its place from 0; other texts: bytes */
};

struct wq_config {
	uint32_t struct_size;
	uint32_t n_values;
	const char *instance;          /* the task manager's name in wq.conf */
	const struct wq_value *values; /* values[i] belongs to options[i] */
};

/* ---- tasks ------------------------------------------------------------------------------------ */

/* One attempt at one request. */
struct wq_task {
	uint32_t struct_size;
	uint32_t attempt; /* from 1 */
	wq_tid tid;
	const char *id; /* the request's id, as its client knows it */
	/* The task name, "<spool uuid>.<id>.<attempt>": name outside things by it. */
	const char *name;
	const char *key;   /* of the request, "" for none; the server does not look at it */
	const char *label; /* for people, "" for none */
	/* The payload: one well-formed CBOR item; start_task, validate only. */
	struct wq_bytes request;
	/* Your task_size bytes, zeroed before start_task; they stay until reap has given the task back
	 * and the next operation is called. */
	void *state;
};

/*
 * The end of one task, filled by reap; the host hands it over zeroed.  What it points at must stay
 * valid until the instance's next operation.
 */
struct wq_outcome {
	uint32_t struct_size;
	int32_t how; /* WQ_DONE_... */
	wq_tid tid;
	struct wq_bytes result; /* one well-formed CBOR item, or len 0 for none */
	const char *error;      /* a stable name, [a-z0-9.-], "exit-status"; NULL when ok */
	const char *text;       /* one line for people; NULL when ok */
	int32_t code;           /* the task's own exit status, 0 to 255; clients exit with it */
	int32_t signal;         /* the signal that ended it, or 0 */
	/* WQ_DONE_NOT_STARTED: not before that (0: 100); holds the queue. */
	uint32_t retry_after_ms;
	uint32_t reserved;
};

/* ---- services of the host ----------------------------------------------------------------------
 * One table an instance, [until destroy].  `ctx` is the first argument of each.  A service that a
 * server does not have yet is NULL: test with WQ_HAS.
 */
typedef struct wq_host_ctx wq_host_ctx;

struct wq_host {
	uint32_t struct_size;
	uint16_t abi_major, abi_minor;
	wq_host_ctx *ctx;
	const char *server_version;

	/* One line of UTF-8; tid 0: about no task.  The host adds the task manager's name and the
	 * request's id, and drops lines above 100 a second, saying how many.  [any-thread] */
	void (*log)(wq_host_ctx *ctx, int32_t level, wq_tid tid, const char *text);

	/* "Call reap and has_capacity soon."  Calls merge.  [any-thread] [signal-safe] */
	void (*wakeup)(wq_host_ctx *ctx);

	/* How far a task is: permille 0 to 1000, or -1 for not known; `text` may be NULL.  Kept for
	 * those who ask, the last one wins.  [any-thread] */
	void (*progress)(wq_host_ctx *ctx, wq_tid tid, int32_t permille, const char *text);

	/* Nanoseconds of CLOCK_BOOTTIME, the clock of tick and of all waiting.  [any-thread] */
	int64_t (*clock_ns)(wq_host_ctx *ctx);

	/* Call on_ready while `fd` is WQ_READABLE | WQ_WRITABLE as asked (level-triggered).  Answers a
	 * watch, never 0 and never used again, or 0 when the system refuses.  The fd stays yours:
	 * unwatch first, then close it.  rewatch changes the events, 0 or -errno.  [loop] */
	uint64_t (*watch)(wq_host_ctx *ctx, int32_t fd, uint32_t events);
	int32_t (*rewatch)(wq_host_ctx *ctx, uint64_t watch, uint32_t events);
	void (*unwatch)(wq_host_ctx *ctx, uint64_t watch);
};

#define WQ_HAS(host, service)                                                                      \
	(offsetof(struct wq_host, service) + sizeof((host)->service) <= (host)->struct_size &&     \
		(host)->service != NULL)

/* ---- the plugin ------------------------------------------------------------------------------- */

struct wq_plugin {
	uint32_t magic;
	uint32_t struct_size;
	uint16_t abi_major, abi_minor;
	uint32_t caps;       /* WQ_CAP_... */
	const char *name;    /* [a-z][a-z0-9-]*, the file's name without .so */
	const char *version; /* yours, free text */
	const char *summary; /* one sentence for people */
	/* Bytes of wq_self and of task->state; the host allocates them, zeroed, aligned for any type. */
	uint32_t self_size;
	uint32_t task_size;
	const struct wq_option *options;
	uint32_t n_options;
	uint32_t option_size; /* sizeof(struct wq_option) as you compiled it */

	/* --- required, all [loop] --- */

	/*
	 * Begin a task and return at once.  WQ_OK: it is yours, reap will give it back.  WQ_BUSY,
	 * WQ_RETRY: nothing was begun.  WQ_REJECT: this request can never run here.  Below 0: a
	 * fault; the request goes back to its place and this counts against the plugin.
	 */
	int32_t (*start_task)(wq_self *me, const struct wq_task *task, struct wq_err *err);

	/* Give back one task that has ended: fill `ret`, answer 1.  0: none.  Called until it says 0. */
	int32_t (*reap)(wq_self *me, struct wq_outcome *ret);

	/*
	 * End this task soon; return at once.  Its end still comes by reap, and only then is its slot
	 * free.  May be called again with WQ_TERM_NOW, and for a task that has just ended: WQ_OK.
	 */
	int32_t (*terminate)(wq_self *me, const struct wq_task *task, uint32_t how);

	/* How many more tasks may start now: 0 none, n at least n.  max-running binds as well. */
	int32_t (*has_capacity)(wq_self *me);

	/* --- optional: NULL means what the comment says.  All [loop] --- */

	/* Take the configuration.  No threads, files or sockets yet: `wq-server --check` calls it too.
	 * On failure free what was taken; destroy is not called.  NULL: nothing to do. */
	int32_t (*create)(wq_self *me, const struct wq_host *host, const struct wq_config *config,
		struct wq_err *err);

	/* Join all threads, unwatch, free everything.  NULL: nothing to do. */
	void (*destroy)(wq_self *me);

	/* Begin work: threads, sockets.  May take 200 ms.  After a failure destroy follows. */
	int32_t (*start)(wq_self *me, struct wq_err *err);

	/* The server ends.  WQ_STOP_DETACH: leave tasks to themselves; WQ_STOP_KILL: end them all, reap
	 * still follows.  NULL: nothing to do. */
	int32_t (*stop)(wq_self *me, uint32_t how);

	/* Could this request run here, ever?  WQ_OK or WQ_REJECT.  Called when the server reads the
	 * request, before start_task; task->tid is 0 and task->state NULL.  NULL: yes. */
	int32_t (*validate)(wq_self *me, const struct wq_task *task, struct wq_err *err);

	/* A watched descriptor is ready; may unwatch it.  Required when watch is used. */
	void (*on_ready)(wq_self *me, uint64_t watch, uint32_t events);

	/* Called when the instance starts, when the time that it answered has come, and after each
	 * start_task, terminate and wakeup.  Answer the next time by clock_ns, INT64_MAX for none, as
	 * while idle; one that has passed already counts as in 1 ms.  NULL: never. */
	int64_t (*tick)(wq_self *me, int64_t now_ns);

	/* The result of this task can no longer be lost.  NULL: you do not care. */
	void (*ack)(wq_self *me, wq_tid tid);
};

/* What tools and the loader read before any code of the plugin runs: an ELF note, owner "WQP". */
#define WQ_NOTE_TYPE 1u
struct wq_note {
	uint32_t owner_size, desc_size, type;
	char owner[4];
	uint16_t abi_major, abi_minor;
	uint32_t plugin_size;
	char name[64];
};

#define WQ_ENTRY_SYMBOL "wq_plugin_v1"
typedef const struct wq_plugin *wq_plugin_fn(void);

/*
 * WQ_PLUGIN("name", "version", "summary", .member = value, ...): the whole of a plugin's outside.
 */
#define WQ_PLUGIN(name_, version_, summary_, ...)                                                  \
	__attribute__((section(".note.wq"), used,                                                  \
		aligned(4))) static const struct wq_note wq_note_ = { 4u,                          \
		(uint32_t)(sizeof(struct wq_note) - 16u), WQ_NOTE_TYPE, "WQP", WQ_ABI_MAJOR,       \
		WQ_ABI_MINOR, (uint32_t)sizeof(struct wq_plugin), name_ };                         \
	__attribute__((visibility("default"))) const struct wq_plugin *wq_plugin_v1(void);         \
	const struct wq_plugin *wq_plugin_v1(void)                                                 \
	{                                                                                          \
		static const struct wq_plugin plugin = { .magic = WQ_PLUGIN_MAGIC,                 \
			.struct_size = (uint32_t)sizeof(struct wq_plugin),                         \
			.abi_major = WQ_ABI_MAJOR,                                                 \
			.abi_minor = WQ_ABI_MINOR,                                                 \
			.name = name_,                                                             \
			.version = version_,                                                       \
			.summary = summary_,                                                       \
			.option_size = (uint32_t)sizeof(struct wq_option),                         \
			__VA_ARGS__ };                                                             \
		return &plugin;                                                                    \
	}                                                                                          \
	struct wq_plugin /* takes the semicolon that follows the macro */

/* ABI of LP64 Linux, held so that a change by accident does not compile. */
#if defined(__LP64__) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(struct wq_err) == 512, "wq_err");
_Static_assert(sizeof(struct wq_option) == 56 && sizeof(struct wq_value) == 24, "options");
_Static_assert(sizeof(struct wq_task) == 72 && sizeof(struct wq_outcome) == 64, "tasks");
_Static_assert(sizeof(struct wq_note) == 88, "wq_note");
_Static_assert(offsetof(struct wq_plugin, start_task) == 64, "wq_plugin");
#endif

#ifdef __cplusplus
}
#endif
#endif
