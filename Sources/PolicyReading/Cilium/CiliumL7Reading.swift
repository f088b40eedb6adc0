// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyModel

/// Checks what an element of `toPorts` says about layer 7 and TLS as Cilium would, and refuses it: a rule that were
/// enforced without it would open more than is written.
///
/// A mistake in it is reported beside the refusal, so that the rule is right when layer 7 comes.
struct CiliumL7Reading {
    let section: CiliumSection
    let subjectIsHost: Bool

    static let checked = "checked, then refused: layer 7 is not there yet (BH1501)"
    private static let checkedTLS =
        "checked, then refused: TLS names, termination and listeners are not there yet (BH1508)"
    /// Notes for the reference about the fields of `toPorts`.
    static let notes = [
        "rules": checked + "; `dns: [{matchPattern: \"*\"}]` is taken", "serverNames": checkedTLS,
        "terminatingTLS": checkedTLS, "originatingTLS": checkedTLS, "listener": checkedTLS,
    ]

    private static let removedProxy = FieldTable.Refusal(
        .removedField, "rules of proxylib parsers (kafka, l7proto, l7) were removed from Cilium's API",
        remedy: "delete the field")
    private static let kinds = ["http", "dns"]
    private static let ruleFields = FieldTable(
        kinds, refused: ["kafka": removedProxy, "l7proto": removedProxy, "l7": removedProxy])
    private static let httpFields = FieldTable(["path", "method", "host", "headers", "headerMatches"])
    private static let headerFields = FieldTable(["name", "value", "secret", "mismatch"])
    private static let secretFields = FieldTable(["name", "namespace"])
    private static let nameFields = FieldTable(["matchName", "matchPattern"])
    private static let contextFields = FieldTable(["secret", "trustedCA", "certificate", "privateKey"])
    private static let listenerFields = FieldTable(["envoyConfig", "name", "priority"])
    private static let configFields = FieldTable(["kind", "name"])

    /// Everything but the ports of one element of `toPorts`.
    func check(_ element: Mapping) {
        checkServerNames(element)
        for name in ["terminatingTLS", "originatingTLS"] where element.has(name) {
            checkContext(element[name])
            refuseTLS(element, name)
        }
        checkListener(element)
        guard let field = element["rules"], let rules = field.mapping(CiliumL7Reading.ruleFields) else { return }
        guard !rules.pairs.isEmpty else { return }
        let written = CiliumL7Reading.kinds.filter(rules.has)
        if written.count > 1 {
            rules.keyField(written[1])?.error(
                .mixedL7, "one element has rules of two protocols: \(written.joined(separator: " and "))",
                remedy: "write two elements (`- `)")
        }
        for rule in rules["http"]?.elements() ?? [] { checkHTTP(rule) }
        for rule in rules["dns"]?.elements() ?? [] { checkDNS(rule) }
        checkPlace(rules)
        if !written.isEmpty { checkPorts(element.nullable("ports"), isDNS: written == ["dns"]) }
        refuseRules(element, rules)
    }

    // MARK: Rules

    private func refuseRules(_ element: Mapping, _ rules: Mapping) {
        guard !rules.pairs.isEmpty, !isEveryQuestion(rules) else { return }
        let isDNS = rules.pairs.count == 1 && rules.has("dns")
        guard isDNS || CiliumL7Reading.kinds.contains(where: rules.has) else { return }
        element.keyField("rules")?.error(
            .unsupportedL7,
            isDNS
                ? "filtering DNS questions is not supported yet"
                : "application-layer (L7) rules are not supported yet",
            remedy: isDNS
                ? "write `dns: [{matchPattern: \"*\"}]`: answers are read for toFQDNs without a filter"
                : "delete `rules` to allow the ports as a whole, if that is acceptable")
    }

