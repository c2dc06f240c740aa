/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server: where the layers meet.  sched decides, the files here carry out: one file for each kind
 * of decision, named after it, and pass.c, which asks for one decision after the other.  No
 * condition on order, queue or capacity belongs here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <wq/cbor.h>

#include "config/config.h"
#include "loop/loop.h"
#include "plugin/children.h"
#include "plugin/instance.h"
#include "sched/sched.h"
#include "server/age.h"
#include "server/attempt.h"
#include "server/commit.h"
#include "server/metrics.h"
#include "server/task.h"
#include "spool/results.h"
#include "spool/space.h"
#include "spool/spool.h"
#include "spool/watch.h"

struct control;
struct left;
struct server;

struct task_manager {
	struct server *server;
	uint32_t index; /* its number in sched */
	const struct config_tm *config;
	const struct plugin *plugin;
	bool has_values; /* its options are right */
	struct option_values values;
	struct instance *instance;
	enum on_crash on_crash;   /* FAIL, ADOPT or REQUEUE */
	int64_t recover_until_ns; /* then what it has not said stays unknown; 0: not begun */
	bool is_asked;            /* it can be asked for the tasks of an earlier server */
	bool is_late;             /* it cannot, and recovery-limit has passed */
	bool recovered;           /* it has been asked for all of them */
	bool is_released;         /* it may start new ones */
	bool was_set;             /* max-running is not wq.conf's: `wq set` */
	int32_t committing;       /* started, and start_task waits for the commit */
};

/* What one pass changed, for its line in the log. */
struct pass_changes {
	unsigned accepted, started, aborted, completed;
};

/* What space.c knows of the file system. */
struct space {
	struct space_left left; /* when it looked last */
	bool has_ballast;
	bool no_ballast;  /* it cannot be made here, whatever is free */
	bool no_space;    /* a write of ours has failed for want of space */
	bool closed;      /* the gate is, or ought to be */
	char reason[128]; /* why it is */
	struct loop_timer *timer;
};

/* Where retain.c stands. */
struct retain {
	struct results complete, finished;
	enum {
		RETAIN_IDLE,
		RETAIN_COMPLETE,
		RETAIN_FINISHED,
		RETAIN_WORK
	} stage;
	int64_t completed; /* results, since the last round began */
	size_t n_complete; /* results in 4, at most */
	int64_t due_us;    /* wall clock: when the first of all has to go */
	struct loop_timer *timer;
};

struct server {
	struct config config;
	const char *config_name; /* of its file as the user gave it, for messages */
	char **plugin_dirs;      /* NULL at the end */
	char *shepherd_program;  /* path of wq-shepherd */
	struct loop *loop;
	struct spool spool;
	struct watch *watch;
	struct loop_fd *watch_source;
	struct sched *sched;
	struct task_manager *tms;
	uint32_t n_tms, default_tm;
	struct tasks tasks;
	struct commits commits;
	struct attempts attempts;
	struct metrics metrics;
	struct control *control;
	struct children *children; /* NULL: no task manager has any */
	struct loop_timer *due_timer, *heartbeat_timer, *safety_timer, *drain_timer, *renew_timer;
	struct age age;
	struct pass_changes changes;
	SLIST_HEAD(, left) left; /* requests that are to go still */
	unsigned n_left;
	struct space space;
	struct retain retain;
	int64_t started_us;
	int ready_fd;         /* told once when ready, -1: nobody asked */
	bool many_kept;       /* see complete_bound */
	bool pass_unfinished; /* the bound of a pass was reached */
	bool page_changed;    /* wq.status is behind */
	bool directory_moved; /* a state directory is not where it was: nothing can be trusted */
	bool away;            /* the path of the spool leads elsewhere, or nowhere */
	int64_t rescan_at_ns; /* a listing that failed is due again */
	int64_t adopt_at_ns;  /* and so is a question to a task manager, see adopt.c */
	bool holds_back;      /* one that has recovered may not start anything yet */
	bool stopping;        /* nothing more is started */
	bool ending;          /* what still runs was told to end */
	bool give_up;         /* leave, whatever still runs */
	int exit_status;
};

