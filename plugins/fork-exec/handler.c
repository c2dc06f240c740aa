/* SPDX-License-Identifier: BSD-2-Clause */
#include "handler.h"

#include <stdlib.h>

#include <wq/plugin-util.h>

#include "json.h"

int32_t handler_input(const struct settings *settings, struct wq_bytes payload,
	struct handler_input *ret, struct wq_err *err)
{
	size_t len = 0;
	*ret = (struct handler_input){ .bytes = payload };
	if (settings->input == INPUT_CBOR)
		return WQ_OK;
	int32_t rc = json_from_cbor(payload.ptr, payload.len, &ret->memory, &len, err);
	if (rc == -WQ_E_FORMAT) {
		if (err)
			err->code = 0;
		return WQ_REJECT;
	}
	if (rc < 0)
		return wq_fail(err, rc, NULL, "the input of the handler");
	ret->bytes = (struct wq_bytes){ ret->memory, len };
	return WQ_OK;
}

void handler_input_fini(struct handler_input *in)
{
	free(in->memory);
	*in = (struct handler_input){ 0 };
}
