/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * killat: run a program and kill a process of it right before or right after one system call.
 *
 *	killat SPOOL EVENTS REPORT ROLE before|after CALL PLACE N PROGRAM [ARGUMENT...]
 *
 * The process is PROGRAM's own when it bears the name ROLE, or else the first that it starts which does.
 * The call is the N-th CALL of its threads that concerns PLACE, a directory of SPOOL, or FROM>TO where it
 * has two.  `before`: the kernel has not begun it.  `after`: it has done it all and has not
 * returned to the program.  ptrace(2) stops a thread at these two instants, so that no instruction
 * of the program lies between the instant and its death.
 *
 * Then `killed` and the role are added to EVENTS, REPORT says what it was about to do or had done, the
 * process gets SIGKILL, and everything else goes on without being traced.  killat itself goes on until
 * PROGRAM has ended, and a process of the role that was not killed; when it is killed, PROGRAM is.
 * The exit status is that of PROGRAM, or 128 and the signal that ended it.
 *
 *	killat --calls
 *
 * lists the calls that it knows, with the kinds of their arguments, and the places.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	THREADS_MAX = 256,
	PLACE_SIZE = 64
};

/* The arguments of a call that say what it is about: F a descriptor, P a path, D and P together a path
 * in a directory, S an address of a socket. */
static const struct {
	const char *name;
	long nr;
	const char *args;
} calls[] = {
#define CALL(name, args)                                                                           \
	{                                                                                          \
#		name, SYS_##name, args                                                            \
	}
	/* clang-format off */
	CALL(openat, "DP"), CALL(mkdirat, "DP"), CALL(newfstatat, "DP"), CALL(unlinkat, "DP"),
	CALL(renameat, "DPDP"), CALL(renameat2, "DPDP"), CALL(linkat, "DPDP"), CALL(fchmodat, "DP"),
	CALL(fchownat, "DP"), CALL(utimensat, "DP"), CALL(faccessat, "DP"), CALL(faccessat2, "DP"),
	CALL(statx, "DP"), CALL(readlinkat, "DP"), CALL(mknodat, "DP"), CALL(symlinkat, "-DP"),
#ifdef SYS_open /* older architectures */
	CALL(open, "P"), CALL(stat, "P"), CALL(lstat, "P"), CALL(access, "P"), CALL(readlink, "P"),
	CALL(mkdir, "P"), CALL(rmdir, "P"), CALL(unlink, "P"), CALL(rename, "PP"), CALL(link, "PP"),
	CALL(chmod, "P"), CALL(chown, "P"), CALL(lchown, "P"), CALL(dup2, "F"),
#endif
	CALL(truncate, "P"), CALL(statfs, "P"), CALL(chdir, "P"), CALL(inotify_add_watch, "-P"), CALL(bind, "-S"), CALL(connect, "-S"),
	CALL(close, "F"), CALL(read, "F"), CALL(write, "F"), CALL(pread64, "F"), CALL(pwrite64, "F"),
	CALL(readv, "F"), CALL(writev, "F"), CALL(fstat, "F"), CALL(lseek, "F"), CALL(fchmod, "F"),
	CALL(fchown, "F"), CALL(fsync, "F"), CALL(fdatasync, "F"), CALL(syncfs, "F"),
	CALL(sync_file_range, "F"), CALL(ftruncate, "F"), CALL(fallocate, "F"), CALL(getdents64, "F"),
	CALL(flock, "F"), CALL(fcntl, "F"), CALL(ioctl, "F"), CALL(fstatfs, "F"), CALL(fchdir, "F"),
	CALL(fadvise64, "F"), CALL(dup, "F"), CALL(dup3, "F"), CALL(splice, "F-F"),
	CALL(copy_file_range, "F-F"), CALL(sendfile, "FF"), CALL(fgetxattr, "F"), CALL(fsetxattr, "F"),
	/* clang-format on */
};

static const char *const places[] = { ".wq/tmp", ".wq/run", ".wq/handles", ".wq/attempts",
	".wq/quarantine", ".wq", "1-requested", "2-pending", "3-running", "4-complete",
	"5-aborting", "finished", "work" };

struct thread {
	pid_t tid, process;
	bool is_new;   /* its first stop is still to come */
	bool is_armed; /* the call that it is in is the one */
};

static struct {
	const char *spool, *events, *report, *role, *call, *place;
	bool after;
	long n;
} want;

static struct thread threads[THREADS_MAX];
static int n_threads;
static pid_t main_pid, role_pid;
static bool is_over; /* the process was killed: the rest is let go */
static int main_status = -1;
static long count;
static char doing[512];

/* ---- what a call is about ----------------------------------------------------------------------- */

