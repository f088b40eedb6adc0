// SPDX-License-Identifier: Apache-2.0

/// Why the store did not do what it was asked, for people and for what happens next.
package struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// No member answers: try another, later.
        case unavailable
        /// User, password or certificate.
        case authentication
        /// The token ran out: ask for another.
        case token
        /// The user may not.
        case permission
        /// What was asked for is not kept any more: list.
        case compacted
        /// The lease ran out.
        case leaseGone
        /// NOSPACE: the members write nothing until somebody makes room.
        case full
        /// Another node is registered under this name.
        case nameTaken
        /// Somebody else wrote the node's registration.
        case registrationLost
        /// The request cannot be carried out as it is.
        case refused
        /// What came back is not what etcd says.
        case protocolViolation
    }

    package let kind: Kind
    /// Lower-case first word, no full stop.
    package let message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }

    /// What etcd means by the status of a call.
    ///
    /// `code`: of gRPC.
    static func status(_ code: Int, _ text: String) -> StoreError {
        let kind: Kind =
            switch code {
            case 5 where text.contains("lease not found"): .leaseGone
            case 7: .permission
            case 8 where text.contains("space exceeded"): .full
            case 11: .compacted
            case 16: .token
            case 3 where text.contains("authentication failed") || text.contains("user name is empty"):
                .authentication
            case 3 where text.contains("revision of auth store is old"): .token
            case 1, 4, 8, 13, 14: .unavailable
            default: .refused
            }
        return StoreError(kind, advice(kind, text))
    }

    private static func advice(_ kind: Kind, _ text: String) -> String {
        switch kind {
        case .full: "the store is full (NOSPACE): compact and defragment it, or raise its quota; then disarm the alarm"
        case .authentication where text.contains("user name is empty"): "the store wants a user and a password"
        case .authentication: "the store refuses the user or the password"
        case .permission: "the store's user has no permission for these keys"
        default: text
        }
    }
}
