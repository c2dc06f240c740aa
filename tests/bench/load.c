/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load: requests a second through a running server, by libwq.  Arguments: a spool, a count, how many
 * are under way at once.  Each result is waited for and taken away.  Prints the rate, and the median of
 * the times from enqueue to result, in microseconds.
 */
#include <wq/client.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(int ok, const struct wq_err *err)
{
	if (ok)
		return;
	fprintf(stderr, "load: %s\n", err->text);
	exit(1);
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
	if (argc != 4)
		return 2;
	long count = atol(argv[2]), window = atol(argv[3]);
	char(*ids)[WQ_ID_SIZE] = calloc((size_t)window, sizeof *ids);
	struct wq_err err = { 0 };
	struct wq_request request = {
		.struct_size = sizeof request, .payload = "\xa0", .payload_len = 1
	};
	wq_client *c;
	double *begun = calloc((size_t)window, sizeof *begun);
	double *took = calloc((size_t)count, sizeof *took);
	if (!ids || !begun || !took)
		return 1;
	must(wq_open(&c, argv[1], &err) == 0, &err);
	double a = now_us();
	for (long n = 0; n < count + window; n++) {
		char *slot = ids[n % window];
		if (n >= window) {
			wq_result *result;
			must(wq_wait(c, slot, WQ_FOREVER, 0, &result, &err) == 0, &err);
			wq_result_free(result);
			took[n - window] = now_us() - begun[n % window];
		}
		begun[n % window] = now_us();
		if (n < count)
			must(wq_enqueue(c, &request, slot, &err) == 0, &err);
	}
	double all = now_us() - a;
	qsort(took, (size_t)count, sizeof *took, by_size);
	printf("%.0f %.0f\n", (double)count / all * 1e6, took[count / 2]);
	wq_close(c);
	free(ids);
	free(begun);
	free(took);
	return 0;
}
