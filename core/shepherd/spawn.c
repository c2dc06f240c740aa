/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/herd_priv.h"

#include "base/err.h"
#include "base/fdio.h"
#include "base/time.h"
#include "shepherd/cgroup.h"
#include "shepherd/record.h"
#include "shepherd/start.h"
#include "shepherd/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* The descriptors that a child gets, as we hold them: -1 where it is the shared /dev/null. */
struct ends {
	int in_fd, out_fd, err_fd;
};

/* ---- output ---------------------------------------------------------------------------------- */

/* What has come of it stays known. */
static void stop_stream(struct stream *s)
{
	loop_del_fd(s->herd->loop, s->src);
	s->src = NULL;
	output_close(&s->output);
}

static void free_stream(struct stream *s)
{
	if (!s)
		return;
	stop_stream(s);
	if (s->is_left) {
		LIST_REMOVE(s, left);
		s->herd->n_left--;
	}
	free(s);
}

static void pump_stream(struct stream *s, uint64_t budget)
{
	if (s->src && output_pump(&s->output, budget) == 0)
		stop_stream(s);
}

static void on_output(void *arg, uint32_t events)
{
	struct stream *s = arg;
	struct herd *h = s->herd;
	(void)events;
	pump_stream(s, HERD_OUTPUT_BUDGET);
	if (s->src || !s->is_left)
		return;
	free_stream(s);
	if (herd_is_idle(h) && h->events.idle)
		h->events.idle(h->events.arg);
}

static void drain_stream(struct stream *s)
{
	int waiting = 0;
	/* As much as was there when it ended: who still writes does not keep us. */
	if (s && s->src && ioctl(s->output.read_fd, FIONREAD, &waiting) == 0 && waiting > 0)
		pump_stream(s, (uint64_t)waiting);
}

void child_drain(struct child *c)
{
	drain_stream(c->out);
	drain_stream(c->err);
}

void child_close_outputs(struct child *c)
{
	free_stream(c->out);
	free_stream(c->err);
	c->out = c->err = NULL;
}

static void leave_stream(struct stream *s)
{
	struct herd *h = s->herd;
	/* Its file is what has been told of it.  Most have nobody any more who writes. */
	fdio_close(&s->output.file_fd);
	pump_stream(s, HERD_OUTPUT_BUDGET);
	if (!s->src || h->n_left >= HERD_LEFT_MAX) {
		free_stream(s);
		return;
	}
	s->is_left = true;
	LIST_INSERT_HEAD(&h->left, s, left);
	h->n_left++;
}

void child_leave_outputs(struct child *c)
{
	if (c->out)
		leave_stream(c->out);
	if (c->err)
		leave_stream(c->err);
	c->out = c->err = NULL;
}

void herd_close_left(struct herd *h)
{
	while (!LIST_EMPTY(&h->left))
		free_stream(LIST_FIRST(&h->left));
}

/* A file of output in `ret`, and the end of its pipe for the child in `ret_fd`. */
static int open_stream(struct herd *h, struct stream **ret, int dir_fd, const char *name,
	uint64_t limit, int *ret_fd, struct wq_err *err)
{
	if (!name)
		return 0;
	struct stream *s = calloc(1, sizeof *s);
	if (!s)
		return err_set_name(err, -ENOMEM, "no-resources", "cannot watch the output");
	s->herd = h;
	int rc = output_open(&s->output, dir_fd, name, limit, ret_fd);
	if (rc < 0) {
		free(s);
		return err_set_name(err, rc, "no-resources", "cannot make the file '%s'", name);
	}
	s->src = loop_add_fd(h->loop, s->output.read_fd, EPOLLIN, on_output, s);
	if (!s->src) {
		rc = -errno;
		free_stream(s);
		return err_set_name(err, rc, "no-resources", "cannot watch the output");
	}
	*ret = s;
	return 0;
}

