/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

WQ_PLUGIN("other", "1.0", "has the name of another file", OPS);
