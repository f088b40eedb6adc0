// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import Glibc
import IdentityModel
import NetworkModel
import TableEncoding

/// The tables of names: what the agent says (whose answers count, which names have numbers) and what the programs have
/// learnt.
///
/// The programs go on learning whether anybody looks here or not.
struct NameTables: ~Copyable {
    private let config: BPFMap<UInt32, fqdn_config>
    private let resolvers: BPFMap<ip_address, UInt32>
    private let selectors: BPFMap<fqdn_selector_key, fqdn_selector>
    private let answers: BPFMap<fqdn_answer_key, fqdn_answer>
    private let addresses: BPFMap<fqdn_address_key, fqdn_address>
    private var leftovers: NameLeftovers
    private let hash: NameHash
    /// As the kernel has them.
    private(set) var numbers: [NameSelector: UInt32] = [:]

    /// Opens the tables; the first time their secret is chosen.
    static func open(_ pins: borrowing PinnedObjects) throws(BPFError) -> NameTables {
        let config: BPFMap<UInt32, fqdn_config> = try pins.map(MapName.nameConfig)
        let hash = try secret(in: config)
        var tables = try NameTables(
            config: config, resolvers: pins.map(MapName.nameResolvers), selectors: pins.map(MapName.nameSelectors),
            answers: pins.map(MapName.nameAnswers), addresses: pins.map(MapName.nameAddresses),
            leftovers: NameLeftovers(pins), hash: hash)
        try tables.readNumbers()
        return tables
    }

    private init(
        config: consuming BPFMap<UInt32, fqdn_config>, resolvers: consuming BPFMap<ip_address, UInt32>,
        selectors: consuming BPFMap<fqdn_selector_key, fqdn_selector>,
        answers: consuming BPFMap<fqdn_answer_key, fqdn_answer>,
        addresses: consuming BPFMap<fqdn_address_key, fqdn_address>, leftovers: consuming NameLeftovers, hash: NameHash
    ) {
        self.hash = hash
        self.config = config
        self.resolvers = resolvers
        self.selectors = selectors
        self.answers = answers
        self.addresses = addresses
        self.leftovers = leftovers
    }

    private static func secret(in config: borrowing BPFMap<UInt32, fqdn_config>) throws(BPFError) -> NameHash {
        var known = try config.value(for: 0) ?? fqdn_config()
        if known.hash_keys.0 == 0 {
            let fresh = NameHash(.random(in: 0 ... .max), .random(in: 0 ... .max))
            known.hash_keys = (fresh.keys[0], fresh.keys[1])
            try config.update(0, to: known)
        }
        return NameHash(keys: [known.hash_keys.0, known.hash_keys.1])
    }

    private mutating func readNumbers() throws(BPFError) {
        var found: [NameSelector: UInt32] = [:]
        try selectors.forEach { key, value in
            guard let name = DomainName(value, length: Int(key.length)) else { return }
            if value.exact != 0 { found[NameSelector(.exact, name)] = value.exact }
            if value.one != 0 { found[NameSelector(.one, name)] = value.one }
            if value.deep != 0 { found[NameSelector(.deep, name)] = value.deep }
        }
        numbers = found
    }

    /// Says whose answers count and how long.
    func configure(_ settings: NameSettings) throws(BPFError) {
        var wanted = fqdn_config()
        wanted.hash_keys = (hash.keys[0], hash.keys[1])
        wanted.is_enabled = settings.resolvers.isEmpty ? 0 : 1
        wanted.query_seconds = UInt32(clamping: settings.queryTime.components.seconds)
        wanted.ttl_min = UInt32(clamping: settings.timeToLive.lowerBound.components.seconds)
        wanted.ttl_max = UInt32(clamping: settings.timeToLive.upperBound.components.seconds)
        wanted.grace_seconds = UInt32(clamping: settings.grace.components.seconds)
        wanted.open_seconds = UInt32(clamping: settings.openTime.components.seconds)
        wanted.share = UInt32(clamping: settings.share)
        var surplus: [ip_address] = []
        try resolvers.forEach { key, _ in
            if !settings.resolvers.contains(IPAddress(key)) { surplus.append(key) }
        }
        try resolvers.remove(surplus)
        for resolver in settings.resolvers { try resolvers.update(ip_address(resolver), to: 1) }
        try config.update(0, to: wanted)
    }

