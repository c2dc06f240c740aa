/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/outcome.h"

#include "base/err.h"
#include "cli/cli.h"
#include "cli/json.h"

#include <errno.h>
#include <string.h>

static int payload_to_json(const struct wq_result_info *info, json_t **ret, struct wq_err *err)
{
	*ret = json_null();
	if (!info->payload)
		return 0;
	int rc = cli_json_from_cbor(info->payload, info->payload_len, ret, err);
	if (rc < 0)
		err_prefix(err, "the payload cannot be shown as JSON");
	return rc;
}

int outcome_to_json(const struct wq_result_info *info, json_t **ret, struct wq_err *err)
{
	json_t *payload;
	int rc = payload_to_json(info, &payload, err);
	if (rc < 0)
		return rc;
	*ret = json_pack(
		"{s:s, s:s, s:i, s:i, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, "
		"s:I, s:o}",
		"id", info->id, "status", info->status, "code", info->code, "signal", info->signal,
		"error", info->error, "text", info->text, "attempt", (json_int_t)info->attempt,
		"task-manager", info->task_manager, "plugin", info->plugin, "key", info->key,
		"label", info->label, "accepted-us", (json_int_t)info->accepted_us, "started-us",
		(json_int_t)info->started_us, "ended-us", (json_int_t)info->ended_us, "waiting-ns",
		(json_int_t)info->waiting_ns, "running-ns", (json_int_t)info->running_ns, "payload",
		payload);
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot show the result");
}

int outcome_print(const struct wq_result_info *info, enum outcome_form form, struct wq_err *err)
{
	json_t *json = NULL;
	if (form == OUTCOME_CBOR) {
		if (info->payload_len)
			fwrite(info->payload, 1, info->payload_len, stdout);
		return 0;
	}
	if (form != OUTCOME_JSON && !info->payload)
		return 0;
	int rc = form == OUTCOME_JSON ? outcome_to_json(info, &json, err)
				      : payload_to_json(info, &json, err);
	if (rc < 0)
		return rc;
	if (form == OUTCOME_PAYLOAD_WITH_ID)
		printf("%s ", info->id);
	cli_json_print_line(json);
	json_decref(json);
	return 0;
}

void outcome_say(const struct wq_result_info *info)
{
	if (strcmp(info->status, "ok") == 0)
		return;
	if (info->text[0])
		cli_say("%s: %s: %s", info->id, info->status, info->text);
	else if (info->signal)
		cli_say("%s: %s: ended by signal %d", info->id, info->status, info->signal);
	else if (info->code)
		cli_say("%s: %s: exit status %d", info->id, info->status, info->code);
	else
		cli_say("%s: %s", info->id, info->status);
}
