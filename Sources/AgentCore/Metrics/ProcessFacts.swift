// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost

/// What the kernel says of this process; what it does not say is nil.
struct ProcessFacts: Sendable {
    var cpuSeconds: Double?
    var residentBytes: Double?
    var virtualBytes: Double?
    var openFiles: Double?
    var maxFiles: Double?
    /// Since 1970.
    var startTime: Double?

    static func read(procfs: String = "/proc") -> ProcessFacts {
        var facts = ProcessFacts()
        let (ticks, page) = (Double(sysconf(Int32(_SC_CLK_TCK))), Double(sysconf(Int32(_SC_PAGESIZE))))
        if let text = try? readTextFile("\(procfs)/self/stat"), let end = text.lastIndex(of: ")") {
            // The second field is the program's name; the third follows.
            let fields = text[end...].split(separator: " ").dropFirst().map { Double($0) ?? 0 }
            if fields.count > 21 {
                facts.cpuSeconds = (fields[11] + fields[12]) / ticks
                facts.virtualBytes = fields[20]
                facts.residentBytes = fields[21] * page
                facts.startTime = bootTime(procfs).map { $0 + fields[19] / ticks }
            }
        }
        facts.openFiles = (try? directoryEntries("\(procfs)/self/fd")).map { Double($0.count) }
        var limit = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            facts.maxFiles = Double(limit.rlim_cur)
        }
        return facts
    }

    /// When the machine was started, in seconds since 1970.
    private static func bootTime(_ procfs: String) -> Double? {
        guard let text = try? readTextFile("\(procfs)/stat") else { return nil }
        return text.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
    }
}
