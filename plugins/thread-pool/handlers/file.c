/* SPDX-License-Identifier: BSD-2-Clause */
#include "file.h"
#include "args.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <wq/plugin-util.h>

int32_t file_fail(
	struct wq_err *err, const char *name, const char *what, const char *path, int errno_code)
{
	char shown[ARGS_SHOWN_SIZE];
	(void)wq_fail(err, -errno_code, name, "%s '%s'", what, args_show(path, shown));
	return WQ_CALL_FAILED;
}

static const char *name_of_open(int errno_code)
{
	switch (errno_code) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return "no-such-file";
	case ENXIO: /* a socket, or a device that is not there */
		return "not-a-file";
	default:
		return "unreadable";
	}
}

int32_t file_open(const char *path, int *ret_fd, struct stat *ret_st, struct wq_err *err)
{
	char shown[ARGS_SHOWN_SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return file_fail(err, name_of_open(errno), "cannot open", path, errno);
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode)) {
		(void)close(fd);
		return wq_fail(err, WQ_CALL_FAILED, "not-a-file", "'%s' is not a regular file",
			args_show(path, shown));
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*ret_fd = fd;
	return WQ_OK;
}

int64_t file_read(int fd, void *buf, size_t size)
{
	ssize_t n;
	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

void file_meter_add(struct file_meter *meter, int64_t n)
{
	meter->done += n;
	double part = meter->total > 0 ? (double)meter->done / (double)meter->total : 1.0;
	int32_t permille = part >= 1.0 ? 1000 : (int32_t)(part * 1000.0);
	if (permille == meter->told)
		return;
	meter->told = permille;
	wq_call_progress(meter->call, permille, NULL);
}

int64_t file_clock_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}
