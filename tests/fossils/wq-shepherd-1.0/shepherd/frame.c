/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/frame.h"

#include "base/err.h"
#include "base/utf8.h"

#include <wq/cbor.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/*
 * One table a kind says where each key has its place in struct frame, for both directions.  The
 * order is the deterministic one of RFC 8949, section 4.2.1: shorter keys first.
 */
enum type {
	KIND,  /* "frame" itself */
	NAME,  /* char[FRAME_NAME_MAX + 1], a name that is a file name */
	CHARS, /* char[size], text */
	BOOL,
	I32,
	I64,
	U32,
	U64,
	TEXT,   /* const char *, text; of a decoded one in frame.error or frame.text */
	FILE_,  /* const char *, text; a file name */
	PATH,   /* const char *, bytes; absolute */
	WORDS,  /* const char *const *, an array of bytes */
	INPUT,  /* struct wq_bytes */
	LIMITS, /* struct wq_limit *, an array of [resource, value] */
};

enum {
	REQUIRED = 1,
	FIELDS_MAX = 32,   /* keys of one kind */
	DEPTH_MAX = 16,    /* also of what a newer version sends */
	OTHER_ITEMS = 4096 /* of a frame, besides the words of a child */
};

struct field {
	const char *key;
	enum type type;
	size_t at, size;
	unsigned int flags;
};

struct shape {
	const char *word;
	const struct field *fields;
	size_t n;
};

#define AT(member)   offsetof(struct frame, member)
#define SIZE(member) sizeof(((struct frame *)0)->member)
#define FIELD(k, t, m)                                                                             \
	{                                                                                          \
		.key = (k), .type = (t), .at = AT(m), .size = SIZE(m)                              \
	}
#define MUST(k, t, m)                                                                              \
	{                                                                                          \
		.key = (k), .type = (t), .at = AT(m), .size = SIZE(m), .flags = REQUIRED           \
	}
#define THE_KIND                                                                                   \
	{                                                                                          \
		.key = "frame", .type = KIND, .flags = REQUIRED                                    \
	}
#define SHAPE(w, f)                                                                                \
	{                                                                                          \
		.word = (w), .fields = (f), .n = sizeof(f) / sizeof *(f)                           \
	}

static const struct field hello_fields[] = {
	FIELD("pid", I64, hello.pid),
	THE_KIND,
	MUST("major", U32, hello.major),
	FIELD("minor", U32, hello.minor),
	FIELD("version", CHARS, hello.version),
	FIELD("linger-ms", I64, hello.linger_ms),
	FIELD("same-boot", BOOL, hello.same_boot),
	FIELD("containment", CHARS, hello.containment),
};
static const struct field spawn_fields[] = {
	FIELD("dir", PATH, spawn.what.dir),
	FIELD("env", WORDS, spawn.what.env),
	MUST("tag", NAME, spawn.tag),
	MUST("argv", WORDS, spawn.what.argv),
	FIELD("dirs", WORDS, spawn.what.dirs_allowed),
	MUST("name", NAME, name),
	FIELD("nice", I32, spawn.what.nice),
	FIELD("flags", U32, spawn.what.flags),
	THE_KIND,
	FIELD("input", INPUT, spawn.what.input),
	FIELD("umask", U32, spawn.what.umask),
	FIELD("limits", LIMITS, spawn.what.limits),
	FIELD("err-name", FILE_, spawn.err_name),
	FIELD("grace-ms", U32, spawn.what.grace_ms),
	FIELD("out-name", FILE_, spawn.out_name),
	MUST("work-dir", PATH, spawn.work_dir),
	FIELD("err-limit", U64, spawn.what.err_limit),
	FIELD("out-limit", U64, spawn.what.out_limit),
	FIELD("processes", U32, spawn.what.processes),
};
static const struct field end_fields[] = {
	MUST("how", U32, end.how),
	MUST("name", NAME, name),
	THE_KIND,
	FIELD("grace-ms", U32, end.grace_ms),
};
static const struct field name_fields[] = {
	MUST("name", NAME, name),
	THE_KIND,
};
static const struct field simple_fields[] = {
	THE_KIND,
};
static const struct field child_fields[] = {
	FIELD("pid", I64, child.pid),
	MUST("name", NAME, name),
	THE_KIND,
	FIELD("began-us", I64, child.began_us),
};
static const struct field ended_fields[] = {
	MUST("how", I32, ended.how),
	FIELD("code", I32, ended.code),
	MUST("name", NAME, name),
	FIELD("rest", U32, ended.rest),
	FIELD("text", TEXT, ended.text),
	FIELD("error", TEXT, ended.error),
	FIELD("flags", U32, ended.flags),
	THE_KIND,
	FIELD("ran-ns", I64, ended.ran_ns),
	FIELD("signal", I32, ended.signal),
	FIELD("user-us", U64, ended.user_us),
	FIELD("began-us", I64, ended.began_us),
	FIELD("ended-us", I64, ended.ended_us),
	FIELD("err-kept", U64, ended.err_kept),
	FIELD("out-kept", U64, ended.out_kept),
	FIELD("switches", U64, ended.switches),
	FIELD("blocks-in", U64, ended.blocks_in),
	FIELD("err-bytes", U64, ended.err_bytes),
	FIELD("out-bytes", U64, ended.out_bytes),
	FIELD("system-us", U64, ended.system_us),
	FIELD("blocks-out", U64, ended.blocks_out),
	FIELD("max-rss-kib", U64, ended.max_rss_kib),
	FIELD("preemptions", U64, ended.preemptions),
	FIELD("major-faults", U64, ended.major_faults),
	FIELD("minor-faults", U64, ended.minor_faults),
};

