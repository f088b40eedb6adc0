// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel

extension IdentityAllocator {
    /// Every number given out and remembered, as plain values to be written to disk.
    package struct Snapshot: Codable, Hashable, Sendable {
        /// `[source, key, value]` of each label.
        package typealias Labels = [[String]]

        package struct Workload: Codable, Hashable, Sendable {
            package var number: UInt32
            package var labels: Labels
        }

        package struct Local: Codable, Hashable, Sendable {
            package var number: UInt32
            /// 0: the prefix itself.
            package var base: UInt32
            /// Empty: none.
            package var prefix: String
            /// Labels of the groups around it; nil: none.
            package var groups: [Labels]?
        }

        package struct Subject: Codable, Hashable, Sendable {
            package struct Port: Codable, Hashable, Sendable {
                package var proto: UInt8
                package var name: String
                package var numbers: [UInt16]
            }

            package var number: UInt32
            package var labels: Labels
            package var ports: [Port]
            package var isHost: Bool
        }

        /// Next unused number of workloads, locals and subjects.
        package var nextFresh: [UInt32] = [0, 0, 0]
        package var workloads: [Workload] = []
        package var locals: [Local] = []
        package var subjects: [Subject] = []

        /// Nothing given out yet.
        package init() {}
    }

    /// Takes a snapshot; sorted, so that equal states give equal bytes.
    package var snapshot: Snapshot { Snapshot(workloads.snapshot, locals.snapshot, subjectPool.snapshot) }

    /// What the snapshot has gained since the last call; nil if nothing.
    package mutating func takeIssued() -> Snapshot? {
        let (workloads, locals, subjects) = (workloads.takeIssued(), locals.takeIssued(), subjectPool.takeIssued())
        guard workloads != nil || locals != nil || subjects != nil else { return nil }
        return Snapshot(
            workloads ?? .init(nextFresh: 0, numbers: [:]), locals ?? .init(nextFresh: 0, numbers: [:]),
            subjects ?? .init(nextFresh: 0, numbers: [:]))
    }

    /// Starts where a snapshot ended: every number is remembered for its owner, none is in use.
    package init(restoring snapshot: Snapshot) {
        self.init()
        guard snapshot.nextFresh.count == 3 else { return }
        workloads = NumberPool(
            NumericIdentity.workloadRange,
            restoring: .init(
                nextFresh: snapshot.nextFresh[0],
                numbers: Dictionary(snapshot.workloads.map { (LabelSet(plain: $0.labels), $0.number) }) { first, _ in
                    first
                }))
        let localNumbers = snapshot.locals.compactMap { local -> (LocalKey, UInt32)? in
            let groups = (local.groups ?? []).map { LabelSet(plain: $0) }
            let prefix = CIDR(local.prefix)
            guard prefix != nil || local.prefix.isEmpty && !groups.isEmpty else { return nil }
            let base = NumericIdentity(rawValue: local.base)
            return (LocalKey(base: base, prefix: prefix, groups: groups), local.number)
        }
        locals = NumberPool(
            NumericIdentity.localRange,
            restoring: .init(nextFresh: snapshot.nextFresh[1], numbers: Dictionary(localNumbers) { first, _ in first }))
        subjectPool = NumberPool(
            IdentityAllocator.subjectRange,
            restoring: .init(
                nextFresh: snapshot.nextFresh[2],
                numbers: Dictionary(snapshot.subjects.map { ($0.key, $0.number) }) { first, _ in first }))
    }
}

extension IdentityAllocator.Snapshot {
    fileprivate init(
        _ workloads: NumberPool<LabelSet>.Snapshot, _ locals: NumberPool<IdentityAllocator.LocalKey>.Snapshot,
        _ subjects: NumberPool<IdentityAllocator.SubjectKey>.Snapshot
    ) {
        nextFresh = [workloads.nextFresh, locals.nextFresh, subjects.nextFresh]
        self.workloads = workloads.numbers.map { Workload(number: $1, labels: $0.plain) }
            .sorted { $0.number < $1.number }
        self.locals = locals.numbers.map {
            Local(
                number: $1, base: $0.base.rawValue, prefix: $0.prefix?.description ?? "",
                groups: $0.groups.isEmpty ? nil : $0.groups.map(\.plain))
        }.sorted { $0.number < $1.number }
        self.subjects = subjects.numbers.map { key, number in
            let ports = key.namedPorts.numbers.map { port, numbers in
                Subject.Port(proto: port.proto.rawValue, name: port.name, numbers: numbers.sorted())
            }.sorted { ($0.proto, $0.name) < ($1.proto, $1.name) }
            return Subject(number: number, labels: key.labels.plain, ports: ports, isHost: key.isHost)
        }.sorted { $0.number < $1.number }
    }

    /// Adds what was issued later, oldest first; of several owners of a number the last one has it.
    package mutating func merge(_ later: [IdentityAllocator.Snapshot]) {
        func merged<Entry>(_ list: KeyPath<Self, [Entry]>, _ number: KeyPath<Entry, UInt32>) -> [Entry] {
            let all = ([self] + later).flatMap { $0[keyPath: list] }
            return Array(Dictionary(all.map { ($0[keyPath: number], $0) }) { $1 }.values)
        }
        workloads = merged(\.workloads, \.number)
        locals = merged(\.locals, \.number)
        subjects = merged(\.subjects, \.number)
        for snapshot in later { nextFresh = zip(nextFresh, snapshot.nextFresh).map { max($0, $1) } }
    }
}

extension IdentityAllocator.Snapshot.Subject {
    fileprivate var key: IdentityAllocator.SubjectKey {
        let named = ports.map {
            (NamedPort(proto: IPProtocol(rawValue: $0.proto), name: $0.name), Set($0.numbers))
        }
        return .init(
            labels: LabelSet(plain: labels), namedPorts: NamedPorts(Dictionary(named) { first, _ in first }),
            isHost: isHost)
    }
}

extension LabelSet {
    fileprivate var plain: IdentityAllocator.Snapshot.Labels { labels.map { [$0.source, $0.key, $0.value] } }

    fileprivate init(plain: IdentityAllocator.Snapshot.Labels) {
        self.init(plain.filter { $0.count == 3 }.map { Label(source: $0[0], key: $0[1], value: $0[2]) })
    }
}
