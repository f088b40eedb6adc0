// SPDX-License-Identifier: Apache-2.0

import EventModel
package import FlowAggregation
import NetworkModel
import PolicyModel

/// Turns flows into lines of the policy log: no clock and no file of its own.
///
/// Connections let through are a line each. Packets refused alike within a few seconds are one line with their number. Every
/// decision that is wanted is either in a line or in `notWritten`, and the log itself says how many are missing.
package struct PolicyLog: Sendable {
    /// Packets with these in common are told of together; a client takes another port for each try.
    private struct Denial: Hashable {
        let source: IPAddress
        let destination: IPAddress
        let port: UInt16
        let ipProtocol: IPProtocol
        let direction: Direction
        let endpoint: UInt16
        let rule: UInt32
        let reason: DropReason

        init(_ event: FlowEvent) {
            source = event.source
            destination = event.destination
            port = event.destinationPort
            ipProtocol = event.ipProtocol
            direction = event.direction
            endpoint = event.endpoint
            rule = event.rule
            reason = event.reason
        }
    }

    private struct Window {
        let flow: Flow
        let selections: [String]
        var count: UInt64
        let begin: UInt64
    }

    /// Ticks for which packets refused alike are counted together.
    package static let windowTicks: UInt64 = 5
    /// Kinds of denial counted at a time; of others each packet is a line.
    package static let windowsMax = 4096
    /// Bytes that wait to be written.
    package static let pendingMax = 8 << 20

    /// Decisions in lines since the start; a line of a denial stands for several.
    package private(set) var written: UInt64 = 0
    /// Decisions that are in no line: over the bound, the reader too late, or a file that takes nothing.
    package private(set) var notWritten: UInt64 = 0

    private let node: String
    private let timeText: @Sendable (Int64) -> String
    private var windows: [Denial: Window] = [:]
    private var used: [String: Int] = [:]
    private var pending: [Line] = []
    private var pendingBytes = 0
    private var ticks: UInt64 = 0
    private var told: UInt64 = 0

    /// One line of the log.
    package struct Line: Sendable {
        package let bytes: [UInt8]
        /// How many are lost with it.
        let decisions: UInt64
        /// How many the log knows to be missing once this is in it.
        var told: UInt64?
    }

    /// Makes an empty log.
    ///
    /// `node`: this host's name. `timeText`: RFC 3339 of nanoseconds since 1970.
    package init(node: String, timeText: @escaping @Sendable (Int64) -> String) {
        self.node = node
        self.timeText = timeText
    }

    /// Takes a flow if the rules want it.
    package mutating func take(_ flow: Flow, by rules: LogRules) {
        guard let disposition = flow.disposition else { return }
        let names = rules.selections(of: flow)
        guard !names.isEmpty else { return }
        guard disposition == .deny else { return emit(flow, 1, names, rules) }
        let count = UInt64(max(1, flow.event.packets))
        let key = Denial(flow.event)
        if windows[key] != nil {
            windows[key]?.count += count
        } else if windows.count < PolicyLog.windowsMax {
            windows[key] = Window(flow: flow, selections: names, count: count, begin: ticks)
        } else {
            emit(flow, count, names, rules)
        }
    }

    /// Decisions that were lost on the way here.
    package mutating func countLost(_ decisions: UInt64) { notWritten += decisions }

    /// A second has passed: the lines that are to be written now; `note` says what became of them before the next tick.
    ///
    /// `time`: nanoseconds since 1970. `isLast`: no more will come.
    package mutating func tick(by rules: LogRules, at time: Int64, isLast: Bool = false) -> [Line] {
        ticks += 1
        let due = windows.filter { isLast || ticks >= $0.value.begin + PolicyLog.windowTicks }
        // The bound counts in the order of time, whichever way the table has them.
        for (key, window) in due.sorted(by: { $0.value.flow.sequence < $1.value.flow.sequence }) {
            windows[key] = nil
            emit(window.flow, window.count, window.selections, rules)
        }
        used = [:]
        if notWritten > told {
            let loss = LogLoss(count: notWritten - told, node: node, timestamp: timeText(time))
            pending.append(Line(bytes: loss.line, decisions: 0, told: notWritten))
        }
        defer { (pending, pendingBytes) = ([], 0) }
        return pending
    }

    /// Only the first of these lines were written.
    package mutating func note(_ lines: [Line], written count: Int) {
        for line in lines.prefix(count) {
            written += line.decisions
            if let told = line.told { self.told = told }
        }
        for line in lines.dropFirst(count) { notWritten += line.decisions }
    }

    private mutating func emit(_ flow: Flow, _ count: UInt64, _ names: [String], _ rules: LogRules) {
        let isWithin = names.contains { name in
            used[name, default: 0] < rules.selections[name]?.linesPerSecond ?? 0
        }
        guard isWithin, pendingBytes < PolicyLog.pendingMax, let disposition = flow.disposition else {
            notWritten += count
            return
        }
        for name in names { used[name, default: 0] += 1 }
        let record = LogRecord(
            flow: flow, disposition: disposition, node: node, timestamp: timeText(flow.time), count: count)
        let line = Line(bytes: record.line, decisions: count)
        pending.append(line)
        pendingBytes += line.bytes.count
    }
}
