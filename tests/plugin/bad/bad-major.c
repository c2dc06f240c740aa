/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

#undef WQ_ABI_MAJOR
#define WQ_ABI_MAJOR 7u

WQ_PLUGIN("bad-major", "1.0", "is built for another major ABI", OPS);
