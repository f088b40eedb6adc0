// SPDX-License-Identifier: Apache-2.0

/// Documents that are refused.
extension DiagnosticGuide {
    static let ofText = [
        DiagnosticGuide(
            .unreadable, "The file could not be opened or read. What it held before stays in force.",
            remedy: "Check that it exists and that the reader (the agent: root) may read it."),
        DiagnosticGuide(
            .tooLarge, "A file is read whole, so its size is bounded.", remedy: "Split it into several files."),
        DiagnosticGuide(
            .syntax, "The text cannot be parsed, so nothing is known about its policies.",
            remedy: "Correct the place; most often it is the indentation, a tab, or a missing quote."),
        DiagnosticGuide(
            .tooDeep, "Nesting is bounded, so that a hostile file cannot exhaust the stack.",
            remedy: "Write it flatter: policies need about ten levels."),
        DiagnosticGuide(
            .tooManyNodes,
            "What a file costs to read is bounded; aliases of aliases grow without bound (\"billion laughs\").",
            remedy: "Split the file, or write fewer aliases of aliases."),
        DiagnosticGuide(
            .duplicateKey, "Of two equal keys a reader takes either, so the document means two things.",
            remedy: "Keep one, or merge the two values."),
        DiagnosticGuide(
            .undefinedAlias, "An alias (`*name`) repeats what an anchor (`&name`) before it marks.",
            remedy: "Define the anchor earlier in the same document, or write the value."),
        DiagnosticGuide(
            .unsupportedYAML, "Tags and merge keys change what a text means from one reader to another.",
            remedy: "Write the value out."),
        DiagnosticGuide(
            .emptyFile, "A file cut short to nothing would silently end all its policies.",
            remedy: "Delete the file to end its policies, or keep a comment in it."),
    ]

    static let ofShape = [
        DiagnosticGuide(
            .wrongType, "A value has another type than the field: a string for a list, a number for a string.",
            remedy: "Write it as the message says; quote numbers where a string is expected."),
        DiagnosticGuide(
            .unknownField, "Nothing is ignored: a misspelt field would weaken the policy unseen.",
            remedy: "Correct the name; the message proposes the closest one."),
        DiagnosticGuide(
            .missingField, "The API requires the field.", remedy: "Write it; the message says with what value."),
        DiagnosticGuide(
            .noValue,
            "A field without a value is \"absent\" (everyone) to the API, but perhaps \"nothing\" to its author.",
            remedy: "Write `[]` or `{}` for empty, or delete the field."),
        DiagnosticGuide(
            .unknownValue, "The field has a fixed set of values.", remedy: "Write one of those the message names."),
        DiagnosticGuide(
            .invalidName, "Names and namespaces stand in paths, metrics and command lines, so they are DNS names.",
            remedy: "Use lower-case letters, digits and hyphens."),
        DiagnosticGuide(
            .ambiguousNumber, "`0120` is 80 to Kubernetes (base 8) and 120 to YAML 1.2.",
            remedy: "Write the number in decimal without the zero."),
        DiagnosticGuide(
            .unknownKind, "The kind, or its API version, is not one of a policy.",
            remedy: "Keep only the kinds of the policies page in policy files."),
        DiagnosticGuide(
            .unsupportedKind, "The kind exists elsewhere and would change verdicts, but is not read yet.",
            remedy: "Use what the message proposes."),
        DiagnosticGuide(
            .duplicatePolicy, "Of two policies with one name it is unclear which counts.",
            remedy: "Rename one of the two or delete it."),
    ]

    static let ofValues = [
        DiagnosticGuide(
            .invalidCIDR, "The text is no prefix, so it is unclear whom it means.",
            remedy: "Write an address, a slash and a length: `10.0.0.0/8`, `2001:db8::/32`."),
        DiagnosticGuide(
            .exceptOutside, "An exception takes nothing away if it lies outside, and leaves nothing if it is all.",
            remedy: "Correct the exception or the prefix."),
        DiagnosticGuide(
            .invalidPort,
            "A port is 1 to 65535, a name has up to 15 letters, digits and hyphens, a range begins before it ends.",
            remedy: "Correct it as the message says."),
        DiagnosticGuide(
            .invalidSelector,
            "The selector is not one of Kubernetes: an unknown operator, values where none belong, or none "
                + "where some do.", remedy: "Correct it as the message says."),
        DiagnosticGuide(
            .unknownEntity, "An entity that does not exist would never match.",
            remedy: "Write one of those the message names."),
        DiagnosticGuide(
            .invalidICMPType,
            "The type does not exist in the family the rule is for; or a rule of Calico's has a code with echo or timestamp messages: "
                + "these are tracked by type and id, and the code, which is 0 in all of them, has no place in the flow's key.",
            remedy: "Set `family`, or write the type's number, or delete the code."),
        DiagnosticGuide(
            .unknownProtocol, "The dialect knows TCP, UDP and SCTP here (and ANY in Cilium's).",
            remedy: "Write one of them; ICMP has fields of its own."),
        DiagnosticGuide(
            .invalidMode, "An annotation of Bulkhead (`bulkhead.dev/…`) is unknown or has no meaning as written.",
            remedy: "Correct it: `mode`, `validUntil`, `lintIgnore` and `log` exist."),
        DiagnosticGuide(
            .invalidPriority, "Priorities are 0 (asked first) to 1000.", remedy: "Write one in the range."),
        DiagnosticGuide(
            .tooMany, "The API bounds the list or text; the same document would be refused in a cluster.",
            remedy: "Split it, or shorten it."),
        DiagnosticGuide(
            .selectorTooLarge,
            "A selector is multiplied out into alternatives, and their number is bounded, so that no document takes all memory.",
            remedy: "Split the rule, or give what is meant a label of its own."),
        DiagnosticGuide(
            .invalidTier, "Some tiers are filled by other kinds of policies, and their place cannot be changed.",
            remedy: "Name another tier, or use the kind that belongs to this one."),
        DiagnosticGuide(
            .tooManyTiers, "Every tier with policies is asked on its own, and the tables have room for eight.",
            remedy: "Move the policies of some tiers into another one."),
        DiagnosticGuide(
            .invalidDomainName,
            "A name has labels of 1 to 63 letters, digits, `-` and `_`, and 253 characters at most.",
            remedy: "Correct the name; a pattern is written as `matchPattern`."),
        DiagnosticGuide(
            .invalidL7,
            "The cluster would refuse it too. Regular expressions have the syntax of Go (RE2): no look-ahead, no back-references.",
            remedy: "Correct it as the message says."),
    ]

