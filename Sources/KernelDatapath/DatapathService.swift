// SPDX-License-Identifier: Apache-2.0
package import IdentityModel

/// A cgroup as the kernel programs know it.
package struct CgroupReference: Hashable, Sendable, Comparable {
    /// The inode of its directory.
    package var id: UInt64
    /// How far it is below the root of the hierarchy: 2 for `/system.slice/web.service`.
    package var level: Int

    package init(id: UInt64, level: Int) {
        self.id = id
        self.level = level
    }

    package static func < (a: CgroupReference, b: CgroupReference) -> Bool { a.id < b.id }

    /// Deeper ones are not looked for.
    package static let levelMax = 15
}

/// Processes of the host that are judged by themselves, as the kernel programs need to know them.
package struct DatapathService: Hashable, Sendable {
    /// Number of the endpoint on this host.
    package var number: UInt16
    /// Slot in the subject table.
    package var subject: UInt16
    package var identity: NumericIdentity
    package var options: EndpointOptions
    package var cgroups: Set<CgroupReference>
    package var users: Set<UInt32>

    package init(
        number: UInt16, subject: UInt16, identity: NumericIdentity, options: EndpointOptions,
        cgroups: Set<CgroupReference> = [], users: Set<UInt32> = []
    ) {
        self.number = number
        self.subject = subject
        self.identity = identity
        self.options = options
        self.cgroups = cgroups
        self.users = users
    }
}

/// A program for services, which belongs on the root of the cgroup hierarchy while there are services.
package struct ServiceProgram: Hashable, Sendable {
    package var name: String
    /// False: somebody took it off, or the kernel never took it.
    package var isAttached: Bool

    package init(name: String, isAttached: Bool) {
        self.name = name
        self.isAttached = isAttached
    }
}

/// Where sockets of services are looked for.
package struct ServiceField: Hashable, Sendable {
    /// Directory of the root of the cgroup2 hierarchy.
    package var cgroupRoot: String
    /// Inode of the network namespace whose sockets are the host's.
    package var networkNamespace: UInt32

    package init(cgroupRoot: String, networkNamespace: UInt32) {
        self.cgroupRoot = cgroupRoot
        self.networkNamespace = networkNamespace
    }
}
