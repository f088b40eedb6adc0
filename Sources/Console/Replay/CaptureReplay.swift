// SPDX-License-Identifier: Apache-2.0

import CaptureReading
import DetectionModel
import Detectors
import NetworkModel
import Sensing

/// Runs the sensors and the detectors over a capture, with the capture's clock.
///
/// The clock inside begins at a fixed moment and never goes back: where the capture's does, what follows counts as a
/// continuation. Times of findings are the capture's again.
struct CaptureReplay: ~Copyable {
    private let sensors: NativeSensors
    private var detectors: DetectorSet
    private let inside: PrefixSet
    private var clock = ReplayClock()
    private var nextStep: UInt64 = 0
    private(set) var counters = ReplayCounters()

    /// How often detectors are told that time passes, nanoseconds.
    private static let step: UInt64 = 250_000_000
    /// For so long after the last packet something may turn out to have had no answer.
    private static let afterglow: UInt64 = 3_000_000_000

    /// - Parameter inside: prefixes whose addresses are one's own.
    init(detectors: DetectorConfiguration, inside: PrefixSet) throws(ConsoleFailure) {
        guard let sensors = NativeSensors() else { throw ConsoleFailure(.failed, "no memory for the sensors' tables") }
        self.sensors = sensors
        self.detectors = DetectorSet(detectors)
        self.inside = inside
    }

    /// Senses one packet; `body` gets what detectors say, in the order of the capture's clock.
    mutating func take(_ packet: CapturedPacket, _ body: (Finding) -> Void) {
        let time = clock.take(packet.time)
        if nextStep == 0 { nextStep = time + CaptureReplay.step }
        if time >= nextStep { advance(to: time, body) }
        counters.packets += 1
        guard let frame = read(packet) else {
            counters.unread += 1
            return
        }
        sensors.sense(
            isSourceInside: inside.contains(frame.source), isTargetInside: inside.contains(frame.target), time: time)
        report(body)
    }

    /// Lets the time after the last packet pass.
    mutating func finish(_ body: (Finding) -> Void) {
        guard counters.packets > 0 else { return }
        let end = clock.now + CaptureReplay.afterglow
        while nextStep < end { advance(to: nextStep, body) }
    }

    private mutating func advance(to time: UInt64, _ body: (Finding) -> Void) {
        sensors.sweep(time: time)
        report(body)
        nextStep = time + CaptureReplay.step
    }

    private mutating func report(_ body: (Finding) -> Void) {
        for activity in sensors.takeActivities() {
            counters.activities += 1
            for finding in detectors.consider(activity) { body(clock.outside(finding)) }
        }
    }

    private func read(_ packet: CapturedPacket) -> NativeSensors.Frame? {
        let etherType: UInt16?
        let start: Int
        switch packet.frame {
        case .ethernet: (etherType, start) = (nil, 0)
        case .network(let type, let offset): (etherType, start) = (type, offset)
        case .unknown: return nil
        }
        let bytes = unsafe packet.bytes.span.bytes
        return sensors.read(
            bytes.extracting(start..<bytes.byteCount), wireLength: packet.originalLength - start, etherType: etherType)
    }
}

/// What a replay went through.
struct ReplayCounters: Hashable {
    var packets = 0
    /// Packets that are neither IP nor ARP, or too short to tell.
    var unread = 0
    /// What sensors reported.
    var activities = 0
}

/// The capture's clock, made to begin at a fixed moment and never to go back.
struct ReplayClock {
    private static let begin: UInt64 = 1_000_000_000_000
    /// Files may claim any time: a century on the clock stands still, and nothing that adds to it comes to the end of numbers.
    private static let end: UInt64 = 100 * 365 * 86_400 * 1_000_000_000
    /// Added to the capture's times, modulo 2^64.
    private var offset: UInt64 = 0
    private var last: UInt64 = 0
    private(set) var now: UInt64 = 0

    /// The moment inside that a packet's time stands for.
    mutating func take(_ time: UInt64) -> UInt64 {
        if now == 0 {
            now = ReplayClock.begin
            offset = now &- time
        } else if time < last {
            // Packets of two processors may be in the wrong order by a little: that is no jump of the clock.
            guard last - time > 1_000_000_000 else { return now }
            offset = now &- time
        } else {
            now += min(time - last, ReplayClock.end - now)
            if now == ReplayClock.end { offset = now &- time }
        }
        last = time
        return now
    }

    /// The finding with the capture's times.
    func outside(_ finding: Finding) -> Finding {
        var finding = finding
        finding.time &-= offset
        finding.since &-= offset
        return finding
    }
}
