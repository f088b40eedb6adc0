// SPDX-License-Identifier: Apache-2.0

/// `GET /v1/shield`: the prefilter in one page.
///
/// Counts begin with the agent's start.
package struct ShieldReport: Codable, Hashable, Sendable {
    /// `off`, `monitor` or `enforce`.
    package var mode: String
    package var devices: [ShieldDeviceReport] = []
    package var passed: UInt64 = 0
    package var notIP: UInt64 = 0
    /// By an allow feed.
    package var allowed: UInt64 = 0
    /// Of a failsafe port, although a feed or a block denies the source.
    package var failsafe: UInt64 = 0
    package var drops: [ShieldDrop] = []
    /// Packets over a limit, by `source`, `network`, `destination`.
    package var limited: [String: UInt64] = [:]
    /// Packets that no bucket was free for, by the same.
    package var unlimited: [String: UInt64] = [:]
    /// Questions to reflectors that left, and answers that somebody had asked for.
    package var questions: UInt64 = 0
    package var answers: UInt64 = 0
    package var feeds: [ShieldFeedReport] = []
    package var blocks: [ShieldBlockReport] = []
    /// Drops that were told as flow events, and those for which there was no room; each stands for all since the last one.
    package var events: UInt64 = 0
    package var lostEvents: UInt64 = 0
    package var blockCapacity = 0
    /// Blocks that did not fit.
    package var refusedBlocks = 0
    /// Bytes of the feeds' tries in the kernel.
    package var feedBytes = 0
    package var problems: [String] = []
    /// Nil while it is off.
    package var synDefence: SynDefenceReport?

    package init(mode: String) { self.mode = mode }
}

/// One device.
package struct ShieldDeviceReport: Codable, Hashable, Sendable {
    package var name: String
    /// `native`, `generic`, `tcx`, or nil if the prefilter is not on it.
    package var hook: String?
    /// Why that one.
    package var reason: String?
    package var problem: String?

    package init(name: String, hook: String? = nil, reason: String? = nil, problem: String? = nil) {
        self.name = name
        self.hook = hook
        self.reason = reason
        self.problem = problem
    }
}

/// What was dropped, or would have been, for one reason.
package struct ShieldDrop: Codable, Hashable, Sendable {
    package var reason: String
    package var packets: UInt64
    package var bytes: UInt64
    /// In monitor mode.
    package var wouldDrop: Bool

    package init(reason: String, packets: UInt64, bytes: UInt64, wouldDrop: Bool) {
        self.reason = reason
        self.packets = packets
        self.bytes = bytes
        self.wouldDrop = wouldDrop
    }
}

/// One feed.
package struct ShieldFeedReport: Codable, Hashable, Sendable {
    package var name: String
    /// `deny` or `allow`.
    package var action: String
    package var path: String
    /// In force.
    package var prefixes: Int
    package var packets: UInt64
    package var bytes: UInt64
    /// RFC 3339; nil: never.
    package var loadedAt: String?
    /// In force since before the agent's start: the file has not confirmed it.
    package var isRemembered: Bool?
    /// Lines that could not be read; the first of them with their places.
    package var faults: Int
    package var firstFaults: [String]
    /// Why the newest text is not in force.
    package var problem: String?
    /// Whom it names and does not cut off, for the host needs them: its own addresses, gateways, resolvers, SSH clients.
    package var spared: [String]?

    package init(
        name: String, action: String, path: String, prefixes: Int, packets: UInt64 = 0, bytes: UInt64 = 0,
        loadedAt: String? = nil, isRemembered: Bool? = nil, faults: Int = 0, firstFaults: [String] = [],
        problem: String? = nil, spared: [String]? = nil
    ) {
        self.name = name
        self.action = action
        self.path = path
        self.prefixes = prefixes
        self.packets = packets
        self.bytes = bytes
        self.loadedAt = loadedAt
        self.isRemembered = isRemembered
        self.faults = faults
        self.firstFaults = firstFaults
        self.problem = problem
        self.spared = spared
    }
}

/// One block.
package struct ShieldBlockReport: Codable, Hashable, Sendable {
    package var prefix: String
    package var secondsLeft: Int64
    package var packets: UInt64
    package var bytes: UInt64

    /// Seconds since it was blocked.
    package var age: Int64
    /// Why, for people.
    package var cause: String

    package init(
        prefix: String, secondsLeft: Int64, packets: UInt64, bytes: UInt64, age: Int64 = 0, cause: String = ""
    ) {
        self.prefix = prefix
        self.secondsLeft = secondsLeft
        self.packets = packets
        self.bytes = bytes
        self.age = age
        self.cause = cause
    }
}

/// Body of `POST /v1/shield/block` and `POST /v1/shield/unblock`.
package struct ShieldBlockRequest: Codable, Hashable, Sendable {
    /// An address, a /24 or a /64.
    package var prefix: String
    /// How long; `block` only.
    package var seconds: Int64?
    /// Also the host's own addresses, those of allow feeds, and the session's.
    package var force: Bool?
    /// Where the person sits who asks, if that is known.
    package var session: String?
    /// Why, for people; `block` only.
    package var cause: String?

    package init(
        prefix: String, seconds: Int64? = nil, force: Bool? = nil, session: String? = nil, cause: String? = nil
    ) {
        self.prefix = prefix
        self.seconds = seconds
        self.force = force
        self.session = session
        self.cause = cause
    }

    /// A block lasts a second to 30 days.
    package static let secondsRange: ClosedRange<Int64> = 1...30 * 86_400
}

/// Body of `POST /v1/shield/accept`.
package struct ShieldFeedRequest: Codable, Hashable, Sendable {
    /// The feed's name.
    package var feed: String

    package init(feed: String) { self.feed = feed }
}
