// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import Testing

@Suite struct LineSplitterTests {
    @Test(arguments: [1, 2, 3, 7, 100])
    func `lines are the same wherever chunks end`(size: Int) throws {
        let text = Array("one\r\ntwo\n\n{\"a\":\"ü\"}\nlast".utf8)
        var splitter = LineSplitter()
        var lines: [String] = []
        for start in stride(from: 0, to: text.count, by: size) {
            let chunk = text[start..<min(start + size, text.count)]
            lines += try splitter.lines(chunk).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(lines == ["one", "two", "{\"a\":\"ü\"}"])
        #expect(splitter.finish() == Array("last".utf8) && splitter.finish() == nil)
    }

    @Test func `a line without an end takes no memory beyond the bound`() throws {
        var splitter = LineSplitter(bytesMax: 10)
        #expect(try splitter.lines(Array("0123456789".utf8)).isEmpty)
        #expect(throws: KubernetesError.self) { try splitter.lines([48]) }
        var other = LineSplitter(bytesMax: 10)
        #expect(throws: KubernetesError.self) { try other.lines(Array("01234567890\n".utf8)) }
    }
}
