// SPDX-License-Identifier: Apache-2.0

/// The tiers in the order in which they are asked, on Calico's scale: less is asked earlier.
///
/// A pure function of the tiers that policies are in and of what documents say about them.
package struct TierLine: Hashable, Sendable {
    package struct Place: Hashable, Sendable {
        package var tier: PolicyTier
        package var order: Double
        /// True: policies of the tier that close a direction end it in a default deny.
        package var closes: Bool
        /// Number of the tier in the tables, 0...7.
        package var stage: UInt8
    }

    /// Tiers besides the three fixed ones that the tables have room for.
    package static let ownCountMax = 5

    /// First asked first; at most eight.
    package let places: [Place]
    /// Tiers that found no room: nobody asks them.
    package let omitted: [PolicyTier]

    /// The line for the tiers in use.
    ///
    /// `definitions`: by name; a tier without one stands behind the others that have one, and closes.
    package init(_ tiers: some Sequence<PolicyTier> = [], definitions: [String: TierDefinition] = [:]) {
        var own: [Place] = []
        for tier in Set(tiers) {
            switch tier {
            case .normal, .admin, .baseline: break
            case .own(let name):
                let definition = definitions[name] ?? TierDefinition(name: name)
                own.append(Place(tier: tier, order: definition.order ?? .infinity, closes: definition.closes, stage: 0))
            case .preDNAT: own.append(Place(tier: tier, order: -.infinity, closes: false, stage: 0))
            case .profile: own.append(Place(tier: tier, order: .infinity, closes: true, stage: 0))
            }
        }
        own.sort(by: TierLine.precedes)
        for index in own.indices { own[index].stage = UInt8(truncatingIfNeeded: index + 3) }
        omitted = own.dropFirst(TierLine.ownCountMax).map(\.tier)
        places = (TierLine.fixed + own.prefix(TierLine.ownCountMax)).sorted(by: TierLine.precedes)
    }

    /// The line of a set of policies.
    package init(of policies: some Sequence<Policy>) {
        var tiers: Set<PolicyTier> = []
        var definitions: [String: TierDefinition] = [:]
        for policy in policies {
            if let definition = policy.definedTier { definitions[definition.name] = definition }
            if policy.isPartOfTier { tiers.insert(policy.tier) }
        }
        self.init(tiers, definitions: definitions)
    }

    private static let fixed = [
        Place(tier: .admin, order: 1000, closes: true, stage: 1),
        Place(tier: .normal, order: 1_000_000, closes: true, stage: 0),
        Place(tier: .baseline, order: 10_000_000, closes: true, stage: 2),
    ]

    /// By order, then by name; profiles behind everything, and what is asked before translation before everything.
    private static func precedes(_ a: Place, _ b: Place) -> Bool {
        if (a.tier == .preDNAT) != (b.tier == .preDNAT) { return a.tier == .preDNAT }
        if (a.tier == .profile) != (b.tier == .profile) { return b.tier == .profile }
        return (a.order, a.tier.name) < (b.order, b.tier.name)
    }

    package func place(of tier: PolicyTier) -> Place? { places.first { $0.tier == tier } }

    /// The tier of a stage of the tables; nil if none has it.
    package func tier(atStage stage: UInt8) -> PolicyTier? { places.first { $0.stage == stage }?.tier }

    /// True if the first tier is asked before the second.
    package func isAsked(_ a: PolicyTier, before b: PolicyTier) -> Bool {
        guard let first = places.firstIndex(where: { $0.tier == a }),
            let second = places.firstIndex(where: { $0.tier == b })
        else { return false }
        return first < second
    }

    /// Says that there are more tiers than the tables have room for; nil if there are not.
    package var problem: String? {
        guard !omitted.isEmpty else { return nil }
        let own = (places.filter { $0.stage > 2 }.map(\.tier) + omitted).map(\.name)
        return
            "\(own.count) tiers besides admin, default and baseline have policies (\(own.joined(separator: ", "))), and "
            + "\(TierLine.ownCountMax) is the most: move the policies of some into another tier"
    }
}

extension Policy {
    /// True if the policy says something to its tier.
    package var isPartOfTier: Bool { !rules.isEmpty || !defaultDeny.isEmpty }
}
