// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import NetworkModel
import TableEncoding

/// What the programs have learnt of names, in mapped arrays of buckets: read and written here while they write, by the
/// same rules as theirs (`bpf/abi/fqdn_table.h`).
///
/// Nothing is mapped for longer than it is needed: its pages count as resident memory.
struct NameMemory: ~Copyable {
    private let queries: FileDescriptor
    private let numbers: FileDescriptor
    private let history: FileDescriptor
    private let names: FileDescriptor

    init(_ pins: borrowing PinnedObjects) throws(BPFError) {
        let queries = try pins.mapDescriptor(MapName.nameQueries)
        let numbers = try pins.mapDescriptor(MapName.nameNumbers)
        let history = try pins.mapDescriptor(MapName.nameHistory)
        let names = try pins.mapDescriptor(MapName.names)
        // Assigned last: a type that cannot be copied is built whole or not at all.
        self.queries = queries
        self.numbers = numbers
        self.history = history
        self.names = names
    }

    /// A name that an endpoint was told of, by the hash that its addresses are noted with.
    struct Key: Hashable {
        var endpoint: UInt16
        var hash: UInt64
    }

    /// The names that endpoints were told of.
    func knownNames() throws(BPFError) -> [Key: DomainName] {
        let table = try NameTable(names, MapName.names)
        var found: [Key: DomainName] = [:]
        table.forEachMark { mark, place in
            guard let entry = table.value(at: place, whileMarked: mark, as: fqdn_name.self) else { return }
            let bytes = unsafe withUnsafeBytes(of: entry.bytes) { unsafe Array($0.prefix(Int(entry.length))) }
            guard let name = DomainName(wire: bytes) else { return }
            found[Key(endpoint: NameTable.endpoint(of: mark), hash: entry.hash)] = name
        }
        return found
    }

    /// Calls `body` with each address that was given for a name, and when that is over.
    func forEachAnswer(_ body: (Key, IPAddress, _ expires: UInt32) -> Void) throws(BPFError) {
        let table = try NameTable(history, MapName.nameHistory)
        table.forEachMark { mark, place in
            guard let fact = table.value(at: place, whileMarked: mark, as: fqdn_fact.self) else { return }
            let key = Key(endpoint: NameTable.endpoint(of: mark), hash: fact.what)
            body(key, IPAddress(fact.address), NameTable.expiry(of: mark))
        }
    }

    /// Gives an endpoint's address a number until then, or for longer than it had it; whoever holds most makes room.
    func note(_ facts: [NumberedAddress], _ config: fqdn_config, now: UInt32) throws(BPFError) {
        guard !facts.isEmpty else { return }
        let table = try NameTable(numbers, MapName.nameNumbers)
        for fact in facts { table.note(fact, config, now: now) }
    }

    /// Makes room of what an agent that was killed had taken for a number.
    func reclaimLost() throws(BPFError) { try NameTable(numbers, MapName.nameNumbers).reclaimLost() }

    /// Takes numbers away from every address: whoever had them before, what they open is not the next one's.
    func forget(numbers old: Set<UInt32>) throws(BPFError) {
        guard !old.isEmpty else { return }
        let table = try NameTable(numbers, MapName.nameNumbers)
        table.forEachMark { mark, place in
            guard let fact = table.value(at: place, whileMarked: mark, as: fqdn_fact.self),
                old.contains(UInt32(truncatingIfNeeded: fact.what))
            else { return }
            table.free(place, asFarAs: UInt32(truncatingIfNeeded: mark))
        }
    }

    /// Forgets every question.
    func forgetQuestions() throws(BPFError) {
        let table = try NameTable(queries, MapName.nameQueries)
        table.forEachMark { mark, place in table.free(place, asFarAs: UInt32(truncatingIfNeeded: mark)) }
    }

    /// Frees what is of none of these endpoints, and what is over: for `openSeconds` if open connections may need it.
    func sweep(endpoints: Set<UInt16>, now: UInt32, openSeconds: UInt32) throws(BPFError) {
        func sweep(_ table: borrowing NameTable, after seconds: UInt32) {
            table.forEachMark { mark, place in
                let isOver = Int64(NameTable.expiry(of: mark)) + Int64(seconds) < Int64(now)
                guard isOver || !endpoints.contains(NameTable.endpoint(of: mark)) else { return }
                table.free(place, ifStill: mark)
            }
        }
        sweep(try NameTable(queries, MapName.nameQueries), after: 0)
        sweep(try NameTable(numbers, MapName.nameNumbers), after: openSeconds)
        sweep(try NameTable(history, MapName.nameHistory), after: 0)
        sweep(try NameTable(names, MapName.names), after: 0)
    }
}

/// A number that an address has for an endpoint.
struct NumberedAddress {
    var endpoint: UInt16
    var address: IPAddress
    var number: UInt32
    /// Seconds as the programs count them.
    var expires: UInt32
}
