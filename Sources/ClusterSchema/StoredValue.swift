// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import FoundationEssentials
package import NetworkModel

/// A value of the store as JSON.
///
/// Fields it does not know are ignored; another version is left alone.
package protocol StoredValue: Codable, Sendable {
    /// Written and read by this program.
    static var schemaVersion: Int { get }
    /// A value is refused beyond this, before it is read.
    static var bytesMax: Int { get }
    var version: Int { get }
}

/// Why a value is not what its key says.
package struct StoredValueError: Error, Hashable, Sendable, CustomStringConvertible {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    package var description: String { reason }
}

extension StoredValue {
    /// The bytes of a value are a stranger's.
    package init(reading bytes: [UInt8]) throws(StoredValueError) {
        guard bytes.count <= Self.bytesMax else {
            throw StoredValueError("it has \(bytes.count) bytes; at most \(Self.bytesMax) are read")
        }
        let data = Data(bytes)
        if let value = try? JSONDecoder().decode(Self.self, from: data), value.version == Self.schemaVersion {
            self = value
            return
        }
        guard let head = try? JSONDecoder().decode(StoredVersion.self, from: data) else {
            throw StoredValueError("it is not a JSON object with a version")
        }
        guard head.version == Self.schemaVersion else {
            throw StoredValueError(
                "it is of version \(head.version), this agent reads version \(Self.schemaVersion): update this agent")
        }
        throw StoredValueError("its fields are not those of version \(Self.schemaVersion)")
    }

    /// The same value always gives the same bytes.
    package var bytes: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and numbers only: there is nothing that could fail.
        return (try? encoder.encode(self)).map { Array($0) } ?? []
    }
}

private struct StoredVersion: Decodable {
    var version: Int
}

/// A node that is there.
package struct StoredNode: StoredValue, Hashable {
    package static let schemaVersion = 1
    package static let bytesMax = 16 << 10
    package static let addressesMax = 64

    package var version = StoredNode.schemaVersion
    /// Of this installation, kept over restarts: two hosts that were given one name differ in it.
    package var instance: String
    /// Of the agent's program, for people.
    package var agent: String
    /// When it registered, for people.
    package var since: String
    /// False while its workloads are being written: what of them is missing is not gone.
    package var complete: Bool
    /// Of the host itself; nil: it does not tell them, or not yet while it is incomplete.
    package var addresses: [String]?

    package init(instance: String, agent: String, since: String, complete: Bool, addresses: [IPAddress]? = nil) {
        self.addresses = addresses.map { $0.prefix(StoredNode.addressesMax).map(\.description) }
        self.instance = instance
        self.agent = agent
        self.since = since
        self.complete = complete
    }
}

extension StoredNode {
    /// The host by its addresses; nil: it told none.
    func host(named name: String) throws(StoredValueError) -> ClusterWorkload? {
        guard let addresses else { return nil }
        guard addresses.count <= StoredNode.addressesMax else {
            throw StoredValueError(
                "it has \(addresses.count) addresses; at most \(StoredNode.addressesMax) are read")
        }
        var parsed: [IPAddress] = []
        for text in addresses {
            guard let address = IPAddress(text) else { throw StoredValueError("one of its addresses is none") }
            parsed.append(address)
        }
        return ClusterWorkload(host: name, addresses: parsed)
    }

    /// Whose a node's key is, of whatever version; empty: nobody can tell.
    package static func holder(_ bytes: [UInt8]) -> (instance: String, since: String) {
        struct Holder: Decodable {
            var instance: String?
            var since: String?
        }
        guard bytes.count <= bytesMax, let holder = try? JSONDecoder().decode(Holder.self, from: Data(bytes)) else {
            return ("", "unknown")
        }
        return (holder.instance ?? "", holder.since ?? "unknown")
    }
}

/// Who put a policy into the store, and when; for people.
package struct StoredAuthor: Hashable, Sendable {
    package var name: String
    package var at: String

    package init(name: String, at: String) {
        self.name = name
        self.at = at
    }
}

/// A policy, or an object that rules refer to.
package struct StoredDocument: StoredValue, Hashable {
    package static let schemaVersion = 1
    package static let bytesMax = 1 << 20

    package var version = StoredDocument.schemaVersion
    /// YAML or JSON.
    package var text: String
    /// Who applied it, for people: a node, a user.
    package var appliedBy: String
    package var appliedAt: String

    package init(text: String, appliedBy: String, appliedAt: String) {
        self.text = text
        self.appliedBy = appliedBy
        self.appliedAt = appliedAt
    }
}
