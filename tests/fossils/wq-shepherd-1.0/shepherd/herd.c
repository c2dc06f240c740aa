/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/herd_priv.h"

#include "base/err.h"
#include "base/fdio.h"
#include "base/time.h"
#include "shepherd/cgroup.h"
#include "shepherd/record.h"
#include "shepherd/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the table ------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct child *find(const struct herd *h, const char *name)
{
	/* The key is the first member of a child. */
	struct child **at = tfind(name, (void *const *)&h->by_name, compare_names);
	return at ? *at : NULL;
}

static struct pid_list *list_of(struct herd *h, pid_t pid)
{
	return &h->by_pid[(unsigned int)pid % HERD_PID_LISTS];
}

struct child *herd_find_pid(struct herd *h, pid_t pid)
{
	struct child *c;
	LIST_FOREACH(c, list_of(h, pid), same_pid)
	if (c->pid == pid)
		return c;
	return NULL;
}

static void free_child(struct child *c)
{
	struct herd *h = c->herd;
	TAILQ_REMOVE(&h->all, c, all);
	(void)tdelete(c, &h->by_name, compare_names);
	if (c->is_in_telling)
		TAILQ_REMOVE(&h->telling, c, telling);
	if (c->timer)
		loop_del_timer(h->loop, c->timer);
	if (c->watch)
		loop_del_fd(h->loop, c->watch);
	child_close_outputs(c);
	fdio_close(&c->watch_fd);
	fdio_close(&c->cgroup_fd);
	free(c->text);
	free(c);
	h->n--;
}

static struct child *new_child(struct herd *h, const char *name, const char *tag)
{
	struct child *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->herd = h;
	c->cgroup_fd = c->watch_fd = -1;
	c->look_at_ns = TIME_NEVER;
	c->end = (struct wq_child_end){ .struct_size = sizeof c->end };
	snprintf(c->name, sizeof c->name, "%s", name);
	snprintf(c->tag, sizeof c->tag, "%s", tag);
	c->timer = loop_add_timer(h->loop, child_on_timer, c);
	if (!c->timer || !tsearch(c, &h->by_name, compare_names)) {
		if (c->timer)
			loop_del_timer(h->loop, c->timer);
		free(c);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&h->all, c, all);
	h->n++;
	h->n_alive++;
	return c;
}

/* ---- ends ------------------------------------------------------------------------------------ */

void herd_tell(struct child *c)
{
	struct herd *h = c->herd;
	c->state = CHILD_ENDED;
	h->n_alive--;
	c->is_in_telling = true;
	TAILQ_INSERT_TAIL(&h->telling, c, telling);
	loop_set_timer(h->loop, h->tell_timer, time_mono_ns());
}

/* From a timer, so that no call into the herd calls back; an acknowledgement may come from inside. */
static void on_tell(void *arg)
{
	struct herd *h = arg;
	struct child *c;
	while ((c = TAILQ_FIRST(&h->telling))) {
		TAILQ_REMOVE(&h->telling, c, telling);
		c->is_in_telling = false;
		h->events.ended(h->events.arg, c->name, &c->end);
	}
}

static void set_why(struct child *c, const char *error, const char *text)
{
	snprintf(c->error, sizeof c->error, "%s", error);
	c->text = strdup(text); /* without memory it goes without */
	c->end.error = c->error;
	c->end.text = c->text;
}

static void note_end(struct child *c, int status, const struct rusage *used)
{
	struct wq_child_end *end = &c->end;
	end->ended_us = time_wall_us();
	end->ran_ns = time_mono_ns() - c->began_ns;
	if (WIFSIGNALED(status)) {
		end->how = WQ_CHILD_SIGNALLED;
		end->signal = WTERMSIG(status);
		if (WCOREDUMP(status))
			end->flags |= WQ_CHILD_CORE;
	} else {
		end->how = WQ_CHILD_EXITED;
		end->code = WEXITSTATUS(status);
	}
	end->user_us = (uint64_t)(used->ru_utime.tv_sec * 1000000 + used->ru_utime.tv_usec);
	end->system_us = (uint64_t)(used->ru_stime.tv_sec * 1000000 + used->ru_stime.tv_usec);
	end->max_rss_kib = (uint64_t)used->ru_maxrss;
	end->minor_faults = (uint64_t)used->ru_minflt;
	end->major_faults = (uint64_t)used->ru_majflt;
	end->blocks_in = (uint64_t)used->ru_inblock;
	end->blocks_out = (uint64_t)used->ru_oublock;
	end->switches = (uint64_t)used->ru_nvcsw;
	end->preemptions = (uint64_t)used->ru_nivcsw;
}

