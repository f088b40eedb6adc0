// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import KernelDatapath
import LinuxHost

extension AgentState {
    /// Tells the kernel whose sockets are which service's.
    func updateServices() {
        // Whoever is silent so far may name services that are in force.
        guard !configuration.hostEndpoint.services.isEmpty || areSourcesComplete else { return }
        let desired = desiredServices()
        guard desired != services else { return }
        do {
            try datapath.setServices(desired, in: try serviceField())
            services = desired
            clearProblem("services")
        } catch {
            services = nil
            report("services", "\(error)")
        }
    }

    /// True if the kernel knows processes of the service.
    func isInForce(_ workload: Workload) -> Bool {
        guard let sockets = workload.sockets, !sockets.isEmpty, let services else { return false }
        return services.contains { UInt32($0.number) == endpointNumbers.assigned[workload.key] }
    }

    private func desiredServices() -> [DatapathService] {
        engine.input.workloads.values.sorted { $0.key < $1.key }.compactMap { workload in
            guard let sockets = workload.sockets, let assignment = engine.allocator.assignments[workload.key],
                let number = endpointNumbers.assigned[workload.key]
            else { return nil }
            var options = workload.options
            if isAudited(workload) { options.insert(.audit) }
            return DatapathService(
                number: UInt16(number), subject: assignment.subject, identity: assignment.identity, options: options,
                cgroups: Set(sockets.cgroups.values), users: sockets.users)
        }
    }

    private func serviceField() throws(HostError) -> ServiceField {
        ServiceField(
            cgroupRoot: CgroupTree.mounted?.root ?? "/sys/fs/cgroup",
            networkNamespace: UInt32(truncatingIfNeeded: try NetworkNamespace.own.inode()))
    }
}
