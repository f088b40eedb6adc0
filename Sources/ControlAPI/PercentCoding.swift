// SPDX-License-Identifier: Apache-2.0

/// Percent encoding of path segments and query items (RFC 3986 §2).
enum PercentCoding {
    /// Escapes everything but unreserved characters.
    static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += byte < 16 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }

    /// Undoes escapes; nil if one is broken or the bytes are no text.
    static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == 0x25 {
                // `UInt8` would take a sign.
                guard digits.count == 2, digits.allSatisfy({ $0 != 0x2b && $0 != 0x2d }),
                    let value = UInt8(String(Substring(digits)), radix: 16)
                else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// `/v1/policies/a%2Fb?force=true`.
    static func target(path: [String], query: [(name: String, value: String)]) -> String {
        let items = query.map { "\(encode($0.name))=\(encode($0.value))" }.joined(separator: "&")
        return "/" + path.map(encode).joined(separator: "/") + (items.isEmpty ? "" : "?" + items)
    }

    /// Splits a request target into decoded segments and items.
    static func split(
        target: String
    ) throws(APIError) -> (path: [String], query: [(name: String, value: String)]) {
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var path: [String] = []
        for segment in (halves.first ?? "").split(separator: "/") { path.append(try whole(segment)) }
        var query: [(name: String, value: String)] = []
        for item in halves.count < 2 ? [] : halves[1].split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query.append((try whole(parts[0]), parts.count < 2 ? "" : try whole(parts[1])))
        }
        return (path, query)
    }

    private static func whole(_ text: Substring) throws(APIError) -> String {
        guard let decoded = decode(text) else {
            throw APIError(.badRequest, "\"\(text)\" in the request's target is not percent-encoded text")
        }
        return decoded
    }
}
