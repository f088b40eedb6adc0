// SPDX-License-Identifier: Apache-2.0

import Synchronization

extension KubernetesDouble {
    /// What there is, as servers list it; nil: the path asks for something else.
    func discovery(_ path: String) -> JSON? {
        let parts = path.split(separator: "/").map(String.init)
        let all = kinds.withLock { $0 }.map { $0.split(separator: "/").map(String.init) }
        switch (parts.first, parts.count) {
        case ("apis", 1):
            let groups = Dictionary(grouping: all.filter { $0.count == 4 }) { $0[1] }
            return .object([
                "kind": .string("APIGroupList"), "apiVersion": .string("v1"),
                "groups": .array(groups.sorted { $0.key < $1.key }.map { group($0, Set($1.map { $0[2] }).sorted()) }),
            ])
        case ("api", 2), ("apis", 3):
            let members = all.filter { $0.dropLast() == parts[...] }.compactMap(\.last).sorted()
            guard !members.isEmpty else { return nil }
            return .object([
                "kind": .string("APIResourceList"),
                "groupVersion": .string(parts.dropFirst().joined(separator: "/")),
                "resources": .array(members.map { .object(["name": .string($0)]) }),
            ])
        default: return nil
        }
    }

    private func group(_ name: String, _ versions: [String]) -> JSON {
        .object([
            "name": .string(name),
            "versions": .array(
                versions.map { .object(["groupVersion": .string("\(name)/\($0)"), "version": .string($0)]) }),
        ])
    }
}