static bool read_link(pid_t tid, const char *of, char ret[PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof link, "/proc/%d/%s", tid, of);
	ssize_t n = readlink(link, ret, PATH_MAX - 1);
	ret[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool read_fd(pid_t tid, int fd, char ret[PATH_MAX])
{
	char of[32];
	if (fd == AT_FDCWD)
		return read_link(tid, "cwd", ret);
	snprintf(of, sizeof of, "fd/%d", fd);
	return fd >= 0 && read_link(tid, of, ret);
}

static void read_string(pid_t tid, uint64_t at, char *ret, size_t size)
{
	struct iovec to = { ret, size - 1 }, from = { (void *)(uintptr_t)at, size - 1 };
	/* It may end at the end of a page with nothing mapped behind it. */
	from.iov_len = to.iov_len = 4096 - at % 4096 < size - 1 ? 4096 - at % 4096 : size - 1;
	ssize_t n = process_vm_readv(tid, &to, 1, &from, 1, 0);
	n = n > 0 ? n : 0;
	if ((size_t)n < size - 1 && !memchr(ret, '\0', (size_t)n)) {
		to = (struct iovec){ ret + n, size - 1 - (size_t)n };
		from = (struct iovec){ (void *)(uintptr_t)(at + (uint64_t)n), to.iov_len };
		ssize_t more = process_vm_readv(tid, &to, 1, &from, 1, 0);
		n += more > 0 ? more : 0;
	}
	ret[n] = '\0';
}

/* Which directory of the spool a path belongs to; NULL: none. */
static const char *place_of(const char *path)
{
	size_t len = strlen(want.spool);
	if (strncmp(path, want.spool, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	path += len + (path[len] == '/');
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		len = strlen(places[i]);
		if (strncmp(path, places[i], len) == 0 && (path[len] == '/' || path[len] == '\0'))
			return places[i];
	}
	return ".";
}

/* A path through /proc/self/fd is about what the descriptor is. */
static const char *place_of_path(pid_t tid, const char *path)
{
	static const char own[] = "/proc/self/fd/";
	char real[PATH_MAX];
	if (strncmp(path, own, sizeof own - 1) != 0)
		return place_of(path);
	return read_fd(tid, atoi(path + sizeof own - 1), real) ? place_of(real) : NULL;
}

static const char *place_of_arg(pid_t tid, char kind, const uint64_t *arg, char shown[PATH_MAX])
{
	struct sockaddr_un address = { 0 };
	shown[0] = '\0';
	switch (kind) {
	case 'F':
		return read_fd(tid, (int)arg[0], shown) ? place_of(shown) : NULL;
	case 'P':
		read_string(tid, arg[0], shown, PATH_MAX);
		return place_of_path(tid, shown);
	case 'S':
		read_string(tid, arg[0] + offsetof(struct sockaddr_un, sun_path), address.sun_path,
			sizeof address.sun_path);
		snprintf(shown, PATH_MAX, "%s", address.sun_path);
		return place_of_path(tid, shown);
	case 'D': {
		char path[PATH_MAX];
		read_string(tid, arg[1], path, sizeof path);
		snprintf(shown, PATH_MAX, "%s", path);
		if (path[0] == '/')
			return place_of_path(tid, path);
		char dir[PATH_MAX];
		return read_fd(tid, (int)arg[0], dir) ? place_of(dir) : NULL;
	}
	default:
		return NULL;
	}
}

/* Is it a CALL that concerns PLACE?  A call of two directories concerns "FROM>TO". */
static bool is_wanted(pid_t tid, const struct __ptrace_syscall_info *info)
{
	size_t i = 0;
	while (i < sizeof calls / sizeof *calls && (uint64_t)calls[i].nr != info->entry.nr)
		i++;
	if (i == sizeof calls / sizeof *calls || strcmp(calls[i].name, want.call) != 0)
		return false;
	char place[PLACE_SIZE] = "", shown[PATH_MAX];
	for (const char *a = calls[i].args; *a; a++) {
		const char *p =
			place_of_arg(tid, *a, info->entry.args + (a - calls[i].args), shown);
		if (*a == 'D')
			a++;
		if (!p)
			continue;
		size_t len = strlen(place);
		snprintf(place + len, sizeof place - len, "%s%s", len ? ">" : "", p);
		snprintf(doing, sizeof doing, "%s %s %.200s", want.call, place, shown);
	}
	return strcmp(place, want.place) == 0;
}

/* ---- threads ------------------------------------------------------------------------------------ */

static struct thread *thread_of(pid_t tid)
{
	for (int i = 0; i < n_threads; i++)
		if (threads[i].tid == tid)
			return &threads[i];
	if (n_threads == THREADS_MAX)
		errx(1, "more than %d threads", THREADS_MAX);
	threads[n_threads] = (struct thread){ .tid = tid, .is_new = true };
	return &threads[n_threads++];
}

static void drop(struct thread *t)
{
	*t = threads[--n_threads];
}

static pid_t process_of(pid_t tid)
{
	char path[64], line[256];
	int pid = 0;
	snprintf(path, sizeof path, "/proc/%d/status", tid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f) && sscanf(line, "Tgid: %d", &pid) != 1)
		;
	if (f)
		fclose(f);
	return pid;
}

static bool bears_role(pid_t pid)
{
	char exe[PATH_MAX];
	if (!read_link(pid, "exe", exe))
		return false;
	return strcmp(strrchr(exe, '/') + 1, want.role) == 0;
}

static void let_go(struct thread *t, int signo)
{
	(void)ptrace(PTRACE_DETACH, t->tid, NULL, (void *)(intptr_t)signo);
	drop(t);
}

static void write_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		err(1, "%s", path);
	close(fd);
}

/* The thread stands still, so that nothing of it happens after the line; and who sees its death can
 * read the report. */
static void kill_role(void)
{
	char line[sizeof doing + 64];
	const char *role = strncmp(want.role, "wq-", 3) == 0 ? want.role + 3 : want.role;
	snprintf(line, sizeof line, "killed %s\n", role);
	write_line(want.events, line);
	snprintf(line, sizeof line, "%s %s\n", want.after ? "after" : "before", doing);
	write_line(want.report, line);
	if (kill(role_pid, SIGKILL) < 0)
		err(1, "kill");
	is_over = true;
	for (int i = 0; i < n_threads; i++)
		if (threads[i].process != role_pid)
			(void)ptrace(PTRACE_INTERRUPT, threads[i].tid, NULL, NULL);
}

static void on_call(struct thread *t)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof info, &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY && is_wanted(t->tid, &info) && ++count == want.n) {
		if (want.after)
			t->is_armed = true;
		else
			kill_role();
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->is_armed) {
		kill_role();
	}
}

