/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

WQ_PLUGIN("caps", "1.0", "can something that nobody knows", .caps = WQ_CAP_WAKES | 1u << 30, OPS);
