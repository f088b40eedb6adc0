// SPDX-License-Identifier: Apache-2.0
import NetworkModel

/// The parameter of nearly every test: no verdict, counter or event may differ between the two.
enum Family: CaseIterable, Sendable {
    case v4
    case v6

    /// The endpoint under test.
    var own: IPAddress { address(2) }
    /// A second address of the endpoint.
    var ownSecond: IPAddress { address(12) }
    /// A workload with an identity of its own (`Fixture.peerIdentity`).
    var peer: IPAddress { address(3) }
    /// Another workload (`Fixture.strangerIdentity`).
    var stranger: IPAddress { address(4) }
    /// Nobody's: the world.
    var world: IPAddress {
        self == .v4 ? IPAddress(v4: 0xc000_0209) : IPAddress(high: 0x2001_0db8_0000_0000, low: 9)
    }
    var unspecified: IPAddress { self == .v4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0) }
    /// All hosts of the link.
    var allNodes: IPAddress {
        self == .v4 ? IPAddress(v4: 0xe000_0001) : IPAddress(high: 0xff02_0000_0000_0000, low: 1)
    }

    var icmp: IPProtocol { self == .v4 ? .icmp : .icmpv6 }
    var echoRequest: UInt8 { self == .v4 ? 8 : 128 }
    var echoReply: UInt8 { self == .v4 ? 0 : 129 }
    /// Destination unreachable.
    var unreachable: UInt8 { self == .v4 ? 3 : 1 }
    var timeExceeded: UInt8 { self == .v4 ? 11 : 3 }
    /// A type that is neither a request, nor a reply, nor an error.
    var otherICMP: UInt8 { self == .v4 ? 5 : 200 }
    /// Bytes of an IP header without options.
    var headerLength: Int { self == .v4 ? 20 : 40 }
    var etherType: UInt16 { self == .v4 ? 0x0800 : 0x86dd }

    private func address(_ last: UInt64) -> IPAddress {
        self == .v4
            ? IPAddress(v4: 0x0ad1_0000 | UInt32(last)) : IPAddress(high: 0xfdbb_0009_0000_0000, low: last)
    }
}

extension IPAddress {
    /// fe80::`last`.
    static func linkLocal(_ last: UInt64) -> IPAddress { IPAddress(high: 0xfe80_0000_0000_0000, low: last) }
}
