/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load: requests a second through a running server, by libwq.  Arguments: a spool, a count, how many
 * are under way at once.  Each result is waited for and taken away.
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
	if (!ids)
		return 1;
	must(wq_open(&c, argv[1], &err) == 0, &err);
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long n = 0; n < count + window; n++) {
		char *slot = ids[n % window];
		if (n >= window) {
			wq_result *result;
			must(wq_wait(c, slot, WQ_FOREVER, 0, &result, &err) == 0, &err);
			wq_result_free(result);
		}
		if (n < count)
			must(wq_enqueue(c, &request, slot, &err) == 0, &err);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.0f\n", (double)count / ((double)(b.tv_sec - a.tv_sec) +
						 (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	wq_close(c);
	free(ids);
	return 0;
}
