// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import TableEncoding

/// A memory-mapped table of which nothing is mapped for longer than it is needed.
struct TableFile: ~Copyable {
    private let descriptor: FileDescriptor
    private let name: String
    /// Bytes of both banks.
    let byteCount: Int

    init(_ name: String, in pins: borrowing PinnedObjects) throws(BPFError) {
        let descriptor = try pins.mapDescriptor(name)
        let definition = try MapDefinition(of: descriptor, name: name)
        // Assigned last: a type that cannot be copied is built whole or not at all.
        self.descriptor = descriptor
        byteCount = definition.elementStride * definition.entryCountMax
        self.name = name
    }

    func map(_ part: Range<Int>) throws(BPFError) -> MappedArray {
        try MappedArray(descriptor, name: name, covering: part)
    }
}

/// The mapped part of one bank's chunk that some writes go to.
final class TableWindow {
    /// Writes to one chunk of one table, in ascending order.
    struct Group {
        let table: KernelTable
        let chunk: Int
        var writes: ArraySlice<TableWrite>
    }

    private let memory: MappedArray
    private let writes: ArraySlice<TableWrite>
    /// Of the bank's chunk in the table.
    private let offset: Int

    init(on table: borrowing TableFile, bank: UInt32, _ group: Group) throws(BPFError) {
        let chunk = group.chunk * Int(BANK_COUNT) + Int(bank)
        offset = chunk * ShadowTables.chunkBytes(of: group.table)
        writes = group.writes
        let start = writes.first?.range.bytes.lowerBound ?? 0, end = writes.last?.range.bytes.upperBound ?? 0
        memory = try table.map((offset + start)..<(offset + end))
    }

    /// Copies what the shadow holds; nobody may be reading this bank.
    func fill(from shadow: ShadowTables) {
        for write in writes {
            unsafe shadow.withBytes(of: write) { bytes in
                unsafe memory.write(bytes.bytes, at: offset + write.range.bytes.lowerBound)
            }
        }
    }

    /// Cuts writes, which come in order, into those that share a chunk.
    static func groups(_ writes: ArraySlice<TableWrite>) -> [Group] {
        var groups: [Group] = []
        var start = writes.startIndex
        while start < writes.endIndex {
            let first = writes[start]
            let end =
                writes[start...].firstIndex { $0.table != first.table || $0.range.chunk != first.range.chunk }
                ?? writes.endIndex
            groups.append(Group(table: first.table, chunk: first.range.chunk, writes: writes[start..<end]))
            start = end
        }
        return groups
    }
}
