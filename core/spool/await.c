/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/await.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fdio.h"

enum {
	NONE = AWAIT_MAX_SLOTS, /* no slot */
	FIRST_SLOTS = 16,
	EVENTS_SIZE = 4096,
	LOOKS = 3
};

struct slot {
	int wd;                          /* -1: none */
	unsigned next;                   /* in its bucket */
	unsigned ready_prev, ready_next; /* in the list of those to tell */
	bool ready;
};

struct await {
	int fd;
	bool overflow;
	unsigned n_slots; /* a power of two, and the number of buckets */
	struct slot *slots;
	unsigned *buckets; /* of slots by wd; wds come in sequence, so they spread */
	unsigned ready_first, ready_last;
};

struct await *await_new(void)
{
	struct await *aw = calloc(1, sizeof *aw);
	if (!aw)
		return NULL;
	aw->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	aw->ready_first = aw->ready_last = NONE;
	return aw;
}

void await_free(struct await *aw)
{
	if (!aw)
		return;
	fdio_close(&aw->fd);
	free(aw->slots);
	free(aw->buckets);
	free(aw);
}

int await_fd(const struct await *aw)
{
	return aw->fd;
}

/* ---- slots by watch --------------------------------------------------------------------------- */

static unsigned *bucket_of(const struct await *aw, int wd)
{
	return &aw->buckets[(unsigned)wd & (aw->n_slots - 1)];
}

static void hash(struct await *aw, unsigned slot)
{
	unsigned *bucket = bucket_of(aw, aw->slots[slot].wd);
	aw->slots[slot].next = *bucket;
	*bucket = slot;
}

static void unhash(struct await *aw, unsigned slot)
{
	unsigned *link = bucket_of(aw, aw->slots[slot].wd);
	while (*link != slot)
		link = &aw->slots[*link].next;
	*link = aw->slots[slot].next;
}

static bool is_watched(const struct await *aw, int wd)
{
	unsigned slot = *bucket_of(aw, wd);
	while (slot != NONE && aw->slots[slot].wd != wd)
		slot = aw->slots[slot].next;
	return slot != NONE;
}

static int make_room(struct await *aw, unsigned slot)
{
	unsigned n = aw->n_slots ? aw->n_slots : FIRST_SLOTS;
	while (n <= slot)
		n *= 2;
	if (n == aw->n_slots)
		return 0;
	struct slot *slots = realloc(aw->slots, n * sizeof *slots);
	if (!slots)
		return -ENOMEM;
	aw->slots = slots;
	unsigned *buckets = malloc(n * sizeof *buckets);
	if (!buckets)
		return -ENOMEM;
	free(aw->buckets);
	aw->buckets = buckets;
	for (unsigned i = aw->n_slots; i < n; i++)
		slots[i] = (struct slot){ .wd = -1 };
	aw->n_slots = n;
	for (unsigned i = 0; i < n; i++)
		buckets[i] = NONE;
	for (unsigned i = 0; i < n; i++)
		if (slots[i].wd >= 0)
			hash(aw, i);
	return 0;
}

/* ---- slots to tell ---------------------------------------------------------------------------- */

static void make_ready(struct await *aw, unsigned slot)
{
	struct slot *s = &aw->slots[slot];
	if (s->ready)
		return;
	s->ready = true;
	s->ready_prev = aw->ready_last;
	s->ready_next = NONE;
	if (aw->ready_last == NONE)
		aw->ready_first = slot;
	else
		aw->slots[aw->ready_last].ready_next = slot;
	aw->ready_last = slot;
}

static void unmake_ready(struct await *aw, unsigned slot)
{
	struct slot *s = &aw->slots[slot];
	if (!s->ready)
		return;
	s->ready = false;
	if (s->ready_prev == NONE)
		aw->ready_first = s->ready_next;
	else
		aw->slots[s->ready_prev].ready_next = s->ready_next;
	if (s->ready_next == NONE)
		aw->ready_last = s->ready_prev;
	else
		aw->slots[s->ready_next].ready_prev = s->ready_prev;
}

