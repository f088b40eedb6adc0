// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import KernelPrograms

/// Counts and drops generated packets where they enter the server's namespace, as long as it lives.
final class PacketSink {
    private let counter: BPFMap<UInt32, UInt64>
    private let attachment: Attachment

    init(topology: Topology) throws {
        let object = try BPFObject(.reference)
        try object.load()
        let program = Program(try object.program("tc_sink"))
        let end = topology.serverEnd
        attachment = try BenchThread.run(in: .named(topology.server)) {
            try Attachment(program, to: end, at: .ingress)
        }
        counter = try object.map("sink_map")
    }

    /// Packets that have arrived so far.
    var count: UInt64 {
        get throws { try counter.value(for: 0) ?? 0 }
    }
}

/// A program that closures may share.
final class Program {
    let value: BPFProgram

    init(_ value: consuming BPFProgram) {
        self.value = value
    }
}

/// A program on a device of the calling thread's namespace, as long as this lives.
final class Attachment {
    private let link: TrafficLink

    init(_ program: Program, to interface: UInt32, at hook: TrafficHook) throws {
        link = try TrafficLink(attaching: program.value, to: interface, at: hook)
    }
}
