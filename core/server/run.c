/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of the server: open, recover, serve, drain, close.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/quantity.h"
#include "base/time.h"
#include "control/control.h"
#include "shepherd/pidfd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	LAST_WORDS_MS = 2000, /* for tasks that were told to end at the drain limit */
	LOCK_WAIT_MS = 1000   /* for the end of one that has the lock */
};

/* ---- what the loop calls; the pass that follows does the work -------------------------------- */

static void on_spool_changed(void *arg, uint32_t events)
{
	(void)events;
	look_read(arg);
}

/* What sched has due is asked for by the pass that follows. */
static void on_due(void *arg)
{
	struct server *s = arg;
	if (time_mono_ns() >= s->rescan_at_ns)
		look_rescan(s);
	if (time_mono_ns() >= s->adopt_at_ns)
		adopt_tasks(s);
}

static void on_heartbeat(void *arg)
{
	struct server *s = arg;
	struct sched_counts c = sched_counts(s->sched);
	log_debug("heartbeat: %u pending, %u running", c.seen + c.pending, c.running);
	loop_set_timer(s->loop, s->heartbeat_timer,
		time_after(time_mono_ns(), s->config.heartbeat_interval_ns));
}

/* What only helps where the clock is wrong. */
static void save_times(struct server *s)
{
	int rc = spool_save_hwm(&s->spool);
	if (rc < 0)
		log_warn("cannot save the id high-water mark: %s", strerror(-rc));
	(void)keep_now_us(s); /* the ceiling moves */
	rc = age_save(&s->age, &s->spool);
	if (rc < 0)
		log_warn("cannot save .wq/age: %s", strerror(-rc));
}

static void on_safety(void *arg)
{
	struct server *s = arg;
	if (s->watch && watch_changed(s->watch))
		look_rescan(s);
	save_times(s);
	space_check(s);
	retain_begin(s);
	(void)whereabouts_root(s);
	whereabouts_renew(s);
	loop_set_timer(
		s->loop, s->safety_timer, time_after(time_mono_ns(), s->config.safety_interval_ns));
}

static void on_space(void *arg)
{
	space_check(arg);
}

static void on_retain(void *arg)
{
	retain_begin(arg);
}

static void on_renew(void *arg)
{
	whereabouts_renew(arg);
	left_retry(arg);
}

/* Once to tell what runs to end, and once more to leave without it. */
static void on_drain_limit(void *arg)
{
	struct server *s = arg;
	if (s->ending) {
		s->give_up = true;
		return;
	}
	if (sched_is_drained(s->sched)) /* what still runs goes on without us */
		return;
	s->ending = true;
	log_notice(
		"drain limit reached with %u running; ending them", sched_counts(s->sched).running);
	sched_terminate_all(s->sched);
	for (uint32_t i = 0; i < s->n_tms; i++)
		if (!instance_can_recover(s->tms[i].instance))
			(void)instance_stop(
				s->tms[i].instance, WQ_STOP_KILL); /* it tells why not */
	loop_set_timer(
		s->loop, s->drain_timer, time_after(time_mono_ns(), LAST_WORDS_MS * NS_PER_MS));
}

/* What can be found again is left running. */
static void detach(struct server *s)
{
	for (uint32_t i = 0; i < s->n_tms; i++) {
		if (!instance_can_recover(s->tms[i].instance))
			continue;
		(void)instance_stop(s->tms[i].instance, WQ_STOP_DETACH); /* it tells why not */
		sched_detach(s->sched, i);
	}
}

void server_drain(struct server *s, const char *why)
{
	s->stopping = true;
	char limit[32];
	log_notice("%s: draining, %u running, %s at most; SIGTERM or SIGINT again stops at once",
		why, sched_counts(s->sched).running,
		quantity_format_duration(s->config.drain_limit_ns, limit));
	notify_service_manager("STOPPING=1");
	sched_stop(s->sched);
	detach(s);
	loop_set_timer(
		s->loop, s->drain_timer, time_after(time_mono_ns(), s->config.drain_limit_ns));
}

static void on_signal(void *arg, int signo)
{
	struct server *s = arg;
	if (!s->stopping) {
		server_drain(s, strsignal(signo));
		return;
	}
	if (signo == SIGHUP) /* a service manager may send it beside SIGTERM */
		return;
	log_notice("%s again: stopping at once", strsignal(signo));
	s->give_up = true;
}

/* ---- open ---------------------------------------------------------------------------------------
 */