static const struct shape shapes[] = {
	[FRAME_HELLO] = SHAPE("hello", hello_fields),
	[FRAME_SPAWN] = SHAPE("spawn", spawn_fields),
	[FRAME_END] = SHAPE("end", end_fields),
	[FRAME_ACK] = SHAPE("ack", name_fields),
	[FRAME_LIST] = SHAPE("list", simple_fields),
	[FRAME_QUIT] = SHAPE("quit", simple_fields),
	[FRAME_CHILD] = SHAPE("child", child_fields),
	[FRAME_LISTED] = SHAPE("listed", simple_fields),
	[FRAME_ENDED] = SHAPE("ended", ended_fields),
};
enum {
	N_SHAPES = sizeof shapes / sizeof *shapes
};

_Static_assert(sizeof ended_fields / sizeof *ended_fields <= FIELDS_MAX, "fields");

/* It becomes a file's name, here and in the shepherd's records. */
static bool is_file_name(const char *s, size_t len)
{
	if (len == 0 || len > FRAME_NAME_MAX || *s == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
			    s[i]) ||
			s[i] == '\0')
			return false;
	return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int64_t signed_of(const struct field *f, const void *at)
{
	return f->type == I32 ? *(const int32_t *)at : *(const int64_t *)at;
}

static uint64_t unsigned_of(const struct field *f, const void *at)
{
	return f->type == U32 ? *(const uint32_t *)at : *(const uint64_t *)at;
}

/* What is nought or empty is left out, but for what each frame of its kind has. */
static bool is_there(const struct field *f, const struct frame *frame)
{
	const void *at = (const char *)frame + f->at;
	if (f->flags & REQUIRED)
		return true;
	switch (f->type) {
	case BOOL:
		return *(const bool *)at;
	case I32:
	case I64:
		return signed_of(f, at) != 0;
	case U32:
	case U64:
		return unsigned_of(f, at) != 0;
	case NAME:
	case CHARS:
		return *(const char *)at != '\0';
	case INPUT:
		return ((const struct wq_bytes *)at)->len != 0;
	case LIMITS:
		return frame->spawn.what.n_limits != 0;
	case TEXT:
	case FILE_:
	case PATH:
		return *(const char *const *)at != NULL;
	case WORDS:
		return *(const char *const *const *)at != NULL;
	case KIND:
		break;
	}
	return true;
}

