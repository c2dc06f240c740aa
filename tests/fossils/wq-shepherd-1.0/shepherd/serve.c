/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/serve.h"

#include "base/address.h"
#include "base/err.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BACKLOG = 16,
	READ_BUDGET = 256 * 1024,      /* of orders a round */
	UNREAD_MAX = 8 * 1024 * 1024,  /* what waits for a server before its orders wait too */
	KEEP_BUFFER = READ_BUDGET,     /* memory that an empty buffer may keep */
	LINGER_DEFAULT_MS = 60 * 1000, /* before a server has named its own */
	LINGER_MAX_MS = 24 * 3600 * 1000,
	LOOK_MIN_MS = 1000, /* between two looks whether the spool is there, while nobody is */
	LOOK_MAX_MS = 60 * 1000,
	ACCEPT_AGAIN_MS = 1000, /* when there was no descriptor for a connection */
	LAST_WORDS_MS = 2000    /* for a server to take note of the ends, after a stop */
};

static const char socket_name[] = "shepherd.sock";
static const char lock_name[] = "shepherd.lock";
static const char run_name[] = "run";

struct peer {
	int fd; /* -1: there is none */
	struct loop_fd *src;
	struct buf in, out;
	uint32_t watched; /* what epoll is asked for */
	size_t out_at;    /* of `out`, what has been sent */
	bool is_known;    /* it has said hello, and we understand each other */
	bool is_told;     /* it has asked for ends */
	bool is_deaf;     /* it reads no more; what it has written is still read */
	bool is_closing;  /* once all is sent */
};

struct serve {
	struct loop *loop;
	struct herd *herd;
	int own_fd, run_fd, lock_fd, listen_fd;
	struct loop_fd *listen_src;
	struct loop_timer *alone_timer, *accept_timer, *stop_timer;
	int64_t linger_ms;
	int64_t linger_at_ns; /* when it goes, for nobody was there and nothing to do; or never */
	bool is_done, is_stopping, has_last_words;
	bool is_unwanted; /* a server of another major waits for the end of this one */
	struct peer peer;
};

static void settle(struct serve *s);

/* ---- to the server --------------------------------------------------------------------------- */

static void watch_peer(struct serve *s)
{
	struct peer *p = &s->peer;
	size_t waiting = p->out.len - p->out_at;
	uint32_t events = waiting ? EPOLLOUT : 0;
	if (waiting <= UNREAD_MAX && !p->is_closing)
		events |= EPOLLIN;
	if (events != p->watched && loop_mod_fd(s->loop, p->src, events) == 0)
		p->watched = events;
}

/* It has missed something, and learns that by the end of its connection.  What it has written already
 * is read all the same. */
static void be_deaf(struct peer *p)
{
	p->is_deaf = true;
	p->out_at = 0;
	buf_fini(&p->out);
	(void)shutdown(p->fd, SHUT_WR);
}

/* Send what the socket takes. */
static void flush(struct serve *s)
{
	struct peer *p = &s->peer;
	while (p->out_at < p->out.len) {
		ssize_t n = send(p->fd, p->out.data + p->out_at, p->out.len - p->out_at,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			be_deaf(p);
			return;
		}
		p->out_at += (size_t)n;
	}
	p->out_at = 0;
	buf_clear(&p->out);
	if (p->out.cap > KEEP_BUFFER)
		buf_fini(&p->out);
}

static void put_done(struct serve *s, int rc)
{
	if (rc == 0)
		return;
	log_err("wq-shepherd: cannot tell the server: %s", err_code_name(rc));
	be_deaf(&s->peer);
}

static bool can_tell(const struct serve *s)
{
	return s->peer.fd >= 0 && !s->peer.is_deaf && !s->peer.is_closing;
}

static void tell_ended(struct serve *s, const char *name, const struct wq_child_end *end)
{
	if (can_tell(s))
		put_done(s, frame_put_ended(&s->peer.out, name, end));
}

static void on_ended(void *arg, const char *name, const struct wq_child_end *end)
{
	struct serve *s = arg;
	if (s->peer.is_told) {
		tell_ended(s, name, end);
		flush(s);
		watch_peer(s);
	}
	settle(s);
}

static void tell_child(void *arg, const struct frame_child *child, const struct wq_child_end *end)
{
	struct serve *s = arg;
	(void)end;
	if (can_tell(s))
		put_done(s, frame_put_child(&s->peer.out, child));
}

static void tell_if_ended(
	void *arg, const struct frame_child *child, const struct wq_child_end *end)
{
	if (end)
		tell_ended(arg, child->name, end);
}

static void tell_all(struct serve *s)
{
	herd_each(s->herd, tell_child, s);
	if (can_tell(s))
		put_done(s, frame_put_simple(&s->peer.out, FRAME_LISTED));
	herd_each(s->herd, tell_if_ended, s);
}

