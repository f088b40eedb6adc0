// SPDX-License-Identifier: Apache-2.0

/// The server's word about a request: the object of kind `Status`.
struct APIStatus {
    var reason: String?
    var message: String?
    var code: Int?
    /// Seconds.
    var retryAfter: Double?

    /// Nil: the text is no Status.
    init?(_ text: ArraySlice<UInt8>) {
        guard let view = try? JSONView(Array(text)) else { return nil }
        self.init(view)
    }

    /// Nil: the object is no Status.
    init?(_ object: JSONView) {
        guard object["kind"]?.string == "Status" else { return nil }
        reason = object["reason"]?.string
        message = object["message"]?.string
        code = object["code"]?.integer
        // Asked to wait for longer one tries all the same: it may be a proxy's word.
        retryAfter = object["details"]?["retryAfterSeconds"]?.integer.map { Double(min(max($0, 0), 300)) }
    }
}
