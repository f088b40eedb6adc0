/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Umbrella for the Swift module CDatapathABI. */
#ifndef BULKHEAD_DATAPATH_ABI_H
#define BULKHEAD_DATAPATH_ABI_H

#include "abi_types.h"
#include "conntrack.h"
#include "datapath_config.h"
#include "drop_reasons.h"
#include "endpoint.h"
#include "event_ring.h"
#include "flow_event.h"
#include "fqdn.h"
#include "fqdn_glob.h"
#include "fqdn_table.h"
#include "ipcache.h"
#include "metrics.h"
#include "policy.h"
#include "prefilter.h"
#include "range_trie.h"
#include "sensors.h"
#include "service.h"
#include "syn_defence.h"

#endif