static void tell_hello(struct serve *s)
{
	struct frame_hello hello = {
		.major = FRAME_MAJOR,
		.minor = FRAME_MINOR,
		.pid = getpid(),
		.version = WQ_VERSION,
		.same_boot = herd_same_boot(s->herd),
	};
	snprintf(hello.containment, sizeof hello.containment, "%s", herd_containment(s->herd));
	put_done(s, frame_put_hello(&s->peer.out, &hello));
}

/* ---- from the server ------------------------------------------------------------------------- */

static void close_peer(struct serve *s)
{
	struct peer *p = &s->peer;
	loop_del_fd(s->loop, p->src);
	fdio_close(&p->fd);
	buf_fini(&p->in);
	buf_fini(&p->out);
	*p = (struct peer){ .fd = -1 };
	(void)loop_mod_fd(s->loop, s->listen_src, EPOLLIN);
	settle(s);
}

static int take_hello(struct serve *s, const struct frame *f, struct wq_err *err)
{
	struct peer *p = &s->peer;
	if (f->kind != FRAME_HELLO)
		return err_set_name(err, -WQ_E_FORMAT, "no-hello", "the first frame is no hello");
	tell_hello(s);
	p->is_known = f->hello.major == FRAME_MAJOR;
	p->is_closing = !p->is_known;
	if (!p->is_known && !s->is_unwanted)
		log_notice("wq-shepherd: a server speaks version %u of the protocol, this is "
			   "version %d: ending when no child runs",
			f->hello.major, FRAME_MAJOR);
	s->is_unwanted = !p->is_known;
	if (!p->is_known)
		return 0;
	s->linger_ms = f->hello.linger_ms < 0               ? 0
		       : f->hello.linger_ms > LINGER_MAX_MS ? LINGER_MAX_MS
							    : f->hello.linger_ms;
	return 0;
}

static void take_spawn(struct serve *s, const struct frame *f)
{
	static const struct wq_child_end refusal = {
		.struct_size = sizeof refusal,
		.how = WQ_CHILD_NOT_STARTED,
		.error = "no-resources",
		.text = "wq-shepherd has been told to end",
	};
	s->peer.is_told = true;
	if (s->is_stopping)
		tell_ended(s, f->name, &refusal);
	else
		herd_spawn(s->herd, &f->spawn);
}

static void carry_out(struct serve *s, const struct frame *f)
{
	switch (f->kind) {
	case FRAME_SPAWN:
		take_spawn(s, f);
		break;
	case FRAME_END:
		herd_end(s->herd, f->name, f->end.how, f->end.grace_ms);
		break;
	case FRAME_ACK:
		herd_ack(s->herd, f->name);
		break;
	case FRAME_LIST:
		s->peer.is_told = true;
		tell_all(s);
		break;
	case FRAME_QUIT:
		if (herd_is_idle(s->herd))
			s->is_done = true;
		break;
	default: /* of a newer server, or one that we send */
		break;
	}
}

/* All whole frames that are there.  0, or the peer is of no more use. */
static int take_frames(struct serve *s, struct wq_err *err)
{
	struct peer *p = &s->peer;
	size_t at = 0;
	int64_t n = 0;
	while (!p->is_closing) {
		struct frame f;
		n = frame_take(p->in.data + at, p->in.len - at, &f, err);
		if (n <= 0)
			break;
		at += (size_t)n;
		if (p->is_known)
			carry_out(s, &f);
		else
			n = take_hello(s, &f, err);
		frame_spawn_fini(&f.spawn);
		if (n < 0)
			break;
	}
	if (at) {
		memmove(p->in.data, p->in.data + at, p->in.len - at);
		p->in.len -= at;
	}
	if (p->in.len == 0 && p->in.cap > KEEP_BUFFER)
		buf_fini(&p->in);
	return n < 0 ? (int)n : 0;
}

