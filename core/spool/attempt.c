/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "spool/scan.h"
#include "spool/work.h"

static const char doubted_suffix[] = ".doubted";

enum {
	DOUBTED_NAME_SIZE = WORK_NAME_SIZE + sizeof doubted_suffix
};

static char *doubted_name(struct reqid id, uint32_t attempt, char ret[DOUBTED_NAME_SIZE])
{
	char name[WORK_NAME_SIZE];
	snprintf(ret, DOUBTED_NAME_SIZE, "%s%s", work_name(id, attempt, name), doubted_suffix);
	return ret;
}

static int make(struct spool *sp, const char *name)
{
	int fd = sp->io->openat(sp->attempts_fd, name,
		O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	int rc = fd < 0 ? fd : sp->io->close(fd);
	/* Here and now, for it is rare: after a crash only. */
	return rc == 0 && sp->durability != SPOOL_DURABILITY_NONE ? sp->io->fsync(sp->attempts_fd)
								  : rc;
}

static int remove_name(struct spool *sp, const char *name)
{
	int rc = sp->io->unlinkat(sp->attempts_fd, name, 0);
	return rc == -ENOENT ? 0 : rc;
}

int attempt_put(struct spool *sp, struct reqid id, uint32_t attempt)
{
	char name[WORK_NAME_SIZE];
	int rc = make(sp, work_name(id, attempt, name));
	return rc < 0 ? rc : attempt_drop(sp, id, attempt - 1);
}

int attempt_drop(struct spool *sp, struct reqid id, uint32_t attempt)
{
	char name[WORK_NAME_SIZE], doubted[DOUBTED_NAME_SIZE];
	int rc = remove_name(sp, doubted_name(id, attempt, doubted));
	return rc < 0 ? rc : remove_name(sp, work_name(id, attempt, name));
}

int attempt_doubt(struct spool *sp, struct reqid id, uint32_t attempt)
{
	char doubted[DOUBTED_NAME_SIZE];
	return make(sp, doubted_name(id, attempt, doubted));
}

struct each {
	attempt_fn *fn;
	void *arg;
};

static int on_name(void *arg, struct reqid none, const char *name)
{
	const struct each *each = arg;
	char plain[WORK_NAME_SIZE];
	struct reqid id;
	uint32_t attempt;
	(void)none;
	size_t len = name ? strlen(name) : 0, suffix = strlen(doubted_suffix);
	bool doubted = len > suffix && strcmp(name + len - suffix, doubted_suffix) == 0;
	if (doubted)
		len -= suffix;
	if (len == 0 || len >= sizeof plain)
		return 0; /* an id alone, or nothing of ours */
	memcpy(plain, name, len);
	plain[len] = '\0';
	return work_parse(plain, &id, &attempt) ? each->fn(each->arg, id, attempt, doubted) : 0;
}

int attempt_each(const struct spool *sp, attempt_fn *fn, void *arg)
{
	struct each each = { fn, arg };
	return scan_io(sp->io, sp->attempts_fd, on_name, &each);
}
