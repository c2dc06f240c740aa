/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork_exec: what the tests of plugin fork-exec share: instances with options of any type, requests
 * and results in a notation for people, children that have ended.
 *
 * The notation is that of RFC 8949 section 8, but for texts, which stand in single quotes so that
 * C strings can hold them: {'argv': ['echo', h'ff00'], 'umask': 18}.  Numbers are integers.
 */
#pragma once

#include "fake_host.h"

#include <signal.h>
#include <sys/resource.h>

enum {
	FX_OPTIONS_MAX = 32,
	FX_LIST_MAX = 16,
	FX_RESULT_MAX = 3 * 1024 * 1024
};

/* What the next instance is told. */
static uint64_t fx_result_limit = 1024 * 1024;

/* An instance; `host` is first, so that all of fake_host.h works on it. */
struct fx {
	struct fake fake;
	struct wq_value values[FX_OPTIONS_MAX];
	char *texts[FX_OPTIONS_MAX];
	const char *lists[FX_OPTIONS_MAX][FX_LIST_MAX];
};

struct fx_outcome {
	int32_t how, code, signal;
	uint32_t retry_after_ms;
	wq_tid tid;
	char error[WQ_ERR_NAME_SIZE], text[WQ_ERR_TEXT_SIZE];
	uint8_t *result; /* valid until the next fx_reap */
	size_t len;
};

/* ---- the notation ---------------------------------------------------------------------------- */

static inline const char *fx_put(struct wq_cbor_out *o, const char *p);

static inline const char *fx_blank(const char *p)
{
	return p + strspn(p, " ,:\t\n");
}

/* What stands between brackets; each entry is one item, or two. */
static inline const char *fx_put_items(struct wq_cbor_out *o, const char *p, char close, bool map)
{
	struct wq_cbor_out inner;
	uint64_t n = 0;
	wq_cbor_out_init(&inner);
	for (p = fx_blank(p); *p != close; p = fx_blank(p), n++)
		p = fx_put(&inner, p);
	if (map)
		wq_cbor_put_map(o, n / 2);
	else
		wq_cbor_put_array(o, n);
	wq_cbor_put_raw(o, inner.buf, inner.len);
	wq_cbor_out_free(&inner);
	return p + 1;
}

static inline const char *fx_put_hex(struct wq_cbor_out *o, const char *p)
{
	uint8_t bytes[256];
	size_t n = 0;
	unsigned byte;
	for (; *p != '\''; p += 2) {
		ck_assert_int_eq(sscanf(p, "%2x", &byte), 1);
		bytes[n++] = (uint8_t)byte;
	}
	wq_cbor_put_bytes(o, bytes, n);
	return p + 1;
}

static inline const char *fx_put(struct wq_cbor_out *o, const char *p)
{
	char *end;
	if (*p == '{' || *p == '[')
		return fx_put_items(o, p + 1, *p == '{' ? '}' : ']', *p == '{');
	if (*p == '\'') {
		size_t len = strcspn(p + 1, "'");
		wq_cbor_put_text_n(o, p + 1, len);
		return p + 1 + len + 1;
	}
	if (strncmp(p, "h'", 2) == 0)
		return fx_put_hex(o, p + 2);
	if (strncmp(p, "null", 4) == 0) {
		wq_cbor_put_null(o);
		return p + 4;
	}
	if (strncmp(p, "true", 4) == 0) {
		wq_cbor_put_bool(o, 1);
		return p + 4;
	}
	if (strncmp(p, "false", 5) == 0) {
		wq_cbor_put_bool(o, 0);
		return p + 5;
	}
	wq_cbor_put_int(o, strtoll(p, &end, 10));
	ck_assert_msg(end != p, "no item: %s", p);
	return end;
}

/* A request, to be freed by whom it is given to. */
static inline struct wq_cbor_out *fx_cbor(const char *text)
{
	static struct wq_cbor_out o;
	wq_cbor_out_init(&o);
	(void)fx_put(&o, text);
	ck_assert_int_eq(o.err, 0);
	return &o;
}

/* One item in the notation; containers as "{" and "[". */
static inline void fx_say(const struct wq_cbor_item *item, char *ret, size_t size)
{
	size_t used = 0;
	ret[0] = '\0';
	switch (item->type) {
	case WQ_CBOR_UINT:
		(void)snprintf(ret, size, "%" PRIu64, item->u);
		break;
	case WQ_CBOR_TEXT:
		ck_assert_uint_lt(item->len, size);
		(void)snprintf(ret, size, "'%.*s'", (int)item->len, (const char *)item->ptr);
		break;
	case WQ_CBOR_BYTES:
		used = (size_t)snprintf(ret, size, "h'");
		for (size_t i = 0; i < item->len && used < size; i++)
			used += (size_t)snprintf(ret + used, size - used, "%02x", item->ptr[i]);
		(void)snprintf(ret + used, size - used, "'");
		break;
	case WQ_CBOR_BOOL:
		(void)snprintf(ret, size, "%s", item->u ? "true" : "false");
		break;
	default:
		(void)snprintf(ret, size, "%s", item->type == WQ_CBOR_MAP ? "{" : "?");
		break;
	}
}

