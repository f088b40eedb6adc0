// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// `bulkhead observe` for people: one line for a flow.
enum FlowRendering {
    /// Time, verdict, direction, protocol, both sides and the cause.
    static func line(_ flow: FlowRecord, color: Bool = false) -> String {
        let verdict = padded(flow.verdict.forTerminal, 8)
        let painted = color ? "\u{1b}[\(code(flow.verdict))m\(verdict)\u{1b}[0m" : verdict
        let cause = [flow.reason, flow.rule.isEmpty ? nil : flow.rule].compactMap { $0 }.joined(separator: ": ")
        let source = flow.ruleSource.map { " at \($0)" } ?? ""
        let count = flow.packets > 1 ? "  \(flow.packets) packets" : ""
        let rest =
            "\(padded(flow.direction, 7)) \(padded(traffic(flow), 6)) "
            + "\(side(flow.source)) -> \(side(flow.destination))  \(cause)\(source)\(count)"
        // The colour is ours, everything else is not.
        return "\(clock(flow.time).forTerminal) \(painted) \(rest.forTerminal)"
    }

    /// A loss between flows.
    static func line(_ loss: FlowLoss) -> String {
        "… \(loss.lost) flows lost so far: this reader is too slow; narrow the filter"
    }

    private static func traffic(_ flow: FlowRecord) -> String {
        guard let type = flow.icmpType else { return flow.protocol }
        return "\(flow.protocol) type \(type)" + (flow.icmpCode.map { $0 == 0 ? "" : " code \($0)" } ?? "")
    }

    private static func side(_ side: FlowSide) -> String {
        let address = side.port.map { port in
            side.address.contains(":") ? "[\(side.address)]:\(port)" : "\(side.address):\(port)"
        }
        return (address ?? side.address) + " (\(name(side)))"
    }

    private static func name(_ side: FlowSide) -> String {
        if let endpoint = side.endpoint { return endpoint }
        // An address may have more names than anybody reads.
        if let names = side.names, !names.isEmpty {
            return names.prefix(2).joined(separator: ",") + (names.count > 2 ? ",… \(names.count)" : "")
        }
        if !side.labels.isEmpty { return side.labels.joined(separator: ",") }
        return side.identity.map { "identity \($0)" } ?? "unknown"
    }

    /// The time of day to the microsecond.
    private static func clock(_ time: String) -> String {
        guard let start = time.firstIndex(of: "T") else { return time }
        return String(time[time.index(after: start)...].prefix(15))
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func code(_ verdict: String) -> String {
        switch verdict {
        case "deny": "31"
        case "audit": "33"
        default: "32"
        }
    }
}
