/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/finished.h"

#include <errno.h>
#include <stdlib.h>

#include "spool/scan.h"
#include "spool/work.h"

/* Of many work directories so many are looked at in one pruning, so that it is never long. */
enum {
	LOOKS_MAX = 4096
};

int finished_collect(struct spool *sp, struct reqid id)
{
	char name[REQID_SIZE];
	int complete = sp->dir_fd[SPOOL_COMPLETE];
	reqid_format(id, name);
	if (sp->finished_fd >= 0 &&
		sp->io->renameat2(complete, name, sp->finished_fd, name, 0) == 0)
		return 0;
	/* A history that is not there, or has no room, must not keep a result from being collected. */
	return sp->io->unlinkat(complete, name, 0);
}

/* ---- what belongs to nobody ------------------------------------------------------------------- */

struct owned {
	struct reqid id;
	uint32_t attempt;
};

/* Names of tasks in work/ or .wq/handles: all of them, or as many by chance. */
struct sample {
	struct owned *items;
	size_t n;
	uint64_t seen;
	uint64_t random; /* state of the sequence */
};

/* xorshift64: which of many are looked at this time need not be hard to guess. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int note_owned(void *arg, struct reqid none, const char *name)
{
	struct sample *sample = arg;
	struct owned owned;
	(void)none;
	if (!name || !work_parse(name, &owned.id, &owned.attempt))
		return 0;
	uint64_t at = sample->seen++;
	if (at >= LOOKS_MAX)
		at = next_random(&sample->random) % sample->seen;
	if (at < LOOKS_MAX)
		sample->items[at] = owned;
	if (sample->n < LOOKS_MAX)
		sample->n++;
	return 0;
}

/*
 * 1: its request stands in none of 1 to 4 and its result not in the history; 0; or -errno.  Only
 * clients move anything meanwhile, from 4 into the history: so that comes last (and, as it is the
 * likely place, first).
 */
static int is_nobodys(const struct spool *sp, struct reqid id)
{
	const int places[] = { sp->finished_fd, sp->dir_fd[SPOOL_RUNNING],
		sp->dir_fd[SPOOL_COMPLETE], sp->dir_fd[SPOOL_PENDING], sp->dir_fd[SPOOL_REQUESTED],
		sp->finished_fd };
	char name[REQID_SIZE];
	struct stat st;
	reqid_format(id, name);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		int rc = sp->io->fstatat(places[i], name, &st, AT_SYMLINK_NOFOLLOW);
		if (rc != -ENOENT)
			return rc < 0 ? rc : 0;
	}
	return 1;
}

typedef int remove_fn(struct spool *sp, struct reqid id, uint32_t attempt);

/* Their count, or the first failure after as much as could be done. */
static int prune_owned(
	struct spool *sp, int dir_fd, remove_fn *remove, struct sample *sample, int max)
{
	int failure = 0, removed = 0;
	sample->n = 0;
	sample->seen = 0;
	int rc = scan_io(sp->io, dir_fd, note_owned, sample);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sample->n && removed < max; i++) {
		const struct owned *owned = &sample->items[i];
		rc = is_nobodys(sp, owned->id);
		if (rc == 1) {
			rc = remove(sp, owned->id, owned->attempt);
			removed += rc == 0;
		}
		if (rc < 0 && failure == 0)
			failure = rc;
	}
	return failure < 0 ? failure : removed;
}

int finished_prune(struct spool *sp, int64_t now_us, int max)
{
	struct sample sample = { .random = (uint64_t)now_us | 1 };
	sample.items = calloc(LOOKS_MAX, sizeof *sample.items);
	if (!sample.items)
		return -ENOMEM;
	/* One that fails does not keep the others from being pruned. */
	int work = prune_owned(sp, sp->work_fd, work_remove, &sample, max);
	int handles = prune_owned(sp, sp->handles_fd, work_drop_handle, &sample, max);
	free(sample.items);
	return work < 0 ? work : handles < 0 ? handles : work + handles;
}
