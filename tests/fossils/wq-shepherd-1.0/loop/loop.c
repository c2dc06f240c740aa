/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop/loop.h"

#include "base/err.h"
#include "base/time.h"
#include "loop/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS_A_ROUND = 64,  /* the rest is still ready in the next round */
	SIGNALS_A_ROUND = 16, /* real-time signals queue, so even these need a bound */
};

static const uint32_t FD_MAGIC = 0x66644c51;
static const uint32_t DEAD_MAGIC = 0x64656164;

struct loop_fd {
	uint32_t magic; /* DEAD_MAGIC: removed, the memory is kept until the round ends */
	int fd;
	loop_fd_fn *fn;
	void *arg;
	LIST_ENTRY(loop_fd) link;
};

struct catcher {
	int fd;
	loop_signal_fn *fn;
	void *arg;
	LIST_ENTRY(catcher) link;
};

struct loop {
	int epfd;
	bool running;   /* inside loop_run_once */
	bool no_pwait2; /* the kernel does not have it */
	LIST_HEAD(, loop_fd) fds;
	LIST_HEAD(, loop_fd) dead;
	struct heap timers;
	TAILQ_HEAD(, loop_timer) due;
	LIST_HEAD(, loop_timer) all_timers;
	LIST_HEAD(, catcher) catchers;
};

/* ---- descriptors ----------------------------------------------------------------------------- */

struct loop_fd *loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg)
{
	struct loop_fd *src = calloc(1, sizeof *src);
	if (!src)
		return NULL;
	*src = (struct loop_fd){ .magic = FD_MAGIC, .fd = fd, .fn = fn, .arg = arg };
	struct epoll_event ev = { .events = events, .data.ptr = src };
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int saved = errno;
		free(src);
		errno = saved;
		return NULL;
	}
	LIST_INSERT_HEAD(&l->fds, src, link);
	return src;
}

int loop_mod_fd(struct loop *l, struct loop_fd *src, uint32_t events)
{
	wq_check(src->magic == FD_MAGIC);
	struct epoll_event ev = { .events = events, .data.ptr = src };
	return epoll_ctl(l->epfd, EPOLL_CTL_MOD, src->fd, &ev) < 0 ? -errno : 0;
}

void loop_del_fd(struct loop *l, struct loop_fd *src)
{
	if (!src)
		return;
	wq_check(src->magic == FD_MAGIC);
	/* It fails only when the caller has closed it already, and then the kernel removed it. */
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, src->fd, NULL);
	LIST_REMOVE(src, link);
	src->magic = DEAD_MAGIC;
	if (l->running)
		LIST_INSERT_HEAD(&l->dead, src, link);
	else
		free(src);
}

static void bury_dead(struct loop *l)
{
	while (!LIST_EMPTY(&l->dead)) {
		struct loop_fd *src = LIST_FIRST(&l->dead);
		LIST_REMOVE(src, link);
		free(src);
	}
}

/* ---- timers ---------------------------------------------------------------------------------- */

struct loop_timer *loop_add_timer(struct loop *l, loop_timer_fn *fn, void *arg)
{
	struct loop_timer *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	if (heap_reserve(&l->timers) < 0) {
		free(t);
		errno = ENOMEM;
		return NULL;
	}
	*t = (struct loop_timer){ .at_ns = TIME_NEVER, .place = HEAP_OUT, .fn = fn, .arg = arg };
	LIST_INSERT_HEAD(&l->all_timers, t, all);
	return t;
}

static void disarm(struct loop *l, struct loop_timer *t)
{
	if (t->is_due)
		TAILQ_REMOVE(&l->due, t, due);
	t->is_due = false;
	heap_remove(&l->timers, t);
}

void loop_set_timer(struct loop *l, struct loop_timer *t, int64_t at_ns)
{
	disarm(l, t);
	t->at_ns = at_ns;
	if (at_ns != TIME_NEVER)
		heap_add(&l->timers, t);
}

void loop_del_timer(struct loop *l, struct loop_timer *t)
{
	if (!t)
		return;
	disarm(l, t);
	heap_release(&l->timers);
	LIST_REMOVE(t, all);
	free(t);
}

/*
 * Those that are due are taken out first and called afterwards, so that a callback that arms a
 * timer for now waits for the next round and cannot keep descriptors from being served.
 */
