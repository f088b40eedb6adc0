// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import NetworkModel
import PolicyCompiler

extension Explanation {
    /// Corrects what policies say by the failsafe ports of the host, which no policy closes.
    ///
    /// The port asked for is the local one of what reaches the host, and the remote one of what it sends.
    mutating func apply(
        _ failsafes: Set<FailsafePort>, proto: IPProtocol, port: UInt16?, fromHost: Bool, toHost: Bool
    ) {
        guard let port else { return }
        func isFailsafe(_ direction: Direction) -> Bool {
            failsafes.contains(FailsafePort(port: port, proto: proto, direction: direction))
        }
        if fromHost, isFailsafe(.egress) { egress?.pass() }
        if toHost, isFailsafe(.ingress) { ingress?.pass() }
        conclude()
    }

    /// Leaves out what the host's policies say of traffic that crosses none of the devices where they are asked.
    mutating func leaveOutHost(fromHost: Bool, toHost: Bool) {
        if fromHost { egress = nil }
        if toHost { ingress = nil }
        conclude()
    }

    private mutating func conclude() {
        let verdicts = [egress?.verdict, ingress?.verdict]
        verdict = verdicts.contains(.deny) ? .deny : verdicts.contains(.audit) ? .audit : .allow
    }
}

extension Explanation.Side {
    fileprivate mutating func pass() {
        guard verdict != .allow else { return }
        verdict = .allow
        cause = .builtin("failsafe")
        for index in findings.indices where findings[index].outcome == .decides { findings[index].outcome = .matches }
    }
}
