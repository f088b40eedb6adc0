// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import NetworkModel

/// The records of endpoints; `EndpointPrograms` has what is attached to their interfaces.
extension DatapathState {
    /// Writes a record; returns the one it replaces, and why the addresses it adds found no room.
    mutating func record(
        _ endpoint: DatapathEndpoint
    ) throws(BPFError) -> (earlier: DatapathEndpoint?, shortage: BPFError?) {
        let earlier = attached[endpoint.interface]
        do throws(BPFError) {
            let shortage = try write(endpoint)
            if let earlier, earlier.number != endpoint.number { try removeAddresses(ofFormer: earlier) }
            return (earlier, shortage)
        } catch {
            takeBack(endpoint, to: earlier)
            throw error
        }
    }

    /// A workload whose addresses find no room is recorded with those it had: closed rather than open.
    private mutating func write(_ endpoint: DatapathEndpoint) throws(BPFError) -> BPFError? {
        let old = addresses(of: endpoint.number, besides: nil)
        let earlier = attached[endpoint.interface]
        attached[endpoint.interface] = endpoint
        let new = addresses(of: endpoint.number, besides: nil)
        var shortage: BPFError?
        do throws(BPFError) {
            try objects.setAddresses(of: endpoint.number, from: old, to: new)
        } catch {
            guard error.errno == E2BIG else { throw error }
            shortage = BPFError(
                errno: error.errno, operation: "record the addresses of endpoint \(endpoint.number)",
                remedy: "all workloads together have too many; packets of its new addresses are dropped")
            var smaller = endpoint
            smaller.addresses.formIntersection(earlier?.addresses ?? [])
            attached[endpoint.interface] = smaller
            try objects.setAddresses(
                of: endpoint.number, from: old.union(new), to: addresses(of: endpoint.number, besides: nil))
        }
        try objects.write(endpoint)
        return shortage
    }

    /// Leaves records as they were before `record`, as far as the kernel lets us.
    mutating func takeBack(_ endpoint: DatapathEndpoint, to earlier: DatapathEndpoint?) {
        guard let earlier else {
            try? forget(interface: endpoint.interface)
            return
        }
        attached[earlier.interface] = earlier
        try? objects.write(earlier)
        try? removeAddresses(ofFormer: endpoint)
        try? objects.setAddresses(of: earlier.number, from: [], to: earlier.addresses)
    }

    /// Removes an interface's record.
    mutating func forget(interface: UInt32) throws(BPFError) {
        guard let endpoint = attached.removeValue(forKey: interface) else { return }
        note(nil, of: interface)
        try objects.removeRecord(of: interface)
        try removeAddresses(ofFormer: endpoint)
    }

    private func removeAddresses(ofFormer endpoint: DatapathEndpoint) throws(BPFError) {
        let current = attached[endpoint.interface]
        var kept = addresses(of: endpoint.number, besides: endpoint.interface)
        if let current, current.number == endpoint.number { kept.formUnion(current.addresses) }
        try objects.setAddresses(of: endpoint.number, from: endpoint.addresses.union(kept), to: kept)
    }

    /// The addresses of an endpoint over all of its interfaces.
    private func addresses(of number: UInt16, besides interface: UInt32?) -> Set<IPAddress> {
        attached.values.reduce(into: []) { all, endpoint in
            if endpoint.number == number, endpoint.interface != interface { all.formUnion(endpoint.addresses) }
        }
    }
}
