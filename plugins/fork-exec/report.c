/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <signal.h>
#include <stdlib.h>

#include <wq/plugin-util.h>

#include "json.h"
#include "output.h"

#define STDOUT_NAME "stdout"
#define STDERR_NAME "stderr"

enum {
	/* What standard output may have that is to be the result: it is read and checked at once. */
	RESULT_BYTES_MAX = 1024 * 1024,
	RETRY_MS = 1000,
	/* As shells have it. */
	CODE_CANNOT_RUN = 126,
	CODE_NOT_FOUND = 127,
	SIGNAL_NAME_SIZE = 24,
	UTF8_MAX = 4 /* bytes of a character */
};

void ending_copy(struct ending *ret, const struct wq_child_end *end)
{
	memset(ret, 0, sizeof(*ret));
	size_t size = end->struct_size < sizeof(*end) ? end->struct_size : sizeof(*end);
	memcpy(&ret->end, end, size);
	(void)snprintf(ret->error, sizeof(ret->error), "%s", ret->end.error ? ret->end.error : "");
	(void)snprintf(ret->text, sizeof(ret->text), "%s", ret->end.text ? ret->end.text : "");
	wq_text_trim(ret->text);
	ret->end.error = ret->error[0] ? ret->error : NULL;
	ret->end.text = ret->text[0] ? ret->text : NULL;
}

/* "SIGSEGV"; "SIGRTMIN+3" where the system has no other name. */
static const char *signal_name(int signo, char ret[SIGNAL_NAME_SIZE])
{
	const char *name = sigabbrev_np(signo);
	if (name)
		(void)snprintf(ret, SIGNAL_NAME_SIZE, "SIG%s", name);
	else if (signo >= SIGRTMIN && signo <= SIGRTMAX)
		(void)snprintf(ret, SIGNAL_NAME_SIZE, "SIGRTMIN+%d", signo - SIGRTMIN);
	else
		(void)snprintf(ret, SIGNAL_NAME_SIZE, "signal %d", signo);
	return ret;
}

/* ---- the map --------------------------------------------------------------------------------- */

/* A map of at most 23 pairs, whose number is known when it is closed: its head is one byte. */
static size_t open_map(struct wq_cbor_out *o)
{
	wq_cbor_put_map(o, 0);
	return o->len - 1;
}

static void close_map(struct wq_cbor_out *o, size_t head, uint64_t n)
{
	if (o->err == 0)
		o->buf[head] = (uint8_t)(o->buf[head] + n);
}

/* 1, the number of pairs. */
static uint64_t put_number(struct wq_cbor_out *o, const char *key, uint64_t value)
{
	wq_cbor_put_text(o, key);
	wq_cbor_put_uint(o, value);
	return 1;
}

static uint64_t put_time(struct wq_cbor_out *o, const char *key, int64_t value)
{
	return value > 0 ? put_number(o, key, (uint64_t)value) : 0;
}

/* As text where it is UTF-8.  The writer believes its caller, so the reader is asked. */
static bool try_text(struct wq_cbor_out *o, const void *bytes, size_t len)
{
	size_t start = o->len;
	wq_cbor_put_text_n(o, bytes, len);
	if (o->err != 0 || wq_cbor_check(o->buf + start, o->len - start, NULL, NULL, NULL) == 0)
		return true;
	o->len = start;
	return false;
}

static void put_text_or_bytes(struct wq_cbor_out *o, const void *bytes, size_t len)
{
	if (!try_text(o, bytes, len))
		wq_cbor_put_bytes(o, bytes, len);
}

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0u) == 0x80u;
}

/* How many bytes at the end are the beginning of a character that is not all there. */
static size_t cut_at_end(const unsigned char *p, size_t len)
{
	for (size_t n = 1; n < UTF8_MAX && n <= len; n++) {
		unsigned char c = p[len - n];
		if (is_continuation(c))
			continue;
		size_t wants = c > 0xf4 || c < 0xc2 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
		return wants > n ? n : 0;
	}
	return 0;
}

/*
 * The end of the output: a text when it is one but for characters that were cut in two, where the
 * tail begins and where the file was full.
 */
static void put_tail(
	struct wq_cbor_out *o, const unsigned char *p, size_t len, bool cut_start, bool cut_end)
{
	size_t skip = 0, drop = 0;
	while (cut_start && skip < UTF8_MAX - 1 && skip < len && is_continuation(p[skip]))
		skip++;
	if (cut_end)
		drop = cut_at_end(p + skip, len - skip);
	if (!try_text(o, p + skip, len - skip - drop))
		wq_cbor_put_bytes(o, p, len);
}

struct stream {
	const char *key, *file;
	uint64_t bytes, kept;
	bool is_known; /* are these two? */
};

