// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import NetworkModel
import PolicyModel

extension AgentState {
    /// Tells the kernel which ports of the host no policy closes.
    ///
    /// Those configured; and SSH besides, if `policies` close it and nobody said that they may. Policies found at the
    /// start (after the host endpoint was switched on, or its failsafe ports were changed) have passed no check.
    func updateFailsafes(for policies: [PolicyReference: Policy]) {
        let host = configuration.hostEndpoint
        var ports = host.isEnabled ? host.failsafes : []
        let lockout = lockoutGuard.lockout(policies)
        if lockout == nil { isLockoutForced = false }
        if let lockout, !isLockoutForced {
            ports.insert(FailsafePort(port: lockout.port, proto: .tcp, direction: .ingress))
            report(
                "host endpoint",
                "\(lockout.cause) would close TCP port \(lockout.port) of this host to \(lockout.origin): it is kept "
                    + "open; allow it in a policy, add `ingress tcp/\(lockout.port)` to the failsafe ports, or close it "
                    + "with `bulkhead policy apply --force`")
        } else {
            clearProblem("host endpoint")
        }
        guard ports != failsafes else { return }
        do {
            try datapath.setFailsafes(ports)
            failsafes = ports
        } catch {
            report("failsafe ports", "\(error)")
            return
        }
        clearProblem("failsafe ports")
    }

    /// After a change of policies: what somebody insisted on holds from now on, also over restarts.
    func settleLockout(isForced: Bool) {
        let before = isLockoutForced
        if isForced { isLockoutForced = true }
        updateFailsafes(for: engine.input.policies)
        guard isLockoutForced != before else { return }
        do {
            try persist(nil, workloads: engine.input.workloads)
            clearProblem("host endpoint state")
        } catch {
            // The next start keeps SSH open, or does not ask: both are told then.
            report("host endpoint state", error.description)
        }
    }
}
