// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import EventModel
import Glibc
import IdentityModel
import NetworkModel
import PolicyCompiler
package import PolicyReading
package import PolicyTesting
import TableEncoding

/// Judges in the kernel: the compiled tables are written into tables of the kernel's own, and each probe's packet runs
/// through the endpoint programs (`BPF_PROG_TEST_RUN`).
///
/// The programs and tables are this engine's: nothing is pinned and nothing attached, so a running agent is not touched
/// and the kernel takes everything back when the process ends, however it ends.
package final class KernelEngine: PolicyTestEngine {
    package let name = "kernel"
    private var datapath: ProbeDatapath
    private var view: ClusterView?
    /// Numbers of the endpoints whose addresses the kernel knows.
    private var numbers: [String: UInt16] = [:]
    private var current: ClusterView.Endpoint?

    /// Loads the programs; throws `KernelEngineError.notPermitted` without the right to.
    package init() throws {
        do {
            datapath = try ProbeDatapath(ClusterView.smallestCapacity)
        } catch  where [EPERM, EACCES].contains(error.errno) {
            throw KernelEngineError.notPermitted
        }
    }

    package func load(_ view: ClusterView) throws {
        try forgetEndpoints()
        if !datapath.holds(view.tables.capacity) { datapath = try ProbeDatapath(view.tables.capacity) }
        datapath.commit(view.tables)
        self.view = view
    }

    package func judge(_ probe: PolicyTest.Probe, at ends: [ProbeEnd]) throws -> [ProbeOutcome.Side] {
        // Between the two ends flows stay: who talks to itself is recognised by what it sent.
        datapath.forgetFlows()
        let frame = ProbePacket(probe).bytes
        return try ends.map { end in
            guard let endpoint = view?.endpoint(of: end.workload) else {
                throw KernelEngineError.unknownWorkload(end.workload.key)
            }
            let stageSubject = end.stage == nil ? nil : view?.subject(of: end)
            if end.stage != nil, stageSubject == nil, view?.untrackedSubject(of: end) == nil {
                return .init(direction: end.direction, stage: end.stage, verdict: .allow, cause: nil)
            }
            datapath.setStages(forward: stageSubject ?? 0, untracked: view?.untrackedSubject(of: end) ?? 0)
            try select(endpoint)
            if let view, !view.test.names.isEmpty {
                let peer = probe.peer(of: end.direction)
                datapath.learn(view.nameNumbers(of: peer), of: peer, at: numbers[endpoint.name] ?? 0)
            }
            var events = try datapath.run(
                frame, end.direction, isHost: endpoint.isHost, isForwarded: end.stage != nil)
            if endpoint.isService, events.count == 1, events[0].verdict != .deny, events[0].state == .untracked {
                // What policies without flows let in, the service's own judge at its sockets.
                datapath.setStages(forward: 0, untracked: 0)
                let own = try datapath.run(frame, end.direction, isHost: true, isForwarded: false)
                events = (events[0].verdict == .audit ? events : []) + own
            }
            let sides = try events.map { try side($0, end, probe) }
            let nothing = ProbeOutcome.Side(direction: end.direction, stage: end.stage, verdict: .allow, cause: nil)
            return sides.dropLast().last?.followed(by: sides.last ?? nothing) ?? sides.last ?? nothing
        }
    }

    // MARK: - Endpoints

    /// Makes an endpoint the one behind the interface of the test runs.
    private func select(_ endpoint: ClusterView.Endpoint) throws {
        guard endpoint != current else { return }
        if numbers.count == Int(UInt16.max) - 1 { try forgetEndpoints() }
        let isKnown = numbers[endpoint.name] != nil
        let number = numbers[endpoint.name] ?? UInt16(numbers.count + 1)
        if !isKnown { try datapath.addAddresses(endpoint.addresses, of: number) }
        numbers[endpoint.name] = number
        try datapath.setEndpoint(
            number, subject: endpoint.subject, identity: endpoint.identity.rawValue, isHost: endpoint.isHost)
        current = endpoint
    }

    private func forgetEndpoints() throws {
        current = nil
        numbers = [:]
        try datapath.forgetAddresses()
    }

    // MARK: - Verdicts

    private func side(
        _ event: FlowEvent, _ end: ProbeEnd, _ probe: PolicyTest.Probe
    ) throws -> ProbeOutcome.Side {
        let verdict: PolicyTest.Expectation =
            switch event.verdict {
            case .allow: .allow
            case .audit: .audit
            case .deny: .deny
            case .redirect: throw KernelEngineError.noAnswer("a redirect for \(probe.text)")
            }
        return ProbeOutcome.Side(direction: end.direction, stage: end.stage, verdict: verdict, cause: cause(of: event))
    }

    /// The rule; where no policy was asked, the drop reason.
    private func cause(of event: FlowEvent) -> RuleDescription? {
        switch event.reason {
        case .none, .policyDeny, .policyDefaultDeny, .icmpUnrelated: view?.cause(ofRule: event.rule)
        default: .builtin(event.reason.name)
        }
    }
}

/// Why the kernel cannot judge.
package enum KernelEngineError: Error, CustomStringConvertible {
    case notPermitted
    /// Of the runner: a workload that is none of the test's.
    case unknownWorkload(String)
    /// The programs did what they never do.
    case noAnswer(String)

    package var description: String {
        switch self {
        case .notPermitted:
            "the kernel engine loads programs into the kernel, which needs root: run it with sudo, or use --engine model"
        case .unknownWorkload(let name): "workload \(name) is not of this test: report it"
        case .noAnswer(let text): "the kernel's programs gave \(text): report it"
        }
    }
}
