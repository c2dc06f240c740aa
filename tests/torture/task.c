/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task RECORDER: what a torture has the task manager run.  Says that it begins, works a little, writes
 * a little, says that it ends well; one in eight fails.  All of this follows from its id, so two
 * attempts at a task do the same.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void record(int fd, const char *what)
{
	char line[128];
	int n = snprintf(
		line, sizeof line, "%s %s %s\n", what, getenv("WQ_ID"), getenv("WQ_ATTEMPT"));
	if (write(fd, line, (size_t)n) != n)
		err(2, "cannot record");
}

int main(int argc, char **argv)
{
	const char *id = getenv("WQ_ID");
	if (argc != 2 || !id || !getenv("WQ_ATTEMPT"))
		errx(2, "usage: task RECORDER, run by a task manager");
	int fd = open(argv[1], O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		err(2, "%s", argv[1]);
	record(fd, "begun");

	unsigned draw = (unsigned)strtoul(id + strlen(id) - 3, NULL, 32);
	struct timespec work = { .tv_nsec = (draw & 1) ? (long)(draw / 2 % 16) * 1000000 : 0 };
	nanosleep(&work, NULL);
	for (unsigned i = 0; i < draw / 32 % 4 * 40; i++)
		printf("%s writes line %u\n", id, i);
	fflush(stdout);
	if (draw / 128 % 8 == 0)
		return 3;
	record(fd, "ended");
	return 0;
}
