// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import IdentityModel

/// The tables that say whose a socket is, and the programs that ask them.
struct ServiceTables: ~Copyable {
    private let directory: PinDirectory
    private let egress: BPFProgram
    private let ingress: BPFProgram
    private let config: BPFMap<UInt32, service_config>
    private let cgroups: BPFMap<UInt64, endpoint_entry>
    private let users: BPFMap<UInt32, endpoint_entry>

    /// Takes programs and maps from their pins, and puts this version's programs in the place of an earlier one's.
    init(_ pins: borrowing PinnedObjects) throws(BPFError) {
        let egress = try pins.program("cgroup_egress")
        let ingress = try pins.program("cgroup_ingress")
        let config: BPFMap<UInt32, service_config> = try pins.map(MapName.serviceConfig)
        let cgroups: BPFMap<UInt64, endpoint_entry> = try pins.map(MapName.serviceCgroups)
        let users: BPFMap<UInt32, endpoint_entry> = try pins.map(MapName.serviceUsers)
        for hook in CgroupHook.allCases {
            guard let pinned = try FileDescriptor.pinned(at: pins.directory.link(hook)) else { continue }
            let link = TrafficLink(descriptor: pinned)
            guard try link.isOnCgroup() else { continue }
            if hook == .egress { try link.replaceProgram(with: egress) } else { try link.replaceProgram(with: ingress) }
        }
        // Assigned last: a type that cannot be copied is built whole or not at all.
        directory = pins.directory
        self.egress = egress
        self.ingress = ingress
        self.config = config
        self.cgroups = cgroups
        self.users = users
    }

    /// Numbers of the endpoints that have a record: at the start those an earlier agent wrote.
    static func numbers(_ pins: borrowing PinnedObjects) throws(BPFError) -> Set<UInt16> {
        let cgroups: BPFMap<UInt64, endpoint_entry> = try pins.map(MapName.serviceCgroups)
        let users: BPFMap<UInt32, endpoint_entry> = try pins.map(MapName.serviceUsers)
        var numbers: Set<UInt16> = []
        try cgroups.forEach { _, entry in numbers.insert(entry.endpoint) }
        try users.forEach { _, entry in numbers.insert(entry.endpoint) }
        return numbers
    }

    /// Nil if the programs are not there.
    static func open(_ pins: borrowing PinnedObjects) -> ServiceTables? {
        do throws(BPFError) { return try ServiceTables(pins) } catch { return nil }
    }

    /// Makes these the services; records that stay are never missing.
    func set(_ services: [DatapathService], in field: ServiceField) throws(BPFError) {
        for hook in CgroupHook.allCases where services.isEmpty {
            try TrafficLink.detachCgroup(pinnedAt: directory.link(hook))
        }
        var wantedCgroups: Set<UInt64> = [], wantedUsers: Set<UInt32> = []
        var settings = service_config()
        settings.network_namespace = field.networkNamespace
        for service in services {
            var entry = endpoint_entry()
            entry.subject = UInt32(service.subject)
            entry.identity = service.identity.rawValue
            entry.endpoint = service.number
            entry.flags = service.options.rawValue
            for cgroup in service.cgroups.sorted() where cgroup.level <= CgroupReference.levelMax {
                try cgroups.update(cgroup.id, to: entry)
                wantedCgroups.insert(cgroup.id)
                settings.levels |= 1 << UInt32(cgroup.level)
            }
            for user in service.users.sorted() {
                try users.update(user, to: entry)
                wantedUsers.insert(user)
                settings.has_users = 1
            }
        }
        try config.update(0, to: settings)
        try removeSurplus(wantedCgroups, wantedUsers)
        guard !services.isEmpty else { return }
        try attach(egress, to: field.cgroupRoot, at: .egress)
        try attach(ingress, to: field.cgroupRoot, at: .ingress)
    }

    /// The programs that judge services, attached or not.
    func programs() throws(BPFError) -> [ServiceProgram] {
        [
            ServiceProgram(name: egress.name, isAttached: try isAttached(.egress)),
            ServiceProgram(name: ingress.name, isAttached: try isAttached(.ingress)),
        ]
    }

    private func isAttached(_ hook: CgroupHook) throws(BPFError) -> Bool {
        guard let pinned = try FileDescriptor.pinned(at: directory.link(hook)) else { return false }
        return try TrafficLink(descriptor: pinned).isOnCgroup()
    }

    private func removeSurplus(_ wantedCgroups: Set<UInt64>, _ wantedUsers: Set<UInt32>) throws(BPFError) {
        var surplusCgroups: [UInt64] = [], surplusUsers: [UInt32] = []
        try cgroups.forEach { id, _ in if !wantedCgroups.contains(id) { surplusCgroups.append(id) } }
        try users.forEach { user, _ in if !wantedUsers.contains(user) { surplusUsers.append(user) } }
        for id in surplusCgroups { try cgroups.remove(id) }
        for user in surplusUsers { try users.remove(user) }
    }

    private func attach(
        _ program: borrowing BPFProgram, to root: String, at hook: CgroupHook
    ) throws(BPFError) {
        guard try !isAttached(hook) else { return }
        let path = directory.link(hook)
        try unpin(path)
        try TrafficLink(attaching: program, toCgroup: root, at: hook).descriptor.pin(at: path)
    }
}
