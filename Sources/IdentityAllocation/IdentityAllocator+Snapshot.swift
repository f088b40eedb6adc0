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

        package struct Name: Codable, Hashable, Sendable {
            package var number: UInt32
            package var name: String
        }

        /// Next unused number of workloads, prefixes, subjects, derived identities and names.
        package var nextFresh: [UInt32] = [0, 0, 0, 0, 0]
        package var workloads: [Workload] = []
        package var locals: [Local] = []
        package var subjects: [Subject] = []
        /// Nil: written by a version without names.
        package var names: [Name]?

        /// Nothing given out yet.
        package init() {}
    }

    /// Takes a snapshot; sorted, so that equal states give equal bytes.
    package var snapshot: Snapshot {
        Snapshot(
            workloads.snapshot, prefixNumbers.snapshot, derivedNumbers.snapshot, subjectPool.snapshot, names.snapshot)
    }

    /// What the snapshot has gained since the last call; nil if nothing.
    package mutating func takeIssued() -> Snapshot? {
        let (workloads, prefixes, derived) = (
            workloads.takeIssued(), prefixNumbers.takeIssued(), derivedNumbers.takeIssued()
        )
        let (subjects, names) = (subjectPool.takeIssued(), names.takeIssued())
        guard workloads != nil || prefixes != nil || derived != nil || subjects != nil || names != nil else {
            return nil
        }
        return Snapshot(
            workloads ?? .init(nextFresh: 0, numbers: [:]), prefixes ?? .init(nextFresh: 0, numbers: [:]),
            derived ?? .init(nextFresh: 0, numbers: [:]), subjects ?? .init(nextFresh: 0, numbers: [:]),
            names ?? .init(nextFresh: 0, numbers: [:]))
    }

    /// Starts where a snapshot ended: every number is remembered for its owner, none is in use.
    package init(restoring snapshot: Snapshot) {
        self.init()
        // Three: of a version that numbered derived identities among the prefixes; those it gave are forgotten.
        guard snapshot.nextFresh.count == 5 || snapshot.nextFresh.count == 3 else { return }
        let nextFresh = snapshot.nextFresh + (snapshot.nextFresh.count == 3 ? [0, 0] : [])
        workloads = NumberPool(
            NumericIdentity.workloadRange,
            restoring: .init(
                nextFresh: nextFresh[0],
                numbers: Dictionary(snapshot.workloads.map { (LabelSet(plain: $0.labels), $0.number) }) { first, _ in
                    first
                }))
        let locals = snapshot.locals.compactMap { local -> (LocalKey, UInt32)? in
            let groups = (local.groups ?? []).map { LabelSet(plain: $0) }
            let prefix = CIDR(local.prefix)
            guard prefix != nil || local.prefix.isEmpty && !groups.isEmpty else { return nil }
            let base = NumericIdentity(rawValue: local.base)
            return (LocalKey(base: base, prefix: prefix, groups: groups), local.number)
        }
        func localNumbers(_ isPrefix: Bool) -> [LocalKey: UInt32] {
            Dictionary(locals.filter { ($0.0.base == .any) == isPrefix }) { first, _ in first }
        }
        prefixNumbers = NumberPool(
            NumericIdentity.prefixRange, restoring: .init(nextFresh: nextFresh[1], numbers: localNumbers(true)))
        derivedNumbers = NumberPool(
            NumericIdentity.derivedRange, restoring: .init(nextFresh: nextFresh[3], numbers: localNumbers(false)))
        subjectPool = NumberPool(
            IdentityAllocator.subjectRange,
            restoring: .init(
                nextFresh: nextFresh[2],
                numbers: Dictionary(snapshot.subjects.map { ($0.key, $0.number) }) { first, _ in first }))
        let nameNumbers = (snapshot.names ?? []).compactMap { entry in
            NameSelector(entry.name).map { ($0, entry.number) }
        }
        names = NumberPool(
            NumericIdentity.nameRange,
            restoring: .init(nextFresh: nextFresh[4], numbers: Dictionary(nameNumbers) { first, _ in first }))
    }
}

extension IdentityAllocator.Snapshot {
    fileprivate init(
        _ workloads: NumberPool<LabelSet>.Snapshot, _ prefixes: NumberPool<IdentityAllocator.LocalKey>.Snapshot,
        _ derived: NumberPool<IdentityAllocator.LocalKey>.Snapshot,
        _ subjects: NumberPool<IdentityAllocator.SubjectKey>.Snapshot, _ names: NumberPool<NameSelector>.Snapshot
    ) {
        nextFresh = [
            workloads.nextFresh, prefixes.nextFresh, subjects.nextFresh, derived.nextFresh, names.nextFresh,
        ]
        self.workloads = workloads.numbers.map { Workload(number: $1, labels: $0.plain) }
            .sorted { $0.number < $1.number }
        self.locals = (Array(prefixes.numbers) + Array(derived.numbers)).map {
            Local(
                number: $1, base: $0.base.rawValue, prefix: $0.prefix?.description ?? "",
                groups: $0.groups.isEmpty ? nil : $0.groups.map(\.plain))
        }.sorted { $0.number < $1.number }
        self.names = names.numbers.map { Name(number: $1, name: $0.description) }.sorted { $0.number < $1.number }
        self.subjects = subjects.numbers.map { key, number in
            let ports = key.namedPorts.numbers.map { port, numbers in
                Subject.Port(proto: port.proto.rawValue, name: port.name, numbers: numbers.sorted())
            }.sorted { ($0.proto, $0.name) < ($1.proto, $1.name) }
            return Subject(number: number, labels: key.labels.plain, ports: ports, isHost: key.isHost)
        }.sorted { $0.number < $1.number }
    }

    /// Adds what was issued later, oldest first; of several owners of a number the last one has it.
    package mutating func merge(_ later: [IdentityAllocator.Snapshot]) {
        func merged<Entry>(_ list: (Self) -> [Entry], _ number: KeyPath<Entry, UInt32>) -> [Entry] {
            let all = ([self] + later).flatMap(list)
            return Array(Dictionary(all.map { ($0[keyPath: number], $0) }) { $1 }.values)
        }
        let names = merged({ $0.names ?? [] }, \.number)
        (workloads, locals, subjects) = (
            merged({ $0.workloads }, \.number), merged({ $0.locals }, \.number), merged({ $0.subjects }, \.number)
        )
        self.names = names
        for snapshot in later {
            let missing = max(0, snapshot.nextFresh.count - nextFresh.count)
            nextFresh += [UInt32](repeating: 0, count: missing)
            for (index, number) in snapshot.nextFresh.enumerated() {
                nextFresh[index] = max(nextFresh[index], number)
            }
        }
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