static void put_words(struct wq_cbor_out *o, const char *const *words)
{
	size_t n = 0;
	while (words && words[n])
		n++;
	wq_cbor_put_array(o, n);
	for (size_t i = 0; i < n; i++)
		wq_cbor_put_bytes(o, words[i], strlen(words[i]));
}

static void put_limits(struct wq_cbor_out *o, const struct wq_spawn *what)
{
	wq_cbor_put_array(o, what->n_limits);
	for (uint32_t i = 0; i < what->n_limits; i++) {
		wq_cbor_put_array(o, 2);
		wq_cbor_put_int(o, what->limits[i].resource);
		wq_cbor_put_uint(o, what->limits[i].value);
	}
}

/* Paths and programs are named in these texts, and those are any bytes. */
static void put_clean(struct wq_cbor_out *o, const char *text)
{
	char clean[WQ_ERR_TEXT_SIZE];
	snprintf(clean, sizeof clean, "%s", text);
	utf8_clean(clean);
	wq_cbor_put_text(o, clean);
}

static void put_value(struct wq_cbor_out *o, const struct field *f, const struct frame *frame)
{
	const void *at = (const char *)frame + f->at;
	const char *text;
	switch (f->type) {
	case KIND:
		wq_cbor_put_text(o, shapes[frame->kind].word);
		break;
	case NAME:
		wq_cbor_put_text(o, at);
		break;
	case CHARS:
		put_clean(o, at);
		break;
	case BOOL:
		wq_cbor_put_bool(o, *(const bool *)at);
		break;
	case I32:
	case I64:
		wq_cbor_put_int(o, signed_of(f, at));
		break;
	case U32:
	case U64:
		wq_cbor_put_uint(o, unsigned_of(f, at));
		break;
	case TEXT:
	case FILE_:
		put_clean(o, *(const char *const *)at);
		break;
	case PATH:
		text = *(const char *const *)at;
		wq_cbor_put_bytes(o, text ? text : "", text ? strlen(text) : 0);
		break;
	case WORDS:
		put_words(o, *(const char *const *const *)at);
		break;
	case INPUT:
		wq_cbor_put_bytes(
			o, ((const struct wq_bytes *)at)->ptr, ((const struct wq_bytes *)at)->len);
		break;
	case LIMITS:
		put_limits(o, &frame->spawn.what);
		break;
	}
}

static int put_frame(struct buf *ret, const struct frame *frame)
{
	const struct shape *shape = &shapes[frame->kind];
	struct wq_cbor_out o;
	uint64_t n = 0;
	for (size_t i = 0; i < shape->n; i++)
		n += is_there(&shape->fields[i], frame);
	wq_cbor_out_init(&o);
	wq_cbor_put_map(&o, n);
	for (size_t i = 0; i < shape->n; i++) {
		if (!is_there(&shape->fields[i], frame))
			continue;
		wq_cbor_put_text(&o, shape->fields[i].key);
		put_value(&o, &shape->fields[i], frame);
	}
	int rc = o.err ? -ENOMEM : o.len > FRAME_MAX ? -WQ_E_LIMIT : 0;
	if (rc == 0)
		rc = buf_reserve(ret, FRAME_HEAD + o.len);
	if (rc == 0) {
		uint8_t *p = ret->data + ret->len;
		for (int i = 0; i < FRAME_HEAD; i++)
			p[i] = (uint8_t)(o.len >> (8 * (FRAME_HEAD - 1 - i)));
		memcpy(p + FRAME_HEAD, o.buf, o.len);
		ret->len += FRAME_HEAD + o.len;
	}
	wq_cbor_out_free(&o);
	return rc;
}

int frame_put_hello(struct buf *ret, const struct frame_hello *hello)
{
	return put_frame(ret, &(struct frame){ .kind = FRAME_HELLO, .hello = *hello });
}

/* Of an array of words: the count, and the bytes, each with the shortest head. */
static void measure_words(const char *const *words, size_t *count, size_t *bytes)
{
	for (; words && *words && *count <= FRAME_STRINGS_MAX && *bytes <= FRAME_MAX; words++) {
		*count += 1;
		*bytes += strnlen(*words, FRAME_MAX) + 1;
	}
}

