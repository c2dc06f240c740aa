/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plant.so: faults for tortures to find, put by LD_PRELOAD between a real wq-server and libc's calls,
 * so that nothing of core knows of them.  PLANT says which:
 *
 *	publish-before-unlink   A result takes no place in 3 before it is in 4: it is renamed from
 *	                        .wq/tmp to 4 while the request still stands in 3, which goes after it.
 *	start-before-rename     The rename from 2 to 3 is put off until something else is to become
 *	                        of the request, so its task begins, and runs, while it stands in 2.
 *	marker-before-subject   What is aborted is unlinked after its marker, not before it.
 *	no-directory-sync       Directories are not synced, nor are file systems.
 *
 * PLANT_IN names the program in which it works, wq-server when it is not set; others pass through.
 * PLANT_LOG is a file to which each call that was not as asked for adds a line.  PLANT_LINGER is for how
 * many milliseconds the server stands still between what came too early and what is owed, as it would
 * in a sync: a random kill seldom meets the instant between two calls.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum fault {
	NO_FAULT,
	PUBLISH_BEFORE_UNLINK,
	START_BEFORE_RENAME,
	MARKER_BEFORE_SUBJECT,
	NO_DIRECTORY_SYNC,
	FAULT_MAX
};

static const char *const fault_names[FAULT_MAX] = { "", "publish-before-unlink",
	"start-before-rename", "marker-before-subject", "no-directory-sync" };

/* A call that was answered and is still to be made. */
struct owed {
	struct owed *next;
	int from, to;   /* directories of a rename; `to` -1: unlink in `from` */
	bool published; /* by publish-before-unlink: what is owed is the end of the request in `to` */
	char name[NAME_MAX + 1];
};

static enum fault fault;
static int log_fd = -1;
static struct timespec linger;
static struct owed *debts;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_openat)(int, const char *, int, ...);
static int (*real_fstatat)(int, const char *, struct stat *, int);
static int (*real_renameat2)(int, const char *, int, const char *, unsigned);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_linkat)(int, const char *, int, const char *, int);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_syncfs)(int);

static void find(void *ret, const char *name)
{
	void *at = dlsym(RTLD_NEXT, name);
	memcpy(ret, &at, sizeof at);
	if (!at)
		abort();
}

