/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq/client.h: libwq, for programs that submit work and wait for it.
 *
 *	wq_client *c;
 *	wq_result *result;
 *	char id[WQ_ID_SIZE];
 *	struct wq_err err = { 0 };
 *	struct wq_request request = { .struct_size = sizeof request,
 *		.payload = item, .payload_len = item_len };
 *	struct wq_result_info info = { .struct_size = sizeof info };
 *
 *	if (wq_open(&c, "/var/spool/wq", &err) < 0 ||
 *		wq_enqueue(c, &request, id, &err) < 0 ||
 *		wq_wait(c, id, WQ_FOREVER, 0, &result, &err) < 0)
 *		errx(1, "%s", err.text);
 *	wq_result_info(result, &info);
 *	puts(info.status);
 *	wq_result_free(result);
 *	wq_close(c);
 *
 * Enqueue, wait, abort, list and the quarantine use files only and work while the server is down.
 * Nothing here prints, exits, installs signal handlers, or changes the process (umask, directory,
 * locale).
 *
 * Threads: a wq_client belongs to one thread at a time; different clients are independent.  After
 * fork(2) only one of the two processes may go on using it.
 * Strings are UTF-8.  Failures: see wq/err.h; each function names those that mean something.
 */
#ifndef WQ_CLIENT_H
#define WQ_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <wq/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/* These functions are what the library offers, whatever else its build hides. */
#ifdef __GNUC__
#	pragma GCC visibility push(default)
#endif

#define WQ_ID_SIZE 32 /* bytes of an id with its NUL */
#define WQ_FOREVER INT64_C(-1)

typedef struct wq_client wq_client;

/*
 * Open a spool.  NULL for `spool`: WQ_SPOOL, else -WQ_E_UNKNOWN.  -WQ_E_NOT_A_SPOOL, -ENOENT.
 */
int wq_open(wq_client **ret, const char *spool, struct wq_err *err);
void wq_close(wq_client *c);

/* A request.  Zero or NULL means "not given"; struct_size 0 is taken as the size of 1.0. */
struct wq_request {
	uint32_t struct_size;
	uint32_t durable;         /* not 0: as at durability strict, whatever the server's is */
	const char *task_manager; /* NULL: the server's default */
	/* For the plugin and for listings, such as the host that it is about; at most 256 bytes.  The
	 * server does not look at it. */
	const char *key;
	const char *label;   /* for people, at most 128 bytes */
	const void *payload; /* one well-formed CBOR item; NULL: null */
	size_t payload_len;
	/* How long it may run; 0: as long as its task manager lets it.  It can only shorten that. */
	int64_t run_limit_ns;
	/* It has to be started within this time after it was enqueued, or it never is and its result is
	 * "expired"; 0: it is started whenever it is its turn. */
	int64_t start_within_ns;
	/* How long its result and what its task left may be kept after the end; 0: as long as the server
	 * keeps them.  It can only shorten that. */
	int64_t keep_for_ns;
	/* What becomes of it when it is lost in a crash: "fail", "adopt" or "requeue", see wq.conf(5).
	 * NULL: as its task manager says.  It can only narrow that: of these three the first allows
	 * least. */
	const char *on_crash;
};

/*
 * Publish a request; its id goes to `ret_id`.  When this returns 0 the request is in the spool and
 * outlives any process.  At the server's durability level strict, or with `durable`, it outlives a power
 * cut as well: two fsync(2) of its file; at the others only when its task has begun.
 *   -WQ_E_FORMAT   the payload is not one well-formed item (RFC 8949), or on_crash is no such word
 *   -WQ_E_LIMIT    larger than the server's request limit, nested too deep, or a text too long
 *   -EAGAIN        the server takes nothing now: err->name is "queue-full" when more than 95 % of
 *                  as many requests as may wait do, "no-space" when its file system gets full, else
 *                  "not-accepting"; err->text says more.  Try later: wq_wait_room
 *   -EIO ...       durable: it cannot be brought to disk, and is not published; with err->name
 *                  "not-durable" it is (the server was faster), and a power cut may take it
 * [blocks: a few file operations; durable: until the device has them]
 */
int wq_enqueue(wq_client *c, const struct wq_request *request, char ret_id[WQ_ID_SIZE],
	struct wq_err *err);

/*
 * Wait until the server takes requests, where it does not, for `timeout_ns` (CLOCK_BOOTTIME;
 * WQ_FOREVER; 0: only look).  It looks at growing intervals up to a second, each client at times of its
 * own; somebody else may be faster, so wq_enqueue may say -EAGAIN again.
 *   -WQ_E_TIMEOUT  it takes none; err->text says why
 *   -EINTR         a signal handler ran
 * [blocks: until then]
 */
int wq_wait_room(wq_client *c, int64_t timeout_ns, struct wq_err *err);

/* A result, read and checked.  Free with wq_result_free. */
typedef struct wq_result wq_result;

