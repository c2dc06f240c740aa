/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/result.h"

#include "base/err.h"
#include "client/client_priv.h"
#include "spool/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct wq_result {
	struct buf bytes; /* what `result` borrows from */
	struct result result;
};

void wq_result_free(wq_result *result)
{
	if (!result)
		return;
	buf_fini(&result->bytes);
	free(result);
}

void wq_result_info(const wq_result *result, struct wq_result_info *ret)
{
	const struct result *r = &result->result;
	struct wq_result_info info = {
		.struct_size = ret->struct_size,
		.code = r->code,
		.signal = r->signal,
		.attempt = r->attempt,
		.id = r->id,
		.status = result_status_name(r->status),
		.error = r->error,
		.text = r->text,
		.task_manager = r->task_manager,
		.plugin = r->plugin,
		.key = r->key,
		.label = r->label,
		.payload = r->payload.len ? r->payload.ptr : NULL,
		.payload_len = r->payload.len,
		.accepted_us = r->accepted_us,
		.started_us = r->started_us,
		.ended_us = r->ended_us,
		.waiting_ns = r->waiting_ns,
		.running_ns = r->running_ns,
	};
	memcpy(ret, &info,
		client_struct_size(ret->struct_size,
			CLIENT_SIZE_UP_TO(struct wq_result_info, running_ns), sizeof info));
}

static int read_checked(struct spool *sp, struct reqid id, wq_result *r, struct wq_err *err)
{
	char name[REQID_SIZE];
	int rc = read_result(sp, id, CLIENT_FILE_MAX, &r->bytes, err);
	if (rc < 0)
		return rc;
	rc = result_decode(r->bytes.data, r->bytes.len, &r->result, err);
	if (rc < 0) {
		err_prefix(err, "what stands in 4-complete under '%s' is no result",
			reqid_format(id, name));
		return rc;
	}
	if (strcmp(r->result.id, reqid_format(id, name)) != 0)
		return err_set_name(err, -WQ_E_FORMAT, "bad-value",
			"the result under '%s' says that it belongs to '%s'", name, r->result.id);
	return 0;
}

int client_read_result(struct spool *sp, struct reqid id, wq_result **ret, struct wq_err *err)
{
	wq_result *r = calloc(1, sizeof *r);
	if (!r)
		return err_set(err, -ENOMEM, "cannot read the result");
	int rc = read_checked(sp, id, r, err);
	if (rc < 0)
		wq_result_free(r);
	else
		*ret = r;
	return rc;
}
