// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import DetectionModel
import KernelDatapath
import KernelPrograms
import NetworkModel
import Sensing
import Testing

/// The sensors in the kernel and over plain memory, fed the same.
final class SensorPair {
    static let key: [UInt64] = [3, 5, 0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 11, 0x1656_67b1_9e37_79f9]

    let frames: BPFProgram
    let leaving: BPFProgram
    var kernel: ShieldSensors
    let native: NativeSensors
    let time: UInt64
    private var told: [Activity] = []

    init() throws {
        let object = try BPFObject(.prefilter)
        try object.keep(programs: ["xdp_prefilter", "tc_prefilter_asked"])
        try object.load()
        let frames = try object.program("xdp_prefilter")
        let leaving = try object.program("tc_prefilter_asked")
        let kernel = try ShieldSensors(object)
        kernel.switchOn(hasEndpoints: false, key: SensorPair.key, sampleMask: 0, budget: 0)
        let bytes = SensorPair.key.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        native = try #require(NativeSensors(key: bytes, sampleMask: 0))
        self.frames = frames
        self.leaving = leaving
        self.kernel = kernel
        time = ShieldSensors.now()
    }

    func arrive(_ frame: [UInt8]) throws {
        _ = try frames.testRunFrame(frame)
        try note(frame, isLeaving: false)
    }

    func leave(_ frame: [UInt8]) throws {
        _ = try leaving.testRun(packet: frame)
        try note(frame, isLeaving: true)
    }

    private func note(_ frame: [UInt8], isLeaving: Bool) throws {
        // At once: a note says what its record holds when it is read.
        told += kernel.poll()
        guard unsafe native.read(frame.span.bytes, wireLength: frame.count) != nil else { return }
        native.sense(isSourceInside: isLeaving, isTargetInside: !isLeaving, time: time)
    }

    /// What both say when two seconds have gone by.
    func reports() -> (kernel: [Activity], native: [Activity]) {
        let later = ShieldSensors.now() + 3_000_000_000
        native.sweep(time: later)
        return (told + kernel.poll(now: later), native.takeActivities())
    }
}
