/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The output of a task while it is written.  Two things are watched, by one inotify instance: the
 * inode of the request, which tells of the end; and first work/ until the task's directory is there,
 * then that until its two files are, then these.  What cannot be watched is tried again at each look,
 * and until then there is a look from time to time.
 *
 * The order is always: watch, then look.  What is written before the end is known has been written
 * before the request is seen complete, so one more read after that is the last.
 */
#include "base/err.h"
#include "base/fdio.h"
#include "base/time.h"
#include "client/client_priv.h"
#include "spool/work.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
	ATTEMPTS_MAX = 64, /* looked for by name: a client may not list work/ */
	N_FILES = 2,
	EVENTS_SIZE = 4096,
	EVENTS_MAX = 64, /* reads of that many bytes before there is another look at the files */
	OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
};

#define SAFETY_NS   (30 * NS_PER_S)
#define POLL_MIN_NS (1 * NS_PER_MS)
#define POLL_MAX_NS (1 * NS_PER_S)

struct file {
	int fd; /* -1: not there yet */
	int wd;
	off_t at;
	bool refused; /* it is no plain file; said once */
};

struct wq_output {
	wq_client *client;
	struct reqid id;
	char name[REQID_SIZE];
	int notify_fd;  /* -1: there is no inotify */
	int request_wd; /* -1: not watched */
	int work_wd;
	int dir_wd;
	int dir_fd;      /* of the attempt that is read; -1: there is none yet */
	struct stat dir; /* which one that is */
	uint32_t next;   /* attempt with another directory, to be read after it; 0: none */
	struct file files[N_FILES];
	int turn;     /* which of the two is read first the next time */
	bool look;    /* something may have happened to more than the files */
	bool running; /* so its next move will be told */
	bool returns; /* it was moved while it ran: another directory may come */
	bool blind;   /* a watch is not to be had: look from time to time */
	bool ended;
	int64_t pause_ns;  /* between two looks when blind */
	int64_t safety_ns; /* when to look without being told */
};

static const char *const file_names[N_FILES] = { "stdout", "stderr" };
static const int32_t file_numbers[N_FILES] = { WQ_STDOUT, WQ_STDERR };

/* ---- watches --------------------------------------------------------------------------------- */

/* A task can link its files to another that is watched: one watch then, for what both are for. */
static void watch(struct wq_output *o, int fd, uint32_t mask, int *wd)
{
	char proc[40];
	*wd = -1;
	if (o->notify_fd >= 0)
		*wd = inotify_add_watch(o->notify_fd, fdio_proc_path(fd, proc), mask | IN_MASK_ADD);
}

static void unwatch(struct wq_output *o, int *wd)
{
	if (*wd >= 0)
		(void)inotify_rm_watch(o->notify_fd, *wd); /* it may be gone with its inode */
	*wd = -1;
}

/* Where it stands now: its name may be that of another inode than at the last look. */
static void watch_request(struct wq_output *o)
{
	uint32_t mask;
	int wd = -1;
	auto_close int fd = await_open(&o->client->spool, o->id, &mask);
	if (fd >= 0)
		watch(o, fd, mask, &wd);
	if (wd != o->request_wd)
		unwatch(o, &o->request_wd);
	o->request_wd = wd;
}

static void watch_names(struct wq_output *o, bool wanted, int fd, int *wd)
{
	if (!wanted)
		unwatch(o, wd);
	else if (*wd < 0)
		watch(o, fd, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, wd);
}

/* Only as long as a directory is to come: each task of all makes one there. */
static bool wants_work(const struct wq_output *o)
{
	return !o->ended && o->client->spool.work_fd >= 0 &&
	       (!o->running || o->dir_fd < 0 || o->returns);
}

static void watch_work(struct wq_output *o)
{
	watch_names(o, wants_work(o), o->client->spool.work_fd, &o->work_wd);
}

static bool wants_dir(const struct wq_output *o)
{
	return !o->ended && o->dir_fd >= 0 && (o->files[0].fd < 0 || o->files[1].fd < 0);
}

static void watch_dir(struct wq_output *o)
{
	watch_names(o, wants_dir(o), o->dir_fd, &o->dir_wd);
}

