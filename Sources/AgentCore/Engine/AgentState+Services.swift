// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import KernelDatapath
import LinuxHost
import Logging

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

    /// Puts the programs on again if somebody took them off, and tries once more what failed; called every now and then.
    func retryServices() {
        guard !isDetached else { return }
        let isMissing = (try? datapath.servicePrograms())?.contains { !$0.isAttached } ?? false
        if isMissing, services?.isEmpty == false {
            logger.warning("a program for services was taken off; attaching it again")
            services = nil
        }
        if services == nil { updateServices() }
    }

    /// The programs for services as `status` lists them; none without services.
    func serviceAttachments() -> [AttachmentReport] {
        let count = desiredServices().count
        guard count > 0, let programs = try? datapath.servicePrograms() else { return [] }
        let root = (try? serviceField())?.cgroupRoot ?? ""
        return programs.map { program in
            AttachmentReport(
                program: program.name, interface: root, interfaceIndex: 0,
                hook: program.isAttached ? "cgroup" : "missing",
                endpoint: "\(count) service\(count == 1 ? "" : "s")")
        }
    }

    /// True if the kernel knows processes of the service.
    func isInForce(_ workload: Workload) -> Bool {
        guard let sockets = workload.sockets, !sockets.isEmpty, let services else { return false }
        return services.contains { UInt32($0.number) == endpointNumbers.assigned[workload.key] }
    }

    private func desiredServices() -> [DatapathService] {
        engine.input.workloads.values.filter(\.isService).sorted { $0.key < $1.key }.compactMap { workload in
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
