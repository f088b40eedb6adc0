// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI

/// The tables that are used through system calls.
struct KernelObjects: ~Copyable {
    let endpoints: BPFMap<UInt32, endpoint_entry>
    let endpointOverflow: BPFMap<UInt32, endpoint_entry>
    let endpointAddresses: BPFMap<endpoint_address_key, UInt32>
    let failsafes: BPFMap<failsafe_key, UInt32>
    let endpointFlows: BPFMap<UInt32, UInt32>
    let ruleStats: BPFMap<UInt32, rule_stats>
    let metrics: BPFMap<UInt32, metric>
    let keptFlows: BPFMap<conntrack_key, UInt32>
    let events: EventRingFiles
}

extension KernelObjects {
    /// Takes the maps from their pins, which is where a load and an adoption both leave them.
    init(_ pins: borrowing PinnedObjects) throws(BPFError) {
        try self.init(
            endpoints: pins.map(MapName.endpoints),
            endpointOverflow: pins.map(MapName.endpointOverflow),
            endpointAddresses: pins.map(MapName.endpointAddresses),
            failsafes: pins.map(MapName.failsafes),
            endpointFlows: pins.map(MapName.endpointFlows),
            ruleStats: pins.map(MapName.ruleStats),
            metrics: pins.map(MapName.metrics),
            keptFlows: pins.map(MapName.keptFlows),
            events: EventRingFiles(pins))
    }
}

/// The events' way out, mapped only by who reads: its pages count as resident memory.
struct EventRingFiles: ~Copyable {
    private let rings: FileDescriptor
    private let events: FileDescriptor
    private let doorbell: FileDescriptor

    init(_ pins: borrowing PinnedObjects) throws(BPFError) {
        let rings = try pins.mapDescriptor(EventRings.ringsName)
        let events = try pins.mapDescriptor(EventRings.eventsName)
        let doorbell = try pins.mapDescriptor(EventRings.doorbellName)
        // Assigned last: a type that cannot be copied is built whole or not at all.
        self.rings = rings
        self.events = events
        self.doorbell = doorbell
    }

    func open() throws(BPFError) -> EventRings { try EventRings(rings: rings, events: events, doorbell: doorbell) }
}
