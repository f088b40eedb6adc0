// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// Lowers one element of a section: peers of one kind, AND ports or ICMP types.
struct CiliumElementReading {
    let section: CiliumSection
    let peers: CiliumPeerReading

    /// The peers and ports; nil after an error.
    func read(_ element: Field, elementCount: Int) -> (PeerSelection, PortSelection)? {
        guard let mapping = element.mapping(CiliumFields.element(of: section)) else { return nil }
        guard !mapping.pairs.isEmpty else {
            lintEmpty(element, elementCount: elementCount)
            return (.some([]), .all)
        }
        checkAuthentication(mapping)
        checkKinds(mapping)
        let named = readPeers(mapping)
        guard let ports = readPorts(mapping) else { return nil }
        // No peer field: with ports everyone, alone nobody.
        return (named ?? (ports == .all ? .some([]) : .any), ports)
    }

    private func lintEmpty(_ element: Field, elementCount: Int) {
        let isAlone = elementCount == 1
        if section.action == .deny {
            element.report(
                .warning, .emptyElement, "an empty element of \(section.name) denies nothing by name",
                remedy: "write what to deny: `fromEntities: [all]` or `toEntities: [all]`")
            return
        }
        element.report(
            isAlone ? .note : .warning, .emptyElement,
            "an empty element allows nothing" + (isAlone ? ", so \(section.direction) is denied by default" : "")
                + "; in a NetworkPolicy it would allow everything",
            remedy: isAlone ? nil : "delete the element, or write what it allows")
    }

    // MARK: Peers

    /// Nil if no field names a peer.
    private func readPeers(_ mapping: Mapping) -> PeerSelection? {
        var found: [PeerSelector] = []
        var isNamed = false
        var isEveryone = false
        var isNothing = false
        for kind in CiliumPeerKind.kinds(section.direction) {
            let name = kind.fieldName(section.direction)
            guard mapping.has(name) else { continue }
            isNamed = true
            guard let field = mapping[name], let elements = field.elements() else { continue }
            if elements.isEmpty {
                isNothing = true
                mapping.keyField(name)?.report(
                    .warning, .selectsNothing, "`\(name): []` selects nothing, so the element has no effect",
                    remedy: "delete the field for every peer, or name some")
            }
            for element in elements {
                switch peers.read(element, kind: kind) {
                case .any: isEveryone = true
                case .some(let selectors): found += selectors
                }
            }
        }
        guard isNamed else { return nil }
        if isNothing { return .some([]) }
        return isEveryone ? .any : .some(found)
    }

    /// One kind of peer for each element: the fields are neither ANDed nor ORed in Cilium, but refused.
    private func checkKinds(_ mapping: Mapping) {
        let names = CiliumFields.peerFields(section.direction).filter { name in
            guard case .sequence(let elements)? = mapping.nullable(name)?.node.content else { return false }
            return !elements.isEmpty
        }
        for name in names.dropFirst() {
            mapping.keyField(name)?.error(
                .mixedPeers, "one element names peers by \(names[0]) and by \(name)",
                remedy: "write two elements (`- `), each with its own ports")
        }
    }

    // MARK: Ports

    /// Nil after an error.
    private func readPorts(_ mapping: Mapping) -> PortSelection? {
        let ports = mapping["toPorts"]?.elements()
        let types = mapping["icmps"]?.elements()
        if let ports, let types, !ports.isEmpty, !types.isEmpty {
            mapping.keyField("icmps")?.error(
                .mixedPorts, "one element has both toPorts and icmps", remedy: "write two elements (`- `)")
            return nil
        }
        let errorsBefore = mapping.field.context.errorCount
        var matches: [PortMatch]?
        if let ports, !ports.isEmpty {
            matches = ports.flatMap { CiliumPortReading(section: section, subjectIsHost: peers.subjectIsHost).read($0) }
        } else if let types, !types.isEmpty {
            matches = types.flatMap(CiliumICMPReading.read)
        }
        guard mapping.field.context.errorCount == errorsBefore else { return nil }
        return matches.map { .some(PortMatch.unique($0)) } ?? .all
    }

    private func checkAuthentication(_ mapping: Mapping) {
        guard let field = mapping["authentication"], let mode = field.mapping(FieldTable(["mode"]))?.required("mode"),
            let text = mode.string(), text != "disabled"
        else { return }
        mode.error(
            .unsupportedAuthentication, "authentication mode \(mode.quoted) is not supported yet",
            remedy: "delete the field; identity here comes from the kernel's own address check")
    }
}

extension PortMatch {
    /// The matches without repetitions, in their order.
    static func unique(_ matches: [PortMatch]) -> [PortMatch] {
        var seen: Set<PortMatch> = []
        return matches.filter { seen.insert($0).inserted }
    }
}
