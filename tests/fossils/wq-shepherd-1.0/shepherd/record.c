/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/record.h"

#include "base/fdio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A record is text of one length, numbers padded with zeros, so that an update is one write in place:
 * whoever is killed leaves the old one or the new one.  Without its last line it is not whole.
 */
#define HEAD       "wq-child 1\nname %s\ntag %s\nboot %s\n"
#define NUMBERS    "pid %010" PRId64 "\nstart_ticks %020" PRIu64 "\nbegan_us %020" PRId64 "\nend\n"
#define NUMBERS_IN "pid %" SCNd64 " start_ticks %" SCNu64 " began_us %" SCNd64 " %n"

enum {
	TEXT_MAX = 1024,
	BOOT_SIZE = sizeof((struct record *)0)->boot
};

static const char boot_name[] = "boot";
static const char boot_new_name[] = ".boot";
static const char boot_id_path[] = "/proc/sys/kernel/random/boot_id";

static bool is_name(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len <= FRAME_NAME_MAX && name[0] != '.' && !strchr(name, '/') &&
	       strcmp(name, boot_name) != 0;
}

static bool is_one_line(const char *s)
{
	return s[strcspn(s, " \t\r\n")] == '\0';
}

/* ---- writing ------------------------------------------------------------------------------------ */

static int write_record(int run_fd, const struct record *r, int how)
{
	char text[TEXT_MAX];
	if (!is_name(r->name) || !is_one_line(r->name) || !is_one_line(r->tag) ||
		!is_one_line(r->boot))
		return -EINVAL;
	int len = snprintf(text, sizeof text, HEAD NUMBERS, r->name, r->tag, r->boot,
		(int64_t)r->pid, r->start_ticks, r->began_us);
	auto_close int fd = openat(run_fd, r->name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | how, 0600);
	if (fd < 0)
		return -errno;
	int rc = fdio_write_all(fd, text, (size_t)len);
	if (rc < 0 && how)
		(void)unlinkat(run_fd, r->name, 0);
	return rc;
}

int record_make(int run_fd, const struct record *r)
{
	return write_record(run_fd, r, O_CREAT | O_EXCL);
}

int record_update(int run_fd, const struct record *r)
{
	return write_record(run_fd, r, 0);
}

int record_remove(int run_fd, const char *name)
{
	if (!is_name(name))
		return -EINVAL;
	return unlinkat(run_fd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* "WORD VALUE\n" at *at: its value, and *at moves on. */
static bool take_line(const char **at, const char *word, char *ret, size_t size)
{
	size_t n = strlen(word);
	if (strncmp(*at, word, n) != 0 || (*at)[n] != ' ')
		return false;
	const char *value = *at + n + 1, *end = strchr(value, '\n');
	if (!end || (size_t)(end - value) >= size)
		return false;
	memcpy(ret, value, (size_t)(end - value));
	ret[end - value] = '\0';
	*at = end + 1;
	return true;
}

static bool parse(const char *text, struct record *ret)
{
	char version[8];
	int64_t pid = 0;
	int used = 0;
	const char *at = text;
	if (!take_line(&at, "wq-child", version, sizeof version) || strcmp(version, "1") != 0 ||
		!take_line(&at, "name", ret->name, sizeof ret->name) ||
		!take_line(&at, "tag", ret->tag, sizeof ret->tag) ||
		!take_line(&at, "boot", ret->boot, sizeof ret->boot))
		return false;
	if (sscanf(at, NUMBERS_IN, &pid, &ret->start_ticks, &ret->began_us, &used) != 3 ||
		strcmp(at + used, "end\n") != 0 || pid < 0 || pid > INT32_MAX)
		return false;
	ret->pid = (pid_t)pid;
	return true;
}

/* 1: *ret is filled, whole or with its name alone; 0: it is no file, or has gone. */
static int read_record(int run_fd, const char *name, struct record *ret)
{
	char text[TEXT_MAX];
	struct stat st;
	auto_close int fd = openat(run_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	ssize_t n = fdio_pread(fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	*ret = (struct record){ 0 };
	if (n <= 0 || !parse(text, ret) || strcmp(ret->name, name) != 0) {
		*ret = (struct record){ 0 };
		memcpy(ret->name, name, strlen(name) + 1);
	}
	return 1;
}

int record_each(int run_fd, int (*fn)(void *arg, const struct record *r), void *arg)
{
	int fd = openat(run_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *d = fdopendir(fd);
	if (!d) {
		int rc = -errno;
		(void)close(fd);
		return rc;
	}
	int rc = 0;
	while (rc == 0) {
		errno = 0;
		const struct dirent *e = readdir(d);
		if (!e) {
			rc = -errno;
			break;
		}
		struct record r;
		if (!is_name(e->d_name))
			continue;
		rc = read_record(run_fd, e->d_name, &r);
		if (rc > 0)
			rc = fn(arg, &r);
	}
	(void)closedir(d);
	return rc;
}

static int is_one(void *arg, const struct record *r)
{
	(void)arg;
	(void)r;
	return 1;
}

bool record_any(int own_fd)
{
	auto_close int run_fd = openat(own_fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return run_fd >= 0 && record_each(run_fd, is_one, NULL) != 0;
}

/* ---- the boot id --------------------------------------------------------------------------------- */

static int read_id(int dir_fd, const char *name, char ret[BOOT_SIZE])
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = fdio_pread(fd, ret, BOOT_SIZE - 1, 0);
	if (n < 0)
		return (int)n;
	ret[n] = '\0';
	ret[strcspn(ret, " \n")] = '\0';
	return 0;
}

int record_boot(int run_fd, char ret[40], bool *ret_same)
{
	char last[BOOT_SIZE];
	int rc = read_id(AT_FDCWD, boot_id_path, ret);
	if (rc < 0)
		return rc;
	*ret_same = read_id(run_fd, boot_name, last) == 0 && ret[0] && strcmp(last, ret) == 0;
	return 0;
}

int record_mark_boot(int run_fd, const char *boot)
{
	auto_close int fd = openat(
		run_fd, boot_new_name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int rc = fdio_write_all(fd, boot, strlen(boot));
	if (rc == 0 && renameat(run_fd, boot_new_name, run_fd, boot_name) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(run_fd, boot_new_name, 0);
	return rc;
}
