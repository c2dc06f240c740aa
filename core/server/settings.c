/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the operator has changed of a running server, `wq set`: kept in .wq/settings, one line each,
 * "max-running NAME N", and in force again after a restart.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "spool/layout.h"

#include <wq/cbor.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char file_name[] = "settings";

enum {
	FILE_MAX = 64 * 1024, /* CONFIG_TMS_MAX lines are less than half of it */
	MAX_RUNNING_MAX = 100000
};

static void apply_line(struct server *s, char *line)
{
	char name[NAME_SHORT_MAX + 1];
	unsigned n;
	int used = 0;
	if (sscanf(line, "max-running %32s %u%n", name, &n, &used) != 2 || line[used] || n < 1 ||
		n > MAX_RUNNING_MAX) {
		log_warn(".wq/settings: '%s' is not 'max-running NAME N'; left out", line);
		return;
	}
	int tm = task_managers_find(s, name);
	if (tm < 0) {
		log_warn(".wq/settings: there is no task manager '%s' now; left out", name);
		return;
	}
	s->tms[tm].was_set = true;
	sched_set_max_running(s->sched, (uint32_t)tm, n);
	log_notice("max-running of '%s' is %u by 'wq set', wq.conf says %" PRId64, name, n,
		s->tms[tm].config->max_running);
}

void settings_load(struct server *s)
{
	char text[FILE_MAX + 1];
	const struct spool_io *io = s->spool.io;
	int fd = io->openat(s->spool.own_fd, file_name, SPOOL_IO_READ, 0);
	if (fd == -ENOENT)
		return;
	ssize_t n = fd < 0 ? fd : spool_io_pread_all(io, fd, text, FILE_MAX, 0);
	if (fd >= 0)
		(void)io->close(fd);
	if (n < 0) {
		log_warn("what 'wq set' has changed cannot be read: %s", strerror((int)-n));
		return;
	}
	text[n] = '\0';
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		apply_line(s, line);
}

static int save(struct server *s)
{
	struct buf text = { 0 };
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < s->n_tms; i++)
		if (s->tms[i].was_set)
			rc = buf_addf(&text, "max-running %s %u\n", s->config.tms[i].name,
				sched_max_running(s->sched, i));
	if (rc == 0)
		rc = buf_add(&text, "", 1);
	if (rc == 0)
		rc = layout_save_own(&s->spool, file_name, (const char *)text.data, 0);
	buf_fini(&text);
	return rc;
}

/* ---- the question ---------------------------------------------------------------------------- */

struct wish {
	char name[32], task_manager[NAME_SHORT_MAX + 1];
	bool to_default;
	int64_t value;
};

static int bad(struct wq_err *err, const char *what)
{
	return err_set_name(err, -WQ_E_FORMAT, "bad-value", "set: %s", what);
}

static bool take_text(const struct wq_cbor_item *item, char *ret, size_t size)
{
	if (item->type != WQ_CBOR_TEXT || item->len >= size)
		return false;
	memcpy(ret, item->ptr, item->len);
	ret[item->len] = '\0';
	return true;
}

static int read_wish(struct wq_bytes args, struct wish *ret, struct wq_err *err)
{
	struct wq_cbor_in in;
	struct wq_cbor_item item;
	wq_cbor_in_init(&in, args.ptr, args.len);
	if (args.len == 0 || wq_cbor_next(&in, &item) != 1 || item.type != WQ_CBOR_MAP)
		return bad(err, "it wants a map of arguments");
	for (uint64_t n = item.u; n > 0; n--) {
		char key[32];
		if (wq_cbor_next(&in, &item) != 1 || !take_text(&item, key, sizeof key) ||
			wq_cbor_next(&in, &item) != 1)
			return bad(err, "a key is not a short text");
		bool ok = true;
		if (strcmp(key, "name") == 0)
			ok = take_text(&item, ret->name, sizeof ret->name);
		else if (strcmp(key, "task-manager") == 0)
			ok = take_text(&item, ret->task_manager, sizeof ret->task_manager);
		else if (strcmp(key, "value") == 0 && item.type == WQ_CBOR_NULL)
			ret->to_default = true;
		else if (strcmp(key, "value") == 0 && item.type == WQ_CBOR_UINT)
			ret->value = item.u > INT64_MAX ? INT64_MAX : (int64_t)item.u;
		else
			ok = false;
		if (!ok)
			return bad(err, "it takes 'name' and 'task-manager', texts, and 'value', a "
					"number or null");
	}
	return 0;
}

static int answer(const struct server *s, uint32_t tm, struct buf *ret)
{
	struct wq_cbor_out out;
	wq_cbor_out_init(&out);
	wq_cbor_put_map(&out, 2);
	wq_cbor_put_text(&out, "max-running");
	wq_cbor_put_uint(&out, sched_max_running(s->sched, tm));
	wq_cbor_put_pair(&out, "task-manager", s->config.tms[tm].name);
	int rc = out.err ? -ENOMEM : buf_add(ret, out.buf, out.len);
	wq_cbor_out_free(&out);
	return rc;
}

int settings_answer(struct server *s, struct wq_bytes args, struct buf *ret, struct wq_err *err)
{
	struct wish wish = { 0 };
	char names[256];
	int rc = read_wish(args, &wish, err);
	if (rc < 0)
		return rc;
	if (strcmp(wish.name, "max-running") != 0)
		return err_set_name(err, -WQ_E_UNKNOWN, "unknown-setting",
			"'%s' cannot be set; 'max-running' can", wish.name);
	if (!wish.to_default && (wish.value < 1 || wish.value > MAX_RUNNING_MAX))
		return err_set_name(err, -WQ_E_FORMAT, "bad-value",
			"max-running must be a number of 1 to %d, not %" PRId64, MAX_RUNNING_MAX,
			wish.value);
	int found = task_managers_find(s, wish.task_manager);
	if (found < 0)
		return err_set_name(err, -WQ_E_UNKNOWN, "unknown-task-manager",
			"there is no task manager '%s'; there are: %s", wish.task_manager,
			task_managers_names(s, names, sizeof names));
	uint32_t tm = (uint32_t)found, before = sched_max_running(s->sched, tm);
	bool was_set = s->tms[tm].was_set;
	s->tms[tm].was_set = !wish.to_default;
	sched_set_max_running(s->sched, tm,
		wish.to_default ? (uint32_t)s->config.tms[tm].max_running : (uint32_t)wish.value);
	rc = save(s);
	if (rc < 0) { /* or a restart would take it back */
		s->tms[tm].was_set = was_set;
		sched_set_max_running(s->sched, tm, before);
		return err_set(err, rc, "it cannot be kept in .wq/settings");
	}
	log_notice("max-running of '%s' set from %u to %u", s->config.tms[tm].name, before,
		sched_max_running(s->sched, tm));
	return answer(s, tm, ret);
}