/* Who is not known is a stray: it is reaped, that is all. */
static void reap(struct herd *h)
{
	struct rusage used;
	int status;
	pid_t pid;
	while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
		struct child *c = herd_find_pid(h, pid);
		if (!c)
			continue;
		LIST_REMOVE(c, same_pid);
		c->pid = 0;
		note_end(c, status, &used);
		child_clear(c);
	}
	herd_sweep(h);
}

static void on_sigchld(void *arg, int signo)
{
	(void)signo;
	reap(arg);
}

/* ---- what will not go -------------------------------------------------------------------------- */

static void free_rest(struct rest *r)
{
	LIST_REMOVE(r, link);
	if (r->watch)
		loop_del_fd(r->herd->loop, r->watch);
	fdio_close(&r->watch_fd);
	free(r);
}

static void on_rest(void *arg, uint32_t events)
{
	struct rest *r = arg;
	(void)events;
	(void)cgroup_is_populated(r->watch_fd); /* so that the next change is told */
	/* Else than -EBUSY there is nothing more that we could do. */
	if (cgroup_remove(r->herd->base_fd, r->name) != -EBUSY)
		free_rest(r);
}

/* Where this fails an empty directory of a cgroup stays. */
void herd_keep_rest(struct herd *h, const char *name)
{
	int fd = cgroup_open_child(h->base_fd, name);
	if (fd < 0)
		return;
	struct rest *r = calloc(1, sizeof *r);
	if (r) {
		r->herd = h;
		r->watch_fd = cgroup_watch(fd);
		snprintf(r->name, sizeof r->name, "%s", name);
		LIST_INSERT_HEAD(&h->rests, r, link);
		if (r->watch_fd >= 0)
			r->watch = loop_add_fd(h->loop, r->watch_fd, EPOLLPRI, on_rest, r);
		/* What changed before the watch will not be told. */
		if (!r->watch || cgroup_remove(h->base_fd, name) != -EBUSY)
			free_rest(r);
	}
	(void)close(fd);
}

/* Directories of what was left alone, and has ended while there was no shepherd. */
static void remove_old_rests(const struct herd *h)
{
	int fd = h->base_fd < 0 ? -1 : openat(h->base_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fdio_close(&fd);
		return;
	}
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		if (e->d_name[0] != '.' && !find(h, e->d_name))
			(void)unlinkat(h->base_fd, e->d_name, AT_REMOVEDIR); /* not one in use */
	(void)closedir(d);
}

/* ---- children of an earlier shepherd --------------------------------------------------------- */

static int take_up(void *arg, const struct record *r)
{
	struct herd *h = arg;
	if (find(h, r->name))
		return 0;
	struct child *c = new_child(h, r->name, r->tag[0] ? r->tag : r->name);
	if (!c)
		return -ENOMEM;
	bool same_boot = r->boot[0] == '\0' || strcmp(r->boot, h->boot) == 0;
	c->end.how = WQ_CHILD_UNKNOWN;
	c->end.began_us = r->began_us;
	set_why(c, "lost",
		same_boot ? "its wq-shepherd ended before its end was known for good"
			  : "the machine was started anew while it ran");
	if (same_boot && r->pid > 0 && r->start_ticks) {
		c->session = c->pid = r->pid;
		c->start_ticks = r->start_ticks;
	}
	if (same_boot) {
		child_take_up(c);
		return 0;
	}
	loop_del_timer(h->loop, c->timer);
	c->timer = NULL;
	herd_tell(c);
	return 0;
}

/* ---- spawn, end, ack ------------------------------------------------------------------------- */

static void refuse(struct child *c, const struct wq_err *err)
{
	struct herd *h = c->herd;
	c->end.how = WQ_CHILD_NOT_STARTED;
	c->end.ended_us = time_wall_us();
	set_why(c, err->name[0] ? err->name : "no-resources", err->text);
	loop_del_timer(h->loop, c->timer);
	c->timer = NULL;
	herd_tell(c);
}

void herd_spawn(struct herd *h, const struct frame_spawn *spawn)
{
	struct wq_err err = { .struct_size = sizeof err };
	/* A server gives orders when it has recovered: nothing of before is left to be guessed.  Where
	 * this cannot be written the next shepherd guesses once more, on the safe side. */
	if (!h->same_boot) {
		h->same_boot = true;
		(void)record_mark_boot(h->run_fd, h->boot);
	}
	if (find(h, spawn->name))
		return;
	struct child *c = new_child(h, spawn->name, spawn->tag);
	if (!c) {
		/* It cannot even be remembered that it was not started. */
		struct wq_child_end end = { .struct_size = sizeof end,
			.how = WQ_CHILD_NOT_STARTED,
			.error = "no-resources",
			.text = "wq-shepherd has no memory left" };
		h->events.ended(h->events.arg, spawn->name, &end);
		return;
	}
	c->flags = spawn->what.flags;
	c->grace_ms = spawn->what.grace_ms;
	if (h->n > HERD_MAX)
		(void)err_set_name(&err, -WQ_E_LIMIT, "no-resources",
			"wq-shepherd knows %d children already", HERD_MAX);
	else if (child_start(c, spawn, &err) == 0) {
		LIST_INSERT_HEAD(list_of(h, c->pid), c, same_pid);
		return;
	}
	refuse(c, &err);
}