static void run_timers(struct loop *l)
{
	struct loop_timer *t = heap_first(&l->timers);
	if (!t)
		return;
	int64_t now = time_mono_ns();
	for (; t && t->at_ns <= now; t = heap_first(&l->timers)) {
		heap_remove(&l->timers, t);
		t->is_due = true;
		TAILQ_INSERT_TAIL(&l->due, t, due);
	}
	while ((t = TAILQ_FIRST(&l->due))) {
		disarm(l, t);
		t->fn(t->arg);
	}
}

/* ---- signals --------------------------------------------------------------------------------- */

static void on_signal(void *arg, uint32_t events)
{
	const struct catcher *c = arg;
	(void)events;
	for (int i = 0; i < SIGNALS_A_ROUND; i++) {
		struct signalfd_siginfo info;
		if (read(c->fd, &info, sizeof info) != (ssize_t)sizeof info)
			return;
		c->fn(c->arg, (int)info.ssi_signo);
	}
}

int loop_catch_signals(struct loop *l, const sigset_t *signals, loop_signal_fn *fn, void *arg)
{
	struct catcher *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	*c = (struct catcher){ .fn = fn, .arg = arg };
	int rc = 0;
	c->fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (c->fd < 0) {
		rc = -errno;
		free(c);
		return rc;
	}
	/* Blocked first: an unblocked signal would still act as it always did. */
	rc = -pthread_sigmask(SIG_BLOCK, signals, NULL);
	if (rc == 0 && !loop_add_fd(l, c->fd, EPOLLIN, on_signal, c))
		rc = -errno;
	if (rc < 0) {
		(void)close(c->fd);
		free(c);
		return rc;
	}
	LIST_INSERT_HEAD(&l->catchers, c, link);
	return 0;
}

/* ---- the loop -------------------------------------------------------------------------------- */

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	LIST_INIT(&l->fds);
	LIST_INIT(&l->dead);
	LIST_INIT(&l->all_timers);
	LIST_INIT(&l->catchers);
	TAILQ_INIT(&l->due);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		free(l);
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	wq_check(!l->running);
	while (!LIST_EMPTY(&l->fds))
		loop_del_fd(l, LIST_FIRST(&l->fds));
	while (!LIST_EMPTY(&l->all_timers))
		loop_del_timer(l, LIST_FIRST(&l->all_timers));
	while (!LIST_EMPTY(&l->catchers)) {
		struct catcher *c = LIST_FIRST(&l->catchers);
		LIST_REMOVE(c, link);
		(void)close(c->fd);
		free(c);
	}
	heap_fini(&l->timers);
	(void)close(l->epfd);
	free(l);
}

/* How long to wait: `limit_ns`, or until the first timer; -1: until something happens. */
static int64_t wait_ns(const struct loop *l, int64_t limit_ns)
{
	const struct loop_timer *t = heap_first(&l->timers);
	if (!t)
		return limit_ns;
	int64_t now = time_mono_ns();
	int64_t left = t->at_ns > now ? t->at_ns - now : 0;
	return limit_ns >= 0 && limit_ns < left ? limit_ns : left;
}

static int wait_for_events(struct loop *l, struct epoll_event *events, int64_t ns)
{
	if (!l->no_pwait2) {
		struct timespec ts = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
		int n = epoll_pwait2(l->epfd, events, EVENTS_A_ROUND, ns < 0 ? NULL : &ts, NULL);
		if (n >= 0 || errno != ENOSYS)
			return n;
		l->no_pwait2 = true; /* Linux before 5.11, or a seccomp filter */
	}
	/* Rounded up, so that a timer is due when we wake for it. */
	int64_t ms = ns < 0 ? -1 : ns / NS_PER_MS + (ns % NS_PER_MS != 0);
	return epoll_wait(l->epfd, events, EVENTS_A_ROUND, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

int loop_run_once(struct loop *l, int64_t timeout_ns)
{
	struct epoll_event events[EVENTS_A_ROUND];
	wq_check(!l->running);
	int n = wait_for_events(l, events, wait_ns(l, timeout_ns));
	if (n < 0 && errno != EINTR)
		return -errno;
	l->running = true;
	for (int i = 0; i < n; i++) {
		struct loop_fd *src = events[i].data.ptr;
		/* An earlier callback of this round may have removed it. */
		if (src->magic == FD_MAGIC)
			src->fn(src->arg, events[i].events);
	}
	run_timers(l);
	l->running = false;
	bury_dead(l);
	return 0;
}
