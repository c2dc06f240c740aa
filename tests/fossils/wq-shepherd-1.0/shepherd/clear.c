/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/herd_priv.h"

#include "base/fdio.h"
#include "base/time.h"
#include "shepherd/cgroup.h"
#include "shepherd/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	CHILDREN_FILE_MAX = 4 * 1024 * 1024,
	KILL_ROUNDS = 8,    /* of one tree_kill */
	PAUSE_FIRST_MS = 5, /* between two looks at what is left, doubled each time */
	PAUSE_MAX_MS =
		1000, /* a process in an uninterruptible sleep may take as long as it likes */
	TAKEN_UP_GRACE_MS = 5000 /* the record of one does not say its own */
};

/* ---- what belongs to it ---------------------------------------------------------------------- */

/*
 * All children of a task bear one tag.  So it says whose a process is only where one of them is left
 * that could have it: the one that runs, or the one that began last to be cleared.
 */
static bool owns_tag(const struct child *c)
{
	const struct child *other;
	TAILQ_FOREACH(other, &c->herd->all, all)
	if (other != c && other->state == CHILD_RUNNING && strcmp(other->tag, c->tag) == 0)
		return false;
	if (c->state != CHILD_CLEARING)
		return true;
	for (other = TAILQ_NEXT(c, clearing); other; other = TAILQ_NEXT(other, clearing))
		if (strcmp(other->tag, c->tag) == 0)
			return false;
	return true;
}

static struct tree_mark mark_of(const struct child *c)
{
	return (struct tree_mark){
		.tag = owns_tag(c) ? c->tag : "",
		.session = c->session,
		.pid = c->pid,
		.start_ticks = c->start_ticks,
	};
}

/* Could the system not say it just now?  Then it is asked again; else nobody can say it ever. */
static bool is_passing(int rc)
{
	return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM || rc == -EINTR;
}

/* ---- its cgroup, where it has one -------------------------------------------------------------- */

static bool has_cgroup(const struct child *c)
{
	return c->cgroup_fd >= 0;
}

/* How many have got it. */
static uint32_t tell_cgroup(const struct child *c)
{
	int n = cgroup_signal(c->cgroup_fd, SIGTERM);
	/* One that is stopped would see it only when it is continued. */
	(void)cgroup_signal(c->cgroup_fd, SIGCONT);
	return n < 0 ? 0 : (uint32_t)n;
}

static void kill_cgroup(const struct child *c)
{
	if (cgroup_kill(c->cgroup_fd) < 0)
		(void)cgroup_signal(c->cgroup_fd, SIGKILL);
}

static uint32_t count_cgroup(const struct child *c)
{
	int n = cgroup_signal(c->cgroup_fd, 0);
	return n < 0 ? 0 : (uint32_t)n;
}

static bool is_populated(const struct child *c)
{
	int n = cgroup_is_populated(c->cgroup_fd);
	return n > 0 || (n < 0 && is_passing(n));
}

/* ---- its end --------------------------------------------------------------------------------- */

static void unwatch(struct child *c)
{
	if (c->watch)
		loop_del_fd(c->herd->loop, c->watch);
	c->watch = NULL;
	fdio_close(&c->watch_fd);
}

static void finish(struct child *c)
{
	struct herd *h = c->herd;
	child_drain(c);
	if (c->out) {
		c->end.out_bytes = c->out->output.written;
		c->end.out_kept = c->out->output.kept;
	}
	if (c->err) {
		c->end.err_bytes = c->err->output.written;
		c->end.err_kept = c->err->output.kept;
	}
	if (c->state == CHILD_RUNNING) /* it has not been cleared */
		child_leave_outputs(c);
	else
		child_close_outputs(c);
	c->pid = 0;
	unwatch(c);
	loop_del_timer(h->loop, c->timer);
	c->timer = NULL;
	if (c->cgroup_fd >= 0) {
		fdio_close(&c->cgroup_fd);
		if (cgroup_remove(h->base_fd, c->name) == -EBUSY)
			herd_keep_rest(h, c->name);
	}
	if (c->state == CHILD_CLEARING)
		TAILQ_REMOVE(&h->clearing, c, clearing);
	herd_tell(c);
}