/* 1: it may have more to say; 0: that was its end, or it makes no sense. */
static int read_peer(struct serve *s)
{
	struct peer *p = &s->peer;
	struct wq_err err = { .struct_size = sizeof err };
	if (buf_reserve(&p->in, READ_BUDGET) < 0) {
		log_err("wq-shepherd: no memory for what the server says");
		return 0;
	}
	/* No frame is longer than FRAME_MAX, so what is not whole yet is bounded too. */
	ssize_t n = recv(p->fd, p->in.data + p->in.len, READ_BUDGET, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 1;
	/* ECONNRESET: it was killed with something unread; what it wrote came before. */
	if (n <= 0)
		return 0;
	p->in.len += (size_t)n;
	if (take_frames(s, &err) < 0) {
		log_warn("wq-shepherd: closing a connection: %s", err.text);
		return 0;
	}
	return 1;
}

static void on_peer(void *arg, uint32_t events)
{
	struct serve *s = arg;
	struct peer *p = &s->peer;
	bool may_read = p->out.len - p->out_at <= UNREAD_MAX && !p->is_closing;
	if (may_read && events & (EPOLLIN | EPOLLHUP | EPOLLERR) && read_peer(s) == 0) {
		close_peer(s);
		return;
	}
	flush(s);
	if (p->is_closing && p->out_at == p->out.len) {
		close_peer(s);
		return;
	}
	watch_peer(s);
	settle(s);
}

/* ---- connections ----------------------------------------------------------------------------- */

static bool may_connect(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == geteuid() || peer.uid == 0;
}

/* 1: served now; 0: there is none; -errno. */
static int accept_peer(struct serve *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -errno;
	if (!may_connect(fd)) {
		log_warn("wq-shepherd: refused a connection of another user");
		(void)close(fd);
		return 0;
	}
	struct loop_fd *src = loop_add_fd(s->loop, fd, EPOLLIN, on_peer, s);
	if (!src) {
		int rc = -errno;
		(void)close(fd);
		return rc;
	}
	s->peer = (struct peer){ .fd = fd, .src = src, .watched = EPOLLIN };
	loop_set_timer(s->loop, s->alone_timer, TIME_NEVER);
	/* The others wait in the queue of the socket. */
	(void)loop_mod_fd(s->loop, s->listen_src, 0);
	return 1;
}

static void on_listen(void *arg, uint32_t events)
{
	struct serve *s = arg;
	(void)events;
	if (s->peer.fd >= 0 || accept_peer(s) >= 0)
		return;
	/* No descriptor is free: it is still there when one is. */
	(void)loop_mod_fd(s->loop, s->listen_src, 0);
	loop_set_timer(
		s->loop, s->accept_timer, time_after(time_mono_ns(), ACCEPT_AGAIN_MS * NS_PER_MS));
}

static void on_accept_again(void *arg)
{
	struct serve *s = arg;
	if (s->peer.fd < 0)
		(void)loop_mod_fd(s->loop, s->listen_src, EPOLLIN);
}

/* ---- its own end ----------------------------------------------------------------------------- */

/* What it knows of them is in their records: the next shepherd tells that they are lost. */
static bool may_make_way(const struct serve *s)
{
	return s->is_unwanted && herd_alive(s->herd) == 0;
}

/* With nobody there: when to look whether to go. */
static int64_t next_look(const struct serve *s, int64_t now)
{
	int64_t pause_ms = s->linger_ms < LOOK_MIN_MS   ? LOOK_MIN_MS
			   : s->linger_ms > LOOK_MAX_MS ? LOOK_MAX_MS
							: s->linger_ms;
	int64_t look = time_after(now, pause_ms * NS_PER_MS);
	if (may_make_way(s))
		return now;
	return s->linger_at_ns < look ? s->linger_at_ns : look;
}

/* After each thing that has happened: is there anything left to stay for? */
static void settle(struct serve *s)
{
	int64_t now = time_mono_ns();
	if (s->is_stopping && herd_alive(s->herd) == 0) {
		if (s->peer.fd < 0 || herd_size(s->herd) == 0)
			s->is_done = true;
		else if (!s->has_last_words)
			loop_set_timer(
				s->loop, s->stop_timer, time_after(now, LAST_WORDS_MS * NS_PER_MS));
		s->has_last_words = true;
	}
	/* Who connects is no server before he has said so. */
	if (s->peer.is_known || !herd_is_idle(s->herd))
		s->linger_at_ns = TIME_NEVER;
	else if (s->linger_at_ns == TIME_NEVER)
		s->linger_at_ns = time_after(now, s->linger_ms * NS_PER_MS);
	loop_set_timer(s->loop, s->alone_timer, s->peer.fd < 0 ? next_look(s, now) : TIME_NEVER);
}

static void on_idle(void *arg)
{
	settle(arg);
}

/* Has .wq been removed?  Then nobody can come any more.  A count of links is not enough: some file
 * systems do not keep one. */
static bool is_spool_gone(const struct serve *s)
{
	struct stat st;
	if (faccessat(s->own_fd, run_name, F_OK, 0) == 0)
		return false;
	return errno == ESTALE ||
	       (errno == ENOENT && fstat(s->own_fd, &st) == 0 && st.st_nlink == 0);
}

static void on_alone(void *arg)
{
	struct serve *s = arg;
	/* One may have come in this very moment. */
	if (s->peer.fd >= 0 || accept_peer(s) > 0)
		return;
	if (!s->is_stopping && is_spool_gone(s)) {
		log_notice("wq-shepherd: ending all children: the spool has been removed");
		serve_stop(s, SERVE_STOP_GRACE_MS);
	}
	if (may_make_way(s) || time_mono_ns() >= s->linger_at_ns)
		s->is_done = true;
	settle(s);
}

static void on_stop_timer(void *arg)
{
	struct serve *s = arg;
	s->is_done = true;
}

struct stopping {
	struct serve *serve;
	uint32_t grace_ms;
};

static void stop_one(void *arg, const struct frame_child *child, const struct wq_child_end *end)
{
	const struct stopping *stopping = arg;
	if (!end)
		herd_end(stopping->serve->herd, child->name, WQ_TERM_GRACEFUL, stopping->grace_ms);
}

void serve_stop(struct serve *s, uint32_t grace_ms)
{
	struct stopping stopping = { .serve = s, .grace_ms = grace_ms };
	s->is_stopping = true;
	herd_each(s->herd, stop_one, &stopping);
	settle(s);
}

bool serve_is_done(const struct serve *s)
{
	return s->is_done;
}

struct herd *serve_herd(struct serve *s)
{
	return s->herd;
}

/* ---- new and free ---------------------------------------------------------------------------- */

static int take_lock(struct serve *s, struct wq_err *err)
{
	s->lock_fd = openat(s->own_fd, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return err_set(err, -errno, "cannot open '%s'", lock_name);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, -WQ_E_LOCKED, "another wq-shepherd serves this spool");
	return err_set(err, -errno, "cannot lock '%s'", lock_name);
}

static int bind_socket(struct serve *s, struct wq_err *err)
{
	struct sockaddr_un address;
	int rc = address_make(&address, s->own_fd, socket_name);
	if (rc < 0)
		return err_set(err, rc, "cannot name the socket");
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0)
		return err_set(err, -errno, "cannot make a socket");
	/* What lies there is of one that was killed: we hold the lock. */
	(void)unlinkat(s->own_fd, socket_name, 0);
	mode_t before = umask(0177);
	rc = bind(s->listen_fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
	(void)umask(before);
	if (rc == 0 && listen(s->listen_fd, BACKLOG) < 0)
		rc = -errno;
	return rc < 0 ? err_set(err, rc, "cannot listen on '%s'", socket_name) : 0;
}

static int open_serve(struct serve *s, const char *uuid, struct wq_err *err)
{
	const struct herd_events events = { .arg = s, .ended = on_ended, .idle = on_idle };
	int rc = take_lock(s, err);
	if (rc < 0)
		return rc;
	s->run_fd = openat(s->own_fd, run_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->run_fd < 0)
		return err_set(err, -errno, "cannot open '%s'", run_name);
	s->alone_timer = loop_add_timer(s->loop, on_alone, s);
	s->accept_timer = loop_add_timer(s->loop, on_accept_again, s);
	s->stop_timer = loop_add_timer(s->loop, on_stop_timer, s);
	if (!s->alone_timer || !s->accept_timer || !s->stop_timer)
		return err_set(err, -ENOMEM, "no memory");
	rc = herd_new(&s->herd, s->loop, s->run_fd, uuid, &events, err);
	if (rc == 0)
		rc = bind_socket(s, err);
	if (rc < 0)
		return rc;
	s->listen_src = loop_add_fd(s->loop, s->listen_fd, EPOLLIN, on_listen, s);
	if (!s->listen_src)
		return err_set(err, -errno, "cannot watch the socket");
	settle(s);
	return 0;
}

int serve_new(
	struct serve **ret, struct loop *loop, int own_fd, const char *uuid, struct wq_err *err)
{
	struct serve *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(err, -ENOMEM, "no memory");
	*s = (struct serve){
		.loop = loop,
		.own_fd = own_fd,
		.run_fd = -1,
		.lock_fd = -1,
		.listen_fd = -1,
		.linger_ms = LINGER_DEFAULT_MS,
		.linger_at_ns = TIME_NEVER,
		.peer = { .fd = -1 },
	};
	int rc = open_serve(s, uuid, err);
	if (rc < 0) {
		serve_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void serve_free(struct serve *s)
{
	if (!s)
		return;
	if (s->listen_src)
		(void)unlinkat(s->own_fd, socket_name, 0);
	if (s->peer.src)
		loop_del_fd(s->loop, s->peer.src);
	fdio_close(&s->peer.fd);
	buf_fini(&s->peer.in);
	buf_fini(&s->peer.out);
	if (s->listen_src)
		loop_del_fd(s->loop, s->listen_src);
	fdio_close(&s->listen_fd);
	herd_free(s->herd);
	struct loop_timer *timers[] = { s->alone_timer, s->accept_timer, s->stop_timer };
	for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
		if (timers[i])
			loop_del_timer(s->loop, timers[i]);
	fdio_close(&s->run_fd);
	fdio_close(&s->lock_fd);
	free(s);
}