static void put_stream(
	struct wq_cbor_out *o, const struct stream *s, const char *work_dir, size_t tail_max)
{
	struct output file = { .fd = -1 };
	uint64_t n = 2;
	wq_cbor_put_text(o, s->key);
	size_t head = open_map(o);
	if (!s->is_known || s->kept > 0)
		output_open(&file, work_dir, s->file);
	/* Who wrote the file itself may have made it longer or shorter. */
	uint64_t end = s->is_known && s->kept < file.size ? s->kept : file.size;
	uint64_t start = end > tail_max ? end - tail_max : 0;
	size_t len = (size_t)(end - start);
	unsigned char *tail = malloc(len + 1);
	if (s->is_known) {
		n += put_number(o, "bytes", s->bytes);
		wq_cbor_put_text(o, "truncated");
		wq_cbor_put_bool(o, s->kept < s->bytes);
		n++;
	}
	n += put_number(o, "kept", s->is_known ? s->kept : file.size);
	wq_cbor_put_text(o, "tail");
	if (tail) {
		len = output_read(&file, start, tail, len);
		put_tail(o, tail, len, start > 0, s->is_known && end < s->bytes);
	} else {
		o->err = -ENOMEM;
	}
	wq_cbor_put_pair(o, "file", s->file);
	close_map(o, head, n);
	free(tail);
	output_close(&file);
}

static uint64_t put_usage(struct wq_cbor_out *o, const struct wq_child_end *end)
{
	uint64_t n = 0;
	wq_cbor_put_text(o, "usage");
	size_t head = open_map(o);
	n += put_number(o, "user-us", end->user_us);
	n += put_number(o, "system-us", end->system_us);
	n += put_number(o, "max-rss-kib", end->max_rss_kib);
	n += put_number(o, "minor-faults", end->minor_faults);
	n += put_number(o, "major-faults", end->major_faults);
	n += put_number(o, "blocks-in", end->blocks_in);
	n += put_number(o, "blocks-out", end->blocks_out);
	n += put_number(o, "switches", end->switches);
	n += put_number(o, "preemptions", end->preemptions);
	close_map(o, head, n);
	return 1;
}

/* How it ended, for one that has run and whose end is known. */
static uint64_t put_end(struct wq_cbor_out *o, const struct wq_child_end *end)
{
	char name[SIGNAL_NAME_SIZE];
	uint64_t n = 1;
	if (end->how == WQ_CHILD_SIGNALLED) {
		wq_cbor_put_pair(o, "signal", signal_name(end->signal, name));
		wq_cbor_put_text(o, "core");
		wq_cbor_put_bool(o, (end->flags & WQ_CHILD_CORE) != 0);
		n++;
	} else {
		wq_cbor_put_text(o, "exit");
		wq_cbor_put_int(o, end->code);
	}
	n += put_number(o, "rest", end->rest);
	return n + put_usage(o, end);
}

static void put_report(struct wq_cbor_out *o, const struct settings *settings,
	const struct wq_child_end *end, const char *work_dir)
{
	bool ran = end->how != WQ_CHILD_NOT_STARTED;
	bool is_known = end->how == WQ_CHILD_EXITED || end->how == WQ_CHILD_SIGNALLED;
	size_t head = open_map(o);
	uint64_t n = is_known ? put_end(o, end) : 0;
	n += put_time(o, "began-us", end->began_us);
	n += put_time(o, "ended-us", end->ended_us);
	n += put_time(o, "ran-ns", end->ran_ns);
	if (ran) {
		put_stream(o,
			&(struct stream){
				"stdout", STDOUT_NAME, end->out_bytes, end->out_kept, is_known },
			work_dir, settings->tail);
		put_stream(o,
			&(struct stream){
				"stderr", STDERR_NAME, end->err_bytes, end->err_kept, is_known },
			work_dir, settings->tail);
		n += 2;
	}
	wq_cbor_put_text(o, "work-dir");
	put_text_or_bytes(o, work_dir, strlen(work_dir));
	close_map(o, head, n + 1);
}

/* ---- standard output as the result ----------------------------------------------------------- */

static int32_t bad_output(struct wq_err *err, const char *why)
{
	return wq_fail(err, -WQ_E_FORMAT, "bad-output", "%s", why);
}

static int32_t take_result(struct report *r, enum settings_result form, const uint8_t *bytes,
	size_t len, struct wq_err *err)
{
	struct wq_cbor_limits limits = { .max_bytes = RESULT_BYTES_MAX };
	size_t used = 0;
	if (form == RESULT_JSON)
		return json_to_cbor((const char *)bytes, len, &r->out, err);
	int32_t rc = wq_cbor_check(bytes, len, &limits, &used, err);
	if (rc < 0)
		return rc;
	if (used != len)
		return bad_output(err, "one item of CBOR is followed by more");
	wq_cbor_put_raw(&r->out, bytes, len);
	return r->out.err;
}

