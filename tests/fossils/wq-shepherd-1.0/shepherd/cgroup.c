/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/cgroup.h"

#include "base/buf.h"
#include "base/fdio.h"
#include "shepherd/pidfd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PROC_FILE_MAX = 4 * 1024 * 1024, /* of /proc/self/mountinfo */
	PROCS_MAX = 64 * 1024 * 1024,    /* of cgroup.procs: more pids than a kernel has */
	DEPTH_MAX = 32,                  /* cgroups in cgroups that are looked into */
	BATCH = 128                      /* pidfds held at once */
};

static const char trial_name[] = "wq-trial";

/* ---- files ----------------------------------------------------------------------------------- */

static int write_file(int dir, const char *name, const char *text)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* All of a file, with a NUL behind it. */
static int read_file(int dir, const char *name, size_t limit, struct buf *ret)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fdio_read_all(fd, limit, ret);
	return rc < 0 ? rc : buf_add(ret, "", 1);
}

static int open_dir(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- where we are ------------------------------------------------------------------------------- */

/* "\040" is a blank, in place. */
static void unescape(char *s)
{
	char *out = s;
	for (; *s; out++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
			s[3] >= '0' && s[3] <= '7') {
			*out = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*out = *s++;
		}
	}
	*out = '\0';
}

/* One line of mountinfo (proc(5)): id parent dev ROOT PLACE options ... - TYPE source options. */
static bool parse_mount(char *line, const char **ret_root, const char **ret_place)
{
	char *tail = strstr(line, " - ");
	if (!tail || strncmp(tail + 3, "cgroup2 ", 8) != 0)
		return false;
	*tail = '\0';
	char *rest = NULL, *field = strtok_r(line, " ", &rest);
	char *fields[5] = { NULL };
	for (int i = 0; i < 5 && field; i++) {
		fields[i] = field;
		field = strtok_r(NULL, " ", &rest);
	}
	if (!fields[4])
		return false;
	unescape(fields[3]);
	unescape(fields[4]);
	*ret_root = fields[3];
	*ret_place = fields[4];
	return true;
}

/* Our cgroup as a path below the root of the hierarchy: "0::/a/b".  NULL: in none of version 2. */
static const char *own_path(char *text)
{
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strncmp(line, "0::/", 4) == 0)
			return line + 3;
	return NULL;
}

