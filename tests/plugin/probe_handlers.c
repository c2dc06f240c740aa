/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handlers that show what the pool does with all that a handler may do.  Where a test must know
 * that one is running, or decide when it ends, the request names pipes of the test: "began" gets a
 * byte, "gate" is read from.
 */
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include <wq/handler.h>
#include <wq/plugin-util.h>

#define HOUR_NS INT64_C(3600000000000)

static void say_began(const struct wq_call *call)
{
	int64_t fd;
	if (wq_cbor_find_int(call->request.ptr, call->request.len, "began", &fd) == 1)
		(void)!write((int)fd, "b", 1);
}

/* Never looks whether it was cancelled. */
static int32_t gate(const struct wq_call *call, struct wq_reply *reply)
{
	char byte;
	int64_t fd = -1;
	(void)wq_cbor_find_int(call->request.ptr, call->request.len, "gate", &fd);
	say_began(call);
	if (read((int)fd, &byte, 1) != 1)
		return WQ_CALL_FAILED;
	wq_cbor_put_text(reply->result, "through");
	return WQ_OK;
}

static int32_t patient(const struct wq_call *call, struct wq_reply *reply)
{
	(void)reply;
	say_began(call);
	return wq_call_pause(call, HOUR_NS) ? WQ_CALL_CANCELLED : WQ_OK;
}

/* Finishes its work although it was cancelled. */
static int32_t late(const struct wq_call *call, struct wq_reply *reply)
{
	say_began(call);
	while (!wq_call_pause(call, HOUR_NS))
		;
	wq_cbor_put_uint(reply->result, 1);
	return WQ_OK;
}

static int32_t liar(const struct wq_call *call, struct wq_reply *reply)
{
	(void)call, (void)reply;
	return WQ_CALL_CANCELLED;
}

static int32_t garbage(const struct wq_call *call, struct wq_reply *reply)
{
	(void)call;
	wq_cbor_put_array(reply->result, 3); /* and no items */
	return WQ_OK;
}

static int32_t odd(const struct wq_call *call, struct wq_reply *reply)
{
	(void)call, (void)reply;
	return 77;
}

static int32_t system_error(const struct wq_call *call, struct wq_reply *reply)
{
	(void)call, (void)reply;
	return -EIO;
}

static int32_t failing(const struct wq_call *call, struct wq_reply *reply)
{
	(void)call;
	reply->code = 7;
	wq_cbor_put_text(reply->result, "half a res");
	return wq_fail(&reply->error, WQ_CALL_FAILED, "broken-thing", "the thing is broken");
}

static int32_t silent(const struct wq_call *call, struct wq_reply *reply)
{
	(void)call, (void)reply;
	return WQ_CALL_FAILED;
}

static int32_t rejecting(const struct wq_call *call, struct wq_reply *reply)
{
	(void)call;
	return wq_fail(&reply->error, WQ_CALL_REJECTED, "never", "not here");
}

static int32_t refuse(struct wq_bytes request, struct wq_err *err)
{
	(void)request;
	return wq_fail(err, WQ_CALL_REJECTED, "never", "not here");
}

static int32_t talkative(const struct wq_call *call, struct wq_reply *reply)
{
	(void)reply;
	wq_call_progress(call, 500, "half way");
	wq_call_log(call, WQ_LOG_INFO, "half way there");
	return WQ_OK;
}

/* What it was called with, and whether a signal could reach its thread. */
static int32_t who(const struct wq_call *call, struct wq_reply *reply)
{
	sigset_t mask;
	bool blocked = pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0;
	for (int sig = 1; sig <= 31; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sigismember(&mask, sig) != 1)
			blocked = false;
	wq_cbor_put_array(reply->result, 6);
	wq_cbor_put_text(reply->result, call->id);
	wq_cbor_put_text(reply->result, call->name);
	wq_cbor_put_text(reply->result, call->key);
	wq_cbor_put_text(reply->result, call->label);
	wq_cbor_put_uint(reply->result, call->attempt);
	wq_cbor_put_bool(reply->result, blocked);
	return WQ_OK;
}

static const struct wq_handler handlers[] = {
	{ "gate", "waits for a byte", gate, NULL },
	{ "patient", "waits to be cancelled", patient, NULL },
	{ "late", "is done after it was cancelled", late, NULL },
	{ "liar", "says that it was cancelled", liar, NULL },
	{ "garbage", "gives no CBOR", garbage, NULL },
	{ "odd", "gives an answer that means nothing", odd, NULL },
	{ "system-error", "gives an errno", system_error, NULL },
	{ "failing", "fails with reasons", failing, NULL },
	{ "silent", "fails without", silent, NULL },
	{ "rejecting", "refuses", rejecting, refuse },
	{ "talkative", "reports", talkative, NULL },
	{ "who", "tells how it was called", who, NULL },
};

WQ_HANDLERS("1", handlers);
