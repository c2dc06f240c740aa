/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/commit.h"

#include "base/log.h"
#include "base/time.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RETRY_NS NS_PER_S

enum {
	FILES_MAX = 256, /* results in a batch: each is an open file */
	SYNC_FAILURES_MAX = 3
};

static const struct {
	const char *word;
	enum spool_durability level;
} levels[] = {
	{ "none", SPOOL_DURABILITY_NONE },
	{ "batch", SPOOL_DURABILITY_BATCH },
	{ "strict", SPOOL_DURABILITY_STRICT },
};

/* The disk is full, or memory is short: that passes, and nothing that was synced before is in doubt. */
static bool may_pass(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT || rc == -ENOMEM;
}

/* ---- failure ----------------------------------------------------------------------------------- */

static void storage_failed(struct server *s, int rc, const char *what)
{
	struct commits *c = &s->commits;
	if (c->error[0])
		return;
	snprintf(c->error, sizeof c->error, "storage-error: cannot bring %s to disk: %s", what,
		strerror(-rc));
	log_err("%s; starting nothing more, and keeping results in memory.  The next start takes "
		"what the disk has",
		c->error);
	s->exit_status = EXIT_FAILURE;
	s->page_changed = true;
	sched_suspend(s->sched, true);
}

bool commit_refuses(struct server *s, struct reqid id)
{
	if (!s->commits.error[0])
		return false;
	sched_park(s->sched, id);
	return true;
}

/* ---- answers ----------------------------------------------------------------------------------- */

/* Its result gets a file of its own the next time, in a second: this one is not to be believed. */
static void file_failed(struct server *s, const struct commit_item *item, int rc)
{
	struct task *task = tasks_get(&s->tasks, item->ref);
	task->sync_failures++;
	(void)space_failed(s, rc);
	log_err("%s: its result cannot be brought to disk, writing it again: %s", ID_TEXT(item->id),
		strerror(-rc));
	if (!may_pass(rc) && task->sync_failures >= SYNC_FAILURES_MAX)
		storage_failed(s, rc, "a result");
}

static void answer(struct server *s, const struct commit_batch *b, const struct commit_item *item)
{
	int rc = s->commits.error[0] ? -EIO : b->sync.rc;
	if (item->begins) {
		start_begin(s, tasks_get(&s->tasks, item->ref), rc);
		return;
	}
	int file_rc = item->file >= 0 ? b->sync.files[item->file].rc : 0;
	if (file_rc < 0)
		file_failed(s, item, file_rc);
	if (rc < 0 || file_rc < 0)
		sched_redo(s->sched, item->id, time_after(time_mono_ns(), RETRY_NS));
	else if (item->again)
		sched_redo(s->sched, item->id, 0);
	else
		sched_resume(s->sched, item->id);
}

static void clear(struct server *s, struct commit_batch *b)
{
	for (size_t i = 0; i < b->sync.n_files; i++)
		(void)s->spool.io->close(b->sync.files[i].fd);
	b->sync.n_files = 0;
	b->sync.dirs = 0;
	b->n = 0;
}

static void on_synced(void *arg, uint32_t events)
{
	struct server *s = arg;
	(void)events;
	struct sync_batch *done = syncer_take(s->commits.syncer);
	if (!done)
		return;
	struct commit_batch *b = &s->commits.batches[!s->commits.filling];
	s->commits.is_flying = false;
	if (b->sync.rc < 0 && !may_pass(b->sync.rc))
		storage_failed(s, b->sync.rc, "the directories");
	(void)space_failed(s, b->sync.rc);
	if (s->watch)
		look_read(s); /* what is aborted by now does not begin */
	for (size_t i = 0; i < b->n; i++)
		answer(s, b, &b->items[i]);
	clear(s, b);
}

/* ---- items ------------------------------------------------------------------------------------- */

static struct commit_batch *filling(struct server *s)
{
	return &s->commits.batches[s->commits.filling];
}

/* Without memory, with files moved: restart and recover. */
static struct commit_item *add(struct commit_batch *b)
{
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 64;
		b->items = realloc(b->items, b->cap * sizeof *b->items);
		wq_check(b->items);
	}
	return &b->items[b->n++];
}

void commit_start(struct server *s, const struct task *task)
{
	if (!s->commits.syncer) {
		start_begin(s, tasks_get(&s->tasks, task->ref), 0);
		return;
	}
	struct commit_batch *b = filling(s);
	*add(b) = (struct commit_item){
		.id = task->id, .ref = task->ref, .begins = true, .file = -1
	};
	b->sync.dirs |= sync_dirs(&s->spool, 1u << SPOOL_RUNNING, SYNC_STARTED);
}

void commit_errand(struct server *s, struct reqid id, uint32_t ref, unsigned dirs, int fd)
{
	sched_park(s->sched, id);
	if (!s->commits.syncer) {
		sched_resume(s->sched, id);
		return;
	}
	struct commit_batch *b = filling(s);
	struct commit_item item = { .id = id, .ref = ref, .file = -1 };
	if (fd >= 0 && b->sync.n_files == FILES_MAX) {
		(void)s->spool.io->close(fd);
		item.again = true;
	} else if (fd >= 0) {
		item.file = (int)b->sync.n_files;
		b->sync.files[b->sync.n_files++] = (struct sync_file){ .fd = fd };
	}
	*add(b) = item;
	b->sync.dirs |= dirs;
}

void commit_flush(struct server *s)
{
	struct commits *c = &s->commits;
	if (!c->syncer || c->is_flying || filling(s)->n == 0)
		return;
	struct commit_batch *b = filling(s);
	c->is_flying = true;
	c->filling = !c->filling;
	syncer_give(c->syncer, &b->sync);
}

bool commit_is_idle(const struct server *s)
{
	const struct commits *c = &s->commits;
	return !c->is_flying && c->batches[c->filling].n == 0;
}

/* ---- open and close ---------------------------------------------------------------------------- */

int commit_open(struct server *s, struct wq_err *err)
{
	struct commits *c = &s->commits;
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (strcmp(levels[i].word, s->config.durability) == 0)
			s->spool.durability = levels[i].level;
	if (s->spool.durability == SPOOL_DURABILITY_NONE)
		return 0;
	if (s->spool.weakness)
		log_warn("durability = %s promises no more than none here: the spool is on %s",
			s->config.durability, s->spool.weakness);
	for (int i = 0; i < 2; i++) {
		c->batches[i].sync.files = calloc(FILES_MAX, sizeof *c->batches[i].sync.files);
		if (!c->batches[i].sync.files)
			return err_set(err, -ENOMEM, "cannot make the sync thread");
	}
	int rc = syncer_open(&c->syncer, &s->spool);
	if (rc < 0)
		return err_set(err, rc, "cannot start the sync thread");
	c->source = loop_add_fd(s->loop, syncer_fd(c->syncer), EPOLLIN, on_synced, s);
	return c->source ? 0 : err_set(err, -errno, "cannot hear of the sync thread");
}

void commit_close(struct server *s)
{
	struct commits *c = &s->commits;
	if (c->source)
		loop_del_fd(s->loop, c->source);
	syncer_close(c->syncer);
	for (int i = 0; i < 2; i++) {
		clear(s, &c->batches[i]);
		free(c->batches[i].items);
		free(c->batches[i].sync.files);
	}
	*c = (struct commits){ 0 };
}
