/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer: jobs a second through another queue, end to end: a client that keeps some under way, a worker
 * process that takes one after the other and gives an answer back through the same queue, and the client
 * that takes the answer away.  So each job is two of the queue's, as a request and its result are.
 * Arguments: beanstalk or redis, its unix socket, a count, how many are under way.  Prints the rate, and
 * the median of the times from job to answer, in microseconds.
 *
 * The protocols: doc/protocol.txt of beanstalkd; https://redis.io/docs/reference/protocol-spec (inline
 * commands and their replies).
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char body[101];

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(1);
}

static FILE *dial(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, path);
	FILE *f = fdopen(fd, "r+");
	must(f != NULL, path);
	return f;
}

/* Send one command in one write; the first line of its reply. */
static const char *ask(FILE *f, const char *format, ...)
{
	static char line[512];
	char command[512];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(command, sizeof command, format, args);
	va_end(args);
	must(write(fileno(f), command, (size_t)n) == n, "write");
	must(fgets(line, sizeof line, f) != NULL, "reply");
	return line;
}

static void skip_line(FILE *f)
{
	char line[512];
	must(fgets(line, sizeof line, f) != NULL, "reply");
}

/* ---- beanstalkd -------------------------------------------------------------------------------- */

static void bean_use(FILE *f, const char *put, const char *take)
{
	ask(f, "use %s\r\n", put);
	ask(f, "watch %s\r\n", take);
	ask(f, "ignore default\r\n");
}

static void bean_put(FILE *f, const char *tube)
{
	(void)tube; /* bean_use has said */
	const char *reply = ask(f, "put 0 0 60 100\r\n%s\r\n", body);
	must(strncmp(reply, "INSERTED", 8) == 0, reply);
}

static void bean_take(FILE *f, const char *tube)
{
	unsigned long long id;
	(void)tube;
	const char *reply = ask(f, "reserve\r\n");
	must(sscanf(reply, "RESERVED %llu", &id) == 1, reply);
	skip_line(f);
	reply = ask(f, "delete %llu\r\n", id);
	must(strncmp(reply, "DELETED", 7) == 0, reply);
}

/* ---- redis ------------------------------------------------------------------------------------- */

static void redis_use(FILE *f, const char *put, const char *take)
{
	(void)f, (void)put, (void)take;
}

static void redis_put(FILE *f, const char *list)
{
	const char *reply = ask(f, "LPUSH %s %s\r\n", list, body);
	must(reply[0] == ':', reply);
}

static void redis_take(FILE *f, const char *list)
{
	const char *reply = ask(f, "BRPOP %s 0\r\n", list);
	must(reply[0] == '*', reply);
	for (int i = 0; i < 4; i++) /* the list's name and the element, each behind its length */
		skip_line(f);
}

/* ---- both -------------------------------------------------------------------------------------- */

static const struct queue {
	const char *name;
	void (*use)(FILE *f, const char *put, const char *take);
	void (*put)(FILE *f, const char *to);
	void (*take)(FILE *f, const char *from);
} queues[] = {
	{ "beanstalk", bean_use, bean_put, bean_take },
	{ "redis", redis_use, redis_put, redis_take },
};

static void work(const struct queue *q, const char *path)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	FILE *f = dial(path);
	q->use(f, "answers", "jobs");
	for (;;) {
		q->take(f, "jobs");
		q->put(f, "answers");
	}
}

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	const struct queue *q = &queues[strcmp(argv[1], "redis") == 0];
	long count = atol(argv[3]), window = atol(argv[4]);
	double *begun = calloc((size_t)window, sizeof *begun);
	double *took = calloc((size_t)count, sizeof *took);
	must(begun && took, "memory");
	memset(body, 'x', sizeof body - 1);
	pid_t worker = fork();
	must(worker >= 0, "fork");
	if (worker == 0)
		work(q, argv[2]);
	FILE *f = dial(argv[2]);
	q->use(f, "jobs", "answers");
	double a = now_us();
	for (long n = 0; n < count + window; n++) {
		if (n >= window) {
			q->take(f, "answers");
			took[n - window] = now_us() - begun[n % window];
		}
		begun[n % window] = now_us();
		if (n < count)
			q->put(f, "jobs");
	}
	double all = now_us() - a;
	kill(worker, SIGKILL);
	waitpid(worker, NULL, 0);
	qsort(took, (size_t)count, sizeof *took, by_size);
	printf("%.0f %.0f\n", (double)count / all * 1e6, took[count / 2]);
	free(begun);
	free(took);
	return 0;
}
