// SPDX-License-Identifier: Apache-2.0

package import CDatapathABI
package import DetectionModel
import NetworkModel

extension SourceActivity {
    /// What a source's record says at `time`, nanoseconds of the sensors' clock.
    package init(_ record: sense_source, time: UInt64) {
        let address = IPAddress(networkBytes: record.address.bytes)
        let isNetwork = record.flags & UInt32(SENSE_RECORD_NET) != 0
        self.init(
            source: address, length: address.isIPv4 ? 32 : isNetwork ? 64 : 128,
            isInside: record.flags & UInt32(SENSE_RECORD_INSIDE) != 0, since: record.since, time: time)
        packets = record.packets
        bytes = record.bytes
        established = record.established
        let (syn, fin, null, xmas, ack, odd, udp, icmp, arp) = record.probes
        (probes.syn, probes.fin, probes.null, probes.xmas, probes.ack) = (syn, fin, null, xmas, ack)
        (probes.oddFlags, probes.udp, probes.icmp, probes.arp) = (odd, udp, icmp, arp)
        (answered, refused, denied) = record.outcomes
        unanswered = record.unanswered(at: time)
        // Whose record began late had tried that many things before, and nothing is known to have come of them.
        let credit = UInt32(record.credit)
        let failed = UInt32(record.failed_bits) + unanswered
        distinctPorts = CardinalityEstimate.linear(set: Int(record.port_bits), size: 512)
        distinctHosts = CardinalityEstimate.linear(set: Int(record.host_bits), size: 256)
        distinctPairs = CardinalityEstimate.linear(set: Int(record.pair_bits), size: 512) + credit
        distinctFailures = CardinalityEstimate.linear(set: Int(min(failed, 512)), size: 512) + credit
        samples = record.latestSamples
    }
}

extension sense_source {
    fileprivate var latestSamples: [ProbeSample] {
        let (first, second, third) = samples
        let kept = [first, second, third]
        let count = Int(sample_count)
        return (max(0, count - kept.count)..<count).map { number in
            let sample = kept[number % kept.count]
            return ProbeSample(
                destination: IPAddress(networkBytes: sample.destination.bytes), port: UInt16(bigEndian: sample.port),
                ipProtocol: IPProtocol(rawValue: sample.protocol))
        }
    }

    private var open: Int { max(0, Int(pair_bits) - Int(answered_bits) - Int(failed_bits)) }

    /// Pairs that were probed, that nothing came back from, and that are older than a tick.
    func unanswered(at time: UInt64) -> UInt32 {
        switch (time >> UInt64(SENSE_TICK_SHIFT)) &- UInt64(tick) {
        case 0: UInt32(min(open, Int(open_before)))
        case 1: UInt32(min(open, Int(open_then)))
        default: UInt32(open)
        }
    }

    /// True if some pairs may yet turn out unanswered.
    func isWaiting(at time: UInt64) -> Bool { open > Int(unanswered(at: time)) }
}
