// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Lowers `source` and `destination` of a Calico rule: the peer's end, and the end of the policy's own endpoints.
struct CalicoEntityReading {
    let scope: CalicoScope
    let direction: Direction
    /// True if the rule means the names of sets that its other end selects.
    var takesNames = false

    /// By whether the end is the peer's, and whether it is `source`.
    private static let tables: [[FieldTable]] = [false, true].map { isPeer in
        [false, true].map { isSource in table(isPeer: isPeer, isSource: isSource) }
    }

    private static func table(isPeer: Bool, isSource: Bool) -> FieldTable {
        var refused: [String: FieldTable.Refusal] = [:]
        if !isPeer {
            refused["services"] = FieldTable.Refusal(
                .unsupportedServices, "a service stands for the other end of the traffic, as in Calico",
                remedy: "select the policy's own endpoints by labels")
            for name in ["nets", "notNets"] {
                refused[name] = FieldTable.Refusal(
                    .unsupportedMatch, "a rule cannot tell the addresses of the policy's own endpoints apart",
                    remedy: "select the endpoints by labels")
            }
        }
        let sourcePorts = "refused unless empty: policies judge the port a connection goes to (BH1513)"
        let domains = "names; in rules that allow, by themselves or with ports; a label `*` is one or more labels"
        return FieldTable(
            (isPeer ? ["nets", "notNets"] + (isSource ? [] : ["domains"]) + ["services"] : [])
                + ["selector", "notSelector", "namespaceSelector", "serviceAccounts", "ports", "notPorts"],
            refused: refused,
            notes: (isSource
                ? ["ports": sourcePorts, "notPorts": sourcePorts]
                : [
                    "ports": "numbers, ranges, names", "notPorts": "numbers, ranges, names, each destination's own",
                    "domains": domains,
                ])
                .merging([
                    "services": isSource
                        ? "yes, from documents of the kinds Service, Endpoints and EndpointSlice"
                        : "yes, with the service's own ports, from Service, Endpoints and EndpointSlice"
                ]) { first, _ in first })
    }

    private func mapping(_ field: Field, isPeer: Bool) -> Mapping? {
        let isSource = (direction == .ingress) == isPeer
        return field.mapping(CalicoEntityReading.tables[isPeer ? 1 : 0][isSource ? 1 : 0])
    }

    // MARK: The own end

    /// The policy's subjects that the own end selects too; nil after an error.
    func own(_ field: Field, narrowing subjects: CalicoSubjects) -> CalicoSubjects? {
        guard let mapping = mapping(field, isPeer: false) else { return nil }
        checkSourcePorts(mapping, isSource: direction == .egress)
        guard let selected = positive(mapping), let opposite = negative(mapping) else { return nil }
        do {
            var result = subjects
            if let selected {
                result.endpoints = try result.endpoints.and(.init(alternatives: selected.workloads))
                result.hosts = try result.hosts.and(.init(alternatives: selected.hosts))
            }
            if let opposite {
                result.endpoints = try result.endpoints.and(opposite)
                result.hosts = try result.hosts.and(opposite)
            }
            return result
        } catch {
            CalicoScope.reportTooLarge(field)
            return nil
        }
    }

    // MARK: The peer's end

    /// A service that the peer's end names.
    struct Service {
        var isWritten = false
        /// The groups that stand for it; nil after an error.
        var selector: LabelSelector?
    }

    func service(_ field: Field?) -> Service {
        guard let field, case .mapping(let pairs) = field.node.content else { return Service() }
        let entity = Mapping(pairs: pairs, field: field)
        guard entity.has("services") else { return Service() }
        return Service(
            isWritten: true, selector: CalicoServiceReading(scope: scope, direction: direction).read(entity))
    }

    /// Whom the rule is about; `family`: 4 or 6 if only that is meant; nil after an error.
    ///
    /// `service`: what `service(_:)` returned for the same field.
    func peers(_ field: Field?, family: Int?, _ service: Service) -> PeerSelection? {
        let everyone = family.map { [$0 == 4 ? CIDR.allIPv4 : .allIPv6] }
        guard let field else { return everyone.map { .some($0.map(CalicoEntityReading.prefix)) } ?? .any }
        guard let mapping = mapping(field, isPeer: true) else { return nil }
        checkSourcePorts(mapping, isSource: direction == .ingress)
        if service.isWritten {
            return service.selector.map { selector in
                .some(CalicoEntityReading.narrow([.group(selector)], PeerCondition(within: everyone)))
            }
        }
        if let names = names(mapping, family: family) { return names }
        let errorsBefore = field.context.errorCount
        let nets = prefixes(mapping["nets"], family: family)
        let notNets = prefixes(mapping["notNets"], family: nil) ?? []
        guard let selected = positive(mapping), let excluded = excluded(mapping),
            field.context.errorCount == errorsBefore
        else { return nil }
        var condition = PeerCondition(
            notLabels: (excluded?.workloads ?? []) + (excluded?.hosts ?? []).map(CalicoEntityReading.host),
            notGroups: excluded?.groups ?? [])
        if let selected {
            condition.within = nets ?? everyone
            condition.outside = notNets
            let labels = selected.workloads + selected.hosts.map(CalicoEntityReading.host)
            // What must be inside or outside of prefixes and sets is known of addresses, and not of names.
            let isByAddress = condition.within != nil || !notNets.isEmpty || mapping.has("notSelector")
            let names = takesNames && !isByAddress ? selected.groups.map(PeerSelector.groupNames) : []
            return .some(
                CalicoEntityReading.narrow(
                    labels.map(PeerSelector.labels) + selected.groups.map(PeerSelector.group), condition) + names)
        }
        guard let within = nets ?? everyone ?? (notNets.isEmpty ? nil : [.allIPv4, .allIPv6]) else {
            return condition.isEmpty ? .any : .some([.narrowed(.labels(LabelSelector()), condition)])
        }
        let left = within.filter { net in !notNets.contains { $0.contains(net) } }
        return .some(
            CalicoEntityReading.narrow(
                left.map { net in
                    .prefix(net, except: notNets.filter { net.contains($0) }, includesWorkloads: true)
                }, condition))
    }