/* --- run.c --- */

/*
 * Serve until told to stop: everything from opening the spool to the last result.  `s` holds the
 * configuration and the loaded plugins.  The exit status of the program.
 */
int server_run(struct server *s);

/* Start nothing more, and end when what runs has ended; `why` is for the log. */
void server_drain(struct server *s, const char *why);

/* --- pass.c, and the carrying out of each decision in the file of its name --- */
void server_pass(struct server *s);

/* It could not be carried out: sched gives it again in a second. */
void pass_defer(struct server *s, const struct sched_decision *d);

void look_carry_out(struct server *s, const struct sched_decision *d);
void accept_carry_out(struct server *s, const struct sched_decision *d);
void probe_carry_out(struct server *s, const struct sched_decision *d);
void remove_carry_out(struct server *s, const struct sched_decision *d);
void unmark_carry_out(struct server *s, const struct sched_decision *d);
void sort_carry_out(struct server *s, const struct sched_decision *d);
void ask_carry_out(struct server *s, const struct sched_decision *d);
void start_carry_out(struct server *s, const struct sched_decision *d);
void expire_carry_out(struct server *s, const struct sched_decision *d);
void put_back_carry_out(struct server *s, const struct sched_decision *d);
void terminate_carry_out(struct server *s, const struct sched_decision *d);
void reap_carry_out(struct server *s, const struct sched_decision *d);
void complete_carry_out(struct server *s, const struct sched_decision *d);
/* So many results cannot be published that nothing more is started; or fewer again. */
void complete_bound(struct server *s);

/* --- look.c --- */

/* Tell sched what is new in 1 and 5. */
void look_read(struct server *s);
/* Tell it all that stands there; when that fails, rescan_at_ns says when it is due again. */
void look_list(struct server *s);
/* The same, counted: events were lost. */
void look_rescan(struct server *s);
/* List again half a second later: something was left behind of which no event will tell. */
void look_again_soon(struct server *s);

/* --- whereabouts.c --- */

/* Does the path of the spool lead to the one that is open here?  Tells the log when that changes. */
bool whereabouts_root(struct server *s);
/* Make wq.sock and wq.status anew, where somebody has removed them; or look a second later. */
void whereabouts_renew(struct server *s);
void whereabouts_renew_soon(struct server *s);

/* --- left.c --- */

/* The result of this one is out, but what it has replaced could not be taken away: to be tried again.
 * `why`: for quarantine, `len` 0 for none. */
void left_add(struct server *s, struct reqid id, bool beside, const void *why, size_t len);
/* Try it. */
void left_retry(struct server *s);
void left_fini(struct server *s);

/* --- reject.c --- */

/*
 * A request that can never run, found out by SORT: move it to 3, remember `err` as its outcome, tell
 * sched.  `req` is zeroed where it could not be read.
 */
void reject_request(struct server *s, const struct sched_decision *d, const struct request *req,
	uid_t uid, const struct wq_err *err);

/* Its parts, for what is answered without having been started: 2 -> 3, or false when it did not get
 * there, and sched knows; and what is remembered of one that stands in 3, without an outcome. */
bool reject_move(struct server *s, const struct sched_decision *d);
struct task *reject_task(struct server *s, const struct sched_decision *d, int tm,
	const struct request *req, uid_t uid);

/* The same, found out when it was to begin. */
void reject_started(struct server *s, struct task *task, const struct wq_err *err);

/* --- probe.c --- */

/* The subject of a marker that is about to go: still nowhere?  Else sched knows. */
bool probe_again(struct server *s, const struct sched_decision *d);

/* --- start.c --- */

/* Its move to 3 is on disk, or (`rc`) cannot be brought there: hand it to its task manager, or back
 * to its place. */
void start_begin(struct server *s, struct task *task, int rc);

