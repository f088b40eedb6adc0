// SPDX-License-Identifier: Apache-2.0
package import NetworkModel

/// How names become addresses.
package struct NameSettings: Hashable, Sendable {
    /// Whose answers are believed; empty: no answer is read.
    package var resolvers: Set<IPAddress>
    /// Bounds of the time to live; what an answer says is held between them.
    package var timeToLive: ClosedRange<Duration>
    /// Added to the time to live: the time between an application's lookup and its connection.
    package var grace: Duration
    /// How long past its expiry an address counts for connections that are open, when policy changes.
    package var openTime: Duration
    /// An answer comes within this time of its question, or is not believed.
    package var queryTime: Duration

    package init(
        resolvers: Set<IPAddress> = [], timeToLive: ClosedRange<Duration> = .seconds(1) ... .seconds(86400),
        grace: Duration = .seconds(60), openTime: Duration = .seconds(86400), queryTime: Duration = .seconds(10)
    ) {
        self.resolvers = resolvers
        self.timeToLive = timeToLive
        self.grace = grace
        self.openTime = openTime
        self.queryTime = queryTime
    }
}

/// What an endpoint was told of a name.
package struct LearntName: Hashable, Sendable {
    package struct Address: Hashable, Sendable {
        package var address: IPAddress
        /// Until it expires, grace included; negative: since.
        package var remaining: Duration

        package init(address: IPAddress, remaining: Duration) {
            self.address = address
            self.remaining = remaining
        }
    }

    package var endpoint: UInt16
    package var name: DomainName
    package var addresses: [Address]

    package init(endpoint: UInt16, name: DomainName, addresses: [Address]) {
        self.endpoint = endpoint
        self.name = name
        self.addresses = addresses
    }
}
