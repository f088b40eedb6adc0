/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "bpf_shim.h"
#include "credentials_shim.h"
#include "netlink_shim.h"
