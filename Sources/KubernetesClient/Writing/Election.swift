// SPDX-License-Identifier: Apache-2.0

/// Decides who leads, from what the lease is seen to be: pure, without a clock of its own.
///
/// Times in a lease are other machines' clocks. What counts is for how long one has seen it unchanged.
package struct Election: Sendable {
    package struct Settings: Hashable, Sendable {
        /// Others may take the lease so long after they saw it renewed.
        package var leaseSeconds = 15
        /// Who could not renew for so long leads no more; less than the lease, so that two never lead.
        package var renewWithin: Duration = .seconds(10)
        /// How often to look, and to renew.
        package var interval: Duration = .seconds(2)

        package init() {}
    }

    /// What to do now.
    package enum Step: Hashable, Sendable {
        /// Somebody else has it.
        case wait
        /// Write this lease, which fails if anybody else wrote meanwhile.
        case write(Lease)
    }

    package let identity: String
    package let settings: Settings
    /// The lease as it was last seen, and when it was first seen so.
    private var seen: (lease: Lease, since: ContinuousClock.Instant)?
    /// When a write of our own that succeeded was begun.
    private var renewedAt: ContinuousClock.Instant?

    package init(identity: String, settings: Settings = Settings()) {
        self.identity = identity
        self.settings = settings
    }

    /// Whether this one leads at a moment: it renewed lately enough that nobody else can.
    package func leads(at now: ContinuousClock.Instant) -> Bool {
        leadsUntil(seenFrom: now) != nil
    }

    /// When this one leads no more unless it renews; nil: it does not lead at that moment.
    package func leadsUntil(seenFrom now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        renewedAt.map { $0 + settings.renewWithin }.flatMap { now < $0 ? $0 : nil }
    }

    /// The lease was read; nil: there is none.
    /// - Parameter time: of day, for the text in the lease.
    package mutating func read(_ lease: Lease?, at now: ContinuousClock.Instant, time: String) -> Step {
        guard let lease else {
            seen = nil
            return .write(Lease(holder: identity, seconds: settings.leaseSeconds, at: time))
        }
        // Any write counts as a sign of life, also one that says the same.
        if seen?.lease != lease { seen = (lease, now) }
        let since = seen?.since ?? now
        let isFree = lease.holder.isEmpty || now - since >= .seconds(max(lease.seconds, 1))
        guard lease.holder == identity || isFree else {
            renewedAt = nil
            return .wait
        }
        var next = lease
        (next.seconds, next.renewedAt) = (settings.leaseSeconds, time)
        if lease.holder != identity {
            (next.holder, next.acquiredAt) = (identity, time)
            next.transitions += 1
        }
        return .write(next)
    }

    /// A write succeeded that was begun at a moment.
    package mutating func wrote(_ lease: Lease, begun: ContinuousClock.Instant) {
        seen = (lease, begun)
        renewedAt = begun
    }

    /// Somebody else wrote first.
    package mutating func lost() { renewedAt = nil }

    /// The lease to leave behind, so that others need not wait; nil if it is not ours.
    package mutating func resign(time: String) -> Lease? {
        guard renewedAt != nil, var lease = seen?.lease, lease.holder == identity else { return nil }
        renewedAt = nil
        (lease.holder, lease.seconds, lease.renewedAt) = ("", 1, time)
        return lease
    }
}
