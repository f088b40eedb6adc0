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

    /// Undoes escapes; a broken one stays as it is.
    static func decode(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == 0x25, digits.count == 2, let value = UInt8(String(Substring(digits)), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `/v1/policies/a%2Fb?force=true`.
    static func target(path: [String], query: [(name: String, value: String)]) -> String {
        let items = query.map { "\(encode($0.name))=\(encode($0.value))" }.joined(separator: "&")
        return "/" + path.map(encode).joined(separator: "/") + (items.isEmpty ? "" : "?" + items)
    }

    /// Splits a request target into decoded segments and items.
    static func split(target: String) -> (path: [String], query: [(name: String, value: String)]) {
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = (halves.first ?? "").split(separator: "/").map(decode)
        let items = halves.count < 2 ? [] : halves[1].split(separator: "&")
        let query = items.map { item -> (name: String, value: String) in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (decode(parts[0]), parts.count < 2 ? "" : decode(parts[1]))
        }
        return (path, query)
    }
}
