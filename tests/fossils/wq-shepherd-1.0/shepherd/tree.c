/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/tree.h"

#include "base/fdio.h"
#include "shepherd/frame.h"
#include "shepherd/pidfd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	STAT_MAX = 4096,               /* of /proc/PID/stat: about 50 numbers and a name */
	ENVIRON_CHUNK = 16 * 1024,     /* read at once */
	ENVIRON_MAX = 8 * 1024 * 1024, /* above what execve(2) takes by default */
	TAG_MAX = FRAME_NAME_MAX + 1,  /* one more than a tag has, so that a longer one differs */
	EXITING = 0x00000004,          /* PF_EXITING in the flags of /proc/PID/stat */
	KERNEL_THREAD = 0x00200000,    /* PF_KTHREAD */
	SETTLE_TRIES = 100,            /* looks at one in execve, or that ends */
	ENTRY_SIZE = 40,               /* of a directory: room for one with a pid, not for two */
	ENTRY_MAX = 512                /* for one with the longest name */
};

static const char tag_word[] = "WQ_TASK=";

enum verdict {
	UNKNOWN,
	ASKED, /* its parent is being looked at */
	FOREIGN,
	MEMBER
};

struct proc {
	pid_t pid, parent, session;
	bool alive;    /* not a zombie */
	bool headless; /* its first thread has ended, and what that knew cannot be read */
	bool exiting;
	bool kernel;  /* a thread of the kernel */
	bool has_env; /* an environment, be it empty: not so in execve, nor when it exits */
	bool direct;  /* a member whoever its parent is */
	bool ours;    /* it descends from this process */
	enum verdict verdict;
	uint64_t start_ticks, env_size;
	char *tag; /* NULL: none, or it was not looked for */
	/* The parent as it was when its child was made, or NULL: nobody is older than his parent. */
	struct proc *up;
};

/* All processes at one time, sorted by pid. */
struct procs {
	struct proc *at;
	size_t n, cap;
	/* Seen, and nothing could be read: gone, maybe into what they had forked, or in execve. */
	size_t unsettled;
	size_t unclear; /* of those, the ones in execve */
};

struct marks {
	const struct tree_mark *at;
	size_t n;
};

/* What is wanted of each that is read, besides who its parent is. */
struct reading {
	bool tags;
	/* Stop who bears one of these as soon as he is read: some live no longer than that. */
	struct marks stop;
};

/* ---- one process --------------------------------------------------------------------------------- */

/* Fields of /proc/PID/stat, proc(5). */
enum {
	FIELD_PARENT = 4,
	FIELD_SESSION = 6,
	FIELD_FLAGS = 9,
	FIELD_THREADS = 20,
	FIELD_START = 22,
	FIELD_ENV_START = 50,
	FIELD_ENV_END = 51,
	FIELDS
};

static bool parse_stat(const char *text, struct proc *ret)
{
	unsigned long long field[FIELDS] = { 0 };
	/* The name in parentheses may hold anything, parentheses too. */
	const char *at = strrchr(text, ')');
	if (!at || at[1] != ' ' || !at[2])
		return false;
	char state = at[2];
	at += 3;
	int n = FIELD_PARENT;
	for (; n < FIELDS; n++) {
		char *end;
		field[n] = strtoull(at, &end, 10);
		if (end == at)
			break;
		at = end;
	}
	ret->parent = (pid_t)field[FIELD_PARENT];
	ret->session = (pid_t)field[FIELD_SESSION];
	ret->start_ticks = field[FIELD_START];
	ret->kernel = field[FIELD_FLAGS] & KERNEL_THREAD;
	ret->exiting = field[FIELD_FLAGS] & EXITING;
	ret->has_env = field[FIELD_ENV_START] != 0;
	ret->env_size = field[FIELD_ENV_END] - field[FIELD_ENV_START];
	/* A first thread that has ended before the others looks like a zombie. */
	bool ended = state == 'Z' || state == 'X';
	ret->headless = ended && field[FIELD_THREADS] > 1;
	ret->alive = !ended || ret->headless;
	return n > FIELD_START;
}

static int read_stat(int dir_fd, const char *path, pid_t pid, struct proc *ret)
{
	char text[STAT_MAX];
	auto_close int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : fdio_pread(fd, text, sizeof text - 1, 0);
	if (n == -ENOENT || n == -ESRCH)
		return 0;
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	*ret = (struct proc){ .pid = pid };
	return parse_stat(text, ret);
}

