// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import CLinuxShim
import Glibc
package import KernelPrograms

/// An opened, and after `load()` loaded, BPF object: the owner of its programs and maps.
///
/// Between opening and loading maps may be resized or replaced by maps that exist already. What must outlive the object
/// is taken out as `BPFProgram` and `BPFMap`, which hold descriptors of their own.
@safe package struct BPFObject: ~Copyable {
    /// The stem of the source file.
    package let name: String
    private let image: [UInt8]
    private let pointer: OpaquePointer
    /// Where the programs are loaded if more than one processor took part.
    private let shares = ProgramShares()
    private let programTables: [String: [String]]

    /// Opens an embedded object; nothing reaches the kernel yet.
    package init(_ program: KernelProgram) throws(BPFError) {
        let name = "\(program.name)"
        let image = program.objectBytes
        let pointer = try unsafe BPFObject.open(image, name)
        // Assigned last: a type that cannot be copied is built whole or not at all.
        self.name = name
        self.image = image
        unsafe self.pointer = pointer
        programTables = program.programTables
    }

    private static func open(_ image: [UInt8], _ name: String) throws(BPFError) -> OpaquePointer {
        var number: Int32 = 0
        let (pointer, log) = unsafe LibbpfLog.collect { () -> OpaquePointer? in
            var options = unsafe bpf_object_open_opts()
            unsafe options.sz = optionsSize(upTo: \bpf_object_open_opts.kernel_log_level)
            return unsafe name.withCString { text in
                unsafe options.object_name = text
                let pointer = unsafe image.withUnsafeBytes { image in
                    unsafe bpf_object__open_mem(image.baseAddress, image.count, &options)
                }
                number = errno
                return unsafe pointer
            }
        }
        guard let pointer = unsafe pointer else {
            throw BPFError(errno: number, operation: "open kernel object \(name)", log: log)
        }
        return unsafe pointer
    }

    deinit { unsafe bpf_object__close(pointer) }

    /// Loads maps and programs into the kernel, programs on so many processors at once (nil: on all), and fills
    /// its tables of programs.
    ///
    /// A refusal carries the verifier's log.
    package func load(processors: Int? = nil) throws(BPFError) {
        var weights: [String: Int] = [:]
        for name in programNames {
            let program = try unsafe programPointer(name)
            if unsafe bpf_program__autoload(program) { weights[name] = unsafe Int(bpf_program__insn_cnt(program)) }
        }
        let count = min(processors ?? Int(bulkhead_usable_processors()), ProgramShares.countMax, weights.count)
        if count > 1 { for name in weights.keys { try leaveOut(name) } }
        try attempt { unsafe bpf_object__load(pointer) }
        if count > 1 {
            for programs in ProgramShares.divide(weights, into: count) { try addShare(programs) }
            try attempt { shares.load() }
        }
        for (table, programs) in programTables where programs.allSatisfy({ weights[$0] != nil }) {
            try fill(table, with: programs)
        }
    }

    private func attempt(_ load: () -> Int32) throws(BPFError) {
        let (result, log) = LibbpfLog.collect(load)
        guard result >= 0 else {
            throw BPFError(errno: -result, operation: "load kernel object \(name)", log: log)
        }
    }

    /// Opens this object once more, over the maps that are loaded.
    private func addShare(_ programs: Set<String>) throws(BPFError) {
        let share = try unsafe BPFObject.open(image, name)
        unsafe shares.add(share, programs: programs)
        for name in mapNames {
            try unsafe check(
                bpf_map__reuse_fd(bpf_object__find_map_by_name(share, name), bpf_map__fd(mapPointer(name))),
                "share \(name)")
        }
        for name in programNames where !programs.contains(name) {
            let program = unsafe bpf_object__find_program_by_name(share, name)
            try unsafe check(bpf_program__set_autoload(program, false), "leave out \(name)")
        }
    }

    private func fill(_ table: String, with programs: [String]) throws(BPFError) {
        let slots: BPFMap<UInt32, Int32> = try map(table)
        for (index, name) in programs.enumerated() {
            let program = try program(name)
            try slots.update(UInt32(index), to: program.descriptor.rawValue)
        }
    }

    /// Names of the maps, in the object's order.
    package var mapNames: [String] {
        var names: [String] = []
        var map = unsafe bpf_object__next_map(pointer, nil)
        while let current = unsafe map {
            unsafe names.append(String(cString: bpf_map__name(current)))
            unsafe map = bpf_object__next_map(pointer, current)
        }
        return names
    }

    /// Names of the programs, in the object's order.
    package var programNames: [String] {
        var names: [String] = []
        var program = unsafe bpf_object__next_program(pointer, nil)
        while let current = unsafe program {
            unsafe names.append(String(cString: bpf_program__name(current)))
            unsafe program = bpf_object__next_program(pointer, current)
        }
        return names
    }

    /// What the object says about a map: type, sizes, flags.
    package func definition(ofMap name: String) throws(BPFError) -> MapDefinition {
        let map = try unsafe mapPointer(name)
        return unsafe MapDefinition(
            type: bpf_map__type(map).rawValue, keySize: Int(bpf_map__key_size(map)),
            valueSize: Int(bpf_map__value_size(map)), entryCountMax: Int(bpf_map__max_entries(map)),
            flags: bpf_map__map_flags(map))
    }

    /// Sets a map's number of entries; only before `load()`.
    package func resize(map name: String, entryCountMax: Int) throws(BPFError) {
        guard let count = UInt32(exactly: entryCountMax) else {
            throw BPFError(errno: ERANGE, operation: "resize \(name) to \(entryCountMax) entries")
        }
        try check(
            unsafe bpf_map__set_max_entries(mapPointer(name), count), "resize \(name) to \(entryCountMax) entries")
    }

    /// Leaves out the programs that need what this kernel does not have, and returns their names; only before `load()`.
    @discardableResult
    package func omitUnsupportedPrograms() throws(BPFError) -> Set<String> {
        var omitted: Set<String> = []
        for name in programNames {
            guard let feature = KernelFeature.needed(byProgram: name), feature.explanationIfMissing() != nil else {
                continue
            }
            try leaveOut(name)
            omitted.insert(name)
        }
        return omitted
    }

    /// Leaves out all programs but these; only before `load()`.
    package func keep(programs kept: Set<String>) throws(BPFError) {
        for name in programNames where !kept.contains(name) { try leaveOut(name) }
    }

    private func leaveOut(_ name: String) throws(BPFError) {
        try check(unsafe bpf_program__set_autoload(programPointer(name), false), "leave out \(name)")
    }

    /// Makes the object use a map that exists already; only before `load()`.
    package func reuse(_ existing: borrowing FileDescriptor, asMap name: String) throws(BPFError) {
        try check(unsafe bpf_map__reuse_fd(mapPointer(name), existing.rawValue), "reuse \(name)")
    }

    /// Asks the verifier for its statistics of a program, kept in `buffer` until the object is closed; before `load()`.
    func collectStatistics(ofProgram name: String, into buffer: UnsafeMutableBufferPointer<CChar>) throws(BPFError) {
        let statisticsOnly: UInt32 = 4
        let program = try unsafe programPointer(name)
        try check(unsafe bpf_program__set_log_level(program, statisticsOnly), "set the log level of \(name)")
        try check(
            unsafe bpf_program__set_log_buf(program, buffer.baseAddress, buffer.count), "set the log of \(name)")
    }

    /// Takes out a loaded program.
    package func program(_ name: String) throws(BPFError) -> BPFProgram {
        // Not by ??, which forgets the type of what is thrown.
        let shared = unsafe shares.program(name)
        let pointer = if let shared = unsafe shared { unsafe shared } else { try unsafe programPointer(name) }
        let fd = try check(unsafe bpf_program__fd(pointer), "use program \(name) of \(self.name)")
        return try BPFProgram(descriptor: duplicate(fd), name: name)
    }

    /// Takes out a loaded map; key and value must have the kernel's sizes.
    package func map<Key, Value>(
        _ name: String, _ key: Key.Type = Key.self, _ value: Value.Type = Value.self
    ) throws(BPFError) -> BPFMap<Key, Value> {
        try BPFMap(descriptor: mapDescriptor(name), name: name)
    }

    /// A descriptor of a loaded map, whatever its types.
    package func mapDescriptor(_ name: String) throws(BPFError) -> FileDescriptor {
        try duplicate(check(unsafe bpf_map__fd(mapPointer(name)), "use map \(name) of \(self.name)"))
    }

    private func duplicate(_ fd: Int32) throws(BPFError) -> FileDescriptor {
        try FileDescriptor(owning: checkPOSIX(fcntl(fd, F_DUPFD_CLOEXEC, 0), "duplicate descriptor \(fd)"))
    }

    private func mapPointer(_ name: String) throws(BPFError) -> OpaquePointer {
        try unsafe check(bpf_object__find_map_by_name(pointer, name), "find map \(name) in \(self.name)")
    }

    private func programPointer(_ name: String) throws(BPFError) -> OpaquePointer {
        try unsafe check(bpf_object__find_program_by_name(pointer, name), "find program \(name) in \(self.name)")
    }
}
