// SPDX-License-Identifier: Apache-2.0

import AgentCore
import CBenchSupport
import Glibc
import LinuxHost

/// What a big cluster costs the agent: everything from nothing, then one workload, one policy, one prefix of a long list.
///
/// The agent's own state and the kernel's tables, in this process: a change is measured from what a source says until it
/// is committed, in CPU of the whole process, disk and kernel included.
enum ScaleCost: Benchmark {
    static let name = "scale"
    static let summary =
        "50 500 workloads, 64 000 identities, 10 000 policies: from nothing, and one change of each kind"

    static func run(_ effort: Effort) throws -> [Row] {
        let field = try ScaleField(ScaleCluster())
        var rows = try fromNothing(field)
        rows.append(try kernelMemory(field))
        let changes = effort.isQuick ? 20 : 200
        rows.append(try row("workload elsewhere changed, p99", 10, changes, field, field.changeRemote))
        rows.append(try row("policy changed, p99", 50, changes, field, field.changePolicy))
        rows += try sharedList(field, effort.isQuick ? 5 : 20)
        rows.append(try row("workload here moved to another application, p99", 10, changes, field, field.moveLocal))
        // A set of labels that nobody had: 200 policies are written for it, and taken away for what it was before.
        rows.append(try row("workload here with labels of its own, p99", 10, changes, field, field.relabelLocal))
        return rows
    }

    private static func fromNothing(_ field: ScaleField) throws -> [Row] {
        ProcessMemory.forgetPeak()
        let before = try ProcessMemory.read()
        let begin = Clocks.process
        try field.start()
        let seconds = Double(Clocks.process - begin) / 1e9
        let after = try ProcessMemory.read()
        let sizes = try field.size
        report(
            "  scale: \(sizes.identities) identities, \(sizes.mappings) prefixes and \(sizes.policyEntries) entries from nothing"
                + " in \(ResultTable.number(seconds)) s CPU, peak \(ResultTable.number(after.peak)) MB"
                + " (\(ResultTable.number(before.resident)) MB before)")
        guard sizes.identities >= 64_000, sizes.policyEntries > 200_000 else {
            throw BenchError(
                "only \(sizes.identities) identities and \(sizes.policyEntries) entries: not the size to measure")
        }
        return [
            Row("scale: all from nothing", unit: "s CPU", ours: seconds, bound: 10),
            Row("scale: all from nothing, peak memory", unit: "MB", ours: after.peak, bound: 1000),
        ]
    }

    /// The policy tables against a trie for each of the 500 endpoints, with the entries that apply to it.
    private static func kernelMemory(_ field: ScaleField) throws -> Row {
        let ours = try field.policyTableBytes() / 1e6
        // Every endpoint has those of its application: all applications together have them all.
        let entries = try field.size.policyEntries / ScaleCluster.applicationsHere
        let before = try ProcessMemory.slabMegabytes()
        var tries: [Int32] = []
        defer { for trie in tries { close(trie) } }
        for _ in 0..<ScaleCluster().locals {
            let trie = bench_policy_trie(UInt32(entries / 2), 2)
            guard trie >= 0 else { throw BenchError("cannot make a trie for an endpoint: errno \(-trie)") }
            tries.append(trie)
        }
        var samples = PairedSamples()
        samples.add(ours: ours, peer: try ProcessMemory.slabMegabytes() - before)
        return Row(
            "scale: kernel memory of policies", unit: "MB", samples: samples, peerName: "a trie per endpoint",
            bound: 0.1)
    }

    /// p99 of the milliseconds of CPU that a change takes until it is committed.
    private static func row(
        _ name: String, _ bound: Double, _ count: Int, _ field: ScaleField, _ change: (Int) throws -> Void
    ) throws -> Row {
        var samples = Samples()
        // The first few have memory to get that others find.
        for number in 0..<(count + 5) {
            let generation = try field.size.generation
            let begin = Clocks.process
            try change(number)
            if number >= 5 { samples.add(Double(Clocks.process - begin) / 1e6) }
            guard try field.size.generation != generation else {
                throw BenchError("\(name): change \(number) was not committed: \(field.problem)")
            }
        }
        let figures = [samples.median, samples.quantile(0.99), samples.greatest].map(ResultTable.number)
        report("  scale: \(name): ms CPU median, p99, max \(figures.joined(separator: ", "))")
        return Row("scale: \(name)", unit: "ms CPU", ours: samples.quantile(0.99), bound: bound)
    }

    /// A list of 100 000 prefixes that 100 policies name: what the tables hold for it, and one prefix of it changed.
    private static func sharedList(_ field: ScaleField, _ changes: Int) throws -> [Row] {
        let before = try field.size
        try field.putList(variant: 0)
        let after = try field.size
        let entries = Double(after.policyEntries - before.policyEntries)
        report(
            "  scale: 100 000 prefixes in 100 policies: \(after.mappings - before.mappings) prefixes, "
                + "\(after.identities - before.identities) identity, \(after.policyEntries - before.policyEntries) entries"
        )
        var samples = Samples()
        for number in 1...changes {
            let generation = try field.size.generation
            let begin = Clocks.process
            try field.putList(variant: number)
            samples.add(Double(Clocks.process - begin) / 1e6)
            guard try field.size.generation != generation else {
                throw BenchError("the list's change was not committed")
            }
        }
        report(
            "  scale: one of them changed: ms CPU median \(ResultTable.number(samples.median)), the file's reading included"
        )
        return [
            Row(
                "scale: prefixes in the tables for each of a list in 100 policies", unit: "times",
                ours: Double(after.mappings - before.mappings) / Double(ScaleField.listLength), bound: 1),
            Row("scale: entries for each policy with that list", unit: "entries", ours: entries / 100, bound: 1),
        ]
    }
}

/// Resident memory of this process, and of the kernel, in MB (10^6 bytes).
enum ProcessMemory {
    /// Lets the peak begin anew.
    static func forgetPeak() {
        let file = unsafe open("/proc/self/clear_refs", O_WRONLY)
        guard file >= 0 else { return }
        defer { close(file) }
        _ = unsafe write(file, "5", 1)
    }

    /// What the kernel has given out in small pieces and cannot take back.
    static func slabMegabytes() throws -> Double {
        let text = String(decoding: try readFile("/proc/meminfo", bytesMax: 1 << 16), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("SUnreclaim:") } ?? ""
        guard let kilobytes = Double(line.filter(\.isNumber)) else {
            throw BenchError("/proc/meminfo has no SUnreclaim")
        }
        return kilobytes * 1024 / 1e6
    }

    static func read() throws -> (resident: Double, peak: Double) {
        let text = String(decoding: try readFile("/proc/self/status", bytesMax: 1 << 20), as: UTF8.self)
        func megabytes(_ field: String) -> Double {
            let line = text.split(separator: "\n").first { $0.hasPrefix(field) } ?? ""
            return (Double(line.filter(\.isNumber)) ?? 0) * 1024 / 1e6
        }
        return (megabytes("VmRSS:"), megabytes("VmHWM:"))
    }
}