/* 0; -ENOMEM; else it is not what it should be, and `err` says why. */
static int32_t read_result(struct report *r, const struct settings *settings,
	const struct wq_child_end *end, const char *work_dir, struct wq_err *err)
{
	struct output file;
	if (end->out_bytes == 0)
		return bad_output(err, "it is empty");
	if (end->out_kept < end->out_bytes)
		return bad_output(err, "it is larger than output-limit");
	if (end->out_kept > RESULT_BYTES_MAX)
		return bad_output(err, "it has more than 1M");
	output_open(&file, work_dir, STDOUT_NAME);
	size_t len = (size_t)end->out_kept;
	uint8_t *bytes = malloc(len);
	int32_t rc = -ENOMEM;
	if (bytes && output_read(&file, 0, bytes, len) < len)
		rc = bad_output(err, "its file is not what was written");
	else if (bytes)
		rc = take_result(r, settings->result, bytes, len, err);
	free(bytes);
	output_close(&file);
	/* CBOR can be larger than the JSON from which it is made. */
	if (rc == 0 && r->out.len > settings->result_limit)
		return wq_fail(err, -WQ_E_LIMIT, "bad-output",
			"it is an item of %zu bytes, and result-limit is %zu", r->out.len,
			settings->result_limit);
	return rc;
}

/* ---- the outcome ----------------------------------------------------------------------------- */

static void say(struct report *r, struct wq_outcome *ret, int32_t how, const char *error,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void say(struct report *r, struct wq_outcome *ret, int32_t how, const char *error,
	const char *fmt, ...)
{
	va_list args;
	(void)snprintf(r->error, sizeof(r->error), "%s", error);
	va_start(args, fmt);
	(void)vsnprintf(r->text, sizeof(r->text), fmt, args);
	va_end(args);
	wq_text_trim(r->text);
	ret->how = how;
	ret->error = r->error;
	ret->text = r->text;
}

static bool is_one_of(const char *word, const char *const *list)
{
	while (*list && strcmp(word, *list) != 0)
		list++;
	return *list != NULL;
}

static void say_not_started(
	struct report *r, const struct wq_child_end *end, struct wq_outcome *ret)
{
	/* Nothing is wrong with the command: it may begin later. */
	static const char *const later[] = { "no-resources", "shepherd-lost", NULL };
	static const char *const not_there[] = { "not-found", "no-directory",
		"directory-not-allowed", NULL };
	const char *error = end->error ? end->error : "not-started";
	bool again = is_one_of(error, later);
	say(r, ret, again ? WQ_DONE_NOT_STARTED : WQ_DONE_FAILED, error, "%s",
		end->text ? end->text : "the command cannot be run");
	if (again)
		ret->retry_after_ms = RETRY_MS;
	else
		ret->code = is_one_of(error, not_there) ? CODE_NOT_FOUND : CODE_CANNOT_RUN;
}

static void say_ended(struct report *r, const struct wq_child_end *end, struct wq_outcome *ret)
{
	char name[SIGNAL_NAME_SIZE];
	bool was_told = (end->flags & WQ_CHILD_WAS_TOLD) != 0;
	const char *after = was_told ? " after it was told to end" : "";
	if (end->how == WQ_CHILD_SIGNALLED) {
		ret->signal = end->signal;
		say(r, ret, was_told ? WQ_DONE_ABORTED : WQ_DONE_FAILED,
			was_told ? "aborted" : "signal", "ended by %s%s%s",
			signal_name(end->signal, name),
			end->flags & WQ_CHILD_CORE ? " (core dumped)" : "", after);
		return;
	}
	ret->code = end->code;
	if (was_told || end->code != 0)
		say(r, ret, was_told ? WQ_DONE_ABORTED : WQ_DONE_FAILED,
			was_told ? "aborted" : "exit-status", "exited with status %d%s", end->code,
			after);
	else
		ret->how = WQ_DONE_OK;
}

static void say_how(struct report *r, const struct wq_child_end *end, struct wq_outcome *ret)
{
	switch (end->how) {
	case WQ_CHILD_EXITED:
	case WQ_CHILD_SIGNALLED:
		say_ended(r, end, ret);
		break;
	case WQ_CHILD_NOT_STARTED:
		say_not_started(r, end, ret);
		break;
	default:
		say(r, ret, WQ_DONE_LOST, end->error ? end->error : "lost", "%s",
			end->text ? end->text : "how the command ended cannot be known");
		break;
	}
}

void report_make(struct report *r, const struct settings *settings, const struct ending *ending,
	const char *work_dir, struct wq_outcome *ret)
{
	struct wq_err err = { 0 };
	const struct wq_child_end *end = &ending->end;
	report_clear(r);
	say_how(r, end, ret);
	if (ret->how == WQ_DONE_NOT_STARTED)
		return;
	bool whole = ret->how != WQ_DONE_OK || settings->result == RESULT_REPORT;
	int32_t rc = whole ? 0 : read_result(r, settings, end, work_dir, &err);
	if (rc < 0) {
		wq_cbor_out_free(&r->out);
		say(r, ret, WQ_DONE_FAILED, rc == -ENOMEM ? "no-memory" : "bad-output",
			"its standard output is no result: %s",
			rc == -ENOMEM ? "no memory to read it" : err.text);
	}
	if (whole || rc < 0)
		put_report(&r->out, settings, end, work_dir);
	if (r->out.err == 0)
		ret->result = (struct wq_bytes){ r->out.buf, r->out.len };
}

void report_clear(struct report *r)
{
	wq_cbor_out_free(&r->out);
	r->error[0] = r->text[0] = '\0';
}
