// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// The options of one iptables rule.
struct IPTablesOptions {
    private let words: [IPTablesReading.Word]
    private let family: Int
    private var index = 0
    private var isNegated = false
    private var proto: IPProtocol?

    init(_ words: [IPTablesReading.Word], family: Int) {
        self.words = words
        self.family = family
    }

    /// Modules whose options are known here, and such that only hold a comment.
    private static let modules: Set<String> = [
        "tcp", "udp", "sctp", "icmp", "icmp6", "icmpv6", "ipv6-icmp", "multiport", "conntrack", "state", "comment",
    ]

    mutating func read(into rule: inout ImportedRule) {
        while index < words.count {
            let word = next()
            if word == "!" {
                isNegated.toggle()
                continue
            }
            if !readMatch(word, &rule) && !readTarget(word, &rule) { skip(word, &rule) }
            isNegated = false
        }
    }

    private mutating func next() -> String {
        defer { index += 1 }
        return index < words.count ? words[index].text : ""
    }

    private mutating func readMatch(_ option: String, _ rule: inout ImportedRule) -> Bool {
        switch option {
        case "-s", "--source", "--src": rule.source = addresses(next(), &rule)
        case "-d", "--destination", "--dst": rule.destination = addresses(next(), &rule)
        case "-i", "--in-interface": rule.inDevice = .init(name: next(), isNegated: isNegated)
        case "-o", "--out-interface": rule.outDevice = .init(name: next(), isNegated: isNegated)
        case "-p", "--protocol", "--proto": readProtocol(next(), &rule)
        case "--dport", "--destination-port", "--dports", "--destination-ports": readPorts(next(), &rule)
        case "--ctstate", "--state": readStates(next(), &rule)
        case "--icmp-type", "--icmpv6-type": readType(next(), &rule)
        case "--syn": rule.isOpening = !isNegated
        case "--tcp-flags": readFlags(next(), next(), &rule)
        case "--comment": _ = next()
        case "-m", "--match":
            let module = next()
            // Others are told with their options.
            if module == "set" {
                rule.problems.append("the content of an ipset is not in this file: write its prefixes")
            }
            if !IPTablesOptions.modules.contains(module), module != "set" {
                rule.problems.append("match \(module) has no counterpart in policies")
            }
        case "--match-set":
            _ = next()
            _ = next()
        default: return false
        }
        return true
    }

    private mutating func readTarget(_ option: String, _ rule: inout ImportedRule) -> Bool {
        switch option {
        case "-j", "--jump", "-g", "--goto":
            let target = next()
            switch target {
            case "ACCEPT": rule.verdict = .accept
            case "DROP": rule.verdict = .drop
            case "REJECT":
                rule.verdict = .drop
                rule.isRejecting = true
            case "RETURN": rule.verdict = .return
            case "LOG", "NFLOG", "ULOG": rule.verdict = .proceed
            default: rule.verdict = option.hasPrefix("-g") || option == "--goto" ? .goto(target) : .jump(target)
            }
        case "--reject-with", "--log-prefix", "--log-level", "--nflog-group", "--nflog-prefix", "--nflog-size",
            "--nflog-range", "--nflog-threshold":
            _ = next()
        case "--log-tcp-sequence", "--log-tcp-options", "--log-ip-options", "--log-uid", "--log-macdecode": break
        case "-c", "--set-counters":
            _ = next()
            _ = next()
        default: return false
        }
        return true
    }

    /// An option that is not known, with its values.
    private mutating func skip(_ option: String, _ rule: inout ImportedRule) {
        while index < words.count,
            words[index].isQuoted || !(words[index].text.hasPrefix("-") || words[index].text == "!")
        {
            index += 1
        }
        let isSource = ["--sport", "--sports", "--source-port", "--source-ports", "--ports", "--port"].contains(option)
        rule.problems.append(
            isSource ? "\(option): policies do not tell source ports apart" : "\(option) has no counterpart in policies"
        )
    }

    // MARK: Values

