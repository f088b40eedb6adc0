// SPDX-License-Identifier: Apache-2.0

/// An error as the specification has a plugin print it.
package struct CNIError: Error, Hashable, Sendable {
    /// The specification's codes, and from 100 our own.
    package enum Code: Int, Sendable {
        case incompatibleVersion = 1
        case badEnvironment = 4
        case cannotRead = 5
        case cannotDecode = 6
        case badConfiguration = 7
        case tryAgainLater = 11
        /// STATUS: an ADD would fail.
        case notAvailable = 50
        /// The agent cannot enforce there, and says why.
        case refused = 100
        /// CHECK: the agent does not know the attachment, or it is not in force.
        case notInForce = 101
    }

    package var code: Code
    /// Object, cause; lower-case.
    package var message: String
    /// The remedy, or what somebody else said.
    package var details: String

    package init(_ code: Code, _ message: String, details: String = "") {
        self.code = code
        self.message = message
        self.details = details
    }

    /// What goes to standard output.
    func json(_ version: CNIVersion) -> JSONValue {
        var object: JSONObject = [
            "cniVersion": .string(version.rawValue), "code": .integer(code.rawValue), "msg": .string(message),
        ]
        if !details.isEmpty { object["details"] = .string(details) }
        return .object(object)
    }
}

/// Versions of the specification that are spoken, in their order.
package enum CNIVersion: String, CaseIterable, Comparable, Sendable {
    case v030 = "0.3.0"
    case v031 = "0.3.1"
    case v040 = "0.4.0"
    case v100 = "1.0.0"
    case v110 = "1.1.0"

    /// Before it addresses said of which family they are.
    static let withoutFamilies = CNIVersion.v100

    package static func < (a: CNIVersion, b: CNIVersion) -> Bool { a.rawValue < b.rawValue }
}
