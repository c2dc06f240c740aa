/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run: the real server_run, in a process in which time moves, clients act and disks sync only when
 * the server has nothing more to do.  It takes the place of base/time's clock, of spool/watch, of
 * spool/syncer and of the loading of plugins.
 */
#include "engine.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/time.h"
#include "client/client_priv.h"
#include "plugin/plugin.h"
#include "spool/probe.h"
#include "spool/syncer.h"
#include "spool/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int __real_loop_run_once(struct loop *l, int64_t timeout_ns);
int __wrap_loop_run_once(struct loop *l, int64_t timeout_ns);
int __real_probe_file_system(struct spool *sp, const char *path, struct wq_err *err);
int __wrap_probe_file_system(struct spool *sp, const char *path, struct wq_err *err);
int __real_recover_spool(struct server *s, struct wq_err *err);
int __wrap_recover_spool(struct server *s, struct wq_err *err);
int __wrap_plugin_load(
	const char *name, const char *const *dirs, const struct plugin **ret, struct wq_err *err);

enum {
	ROUNDS_MAX = 20000, /* of the loop */
	TRIES = 8,          /* of a step that has to wait, each after some time */
	RESTS = 12,
	NOTICES_MAX = 256,
	STEP_NS = 1100 * 1000 * 1000 /* what is tried again is tried by then */
};

/* ---- the clock ---------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (!stage || !stage->scene)
		return (int)syscall(SYS_clock_gettime, clock, ret);
	int64_t ns = stage->now_ns += 1000;
	if (clock == CLOCK_REALTIME)
		ns += INT64_C(1700000000) * NS_PER_S;
	*ret = (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
	return 0;
}

/* ---- inotify ------------------------------------------------------------------------------------ */

struct watch {
	int fd;
};

static struct notice {
	enum spool_state state;
	char name[64];
} notices[NOTICES_MAX];
static size_t n_notices;
static bool lost_notices;
static int watch_event = -1;

static void wake(int fd)
{
	uint64_t one = 1;
	(void)!write(fd, &one, sizeof one);
}

void play_notice(enum spool_state state, const char *name)
{
	if (watch_event < 0)
		return;
	if (n_notices == NOTICES_MAX || (stage->scene->life->overflow && n_notices > 0)) {
		lost_notices = true;
	} else {
		notices[n_notices].state = state;
		snprintf(notices[n_notices++].name, sizeof notices[0].name, "%s", name);
	}
	wake(watch_event);
}

int watch_open(struct watch **ret, const struct spool *sp)
{
	static struct watch watch;
	(void)sp;
	if (stage->scene->life->blind)
		return -EMFILE;
	watch.fd = watch_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*ret = &watch;
	return 0;
}

void watch_close(struct watch *w)
{
	if (w)
		close(w->fd);
	watch_event = -1;
}

int watch_fd(const struct watch *w)
{
	return w->fd;
}

int watch_look(struct watch *w, watch_fn *fn, void *arg)
{
	uint64_t n;
	(void)!read(w->fd, &n, sizeof n);
	size_t told = n_notices;
	int rc = lost_notices ? WATCH_OVERFLOW : 0;
	lost_notices = false;
	for (size_t i = 0; i < told; i++) {
		struct reqid id = { 0 };
		bool is_id = reqid_parse(notices[i].name, strlen(notices[i].name), &id);
		fn(arg, notices[i].state, id, is_id ? NULL : notices[i].name);
	}
	/* What came meanwhile is for the next look. */
	n_notices -= told;
	memmove(notices, notices + told, n_notices * sizeof *notices);
	progress += told > 0;
	return rc;
}

const char *watch_moved(const struct watch *w)
{
	(void)w;
	return NULL;
}

unsigned watch_changed(struct watch *w)
{
	(void)w;
	return 0;
}

/* ---- the sync thread ----------------------------------------------------------------------------- */

struct syncer {
	const struct spool *spool;
	struct sync_batch *given, *done;
	int fd;
};

static struct syncer syncer;
static bool sync_waited; /* the batch has been with the disk for a step */