    /// `dns: [{matchPattern: "*"}]` restricts nothing: it is how Cilium is told to look at answers, which is done here
    /// anyway.
    private func isEveryQuestion(_ rules: Mapping) -> Bool {
        guard rules.pairs.count == 1, case .sequence(let elements)? = rules.nullable("dns")?.node.content,
            elements.count == 1, case .mapping(let pairs) = elements[0].content, pairs.count == 1,
            pairs[0].key == "matchPattern", case .scalar(let scalar) = pairs[0].value.content
        else { return false }
        return scalar.text == "*"
    }

    private func checkPlace(_ rules: Mapping) {
        if section.direction == .ingress {
            rules.keyField("dns")?.error(
                .mixedL7, "rules about DNS questions are for egress only", remedy: "delete `rules`, or move the element"
            )
        }
        if subjectIsHost {
            rules.keyField("http")?.error(
                .mixedL7, "policies of hosts have no HTTP rules", remedy: "delete `rules`")
        }
    }

    /// A proxy is for TCP, and asks for a port; that for DNS also takes UDP, and no range.
    private func checkPorts(_ ports: Field?, isDNS: Bool) {
        // What has another shape is reported where the ports are read.
        guard let ports, case .sequence(let nodes) = ports.node.content else { return }
        if nodes.isEmpty, isDNS {
            ports.error(.mixedL7, "rules about DNS questions need a port", remedy: "write port: \"53\"")
        }
        for element in ports.elements() ?? [] {
            guard case .mapping(let pairs) = element.node.content else { continue }
            let mapping = Mapping(pairs: pairs, field: element)
            if let field = mapping.nullable("port"), case .scalar(let scalar) = field.node.content,
                Int(scalar.text) == 0
            {
                field.error(.mixedL7, "L7 rules cannot be used with port 0", remedy: "write the port that is meant")
            }
            let named = mapping.nullable("protocol").flatMap { field -> String? in
                guard case .scalar(let scalar) = field.node.content else { return nil }
                return scalar.text.uppercased()
            }
            let transport = named ?? "ANY"
            if !(isDNS ? ["TCP", "UDP", "ANY"] : ["TCP"]).contains(transport) {
                (mapping.nullable("protocol") ?? mapping.keyField("port"))?.error(
                    .mixedL7,
                    "\(isDNS ? "DNS" : "L7") rules are for TCP\(isDNS ? " and UDP" : ""), not for \(transport)",
                    remedy: "write `protocol: TCP`")
            }
            if isDNS {
                mapping.keyField("endPort")?.error(
                    .mixedL7, "rules about DNS questions have no range of ports", remedy: "write each port by itself")
            }
        }
    }

    private func checkHTTP(_ field: Field) {
        guard let rule = field.mapping(CiliumL7Reading.httpFields) else { return }
        for name in ["path", "method", "host"] { checkExpression(rule[name]) }
        for header in rule["headers"]?.elements() ?? [] { _ = header.string() }
        for match in rule["headerMatches"]?.elements() ?? [] {
            guard let header = match.mapping(CiliumL7Reading.headerFields) else { continue }
            checkName(header, remedy: "name the header")
            _ = header["value"]?.string()
            if let secret = header["secret"] { checkSecret(secret) }
            checkWord(
                header["mismatch"], ["LOG", "ADD", "DELETE", "REPLACE"], or: "delete it: then the request is denied")
        }
    }

    private func checkExpression(_ field: Field?) {
        guard let field, let text = field.string(), let fault = RegularExpressionSyntax.fault(in: text) else { return }
        field.error(
            .invalidL7, at: fault.offset, length: fault.length,
            "\(field.quoted) is not a regular expression: \(fault.message)",
            remedy: "write one in the syntax of RE2; a character that stands for itself has a backslash before it")
    }

