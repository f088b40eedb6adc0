// SPDX-License-Identifier: Apache-2.0

import CaptureReading
import Testing

@Suite
struct `Frames of captured packets` {
    private func frame(_ type: LinkType, _ bytes: [UInt8]) -> CapturedFrame {
        CapturedPacket(number: 1, time: 0, linkType: type, originalLength: bytes.count, bytes: bytes).frame
    }

    private let blank = [UInt8](repeating: 0, count: 14)

    @Test
    func `raw packets tell their family by the version`() {
        for type in [LinkType.raw, .rawOld, .rawOpenBSD, .ipv4] {
            #expect(frame(type, [0x45, 0]) == .network(etherType: 0x0800, offset: 0))
        }
        #expect(frame(.ipv6, [0x60]) == .network(etherType: 0x86dd, offset: 0))
        #expect(frame(.raw, [0x10]) == .unknown)
        #expect(frame(.raw, []) == .unknown)
    }

    @Test
    func `cooked packets lie behind their header and its tags`() {
        #expect(frame(.cooked, blank + [0x08, 0x00, 0x45]) == .network(etherType: 0x0800, offset: 16))
        #expect(frame(.cooked, blank + [0x08, 0x06]) == .network(etherType: 0x0806, offset: 16))
        #expect(
            frame(.cooked, blank + [0x81, 0x00, 0, 5, 0x88, 0xa8, 0, 6, 0x86, 0xdd])
                == .network(etherType: 0x86dd, offset: 24))
        #expect(frame(.cooked, blank + [0x81, 0x00, 0]) == .unknown)
        #expect(frame(.cooked, blank + [0x00, 0x04]) == .unknown)
        #expect(frame(.cooked, blank) == .unknown)
        let second: [UInt8] = [0x86, 0xdd] + [UInt8](repeating: 0, count: 18)
        #expect(frame(.cooked2, second) == .network(etherType: 0x86dd, offset: 20))
        #expect(frame(.cooked2, Array(second.dropLast())) == .unknown)
    }

    @Test
    func `loopback families are read in either byte order`() {
        #expect(frame(.null, [2, 0, 0, 0]) == .network(etherType: 0x0800, offset: 4))
        #expect(frame(.null, [0, 0, 0, 2]) == .network(etherType: 0x0800, offset: 4))
        #expect(frame(.null, [30, 0, 0, 0]) == .network(etherType: 0x86dd, offset: 4))
        #expect(frame(.loop, [0, 0, 0, 24]) == .network(etherType: 0x86dd, offset: 4))
        #expect(frame(.loop, [24, 0, 0, 0]) == .unknown)
        #expect(frame(.null, [0, 0, 0]) == .unknown)
    }

    @Test
    func `Ethernet frames are taken as they are`() {
        #expect(frame(.ethernet, []) == .ethernet)
    }
}