static int open_loop(struct server *s, struct wq_err *err)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	s->loop = loop_new();
	if (!s->loop)
		return err_set(err, -errno, "cannot make the event loop");
	int rc = loop_catch_signals(s->loop, &signals, on_signal, s);
	if (rc < 0)
		return err_set(err, rc, "cannot catch signals");
	s->due_timer = loop_add_timer(s->loop, on_due, s);
	s->heartbeat_timer = loop_add_timer(s->loop, on_heartbeat, s);
	s->safety_timer = loop_add_timer(s->loop, on_safety, s);
	s->drain_timer = loop_add_timer(s->loop, on_drain_limit, s);
	s->space.timer = loop_add_timer(s->loop, on_space, s);
	s->retain.timer = loop_add_timer(s->loop, on_retain, s);
	s->renew_timer = loop_add_timer(s->loop, on_renew, s);
	if (!s->due_timer || !s->heartbeat_timer || !s->safety_timer || !s->drain_timer ||
		!s->space.timer || !s->retain.timer || !s->renew_timer)
		return err_set(err, -ENOMEM, "cannot make timers");
	return 0;
}

static int open_sched(struct server *s, struct wq_err *err)
{
	uint64_t hash_key[2];
	struct sched_limits *limits = calloc(s->n_tms, sizeof *limits);
	if (!limits)
		return err_set(err, -ENOMEM, "cannot make the scheduler");
	if (getrandom(hash_key, sizeof hash_key, 0) != (ssize_t)sizeof hash_key) {
		free(limits);
		return err_set(err, -errno, "cannot get random bytes");
	}
	for (uint32_t i = 0; i < s->n_tms; i++)
		limits[i] = (struct sched_limits){
			.max_running = (uint32_t)s->tms[i].config->max_running,
			.polls = !(s->tms[i].plugin->desc.caps & WQ_CAP_WAKES),
		};
	s->sched = sched_new(s->n_tms, limits, s->config.sample_interval_ns, hash_key);
	free(limits);
	if (!s->sched)
		return err_set(err, -ENOMEM, "cannot make the scheduler");
	sched_set_queue_limit(s->sched, (uint32_t)s->config.queue_limit);
	return 0;
}

/* Wait for the end of a process; false: it has ended, or there is none. */
static bool await_end(pid_t pid, int64_t until_ns)
{
	auto_close int pidfd = pidfd_of(pid);
	int64_t left_ms = (until_ns - time_mono_ns()) / NS_PER_MS;
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	if (pidfd < 0 || poll(&end, 1, 0) != 0)
		return false;
	(void)poll(&end, 1, left_ms > 0 ? (int)left_ms : 0);
	return true;
}

/*
 * One that was killed has the lock until the kernel has taken it apart; and when it was about to start
 * the shepherd, that child has it until it closes what is not meant for it, of which nothing tells.
 */
static int open_locked(struct server *s, struct wq_err *err)
{
	int64_t until_ns = time_after(time_mono_ns(), LOCK_WAIT_MS * NS_PER_MS);
	int rc;
	while ((rc = spool_open_server(&s->spool, s->config.spool, &spool_io_real, err)) ==
			-WQ_E_LOCKED &&
		s->spool.lock_holder > 0 && time_mono_ns() < until_ns)
		if (!await_end(s->spool.lock_holder, until_ns))
			(void)poll(NULL, 0, 1);
	return rc;
}

static int open_spool(struct server *s, struct wq_err *err)
{
	int rc = open_locked(s, err);
	if (rc < 0)
		return rc;
	rc = commit_open(s, err);
	if (rc < 0)
		return rc;
	age_load(&s->age, &s->spool, time_wall_us(), time_mono_ns());
	if (strcmp(s->config.on_start, "wipe") == 0) {
		int n = spool_wipe(&s->spool, err);
		if (n < 0)
			return n;
		log_notice("on-start = wipe: removed %d files", n);
	}
	/* Watch before listing, so that nothing falls between. */
	rc = watch_open(&s->watch, &s->spool);
	if (rc < 0) {
		log_warn("no inotify to be had (%s): looking at the spool every safety-interval "
			 "only",
			strerror(-rc));
		return 0;
	}
	s->watch_source = loop_add_fd(s->loop, watch_fd(s->watch), EPOLLIN, on_spool_changed, s);
	return s->watch_source ? 0 : err_set(err, -errno, "cannot watch the spool");
}

static int make_instances(struct server *s, struct wq_err *err)
{
	struct problems p = { 0 };
	int rc = task_managers_create(s, &p);
	if (rc < 0)
		err_set(err, rc, "%s", p.n > 0 ? p.lines[0] : "cannot make the task managers");
	problems_fini(&p);
	return rc < 0 ? rc : task_managers_start(s, err);
}