static int set_name(char ret[FRAME_NAME_MAX + 1], const char *name)
{
	size_t len = strnlen(name, FRAME_NAME_MAX + 1);
	if (!is_file_name(name, len))
		return -WQ_E_LIMIT;
	memcpy(ret, name, len);
	ret[len] = '\0';
	return 0;
}

int frame_put_spawn(struct buf *ret, const struct frame_spawn *spawn)
{
	struct frame frame = { .kind = FRAME_SPAWN, .spawn = *spawn };
	const struct wq_spawn *what = &spawn->what;
	size_t count = 0, bytes = what->input.len;
	/* Looked at before anything is built: what is given here may be of any size. */
	measure_words(what->argv, &count, &bytes);
	measure_words(what->env, &count, &bytes);
	measure_words(what->dirs_allowed, &count, &bytes);
	if (count > FRAME_STRINGS_MAX || bytes > FRAME_MAX || what->n_limits > FRAME_LIMITS_MAX)
		return -WQ_E_LIMIT;
	int rc = set_name(frame.name, spawn->name);
	return rc < 0 ? rc : put_frame(ret, &frame);
}

int frame_put_end(struct buf *ret, const char *name, uint32_t how, uint32_t grace_ms)
{
	struct frame frame = { .kind = FRAME_END, .end = { .how = how, .grace_ms = grace_ms } };
	int rc = set_name(frame.name, name);
	return rc < 0 ? rc : put_frame(ret, &frame);
}

int frame_put_ack(struct buf *ret, const char *name)
{
	struct frame frame = { .kind = FRAME_ACK };
	int rc = set_name(frame.name, name);
	return rc < 0 ? rc : put_frame(ret, &frame);
}

int frame_put_simple(struct buf *ret, enum frame_kind kind)
{
	return put_frame(ret, &(struct frame){ .kind = kind });
}

int frame_put_child(struct buf *ret, const struct frame_child *child)
{
	struct frame frame = { .kind = FRAME_CHILD, .child = *child };
	int rc = set_name(frame.name, child->name);
	return rc < 0 ? rc : put_frame(ret, &frame);
}

