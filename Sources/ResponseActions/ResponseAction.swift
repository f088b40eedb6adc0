// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// One thing to be done about an attack, and to be undone later.
package enum ResponseAction: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// The shield drops what a source sends.
        case block
        /// The shield limits every source, as configured, while a destination is flooded.
        case rateLimit = "rate-limit"
        /// Cookies answer for the listeners of a destination, or for one port of it.
        case synDefence = "syn-defence"
        /// A workload may only talk to whom the operator names.
        case quarantine
    }

    case block(CIDR)
    case rateLimit(IPAddress)
    /// `port`: 0 if more than one is meant.
    case synDefence(IPAddress, port: UInt16)
    case quarantine(IPAddress)

    package var kind: Kind {
        switch self {
        case .block: .block
        case .rateLimit: .rateLimit
        case .synDefence: .synDefence
        case .quarantine: .quarantine
        }
    }

    /// What it is about, as a prefix.
    package var subject: CIDR {
        switch self {
        case .block(let prefix): prefix
        case .rateLimit(let address), .synDefence(let address, _), .quarantine(let address): CIDR(host: address)
        }
    }

    /// The port that it is about, if it is about one.
    package var port: UInt16? {
        guard case .synDefence(_, let port) = self, port > 0 else { return nil }
        return port
    }
}

extension ResponseAction: Codable {
    private enum CodingKeys: String, CodingKey {
        case kind, subject, port
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let subject = try container.decode(CIDR.self, forKey: .subject)
        switch try container.decode(Kind.self, forKey: .kind) {
        case .block: self = .block(subject)
        case .rateLimit: self = .rateLimit(subject.address)
        case .synDefence:
            self = .synDefence(subject.address, port: try container.decodeIfPresent(UInt16.self, forKey: .port) ?? 0)
        case .quarantine: self = .quarantine(subject.address)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kind, forKey: .kind)
        try container.encode(subject, forKey: .subject)
        try container.encodeIfPresent(port, forKey: .port)
    }
}

/// Carries actions out; both calls may be repeated.
package protocol ResponseActuator: Sendable {
    /// Brings it into force, for at least so long. Ends by itself where the kernel can do that.
    ///
    /// `closesFailsafes`: a block holds for failsafe ports too.
    func carryOut(
        _ action: ResponseAction, for duration: Duration, cause: String, closesFailsafes: Bool
    ) async throws(ResponseFailure)

    /// Takes it back; what is not in force (any more) is no failure.
    func undo(_ action: ResponseAction, cause: String) async throws(ResponseFailure)
}

/// Why an action was not carried out.
package struct ResponseFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
    /// True if trying again will not help.
    package var isFinal: Bool

    package init(_ description: String, isFinal: Bool = false) {
        self.description = description
        self.isFinal = isFinal
    }
}