static int open_outputs(
	struct child *c, const struct frame_spawn *spawn, struct ends *ends, struct wq_err *err)
{
	const struct wq_spawn *what = &spawn->what;
	auto_close int dir_fd =
		open(spawn->work_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* The server has just made it, so whatever is wrong is not the command's fault. */
	if (dir_fd < 0)
		return err_set_name(err, -errno, "no-resources",
			"cannot open the work directory '%s'", spawn->work_dir);
	int rc = open_stream(
		c->herd, &c->out, dir_fd, spawn->out_name, what->out_limit, &ends->out_fd, err);
	if (rc < 0 || what->flags & WQ_SPAWN_JOIN_OUTPUT)
		return rc;
	return open_stream(
		c->herd, &c->err, dir_fd, spawn->err_name, what->err_limit, &ends->err_fd, err);
}

/* ---- input and environment ------------------------------------------------------------------- */

/* A file of its own in memory, so that it can be read at the child's pace and fills no pipe; sealed,
 * for the child shares it with all that it starts. */
static int open_input(const struct wq_bytes *input, int *ret_fd, struct wq_err *err)
{
	if (input->len == 0)
		return 0;
	auto_close int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set_name(err, -errno, "no-resources", "cannot make the input");
	int rc = fdio_write_all(fd, input->ptr, input->len);
	if (rc == 0 &&
		(lseek(fd, 0, SEEK_SET) < 0 ||
			fcntl(fd, F_ADD_SEALS,
				F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0))
		rc = -errno;
	if (rc < 0)
		return err_set_name(err, rc, "no-resources", "cannot write the input");
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* `env` with WQ_TASK; one block, to be freed. */
static const char **make_env(const char *const *env, const char *tag)
{
	static const char key[] = "WQ_TASK=";
	size_t n = 0, kept = 0, size = sizeof key + strlen(tag);
	while (env && env[n])
		n++;
	const char **ret = malloc((n + 2) * sizeof *ret + size);
	if (!ret)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strncmp(env[i], key, sizeof key - 1) != 0)
			ret[kept++] = env[i];
	char *own = (char *)(ret + n + 2);
	snprintf(own, size, "%s%s", key, tag);
	ret[kept++] = own;
	ret[kept] = NULL;
	return ret;
}

/* ---- cgroup ---------------------------------------------------------------------------------- */

/* Its cgroup, or -1: then it is contained as well as can be without. */
static int open_cgroup(const struct child *c, const struct wq_spawn *what)
{
	struct herd *h = c->herd;
	bool is_limited;
	if (h->base_fd < 0)
		return -1;
	int fd = cgroup_make_child(h->base_fd, c->name, what->processes, &is_limited);
	if (fd != -EEXIST)
		return fd < 0 ? -1 : fd;
	/* The name is not known, so whoever is in there is what an earlier one has left. */
	fd = cgroup_open_child(h->base_fd, c->name);
	if (fd < 0)
		return -1;
	(void)cgroup_kill(fd);
	(void)close(fd);
	(void)cgroup_remove(h->base_fd, c->name);
	fd = cgroup_make_child(h->base_fd, c->name, what->processes, &is_limited);
	if (fd == -EEXIST)
		fd = cgroup_open_child(h->base_fd, c->name);
	return fd < 0 ? -1 : fd;
}

static void drop_cgroup(struct child *c)
{
	if (c->cgroup_fd < 0)
		return;
	fdio_close(&c->cgroup_fd);
	(void)cgroup_remove(c->herd->base_fd, c->name);
}

/* ---- start ----------------------------------------------------------------------------------- */

void herd_spare_fds(struct herd *h, bool spare)
{
	for (size_t i = 0; h->has_nofile && i < HERD_LOW_FDS; i++) {
		if (spare)
			fdio_close(&h->low_fds[i]);
		else
			h->low_fds[i] = fcntl(h->null_fd, F_DUPFD_CLOEXEC, 3);
	}
}

/*
 * This process holds more descriptors than the usual limit allows, its children are to have the usual
 * one, and a child has what its parent has in the moment of its making.  A new descriptor must be
 * below the limit in that moment too: hence the low ones that are kept.
 */
static int start_with_limits(
	struct herd *h, const struct start_order *order, struct started *ret, struct wq_err *err)
{
	if (!h->has_nofile)
		return start_child(order, ret, err);
	herd_spare_fds(h, true);
	(void)setrlimit(RLIMIT_NOFILE, &h->nofile);
	int rc = start_child(order, ret, err);
	(void)setrlimit(RLIMIT_NOFILE, &h->raised);
	if (rc == 0)
		fdio_close(&ret->pidfd);
	herd_spare_fds(h, false);
	return rc;
}

/* Inherited, and this process's is lower than usual; raising it is always allowed. */
static void reset_oom_score(const struct herd *h, pid_t pid)
{
	char path[48], number[16];
	if (!h->has_oom)
		return;
	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
	snprintf(number, sizeof number, "%d", h->oom_score_adj);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)fdio_write_all(fd, number, strlen(number)); /* it may have ended */
}

static struct record record_of(const struct child *c)
{
	struct record r = {
		.pid = c->pid,
		.start_ticks = c->pid ? tree_start_ticks(c->pid) : 0,
		.began_us = c->end.began_us,
	};
	memcpy(r.name, c->name, sizeof r.name);
	memcpy(r.tag, c->tag, sizeof r.tag);
	memcpy(r.boot, c->herd->boot, sizeof r.boot);
	return r;
}

static int make_record(const struct child *c, struct wq_err *err)
{
	struct record r = record_of(c);
	int rc = record_make(c->herd->run_fd, &r);
	return rc < 0 ? err_set_name(err, rc, "no-resources", "cannot make a record") : 0;
}

static void update_record(const struct child *c)
{
	struct record r = record_of(c);
	/* The one of before says less, but enough to find it by its tag. */
	(void)record_update(c->herd->run_fd, &r);
}

static int start(struct child *c, const struct frame_spawn *spawn, const struct ends *ends,
	struct wq_err *err)
{
	struct herd *h = c->herd;
	const struct wq_spawn *what = &spawn->what;
	struct started started = { .pidfd = -1 };
	const char **env = make_env(what->env, c->tag);
	if (!env)
		return err_set_name(err, -ENOMEM, "no-resources", "cannot make the environment");
	struct start_order order = {
		.what = what,
		.env = env,
		.dir = what->dir ? what->dir : spawn->work_dir,
		.in_fd = ends->in_fd < 0 ? h->null_fd : ends->in_fd,
		.out_fd = ends->out_fd < 0 ? h->null_fd : ends->out_fd,
		.err_fd = ends->err_fd < 0 ? h->null_fd : ends->err_fd,
		.cgroup_fd = c->cgroup_fd,
	};
	if (what->flags & WQ_SPAWN_JOIN_OUTPUT)
		order.err_fd = order.out_fd;
	c->end.began_us = time_wall_us();
	c->began_ns = time_mono_ns();
	int rc = start_with_limits(h, &order, &started, err);
	free(env);
	if (rc < 0)
		return rc;
	/* It is our child: SIGCHLD tells of its end, and its pid is its own until we reap it. */
	fdio_close(&started.pidfd);
	c->pid = c->session = started.pid;
	reset_oom_score(h, c->pid);
	update_record(c);
	return 0;
}

int child_start(struct child *c, const struct frame_spawn *spawn, struct wq_err *err)
{
	struct ends ends = { -1, -1, -1 };
	c->end.began_us = time_wall_us();
	int rc = make_record(c, err);
	if (rc == 0)
		rc = open_outputs(c, spawn, &ends, err);
	if (rc == 0)
		rc = open_input(&spawn->what.input, &ends.in_fd, err);
	if (rc == 0) {
		c->cgroup_fd = open_cgroup(c, &spawn->what);
		rc = start(c, spawn, &ends, err);
	}
	fdio_close(&ends.in_fd);
	fdio_close(&ends.out_fd);
	fdio_close(&ends.err_fd);
	if (rc < 0) {
		child_close_outputs(c);
		drop_cgroup(c);
	}
	return rc;
}