/* When to look at it next. */
static void arm(struct child *c)
{
	int64_t now = time_mono_ns(), at = TIME_NEVER;
	if (c->phase == CHILD_TERMED)
		at = c->kill_at_ns;
	if (c->is_due) {
		at = now;
	} else if (c->phase == CHILD_KILLED || c->is_polled || c->wants_term) {
		if (c->pause_ns == 0)
			c->pause_ns = PAUSE_FIRST_MS * NS_PER_MS;
		int64_t next = time_after(now, c->pause_ns);
		if (next < at)
			at = next;
		c->pause_ns *= 2;
		if (c->pause_ns > PAUSE_MAX_MS * NS_PER_MS)
			c->pause_ns = PAUSE_MAX_MS * NS_PER_MS;
	}
	c->look_at_ns = at;
	loop_set_timer(c->herd->loop, c->timer, at);
}

static void begin_kill(struct child *c)
{
	c->phase = CHILD_KILLED;
	c->wants_term = false;
	c->pause_ns = PAUSE_FIRST_MS * NS_PER_MS;
	if (has_cgroup(c))
		kill_cgroup(c);
	else
		c->is_due = true;
}

/* How many have got SIGTERM, as far as that is known already. */
static uint32_t begin_term(struct child *c, uint32_t grace_ms)
{
	c->phase = CHILD_TERMED;
	c->kill_at_ns = time_after(time_mono_ns(), grace_ms * NS_PER_MS);
	if (has_cgroup(c))
		return tell_cgroup(c);
	c->wants_term = c->is_due = true;
	return 0;
}

void child_end(struct child *c, uint32_t how, uint32_t grace_ms)
{
	if (c->state == CHILD_ENDED || c->phase == CHILD_KILLED)
		return;
	if (c->state == CHILD_RUNNING) {
		c->told = true;
		c->end.flags |= WQ_CHILD_WAS_TOLD;
	}
	if (how == WQ_TERM_NOW) {
		begin_kill(c);
	} else if (c->phase == CHILD_LEFT_ALONE) {
		(void)begin_term(c, grace_ms);
	} else {
		int64_t at = time_after(time_mono_ns(), grace_ms * NS_PER_MS);
		c->kill_at_ns = at < c->kill_at_ns ? at : c->kill_at_ns;
	}
	arm(c);
}

static void look_at_cgroup(struct child *c)
{
	if (c->phase == CHILD_KILLED)
		kill_cgroup(c);
	else if (c->phase == CHILD_TERMED && time_mono_ns() >= c->kill_at_ns)
		begin_kill(c);
	if (c->state == CHILD_CLEARING && !is_populated(c))
		finish(c);
	else
		arm(c);
}

/* ---- without a cgroup -------------------------------------------------------------------------- */

static bool is_waiting(const struct child *c, int64_t now)
{
	return c->state != CHILD_ENDED && !has_cgroup(c) && c->look_at_ns <= now;
}

/* What the look has found.  True: it is to be killed. */
static bool take_look(struct child *c, const struct tree_look *look, int rc, int64_t now)
{
	bool is_left = rc == 0 ? look->n > 0 : is_passing(rc);
	if (rc == 0) {
		if (c->counts_rest)
			c->end.rest = c->wants_term ? look->n_signalled : look->n;
		c->wants_term = c->counts_rest = false;
	}
	if (c->state == CHILD_CLEARING && !is_left) {
		finish(c);
		return false;
	}
	if (c->phase == CHILD_TERMED && now >= c->kill_at_ns)
		begin_kill(c);
	c->is_due = false; /* this was it */
	arm(c);
	return c->phase == CHILD_KILLED;
}

