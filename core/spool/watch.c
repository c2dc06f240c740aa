/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/watch.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fdio.h"
#include "spool/layout.h"

enum {
	EVENTS_SIZE = 65536,
	/* Times of files tick more coarsely than the clock: a change so soon after another may not
	 * show. */
	TICK_US = 10000
};

/* A directory as it was when we looked. */
struct sight {
	struct timespec mtime;
	bool fresh; /* it had changed so shortly before that another change may hide */
};

struct watch {
	const struct spool *sp;
	int fd;
	int root_wd;
	int wd[SPOOL_STATE_MAX];
	const char *moved; /* what was told as WATCH_MOVED */
	struct sight seen[SPOOL_STATE_MAX];
	alignas(struct inotify_event) char events[EVENTS_SIZE];
};

static const enum spool_state watched[] = { SPOOL_REQUESTED, SPOOL_ABORTING };

static int add(struct watch *w, int dir_fd, uint32_t mask)
{
	char proc[40];
	int wd = inotify_add_watch(w->fd, fdio_proc_path(dir_fd, proc), mask | IN_ONLYDIR);
	return wd < 0 ? -errno : wd;
}

static int add_all(struct watch *w)
{
	enum {
		SELF = IN_MOVE_SELF | IN_DELETE_SELF | IN_UNMOUNT,
		NAMES = IN_CREATE | IN_MOVED_TO
	};
	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++) {
		bool names = s == SPOOL_REQUESTED || s == SPOOL_ABORTING;
		w->wd[s] = add(w, w->sp->dir_fd[s], (uint32_t)SELF | (names ? NAMES : 0));
		if (w->wd[s] < 0)
			return w->wd[s];
	}
	/* A directory that we hold open tells nothing of its own removal; the one above does.  IN_MOVED_TO
	 * is of what takes the place of another. */
	w->root_wd = add(w, w->sp->root_fd, IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF);
	return w->root_wd < 0 ? w->root_wd : 0;
}

int watch_open(struct watch **ret, const struct spool *sp)
{
	struct watch *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->sp = sp;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	int rc = w->fd < 0 ? -errno : add_all(w);
	if (rc < 0) {
		watch_close(w);
		return rc;
	}
	(void)watch_changed(w); /* from now on */
	*ret = w;
	return 0;
}

void watch_close(struct watch *w)
{
	if (!w)
		return;
	fdio_close(&w->fd);
	free(w);
}

const char *watch_moved(const struct watch *w)
{
	return w->moved;
}

int watch_fd(const struct watch *w)
{
	return w->fd;
}

static int tell_moved(struct watch *w, const char *name)
{
	w->moved = name;
	return WATCH_MOVED;
}

/* Of the state directories, and of those whose contents belong to what stands in them; what goes from
 * the history is of no consequence. */
static int take_from_root(struct watch *w, const struct inotify_event *event, const char *name)
{
	static const char *const others[] = { ".wq", "work" };
	if (event->mask & IN_MOVE_SELF)
		return WATCH_ROOT;
	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++)
		if (strcmp(name, spool_state_name(s)) == 0)
			return tell_moved(w, spool_state_name(s));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strcmp(name, others[i]) == 0)
			return tell_moved(w, others[i]);
	return strcmp(name, "wq.sock") == 0 || strcmp(name, layout_status_name) == 0 ? WATCH_FILES
										     : 0;
}

static const char *name_of(const struct watch *w, int wd)
{
	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++)
		if (w->wd[s] == wd)
			return spool_state_name(s);
	return "spool";
}

static int take(struct watch *w, const struct inotify_event *event, watch_fn *fn, void *arg)
{
	if (event->mask & IN_Q_OVERFLOW)
		return WATCH_OVERFLOW;
	const char *name = event->len > 0 ? event->name : "";
	if (event->wd == w->root_wd && !(event->mask & (IN_UNMOUNT | IN_IGNORED)))
		return take_from_root(w, event, name);
	if (event->mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_UNMOUNT | IN_IGNORED))
		return tell_moved(w, name_of(w, event->wd));
	if (!(event->mask & (IN_CREATE | IN_MOVED_TO)))
		return 0;
	for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
		if (event->wd != w->wd[watched[i]])
			continue;
		struct reqid id = { 0 };
		bool is_id = reqid_parse(name, strlen(name), &id);
		fn(arg, watched[i], id, is_id ? NULL : name);
	}
	return 0;
}

int watch_look(struct watch *w, watch_fn *fn, void *arg)
{
	int queued = 0, told = 0;
	if (ioctl(w->fd, FIONREAD, &queued) < 0)
		return -errno;
	for (int got = 0; got < queued;) {
		ssize_t n = read(w->fd, w->events, sizeof w->events);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			break;
		for (char *p = w->events; p < w->events + n;) {
			const struct inotify_event *event = (const void *)p;
			told |= take(w, event, fn, arg);
			p += sizeof *event + event->len;
		}
		got += (int)n;
	}
	return told;
}

static bool has_changed(const struct watch *w, enum spool_state state, struct sight *seen)
{
	struct stat st;
	if (w->sp->io->fstat(w->sp->dir_fd[state], &st) < 0)
		return true;
	bool changed = seen->fresh || st.st_mtim.tv_sec != seen->mtime.tv_sec ||
		       st.st_mtim.tv_nsec != seen->mtime.tv_nsec;
	int64_t age_us = (int64_t)w->sp->io->wall_us() -
			 ((int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000);
	seen->mtime = st.st_mtim;
	seen->fresh = age_us < TICK_US && age_us > -TICK_US;
	return changed;
}

unsigned watch_changed(struct watch *w)
{
	unsigned changed = 0;
	for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
		if (has_changed(w, watched[i], &w->seen[watched[i]]))
			changed |= 1u << watched[i];
	return changed;
}
