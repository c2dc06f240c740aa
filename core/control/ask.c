/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's end of the control protocol. */
#include "control/control.h"

#include "base/address.h"
#include "base/err.h"
#include "base/fdio.h"
#include "base/time.h"
#include "control/message.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

static int timed_out(struct wq_err *err)
{
	return err_set(err, -WQ_E_TIMEOUT, "the server did not answer within %d seconds",
		CONTROL_TIMEOUT_S);
}

/* Anybody may have put a socket into a directory that others can write to. */
static int check_peer(int fd, int dir_fd, struct wq_err *err)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	struct stat st;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_set(err, -errno, "cannot see who serves the control socket");
	if (fstat(dir_fd, &st) < 0)
		return err_set(err, -errno, "cannot see who owns the spool");
	if (peer.uid != 0 && peer.uid != st.st_uid)
		return err_set(err, -EPERM,
			"the control socket is served by uid %u, but the spool belongs to uid %u",
			(unsigned)peer.uid, (unsigned)st.st_uid);
	return 0;
}

static int connect_to(int dir_fd, int *ret, struct wq_err *err)
{
	struct sockaddr_un address;
	int rc = address_make(&address, dir_fd, CONTROL_NAME);
	if (rc < 0)
		return err_set(err, rc, "cannot reach '%s'", CONTROL_NAME);
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket");
	/* Also bounds connect, which waits while the server's queue of connections is full. */
	struct timeval limit = { .tv_sec = CONTROL_TIMEOUT_S };
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
		return err_set(err, -errno, "cannot set a time limit");
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return err_set(err, -WQ_E_GONE, "no server is running");
		if (errno == EAGAIN)
			return timed_out(err);
		if (errno == EACCES)
			return err_set(
				err, -EACCES, "only the server's own user and root may ask it");
		return err_set(err, -errno, "cannot reach the server");
	}
	rc = check_peer(fd, dir_fd, err);
	if (rc < 0)
		return rc;
	*ret = fd;
	fd = -1;
	return 0;
}

static int wait_readable(int fd, int64_t deadline_ns, struct wq_err *err)
{
	int64_t left = deadline_ns - time_mono_ns();
	if (left <= 0)
		return timed_out(err);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec ts = { .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
	int n = ppoll(&p, 1, &ts, NULL);
	if (n < 0)
		return err_set(err, -errno, "interrupted while waiting for the server's answer");
	return n == 0 ? timed_out(err) : 0;
}

static int receive(int fd, int64_t deadline_ns, struct buf *message, struct wq_err *err)
{
	enum {
		MOST = CONTROL_ANSWER_MAX + MESSAGE_OVERHEAD
	};
	int rc = wait_readable(fd, deadline_ns, err);
	if (rc < 0)
		return rc;
	if (buf_reserve(message, MOST) < 0)
		return err_set(err, -ENOMEM, "cannot read the server's answer");
	ssize_t n = recv(fd, message->data, MOST, MSG_DONTWAIT | MSG_TRUNC);
	/* A server that closes without having read the question resets the connection, which is
	 * told before what it has said. */
	if (n < 0 && errno == ECONNRESET)
		n = recv(fd, message->data, MOST, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && errno != ECONNRESET && errno != EAGAIN)
		return err_set(err, -errno, "cannot read the server's answer");
	if (n <= 0)
		return err_set(
			err, -WQ_E_GONE, "the server closed the connection without an answer");
	if (n > MOST)
		return err_set(err, -WQ_E_FORMAT, "the server's answer is %zd bytes, more than %d",
			n, MOST);
	message->len = (size_t)n;
	return 0;
}

static int converse(int fd, const char *what, struct wq_bytes args, struct buf *message,
	struct buf *ret, struct wq_err *err)
{
	int64_t deadline = time_after(time_mono_ns(), CONTROL_TIMEOUT_S * NS_PER_S);
	if (message_put_ask(message, what, args) < 0)
		return err_set(err, -ENOMEM, "cannot ask the server");
	if (message->len > CONTROL_ASK_MAX)
		return err_set(err, -WQ_E_LIMIT, "the question is too long");
	/* A server that refuses us may have answered and closed already: what it said is read. */
	if (send(fd, message->data, message->len, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
		errno != ECONNRESET)
		return errno == EAGAIN ? timed_out(err)
				       : err_set(err, -errno, "cannot ask the server");
	buf_clear(message);
	int rc = receive(fd, deadline, message, err);
	const void *item = NULL;
	size_t len = 0;
	if (rc == 0)
		rc = message_get_answer(message->data, message->len, &item, &len, err);
	if (rc == 0 && buf_add(ret, item, len) < 0)
		rc = err_set(err, -ENOMEM, "cannot keep the server's answer");
	return rc;
}

int control_ask(
	int dir_fd, const char *what, struct wq_bytes args, struct buf *ret, struct wq_err *err)
{
	auto_close int fd = -1;
	int rc = message_check_args(args, err);
	if (rc == 0)
		rc = connect_to(dir_fd, &fd, err);
	if (rc < 0)
		return rc;
	struct buf message = { 0 };
	rc = converse(fd, what, args, &message, ret, err);
	buf_fini(&message);
	return rc;
}