static bool wants_file(const struct wq_output *o, int i)
{
	return !o->ended && o->files[i].fd >= 0;
}

static void watch_file(struct wq_output *o, int i)
{
	struct file *f = &o->files[i];
	if (wants_file(o, i) && f->wd < 0)
		watch(o, f->fd, IN_MODIFY, &f->wd);
}

/* Is anything not watched that should be? */
static bool is_blind(const struct wq_output *o)
{
	bool ret = (!o->ended && o->request_wd < 0) || (wants_work(o) && o->work_wd < 0) ||
		   (wants_dir(o) && o->dir_wd < 0);
	for (int i = 0; i < N_FILES; i++)
		ret = ret || (wants_file(o, i) && o->files[i].wd < 0);
	return ret;
}

/* It has ended with its inode, or another of the same inode was removed. */
static void forget_watch(struct wq_output *o, int wd)
{
	int *const all[] = { &o->request_wd, &o->work_wd, &o->dir_wd, &o->files[0].wd,
		&o->files[1].wd };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (*all[i] != wd)
			continue;
		*all[i] = -1;
		o->look = true;
	}
}

/* ---- files ----------------------------------------------------------------------------------- */

static void close_files(struct wq_output *o)
{
	for (int i = 0; i < N_FILES; i++) {
		unwatch(o, &o->files[i].wd);
		fdio_close(&o->files[i].fd);
		o->files[i] = (struct file){ .fd = -1, .wd = -1 };
	}
	unwatch(o, &o->dir_wd);
	fdio_close(&o->dir_fd);
}

/* The task may have made what stands there, so it is opened with care. */
static int open_file(struct wq_output *o, int i, struct wq_err *err)
{
	const struct spool_io *io = o->client->spool.io;
	struct file *f = &o->files[i];
	struct stat st = { 0 };
	if (f->fd >= 0 || f->refused)
		return 0;
	auto_close int fd = io->openat(o->dir_fd, file_names[i], SPOOL_IO_READ, 0);
	if (fd == -ENOENT)
		return 0;
	int rc = fd == -ELOOP ? 0 : fd < 0 ? fd : io->fstat(fd, &st);
	if (rc < 0)
		return err_set(err, rc, "cannot open '%s' of '%s'", file_names[i], o->name);
	if (fd < 0 || !S_ISREG(st.st_mode)) {
		f->refused = true;
		return err_set_name(err, -WQ_E_FORMAT, "not-regular",
			"'%s' of '%s' is not a plain file", file_names[i], o->name);
	}
	f->fd = fd;
	fd = -1;
	return 0;
}

static int open_files(struct wq_output *o, struct wq_err *err)
{
	if (o->dir_fd < 0)
		return 0;
	watch_dir(o);
	for (int i = 0; i < N_FILES; i++) {
		int rc = open_file(o, i, err);
		if (rc < 0)
			return rc;
		watch_file(o, i);
	}
	watch_dir(o); /* no longer, where both are there */
	return 0;
}

/*
 * The newest attempt that has a directory other than the one that is read.  The same attempt may get
 * another one, when its task manager was busy after all; ours is open, so no other has its number.
 */
static int find_next(struct wq_output *o, struct wq_err *err)
{
	const struct spool *sp = &o->client->spool;
	char name[WORK_NAME_SIZE];
	struct stat st;
	for (uint32_t n = ATTEMPTS_MAX; n > 0; n--) {
		int rc = sp->io->fstatat(
			sp->work_fd, work_name(o->id, n, name), &st, AT_SYMLINK_NOFOLLOW);
		if (rc == -ENOENT)
			continue;
		if (rc < 0)
			return err_set(err, rc, "cannot look for the output of '%s'", o->name);
		bool same =
			o->dir_fd >= 0 && st.st_dev == o->dir.st_dev && st.st_ino == o->dir.st_ino;
		o->next = same ? 0 : n;
		return 0;
	}
	return 0;
}

