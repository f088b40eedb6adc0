// SPDX-License-Identifier: Apache-2.0

/// Every detector there is, in the order in which they are asked and listed.
package enum DetectorCatalogue {
    package static let all: [any Detector.Type] = [
        SpoofedFlood.self, SynFlood.self, UDPFlood.self, ICMPFlood.self, FragmentFlood.self, AckFlood.self,
        Amplification.self,
        PortScan.self, StealthScan.self, NetworkScan.self, HostSweep.self, SlowScan.self, DistributedScan.self,
        FanOut.self, DeniedBurst.self,
        PasswordGuessing.self, Beacon.self, VolumeOut.self, FirstContact.self,
        DNSTunnel.self, DNSExfiltration.self, GeneratedDomains.self,
    ]

    package static var guides: [DetectorGuide] { all.map { $0.guide } }

    /// Detectors whose findings name a source that may never have got an answer.
    static let restOnProbes: Set<String> = [
        PortScan.name, StealthScan.name, NetworkScan.name, HostSweep.name, SlowScan.name, DeniedBurst.name,
    ]
}