/* ---- adding and dropping ---------------------------------------------------------------------- */

void await_drop(struct await *aw, unsigned slot)
{
	if (slot >= aw->n_slots)
		return;
	struct slot *s = &aw->slots[slot];
	unmake_ready(aw, slot);
	if (s->wd < 0)
		return;
	unhash(aw, slot);
	/* One inode has one watch, however many slots. */
	if (!is_watched(aw, s->wd))
		(void)inotify_rm_watch(aw->fd, s->wd);
	s->wd = -1;
}

static int add(struct await *aw, int fd, unsigned slot, uint32_t mask)
{
	if (slot >= AWAIT_MAX_SLOTS)
		return -EINVAL;
	await_drop(aw, slot);
	int rc = make_room(aw, slot);
	if (rc < 0)
		return rc;
	if (aw->fd < 0)
		return -EMFILE;
	char proc[40];
	int wd = inotify_add_watch(aw->fd, fdio_proc_path(fd, proc), mask);
	if (wd < 0)
		return errno == ENOENT ? -ENOSYS : -errno; /* there is no /proc */
	aw->slots[slot].wd = wd;
	hash(aw, slot);
	return 0;
}

int await_open(const struct spool *sp, struct reqid id, uint32_t *ret_mask)
{
	char name[REQID_SIZE];
	reqid_format(id, name);
	/* Looking forward meets a request that moves forward; again, as one may be put back. */
	for (int look = 0; look < LOOKS; look++) {
		for (enum spool_state s = SPOOL_REQUESTED; s <= SPOOL_RUNNING; s++) {
			int fd = sp->io->openat(
				sp->dir_fd[s], name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
			if (fd == -ENOENT)
				continue;
			*ret_mask = IN_ATTRIB | IN_DELETE_SELF;
			/* What stands in 3 may be the result already, and that only moves on. */
			if (s == SPOOL_RUNNING)
				*ret_mask |= IN_MOVE_SELF;
			return fd;
		}
	}
	return -ENOENT;
}

int await_add(struct await *aw, const struct spool *sp, struct reqid id, unsigned slot)
{
	uint32_t mask = 0;
	int fd = await_open(sp, id, &mask);
	if (fd < 0)
		return fd;
	int rc = add(aw, fd, slot, mask);
	(void)sp->io->close(fd);
	return rc;
}

/* ---- events ----------------------------------------------------------------------------------- */

static void take(struct await *aw, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		aw->overflow = true;
	if (event->wd < 0 || aw->n_slots == 0)
		return;
	unsigned *link = bucket_of(aw, event->wd);
	while (*link != NONE) {
		unsigned slot = *link;
		struct slot *s = &aw->slots[slot];
		if (s->wd != event->wd) {
			link = &s->next;
			continue;
		}
		make_ready(aw, slot);
		if (event->mask & IN_IGNORED) {
			/* The inode is gone.  Or, one day, the kernel has used a number again before
			 * its old end was read (inotify(7), BUGS): then the caller finds it standing. */
			*link = s->next;
			s->wd = -1;
		} else {
			link = &s->next;
		}
	}
}

static int read_events(struct await *aw)
{
	alignas(struct inotify_event) char bytes[EVENTS_SIZE];
	ssize_t n;
	do
		n = read(aw->fd, bytes, sizeof bytes);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EAGAIN;
	for (char *p = bytes; p < bytes + n;) {
		const struct inotify_event *event = (const void *)p;
		take(aw, event);
		p += sizeof *event + event->len;
	}
	return 0;
}

int await_next(struct await *aw, unsigned *ret_slot)
{
	int rc = 0;
	while (rc == 0) {
		if (aw->overflow) {
			aw->overflow = false;
			return -EOVERFLOW;
		}
		if (aw->ready_first != NONE) {
			*ret_slot = aw->ready_first;
			unmake_ready(aw, aw->ready_first);
			return 0;
		}
		rc = aw->fd < 0 ? -EAGAIN : read_events(aw);
	}
	return rc;
}
