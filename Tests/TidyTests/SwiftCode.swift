// SPDX-License-Identifier: Apache-2.0

/// Swift text with comments and the inside of string literals blanked out, line for line and byte for byte, so that
/// rules look at code only.
struct SwiftCode {
    let lines: [String]

    init(_ text: String) {
        var scanner = Scanner(bytes: Array(text.utf8))
        scanner.run()
        lines = String(decoding: scanner.bytes, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private struct Scanner {
        var bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func run() {
            while position < bytes.count {
                let byte = bytes[position]
                guard byte == UInt8(ascii: "/") || byte == UInt8(ascii: "#") || byte == UInt8(ascii: "\"") else {
                    position += 1
                    continue
                }
                if starts("//") {
                    while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { blank() }
                } else if starts("/*") {
                    blankComment()
                } else if let hashes = openingOfString() {
                    blankString(hashes: hashes)
                } else {
                    position += 1
                }
            }
        }

        func starts(_ word: StaticString, at offset: Int = 0) -> Bool {
            word.withUTF8Buffer { unsafe bytes.dropFirst(position + offset).starts(with: $0) }
        }

        mutating func blank(_ count: Int = 1) {
            for index in position..<min(position + count, bytes.count) where bytes[index] != UInt8(ascii: "\n") {
                bytes[index] = UInt8(ascii: " ")
            }
            position += count
        }

        mutating func blankComment() {
            var depth = 0
            repeat {
                if starts("/*") {
                    depth += 1
                    blank(2)
                } else if starts("*/") {
                    depth -= 1
                    blank(2)
                } else {
                    blank()
                }
            } while depth > 0 && position < bytes.count
        }

        /// The number of `#` before a quote that opens a string here, or nil.
        func openingOfString() -> Int? {
            var hashes = 0
            while position + hashes < bytes.count, bytes[position + hashes] == UInt8(ascii: "#") { hashes += 1 }
            return starts("\"", at: hashes) ? hashes : nil
        }

        mutating func blankString(hashes: Int) {
            position += hashes
            let quotes = starts("\"\"\"") ? 3 : 1
            position += quotes
            while position < bytes.count {
                if bytes[position] == UInt8(ascii: "\\"), hashes == 0 {
                    blank(2)
                } else if closes(quotes: quotes, hashes: hashes) {
                    position += quotes + hashes
                    return
                } else {
                    blank()
                }
            }
        }

        func closes(quotes: Int, hashes: Int) -> Bool {
            let end = position + quotes + hashes
            guard end <= bytes.count else { return false }
            return bytes[position..<position + quotes].allSatisfy { $0 == UInt8(ascii: "\"") }
                && bytes[position + quotes..<end].allSatisfy { $0 == UInt8(ascii: "#") }
        }
    }
}
