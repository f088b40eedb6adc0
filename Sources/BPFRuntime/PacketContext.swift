// SPDX-License-Identifier: Apache-2.0
import CLibbpf

/// The part of `struct __sk_buff` that a test run takes and gives back.
package struct PacketContext: Hashable, Sendable {
    package var mark: UInt32 = 0
    package var priority: UInt32 = 0
    /// A device of the calling thread's network namespace; 0 = the loopback device.
    package var ifindex: UInt32 = 0
    package var ingressIfindex: UInt32 = 0

    package init(ifindex: UInt32 = 0, mark: UInt32 = 0) {
        self.ifindex = ifindex
        self.mark = mark
    }

    init(_ context: __sk_buff) {
        unsafe mark = context.mark
        unsafe priority = context.priority
        unsafe ifindex = context.ifindex
        unsafe ingressIfindex = context.ingress_ifindex
    }

    var kernelContext: __sk_buff {
        var context = unsafe __sk_buff()
        unsafe context.mark = mark
        unsafe context.priority = priority
        unsafe context.ifindex = ifindex
        unsafe context.ingress_ifindex = ingressIfindex
        return unsafe context
    }
}
