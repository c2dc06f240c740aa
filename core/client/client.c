/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/client_priv.h"

#include "base/err.h"
#include "base/time.h"
#include "codec/request.h"
#include "codec/status.h"
#include "control/control.h"
#include "spool/move.h"
#include "spool/publish.h"
#include "spool/status.h"

#include <wq/cbor.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page that is being written may be read torn: its check tells, the next try sees it whole. */
enum {
	PAGE_TRIES = 3
};

/* Who waits for room looks this long after the first time, and at most this long after any. */
#define ROOM_FIRST_NS (10 * NS_PER_MS)
#define ROOM_MOST_NS  (700 * NS_PER_MS)

const char *wq_version(void)
{
	return WQ_VERSION;
}

int wq_open(wq_client **ret, const char *spool, struct wq_err *err)
{
	if (!spool)
		spool = getenv("WQ_SPOOL");
	if (!spool || !*spool)
		return err_set(err, -WQ_E_UNKNOWN, "no spool is given and WQ_SPOOL is not set");
	wq_client *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(err, -ENOMEM, "cannot open '%s'", spool);
	int rc = spool_open_client(&c->spool, spool, &spool_io_real, err);
	if (rc < 0) {
		free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void wq_close(wq_client *c)
{
	if (!c)
		return;
	await_free(c->await);
	free(c->waited);
	spool_close(&c->spool);
	free(c);
}

size_t client_struct_size(uint32_t given, size_t first, size_t ours)
{
	if (given == 0)
		return first;
	return given < ours ? given : ours;
}

int client_parse_id(const char *id, struct reqid *ret, struct wq_err *err)
{
	if (!reqid_parse(id, strlen(id), ret))
		return err_set(err, -WQ_E_FORMAT, "'%s' is not an id", id);
	return 0;
}

const char *wq_state_name(int32_t state)
{
	static const char *const names[] = { "unknown", "requested", "pending", "running",
		"complete", "gone", "finished" };
	return state >= WQ_STATE_REQUESTED && state <= WQ_STATE_FINISHED ? names[state] : names[0];
}

int client_find(const struct wq_client *c, struct reqid id)
{
	int state = move_find(&c->spool, id);
	if (state < 0)
		return state;
	return state <= SPOOL_COMPLETE ? state + WQ_STATE_REQUESTED : WQ_STATE_GONE;
}

int wq_state(wq_client *c, const char *id, struct wq_err *err)
{
	struct reqid reqid;
	int rc = client_parse_id(id, &reqid, err);
	if (rc < 0)
		return rc;
	rc = client_find(c, reqid);
	return rc < 0 ? err_set(err, rc, "cannot look for '%s'", id) : rc;
}

/* ---- enqueue --------------------------------------------------------------------------------- */

static int read_page(
	const wq_client *c, struct buf *bytes, struct status_page *ret, struct wq_err *err)
{
	int rc = 0;
	for (int i = 0; i < PAGE_TRIES; i++) {
		buf_clear(bytes);
		rc = status_read(&c->spool, bytes);
		if (rc < 0)
			return err_set(err, rc, "cannot read 'wq.status'");
		rc = status_page_decode(bytes->data, bytes->len, ret, err);
		if (rc == 0)
			break;
	}
	return rc;
}

/* Of the levels only strict is a client's matter.  Where the page cannot tell, it may be that. */
static void take_durability(wq_client *c, const struct status_page *page)
{
	c->spool.durability = strcmp(page->durability, "strict") == 0 ? SPOOL_DURABILITY_STRICT
								      : SPOOL_DURABILITY_NONE;
}

/* -EAGAIN is no fault of the system, so its text would say nothing more. */
__attribute__((format(printf, 3, 4))) static int not_now(
	struct wq_err *err, const char *name, const char *fmt, ...)
{
	char text[WQ_ERR_TEXT_SIZE];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	err_set_name(err, -EAGAIN, name, "%s", "");
	if (err)
		snprintf(err->text, sizeof err->text, "%s", text);
	return -EAGAIN;
}

/* Our own requests that the server had not accepted when it wrote the page: a pass of it is long for
 * who enqueues many. */
static uint64_t count_on_their_way(const wq_client *c, uint64_t hwm_us)
{
	uint64_t n = 0;
	while (n < c->n_recent && n < CLIENT_RECENT_MAX &&
		c->recent_us[(c->n_recent - 1 - n) % CLIENT_RECENT_MAX] > hwm_us)
		n++;
	return n;
}

static int check_accepting(const wq_client *c, const struct status_page *page, struct wq_err *err)
{
	/* A server that has stopped refuses nothing: what is enqueued now waits for the next one. */
	bool refused = !page->accepting && page->pid != 0;
	uint64_t waiting = page->depth + count_on_their_way(c, page->hwm_us);
	/* It is said to be full before it is: what is on its way from others is to find room yet. */
	bool is_full =
		page->queue_limit > 0 && waiting > page->queue_limit - page->queue_limit / 20;
	if (is_full || (refused && strcmp(page->why, "queue-full") == 0))
		return not_now(err, "queue-full",
			"the queue is full: %ju requests wait, and queue-limit is %ju; try again "
			"when some of them have been started",
			(uintmax_t)waiting, (uintmax_t)page->queue_limit);
	if (!refused)
		return 0;
	return not_now(err, strcmp(page->why, "no-space") == 0 ? page->why : "not-accepting",
		"the server takes no requests now (%s)",
		page->reason[0] ? page->reason : "it gives no reason");
}

/* What the server says before anything is written.  The limits of a server that never ran, or
 * whose page cannot be read, are not known: it will answer by a result. */
static int ask_page(wq_client *c, size_t *ret_limit, struct wq_err *err)
{
	struct status_page page;
	struct buf bytes = { 0 };
	*ret_limit = CLIENT_REQUEST_DEFAULT_MAX;
	c->spool.durability = SPOOL_DURABILITY_STRICT;
	int rc = read_page(c, &bytes, &page, NULL);
	buf_fini(&bytes);
	if (rc < 0)
		return 0;
	take_durability(c, &page);
	if (page.hwm_us > c->spool.hwm_us)
		c->spool.hwm_us = page.hwm_us;
	if (page.request_limit)
		*ret_limit = page.request_limit;
	return check_accepting(c, &page, err);
}

/* Without its page being of help the gate itself can be seen, spool/space.h. */
static int check_gate(const wq_client *c, struct wq_err *err)
{
	struct stat st;
	if (c->spool.as_root || c->spool.io->fstat(c->spool.dir_fd[SPOOL_REQUESTED], &st) < 0 ||
		(st.st_mode & S_IWUSR))
		return 0;
	return not_now(err, "no-space",
		"the server has closed %s to new requests, most likely for want of space; 'wq "
		"status' tells more",
		spool_state_name(SPOOL_REQUESTED));
}

/* It was closed since we asked, or the server was killed while it was. */
static int explain_refusal(wq_client *c, int rc, struct wq_err *err)
{
	size_t limit;
	struct wq_err why = { 0 };
	if (rc != -EACCES || (ask_page(c, &limit, &why) == 0 && check_gate(c, &why) == 0))
		return rc;
	return not_now(err, why.name, "%s", why.text);
}

static int copy_text(char *to, size_t size, const char *from, const char *what, struct wq_err *err)
{
	size_t len = from ? strlen(from) : 0;
	if (len >= size)
		return err_set_name(err, -WQ_E_LIMIT, "too-big",
			"the %s is %zu bytes, more than %zu", what, len, size - 1);
	if (len)
		memcpy(to, from, len);
	to[len] = '\0';
	return 0;
}

static int encode(const struct wq_request *request, struct buf *ret, struct wq_err *err)
{
	static const uint8_t cbor_null[] = { 0xf6 };
	struct request req = { 0 };
	int rc = copy_text(req.task_manager, sizeof req.task_manager, request->task_manager,
		"task manager's name", err);
	if (rc == 0)
		rc = copy_text(req.key, sizeof req.key, request->key, "key", err);
	if (rc == 0)
		rc = copy_text(req.label, sizeof req.label, request->label, "label", err);
	if (rc < 0)
		return rc;
	if (request->run_limit_ns < 0 || request->start_within_ns < 0 || request->keep_for_ns < 0)
		return err_set(err, -EINVAL, "the %s is negative",
			request->run_limit_ns < 0      ? "run limit"
			: request->start_within_ns < 0 ? "time to start within"
						       : "time to be kept for");
	req.run_limit_ns = request->run_limit_ns;
	req.start_within_ns = request->start_within_ns;
	req.keep_for_ns = request->keep_for_ns;
	int on_crash = request->on_crash ? on_crash_parse(request->on_crash) : ON_CRASH_UNSAID;
	if (on_crash < 0)
		return err_set_name(err, -WQ_E_FORMAT, "bad-value",
			"'on-crash' is '%.32s'; it must be 'fail', 'adopt' or 'requeue'",
			request->on_crash);
	req.on_crash = (enum on_crash)on_crash;
	req.payload.ptr = request->payload ? request->payload : cbor_null;
	req.payload.len = request->payload ? request->payload_len : sizeof cbor_null;
	return request_encode(&req, ret, err);
}

int client_publish(wq_client *c, const struct buf *bytes, bool durable, char ret_id[WQ_ID_SIZE],
	struct wq_err *err)
{
	struct reqid id;
	size_t limit;
	int rc = ask_page(c, &limit, err);
	if (rc == 0 && bytes->len > limit)
		rc = err_set_name(err, -WQ_E_LIMIT, "too-big",
			"the request is %zu bytes, more than the server's limit of %zu", bytes->len,
			limit);
	if (durable)
		c->spool.durability = SPOOL_DURABILITY_STRICT;
	if (rc < 0)
		return rc;
	rc = publish_request(&c->spool, bytes->data, bytes->len, &id, err);
	if (rc < 0)
		return explain_refusal(c, rc, err);
	c->recent_us[c->n_recent++ % CLIENT_RECENT_MAX] = id.us;
	reqid_format(id, ret_id);
	return 0;
}

/* So long, and up to a half more, so that not all of many who wait come at once.  -EINTR. */
static int pause_for(const wq_client *c, int64_t ns)
{
	uint64_t random = 0;
	(void)c->spool.io->random(&random, sizeof random);
	ns += (int64_t)(random % (uint64_t)(ns / 2 + 1));
	return poll(NULL, 0, (int)((ns + NS_PER_MS - 1) / NS_PER_MS)) < 0 ? -errno : 0;
}

int wq_wait_room(wq_client *c, int64_t timeout_ns, struct wq_err *err)
{
	int64_t end_ns =
		timeout_ns == WQ_FOREVER ? TIME_NEVER : time_after(time_mono_ns(), timeout_ns);
	for (int64_t pause_ns = ROOM_FIRST_NS;; pause_ns *= 2) {
		struct wq_err why = { 0 };
		size_t limit;
		int rc = ask_page(c, &limit, &why);
		if (rc == 0)
			rc = check_gate(c, &why);
		if (rc != -EAGAIN)
			return 0;
		int64_t left_ns = end_ns - time_mono_ns();
		if (left_ns <= 0)
			return err_set_name(err, -WQ_E_TIMEOUT, why.name, "%s", why.text);
		pause_ns = pause_ns < ROOM_MOST_NS ? pause_ns : ROOM_MOST_NS;
		if (pause_for(c, pause_ns < left_ns ? pause_ns : left_ns) < 0)
			return err_set(err, -EINTR, "interrupted while waiting for room");
	}
}

int wq_enqueue(
	wq_client *c, const struct wq_request *request, char ret_id[WQ_ID_SIZE], struct wq_err *err)
{
	struct wq_request known = { 0 };
	memcpy(&known, request,
		client_struct_size(request->struct_size,
			CLIENT_SIZE_UP_TO(struct wq_request, payload_len), sizeof known));
	struct buf bytes = { 0 };
	int rc = encode(&known, &bytes, err);
	if (rc == 0)
		rc = client_publish(c, &bytes, known.durable != 0, ret_id, err);
	buf_fini(&bytes);
	return rc;
}

int client_abort(wq_client *c, struct reqid id, struct wq_err *err)
{
	struct status_page page;
	struct buf bytes = { 0 };
	c->spool.durability = SPOOL_DURABILITY_STRICT;
	if (read_page(c, &bytes, &page, NULL) == 0)
		take_durability(c, &page);
	buf_fini(&bytes);
	return publish_abort(&c->spool, id, err);
}

int wq_abort(wq_client *c, const char *id, struct wq_err *err)
{
	struct reqid reqid;
	int rc = client_parse_id(id, &reqid, err);
	return rc < 0 ? rc : client_abort(c, reqid, err);
}

/* ---- the server ------------------------------------------------------------------------------ */

int wq_ask(wq_client *c, const char *what, void **ret, size_t *ret_len, struct wq_err *err)
{
	return wq_ask_with(c, what, NULL, 0, ret, ret_len, err);
}

int wq_ask_with(wq_client *c, const char *what, const void *args, size_t args_len, void **ret,
	size_t *ret_len, struct wq_err *err)
{
	struct wq_bytes given = { .ptr = args, .len = args ? args_len : 0 };
	struct buf answer = { 0 };
	int rc = control_ask(c->spool.root_fd, what, given, &answer, err);
	if (rc < 0) {
		buf_fini(&answer);
		return rc;
	}
	*ret = answer.data;
	*ret_len = answer.len;
	return 0;
}

/* The map alone: without its tag, the check item and the zeros behind it. */
static int copy_map(const struct buf *bytes, void **ret, size_t *ret_len, struct wq_err *err)
{
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	wq_cbor_in_init(&in, bytes->data, bytes->len);
	struct wq_cbor_in at = in;
	if (wq_cbor_next(&in, &item) == 1 && item.type == WQ_CBOR_TAG)
		at = in;
	in = at;
	if (wq_cbor_skip(&in) != 1)
		return err_set(err, -WQ_E_FORMAT, "'wq.status' is damaged");
	size_t len = (size_t)(in.p - at.p);
	void *copy = malloc(len);
	if (!copy)
		return err_set(err, -ENOMEM, "cannot read 'wq.status'");
	*ret = memcpy(copy, at.p, len);
	*ret_len = len;
	return 0;
}

int wq_status_page(wq_client *c, void **ret, size_t *ret_len, struct wq_err *err)
{
	struct status_page page;
	struct buf bytes = { 0 };
	int rc = read_page(c, &bytes, &page, err);
	if (rc == 0)
		rc = copy_map(&bytes, ret, ret_len, err);
	buf_fini(&bytes);
	return rc;
}
