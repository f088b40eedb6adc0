// SPDX-License-Identifier: Apache-2.0

/// Finds the parts of a JSON text without decoding it.
///
/// An object of a cluster is handed on as it was written, and one that cannot be decoded must not cost the others of its
/// list. Strings and nesting are followed, nothing else is judged: what is inside a part is its reader's affair.
package struct JSONSlices {
    /// Deeper nesting is refused.
    package static let depthMax = 512

    private let bytes: ArraySlice<UInt8>
    private var place: Int

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        place = bytes.startIndex
    }

    /// The members of an object in their order, with their values' texts; nil if it is no object.
    ///
    /// Keys with escapes are left as they are written.
    package static func members(_ text: ArraySlice<UInt8>) -> [(key: String, value: ArraySlice<UInt8>)]? {
        var scanner = JSONSlices(text)
        guard scanner.take(UInt8(ascii: "{")) else { return nil }
        var members: [(key: String, value: ArraySlice<UInt8>)] = []
        if scanner.take(UInt8(ascii: "}")) { return scanner.isAtEnd ? members : nil }
        while true {
            scanner.skipBlanks()
            guard let key = scanner.string(), scanner.take(UInt8(ascii: ":")), let value = scanner.value() else {
                return nil
            }
            members.append((String(decoding: key.dropFirst().dropLast(), as: UTF8.self), value))
            if scanner.take(UInt8(ascii: ",")) { continue }
            return scanner.take(UInt8(ascii: "}")) && scanner.isAtEnd ? members : nil
        }
    }

    /// One member's text; nil without it.
    package static func member(_ key: String, of text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        members(text)?.last { $0.key == key }?.value
    }

    /// The elements of an array; nil if it is none.
    package static func elements(_ text: ArraySlice<UInt8>) -> [ArraySlice<UInt8>]? {
        var scanner = JSONSlices(text)
        guard scanner.take(UInt8(ascii: "[")) else { return nil }
        var elements: [ArraySlice<UInt8>] = []
        if scanner.take(UInt8(ascii: "]")) { return scanner.isAtEnd ? elements : nil }
        while true {
            guard let value = scanner.value() else { return nil }
            elements.append(value)
            if scanner.take(UInt8(ascii: ",")) { continue }
            return scanner.take(UInt8(ascii: "]")) && scanner.isAtEnd ? elements : nil
        }
    }

    private var isAtEnd: Bool {
        mutating get {
            skipBlanks()
            return place == bytes.endIndex
        }
    }

    private mutating func skipBlanks() {
        while place < bytes.endIndex, [9, 10, 13, 32].contains(bytes[place]) { place += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipBlanks()
        guard place < bytes.endIndex, bytes[place] == byte else { return false }
        place += 1
        return true
    }

    /// A string with its quotes.
    private mutating func string() -> ArraySlice<UInt8>? {
        guard place < bytes.endIndex, bytes[place] == UInt8(ascii: "\"") else { return nil }
        let start = place
        place += 1
        while place < bytes.endIndex {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                place += 1
                return bytes[start..<place]
            case UInt8(ascii: "\\"): place += 2
            default: place += 1
            }
        }
        return nil
    }

    /// Whatever stands here.
    private mutating func value() -> ArraySlice<UInt8>? {
        skipBlanks()
        let start = place
        var closers: [UInt8] = []
        while place < bytes.endIndex {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                guard string() != nil else { return nil }
            case UInt8(ascii: "{"):
                closers.append(UInt8(ascii: "}"))
                place += 1
            case UInt8(ascii: "["):
                closers.append(UInt8(ascii: "]"))
                place += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                // Of what this is in.
                guard let closer = closers.popLast() else { return finish(start) }
                guard closer == bytes[place] else { return nil }
                place += 1
            case UInt8(ascii: ",") where closers.isEmpty: return finish(start)
            default: place += 1
            }
            guard closers.count <= JSONSlices.depthMax else { return nil }
        }
        return closers.isEmpty ? finish(start) : nil
    }

    private func finish(_ start: Int) -> ArraySlice<UInt8>? {
        // A backslash may stand before the end.
        let end = min(place, bytes.endIndex)
        var last = end
        while last > start, [9, 10, 13, 32].contains(bytes[last - 1]) { last -= 1 }
        return last > start ? bytes[start..<last] : nil
    }
}
