/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop: sleep until something happens.  Descriptors (epoll, level-triggered), deadlines and signals.
 * It knows nothing of what a descriptor means, and is one thread's: others wake it through a
 * descriptor.  Callbacks may add and remove any source, themselves included; none may run the loop
 * again or free it.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_fd;
struct loop_timer;

struct loop *loop_new(void); /* NULL: errno says why */
void loop_free(struct loop *l);

/* One round: wait for at most `timeout_ns` (or the next timer; -1: no limit), then call what is
 * due.  0 or -errno; EINTR is 0. */
int loop_run_once(struct loop *l, int64_t timeout_ns);

/* Call `fn` while `fd` is ready for `events` (EPOLLIN...).  NULL: errno.  Remove before close. */
typedef void loop_fd_fn(void *arg, uint32_t events);
struct loop_fd *loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg);
int loop_mod_fd(struct loop *l, struct loop_fd *src, uint32_t events);
void loop_del_fd(struct loop *l, struct loop_fd *src);

/* One-shot timers in time_mono_ns.  Set moves it; TIME_NEVER disarms. */
typedef void loop_timer_fn(void *arg);
struct loop_timer *loop_add_timer(struct loop *l, loop_timer_fn *fn, void *arg);
void loop_set_timer(struct loop *l, struct loop_timer *t, int64_t at_ns);
void loop_del_timer(struct loop *l, struct loop_timer *t);

/* Deliver these signals as calls; they are blocked for the process (call before threads start). */
typedef void loop_signal_fn(void *arg, int signo);
int loop_catch_signals(struct loop *l, const sigset_t *signals, loop_signal_fn *fn, void *arg);