/* 1; 0: there is no such process; -errno. */
static int read_proc(int proc_fd, pid_t pid, struct proc *ret)
{
	char path[32];
	snprintf(path, sizeof path, "%d/stat", pid);
	return read_stat(proc_fd, path, pid, ret);
}

/* Is what has this pid now the process that was read?  One that belonged by its parent alone must
 * still have it. */
static bool is_still(int proc_fd, const struct proc *p)
{
	struct proc now;
	return read_proc(proc_fd, p->pid, &now) == 1 && now.alive &&
	       now.start_ticks == p->start_ticks && (p->direct || now.parent == p->parent);
}

static bool is_child_still(int proc_fd, const struct proc *p)
{
	struct proc now;
	return read_proc(proc_fd, p->pid, &now) == 1 && now.alive &&
	       now.start_ticks == p->start_ticks && now.parent == getpid();
}

/* `then` follows where `signo` has been sent; 0: nothing does. */
static bool signal_one(int proc_fd, const struct proc *p, int signo, int then)
{
	auto_close int pidfd = pidfd_of(p->pid);
	if (pidfd < 0 && pidfd != -ENOSYS && pidfd != -EPERM)
		return false;
	/* Without a pidfd: nobody but us can reap a child of ours, so its pid stays its own. */
	bool sent = pidfd < 0 ? is_child_still(proc_fd, p) && kill(p->pid, signo) == 0
			      : is_still(proc_fd, p) && pidfd_signal(pidfd, signo) == 0;
	if (sent && then)
		(void)(pidfd < 0 ? kill(p->pid, then) : pidfd_signal(pidfd, then));
	return sent;
}

/* Looks for the first entry "WQ_TASK=..." in an environment that comes in pieces. */
struct tag_reader {
	char *ret;
	size_t word, len; /* how much of the word has matched, how much of the value is there */
	bool skip;        /* this entry is another one */
};

/* Was that all of it? */
static bool read_tag_piece(struct tag_reader *r, const char *bytes, size_t n)
{
	const size_t word_len = sizeof tag_word - 1;
	for (size_t i = 0; i < n; i++) {
		if (r->skip) {
			const char *end = memchr(bytes + i, '\0', n - i);
			if (!end)
				return false;
			i = (size_t)(end - bytes);
			r->skip = false;
			r->word = 0;
		} else if (r->word < word_len) {
			if (bytes[i] == tag_word[r->word])
				r->word++;
			else if (bytes[i] == '\0')
				r->word = 0;
			else
				r->skip = true;
		} else if (bytes[i] == '\0' || r->len == TAG_MAX) {
			return true;
		} else {
			r->ret[r->len++] = bytes[i];
		}
	}
	return false;
}

/* The value of WQ_TASK, "" where it has none or may not be read.  How many bytes were read for that, or
 * -EACCES. */
static int64_t read_tag(int proc_fd, pid_t pid, char ret[TAG_MAX + 1])
{
	char path[32], bytes[ENVIRON_CHUNK];
	struct tag_reader r = { .ret = ret };
	ret[0] = '\0';
	snprintf(path, sizeof path, "%d/environ", pid);
	auto_close int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES || errno == EPERM ? -EACCES : 0;
	int64_t total = 0;
	while (total < ENVIRON_MAX) {
		ssize_t n = read(fd, bytes, sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		total += n;
		if (read_tag_piece(&r, bytes, (size_t)n))
			break;
	}
	ret[r.len] = '\0';
	return total;
}

static bool tag_belongs(const char *tag, const char *to)
{
	size_t len = strlen(to);
	return len > 0 && strncmp(tag, to, len) == 0 && (tag[len] == '\0' || tag[len] == '.');
}

static bool tag_belongs_to_any(const char *tag, const struct marks *marks)
{
	for (size_t i = 0; i < marks->n; i++)
		if (tag_belongs(tag, marks->at[i].tag))
			return true;
	return false;
}

/* ---- all processes ------------------------------------------------------------------------------- */

static int add_proc(struct procs *all, const struct proc *p)
{
	if (all->n == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 256;
		struct proc *at = realloc(all->at, cap * sizeof *at);
		if (!at)
			return -ENOMEM;
		all->at = at;
		all->cap = cap;
	}
	all->at[all->n++] = *p;
	return 0;
}

static void forget_tags(struct procs *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->at[i].tag);
		all->at[i].tag = NULL;
	}
}