    private mutating func addresses(_ text: String, _ rule: inout ImportedRule) -> AddressSpace? {
        var prefixes: [CIDR] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let prefix = IPTablesOptions.prefix(String(part)), prefix.isIPv4 == (family == 4) else {
                rule.problems.append("\(part) is not a prefix of IPv\(family)")
                return nil
            }
            prefixes.append(prefix)
        }
        let space = AddressSpace(prefixes: prefixes)
        return isNegated ? space.complement : space
    }

    /// `10.0.0.0/8`, `10.0.0.1`, `10.0.0.0/255.0.0.0`.
    private static func prefix(_ text: String) -> CIDR? {
        if let address = IPAddress(text) { return CIDR(host: address) }
        if let prefix = try? CIDR.parseLenient(text).prefix { return prefix }
        let parts = text.split(separator: "/")
        guard parts.count == 2, let address = IPAddress(String(parts[0])), let mask = IPAddress(String(parts[1])),
            address.isIPv4, mask.isIPv4
        else { return nil }
        let ones = (~mask.v4Bits).leadingZeroBitCount
        guard mask.v4Bits == (ones == 0 ? 0 : ~0 << UInt32(32 - ones)) else { return nil }
        return CIDR(address, length: ones)
    }

    private mutating func readProtocol(_ name: String, _ rule: inout ImportedRule) {
        guard let space = FirewallNames.space(ofProtocol: name, family: family) else {
            rule.problems.append("protocol \(name) alone cannot be named: policies know TCP, UDP, SCTP and ICMP")
            return
        }
        proto = isNegated ? nil : FirewallNames.proto(name)
        rule.require(isNegated ? PortSpace.all.subtracting(space) : space)
    }

    private mutating func readPorts(_ text: String, _ rule: inout ImportedRule) {
        guard let proto, PortSpace.transports.contains(proto) else {
            rule.problems.append("ports of a protocol other than TCP, UDP and SCTP")
            return
        }
        var ranges: [ClosedRange<Int>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: ":", omittingEmptySubsequences: false)
            let first = ends[0].isEmpty && ends.count == 2 ? 0 : Int(ends[0])
            let last =
                ends.count == 1
                ? first : ends.count == 2 && ends[1].isEmpty ? 65535 : ends.count == 2 ? Int(ends[1]) : nil
            guard let first, let last, first >= 0, first <= last, last <= 65535 else {
                rule.problems.append("\(part) is not a port or a range of ports")
                return
            }
            ranges.append(first...last)
        }
        let space = PortSpace(proto, ranges)
        rule.require(isNegated ? PortSpace.whole(proto).subtracting(space) : space)
    }

    private mutating func readStates(_ text: String, _ rule: inout ImportedRule) {
        var states: Set<ImportedRule.State> = []
        for part in text.split(separator: ",") {
            guard let state = ImportedRule.State(rawValue: part.lowercased()) else {
                rule.problems.append("connection state \(part) has no counterpart in policies")
                continue
            }
            states.insert(state)
        }
        rule.states = isNegated ? Set(ImportedRule.State.allCases).subtracting(states) : states
    }

    private mutating func readType(_ text: String, _ rule: inout ImportedRule) {
        let proto: IPProtocol = family == 4 ? .icmp : .icmpv6
        guard !text.contains("/") else {
            rule.problems.append("policies do not tell ICMP codes apart")
            return
        }
        guard text != "any", text != "255" || family == 6 else { return }
        guard let type = UInt8(text) ?? FirewallNames.icmpType(text, proto) else {
            rule.problems.append("ICMP type \(text) is not known")
            return
        }
        let space = PortSpace(proto, [Int(type)...Int(type)])
        rule.require(isNegated ? PortSpace.whole(proto).subtracting(space) : space)
    }

    private mutating func readFlags(_ mask: String, _ set: String, _ rule: inout ImportedRule) {
        let isSyn = Set(mask.split(separator: ",")) == ["FIN", "SYN", "RST", "ACK"] && set == "SYN"
        let isShort = Set(mask.split(separator: ",")) == ["SYN", "ACK"] && set == "SYN"
        if isSyn || isShort {
            rule.isOpening = !isNegated
        } else {
            rule.problems.append("policies do not look at TCP flags")
        }
    }
}
