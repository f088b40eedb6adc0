// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc

extension Datapath {
    package func setServices(_ services: [DatapathService], in field: ServiceField) throws(DatapathError) {
        let isSet: Void? = try withServices { tables throws(BPFError) in try tables.set(services, in: field) }
        guard isSet != nil || services.isEmpty else {
            throw .kernel(
                BPFError(
                    errno: ENOTSUP, operation: "judge services of the host",
                    remedy: "the kernel refused their programs: `bulkhead status` says why"))
        }
        withState { $0.serviceNumbers = Set(services.map(\.number)) }
    }

    package func servicePrograms() throws(DatapathError) -> [ServiceProgram] {
        try withServices { tables throws(BPFError) in try tables.programs() } ?? []
    }

    package func keep(_ connections: Set<HostConnection>) throws(DatapathError) {
        try withKernel { state throws(BPFError) in
            for connection in connections {
                do throws(BPFError) {
                    try state.objects.keptFlows.update(connection.key, to: 1)
                } catch {
                    guard error.errno == E2BIG else { throw error }
                    throw BPFError(
                        errno: E2BIG, operation: "note all \(connections.count) connections that are to be kept",
                        remedy: "policy may cut those beyond \(KEPT_COUNT_MAX)")
                }
            }
        }
    }

    package func keepOnly(_ connections: Set<HostConnection>) throws(DatapathError) -> Int {
        try withKernel { state throws(BPFError) in
            var surplus: [conntrack_key] = []
            var count = 0
            try state.objects.keptFlows.forEach { key, _ in
                if connections.contains(HostConnection(key)) { count += 1 } else { surplus.append(key) }
            }
            try state.objects.keptFlows.remove(surplus)
            return count
        }
    }
}
