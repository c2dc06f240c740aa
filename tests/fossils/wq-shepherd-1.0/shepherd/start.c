/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/start.h"

#include "base/err.h"
#include "base/fdio.h"
#include "shepherd/launch.h"
#include "shepherd/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum {
	STACK_SIZE = 64 * 1024,
	GUARD_SIZE = 64 * 1024, /* a page, of whatever size */
	CLOSE_MAX = 65536       /* descriptors looked at where there is no close_range(2) */
};

/* sigset_t of the kernel, in bytes. */
static const size_t sigset_size = _NSIG / 8;
typedef struct {
	unsigned long word[_NSIG / 8 / sizeof(unsigned long)];
} kernel_sigset;

static const char default_path[] = "/usr/bin:/bin";

/*
 * One mapping for all starts.  It is shared, so that a failure is told also where the memory of
 * parent and child is not the same after all (valgrind makes a fork of each clone).
 */
struct kept {
	char guard[GUARD_SIZE];
	char stack[STACK_SIZE] __attribute__((aligned(16)));
	struct launch launch;
	char directory[PATH_MAX];
	char candidate[LAUNCH_PATH_MAX];
	char noted[LAUNCH_PATH_MAX];
};

static struct kept *kept;
static pid_t kept_by; /* a fork of this process needs one of its own */
static bool no_clone3;

/* ---- the child: on the kept stack, in its parent's memory ------------------------------------------
 *
 * System calls alone, and nothing that a sanitizer watches: this never returns, so what it left on
 * its stack would stay marked for ever.
 */
#define CHILD_SIDE                                                                                 \
	__attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))

CHILD_SIDE static _Noreturn void child_fails(
	struct launch *l, enum launch_stage stage, int error, uint32_t n)
{
	l->n = n;
	l->error = error;
	l->stage = stage;
	for (;;)
		(void)syscall(SYS_exit_group, 127);
}

CHILD_SIDE static void child_signals(void)
{
	/* A kernel's struct sigaction of zeros is SIG_DFL with an empty mask, whatever its layout. */
	static const unsigned long by_default[16];
	static const kernel_sigset none;
	for (int signo = 1; signo < _NSIG; signo++)
		(void)syscall(SYS_rt_sigaction, signo, by_default, NULL, sigset_size);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sigset_size);
}

CHILD_SIDE static void child_close_rest(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3, ~0U, 0) == 0)
		return;
#endif
	struct rlimit files = { 0 };
	(void)syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &files);
	int end = files.rlim_cur < CLOSE_MAX ? (int)files.rlim_cur : CLOSE_MAX;
	for (int fd = 3; fd < end; fd++)
		(void)syscall(SYS_close, fd);
}

CHILD_SIDE static void child_files(struct launch *l)
{
	long fd[3] = { l->order->in_fd, l->order->out_fd, l->order->err_fd };
	/* One that stands in the place of another is moved away first. */
	for (int i = 0; i < 3; i++) {
		if (fd[i] < 3)
			fd[i] = syscall(SYS_fcntl, fd[i], F_DUPFD_CLOEXEC, 3);
		if (fd[i] < 0)
			child_fails(l, LAUNCH_FILES, errno, 0);
	}
	for (int i = 0; i < 3; i++)
		if (syscall(SYS_dup3, fd[i], i, 0) < 0)
			child_fails(l, LAUNCH_FILES, errno, 0);
	child_close_rest();
}

/* Is `dir` the directory `top`, or below it? */
CHILD_SIDE static bool child_is_below(const char *dir, const char *top)
{
	if (top[0] == '/' && top[1] == '\0')
		return dir[0] == '/';
	while (*top && *dir == *top)
		dir++, top++;
	return *top == '\0' && (*dir == '\0' || *dir == '/');
}

CHILD_SIDE static void child_dir(struct launch *l)
{
	if (syscall(SYS_chdir, l->order->dir) < 0)
		child_fails(l, LAUNCH_DIR, errno, 0);
	if (!l->allowed)
		return;
	if (syscall(SYS_getcwd, l->directory, (size_t)PATH_MAX) < 0)
		child_fails(l, LAUNCH_DIR, errno, 0);
	for (char **top = l->allowed; *top; top++)
		if (child_is_below(l->directory, *top))
			return;
	child_fails(l, LAUNCH_ALLOWED, EACCES, 0);
}

CHILD_SIDE static void child_limits(struct launch *l)
{
	const struct wq_spawn *w = l->order->what;
	(void)syscall(SYS_umask, w->umask);
	/* Who is nice already and may not be less so stays as he is. */
	if (w->nice > 0)
		(void)syscall(SYS_setpriority, PRIO_PROCESS, 0, w->nice);
	for (uint32_t i = 0; i < w->n_limits; i++) {
		uint64_t limit[2] = { w->limits[i].value, w->limits[i].value };
		if (syscall(SYS_prlimit64, 0, w->limits[i].resource, limit, NULL) < 0)
			child_fails(l, LAUNCH_LIMIT, errno, i);
	}
}

