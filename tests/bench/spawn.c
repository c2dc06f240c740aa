/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawn: the floor of every command runner: a program run N times by posix_spawn, WIDTH at a time, and
 * nothing else.  Arguments: a program, N, WIDTH.  Prints commands a second.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	char *words[] = { argv[1], NULL };
	long n = atol(argv[2]), width = atol(argv[3]), running = 0;
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long begun = 0; begun < n || running > 0;) {
		pid_t pid;
		if (begun < n && running < width) {
			if (posix_spawn(&pid, words[0], NULL, NULL, words, environ) != 0)
				return 1;
			begun++;
			running++;
		} else if (wait(NULL) > 0) {
			running--;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.0f\n", (double)n / ((double)(b.tv_sec - a.tv_sec) +
					     (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	return 0;
}
