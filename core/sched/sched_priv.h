/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched/sched_priv: the inside of a scheduler, shared by sched.c (order and decisions) and running.c
 * (tasks from their start to their end).
 */
#pragma once

#include "base/err.h"
#include "sched/deadline.h"
#include "sched/fifo.h"
#include "sched/later.h"
#include "sched/sched.h"
#include "sched/table.h"

/* Where an entry is in its life.  Those from PROBING on wait in the queue of errands. */
enum entry_state {
	SEEN = 1, /* in `seen` */
	UNSORTED, /* in `unsorted` */
	WAITING,  /* in its task manager's queue */
	RUNNING,
	PROBING,     /* a marker for an id that is not known */
	UNMARKING,   /* ... and is nowhere */
	REMOVING,    /* aborted; its file is in the place that flags say */
	TERMINATING, /* runs, and was told to end */
	RETURNING,   /* never began: back to pending */
	EXPIRING,    /* was not started in time */
	ENDED        /* its result waits to be published */
};

enum entry_flag {
	MARKED = 1 << 0,    /* an abort marker stands in 5 */
	ON_ERRAND = 1 << 1, /* its handle is in `errands` */
	WITHHELD = 1 << 2,  /* TERMINATING, not told yet: its task manager is on hold */
	PARKED = 1 << 3, /* on an errand that waits for sched_resume; its state stays until then */
	PLACE_SHIFT = 4, /* REMOVING: enum sched_place in three bits */
	PLACE_MASK = 7 << PLACE_SHIFT,
	RESUMED =
		1
		<< 7 /* what its errand was parked for has come about; no longer in another state */
};

struct tm_queue {
	struct sched_limits limits;
	struct fifo queue;
	uint32_t running;
	int32_t room;       /* granted by the last ASK and not used up */
	bool looked;        /* there was a LOOK since room was used up */
	bool dry;           /* has no room, as far as it said */
	bool touched;       /* reap may have something */
	bool touch_later;   /* ... when the starts of this round are done */
	bool recovering;    /* sched_hold */
	bool detached;      /* its tasks outlive the server */
	uint32_t withheld;  /* so many of its tasks are told to end when it is released */
	int64_t ask_at_ns;  /* dry and must be asked: when */
	int64_t reap_at_ns; /* must be asked: when to reap next */
	int64_t held_until_ns;
};

struct sched {
	struct table table;
	struct fifo seen, unsorted;
	struct fifo errands; /* only its ring is used: first come, first served */
	struct tm_queue *tms;
	uint32_t n_tms;
	uint32_t turn;    /* which task manager is looked at first */
	uint32_t accepts; /* in a row */
	bool looked;      /* nothing was asked or started since the last LOOK */
	bool stopping;
	bool suspended;
	uint32_t n_parked;
	bool no_space;
	bool terminate_now;
	uint32_t queue_limit;
	int64_t sample_ns;
	struct later unmovable;      /* seen and unsorted ones that cannot be moved or read now */
	struct later undone;         /* errands that could not be done */
	struct deadlines run_limits; /* of those RUNNING that have one */
	struct deadlines start_by;   /* of those WAITING that have one */
};

/* What writes results, or leads to it, waits until this is true. */
static inline bool may_write(const struct sched *s)
{
	return !s->suspended && !s->no_space;
}

static inline struct entry *find(const struct sched *s, struct reqid id)
{
	uint32_t h = table_find(&s->table, id);
	return h == TABLE_NONE ? NULL : table_at(&s->table, h);
}

/* The entry that an answer is about; to answer for another state is a mistake of the caller. */
static inline struct entry *expect(const struct sched *s, struct reqid id, enum entry_state state)
{
	struct entry *e = find(s, id);
	wq_check(e && e->state == state);
	return e;
}

static inline uint32_t handle_of(const struct sched *s, const struct entry *e)
{
	return (uint32_t)(e - s->table.slab);
}

static inline void send_on_errand(struct sched *s, struct entry *e, enum entry_state state)
{
	e->state = (uint8_t)state;
	e->flags &= (uint8_t)~RESUMED;
	if (e->flags & ON_ERRAND)
		return;
	e->flags |= ON_ERRAND;
	wq_check(fifo_append(&s->errands, handle_of(s, e)));
}

static inline void remove_from(struct sched *s, struct entry *e, enum sched_place place)
{
	e->flags = (uint8_t)((e->flags & ~PLACE_MASK) | (unsigned)place << PLACE_SHIFT);
	send_on_errand(s, e, REMOVING);
}

static inline struct entry *add(struct sched *s, struct reqid id, int64_t now_ns)
{
	uint32_t h = table_add(&s->table, id);
	if (h == TABLE_NONE)
		return NULL;
	struct entry *e = table_at(&s->table, h);
	e->tm = UINT16_MAX;
	e->since_ns = now_ns;
	return e;
}

static inline int64_t max_ns(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline int64_t min_ns(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A shorter hold does not end a longer one. */
static inline void hold(struct tm_queue *t, int64_t until_ns)
{
	t->held_until_ns = max_ns(t->held_until_ns, until_ns);
}

/* As if it had answered 0 when asked. */
static inline void sched_no_room(struct tm_queue *t)
{
	t->room = 0;
	t->dry = true;
	t->ask_at_ns = 0; /* set when it is looked at next: the time is not known here */
}

/* ---- running.c: what order and decisions have to do with tasks that run ---- */

void sched_take_slot(struct sched *s, struct entry *e, uint32_t ref, int64_t now_ns);
void sched_tell_to_end(struct sched *s, struct entry *e);

/* Send those on the errand to be ended whose run limit has passed. */
void sched_end_overdue(struct sched *s, int64_t now_ns);

/* One whose turn it is to be told: must it wait for the release of its task manager? */
bool sched_withhold(struct sched *s, struct entry *e);
enum sched_end sched_why_ended(const struct sched *s, const struct entry *e);
