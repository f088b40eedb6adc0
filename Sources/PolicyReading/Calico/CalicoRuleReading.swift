// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

/// Lowers one rule of a Calico policy or profile.
struct CalicoRuleReading {
    let scope: CalicoScope
    let direction: Direction
    /// Of the policy.
    let subjects: CalicoSubjects
    /// Where the policy judges packets of hosts, besides the host's own connections.
    var stages = CalicoStages()

    /// What a rule says.
    struct Rule {
        var action: RuleAction
        /// Those of the policy that the rule's own end selects too.
        var subjects: CalicoSubjects
        var peers: PeerSelection
        var ports: PortSelection
    }

    private static let fields = FieldTable(
        [
            "action", "ipVersion", "protocol", "icmp", "notProtocol", "notICMP", "source", "destination", "http",
            "metadata",
        ],
        notes: [
            "action": "`Allow`, `Deny`, `Pass`; `Log` is taken with a warning: verdicts name their rule already",
            "protocol": "`TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, `UDPLite`, 1 to 255",
            "http": "checked, then refused: layer 7 is not there yet (BH1501)",
            "metadata": "`annotations` are taken and say nothing",
        ])
    private static let actions: [(word: String, action: RuleAction?)] = [
        ("Allow", .allow), ("Deny", .deny), ("Pass", .pass), ("Log", nil),
    ]

    /// Nil after an error, and for a rule that decides nothing (Log).
    func read(_ element: Field) -> Rule? {
        guard let mapping = element.mapping(CalicoRuleReading.fields) else { return nil }
        if let metadata = mapping["metadata"]?.mapping(FieldTable(["annotations"])) {
            for entry in metadata["annotations"]?.entries() ?? [] { _ = entry.value.string() }
        }
        refuseHTTP(mapping)
        let peerField = mapping[direction == .ingress ? "source" : "destination"]
        let ownField = mapping[direction == .ingress ? "destination" : "source"]
        let family = family(mapping)
        let errorsBefore = element.context.errorCount
        let action = action(mapping)
        let ends = CalicoEntityReading(
            scope: scope, direction: direction, takesNames: direction == .egress && action == .allow)
        let subjects = ownField.map { ends.own($0, narrowing: self.subjects) } ?? self.subjects
        let service = ends.service(peerField)
        let ports: CalicoPortReading.Ports?
        if service.isWritten, direction == .egress {
            let selection = service.selector.flatMap { CalicoServiceReading.ports(of: mapping, $0) }
            ports = selection.map { CalicoPortReading.Ports(selection: $0) }
        } else {
            ports = CalicoPortReading.read(mapping, family: family)
        }
        let peers = ends.peers(peerField, family: ports?.impliesFamily ?? false ? nil : family, service)
        guard let action, let kind = action else { return nil }
        guard let subjects, let peers, let ports else { return nil }
        if case .some(let selectors) = peers, selectors.contains(where: { $0.domainName != nil }),
            !mayName(peerField, kind)
        {
            return nil
        }
        if element.context.errorCount == errorsBefore {
            if peers == .some([]) {
                (peerField ?? element).report(
                    .warning, .selectsNothing, "nobody is left of what is selected here",
                    remedy: "correct selectors that contradict themselves, or networks that are left out")
            }
            if ports.selection == .some([]) {
                mapping.keyField("notProtocol")?.report(
                    .warning, .selectsNothing, "no protocol is left: the rule is about this one alone",
                    remedy: "delete `notProtocol` or `protocol`")
            }
        }
        // Of everyone each by itself: what is left out differs from peer to peer.
        let isEachPeer = direction == .egress && peers == .any && ports.selection.hasDifferences
        return Rule(
            action: kind, subjects: subjects, peers: isEachPeer ? .some([.labels(LabelSelector())]) : peers,
            ports: ports.selection)
    }

    /// False, and reported, where `domains` could not mean what they say.
    private func mayName(_ peer: Field?, _ action: RuleAction) -> Bool {
        guard action == .allow else {
            peer?.error(
                .unsupportedFQDN, "`domains` in a rule that does not allow",
                remedy: "write `nets`, or allow the names that may be reached and deny the rest")
            return false
        }
        // Lookups of those behind the host are not read: names would open nothing for them.
        guard stages.isOnForward || stages.isUntracked else { return true }
        let place = stages.isUntracked ? "without flows (doNotTrack)" : "with applyOnForward"
        let remedy = stages.isUntracked ? "doNotTrack and applyOnForward" : "applyOnForward"
        peer?.error(
            .unsupportedFQDN, "`domains` in a policy \(place)",
            remedy: "write `nets`, or put the rule into a policy without \(remedy)")
        return false
    }

    /// Nil after an error; nil inside for Log.
    private func action(_ rule: Mapping) -> RuleAction?? {
        let words = CalicoRuleReading.actions.map(\.word)
        guard let field = rule.required("action", remedy: "write Allow, Deny, Pass or Log"), let text = field.string()
        else { return nil }
        guard let known = CalicoRuleReading.actions.first(where: { $0.word == text }) else {
            let guess = closestWord(to: text, among: words)
            field.error(
                .unknownValue, "\(field.quoted) is not an action of Calico",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "write Allow, Deny, Pass or Log")
            return nil
        }
        if known.action == nil {
            field.report(
                .warning, .notRecorded, "a Log rule changes no verdict and writes nothing",
                remedy: "every verdict names its policy and rule already: see bulkhead observe; delete the rule")
        }
        return .some(known.action)
    }

    private func family(_ rule: Mapping) -> Int? {
        guard let field = rule["ipVersion"], let number = field.integer() else { return nil }
        guard number == 4 || number == 6 else {
            field.error(.unknownValue, "\(number) is not a version of IP", remedy: "write 4 or 6")
            return nil
        }
        return number
    }

    private func refuseHTTP(_ rule: Mapping) {
        guard let field = rule["http"], let http = field.mapping(FieldTable(["methods", "paths"])) else { return }
        var methods: Set<String> = []
        for method in http["methods"]?.elements() ?? [] {
            guard let text = method.string(), !methods.insert(text).inserted else { continue }
            method.error(.invalidL7, "method \(method.quoted) is there twice", remedy: "delete one of the two")
        }
        for path in http["paths"]?.elements() ?? [] {
            guard let mapping = path.mapping(FieldTable(["exact", "prefix"])) else { continue }
            guard mapping.pairs.count == 1 else {
                if mapping.has("exact") == mapping.has("prefix") {
                    path.error(.unknownValue, "a path is either `exact` or `prefix`", remedy: "write one of the two")
                }
                continue
            }
            guard let value = mapping["exact"] ?? mapping["prefix"], let text = value.string() else { continue }
            if !text.hasPrefix("/") {
                value.error(.unknownValue, "path \(value.quoted) does not begin with a slash", remedy: "write /\(text)")
            } else if text.contains(where: { "? #".contains($0) }) {
                value.error(
                    .invalidL7, "path \(value.quoted) has a `?`, a `#` or a space, which no path of a request has",
                    remedy: "write the path alone, with %20 for a space")
            }
        }
        rule.keyField("http")?.error(
            .unsupportedL7, "application-layer (L7) rules are not supported yet",
            remedy: "delete `http` to judge the connection as a whole, if that is acceptable")
    }
}
