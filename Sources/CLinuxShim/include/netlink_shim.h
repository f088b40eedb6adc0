/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What LinuxHost needs and Swift's Glibc module does not show: the rtnetlink headers, and calls that exist only
 * under _GNU_SOURCE. Each function returns -1 with errno set, like the call it wraps. May be deleted when Glibc's
 * module map covers sched.h (GNU part), linux/rtnetlink.h and struct ucred.
 */
#pragma once

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

/* Opens an rtnetlink socket bound to the multicast groups (RTMGRP_*), with that receive buffer (0: default). */
int bulkhead_netlink_open(uint32_t groups, int receive_buffer_bytes);

/* Moves the calling thread, and only it, into the network namespace behind fd. */
int bulkhead_enter_network_namespace(int fd);

/* Gives the calling thread, and only it, a new empty network namespace. */
int bulkhead_unshare_network_namespace(void);

/* The cookie the kernel gives the calling thread's network namespace; 0 where the kernel is older than 5.14. */
uint64_t bulkhead_network_namespace_cookie(void);

/* Names the calling thread; the kernel keeps 15 characters. */
void bulkhead_name_thread(const char *name);

/*
 * 1 if a directory entry just created has its content already: a symbolic link, a hard link, a directory. 0 for a
 * plain new file, whose writer is still to close it, and for one that is gone.
 */
int bulkhead_entry_is_complete(const char *path);
