// SPDX-License-Identifier: Apache-2.0

/// Reads any bytes as the body of a watch, and as a list, and checks what every reading promises; false if a promise is broken.
package func fuzzKubernetesReader(_ bytes: [UInt8]) -> Bool {
    guard splitsAlike(bytes) else { return false }
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
        let line = Array(line)
        _ = try? WatchEvent(line, request: "fuzz")
        guard let view = try? JSONView(line) else { continue }
        guard walk(view) > 0, readsAgain(view), scansAlike(line) else { return false }
        guard let object = RawObject(view) else { continue }
        // What is handed on is the object itself.
        guard (try? object.view)?["metadata"]?["name"]?.string == object.meta.name, (try? Pod(object)) != nil else {
            return false
        }
    }
    if let page = try? ListPage(bytes, request: "fuzz") { _ = page.forEach { _ in } }
    return true
}

/// Lines are the same wherever chunks end.
private func splitsAlike(_ bytes: [UInt8]) -> Bool {
    var whole = LineSplitter(bytesMax: 1 << 20), pieces = LineSplitter(bytesMax: 1 << 20)
    guard var lines = try? whole.lines(bytes) else { return false }
    let size = Int(bytes.first ?? 0) % 7 + 1
    var others: [[UInt8]] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
        guard let more = try? pieces.lines(bytes[start..<min(start + size, bytes.count)]) else { return false }
        others += more
    }
    lines += whole.finish().map { [$0] } ?? []
    others += pieces.finish().map { [$0] } ?? []
    return lines == others
}

/// Visits everything; how many values there are.
private func walk(_ view: JSONView) -> Int {
    _ = (view.string, view.integer, view.boolean, view.strings)
    return view.elements.reduce(1) { $0 + walk($1) }
        + view.keys.reduce(0) { sum, key in sum + (view[key].map(walk) ?? 0) }
}

/// A part, taken out, is the same value.
private func readsAgain(_ view: JSONView) -> Bool {
    for part in view.elements {
        guard let again = try? JSONView(Array(part.bytes)), again.keys == part.keys, again.string == part.string else {
            return false
        }
    }
    return true
}

/// The scanner that cuts texts finds the same parts as the one that reads them.
private func scansAlike(_ text: [UInt8]) -> Bool {
    guard let view = try? JSONView(text) else { return true }
    if view.isObject { return JSONSlices.members(text[...])?.count == view.keys.count }
    return JSONSlices.elements(text[...]).map { $0.count == view.elements.count } ?? true
}
