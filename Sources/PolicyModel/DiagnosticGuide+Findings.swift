// SPDX-License-Identifier: Apache-2.0

/// Documents that are accepted, but perhaps not meant so.
extension DiagnosticGuide {
    static let ofReading = [
        DiagnosticGuide(
            .emptyElement,
            "In a Cilium policy `{}` in a section allows nothing: that is how default deny is written. In a NetworkPolicy "
                + "the same text allows everything. Of the element this is all that is said, not besides that nobody is there "
                + "(BH2102) or that other rules decide it or say the same (BH2109, BH2110, BH2111).",
            remedy: "Nothing, if default deny is meant; else write what is allowed.",
            example: "kind: CiliumNetworkPolicy\nspec:\n  endpointSelector: {}\n  ingress: [{}]      # closes"),
        DiagnosticGuide(
            .ownNamespaceOnly,
            "In a namespaced Cilium policy an empty selector of peers is every endpoint of the policy's own namespace, not "
                + "everybody.", remedy: "For everybody write `fromEntities: [all]`."),
        DiagnosticGuide(
            .namespaceOverridden, "A namespaced policy speaks for its own namespace, whatever its selector says.",
            remedy: "Move the policy, or make it cluster-wide."),
        DiagnosticGuide(
            .directionNotListed, "`policyTypes` decides which directions count; rules of another one have no effect.",
            remedy: "Add the direction to `policyTypes`, or delete its rules."),
        DiagnosticGuide(
            .hostBits, "`10.1.2.3/8` has bits beyond its length: perhaps another length was meant.",
            remedy: "Write the prefix without them, or the length that was meant."),
        DiagnosticGuide(
            .manyPorts, "Cilium refuses more than 40 entries; here they work.",
            remedy: "Split the list to stay portable."),
        DiagnosticGuide(
            .selectsNothing,
            "A list that is there but empty selects nothing; a list that is missing selects everyone. So does what contradicts "
                + "itself in a Calico rule. Of the rule this is all that is said, as with BH2001.",
            remedy: "Delete the field for everyone, or name someone.",
            example: "ingress:\n  - fromEndpoints: []      # nobody\n    toPorts: [{ports: [{port: \"80\"}]}]"),
        DiagnosticGuide(
            .endPortIgnored, "A range needs a number to begin with, and to end after it begins.",
            remedy: "Delete `endPort`, or correct the numbers."),
        DiagnosticGuide(
            .defaultDenyIgnored, "`enableDefaultDeny` closes a direction only if the rule has an entry in it.",
            remedy: "Add an empty element: `egress: [{}]`."),
        DiagnosticGuide(
            .notRecorded, "The field changes no verdict here and is not shown in flow records.",
            remedy: "Delete it: verdicts name policy and rule already."),
        DiagnosticGuide(
            .denyOnly, "A policy with deny rules alone still ends \"allow by default\" for what it selects.",
            remedy: "Write `enableDefaultDeny: {ingress: false}` if the rest is to stay open."),
        DiagnosticGuide(
            .emptyFromAllowsAll, "In a NetworkPolicy an empty list of peers means everyone, as a missing one does.",
            remedy: "To allow no one, delete the whole element.",
            example: "ingress:\n  - from: []        # everyone"),
        DiagnosticGuide(
            .noPolicy, "The file holds comments or empty documents only.", remedy: "Delete it, or add a policy."),
        DiagnosticGuide(
            .emptyElementAllowsAll,
            "In a NetworkPolicy `{}` in a section is a rule without conditions: it allows everything. In a Cilium policy it "
                + "would allow nothing.",
            remedy:
                "Nothing, if the direction is to be open; to close it write `ingress: []` and list it in `policyTypes`.",
            example: "kind: NetworkPolicy\nspec:\n  podSelector: {}\n  ingress: [{}]      # opens"),
        DiagnosticGuide(
            .emptySectionIgnored,
            "Without `policyTypes` a NetworkPolicy closes egress only if it has egress rules, and `egress: []` has none; with "
                + "`policyTypes` only what is listed counts.",
            remedy: "List the direction in `policyTypes`.",
            example: "spec:\n  podSelector: {}\n  egress: []         # closes nothing without policyTypes: [Egress]"),
        DiagnosticGuide(
            .ingressClosedToo,
            "Without `policyTypes` a NetworkPolicy always closes ingress, also if it speaks of egress alone: what it selects "
                + "can no longer be reached.", remedy: "Write `policyTypes` with what is meant.",
            example:
                "spec:\n  podSelector: {}\n  egress:            # closes ingress too\n    - to: [{ipBlock: {cidr: 192.0.2.0/24}}]"
        ),
        DiagnosticGuide(
            .everyNamespace,
            "`namespaceSelector: {}` is not \"the own namespace\" and not \"everyone\": it is every workload of every "
                + "namespace, without the host and the world. `podSelector: {}` beside it adds nothing.",
            remedy: "Leave it out for the own namespace; leave the peers out for everyone."),
        DiagnosticGuide(
            .addressAsName,
            "Four numbers and dots are a DNS name by their letters, and every dialect takes them. Nobody asks a resolver for them: "
                + "the name has no addresses, and the rule opens nothing by it.",
            remedy: "Write the address where the dialect has prefixes: `nets`, `toCIDR`, `networks`.",
            example: "spec:\n  allowedEgressDomains: [192.0.2.1]      # a set's `nets` are meant"),
    ]

