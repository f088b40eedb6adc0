// SPDX-License-Identifier: Apache-2.0
import CLibbpf

extension BPFObject {
    /// Loads like `load()`, and returns for each program what the verifier said of its work.
    ///
    /// The text holds the lines `processed N insns …` and `stack depth A+B…`; kernels differ in the rest.
    package func loadCollectingStatistics() throws(BPFError) -> [String: String] {
        let names = programNames
        let byteCount = 64 << 10
        let buffer = UnsafeMutableBufferPointer<CChar>.allocate(capacity: byteCount * names.count)
        unsafe buffer.initialize(repeating: 0)
        defer { unsafe buffer.deallocate() }
        for (index, name) in names.enumerated() {
            let part = unsafe UnsafeMutableBufferPointer(rebasing: buffer[index * byteCount..<(index + 1) * byteCount])
            try unsafe collectStatistics(ofProgram: name, into: part)
        }
        func text(_ index: Int) -> String {
            let part = unsafe buffer[index * byteCount..<(index + 1) * byteCount]
            return unsafe String(decoding: part.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        var texts: [String: String] = [:]
        do throws(BPFError) {
            // The buffers belong to this object's programs.
            try load(processors: 1)
        } catch {
            // With a buffer of its own the verifier's complaint is there and not in libbpf's log.
            throw BPFError(
                errno: error.errno, operation: error.operation, log: error.log + names.indices.map(text).joined())
        }
        for (index, name) in names.enumerated() { texts[name] = text(index) }
        return texts
    }
}
