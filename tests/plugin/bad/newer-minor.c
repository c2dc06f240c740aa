/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

#undef WQ_ABI_MINOR
#define WQ_ABI_MINOR 999u

WQ_PLUGIN("newer-minor", "1.0", "is built for a later server", OPS);