    static let ofRules = [
        DiagnosticGuide(
            .selectsNoEndpoint,
            "No endpoint of this host has the labels the rule speaks for, so it has no effect here.",
            remedy: "Correct the labels, unless the workload is still to come."),
        DiagnosticGuide(
            .peerSelectsNothing,
            "Nobody known here has the labels of the rule's peers, or no document describes the service or the CIDR group it "
                + "names, so it lets nobody in or out.",
            remedy:
                "Correct the labels, or the namespace: without one, peers are of the policy's own. `policy lint` without "
                + "workloads looks at services and groups alone: give it the files that describe them too."),
        DiagnosticGuide(
            .namedPortUndefined, "A name that nobody defines covers no port.",
            remedy: "Define it at the workload, or write the number."),
        DiagnosticGuide(
            .namedPortConflicting,
            "Endpoints with equal labels define the name with different numbers: an allow rule then opens none of them, a "
                + "deny rule closes all.", remedy: "Give the name one number, or write numbers."),
        DiagnosticGuide(
            .prefixMissesWorkloads,
            "Cilium's CIDR rules match peers outside, never workloads, also if their addresses are inside.",
            remedy: "Select workloads by labels; or use `ipBlock` of a NetworkPolicy, which matches both.",
            example: "egress:\n  - toCIDR: [10.88.0.0/16]      # the containers' own network: none of them is matched"),
        DiagnosticGuide(
            .unnumbered, "Rule numbers are bounded; a rule beyond is enforced, but verdicts cannot name it.",
            remedy: "Merge rules or remove policies."),
        DiagnosticGuide(
            .contradictory,
            "Two requirements about one key exclude each other, so no labels can match. That nobody here has them (BH2101, "
                + "BH2102) is not said besides.",
            remedy: "Correct the selector."),
        DiagnosticGuide(
            .unreachable, "Deny beats allow, whichever is more specific: the allow rule never decides.",
            remedy: "Remove one of the two, or narrow the deny rule."),
        DiagnosticGuide(
            .shadowed,
            "In tiers with an order the first rule that matches decides, and an earlier tier decides before a later one: this "
                + "rule is never asked.", remedy: "Remove one of the two, or change their order or priority."),
        DiagnosticGuide(
            .redundant, "Another rule of the tier says the same of everything this one speaks of.",
            remedy: "Remove one of the two, unless they are to be changed apart."),
        DiagnosticGuide(
            .dnsBlocked,
            "Once egress is closed, the resolver is cut off like everybody else; connections by name fail with a timeout. The "
                + "resolver of a container network is usually the host, not a workload of the own namespace.",
            remedy: "Allow UDP and TCP port 53 to the resolver (`Examples/policies/allow-dns.yaml`).",
            example:
                "policyTypes: [Egress]\negress:\n  - to: [{podSelector: {matchLabels: {app: db}}}]      # and names?"),
        DiagnosticGuide(
            .dnsOverTCPBlocked,
            "Resolvers answer with \"truncated\" what does not fit into a packet, and ask again over TCP.",
            remedy: "Allow TCP port 53 as well."),
        DiagnosticGuide(
            .icmpBlocked,
            "A rule with ports covers its protocol only. Errors that belong to a connection (path MTU, unreachable) pass as "
                + "related; ping does not.",
            remedy: "Add a rule with `icmps`, in Calico's policies with `protocol: ICMP`, if ping is wanted."),
        DiagnosticGuide(
            .lapsed, "The policy's `bulkhead.dev/validUntil` is over: it is kept, but out of force.",
            remedy: "Delete the policy, or give it a later end."),
        DiagnosticGuide(
            .hostAccessCut,
            "A host policy closes ingress and lets nobody outside reach SSH. The agent's failsafe ports keep it open by "
                + "default; where they do not, you lock yourself out.",
            remedy: "Allow TCP port 22 from the network you administer from."),
        DiagnosticGuide(
            .oneFamilyOnly, "`0.0.0.0/0` is everyone over IPv4. Over IPv6 a deny rule with it alone denies nobody.",
            remedy: "Write `::/0` beside it."),
        DiagnosticGuide(
            .otherEndDenies,
            "Traffic between two workloads needs both ends: what one policy lets out, a policy of the other end keeps out.",
            remedy: "Allow it at the other end too."),
        DiagnosticGuide(
            .declaredPortClosed,
            "A workload declares a port, so it serves something there, and its policies let nobody reach it.",
            remedy: "Allow the port to those who need it."),
        DiagnosticGuide(
            .noEffect, "The policy closes nothing and no rule of it can match anything.",
            remedy: "Write what it is to do, or delete it."),
        DiagnosticGuide(
            .unusedExemption, "The annotation `bulkhead.dev/lintIgnore` names a code that is not found any more.",
            remedy: "Delete it, so that the finding is seen if it comes back."),
        DiagnosticGuide(
            .namesNotRead,
            "Addresses of names are learnt from the answers of the resolvers that `dns.resolvers` of the agent's configuration "
                + "lists. Where it lists none, a rule by name that allows opens nothing, and one that denies denies nothing. "
                + "A warning where the agent is asked; a note where only files are looked at.",
            remedy:
                "List the addresses that workloads send their queries to: the resolver of the container network, as in "
                + "/etc/resolv.conf of a workload.",
            example: "dns:\n  resolvers: [10.88.0.1]      # in the agent's configuration"),
        DiagnosticGuide(
            .undefinedTier,
            "A tier without a `Tier` is asked behind all that have an order, and denies at its end; a profile without a `Profile` "
                + "says nothing, so that what relies on it is closed.",
            remedy: "Write the document, or correct the name."),
        DiagnosticGuide(
            .setNamesLeftOut,
            "`allowedEgressDomains` of a set are meant by egress rules that allow and ask of the addresses nothing else: whether an "
                + "address that a name leads to lies in `nets`, or outside of what `notNets` and `notSelector` leave out, is not known "
                + "beforehand, and a rule must not open more than it says. Names also open nothing for what only passes through the "
                + "host (`applyOnForward`) and in policies without flows (`doNotTrack`), because lookups of those behind the host "
                + "are not read. The prefixes of the set are meant.",
            remedy: "Write a rule with the selector alone, or a set of its own for the names.",
            example:
                "destination: {selector: role == 'partners', notNets: [198.51.100.0/24]}   # means the set's nets only"),
    ]
}
