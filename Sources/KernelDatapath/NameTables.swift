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
    private let globs: BPFMap<fqdn_glob_key, fqdn_glob>
    private let memory: NameMemory
    /// What the programs have been told.
    private var settings: fqdn_config
    private let hash: NameHash
    /// As the kernel has them.
    private(set) var numbers: [NameSelector: UInt32] = [:]
    /// Which automaton of its suffix each pattern with a `*` inside is part of.
    private var shelves: [DomainName: NameGlobShelves] = [:]
    /// Programs may still be using numbers that were taken away: nobody has waited for them since.
    private var mayUseOld = true
    /// False: an earlier agent, or an earlier try, may have ended between writing a name and looking for its addresses.
    private var hasLearnt = false
    /// True: a write failed on its way, so `numbers` and `shelves` are not what the kernel has.
    private var isTorn = false

    /// Opens the tables; the first time their secrets are chosen.
    static func open(_ pins: borrowing PinnedObjects) throws(BPFError) -> NameTables {
        let config: BPFMap<UInt32, fqdn_config> = try pins.map(MapName.nameConfig)
        var settings = try config.value(for: 0) ?? fqdn_config()
        let hash: NameHash
        if let known = NameHash(settings) {
            hash = known
        } else {
            var generator = SystemRandomNumberGenerator()
            hash = NameHash(using: &generator)
            hash.store(in: &settings)
            try config.update(0, to: settings)
        }
        var tables = try NameTables(
            config: config, resolvers: pins.map(MapName.nameResolvers), selectors: pins.map(MapName.nameSelectors),
            globs: pins.map(MapName.nameGlobs), memory: NameMemory(pins), settings: settings, hash: hash)
        try tables.readNumbers()
        try tables.memory.reclaimLost()
        return tables
    }

    private init(
        config: consuming BPFMap<UInt32, fqdn_config>, resolvers: consuming BPFMap<ip_address, UInt32>,
        selectors: consuming BPFMap<fqdn_selector_key, fqdn_selector>,
        globs: consuming BPFMap<fqdn_glob_key, fqdn_glob>, memory: consuming NameMemory, settings: fqdn_config,
        hash: NameHash
    ) {
        self.config = config
        self.resolvers = resolvers
        self.selectors = selectors
        self.globs = globs
        self.memory = memory
        self.settings = settings
        self.hash = hash
    }

    private mutating func readNumbers() throws(BPFError) {
        var found: [NameSelector: UInt32] = [:]
        var places: [NameTables.Place: DomainName] = [:]
        try selectors.forEach { key, value in
            guard let name = DomainName(value, length: Int(key.length)) else { return }
            for number in 0..<value.globs {
                places[NameTables.Place(hash: key.hash, length: key.length, number: number)] = name
            }
            if value.exact != 0 { found[NameSelector(.exact, name)] = value.exact }
            if value.one != 0 { found[NameSelector(.one, name)] = value.one }
            if value.deep != 0 { found[NameSelector(.deep, name)] = value.deep }
        }
        // What an agent wrote that was killed before it told the programs of it.
        var lost: [fqdn_glob_key] = []
        var patterns: [DomainName: [UInt32: [NameGlob]]] = [:]
        try globs.forEach { key, value in
            let place = NameTables.Place(hash: key.hash, length: key.length, number: key.number)
            guard let name = places[place] else {
                lost.append(key)
                return
            }
            let own = value.patterns
            patterns[name, default: [:]][key.number] = own.map(\.glob)
            for (glob, number) in own { found[NameSelector(.glob(glob), name)] = number }
        }
        try globs.remove(lost)
        shelves = patterns.mapValues { own in
            NameGlobShelves(restoring: (0...(own.keys.max() ?? 0)).map { own[$0] ?? [] })
        }
        numbers = found
    }

    /// One automaton, as a key of dictionaries.
    private struct Place: Hashable {
        var hash: UInt64
        var length: UInt32
        var number: UInt32
    }

    /// Says whose answers count and how long.
    ///
    /// What was asked of a resolver that does not count any more is not answered any more.
    mutating func configure(_ wanted: NameSettings) throws(BPFError) {
        settings.is_enabled = wanted.resolvers.isEmpty ? 0 : 1
        settings.query_seconds = UInt32(clamping: wanted.queryTime.components.seconds)
        settings.ttl_min = UInt32(clamping: wanted.timeToLive.lowerBound.components.seconds)
        settings.ttl_max = UInt32(clamping: wanted.timeToLive.upperBound.components.seconds)
        settings.grace_seconds = UInt32(clamping: wanted.grace.components.seconds)
        settings.open_seconds = UInt32(clamping: wanted.openTime.components.seconds)
        var surplus: [ip_address] = []
        try resolvers.forEach { key, _ in
            if !wanted.resolvers.contains(IPAddress(key)) { surplus.append(key) }
        }
        try resolvers.remove(surplus)
        for resolver in wanted.resolvers { try resolvers.update(ip_address(resolver), to: 1) }
        try config.update(0, to: settings)
        guard !surplus.isEmpty else { return }
        RunningPrograms.wait()
        try memory.forgetQuestions()
    }

    /// Makes these the names that have numbers.
    ///
    /// What was answered before a name had one is looked through: its addresses are known when this returns.
    mutating func setNumbers(_ wanted: [NameSelector: UInt32]) throws(BPFError) {
        // What was written of it may carry a number that somebody else gets next.
        if isTorn { try readNumbers() }
        isTorn = false
        guard wanted != numbers || !hasLearnt else { return }
        let new = wanted.filter { numbers[$0.key] != $0.value }
        let late = hasLearnt ? new : wanted
        hasLearnt = false
        // First what goes: no program may give a number that means another name now.
        try write(wanted.filter { numbers[$0.key] == $0.value })
        if !new.isEmpty {
            if mayUseOld { RunningPrograms.wait() }
            mayUseOld = false
            try memory.forget(numbers: Set(new.values))
            try write(wanted)
        }
        if !late.isEmpty {
            // Answers that are read from now on meet the new names.
            RunningPrograms.wait()
            try learn(late)
        }
        hasLearnt = true
    }

    /// Makes these the selectors that the programs see, one suffix after the other.
    private mutating func write(_ wanted: [NameSelector: UInt32]) throws(BPFError) {
        let changed = Set(wanted.keys).union(numbers.keys).filter { wanted[$0] != numbers[$0] }
        guard !changed.isEmpty else { return }
        isTorn = true
        if numbers.contains(where: { wanted[$0.key] != $0.value }) { mayUseOld = true }
        settings.setLengths(of: Set(wanted.keys.map(\.name)).union(numbers.keys.map(\.name)))
        try config.update(0, to: settings)
        let bySuffix = Dictionary(grouping: wanted.keys.filter { $0.glob != nil }, by: \.name)
        for suffix in Set(changed.map(\.name)) {
            try write(suffix, globs: Set((bySuffix[suffix] ?? []).compactMap(\.glob)), wanted)
        }
        numbers = wanted
        settings.setLengths(of: wanted.keys.map(\.name))
        try config.update(0, to: settings)
        isTorn = false
    }

    /// The selectors of one suffix.
    ///
    /// Programs read meanwhile: an automaton is there before they look for it.
    private mutating func write(
        _ suffix: DomainName, globs patterns: Set<NameGlob>, _ wanted: [NameSelector: UInt32]
    ) throws(BPFError) {
        var own: [NameSelector.Extent: UInt32] = [:]
        for extent in [NameSelector.Extent.exact, .one, .deep] {
            own[extent] = wanted[NameSelector(extent, suffix)]
        }
        let former = shelves[suffix]?.patterns ?? []
        var shelf = shelves[suffix] ?? NameGlobShelves()
        shelf.update(to: patterns)
        for (index, globs) in shelf.patterns.enumerated() where !globs.isEmpty {
            let automaton = fqdn_glob(globs.map { ($0, wanted[NameSelector(.glob($0), suffix)] ?? 0) })
            try self.globs.update(fqdn_glob_key(suffix, index, hash), to: automaton)
        }
        let key = fqdn_selector_key(suffix, hash)
        if own.isEmpty, shelf.patterns.isEmpty {
            try selectors.remove(key)
        } else {
            try selectors.update(key, to: fqdn_selector(suffix, numbers: own, globs: shelf.patterns.count))
        }
        for index in former.indices where !former[index].isEmpty {
            guard index >= shelf.patterns.count || shelf.patterns[index].isEmpty else { continue }
            try globs.remove(fqdn_glob_key(suffix, index, hash))
        }
        shelves[suffix] = shelf.patterns.isEmpty ? nil : shelf
    }

    /// Gives addresses of earlier answers the numbers that came later, for as long as the answers count.
    private func learn(_ new: [NameSelector: UInt32]) throws(BPFError) {
        let now = NameTables.now()
        let own = try memory.knownNames().mapValues { name in new.filter { $0.key.matches(name) }.map(\.value) }
        var found: [NumberedAddress] = []
        try memory.forEachAnswer { key, address, expires in
            guard expires > now else { return }
            for number in own[key] ?? [] {
                found.append(
                    NumberedAddress(endpoint: key.endpoint, address: address, number: number, expires: expires))
            }
        }
        try memory.note(found, settings, now: now)
    }

    /// What was answered, to every endpoint.
    func learnt() throws(BPFError) -> [LearntName] {
        let now = NameTables.now()
        let names = try memory.knownNames()
        var found: [NameMemory.Key: [LearntName.Address]] = [:]
        try memory.forEachAnswer { key, address, expires in
            found[key, default: []].append(
                .init(address: address, remaining: .seconds(Int64(expires) - Int64(now))))
        }
        return found.compactMap { key, addresses in
            names[key].map { LearntName(endpoint: key.endpoint, name: $0, addresses: addresses) }
        }
    }

    /// Removes what has been over for longer than open connections may need it, and what is of none of these endpoints.
    func sweep(endpoints: Set<UInt16>) throws(BPFError) {
        try memory.sweep(endpoints: endpoints, now: NameTables.now(), openSeconds: settings.open_seconds)
    }

    /// Seconds as the programs count them.
    private static func now() -> UInt32 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt32(truncatingIfNeeded: time.tv_sec)
    }
}

extension DomainName {
    fileprivate init?(_ selector: fqdn_selector, length: Int) {
        let bytes = unsafe withUnsafeBytes(of: selector.name) { unsafe Array($0.prefix(length)) }
        self.init(wire: bytes)
    }
}
