// SPDX-License-Identifier: Apache-2.0

import EventModel
import FlowAggregation
import PolicyModel
import Testing

@testable import PolicyLog

@Suite struct PolicyLogTests {
    private let all = LogRules(["a": LogSelection()])

    private func log() -> PolicyLog { PolicyLog(node: "n1") { "at \($0)" } }

    /// Ticks, with all lines written.
    private func written(_ log: inout PolicyLog, _ rules: LogRules? = nil, isLast: Bool = false) -> [String] {
        let lines = log.tick(by: rules ?? all, at: 9, isLast: isLast)
        log.note(lines, written: lines.count)
        return lines.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    @Test func `a connection is a line in the fields that collectors know`() {
        var log = log()
        log.take(Scene.flow(), by: all)
        #expect(
            written(&log) == [
                #"{"connection":{"src_ip":"10.1.0.2","dest_ip":"10.1.0.1","src_port":50000,"dest_port":443,"protocol":"tcp","#
                    + #""direction":"ingress"},"disposition":"allow","#
                    + #""policies":[{"kind":"NetworkPolicy","namespace":"shop","name":"web"}],"#
                    + #""src":{"pod_name":"db","pod_namespace":"shop","namespace":"shop"},"#
                    + #""dest":{"pod_name":"web","pod_namespace":"shop","namespace":"shop"},"#
                    + #""count":1,"node_name":"n1","timestamp":"at 1"}"# + "\n"
            ])
        #expect(log.written == 1 && log.notWritten == 0)
        #expect(written(&log) == [])
    }

    @Test func `who is nobody's workload is an instance, and what no policy decided has none`() throws {
        var log = log()
        log.take(Scene.flow(from: Scene.outside, rule: 0), by: all)
        let line = try #require(written(&log).first)
        #expect(line.contains(#""src":{"instance":"192.0.2.1"},"#) && line.contains(#""policies":[],"#))
    }

    @Test func `packets refused alike are one line with their number, once the window is over`() throws {
        var log = log()
        for port in UInt16(1)...10 { log.take(Scene.flow(.deny, sourcePort: port, packets: 2), by: all) }
        log.take(Scene.flow(.deny, port: 80), by: all)
        for _ in 1..<PolicyLog.windowTicks { #expect(written(&log) == []) }
        let lines = written(&log)
        #expect(
            lines.count == 2 && lines.contains { $0.contains(#""count":20,"#) && $0.contains(#""dest_port":443,"#) })
        #expect(lines.contains { $0.contains(#""count":1,"#) && $0.contains(#""reason":"policy-default-deny","#) })
        #expect(log.written == 21 && log.notWritten == 0)
    }

    @Test func `at the end what is still counted is written`() {
        var log = log()
        log.take(Scene.flow(.deny), by: all)
        #expect(written(&log, isLast: true).count == 1)
    }

    @Test func `what exceeds the bound is counted, and the log says so`() throws {
        let bounded = LogRules(["a": LogSelection(linesPerSecond: 3)])
        var log = log()
        for index in UInt64(1)...10 { log.take(Scene.flow(sequence: index), by: bounded) }
        let lines = written(&log, bounded)
        #expect(lines.count == 4 && lines.last == #"{"not_written":7,"node_name":"n1","timestamp":"at 9"}"# + "\n")
        #expect(log.written == 3 && log.notWritten == 7)
        log.take(Scene.flow(), by: bounded)
        #expect(written(&log, bounded).count == 1, "the next second has room, and nothing is told twice")
    }

    @Test func `several selections add up: a line is written while one of them has room`() {
        let two = LogRules([
            "few": LogSelection(linesPerSecond: 1), "more": LogSelection(dispositions: [.allow], linesPerSecond: 2),
        ])
        var log = log()
        for _ in 1...5 { log.take(Scene.flow(), by: two) }
        #expect(written(&log, two).count == 3 && log.written == 2 && log.notWritten == 3)
    }

    @Test func `lines that the file did not take are counted, and the loss is told when it does again`() {
        var log = log()
        for index in UInt64(1)...4 { log.take(Scene.flow(sequence: index), by: all) }
        let lines = log.tick(by: all, at: 9)
        log.note(lines, written: 1)
        #expect(log.written == 1 && log.notWritten == 3)
        let loss = log.tick(by: all, at: 9)
        #expect(loss.count == 1)
        log.note(loss, written: 0)
        #expect(
            written(&log).first?.contains(#"{"not_written":3,"#) == true, "the line that tells of it was lost itself")
        #expect(written(&log) == [])
    }

    @Test func `more kinds of denial than are counted together are lines at once`() {
        let wide = LogRules(["a": LogSelection(linesPerSecond: 100_000)])
        var log = log()
        for index in 0..<PolicyLog.windowsMax + 5 {
            log.take(Scene.flow(.deny, port: UInt16(index), sequence: UInt64(index + 1)), by: wide)
        }
        #expect(written(&log, wide).count == 5)
        #expect(written(&log, wide, isLast: true).count == PolicyLog.windowsMax)
    }

    @Test func `what was lost on the way is told of`() {
        var log = log()
        log.countLost(2)
        #expect(written(&log).first?.contains(#""not_written":2"#) == true && log.notWritten == 2)
    }

    @Test func `text of others cannot break a line`() {
        var json = JSONLine()
        json.object { $0.text("a\"b", "c\\\n\u{1}é") }
        #expect(String(decoding: json.bytes, as: UTF8.self) == #"{"a\"b":"c\\\u000a\u0001é"}"#)
    }
}
