// SPDX-License-Identifier: Apache-2.0

import CaptureReading
import Testing

/// All packets of a file, given in pieces.
func readCapture(_ bytes: [UInt8], pieceLength: Int = 11) throws -> [CapturedPacket] {
    var reader = CaptureReader()
    var packets: [CapturedPacket] = []
    for start in stride(from: 0, to: bytes.count, by: pieceLength) {
        reader.append(bytes[start..<min(start + pieceLength, bytes.count)])
        while let packet = try reader.next() { packets.append(packet) }
    }
    try reader.finish()
    return packets
}

/// What is wrong with a file.
func captureError(_ bytes: [UInt8]) -> String {
    #expect(throws: CaptureError.self) { try readCapture(bytes) }.map { "\($0)" } ?? "nothing"
}

@Suite
struct `CaptureReader on pcap` {
    @Test(arguments: [false, true])
    func `reads microseconds and nanoseconds in either byte order`(isBigEndian: Bool) throws {
        for (magic, time) in [(UInt32(0xa1b2_c3d4), UInt64(7_000_005_000)), (0xa1b2_3c4d, 7_000_000_005)] {
            var file = CaptureBytes.pcap(magic: magic, isBigEndian: isBigEndian)
            file.addRecord(seconds: 7, ticks: 5, [1, 2, 3], original: 90)
            file.addRecord(seconds: 8, ticks: 0, [])
            let packets = try readCapture(file.bytes)
            #expect(packets.map(\.number) == [1, 2])
            #expect(packets.map(\.time) == [time, 8_000_000_000])
            #expect(packets.map(\.bytes) == [[1, 2, 3], []])
            #expect(packets.map(\.originalLength) == [90, 0])
            #expect(packets.allSatisfy { $0.linkType == .ethernet })
        }
    }

    @Test
    func `link types may tell of checksums in their upper half`() throws {
        var file = CaptureBytes.pcap(linkType: 0x2400_0065)
        file.addRecord(seconds: 0, ticks: 0, [0x45])
        #expect(try readCapture(file.bytes).first?.linkType == .raw)
    }

    @Test
    func `a file that ends within a record names the packet`() {
        var file = CaptureBytes.pcap()
        file.addRecord(seconds: 1, ticks: 1, [1, 2, 3, 4])
        file.addRecord(seconds: 1, ticks: 2, [1, 2, 3, 4])
        #expect(
            captureError(file.bytes.dropLast(1))
                == "packet 2 (byte 44): the file ends in the middle of a record, 19 bytes after its begin")
    }

    @Test
    func `a length beyond all packets names the packet`() {
        var file = CaptureBytes.pcap()
        file.addRecord(seconds: 1, ticks: 1, [9])
        file.add(1, 2, 0x7fff_ffff, 60)
        #expect(
            captureError(file.bytes)
                == "packet 2 (byte 41): a packet of 2147483647 bytes; the longest possible are 262144")
    }

    @Test
    func `what is no capture is told by its header`() {
        #expect(captureError([]).contains("byte 0: the file ends within its header (0 bytes)"))
        #expect(captureError(Array("#!/bin/sh\n".utf8)).contains("byte 0: neither a pcap nor a pcapng file"))
        #expect(captureError([0x1f, 0x8b, 8, 0, 0]).contains("gzip"))
        #expect(captureError([0x28, 0xb5, 0x2f, 0xfd, 0]).contains("zstd"))
        #expect(captureError(CaptureBytes.pcap(linkType: 105).bytes).contains("link type 105 is not read"))
        #expect(captureError(CaptureBytes.pcap().bytes.dropLast(3)).contains("the file ends within its header"))
    }
}

@Suite
struct `CaptureReader on pcapng` {
    @Test(arguments: [false, true])
    func `reads interfaces, clocks and sections in either byte order`(isBigEndian: Bool) throws {
        var file = CaptureBytes(isBigEndian: isBigEndian)
        file.addSection()
        file.addInterface(linkType: 1)
        file.addInterface(linkType: 276, options: [(2, Array("any".utf8)), (9, [9])])
        file.addInterface(
            linkType: 101,
            options: [(9, [0x8a]), (14, isBigEndian ? [0, 0, 0, 0, 0, 0, 0, 3] : [3, 0, 0, 0, 0, 0, 0, 0])])
        file.addPacket(ticks: 2_000_001, [1])
        file.addBlock(0x0bad, CaptureBytes(isBigEndian: isBigEndian))
        file.addPacket(interface: 1, ticks: 0x1_0000_0002, [2, 2])
        file.addPacket(interface: 2, ticks: 1536, [3])
        file.addSection()
        file.addInterface(linkType: 108)
        file.addPacket(ticks: 1, [4])
        let packets = try readCapture(file.bytes)
        #expect(packets.map(\.time) == [2_000_001_000, 4_294_967_298, 4_500_000_000, 1000])
        #expect(packets.map(\.linkType) == [.ethernet, .cooked2, .raw, .loop])
        #expect(packets.map(\.bytes) == [[1], [2, 2], [3], [4]])
        #expect(packets.map(\.number) == [1, 2, 3, 4])
    }

    @Test
    func `simple and obsolete packet blocks are read`() throws {
        var file = CaptureBytes()
        file.addSection()
        file.addInterface(linkType: 1, snapLength: 4)
        var old = CaptureBytes()
        old.addHalves(0, 0)
        old.add(0, 5, 3, 3)
        old.bytes += [7, 8, 9]
        file.addBlock(2, old)
        var simple = CaptureBytes()
        simple.add(60)
        simple.bytes += [1, 2, 3, 4]
        file.addBlock(3, simple)
        let packets = try readCapture(file.bytes)
        #expect(packets.map(\.bytes) == [[7, 8, 9], [1, 2, 3, 4]])
        #expect(packets.map(\.originalLength) == [3, 60])
        #expect(packets.map(\.time) == [5000, 5000])
    }

    @Test
    func `damage names the packet that cannot be read`() {
        var file = CaptureBytes()
        file.addSection()
        file.addInterface(linkType: 1)
        file.addPacket(ticks: 1, [1])
        let sound = file
        file.addPacket(interface: 5, ticks: 2, [1])
        #expect(captureError(file.bytes) == "packet 2 (byte 84): a packet of interface 5, of which no block tells")
        #expect(captureError(sound.bytes + [6, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0]).contains("a block of 13 bytes"))
        var unequal = sound
        unequal.bytes[unequal.bytes.count - 4] = 40
        #expect(captureError(unequal.bytes).contains("at its begin that it has 36 bytes, at its end 40"))
        var tooLong = sound
        tooLong.bytes[48 + 8 + 12] = 9
        #expect(captureError(tooLong.bytes).contains("a packet of 9 bytes in a block that has room for 4"))
        #expect(captureError(sound.bytes.dropLast(5)).contains("packet 1 (byte 48): the file ends in the middle"))
    }
}