CHILD_SIDE static int child_exec(const struct launch *l, const char *path)
{
	(void)syscall(SYS_execve, path, l->order->what->argv, l->order->env);
	return errno;
}

/* "<the directory from..to>/<argv[0]>"; an empty directory is the current one. */
CHILD_SIDE static bool child_candidate(struct launch *l, const char *from, const char *to)
{
	char *out = l->candidate, *end = l->candidate + LAUNCH_PATH_MAX - 1;
	if (to - from >= PATH_MAX)
		return false;
	for (const char *c = from; c < to; c++)
		*out++ = *c;
	if (to > from)
		*out++ = '/';
	for (const char *c = l->order->what->argv[0]; *c; c++) {
		if (out == end)
			return false;
		*out++ = *c;
	}
	*out = '\0';
	return true;
}

CHILD_SIDE static void child_note(struct launch *l)
{
	const char *from = l->candidate;
	char *to = l->noted;
	while ((*to++ = *from++))
		;
}

/* execvp(3), but for the shell that it guesses. */
CHILD_SIDE static _Noreturn void child_search(struct launch *l)
{
	bool denied = false;
	const char *from = l->search;
	for (;;) {
		const char *to = from;
		while (*to && *to != ':')
			to++;
		int error = child_candidate(l, from, to) ? child_exec(l, l->candidate) : ENOENT;
		switch (error) {
		case EACCES:
			if (!denied)
				child_note(l);
			denied = true;
			break;
		case ENOENT:
			/* It may be there, and its interpreter not. */
			if (!l->noted[0] &&
				syscall(SYS_faccessat, AT_FDCWD, l->candidate, F_OK) == 0)
				child_note(l);
			break;
		case ENOTDIR:
		case ENAMETOOLONG:
		case ESTALE:
		case ENODEV:
		case ETIMEDOUT:
			break;
		default:
			child_note(l);
			child_fails(l, LAUNCH_EXEC, error, 0);
		}
		if (!*to)
			child_fails(l, LAUNCH_EXEC, denied ? EACCES : ENOENT, 0);
		from = to + 1;
	}
}

CHILD_SIDE static void child_join(struct launch *l)
{
	long fd = syscall(SYS_openat, l->order->cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_write, fd, "0", (size_t)1) < 0)
		child_fails(l, LAUNCH_CGROUP, errno, 0);
	(void)syscall(SYS_close, fd);
}

CHILD_SIDE static _Noreturn void child_run(struct launch *l)
{
	child_signals();
	(void)syscall(SYS_setsid);
	child_files(l);
	child_dir(l);
	child_limits(l);
	if (l->search)
		child_search(l);
	child_fails(l, LAUNCH_EXEC, child_exec(l, l->order->what->argv[0]), 0);
}

CHILD_SIDE static void child_of_clone3(void *arg)
{
	child_run(arg);
}

CHILD_SIDE static int child_of_clone(void *arg)
{
	struct launch *l = arg;
	if (l->order->cgroup_fd >= 0)
		child_join(l);
	child_run(l);
}

/* ---- the parent -------------------------------------------------------------------------------- */

/*
 * clone3(2) with a stack of its own for the child, which therefore cannot come back from a function
 * call: it is sent on to `fn` here.  The pid, or -errno.
 */
#if defined(__x86_64__) && defined(__LP64__)
static long clone3_to(struct clone_args *args, void (*fn)(void *), void *arg)
{
	long ret;
	register void (*to)(void *) __asm__("r8") = fn;
	register void *with __asm__("r9") = arg;
	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "movq %%r9, %%rdi\n\t"
			 "callq *%%r8\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "0"((long)SYS_clone3), "D"(args), "S"(sizeof *args), "r"(to), "r"(with)
			 : "rcx", "r11", "cc", "memory");
	return ret;
}
#elif defined(__aarch64__) && defined(__LP64__)
static long clone3_to(struct clone_args *args, void (*fn)(void *), void *arg)
{
	register long x8 __asm__("x8") = SYS_clone3;
	register void *x0 __asm__("x0") = args;
	register size_t x1 __asm__("x1") = sizeof *args;
	register void (*to)(void *) __asm__("x2") = fn;
	register void *with __asm__("x3") = arg;
	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, #0\n\t"
			 "mov x30, #0\n\t"
			 "mov x0, x3\n\t"
			 "blr x2\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(to), "r"(with)
			 : "cc", "memory");
	return (long)x0;
}
#else
static long clone3_to(struct clone_args *args, void (*fn)(void *), void *arg)
{
	(void)args, (void)fn, (void)arg;
	return -ENOSYS;
}
#endif

