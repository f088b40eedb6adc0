// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EventModel
import FlowAggregation
import IdentityModel
import NetworkModel

/// Flows as lines of NDJSON, with what DNS calls those outside.
struct FlowLines: Sendable {
    let cache: LearntNameCache
    let filter: NameFilter

    /// Lines that wait for a reader; beyond them flows are lost to this reader, and counted.
    private static let waitingLinesMax = 1024

    /// The newest of these flows that are meant, oldest first.
    func lines(_ flows: [Flow], last: Int) -> AsyncStream<[UInt8]> {
        var lines: [[UInt8]] = []
        for flow in flows.reversed() where lines.count < last {
            if let record = record(flow) { lines.append(FlowLines.line(record)) }
        }
        return AsyncStream { continuation in
            for line in lines.reversed() { continuation.yield(line) }
            continuation.finish()
        }
    }

    /// Each new flow as a line, and a line with the number of flows lost whenever that has grown.
    func follow(_ follower: FlowFollower) -> AsyncStream<[UInt8]> {
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream(
            bufferingPolicy: .bufferingOldest(FlowLines.waitingLinesMax))
        let task = Task {
            var unsent: UInt64 = 0
            var reported: UInt64 = 0
            for await flow in follower.flows {
                let lost = follower.lost + unsent
                if lost > reported, case .enqueued = continuation.yield(FlowLines.line(FlowLoss(lost: lost))) {
                    reported = lost
                }
                guard let record = record(flow) else { continue }
                if case .dropped = continuation.yield(FlowLines.line(record)) { unsent += 1 }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in
            task.cancel()
            follower.cancel()
        }
        return stream
    }

    /// Nil if its names are not what is asked for.
    private func record(_ flow: Flow) -> FlowRecord? {
        let event = flow.event
        // Workloads and the host have names of their own.
        let isOutside =
            flow.peer == nil
            && (event.peerIdentity == .world || NumericIdentity.prefixRange.contains(event.peerIdentity.rawValue))
        let names = isOutside ? cache.names(of: event.peerAddress, for: event.endpoint) : []
        guard filter.matches(names, event.direction) else { return nil }
        return FlowRecord(flow, peerNames: names)
    }

    private static func line(_ value: some Encodable) -> [UInt8] {
        ((try? APICoding.encode(value)) ?? Array("{}".utf8)) + [0x0a]
    }
}

/// Which flows a reader wants by the DNS name of an end; of several patterns in one field one must match.
struct NameFilter: Sendable {
    private let either: [NamePattern]
    private let source: [NamePattern]
    private let destination: [NamePattern]

    /// Throws for a text that is in no name.
    init(_ query: FlowQuery) throws(APIError) {
        either = try NameFilter.patterns(query.names)
        source = try NameFilter.patterns(query.sourceNames)
        destination = try NameFilter.patterns(query.destinationNames)
    }

    private static func patterns(_ texts: [String]) throws(APIError) -> [NamePattern] {
        var patterns: [NamePattern] = []
        for text in texts {
            guard let pattern = NamePattern(text) else {
                throw APIError(.badRequest, "no name \"\(text)\": a DNS name, in which * stands for any characters")
            }
            patterns.append(pattern)
        }
        return patterns
    }

    /// True if every flow is wanted.
    var isEmpty: Bool { either.isEmpty && source.isEmpty && destination.isEmpty }

    /// `names`: of the endpoint's peer, which is the destination on egress.
    func matches(_ names: [DomainName], _ direction: Direction) -> Bool {
        func hasOne(_ patterns: [NamePattern]) -> Bool {
            names.contains { name in patterns.contains { $0.matches(name) } }
        }
        return (either.isEmpty || hasOne(either))
            && (source.isEmpty || direction == .ingress && hasOne(source))
            && (destination.isEmpty || direction == .egress && hasOne(destination))
    }
}
