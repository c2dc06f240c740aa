/* SPDX-License-Identifier: BSD-2-Clause */
/* The same server by hand as in the tests of libwq. */
#include "support/client/hand.c"
