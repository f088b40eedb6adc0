// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// The server's word about a request: the object of kind `Status`.
struct APIStatus: Decodable {
    struct Details: Decodable {
        var retryAfterSeconds: Double?
    }

    var kind: String?
    var reason: String?
    var message: String?
    var code: Int?
    var details: Details?

    /// Nil: the text is no Status.
    init?(_ text: ArraySlice<UInt8>) {
        guard let status = try? JSONDecoder().decode(APIStatus.self, from: Data(text)), status.kind == "Status" else {
            return nil
        }
        self = status
    }
}
