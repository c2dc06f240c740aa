/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/ids.h"
#include "cli/json.h"
#include "cli/members.h"
#include "cli/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct input {
	bool json;
	const char *id;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case ARGP_KEY_ARG:
		if (in->id)
			argp_error(state, "'%s' is one id too many", arg);
		in->id = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which request? give its id, its beginning, or @ for the newest");
		return 0;
	default:
		return args_parse_json(key, arg, state);
	}
}

static const struct argp argp = {
	.options = args_json_options,
	.parser = parse,
	.args_doc = "ID",
	.doc = "Show where a request stands and what it says, or its result, which is left in "
	       "place; of a finished one the result that the history keeps.",
};

static int request_to_json(
	const char *id, const struct wq_details *d, json_t **ret, struct wq_err *err)
{
	*ret = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "id", id, "state",
		wq_state_name(d->state), "task-manager", d->task_manager, "key", d->key, "label",
		d->label, "uid", (json_int_t)d->uid, "payload", members_payload(d));
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot show the request");
}

static int result_to_json(struct cli *cli, const char *id, json_t **ret, struct wq_err *err)
{
	wq_result *result = NULL;
	struct wq_result_info info = { .struct_size = sizeof info };
	int rc = wq_read_finished(cli->client, id, &result, err);
	if (rc < 0)
		return rc;
	/* Asked for behind the reading: collected meanwhile is finished. */
	int state = wq_state(cli->client, id, NULL) == WQ_STATE_COMPLETE ? WQ_STATE_COMPLETE
									 : WQ_STATE_FINISHED;
	wq_result_info(result, &info);
	rc = outcome_to_json(&info, ret, err);
	if (rc == 0)
		json_object_set_new(*ret, "state", json_string(wq_state_name(state)));
	wq_result_free(result);
	return rc;
}

static int find(struct cli *cli, const char *id, json_t **ret, struct wq_err *err)
{
	struct wq_details details = { .struct_size = sizeof details };
	int rc = wq_details(cli->client, id, &details, err);
	if (rc == -WQ_E_GONE) {
		rc = result_to_json(cli, id, ret, err);
		return rc == -WQ_E_GONE ? err_set(err, rc, "'%s' is gone", id) : rc;
	}
	if (rc < 0)
		return rc;
	rc = request_to_json(id, &details, ret, err);
	wq_details_free(&details);
	return rc;
}

int cmd_show(struct cli *cli, int argc, char **argv)
{
	struct input in = { 0 };
	struct wq_err err = { 0 };
	json_t *object = NULL;
	int status = cli_parse(&argp, argc, argv, &in);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	char id[WQ_ID_SIZE];
	status = ids_resolve(cli, in.id, id);
	if (status)
		return status;
	int rc = find(cli, id, &object, &err);
	if (rc < 0) {
		cli_say("%s", err.text);
		return exit_of_code(rc);
	}
	if (in.json) {
		cli_json_print_line(object);
	} else {
		members_print(object);
	}
	json_decref(object);
	return cli_flush();
}
