// SPDX-License-Identifier: Apache-2.0

package import CDatapathABI
package import DetectionModel
import NetworkModel

extension TargetActivity {
    /// What a target's record says of a second: the current one, or the one before.
    package init(_ record: sense_target, isBefore: Bool, time: UInt64, isWhole: Bool) {
        let window = isBefore ? record.before : record.now
        self.init(
            target: IPAddress(networkBytes: record.address.bytes),
            isInside: record.flags & UInt32(SENSE_RECORD_INSIDE) != 0, since: window.since, time: time,
            isWhole: isWhole)
        (packets, bytes, reflectedBytes) = (window.packets, window.bytes, window.reflected_bytes)
        (syn, established) = (UInt64(window.syn), UInt64(window.established))
        (udp, udpAnswered) = (UInt64(window.udp), UInt64(window.udp_answered))
        (icmp, fragments) = (UInt64(window.icmp), UInt64(window.fragments))
        (reflected, strayTCP) = (UInt64(window.reflected), UInt64(window.stray))
        distinctSources = CardinalityEstimate.registers(bytesOf(window.sources))
        // What the vote's winner has more than all others together; a quarter of the votes makes it stand out.
        topPort = UInt64(window.top_count) * 4 > syn + udp ? UInt16(bigEndian: window.top_port) : 0
        reflectorPort = UInt16(bigEndian: window.reflector_port)
        // The minutes before may be of long ago, where nothing came in between.
        let isRecent = time < record.span_before.since &+ Self.recent
        let spanBefore = isRecent ? record.span_before : sense_span()
        let ports = zip(bytesOf(record.span.ports), bytesOf(spanBefore.ports))
            .reduce(0) { $0 + ($1.0 | $1.1).nonzeroBitCount }
        distinctPorts = CardinalityEstimate.linear(set: ports, size: 512)
        distinctProbers = CardinalityEstimate.registers(
            zip(bytesOf(record.span.probers), bytesOf(spanBefore.probers)).map { max($0, $1) })
        failedProbes = record.span.failed &+ spanBefore.failed
    }

    /// Three times what a sensor takes together as minutes.
    private static let recent: UInt64 = 720_000_000_000
}

/// The bytes of a C array, which Swift has as a tuple.
func bytesOf<Value: BitwiseCopyable>(_ value: Value) -> [UInt8] {
    unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
}
