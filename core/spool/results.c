/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "spool/quarantine.h"
#include "spool/work.h"

enum {
	LOOKS_A_STEP = 8,
	FIRST_LISTED = 256,
	BLOCK = 512 /* the unit of st_blocks */
};

static void end_listing(struct results *r, const struct spool *sp)
{
	if (r->state == RESULTS_LISTING)
		scan_end(&r->scan, sp->io);
	r->n_listed = 0;
	r->state = RESULTS_STALE;
}

void results_fini(struct results *r, const struct spool *sp)
{
	end_listing(r, sp);
	free(r->items);
	free(r->listed);
	*r = (struct results){ 0 };
}

void results_again(struct results *r)
{
	if (r->state == RESULTS_READY || r->state == RESULTS_LOOKING)
		r->state = RESULTS_STALE;
}

/* ---- list ------------------------------------------------------------------------------------- */

static int note(void *arg, struct reqid id, const char *name)
{
	struct results *r = arg;
	if (name)
		return 0;
	if (r->n_listed == r->cap_listed) {
		size_t cap = r->cap_listed ? 2 * r->cap_listed : FIRST_LISTED;
		struct reqid *grown = realloc(r->listed, cap * sizeof *grown);
		if (!grown)
			return -ENOMEM;
		r->listed = grown;
		r->cap_listed = cap;
	}
	r->listed[r->n_listed++] = id;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	return reqid_cmp(*(const struct reqid *)a, *(const struct reqid *)b);
}

/* What is listed now, with what is known of it from before. */
static int take_listing(struct results *r)
{
	struct results_item *items = calloc(r->n_listed + 1, sizeof *items);
	size_t n = 0, old = 0;
	if (!items)
		return -ENOMEM;
	if (r->n_listed > 1)
		qsort(r->listed, r->n_listed, sizeof *r->listed, by_id);
	for (size_t i = 0; i < r->n_listed; i++) {
		struct reqid id = r->listed[i];
		/* While others are renamed a name may be listed twice. */
		if (n > 0 && reqid_is(items[n - 1].id, id))
			continue;
		while (old < r->n && reqid_cmp(r->items[old].id, id) < 0)
			old++;
		bool is_known = old < r->n && reqid_is(r->items[old].id, id);
		items[n] = is_known ? r->items[old] : (struct results_item){ .id = id };
		items[n].known = items[n].known && !items[n].gone;
		items[n++].gone = false;
	}
	free(r->items);
	r->items = items;
	r->n = n;
	r->at = 0;
	return 0;
}

static int list_some(struct results *r, const struct spool *sp, int dir_fd)
{
	if (r->state == RESULTS_STALE) {
		int rc = scan_begin(&r->scan, sp->io, dir_fd);
		if (rc < 0)
			return rc;
		r->state = RESULTS_LISTING;
	}
	int rc = scan_some(&r->scan, sp->io, note, r);
	if (rc == 0)
		rc = take_listing(r);
	if (rc == 1)
		return 1;
	end_listing(r, sp);
	if (rc == 0)
		r->state = RESULTS_LOOKING;
	return rc < 0 ? rc : 1;
}

/* ---- look ------------------------------------------------------------------------------------- */

static void read_about(const struct spool *sp, int dir_fd, const char *name,
	results_about_fn *about, struct results_about *ret)
{
	char head[RESULTS_HEAD];
	struct results_about found = { 0 };
	int fd = sp->io->openat(dir_fd, name, SPOOL_IO_READ, 0);
	if (fd < 0)
		return;
	ssize_t n = spool_io_pread_all(sp->io, fd, head, sizeof head, 0);
	(void)sp->io->close(fd);
	if (n > 0 && about(head, (size_t)n, &found))
		*ret = found;
}

/*
 * When it was written, by a clock that may have been behind then, a board's without a battery, say, that
 * begins in 1970.  Ids were never behind, and none is taken that was ahead of all that were accepted.
 */
static int64_t written_at(const struct spool *sp, struct reqid id, const struct stat *st)
{
	int64_t us = st->st_mtim.tv_sec * INT64_C(1000000) + st->st_mtim.tv_nsec / 1000;
	return id.us <= sp->hwm_us && (int64_t)id.us > us ? (int64_t)id.us : us;
}

/* What cannot be looked at counts by its id alone. */
static void look(struct results_item *item, struct spool *sp, int dir_fd, bool with_work,
	results_about_fn *about)
{
	char name[REQID_SIZE];
	struct stat st;
	int rc = sp->io->fstatat(dir_fd, reqid_format(item->id, name), &st, AT_SYMLINK_NOFOLLOW);
	item->known = true;
	item->gone = rc == -ENOENT;
	item->since_us = (int64_t)item->id.us;
	if (rc < 0)
		return;
	item->since_us = written_at(sp, item->id, &st);
	item->bytes = (uint64_t)st.st_blocks * BLOCK;
	if (S_ISREG(st.st_mode))
		read_about(sp, dir_fd, name, about, &item->about);
	if (with_work && item->about.attempt)
		item->bytes += work_measure(sp, item->id, item->about.attempt);
}

