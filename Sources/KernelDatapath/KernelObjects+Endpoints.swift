// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import IdentityModel
import NetworkModel

/// Endpoint records: direct-mapped by interface index, with a hash for interfaces whose slot is taken.
extension KernelObjects {
    /// Every record in the kernel, by interface.
    func readEndpoints() throws(BPFError) -> [UInt32: DatapathEndpoint] {
        var found: [UInt32: DatapathEndpoint] = [:]
        var addresses: [UInt32: Set<IPAddress>] = [:]
        try endpointAddresses.forEach { key, _ in
            addresses[key.endpoint, default: []].insert(IPAddress(key.address))
        }
        let collect = { (_: UInt32, entry: endpoint_entry) in
            guard entry.ifindex != 0 else { return }
            found[entry.ifindex] = DatapathEndpoint(
                interface: entry.ifindex, number: entry.endpoint, subject: UInt16(truncatingIfNeeded: entry.subject),
                identity: NumericIdentity(rawValue: entry.identity),
                addresses: addresses[UInt32(entry.endpoint)] ?? [], options: EndpointOptions(rawValue: entry.flags))
        }
        try endpoints.forEach(chunkEntryCount: Int(ENDPOINT_TABLE_SIZE), collect)
        try endpointOverflow.forEach(collect)
        return found
    }

    /// Writes a record; replaces the interface's earlier one in a single step.
    func write(_ endpoint: DatapathEndpoint) throws(BPFError) {
        var entry = endpoint_entry()
        entry.ifindex = endpoint.interface
        entry.subject = UInt32(endpoint.subject)
        entry.identity = endpoint.identity.rawValue
        entry.endpoint = endpoint.number
        entry.flags = endpoint.options.rawValue
        let slot = endpoint.interface % UInt32(ENDPOINT_TABLE_SIZE)
        let owner = try endpoints.value(for: slot)?.ifindex ?? 0
        if owner == 0 || owner == endpoint.interface {
            try endpoints.update(slot, to: entry)
            try endpointOverflow.remove(endpoint.interface)
        } else {
            try endpointOverflow.update(endpoint.interface, to: entry)
        }
    }

    /// Removes an interface's record.
    func removeRecord(of interface: UInt32) throws(BPFError) {
        let slot = interface % UInt32(ENDPOINT_TABLE_SIZE)
        if try endpoints.value(for: slot)?.ifindex == interface { try endpoints.update(slot, to: endpoint_entry()) }
        try endpointOverflow.remove(interface)
    }

    /// Makes an endpoint's addresses exactly these; new ones come before old ones go.
    func setAddresses(of number: UInt16, from old: Set<IPAddress>, to new: Set<IPAddress>) throws(BPFError) {
        let key = { (address: IPAddress) in
            endpoint_address_key(address: ip_address(address), endpoint: UInt32(number))
        }
        for address in new.subtracting(old) { try endpointAddresses.update(key(address), to: 1) }
        for address in old.subtracting(new) { try endpointAddresses.remove(key(address)) }
    }
}
