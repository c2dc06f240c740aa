/* SPDX-License-Identifier: BSD-2-Clause */
/* The oracle, a program of its own that judges one case after the other. */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pid;
static FILE *to, *from;

void judge_open(const char *program)
{
	int in[2], out[2];
	if (pipe(in) < 0 || pipe(out) < 0 || (pid = fork()) < 0) {
		perror("engine: oracle");
		exit(2);
	}
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execl(program, program, "--serve", (char *)NULL);
		perror(program);
		_exit(2);
	}
	close(in[0]);
	close(out[1]);
	to = fdopen(in[1], "w");
	from = fdopen(out[0], "r");
}

void judge_close(void)
{
	fclose(to);
	fclose(from);
	waitpid(pid, NULL, 0);
}

int judge(enum rest rest, void (*tell)(const char *broken))
{
	static const char *const levels[] = { "none", "batch", "strict" };
	static const char *const policies[] = { "fail", "requeue", "adopt" };
	static const char *const options[] = { "", " --final", " --left" };
	const struct scene *s = stage->scene;
	char line[1024];
	int n;
	fprintf(to, "case --level %s --policy %s%s%s %s\n", levels[s->level], policies[s->policy],
		options[rest], s->life->capacity > 1 ? "" : " --fifo", stage->spool);
	fwrite(stage->events, 1, stage->n_events, to);
	fputs("end\n", to);
	fflush(to);
	while (fgets(line, sizeof line, from)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "judged %d", &n) == 1)
			return n;
		tell(line);
	}
	fprintf(stderr, "engine: the oracle has ended\n");
	exit(2);
}