static void free_procs(struct procs *all)
{
	forget_tags(all);
	free(all->at);
	*all = (struct procs){ 0 };
}

static int by_pid(const void *a, const void *b)
{
	const struct proc *x = a, *y = b;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct proc *find(const struct procs *all, pid_t pid)
{
	struct proc key = { .pid = pid };
	return all->n ? bsearch(&key, all->at, all->n, sizeof key, by_pid) : NULL;
}

static int open_proc(void)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static pid_t pid_of_name(const char *name)
{
	char *end;
	if (name[0] < '1' || name[0] > '9')
		return 0;
	long pid = strtol(name, &end, 10);
	return *end == '\0' && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/*
 * Its tag.  False: that cannot be told now, for it is in execve or ends.  There is no tag only where
 * all of the environment was read that it has afterwards too.
 */
static bool look_at_tag(int proc_fd, struct proc *p, char ret[TAG_MAX + 1])
{
	struct proc now;
	int64_t n = read_tag(proc_fd, p->pid, ret);
	if (n == -EACCES || n >= ENVIRON_MAX || ret[0])
		return true;
	bool there = read_proc(proc_fd, p->pid, &now) == 1 && now.start_ticks == p->start_ticks;
	p->alive = there && now.alive;
	p->exiting = !there || now.exiting;
	p->has_env = there && now.has_env;
	return p->alive && p->has_env && (uint64_t)n == now.env_size;
}

static bool settle_tag(int proc_fd, struct proc *p, int tries, char ret[TAG_MAX + 1])
{
	bool settled = look_at_tag(proc_fd, p, ret);
	for (int i = 1; i < tries && !settled && p->alive && !p->exiting; i++) {
		(void)sched_yield();
		settled = look_at_tag(proc_fd, p, ret);
	}
	return settled;
}

static int note_tag(int proc_fd, struct proc *p, const struct reading *reading, struct procs *all)
{
	char tag[TAG_MAX + 1];
	/* Who is about to be stopped gets no time. */
	bool settled = settle_tag(proc_fd, p, reading->stop.n ? 1 : SETTLE_TRIES, tag);
	all->unsettled += !settled;
	all->unclear += !settled && p->alive && !p->exiting && !p->has_env;
	if (tag[0] == '\0')
		return 0;
	p->direct = p->pid != getpid() && tag_belongs_to_any(tag, &reading->stop);
	if (p->direct)
		(void)signal_one(proc_fd, p, SIGSTOP, 0);
	p->tag = strdup(tag);
	return p->tag ? 0 : -ENOMEM;
}

static int add_one(int proc_fd, pid_t pid, const struct reading *reading, struct procs *ret)
{
	struct proc p;
	int rc = read_proc(proc_fd, pid, &p);
	/* One that hides is nothing to us. */
	ret->unsettled += rc == 0;
	if (rc <= 0)
		return 0;
	rc = reading->tags && p.alive && !p.kernel && !p.headless
		     ? note_tag(proc_fd, &p, reading, ret)
		     : 0;
	if (rc == 0)
		rc = add_proc(ret, &p);
	if (rc < 0)
		free(p.tag);
	return rc;
}

/* What getdents64(2) gives; d_reclen says where the next one is. */
union entries {
	struct dirent64 first;
	char bytes[ENTRY_MAX];
};

static int add_entries(int proc_fd, const union entries *entries, ssize_t len,
	const struct reading *reading, struct procs *ret)
{
	int rc = 0;
	for (ssize_t at = 0; at < len && rc == 0;) {
		unsigned short size;
		memcpy(&size, entries->bytes + at + offsetof(struct dirent64, d_reclen),
			sizeof size);
		pid_t pid = pid_of_name(entries->bytes + at + offsetof(struct dirent64, d_name));
		if (pid > 0)
			rc = add_one(proc_fd, pid, reading, ret);
		at += size;
	}
	return rc;
}

static void find_parents(struct procs *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct proc *p = &all->at[i], *up = find(all, p->parent);
		p->up = up && up != p && up->start_ticks <= p->start_ticks ? up : NULL;
	}
}

/*
 * One after the other, as pids rise: who has a child and ends while he is looked at is followed, for
 * the child comes later.  The kernel would list all at once, and stale when they are read.
 */
static int read_procs(int proc_fd, const struct reading *reading, struct procs *ret)
{
	union entries entries;
	forget_tags(ret);
	ret->n = ret->unsettled = ret->unclear = 0;
	auto_close int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t len;
	do {
		len = getdents64(fd, &entries, ENTRY_SIZE);
		if (len < 0 && errno == EINVAL)
			len = getdents64(fd, &entries, sizeof entries);
		int rc = len < 0 ? -errno : add_entries(proc_fd, &entries, len, reading, ret);
		if (rc < 0)
			return rc;
	} while (len > 0);
	if (ret->n > 0)
		qsort(ret->at, ret->n, sizeof *ret->at, by_pid);
	find_parents(ret);
	return 0;
}

/* ---- who belongs --------------------------------------------------------------------------------- */

/*
 * Decide for all: each walks up until one is decided, and hands the answer down the way that it
 * came.  ASKED breaks a ring, which can be where pids were used again while they were read.
 */
static void decide(struct procs *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct proc *p = &all->at[i];
		while (p && p->verdict == UNKNOWN) {
			p->verdict = ASKED;
			p = p->up;
		}
		enum verdict answer = p && p->verdict == MEMBER ? MEMBER : FOREIGN;
		for (p = &all->at[i]; p && p->verdict == ASKED; p = p->up)
			p->verdict = answer;
	}
}

