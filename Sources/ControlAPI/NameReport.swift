// SPDX-License-Identifier: Apache-2.0

/// `GET /v1/names`: what DNS has told workloads.
package struct NameReport: Codable, Hashable, Sendable {
    /// Sorted by endpoint, name and address, no more than were asked for.
    package var names: [NameRecord]
    /// How many there are together.
    package var total: Int
    /// Resolvers whose answers are read; none: nothing is learnt.
    package var resolvers: [String]

    package init(names: [NameRecord], total: Int, resolvers: [String]) {
        self.names = names
        self.total = total
        self.resolvers = resolvers
    }
}

/// One address of a name, as one endpoint was told.
package struct NameRecord: Codable, Hashable, Sendable {
    /// Its name, or its number if it is gone.
    package var endpoint: String
    package var name: String
    package var address: String
    /// Grace included; 0: its time is over, and it counts for open connections only.
    package var secondsLeft: Int64
    /// Rules of the endpoint that mean the name.
    package var rules: [String]

    package init(endpoint: String, name: String, address: String, secondsLeft: Int64, rules: [String]) {
        self.endpoint = endpoint
        self.name = name
        self.address = address
        self.secondsLeft = secondsLeft
        self.rules = rules
    }
}

/// Which of them; what is nil does not matter.
package struct NameQuery: Hashable, Sendable {
    /// Name or number.
    package var endpoint: String?
    /// `*` stands for any characters.
    package var name: String?
    package var limit: Int

    package init(endpoint: String? = nil, name: String? = nil, limit: Int = 10_000) {
        self.endpoint = endpoint
        self.name = name
        self.limit = limit
    }
}
