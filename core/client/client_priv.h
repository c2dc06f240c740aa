/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client_priv: what the files of libwq share.
 */
#pragma once

#include <wq/client.h>

#include "spool/await.h"
#include "spool/spool.h"

struct buf;
struct request;

/* More than any server is configured to write; a bound on what a damaged spool makes us read. */
enum {
	CLIENT_FILE_MAX = 32 * 1024 * 1024,
	CLIENT_REQUEST_DEFAULT_MAX = 1024 * 1024
};

/*
 * One id that is waited for; its place in the table is the `slot` of spool/await.  The table stays
 * between calls, so a program that waits for many, one result after the other, does not pay for
 * all of them each time.
 */
struct waited {
	char id[REQID_SIZE]; /* "": this place is free */
	struct reqid reqid;
	bool watched; /* an event will come */
	bool look;    /* something may have happened */
};

/* How many of its own last requests a client remembers, because the server may not have counted them
 * yet. */
enum {
	CLIENT_RECENT_MAX = 1024
};

struct wq_client {
	struct spool spool;
	uint64_t recent_us[CLIENT_RECENT_MAX]; /* times of their ids, a ring */
	uint64_t n_recent;                     /* requests in all */
	struct await *await;                   /* made by the first wait */
	struct waited *waited;
	size_t n_waited;
};

/* "1511472984.123456-0k3v9q2m7t1dh" to its pair.  -WQ_E_FORMAT. */
int client_parse_id(const char *id, struct reqid *ret, struct wq_err *err);

/* WQ_STATE_... by looking, as move_find does. */
int client_find(const struct wq_client *c, struct reqid id);

/*
 * Bytes of a struct that both its owner and we know; 0 is taken as `first`, the size of 1.0: that is
 * CLIENT_SIZE_UP_TO its last member of then, whatever has been added behind it.
 */
size_t client_struct_size(uint32_t given, size_t first, size_t ours);
#define CLIENT_SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/* Read and check the result of `id` in 4.  -ENOENT: there is none. */
int client_read_result(struct spool *sp, struct reqid id, wq_result **ret, struct wq_err *err);

/* Has its result been collected, and is it still in the history? */
bool client_is_finished(const struct wq_client *c, struct reqid id);

/* Copy what `req` says; to be given to who asked, whose struct may be smaller than ours. */
int client_fill_details(struct wq_details *d, const struct request *req, struct wq_err *err);
void client_give_details(const struct wq_details *d, struct wq_details *ret);

/* Publish a whole request file, as far as the server takes it now.  Failures as of wq_enqueue. */
int client_publish(wq_client *c, const struct buf *bytes, bool durable, char ret_id[WQ_ID_SIZE],
	struct wq_err *err);

/* Leave a marker, as durable as the server wants it.  0 or -errno. */
int client_abort(wq_client *c, struct reqid id, struct wq_err *err);