    static let ofContradictions = [
        DiagnosticGuide(
            .mixedPeers, "Two kinds of peer in one element: neither AND nor OR is defined.",
            remedy: "Write two elements, each with its own ports."),
        DiagnosticGuide(
            .mixedPorts, "Ports and ICMP types in one element: a packet has one or the other.",
            remedy: "Write two elements."),
        DiagnosticGuide(
            .noSections, "A Cilium rule without an entry is refused by Cilium too: `ingress: []` is no default deny.",
            remedy: "Write `ingress: [{}]` to deny by default.",
            example: "spec:\n  endpointSelector: {}\n  ingress: []        # refused; `ingress: [{}]` closes"),
        DiagnosticGuide(
            .subjectCount, "A Cilium rule speaks for endpoints or for hosts, not for both and not for nobody.",
            remedy: "Write exactly one of `endpointSelector` and `nodeSelector`."),
        DiagnosticGuide(
            .nodeSelectorInNamespace, "Hosts have no namespace; Cilium enforced nothing for such rules, silently.",
            remedy: "Write a CiliumClusterwideNetworkPolicy."),
        DiagnosticGuide(
            .emptyPeer, "A peer that names nothing selects nothing.",
            remedy: "Name someone, or delete the list for everyone."),
        DiagnosticGuide(
            .namespaceOnClusterPolicy, "A cluster-wide policy has no namespace, so its author expects another scope.",
            remedy: "Delete the namespace, or use the namespaced kind."),
        DiagnosticGuide(
            .adminSubject, "A subject is given by `namespaces` or by `pods`, exactly one of them.",
            remedy: "Keep one; `namespaces: {}` is every workload."),
        DiagnosticGuide(
            .contradictoryStages,
            "Calico judges untracked traffic and traffic before translation apart, the latter on its way in only, and "
                + "both also where it only passes through.",
            remedy: "Write a policy for each, with `applyOnForward: true`."),
        DiagnosticGuide(
            .mixedL7,
            "A proxy judges layer 7, on TCP ports by number or name; DNS questions also on UDP, and on their way out only.",
            remedy: "Correct it as the message says."),
    ]

    static let ofRefusals = [
        DiagnosticGuide(
            .unsupportedL7, "Layer 7 rules would be enforced more weakly than written.",
            remedy: "Delete the `rules`, if the ports alone are restriction enough."),
        DiagnosticGuide(
            .unsupportedFQDN,
            "Names are looked up by their ends: what stands before the end of the last label with a `*` inside is matched by an "
                + "automaton of 64 states. Calico's `domains` are in egress rules that allow, and not in policies on forward "
                + "or without flows: lookups of those behind the host are not read.",
            remedy: "Write a wider pattern, or each name by itself."),
        DiagnosticGuide(
            .unsupportedServices,
            "Neither Cilium nor Bulkhead takes the service of the API server in `toServices`; Calico's `services` stands for the "
                + "other end of the traffic only; an EndpointSlice of names, and `Endpoints` whose subsets have different ports, "
                + "say nothing that addresses and ports could.",
            remedy: "Select the endpoints behind the service, or their addresses; the API server is an entity."),
        DiagnosticGuide(
            .unsupportedGroups, "Cloud-provider groups need the provider's API.", remedy: "Write their prefixes."),
        DiagnosticGuide(
            .unsupportedAuthentication, "Mutual authentication would be expected and not happen.",
            remedy: "Delete the field; identity comes from the kernel's address check."),
        DiagnosticGuide(
            .unsupportedTLS, "TLS names and termination need a proxy.", remedy: "Delete the field, if ports are enough."
        ),
        DiagnosticGuide(
            .removedField, "The field's own project removed it.", remedy: "Write what it meant into each selector."),
        DiagnosticGuide(
            .unsupportedProtocol, "Ports exist for TCP, UDP and SCTP.",
            remedy: "An element without ports covers every protocol."),
        DiagnosticGuide(
            .unsupportedEntity, "The entity has no meaning on one host yet.", remedy: "Name the peers another way."),
        DiagnosticGuide(
            .unsupportedLabelSource, "Labels of this source do not exist here, so the selector would never match.",
            remedy: "Use k8s, container, workload, reserved, process, or no source."),
        DiagnosticGuide(
            .unsupportedMatch, "The tables know a connection by its peer, its protocol and the port it goes to.",
            remedy: "Use labels, or the destination's port."),
        DiagnosticGuide(
            .unsupportedStage,
            "What is judged before translation is asked before every tier, all of it together.",
            remedy: "Delete `tier`, and say with `order` which policy is asked first."),
        DiagnosticGuide(
            .invalidTest, "A policy test names a workload, policy or port that it does not describe.",
            remedy: "Describe it in the test, or correct the name."),
    ]
}
