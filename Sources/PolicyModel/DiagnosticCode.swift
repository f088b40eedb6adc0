// SPDX-License-Identifier: Apache-2.0

/// The stable name of a kind of diagnostic: scripts match it, the reference explains it, it is never reused.
package struct DiagnosticCode: Hashable, Sendable, CustomStringConvertible {
    package let description: String
    /// What the code means, for the reference.
    package let summary: String

    private init(_ number: Int, _ summary: String) {
        self.description = "BH\(number)"
        self.summary = summary
    }

    package static func == (a: DiagnosticCode, b: DiagnosticCode) -> Bool { a.description == b.description }

    package func hash(into hasher: inout Hasher) { hasher.combine(description) }

    // 10xx: the bytes and the YAML.
    package static let unreadable = DiagnosticCode(1001, "the file cannot be read")
    package static let tooLarge = DiagnosticCode(1002, "the file is larger than the limit")
    package static let syntax = DiagnosticCode(1003, "the text is not YAML, or not UTF-8")
    package static let tooDeep = DiagnosticCode(1004, "collections are nested too deeply")
    package static let tooManyNodes = DiagnosticCode(1005, "too many values and keys, aliases expanded")
    package static let duplicateKey = DiagnosticCode(1006, "a mapping has the same key twice")
    package static let undefinedAlias = DiagnosticCode(1007, "an alias names no anchor")
    package static let unsupportedYAML = DiagnosticCode(1008, "a YAML feature that policies cannot use: tag, merge key")
    package static let emptyFile = DiagnosticCode(1009, "the file is empty, or nothing but white space")

    // 11xx: the shape of the document.
    package static let wrongType = DiagnosticCode(1101, "a field has the wrong type")
    package static let unknownField = DiagnosticCode(1102, "a field does not exist in this kind")
    package static let missingField = DiagnosticCode(1103, "a required field is missing")
    package static let noValue = DiagnosticCode(1104, "a field has no value (null)")
    package static let unknownValue = DiagnosticCode(1105, "a value is not one of the allowed ones")
    package static let invalidName = DiagnosticCode(1106, "a name or namespace is not a DNS name")
    package static let ambiguousNumber = DiagnosticCode(
        1107, "a number that versions of YAML read differently: a leading zero")

    // 12xx: kinds and references.
    package static let unknownKind = DiagnosticCode(1201, "the kind or its API version is not one of a policy")
    package static let unsupportedKind = DiagnosticCode(1202, "a policy kind that is not supported yet")
    package static let duplicatePolicy = DiagnosticCode(1203, "two policies have the same kind, namespace and name")

    // 13xx: values.
    package static let invalidCIDR = DiagnosticCode(1301, "a text is not an address prefix")
    package static let exceptOutside = DiagnosticCode(1302, "an exception is not inside its prefix, or all of it")
    package static let invalidPort = DiagnosticCode(1303, "a port, port name or port range is wrong")
    package static let invalidSelector = DiagnosticCode(1304, "a label selector is wrong")
    package static let unknownEntity = DiagnosticCode(1305, "an entity does not exist")
    package static let invalidICMPType = DiagnosticCode(1306, "an ICMP type does not exist in its family")
    package static let unknownProtocol = DiagnosticCode(1307, "a protocol does not exist here")
    package static let invalidMode = DiagnosticCode(1308, "a bulkhead.dev annotation is wrong")
    package static let invalidPriority = DiagnosticCode(1309, "a priority is out of range")
    package static let tooMany = DiagnosticCode(1310, "a list or text is longer or shorter than the API accepts")
    package static let selectorTooLarge = DiagnosticCode(1311, "a selector expands to too many alternatives")
    package static let invalidTier = DiagnosticCode(1312, "a tier that is reserved, or may not be changed")
    package static let tooManyTiers = DiagnosticCode(1313, "more tiers than there is room for")

    package static let invalidDomainName = DiagnosticCode(1314, "a text is neither a DNS name nor a pattern of names")

    package static let invalidL7 = DiagnosticCode(
        1315, "a layer 7 or TLS rule that its dialect rejects: a regular expression, a name, a priority")

    // 14xx: fields that contradict each other.
    package static let mixedPeers = DiagnosticCode(1401, "one element names two kinds of peer")
    package static let mixedPorts = DiagnosticCode(1402, "one element has both toPorts and icmps")
    package static let noSections = DiagnosticCode(1403, "a rule has no entry in any section")
    package static let subjectCount = DiagnosticCode(
        1404, "a rule needs exactly one of endpointSelector and nodeSelector")
    package static let nodeSelectorInNamespace = DiagnosticCode(1405, "nodeSelector in a namespaced policy")
    package static let emptyPeer = DiagnosticCode(1406, "a peer selects nothing because it names nothing")
    package static let namespaceOnClusterPolicy = DiagnosticCode(1407, "a cluster-wide policy has a namespace")
    package static let adminSubject = DiagnosticCode(1408, "a subject needs exactly one of namespaces and pods")
    package static let contradictoryStages = DiagnosticCode(1409, "stages of a Calico policy that exclude each other")

    package static let mixedL7 = DiagnosticCode(
        1410, "layer 7 rules where their dialect has none: another protocol, port 0, the wrong direction")

    // 15xx: valid elsewhere, not supported here yet: refused, never ignored.
    package static let unsupportedL7 = DiagnosticCode(1501, "application-layer (L7) rules")
    package static let unsupportedFQDN = DiagnosticCode(1502, "a pattern of DNS names that is not supported")
    package static let unsupportedServices = DiagnosticCode(1503, "rules by Kubernetes service")
    // 1504 is retired: rules by node were not supported once.
    package static let unsupportedGroups = DiagnosticCode(1505, "rules by cloud-provider group")
    // 1506 is retired: references to CIDR groups were not supported once.
    package static let unsupportedAuthentication = DiagnosticCode(1507, "mutual authentication")
    package static let unsupportedTLS = DiagnosticCode(1508, "TLS names, TLS termination and listeners")
    package static let removedField = DiagnosticCode(1509, "a field that its own project removed")
    package static let unsupportedProtocol = DiagnosticCode(1510, "IP protocols other than TCP, UDP, SCTP and ICMP")
    package static let unsupportedEntity = DiagnosticCode(1511, "an entity that is not supported yet")
    package static let unsupportedLabelSource = DiagnosticCode(
        1512, "selecting by a label source that is not supported")
    package static let unsupportedMatch = DiagnosticCode(
        1513, "a match that no table here has: source ports, own addresses")
    package static let unsupportedStage = DiagnosticCode(
        1514, "rules for a stage that does not have them")

    // 16xx: policy tests.
    package static let invalidTest = DiagnosticCode(1601, "a policy test names something that it does not describe")

    // 20xx: accepted, with a warning or a note.
    package static let emptyElement = DiagnosticCode(2001, "an empty element allows nothing in a Cilium policy")
    package static let ownNamespaceOnly = DiagnosticCode(2002, "an empty selector means the policy's own namespace")
    package static let namespaceOverridden = DiagnosticCode(2003, "the policy's namespace replaces the selector's")
    package static let directionNotListed = DiagnosticCode(2004, "rules for a direction that policyTypes leaves out")
    package static let hostBits = DiagnosticCode(2005, "a prefix has bits set outside its length")
    package static let manyPorts = DiagnosticCode(2006, "more ports or ICMP types than Cilium accepts")
    package static let selectsNothing = DiagnosticCode(2007, "an empty list selects nothing")
    package static let endPortIgnored = DiagnosticCode(2008, "endPort has no effect")
    package static let defaultDenyIgnored = DiagnosticCode(2009, "enableDefaultDeny has no effect in this direction")
    package static let notRecorded = DiagnosticCode(2010, "a field that changes no verdict and is not recorded")
    package static let denyOnly = DiagnosticCode(2011, "a policy that only denies also ends allowing by default")
    package static let emptyFromAllowsAll = DiagnosticCode(
        2012, "an empty list of peers in NetworkPolicy means everyone")
    package static let noPolicy = DiagnosticCode(2013, "a file without a policy")
    package static let emptyElementAllowsAll = DiagnosticCode(
        2014, "an empty element of a NetworkPolicy allows everything")
    package static let emptySectionIgnored = DiagnosticCode(
        2015, "an empty section of a NetworkPolicy closes nothing unless policyTypes lists it")
    package static let ingressClosedToo = DiagnosticCode(
        2016, "a NetworkPolicy about egress alone closes ingress too, for policyTypes is missing")
    package static let everyNamespace = DiagnosticCode(
        2017, "an empty namespaceSelector means every workload of every namespace")
    package static let addressAsName = DiagnosticCode(2018, "an address where DNS names are meant")

    // 21xx: accepted; found by looking at rules together, or at rules and workloads.
    package static let selectsNoEndpoint = DiagnosticCode(2101, "a rule's subject selects no endpoint of this host")
    package static let peerSelectsNothing = DiagnosticCode(2102, "a rule's peers match no identity known here")
    package static let namedPortUndefined = DiagnosticCode(2103, "a port name that no endpoint it is meant for defines")
    package static let namedPortConflicting = DiagnosticCode(
        2104, "a port name with different numbers on endpoints with equal labels")
    package static let prefixMissesWorkloads = DiagnosticCode(
        2105, "a prefix covers workloads that a prefix of its kind never matches")
    // 2106 is retired: action pass was not supported once.
    package static let unnumbered = DiagnosticCode(
        2107, "no rule number is left: enforced, but verdicts cannot name it")
    package static let contradictory = DiagnosticCode(2108, "a selector contradicts itself: no labels can match it")
    package static let unreachable = DiagnosticCode(2109, "an allow rule that a deny rule covers entirely")
    package static let shadowed = DiagnosticCode(2110, "a rule that an earlier rule decides everything of")
    package static let redundant = DiagnosticCode(2111, "a rule that another rule with the same effect covers entirely")
    package static let dnsBlocked = DiagnosticCode(2112, "closing egress cuts name resolution")
    package static let dnsOverTCPBlocked = DiagnosticCode(2113, "names are resolved over UDP but not over TCP")
    package static let icmpBlocked = DiagnosticCode(2114, "rules with ports let connections in, but no ping")
    package static let lapsed = DiagnosticCode(2115, "a policy whose time is over")
    package static let hostAccessCut = DiagnosticCode(2116, "a host policy leaves no way in over SSH")
    package static let oneFamilyOnly = DiagnosticCode(
        2117, "a rule for everyone by prefix that leaves one IP family out")
    package static let otherEndDenies = DiagnosticCode(2118, "an allow rule whose traffic the other end denies")
    package static let declaredPortClosed = DiagnosticCode(2119, "nobody may reach a port that a workload declares")
    package static let noEffect = DiagnosticCode(2120, "a policy that changes no verdict")
    package static let unusedExemption = DiagnosticCode(2121, "an exemption from a finding that there is not")
    package static let namesNotRead = DiagnosticCode(
        2122, "a rule by DNS name where nobody's answers are read")
    package static let undefinedTier = DiagnosticCode(2123, "a tier or profile that no document defines")
    package static let setNamesLeftOut = DiagnosticCode(2124, "names of a set that a rule selects and does not mean")

    /// Every code, in order.
    package static let all: [DiagnosticCode] = [
        .unreadable, .tooLarge, .syntax, .tooDeep, .tooManyNodes, .duplicateKey, .undefinedAlias, .unsupportedYAML,
        .emptyFile,
        .wrongType, .unknownField, .missingField, .noValue, .unknownValue, .invalidName,
        .ambiguousNumber,
        .unknownKind, .unsupportedKind, .duplicatePolicy,
        .invalidCIDR, .exceptOutside, .invalidPort, .invalidSelector, .unknownEntity, .invalidICMPType,
        .unknownProtocol, .invalidMode, .invalidPriority, .tooMany, .selectorTooLarge, .invalidTier, .tooManyTiers,
        .invalidDomainName, .invalidL7,
        .mixedPeers, .mixedPorts, .noSections, .subjectCount, .nodeSelectorInNamespace, .emptyPeer,
        .namespaceOnClusterPolicy, .adminSubject, .contradictoryStages, .mixedL7,
        .unsupportedL7, .unsupportedFQDN, .unsupportedServices, .unsupportedGroups,
        .unsupportedAuthentication, .unsupportedTLS, .removedField, .unsupportedProtocol,
        .unsupportedEntity, .unsupportedLabelSource, .unsupportedMatch, .unsupportedStage,
        .invalidTest,
        .emptyElement, .ownNamespaceOnly, .namespaceOverridden, .directionNotListed, .hostBits, .manyPorts,
        .selectsNothing, .endPortIgnored, .defaultDenyIgnored, .notRecorded, .denyOnly, .emptyFromAllowsAll,
        .noPolicy, .emptyElementAllowsAll, .emptySectionIgnored, .ingressClosedToo, .everyNamespace, .addressAsName,
        .selectsNoEndpoint, .peerSelectsNothing, .namedPortUndefined, .namedPortConflicting, .prefixMissesWorkloads,
        .unnumbered, .contradictory, .unreachable, .shadowed, .redundant, .dnsBlocked, .dnsOverTCPBlocked,
        .icmpBlocked, .lapsed, .hostAccessCut, .oneFamilyOnly, .otherEndDenies, .declaredPortClosed, .noEffect,
        .unusedExemption, .namesNotRead, .undefinedTier, .setNamesLeftOut,
    ]

    /// A code by its name, `BH2112`; nil if there is none.
    package init?(_ text: String) {
        guard let known = DiagnosticCode.all.first(where: { $0.description == text }) else { return nil }
        self = known
    }
}
