/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/link.h"

#include "base/address.h"
#include "base/err.h"
#include "base/fdio.h"
#include "base/time.h"
#include "shepherd/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_NAME "shepherd.sock"

/* Pauses double from the first to the last. */
#define FIRST_PAUSE_NS (100 * NS_PER_MS) /* after a failure */
#define LAST_PAUSE_NS  (5 * NS_PER_S)
#define FIRST_LOOK_NS  NS_PER_MS /* for the socket of a program that was just started */
#define LAST_LOOK_NS   (250 * NS_PER_MS)
/* After this long in silence people are told, and it is tried anew. */
#define ANSWER_NS (10 * NS_PER_S)

enum {
	READ_SIZE = 64 * 1024,
	READS_A_ROUND = 16,
	IDLE_BUFFER_MAX = 256 * 1024, /* more is given back when it is empty */
	CHILD_FD = 3,                 /* where the program finds .wq */
	WHY_SIZE = WQ_ERR_TEXT_SIZE
};

enum state {
	AWAY,     /* no connection; the timer says when to look for one */
	GREETING, /* hello and list are on their way */
	LISTING,  /* its hello has come */
	UP
};

/* The program that was started last, our child. */
struct program {
	pid_t pid; /* 0: none, or reaped */
	int pidfd; /* -1: not to be had, the timer looks after it */
	struct loop_fd *src;
	bool served;        /* a connection to it came about */
	char why[WHY_SIZE]; /* it ended before one did: how; "" otherwise */
	int64_t since_ns;   /* when it was started, or last had a connection */
	int64_t look_ns;
};

struct link {
	struct loop *loop;
	struct link_events events;
	int own_fd;
	char *root, *uuid, *path;
	int64_t linger_ns;

	enum state state;
	int fd;
	struct loop_fd *src;
	uint32_t watched; /* EPOLL... of src */
	pid_t peer;
	struct frame_hello hello;
	int64_t heard_ns, up_ns;

	struct buf in, out;
	size_t sent;      /* of out */
	size_t spawn_end; /* in out: the end of the last spawn */
	bool owes_room;

	struct program program;
	struct loop_timer *timer;
	int64_t pause_ns;    /* before the next try; 0: none */
	char told[WHY_SIZE]; /* what `down` was last told, since it was up */
};

/* ---- the program --------------------------------------------------------------------------------
 */

static void forget_program(struct link *l)
{
	loop_del_fd(l->loop, l->program.src);
	l->program.src = NULL;
	fdio_close(&l->program.pidfd);
	l->program.pid = 0;
}

