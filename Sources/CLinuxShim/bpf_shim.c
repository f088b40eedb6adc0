/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bpf_shim.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static bulkhead_log_sink log_sink;

static int print_to_sink(enum libbpf_print_level level, const char *format, va_list arguments)
{
	bulkhead_log_sink sink = __atomic_load_n(&log_sink, __ATOMIC_ACQUIRE);
	char *message = NULL;
	int length;

	if (!sink || level != LIBBPF_WARN)
		return 0;
	length = vasprintf(&message, format, arguments);
	if (length >= 0) {
		sink(message);
		free(message);
	}
	return length;
}

void bulkhead_set_libbpf_log_sink(bulkhead_log_sink sink)
{
	__atomic_store_n(&log_sink, sink, __ATOMIC_RELEASE);
	libbpf_set_print(print_to_sink);
}

static int result(long value)
{
	return value < 0 ? -errno : (int)value;
}

int bulkhead_tcx_link_create(int program_fd, __u32 ifindex, __u32 attach_type, bool is_last)
{
	const __u32 before_all = 1 << 3, after_all = 1 << 4; /* BPF_F_BEFORE, BPF_F_AFTER without naming another program */
	/* linux/bpf.h of the build machine may be older than tcx: the layout of the kernel's ABI, spelt out. */
	struct {
		__u32 program_fd, ifindex, attach_type, flags;
		__u32 relative, padding;
		__u64 expected_revision;
	} attributes = {
		.program_fd = (__u32)program_fd, .ifindex = ifindex, .attach_type = attach_type, .flags = is_last ? after_all : before_all,
	};

	return result(syscall(__NR_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes)));
}

int bulkhead_read_link_info(int link_fd, struct bulkhead_link_info *info)
{
	struct {
		__u32 type, id, program_id, padding;
		union {
			struct {
				__u32 ifindex, attach_type;
			};
			__u64 cgroup_id;
			__u64 rest[7];
		};
	} kernel_info;
	__u32 size = sizeof(kernel_info);
	int error;

	memset(&kernel_info, 0, sizeof(kernel_info));
	error = bpf_obj_get_info_by_fd(link_fd, &kernel_info, &size);
	if (error)
		return -errno;
	info->type = kernel_info.type;
	info->program_id = kernel_info.program_id;
	info->ifindex = kernel_info.type == BULKHEAD_LINK_TYPE_TCX ? kernel_info.ifindex : 0;
	info->attach_type = kernel_info.type == BULKHEAD_LINK_TYPE_TCX ? kernel_info.attach_type : 0;
	info->cgroup_id = kernel_info.type == BULKHEAD_LINK_TYPE_CGROUP ? kernel_info.cgroup_id : 0;
	return 0;
}

int bulkhead_membarrier_global(void)
{
	return result(syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
}

int bulkhead_is_bpffs(const char *path)
{
	const long bpffs_magic = 0xcafe4a11;
	struct statfs status;

	if (statfs(path, &status))
		return -errno;
	return status.f_type == bpffs_magic;
}

int bulkhead_mount_bpffs(const char *path)
{
	return result(mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"));
}

int bulkhead_effective_capabilities(__u64 *capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(__NR_capget, &header, data))
		return -errno;
	*capabilities = (__u64)data[1].effective << 32 | data[0].effective;
	return 0;
}

int bulkhead_make_wake_pipe(int ends[2])
{
	return result(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
}

int bulkhead_usable_processors(void)
{
	cpu_set_t set;

	/* Fails with more than 1024 processors: the answer is then too small, as it may be. */
	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}