/* --- expire.c --- */

/* By when a request has to be started that says so, TIME_NEVER for one that does not (0), and for one
 * that was: what is to be started again after a crash may have run, and "expired" says that it never
 * did. */
int64_t expire_at(const struct server *s, struct reqid id, int64_t within_ns, int64_t now_ns);
/* What one that stands in 2 says of it; 0 for nothing, or when it cannot be read. */
int64_t expire_read_within(struct server *s, struct reqid id);
/* It was not: answer it.  `tm` is its task manager. */
void expire_request(struct server *s, const struct sched_decision *d, int tm,
	const struct request *req, uid_t uid);

/* --- aside.c --- */

/* Move a file that is nobody's request to quarantine.  `error` is a stable word, `text` for people.
 * 0, or -errno with the file where it was; a listing will meet it again. */
int set_aside(struct server *s, int dir_fd, const char *name, const char *error, const char *text);

/* What stands beside a request in quarantine that was answered so. */
enum {
	ASIDE_WHY_SIZE = 768
};
void aside_explain(struct wq_cbor_out *out, uint32_t uid, const char *error, const char *text);

/* Did a move or an unlink fail because it is another user's?  Then there is no use in more tries. */
bool is_forbidden(int rc);

/* --- task_managers.c --- */

/* Load the plugins and check their options; all problems go to `p`.  0 or -WQ_E_CONFIG. */
int task_managers_load(struct server *s, struct problems *p);
/* Make the instances (for --check too, without a loop); then start them. */
int task_managers_create(struct server *s, struct problems *p);
int task_managers_start(struct server *s, struct wq_err *err);
void task_managers_free(struct server *s);
/* The number of the one named, or of the default one for ""; -1 for none. */
int task_managers_find(const struct server *s, const char *name);
/* How long a request may run there: the shorter of what the task manager allows and what it asks for
 * itself; 0: for ever. */
int64_t task_managers_run_limit(const struct server *s, int tm, const struct request *req);
/* Their names, "a, b", as far as they fit.  Returns `ret`. */
char *task_managers_names(const struct server *s, char *ret, size_t size);

/* --- recover.c --- */

/* Bring the spool and sched to the state that run time would have left.  0 or -errno. */
int recover_spool(struct server *s, struct wq_err *err);

/* --- shepherd.c --- */

/* Find or start the shepherd, where a task manager needs one.  0 or -errno. */
int shepherd_open(struct server *s, struct wq_err *err);
/* The server ends.  The shepherd stays with what still runs. */
void shepherd_close(struct server *s);

/* --- adopt.c --- */

/* In 3 there is a task that an earlier server has started; sched knows it as running. */
void adopt_found(struct server *s, struct task *task);
/*
 * Ask each task manager that can be asked now what became of the tasks that an earlier server
 * started.  Those that have children can be asked when the shepherd is there; called again then, and
 * at adopt_at_ns.  What nobody can be asked for is lost.
 */
void adopt_tasks(struct server *s);
/*
 * Let those that have recovered start new tasks.  Where the shepherd does not know all that was before
 * it, children are started only when no task of before depends on that any more: when their results
 * are out, or it is written down (attempt.h) that they were lost.  Has it let any?
 */
bool adopt_release(struct server *s);
/* May it still run, though the server that started it has ended? */
bool adopt_may_run(const struct server *s, const struct task *task);

/* --- lost.c --- */

/* It is lost.  `proved`: but for its children nothing of it runs any more. */
void lost_lose(
	struct server *s, struct task *task, bool proved, const char *error, const char *text);
/* Its task manager gave it back as lost, so that is proved; its outcome is set. */
void lost_reaped(struct server *s, struct task *task);
/* Its task manager has not said what became of it, and is not asked any more: it stays unknown, and
 * what children it has go on. */