    /// Whom `domains` means, which stand alone; nil: there are none.
    private func names(_ mapping: Mapping, family: Int?) -> PeerSelection? {
        guard let domains = mapping["domains"], let elements = domains.elements(), !elements.isEmpty else { return nil }
        let others = ["nets", "notNets", "selector", "notSelector", "namespaceSelector", "serviceAccounts"]
        if let other = others.first(where: mapping.has) {
            mapping.keyField("domains")?.error(
                .mixedPeers, "a destination has both `domains` and `\(other)`", remedy: "write two rules")
        }
        if family != nil {
            mapping.keyField("domains")?.error(
                .mixedPeers, "a rule has both `domains` and a version of IP",
                remedy: "delete `ipVersion`: names mean addresses of both")
        }
        return .some(elements.compactMap { NameReading.calicoName($0).map { .name($0) } })
    }

    private static func narrow(_ selectors: [PeerSelector], _ condition: PeerCondition) -> [PeerSelector] {
        condition.isEmpty ? selectors : selectors.map { .narrowed($0, condition) }
    }

    private static func prefix(_ prefix: CIDR) -> PeerSelector { .prefix(prefix, except: [], includesWorkloads: true) }

    private static func host(_ selector: LabelSelector) -> LabelSelector {
        selector.requiring(LabelRequirement(source: LabelSource.reserved, key: "host", .exists))
    }

    private func prefixes(_ field: Field?, family: Int?) -> [CIDR]? {
        guard let field, let elements = field.elements() else { return nil }
        guard !elements.isEmpty else { return nil }
        return elements.compactMap { element in
            guard let prefix = CIDRReading.prefix(element, allowsAddress: true, isStrict: true) else { return nil }
            if let family, prefix.isIPv4 != (family == 4) {
                element.error(
                    .invalidCIDR, "\(prefix) is not of IPv\(family), which the rule is about (ipVersion)",
                    remedy: "delete it, or write a rule of its own")
            }
            return prefix
        }
    }

    // MARK: Selectors

    /// Whom `selector`, `namespaceSelector` and `serviceAccounts` select together; nil inside: none is written.
    ///
    /// `notSelector` alone keeps a rule of a namespaced policy in its namespace, as in Calico.
    private func positive(_ mapping: Mapping) -> CalicoScope.Selected?? {
        let selectors = ["selector", "namespaceSelector", "serviceAccounts"]
        guard (selectors + (scope.namespace.isEmpty ? [] : ["notSelector"])).contains(where: mapping.has) else {
            return .some(nil)
        }
        let chosen = mapping["selector"].map { scope.form($0, .endpoints) } ?? .everything
        let namespaces = mapping["namespaceSelector"].map { scope.namespaces($0) }
        let accounts = mapping["serviceAccounts"].map(accounts) ?? .everything
        guard let chosen, let accounts, namespaces.map({ $0 != nil }) ?? true else { return nil }
        let place = mapping["selector"] ?? mapping.field
        do {
            return scope.selected(try chosen.and(accounts), namespaces ?? nil, at: place).map { .some($0) }
        } catch {
            CalicoScope.reportTooLarge(place)
            return nil
        }
    }

    /// The opposite of `notSelector` for the policy's own endpoints; nil inside: it is not written.
    private func negative(_ mapping: Mapping) -> CalicoSelectorForm?? {
        guard let field = mapping["notSelector"] else { return .some(nil) }
        return scope.form(field, .endpoints, isNegated: true).map { .some($0) }
    }

    /// Whom `notSelector` leaves out: everyone with such labels, in whatever namespace; nil inside: it is not written.
    private func excluded(_ mapping: Mapping) -> CalicoScope.Selected?? {
        guard let field = mapping["notSelector"] else { return .some(nil) }
        guard let form = scope.form(field, .endpoints) else { return nil }
        return CalicoScope(namespace: "").selected(form, nil, at: field).map { .some($0) }
    }

    /// Accounts by name, the label that says under which one a workload runs; and by their own labels.
    private func accounts(_ field: Field) -> CalicoSelectorForm? {
        guard let mapping = field.mapping(FieldTable(["names", "selector"])) else { return nil }
        let selected = mapping["selector"].map { scope.form($0, .accounts) } ?? .everything
        let names = (mapping["names"]?.elements() ?? []).compactMap { $0.string() }
        guard let selected, !names.isEmpty else { return selected }
        let named = CalicoSelectorForm(
            alternatives: [LabelSelector([LabelRequirement(key: CalicoScope.accountLabel, .isIn(names))])])
        do {
            return try selected.and(named)
        } catch {
            CalicoScope.reportTooLarge(field)
            return nil
        }
    }

    // MARK: Refusals

    private func checkSourcePorts(_ mapping: Mapping, isSource: Bool) {
        guard isSource else { return }
        for name in ["ports", "notPorts"] {
            guard let elements = mapping[name]?.elements(), !elements.isEmpty else { continue }
            mapping.keyField(name)?.error(
                .unsupportedMatch, "source ports are not matched: policies judge the port a connection goes to",
                remedy: "delete the field, or write the ports of `destination`")
        }
    }
}