/* Our own directory below one mount, whose root is the cgroup `root`. */
static int open_own_below(const char *place, const char *root, const char *path)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return -ENOENT;
	char full[PATH_MAX];
	if (snprintf(full, sizeof full, "%s%s", place, path + len) >= (int)sizeof full)
		return -ENAMETOOLONG;
	int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_own_in(char *mounts, const char *path)
{
	int rc = -ENOENT;
	char *rest = NULL;
	for (char *line = strtok_r(mounts, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *root, *place;
		if (!parse_mount(line, &root, &place))
			continue;
		rc = open_own_below(place, root, path);
		if (rc >= 0)
			break;
	}
	return rc;
}

static int open_own(void)
{
	struct buf mounts = { 0 }, groups = { 0 };
	int rc = read_file(AT_FDCWD, "/proc/self/cgroup", PROC_FILE_MAX, &groups);
	if (rc == 0)
		rc = read_file(AT_FDCWD, "/proc/self/mountinfo", PROC_FILE_MAX, &mounts);
	if (rc == 0) {
		const char *path = own_path((char *)groups.data);
		/* A path through ".." is outside of what this container sees. */
		if (!path || strncmp(path, "/..", 3) == 0)
			rc = -ENOENT;
		else
			rc = open_own_in((char *)mounts.data, path);
	}
	buf_fini(&mounts);
	buf_fini(&groups);
	return rc;
}

/* ---- making ------------------------------------------------------------------------------------- */

/* Can a process be put there?  A fork of ours tries. */
static int try_to_join(int fd)
{
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		for (;;)
			(void)syscall(SYS_exit_group, -write_file(fd, "cgroup.procs", "0"));
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

static int try_base(int base_fd)
{
	int rc = cgroup_remove(base_fd, trial_name);
	if (rc < 0)
		return rc;
	bool limited;
	auto_close int fd = cgroup_make_child(base_fd, trial_name, 0, &limited);
	if (fd < 0)
		return fd;
	rc = try_to_join(fd);
	int removed = cgroup_remove(base_fd, trial_name);
	return rc < 0 ? rc : removed;
}

static bool is_name(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) <= NAME_MAX;
}

int cgroup_open_base(const char *name)
{
	if (!is_name(name))
		return -EINVAL;
	auto_close int own = open_own();
	if (own < 0)
		return own;
	bool made = mkdirat(own, name, 0755) == 0;
	if (!made && errno != EEXIST)
		return -errno;
	int base = open_dir(own, name);
	int rc = base < 0 ? base : try_base(base);
	if (rc < 0) {
		fdio_close(&base);
		if (made)
			(void)cgroup_remove(own, name);
		return rc;
	}
	/* For pids.max of the children; mostly it is not ours to have. */
	(void)write_file(base, "cgroup.subtree_control", "+pids");
	return base;
}

int cgroup_make_child(int base_fd, const char *name, uint64_t processes, bool *ret_limited)
{
	*ret_limited = false;
	if (!is_name(name))
		return -EINVAL;
	if (mkdirat(base_fd, name, 0755) < 0)
		return -errno;
	int fd = open_dir(base_fd, name);
	if (fd < 0) {
		(void)unlinkat(base_fd, name, AT_REMOVEDIR);
		return fd;
	}
	if (processes > 0) {
		char text[24];
		snprintf(text, sizeof text, "%llu", (unsigned long long)processes);
		*ret_limited = write_file(fd, "pids.max", text) == 0;
	}
	return fd;
}

int cgroup_open_child(int base_fd, const char *name)
{
	return is_name(name) ? open_dir(base_fd, name) : -EINVAL;
}

/* ---- what is in it ------------------------------------------------------------------------------ */

/* Of an open cgroup.events.  Reading it from its start makes epoll quiet until the next change. */
static int read_populated(int fd)
{
	char text[128];
	ssize_t n = fdio_pread(fd, text, sizeof text - 1, 0);
	if (n < 0)
		return n == -ENODEV ? 0 : (int)n;
	text[n] = '\0';
	const char *at = strstr(text, "populated ");
	return at ? at[strlen("populated ")] != '0' : -EPROTO;
}

int cgroup_is_populated(int fd)
{
	int rc = read_populated(fd);
	if (rc != -EISDIR && rc != -EINVAL)
		return rc;
	auto_close int events = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (events < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	return read_populated(events);
}

int cgroup_watch(int fd)
{
	int events = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (events < 0)
		return -errno;
	int rc = read_populated(events);
	if (rc < 0) {
		(void)close(events);
		return rc;
	}
	return events;
}

int cgroup_kill(int fd)
{
	return write_file(fd, "cgroup.kill", "1");
}

/* ---- what is below it --------------------------------------------------------------------------- */

/* Call `fn` with each cgroup directly below, for which `dir_fd` and the name stand.  0, or the first
 * answer below 0. */
static int each_below(int dir_fd, int (*fn)(int dir_fd, const char *name, void *arg), void *arg)
{
	int fd = open_dir(dir_fd, ".");
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int rc = fd < 0 ? fd : -errno;
		fdio_close(&fd);
		return rc == -ENOENT || rc == -ENODEV ? 0 : rc;
	}
	int rc = 0;
	for (const struct dirent *e = readdir(d); e && rc >= 0; e = readdir(d)) {
		struct stat st;
		if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		if (e->d_type == DT_UNKNOWN &&
			(fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
				!S_ISDIR(st.st_mode)))
			continue;
		rc = fn(dir_fd, e->d_name, arg);
	}
	(void)closedir(d);
	return rc < 0 ? rc : 0;
}

/* ---- signals ------------------------------------------------------------------------------------- */

struct pids {
	pid_t *at;
	size_t n, cap;
};

static int add_pid(struct pids *p, pid_t pid)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		pid_t *at = realloc(p->at, cap * sizeof *at);
		if (!at)
			return -ENOMEM;
		p->at = at;
		p->cap = cap;
	}
	p->at[p->n++] = pid;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
	return (x > y) - (x < y);
}