/* The item at "key" or "key.key" of the result, in the notation; "" where there is none. */
static inline bool fx_find(const struct fx_outcome *o, const char *path, struct wq_cbor_item *ret)
{
	struct wq_cbor_in in = { o->result, o->result + o->len };
	char key[64];
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, ".");
		(void)snprintf(key, sizeof(key), "%.*s", (int)len, p);
		if (wq_cbor_map_find(in.p, (size_t)(in.end - in.p), key, &in) != 1)
			return false;
		p += len + (p[len] == '.');
	}
	return wq_cbor_next(&in, ret) == 1;
}

static inline const char *fx_get(const struct fx_outcome *o, const char *path)
{
	static char text[8][2048];
	static unsigned turn;
	struct wq_cbor_item item;
	char *ret = text[turn++ % 8];
	ret[0] = '\0';
	if (fx_find(o, path, &item))
		fx_say(&item, ret, sizeof(text[0]));
	return ret;
}

/* ---- instances ------------------------------------------------------------------------------- */

static inline int64_t fx_number(const char *text, uint32_t type)
{
	char *unit;
	int64_t n = strtoll(text, &unit, 10);
	if (type == WQ_T_SIZE)
		return *unit == 'K' ? n << 10 : *unit == 'M' ? n << 20 : n;
	if (type == WQ_T_DURATION)
		return n * (strcmp(unit, "ms") == 0 ? INT64_C(1000000) : INT64_C(1000000000));
	return n;
}

static inline void fx_set(struct fx *x, uint32_t i, const char *text)
{
	const struct wq_option *option = &x->fake.plugin->options[i];
	struct wq_value *v = &x->values[i];
	v->type = option->type;
	if (!text)
		return;
	free(x->texts[i]);
	char *rest = x->texts[i] = strdup(text);
	v->u.s = rest;
	if (option->type == WQ_T_LIST) {
		v->u.list = x->lists[i];
		for (char *word; (word = strsep(&rest, ",")) && *word;) {
			ck_assert_uint_lt(v->n, FX_LIST_MAX);
			x->lists[i][v->n++] = word + strspn(word, " ");
		}
	} else if (option->type == WQ_T_CHOICE) {
		const char *at = strstr(option->choices, text);
		ck_assert_ptr_nonnull(at);
		for (const char *p = option->choices; p < at; p++)
			v->n += *p == '|';
	} else if (option->type == WQ_T_BOOL) {
		v->u.i = strcmp(text, "true") == 0;
	} else if (option->type != WQ_T_STRING && option->type != WQ_T_PATH) {
		v->u.i = fx_number(text, option->type);
	}
}

static inline void fx_set_all(struct fx *x, const char *const *options)
{
	const struct wq_plugin *plugin = x->fake.plugin;
	ck_assert_uint_le(plugin->n_options, FX_OPTIONS_MAX);
	for (uint32_t i = 0; i < plugin->n_options; i++)
		fx_set(x, i, plugin->options[i].def);
	for (const char *const *o = options; *o; o++) {
		size_t len = strcspn(*o, "=");
		uint32_t i = 0;
		while (i < plugin->n_options && (strlen(plugin->options[i].name) != len ||
							strncmp(plugin->options[i].name, *o, len)))
			i++;
		ck_assert_msg(i < plugin->n_options, "no option %s", *o);
		x->values[i].n = 0;
		fx_set(x, i, *o + len + 1);
		x->values[i].is_set = 1;
	}
}

/* What create has been given is gone after it. */
static inline void fx_forget(struct fx *x)
{
	for (int i = 0; i < FX_OPTIONS_MAX; i++) {
		free(x->texts[i]);
		x->texts[i] = NULL;
	}
	memset(x->values, 0, sizeof(x->values));
	memset(x->lists, 0, sizeof(x->lists));
}

static inline void fx_make_host(struct fake *f)
{
	wq_host_ctx *ctx = calloc(1, sizeof(*ctx));
	ctx->fake = f;
	f->host = (struct wq_host){ .struct_size = sizeof(f->host),
		.abi_major = WQ_ABI_MAJOR,
		.abi_minor = WQ_ABI_MINOR,
		.ctx = ctx,
		.server_version = "test",
		.log = host_log,
		.wakeup = host_wakeup,
		.progress = host_progress,
		.clock_ns = host_clock_ns,
		.spawn = host_spawn,
		.end_child = host_end_child,
		.save_handle = host_save_handle };
}

