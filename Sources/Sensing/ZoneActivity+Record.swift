// SPDX-License-Identifier: Apache-2.0

package import CDatapathABI
package import DetectionModel
import NetworkModel

extension ZoneActivity {
    /// What a zone's record says at `time`, nanoseconds of the sensors' clock.
    package init(_ record: sense_zone, time: UInt64) {
        let name = bytesOf(record.zone).prefix(Int(min(record.zone_length, UInt8(SENSE_ZONE_NAME_BYTES))))
        self.init(
            client: IPAddress(networkBytes: record.client.bytes),
            isClientInside: record.flags & UInt8(SENSE_RECORD_INSIDE) != 0,
            zone: String(decoding: name.map { $0 < 0x80 ? $0 : 0x3f }, as: UTF8.self), since: record.since, time: time)
        (queries, bulkyQueries, notFound) = (record.queries, record.bulky, record.not_found)
        distinctNames = CardinalityEstimate.linear(set: Int(record.name_bits), size: 1024)
        (nameBytes, longestLabel, answerBytes) = (record.name_bytes, record.longest_label, record.answer_bytes)
        entropy = record.name_bytes == 0 ? 0 : UInt16(clamping: record.entropy_sum / record.name_bytes)
    }
}
