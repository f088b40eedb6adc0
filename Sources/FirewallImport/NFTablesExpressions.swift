// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyReading

/// The expressions of one nftables rule.
struct NFTablesExpressions {
    /// Elements of named sets, by table and name.
    let sets: [String: ConfigurationNode]
    let table: String

    func read(_ expression: ConfigurationNode, into rule: inout ImportedRule) {
        guard let entry = expression.entry else {
            rule.problems.append("an expression that is not one of nft -j")
            return
        }
        switch entry.key {
        case "match": readMatch(entry.value, &rule)
        case "accept": rule.verdict = .accept
        case "drop": rule.verdict = .drop
        case "reject":
            rule.verdict = .drop
            rule.isRejecting = true
        case "return": rule.verdict = .return
        case "jump": rule.verdict = .jump(entry.value["target"]?.text ?? "")
        case "goto": rule.verdict = .goto(entry.value["target"]?.text ?? "")
        case "counter", "log", "comment", "continue": break
        case "queue", "tproxy", "synproxy", "fwd":
            rule.isDecidedElsewhere = true
            rule.problems.append("\(entry.key) has no counterpart in policies")
        case "xt": readExtension(entry.value, &rule)
        default: rule.problems.append("\(entry.key) has no counterpart in policies")
        }
    }

    /// Rules of iptables-nft that nft does not translate.
    private func readExtension(_ node: ConfigurationNode, _ rule: inout ImportedRule) {
        let name = node["name"]?.text ?? "?"
        switch (node["type"]?.text, name) {
        case ("match", "comment"), ("target", "LOG"), ("target", "NFLOG"): break
        case ("target", "REJECT"):
            rule.verdict = .drop
            rule.isRejecting = true
        case ("target", _):
            rule.isDecidedElsewhere = true
            rule.problems.append("nft does not show what extension \(name) of iptables says: import iptables-save")
        default: rule.problems.append("nft does not show what extension \(name) of iptables says: import iptables-save")
        }
    }

    private func readMatch(_ node: ConfigurationNode, _ rule: inout ImportedRule) {
        guard let left = node["left"], let right = node["right"], let op = node["op"]?.text,
            ["==", "!=", "in"].contains(op)
        else {
            return rule.problems.append("a comparison by \(node["op"]?.text ?? "?") has no counterpart in policies")
        }
        readMatch(left, right, isNegated: op == "!=", &rule)
    }

    /// The rules that a verdict map stands for, one for each element; what else the rule matches stands in each of them.
    ///
    /// Nil if the expression is none. A packet that no element matches goes on to the next rule, as after any rule.
    func rules(ofMap expression: ConfigurationNode, in rule: ImportedRule) -> [ImportedRule]? {
        guard let map = expression["vmap"] else { return nil }
        func unknown(_ problem: String) -> [ImportedRule] {
            var rule = rule
            rule.isDecidedElsewhere = true
            rule.problems.append(problem)
            return [rule]
        }
        guard let key = map["key"], let data = map["data"], let elements = elements(data) else {
            return unknown("a map of verdicts that cannot be read")
        }
        guard !elements.isEmpty else { return unknown("an empty map: it decides nothing until something fills it") }
        return elements.map { element in
            guard let pair = element.items, pair.count == 2 else {
                return unknown("an element of a map that is no pair")[0]
            }
            let value = value(pair[0])
            var one = rule
            one.text += " (\(NFTablesExpressions.plain(value)): \(NFTablesExpressions.text(pair[1])))"
            readMatch(key, value, isNegated: false, &one)
            read(pair[1], into: &one)
            return one
        }
    }

    private func readMatch(
        _ left: ConfigurationNode, _ right: ConfigurationNode, isNegated: Bool, _ rule: inout ImportedRule
    ) {
        if let payload = left["payload"], let proto = payload["protocol"]?.text, let field = payload["field"]?.text {
            return readPayload(proto, field, right, isNegated, &rule)
        }
        if let key = left["meta"]?["key"]?.text { return readMeta(key, right, isNegated, &rule) }
        if left["ct"]?["key"]?.text == "state" { return readStates(right, isNegated, &rule) }
        if let masked = left["&"]?.items, masked.first?["payload"]?["field"]?.text == "flags" {
            let mask = Set(masked.dropFirst().flatMap { $0.items ?? [$0] }.compactMap(\.text))
            let isSyn = [["fin", "syn", "rst", "ack"], ["syn", "ack"]].contains(mask) && right.text == "syn"
            if isSyn { rule.isOpening = !isNegated } else { rule.problems.append("policies do not look at TCP flags") }
            return
        }
        rule.problems.append("a match on \(left.entry?.key ?? "?") has no counterpart in policies")
    }

