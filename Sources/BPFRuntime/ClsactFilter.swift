// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import CLinuxShim
import Glibc

/// Attachment through the clsact queueing discipline, for kernels without tcx.
///
/// Outlives every process by itself.
package enum ClsactFilter {
    /// When a filter of ours is asked.
    package enum Turn: Sendable, CaseIterable {
        /// Before all: a filter before ours could end the matter with a verdict of its own.
        ///
        /// Programs of one priority are asked in turn, so another tool's at the same priority stays in force.
        case first
        /// After what those who judge let pass.
        case last

        /// Tells our filters from other people's.
        var handle: UInt32 { self == .first ? 0xb1d : 0xb1e }
        var priority: UInt32 { self == .first ? 1 : 0xfff0 }
    }

    /// Attaches the program, in place of an earlier one of ours; makes the queueing discipline if need be.
    package static func attach(
        _ program: borrowing BPFProgram, to ifindex: UInt32, at hook: TrafficHook, _ turn: Turn = .first
    ) throws(BPFError) {
        let fd = program.descriptor.rawValue
        let (result, log) = LibbpfLog.collect { () -> Int32 in
            var hook = hookOptions(ifindex, hook)
            let created = unsafe bpf_tc_hook_create(&hook)
            guard created == 0 || created == -EEXIST else { return created }
            var options = filterOptions(turn)
            options.prog_fd = fd
            options.flags = UInt32(BPF_TC_F_REPLACE.rawValue)
            return unsafe bpf_tc_attach(&hook, &options)
        }
        guard result == 0 else {
            throw BPFError(
                errno: -result,
                operation: "attach \(program.name) to interface \(ifindex) at clsact \(hook.rawValue)",
                remedy: result == -EEXIST || result == -EINVAL
                    ? "another tool may have a filter of another kind at priority \(turn.priority): see tc filter show"
                    : nil,
                log: log)
        }
    }

    /// Makes the queueing discipline, for which the kernel drops what leaves by the device meanwhile; false where the device has one already, of whatever kind, or cannot have one.
    package static func makeDiscipline(on ifindex: UInt32) -> Bool {
        let (result, _) = LibbpfLog.collect { () -> Int32 in
            var hook = hookOptions(ifindex, .ingress)
            return unsafe bpf_tc_hook_create(&hook)
        }
        return result == 0
    }

    /// The kernel's number of our attached program; nil if none is attached.
    package static func programID(
        on ifindex: UInt32, at hook: TrafficHook, _ turn: Turn = .first
    ) throws(BPFError) -> UInt32? {
        let name = hook.rawValue
        let (answer, log) = LibbpfLog.collect { () -> (Int32, UInt32) in
            var hook = hookOptions(ifindex, hook)
            var options = filterOptions(turn)
            let result = unsafe bpf_tc_query(&hook, &options)
            return (result, options.prog_id)
        }
        // EINVAL: the device has no clsact at all.
        if [-ENOENT, -EINVAL, -ENODEV].contains(answer.0) { return nil }
        guard answer.0 == 0 else {
            throw BPFError(errno: -answer.0, operation: "query interface \(ifindex) at clsact \(name)", log: log)
        }
        return answer.1
    }

    /// Detaches our program; the queueing discipline goes with the last filter, whosever it was.
    ///
    /// True if there was one. With `keepsDiscipline` it stays, empty: while the kernel takes it off it drops what leaves by
    /// the device.
    @discardableResult
    package static func detach(
        from ifindex: UInt32, at hook: TrafficHook, _ turn: Turn = .first, keepsDiscipline: Bool = false
    ) throws(BPFError) -> Bool {
        let name = hook.rawValue
        var wasThere = false
        let (result, log) = LibbpfLog.collect { () -> Int32 in
            var hookOptions = hookOptions(ifindex, hook)
            var options = filterOptions(turn)
            let result = unsafe bpf_tc_detach(&hookOptions, &options)
            wasThere = result == 0
            guard result == 0, !keepsDiscipline, bulkhead_clsact_filter_count(ifindex) == 0 else { return result }
            hookOptions.attach_point = bpf_tc_attach_point(BPF_TC_INGRESS.rawValue | BPF_TC_EGRESS.rawValue)
            return unsafe bpf_tc_hook_destroy(&hookOptions)
        }
        guard [0, -ENOENT, -EINVAL, -ENODEV].contains(result) else {
            throw BPFError(errno: -result, operation: "detach from interface \(ifindex) at clsact \(name)", log: log)
        }
        return wasThere
    }

    private static func hookOptions(_ ifindex: UInt32, _ hook: TrafficHook) -> bpf_tc_hook {
        var options = bpf_tc_hook()
        options.sz = optionsSize(upTo: \bpf_tc_hook.parent)
        options.ifindex = Int32(bitPattern: ifindex)
        options.attach_point = hook == .ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS
        return options
    }

    private static func filterOptions(_ turn: Turn) -> bpf_tc_opts {
        var options = bpf_tc_opts()
        options.sz = optionsSize(upTo: \bpf_tc_opts.priority)
        options.handle = turn.handle
        options.priority = turn.priority
        return options
    }
}
