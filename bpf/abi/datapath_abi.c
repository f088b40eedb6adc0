/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compiles the shared headers once natively, so that their size assertions hold for the host compiler too. */
#include "datapath_abi.h"