static void go_on(struct thread *t, int signo)
{
	enum __ptrace_request how = t->process == role_pid ? PTRACE_SYSCALL : PTRACE_CONT;
	(void)ptrace(how, t->tid, NULL, (void *)(intptr_t)signo);
}

/* True: it was let go. */
static bool on_first_stop(struct thread *t)
{
	t->is_new = false;
	t->process = process_of(t->tid);
	/* What the role starts is not of the role. */
	if (role_pid == 0 || t->process == role_pid)
		return false;
	let_go(t, 0);
	return true;
}

static void on_stop(struct thread *t, int status)
{
	int signo = WSTOPSIG(status), event = status >> 16;
	if (is_over && t->process != role_pid) {
		let_go(t, event || signo == (SIGTRAP | 0x80) ? 0 : signo);
		return;
	}
	if (t->is_new && on_first_stop(t))
		return;
	if (event == PTRACE_EVENT_EXEC && role_pid == 0 && bears_role(t->process))
		role_pid = t->process;
	if (signo == (SIGTRAP | 0x80))
		on_call(t);
	if (event == PTRACE_EVENT_STOP && signo != SIGTRAP) {
		(void)ptrace(PTRACE_LISTEN, t->tid, NULL, NULL);
		return;
	}
	go_on(t, event || signo == (SIGTRAP | 0x80) ? 0 : signo);
}

/* ---- the program -------------------------------------------------------------------------------- */

static pid_t run(char **argv)
{
	int gate[2];
	char byte = 'g';
	if (pipe(gate) < 0)
		err(1, "pipe");
	pid_t pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(127);
		close(gate[0]);
		execv(argv[0], argv);
		err(127, "%s", argv[0]);
	}
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
	/* Children matter where one of them is to be found. */
	if (strcmp(strrchr(argv[0], '/') + 1, want.role) != 0)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) < 0)
		err(1, "ptrace");
	*thread_of(pid) = (struct thread){ .tid = pid, .process = pid };
	if (write(gate[1], &byte, 1) != 1)
		err(1, "write");
	/* Who waits for a descriptor of the program to be closed does not wait for us. */
	if (close_range(3, ~0U, 0) < 0)
		err(1, "close_range");
	return pid;
}

static bool role_goes_on(void)
{
	for (int i = 0; i < n_threads; i++)
		if (role_pid && threads[i].process == role_pid)
			return true;
	return false;
}

static void follow(void)
{
	int status;
	while (main_status < 0 || role_goes_on()) {
		pid_t tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			err(1, "waitpid");
		struct thread *t = thread_of(tid);
		if (WIFSTOPPED(status)) {
			on_stop(t, status);
			continue;
		}
		if (tid == main_pid)
			main_status = status;
		drop(t);
	}
}

static int list_calls(void)
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		printf("call %s %s\n", calls[i].name, calls[i].args);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		printf("place %s\n", places[i]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--calls") == 0)
		return list_calls();
	if (argc < 10 || argv[9][0] != '/')
		errx(2, "use: killat SPOOL EVENTS REPORT ROLE before|after CALL PLACE N "
			"/PROGRAM [ARGUMENT...]");
	want.spool = argv[1], want.events = argv[2], want.report = argv[3], want.role = argv[4];
	want.after = strcmp(argv[5], "after") == 0;
	want.call = argv[6], want.place = argv[7], want.n = strtol(argv[8], NULL, 10);
	main_pid = run(argv + 9);
	follow();
	if (WIFSIGNALED(main_status))
		return 128 + WTERMSIG(main_status);
	return WEXITSTATUS(main_status);
}