static void describe_end(const struct link *l, int status, char ret[WHY_SIZE])
{
	if (WIFSIGNALED(status))
		snprintf(ret, WHY_SIZE, "%s was ended by signal %d (%s) before it listened",
			l->path, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(ret, WHY_SIZE, "%s ended with status %d before it listened", l->path,
			WEXITSTATUS(status));
}

/* Has the program ended?  Then nothing is left of it. */
static void reap_program(struct link *l)
{
	int status = 0;
	if (l->program.pid == 0)
		return;
	pid_t pid = waitpid(l->program.pid, &status, WNOHANG);
	if (pid == 0 || (pid < 0 && errno == EINTR))
		return;
	if (pid > 0 && !l->program.served)
		describe_end(l, status, l->program.why);
	forget_program(l);
}

static void on_program_end(void *arg, uint32_t events)
{
	struct link *l = arg;
	(void)events;
	reap_program(l);
	if (l->program.pid == 0 && l->state == AWAY)
		loop_set_timer(l->loop, l->timer, time_mono_ns());
}

/* Nothing of how this process treats signals is for the program, nor what its terminal sends. */
static int set_signals(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	int rc = posix_spawnattr_setsigmask(attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	if (rc == 0)
		rc = posix_spawnattr_setflags(
			attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	return -rc;
}

/* `dir_fd` is not CHILD_FD itself, so that its copy there is open in the program. */
static int spawn_program(struct link *l, int dir_fd, pid_t *ret)
{
	char fd_text[16];
	snprintf(fd_text, sizeof fd_text, "%d", CHILD_FD);
	char *argv[] = { (char[]){ "wq-shepherd" }, fd_text, l->uuid, l->root, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;

	int rc = -posix_spawn_file_actions_init(&actions);
	if (rc < 0)
		return rc;
	rc = -posix_spawnattr_init(&attr);
	if (rc == 0) {
		rc = set_signals(&attr);
		if (rc == 0)
			rc = -posix_spawn_file_actions_adddup2(&actions, dir_fd, CHILD_FD);
		/*
		 * Not left to close-on-exec: that comes after we go on, so the program would hold
		 * the spool's lock for a moment that may be longer than our life.
		 */
		if (rc == 0)
			rc = -posix_spawn_file_actions_addclosefrom_np(&actions, CHILD_FD + 1);
		if (rc == 0)
			rc = -posix_spawn(ret, l->path, &actions, &attr, argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* Its end comes by a pidfd, or where there is none the timer looks after it. */
static void watch_program(struct link *l)
{
	int fd = pidfd_of(l->program.pid);
	if (fd < 0)
		return;
	l->program.src = loop_add_fd(l->loop, fd, EPOLLIN, on_program_end, l);
	if (l->program.src)
		l->program.pidfd = fd;
	else
		fdio_close(&fd);
}

static int start_program(struct link *l, struct wq_err *err)
{
	auto_close int dir_fd = fcntl(l->own_fd, F_DUPFD_CLOEXEC, CHILD_FD + 1);
	if (dir_fd < 0)
		return err_set(err, -errno, "cannot start %s", l->path);
	pid_t pid = 0;
	int rc = spawn_program(l, dir_fd, &pid);
	if (rc < 0)
		return err_set(err, rc, "cannot start %s", l->path);
	l->program = (struct program){
		.pid = pid,
		.pidfd = -1,
		.since_ns = time_mono_ns(),
		.look_ns = FIRST_LOOK_NS,
	};
	watch_program(l);
	return 0;
}

/* ---- the connection: down -----------------------------------------------------------------------
 */

static void empty(struct buf *b)
{
	if (b->cap > IDLE_BUFFER_MAX)
		buf_fini(b);
	else
		buf_clear(b);
}

static void disconnect(struct link *l)
{
	loop_del_fd(l->loop, l->src);
	l->src = NULL;
	fdio_close(&l->fd);
	empty(&l->in);
	empty(&l->out);
	l->sent = l->spawn_end = 0;
	l->owes_room = false;
	l->hello = (struct frame_hello){ 0 };
	l->state = AWAY;
	l->program.since_ns = time_mono_ns();
	l->program.look_ns = FIRST_LOOK_NS;
}

/* Come back after the pause, and make the next one longer. */
static void try_later(struct link *l)
{
	loop_set_timer(l->loop, l->timer, time_after(time_mono_ns(), l->pause_ns));
	l->pause_ns = l->pause_ns == 0 ? FIRST_PAUSE_NS : 2 * l->pause_ns;
	if (l->pause_ns > LAST_PAUSE_NS)
		l->pause_ns = LAST_PAUSE_NS;
}

/* The same sentence is told once, until it has been up. */
static void tell_down(struct link *l, const char *why)
{
	if (strcmp(l->told, why) == 0)
		return;
	snprintf(l->told, sizeof l->told, "%s", why);
	l->events.down(l->events.arg, l->told);
}

static void go_down(struct link *l, const char *why)
{
	/* One that comes and goes at once is not started again at once each time. */
	if (l->state == UP && time_mono_ns() - l->up_ns >= LAST_PAUSE_NS)
		l->pause_ns = 0;
	/* What it has listed so far is void, so this must be heard. */
	if (l->state == LISTING)
		l->told[0] = '\0';
	disconnect(l);
	try_later(l);
	tell_down(l, why);
}

/* ---- the connection: out ------------------------------------------------------------------------
 */

static void watch(struct link *l)
{
	uint32_t wanted = EPOLLIN;
	if (l->sent < l->out.len || l->owes_room)
		wanted |= EPOLLOUT;
	if (wanted != l->watched && loop_mod_fd(l->loop, l->src, wanted) == 0)
		l->watched = wanted;
}

/* As much as goes.  0 or -errno: the connection is broken. */
static int flush(struct link *l)
{
	while (l->sent < l->out.len) {
		ssize_t n = send(l->fd, l->out.data + l->sent, l->out.len - l->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		l->sent += (size_t)n;
	}
	empty(&l->out);
	l->sent = l->spawn_end = 0;
	return 0;
}

/* After something was put into `out`.  That it is broken is found out in the loop. */
static void push(struct link *l)
{
	(void)flush(l);
	watch(l);
}

/* Before something is put into `out`: it does not grow by what has been sent. */
static void make_room(struct link *l)
{
	if (l->sent == 0)
		return;
	memmove(l->out.data, l->out.data + l->sent, l->out.len - l->sent);
	l->out.len -= l->sent;
	l->spawn_end = l->spawn_end > l->sent ? l->spawn_end - l->sent : 0;
	l->sent = 0;
}

int link_spawn(struct link *l, const struct frame_spawn *spawn, struct wq_err *err)
{
	if (l->state != UP)
		return WQ_BUSY;
	if (l->spawn_end > l->sent) {
		l->owes_room = true;
		watch(l);
		return WQ_BUSY;
	}
	make_room(l);
	int rc = frame_put_spawn(&l->out, spawn);
	if (rc == -WQ_E_LIMIT)
		return err_set_name(err, rc, "too-large",
			"the command, its environment and its input are more than %d bytes, or "
			"more than %d words",
			(int)FRAME_MAX, (int)FRAME_STRINGS_MAX);
	if (rc < 0)
		return err_set(err, rc, "cannot hand '%s' to wq-shepherd", spawn->name);
	l->spawn_end = l->out.len;
	push(l);
	return WQ_OK;
}

/* Short orders.  With no connection there is nothing to keep: they are told again when it is up. */
static bool takes_orders(const struct link *l)
{
	return l->state == LISTING || l->state == UP;
}

int link_end(struct link *l, const char *name, uint32_t how, uint32_t grace_ms)
{
	if (!takes_orders(l))
		return 0;
	make_room(l);
	int rc = frame_put_end(&l->out, name, how, grace_ms);
	if (rc == 0)
		push(l);
	return rc;
}

int link_ack(struct link *l, const char *name)
{
	if (!takes_orders(l))
		return 0;
	make_room(l);
	int rc = frame_put_ack(&l->out, name);
	if (rc == 0)
		push(l);
	return rc;
}

/* ---- the connection: in -------------------------------------------------------------------------
 */

/* True: we understand each other. */
static bool take_hello(struct link *l, const struct frame_hello *hello)
{
	char why[WHY_SIZE];
	if (hello->major == FRAME_MAJOR) {
		l->hello = *hello;
		l->state = LISTING;
		return true;
	}
	/* What it runs for an earlier server comes first.  It may go when that has ended. */
	make_room(l);
	if (frame_put_simple(&l->out, FRAME_QUIT) == 0)
		(void)flush(l);
	snprintf(why, sizeof why,
		"the wq-shepherd that runs (process %d) speaks version %" PRIu32
		" of the protocol, not %d: waiting until its children have ended",
		(int)l->peer, hello->major, (int)FRAME_MAJOR);
	go_down(l, why);
	return false;
}

static void come_up(struct link *l)
{
	l->state = UP;
	l->up_ns = time_mono_ns();
	l->told[0] = '\0';
	l->events.up(l->events.arg, &l->hello);
}

/* False: the connection has been given up. */
static bool take_frame(struct link *l, const struct frame *frame)
{
	if (l->state == GREETING) {
		if (frame->kind == FRAME_HELLO)
			return take_hello(l, &frame->hello);
		if (frame->kind == FRAME_UNKNOWN)
			return true;
		go_down(l, "what listens at " SOCKET_NAME " does not say hello first");
		return false;
	}
	if (frame->kind == FRAME_CHILD && l->state == LISTING)
		l->events.known(l->events.arg, &frame->child);
	else if (frame->kind == FRAME_LISTED && l->state == LISTING)
		come_up(l);
	else if (frame->kind == FRAME_ENDED && l->state == UP) /* before, it will be told again */
		l->events.ended(l->events.arg, frame->name, &frame->ended);
	return true;
}

/* All that is there in whole.  False: the connection has been given up. */
static bool take_frames(struct link *l)
{
	struct frame frame;
	struct wq_err err = { 0 };
	char why[WHY_SIZE];
	size_t at = 0;

	for (;;) {
		int64_t size = frame_take(l->in.data + at, l->in.len - at, &frame, &err);
		if (size == 0)
			break;
		if (size < 0) {
			snprintf(why, sizeof why,
				"wq-shepherd (process %d) cannot be understood: %s", (int)l->peer,
				err.text);
			go_down(l, why);
			return false;
		}
		bool goes_on = take_frame(l, &frame);
		frame_spawn_fini(&frame.spawn);
		if (!goes_on)
			return false;
		at += (size_t)size;
	}
	l->in.len -= at;
	if (l->in.len == 0)
		empty(&l->in);
	else if (at > 0)
		memmove(l->in.data, l->in.data + at, l->in.len);
	return true;
}

static void lose(struct link *l, int rc)
{
	char why[WHY_SIZE];
	/* These too say no more than that: it had not read all when it went. */
	if (rc == 0 || rc == -ECONNRESET || rc == -EPIPE)
		snprintf(why, sizeof why, "wq-shepherd (process %d) has gone", (int)l->peer);
	else
		snprintf(why, sizeof why,
			"the connection to wq-shepherd (process %d) is broken: %s", (int)l->peer,
			strerror(-rc));
	go_down(l, why);
}

/* What has come, within a bound.  False: the connection has been given up. */
static bool receive(struct link *l)
{
	for (int i = 0; i < READS_A_ROUND; i++) {
		if (buf_reserve(&l->in, READ_SIZE) < 0) {
			lose(l, -ENOMEM);
			return false;
		}
		ssize_t n = recv(l->fd, l->in.data + l->in.len, READ_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			lose(l, n < 0 ? -errno : 0);
			return false;
		}
		l->in.len += (size_t)n;
		l->heard_ns = time_mono_ns();
		if (!take_frames(l))
			return false;
		if (n < READ_SIZE)
			break;
	}
	return true;
}

static void on_socket(void *arg, uint32_t events)
{
	struct link *l = arg;
	if ((events & ~(uint32_t)EPOLLOUT) && !receive(l))
		return;
	int rc = flush(l);
	if (rc < 0) {
		lose(l, rc);
		return;
	}
	bool room = l->owes_room && l->spawn_end <= l->sent;
	if (room)
		l->owes_room = false;
	watch(l);
	if (room)
		l->events.room(l->events.arg);
}

/* ---- the connection: up -------------------------------------------------------------------------
 */

/* Whoever may write to .wq may listen there, and children are run as we: so it must be one of us. */
static int check_peer(int fd, pid_t *ret_pid, struct wq_err *err)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_set(err, -errno, "cannot tell who listens at %s", SOCKET_NAME);
	if (peer.uid != geteuid() && peer.uid != 0)
		return err_set(err, -WQ_E_STATE,
			"process %d, which listens at %s, is not ours: it is of user %u",
			(int)peer.pid, SOCKET_NAME, (unsigned)peer.uid);
	*ret_pid = peer.pid;
	return 0;
}

/* A connection, or -errno; -ENOENT, -ECONNREFUSED: nobody listens. */
static int dial(const struct link *l, pid_t *ret_pid, struct wq_err *err)
{
	struct sockaddr_un addr;
	int rc = address_make(&addr, l->own_fd, SOCKET_NAME);
	if (rc < 0)
		return err_set(err, rc, "cannot connect to %s", SOCKET_NAME);
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot connect to %s", SOCKET_NAME);
	if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0)
		return err_set(err, -errno, "cannot connect to %s", SOCKET_NAME);
	rc = check_peer(fd, ret_pid, err);
	if (rc < 0)
		return rc;
	rc = fd;
	fd = -1;
	return rc;
}

static int greet(struct link *l)
{
	const struct frame_hello hello = {
		.major = FRAME_MAJOR,
		.minor = FRAME_MINOR,
		.pid = getpid(),
		.version = WQ_VERSION,
		.linger_ms = l->linger_ns / NS_PER_MS,
	};
	int rc = frame_put_hello(&l->out, &hello);
	return rc < 0 ? rc : frame_put_simple(&l->out, FRAME_LIST);
}

/* Takes the descriptor. */
static void connected(struct link *l, int fd, pid_t peer)
{
	l->fd = fd;
	l->peer = peer;
	l->heard_ns = time_mono_ns();
	l->state = GREETING;
	if (peer == l->program.pid)
		l->program.served = true;
	l->program.why[0] = '\0';
	l->watched = EPOLLIN;
	l->src = loop_add_fd(l->loop, fd, EPOLLIN, on_socket, l);
	int rc = l->src ? greet(l) : -errno;
	if (rc < 0) {
		lose(l, rc);
		return;
	}
	push(l);
	loop_set_timer(l->loop, l->timer, time_after(l->heard_ns, ANSWER_NS));
}

/* Nobody listens.  Is it still to come, or is it time to start one? */
static void raise_one(struct link *l)
{
	struct program *p = &l->program;
	struct wq_err err = { 0 };
	int64_t now = time_mono_ns();

	if (p->why[0]) {
		char why[WHY_SIZE];
		memcpy(why, p->why, sizeof why);
		p->why[0] = '\0';
		go_down(l, why);
		return;
	}
	if (p->pid == 0 && start_program(l, &err) < 0) {
		go_down(l, err.text);
		return;
	}
	if (now - p->since_ns > ANSWER_NS) {
		snprintf(err.text, sizeof err.text,
			"%s (process %d) runs, but does not listen at %s", l->path, (int)p->pid,
			SOCKET_NAME);
		go_down(l, err.text);
		return;
	}
	loop_set_timer(l->loop, l->timer, time_after(now, p->look_ns));
	p->look_ns = 2 * p->look_ns < LAST_LOOK_NS ? 2 * p->look_ns : LAST_LOOK_NS;
}

static void look_for_one(struct link *l)
{
	struct wq_err err = { 0 };
	pid_t peer = 0;
	int fd = dial(l, &peer, &err);
	if (fd >= 0)
		connected(l, fd, peer);
	else if (fd == -ENOENT || fd == -ECONNREFUSED)
		raise_one(l);
	else
		go_down(l, err.text);
}

static void on_timer(void *arg)
{
	struct link *l = arg;
	int64_t now = time_mono_ns(), at = TIME_NEVER;

	reap_program(l);
	if (l->state == AWAY) {
		look_for_one(l);
		return;
	}
	if (l->state != UP) {
		at = time_after(l->heard_ns, ANSWER_NS);
		if (now >= at) {
			char why[WHY_SIZE];
			snprintf(why, sizeof why, "wq-shepherd (process %d) does not answer",
				(int)l->peer);
			go_down(l, why);
			return;
		}
	}
	/* Without a pidfd the end of one that was too late, another listens, is found here. */
	if (l->program.pid > 0 && l->program.pidfd < 0 && time_after(now, LAST_PAUSE_NS) < at)
		at = time_after(now, LAST_PAUSE_NS);
	loop_set_timer(l->loop, l->timer, at);
}

/* ---- from outside -------------------------------------------------------------------------------
 */

int link_new(struct link **ret, struct loop *loop, const struct link_place *place,
	const struct link_events *events, struct wq_err *err)
{
	struct link *l = calloc(1, sizeof *l);
	if (!l)
		return err_set(err, -ENOMEM, "cannot connect to wq-shepherd");
	*l = (struct link){
		.loop = loop,
		.events = *events,
		.own_fd = place->own_fd,
		.root = strdup(place->root),
		.uuid = strdup(place->uuid),
		.path = strdup(place->program),
		.linger_ns = place->linger_ns,
		.fd = -1,
		.program.pidfd = -1,
		.timer = loop_add_timer(loop, on_timer, l),
	};
	if (!l->root || !l->uuid || !l->path || !l->timer) {
		link_free(l, false);
		return err_set(err, -ENOMEM, "cannot connect to wq-shepherd");
	}
	loop_set_timer(loop, l->timer, time_mono_ns());
	*ret = l;
	return 0;
}

void link_free(struct link *l, bool quit)
{
	if (!l)
		return;
	if (quit && takes_orders(l)) {
		make_room(l);
		if (frame_put_simple(&l->out, FRAME_QUIT) == 0)
			(void)flush(l);
	}
	disconnect(l);
	reap_program(l);
	forget_program(l);
	loop_del_timer(l->loop, l->timer);
	buf_fini(&l->in);
	buf_fini(&l->out);
	free(l->root);
	free(l->uuid);
	free(l->path);
	free(l);
}

bool link_is_up(const struct link *l)
{
	return l->state == UP;
}

const char *link_containment(const struct link *l)
{
	return l->state == UP ? l->hello.containment : "";
}
