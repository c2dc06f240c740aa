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
#define WQ_ABI_MINOR    2u
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
	 * where that is not positive).  recover: not yet, ask again after as long */
	WQ_RETRY = 2,
	/* start_task, validate: never possible here; err->name and err->text say why */
	WQ_REJECT = 3,

	/* recover: it runs, or has ended and reap will say how */
	WQ_ADOPTED = 16,
	/* recover: proved: nothing of it was ever begun; back to its place */
	WQ_NEVER_BEGAN = 17,
	/* recover: proved: nothing of it runs any more, and how it ended cannot be known */
	WQ_ENDED = 18
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
	WQ_CAP_WAKES = 1u << 0,
	/* "Each task has a directory of its own": made before start_task, wq_task.work_dir names it. */
	WQ_CAP_WORK_DIR = 1u << 1,
	/* "I call spawn": the server keeps a wq-shepherd for it.  Wants WQ_CAP_WORK_DIR too, for there
	 * the output goes. */
	WQ_CAP_CHILDREN = 1u << 2
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

	/* --- since 0.2 --- */

	/* Bytes, at least 1024: what wq_outcome.result may have at most, `result-limit` of wq.conf.
	 * The same until destroy; only a copy may be read by other threads. */
	uint64_t result_limit;
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

	/* --- since 0.2 --- */

	/* With WQ_CAP_WORK_DIR: its directory, an absolute path; mode 0700.  Else NULL. */
	const char *work_dir;
	/* What save_handle was given last; in recover only. */
	struct wq_bytes handle;
	/* recover only: its children, those that have ended too; on_child tells of each once more. */
	const struct wq_child *children;
	uint32_t n_children;
	uint32_t uid; /* whose request it is */
};

/* ---- children ----------------------------------------------------------------------------------
 *
 * Commands that the server runs for a task.  Their parent is wq-shepherd, a process that outlives
 * the server: a restarted server finds them again, and their ends, in recover.  Each child has a
 * session of its own (setsid(2)), no descriptors but 0, 1 and 2, default signal dispositions, and
 * WQ_TASK in its environment; where a cgroup v2 tree may be written, a cgroup as well.
 */

/* One child of a task, told to recover. */
struct wq_child {
	uint64_t child;    /* its number in this server */
	const char *label; /* as spawn was given it, "" for NULL */
};

/* A limit of setrlimit(2), soft and hard. */
struct wq_limit {
	int32_t resource; /* RLIMIT_... */
	uint32_t reserved;
	uint64_t value; /* RLIM_INFINITY: none */
};

enum {
	WQ_SPAWN_JOIN_OUTPUT = 1u << 0, /* standard error goes where standard output goes */
	/* What still runs when the child has ended is left alone; else it is ended too, and only then
	 * on_child is called. */
	WQ_SPAWN_LEAVE_REST = 1u << 1
};

/* What to run; all of it borrowed for the call. */
struct wq_spawn {
	uint32_t struct_size;
	uint32_t flags; /* WQ_SPAWN_... */
	wq_tid tid;
	/* Which of the task's children, [a-z0-9-]{1,31}; NULL for a task's only one.  With the task's
	 * name it names the child: the same name is never run twice. */
	const char *label;
	/* NULL at the end.  argv[0] without a '/' is looked for in PATH as `env` has it. */
	const char *const *argv;
	/* "NAME=value", NULL at the end; NULL: nothing.  The host adds WQ_ID, WQ_ATTEMPT,
	 * WQ_TASK_MANAGER, WQ_WORK_DIR and WQ_TASK in the place of any of that name. */
	const char *const *env;
	const char *dir; /* where to run, absolute; NULL: the work directory */
	/* NULL: anywhere; else `dir`, symbolic links followed, must be one of these or below. */
	const char *const *dirs_allowed;
	struct wq_bytes input; /* its standard input; len 0: /dev/null */
	/* Bytes kept of its standard output and error, in the files "stdout" and "stderr" of the work
	 * directory ("LABEL.stdout"); what comes after that is counted and dropped. */
	uint64_t out_limit, err_limit;
	const struct wq_limit *limits;
	uint32_t n_limits;
	uint32_t processes; /* at once, in its cgroup where it has one with pids.max; 0: no limit */
	uint32_t umask;
	int32_t nice;      /* 0 to 19 */
	uint32_t grace_ms; /* for what it leaves behind: between SIGTERM and SIGKILL */
	uint32_t reserved;
};

/* How a child ended: wq_child_end.how. */
enum {
	WQ_CHILD_EXITED = 1,      /* `code` */
	WQ_CHILD_SIGNALLED = 2,   /* `signal` */
	WQ_CHILD_NOT_STARTED = 3, /* `error` and `text` say why */
	/* It is gone, and how it ended cannot be known: its shepherd was killed, or the machine. */
	WQ_CHILD_UNKNOWN = 4
};
enum {
	WQ_CHILD_WAS_TOLD = 1u << 0, /* it ended after end_child, or the like, had begun */
	WQ_CHILD_CORE = 1u << 1      /* it left a core dump */
};

