// SPDX-License-Identifier: Apache-2.0

package import CDatapathABI
package import DetectionModel
import NetworkModel

extension PairActivity {
    /// What a pair's record says at `time`, nanoseconds of the sensors' clock.
    package init(_ record: sense_pair, time: UInt64) {
        self.init(
            client: IPAddress(networkBytes: record.client.bytes), server: IPAddress(networkBytes: record.server.bytes),
            port: UInt16(bigEndian: record.port), ipProtocol: IPProtocol(rawValue: record.protocol),
            isClientInside: record.flags & UInt8(SENSE_RECORD_INSIDE) != 0,
            isServerInside: record.flags & UInt8(SENSE_RECORD_SERVER_INSIDE) != 0, since: record.since, time: time)
        (connections, failed, short) = (record.connections, record.failed, record.brief)
        (bytesSent, bytesReceived) = (record.bytes_sent, record.bytes_received)
        intervals = record.intervals
        intervalMean = record.interval_mean / 1000
        intervalDeviation = record.interval_deviation / 1000
        (sizeMean, sizeDeviation) = (record.size_mean, record.size_deviation)
        // The last minute is the running one and the rest of the one before.
        let minute: UInt64 = 60_000_000_000
        let elapsed = time &- record.minute
        let rest = elapsed < minute ? UInt64(record.last_minute) * (minute - elapsed) / minute : 0
        connectionsPerMinute = elapsed < 2 * minute ? UInt32(record.this_minute) + UInt32(rest) : 0
    }
}
