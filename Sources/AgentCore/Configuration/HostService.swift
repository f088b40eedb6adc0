// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import KernelDatapath

/// Processes of the host that are judged by themselves, as the host with more labels.
struct HostService: Hashable, Sendable {
    /// What tells the processes from others.
    enum Kind: Hashable, Sendable {
        /// The cgroup of a systemd unit; `*`: of each one that is not named by itself.
        case unit(String)
        /// A cgroup by its path from the root of the hierarchy.
        case cgroup(String)
        /// A user by name or number.
        case user(String)
    }

    var kind: Kind
    /// What people call it; unique.
    var name: String
    /// Labels besides the host's and those that follow from the kind.
    var labels: [Label] = []

    /// The unit that stands for all that are not named.
    static let everyUnit = "*"

    /// `unit:web.service` and so on: unique.
    var key: String {
        switch kind {
        case .unit(let unit): "service:unit:\(unit)"
        case .cgroup(let path): "service:cgroup:\(path)"
        case .user(let user): "service:user:\(user)"
        }
    }
}

extension ConfigurationReader {
    /// The list of services; each is told by one of `unit`, `cgroup` and `user`.
    func services() throws -> [HostService] {
        var services: [HostService] = []
        for item in try list() {
            let service = try item.service()
            if services.contains(where: { $0.key == service.key }) {
                throw item.error("this service is listed twice")
            }
            if services.contains(where: { $0.name == service.name }) {
                throw item.error("another service is called \"\(service.name)\": give one of them a `name`")
            }
            services.append(service)
        }
        return services
    }

    private func service() throws -> HostService {
        var kinds: [HostService.Kind] = []
        var name: String?
        var labels: [Label] = []
        try mapping([
            "unit": { kinds.append(.unit(try $0.unit())) },
            "cgroup": { kinds.append(.cgroup(try $0.cgroupPath())) },
            "user": { kinds.append(.user(try $0.user())) },
            "name": { name = try $0.string() },
            "labels": { labels = try $0.labels(of: LabelSource.process) },
        ])
        guard kinds.count == 1, let kind = kinds.first else {
            throw error("a service is told by one of `unit`, `cgroup` and `user`")
        }
        return HostService(kind: kind, name: name ?? kind.text, labels: labels)
    }

    private func unit() throws -> String {
        let unit = try string()
        let isName = !unit.isEmpty && !unit.contains("/") && unit.contains(".")
        guard isName || unit == HostService.everyUnit else {
            throw error("\"\(unit)\" is not a unit: write its whole name, as in nginx.service")
        }
        return unit
    }

    private func cgroupPath() throws -> String {
        let path = try string()
        let parts = path.split(separator: "/")
        guard path.hasPrefix("/"), !parts.isEmpty, !parts.contains(where: { $0 == "." || $0 == ".." }) else {
            throw error("\"\(path)\" is not a cgroup: write its path from the root, as in /system.slice/backup.slice")
        }
        guard parts.count <= CgroupReference.levelMax else {
            throw error("cgroups deeper than \(CgroupReference.levelMax) levels cannot be services")
        }
        return "/" + parts.joined(separator: "/")
    }

    private func user() throws -> String {
        let user = try string()
        guard !user.isEmpty, !user.contains(":") else { throw error("\"\(user)\" is not a user") }
        return user
    }
}

extension HostService.Kind {
    fileprivate var text: String {
        switch self {
        case .unit(let text), .cgroup(let text), .user(let text): text
        }
    }
}