static void decide_ours(struct procs *all)
{
	pid_t self = getpid();
	for (size_t i = 0; i < all->n; i++)
		all->at[i].verdict = all->at[i].pid == self ? MEMBER : UNKNOWN;
	decide(all);
	for (size_t i = 0; i < all->n; i++)
		all->at[i].ours = all->at[i].verdict == MEMBER && all->at[i].pid != self;
}

static bool is_marked(const struct proc *p, const struct tree_mark *mark, pid_t self)
{
	if (mark->pid == 0 || p->pid != mark->pid)
		return false;
	return mark->start_ticks ? p->start_ticks == mark->start_ticks : p->parent == self;
}

/*
 * The number of a session may be used again when it has gone.  So it counts while the child that
 * leads it is there; after that only for who descends from this process, which gets all orphans of
 * its children, and no task of another name.
 */
static void find_direct(struct procs *all, const struct tree_mark *mark)
{
	pid_t self = getpid();
	const struct proc *leader = find(all, mark->pid);
	bool led = leader && is_marked(leader, mark, self) && mark->session == mark->pid;
	for (size_t i = 0; i < all->n; i++) {
		struct proc *p = &all->at[i];
		bool bears = p->tag && tag_belongs(p->tag, mark->tag);
		bool strange = p->tag && mark->tag[0] && !bears;
		bool in_session = mark->session > 0 && p->session == mark->session && !strange &&
				  (led || p->ours);
		if (bears || in_session || is_marked(p, mark, self))
			p->direct = true;
	}
}

/* The verdict on each: does it belong to one of them? */
static void decide_all(struct procs *all, const struct marks *marks)
{
	pid_t self = getpid();
	for (size_t i = 0; i < all->n; i++)
		all->at[i].direct = false;
	for (size_t i = 0; i < marks->n; i++)
		find_direct(all, &marks->at[i]);
	for (size_t i = 0; i < all->n; i++) {
		struct proc *p = &all->at[i];
		p->verdict = p->pid == self ? FOREIGN : p->direct ? MEMBER : UNKNOWN;
	}
	decide(all);
}

static bool is_member(const struct proc *p)
{
	return p->verdict == MEMBER && p->alive;
}

/* ---- looks ------------------------------------------------------------------------------------- */

static void look_for(int proc_fd, struct procs *all, struct tree_look *look)
{
	const struct marks mark = { &look->mark, 1 };
	decide_all(all, &mark);
	look->n = look->n_signalled = 0;
	for (size_t i = 0; i < all->n; i++) {
		const struct proc *p = &all->at[i];
		if (!is_member(p))
			continue;
		look->n++;
		if (look->signo && signal_one(proc_fd, p, look->signo, look->then))
			look->n_signalled++;
	}
	/* One that is in execve may be a member. */
	if (look->n == 0)
		look->n = (uint32_t)all->unclear;
}

int tree_look(struct tree_look *looks, size_t n)
{
	static const struct reading reading = { .tags = true };
	auto_close int proc_fd = open_proc();
	if (proc_fd < 0)
		return proc_fd;
	struct procs all = { 0 };
	int rc = read_procs(proc_fd, &reading, &all);
	if (rc == 0)
		decide_ours(&all);
	for (size_t i = 0; rc == 0 && i < n; i++)
		look_for(proc_fd, &all, &looks[i]);
	free_procs(&all);
	return rc;
}

