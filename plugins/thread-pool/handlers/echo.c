/* SPDX-License-Identifier: BSD-2-Clause */
#include "standard.h"

int32_t echo_run(const struct wq_call *call, struct wq_reply *reply)
{
	wq_cbor_put_raw(reply->result, call->request.ptr, call->request.len);
	return WQ_OK;
}