/* Borrowed for the call of on_child. */
struct wq_child_end {
	uint32_t struct_size;
	int32_t how;
	int32_t code, signal;
	uint32_t flags;             /* WQ_CHILD_WAS_TOLD... */
	uint32_t rest;              /* processes that it had left behind and that were ended */
	const char *error;          /* NOT_STARTED: "not-found", "no-permission", "bad-interpreter",
			    * "bad-format", "too-large", "no-directory", "directory-not-allowed",
			    * "no-resources", "shepherd-lost" (the order never arrived: it may be
			    * given again); UNKNOWN: "lost"; else NULL */
	const char *text;           /* one line for people, or NULL */
	int64_t began_us, ended_us; /* wall clock, microseconds since 1970; 0: not known */
	int64_t ran_ns;             /* CLOCK_BOOTTIME */
	/* As wait4(2) gives them: the child and those of its descendants that were waited for. */
	uint64_t user_us, system_us, max_rss_kib, minor_faults, major_faults;
	uint64_t blocks_in, blocks_out, switches, preemptions;
	uint64_t out_bytes, out_kept, err_bytes, err_kept; /* written, and kept in the files */
};

/*
 * The end of one task, filled by reap; the host hands it over zeroed.  What it points at must stay
 * valid until the instance's next operation.
 */
struct wq_outcome {
	uint32_t struct_size;
	int32_t how; /* WQ_DONE_... */
	wq_tid tid;
	/* One well-formed CBOR item of at most wq_config.result_limit bytes, or len 0 for none.  One that
	 * is larger is dropped, and what was WQ_DONE_OK has failed, "result-too-large". */
	struct wq_bytes result;
	const char *error; /* a stable name, [a-z0-9.-], "exit-status"; NULL when ok */
	const char *text;  /* one line for people; NULL when ok */
	int32_t code;      /* the task's own exit status, 0 to 255; clients exit with it */
	int32_t signal;    /* the signal that ended it, or 0 */
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

	/* --- since 0.2 --- */

	/*
	 * Run a child for a task: in start_task, or any time until the task is given back.  WQ_OK: on_child
	 * will tell of its end once, also when it cannot be started; its number goes to `ret_child`.
	 * WQ_BUSY: the shepherd takes no more just now; a plugin answers it on.  -WQ_E_LIMIT: too much to
	 * pass on (4 MiB in all).  -EINVAL, -WQ_E_UNKNOWN (no such task), -WQ_E_DUPLICATE (label used).
	 * When a task is given back what is left of its children is ended.  [loop]
	 */
	int32_t (*spawn)(wq_host_ctx *ctx, const struct wq_spawn *spawn, uint64_t *ret_child,
		struct wq_err *err);

	/*
	 * End a child and all that descends from it.  WQ_TERM_GRACEFUL: SIGTERM, and SIGKILL after
	 * `grace_ms`; WQ_TERM_NOW: SIGKILL.  Its end comes by on_child, when nothing of it is left.  May be
	 * called again.  0, or -WQ_E_UNKNOWN: it has ended.  [loop]
	 */
	int32_t (*end_child)(wq_host_ctx *ctx, uint64_t child, uint32_t how, uint32_t grace_ms);

	/*
	 * Keep up to 4096 bytes with a running task, for recover: the number of something outside.  The
	 * last one wins.  0, -WQ_E_UNKNOWN, -WQ_E_LIMIT, -errno.  [loop] [blocks: a file operation]
	 */
	int32_t (*save_handle)(wq_host_ctx *ctx, wq_tid tid, const void *bytes, size_t len);
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

	/* --- since 0.2 --- */

	/* A child has ended, and nothing of it is left.  Called once for each.  Required when spawn is
	 * used.  reap is asked after it. */
	void (*on_child)(wq_self *me, uint64_t child, wq_tid tid, const struct wq_child_end *end);

	/*
	 * A task that an earlier server had started, after start and before any start_task: WQ_ADOPTED,
	 * WQ_NEVER_BEGAN, WQ_ENDED; WQ_RETRY, where that takes a while; or -WQ_E_UNKNOWN: it cannot be
	 * known, so it keeps its slot, and what is told of it is that it is lost.
	 * Start nothing here.  task->state is zeroed and stays, when adopted.  With spawn:
	 * task->n_children is 0 only where it is certain that none ever ran.
	 *
	 * NULL: tasks end with the server.  With it the server leaves them running when it stops, after
	 * stop(WQ_STOP_DETACH).
	 */
	int32_t (*recover)(wq_self *me, const struct wq_task *task, struct wq_err *err);
	/* That was all of them; start_task may follow.  NULL: nothing to do. */
	void (*recover_end)(wq_self *me);
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
_Static_assert(offsetof(struct wq_config, result_limit) == 24, "wq_config, since 0.2");
_Static_assert(sizeof(struct wq_task) == 112 && sizeof(struct wq_outcome) == 64, "tasks");
_Static_assert(offsetof(struct wq_task, work_dir) == 72, "wq_task, since 0.2");
_Static_assert(sizeof(struct wq_child) == 16 && sizeof(struct wq_limit) == 16, "children");
_Static_assert(sizeof(struct wq_spawn) == 120 && sizeof(struct wq_child_end) == 168, "children");
_Static_assert(sizeof(struct wq_note) == 88, "wq_note");
_Static_assert(offsetof(struct wq_plugin, start_task) == 64, "wq_plugin");
#endif

#ifdef __cplusplus
}
#endif
#endif