/* -ENOSYS: not with this kernel, or not allowed to (a seccomp filter says EPERM). */
static long by_clone3(struct launch *l, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)kept->stack,
		.stack_size = STACK_SIZE,
	};
	if (l->order->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)l->order->cgroup_fd;
	}
	if (no_clone3)
		return -ENOSYS;
	long pid = clone3_to(&args, child_of_clone3, l);
	if (pid == -ENOSYS || pid == -EPERM)
		no_clone3 = true;
	/* E2BIG, EINVAL: a kernel before 5.7, which cannot put it into a cgroup. */
	if (pid == -ENOSYS || pid == -EPERM || pid == -E2BIG || pid == -EINVAL)
		return -ENOSYS;
	*ret_pidfd = pidfd;
	return pid;
}

static long by_clone(struct launch *l, int *ret_pidfd)
{
	long pid = clone(
		child_of_clone, kept->stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, l);
	if (pid < 0)
		return -errno;
	/* It is our child and has not been waited for, so the pid is still its own. */
	int fd = pidfd_of((pid_t)pid);
	*ret_pidfd = fd < 0 ? -1 : fd;
	return pid;
}

/* No handler may run in the child, for it would write to our memory. */
static long make(struct launch *l, int *ret_pidfd)
{
	kernel_sigset all, before;
	memset(&all, 0xff, sizeof all);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sigset_size);
	long pid = by_clone3(l, ret_pidfd);
	if (pid == -ENOSYS)
		pid = by_clone(l, ret_pidfd);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sigset_size);
	return pid;
}

/* The launch in the kept memory, or NULL. */
static struct launch *new_launch(const struct start_order *order)
{
	if (!kept || kept_by != getpid()) {
		void *p = mmap(NULL, sizeof *kept, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return NULL;
		(void)mprotect(p, GUARD_SIZE, PROT_NONE);
		if (kept)
			(void)munmap(kept, sizeof *kept);
		kept = p;
		kept_by = getpid();
	}
	kept->launch = (struct launch){
		.order = order,
		.directory = kept->directory,
		.candidate = kept->candidate,
		.noted = kept->noted,
	};
	kept->candidate[0] = kept->noted[0] = '\0';
	return &kept->launch;
}

static void free_allowed(struct launch *l)
{
	for (char **top = l->allowed; top && *top; top++)
		free(*top);
	free(l->allowed);
	l->allowed = NULL;
}

/* What cannot be resolved is not there, and nothing is below it. */
static int resolve_allowed(struct launch *l, const char *const *dirs)
{
	size_t n = 0;
	while (dirs[n])
		n++;
	l->allowed = calloc(n + 1, sizeof *l->allowed);
	if (!l->allowed)
		return -ENOMEM;
	char **out = l->allowed;
	for (size_t i = 0; i < n; i++) {
		*out = realpath(dirs[i], NULL);
		if (*out)
			out++;
		else if (errno == ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

static int prepare(struct launch *l, struct wq_err *err)
{
	const struct wq_spawn *what = l->order->what;
	if (!what->argv || !what->argv[0] || !what->argv[0][0])
		return err_set_name(err, -ENOENT, "not-found", "no program is named");
	if (!strchr(what->argv[0], '/')) {
		l->search = default_path;
		for (const char *const *e = l->order->env; e && *e; e++) {
			if (strncmp(*e, "PATH=", 5) == 0) {
				l->search = *e + 5;
				break;
			}
		}
	}
	if (what->dirs_allowed && resolve_allowed(l, what->dirs_allowed) < 0)
		return err_set_name(err, -ENOMEM, "no-resources", "cannot start a process");
	return 0;
}

static int launch(struct launch *l, struct started *ret, struct wq_err *err)
{
	int rc = prepare(l, err);
	if (rc < 0)
		return rc;
	int pidfd = -1;
	long pid = make(l, &pidfd);
	if (pid < 0)
		return err_set_name(err, (int)pid, "no-resources", "cannot start a process%s",
			l->order->cgroup_fd >= 0 ? " in its cgroup" : "");
	if (l->stage == LAUNCH_RUNS) {
		*ret = (struct started){ .pid = (pid_t)pid, .pidfd = pidfd };
		return 0;
	}
	while (waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED) < 0 && errno == EINTR)
		;
	fdio_close(&pidfd);
	return launch_explain(l, err);
}

int start_child(const struct start_order *order, struct started *ret, struct wq_err *err)
{
	struct launch *l = new_launch(order);
	if (!l)
		return err_set_name(err, -errno, "no-resources", "cannot start a process");
	int rc = launch(l, ret, err);
	free_allowed(l);
	return rc;
}
