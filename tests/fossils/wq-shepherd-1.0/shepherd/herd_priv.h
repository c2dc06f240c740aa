/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shepherd/herd_priv: what the three parts of a herd share: herd.c knows and reaps the children,
 * spawn.c begins one, clear.c ends it and what it has left behind.
 */
#pragma once

#include <sys/queue.h>
#include <sys/resource.h>

#include "shepherd/herd.h"
#include "shepherd/output.h"

enum {
	HERD_MAX = 65536,             /* children known at once */
	HERD_OUTPUT_BUDGET = 1 << 20, /* bytes of one output a round, so that others get theirs */
	HERD_PID_LISTS = 1024,
	HERD_LOW_FDS = 8,      /* see herd_spare_fds */
	HERD_LEFT_MAX = 16384, /* outputs of what was left alone, a descriptor each */
};

enum child_state {
	CHILD_RUNNING, /* its main process has not been reaped */
	CHILD_CLEARING,
	CHILD_ENDED
};

/* How far its ending has gone. */
enum child_phase {
	CHILD_LEFT_ALONE,
	CHILD_TERMED, /* SIGTERM is sent; SIGKILL follows at kill_at_ns */
	CHILD_KILLED  /* SIGKILL is sent, again and again until nothing is left */
};

/* An output of a child, or of what it has left alone. */
struct stream {
	struct output output;
	struct loop_fd *src; /* NULL: at its end */
	struct herd *herd;
	bool is_left; /* its child has ended, and it is in herd.left */
	LIST_ENTRY(stream) left;
};

struct child {
	char name[FRAME_NAME_MAX + 1]; /* first: it is the key of herd.by_name */
	char tag[FRAME_NAME_MAX + 1];
	struct herd *herd;
	enum child_state state;
	enum child_phase phase;
	bool told;      /* to end, while it ran */
	bool is_begun;  /* clearing: what was left has been told to end */
	bool is_polled; /* nothing tells us when what is left of it ends */
	bool is_in_telling;
	/* Without a cgroup: for the next look at all processes. */
	bool is_due;              /* now */
	bool wants_term;          /* SIGTERM is to be sent */
	bool counts_rest;         /* end.rest is to be filled */
	uint32_t flags, grace_ms; /* of its spawn */
	uint32_t n_left;          /* of its strays, in the sweep that goes on */
	pid_t pid;                /* 0: reaped, or never begun */
	pid_t session;
	uint64_t start_ticks; /* 0: we are its parent */
	int64_t began_ns, kill_at_ns, pause_ns;
	int64_t look_at_ns; /* what the timer is set to */
	int cgroup_fd, watch_fd;
	struct loop_fd *watch;
	struct loop_timer *timer; /* NULL once it has ended */
	struct stream *out, *err; /* NULL: there is none */
	struct wq_child_end end;
	char *text; /* end.text */
	char error[WQ_ERR_NAME_SIZE];
	TAILQ_ENTRY(child) all;
	LIST_ENTRY(child) same_pid;  /* until it is reaped */
	TAILQ_ENTRY(child) clearing; /* while CHILD_CLEARING */
	TAILQ_ENTRY(child) telling;  /* while is_in_telling */
};

/* What WQ_SPAWN_LEAVE_REST has left, or what would not go: its cgroup is removed when it is empty. */
struct rest {
	struct herd *herd;
	int watch_fd;
	struct loop_fd *watch;
	LIST_ENTRY(rest) link;
	char name[FRAME_NAME_MAX + 1];
};

TAILQ_HEAD(child_list, child);
LIST_HEAD(pid_list, child);

struct herd {
	struct loop *loop;
	struct herd_events events;
	int run_fd, null_fd;
	int base_fd; /* of the cgroup; -1: none may be made */
	char base_name[64];
	char boot[40];
	bool same_boot;
	void *by_name;                          /* tsearch(3) */
	struct pid_list by_pid[HERD_PID_LISTS]; /* those not reaped */
	struct child_list all, clearing, telling;
	LIST_HEAD(, rest) rests;
	LIST_HEAD(, stream) left;
	size_t n, n_alive, n_left;
	struct loop_timer *tell_timer;
	/* What a child is to have instead of what this process gave itself. */
	bool has_nofile, has_oom;
	struct rlimit nofile, raised;
	int oom_score_adj;
	int low_fds[HERD_LOW_FDS];
	/* The sweep that goes on. */
	bool is_unclear; /* some stray is nobody's, as far as can be seen */
};

/* Begin it: `c` is in the table already.  0, or what has been opened is closed and `err` says why. */
int child_start(struct child *c, const struct frame_spawn *spawn, struct wq_err *err);

/* Read what is there of its output, at most what a pipe holds. */
void child_drain(struct child *c);

void child_close_outputs(struct child *c);

/* Who still writes to them when it has ended is left alone: what he writes is read on, and dropped,
 * until there is nobody who could.  The others are closed. */
void child_leave_outputs(struct child *c);

void herd_close_left(struct herd *h);

/* Its main process has been reaped: see to what is left. */
void child_clear(struct child *c);

/* End it all: see herd_end. */
void child_end(struct child *c, uint32_t how, uint32_t grace_ms);

/* One of an earlier shepherd. */
void child_take_up(struct child *c);

void child_on_timer(void *child);

/* Look which children that are clearing have nothing left, by the strays that we have got. */
void herd_sweep(struct herd *h);

/* It has ended: to be told. */
void herd_tell(struct child *c);

/* A number of low descriptors is kept taken, for the moment in which a child is made. */
void herd_spare_fds(struct herd *h, bool spare);

struct child *herd_find_pid(struct herd *h, pid_t pid);
void herd_keep_rest(struct herd *h, const char *name);