    private func readPayload(
        _ proto: String, _ field: String, _ right: ConfigurationNode, _ isNegated: Bool, _ rule: inout ImportedRule
    ) {
        switch (proto, field) {
        case ("ip", "saddr"), ("ip6", "saddr"): rule.require(source: addresses(right, isNegated, &rule))
        case ("ip", "daddr"), ("ip6", "daddr"): rule.require(destination: addresses(right, isNegated, &rule))
        case ("ip", "protocol"), ("ip6", "nexthdr"):
            readProtocols(right, isNegated, &rule)
            // The header with this field is one of the family's.
            require(family: proto == "ip" ? .allIPv4 : .allIPv6, &rule)
        // The field is one of this family.
        case ("tcp", "dport"), ("udp", "dport"), ("sctp", "dport"):
            guard let transport = FirewallNames.proto(proto), let ranges = ranges(right, 65535) else {
                return rule.problems.append("the ports are not numbers, ranges or a set of such")
            }
            require(PortSpace(transport, ranges), of: transport, isNegated, &rule)
        case ("th", "dport"):
            guard let ranges = ranges(right, 65535) else {
                return rule.problems.append("the ports are not numbers, ranges or a set of such")
            }
            let space = PortSpace.transports.reduce(PortSpace()) { $0.union(PortSpace($1, ranges)) }
            let all = PortSpace.transports.reduce(PortSpace()) { $0.union(.whole($1)) }
            rule.require(isNegated ? all.subtracting(space) : space)
        case ("icmp", "type"), ("icmpv6", "type"):
            guard let transport = FirewallNames.proto(proto), let types = types(right, transport) else {
                return rule.problems.append("an ICMP type that is not known")
            }
            require(PortSpace(transport, types), of: transport, isNegated, &rule)
        case (_, "sport"): rule.problems.append("policies do not tell source ports apart")
        case ("icmp", "code"), ("icmpv6", "code"): rule.problems.append("policies do not tell ICMP codes apart")
        default: rule.problems.append("\(proto) \(field) has no counterpart in policies")
        }
    }

    private func require(
        _ space: PortSpace, of proto: IPProtocol, _ isNegated: Bool, _ rule: inout ImportedRule
    ) {
        rule.require(isNegated ? PortSpace.whole(proto).subtracting(space) : space)
    }

    private func require(family whole: CIDR, _ rule: inout ImportedRule) {
        rule.require(source: AddressSpace(prefixes: [whole]))
        rule.require(destination: AddressSpace(prefixes: [whole]))
    }

    private func readMeta(
        _ key: String, _ right: ConfigurationNode, _ isNegated: Bool, _ rule: inout ImportedRule
    ) {
        switch key {
        case "iifname", "iif", "oifname", "oif":
            guard let name = right.text else { return rule.problems.append("a set of devices") }
            let device = ImportedRule.Device(name: name.replacingStar, isNegated: isNegated)
            if key.hasPrefix("i") { rule.inDevice = device } else { rule.outDevice = device }
        case "l4proto": readProtocols(right, isNegated, &rule)
        case "nfproto":
            guard let name = right.text, ["ipv4", "ipv6"].contains(name) else {
                return rule.problems.append("a family that is not ipv4 or ipv6")
            }
            let isIPv4 = (name == "ipv4") != isNegated
            require(family: isIPv4 ? .allIPv4 : .allIPv6, &rule)
        default: rule.problems.append("meta \(key) has no counterpart in policies")
        }
    }

    private func readProtocols(_ right: ConfigurationNode, _ isNegated: Bool, _ rule: inout ImportedRule) {
        var space = PortSpace()
        for name in elements(right) ?? [right] {
            guard let text = name.text, let one = FirewallNames.space(ofProtocol: text, family: nil) else {
                return rule.problems.append(
                    "protocol \(name.text ?? "?") alone cannot be named: policies know TCP, UDP, SCTP and ICMP")
            }
            space = space.union(one)
        }
        rule.require(isNegated ? PortSpace.all.subtracting(space) : space)
    }

    private func readStates(_ right: ConfigurationNode, _ isNegated: Bool, _ rule: inout ImportedRule) {
        let names = (elements(right) ?? right.items ?? [right]).compactMap(\.text)
        let states = names.compactMap(ImportedRule.State.init(rawValue:))
        guard states.count == names.count, !names.isEmpty else {
            return rule.problems.append("a connection state that has no counterpart in policies")
        }
        rule.require(isNegated ? Set(ImportedRule.State.allCases).subtracting(states) : Set(states))
    }

    // MARK: Values

    /// The elements of a set, written out or named.
    private func elements(_ node: ConfigurationNode) -> [ConfigurationNode]? {
        if let items = node["set"]?.items { return items }
        guard let name = node.text, name.hasPrefix("@") else { return nil }
        return sets["\(table) \(name.dropFirst())"]?.items ?? []
    }

    /// An element may carry a time or a comment.
    private func value(_ node: ConfigurationNode) -> ConfigurationNode { node["elem"]?["val"] ?? node }