void lost_unanswered(struct server *s, struct task *task, const char *text);
/* The shepherd is there, or a child of what was lost has ended. */
void lost_look(struct server *s);
bool lost_may_have_children(const struct server *s, const struct task *task);
/* How many slots of this task manager lost tasks have. */
unsigned lost_count(const struct server *s, uint32_t tm);

/* --- policy.c --- */

/* What wq.conf says of crashes, or what the plugin can where it says nothing.  What it cannot do goes
 * to `p`: -WQ_E_CONFIG.  -ENOMEM. */
int policy_load(struct server *s, struct task_manager *tm, const struct problem_at *section,
	struct problems *p);
/* That of a task; of one without task manager (-1) FAIL. */
enum on_crash policy_of(const struct server *s, int tm, const struct request *req);
/* May a request ask for what it asks for?  0 or -WQ_E_REFUSED. */
int policy_check(const struct server *s, int tm, const struct request *req, struct wq_err *err);
/* It is lost, and certainly nothing of it runs any more: its next attempt, or its result. */
void policy_lost(struct server *s, struct task *task);

/* --- keep.c --- */

/* The work directory of a task that is to start: made, its path to `ret`.  0 or -errno. */
int keep_make_work(struct server *s, struct task *task, char *ret, size_t size);
/* Where it is, of a task that was started before. */
void keep_find_work(const struct server *s, const struct task *task, char *ret, size_t size);
/* It is over, in this way: what is not to be kept goes. */
void keep_after(struct server *s, struct task *task);
/* It was aborted, or never began: nothing is kept. */
void keep_nothing(struct server *s, struct task *task);
/* Its next attempt follows. */
void keep_between(struct server *s, struct task *task);
/* The same of one that is complete and forgotten here, and whose result was removed. */
void keep_no_work(struct server *s, struct reqid id);
/* The time by which it is judged what is too old. */
int64_t keep_now_us(struct server *s);

/* --- retain.c --- */

/* Begin a round through all results that are kept, unless one is under way. */
void retain_begin(struct server *s);
/* Go on with it for a moment.  True: there is more to do. */
bool retain_step(struct server *s);
/* One more result stands in 4.  `keep_for_ns`: as its request asked, or 0. */
void retain_completed(struct server *s, int64_t keep_for_ns);
void retain_end(struct server *s);

/* --- space.c --- */

/* Look at what is free, and do what has to be done about it. */
void space_check(struct server *s);
/* A step has failed with `rc`.  True: for want of space, and some has just been made: try again. */
bool space_failed(struct server *s, int rc);
/* The server ends: what was closed for clients is open again. */
void space_end(struct server *s);

/* --- settings.c --- */

/* What `wq set` has changed, in .wq/settings: applied to sched.  What cannot be read, or is of a task
 * manager that is no more, is logged and left out. */
void settings_load(struct server *s);
/* The question "set"; its answer to `ret`. */
int settings_answer(struct server *s, struct wq_bytes args, struct buf *ret, struct wq_err *err);

/* --- page.c, answer.c --- */

/* Bring wq.status up to date, when something changed.  Not `running`: the server has stopped. */
void page_update(struct server *s, bool running);
/* Why no request is taken, "" when they are: a stable word; and in words for people, where also a
 * server that only drains has some. */
const char *page_why(const struct server *s);
const char *page_reason(const struct server *s, char *ret, size_t size);

/* Answer one question of wq.sock (a control_fn). */
int answer_question(void *server, uid_t uid, const char *what, struct wq_bytes args,
	struct buf *ret, struct wq_err *err);

/* --- forget.c --- */

/* The question "forget": the operator says that the end of a lost task need not be proved. */
int forget_answer(
	struct server *s, uid_t uid, struct wq_bytes args, struct buf *ret, struct wq_err *err);

/* --- notify.c --- */

/* Tell the service manager, when there is one: sd_notify(3)'s datagram. */
void notify_service_manager(const char *text);

/* Text of an id, for logs: valid in the expression. */
#define ID_TEXT(id) reqid_format((id), (char[REQID_SIZE]){ 0 })
