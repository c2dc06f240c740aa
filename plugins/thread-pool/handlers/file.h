/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file: what digest and copy have in common: a source that is a regular file, read in chunks, with
 * progress.
 */
#pragma once

#include <sys/stat.h>

#include <wq/handler.h>

enum {
	FILE_CHUNK = 128 * 1024
};

/* WQ_CALL_FAILED with `name` and "<what> '<path>': <text of errno_code>". */
int32_t file_fail(
	struct wq_err *err, const char *name, const char *what, const char *path, int errno_code);

/*
 * Open `path` for reading.  WQ_OK; WQ_CALL_FAILED "no-such-file", "not-a-file" (a directory, a
 * FIFO, a device) or "unreadable".  Never waits for a writer of a FIFO.
 */
int32_t file_open(const char *path, int *ret_fd, struct stat *ret_st, struct wq_err *err);

/* Bytes read, 0 at the end, -errno. */
int64_t file_read(int fd, void *buf, size_t size);

struct file_meter {
	const struct wq_call *call;
	int64_t total, done;
	int32_t told; /* permille */
};

/* `n` more are done; says so when the permille has changed. */
void file_meter_add(struct file_meter *meter, int64_t n);

int64_t file_clock_ns(void); /* CLOCK_MONOTONIC */
