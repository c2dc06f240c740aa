/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sleep: for trials.  It waits as long as it is told to and says when, or fails with the words that
 * it is given.
 */
#include "args.h"
#include "standard.h"

#include <stdbool.h>
#include <time.h>

#include <wq/plugin-util.h>

#define SECONDS_MAX 1e9

enum {
	FAIL_SIZE = 201
};

struct args {
	double seconds;
	bool fails;
	char fail[FAIL_SIZE];
};

static int32_t parse(struct wq_bytes request, struct args *ret, struct wq_err *err)
{
	static const char *const known[] = { "seconds", "fail", NULL };
	struct wq_cbor_in found;
	int32_t rc = args_check_keys(request, known, err);
	if (rc != WQ_OK)
		return rc;
	/* The comparison refuses NaN too. */
	if (wq_cbor_find_double(request.ptr, request.len, "seconds", &ret->seconds) != 1 ||
		!(ret->seconds >= 0.0 && ret->seconds <= SECONDS_MAX))
		return wq_fail(err, WQ_CALL_REJECTED, "bad-request",
			"'seconds' must be a number from 0 to %.0f", SECONDS_MAX);
	ret->fail[0] = '\0';
	ret->fails = wq_cbor_map_find(request.ptr, request.len, "fail", &found) == 1;
	return args_text(request, "fail", ret->fail, sizeof(ret->fail), err);
}

int32_t sleep_check(struct wq_bytes request, struct wq_err *err)
{
	struct args args;
	return parse(request, &args, err);
}

static double now(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int32_t sleep_run(const struct wq_call *call, struct wq_reply *reply)
{
	struct args args;
	char shown[ARGS_SHOWN_SIZE];
	int32_t rc = parse(call->request, &args, &reply->error);
	if (rc != WQ_OK)
		return rc;
	double start = now();
	if (wq_call_pause(call, (int64_t)(args.seconds * 1e9)))
		return WQ_CALL_CANCELLED;
	if (args.fails)
		return wq_fail(&reply->error, WQ_CALL_FAILED, "sleep-failed", "%s",
			args_show(args.fail, shown));
	wq_cbor_put_map(reply->result, 2);
	wq_cbor_put_text(reply->result, "start");
	wq_cbor_put_double(reply->result, start);
	wq_cbor_put_text(reply->result, "end");
	wq_cbor_put_double(reply->result, now());
	return WQ_OK;
}