/* How many are asked about. */
static size_t ask(const struct herd *h, int64_t now, struct tree_look *ret)
{
	size_t n = 0;
	const struct child *c;
	TAILQ_FOREACH(c, &h->all, all)
	{
		if (!is_waiting(c, now))
			continue;
		ret[n++] = (struct tree_look){
			.mark = mark_of(c),
			.signo = c->wants_term ? SIGTERM : 0,
			.then = SIGCONT, /* one that is stopped would not see it else */
		};
	}
	return n;
}

/* `looks` as `ask` has put them; NULL: there are none.  How many are to be killed. */
static size_t take_looks(struct herd *h, int64_t now, const struct tree_look *looks, int rc,
	struct tree_mark *ret_kill)
{
	size_t n = 0;
	struct child *c;
	TAILQ_FOREACH(c, &h->all, all)
	{
		if (!is_waiting(c, now))
			continue;
		if (take_look(c, looks, rc, now) && ret_kill)
			ret_kill[n++] = mark_of(c);
		looks += looks != NULL;
	}
	return n;
}

/* One walk through /proc for all whose time has come: with one for each the cost of many would grow
 * with their square. */
static void look_at_waiting(struct herd *h)
{
	int64_t now = time_mono_ns();
	struct tree_look *looks = calloc(h->n_alive, sizeof *looks);
	struct tree_mark *kill = calloc(h->n_alive, sizeof *kill);
	int rc = -ENOMEM;
	if (looks && kill) {
		size_t n = ask(h, now, looks);
		rc = tree_look(looks, n);
	}
	size_t n_kill = take_looks(h, now, looks, rc, kill);
	if (n_kill > 0)
		(void)tree_kill(kill, n_kill, KILL_ROUNDS);
	free(looks);
	free(kill);
}

void child_on_timer(void *child)
{
	struct child *c = child;
	if (has_cgroup(c))
		look_at_cgroup(c);
	else
		look_at_waiting(c->herd);
}

/* ---- what it has left ------------------------------------------------------------------------ */

static void on_cgroup(void *arg, uint32_t events)
{
	struct child *c = arg;
	(void)events;
	/* Of the watched file itself: only a read makes the next change be told. */
	if (cgroup_is_populated(c->watch_fd) == 0)
		finish(c);
}

static void watch_cgroup(struct child *c)
{
	c->watch_fd = cgroup_watch(c->cgroup_fd);
	if (c->watch_fd >= 0)
		c->watch = loop_add_fd(c->herd->loop, c->watch_fd, EPOLLPRI, on_cgroup, c);
	else
		c->watch_fd = -1;
	if (!c->watch)
		c->is_polled = true;
}

/* Tell what is left to end; its end is told when nothing is. */
static void begin_clearing(struct child *c)
{
	uint32_t rest;
	c->is_begun = true;
	if (c->phase == CHILD_KILLED) {
		rest = has_cgroup(c) ? count_cgroup(c) : 0;
		begin_kill(c);
	} else if (c->phase == CHILD_LEFT_ALONE) {
		rest = begin_term(c, c->grace_ms);
	} else {
		/* Once more: who was born after that has not heard of it. */
		rest = has_cgroup(c) ? tell_cgroup(c) : 0;
		c->wants_term = c->is_due = !has_cgroup(c);
	}
	c->end.rest = rest;
	c->counts_rest = !has_cgroup(c);
	if (has_cgroup(c))
		watch_cgroup(c);
	arm(c);
	/* What changed before the watch will not be told. */
	if (c->watch && !is_populated(c))
		loop_set_timer(c->herd->loop, c->timer, time_mono_ns());
}

/* Most leave nothing behind; then this is all that there is to do. */
static bool drop_empty_cgroup(struct child *c)
{
	if (unlinkat(c->herd->base_fd, c->name, AT_REMOVEDIR) < 0)
		return false;
	fdio_close(&c->cgroup_fd);
	return true;
}