static inline int32_t fx_create(struct fx *x, const char *const *options, struct wq_err *err)
{
	struct fake *f = &x->fake;
	memset(x, 0, sizeof(*x));
	f->plugin = load("fork-exec");
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->woken, NULL);
	fx_make_host(f);
	f->uid = getuid();
	fake_make_root(f);
	fx_set_all(x, options);
	struct wq_config config = { .struct_size = sizeof(config),
		.n_values = f->plugin->n_options,
		.instance = "test",
		.values = x->values,
		.result_limit = fx_result_limit };
	f->self = calloc(1, f->plugin->self_size);
	int32_t rc = f->plugin->create(f->self, &f->host, &config, err);
	fx_forget(x);
	if (rc < 0) {
		fake_remove_root(f);
		free(f->self);
		free(f->host.ctx);
	}
	return rc;
}

static inline void fx_open_with(struct fx *x, const char *const *options)
{
	struct wq_err err = { 0 };
	ck_assert_msg(fx_create(x, options, &err) == 0, "create: %s", err.text);
	ck_assert_msg(x->fake.plugin->start(x->fake.self, &err) == 0, "start: %s", err.text);
}

/* Options "name=value", NULL at the end. */
#define fx_open(x, ...) fx_open_with(x, (const char *const[]){ __VA_ARGS__ })

static inline void fx_close(struct fx *x)
{
	fake_close(&x->fake);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

/* Start it; what it is to be run with. */
static inline const struct fake_child *fx_start(struct fx *x, const char *request)
{
	struct wq_err err = { 0 };
	wq_tid tid;
	int32_t rc = fake_start(&x->fake, fx_cbor(request), &tid, &err);
	ck_assert_msg(rc == WQ_OK, "%s: start_task answered %d: %s", request, rc, err.text);
	ck_assert_uint_eq(fake_last_spawn(&x->fake)->tid, tid);
	return fake_last_spawn(&x->fake);
}

/* A request that must be refused with this name and text, by validate and by start_task alike. */
static inline void fx_refused(struct fx *x, const char *request, const char *name, const char *text)
{
	for (int i = 0; i < 2; i++) {
		struct wq_err err = { 0 };
		struct wq_cbor_out *o = fx_cbor(request);
		int n = x->fake.n_children;
		int32_t rc = i == 0 ? fake_validate(&x->fake, o, &err)
				    : fake_start(&x->fake, o, NULL, &err);
		ck_assert_msg(rc == WQ_REJECT, "%s: answered %d", request, rc);
		ck_assert_str_eq(err.name, name);
		ck_assert_str_eq(err.text, text);
		ck_assert_int_eq(x->fake.n_children, n);
	}
}

static inline bool fx_reap(struct fx *x, struct fx_outcome *ret)
{
	static uint8_t *kept;
	struct wq_outcome o = { .struct_size = sizeof(o) };
	int32_t rc = x->fake.plugin->reap(x->fake.self, &o);
	memset(ret, 0, sizeof(*ret));
	if (rc == 0)
		return false;
	ck_assert_int_eq(rc, 1);
	ck_assert_ptr_nonnull(x->fake.state[o.tid - 1]);
	ck_assert_uint_le(o.result.len, FX_RESULT_MAX);
	free(kept);
	ret->result = kept = fake_copy_bytes(o.result.ptr, o.result.len);
	ret->len = o.result.len;
	ret->how = o.how;
	ret->code = o.code;
	ret->signal = o.signal;
	ret->retry_after_ms = o.retry_after_ms;
	ret->tid = o.tid;
	(void)snprintf(ret->error, sizeof(ret->error), "%s", o.error ? o.error : "");
	(void)snprintf(ret->text, sizeof(ret->text), "%s", o.text ? o.text : "");
	if (o.result.len > 0) {
		size_t used = 0;
		struct wq_err err = { 0 };
		ck_assert_msg(wq_cbor_check(o.result.ptr, o.result.len, NULL, &used, &err) == 0,
			"the result: %s", err.text);
		ck_assert_uint_eq(used, o.result.len);
	}
	fake_drop_task(&x->fake, o.tid);
	return true;
}

/* Run `request`, let it write `out` and end so; its outcome. */
static inline struct fx_outcome fx_run_with(struct fx *x, const char *request, const void *out,
	size_t len, const struct wq_child_end *end)
{
	struct fx_outcome ret;
	const struct fake_child *c = fx_start(x, request);
	struct wq_child_end with = *end;
	if (with.how != WQ_CHILD_NOT_STARTED) {
		fake_write(&x->fake, c->tid, "stdout", out, len);
		fake_write(&x->fake, c->tid, "stderr", "", 0);
	}
	if (with.out_bytes == 0 && with.out_kept == 0)
		with.out_bytes = with.out_kept = len;
	fake_end(&x->fake, c->child, &with);
	ck_assert(fx_reap(x, &ret));
	ck_assert_uint_eq(ret.tid, c->tid);
	return ret;
}

static inline struct fx_outcome fx_exit(struct fx *x, const char *out, int32_t code)
{
	return fx_run_with(x, "{'argv': ['true']}", out, strlen(out),
		&(struct wq_child_end){ .how = WQ_CHILD_EXITED, .code = code });
}