    private func addresses(
        _ right: ConfigurationNode, _ isNegated: Bool, _ rule: inout ImportedRule
    ) -> AddressSpace? {
        var prefixes: [CIDR] = []
        for element in (elements(right) ?? [right]).map(value) {
            if let text = element.text, let address = IPAddress(text) {
                prefixes.append(CIDR(host: address))
            } else if let prefix = element["prefix"], let text = prefix["addr"]?.text, let address = IPAddress(text),
                let length = prefix["len"]?.number, (0...(address.isIPv4 ? 32 : 128)).contains(length)
            {
                prefixes.append(CIDR(address, length: length))
            } else if let ends = element["range"]?.items?.compactMap({ $0.text.flatMap(IPAddress.init) }),
                ends.count == 2, let covered = AddressSpace.covering(ends[0], ends[1])
            {
                prefixes += covered
            } else {
                rule.problems.append("an address that is none: name sets in the same table")
                return nil
            }
        }
        guard !prefixes.isEmpty else {
            rule.problems.append("an empty set: it matches nothing until something fills it")
            return nil
        }
        let space = AddressSpace(prefixes: PrefixSet(prefixes).list)
        return isNegated ? space.complement : space
    }

    private func ranges(_ right: ConfigurationNode, _ limit: Int) -> [ClosedRange<Int>]? {
        var result: [ClosedRange<Int>] = []
        for element in (elements(right) ?? [right]).map(value) {
            if let number = element.number, (0...limit).contains(number) {
                result.append(number...number)
            } else if let ends = element["range"]?.items?.compactMap(\.number), ends.count == 2, ends[0] <= ends[1],
                ends[0] >= 0, ends[1] <= limit
            {
                result.append(ends[0]...ends[1])
            } else {
                return nil
            }
        }
        return result.isEmpty ? nil : result
    }

    private func types(_ right: ConfigurationNode, _ proto: IPProtocol) -> [ClosedRange<Int>]? {
        var result: [ClosedRange<Int>] = []
        for element in (elements(right) ?? [right]).map(value) {
            if let name = element.text, let type = FirewallNames.icmpType(name, proto) {
                result.append(Int(type)...Int(type))
            } else if let range = ranges(element, 255) {
                result += range
            } else {
                return nil
            }
        }
        return result.isEmpty ? nil : result
    }

    // MARK: Text

    /// An expression as a short text: `tcp dport == 22`, `accept`.
    static func text(_ expression: ConfigurationNode) -> String {
        guard let entry = expression.entry else { return "?" }
        guard entry.key == "match" else {
            let target = entry.value["target"]?.text ?? entry.value["name"]?.text
            return entry.key + (target.map { " \($0)" } ?? "")
        }
        let (left, right) = (entry.value["left"], entry.value["right"])
        let payload = left?["payload"]
        let name =
            payload.map { "\($0["protocol"]?.text ?? "?") \($0["field"]?.text ?? "?")" } ?? left?.entry.map {
                "\($0.key) \($0.value["key"]?.text ?? "")"
            } ?? "?"
        return "\(name) \(entry.value["op"]?.text ?? "?") \(right.map(plain) ?? "?")"
    }

    private static func plain(_ node: ConfigurationNode) -> String {
        if let text = node.text { return text }
        if let items = node.items ?? node["set"]?.items {
            return "{" + items.prefix(20).map(plain).joined(separator: ", ") + "}"
        }
        if let prefix = node["prefix"] { return "\(prefix["addr"]?.text ?? "?")/\(prefix["len"]?.text ?? "?")" }
        if let ends = node["range"]?.items { return ends.map(plain).joined(separator: "-") }
        return "…"
    }
}

extension String {
    /// nft writes `eth*` where iptables writes `eth+`.
    fileprivate var replacingStar: String { hasSuffix("*") ? dropLast() + "+" : self }
}

extension AddressSpace {
    /// The fewest prefixes that cover a range of addresses of one family; nil if it has none.
    static func covering(_ first: IPAddress, _ last: IPAddress) -> [CIDR]? {
        guard first.isIPv4 == last.isIPv4, first <= last else { return nil }
        var result: [CIDR] = []
        var pending: [CIDR] = [first.isIPv4 ? .allIPv4 : .allIPv6]
        while let prefix = pending.popLast() {
            let whole = prefix.isIPv4 ? 32 : 128
            let end = prefix.last(whole)
            if end < first || prefix.address > last { continue }
            if prefix.address >= first, end <= last {
                result.append(prefix)
            } else if let halves = prefix.halves {
                pending += [halves.upper, halves.lower]
            }
        }
        return result
    }
}

extension CIDR {
    /// Its highest address.
    fileprivate func last(_ whole: Int) -> IPAddress {
        let bits = whole - length
        let low: UInt64 = bits >= 64 ? .max : (1 << UInt64(bits)) - 1
        let high: UInt64 = bits <= 64 ? 0 : bits >= 128 ? .max : (1 << UInt64(bits - 64)) - 1
        return IPAddress(high: address.high | high, low: address.low | low)
    }
}
