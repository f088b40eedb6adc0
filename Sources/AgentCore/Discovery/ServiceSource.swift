// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import KernelDatapath
import LinuxHost

/// Follows the processes of the host that are judged by themselves: cgroups that come and go, and users.
struct ServiceSource: Sendable {
    static let name = "service"

    let configuration: AgentConfiguration.HostEndpoint
    let state: AgentState

    /// Runs until cancelled.
    func run() async throws {
        let watcher = try TreeWatcher()
        let changes = try watcher.changes()
        await report(watcher)
        for await _ in changes { await report(watcher) }
    }

    /// What is found after the directories are watched is all there is: what comes later is told.
    private func report(_ watcher: TreeWatcher) async {
        var found = ServiceSource.find(configuration)
        while watcher.watch(found.directories) { found = ServiceSource.find(configuration) }
        await state.update(
            source: ServiceSource.name, workloads: found.workloads, state: "watching",
            location: CgroupTree.mounted?.root ?? "no cgroup2")
    }

    /// The services as they are now, and the directories in which their cgroups come and go.
    static func find(
        _ configuration: AgentConfiguration.HostEndpoint, in tree: CgroupTree? = CgroupTree.mounted,
        accounts: Accounts = Accounts()
    ) -> (workloads: [Workload], directories: Set<String>) {
        let services = configuration.services
        let byUnit = services.contains { if case .unit = $0.kind { true } else { false } }
        let (sliceDirectories, units) = byUnit ? tree?.units() ?? ([], []) : ([], [])
        let named = Set(services.map(\.key))
        var workloads: [Workload] = []
        var directories = Set(sliceDirectories)
        for service in services {
            var sockets = ServiceSockets()
            var labels = configuration.labels + service.labels + [Label(source: LabelSource.reserved, key: "host")]
            var problem: String?
            switch service.kind {
            case .unit(HostService.everyUnit):
                workloads += units.compactMap { unit in
                    var service = service
                    service.kind = .unit(unit.name)
                    guard unit.name.hasSuffix(".service"), !named.contains(service.key) else { return nil }
                    labels.append(Label(source: LabelSource.process, key: "unit", value: unit.name))
                    defer { labels.removeLast() }
                    return ServiceSource.workload(
                        service, name: unit.name, labels, ServiceSockets(cgroups: [unit.path: unit.reference]))
                }
                continue
            case .unit(let unit):
                labels.append(Label(source: LabelSource.process, key: "unit", value: unit))
                for cgroup in units where cgroup.name == unit { sockets.cgroups[cgroup.path] = cgroup.reference }
            case .cgroup(let path):
                labels.append(Label(source: LabelSource.process, key: "cgroup", value: path))
                directories.formUnion(tree?.directories(around: path) ?? [])
                if let cgroup = tree?.cgroup(at: path) { sockets.cgroups[path] = cgroup.reference }
            case .user(let user):
                labels.append(Label(source: LabelSource.process, key: "user", value: user))
                if let number = accounts.userID(user) {
                    labels.append(Label(source: LabelSource.process, key: "uid", value: "\(number)"))
                    sockets.users.insert(number)
                } else {
                    problem = "no user \(user) in /etc/passwd: write its number"
                }
            }
            var workload = ServiceSource.workload(service, name: service.name, labels, sockets)
            workload.problem =
                tree == nil && workload.sockets?.users.isEmpty == true ? "no cgroup2 is mounted" : problem
            workloads.append(workload)
        }
        return (workloads, directories)
    }

    private static func workload(
        _ service: HostService, name: String, _ labels: [Label], _ sockets: ServiceSockets
    ) -> Workload {
        var workload = Workload(
            key: service.key, name: name, source: ServiceSource.name, labels: LabelSet(labels), addresses: [],
            interfaces: [], options: [.host])
        workload.sockets = sockets
        if !sockets.cgroups.isEmpty {
            workload.details["cgroup"] = sockets.cgroups.keys.sorted().joined(separator: ", ")
        }
        return workload
    }
}

extension CgroupTree {
    /// The whole hierarchy of this host; nil without cgroup2.
    static var mounted: CgroupTree? { (try? CgroupRoot.find()).map(CgroupTree.init(root:)) }
}

extension Cgroup {
    var reference: CgroupReference { CgroupReference(id: id, level: level) }
}

/// Numbers of users, from the account file.
struct Accounts: Sendable {
    var passwordFile = "/etc/passwd"

    /// The number of a user given by name or number; nil if there is no such user.
    func userID(_ user: String) -> UInt32? {
        if let number = UInt32(user) { return number }
        let text = (try? readTextFile(passwordFile)) ?? ""
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count > 2, fields[0] == user { return UInt32(fields[2]) }
        }
        return nil
    }
}
