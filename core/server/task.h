/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server/task: what the server remembers of a request from its start, or its refusal, until its
 * result is published.  sched carries the task's `ref` for it.
 */
#pragma once

#include "codec/request.h"
#include "codec/result.h"
#include "plugin/instance.h"
#include "spool/reqid.h"

enum {
	TASK_NO_TM = -1,
	TASK_NAME_MAX = 37 + 1 + REQID_SIZE + 12
};

/* Of a task that is lost, and of which something may still run. */
enum task_lost {
	TASK_NOT_LOST,
	TASK_LOST_UNSEEN,   /* wq-shepherd is not there to say what */
	TASK_LOST_CLEARING, /* what runs of it is being ended */
	TASK_LOST_UNKNOWN   /* nobody can say */
};

struct task {
	struct reqid id;
	uint32_t ref;
	int tm;     /* TASK_NO_TM: refused before it was sorted */
	wq_tid tid; /* 0: never started */
	char key[REQUEST_KEY_MAX + 1];
	char label[REQUEST_LABEL_MAX + 1];
	uint32_t attempt; /* 0: never started */
	uid_t uid;
	int64_t accepted_ns, started_ns, ended_ns; /* time_mono_ns; 0: never */
	int64_t run_limit_ns;                      /* 0: none */
	int64_t keep_for_ns;                       /* as its request says; 0: it does not */
	enum on_crash on_crash;                    /* FAIL, ADOPT or REQUEUE */
	/* Of an earlier server: */
	bool found;    /* it was in 3 */
	bool adopting; /* its task manager has not said yet what became of it */
	int64_t ask_at_ns, ask_pause_ns;
	/* Lost: */
	enum task_lost lost;
	bool proved; /* but for its children nothing of it runs */
	bool again;  /* all of it is over, and its next attempt follows */
	/* Its start: moved to 3, and start_task waits for that to be on disk. */
	bool committing;
	bool turned_away;      /* meanwhile: one before it found no room, or it is to end */
	uint8_t sync_failures; /* of its result */
	bool beside;           /* COMPLETE_BESIDE */
	bool over_limit;       /* it was told to end because of its run limit */
	bool has_work;         /* it has a work directory */
	bool has_handle;       /* its plugin has saved something for recovery */
	/* The outcome, once it is known. */
	enum result_status status;
	int32_t code, signal;
	char error[WQ_ERR_NAME_SIZE];
	char text[WQ_ERR_TEXT_SIZE];
	struct buf payload;
	struct buf result; /* the file's bytes, made once: publishing may take several tries */
	bool is_kept;      /* and that has failed once */
	bool set_aside;    /* the request goes to quarantine instead of being unlinked */
};

struct tasks {
	struct task **slots;
	uint32_t n, cap, first_free;
	uint32_t n_kept; /* whose result could not be published yet */
};

/* A zeroed task with a fresh ref (never 0).  NULL when memory is short. */
struct task *tasks_add(struct tasks *t, struct reqid id, int tm);
struct task *tasks_get(const struct tasks *t, uint32_t ref); /* must exist */
void tasks_keep(struct tasks *t, struct task *task);         /* is_kept, once */
void tasks_drop(struct tasks *t, uint32_t ref);              /* 0 is fine */
void tasks_fini(struct tasks *t);

/* Copy what the envelope says. */
void task_describe(struct task *task, const struct request *req);

void task_set_outcome(
	struct task *task, enum result_status status, const char *error, const char *text);

/* Its task name: "<uuid>.<id>.<attempt>".  Returns `ret`. */
char *task_name(const struct task *task, const char *uuid, char ret[TASK_NAME_MAX]);

/* The next task after `ref` (start with 0), in no order; NULL at the end. */
struct task *tasks_next(const struct tasks *t, uint32_t ref);