/* The processes of this cgroup alone, sorted.  A threaded one has none of its own (EOPNOTSUPP), one
 * that has been removed neither. */
static int read_pids(int fd, struct pids *ret)
{
	struct buf text = { 0 };
	ret->n = 0;
	int rc = read_file(fd, "cgroup.procs", PROCS_MAX, &text);
	if (rc == 0) {
		char *at = (char *)text.data, *end;
		/* 0 is one of another pid namespace. */
		for (long pid = strtol(at, &end, 10); end != at && rc == 0;
			at = end, pid = strtol(at, &end, 10))
			if (pid > 0)
				rc = add_pid(ret, (pid_t)pid);
		if (ret->n > 0)
			qsort(ret->at, ret->n, sizeof *ret->at, by_number);
	}
	buf_fini(&text);
	return rc == -EOPNOTSUPP || rc == -ENOENT || rc == -ENODEV ? 0 : rc;
}

/*
 * Signal up to BATCH of `pids`: open the pidfds, and see that the pids are in the cgroup then.  So
 * a pidfd is that of a member, or of one that has ended.  *at moves on.  The count or -errno.
 */
static int signal_batch(int fd, const struct pids *pids, size_t *at, int signo, struct pids *now)
{
	int pidfds[BATCH], rc = 0, count = 0;
	size_t from = *at, n = 0;
	for (; n < BATCH && from + n < pids->n; n++) {
		pidfds[n] = pidfd_of(pids->at[from + n]);
		if (pidfds[n] >= 0 || pidfds[n] == -ESRCH || pidfds[n] == -EINVAL)
			continue;
		/* Out of descriptors: with what there is, then on. */
		rc = (pidfds[n] == -EMFILE || pidfds[n] == -ENFILE) && n > 0 ? 0 : pidfds[n];
		break;
	}
	if (rc == 0)
		rc = read_pids(fd, now);
	for (size_t i = 0; i < n; i++) {
		const pid_t *pid = &pids->at[from + i];
		if (pidfds[i] < 0)
			continue;
		if (rc == 0 && now->n > 0 &&
			bsearch(pid, now->at, now->n, sizeof *pid, by_number) &&
			pidfd_signal(pidfds[i], signo) == 0)
			count++;
		(void)close(pidfds[i]);
	}
	*at = from + n;
	return rc < 0 ? rc : count;
}

struct signal_walk {
	int signo, count, depth;
};

static int signal_all(int fd, struct signal_walk *w);

static int signal_below(int dir_fd, const char *name, void *arg)
{
	struct signal_walk *w = arg;
	if (w->depth >= DEPTH_MAX)
		return -ELOOP;
	auto_close int fd = open_dir(dir_fd, name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	w->depth++;
	int rc = signal_all(fd, w);
	w->depth--;
	return rc;
}

static int signal_all(int fd, struct signal_walk *w)
{
	struct pids pids = { 0 }, now = { 0 };
	int rc = read_pids(fd, &pids);
	for (size_t at = 0; at < pids.n && rc >= 0;) {
		rc = signal_batch(fd, &pids, &at, w->signo, &now);
		w->count += rc > 0 ? rc : 0;
	}
	free(pids.at);
	free(now.at);
	return rc < 0 ? rc : each_below(fd, signal_below, w);
}

int cgroup_signal(int fd, int signo)
{
	struct signal_walk w = { .signo = signo };
	int rc = signal_all(fd, &w);
	return rc < 0 ? rc : w.count;
}

/* ---- removing ------------------------------------------------------------------------------------ */

static int remove_at(int dir_fd, const char *name, int depth);

static int remove_below(int dir_fd, const char *name, void *arg)
{
	const int *depth = arg;
	int rc = remove_at(dir_fd, name, *depth + 1);
	return rc;
}

static int remove_at(int dir_fd, const char *name, int depth)
{
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY || depth >= DEPTH_MAX)
		return -errno;
	auto_close int fd = open_dir(dir_fd, name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	int rc = each_below(fd, remove_below, &depth);
	if (rc < 0)
		return rc;
	return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int cgroup_remove(int base_fd, const char *name)
{
	return is_name(name) ? remove_at(base_fd, name, 0) : -EINVAL;
}