struct wq_result_info {
	uint32_t struct_size;
	int32_t code;     /* the task's exit status, 0 to 255 */
	int32_t signal;   /* that ended it, or 0 */
	uint32_t attempt; /* 0: never started */
	const char *id;
	const char *status;       /* "ok" "failed" "rejected" "expired" "lost" "killed" */
	const char *error;        /* stable name, "" when ok */
	const char *text;         /* for people, "" when ok */
	const char *task_manager; /* "" where it never reached one */
	const char *plugin;
	const char *key;
	const char *label;
	const void *payload; /* one CBOR item; NULL: none */
	size_t payload_len;
	int64_t accepted_us; /* wall clock, microseconds since 1970; 0: never */
	int64_t started_us;
	int64_t ended_us;
	int64_t waiting_ns; /* durations, not disturbed by clock steps */
	int64_t running_ns;
};

/* What the result says; all pointers live as long as the result. */
void wq_result_info(const wq_result *result, struct wq_result_info *ret);
void wq_result_free(wq_result *result);

enum {
	WQ_WAIT_KEEP = 1u << 0, /* leave the result in the spool; wq_collect takes it away later */
	WQ_WAIT_NO_ABORT = 1u << 1 /* a time-out leaves the request alone */
};

/*
 * Wait for the result of `id` for `timeout_ns` (CLOCK_BOOTTIME; WQ_FOREVER; 0: only look, which
 * aborts nothing) and take it away.  At the time-out, after one last look, the request is aborted.
 * Of several who take the same result away one gets it, the others hear that it is gone.
 *   -WQ_E_TIMEOUT  no result in time (err->text says whether it was aborted)
 *   -WQ_E_GONE     aborted, collected by somebody else, or never there; known at once
 *   -WQ_E_FORMAT   `id` is no id, or what stands there is no result of it (it is left there)
 *   -EINTR         a signal handler ran; nothing was aborted (wait again)
 * [blocks: until then]
 */
int wq_wait(wq_client *c, const char *id, int64_t timeout_ns, uint32_t flags, wq_result **ret,
	struct wq_err *err);

/*
 * The same for many, with one deadline: waits until any of them is finished, and answers its place.
 * `done[i]` not 0: leave that one out (the caller sets it; NULL: all are meant).  What is wrong
 * with one id, -WQ_E_GONE or -WQ_E_FORMAT, sets *ret_index too.  At the time-out nothing is
 * aborted: that is the caller's to do, id by id.
 *
 * Meant to be called again and again with the same array: watches stay between the calls, so the
 * next result does not cost a look at all ids.  -EINVAL: all are done.
 */
int wq_wait_any(wq_client *c, const char *const *ids, const uint8_t *done, size_t n,
	int64_t timeout_ns, uint32_t flags, size_t *ret_index, wq_result **ret, struct wq_err *err);

/*
 * Take away a result that was left by WQ_WAIT_KEEP.  It goes into the history, which the server keeps
 * within bounds (keep-finished in wq.conf).  -WQ_E_GONE: somebody else did.
 */
int wq_collect(wq_client *c, const char *id, struct wq_err *err);

/*
 * Ask that a request be aborted: withdrawn when it waits, ended when it runs, its result removed
 * when it is complete.  0 does not say that it has happened yet; wq_wait says -WQ_E_GONE then.
 * An id that does not exist is ignored by the server.
 */
int wq_abort(wq_client *c, const char *id, struct wq_err *err);

enum {
	WQ_STATE_REQUESTED = 1,
	WQ_STATE_PENDING,
	WQ_STATE_RUNNING,
	WQ_STATE_COMPLETE,
	WQ_STATE_GONE,
	WQ_STATE_FINISHED /* collected, and still in the history: wq_list_finished only */
};
const char *wq_state_name(int32_t state); /* "requested" ... */

/* Where a request stands: WQ_STATE_..., or a failure.  [blocks: a few file operations] */
int wq_state(wq_client *c, const char *id, struct wq_err *err);

/* One request in a listing. */
struct wq_entry {
	uint32_t struct_size;
	int32_t state;
	const char *id;   /* valid during the call */
	int64_t made_us;  /* when its client made it, as the id says: wall clock, since 1970 */
	uint8_t aborting; /* an abort has been asked for */
	uint8_t reserved[7];
};

/*
 * Call `fn` for each request, in order of id.  Reads names only.  A non-zero answer of `fn` ends
 * the listing and is returned.  The only one that needs the right to list directories.
 */
int wq_list(wq_client *c, int (*fn)(void *arg, const struct wq_entry *entry), void *arg,
	struct wq_err *err);

/* The same for the history: results that were collected, in order of id. */
int wq_list_finished(wq_client *c, int (*fn)(void *arg, const struct wq_entry *entry), void *arg,
	struct wq_err *err);

/* Read a result in the history, or one that is complete, and leave it there.  -WQ_E_GONE: it is in
 * neither. */
int wq_read_finished(wq_client *c, const char *id, wq_result **ret, struct wq_err *err);