int results_step(
	struct results *r, struct spool *sp, int dir_fd, bool with_work, results_about_fn *about)
{
	if (r->state == RESULTS_STALE || r->state == RESULTS_LISTING)
		return list_some(r, sp, dir_fd);
	for (int looks = 0; r->at < r->n && looks < LOOKS_A_STEP; r->at++) {
		if (r->items[r->at].known)
			continue;
		look(&r->items[r->at], sp, dir_fd, with_work, about);
		looks++;
	}
	if (r->at < r->n)
		return 1;
	r->state = RESULTS_READY;
	return 0;
}

/* ---- which are too many ------------------------------------------------------------------------
 */

/* The oldest of those that may stay otherwise: a heap, the youngest of them on top. */
struct oldest {
	const struct results_item **items;
	size_t n, cap;
	bool by_id;
};

static int64_t time_of(const struct results_item *item, bool by_its_id)
{
	return by_its_id ? (int64_t)item->id.us : item->since_us;
}

static bool is_older(const struct results_item *a, const struct results_item *b, bool by_its_id)
{
	int64_t x = time_of(a, by_its_id), y = time_of(b, by_its_id);
	return x != y ? x < y : reqid_cmp(a->id, b->id) < 0;
}

static void sift_down(struct oldest *o, size_t i)
{
	for (size_t child; (child = 2 * i + 1) < o->n; i = child) {
		if (child + 1 < o->n && is_older(o->items[child], o->items[child + 1], o->by_id))
			child++;
		if (!is_older(o->items[i], o->items[child], o->by_id))
			return;
		const struct results_item *swap = o->items[i];
		o->items[i] = o->items[child];
		o->items[child] = swap;
	}
}

static void note_oldest(struct oldest *o, const struct results_item *item)
{
	if (o->n == o->cap) {
		if (o->cap == 0 || !is_older(item, o->items[0], o->by_id))
			return;
		o->items[0] = item;
		sift_down(o, 0);
		return;
	}
	size_t i = o->n++;
	for (; i > 0 && is_older(o->items[(i - 1) / 2], item, o->by_id); i = (i - 1) / 2)
		o->items[i] = o->items[(i - 1) / 2];
	o->items[i] = item;
}

/* The youngest of the heap goes to its end, again and again: so the oldest comes first. */
static void sort_oldest(struct oldest *o)
{
	size_t n = o->n;
	while (o->n > 1) {
		const struct results_item *last = o->items[--o->n];
		o->items[o->n] = o->items[0];
		o->items[0] = last;
		sift_down(o, 0);
	}
	o->n = n;
}

static int64_t after(int64_t us, int64_t more_us)
{
	int64_t sum;
	return __builtin_add_overflow(us, more_us, &sum) ? INT64_MAX : sum;
}

/* Until when it may stay. */
static int64_t end_of(const struct results_item *item, const struct results_limits *limits)
{
	int64_t end = INT64_MAX;
	if (limits->keep_us > 0)
		end = after(time_of(item, limits->by_id), limits->keep_us);
	if (item->about.keep_us > 0 && after(item->since_us, item->about.keep_us) < end)
		end = after(item->since_us, item->about.keep_us);
	return end;
}

size_t results_excess(const struct results *r, const struct results_limits *limits, int64_t now_us,
	struct reqid *ret, size_t max)
{
	size_t n = 0, left = 0;
	uint64_t bytes = 0;
	struct oldest oldest = {
		.items = calloc(max + 1, sizeof *oldest.items), .cap = max, .by_id = limits->by_id
	};
	if (!oldest.items)
		return 0;
	for (size_t i = 0; i < r->n; i++) {
		const struct results_item *item = &r->items[i];
		if (item->gone)
			continue;
		if (end_of(item, limits) < now_us) {
			if (n < max)
				ret[n++] = item->id;
			continue;
		}
		note_oldest(&oldest, item);
		left++;
		bytes += item->bytes;
	}
	sort_oldest(&oldest);
	for (size_t i = 0; i < oldest.n && n < max; i++) {
		if (left <= limits->keep && (limits->bytes == 0 || bytes <= limits->bytes))
			break;
		ret[n++] = oldest.items[i]->id;
		bytes -= oldest.items[i]->bytes;
		left--;
	}
	free(oldest.items);
	return n;
}

int results_remove(struct results *r, struct spool *sp, int dir_fd, struct reqid id)
{
	char name[REQID_SIZE];
	/* The id is the first member. */
	struct results_item *item = bsearch(&id, r->items, r->n, sizeof *r->items, by_id);
	if (!item)
		return 0;
	item->gone = true;
	int rc = sp->io->unlinkat(dir_fd, reqid_format(id, name), 0);
	if (rc == -EISDIR) /* no result, whatever its name */
		rc = quarantine_put(sp, dir_fd, name, NULL, 0);
	if (rc == 0 && item->about.attempt)
		rc = work_remove(sp, id, item->about.attempt);
	return rc == -ENOENT ? 0 : rc < 0 ? rc : 1;
}

size_t results_count(const struct results *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n; i++)
		n += !r->items[i].gone;
	return n;
}

int64_t results_due_us(const struct results *r, const struct results_limits *limits)
{
	int64_t due = INT64_MAX;
	for (size_t i = 0; i < r->n; i++) {
		int64_t end = r->items[i].gone ? INT64_MAX : end_of(&r->items[i], limits);
		due = end < due ? end : due;
	}
	return due;
}