    private func checkDNS(_ field: Field) {
        guard let rule = field.mapping(CiliumL7Reading.nameFields) else { return }
        if rule.has("matchName") == rule.has("matchPattern") {
            field.error(
                .invalidL7, "a rule about DNS questions needs either matchName or matchPattern",
                remedy: "write `matchPattern: \"*.example.org\"`, or `matchName`")
        }
        if let name = rule["matchName"] { _ = NameReading.name(name) }
        guard let pattern = rule["matchPattern"], let text = pattern.string() else { return }
        let plain = text.split(separator: "*", omittingEmptySubsequences: false).joined(separator: "x")
        guard DomainName(plain) == nil else { return }
        pattern.error(
            .invalidDomainName, "\(pattern.quoted) is not a pattern of DNS names",
            remedy: "write one like *.example.org: letters, digits, `-`, `_`, dots and `*`")
    }

    // MARK: TLS and listeners

    private func refuseTLS(_ element: Mapping, _ name: String) {
        element.keyField(name)?.error(
            .unsupportedTLS, "TLS names, TLS termination and listeners are not supported yet",
            remedy: "delete the field; ports and peers are enforced without it")
    }

    private func checkServerNames(_ element: Mapping) {
        guard element.has("serverNames") else { return }
        for name in element["serverNames"]?.elements() ?? [] {
            guard let text = name.string(), text.isEmpty else { continue }
            name.error(.invalidL7, "a server name is empty", remedy: "write the name that clients ask for")
        }
        if !element.has("terminatingTLS"), hasRules(element) {
            element.keyField("serverNames")?.error(
                .mixedL7, "server names beside L7 rules need TLS termination",
                remedy: "add terminatingTLS, or write two elements")
        }
        refuseTLS(element, "serverNames")
    }

    private func hasRules(_ element: Mapping) -> Bool {
        guard case .mapping(let pairs)? = element.nullable("rules")?.node.content else { return false }
        return !pairs.isEmpty
    }

    private func checkContext(_ field: Field?) {
        guard let context = field?.mapping(CiliumL7Reading.contextFields) else { return }
        if let secret = context.required("secret", remedy: "name the secret that holds the certificate") {
            checkSecret(secret)
        }
        for name in ["trustedCA", "certificate", "privateKey"] { _ = context[name]?.string() }
    }

    private func checkListener(_ element: Mapping) {
        guard element.has("listener") else { return }
        if let listener = element["listener"]?.mapping(CiliumL7Reading.listenerFields) {
            checkName(listener, remedy: "name the listener")
            if let number = listener["priority"]?.integer(), !(1...100).contains(number) {
                listener["priority"]?.error(
                    .invalidL7, "priority \(number) of a listener is out of range", remedy: "write 1 (first) to 100")
            }
            if let config = listener.required("envoyConfig")?.mapping(CiliumL7Reading.configFields) {
                checkName(config, remedy: "name the configuration")
                checkWord(config["kind"], ["CiliumEnvoyConfig", "CiliumClusterwideEnvoyConfig"], or: "delete it")
            }
        }
        if section.direction == .ingress {
            element.keyField("listener")?.error(.mixedL7, "listeners are for egress only", remedy: "delete the field")
        } else if hasRules(element) {
            element.keyField("listener")?.error(
                .mixedL7, "one element has both a listener and L7 rules", remedy: "write two elements (`- `)")
        }
        refuseTLS(element, "listener")
    }

    private func checkSecret(_ field: Field) {
        guard let secret = field.mapping(CiliumL7Reading.secretFields) else { return }
        checkName(secret, remedy: "name the secret")
        _ = secret["namespace"]?.string()
    }

    private func checkName(_ mapping: Mapping, remedy: String) {
        guard let name = mapping.required("name", remedy: remedy), let text = name.string(), text.isEmpty else {
            return
        }
        name.error(.invalidL7, "the name is empty", remedy: remedy)
    }

    private func checkWord(_ field: Field?, _ words: [String], or remedy: String) {
        guard let field, let text = field.string(), !words.contains(text) else { return }
        field.error(
            .unknownValue, "\(field.quoted) is not one of \(words.joined(separator: ", "))",
            remedy: closestWord(to: text, among: words).map { "did you mean `\($0)`?" } ?? remedy)
    }
}
