// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import KernelPrograms

/// The loaded programs and the tables that are used through system calls.
struct KernelObjects: ~Copyable {
    let fromEndpoint: BPFProgram
    let toEndpoint: BPFProgram
    let fromNetwork: BPFProgram
    let toNetwork: BPFProgram

    let endpoints: BPFMap<UInt32, endpoint_entry>
    let endpointOverflow: BPFMap<UInt32, endpoint_entry>
    let endpointAddresses: BPFMap<endpoint_address_key, UInt32>
    let failsafes: BPFMap<failsafe_key, UInt32>
    let endpointFlows: BPFMap<UInt32, UInt32>
    let ruleStats: BPFMap<UInt32, rule_stats>
    let metrics: BPFMap<UInt32, metric>
    let events: FileDescriptor

    /// Runs `body` with the program that belongs at a hook of an endpoint's interface.
    ///
    /// What the host receives from a workload's link is what the workload sends; what it receives from a network
    /// device is what reaches the host.
    func withProgram<Result>(
        at hook: TrafficHook, isHost: Bool, _ body: (borrowing BPFProgram) throws(BPFError) -> Result
    ) throws(BPFError) -> Result {
        switch (hook, isHost) {
        case (.ingress, false): try body(fromEndpoint)
        case (.egress, false): try body(toEndpoint)
        case (.ingress, true): try body(fromNetwork)
        case (.egress, true): try body(toNetwork)
        }
    }
}

extension KernelObjects {
    /// Takes programs and maps from their pins, which is where a load and an adoption both leave them.
    init(_ pins: borrowing PinnedObjects) throws(BPFError) {
        try self.init(
            fromEndpoint: pins.program("tc_from_endpoint"),
            toEndpoint: pins.program("tc_to_endpoint"),
            fromNetwork: pins.program("tc_from_network"),
            toNetwork: pins.program("tc_to_network"),
            endpoints: pins.map(MapName.endpoints),
            endpointOverflow: pins.map(MapName.endpointOverflow),
            endpointAddresses: pins.map(MapName.endpointAddresses),
            failsafes: pins.map(MapName.failsafes),
            endpointFlows: pins.map(MapName.endpointFlows),
            ruleStats: pins.map(MapName.ruleStats),
            metrics: pins.map(MapName.metrics),
            events: pins.mapDescriptor(MapName.events))
    }
}