int syncer_open(struct syncer **ret, const struct spool *sp)
{
	syncer = (struct syncer){ .spool = sp, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
	*ret = &syncer;
	return 0;
}

static void sync_batch(void)
{
	struct sync_batch *b = syncer.given;
	b->rc = sync_now(syncer.spool, b->dirs, b->files, b->n_files);
	syncer.given = NULL;
	syncer.done = b;
	wake(syncer.fd);
}

void syncer_close(struct syncer *s)
{
	if (!s)
		return;
	if (s->given)
		sync_batch();
	close(s->fd);
}

int syncer_fd(const struct syncer *s)
{
	return s->fd;
}

void syncer_give(struct syncer *s, struct sync_batch *batch)
{
	wq_check(!s->given && !s->done);
	s->given = batch;
	sync_waited = false;
}

struct sync_batch *syncer_take(struct syncer *s)
{
	uint64_t n;
	if (read(s->fd, &n, sizeof n) < 0)
		return NULL;
	struct sync_batch *batch = s->done;
	s->done = NULL;
	return batch;
}

int __wrap_probe_file_system(struct spool *sp, const char *path, struct wq_err *err)
{
	int rc = __real_probe_file_system(sp, path, err);
	sp->has_journal = stage->scene->fs != FS_PARTS;
	sp->sync_whole = stage->scene->fs == FS_MOUNT;
	sp->weakness = NULL;
	return rc;
}

/* ---- the task manager ---------------------------------------------------------------------------
 *
 * What a task does is told by its request's label:
 *
 *	ok, fail     it ends at once
 *	slow         it ends when DO_END says so, or when it is terminated
 *	stubborn     the same, but terminated it takes two more steps
 *	busy, retry  start_task answers that, once
 *	late         it is taken and given back as not started, once
 *	reject       start_task refuses it
 */

struct wq_self {
	const struct wq_host *host;
};

static struct wq_self *manager; /* of this run */

static void wake_server(void)
{
	if (manager)
		manager->host->wakeup(manager->host->ctx);
}

static struct outside *outside_of(const char *id, const char *what)
{
	for (size_t i = 0; i < JOBS_MAX * 2; i++) {
		struct outside *o = &stage->outside[i];
		if (strcmp(o->id, id) == 0)
			return o;
		if (o->id[0] || !what)
			continue;
		*o = (struct outside){ 0 };
		snprintf(o->id, sizeof o->id, "%s", id);
		snprintf(o->what, sizeof o->what, "%s", what);
		return o;
	}
	return NULL;
}

static void end_task(struct outside *o, int32_t how)
{
	if (o->state != TASK_RUNS)
		return;
	if (how == WQ_DONE_OK)
		event("ended %s %u", o->id, o->attempt);
	o->state = TASK_ENDED;
	o->how = how;
	o->dying = 0;
	wake_server();
}

static int32_t manager_create(
	wq_self *me, const struct wq_host *host, const struct wq_config *config, struct wq_err *err)
{
	(void)config, (void)err;
	me->host = host;
	manager = me;
	return WQ_OK;
}

static int32_t start_task(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	struct outside *o = outside_of(task->id, task->label);
	(void)me;
	progress++;
	wq_check(o);
	bool is_first = o->tries++ == 0;
	if (strcmp(o->what, "busy") == 0 && is_first)
		return WQ_BUSY;
	if (strcmp(o->what, "retry") == 0 && is_first) {
		err->code = 500;
		return WQ_RETRY;
	}
	if (strcmp(o->what, "reject") == 0) {
		snprintf(err->name, sizeof err->name, "not-here");
		snprintf(err->text, sizeof err->text, "it asks for that");
		return WQ_REJECT;
	}
	o->tid = task->tid;
	o->attempt = task->attempt;
	if (strcmp(o->what, "late") == 0 && is_first) {
		o->state = TASK_ENDED;
		o->how = WQ_DONE_NOT_STARTED;
		wake_server();
		return WQ_OK;
	}
	o->state = TASK_RUNS;
	event("begun %s %u", o->id, o->attempt);
	if (strcmp(o->what, "slow") != 0 && strcmp(o->what, "stubborn") != 0)
		end_task(o, strcmp(o->what, "fail") == 0 ? WQ_DONE_FAILED : WQ_DONE_OK);
	return WQ_OK;
}

static int32_t reap(wq_self *me, struct wq_outcome *ret)
{
	(void)me;
	for (size_t i = 0; i < JOBS_MAX * 2; i++) {
		struct outside *o = &stage->outside[i];
		if (!o->tid || o->state != TASK_ENDED)
			continue;
		progress++;
		ret->tid = o->tid;
		ret->how = o->how;
		ret->error = o->how == WQ_DONE_FAILED ? "exit-status" : NULL;
		o->tid = 0;
		if (o->how == WQ_DONE_NOT_STARTED || stage->scene->policy != POLICY_ADOPT)
			o->state = TASK_NONE;
		return 1;
	}
	return 0;
}

static int32_t terminate(wq_self *me, const struct wq_task *task, uint32_t how)
{
	struct outside *o = outside_of(task->id, NULL);
	(void)me;
	progress++;
	if (!o || o->state != TASK_RUNS)
		return WQ_OK;
	if (strcmp(o->what, "stubborn") == 0 && how == WQ_TERM_GRACEFUL)
		o->dying = o->dying ? o->dying : 2;
	else
		end_task(o, WQ_DONE_ABORTED);
	return WQ_OK;
}

static int32_t has_capacity(wq_self *me)
{
	int32_t room = stage->scene->life->capacity ? stage->scene->life->capacity : 1;
	(void)me;
	for (size_t i = 0; i < JOBS_MAX * 2; i++)
		room -= stage->outside[i].tid != 0;
	return room > 0 ? room : 0;
}

/* The result is on disk: nobody will ask for the task again. */
static void ack(wq_self *me, wq_tid tid)
{
	(void)me, (void)tid;
}

static int32_t recover(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	struct outside *o = outside_of(task->id, NULL);
	(void)me, (void)err;
	progress++;
	if (!o || o->state == TASK_NONE)
		return stage->rebooted ? WQ_ENDED : WQ_NEVER_BEGAN;
	o->tid = task->tid;
	if (o->state == TASK_ENDED)
		wake_server();
	return WQ_ADOPTED;
}

static char no_path[] = "engine";

/* One whose tasks end with the server, and one whose tasks outlive it. */
static struct plugin mortal = { .path = no_path,
	.desc = { .magic = WQ_PLUGIN_MAGIC,
		.struct_size = sizeof(struct wq_plugin),
		.abi_major = WQ_ABI_MAJOR,
		.abi_minor = WQ_ABI_MINOR,
		.caps = WQ_CAP_WAKES,
		.name = "mortal",
		.version = "1",
		.summary = "its tasks end with the server",
		.self_size = sizeof(wq_self),
		.option_size = sizeof(struct wq_option),
		.create = manager_create,
		.start_task = start_task,
		.reap = reap,
		.terminate = terminate,
		.has_capacity = has_capacity } };

int __wrap_plugin_load(
	const char *name, const char *const *dirs, const struct plugin **ret, struct wq_err *err)
{
	static struct plugin immortal;
	(void)dirs, (void)err;
	immortal = mortal;
	immortal.desc.name = "immortal";
	immortal.desc.recover = recover;
	immortal.desc.ack = ack;
	*ret = strcmp(name, "immortal") == 0 ? &immortal : &mortal;
	return 0;
}

/* ---- clients ------------------------------------------------------------------------------------ */

static wq_client *client;

static bool has_client(void)
{
	struct wq_err err = { 0 };
	return client || wq_open(&client, stage->spool, &err) == 0;
}

struct act {
	const struct step *step;
	bool done; /* else it is to be tried again */
};

static void enqueue(struct act *a, struct job *job)
{
	struct wq_request req = { .struct_size = sizeof req, .label = a->step->task };
	struct wq_err err = { 0 };
	char id[WQ_ID_SIZE];
	int rc;
	if (a->step->what == DO_BAD) {
		struct buf bytes = { 0 };
		wq_check(buf_addf(&bytes, "no request") == 0);
		event("bad");
		rc = client_publish(client, &bytes, false, id, &err);
		buf_fini(&bytes);
		if (rc == 0)
			event("bad %s", id);
	} else {
		if (req.label && strcmp(req.label, "reject") == 0)
			event("bad"); /* it will be refused */
		rc = wq_enqueue(client, &req, id, &err);
	}
	a->done = rc == 0;
	if (rc < 0)
		return;
	snprintf(job->id, sizeof job->id, "%s", id);
	if (a->step->task && strcmp(a->step->task, "reject") == 0)
		event("bad %s", id);
	event("acked %s", id);
}

static void abort_job(struct act *a, const char *id)
{
	struct wq_err err = { 0 };
	event("aborting %s", id);
	a->done = wq_abort(client, id, &err) == 0;
	if (a->done)
		event("aborted %s", id);
}

static void look(struct act *a, struct job *job, uint32_t flags)
{
	struct wq_result *result;
	struct wq_result_info info = { .struct_size = sizeof info };
	struct wq_err err = { 0 };
	event("looking %s", job->id);
	int rc = wq_wait(client, job->id, 0, flags, &result, &err);
	a->done = rc == 0 || rc == -WQ_E_GONE || rc == -WQ_E_FORMAT;
	if (rc == 0) {
		wq_result_info(result, &info);
		event("seen %s %s", job->id, info.status);
		wq_result_free(result);
	}
	if (rc == 0 && !(flags & WQ_WAIT_KEEP))
		event("collected %s", job->id);
	if (rc == -WQ_E_GONE)
		event("gone %s", job->id);
	job->over = a->done && !(rc == 0 && (flags & WQ_WAIT_KEEP));
}

static void collect(struct act *a, struct job *job)
{
	struct wq_err err = { 0 };
	int rc = wq_collect(client, job->id, &err);
	a->done = rc == 0 || rc == -WQ_E_GONE;
	if (rc == 0)
		event("collected %s", job->id);
	job->over = a->done;
}

static void put_junk(struct act *a)
{
	const struct spool *sp = &client->spool;
	int fd = sp->io->openat(sp->dir_fd[a->step->job ? SPOOL_ABORTING : SPOOL_REQUESTED], "junk",
		O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	a->done = fd >= 0 || fd == -EEXIST;
	if (fd >= 0)
		(void)sp->io->close(fd);
}

static void act(void *arg)
{
	struct act *a = arg;
	struct job *job = &stage->jobs[a->step->what == DO_LATER ? 0 : a->step->job];
	bool needs_id = a->step->what == DO_ABORT || a->step->what == DO_WAIT ||
			a->step->what == DO_SEE || a->step->what == DO_COLLECT;
	a->done = needs_id && !job->id[0];
	if (a->done || !has_client())
		return;
	switch (a->step->what) {
	case DO_ENQUEUE:
	case DO_BAD:
		enqueue(a, job);
		break;
	case DO_JUNK:
		put_junk(a);
		break;
	case DO_ABORT:
		abort_job(a, job->id);
		break;
	case DO_ABORT_NOBODY:
		abort_job(a, "1511472984.123456-0k3v9q2m7t1dh");
		break;
	case DO_WAIT:
		look(a, job, 0);
		break;
	case DO_SEE:
		look(a, job, WQ_WAIT_KEEP);
		break;
	case DO_COLLECT:
		collect(a, job);
		break;
	default:
		a->done = true;
	}
}

/* False: to be tried again.  A client that is killed is not. */
static bool do_step(const struct step *step)
{
	struct act a = { .step = step };
	if (step->what == DO_LATER) {
		stage->now_ns += step->job * NS_PER_S;
		return true;
	}
	if (step->what == DO_END) {
		struct outside *o = stage->jobs[step->job].id[0]
					    ? outside_of(stage->jobs[step->job].id, NULL)
					    : NULL;
		if (o)
			end_task(o, WQ_DONE_OK);
		return true;
	}
	if (as_client(act, &a))
		return a.done;
	client = NULL; /* whoever comes next is another process */
	return true;
}

void play_race(void)
{
	static const struct step abort_first = { .what = DO_ABORT },
				 enqueue_new = { .what = DO_ENQUEUE,
					 .job = RACE_JOB,
					 .task = "ok" },
				 abort_new = { .what = DO_ABORT, .job = RACE_JOB };
	enum race race = stage->scene->race;
	if (race == RACE_ABORT) {
		(void)do_step(&abort_first);
		return;
	}
	(void)do_step(&enqueue_new);
	if (race == RACE_NEW_ABORT)
		(void)do_step(&abort_new);
}

/* ---- the order of things ------------------------------------------------------------------------- */

static int tries; /* of the step that is next */
static int rests;

static void pass_time(void)
{
	stage->now_ns += STEP_NS;
	for (size_t i = 0; i < JOBS_MAX * 2; i++)
		if (stage->outside[i].dying && --stage->outside[i].dying == 0)
			end_task(&stage->outside[i], WQ_DONE_ABORTED);
	wake_server();
}

/* A directory in which something stands that is to go. */
static bool stands_in(const char *place)
{
	char path[PATH_SIZE + 32];
	snprintf(path, sizeof path, "%s/%s", stage->spool, place);
	DIR *d = opendir(path);
	int n = 0;
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n > 0;
}

static bool is_at_rest(void)
{
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (stage->jobs[i].id[0] && !stage->jobs[i].over)
			return false;
	return !stands_in("1-requested") && !stands_in("2-pending") && !stands_in("3-running") &&
	       !stands_in("5-aborting") && !stands_in(".wq/tmp");
}

/* All steps are done: whatever runs ends, and each client has its answer. */
static void rest(void)
{
	stage->is_repaired = true;
	for (size_t i = 0; i < JOBS_MAX * 2; i++)
		end_task(&stage->outside[i], WQ_DONE_OK);
	for (int i = 0; i < JOBS_MAX; i++) {
		struct step step = { .what = DO_WAIT, .job = i };
		if (stage->jobs[i].id[0] && !stage->jobs[i].over)
			(void)do_step(&step);
	}
	pass_time();
	if (is_at_rest() || ++rests > RESTS) {
		stage->n_served = stage->n_calls;
		kill(getpid(), SIGTERM);
	}
}

static void next_steps(void)
{
	const struct life *life = stage->scene->life;
	do {
		const struct step *step = &life->steps[stage->step];
		/* Killed in the midst of it: it is over with its client. */
		stage->step++;
		if (!do_step(step) && ++tries < TRIES) {
			stage->step--;
			pass_time();
			return;
		}
		tries = 0;
	} while (stage->step < life->n_steps && life->steps[stage->step].at_once);
	if (life->blind)
		pass_time();
}

/* The server has nothing to do. */
static void move_on(void)
{
	bool has_steps = stage->step < stage->scene->life->n_steps;
	bool is_slow = stage->scene->life->slow_disk && has_steps && !sync_waited;
	if (syncer.given && !is_slow) {
		sync_batch();
		return;
	}
	sync_waited = true;
	if (has_steps)
		next_steps();
	else
		rest();
}

int __wrap_loop_run_once(struct loop *l, int64_t timeout_ns)
{
	static unsigned rounds, before;
	if (++rounds > ROUNDS_MAX)
		_exit(EXIT_STUCK);
	if (!stage->is_ready) {
		stage->is_ready = true;
		stage->n_ready = stage->n_calls;
		event("ready");
	}
	if (timeout_ns != 0 && progress == before) {
		move_on();
		progress++;
	}
	before = progress;
	return __real_loop_run_once(l, 0);
}

int __wrap_recover_spool(struct server *s, struct wq_err *err)
{
	s->space.no_ballast = true; /* a megabyte that is nobody's */
	int rc = __real_recover_spool(s, err);
	stage->n_recovery = stage->n_calls;
	return rc;
}

/* ---- a run -------------------------------------------------------------------------------------- */

static void read_config(struct server *s)
{
	static const char *const levels[] = { "none", "batch", "strict" };
	const struct scene *scene = stage->scene;
	struct problems p = { 0 };
	char text[512];
	int n = scene->life->capacity ? scene->life->capacity : 1;
	snprintf(text, sizeof text,
		"spool = \"%s\"\ndurability = %s\ntask-manager m {\n\tplugin = %s\n"
		"\tmax-running = %d\n\trun-limit = 60s\n}\n",
		stage->spool, levels[scene->level],
		scene->policy == POLICY_ADOPT ? "immortal" : "mortal", n);
	int rc = config_read_text(text, "engine", "/", &s->config, &p);
	if (rc == 0)
		rc = task_managers_load(s, &p);
	if (rc == 0)
		return;
	fprintf(stderr, "engine: %s\n", p.n > 0 ? p.lines[0] : "cannot read its configuration");
	_exit(2);
}

void play(void)
{
	static char *no_dirs[] = { NULL };
	struct server s = { .config_name = "engine",
		.plugin_dirs = no_dirs,
		.shepherd_program = no_path,
		.ready_fd = -1 };
	log_set_level(verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERR);
	while (stage->step < stage->scene->life->n_down)
		next_steps();
	read_config(&s);
	_exit(server_run(&s));
}