__attribute__((constructor)) static void begin(void)
{
	find(&real_openat, "openat");
	find(&real_fstatat, "fstatat");
	find(&real_renameat2, "renameat2");
	find(&real_unlinkat, "unlinkat");
	find(&real_linkat, "linkat");
	find(&real_fsync, "fsync");
	find(&real_fdatasync, "fdatasync");
	find(&real_syncfs, "syncfs");

	const char *which = getenv("PLANT"), *in = getenv("PLANT_IN"), *log = getenv("PLANT_LOG");
	if (!which || strcmp(program_invocation_short_name, in ? in : "wq-server") != 0)
		return;
	for (int i = 1; i < FAULT_MAX; i++)
		if (strcmp(which, fault_names[i]) == 0)
			fault = (enum fault)i;
	if (fault == NO_FAULT) {
		/* A test that plants nothing and does not know it would prove nothing. */
		fprintf(stderr, "plant: no fault is called '%s'\n", which);
		_exit(2);
	}
	if (getenv("PLANT_LINGER"))
		linger.tv_nsec = strtol(getenv("PLANT_LINGER"), NULL, 10) % 1000 * 1000000;
	if (log)
		log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	char line[2 * NAME_MAX];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (log_fd >= 0)
		(void)!write(log_fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

/* Which directory of a spool: 1 to 5, `t` for .wq/tmp, or something else. */
static char place_of(int dir)
{
	char link[64], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	const char *name = strrchr(path, '/') + 1;
	static const char *const states[] = { "1-requested", "2-pending", "3-running", "4-complete",
		"5-aborting", "tmp" };
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(name, states[i]) == 0)
			return states[i][0];
	return 0;
}

static bool stands(int dir, const char *name)
{
	struct stat st;
	return real_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The server's probes of the file system are left alone. */
static bool is_id(const char *name)
{
	return name[0] >= '0' && name[0] <= '9';
}

static bool has_marker(int dir, const char *id)
{
	char path[64 + NAME_MAX + 1];
	snprintf(path, sizeof path, "/proc/self/fd/%d/../5-aborting/%s", dir, id);
	return stands(AT_FDCWD, path);
}

static struct owed *owed_for(const char *name)
{
	struct owed *o = debts;
	while (o && strcmp(o->name, name) != 0)
		o = o->next;
	return o;
}

static void owe(int from, int to, const char *name)
{
	struct owed *o = calloc(1, sizeof *o);
	if (!o)
		abort();
	*o = (struct owed){ .next = debts, .from = from, .to = to };
	snprintf(o->name, sizeof o->name, "%s", name);
	debts = o;
	tell("put off: %s, which stands in %c\n", name, place_of(from));
}

static void forget(struct owed *o)
{
	struct owed **at = &debts;
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	free(o);
}

/* Make the call that is owed for `name` after all, if there is one. */
static void settle(const char *name)
{
	struct owed *o = owed_for(name);
	if (!o)
		return;
	int error = errno;
	if (o->to < 0)
		(void)real_unlinkat(o->from, o->name, 0);
	else
		(void)real_renameat2(o->from, o->name, o->to, o->name, 0);
	errno = error;
	tell("made up for: %s\n", name);
	forget(o);
}

/* ---- the faults: each answers whether the call has been dealt with ----------------------------- */

static bool publish_first(
	int from_dir, const char *from, int to_dir, const char *to, unsigned flags, int *ret)
{
	char a = place_of(from_dir), b = place_of(to_dir);
	struct owed *o = owed_for(from);
	if (a == 't' && b == '3' && (flags & RENAME_EXCHANGE) && !o) {
		owe(from_dir, to_dir, from);
		*ret = 0;
		return true;
	}
	if (!o)
		return false;
	if (a == '3' && b == '4' && !o->published) {
		*ret = real_renameat2(o->from, from, to_dir, to, flags);
		o->published = *ret == 0;
		(void)nanosleep(&linger, NULL);
		tell("published: %s, whose request stands in 3\n", from);
		return true;
	}
	if (a == 't' && o->published) { /* a request that was unusable is set aside */
		*ret = real_renameat2(o->to, from, to_dir, to, flags);
		forget(o);
		return true;
	}
	return false;
}

static bool unlink_published(int dir, const char *name, int *ret)
{
	struct owed *o = owed_for(name);
	if (!o || place_of(dir) != 't')
		return false;
	if (o->published)
		dir = o->to;
	*ret = real_unlinkat(dir, name, 0);
	forget(o);
	return true;
}

static bool rename_later(int from_dir, int to_dir, const char *name, int *ret)
{
	if (place_of(from_dir) != '2' || place_of(to_dir) != '3' || owed_for(name) ||
		!stands(from_dir, name) || stands(to_dir, name))
		return false;
	owe(from_dir, to_dir, name);
	*ret = 0;
	return true;
}

static bool unlink_later(int dir, const char *name, int *ret)
{
	char place = place_of(dir);
	if (place == '5') {
		*ret = real_unlinkat(dir, name, 0);
		(void)nanosleep(&linger, NULL);
		settle(name);
		return true;
	}
	if (place < '1' || place > '4' || owed_for(name) || !has_marker(dir, name) ||
		!stands(dir, name))
		return false;
	owe(dir, -1, name);
	*ret = 0;
	return true;
}

/* Where a file that is looked for in `dir` stands in truth. */
static int true_place(int dir, const char *name)
{
	if (fault != START_BEFORE_RENAME || !debts)
		return dir;
	pthread_mutex_lock(&lock);
	struct owed *o = owed_for(name);
	if (o && place_of(dir) == '3')
		dir = o->from;
	pthread_mutex_unlock(&lock);
	return dir;
}

static bool is_spared(int fd)
{
	struct stat st;
	if (fault != NO_DIRECTORY_SYNC || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	tell("not synced: %c\n", place_of(fd) ? place_of(fd) : '?');
	return true;
}

/* ---- what libc has ----------------------------------------------------------------------------- */

EXPORT int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	if (flags & (O_CREAT | O_TMPFILE)) {
		va_list args;
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return real_openat(true_place(dir, name), name, flags, mode);
}

EXPORT int fstatat(int dir, const char *name, struct stat *ret, int flags)
{
	return real_fstatat(true_place(dir, name), name, ret, flags);
}

EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	int ret;
	bool dealt_with = false;
	pthread_mutex_lock(&lock);
	if (fault == PUBLISH_BEFORE_UNLINK && is_id(from))
		dealt_with = publish_first(from_dir, from, to_dir, to, flags, &ret);
	else if (fault == START_BEFORE_RENAME && is_id(from))
		dealt_with = rename_later(from_dir, to_dir, from, &ret);
	if (!dealt_with) {
		if (fault == START_BEFORE_RENAME)
			settle(from);
		ret = real_renameat2(from_dir, from, to_dir, to, flags);
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

EXPORT int unlinkat(int dir, const char *name, int flags)
{
	int ret;
	bool dealt_with = false;
	pthread_mutex_lock(&lock);
	if (fault == PUBLISH_BEFORE_UNLINK && is_id(name))
		dealt_with = unlink_published(dir, name, &ret);
	else if (fault == MARKER_BEFORE_SUBJECT && is_id(name))
		dealt_with = unlink_later(dir, name, &ret);
	if (!dealt_with) {
		if (fault == START_BEFORE_RENAME)
			settle(name);
		ret = real_unlinkat(dir, name, flags);
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

EXPORT int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	pthread_mutex_lock(&lock);
	if (fault == START_BEFORE_RENAME)
		settle(from);
	int ret = real_linkat(from_dir, from, to_dir, to, flags);
	pthread_mutex_unlock(&lock);
	return ret;
}

EXPORT int fsync(int fd)
{
	return is_spared(fd) ? 0 : real_fsync(fd);
}

EXPORT int fdatasync(int fd)
{
	return is_spared(fd) ? 0 : real_fdatasync(fd);
}

EXPORT int syncfs(int fd)
{
	return is_spared(fd) ? 0 : real_syncfs(fd);
}
