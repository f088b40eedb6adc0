// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import LinuxHost
import PolicyCompiler

extension AgentState {
    /// The failsafe ports in force.
    var openPorts: Set<OpenPort> {
        Set((failsafes ?? []).map { OpenPort(direction: $0.direction, proto: $0.proto, port: $0.port) })
    }

    /// Indices of the devices of the host endpoint.
    var hostDevices: Set<Int32> {
        Set(
            engine.input.workloads.values.filter(\.isHost).flatMap(\.interfaces)
                .map { Int32(bitPattern: $0.index) })
    }

    /// True if what the workload exchanges with the host passes one of those devices: a bridge that it is on.
    func crosses(_ hostDevices: Set<Int32>, _ workload: Workload) -> Bool {
        !workload.isHost
            && workload.interfaces.contains { interface in
                network?.links[Int32(bitPattern: interface.index)]?.master.map(hostDevices.contains) ?? false
            }
    }
}
