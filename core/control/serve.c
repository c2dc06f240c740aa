/* SPDX-License-Identifier: BSD-2-Clause */
/* The server's end of the control protocol. */
#include "control/control.h"

#include "base/address.h"
#include "base/err.h"
#include "base/fdio.h"
#include "base/time.h"
#include "control/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BACKLOG = 64,
	PAUSE_S = 1
};

struct connection {
	struct control *control;
	struct loop_fd *source;
	int fd;       /* -1: this place is free */
	uid_t uid;    /* whose it is */
	bool refused; /* a stranger's: told so when it asks, for what is unread at close is a reset */
	uint64_t last; /* when it last said something, in turns of the counter below */
};

struct control {
	struct loop *loop;
	struct loop_fd *source;
	struct loop_timer *pause;
	control_fn *fn;
	void *arg;
	int dir_fd, listen_fd;
	int spare_fd; /* given up for a question when there are no descriptors */
	dev_t dev;    /* which file our socket is, so that no other is removed */
	ino_t ino;
	uint64_t turn;
	struct buf answer, message;
	struct connection connections[CONTROL_CONNECTIONS_MAX];
};

static void keep_spare(struct control *c)
{
	if (c->spare_fd < 0)
		c->spare_fd = fcntl(c->dir_fd, F_DUPFD_CLOEXEC, 3);
}

static void drop(struct connection *c)
{
	if (c->source)
		loop_del_fd(c->control->loop, c->source);
	c->source = NULL;
	fdio_close(&c->fd);
	keep_spare(c->control);
}

/* Give the connection what stands in c->message.  A SEQPACKET message goes whole or not at all, and
 * one always fits in an empty buffer: who leaves answers unread is hung up on. */
static void send_message(struct connection *c)
{
	const struct buf *m = &c->control->message;
	if (send(c->fd, m->data, m->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		drop(c);
}

static void send_error(struct connection *c, const char *name, const char *text)
{
	buf_clear(&c->control->message);
	if (message_put_error(&c->control->message, name, text) < 0)
		drop(c);
	else
		send_message(c);
}

static int answer(struct connection *c, const char *what, struct wq_bytes args, struct wq_err *err)
{
	struct control *control = c->control;
	buf_clear(&control->answer);
	buf_clear(&control->message);
	int rc = control->fn(control->arg, c->uid, what, args, &control->answer, err);
	if (rc < 0)
		return rc;
	if (control->answer.len > CONTROL_ANSWER_MAX)
		return err_set_name(err, -WQ_E_LIMIT, "too-big",
			"the answer is %zu bytes, more than the %d of a message",
			control->answer.len, CONTROL_ANSWER_MAX);
	if (message_put_answer(&control->message, &control->answer) < 0)
		return err_set(err, -ENOMEM, "no memory for the answer");
	return 0;
}

static void on_connection(void *arg, uint32_t events)
{
	(void)events;
	struct connection *c = arg;
	uint8_t bytes[CONTROL_ASK_MAX];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	if (c->refused) {
		send_error(c, "not-allowed", "only the server's own user and root may ask it");
		drop(c);
		return;
	}
	c->last = ++c->control->turn;
	struct wq_err err = { 0 };
	struct wq_bytes args = { 0 };
	char what[MESSAGE_WHAT_MAX + 1];
	int rc;
	if ((size_t)n > sizeof bytes)
		rc = err_set_name(&err, -WQ_E_LIMIT, "too-big",
			"the question is %zd bytes, more than %d", n, CONTROL_ASK_MAX);
	else
		rc = message_get_ask(bytes, (size_t)n, what, &args, &err);
	if (rc == 0)
		rc = answer(c, what, args, &err);
	if (rc == 0)
		send_message(c);
	else
		send_error(c, err.name[0] ? err.name : err_code_name(rc), err.text);
}

/* The connection that was silent longest; NULL: there is none. */
static struct connection *find_oldest(struct control *control)
{
	struct connection *oldest = NULL;
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct connection *c = &control->connections[i];
		if (c->fd >= 0 && (!oldest || c->last < oldest->last))
			oldest = c;
	}
	return oldest;
}

/* A free place; where there is none, that of who was silent longest. */
static struct connection *find_place(struct control *control)
{
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		if (control->connections[i].fd < 0)
			return &control->connections[i];
	return find_oldest(control);
}

static bool may_ask(int fd, uid_t *ret_uid)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*ret_uid = peer.uid;
	return peer.uid == 0 || peer.uid == geteuid();
}

static void take(struct control *control, int fd)
{
	struct connection *c = find_place(control);
	drop(c);
	c->fd = fd;
	c->last = ++control->turn;
	c->refused = !may_ask(fd, &c->uid);
	/* Best effort: a smaller buffer only makes large answers fail, with a sentence. */
	int room = 2 * CONTROL_ANSWER_MAX;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	c->source = loop_add_fd(control->loop, fd, EPOLLIN, on_connection, c);
	if (!c->source)
		drop(c);
}

static void on_listen(void *arg, uint32_t events)
{
	(void)events;
	struct control *control = arg;
	int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		take(control, fd);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return;
	/* What goes wrong without descriptors is best asked now. */
	if (control->spare_fd >= 0) {
		fdio_close(&control->spare_fd);
		return;
	}
	/* The waiting connection keeps the socket readable; without room for it that would be a
	 * busy loop. */
	struct connection *oldest = find_oldest(control);
	if (oldest) {
		drop(oldest);
		return;
	}
	loop_mod_fd(control->loop, control->source, 0);
	loop_set_timer(
		control->loop, control->pause, time_after(time_mono_ns(), PAUSE_S * NS_PER_S));
}

