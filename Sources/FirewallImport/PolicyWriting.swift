// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Writes decisions as sections of a CiliumClusterwideNetworkPolicy, where deny beats allow and order does not count.
struct PolicyWriting {
    let direction: Direction
    /// Of all families that are judged.
    let decisions: [Decision]
    /// Families that no file speaks of: they stay as they are.
    let openFamilies: [Int]

    /// Lines of the sections, indented for a spec; empty: nothing is denied.
    private(set) var lines: [String] = []
    /// False: the direction is to stay open but for what is denied.
    private(set) var isClosing = false

    init(_ direction: Direction, _ decisions: [Decision], openFamilies: [Int]) {
        self.direction = direction
        self.decisions = decisions
        self.openFamilies = openFamilies
        let drops = decisions.filter { !$0.isAccepting }
        guard !drops.isEmpty else { return }
        if canDeny(drops) {
            section("\(direction)Deny", drops.flatMap { elements($0, $0.boxes) })
        } else {
            isClosing = true
            writeAllowing(drops)
        }
    }

    /// True if the last word is to accept, and what is denied can be said without denying more.
    private func canDeny(_ drops: [Decision]) -> Bool {
        let accepts = decisions.filter(\.isAccepting).flatMap(\.boxes)
        // The end of the chains accepts what no rule speaks of: other protocols from somewhere.
        guard let last = decisions.last, last.isAccepting, last.boxes.contains(where: \.ports.hasOthers) else {
            return false
        }
        return drops.flatMap(\.boxes).filter(\.ports.hasOthers).allSatisfy { box in
            box.isWhole && !accepts.contains { $0.prefix.overlaps(box.prefix) }
        }
    }

    /// All protocols where others than the known are accepted, less what is denied there; else ports one by one.
    private mutating func writeAllowing(_ drops: [Decision]) {
        let accepts = decisions.filter(\.isAccepting)
        let wide = accepts.flatMap(\.boxes).filter(\.ports.hasOthers).map(\.prefix)
        var allowing = accepts.flatMap { decision in
            elements(
                decision,
                decision.boxes.map { box in
                    guard box.ports.hasOthers else { return box }
                    return TrafficBox(prefix: box.prefix, ports: .all(family: box.prefix.isIPv4 ? 4 : 6))
                })
        }
        for family in openFamilies {
            allowing += [
                "# IPv\(family) is not in the input: it stays open. Import its rules in the same command.",
                "- \(direction == .ingress ? "from" : "to")CIDR:", "    - \(family == 4 ? "0.0.0.0/0" : "::/0")",
            ]
        }
        section("\(direction)", allowing.isEmpty ? ["# Nothing is accepted.", "- {}"] : allowing)
        let denying = drops.flatMap { decision in
            elements(
                decision,
                decision.boxes.flatMap { box -> [TrafficBox] in
                    guard !box.ports.hasOthers else { return [] }
                    return wide.compactMap { prefix in
                        guard prefix.overlaps(box.prefix) else { return nil }
                        return TrafficBox(prefix: prefix.contains(box.prefix) ? box.prefix : prefix, ports: box.ports)
                    }
                })
        }
        section("\(direction)Deny", denying)
    }

    private mutating func section(_ name: String, _ elements: [String]) {
        guard !elements.isEmpty else { return }
        lines.append("  \(name):")
        lines += elements.map { "    \($0)" }
    }

    // MARK: Elements

    /// Elements for what one rule decides, with a comment that names it.
    private func elements(_ decision: Decision, _ boxes: [TrafficBox]) -> [String] {
        var groups: [(ports: PortSpace?, prefixes: [CIDR])] = []
        for box in boxes {
            let ports = box.isWhole ? nil : box.ports
            if let index = groups.firstIndex(where: { $0.ports == ports }) {
                groups[index].prefixes.append(box.prefix)
            } else {
                groups.append((ports, [box.prefix]))
            }
        }
        let lines = groups.flatMap { group -> [String] in
            let peers = peers(group.prefixes)
            guard let ports = group.ports else {
                return element(peers.isEmpty ? ["\(prefix)Entities: [all]"] : peers)
            }
            return [PolicyWriting.ports(ports), PolicyWriting.types(ports)].filter { !$0.isEmpty }
                .flatMap { element(peers + $0) }
        }
        guard !lines.isEmpty else { return [] }
        return ["# \(PolicyWriting.comment("\(decision.place.text): \(decision.text)"))"] + lines
    }

    private func element(_ fields: [String]) -> [String] {
        fields.enumerated().map { index, line in (index == 0 ? "- " : "  ") + line }
    }

    private var prefix: String { direction == .ingress ? "from" : "to" }

    /// Empty: everyone.
    private func peers(_ prefixes: [CIDR]) -> [String] {
        let families = [4, 6].map { family in
            AddressSpace.written(Array(Set(prefixes.filter { $0.isIPv4 == (family == 4) })))
        }
        let isWhole = { (written: (cidr: [CIDR], except: [CIDR])) in
            written.cidr.first?.length == 0 && written.except.isEmpty
        }
        if families.allSatisfy(isWhole) { return [] }
        if families.allSatisfy(\.except.isEmpty) {
            return ["\(prefix)CIDR:"] + families.flatMap(\.cidr).map { "  - \"\($0)\"" }
        }
        return ["\(prefix)CIDRSet:"]
            + families.flatMap { written in
                written.cidr.map { cidr in
                    let gaps = written.except.map { "\"\($0)\"" }.joined(separator: ", ")
                    return "  - {cidr: \"\(cidr)\"" + (gaps.isEmpty ? "" : ", except: [\(gaps)]") + "}"
                }
            }
    }

    private static func ports(_ space: PortSpace) -> [String] {
        var entries: [String] = []
        for (proto, name) in [(IPProtocol.tcp, "TCP"), (.udp, "UDP"), (.sctp, "SCTP")] {
            for range in space.ranges[proto] ?? [] {
                // No packet that a policy judges by its port has port 0.
                let first = max(range.lowerBound, 1)
                if range == PortSpace.values(of: proto) {
                    entries.append("{port: \"0\", protocol: \(name)}")
                } else if range.upperBound > first {
                    entries.append("{port: \"\(first)\", endPort: \(range.upperBound), protocol: \(name)}")
                } else if range.upperBound == first {
                    entries.append("{port: \"\(first)\", protocol: \(name)}")
                }
            }
        }
        return chunks(entries, "toPorts:", "ports:")
    }

    private static func types(_ space: PortSpace) -> [String] {
        let entries = [(IPProtocol.icmp, ""), (.icmpv6, "family: IPv6, ")].flatMap { proto, family in
            (space.ranges[proto] ?? []).flatMap { range in range.map { "{\(family)type: \($0)}" } }
        }
        return chunks(entries, "icmps:", "fields:")
    }

    /// Lists of forty at most, as Cilium takes them.
    private static func chunks(_ entries: [String], _ field: String, _ list: String) -> [String] {
        guard !entries.isEmpty else { return [] }
        var lines = [field]
        for start in stride(from: 0, to: entries.count, by: 40) {
            lines.append("  - \(list) [\(entries[start..<min(start + 40, entries.count)].joined(separator: ", "))]")
        }
        return lines
    }

    /// One line that ends no comment and steers no terminal.
    static func comment(_ text: String) -> String {
        let clean = text.unicodeScalars.prefix(400).map { scalar -> Character in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: " "
            default: Character(scalar)
            }
        }
        return String(clean)
    }
}

extension TrafficBox {
    /// All that its family has.
    var isWhole: Bool { ports == .all(family: prefix.isIPv4 ? 4 : 6) }
}
