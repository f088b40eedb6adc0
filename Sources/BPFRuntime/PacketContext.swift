// SPDX-License-Identifier: Apache-2.0
import CLibbpf

/// The part of `struct __sk_buff` that a test run takes and gives back.
package struct PacketContext: Hashable, Sendable {
    package var mark: UInt32 = 0
    package var priority: UInt32 = 0
    /// A device of the calling thread's network namespace; 0 = the loopback device.
    package var ifindex: UInt32 = 0
    package var ingressIfindex: UInt32 = 0
    /// Payload of each of the packets that were merged to this one; 0: it is one packet.
    package var segmentSize: UInt32 = 0
    package var segmentCount: UInt32 = 0

    package init(ifindex: UInt32 = 0, mark: UInt32 = 0) {
        self.ifindex = ifindex
        self.mark = mark
    }

    init(_ context: __sk_buff) {
        unsafe mark = context.mark
        unsafe priority = context.priority
        unsafe ifindex = context.ifindex
        unsafe ingressIfindex = context.ingress_ifindex
        unsafe segmentSize = context.gso_size
        unsafe segmentCount = context.gso_segs
    }

    var kernelContext: __sk_buff {
        var context = unsafe __sk_buff()
        unsafe context.mark = mark
        unsafe context.priority = priority
        unsafe context.ifindex = ifindex
        unsafe context.ingress_ifindex = ingressIfindex
        unsafe context.gso_size = segmentSize
        unsafe context.gso_segs = segmentCount
        return unsafe context
    }
}
