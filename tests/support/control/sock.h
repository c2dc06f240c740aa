/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * support/control/sock: a control server in a thread, with a deep directory of its own, so that its
 * path is longer than the 108 bytes that unix(7) leaves.
 */
#pragma once

#include "control/control.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct sock_server {
	char top[64]; /* what mkdtemp made */
	int dir_fd;
	struct loop *loop;
	struct control *control;
	pthread_t thread;
	int wake_fd;
	atomic_bool stop;
};

void sock_server_init(struct sock_server *s);
void sock_server_fini(struct sock_server *s);

void sock_server_start(struct sock_server *s, control_fn *fn);
void sock_server_stop(struct sock_server *s);

/* A connection, without libwq's own client. */
int sock_connect(const struct sock_server *s);

/* The file that a killed server leaves behind: bound, nobody listens. */
void sock_leave_dead(const struct sock_server *s);

/* A listener of user `uid`, who never answers. */
void sock_listen_as(const struct sock_server *s, uid_t uid);

/* control_ask in a child of user `uid`: its code, and its err->name. */
int sock_ask_as(const struct sock_server *s, uid_t uid, struct wq_err *err);
