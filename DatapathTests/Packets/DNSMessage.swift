// SPDX-License-Identifier: Apache-2.0
import NetworkModel

/// A DNS message under construction; what a test bends it bends in the bytes.
struct DNSMessage: Sendable {
    struct Record: Sendable {
        var type: UInt16
        var ttl: UInt32 = 300
        var data: [UInt8]
        /// A pointer to the question's name.
        var owner: [UInt8] = [0xc0, 0x0c]
    }

    var id: UInt16
    var flags: UInt16
    var question: [UInt8]
    var type: UInt16
    var answers: [Record] = []
    /// EDNS, 1232 bytes.
    var hasOption = true

    /// Wire format with the root, letters as given.
    static func wire(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    static func query(_ name: String, id: UInt16, type: UInt16 = 1) -> DNSMessage {
        DNSMessage(id: id, flags: 0x0100, question: wire(name), type: type)
    }

    /// An answer with these addresses, A and AAAA as they come.
    static func answer(_ name: String, id: UInt16, type: UInt16 = 1, _ addresses: [IPAddress], ttl: UInt32 = 300)
        -> DNSMessage
    {
        DNSMessage(
            id: id, flags: 0x8180, question: wire(name), type: type,
            answers: addresses.map { address in
                let bytes = [address.high, address.low].flatMap { word in
                    (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
                }
                return address.isIPv4
                    ? Record(type: 1, ttl: ttl, data: Array(bytes.suffix(4)))
                    : Record(type: 28, ttl: ttl, data: bytes)
            })
    }

    var bytes: [UInt8] {
        var bytes = id.networkOrder + flags.networkOrder + [0, 1] + UInt16(answers.count).networkOrder
        bytes += [0, 0, 0, hasOption ? 1 : 0] + question + type.networkOrder + [0, 1]
        for record in answers {
            bytes += record.owner + record.type.networkOrder + [0, 1] + record.ttl.networkOrder
            bytes += UInt16(record.data.count).networkOrder + record.data
        }
        return bytes + (hasOption ? [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0] : [])
    }
}