void child_clear(struct child *c)
{
	child_drain(c);
	if (c->flags & WQ_SPAWN_LEAVE_REST && !c->told) {
		finish(c);
		return;
	}
	c->state = CHILD_CLEARING;
	TAILQ_INSERT_TAIL(&c->herd->clearing, c, clearing);
	if (!has_cgroup(c))
		return; /* the sweep that follows sees to it */
	if (drop_empty_cgroup(c) || !is_populated(c))
		finish(c);
	else
		begin_clearing(c);
}

void child_take_up(struct child *c)
{
	struct herd *h = c->herd;
	c->state = CHILD_CLEARING;
	c->grace_ms = TAKEN_UP_GRACE_MS;
	TAILQ_INSERT_TAIL(&h->clearing, c, clearing);
	if (h->base_fd >= 0)
		c->cgroup_fd = cgroup_open_child(h->base_fd, c->name);
	if (c->cgroup_fd < 0) {
		c->cgroup_fd = -1;
		c->is_polled = true; /* its processes are not our children */
	}
	if (has_cgroup(c) && !is_populated(c))
		finish(c);
	else
		begin_clearing(c);
}

/* ---- the sweep ------------------------------------------------------------------------------- */

static bool is_known_pid(void *arg, pid_t pid)
{
	return herd_find_pid(arg, pid) != NULL;
}

static bool is_in_sweep(const struct child *c)
{
	return !has_cgroup(c) && !c->is_polled;
}

/* `tag` is this child's, or that and "." and more. */
static bool bears(const char *tag, const struct child *c)
{
	size_t len = strlen(c->tag);
	return strncmp(tag, c->tag, len) == 0 && (tag[len] == '\0' || tag[len] == '.');
}

static void on_stray(void *arg, pid_t pid, const char *tag)
{
	struct herd *h = arg;
	struct child *c;
	pid_t session = getsid(pid);
	TAILQ_FOREACH(c, &h->clearing, clearing)
	{
		if (session > 0 && c->session == session) {
			c->n_left++;
			return;
		}
	}
	if (tag[0] == '\0') {
		h->is_unclear = true;
		return;
	}
	TAILQ_FOREACH(c, &h->clearing, clearing)
	{
		if (bears(tag, c) && owns_tag(c)) {
			c->n_left++;
			return;
		}
	}
}

/* Have we any child but known ones?  Our own list is exact, for nobody else reaps from it; where the
 * kernel does not give it away (CONFIG_PROC_CHILDREN) all of /proc is looked through. */
static bool has_strays(struct herd *h)
{
	struct buf text = { 0 };
	bool any = false;
	auto_close int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fdio_read_all(fd, CHILDREN_FILE_MAX, &text) < 0 || buf_add(&text, "", 1) < 0)
		any = true;
	char *at = (char *)text.data, *end;
	while (!any) {
		long pid = strtol(at, &end, 10);
		if (end == at)
			break;
		any = !herd_find_pid(h, (pid_t)pid);
		at = end;
	}
	buf_fini(&text);
	return any;
}

static void sweep_one(struct child *c, bool is_unclear)
{
	if (c->n_left == 0 && !is_unclear) {
		finish(c);
		return;
	}
	/* One that hides what it is may still have children that do not: these would end unseen. */
	if (c->n_left == 0)
		c->is_polled = c->is_due = true;
	if (!c->is_begun)
		begin_clearing(c);
	else if (c->is_polled)
		arm(c);
}

/*
 * Whatever a child leaves behind becomes ours, at least the root of it.  So where we have no children
 * but known ones nothing is left, and that costs no walk through /proc.
 */
void herd_sweep(struct herd *h)
{
	struct child *c, *next;
	bool any = false;
	TAILQ_FOREACH(c, &h->clearing, clearing)
	{
		c->n_left = 0;
		any |= is_in_sweep(c);
	}
	if (!any)
		return;
	h->is_unclear = false;
	if (has_strays(h) && tree_strays(is_known_pid, on_stray, h) < 0)
		h->is_unclear = true;
	for (c = TAILQ_FIRST(&h->clearing); c; c = next) {
		next = TAILQ_NEXT(c, clearing);
		if (is_in_sweep(c))
			sweep_one(c, h->is_unclear);
	}
}
