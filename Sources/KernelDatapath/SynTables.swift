// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime
import CDatapathABI
import Glibc
package import NetworkModel

/// A listener that was seen under the defence's programs.
package struct SynListener: Hashable, Sendable {
    /// Why it is not defended.
    package enum Obstacle: String, Hashable, Sendable, CaseIterable {
        /// net.ipv4.tcp_syncookies = 0 in its namespace.
        case cookiesOff = "tcp_syncookies is 0"
        /// The kernel's own cookies do it.
        case mptcp = "MPTCP: the kernel's own cookies"

        var bit: UInt8 {
            switch self {
            case .cookiesOff: UInt8(SYN_OBSTACLE_COOKIES_OFF)
            case .mptcp: UInt8(SYN_OBSTACLE_MPTCP)
            }
        }
    }

    package var address: IPAddress
    package var port: UInt16
    package var isDefended: Bool
    /// How often it came to that.
    package var engagements: UInt32
    package var obstacles: [Obstacle]
}

/// What the defence has counted.
package enum SynCounter: Int, Hashable, Sendable, CaseIterable {
    case answered = 0
    case answeredAhead = 1
    case accepted = 2
    case refused = 3
    case stale = 4
    case queueFull = 5
    case left = 6
    case switchedOn = 7
    case switchedOff = 8
    case openedBehind = 9
}

/// The defence's tables (`bpf/abi/syn_defence.h`), which the programs that judge share.
package struct SynTables: ~Copyable, Sendable {
    private let settings: MappedArray
    private let gates: BPFMap<syn_gate_key, syn_gate>
    let publishedPorts: BPFMap<syn_published_key, syn_published>

    static let settingsName = "syn_settings_map"
    static let gatesName = "syn_gates_map"
    static let publishedName = "syn_published_map"

    /// Takes the tables of a loaded object.
    package init(_ object: borrowing BPFObject) throws(BPFError) {
        let settings = try MappedArray(object.mapDescriptor(SynTables.settingsName), name: SynTables.settingsName)
        let publishedPorts: BPFMap<syn_published_key, syn_published> = try object.map(SynTables.publishedName)
        // Assigned last: a type that cannot be copied is built whole or not at all.
        gates = try object.map(SynTables.gatesName)
        self.publishedPorts = publishedPorts
        self.settings = settings
        seedKeys()
    }

    /// Secrets of this machine's own, kept as long as the tables.
    private func seedKeys() {
        guard settings.value(at: 0, as: UInt64.self) == 0 else { return }
        for slot in 0..<Int(SYN_KEY_COUNT) { writeKey(slot) }
    }

    private func writeKey(_ slot: Int) {
        var generator = SystemRandomNumberGenerator()
        for word in 0..<2 {
            settings.storeReleasingDoubleWord(
                UInt64.random(in: 1...UInt64.max, using: &generator), at: 16 * slot + 8 * word)
        }
    }

    /// The number of the present step of time.
    package static func step() -> UInt64 { now() >> UInt64(SYN_STEP_SHIFT) }

    /// Nanoseconds of CLOCK_MONOTONIC.
    static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Replaces the key of the step after the next: no cookie that is valid was made with it.
    package func rotateKeys(in step: UInt64) { writeKey(Int((step + 2) % UInt64(SYN_KEY_COUNT))) }

    /// The key of a step, as two words.
    package func key(of step: UInt64) -> [UInt64] {
        let slot = Int(step % UInt64(SYN_KEY_COUNT))
        return (0..<2).map { settings.value(at: 16 * slot + 8 * $0, as: UInt64.self) }
    }

    /// Puts settings into force; each is a store of its own, the mode is the last.
    package func configure(_ settings: SynSettings) {
        let wanted = settings.resolved
        write(wanted.words(of: .off), at: MemoryLayout<syn_settings>.offset(of: \.off_ports))
        write(wanted.words(of: .always), at: MemoryLayout<syn_settings>.offset(of: \.always_ports))
        write([wanted.window.wholeNanoseconds], at: MemoryLayout<syn_settings>.offset(of: \.window_ns))
        write([wanted.hold.wholeNanoseconds], at: MemoryLayout<syn_settings>.offset(of: \.hold_ns))
        write(UInt32(clamping: wanted.engage), at: MemoryLayout<syn_settings>.offset(of: \.engage))
        write(UInt32(clamping: wanted.disengage), at: MemoryLayout<syn_settings>.offset(of: \.disengage))
        write(wanted.receiveBufferMax, at: MemoryLayout<syn_settings>.offset(of: \.receive_buffer_max))
        write(wanted.kernelMode, at: MemoryLayout<syn_settings>.offset(of: \.mode))
    }

    private func write(_ words: [UInt64], at offset: Int?) {
        for (index, word) in words.enumerated() {
            settings.storeReleasingDoubleWord(word, at: (offset ?? 0) + 8 * index)
        }
    }

    private func write(_ value: UInt32, at offset: Int?) { settings.storeReleasing(value, at: offset ?? 0) }

    /// No SYN is answered any more; the cookies under way still count.
    static func switchOff(_ settings: borrowing MappedArray) {
        settings.storeReleasing(UInt32(SYN_DEFENCE_OFF), at: MemoryLayout<syn_settings>.offset(of: \.mode) ?? 0)
    }

    /// Until when ACKs are looked at, in nanoseconds of CLOCK_MONOTONIC; 0: never yet.
    package var armedUntil: UInt64 {
        settings.loadAcquiringDoubleWord(at: MemoryLayout<syn_settings>.offset(of: \.armed_until) ?? 0)
    }

    /// Defends a listener whatever the load, for so long from now; zero: by load again.
    ///
    /// Port 0: all of the address that are known. `isAgain`: only where no order is in force.
    package func order(_ address: IPAddress, port: UInt16, for duration: Duration, isAgain: Bool) throws(BPFError) {
        let now = SynTables.now(), end = duration > .zero ? now + duration.wholeNanoseconds : 0
        for key in try orderedKeys(address, port) {
            // What programs count between these two is lost; it is a few SYNs.
            var gate = try gates.value(for: key)
            if gate == nil, port > 0, end > 0 {
                // Not met yet: its first SYN is answered too. Whose it is the program asks then.
                gate = syn_gate()
            }
            guard var gate, !isAgain || gate.ordered < now else { continue }
            gate.ordered = end
            try gates.update(key, to: gate)
        }
    }

    private func orderedKeys(_ address: IPAddress, _ port: UInt16) throws(BPFError) -> [syn_gate_key] {
        guard port == 0 else { return [syn_gate_key(address: ip_address(address), port: port.bigEndian, pad: 0)] }
        var keys: [syn_gate_key] = []
        try gates.forEach { key, _ in
            if IPAddress(key.address) == address { keys.append(key) }
        }
        return keys
    }

    /// Those that were ever under load, or kept from being defended; most often defended first.
    package func listeners() throws(BPFError) -> [SynListener] {
        var found: [SynListener] = []
        try gates.forEach { key, gate in
            guard gate.engagements > 0 || gate.obstacles != 0 else { return }
            found.append(
                SynListener(
                    address: IPAddress(key.address), port: UInt16(bigEndian: key.port),
                    isDefended: gate.engaged != 0, engagements: gate.engagements,
                    obstacles: SynListener.Obstacle.allCases.filter { gate.obstacles & $0.bit != 0 }))
        }
        return found.sorted { ($1.engagements, $0.address, $0.port) < ($0.engagements, $1.address, $1.port) }
    }
}