int frame_put_ended(struct buf *ret, const char *name, const struct wq_child_end *end)
{
	struct frame frame = { .kind = FRAME_ENDED, .ended = *end };
	int rc = set_name(frame.name, name);
	return rc < 0 ? rc : put_frame(ret, &frame);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The values found, each as the bytes of its one item (p NULL: not there), and what the arrays of a
 * spawn need. */
struct values {
	struct wq_cbor_in at[FIELDS_MAX];
	size_t words, limits;
};

/* Where the copies go. */
struct arena {
	const char **words;
	struct wq_limit *limits;
	char *bytes;
};

static int bad(struct wq_err *err, const char *key)
{
	return err_set_name(err, -WQ_E_FORMAT, "bad-value",
		"a frame has a value of '%s' that means nothing", key);
}

static const struct field *find_field(const struct shape *shape, const struct wq_cbor_item *key)
{
	for (size_t i = 0; i < shape->n; i++)
		if (wq_cbor_text_is(key, shape->fields[i].key))
			return &shape->fields[i];
	return NULL;
}

/* Count what an array will need; its items are looked at later. */
static int count_items(struct values *v, const struct field *f, struct wq_cbor_in in)
{
	struct wq_cbor_item head;
	if (f->type != WORDS && f->type != LIMITS)
		return 0;
	if (wq_cbor_next(&in, &head) != 1 || head.type != WQ_CBOR_ARRAY)
		return -WQ_E_FORMAT;
	if (f->type == LIMITS) {
		v->limits += head.u;
		return v->limits > FRAME_LIMITS_MAX ? -WQ_E_LIMIT : 0;
	}
	v->words += head.u;
	return v->words > FRAME_STRINGS_MAX ? -WQ_E_LIMIT : 0;
}

/* The map has been checked: each item is whole. */
static int find_values(
	const struct shape *shape, struct wq_cbor_in in, struct values *v, struct wq_err *err)
{
	struct wq_cbor_item map, key;
	*v = (struct values){ 0 };
	(void)wq_cbor_next(&in, &map);
	for (uint64_t i = 0; i < map.u; i++) {
		struct wq_cbor_in at = in, value;
		(void)wq_cbor_skip(&in);
		value.p = in.p;
		(void)wq_cbor_skip(&in);
		value.end = in.p;
		(void)wq_cbor_next(&at, &key);
		const struct field *f = find_field(shape, &key);
		if (!f)
			continue;
		size_t place = (size_t)(f - shape->fields);
		if (v->at[place].p)
			return err_set_name(
				err, -WQ_E_FORMAT, "bad-value", "a frame has '%s' twice", f->key);
		v->at[place] = value;
		int rc = count_items(v, f, value);
		if (rc == -WQ_E_LIMIT)
			return err_set_name(err, rc, "too-many-items",
				"a frame has more items in '%s' than allowed", f->key);
		if (rc < 0)
			return bad(err, f->key);
	}
	for (size_t i = 0; i < shape->n; i++)
		if (shape->fields[i].flags & REQUIRED && !v->at[i].p)
			return err_set_name(err, -WQ_E_FORMAT, "missing-key",
				"a frame of kind '%s' has no '%s'", shape->word,
				shape->fields[i].key);
	return 0;
}

static int take_int(const struct field *f, const struct wq_cbor_item *item, void *to)
{
	int64_t n = 0;
	if (f->type == U64) {
		if (item->type != WQ_CBOR_UINT)
			return -WQ_E_FORMAT;
		*(uint64_t *)to = item->u;
		return 0;
	}
	if (wq_cbor_int(item, &n) < 0)
		return -WQ_E_FORMAT;
	if (f->type == I64)
		*(int64_t *)to = n;
	else if (f->type == I32 && n >= INT32_MIN && n <= INT32_MAX)
		*(int32_t *)to = (int32_t)n;
	else if (f->type == U32 && n >= 0 && n <= UINT32_MAX)
		*(uint32_t *)to = (uint32_t)n;
	else
		return -WQ_E_FORMAT;
	return 0;
}

/* Copy a string; no NUL may be in it. */
static int take_string(struct arena *a, const struct wq_cbor_item *item, const char **ret)
{
	if (item->len && memchr(item->ptr, 0, item->len))
		return -WQ_E_FORMAT;
	if (item->len)
		memcpy(a->bytes, item->ptr, item->len);
	a->bytes[item->len] = '\0';
	*ret = a->bytes;
	a->bytes += item->len + 1;
	return 0;
}

static int take_words(struct arena *a, const struct wq_cbor_item *head, struct wq_cbor_in *in,
	const char *const **ret)
{
	struct wq_cbor_item item;
	*ret = a->words;
	for (uint64_t i = 0; i < head->u; i++) {
		(void)wq_cbor_next(in, &item);
		if (item.type != WQ_CBOR_BYTES || take_string(a, &item, a->words) < 0)
			return -WQ_E_FORMAT;
		a->words++;
	}
	*a->words++ = NULL;
	return 0;
}

static int take_limits(struct arena *a, const struct wq_cbor_item *head, struct wq_cbor_in *in,
	struct wq_spawn *what)
{
	struct wq_cbor_item item;
	int64_t resource = 0;
	what->limits = a->limits;
	for (uint64_t i = 0; i < head->u; i++) {
		(void)wq_cbor_next(in, &item);
		if (item.type != WQ_CBOR_ARRAY || item.u != 2)
			return -WQ_E_FORMAT;
		(void)wq_cbor_next(in, &item);
		if (wq_cbor_int(&item, &resource) < 0 || resource < 0 || resource > INT32_MAX)
			return -WQ_E_FORMAT;
		(void)wq_cbor_next(in, &item);
		if (item.type != WQ_CBOR_UINT)
			return -WQ_E_FORMAT;
		a->limits[i] = (struct wq_limit){ .resource = (int32_t)resource, .value = item.u };
	}
	what->n_limits = (uint32_t)head->u;
	return 0;
}

static int take_chars(const struct wq_cbor_item *item, char *to, size_t size)
{
	if (item->type != WQ_CBOR_TEXT || item->len >= size ||
		(item->len && memchr(item->ptr, 0, item->len)))
		return -WQ_E_FORMAT;
	if (item->len)
		memcpy(to, item->ptr, item->len);
	to[item->len] = '\0';
	return 0;
}

static int take_path(struct arena *a, const struct wq_cbor_item *item, const char **ret)
{
	if (item->type != WQ_CBOR_BYTES || item->len == 0 || item->len >= PATH_MAX ||
		*item->ptr != '/')
		return -WQ_E_FORMAT;
	return take_string(a, item, ret);
}

static int take_file(struct arena *a, const struct wq_cbor_item *item, const char **ret)
{
	if (item->type != WQ_CBOR_TEXT || !is_file_name((const char *)item->ptr, item->len))
		return -WQ_E_FORMAT;
	return take_string(a, item, ret);
}

static int take_input(struct arena *a, const struct wq_cbor_item *item, struct wq_bytes *ret)
{
	if (item->type != WQ_CBOR_BYTES)
		return -WQ_E_FORMAT;
	if (item->len == 0)
		return 0;
	memcpy(a->bytes, item->ptr, item->len);
	*ret = (struct wq_bytes){ .ptr = (const uint8_t *)a->bytes, .len = item->len };
	a->bytes += item->len;
	return 0;
}

/* A text of an end; its copy is in the frame itself. */
static int take_text(struct frame *ret, const struct field *f, const struct wq_cbor_item *item)
{
	bool is_error = f->at == AT(ended.error);
	char *to = is_error ? ret->error : ret->text;
	*(const char **)((char *)ret + f->at) = to;
	return take_chars(item, to, is_error ? sizeof ret->error : sizeof ret->text);
}

static int take_value(
	struct frame *ret, const struct field *f, struct wq_cbor_in in, struct arena *a)
{
	void *to = (char *)ret + f->at;
	struct wq_cbor_item item;
	(void)wq_cbor_next(&in, &item);
	switch (f->type) {
	case KIND:
		return 0;
	case NAME:
		if (item.type != WQ_CBOR_TEXT || !is_file_name((const char *)item.ptr, item.len))
			return -WQ_E_FORMAT;
		return take_chars(&item, to, f->size);
	case CHARS:
		return take_chars(&item, to, f->size);
	case BOOL:
		if (item.type != WQ_CBOR_BOOL)
			return -WQ_E_FORMAT;
		*(bool *)to = item.u != 0;
		return 0;
	case I32:
	case I64:
	case U32:
	case U64:
		return take_int(f, &item, to);
	case TEXT:
		return take_text(ret, f, &item);
	case FILE_:
		return take_file(a, &item, to);
	case PATH:
		return take_path(a, &item, to);
	case WORDS:
		return take_words(a, &item, &in, to);
	case INPUT:
		return take_input(a, &item, to);
	case LIMITS:
		return take_limits(a, &item, &in, &ret->spawn.what);
	}
	return -WQ_E_FORMAT;
}

/* Room for all that a spawn points at.  Each string is shorter by its head than what it was read
 * from, so the size of the map is enough for the copies with their NULs. */
static int make_arena(struct arena *ret, struct frame *frame, const struct values *v, size_t len)
{
	size_t words = (v->words + 3) * sizeof *ret->words; /* 3 arrays, each ends in NULL */
	size_t limits = v->limits * sizeof *ret->limits;
	char *memory = malloc(limits + words + len);
	if (!memory)
		return -ENOMEM;
	frame->spawn.memory = memory;
	ret->limits = (struct wq_limit *)(void *)memory;
	ret->words = (const char **)(void *)(memory + limits);
	ret->bytes = memory + limits + words;
	return 0;
}

static int take_fields(
	struct frame *ret, const struct shape *shape, struct wq_cbor_in map, struct wq_err *err)
{
	struct values v;
	struct arena a = { 0 };
	int rc = find_values(shape, map, &v, err);
	if (rc < 0)
		return rc;
	if (ret->kind == FRAME_SPAWN && make_arena(&a, ret, &v, (size_t)(map.end - map.p)) < 0)
		return err_set(err, -ENOMEM, "no memory for a frame");
	for (size_t i = 0; i < shape->n; i++)
		if (v.at[i].p && take_value(ret, &shape->fields[i], v.at[i], &a) < 0)
			return bad(err, shape->fields[i].key);
	if (ret->kind == FRAME_SPAWN && !ret->spawn.what.argv[0])
		return bad(err, "argv");
	return 0;
}

/* Of another major only that is read: all else may have changed. */
static int take_major(struct frame *ret, const uint8_t *p, size_t len, struct wq_err *err)
{
	int64_t major = 0;
	if (wq_cbor_find_int(p, len, "major", &major) != 1 || major < 0 || major > UINT32_MAX)
		return bad(err, "major");
	ret->hello.major = (uint32_t)major;
	return 0;
}

static enum frame_kind kind_of(const char *word, size_t len)
{
	for (size_t i = FRAME_UNKNOWN + 1; i < N_SHAPES; i++)
		if (strlen(shapes[i].word) == len && memcmp(shapes[i].word, word, len) == 0)
			return (enum frame_kind)i;
	return FRAME_UNKNOWN;
}

static int take_map(struct frame *ret, const uint8_t *p, size_t len, struct wq_err *err)
{
	static const struct wq_cbor_limits limits = {
		.max_bytes = FRAME_MAX,
		.max_depth = DEPTH_MAX,
		.max_items = FRAME_STRINGS_MAX + OTHER_ITEMS,
	};
	const char *word;
	size_t word_len, used;
	int rc = wq_cbor_check(p, len, &limits, &used, err);
	if (rc < 0)
		return rc;
	if (used != len)
		return err_set_name(
			err, -WQ_E_FORMAT, "trailing-bytes", "a frame has more than its map");
	if (wq_cbor_find_text(p, len, "frame", &word, &word_len) != 1 || *p >> 5 != WQ_CBOR_MAP)
		return err_set_name(err, -WQ_E_FORMAT, "missing-key",
			"a frame is no map, or does not say its kind");
	ret->kind = kind_of(word, word_len);
	if (ret->kind == FRAME_UNKNOWN)
		return 0;
	if (ret->kind == FRAME_HELLO) {
		rc = take_major(ret, p, len, err);
		if (rc < 0 || ret->hello.major != FRAME_MAJOR)
			return rc;
	}
	return take_fields(
		ret, &shapes[ret->kind], (struct wq_cbor_in){ .p = p, .end = p + len }, err);
}

int64_t frame_take(const void *bytes, size_t len, struct frame *ret, struct wq_err *err)
{
	const uint8_t *p = bytes;
	size_t size = 0;
	if (len < FRAME_HEAD)
		return 0;
	for (int i = 0; i < FRAME_HEAD; i++)
		size = size << 8 | p[i];
	if (size > FRAME_MAX)
		return err_set_name(err, -WQ_E_LIMIT, "too-big",
			"a frame of %zu bytes; the most is %d", size, FRAME_MAX);
	if (size == 0)
		return err_set_name(err, -WQ_E_FORMAT, "truncated", "a frame without a map");
	if (size > len - FRAME_HEAD)
		return 0;
	*ret = (struct frame){
		.spawn.what.struct_size = sizeof ret->spawn.what,
		.ended.struct_size = sizeof ret->ended,
	};
	int rc = take_map(ret, p + FRAME_HEAD, size, err);
	if (rc < 0) {
		frame_spawn_fini(&ret->spawn);
		return rc;
	}
	memcpy(ret->spawn.name, ret->name, sizeof ret->name);
	memcpy(ret->child.name, ret->name, sizeof ret->name);
	return (int64_t)(FRAME_HEAD + size);
}

void frame_spawn_fini(struct frame_spawn *spawn)
{
	free(spawn->memory);
	*spawn = (struct frame_spawn){ 0 };
}
