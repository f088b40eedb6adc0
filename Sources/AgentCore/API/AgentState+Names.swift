// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler

extension AgentState {
    func learntNames(_ query: NameQuery) async throws(APIError) -> NameReport {
        var pattern: NamePattern?
        if let text = query.name {
            pattern = NamePattern(text)
            guard pattern != nil else {
                throw APIError(.badRequest, "no name \"\(text)\": a DNS name, in which * stands for any characters")
            }
        }
        if let endpoint = query.endpoint, workload(endpoint) == nil {
            throw APIError(.notFound, "no endpoint \"\(endpoint)\": `bulkhead endpoint list` shows them")
        }
        let own = query.endpoint.flatMap(workload)?.key
        let records = try nameRecords { workload, name in
            (own == nil || workload == own) && pattern?.matches(name) ?? true
        }
        return NameReport(
            names: Array(records.prefix(query.limit)), total: records.count,
            resolvers: configuration.names.resolvers.sorted().map(\.description))
    }

    /// One for each endpoint, name and address, sorted; rules are those that rely on the name at this endpoint.
    ///
    /// `isMeant`: by the workload's key, nil if it is gone.
    func nameRecords(_ isMeant: (String?, DomainName) -> Bool = { _, _ in true }) throws(APIError) -> [NameRecord] {
        let policies = Explainer.rulesByName(engine.input.policies.values)
        let owners = Dictionary(endpointNumbers.assigned.map { ($0.value, $0.key) }) { first, _ in first }
        let learnt: [LearntName]
        do { learnt = try datapath.learntNames() } catch {
            throw APIError(.unavailable, "cannot read the names learnt: \(error)")
        }
        // The answers for A and for AAAA are two.
        var left: [NameKey: Int64] = [:]
        for answer in learnt where isMeant(owners[UInt32(answer.endpoint)], answer.name) {
            for entry in answer.addresses {
                let key = NameKey(endpoint: answer.endpoint, name: answer.name, address: entry.address)
                left[key] = max(left[key] ?? 0, entry.remaining.components.seconds)
            }
        }
        var rules: [NameKey: [String]] = [:]
        let records = left.map { key, seconds in
            let workload = owners[UInt32(key.endpoint)].flatMap { engine.input.workloads[$0] }
            let whole = NameKey(endpoint: key.endpoint, name: key.name)
            let own =
                rules[whole]
                ?? policies.filter { rule in
                    rule.selector.matches(key.name) && workload.map { rule.subject.matches($0.labels) } ?? false
                }.map(\.text).unique
            rules[whole] = own
            return (
                key,
                NameRecord(
                    endpoint: workload?.name ?? String(key.endpoint), name: "\(key.name)", address: "\(key.address)",
                    secondsLeft: max(0, seconds), rules: own)
            )
        }
        return records.sorted { a, b in
            (a.1.endpoint, a.0.name, a.0.address) < (b.1.endpoint, b.0.name, b.0.address)
        }.map(\.1)
    }
}

private struct NameKey: Hashable {
    var endpoint: UInt16
    var name: DomainName
    var address = IPAddress(v4: 0)
}

extension [String] {
    /// Each once, in the same order.
    fileprivate var unique: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
