// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import Detectors
import NetworkModel
import Sensing

/// A frame without its payload: headers, and how long it was on the wire.
struct Packet {
    var time: UInt64
    var bytes: [UInt8]
    var length: Int
    var etherType: UInt16?
}

/// Packets between addresses, with times, that are shown to the native sensors in order; their reports go to the detectors.
///
/// Everything in 10.0.0.0/8 is inside. Times are seconds since the scene began.
struct Scene {
    static let syn: UInt8 = 0x02, ack: UInt8 = 0x10, push: UInt8 = 0x18, rst: UInt8 = 0x04, fin: UInt8 = 0x11
    private static let begin: UInt64 = 1_000_000_000_000
    private static let maximum = 1448

    private var packets: [Packet] = []
    private let sensors: NativeSensors?
    private var set: DetectorSet
    private var number: UInt32 = 1
    /// What was found so far, with times since the begin.
    private(set) var findings: [Finding] = []
    private(set) var seen = 0
    var random = SystemlessRandom(seed: 11)

    init(_ configuration: DetectorConfiguration = .init()) {
        sensors = NativeSensors()
        set = DetectorSet(configuration)
    }

    /// Shows everything before `end` that was added and not yet shown.
    mutating func play(until end: Double = .infinity) {
        guard let sensors else { return }
        let limit = end.isFinite ? Scene.begin + Stage.nanoseconds(end) : .max
        var kept: [Packet] = []
        packets.sort { $0.time < $1.time }
        for packet in packets {
            guard packet.time < limit else {
                kept.append(packet)
                continue
            }
            seen += 1
            let frame = unsafe sensors.read(
                packet.bytes.span.bytes, wireLength: packet.length, etherType: packet.etherType)
            guard let frame else { continue }
            sensors.sense(
                isSourceInside: isInside(frame.source), isTargetInside: isInside(frame.target), time: packet.time)
            consider(sensors.takeActivities())
        }
        if !end.isFinite, let last = packets.last?.time {
            for step in 1...12 { sensors.sweep(time: last + UInt64(step) * 250_000_000) }
            consider(sensors.takeActivities())
        }
        packets = kept
    }

    private mutating func consider(_ activities: [Activity]) {
        for activity in activities {
            findings += set.consider(activity).map { finding in
                var moved = finding
                moved.time -= Scene.begin
                return moved
            }
        }
    }

    private func isInside(_ address: IPAddress) -> Bool { address.isIPv4 && address.v4Bits >> 24 == 10 }

    // MARK: packets

    mutating func ipv4(
        _ source: IPAddress, _ target: IPAddress, _ ipProtocol: UInt8, _ header: [UInt8], payload: Int = 0,
        at seconds: Double,
        fragment: UInt16 = 0
    ) {
        let length = 20 + header.count + payload
        let bytes: [UInt8] =
            [0x45, 0] + word16(UInt16(length)) + [0, 0] + word16(fragment) + [64, ipProtocol, 0, 0]
            + word32(source.v4Bits)
            + word32(target.v4Bits) + header
        packets.append(
            Packet(time: Scene.begin + Stage.nanoseconds(seconds), bytes: bytes, length: length, etherType: 0x0800))
    }

    mutating func tcp(
        _ source: IPAddress, _ sourcePort: UInt16, _ target: IPAddress, _ targetPort: UInt16, _ flags: UInt8,
        number: UInt32 = 1,
        acknowledged: UInt32 = 0, payload: Int = 0, at seconds: Double
    ) {
        let header: [UInt8] = word16(sourcePort) + word16(targetPort) + word32(number) + word32(acknowledged)
        ipv4(source, target, 6, header + [0x50, flags, 0x20, 0, 0, 0, 0, 0], payload: payload, at: seconds)
    }

    mutating func udp(
        _ source: IPAddress, _ sourcePort: UInt16, _ target: IPAddress, _ targetPort: UInt16, payload: Int = 32,
        data: [UInt8] = [], at seconds: Double
    ) {
        let length = 8 + (data.isEmpty ? payload : data.count)
        let header: [UInt8] = word16(sourcePort) + word16(targetPort) + word16(UInt16(length)) + [0, 0] + data
        ipv4(source, target, 17, header, payload: data.isEmpty ? payload : 0, at: seconds)
    }

    mutating func echo(_ source: IPAddress, _ target: IPAddress, at seconds: Double, isAnswered: Bool = true) {
        ipv4(source, target, 1, [8, 0, 0, 0, 0x12, 0x34, 0, 1], payload: 56, at: seconds)
        if isAnswered { ipv4(target, source, 1, [0, 0, 0, 0, 0x12, 0x34, 0, 1], payload: 56, at: seconds + 0.002) }
    }

    mutating func arp(_ source: IPAddress, _ target: IPAddress, at seconds: Double, isAnswered: Bool) {
        func frame(_ operation: UInt8, _ from: IPAddress, _ to: IPAddress) -> [UInt8] {
            let destination = [UInt8](repeating: operation == 1 ? 0xff : 2, count: 6)
            return destination + [UInt8](repeating: 2, count: 6) + [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation]
                + [UInt8](repeating: 2, count: 6) + word32(from.v4Bits) + [UInt8](repeating: 0, count: 6)
                + word32(to.v4Bits)
        }
        let time = Scene.begin + Stage.nanoseconds(seconds)
        packets.append(Packet(time: time, bytes: frame(1, source, target), length: 42, etherType: nil))
        if isAnswered {
            packets.append(
                Packet(time: time + 200_000, bytes: frame(2, target, source), length: 42, etherType: nil))
        }
    }