/* What a request says of itself, read from where it stands.  Free with wq_details_free. */
struct wq_details {
	uint32_t struct_size;
	int32_t state;
	char *task_manager, *key, *label; /* "" for none */
	void *payload;
	size_t payload_len;
	uint32_t uid;
	uint32_t reserved;
};
/* -WQ_E_GONE: nowhere, or complete (wait with WQ_WAIT_KEEP then). */
int wq_details(wq_client *c, const char *id, struct wq_details *ret, struct wq_err *err);
void wq_details_free(struct wq_details *d);

/*
 * Ask the running server ("status", "metrics"): the reply is one CBOR map, free(3) it.
 * -WQ_E_GONE: no server is running.  -WQ_E_REFUSED with its sentence.  [blocks: up to 5 s]
 */
int wq_ask(wq_client *c, const char *what, void **ret, size_t *ret_len, struct wq_err *err);

/* The same with arguments: one CBOR map, NULL for none.  "set": see wq(1), wq set. */
int wq_ask_with(wq_client *c, const char *what, const void *args, size_t args_len, void **ret,
	size_t *ret_len, struct wq_err *err);

/* What wq.status says, also without a server: one CBOR map, free(3) it.  -ENOENT: never served. */
int wq_status_page(wq_client *c, void **ret, size_t *ret_len, struct wq_err *err);

/* ---- the quarantine: what the server has set aside, see wq-spool(7) ----------------------------- */

/* One thing that lies there.  Strings are valid during the call. */
struct wq_quarantined {
	uint32_t struct_size;
	uint32_t uid;      /* whose it is */
	const char *name;  /* under which it lies there: any bytes but '/' and NUL */
	const char *id;    /* of the request that it was, "" where its name was no id */
	const char *error; /* stable word, "" where nothing says why */
	const char *text;  /* for people, or "" */
	int64_t size;      /* bytes */
	int64_t since_us;  /* when it was set aside: wall clock, since 1970 */
	uint32_t mode;     /* as st_mode of stat(2): it need not be a plain file */
	uint32_t reserved;
};

/*
 * Call `fn` for each thing in quarantine, in the order in which they were set aside.  A non-zero
 * answer of `fn` ends the listing and is returned.  `fn` may retry and drop.
 * [blocks: a few file operations for each]
 */
int wq_quarantine_list(wq_client *c, int (*fn)(void *arg, const struct wq_quarantined *q),
	void *arg, struct wq_err *err);

/*
 * The next four take the name under which a thing lies in quarantine, exactly.
 *   -WQ_E_GONE     nothing of that name is there (any more: the server keeps the newest)
 *   -WQ_E_FORMAT   a name that none can have
 */

/* Open it for reading; close(2) the descriptor that is returned.  -WQ_E_FORMAT with err->name
 * "not-regular": a directory or the like.  [blocks: a few file operations] */
int wq_quarantine_open(wq_client *c, const char *name, struct wq_err *err);

/*
 * What it says, where it is a whole request; `state` is 0.  Free with wq_details_free.
 *   -WQ_E_FORMAT   it is none; err->text says what it is, err->name is "not-regular", "empty",
 *                  "result", or what the server would have answered
 *   -WQ_E_LIMIT    larger than any request
 * [blocks: a few file operations]
 */
int wq_quarantine_details(
	wq_client *c, const char *name, struct wq_details *ret, struct wq_err *err);

/*
 * Publish its bytes as a new request of the caller, whose id goes to `ret_id`, and then remove it and
 * its reason from quarantine.  Two who do so at the same time may both publish it.  On failure
 * `ret_id` is "", but where it was published and could not be removed.  Failures as of
 * wq_quarantine_details and wq_enqueue.
 * [blocks: a few file operations]
 */
int wq_quarantine_retry(
	wq_client *c, const char *name, char ret_id[WQ_ID_SIZE], struct wq_err *err);

/* Remove it and its reason for good.  -ENOTEMPTY: a directory that holds something; it is left.
 * [blocks: a few file operations] */
int wq_quarantine_drop(wq_client *c, const char *name, struct wq_err *err);

/* ---- the output of a task, for plugins that keep it in its work directory (fork-exec) ---------- */

typedef struct wq_output wq_output;
enum {
	WQ_STDOUT = 1,
	WQ_STDERR = 2
};

/*
 * Follow what a task writes, from its beginning, also before it has begun and after it has ended, as
 * long as the server keeps it.  The client must stay open as long as the output.
 *   -WQ_E_GONE     there is no such request, and none in the history
 */
int wq_output_open(wq_output **ret, wq_client *c, const char *id, struct wq_err *err);
void wq_output_close(wq_output *o);

/*
 * The next bytes, at most `size`, as soon as there are any: their count, and from which of the two to
 * *ret_which.  0: the task has ended and all of it has been read (or it will never have any).
 * -WQ_E_TIMEOUT: nothing new within `timeout_ns` (0: only look).  -EINTR: a signal handler ran.
 * [blocks: until then; costs nothing while nothing is written]
 */
int64_t wq_output_read(wq_output *o, int64_t timeout_ns, int32_t *ret_which, void *buf, size_t size,
	struct wq_err *err);

const char *wq_version(void);

#ifdef __GNUC__
#	pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