void herd_end(struct herd *h, const char *name, uint32_t how, uint32_t grace_ms)
{
	struct child *c = find(h, name);
	if (c)
		child_end(c, how, grace_ms);
}

void herd_ack(struct herd *h, const char *name)
{
	struct child *c = find(h, name);
	if (!c || c->state != CHILD_ENDED)
		return;
	(void)record_remove(h->run_fd, c->name); /* else it is told once more, as lost */
	free_child(c);
}

/* ---- the herd -------------------------------------------------------------------------------- */

void herd_each(struct herd *h,
	void (*fn)(void *arg, const struct frame_child *child, const struct wq_child_end *end),
	void *arg)
{
	struct child *c;
	TAILQ_FOREACH(c, &h->all, all)
	{
		struct frame_child child = { .pid = c->pid, .began_us = c->end.began_us };
		memcpy(child.name, c->name, sizeof child.name);
		fn(arg, &child, c->state == CHILD_ENDED ? &c->end : NULL);
	}
}

size_t herd_size(const struct herd *h)
{
	return h->n;
}

size_t herd_alive(const struct herd *h)
{
	return h->n_alive;
}

bool herd_is_idle(const struct herd *h)
{
	return h->n == 0 && LIST_EMPTY(&h->left);
}

const char *herd_containment(const struct herd *h)
{
	return h->base_fd >= 0 ? "cgroup" : "best effort";
}

bool herd_same_boot(const struct herd *h)
{
	return h->same_boot;
}

void herd_set_nofile(struct herd *h, const struct rlimit *usual, const struct rlimit *raised)
{
	h->nofile = *usual;
	h->raised = *raised;
	h->has_nofile = true;
	herd_spare_fds(h, false);
}

void herd_set_oom_score(struct herd *h, int score)
{
	h->oom_score_adj = score;
	h->has_oom = true;
}

static int open_herd(struct herd *h, const char *uuid, struct wq_err *err)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	h->tell_timer = loop_add_timer(h->loop, on_tell, h);
	if (!h->tell_timer)
		return err_set(err, -ENOMEM, "no memory");
	h->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (h->null_fd < 0)
		return err_set(err, -errno, "cannot open /dev/null");
	int rc = record_boot(h->run_fd, h->boot, &h->same_boot);
	if (rc < 0)
		return err_set(err, rc, "cannot read which boot of the machine this is");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot become a subreaper");
	rc = loop_catch_signals(h->loop, &signals, on_sigchld, h);
	if (rc < 0)
		return err_set(err, rc, "cannot catch SIGCHLD");
	snprintf(h->base_name, sizeof h->base_name, "wq-%s", uuid);
	h->base_fd = cgroup_open_base(h->base_name);
	rc = record_each(h->run_fd, take_up, h);
	if (rc < 0)
		return err_set(err, rc, "cannot read the records");
	remove_old_rests(h);
	return 0;
}

int herd_new(struct herd **ret, struct loop *loop, int run_fd, const char *uuid,
	const struct herd_events *events, struct wq_err *err)
{
	struct herd *h = calloc(1, sizeof *h);
	if (!h)
		return err_set(err, -ENOMEM, "no memory");
	h->loop = loop;
	h->events = *events;
	h->run_fd = run_fd;
	h->null_fd = h->base_fd = -1;
	memset(h->low_fds, 0xff, sizeof h->low_fds);
	TAILQ_INIT(&h->all);
	TAILQ_INIT(&h->clearing);
	TAILQ_INIT(&h->telling);
	int rc = open_herd(h, uuid, err);
	if (rc < 0) {
		herd_free(h);
		return rc;
	}
	*ret = h;
	return 0;
}

void herd_free(struct herd *h)
{
	if (!h)
		return;
	while (!LIST_EMPTY(&h->rests))
		free_rest(LIST_FIRST(&h->rests));
	while (!TAILQ_EMPTY(&h->all))
		free_child(TAILQ_FIRST(&h->all));
	herd_close_left(h);
	if (h->tell_timer)
		loop_del_timer(h->loop, h->tell_timer);
	for (size_t i = 0; i < HERD_LOW_FDS; i++)
		fdio_close(&h->low_fds[i]);
	fdio_close(&h->null_fd);
	if (h->base_fd >= 0) {
		/* What is still in use stays. */
		int above = openat(h->base_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fdio_close(&h->base_fd);
		if (above >= 0)
			(void)cgroup_remove(above, h->base_name);
		fdio_close(&above);
	}
	free(h);
}