    /// What says that a datagram found nobody.
    mutating func unreachable(
        _ source: IPAddress, _ sourcePort: UInt16, _ target: IPAddress, _ targetPort: UInt16, at seconds: Double
    ) {
        let quoted: [UInt8] =
            [0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0] + word32(source.v4Bits) + word32(target.v4Bits)
            + word16(sourcePort) + word16(targetPort) + word16(40) + [0, 0]
        ipv4(target, source, 1, [3, 3, 0, 0, 0, 0, 0, 0] + quoted, at: seconds)
    }

    private func word16(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

    private func word32(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    // MARK: conversations

    /// A connection: handshake, one exchange of so many bytes each way after another, and its end.
    ///
    /// Ends at the time returned.
    @discardableResult mutating func connection(
        _ client: IPAddress, _ clientPort: UInt16, _ server: IPAddress, _ port: UInt16, at begin: Double, sent: Int,
        received: Int,
        exchanges: Int = 1, pause: Double = 0, trip: Double = 0.01, closes: Bool = true
    ) -> Double {
        number &+= 7919
        let (mine, theirs) = (number, number &+ 0x4000_0000)
        var time = begin
        tcp(client, clientPort, server, port, Scene.syn, number: mine, at: time)
        tcp(
            server, port, client, clientPort, Scene.syn | Scene.ack, number: theirs, acknowledged: mine &+ 1,
            at: time + trip / 2)
        time += trip
        tcp(client, clientPort, server, port, Scene.ack, number: mine &+ 1, acknowledged: theirs &+ 1, at: time)
        var (up, down) = (mine &+ 1, theirs &+ 1)
        for _ in 0..<exchanges {
            for (from, left, isUp) in [(client, sent, true), (server, received, false)] {
                var left = left
                while left > 0 {
                    let size = min(left, Scene.maximum)
                    if isUp {
                        tcp(
                            from, clientPort, server, port, Scene.push, number: up, acknowledged: down, payload: size,
                            at: time)
                        up &+= UInt32(size)
                    } else {
                        tcp(
                            from, port, client, clientPort, Scene.push, number: down, acknowledged: up, payload: size,
                            at: time)
                        down &+= UInt32(size)
                    }
                    left -= size
                    time += 0.000_1
                }
                if isUp {
                    tcp(
                        server, port, client, clientPort, Scene.ack, number: down, acknowledged: up, at: time + trip / 2
                    )
                } else {
                    tcp(
                        client, clientPort, server, port, Scene.ack, number: up, acknowledged: down, at: time + trip / 2
                    )
                }
                time += trip / 2
            }
            time += pause
        }
        guard closes else { return time }
        tcp(client, clientPort, server, port, Scene.fin, number: up, acknowledged: down, at: time)
        tcp(server, port, client, clientPort, Scene.fin, number: down, acknowledged: up &+ 1, at: time + trip / 2)
        tcp(client, clientPort, server, port, Scene.ack, number: up &+ 1, acknowledged: down &+ 1, at: time + trip)
        return time + trip
    }

    /// A probe and what comes back.
    mutating func probe(
        _ source: IPAddress, _ sourcePort: UInt16, _ target: IPAddress, _ port: UInt16, flags: UInt8 = Scene.syn,
        at seconds: Double,
        isRefused: Bool = true
    ) {
        number &+= 104_729
        let hasAck = flags & Scene.ack != 0
        tcp(source, sourcePort, target, port, flags, number: number, acknowledged: hasAck ? 77 : 0, at: seconds)
        if isRefused, hasAck {
            tcp(target, port, source, sourcePort, Scene.rst, number: 77, at: seconds + 0.000_1)
        } else if isRefused {
            tcp(
                target, port, source, sourcePort, Scene.rst | Scene.ack, number: 0, acknowledged: number &+ 1,
                at: seconds + 0.000_1)
        }
    }

    /// A question and its answer; `code` 3: there is no such name.
    mutating func ask(
        _ client: IPAddress, _ clientPort: UInt16, _ server: IPAddress, _ name: String, type: UInt8 = 1,
        at seconds: Double, code: UInt8 = 0,
        isAnswered: Bool = true, answer: Int = 120
    ) {
        let labels = name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        let question = labels + [0, 0, type, 0, 1]
        let identifier = word16(UInt16(truncatingIfNeeded: random.next()))
        udp(client, clientPort, server, 53, data: identifier + [1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + question, at: seconds)
        guard isAnswered else { return }
        let padding = [UInt8](repeating: 0, count: max(0, answer - question.count))
        udp(
            server, 53, client, clientPort,
            data: identifier + [0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0] + question + (code == 0 ? padding : []),
            at: seconds + 0.02)
    }

    /// The first finding of a detector, and when it came.
    func first(_ detector: String) -> (finding: Finding, seconds: Double)? {
        findings.first { $0.detector == detector }.map { ($0, Double($0.time) / 1e9) }
    }

    /// A port that a client's stack would choose.
    mutating func port() -> UInt16 { UInt16(32_768 + random.next() % 28_000) }
}