    /// Makes these the names that have numbers.
    ///
    /// What was answered before a name had one is looked through: its addresses are known when this returns.
    mutating func setNumbers(_ wanted: [NameSelector: UInt32]) throws(BPFError) {
        guard wanted != numbers else { return }
        let new = wanted.filter { numbers[$0.key] != $0.value }
        try forget(numbers: Set(new.values))
        let changed = Set(wanted.keys).union(numbers.keys).filter { wanted[$0] != numbers[$0] }
        for suffix in Set(changed.map(\.name)) {
            var own: [NameSelector.Extent: UInt32] = [:]
            for extent in [NameSelector.Extent.exact, .one, .deep] {
                own[extent] = wanted[NameSelector(extent, suffix)]
            }
            let key = fqdn_selector_key(suffix, hash)
            if own.isEmpty {
                try selectors.remove(key)
            } else {
                try selectors.update(key, to: fqdn_selector(suffix, numbers: own))
            }
        }
        numbers = wanted
        if !new.isEmpty { try learn(new) }
    }

    /// What was answered, of every endpoint.
    func learnt() throws(BPFError) -> [LearntName] {
        let now = NameTables.now()
        var found: [LearntName] = []
        try answers.forEach { key, value in
            guard let name = DomainName(value, length: Int(key.length)) else { return }
            found.append(
                LearntName(
                    endpoint: UInt16(truncatingIfNeeded: key.endpoint), name: name, type: key.type,
                    addresses: value.entries.map {
                        .init(address: $0.address, remaining: .seconds(Int64($0.expires) - Int64(now)))
                    }))
        }
        return found
    }

    /// Removes what has been over for longer than open connections may need it, and what is of none of these endpoints.
    mutating func sweep(endpoints: Set<UInt16>) throws(BPFError) {
        guard let settings = try config.value(for: 0) else { return }
        let now = NameTables.now()
        func isOver(_ expires: UInt32) -> Bool { Int64(expires) + Int64(settings.open_seconds) < Int64(now) }
        var oldAddresses: [fqdn_address_key] = []
        try addresses.forEach { key, value in
            if isOver(value.expires) || !endpoints.contains(UInt16(truncatingIfNeeded: key.endpoint)) {
                oldAddresses.append(key)
            }
        }
        try addresses.remove(oldAddresses)
        var oldAnswers: [fqdn_answer_key] = []
        try answers.forEach { key, value in
            let last = value.entries.map(\.expires).max() ?? 0
            if isOver(last) || !endpoints.contains(UInt16(truncatingIfNeeded: key.endpoint)) {
                oldAnswers.append(key)
            }
        }
        try answers.remove(oldAnswers)
        try leftovers.sweep(endpoints: endpoints, askedBefore: Int64(now) - Int64(settings.query_seconds))
    }

    /// Takes numbers away from every address: whoever had them before, what they open is not the next one's.
    private func forget(numbers old: Set<UInt32>) throws(BPFError) {
        guard !old.isEmpty else { return }
        var changed: [(key: fqdn_address_key, value: fqdn_address)] = []
        try addresses.forEach { key, value in
            let slots = value.slots.map { old.contains(UInt32($0 >> 32)) ? 0 : $0 }
            guard slots != value.slots else { return }
            var value = value
            value.slots = slots
            changed.append((key, value))
        }
        for (key, value) in changed { try addresses.update(key, to: value) }
    }
}

