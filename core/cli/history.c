/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/history.h"

#include "base/buf.h"
#include "base/time.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen {
	char id[WQ_ID_SIZE];
	int32_t state;
	int64_t made_us;
};

static int add(void *arg, const struct wq_entry *entry)
{
	struct seen seen = { .state = entry->state, .made_us = entry->made_us };
	if (entry->state != WQ_STATE_COMPLETE && entry->state != WQ_STATE_FINISHED)
		return 0;
	snprintf(seen.id, sizeof seen.id, "%s", entry->id);
	return buf_add(arg, &seen, sizeof seen);
}

/* One that was collected between the two listings is in both: the later state is last. */
static int by_id_then_state(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = strcmp(x->id, y->id);
	return order ? order : (int)(x->state - y->state);
}

static size_t sort_unique(struct seen *all, size_t n)
{
	size_t kept = 0;
	if (n)
		qsort(all, n, sizeof *all, by_id_then_state);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && strcmp(all[i].id, all[i + 1].id) == 0)
			continue;
		all[kept++] = all[i];
	}
	return kept;
}

/* `info` NULL: what stands there cannot be read. */
static void print_line(const struct seen *seen, const struct wq_result_info *info, int64_t now_us)
{
	char old[24], status[24] = "-";
	int64_t ended_us = info && info->ended_us > 0 ? info->ended_us : seen->made_us;
	if (info)
		snprintf(status, sizeof status, "%d", exit_of_result(info));
	printf("%s  ", seen->id);
	cli_print_text(info ? info->status : "unreadable", 10);
	printf(" %3s %5s", status, answer_age(now_us - ended_us, old));
	const char *texts[] = { info ? info->task_manager : "", info ? info->label : "" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (!*texts[i])
			continue;
		fputs("  ", stdout);
		cli_print_text(texts[i], 0);
	}
	putchar('\n');
}

static void print_json(const struct seen *seen, const struct wq_result_info *info)
{
	json_t *object = json_pack("{s:s, s:s, s:I}", "id", seen->id, "state",
		wq_state_name(seen->state), "made-us", (json_int_t)seen->made_us);
	json_t *more = NULL;
	if (info)
		more = json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:s, s:I, s:I}", "status",
			info->status, "code", info->code, "signal", info->signal, "error",
			info->error, "label", info->label, "key", info->key, "task-manager",
			info->task_manager, "ended-us", (json_int_t)info->ended_us, "running-ns",
			(json_int_t)info->running_ns);
	if (object && more)
		json_object_update(object, more);
	if (object)
		cli_json_print_line(object);
	json_decref(more);
	json_decref(object);
}

/* One that has gone meanwhile, as the server keeps the history within bounds, is left out. */
static void print_one(struct cli *cli, const struct seen *seen, bool json, int64_t now_us)
{
	wq_result *result = NULL;
	struct wq_result_info info = { .struct_size = sizeof info };
	int rc = wq_read_finished(cli->client, seen->id, &result, NULL);
	if (rc == -WQ_E_GONE)
		return;
	if (rc == 0)
		wq_result_info(result, &info);
	if (json)
		print_json(seen, rc == 0 ? &info : NULL);
	else
		print_line(seen, rc == 0 ? &info : NULL, now_us);
	wq_result_free(result);
}

int history_list(struct cli *cli, size_t n, bool json)
{
	struct wq_err err = { 0 };
	struct buf all = { 0 };
	int64_t now_us = time_wall_us();
	/* In the direction in which results move, so that none is missed between the two. */
	int rc = wq_list(cli->client, add, &all, &err);
	if (rc == 0)
		rc = wq_list_finished(cli->client, add, &all, &err);
	if (rc < 0) {
		cli_say("%s", err.text[0] ? err.text : "no memory for the list");
		buf_fini(&all);
		return EXIT_WQ;
	}
	struct seen *seen = (void *)all.data;
	size_t count = sort_unique(seen, all.len / sizeof *seen);
	for (size_t i = n && n < count ? count - n : 0; i < count && !ferror(stdout); i++)
		print_one(cli, &seen[i], json, now_us);
	buf_fini(&all);
	return cli_flush();
}