static void on_pause_over(void *arg)
{
	struct control *control = arg;
	loop_mod_fd(control->loop, control->source, EPOLLIN);
}

/* Something stands under the name.  Only a socket that nobody listens on is removed. */
static int remove_dead(struct control *c, const struct sockaddr_un *address, struct wq_err *err)
{
	struct stat st;
	if (fstatat(c->dir_fd, CONTROL_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : err_set(err, -errno, "cannot look at '%s'", CONTROL_NAME);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "'%s' is in the way and is no socket", CONTROL_NAME);
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN)
		return err_set(err, -WQ_E_LOCKED, "another process answers on '%s'", CONTROL_NAME);
	if (errno != ECONNREFUSED)
		return err_set(err, -errno, "cannot tell whether '%s' is in use", CONTROL_NAME);
	if (unlinkat(c->dir_fd, CONTROL_NAME, 0) < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot remove the dead socket '%s'", CONTROL_NAME);
	return 0;
}

static bool is_ours(const struct control *c)
{
	struct stat st;
	return c->ino && fstatat(c->dir_fd, CONTROL_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == c->dev && st.st_ino == c->ino;
}

static int bind_name(struct control *c, struct wq_err *err)
{
	struct sockaddr_un address;
	struct stat st;
	int rc = address_make(&address, c->dir_fd, CONTROL_NAME);
	if (rc < 0)
		return err_set(err, rc, "cannot serve '%s'", CONTROL_NAME);
	c->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listen_fd < 0)
		return err_set(err, -errno, "cannot make a socket");
	const struct sockaddr *sa = (const struct sockaddr *)&address;
	if (bind(c->listen_fd, sa, sizeof address) < 0) {
		if (errno != EADDRINUSE)
			return err_set(err, -errno, "cannot make '%s'", CONTROL_NAME);
		rc = remove_dead(c, &address, err);
		if (rc < 0)
			return rc;
		if (bind(c->listen_fd, sa, sizeof address) < 0)
			return err_set(err, -errno, "cannot make '%s'", CONTROL_NAME);
	}
	if (fstatat(c->dir_fd, CONTROL_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, -errno, "cannot look at '%s'", CONTROL_NAME);
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	/* Before listen nobody can have connected. */
	if (fchmodat(c->dir_fd, CONTROL_NAME, 0600, 0) < 0 || listen(c->listen_fd, BACKLOG) < 0)
		return err_set(err, -errno, "cannot serve '%s'", CONTROL_NAME);
	return 0;
}

static int serve(struct control *c, struct wq_err *err)
{
	int rc = bind_name(c, err);
	if (rc < 0)
		return rc;
	c->source = loop_add_fd(c->loop, c->listen_fd, EPOLLIN, on_listen, c);
	if (!c->source)
		return err_set(err, -errno, "cannot watch '%s'", CONTROL_NAME);
	return 0;
}

int control_open(struct control **ret, struct loop *loop, int dir_fd, control_fn *fn, void *arg,
	struct wq_err *err)
{
	struct control *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(err, -ENOMEM, "cannot serve '%s'", CONTROL_NAME);
	c->loop = loop;
	c->fn = fn;
	c->arg = arg;
	c->listen_fd = c->spare_fd = -1;
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		c->connections[i] = (struct connection){ .control = c, .fd = -1 };
	c->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	int rc = c->dir_fd < 0 ? err_set(err, -errno, "cannot serve '%s'", CONTROL_NAME) : 0;
	if (rc == 0 && !(c->pause = loop_add_timer(loop, on_pause_over, c)))
		rc = err_set(err, -ENOMEM, "cannot serve '%s'", CONTROL_NAME);
	if (rc == 0)
		rc = serve(c, err);
	if (rc < 0) {
		control_close(c);
		return rc;
	}
	keep_spare(c);
	*ret = c;
	return rc;
}

int control_renew(struct control *c, struct wq_err *err)
{
	if (is_ours(c))
		return 0;
	struct loop_fd *source = c->source;
	int listen_fd = c->listen_fd;
	dev_t dev = c->dev;
	ino_t ino = c->ino;
	c->source = NULL;
	c->listen_fd = -1;
	int rc = serve(c, err);
	if (rc == 0) {
		loop_del_fd(c->loop, source);
		fdio_close(&listen_fd);
		return 1;
	}
	fdio_close(&c->listen_fd);
	c->listen_fd = listen_fd;
	c->source = source;
	c->dev = dev;
	c->ino = ino;
	return rc;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		drop(&c->connections[i]);
	if (c->source)
		loop_del_fd(c->loop, c->source);
	if (c->pause)
		loop_del_timer(c->loop, c->pause);
	if (is_ours(c))
		(void)unlinkat(
			c->dir_fd, CONTROL_NAME, 0); /* left behind, the next server replaces it */
	fdio_close(&c->listen_fd);
	fdio_close(&c->spare_fd);
	fdio_close(&c->dir_fd);
	buf_fini(&c->answer);
	buf_fini(&c->message);
	free(c);
}