/* From the directory that has been read to its end to the next one. */
static int go_on(struct wq_output *o, struct wq_err *err)
{
	const struct spool *sp = &o->client->spool;
	char name[WORK_NAME_SIZE];
	close_files(o);
	work_name(o->id, o->next, name);
	o->next = 0;
	int fd = sp->io->openat(sp->work_fd, name, OPEN_DIR, 0);
	if (fd == -ENOENT) { /* removed again */
		watch_work(o);
		return 0;
	}
	int rc = fd < 0 ? fd : sp->io->fstat(fd, &o->dir);
	o->dir_fd = fd < 0 ? -1 : fd;
	if (rc < 0) {
		fdio_close(&o->dir_fd);
		return err_set(err, rc, "cannot open the output of '%s'", o->name);
	}
	watch_work(o);
	return 0;
}

/* ---- looking --------------------------------------------------------------------------------- */

static int look_at_request(struct wq_output *o, struct wq_err *err)
{
	if (!o->ended && o->notify_fd < 0)
		o->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (!o->ended)
		watch_request(o);
	int state = client_find(o->client, o->id);
	if (state < 0)
		return err_set(err, state, "cannot look for '%s'", o->name);
	o->running = state == WQ_STATE_RUNNING;
	o->ended = o->ended || state == WQ_STATE_COMPLETE || state == WQ_STATE_GONE;
	if (o->ended)
		unwatch(o, &o->request_wd);
	return state;
}

static int look_at_work(struct wq_output *o, struct wq_err *err)
{
	if (o->client->spool.work_fd < 0)
		return 0; /* this spool's server keeps no output */
	watch_work(o);
	int rc = find_next(o, err);
	if (rc == 0 && o->dir_fd < 0 && o->next)
		rc = go_on(o, err);
	return rc < 0 ? rc : open_files(o, err);
}

static int look(struct wq_output *o, struct wq_err *err)
{
	int rc = look_at_request(o, err);
	if (rc >= 0)
		rc = look_at_work(o, err);
	o->blind = is_blind(o);
	o->look = rc < 0;
	return rc < 0 ? rc : 0;
}

