// SPDX-License-Identifier: Apache-2.0

/// The small number that stands for one label set; the kernel compares only these.
package struct NumericIdentity: RawRepresentable, Hashable, Sendable, Comparable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static func < (a: NumericIdentity, b: NumericIdentity) -> Bool { a.rawValue < b.rawValue }

    /// In a policy key: any peer.
    package static let any = NumericIdentity(rawValue: 0)
    package static let host = NumericIdentity(rawValue: 1)
    package static let world = NumericIdentity(rawValue: 2)
    package static let unmanaged = NumericIdentity(rawValue: 3)
    package static let health = NumericIdentity(rawValue: 4)
    package static let initializing = NumericIdentity(rawValue: 5)
    package static let remoteNode = NumericIdentity(rawValue: 6)
    package static let kubeAPIServer = NumericIdentity(rawValue: 7)
    package static let ingress = NumericIdentity(rawValue: 8)

    /// Numbers for label sets of workloads, on this node only: nodes share labels, so that no cluster runs out of numbers.
    package static let workloadRange: ClosedRange<UInt32> = 256...0x00ff_ffff
    /// Numbers that mean something on this node only: prefixes, and workloads inside a prefix.
    package static let localRange: ClosedRange<UInt32> = 0x0100_0000...0x01ff_ffff
    /// Of these, prefixes.
    package static let prefixRange: ClosedRange<UInt32> = 0x0100_0000...0x017f_ffff
    /// Of these, workloads inside a prefix.
    package static let derivedRange: ClosedRange<UInt32> = 0x0180_0000...0x01ff_ffff
    /// Numbers for DNS names, on this node only: peers that no address has in the ipcache.
    package static let nameRange: ClosedRange<UInt32> = 0x0300_0000...0x0300_ffff
}

/// The reserved identities with the label each one carries.
package let reservedIdentities: [(identity: NumericIdentity, name: String)] = [
    (.host, "host"), (.world, "world"), (.unmanaged, "unmanaged"), (.health, "health"), (.initializing, "init"),
    (.remoteNode, "remote-node"), (.kubeAPIServer, "kube-apiserver"), (.ingress, "ingress"),
]
