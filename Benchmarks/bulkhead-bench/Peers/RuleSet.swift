// SPDX-License-Identifier: Apache-2.0

/// The rule set that every contender loads: `count` permissions of which a handful concern the measured flows.
///
/// The rest name addresses of 10.220.0.0/14 with one port each, as the permissions of a big installation would.
struct RuleSet {
    /// UDP ports of generated flows: 200 000 flows need seven of them.
    static let generatedPorts: ClosedRange<UInt16> = 9990...9999
    /// TCP port of the latency probe.
    static let probePort: UInt16 = 7019
    /// UDP port of the established flow.
    static let establishedPort: UInt16 = 9990

    let count: Int

    /// An address of the filler permissions, host order.
    static func fillerAddress(_ index: Int) -> UInt32 {
        0x0adc_0000 + UInt32(index)
    }

    static func fillerPort(_ index: Int) -> UInt16 {
        UInt16(1024 + index % 30000)
    }

    static func text(_ address: UInt32) -> String {
        "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
    }
}
