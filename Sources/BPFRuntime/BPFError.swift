// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A failed bpf(2) or libbpf call: what was tried, the kernel's error number, and what the kernel said.
///
/// One line by default, with the verifier's last useful line; the complete log stays in `log`.
package struct BPFError: Error, Sendable {
    /// The error number, positive (`EINVAL` …).
    package let errno: Int32
    /// What was tried, as a phrase after "cannot": `load program tc_from_endpoint`.
    package let operation: String
    /// What to do about it, if that is known.
    package var remedy: String?
    /// Everything libbpf said, the verifier's log included; may be megabytes.
    package var log: String

    package init(errno: Int32, operation: String, remedy: String? = nil, log: String = "") {
        self.errno = errno
        self.operation = operation
        self.remedy = remedy
        self.log = log
    }
}

extension BPFError {
    /// Somebody else's program is where this one was to go.
    package var isDeviceBusy: Bool { errno == EBUSY || errno == EEXIST }

    /// A table has no room left.
    package var isFull: Bool { errno == E2BIG }
}

extension BPFError: CustomStringConvertible {
    package var description: String {
        var text = "cannot \(operation): \(errorText(errno))"
        if let line = verifierComplaint { text += ": \(line)" }
        if let remedy { text += "; \(remedy)" }
        return text
    }

    /// What the verifier's log says after the last instruction it walked: the fault, usually one or two lines.
    package var verifierComplaint: String? {
        let start = log.range(of: "-- BEGIN PROG LOAD LOG --")
        let end = log.range(of: "-- END PROG LOAD LOG --")
        guard let start, let end, start.upperBound <= end.lowerBound else { return complaint(log[...]) }
        return complaint(log[start.upperBound..<end.lowerBound])
    }

    private func complaint(_ text: Substring) -> String? {
        let statistics = ["processed ", "verification time", "stack depth", "max_states"]
        let lines = text.split(whereSeparator: \.isNewline).filter { line in
            !line.allSatisfy(\.isWhitespace) && !statistics.contains { line.hasPrefix($0) }
        }
        let isWalk = { (line: Substring) in
            line.first?.isNumber == true || line.hasPrefix(";") || line.hasPrefix("from ")
        }
        let rest = lines.suffix(from: lines.lastIndex(where: isWalk).map { $0 + 1 } ?? lines.startIndex).suffix(4)
        return rest.isEmpty ? lines.last.map(String.init) : rest.joined(separator: "; ")
    }
}

extension String {
    /// The first place where `pattern` occurs (the standard library has this only with Foundation).
    fileprivate func range(of pattern: String) -> Range<String.Index>? {
        let haystack = utf8
        let needle = Array(pattern.utf8)
        var start = haystack.startIndex
        while start < haystack.endIndex {
            if haystack[start...].starts(with: needle) {
                return start..<haystack.index(start, offsetBy: needle.count)
            }
            start = haystack.index(after: start)
        }
        return nil
    }
}

/// The system's text for an error number, lower-case as in all our messages.
package func errorText(_ errno: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    guard unsafe strerror_r(errno, &buffer, buffer.count) == 0 else { return "error \(errno)" }
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let full = String(decoding: bytes, as: UTF8.self)
    return full.prefix(1).lowercased() + full.dropFirst()
}

/// Throws if a libbpf call returned a negative error number.
@discardableResult
func check(_ result: Int32, _ operation: @autoclosure () -> String) throws(BPFError) -> Int32 {
    guard result >= 0 else { throw BPFError(errno: -result, operation: operation()) }
    return result
}

/// Throws if a system call returned -1, with the thread's errno.
///
/// (Captured first: building the text may change it.)
@discardableResult
func checkPOSIX(_ result: Int32, _ operation: @autoclosure () -> String) throws(BPFError) -> Int32 {
    let number = errno
    guard result >= 0 else { throw BPFError(errno: number, operation: operation()) }
    return result
}

/// Throws if a libbpf function returned no object; libbpf has then set errno.
func check(_ pointer: OpaquePointer?, _ operation: @autoclosure () -> String) throws(BPFError) -> OpaquePointer {
    let number = errno
    guard let pointer = unsafe pointer else { throw BPFError(errno: number, operation: operation()) }
    return unsafe pointer
}
