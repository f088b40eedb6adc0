// SPDX-License-Identifier: Apache-2.0

/// What is listed and watched, as targets of requests.
struct WatchQuery: Sendable {
    static let pageSize = 500

    let kind: ResourceKind
    var namespace: String?
    var fieldSelector: String?
    var labelSelector: String?

    private var path: String { kind.path(namespace: namespace) }

    private func target(_ parameters: [(String, String)]) -> String {
        var all = parameters
        if let fieldSelector { all.append(("fieldSelector", fieldSelector)) }
        if let labelSelector { all.append(("labelSelector", labelSelector)) }
        return path + "?" + all.map { "\($0)=\(WatchQuery.encoded($1))" }.joined(separator: "&")
    }

    /// A page; `next`: nil: the first one.
    func list(next: String?) -> String {
        target([("limit", "\(WatchQuery.pageSize)")] + (next.map { [("continue", $0)] } ?? []))
    }

    /// Changes since a version; nil: all there is first, then a bookmark, then what changes (a watch-list).
    func watch(since version: String?, seconds: Int) -> String {
        var parameters = [("watch", "1"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", "\(seconds)")]
        if let version {
            parameters.append(("resourceVersion", version))
        } else {
            parameters += [("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")]
        }
        return target(parameters)
    }

    /// RFC 3986: all but letters, digits and `-._~` as `%XX`.
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: out.append(byte)
            default: out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