/* ---- the end of all ------------------------------------------------------------------------------ */

/* The members, living ones alone.  0 or -errno. */
static int read_members(
	int proc_fd, const struct marks *marks, const struct reading *reading, struct procs *ret)
{
	size_t n = 0;
	int rc = read_procs(proc_fd, reading, ret);
	if (rc < 0)
		return rc;
	decide_ours(ret);
	decide_all(ret, marks);
	forget_tags(ret);
	for (size_t i = 0; i < ret->n; i++)
		if (is_member(&ret->at[i]))
			ret->at[n++] = ret->at[i];
	ret->n = n;
	return 0;
}

/* Stop each member that `before` does not hold.  How many there were. */
static size_t stop_new(int proc_fd, const struct procs *members, const struct procs *before)
{
	size_t count = 0;
	for (size_t i = 0; i < members->n; i++) {
		const struct proc *p = &members->at[i], *known = find(before, p->pid);
		if (known && known->start_ticks == p->start_ticks)
			continue;
		(void)signal_one(proc_fd, p, SIGSTOP, 0);
		count++;
	}
	return count;
}

/* "Nothing" is believed only where each could be looked at. */
static bool is_sure(const struct procs *members)
{
	return members->n > 0 || members->unsettled == 0;
}

/*
 * What has been stopped forks no more: rounds of it, until one finds nothing new, or they are over.
 * `members` are who was found last.  0 or 1, or -errno.
 */
static int stop_all(int proc_fd, const struct marks *marks, int rounds, struct procs *members)
{
	const struct reading stopping = { .tags = true, .stop = *marks };
	struct procs before = { 0 };
	int rc = 0;
	for (int i = 0; i < rounds; i++) {
		rc = read_members(proc_fd, marks, &stopping, members);
		if (rc < 0)
			break;
		if (stop_new(proc_fd, members, &before) == 0 && is_sure(members)) {
			rc = 1;
			break;
		}
		struct procs swap = before;
		before = *members;
		*members = swap;
		members->n = 0;
	}
	if (rc == 0)
		rc = read_members(proc_fd, marks, &stopping, members);
	free_procs(&before);
	return rc;
}

int tree_kill(const struct tree_mark *marks, size_t n, int rounds)
{
	static const struct reading reading = { .tags = true };
	const struct marks all = { marks, n };
	auto_close int proc_fd = open_proc();
	if (proc_fd < 0)
		return proc_fd;
	struct procs members = { 0 };
	int rc = stop_all(proc_fd, &all, rounds, &members);
	for (size_t i = 0; rc >= 0 && i < members.n; i++)
		(void)signal_one(proc_fd, &members.at[i], SIGKILL, 0);
	bool sure = members.n == 0 && members.unclear == 0;
	for (int i = 0; rc >= 0 && !sure && i < rounds; i++) {
		rc = read_members(proc_fd, &all, &reading, &members);
		sure = is_sure(&members);
	}
	size_t left = members.n > 0 ? members.n : members.unclear;
	free_procs(&members);
	return rc < 0 ? rc : (int)left;
}

/* ---- strays -------------------------------------------------------------------------------------- */

/* A kernel may lack /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN), so each parent is asked. */
int tree_strays(bool (*is_known)(void *arg, pid_t pid),
	void (*fn)(void *arg, pid_t pid, const char *tag), void *arg)
{
	static const struct reading reading = { 0 };
	auto_close int proc_fd = open_proc();
	if (proc_fd < 0)
		return proc_fd;
	struct procs all = { 0 };
	int rc = read_procs(proc_fd, &reading, &all), count = 0;
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		struct proc *p = &all.at[i];
		char tag[TAG_MAX + 1];
		if (p->parent != getpid() || !p->alive || is_known(arg, p->pid))
			continue;
		(void)settle_tag(proc_fd, p, SETTLE_TRIES, tag);
		if (strlen(tag) > FRAME_NAME_MAX)
			tag[0] = '\0';
		fn(arg, p->pid, tag);
		count++;
	}
	free_procs(&all);
	return rc < 0 ? rc : count;
}

uint64_t tree_start_ticks(pid_t pid)
{
	struct proc p;
	char path[32];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	return read_stat(AT_FDCWD, path, pid, &p) == 1 ? p.start_ticks : 0;
}