static int open_all(struct server *s, struct wq_err *err)
{
	int rc = open_loop(s, err);
	if (rc == 0 && metrics_init(&s->metrics, s->n_tms) < 0)
		rc = err_set(err, -ENOMEM, "cannot make the metrics");
	if (rc == 0)
		rc = open_sched(s, err);
	if (rc == 0)
		rc = open_spool(s, err);
	if (rc == 0)
		rc = shepherd_open(s, err);
	if (rc == 0)
		rc = make_instances(s, err);
	if (rc == 0)
		rc = recover_spool(s, err);
	if (rc == 0) {
		settings_load(s);
		adopt_tasks(s);
	}
	if (rc == 0)
		rc = control_open(&s->control, s->loop, s->spool.root_fd, answer_question, s, err);
	return rc;
}

/* ---- serve and close ------------------------------------------------------------------------- */

/* To the service manager, and the way of s6: a line to a descriptor, then its end. */
static void tell_ready(struct server *s)
{
	notify_service_manager("READY=1");
	if (s->ready_fd < 0)
		return;
	if (fdio_write_all(s->ready_fd, "\n", 1) < 0)
		log_warn("cannot write to --ready-fd=%d", s->ready_fd);
	fdio_close(&s->ready_fd);
}

static bool may_end(const struct server *s)
{
	if (s->give_up || !s->stopping || s->pass_unfinished)
		return s->give_up;
	/* With a storage that fails nothing more can be carried out. */
	return (sched_is_drained(s->sched) && commit_is_idle(s)) ||
	       (s->commits.error[0] && sched_counts(s->sched).running == 0);
}

static int serve(struct server *s)
{
	s->page_changed = true;
	on_heartbeat(s);
	/* Recovery looks at ids only; other names are set aside now.  Later looks are for changes. */
	if (s->watch)
		(void)watch_changed(s->watch);
	look_list(s);
	save_times(s);
	space_check(s);
	retain_begin(s);
	loop_set_timer(
		s->loop, s->safety_timer, time_after(time_mono_ns(), s->config.safety_interval_ns));
	server_pass(s);
	tell_ready(s);
	log_notice("wq-server %s ready: spool %s, task managers: %s", WQ_VERSION, s->config.spool,
		task_managers_names(s, (char[256]){ 0 }, 256));
	while (!may_end(s)) {
		int rc = loop_run_once(s->loop, s->pass_unfinished ? 0 : -1);
		if (rc < 0) {
			log_err("the event loop fails: %s", strerror(-rc));
			return EXIT_FAILURE;
		}
		server_pass(s);
	}
	return s->exit_status;
}

static void close_all(struct server *s)
{
	control_close(s->control);
	task_managers_free(s); /* they hear of children until then */
	shepherd_close(s);
	if (s->watch_source)
		loop_del_fd(s->loop, s->watch_source);
	watch_close(s->watch);
	commit_close(s);
	sched_free(s->sched);
	left_fini(s);
	tasks_fini(&s->tasks);
	attempts_fini(&s->attempts);
	metrics_fini(&s->metrics);
	if (s->spool.io) { /* it was opened */
		retain_end(s);
		spool_close(&s->spool);
	}
	loop_free(s->loop);
}

/* Results that the storage did not take until the end. */
static unsigned count_kept(const struct server *s)
{
	unsigned n = 0;
	for (const struct task *t = tasks_next(&s->tasks, 0); t; t = tasks_next(&s->tasks, t->ref))
		n += t->result.len > 0;
	return n;
}

/* With something left.  A task that does not end would keep destroy from returning. */
static _Noreturn void leave(const struct server *s, int status)
{
	unsigned kept = count_kept(s), running = sched_counts(s->sched).running;
	if (kept > 0)
		log_err("stopped with %u results that could not be published; the next start asks "
			"what became of their tasks, or reports them as lost",
			kept);
	if (running > 0)
		log_warn("stopped with %u tasks that did not end; the next start reports them as "
			 "lost",
			running);
	_exit(kept > 0 ? EXIT_FAILURE : status);
}

int server_run(struct server *s)
{
	struct wq_err err = { 0 };
	s->started_us = time_wall_us();
	s->rescan_at_ns = s->adopt_at_ns = TIME_NEVER;
	s->retain.due_us = INT64_MAX;
	if (open_all(s, &err) < 0) {
		log_err("%s", err.text);
		close_all(s);
		return EXIT_FAILURE;
	}
	int status = serve(s);
	save_times(s);
	space_end(s);
	page_update(s, false);
	if (!sched_is_drained(s->sched))
		leave(s, status);
	log_notice("stopped");
	close_all(s);
	return status;
}