/* Both in turn, so that one that writes without a pause does not hide the other.  0: nothing new. */
static int64_t read_some(
	struct wq_output *o, int32_t *ret_which, void *buf, size_t size, struct wq_err *err)
{
	const struct spool_io *io = o->client->spool.io;
	for (int n = 0; n < N_FILES; n++) {
		int i = (o->turn + n) % N_FILES;
		struct file *f = &o->files[i];
		ssize_t got = f->fd < 0 ? 0 : io->pread(f->fd, buf, size, f->at);
		if (got < 0)
			return err_set(
				err, (int)got, "cannot read '%s' of '%s'", file_names[i], o->name);
		if (got == 0)
			continue;
		f->at += got;
		o->turn = (i + 1) % N_FILES;
		o->pause_ns = POLL_MIN_NS;
		*ret_which = file_numbers[i];
		return got;
	}
	return 0;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool is_mine(const struct wq_output *o, const char *name)
{
	return strncmp(name, o->name, REQID_LEN) == 0 && name[REQID_LEN] == '.';
}

static void take(struct wq_output *o, const struct inotify_event *event)
{
	const char *name = event->len ? event->name : "";
	if ((event->mask & IN_Q_OVERFLOW) || event->wd == o->request_wd) {
		o->look = true;
		o->returns = o->returns || o->running;
	} else if (event->wd == o->work_wd) {
		o->look = o->look || is_mine(o, name);
	} else if (event->wd == o->dir_wd) {
		o->look = o->look || strcmp(name, file_names[0]) == 0 ||
			  strcmp(name, file_names[1]) == 0;
	} else if (!o->running) {
		o->look = true; /* what writes runs, which nothing else tells */
	}
	/* The files are read after any event. */
	if (event->mask & IN_IGNORED)
		forget_watch(o, event->wd);
}

/* 0: nothing has happened; 1: something; -errno. */
static int read_events(struct wq_output *o)
{
	alignas(struct inotify_event) char bytes[EVENTS_SIZE];
	int ret = 0;
	for (int reads = 0; o->notify_fd >= 0 && reads < EVENTS_MAX; reads++) {
		ssize_t n = read(o->notify_fd, bytes, sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 || errno == EAGAIN ? ret : -errno;
		for (char *p = bytes; p < bytes + n;) {
			const struct inotify_event *event = (const void *)p;
			take(o, event);
			p += sizeof *event + event->len;
		}
		ret = 1;
	}
	return ret;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* 0, or that the sleep was interrupted. */
static int sleep_until(struct wq_output *o, int64_t until_ns, struct wq_err *err)
{
	int64_t left = until_ns - time_mono_ns();
	if (left < 0)
		left = 0;
	struct pollfd p = { .fd = o->notify_fd, .events = POLLIN };
	struct timespec ts = { .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
	if (ppoll(&p, 1, &ts, NULL) < 0)
		return err_set(err, -errno, "interrupted while following '%s'", o->name);
	return 0;
}

/* Until something may have changed.  0; -WQ_E_TIMEOUT, -EINTR, -errno. */
static int pause_for_news(struct wq_output *o, int64_t deadline_ns, struct wq_err *err)
{
	int rc = read_events(o);
	if (rc < 0)
		return err_set(err, rc, "cannot read what happened to '%s'", o->name);
	if (rc > 0)
		return 0;
	int64_t now = time_mono_ns();
	if (now >= deadline_ns)
		return err_set(err, -WQ_E_TIMEOUT, "'%s' has written nothing new", o->name);
	if (o->blind) {
		rc = sleep_until(o, least(deadline_ns, time_after(now, o->pause_ns)), err);
		o->pause_ns = least(2 * o->pause_ns, POLL_MAX_NS);
		o->look = true;
		return rc;
	}
	if (now >= o->safety_ns) {
		o->safety_ns = time_after(now, SAFETY_NS);
		o->look = true;
		return 0;
	}
	return sleep_until(o, least(deadline_ns, o->safety_ns), err);
}

/* ---- the three of them ----------------------------------------------------------------------- */

void wq_output_close(wq_output *o)
{
	if (!o)
		return;
	close_files(o);
	fdio_close(&o->notify_fd);
	free(o);
}

static int check_is_there(const struct wq_output *o, struct wq_err *err)
{
	int state = client_find(o->client, o->id);
	if (state < 0)
		return err_set(err, state, "cannot look for '%s'", o->name);
	if (state == WQ_STATE_GONE && !client_is_finished(o->client, o->id))
		return err_set(err, -WQ_E_GONE,
			"'%s' is gone: aborted, removed from the history, or never there", o->name);
	return 0;
}

int wq_output_open(wq_output **ret, wq_client *c, const char *id, struct wq_err *err)
{
	struct reqid reqid;
	int rc = client_parse_id(id, &reqid, err);
	if (rc < 0)
		return rc;
	wq_output *o = calloc(1, sizeof *o);
	if (!o)
		return err_set(err, -ENOMEM, "cannot follow '%s'", id);
	*o = (struct wq_output){ .client = c,
		.id = reqid,
		.notify_fd = -1,
		.request_wd = -1,
		.work_wd = -1,
		.dir_wd = -1,
		.dir_fd = -1,
		.files = { { .fd = -1, .wd = -1 }, { .fd = -1, .wd = -1 } },
		.look = true,
		.pause_ns = POLL_MIN_NS,
		.safety_ns = time_after(time_mono_ns(), SAFETY_NS) };
	reqid_format(reqid, o->name);
	rc = check_is_there(o, err);
	if (rc < 0)
		wq_output_close(o);
	else
		*ret = o;
	return rc;
}

int64_t wq_output_read(wq_output *o, int64_t timeout_ns, int32_t *ret_which, void *buf, size_t size,
	struct wq_err *err)
{
	if (size == 0)
		return err_set(err, -EINVAL, "there is no room for the output of '%s'", o->name);
	int64_t deadline = timeout_ns < 0 ? TIME_NEVER : time_after(time_mono_ns(), timeout_ns);
	o->look = o->look || o->blind;
	for (;;) {
		int rc = o->look ? look(o, err) : 0;
		if (rc < 0)
			return rc;
		bool ended = o->ended;
		int64_t got = read_some(o, ret_which, buf, size, err);
		if (got != 0)
			return got;
		if (o->next) {
			o->look = true;
			rc = go_on(o, err);
		} else if (ended) {
			return 0;
		} else {
			rc = pause_for_news(o, deadline, err);
		}
		if (rc < 0)
			return rc;
	}
}