extension NameTables {
    /// Gives addresses of earlier answers the numbers that came later.
    ///
    /// The programs go on teaching meanwhile, and what they add to an address between our look at it and our writing would
    /// be lost. So answers that came since are gone through again, with all numbers, until none came.
    private func learn(_ new: [NameSelector: UInt32]) throws(BPFError) {
        var since: UInt32 = 0
        var selectors = new
        for _ in 0..<4 {
            let begin = NameTables.now()
            var found: [KnownAddress: [UInt32: UInt32]] = [:]
            try answers.forEach { key, value in
                guard value.learned >= since, let name = DomainName(value, length: Int(key.length)) else { return }
                let own = selectors.filter { $0.key.matches(name) }.values
                guard !own.isEmpty else { return }
                for entry in value.entries where entry.expires > begin {
                    let address = KnownAddress(address: entry.address, endpoint: key.endpoint)
                    for number in own {
                        found[address, default: [:]][number] = max(found[address]?[number] ?? 0, entry.expires)
                    }
                }
            }
            for (address, own) in found { try add(own, to: address.key, now: begin) }
            if since != 0, found.isEmpty { return }
            since = begin
            selectors = numbers
        }
    }

    /// Adds numbers with their expiries to an address; writes only if that changes something.
    private func add(_ own: [UInt32: UInt32], to key: fqdn_address_key, now: UInt32) throws(BPFError) {
        var entry = try addresses.value(for: key) ?? fqdn_address()
        entry.key = key
        var slots = entry.slots
        let before = slots
        for (number, expires) in own.sorted(by: { $0.key < $1.key }) {
            let value = UInt64(number) << 32 | UInt64(expires)
            if let slot = slots.firstIndex(where: { $0 >> 32 == UInt64(number) }) {
                slots[slot] = max(slots[slot], value)
            } else if let slot = slots.firstIndex(where: { UInt32(truncatingIfNeeded: $0) <= now }) {
                slots[slot] = value
            }
        }
        guard slots != before else { return }
        entry.slots = slots
        entry.expires = max(entry.expires, own.values.max() ?? 0)
        try addresses.update(key, to: entry)
    }

    /// Seconds as the programs count them.
    private static func now() -> UInt32 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt32(truncatingIfNeeded: time.tv_sec)
    }
}

/// An address as one endpoint knows it.
private struct KnownAddress: Hashable {
    var address: IPAddress
    var endpoint: UInt32

    var key: fqdn_address_key { fqdn_address_key(address: ip_address(address), endpoint: endpoint) }
}

extension fqdn_address {
    /// Number and expiry of each slot, as in the kernel.
    fileprivate var slots: [UInt64] {
        get { unsafe withUnsafeBytes(of: numbers) { unsafe Array($0.bindMemory(to: UInt64.self)) } }
        set {
            unsafe withUnsafeMutableBytes(of: &numbers) { bytes in
                for (slot, value) in newValue.enumerated() {
                    unsafe bytes.storeBytes(of: value, toByteOffset: 8 * slot, as: UInt64.self)
                }
            }
        }
    }
}

extension fqdn_answer {
    /// The addresses that it has room for.
    fileprivate var entries: [(address: IPAddress, expires: UInt32)] {
        let count = min(Int(count), Int(FQDN_ANSWER_ADDRESSES))
        let times = unsafe withUnsafeBytes(of: expires) { unsafe Array($0.bindMemory(to: UInt32.self).prefix(count)) }
        let found = unsafe withUnsafeBytes(of: addresses) {
            unsafe Array($0.bindMemory(to: ip_address.self).prefix(count))
        }
        return zip(found, times).map { (IPAddress($0), $1) }
    }
}

extension DomainName {
    fileprivate init?(_ answer: fqdn_answer, length: Int) {
        let bytes = unsafe withUnsafeBytes(of: answer.name) { unsafe Array($0.prefix(length)) }
        self.init(wire: bytes)
    }

    fileprivate init?(_ selector: fqdn_selector, length: Int) {
        let bytes = unsafe withUnsafeBytes(of: selector.name) { unsafe Array($0.prefix(length)) }
        self.init(wire: bytes)
    }
}
