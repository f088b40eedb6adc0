/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "credentials_shim.h"
#include "netlink_shim.h"
